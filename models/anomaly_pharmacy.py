"""A pharmacy's day that is unlike that of its peers, or unlike its own days (药店异常日)."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar

from detectors.detector import DAILY, NO_LIMIT, Finding, Gate
from detectors.event import Kind, Settlement
from detectors.finding import Check, Law, Subject
from detectors.ledger import BILLS, Ledger
from detectors.unit import Cell, Day, Link, Unit
from models.model import Model
from models.unusual import OnScored, finding, strange, unheard, whole_day
from models.watch import PHARMACY_REACH, pharmacy


@dataclass(frozen=True, slots=True, kw_only=True)
class AnomalyPharmacy:
    """Fire on a day of a pharmacy that the trained model finds stranger than its threshold.

    Why:         new ways of cashing out show in how a store's day looks before anybody has written a rule for them.
    Blind spots: what was always so at the store and its peers; ramps that are slower than a month; goods without bills.
    False alarm: a promotion, a festival, a new residential block. A hint says where to look, not that there is fraud.
    Source:      docs/model.md; readings 5: judged 24 h after the day's end, thresholds as the model was promoted with.
    """

    id: ClassVar[str] = "anomaly_pharmacy"
    of: ClassVar[Ledger] = BILLS
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement})
    cell: ClassVar[Cell] = Day(before=PHARMACY_REACH)
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("20", "第二十四条")
    gate: ClassVar[Gate] = DAILY

    model: Model | None = field(default=None, metadata=NO_LIMIT)
    on_scored: OnScored = field(default=unheard, compare=False, repr=False, metadata=NO_LIMIT)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        if self.model is None or not unit.key.startswith("P") or not unit.own(Settlement):
            return
        if found := strange(unit, self.model, pharmacy, self.on_scored):
            checks = (
                whole_day(
                    found.watched.start,
                    "调取当天营业时段及夜间收银处监控，核对结算笔数与实际到店人数",
                    "cameras at the till for the day and the night: as many customers as bills",
                ),
                Check(
                    "抽查当天结算的处方、小票、随货同行单与库存，核对药品是否真实售出",
                    "a sample of the day's prescriptions, receipts, delivery notes and stock: were the goods sold",
                ),
            )
            yield from finding(found, self.model, Subject("org", unit.key), "该药店", "this pharmacy", checks)
