"""What stands on a shelf: the stock of one item at one institution, from count to count (进销存).

In packs. What is told by the tablet is counted in packs, rounded down to four decimals.
"""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from itertools import groupby
from typing import Any, NamedTuple

from detectors.event import NEVER, Count, Fee, Inventory, Line, Sale, Settlement
from detectors.file import order

NONE = Decimal(0)
FINEST = Decimal("0.0001")

BillsOf = Callable[[Fee], Sequence[Settlement]]  # the standing bills of its visit, oldest first
UnitsPerPack = Callable[[datetime], Decimal | None]  # None: not known then


class Rows(NamedTuple):
    """All that is told of the item, each oldest first. Of a bill's lines, only the item's."""

    inventory: Sequence[Inventory]
    sales: Sequence[Sale]  # without a bill, and returns
    bills: Sequence[Settlement]
    fees: Sequence[Fee]

    @property
    def first(self) -> datetime:
        """When anything was told first; NEVER if nothing was."""
        return min((rows[0].happened_at for rows in self if rows), default=NEVER)

    @property
    def purchases(self) -> list[Inventory]:
        return [row for row in self.inventory if row.inv_type == "purchase"]


class Movement(NamedTuple):
    """packs: on to the shelf, or off it (negative); of a count: what was found there."""

    at: datetime
    packs: Decimal
    row: Any  # an Inventory, Sale, Settlement or Fee
    line: Line | None = None
    bill: str = ""  # on which it was settled, or brought back; "": paid by the customer

    @property
    def is_count(self) -> bool:
        return isinstance(self.row, Inventory) and self.row.inv_type == "count"

    @property
    def is_handed_out(self) -> bool:
        return self.line is not None or (isinstance(self.row, Sale) and self.row.sale_type == "sale")


class Missing(NamedTuple):
    """What was handed out when it could not be there. packs: of the movement, those that were not."""

    movement: Movement
    packs: Decimal

    @property
    def row(self) -> Any:
        """A Sale, Settlement or Fee."""
        return self.movement.row


@dataclass(slots=True, kw_only=True)
class Shortage:
    """More was handed out than there was, by more than is allowed for, from ``since`` until before ``to``."""

    count: Movement  # the last one before
    since: datetime
    limit: Decimal  # packs, when it was exceeded
    missing: Sequence[Missing] = ()  # oldest first, from the first pack that was not there
    packs: Decimal = NONE  # at the worst; what was counted and came in until then, less what was handed out
    came_in: Decimal = NONE  # since the count, less what went out otherwise
    handed_out: Decimal = NONE  # since the count
    to: datetime = NEVER
    found: Decimal | None = None  # packs that the count which ended it found beyond what there could be


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """Short by more than ``packs``, and than ``share`` of what was handed out in (t - over, t]."""

    packs: Decimal
    share: Decimal
    over: timedelta


def may_be_short(rows: Rows, packs: Decimal) -> bool:
    """Could the stock ever be short by more than so many packs? Cheap, so that most shelves need no more.

    As if all that was charged was settled, and nothing brought back; and at first as if nothing was bought, either.
    """
    counts = [row.count for row in rows.inventory if row.inv_type == "count"]
    if not counts:
        return False
    told: list[Settlement | Fee] = [*rows.bills, *rows.fees]
    out = sum((line.count for row in told for line in row.lines if line.count > 0), NONE)
    out += sum((sale.count for sale in rows.sales if sale.sale_type == "sale"), NONE)
    out -= sum((moved for row in rows.inventory if row.inv_type != "count" and (moved := signed(row)) < 0), NONE)
    return out > min(counts) + packs and -lowest(rows) > packs


def lowest(rows: Rows) -> Decimal:
    """The stock was never lower than this."""
    told: list[Settlement | Fee] = [*rows.bills, *rows.fees]
    moves: list[tuple[datetime, Decimal, bool]] = [
        (line.occurred_at or row.happened_at, line.count, False) for row in told for line in row.lines if line.count > 0
    ]
    moves += [(sale.happened_at, sale.count, False) for sale in rows.sales if sale.sale_type == "sale"]
    moves += [(row.happened_at, -signed(row), row.inv_type == "count") for row in rows.inventory]
    low = stock = NONE
    known = False
    for _, out, is_count in sorted(moves):
        if is_count:
            known, stock = True, -out
        elif known:
            stock -= out
            low = min(low, stock)
    return low


def signed(row: Inventory) -> Decimal:
    return -row.count if row.inv_type == "purchase_return" else row.count


def in_packs(count: Count, by_unit: bool, units: Decimal | None) -> Decimal | None:
    """None: by the tablet, and nobody says how many are in a box."""
    if not by_unit:
        return count
    return (count / units).quantize(FINEST, ROUND_DOWN) if units else None


