"""A stay, one line a day: who was seen in bed, who was not, and what happened elsewhere."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta

from alerts.web.charts import facts
from alerts.web.charts.drawing import Axis, Chart, Drawing
from alerts.web.wording import CHINA, Words
from detectors.finding import Evidence

MOST_DAYS = 14
ROW = 29
TOP = 44
LEFT, RIGHT = 112, 844
DAY = timedelta(days=1)
NIGHT = (time(22), time(6))


def stay(events: Sequence[Evidence], words: Words) -> Chart | None:
    """The grid of a stay. None if there is no admission among the events."""
    admission = next((event for event in events if event.event_type == "adm"), None)
    if admission is None:
        return None
    own = facts.visit(admission)
    ends = [e.at for e in events if e.event_type == "dscg" and facts.visit(e) == own]
    begin, end = admission.at, ends[-1] if ends else None
    shown, folded = _days(begin, end, events)
    drawing = Drawing(TOP + ROW * len(shown) + 4, words("chart.stay.label", n=len(shown)))
    _frame(drawing, len(shown), words)
    for i, day in enumerate(shown):
        y = TOP + ROW * i + ROW / 2
        _day(drawing, y, day, begin, end or max(e.at for e in events), words)
        _marks(drawing, y, day, [e for e in events if _touches(e, day)], admission, words)
        _ends(drawing, y, day, begin, end, words)
    note = words("chart.stay.folded", n=folded) if folded else words.org(admission.org)
    return Chart(
        words("chart.stay.title"),
        note,
        drawing.svg(),
        tuple((mark, words(f"chart.stay.{name}")) for mark, name in _LEGEND),
        (words("lead.rows.time"), words("lead.rows.kind"), words("lead.rows.org"), words("lead.rows.facts")),
        tuple(_table_row(event, words) for event in events),
    )


_LEGEND = (
    ("tick", "pass"),
    ("cross", "fail"),
    ("ring", "unclear"),
    ("hatch", "away"),
    ("bar", "leave"),
    ("diamond", "outside"),
    ("line", "in"),
)


def _days(begin: datetime, end: datetime | None, events: Sequence[Evidence]) -> tuple[list[date], int]:
    """The days to show, and how many are left out: of a long stay the last ones on which something happened."""
    last = _date(end or max(event.at for event in events))
    first = _date(begin)
    every = [first + DAY * i for i in range((last - first).days + 1)]
    if len(every) <= MOST_DAYS:
        return every, 0
    marked = [day for day in every if any(_touches(event, day) for event in events)]
    kept = sorted({first, *marked[-(MOST_DAYS - 1) :]})
    return kept, len(every) - len(kept)


def _date(at: datetime) -> date:
    return at.astimezone(CHINA).date()


def _spans(event: Evidence) -> tuple[datetime, datetime]:
    """When it begins and ends; most events are a moment."""
    return facts.moment(event, "since") or event.at, facts.moment(event, "to") or event.at


def _touches(event: Evidence, day: date) -> bool:
    since, to = _spans(event)
    return _date(since) <= day <= _date(to)


def _axis(day: date) -> Axis:
    midnight = datetime.combine(day, time(), CHINA)
    return Axis(midnight, midnight + DAY, LEFT, RIGHT)


def _frame(drawing: Drawing, days: int, words: Words) -> None:
    axis = _axis(date(2000, 1, 1))
    bottom = TOP + ROW * days
    for since, to in ((LEFT, _hour(axis, NIGHT[1])), (_hour(axis, NIGHT[0]), RIGHT)):
        drawing.box(since, TOP, to - since, bottom - TOP, "fs")
        drawing.text((since + to) / 2, 38, words("chart.stay.night"), "t3 t11 c")
    for hour in range(0, 25, 3):
        x = LEFT + (RIGHT - LEFT) * hour / 24
        drawing.line(x, TOP, x, bottom, "ln")
        drawing.text(x, 20, f"{hour:02d}:00", "t3 t11 c")


def _hour(axis: Axis, at: time) -> float:
    return axis.x(datetime.combine(axis.since.date(), at, CHINA))


def _day(drawing: Drawing, y: float, day: date, begin: datetime, until: datetime, words: Words) -> None:
    axis = _axis(day)
    noon = axis.since + DAY / 2
    drawing.text(0, y + 4, words.day(noon), "t1")
    drawing.text(100, y + 4, words.weekday(noon), "t3 e")
    since, to = axis.x(max(begin, axis.since)), axis.x(min(until, axis.until))
    if to > since:
        drawing.box(since, y - 1.5, to - since, 3, "fl2")
    drawing.line(0, y + ROW / 2, RIGHT, y + ROW / 2, "ln")


def _marks(
    drawing: Drawing, y: float, day: date, events: Sequence[Evidence], admission: Evidence, words: Words
) -> None:
    axis = _axis(day)
    _absences(drawing, y, axis, events)
    taken: list[float] = []
    for event in events:
        x = axis.x(event.at)
        if event.event_type == "leave":
            since, to = _spans(event)
            drawing.box(axis.x(since), y - 4, axis.x(to) - axis.x(since), 8, "fok")
        elif event.event_type == "presence":
            _check(drawing, x, y, event, words)
        elif event.event_type in ("setl", "swipe", "sale") and _elsewhere(event, admission):
            title = words.moment(event.at, seconds=True)
            drawing.diamond(x, y, "forg", title)
            _beside(drawing, x, y, _settled(event, words), taken)


def _elsewhere(event: Evidence, admission: Evidence) -> bool:
    return event.org != admission.org or facts.visit(event) != facts.visit(admission)


def _settled(event: Evidence, words: Words) -> str:
    amount = words.yuan(event.total_fen) if event.total_fen else ""
    said = words("chart.stay.settled", at=words.clock(event.at), org=words.org(event.org), amount=amount)
    return said.strip()


def _beside(drawing: Drawing, x: float, y: float, said: str, taken: list[float]) -> None:
    """A label beside its mark, where there is room; not over another of the same day."""
    near = sum(abs(x - other) < 210 for other in taken)
    if near > 1:
        return
    taken.append(x)
    base = y + 12.5 if near else y - 6
    if x < (LEFT + RIGHT) / 2:
        drawing.text(x + 9, base, said, "torg t11")
    else:
        drawing.text(x - 9, base, said, "torg t11 e")


def _check(drawing: Drawing, x: float, y: float, event: Evidence, words: Words) -> None:
    result = event.facts.get("result", "")
    title = f"{words.clock(event.at, seconds=True)} {words.known('result', result)}"
    if event.facts.get("check_type") == "gate" and event.facts.get("direction"):
        return
    if result in facts.THERE:
        drawing.tick(x, y, title)
    elif result in facts.FAILED:
        drawing.disc(x, y, 7, "fp")
        drawing.cross(x, y, "kred w2", title)
    else:
        drawing.disc(x, y, 5, "fp k3", title)


def _absences(drawing: Drawing, y: float, axis: Axis, events: Sequence[Evidence]) -> None:
    """From each way out by the gate to the next way in, or to the end of the day."""
    out: datetime | None = None
    for event in events:
        direction = event.facts.get("direction") if event.event_type == "presence" else None
        if direction == "out":
            out = event.at
        elif direction == "in":
            _hatch(drawing, y, axis.x(out or axis.since), axis.x(event.at))
            out = None
    if out is not None:
        _hatch(drawing, y, axis.x(out), axis.right)


def _hatch(drawing: Drawing, y: float, left: float, right: float) -> None:
    drawing.box(left, y - 4.5, right - left, 9, "away")
    x = left + 5
    while x < right - 3:
        drawing.line(x, y + 4, x + 3, y - 4, "ln2")
        x += 7


def _ends(drawing: Drawing, y: float, day: date, begin: datetime, end: datetime | None, words: Words) -> None:
    axis = _axis(day)
    if day == _date(begin):
        _end(drawing, axis.x(begin), y, words("chart.stay.admitted", at=words.clock(begin)), before=True)
    if end is not None and day == _date(end):
        _end(drawing, axis.x(end), y, words("chart.stay.discharged", at=words.clock(end)), before=False)


def _end(drawing: Drawing, x: float, y: float, said: str, *, before: bool) -> None:
    drawing.line(x, y - 7, x, y + 7, "lni w2")
    left = before and x - LEFT > 110
    at_left = left or (not before and RIGHT - x < 110)
    drawing.text(
        x - 7 if at_left else x + 7, y + (4 if left or not before else 13), said, f"t1 t11{' e' if at_left else ''}"
    )


def _table_row(event: Evidence, words: Words) -> tuple[str, ...]:
    more = "；".join(_few(event, words)) if words.lang == "zh" else "; ".join(_few(event, words))
    return words.moment(event.at, seconds=True), facts.kind(event, words), words.org(event.org), more


def _few(event: Evidence, words: Words) -> Iterable[str]:
    keep = ("check_type", "result", "direction", "ward", "bed", "since", "to")
    for name in keep:
        if value := event.facts.get(name):
            yield f"{words.known('fact', name)} {facts.fact(name, value, words)}"
    if event.total_fen:
        yield f"{words('chart.strip.amount')} {words.yuan(event.total_fen)}"
