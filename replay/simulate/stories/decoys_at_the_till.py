"""Many cards at one till, and nothing wrong: families, a screening day, an upload after a cut, a training day."""

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Goods, Pack, Service
from replay.simulate.goods import COUNTER, ITEMS
from replay.simulate.journal import Event
from replay.simulate.reference import calendar
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant, one_by_one, packs

SCREENED = 45  # villagers at most
OFFLINE = 150  # bills at most that are typed in after a cut
TRAINING_CODE = "80000000000000000001"


def families_queue(stage: Stage) -> None:
    """Three households of four, one member with everybody's papers."""
    families = [stage.household(4) for _ in range(3)]
    org, first = stage.store(), stage.at(12, 6)
    till = stage.till(org, first, first + 10 * MINUTE)
    basket = stage.chance.sample(COUNTER, 2)
    queue = [(person, person is not family[0]) for family in families for person in family]
    for at, (person, sent) in zip(one_by_one(first, [33] * (len(queue) - 1)), queue, strict=True):
        agent = f"agHH{person.household:06d}" if sent else ""
        stage.buy(person, org, at, packs(*basket), till=till, agent=agent, haste=True)
    stage.notes = f"{len(queue)} cards, {len(families)} households"


def seven_cards(stage: Stage) -> None:
    _run(stage, 7, (22, 40))
    stage.notes = "7 persons"


def unhurried(stage: Stage) -> None:
    _run(stage, 12, (72, 105))
    stage.notes = "12 persons, 72-105 s apart"


def _run(stage: Stage, cards: int, gap: tuple[int, int]) -> None:
    people = stage.people(cards)
    org, first = stage.store(), stage.at(12, 6)
    till = stage.till(org, first, first + 25 * MINUTE)
    basket = stage.chance.sample(COUNTER, 2)
    gaps = [stage.chance.randint(*gap) for _ in range(cards - 1)]
    for at, person in zip(one_by_one(first, gaps), people, strict=True):
        stage.buy(person, org, at, packs(*basket), till=till, haste=True)


def register_screening(stage: Stage) -> Event:
    """The bureau enters the day in its calendar five days before."""
    villages = [name for name, members in stage.city.people.villages.items() if len(members) >= 40]
    if not villages:
        raise NoActorsError(stage.family.name)
    stage.village = stage.chance.choice(villages)
    stage.city.registered.add((stage.village, stage.day))
    return calendar(stage.city, stage.day, stage.day - 5, village=stage.village, kind="mass_screening")


def screening_day(stage: Stage) -> None:
    """A village comes to one desk, a registered day (X10)."""
    members = stage.city.people.villages[stage.village]
    free = [person for person in members if stage.is_free(person, stage.day)][:SCREENED]
    if len(free) < 12:
        raise NoActorsError(stage.family.name)
    for person in free:
        stage.engage(person, stage.day)
    org = stage.chance.choice([org for org in stage.city.orgs if org.kind == "hospital" and org.area is free[0].area])
    first = stage.at(8.1, 0.1)
    till = stage.till(org, first, first + HOUR)
    goods: list[Goods] = [Service(item=ITEMS[name]) for name in ("blood", "ecg", "screening")]
    gaps = [stage.chance.randint(27, 57) for _ in free[1:]]
    for at, person in zip(one_by_one(first, gaps), free, strict=True):
        stage.buy(person, org, at, goods, till=till, med_type="11", haste=True)
    stage.ids = [stage.village]
    stage.notes = f"mass screening of {stage.village} registered by the bureau: {len(free)} villagers at one desk"


def offline_batch(stage: Stage) -> None:
    """Bills of an evening without a line, received the next morning at eight (X16)."""
    count = max(20, min(OFFLINE, stage.city.plan.persons // 50))
    people = stage.people(count)
    org, first = stage.store(), stage.at(18.5, 0.1)
    till = stage.till(org, first, first + 2 * HOUR)
    received = (first // DAY + 1) * DAY + 8 * HOUR
    gaps = [stage.chance.randint(24, 40) for _ in people[1:]]
    for at, person in zip(one_by_one(first, gaps), people, strict=True):
        basket = stage.chance.sample(COUNTER, stage.chance.choice((1, 2)))
        stage.buy(person, org, at, packs(*basket), till=till, late=received - at, haste=True)
        received += 1
    stage.notes = f"{count} bills typed in after a cut, received next morning at 08:00"


def training_day(stage: Stage) -> None:
    """Twelve bills with is_test, one code on all of them (X22)."""
    people = stage.people(12)
    org, first = stage.store(), stage.at(9, 9)
    till = stage.till(org, first, first + 10 * MINUTE)
    gaps = [stage.chance.randint(22, 34) for _ in people[1:]]
    for at, person in zip(one_by_one(first, gaps), people, strict=True):
        goods = [Pack(drug=COUNTER[0], codes=[TRAINING_CODE])]
        stage.buy(person, org, at, goods, till=till, is_test=True, haste=True)
    stage.ids = [TRAINING_CODE]
    stage.notes = f"{len(people)} bills with is_test"


FAMILIES = (
    Family(
        name="x02_families_queue",
        kind="decoy",
        exclusion="X02",
        forbid=("card_batch_swipe",),
        variants=(Variant(name="three households", tell=families_queue),),
    ),
    Family(
        name="near_batch_seven",
        kind="decoy",
        exclusion="near",
        forbid=("card_batch_swipe",),
        variants=(Variant(name="seven cards", tell=seven_cards), Variant(name="unhurried", tell=unhurried)),
    ),
    Family(
        name="x10_screening_day",
        kind="decoy",
        exclusion="X10",
        forbid=(
            "card_batch_swipe",
            "companion_group",
            "batch_admission",
            "doctor_rx_burst",
            "package_exam",
            "pharmacy_surge",
        ),
        variants=(Variant(name="a village", tell=screening_day, prepare=register_screening),),
    ),
    Family(
        name="x16_offline_batch",
        kind="decoy",
        exclusion="X16",
        also=("pharmacy_surge", "upload_gap", "split_small_settlement", "drug_overstock"),
        forbid=("card_batch_swipe", "geo_time_conflict", "off_hours_settlement", "multi_org_burst"),
        variants=(Variant(name="an evening", tell=offline_batch, days=2),),
    ),
    Family(
        name="x22_training_day",
        kind="decoy",
        exclusion="X22",
        forbid=("card_batch_swipe", "multi_org_burst", "trace_code_repeat", "geo_time_conflict"),
        variants=(Variant(name="twelve bills", tell=training_day),),
    ),
)
