"""A patient is in hospital, and nothing is done for him but bed and board (住院无实质诊疗)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar

from detectors.detector import Finding, Gate
from detectors.event import (
    CHINA,
    LATE_UPLOAD,
    NEVER,
    Admission,
    AdmissionChange,
    Discharge,
    Fee,
    ItemRecord,
    Kind,
    Leave,
    Line,
    Order,
    Presence,
    Settlement,
    day_of,
)
from detectors.exclusions import applied, not_applicable
from detectors.feeds import FEED_OF_STAYS, FeedLog, Silence, log_of_feed, muted, overlaps
from detectors.finding import Check, Exclusion, Figure, Law, Level, Subject
from detectors.hospital.ghost_bed_absence import CHECKS_OF_WARD, GhostBedAbsence, Sign, capital
from detectors.ledger import VISIT, Ledger
from detectors.settlement_kinds import DAY_SURGERY, MedTypes, is_one_of
from detectors.stays import Admissions, StayInHospital, charged, in_scope, stay_of
from detectors.unit import DAY, HOUR, Cell, Link, Unit, Whole, day_start
from detectors.wording import day_en, day_zh, hours, yuan, yuan_en

GRACE = 72 * HOUR  # charges and orders may be uploaded so much later (readings 1)
BED_AND_BOARD = frozenset({"bed", "nursing", "diet", "registration"})  # kinds of ref.item; domain.md C2
REMEMBERED = 38 * DAY  # of feeds: older silences are forgotten (FEED is kept 45 days, and what is late comes within 7)
# paid by the day, palliative care. Source: domain.md C2
CARED_FOR_BY_THE_DAY: MedTypes = ("2105", "2114")


@dataclass(frozen=True, slots=True)
class Services:
    """What was done for the patient, by its lines. first: NEVER if nothing; days: with a service; told: any line."""

    first: datetime
    days: frozenset[date]
    told: frozenset[date]

    def are_told(self, day: date, fees: "Uploads") -> bool:
        """Is what is missing on this day known to be missing? Where any line is told of it, that line tells."""
        return day in self.told or fees.tell_of(start_of(day), start_of(day + DAY))


@dataclass(slots=True)
class Uploads:
    """Whether what is missing was not done, or not uploaded. ``silent``: the silences that kept something out."""

    unit: Unit
    feed: str
    silent: set[Silence] = field(default_factory=set)
    _log: FeedLog | None = None

    def tell_of(self, since: datetime, to: datetime) -> bool:
        """Was the feed there, then and again afterwards? While it is not, it is asked again day by day."""
        if to < self.unit.now - REMEMBERED:
            return True
        if self._log is None:
            self._log = log_of_feed(self.unit, FEED_OF_STAYS, self.feed)
        if self._log is None or not self._log.covers(to):
            self.unit.wake(self.unit.now + DAY)
            return False
        found = overlaps(self._log.silences, since, to)
        self.silent.update(found)
        return not found


@dataclass(frozen=True, slots=True, kw_only=True)
class GhostBedNoService:
    """Fire where nothing but bed and board was charged for 48 hours, or three days running; or nothing was ordered.

    Why:         the stay exists in the books; the patient is at home, or came for the bed only.
    Blind spots: a token drip a day; charges invented together with the stay; a hospital that tells no charges or no
                 orders at all: what is not uploaded is not missed (F1).
    False alarm: a wait for an operation is let pass where it follows within three days; observation that ends in
                 nothing is not. Items without a reference record count as a service.
    Source:      docs/domain.md C2; readings.md 1 and 6. Red where ghost_bed_absence, with its own thresholds as
                 published, speaks of the same stay.
    """

    id: ClassVar[str] = "ghost_bed_no_service"
    of: ClassVar[Ledger] = VISIT
    reads: ClassVar[frozenset[Kind]] = frozenset(
        {Admission, AdmissionChange, Discharge, Presence, Leave, Order, Fee, Settlement}
    )
    cell: ClassVar[Cell] = Whole()
    links: ClassVar[tuple[Link[Any], ...]] = (FEED_OF_STAYS, CHECKS_OF_WARD)
    law: ClassVar[Law] = Law("11", "第三十八条第一项")
    gate: ClassVar[Gate] = Admissions(rows=1, within=timedelta.max, at_day_end=True)

    idle: timedelta = 48 * HOUR  # from admission without a service; domain.md C2
    idle_days: int = 3  # in a row, wholly inside the stay; domain.md C2, readings 6
    unordered: timedelta = DAY  # from admission without an order; readings 6
    operated_within: timedelta = 3 * DAY  # after a wait that is no fault; ours
    exempt: MedTypes = (*CARED_FOR_BY_THE_DAY, *DAY_SURGERY)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        stay = stay_of(unit)
        if stay is None or is_one_of(stay.admission.med_type, self.exempt) or self.all_in_order(unit, stay):
            return
        services = services_of(unit, stay)
        fees, orders = (Uploads(unit, f"{stay.admission.org}/{interface}") for interface in ("fee", "order"))
        signs = [
            *self.idle_start(unit, stay, services, fees),
            *self.idle_runs(unit, stay, services, fees),
            *self.no_order(unit, stay, orders),
        ]
        if signs:
            yield self.finding(unit, stay, signs, (fees, orders))

    def all_in_order(self, unit: Unit, stay: StayInHospital) -> bool:
        """Something was ordered at once, and done every other day: most stays, and quickly told."""
        if not any(order.happened_at <= stay.begin + self.unordered for order in unit.rows(Order)):
            return False
        since, longest = stay.begin, self.idle
        for moment in sorted(a_service_of_each(unit)):
            if moment - since > longest:
                return False
            if moment >= since:
                since, longest = moment, self.idle_days * DAY
        if stay.end - since < longest:
            return True
        unit.wake(since + longest + GRACE)
        return unit.now < since + longest + GRACE

    def idle_start(self, unit: Unit, stay: StayInHospital, services: Services, fees: Uploads) -> Iterator[Sign]:
        """Nothing but bed and board in the first 48 hours."""
        due = stay.begin + self.idle
        if services.first <= due or stay.end < due:
            return
        if unit.now < due + GRACE:
            unit.wake(due + GRACE)
            return
        days = days_between(day_of(stay.begin), day_of(due))
        if all(services.are_told(day, fees) for day in days) and not self.operated(unit, stay, due):
            served = min(services.first, stay.end)
            over = self.idle if served == NEVER else served - stay.begin
            yield Sign(
                f"入院后{hours(over):g}小时没有检查、检验、用药、治疗或手术收费",
                f"no examination, test, drug, treatment or operation was charged for {hours(over):g} h after admission",
                Figure("hours_without_service", hours(over), hours(self.idle), "h"),
                [stay.admission],
            )

    def idle_runs(self, unit: Unit, stay: StayInHospital, services: Services, fees: Uploads) -> Iterator[Sign]:
        """Whole days in a row with nothing but bed and board; a day on leave is none of them."""
        n = self.idle_days
        first = day_of(stay.begin) if stay.begin == day_start(stay.begin) else day_of(stay.begin) + DAY
        last = day_of(min(stay.end, unit.now - GRACE)) - DAY
        leaves = unit.rows(Leave)
        idle = [
            day
            for day in days_between(first, last)
            if day not in services.days
            and not any(leave.since < start_of(day + DAY) and start_of(day) < leave.to for leave in leaves)
        ]
        suspected = [day for run in runs_of(idle) if len(run) >= n for day in run]
        runs = runs_of([day for day in suspected if services.are_told(day, fees)])
        if found := [r for r in runs if len(r) >= n and not self.operated(unit, stay, start_of(r[-1] + DAY))]:
            yield self.idle_run(stay, max(found, key=len))
        after = max(last + DAY, first + (n - 1) * DAY)
        while not services.days.isdisjoint(days_between(after - (n - 1) * DAY, after)):
            after += DAY
        if start_of(after + DAY) <= stay.end:
            unit.wake(start_of(after + DAY) + GRACE)

    def idle_run(self, stay: StayInHospital, run: Sequence[date]) -> Sign:
        since, to, n = start_of(run[0]), start_of(run[-1]), len(run)
        return Sign(
            f"{day_zh(since)}至{day_zh(to)}连续{n}天除床位、护理、膳食外没有收费",
            f"nothing but bed, nursing and diet was charged for {n} days, {day_en(since)} to {day_en(to)}",
            Figure("days_without_service", n, self.idle_days, "days"),
            [stay.admission],
        )

    def no_order(self, unit: Unit, stay: StayInHospital, orders: Uploads) -> Iterator[Sign]:
        due = stay.begin + self.unordered
        first = min((min(order.happened_at, order.since or NEVER) for order in unit.rows(Order)), default=NEVER)
        if first <= due or stay.end < due:
            return
        if unit.now < due + GRACE:
            unit.wake(due + GRACE)
        elif orders.tell_of(stay.begin, due):
            ordered = min(first, stay.end)
            over = self.unordered if ordered == NEVER else ordered - stay.begin
            yield Sign(
                f"入院后{hours(over):g}小时没有医嘱",
                f"nothing was ordered for {hours(over):g} h after admission",
                Figure("hours_without_order", hours(over), hours(self.unordered), "h"),
                [stay.admission],
            )

    def operated(self, unit: Unit, stay: StayInHospital, waited: datetime) -> bool:
        """Was it the wait for an operation?"""
        return any(
            waited - DAY < at <= waited + self.operated_within and kind_of(unit, line, event.happened_at) == "operation"
            for at, event, line in lines_of(unit, stay)
        )

    def finding(self, unit: Unit, stay: StayInHospital, signs: Sequence[Sign], uploads: Sequence[Uploads]) -> Finding:
        absent = next(GhostBedAbsence().judge(unit), None)
        lines = charged(unit)
        cost = sum(line.amount for line in lines)
        zh = [*(sign.zh for sign in signs), *(["在床核验也有异常"] if absent else [])]
        en = [*(sign.en for sign in signs), *(["checks at the bed failed too"] if absent else [])]
        return Finding(
            level=Level.RED if absent else Level.ORANGE,
            subject=Subject("stay", stay.admission.visit),
            period=stay.period,
            zh="；".join([*zh, *([f"住院费用照计{yuan(cost)}"] if cost else [])]) + "。",
            en=capital("; ".join([*en, *([f"{yuan_en(cost)} yuan charged"] if cost else [])])),
            shows=[stay.admission],
            also=[*unit.rows(Discharge), *unit.rows(Fee), *unit.rows(Order), *unit.rows(Settlement)],
            figures=[sign.figure for sign in signs],
            exclusions=(uploaded_late(unit, stay), *silent_feeds(signs, uploads)),
            checks=checks_on_site(stay),
            orgs=(stay.admission.org,),
            at_risk=in_scope(lines),
            fund=sum({bill.bill: bill.fund for bill in unit.rows(Settlement)}.values()),
            hits=len(signs),
        )


def a_service_of_each(unit: Unit) -> Iterator[datetime]:
    """Of each upload and bill that has a service, when one of them was: the last, beds come first."""
    told_by: list[Fee | Settlement] = [*unit.rows(Fee), *unit.rows(Settlement)]
    for event in told_by:
        for line in reversed(event.lines):
            if kind_of(unit, line, event.happened_at) not in BED_AND_BOARD:
                yield line.occurred_at or event.happened_at
                break


def services_of(unit: Unit, stay: StayInHospital) -> Services:
    """By the lines' own times (X15)."""
    first = NEVER
    days: set[date] = set()
    told: set[date] = set()
    for at, event, line in lines_of(unit, stay):
        day = day_of(at)
        told.add(day)
        if (at < first or day not in days) and kind_of(unit, line, event.happened_at) not in BED_AND_BOARD:
            first = min(first, at)
            days.add(day)
    return Services(first, frozenset(days), frozenset(told))


