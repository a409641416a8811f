"""A shelf from its last count on: what came in, what went out, and how far below nothing it went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from alerts.web.charts import facts
from alerts.web.charts.drawing import WIDTH, Axis, Chart, Drawing
from alerts.web.charts.lanes import labelled
from alerts.web.charts.status import HIGH as COLUMN
from alerts.web.charts.status import MOST_DOTS, columns
from alerts.web.wording import Words
from detectors.finding import Evidence, Figure

LEFT, RIGHT = 132, 790
TOP, HIGH = 36, 170
HEAD = 14  # above the highest stock, for words
STRIP = 52  # below: when it was handed out
NEAR = 44  # pixels that a label takes


@dataclass(frozen=True, slots=True)
class Shelf:
    """Packs. ``came``: what came in, or went back (negative), and when; each short pack lies in first to last."""

    counted_at: datetime
    counted: float
    came: Sequence[tuple[datetime, float]]
    first: datetime
    last: datetime
    short: float
    limit: float | None

    def line(self) -> list[tuple[datetime, float]]:
        """The stock, two points where something came in. Of what went out only the sums are told: it falls evenly."""
        moments = sorted({self.counted_at, self.first, self.last, *(at for at, _ in self.came)})
        points = []
        for at in moments:
            before = self.counted + sum(packs for when, packs in self.came if when < at) - self._gone(at)
            arrived = sum(packs for when, packs in self.came if when == at)
            points += [(at, before)] if not arrived else [(at, before), (at, before + arrived)]
        return points if self.last > self.first else [*points, (self.last, -self.short)]

    def _gone(self, at: datetime) -> float:
        """Handed out until then: all there was until the first pack that was not there, then those that were not."""
        early = self.counted + sum(packs for when, packs in self.came if when <= self.first)
        late = self.short + sum(packs for when, packs in self.came if self.first < when <= self.last)
        if at <= self.first:
            return early * _share(self.counted_at, self.first, at)
        return early + late * _share(self.first, self.last, at)


def _share(since: datetime, until: datetime, at: datetime) -> float:
    return (at - since) / (until - since) if until > since else float(at > since)


def balance(
    shown: Sequence[Evidence], also: Sequence[Evidence], figures: Sequence[Figure], words: Words
) -> Chart | None:
    """None without a count, or where the figures do not tell how much was short."""
    out = sorted((e for e in shown if e.event_type != "inv"), key=lambda event: event.at)
    moved = sorted((e for e in also if e.event_type == "inv"), key=lambda event: event.at)
    shelf = _shelf(out, moved, figures)
    if shelf is None:
        return None
    axis = Axis.of([shelf.counted_at, shelf.last, *(e.at for e in moved)], LEFT, RIGHT, 0.05)
    drawing = Drawing(TOP + HIGH + STRIP + 8, words("chart.balance.label", n=f"{shelf.short:g}"))
    _draw(drawing, axis, shelf, words)
    base = TOP + HIGH + STRIP
    drawing.text(0, base - 6, words("chart.balance.out", n=len(out)), "tb")
    drawing.line(LEFT - 8, base, WIDTH, base, "ln2")
    if len(out) > MOST_DOTS:
        columns(drawing, axis, base, out, words, COLUMN - 6)
    else:
        for event in out:
            drawing.disc(axis.x(event.at), base, 5, "fred", words.moment(event.at, seconds=True))
    events = sorted([*moved, *out], key=lambda event: event.at)
    return Chart(
        words("chart.balance.title"),
        words("chart.balance.note"),
        drawing.svg(),
        (("square", words("chart.balance.in")), ("use", words("chart.balance.gone"))),
        _head(words),
        tuple(_cells(event, words) for event in events),
    )


def _shelf(out: Sequence[Evidence], moved: Sequence[Evidence], figures: Sequence[Figure]) -> Shelf | None:
    told = {figure.name: figure for figure in figures}
    short, counted = told.get("packs_short"), told.get("packs_counted")
    counts = [event.at for event in moved if event.facts.get("inv_type") == "count"]
    if not out or not counts or short is None or counted is None:
        return None
    if isinstance(short.observed, str) or isinstance(counted.observed, str):
        return None
    began = min(counts)
    return Shelf(
        counted_at=began,
        counted=float(counted.observed),
        came=[(e.at, packs) for e in moved if e.at <= out[-1].at and (packs := _packs(e))],
        first=max(out[0].at, began),
        last=max(out[-1].at, began),
        short=float(short.observed),
        limit=float(short.threshold) if isinstance(short.threshold, int | float) else None,
    )


def _packs(event: Evidence) -> float:
    """On to the shelf; of a count nothing: the one that it begins with is told by a figure."""
    kind, count = event.facts.get("inv_type"), float(event.facts.get("cnt") or 0)
    if kind == "purchase_return":
        return -count
    return 0.0 if kind == "count" else count


def _draw(drawing: Drawing, axis: Axis, shelf: Shelf, words: Words) -> None:
    line = shelf.line()
    top = max(packs for _, packs in line) or 1
    low = min(-shelf.short, -(shelf.limit or 0)) * 1.15

    def y(packs: float) -> float:
        return TOP + HEAD + (HIGH - HEAD) * (top - packs) / (top - low)

    drawing.box(LEFT - 8, y(0), RIGHT - LEFT + 8, TOP + HIGH - y(0), "fs")
    for tick, said in labelled(axis.ticks(6), words):
        drawing.line(axis.x(tick), TOP - 10, axis.x(tick), TOP + HIGH + STRIP, "ln")
        drawing.text(axis.x(tick), TOP - 20, said, "t3 t11 c")
    drawing.line(LEFT - 8, y(0), RIGHT, y(0), "lnk")
    drawing.text(LEFT - 12, y(0) + 4, words("chart.balance.zero"), "t1 t11 e")
    if shelf.limit:
        drawing.line(LEFT - 8, y(-shelf.limit), RIGHT, y(-shelf.limit), "kred w2")
        said = words("chart.balance.limit", packs=words.quantity(shelf.limit, "packs"))
        drawing.text(LEFT - 4, y(-shelf.limit) + 13, said, "tred t11")
    for (at, packs), (then, later) in pairwise(line):
        css = "lni w2" if at == then and packs < later else "lni dash w2"
        drawing.line(axis.x(at), y(packs), axis.x(then), y(later), css)
    _counted(drawing, axis.x(shelf.counted_at), y(shelf.counted), shelf.counted, words)
    x = axis.x(shelf.last)
    drawing.disc(x, y(-shelf.short), 5, "fred")
    drawing.text(x - 9, y(-shelf.short) + 13, words("chart.balance.short", n=f"{shelf.short:g}"), "tred e")
    after = dict(line)
    taken = [axis.x(shelf.counted_at) + NEAR]
    for at, packs in shelf.came:
        x = axis.x(at)
        drawing.box(x - 4, y(after[at]) - 4, 8, 8, "fi")
        if all(abs(x - other) >= NEAR for other in taken):
            drawing.text(x, y(after[at]) + (-8 if packs > 0 else 16), f"{packs:+g}", "t1 t11 c")
            taken.append(x)


def _counted(drawing: Drawing, x: float, y: float, packs: float, words: Words) -> None:
    drawing.box(x - 5, y - 5, 10, 10, "fi")
    drawing.text(x + 9, y - 6, words("chart.balance.counted", n=f"{packs:g}"), "t1 t11")


def _head(words: Words) -> tuple[str, ...]:
    keys = ("lead.rows.time", "lead.rows.kind", "fact.inv_type", "fact.cnt", "lead.rows.person", "lead.rows.total")
    return tuple(map(words, keys))


def _cells(event: Evidence, words: Words) -> tuple[str, ...]:
    kind = event.facts.get("inv_type", "")
    return (
        words.moment(event.at, seconds=True),
        facts.kind(event, words),
        facts.fact("inv_type", kind, words) if kind else "",
        event.facts.get("cnt", ""),
        words.tail(event.person) if event.person else "",
        words.yuan(event.total_fen) if event.total_fen else "",
    )
