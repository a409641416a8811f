"""How a story is told: a family has variants, each acted out on one stage, which becomes one label."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Literal, TypedDict, Unpack

from replay.simulate.city import City, doctor_at
from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Bill, Goods, Pack, Visit, prescribe, settle, take_back
from replay.simulate.goods import Drug, Item
from replay.simulate.journal import Event
from replay.simulate.label import Label, Named
from replay.simulate.people import Person
from replay.simulate.places import Doctor, Org, Till, Ward, km
from replay.simulate.ward import DIAGNOSES, Admission, Finds, Stay, admit

PATIENCE = 4_000  # draws before an actor counts as not to be found
REST = 36  # days since the last stay before somebody may be admitted by a story


class How(TypedDict, total=False):
    """What is peculiar about a visit to a till; see Visit."""

    cert: str
    verify: str
    agent: str
    payer: Person | None
    med_type: str
    late: int
    illness: str
    is_test: bool
    haste: bool


class About(TypedDict, total=False):
    """What is peculiar about a stay; see Admission."""

    diagnosis: str
    med_type: str
    finds: Finds | None
    dscg_way: str
    fee_late: int
    settled_late: int
    bare_days: tuple[int, ...]
    leave: tuple[int, int] | None
    ordered: bool
    procedures: tuple[tuple[Item, int, int], ...]
    treatment: str


class NoActorsError(Exception):
    """This city has not the people or the places that the story needs on that day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way in which it happens. days: business days that it takes, the last of them whole; after: days of ordinary
    life that must have gone before. prepare: what the bureau has on record beforehand."""

    name: str
    tell: Callable[["Stage"], None]
    days: int = 1
    after: int = 0
    prepare: Callable[["Stage"], Iterable[Event]] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the labels of one family have in common."""

    name: str
    kind: Literal["fraud", "decoy"]
    variants: Sequence[Variant]
    expect: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    forbid: tuple[str, ...] = ()
    exclusion: str | None = None
    wave: int = 0


