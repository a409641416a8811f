"""Correcting an entered lead, as long as nobody has decided on it. What it said before stays beside it.

    version, told = wording(store, name)
    version = correct(store, account, name, version, structs.replace(told, about="…"), now)

The trail says who corrected which fields when, and none of the words: those go with the lead.
"""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection, func, insert, select

from alerts import repeat
from alerts import tables as t
from alerts.accounts import Account, Role
from alerts.alert import open_alert
from alerts.casework import WRITERS, NoLeadError, digest, is_repeated
from alerts.deadlines import CHINA
from alerts.entered import Entered, Told, checked, lead_of, put_lead, read_row
from alerts.kept import CORRECTED, Note, area_of, within
from alerts.life import MoveError, State
from alerts.reveal import hidden
from alerts.source import Source
from alerts.store import Store
from detectors.finding import Level, Subject

CORRECTS = frozenset({Role.REVIEWER})  # besides whoever entered it


class Earlier(Struct, frozen=True, kw_only=True):
    """What a lead said until it was corrected; without the paper's number where that is confidential."""

    version: int
    told: Told
    corrected_by: str
    corrected_at: datetime


class OvertakenError(Exception):
    """Somebody else has corrected it since it was read."""

    def __init__(self, by: str) -> None:
        super().__init__(by)
        self.by = by


class _Now(Struct, frozen=True, kw_only=True):
    """An entered lead as it stands inside a transaction."""

    version: int
    told: Told
    entered: Entered
    areas: tuple[str, ...]
    period_name: str
    revision: int
    raised_at: datetime
    is_decided: bool


def wording(store: Store, name: str) -> tuple[int, Told] | None:
    """The version and what an entered lead says now, fit to be shown; None if a rule raised it.

    Persons are named by their last characters, which ``correct`` understands; a confidential number is left out.
    """
    with store.engine.connect() as db:
        now = _now(db, name)
    return None if now is None else (now.version, _shown(now.told, _persons(now.told), now.told.confidential))


def earlier(store: Store, name: str) -> list[Earlier]:
    """What it said before, the latest first, fit to be shown. A number that became confidential was never open."""
    b = t.entered_before
    with store.engine.connect() as db:
        rows = db.execute(select(b).where(b.c.alert_id == name).order_by(b.c.version.desc())).all()
        now = _now(db, name)
    kept = [
        Earlier(
            version=row.version,
            told=msgspec.json.decode(row.told, type=Told),
            corrected_by=row.corrected_by,
            corrected_at=row.corrected_at,
        )
        for row in rows
    ]
    all_said = [one.told for one in kept] + ([now.told] if now else [])
    is_secret = any(told.confidential for told in all_said)
    persons = [person for told in all_said for person in _persons(told)]
    return [structs.replace(one, told=_shown(one.told, persons, is_secret)) for one in kept]


def may_correct(store: Store, who: Account, name: str) -> bool:
    """May this account correct it now?"""
    with store.engine.connect() as db:
        now = _now(db, name)
    return now is not None and not now.is_decided and _is_allowed(who, now.entered)


def correct(store: Store, who: Account, name: str, version: int, told: Told, now: datetime, *, key: str = "") -> int:
    """Let the lead of this version say this from now on; the version it has then. An empty paper leaves its number.

    The lead keeps its name whatever is corrected. Raises NoLeadError, OvertakenError, MoveError, KeyReusedError.
    """
    with store.writing() as writing:
        was = _now(writing.db, name)
        if was is None or not within(was.areas, who.areas):
            raise NoLeadError(name)
        if not _is_allowed(who, was.entered):
            raise MoveError("not_your_entry")
        if is_repeated(writing, who, key, digest(name, CORRECTED, version, told), version, now):
            return was.version
        if version != was.version:
            raise _overtaken(writing.db, name)
        if was.is_decided:
            raise MoveError("decided_already")
        told = checked(who, _meant(told, was.told), now)
        if told == was.told:
            return was.version
        fields = [one for one in Told.__struct_fields__ if getattr(told, one) != getattr(was.told, one)]
        data = msgspec.json.encode({"version": version + 1, "fields": fields, "level": told.level})
        (seq,) = writing.append([Note(kind=CORRECTED, actor=who.name, at=now, alert_id=name, data=data)])
        writing.db.execute(insert(t.entered_before), [_kept(name, was, who, now)])
        lead = lead_of(told, was.period_name)
        alert = structs.replace(open_alert(lead, was.revision + 1, was.raised_at), alert_id=name)
        by = was.entered
        put_lead(writing, alert, lead, told, seq, now, entered_by=by.entered_by, entered_at=by.entered_at)
        repeat.count(writing, {lead.subject, Subject(was.told.subject_kind, was.told.subject_id)})
    return version + 1


