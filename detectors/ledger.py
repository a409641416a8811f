"""What is kept together: the files in which events are looked up again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from msgspec.structs import replace

from detectors.event import (
    Admission,
    AdmissionChange,
    AdmissionReversal,
    Discharge,
    Event,
    Fee,
    FeeReversal,
    Inventory,
    Kind,
    Leave,
    Line,
    Order,
    Prescription,
    Presence,
    Sale,
    Settlement,
    SettlementReversal,
    Swipe,
)

DAY = timedelta(days=1)


class Place(NamedTuple):
    """One file of one ledger: the file of this person, of that till."""

    ledger: str
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """One file per key; ``keys`` says which events enter, and under which keys.

    A key is made from the event alone, never from a fact about it (an owner, a drug's group): were the fact to arrive
    late, the event would lie in the wrong file. ``keep``: business time that is remembered behind the watermark.
    ``row``: what is kept of an event under a key, the rest left at its default; detectors see no more than this.
    """

    name: str
    keys: Mapping[Kind, Callable[[Any], Sequence[str]]]  # Any: the Kind that it stands beside
    keep: timedelta
    row: Callable[[Any, str], Any] | None = None  # None: all of it


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


def codes_of_lines(event: Settlement | Fee) -> Sequence[str]:
    return tuple(dict.fromkeys(code for line in event.lines for code in line.traces))


def codes(sale: Sale) -> Sequence[str]:
    return tuple(dict.fromkeys(sale.traces))


def with_code(event: Any, code: str) -> Any:
    """Of a bill's lines, the ones that name the code, and of their codes this one."""
    if isinstance(event, Sale):
        return replace(event, traces=(code,))
    lines = (replace(line, traces=(code,)) for line in event.lines if code in line.traces)
    return replace(event, lines=tuple(lines))


def basket(event: Any, _till: str) -> Any:
    """Of a bill's lines, what was bought; a swipe as it is."""
    return replace(event, lines=tuple(map(_bought, event.lines))) if isinstance(event, Settlement) else event


def _bought(line: Line) -> Line:
    return Line(sn=line.sn, item=line.item, count=line.count, price=line.price, amount=line.amount)


_OF_PERSON = (
    *(Swipe, Settlement, SettlementReversal, Fee, FeeReversal, Admission, AdmissionChange, AdmissionReversal),
    *(Discharge, Prescription, Order, Presence, Leave, Sale),
)
_OF_STAY = (Admission, AdmissionChange, Discharge, Presence, Leave, Order, Fee)


# Every event enters its person's file, so that copies of it, and what takes it back, meet there under whatever till or
# ward they name. Which of them count is decided in this file alone. A2 looks back furthest: 400 days (readings 6).
PERSON = Ledger("person", dict.fromkeys(_OF_PERSON, person), keep=400 * DAY)
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
TILL = Ledger("till", {Settlement: till, Swipe: till}, keep=16 * DAY, row=basket)  # 1 + 7 before + 7 late
VISIT = Ledger("visit", {**dict.fromkeys(_OF_STAY, visit), Settlement: hospital_visit}, keep=400 * DAY)
WARD = Ledger("ward", {Presence: ward, Admission: ward, AdmissionChange: ward}, keep=100 * DAY)
CODE = Ledger(
    "code", {Settlement: codes_of_lines, Fee: codes_of_lines, Sale: codes}, keep=3 * 366 * DAY, row=with_code
)  # readings 1: three years

LEDGERS = (PERSON, DESK, TILL, VISIT, WARD, CODE)


def home_of(event: Event) -> Place:
    """Where it is decided whether an event counts: all copies of it, and all that takes it back, come here."""
    person = getattr(event, "person", "")
    return Place(PERSON.name, person) if person else Place(DESK.name, event.org)


_ROUTES: dict[Kind, list[tuple[Ledger, Callable[[Any], Sequence[str]]]]] = {
    kind: [(ledger, ledger.keys[kind]) for ledger in LEDGERS if kind in ledger.keys]
    for kind in (*_OF_PERSON, Inventory)
}


def places(event: Event) -> Iterable[tuple[Ledger, str]]:
    """The ledgers and keys under which an event is kept."""
    return [(ledger, key) for ledger, keys in _ROUTES[type(event)] for key in keys(event)]
