"""A stream's batches are taken together where they came together, and none is lost by waiting in vain."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from faust.types import TP

from stream_app.coming import MOST_TOGETHER, Ours, Stream, in_order, together
from stream_app.lags import Lags
from stream_app.transport import Batch
from tests.test_arrivals import Message, swipes


class Event(NamedTuple):
    value: Batch
    ack: Callable[[], None]


class Told:
    """What a Faust stream is to an agent: events, one after the other, until there are no more."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self.acknowledged: list[int] = []

    def tell(self, *offsets: int) -> None:
        for offset in offsets:
            message = Message(offset, b"", None)
            batch = Batch(topic="verdicts", partition=offset % 8, records=[message], missing=0, end=offset + 1)
            self._queue.put_nowait(Event(batch, lambda offset=offset: self.acknowledged.append(offset)))

    def tell_swipes(self, partition: int, end: int, records: Sequence[Message]) -> None:
        """A piece of a partition that reaches to ``end``."""
        batch = Batch(topic="swipes", partition=partition, records=records, missing=0, end=end)
        self._queue.put_nowait(Event(batch, lambda: None))

    def end(self) -> None:
        self._queue.put_nowait(None)

    def noack(self) -> "Told":
        return self

    async def events(self) -> AsyncIterator[Event]:
        while (event := await self._queue.get()) is not None:
            yield event


async def taken(told: Told) -> list[list[int]]:
    return [[fetched.batch.first for fetched in some] async for some in together(told, Lags())]


def run(scene: Callable[[], Awaitable[Any]]) -> Any:
    async def played() -> Any:
        return await asyncio.wait_for(scene(), 10)

    return asyncio.run(played())


def test_verdicts_that_came_together_are_kept_together() -> None:
    async def scene() -> list[list[int]]:
        told = Told()
        told.tell(1, 2, 3)
        taking = together(told, Lags())
        first = await anext(taking)
        told.tell(4)
        return [[fetched.batch.first for fetched in some] for some in (first, await anext(taking))]

    assert run(scene) == [[1, 2, 3], [4]]


def test_no_transaction_takes_more_than_its_limit() -> None:
    async def scene() -> list[int]:
        told = Told()
        told.tell(*range(MOST_TOGETHER + 5))
        taking = together(told, Lags())
        return [len(await anext(taking)) for _ in range(2)]

    assert run(scene) == [MOST_TOGETHER, 5]


def test_each_batch_is_acknowledged_by_its_own_call() -> None:
    async def scene() -> list[int]:
        told = Told()
        told.tell(1, 2)
        for fetched in await anext(together(told, Lags())):
            fetched.acknowledge()
        return told.acknowledged

    assert run(scene) == [1, 2]


def test_a_partition_that_lags_is_waited_for_between_two_pieces_too() -> None:
    """What was in hand of it once is used up: then the others ran ahead of it."""

    async def scene() -> list[list[int]]:
        told = Told()
        behind, ahead = swipes(1, 2, 30), swipes(10, 40)
        told.tell_swipes(0, 3, behind[:2])
        told.tell_swipes(1, 2, ahead)
        taking = in_order(told, Lags())
        first = await anext(taking)
        told.tell_swipes(0, 3, behind[2:])
        return [[one.received.minute for one in piece.arrivals] for piece in (first, await anext(taking))]

    assert run(scene) == [[1, 2], [10, 30, 40]]


def test_who_is_behind_is_waited_for_from_the_start() -> None:
    async def scene() -> list[int]:
        told = Told()
        both = {TP("swipes", 0), TP("swipes", 1)}
        told.tell_swipes(1, 1, swipes(10))
        taking = in_order(told, Lags(), lambda: Ours(both, both))
        piece = asyncio.ensure_future(anext(taking))
        await asyncio.sleep(0)
        told.tell_swipes(0, 1, swipes(5))
        return [one.received.minute for one in (await piece).arrivals]

    assert run(scene) == [5, 10]


def test_who_went_to_another_worker_while_it_lagged_holds_nobody_up() -> None:
    """Else everything would wait for a silence of 0.25 s, or for 64 batches, until the worker is started again."""

    async def scene() -> list[int]:
        told = Told()
        both = {TP("swipes", 0), TP("swipes", 1)}
        ours = [Ours(both, set())]
        told.tell_swipes(0, 3, swipes(1))
        told.tell_swipes(1, 1, swipes(5))
        taking = in_order(told, Lags(), lambda: ours[0])
        await anext(taking)
        ours[0] = Ours({TP("swipes", 1)}, set())
        told.tell_swipes(1, 2, swipes(5, 7)[1:])
        return [one.received.minute for one in (await anext(taking)).arrivals]

    assert run(scene) == [5], "what is in hand is handed out before anything else is waited for"


def test_what_comes_after_waiting_in_vain_is_not_lost() -> None:
    async def scene() -> tuple[object, int]:
        told = Told()
        stream = Stream(told)
        nothing = await stream.within(0)
        told.tell(7)
        fetched = await stream.within()
        return nothing, fetched.batch.first

    assert run(scene) == (None, 7)


def test_what_is_in_hand_when_the_app_stops_is_not_handed_on() -> None:
    """It is not acknowledged, and comes again."""

    async def scene() -> list[list[int]]:
        told = Told()
        told.tell(1)
        told.end()
        return await taken(told)

    assert run(scene) == []
