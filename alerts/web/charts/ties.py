"""Which other leads share persons, tills or doctors with this one: three columns, a line for each thing shared."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from alerts.subjects import MOST_SHARED, Tie
from alerts.web.charts.drawing import Chart, Drawing, wide
from alerts.web.wording import Words

ROW = 26
LEFT, MIDDLE, RIGHT = 96, 330, 596  # where the columns stand
MARKS = {"red": "fred", "orange": "forg", "yellow": "k3 fp", "blue": "k3 fp"}


class Tied(NamedTuple):
    """The picture, and all that is shared."""

    chart: Chart
    ties: Sequence[Tie]


def tied(told: Sequence[Tie], words: Words) -> Tied | None:
    """None where nothing is shared."""
    chart = ties(told, words)
    return Tied(chart, told) if chart else None


def ties(told: Sequence[Tie], words: Words) -> Chart | None:
    """This lead, what is shared, and the others. None where nothing is."""
    if not told:
        return None
    counted = Counter(subject for tie in told for subject in tie.shared)
    shared = [subject for subject, _ in counted.most_common(MOST_SHARED)]
    tall = ROW * max(len(shared), len(told)) + 22
    drawing = Drawing(tall, words("ties.label", n=len(told), shared=len(counted)))
    where = {subject: 22 + _even(i, len(shared), tall - 22) for i, subject in enumerate(shared)}
    here = 22 + (tall - 22) / 2
    drawing.text(0, 14, words("ties.this"), "t3")
    drawing.text(MIDDLE, 14, words("ties.shared"), "t3 c")
    drawing.text(RIGHT, 14, words("ties.others"), "t3")
    for y in where.values():
        drawing.path(_bow(LEFT, here, MIDDLE - 100, y), "ln2")
    for i, tie in enumerate(told):
        y = 22 + _even(i, len(told), tall - 22)
        for subject in tie.shared:
            if subject in where:
                drawing.path(_bow(MIDDLE + 100, where[subject], RIGHT - 10, y), "ln2")
        drawing.disc(RIGHT, y, 5, MARKS[tie.row.level.value])
        name = f"{words('level.' + tie.row.level.value)} {words.known('detector', tie.row.detector)}"
        drawing.text(RIGHT + 12, y + 4, f"{name} {words.day(tie.row.last_seen)}", "t1")
    for subject, y in where.items():
        said = words.subject(subject.kind, subject.id)
        room = min(200, wide(said) + 12)
        drawing.box(MIDDLE - room / 2, y - 10, room, 20, "fs")
        drawing.text(MIDDLE, y + 4, said if wide(said) <= 196 else f"{said[:24]}…", "t1 c")
    drawing.disc(LEFT - 8, here, 6, "fi")
    drawing.text(0, here + 4, words("ties.lead"), "tb")
    hidden = len(counted) - len(shared)
    note = words("ties.more", n=hidden) if hidden else ""
    return Chart(words("ties"), note, drawing.svg(), (), (), ())


def _even(i: int, of: int, tall: float) -> float:
    return tall * (i + 0.5) / of


def _bow(x1: float, y1: float, x2: float, y2: float) -> str:
    half = (x1 + x2) / 2
    return f"M{x1:.1f} {y1:.1f}C{half:.1f} {y1:.1f} {half:.1f} {y2:.1f} {x2:.1f} {y2:.1f}"
