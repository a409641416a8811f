"""Carrying out the life of a lead: each move and comment is one transaction of the alert store.

    work = work_of(store, alert_id)
    work = move(store, account, alert_id, work.version, Name.SCREEN, NOTHING, now)

Every change is appended to alert_event (``moved``, ``commented``). What an account may not see it cannot change:
its areas are looked at inside the transaction.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection, delete, func, insert, select

from alerts import tables as t
from alerts.accounts import Account, Role
from alerts.deadlines import USUAL, Limits, due_on
from alerts.kept import LeadRow, Note, within
from alerts.life import (
    LONGEST_NOTE,
    RECOVERED,
    Asked,
    Kind,
    Measure,
    MoveError,
    Name,
    Need,
    Reason,
    Rule,
    State,
    Trail,
    allowed,
    check,
)
from alerts.store import Store
from alerts.writing import Writing, portions
from detectors.finding import Level

MOVED, COMMENTED = "moved", "commented"  # kinds of alert_event
KEYS_KEPT = timedelta(hours=24)
LONGEST_KEY = 100  # characters
MOST_COMMENTS = 500  # of one lead
WRITERS = frozenset(Role) - {Role.VIEWER, Role.AUDITOR, Role.ADMIN, Role.RULES}
OUTCOMES = {State.CONFIRMED, State.PARTLY, State.UNFOUNDED, State.DISMISSED}
_NO_LONGER_MOVES = {State.NEW, State.SCREENED}  # once the ground of a lead is gone


class StaleError(Exception):
    """Somebody else was first; ``work`` is how it stands now."""

    def __init__(self, work: "Work") -> None:
        super().__init__(f"it is version {work.version} now")
        self.work = work


class KeyReusedError(ValueError):
    """The key of an earlier write came with another write."""


class NoLeadError(LookupError):
    """There is no such lead within the account's areas."""


class Work(Struct, frozen=True, kw_only=True):
    """How far people have come with one lead. ``found_fen``: as reported, then as found."""

    alert_id: str
    version: int
    state: State
    entered_at: datetime
    due: date | None
    screened_by: str
    officers: tuple[str, ...]
    extended: bool
    reason: str
    exclusion: str
    outcome: str
    found_fen: int | None
    changed_by: str
    changed_at: datetime

    @property
    def trail(self) -> Trail:
        return Trail(self.state, self.screened_by, self.officers, self.extended)


class Taken(Struct, frozen=True, kw_only=True):
    """A measure as it stands in a file or a ledger."""

    alert_id: str
    number: int
    kind: Kind
    amount_fen: int
    points: int
    subject_kind: str
    subject_id: str
    document: str
    taken_by: str
    taken_at: datetime


class _About(Struct, frozen=True):
    """What a lead's life needs of the alert itself."""

    areas: tuple[str, ...]
    level: Level
    is_withdrawn: bool
    raised_at: datetime


def work_of(store: Store, alert_id: str, limits: Limits = USUAL) -> Work | None:
    """How far a lead has come; None if there is no such alert."""
    with store.engine.connect() as db:
        about = _about(db, alert_id)
        return None if about is None else _work(db, alert_id, about, limits)


def works_of(store: Store, rows: Sequence[LeadRow], limits: Limits = USUAL) -> dict[str, Work]:
    """The same of many leads, by their ids."""
    w = t.casework
    with store.engine.connect() as db:
        found = {
            row.alert_id: row._mapping
            for some in portions(row.alert_id for row in rows)
            for row in db.execute(select(w).where(w.c.alert_id.in_(some)))
        }
    return {row.alert_id: _read(found.get(row.alert_id), row.alert_id, _about_row(row), limits) for row in rows}


def moves_for(work: Work, who: Account, is_withdrawn: bool) -> list[Rule]:
    """What this account may do now; nothing begins on a lead whose ground is gone."""
    if is_withdrawn and work.state in _NO_LONGER_MOVES:
        return []
    return allowed(work.trail, who)


