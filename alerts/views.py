"""Choices of the feed that people keep under a name, for themselves or for everybody."""

from datetime import datetime

from msgspec import Struct
from sqlalchemy import delete, func, or_, select

from alerts import tables as t
from alerts.store import Store

MOST = 30  # of one account
LONGEST_NAME = 40  # characters
LONGEST_QUERY = 2_000


class ViewError(ValueError):
    """A view that cannot be kept; ``code`` names why."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class View(Struct, frozen=True):
    """query: of the feed's address, as Choice.params writes it."""

    owner: str
    name: str
    query: str
    shared: bool


def views_for(store: Store, account: str) -> list[View]:
    """One's own, then those that others share."""
    v = t.saved_view.c
    query = select(v.owner, v.name, v.query, v.shared).where(or_(v.owner == account, v.shared))
    with store.engine.connect() as db:
        found = [View(*row) for row in db.execute(query.order_by(v.name, v.owner))]
    return sorted(found, key=lambda view: view.owner != account)


def save(store: Store, view: View, now: datetime) -> None:
    """Keep it, in place of the owner's view of that name. Raises ViewError."""
    if not 0 < len(view.name.strip()) <= LONGEST_NAME or len(view.query) > LONGEST_QUERY:
        raise ViewError("view_name")
    v = t.saved_view.c
    with store.writing() as writing:
        others = select(func.count()).where(v.owner == view.owner, v.name != view.name)
        if writing.db.execute(others).scalar_one() >= MOST:
            raise ViewError("too_many_views")
        row = {"owner": view.owner, "name": view.name.strip(), "query": view.query, "shared": view.shared}
        writing.upsert(t.saved_view, [row | {"saved_at": now}])


def forget(store: Store, owner: str, name: str) -> None:
    """No more of it."""
    v = t.saved_view.c
    with store.writing() as writing:
        writing.db.execute(delete(t.saved_view).where(v.owner == owner, v.name == name))