def _is_allowed(who: Account, found: Entered) -> bool:
    return who.role in WRITERS and (who.role in CORRECTS or who.name == found.entered_by)


def _persons(told: Told) -> list[str]:
    return [told.subject_id] if told.subject_kind == "person" else []


def _shown(told: Told, persons: Sequence[str], is_secret: bool) -> Told:
    texts = {name: hidden(getattr(told, name), persons) for name in ("subject_id", "about", "told")}
    return structs.replace(told, **texts, paper="" if is_secret else told.paper)


def _meant(told: Told, was: Told) -> Told:
    """With what ``wording`` left out: a number that is not given stays, a person by its end is the one it was.

    Days as they are kept, so that only what differs counts as corrected.
    """
    since = told.since or told.received
    values = {name: getattr(told, name) for name in ("subject_id", "about", "told")}
    for person in _persons(was):
        values = {name: said.replace(hidden(person, [person]), person) for name, said in values.items()}
    days = {"since": since, "until": told.until or since}
    return structs.replace(told, **values, **days, paper=told.paper if told.paper.strip() else was.paper)


def _overtaken(db: Connection, name: str) -> OvertakenError:
    b = t.entered_before
    query = select(b.c.corrected_by).where(b.c.alert_id == name).order_by(b.c.version.desc())
    return OvertakenError(db.execute(query.limit(1)).scalar_one_or_none() or "?")


def _kept(name: str, was: _Now, who: Account, now: datetime) -> dict[str, object]:
    return {
        "alert_id": name,
        "version": was.version,
        "told": msgspec.json.encode(was.told).decode(),
        "corrected_by": who.name,
        "corrected_at": now,
    }


def _now(db: Connection, name: str) -> _Now | None:
    found = read_row(db, name)
    row = db.execute(select(t.alert).where(t.alert.c.alert_id == name)).one_or_none()
    if found is None or row is None:
        return None
    b, w = t.entered_before.c, t.casework.c
    state = db.execute(select(w.state).where(w.alert_id == name)).scalar_one_or_none()
    orgs, areas = msgspec.json.decode(row.orgs, type=tuple[str, ...]), tuple(row.areas.split())
    told = Told(
        source=Source(row.detector),
        subject_kind=row.subject_kind,
        subject_id=row.subject_id,
        orgs=orgs,
        area=next((area for area in areas if area not in set(map(area_of, orgs))), ""),
        about=row.summary_zh,
        told=found.told,
        level=tuple(Level)[row.level_rank],
        amount_fen=row.amount_at_risk_fen,
        since=_day(row.period_from),
        until=_day(row.period_to - timedelta(days=1)),
        received=found.received,
        paper=found.paper,
        confidential=found.confidential,
    )
    return _Now(
        version=db.execute(select(func.count()).where(b.alert_id == name)).scalar_one() + 1,
        told=told,
        entered=found,
        areas=areas,
        period_name=row.period_name,
        revision=row.revision,
        raised_at=row.raised_at,
        is_decided=state not in (None, State.NEW),
    )


def _day(moment: datetime) -> date:
    return moment.astimezone(CHINA).date()
