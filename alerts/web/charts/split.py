"""Stays one after the other on a line, and the few days between them."""

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from alerts.web.charts import facts
from alerts.web.charts.drawing import WIDTH, Axis, Chart, Drawing
from alerts.web.wording import CHINA, Words
from detectors.finding import Evidence

LEFT, RIGHT = 12, 842
TOP = 52


class Stay(NamedTuple):
    """An admission with the end that is known of it."""

    admission: Evidence
    end: datetime | None


def split(events: Sequence[Evidence], words: Words) -> Chart | None:
    """Two stays or more. None if there are fewer."""
    stays = _stays(events)
    if len(stays) < 2:
        return None
    last = max([event.at for event in events])
    axis = Axis.of([stays[0].admission.at, *(stay.end or last for stay in stays)], LEFT, RIGHT)
    drawing = Drawing(TOP + 92 + 54 * (len(stays) > 1), words("chart.split.label", n=len(stays)))
    drawing.line(0, TOP + 24, WIDTH, TOP + 24, "ln2")
    for tick in axis.ticks():
        drawing.line(axis.x(tick), 22, axis.x(tick), TOP + 40, "ln")
        drawing.text(axis.x(tick), 16, words.day(tick), "t3 t11 c")
    for n, stay in enumerate(stays, 1):
        _stay(drawing, axis, stay, n, last, words)
    for one, other in pairwise(stays):
        if one.end:
            _home(drawing, axis, one.end, other.admission.at, words)
    for bill in (event for event in events if event.event_type == "setl"):
        drawing.diamond(axis.x(bill.at), TOP + 24, "forg", words.moment(bill.at), 5.5)
    return Chart(
        words("chart.split.title"), words("chart.split.note"), drawing.svg(), (), _head(words), _table(stays, words)
    )


def _stays(events: Sequence[Evidence]) -> list[Stay]:
    ends = {(e.org, facts.visit(e)): e.at for e in events if e.event_type == "dscg"}
    found = {(e.org, facts.visit(e)): e for e in events if e.event_type == "adm"}
    stays = [Stay(event, ends.get(key)) for key, event in found.items()]
    return sorted(stays, key=lambda stay: stay.admission.at)


def _stay(drawing: Drawing, axis: Axis, stay: Stay, n: int, last: datetime, words: Words) -> None:
    since, to = axis.x(stay.admission.at), axis.x(stay.end or last)
    drawing.box(since, TOP + 16, to - since, 16, "fi" if n == 1 else "fred")
    row = TOP + 54 + 54 * ((n - 1) % 2)
    drawing.line(since, TOP + 32, since, row - 2, "ln2")
    about = [words.days(stay.admission.at, stay.end), _length(stay, words)]
    more = [words.org(stay.admission.org), *(stay.admission.facts.get(name, "") for name in ("dept", "diag"))]
    drawing.text(since + 6, row, words("chart.split.stay", n=n), "tb")
    drawing.text(since + 6, row + 16, "  ".join(filter(None, about)), "t11 t1")
    drawing.text(since + 6, row + 31, "  ".join(filter(None, more)), "t11 t3")


def _length(stay: Stay, words: Words) -> str:
    return words("chart.split.days", n=_days(stay.admission.at, stay.end)) if stay.end else ""


def _days(since: datetime, to: datetime) -> int:
    return (to.astimezone(CHINA).date() - since.astimezone(CHINA).date()).days


def _home(drawing: Drawing, axis: Axis, out: datetime, again: datetime, words: Words) -> None:
    x1, x2 = axis.x(out), axis.x(again)
    drawing.path(f"M{x1:.1f} {TOP + 12}V{TOP + 6}H{x2:.1f}V{TOP + 12}", "lnk")
    drawing.text((x1 + x2) / 2, TOP, words("chart.split.home", n=_days(out, again)), "tred c")


def _head(words: Words) -> tuple[str, ...]:
    keys = ("kind.adm", "kind.dscg", "lead.rows.org", "fact.dept", "fact.diag")
    return tuple(map(words, keys))


def _table(stays: Sequence[Stay], words: Words) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            words.moment(stay.admission.at),
            words.moment(stay.end) if stay.end else "",
            words.org(stay.admission.org),
            stay.admission.facts.get("dept", ""),
            stay.admission.facts.get("diag", ""),
        )
        for stay in stays
    )
