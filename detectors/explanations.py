"""Honest explanations (domain.md 2.3, F1) by what they rest on: the records as they would be without one of them.

Whether an explanation silenced a detector can be told without a line in the detector: take from the records what the
explanation rests on, and judge again. What is found then was explained away before.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from detectors.event import (
    CHINA,
    OFF,
    ZERO,
    Admission,
    AdmissionReversal,
    Beat,
    CalendarRecord,
    Discharge,
    ExceptionRecord,
    Fee,
    FeeReversal,
    Leave,
    Order,
    OrgRecord,
    Presence,
    Sale,
    Settlement,
    SettlementReversal,
)
from detectors.exclusions import CARED_FOR, FROM_EMERGENCY, GATHERS, INTERNET, PLANNED_MED_TYPES, TRANSFERRED
from detectors.file import File, Home
from detectors.ledger import FEED, Place, home_of
from detectors.memory import View
from detectors.settlement_kinds import CHRONIC
from detectors.unit import DAY, HOUR

Row = Any  # an Event or a Record, of any kind
Without = Callable[[Row], Row | None]


@dataclass(frozen=True, slots=True)
class Explanation:
    """code: X01 to X22, F1. without: the row as it would be, itself where it says nothing of the kind; None: no row.

    brings_back: what was taken back would count. fills: feeds would never have been silent.
    """

    code: str
    without: Without = lambda row: row
    brings_back: bool = False
    fills: bool = False


def hidden(*kinds: type) -> Without:
    return lambda row: None if isinstance(row, kinds) else row


def blank(**fields: Any) -> Without:
    """With these values in these fields, of whatever row has them. Any: values of fields."""

    def blanked(row: Row) -> Row:
        differing = {name: value for name, value in fields.items() if getattr(row, name, value) != value}
        return replace(row, **differing) if differing else row

    return blanked


def exception(kind: str) -> Without:
    return lambda row: None if isinstance(row, ExceptionRecord) and row.kind == kind else row


def untagged(tags: frozenset[str]) -> Without:
    """An institution's record without these tags."""

    def without(row: Row) -> Row:
        return replace(row, tags=row.tags - tags) if isinstance(row, OrgRecord) and row.tags & tags else row

    return without


def lines(change: Without) -> Without:
    """The same of every line of a bill, an upload, a sale."""

    def changed(row: Row) -> Row:
        told = getattr(row, "lines", ())
        new = tuple(map(change, told))
        return replace(row, lines=new) if any(a is not b for a, b in zip(told, new, strict=True)) else row

    return changed


def both(*changes: Without) -> Without:
    def changed(row: Row) -> Row | None:
        for change in changes:
            row = change(row)
            if row is None:
                return None
        return row

    return changed


def by_oneself(row: Row) -> Row:
    """Nobody else showed papers."""
    if getattr(row, "agent", "") or getattr(row, "verify_mode", "") == "agent":
        return replace(row, agent="", verify_mode="" if row.verify_mode == "agent" else row.verify_mode)
    return row


def at_the_bill(row: Row) -> Row:
    """Care at the moment at which it was settled."""
    return lines(blank(occurred_at=None))(row) if isinstance(row, Settlement) else row


def unplanned(row: Row) -> Row:
    """An ordinary stay, that ended by order."""
    if isinstance(row, Discharge) and row.way == TRANSFERRED:
        return replace(row, way="1")
    if isinstance(row, Admission) and row.med_type.startswith((*PLANNED_MED_TYPES, *FROM_EMERGENCY)):
        return replace(row, med_type="21")
    return row


def not_chronic(row: Row) -> Row:
    """An ordinary bill, of no registered disease."""
    if isinstance(row, Settlement) and row.med_type.startswith(CHRONIC):
        return replace(row, med_type="41" if row.org.startswith("P") else "11")
    return row


def no_mass_day(row: Row) -> Row | None:
    return None if isinstance(row, CalendarRecord) and row.kind in GATHERS else row


def is_return(row: Row) -> bool:
    return isinstance(row, Sale) and row.sale_type == "return"


def kept(row: Row) -> Row | None:
    """Goods that nobody brought back."""
    return None if is_return(row) else row


def in_time(row: Row) -> Row:
    return replace(row, received_at=row.happened_at) if getattr(row, "late", False) else row


def looked_for(row: Row) -> Row:
    """A check to which nobody and nothing answered for the patient."""
    excused = isinstance(row, Presence) and row.result in ("on_leave", "device_error", "timeout")
    return replace(row, result="not_found") if excused else row


