"""What a person was handed out of a drug, how long it lasts, and how much of it is in hand (在手药量)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from math import isfinite
from operator import itemgetter
from typing import NamedTuple

from detectors.event import DrugRecord, Fee, Line, Sale, Settlement
from detectors.ledger import is_goods
from detectors.settlement_kinds import MedTypes, is_one_of
from detectors.unit import DAY, Unit

NOTHING = timedelta(0)
MEMORY = 400 * DAY  # of what was bought before; readings 6
RECENT = 90 * DAY  # domain.md A2
LONGEST = 36_500 * DAY  # whatever a line says: no stock lasts longer than a hundred years
TIMES_A_DAY = {"qd": 1.0, "bid": 2.0, "tid": 3.0, "qid": 4.0, "qod": 1 / 2, "qw": 1 / 7}  # SPEC 3.1


class Supply(NamedTuple):
    """So much of a drug, handed out at once. span: how long it lasts; below zero for a refund row.

    event: the bill, or the sale where there is none. by: what tells the line: the bill, or an upload. known: when the
    line and its bill had both been told. kept: the share that was not brought back; span is without the rest.
    """

    at: datetime
    name: tuple[str, ...]
    event: Settlement | Sale
    by: Settlement | Fee | Sale
    sold: Line | Sale
    drug: DrugRecord
    known: datetime
    span: timedelta
    kept: float = 1.0

    @property
    def org(self) -> str:
        return self.event.org

    @property
    def item(self) -> str:
        return self.sold.item

    @property
    def rx(self) -> str:
        return self.sold.rx

    @property
    def units(self) -> float:
        return units(self.sold, self.drug) * self.kept

    @property
    def in_scope(self) -> int:
        """Fen that the fund's catalogue covers, the whole amount where the line does not say; nothing of a sale."""
        if isinstance(self.sold, Sale):
            return 0
        return round((self.sold.amount if self.sold.in_scope is None else self.sold.in_scope) * self.kept)

    @property
    def received(self) -> tuple[bool, datetime, str, int]:
        """Of two copies the one received first counts; one that does not say when comes last (readings 2)."""
        by = self.by
        return by.received_at is None, by.received_at or by.happened_at, by.event_id, by.seal


class Stock(NamedTuple):
    """What a purchase finds. before: still in hand. fed: what that is made of. bought: in 90 days, this included."""

    before: timedelta
    fed: tuple[Supply, ...]
    bought: timedelta


def stock_at(supplies: Sequence[Supply]) -> Stock:
    """What the last of them finds, of the 400 days before it. ``supplies``: of one drug group, oldest first."""
    #  ●─────28─────●─────────28─────────┤     ●────28────┤    the second comes while some of the first is left:
    #                                                          it lasts 28 days longer than that; a gap begins anew
    *past, last = supplies
    end, fed, bought = last.at, list[Supply](), last.span
    for supply in past:
        if supply.at <= last.at - MEMORY:
            continue
        if not fed or end <= supply.at:
            end, fed = supply.at, []
        end = min(end + supply.span, supply.at + LONGEST)
        fed.append(supply)
        bought += supply.span if supply.at > last.at - RECENT else NOTHING
    if not fed or end <= last.at:
        return Stock(NOTHING, (), bought)
    return Stock(end - last.at, tuple(supply for supply in fed if supply.span > NOTHING), bought)


def supplies(unit: Unit, in_patient: MedTypes) -> Iterator[tuple[str, list[Supply]]]:
    """Of each drug group of which anything was told in the cell, oldest first, less what was brought back.

    Not of what was bought only once. Reads Settlement, Fee, Sale of a person's file. in_patient: of these bills only
    drugs to take home count.
    """
    told, shelf = _told(unit, in_patient), _Shelf(unit)
    shelf.groups = told.groups(shelf, unit.span.start)
    if not shelf.groups:
        return
    found: dict[str, list[Supply]] = defaultdict(list)
    for supply in (*told.settled(shelf), *told.sold(shelf)):
        if not _is_used_up(supply, in_patient):
            found[supply.drug.group].append(supply)
    returns = [sale for sale in told.sales if sale.sale_type == "return"]
    for group in sorted(found):
        if len(found[group]) > 1:
            yield group, _less(sorted(found[group], key=_time_and_name), returns)


