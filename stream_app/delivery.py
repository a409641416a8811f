"""Messages handed to Kafka: none counts as sent before all of a batch are confirmed."""

import contextlib
from collections.abc import Sequence
from typing import Any

from confluent_kafka import KafkaException, Message, Producer

from stream_app import topics
from stream_app.settings import Settings

DELIVERY_S = 30.0  # how long Kafka may take for one batch before it is tried again


class NotDelivered(Exception):  # noqa: N818 - it says what happened to the messages
    """Kafka did not confirm all messages of a batch."""


def producer_of(settings: Settings) -> Producer:
    return Producer(
        {
            **topics.quiet(settings.kafka),
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 1,
            "queue.buffering.max.messages": 100_000,
            "message.max.bytes": topics.LARGEST_MESSAGE,
            "delivery.timeout.ms": int(DELIVERY_S * 1000),
        }
    )


def deliver(
    producer: Producer, messages: Sequence[tuple[str, bytes | None, bytes, Any]], within_s: float = DELIVERY_S + 5
) -> None:
    """Send (topic, key, value, headers) and return when Kafka has all. Raises NotDelivered, KafkaException.

    Any: confluent-kafka's kind of headers, or None.
    """
    if not messages:
        return
    faults: list[str] = []

    def confirmed(error: Any, message: Message) -> None:
        if error is not None:
            faults.append(str(error))

    for topic, key, value, headers in messages:
        while True:
            try:
                producer.produce(topic, value, key, headers=headers or [], on_delivery=confirmed)
                break
            except BufferError:
                producer.poll(0.1)
    left = producer.flush(within_s)
    if left or faults:
        failed, why = left + len(faults), faults[0] if faults else "no answer"
        with contextlib.suppress(KafkaException):
            producer.purge()  # what is purged is reported as a fault too
            producer.flush(1)
        raise NotDelivered(f"{failed} of {len(messages)} messages: {why}")
