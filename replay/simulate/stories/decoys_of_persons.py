"""One person in many places, or with many bills, and nothing wrong."""

from collections.abc import Iterable

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Service
from replay.simulate.goods import COUNTER, ITEMS
from replay.simulate.journal import Event
from replay.simulate.people import Person
from replay.simulate.places import Org, km
from replay.simulate.reference import exception
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant, packs

COURSE = 12  # days of dressings or of rehabilitation


def burst_taken_back(stage: Stage) -> None:
    """Three stores within the hour, the last bill reversed twenty minutes later (X01)."""
    person = stage.person()
    near = stage.places(lambda org: org.kind == "pharmacy" and org.area is person.area and not org.tags)
    if len(near) < 2:
        raise NoActorsError(stage.family.name)
    hospital = stage.house(person)
    places = [*stage.chance.sample(near, 2), hospital]
    first = stage.at(11, 5)
    for nth, org in enumerate(places):
        goods = [Service(item=ITEMS["reg"])] if org is hospital else packs(COUNTER[nth])
        bill = stage.buy(person, org, first + nth * 15 * MINUTE, goods, med_type="11" if org is hospital else "41")
    stage.take_back(bill, bill.at + 20 * MINUTE)
    stage.notes = "three institutions in the hour, one bill taken back"


def for_her_mother(stage: Stage) -> None:
    """A daughter with both papers, at three counters within the hour (X02)."""
    mother = stage.household(2)[0]
    near = stage.places(lambda org: org.kind == "pharmacy" and km(org, mother.hospital) < 12 and not org.campus)
    if len(near) < 3:
        raise NoActorsError(stage.family.name)
    first, agent = stage.at(10, 6), f"agHH{mother.household:06d}"
    for nth, org in enumerate(stage.chance.sample(near, 3)):
        stage.buy(mother, org, first + nth * 22 * MINUTE, packs(stage.chance.choice(COUNTER)), agent=agent)
    stage.notes = "three stores within the hour, a relative with both papers at each"


def small_sums(stage: Stage) -> None:
    """Three pharmacies in a day, and not fifty yuan."""
    person = stage.person()
    near = stage.places(lambda org: org.kind == "pharmacy" and km(org, person.hospital) < 15 and not org.tags)
    if len(near) < 3:
        raise NoActorsError(stage.family.name)
    for nth, org in enumerate(stage.chance.sample(near, 3)):
        stage.buy(person, org, stage.at(9 + 3 * nth, 1), packs(COUNTER[nth]))
    stage.notes = "three pharmacies in a day, less than 500 yuan in all"


def one_campus(stage: Stage) -> None:
    """The hospital, its own pharmacy across the street, and another on the way home: two, not three."""
    house = stage.hospital(lambda org: bool(org.campus))
    across = stage.store(lambda org: org.campus == house.campus)
    other = stage.store(lambda org: org.campus != house.campus and km(org, house) < 12)
    person, first = stage.person(), stage.at(9.5, 4)
    stage.buy(person, house, first, [Service(item=ITEMS["reg"]), Service(item=ITEMS["blood"])], med_type="11")
    for org, minutes in ((across, 14), (other, 50)):
        stage.buy(person, org, first + minutes * MINUTE, packs(stage.chance.choice(COUNTER)))
    stage.notes = "hospital, its own pharmacy and another within the hour: one campus counts once"


def change_site(stage: Stage) -> Iterable[Event]:
    """The bureau confirms that this patient is dialysed elsewhere from now on (X20)."""
    stage.actor = stage.person(last=stage.day + 14, fits=lambda person: person.age > 30)
    stage.actor.illness = "N18"
    first, last = stage.day * DAY, (stage.day + 14) * DAY
    return [exception(stage.city, "X20", first, last, psn_no=stage.actor.psn_no)]


def dialysed_elsewhere(stage: Stage) -> None:
    """Three times a week, the second week at another hospital; on the way there the pharmacy and a laboratory (X07)."""
    person = stage.actor
    if person is None:
        raise NoActorsError(stage.family.name)
    one = stage.hospital(lambda org: org.area.share > 0.09)
    other = stage.hospital(lambda org: org is not one and km(org, one) < 15)
    store, clinic = stage.store(lambda org: km(org, other) < 12), stage.clinic(lambda org: km(org, other) < 12)
    for day, org in ((0, one), (2, one), (4, one), (7, other), (9, other), (11, other)):
        at = stage.at(8, 0.5, day=stage.day + day)
        stage.buy(person, org, at, [Service(item=ITEMS["dialysis"])], med_type="140201", illness="N18")
        if day == 9:
            stage.buy(person, clinic, at - 25 * MINUTE, [Service(item=ITEMS["blood"])], med_type="11")
            stage.buy(person, store, at + 30 * MINUTE, packs(stage.chance.choice(COUNTER)))
    stage.notes = "dialysis three times a week, at another hospital from the second week on"


