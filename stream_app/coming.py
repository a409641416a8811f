"""What a stream brings, as those who work on it want it: in order of receipt, or what came at about the same time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Set
from typing import NamedTuple, cast

import faust
import structlog
from faust.types import TP

from stream_app import metrics, topics
from stream_app.arrivals import Arrivals, Slice
from stream_app.lags import Lags
from stream_app.transport import Batch

log = structlog.get_logger()

PATIENCE_S = 0.25  # how long a partition that lags is waited for
GATHER_S = 0.02  # verdicts of one slice lie in several partitions and come in several fetches
MOST_TOGETHER = 64  # batches


class Fetched(NamedTuple):
    """A batch, and what to call when it is done with."""

    batch: Batch
    acknowledge: Callable[[], object]


class Ended(Exception):  # noqa: N818 - no fault: the app stops
    """Nothing comes any more. What is in hand is not acknowledged, and comes again."""


class Stream:
    """A stream whose next batch may be waited for without losing it: time running out cancels nothing."""

    def __init__(self, stream: faust.Stream[Batch]) -> None:
        self._events = aiter(stream.noack().events())
        self._next: asyncio.Future[faust.EventT[Batch]] = asyncio.ensure_future(anext(self._events))

    @property
    def waits(self) -> bool:
        """Is one there already?"""
        return self._next.done()

    async def within(self, seconds: float | None = None) -> Fetched | None:
        """The next one; None if it does not come in time. Raises Ended."""
        await asyncio.wait({self._next}, timeout=seconds)
        if not self._next.done():
            return None
        try:
            event = self._next.result()
        except StopAsyncIteration:
            raise Ended from None
        self._next = asyncio.ensure_future(anext(self._events))
        return Fetched(cast(Batch, event.value), event.ack)

    def close(self) -> None:
        self._next.cancel()


class Ours(NamedTuple):
    """The partitions assigned to this worker, and those of them that hold something of which nothing has come yet."""

    partitions: Set[TP]
    awaited: Set[TP]


async def in_order(
    source: faust.Stream[Batch], lags: Lags, ours: Callable[[], Ours | None] = lambda: None
) -> AsyncIterator[Slice]:
    """The stream's batches, merged (arrivals.py). Who is silent for PATIENCE_S is not waited for.

    ours: as it is now, of the stream's topics; None: nobody can tell.
    """
    arrivals, stream = Arrivals(), Stream(source)

    def must_wait() -> bool:
        """For what is there already, or for what was received before what is in hand."""
        now = ours()
        if now is not None:
            arrivals.keep_to(now.partitions)
        return stream.waits or not arrivals.complete(now.awaited if now is not None else ())

    try:
        while True:
            fetched = await stream.within(PATIENCE_S if arrivals else None)
            if fetched is not None:
                _look_for_gaps(fetched.batch)
                lags.fetched(fetched.batch)
                arrivals.add(*fetched)
                await asyncio.sleep(0)  # what is fetched already comes at once
                if must_wait():
                    continue
            while arrivals and (piece := arrivals.take()).arrivals:
                yield piece
                if must_wait():
                    break
    except Ended:
        return
    finally:
        stream.close()


def _look_for_gaps(batch: Batch) -> None:
    if batch.missing and batch.topic != topics.REFERENCE:
        metrics.GAPS.labels(batch.topic).inc(batch.missing)
        log.error("batch.offsets_missing", topic=batch.topic, partition=batch.partition, missing=batch.missing)


async def together(source: faust.Stream[Batch], lags: Lags) -> AsyncIterator[list[Fetched]]:
    """Batches that come within GATHER_S of the first of them, or came while nobody asked."""
    stream, clock = Stream(source), asyncio.get_running_loop().time
    try:
        while True:
            some: list[Fetched] = []
            until = None
            while len(some) < MOST_TOGETHER:
                fetched = await stream.within(None if until is None else max(0.0, until - clock()))
                if fetched is None:
                    break
                lags.fetched(fetched.batch)
                some.append(fetched)
                until = until or clock() + GATHER_S
            yield some
    except Ended:
        return
    finally:
        stream.close()
