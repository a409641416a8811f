"""A stay in hospital: when it lasted, where the patient lay, what was charged."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from detectors.detector import FileGate
from detectors.event import NEVER, Admission, AdmissionChange, Discharge, Fee, Kind, Line, Settlement
from detectors.file import File
from detectors.finding import Period
from detectors.unit import Unit


@dataclass(frozen=True, slots=True)
class Admissions(FileGate):
    """Judge only where the file holds so many admissions, whenever they were."""

    def admits(self, file: File, kinds: Iterable[Kind]) -> bool:
        return len(file.kinds.get(Admission, ())) >= self.rows


class Lying(NamedTuple):
    """In this ward of this department, since <= business time < until."""

    since: datetime
    until: datetime
    ward: str
    dept: str


@dataclass(frozen=True, slots=True)
class StayInHospital:
    """``end``: NEVER while there is no discharge. ``lyings``: one after the other, without gaps; at least one."""

    admission: Admission
    end: datetime
    lyings: tuple[Lying, ...]

    @property
    def begin(self) -> datetime:
        return self.admission.happened_at

    @property
    def period(self) -> Period:
        return Period(self.admission.visit, self.begin, None if self.end == NEVER else self.end)

    def lying_at(self, moment: datetime) -> Lying:
        """Before admission: the first; after discharge: the last."""
        return next((lying for lying in reversed(self.lyings) if lying.since <= moment), self.lyings[0])

    def lyings_in(self, since: datetime, until: datetime) -> Iterator[Lying]:
        """Where the patient lay within (since, until], cut to it."""
        for lying in self.lyings:
            first, last = max(lying.since, since), min(lying.until, until)
            if first < last:
                yield Lying(first, last, lying.ward, lying.dept)


def stay_of(unit: Unit) -> StayInHospital | None:
    """The stay of a visit's file; None where nobody was admitted. Reads Admission, AdmissionChange, Discharge."""
    admissions = unit.rows(Admission)
    if not admissions:
        return None
    ends = unit.rows(Discharge)
    return stay(admissions[0], unit.rows(AdmissionChange), ends[-1].happened_at if ends else NEVER)


def stay(admission: Admission, changes: list[AdmissionChange], end: datetime) -> StayInHospital:
    """``changes``: oldest first. A change that names no ward, or no department, leaves it as it was."""
    lyings: list[Lying] = []
    since, ward, dept = admission.happened_at, admission.ward, admission.dept
    for change in changes:
        new = change.ward or ward, change.dept or dept
        if change.happened_at > since and new != (ward, dept):
            lyings.append(Lying(since, change.happened_at, ward, dept))
            since = change.happened_at
        ward, dept = new
    return StayInHospital(admission, end, (*lyings, Lying(since, NEVER, ward, dept)))


def charged(unit: Unit) -> list[Line]:
    """The lines charged in a visit's file, each once: a line comes in a fee upload, and again in its bill."""
    lines: dict[str, Line] = {}
    told: list[Fee | Settlement] = [*unit.rows(Fee), *unit.rows(Settlement)]
    for event in sorted(told, key=lambda e: (e.received_at or NEVER, e.event_id, e.seal)):
        for line in event.lines:
            lines.setdefault(line.sn, line)
    return list(lines.values())


def lines_of_bill(bill: Settlement, fees: Iterable[Fee]) -> list[Line]:
    """Its own, and those that its visit uploaded apart from it, each once; of two tellings the one with an rxno."""
    lines = {line.sn: line for line in bill.lines}
    for fee in fees:
        if fee.visit == bill.visit and fee.org == bill.org:
            for line in fee.lines:
                known = lines.setdefault(line.sn, line)
                if line.rx and not known.rx:
                    lines[line.sn] = line
    return list(lines.values())


def in_scope(lines: list[Line]) -> int:
    """Fen that the fund's catalogue covers; the whole amount where a line does not say."""
    return sum(line.amount if line.in_scope is None else line.in_scope for line in lines)
