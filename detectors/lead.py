"""From what a detector found to what is passed on: the lead, with the events as a page draws them."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.structs import replace

from detectors.detector import Detector, Finding, limits
from detectors.event import Event, Settlement
from detectors.file import order
from detectors.finding import Evidence, Figure, Lead, Period, Quorum

MOST_EVENTS = 1_000  # readings 4
RULES = "1"  # raised by hand when a detector's meaning changes, not only its thresholds


def version_of(detector: Detector) -> str:
    """What spoke, exactly: the version of the rules and a digest of the thresholds in force."""
    thresholds = [(f.name, _in_order(getattr(detector, f.name))) for f in limits(detector)]
    return f"{RULES}-{blake2b(repr(thresholds).encode(), digest_size=4).hexdigest()}"


def _in_order(threshold: object) -> object:
    """A set has no order of its own: another one in every process."""
    return sorted(threshold, key=repr) if isinstance(threshold, frozenset) else threshold


def lead_of(detector: Detector, version: str, cell: Period, finding: Finding) -> Lead:
    """The lead that a finding makes. Amounts not given are the fund's share of the settlements shown, each once.

    A rule that needs two ledgers is two detectors, "rule" and "rule/part": both speak as the rule.
    """
    shows = oldest_first(finding.shows)
    period = finding.period or cell
    fund = sum({event.bill: event.fund for event in shows if isinstance(event, Settlement)}.values())
    return Lead(
        detector=detector.id.partition("/")[0],
        rule_version=version,
        model_version=finding.model_version,
        level=finding.level,
        certainty=finding.certainty,
        subject=finding.subject,
        period=period,
        first_seen=shows[0].happened_at if shows else period.since,
        last_seen=shows[-1].happened_at if shows else period.to or period.since,
        hits=finding.hits,
        amount_at_risk_fen=fund if finding.at_risk is None else finding.at_risk,
        fund_paid_fen=fund if finding.fund is None else finding.fund,
        summary_zh=finding.zh,
        summary_en=finding.en,
        figures=tuple(finding.figures),
        events=tuple(event.event_id for event in shows[:MOST_EVENTS]),
        exclusions=tuple(finding.exclusions),
        law=detector.law,
        checks=tuple(finding.checks),
        orgs=tuple(dict.fromkeys((*finding.orgs, *(event.org for event in shows)))),
        evidence=tuple(map(evidence, oldest_first((*shows, *finding.also))[:MOST_EVENTS])),
        explanation=tuple(finding.explanation),
        quorum=finding.quorum,
    )


def quorate(leads: Sequence[Lead]) -> list[Lead]:
    """Of leads on one subject and period those that count together; none where too few units speak of it.

    A window may begin before the period; it ends in it.
    """
    if not leads or (quorum := leads[0].quorum) is None:
        return list(leads)
    counted: dict[int, Lead] = {}
    for last in leads:
        until = last.last_seen
        window = [lead for lead in leads if until - quorum.within < lead.last_seen <= until]
        if until >= last.period.since and len(window) >= quorum.units:
            counted.update((id(lead), lead) for lead in window)
    return [_counting(lead, quorum, len(counted)) for lead in leads if id(lead) in counted]


def _counting(lead: Lead, quorum: Quorum, n: int) -> Lead:
    return replace(lead, figures=(Figure(quorum.figure, n, quorum.units, quorum.unit), *lead.figures))


def oldest_first(events: Any) -> list[Any]:
    """Each once, oldest first. Any: events of every kind."""
    return sorted({(e.event_id, e.seal): e for e in events}.values(), key=order)


# what a page shows of an event beside its header: our name -> the name among the facts
_FACTS = {
    **{"bill": "setl_id", "visit": "mdtrt_id", "med_type": "med_type", "cert_type": "cert", "verify_mode": "verify"},
    **{"result": "result", "check_type": "check_type", "ward": "ward", "bed": "bed", "dept": "dept"},
    **{"diagnosis": "diag", "disease": "dise"},
    **{"way": "dscg_way", "sale_type": "sale_type", "inv_type": "inv_type", "item": "item", "rx": "rxno"},
    **{"insured_area": "insuplc", "direction": "direction", "count": "cnt", "order": "drord_no"},
}


MOST_LINES = 8  # of one event: a pharmacy's bill seldom has more


def _is_goods(line: Any) -> bool:
    """A drug or consumable, as detectors.ledger.is_goods; a prescription's lines are always. Any: as below."""
    return not getattr(line, "list_type", "").startswith("2")


def _line(line: Any) -> tuple[object, ...]:
    """Product, how many, yuan each, fen in all, days it lasts, and whether it is on a prescription.

    Any: a line of a bill or of a prescription. What the record does not tell, or memory has not kept, is None or "".
    """
    needs = bool(getattr(line, "needs_rx", 0))
    rx = "yes" if getattr(line, "rx", "") else "no" if needs else ""
    numbers = (float(line.price) if line.price else None, int(line.amount) if line.amount else None)
    return line.item, float(line.count), *numbers, float(line.days) if line.days else None, rx


def evidence(event: Event) -> Evidence:
    """One event as a page draws it; nothing that names a person beyond the pseudonym."""
    facts = {told: str(value) for name, told in _FACTS.items() if (value := getattr(event, name, ""))}
    if lines := getattr(event, "lines", ()):
        facts["items"] = " ".join(dict.fromkeys(line.item for line in lines))
        if goods := [_line(line) for line in lines if line.count and _is_goods(line)][:MOST_LINES]:
            facts["lines"] = msgspec.json.encode(goods).decode()
    codes = [*getattr(event, "traces", ()), *(code for line in lines for code in getattr(line, "traces", ()))]
    if codes:
        facts["codes"] = " ".join(dict.fromkeys(codes))
    if getattr(event, "agent", ""):
        facts["agent"] = "1"
    if event.late:
        facts["late"] = "1"
    for name in ("since", "to", "received_at"):
        if moment := getattr(event, name, None):
            facts[name] = moment.isoformat()
    return Evidence(
        event_id=event.event_id,
        event_type=str(type(event).__struct_config__.tag),
        at=event.happened_at,
        org=event.org,
        person=getattr(event, "person", ""),
        till=event.till if event.device or event.operator else "",
        total_fen=int(getattr(event, "total", 0)),
        fund_fen=int(getattr(event, "fund", 0)),
        facts=facts,
    )
