"""The city as it stands on a day: places, people and tills, and who is wanted elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from replay.simulate.clock import DAY, HOUR, MINUTE, Clock
from replay.simulate.goods import Drug
from replay.simulate.ids import Mint, dice
from replay.simulate.journal import Event, Journal
from replay.simulate.people import People, Person, settle_people
from replay.simulate.places import Doctor, Org, Till, build
from replay.simulate.stock import Shelf, kept

AT_A_TILL = (90, 240)  # seconds from one customer to the next: never as fast as a collector of cards
DELIVERY = 25  # packs of an ordinary purchase
EARLY = 10 * MINUTE  # of every day: the stock is counted and received, nothing is sold


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What city is wanted. families: which stories are told, by name; intensity: how many of each."""

    persons: int = 8_000
    days: int = 21
    seed: int = 1
    start: datetime
    families: tuple[str, ...]
    intensity: float = 1.0


@dataclass(slots=True)
class City:
    """Everything that lasts longer than a day. Its events go to ``journal``."""

    plan: Plan
    clock: Clock
    mint: Mint
    journal: Journal
    chance: Random  # of deliveries and uploads
    orgs: list[Org]
    people: People
    day: int = 0  # the day being lived
    shelves: dict[tuple[int, int], Shelf] = field(default_factory=dict)  # (org, drug)
    free_from: dict[str, int] = field(default_factory=dict)  # a till serves the next customer
    booked: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # a till is a story's
    registered: set[tuple[str, int]] = field(default_factory=set)  # villages, and the day of their screening
    wanted: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # a person is a story's, first to last day
    set_apart: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # a place is one story's alone
    visited: dict[int, int] = field(default_factory=dict)  # until which day stories go on at a place
    customers: dict[int, dict[int, Person]] = field(default_factory=dict)  # of a pharmacy so far

    @property
    def end(self) -> int:
        return self.plan.days * DAY

    @property
    def opens(self) -> int:
        """The second from which people are about on the day being lived."""
        return self.day * DAY + (self.clock.opens if self.day == 0 else 0) + EARLY

    def head(self, kind: str, at: int, recv: int, org: Org) -> Event:
        """The header of an event (SPEC 3), with an id of its own."""
        text = self.clock.text
        return {
            "event_id": self.mint("e"),
            "event_type": kind,
            "biz_time": text(at),
            "recv_time": text(recv),
            "fixmedins_code": org.code,
            "mdtrtarea_admvs": org.area.code,
        }

    # who may act

    def want(self, person: Person, first: int, last: int) -> None:
        """From ``first`` to ``last`` this person does only what a story says."""
        self.wanted.setdefault(person.number, []).append((first, last))

    def is_wanted(self, person: Person, first: int, last: int) -> bool:
        return any(a <= last and first <= b for a, b in self.wanted.get(person.number, ()))

    # where stories are told

    def set_aside(self, org: Org, first: int, last: int) -> None:
        """From ``first`` to ``last`` day no other story is told there; ordinary life goes on."""
        self.set_apart.setdefault(org.number, []).append((first, last))

    def is_set_aside(self, org: Org, first: int, last: int) -> bool:
        return any(a <= last and first <= b for a, b in self.set_apart.get(org.number, ()))

    def has_registered_day(self, village: str, first: int, last: int) -> bool:
        return any((village, day) in self.registered for day in range(first, last + 1))

    # tills

    def book(self, till: Till, first: int, last: int) -> None:
        """Nobody else is served there in this time, with ten minutes to either side."""
        self.booked.setdefault(till.name, []).append((first - 10 * MINUTE, last + 10 * MINUTE))

    def is_booked(self, till: Till, first: int, last: int) -> bool:
        return any(a <= last and first <= b for a, b in self.booked.get(till.name, ()))

    def queue(self, org: Org, at: int, chance: Random) -> tuple[Till, int]:
        """A till that takes a customer who comes ``at``, and when his turn is."""
        till = org.tills[int(chance.random() * len(org.tills))]
        turn = max(at, self.free_from.get(till.name, 0))
        if till.name in self.booked and self.is_booked(till, turn, turn):
            for other in org.tills:
                turn = max(at, self.free_from.get(other.name, 0))
                if not self.is_booked(other, turn, turn):
                    return other, turn
            turn = max(until for _, until in self.booked[till.name]) + MINUTE
        return till, turn

    def served(self, till: Till, at: int, chance: Random) -> None:
        low, high = AT_A_TILL
        self.free_from[till.name] = at + low + int(chance.random() * (high - low))

    # stock

    def stock_up(self) -> None:
        """Every place counts what it has on the first morning (3501)."""
        for org in self.orgs:
            for drug in kept(org):
                shelf = self.shelves[org.number, drug.number] = Shelf()
                packs = self.chance.randint(4, 16)
                at = self.clock.opens + MINUTE + self.chance.randrange(3 * MINUTE)
                self.deliver(org, drug, shelf.add(org, drug, packs, at), "count", at, at + HOUR)

    def shelf(self, org: Org, drug: Drug) -> Shelf:
        return self.shelves.setdefault((org.number, drug.number), Shelf())

    def take(self, org: Org, drug: Drug, packs: int, at: int) -> list[str]:
        """Codes of ``packs`` that leave the shelf ``at``; if it lacks them, they were delivered this morning."""
        shelf = self.shelf(org, drug)
        if shelf.here < packs:
            more = max(DELIVERY, packs)
            delivered = self.opens - 5 * MINUTE + self.chance.randrange(4 * MINUTE)
            codes = shelf.add(org, drug, more, delivered)
            self.deliver(org, drug, codes, "purchase", delivered, delivered + self._delay())
        return [code for code in shelf.take(packs, at) if code and drug.number not in org.uncoded]

    def _delay(self) -> int:
        """Of a delivery's record: mostly half a minute, some evenings later, a few a day or two."""
        chance = self.chance.random()
        return 30 if chance < 0.8 else 15 * HOUR if chance < 0.96 else self.chance.randint(26, 60) * HOUR

    def deliver(self, org: Org, drug: Drug, codes: Sequence[str], kind: str, at: int, recv: int, sign: int = 1) -> None:
        """The record of packs that came, or with ``sign`` -1 went, otherwise than over the counter (3501 to 3504)."""
        event = self.head("inv", at, recv, org)
        event["inv_type"] = kind
        event["med_list_codg"] = drug.code
        event["cnt"] = sign * len(codes)
        if drug.coded and drug.number not in org.uncoded:
            event["drug_trac_codg"] = list(codes)
        event["fixmedins_bchno"] = f"B{org.number}{drug.number:03d}{at // DAY + 1}"
        if kind == "purchase":
            event["purc_invo_no"] = f"INV{self.mint('')[:8]}"
        event["expy_end"] = self.clock.date(self.plan.days + 300 + drug.number * 7)
        self.journal.write(event, at, recv)

    def count(self, org: Org, drug: Drug, at: int) -> None:
        """The shelf is counted (盘存)."""
        event = self.head("inv", at, at + HOUR, org)
        event.update(inv_type="count", med_list_codg=drug.code, cnt=self.shelf(org, drug).on_hand(at))
        self.journal.write(event, at, at + HOUR)


def found(plan: Plan) -> City:
    """The city on its first morning."""
    clock = Clock(plan.start)
    mint = Mint(plan.seed)
    orgs = build(plan.persons, dice(plan.seed, "places"))
    people = settle_people(plan.persons, clock.year(), orgs, mint, dice(plan.seed, "people"))
    journal = Journal(plan.days * DAY, dice(plan.seed, "repeats"))
    return City(plan, clock, mint, journal, dice(plan.seed, "city"), orgs, people)


def doctor_at(org: Org, day: int, chance: Random) -> Doctor:
    on_duty = org.duty(day)
    return on_duty[int(chance.random() * len(on_duty))]
