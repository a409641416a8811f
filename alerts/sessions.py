"""Where an account is logged in: a session is open from its log-in until it is ended, or has run out."""

from collections.abc import Callable
from datetime import datetime

import msgspec
from msgspec import Struct
from sqlalchemy import delete, select

from alerts import tables as t
from alerts.accounts import Account
from alerts.kept import Note
from alerts.store import Store
from alerts.writing import portions

LONGEST_AGENT = 300  # characters of what a browser calls itself
MOST_LISTED = 100


class Opened(Struct, frozen=True):
    """A session. agent: what the browser, or the program, called itself."""

    id: str
    account: str
    agent: str
    since: datetime
    until: datetime  # at the latest


def begin(store: Store, opened: Opened) -> None:
    """From now on its cookie opens; what has run out by itself is forgotten."""
    s = t.session
    row = msgspec.to_builtins(opened, builtin_types=(datetime,)) | {"agent": opened.agent[:LONGEST_AGENT]}
    with store.writing() as writing:
        writing.db.execute(delete(s).where(s.c.until < opened.since))
        writing.upsert(s, [row])


def end(store: Store, session: str) -> None:
    """Its cookie, and whatever copy there is of it, opens nothing any more."""
    with store.writing() as writing:
        writing.db.execute(delete(t.session).where(t.session.c.id == session))


def is_open(store: Store, session: str) -> bool:
    with store.engine.connect() as db:
        return db.execute(select(t.session.c.id).where(t.session.c.id == session)).first() is not None


def of(store: Store, who: Account, now: datetime) -> list[Opened]:
    """Where this account is logged in, newest first, MOST_LISTED at most."""
    s = t.session
    query = select(s).where(s.c.account == who.name, s.c.until > now, s.c.since >= who.changed_at)
    with store.engine.connect() as db:
        rows = db.execute(query.order_by(s.c.since.desc(), s.c.id).limit(MOST_LISTED)).mappings()
        return [Opened(**row) for row in rows]


def end_of(store: Store, who: Account, ending: Callable[[str], bool], now: datetime) -> int:
    """End those sessions of an account, by id, and write that down. Returns how many of them were open."""
    s = t.session.c
    with store.writing() as writing:
        opened = writing.db.scalars(select(s.id).where(s.account == who.name)).all()
        ended = [session for session in opened if ending(session)]
        for some in portions(ended):
            writing.db.execute(delete(t.session).where(s.id.in_(some)))
        if ended:
            told = msgspec.json.encode({"n": len(ended)})
            writing.append([Note(kind="sessions_ended", actor=who.name, at=now, data=told)])
    return len(ended)