@dataclass(slots=True)
class Book:
    """The movements of a shelf, each once. ``unclear``: lines and sales by the tablet that nobody can convert."""

    rows: Rows
    bills_of: BillsOf
    units: UnitsPerPack
    unclear: int = 0

    def movements(self) -> list[Movement]:
        """Oldest first; what came in before what went out at the same moment."""
        told = sorted(
            [*self.stocktakings(), *self.deliveries(), *self.dispensed(), *self.sold_and_returned()],
            key=lambda move: (move.at, -move.packs, order(move.row)),
        )
        return list(as_far_as_sold(told))

    def stocktakings(self) -> Iterator[Movement]:
        """A stock is counted batch by batch: what is counted at one moment stands there together."""
        counts = [row for row in self.rows.inventory if row.inv_type == "count"]
        for at, together in groupby(counts, key=lambda row: row.happened_at):
            batches = {row.batch: row for row in together}
            yield Movement(at, sum((row.count for row in batches.values()), NONE), next(iter(batches.values())))

    def deliveries(self) -> Iterator[Movement]:
        for row in self.rows.inventory:
            if row.inv_type != "count":
                yield Movement(row.happened_at, signed(row), row)

    def dispensed(self) -> Iterator[Movement]:
        """The settled lines, each once: a line comes in a fee upload, and again in its bill (SPEC 3.1)."""
        known: set[tuple[str, str]] = set()
        told: list[Fee | Settlement] = [*self.rows.fees, *self.rows.bills]
        for row in sorted(told, key=lambda row: (row.received_at or NEVER, row.event_id, row.seal)):
            for line in row.lines:
                if (row.visit, line.sn) in known:
                    continue
                at = line.occurred_at or row.happened_at
                bill = row if isinstance(row, Settlement) else bill_of_line(self.bills_of(row), at)
                packs = in_packs(line.count, bool(line.by_unit), self.units(row.happened_at))
                if bill is not None:
                    known.add((row.visit, line.sn))
                    if packs is None:
                        self.unclear += 1
                    else:
                        yield Movement(at, -packs, row, line, bill.bill)

    def sold_and_returned(self) -> Iterator[Movement]:
        for sale in self.rows.sales:
            packs = in_packs(sale.count, bool(sale.by_unit), self.units(sale.happened_at))
            if packs is None:
                self.unclear += 1
            else:
                yield Movement(sale.happened_at, packs if sale.sale_type == "return" else -packs, sale, bill=sale.bill)


def bill_of_line(bills: Sequence[Settlement], at: datetime) -> Settlement | None:
    """The first at or after the line's time, else the last (readings 2); None: it is not settled."""
    return next((bill for bill in bills if bill.happened_at >= at), bills[-1] if bills else None)


def as_far_as_sold(moves: Iterable[Movement]) -> Iterator[Movement]:
    """Of what was brought back, no more than was sold: on that bill, or without any (readings 2)."""
    sold: dict[str, Decimal] = defaultdict(Decimal)
    for move in moves:
        if move.is_handed_out:
            sold[move.bill] -= move.packs
        elif isinstance(move.row, Sale):
            back = max(NONE, min(move.packs, sold[move.bill]))
            sold[move.bill] -= back
            yield move._replace(packs=back)
            continue
        yield move


def shortages(moves: Iterable[Movement], allowed: Allowance) -> Iterator[Shortage]:
    """Oldest first. ``moves``: oldest first. Nothing is known before the first count."""
    count: Movement | None = None
    short: Shortage | None = None
    stock = came_in = handed_out = NONE
    missing, limit = list[Missing](), Limit(allowed)
    for move in moves:
        limit.add(move)
        before = stock
        if move.is_count:
            count, stock, came_in, handed_out = move, move.packs, NONE, NONE
        elif count is None:
            continue
        elif move.is_handed_out:
            stock, handed_out = stock + move.packs, handed_out - move.packs
        else:
            stock, came_in = stock + move.packs, came_in + move.packs
        if stock < 0 and move.is_handed_out and move.packs < 0:
            missing.append(Missing(move, min(-move.packs, -stock)))
        if short is None and missing and -stock > limit.packs:
            short = Shortage(count=count, since=move.at, limit=limit.packs)
        if short is not None:
            short.missing = missing
            if -stock > short.packs:
                short.packs, short.came_in, short.handed_out = -stock, came_in, handed_out
            if -stock <= limit.packs:
                short.missing, short.to = [*missing], move.at
                short.found = stock - before if move.is_count else None
                yield short
                short = None
        if stock >= 0:
            missing = []
    if short is not None:
        yield short


class Limit:
    """By how many packs a stock may be short, as time goes on."""

    def __init__(self, allowed: Allowance) -> None:
        self.packs = allowed.packs
        self._allowed, self._recent, self._sum = allowed, deque[Movement](), NONE

    def add(self, move: Movement) -> None:
        if move.is_handed_out:
            self._recent.append(move)
            self._sum -= move.packs
        while self._recent and self._recent[0].at <= move.at - self._allowed.over:
            self._sum += self._recent.popleft().packs
        self.packs = max(self._allowed.packs, self._allowed.share * self._sum)
