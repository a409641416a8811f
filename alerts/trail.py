"""The audit trail as an auditor reads it: by who, what, when and which lead, newest first.

page = read(store, Of(actor="chen", group="reveals"), before=None)
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from msgspec import Struct
from sqlalchemy import ColumnElement, select

from alerts import callbacks, papers
from alerts import tables as t
from alerts.casework import COMMENTED, MOVED
from alerts.claims import CLAIMED, UNCLAIMED
from alerts.entered import PAPER_ASKED
from alerts.kept import BESIDE, CHANGES, CORRECTED, ENTERED, KEEPER, Entry
from alerts.reveal import REVEALED
from alerts.store import Store

PAGE = 100  # rows
EXPORTED: Final = "exported"  # kind of alert_event
REFUSED: Final = "refused"  # the same: somebody asked for what is not theirs

GROUPS: Mapping[str, tuple[str, ...]] = {
    "logins": ("login", "login_tried", "sessions_ended"),
    "views": ("viewed", papers.READ, PAPER_ASKED),
    "reveals": (REVEALED,),
    "exports": (EXPORTED,),
    "work": (
        MOVED,
        COMMENTED,
        CLAIMED,
        UNCLAIMED,
        papers.FILED,
        papers.WITHDRAWN,
        callbacks.SET,
        callbacks.DONE,
        ENTERED,
        CORRECTED,
    ),
    "accounts": ("account_added", "account_told", "account_reset", "account_disabled"),
    "refusals": (REFUSED,),
    "leads": (*CHANGES, *BESIDE),
    "upkeep": ("dropped", "cut"),
}


class Of(Struct, frozen=True, kw_only=True):
    """Which rows; what is empty lets everything pass. group: of GROUPS, or "all"; "": what people did."""

    actor: str = ""
    group: str = ""
    alert_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


class Row(Struct, frozen=True, kw_only=True):
    """A row of the trail and its hash."""

    entry: Entry
    hash: str


class Rows(Struct, frozen=True):
    """``before``: give it to read what comes next; None on the last page."""

    rows: tuple[Row, ...]
    before: int | None


def read(store: Store, of: Of, before: int | None = None, limit: int = PAGE) -> Rows:
    """A page of the trail."""
    e = t.alert_event.c
    query = select(t.alert_event).where(*_conditions(of)).order_by(e.seq.desc()).limit(limit + 1)
    if before is not None:
        query = query.where(e.seq < before)
    with store.engine.connect() as db:
        found = [
            Row(
                entry=Entry(
                    seq=row.seq,
                    alert_id=row.alert_id,
                    revision=row.revision,
                    kind=row.kind,
                    actor=row.actor,
                    at=row.at,
                    data=row.data.encode(),
                ),
                hash=row.hash,
            )
            for row in db.execute(query)
        ]
    return Rows(tuple(found[:limit]), found[limit - 1].entry.seq if len(found) > limit else None)


def _conditions(of: Of) -> list[ColumnElement[bool]]:
    e = t.alert_event.c
    found: list[ColumnElement[bool]] = []
    if of.group in GROUPS:
        found.append(e.kind.in_(GROUPS[of.group]))
    elif of.group != "all":
        found += [e.kind.not_in(CHANGES), e.actor != KEEPER]
    if of.actor:
        found.append(e.actor == of.actor)
    if of.alert_id:
        found.append(e.alert_id == of.alert_id)
    if of.since:
        found.append(e.at >= of.since)
    if of.until:
        found.append(e.at < of.until)
    return found
