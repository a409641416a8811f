"""Where care is given: districts, pharmacies, clinics and hospitals with their tills, doctors, wards and beds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from math import asin, cos, radians, sin, sqrt
from random import Random

from replay.simulate.clock import HOUR
from replay.simulate.goods import COUNTER
from replay.simulate.spells import Spell

KM_LATITUDE = 111.2  # km a degree
KM_LONGITUDE = 96.1  # at 30 degrees north


@dataclass(frozen=True, slots=True)
class Area:
    """A district (统筹区): code of six digits, centre, and how many of the city's people live in it."""

    code: str
    lon: float
    lat: float
    share: float


# Seven districts of one town, a county forty kilometres off, and a second town that is 135 km away.
AREAS: tuple[Area, ...] = (
    Area("330102", 120.170, 30.240, 0.19),
    Area("330103", 120.205, 30.310, 0.13),
    Area("330104", 120.260, 30.265, 0.15),
    Area("330105", 120.110, 30.320, 0.13),
    Area("330106", 120.080, 30.255, 0.08),
    Area("330107", 120.150, 30.180, 0.11),
    Area("330108", 120.230, 30.195, 0.08),
    Area("330109", 119.770, 30.370, 0.09),
    Area("330203", 121.520, 29.930, 0.04),
)


@dataclass(slots=True, kw_only=True)
class Till:
    """A counter where credentials are read. dev_no: "" where the store's terminal has no number, only its operator."""

    dev_no: str
    opter: str

    @property
    def name(self) -> str:
        return self.dev_no or self.opter


@dataclass(slots=True, kw_only=True)
class Doctor:
    """away: on leave, suspended, retired."""

    code: str
    dept: str
    number: int
    away: list[Spell] = field(default_factory=list)

    def on_duty(self, day: int) -> bool:
        """Three days on, one off."""
        return (self.number + day) % 4 != 0 and self.is_there(day)

    def is_there(self, day: int) -> bool:
        return not any(spell.covers(day) for spell in self.away)


@dataclass(slots=True, kw_only=True)
class Ward:
    """free_from: for each bed, the second from which it may be given to the next patient."""

    name: str
    dept: str
    number: int
    free_from: list[int]

    def bed(self, index: int) -> str:
        return f"{self.number:02d}-{index + 1:02d}"

    def take(self, begin: int, end: int) -> int | None:
        """The index of a bed that is free from ``begin`` on, now taken until ``end``; None if all are taken."""
        for index, free in enumerate(self.free_from):
            if free <= begin:
                self.free_from[index] = end + HOUR
                return index
        return None


@dataclass(slots=True, kw_only=True, eq=False)
class Org:
    """A designated institution (定点医药机构). opens, closes: seconds of the day.

    stops: when its agreement is suspended or has ended. uncoded: drugs of which it has old stock without trace codes.
    """

    number: int
    code: str
    kind: str  # pharmacy, clinic, hospital
    level: int
    area: Area
    lon: float
    lat: float
    owner: str
    tags: tuple[str, ...] = ()
    opens: int = 0
    closes: int = 24 * HOUR
    beds: int = 0
    campus: str = ""
    tills: list[Till] = field(default_factory=list)
    doctors: list[Doctor] = field(default_factory=list)
    wards: list[Ward] = field(default_factory=list)
    uploads: str = "at_once"  # its stock records; or hourly, nightly
    numbers: bool = False  # its software writes amounts as JSON numbers
    signs_in: bool = False  # its doctors sign in by face in the morning
    says_days: bool = True  # its software tells how many days a drug lasts
    names_orders: bool = False  # its orders name the item
    stops: list[Spell] = field(default_factory=list)
    uncoded: frozenset[int] = frozenset()

    @property
    def hours(self) -> str:
        return "-".join(f"{second // HOUR:02d}:{second % HOUR // 60:02d}" for second in (self.opens, self.closes))

    def duty(self, day: int) -> list[Doctor]:
        """The doctors at work; never none."""
        return (
            [doctor for doctor in self.doctors if doctor.on_duty(day)]
            or [doctor for doctor in self.doctors if doctor.is_there(day)]
            or self.doctors[:1]
        )

    def is_open(self, day: int) -> bool:
        """Its agreement is in force."""
        return not any(spell.covers(day) for spell in self.stops)


def km(here: Org, there: Org) -> float:
    """Great-circle distance."""
    lat1, lat2 = radians(here.lat), radians(there.lat)
    half = sin((lat2 - lat1) / 2) ** 2 + cos(lat1) * cos(lat2) * sin(radians(there.lon - here.lon) / 2) ** 2
    return 2 * 6371.0 * asin(sqrt(half))


DEPARTMENTS = {
    1: ("internal", "geriatric"),
    2: ("internal", "geriatric", "rehab", "surgery"),
    3: ("internal", "surgery", "rehab", "geriatric", "cardio", "oncology", "obgyn"),
}
SPECIAL_WARDS = {"icu": "ICU", "neonatal": "NEONATAL"}  # of the largest; nobody is admitted there by the general door
_DOCTORS = {0: 2, 1: 5, 2: 9, 3: 14}
_BEDS = {1: 64, 2: 104, 3: 246}


