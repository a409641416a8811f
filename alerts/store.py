"""The alert store: all that is asked of it and written to it, on SQLite or PostgreSQL.

    upgrade(url)                 # alerts.migrations: make or bring up to date the tables
    store = Store.open(url)      # sqlite:////absolute/alerts.db, postgresql://user@host/name
    page = store.page(Filter(levels=frozenset({Level.RED})), order=Order.NEWEST, limit=50)
    page = store.page(Filter(levels=frozenset({Level.RED})), order=Order.NEWEST, limit=50, after=page.next_cursor)

Writers take turns (BEGIN IMMEDIATE; an advisory lock on PostgreSQL) from the number they read to their commit: so
``seq`` has no gaps and is never seen out of order, and who reads "seq > the last I saw" misses nothing.
A Store is safe to share between threads; its calls block. When the server is away they raise one of STORE_AWAY.
"""

import base64
import binascii
import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from time import monotonic, sleep
from typing import Any, Literal, NamedTuple, Self, TypeVar, TypeVarTuple

import msgspec
from msgspec import Struct, structs
from msgspec.structs import asdict, astuple
from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    CursorResult,
    Engine,
    Integer,
    Row,
    Select,
    String,
    Table,
    and_,
    case,
    create_engine,
    delete,
    event,
    exc,
    false,
    func,
    insert,
    literal,
    literal_column,
    make_url,
    or_,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.pool import ConnectionPoolEntry

from alerts import tables as t
from alerts.alert import Alert
from alerts.involved import involved
from alerts.source import RULES, SOURCES, source_of
from detectors.finding import Certainty, Evidence, Lead, Level, UnitId

Status = Literal["open", "withdrawn"]
State = Literal["open", "snoozed", "withdrawn"]  # as lists tell them apart: of the open ones some are snoozed
T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_AnyRow = Row[tuple[Any, ...]]  # a Core row is untyped; the structs below are what leaves this module

STORE_AWAY = (exc.OperationalError, exc.InterfaceError, exc.TimeoutError)  # back off and try again

WRITER_LOCK = 0x66756E64  # one advisory lock for all who append; the number only has to be ours
AT_ONCE = 1_000  # values in one IN (…): engines allow 32,766 and 65,535
KEEPER = "keeper"  # actor of what nobody did by hand
CHANGES = ("created", "changed", "withdrawn", "reopened")  # kinds of alert_event that carry an alert
ENTERED = "entered"  # kind of alert_event: somebody entered a lead. No revision of an alert: no topic hears of it
CORRECTED = "corrected"  # the same, later
DROPPED = "dropped"  # alerts.retention has deleted some
BESIDE = ("inhibited", "released", "snoozed", "woken")  # kinds that change only what stands beside an alert


class StoreError(Exception):
    """There is no store here to work with; the message says what to do."""


class CursorError(ValueError):
    """A cursor that this store did not give out, or of another order."""


class Order(StrEnum):
    """NEWEST: last changed first. GRAVEST: by risk, that is level, amount, certainty, and how often named before."""

    NEWEST = "newest"
    GRAVEST = "gravest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which alerts; whatever is empty lets everything pass. ``areas`` are the account's limits: always pass them on.

    now: which snoozes are in force decides between "open" and "snoozed"; None: a snoozed alert is an open one.
    """

    levels: frozenset[Level] = frozenset()
    detectors: frozenset[str] = frozenset()
    statuses: frozenset[State] = frozenset()
    inhibited: bool | None = None
    org: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    since: datetime | None = None  # the alert's period overlaps [since, until]
    until: datetime | None = None
    at_least_fen: int | None = None  # of amount_at_risk
    text: str = ""  # somewhere in the sentence (zh or en) or in the subject's id; case does not matter
    areas: tuple[str, ...] = ()
    now: datetime | None = None
    area: str = ""  # within the limits, only this one
    work: frozenset[str] = frozenset()  # states of alerts.life
    holder: str = ""  # who holds it by a claim, or was sent to check it
    overdue: "Overdue | None" = None
    sources: frozenset[str] = frozenset()  # of alerts.source


class Overdue(NamedTuple):
    """Leads whose day has passed: those worked on before ``today``, untouched ones by the level's moment."""

    today: date
    raised_before: tuple[tuple[Level, datetime], ...]


