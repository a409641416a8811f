"""Who holds points this year: institutions, doctors and cashiers, with the leads that brought them."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct
from sqlalchemy import select

from alerts import tables as t
from alerts.deadlines import CHINA
from alerts.kept import within
from alerts.life import MOST_POINTS
from alerts.store import Store

MOST = 20_000  # measures with points that are read; a year of a province has fewer
MOST_LEADS = 5  # named with a balance, the newest
FULL = MOST_POINTS  # a year's; then the right to be paid is lost (医保支付资格管理)
NEARLY = 9


class Balance(Struct, frozen=True, kw_only=True):
    """The points of one subject since the year began. last: when the newest were given; leads: those, newest first."""

    subject_kind: str
    subject_id: str
    points: int
    times: int
    last: datetime
    leads: tuple[str, ...]


def year_began(now: datetime) -> datetime:
    """Points are wiped on the first of January, in China."""
    return now.astimezone(CHINA).replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)


def balances(store: Store, now: datetime, *, areas: Sequence[str] = ()) -> list[Balance]:
    """Of this year, given by leads within the areas; those with most points first."""
    m, a = t.measure.c, t.alert.c
    query = select(m.subject_kind, m.subject_id, m.points, m.taken_at, m.alert_id, a.areas)
    query = query.join(t.alert, a.alert_id == m.alert_id).where(m.points > 0, m.taken_at >= year_began(now))
    found: dict[tuple[str, str], Balance] = {}
    with store.engine.connect() as db:
        for row in db.execute(query.order_by(m.taken_at.desc(), m.alert_id, m.number).limit(MOST)):
            if within(row.areas.split(), areas):
                key = row.subject_kind, row.subject_id
                found[key] = _with(found.get(key), *key, row.points, row.taken_at, row.alert_id)
    return sorted(found.values(), key=lambda one: (-one.points, one.subject_kind, one.subject_id))


def _with(before: Balance | None, kind: str, name: str, points: int, at: datetime, lead: str) -> Balance:
    """With older points added."""
    if before is None:
        return Balance(subject_kind=kind, subject_id=name, points=points, times=1, last=at, leads=(lead,))
    return Balance(
        subject_kind=kind,
        subject_id=name,
        points=before.points + points,
        times=before.times + 1,
        last=before.last,
        leads=tuple(dict.fromkeys((*before.leads, lead)))[:MOST_LEADS],
    )
