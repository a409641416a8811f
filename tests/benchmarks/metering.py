"""What measuring costs: the worker's line over a real Redis, beside another one with its metrics off."""

import gc
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import fmean
from time import time
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
import structlog
from numpy.typing import NDArray
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
    """CPU time of an event with metrics and without: two lines hear the same slices, each first in turn."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    spent: tuple[list[float], list[float]] = [], []  # on, off: microseconds an event, by slice
    with tempfile.TemporaryDirectory() as folder, redis_running(Path(folder)) as server:
        url = f"redis://{server.address}/0"
        lines = [Unheard(Settings(redis=RedisSettings(url=url, prefix=prefix))) for prefix in ("on", "off")]
        told = [_told(recording, events) for _ in lines]  # each its own: what is worked out of an event is kept with it
        for line, (records, _) in zip(lines, told, strict=True):
            line.process(records)
        gc.disable()  # it would fall on whichever is on turn
        for number, slices in enumerate(zip(*(batches(heard, LIVE_BATCH) for _, heard in told), strict=True)):
            for off in (number % 2, 1 - number % 2):
                clock = Clock()
                with _silent(lines[off]) if off else ExitStack():
                    clock.run(partial(lines[off].process, slices[off]))
                spent[off].append(clock.us_each(len(slices[off])))
        gc.enable()
    on_us, off_us = map(fmean, spent)
    low, high = _interval(np.array(spent))
    note = f"the same {len(spent[0])} slices of {LIVE_BATCH}, {events:,} events"
    yield Figure("metrics", "an event, metrics on", on_us, "µs/event", note)
    yield Figure("metrics", "an event, metrics off", off_us, "µs/event", note)
    share = 100 * (on_us - off_us) / off_us
    yield Figure("metrics", "share of the cost", share, "%", f"95 %: {low:.1f} to {high:.1f}; decoding and Kafka apart")


def _told(recording: Recording, events: int) -> tuple[list[Arrival], list[Arrival]]:
    """Its records, and so many of its events."""
    told = [arrival for arrival in map(_arrival, enumerate(recording.raw())) if not isinstance(arrival.row, Refused)]
    records = [arrival for arrival in told if isinstance(arrival.row, Record)]
    return records, list(islice((arrival for arrival in told if not isinstance(arrival.row, Record)), events))


def _interval(spent: NDArray[np.float64]) -> tuple[float, float]:
    """Of the share, by drawing slices again. spent: shape (2, slices), on and off."""
    slices = spent.shape[1]
    drawn = spent[:, np.random.default_rng(0).integers(0, slices, size=(2_000, slices))].mean(axis=2)
    low, high = np.quantile(100 * (drawn[0] - drawn[1]) / drawn[1], [0.025, 0.975])
    return float(low), float(high)


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
