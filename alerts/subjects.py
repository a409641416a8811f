"""What the alert store tells of one subject: its leads and what came of them, its points, and who shares what with it.

told = dossier(store, Subject("org", "P33010210007"), areas=("3301",))
others = related(store, row, areas=("3301",))
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection, and_, select

from alerts import tables as t
from alerts.casework import Taken, Work, ledger, measures_of_all, works_of
from alerts.involved import is_org
from alerts.kept import Filter, LeadRow, Order, area_of, within
from alerts.life import LEDGERS
from alerts.store import Store
from detectors.finding import Subject

MOST_LEADS = 200  # of one subject
MOST_RELATED = 12  # drawn beside a lead
MOST_SHARED = 17  # subjects drawn between them: with the lead itself thirty nodes
MOST_READ = 60  # of the closest leads: some may lie outside the areas
MOST_NAMED = 5_000  # rows read to find who shares what


class Case(Struct, frozen=True):
    """A lead of the subject, how far people have come with it, and what was done."""

    row: LeadRow
    work: Work
    measures: tuple[Taken, ...]


class Dossier(Struct, frozen=True):
    """The leads of a subject, newest first, and the points held against it."""

    subject: Subject
    cases: tuple[Case, ...]
    points: tuple[Taken, ...]  # newest first


class Tie(Struct, frozen=True):
    """Another lead, what it shares with this one, and how many records both rest on."""

    row: LeadRow
    shared: tuple[Subject, ...]
    records: int


def dossier(store: Store, subject: Subject, areas: tuple[str, ...] = ()) -> Dossier | None:
    """None if the areas hold nothing of it."""
    rows = sorted(_leads(store, subject, areas), key=lambda row: row.last_seen, reverse=True)
    works, taken = works_of(store, rows), measures_of_all(store, [row.alert_id for row in rows])
    points = _points(store, subject, areas)
    at_home = subject.kind == "org" and is_org(subject.id) and within((area_of(subject.id),), areas)
    if not rows and not points and not at_home:
        return None
    cases = (Case(row, works[row.alert_id], tuple(taken.get(row.alert_id, ()))) for row in rows)
    return Dossier(subject, tuple(cases), tuple(points))


def _leads(store: Store, subject: Subject, areas: tuple[str, ...]) -> Sequence[LeadRow]:
    """All that name it: an institution's by where they happened, others' by whom they or their records name."""
    if subject.kind == "org":
        return store.page(Filter(org=subject.id, areas=areas), limit=MOST_LEADS).items
    i = t.involved.c
    named = select(i.alert_id).where(i.id == subject.id, i.kind == subject.kind).limit(MOST_NAMED)
    with store.engine.connect() as db:
        rows = store.rows(db.execute(named).scalars(), areas=areas).values()
    return sorted(rows, key=lambda row: row.seq, reverse=True)[:MOST_LEADS]


def _points(store: Store, subject: Subject, areas: Sequence[str]) -> list[Taken]:
    """A till holds none: whose they are is said by name, and that of a cashier is not a till's."""
    return ledger(store, subject.kind, subject.id, areas=areas) if subject.kind in LEDGERS else []


def points_since(points: Iterable[Taken], since: datetime) -> int:
    return sum(one.points for one in points if one.taken_at >= since)


# -- what leads share ------------------------------------------------------------------------------------------------


def related(store: Store, row: LeadRow, areas: tuple[str, ...] = ()) -> tuple[Tie, ...]:
    """Leads that share records, persons, tills or doctors with this one, those that share most first.

    An institution in common counts only where there are no such leads.
    """
    with store.engine.connect() as db:
        records = _on_same_records(db, row.alert_id)
        shared = _naming_the_same(db, row.alert_id)
    names = sorted({*records, *shared}, key=lambda name: (-len(shared.get(name, ())), -records[name], name))
    rows = store.rows(names[:MOST_READ], areas=areas)
    ties = [Tie(rows[name], tuple(sorted(shared.get(name, ()))), records[name]) for name in names if name in rows]
    return tuple((ties or _at_same_org(store, row, areas))[:MOST_RELATED])


def _on_same_records(db: Connection, alert_id: str) -> Counter[str]:
    this, other = t.rests_on.alias("this"), t.rests_on.alias("other")
    query = select(other.c.alert_id).join(this, this.c.event_id == other.c.event_id)
    shared = query.where(this.c.alert_id == alert_id, other.c.alert_id != alert_id).limit(MOST_NAMED)
    return Counter(db.execute(shared).scalars())


def _naming_the_same(db: Connection, alert_id: str) -> dict[str, list[Subject]]:
    this, other = t.involved.alias("this"), t.involved.alias("other")
    same = and_(this.c.id == other.c.id, this.c.kind == other.c.kind)
    query = select(other.c.alert_id, other.c.kind, other.c.id).join(this, same)
    shared = query.where(this.c.alert_id == alert_id, other.c.alert_id != alert_id).limit(MOST_NAMED)
    found: dict[str, list[Subject]] = {}
    for name, kind, subject in db.execute(shared):
        found.setdefault(name, []).append(Subject(kind, subject))
    return found


def _at_same_org(store: Store, row: LeadRow, areas: tuple[str, ...]) -> list[Tie]:
    if not row.orgs:
        return []
    org = Subject("org", row.orgs[0])
    found = store.page(Filter(org=org.id, areas=areas), order=Order.NEWEST, limit=MOST_RELATED + 1).items
    return [Tie(other, (org,), 0) for other in found if other.alert_id != row.alert_id]