def move(
    store: Store,
    who: Account,
    alert_id: str,
    version: int,
    name: Name,
    asked: Asked,
    now: datetime,
    *,
    key: str = "",
    limits: Limits = USUAL,
) -> Work:
    """Make a move on the lead as it was at this version.

    Raises NoLeadError, StaleError, MoveError, KeyReusedError. A key sent again with the same move changes nothing.
    """
    with store.writing() as writing:
        about = _within_reach(writing.db, who, alert_id)
        work = _work(writing.db, alert_id, about, limits)
        if is_repeated(writing, who, key, digest(alert_id, version, name, asked), work.version + 1, now):
            return work
        if version != work.version:
            raise StaleError(work)
        if about.is_withdrawn and work.state in _NO_LONGER_MOVES:
            raise MoveError("withdrawn")
        rule = check(work.trail, name, who, asked)
        if Need.OFFICERS in rule.needs:
            _check_officers(writing, asked.officers, about)
        moved = _moved(work, rule, who, asked, now, about, limits)
        writing.upsert(t.casework, [structs.asdict(moved) | {"officers": msgspec.json.encode(moved.officers).decode()}])
        given = {need.value for need in rule.needs}
        if Need.MEASURES in rule.needs:
            _take(writing.db, alert_id, asked.measures, who, now)
        data = {
            "move": name,
            "from": work.state,
            "to": rule.to,
            "version": moved.version,
            "note": asked.note.strip(),
            "document": asked.document.strip(),
            "reason": moved.reason if "reason" in given else "",
            "exclusion": moved.exclusion if "reason" in given else "",
            "officers": asked.officers if "officers" in given else (),
            "amount_fen": asked.amount_fen if "amount" in given else None,
            "measures": asked.measures if "measures" in given else (),
        }
        writing.append([Note(kind=MOVED, actor=who.name, at=now, alert_id=alert_id, data=msgspec.json.encode(data))])
    return moved


def comment(store: Store, who: Account, alert_id: str, text: str, now: datetime, *, key: str = "") -> None:
    """Say something about a lead; it stays. Raises NoLeadError, MoveError, KeyReusedError."""
    said = text.strip()
    if who.role not in WRITERS:
        raise MoveError("not_your_role")
    if not 0 < len(said) <= LONGEST_NOTE:
        raise MoveError("too_long" if said else "note_needed")
    with store.writing() as writing:
        _within_reach(writing.db, who, alert_id)
        if is_repeated(writing, who, key, digest(alert_id, COMMENTED, said), 0, now):
            return
        mine = (t.alert_event.c.alert_id == alert_id, t.alert_event.c.kind == COMMENTED)
        if (
            writing.db.execute(select(func.count()).select_from(t.alert_event).where(*mine)).scalar_one()
            >= MOST_COMMENTS
        ):
            raise MoveError("too_many_comments")
        data = msgspec.json.encode({"note": said})
        writing.append([Note(kind=COMMENTED, actor=who.name, at=now, alert_id=alert_id, data=data)])


def measures_of(store: Store, alert_id: str) -> list[Taken]:
    """What was done about a lead, in order."""
    m = t.measure
    with store.engine.connect() as db:
        return [
            _taken(row._mapping) for row in db.execute(select(m).where(m.c.alert_id == alert_id).order_by(m.c.number))
        ]


def measures_of_all(store: Store, alert_ids: Sequence[str]) -> dict[str, list[Taken]]:
    """The same of many leads; those without any are left out."""
    m, found = t.measure, dict[str, list[Taken]]()
    with store.engine.connect() as db:
        for some in portions(alert_ids):
            query = select(m).where(m.c.alert_id.in_(some)).order_by(m.c.alert_id, m.c.number)
            for row in db.execute(query):
                found.setdefault(row.alert_id, []).append(_taken(row._mapping))
    return found


def ledger(
    store: Store, kind: str, name: str, *, areas: Sequence[str] = (), since: datetime | None = None, limit: int = 200
) -> list[Taken]:
    """The points held against an institution, doctor or cashier by leads within the areas, newest first."""
    m, a = t.measure, t.alert
    query = select(m, a.c.areas).join(a, a.c.alert_id == m.c.alert_id).order_by(m.c.taken_at.desc(), m.c.alert_id)
    query = query.where(m.c.subject_kind == kind, m.c.subject_id == name)
    if since is not None:
        query = query.where(m.c.taken_at >= since)
    with store.engine.connect() as db:
        rows = [row._mapping for row in db.execute(query)]
    return [_taken(row) for row in rows if within(row["areas"].split(), areas)][:limit]


def recovered_fen(taken: Sequence[Taken]) -> int:
    """What of it the fund has back, or keeps."""
    return sum(one.amount_fen for one in taken if one.kind in RECOVERED)


# -- inside a transaction --------------------------------------------------------------------------------------------


def _about(db: Connection, alert_id: str) -> _About | None:
    a = t.alert.c
    row = db.execute(select(a.areas, a.level_rank, a.status, a.raised_at).where(a.alert_id == alert_id)).one_or_none()
    if row is None:
        return None
    return _About(tuple(row.areas.split()), tuple(Level)[row.level_rank], row.status == "withdrawn", row.raised_at)


def _within_reach(db: Connection, who: Account, alert_id: str) -> _About:
    about = _about(db, alert_id)
    if about is None or not within(about.areas, who.areas):
        raise NoLeadError(alert_id)
    return about


def _about_row(row: LeadRow) -> _About:
    return _About(row.areas, row.level, row.status == "withdrawn", row.raised_at)


def _work(db: Connection, alert_id: str, about: _About, limits: Limits) -> Work:
    row = db.execute(select(t.casework).where(t.casework.c.alert_id == alert_id)).one_or_none()
    return _read(row._mapping if row else None, alert_id, about, limits)


