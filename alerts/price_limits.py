"""What a pack or a service may cost at most, as reference records have it: compared with what a lead's bills say.

replace(store, limits)                                # all there are (``fundwatch indicators``)
known = limits_of(store, ["XB47AB001A001010100"])     # by item, oldest first
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from sqlalchemy import delete, insert, select

from alerts import tables as t
from alerts.store import Store
from alerts.writing import portions


class PriceLimit(NamedTuple):
    """From ``since`` on. yuan: a pack; None: no longer any."""

    item: str
    since: datetime
    yuan: Decimal | None


Limits = Mapping[str, Sequence[PriceLimit]]


def replace(store: Store, limits: Iterable[PriceLimit]) -> int:
    """These, and no others. Returns how many there are."""
    rows = [{"item": one.item, "since": one.since, "yuan": "" if one.yuan is None else str(one.yuan)} for one in limits]
    with store.writing() as writing:
        writing.db.execute(delete(t.price_limit))
        if rows:
            writing.db.execute(insert(t.price_limit), rows)
    return len(rows)


def limits_of(store: Store, items: Collection[str]) -> Limits:
    """Of these items, oldest first."""
    p, found = t.price_limit.c, defaultdict(list)
    with store.engine.connect() as db:
        for some in portions(items):
            for row in db.execute(select(t.price_limit).where(p.item.in_(some)).order_by(p.item, p.since)):
                found[row.item].append(PriceLimit(row.item, row.since, Decimal(row.yuan) if row.yuan else None))
    return found


def holding(limits: Sequence[PriceLimit], at: datetime) -> Decimal | None:
    """The one that held then; None if none did."""
    return next((one.yuan for one in reversed(limits) if one.since <= at), None)
