"""Everything remembered in dicts: one process, one pass. What Redis must equal."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from heapq import heappop, heappush
from typing import Any

from detectors.event import EVER, Record
from detectors.file import Fallen, File, Home
from detectors.finding import UnitId
from detectors.ledger import DESK, PERSON, Ledger, Place, filed
from detectors.memory import Named, View, Wake, Wakes, with_record
from detectors.unit import places_of
from detectors.wire import seal_of

_NOTHING: File = Home()  # what is known under most keys that are ever looked up; nobody adds to a view's files


def new_file(ledger: str) -> File:
    return Home() if ledger in (PERSON.name, DESK.name) else File()


def _keep(file: File, ledger: Ledger, key: str, told: Sequence[Any]) -> None:
    """Any: Events of that ledger, or Fallen."""
    for row in told:
        if isinstance(row, Fallen):
            if not ledger.sign:
                file.strike(row)
        elif ledger.rows is None:
            file.add(row)
        else:
            for kept in ledger.rows(row, key):
                file.add(kept)


class Memory:
    """The dicts grow with the recording, but for what ``forget`` drops."""

    def __init__(self) -> None:
        self._files: defaultdict[str, dict[str, File]] = defaultdict(dict)
        self._facts: dict[Place, list[Record]] = {}
        self._now = EVER
        self._ticket = 0
        self._moments: list[datetime] = []  # a heap
        self._wakes: dict[datetime, set[Named]] = {}
        self._taken: dict[datetime, set[Named]] = {}  # until ``woken``
        self._spoke: set[UnitId] = set()

    def remember(self, rows: Sequence[Any]) -> View:
        before = self._now
        for row in rows:
            if not isinstance(row, Fallen):
                seal_of(row)  # before parts of it are kept: they are the same copy
                if row.happened_at > self._now:
                    self._now = row.happened_at
        entered = filed(rows)
        for ledger, told in entered.items():
            files = self._files[ledger.name]
            for key, some in told.items():
                file = files.get(key)
                if file is None:
                    file = files[key] = new_file(ledger.name)
                _keep(file, ledger, key, some)
        self._ticket += 1
        return View(self._ticket, self._now, before, entered, self._file, self._records)

    def _file(self, place: Place) -> File:
        return self._files[place[0]].get(place[1], _NOTHING)

    def _records(self, place: Place) -> Sequence[Record]:
        return self._facts.get(place, ())

    def learn(self, records: Sequence[Record]) -> None:
        for record in records:
            for place in places_of(record):
                self._facts[place] = with_record(self._facts.get(place, []), record)

    def fetch(self, view: View, places: Iterable[Place]) -> None:
        """Nothing is ever missing here."""

    def conclude(
        self, said: Mapping[UnitId, tuple[int, Collection[Place]]], silent: Iterable[UnitId], wakes: Wakes
    ) -> tuple[set[UnitId], set[UnitId]]:
        spoken = self._spoke.intersection(silent)
        self._spoke.update(said)
        for at, units in wakes.items():
            if new := units - self._taken[at] if at in self._taken else units:
                if at not in self._wakes:
                    self._wakes[at] = set()
                    heappush(self._moments, at)
                self._wakes[at] |= new
        return set(), spoken

    def due(self, limit: int) -> list[Wake]:
        found: list[Wake] = []
        while self._moments and self._moments[0] <= self._now and len(found) < limit:
            at = heappop(self._moments)
            units = sorted(self._wakes.pop(at))
            if rest := units[limit - len(found) :]:
                self._wakes[at] = set(rest)
                heappush(self._moments, at)
            taken = units[: limit - len(found)]
            self._taken[at] = set(taken)
            found += [Wake(at, UnitId._make(unit)) for unit in taken]
        return found

    def woken(self, wakes: Iterable[Wake]) -> None:
        self._taken.clear()