def _read(row: Mapping[Any, Any] | None, alert_id: str, about: _About, limits: Limits) -> Work:
    """Any: a Core row is untyped. A lead without a row is new."""
    if row is not None:
        values = dict(row)
        officers = msgspec.json.decode(values.pop("officers"), type=tuple[str, ...])
        return Work(**values | {"state": State(values["state"]), "officers": officers})
    return Work(
        alert_id=alert_id,
        version=0,
        state=State.NEW,
        entered_at=about.raised_at,
        due=due_on(State.NEW, about.level, about.raised_at, False, limits),
        screened_by="",
        officers=(),
        extended=False,
        reason="",
        exclusion="",
        outcome="",
        found_fen=None,
        changed_by="",
        changed_at=about.raised_at,
    )


def _moved(work: Work, rule: Rule, who: Account, asked: Asked, now: datetime, about: _About, limits: Limits) -> Work:
    """The work after this move. A lead opened again begins anew: only its history knows what was before."""
    extended = rule.move is Name.EXTEND or (work.extended and rule.move is not Name.REOPEN)
    entered = work.entered_at if rule.to is work.state else now
    base = work if rule.to is not State.NEW else structs.replace(work, screened_by="", officers=(), found_fen=None)
    dismissed = asked if rule.to is State.DISMISSED else Asked()
    return structs.replace(
        base,
        version=work.version + 1,
        state=rule.to,
        entered_at=entered,
        due=due_on(rule.to, about.level, entered, extended, limits),
        screened_by=who.name if rule.move is Name.SCREEN else base.screened_by,
        officers=asked.officers if Need.OFFICERS in rule.needs else base.officers,
        extended=extended,
        reason=_reason(base, rule, dismissed.reason),
        exclusion=dismissed.exclusion if dismissed.reason is Reason.EXCLUSION else _kept(base.exclusion, rule),
        outcome=rule.to.value if rule.to in OUTCOMES else _kept(base.outcome, rule),
        found_fen=_found_fen(base, rule, asked),
        changed_by=who.name,
        changed_at=now,
    )


def _reason(base: Work, rule: Rule, reason: Reason | None) -> str:
    return reason.value if reason else _kept(base.reason, rule)


def _found_fen(base: Work, rule: Rule, asked: Asked) -> int | None:
    if rule.to is State.UNFOUNDED:
        return 0
    return asked.amount_fen if Need.AMOUNT in rule.needs else base.found_fen


def _kept(value: str, rule: Rule) -> str:
    """What stays once it is said, until the lead is opened again."""
    return "" if rule.to is State.NEW else value


def _check_officers(writing: Writing, officers: Sequence[str], about: _About) -> None:
    """Each an investigator who may log in and see the lead."""
    for name in officers:
        record = writing.account(name)
        fits = record and not record.disabled and record.role == Role.INVESTIGATOR and within(about.areas, record.areas)
        if not fits:
            raise MoveError("no_such_officer", name)


def _take(db: Connection, alert_id: str, measures: Sequence[Measure], who: Account, now: datetime) -> None:
    """Write down measures after those that a lead has from before it was opened again."""
    m = t.measure.c
    first = (db.execute(select(func.max(m.number)).where(m.alert_id == alert_id)).scalar_one() or 0) + 1
    rows = [
        structs.asdict(one) | {"alert_id": alert_id, "number": number, "taken_by": who.name, "taken_at": now}
        for number, one in enumerate(measures, start=first)
    ]
    db.execute(insert(t.measure), rows)


def is_repeated(writing: Writing, who: Account, key: str, asked: str, version: int, now: datetime) -> bool:
    """Was this very write carried out under this key? If not, it is remembered that it is now."""
    return bool(key) and answered_before(writing, who, key, asked, version, now) is not None


def answered_before(writing: Writing, who: Account, key: str, asked: str, version: int, now: datetime) -> int | None:
    """The version, or number, that this very write led to under this key; None: it is carried out now.

    Then it is remembered with this version. Raises KeyReusedError, MoveError.
    """
    if not key:
        return None
    if len(key) > LONGEST_KEY:
        raise MoveError("too_long")
    known = t.answered.c
    writing.db.execute(delete(t.answered).where(known.at <= now - KEYS_KEPT))
    mine = (known.account == who.name, known.key == key)
    before = writing.db.execute(select(known.asked, known.version).where(*mine)).one_or_none()
    if before is None:
        writing.upsert(t.answered, [{"account": who.name, "key": key, "asked": asked, "version": version, "at": now}])
        return None
    if before.asked != asked:
        raise KeyReusedError(key)
    return int(before.version)


def digest(*asked: object) -> str:
    return hashlib.sha256(msgspec.json.encode(asked)).hexdigest()


def _taken(row: Mapping[Any, Any]) -> Taken:  # Any: a Core row is untyped
    return msgspec.convert({name: row[name] for name in Taken.__struct_fields__}, Taken)
