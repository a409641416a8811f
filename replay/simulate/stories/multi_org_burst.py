"""From counter to counter with one card (短时多机构连续刷卡)."""

from collections.abc import Sequence

from replay.simulate.clock import MINUTE
from replay.simulate.desk import Goods, Service
from replay.simulate.goods import COUNTER, ITEMS, drug
from replay.simulate.people import Person
from replay.simulate.places import Org, km
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant, one_by_one, packs


def tour(stage: Stage, person: Person, places: Sequence[Org], gaps: Sequence[int]) -> None:
    """A small purchase at each, so many minutes apart; at a clinic or hospital a laboratory."""
    first = stage.at(9, 2)
    for org, at in zip(places, one_by_one(first, [gap * MINUTE for gap in gaps]), strict=True):
        goods: list[Goods] = [*packs(stage.chance.choice(COUNTER))]
        if org.kind != "pharmacy":
            goods = [Service(item=ITEMS["reg"]), Service(item=ITEMS["blood"])]
        stage.buy(person, org, at, goods, med_type="41" if org.kind == "pharmacy" else "11")
    stage.notes = f"{len(places)} institutions in {sum(gaps)} minutes"


def around(stage: Stage, count: int, kinds: Sequence[str] = ("pharmacy",)) -> tuple[Person, list[Org]]:
    """Somebody, and so many places of different owners within 15 km of home."""
    person = stage.person()
    near = stage.places(
        lambda org: org.kind in kinds and not org.tags and not org.campus and km(org, person.hospital) < 15
    )
    if len(near) < count:
        raise NoActorsError(stage.family.name)
    return person, stage.chance.sample(near, count)


def within_the_hour(stage: Stage) -> None:
    person, places = around(stage, 3, ("pharmacy", "clinic"))
    tour(stage, person, places, [stage.chance.randint(16, 28) for _ in places[1:]])
    stage.level = "orange"


def within_the_day(stage: Stage) -> None:
    person, places = around(stage, 6, ("pharmacy", "clinic", "hospital"))
    tour(stage, person, places, [stage.chance.randint(70, 100) for _ in places[1:]])
    stage.level = "orange"


def dear_goods(stage: Stage) -> None:
    """Three pharmacies in a day, 682 yuan at each."""
    person, places = around(stage, 3)
    for nth, org in enumerate(places):
        stage.buy(person, org, stage.at(9 + 4 * nth, 1.5), packs(drug("osimertinib tablet")))
    stage.level, stage.notes = "orange", "three pharmacies in a day, more than 500 yuan"


FAMILY = Family(
    name="multi_org_burst",
    kind="fraud",
    wave=1,
    expect=("multi_org_burst",),
    also=("geo_time_conflict", "frequent_visit", "drug_overstock", "cross_org_duplicate_drug", "quota_drain"),
    variants=(
        Variant(name="within the hour", tell=within_the_hour),
        Variant(name="within the day", tell=within_the_day),
        Variant(name="dear goods", tell=dear_goods),
    ),
)
