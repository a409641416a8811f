"""A filter, an order and a cursor of the alert store as SQL."""

import base64
import binascii
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec
from msgspec import Struct
from msgspec.structs import astuple
from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    String,
    and_,
    case,
    false,
    literal,
    literal_column,
    or_,
    select,
    tuple_,
)

from alerts import tables as t
from alerts.kept import Filter, LeadRow, Order, Overdue, State, area_prefix, certainty_rank
from alerts.source import RULES, SOURCES


class CursorError(ValueError):
    """A cursor that this store did not give out, or of another order."""


KEYS: dict[Order, tuple[ColumnElement[object], ...]] = {
    Order.NEWEST: (t.alert.c.seq,),
    Order.GRAVEST: tuple(t.alert.c[name] for name in t.GRAVEST),
}
# Added to a column it takes the column's indexes out of the planner's choice: an engine that walks one of them to save
# a sort, but has to look up and turn down nearly every row, takes five times as long as one that reads them all.
OFF_INDEX, OFF_TEXT_INDEX = literal_column("0", Integer), literal_column("''", String)


def ordered(order: Order, of: Filter) -> list[ColumnElement[object]]:
    """Largest first; where a filter turns down most rows, not by the order's index."""
    first, *others = KEYS[order]
    rare = (_is_rare(of) or of.statuses == {"snoozed"} or of.inhibited is True) and order is Order.GRAVEST
    rare = rare or bool(of.org or of.subject_id)
    return [column.desc() for column in ((first + OFF_INDEX) if rare else first, *others)]


def _is_rare(of: Filter) -> bool:
    """Does it turn down most of what an index in order would offer?"""
    return bool(of.text or of.holder or of.overdue or of.since or of.until or (of.work and "new" not in of.work))


def conditions(of: Filter) -> Iterator[ColumnElement[bool]]:
    """A filter as conditions on the table of alerts."""
    a = t.alert.c
    if of.levels:
        yield a.level_rank.in_(sorted(level.rank for level in of.levels))
    if of.detectors:
        yield a.detector.in_(sorted(of.detectors))
    if of.statuses:
        yield _in_state(of.statuses, of.now, is_rare=bool(of.org or of.subject_id))
    if of.inhibited is not None:
        yield a.inhibited_by.is_not(None) if of.inhibited else a.inhibited_by.is_(None)
    if of.subject_kind:
        yield a.subject_kind == of.subject_kind
    if of.subject_id:
        yield a.subject_id == of.subject_id
    if of.org:
        yield a.alert_id.in_(_at(t.alert_org.c.org == of.org))
    if of.areas:
        yield a.alert_id.in_(_at(or_(false(), *map(_inside, of.areas))))
    if of.since:
        yield or_(a.period_to.is_(None), a.period_to >= of.since)
    if of.until:
        yield a.period_from <= of.until
    if of.at_least_fen is not None:
        yield a.amount_at_risk_fen >= of.at_least_fen
    if of.area:
        yield a.alert_id.in_(_at(_inside(of.area)))
    if of.work:
        yield _in_work(of.work)
    if of.holder:
        yield _held_by(of.holder, of.now)
    if of.overdue:
        yield _is_overdue(of.overdue)
    if of.sources:
        yield _from(of.sources)
    if of.text:
        yield a.words.contains(of.text.lower(), autoescape=True)


_WORKED = select(t.casework.c.alert_id)


def _in_work(states: frozenset[str]) -> ColumnElement[bool]:
    """A lead without a row of casework is new."""
    a = t.alert.c.alert_id
    within_these = a.in_(_WORKED.where(t.casework.c.state.in_(sorted(states))))
    return or_(within_these, a.not_in(_WORKED)) if "new" in states else within_these


def _held_by(name: str, now: datetime | None) -> ColumnElement[bool]:
    c, a = t.claim.c, t.alert.c.alert_id
    claimed = select(c.alert_id).where(c.holder == name, or_(c.until.is_(None), c.until > (now or datetime.now(UTC))))
    quoted = msgspec.json.encode(name).decode()
    sent = _WORKED.where(t.casework.c.officers.contains(quoted, autoescape=True))
    return or_(a.in_(claimed), a.in_(sent))


