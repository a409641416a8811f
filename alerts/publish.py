"""The tail of the store for other systems: every revision of every alert, on the Kafka topic ``alerts``.

At least once and in order: a reader's position moves only after the broker has acknowledged, so a crash sends the last
batch again. Whoever reads keeps, of each alert_id, the highest revision. The topic may be compacted: the key is the id.

``publish_forever`` is the whole loop; the caller brings ``send``, which returns once all of a batch is acknowledged.
Any number of processes may run it: one of them at a time holds the lease, and another takes over when it lapses.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from alerts.engines import STORE_AWAY
from alerts.kept import Entry
from alerts.store import Store

TYPES = {
    "created": "fundwatch.alert.created.v1",
    "changed": "fundwatch.alert.changed.v1",
    "reopened": "fundwatch.alert.changed.v1",  # to other systems an alert that is open again is one that changed
    "withdrawn": "fundwatch.alert.withdrawn.v1",
}


class Message(NamedTuple):
    """One revision of one alert as a Kafka record; headers are the CloudEvents 1.0 attributes, in binary mode."""

    seq: int
    alert_id: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


Send = Callable[[Sequence[Message]], Awaitable[None]]


def pending(store: Store, name: str, limit: int = 500, *, source: str = "/fundwatch") -> list[Message]:
    """The next messages this reader has not sent, oldest first."""
    entries = store.events_after(store.position(name), limit=limit, kinds=tuple(TYPES))
    return [message(entry, source) for entry in entries]


def sent(store: Store, name: str, seq: int) -> None:
    """Everything up to ``seq`` has been acknowledged by the broker."""
    store.set_position(name, seq)


def message(entry: Entry, source: str) -> Message:
    """A row of alert_event as it goes out. Raises ValueError if it tells of no alert."""
    if entry.alert_id is None or entry.kind not in TYPES:
        raise ValueError(f"row {entry.seq} ({entry.kind}) of alert_event tells of no alert")
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": f"{entry.alert_id}/{entry.revision}",
        "ce_source": source,
        "ce_type": TYPES[entry.kind],
        "ce_subject": entry.alert_id,
        "ce_time": entry.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "content-type": "application/json",
    }
    headers = [(key, value.encode()) for key, value in attributes.items()]
    return Message(entry.seq, entry.alert_id, entry.alert_id.encode(), entry.data, headers)


async def publish_forever(
    store: Store,
    send: Send,
    *,
    holder: str,
    name: str = "alerts",
    source: str = "/fundwatch",
    batch: int = 500,
    poll: timedelta = timedelta(milliseconds=250),
    lease: timedelta = timedelta(seconds=15),
    away: timedelta = timedelta(seconds=1),
    on_away: Callable[[Exception], None] = lambda _: None,
) -> None:
    """Send what is pending, for ever, until cancelled; then the lease is dropped.

    holder: a name for this process that no other has, now or after a restart.
    send:   whatever it raises ends the loop, as does taking longer than the lease; that batch does not count as sent.
    away:   how long to wait when the store does not answer; ``on_away`` is told each time, and the loop goes on.
    """
    turn = Turn(store, name, holder, lease)
    try:
        while True:
            try:
                more = await turn.take() and await _publish_once(store, send, name, source, batch, lease)
            except STORE_AWAY as error:
                on_away(error)
                await asyncio.sleep(away.total_seconds())
                continue
            if not more:
                await asyncio.sleep(poll.total_seconds())
    finally:
        await asyncio.shield(asyncio.to_thread(turn.leave))


@dataclass(slots=True)
class Turn:
    """Whose turn it is to read under a name; the lease is renewed when half of it is gone."""

    store: Store
    name: str
    holder: str
    lease: timedelta
    until: datetime = datetime(1, 1, 2, tzinfo=UTC)

    async def take(self) -> bool:
        """Is it ours? Asks the store only when the lease wants renewing."""
        now = datetime.now(UTC)
        if self.until - now > self.lease / 2:
            return True
        ours = await asyncio.to_thread(self.store.take_lease, self.name, self.holder, now, now + self.lease)
        if ours:
            self.until = now + self.lease
        return ours

    def leave(self) -> None:
        """Let somebody else read at once; if the store does not answer, the lease lapses by itself."""
        with contextlib.suppress(*STORE_AWAY):
            self.store.drop_lease(self.name, self.holder)


async def _publish_once(store: Store, send: Send, name: str, source: str, batch: int, lease: timedelta) -> bool:
    """Send one batch; whether there may be more at once."""
    newest = await asyncio.to_thread(store.last_seq)
    position = await asyncio.to_thread(store.position, name)
    if newest <= position:
        return False
    messages = await asyncio.to_thread(pending, store, name, batch, source=source)
    if messages:
        await asyncio.wait_for(send(messages), lease.total_seconds())
    full = len(messages) == batch
    # A short batch was the last of it: rows that do not go out, such as views, are passed by as well.
    await asyncio.to_thread(sent, store, name, messages[-1].seq if full else max([newest, *(m.seq for m in messages)]))
    return full