def build(persons: int, chance: Random) -> list[Org]:
    """The institutions that a city of ``persons`` insured people has, special ones included."""
    orgs: list[Org] = []
    for kind, people_each, least in (("pharmacy", 130, 18), ("hospital", 270, 11), ("clinic", 650, 9)):
        for nth, area in enumerate(_spread(max(least, persons // people_each))):
            orgs.append(_org(kind, nth, area, len(orgs) + 1, chance))
    orgs += _special(len(orgs), max(1, persons // 8_000), chance)
    for org in orgs:
        org.tills = list(_tills(org))
    _join_campuses(orgs)
    return orgs


def _join_campuses(orgs: list[Org]) -> None:
    """The pharmacy across the street from a large hospital is the hospital's own (院外药房)."""
    taken: set[int] = set()
    for house in (org for org in orgs if org.level == 3):
        for store in orgs:
            if store.kind == "pharmacy" and store.area is house.area and not store.tags and store.number not in taken:
                taken.add(store.number)
                house.campus = store.campus = f"CAMPUS{house.number:04d}"
                store.owner = house.owner
                store.lon, store.lat = round(house.lon + 0.001, 6), house.lat
                break


def _spread(count: int) -> Iterator[Area]:
    """Areas in turn, one each, then by their share of the people."""
    wheel = [area for area in AREAS for _ in range(round(area.share * 100))]
    step = 37  # coprime to 100: neighbours in the wheel do not follow each other
    yield from islice(AREAS, count)
    yield from islice((wheel[i * step % len(wheel)] for i in range(count)), max(0, count - len(AREAS)))


def _org(kind: str, nth: int, area: Area, number: int, chance: Random) -> Org:
    level = 0 if kind == "pharmacy" else 1 if kind == "clinic" else 3 if nth % 9 == 0 else 2 if nth % 3 == 0 else 1
    lon, lat = _near(area, chance)
    org = Org(
        number=number,
        code=_code(kind, area, number),
        kind=kind,
        level=level,
        area=area,
        lon=lon,
        lat=lat,
        owner=f"CHAIN{nth % 7}" if kind == "pharmacy" and nth % 2 == 0 else f"G{number:04d}",
        uploads=chance.choice(("at_once", "hourly", "hourly", "nightly")),
        numbers=chance.random() < 0.3,
        says_days=chance.random() < 0.8,
        names_orders=chance.random() < 0.5,
    )
    if kind == "pharmacy":
        org.opens, org.closes = 7 * HOUR + HOUR // 2, 21 * HOUR + HOUR // 2
        org.tags = ("24h",) if nth % 13 == 12 else ("dual_channel",) if nth % 13 == 6 else ()
        if "24h" in org.tags:
            org.opens, org.closes = 0, 24 * HOUR
        if chance.random() < 0.1:
            org.uncoded = frozenset(drug.number for drug in chance.sample(COUNTER, 2))
    elif kind == "clinic":
        org.opens, org.closes = 7 * HOUR, 19 * HOUR
    else:
        org.beds = _BEDS[level]
        org.wards = list(_wards(org))
        org.signs_in = nth % 7 == 0
    if kind != "pharmacy":
        org.doctors = list(_doctors(org))
    return org


def _special(taken: int, works: int, chance: Random) -> list[Org]:
    """The store at the station, the mail-order pharmacy, the clinics of large works, of a school, of an old people's
    home."""
    station, internet = (_org("pharmacy", 1, AREAS[0], taken + nth, chance) for nth in (1, 2))
    station.tags = ("station",)
    internet.tags = ("internet",)
    internet.opens, internet.closes = 0, 24 * HOUR
    clinics = [_org("clinic", 1, AREAS[nth % 7], taken + 3 + nth, chance) for nth in range(works + 2)]
    for clinic in clinics[2:]:
        clinic.tags = ("employer",)
    clinics[0].tags, clinics[1].tags = ("school",), ("nursing_home",)
    return [station, internet, *clinics]


def _near(area: Area, chance: Random) -> tuple[float, float]:
    """A point within 4.3 km of the centre, so that two places of one area are never 10 km apart."""
    return (
        round(area.lon + chance.uniform(-3, 3) / KM_LONGITUDE, 6),
        round(area.lat + chance.uniform(-3, 3) / KM_LATITUDE, 6),
    )


def _code(kind: str, area: Area, number: int) -> str:
    return f"{'P' if kind == 'pharmacy' else 'H'}{area.code}{number:05d}"


def _tills(org: Org) -> Iterator[Till]:
    nameless = org.kind == "pharmacy" and org.number % 31 == 10
    for nth in range(1, (5 if org.level == 3 else 4 if org.level == 2 else 3) + 1):
        name = f"{org.number:04d}{nth:02d}"
        yield Till(dev_no="" if nameless else f"T{name}", opter=f"OP{name}")


def _doctors(org: Org) -> Iterator[Doctor]:
    depts: Sequence[str] = DEPARTMENTS[org.level] if org.kind == "hospital" else ("general",)
    for nth, dept in enumerate(islice(cycle(depts), _DOCTORS[org.level if org.kind == "hospital" else 0])):
        yield Doctor(code=f"D{org.area.code}{nth:03d}{org.number:04d}", dept=dept, number=nth + org.number)


def _wards(org: Org) -> Iterator[Ward]:
    """Intensive care and the newborns' ward have twelve beds each beside the others."""
    depts = DEPARTMENTS[org.level]
    for nth, dept in enumerate(depts, 1):
        yield Ward(name=f"{dept.upper()}-{nth:02d}", dept=dept, number=nth, free_from=[-1] * (org.beds // len(depts)))
    for nth, (dept, name) in enumerate(SPECIAL_WARDS.items() if org.level == 3 else (), len(depts) + 1):
        yield Ward(name=f"{name}-{nth:02d}", dept=dept, number=nth, free_from=[-1] * 12)
