"""A patient on paper whose bed is empty (挂床住院)."""

from itertools import cycle, islice

from replay.simulate.clock import DAY, HOUR, MINUTE
from replay.simulate.label import Named
from replay.simulate.places import Org
from replay.simulate.stories.story import Family, Stage, Variant
from replay.simulate.ward import DIAGNOSES, Finds, Stay, check

UNSEEN = 4  # rounds that pass the bed by: two days
EXPECTED, ABSENT = 12, 7  # of a ward at an unannounced round


def admitted(stage: Stage, days: int, finds: Finds | None = None, org: Org | None = None) -> Stay:
    """This morning, for ``days``; what the planned rounds find is the story's."""
    org = org or stage.hospital()
    begin = stage.at(8.2, 2)
    end = (begin // DAY + days) * DAY + 10 * HOUR
    stay = stage.stay(stage.person(last=stage.day + days), org, begin, end, finds=finds)
    stage.subject = Named("stay", stay.mdtrt_id)
    stage.ids = [stay.mdtrt_id]
    return stay


def failed(stage: Stage, stay: Stay) -> None:
    """What failed is the ground."""
    for event_id, at, result in stay.checks:
        if result in ("not_found", "refused", "timeout", "face_mismatch"):
            stage.show(event_id, at)
    stage.fund = stay.fund


def rounds_in_a_row(stage: Stage) -> None:
    results = {2: "not_found", 3: "not_found", 4: "refused"}
    failed(stage, admitted(stage, 5, lambda number, planned: results.get(number, "pass")))
    stage.level, stage.notes = "orange", "3 checks failed in a row"


def empty_at_night(stage: Stage) -> None:
    stay = admitted(stage, 5)
    night = (stage.day + 1) * DAY + 22 * HOUR + 20 * MINUTE
    for at in (night, night + 3 * HOUR, night + 5 * HOUR + 20 * MINUTE):
        check(stage.city, stay, "night", at + stage.chance.randrange(3 * MINUTE), "not_found")
    failed(stage, stay)
    stage.level, stage.notes = "orange", "not in bed three times in one night"


def another_face(stage: Stage) -> None:
    failed(stage, admitted(stage, 4, lambda number, planned: "face_mismatch" if number == 0 else "pass"))
    stage.level, stage.notes = "red", "another face in the bed"


def never_checked(stage: Stage) -> None:
    """Rounds pass the bed by for two days, while the neighbours are seen at each."""
    org, begin = stage.hospital(), stage.at(8, 0.1)
    for neighbour in stage.people(2, last=stage.day + 7):
        stage.stay(neighbour, org, begin, (stage.day + 6) * DAY + 11 * HOUR)
        del stage.persons[neighbour.psn_no]
    stay = admitted(stage, 6, lambda number, planned: None if 1 <= number <= UNSEEN else "pass", org)
    ghost = stay.admission
    stage.show(stay.adm, ghost.begin, fund=stay.fund)
    stage.absence = True
    stage.level, stage.notes = "orange", "no check at all for more than 24 h while the ward's checks go on"


def through_the_gate(stage: Stage) -> None:
    """Out after the morning round and back only after supper, without leave."""
    stay = admitted(stage, 5, lambda number, planned: None if number == 2 else "pass")
    out = (stage.day + 1) * DAY + 10 * HOUR + stage.chance.randrange(40 * MINUTE)
    back = out + 9 * HOUR
    for at, gate in ((out, "out"), (back, "in")):
        stage.show(check(stage.city, stay, "gate", at, "pass", gate=gate), at)
    stage.fund = stay.fund
    stage.level, stage.notes = "orange", "nine hours outside the gate without leave"


def half_empty_ward(stage: Stage) -> None:
    """Twelve patients on paper; an unannounced round finds five in bed, the planned ones find all."""
    org = stage.hospital(lambda org: org.beds > EXPECTED * len(org.wards))
    people = stage.people(EXPECTED, last=stage.day + 7)
    ends = [(stage.day + 4 + nth % 3) * DAY + 10 * HOUR for nth in range(EXPECTED)]
    illnesses = islice(cycle(DIAGNOSES["internal"]), EXPECTED)
    stays = [
        stage.stay(person, org, stage.at(8, 9), end, diagnosis=illness)
        for person, end, illness in zip(people, ends, illnesses, strict=True)
    ]
    first = (stage.day + 1) * DAY + 10 * HOUR + stage.chance.randrange(30 * MINUTE)
    for nth, stay in enumerate(stays):
        at = first + nth * 90
        event_id = check(stage.city, stay, "surprise", at, "not_found" if nth < ABSENT else "pass")
        if nth < ABSENT:
            stage.show(event_id, at, fund=stay.fund)
    ward = stays[0].admission.ward.name
    stage.subject = Named("area", f"{org.code}/{ward}")
    stage.ids = [ward, *(stay.mdtrt_id for stay in stays)]
    stage.level, stage.notes = "orange", f"{EXPECTED - ABSENT} of {EXPECTED} in bed at an unannounced round"


FAMILY = Family(
    name="ghost_bed_absence",
    kind="fraud",
    wave=1,
    expect=("ghost_bed_absence",),
    also=("upload_gap", "batch_admission"),
    variants=(
        Variant(name="rounds in a row", tell=rounds_in_a_row, days=4),
        Variant(name="empty at night", tell=empty_at_night, days=3),
        Variant(name="another face", tell=another_face),
        Variant(name="never checked", tell=never_checked, days=6),
        Variant(name="through the gate", tell=through_the_gate, days=3),
        Variant(name="half-empty ward", tell=half_empty_ward, days=3),
    ),
)