def days_of(line: Line, drug: DrugRecord) -> float | None:
    """As the line says, else by its dose, else by the usual dose (SPEC 3.1); negative for a refund row.

    None where nobody says.
    """
    if line.days and line.days > 0:
        return float(line.days) if line.count > 0 else -float(line.days)
    daily = _daily_dose(line) or float(drug.daily_dose or 0)
    return units(line, drug) / daily if daily > 0 and (line.by_unit or drug.units_per_pack) else None


def units(sold: Line | Sale, drug: DrugRecord) -> float:
    """Tablets; packs where nobody says how many make one."""
    pack = 1.0 if sold.by_unit or not drug.units_per_pack else float(drug.units_per_pack)
    return float(sold.count) * pack


def times_a_day(frequency: str) -> float:
    """qd, bid, tid, qid, qod, qw, or a number; 0 for anything else."""
    return TIMES_A_DAY.get(frequency.lower()) or positive(frequency)


def positive(number: str) -> float:
    """0 for what is no number above 0."""
    try:
        value = float(number)
    except ValueError:
        return 0.0
    return value if isfinite(value) and value > 0 else 0.0


def lasting(days: float) -> timedelta:
    most = LONGEST.days
    return timedelta(days=days if -most < days < most else most if days > 0 else -most)


_time_and_name = itemgetter(0, 1)


class _Shelf:
    """What is known of the drugs in a file: each looked up once. groups: those that matter."""

    def __init__(self, unit: Unit) -> None:
        self.groups: frozenset[str] = frozenset()
        self._unit = unit
        self._drugs: dict[str, Sequence[DrugRecord]] = {}

    def records(self, item: str) -> Sequence[DrugRecord]:
        known = self._drugs.get(item)
        if known is None:
            known = self._drugs[item] = self._unit.records(DrugRecord, item)
        return known

    def drug(self, item: str, at: datetime) -> DrugRecord | None:
        """None: it is no drug, or one of another group."""
        for drug in reversed(self.records(item)):
            if drug.valid_from <= at:
                return drug if drug.group in self.groups else None
        return None


def _told(unit: Unit, in_patient: MedTypes) -> "_Told":
    """Without the uploads that no bill settles, and without stays whose patients took nothing home: most of them."""
    bills, fees = unit.rows(Settlement), unit.rows(Fee)
    settled = {(bill.org, bill.visit) for bill in bills if not is_one_of(bill.med_type, in_patient)}
    if len(settled) < len(bills):
        stays = {(bill.org, bill.visit) for bill in bills} - settled
        rows: list[Settlement | Fee] = [*bills, *fees]
        for row in rows:
            if (row.org, row.visit) in stays and any(line.take_home for line in row.lines):
                settled.add((row.org, row.visit))
        bills = [bill for bill in bills if (bill.org, bill.visit) in settled]
    return _Told(
        bills=bills,
        fees=[fee for fee in fees if (fee.org, fee.visit) in settled],
        sales=[sale for sale in unit.rows(Sale) if not sale.bill or sale.sale_type == "return"],
    )


def _is_used_up(supply: Supply, in_patient: MedTypes) -> bool:
    """Given in the ward."""
    event, sold = supply.event, supply.sold
    return isinstance(event, Settlement) and is_one_of(event.med_type, in_patient) and not getattr(sold, "take_home", 0)


