"""Lanes, one institution each, along one time: two places, the way of a box, or simply what happened."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from alerts.web.charts import facts
from alerts.web.charts.drawing import WIDTH, Axis, Chart, Drawing, wide
from alerts.web.wording import Words
from detectors.finding import Evidence, Figure

LEFT, RIGHT = 168, 838
LANE = 50
TOUR_LANE = 62  # with words at each record, and on the way between
SALE_LANE = 66  # with two lines of words at each sale
TOP = 34
MOST_LANES = 12
APART = timedelta(hours=6)  # uses further apart than this are another journey


@dataclass(frozen=True, slots=True)
class Lanes:
    """What is drawn: events on lanes by institution, some of them joined."""

    events: Sequence[Evidence]
    axis: Axis
    orgs: list[str]
    top: float
    lane: float = LANE

    @classmethod
    def of(cls, events: Sequence[Evidence], top: float = TOP, lane: float = LANE) -> "Lanes":
        orgs = list(dict.fromkeys(event.org for event in events))[:MOST_LANES]
        return cls(
            [e for e in events if e.org in orgs], Axis.of([e.at for e in events], LEFT, RIGHT, 0.06), orgs, top, lane
        )

    @property
    def bottom(self) -> float:
        return self.top + self.lane * len(self.orgs)

    def y(self, org: str) -> float:
        return self.top + self.lane * (self.orgs.index(org) + 0.5)

    def frame(self, drawing: Drawing, words: Words) -> None:
        """Time above, institutions at the left."""
        for tick, said in labelled(self.axis.ticks(), words):
            x = self.axis.x(tick)
            drawing.line(x, self.top - 8, x, self.bottom, "ln")
            drawing.text(x, self.top - 14, said, "t3 t11 c")
        for org in self.orgs:
            drawing.text(0, self.y(org) + 4, words.org(org), "tb")
            drawing.line(LEFT - 8, self.y(org), WIDTH, self.y(org), "ln2")

    def link(self, drawing: Drawing, one: Evidence, other: Evidence, said: str, css: str = "kred dash w2") -> None:
        """A line from one event to another, with words at its middle."""
        x1, y1, x2, y2 = self.axis.x(one.at), self.y(one.org), self.axis.x(other.at), self.y(other.org)
        drawing.line(x1, y1, x2, y2, css)
        if not said:
            return
        x, y = (x1 + x2) / 2, (y1 + y2) / 2
        room = wide(said) + 10
        x = min(max(x, LEFT + room / 2), RIGHT - room / 2)
        drawing.box(x - room / 2, y - 9, room, 18, "fp")
        drawing.text(x, y + 4, said, "tred c" if "kred" in css else "t1 c")


def labelled(ticks: Sequence[datetime], words: Words) -> Iterator[tuple[datetime, str]]:
    """Each with its words: a midnight is the day that begins."""
    for tick in ticks:
        clock = words.clock(tick, seconds=tick.second > 0)
        yield tick, words.day(tick) if clock == "00:00" else clock


def places(
    shown: Sequence[Evidence], also: Sequence[Evidence], figures: Sequence[Figure], words: Words
) -> Chart | None:
    """One credential at places too far apart. None if only one institution is among the events."""
    uses = _uses(shown) or _uses([*shown, *also])
    return _tour("places", uses, _worst(figures, words), "kred dash w2", words)


def burst(shown: Sequence[Evidence], words: Words) -> Chart | None:
    """One credential at many institutions within a short time. None if only one is among the events."""
    return _tour("burst", _uses(shown), "", "lnk dash", words)


def _tour(name: str, uses: Sequence[Evidence], note: str, css: str, words: Words) -> Chart | None:
    journeys = [journey for journey in _journeys(uses) if len({event.org for event in journey}) > 1][:3]
    if not journeys:
        return None
    height, drawn = 4.0, []
    for journey in journeys:
        lanes = Lanes.of(journey, height + TOP + 14, TOUR_LANE)
        drawn.append(lanes)
        height = lanes.bottom + 16
    drawing = Drawing(height, words(f"chart.{name}.label", n=len({event.org for event in uses})))
    for lanes in drawn:
        lanes.frame(drawing, words)
        drawing.text(0, lanes.top - 32, words.day(lanes.events[0].at), "t3")
        for one, other in pairwise(lanes.events):
            if one.org != other.org:
                lanes.link(drawing, one, other, words("chart.places.gap", gap=words.long(other.at - one.at)), css)
        for event in lanes.events:
            dot(drawing, lanes, event, "fred", words, beside=True)
    return chart_of(name, words, drawing, uses, note or words(f"chart.{name}.note"))


def chain(shown: Sequence[Evidence], also: Sequence[Evidence], words: Words) -> Chart | None:
    """The way of a box. None without a sale."""
    events = sorted([*shown, *also], key=lambda event: event.at)
    sales = _once([event for event in shown if event.event_type in ("setl", "sale", "fee")])
    if not sales:
        return None
    moved = [event for event in events if event.event_type == "inv"]
    lanes = Lanes.of(sorted([*moved, *sales], key=lambda event: event.at), TOP + 12, SALE_LANE)
    drawing = Drawing(lanes.bottom + 20, words("chart.chain.label", n=len(lanes.orgs)))
    lanes.frame(drawing, words)
    for one, other in pairwise([event for event in sales if event.org in lanes.orgs]):
        lanes.link(drawing, one, other, words("chart.chain.gap", gap=words.long(other.at - one.at)))
    for event in moved:
        if event.org in lanes.orgs:
            drawing.box(lanes.axis.x(event.at) - 5, lanes.y(event.org) - 5, 10, 10, "fi")
    for n, sale in enumerate(sales, 1):
        if sale.org in lanes.orgs:
            _sold(drawing, lanes, sale, n, words)
    return chart_of("chain", words, drawing, events, words("chart.chain.note"))


def line(shown: Sequence[Evidence], also: Sequence[Evidence], words: Words) -> Chart | None:
    """What happened, for every lead that has no picture of its own. None without events."""
    events = sorted([*shown, *also], key=lambda event: event.at)
    if not events:
        return None
    lanes = Lanes.of(events)
    drawing = Drawing(lanes.bottom + 6, words("chart.line.label", n=len(events)))
    lanes.frame(drawing, words)
    ids = {event.event_id for event in shown}
    for event in lanes.events:
        dot(drawing, lanes, event, "fred" if event.event_id in ids else "f3", words)
    return chart_of("line", words, drawing, events, words("chart.line.note"))


def _uses(events: Sequence[Evidence]) -> list[Evidence]:
    return sorted((e for e in events if e.event_type in ("swipe", "setl")), key=lambda event: event.at)


def _journeys(events: Sequence[Evidence]) -> list[list[Evidence]]:
    """Uses that follow one another within hours; the busiest first."""
    journeys: list[list[Evidence]] = []
    for event in events:
        if journeys and event.at - journeys[-1][-1].at <= APART:
            journeys[-1].append(event)
        else:
            journeys.append([event])
    return sorted(journeys, key=lambda journey: -len({event.org for event in journey}))


def _worst(figures: Sequence[Figure], words: Words) -> str:
    named = {figure.name: figure for figure in figures}
    distance, speed = named.get("distance"), named.get("speed")
    if distance is None or speed is None or speed.threshold is None:
        return ""
    return words(
        "chart.places.worst",
        distance=words.quantity(distance.observed, distance.unit),
        speed=words.quantity(speed.observed, "km"),
        limit=words.quantity(speed.threshold, "km"),
    )


def dot(drawing: Drawing, lanes: Lanes, event: Evidence, css: str, words: Words, *, beside: bool = False) -> None:
    """A record on its lane, with its time where there is room; ``beside``: to its right, off a way from the left."""
    x, y = lanes.axis.x(event.at), lanes.y(event.org)
    drawing.disc(x, y, 5, css, f"{words.moment(event.at, seconds=True)} {facts.kind(event, words)}")
    crowded = any(
        other is not event and other.org == event.org and abs(lanes.axis.x(other.at) - x) < 64 for other in lanes.events
    )
    first = next(other for other in lanes.events if other.org == event.org)
    if not crowded or event is first:
        said = f"{words.clock(event.at)} {facts.kind(event, words)}"
        drawing.text(x + 2 if beside else x, y - 9, said, "t1 t11" if beside else "t1 t11 c")


def _sold(drawing: Drawing, lanes: Lanes, sale: Evidence, n: int, words: Words) -> None:
    css = "fi" if n == 1 else "fred"
    x, y = lanes.axis.x(sale.at), lanes.y(sale.org)
    drawing.disc(x, y, 5.5, css, words.moment(sale.at, seconds=True))
    said = f"{words.moment(sale.at)} {words('chart.chain.nth', n=n)}"
    who = words.tail(sale.person) if sale.person else ""
    amount = words.yuan(sale.total_fen) if sale.total_fen else ""
    # the way comes from the upper left and goes on to the lower right: words stand at the upper right, else below
    at, end = (y - 22, "") if x + wide(said) < WIDTH else (y + 18, " e")
    drawing.text(x, at, said, f"{'t1' if n == 1 else 'tred'} t11{end}")
    drawing.text(x, at + 14, f"{who}  {amount}".strip(), f"t3 t11{end}")


def _once(sales: Sequence[Evidence]) -> list[Evidence]:
    """One of each dispensing: a bill, its charges and its sale are told three times."""
    by: Callable[[Evidence], tuple[str, str]] = lambda e: (e.org, e.facts.get("setl_id") or e.event_id)  # noqa: E731
    rank = {"setl": 0, "sale": 1, "fee": 2}
    best: dict[tuple[str, str], Evidence] = {}
    for sale in sorted(sales, key=lambda event: rank[event.event_type]):
        best.setdefault(by(sale), sale)
    return sorted(best.values(), key=lambda event: event.at)


def chart_of(name: str, words: Words, drawing: Drawing, events: Sequence[Evidence], note: str) -> Chart:
    """The picture, and its records as a table."""
    head = ("lead.rows.time", "lead.rows.kind", "lead.rows.org", "lead.rows.person", "lead.rows.total")
    return Chart(
        words(f"chart.{name}.title"),
        note,
        drawing.svg(),
        (),
        tuple(map(words, head)),
        tuple(
            (
                words.moment(event.at, seconds=True),
                facts.kind(event, words),
                words.org(event.org),
                words.tail(event.person) if event.person else "",
                words.yuan(event.total_fen) if event.total_fen else "",
            )
            for event in events
        ),
    )
