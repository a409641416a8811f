"""What happens at a till, as visits and sessions of them (SPEC 3.1, readings 6: B2)."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from detectors.event import Settlement, Swipe
from detectors.file import order

T = TypeVar("T")
Event = Any  # a Swipe or a Settlement: both tell whose credential was at which till


class Visit(NamedTuple):
    """One person's events at the till until another's; or those of a household, which count as one (X02)."""

    at: datetime  # of the first event
    head: str  # whose that was
    persons: frozenset[str]
    events: tuple[Event, ...]

    @property
    def bill(self) -> Settlement | None:
        """What basket and amount are taken from: the first bill, so that a family's is no larger than others'."""
        return next((event for event in self.events if isinstance(event, Settlement)), None)

    @property
    def evidence(self) -> tuple[Event, ...]:
        """Its bills, else its swipes."""
        bills = tuple(event for event in self.events if isinstance(event, Settlement))
        return bills or self.events


Session = tuple[Visit, ...]


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a visit, a household's visit and a session end."""

    pause: timedelta  # a longer one ends a session
    piece: timedelta  # so does this much time since it began
    household: int  # persons that count as one
    household_within: timedelta  # of the first of them

    def visits(self, rows: Iterable[Event]) -> Iterator[Visit]:
        """``rows`` oldest first. What comes later than a session can last is another visit of the same person."""
        visit: list[Event] = []
        for row in rows:
            if visit and (row.person != visit[0].person or row.happened_at - visit[0].happened_at > self.piece):
                yield _visit(visit)
                visit = []
            visit.append(row)
        if visit:
            yield _visit(visit)

    def folded(self, visits: Iterable[Visit], household: Callable[[Visit], str]) -> list[Visit]:
        """Visits of one household, soon after its first, are one visit, at the time of that."""
        found: list[Visit] = []
        latest: dict[str, int] = {}  # household -> where its latest visit stands in ``found``
        for visit in visits:
            home = household(visit)
            place = latest.get(home) if home else None
            if place is not None and self._is_one(found[place], visit):
                found[place] = _together(found[place], visit)
            else:
                latest[home] = len(found)
                found.append(visit)
        return found

    def _is_one(self, family: Visit, visit: Visit) -> bool:
        soon = visit.at - family.at <= self.household_within
        return soon and len(family.persons | visit.persons) <= self.household

    def sessions(self, visits: Iterable[Visit]) -> Iterator[Session]:
        return self._split(visits, lambda visit: visit.at, self.piece)

    def runs(self, rows: Iterable[Event]) -> Iterator[tuple[Event, ...]]:
        """Rows without a pause between them: no session, however folded, reaches beyond one."""
        return self._split(rows, lambda row: row.happened_at, timedelta.max)

    def _split(self, items: Iterable[T], time: Callable[[T], datetime], longest: timedelta) -> Iterator[tuple[T, ...]]:
        run: list[T] = []
        for item in items:
            if run and (time(item) - time(run[-1]) > self.pause or time(item) - time(run[0]) > longest):
                yield tuple(run)
                run = []
            run.append(item)
        if run:
            yield tuple(run)


def at_till(bills: Sequence[Settlement], swipes: Sequence[Swipe]) -> list[Event]:
    """Oldest first, without what came late (X16) and without refund rows, which are evidence of nothing."""
    counted = [row for row in (*bills, *swipes) if not row.late and not (isinstance(row, Settlement) and row.total < 0)]
    return sorted(counted, key=order)


def _visit(events: Sequence[Event]) -> Visit:
    first = events[0]
    return Visit(first.happened_at, first.person, frozenset((first.person,)), tuple(events))


def _together(family: Visit, visit: Visit) -> Visit:
    return Visit(family.at, family.head, family.persons | visit.persons, (*family.events, *visit.events))
