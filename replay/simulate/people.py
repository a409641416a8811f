"""Who is insured: households in villages and quarters, their illnesses, their accounts, and where they usually go."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from replay.simulate.goods import BY_ILLNESS, Drug
from replay.simulate.ids import Mint
from replay.simulate.places import AREAS, Area, Org
from replay.simulate.spells import Spell

WORKS = 100  # insured people for each employer that has a clinic's contract; a sixth of them work there
VILLAGE = 150  # persons of a village or an urban quarter with a name
NOT_FOR_ALL = {"station", "internet", "employer", "school", "nursing_home"}  # tags of places where few go


@dataclass(slots=True, kw_only=True, eq=False)
class Person:
    """One insured person. balance: fen of the personal account; days count from the city's first.

    spells: when the insurance, the card or the person is not as usual.
    """

    number: int
    psn_no: str
    born: str  # 1979-08-23
    age: int
    gend: str  # 1 male, 2 female
    insutype: str  # 310 employees, 390 residents
    area: Area
    household: int
    village: str = ""
    emp: str = ""
    balance: int = 0
    insuplc: str = ""  # area of insurance; a visitor's is elsewhere
    filed: bool = False  # who is insured elsewhere and lives here has told so (异地备案)
    illness: str = ""
    drugs: tuple[Drug, ...] = ()
    long_rx: bool = False  # takes home 84 days at once
    dialysis: bool = False
    pharmacy: Org
    clinic: Org
    hospital: Org
    cert: str = "01"  # 01 e-credential, 02 identity card, 03 social security card
    last_seen: int = -1  # the last day on which this person went anywhere
    last_stay: int = -100  # day of the last discharge, or of the one to come
    spells: list[Spell] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class People:
    all: list[Person] = field(default_factory=list)
    households: list[list[Person]] = field(default_factory=list)
    villages: dict[str, list[Person]] = field(default_factory=dict)
    workers: dict[str, list[Person]] = field(default_factory=dict)  # by employer
    visitors: list[Person] = field(default_factory=list)
    pupils: list[Person] = field(default_factory=list)
    aged: list[Person] = field(default_factory=list)  # in the old people's home
    named: dict[str, int] = field(default_factory=dict)  # persons of an area who live in a place with a name


def settle_people(persons: int, year: int, orgs: list[Org], mint: Mint, chance: Random) -> People:
    """``persons`` insured in households of one to five, and the few strangers who are in town."""
    people = People()
    haunts = {area.code: Haunts.of(area, orgs) for area in AREAS}
    shares = [area.share for area in AREAS]
    employers = max(5, persons // WORKS)
    while len(people.all) < persons:
        area = chance.choices(AREAS, shares)[0]
        size = min(chance.choices((1, 2, 3, 4, 5), (14, 27, 31, 18, 10))[0], persons - len(people.all))
        people.households.append(list(_household(people, size, area, haunts[area.code], employers, year, mint, chance)))
    people.pupils = [person for person in people.all if 7 <= person.age <= 17]
    people.aged = [person for person in people.all if person.age >= 78 and not person.drugs]
    for nth in range(max(40, persons // 50)):
        people.visitors.append(_visitor(persons + nth, orgs, haunts[AREAS[0].code], year, mint, chance))
    return people


@dataclass(slots=True)
class Haunts:
    """The institutions near home."""

    pharmacies: list[Org]
    clinics: list[Org]
    hospitals: list[Org]

    @classmethod
    def of(cls, area: Area, orgs: list[Org]) -> "Haunts":
        near = [org for org in orgs if org.area is area and not NOT_FOR_ALL & set(org.tags)]
        by_kind = {kind: [org for org in near if org.kind == kind] for kind in ("pharmacy", "clinic", "hospital")}
        return cls(by_kind["pharmacy"], by_kind["clinic"], by_kind["hospital"])


def _household(
    people: People, size: int, area: Area, haunts: Haunts, employers: int, year: int, mint: Mint, chance: Random
) -> Iterator[Person]:
    number = len(people.households)
    village = _village(people, area, size, chance)
    pharmacy, clinic, hospital = (chance.choice(some) for some in (haunts.pharmacies, haunts.clinics, haunts.hospitals))
    elder = chance.randint(28, 88)
    for nth in range(size):
        age = elder if nth == 0 else max(0, elder + (chance.randint(-5, 5) if nth == 1 else -chance.randint(24, 34)))
        person = Person(
            number=len(people.all),
            psn_no=mint("p"),
            born=_birthday(year, age, chance),
            age=age,
            gend=chance.choice("12"),
            insutype="310" if 18 <= age < 85 and chance.random() < 0.45 else "390",
            area=area,
            household=number,
            village=village,
            insuplc=area.code,
            pharmacy=pharmacy,
            clinic=clinic,
            hospital=hospital,
            cert=chance.choices(("01", "03", "02"), (50, 34, 16))[0],
        )
        _employ(person, people, employers, chance)
        _fall_ill(person, chance)
        people.all.append(person)
        if village:
            people.villages.setdefault(village, []).append(person)
        yield person


def _village(people: People, area: Area, size: int, chance: Random) -> str:
    """Half of the households live in a village or a named quarter of about VILLAGE persons."""
    if chance.random() < 0.5:
        return ""
    before = people.named.get(area.code, 0)
    people.named[area.code] = before + size
    return f"V{AREAS.index(area)}{before // VILLAGE:04d}"


def _employ(person: Person, people: People, employers: int, chance: Random) -> None:
    if person.insutype == "310":
        person.balance = chance.randint(20_000, 500_000)
        if person.age < 60 and chance.random() < 0.4:
            person.emp = f"E{chance.randrange(employers):05d}"
            people.workers.setdefault(person.emp, []).append(person)


def _fall_ill(person: Person, chance: Random) -> None:
    """The old are more often chronically ill; one in 1,200 is on dialysis."""
    if chance.random() < 1 / 1200:
        person.illness, person.dialysis = "N18", True
    elif chance.random() < (0.02 if person.age < 40 else 0.10 if person.age < 60 else 0.32):
        illnesses = [icd for icd in BY_ILLNESS if icd != "N40" or person.gend == "1"]
        person.illness = chance.choices(illnesses, [{"I10": 8, "E11": 4}.get(icd, 2) for icd in illnesses])[0]
        known = BY_ILLNESS[person.illness]
        person.drugs = tuple(chance.sample(known, min(len(known), chance.choice((1, 1, 1, 2)))))
        person.long_rx = chance.random() < 0.2


def _visitor(number: int, orgs: list[Org], haunts: Haunts, year: int, mint: Mint, chance: Random) -> Person:
    station = next(org for org in orgs if "station" in org.tags)
    age = chance.randint(20, 70)
    return Person(
        number=number,
        psn_no=mint("p"),
        born=_birthday(year, age, chance),
        age=age,
        gend=chance.choice("12"),
        insutype="310",
        area=AREAS[0],
        household=-1,
        insuplc=chance.choice(("310104", "320505", "340103", "350203", "360102", "420106", "500112")),
        filed=chance.random() < 0.6,
        pharmacy=station,
        clinic=haunts.clinics[0],
        hospital=haunts.hospitals[0],
        balance=chance.randint(20_000, 300_000),
    )


def _birthday(year: int, age: int, chance: Random) -> str:
    return f"{year - age - 1}-{chance.randint(1, 12):02d}-{chance.randint(1, 28):02d}"