def retried(stage: Stage) -> None:
    """The line is bad: made and taken back five times within some minutes, at the same amount, and once more."""
    person, org = stage.person(), stage.store()
    goods, at = packs(stage.chance.choice(COUNTER)), stage.at(10, 8)
    till = stage.till(org, at, at + 20 * MINUTE)
    for _ in range(5):
        stage.take_back(stage.buy(person, org, at, goods, till=till), at + 35)
        at += 75
    stage.buy(person, org, at, goods, till=till)
    _at(stage, person, org)
    stage.notes = "five technical retries within seven minutes, at one amount"


def two_mistakes(stage: Stage) -> None:
    """Two wrong bills of one drug, put right; three would count."""
    person, org = stage.person(), stage.store()
    for day in (0, 3):
        at = stage.at(9, 8, day=stage.day + day)
        stage.take_back(stage.buy(person, org, at, packs(COUNTER[0], cnt=2)), at + 9 * MINUTE)
        stage.buy(person, org, at + 14 * MINUTE, packs(COUNTER[0]))
    _at(stage, person, org)
    stage.notes = "two bills put right"


def slow_returns(stage: Stage) -> None:
    """Three bills taken back, each after most of an hour: half an hour would count."""
    person, org = stage.person(), stage.store()
    for day in (0, 2, 4):
        at = stage.at(9, 7, day=stage.day + day)
        stage.take_back(stage.buy(person, org, at, packs(COUNTER[1])), at + stage.chance.randint(38, 55) * MINUTE)
        stage.buy(person, org, at + 70 * MINUTE, packs(COUNTER[1]))
    _at(stage, person, org)
    stage.notes = "three bills taken back after more than half an hour"


def _at(stage: Stage, person: Person, org: Org) -> None:
    stage.ids = [f"{org.code}/{person.psn_no}"]


def family_account(stage: Stage) -> None:
    """Mother and child, both paid from the mother's account (X03)."""
    mother, child = _with_account(stage)
    org, at = stage.store(lambda org: org.area is mother.area), stage.at(12, 5)
    till = stage.till(org, at, at + 5 * MINUTE)
    for nth, person in enumerate((child, mother)):
        payer = mother if person is child else None
        stage.buy(person, org, at + nth * 190, packs(stage.chance.choice(COUNTER), cnt=2), till=till, payer=payer)
    stage.notes = "paid from the mother's account: payer is not the patient"


def _with_account(stage: Stage) -> tuple[Person, Person]:
    """Two of one household, the first with money in the account, the second without one."""
    last = stage.day + 1
    for _ in range(4000):
        family = stage.chance.choice(stage.city.people.households)
        payers = [person for person in family if person.insutype == "310" and person.balance > 20_000]
        others = [person for person in family if person.insutype == "390"]
        if payers and others and all(stage.is_free(person, last) for person in (payers[0], others[0])):
            for person in (payers[0], others[0]):
                stage.engage(person, last)
            return payers[0], others[0]
    raise NoActorsError(stage.family.name)


def dressings(stage: Stage) -> None:
    _course(stage, "dressing")


def rehabilitation(stage: Stage) -> None:
    _course(stage, "rehab")


def _course(stage: Stage, item: str) -> None:
    """Every day to the same house for the same treatment (X07)."""
    person = stage.person()
    house = stage.house(person)
    for nth in range(COURSE):
        goods = [Service(item=ITEMS["reg"])] if nth == 0 else []
        at = stage.at(8.5, 1, day=stage.day + nth)
        stage.buy(person, house, at, [*goods, Service(item=ITEMS[item])], med_type="11")
    stage.notes = f"one course of {COURSE} daily {item}"


def colleagues(stage: Stage) -> None:
    """Five of one employer on the same three days at the works' clinic (X18)."""
    crews = [crew for crew in stage.city.people.workers.values() if len(crew) >= 8]
    if not crews:
        raise NoActorsError(stage.family.name)
    people = stage.people(5, among=stage.chance.choice(crews), strangers=False)
    org = stage.tagged("employer")
    days = [stage.at(9.3, 1, day=stage.day + 3 * nth) for nth in range(3)]
    tills = [stage.till(org, at, at + 20 * MINUTE) for at in days]
    for at, till in zip(days, tills, strict=True):
        for person in people:
            stage.buy(person, org, at, [Service(item=ITEMS["moxibustion"])], till=till, med_type="11")
            at += stage.chance.randint(150, 240)
    stage.notes = "five colleagues of one employer on the same days at the works clinic"


