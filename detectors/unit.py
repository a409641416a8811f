"""What a detector is shown: one file of its ledger, in one cell of time."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

from detectors.event import (
    CHINA,
    EVER,
    NEVER,
    Admission,
    Discharge,
    Event,
    Kind,
    Record,
    Settlement,
    SettlementReversal,
    ordinal_of,
)
from detectors.file import File
from detectors.finding import Period
from detectors.ledger import Ledger, Place
from detectors.month import month_of

E = TypeVar("E", bound=Event)
R = TypeVar("R", bound=Record)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Span(NamedTuple):
    """Rows are shown from ``reach`` until before ``end``; from ``start`` on they are the cell's own."""

    reach: datetime
    start: datetime
    end: datetime


class Cell(Protocol):
    """How time is cut. Whoever can see a row is judged again when it comes: reads = touches."""

    def touched(self, arrival: Any, file: File) -> Iterable[str]:
        """The cells that can see this arrival, or what it changes. Any: an Event of any kind."""

    def span(self, cell: str, file: File) -> Span: ...

    def period(self, cell: str, file: File) -> Period:
        """What the alerts of this cell cover, unless a finding says otherwise."""


@dataclass(frozen=True, slots=True)
class Whole:
    """All of a file: a stay, the life of a code."""

    def touched(self, arrival: Any, file: File) -> Iterable[str]:
        return ("",)

    def span(self, cell: str, file: File) -> Span:
        return Span(EVER, EVER, NEVER)

    def period(self, cell: str, file: File) -> Period:
        return Period("", EVER, None)


@dataclass(frozen=True, slots=True)
class Day:
    """One day in +08:00, shown with as much ``before`` it as the rule looks back.

    A finding is about rows of the day itself: a day without any is not judged.
    """

    #            4 March            5 March
    #  ┊<─ before ─>├──────────────────┤           what the unit of 4 March shows
    #         ┊<─ before ─>├──────────────────┤    what the unit of 5 March shows: ● is in both
    #                    ●
    before: timedelta = timedelta(0)

    def touched(self, arrival: Any, file: File) -> Iterable[str]:
        moment = arrival.happened_at
        first = ordinal_of(moment)
        if not self.before or file.last <= moment:
            return (_day(first),)
        last = min(ordinal_of(moment + self.before), ordinal_of(file.last))
        return [_day(n) for n in range(first, last + 1)]

    def span(self, cell: str, file: File) -> Span:
        start = _midnight(cell)
        return Span(start - self.before, start, start + DAY)

    def period(self, cell: str, file: File) -> Period:
        return Period(cell, _midnight(cell), _midnight(cell) + DAY)


@dataclass(frozen=True, slots=True)
class Month:
    """One month in +08:00, shown with as much ``before`` it as the rule looks back."""

    before: timedelta = timedelta(0)

    def touched(self, arrival: Any, file: File) -> Iterable[str]:
        month = month_of(arrival.happened_at)
        names = [month.name]
        if month.to is not None and month.to <= file.last:
            last = min(arrival.happened_at + self.before, file.last)
            while month.to is not None and month.to <= last:
                month = month_of(month.to)
                names.append(month.name)
        return names

    def span(self, cell: str, file: File) -> Span:
        month = self.period(cell, file)
        return Span(month.since - self.before, month.since, month.to or NEVER)

    def period(self, cell: str, file: File) -> Period:
        return month_of(_midnight(f"{cell}-01"))


@lru_cache(maxsize=4096)
def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


@lru_cache(maxsize=4096)
def _midnight(day: str) -> datetime:
    return _start_of(date.fromisoformat(day).toordinal())


@lru_cache(maxsize=4096)
def _start_of(ordinal: int) -> datetime:
    return datetime.combine(date.fromordinal(ordinal), time(), CHINA)


def day_start(moment: datetime) -> datetime:
    """The midnight that begins its day, +08:00."""
    return _start_of(ordinal_of(moment))


def day_end(moment: datetime) -> datetime:
    return _start_of(ordinal_of(moment) + 1)


@dataclass(frozen=True, slots=True)
class Stay:
    """Each stay in a person's file, by ``org/mdtrt_id``, shown with all rows from ``before`` it to its end."""

    before: timedelta = timedelta(0)

    def touched(self, arrival: Any, file: File) -> Iterable[str]:
        stays = file.kinds.get(Admission)
        own = getattr(arrival, "visit", "")
        if not stays:
            return (stay_key(arrival),) if isinstance(arrival, Admission) else ()
        # another discharge moves the end of its stay: whoever saw the stay end elsewhere must look again
        ends = [d.happened_at for d in file.kinds.get(Discharge, ()) if d.visit == own] if own else []
        moments = (arrival.happened_at, *ends)
        found = [stay_key(stay) for stay in stays if any(self._sees(stay, file, moment) for moment in moments)]
        return {*found, stay_key(arrival)} if own else found

    def _sees(self, stay: Admission, file: File, moment: datetime) -> bool:
        return stay.happened_at - self.before <= moment <= end_of(stay, file)

    def span(self, cell: str, file: File) -> Span:
        for stay in file.kinds.get(Admission, ()):
            if stay_key(stay) == cell:
                end = end_of(stay, file)
                return Span(stay.happened_at - self.before, stay.happened_at, min(end, NEVER - SECOND) + SECOND)
        return Span(NEVER, NEVER, NEVER)

    def period(self, cell: str, file: File) -> Period:
        _, start, end = self.span(cell, file)
        return Period(cell.partition("/")[2], start, None if end >= NEVER else end - SECOND)


def stay_key(event: Any) -> str:
    """Any: an event of a visit."""
    return f"{event.org}/{event.visit}"


