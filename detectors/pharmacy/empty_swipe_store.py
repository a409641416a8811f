"""A store takes back bill after bill as soon as they are made, whoever's they are (整店快速退费)."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

from detectors.detector import TICK, Finding, Gate
from detectors.event import Kind, Settlement, SettlementReversal
from detectors.exclusions import not_applicable
from detectors.file import File
from detectors.finding import Check, Figure, Law, Level, Subject
from detectors.ledger import BILLS, PERSON, Ledger
from detectors.month import month_of
from detectors.unit import DAY, MINUTE, Cell, Link, Month, Touched, Unit
from detectors.wording import day_en, day_zh, how_long, how_long_en, yuan, yuan_en

WEEK = 7 * DAY
CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
SHOWN = 3  # bills whose recordings are asked for
ZERO = timedelta(0)
_time = attrgetter("happened_at")


def store_of(bill: Settlement, person: File, now: datetime) -> Iterator[Touched]:
    """A bill may come after what took it back: how quickly that was is known only now."""
    for reversal in person.kinds.get(SettlementReversal, ()):
        if reversal.takes_back == bill.undone_by and is_store(bill.org):
            for moment in (reversal.happened_at, reversal.happened_at + WEEK):
                yield Touched(bill.org, month_of(moment).name)


def is_store(org: str) -> bool:
    return org.startswith("P")


BILLS_OF_PERSON = Link(
    ledger=PERSON,
    reads=frozenset({Settlement, SettlementReversal}),
    led_by=frozenset({Settlement}),
    units=store_of,
)


@dataclass(frozen=True, slots=True)
class Reversals(Gate):
    """Judge a store's day only where so many bills were taken back within a week of it."""

    def admits(self, file: File, kinds: Iterable[Kind]) -> bool:
        return len(file.kinds.get(SettlementReversal, ())) >= self.rows

    def opens(self, arrival: Any, file: File, kinds: Iterable[Kind]) -> bool:
        """Any: a Settlement or a SettlementReversal."""
        if not is_store(arrival.org):
            return False
        moment = arrival.happened_at
        return len(file.rows(SettlementReversal, moment - self.within, moment + self.within + TICK)) >= self.rows


class Undone(NamedTuple):
    """A bill, and how it was taken back."""

    bill: Settlement
    reversal: SettlementReversal

    @property
    def at(self) -> datetime:
        return self.reversal.happened_at

    @property
    def age(self) -> timedelta:
        return self.at - self.bill.happened_at


class Week(NamedTuple):
    """The seven days up to a quick reversal. bills: all that were made and stand, and those taken back."""

    undone: Sequence[Undone]
    bills: int

    @property
    def share(self) -> float:
        return len(self.undone) / self.bills


