"""A way to a server that can be cut: every connection through it is dropped, as by a switch that is changed."""

import asyncio
from contextlib import suppress

from stream_app.embedded.ports import LOOPBACK

AT_ONCE = 64 << 10  # bytes in hand of one connection and direction


class Proxy:
    """Passes bytes between ``port`` and ``server_port`` on loopback."""

    def __init__(self, port: int, server_port: int) -> None:
        self.port, self._server_port = port, server_port
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, LOOPBACK, self.port)

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        self.drop()

    def drop(self) -> int:
        """Reset every connection. Returns how many there were."""
        dropped = len(self._open)
        for writer in self._open:
            writer.transport.abort()
        return dropped // 2

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(LOOPBACK, self._server_port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self._open |= both
        try:
            ways = [asyncio.ensure_future(_pump(reader, far_writer)), asyncio.ensure_future(_pump(far_reader, writer))]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._open -= both
            for way in ways:
                way.cancel()
            for each in both:
                each.transport.abort()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(AT_ONCE):
            sink.write(data)
            await sink.drain()
