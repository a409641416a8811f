"""Many cards at one till, and nothing wrong: families, a screening day, an upload after a cut, a training day."""

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Goods, Pack, Service
from replay.simulate.goods import ACUTE, COUNTER, EXAMS, ITEMS, LABS
from replay.simulate.journal import Event
from replay.simulate.label import Named
from replay.simulate.people import Person
from replay.simulate.places import Org
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


def register_screening(stage: Stage) -> list[Event]:
    """The bureau enters the day in its calendar five days before."""
    villages = [name for name, members in stage.city.people.villages.items() if len(members) >= 40]
    if not villages:
        raise NoActorsError(stage.family.name)
    stage.village = stage.chance.choice(villages)
    stage.city.registered.add((stage.village, stage.day))
    return [calendar(stage.city, stage.day, stage.day - 5, village=stage.village, kind="mass_screening")]


def screening_day(stage: Stage) -> None:
    """A village comes to one desk, a registered day (X10)."""
    members = stage.city.people.villages[stage.village]
    free = [person for person in members if stage.is_free(person, stage.day)][:SCREENED]
    if len(free) < 12:
        raise NoActorsError(stage.family.name)
    for person in free:
        stage.engage(person, stage.day)
    org = stage.house(free[0])
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


def cold_season(stage: Stage) -> None:
    """A Monday morning with the winter's cough: a queue at a clinic, one remedy for nearly all (X11)."""
    org, people = stage.clinic(), stage.people(14)
    first = stage.at(7.3, 0.3)
    till = stage.till(org, first, first + HOUR)
    remedy = ACUTE[0]
    for at, person in zip(one_by_one(first, [stage.chance.randint(100, 190) for _ in people[1:]]), people, strict=True):
        bought = Pack(drug=remedy)
        stage.prescribe(person, [bought], at - 4 * MINUTE, house=org)
        stage.buy(person, org, at, [Service(item=ITEMS["reg"]), bought], till=till, med_type="11")
    stage.ids = [f"{org.code}/{till.name}"]
    stage.notes = f"{len(people)} patients in a morning, one remedy"


def all_night(stage: Stage) -> None:
    """Twelve customers of one night, where a store never closes (X12)."""
    org, people = stage.tagged("24h"), stage.people(12)
    night = (stage.day + 1) * DAY
    for person in people:
        basket = stage.chance.sample(COUNTER, stage.chance.choice((1, 2)))
        stage.buy(person, org, night - 90 * MINUTE + stage.chance.randrange(6 * HOUR), packs(*basket))
    stage.subject = Named("org", org.code)
    stage.notes = f"{len(people)} customers in a night at a store that is open all night"


def travellers(stage: Stage) -> None:
    """A train comes in: ten strangers at the store in the station, one after the other (X17)."""
    org, people = stage.tagged("station"), stage.people(10, among=stage.city.people.visitors, strangers=False)
    first = stage.at(10, 8)
    till = stage.till(org, first, first + 40 * MINUTE)
    gaps = [stage.chance.randint(75, 150) for _ in people[1:]]
    for at, person in zip(one_by_one(first, gaps), people, strict=True):
        stage.buy(person, org, at, packs(stage.chance.choice(COUNTER)), till=till, cert="01")
    stage.ids = [f"{org.code}/{till.name}"]
    stage.notes = f"{len(people)} travellers at the station's store"


def works_queue(stage: Stage) -> None:
    """A workshop comes to the clinic of the works, each with an ailment of his own (X18)."""
    crews = [crew for crew in stage.city.people.workers.values() if len(crew) >= 16]
    if not crews:
        raise NoActorsError(stage.family.name)
    _queue(stage, stage.tagged("employer"), stage.people(10, among=stage.chance.choice(crews), strangers=False))
    stage.notes = "ten colleagues in a row at the clinic of the works"


def school_queue(stage: Stage) -> None:
    """A class after the sports day."""
    pupils = stage.people(12, among=stage.city.people.pupils)
    _queue(stage, stage.tagged("school"), pupils)
    stage.notes = "twelve pupils in a row at the school's clinic"


def _queue(stage: Stage, org: Org, people: list[Person]) -> None:
    first = stage.at(9, 4)
    till = stage.till(org, first, first + 20 * MINUTE)
    gaps = [stage.chance.randint(35, 55) for _ in people[1:]]
    for nth, (at, person) in enumerate(zip(one_by_one(first, gaps), people, strict=True)):
        some = stage.chance.sample((*LABS, *EXAMS), 1 + nth % 3)
        goods: list[Goods] = [Service(item=item) for item in some]
        stage.buy(person, org, at, goods, till=till, med_type="11", haste=True)
    stage.ids = [f"{org.code}/{till.name}"]


_QUEUES = ("card_batch_swipe", "companion_group", "pharmacy_surge")
FAMILIES = (
    Family(
        name="x02_families_queue",
        kind="decoy",
        exclusion="X02",
        forbid=("card_batch_swipe", "companion_group"),
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
        name="x11_cold_season",
        kind="decoy",
        exclusion="X11",
        forbid=(*_QUEUES, "batch_admission", "doctor_rx_burst", "package_exam", "rx_missing_or_forged"),
        variants=(Variant(name="a clinic", tell=cold_season, after=1),),
    ),
    Family(
        name="x12_all_night",
        kind="decoy",
        exclusion="X12",
        forbid=(*_QUEUES, "off_hours_settlement", "empty_swipe_reverse", "split_small_settlement"),
        variants=(Variant(name="a night", tell=all_night, days=2),),
    ),
    Family(
        name="x17_travellers",
        kind="decoy",
        exclusion="X17",
        forbid=(*_QUEUES, "nonlocal_remote_scan", "geo_time_conflict", "multi_org_burst"),
        variants=(Variant(name="a train", tell=travellers),),
    ),
    Family(
        name="x18_queue_of_colleagues",
        kind="decoy",
        exclusion="X18",
        forbid=_QUEUES,
        variants=(Variant(name="works", tell=works_queue), Variant(name="school", tell=school_queue)),
    ),
    Family(
        name="x16_offline_batch",
        kind="decoy",
        exclusion="X16",
        also=("pharmacy_surge", "upload_gap", "split_small_settlement", "drug_overstock"),
        forbid=(
            *("card_batch_swipe", "geo_time_conflict", "off_hours_settlement", "multi_org_burst"),
            *("inventory_imbalance", "trace_code_repeat", "companion_group"),
        ),
        variants=(Variant(name="an evening", tell=offline_batch, days=2),),
    ),
    Family(
        name="x22_training_day",
        kind="decoy",
        exclusion="X22",
        forbid=(
            *("card_batch_swipe", "multi_org_burst", "trace_code_repeat", "geo_time_conflict", "inventory_imbalance"),
            *("upload_gap", "drug_overstock", "empty_swipe_reverse", "companion_group"),
        ),
        variants=(Variant(name="twelve bills", tell=training_day),),
    ),
)
