"""What changes, told to every open page and client as it happens (server-sent events).

One task in the process follows alert_event; what it finds is told to all subscribers. A client that goes on after a
break says the last ``seq`` it saw and gets what it missed first. A client that reads too slowly is told to read again
(``resync``) instead of being lost or holding memory.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

import msgspec
from msgspec import Struct

from alerts.casework import MOVED
from alerts.claims import CLAIMED, UNCLAIMED
from alerts.engines import STORE_AWAY
from alerts.kept import BESIDE, CHANGES, CORRECTED, ENTERED, Entry, LeadRow, within
from alerts.snooze import WOKEN, end_due
from alerts.store import Store
from alerts.web.beside import Beside, beside
from alerts.web.desk import Item, changes_since, item, last_change
from alerts.web.gate import Clock
from alerts.web.meter import Meter

POLL_S = 0.25  # how often alert_event is looked at
SNOOZES_S = 1.0  # how often it is looked whether a snooze is over
BEAT_S = 10.0  # a sign of life at least this often, also through proxies
QUEUE = 100  # batches a client may be behind
AT_ONCE = 500  # entries looked up together; a client that missed more reads again
BACK_OFF_S = 2.0  # while the store is away
HOUR = timedelta(hours=1)
MINUTES = 60

log = logging.getLogger(__name__)

TOLD = (
    *CHANGES,
    *BESIDE,
    ENTERED,
    CORRECTED,
    MOVED,
    CLAIMED,
    UNCLAIMED,
)  # kinds of alert_event that change what a list shows


class Shown(NamedTuple):
    """An alert that changed: how, what a list shows of it now, and where in alert_event that stands."""

    kind: str
    row: LeadRow
    seq: int
    beside: Beside


class Change(Struct, frozen=True):
    """An alert that changed: how (one of TOLD), and what a list shows of it now."""

    kind: str
    seq: int
    alert: Item


class Batch(Struct, frozen=True):
    """Changes in order, each alert once. ``after`` and ``seq``: what a client must have seen before, and has now."""

    after: int
    seq: int
    changes: tuple[Change, ...]


class Beat(Struct, frozen=True):
    """A sign of life. ``minutes``: changes in each of the last 60 minutes, oldest first; ``last``: the newest."""

    seq: int
    at: datetime
    minutes: tuple[int, ...]
    last: datetime | None


class Resync(Struct, frozen=True):
    """Read the list again: too much was missed."""

    seq: int


@dataclass(eq=False, slots=True)
class News:
    """One batch, encoded once for each way of reading it."""

    after: int
    seq: int
    changes: tuple[Shown, ...]
    encoded: dict[Hashable, bytes] = field(default_factory=dict)

    def within(self, areas: Sequence[str]) -> list[Shown]:
        mine = (shown for shown in self.changes if within(shown.row.areas, areas))
        return [shown._replace(row=shown.row.seen_within(areas)) for shown in mine]

    def as_(self, form: str, areas: tuple[str, ...], encode: "Encode") -> bytes:
        """The batch as ``encode`` writes it for these areas; the same bytes for everybody who sees the same."""
        key = form, areas
        if key not in self.encoded:
            self.encoded[key] = encode(self.after, self.seq, self.within(areas))
        return self.encoded[key]


Encode = Callable[[int, int, list[Shown]], bytes]


def as_items(after: int, seq: int, changes: list[Shown]) -> bytes:
    """A batch as the API tells it."""
    told = (Change(shown.kind, shown.seq, item(shown.row)) for shown in changes)
    return msgspec.json.encode(Batch(after, seq, tuple(told)))


class Subscriber:
    """One open stream; what it has not read yet is bounded."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[News | Resync] = asyncio.Queue(QUEUE)

    def tell(self, news: News) -> bool:
        """Never waits: who is too far behind loses the queue and reads again. False if it was too far behind."""
        try:
            self._queue.put_nowait(news)
        except asyncio.QueueFull:
            while not self._queue.empty():
                self._queue.get_nowait()
            self._queue.put_nowait(Resync(news.seq))
            return False
        return True

    async def next(self, within_s: float) -> News | Resync | None:
        """What comes next; None if nothing comes in time."""
        try:
            return await asyncio.wait_for(self._queue.get(), within_s)
        except TimeoutError:
            return None


