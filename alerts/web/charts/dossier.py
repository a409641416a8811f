"""The pictures of a subject: its leads and what came of them, its points, and when it usually settles."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from math import sqrt

from alerts.casework import Taken
from alerts.deadlines import CHINA
from alerts.life import MOST_POINTS, State
from alerts.outcomes import CONFIRMED
from alerts.subjects import Case
from alerts.web.charts.drawing import Axis, Chart, Drawing, wide
from alerts.web.wording import Words

SIDE = 640  # pixels: two pictures beside each other
ROW = 24
MOST_KINDS = 12
DAYS, USUAL_DAYS = 28, 90
AGAINST = frozenset({State.UNFOUNDED.value, State.DISMISSED.value})


def past(cases: Sequence[Case], words: Words) -> Chart | None:
    """A row for each kind, a mark for each lead: black confirmed, a cross unfounded, a ring undecided."""
    if not cases:
        return None
    counted = Counter(case.row.detector for case in cases)
    kinds = [name for name, _ in counted.most_common(MOST_KINDS)]
    names = [words.known("detector", kind) for kind in kinds]
    left = max(map(wide, names)) + 20
    drawing = Drawing(ROW * len(kinds) + 28, words("dossier.past.label", n=len(cases)), SIDE)
    axis = Axis.of([case.row.last_seen for case in cases], left, SIDE - 40)
    foot = ROW * len(kinds) + 2
    for tick in axis.ticks(5):
        drawing.line(axis.x(tick), 0, axis.x(tick), foot, "ln")
        midnight = tick.astimezone(CHINA).time() == time()
        drawing.text(axis.x(tick), foot + 18, words.day(tick) if midnight else words.clock(tick), "t3 t11 c")
    for i, (kind, name) in enumerate(zip(kinds, names, strict=True)):
        y = ROW * i + ROW / 2
        drawing.text(0, y + 4, name, "t1")
        drawing.text(SIDE, y + 4, str(counted[kind]), "tb e")
        for case in cases:
            if case.row.detector == kind:
                _mark(drawing, axis.x(case.row.last_seen), y, case, words)
    legend = (
        ("bill", words("dossier.confirmed")),
        ("cross", words("dossier.unfounded")),
        ("ring", words("dossier.open")),
    )
    rows = tuple((words.known("detector", name), str(number)) for name, number in counted.most_common())
    head = (words("overview.kind"), words("overview.number"))
    return Chart(words("dossier.past"), "", drawing.svg(), legend, head, rows)


def _mark(drawing: Drawing, x: float, y: float, case: Case, words: Words) -> None:
    title = f"{words.day(case.row.last_seen)} {words(f'work.state.{case.work.state}')}"
    if case.work.outcome in CONFIRMED:
        drawing.disc(x, y, 5, "fi", title)
    elif case.work.outcome in AGAINST:
        drawing.cross(x, y, "k3", title)
    else:
        drawing.disc(x, y, 4.5, "fp k3", title)


def points(taken: Sequence[Taken], words: Words) -> Chart | None:
    """This year's points as a stair, from the first of January to the last of December. None without any."""
    year = words.now.astimezone(CHINA).year
    steps = sorted((one for one in taken if one.points and one.taken_at.astimezone(CHINA).year == year), key=_when)
    if not steps:
        return None
    full = max(MOST_POINTS, sum(one.points for one in steps))
    drawing = Drawing(150, words("dossier.points.label", n=sum(one.points for one in steps)), SIDE)
    first = datetime(year, 1, 1, tzinfo=CHINA)
    axis = Axis(first, datetime(year + 1, 1, 1, tzinfo=CHINA), 0, SIDE - 110)
    top, ground = 16, 124

    def height(of: int) -> float:
        return ground - (ground - top) * of / full

    drawing.line(0, height(MOST_POINTS), SIDE - 110, height(MOST_POINTS), "kred")
    drawing.text(SIDE - 104, height(MOST_POINTS) + 4, words("dossier.points.full", n=MOST_POINTS), "tred")
    drawing.line(0, ground, SIDE - 110, ground, "ln2")
    way, sum_of, x = f"M0 {ground}", 0, 0.0
    for one in steps:
        x, sum_of = axis.x(one.taken_at), sum_of + one.points
        way += f"H{x:.1f}V{height(sum_of):.1f}"
    drawing.path(f"{way}H{axis.x(words.now):.1f}", "lni w2")
    drawing.disc(axis.x(words.now), height(sum_of), 4.5, "fi")
    drawing.text(axis.x(words.now) + 10, height(sum_of) + 4, words("work.points", n=sum_of), "tb")
    drawing.text(0, ground + 18, words.day(first), "t3 t11")
    drawing.text(SIDE - 110, ground + 18, words("dossier.points.ends"), "t3 t11 e")
    head = (words("dossier.day"), words("dossier.points.head"), words("dossier.points.for"))
    rows = tuple((words.day(one.taken_at), str(one.points), one.document or one.alert_id[:8]) for one in steps)
    return Chart(words("dossier.points"), "", drawing.svg(), (), head, rows)


