"""Stays that look odd on paper, and are in order."""

from collections.abc import Iterable
from typing import Unpack

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.desk import Service
from replay.simulate.goods import ACUTE, COUNTER, ITEMS
from replay.simulate.journal import Event
from replay.simulate.label import Named
from replay.simulate.people import Person
from replay.simulate.places import Org, Ward, km
from replay.simulate.reference import exception
from replay.simulate.stories.story import About, Family, NoActorsError, Stage, Variant, packs
from replay.simulate.ward import ROUND_LASTS, Finds, Stay

ILLNESSES = ("I10.x00", "J44.100", "E11.900", "I25.100", "G45.900")


def _admitted(
    stage: Stage, days: int, person: Person | None = None, org: Org | None = None, **about: Unpack[About]
) -> Stay:
    """This morning at nine, for ``days``, in a part of the town that has many pharmacies."""
    begin = max(stage.day * DAY + 9 * HOUR, stage.city.opens)
    end = (stage.day + days) * DAY + 10 * HOUR
    person = person or stage.person(last=stage.day + days)
    return stage.stay(person, org or _in_town(stage), begin, end, **about)


def _in_town(stage: Stage) -> Org:
    return stage.hospital(lambda org: org.area.share > 0.05)


def daughter_buys(stage: Stage) -> None:
    """A relative fetches the patient's tablets with both papers: yellow at most (X02)."""
    patient = stage.household(2)[0]
    home = _in_town(stage)
    org = stage.store(lambda org: km(org, home) < 15)
    stay = _admitted(stage, 5, patient, home)
    at = stage.at(12, 4, day=stage.day + 2)
    stage.buy(patient, org, at, packs(stage.chance.choice(COUNTER)), agent=f"agHH{patient.household:06d}")
    stage.ids = [stay.mdtrt_id]
    stage.maximum_level = "yellow"
    stage.notes = "purchase by a relative with both papers: yellow at most"


def chemotherapy(stage: Stage) -> None:
    """Three days every fortnight, the same house, the same diagnosis (X08)."""
    org = stage.hospital(dept="oncology")
    person = stage.person(last=stage.day + 17)
    for day in (stage.day, stage.day + 14):
        begin, end = day * DAY + 9 * HOUR + 40 * MINUTE, (day + 2) * DAY + 14 * HOUR
        _shown(stage, stage.stay(person, org, begin, end, dept="oncology", diagnosis="Z51.100", treatment="chemo"))
    stage.notes = "chemotherapy every 14 days"


def transfer_up(stage: Stage) -> None:
    """By ambulance to a larger house; the first one closes the stay two hours later (X08)."""
    first = stage.hospital(lambda org: org.level < 3 and org.area.share > 0.05)
    larger = stage.hospital(lambda org: org.level == 3 and org is not first)
    person = stage.person(last=stage.day + 7)
    begin, moved = stage.day * DAY + 9 * HOUR + 40 * MINUTE, (stage.day + 2) * DAY + 12 * HOUR
    one = stage.stay(person, first, begin, moved + 2 * HOUR, diagnosis="I63.900", dscg_way="2")
    two = stage.stay(person, larger, moved, moved + 4 * DAY + 2 * HOUR, diagnosis="I63.900")
    for stay in (one, two):
        _shown(stage, stay)
    stage.notes = "transfer by ambulance; the first hospital closes the stay hours later"


def _shown(stage: Stage, stay: Stay) -> None:
    stage.show(stay.adm, stay.admission.begin, [stay.dscg, stay.setl], stay.fund)
    stage.ids.append(stay.mdtrt_id)


def examined_outside(stage: Stage) -> None:
    _elsewhere(stage, Service(item=ITEMS["ct"], outside=True), "11")
    stage.notes = "outside examination, etip_flag"


def emergency(stage: Stage) -> None:
    _elsewhere(stage, Service(item=ITEMS["ultrasound"], emergency=True), "13")
    stage.notes = "emergency, er_flag and med_type 13"


