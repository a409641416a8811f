"""Nearly all that a store sells of dear drugs, one doctor has prescribed (医生与药店勾连开方)."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from detectors.detector import Finding, Gate
from detectors.event import OFF, DrugRecord, Kind, Prescription, Settlement
from detectors.exclusions import taken_back
from detectors.finding import Check, Figure, Law, Level, Subject
from detectors.ledger import BILLS, Ledger
from detectors.pharmacy.rx_reused import OnPrescription
from detectors.scripts import EARLIER, SCRIPTS
from detectors.unit import DAY, Cell, Link, Month, Unit
from detectors.wording import day_en, day_zh, yuan, yuan_en


class Script(NamedTuple):
    """A prescription number as it was first settled at the store."""

    at: datetime
    rx: str
    bill: Settlement
    doctor: str  # "": nobody knows the prescription


class Hand(NamedTuple):
    """A doctor's share of the prescriptions settled in a stretch of days. total: everybody's."""

    doctor: str
    scripts: Sequence[Script]
    total: int

    @property
    def share(self) -> float:
        return len(self.scripts) / self.total


@dataclass(frozen=True, slots=True, kw_only=True)
class RxOneHand:
    """Fire when one doctor wrote 80 % of a store's prescriptions for watched drugs, of 30 or more in 30 days.

    Why:         a doctor writes what the store wants to settle, for patients who never see the goods.
    Blind spots: several doctors who take turns; drugs that are not on the watch list; prescriptions that nobody
                 fetched, whose doctor is unknown.
    False alarm: a store beside a special clinic with one doctor: the patients' visits there tell.
    Source:      docs/domain.md B5.
    """

    id: ClassVar[str] = "rx_missing_or_forged/doctor"
    of: ClassVar[Ledger] = BILLS
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement})
    cell: ClassVar[Cell] = Month(before=EARLIER)
    links: ClassVar[tuple[Link[Any], ...]] = (SCRIPTS,)
    law: ClassVar[Law] = Law("23", "第四十条第二项")
    gate: ClassVar[Gate] = OnPrescription(rows=1, within=timedelta(0), at_day_end=True)

    scripts: int = 30  # for watched drugs, in ``within``; domain.md B5
    within: timedelta = 30 * DAY  # the same
    share: float = 0.8  # of them by one doctor, at least; the same

    def __post_init__(self) -> None:
        """Raises ValueError for a limit beyond what the cell shows."""
        if self.within > EARLIER:
            raise ValueError(f"within: at most {EARLIER // DAY}d, since no more is shown")

    def judge(self, unit: Unit) -> Iterator[Finding]:
        first = first_uses(unit)
        if len(first) < self.scripts:
            return
        known = {rx: unit.look(SCRIPTS, Prescription, rx) for rx in first}
        scripts = [Script(bill.happened_at, rx, bill, doctor_of(known[rx], bill.person)) for rx, bill in first.items()]
        if hands := list(self.hands(unit, scripts)):
            yield self.finding(unit, max(hands, key=lambda hand: (len(hand.scripts), hand.share)), hands)

    def hands(self, unit: Unit, scripts: Sequence[Script]) -> Iterator[Hand]:
        """Of the days up to each prescription of the month. ``scripts``: oldest first."""
        window: deque[Script] = deque()
        counts: Counter[str] = Counter()
        for script in scripts:
            window.append(script)
            counts[script.doctor] += 1
            while window[0].at <= script.at - self.within:
                counts[window.popleft().doctor] -= 1
            if len(window) >= self.scripts and script.at >= unit.span.start:
                doctor, n = max(
                    ((name, n) for name, n in counts.items() if name), key=lambda pair: pair[::-1], default=("", 0)
                )
                if n >= self.share * len(window):
                    yield Hand(doctor, [one for one in window if one.doctor == doctor], len(window))

    def finding(self, unit: Unit, main: Hand, hands: Sequence[Hand]) -> Finding:
        bills = {script.bill.event_id: script.bill for hand in hands for script in hand.scripts}
        shown = sorted(bills.values(), key=lambda bill: (bill.happened_at, bill.event_id))
        n, total = len(main.scripts), sum(bill.fund for bill in shown)
        persons = len({script.bill.person for script in main.scripts})
        first, last = main.scripts[0].at, main.scripts[-1].at
        return Finding(
            level=Level.ORANGE,
            subject=Subject("org", unit.key),
            zh=f"{n}张重点药品处方由同一医师{main.doctor}开具，占本店{main.total}张的{main.share:.0%}，涉及{persons}人："
            f"{day_zh(first)}至{day_zh(last)}，统筹基金支付{yuan(total)}。",
            en=f"{n} of {main.total} prescriptions for watched drugs ({main.share:.0%}) are by doctor {main.doctor}, "
            f"for {persons} persons: {day_en(first)} to {day_en(last)}, {yuan_en(total)} yuan of the fund.",
            shows=shown,
            figures=(
                Figure("scripts_of_watched_drugs", main.total, self.scripts, "scripts"),
                Figure("doctors_share", round(main.share, 2), self.share, "ratio"),
                Figure("doctor", main.doctor, None, ""),
                Figure("users_of_script", persons, None, "persons"),
            ),
            exclusions=(taken_back(),),
            checks=(
                Check(
                    f"调取医师{main.doctor}同期门诊记录，核对患者是否就诊、处方是否本人开具",
                    f"compare the clinic's records of doctor {main.doctor}: were these patients seen there",
                    first,
                    last,
                ),
                Check(
                    "抽取患者电话或上门核实：是否拿到药品、由谁取药",
                    "ask some of the patients: did they get the goods, and who fetched them",
                ),
            ),
            orgs=(unit.key,),
            hits=n,
        )


def first_uses(unit: Unit) -> Mapping[str, Settlement]:
    """By number, its first bill here for a watched drug, oldest first."""
    found: dict[str, Settlement] = {}
    for bill in unit.rows(Settlement):
        for line in bill.lines:
            if line.rx and line.rx not in found and is_watched(unit, line.item, bill.happened_at):
                found[line.rx] = bill
    return found


def is_watched(unit: Unit, item: str, at: datetime) -> bool:
    record = unit.fact(DrugRecord, item, at)
    return record is not None and record.watched != OFF


def doctor_of(scripts: Sequence[Prescription], person: str) -> str:
    """Who wrote the number for this person."""
    return next((script.doctor for script in scripts if script.person == person), "")
