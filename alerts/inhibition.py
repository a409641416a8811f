"""Which alert is shown as inhibited by which: a weaker one by a stronger one that rests on the same events.

A till that is red for a batch of cards explains why some of its cards were seen in many shops: the second lead is shown
as inhibited by the first, never hidden. This stands beside the alert in the store. It is no part of the alert on the
wire and makes no revision: it is worked out from the alerts that stand, so it does not matter which of them came first.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

import msgspec
from sqlalchemy import and_, bindparam, delete, func, insert, select, update

from alerts import tables as t
from alerts.kept import KEEPER, Note
from alerts.writing import Writing, portions
from detectors.finding import Lead

EXPLAINED = Fraction(4, 5)  # of the weaker one's events that the stronger one must hold; docs/decisions/j
INHIBITED, RELEASED = "inhibited", "released"  # kinds of alert_event


class Strength(NamedTuple):
    """What makes one alert stronger than another: the level, then definite over suspicious. Equals leave each other."""

    level_rank: int
    certainty_rank: int


class Standing(NamedTuple):
    """An open alert as far as inhibition goes. ``rests_on``: how many events."""

    alert_id: str
    strength: Strength
    amount_fen: int
    rests_on: int


@dataclass(slots=True)
class Related:
    """Open alerts, and how many events two of them share: of each, by the other."""

    standing: dict[str, Standing] = field(default_factory=dict)
    shared: dict[str, dict[str, int]] = field(default_factory=dict)

    def inhibitor(self, name: str) -> str | None:
        """What an alert is inhibited by; of several the strongest, then what shares most."""
        weaker = self.standing.get(name)
        if weaker is None:
            return None
        others = [(self.standing[other], n) for other, n in self.shared.get(name, {}).items()]
        explaining = [
            (other.strength, n, other.amount_fen, other.alert_id)
            for other, n in others
            if other.strength > weaker.strength and n >= EXPLAINED * weaker.rests_on
        ]
        return max(explaining)[-1] if explaining else None


def rests_on(lead: Lead) -> frozenset[str]:
    """The events that an alert stands on. An absence stands on none: its one admission only says whose absence."""
    if len(lead.events) == 1 and any(e.event_type == "adm" for e in lead.evidence if e.event_id == lead.events[0]):
        return frozenset()
    return frozenset(lead.events)


def settle(writing: Writing, leads: Mapping[str, Lead | None], at: datetime) -> None:
    """These alerts say this from now on (None: withdrawn): put right what they inhibit and what inhibits them."""
    if not leads:
        return
    _put_events(writing, {name: rests_on(lead) if lead else frozenset() for name, lead in leads.items()})
    touched = _touched(writing, leads.keys())
    related = _related(writing, touched)
    changed = [
        (name, former, now)
        for name, former in sorted(_inhibited_by(writing, touched).items())
        if (now := related.inhibitor(name)) != former
    ]
    _put(writing, [(name, now) for name, _, now in changed])
    writing.append([_note(name, now, at) for name, _, now in changed if name in related.standing])


def _put_events(writing: Writing, events: Mapping[str, frozenset[str]]) -> None:
    """Only what differs: an alert of a thousand events grows by one at a time."""
    known: dict[str, set[str]] = {name: set() for name in events}
    for some in portions(events):
        query = select(t.rests_on.c.alert_id, t.rests_on.c.event_id).where(t.rests_on.c.alert_id.in_(some))
        for name, event in writing.db.execute(query):
            known[name].add(event)
    gone = [{"a": name, "e": event} for name in known for event in known[name] - events[name]]
    new = [{"alert_id": name, "event_id": event} for name in events for event in sorted(events[name] - known[name])]
    if gone:
        one = and_(t.rests_on.c.alert_id == bindparam("a"), t.rests_on.c.event_id == bindparam("e"))
        writing.db.execute(delete(t.rests_on).where(one), gone)
    if new:
        writing.db.execute(insert(t.rests_on), new)


def _touched(writing: Writing, changed: Collection[str]) -> set[str]:
    """The alerts that changed, those they inhibit, and those that share an event with them."""
    one, other = t.rests_on.alias("one"), t.rests_on.alias("other")
    shares = select(other.c.alert_id).join_from(one, other, one.c.event_id == other.c.event_id).distinct()
    found = set(changed)
    for some in portions(changed):
        found.update(writing.db.execute(select(t.alert.c.alert_id).where(t.alert.c.inhibited_by.in_(some))).scalars())
        found.update(writing.db.execute(shares.where(one.c.alert_id.in_(some))).scalars())
    return found


def _related(writing: Writing, names: Collection[str]) -> Related:
    """These alerts as far as they are open, with all that share events with them."""
    one, other = t.rests_on.alias("one"), t.rests_on.alias("other")
    pairs = (
        select(one.c.alert_id, other.c.alert_id, func.count())
        .join_from(one, other, and_(one.c.event_id == other.c.event_id, one.c.alert_id != other.c.alert_id))
        .group_by(one.c.alert_id, other.c.alert_id)
    )
    related = Related()
    for some in portions(names):
        for name, near, shared in writing.db.execute(pairs.where(one.c.alert_id.in_(some))):
            related.shared.setdefault(name, {})[near] = shared
    everybody = {*names, *(near for others in related.shared.values() for near in others)}
    related.standing = {one.alert_id: one for one in _standing(writing, everybody)}
    return related


def _standing(writing: Writing, names: Iterable[str]) -> Iterator[Standing]:
    a = t.alert.c
    size = select(func.count()).where(t.rests_on.c.alert_id == a.alert_id).scalar_subquery()
    query = select(a.alert_id, a.level_rank, a.certainty_rank, a.amount_at_risk_fen, size).where(a.status == "open")
    for some in portions(names):
        for name, level, certainty, amount, events in writing.db.execute(query.where(a.alert_id.in_(some))):
            yield Standing(name, Strength(level, certainty), amount, events)


def _inhibited_by(writing: Writing, names: Iterable[str]) -> dict[str, str | None]:
    query = select(t.alert.c.alert_id, t.alert.c.inhibited_by)
    rows = (writing.db.execute(query.where(t.alert.c.alert_id.in_(some))) for some in portions(names))
    return {name: by for some in rows for name, by in some}


def _put(writing: Writing, inhibited: Sequence[tuple[str, str | None]]) -> None:
    if inhibited:
        one = update(t.alert).where(t.alert.c.alert_id == bindparam("name")).values(inhibited_by=bindparam("by"))
        writing.db.execute(one, [{"name": name, "by": by} for name, by in inhibited])


def _note(name: str, by: str | None, at: datetime) -> Note:
    data = msgspec.json.encode({"by": by} if by else {})
    return Note(kind=INHIBITED if by else RELEASED, actor=KEEPER, at=at, alert_id=name, data=data)
