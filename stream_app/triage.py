"""What Prometheus reads of people's work on leads: what waits, for how long, past which day, and what came of it."""

from collections import Counter
from datetime import date, datetime, timedelta

from sqlalchemy import ColumnElement, and_, func, select

from alerts import tables as t
from alerts.casework import MOVED
from alerts.deadlines import AWAITED, CHINA, FAR, USUAL, Limits, due_on
from alerts.life import State
from alerts.store import Store
from detectors.finding import Level
from stream_app import metrics

EVERY_S = 60.0  # how often: it looks at every lead
LEVELS = {level.rank: level for level in Level}


def sample(store: Store, now: datetime, limits: Limits = USUAL) -> None:
    """Count what stands in the store, once. Raises STORE_AWAY."""
    _open(store)
    _oldest(store, now)
    _disposed(store)
    _overdue(store, now, limits)


def _open(store: Store) -> None:
    a, w = t.alert.c, t.casework.c
    state = func.coalesce(w.state, State.NEW.value)
    query = (
        select(a.level_rank, state, func.count())
        .select_from(t.alert.outerjoin(t.casework))
        .where(a.status == "open")
        .group_by(a.level_rank, state)
    )
    with store.engine.connect() as db:
        counted = {(rank, name): number for rank, name, number in db.execute(query)}
    for level in Level:
        for one in AWAITED:
            metrics.ALERTS_OPEN.labels(level.value, one.value).set(counted.get((level.rank, one.value), 0))


def _is_new() -> ColumnElement[bool]:
    """Open, and nobody has moved it yet."""
    a, w = t.alert.c, t.casework.c
    return and_(a.status == "open", func.coalesce(w.state, State.NEW.value) == State.NEW.value)


def _oldest(store: Store, now: datetime) -> None:
    a = t.alert.c
    query = (
        select(a.level_rank, func.min(a.raised_at).label("since"))
        .select_from(t.alert.outerjoin(t.casework))
        .where(_is_new())
        .group_by(a.level_rank)
    )
    with store.engine.connect() as db:
        oldest = {row.level_rank: row.since for row in db.execute(query)}
    for level in Level:
        since = oldest.get(level.rank)
        metrics.OLDEST_NEW.labels(level.value).set(max(0.0, (now - since).total_seconds()) if since else 0)


def _disposed(store: Store) -> None:
    query = (
        select(t.alert.c.detector, t.casework.c.outcome, func.count())
        .select_from(t.alert.join(t.casework))
        .where(t.casework.c.outcome != "")
        .group_by(t.alert.c.detector, t.casework.c.outcome)
    )
    with store.engine.connect() as db:
        counted = {(detector, outcome): number for detector, outcome, number in db.execute(query)}
    for detector in metrics.ALERTED:
        for outcome in metrics.DISPOSITIONS:
            metrics.DISPOSED.labels(detector, outcome).set(counted.get((detector, outcome), 0))


def _overdue(store: Store, now: datetime, limits: Limits) -> None:
    """Those that were moved know their last day; of those that nobody has looked at it follows from when they came."""
    a, w = t.alert.c, t.casework.c
    today = now.astimezone(CHINA).date()
    moved = (
        select(w.state, func.count().label("number"))
        .select_from(t.alert.join(t.casework))
        .where(a.status == "open", w.due < today)
        .group_by(w.state)
    )
    late: Counter[str] = Counter()
    with store.engine.connect() as db:
        late.update({row.state: row.number for row in db.execute(moved)})
        for level in Level:
            waiting = (
                select(func.count())
                .select_from(t.alert.outerjoin(t.casework))
                .where(
                    a.status == "open",
                    w.state.is_(None),
                    a.level_rank == level.rank,
                    a.raised_at < _in_time_since(level, today, limits),
                )
            )
            late[State.NEW.value] += db.execute(waiting).scalar_one()
    for one in AWAITED:
        metrics.OVERDUE.labels(one.value).set(late[one.value])


def _in_time_since(level: Level, today: date, limits: Limits) -> datetime:
    """New leads of this level that were raised from this moment on are not past their last day."""
    day = today
    for _ in range(FAR):
        before = datetime.combine(day - timedelta(days=1), datetime.min.time(), CHINA)
        due = due_on(State.NEW, level, before, extended=False, limits=limits)
        if due is None or due < today:
            break
        day -= timedelta(days=1)
    return datetime.combine(day, datetime.min.time(), CHINA)


class FirstMoves:
    """Tells of each lead that people move for the first time how long it had waited."""

    def __init__(self, store: Store) -> None:
        """From now on: what was moved before is not told again."""
        self._store = store
        self._seen: int | None = None

    def look(self) -> None:
        """Raises STORE_AWAY."""
        if self._seen is None:
            self._seen = self._store.last_seq()
            return
        latest = self._store.last_seq()
        e, a, earlier = t.alert_event.c, t.alert.c, t.alert_event.alias()
        before = select(earlier.c.seq).where(
            earlier.c.alert_id == e.alert_id, earlier.c.kind == MOVED, earlier.c.seq < e.seq
        )
        query = (
            select(e.at, a.raised_at, a.level_rank)
            .select_from(t.alert_event.join(t.alert, e.alert_id == a.alert_id))
            .where(e.seq > self._seen, e.seq <= latest, e.kind == MOVED, ~before.exists())
        )
        with self._store.engine.connect() as db:
            for at, raised_at, rank in db.execute(query):
                metrics.TRIAGE.observe(LEVELS[rank].value, max(0.0, (at - raised_at).total_seconds()))
        self._seen = latest
