"""Many admitted together, or lying idle, and nothing wrong: a screening before, an outbreak, paid by the day."""

from collections.abc import Iterable, Sequence

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Service
from replay.simulate.goods import ITEMS
from replay.simulate.hospitals import newborn
from replay.simulate.journal import Event
from replay.simulate.label import Named
from replay.simulate.people import Person
from replay.simulate.places import Org
from replay.simulate.reference import calendar
from replay.simulate.stories.batch_admission import admitted, neighbours
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant
from replay.simulate.ward import admit, planned_rounds

TOGETHER = 8


def register_village(stage: Stage) -> Iterable[Event]:
    """A screening of the village, and its follow-up on the same day (X10)."""
    return _registered_village(stage, "mass_screening")


def register_outbreak(stage: Stage) -> Iterable[Event]:
    return _registered_village(stage, "outbreak")


def _registered_village(stage: Stage, kind: str) -> Iterable[Event]:
    villages = [name for name, members in stage.city.people.villages.items() if len(members) >= 60]
    if not villages:
        raise NoActorsError(stage.family.name)
    stage.village = stage.chance.choice(villages)
    stage.city.registered.add((stage.village, stage.day))
    known = stage.day - 4 if kind == "mass_screening" else stage.day
    return [calendar(stage.city, stage.day, known, village=stage.village, kind=kind)]


def register_hospital(stage: Stage) -> Iterable[Event]:
    """An outbreak is known, and this hospital takes the sick."""
    stage.place = stage.alone(lambda org: org.level in (1, 2) and bool(org.wards))
    return [calendar(stage.city, stage.day, stage.day, fixmedins_code=stage.place.code, kind="outbreak")]


def after_a_screening(stage: Stage) -> None:
    _together(stage, _villagers(stage), stage.hospital(beds=TOGETHER + 2), "H26.900", [5] * TOGETHER)
    stage.ids.append(stage.village)
    stage.notes = f"{TOGETHER} villagers admitted on the day registered for their screening"


def an_outbreak(stage: Stage) -> None:
    _together(stage, _villagers(stage), stage.hospital(beds=TOGETHER + 2), "A05.900", [3, 3, 3, 3, 4, 4, 5, 6])
    stage.ids.append(stage.village)
    stage.notes = f"{TOGETHER} of a village with one illness, an outbreak that the bureau has on record"


def an_outbreak_at_hospital(stage: Stage) -> None:
    org = stage.place
    if org is None or not stage.has_beds(org, "internal", TOGETHER + 2):
        raise NoActorsError(stage.family.name)
    _together(stage, stage.people(TOGETHER, last=stage.day + 7), org, "A09.900", [3, 3, 3, 3, 4, 4, 5, 6])
    stage.notes = f"{TOGETHER} with one illness at the hospital that takes the sick of an outbreak"


def _villagers(stage: Stage) -> list[Person]:
    return stage.people(TOGETHER, last=stage.day + 7, among=stage.city.people.villages[stage.village])


def _together(stage: Stage, people: Sequence[Person], org: Org, diagnosis: str, days: Sequence[int]) -> None:
    gaps = [stage.chance.randint(9, 12) * MINUTE for _ in people[1:]]
    admitted(stage, org, people, gaps, [diagnosis] * len(people), days)


def four_only(stage: Stage) -> None:
    people = neighbours(stage, 4, stage.day + 6)
    _together(stage, people, stage.hospital(beds=6), "J18.900", [5] * 4)
    stage.notes = "4 villagers within two hours"


def of_all_illnesses(stage: Stage) -> None:
    """Six of a village on one morning, each with something else."""
    people = neighbours(stage, 6, stage.day + 8)
    gaps = [stage.chance.randint(12, 18) * MINUTE for _ in people[1:]]
    illnesses = ["J18.900", "K29.500", "I10.x00", "E11.900", "M51.200", "G45.900"]
    admitted(stage, stage.hospital(beds=8), people, gaps, illnesses, [3, 4, 5, 6, 7, 8])
    stage.notes = "6 villagers, six illnesses"


def seen_before(stage: Stage) -> None:
    """Six with the winter's illness, from anywhere; each was seen by the hospital's doctor in the morning."""
    people, org = stage.people(6, last=stage.day + 8), stage.hospital(beds=8)
    if len({person.village or person.psn_no for person in people}) < 5:
        raise NoActorsError(stage.family.name)
    admitted(stage, org, people, [16 * MINUTE] * 5, ["J18.900"] * 6, [3, 4, 5, 6, 7, 8])
    for nth, person in enumerate(people):
        seen = [Service(item=ITEMS["reg"]), Service(item=ITEMS["xray"])]
        stage.buy(person, org, stage.day * DAY + 7 * HOUR + nth * 11 * MINUTE, seen, med_type="11")
    stage.notes = "6 with pneumonia, all seen by a doctor the same morning"


def by_the_day(stage: Stage) -> None:
    _idle(stage, "2105")
    stage.notes = "paid by the day (2105): bed, nursing and diet only"


def palliative(stage: Stage) -> None:
    _idle(stage, "2114")
    stage.notes = "palliative care (2114): bed, nursing and diet only"