EVERYTHING = Filter()
MOST_COUNTS = 64  # of choices whose alerts are counted already


class Inhibitor(Struct, frozen=True):
    """The stronger alert that holds the events of another; what a list says of it."""

    alert_id: str
    detector: str
    level: Level
    areas: tuple[str, ...]

    def unnamed(self) -> "Inhibitor":
        """As those see it who may not see that alert: that there is one."""
        return Inhibitor("", "", self.level, ())


class LeadRow(Struct, frozen=True, kw_only=True):
    """An alert as a list shows it. Amounts in fen, times in UTC.

    Its last fields are no part of the alert on the wire: see alerts.repeat, alerts.inhibition, alerts.snooze.
    """

    alert_id: str
    seq: int  # of its newest revision
    revision: int
    detector: str
    level: Level
    certainty: Certainty
    status: Status
    withdrawn_because: str | None
    subject_kind: str
    subject_id: str
    orgs: tuple[str, ...]  # the main one first
    areas: tuple[str, ...]
    period_name: str
    period_from: datetime
    period_to: datetime | None
    first_seen: datetime
    last_seen: datetime
    hits: int
    amount_at_risk_fen: int
    fund_paid_fen: int
    summary_zh: str
    summary_en: str
    raised_at: datetime
    changed_at: datetime
    named_before: int
    snoozed_until: datetime | None
    inhibited_by: Inhibitor | None

    def state(self, now: datetime) -> State:
        """Withdrawn, snoozed at this moment, or open."""
        return "snoozed" if self.status == "open" and self.snoozed_until and self.snoozed_until > now else self.status

    def seen_within(self, areas: Sequence[str]) -> "LeadRow":
        """As an account with these limits may see it: without an inhibitor that lies outside them."""
        by = self.inhibited_by
        return self if by is None or within(by.areas, areas) else structs.replace(self, inhibited_by=by.unnamed())


class Page(Struct, frozen=True):
    """``next_cursor`` is None on the last page."""

    items: tuple[LeadRow, ...]
    next_cursor: str | None


class Facets(Struct, frozen=True):
    """How many alerts each choice would show, given the choices made in the *other* groups."""

    levels: dict[str, int]
    detectors: dict[str, int]
    statuses: dict[str, int]  # by State
    total: int  # that pass the whole filter
    inhibited: dict[str, int]  # "yes" and "no", whatever the filter asks of it
    sources: dict[str, int]  # of alerts.source


class Entry(Struct, frozen=True, kw_only=True):
    """One row of alert_event. ``data`` is JSON; of CHANGES it is the alert of SPEC 4 at that revision."""

    seq: int
    alert_id: str | None
    revision: int | None
    kind: str
    actor: str
    at: datetime
    data: bytes


class Detail(Struct, frozen=True):
    """All about one alert. ``history``: the newest entries, newest first."""

    row: LeadRow
    alert: Alert
    evidence: tuple[Evidence, ...]
    history: tuple[Entry, ...]


class Counts(Struct, frozen=True):
    """The store in a few numbers. ``open``: by level, every level named."""

    open: dict[str, int]
    withdrawn: int
    last_seq: int  # 0: nothing was ever written
    last_change: datetime | None


class AccountRecord(Struct, frozen=True, kw_only=True):
    """One account as it is stored."""

    name: str
    password_hash: str
    role: str
    areas: tuple[str, ...]
    disabled: bool
    failures: int
    locked_until: datetime | None
    created_at: datetime
    changed_at: datetime
    must_change: bool = False  # its password: somebody else chose it


class Note(Struct, frozen=True, kw_only=True):
    """What is to be appended to alert_event. ``data`` is JSON."""

    kind: str
    actor: str
    at: datetime
    alert_id: str | None = None
    revision: int | None = None
    data: bytes = b"{}"


