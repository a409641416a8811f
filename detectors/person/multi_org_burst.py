"""One person's credential settled at many institutions within a short time (短时多机构连续刷卡)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from detectors.detector import Finding, Gate
from detectors.event import Fee, Fen, ItemRecord, Kind, OrgRecord, Settlement, day_of
from detectors.exclusions import (
    applied,
    by_agent,
    data_missing,
    is_internet,
    late_upload,
    no_visit_needed,
    not_applicable,
    taken_back,
)
from detectors.file import File
from detectors.finding import Check, Exclusion, Figure, Law, Level, Subject
from detectors.ledger import PERSON, VISIT, Ledger
from detectors.unit import DAY, HOUR, MINUTE, Cell, Day, Link, Touched, Unit, stay_key
from detectors.wording import how_long, how_long_en, yuan, yuan_en

CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
SHOWN = 5  # institutions whose recordings are asked for
FIVE_HUNDRED_YUAN = Fen(50_000)
# Treatments in courses, by diagnosis: dialysis, radiotherapy and chemotherapy, rehabilitation, dressings (X07). ICD-10.
SERIES_DISEASES = ("Z49", "Z50", "Z51.0", "Z51.1", "Z48")


def bills_of_visit(fee: Fee, visit: File, now: datetime) -> Iterator[Touched]:
    """Lines that are uploaded apart from their bill tell what it was for: on its day, and on the next one."""
    for bill in visit.kinds.get(Settlement, ()):
        for moment in (bill.happened_at, bill.happened_at + DAY):
            yield Touched(bill.person, day_of(moment).isoformat())


LINES_OF_VISIT = Link(ledger=VISIT, reads=frozenset({Fee}), units=bills_of_visit)


class Stop(NamedTuple):
    """A bill, and where it was settled: an institution, or the campus that it belongs to."""

    bill: Settlement
    place: str


class Window(NamedTuple):
    """The stops of (t - over, t], where t is the last one's time. paid: fen, all of them together."""

    stops: tuple[Stop, ...]
    paid: int

    @property
    def places(self) -> int:
        return len({stop.place for stop in self.stops})

    @property
    def bills(self) -> list[Settlement]:
        return [stop.bill for stop in self.stops]

    @property
    def span(self) -> timedelta:
        return self.stops[-1].bill.happened_at - self.stops[0].bill.happened_at

    @property
    def shortest(self) -> timedelta:
        """Between two places, one after the other."""
        gaps = (b.bill.happened_at - a.bill.happened_at for a, b in pairwise(self.stops) if a.place != b.place)
        return min(gaps, default=timedelta(0))


