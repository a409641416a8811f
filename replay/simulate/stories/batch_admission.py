"""Patients by the busload: fetched, admitted together with one illness, sent home together (集中入院)."""

from collections.abc import Callable, Sequence

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.label import Named
from replay.simulate.people import Person
from replay.simulate.places import Org
from replay.simulate.stories.story import Family, NoActorsError, Stage, Variant, one_by_one
from replay.simulate.ward import Stay

HISTORY = 28  # days
ILLNESSES = ("H81.100", "M51.200", "I63.900", "J44.100")


def admitted(
    stage: Stage, org: Org, people: Sequence[Person], gaps: Sequence[int], diagnoses: Sequence[str], days: Sequence[int]
) -> list[Stay]:
    """One after the other from this morning on; person by person the illness, and how many days it takes."""
    stays = []
    first = stage.at(8.2, 0.3)
    told = zip(people, one_by_one(first, gaps), diagnoses, days, strict=True)
    for nth, (person, begin, diagnosis, length) in enumerate(told):
        end = (stage.day + length) * DAY + 9 * HOUR + nth * 7 * MINUTE
        stay = stage.stay(person, org, begin, end, diagnosis=diagnosis)
        stage.show(stay.adm, begin, [stay.dscg, stay.setl], stay.fund)
        stage.ids.append(stay.mdtrt_id)
        stays.append(stay)
    stage.subject = Named("org", org.code)
    return stays


def fetched(
    stage: Stage,
    people: Sequence[Person],
    days: Sequence[int],
    gap: tuple[int, int],
    fits: Callable[[Org], bool] = lambda org: True,
) -> None:
    """All with one illness, so many minutes apart."""
    org = stage.hospital(fits, beds=len(people) + 2)
    gaps = [stage.chance.randint(*gap) * MINUTE for _ in people[1:]]
    admitted(stage, org, people, gaps, [stage.chance.choice(ILLNESSES)] * len(people), days)


def neighbours(stage: Stage, count: int, last: int) -> list[Person]:
    """Of one village, each of another household; nobody whose village has a registered day."""
    villages = [
        members
        for name, members in stage.city.people.villages.items()
        if len(members) > 60 and not stage.city.has_registered_day(name, stage.day - 14, stage.day)
    ]
    if not villages:
        raise NoActorsError(stage.family.name)
    return stage.people(count, last=last, among=stage.chance.choice(villages))


def colleagues(stage: Stage, count: int, last: int) -> list[Person]:
    crews = [crew for crew in stage.city.people.workers.values() if len(crew) >= 2 * count]
    if not crews:
        raise NoActorsError(stage.family.name)
    return stage.people(count, last=last, among=stage.chance.choice(crews))


def by_bus(stage: Stage) -> None:
    """Eight villagers within an hour and a half, and home again on one day."""
    fetched(stage, neighbours(stage, 8, stage.day + 5), [5] * 8, (9, 12))
    stage.level, stage.notes = "red", "8 villagers, one illness, one day of discharge"


def from_one_works(stage: Stage) -> None:
    fetched(stage, colleagues(stage, 6, stage.day + 8), [3, 4, 5, 6, 7, 8], (8, 18))
    stage.level, stage.notes = "orange", "6 of one employer, one illness"


def from_anywhere(stage: Stage) -> None:
    """Nobody of them saw a doctor before."""
    people = stage.people(7, last=stage.day + 8)
    fetched(stage, people, [3, 4, 5, 5, 6, 7, 8], (6, 15))
    stage.level, stage.notes = "orange", "7 strangers, one illness, none seen by a doctor before"


def all_day(stage: Stage) -> None:
    """A dozen over the day: never five within two hours, at a hospital whose custom is known."""
    people = neighbours(stage, 12, stage.day + 9)
    fetched(stage, people, [3 + nth % 6 for nth in range(12)], (42, 50), lambda org: _is_known(stage, org))
    stage.level, stage.notes = "orange", "12 villagers over one day, one illness"


def _is_known(stage: Stage, org: Org) -> bool:
    """It has admitted somebody four weeks ago or earlier."""
    days = stage.city.journal.told.get((org.code, "adm"), {stage.day})
    return min(days) <= stage.day - HISTORY


FAMILY = Family(
    name="batch_admission",
    kind="fraud",
    wave=1,
    expect=("batch_admission",),
    also=("low_threshold_admission", "admission_rate_outlier", "companion_group"),
    variants=(
        Variant(name="by bus", tell=by_bus, days=6),
        Variant(name="from one works", tell=from_one_works, days=3),
        Variant(name="from anywhere", tell=from_anywhere, days=3),
        Variant(name="all day", tell=all_day, days=3, after=HISTORY),
    ),
)
