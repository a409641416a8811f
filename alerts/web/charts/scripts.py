"""A prescription and who used it: one line a person; of many persons, how much a day."""

from collections.abc import Sequence

from alerts.web.charts import facts
from alerts.web.charts.drawing import WIDTH, Axis, Chart, Drawing
from alerts.web.charts.lanes import labelled
from alerts.web.charts.status import HIGH, columns
from alerts.web.wording import Words
from detectors.finding import Evidence

LEFT, RIGHT = 118, 838
TOP = 36
LANE = 44
SAME = 10  # pixels: marks nearer than this are told together
MOST_PERSONS = 12
LONG = 10  # characters of a prescription's number that are drawn
NEAR = 74  # pixels that a label takes


def scripts(shown: Sequence[Evidence], also: Sequence[Evidence], words: Words) -> Chart | None:
    """None without a bill."""
    bills = sorted((e for e in shown if e.event_type in ("setl", "sale")), key=lambda event: event.at)
    if not bills:
        return None
    written = sorted((e for e in also if e.event_type == "rx"), key=lambda event: event.at)
    events = sorted([*written, *bills], key=lambda event: event.at)
    axis = Axis.of([event.at for event in events], LEFT, RIGHT, 0.06)
    persons = list(dict.fromkeys(event.person for event in events))
    many = len(persons) > MOST_PERSONS
    drawing = _by_day(axis, bills, words) if many else _by_person(axis, persons, written, bills, words)
    note = "by_day" if many else "note" if written else "without"
    legend = (("square", words("kind.rx")), ("use", words("chart.scripts.use"))) if written and not many else ()
    return Chart(
        words("chart.scripts.title"),
        words(f"chart.scripts.{note}"),
        drawing.svg(),
        legend,
        _head(words),
        tuple(_cells(event, words) for event in events),
    )


def _by_person(
    axis: Axis, persons: Sequence[str], written: Sequence[Evidence], bills: Sequence[Evidence], words: Words
) -> Drawing:
    drawing = Drawing(TOP + LANE * len(persons) + 4, words("chart.scripts.label", n=len(bills), persons=len(persons)))
    _ticks(drawing, axis, TOP + LANE * len(persons), words)
    for n, person in enumerate(persons):
        y = TOP + LANE * (n + 0.5)
        drawing.text(0, y + 4, words.tail(person) if person else "—", "tb")
        drawing.line(LEFT - 8, y, WIDTH, y, "ln2")
        taken: list[float] = []
        for script in (script for script in written if script.person == person):
            drawing.box(axis.x(script.at) - 5, y - 5, 10, 10, "fi")
            said = f"{words('kind.rx')} {_short(script.facts.get('rxno', ''))}".strip()
            _label(drawing, axis.x(script.at), y + 17, said, taken)
        taken = []
        for group in _together(axis, [bill for bill in bills if bill.person == person]):
            for bill in group:
                title = f"{words.moment(bill.at, seconds=True)} {words.org(bill.org)}"
                drawing.disc(axis.x(bill.at), y, 5, "fred", title)
            _label(drawing, axis.x(group[0].at), y - 9, _said(group, words), taken)
    return drawing


def _short(number: str) -> str:
    """Its end, where it is long; the table has all of it."""
    return number if len(number) <= LONG else f"…{number[-4:]}"


def _together(axis: Axis, bills: Sequence[Evidence]) -> list[list[Evidence]]:
    """Those whose marks lie upon each other."""
    groups: list[list[Evidence]] = []
    for bill in bills:
        if groups and axis.x(bill.at) - axis.x(groups[-1][0].at) < SAME:
            groups[-1].append(bill)
        else:
            groups.append([bill])
    return groups


def _said(group: Sequence[Evidence], words: Words) -> str:
    """When, how many if not one, and how much."""
    many = [words("unit.bills", n=len(group))] if len(group) > 1 else []
    return " ".join([words.clock(group[0].at), *many, words.yuan(sum(bill.total_fen for bill in group))])


def _by_day(axis: Axis, bills: Sequence[Evidence], words: Words) -> Drawing:
    persons = {bill.person for bill in bills}
    drawing = Drawing(TOP + HIGH + 44, words("chart.scripts.label", n=len(bills), persons=len(persons)))
    base = TOP + HIGH + 24
    _ticks(drawing, axis, base, words)
    drawing.text(0, base, words("chart.scripts.persons", n=len(persons)), "tb")
    drawing.line(LEFT - 8, base, WIDTH, base, "ln2")
    columns(drawing, axis, base, bills, words)
    return drawing


def _ticks(drawing: Drawing, axis: Axis, bottom: float, words: Words) -> None:
    for tick, said in labelled(axis.ticks(), words):
        drawing.line(axis.x(tick), TOP - 12, axis.x(tick), bottom, "ln")
        drawing.text(axis.x(tick), TOP - 18, said, "t3 t11 c")


def _label(drawing: Drawing, x: float, y: float, said: str, taken: list[float]) -> None:
    """Where none stands there already."""
    if all(abs(x - other) >= NEAR for other in taken):
        drawing.text(x, y, said, "t1 t11 c")
        taken.append(x)


def _head(words: Words) -> tuple[str, ...]:
    keys = ("lead.rows.time", "lead.rows.kind", "lead.rows.org", "lead.rows.person", "fact.rxno", "fact.items")
    return (*map(words, keys), words("lead.rows.total"))


def _cells(event: Evidence, words: Words) -> tuple[str, ...]:
    return (
        words.moment(event.at, seconds=True),
        facts.kind(event, words),
        words.org(event.org),
        words.tail(event.person) if event.person else "",
        event.facts.get("rxno", ""),
        event.facts.get("items", ""),
        words.yuan(event.total_fen) if event.total_fen else "",
    )
