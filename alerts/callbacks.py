"""Calls to patients about a lead (回访): whom, what to ask, by when, and what they said.

task = set_call(store, account, alert_id, person, ask, assignee, due, now)
done(store, account, alert_id, task.number, Result.CONFIRMED, "…", now)
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection, func, insert, literal, select, tuple_, update

from alerts import tables as t
from alerts.accounts import Account, Role
from alerts.casework import WRITERS, NoLeadError, answered_before, digest, is_repeated
from alerts.deadlines import CHINA
from alerts.kept import Note, within
from alerts.life import LONGEST_NOTE, MoveError
from alerts.reveal import persons_of
from alerts.store import Store

SET, DONE = "call_set", "call_done"  # kinds of alert_event
MOST_CALLS = 100  # of one lead
CALLERS = frozenset({Role.SCREENER, Role.INVESTIGATOR})  # who may be asked to call


ABOUT = {  # which questions fit a lead of this detector, where they are not those of a visit
    **dict.fromkeys(("card_batch_swipe", "geo_time_conflict", "multi_org_burst", "ineligible_credential_use"), "card"),
    **dict.fromkeys(("trace_code_repeat", "drug_overstock", "inventory_imbalance", "rx_missing_or_forged"), "drug"),
    **dict.fromkeys(("ghost_bed_absence", "ghost_bed_no_service", "readmission_split", "batch_admission"), "stay"),
    "inpatient_concurrent_claim": "stay",
    "empty_swipe_reverse": "card",
}


class Result(StrEnum):
    """What a call has brought."""

    CONFIRMED = "confirmed"  # the patient says that it was as the bills have it
    DENIED = "denied"  # that it was not
    UNREACHED = "unreached"
    REFUSED = "refused"


class Call(Struct, frozen=True, kw_only=True):
    """One call. ``result`` is empty while it is open; ``due`` is a day in China."""

    alert_id: str
    number: int
    person: str
    ask: str
    assignee: str
    due: date
    set_by: str
    set_at: datetime
    result: str = ""
    said: str = ""
    done_by: str = ""
    done_at: datetime | None = None

    def is_overdue(self, now: datetime) -> bool:
        return not self.result and self.due < now.astimezone(CHINA).date()


def calls_of(store: Store, alert_id: str) -> list[Call]:
    """Those of a lead, in the order in which they were set."""
    c = t.callback
    with store.engine.connect() as db:
        rows = db.execute(select(c).where(c.c.alert_id == alert_id).order_by(c.c.number))
        return [Call(**row._mapping) for row in rows]


def key_of(call: Call) -> tuple[date, str, int]:
    """Where a call stands in the order of ``calls_for``."""
    return call.due, call.alert_id, call.number


def calls_for(
    store: Store, who: Account, limit: int = 200, *, after: tuple[date, str, int] | None = None
) -> list[Call]:
    """The open calls of this account, the most urgent first, of leads that it may see; those after a ``key_of``."""
    c, a = t.callback, t.alert
    query = select(c, a.c.areas).join(a, a.c.alert_id == c.c.alert_id)
    query = query.where(c.c.assignee == who.name, c.c.result == "").order_by(c.c.due, c.c.alert_id, c.c.number)
    if after is not None:
        query = query.where(tuple_(c.c.due, c.c.alert_id, c.c.number) > tuple_(*map(literal, after)))
    with store.engine.connect() as db:
        rows = [dict(row._mapping) for row in db.execute(query)]
    return [Call(**row) for row in rows if within(row.pop("areas").split(), who.areas)][:limit]


def set_call(
    store: Store,
    who: Account,
    alert_id: str,
    person: str,
    ask: str,
    assignee: str,
    due: date,
    now: datetime,
    *,
    key: str = "",
) -> Call:
    """Ask somebody to call a patient whom the lead's records name. Raises NoLeadError, MoveError, KeyReusedError."""
    _check(store, who, alert_id)
    question = ask.strip()
    if not 0 < len(question) <= LONGEST_NOTE:
        raise MoveError("too_long" if question else "note_needed")
    if person not in persons_of(store, alert_id):
        raise MoveError("no_such_patient")
    if due < now.astimezone(CHINA).date():
        raise MoveError("day_passed")
    c = t.callback
    areas = store.rows([alert_id])[alert_id].areas
    asked = digest(alert_id, SET, person, question, assignee, due)
    with store.writing() as writing:
        count = writing.db.execute(select(func.count()).where(c.c.alert_id == alert_id)).scalar_one()
        if (before := answered_before(writing, who, key, asked, count + 1, now)) is not None:
            return _call(writing.db, alert_id, before)
        record = writing.account(assignee)
        if not record or record.disabled or record.role not in set(CALLERS) or not within(areas, record.areas):
            raise MoveError("no_such_holder")
        if count >= MOST_CALLS:
            raise MoveError("too_many_calls")
        call = Call(
            alert_id=alert_id,
            number=count + 1,
            person=person,
            ask=question,
            assignee=assignee,
            due=due,
            set_by=who.name,
            set_at=now,
        )
        writing.db.execute(insert(c), [structs.asdict(call)])
        writing.append([_note(SET, call, who, now)])
    return call


def done(
    store: Store,
    who: Account,
    alert_id: str,
    number: int,
    result: Result,
    said: str,
    now: datetime,
    *,
    key: str = "",
) -> None:
    """What the patient said; only who was asked to call, once. Raises NoLeadError, MoveError, KeyReusedError."""
    _check(store, who, alert_id)
    told = said.strip()
    if not 0 < len(told) <= LONGEST_NOTE:
        raise MoveError("too_long" if told else "note_needed")
    c = t.callback
    ended = {"result": result.value, "said": told, "done_by": who.name, "done_at": now}
    with store.writing() as writing:
        call = _call(writing.db, alert_id, number)
        if call.assignee != who.name:
            raise MoveError("not_your_call")
        if is_repeated(writing, who, key, digest(alert_id, DONE, number, result, told), 0, now):
            return
        if call.result:
            raise MoveError("call_done")
        writing.db.execute(update(c).where(c.c.alert_id == alert_id, c.c.number == number).values(**ended))
        writing.append([_note(DONE, structs.replace(call, **ended), who, now)])


def callers(store: Store, areas: Sequence[str]) -> list[str]:
    """Who may be asked to call about a lead of these areas, by name."""
    return [
        one.name
        for one in store.accounts()
        if one.role in set(CALLERS) and not one.disabled and within(areas, one.areas)
    ]


def _check(store: Store, who: Account, alert_id: str) -> None:
    if not store.rows([alert_id], areas=who.areas):
        raise NoLeadError(alert_id)
    if who.role not in WRITERS:
        raise MoveError("not_your_role")


def _call(db: Connection, alert_id: str, number: int) -> Call:
    c = t.callback
    for row in db.execute(select(c).where(c.c.alert_id == alert_id)):
        if row.number == number:  # compared here: a number from outside may be too large for an engine
            return Call(**row._mapping)
    raise NoLeadError(f"{alert_id}/{number}")


def _note(kind: str, call: Call, who: Account, now: datetime) -> Note:
    """Without the patient and the words: the trail is kept longer than they."""
    told = {"number": call.number, "assignee": call.assignee, "result": call.result}
    return Note(kind=kind, actor=who.name, at=now, alert_id=call.alert_id, data=msgspec.json.encode(told))
