"""Prescription drugs without a prescription, or with one that nobody wrote for them (无处方、伪造、重复处方)."""

from collections.abc import Iterable, Sequence

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Pack, prescribe
from replay.simulate.goods import ACUTE, CHRONIC, drug
from replay.simulate.journal import Event
from replay.simulate.label import Named
from replay.simulate.people import Person
from replay.simulate.places import Doctor, Org
from replay.simulate.spells import Spell
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant

TOLD_BY = 5  # days until a prescription that exists must have come in, on paper or not
SCRIPTS = 34  # of one doctor, at one store, within a month


def at_a_store(stage: Stage, people: Sequence[Person], rxno: Sequence[str], days: int = 1) -> Org:
    """Each buys one drug on the number given; "" where there is none."""
    org = stage.store()
    for nth, (person, number) in enumerate(zip(people, rxno, strict=True)):
        at = stage.at(11, 8, day=stage.day + nth % days)
        stage.buy(person, org, at, [Pack(drug=stage.chance.choice(ACUTE), rxno=number)], prescribed=False)
    stage.subject = Named("org", org.code)
    return org


def without(stage: Stage) -> None:
    at_a_store(stage, stage.people(5), [""] * 5, days=3)
    stage.level, stage.notes = "orange", "five prescription drugs, no prescription"


def never_written(stage: Stage) -> None:
    """Numbers that look right, and that no prescriber ever uploaded."""
    people = stage.people(4)
    at_a_store(stage, people, [stage.city.mint("rx") for _ in people], days=2)
    stage.level, stage.notes = "orange", "four prescriptions that nobody uploaded"


def for_two(stage: Stage) -> None:
    """What was written for one is used by another too."""
    _reused(stage, 1)
    stage.level, stage.notes = "orange", "one prescription used by two persons"


def for_many(stage: Stage) -> None:
    _reused(stage, 4)
    stage.level, stage.notes = "red", "four prescriptions of one drug used by two persons each"


def for_many_and_many(stage: Stage) -> None:
    _reused(stage, 4, kinds=4)
    stage.level, stage.notes = "red", "four prescriptions of four drugs used by two persons each"


def _reused(stage: Stage, scripts: int, kinds: int = 1) -> None:
    people = stage.people(2 * scripts)
    org, remedies = stage.store(), stage.chance.sample(CHRONIC, kinds)
    for nth in range(scripts):
        remedy = remedies[nth % kinds]
        owner, other = people[2 * nth], people[2 * nth + 1]
        at = stage.at(9, 4)
        number = stage.prescribe(owner, [Pack(drug=remedy)], at - 40 * MINUTE)
        for person, later in ((owner, 0), (other, 2 * HOUR)):
            stage.buy(person, org, at + later, [Pack(drug=remedy, rxno=number)])
    stage.subject = Named("org", org.code)


def twice(stage: Stage) -> None:
    """The same drug on the same prescription, today and three days later."""
    person, org, remedy = stage.person(), stage.store(), stage.chance.choice(CHRONIC)
    at = stage.at(10, 4)
    number = stage.prescribe(person, [Pack(drug=remedy)], at - 40 * MINUTE)
    for day in (0, 3):
        stage.buy(person, org, at + day * DAY, [Pack(drug=remedy, rxno=number)])
    stage.subject = Named("org", org.code)
    stage.level, stage.notes = "orange", "one prescription used twice"


def retire(stage: Stage) -> Iterable[Event]:
    """A doctor retires some days before the story."""
    stage.place = stage.hospital(lambda org: len(_steady(org)) > 3)
    stage.doctor = _steady(stage.place)[-1]
    stage.doctor.away.append(Spell(first=stage.day - 5, status="retired"))
    return ()


def _steady(org: Org) -> list[Doctor]:
    return [doctor for doctor in org.doctors[1:] if not doctor.away]


def by_the_retired(stage: Stage) -> None:
    """And still signs."""
    house, gone = stage.place, stage.doctor
    if house is None or gone is None:
        raise NoActorsError(stage.family.name)
    people, org = stage.people(4), stage.store()
    for person in people:
        bought, at = [Pack(drug=stage.chance.choice(CHRONIC))], stage.at(9, 8)
        prescribe(stage.city, person, house, gone, bought, at - 40 * MINUTE)
        stage.buy(person, org, at, bought)
    stage.subject = Named("org", org.code)
    stage.ids = [gone.code]
    stage.level, stage.notes = "orange", "four prescriptions of a doctor who has retired"


def one_hand(stage: Stage) -> None:
    """All that a store sells of a dear drug, one doctor has written."""
    people, org = stage.people(SCRIPTS, fits=lambda person: not person.drugs), stage.store(lambda org: not org.tags)
    house = stage.hospital()
    doctor = stage.chance.choice([doctor for doctor in house.doctors if doctor.is_there(stage.day)])
    remedy = drug("ketosteril tablet")
    for nth, person in enumerate(people):
        bought, at = [Pack(drug=remedy)], stage.at(9, 9, day=stage.day + nth % 8)
        prescribe(stage.city, person, house, doctor, bought, at - 50 * MINUTE)
        stage.buy(person, org, at, bought)
    stage.subject = Named("org", org.code)
    stage.ids = [doctor.code]
    stage.level, stage.notes = "orange", f"{SCRIPTS} prescriptions of one drug by one doctor at one store"


FAMILY = Family(
    name="rx_missing_or_forged",
    kind="fraud",
    wave=1,
    expect=("rx_missing_or_forged",),
    also=(
        *("doctor_pharmacy_ring", "watch_drug_concentration", "doctor_rx_burst", "doctor_absent_billing"),
        *("doctor_space_time_conflict", "drug_overstock", "pharmacy_surge"),
    ),
    variants=(
        Variant(name="without", tell=without, days=3),
        Variant(name="never written", tell=never_written, days=2 + TOLD_BY),
        Variant(name="for two", tell=for_two),
        Variant(name="for many", tell=for_many),
        Variant(name="for many and many", tell=for_many_and_many),
        Variant(name="twice", tell=twice, days=4),
        Variant(name="by the retired", tell=by_the_retired, prepare=retire),
        Variant(name="one hand", tell=one_hand, days=8),
    ),
)
