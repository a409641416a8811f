"""An institution settles although its contract is suspended or terminated (中止/解除协议机构结算)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from detectors.contracts import Suspension, suspensions
from detectors.detector import ALWAYS, Finding, Gate
from detectors.event import Admission, Kind, OrgRecord, Settlement, day_of
from detectors.exclusions import data_missing, not_applicable, taken_back
from detectors.file import File
from detectors.finding import Certainty, Check, Exclusion, Figure, Law, Level, Subject
from detectors.ledger import BILLS, VISIT, Ledger
from detectors.month import month_of
from detectors.settlement_kinds import IN_PATIENT, MedTypes, is_one_of
from detectors.unit import MINUTE, Cell, Link, Month, Touched, Unit, stay_key
from detectors.wording import clock, day_en, day_zh, yuan, yuan_en

CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
SHOWN = 3  # bills whose recordings are asked for


def bills_of_stay(admission: Admission, visit: File, now: datetime) -> Iterator[Touched]:
    """An admission tells whether a stay that is settled had begun before."""
    for bill in visit.kinds.get(Settlement, ()):
        yield Touched(bill.org, month_of(bill.happened_at).name)


ADMISSION_OF_STAY = Link(ledger=VISIT, reads=frozenset({Admission}), units=bills_of_stay)


@dataclass(frozen=True, slots=True)
class Bills:
    """Settled without a contract: those that count, and the stays that may still be settled."""

    counted: list[Settlement] = field(default_factory=list)
    begun_before: list[Settlement] = field(default_factory=list)
    begun_unknown: list[Settlement] = field(default_factory=list)  # in-patient bills whose admission is not known


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendedOrgSettlement:
    """Fire on every bill settled while the institution's contract was suspended, or after it was terminated.

    Why:         who may not settle still settles: with a terminal that was not switched off, or in another's name.
    Blind spots: a suspension that nobody entered; a stay whose admission was dated back before it.
    False alarm: a notice that was entered with a wrong day, or lifted and not entered. Stays that began before the
                 suspension may be settled to their end, and are left out; so are stays whose beginning is not known.
    Source:      docs/domain.md V1.
    """

    id: ClassVar[str] = "suspended_org_settlement"
    of: ClassVar[Ledger] = BILLS
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement})
    cell: ClassVar[Cell] = Month()
    links: ClassVar[tuple[Link[Any], ...]] = (ADMISSION_OF_STAY,)
    law: ClassVar[Law] = Law("17", "第三十八条第七项")
    gate: ClassVar[Gate] = ALWAYS

    in_patient: MedTypes = IN_PATIENT

    def judge(self, unit: Unit) -> Iterator[Finding]:
        records = unit.records(OrgRecord, unit.key)
        if all(record.contract == "active" for record in records):
            return
        bills, spans = Bills(), suspensions(records)
        for bill in unit.own(Settlement):
            if bill.total >= 0 and (span := holding(spans, bill.happened_at)) is not None:
                self.sort(unit, bill, span, bills)
        if bills.counted:
            yield self.finding(unit, bills, spans)

    def sort(self, unit: Unit, bill: Settlement, span: Suspension, into: Bills) -> None:
        if bill.org.startswith("P"):  # a pharmacy has no stays
            into.counted.append(bill)
            return
        admissions = unit.look(ADMISSION_OF_STAY, Admission, stay_key(bill))
        if not admissions:
            unknown = is_one_of(bill.med_type, self.in_patient)
            (into.begun_unknown if unknown else into.counted).append(bill)
        elif admissions[0].happened_at < span.since:
            into.begun_before.append(bill)
        else:
            into.counted.append(bill)

    def finding(self, unit: Unit, bills: Bills, spans: Sequence[Suspension]) -> Finding:
        shown = bills.counted
        n, persons, fund = len(shown), len({bill.person for bill in shown}), sum(bill.fund for bill in shown)
        span = holding(spans, shown[0].happened_at) or spans[-1]
        state, state_en = ("解除", "terminated") if span.terminated else ("中止", "suspended")
        notice = span.notice.contract_doc
        named, named_en = (f"（{notice}）", f" ({notice})") if notice else ("", "")
        many, people = "bills were" if n > 1 else "bill was", "persons" if persons > 1 else "person"
        return Finding(
            level=Level.RED,
            certainty=Certainty.DEFINITE,
            subject=Subject("org", unit.key),
            zh=f"医保协议{state}后结算{n}笔，涉及{persons}人，统筹基金支付{yuan(fund)}；"
            f"协议自{day_zh(span.since)}{clock(span.since)}起{state}{named}。",
            en=f"{n} {many} settled for {persons} {people}, {yuan_en(fund)} yuan of the fund, after the contract was "
            f"{state_en} on {day_en(span.since)} {clock(span.since)}{named_en}.",
            shows=shown,
            also=[*bills.begun_before, *bills.begun_unknown],
            figures=(
                Figure("bills_without_contract", n, 1, "bills"),
                Figure("contract_ended", day_of(span.since).isoformat(), None, ""),
                *left_out("bills_of_earlier_stays", bills.begun_before),
                *left_out("bills_of_unknown_stays", bills.begun_unknown),
            ),
            exclusions=(taken_back(), judged_by_time(bills)),
            checks=checks(shown, state),
            hits=n,
        )


def holding(spans: Sequence[Suspension], moment: datetime) -> Suspension | None:
    return next((span for span in spans if span.since <= moment < span.until), None)


def left_out(name: str, bills: Sequence[Settlement]) -> tuple[Figure, ...]:
    return (Figure(name, len(bills), None, "bills"),) if bills else ()


def judged_by_time(bills: Bills) -> Exclusion:
    """X15: uploaded late is not settled late."""
    if n := len(bills.begun_unknown):
        return data_missing(
            "X15", f"{n}笔住院结算没有入院记录，没有计入", f"{n} in-patient bills without an admission were left out"
        )
    return not_applicable(
        "X15", "按结算时间判断，与上报时间无关", "judged by the time of settlement, whenever it was uploaded"
    )


def checks(bills: Sequence[Settlement], state: str) -> tuple[Check, ...]:
    return (
        Check(
            f"核对{state}协议通知书的文号、送达和停机时间，以及是否已恢复协议",
            "check the notice: its number, when it was served and the line cut, and whether it was lifted",
        ),
        *(
            Check(
                f"调取{bill.org}收银处监控，核对谁在操作、参保人是否到场",
                f"camera at the till of {bill.org}: who worked there, and was the insured person present",
                bill.happened_at - CAMERA,
                bill.happened_at + CAMERA,
            )
            for bill in bills[:SHOWN]
        ),
        Check(
            "查验结算终端的安装地点和登录账号，看是否借给或借用其他机构",
            "see where the terminal stands and who signed in: is it lent to, or borrowed from, another institution",
        ),
    )
