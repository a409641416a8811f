"""More was settled of a drug than ever stood on the shelf (进销存不符)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, ClassVar, NamedTuple, TypeVar

from detectors.detector import FileGate, Finding, Gate
from detectors.event import NEVER, DrugRecord, Event, Fee, Inventory, Kind, Sale, Settlement, day_of
from detectors.exclusions import data_missing, not_applicable, taken_back
from detectors.feeds import BEAT, FEED_OF_GOODS, SETTLED, Silence, muted, patience, silences
from detectors.file import File
from detectors.finding import Check, Exclusion, Figure, Law, Level, Subject
from detectors.ledger import STOCK, VISIT, Ledger, stock_of_lines
from detectors.month import month_of
from detectors.shelf import NONE, Allowance, Book, Missing, Movement, Rows, Shortage, may_be_short, shortages
from detectors.stays import in_scope
from detectors.unit import DAY, HOUR, Cell, Link, Month, Touched, Unit, stay_key
from detectors.wording import day_en, day_zh, hours

BEFORE = 100 * DAY  # the 90 days without a purchase, and some more in which the item was known by then
TO_THE_DECIMAL = Decimal("0.1")
E = TypeVar("E", bound=Event)


def day_before(row: Any, shelf: File, now: datetime) -> Iterator[Touched]:
    """The month before, where a shortage that began on its last day is a day old only now. Any: a row of STOCK."""
    if day_of(row.happened_at).day == 1:
        before = month_of(row.happened_at - DAY)
        for key in STOCK.keys[type(row)](row):
            yield Touched(key, before.name)


def goods_of_visit(bill: Settlement, visit: File, now: datetime) -> Iterator[Touched]:
    """What was charged of a visit is sold once it is settled."""
    for fee in visit.kinds.get(Fee, ()):
        month, until = month_of(fee.happened_at), min(now, fee.happened_at + BEFORE)
        months = [month.name]
        while month.to is not None and month.to <= until:
            month = month_of(month.to)
            months.append(month.name)
        for key in stock_of_lines(fee):
            yield from (Touched(key, name) for name in months)


# not what is charged then: that needs its bill, whose arrival leads to the months of the charge only
DAY_AFTER: Link[Any] = Link(ledger=STOCK, reads=frozenset({Inventory, Sale, Settlement}), units=day_before)
BILLS_OF_VISIT = Link(ledger=VISIT, reads=frozenset({Settlement}), units=goods_of_visit)


@dataclass(frozen=True, slots=True)
class Counted(FileGate):
    """Judge only what was ever counted: without a count nobody knows what stood there before."""

    def admits(self, file: File, kinds: Iterable[Kind]) -> bool:
        return any(row.inv_type == "count" for row in file.kinds.get(Inventory, ()))


class Lack(NamedTuple):
    """A shortage that is old enough to be told, and what of it this month tells."""

    short: Shortage
    missing: Sequence[Missing]
    new: Sequence[Missing]  # of these, what no other month counts
    over: timedelta  # how long it lasted, at least: the last thing known of it may not be the end
    silent: Sequence[Silence]  # of the stock feed: this time did not count


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryImbalance:
    """Fire when more of a drug was handed out than was counted and bought, by more than 10 packs, for a day.

    Why:         what was never there was not handed out: something else went over the counter, or nothing did.
    Blind spots: a place that never counts the drug, or not for 100 days; what was charged in hospital and is not
                 settled yet; lines that a pharmacy uploads apart from its bills; goods bought on paper only; loose
                 units of a drug whose record does not say how many are in a pack; what goes on while the stock feed is
                 silent (F1).
    False alarm: a purchase that is told later than after 72 hours, until it comes; packs that a transfer brought and
                 nobody recorded; goods brought back while the sale feed is silent, unless their bill is taken back; a
                 count of some of the shelves only.
    Source:      docs/domain.md B3; readings.md 2 and 6. Counts of one moment, batch by batch, are added up (ours).
    """

    id: ClassVar[str] = "inventory_imbalance"
    of: ClassVar[Ledger] = STOCK
    reads: ClassVar[frozenset[Kind]] = frozenset({Inventory, Sale, Settlement, Fee})
    cell: ClassVar[Cell] = Month(before=BEFORE)
    links: ClassVar[tuple[Link[Any], ...]] = (DAY_AFTER, BILLS_OF_VISIT, FEED_OF_GOODS)
    law: ClassVar[Law] = Law("14", "第三十八条第四项", "GZ10000202001000")
    gate: ClassVar[Gate] = Counted(rows=1, within=timedelta.max, at_day_end=True)

    packs: Decimal = Decimal(10)  # short by more; domain.md B3
    share: Decimal = Decimal("0.05")  # of what was handed out in ``over``: short by more; domain.md B3
    over: timedelta = 30 * DAY  # before each moment; domain.md B3
    lasts: timedelta = DAY  # short for so long, at least; domain.md B3
    grace: timedelta = 72 * HOUR  # stock records may be uploaded so much later (X15); readings.md 1
    unbought: timedelta = 90 * DAY  # without a purchase: red; domain.md B3, readings.md 6

    def __post_init__(self) -> None:
        """Raises ValueError for limits beyond what the cell and its links show."""
        if self.lasts > DAY:
            raise ValueError("lasts: at most 1d, since no more of the next month is shown")
        if max(self.over, self.unbought) > BEFORE:
            raise ValueError("over, unbought: at most 100d, since no more is shown")
        if self.grace < SETTLED:
            raise ValueError("grace: at least 2d, since a feed's silence is not known sooner")

    def judge(self, unit: Unit) -> Iterator[Finding]:
        rows = rows_of(unit)
        if not may_be_short(rows, self.packs):
            return
        book = Book(rows, partial(bills_of, unit), partial(units_per_pack, unit))
        moves = book.movements()
        allowed = Allowance(packs=self.packs, share=self.share, over=self.over)
        lacks = [lack for short in shortages(moves, allowed) if (lack := self.lack(unit, short)) is not None]
        if lacks:
            yield self.finding(unit, book, moves, lacks)

    def lack(self, unit: Unit, short: Shortage) -> Lack | None:
        """None: another month's, soon over, or not yet old enough to be sure of it.

        What began in an earlier month is told again if this month alone adds more than is allowed for.
        """
        month = month_of(unit.span.start)
        end = month.to or NEVER
        missing = [one for one in short.missing if one.row.happened_at < end]
        own = [one for one in missing if one.row.happened_at >= month.since]
        goes_on = short.since < month.since
        added = sum((one.packs for one in own), NONE)
        if added <= (short.limit if goes_on else NONE) or not self.lasted(short, short.since, end):
            return None
        since, silent = self.heard(unit, short)
        if not self.lasted(short, since, end):
            return None
        if unit.now < (due := since + self.lasts + self.grace):
            unit.wake(due)
            return None
        known = max(self.lasts, missing[-1].movement.at - short.since)
        over = known if short.to == NEVER else short.to - short.since
        return Lack(short, missing, own if goes_on else missing, over, silent)

    def lasted(self, short: Shortage, since: datetime, end: datetime) -> bool:
        """In what is known of it; ``end`` of the month."""
        return since < end and short.to - since >= self.lasts

    def heard(self, unit: Unit, short: Shortage) -> tuple[datetime, list[Silence]]:
        """Since when the shortage has lasted with the stock feed speaking: a silence may hide the purchase (F1).

        Judged again when a feed that has not spoken since has been silent for too long.
        """
        since, until = short.since, unit.now - self.grace
        beats = unit.look(FEED_OF_GOODS, BEAT, f"{org_of(unit)}/inv", until=until)
        left_out: list[Silence] = []
        for silence in silences(beats, until):
            if silence.since < since + self.lasts and since < silence.to:
                left_out.append(silence)
                since = silence.to
        if beats and (patient := patience(beats)) is not None:
            quiet = beats[-1].happened_at + HOUR
            if quiet < since + self.lasts:
                unit.wake(quiet + patient + self.grace)
        return since, left_out

    def level(self, rows: Rows, opening: Movement, lacks: Sequence[Lack]) -> Level:
        """Red: settled, though nothing was bought for 90 days that are known, or ever since none was there."""
        last = max(one.movement.at for lack in lacks for one in lack.missing)
        bought = [row.happened_at for row in rows.purchases if row.happened_at <= last]
        since = last - self.unbought
        known = rows.first <= since and not any(at > since for at in bought)
        never = not opening.packs and not any(at >= opening.at for at in bought)
        settled = any(one.movement.bill for lack in lacks for one in lack.missing)
        return Level.RED if settled and (known or never) else Level.ORANGE

    def finding(self, unit: Unit, book: Book, moves: Sequence[Movement], lacks: Sequence[Lack]) -> Finding:
        main = max(lacks, key=lambda lack: lack.short.packs)
        new = {(one.row.event_id, one.movement.line): one for lack in lacks for one in lack.new}.values()
        bills = {bill.event_id: bill for one in new for bill in bills_with(book, one)}
        opening = next(move for move in moves if move.is_count)
        zh, en = sentences(main)
        return Finding(
            level=self.level(book.rows, opening, lacks),
            subject=Subject("drug", unit.key),
            zh=zh,
            en=en,
            shows=[one.row for lack in lacks for one in lack.missing],
            also=[row for row in book.rows.inventory if row.happened_at >= main.short.count.at],
            figures=self.figures(main, book.rows),
            exclusions=(*tested(book), muted([one for lack in lacks for one in lack.silent], "inv")),
            checks=checks(main, unit.key.partition("/")[2]),
            at_risk=sum(map(in_scope_of, new)),
            fund=sum(bill.fund for bill in bills.values()),
            hits=len(lacks),
        )

    def figures(self, lack: Lack, rows: Rows) -> tuple[Figure, ...]:
        short = lack.short
        bought = [row.happened_at for row in rows.purchases if row.happened_at <= lack.missing[-1].movement.at]
        return (
            Figure("packs_short", number(short.packs), number(short.limit), "packs"),
            Figure("hours_short", hours(lack.over), self.lasts // HOUR, "h"),
            Figure("packs_counted", number(short.count.packs), None, "packs"),
            Figure("packs_come_in", number(short.came_in), None, "packs"),
            Figure("packs_handed_out", number(short.handed_out), None, "packs"),
            *([Figure("last_purchase", day_of(bought[-1]).isoformat(), None, "")] if bought else []),
            *([Figure("packs_found", number(short.found), None, "packs")] if short.found is not None else []),
        )


def rows_of(unit: Unit) -> Rows:
    """With those of the day after the month: they tell whether what began on its last day lasted."""
    end = unit.span.end

    def told(kind: type[E]) -> list[E]:
        rows = unit.rows(kind)
        return rows if unit.now <= end else rows + unit.look(DAY_AFTER, kind, unit.key, end, end + DAY)

    return Rows(told(Inventory), told(Sale), told(Settlement), unit.rows(Fee))


def org_of(unit: Unit) -> str:
    return unit.key.partition("/")[0]


def bills_of(unit: Unit, fee: Fee) -> list[Settlement]:
    return unit.look(BILLS_OF_VISIT, Settlement, stay_key(fee))


def units_per_pack(unit: Unit, at: datetime) -> Decimal | None:
    record = unit.fact(DrugRecord, unit.key.partition("/")[2], at)
    return None if record is None else record.units_per_pack


def bills_with(book: Book, one: Missing) -> list[Settlement]:
    row = one.row
    if isinstance(row, Fee):
        return [bill for bill in book.bills_of(row) if bill.bill == one.movement.bill]
    return [row] if isinstance(row, Settlement) else []


def in_scope_of(one: Missing) -> int:
    """Fen that the fund's catalogue covers, of the packs that were not there."""
    line = one.movement.line
    return 0 if line is None else round(in_scope([line]) * one.packs / -one.movement.packs)


