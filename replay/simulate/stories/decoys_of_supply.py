"""Much of a drug at home, and nothing wrong: a long prescription, a registered disease, a shortage foreseen."""

from collections.abc import Iterable

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Pack
from replay.simulate.goods import CHRONIC, drug
from replay.simulate.journal import Event
from replay.simulate.people import Person
from replay.simulate.reference import exception
from replay.simulate.stories.drug_overstock import about, daily, hoard, hoarder
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant

CAP = 180  # days of supply that the disease of this person is allowed


def long_prescription(stage: Stage) -> None:
    """Eighty-four days of two drugs on one long prescription (X05)."""
    person, org = hoarder(stage), stage.store()
    goods = [Pack(drug=remedy, cnt=3) for remedy in stage.chance.sample([one for one in CHRONIC if one.daily == 1], 2)]
    stage.buy(person, org, stage.at(10, 8), goods, med_type="9929")
    for pack in goods:
        stage.ids += [pack.drug.code, f"{person.psn_no}/{pack.drug.group}"]
    stage.notes = "84 days of two drugs on one long prescription"


def refill(stage: Stage) -> None:
    """Twelve weeks, and four days before they end the next twelve."""
    hoard(stage, daily(stage), [(0, 3), (80, 3)], [stage.store()])
    stage.notes += ", four days before the first end"


def taken_back(stage: Stage) -> None:
    """Twelve weeks from a store that has the wrong strength; the next day the right one elsewhere (X01)."""
    person, remedy = hoarder(stage), daily(stage)
    first = stage.store()
    second, at = stage.store(lambda org: org is not first), stage.at(9, 6)
    bought = [Pack(drug=remedy, cnt=3)]
    bill = stage.buy(person, first, at, bought)
    stage.take_back(bill, at + 90 * MINUTE)
    stage.buy(person, second, at + DAY, [Pack(drug=remedy, cnt=3, rxno=bought[0].rxno)])
    about(stage, person, remedy)
    stage.notes = "84 days taken back, and bought once more on the same prescription"


def register_disease(stage: Stage) -> Iterable[Event]:
    """A disease that is allowed half a year's supply (X06)."""
    stage.actor = stage.person(fits=lambda person: not person.illness and person.age > 30)
    stage.actor.illness = "B18"
    lasts = (stage.city.plan.days + 400) * DAY
    return [exception(stage.city, "X06", -100 * DAY, lasts, psn_no=stage.actor.psn_no, value=str(CAP))]


def for_a_registered_disease(stage: Stage) -> None:
    person = _actor(stage)
    remedy, house = drug("entecavir tablet"), stage.house(person)
    for day in (0, 12):
        at, bought = stage.at(9, 5, day=stage.day + day), [Pack(drug=remedy, cnt=3)]
        stage.prescribe(person, bought, at - 5 * MINUTE, house=house)
        stage.buy(person, house, at, bought, med_type="140104", illness=person.illness)
    about(stage, person, remedy)
    stage.notes = f"156 days in hand for a registered disease whose cap is {CAP}"


def foresee_shortage(stage: Stage) -> Iterable[Event]:
    """The bureau confirms that this patient may lay in a month more (X20)."""
    stage.actor, stage.goods = hoarder(stage), daily(stage)
    first, last = stage.day * DAY, (stage.day + 8) * DAY
    whom = {"psn_no": stage.actor.psn_no, "med_list_codg": stage.goods.code}
    return [exception(stage.city, "X20", first, last, **whom)]


def before_a_shortage(stage: Stage) -> None:
    person, remedy = _actor(stage), stage.goods
    if remedy is None:
        raise NoActorsError(stage.family.name)
    org = stage.store()
    for day in (0, 6):
        stage.buy(person, org, stage.at(9, 8, day=stage.day + day), [Pack(drug=remedy)])
    about(stage, person, remedy)
    stage.notes = "a month's supply more before a shortage, confirmed by the bureau"


def a_fortnight_early(stage: Stage) -> None:
    """Two weeks' supply is left when the next month's is fetched: one day less than counts."""
    hoard(stage, daily(stage), [(0, 1), (14, 1)], [stage.store()])


def some_tablets_more(stage: Stage) -> None:
    """Eight tablets beside what is left of the month: thirty days at most in hand."""
    person, remedy, org = hoarder(stage), daily(stage), stage.store()
    at = stage.at(9, 8)
    stage.buy(person, org, at, [Pack(drug=remedy)])
    stage.buy(person, org, at + 7 * DAY + HOUR, [Pack(drug=remedy, cnt=8, loose=True)])
    about(stage, person, remedy)
    stage.notes = "8 tablets beside 21 days' supply"


def _actor(stage: Stage) -> Person:
    if stage.actor is None:
        raise NoActorsError(stage.family.name)
    return stage.actor


_FORBID = ("drug_overstock", "cross_org_duplicate_drug", "rx_missing_or_forged", "multi_org_burst")
FAMILIES = (
    Family(
        name="x05_long_prescription",
        kind="decoy",
        exclusion="X05",
        forbid=_FORBID,
        variants=(
            Variant(name="two drugs", tell=long_prescription),
            Variant(name="refill", tell=refill, days=81),
        ),
    ),
    Family(
        name="x01_supply_taken_back",
        kind="decoy",
        exclusion="X01",
        forbid=(*_FORBID, "empty_swipe_reverse", "inventory_imbalance"),
        variants=(Variant(name="wrong strength", tell=taken_back, days=2),),
    ),
    Family(
        name="x06_registered_disease",
        kind="decoy",
        exclusion="X06",
        forbid=(*_FORBID, "frequent_visit"),
        variants=(Variant(name="hepatitis", tell=for_a_registered_disease, days=13, prepare=register_disease),),
    ),
    Family(
        name="x20_before_a_shortage",
        kind="decoy",
        exclusion="X20",
        forbid=_FORBID,
        variants=(Variant(name="a month more", tell=before_a_shortage, days=7, prepare=foresee_shortage),),
    ),
    Family(
        name="near_overstock",
        kind="decoy",
        exclusion="near",
        forbid=_FORBID,
        variants=(
            Variant(name="a fortnight early", tell=a_fortnight_early, days=15),
            Variant(name="some tablets more", tell=some_tablets_more, days=8),
        ),
    ),
)
