"""What a fetch brought while the group was shared out anew is asked for again, without a broker."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

from faust.types import TP

from stream_app.settings import Settings
from stream_app.transport import Consumer, ConsumerThread, make_app

ONE, OTHER = TP("swipes", 0), TP("swipes", 1)


class Asking(Consumer):
    """A consumer that only remembers what it asked for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Faust's own, passed on
        super().__init__(*args, **kwargs)
        self.asked: list[dict[TP, int]] = []

    async def seek_wait(self, partitions: Mapping[TP, int]) -> None:
        self.asked.append(dict(partitions))


async def nothing(*_: object) -> None:
    """No broker is asked."""


@contextmanager
def asking(*dropped: TP) -> Iterator[Asking]:
    app = make_app(Settings())
    consumer = Asking(app.transport, callback=nothing, on_partitions_revoked=nothing, on_partitions_assigned=nothing)
    consumer._set_active_tps({ONE, OTHER})
    consumer._read_offset.update({ONE: 10, OTHER: 20})
    consumer._dropped.update(dropped)
    try:
        yield consumer
    finally:
        cast(ConsumerThread, consumer._thread).thread_loop.close()


def test_what_was_dropped_of_a_partition_that_is_paused_is_asked_for_once_it_is_resumed() -> None:
    async def story() -> list[dict[TP, int]]:
        with asking(ONE, OTHER) as consumer:
            consumer.pause_partitions({OTHER})
            await consumer._ask_for_what_was_dropped()
            consumer.resume_partitions({OTHER})
            await consumer._ask_for_what_was_dropped()
            await consumer._ask_for_what_was_dropped()
            return consumer.asked

    assert asyncio.run(story()) == [{ONE: 10}, {OTHER: 20}]


def test_what_was_dropped_of_a_partition_that_went_to_another_worker_is_forgotten() -> None:
    async def story() -> list[dict[TP, int]]:
        with asking(ONE, OTHER) as consumer:
            consumer.pause_partitions({OTHER})
            await consumer.on_partitions_revoked({OTHER})
            consumer.resume_partitions({OTHER})
            await consumer._ask_for_what_was_dropped()
            return consumer.asked

    assert asyncio.run(story()) == [{ONE: 10}]
