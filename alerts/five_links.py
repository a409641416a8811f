"""The five links of a lead: card–person, person–disease, disease–drug, drug–quantity, quantity–price.

Pure: what the lead's own figures and records say of each link, and nothing else. A figure that reached its limit makes
a link stand out; something odd in the records makes it doubtful; it agrees only where records were there to be
compared; where they were not, there are no data. Limits of prices are told from outside (alerts/price_limits.py); what
only a file of indications could tell is said to be missing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from alerts.price_limits import Limits, holding
from detectors.finding import Evidence

LONGEST_SUPPLY = 84  # days: 12 weeks, 长期处方管理规范 (2021), article 13
PRICES_APART = 1.3  # times: the dearest against the cheapest pack of the same product; to be calibrated
MOST_SHOWN = 3  # codes named in one sentence
NO_LIMITS: Limits = {}
CENT = 1  # fen by which a rounded line may be off

CARD = frozenset(
    {"persons", "returning_share", "same_origin_share", "speed", "conflicts_7d", "institutions_1h", "institutions_24h"}
    | {"pharmacies_24h", "uses_of_credential", "hours_since_death", "bills_in_stay", "face_mismatches"}
)
DISEASE = frozenset(
    {"days_home", "readmissions", "rounds_missed", "hours_off_ward", "hours_absent_at_night", "hours_unchecked"}
    | {"in_bed_ratio", "same_diagnosis_share", "without_visit_share", "admissions", "hours_without_order"}
    | {"hours_without_service", "days_without_service"}
)
PRESCRIBED = frozenset(
    {"lines_without_rx", "uses_of_script", "users_of_script", "hours_unregistered", "handed_out", "reused_scripts"}
    | {"doctors_share", "scripts_of_watched_drugs"}
)
QUANTITY = frozenset(
    {"days_in_hand", "days_after_purchase", "days_bought_90d", "purchases_too_soon", "packs_short", "sales_of_code"}
    | {"units_sold", "repeated_codes", "reversal_cycles", "quick_reversals", "basket_similarity"}
)
PRICE = frozenset({"largest_fund_paid", "paid_at_pharmacies", "amount_spread"})

FAILED = frozenset({"face_mismatch", "not_found", "refused", "timeout"})  # readings.md 6, C1
SURE = frozenset({"face", "pin", "token"})  # ways of verifying that only the insured should pass


class Mark(StrEnum):
    """What is to be said of a link, the worst last."""

    NO_DATA = "no_data"
    AGREES = "agrees"
    DOUBTFUL = "doubtful"
    STANDS_OUT = "stands_out"


class Said(NamedTuple):
    """One sentence: a key of the wording, and what stands in it."""

    key: str
    values: Mapping[str, str | int]
    mark: Mark = Mark.NO_DATA  # what it alone would make of the link


class Link(NamedTuple):
    """One link."""

    name: str
    mark: Mark
    said: Sequence[Said]


class Bought(Struct, frozen=True):
    """A line of goods of a bill. None, "": the record does not tell."""

    at: datetime
    person: str
    item: str
    count: float
    price: float | None  # yuan
    amount: int | None  # fen
    days: float | None
    rx: str  # "yes": on a prescription; "no": needs one and has none; "": needs none


def five_links(
    reached: Mapping[str, tuple[str, str, str]], evidence: Sequence[Evidence], limits: Limits = NO_LIMITS
) -> list[Link]:
    """All five, in order. reached: figures past their limit, by name: what it is, observed and limit in words."""
    lines = list(bought(evidence))
    return [
        _link("card_person", CARD, reached, [*_cards(evidence)], "five.card.none"),
        _link("person_disease", DISEASE, reached, [*_diseases(evidence)], "five.disease.none"),
        _link("disease_drug", PRESCRIBED, reached, [*_scripts(lines)], "five.drug.none"),
        _link("drug_quantity", QUANTITY, reached, [*_supplies(lines)], "five.quantity.none"),
        _link("quantity_price", PRICE, reached, [*_above(lines, limits), *_prices(lines)], "five.price.none"),
    ]


def _link(
    name: str,
    figures: Collection[str],
    reached: Mapping[str, tuple[str, str, str]],
    found: Sequence[Said],
    nothing: str,
) -> Link:
    over = [
        Said("five.figure", {"what": what, "observed": observed, "limit": limit}, Mark.STANDS_OUT)
        for figure, (what, observed, limit) in reached.items()
        if figure in figures
    ]
    said = [*over, *found]
    mark = max((one.mark for one in said), key=list(Mark).index, default=Mark.NO_DATA)
    return Link(name, mark, said if mark is not Mark.NO_DATA else [*said, Said(nothing, {})])


def bought(evidence: Sequence[Evidence]) -> Iterator[Bought]:
    """The lines of goods that the records tell of; a bill that was taken back is left out."""
    back = {(event.org, bill) for event in evidence if event.event_type == "setl_rev" and (bill := _bill(event))}
    for event in evidence:
        if event.event_type == "setl_rev" or (event.org, _bill(event)) in back:
            continue
        for line in msgspec.json.decode(event.facts.get("lines", "[]"), type=list[list[Any]]):  # Any: text or numbers
            item, count, price, amount, days, rx = line
            yield Bought(event.at, event.person, item, count, price, amount, days, rx)


def _bill(event: Evidence) -> str:
    return event.facts.get("setl_id", "")


def _cards(evidence: Sequence[Evidence]) -> Iterator[Said]:
    used = [event for event in evidence if event.event_type in ("swipe", "setl")]
    ways = Counter(way for event in used if (way := event.facts.get("verify", "")))
    known, sure = sum(ways.values()), sum(number for way, number in ways.items() if way in SURE)
    if known:
        mark = Mark.AGREES if sure == len(used) else Mark.DOUBTFUL if sure < known else Mark.NO_DATA
        yield Said("five.card.sure", {"n": len(used), "sure": sure}, mark)
    elif used and (cards := sum(bool(event.facts.get("cert")) for event in used)):
        yield Said("five.card.used", {"n": cards})
    if agents := sum("agent" in event.facts for event in used):
        yield Said("five.card.agent", {"n": agents}, Mark.DOUBTFUL)
    checked = [event.facts.get("result", "") for event in evidence if event.event_type == "presence" and event.person]
    if mismatched := checked.count("face_mismatch"):
        yield Said("five.card.mismatch", {"n": mismatched}, Mark.STANDS_OUT)


def _diseases(evidence: Sequence[Evidence]) -> Iterator[Said]:
    stays: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for event in evidence:
        if event.event_type in ("adm", "dscg") and (code := event.facts.get("diag", "")):
            stays[event.org, event.facts.get("mdtrt_id", "")][event.event_type] = code
    both = [stay for stay in stays.values() if len(stay) == 2]
    for other in [stay for stay in both if category(stay["adm"]) != category(stay["dscg"])][:MOST_SHOWN]:
        values = {"first": category(other["adm"]), "last": category(other["dscg"])}
        yield Said("five.disease.changed", values, Mark.DOUBTFUL)
    if both and all(category(stay["adm"]) == category(stay["dscg"]) for stay in both):
        yield Said("five.disease.same", {"n": len(both)}, Mark.AGREES)
    codes = {category(code) for stay in stays.values() for code in stay.values()}
    codes |= {category(code) for event in evidence if (code := event.facts.get("dise", ""))}
    if codes and not both:
        yield Said("five.disease.only", {"codes": _some(codes)})
    results = [event.facts.get("result", "") for event in evidence if event.event_type == "presence" and event.person]
    if away := sum(result in FAILED for result in results):
        yield Said("five.disease.away", {"n": away, "of": len(results)}, Mark.DOUBTFUL)
    elif there := results.count("pass"):
        yield Said("five.disease.there", {"n": there}, Mark.AGREES)


def category(code: str) -> str:
    """Of a diagnosis, what a page shows of it: I10.x05 -> I10."""
    return code[:3]


def _scripts(lines: Sequence[Bought]) -> Iterator[Said]:
    told = Counter(line.rx for line in lines if line.rx)
    if told["no"]:
        yield Said("five.drug.without", {"n": told["no"], "of": told.total()}, Mark.DOUBTFUL)
    elif told["yes"]:
        yield Said("five.drug.with", {"n": told["yes"]}, Mark.AGREES)


def _supplies(lines: Sequence[Bought]) -> Iterator[Said]:
    """Each line against 12 weeks, and what one person bought of one product against the time it was bought in."""
    days = [line for line in lines if line.days and line.days > 0 and line.count > 0]
    if not days:
        return
    longest = max(days, key=lambda line: line.days or 0)
    if (longest.days or 0) > LONGEST_SUPPLY:
        long: dict[str, str | int] = {"item": longest.item, "days": round(longest.days or 0), "limit": LONGEST_SUPPLY}
        yield Said("five.quantity.long", long, Mark.DOUBTFUL)
    piles: dict[tuple[str, str], list[Bought]] = defaultdict(list)
    for line in days:
        piles[line.person, line.item].append(line)
    beyond = [
        (round(total), over, item)
        for (_, item), pile in piles.items()
        if len(pile) > 1
        and (total := sum(line.days or 0 for line in pile))
        > (over := _span(pile) // timedelta(days=1) + LONGEST_SUPPLY)
    ]
    for total, over, item in sorted(beyond, reverse=True)[:MOST_SHOWN]:
        yield Said("five.quantity.piled", {"item": item, "days": total, "limit": over}, Mark.DOUBTFUL)
    if not beyond and (longest.days or 0) <= LONGEST_SUPPLY:
        fits: dict[str, str | int] = {"n": len(days), "days": round(longest.days or 0), "limit": LONGEST_SUPPLY}
        yield Said("five.quantity.fits", fits, Mark.AGREES)


def _span(pile: Sequence[Bought]) -> timedelta:
    return max(line.at for line in pile) - min(line.at for line in pile)


def _above(lines: Sequence[Bought], limits: Limits) -> Iterator[Said]:
    """Dearer than a pack may be. Of a line in tablets the price is far below, and says nothing."""
    dearest: dict[str, tuple[float, float]] = {}
    for line in lines:
        limit = holding(limits.get(line.item, ()), line.at)
        if limit is not None and line.price and Decimal(str(line.price)) > limit:
            dearest[line.item] = max(dearest.get(line.item, (0.0, 0.0)), (line.price, float(limit)))
    worst = sorted(dearest.items(), key=lambda one: (-one[1][0] / one[1][1], one[0]))
    for item, (price, allowed) in worst[:MOST_SHOWN]:
        told = {"item": item, "price": f"{price:,.2f}", "limit": f"{allowed:,.2f}"}
        yield Said("five.price.above", told, Mark.STANDS_OUT)


def _prices(lines: Sequence[Bought]) -> Iterator[Said]:
    priced = [line for line in lines if line.price]
    off = [line for line in priced if line.amount and abs(line.amount - line.count * (line.price or 0) * 100) > CENT]
    if off:
        yield Said("five.price.sum", {"n": len(off), "of": len(priced)}, Mark.DOUBTFUL)
    packs: dict[str, list[float]] = defaultdict(list)
    for line in priced:
        packs[line.item].append(line.price or 0)
    compared = {item: prices for item, prices in packs.items() if len(prices) > 1}
    apart = sorted((max(p) / min(p), item) for item, p in compared.items() if max(p) >= PRICES_APART * min(p))
    for _, item in apart[::-1][:MOST_SHOWN]:
        low, high = min(compared[item]), max(compared[item])
        yield Said("five.price.apart", {"item": item, "low": f"{low:,.2f}", "high": f"{high:,.2f}"}, Mark.DOUBTFUL)
    if compared and not apart and not off:
        yield Said("five.price.same", {"n": len(compared)}, Mark.AGREES)


def _some(codes: Collection[str]) -> str:
    named = sorted(codes)
    return " ".join(named[:MOST_SHOWN]) + (" …" if len(named) > MOST_SHOWN else "")
