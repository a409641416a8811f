"""One lead of several: units that tell of the same subject and period, such as a shop's month seen from many codes."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import replace

from alerts.alert import alert_id
from detectors.finding import Evidence, Lead, Period, UnitId
from detectors.lead import quorate

MOST_EVENTS = 1_000  # readings.md 4


def by_alert(leads: Iterable[Lead]) -> dict[str, Lead]:
    """What one unit says, by the alert it says it of."""
    found: dict[str, list[Lead]] = {}
    for lead in leads:
        found.setdefault(alert_id(lead), []).append(lead)
    return {name: _merge(same) for name, same in found.items()}


def merged(leads: Mapping[UnitId, Lead]) -> Lead | None:
    """What these units say together, whatever order they spoke in; None if too few of them say anything."""
    counted = quorate([leads[unit] for unit in sorted(leads)])
    return _merge(counted) if counted else None


def _merge(leads: Sequence[Lead]) -> Lead:
    """The gravest one speaks; events, hits and amounts are those of all. Among equals the first one speaks."""
    if len(leads) == 1:
        return leads[0]
    gravest = max(leads, key=lambda lead: (lead.level.rank, lead.amount_at_risk_fen))
    shown_twice = sum(e.fund_fen for lead in leads for e in lead.evidence) - sum(e.fund_fen for e in _evidence(leads))
    return replace(
        gravest,
        period=_period(leads),
        first_seen=min(lead.first_seen for lead in leads),
        last_seen=max(lead.last_seen for lead in leads),
        hits=sum(lead.hits for lead in leads),
        amount_at_risk_fen=_total([lead.amount_at_risk_fen for lead in leads], shown_twice),
        fund_paid_fen=_total([lead.fund_paid_fen for lead in leads], shown_twice),
        events=_events(leads),
        orgs=tuple(dict.fromkeys(org for lead in (gravest, *leads) for org in lead.orgs)),
        evidence=_evidence(leads)[:MOST_EVENTS],
    )


def _period(leads: Sequence[Lead]) -> Period:
    """From the earliest beginning to the latest end; no end while one of them lasts."""
    ends = [lead.period.to for lead in leads]
    last = max((end for end in ends if end is not None), default=None) if None not in ends else None
    return Period(leads[0].period.name, min(lead.period.since for lead in leads), last)


def _total(amounts: Sequence[int], shown_twice: int) -> int:
    """Their sum, in which money shown by two of them counts once; never less than the largest."""
    return max(sum(amounts) - shown_twice, *amounts)


def _events(leads: Sequence[Lead]) -> tuple[str, ...]:
    """All their events, oldest first; one without evidence stands at the beginning of its lead."""
    at = {name: lead.first_seen for lead in reversed(leads) for name in lead.events}
    at |= {e.event_id: e.at for e in _evidence(leads) if e.event_id in at}
    return tuple(sorted(at, key=lambda name: (at[name], name))[:MOST_EVENTS])


def _evidence(leads: Sequence[Lead]) -> tuple[Evidence, ...]:
    """All their evidence, each event once, oldest first."""
    shown = {e.event_id: e for lead in reversed(leads) for e in lead.evidence}
    return tuple(sorted(shown.values(), key=lambda e: (e.at, e.event_id)))