class Cut(Struct, frozen=True):
    """Data of a row of kind "cut": the rows up to ``seq`` are gone, the last of them had this hash."""

    seq: int
    hash: str


class Revision(NamedTuple):
    """An alert at a new revision, and the lead it tells of (of a withdrawn one: the last it told of)."""

    alert: Alert
    lead: Lead
    body: bytes  # the alert as JSON
    seq: int
    changed_at: datetime


class Said(NamedTuple):
    """What one unit says of one alert; ``lead`` is JSON."""

    unit: UnitId
    alert_id: str
    lead: bytes


def areas_of(lead: Lead) -> tuple[str, ...]:
    """The areas a lead concerns, 6 digits each: those in its institutions' codes, or the area it is about."""
    named = [area_of(org) for org in lead.orgs]
    if lead.subject.kind == "area":
        named.append(lead.subject.id[:6])
    return tuple(dict.fromkeys(area for area in named if len(area) == 6 and area.isdigit()))


def area_of(org: str) -> str:
    """The area in an institution's code: a letter, six digits of area, five of its own."""
    return org[1:7]


def within(areas: Iterable[str], limits: Sequence[str]) -> bool:
    """May an account with these limits see what concerns these areas? The filter's own test, outside the database."""
    return not limits or any(area.startswith(tuple(map(area_prefix, limits))) for area in areas)


def area_prefix(limit: str) -> str:
    """330100 is the whole of 3301, 330000 the whole of 33."""
    while len(limit) > 2 and limit.endswith("00"):
        limit = limit[:-2]
    return limit


