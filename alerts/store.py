"""The alert store: all that is asked of it and written to it, on SQLite or PostgreSQL. The one door to its parts.

    upgrade(url)                 # alerts.migrations: make or bring up to date the tables
    store = Store.open(url)      # sqlite:////absolute/alerts.db, postgresql://user@host/name
    page = store.page(Filter(levels=frozenset({Level.RED})), order=Order.NEWEST, limit=50)
    page = store.page(Filter(levels=frozenset({Level.RED})), order=Order.NEWEST, limit=50, after=page.next_cursor)

Writers take turns (BEGIN IMMEDIATE; an advisory lock on PostgreSQL) from the number they read to their commit: so
``seq`` has no gaps and is never seen out of order, and who reads "seq > the last I saw" misses nothing.
A Store is safe to share between threads; its calls block. When the server is away they raise one of STORE_AWAY.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Self, TypeVarTuple

import msgspec
from sqlalchemy import Connection, CursorResult, Engine, Select, exc, func, or_, select, text, update

from alerts import tables as t
from alerts.alert import Alert
from alerts.choosing import KEYS, OFF_INDEX, beyond, conditions, cursor_of, named_areas, ordered, state_of
from alerts.counting import LAST_CHANGE, MOST_COUNTS, Counted, Groups, facets_of, snooze_ended
from alerts.engines import WRITER_LOCK, StoreError, engine_for, is_alive
from alerts.kept import (
    CHANGES,
    EVERYTHING,
    AccountRecord,
    Counts,
    Cut,
    Detail,
    Entry,
    Facets,
    Filter,
    Inhibitor,
    LeadRow,
    Note,
    Order,
    Page,
    within,
)
from alerts.writing import AnyRow, Writing, account_in, account_of, link_of, portions
from detectors.finding import Certainty, Evidence, Level

Ts = TypeVarTuple("Ts")


class Store:
    """The alert store. Make one with ``Store.open``; ``close`` it at the end."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._counts: dict[Filter, Counted] = {}

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
                if not is_alive(db):
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
        query = select(t.alert.c.alert_id).where(*conditions(of)).order_by(*ordered(order, of)).limit(limit + 1)
        if after is not None:
            query = query.where(beyond(order, after))
        chosen = _LEADS.where(t.alert.c.alert_id.in_(query.scalar_subquery()))
        with self.engine.connect() as db:
            found = db.execute(chosen.order_by(*(column.desc() for column in KEYS[order])))
            rows = [_lead_row(row).seen_within(of.areas) for row in found]
        more = len(rows) > limit
        return Page(tuple(rows[:limit]), cursor_of(order, rows[limit - 1]) if more else None)

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
            return facets_of(self._counted(db, rest), of)

    def _counted(self, db: Connection, rest: Filter) -> Groups:
        """Each group of alerts once, and how many. Counted anew only if something has changed since the last time."""
        key, seq = replace(rest, now=None), db.execute(LAST_CHANGE).scalar_one_or_none()
        known = self._counts.get(key)
        if known is not None and known.seq == seq and not snooze_ended(db, known.now, rest.now):
            return known.groups
        groups = self._count(db, rest)
        if len(self._counts) >= MOST_COUNTS:
            self._counts.clear()
        self._counts[key] = Counted(seq, rest.now, groups)
        return groups

    def _count(self, db: Connection, rest: Filter) -> Groups:
        plain = replace(rest, now=None, areas=()) == EVERYTHING  # then an index answers it alone
        wanted = [*conditions(replace(rest, areas=())), *named_areas(rest.areas)]
        level = t.alert.c.level_rank if plain else t.alert.c.level_rank + OFF_INDEX
        # by position: the moment is a parameter, and PostgreSQL takes no two of them for the same expression
        groups = (level, t.alert.c.detector, state_of(rest.now), t.alert.c.inhibited_by.is_not(None))
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
            found = [_lead_row(row) for row in db.execute(mine.order_by(*(c.desc() for c in KEYS[Order.GRAVEST])))]
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
                if row.seq != seq or row.prev_hash != link or row.hash != link_of(link, seq, _entry(row)):
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
            return account_in(db, name)

    def accounts(self) -> list[AccountRecord]:
        """All accounts, by name."""
        with self.engine.connect() as db:
            return [account_of(row) for row in db.execute(select(t.account).order_by(t.account.c.name))]

    # -- writing -----------------------------------------------------------------------------------------------------

    @contextmanager
    def writing(self) -> Iterator[Writing]:
        """One transaction, alone among all writers of all processes from here to its end."""
        with self.engine.connect().execution_options(writer=True) as db, db.begin():
            if db.dialect.name == "postgresql":
                db.execute(select(func.pg_advisory_xact_lock(WRITER_LOCK)))
            yield Writing(db)

    @contextmanager
    def _stream(self, query: Select[*Ts]) -> Iterator[CursorResult[*Ts]]:
        """Rows read as they are consumed; what is left is given up at the end."""
        with self.engine.connect() as db, db.execution_options(yield_per=500).execute(query) as rows:
            yield rows

    @staticmethod
    def _history(db: Connection, alert_id: str, limit: int) -> tuple[Entry, ...]:
        mine = select(t.alert_event).where(t.alert_event.c.alert_id == alert_id)
        return tuple(_entry(row) for row in db.execute(mine.order_by(t.alert_event.c.seq.desc()).limit(limit)))


_by = t.alert.alias("by")
_LEADS = select(
    t.alert,
    _by.c.detector.label("by_detector"),
    _by.c.level_rank.label("by_level_rank"),
    _by.c.areas.label("by_areas"),
).outerjoin(_by, _by.c.alert_id == t.alert.c.inhibited_by)


def _lead_row(row: AnyRow) -> LeadRow:
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


def _entry(row: AnyRow) -> Entry:
    return Entry(
        seq=row.seq,
        alert_id=row.alert_id,
        revision=row.revision,
        kind=row.kind,
        actor=row.actor,
        at=row.at,
        data=row.data.encode(),
    )
