"""A process that reads batches and writes down what it has seen; ``test_transport.py`` kills it.

python -m tests.live.consumer ADDRESS GROUP TOPIC OUT [FLAG]

FLAG: --never-ack, --raise-at N, --drops, --commits-in-vain, --loses-group, --tells-awaited
"""

import asyncio
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aiokafka.errors import KafkaError
from faust.streams import Stream
from faust.types import TP, ConsumerMessage, StreamT

from stream_app import transport
from stream_app.settings import KafkaSettings, Settings


class Dropping(transport.Consumer):
    """Drops what the first fetches bring of a partition, that again once it is asked for, and what comes last."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Faust's own, passed on
        super().__init__(*args, **kwargs)
        self._fetches: Counter[TP] = Counter()
        self._ended: set[TP] = set()

    async def _fetch(self) -> Mapping[TP, Sequence[Any]]:
        found = await super()._fetch()
        self._fetches.update(found.keys())
        at_end = {tp for tp, records in found.items() if records[-1].offset + 1 == self.highwater(tp)} - self._ended
        self._ended |= at_end
        if at_end or any(self._fetches[tp] in (1, 3) for tp in found):
            self.stop_flow()
            asyncio.get_running_loop().call_soon(self.resume_flow)
        return found


class Lost(transport.Consumer):
    """Before it gets partitions its membership of the group ends by an error, as aiokafka's does now and then."""

    async def on_start(self) -> None:
        await super().on_start()
        coordinator = self._thread._ensure_consumer()._coordinator
        coordinator._coordination_task.cancel()
        coordinator._coordination_task = asyncio.get_running_loop().create_future()
        coordinator._coordination_task.set_exception(KafkaError("as the test wants it"))


class InVain(transport.Consumer):
    """Its first commit comes to nothing, as one does that was on its way while the group was shared out anew."""

    _tried = False

    async def _commit(self, offsets: Mapping[TP, int]) -> bool:
        if self._tried:
            return bool(await super()._commit(offsets))
        self._tried = True
        return False


class Telling(transport.Consumer):
    """Tells which partitions are awaited: at the start, and once something came of the last of them."""

    async def perform_seek(self) -> None:
        await super().perform_seek()
        self._tell()

    async def _deliver(self, message: ConsumerMessage) -> None:
        before = bool(self.awaited)
        await super()._deliver(message)
        if before and not self.awaited:
            self._tell()

    def _tell(self) -> None:
        print(f"awaited: {sorted(tp.partition for tp in self.awaited)}", file=sys.stderr, flush=True)


def main(address: str, group: str, topic: str, out: str, *flags: str) -> None:
    app = transport.make_app(Settings(kafka=KafkaSettings(bootstrap=address, group=group)))
    seen = Path(out).open("ab", buffering=0)  # noqa: SIM115 - open for as long as the process lives

    if "--drops" in flags:
        transport.Transport.Consumer = Dropping
    if "--commits-in-vain" in flags:
        transport.Transport.Consumer = InVain
    if "--loses-group" in flags:
        transport.Transport.Consumer = Lost
    if "--tells-awaited" in flags:
        transport.Transport.Consumer = Telling
    raise_at = flags[1].encode() if "--raise-at" in flags else b""

    async def watch(stream: StreamT[transport.Batch]) -> None:
        assert isinstance(stream, Stream)  # noack() is not part of the interface
        async for event in stream.noack().events():
            batch = event.value
            if any(record.value == raise_at for record in batch):
                raise ValueError("as the test wants it")
            if batch.missing:
                print(f"{batch.partition}: {batch.missing} missing before {batch.first}", file=sys.stderr)
            seen.write(b"".join(b"%d %d %s\n" % (batch.partition, r.offset, r.value) for r in batch))
            if "--never-ack" not in flags:
                event.ack()

    app.agent(transport.batch_topic(app, topic))(watch)
    transport.run(app)


if __name__ == "__main__":
    main(*sys.argv[1:])
