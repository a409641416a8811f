"""Counts in the archive what agreements name and who was found in bed (alerts/indicators.py).

    measured = measure(Path("archive"), since=date(2026, 1, 1))

Person by person, each with a file of the core's own: it decides which copies count and what was taken back, so nothing
is counted otherwise than it is judged. No more than one person's events are held at a time.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import NamedTuple

from alerts.indicators import AGREED, IndicatorKind, Measured
from alerts.kept import area_of
from alerts.price_limits import PriceLimit
from detectors.bedside import EXEMPT_WARDS, is_exempt
from detectors.event import (
    CHINA,
    NEVER,
    Admission,
    AgreementRecord,
    DrugRecord,
    Fee,
    ItemRecord,
    Leave,
    Line,
    Presence,
    Settlement,
    day_of,
)
from detectors.file import Home
from detectors.hospital.ghost_bed_round import EXPECTED
from detectors.settlement_kinds import IN_PATIENT, OUT_PATIENT, is_one_of
from detectors.unit import end_of
from detectors.wire import read
from replay.archive import newest_day, read_persons, read_reference

MONTHS = 3  # counted anew unless told otherwise: what comes late, or is taken back, is rarely older
BEFORE = timedelta(days=100)  # an admission, and what was uploaded of a stay, may be so much older than its bill
COUNTED = (
    *("setl", "setl_rev", "fee", "fee_rev", "adm", "adm_chg", "adm_rev", "dscg", "presence", "leave"),
)  # event_type of all that these figures are made of
DRUG = "1"  # list_type 101 western, 102 herbal


@dataclass(slots=True)
class Sum:
    """See alerts.indicators.Measured."""

    amount: int = 0
    of: int = 0
    cases: int = 0
    apart: int = 0


class Cell(NamedTuple):
    """since: the first day of a month, or the day."""

    org: str
    kind: IndicatorKind
    since: date


class Bill(NamedTuple):
    """A visit, or a stay, with all of its bills, and the lines of both its bills and its uploads, each once."""

    org: str
    bills: list[Settlement]
    lines: Mapping[str, Line]

    @property
    def month(self) -> date:
        """Of its last bill."""
        return month_of(self.bills[-1].happened_at)

    @property
    def total(self) -> int:
        return sum(bill.total for bill in self.bills)


def month_of(moment: datetime) -> date:
    return day_of(moment).replace(day=1)


def first_month(until: date, months: int = MONTHS) -> date:
    """The first of so many months, the last of which has the day before ``until``."""
    last = until - timedelta(days=1)
    count = last.year * 12 + last.month - months
    return date(count // 12, count % 12 + 1, 1)


def measure(archive: Path, since: date | None = None) -> tuple[date, list[Measured]]:
    """All sums from this month on (None: of the newest MONTHS), and that month. Raises RecordingError."""
    until = newest_day(archive) + timedelta(days=1)
    since = since.replace(day=1) if since else first_month(until)
    agreed = agreed_in(archive)
    counts = _Counts(since)
    told = datetime.combine(since, time(), CHINA) - BEFORE
    for raws in read_persons(archive, told, COUNTED):
        counts.add(home_of(raws))
    return since, [_measured(cell, found, until, agreed) for cell, found in sorted(counts.sums.items())]


def home_of(raws: list[bytes]) -> Home:
    """A person's own file."""
    home = Home()
    for raw in raws:
        home.add(read(raw))
    return home


@dataclass(slots=True)
class _Counts:
    """What persons' files add up to, from a month on."""

    since: date
    sums: defaultdict[Cell, Sum] = field(default_factory=lambda: defaultdict(Sum))

    def add(self, home: Home) -> None:
        for bill in bills_of(home):
            self._count_bill(bill, home)
        self._count_fund(home)
        self._count_checks(home)

    def _at(self, org: str, kind: IndicatorKind, since: date) -> Sum:
        return self.sums[Cell(org, kind, since)]

    def _count_bill(self, bill: Bill, home: Home) -> None:
        """Stores have customers, not visits: of them the fund's money is counted only."""
        if bill.month < self.since or bill.org.startswith("P"):
            return
        med_type = bill.bills[-1].med_type
        kind = IndicatorKind.IN_PATIENT if is_one_of(med_type, IN_PATIENT) else None
        kind = IndicatorKind.OUT_PATIENT if is_one_of(med_type, OUT_PATIENT) else kind
        if kind:
            _add(self._at(bill.org, kind, bill.month), bill.total, 1)
        if kind is IndicatorKind.IN_PATIENT and (days := bed_days(bill, home)):
            _add(self._at(bill.org, IndicatorKind.BED_DAY, bill.month), bill.total, days)
        lines = [line for line in bill.lines.values() if line.list_type]
        if lines:
            drugs = sum(line.amount for line in lines if line.list_type.startswith(DRUG))
            _add(self._at(bill.org, IndicatorKind.DRUGS, bill.month), drugs, sum(line.amount for line in lines))

    def _count_fund(self, home: Home) -> None:
        for bill in home.kinds.get(Settlement, ()):
            if (month := month_of(bill.happened_at)) >= self.since:
                _add(self._at(bill.org, IndicatorKind.FUND, month), bill.fund, 1)

    def _count_checks(self, home: Home) -> None:
        for check in home.kinds.get(Presence, ()):
            day = day_of(check.happened_at)
            if check.check_type == "gate" or day < self.since or is_exempt(EXEMPT_WARDS, check.ward):
                continue
            found = self._at(check.org, IndicatorKind.IN_BED, day)
            if check.result in EXPECTED and not on_leave(check, home):
                _add(found, check.result == "pass", 1)
            else:
                found.apart += 1


