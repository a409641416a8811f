"""What measuring costs: the worker's line over a real Redis, every other slice with its metrics off."""

import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from time import time
from typing import Any, NamedTuple
from unittest.mock import patch

import structlog
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from detectors.event import EVER, Record
from detectors.wire import Refused, read
from replay.send import envelope
from stream_app.arrivals import Arrival
from stream_app.line import Line
from stream_app.metrics import Tally
from stream_app.settings import RedisSettings, Settings
from tests.benchmarks.core import LIVE_BATCH, batches
from tests.benchmarks.figures import Clock, Figure
from tests.benchmarks.recordings import Recording
from tests.live.servers import redis_running


class Message(NamedTuple):
    """As much of a Kafka record as the line looks at."""

    key: bytes | None
    value: bytes
    timestamp: int
    offset: int
    headers: Sequence[tuple[str, bytes]] = ()


class Unheard(Line):
    """Keeps its verdicts to itself: no Kafka is needed, and none is measured."""

    def _deliver(self, messages: Sequence[tuple[str, bytes | None, bytes, Any]]) -> None:
        """Any: the line's own."""


def metrics(recording: Recording, events: int) -> Iterator[Figure]:
    """CPU time of an event with metrics and without, over the same run."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    told = [arrival for arrival in map(_arrival, enumerate(recording.raw())) if not isinstance(arrival.row, Refused)]
    records = [arrival for arrival in told if isinstance(arrival.row, Record)]
    heard = list(islice((arrival for arrival in told if not isinstance(arrival.row, Record)), events))
    with tempfile.TemporaryDirectory() as folder, redis_running(Path(folder)) as server:
        line = Unheard(Settings(redis=RedisSettings(url=f"redis://{server.address}/0")))
        line.process(records)
        clocks, counts = (Clock(), Clock()), [0, 0]
        for number, batch in enumerate(batches(heard, LIVE_BATCH)):
            off = number % 2 == 1
            with _silent(line) if off else ExitStack():
                clocks[off].run(partial(line.process, batch))
            counts[off] += len(batch)
    on_us, off_us = (clock.us_each(count) for clock, count in zip(clocks, counts, strict=True))
    yield Figure("metrics", "an event, metrics on", on_us, "µs/event", f"{counts[0]:,} events, {LIVE_BATCH} at once")
    yield Figure("metrics", "an event, metrics off", off_us, "µs/event", f"{counts[1]:,} events")
    yield Figure("metrics", "share of the cost", 100 * (on_us - off_us) / off_us, "%", "decoding and Kafka apart")


def _arrival(numbered: tuple[int, bytes]) -> Arrival:
    offset, raw = numbered
    try:
        row: Any = read(raw)  # an event, a record, or why it is neither
    except Refused as refused:
        row = refused
    return Arrival(EVER, envelope(raw).topic, 0, Message(None, raw, int(time() * 1000), offset), row)


@contextmanager
def _silent(line: Line) -> Iterator[None]:
    """Every instrument does nothing, and finding it costs nothing."""
    with ExitStack() as stack:
        nothing = [(Counter, "inc"), (Gauge, "set"), (Histogram, "observe"), (Tally, "observe")]
        for kind, method in nothing:
            stack.enter_context(patch.object(kind, method, lambda *_: None))
        stack.enter_context(patch.object(MetricWrapperBase, "labels", lambda self, *_: self))
        stack.enter_context(patch.object(line._judge, "_on_judged", None))
        yield
