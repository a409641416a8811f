"""What is to be sent: leads told in alert_event, written down for each target that wants them.

    begin(store, now)                      # once: what stood before is not told
    fill(store, targets, now)              # reads on, and queues
    due(store, target, now)                # what may go now, oldest first
    sent(…) or failed(…)

The position in alert_event moves in the same transaction in which messages are written down, so each lead is queued
for each target once at each level, whatever crashes when. A lead that grows graver is told of again.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from msgspec import Struct
from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update

from alerts import tables as t
from alerts.kept import CHANGES, CORRECTED, ENTERED, LeadRow
from alerts.notify.targets import Target
from alerts.store import Store
from alerts.writing import Writing
from detectors.finding import Level

READER = "notify"
SPEAKING = (
    *CHANGES,
    ENTERED,
    CORRECTED,
    "released",
    "woken",
)  # kinds of alert_event after which a lead may be worth telling
WITHDRAWN = "withdrawn"
AT_ONCE = 500  # entries read in one go
MOST_WAITING = 10_000  # for one target; what comes beyond is dropped, and counted
PAUSES = tuple(
    timedelta(seconds=seconds) for seconds in (10, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400)
)  # two days in all, a weekend without hands; then it is given up
KEPT = timedelta(days=90)  # what is done with
LONGEST_ERROR = 300  # characters
WAITING, SENT, DEAD, DROPPED = "waiting", "sent", "dead", "dropped"


class Waiting(Struct, frozen=True, kw_only=True):
    """One message as it is written down."""

    target: str
    alert_id: str
    told: str
    state: str
    in_digest: bool
    queued_at: datetime
    next_at: datetime
    attempts: int
    tried_at: datetime | None
    error: str

    @property
    def key(self) -> tuple[str, str, str]:
        return self.target, self.alert_id, self.told


def begin(store: Store) -> None:
    """Where nobody ever read: what stands already is not told, only what comes."""
    with store.writing() as writing:
        at = t.reader_position
        if writing.db.execute(select(at.c.seq).where(at.c.name == READER, at.c.seq > 0)).one_or_none() is None:
            newest = writing.db.execute(select(func.max(t.alert_event.c.seq))).scalar_one() or 0
            _move_to(writing, newest)


def fill(store: Store, targets: Sequence[Target], now: datetime) -> dict[str, int]:
    """Queue what was told since; how many messages were dropped because too many wait, by target."""
    position, newest = store.position(READER), store.last_seq()
    if newest <= position:
        return {}
    entries = store.events_after(position, limit=AT_ONCE, kinds=SPEAKING)
    last = entries[-1].seq if len(entries) == AT_ONCE else max([newest, *(entry.seq for entry in entries)])
    rows = store.rows(entry.alert_id for entry in entries if entry.alert_id).values()
    with store.writing() as writing:
        beyond = {target.name: _queue(writing, target, rows, now) for target in targets}
        _move_to(writing, last)
    return beyond


def due(store: Store, target: str, now: datetime, limit: int = 500) -> list[Waiting]:
    """What may go to a target now, oldest first."""
    n = t.notification.c
    query = select(t.notification).where(n.target == target, n.state == WAITING, n.next_at <= now)
    return _read(store, query.order_by(n.next_at, n.queued_at, n.alert_id).limit(limit))


def listed(store: Store, states: Iterable[str], limit: int = 200) -> list[Waiting]:
    """Messages in these states, the newest first."""
    n = t.notification.c
    query = select(t.notification).where(n.state.in_(sorted(states)))
    return _read(store, query.order_by(n.queued_at.desc(), n.target, n.alert_id).limit(limit))


def counts(store: Store) -> dict[tuple[str, str], int]:
    """How many messages, by target and state."""
    n = t.notification.c
    query = select(n.target, n.state, func.count()).group_by(n.target, n.state)
    with store.engine.connect() as db:
        return {(target, state): number for target, state, number in db.execute(query)}


def tried_since(store: Store, target: str, since: datetime) -> int:
    """Messages of this target that were tried after this moment. Those of one digest were one message."""
    n = t.notification.c
    tried = select(n.tried_at).where(n.target == target, n.tried_at > since).distinct()
    with store.engine.connect() as db:
        return db.execute(select(func.count()).select_from(tried.subquery())).scalar_one()


def sent(store: Store, messages: Sequence[Waiting], now: datetime) -> None:
    """The target has taken them."""
    _settle(store, messages, state=SENT, tried_at=now, error="")


def failed(store: Store, messages: Sequence[Waiting], error: str, now: datetime) -> list[Waiting]:
    """The target has not; they wait for the next attempt, or are given up: these are returned."""
    given_up = [one for one in messages if one.attempts >= len(PAUSES)]
    said = error[:LONGEST_ERROR]
    if given_up:
        _settle(store, given_up, state=DEAD, tried_at=now, error=said, attempts=len(PAUSES) + 1)
    again = sorted((one for one in messages if one not in given_up), key=lambda one: one.attempts)
    for attempts, some in groupby(again, key=lambda one: one.attempts):
        _settle(store, list(some), tried_at=now, error=said, attempts=attempts + 1, next_at=now + PAUSES[attempts])
    return given_up


def dropped(store: Store, messages: Sequence[Waiting]) -> None:
    """Nobody need hear of them any more."""
    _settle(store, messages, state=DROPPED)


def again(store: Store, target: str, now: datetime) -> int:
    """Messages that were given up wait once more; how many."""
    n = t.notification.c
    dead = update(t.notification).where(n.target == target, n.state == DEAD)
    with store.writing() as writing:
        return writing.db.execute(dead.values(state=WAITING, attempts=0, next_at=now)).rowcount


def forget(store: Store, now: datetime) -> None:
    """Remove what was done with long ago."""
    n = t.notification.c
    with store.writing() as writing:
        writing.db.execute(delete(t.notification).where(n.state != WAITING, n.queued_at < now - KEPT))


def _queue(writing: Writing, target: Target, rows: Iterable[LeadRow], now: datetime) -> int:
    n = t.notification.c
    wanted = [row for row in rows if target.wants(row)]
    waiting = select(func.count()).where(n.target == target.name, n.state == WAITING)
    room = MOST_WAITING - writing.db.execute(waiting).scalar_one()
    new = list(_news(writing, target, wanted, now))
    queued, beyond = new[: max(room, 0)], new[max(room, 0) :]
    open_again = [row.alert_id for row, told, _ in queued if told != WITHDRAWN]
    gone = delete(t.notification).where(n.target == target.name, n.told == WITHDRAWN, n.alert_id.in_(open_again))
    writing.db.execute(gone)
    writing.upsert(t.notification, [_row(target, *one, now, state=WAITING) for one in queued])
    writing.upsert(t.notification, [_row(target, *one, now, state=DROPPED) for one in beyond])
    return len(beyond)


def _news(
    writing: Writing, target: Target, rows: Iterable[LeadRow], now: datetime
) -> Iterator[tuple[LeadRow, str, datetime]]:
    """Each lead that has something to say to this target: what, and not before when."""
    told = _told_before(writing, target, [row.alert_id for row in rows])
    for row in rows:
        before = told.get(row.alert_id, {})
        if row.status == "withdrawn":
            if SENT in before.values() and WITHDRAWN not in before:
                yield row, WITHDRAWN, target.not_before(row.level, now)
        elif row.state(now) == "open" and row.inhibited_by is None and not _was_told(row.level, before):
            yield row, row.level.value, target.not_before(row.level, now)


def _was_told(level: Level, before: dict[str, str]) -> bool:
    """At this level, or at a graver one; what was taken back since is told anew."""
    return WITHDRAWN not in before and any(Level(name).rank >= level.rank for name in before)


def _told_before(writing: Writing, target: Target, alert_ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """By lead: what was told of it already, or waits to be, and the state of that."""
    n = t.notification.c
    query = select(n.alert_id, n.told, n.state).where(n.target == target.name, n.alert_id.in_(alert_ids))
    query = query.where(n.state != DROPPED)
    found: dict[str, dict[str, str]] = {}
    for alert_id, told, state in writing.db.execute(query):
        found.setdefault(alert_id, {})[told] = state
    return found


def _row(
    target: Target, row: LeadRow, told: str, not_before: datetime, now: datetime, *, state: str
) -> dict[str, object]:
    return {
        "target": target.name,
        "alert_id": row.alert_id,
        "told": told,
        "state": state,
        "in_digest": target.is_digested(row.level),
        "queued_at": now,
        "next_at": not_before,
        "attempts": 0,
        "tried_at": None,
        "error": "",
    }


def _move_to(writing: Writing, seq: int) -> None:
    at = t.reader_position
    writing.upsert(at, [{"name": READER, "seq": seq}], keep=("seq",))
    writing.db.execute(update(at).where(at.c.name == READER, at.c.seq < seq).values(seq=seq))


def _settle(store: Store, messages: Sequence[Waiting], **values: object) -> None:
    if not messages:
        return
    with store.writing() as writing:
        writing.db.execute(update(t.notification).where(or_(*map(_is, messages))).values(**values))


def _is(one: Waiting) -> ColumnElement[bool]:
    n = t.notification.c
    return (n.target == one.target) & (n.alert_id == one.alert_id) & (n.told == one.told)


def _read(store: Store, query: Select[tuple[object, ...]]) -> list[Waiting]:
    with store.engine.connect() as db:
        return [Waiting(**row._mapping) for row in db.execute(query)]