def number(packs: Decimal) -> int | float:
    return int(packs) if packs == int(packs) else float(packs.quantize(TO_THE_DECIMAL))


def tested(book: Book) -> tuple[Exclusion, ...]:
    loose = (
        data_missing(
            "X13",
            f"{book.unclear}次拆零销售不知每盒含量，没有计入",
            f"{book.unclear} sales by the tablet were left out: nobody says how many are in a pack",
        )
        if book.unclear
        else not_applicable(
            "X13", "拆零按每盒含量折算，退货已加回", "loose units count as parts of packs, returns count"
        )
    )
    return (
        taken_back(),
        loose,
        not_applicable("X15", "已等足72小时，没有补传的进货", "72 hours have passed, and no purchase was uploaded"),
    )


def sentences(lack: Lack) -> tuple[str, str]:
    short = lack.short
    packs, counted, came_in, out = map(number, (short.packs, short.count.packs, short.came_in, short.handed_out))
    since = short.count.at
    return (
        f"{packs}盒无货可出：{day_zh(since)}盘存{counted}盒，其后净入库{came_in}盒，却售出{out}盒，"
        f"短缺至少{lack.over // HOUR}小时。",
        f"{packs} packs were handed out that were not there: {counted} counted on {day_en(since)}, {came_in} came in "
        f"since, {out} went out; short for {lack.over // HOUR} h or more.",
    )


def checks(lack: Lack, item: str) -> tuple[Check, ...]:
    short, first, last = lack.short, lack.missing[0].movement.at, lack.missing[-1].movement.at
    return (
        Check(
            f"索取{item}的购进发票和随货同行单，与上传的入库记录逐笔核对",
            f"ask for invoices and delivery notes of {item}, and compare them with the purchases uploaded",
            short.count.at,
            last,
        ),
        Check(
            f"现场清点{item}的库存，与系统账面比较",
            f"count {item} on the shelf, and compare with the books",
        ),
        Check(
            "回访所列参保人：拿到的是不是这种药",
            "ask the persons on these bills what they were given",
            first,
            last,
        ),
    )
