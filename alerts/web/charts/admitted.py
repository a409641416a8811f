"""Patients admitted one after the other: a staircase, what they have, and when they left."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

from alerts.web.charts import facts
from alerts.web.charts.drawing import WIDTH, Axis, Chart, Drawing
from alerts.web.charts.lanes import labelled
from alerts.web.wording import CHINA, Words
from detectors.finding import Evidence

MOST_ROWS = 30
ROW = 22
TOP = 44
LEFT, RIGHT = 118, 476  # of the staircase
ILLNESS, DEPT, LEFT_ON = 492, 580, 676
LETTERS = 3  # of a diagnosis that make it the same illness: domain.md C4
FEW = 9  # characters of a department that fit


class Patient(NamedTuple):
    """One admission, the end that is known of it, and what was settled for it."""

    admission: Evidence
    end: datetime | None
    total: int  # fen


def admitted(shown: Sequence[Evidence], also: Sequence[Evidence], words: Words) -> Chart | None:
    """One row a patient. None if there are fewer than two."""
    patients = _patients([*shown, *also])
    if len(patients) < 2:
        return None
    rows = patients[:MOST_ROWS]
    foot = 22 if len(patients) > len(rows) else 6
    drawing = Drawing(TOP + ROW * len(rows) + foot, words("chart.admitted.label", n=len(patients)))
    axis = Axis.of([patient.admission.at for patient in rows], LEFT + 26, RIGHT - 8)
    _heads(drawing, axis, len(rows), words)
    illness = _commonest([_illness(patient) for patient in patients])
    together = _commonest([_day(patient) for patient in patients])
    y = TOP + ROW / 2
    last: Patient | None = None
    for patient in rows:
        _row(drawing, y, axis, patient, last, illness, together, words)
        last, y = patient, y + ROW
    if len(patients) > len(rows):
        drawing.text(0, y + 4, words("chart.admitted.more", n=len(patients) - len(rows)), "t3")
    return Chart(
        words("chart.admitted.title"),
        words("chart.admitted.note"),
        drawing.svg(),
        (),
        _head(words),
        _table(patients, words),
    )


def _patients(events: Sequence[Evidence]) -> list[Patient]:
    ends = {(e.org, facts.visit(e)): e.at for e in sorted(events, key=lambda e: e.at) if e.event_type == "dscg"}
    totals: Counter[tuple[str, str]] = Counter()
    for bill in (event for event in events if event.event_type == "setl"):
        totals[bill.org, facts.visit(bill)] += bill.total_fen
    found = {(e.org, facts.visit(e)): e for e in events if e.event_type == "adm"}
    patients = [Patient(event, ends.get(key), totals[key]) for key, event in found.items()]
    return sorted(patients, key=lambda patient: (patient.admission.at, patient.admission.event_id))


def _illness(patient: Patient) -> str:
    return patient.admission.facts.get("diag", "")[:LETTERS].upper()


def _day(patient: Patient) -> str:
    return patient.end.astimezone(CHINA).date().isoformat() if patient.end else ""


def _commonest(names: Sequence[str]) -> str:
    """ "" unless at least two have it in common."""
    name, n = max(Counter(filter(None, names)).items(), key=lambda item: (item[1], item[0]), default=("", 0))
    return name if n > 1 else ""


def _heads(drawing: Drawing, axis: Axis, rows: int, words: Words) -> None:
    bottom = TOP + ROW * rows
    drawing.box(LEFT, TOP - 34, RIGHT - LEFT, bottom - TOP + 34, "fs")
    for tick, said in labelled(axis.ticks(6), words):
        drawing.line(axis.x(tick), TOP - 14, axis.x(tick), bottom, "ln")
        drawing.text(axis.x(tick), TOP - 18, said, "t3 t11 c")
    for x, name in ((ILLNESS, "fact.diag"), (DEPT, "fact.dept"), (LEFT_ON, "kind.dscg")):
        drawing.text(x, TOP - 6, words(name), "t3")
    drawing.text(WIDTH, TOP - 6, words("chart.admitted.total"), "t3 e")


def _row(
    drawing: Drawing,
    y: float,
    axis: Axis,
    patient: Patient,
    last: Patient | None,
    illness: str,
    together: str,
    words: Words,
) -> None:
    admission = patient.admission
    x = axis.x(admission.at)
    drawing.text(0, y + 4, words.tail(admission.person), "t1")
    if last is not None:
        before = last.admission.at
        drawing.path(f"M{axis.x(before):.1f} {y - ROW + 5:.1f}V{y:.1f}H{x - 5:.1f}", "ln2 dash")
        drawing.text(axis.x(before) - 5, y + 4, words.long(admission.at - before), "t3 t11 e")
    drawing.disc(x, y, 4.6, "fi", words.moment(admission.at, seconds=True))
    same = illness and _illness(patient) == illness
    drawing.text(ILLNESS, y + 4, admission.facts.get("diag", "") or "—", "tb" if same else "t3")
    dept = admission.facts.get("dept", "")
    drawing.text(DEPT, y + 4, dept if len(dept) <= FEW else f"{dept[: FEW - 1]}…", "")
    if patient.end:
        on_one_day = together and _day(patient) == together
        drawing.text(LEFT_ON, y + 4, words.day(patient.end), "tred" if on_one_day else "t1")
    drawing.text(WIDTH, y + 4, words.yuan(patient.total) if patient.total else "—", "t1 e")
    drawing.line(0, y + ROW / 2, WIDTH, y + ROW / 2, "ln")


def _head(words: Words) -> tuple[str, ...]:
    keys = ("kind.adm", "lead.rows.person", "chart.strip.gap", "fact.diag", "fact.dept", "kind.dscg")
    return (*map(words, keys), words("chart.admitted.total"))


def _table(patients: Sequence[Patient], words: Words) -> tuple[tuple[str, ...], ...]:
    gaps = ["", *(words.long(b.admission.at - a.admission.at) for a, b in pairwise(patients))]
    return tuple(
        (
            words.moment(patient.admission.at, seconds=True),
            words.tail(patient.admission.person),
            gap,
            patient.admission.facts.get("diag", ""),
            patient.admission.facts.get("dept", ""),
            words.moment(patient.end) if patient.end else "",
            words.yuan(patient.total) if patient.total else "",
        )
        for patient, gap in zip(patients, gaps, strict=True)
    )
