"""Indicators of institutions: what a visit, a stay and a day in bed cost, the share of drugs, who was found in bed.

    replace(store, measured, since=date(2026, 1, 1), now=now)   # what the archive says, from this month on
    told = indicators(store, areas=("3301",))

The store has no bills and no checks: ``fundwatch indicators`` counts them in the archive (replay/indicators.py).
Sums are kept, not shares: months and days can be added up.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import astuple
from sqlalchemy import delete, func, insert, select

from alerts import tables as t
from alerts.kept import within
from alerts.store import Store

FEWEST = 30  # cases below which nothing is said of a deviation; domain.md C11
TOO_MUCH = 0.1  # above what was agreed; domain.md C11
IN_BED_LEAST = 0.7  # of those expected; domain.md C1(e)
DAYS = 28  # of in-bed rates
YEAR = 365


class IndicatorKind(StrEnum):
    """What is measured: of each institution and month, but for IN_BED: of each day."""

    OUT_PATIENT = "out_patient_cost"  # fen a visit
    IN_PATIENT = "in_patient_cost"  # fen a stay
    BED_DAY = "bed_day_cost"  # fen a day of a stay
    DRUGS = "drug_share"  # of what the lines say
    FUND = "fund_paid"  # fen
    IN_BED = "in_bed"  # of those whom a check should have found


AGREED = {
    "次均门诊费用": IndicatorKind.OUT_PATIENT,
    "次均住院费用": IndicatorKind.IN_PATIENT,
    "平均床日费用": IndicatorKind.BED_DAY,
    "药占比": IndicatorKind.DRUGS,
    "年度基金预算": IndicatorKind.FUND,
    "在院率": IndicatorKind.IN_BED,
}  # as agreements name them (SPEC 3.1)
SHARES = frozenset({IndicatorKind.DRUGS, IndicatorKind.IN_BED})
AT_LEAST = frozenset({IndicatorKind.IN_BED})  # the others are limits from above


class Measured(Struct, frozen=True, kw_only=True):
    """One institution's sums from ``since`` until before ``until``.

    amount: fen, or patients found; of: visits, stays, days, fen of all lines, or patients expected; apart: patients not
    expected, being on leave, or whom a device could not see. target: as the agreement has it, in yuan or a ratio; "".
    """

    org: str
    kind: IndicatorKind
    since: date
    until: date
    area: str
    amount: int
    of: int
    cases: int
    apart: int = 0
    target: str = ""


class Indicator(Struct, frozen=True, kw_only=True):
    """How one institution stands. value, target: yuan, or a ratio; of FUND the year so far, and its part of the budget.

    off: how far the value lies beyond the target, as a part of it, positive for the worse; None without a target,
    or with fewer than FEWEST cases.
    """

    org: str
    area: str
    kind: IndicatorKind
    since: date
    until: date
    value: float
    target: float | None
    cases: int
    apart: int
    off: float | None

    @property
    def is_bad(self) -> bool:
        """Beyond what is still accepted."""
        return self.off is not None and self.off > (0 if self.kind in AT_LEAST else TOO_MUCH)


class BedDay(Struct, frozen=True):
    """All institutions' checks of one day. apart: as in Measured."""

    day: date
    found: int
    expected: int
    apart: int


class Indicators(Struct, frozen=True, kw_only=True):
    """computed_at: None where nothing was ever measured. until: the first day that is not in it."""

    computed_at: datetime | None
    until: date | None
    days: tuple[BedDay, ...]
    orgs: tuple[Indicator, ...]  # the worst first, those of which nothing is said last


def replace(store: Store, measured: Iterable[Measured], *, since: date, now: datetime) -> int:
    """What was measured takes the place of all that was known from ``since`` on. Returns how many sums are kept."""
    columns = Measured.__struct_fields__
    rows = [dict(zip(columns, astuple(one), strict=True)) | {"computed_at": now} for one in measured]
    with store.writing() as writing:
        writing.db.execute(delete(t.indicator).where(t.indicator.c.since >= since))
        if rows:
            writing.db.execute(insert(t.indicator), rows)
    return len(rows)


