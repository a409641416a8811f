"""Sessions that somebody ended: the cookie, and whatever copy there is of it, opens nothing any more."""

from datetime import datetime

from sqlalchemy import delete, select

from alerts import tables as t
from alerts.store import Store


def end(store: Store, session: str, until: datetime, now: datetime) -> None:
    """Until then it would have lasted; what has run out by itself is forgotten."""
    e = t.ended_session
    with store.writing() as writing:
        writing.db.execute(delete(e).where(e.c.until < now))
        writing.upsert(e, [{"id": session, "until": until}])


def is_over(store: Store, session: str) -> bool:
    with store.engine.connect() as db:
        return db.execute(select(t.ended_session.c.id).where(t.ended_session.c.id == session)).first() is not None
