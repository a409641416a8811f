"""What judging needs of a memory. There are two: dicts in replay, Redis in the worker."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from detectors.event import EVER, Record
from detectors.file import File
from detectors.finding import UnitId
from detectors.ledger import Filed, Place
from detectors.wire import canonical


class Wake(NamedTuple):
    """Judge this unit again as soon as anybody has seen business time ``at``."""

    at: datetime
    unit: UnitId


Named = tuple[str, str, str]  # a UnitId; as a plain tuple it is made several times as fast, and most are named before
Wakes = Mapping[datetime, Set[Named]]  # the units that wait for each moment


class Missing(Exception):  # noqa: N818 - a question, not a fault
    """These were not read since the ticket was taken: fetch them, and judge again."""

    def __init__(self, *places: Place) -> None:
        super().__init__(*places)
        self.places = places


@dataclass(frozen=True, slots=True)
class View:
    """Everything that anybody remembered before ``ticket`` was taken, and perhaps more."""

    ticket: int
    now: datetime  # the latest business time anybody has seen
    before: datetime  # the same before these rows: nothing was judged by a later one without them
    entered: Filed  # which of these rows lie in which files
    file: Callable[[Place], File]  # raises Missing
    fact: Callable[[Place], Sequence[Any]]  # a subject's reference records, oldest first; raises Missing


class Memory(Protocol):
    def remember(self, rows: Sequence[Any]) -> View:
        """Add the rows (events, or Fallen) everywhere, then take a ticket, then read the files they entered.

        This order is the whole proof: a row missing in a view was added after its ticket, so whoever added that row
        judges with a higher one. To remember a row again is harmless.
        """

    def learn(self, records: Sequence[Record]) -> None:
        """Keep reference records. Whatever is judged from now on, by anybody, sees them."""

    def fetch(self, view: View, places: Iterable[Place]) -> None:
        """Read more files and facts into ``view``."""

    def conclude(
        self, said: Mapping[UnitId, tuple[int, Collection[Place]]], silent: Iterable[UnitId], wakes: Wakes
    ) -> tuple[set[UnitId], set[UnitId]]:
        """Before anything is published. said: each unit with findings, its view's ticket, and all that it looked at.

        Returns the units of ``said`` whose files have grown since (judge them again), and those of ``silent`` that
        have spoken before (a withdrawal is due). Marks the others of ``said`` as having spoken, and keeps the wakes.
        """

    def due(self, limit: int) -> list[Wake]:
        """Wakes whose time has come, earliest first."""

    def woken(self, wakes: Collection[Wake]) -> None:
        """Forget these, but for those asked for again since: what they asked for has been judged, and published."""


def with_record(records: list[Record], record: Record) -> list[Record]:
    """The records of a subject, or of a group of them, with one more; oldest first.

    Of those that hold from the same moment the one received last counts, since it is a correction (readings 2).
    """
    if not records:
        return [record]
    version = _version(record)
    rivals = [known for known in records if _version(known) == version]
    holding = max((*rivals, record), key=lambda r: (r.received_at or EVER, r.event_id, canonical(r)))
    others = [known for known in records if _version(known) != version]
    return sorted((*others, holding), key=_version)


def _version(record: Record) -> tuple[datetime, str, str]:
    return record.valid_from, record.subject, record.edition