def _elsewhere(stage: Stage, service: Service, med_type: str) -> None:
    """An out-patient bill of another house during the stay, and flagged for what it is (X09)."""
    home = _in_town(stage)
    org = stage.hospital(lambda org: org is not home and km(org, home) < 15)
    stay = _admitted(stage, 5, org=home)
    stage.buy(stay.admission.person, org, stage.at(11, 2, day=stage.day + 2), [service], med_type=med_type)
    stage.ids = [stay.mdtrt_id]


def confirm_dispensing(stage: Stage) -> Iterable[Event]:
    """The hospital has run out of a drug; the bureau confirms that the patient's family fetches it elsewhere (X20)."""
    stage.actor = stage.person(last=stage.day + 5)
    first, last = stage.day * DAY, (stage.day + 6) * DAY
    return [exception(stage.city, "X20", first, last, psn_no=stage.actor.psn_no)]


def dispensed_elsewhere(stage: Stage) -> None:
    """Twice during the stay, at a pharmacy nearby."""
    home = _in_town(stage)
    org = stage.store(lambda org: km(org, home) < 15)
    stay = _admitted(stage, 5, stage.actor, home)
    for day in (1, 3):
        at = stage.at(11, 4, day=stage.day + day)
        bought = packs(stage.chance.choice(ACUTE))
        stage.prescribe(stay.admission.person, bought, at - HOUR, house=stay.admission.org)
        stage.buy(stay.admission.person, org, at, bought)
    stage.ids = [stay.mdtrt_id]
    stage.notes = "a drug that the hospital lacks, fetched twice at a pharmacy; an exception is confirmed"


def fees_a_day_late(stage: Stage) -> None:
    stage.show_stay(_admitted(stage, 6, fee_late=20 * HOUR))
    stage.notes = "fee lines arrive 20 h late, within the 72 h allowed"


def fees_three_days_late(stage: Stage) -> None:
    stage.show_stay(_admitted(stage, 6, fee_late=60 * HOUR))
    stage.notes = "fee lines arrive 60 h late, within the 72 h allowed"


def on_leave(stage: Stage) -> None:
    _away(stage, "on_leave")
    stage.notes = "absent on approved leave; checks say on_leave"


def explained_by_leave(stage: Stage) -> None:
    _away(stage, "not_found")
    stage.notes = "absent on approved leave; checks say not_found, the leave record explains it"


def _away(stage: Stage, result: str) -> None:
    leave = ((stage.day + 2) * DAY + 7 * HOUR, (stage.day + 3) * DAY + 18 * HOUR)

    def finds(number: int, planned: int) -> str:
        return result if leave[0] <= planned and planned + ROUND_LASTS <= leave[1] else "pass"

    stay = _admitted(stage, 6, finds=finds, leave=leave)
    stage.show_stay(stay)
    stage.subject = Named("stay", stay.mdtrt_id)


def device_silent(stage: Stage) -> None:
    _offline(stage, None)
    stage.notes = "no check from any patient of the ward"


def device_errors(stage: Stage) -> None:
    _offline(stage, "device_error")
    stage.notes = "device_error for every patient of the ward"


def _offline(stage: Stage, result: str | None) -> None:
    """Five patients of a ward of their own; for a day and a half nobody there is checked (X19, F1)."""
    org, ward = _empty_ward(stage)
    people = stage.people(len(ILLNESSES), last=stage.day + 7)
    finds: Finds = lambda number, planned: result if 2 <= number <= 4 else "pass"  # noqa: E731  (two words of a rule)
    for nth, (person, diagnosis) in enumerate(zip(people, ILLNESSES, strict=True)):
        begin = stage.day * DAY + 8 * HOUR + 15 * MINUTE + nth * 70 * MINUTE
        end = (stage.day + 5 + nth % 3) * DAY + 10 * HOUR
        stay = stage.stay(person, org, begin, end, dept=ward.dept, finds=finds, diagnosis=diagnosis)
        stage.show_stay(stay)
    ward.free_from = [max(free, (stage.day + 8) * DAY) for free in ward.free_from]


def _empty_ward(stage: Stage) -> tuple[Org, Ward]:
    """Raises NoActorsError if every ward has patients who would be checked."""
    begin = stage.day * DAY
    houses = stage.places(lambda org: bool(org.wards))
    wards = [(org, ward) for org in houses for ward in org.wards if ward.dept in ("internal", "geriatric")]
    empty = [(org, ward) for org, ward in wards if max(ward.free_from) < begin]
    if not empty:
        raise NoActorsError(stage.family.name)
    return stage.chance.choice(empty)