class _Told(NamedTuple):
    """All that tells of drugs handed out. sales: without a bill, and returns."""

    bills: Sequence[Settlement]
    fees: Sequence[Fee]
    sales: Sequence[Sale]

    def groups(self, shelf: _Shelf, since: datetime) -> frozenset[str]:
        """Of which anything was told since then."""
        drugs = (drug for item in set(self.items(since)) for drug in shelf.records(item))
        return frozenset(drug.group for drug in drugs if drug.group)

    def items(self, since: datetime) -> Iterator[str]:
        """Of each line that was told, or first settled, since then."""
        bills = [bill for bill in self.bills if bill.happened_at >= since]
        visits = {(bill.org, bill.visit) for bill in bills} if self.fees else set()
        fees = [fee for fee in self.fees if fee.happened_at >= since or (fee.org, fee.visit) in visits]
        yield from (line.item for bill in bills for line in bill.lines)
        yield from (line.item for fee in fees for line in fee.lines)
        yield from (sale.item for sale in self.sales if sale.happened_at >= since)

    def settled(self, shelf: _Shelf) -> Iterator[Supply]:
        """The lines of standing bills, each once: a line may come with its bill, in an upload, or in both."""
        copies: dict[tuple[str, ...], list[Supply]] = defaultdict(list)
        for bill in self.bills:
            for line in bill.lines:
                if (supply := _of_line(shelf, line, bill, bill)) is not None:
                    copies[supply.name].append(supply)
        for fee, bills in self.uploads():
            for line in fee.lines:
                bill = _bill_of(line.occurred_at or fee.happened_at, bills)
                if (supply := _of_line(shelf, line, bill, fee)) is not None:
                    copies[supply.name].append(supply)
        return (told[0] if len(told) == 1 else _first(told) for told in copies.values())

    def uploads(self) -> Iterator[tuple[Fee, list[Settlement]]]:
        """Each with the bills of its visit."""
        bills: dict[tuple[str, str], list[Settlement]] = defaultdict(list)
        for bill in self.bills if self.fees else ():
            bills[bill.org, bill.visit].append(bill)
        return ((fee, bills[fee.org, fee.visit]) for fee in self.fees)

    def sold(self, shelf: _Shelf) -> Iterator[Supply]:
        """Self-paid."""
        for sale in self.sales:
            drug = shelf.drug(sale.item, sale.happened_at)
            if drug is not None and sale.sale_type == "sale" and (lasts := _usual_days(sale, drug)):
                at = sale.happened_at
                yield Supply(at, ("", sale.event_id), sale, sale, sale, drug, at, lasting(lasts))


def _of_line(shelf: _Shelf, line: Line, bill: Settlement, by: Settlement | Fee) -> Supply | None:
    """None if it is no drug of these groups, or nobody says how long it lasts."""
    drug = shelf.drug(line.item, bill.happened_at)
    if drug is None or not is_goods(line) or not line.count or (lasts := days_of(line, drug)) is None:
        return None
    return Supply(
        at=line.occurred_at or by.happened_at,
        name=(bill.org, bill.visit, line.sn),
        event=bill,
        by=by,
        sold=line,
        drug=drug,
        known=max(by.happened_at, bill.happened_at),
        span=lasting(lasts),
    )


def _bill_of(moment: datetime, bills: Sequence[Settlement]) -> Settlement:
    """The first of a visit's bills at or after a line's time, else the last (readings 2)."""
    return next((bill for bill in bills if bill.happened_at >= moment), bills[-1])


def _first(copies: Sequence[Supply]) -> Supply:
    """Of one line; its bill is the one that tells it itself, if any does."""
    first = min(copies, key=lambda copy: copy.received)
    bill = next((copy.event for copy in copies if copy.by is copy.event), first.event)
    return first._replace(event=bill, known=min(copy.known for copy in copies))


def _daily_dose(line: Line) -> float:
    """0 where dose or frequency is not said, or not understood."""
    return float(line.dose) * times_a_day(line.frequency) if line.dose and line.dose > 0 else 0.0


def _usual_days(sale: Sale, drug: DrugRecord) -> float:
    """0 where nobody says."""
    known = drug.daily_dose and drug.daily_dose > 0 and (sale.by_unit or drug.units_per_pack)
    return units(sale, drug) / float(drug.daily_dose or 1) if known else 0.0


def _less(supplies: list[Supply], returns: Iterable[Sale]) -> list[Supply]:
    """Without what was brought back: of the bill that the return names, else of sales without one, the latest first."""
    for sale in returns:
        left: float | None = None
        for n in reversed(range(len(supplies))):
            supply = supplies[n]
            if not _is_return_of(sale, supply):
                continue
            left = units(sale, supply.drug) if left is None else left
            if (taken := min(left, supply.units)) > 0:
                left -= taken
                share = 1 - taken / supply.units
                supplies[n] = supply._replace(span=supply.span * share, kept=supply.kept * share)
    return [supply for supply in supplies if supply.span]


def _is_return_of(sale: Sale, supply: Supply) -> bool:
    if sale.item != supply.item or sale.org != supply.org:
        return False
    if isinstance(supply.event, Settlement):
        return supply.event.bill == sale.bill
    return not sale.bill and supply.at <= sale.happened_at