class Hub:
    """Follows the store for all who are connected to this process."""

    def __init__(self, store: Store, clock: Clock, meter: Meter | None = None) -> None:
        self.store = store
        self.clock = clock
        self._meter = meter or Meter()
        self.seq = 0
        self.last: datetime | None = None
        self.is_away = False
        self._task: asyncio.Task[None] | None = None
        self._minutes: Counter[int] = Counter()
        self._subscribers: set[Subscriber] = set()
        self._began = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follow the store for as long as this lasts."""
        self._task = task = asyncio.create_task(self._follow(), name="feed tail")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @property
    def is_following(self) -> bool:
        """False while the store is away, or if the task has come to grief: then no stream may look alive."""
        return self._task is not None and not self._task.done() and not self.is_away

    @asynccontextmanager
    async def subscribed(self) -> AsyncIterator[Subscriber]:
        """A stream that hears everything from here on."""
        subscriber = Subscriber()
        self._subscribers.add(subscriber)
        self._meter.clients(self.clients)
        try:
            yield subscriber
        finally:
            self._subscribers.discard(subscriber)
            self._meter.clients(self.clients)

    @property
    def clients(self) -> int:
        return len(self._subscribers)

    def beat(self) -> Beat:
        """How the system is, as far as the store tells."""
        now = self.clock()
        this = int(now.timestamp() // 60)
        for minute in [minute for minute in self._minutes if minute <= this - MINUTES]:
            del self._minutes[minute]
        minutes = tuple(self._minutes[this - MINUTES + 1 + i] for i in range(MINUTES))
        return Beat(self.seq, now, minutes, self.last)

    async def missed(self, after: int) -> News | Resync | None:
        """What a client missed that saw ``after`` last; None if nothing. Raises STORE_AWAY."""
        await self._began.wait()
        if after == self.seq:
            return None
        entries = await asyncio.to_thread(self.store.events_after, after, limit=AT_ONCE + 1, kinds=TOLD)
        if len(entries) > AT_ONCE or after > await asyncio.to_thread(self.store.last_seq):
            self._meter.resynced("gap")
            return Resync(self.seq)
        return await self._news(after, entries) if entries else None

    async def _follow(self) -> None:
        """Never ends by itself; while the store is away it tries again."""
        while True:
            try:
                await self._begin()
                ended = 0.0
                while True:
                    if monotonic() - ended >= SNOOZES_S:
                        await asyncio.to_thread(end_due, self.store, self.clock())
                        ended = monotonic()
                    await self._look()
                    self._meter.beat()
                    await asyncio.sleep(POLL_S)
            except STORE_AWAY as error:
                if not self.is_away:
                    log.warning("store_away: %s", type(error).__name__)
                self.is_away = True
                self._meter.away(type(error).__name__)
                await asyncio.sleep(BACK_OFF_S)

    async def _begin(self) -> None:
        """At the first start, and after the store was away: where it stands, and what the last hour brought."""
        if not self._began.is_set():
            self.seq = await asyncio.to_thread(self.store.last_seq)
            self._count(await asyncio.to_thread(changes_since, self.store, self.clock() - HOUR))
            self.last = self.last or await asyncio.to_thread(last_change, self.store)
            self._began.set()
        self.is_away = False

    async def _look(self) -> None:
        while entries := await asyncio.to_thread(self.store.events_after, self.seq, limit=AT_ONCE, kinds=TOLD):
            news = await self._news(self.seq, entries)
            self._count(entry.at for entry in entries if entry.kind in CHANGES)
            self.seq = news.seq
            for subscriber in tuple(self._subscribers):
                if not subscriber.tell(news):
                    self._meter.resynced("slow")
            now = self.clock()
            for entry in entries:
                if entry.kind in CHANGES:
                    self._meter.pushed((now - entry.at).total_seconds())

    async def _news(self, after: int, entries: Sequence[Entry]) -> News:
        kinds = _kinds(entries)
        rows = await asyncio.to_thread(self.store.rows, list(kinds))
        aside = await asyncio.to_thread(beside, self.store, list(rows.values()), self.clock())
        seqs = {entry.alert_id: entry.seq for entry in entries}
        changes = (Shown(kind, rows[name], seqs[name], aside[name]) for name, kind in kinds.items() if name in rows)
        return News(after, entries[-1].seq, tuple(changes))

    def _count(self, moments: Iterable[datetime]) -> None:
        for moment in moments:
            self._minutes[int(moment.timestamp() // 60)] += 1
            self.last = max(self.last or moment, moment)


def _kinds(entries: Sequence[Entry]) -> dict[str, str]:
    """Per alert how it changed, in the order of the last change."""
    kinds: dict[str, str] = {}
    for entry in entries:
        if entry.alert_id is not None:
            kinds[entry.alert_id] = _together(kinds.pop(entry.alert_id, ""), entry.kind)
    return kinds


def _together(before: str, kind: str) -> str:
    """Created and then changed is created; what changed beside an alert counts less, unless it calls somebody."""
    if kind == "changed" and before in ("created", WOKEN):
        return before
    if before == ENTERED:
        return before
    if kind not in CHANGES and before in CHANGES and not (kind == WOKEN and before == "changed"):
        return before
    return kind


async def stream(
    hub: Hub,
    areas: tuple[str, ...],
    after: int | None,
    form: str,
    encode: Encode,
    still_in: Callable[[], bool],
    beat_s: float = BEAT_S,
) -> AsyncGenerator[bytes]:
    """Server-sent events: what was missed, then what comes; ``still_in`` is asked at every sign of life (it blocks)."""
    async with hub.subscribed() as subscriber:
        yield b"retry: 2000\n\n"
        yield event("beat", hub.beat())
        seen = hub.seq if after is None else after
        missed = await hub.missed(seen)
        if missed is not None:
            seen = missed.seq
            yield told(missed, areas, form, encode)
        while True:
            news = await subscriber.next(beat_s)
            if news is None:
                if not hub.is_following:
                    return
                if not await asyncio.to_thread(still_in):
                    yield event("bye", Resync(seen))
                    return
                yield event("beat", hub.beat())
            elif news.seq > seen:
                seen = news.seq
                yield told(news, areas, form, encode)


def told(news: News | Resync, areas: tuple[str, ...], form: str, encode: Encode) -> bytes:
    """A batch or a resync as it goes over the wire, with the id from which to go on."""
    if isinstance(news, Resync):
        return event("resync", news, news.seq)
    return wire("alerts", news.as_(form, areas, encode), news.seq)


def event(name: str, data: Struct, seq: int | None = None) -> bytes:
    return wire(name, msgspec.json.encode(data), seq)


def wire(name: str, body: bytes, seq: int | None = None) -> bytes:
    """One event of the stream; JSON holds no bare line end."""
    last = b"id: %d\n" % seq if seq is not None else b""
    return b"event: %s\n%sdata: %s\n\n" % (name.encode(), last, body)
