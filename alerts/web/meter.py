"""What the feed tells of itself to whoever measures it; by itself nobody does."""

from time import perf_counter
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ELSEWHERE = "elsewhere"  # the route of what we have no page for


class Meter:
    """Hears what happens, and does nothing with it."""

    def answered(self, method: str, route: str, status: int, took_s: float | None) -> None:
        """A request, by the template of its path. took_s: None for a stream, which lasts as long as its reader."""

    def clients(self, number: int) -> None:
        """So many streams are open."""

    def pushed(self, after_s: float) -> None:
        """A change was told to the streams, so long after it was stored."""

    def resynced(self, reason: Literal["slow", "gap"]) -> None:
        """A client was told to read the list again."""

    def revealed(self, why: str) -> None:
        """Persons of a lead were named in full to somebody; ``why``: of alerts.reveal."""

    def beat(self) -> None:
        """The store was looked at."""

    def away(self, why: str) -> None:
        """The store does not answer."""


class Measured:
    """Tells the meter of every request."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self.app, self.meter = app, meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status, is_stream = perf_counter(), 500, False

        async def sending(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                is_stream = any(
                    name == b"content-type" and value.startswith(b"text/event-stream")
                    for name, value in message["headers"]
                )
                if is_stream:
                    self.meter.answered(scope["method"], template(scope), status, None)
            await send(message)

        try:
            await self.app(scope, receive, sending)
        finally:
            if not is_stream:
                self.meter.answered(scope["method"], template(scope), status, perf_counter() - began)


def template(scope: Scope) -> str:
    """The path of the route that was taken: a path itself holds ids, and there are as many of them as alerts."""
    route = scope.get("route")
    if route is not None:
        return str(route.path)
    return str(scope.get("root_path") or ELSEWHERE)  # what is mounted, such as /static
