"""How things stand as a whole: leads by kind and day, what waits, how far leads came, and what came back.

    told = overview(store, now, areas=("3301",))

Days are those of +08:00. The days of leads are business days and end with the newest lead's, so that a recording told
today is shown by its own days.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta

import msgspec
from msgspec import Struct
from sqlalchemy import ColumnElement, Connection, String, and_, case, func, or_, select, text

from alerts import tables as t
from alerts.choosing import conditions
from alerts.deadlines import CHINA, USUAL, Limits, due_on
from alerts.kept import Filter, within
from alerts.life import RECOVERED, State
from alerts.outcomes import CONFIRMED, Outcomes, outcomes
from alerts.source import SOURCES
from alerts.store import Store
from detectors.finding import Level

DAYS = 28  # of leads by kind
WEEK = 7
MONTHS = 12  # of money recovered
LOOKED_BACK = 60  # calendar days in which the deadline of a new lead must lie: the longest is ten working days
AWAITED = (
    State.NEW,
    State.SCREENED,
    State.ASSIGNED,
    State.VERIFYING,
    State.PENDING_EVIDENCE,
    State.FEEDBACK,
    State.APPEAL,
    State.REVIEW,
    State.CONFIRMED,
    State.PARTLY,
    State.FILED,
    State.DISPOSED,
)  # states with a day by which they are to be left, in the order of the work
CHECKING = (State.ASSIGNED, State.VERIFYING, State.PENDING_EVIDENCE, State.FEEDBACK, State.APPEAL)  # with officers
EVERY = ("open", "withdrawn")  # status of alerts: named, so that the index that begins with it serves
CHECKED = CONFIRMED | {State.UNFOUNDED.value}


class Kind(Struct, frozen=True):
    """The leads of one detector on each of the last DAYS days, oldest first."""

    detector: str
    days: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.days)

    @property
    def week(self) -> int:
        return sum(self.days[-WEEK:])


class Waiting(Struct, frozen=True):
    """Leads in one state; overdue: those among them whose day has passed."""

    state: State
    leads: int
    overdue: int


class Hand(Struct, frozen=True):
    """One person's leads: taken in hand or given, being checked, and those of both whose day has passed."""

    name: str
    claimed: int
    checking: int
    overdue: int


class Step(Struct, frozen=True):
    """Leads of this year that came so far. fen: at stake in them; of the last step: what came back."""

    name: str
    leads: int
    fen: int


class Month(Struct, frozen=True):
    """What was recovered in one month, by its first day."""

    first: date
    fen: int


class Overview(Struct, frozen=True, kw_only=True):
    """until: the day of the newest lead, None while there is none. Amounts in fen."""

    until: date | None
    kinds: tuple[Kind, ...]  # those with most leads first
    waiting: tuple[Waiting, ...]
    hands: tuple[Hand, ...]  # those with most leads first
    at_stake_fen: int  # named by the leads that stand and rest on nothing graver
    steps: tuple[Step, ...]
    months: tuple[Month, ...]
    outcomes: Outcomes  # of this year

    @property
    def leads(self) -> int:
        """Of the days shown."""
        return sum(kind.total for kind in self.kinds)


def overview(store: Store, now: datetime, *, areas: tuple[str, ...] = (), limits: Limits = USUAL) -> Overview:
    """How things stand within the areas."""
    today = now.astimezone(CHINA).date()
    year = _midnight(today.replace(month=1, day=1))
    mine = list(conditions(Filter(areas=areas)))
    with store.engine.connect() as db:
        until = _newest(db, mine)
        return Overview(
            until=until,
            kinds=tuple(_kinds(db, mine, until)) if until else (),
            waiting=tuple(_waiting(db, mine, now, limits)),
            hands=tuple(_hands(db, mine, now, limits)),
            at_stake_fen=_at_stake(db, mine),
            steps=tuple(_steps(db, mine, year)),
            months=tuple(_months(db, areas, today)),
            outcomes=outcomes(store, areas=areas, since=year),
        )


def _newest(db: Connection, mine: Sequence[ColumnElement[bool]]) -> date | None:
    """Of the leads of rules: what is entered today about last year moves no days. Without any, of all."""
    a = t.alert.c
    last = select(func.max(a.last_seen)).where(*mine, a.status.in_(EVERY))
    newest = db.execute(last.where(a.detector.not_in(sorted(SOURCES)))).scalar_one()
    newest = newest or db.execute(last).scalar_one()
    return newest.astimezone(CHINA).date() if newest else None