@dataclass(frozen=True, slots=True, kw_only=True)
class EmptySwipeStore:
    """Fire when a store takes back 20 bills of a week, and 5 % of all, within half an hour of making them.

    Why:         cards are swiped for the record, or for cash, and no goods move: over many persons, each once or twice.
    Blind spots: hospitals and clinics, where an appointment is given back the same way; bills taken back later.
    False alarm: a terminal that failed for days: who was served again within three minutes for the same amount is left
                 out. A new cashier who keys in amounts wrongly.
    Source:      docs/domain.md B4. Readings 4 name the alert of a person; this one is the store's, by month.
    """

    id: ClassVar[str] = "empty_swipe_reverse/store"
    of: ClassVar[Ledger] = BILLS
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement, SettlementReversal})
    cell: ClassVar[Cell] = Month(before=WEEK)
    links: ClassVar[tuple[Link[Any], ...]] = (BILLS_OF_PERSON,)
    law: ClassVar[Law] = Law("24", "第四十条第三项")

    reversals: int = 20  # quick ones in seven days; domain.md B4
    share: float = 0.05  # of the bills of these days, at least; domain.md B4
    quick: timedelta = 30 * MINUTE  # from the bill to its reversal, at most; domain.md B4
    retry: timedelta = 3 * MINUTE  # to the next bill of equal amount: a terminal that failed; domain.md B4

    @property
    def gate(self) -> Gate:
        return Reversals(rows=self.reversals, within=WEEK, at_day_end=True)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        if not is_store(unit.key):
            return
        taken_back = unit.rows(SettlementReversal)
        standing = unit.rows(Settlement)
        if not self.may_be_many(taken_back, standing):
            return
        undone = [Undone(bill, reversal) for reversal in taken_back if (bill := self.bill_of(unit, reversal))]
        quick = [one for one in undone if ZERO <= one.age <= self.quick and not self.is_retry(one, undone, standing)]
        weeks = [week for last in quick if last.at >= unit.span.start and (week := self.week(last, quick, standing))]
        if weeks:
            yield self.finding(unit, max(weeks, key=lambda week: len(week.undone)), weeks)

    def may_be_many(self, taken_back: Sequence[SettlementReversal], standing: Sequence[Settlement]) -> bool:
        """Before anybody's own file is opened: however quick each of them was."""
        if len(taken_back) < self.reversals:
            return False
        counts = ((within_week(taken_back, one.happened_at), one.happened_at) for one in taken_back)
        return any(n >= self.reversals and n >= self.share * (n + within_week(standing, until)) for n, until in counts)

    def bill_of(self, unit: Unit, reversal: SettlementReversal) -> Settlement | None:
        return unit.look_taken_back(BILLS_OF_PERSON, reversal.person, reversal)

    def is_retry(self, one: Undone, undone: Sequence[Undone], standing: Sequence[Settlement]) -> bool:
        """Soon made again for the same amount."""
        since = one.bill.happened_at
        following = (*(other.bill for other in undone), *between(standing, since, since + self.retry))
        return any(
            bill.person == one.bill.person
            and bill.total == one.bill.total
            and ZERO < bill.happened_at - since <= self.retry
            for bill in following
        )

    def week(self, last: Undone, quick: Sequence[Undone], standing: Sequence[Settlement]) -> Week | None:
        until = last.at
        undone = [one for one in quick if until - WEEK < one.at <= until]
        week = Week(undone, len(undone) + within_week(standing, until))
        return week if len(undone) >= self.reversals and week.share >= self.share else None

    def finding(self, unit: Unit, fullest: Week, weeks: Sequence[Week]) -> Finding:
        undone = list(dict.fromkeys(one for week in weeks for one in week.undone))
        n, persons = len(fullest.undone), len({one.bill.person for one in fullest.undone})
        first, last = fullest.undone[0].at, fullest.undone[-1].at
        slowest = max(one.age for one in fullest.undone)
        total = sum(one.bill.total for one in undone)
        return Finding(
            level=Level.ORANGE,
            subject=Subject("org", unit.key),
            zh=f"{n}笔结算在{how_long(slowest)}内退费，占一周结算的{fullest.share:.0%}，涉及{persons}人："
            f"{day_zh(first)}至{day_zh(last)}，全部退费所涉金额{yuan(total)}。",
            en=f"{n} bills were taken back within {how_long_en(slowest)}, {fullest.share:.0%} of the week's, of "
            f"{persons} persons: {day_en(first)} to {day_en(last)}; {yuan_en(total)} yuan taken back in all.",
            shows=[event for one in undone for event in one],
            figures=(
                Figure("quick_reversals", n, self.reversals, "times"),
                Figure("quick_reversal_share", round(fullest.share, 3), self.share, "ratio"),
                Figure("longest_until_reversal", round(slowest / MINUTE, 1), self.quick // MINUTE, "min"),
                Figure("persons_taken_back", persons, None, "persons"),
            ),
            exclusions=(
                not_applicable("X01", "本规则看的正是退费", "reversals are what this rule looks at"),
                not_applicable("X12", "是否24小时营业不影响本规则", "opening hours do not matter to this rule"),
            ),
            checks=checks(unit.key, undone),
            orgs=(unit.key,),
            at_risk=sum(one.bill.fund for one in undone),
            fund=0,
            hits=len(undone),
        )


def within_week(rows: Sequence[Any], until: datetime) -> int:
    """How many of these, oldest first, happened in the seven days up to then. Any: Events of one kind."""
    return bisect_right(rows, until, key=_time) - bisect_right(rows, until - WEEK, key=_time)


def between(rows: Sequence[Settlement], since: datetime, until: datetime) -> Sequence[Settlement]:
    """After the one, up to the other; oldest first."""
    return rows[bisect_right(rows, since, key=_time) : bisect_right(rows, until, key=_time)]


def checks(store: str, undone: Sequence[Undone]) -> tuple[Check, ...]:
    return (
        *(
            Check(
                "调取收银处监控，核对参保人是否到场、药品是否交付又退回",
                "camera at the till: was the person there, were goods handed over and given back",
                one.bill.happened_at - CAMERA,
                one.at + CAMERA,
            )
            for one in undone[:SHOWN]
        ),
        Check(
            f"核对{store}这几天的退货记录和库存：退费后药品有没有回到货架",
            f"compare returns and stock of {store} on these days: did the goods come back to the shelf",
            undone[0].at,
            undone[-1].at,
        ),
        Check(
            "询问收银员：为何一再退费，终端有没有故障记录，退款退到哪里",
            "ask the cashiers why bills were taken back, whether the terminal failed, and where the refunds went",
        ),
    )
