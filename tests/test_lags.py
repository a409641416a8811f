"""How far a worker is behind, as its metrics tell."""

import time
from dataclasses import dataclass, field

import pytest
from faust.types import TP

from detectors.event import EVER
from stream_app import metrics
from stream_app.arrivals import Arrival
from stream_app.lags import Lags
from stream_app.transport import Batch


@dataclass(frozen=True)
class Message:
    """As much of a Kafka record as is looked at."""

    offset: int
    timestamp: int
    key: bytes | None = None
    value: bytes | None = b""
    headers: list[tuple[str, bytes]] = field(default_factory=list)


ONE, OTHER = TP("claims", 0), TP("claims", 1)


def batch(first: int, count: int, end: int, age_s: int = 0) -> Batch:
    taken_ms = int((time.time() - age_s) * 1000)
    records = [Message(first + n, taken_ms) for n in range(count)]
    return Batch(topic="claims", partition=0, records=records, missing=0, end=end)


def done(lags: Lags, of: Batch) -> None:
    lags.done([Arrival(EVER, of.topic, of.partition, record, None) for record in of])


def shown(name: str, **labels: str) -> float | None:
    return metrics.registry("worker").get_sample_value(f"fundwatch_consumer_lag_{name}", {"topic": "claims"} | labels)


@pytest.fixture
def lags() -> Lags:
    return Lags()


def test_what_was_fetched_and_is_not_done_with_waits(lags: Lags) -> None:
    first = batch(10, 5, end=100, age_s=300)
    lags.fetched(first)
    lags.show([ONE])
    assert shown("messages", partition="0") == 90
    done(lags, first)
    lags.show([ONE])
    assert shown("messages", partition="0") == 85
    assert (shown("seconds") or 0) >= 300


def test_who_has_done_all_of_it_is_not_behind_however_old_it_is(lags: Lags) -> None:
    last = batch(95, 5, end=100, age_s=300)
    lags.fetched(last)
    done(lags, last)
    lags.show([ONE])
    assert (shown("messages", partition="0"), shown("seconds")) == (0, 0)


def test_partitions_that_another_worker_has_now_are_not_shown(lags: Lags) -> None:
    lags.fetched(batch(0, 5, end=100))
    lags.show([ONE, OTHER])
    lags.show([OTHER])
    assert (shown("messages", partition="0"), shown("messages", partition="1")) == (None, 0)
