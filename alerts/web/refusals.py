"""What somebody logged in was refused (403) is a row of the audit trail: at once, then at most one a minute."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

import msgspec
from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alerts.engines import STORE_AWAY
from alerts.kept import Note
from alerts.store import Store
from alerts.trail import REFUSED

MINUTE = timedelta(minutes=1)
MOST_KEPT: Final = 10_000  # refusals of the last minute, of all accounts
ALERT_ID = 36  # characters

log = logging.getLogger(__name__)


class Refusals:
    """Writes them down. The same by who, method and kind of address is one row a minute, which counts those before."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._lock = Lock()
        self._last: dict[tuple[str, str, str], tuple[datetime, int]] = {}  # when the last row was, and how many since

    def note(self, who: str, method: str, place: str, alert_id: str | None) -> None:
        """Blocks. A store that is away is told in the log: the refusal itself stands."""
        now, key = self._clock(), (who, method, place)
        with self._lock:
            before = self._due(key, now)
        if before is None:
            return
        told = {"method": method, "place": place} | ({"times": before} if before else {})
        try:
            self._store.note(Note(kind=REFUSED, actor=who, at=now, alert_id=alert_id, data=msgspec.json.encode(told)))
        except STORE_AWAY:
            log.warning("refusal_not_recorded: account=%s place=%s", who, place)

    def _due(self, key: tuple[str, str, str], now: datetime) -> int | None:
        """How many were not written down since the last row; None: this one is not either."""
        last, more = self._last.get(key, (None, 0))
        if last is not None and now - last < MINUTE:
            self._last[key] = last, more + 1
            return None
        if len(self._last) >= MOST_KEPT:
            self._last = {name: kept for name, kept in self._last.items() if now - kept[0] < MINUTE}
        self._last[key] = now, 0
        return more


class Recorded:
    """Sees every answer, so that none that is drawn as a page slips by."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == 403:
                await _record(scope)
            await send(message)

        await self.app(scope, receive, sending if scope["type"] == "http" else send)


async def _record(scope: Scope) -> None:
    who, route = scope.get("state", {}).get("account"), scope.get("route")
    if who is None or route is None:
        return
    alert_id = str(scope.get("path_params", {}).get("alert_id", ""))
    refusals: Refusals = scope["app"].state.context.refusals
    known = alert_id if len(alert_id) == ALERT_ID else None
    await run_sync(refusals.note, who, scope["method"], str(route.path), known)
