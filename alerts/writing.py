"""What is read and written inside one transaction of the alert store, and how values become rows."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from functools import lru_cache
from typing import Any, TypeVar

import msgspec
from msgspec.structs import asdict
from sqlalchemy import Connection, Executable, Row, Table, delete, insert, select, tuple_
from sqlalchemy.dialects import postgresql, sqlite

from alerts import tables as t
from alerts.involved import involved
from alerts.kept import AccountRecord, Entry, Note, Revision, Said, area_of, areas_of, certainty_rank
from detectors.finding import UnitId

T = TypeVar("T")
AnyRow = Row[tuple[Any, ...]]  # a Core row is untyped; the structs of alerts.kept are what leaves these modules
AT_ONCE = 1_000  # values in one IN (…): engines allow 32,766 and 65,535


class Writing:
    """What can be read and written inside ``Store.writing``; every call does many rows at once."""

    def __init__(self, db: Connection) -> None:
        self.db = db

    def tickets(self, units: Iterable[UnitId]) -> dict[UnitId, int]:
        """The highest ticket heard of each unit that was heard of."""
        query = select(t.unit_verdict.c.unit, t.unit_verdict.c.ticket)
        found: dict[UnitId, int] = {}
        for some in portions(unit_name(unit) for unit in units):
            for unit, ticket in self.db.execute(query.where(t.unit_verdict.c.unit.in_(some))):
                found[unit_id(unit)] = ticket
        return found

    def said(self, units: Iterable[UnitId], alert_ids: Iterable[str]) -> list[Said]:
        """What these units say, and what anybody says of these alerts or of those."""
        names = set(alert_ids)
        for some in portions(unit_name(unit) for unit in units):
            names.update(self.db.execute(select(t.said.c.alert_id).where(t.said.c.unit.in_(some))).scalars())
        query = select(t.said.c.unit, t.said.c.alert_id, t.said.c.lead)
        return [
            Said(unit_id(unit), name, lead.encode())
            for some in portions(names)
            for unit, name, lead in self.db.execute(query.where(t.said.c.alert_id.in_(some)))
        ]

    def bodies(self, alert_ids: Iterable[str]) -> Iterator[bytes]:
        """These alerts as JSON, as far as there are any."""
        for some in portions(alert_ids):
            query = select(t.alert_body.c.body).where(t.alert_body.c.alert_id.in_(some))
            for (body,) in self.db.execute(query):
                yield body.encode()

    def put_tickets(self, tickets: dict[UnitId, int]) -> None:
        """Remember these tickets."""
        self.upsert(t.unit_verdict, [{"unit": unit_name(unit), "ticket": ticket} for unit, ticket in tickets.items()])

    def put_said(self, said: Iterable[Said]) -> None:
        """Remember what units say now."""
        rows = [{"unit": unit_name(s.unit), "alert_id": s.alert_id, "lead": s.lead.decode()} for s in said]
        self.upsert(t.said, rows)

    def unsay(self, gone: Iterable[tuple[UnitId, str]]) -> None:
        """These units no longer say these alerts."""
        for some in portions((unit_name(unit), name) for unit, name in gone):
            self.db.execute(delete(t.said).where(tuple_(t.said.c.unit, t.said.c.alert_id).in_(some)))

    def put_alerts(self, revisions: Sequence[Revision]) -> None:
        """Store alerts at their newest revision; one of each id."""
        self.upsert(t.alert, [_alert_values(revision) for revision in revisions])
        self.upsert(t.alert_body, [_body_values(revision) for revision in revisions])
        for some in portions(revision.alert.alert_id for revision in revisions):
            self.db.execute(delete(t.alert_org).where(t.alert_org.c.alert_id.in_(some)))
            self.db.execute(delete(t.involved).where(t.involved.c.alert_id.in_(some)))
        self.upsert(t.alert_org, [row for revision in revisions for row in _org_values(revision)])
        self.upsert(t.involved, [row for revision in revisions for row in _involved_values(revision)])

    def append(self, notes: Sequence[Note]) -> list[int]:
        """Append to alert_event; the seq of each."""
        newest = select(t.alert_event.c.seq, t.alert_event.c.hash).order_by(t.alert_event.c.seq.desc()).limit(1)
        last = self.db.execute(newest).one_or_none()
        seq, link = (last.seq, last.hash) if last else (0, "")
        rows: list[dict[str, object]] = []
        for seq, note in enumerate(notes, start=seq + 1):  # noqa: B020
            before, link = link, link_of(link, seq, note)
            values = asdict(note) | {"data": note.data.decode()}
            rows.append(values | {"seq": seq, "prev_hash": before, "hash": link})
        if rows:
            self.db.execute(insert(t.alert_event), rows)
        return [seq - len(rows) + 1 + i for i in range(len(rows))]

    def account(self, name: str) -> AccountRecord | None:
        """The account of this name, as it is inside this transaction."""
        return account_in(self.db, name)

    def put_account(self, record: AccountRecord) -> None:
        """Make or replace an account."""
        self.upsert(t.account, [asdict(record) | {"areas": " ".join(record.areas)}])

    def upsert(self, table: Table, rows: Sequence[Mapping[str, object]], *, keep: Sequence[str] = ()) -> None:
        """Insert rows; where one of that key exists, its columns take the new values, but for ``keep``."""
        if rows:
            self.db.execute(_upserting(table, self.db.dialect.name, tuple(rows[0]), tuple(keep)), list(rows))


def unit_name(unit: UnitId) -> str:
    """A unit as one column: readable, unambiguous whatever its key holds."""
    return msgspec.json.encode(unit).decode()


def unit_id(name: str) -> UnitId:
    """The unit of a name."""
    return msgspec.json.decode(name, type=UnitId)


def account_in(db: Connection, name: str) -> AccountRecord | None:
    row = db.execute(select(t.account).where(t.account.c.name == name)).one_or_none()
    return account_of(row) if row else None


def account_of(row: AnyRow) -> AccountRecord:
    values = {name: getattr(row, name) for name in AccountRecord.__struct_fields__}
    return AccountRecord(**values | {"areas": tuple(row.areas.split())})


def _alert_values(of: Revision) -> dict[str, object]:
    alert, lead = of.alert, of.lead
    return {
        "alert_id": alert.alert_id,
        "seq": of.seq,
        "revision": alert.revision,
        "detector": alert.detector,
        "level_rank": alert.level.rank,
        "certainty": alert.certainty.value,
        "certainty_rank": certainty_rank(alert.certainty),
        "status": alert.status,
        "withdrawn_because": alert.withdrawn_because,
        "subject_kind": alert.subject.kind,
        "subject_id": alert.subject.id,
        "orgs": msgspec.json.encode(lead.orgs).decode(),
        "areas": " ".join(areas_of(lead)),
        "period_name": lead.period.name,
        "period_from": alert.period.since,
        "period_to": alert.period.to,
        "first_seen": alert.first_seen,
        "last_seen": alert.last_seen,
        "hits": alert.hits,
        "amount_at_risk_fen": lead.amount_at_risk_fen,
        "fund_paid_fen": lead.fund_paid_fen,
        "summary_zh": alert.summary_zh,
        "summary_en": alert.summary_en,
        "words": f"{alert.summary_zh}\n{alert.summary_en}\n{alert.subject.id}".lower(),
        "raised_at": alert.raised_at,
        "changed_at": of.changed_at,
    }


def _body_values(of: Revision) -> dict[str, object]:
    return {
        "alert_id": of.alert.alert_id,
        "body": of.body.decode(),
        "evidence": msgspec.json.encode(of.lead.evidence).decode(),
    }


def _org_values(of: Revision) -> Iterator[dict[str, object]]:
    """A row for each institution, and for each area that none of them is in."""
    name, orgs = of.alert.alert_id, dict.fromkeys(of.lead.orgs)
    for org in orgs:
        area = area_of(org)
        yield {"alert_id": name, "org": org, "area": area if area.isdigit() else ""}
    for area in set(areas_of(of.lead)) - set(map(area_of, orgs)):
        yield {"alert_id": name, "org": "", "area": area}


def _involved_values(of: Revision) -> Iterator[dict[str, object]]:
    for subject in involved(of.lead):
        yield {"alert_id": of.alert.alert_id, "kind": subject.kind, "id": subject.id}


def link_of(before: str, seq: int, note: Note | Entry) -> str:
    """The hash of a row: of the hash before it and of all it says."""
    at = note.at.astimezone(UTC).isoformat(timespec="microseconds")
    said = (before, seq, note.alert_id, note.revision, note.kind, note.actor, at, note.data.decode())
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def portions(values: Iterable[T]) -> Iterator[list[T]]:
    """Distinct values, few enough at a time for one IN (…)."""
    distinct = list(dict.fromkeys(values))
    for start in range(0, len(distinct), AT_ONCE):
        yield distinct[start : start + AT_ONCE]


@lru_cache(maxsize=256)
def _upserting(table: Table, dialect: str, columns: tuple[str, ...], keep: tuple[str, ...]) -> Executable:
    """Made once for each choice of columns: making it takes as long as carrying it out."""
    statement = postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    replaced = {name: statement.excluded[name] for name in columns if name not in {*keys, *keep}}
    if replaced:
        return statement.on_conflict_do_update(index_elements=keys, set_=replaced)
    return statement.on_conflict_do_nothing(index_elements=keys)
