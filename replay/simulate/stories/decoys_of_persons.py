"""One person in many places, or with many bills, and nothing wrong."""

from replay.simulate.city import doctor_at
from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Pack, Service, prescribe, take_back
from replay.simulate.goods import CHRONIC, COUNTER, ITEMS
from replay.simulate.people import Person
from replay.simulate.places import Org, km
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant, packs

COURSE = 12  # days of dressings or of rehabilitation


def burst_taken_back(stage: Stage) -> None:
    """Three stores within the hour, the last bill reversed twenty minutes later (X01)."""
    person = stage.person()
    near = [org for org in stage.city.orgs if org.kind == "pharmacy" and org.area is person.area and not org.tags]
    if len(near) < 2:
        raise NoActorsError(stage.family.name)
    hospital = person.hospital
    places = [*stage.chance.sample(near, 2), hospital]
    first = stage.at(11, 5)
    for nth, org in enumerate(places):
        goods = [Service(item=ITEMS["reg"])] if org is hospital else packs(COUNTER[nth])
        bill = stage.buy(person, org, first + nth * 15 * MINUTE, goods, med_type="11" if org is hospital else "41")
    written = take_back(stage.city, bill, bill.at + 20 * MINUTE)
    stage.aliases.update(dict.fromkeys(written, bill.event_id))
    stage.notes = "three institutions in the hour, one bill taken back"


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


def long_prescription(stage: Stage) -> None:
    """Eighty-four days of two drugs on one long prescription (X05)."""
    person = stage.person(fits=lambda person: not person.drugs and person.age > 40)
    org, at = stage.store(lambda org: org.area is person.area), stage.at(10, 8)
    goods = [Pack(drug=drug, cnt=3) for drug in stage.chance.sample([drug for drug in CHRONIC if drug.daily == 1], 2)]
    house = person.hospital
    prescribe(stage.city, person, house, doctor_at(house, stage.day, stage.chance), goods, at - 40 * MINUTE)
    stage.buy(person, org, at, goods, med_type="9929")
    for pack in goods:
        stage.ids += [pack.drug.code, f"{person.psn_no}/{pack.drug.group}"]
    stage.notes = "84 days of two drugs on one long prescription"


def dressings(stage: Stage) -> None:
    _course(stage, "dressing")


def rehabilitation(stage: Stage) -> None:
    _course(stage, "rehab")


def _course(stage: Stage, item: str) -> None:
    """Every day to the same house for the same treatment (X07)."""
    person = stage.person()
    for nth in range(COURSE):
        goods = [Service(item=ITEMS["reg"])] if nth == 0 else []
        at = stage.at(8.5, 1, day=stage.day + nth)
        stage.buy(person, person.hospital, at, [*goods, Service(item=ITEMS[item])], med_type="11")
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
        forbid=("multi_org_burst",),
        variants=(Variant(name="reversed", tell=burst_taken_back),),
    ),
    Family(
        name="x03_family_account",
        kind="decoy",
        exclusion="X03",
        forbid=("quota_drain", "geo_time_conflict"),
        variants=(Variant(name="mother and child", tell=family_account),),
    ),
    Family(
        name="x05_long_prescription",
        kind="decoy",
        exclusion="X05",
        forbid=("drug_overstock", "cross_org_duplicate_drug"),
        variants=(Variant(name="two drugs", tell=long_prescription),),
    ),
    Family(
        name="x07_course_of_dressings",
        kind="decoy",
        exclusion="X07",
        forbid=("frequent_visit", "duplicate_charge"),
        variants=(
            Variant(name="dressings", tell=dressings, days=COURSE),
            Variant(name="rehabilitation", tell=rehabilitation, days=COURSE),
        ),
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
        name="near_geo",
        kind="decoy",
        exclusion="near",
        forbid=("geo_time_conflict",),
        variants=(Variant(name="fast road", tell=fast_road), Variant(name="next street", tell=next_street)),
    ),
)