def _is_overdue(of: Overdue) -> ColumnElement[bool]:
    a = t.alert.c
    worked = a.alert_id.in_(_WORKED.where(t.casework.c.due < of.today))
    late = (and_(a.level_rank == level.rank, a.raised_at < moment) for level, moment in of.raised_before)
    return or_(worked, and_(a.status == "open", a.alert_id.not_in(_WORKED), or_(*late)))


def _in_state(states: frozenset[State], now: datetime | None, *, is_rare: bool) -> ColumnElement[bool]:
    """An open alert is snoozed while ``snoozed_until`` lies ahead; without a moment none is."""
    a = t.alert.c
    status = a.status + OFF_TEXT_INDEX if is_rare else a.status
    stands = status.in_(sorted({"withdrawn" if state == "withdrawn" else "open" for state in states}))
    if now is None:
        return status.in_(sorted(states))
    if "open" in states and "snoozed" not in states:
        return and_(stands, or_(a.status != "open", a.snoozed_until.is_(None), a.snoozed_until <= now))
    if "snoozed" in states and "open" not in states:
        return and_(stands, or_(a.status != "open", a.snoozed_until > now))
    return stands


def _from(sources: frozenset[str]) -> ColumnElement[bool]:
    """Entered leads have their source where others have their detector."""
    detector = t.alert.c.detector
    entered = detector.in_(sorted(sources & SOURCES))
    return or_(entered, detector.not_in(sorted(SOURCES))) if RULES in sources else entered


def state_of(now: datetime | None) -> ColumnElement[str]:
    """The same as a value."""
    a = t.alert.c
    if now is None:
        return a.status
    return case((and_(a.status == "open", a.snoozed_until > now), literal("snoozed")), else_=a.status)


def _at(condition: ColumnElement[bool]) -> Select[tuple[str]]:
    return select(t.alert_org.c.alert_id).where(condition)


def _inside(limit: str) -> ColumnElement[bool]:
    return t.alert_org.c.area.startswith(area_prefix(limit), autoescape=True)


def named_areas(areas: Sequence[str]) -> Iterator[ColumnElement[bool]]:
    """The same test on the alert's own row: faster where everything is counted, slower where little is wanted."""
    prefixes = [area_prefix(limit) for limit in areas]
    if prefixes:
        starts = (t.alert.c.areas.startswith(prefix, autoescape=True) for prefix in prefixes)
        follows = (t.alert.c.areas.contains(f" {prefix}", autoescape=True) for prefix in prefixes)
        yield or_(*starts, *follows)


class _Newest(Struct, array_like=True, tag_field="order", tag="newest"):
    seq: int


class _Gravest(Struct, array_like=True, tag_field="order", tag="gravest"):
    level_rank: int
    amount_at_risk_fen: int
    certainty_rank: int
    named_before: int
    last_seen: datetime
    alert_id: str


def cursor_of(order: Order, row: LeadRow) -> str:
    key = _Newest(row.seq) if order is Order.NEWEST else _Gravest(*risk(row))
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def risk(row: LeadRow) -> tuple[int, int, int, int, datetime, str]:
    """What the risk order compares; the largest stands first."""
    certain = certainty_rank(row.certainty)
    return row.level.rank, row.amount_at_risk_fen, certain, row.named_before, row.last_seen, row.alert_id


def beyond(order: Order, cursor: str) -> ColumnElement[bool]:
    shape: type[_Newest | _Gravest] = _Newest if order is Order.NEWEST else _Gravest
    try:
        key = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=shape)
    except (binascii.Error, ValueError) as error:
        raise CursorError(f"{cursor!r} is no cursor of order {order.value!r}") from error
    values = (literal(value, column.type) for value, column in zip(astuple(key), KEYS[order], strict=True))
    return tuple_(*KEYS[order]) < tuple_(*values)
