"""From a day on it was not allowed any more: the day, and what was used or settled all the same."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta

from alerts.web.charts.drawing import Axis, Chart, Drawing
from alerts.web.charts.lanes import LEFT, RIGHT, Lanes, chart_of, dot
from alerts.web.wording import CHINA, Words
from detectors.finding import Evidence, Figure

TOP = 54
SINCE = ("status_since", "contract_ended")  # figures that tell the day
KNOWN = "status_known"  # the figure that tells when the bureau learnt of it
EARLIER = timedelta(days=30)  # that much of the time before the first use is shown
MOST_DOTS = 12  # on one lane; more of them are counted day by day
HIGH = 30  # pixels of the highest column
WIDEST = 18


def status(
    shown: Sequence[Evidence], also: Sequence[Evidence], figures: Sequence[Figure], words: Words
) -> Chart | None:
    """None where no figure tells the day, or nothing happened."""
    events = sorted([*shown, *also], key=lambda event: event.at)
    since = next((day for f in figures if f.name in SINCE and (day := moment(f.observed))), None)
    if since is None or not events:
        return None
    known = next((at for f in figures if f.name == KNOWN and (at := moment(f.observed))), None)
    lanes = _lanes(events, since)
    drawing = Drawing(lanes.bottom + 6, words("chart.status.label", n=len(events), day=words.day(since)))
    x = lanes.axis.x(since)
    drawing.box(x, lanes.top - 8, RIGHT - x, lanes.bottom - lanes.top + 8, "fs")
    lanes.frame(drawing, words)
    _bars(drawing, lanes, since, known, words)
    ids = {event.event_id for event in shown}
    for org in lanes.orgs:
        mine = [event for event in lanes.events if event.org == org]
        if len(mine) > MOST_DOTS:
            columns(drawing, lanes.axis, lanes.y(org) + HIGH / 2, [e for e in mine if e.event_id in ids], words)
            continue
        for event in mine:
            dot(drawing, lanes, event, "fred" if event.event_id in ids else "f3", words)
    return chart_of("status", words, drawing, events, words("chart.status.note"))


def moment(told: object) -> datetime | None:
    """ "2024-03-11" or "2024-03-11 12:16", in +08:00."""
    try:
        return datetime.fromisoformat(str(told)).replace(tzinfo=CHINA)
    except ValueError:
        return None


def columns(
    drawing: Drawing, axis: Axis, base: float, events: Sequence[Evidence], words: Words, high: float = HIGH
) -> None:
    """So many a day; the most of a day in words."""
    by_day = Counter(_day(event.at) for event in events)
    highest = max(by_day.values(), default=1)
    width = max(2.0, min(WIDEST, (axis.right - axis.left) * timedelta(days=1) / (axis.until - axis.since) - 1))
    for day, n in sorted(by_day.items()):
        x = axis.x(datetime.combine(day, time(12), CHINA))
        drawing.box(x - width / 2, base - high * n / highest, width, high * n / highest, "fred")
    if by_day:
        day, n = max(by_day.items(), key=lambda item: (item[1], item[0]))
        x = axis.x(datetime.combine(day, time(12), CHINA))
        drawing.text(x, base - high - 4, words("chart.columns.most", n=n), "tred t11 c")


def _lanes(events: Sequence[Evidence], since: datetime) -> Lanes:
    """A status of long ago would press all that followed into a corner: then its last days are shown."""
    first, last = events[0].at, events[-1].at
    begin = max(since, first - max(EARLIER, (last - first) / 2))
    axis = Axis.of([begin, first, last], LEFT, RIGHT, 0.06)
    lanes = Lanes.of(events, TOP)
    return Lanes(lanes.events, axis, lanes.orgs, TOP)


def _bars(drawing: Drawing, lanes: Lanes, since: datetime, known: datetime | None, words: Words) -> None:
    axis, top = lanes.axis, lanes.top - 22
    x = axis.x(since)
    if since >= axis.since:
        drawing.line(x, lanes.top - 8, x, lanes.bottom, "kred w2")
        drawing.text(x, top - 16, words("chart.status.since", day=words.day(since)), "tred c")
    else:
        drawing.text(LEFT, top - 16, words("chart.status.long_since", day=words.day(since)), "tred")
    if known and axis.since <= known <= axis.until:
        drawing.line(axis.x(known), lanes.top - 8, axis.x(known), lanes.bottom, "lni dash")
        drawing.text(axis.x(known) + 5, lanes.bottom - 4, words("chart.status.known", at=words.moment(known)), "t1 t11")


def _day(at: datetime) -> date:
    return at.astimezone(CHINA).date()
