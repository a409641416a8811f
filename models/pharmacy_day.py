"""A pharmacy's day in numbers, from its bills (药店日特征)."""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import fmean, median, pstdev

from detectors.event import OrgRecord, Settlement
from detectors.unit import DAY, HOUR, MINUTE
from models.feature import Counted, Feature, Measures, measures
from models.person_day import FEN, at_night

KNOWN = 28 * DAY  # who has not been here for so long is new
RUSH = 10 * MINUTE
FEW = 4  # bills: of fewer, gaps say nothing

FEATURES = (
    Feature("pharmacy_bills", "当日结算笔数", "bills that day", "times"),
    Feature("pharmacy_amount", "当日费用", "amount that day", "yuan"),
    Feature("pharmacy_fund", "当日统筹支付", "paid by the fund that day", "yuan"),
    Feature("pharmacy_mean_bill", "笔均费用", "mean bill", "yuan"),
    Feature("pharmacy_high_bill", "费用第90百分位", "90th percentile of bills", "yuan"),
    Feature("pharmacy_largest_bill", "最大一笔", "largest bill", "yuan"),
    Feature("pharmacy_per_person", "人均费用", "amount per person", "yuan"),
    Feature("pharmacy_persons", "当日人数", "persons that day", "persons"),
    Feature("pharmacy_most_of_one", "同一人最多结算次数", "most bills of one person", "times"),
    Feature("pharmacy_again", "同日再次结算占比", "share of further bills of a person", "share", "share"),
    Feature("pharmacy_busiest_hour", "最忙一小时笔数", "bills in the busiest hour", "times"),
    Feature("pharmacy_rush", "10分钟内最多笔数", "most bills in 10 min", "times"),
    Feature("pharmacy_rush_persons", "同一终端10分钟内最多人数", "most persons at one till in 10 min", "persons"),
    Feature("pharmacy_night", "夜间结算占比", "share of bills at night", "share", "share", usual=0.01),
    Feature("pharmacy_short_gaps", "结算间隔中位数", "median gap between bills", "min", direction=-1),
    Feature("pharmacy_even_gaps", "间隔不均匀程度", "unevenness of gaps", direction=-1),
    Feature("pharmacy_same_amount", "同一金额占比", "share of the commonest amount", "share", "share", usual=0.2),
    Feature("pharmacy_round", "整十元金额占比", "share of amounts in whole tens", "share", "share"),
    Feature("pharmacy_even_amounts", "金额离散程度", "spread of amounts", direction=-1),
    Feature("pharmacy_top_item", "最多药品占比", "share of the commonest item", "share", "share", usual=0.2),
    Feature("pharmacy_lines", "每笔药品数", "lines a bill"),
    Feature("pharmacy_fund_share", "统筹支付占比", "share paid by the fund", "share", "share", usual=0.5),
    Feature("pharmacy_account_share", "个人账户支付占比", "share paid from accounts", "share", "share", usual=0.3),
    Feature("pharmacy_not_local", "异地参保人占比", "share insured elsewhere", "share", "share"),
    Feature("pharmacy_by_agent", "他人代办占比", "share by an agent", "share", "share"),
    Feature("pharmacy_by_card", "实体卡结算占比", "share by card", "share", "share", usual=0.3),
    Feature("pharmacy_late", "补传占比", "share uploaded late", "share", "share"),
    Feature(
        "pharmacy_new",
        "28天内首次到店人数占比",
        "share of persons new in 28 days",
        "share",
        "share",
        own=False,
        usual=0.6,
    ),
)


def measured(start: datetime, bills: Sequence[Settlement], *, closed: bool, is_known: bool = False) -> Measures:
    """bills: oldest first, of the 28 days before ``start`` and of its day. closed: see ``models.day``.

    is_known: for 28 days; before that everybody is new, which says nothing.
    """
    first = bisect_left(bills, start, key=_time)
    day = bills[first : bisect_left(bills, start + DAY, key=_time)]
    n = len(day)
    amounts = [bill.total / FEN for bill in day]
    total = sum(amounts)
    persons = Counter(bill.person for bill in day)
    gaps = [(b.happened_at - a.happened_at) / MINUTE for a, b in pairwise(day)]
    items = Counter(line.item for bill in day for line in bill.lines)
    lines = sum(items.values())
    compared = is_known and not closed
    regulars = {b.person for b in bills[:first] if b.happened_at >= start - KNOWN} if compared else set()
    return measures(
        FEATURES,
        (
            *(n, total, sum(b.fund for b in day) / FEN, total / n if n else 0.0),
            *(_high(amounts), max(amounts, default=0.0), total / len(persons) if persons else 0.0),
            *(len(persons), max(persons.values(), default=0), Counted(n - len(persons), n)),
            *(most_within(day, HOUR), most_within(day, RUSH), most_persons_at_a_till(day)),
            Counted(sum(at_night(b.happened_at) for b in day), n),
            median(gaps) if n >= FEW else NO_GAP,
            _unevenness(gaps) if n >= FEW else ORDINARY,
            Counted(max(Counter(amounts).values(), default=0), n),
            Counted(sum(b.total % (10 * FEN) == 0 for b in day), n),
            _unevenness(amounts) if n >= FEW else ORDINARY,
            Counted(max(items.values(), default=0), lines),
            lines / n if n else 0.0,
            Counted(_part(sum(b.fund for b in day) / FEN, total) * n, n),
            Counted(_part(sum(b.account for b in day) / FEN, total) * n, n),
            Counted(sum(b.insured_area[:4] != b.care_area[:4] for b in day if b.insured_area and b.care_area), n),
            Counted(sum(bool(b.agent) or b.verify_mode == "agent" for b in day), n),
            Counted(sum(b.cert_type == "03" for b in day), n),
            Counted(sum(b.late for b in day), n),
            Counted(sum(one not in regulars for one in persons), len(persons)) if compared else Counted(0, 0),
        ),
    )


NO_GAP = 60.0  # minutes
ORDINARY = 1.0  # of unevenness: as of arrivals by chance


def _time(bill: Settlement) -> datetime:
    return bill.happened_at


def _high(amounts: Sequence[float]) -> float:
    """The 90th percentile, of those that occur."""
    return sorted(amounts)[int(0.9 * (len(amounts) - 1))] if amounts else 0.0


def _unevenness(values: Sequence[float]) -> float:
    """Standard deviation over mean."""
    mean = fmean(values)
    return pstdev(values) / mean if mean else 0.0


def _part(some: float, total: float) -> float:
    return min(max(some / total, 0.0), 1.0) if total > 0 else 0.0


def most_within(bills: Sequence[Settlement], span: timedelta) -> int:
    most = first = 0
    for last, bill in enumerate(bills):
        while bill.happened_at - bills[first].happened_at > span:
            first += 1
        most = max(most, last - first + 1)
    return most


def most_persons_at_a_till(bills: Iterable[Settlement]) -> int:
    tills: dict[str, list[Settlement]] = defaultdict(list)
    for bill in bills:
        tills[bill.till].append(bill)
    return max((_most_persons(at_till) for at_till in tills.values()), default=0)


def _most_persons(bills: Sequence[Settlement]) -> int:
    most = first = 0
    for last, bill in enumerate(bills):
        while bill.happened_at - bills[first].happened_at > RUSH:
            first += 1
        most = max(most, len({one.person for one in bills[first : last + 1]}))
    return most


def groups(record: OrgRecord | None) -> tuple[str, ...]:
    """Whom to compare with: of the same type, level and district; then of the same type and level; then all."""
    return (*record.groups, "") if record else ("",)
