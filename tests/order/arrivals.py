"""One recording judged by several workers over one Redis, in another order, as a whole line does it.

Kafka is left out, and so all of it is decided by a seed: which worker goes next, how much it takes, whom it loses.
"""

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random
from zlib import crc32

from redis.exceptions import RedisError

from alerts.keeper import Table
from detectors.catalogue import DETECTORS
from detectors.event import EVER, Event, Record
from detectors.finding import UnitId, Verdict
from detectors.judge import Judge
from detectors.wire import Refused, read
from replay.run import LATENESS
from replay.send import envelope
from stream_app.memory import Memory

AWAY_S = 30.0  # the longest that a memory may be away
Standing = dict[str, tuple[str, frozenset[str]]]  # level and events of what is open, by alert_id


@dataclass(frozen=True)
class Way:
    """How a recording comes. most: events in a batch. hours: by which each may move. repeated: share that comes twice.

    restarts: share of the batches whose worker is lost before it could acknowledge: another does the batch again.
    """

    workers: int
    most: int
    hours: float
    repeated: float
    restarts: float
    seed: int


@dataclass(frozen=True)
class Arrived:
    """What counts of a recording: readable, no test, not later than the lateness promised."""

    records: Sequence[Record]
    events: Sequence[tuple[bytes, Event]]  # by Kafka's key, in order of arrival

    @classmethod
    def of(cls, lines: Iterable[bytes]) -> "Arrived":
        records: list[Record] = []
        events: list[tuple[bytes, Event]] = []
        now = EVER
        for line in lines:
            try:
                row = read(line)
            except Refused:
                continue
            if isinstance(row, Record):
                records.append(row)
            elif not row.is_test and row.happened_at >= now - LATENESS:
                now = max(now, row.happened_at)
                events.append((envelope(line).key, row))
        return cls(records, events)

    def shuffled(self, way: Way, chance: Random) -> list[tuple[bytes, Event]]:
        """Each moved by up to ``hours`` of received time; those repeated come a second time as far away again."""
        spread = way.hours * 3600
        last = 0.0
        due: list[tuple[float, int]] = []
        for number, (_, event) in enumerate(self.events):
            last = max(last, (event.received_at or event.happened_at).timestamp())
            due.append((last + chance.random() * spread, number))
            if chance.random() < way.repeated:
                due.append((last + chance.random() * spread, number))
        return [self.events[number] for _, number in sorted(due)]


class Worker:
    """One worker's share of what arrives, and its judge over the shared memory."""

    def __init__(self, memory: Callable[[], Memory], keep: "Keeper") -> None:
        self._memory, self._keep = memory, keep
        self.waiting: list[Event] = []
        self.done = 0
        self.restart()

    def restart(self) -> None:
        """All it knew is gone but what the memory holds."""
        self.judge = Judge(memory=self._memory(), detectors=DETECTORS, publish=self._keep.take, on_crash=_raise)

    @property
    def left(self) -> int:
        return len(self.waiting) - self.done

    def work(self, size: int, *, lost: bool) -> None:
        """Judge the next batch; if it is lost then, another takes its place and judges the batch again."""
        batch = self.waiting[self.done : self.done + size]
        for _ in range(1 + lost):
            _insist(lambda: self._judge(batch))
            if lost:
                self.restart()
        self.done += len(batch)

    def _judge(self, batch: Sequence[Event]) -> None:
        self.judge.hear(batch)
        while self.judge.tick():
            pass


class Keeper:
    """Takes verdicts in any order, in batches of any size, some twice."""

    def __init__(self, chance: Random) -> None:
        self._chance, self._table = chance, Table()
        self._waiting: list[Verdict] = []

    def take(self, verdicts: Sequence[Verdict]) -> None:
        self._waiting += verdicts
        if len(self._waiting) > self._chance.randint(1, 2_000):
            self.settle()

    def settle(self) -> None:
        """Which of several verdicts comes first must not matter, so it is drawn."""
        some = [*self._waiting, *self._waiting[:3]]
        self._chance.shuffle(some)
        for verdict in some:
            self._table.keep(verdict, EVER)
        self._waiting.clear()

    def standing(self) -> Standing:
        self.settle()
        alerts = self._table.alerts.values()
        return {a.alert_id: (a.level, frozenset(a.events)) for a in alerts if a.status == "open"}


def judged(
    arrived: Arrived, way: Way, memory: Callable[[], Memory], meanwhile: Callable[[int], None] = lambda number: None
) -> Standing:
    """The alerts that stand when all has come this way. meanwhile: called before each batch, with its number."""
    chance = Random(way.seed)
    keeper = Keeper(chance)
    workers = [Worker(memory, keeper) for _ in range(way.workers)]
    workers[0].judge.learn(arrived.records)
    for key, event in arrived.shuffled(way, chance):
        workers[crc32(key) % way.workers].waiting.append(event)
    for number in count():
        if not (busy := [worker for worker in workers if worker.left]):
            break
        meanwhile(number)
        worker = chance.choice(busy)
        worker.work(_size(way.most, chance), lost=chance.random() < way.restarts)
    for worker in workers:  # what moved the time last may have made something due for all
        worker.work(0, lost=False)
    return keeper.standing()


def undisturbed(arrived: Arrived) -> Standing:
    """In order of arrival, in large batches, in one process without a server: as a replay does it."""
    from replay.memory import Memory as Dicts  # beside the other Memory

    table = Table()

    def keep(verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            table.keep(verdict, EVER)

    judge = Judge(memory=Dicts(), detectors=DETECTORS, publish=keep, on_crash=_raise)
    judge.learn(arrived.records)
    events = [event for _, event in arrived.events]
    for start in range(0, len(events), 20_000):
        judge.hear(events[start : start + 20_000])
        while judge.tick():
            pass
    return {a.alert_id: (a.level, frozenset(a.events)) for a in table.alerts.values() if a.status == "open"}


def _size(most: int, chance: Random) -> int:
    """Small ones as often as large ones: even over the logarithm."""
    return round(math.exp(chance.uniform(0, math.log(most))))


def _insist(work: Callable[[], None]) -> None:
    """As a worker does while the memory is away: the same batch, again and again."""
    deadline = time.monotonic() + AWAY_S
    while True:
        try:
            return work()
        except RedisError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _raise(unit: UnitId, error: Exception) -> None:
    raise error