def seldom_out(stage: Stage) -> None:
    """Two checks failed, but not in a row; two days, not three, with nothing but bed and board."""
    results = {2: "not_found", 5: "not_found"}
    stay = _admitted(stage, 6, finds=lambda number, planned: results.get(number, "pass"), bare_days=(2, 3))
    stage.show_stay(stay)
    stage.subject = Named("stay", stay.mdtrt_id)
    stage.notes = "single failed checks, two days (not three) without service"


def another_illness(stage: Stage) -> None:
    org = stage.hospital()
    person = stage.person(last=stage.day + 12)
    for day, diagnosis in ((stage.day, "J18.900"), (stage.day + 7, "K29.500")):
        begin, end = day * DAY + 9 * HOUR + 40 * MINUTE, (day + 4) * DAY + 10 * HOUR
        _shown(stage, stage.stay(person, org, begin, end, diagnosis=diagnosis))
    stage.notes = "another illness"


FAMILIES = (
    Family(
        name="x02_daughter_buys_for_inpatient",
        kind="decoy",
        exclusion="X02",
        forbid=("inpatient_concurrent_claim", "geo_time_conflict", "ghost_bed_absence"),
        variants=(Variant(name="tablets", tell=daughter_buys, days=3),),
    ),
    Family(
        name="x08_chemo_every_14_days",
        kind="decoy",
        exclusion="X08",
        forbid=("readmission_split", "frequent_visit", "ghost_bed_no_service"),
        variants=(Variant(name="chemotherapy", tell=chemotherapy, days=15),),
    ),
    Family(
        name="x08_transfer_up",
        kind="decoy",
        exclusion="X08",
        forbid=("overlapping_admission", "readmission_split", "geo_time_conflict", "multi_org_burst"),
        variants=(Variant(name="stroke", tell=transfer_up, days=4),),
    ),
    Family(
        name="x09_outside_examination",
        kind="decoy",
        exclusion="X09",
        forbid=("inpatient_concurrent_claim", "geo_time_conflict", "ghost_bed_absence"),
        variants=(
            Variant(name="examination", tell=examined_outside, days=3),
            Variant(name="emergency", tell=emergency, days=3),
        ),
    ),
    Family(
        name="x15_nightly_fees",
        kind="decoy",
        exclusion="X15",
        forbid=("ghost_bed_no_service", "fee_outside_stay"),
        also=("upload_gap",),
        variants=(
            Variant(name="a day", tell=fees_a_day_late, days=7),
            Variant(name="three days", tell=fees_three_days_late, days=7),
        ),
    ),
    Family(
        name="x20_dispensed_elsewhere",
        kind="decoy",
        exclusion="X20",
        forbid=("inpatient_concurrent_claim", "ghost_bed_absence", "geo_time_conflict"),
        variants=(Variant(name="out of stock", tell=dispensed_elsewhere, days=5, prepare=confirm_dispensing),),
    ),
    Family(
        name="x19_approved_leave",
        kind="decoy",
        exclusion="X19",
        forbid=("ghost_bed_absence", "ghost_bed_no_service"),
        variants=(
            Variant(name="on leave", tell=on_leave, days=5),
            Variant(name="explained", tell=explained_by_leave, days=5),
        ),
    ),
    Family(
        name="x19_ward_device_offline",
        kind="decoy",
        exclusion="X19",
        forbid=("ghost_bed_absence", "ghost_bed_no_service"),
        also=("upload_gap",),
        variants=(
            Variant(name="silent", tell=device_silent, days=5),
            Variant(name="errors", tell=device_errors, days=5),
        ),
    ),
    Family(
        name="near_ghost",
        kind="decoy",
        exclusion="near",
        forbid=("ghost_bed_absence", "ghost_bed_no_service"),
        variants=(Variant(name="seldom out", tell=seldom_out, days=6),),
    ),
    Family(
        name="near_readmission",
        kind="decoy",
        exclusion="near",
        forbid=("readmission_split", "batch_admission"),
        variants=(Variant(name="another illness", tell=another_illness, days=9),),
    ),
)
