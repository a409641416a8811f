"""What a list shows beside an alert: how far people have come with it, who has it, and whether it was looked at."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import func, select

from alerts import tables as t
from alerts.casework import Work, works_of
from alerts.claims import claims_of
from alerts.deadlines import Warning, warning
from alerts.kept import LeadRow
from alerts.store import Store

VIEWED = "viewed"  # kind of alert_event: somebody opened a lead


class Beside(NamedTuple):
    """holder: who has taken it in hand, or else whom it was sent to; unread: changed since the reader opened it."""

    work: Work
    warning: Warning
    holder: str
    unread: bool = False


def beside(store: Store, rows: Sequence[LeadRow], now: datetime) -> dict[str, Beside]:
    """By alert; the same for every reader."""
    works = works_of(store, rows)
    claims = claims_of(store, works, now)
    return {
        name: Beside(work, warning(work.due, now), claims[name].holder if name in claims else "、".join(work.officers))
        for name, work in works.items()
    }


def beside_for(reader: str, store: Store, rows: Sequence[LeadRow], now: datetime) -> dict[str, Beside]:
    """The same, with what this reader has not opened yet."""
    opened = _opened(reader, store, [row.alert_id for row in rows])
    found = beside(store, rows, now)
    return {row.alert_id: found[row.alert_id]._replace(unread=opened.get(row.alert_id, 0) < row.seq) for row in rows}


def _opened(reader: str, store: Store, alert_ids: Iterable[str]) -> Mapping[str, int]:
    """Where in alert_event the reader last opened them."""
    e = t.alert_event.c
    query = select(e.alert_id, func.max(e.seq)).where(e.kind == VIEWED, e.actor == reader).group_by(e.alert_id)
    with store.engine.connect() as db:
        return {row[0]: row[1] for row in db.execute(query.where(e.alert_id.in_(list(alert_ids))))}
