"""Collected cards are run through one till, one after the other (集中收卡、串刷套刷)."""

from collections.abc import Sequence

from replay.simulate.clock import MINUTE
from replay.simulate.desk import Goods
from replay.simulate.goods import COUNTER, Drug
from replay.simulate.label import Named
from replay.simulate.people import Person
from replay.simulate.places import Org, Till
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant, one_by_one, packs

ORANGE = (9, 12)  # cards: eight make a batch, fifteen a red one
RED = (15, 19)
GAP = (18, 40)  # seconds


def run(
    stage: Stage,
    org: Org,
    till: Till,
    people: Sequence[Person],
    first: int,
    baskets: Sequence[Sequence[Goods]],
    cert: str = "",
) -> int:
    """One card after the other; the second of the last bill."""
    at = first
    for at, person, basket in zip(times(stage, first, len(people)), people, baskets, strict=True):
        stage.buy(person, org, at, basket, till=till, cert=cert, haste=True)
    stage.subject = Named("till", f"{org.code}/{till.name}")
    stage.ids = [till.name]
    return at


def holders(stage: Stage, count: int) -> list[Person]:
    """Whose cards are collected: nobody whose village has a registered day meanwhile, which would excuse them (X10)."""
    return stage.people(
        count, fits=lambda person: not stage.city.has_registered_day(person.village, stage.day, stage.last)
    )


def times(stage: Stage, first: int, count: int) -> list[int]:
    return list(one_by_one(first, [stage.chance.randint(*GAP) for _ in range(count - 1)]))


def same_drugs(stage: Stage) -> None:
    people = holders(stage, stage.chance.randint(*RED))
    basket = stage.chance.sample(COUNTER, 2)
    one_session(stage, people, [packs(*basket) for _ in people])
    stage.level, stage.notes = "red", f"{len(people)} persons, the same two drugs"


def equal_amounts(stage: Stage) -> None:
    """Other drugs for each, but all bills within four percent of one sum."""
    people = holders(stage, stage.chance.randint(*RED))
    one_session(stage, people, [packs(*_worth(stage, 3000)) for _ in people])
    stage.level, stage.notes = "red", f"{len(people)} persons, nearly equal amounts"


def one_village(stage: Stage) -> None:
    villages = [
        members
        for name, members in stage.city.people.villages.items()
        if len(members) > 60 and not stage.city.has_registered_day(name, stage.day, stage.day)
    ]
    if not villages:
        raise NoActorsError(stage.family.name)
    people = stage.people(stage.chance.randint(*ORANGE), among=stage.chance.choice(villages))
    one_session(stage, people, [packs(*_some(stage)) for _ in people])
    stage.level, stage.notes = "orange", f"{len(people)} persons of one village"


def non_local(stage: Stage) -> None:
    people = stage.people(stage.chance.randint(*ORANGE), among=stage.city.people.visitors, strangers=False)
    one_session(stage, people, [packs(*_some(stage)) for _ in people], cert="01")
    stage.level, stage.notes = "orange", f"{len(people)} persons insured elsewhere, e-credentials"


def same_cards_again(stage: Stage) -> None:
    """Nine cards, and two days later most of them once more."""
    people = holders(stage, 9)
    org = stage.store()
    drug = stage.chance.choice(COUNTER)
    baskets = [packs(drug) for _ in people]
    firsts = (stage.at(10, 9), stage.at(10, 9, day=stage.day + 2))
    tills = [stage.till(org, first, first + 15 * MINUTE) for first in firsts]
    for first, till in zip(firsts, tills, strict=True):
        run(stage, org, till, people, first, baskets)
    stage.level, stage.notes = "red", "9 persons, the same cards two days later"


def one_session(stage: Stage, people: Sequence[Person], baskets: Sequence[Sequence[Goods]], cert: str = "") -> None:
    org, first = stage.store(), stage.at(9, 10)
    run(stage, org, stage.till(org, first, first + 15 * MINUTE), people, first, baskets, cert)


def _some(stage: Stage) -> list[Drug]:
    return stage.chance.sample(COUNTER, stage.chance.choice((1, 2, 3)))


def _worth(stage: Stage, fen: int) -> list[Drug]:
    """A basket that costs about ``fen``, always another."""
    for _ in range(2000):
        basket = stage.chance.sample(COUNTER, stage.chance.choice((2, 3)))
        if abs(sum(drug.price for drug in basket) - fen) <= fen // 25:
            return basket
    raise NoActorsError("card_batch_swipe")


FAMILY = Family(
    name="card_batch_swipe",
    kind="fraud",
    wave=1,
    expect=("card_batch_swipe",),
    also=("nonlocal_remote_scan", "companion_group", "pharmacy_surge", "split_small_settlement"),
    variants=(
        Variant(name="same drugs", tell=same_drugs),
        Variant(name="equal amounts", tell=equal_amounts),
        Variant(name="one village", tell=one_village),
        Variant(name="non-local", tell=non_local),
        Variant(name="same cards again", tell=same_cards_again, days=3),
    ),
)