def lines_of(unit: Unit, stay: StayInHospital) -> Iterator[tuple[datetime, Fee | Settlement, Line]]:
    """When each arose, and who told it. What arose more than a day before the admission is not of the stay."""
    told_by: list[Fee | Settlement] = [*unit.rows(Fee), *unit.rows(Settlement)]
    earliest = stay.begin - DAY
    for event in told_by:
        for line in event.lines:
            at = line.occurred_at or event.happened_at
            if at >= earliest:
                yield at, event, line


def kind_of(unit: Unit, line: Line, at: datetime) -> str:
    """As ref.item has it; "" where it is not known, which counts as a service. A refund is none."""
    if line.amount < 0 or line.count < 0:
        return "bed"
    record = unit.fact(ItemRecord, line.item, at)
    return (record.kind or "") if record else ""


def start_of(day: date) -> datetime:
    return datetime.combine(day, time(), CHINA)


def days_between(first: date, last: date) -> list[date]:
    """Both included."""
    return [first + n * DAY for n in range((last - first).days + 1)]


def runs_of(days: Sequence[date]) -> list[list[date]]:
    """Days that follow each other, together. ``days``: in order."""
    runs: list[list[date]] = []
    for day in days:
        if runs and day - runs[-1][-1] == DAY:
            runs[-1].append(day)
        else:
            runs.append([day])
    return runs