class Store:
    """The alert store. Make one with ``Store.open``; ``close`` it at the end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._counts: dict[Filter, _Counted] = {}

    @classmethod
    def open(cls, url: str) -> Self:
        """A store at this address. Connects only when first asked; see ``check_ready``."""
        return cls(engine_for(url))

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()

    def check_ready(self) -> None:
        """Raises StoreError if the tables are not those of this program, STORE_AWAY if there is no answer."""
        with self.engine.connect() as db:
            try:
                found = db.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
            except (exc.OperationalError, exc.ProgrammingError):
                found = None
                if not _is_alive(db):
                    raise
        if found != t.SCHEMA:
            has = "has no tables" if found is None else f"has tables of version {found}"
            raise StoreError(f"the alert store {has}, {t.SCHEMA} is needed: run `fundwatch db upgrade`")

    # -- what the feed asks ------------------------------------------------------------------------------------------

    def page(
        self,
        of: Filter = EVERYTHING,
        *,
        order: Order = Order.NEWEST,
        after: str | None = None,
        limit: int = 50,
    ) -> Page:
        """The alerts of a filter, a page at a time, equally fast at any depth. Raises CursorError."""
        # Only this page's rows are looked up beside: an engine that joins first would sort them all.
        query = select(t.alert.c.alert_id).where(*conditions(of)).order_by(*_ordered(order, of)).limit(limit + 1)
        if after is not None:
            query = query.where(_beyond(order, after))
        chosen = _LEADS.where(t.alert.c.alert_id.in_(query.scalar_subquery()))
        with self.engine.connect() as db:
            found = db.execute(chosen.order_by(*(column.desc() for column in _KEYS[order])))
            rows = [_lead_row(row).seen_within(of.areas) for row in found]
        more = len(rows) > limit
        return Page(tuple(rows[:limit]), _cursor(order, rows[limit - 1]) if more else None)

    def rows(self, alert_ids: Iterable[str], *, areas: Sequence[str] = ()) -> dict[str, LeadRow]:
        """These alerts as lists show them, without those outside the areas."""
        found: dict[str, LeadRow] = {}
        with self.engine.connect() as db:
            for some in portions(alert_ids):
                for row in db.execute(_LEADS.where(t.alert.c.alert_id.in_(some))):
                    found[row.alert_id] = _lead_row(row)
        return {name: row.seen_within(areas) for name, row in found.items() if within(row.areas, areas)}

    def facets(self, of: Filter = EVERYTHING) -> Facets:
        """Counts by level, detector and state; see Facets."""
        rest = replace(of, levels=frozenset(), detectors=frozenset(), statuses=frozenset(), inhibited=None)
        rest = replace(rest, sources=frozenset())
        with self.engine.connect() as db:
            return _facets(self._counted(db, rest), of)

    def _counted(self, db: Connection, rest: Filter) -> "_Groups":
        """Each group of alerts once, and how many. Counted anew only if something has changed since the last time."""
        key, seq = replace(rest, now=None), db.execute(_LAST_CHANGE).scalar_one_or_none()
        known = self._counts.get(key)
        if known is not None and known.seq == seq and not _snooze_ended(db, known.now, rest.now):
            return known.groups
        groups = self._count(db, rest)
        if len(self._counts) >= MOST_COUNTS:
            self._counts.clear()
        self._counts[key] = _Counted(seq, rest.now, groups)
        return groups

    def _count(self, db: Connection, rest: Filter) -> "_Groups":
        plain = replace(rest, now=None, areas=()) == EVERYTHING  # then an index answers it alone
        wanted = [*conditions(replace(rest, areas=())), *_named_areas(rest.areas)]
        level = t.alert.c.level_rank if plain else t.alert.c.level_rank + OFF_INDEX
        # by position: the moment is a parameter, and PostgreSQL takes no two of them for the same expression
        groups = (level, t.alert.c.detector, _state(rest.now), t.alert.c.inhibited_by.is_not(None))
        query = select(*groups, func.count()).where(*wanted).group_by(*map(text, "1234"))
        return [(tuple(Level)[rank], *others) for rank, *others in db.execute(query)]

    def detail(self, alert_id: str, *, areas: Sequence[str] = (), history: int = 200) -> Detail | None:
        """One alert with its evidence and its newest history; None if there is none within the areas."""
        with self.engine.connect() as db:
            row = db.execute(_LEADS.where(t.alert.c.alert_id == alert_id)).one_or_none()
            if row is None or not within(row.areas.split(), areas):
                return None
            body = db.execute(select(t.alert_body).where(t.alert_body.c.alert_id == alert_id)).one()
            past = self._history(db, alert_id, history)
        alert = msgspec.json.decode(body.body, type=Alert)
        evidence = msgspec.json.decode(body.evidence, type=tuple[Evidence, ...])
        return Detail(_lead_row(row).seen_within(areas), alert, evidence, past)

    def inhibited_by(self, alert_id: str, *, areas: Sequence[str] = (), limit: int = 50) -> tuple[LeadRow, ...]:
        """The gravest of the alerts within the areas that this one inhibits."""
        mine = _LEADS.where(t.alert.c.inhibited_by == alert_id)
        with self.engine.connect() as db:
            found = [_lead_row(row) for row in db.execute(mine.order_by(*(c.desc() for c in _KEYS[Order.GRAVEST])))]
        return tuple([row for row in found if within(row.areas, areas)][:limit])

    def events_after(self, seq: int, *, limit: int = 500, kinds: Sequence[str] = CHANGES) -> list[Entry]:
        """What was appended after ``seq``, in order; ``kinds`` empty: everything."""
        query = select(t.alert_event).where(t.alert_event.c.seq > seq).order_by(t.alert_event.c.seq).limit(limit)
        if kinds:
            query = query.where(t.alert_event.c.kind.in_(kinds))
        with self.engine.connect() as db:
            return [_entry(row) for row in db.execute(query)]

    def last_seq(self) -> int:
        """The newest row of alert_event; 0 if there is none."""
        with self.engine.connect() as db:
            return db.execute(select(func.max(t.alert_event.c.seq))).scalar_one() or 0

    def counts(self) -> Counts:
        """The store in a few numbers, for heartbeats and gauges."""
        groups = (t.alert.c.status, t.alert.c.level_rank)
        by = select(*groups, func.count()).group_by(*groups)
        newest = select(t.alert_event.c.seq, t.alert_event.c.at).order_by(t.alert_event.c.seq.desc()).limit(1)
        with self.engine.connect() as db:
            counted = {(status, rank): number for status, rank, number in db.execute(by)}
            last = db.execute(newest).one_or_none()
        return Counts(
            open={level.value: counted.get(("open", level.rank), 0) for level in Level},
            withdrawn=sum(number for (status, _), number in counted.items() if status == "withdrawn"),
            last_seq=last.seq if last else 0,
            last_change=last.at if last else None,
        )

    def alerts(self, of: Filter = EVERYTHING) -> Iterator[Alert]:
        """Every alert of a filter at its highest revision, sorted by alert_id, read as it is consumed."""
        for body in self.bodies(of):
            yield msgspec.json.decode(body, type=Alert)

    def bodies(self, of: Filter = EVERYTHING) -> Iterator[bytes]:
        """The same as JSON, without a line end. One snapshot: what changes meanwhile is not seen."""
        query = select(t.alert_body.c.body).join(t.alert).where(*conditions(of)).order_by(t.alert.c.alert_id)
        with self._stream(query) as rows:
            for (body,) in rows:
                yield body.encode()

    # -- audit -------------------------------------------------------------------------------------------------------

    def note(self, *notes: Note) -> int:
        """Append to alert_event what somebody did (viewed, exported, logged in); the last seq."""
        with self.writing() as writing:
            return writing.append(notes)[-1]

    def chain_broken_at(self) -> int | None:
        """The first seq whose row was altered, or before which one is missing; None if all are as they were written.

        A beginning that is missing is fine where a row of kind "cut" tells of it (alerts.retention). Rows cut off at
        the end leave no trace here: compare ``last_seq`` with a backup's.
        """
        cut = self._cut_before()
        seq, link = cut.seq, cut.hash
        query = select(t.alert_event).order_by(t.alert_event.c.seq)
        with self._stream(query) as rows:
            for row in rows:
                seq += 1
                if row.seq != seq or row.prev_hash != link or row.hash != _link(link, seq, _entry(row)):
                    return seq
                link = row.hash
        return None

    def _cut_before(self) -> Cut:
        """The last row that was cut off, as the trail itself tells, and its hash; 0 and "" if none was."""
        e = t.alert_event.c
        with self.engine.connect() as db:
            newest = select(e.data).where(e.kind == "cut").order_by(e.seq.desc()).limit(1)
            told = db.execute(newest).scalar_one_or_none()
        return msgspec.json.decode(told, type=Cut) if told else Cut(0, "")

    # -- readers of alert_event ---------------------------------------------------------------------------------------

    def position(self, name: str) -> int:
        """How far this reader has come; 0 if it never read."""
        with self.engine.connect() as db:
            query = select(t.reader_position.c.seq).where(t.reader_position.c.name == name)
            return db.execute(query).scalar_one_or_none() or 0

    def set_position(self, name: str, seq: int) -> None:
        """This reader has dealt with everything up to ``seq``. Never goes back."""
        with self.writing() as writing:
            writing.upsert(t.reader_position, [{"name": name, "seq": 0}], keep=("seq",))
            at = t.reader_position.c
            writing.db.execute(update(t.reader_position).where(at.name == name, at.seq < seq).values(seq=seq))

    def take_lease(self, name: str, holder: str, now: datetime, until: datetime) -> bool:
        """Be the one who reads under this name until then; False while somebody else is. Repeat it to go on."""
        free = or_(
            t.reader_position.c.holder.is_(None),
            t.reader_position.c.holder == holder,
            t.reader_position.c.held_until <= now,
        )
        taken = update(t.reader_position).where(t.reader_position.c.name == name, free)
        with self.writing() as writing:
            writing.upsert(t.reader_position, [{"name": name, "seq": 0}], keep=("seq",))
            return writing.db.execute(taken.values(holder=holder, held_until=until)).rowcount == 1

    def drop_lease(self, name: str, holder: str) -> None:
        """Let somebody else read at once."""
        mine = (t.reader_position.c.name == name, t.reader_position.c.holder == holder)
        with self.writing() as writing:
            writing.db.execute(update(t.reader_position).where(*mine).values(holder=None, held_until=None))

    # -- accounts ----------------------------------------------------------------------------------------------------

    def account(self, name: str) -> AccountRecord | None:
        """The account of this name."""
        with self.engine.connect() as db:
            return _account_in(db, name)

    def accounts(self) -> list[AccountRecord]:
        """All accounts, by name."""
        with self.engine.connect() as db:
            return [_account(row) for row in db.execute(select(t.account).order_by(t.account.c.name))]

    # -- writing -----------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> "Iterator[Writing]":
        """One transaction, alone among all writers of all processes from here to its end."""
        with self.engine.connect().execution_options(writer=True) as db, db.begin():
            if db.dialect.name == "postgresql":
                db.execute(select(func.pg_advisory_xact_lock(WRITER_LOCK)))
            yield Writing(db)

    @contextmanager
    def _stream(self, query: Select[*Ts]) -> "Iterator[CursorResult[*Ts]]":
        """Rows read as they are consumed; what is left is given up at the end."""
        with self.engine.connect() as db, db.execution_options(yield_per=500).execute(query) as rows:
            yield rows

    @staticmethod
    def _history(db: Connection, alert_id: str, limit: int) -> tuple[Entry, ...]:
        mine = select(t.alert_event).where(t.alert_event.c.alert_id == alert_id)
        return tuple(_entry(row) for row in db.execute(mine.order_by(t.alert_event.c.seq.desc()).limit(limit)))


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
            before, link = link, _link(link, seq, note)
            values = asdict(note) | {"data": note.data.decode()}
            rows.append(values | {"seq": seq, "prev_hash": before, "hash": link})
        if rows:
            self.db.execute(insert(t.alert_event), rows)
        return [seq - len(rows) + 1 + i for i in range(len(rows))]

    def account(self, name: str) -> AccountRecord | None:
        """The account of this name, as it is inside this transaction."""
        return _account_in(self.db, name)

    def put_account(self, record: AccountRecord) -> None:
        """Make or replace an account."""
        self.upsert(t.account, [asdict(record) | {"areas": " ".join(record.areas)}])

    def upsert(self, table: Table, rows: Sequence[Mapping[str, object]], *, keep: Sequence[str] = ()) -> None:
        """Insert rows; where one of that key exists, its columns take the new values, but for ``keep``."""
        if not rows:
            return
        keys = [column.name for column in table.primary_key]
        dialect = postgresql if self.db.dialect.name == "postgresql" else sqlite
        statement = dialect.insert(table)
        replaced = {name: statement.excluded[name] for name in rows[0] if name not in {*keys, *keep}}
        if replaced:
            statement = statement.on_conflict_do_update(index_elements=keys, set_=replaced)
        else:
            statement = statement.on_conflict_do_nothing(index_elements=keys)
        self.db.execute(statement, list(rows))


# -- engines ---------------------------------------------------------------------------------------------------------


def engine_for(url: str) -> Engine:
    """An engine with what each kind of server needs set."""
    address = make_url(url)
    return _sqlite(address) if address.get_backend_name() == "sqlite" else _postgresql(address)


def _sqlite(address: URL) -> Engine:
    if address.database in {None, "", ":memory:"}:
        raise StoreError(f"{address}: an alert store needs a file, such as sqlite:////var/lib/fundwatch/alerts.db")
    engine = create_engine(address, connect_args={"timeout": 20}, pool_size=10, max_overflow=30, pool_timeout=20)

    @event.listens_for(engine, "connect")
    def prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves: Python's own comes too late for a writer
        cursor = connection.cursor()
        _use_wal(cursor)
        for setting in ("synchronous=FULL", "foreign_keys=ON", "cache_size=-32000"):
            cursor.execute(f"PRAGMA {setting}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(db: Connection) -> None:
        db.exec_driver_sql("BEGIN IMMEDIATE" if db.get_execution_options().get("writer") else "BEGIN")

    return engine


SWITCH_WITHIN_S = 20.0


def _use_wal(cursor: DBAPICursor) -> None:
    """A new file is switched once; two that do so at once are refused, however long SQLite is told to wait."""
    deadline = monotonic() + SWITCH_WITHIN_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError:
            if monotonic() > deadline:
                raise
            sleep(0.05)
        else:
            return


def _postgresql(address: URL) -> Engine:
    if address.drivername == "postgresql":
        address = address.set(drivername="postgresql+psycopg")
    return create_engine(
        address, pool_size=5, max_overflow=10, pool_timeout=20, pool_pre_ping=True, connect_args={"connect_timeout": 5}
    )


def _is_alive(db: Connection) -> bool:
    try:
        db.rollback()
        db.execute(text("SELECT 1"))
    except STORE_AWAY:
        return False
    return True


# -- filters and pages -----------------------------------------------------------------------------------------------

_KEYS: dict[Order, tuple[ColumnElement[object], ...]] = {
    Order.NEWEST: (t.alert.c.seq,),
    Order.GRAVEST: tuple(t.alert.c[name] for name in t.GRAVEST),
}

_by = t.alert.alias("by")
_LEADS = select(
    t.alert,
    _by.c.detector.label("by_detector"),
    _by.c.level_rank.label("by_level_rank"),
    _by.c.areas.label("by_areas"),
).outerjoin(_by, _by.c.alert_id == t.alert.c.inhibited_by)


# Added to a column it takes the column's indexes out of the planner's choice: an engine that walks one of them to save
# a sort, but has to look up and turn down nearly every row, takes five times as long as one that reads them all.
OFF_INDEX, OFF_TEXT_INDEX = literal_column("0", Integer), literal_column("''", String)


def _ordered(order: Order, of: Filter) -> list[ColumnElement[object]]:
    first, *others = _KEYS[order]
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


def _state(now: datetime | None) -> ColumnElement[str]:
    """The same as a value."""
    a = t.alert.c
    if now is None:
        return a.status
    return case((and_(a.status == "open", a.snoozed_until > now), literal("snoozed")), else_=a.status)


def _at(condition: ColumnElement[bool]) -> Select[tuple[str]]:
    return select(t.alert_org.c.alert_id).where(condition)


def _inside(limit: str) -> ColumnElement[bool]:
    return t.alert_org.c.area.startswith(area_prefix(limit), autoescape=True)


def _named_areas(areas: Sequence[str]) -> Iterator[ColumnElement[bool]]:
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


def _cursor(order: Order, row: LeadRow) -> str:
    key = _Newest(row.seq) if order is Order.NEWEST else _Gravest(*risk(row))
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def risk(row: LeadRow) -> tuple[int, int, int, int, datetime, str]:
    """What the risk order compares; the largest stands first."""
    certain = certainty_rank(row.certainty)
    return row.level.rank, row.amount_at_risk_fen, certain, row.named_before, row.last_seen, row.alert_id


def certainty_rank(certainty: Certainty) -> int:
    """An exact contradiction before a pattern."""
    return int(certainty is Certainty.DEFINITE)


def _beyond(order: Order, cursor: str) -> ColumnElement[bool]:
    shape: type[_Newest | _Gravest] = _Newest if order is Order.NEWEST else _Gravest
    try:
        key = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=shape)
    except (binascii.Error, ValueError) as error:
        raise CursorError(f"{cursor!r} is no cursor of order {order.value!r}") from error
    values = (literal(value, column.type) for value, column in zip(astuple(key), _KEYS[order], strict=True))
    return tuple_(*_KEYS[order]) < tuple_(*values)


_Groups = Sequence[tuple[str, str, str, bool, int]]  # level, detector, state, whether inhibited, how many


class _Counted(NamedTuple):
    """seq: of the last change before it was counted. now: which snoozes were in force; None: it was not asked."""

    seq: int | None
    now: datetime | None
    groups: _Groups


_LAST_CHANGE = (
    select(t.alert_event.c.seq)
    .where(t.alert_event.c.kind.in_((*CHANGES, *BESIDE, ENTERED, CORRECTED, DROPPED)))
    .order_by(t.alert_event.c.seq.desc())
    .limit(1)
)


def _snooze_ended(db: Connection, then: datetime | None, now: datetime | None) -> bool:
    """Are other snoozes in force now?"""
    if then is None or now is None:
        return then is not now
    until, (first, last) = t.alert.c.snoozed_until, sorted((then, now))
    return db.execute(select(until).where(until > first, until <= last).limit(1)).first() is not None


def _facets(counted: _Groups, of: Filter) -> Facets:
    chosen = ({level.value for level in of.levels}, of.detectors, of.statuses, of.sources)
    groups: tuple[dict[str, int], ...] = ({}, {}, {}, {})
    total = 0
    inhibited = {"yes": 0, "no": 0}
    for level, detector, state, is_inhibited, number in counted:
        values = (level, detector, state, source_of(detector))
        fits = [not choice or value in choice for value, choice in zip(values, chosen, strict=True)]
        inhibited["yes" if is_inhibited else "no"] += number if all(fits) else 0
        if of.inhibited not in (None, bool(is_inhibited)):
            continue
        total += number if all(fits) else 0
        for i, group in enumerate(groups):
            if all(fits[:i] + fits[i + 1 :]):
                group[str(values[i])] = group.get(str(values[i]), 0) + number
    levels, detectors, statuses, sources = groups
    return Facets(levels, detectors, statuses, total, inhibited, sources)


# -- rows to values and back -----------------------------------------------------------------------------------------


def unit_name(unit: UnitId) -> str:
    """A unit as one column: readable, unambiguous whatever its key holds."""
    return msgspec.json.encode(unit).decode()


def unit_id(name: str) -> UnitId:
    """The unit of a name."""
    return msgspec.json.decode(name, type=UnitId)


def _lead_row(row: _AnyRow) -> LeadRow:
    values = {name: getattr(row, name) for name in _PLAIN}
    by = row.inhibited_by
    return LeadRow(
        level=tuple(Level)[row.level_rank],
        certainty=Certainty(row.certainty),
        orgs=msgspec.json.decode(row.orgs, type=tuple[str, ...]),
        areas=tuple(row.areas.split()),
        inhibited_by=by
        and Inhibitor(by, row.by_detector, tuple(Level)[row.by_level_rank], tuple(row.by_areas.split())),
        **values,
    )


_PLAIN = tuple(
    name for name in LeadRow.__struct_fields__ if name not in {"level", "certainty", "orgs", "areas", "inhibited_by"}
)


def _entry(row: _AnyRow) -> Entry:
    return Entry(
        seq=row.seq,
        alert_id=row.alert_id,
        revision=row.revision,
        kind=row.kind,
        actor=row.actor,
        at=row.at,
        data=row.data.encode(),
    )


def _account_in(db: Connection, name: str) -> AccountRecord | None:
    row = db.execute(select(t.account).where(t.account.c.name == name)).one_or_none()
    return _account(row) if row else None


def _account(row: _AnyRow) -> AccountRecord:
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


def _link(before: str, seq: int, note: Note | Entry) -> str:
    """The hash of a row: of the hash before it and of all it says."""
    at = note.at.astimezone(UTC).isoformat(timespec="microseconds")
    said = (before, seq, note.alert_id, note.revision, note.kind, note.actor, at, note.data.decode())
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def portions(values: Iterable[T]) -> Iterator[list[T]]:
    """Distinct values, few enough at a time for one IN (…)."""
    distinct = list(dict.fromkeys(values))
    for start in range(0, len(distinct), AT_ONCE):
        yield distinct[start : start + AT_ONCE]
