"""The city as it stands on a day: places, people, shelves and tills, and who is wanted elsewhere."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random

from replay.simulate.clock import DAY, HOUR, MINUTE, Clock
from replay.simulate.goods import ACUTE, CHRONIC, COUNTER, WARD, Drug
from replay.simulate.ids import Mint, dice
from replay.simulate.journal import Event, Journal
from replay.simulate.people import People, Person, settle_people
from replay.simulate.places import Doctor, Org, Till, build

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
class Shelf:
    """Packs of one drug at one place: their trace codes are numbered; those in [sold, bought) stand on the shelf."""

    sold: int
    bought: int


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
            for drug in _kept(org):
                shelf = self.shelves[org.number, drug.number] = Shelf(0, self.chance.randint(4, 16))
                at = self.clock.opens + MINUTE + self.chance.randrange(3 * MINUTE)
                self._receive(org, drug, shelf, "count", shelf.bought, at, at + HOUR)

    def take(self, org: Org, drug: Drug, packs: int) -> list[str]:
        """Codes of ``packs`` that now leave the shelf; if it lacks them, they were delivered this morning."""
        shelf = self.shelves.get((org.number, drug.number))
        if shelf is None:
            shelf = self.shelves[org.number, drug.number] = Shelf(0, 0)
        if shelf.sold + packs > shelf.bought:
            more = max(DELIVERY, packs)
            shelf.bought += more
            at = self.opens - 5 * MINUTE + self.chance.randrange(4 * MINUTE)
            self._receive(org, drug, shelf, "purchase", more, at, at + self._delay())
        first = shelf.sold
        shelf.sold += packs
        return [_code(org, drug, number) for number in range(first, first + packs)]

    def _delay(self) -> int:
        """Of a delivery's record: mostly half a minute, some evenings later, a few a day or two."""
        chance = self.chance.random()
        return 30 if chance < 0.8 else 15 * HOUR if chance < 0.96 else self.chance.randint(26, 60) * HOUR

    def _receive(self, org: Org, drug: Drug, shelf: Shelf, kind: str, packs: int, at: int, recv: int) -> None:
        event = self.head("inv", at, recv, org)
        event["inv_type"] = kind
        event["med_list_codg"] = drug.code
        event["cnt"] = packs
        event["drug_trac_codg"] = [_code(org, drug, number) for number in range(shelf.bought - packs, shelf.bought)]
        event["fixmedins_bchno"] = f"B{org.number}{drug.number:03d}{shelf.bought}"
        if kind == "purchase":
            event["purc_invo_no"] = f"INV{self.mint('')[:8]}"
        event["expy_end"] = self.clock.date(self.plan.days + 300 + drug.number * 7)
        self.journal.write(event, at, recv)


def found(plan: Plan) -> City:
    """The city on its first morning."""
    clock = Clock(plan.start)
    mint = Mint(plan.seed)
    orgs = build(plan.persons, dice(plan.seed, "places"))
    people = settle_people(plan.persons, clock.year(), orgs, mint, dice(plan.seed, "people"))
    journal = Journal(plan.days * DAY, dice(plan.seed, "repeats"))
    return City(plan, clock, mint, journal, dice(plan.seed, "city"), orgs, people)


def _kept(org: Org) -> Iterable[Drug]:
    """What the place keeps on its shelves."""
    if org.kind == "pharmacy":
        return (*CHRONIC, *ACUTE, *COUNTER)
    if org.kind == "clinic":
        return (*CHRONIC[:10], *ACUTE)
    return (*CHRONIC, *ACUTE, *WARD)


def _code(org: Org, drug: Drug, number: int) -> str:
    """Twenty digits, as the commonest scheme has them."""
    return f"80{drug.number:03d}{org.number:05d}{number:07d}{(number * 7 + drug.number + org.number) % 1000:03d}"


def doctor_at(org: Org, day: int, chance: Random) -> Doctor:
    on_duty = org.duty(day)
    return on_duty[int(chance.random() * len(on_duty))]
