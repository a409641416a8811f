"""A process that reads batches and writes down what it has seen; ``test_transport.py`` kills it.

python -m tests.live.consumer ADDRESS GROUP TOPIC OUT [--never-ack | --raise-at N]
"""

import sys
from pathlib import Path

from faust.streams import Stream
from faust.types import StreamT

from stream_app import transport
from stream_app.settings import KafkaSettings, Settings


def main(address: str, group: str, topic: str, out: str, *flags: str) -> None:
    app = transport.make_app(Settings(kafka=KafkaSettings(bootstrap=address, group=group)))
    seen = Path(out).open("ab", buffering=0)  # noqa: SIM115 - open for as long as the process lives

    raise_at = flags[1].encode() if "--raise-at" in flags else b""

    async def watch(stream: StreamT[transport.Batch]) -> None:
        assert isinstance(stream, Stream)  # noack() is not part of the interface
        async for event in stream.noack().events():
            batch = event.value
            if any(record.value == raise_at for record in batch):
                raise ValueError("as the test wants it")
            seen.write(b"".join(b"%d %d %s\n" % (batch.partition, r.offset, r.value) for r in batch))
            if "--never-ack" not in flags:
                event.ack()

    app.agent(transport.batch_topic(app, topic))(watch)
    transport.run(app)


if __name__ == "__main__":
    main(*sys.argv[1:])