def mail_order(stage: Stage) -> None:
    """At the counter in the county, ten minutes later at the mail-order pharmacy; it also works by night (X21)."""
    internet = stage.tagged("internet")
    here = stage.store(lambda org: km(org, internet) > 30)
    person, *night = stage.people(4)
    at = stage.at(10, 6)
    stage.buy(person, here, at, packs(stage.chance.choice(COUNTER)))
    stage.buy(person, internet, at + 10 * MINUTE, packs(stage.chance.choice(COUNTER)), cert="01")
    for other in night:
        second = max(stage.day * DAY + stage.chance.randrange(HOUR, 5 * HOUR), stage.city.opens)
        stage.buy(other, internet, second, packs(stage.chance.choice(COUNTER)), cert="01")
    stage.notes = f"ordered on the phone from {km(here, internet):.0f} km away; mail order works at night"


def fast_road(stage: Stage) -> None:
    here, there = stage.apart(30, 60)
    _two(stage, here, there, round(km(here, there) / 85 * HOUR))


def next_street(stage: Stage) -> None:
    here, there = stage.apart(8, 18)
    _two(stage, here, there, 5 * MINUTE)


def _two(stage: Stage, here: Org, there: Org, seconds: int) -> None:
    """Quick, but a car can do it, or the two are nearer than twenty kilometres."""
    person, at = stage.person(), stage.at(10, 7)
    for org, second in ((here, at), (there, at + seconds + MINUTE)):
        stage.buy(person, org, second, packs(stage.chance.choice(COUNTER)))
    stage.notes = f"{km(here, there):.0f} km in {seconds // MINUTE} min"


FAMILIES = (
    Family(
        name="x01_burst_taken_back",
        kind="decoy",
        exclusion="X01",
        forbid=("multi_org_burst", "geo_time_conflict", "empty_swipe_reverse"),
        variants=(Variant(name="reversed", tell=burst_taken_back),),
    ),
    Family(
        name="x02_errands_for_mother",
        kind="decoy",
        exclusion="X02",
        forbid=("multi_org_burst", "geo_time_conflict"),
        variants=(Variant(name="three stores", tell=for_her_mother),),
    ),
    Family(
        name="x03_family_account",
        kind="decoy",
        exclusion="X03",
        forbid=("quota_drain", "geo_time_conflict", "card_batch_swipe"),
        variants=(Variant(name="mother and child", tell=family_account),),
    ),
    Family(
        name="x07_course_of_dressings",
        kind="decoy",
        exclusion="X07",
        forbid=("frequent_visit", "duplicate_charge", "multi_org_burst"),
        variants=(
            Variant(name="dressings", tell=dressings, days=COURSE),
            Variant(name="rehabilitation", tell=rehabilitation, days=COURSE),
        ),
    ),
    Family(
        name="x07_dialysed_elsewhere",
        kind="decoy",
        exclusion="X07",
        forbid=("multi_org_burst", "frequent_visit", "readmission_split", "geo_time_conflict"),
        variants=(Variant(name="another hospital", tell=dialysed_elsewhere, days=12, prepare=change_site),),
    ),
    Family(
        name="x18_colleagues",
        kind="decoy",
        exclusion="X18",
        forbid=("companion_group",),
        variants=(Variant(name="five colleagues", tell=colleagues, days=7),),
    ),
    Family(
        name="x21_internet_pharmacy",
        kind="decoy",
        exclusion="X21",
        forbid=("geo_time_conflict", "off_hours_settlement", "multi_org_burst"),
        variants=(Variant(name="by phone", tell=mail_order),),
    ),
    Family(
        name="near_burst",
        kind="decoy",
        exclusion="near",
        forbid=("multi_org_burst", "geo_time_conflict"),
        variants=(Variant(name="small sums", tell=small_sums), Variant(name="one campus", tell=one_campus)),
    ),
    Family(
        name="near_reversals",
        kind="decoy",
        exclusion="near",
        forbid=("empty_swipe_reverse", "drug_overstock"),
        variants=(
            Variant(name="retried", tell=retried),
            Variant(name="two mistakes", tell=two_mistakes, days=4),
            Variant(name="slow returns", tell=slow_returns, days=5),
        ),
    ),
    Family(
        name="near_geo",
        kind="decoy",
        exclusion="near",
        forbid=("geo_time_conflict", "multi_org_burst"),
        variants=(Variant(name="fast road", tell=fast_road), Variant(name="next street", tell=next_street)),
    ),
)
