"""One box of a drug was sold more than once (药品追溯码重复结算, 回流药)."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, NamedTuple

from detectors.detector import TICK, FileGate, Finding, Gate
from detectors.event import NEVER, DrugRecord, Event, Fee, Kind, Line, Sale, Settlement
from detectors.exclusions import goods_returned, is_uncoded, opened_box, uncoded_stock
from detectors.file import File
from detectors.finding import Certainty, Check, Figure, Law, Level, Period, Quorum, Subject
from detectors.ledger import CODE, VISIT, Ledger, codes_of_lines
from detectors.month import month_of
from detectors.unit import DAY, MINUTE, Cell, Link, Touched, Unit, Whole
from detectors.wording import clock, day_en, day_zh, hours

CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
SHOWN = 4  # moments that a sentence names


def codes_of_visit(bill: Settlement, visit: File, now: datetime) -> Iterator[Touched]:
    """A bill tells which fee lines of its visit were settled; the codes that it lists itself lead to it anyway."""
    listed = set(codes_of_lines(bill))
    uploaded = {code for fee in visit.kinds.get(Fee, ()) for code in codes_of_lines(fee)}
    yield from map(Touched, uploaded - listed)


BILLS_OF_VISIT = Link(ledger=VISIT, reads=frozenset({Settlement}), units=codes_of_visit)


@dataclass(frozen=True, slots=True)
class ToldTwice(FileGate):
    """Judge only codes that are named by two bills, or by fee uploads that two bills may come to settle."""

    def admits(self, file: File, kinds: Iterable[Kind]) -> bool:
        first: tuple[str, str] | None = None
        for kind in (Settlement, Sale, Fee):
            for row in file.kinds.get(kind, ()):
                if kind is Fee and names_a_code_twice(row):
                    return True
                name = row.org, (row.event_id if kind is Fee else row.bill or row.event_id)
                if first is None:
                    first = name
                elif name != first:
                    return True
        return False


def names_a_code_twice(fee: Fee) -> bool:
    codes = [code for line in fee.lines for code in line.traces]
    return len(codes) > len(set(codes))


class Back(NamedTuple):
    """Goods brought back: a return record, or a bill that takes back what another sold."""

    at: datetime
    units: Decimal
    row: Event


@dataclass(slots=True)
class Dispensing:
    """One box, or a part of it, handed out under one bill, or for cash; told by bill, sale and fee upload."""

    org: str
    bill: Settlement | None = None
    lines: dict[str, Line] = field(default_factory=dict)  # by feedetl_sn
    fees: list[Fee] = field(default_factory=list)
    sales: list[Sale] = field(default_factory=list)
    returns: list[Back] = field(default_factory=list)

    @property
    def at(self) -> datetime:
        if self.bill is None:
            return self.sales[0].happened_at
        billed = self.bill.happened_at
        return min((line.occurred_at or billed for line in self.lines.values()), default=billed)

    @property
    def item(self) -> str:
        return next(iter(self.lines.values())).item if self.lines else self.sales[0].item

    @property
    def by_unit(self) -> bool:
        """Opened and sold by the tablet. A record may leave the flag out: one that says so is enough."""
        return any(line.by_unit for line in self.lines.values()) or any(sale.by_unit for sale in self.sales)

    @property
    def count(self) -> Decimal:
        """Packs or minimum units. A bill and its sale tell the same goods; refund rows lower the sum."""
        billed = sum((line.count for line in self.lines.values()), Decimal(0))
        return max(billed, sum((sale.count for sale in self.sales), Decimal(0))) if self.sales else billed

    @property
    def shown(self) -> Event:
        return self.sales[0] if self.bill is None else self.bill

    def out_at(self, moment: datetime) -> Decimal:
        """What of it had not been brought back by then. Any return of a whole box is the box."""
        brought = [back.units for back in self.returns if back.at <= moment]
        if brought and not self.by_unit:
            return Decimal(0)
        return max(Decimal(0), self.count - sum(brought, Decimal(0)))


@dataclass(frozen=True, slots=True)
class Repeat:
    """Sold while the same box was still out."""

    again: Dispensing
    out: Sequence[Dispensing]  # oldest first; at least one
    units: Decimal | None  # sold in all, where every sale was by the tablet

    def same_counter(self, within: timedelta) -> bool:
        return all(one.org == self.again.org and self.again.at - one.at <= within for one in self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceCodeRepeat:
    """Fire when one trace code is sold again though the box was not brought back.

    Why:         one box is one sale: a second one is a drug bought back from patients, or a sale that never was.
    Blind spots: boxes whose code is not scanned (X14); in-patient lines that no bill has settled.
    False alarm: a code scanned twice at one counter: orange. Tablets from an opened box (X13); a line that takes loose
                 units from two boxes is laid at both.
    Source:      docs/domain.md B1; 24 h: the same. Codes are compared without blanks, in capitals (7.7). Who sells
                 three such codes within 30 days is told of, by the month of the last.
    """

    id: ClassVar[str] = "trace_code_repeat"
    of: ClassVar[Ledger] = CODE
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement, Fee, Sale})
    cell: ClassVar[Cell] = Whole()
    links: ClassVar[tuple[Link[Any], ...]] = (BILLS_OF_VISIT,)
    law: ClassVar[Law] = Law("15", "第三十八条第五项")
    gate: ClassVar[Gate] = ToldTwice(rows=2, within=timedelta.max)

    scan_error: timedelta = DAY  # sold again at the same institution so soon: probably scanned twice; domain.md B1
    case_codes: int = 3  # repeated by one seller: a case against the seller; domain.md B1
    case_within: timedelta = 30 * DAY  # the same
    no_trace_code: str = r"69\d{11}"  # a commodity barcode read by mistake; domain.md 7.7

    def judge(self, unit: Unit) -> Iterator[Finding]:
        if re.fullmatch(self.no_trace_code, unit.key):
            return
        sold = dispensings(unit)
        if len(sold) < 2:
            return
        uncoded = [one for one in sold if is_uncoded(unit, one.org, one.item, one.at)]
        coded = [one for one in sold if one not in uncoded] if uncoded else sold
        repeats = list(self.repeats(unit, coded))
        if repeats:
            yield self.finding(unit, sold, uncoded, repeats)
            yield from self.cases(unit, repeats)

    def repeats(self, unit: Unit, sold: Sequence[Dispensing]) -> Iterator[Repeat]:
        for i, again in enumerate(sold):
            out = [one for one in sold[:i] if one.out_at(again.at) > 0]
            if not out:
                continue
            if not all(one.by_unit for one in (*out, again)):
                yield Repeat(again, out, None)
            elif (pack := units_per_pack(unit, again)) is not None:
                units = again.count + sum(one.out_at(again.at) for one in out)
                if units > pack:
                    yield Repeat(again, out, units)

    def finding(
        self, unit: Unit, sold: Sequence[Dispensing], uncoded: Sequence[Dispensing], repeats: Sequence[Repeat]
    ) -> Finding:
        shown = sorted({id(one): one for r in repeats for one in (*r.out, r.again)}.values(), key=when)
        orgs = list(dict.fromkeys(one.org for one in reversed(shown)))
        scanned_twice = all(repeat.same_counter(self.scan_error) for repeat in repeats)
        units = max((repeat.units for repeat in repeats if repeat.units is not None), default=None)
        pack = units_per_pack(unit, repeats[0].again)
        return Finding(
            level=Level.ORANGE if scanned_twice else Level.RED,
            certainty=Certainty.SUSPICIOUS if scanned_twice else Certainty.DEFINITE,
            subject=Subject("trace_code", unit.key),
            period=Period("", shown[0].at, shown[-1].at),
            zh=in_chinese(shown, orgs, units, pack),
            en=in_english(shown, orgs, units, pack),
            shows=[one.shown for one in shown],
            also=[row for one in sold for row in (*one.fees, *one.sales, *(back.row for back in one.returns))],
            figures=self.figures(shown, orgs, repeats, units, pack),
            exclusions=(
                goods_returned(sum(bool(one.returns) for one in sold)),
                opened_box(any(one.by_unit for one in sold), units, pack),
                uncoded_stock(len(uncoded)),
            ),
            checks=checks(repeats),
            orgs=orgs,
            hits=len(repeats),
        )

    def cases(self, unit: Unit, repeats: Sequence[Repeat]) -> Iterator[Finding]:
        """What this code adds to a case against who sold it again: it takes several codes to make one."""
        for org in sorted({repeat.again.org for repeat in repeats}):
            own = [repeat for repeat in repeats if repeat.again.org == org]
            for month in self.months_of(own):
                until = month.to or NEVER
                near = [one for one in own if month.since - self.case_within < one.again.at < until]
                yield self.case(unit, org, month, near)

    def months_of(self, repeats: Sequence[Repeat]) -> list[Period]:
        """Those in which a window may end that holds one of these."""
        moments = (moment for one in repeats for moment in (one.again.at, one.again.at + self.case_within - TICK))
        return list(dict.fromkeys(map(month_of, moments)))

    def case(self, unit: Unit, org: str, month: Period, repeats: Sequence[Repeat]) -> Finding:
        scanned_twice = all(repeat.same_counter(self.scan_error) for repeat in repeats)
        n, days, last = self.case_codes, self.case_within // DAY, repeats[-1].again
        return Finding(
            level=Level.ORANGE if scanned_twice else Level.RED,
            certainty=Certainty.SUSPICIOUS if scanned_twice else Certainty.DEFINITE,
            subject=Subject("org", org),
            period=month,
            zh=f"{days}天内至少{n}盒药的追溯码在本机构重复结算，其中一盒（{unit.key}）在{day_zh(last.at)}{clock(last.at)}。",
            en=f"The codes of {n} boxes or more were settled again here within {days} days, "
            f"one of them ({unit.key}) on {day_en(last.at)} {clock(last.at)}.",
            shows=[repeat.again.shown for repeat in repeats],
            also=[one.shown for repeat in repeats for one in repeat.out],
            figures=(),
            exclusions=(goods_returned(0),),
            checks=checks(repeats),
            orgs=(org,),
            hits=len(repeats),
            quorum=Quorum(n, self.case_within, "repeated_codes", "codes"),
        )

    def figures(
        self,
        shown: Sequence[Dispensing],
        orgs: Sequence[str],
        repeats: Sequence[Repeat],
        units: Decimal | None,
        pack: Decimal | None,
    ) -> tuple[Figure, ...]:
        apart = max(repeat.again.at - one.at for repeat in repeats for one in repeat.out)
        return (
            Figure("sales_of_code", len(shown), 1, "sales"),
            Figure("institutions", len(orgs), None, "institutions"),
            Figure("hours_apart", hours(apart), hours(self.scan_error), "h"),
            *([Figure("units_sold", float(units), float(pack or 0), "units")] if units is not None else []),
        )


def when(one: Dispensing) -> tuple[datetime, str]:
    return one.at, one.shown.event_id


def dispensings(unit: Unit) -> list[Dispensing]:
    """Every time the code was sold, oldest first, with what was brought back of it."""
    told: dict[tuple[str, str], Dispensing] = {}
    listed: dict[tuple[str, str, str], Dispensing] = {}  # a line is one line, whatever lists it

    def under(org: str, name: str) -> Dispensing:
        return told.setdefault((org, name), Dispensing(org))

    for bill in unit.rows(Settlement):
        for line in naming(unit.key, bill):
            if (bill.org, bill.visit, line.sn) not in listed:
                one = listed[bill.org, bill.visit, line.sn] = under(bill.org, bill.bill)
                one.bill, one.lines[line.sn] = bill, line
    for fee in unit.rows(Fee):
        for line in naming(unit.key, fee):
            found = listed.get((fee.org, fee.visit, line.sn))
            if found is None and (settled := bill_of(unit, fee, line)) is not None:
                found = listed[fee.org, fee.visit, line.sn] = under(fee.org, settled.bill)
                found.bill, found.lines[line.sn] = found.bill or settled, line
            if found is not None:
                found.fees.append(fee)
    sales = unit.rows(Sale)
    for sale in sales:
        if sale.sale_type == "sale":
            under(sale.org, sale.bill or sale.event_id).sales.append(sale)
    sold = sorted((one for one in told.values() if one.count > 0), key=when)
    refunds = [one for one in told.values() if one.count < 0]
    bring_back([sale for sale in sales if sale.sale_type == "return"], told, sold)
    for refund in sorted(refunds, key=when):
        take_latest(refund.org, sold, Back(refund.at, -refund.count, refund.shown))
    return sold


def naming(code: str, event: Settlement | Fee) -> list[Line]:
    return [line for line in event.lines if code in line.traces]


def bill_of(unit: Unit, fee: Fee, line: Line) -> Settlement | None:
    """The first bill of the visit at or after the line, else the last; None: not settled (readings 2)."""
    bills = unit.look(BILLS_OF_VISIT, Settlement, f"{fee.org}/{fee.visit}")
    moment = line.occurred_at or fee.happened_at
    return next((bill for bill in bills if bill.happened_at >= moment), bills[-1] if bills else None)


def bring_back(returns: Sequence[Sale], told: dict[tuple[str, str], Dispensing], sold: Sequence[Dispensing]) -> None:
    """A return names its bill, or else is of the latest sale of the same institution."""
    for taken in returns:
        back = Back(taken.happened_at, taken.count, taken)
        if not taken.bill:
            take_latest(taken.org, sold, back)
        elif (taken.org, taken.bill) in told:
            told[taken.org, taken.bill].returns.append(back)


def take_latest(org: str, sold: Sequence[Dispensing], back: Back) -> None:
    for one in reversed(sold):
        if one.org == org and one.at <= back.at and one.out_at(back.at) > 0:
            one.returns.append(back)
            return


def units_per_pack(unit: Unit, one: Dispensing) -> Decimal | None:
    """None where nobody says; no pack holds nothing."""
    record = unit.fact(DrugRecord, one.item, one.at)
    return (record.units_per_pack if record else None) or None


def in_chinese(shown: Sequence[Dispensing], orgs: Sequence[str], units: Decimal | None, pack: Decimal | None) -> str:
    where = f"{len(orgs)}家机构" if len(orgs) > 1 else "同一家机构"
    moments = "、".join(f"{day_zh(one.at)}{clock(one.at)}" for one in shown[:SHOWN])
    more = "等" if len(shown) > SHOWN else ""
    if units is not None:
        return f"1盒药的追溯码拆零售出{units}个最小单位，超过每盒{pack}个；{where}共{len(shown)}次：{moments}{more}。"
    return f"1盒药的追溯码在{where}结算{len(shown)}次：{moments}{more}；其间没有退货。"


def in_english(shown: Sequence[Dispensing], orgs: Sequence[str], units: Decimal | None, pack: Decimal | None) -> str:
    where = f"{len(orgs)} institutions" if len(orgs) > 1 else "one institution"
    moments = ", ".join(f"{day_en(one.at)} {clock(one.at)}" for one in shown[:SHOWN])
    more = " and later" if len(shown) > SHOWN else ""
    if units is not None:
        return (
            f"{units} units were sold under one box's trace code, over {pack} in a box; "
            f"{len(shown)} times at {where}: {moments}{more}."
        )
    times = f"{len(shown)} times at {where}: {moments}{more}"
    return f"One box's trace code was settled {times}; nothing was returned between."


def checks(repeats: Sequence[Repeat]) -> tuple[Check, ...]:
    last = repeats[-1].again
    return (
        Check(
            f"调取{last.org}该药品的随货同行单和发票，核对追溯码的上家",
            f"ask {last.org} for the delivery note and invoice of this drug, and whom the code came from",
        ),
        *(
            Check(
                f"调取{repeat.again.org}收银台录像，核对是否有人取药",
                f"watch the recording of the counter at {repeat.again.org}: was the drug handed to anybody",
                repeat.again.at - CAMERA,
                repeat.again.at + CAMERA,
            )
            for repeat in repeats[:SHOWN]
        ),
        Check("联系各参保人，核对是否取到这盒药及盒上的追溯码", "ask each person whether they got this very box"),
    )