def _add(found: Sum, amount: int, of: int) -> None:
    found.amount += amount
    found.of += of
    found.cases += 1


def bills_of(home: Home) -> Iterator[Bill]:
    """Of a person, by institution and visit. Lines are told by bills and by uploads; each counts once (SPEC 3.1)."""
    visits: defaultdict[tuple[str, str], list[Settlement]] = defaultdict(list)
    for bill in home.kinds.get(Settlement, ()):
        visits[bill.org, bill.visit].append(bill)
    for (org, visit), bills in visits.items():
        fees = [fee for fee in home.kinds.get(Fee, ()) if (fee.org, fee.visit) == (org, visit)]
        yield Bill(org, bills, {line.sn: line for row in (*fees, *bills) for line in row.lines})


def bed_days(bill: Bill, home: Home) -> int:
    """Nights from admission to discharge, or to the last bill; a stay without a night is one day. 0: not known."""
    visit = bill.bills[-1].visit
    for stay in home.kinds.get(Admission, ()):
        if (stay.org, stay.visit) == (bill.org, visit):
            end = end_of(stay, home)
            left = bill.bills[-1].happened_at if end >= NEVER else end
            return max(1, (day_of(left) - day_of(stay.happened_at)).days)
    return 0


def on_leave(check: Presence, home: Home) -> bool:
    """Was the patient away with approval?"""
    leaves = (leave for leave in home.kinds.get(Leave, ()) if leave.visit == check.visit)
    return any(leave.since <= check.happened_at <= leave.to for leave in leaves)


Agreed = Mapping[tuple[str, IndicatorKind], list[AgreementRecord]]


def price_limits(archive: Path) -> list[PriceLimit]:
    """Of drugs and services, each with the record that holds from then on. Raises RecordingError."""
    newest: dict[tuple[str, datetime], DrugRecord | ItemRecord] = {}
    for kind in (DrugRecord, ItemRecord):
        for raw in read_reference(archive, kind):  # in the order of arrival: a correction comes later
            record = read(raw)
            assert isinstance(record, DrugRecord | ItemRecord)
            newest[record.item, record.valid_from] = record
    limited = {item for (item, _), record in newest.items() if record.price_limit is not None}
    return [
        PriceLimit(item, since, record.price_limit)
        for (item, since), record in sorted(newest.items())
        if item in limited
    ]


def agreed_in(archive: Path) -> Agreed:
    """What institutions agreed to. Raises RecordingError."""
    found: defaultdict[tuple[str, IndicatorKind], list[AgreementRecord]] = defaultdict(list)
    for raw in read_reference(archive, AgreementRecord):
        record = read(raw)
        if isinstance(record, AgreementRecord) and record.org and record.indicator in AGREED:
            found[record.org, AGREED[record.indicator]].append(record)
    return found


def target_at(agreed: list[AgreementRecord], until: date) -> str:
    """As agreed last before then, of corrections the one received last; "" if nothing was."""
    end = datetime.combine(until, time(), CHINA)
    holding = [one for one in agreed if one.valid_from < end]
    newest = max(holding, key=lambda one: (one.valid_from, one.received_at or one.valid_from), default=None)
    return "" if newest is None else str(newest.target)


def _measured(cell: Cell, found: Sum, until: date, agreed: Agreed) -> Measured:
    day = timedelta(days=1)
    ends = cell.since + day if cell.kind is IndicatorKind.IN_BED else (cell.since + 31 * day).replace(day=1)
    ends = min(ends, until)
    return Measured(
        org=cell.org,
        kind=cell.kind,
        since=cell.since,
        until=ends,
        area=area_of(cell.org),
        amount=found.amount,
        of=found.of,
        cases=found.cases,
        apart=found.apart,
        target=target_at(agreed.get((cell.org, cell.kind), []), ends),
    )
