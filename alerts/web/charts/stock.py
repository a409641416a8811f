"""Days of a drug in hand: what was bought while so much was left, and how long it would last."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from alerts.web.charts import facts
from alerts.web.charts.drawing import Axis, Chart, Drawing
from alerts.web.charts.lanes import Lanes, chart_of
from alerts.web.wording import Words
from detectors.finding import Evidence, Figure

LEFT, RIGHT = 118, 694  # of time
GAUGE, GAUGE_TO = 744, 784  # of the gravest purchase
TOP, HIGH = 30, 150
LANE = 30
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Hand:
    """What the gravest purchase found and made of it, in days. ``least``: in hand, from which it counts."""

    before: float
    after: float
    least: float | None
    cap: float | None
    single: bool  # of the purchases shown only the last one was too soon: then it is that one

    def y(self, days: float) -> float:
        full = max(self.after, self.cap or 0) * 1.12 or 1
        return TOP + HIGH - HIGH * min(days, full) / full


def stock(shown: Sequence[Evidence], also: Sequence[Evidence], figures: Sequence[Figure], words: Words) -> Chart | None:
    """None where the figures do not tell what was in hand, or nothing was bought."""
    bought = sorted((e for e in shown if e.event_type in ("setl", "sale", "fee")), key=lambda event: event.at)
    hand = _hand(figures)
    if hand is None or not bought:
        return None
    orgs = list(dict.fromkeys(event.org for event in bought))
    until = bought[-1].at + min(DAY * hand.after, max((bought[-1].at - bought[0].at) / 2, 14 * DAY))
    axis = Axis.of([bought[0].at, until], LEFT, RIGHT, 0.02)
    lanes = Lanes(bought, axis, orgs[:8], TOP + (HIGH + 34 if hand.single else 0), LANE)
    height = max(lanes.bottom, TOP + HIGH + 4) + 4
    drawing = Drawing(height, words("chart.stock.label", n=len(bought), orgs=len(orgs)))
    if hand.single:
        _caps(drawing, hand, words)
    _frame(drawing, lanes, TOP + HIGH + 16 if hand.single else 14, words)
    if hand.single:
        _tooth(drawing, axis, [event.at for event in bought], hand, words)
    _gauge(drawing, hand, words)
    for event in bought:
        if event.org in lanes.orgs:
            title = f"{words.moment(event.at, seconds=True)} {facts.kind(event, words)}"
            drawing.disc(axis.x(event.at), lanes.y(event.org), 5, "fred" if event is bought[-1] else "fi", title)
    note = words("chart.stock.note") if hand.single else words("chart.stock.many")
    return chart_of("stock", words, drawing, sorted([*bought, *also], key=lambda event: event.at), note)


def _hand(figures: Sequence[Figure]) -> Hand | None:
    told = {figure.name: figure for figure in figures}
    before, after = (_number(told.get(name)) for name in ("days_in_hand", "days_after_purchase"))
    if before is None or after is None:
        return None
    least, cap = (told[name].threshold for name in ("days_in_hand", "days_after_purchase"))
    return Hand(
        before,
        after,
        float(least) if isinstance(least, int | float) else None,
        float(cap) if isinstance(cap, int | float) else None,
        _number(told.get("purchases_too_soon")) == 1,
    )


def _number(figure: Figure | None) -> float | None:
    return None if figure is None or isinstance(figure.observed, str) else float(figure.observed)


def _caps(drawing: Drawing, hand: Hand, words: Words) -> None:
    bottom = TOP + HIGH
    drawing.box(LEFT - 8, TOP - 8, RIGHT - LEFT + 8, HIGH + 8, "fs")
    if hand.cap is not None:
        drawing.line(LEFT - 8, hand.y(hand.cap), RIGHT, hand.y(hand.cap), "kred w2")
        drawing.text(LEFT - 12, hand.y(hand.cap) + 4, words("chart.stock.cap", n=_days(hand.cap)), "tred t11 e")
    if hand.least is not None and (hand.cap is None or abs(hand.y(hand.least) - hand.y(hand.cap)) > 14):
        drawing.line(LEFT - 8, hand.y(hand.least), RIGHT, hand.y(hand.least), "ln2 dash")
        drawing.text(LEFT - 12, hand.y(hand.least) + 4, words("chart.stock.least", n=_days(hand.least)), "t3 t11 e")
    drawing.line(LEFT - 8, bottom, RIGHT, bottom, "lnk")


def _frame(drawing: Drawing, lanes: Lanes, y: float, words: Words) -> None:
    """Institutions, and the days; these at ``y``."""
    for tick in lanes.axis.ticks(6):
        x = lanes.axis.x(tick)
        drawing.line(x, TOP - 8, x, lanes.bottom, "ln")
        drawing.text(x, y, words.day(tick), "t3 t11 c")
    for org in lanes.orgs:
        drawing.text(0, lanes.y(org) + 4, words.org(org), "tb")
        drawing.line(LEFT - 8, lanes.y(org), RIGHT, lanes.y(org), "ln2")


def _tooth(drawing: Drawing, axis: Axis, moments: Sequence[datetime], hand: Hand, words: Words) -> None:
    """From the last purchase but one on all is known: a day a day is taken, and then the last purchase is added."""
    last = moments[-1]
    x, low, high = axis.x(last), hand.y(hand.before), hand.y(hand.after)
    way = f"M{x:.1f} {low:.1f}V{high:.1f}"
    if len(moments) > 1:
        before = moments[-2]
        left, y = axis.x(before), hand.y(hand.before + (last - before) / DAY)
        way = f"M{left:.1f} {y:.1f}L{x:.1f} {low:.1f}V{high:.1f}"
        if len(moments) == 2:
            way = f"M{left:.1f} {TOP + HIGH}V{y:.1f}L{x:.1f} {low:.1f}V{high:.1f}"
        else:
            drawing.line(axis.x(moments[0]), TOP + HIGH, left, y, "ln2 dash")
    gone = last + DAY * hand.after
    end = min(gone, axis.until)
    drawing.path(f"{way}L{axis.x(end):.1f} {hand.y((gone - end) / DAY):.1f}", "lni w2")
    drawing.disc(x, high, 4, "fred")
    drawing.text(min(x + 8, RIGHT - 96), high - 5, words("chart.stock.lasts", day=words.day(gone)), "t1 t11")


def _gauge(drawing: Drawing, hand: Hand, words: Words) -> None:
    """What was in hand, and what was added to it."""
    bottom, low, high = TOP + HIGH, hand.y(hand.before), hand.y(hand.after)
    drawing.text((GAUGE + GAUGE_TO) / 2, 14, words("chart.stock.gravest"), "t3 t11 c")
    drawing.box(GAUGE, low, GAUGE_TO - GAUGE, bottom - low, "fi")
    drawing.box(GAUGE, high, GAUGE_TO - GAUGE, low - high, "fred")
    if hand.cap is not None:
        drawing.line(GAUGE - 8, hand.y(hand.cap), GAUGE_TO + 8, hand.y(hand.cap), "kred w2")
    drawing.text(GAUGE_TO + 6, high + 4, words("chart.stock.days", n=_days(hand.after)), "tred t11")
    drawing.text(GAUGE_TO + 6, max(low, high + 14) + 4, words("chart.stock.days", n=_days(hand.before)), "t1 t11")
    drawing.line(GAUGE - 8, bottom, GAUGE_TO + 8, bottom, "lnk")


def _days(days: float) -> str:
    return f"{days:g}"
