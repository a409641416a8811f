"""Showing persons of a lead in full to one account for a while: why, whose and until when stand in the trail."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import func, select

from alerts import tables as t
from alerts.accounts import Account, Role
from alerts.alert import Alert
from alerts.kept import LeadRow, Note
from alerts.store import Store

REVEALED: Final = "revealed"  # kind of alert_event
MAY_REVEAL = frozenset({Role.SCREENER, Role.REVIEWER, Role.INVESTIGATOR})  # who works leads
MAY_EXPORT = MAY_REVEAL | {Role.AUDITOR}  # files: masked, but for the lead that is revealed
LONGEST_NOTE = 500  # characters
SHORTEST_NOTE = 4
SHOWN = 4  # characters of a person's pseudonym
AT_ONCE = 500  # alerts
HOUR = timedelta(hours=1)


class Why(StrEnum):
    """What somebody needs a person's number for."""

    ON_SITE = "on_site"  # 现场核查
    RECORDS = "records"  # 调取病历票据
    INTERVIEW = "interview"  # 询问参保人
    APPEAL = "appeal"  # 申诉复核
    TRANSFER = "transfer"  # 移送
    OTHER = "other"


class RevealError(Exception):
    """Persons that are not shown; ``code`` is one of not_your_role, lacking, too_often."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Grant(Struct, frozen=True, kw_only=True):
    """What was shown: the lead's subject as kind:id, the persons in full, and until when."""

    subject: str
    persons: tuple[str, ...]
    why: Why
    note: str
    until: datetime


def reveal(
    store: Store, who: Account, row: LeadRow, why: Why, note: str, *, now: datetime, lasts: timedelta, most: int
) -> Grant:
    """Show the persons that a lead names to this account from now on. Raises RevealError.

    most: in an hour, counted in the trail, so that all processes of the feed count the same.
    """
    note = note.strip()
    if who.role not in MAY_REVEAL:
        raise RevealError("not_your_role")
    if not SHORTEST_NOTE <= len(note) <= LONGEST_NOTE:
        raise RevealError("lacking")
    grant = Grant(
        subject=f"{row.subject_kind}:{row.subject_id}",
        persons=persons_of(store, row.alert_id),
        why=why,
        note=note,
        until=now + lasts,
    )
    e = t.alert_event.c
    lately = select(func.count()).where(e.actor == who.name, e.kind == REVEALED, e.at > now - HOUR)
    with store.writing() as writing:
        if writing.db.execute(lately).scalar_one() >= most:
            raise RevealError("too_often")
        data = msgspec.json.encode(grant)
        writing.append([Note(kind=REVEALED, actor=who.name, at=now, alert_id=row.alert_id, data=data)])
    return grant


def granted(store: Store, who: Account, alert_id: str, now: datetime) -> Grant | None:
    """What this account may see in full of a lead now; None: nothing."""
    if who.role not in MAY_REVEAL:
        return None
    e = t.alert_event.c
    newest = select(e.data).where(e.alert_id == alert_id, e.actor == who.name, e.kind == REVEALED)
    with store.engine.connect() as db:
        found = db.execute(newest.order_by(e.seq.desc()).limit(1)).scalar_one_or_none()
    grant = msgspec.json.decode(found, type=Grant) if found else None
    return grant if grant and grant.until > now else None


def masked(store: Store, alerts: Iterable[Alert]) -> Iterator[Alert]:
    """The same alerts, persons by their last four characters."""
    for some in batched(alerts):
        named: dict[str, list[str]] = {}
        i = t.involved.c
        names = [alert.alert_id for alert in some]
        with store.engine.connect() as db:
            found = db.execute(select(i.alert_id, i.id).where(i.kind == "person", i.alert_id.in_(names)))
            for name, person in found:
                named.setdefault(name, []).append(person)
        for alert in some:
            body = hidden(msgspec.json.encode(alert).decode(), named.get(alert.alert_id, ()))
            yield msgspec.json.decode(body, type=Alert)


def batched(alerts: Iterable[Alert]) -> Iterator[list[Alert]]:
    """So many at a time that one question is asked for all of them."""
    source = iter(alerts)
    while some := list(islice(source, AT_ONCE)):
        yield some


def hidden(text: str, persons: Iterable[str]) -> str:
    """Persons by their last four characters, wherever they stand."""
    for person in persons:
        if len(person) > SHOWN:
            text = text.replace(person, "****" + person[-SHOWN:])
    return text


def persons_of(store: Store, alert_id: str) -> tuple[str, ...]:
    """Every person that a lead or its records name."""
    i = t.involved.c
    named = select(i.id).where(i.alert_id == alert_id, i.kind == "person").order_by(i.id)
    with store.engine.connect() as db:
        return tuple(db.execute(named).scalars())