# X04, X11, X15 rest on no record that could be taken away; X22 is dropped before anything is judged
EXPLANATIONS = (
    Explanation("X01", hidden(SettlementReversal, AdmissionReversal, FeeReversal), brings_back=True),
    Explanation("X02", both(by_oneself, blank(household=""))),
    Explanation("X03", blank(mutual_aid=ZERO, payer="")),
    Explanation("X05", blank(long_term=OFF)),
    Explanation("X06", both(exception("X06"), blank(diseases=(), disease=""), not_chronic)),
    Explanation("X07", blank(series="")),
    Explanation("X08", unplanned),
    Explanation("X09", both(lines(blank(examined_outside=OFF, emergency=OFF)), at_the_bill)),
    Explanation("X10", no_mass_day),
    Explanation("X12", untagged(frozenset({"24h"}))),
    Explanation("X13", both(kept, blank(by_unit=OFF), lines(blank(by_unit=OFF)))),
    Explanation("X14", exception("X14")),
    Explanation("X16", in_time),
    Explanation("X17", blank(filings=())),
    Explanation("X18", both(untagged(CARED_FOR), blank(campus=""))),
    Explanation("X19", both(hidden(Leave, Order), looked_for)),
    Explanation("X20", exception("X20")),
    Explanation("X21", untagged(frozenset({INTERNET}))),
    Explanation("F1", fills=True),
)


Fallen = Callable[[Place], Iterable[Row]]  # the rows of a file that do not count: taken back, or told otherwise


@dataclass(slots=True)
class Blind:
    """A view without what one explanation rests on. overlooked: what was different in it, as far as anybody looked."""

    explanation: Explanation
    of: View
    fallen: Fallen
    overlooked: dict[int, Row] = field(default_factory=dict)  # by id(): the rows themselves are kept by the view
    _files: dict[Place, tuple[File, list[Row]]] = field(default_factory=dict)

    @property
    def view(self) -> View:
        return dataclasses.replace(self.of, file=self.file, fact=self.fact)

    def file(self, place: Place) -> File:
        if place not in self._files:
            self._files[place] = self._without(place, self.of.file(place))
        file, others = self._files[place]
        self._note(others)
        return file

    def fact(self, place: Place) -> Sequence[Any]:
        """Any: Records of one kind."""
        records = self.of.fact(place)
        told = [self.explanation.without(record) for record in records]
        self._note(record for record, new in zip(records, told, strict=True) if new is not record)
        return [record for record in told if record is not None]

    def _without(self, place: Place, file: File) -> tuple[File, list[Row]]:
        """The file, and the rows of it that are others there; the same file if none is."""
        new, others = type(file)(), []
        if self.explanation.brings_back and not isinstance(file, Home):
            others += [row for row in self.fallen(place) if not is_return(row) and self._was_taken_back(row)]
            for row in others:
                new.add(row)  # whole, before what may be left of it: that is the same row, and adds nothing
        for row in rows_of(file):
            told = self.explanation.without(row)
            if self.explanation.brings_back and is_return(row) and self._was_taken_back(row):
                told = None  # it is how the bill's goods were taken back
            if told is not row:
                others.append(row)
            if told is not None:
                new.add(told)
        if self.explanation.fills and place[0] == FEED.name:
            others += self._filled(file, new)
        new.last = file.last
        return (new if others else file), others

    def _filled(self, file: File, new: File) -> list[Row]:
        """Something was told in every hour. Returns the last signs of life before long silences."""
        beats: list[Beat] = file.kinds.get(Beat, [])
        ends = [*(beat.happened_at for beat in beats[1:]), self.of.now]
        for beat, end in zip(beats, ends, strict=False):
            moment = beat.happened_at + HOUR
            while moment < end:
                new.add(Beat(event_id=f"{moment:%m-%dT%H}", happened_at=moment))
                moment += HOUR
        return [beat for beat, end in zip(beats, ends, strict=False) if end - beat.happened_at > DAY]

    def _was_taken_back(self, row: Row) -> bool:
        """Known in its home; else it was told twice, and another copy counts."""
        billed = row.lines if isinstance(row, Fee | Settlement) else ()
        gone = {row.undone_by, *(("line", row.org, row.visit, line.sn) for line in billed)}
        return any(copy.takes_back in gone for copy in rows_of(self.of.file(home_of(row))) if copy.takes_back)

    def _note(self, rows: Iterable[Row]) -> None:
        self.overlooked.update((id(row), row) for row in rows)


def rows_of(file: File) -> Iterator[Row]:
    """All that a file knows: of a home also the copies that do not count, which may count without a reversal."""
    return file.copies() if isinstance(file, Home) else (row for rows in file.kinds.values() for row in rows)


def fact_of(row: Row) -> str:
    """ "leave L17, 2026-03-04 09:00": a record by which an explanation holds."""
    kind = str(type(row).__struct_config__.tag)
    if kind.startswith("ref."):
        return f"{kind} {row.subject}, from {_moment(row.valid_from)}"
    if isinstance(row, Beat):
        return f"silent since {_moment(row.happened_at)}"
    result = f" {row.result}" if isinstance(row, Presence) else ""
    return f"{kind}{result} {row.event_id}, {_moment(row.happened_at)}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}"
