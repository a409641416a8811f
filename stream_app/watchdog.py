"""A worker that owns partitions, lags, and reads nothing is of no use: it ends, and is started again.

Seen after a member of the group was killed and came back while its old session was still held: all partitions assigned,
heartbeats sent, and nothing fetched any more. What was not acknowledged comes again, so ending is always safe.
"""

from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaException, TopicPartition

from stream_app import topics
from stream_app.settings import KafkaSettings

SILENT_S = 15.0  # how long a worker may read nothing before it is asked whether there is something to read
ANSWER_WITHIN_S = 5.0


class Watchdog:
    """Compares two looks at a silent worker: one that waits for a server or has just begun is not stuck."""

    def __init__(self) -> None:
        self._lag = 0

    def is_stuck(self, lag: int) -> bool:
        """lag: messages it has not acknowledged though it owns them; 0 while it reads, or if nobody can say."""
        stuck = 0 < lag == self._lag
        self._lag = lag
        return stuck


def behind(kafka: KafkaSettings, assigned: Iterable[tuple[str, int]]) -> int:
    """Messages in these partitions that the group has not acknowledged; 0 if the broker does not answer."""
    places = [TopicPartition(topic, partition) for topic, partition in assigned]
    if not places:
        return 0
    consumer = Consumer({**topics.quiet(kafka), "group.id": kafka.group, "enable.auto.commit": False})
    try:
        waiting = 0
        for place in consumer.committed(places, timeout=ANSWER_WITHIN_S):
            first, end = consumer.get_watermark_offsets(place, timeout=ANSWER_WITHIN_S)
            waiting += max(0, end - max(first, place.offset))
    except KafkaException:
        return 0
    else:
        return waiting
    finally:
        consumer.close()