class Tour(NamedTuple):
    """What a bill completes: its last hour and day, the pharmacies of that day, and which of them are too many."""

    hour: Window
    day: Window
    pharmacies: Window
    bursts: tuple[Window, ...]

    @property
    def main(self) -> Window:
        return self.bursts[0]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Bills that say nothing of somebody going from place to place, by the reason."""

    agent: list[Settlement] = field(default_factory=list)  # X02
    series: list[Settlement] = field(default_factory=list)  # X07
    late: list[Settlement] = field(default_factory=list)  # X16
    internet: list[Settlement] = field(default_factory=list)  # X21
    refunds: list[Settlement] = field(default_factory=list)  # lower the sums only
    unknown: list[str] = field(default_factory=list)  # institutions of no record


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiOrgBurst:
    """Fire on 3 institutions within an hour, on 5 within 24 hours, or on 3 pharmacies and 500 yuan within 24 hours.

    Why:         a collected or lent credential is carried from till to till.
    Blind spots: one institution that does all of it; two credentials in turn; an agent who shows papers every time.
    False alarm: a day of referrals between houses that share no registered campus; a town where three small pharmacies
                 each lack what the doctor wrote.
    Source:      docs/domain.md A5; the limits are proposals, to be calibrated by replay.
    """

    id: ClassVar[str] = "multi_org_burst"
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement})
    cell: ClassVar[Cell] = Day(before=DAY)
    links: ClassVar[tuple[Link[Any], ...]] = (LINES_OF_VISIT,)
    law: ClassVar[Law] = Law("27", "第十七条")

    per_hour: int = 3  # institutions, one campus counted once
    per_day: int = 5  # the same, within 24 hours
    pharmacies: int = 3  # the same, pharmacies only, within 24 hours
    pharmacies_paid: Fen = FIVE_HUNDRED_YUAN  # all that was paid there in these 24 hours
    series_diseases: tuple[str, ...] = SERIES_DISEASES

    @property
    def gate(self) -> Gate:
        return Gate(rows=min(self.per_hour, self.per_day, self.pharmacies), within=DAY, by=_org)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        rows = unit.rows(Settlement)
        if len(set(map(_org, rows))) < min(self.per_hour, self.per_day, self.pharmacies):
            return
        left_out = LeftOut()
        stops = [stop for bill in rows if (stop := self.stop(unit, bill, left_out))]
        ends = (stop for stop in stops if stop.bill.happened_at >= unit.span.start)
        tours = [tour for end in ends if (tour := self.tour(stops, end, left_out)).bursts]
        if tours:
            yield self.finding(unit, tours, left_out)

    def stop(self, unit: Unit, bill: Settlement, left_out: LeftOut) -> Stop | None:
        """None if nobody need have been there, noted by the reason."""
        org = unit.fact(OrgRecord, bill.org, bill.happened_at)
        reasons = (
            (bill.total < 0, left_out.refunds),
            (bill.late, left_out.late),
            (by_agent(bill), left_out.agent),
            (is_internet(org), left_out.internet),
            (self.is_series(unit, bill), left_out.series),
        )
        for holds, those in reasons:
            if holds:
                those.append(bill)
                return None
        if org is None and bill.org not in left_out.unknown:
            left_out.unknown.append(bill.org)
        return Stop(bill, org.campus if org and org.campus else bill.org)

    def is_series(self, unit: Unit, bill: Settlement) -> bool:
        """X07: a treatment in a course, by one of its items, or by the disease that it is registered for."""
        fees = [] if is_pharmacy(bill) else unit.look(LINES_OF_VISIT, Fee, stay_key(bill))
        lines = (*bill.lines, *(line for fee in fees for line in fee.lines))
        items = {line.item for line in lines}
        records = [unit.fact(ItemRecord, item, bill.happened_at) for item in sorted(items)]
        return bill.disease.upper().startswith(self.series_diseases) or any(item and item.series for item in records)

    def tour(self, stops: Sequence[Stop], end: Stop, left_out: LeftOut) -> Tour:
        until = end.bill.happened_at
        hour, day = window(stops, until, HOUR), window(stops, until, DAY)
        refunds = sum(bill.total for bill in left_out.refunds if is_pharmacy(bill) and within(bill, until, DAY))
        pharmacies = window([stop for stop in stops if is_pharmacy(stop.bill)], until, DAY, refunds)
        much = pharmacies.places >= self.pharmacies and pharmacies.paid >= self.pharmacies_paid
        too_many = ((hour, hour.places >= self.per_hour), (day, day.places >= self.per_day), (pharmacies, much))
        return Tour(hour, day, pharmacies, tuple(burst for burst, holds in too_many if holds))

    def finding(self, unit: Unit, tours: Sequence[Tour], left_out: LeftOut) -> Finding:
        main = max(tours, key=lambda tour: (len(tour.bursts), tour.main.places, tour.main.paid))
        shown = {bill.bill: bill for tour in tours for burst in tour.bursts for bill in burst.bills}.values()
        bills = sorted(shown, key=lambda bill: bill.happened_at)
        zh, en = sentences(main)
        return Finding(
            level=Level.ORANGE,
            subject=Subject("person", unit.key),
            zh=zh,
            en=en,
            shows=bills,
            figures=(
                Figure("institutions_1h", main.hour.places, self.per_hour, "institutions"),
                Figure("institutions_24h", main.day.places, self.per_day, "institutions"),
                Figure("pharmacies_24h", main.pharmacies.places, self.pharmacies, "institutions"),
                Figure("paid_at_pharmacies", main.pharmacies.paid / 100, self.pharmacies_paid / 100, "yuan"),
                Figure("shortest_gap", round(main.main.shortest / MINUTE, 1), None, "min"),
            ),
            exclusions=tested(unit, bills, left_out),
            checks=checks(bills),
        )


def _org(bill: Settlement) -> str:
    return bill.org


def is_pharmacy(bill: Settlement) -> bool:
    return bill.org.startswith("P")  # SPEC 3: P… pharmacy, H… hospital or clinic


def within(bill: Settlement, until: datetime, over: timedelta) -> bool:
    #      08:00   10:00   12:00   15:00          08:00
    #  A ────●───────●B──────●C──────●D─────────────●E    24 h before E are (08:00, 08:00]: A has just left
    return until - over < bill.happened_at <= until


def window(stops: Sequence[Stop], until: datetime, over: timedelta, refunds: int = 0) -> Window:
    """``refunds``: fen, negative."""
    recent = tuple(stop for stop in stops if within(stop.bill, until, over))
    return Window(recent, sum(stop.bill.total for stop in recent) + refunds)


def tested(unit: Unit, bills: Sequence[Settlement], left_out: LeftOut) -> tuple[Exclusion, ...]:
    """By what lies between the first and the last bill shown, or is shown."""
    first, last = bills[0].happened_at, bills[-1].happened_at

    def near(those: Sequence[Settlement]) -> list[Settlement]:
        return [bill for bill in those if first <= bill.happened_at <= last]

    shown = {bill.org for bill in bills}
    unknown = [org for org in left_out.unknown if org in shown]
    return (
        taken_back(),
        agents(near(left_out.agent)),
        series(near(left_out.series)),
        late_upload(bills, near(left_out.late)),
        campus(unit, bills, unknown),
        no_visit_needed(near(left_out.internet), unknown),
    )


def agents(left_out: Sequence[Settlement]) -> Exclusion:
    if n := len(left_out):
        return applied("X02", f"{n}笔由代办人出示证件，没有计入", f"{n} bills of an agent with papers were left out")
    return not_applicable("X02", "所列结算都没有代办人", "no agent is named on any bill shown")


def series(left_out: Sequence[Settlement]) -> Exclusion:
    if n := len(left_out):
        return applied(
            "X07",
            f"{n}笔属透析、放化疗、康复、换药等疗程，没有计入",
            f"{n} bills of a treatment in courses were left out",
        )
    return not_applicable(
        "X07", "所列结算都不属于透析、放化疗、康复、换药等疗程", "no bill shown is of a treatment in courses"
    )


def campus(unit: Unit, bills: Sequence[Settlement], unknown: Sequence[str]) -> Exclusion:
    """X18: a hospital and its own pharmacy outside are one place."""
    records = [unit.fact(OrgRecord, bill.org, bill.happened_at) for bill in bills]
    groups: dict[str, set[str]] = {}
    for record in records:
        if record and record.campus:
            groups.setdefault(record.campus, set()).add(record.org)
    if names := [group for group, members in groups.items() if len(members) > 1]:
        return applied(
            "X18",
            f"同一院区（{'、'.join(names)}）的机构合并为一家",
            f"institutions of one campus ({', '.join(names)}) were counted once",
        )
    if unknown:
        return data_missing(
            "X18",
            f"{'、'.join(unknown)}没有机构档案，不知是否同一院区",
            f"the campus of {', '.join(unknown)} is unknown",
        )
    return not_applicable("X18", "所列机构不属于同一院区", "the institutions shown belong to no common campus")


def sentences(tour: Tour) -> tuple[str, str]:
    burst = tour.main
    pharmacies = burst is tour.pharmacies
    where, where_en = ("药店", "pharmacies") if pharmacies else ("医药机构", "institutions")
    span, gap, n = burst.span, burst.shortest, len(burst.stops)
    return (
        f"{how_long(span)}内在{burst.places}家{where}结算{n}笔，共{yuan(burst.paid)}，"
        f"相邻两家最短相隔{how_long(gap)}。",
        f"{n} bills at {burst.places} {where_en} within {how_long_en(span)}, {yuan_en(burst.paid)} yuan in all, "
        f"at least {how_long_en(gap)} between two of them.",
    )


def checks(bills: Sequence[Settlement]) -> tuple[Check, ...]:
    firsts = list({bill.org: bill for bill in reversed(bills)}.values())[::-1]
    return (
        *(
            Check(
                f"调取{bill.org}收银处监控，核对持凭证人是否同一人、是否参保人本人",
                f"camera at the till of {bill.org}: who held the credential, and was it the same person everywhere?",
                bill.happened_at - CAMERA,
                bill.happened_at + CAMERA,
            )
            for bill in firsts[:SHOWN]
        ),
        Check(
            "核对各笔所购药品和项目是否重复、有无处方和病情依据",
            "compare what was bought: is it the same again, and is there a prescription and an illness for it",
            bills[0].happened_at,
            bills[-1].happened_at,
        ),
        Check("电话或入户询问参保人凭证由谁保管和使用", "ask the insured person who keeps and uses the credential"),
    )
