"""Settled, and never bought: something else went over the counter, or nothing did (进销存不符)."""

from collections.abc import Iterable

from replay.simulate.clock import HOUR, MINUTE
from replay.simulate.desk import Pack
from replay.simulate.goods import WATCHED, drug
from replay.simulate.journal import Event
from replay.simulate.label import Named
from replay.simulate.places import Org
from replay.simulate.spells import FOREVER
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant

SELLING = 4  # days on which it is sold
TOLD_BY = 5  # days until the balance was short for a day, the records must have come in, and a midnight has passed
EACH = 3  # packs on a bill


def counted(stage: Stage, org: Org, packs: int) -> Iterable[Event]:
    """The place counts so many packs of a dear drug on the city's first morning, and buys none."""
    stage.place = org
    stage.goods = stage.goods or stage.chance.choice(WATCHED[::2])
    at = stage.city.clock.opens + 2 * MINUTE
    shelf = stage.city.shelf(org, stage.goods)
    if shelf.numbered:
        raise NoActorsError(stage.family.name)
    stage.city.deliver(org, stage.goods, shelf.add(org, stage.goods, packs, at), "count", at, at + HOUR)
    return ()


def none_at_all(stage: Stage) -> Iterable[Event]:
    return counted(stage, small_store(stage), 0)


def a_few(stage: Stage) -> Iterable[Event]:
    return counted(stage, small_store(stage), 3)


def a_few_in_hospital(stage: Stage) -> Iterable[Event]:
    stage.goods = drug("human albumin vial")
    goods = stage.goods
    return counted(stage, stage.hospital(lambda org: org.level < 3 and not stage.city.shelf(org, goods).numbered), 2)


def small_store(stage: Stage) -> Org:
    """One that keeps no dear drugs, and is this story's own: nobody else buys any there."""
    return stage.alone(lambda org: org.kind == "pharmacy" and not org.tags, 0, FOREVER)


def sell(stage: Stage, packs: int, *, stray: bool = True) -> None:
    """Three at a time. stray: whatever codes are scanned, they are of boxes that never stood there."""
    org, goods = stage.place, stage.goods
    if org is None or goods is None:
        raise NoActorsError(stage.family.name)
    people = stage.people(packs // EACH, fits=lambda person: not person.drugs)
    for nth, person in enumerate(people):
        at = stage.at(9, 9, day=stage.day + nth * SELLING // len(people))
        bought = [Pack(drug=goods, cnt=EACH, codes=strays(stage, EACH) if stray else None)]
        stage.buy(person, org, at, bought, med_type="41" if org.kind == "pharmacy" else "11")
    stage.subject = Named("drug", f"{org.code}/{goods.code}")
    stage.ids = [stage.subject.id, goods.code]
    stage.absence = True
    stage.notes = f"{len(people) * EACH} packs sold of {goods.group}, none bought"


def strays(stage: Stage, count: int) -> list[str]:
    """Codes of boxes from nowhere."""
    return [f"81{stage.chance.randrange(10**18):018d}" for _ in range(count)]


def never_bought(stage: Stage) -> None:
    sell(stage, stage.chance.randrange(24, 34, EACH))
    stage.level = "red"


def more_than_bought(stage: Stage) -> None:
    sell(stage, stage.chance.randrange(24, 40, EACH))
    stage.level = "orange"


FAMILY = Family(
    name="inventory_imbalance",
    kind="fraud",
    wave=1,
    expect=("inventory_imbalance",),
    also=(
        *("watch_drug_concentration", "upload_gap", "trace_code_path_conflict", "quota_drain", "drug_overstock"),
        *("split_small_settlement", "doctor_pharmacy_ring"),
    ),
    variants=(
        Variant(name="never bought", tell=never_bought, days=SELLING + TOLD_BY, prepare=none_at_all),
        Variant(name="more than bought", tell=more_than_bought, days=SELLING + TOLD_BY, prepare=a_few),
        Variant(name="in hospital", tell=more_than_bought, days=SELLING + TOLD_BY, prepare=a_few_in_hospital),
    ),
)
