"""Out-patient bills and purchases in the name of somebody who lies in hospital (住院期间门诊/购药结算)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from detectors.detector import ALWAYS, Finding, Gate
from detectors.event import NEVER, Admission, Discharge, Fee, Kind, Line, OrgRecord, Presence, Settlement, day_of
from detectors.exclusions import (
    applied,
    by_agent,
    confirmed_exception,
    data_missing,
    is_internet,
    late_upload,
    no_visit_needed,
    not_applicable,
    taken_back,
)
from detectors.finding import Check, Exclusion, Figure, Law, Level, Subject
from detectors.geography import kilometres, position_of
from detectors.ledger import PERSON, Ledger
from detectors.settlement_kinds import DAY_SURGERY, OUT_PATIENT, MedTypes, is_one_of
from detectors.unit import HOUR, MINUTE, SECOND, Cell, Link, Stay, Unit, stay_key
from detectors.wording import clock, day_en, day_zh, yuan, yuan_en


@dataclass(frozen=True, slots=True)
class Claims:
    """Out-patient bills inside the stay: those that count, and those that an honest reason explains."""

    counted: list[Settlement] = field(default_factory=list)
    examined: list[Settlement] = field(default_factory=list)  # X09
    late: list[Settlement] = field(default_factory=list)  # X16
    confirmed: list[str] = field(default_factory=list)  # X20: ids of the exceptions
    internet: list[Settlement] = field(default_factory=list)  # X21
    unknown: list[str] = field(default_factory=list)  # institutions of no record

    @property
    def own(self) -> list[Settlement]:
        """Without an agent: these alone raise the level."""
        return [bill for bill in self.counted if not by_agent(bill)]


@dataclass(frozen=True, slots=True, kw_only=True)
class InpatientConcurrentClaim:
    """Fire on a bill of another visit that was settled inside a stay, more than ``margin`` from its ends.

    Why:         who lies in hospital does not shop: the credential is lent, or the bed is empty.
    Blind spots: the first and last hours of a stay; bills of a kind that ``out_patient`` does not name.
    False alarm: relatives who fetch the usual drugs without showing their own papers; a discharge told days late.
    Source:      domain.md A1, readings 6, SPEC 3.1 (X02 lowers to yellow).
    """

    id: ClassVar[str] = "inpatient_concurrent_claim"
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Admission, Discharge, Settlement, Fee, Presence})
    cell: ClassVar[Cell] = Stay()
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("28", "第十七条")

    margin: timedelta = 4 * HOUR
    out_patient: MedTypes = OUT_PATIENT
    day_surgery: MedTypes = DAY_SURGERY  # stays that X09 lets be
    many: int = 2  # bills in the stay: orange
    far: float = 20  # km to another institution: orange

    @property
    def gate(self) -> Gate:
        """Without a stay there is no unit to judge: nothing is cheaper."""
        return ALWAYS

    def judge(self, unit: Unit) -> Iterator[Finding]:
        bills = [bill for bill in unit.own(Settlement) if self.is_claim(unit, bill)]
        if not bills:
            return
        stay = next((stay for stay in unit.rows(Admission) if stay_key(stay) == unit.cell), None)
        if stay is None or is_one_of(stay.med_type, self.day_surgery):
            return
        claims = self.claims(unit, stay, bills)
        if claims.counted:
            yield self.finding(unit, stay, claims)

    def is_claim(self, unit: Unit, bill: Settlement) -> bool:
        return (
            is_one_of(bill.med_type, self.out_patient)
            and bill.total >= 0
            and stay_key(bill) != unit.cell
            and self.inside(unit, bill.happened_at)
        )

    def inside(self, unit: Unit, moment: datetime) -> bool:
        """Further than the margin from admission and discharge; an open stay has no end."""
        end = unit.span.end
        return unit.span.start + self.margin < moment and (end >= NEVER or moment < end - SECOND - self.margin)

    def claims(self, unit: Unit, stay: Admission, bills: Sequence[Settlement]) -> Claims:
        claims = Claims()
        for bill in bills:
            org = unit.fact(OrgRecord, bill.org, bill.happened_at)
            if self.is_examined_outside(unit, bill):
                claims.examined.append(bill)
            elif bill.late:
                claims.late.append(bill)
            elif is_internet(org):
                claims.internet.append(bill)
            elif confirmed := self.confirmed(unit, stay, bill):
                claims.confirmed.append(confirmed)
            else:
                claims.counted.append(bill)
                if org is None and bill.org not in claims.unknown:
                    claims.unknown.append(bill.org)
        return claims

    def confirmed(self, unit: Unit, stay: Admission, bill: Settlement) -> str:
        """X20: such as a drug that the hospital has run out of."""
        orgs, items = (bill.org, stay.org), tuple(dict.fromkeys(line.item for line in bill.lines))
        return confirmed_exception(unit, "X20", bill.happened_at, unit.key, orgs, items)

    def is_examined_outside(self, unit: Unit, bill: Settlement) -> bool:
        """X09: an examination elsewhere, an emergency, or care that lies outside the stay though billed inside it."""
        lines = [*bill.lines, *(line for fee in unit.rows(Fee) if _same_visit(fee, bill) for line in fee.lines)]
        if any(line.examined_outside or line.emergency for line in lines):
            return True
        return bool(lines) and not any(self.inside(unit, _time(line, bill)) for line in lines)

    def finding(self, unit: Unit, stay: Admission, claims: Claims) -> Finding:
        bills = claims.counted
        km = max((d for bill in claims.own if (d := _distance(unit, stay, bill)) is not None), default=None)
        faces = [bill for bill in claims.own if bill.verify_mode == "face" and bill.org != stay.org]
        day = (day_of(bills[0].happened_at) - day_of(stay.happened_at)).days + 1
        seen = _seen_in_bed(unit, bills)
        paid = sum(bill.fund for bill in bills)
        return Finding(
            level=self.level(claims, km, faces),
            subject=Subject("person", unit.key),
            zh=_zh(claims, day, km, faces, seen, paid),
            en=_en(claims, day, km, faces, seen, paid),
            shows=bills,
            figures=(
                Figure("bills_in_stay", len(bills), 1, "bills"),
                Figure("bills_without_agent", len(claims.own), self.many, "bills"),
                *([Figure("distance", round(km, 1), self.far, "km")] if km is not None else []),
                Figure("face_verified", len(faces), 1, "bills"),
                Figure("day_of_stay", day, None, "days"),
            ),
            exclusions=_tested(unit, claims),
            checks=_checks(stay, bills),
            orgs=(*(bill.org for bill in bills), stay.org),
            hits=len(bills),
            also=[stay, *(d for d in unit.rows(Discharge) if stay_key(d) == unit.cell), *([seen] if seen else [])],
        )

    def level(self, claims: Claims, km: float | None, faces: Sequence[Settlement]) -> Level:
        if faces:
            return Level.RED
        if len(claims.own) >= self.many or (km is not None and km >= self.far):
            return Level.ORANGE
        return Level.YELLOW


def _same_visit(fee: Fee, bill: Settlement) -> bool:
    return fee.visit == bill.visit and fee.org == bill.org


def _time(line: Line, bill: Settlement) -> datetime:
    return line.occurred_at or bill.happened_at


def _distance(unit: Unit, stay: Admission, bill: Settlement) -> float | None:
    """Kilometres from the bed to another institution; None if it is the same, or a place is not known."""
    at = bill.happened_at
    bed = position_of(unit.fact(OrgRecord, stay.org, at))
    there = position_of(unit.fact(OrgRecord, bill.org, at))
    return kilometres(bed, there) if bill.org != stay.org and bed and there else None


def _seen_in_bed(unit: Unit, bills: Sequence[Settlement]) -> Presence | None:
    """A passed check of this stay on the day of a bill, the nearest to it."""
    passed = [check for check in unit.own(Presence) if check.result == "pass" and stay_key(check) == unit.cell]
    near = (
        (abs(check.happened_at - bill.happened_at), check.happened_at, check.event_id, check)
        for bill in bills
        for check in passed
        if day_of(check.happened_at) == day_of(bill.happened_at)
    )
    return min(near, default=(None, None, None, None))[3]


def _day(bills: Sequence[Settlement], seen: Presence, same: str, name: Callable[[datetime], str]) -> str:
    """Which day it was; no need to name it where all bills are of one."""
    return same if len({day_of(bill.happened_at) for bill in bills}) == 1 else name(seen.happened_at)


def _zh(
    claims: Claims, day: int, km: float | None, faces: Sequence[Settlement], seen: Presence | None, paid: int
) -> str:
    bills = claims.counted
    where = f"在{km:.0f}公里外的" if km is not None else "在"
    what = "药店购药" if all(bill.org.startswith("P") for bill in bills) else "医药机构结算"
    agents = len(bills) - len(claims.own)
    more = [
        f"；其中{len(faces)}次刷脸核验" if faces else "",
        f"；{agents}次由代办人出示证件" if agents else "",
        f"；{_day(bills, seen, '当天', day_zh)}{clock(seen.happened_at)}病房在床核验通过" if seen else "",
    ]
    return f"住院第{day}天，{where}{what}{len(bills)}次，统筹基金支付{yuan(paid)}{''.join(more)}。"


def _en(
    claims: Claims, day: int, km: float | None, faces: Sequence[Settlement], seen: Presence | None, paid: int
) -> str:
    bills = claims.counted
    where = f" {km:.0f} km away" if km is not None else ""
    at_pharmacies = all(bill.org.startswith("P") for bill in bills)
    what = ("purchase" if at_pharmacies else "out-patient bill") + ("s" if len(bills) > 1 else "")
    shop = " at a pharmacy" if at_pharmacies else ""
    agents = len(bills) - len(claims.own)
    more = [
        f"; {len(faces)} of them verified by face" if faces else "",
        f"; {agents} by an agent who showed papers" if agents else "",
        f"; the check at the bed passed at {clock(seen.happened_at)} {_day(bills, seen, 'that day', day_en)}"
        if seen
        else "",
    ]
    return f"Day {day} of a stay: {len(bills)} {what}{shop}{where}, {yuan_en(paid)} yuan of the fund{''.join(more)}."


def _tested(unit: Unit, claims: Claims) -> tuple[Exclusion, ...]:
    return (
        taken_back(),
        _agents(claims),
        _examined(claims),
        _open_stay(unit),
        late_upload(claims.counted, claims.late),
        _confirmed(claims),
        no_visit_needed(claims.internet, claims.unknown),
    )


def _agents(claims: Claims) -> Exclusion:
    if agents := len(claims.counted) - len(claims.own):
        return applied(
            "X02",
            f"{agents}笔由代办人出示证件，只按黄色提示",
            f"an agent showed papers for {agents} of the bills, which are worth yellow only",
        )
    return not_applicable("X02", "所列结算都没有代办人", "no agent is named on any bill shown")


def _examined(claims: Claims) -> Exclusion:
    if n := len(claims.examined):
        return applied(
            "X09",
            f"{n}笔是外院检查、急诊或入出院前后4小时内的费用，没有计入",
            f"{n} bills were left out: examination elsewhere, emergency, or care within 4 h of admission or discharge",
        )
    return not_applicable(
        "X09",
        "没有外检或急诊标志，费用发生在入院4小时后、出院4小时前",
        "no flag of examination elsewhere or emergency, and the care lies more than 4 h from admission and discharge",
    )


def _open_stay(unit: Unit) -> Exclusion:
    if unit.span.end >= NEVER:
        return data_missing("X15", "出院尚未上报，按仍在院判断", "no discharge is known yet: the stay counts as open")
    return not_applicable(
        "X15", "按结算和入出院时间判断，与上报时间无关", "judged by the times of care, whenever they were uploaded"
    )


def _confirmed(claims: Claims) -> Exclusion:
    if claims.confirmed:
        names = "、".join(dict.fromkeys(claims.confirmed))
        n = len(claims.confirmed)
        return applied("X20", f"{n}笔在已确认的例外{names}期限内", f"{n} bills lie within the exception {names}")
    return not_applicable("X20", "没有登记过例外", "no exception is registered")


def _checks(stay: Admission, bills: Sequence[Settlement]) -> tuple[Check, ...]:
    cameras = (
        Check(
            f"调取{bill.org}收银处监控，核对持凭证人",
            f"Camera at the till of {bill.org}: who held the credential?",
            bill.happened_at - 10 * MINUTE,
            bill.happened_at + 10 * MINUTE,
        )
        for bill in bills[:5]
    )
    first, last = bills[0].happened_at, bills[-1].happened_at
    return (
        *cameras,
        Check(
            f"查{stay.org}当时的护理、输液和查房记录，核对患者是否在院",
            f"Nursing, infusion and round records of {stay.org}: was the patient there?",
            first - 4 * HOUR,
            last + 4 * HOUR,
        ),
    )
