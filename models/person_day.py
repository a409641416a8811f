"""A person's day in numbers: out-patient bills of the day, and of the month that ends with it (人日特征)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise

from detectors.event import CHINA, PersonRecord, Settlement, SettlementReversal, day_of
from detectors.settlement_kinds import IN_PATIENT, is_one_of
from detectors.unit import DAY, MINUTE
from models.feature import Feature, Measures, measures

WEEK, MONTH = 7 * DAY, 30 * DAY
NIGHT = (22, 6)  # o'clock
FEN = 100  # a yuan

FEATURES = (
    Feature("person_bills_day", "当日结算次数", "bills that day", "times"),
    Feature("person_amount_day", "当日医疗费用", "amount that day", "yuan"),
    Feature("person_fund_day", "当日统筹支付", "paid by the fund that day", "yuan"),
    Feature("person_account_day", "当日个人账户支付", "paid from the account that day", "yuan"),
    Feature("person_largest_bill", "当日最大一笔", "largest bill that day", "yuan"),
    Feature("person_orgs_day", "当日机构数", "institutions that day", "institutions"),
    Feature("person_items_day", "当日药品项目种数", "different items that day", "items"),
    Feature("person_packs_day", "当日药品数量", "packs that day", "packs"),
    Feature("person_same_item_day", "当日在多笔结算中重复的项目数", "items on several bills that day", "items"),
    Feature("person_night_bills", "夜间结算次数", "bills at night", "times"),
    Feature("person_strange_area", "参保地以外结算次数", "bills outside the insured area", "times"),
    Feature("person_by_agent", "他人代办次数", "bills by an agent", "times"),
    Feature(
        "person_shortest_gap", "跨机构最短间隔", "shortest gap between institutions", "min", direction=-1, own=False
    ),
    Feature("person_bills_week", "近7天结算次数", "bills in 7 days", "times", own=False),
    Feature("person_bills_month", "近30天结算次数", "bills in 30 days", "times", own=False),
    Feature("person_amount_month", "近30天医疗费用", "amount in 30 days", "yuan", own=False),
    Feature("person_fund_month", "近30天统筹支付", "paid by the fund in 30 days", "yuan", own=False),
    Feature("person_account_week", "近7天个人账户支付", "paid from the account in 7 days", "yuan", own=False),
    Feature("person_orgs_month", "近30天机构数", "institutions in 30 days", "institutions", own=False),
    Feature("person_days_month", "近30天就诊购药天数", "days with bills in 30 days", "days", own=False),
    Feature("person_items_month", "近30天药品项目种数", "different items in 30 days", "items", own=False),
    Feature("person_most_packs", "近30天同一药品数量", "packs of one item in 30 days", "packs", own=False),
    Feature("person_reversals", "近30天退费次数", "bills taken back in 30 days", "times", own=False),
)
NO_GAP = 24 * 60.0  # minutes: nowhere else on that day


def is_out_patient(bill: Settlement) -> bool:
    return not is_one_of(bill.med_type, IN_PATIENT)


def measured(
    start: datetime, bills: Sequence[Settlement], reversals: Sequence[SettlementReversal], *, closed: bool
) -> Measures:
    """bills: out-patient, oldest first, of the 30 days that end with the day of ``start``. closed: see ``of_day``."""
    end = start + DAY
    day = [bill for bill in bills if start <= bill.happened_at < end]
    month = [] if closed else [bill for bill in bills if end - MONTH <= bill.happened_at < end]
    week = [bill for bill in month if bill.happened_at >= end - WEEK]
    packs = _packs(month)
    lines = [{line.item for line in bill.lines} for bill in day]
    on_bills = Counter(item for items in lines for item in items)
    return measures(
        FEATURES,
        (
            *(len(day), _yuan(b.total for b in day), _yuan(b.fund for b in day), _yuan(b.account for b in day)),
            max((b.total for b in day), default=0) / FEN,
            *(len({b.org for b in day}), len(on_bills), sum(_packs(day).values())),
            sum(n > 1 for n in on_bills.values()),
            sum(at_night(b.happened_at) for b in day),
            sum(b.insured_area[:4] != b.care_area[:4] for b in day if b.insured_area and b.care_area),
            sum(bool(b.agent) or b.verify_mode == "agent" for b in day),
            shortest_gap(day),
            *(len(week), len(month), _yuan(b.total for b in month), _yuan(b.fund for b in month)),
            *(_yuan(b.account for b in week), len({b.org for b in month})),
            *(len({day_of(b.happened_at) for b in month}), len(packs), max(packs.values(), default=0.0)),
            0 if closed else sum(end - MONTH <= r.happened_at < end for r in reversals),
        ),
    )


def _yuan(amounts: Iterable[int]) -> float:
    return sum(amounts) / FEN


def _packs(bills: Sequence[Settlement]) -> Counter[str]:
    packs: Counter[str] = Counter()
    for bill in bills:
        for line in bill.lines:
            if not line.by_unit and not line.list_type.startswith("2"):
                packs[line.item] += int(line.count)
    return packs


def shortest_gap(day: Sequence[Settlement]) -> float:
    """Minutes between two bills in a row at two institutions."""
    gaps = [(b.happened_at - a.happened_at) / MINUTE for a, b in pairwise(day) if a.org != b.org]
    return min(gaps, default=NO_GAP)


def at_night(moment: datetime) -> bool:
    hour = (moment if moment.tzinfo == CHINA else moment.astimezone(CHINA)).hour
    return hour >= NIGHT[0] or hour < NIGHT[1]


def groups(record: PersonRecord | None, at: datetime) -> tuple[str, ...]:
    """Whom to compare with: of the same age, with or without a registered disease; then of the same age; then all."""
    if record is None or record.born_on is None:
        return ("",)
    years = (day_of(at) - record.born_on).days / 365.25
    age = next(name for least, name in AGES if years >= least)
    return (f"{age}/{'chronic' if record.diseases else 'well'}", age, "")


AGES = ((75, "75+"), (60, "60-74"), (45, "45-59"), (18, "18-44"), (-200, "0-17"))
