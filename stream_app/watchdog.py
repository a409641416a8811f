"""A worker that owns a partition of which it reads nothing is of no use: it ends, and is started again.

Seen after Kafka or a member of the group was gone for longer than a session: all partitions assigned, heartbeats sent,
and of some of them nothing fetched any more, while others went on. The causes that were found are mended
(docs/decisions/a-one-message-per-batch.md); this is for those that were not. What was not acknowledged comes again, so
ending is always safe, and the last words say how reading stood.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from stream_app import topics
from stream_app.settings import KafkaSettings

LOOKS = 3  # that a partition may look the same
ANSWER_WITHIN_S = 5.0
Partition = tuple[str, int]


class Watchdog:
    """Compares looks at the partitions that a worker owns: one that has just begun is not stuck."""

    def __init__(self) -> None:
        self._looks: dict[tuple[Partition, int], int] = {}  # how often seen at this offset

    def is_stuck(self, waiting: Mapping[Partition, int]) -> bool:
        """waiting: what is acknowledged of each partition that has more, of which nothing is in hand."""
        self._looks = {place: self._looks.get(place, 0) + 1 for place in waiting.items()}
        return any(looks >= LOOKS for looks in self._looks.values())


def behind(kafka: KafkaSettings, assigned: Iterable[Partition]) -> dict[Partition, int]:
    """Of these partitions those that hold more than the group has acknowledged, and how far it has.

    Empty if the broker does not answer.
    """
    places = [TopicPartition(topic, partition) for topic, partition in assigned]
    if not places:
        return {}
    consumer = Consumer({**topics.quiet(kafka), "group.id": kafka.group, "enable.auto.commit": False})
    try:
        waiting = {}
        for place in consumer.committed(places, timeout=ANSWER_WITHIN_S):
            first, end = consumer.get_watermark_offsets(place, timeout=ANSWER_WITHIN_S)
            if end > max(first, place.offset):
                waiting[place.topic, place.partition] = max(first, place.offset)
    except KafkaException:
        return {}
    else:
        return waiting
    finally:
        consumer.close()


def where_tasks_stand() -> list[str]:
    """Of each task of the running loop, the innermost line of a coroutine that it waits in."""
    return sorted(f"{task.get_name()}: {_innermost(task.get_coro())}" for task in asyncio.all_tasks())


def _innermost(coroutine: Any) -> str:
    """Any: a coroutine, a generator or what they wait for; each names its own parts otherwise."""
    frame = None
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None) or frame
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "ag_await", None)
    return f"{frame.f_code.co_qualname}:{frame.f_lineno}" if frame else "?"
