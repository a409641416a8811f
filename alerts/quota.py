"""How many red and orange leads an office looks at in a day; what is beyond waits in a list of its own."""

from collections.abc import Sequence
from datetime import datetime, time

from sqlalchemy import select

from alerts import tables as t
from alerts.choosing import OFF_INDEX
from alerts.deadlines import CHINA
from alerts.kept import within
from alerts.life import State
from alerts.store import Store
from detectors.finding import Level

DAILY = 12  # screens/01-feed: what one desk of a county got through; a bureau sets its own
COUNTED = frozenset({Level.RED, Level.ORANGE})


def done_today(store: Store, areas: Sequence[str], now: datetime) -> int:
    """Red and orange leads within the areas that people moved on today."""
    a, w = t.alert.c, t.casework.c
    midnight = datetime.combine(now.astimezone(CHINA).date(), time(), CHINA)
    query = select(a.areas).join(t.casework, w.alert_id == a.alert_id)
    grave = (a.level_rank + OFF_INDEX).in_(sorted(level.rank for level in COUNTED))  # few were moved, many are grave
    moved = query.where(w.changed_at >= midnight, w.state != State.NEW, grave)
    with store.engine.connect() as db:
        found = db.execute(moved).scalars()
        return sum(within(named.split(), areas) for named in found)
