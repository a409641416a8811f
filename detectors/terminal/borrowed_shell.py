"""A suspended store's regulars turn up at a sister store (借壳结算)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from detectors.contracts import Suspension, suspensions
from detectors.detector import DAILY, Finding, Gate
from detectors.event import Kind, OrgRecord, Settlement, day_of
from detectors.exclusions import taken_back
from detectors.file import File
from detectors.finding import Check, Figure, Law, Level, Subject
from detectors.ledger import BILLS, PERSON, Ledger
from detectors.month import month_of
from detectors.unit import DAY, MINUTE, Cell, Link, Month, Touched, Unit, day_end
from detectors.wording import day_en, day_zh, yuan, yuan_en

CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
SHOWN = 3  # bills whose recordings are asked for
TICK = timedelta(microseconds=1)
REACH = (90 + 14) * DAY  # from a regular's bill to the one elsewhere: both spans below together


def stores_of(bill: Settlement, person: File, now: datetime) -> Iterator[Touched]:
    """Every store that the person used nearly that time: its regulars, or where they went, are others now."""
    if not is_store(bill.org):
        return
    bills = person.rows(Settlement, bill.happened_at - REACH, bill.happened_at + REACH)
    month = month_of(bill.happened_at)
    until = min(now, bill.happened_at + REACH)
    while True:
        for org in {bill.org, *(other.org for other in bills if is_store(other.org))}:
            yield Touched(org, month.name)
        if month.to is None or month.to > until:
            return
        month = month_of(month.to)


def is_store(org: str) -> bool:
    return org.startswith("P")


BILLS_OF_PERSON = Link(ledger=PERSON, reads=frozenset({Settlement}), units=stores_of)


@dataclass(frozen=True, slots=True, kw_only=True)
class BorrowedShell:
    """Fire when 30 % of a suspended store's customers come, within 14 days, to a store of the same owner.

    Why:         the goods are still sold at the closed counter, and settled over the sister store's terminal.
    Blind spots: a shell of another owner on paper; customers who used both stores before; stores of one hospital.
    False alarm: a sister store around the corner, to which the customers walk: the cameras tell.
    Source:      docs/domain.md V1. Unit: the suspended store's month; subject: the store where they turn up.
    """

    id: ClassVar[str] = "suspended_org_settlement/regulars"
    of: ClassVar[Ledger] = BILLS
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement})
    cell: ClassVar[Cell] = Month(before=REACH)
    links: ClassVar[tuple[Link[Any], ...]] = (BILLS_OF_PERSON,)
    law: ClassVar[Law] = Law("17", "第三十八条第七项")
    gate: ClassVar[Gate] = DAILY

    regular_within: timedelta = 90 * DAY  # before the suspension; domain.md V1
    come_within: timedelta = 14 * DAY  # after it; the same
    regulars: float = 0.3  # share of the regulars that comes to one store, at least; the same
    persons: int = 5  # at least so many of them: a share of very few is chance; ours

    def judge(self, unit: Unit) -> Iterator[Finding]:
        records = unit.records(OrgRecord, unit.key)
        if not is_store(unit.key) or all(record.contract == "active" for record in records):
            return
        for span in suspensions(records):
            if span.since - DAY < unit.now <= span.since + self.come_within:
                # whose earlier bill here comes only now may have been elsewhere today: that is shown tomorrow
                unit.wake(day_end(unit.now))
            if span.since < unit.span.end and span.since + self.come_within >= unit.span.start:
                yield from self.shells(unit, span)

    def shells(self, unit: Unit, span: Suspension) -> Iterator[Finding]:
        since = span.since - self.regular_within
        regulars = {bill.person for bill in unit.rows(Settlement) if since < bill.happened_at <= span.since}
        if len(regulars) < self.persons:
            return
        for org, came in self.came(unit, span, sorted(regulars)).items():
            if len(came) >= max(self.persons, self.regulars * len(regulars)) and (own := in_cell(unit, came)):
                yield self.finding(unit, span, org, own, len(came), len(regulars))

    def came(self, unit: Unit, span: Suspension, regulars: Sequence[str]) -> Mapping[str, list[Settlement]]:
        """By sister store, the first bill there of each who had not been there in the 90 days before."""
        came: dict[str, list[Settlement]] = {}
        for person in regulars:
            since, until = span.since - self.regular_within + TICK, span.since + self.come_within + TICK
            first: dict[str, Settlement] = {}
            for bill in unit.look(BILLS_OF_PERSON, Settlement, person, since, min(until, unit.span.end)):
                if bill.total >= 0:
                    first.setdefault(bill.org, bill)
            for org, bill in first.items():
                if bill.happened_at > span.since and self.is_sister(unit, span, bill):
                    came.setdefault(org, []).append(bill)
        return came

    def is_sister(self, unit: Unit, span: Suspension, bill: Settlement) -> bool:
        if bill.org == unit.key or not is_store(bill.org):
            return False
        other = unit.fact(OrgRecord, bill.org, bill.happened_at)
        return other is not None and "" != other.owner == owner_of(unit, span)

    def finding(
        self, unit: Unit, span: Suspension, org: str, bills: Sequence[Settlement], came: int, regulars: int
    ) -> Finding:
        share, fund = came / regulars, sum(bill.fund for bill in bills)
        days = (max(bill.happened_at for bill in bills) - span.since).days + 1
        owner = owner_of(unit, span)
        return Finding(
            level=Level.RED,
            subject=Subject("org", org),
            zh=f"{came}名老顾客（占{regulars}人的{share:.0%}）在{unit.key}{day_zh(span.since)}停止协议后{days}天内，"
            f"首次到同一主体的本店结算，统筹基金支付{yuan(fund)}。",
            en=f"{came} of {regulars} customers ({share:.0%}) of {unit.key}, which lost its contract on "
            f"{day_en(span.since)}, first came to this store of the same owner within {days} days: "
            f"{yuan_en(fund)} yuan of the fund.",
            shows=bills,
            figures=(
                Figure("regulars_share", round(share, 2), self.regulars, "ratio"),
                Figure("regulars_came", came, self.persons, "persons"),
                Figure("days_after_suspension", days, None, "days"),
                Figure("contract_ended", day_of(span.since).isoformat(), None, ""),
                Figure("owner", owner, None, ""),
            ),
            exclusions=(taken_back(),),
            checks=checks(org, unit.key, bills),
            orgs=(org, unit.key),
            hits=len(bills),
        )


def owner_of(unit: Unit, span: Suspension) -> str:
    """Of the suspended store: as the notice says, else as it was known until then."""
    before = unit.fact(OrgRecord, unit.key, span.since - TICK)
    return span.notice.owner or (before.owner if before else "")


def in_cell(unit: Unit, bills: Sequence[Settlement]) -> list[Settlement]:
    return [bill for bill in bills if unit.span.start <= bill.happened_at < unit.span.end]


def checks(shell: str, closed: str, bills: Sequence[Settlement]) -> tuple[Check, ...]:
    ordered = sorted(bills, key=lambda bill: (bill.happened_at, bill.event_id))
    return (
        *(
            Check(
                f"调取{shell}收银处监控，核对这名顾客是否到场",
                f"camera at the till of {shell}: was this customer there",
                bill.happened_at - CAMERA,
                bill.happened_at + CAMERA,
            )
            for bill in ordered[:SHOWN]
        ),
        Check(
            f"到{closed}现场核查：停止协议后是否仍在营业、用谁的终端结算",
            f"visit {closed}: is it still selling, and over whose terminal does it settle",
            ordered[0].happened_at,
            ordered[-1].happened_at,
        ),
        Check("比对两店进销存：售出的药品从哪家店出库", "compare the stock of both stores: whose goods were sold"),
    )
