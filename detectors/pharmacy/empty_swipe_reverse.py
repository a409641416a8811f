"""Settled, taken back, settled again, and the goods never move (刷卡、退款、再刷)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

from detectors.detector import FileGate, Finding, Gate
from detectors.event import Fee, Kind, Settlement, SettlementReversal
from detectors.exclusions import not_applicable
from detectors.file import File, order
from detectors.finding import Check, Exclusion, Figure, Law, Level, Subject
from detectors.ledger import PERSON, Ledger, is_goods
from detectors.stays import lines_of_bill
from detectors.unit import DAY, HOUR, MINUTE, Cell, Link, Month, Unit
from detectors.wording import day_en, day_zh, hours, how_long, how_long_en, yuan, yuan_en

CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
BEFORE = 62 * DAY  # ``within``, and what of a cycle lies outside: its bill, and the month of the bill that ends it
SHOWN = 3  # cycles whose recordings are asked for


@dataclass(frozen=True, slots=True)
class Reversals(FileGate):
    """Judge only where the file holds so many reversals, whenever they were."""

    def admits(self, file: File, kinds: Iterable[Kind]) -> bool:
        return len(file.kinds.get(SettlementReversal, ())) >= self.rows


class Cycle(NamedTuple):
    """A bill, how it was taken back, and the next bill of the same drug."""

    bill: Settlement
    reversal: SettlementReversal
    again: Settlement

    @property
    def age(self) -> timedelta:
        return self.reversal.happened_at - self.bill.happened_at

    @property
    def pause(self) -> timedelta:
        return self.again.happened_at - self.reversal.happened_at


Round = tuple[Cycle, ...]  # retries of one bill, one after the other: they count as one


class Drug(NamedTuple):
    """What went back and forth at one institution; ``rounds`` are at least as many as the rule asks for."""

    item: str
    rounds: Sequence[Round]

    @property
    def cycles(self) -> list[Cycle]:
        return [cycle for one in self.rounds for cycle in one]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptySwipeReverse:
    """Fire when a person's bills for one drug are taken back within 30 minutes and made again, 3 times in 60 days.

    Why:         a bill that is taken back and made again leaves a record of care, or money, without any goods moving.
    Blind spots: another drug the second time; bills that name no goods; whether the goods were returned, since that
                 record goes with the bill. Cycles spread over several persons are the store's (empty_swipe_store.py).
    False alarm: a terminal that fails and is tried again after more than three minutes, on three days.
    Source:      docs/domain.md B4; readings.md 4.
    """

    id: ClassVar[str] = "empty_swipe_reverse"
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement, SettlementReversal, Fee})
    cell: ClassVar[Cell] = Month(before=BEFORE)
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("24", "第四十条第三项")

    reversals: int = 3  # followed by a bill of the same drug; domain.md B4
    within: timedelta = 60 * DAY  # from the first of them to the last; domain.md B4
    quick: timedelta = 30 * MINUTE  # from the bill to its reversal, at most; domain.md B4
    again: timedelta = 24 * HOUR  # from the reversal to the next bill, at most; domain.md B4
    retry: timedelta = 3 * MINUTE  # from a bill to the next of equal amount: a terminal that failed; domain.md B4

    def __post_init__(self) -> None:
        """Raises ValueError for limits beyond what the cell shows."""
        if self.within + self.quick + self.again > BEFORE:
            raise ValueError("within, quick, again: at most 62d together, since no more is shown")

    @property
    def gate(self) -> Gate:
        return Reversals(rows=self.reversals, within=timedelta.max)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        by_org: dict[str, list[Drug]] = defaultdict(list)
        for (org, item), cycles in self.cycles(unit).items():
            if rounds := self.shown(unit, self.rounds(cycles)):
                by_org[org].append(Drug(item, rounds))
        for org, drugs in by_org.items():
            yield self.finding(unit, org, drugs)

    def cycles(self, unit: Unit) -> dict[tuple[str, str], list[Cycle]]:
        """By institution and drug, each in the order of their bills."""
        found: dict[tuple[str, str], list[Cycle]] = defaultdict(list)
        taken_back = unit.taken_back()
        # what follows may be taken back in its turn
        bills = sorted((*unit.rows(Settlement), *(bill for _, bill in taken_back)), key=order)
        fees = unit.rows(Fee)
        for reversal, bill in sorted(taken_back, key=lambda pair: order(pair[1])):
            if timedelta(0) <= reversal.happened_at - bill.happened_at <= self.quick:
                later = [other for other in bills if self.follows(other, reversal)]
                for item in goods(bill, fees):
                    again = next((other for other in later if item in goods(other, fees)), None)
                    if again is not None:
                        found[bill.org, item].append(Cycle(bill, reversal, again))
        return found

    def follows(self, bill: Settlement, reversal: SettlementReversal) -> bool:
        since = reversal.happened_at
        return bill.org == reversal.org and since < bill.happened_at <= since + self.again

    def rounds(self, cycles: Sequence[Cycle]) -> list[Round]:
        rounds = [cycles[:1]]
        for last, cycle in pairwise(cycles):
            if self.is_retry(last.bill, cycle.bill):
                rounds[-1] = [*rounds[-1], cycle]
            else:
                rounds.append([cycle])
        return [tuple(one) for one in rounds]

    def is_retry(self, bill: Settlement, following: Settlement) -> bool:
        return bill.total == following.total and following.happened_at - bill.happened_at <= self.retry

    def shown(self, unit: Unit, rounds: Sequence[Round]) -> list[Round]:
        """Those of every window that is full and ends in the month, with the bill that completes it."""
        found: dict[Round, None] = {}
        for last in rounds:
            until = taken_back_at(last)
            window = [one for one in rounds if until - self.within < taken_back_at(one) <= until]
            if last[-1].again.happened_at >= unit.span.start and len(window) >= self.reversals:
                found.update(dict.fromkeys(window))
        return list(found)

    def finding(self, unit: Unit, org: str, drugs: Sequence[Drug]) -> Finding:
        main = max(drugs, key=lambda drug: (len(drug.rounds), drug.item))
        cycles = [cycle for drug in drugs for cycle in drug.cycles]
        bills = {bill.event_id: bill for cycle in cycles for bill in (cycle.bill, cycle.again)}
        standing = {bill.event_id for bill in unit.rows(Settlement)}
        zh, en = sentences(main, sum(bill.total for bill in bills.values()))
        return Finding(
            level=Level.ORANGE,
            subject=Subject("person", f"{org}/{unit.key}"),
            zh=zh,
            en=en,
            shows=[*bills.values(), *(cycle.reversal for cycle in cycles)],
            figures=self.figures(main),
            exclusions=tested(),
            checks=checks(main),
            orgs=(org,),
            at_risk=sum(bill.fund for bill in bills.values()),
            fund=sum(bill.fund for name, bill in bills.items() if name in standing),
            hits=len(main.rounds),
        )

    def figures(self, drug: Drug) -> tuple[Figure, ...]:
        age = max(cycle.age for cycle in drug.cycles)
        pause = max(cycle.pause for cycle in drug.cycles)
        retries = len(drug.cycles) - len(drug.rounds)
        return (
            Figure("reversal_cycles", len(drug.rounds), self.reversals, "times"),
            Figure("longest_until_reversal", round(age / MINUTE, 1), self.quick // MINUTE, "min"),
            Figure("longest_until_again", hours(pause), self.again // HOUR, "h"),
            *([Figure("retries_left_out", retries, None, "times")] if retries else []),
        )


def goods(bill: Settlement, fees: Sequence[Fee]) -> list[str]:
    """What was handed over; nothing of a refund."""
    lines = lines_of_bill(bill, fees)
    return list(dict.fromkeys(line.item for line in lines if is_goods(line) and line.count > 0 <= line.amount))


def taken_back_at(one: Round) -> datetime:
    return max(cycle.reversal.happened_at for cycle in one)


def tested() -> tuple[Exclusion, ...]:
    return (
        not_applicable("X01", "本规则看的正是退费与再结算", "reversals are what this rule looks at"),
        not_applicable("X12", "是否24小时营业不影响本规则", "opening hours do not matter to this rule"),
    )


def sentences(drug: Drug, total: int) -> tuple[str, str]:
    n = len(drug.rounds)
    first, last = drug.cycles[0].bill.happened_at, drug.cycles[-1].again.happened_at
    slowest = max(cycle.age for cycle in drug.cycles)
    return (
        f"{n}次结算后最迟{how_long(slowest)}退费、随后又结算同一药品：{day_zh(first)}至{day_zh(last)}，"
        f"所涉结算合计{yuan(total)}。",
        f"{n} times a bill was taken back within {how_long_en(slowest)} and the same drug settled again: "
        f"{day_en(first)} to {day_en(last)}, bills of {yuan_en(total)} yuan in all.",
    )


def checks(drug: Drug) -> tuple[Check, ...]:
    first, last = drug.cycles[0].bill.happened_at, drug.cycles[-1].again.happened_at
    return (
        *(
            Check(
                "调取收银处监控，核对参保人是否到场、药品是否交付又退回",
                "camera at the till: was the person there, were goods handed over and given back",
                one[0].bill.happened_at - CAMERA,
                taken_back_at(one) + CAMERA,
            )
            for one in drug.rounds[:SHOWN]
        ),
        Check(
            f"核对{drug.item}的销售退货记录和库存：退费后药品有没有回到货架",
            f"compare returns and stock of {drug.item}: did the goods come back to the shelf",
            first,
            last,
        ),
        Check(
            "询问参保人：为何多次退费，退款退到哪里、有没有收过现金",
            "ask the person why the bills were taken back, where the refund went, and whether cash was handed over",
        ),
    )
