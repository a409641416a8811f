"""The audit trail for programs: rows by who, what, when and which lead."""

from datetime import date, datetime, time, timedelta
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from msgspec import Struct

from alerts.accounts import Account, Role
from alerts.deadlines import CHINA
from alerts.kept import CHANGES, Note
from alerts.trail import GROUPS, Of, Row, read
from alerts.web.answers import answer, as_json
from alerts.web.beside import VIEWED
from alerts.web.context import Asks, Reader
from alerts.web.desk import BadRequestError, ForbiddenError

router = APIRouter(prefix="/api/v1")

Seq = Annotated[int | None, Query(ge=1, le=2**62)]
Short = Annotated[str, Query(max_length=64)]
Group = Annotated[str, Query(max_length=20, description=f"{', '.join(GROUPS)}, all; without: what people did")]


class TrailRow(Struct, frozen=True, kw_only=True):
    """One row. data: as it was written, but for alerts, of which only the id and revision are told here."""

    seq: int
    at: datetime
    actor: str
    kind: str
    alert_id: str | None
    revision: int | None
    data: msgspec.Raw
    hash: str


class Trail(Struct, frozen=True):
    """Newest first; ``next_before`` is null on the last page."""

    items: tuple[TrailRow, ...]
    next_before: int | None


SHAPES = (Trail,)


def may_audit(who: Account) -> bool:
    """The trail tells of every area."""
    return who.role is Role.AUDITOR and not who.areas


def _auditor(account: Reader) -> Account:
    if not may_audit(account):
        raise ForbiddenError
    return account


Auditor = Annotated[Account, Depends(_auditor)]


def _asked(who: Short = "", what: Group = "", lead: Short = "", since: Short = "", until: Short = "") -> Of:
    if what and what != "all" and what not in GROUPS:
        raise BadRequestError(f"what: {what!r} is not one of {', '.join(GROUPS)}, all")
    first, last = _day("since", since), _day("until", until)
    return Of(
        actor=who.strip(),
        group=what,
        alert_id=lead.strip().lower(),
        since=datetime.combine(first, time(), CHINA) if first else None,
        until=datetime.combine(last + timedelta(days=1), time(), CHINA) if last else None,
    )


def _day(name: str, value: str) -> date | None:
    try:
        found = date.fromisoformat(value) if value else None
    except ValueError:
        found = date.min
    if found is not None and not 1970 <= found.year <= 9000:
        raise BadRequestError(f"{name}: {value!r} is not a day such as 2026-11-18")
    return found


Asked = Annotated[Of, Depends(_asked)]


@router.get("/audit", responses=answer(Trail))
def rows(asks: Asks, account: Auditor, of: Asked, before: Seq = None) -> Response:
    """The audit trail, a page at a time, newest first. Only for auditors of every area; reading it is recorded."""
    found = read(asks.store, of, before)
    asks.store.note(Note(kind=VIEWED, actor=account.name, at=asks.clock(), data=b'{"how":"audit api"}'))
    return as_json(Trail(tuple(map(_row, found.rows)), found.before))


def _row(row: Row) -> TrailRow:
    entry = row.entry
    return TrailRow(
        seq=entry.seq,
        at=entry.at,
        actor=entry.actor,
        kind=entry.kind,
        alert_id=entry.alert_id,
        revision=entry.revision,
        data=msgspec.Raw(b"{}" if entry.kind in CHANGES else entry.data),
        hash=row.hash,
    )
