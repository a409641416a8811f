"""What a process says of itself over HTTP: /metrics, /healthz (is it alive?) and /readyz (can it work?).

Alive means that its loops turn: a process that is not is to be started again. Ready means that it has what it needs:
one that is not may wait for a server, and starting it again would change nothing.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from threading import Thread
from typing import Any, cast
from wsgiref.simple_server import WSGIRequestHandler, make_server

import msgspec
from prometheus_client import make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer

from stream_app import metrics
from stream_app.metrics import Part
from stream_app.settings import SettingsError

STALLED_S = 60.0  # a loop that has not turned for so long is stuck; the alert FundwatchComponentStalled says the same


class Status:
    """How the parts of this process are. Safe to use from any thread: each call is one step on a dict."""

    def __init__(self, *parts: Part, clock: Callable[[], float] = time.monotonic) -> None:
        self.parts, self._clock = parts, clock
        self._beats: dict[str, float] = dict.fromkeys(parts, clock())
        self._missing: dict[str, str] = {}

    def beat(self, part: Part) -> None:
        """The loop of this part has turned."""
        self._beats[part] = self._clock()
        metrics.HEARTBEAT.labels(part).set_to_current_time()

    def lacks(self, what: str, why: str) -> None:
        """It cannot work until it ``has`` this."""
        self._missing[what] = why

    def has(self, *what: str) -> None:
        """It need not wait for these any longer."""
        for name in what:
            self._missing.pop(name, None)

    def stalled(self) -> dict[str, str]:
        """The parts whose loop does not turn, each with for how long."""
        now = self._clock()
        late = {part: now - beat for part, beat in self._beats.items() if now - beat > STALLED_S}
        return {part: f"its loop has not turned for {silent:.0f} s" for part, silent in late.items()}

    def missing(self) -> dict[str, str]:
        """What it waits for, and the parts that are stuck."""
        return dict(self._missing) | self.stalled()


def serve(status: Status, host: str, port: int) -> None:
    """Answer in a thread of its own. Port 0: not at all. Raises SettingsError if the port cannot be had."""
    if not port:
        return
    metrics.tell_build(_version())
    metrics_app = make_wsgi_app(metrics.registry(*status.parts))

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:  # Any: WSGI's own
        match environ["PATH_INFO"]:
            case "/healthz":
                return _answer(start_response, status.stalled())
            case "/readyz":
                return _answer(start_response, status.missing())
            case "/metrics":
                return cast(Iterable[bytes], metrics_app(environ, start_response))
            case _:
                start_response("404 Not Found", [("content-type", "text/plain")])
                return [b"there are /metrics, /healthz and /readyz\n"]

    try:
        server = make_server(host, port, app, ThreadingWSGIServer, _Silent)
    except OSError as error:
        raise SettingsError(
            f"{host}:{port} cannot be had for /metrics ({error.strerror}): name another under metrics, or 0"
        ) from None
    Thread(target=server.serve_forever, name="status", daemon=True).start()


def _answer(start_response: Any, faults: Mapping[str, str]) -> Iterable[bytes]:
    """Any: WSGI's own."""
    start_response("503 Service Unavailable" if faults else "200 OK", [("content-type", "application/json")])
    return [msgspec.json.encode({"status": "; ".join(f"{part}: {why}" for part, why in faults.items()) or "ok"})]


def _version() -> str:
    try:
        return version("fundwatch")
    except PackageNotFoundError:
        return "not installed"


class _Silent(WSGIRequestHandler):
    """Requests of Prometheus and of probes are not worth a line each."""

    def log_message(self, format: str, *args: object) -> None:
        pass