def _kinds(db: Connection, mine: Sequence[ColumnElement[bool]], until: date) -> list[Kind]:
    """Withdrawn leads are counted too: somebody may have worked on them that day."""
    a = t.alert.c
    first = until - timedelta(days=DAYS - 1)
    day = _china_day(db, a.last_seen)
    shown = (a.last_seen >= _midnight(first), a.last_seen < _midnight(until + timedelta(days=1)), a.status.in_(EVERY))
    query = select(a.detector, day, func.count()).where(*mine, *shown).group_by(a.detector, day)
    counted: dict[str, list[int]] = {}
    for detector, on, number in db.execute(query.group_by(*map(text, "12"))):  # by position, as store.facets does
        counted.setdefault(detector, [0] * DAYS)[(date.fromisoformat(on) - first).days] = number
    kinds = [Kind(detector, tuple(days)) for detector, days in counted.items()]
    return sorted(kinds, key=lambda kind: (-kind.total, kind.detector))


def _china_day(db: Connection, moment: ColumnElement[datetime]) -> ColumnElement[str]:
    """2026-11-18: the day in China, by what each engine has for it. SQLite keeps the moment as text, in UTC."""
    if db.dialect.name == "postgresql":
        return func.to_char(func.timezone("Asia/Shanghai", moment), "YYYY-MM-DD", type_=String)
    return func.date(moment, "+8 hours", type_=String)


def _waiting(db: Connection, mine: Sequence[ColumnElement[bool]], now: datetime, limits: Limits) -> Iterator[Waiting]:
    today = now.astimezone(CHINA).date()
    w = t.casework.c
    worked = select(w.state, w.due < today, func.count()).join(t.alert, t.alert.c.alert_id == w.alert_id)
    leads, overdue = Counter[str](), Counter[str]()
    for state, is_late, number in db.execute(worked.where(*mine).group_by(*map(text, "12"))):
        leads[state] += number
        overdue[state] += number if is_late else 0
    new, late = _untouched(db, mine, now, limits)
    leads[State.NEW] += new
    overdue[State.NEW] += late
    return (Waiting(state, leads[state], overdue[state]) for state in AWAITED)


def _hands(db: Connection, mine: Sequence[ColumnElement[bool]], now: datetime, limits: Limits) -> list[Hand]:
    """Of the leads that are not done with: each counts once for everybody who holds it."""
    today = now.astimezone(CHINA).date()
    a, w, c = t.alert.c, t.casework.c, t.claim.c
    columns = (a.alert_id, a.level_rank, a.raised_at, w.state, w.due, w.officers)
    going = or_(w.state.is_(None), w.state.in_(AWAITED))
    leads = t.claim.join(t.alert, a.alert_id == c.alert_id).outerjoin(t.casework, w.alert_id == a.alert_id)
    held = select(c.holder, *columns).select_from(leads)
    held = held.where(*mine, a.status == "open", going, or_(c.until.is_(None), c.until > now))
    sent = select(*columns).select_from(t.casework.join(t.alert)).where(*mine, w.state.in_(CHECKING))
    before = {level.rank: overdue_before(level, now, limits) for level in Level}
    claimed: dict[str, set[str]] = defaultdict(set)
    checking: dict[str, set[str]] = defaultdict(set)
    late: set[str] = set()
    for row in db.execute(held):
        claimed[row.holder].add(row.alert_id)
        if _is_late(row.level_rank, row.raised_at, row.state, row.due, today, before):
            late.add(row.alert_id)
    for check in db.execute(sent):
        if check.due and check.due < today:
            late.add(check.alert_id)
        for officer in msgspec.json.decode(check.officers, type=list[str]):
            checking[officer].add(check.alert_id)
    names = claimed.keys() | checking.keys()
    hands = [Hand(n, len(claimed[n]), len(checking[n]), len((claimed[n] | checking[n]) & late)) for n in names]
    return sorted(hands, key=lambda one: (-one.claimed - one.checking, one.name))


def _is_late(
    level: int, raised_at: datetime, state: str | None, due: date | None, today: date, before: Mapping[int, datetime]
) -> bool:
    """By the day it has, or if nobody has moved it, by its level's."""
    return raised_at < before[level] if state is None else due is not None and due < today


