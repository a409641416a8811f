"""The one shape every detector has, and what it hands back."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import Field, dataclass, field, fields
from datetime import timedelta
from types import MappingProxyType
from typing import Any, ClassVar, Final, Protocol

from detectors.event import Event, Kind
from detectors.file import File
from detectors.finding import Certainty, Check, Exclusion, Figure, Law, Level, Period, Quorum, Reason, Subject
from detectors.ledger import Ledger
from detectors.unit import Cell, Link, Unit

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One lead as a detector sees it. ``zh``, ``en``: one sentence, numbers first.

    shows: the events that show it. at_risk, fund: fen; None: the fund's share of the settlements shown.
    period: None: the cell's own. hits: standing occurrences merged in it.
    """

    level: Level
    subject: Subject
    zh: str
    en: str
    shows: Sequence[Event]
    figures: Sequence[Figure]
    certainty: Certainty = Certainty.SUSPICIOUS
    exclusions: Sequence[Exclusion] = ()
    checks: Sequence[Check] = ()
    orgs: Sequence[str] = ()  # institutions beside those of the events shown, the main one first
    at_risk: int | None = None
    fund: int | None = None
    period: Period | None = None
    hits: int = 1
    also: Sequence[Event] = field(default=())  # drawn on the page, but not what shows it
    model_version: str = ""  # of the model that spoke, if one did
    explanation: Sequence[Reason] = ()
    quorum: Quorum | None = None  # None: it stands alone


@dataclass(frozen=True, slots=True)
class Gate:
    """Judge only where ``rows`` of the declared kinds lie ``within`` this much of the arrival.

    Cheap, and never the rule itself. It must hold for every arrival that could change a finding or its list of events,
    whichever of them comes last; tests compare it with no gate at all. ``by``: count distinct values, not rows.
    ``at_day_end``: not at once, but when the arrival's day is over; days that are not over are not shown.
    """

    rows: int
    within: timedelta
    by: Callable[[Any], Hashable] | None = None  # Any: an event of a declared kind
    at_day_end: bool = False

    @property
    def shuts(self) -> bool:
        """Is there anything that does not pass?"""
        return self.rows > 1 or type(self) is not Gate

    def admits(self, file: File, kinds: Iterable[Kind]) -> bool:
        """May any arrival in this file pass? Asked once for all of them."""
        return file.count(kinds) >= self.rows

    def opens(self, arrival: Any, file: File, kinds: Iterable[Kind]) -> bool:
        """``file`` has the arrival in it, and is admitted. Any: an Event of any kind."""
        # the upper end is inclusive: two rows exactly ``within`` apart are near each other
        since, until = arrival.happened_at - self.within, arrival.happened_at + self.within + TICK
        near = [file.rows(kind, since, until) for kind in kinds]
        if self.by is None:
            return sum(map(len, near)) >= self.rows
        distinct: set[Hashable] = set()
        for rows in near:
            for row in rows:
                distinct.add(self.by(row))
                if len(distinct) >= self.rows:
                    return True
        return False


@dataclass(frozen=True, slots=True)
class FileGate(Gate):
    """Judge only files that ``admits`` says so of, whatever arrives in them."""

    def opens(self, arrival: Any, file: File, kinds: Iterable[Kind]) -> bool:
        """Any: an Event of any kind."""
        return True


ALWAYS = Gate(rows=0, within=timedelta(0))
DAILY = Gate(rows=0, within=timedelta(0), at_day_end=True)


class Detector(Protocol):
    """A pure function of a unit, with a name and what it needs."""

    id: ClassVar[str]
    of: ClassVar[Ledger]
    reads: ClassVar[frozenset[Kind]]  # rows of other kinds are not shown
    cell: ClassVar[Cell]
    links: ClassVar[tuple[Link[Any], ...]]
    law: ClassVar[Law]

    @property
    def gate(self) -> Gate: ...

    def judge(self, unit: Unit) -> Iterable[Finding]:
        """All that is to be said of this unit as it stands; at most one finding a subject and period."""


NO_LIMIT: Final = MappingProxyType({"limit": False})  # metadata of a detector's field that no file of rules can change


def limits(detector: Detector | type[Detector]) -> list[Field[Any]]:
    """The fields that are thresholds: those that rules may change. Any: a threshold has any type."""
    return [field for field in fields(detector) if field.metadata.get("limit", True)]  # type: ignore[arg-type]  # all are dataclasses
