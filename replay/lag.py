"""How far a consumer group has come with its topics, asked of the broker."""

import warnings
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from time import monotonic

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

Offsets = dict[tuple[str, int], int]  # by topic and partition
ANSWER_WITHIN = 10.0  # seconds; a broker that takes longer counts as away
QUIET = 0  # librdkafka's log_level: it prints each failed attempt, which callers tell in words


class UnreachableError(ConnectionError):
    """A server cannot be reached, or nobody is there to read what is sent."""


class Group:
    """One consumer group, watched from outside. Every question raises KafkaException while the broker is away."""

    def __init__(self, kafka: Mapping[str, str | int | float | bool], name: str) -> None:
        self.name = name
        self._client = dict(kafka) | {"log_level": QUIET, "reconnect.backoff.max.ms": 2_000}
        self._asker = Consumer(self._client | {"group.id": name, "enable.auto.commit": False})  # never joins the group

    def topics(self, within: float) -> set[str]:
        """The topics that exist. within: seconds."""
        return set(self._asker.list_topics(timeout=within).topics)

    def ends(self, topics: Iterable[str]) -> Offsets:
        """The offsets that the next messages will have. Topics that do not exist are left out."""
        known = self._asker.list_topics(timeout=ANSWER_WITHIN).topics
        partitions = [(topic, number) for topic in topics if topic in known for number in known[topic].partitions]
        return self._offsets(partitions, OFFSET_END)

    def behind(self, ends: Offsets) -> int:
        """How many of the messages before ``ends`` the group has not yet acknowledged."""
        written = {partition: end for partition, end in ends.items() if end > 0}
        reached = self._committed(written)
        if fresh := [partition for partition in written if reached[partition] < 0]:
            reached |= self._offsets(fresh, OFFSET_BEGINNING)
        return sum(max(0, end - reached[partition]) for partition, end in written.items())

    def members(self) -> int:
        """How many workers read now."""
        # by its oldest question: the one that is to replace it (2.16.1) aborts the process if the broker dies meanwhile
        with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
            groups = AdminClient(self._client).list_groups(self.name, timeout=ANSWER_WITHIN)
        return sum(len(group.members) for group in groups)

    def _committed(self, partitions: Iterable[tuple[str, int]]) -> Offsets:
        """Negative where nothing was acknowledged yet."""
        asked = [TopicPartition(topic, number) for topic, number in partitions]
        # not by the AdminClient, see members()
        answers = self._asker.committed(asked, timeout=ANSWER_WITHIN) if asked else []
        return {(at.topic, at.partition): at.offset for at in answers}

    def _offsets(self, partitions: Iterable[tuple[str, int]], which: int) -> Offsets:
        asked = [TopicPartition(topic, number, which) for topic, number in partitions]
        answers = self._asker.offsets_for_times(asked, timeout=ANSWER_WITHIN) if asked else []
        for at in answers:
            if at.error is not None:
                raise KafkaException(at.error)
        return {(at.topic, at.partition): at.offset for at in answers}


class Patience:
    """Waits as long as something moves, or somebody is there to move it; not for ever."""

    def __init__(
        self, group: Group, alone: timedelta, stuck: timedelta, clock: Callable[[], float] = monotonic
    ) -> None:
        """alone: how long without any worker; stuck: how long with workers that get nowhere."""
        self._group, self._clock = group, clock
        self._alone, self._stuck = alone.total_seconds(), stuck.total_seconds()
        self._left: int | None = None
        self._moved = self._seen = clock()

    def test(self, left: int) -> None:
        """left: what is still to be done. Raises UnreachableError, TimeoutError."""
        now = self._clock()
        if self._left is None or left < self._left:
            self._moved = self._seen = now
        self._left = left
        if now - self._seen > self._alone:
            if not self._somebody():
                raise UnreachableError(
                    f"no worker has read for {self._alone:.0f} s (consumer group {self._group.name}); "
                    "start one with: fundwatch worker"
                )
            self._seen = now
        if now - self._moved > self._stuck:
            raise TimeoutError(
                f"the workers have not moved for {self._stuck:.0f} s, {left:,} still to do; look at their logs"
            )

    def _somebody(self) -> bool:
        try:
            return self._group.members() > 0
        except KafkaException:
            return True  # the broker is away: that says nothing about the workers