def _untouched(db: Connection, mine: Sequence[ColumnElement[bool]], now: datetime, limits: Limits) -> tuple[int, int]:
    """Leads that stand, do not rest, and that nobody has touched: how many, and how many too long."""
    a = t.alert.c
    late = or_(*(and_(a.level_rank == level.rank, a.raised_at < overdue_before(level, now, limits)) for level in Level))
    counted = select(func.count(), func.count(case((late, 1)))).select_from(t.alert.outerjoin(t.casework))
    number, too_long = db.execute(counted.where(*mine, *untouched(now))).one()
    return number, too_long


def untouched(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Conditions on alert, joined from the left with casework."""
    a = t.alert.c
    awake = or_(a.snoozed_until.is_(None), a.snoozed_until <= now)
    return a.status == "open", awake, t.casework.c.alert_id.is_(None)


def overdue_before(level: Level, now: datetime, limits: Limits = USUAL) -> datetime:
    """A new lead of this level raised before this moment waits too long: its day has passed."""
    today = now.astimezone(CHINA).date()
    for back in range(1, LOOKED_BACK):
        day = today - timedelta(days=back)
        due = due_on(State.NEW, level, _midnight(day), False, limits)
        if due is not None and due < today:
            return _midnight(day + timedelta(days=1))
    return _midnight(today - timedelta(days=LOOKED_BACK))


def _at_stake(db: Connection, mine: Sequence[ColumnElement[bool]]) -> int:
    a = t.alert.c
    query = select(func.sum(a.amount_at_risk_fen)).where(*mine, a.status == "open", a.inhibited_by.is_(None))
    return int(db.execute(query).scalar_one() or 0)


def _steps(db: Connection, mine: Sequence[ColumnElement[bool]], year: datetime) -> Iterator[Step]:
    """Each step holds those of the steps after it, but for leads that skipped one."""
    a, w, m = t.alert.c, t.casework.c, t.measure.c
    every, worked = t.alert.outerjoin(t.casework), t.casework.join(t.alert)  # most leads nobody has touched
    recovered = select(m.alert_id, func.sum(m.amount_fen).label("fen")).where(m.kind.in_(sorted(RECOVERED)))
    back = recovered.group_by(m.alert_id).having(func.sum(m.amount_fen) > 0).subquery()
    taken = select(m.alert_id)
    steps: tuple[tuple[str, ColumnElement[bool]], ...] = (
        ("raised", or_(a.status == "open", w.alert_id.is_not(None))),
        ("kept", and_(w.screened_by != "", w.state != State.DISMISSED)),
        ("dispatched", w.officers != "[]"),
        ("checked", or_(w.outcome.in_(sorted(CHECKED)), w.state.in_([State.FEEDBACK, State.APPEAL, State.REVIEW]))),
        ("confirmed", w.outcome.in_(sorted(CONFIRMED))),
        ("disposed", w.alert_id.in_(taken)),
    )
    for name, reached in steps:
        query = select(func.count(), func.sum(a.amount_at_risk_fen)).select_from(every if name == "raised" else worked)
        number, fen = db.execute(query.where(*mine, a.raised_at >= year, reached)).one()
        yield Step(name, number, int(fen or 0))
    query = select(func.count(), func.sum(back.c.fen)).select_from(t.alert.join(back, back.c.alert_id == a.alert_id))
    number, fen = db.execute(query.where(*mine, a.raised_at >= year)).one()
    yield Step("recovered", number, int(fen or 0))


def _months(db: Connection, areas: Sequence[str], today: date) -> Iterator[Month]:
    """The last MONTHS of them, oldest first."""
    firsts = [today.replace(day=1)]
    while len(firsts) < MONTHS:
        firsts.append((firsts[-1] - timedelta(days=1)).replace(day=1))
    m, a = t.measure.c, t.alert.c
    query = select(m.taken_at, m.amount_fen, a.areas).join(t.alert, a.alert_id == m.alert_id)
    query = query.where(m.kind.in_(sorted(RECOVERED)), m.taken_at >= _midnight(firsts[-1]))
    sums = Counter[date]()
    for at, fen, named in db.execute(query):
        if within(named.split(), areas):
            sums[at.astimezone(CHINA).date().replace(day=1)] += fen
    return (Month(first, sums[first]) for first in reversed(firsts))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), CHINA)
