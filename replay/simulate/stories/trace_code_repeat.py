"""One box, settled again (药品追溯码重复结算、回流药)."""

from replay.simulate.clock import HOUR
from replay.simulate.desk import Pack
from replay.simulate.goods import CHRONIC, Drug, drug
from replay.simulate.label import Named
from replay.simulate.places import Org
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant


def sold_again(stage: Stage, sales: list[tuple[Org, int]]) -> None:
    """The same box over the counter at each of these places and times, to somebody else every time."""
    people = stage.people(len(sales))
    box: Drug = stage.chance.choice(CHRONIC)
    codes = stage.city.take(sales[0][0], box, 1, sales[0][1])
    for person, (org, at) in zip(people, sales, strict=True):
        stage.buy(person, org, at, [Pack(drug=box, codes=codes)])
    about_the_code(stage, codes[0])
    stage.notes = f"one code settled {len(sales)} times at {len({org.code for org, _ in sales})} stores"


def about_the_code(stage: Stage, code: str) -> None:
    stage.subject = Named("trace_code", code)
    stage.ids = [code]


def stores(stage: Stage, count: int) -> list[Org]:
    """Ordinary pharmacies, all different."""
    fitting = stage.places(lambda org: org.kind == "pharmacy" and not org.tags)
    if len(fitting) < count:
        raise NoActorsError(stage.family.name)
    return stage.chance.sample(fitting, count)


def two_stores(stage: Stage) -> None:
    here, there = stores(stage, 2)
    sold_again(stage, [(here, stage.at(9, 9)), (there, stage.at(9, 9, day=stage.day + stage.chance.randint(3, 6)))])
    stage.level = "red"


def many_stores(stage: Stage) -> None:
    sold_again(stage, [(org, stage.at(9, 9, day=stage.day + 2 * nth)) for nth, org in enumerate(stores(stage, 4))])
    stage.level = "red"


def same_store_later(stage: Stage) -> None:
    org = stage.store()
    sold_again(stage, [(org, stage.at(9, 3)), (org, stage.at(14, 5, day=stage.day + 2))])
    stage.level = "red"


def scanned_twice(stage: Stage) -> None:
    """At one store within hours: perhaps the scanner's mistake, so orange."""
    org, first = stage.store(), stage.at(9, 6)
    sold_again(stage, [(org, first), (org, first + 3 * HOUR)])
    stage.level = "orange"


def two_stores_in_a_day(stage: Stage) -> None:
    here, there = stores(stage, 2)
    first = stage.at(9, 4)
    sold_again(stage, [(here, first), (there, first + 3 * HOUR)])
    stage.level = "red"


def bottomless_box(stage: Stage) -> None:
    """Forty tablets out of a box of thirty, ten at a time (拆零)."""
    box = drug("vitamin c tablet")
    org = stage.store(lambda org: box.number not in org.uncoded)
    people = stage.people(4)
    codes = stage.city.take(org, box, 1, stage.at(9))
    for nth, person in enumerate(people):
        at = stage.at(9, 8, day=stage.day + nth)
        stage.buy(person, org, at, [Pack(drug=box, cnt=10, loose=True, codes=codes)])
    about_the_code(stage, codes[0])
    stage.level, stage.notes = "orange", "10 tablets four times from a box of 30"


FAMILY = Family(
    name="trace_code_repeat",
    kind="fraud",
    wave=1,
    expect=("trace_code_repeat",),
    also=("trace_code_path_conflict", "inventory_imbalance", "upload_gap", "drug_overstock"),
    variants=(
        Variant(name="two stores", tell=two_stores, days=7),
        Variant(name="many stores", tell=many_stores, days=7),
        Variant(name="same store later", tell=same_store_later, days=3),
        Variant(name="scanned twice", tell=scanned_twice),
        Variant(name="two stores in a day", tell=two_stores_in_a_day),
        Variant(name="bottomless box", tell=bottomless_box, days=4),
    ),
)
