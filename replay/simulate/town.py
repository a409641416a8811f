"""Who may go out on the day being lived, and where to."""

from dataclasses import dataclass, field
from random import Random

from replay.simulate.city import City
from replay.simulate.ids import dice
from replay.simulate.people import NOT_FOR_ALL, Person
from replay.simulate.places import Org
from replay.simulate.season import busyness


@dataclass(slots=True)
class Town:
    """What all of ordinary life shares. chance: of the day. tagged, near: places by tag, by kind and district."""

    city: City
    chance: Random = field(default_factory=Random)
    large: list[Org] = field(default_factory=list)  # hospitals of the third level
    tagged: dict[str, list[Org]] = field(default_factory=dict)
    near: dict[tuple[str, str], list[Org]] = field(default_factory=dict)  # where anybody may go

    def __post_init__(self) -> None:
        for org in self.city.orgs:
            for tag in org.tags:
                self.tagged.setdefault(tag, []).append(org)
            if not NOT_FOR_ALL & set(org.tags):
                self.near.setdefault((org.kind, org.area.code), []).append(org)
            if org.level == 3:
                self.large.append(org)

    def wake(self) -> None:
        """A new day, with its own luck."""
        self.chance = dice(self.city.plan.seed, "day", self.city.day)

    def many(self, rate: float) -> int:
        """How often something happens today that happens ``rate`` times per person and day."""
        mean = rate * len(self.city.people.all) * busyness(self.city.clock.of(self.city.day))
        return max(0, int(self.chance.gauss(mean, mean**0.5) + self.chance.random()))

    def somebody(self) -> Person | None:
        people = self.city.people.all
        person = people[int(self.chance.random() * len(people))]
        return person if self.is_free(person) else None

    def is_free(self, person: Person) -> bool:
        """At home, well enough, and not in a story; each goes out once a day, so that nobody is in two places."""
        city = self.city
        if person.last_seen == city.day or person.last_stay >= city.day or person.dialysis:
            return False
        return person.number not in city.wanted or not city.is_wanted(person, city.day, city.day)

    def open(self, org: Org, person: Person) -> Org:
        """The place, or while its agreement is suspended another of the district, of another owner if there is one."""
        if not org.stops or org.is_open(self.city.day):
            return org
        kinds = (org.kind, "hospital") if org.kind == "clinic" else (org.kind,)
        near = (one for kind in kinds for one in self.near.get((kind, org.area.code), ()))
        others = [one for one in near if one.is_open(self.city.day)]
        strangers = [one for one in others if one.owner != org.owner]
        choice = strangers or others or [org]
        return choice[person.number % len(choice)]
