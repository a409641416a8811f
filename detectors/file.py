"""What is known under one key of a ledger: the events that count, oldest first."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import attrgetter
from typing import Any, NamedTuple

from msgspec.structs import replace

from detectors.event import EVER, NEVER, Event, Fee, FeeReversal, Kind, Name, Settlement
from detectors.wire import canonical, seal_of

_time = attrgetter("happened_at")


class CopyId(NamedTuple):
    """Names one copy of an event, among others that say something else."""

    event_id: str
    seal: int


@dataclass(frozen=True, slots=True)
class Fallen:
    """Told by a home file to all others: this copy does not count, or these of its lines do not. Never on the wire."""

    event: Any  # an Event; Any, since msgspec unions cannot be narrowed by isinstance
    lines: frozenset[str] = frozenset()  # feedetl_sn; none: the whole copy


def copy_id(event: Event) -> CopyId:
    return CopyId(event.event_id, seal_of(event))


def order(event: Any) -> tuple[datetime, str, int]:
    """Oldest first. A swipe and its bill often share a second: without the id "consecutive" would vary."""
    return event.happened_at, event.event_id, event.seal


class File:
    """The rows of one key. They may come in any order and repeatedly; what fell may be told before it comes."""

    __slots__ = ("_fallen", "_short", "kinds", "last", "seen")

    def __init__(self) -> None:
        self.kinds: dict[Kind, list[Any]] = {}  # standing events of each kind, in order
        self.last = EVER  # the latest business time that any row ever had
        self.seen = 0  # ticket up to which a shared memory's rows are known here
        self._fallen: set[CopyId] | None = None  # made when something falls: in nearly all files nothing does
        self._short: dict[CopyId, frozenset[str]] | None = None

    def rows(self, kind: Kind, since: datetime, until: datetime) -> list[Any]:
        """The standing events of a kind with since <= business time < until, oldest first."""
        rows = self.kinds.get(kind)
        if not rows or rows[-1].happened_at < since:
            return []
        first = 0 if rows[0].happened_at >= since else bisect_left(rows, since, key=_time)
        after = len(rows) if rows[-1].happened_at < until else bisect_left(rows, until, key=_time)
        return rows[first:after]

    def count(self, kinds: Iterable[Kind]) -> int:
        """The standing events of these kinds, whenever they happened."""
        held = 0
        for kind in kinds:
            if rows := self.kinds.get(kind):
                held += len(rows)
        return held

    def add(self, event: Any) -> None:
        """Keep a copy; to keep it again changes nothing. Any: an Event, see Fallen."""
        if not event.seal:
            seal_of(event)
        if self._fallen and copy_id(event) in self._fallen:
            return
        if self._short and (lines := self._short.get(copy_id(event))):
            event = without(event, lines)
        moment, rows = event.happened_at, self.kinds.get(type(event))
        if rows is None:
            self.kinds[type(event)] = [event]
        elif not rows or rows[-1].happened_at < moment:
            rows.append(event)
        else:
            place = self._place(rows, event)
            if place == len(rows) or order(rows[place]) != order(event):
                rows.insert(place, event)
        if moment > self.last:
            self.last = moment

    def strike(self, fallen: Fallen) -> None:
        """A copy, or some of its lines, do not count. For good: what has fallen never rises."""
        name = copy_id(fallen.event)
        if fallen.lines:
            short = self._short = self._short or {}
            lines = short[name] = fallen.lines | short.get(name, frozenset())
        else:
            gone = self._fallen = self._fallen or set()
            gone.add(name)
        rows = self.kinds.get(type(fallen.event), [])
        place = self._place(rows, fallen.event)
        if place < len(rows) and order(rows[place]) == order(fallen.event):
            if fallen.lines:
                rows[place] = without(rows[place], lines)
            else:
                del rows[place]

    def knows(self, row: Any) -> bool:
        """Is exactly this row here? Any: see ``add``."""
        rows = self.kinds.get(type(row))
        if not rows or rows[-1].happened_at < row.happened_at:
            return False
        place = self._place(rows, row)
        return place < len(rows) and order(rows[place]) == order(row)

    def taken_back(self, reversal: Any) -> Any:
        """The bill that a reversal took back, None if it never came. Raises LookupError: only homes know."""
        raise LookupError("what was taken back is known in a person's own file only")

    def forget(self, horizon: datetime) -> None:
        """Drop what happened before ``horizon``: no unit that could see it is judged any more."""
        for rows in self.kinds.values():
            if rows and rows[0].happened_at < horizon:
                del rows[: bisect_left(rows, horizon, key=_time)]

    @staticmethod
    def _place(rows: list[Any], event: Any) -> int:
        return bisect_left(rows, order(event), key=order)


def without(event: Any, lines: frozenset[str]) -> Any:
    """A bill or an upload without some of its lines."""
    return replace(event, lines=tuple(line for line in event.lines if line.sn not in lines))


class Home(File):
    """A person's own file (or the desk's): it decides which copies count.

    A copy counts unless a smaller one shares its event_id or its identity, or its fact was taken back. A row more can
    only make something fall, never rise: the order of arrival cannot matter.
    """

    __slots__ = ("_copies", "_gone", "peaceful")

    def __init__(self) -> None:
        super().__init__()
        self.peaceful = True  # nothing was told twice or taken back: most people's files, most of the time
        self._copies: dict[str | Name, Any] = {}  # by event_id and by identity: an Event, or a list of them
        self._gone: set[Name] = set()

    def add(self, event: Any) -> None:
        super().add(event)
        self._register(event.event_id, event)
        identity = event.identity
        if identity[0] != "event":
            self._register(identity, event)
        if (name := event.takes_back) is not None:
            self._gone.add(name)
            self.peaceful = False
        if not self.peaceful:
            for fallen in self.news(event):
                self.strike(fallen)

    def _register(self, name: str | Name, event: Any) -> None:
        known = self._copies.setdefault(name, event)
        if known is event:
            return
        copies = known if isinstance(known, list) else [known]
        if all(copy_id(copy) != copy_id(event) for copy in copies):
            self._copies[name] = [*copies, event]
            self.peaceful = False

    def news(self, arrival: Any) -> list[Fallen]:
        """All that does not count because of this copy, or together with it: perhaps itself.

        A repeat gets the same answer: it may be all that is left of a crash before the news was told.
        """
        if self.peaceful:
            return []
        found = [
            Fallen(copy)
            for name in (arrival.event_id, arrival.identity)
            if isinstance(copies := self._copies.get(name), list)
            for copy in copies
            if copy is not reduce(smaller, copies)
        ]
        if (name := arrival.takes_back) is not None:
            found += self._undone(arrival, name)
        if self._gone:
            if arrival.undone_by in self._gone:
                found.append(Fallen(arrival))
            elif isinstance(arrival, Fee | Settlement) and (lines := self._struck_lines(arrival)):
                found.append(Fallen(arrival, lines))
        return list(dict.fromkeys(found))

    def _undone(self, reversal: Any, name: Name) -> Iterator[Fallen]:
        """What a reversal takes back: every copy of the fact, and all that goes with it."""
        for copy in self.copies():
            if isinstance(reversal, FeeReversal):
                if isinstance(copy, Fee | Settlement) and (lines := self._struck_lines(copy)):
                    yield Fallen(copy, lines)
            elif copy.undone_by == name:
                yield Fallen(copy)

    def _struck_lines(self, event: Fee | Settlement) -> frozenset[str]:
        org, visit = event.org, event.visit
        return frozenset(line.sn for line in event.lines if ("line", org, visit, line.sn) in self._gone)

    def taken_back(self, reversal: Any) -> Any:
        copies = self._copies.get(reversal.takes_back)
        return reduce(smaller, copies) if isinstance(copies, list) else copies

    def copies(self) -> Iterator[Any]:
        """All that was ever told, whether it counts or not, with all of its lines."""
        for name, known in self._copies.items():
            if isinstance(name, str):
                yield from known if isinstance(known, list) else (known,)

    def forget(self, horizon: datetime) -> None:
        super().forget(horizon)
        kept = [copy for copy in self.copies() if copy.happened_at >= horizon]
        self._copies = {}
        self._gone = {name for copy in kept if (name := copy.takes_back) is not None}
        for copy in kept:
            self._register(copy.event_id, copy)
            if copy.identity[0] != "event":
                self._register(copy.identity, copy)


def smaller(one: Any, other: Any) -> Any:
    """The copy that counts: received first (never said: last), then by id, then by content (readings 2)."""
    a, b = ((copy.received_at or NEVER, copy.event_id) for copy in (one, other))
    if a != b:
        return one if a < b else other
    return min(one, other, key=lambda copy: (canonical(copy), copy.seal))
