"""What was fetched, read, and put back into the order in which the centre received it.

Partitions are fetched apart, and after an outage one may be days of business time ahead of another. Judged as they
come, the watermark would run ahead, silence would be seen where there is only lag, and what is on time would be called
too late. So a batch waits for those of the partitions that still lag, and they are merged by the time of receipt (by
business time where none is told). Within a partition the order stays: a message counts as received no earlier than
those before it. The broker's own timestamps would not do: a producer's batches are stamped whole.
"""

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice, takewhile
from typing import Any, NamedTuple

from detectors.event import EVER
from detectors.wire import Refused, read
from stream_app.transport import Batch, Record

MOST_WAITING = 64  # batches; with so many in hand nobody is waited for any longer
AT_ONCE = 2_000  # messages in one slice


class Arrival(NamedTuple):
    """One message, read. ``row``: an Event or a Record, None where a subject was deleted, or why it was refused."""

    received: datetime  # no earlier than what came before it in its partition
    topic: str
    partition: int
    message: Record
    row: Any


class Slice(NamedTuple):
    """Messages in order of receipt, and what to call when all that follows from them is on Kafka."""

    arrivals: list[Arrival]
    finished: list[Callable[[], object]]


@dataclass(slots=True, eq=False)
class _Waiting:
    """A batch, and what of it has not been handed out."""

    left: deque[Arrival]
    acknowledge: Callable[[], object]


class Arrivals:
    """The batches in hand, by partition. Not for several threads."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, int], deque[_Waiting]] = {}
        self._reached: dict[tuple[str, int], datetime] = {}
        self._lagging: set[tuple[str, int]] = set()
        self._count = 0

    def __bool__(self) -> bool:
        return self._count > 0

    def add(self, batch: Batch, acknowledge: Callable[[], object]) -> None:
        """A batch has been fetched."""
        place = (batch.topic, batch.partition)
        self._waiting.setdefault(place, deque()).append(_Waiting(deque(self._read(batch)), acknowledge))
        self._count += 1
        if batch.end - batch.last > 1:
            self._lagging.add(place)
        else:
            self._lagging.discard(place)

    def _read(self, batch: Batch) -> Iterator[Arrival]:
        topic, partition = batch.topic, batch.partition
        reached = self._reached.get((topic, partition), EVER)
        for message in batch:
            row: Any = None  # see Arrival
            if message.value is not None:
                try:
                    row = read(message.value)
                    reached = max(reached, row.received_at or row.happened_at)
                except Refused as refused:
                    row = refused
            yield Arrival(reached, topic, partition, message, row)
        self._reached[topic, partition] = reached

    def complete(self, awaited: Iterable[tuple[str, int]] = ()) -> bool:
        """Is nothing missing that was received before what is in hand?

        awaited: partitions that hold something, of which nothing has ever come.
        """
        lagging = (*self._lagging, *awaited)
        return self._count >= MOST_WAITING or all(self._waiting.get(place) for place in lagging)

    def keep_to(self, ours: Container[tuple[str, int]]) -> None:
        """These partitions are ours: what went to another worker while it lagged is waited for no longer."""
        self._lagging = {place for place in self._lagging if place in ours}

    def take(self) -> Slice:
        """The oldest messages in hand, at most AT_ONCE; none that a partition yet to be fetched might precede."""
        bounds = [queue[-1].left[-1].received for place in self._lagging if (queue := self._waiting.get(place))]
        until = min(bounds, default=None)
        lanes = [(arrival for waiting in queue for arrival in waiting.left) for queue in self._waiting.values()]
        in_order = merge(*lanes, key=lambda arrival: arrival.received)
        taken = list(islice(takewhile(lambda arrival: until is None or arrival.received <= until, in_order), AT_ONCE))
        for arrival in taken:
            queue = self._waiting[arrival.topic, arrival.partition]
            next(waiting for waiting in queue if waiting.left).left.popleft()
        return Slice(taken, list(self._finished()))

    def _finished(self) -> Iterator[Callable[[], object]]:
        for queue in self._waiting.values():
            while queue and not queue[0].left:
                self._count -= 1
                yield queue.popleft().acknowledge
