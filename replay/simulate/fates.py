"""What befalls people and places of itself: deaths, births, arrears, lost cards, a store closed, a doctor on leave.

Decided before the first day, because the bureau's records of it come first in a recording.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from replay.simulate.city import City
from replay.simulate.clock import DAY, HOUR
from replay.simulate.ids import dice
from replay.simulate.people import Person
from replay.simulate.places import Org
from replay.simulate.spells import FOREVER, Spell

# Per 1,000 persons and year. Deaths and births: about the country's of 2024; the others are guesses.
DEATHS = 7.8
BIRTHS = 6.4
ARREARS = 5.0
LOST_CARDS = 30.0
IN_HOSPITAL = 0.4  # of all deaths
CLOSED = 1 / 15  # of all pharmacies, in the time that is told: suspended for some days, or given up
ON_LEAVE = 1 / 12  # of the doctors of a place that has enough of them
RETIRED = 1 / 80
ENOUGH = 4  # pharmacies of a district, of which one may close
DRAWS = 60  # until somebody counts as not to be found


@dataclass(slots=True)
class Fates:
    """By day. dying: who is admitted, and the day of death; births: mothers; cards: who has just lost one."""

    dying: dict[int, list[tuple[Person, int]]] = field(default_factory=dict)
    births: dict[int, list[Person]] = field(default_factory=dict)
    cards: dict[int, list[Person]] = field(default_factory=dict)


def befall(city: City) -> Fates:
    """Draw all of it, and put it on record."""
    chance, fates = dice(city.plan.seed, "fates"), Fates()
    for day in range(1, city.plan.days):
        for person in _struck(city, chance, DEATHS, day, _is_old):
            _die(city, chance, fates, person, day)
        for mother in _struck(city, chance, BIRTHS, day, _may_bear):
            fates.births.setdefault(day, []).append(mother)
            city.want(mother, day - 2, day + 7)
        for person in _struck(city, chance, ARREARS, day, lambda person: True):
            spell = Spell(first=day, last=day + chance.randint(20, 50), status="suspended")
            person.spells.append(spell)
            city.want(person, spell.first, spell.last)
        for person in _struck(city, chance, LOST_CARDS, day, lambda person: person.cert == "03"):
            person.spells.append(Spell(first=day, last=day + chance.randint(6, 12), status="lost_card"))
            fates.cards.setdefault(day, []).append(person)
    stores = Counter(org.area.code for org in city.orgs if org.kind == "pharmacy")
    for org in city.orgs:
        if org.kind == "pharmacy" and not org.tags and stores[org.area.code] >= ENOUGH:
            _close(city, chance, org)
        elif len(org.doctors) > 4:
            _rest(city, chance, org)
    return fates


def _struck(city: City, chance: Random, rate: float, day: int, fits: Callable[[Person], bool]) -> Iterator[Person]:
    people = city.people.all
    mean = rate / 1000 / 365 * len(people)
    for _ in range(int(mean + chance.random())):
        for _ in range(DRAWS):
            person = people[int(chance.random() * len(people))]
            fated = person.spells or person.dialysis or city.is_wanted(person, day - 6, day + 9)
            if fits(person) and not fated:
                yield person
                break


def _is_old(person: Person) -> bool:
    return person.age >= 66


def _may_bear(person: Person) -> bool:
    return person.gend == "2" and 22 <= person.age <= 38


def _die(city: City, chance: Random, fates: Fates, person: Person, day: int) -> None:
    """The bureau hears of it some days later; the family leaves the card alone."""
    heard = (day + chance.randint(1, 9)) * DAY + int(chance.uniform(9, 17) * HOUR)
    person.spells.append(Spell(first=day, status="dead", known=heard))
    admitted = day - chance.randint(2, 5)
    if admitted > 0 and chance.random() < IN_HOSPITAL:
        fates.dying.setdefault(admitted, []).append((person, day))
        city.want(person, admitted - 1, FOREVER)
    else:
        city.want(person, day, FOREVER)


def _close(city: City, chance: Random, org: Org) -> None:
    """A store's agreement is suspended, or ends; it settles nothing from then on."""
    if chance.random() < CLOSED and city.plan.days > 4:
        first = chance.randint(3, city.plan.days - 1)
        if chance.random() < 0.5:
            spell = Spell(first=first, last=first + chance.randint(5, 15), status="suspended")
        else:
            spell = Spell(first=first, status="terminated")
        org.stops.append(spell)
        city.set_aside(org, spell.first, spell.last)


def _rest(city: City, chance: Random, org: Org) -> None:
    """The head of the house never goes away."""
    for doctor in org.doctors[1:]:
        fate = chance.random()
        if fate < ON_LEAVE:
            first = chance.randrange(city.plan.days)
            doctor.away.append(Spell(first=first, last=first + chance.randint(4, 13), status="leave"))
        elif fate > 1 - RETIRED:
            doctor.away.append(Spell(first=chance.randrange(city.plan.days), status="retired"))
