"""One illness, two stays: discharged on paper and admitted again (分解住院)."""

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.stories.story import Family, Stage, Variant
from replay.simulate.ward import Stay

AGAIN = (
    ("K80.200", "K80.100"),
    ("H81.100", "H81.400"),
    ("E11.900", "E11.900"),
    ("J44.100", "J44.900"),
    ("I63.900", "I63.900"),
)


def split(stage: Stage, gap: int, first_days: int = 4, second_days: int = 4, other_dept: bool = False) -> None:
    """Home for ``gap`` days, or back within hours in another department."""
    org = stage.hospital(lambda org: stage.has_beds(org, "geriatric"))
    begin = stage.at(8.5, 1.5)
    home = (stage.day + first_days) * DAY + 9 * HOUR + stage.chance.randrange(30) * MINUTE
    back = home + gap * DAY + 3 * HOUR if gap else home + 3 * HOUR
    end = back + second_days * DAY
    person = stage.person(last=end // DAY)
    diagnosis, again = stage.chance.choice(AGAIN)
    one = stage.stay(person, org, begin, home, diagnosis=diagnosis)
    two = stage.stay(person, org, back, end, diagnosis=again, dept="geriatric" if other_dept else "internal")
    for stay in (one, two):
        shown(stage, stay)
    stage.notes = f"home {gap} days, back with {again[:3]}" + " in another department" * other_dept


def shown(stage: Stage, stay: Stay) -> None:
    stage.show(stay.adm, stay.admission.begin, [stay.dscg, stay.setl], stay.fund)
    stage.ids.append(stay.mdtrt_id)


def within_days(stage: Stage) -> None:
    split(stage, stage.chance.randint(2, 5))
    stage.level = "orange"


def same_day(stage: Stage) -> None:
    split(stage, 0, other_dept=True)
    stage.level = "red"


def within_a_fortnight(stage: Stage) -> None:
    split(stage, stage.chance.randint(9, 13))
    stage.level = "orange"


def within_four_weeks(stage: Stage) -> None:
    split(stage, stage.chance.randint(17, 25))
    stage.level = "yellow"


FAMILY = Family(
    name="readmission_split",
    kind="fraud",
    wave=1,
    expect=("readmission_split",),
    also=("batch_admission",),
    variants=(
        Variant(name="within days", tell=within_days, days=10),
        Variant(name="same day", tell=same_day, days=6),
        Variant(name="within a fortnight", tell=within_a_fortnight, days=18),
        Variant(name="within four weeks", tell=within_four_weeks, days=31),
    ),
)
