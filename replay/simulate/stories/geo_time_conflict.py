"""One credential in two places at once (时空冲突): the card is lent, or copied."""

from replay.simulate.clock import DAY, HOUR
from replay.simulate.goods import COUNTER, Drug, drug
from replay.simulate.people import Person
from replay.simulate.places import Org, km
from replay.simulate.stories.story import Family, Stage, Variant, packs

SPEED = (300, 700)  # km/h that the card would have had to travel


def conflict(stage: Stage, person: Person, here: Org, there: Org, first: int, dear: Drug | None = None) -> str:
    """A purchase here, and one there much too soon after it."""
    speed = stage.chance.randint(*SPEED)
    second = first + round(km(here, there) / speed * HOUR)
    stage.buy(person, here, first, packs(stage.chance.choice(COUNTER)))
    goods = packs(dear, cnt=4) if dear else packs(stage.chance.choice(COUNTER))
    stage.buy(person, there, second, goods)
    return f"{km(here, there):.0f} km at {speed} km/h"


def to_the_county(stage: Stage) -> None:
    here, there = stage.apart(25, 70)
    stage.notes = conflict(stage, stage.person(), here, there, stage.at(9, 9))
    stage.level = "orange"


def to_another_town(stage: Stage) -> None:
    here, there = stage.apart(90, 190)
    stage.notes = conflict(stage, stage.person(), here, there, stage.at(9, 9))
    stage.level = "orange"


def dear_drug(stage: Stage) -> None:
    """The second bill costs the fund more than a thousand yuan."""
    here, there = stage.apart(25, 190)
    stage.notes = conflict(stage, stage.person(), here, there, stage.at(9, 9), drug("osimertinib tablet"))
    stage.level = "red"


def twice(stage: Stage) -> None:
    here, there = stage.apart(25, 70)
    person = stage.person()
    first = stage.at(9, 4)
    conflict(stage, person, here, there, first)
    stage.notes = "two conflicts in four days, " + conflict(stage, person, here, there, first + 3 * DAY)
    stage.level = "red"


FAMILY = Family(
    name="geo_time_conflict",
    kind="fraud",
    wave=1,
    expect=("geo_time_conflict",),
    also=("multi_org_burst", "drug_overstock"),
    variants=(
        Variant(name="to the county", tell=to_the_county),
        Variant(name="to another town", tell=to_another_town),
        Variant(name="dear drug", tell=dear_drug),
        Variant(name="twice", tell=twice, days=4),
    ),
)
