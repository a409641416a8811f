"""What could not be read is kept and named (隔离区): on the topic ``quarantine``, with reason, field, place and bytes.

A few bad lines are daily bread; when most of what comes cannot be read, the feed itself is broken (another format,
another encoding, a wrong topic), and reading on would only turn a feed into a heap of quarantine records.
"""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from detectors.wire import Quarantined, Refused, quarantined
from stream_app.topics import QUARANTINE

MOST_REFUSED, AMONG = 1_000, 10_000  # messages
ANSWER_WITHIN = 10.0  # seconds


class FloodError(RuntimeError):
    """Too much of what comes cannot be read: the worker stops and acknowledges nothing more."""


class Floodgate:
    """Counts what was refused among the last messages; one for each source of messages."""

    def __init__(self, most: int = MOST_REFUSED, among: int = AMONG) -> None:
        """most: refusals allowed among the last ``among`` messages."""
        self._most, self._among = most, among
        self._batches: deque[tuple[int, int]] = deque()  # (messages, refused of them), together at least ``among``
        self._messages = self._refused = 0
        self._reasons: Counter[str] = Counter()

    def count(self, messages: int, refused: list[Refused]) -> None:
        """One batch was read. Raises FloodError."""
        self._batches.append((messages, len(refused)))
        self._messages += messages
        self._refused += len(refused)
        self._reasons.update(f"{why.reason} {why.field}".strip() for why in refused)
        if self._refused > self._most:
            raise FloodError(self._complaint())
        while self._batches and self._messages - self._batches[0][0] >= self._among:
            old, among_them = self._batches.popleft()
            self._messages -= old
            self._refused -= among_them
        if not self._refused:
            self._reasons.clear()

    def _complaint(self) -> str:
        reasons = ", ".join(f"{reason} ({times:,})" for reason, times in self._reasons.most_common(3))
        return (
            f"{self._refused:,} of the last {self._messages:,} messages cannot be read: {reasons}. "
            "Nothing more is acknowledged. Mend the feed, then start again"
        )


def record(refused: Refused, raw: bytes, topic: str, partition: int, offset: int) -> bytes:
    """The quarantine message about one message of a topic."""
    return msgspec.json.encode(quarantined(refused, raw, f"{topic}/{partition}", offset, datetime.now(UTC)))


class Kept(msgspec.Struct):
    """One record in the quarantine, and where it lies there: partition/offset, the name that ``show`` takes."""

    at: str
    record: Quarantined


def kept(kafka: Mapping[str, str | int | float | bool]) -> Iterator[Kept]:
    """Everything in the quarantine now, partition by partition, oldest first. Raises KafkaException."""
    consumer = Consumer(
        dict(kafka)
        | {
            "group.id": "fundwatch-quarantine-reader",  # asked for by the client; nothing is committed
            "enable.auto.commit": False,
            "log_level": 0,  # what fails is raised
        }
    )
    try:
        partitions = consumer.list_topics(QUARANTINE, timeout=ANSWER_WITHIN).topics[QUARANTINE].partitions
        for number in sorted(partitions):
            yield from _kept_in(consumer, number)
    finally:
        consumer.close()


def _kept_in(consumer: Consumer, partition: int) -> Iterator[Kept]:
    begin, end = consumer.get_watermark_offsets(TopicPartition(QUARANTINE, partition), timeout=ANSWER_WITHIN)
    if begin == end:
        return
    consumer.assign([TopicPartition(QUARANTINE, partition, begin)])
    # None: what retention has taken away meanwhile never comes
    while (message := consumer.poll(ANSWER_WITHIN)) is not None:
        if error := message.error():
            raise KafkaException(error)
        offset = message.offset() or 0
        yield Kept(f"{partition}/{offset}", msgspec.json.decode(message.value() or b"", type=Quarantined))
        if offset + 1 >= end:
            return
