"""Leaving a subject in peace for a while: its alerts are kept and shown under a filter, but nobody is called.

A snooze is set by a screener with a reason and an end, and ends by itself. It covers the alerts about its subject in
the areas of whoever set it, up to the gravest level they had then: a graver alert wakes the subject for good.

What the clock says decides: an alert is snoozed while ``snoozed_until`` lies ahead. ``end_due`` only writes down that a
snooze is over, and so tells open pages.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Row, bindparam, delete, exists, select, tuple_, update

from alerts import tables as t
from alerts.accounts import Account, Role
from alerts.kept import KEEPER, Note, within
from alerts.store import Store
from alerts.writing import Writing, portions
from detectors.finding import Level, Subject

LONGEST = timedelta(days=30)  # longer needs a second person
LONGEST_REASON = 200  # characters
SNOOZED, WOKEN = "snoozed", "woken"  # kinds of alert_event
Because = Literal["level", "time", "hand"]


class SnoozeError(ValueError):
    """A snooze that cannot be set; the message says why."""


class NotAllowedError(Exception):
    """Only a screener may do this."""


class Snooze(Struct, frozen=True, kw_only=True):
    """One snooze. ``level``: the gravest that stays quiet. ``areas``: covers alerts within these; none: every area."""

    subject_kind: str
    subject_id: str
    areas: tuple[str, ...]
    level: Level
    reason: str
    set_by: str
    since: datetime
    until: datetime

    @property
    def subject(self) -> Subject:
        return Subject(self.subject_kind, self.subject_id)

    def covers(self, areas: Iterable[str]) -> bool:
        """Does it concern an alert of these areas?"""
        return within(areas, self.areas)


class Named(Struct, frozen=True):
    """An alert about a subject, as far as snoozing goes."""

    alert_id: str
    subject: Subject
    level: Level
    areas: tuple[str, ...]
    is_open: bool
    snoozed_until: datetime | None


def may_snooze(who: Account) -> bool:
    """Screening is the screener's duty."""
    return who.role is Role.SCREENER


def snooze(store: Store, subject: Subject, who: Account, until: datetime, reason: str, now: datetime) -> Snooze:
    """Let this subject rest; replaces a snooze of the same areas. Raises NotAllowedError, SnoozeError."""
    _check(who, until, reason.strip(), now)
    with store.writing() as writing:
        covered = [one for one in _about(writing.db, [subject]) if one.is_open and within(one.areas, who.areas)]
        if not covered:
            raise SnoozeError(f"no alert about {subject.kind} {subject.id!r} stands")
        made = Snooze(
            subject_kind=subject.kind,
            subject_id=subject.id,
            areas=who.areas,
            level=max((one.level for one in covered), key=lambda level: level.rank),
            reason=reason.strip(),
            set_by=who.name,
            since=now,
            until=until,
        )
        writing.upsert(t.snooze, [_values(made)])
        _apply(writing, [subject])
        data = msgspec.json.encode({"until": until, "reason": made.reason, "level": made.level})
        writing.append([_note(SNOOZED, one, who.name, now, data) for one in covered])
    return made


def wake(store: Store, subject: Subject, who: Account, now: datetime) -> bool:
    """End the snoozes of a subject that lie within this account's areas; was there one? Raises NotAllowedError."""
    if not may_snooze(who):
        raise NotAllowedError
    with store.writing() as writing:
        mine = [one for one in _snoozes(writing.db, [subject]) if may_wake(who, one)]
        _end(writing, mine, "hand", who.name, now)
    return bool(mine)


def may_wake(who: Account, one: Snooze) -> bool:
    """A screener may, unless the snooze also covers areas that are not the screener's."""
    limits = who.areas
    return may_snooze(who) and (not limits or (bool(one.areas) and all(within([area], limits) for area in one.areas)))


def snoozes_of(store: Store, subject: Subject, areas: Sequence[str], now: datetime) -> list[Snooze]:
    """The snoozes in force that cover an alert of these areas about the subject; the longest first."""
    with store.engine.connect() as db:
        found = [one for one in _snoozes(db, [subject]) if one.until > now and one.covers(areas)]
    return sorted(found, key=lambda one: (one.until, one.areas), reverse=True)


