"""How many alerts each level, detector and state has, counted anew only when something changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, select

from alerts import tables as t
from alerts.kept import BESIDE, CHANGES, CORRECTED, DROPPED, ENTERED, Facets, Filter
from alerts.source import source_of

MOST_COUNTS = 64  # of choices whose alerts are counted already
Groups = Sequence[tuple[str, str, str, bool, int]]  # level, detector, state, whether inhibited, how many


class Counted(NamedTuple):
    """seq: of the last change before it was counted. now: which snoozes were in force; None: it was not asked."""

    seq: int | None
    now: datetime | None
    groups: Groups


LAST_CHANGE = (
    select(t.alert_event.c.seq)
    .where(t.alert_event.c.kind.in_((*CHANGES, *BESIDE, ENTERED, CORRECTED, DROPPED)))
    .order_by(t.alert_event.c.seq.desc())
    .limit(1)
)


def snooze_ended(db: Connection, then: datetime | None, now: datetime | None) -> bool:
    """Are other snoozes in force now?"""
    if then is None or now is None:
        return then is not now
    until, (first, last) = t.alert.c.snoozed_until, sorted((then, now))
    return db.execute(select(until).where(until > first, until <= last).limit(1)).first() is not None


def facets_of(counted: Groups, of: Filter) -> Facets:
    chosen = ({level.value for level in of.levels}, of.detectors, of.statuses, of.sources)
    groups: tuple[dict[str, int], ...] = ({}, {}, {}, {})
    total = 0
    inhibited = {"yes": 0, "no": 0}
    for level, detector, state, is_inhibited, number in counted:
        values = (level, detector, state, source_of(detector))
        fits = [not choice or value in choice for value, choice in zip(values, chosen, strict=True)]
        inhibited["yes" if is_inhibited else "no"] += number if all(fits) else 0
        if of.inhibited not in (None, bool(is_inhibited)):
            continue
        total += number if all(fits) else 0
        for i, group in enumerate(groups):
            if all(fits[:i] + fits[i + 1 :]):
                group[str(values[i])] = group.get(str(values[i]), 0) + number
    levels, detectors, statuses, sources = groups
    return Facets(levels, detectors, statuses, total, inhibited, sources)