def indicators(store: Store, *, areas: Sequence[str] = (), org: str = "") -> Indicators:
    """Of institutions within the areas, or of one: their newest month, the year's fund, the last DAYS days' checks."""
    i = t.indicator.c
    with store.engine.connect() as db:
        computed_at, until = db.execute(select(func.max(i.computed_at), func.max(i.until))).one()
        if until is None:
            return Indicators(computed_at=None, until=None, days=(), orgs=())
        wanted = select(t.indicator).where(i.since >= date((until - timedelta(days=1)).year, 1, 1))
        wanted = wanted.where(i.org == org) if org else wanted
        found = [
            Measured(**{name: getattr(row, name) for name in Measured.__struct_fields__ if name != "kind"}, kind=kind)
            for row in db.execute(wanted)
            if within([row.area], areas) and (kind := IndicatorKind(row.kind))
        ]
    by_day = [one for one in found if one.kind is IndicatorKind.IN_BED and one.since >= until - timedelta(days=DAYS)]
    return Indicators(
        computed_at=computed_at,
        until=until,
        days=tuple(_days(by_day)),
        orgs=tuple(sorted(_of_each(found, by_day), key=_worst_first)),
    )


def _days(checks: Iterable[Measured]) -> list[BedDay]:
    by_day: defaultdict[date, list[Measured]] = defaultdict(list)
    for one in checks:
        by_day[one.since].append(one)
    return [
        BedDay(day, sum(one.amount for one in some), sum(one.of for one in some), sum(one.apart for one in some))
        for day, some in sorted(by_day.items())
    ]


def _of_each(found: Sequence[Measured], by_day: Sequence[Measured]) -> Iterable[Indicator]:
    groups: defaultdict[tuple[str, IndicatorKind], list[Measured]] = defaultdict(list)
    for one in (*(one for one in found if one.kind is not IndicatorKind.IN_BED), *by_day):
        groups[one.org, one.kind].append(one)
    for (_, kind), some in groups.items():
        some.sort(key=lambda one: one.since)
        counted = some if kind in (IndicatorKind.IN_BED, IndicatorKind.FUND) else some[-1:]
        if told := _together(kind, counted):
            yield told


def _together(kind: IndicatorKind, some: Sequence[Measured]) -> Indicator | None:
    """Several days or months of one institution. None where there is nothing to divide by."""
    amount, of, cases = (sum(getattr(one, name) for one in some) for name in ("amount", "of", "cases"))
    since, until = some[0].since, some[-1].until
    if not of:
        return None
    value = amount / of if kind in SHARES else amount / 100 / (1 if kind is IndicatorKind.FUND else of)
    target = target_of(kind, some[-1].target)
    if target and kind is IndicatorKind.FUND:
        target *= (until - since).days / YEAR
    off = (value / target - 1) * (-1 if kind in AT_LEAST else 1) if target and cases >= FEWEST else None
    return Indicator(
        org=some[-1].org,
        area=some[-1].area,
        kind=kind,
        since=since,
        until=until,
        value=value,
        target=target,
        cases=cases,
        apart=sum(one.apart for one in some),
        off=off,
    )


def target_of(kind: IndicatorKind, told: str) -> float | None:
    """What was agreed; beds have a least rate where nothing was. None where it cannot be read as a number above 0."""
    try:
        agreed = float(Decimal(told)) if told else IN_BED_LEAST if kind is IndicatorKind.IN_BED else 0.0
    except InvalidOperation:
        return None
    return agreed if 0 < agreed < float("inf") else None


def _worst_first(one: Indicator) -> tuple[bool, float, str, str]:
    return one.off is None, -(one.off or 0.0), one.org, one.kind