def _idle(stage: Stage, med_type: str) -> None:
    """Seven days in which nothing is done but care."""
    begin, end = stage.at(8.5, 2), (stage.day + 7) * DAY + 10 * HOUR
    stay = stage.stay(
        stage.person(last=stage.day + 7, fits=lambda person: person.age > 60),
        stage.hospital(dept="geriatric"),
        begin,
        end,
        dept="geriatric",
        med_type=med_type,
        bare_days=tuple(range(8)),
    )
    stage.show_stay(stay)
    stage.subject = Named("stay", stay.mdtrt_id)


def mother_and_child(stage: Stage) -> None:
    """The child lies in a ward of its own, under the mother's number (X04)."""
    mother = stage.person(last=stage.day + 4, fits=lambda person: person.gend == "2" and 22 <= person.age <= 38)
    house = stage.hospital(lambda org: org.level == 3, dept="obgyn")
    begin, end = stage.at(8.5, 4), (stage.day + 4) * DAY + 10 * HOUR
    stay = stage.stay(mother, house, begin, end, dept="obgyn", diagnosis="O80.000", med_type="52")
    stage.show_stay(stay)
    child = admit(stage.city, newborn(stay.admission, stage.ward(house, "neonatal"), begin + 9 * HOUR), stage.chance)
    if child is not None:
        stage.show_stay(child)
    stage.notes = "mother and newborn in one hospital, both under the mother's number"


def in_the_theatre(stage: Stage) -> None:
    """The bed is empty at both rounds of the day of the operation, and the orders say why (X19)."""
    begin, end = stage.at(8.5, 1), (stage.day + 5) * DAY + 10 * HOUR
    day = stage.day + 1
    away = (day * DAY + 7 * HOUR + 30 * MINUTE, day * DAY + 17 * HOUR)

    def finds(number: int, planned: int) -> str:
        return "not_found" if away[0] <= planned <= away[1] else "pass"

    stay = stage.stay(
        stage.person(last=stage.day + 5),
        stage.hospital(lambda org: org.level > 1, dept="surgery"),
        begin,
        end,
        dept="surgery",
        diagnosis="K80.200",
        finds=finds,
        procedures=((ITEMS["cholecystectomy"], *away),),
    )
    stage.show_stay(stay)
    stage.subject = Named("stay", stay.mdtrt_id)
    missed = sum(finds(0, planned) != "pass" for planned in planned_rounds(begin, end))
    stage.notes = f"{missed} checks missed during an operation that the orders name"


def in_intensive_care(stage: Stage) -> None:
    """Nobody walks through intensive care with a camera (X19)."""
    begin, end = stage.at(8.5, 4), (stage.day + 5) * DAY + 10 * HOUR
    house = stage.hospital(lambda org: org.level == 3, dept="icu")
    person = stage.person(last=stage.day + 5)
    stay = stage.stay(person, house, begin, end, dept="icu", finds=lambda number, planned: None)
    stage.show_stay(stay)
    stage.subject = Named("stay", stay.mdtrt_id)
    stage.notes = "intensive care: no checks at all"


FAMILIES = (
    Family(
        name="x04_mother_and_child",
        kind="decoy",
        exclusion="X04",
        forbid=(
            *("overlapping_admission", "readmission_split", "inpatient_concurrent_claim", "ghost_bed_absence"),
            *("ghost_bed_no_service", "bed_conflict", "sex_age_conflict", "geo_time_conflict"),
        ),
        variants=(Variant(name="newborn", tell=mother_and_child, days=5),),
    ),
    Family(
        name="x08_paid_by_the_day",
        kind="decoy",
        exclusion="X08",
        forbid=("ghost_bed_no_service", "ghost_bed_absence", "readmission_split"),
        variants=(
            Variant(name="by the day", tell=by_the_day, days=7),
            Variant(name="palliative", tell=palliative, days=7),
        ),
    ),
    Family(
        name="x10_follow_up_and_outbreak",
        kind="decoy",
        exclusion="X10",
        forbid=("batch_admission", "companion_group", "readmission_split"),
        variants=(
            Variant(name="after a screening", tell=after_a_screening, days=6, prepare=register_village),
            Variant(name="outbreak in a village", tell=an_outbreak, days=6, prepare=register_outbreak),
            Variant(name="outbreak at a hospital", tell=an_outbreak_at_hospital, days=6, prepare=register_hospital),
        ),
    ),
    Family(
        name="x19_fetched_or_in_intensive_care",
        kind="decoy",
        exclusion="X19",
        forbid=("ghost_bed_absence", "ghost_bed_no_service"),
        variants=(
            Variant(name="in the theatre", tell=in_the_theatre, days=4),
            Variant(name="in intensive care", tell=in_intensive_care, days=4),
        ),
    ),
    Family(
        name="near_batch_admission",
        kind="decoy",
        exclusion="near",
        forbid=("batch_admission",),
        variants=(
            Variant(name="four only", tell=four_only, days=3),
            Variant(name="of all illnesses", tell=of_all_illnesses, days=3),
            Variant(name="seen before", tell=seen_before, days=3, after=1),
        ),
    ),
)
