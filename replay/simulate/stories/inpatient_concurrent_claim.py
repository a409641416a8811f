"""In hospital, and yet at the pharmacy or at another doctor's (住院期间门诊、购药)."""

from replay.simulate.clock import DAY, HOUR
from replay.simulate.desk import Service
from replay.simulate.goods import COUNTER, ITEMS
from replay.simulate.places import Org, km
from replay.simulate.stories.story import Family, Stage, Variant, packs
from replay.simulate.ward import Stay


def patient(stage: Stage, days: int) -> Stay:
    """Somebody admitted this morning for ``days``, in bed whenever one looks."""
    org = stage.hospital(lambda org: org.area.share > 0.05)
    begin = stage.at(8, 2)
    end = (begin // DAY + days) * DAY + 10 * HOUR
    person = stage.person(last=stage.day + days)
    stay = stage.stay(person, org, begin, end)
    stage.ids.append(stay.mdtrt_id)
    return stay


def purchase(stage: Stage, stay: Stay, org: Org, at: int, verify: str = "") -> None:
    """Bought for the patient's card; the admission stands for the bill."""
    bill = stage.buy(stay.admission.person, org, at, packs(stage.chance.choice(COUNTER)), verify=verify)
    stage.aliases[stay.adm] = bill.event_id


def near(stage: Stage, stay: Stay) -> Org:
    home = stay.admission.org
    return stage.store(lambda org: km(org, home) < 15)


def far(stage: Stage, stay: Stay) -> Org:
    home = stay.admission.org
    return stage.store(lambda org: 22 < km(org, home) < 80)


def once(stage: Stage) -> None:
    stay = patient(stage, 4)
    purchase(stage, stay, near(stage, stay), stage.at(11, 2.5, day=stage.day + 1))
    stage.level, stage.notes = "yellow", "one purchase in the stay"


def three_times(stage: Stage) -> None:
    stay = patient(stage, 6)
    org = near(stage, stay)
    for day in (1, 3, 4):
        purchase(stage, stay, org, stage.at(11, 2.5, day=stage.day + day))
    stage.level, stage.notes = "orange", "3 purchases"


def face_far_away(stage: Stage) -> None:
    stay = patient(stage, 5)
    purchase(stage, stay, far(stage, stay), stage.at(12, 1, day=stage.day + 1), verify="face")
    stage.level, stage.notes = "red", "face-verified 20+ km away"


def another_doctor(stage: Stage) -> None:
    """Two out-patient bills at a clinic and a purchase."""
    stay = patient(stage, 6)
    house, store = _clinic(stage, stay), near(stage, stay)
    for day in (1, 2):
        at = stage.at(11, 2, day=stage.day + day)
        seen = [Service(item=ITEMS["reg"]), Service(item=ITEMS["blood"])]
        bill = stage.buy(stay.admission.person, house, at, seen, med_type="11")
        stage.aliases[stay.adm] = bill.event_id
    purchase(stage, stay, store, stage.at(11, 2.5, day=stage.day + 4))
    stage.level, stage.notes = "orange", "out-patient bills elsewhere"


def on_the_first_day(stage: Stage) -> None:
    """Admitted in the morning, at the pharmacy twice in the evening."""
    stay = patient(stage, 4)
    org = near(stage, stay)
    first = max(stage.at(17, 1, day=stage.day), stay.admission.begin + 5 * HOUR)
    for at in (first, first + 2 * HOUR):
        purchase(stage, stay, org, at)
    stage.level, stage.notes = "orange", "2 purchases on the day of admission"


def _clinic(stage: Stage, stay: Stay) -> Org:
    home = stay.admission.org
    return stage.clinic(lambda org: km(org, home) < 15)


FAMILY = Family(
    name="inpatient_concurrent_claim",
    kind="fraud",
    wave=1,
    expect=("inpatient_concurrent_claim",),
    also=("ghost_bed_absence", "geo_time_conflict"),
    variants=(
        Variant(name="once", tell=once, days=2),
        Variant(name="three times", tell=three_times, days=5),
        Variant(name="face far away", tell=face_far_away, days=2),
        Variant(name="another doctor", tell=another_doctor, days=5),
        Variant(name="on the first day", tell=on_the_first_day),
    ),
)