@dataclass(slots=True, kw_only=True)
class Stage:
    """Where one case is acted out: from ``day`` on, by people whom nobody else wants in the meantime."""

    city: City
    family: Family
    variant: Variant
    number: int
    day: int
    chance: Random
    subject: Named = field(default_factory=lambda: Named("person", ""))
    ids: list[str] = field(default_factory=list)
    persons: dict[str, None] = field(default_factory=dict)
    orgs: dict[str, None] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)  # the ground, with its second
    aliases: dict[str, str] = field(default_factory=dict)
    fund: int = 0
    level: str | None = None
    maximum_level: str | None = None
    absence: bool = False
    hypothesis: str | None = None  # what the case rests on that no document settles
    notes: str = ""
    village: str = ""  # chosen beforehand, like all that follow
    actor: Person | None = None
    place: Org | None = None
    neighbour: Org | None = None
    doctor: Doctor | None = None
    goods: Drug | None = None
    early: bool = False  # the first case of a city that wakes by day: something to see within the hour

    @property
    def case_id(self) -> str:
        return f"{'F' if self.family.kind == 'fraud' else 'D'}{self.number:04d}-{self.family.name}"

    # who and where

    def people(
        self,
        count: int,
        *,
        first: int | None = None,
        last: int | None = None,
        among: Sequence[Person] | None = None,
        fits: Callable[[Person], bool] = lambda person: True,
        strangers: bool = True,
    ) -> list[Person]:
        """``count`` persons who are free from day ``first`` until day ``last``, now taken. Default: as long as the
        variant takes.

        strangers: of different households. Raises NoActorsError.
        """
        first = self.day if first is None else first
        last = self.last if last is None else last
        pool = self.city.people.all if among is None else among
        found: dict[int, Person] = {}
        homes: set[int] = set()
        for _ in range(PATIENCE):
            if len(found) == count:
                break
            person = pool[int(self.chance.random() * len(pool))] if pool else None
            if person is None or person.number in found or (strangers and person.household in homes):
                continue
            if self.is_free(person, last, first) and fits(person):
                found[person.number] = person
                homes.add(person.household)
        if len(found) < count:
            raise NoActorsError(self.family.name)
        for person in found.values():
            self.engage(person, last, first)
        return list(found.values())

    def person(
        self,
        *,
        first: int | None = None,
        last: int | None = None,
        fits: Callable[[Person], bool] = lambda person: True,
    ) -> Person:
        return self.people(1, first=first, last=last, fits=fits)[0]

    def is_free(self, person: Person, last: int, first: int | None = None) -> bool:
        city, first = self.city, self.day if first is None else first
        return (
            not person.dialysis
            and person.last_seen < city.day
            and person.last_stay < self.day - REST
            and not city.is_wanted(person, first - 1, last + 1)
            and not any(spell.first <= last + 1 and first - 1 <= spell.last for spell in person.spells)
        )

    def engage(self, person: Person, last: int, first: int | None = None) -> None:
        self.city.want(person, (self.day if first is None else first) - 1, last + 1)
        self.persons[person.psn_no] = None

    def household(self, size: int) -> list[Person]:
        """All of one household of at least ``size``, the eldest first; ``size`` of them."""
        last = self.last
        for _ in range(PATIENCE):
            family = self.chance.choice(self.city.people.households)
            if len(family) >= size and all(self.is_free(person, last) for person in family):
                for person in family[:size]:
                    self.engage(person, last)
                return family[:size]
        raise NoActorsError(self.family.name)

    def store(self, fits: Callable[[Org], bool] = lambda org: True) -> Org:
        """An ordinary pharmacy."""
        return self._org(lambda org: org.kind == "pharmacy" and not (set(org.tags) - {"dual_channel"}) and fits(org))

    def clinic(self, fits: Callable[[Org], bool] = lambda org: True) -> Org:
        return self._org(lambda org: org.kind == "clinic" and not org.tags and fits(org))

    def hospital(self, fits: Callable[[Org], bool] = lambda org: True, dept: str = "internal", beds: int = 3) -> Org:
        """One with so many free beds in that department."""
        return self._org(lambda org: org.kind == "hospital" and self.has_beds(org, dept, beds) and fits(org))

    def has_beds(self, org: Org, dept: str, beds: int = 3) -> bool:
        """So many, from this morning on."""
        morning = self.day * DAY + 8 * HOUR
        return any(sum(free <= morning for free in ward.free_from) >= beds for ward in org.wards if ward.dept == dept)

    def house(self, person: Person) -> Org:
        """The person's own hospital, or another of the district."""
        if self.is_usable(person.hospital):
            return person.hospital
        return self._org(lambda org: org.kind == "hospital" and org.area is person.area)

    def tagged(self, tag: str) -> Org:
        return self._org(lambda org: tag in org.tags)

    def alone(self, fits: Callable[[Org], bool], first: int | None = None, last: int | None = None) -> Org:
        """A place where no other story is told from day ``first`` until ``last``; default: while this one lasts."""
        first, last = self.day if first is None else first, self.last if last is None else last
        org = self._org(
            lambda org: (
                self.city.visited.get(org.number, -1) < first
                and not self.city.is_set_aside(org, first, last)
                and fits(org)
            )
        )
        self.city.set_aside(org, first, last)
        return org

    @property
    def last(self) -> int:
        """The day after the last that the variant takes."""
        return self.day + self.variant.days

    def is_usable(self, org: Org) -> bool:
        """No other story has the place for itself, nor is its agreement suspended in the time that is told."""
        return not self.city.is_set_aside(org, self.day, self.last)

    def places(self, fits: Callable[[Org], bool]) -> list[Org]:
        return [org for org in self.city.orgs if fits(org) and self.is_usable(org)]

    def _org(self, fits: Callable[[Org], bool]) -> Org:
        fitting = self.places(fits)
        if not fitting:
            raise NoActorsError(self.family.name)
        return self.chance.choice(fitting)

    def apart(self, low: float, high: float) -> tuple[Org, Org]:
        """Two pharmacies so many kilometres from each other."""
        stores = self.places(lambda org: org.kind == "pharmacy" and not org.tags)
        for _ in range(PATIENCE if len(stores) > 1 else 0):
            here, there = self.chance.sample(stores, 2)
            if low <= km(here, there) <= high:
                return here, there
        raise NoActorsError(self.family.name)

    def at(self, hour: float, spread: float = 1.0, day: int | None = None) -> int:
        """A second within ``spread`` hours after ``hour`` of the story's day, or of ``day``; the city is awake."""
        if self.early and day is None:
            return self.city.opens + 2 * MINUTE + int(self.chance.random() * 3 * MINUTE)
        start = (self.day if day is None else day) * DAY
        second = start + int((hour + self.chance.random() * spread) * HOUR)
        return max(second, self.city.opens + 30 * MINUTE + int(self.chance.random() * 20 * MINUTE))

    def till(self, org: Org, first: int, last: int) -> Till:
        """A till that serves nobody else from ``first`` to ``last``. Raises NoActorsError."""
        for till in reversed(org.tills):
            if not self.city.is_booked(till, first, last):
                self.city.book(till, first, last)
                return till
        raise NoActorsError(self.family.name)

    # what happens

    def buy(
        self,
        person: Person,
        org: Org,
        at: int,
        goods: Sequence[Goods],
        till: Till | None = None,
        *,
        prescribed: bool = True,
        **how: Unpack[How],
    ) -> Bill:
        """One visit to a till; the bill is ground of the case. A pharmacy's drugs on prescription get one first."""
        needing = [one for one in goods if isinstance(one, Pack) and one.drug.rx and not one.rxno]
        if needing and org.kind == "pharmacy" and prescribed:
            self.prescribe(person, needing, at - 25 * MINUTE)
        till = till or next((one for one in org.tills if not self.city.is_booked(one, at, at)), org.tills[0])
        bill = settle(self.city, Visit(person=person, org=org, till=till, at=at, **how), goods, self.chance)
        self.persons[person.psn_no] = None
        self.uses(org)
        self.show(bill.event_id, bill.at, bill.others, bill.fund)
        return bill

    def prescribe(
        self, person: Person, packs: Sequence[Pack], at: int, *, house: Org | None = None, late: int = 1
    ) -> str:
        """At the person's usual clinic, unless another house is named. late: seconds until it is uploaded."""
        house = house or person.clinic
        return prescribe(self.city, person, house, doctor_at(house, at // DAY, self.chance), packs, at, late)

    def take_back(self, bill: Bill, at: int, *, with_goods: bool = True) -> None:
        """The reversal, and the return of the goods, stand for the bill."""
        written = take_back(self.city, bill, at, with_goods=with_goods)
        self.aliases.update(dict.fromkeys(written, bill.event_id))

    def uses(self, org: Org) -> None:
        self.orgs[org.code] = None
        self.city.visited[org.number] = max(self.last, self.city.visited.get(org.number, -1))

    def stay(
        self, person: Person, org: Org, begin: int, end: int, dept: str = "internal", **about: Unpack[About]
    ) -> Stay:
        """A stay in the ward of ``dept``. Raises NoActorsError if no bed is free."""
        about.setdefault("diagnosis", self.chance.choice(DIAGNOSES[dept]))
        ward, doctor = self.ward(org, dept), doctor_at(org, begin // DAY, self.chance)
        plan = Admission(
            person=person, org=org, ward=ward, doctor=doctor, begin=begin, end=end, storied=True, **about
        )  # fmt: skip
        stay = admit(self.city, plan, self.chance)
        if stay is None:
            raise NoActorsError(self.family.name)
        self.persons[person.psn_no] = None
        self.uses(org)
        return stay

    def ward(self, org: Org, dept: str) -> Ward:
        """Raises NoActorsError if the hospital has no such department."""
        for ward in org.wards:
            if ward.dept == dept:
                return ward
        raise NoActorsError(self.family.name)

    # what is to be found

    def show(self, event_id: str, at: int, others: Sequence[str] = (), fund: int = 0) -> None:
        """This event is ground; ``others`` stand for it."""
        self.events[event_id] = at
        self.aliases.update(dict.fromkeys(others, event_id))
        self.fund += fund

    def show_stay(self, stay: Stay) -> None:
        """The whole stay is ground, shown by its admission."""
        told = [*(check for check, _, _ in stay.checks), *(fee for fee, _ in stay.fees)]
        others = [*told, *stay.orders, *stay.others, stay.dscg, stay.setl]
        self.show(stay.adm, stay.admission.begin, others, stay.fund)
        self.ids.append(stay.mdtrt_id)

    def label(self) -> Label:
        """What to look for. The first person is the subject unless the story named another."""
        family, text, unwritten = self.family, self.city.clock.text, self.city.journal.unwritten
        ground = {event: at for event, at in self.events.items() if event not in unwritten}
        aliases = {other: event for other, event in self.aliases.items() if event in ground and other not in unwritten}
        return Label(
            case_id=self.case_id,
            kind=family.kind,
            family=family.name,
            wave=family.wave,
            exclusion=family.exclusion,
            expect=family.expect,
            also=family.also,
            forbid=family.forbid,
            subject=self.subject if self.subject.id else Named("person", next(iter(self.persons))),
            ids=tuple(self.ids),
            persons=tuple(self.persons),
            orgs=tuple(self.orgs),
            events=tuple(ground),
            aliases=aliases,
            start=text(min(ground.values())),
            end=text(max(ground.values())),
            minimum_level=self.level,
            maximum_level=self.maximum_level,
            absence=self.absence,
            hypothesis=self.hypothesis,
            amount=f"{self.fund // 100}.{self.fund % 100:02d}",
            notes=self.notes,
        )


def packs(*drugs: Drug, cnt: int = 1) -> list[Pack]:
    return [Pack(drug=drug, cnt=cnt) for drug in drugs]


def one_by_one(first: int, gaps: Sequence[int]) -> Iterator[int]:
    """``first``, and then each gap later."""
    yield first
    for gap in gaps:
        first += gap
        yield first
