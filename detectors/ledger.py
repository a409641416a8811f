"""What is kept together: the files in which events are looked up again."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from msgspec.structs import replace

from detectors.event import (
    CHINA,
    OFF,
    ZERO,
    Admission,
    AdmissionChange,
    AdmissionReversal,
    Beat,
    Count,
    Discharge,
    Event,
    Fee,
    FeeReversal,
    Inventory,
    Kind,
    Leave,
    Line,
    OnShelf,
    Open,
    Order,
    Prescription,
    Presence,
    Price,
    Sale,
    Settlement,
    SettlementReversal,
    Swipe,
)

DAY = timedelta(days=1)


# One file of one ledger, by their names: the file of this person, of that till. A plain tuple, since it is made several
# times an event, and a named one costs several times as much.
Place = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """One file per key; ``keys`` says which events enter, and under which keys.

    A key is made from the event alone, never from a fact about it (an owner, a drug's group): were the fact to arrive
    late, the event would lie in the wrong file. ``keep``: business time that is remembered behind the watermark.
    ``rows``: what is kept of an event under a key, the rest left at its default; detectors see no more than this.
    ``shows``: as which kinds, where not as itself. ``sign``: what is kept says that something was told, whether or not
    it counts: nothing of it is ever struck, what is known already is not kept again, and of events that tell the same
    (of which ``sign`` makes the same) one is enough.
    """

    name: str
    keys: Mapping[Kind, Callable[[Any], Sequence[str]]]  # Any: the Kind that it stands beside
    keep: timedelta
    rows: Callable[[Any, str], Sequence[Any]] | None = None  # None: the event itself
    shows: Mapping[Kind, frozenset[Kind]] = field(default_factory=dict)
    sign: Callable[[Any], Hashable] | None = None

    def kinds_of(self, kind: Kind) -> frozenset[Kind]:
        """The kinds of rows that such an event leaves here."""
        return self.shows.get(kind, frozenset({kind}))


def person(event: Any) -> Sequence[str]:
    return (event.person,) if event.person else ()


def till(event: Swipe | Settlement) -> Sequence[str]:
    """Nothing that names neither terminal nor operator: it would make one till of a whole hospital."""
    return (event.till,) if event.device or event.operator else ()


def visit(event: Any) -> Sequence[str]:
    """``org/mdtrt_id``: a visit's number is its institution's own."""
    return (f"{event.org}/{event.visit}",) if event.visit else ()


def hospital_visit(bill: Settlement) -> Sequence[str]:
    """A pharmacy uploads no lines apart from its bills: nothing is ever looked up by its visits."""
    return () if bill.org.startswith("P") else visit(bill)


def ward(event: Any) -> Sequence[str]:
    return (f"{event.org}/{event.ward}",) if event.visit else ()


def trace_code(told: str) -> str:
    """However it was typed: without blanks, in capitals (domain.md 7.7)."""
    return told if told.isdecimal() else "".join(told.split()).upper()


def codes_of_lines(event: Settlement | Fee) -> Sequence[str]:
    return _named_once([code for line in event.lines for code in line.traces])


def codes(sale: Sale) -> Sequence[str]:
    return _named_once(sale.traces)


def _named_once(told: Sequence[str]) -> Sequence[str]:
    """What is only blanks names nothing."""
    if not told:
        return ()
    return tuple(filter(None, dict.fromkeys(told if as_printed(told) else map(trace_code, told))))


def as_printed(told: Iterable[str]) -> bool:
    """Are all of them digits only, as nearly all are? Then ``trace_code`` leaves them as they are."""
    return "".join(told).isdecimal()


def names(line: Line, code: str) -> bool:
    """Does a line name this code, however it was typed?"""
    told = line.traces
    return code in told or (bool(told) and not as_printed(told) and code in map(trace_code, told))


def with_code(event: Any, code: str) -> Sequence[Any]:
    """Of a bill's lines, the ones that name the code, and of their codes this one; of a bill, what a page shows of it.

    Three years of codes are most of what is remembered: whatever no rule and no page asks for is left out.
    """
    if isinstance(event, Sale):
        return (replace(event, traces=(code,), care_area=""),)
    lines = tuple([_box(line, code) for line in event.lines if names(line, code)])
    if isinstance(event, Fee):
        return (replace(event, lines=lines, care_area=""),)
    return (replace(event, lines=lines, agent="1" if event.agent else "", **_MONEY_AND_AREA),)


# of a bill: how it was paid, and for what illness
_MONEY_AND_AREA: dict[str, Any] = {  # Any: the defaults of its fields
    **{"account": ZERO, "cash": ZERO, "mutual_aid": ZERO, "payer": "", "balance": None},
    **{"insurance": "", "disease": "", "interim": OFF, "care_area": ""},
}


def _box(line: Line, code: str) -> Line:
    return Line(
        sn=line.sn,
        item=line.item,
        count=line.count,
        price=_FREE,
        amount=ZERO,
        traces=(code,),
        by_unit=line.by_unit,
        occurred_at=line.occurred_at,
    )


def basket(event: Any, _till: str) -> Sequence[Any]:
    """Of a bill's lines, what was bought; a swipe as it is."""
    if not isinstance(event, Settlement) or not event.lines:
        return (event,)
    return (replace(event, lines=tuple(map(_bought, event.lines))),)


def _bought(line: Line) -> Line:
    return Line(sn=line.sn, item=line.item, count=line.count, price=line.price, amount=line.amount)


def is_goods(line: Line) -> bool:
    """Drugs and consumables; not services (list_type 2..). A line that does not say what it is counts as goods."""
    return not line.list_type.startswith("2")


def stock(event: Inventory | Sale) -> Sequence[str]:
    return (f"{event.org}/{event.item}",)


def stock_of_lines(event: Settlement | Fee) -> Sequence[str]:
    return tuple(dict.fromkeys(f"{event.org}/{line.item}" for line in event.lines if is_goods(line)))


def stock_sold(sale: Sale) -> Sequence[str]:
    """Of a sale with a bill, the bill tells: only what is brought back, or is nobody's bill, is told here."""
    return () if sale.bill and sale.sale_type == "sale" else stock(sale)


def with_item(event: Any, stock: str) -> Sequence[Any]:
    """Of a bill's lines, those of the item; codes left out."""
    if isinstance(event, Inventory | Sale):
        return (replace(event, traces=()) if event.traces else event,)
    item = stock.partition("/")[2]
    return (replace(event, lines=tuple(_uncoded(line) for line in event.lines if line.item == item)),)


def _uncoded(line: Line) -> Line:
    return replace(line, traces=()) if line.traces else line


def dept(admission: Admission) -> Sequence[str]:
    return (f"{admission.org}/{admission.dept}",)


def same_dept(admission: Admission) -> Sequence[str]:
    return (admission.dept,)


def open_in_month(admission: Admission, _dept: str) -> Sequence[Any]:
    month = _hour(hour_of(admission.happened_at))[1]
    return (Open(event_id=admission.org, happened_at=month),)


def rx_of_lines(bill: Settlement) -> Sequence[str]:
    return tuple(dict.fromkeys(line.rx for line in bill.lines if line.rx))


def rx_sold(sale: Sale) -> Sequence[str]:
    return (sale.rx,) if sale.rx and not sale.bill else ()


def with_rx(event: Any, rx: str) -> Sequence[Any]:
    """Of a bill's lines, those that name the prescription; codes left out."""
    if isinstance(event, Settlement):
        return (replace(event, lines=tuple(_uncoded(line) for line in event.lines if line.rx == rx)),)
    return (replace(event, traces=()) if isinstance(event, Sale) else event,)


def bill_in_short(bill: Any, _org: str) -> Sequence[Any]:
    """Of a bill's lines, which goods, on which prescription, and "+" for their codes if there are any."""
    if isinstance(bill, SettlementReversal):
        return (bill,)
    return (replace(bill, lines=tuple(map(_coded, filter(is_goods, bill.lines)))),)


def _coded(line: Line) -> Line:
    return Line(
        sn=line.sn,
        item=line.item,
        count=_NONE,
        price=_FREE,
        amount=ZERO,
        list_type=line.list_type,
        rx=line.rx,
        traces=("+",) if any(is_trace_code(code) for code in line.traces) else (),
    )


def is_trace_code(told: str) -> bool:
    """Not a commodity barcode (69 and eleven digits) that was scanned by mistake (domain.md 7.7)."""
    return not (len(told) == COMMODITY and told.startswith("69") and told.isdecimal())


COMMODITY = 13  # characters of its barcode


_NONE, _FREE = Count(0), Price(0)
INTERFACES: dict[Kind, str] = {
    **{Settlement: "setl", Fee: "fee", Inventory: "inv", Sale: "sale", Presence: "presence", Order: "order"},
}  # over which an institution is expected to tell something every few hours or days (F1)


def feeds(event: Any) -> Sequence[str]:
    """``org/interface``: what the event is told over, and what wants to know when that falls silent."""
    if isinstance(event, Admission):
        return (f"{event.org}/fee", f"{event.org}/order")
    if isinstance(event, Sale):
        return (f"{event.org}/sale", f"{event.org}/inv")
    if isinstance(event, Presence) and event.subject != "patient":
        return ()
    return (f"{event.org}/{INTERFACES[type(event)]}",)


def sign(event: Any) -> Hashable:
    """Events of which ``signs_of_life`` makes the same, in a file of theirs."""
    if isinstance(event, Admission):
        return event.event_id, event.seal
    goods = event.item if isinstance(event, Inventory | Sale) else ""
    return type(event), hour_of(event.happened_at), goods


def signs_of_life(event: Any, feed: str) -> Sequence[Any]:
    """The hour in which it was told. Beside it, whom a silence concerns: the stays, the goods."""
    if isinstance(event, Admission):
        return (event,)
    beat, month = _hour(hour_of(event.happened_at))
    if not feed.endswith("/inv"):
        return (beat,)
    shelf = _on_shelf(event.item, month)
    return (shelf,) if isinstance(event, Sale) else (beat, shelf)


def hour_of(moment: datetime) -> int:
    """Hours since the year 1, +08:00."""
    local = moment if moment.tzinfo is CHINA else moment.astimezone(CHINA)
    return local.toordinal() * 24 + local.hour


@lru_cache(maxsize=4096)
def _hour(hour: int) -> tuple[Beat, datetime]:
    """What one hour leaves, and the midnight that began its month, +08:00."""
    at = datetime.combine(date.fromordinal(hour // 24), time(hour % 24), CHINA)
    return Beat(event_id=f"{at:%m-%dT%H}", happened_at=at), at.replace(day=1, hour=0)


@lru_cache(maxsize=65_536)
def _on_shelf(item: str, month: datetime) -> OnShelf:
    return OnShelf(event_id=item, happened_at=month)


_OF_PERSON = (
    *(Swipe, Settlement, SettlementReversal, Fee, FeeReversal, Admission, AdmissionChange, AdmissionReversal),
    *(Discharge, Prescription, Order, Presence, Leave, Sale),
)
_OF_STAY = (Admission, AdmissionChange, Discharge, Presence, Leave, Order, Fee)


# Every event enters its person's file, so that copies of it, and what takes it back, meet there under whatever till or
# ward they name. Which of them count is decided in this file alone. A2 looks back furthest: 400 days before its month
# (readings 6), and what comes 7 days late is judged with all of it.
PERSON = Ledger("person", dict.fromkeys(_OF_PERSON, person), keep=440 * DAY)
# What is nobody's has its home at the institution's desk: nothing is read there but which copy counts.
DESK = Ledger(
    "desk",
    {
        Inventory: lambda event: (event.org,),
        Sale: lambda sale: () if sale.person else (sale.org,),
        Presence: lambda check: () if check.person else (check.org,),
    },
    keep=8 * DAY,
)
TILL = Ledger("till", {Settlement: till, Swipe: till}, keep=16 * DAY, rows=basket)  # 1 + 7 before + 7 late
VISIT = Ledger("visit", {**dict.fromkeys(_OF_STAY, visit), Settlement: hospital_visit}, keep=400 * DAY)
WARD = Ledger("ward", {Presence: ward, Admission: ward, AdmissionChange: ward}, keep=100 * DAY)
CODE = Ledger(
    "code", {Settlement: codes_of_lines, Fee: codes_of_lines, Sale: codes}, keep=3 * 366 * DAY, rows=with_code
)  # readings 1: three years

STOCK = Ledger(
    "stock",
    {Inventory: stock, Sale: stock_sold, Settlement: stock_of_lines, Fee: stock_of_lines},
    keep=140 * DAY,  # a month, 90 days without a purchase before it (domain.md B3), 7 late
    rows=with_item,
)
DEPT = Ledger("dept", {Admission: dept}, keep=45 * DAY)  # 28 days of history (domain.md 3.0), 1 day, 7 late
# Which institutions have the department: their baselines are each other's (readings 5).
# By months: 28 days, the day before a batch, 7 late.
PEERS = Ledger(
    "peers",
    {Admission: same_dept},
    keep=80 * DAY,
    rows=open_in_month,
    shows={Admission: frozenset({Open})},
    sign=sign,  # each admission for itself: its day is another's baseline
)
RX = Ledger(
    "rx", {Prescription: lambda rx: (rx.rx,), Settlement: rx_of_lines, Sale: rx_sold}, keep=374 * DAY, rows=with_rx
)  # readings 1: a year
BILLS = Ledger(
    "bills",
    dict.fromkeys((Settlement, SettlementReversal), lambda event: (event.org,)),
    keep=150 * DAY,
    rows=bill_in_short,
)  # V1: the customers of 90 days, 14 days after, a month, 7 late
FEED = Ledger(
    "feed",
    dict.fromkeys((*INTERFACES, Admission), feeds),
    keep=80 * DAY,  # 28 days of custom (readings 6, F1), a month that is judged again, 14 after it, 7 late
    rows=signs_of_life,
    shows={
        **dict.fromkeys(INTERFACES, frozenset({Beat})),
        **{Inventory: frozenset({Beat, OnShelf}), Sale: frozenset({Beat, OnShelf})},
    },
    sign=sign,
)

LEDGERS = (PERSON, DESK, TILL, VISIT, WARD, CODE, STOCK, DEPT, PEERS, RX, BILLS, FEED)


def home_of(event: Event) -> Place:
    """Where it is decided whether an event counts: all copies of it, and all that takes it back, come here."""
    person = getattr(event, "person", "")
    return (PERSON.name, person) if person else (DESK.name, event.org)


_ROUTES: dict[Kind, list[tuple[Ledger, Callable[[Any], Sequence[str]]]]] = {
    kind: [(ledger, ledger.keys[kind]) for ledger in LEDGERS if kind in ledger.keys]
    for kind in (*_OF_PERSON, Inventory)
}
Filed = Mapping[Ledger, Mapping[str, Sequence[Any]]]  # by key; Any: Events, or what was told of them


def filed(rows: Iterable[Any]) -> Filed:
    """Which rows lie in which files. Any: an Event, or what names one as its ``event`` (file.Fallen)."""
    found: dict[Ledger, dict[str, list[Any]]] = {ledger: {} for ledger in LEDGERS}
    seen: set[Hashable] = set()
    for row in rows:
        event = getattr(row, "event", row)
        for ledger, keys in _ROUTES[type(event)]:
            files = found[ledger]
            for key in keys(event):
                if ledger.sign is not None:
                    name = key, ledger.sign(event)
                    if name in seen:
                        continue
                    seen.add(name)
                known = files.get(key)
                if known is None:
                    files[key] = [row]
                else:
                    known.append(row)
    return found
