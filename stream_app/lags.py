"""How far this worker is behind: what waits in the partitions that it owns."""

import time
from collections.abc import Iterable, Sequence

from faust.types import TP

from stream_app import metrics
from stream_app.arrivals import Arrival
from stream_app.transport import Batch


class Lags:
    """Counts as waiting what the broker has, as it last said, and what has not been done with.

    Partitions of which nothing has come yet are not known, and those given to another worker are not shown any more.
    """

    def __init__(self) -> None:
        self._ends: dict[TP, int] = {}
        self._next: dict[TP, int] = {}
        self._stamp_ms: dict[str, int] = {}  # broker's time of what was done with last, by topic
        self._shown: set[TP] = set()

    def fetched(self, batch: Batch) -> None:
        """A batch has come; it is not done with yet."""
        place = TP(batch.topic, batch.partition)
        self._ends[place] = batch.end
        self._next.setdefault(place, batch.first)

    def done(self, arrivals: Sequence[Arrival]) -> None:
        """All that follows from these messages is on Kafka."""
        for arrival in arrivals:
            self._next[TP(arrival.topic, arrival.partition)] = arrival.message.offset + 1
            self._stamp_ms[arrival.topic] = arrival.message.timestamp

    def kept(self, batch: Batch) -> None:
        """The same of verdicts: their alerts are stored."""
        self._next[TP(batch.topic, batch.partition)] = batch.last + 1
        self._stamp_ms[batch.topic] = batch.records[-1].timestamp

    def show(self, assigned: Iterable[TP]) -> None:
        """Set the metrics."""
        mine = set(assigned)
        for place in self._shown - mine:
            metrics.LAG.remove(place.topic, str(place.partition))
        waiting = {place: max(0, self._ends.get(place, 0) - self._next.get(place, 0)) for place in mine}
        for place, count in waiting.items():
            metrics.LAG.labels(place.topic, str(place.partition)).set(count)
        for topic in {place.topic for place in mine}:
            behind = any(count for place, count in waiting.items() if place.topic == topic)
            age_s = time.time() - self._stamp_ms.get(topic, 0) / 1000 if topic in self._stamp_ms else 0.0
            metrics.LAG_SECONDS.labels(topic).set(max(0.0, age_s) if behind else 0.0)
        self._shown = mine
        for known in (self._ends, self._next):
            for place in known.keys() - mine:
                del known[place]
