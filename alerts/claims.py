"""Who has taken a lead in hand: by taking it, by being given it, or for a quarter of an hour while looking at the next.

    claim(store, account, [alert_id, …], "zhoumin", now)
    row = take_next(store, account, wanted, now)

A claim says who looks, and bars nobody: what may be done to a lead is decided by alerts.life. Each is in alert_event.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, delete, or_, select

from alerts import tables as t
from alerts.accounts import Account
from alerts.casework import WRITERS
from alerts.kept import Filter, LeadRow, Note, Order, within
from alerts.store import Store
from alerts.writing import Writing, portions

CLAIMED, UNCLAIMED = "claimed", "unclaimed"  # kinds of alert_event
LOCKED = timedelta(minutes=15)  # how long the next lead is kept for whoever asked for it
LOOKED_AT = 200  # leads that may be in others' hands before the next free one


class Claim(Struct, frozen=True):
    """A lead in somebody's hands; with an ``until`` only for a while."""

    alert_id: str
    holder: str
    given_by: str
    since: datetime
    until: datetime | None


class Done(NamedTuple):
    """What became of one item: why is empty if it was carried out, else the code of what hindered it."""

    alert_id: str
    why: str = ""


def claims_of(store: Store, alert_ids: Iterable[str], now: datetime) -> dict[str, Claim]:
    """Those in force."""
    c = t.claim
    with store.engine.connect() as db:
        rows = [
            row
            for some in portions(alert_ids)
            for row in db.execute(select(c).where(c.c.alert_id.in_(some), in_force(now)))
        ]
    return {row.alert_id: Claim(row.alert_id, row.holder, row.given_by, row.since, row.until) for row in rows}


def in_force(now: datetime) -> ColumnElement[bool]:
    """A condition on the table of claims."""
    return or_(t.claim.c.until.is_(None), t.claim.c.until > now)


def claim(store: Store, who: Account, alert_ids: Sequence[str], holder: str, now: datetime) -> list[Done]:
    """Give these leads to somebody, oneself as a rule; each by itself, what cannot be given says why."""
    with store.writing() as writing:
        hindered = _hindered(writing, who, alert_ids, holder)
        free = [name for name in dict.fromkeys(alert_ids) if not hindered.get(name)]
        _put(writing, free, who, holder, now, None)
    return [Done(name, hindered.get(name, "")) for name in dict.fromkeys(alert_ids)]


def unclaim(store: Store, who: Account, alert_ids: Sequence[str], now: datetime) -> list[Done]:
    """Give back what one holds, or gave to somebody."""
    c = t.claim.c
    with store.writing() as writing:
        mine = or_(c.holder == who.name, c.given_by == who.name)
        query = select(c.alert_id).where(c.alert_id.in_(list(alert_ids)), mine)
        held = set(writing.db.execute(query).scalars())
        writing.db.execute(delete(t.claim).where(c.alert_id.in_(sorted(held))))
        _note(writing, UNCLAIMED, sorted(held), who, "", now)
    return [Done(name, "" if name in held else "not_held") for name in dict.fromkeys(alert_ids)]


def take_next(store: Store, who: Account, wanted: Filter, now: datetime) -> LeadRow | None:
    """The gravest lead of the filter that nobody else holds, kept for this account for LOCKED."""
    with store.writing() as writing:
        rows = store.page(wanted, order=Order.GRAVEST, limit=LOOKED_AT).items
        held = _holders(writing, [row.alert_id for row in rows], now)
        free = next((row for row in rows if row.alert_id not in held), None)
        if free is not None:
            _put(writing, [free.alert_id], who, who.name, now, now + LOCKED)
    return free


def _hindered(writing: Writing, who: Account, alert_ids: Sequence[str], holder: str) -> dict[str, str]:
    """Why not, by alert; empty where nothing is in the way."""
    if who.role not in WRITERS:
        return dict.fromkeys(alert_ids, "not_your_role")
    record = writing.account(holder)
    if record is None or record.disabled or record.role not in set(WRITERS):
        return dict.fromkeys(alert_ids, "no_such_holder")
    a = t.alert.c
    query = select(a.alert_id, a.areas).where(a.alert_id.in_(list(alert_ids)))
    areas = {row.alert_id: row.areas.split() for row in writing.db.execute(query)}
    found: dict[str, str] = {}
    for name in alert_ids:
        if name not in areas or not within(areas[name], who.areas):
            found[name] = "not_found"
        elif not within(areas[name], record.areas):
            found[name] = "no_such_holder"
    return found


def _holders(writing: Writing, alert_ids: Sequence[str], now: datetime) -> dict[str, str]:
    c = t.claim.c
    query = select(c.alert_id, c.holder).where(c.alert_id.in_(list(alert_ids)), in_force(now))
    return {row.alert_id: row.holder for row in writing.db.execute(query)}


def _put(
    writing: Writing, alert_ids: Sequence[str], who: Account, holder: str, now: datetime, until: datetime | None
) -> None:
    given = {"holder": holder, "given_by": who.name, "since": now, "until": until}
    writing.upsert(t.claim, [{"alert_id": name, **given} for name in alert_ids])
    _note(writing, CLAIMED, alert_ids, who, holder, now)


def _note(writing: Writing, kind: str, alert_ids: Sequence[str], who: Account, holder: str, now: datetime) -> None:
    data = msgspec.json.encode({"holder": holder})
    writing.append([Note(kind=kind, actor=who.name, at=now, alert_id=name, data=data) for name in alert_ids])
