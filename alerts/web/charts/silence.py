"""A feed that is silent, and the work that went on meanwhile."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from alerts.web.charts.drawing import WIDTH, Axis, Chart, Drawing
from alerts.web.charts.lanes import chart_of, labelled
from alerts.web.wording import CHINA, Words
from detectors.finding import Evidence, Figure

LEFT, RIGHT = 118, 838
TOP = 36
BAR = 24
ROW = 17
HIGH = 46
MOST_PATIENTS = 12
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SHARES = (HOUR, 3 * HOUR, 6 * HOUR, DAY)  # of the time that one column counts
MOST_COLUMNS = 90


def silence(
    events: Sequence[Evidence], figures: Sequence[Figure], period: tuple[datetime, datetime | None], words: Words
) -> Chart | None:
    """None where no figure tells how long it was. period: of the silence."""
    told = {figure.name: figure for figure in figures}
    lasted = told.get("hours_silent")
    if lasted is None or isinstance(lasted.observed, str):
        return None
    since = period[0]
    to = period[1] or since + HOUR * lasted.observed
    work = [event for event in events if event.at <= to]
    bills = [event for event in work if event.event_type == "setl"]
    patients = [event for event in work if event.event_type == "adm"]
    axis = Axis.of([since - DAY, to, *(bill.at for bill in bills)], LEFT, RIGHT, 0.03)
    height = TOP + BAR + 30 + (HIGH + 12 if bills else ROW * min(len(patients), MOST_PATIENTS) + 8)
    drawing = Drawing(height, words("chart.silence.label", n=round((to - since) / HOUR)))
    _ticks(drawing, axis, height, words)
    _span(drawing, axis, since, to, lasted, ends=period[1] is not None, words=words)
    if bills:
        _bills(drawing, axis, bills, words)
    else:
        _patients(drawing, axis, patients, since, words)
    note = words("chart.silence.bills") if bills else words("chart.silence.patients")
    return chart_of("silence", words, drawing, sorted(work, key=lambda event: event.at), note)


def _ticks(drawing: Drawing, axis: Axis, bottom: float, words: Words) -> None:
    for tick, said in labelled(axis.ticks(), words):
        drawing.line(axis.x(tick), TOP - 12, axis.x(tick), bottom, "ln")
        drawing.text(axis.x(tick), TOP - 18, said, "t3 t11 c")


def _span(
    drawing: Drawing, axis: Axis, since: datetime, to: datetime, lasted: Figure, *, ends: bool, words: Words
) -> None:
    x1, x2, y = axis.x(since), axis.x(to), TOP + BAR / 2
    drawing.text(0, y + 4, words("chart.silence.feed"), "tb")
    drawing.line(LEFT, y, x1, y, "lni w2")
    drawing.box(x1, y - 8, x2 - x1, 16, "away")
    x = x1 + 5
    while x < x2 - 3:
        drawing.line(x, y + 7, x + 5, y - 7, "ln2")
        x += 9
    if ends:
        drawing.line(x2, y, RIGHT, y, "lni w2")
    if isinstance(lasted.threshold, int | float):
        limit = axis.x(since + HOUR * lasted.threshold)
        drawing.line(limit, y - 12, limit, y + 16, "kred w2")
        said = words("chart.silence.limit", hours=words.quantity(lasted.threshold, "h"))
        drawing.text(limit + 5, y + 22, said, "tred t11")


def _bills(drawing: Drawing, axis: Axis, bills: Sequence[Evidence], words: Words) -> None:
    base = TOP + BAR + 30 + HIGH
    share = next((s for s in SHARES if (axis.until - axis.since) / s <= MOST_COLUMNS), SHARES[-1])
    counted = Counter(_begin(bill.at, share) for bill in bills)
    highest = max(counted.values())
    drawing.text(0, base - HIGH / 2, words("chart.silence.settled", n=len(bills)), "tb")
    drawing.line(LEFT - 8, base, WIDTH, base, "ln2")
    width = max(2.0, (axis.right - axis.left) * share / (axis.until - axis.since) - 1)
    for begin, n in counted.items():
        drawing.box(axis.x(begin), base - HIGH * n / highest, width, HIGH * n / highest, "fred")


def _begin(at: datetime, share: timedelta) -> datetime:
    """Of the piece of the day in +08:00 that it lies in."""
    local = at.astimezone(CHINA)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + share * ((local - midnight) // share)


def _patients(drawing: Drawing, axis: Axis, patients: Sequence[Evidence], since: datetime, words: Words) -> None:
    """Each from admission, or from the left edge, to the day of the silence that is known of everybody here."""
    y = TOP + BAR + 34.0
    for patient in sorted(patients, key=lambda event: event.at)[:MOST_PATIENTS]:
        begin = max(axis.since, patient.at)
        end = max(since, patient.at) + DAY
        drawing.text(0, y + 4, words.tail(patient.person), "t1 t11")
        drawing.box(axis.x(begin), y - 3, axis.x(end) - axis.x(begin), 6, "fred")
        y += ROW