def heed(writing: Writing, said: Sequence[tuple[str, Subject, Level]], at: datetime) -> None:
    """These alerts were just kept, each at this level at least once: snooze them too, or wake their subjects."""
    subjects = {subject for _, subject, _ in said}
    running = _snoozes(writing.db, subjects)
    if not running:
        return
    areas = {one.alert_id: one.areas for one in _about(writing.db, subjects)}

    def is_woken(one: Snooze) -> bool:
        graver = (name for name, subject, level in said if subject == one.subject and level.rank > one.level.rank)
        return one.until > at and any(one.covers(areas[name]) for name in graver)

    _apply(writing, subjects)
    _end(writing, list(filter(is_woken, running)), "level", KEEPER, at)


def end_due(store: Store, now: datetime) -> int:
    """Write down which snoozes are over; how many. Any number of processes may do so. Raises STORE_AWAY."""
    due = t.snooze.c.until <= now
    with store.engine.connect() as db:
        if not db.execute(select(exists().where(due))).scalar_one():
            return 0
    with store.writing() as writing:
        over = [_snooze(row) for row in writing.db.execute(select(t.snooze).where(due))]
        _end(writing, over, "time", KEEPER, now)
    return len(over)


def _check(who: Account, until: datetime, reason: str, now: datetime) -> None:
    if not may_snooze(who):
        raise NotAllowedError
    if not 0 < len(reason) <= LONGEST_REASON:
        raise SnoozeError(f"reason: 1 to {LONGEST_REASON} characters")
    if not now < until <= now + LONGEST:
        raise SnoozeError(f"until: in the future, at most {LONGEST.days} days ahead")


def _end(writing: Writing, over: Sequence[Snooze], because: Because, actor: str, now: datetime) -> None:
    """Forget these snoozes, and tell of every alert that nothing covers any more."""
    for one in over:
        s = t.snooze.c
        key = (s.subject_kind == one.subject_kind, s.subject_id == one.subject_id, s.areas == " ".join(one.areas))
        writing.db.execute(delete(t.snooze).where(*key))
    awake = [one for one in _apply(writing, {one.subject for one in over}) if one.is_open]
    data = msgspec.json.encode({"because": because})
    writing.append([_note(WOKEN, one, actor, now, data) for one in awake])


def _apply(writing: Writing, subjects: Iterable[Subject]) -> list[Named]:
    """Have every alert about these subjects say until when it is snoozed; those that no longer are."""
    asked = set(subjects)
    running = _snoozes(writing.db, asked)
    changed: list[tuple[Named, datetime | None]] = []
    for one in _about(writing.db, asked):
        ends = [some.until for some in running if some.subject == one.subject and some.covers(one.areas)]
        if (until := max(ends, default=None)) != one.snoozed_until:
            changed.append((one, until))
    if changed:
        row = update(t.alert).where(t.alert.c.alert_id == bindparam("name")).values(snoozed_until=bindparam("until"))
        writing.db.execute(row, [{"name": one.alert_id, "until": until} for one, until in changed])
    return [one for one, until in changed if until is None]


def _about(db: Connection, subjects: Iterable[Subject]) -> list[Named]:
    a = t.alert.c
    query = select(a.alert_id, a.subject_kind, a.subject_id, a.level_rank, a.areas, a.status, a.snoozed_until)
    return [
        Named(
            alert_id=row.alert_id,
            subject=Subject(row.subject_kind, row.subject_id),
            level=tuple(Level)[row.level_rank],
            areas=tuple(row.areas.split()),
            is_open=row.status == "open",
            snoozed_until=row.snoozed_until,
        )
        for some in portions(subjects)
        for row in db.execute(query.where(tuple_(a.subject_kind, a.subject_id).in_(some)).order_by(a.alert_id))
    ]


def _snoozes(db: Connection, subjects: Iterable[Subject]) -> list[Snooze]:
    s = t.snooze.c
    return [
        _snooze(row)
        for some in portions(subjects)
        for row in db.execute(select(t.snooze).where(tuple_(s.subject_kind, s.subject_id).in_(some)))
    ]


def _snooze(row: Row[tuple[Any, ...]]) -> Snooze:
    values = {name: getattr(row, name) for name in Snooze.__struct_fields__ if name != "level"}
    return Snooze(**values | {"areas": tuple(row.areas.split()), "level": tuple(Level)[row.level_rank]})


def _values(of: Snooze) -> dict[str, object]:
    values = {name: getattr(of, name) for name in Snooze.__struct_fields__ if name != "level"}
    return values | {"areas": " ".join(of.areas), "level_rank": of.level.rank}


def _note(kind: str, about: Named, actor: str, at: datetime, data: bytes) -> Note:
    return Note(kind=kind, actor=actor, at=at, alert_id=about.alert_id, data=data)
