"""Prescription drugs settled without a prescription (无处方结算处方药)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, NamedTuple

from detectors.detector import Finding, Gate
from detectors.event import DrugRecord, Fee, Kind, Line, Sale, Settlement
from detectors.exclusions import confirmed_exception, emergency_dispensing, not_applicable, taken_back
from detectors.file import File
from detectors.finding import Check, Figure, Law, Level, Subject
from detectors.ledger import PERSON, Ledger
from detectors.month import month_of
from detectors.scripts import naming_no_rx, rx_told_by_sale
from detectors.stays import in_scope, lines_of_bill
from detectors.unit import DAY, Cell, Day, Link, Unit
from detectors.wording import clock, day_en, day_zh, yuan, yuan_en


def is_pharmacy(org: str) -> bool:
    return org.startswith("P")


@dataclass(frozen=True, slots=True)
class MayLackRx(Gate):
    """Judge only bills of pharmacies with a line that names no prescription, and what may name it."""

    def opens(self, arrival: Any, file: File, kinds: Iterable[Kind]) -> bool:
        """Any: a Settlement, a Fee or a Sale."""
        if not is_pharmacy(arrival.org):
            return False
        if isinstance(arrival, Sale):
            return bool(arrival.bill and arrival.rx)
        return isinstance(arrival, Fee) or not arrival.lines or any(not line.rx for line in arrival.lines)


class Unprescribed(NamedTuple):
    """excused: names of the exceptions under which other lines of the bill were handed out (X20)."""

    bill: Settlement
    lines: Sequence[Line]
    excused: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RxMissingOrForged:
    """Fire when a pharmacy settles a prescription drug and names no prescription.

    Why:         the drug was never prescribed, or the sale never was.
    Blind spots: hospitals, whose lines rarely name it; drugs of which neither the line nor the drug's record says that
                 they need one; what is paid in cash; charges that are uploaded on a later day than their bill.
    False alarm: a paper prescription that the store keeps but did not key in.
    Source:      docs/domain.md B5; readings 6: pharmacies only.
    """

    id: ClassVar[str] = "rx_missing_or_forged"
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement, Fee, Sale})
    cell: ClassVar[Cell] = Day(before=DAY)  # charges may be uploaded before their bill
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("20", "第三十八条第七项")
    gate: ClassVar[Gate] = MayLackRx(rows=1, within=timedelta(0))

    lines: int = 1  # prescription drugs settled without one, by a person in a day at a store; domain.md B5

    def judge(self, unit: Unit) -> Iterator[Finding]:
        by_org: dict[str, list[Unprescribed]] = {}
        for bill in unit.own(Settlement):
            if is_pharmacy(bill.org) and bill.total >= 0 and (sold := unprescribed(unit, bill)).lines:
                by_org.setdefault(bill.org, []).append(sold)
        for org, bills in by_org.items():
            if sum(len(one.lines) for one in bills) >= self.lines:
                yield self.finding(org, bills)

    def finding(self, org: str, sold: Sequence[Unprescribed]) -> Finding:
        bills, lines = [one.bill for one in sold], [line for one in sold for line in one.lines]
        drugs, first, amount = len({line.item for line in lines}), bills[0].happened_at, in_scope(lines)
        some = "drugs were" if drugs > 1 else "drug was"
        return Finding(
            level=Level.ORANGE,
            subject=Subject("org", org),
            period=month_of(first),
            zh=f"{drugs}种处方药没有处方号就结算：{day_zh(first)}{clock(first)}，医保范围内金额{yuan(amount)}。",
            en=f"{drugs} prescription {some} settled without a prescription on {day_en(first)} {clock(first)}: "
            f"{yuan_en(amount)} yuan in scope.",
            shows=bills,
            figures=(Figure("lines_without_rx", len(lines), self.lines, "lines"),),
            exclusions=(
                taken_back(),
                emergency_dispensing([name for one in sold for name in one.excused]),
                not_applicable(
                    "X15", "结算时就应有处方号，与上报时间无关", "the bill names it or does not, however late"
                ),
            ),
            checks=(
                Check(
                    "查看处方留存：纸质或电子处方、开方医师和药师审核签名",
                    "ask for the prescription kept at the store: who wrote it, which pharmacist signed",
                    first,
                    bills[-1].happened_at,
                ),
                Check(
                    "电话回访参保人：是否买过、由谁开方", "ask the person whether they bought it, and who prescribed it"
                ),
            ),
            at_risk=amount,
            fund=sum(bill.fund for bill in bills),
            hits=len(lines),
        )


def unprescribed(unit: Unit, bill: Settlement) -> Unprescribed:
    told = lines_of_bill(bill, unit.rows(Fee))
    lines = [line for line in naming_no_rx(told) if needs_rx(unit, line, bill)]
    sold = rx_told_by_sale(bill, unit.rows(Sale)) if lines else frozenset()
    counted, excused = list[Line](), list[str]()
    for line in lines:
        if line.item in sold:
            continue
        if name := confirmed_exception(unit, "X20", bill.happened_at, bill.person, (bill.org,), (line.item,)):
            excused.append(name)
        else:
            counted.append(line)
    return Unprescribed(bill, counted, excused)


def needs_rx(unit: Unit, line: Line, bill: Settlement) -> bool:
    """As the line says, or the drug's own record: a line may leave the flag out."""
    if line.needs_rx:
        return True
    record = unit.fact(DrugRecord, line.item, bill.happened_at)
    return record is not None and bool(record.needs_rx)
