"""What is too old goes: alerts that nobody touched for long, and the beginning of the audit trail.

The trail stays provable: what is cut off is named in it, with the hash of the last row that went.
"""

from datetime import datetime, timedelta

import msgspec
from sqlalchemy import delete, func, select, update

from alerts import tables as t
from alerts.kept import DROPPED, Cut, Note
from alerts.store import Store
from alerts.writing import portions

SHORTEST = timedelta(days=400)  # detectors look back so far: what is younger may still be changed or withdrawn


CUT = "cut"

# all that stands beside an alert, what refers to others first; the trail is another matter
OF_AN_ALERT = [
    table for table in reversed(t.metadata.sorted_tables) if "alert_id" in table.c and table is not t.alert_event
]


def old_alerts(store: Store, before: datetime) -> list[str]:
    """Alerts that have not changed since then."""
    query = select(t.alert.c.alert_id).where(t.alert.c.changed_at < before).order_by(t.alert.c.alert_id)
    with store.engine.connect() as db:
        return list(db.execute(query).scalars())


def drop_alerts(store: Store, before: datetime, actor: str, now: datetime) -> int:
    """Delete them with all that stands beside them; what they said once stays in the audit trail. How many."""
    names = old_alerts(store, before)
    if not names:
        return 0
    with store.writing() as writing:
        for some in portions(names):
            inhibited = update(t.alert).where(t.alert.c.inhibited_by.in_(some)).values(inhibited_by=None)
            writing.db.execute(inhibited)
            for table in OF_AN_ALERT:
                writing.db.execute(delete(table).where(table.c.alert_id.in_(some)))
        told = msgspec.json.encode({"alerts": len(names), "unchanged_since": before})
        writing.append([Note(kind=DROPPED, actor=actor, at=now, data=told)])
    return len(names)


def old_entries(store: Store, before: datetime) -> int:
    """Rows at the beginning of the audit trail that are older, and that every reader has passed."""
    first, last = _span(store, before)
    return max(0, last - first + 1)


def cut_trail(store: Store, before: datetime, actor: str, now: datetime) -> int:
    """Delete these rows, and say so in the trail. How many."""
    first, last = _span(store, before)
    if last < first:
        return 0
    e = t.alert_event.c
    with store.writing() as writing:
        link = writing.db.execute(select(e.hash).where(e.seq == last)).scalar_one()
        writing.append([Note(kind=CUT, actor=actor, at=now, data=msgspec.json.encode(Cut(last, link)))])
        writing.db.execute(delete(t.alert_event).where(e.seq <= last))
    return last - first + 1


def _span(store: Store, before: datetime) -> tuple[int, int]:
    e, readers = t.alert_event.c, t.reader_position.c
    with store.engine.connect() as db:
        first = db.execute(select(func.min(e.seq))).scalar_one() or 1
        younger = db.execute(select(func.min(e.seq)).where(e.at >= before)).scalar_one()
        newest = db.execute(select(func.max(e.seq))).scalar_one() or 0
        read = db.execute(select(func.min(readers.seq))).scalar_one()
    # the newest row stays: the next one's hash covers it
    last = min(newest - 1, newest if younger is None else younger - 1, newest if read is None else read)
    return first, last
