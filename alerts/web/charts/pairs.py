"""A bill, how soon it was taken back, and how soon the same was settled again: one pair a line."""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple

from alerts.web.charts.drawing import WIDTH, Chart, Drawing, wide
from alerts.web.wording import Words
from detectors.finding import Evidence, Figure

MOST_ROWS = 30
ROW = 27
TOP = 50
BACK, BACK_TO = 132, 400  # from the bill to its reversal
AGAIN, AGAIN_TO = 452, 716  # from there to the next bill
DAY = timedelta(days=1)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Pair(NamedTuple):
    """A bill and its reversal; the next bill of the same goods, if any followed within a day."""

    bill: Evidence
    reversal: Evidence
    again: Evidence | None

    @property
    def age(self) -> timedelta:
        return self.reversal.at - self.bill.at

    @property
    def pause(self) -> timedelta | None:
        return self.again.at - self.reversal.at if self.again else None


class Scale(NamedTuple):
    """From how long to pixels; ``limit``: what the rule asks for at most, if it says so."""

    left: float
    right: float
    full: timedelta
    limit: timedelta | None

    @classmethod
    def of(cls, left: float, right: float, spans: Sequence[timedelta], limit: timedelta | None) -> "Scale":
        longest = max([*spans, *([limit] if limit else [])], default=MINUTE)
        return cls(left, right, max(longest * 1.08, MINUTE), limit)

    def x(self, span: timedelta) -> float:
        return self.left + (self.right - self.left) * (span / self.full)


def pairs(events: Sequence[Evidence], figures: Sequence[Figure], words: Words) -> Chart | None:
    """None if no reversal has its bill among the events."""
    found = _pairs(events)
    if not found:
        return None
    rows = found[:MOST_ROWS]
    limits = {figure.name: figure.threshold for figure in figures}
    back = Scale.of(BACK, BACK_TO, [p.age for p in rows], _span(limits.get("longest_until_reversal"), MINUTE))
    pauses = [pause for p in rows if (pause := p.pause) is not None]
    again = Scale.of(AGAIN, AGAIN_TO, pauses, _span(limits.get("longest_until_again"), HOUR))
    foot = 22 if len(found) > len(rows) else 6
    drawing = Drawing(TOP + ROW * len(rows) + foot, words("chart.pairs.label", n=len(found)))
    _heads(drawing, len(rows), back, again, words)
    y = TOP + ROW / 2
    for pair in rows:
        _row(drawing, y, pair, back, again, words)
        y += ROW
    if len(found) > len(rows):
        drawing.text(0, y + 4, words("chart.pairs.more", n=len(found) - len(rows)), "t3")
    legend = tuple((mark, words(f"chart.pairs.{name}")) for mark, name in (("bill", "bill"), ("cross", "back")))
    return Chart(
        words("chart.pairs.title"),
        words("chart.pairs.note"),
        drawing.svg(),
        legend,
        _head(words),
        tuple(_cells(pair, words) for pair in found),
    )


def _pairs(events: Sequence[Evidence]) -> list[Pair]:
    """In the order of their bills. The same goods, at the same place, within a day: what the rule asks for."""
    bills = sorted((e for e in events if e.event_type == "setl"), key=lambda event: event.at)
    by_name = {(bill.org, bill.facts.get("setl_id", "")): bill for bill in bills}
    found = []
    for reversal in sorted((e for e in events if e.event_type == "setl_rev"), key=lambda event: event.at):
        bill = by_name.get((reversal.org, reversal.facts.get("setl_id", "")))
        if bill is not None:
            found.append(Pair(bill, reversal, _next(bill, reversal, bills)))
    return sorted(found, key=lambda pair: pair.bill.at)


def _next(bill: Evidence, reversal: Evidence, bills: Sequence[Evidence]) -> Evidence | None:
    goods = set(bill.facts.get("items", "").split())
    later = (b for b in bills if b.org == bill.org and reversal.at < b.at <= reversal.at + DAY)
    return next((b for b in later if goods & set(b.facts.get("items", "").split())), None)


def _span(limit: object, unit: timedelta) -> timedelta | None:
    return unit * limit if isinstance(limit, int | float) and limit > 0 else None


def _heads(drawing: Drawing, rows: int, back: Scale, again: Scale, words: Words) -> None:
    bottom = TOP + ROW * rows
    for scale, name in ((back, "until_back"), (again, "until_again")):
        drawing.box(scale.left, TOP - 8, scale.right - scale.left, bottom - TOP + 8, "fs")
        drawing.text(scale.left, 15, words(f"chart.pairs.{name}"), "t3")
        if scale.limit:
            x = scale.x(scale.limit)
            drawing.line(x, TOP - 14, x, bottom, "kred w2")
            drawing.text(x, TOP - 18, words.long(scale.limit), "tred t11 c")
    drawing.text(WIDTH, 15, words("chart.pairs.amount"), "t3 e")


def _row(drawing: Drawing, y: float, pair: Pair, back: Scale, again: Scale, words: Words) -> None:
    drawing.text(0, y + 4, words.moment(pair.bill.at), "t1")
    x = back.x(pair.age)
    drawing.line(back.left, y, x, y, "lni w2")
    drawing.disc(back.left, y, 5, "fi", words.moment(pair.bill.at, seconds=True))
    if x - back.left > 14:
        drawing.disc(x, y, 7, "fp")
    drawing.cross(x, y, "kred w2", words.moment(pair.reversal.at, seconds=True))
    _how_long(drawing, x, y, words.long(pair.age), back)
    if pair.again and pair.pause is not None:
        x = again.x(pair.pause)
        drawing.line(again.left, y, x, y, "ln2 dash")
        drawing.disc(x, y, 5, "fi", words.moment(pair.again.at, seconds=True))
        _how_long(drawing, x, y, words.long(pair.pause), again)
    drawing.text(WIDTH, y + 4, words.yuan(pair.bill.total_fen), "t1 e")
    drawing.line(0, y + ROW / 2, WIDTH, y + ROW / 2, "ln")


def _how_long(drawing: Drawing, x: float, y: float, said: str, scale: Scale) -> None:
    """Behind the mark, or before it where the limit stands."""
    room = wide(said, 11)
    limit = scale.x(scale.limit) if scale.limit else scale.right
    if x < limit < x + 14 + room:
        drawing.box(x - 12 - room, y - 7, room, 14, "fs")
        drawing.text(x - 12, y + 4, said, "t1 t11 e")
    else:
        drawing.text(x + 11, y + 4, said, "t1 t11")


def _head(words: Words) -> tuple[str, ...]:
    names = ("kind.setl", "kind.setl_rev", "chart.pairs.until_back", "chart.pairs.again", "chart.pairs.until_again")
    return (*map(words, names), words("fact.items"), words("chart.pairs.amount"))


def _cells(pair: Pair, words: Words) -> tuple[str, ...]:
    return (
        words.moment(pair.bill.at, seconds=True),
        words.moment(pair.reversal.at, seconds=True),
        words.long(pair.age),
        words.moment(pair.again.at, seconds=True) if pair.again else "",
        words.long(pair.pause) if pair.pause is not None else "",
        pair.bill.facts.get("items", ""),
        words.yuan(pair.bill.total_fen),
    )
