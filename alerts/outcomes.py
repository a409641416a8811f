"""What came of each detector's leads: the loop back from findings and dismissals to the rule."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from math import sqrt

from msgspec import Struct
from sqlalchemy import func, select

from alerts import tables as t
from alerts.kept import within
from alerts.life import PENALTIES, RECOVERED, State
from alerts.store import Store

Z = 1.959964  # two-sided 95 %
CONFIRMED = frozenset({State.CONFIRMED.value, State.PARTLY.value})


class Share(Struct, frozen=True):
    """A share with its 95 % interval (Wilson); all None of nothing."""

    of: int
    share: float | None
    low: float | None
    high: float | None


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of one detector's leads. Amounts in fen; ``open``: worked on, nothing decided yet.

    Confirmed and unfounded are shares of the leads decided; a dismissal decides as unfounded, since somebody looked
    and saw nothing, but for duplicates, which say nothing about the rule.
    """

    detector: str
    confirmed: int  # wholly or partly
    unfounded: int  # after a check
    dismissed: int  # without one
    open: int
    confirmed_share: Share
    unfounded_share: Share
    reasons: dict[str, int]  # of dismissals; an exclusion by its code
    at_stake_fen: int  # named by the leads that were confirmed
    found_fen: int  # confirmed
    recovered_fen: int
    penalty_fen: int
    points: int


class Outcomes(Struct, frozen=True):
    """By detector, those with most decided leads first."""

    detectors: tuple[Outcome, ...]


class _Lead(Struct, frozen=True):
    """One lead that somebody worked on."""

    outcome: str
    why: str
    at_stake_fen: int
    found_fen: int
    recovered_fen: int
    penalty_fen: int
    points: int


def wilson(hits: int, of: int) -> Share:
    """The share of hits, with Wilson's score interval (1927), which holds for few cases too."""
    if of == 0:
        return Share(0, None, None, None)
    share, square = hits / of, Z * Z
    middle = share + square / (2 * of)
    spread = Z * sqrt(share * (1 - share) / of + square / (4 * of * of))
    scale = 1 + square / of
    return Share(of, share, max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale))


def outcomes(store: Store, *, areas: Sequence[str] = (), detector: str = "", since: datetime | None = None) -> Outcomes:
    """What came of the leads within the areas; ``since``: only those that people last touched after it."""
    found: dict[str, list[_Lead]] = {}
    for name, lead in _worked(store, areas, detector, since):
        found.setdefault(name, []).append(lead)
    counted = [_outcome(name, leads) for name, leads in found.items()]
    return Outcomes(tuple(sorted(counted, key=lambda one: (-one.confirmed_share.of, one.detector))))


def _worked(store: Store, areas: Sequence[str], detector: str, since: datetime | None) -> "list[tuple[str, _Lead]]":
    w, a = t.casework.c, t.alert.c
    columns = (w.alert_id, a.detector, a.areas, w.outcome, w.reason, w.exclusion, a.amount_at_risk_fen, w.found_fen)
    query = select(*columns).join(t.alert, a.alert_id == w.alert_id)
    m = t.measure.c
    money = select(m.alert_id, m.kind, func.sum(m.amount_fen), func.sum(m.points)).group_by(m.alert_id, m.kind)
    if detector:
        query = query.where(a.detector == detector)
        money = money.join(t.alert, a.alert_id == m.alert_id).where(a.detector == detector)
    if since is not None:
        query = query.where(w.changed_at > since)
    with store.engine.connect() as db:
        rows = [row for row in db.execute(query) if within(row.areas.split(), areas)]
        sums = Counter[tuple[str, str]]()
        for alert_id, kind, amount, points in db.execute(money):
            sums[alert_id, "recovered"] += int(amount) if kind in RECOVERED else 0
            sums[alert_id, "penalty"] += int(amount) if kind in PENALTIES else 0
            sums[alert_id, "points"] += int(points)
    return [
        (
            row.detector,
            _Lead(
                row.outcome,
                row.exclusion or row.reason,
                row.amount_at_risk_fen,
                row.found_fen or 0,
                sums[row.alert_id, "recovered"],
                sums[row.alert_id, "penalty"],
                sums[row.alert_id, "points"],
            ),
        )
        for row in rows
    ]


def _outcome(detector: str, leads: Sequence[_Lead]) -> Outcome:
    confirmed = [lead for lead in leads if lead.outcome in CONFIRMED]
    unfounded = sum(lead.outcome == State.UNFOUNDED for lead in leads)
    dismissed = [lead for lead in leads if lead.outcome == State.DISMISSED]
    against = unfounded + sum(lead.why != "duplicate" for lead in dismissed)
    decided = len(confirmed) + against
    return Outcome(
        detector=detector,
        confirmed=len(confirmed),
        unfounded=unfounded,
        dismissed=len(dismissed),
        open=len(leads) - len(confirmed) - unfounded - len(dismissed),
        confirmed_share=wilson(len(confirmed), decided),
        unfounded_share=wilson(against, decided),
        reasons=dict(Counter(lead.why for lead in dismissed).most_common()),
        at_stake_fen=sum(lead.at_stake_fen for lead in confirmed),
        found_fen=sum(lead.found_fen for lead in confirmed),
        recovered_fen=sum(lead.recovered_fen for lead in leads),
        penalty_fen=sum(lead.penalty_fen for lead in leads),
        points=sum(lead.points for lead in leads),
    )


def in_words(of: Outcomes) -> str:
    """A table for a terminal; amounts in yuan."""
    if not of.detectors:
        return "nobody has decided on a lead yet"
    lines = [
        f"{'detector':28} {'confirmed':>10} {'share (95 %)':>20} {'dismissed':>10} {'open':>5}"
        f" {'found':>14} {'recovered':>14}"
    ]
    for one in of.detectors:
        share = _percent(one.confirmed_share)
        named = f"{one.confirmed}/{one.confirmed_share.of}"
        lines.append(
            f"{one.detector:28} {named:>10} {share:>20} {one.dismissed:>10} {one.open:>5}"
            f" {one.found_fen / 100:>14,.2f} {one.recovered_fen / 100:>14,.2f}"
        )
        if one.reasons:
            lines.append("    dismissed: " + ", ".join(f"{why} {number}" for why, number in one.reasons.items()))
    return "\n".join(lines)


def _percent(one: Share) -> str:
    if one.share is None or one.low is None or one.high is None:
        return "-"
    return f"{one.share:.0%} ({one.low:.0%} to {one.high:.0%})"
