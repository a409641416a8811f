"""A store settles again and again on prescriptions that it has settled on before (重复使用处方)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from detectors.detector import Finding, Gate
from detectors.event import Kind, Prescription, Settlement
from detectors.exclusions import not_applicable, taken_back
from detectors.file import File
from detectors.finding import Check, Figure, Law, Level, Subject
from detectors.ledger import RX, STOCK, Ledger, stock_of_lines
from detectors.month import month_of
from detectors.scripts import Use, used_again, uses
from detectors.stays import in_scope
from detectors.unit import DAY, Cell, Link, Month, Touched, Unit, day_end
from detectors.wording import day_en, day_zh, yuan, yuan_en

LATEST = 8 * DAY  # later than 7 days no bill is taken (readings 1)
EARLIER = 30 * DAY  # before the month: where the first use may lie; domain.md B5 looks back so far


def used_at(script: Prescription, number: File, now: datetime) -> Iterator[Touched]:
    """A prescription tells whose the number is, and whether it is handed out in parts."""
    for bill in number.kinds.get(Settlement, ()):
        month, until = month_of(bill.happened_at), min(now, bill.happened_at + EARLIER)
        for stock in stock_of_lines(bill):
            yield Touched(stock, month.name)
        while month.to is not None and month.to <= until:
            month = month_of(month.to)
            for stock in stock_of_lines(bill):
                yield Touched(stock, month.name)


SCRIPTS = Link(ledger=RX, reads=frozenset({Prescription}), units=used_at)


@dataclass(frozen=True, slots=True)
class OnPrescription(Gate):
    """Judge a drug at a store for the bills that name a prescription."""

    def opens(self, arrival: Any, file: File, kinds: Iterable[Kind]) -> bool:
        """Any: a Settlement."""
        return any(line.rx for line in arrival.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class RxReused:
    """Fire when a store has, in a month, settled a drug on three prescriptions that were used before.

    Why:         one number used twice may be a slip of the hand; three are a way of selling.
    Blind spots: numbers reused for different drugs, or at different stores: each is told for itself.
    False alarm: as for a single number.
    Source:      docs/domain.md B5: red from 3 reused prescriptions on.
    """

    id: ClassVar[str] = "rx_missing_or_forged/store"
    of: ClassVar[Ledger] = STOCK
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement})
    cell: ClassVar[Cell] = Month(before=EARLIER)
    links: ClassVar[tuple[Link[Any], ...]] = (SCRIPTS,)
    law: ClassVar[Law] = Law("23", "第四十条第二项")
    gate: ClassVar[Gate] = OnPrescription(rows=1, within=timedelta(0), at_day_end=True)

    scripts: int = 3  # reused in the month: red; domain.md B5

    def judge(self, unit: Unit) -> Iterator[Finding]:
        repeated = {rx: bills for rx, bills in by_number(unit.rows(Settlement)).items() if len(bills) > 1}
        if len(repeated) < self.scripts:
            return
        if unit.now <= max(bills[-1].happened_at for bills in repeated.values()) + LATEST:
            # whose bill of an earlier day comes only now may be a prescription of today: that is shown tomorrow
            unit.wake(day_end(unit.now))
        reused = {rx: again for rx, bills in repeated.items() if (again := self.again(unit, rx, bills))}
        if len(reused) >= self.scripts:
            yield self.finding(unit, reused)

    def again(self, unit: Unit, rx: str, bills: Sequence[Settlement]) -> list[Use]:
        """The uses of the month itself that were not the number's first."""
        found = used_again(uses(bills, rx), unit.look(SCRIPTS, Prescription, rx))
        return [use for use in found if use.at >= unit.span.start]

    def finding(self, unit: Unit, reused: Mapping[str, Sequence[Use]]) -> Finding:
        org, _, item = unit.key.partition("/")
        bills = [bill for bill in unit.rows(Settlement) if any(line.rx in reused for line in bill.lines)]
        again = [use for uses in reused.values() for use in uses]
        amount = in_scope([line for use in again for line in use.lines])
        persons = len({bill.person for bill in bills})
        first = bills[0].happened_at
        return Finding(
            level=Level.RED,
            subject=Subject("org", org),
            zh=f"{len(reused)}个处方号在本店被重复使用，{day_zh(first)}起同一药品结算{len(bills)}笔、{persons}人，"
            f"其中重复部分医保范围内金额{yuan(amount)}。",
            en=f"{len(reused)} prescription numbers were used again at this store: since {day_en(first)} "
            f"{len(bills)} bills for one drug and {persons} persons, {yuan_en(amount)} yuan in scope of it repeated.",
            shows=bills,
            figures=(
                Figure("reused_scripts", len(reused), self.scripts, "scripts"),
                Figure("users_of_script", persons, None, "persons"),
            ),
            exclusions=(
                taken_back(),
                not_applicable("X05", "长期处方分次配药不计", "long ones handed out in parts do not count"),
            ),
            checks=(
                Check(
                    "逐张调取这些处方的原件或影像，核对患者与结算人是否一致",
                    "ask for each of these prescriptions: is its patient the person who was settled",
                ),
                Check(
                    f"核对{item}的进货和库存：是否真的售出",
                    f"compare purchases and stock of {item}: was it sold at all",
                ),
            ),
            orgs=(org,),
            at_risk=amount,
            fund=sum(use.bill.fund for use in again),
            hits=len(again),
        )


def by_number(bills: Iterable[Settlement]) -> dict[str, list[Settlement]]:
    found: dict[str, list[Settlement]] = defaultdict(list)
    for bill in bills:
        for rx in dict.fromkeys(line.rx for line in bill.lines if line.rx):
            found[rx].append(bill)
    return found
