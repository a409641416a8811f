"""A person's day that is unlike that of others of the same age and health, or unlike the person's own (人员异常日)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from detectors.detector import DAILY, NO_LIMIT, Finding, Gate
from detectors.event import Kind, Settlement, SettlementReversal
from detectors.finding import Check, Law, Subject
from detectors.ledger import PERSON, Ledger
from detectors.unit import Cell, Day, Link, Unit
from models.model import Model
from models.unusual import OnScored, finding, strange, unheard, whole_day
from models.watch import PERSON_REACH, person


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyPerson:
    """Fire on a day of out-patient bills that the trained model finds stranger than its threshold.

    Why:         what no rule describes is still unlike everybody else's: many bills, stores, packs, amounts at once.
    Blind spots: stays in hospital; what is strange in ways that are not measured; whoever was trained on.
    False alarm: illness begins; a family stocks up before a journey. A hint says where to look, no more.
    Source:      docs/model.md; readings 5: judged 24 h after the day's end, thresholds as the model was promoted with.
    """

    id: ClassVar[str] = "anomaly_person"
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement, SettlementReversal})
    cell: ClassVar[Cell] = Day(before=PERSON_REACH)
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("27", "第二十四条")
    gate: ClassVar[Gate] = DAILY

    model: Model | None = field(default=None, metadata=NO_LIMIT)
    on_scored: OnScored = field(default=unheard, compare=False, repr=False, metadata=NO_LIMIT)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        if self.model is None or not unit.own(Settlement):
            return
        if found := strange(unit, self.model, person, self.on_scored):
            checks = (
                whole_day(
                    found.watched.start,
                    "核对当天各笔结算的处方、购药小票和实名核验记录，必要时调取收银处监控",
                    "compare the day's bills with prescriptions, receipts and checks of identity; cameras if need be",
                ),
                Check(
                    "电话或上门核实参保人当天是否本人就诊购药，药品是否本人使用",
                    "ask the person whether they were there, and whether the drugs are for their own use",
                ),
            )
            yield from finding(found, self.model, Subject("person", unit.key), "该参保人", "this person", checks)
