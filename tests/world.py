"""Small worlds in which much goes wrong: copies that differ, reversals, late facts; and detectors that mirror them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from types import SimpleNamespace
from typing import Any, ClassVar

from hypothesis import strategies as st

from detectors.case import at, line, person
from detectors.detector import ALWAYS, DAILY, Finding, Gate
from detectors.event import (
    Admission,
    AdmissionReversal,
    Beat,
    Count,
    Discharge,
    Event,
    Fee,
    FeeReversal,
    Fen,
    Inventory,
    Kind,
    OnShelf,
    PersonRecord,
    Presence,
    Reference,
    Sale,
    Settlement,
    SettlementReversal,
    Swipe,
)
from detectors.file import File
from detectors.finding import Law, Lead, Level, Subject
from detectors.lead import quorate
from detectors.ledger import BILLS as BILLS_OF_ORG
from detectors.ledger import CODE, DEPT, FEED, PERSON, RX, STOCK, TILL, VISIT, WARD, Ledger
from detectors.unit import DAY, Cell, Day, Link, Month, Stay, Touched, Unit, Whole
from replay.run import Standing

KINDS: tuple[Kind, ...] = (
    *(Settlement, Settlement, Settlement, SettlementReversal, Fee, FeeReversal, Sale, Sale, Swipe),
    *(Admission, Discharge, AdmissionReversal, Presence, Presence, Inventory, PersonRecord),
)


def world(seed: int, size: int) -> list[Event | Reference]:
    """A smaller one is the beginning of a larger one: so hypothesis can shrink it."""
    rng = Random(seed)
    return [happening(rng) for _ in range(size)]


def happening(rng: Random) -> Event | Reference:
    """Numbers are few, so that facts are told twice, differently, and by other institutions."""
    kind = rng.choice(KINDS)
    who, n = rng.choice("PQR"), rng.randrange(4)
    if kind is PersonRecord:
        since = at("04 12:00") + rng.choice((0, 1)) * DAY
        return person(who, since, household=rng.choice("12"), received_at=moment(rng))
    fields: dict[str, Any] = {
        **{"bill": f"{who}{n}", "visit": who, "check": f"{who}{rng.randrange(6)}", "sn": f"{who}{rng.randrange(3)}"},
        **{"device": rng.choice("12"), "ward": rng.choice("VW"), "med_type": "21", "dept": "D"},
        "item": rng.choice("XY"),
        **{"total": Fen(rng.choice((900, 1000))), "fund": Fen(450), "count": Count(1), "cert_type": "01"},
        **{"result": rng.choice(("pass", "not_found", "timeout")), "check_type": "scheduled"},
        **{"sale_type": rng.choice(("sale", "return")), "inv_type": "count", "traces": (rng.choice("ab"),)},
        "rx": rng.choice("1 ").strip(),
        "lines": tuple(
            line("X", sn=f"{who}{m}", traces=(rng.choice("abc"),), rx=rng.choice(("", "1")))
            for m in range(rng.randrange(3))
        ),
        # one number is one person's: copies that name two persons never meet
        "event_id": f"{who}{kind.__name__}{rng.randrange(6)}",
        **{"happened_at": moment(rng), "received_at": rng.choice((None, moment(rng))), "org": rng.choice("AAB")},
        "person": who,
    }
    return kind(**{name: fields[name] for name in kind.__struct_fields__ if name in fields})  # type: ignore[no-any-return]


def moment(rng: Random) -> Any:
    """Dense around two midnights, and every twelve hours."""
    step = rng.choice((timedelta(minutes=1), timedelta(hours=12), timedelta(hours=12)))
    return at("04 23:57") + rng.choice((0, 1)) * DAY + rng.randrange(6) * step


worlds = st.builds(world, st.integers(0, 10**9), st.integers(0, 24))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirror:
    """Reports all that it is shown, so that whatever is shown otherwise makes another finding."""

    id: str  # type: ignore[misc]  # a real detector's is its class's
    of: Ledger
    reads: frozenset[Kind]
    cell: Cell
    gate: Gate = ALWAYS
    links: tuple[Link[Any], ...] = ()
    least: int = 1  # rows
    law: ClassVar[Law] = Law("", "")

    def judge(self, unit: Unit) -> Iterator[Finding]:
        rows = [row for kind in sorted(self.reads, key=str) for row in unit.rows(kind)]
        own = [row for kind in self.reads for row in unit.own(kind)]
        records = [unit.fact(PersonRecord, getattr(row, "person", ""), row.happened_at) for row in own]
        homes = {getattr(record, "household", "?") for record in records}
        if {Settlement, SettlementReversal} <= self.reads and self.of is PERSON:
            rows += [row for pair in unit.taken_back() for row in pair]
        for link in self.links:
            if Presence in link.reads:
                rows += [row for org in "AB" for ward in "VW" for row in unit.look(link, Presence, f"{org}/{ward}")]
            else:
                rows += unit.look(link, Beat, f"{unit.key.partition('/')[0]}/inv")
        if own and len(rows) >= self.least:
            told = " ".join(f"{type(row).__name__}{[ln.sn for ln in getattr(row, 'lines', ())]}" for row in rows)
            told += " ".join(f"{row.event_id}@{row.happened_at:%d %H}" for row in rows if type(row) in SIGNS)
            yield Finding(
                level=Level.RED if len(homes) > 1 else Level.BLUE,
                subject=Subject("person", unit.key),
                zh=f"{told} {sorted(homes)}",
                en="",
                shows=[row for row in rows if type(row) not in SIGNS],
                figures=(),
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """Somebody was admitted and nobody looked in for a day: woken by time, told by a link."""

    id: ClassVar[str] = "absence"
    of: ClassVar[Ledger] = VISIT
    reads: ClassVar[frozenset[Kind]] = frozenset({Admission, Presence})
    cell: ClassVar[Cell] = Whole()
    links: ClassVar[tuple[Link[Any], ...]] = ()
    gate: ClassVar[Gate] = ALWAYS
    law: ClassVar[Law] = Law("", "")

    def judge(self, unit: Unit) -> Iterator[Finding]:
        checks = unit.rows(Presence)
        for stay in unit.rows(Admission)[:1]:
            last = max([stay.happened_at, *(check.happened_at for check in checks)])
            unit.wake(last + DAY)
            if unit.now >= last + DAY:
                yield Finding(
                    level=Level.ORANGE, subject=Subject("stay", unit.key), zh="", en="", shows=[stay], figures=()
                )


def inmates(check: Presence, ward: File, now: Any) -> Iterator[Touched]:
    """Whoever was ever admitted to any ward of the institution; a test need not be narrow."""
    return (Touched(f"{org}/{who}") for org in "AB" for who in "PQR")


def goods(event: Any, feed: File, now: Any) -> Iterator[Touched]:
    """Whatever the institution dealt in."""
    return (Touched(f"{event.org}/{row.event_id}", month) for row in feed.kinds.get(OnShelf, ()) for month in MONTHS)


FEEDS = Link(ledger=FEED, reads=frozenset({Beat, OnShelf}), units=goods)
SIGNS = (Beat, OnShelf)
MONTHS = ("2024-03",)
WARDS = Link(ledger=WARD, reads=frozenset({Presence}), units=inmates)
BILLS = frozenset({Settlement})
EVERYTHING = frozenset(KINDS) - {PersonRecord, Inventory}
DETECTORS: tuple[Any, ...] = (
    Mirror(id="person", of=PERSON, reads=EVERYTHING, cell=Day(before=DAY)),
    Mirror(id="burst", of=PERSON, reads=BILLS, cell=Day(before=DAY), gate=Gate(2, 2 * DAY), least=2),
    Mirror(id="till", of=TILL, reads=BILLS, cell=Day(before=DAY)),
    Mirror(id="code", of=CODE, reads=frozenset({Settlement, Fee, Sale}), cell=Whole()),
    Mirror(id="stay", of=PERSON, reads=frozenset({Settlement, Admission, Discharge}), cell=Stay(before=DAY)),
    Mirror(id="ward", of=VISIT, reads=frozenset({Admission, Presence}), cell=Whole(), links=(WARDS,)),
    Absence(),
    Mirror(id="month", of=PERSON, reads=BILLS | {SettlementReversal}, cell=Month(before=DAY)),
    Mirror(id="stock", of=STOCK, reads=frozenset({Sale, Inventory}), cell=Month(), links=(FEEDS,), gate=DAILY),
    Mirror(id="rx", of=RX, reads=BILLS | {Sale}, cell=Whole()),
    Mirror(id="dept", of=DEPT, reads=frozenset({Admission}), cell=Day(before=DAY)),
    Mirror(id="bills", of=BILLS_OF_ORG, reads=BILLS, cell=Day(before=DAY)),
    Mirror(id="feed", of=FEED, reads=frozenset({Beat, Admission}), cell=Whole(), gate=DAILY),
)


def without_gate(detector: Any) -> Any:
    shape = {name: getattr(detector, name) for name in ("id", "of", "reads", "cell", "links", "judge", "law")}
    gate = DAILY if detector.gate.at_day_end else ALWAYS
    return SimpleNamespace(**shape, gate=gate, __dataclass_fields__={})


def batches(arrivals: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [arrivals[i : i + size] for i in range(0, len(arrivals), size)]


def leads(standing: Standing) -> set[str]:
    """What stands open, in the words of a Case. What takes several units to stand is told unit by unit."""
    return {
        f"{lead.level} {lead.subject.kind} {lead.subject.id} {lead.period.name}: {' '.join(lead.events)}"
        for same in by_name(standing).values()
        for lead in quorate(same)
    }


def by_name(standing: Standing) -> dict[tuple[str, Subject, str], list[Lead]]:
    """The leads of all units, by the alert that they speak of."""
    found: dict[tuple[str, Subject, str], list[Lead]] = {}
    for _, said in sorted(standing.items()):
        for lead in said:
            found.setdefault((lead.detector, lead.subject, lead.period.name), []).append(lead)
    return found


def said(standing: Standing) -> set[str]:
    """All that stands open, to the letter."""
    return {f"{unit} {lead}" for unit, found in standing.items() for lead in found}


def rising(unit: object, crash: Exception) -> None:
    raise crash