def end_of(stay: Admission, file: File) -> datetime:
    """Of several discharges the one with the latest business time holds; NEVER while there is none."""
    ends = (d.happened_at for d in file.kinds.get(Discharge, ()) if d.visit == stay.visit and d.org == stay.org)
    return max(ends, default=NEVER)


class Touched(NamedTuple):
    """A unit to judge again: a key of the detector's own ledger, and a cell there ("": Whole)."""

    key: str
    cell: str = ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Link(Generic[E]):
    """A second file to look at. Whoever can see a row through it is judged again when the row comes."""

    ledger: Ledger
    reads: frozenset[Kind]
    led_by: frozenset[Kind] | None = None  # whose arrival leads to units; None: of whatever enters the file
    # arrival, its file there, the latest business time by which anything was judged without it -> units to judge
    units: Callable[[E, File, datetime], Iterable[Touched]]


class Unit:
    """One file in one cell of time. All that it shows is a function of the set of events."""

    __slots__ = ("_fact", "_file", "_look", "_reads", "cell", "horizon", "key", "now", "span", "wakes")

    def __init__(
        self,
        *,
        key: str,
        cell: str,
        span: Span,
        now: datetime,
        file: File,
        reads: frozenset[Kind],
        look: Callable[[Place], File],
        fact: Callable[[Place], Sequence[Any]],
        horizon: datetime = NEVER,
    ) -> None:
        self.key, self.cell = key, cell
        whole = horizon is NEVER or span.end <= horizon
        self.span = span if whole else span._replace(end=horizon)
        self.now = now if horizon is NEVER else min(now, horizon)  # the latest business time anybody has seen
        self.horizon = horizon  # nothing from here on is shown: the day is not over (Gate.at_day_end)
        self.wakes: set[datetime] = set()
        self._file, self._reads, self._look, self._fact = file, reads, look, fact

    def rows(self, kind: type[E]) -> list[E]:
        """What stands and is in reach, oldest first. Raises LookupError for a kind that was not declared."""
        if kind not in self._reads:
            raise LookupError(f"{kind.__name__} is not among the kinds that this detector declared")
        return self._file.rows(kind, self.span.reach, self.span.end)

    def own(self, kind: type[E]) -> list[E]:
        """Of these, what lies in the cell itself: what a finding may be about."""
        if kind not in self._reads:
            raise LookupError(f"{kind.__name__} is not among the kinds that this detector declared")
        return self._file.rows(kind, self.span.start, self.span.end)

    def taken_back(self) -> list[tuple[SettlementReversal, Settlement]]:
        """Reversals in reach, oldest first, each with the bill it took back if that is in reach; of a person's file.

        Raises LookupError where not both kinds were declared.
        """
        pairs = [(reversal, self._file.taken_back(reversal)) for reversal in self.rows(SettlementReversal)]
        if Settlement not in self._reads:
            raise LookupError("Settlement is not among the kinds that this detector declared")
        return [
            (reversal, bill)
            for reversal, bill in pairs
            if bill is not None and self.span.reach <= bill.happened_at < self.span.end
        ]

    def look_taken_back(self, link: Link[Any], key: str, reversal: SettlementReversal) -> Settlement | None:
        """The bill that a reversal took back, looked up in a person's file; None if it never came.

        Raises LookupError for a link that does not declare both kinds, or leads to other files.
        """
        if not {Settlement, SettlementReversal} <= link.reads:
            raise LookupError("Settlement and SettlementReversal are not both among the kinds that this link declared")
        bill: Settlement | None = self._look((link.ledger.name, key)).taken_back(reversal)
        return bill if bill is not None and bill.happened_at < self.horizon else None

    def look(
        self, link: Link[Any], kind: type[E], key: str, since: datetime = EVER, until: datetime = NEVER
    ) -> list[E]:
        """What stands in a second file, oldest first. Raises LookupError for a kind that the link does not declare."""
        if kind not in link.reads:
            raise LookupError(f"{kind.__name__} is not among the kinds that this link declared")
        return self._look((link.ledger.name, key)).rows(kind, since, min(until, self.horizon))

    def fact(self, kind: type[R], key: str, at: datetime) -> R | None:
        """The reference record that holds at business time ``at``; None if nothing is known.

        ``at``: the time of a row that the unit shows: a record that comes late judges again what happened since.
        """
        holding = None
        for record in self._fact(place_of(kind, key)):
            if record.valid_from > at:
                break
            holding = record
        return holding

    def records(self, kind: type[R], key: str) -> Sequence[R]:
        """Every reference record of one subject, oldest first: where several may hold at once."""
        return self._fact(place_of(kind, key))

    def members(self, kind: type[R], group: str, at: datetime) -> list[R]:
        """The records of all subjects that belong to a group at business time ``at``, by subject."""
        subjects = sorted({record.subject for record in self._fact(_group(kind, group))})
        records = (self.fact(kind, subject, at) for subject in subjects)
        return [record for record in records if record is not None and group in record.groups]

    def wake(self, at: datetime) -> None:
        """Judge me again once anybody has seen ``at``. A moment already past changes nothing."""
        if at > self.now:
            self.wakes.add(at)


def places_of(record: Record) -> list[Place]:
    """Where a record is kept: with its subject's, and with those of each group."""
    kind = type(record)
    return [place_of(kind, record.subject), *(_group(kind, group) for group in record.groups)]


def _group(kind: type[Record], group: str) -> Place:
    return f"{_tag(kind)}.group", group


def place_of(kind: type[Record], key: str) -> Place:
    """Where the records of one subject are kept."""
    return _tag(kind), key


@cache
def _tag(kind: type[Record]) -> str:
    return str(kind.__struct_config__.tag)
