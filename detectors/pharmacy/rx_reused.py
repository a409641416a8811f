"""A store settles again and again on prescriptions that it has settled on before (重复使用处方)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from detectors.detector import Finding, Gate
from detectors.event import Kind, Prescription, Settlement
from detectors.exclusions import not_applicable, taken_back
from detectors.file import File
from detectors.finding import Check, Figure, Law, Level, Subject
from detectors.ledger import BILLS, Ledger
from detectors.scripts import EARLIER, LATEST, SCRIPTS, Use, by_number, used_again, uses
from detectors.stays import in_scope
from detectors.unit import Cell, Link, Month, Unit, day_end
from detectors.wording import day_en, day_zh, yuan, yuan_en


@dataclass(frozen=True, slots=True)
class OnPrescription(Gate):
    """Judge a store for the bills that name a prescription."""

    def opens(self, arrival: Any, file: File, kinds: Iterable[Kind]) -> bool:
        """Any: a Settlement."""
        return any(line.rx for line in arrival.lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class RxReused:
    """Fire when a store has, in a month, settled on three prescriptions that were used before.

    Why:         one number used twice may be a slip of the hand; three are a way of selling.
    Blind spots: numbers reused at different stores: each store is told for itself.
    False alarm: as for a single number.
    Source:      docs/domain.md B5: red from 3 reused prescriptions on.
    """

    id: ClassVar[str] = "rx_missing_or_forged/store"
    of: ClassVar[Ledger] = BILLS
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
        told = {rx: unit.look(SCRIPTS, Settlement, rx) for rx in repeated}
        known = {rx: unit.look(SCRIPTS, Prescription, rx) for rx in repeated}
        reused = {rx: again for rx in repeated if (again := self.again(unit, rx, told[rx], known[rx]))}
        if len(reused) >= self.scripts:
            yield self.finding(unit, reused, [bill for rx in reused for bill in here(unit, told[rx])])

    def again(self, unit: Unit, rx: str, bills: Sequence[Settlement], scripts: Sequence[Prescription]) -> list[Use]:
        """The uses of the month itself, at this store, that were not the number's first here."""
        return [use for use in used_again(uses(here(unit, bills), rx), scripts) if use.at >= unit.span.start]

    def finding(self, unit: Unit, reused: Mapping[str, Sequence[Use]], told: Sequence[Settlement]) -> Finding:
        again = [use for uses in reused.values() for use in uses]
        amount = in_scope([line for use in again for line in use.lines])
        bills = sorted(
            {bill.event_id: bill for bill in told}.values(), key=lambda bill: (bill.happened_at, bill.event_id)
        )
        persons = len({bill.person for bill in bills})
        first = bills[0].happened_at
        return Finding(
            level=Level.RED,
            subject=Subject("org", unit.key),
            zh=f"{len(reused)}个处方号在本店被重复使用，{day_zh(first)}起共结算{len(bills)}笔、{persons}人，"
            f"其中重复部分医保范围内金额{yuan(amount)}。",
            en=f"{len(reused)} prescription numbers were used again at this store: since {day_en(first)} "
            f"{len(bills)} bills and {persons} persons, {yuan_en(amount)} yuan in scope of it repeated.",
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
                    "核对所涉药品的进货和库存：是否真的售出",
                    "compare purchases and stock of these drugs: were they sold at all",
                ),
            ),
            orgs=(unit.key,),
            at_risk=amount,
            fund=sum({use.bill.event_id: use.bill.fund for use in again}.values()),
            hits=len(again),
        )


def here(unit: Unit, bills: Sequence[Settlement]) -> list[Settlement]:
    """Of the bills of a number, this store's, within reach."""
    return [bill for bill in bills if bill.org == unit.key and unit.span.reach <= bill.happened_at < unit.span.end]