def _when(one: Taken) -> datetime:
    return one.taken_at


def usual(moments: Sequence[datetime], now: datetime, words: Words) -> Chart | None:
    """Settlements by weekday and hour over 90 days: the area of a square is their number. None without any."""
    since = now - timedelta(days=USUAL_DAYS)
    hours = Counter((at.weekday(), at.hour) for at in (one.astimezone(CHINA) for one in moments) if at >= since)
    if not hours:
        return None
    drawing = Drawing(7 * ROW + 26, words("dossier.usual.label", n=sum(hours.values())), SIDE)
    most, left = max(hours.values()), 52
    step = (SIDE - left) / 24
    days = [words.weekday(datetime(2024, 1, 1 + i, 12, tzinfo=CHINA)) for i in range(7)]  # that day was a Monday
    for day, name in enumerate(days):
        y = ROW * day + ROW / 2
        drawing.text(0, y + 4, name, "t1")
        for hour in range(24):
            x, number = left + step * (hour + 0.5), hours[day, hour]
            side = max(3.0, (ROW - 3) * sqrt(number / most)) if number else 1.2
            drawing.box(x - side / 2, y - side / 2, side, side, "f3" if number else "fl2")
    for hour in (0, 6, 12, 18, 23):
        drawing.text(left + step * (hour + 0.5), 7 * ROW + 18, words("dossier.hour", n=hour), "t3 t11 c")
    head = (words("dossier.weekday"), *map(str, range(24)))
    rows = tuple((name, *(str(hours[day, hour]) for hour in range(24))) for day, name in enumerate(days))
    return Chart(words("dossier.usual"), "", drawing.svg(), (), head, rows)


def daily(moments: Sequence[datetime], named: Mapping[date, int], now: datetime, words: Words) -> Chart | None:
    """Settlements on each of the last 28 days; black are the days that leads rest on. None without any."""
    last = now.astimezone(CHINA).date()
    days = [last - timedelta(days=i) for i in range(DAYS - 1, -1, -1)]
    counted = Counter(one.astimezone(CHINA).date() for one in moments)
    most = max(counted[day] for day in days)
    if not most:
        return None
    drawing = Drawing(160, words("dossier.daily.label", n=sum(counted[day] for day in days)), SIDE)
    step, ground = SIDE / DAYS, 132
    for i, day in enumerate(days):
        tall = 100 * counted[day] / most
        css = "fi" if named.get(day) else "fl2"
        if counted[day]:
            drawing.box(step * i + 3, ground - tall, step - 6, tall, css)
        if named.get(day) or i in (0, DAYS - 1):
            drawing.text(step * (i + 0.5), ground + 18, f"{day.month}/{day.day}", "t3 t11 c")
    drawing.line(0, ground, SIDE, ground, "ln2")
    drawing.text(SIDE, 14, words("dossier.daily.most", n=f"{most:,}"), "t3 e")
    head = (words("dossier.day"), words("dossier.settled"), words("overview.number"))
    rows = tuple((_day(day, words), str(counted[day]), str(named.get(day, 0))) for day in days)
    return Chart(words("dossier.daily"), "", drawing.svg(), (), head, rows)


def _day(day: date, words: Words) -> str:
    return words.day(datetime.combine(day, time(12), CHINA))
