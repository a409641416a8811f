"""The Kafka topics: their names, and how to create them."""

import time
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs leave out what it takes from elsewhere
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
)
from confluent_kafka.cimpl import NewTopic

from stream_app.settings import KafkaSettings

SWIPES, CLAIMS, STOCK, REFERENCE = "swipes", "claims", "stock", "reference"
VERDICTS, ALERTS, QUARANTINE = "verdicts", "alerts", "quarantine"
EVENTS = (SWIPES, CLAIMS, STOCK, REFERENCE)
ALL = (*EVENTS, VERDICTS, ALERTS, QUARANTINE)

ANSWER_WITHIN_S = 5.0
LARGEST_MESSAGE = 4 << 20  # bytes; a line of 1 MiB comes back from quarantine as base64


class KafkaAwayError(ConnectionError):
    """No broker answers at the address in the settings."""


def create(kafka: KafkaSettings) -> tuple[str, ...]:
    """Create the topics that are missing; those that exist are left as they are.

    Returns the names of those created. Raises KafkaAwayError.
    """
    there = partitions(kafka)
    missing = [name for name in ALL if name not in there]
    if not missing:
        return ()
    client = AdminClient(quiet(kafka))  # to be held until the last answer is there
    wanted = client.create_topics([_new(name, kafka) for name in missing], operation_timeout=ANSWER_WITHIN_S)
    created = []
    for name, outcome in wanted.items():
        try:
            outcome.result(ANSWER_WITHIN_S)
            created.append(name)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody else was quicker
                raise
    return tuple(created)


def partitions(kafka: KafkaSettings, names: Iterable[str] = ALL) -> Mapping[str, int]:
    """Those of ``names`` that exist, with their number of partitions. Raises KafkaAwayError."""
    try:
        there = AdminClient(quiet(kafka)).list_topics(timeout=ANSWER_WITHIN_S).topics
    except KafkaException as error:
        raise KafkaAwayError(
            f"Kafka does not answer at {kafka.bootstrap}: {error.args[0].str()}. "
            "Is it running, and is kafka.bootstrap right?"
        ) from None
    return {name: len(there[name].partitions) for name in names if name in there}


def complaint(kafka: KafkaSettings) -> str:
    """What the brokers, or the way to them, object to; "" where nothing is said."""
    said: list[str] = []
    hearing: Any = {"error_cb": lambda error: said.append(error.str())}  # Any: the stubs know no callbacks
    client = AdminClient(quiet(kafka) | hearing)
    deadline = time.monotonic() + ANSWER_WITHIN_S
    while not said and time.monotonic() < deadline:
        client.poll(0.1)
    return "; ".join(dict.fromkeys(said))


def keep_for(kafka: KafkaSettings, name: str, age: timedelta) -> None:
    """Let Kafka delete what has been on the topic for longer. Raises KafkaAwayError, KafkaException."""
    if name not in partitions(kafka):
        raise KafkaAwayError(f"the topic {name} does not exist; create it with: fundwatch topics")
    kept_ms = str(int(age.total_seconds() * 1000))
    entry = ConfigEntry("retention.ms", kept_ms, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, name, incremental_configs=[entry])
    client = AdminClient(quiet(kafka))  # to be held until the answer is there
    client.incremental_alter_configs([resource])[resource].result(ANSWER_WITHIN_S)


def quiet(kafka: KafkaSettings) -> dict[str, str | int | float | bool]:
    """A client that leaves it to us to say that the broker is away; it would say so 20 times a second."""
    return kafka.client() | {"log_level": 2}


def _new(name: str, kafka: KafkaSettings) -> NewTopic:
    return NewTopic(
        name,
        num_partitions=kafka.partitions,
        replication_factor=kafka.replication,
        config={
            # retention deletes by timestamp: with business times, old recordings would vanish minutes after being sent
            "message.timestamp.type": "LogAppendTime",
            "cleanup.policy": "compact" if name == REFERENCE else "delete",
            "max.message.bytes": str(LARGEST_MESSAGE),
        },
    )