def uploaded_late(unit: Unit, stay: StayInHospital) -> Exclusion:
    """X15: it counts when a line arose, not when it was uploaded."""
    if late := sum(event.happened_at - at > LATE_UPLOAD for at, event, _ in lines_of(unit, stay)):
        return applied("X15", f"{late}条费用为事后上传，按发生时间计", f"{late} late lines count when they arose")
    return not_applicable("X15", "费用都在发生时上传", "all lines were uploaded when they arose")


def silent_feeds(signs: Sequence[Sign], uploads: Sequence[Uploads]) -> Iterator[Exclusion]:
    """F1: of the feeds that a sign rests on, and of what their silence kept out."""
    asked = {"order" if sign.figure.name == "hours_without_order" else "fee" for sign in signs}
    for of in uploads:
        interface = of.feed.partition("/")[2]
        if of.silent or interface in asked:
            yield muted(sorted(of.silent), interface)


def checks_on_site(stay: StayInHospital) -> tuple[Check, ...]:
    end = None if stay.end == NEVER else stay.end
    return (
        Check(
            "核对病程、护理记录、体温单和医嘱执行单，看当日有无实际诊疗",
            "read the course, nursing notes, temperature chart and executed orders: was anything done",
            stay.begin,
            end,
        ),
        Check(
            "调取病区走廊录像，核对患者是否在院",
            "watch the recordings of the ward's corridor: was the patient there",
            stay.begin,
            end,
        ),
        Check("到病房看望在院患者；已出院的电话回访", "visit the patient on the ward; call who has been discharged"),
    )
