"""What is judged again, and when it is no longer."""

import pytest

from detectors.case import admission, check, discharge
from detectors.detector import Detector
from detectors.event import Event
from detectors.file import File
from detectors.hospital.ghost_bed_round import GhostBedRound
from detectors.person.readmission_split import ReadmissionSplit

LOOK = check("05 09:00", "not_found", check_type="surprise")
STAY, BACK = admission("05 09:00", visit="1"), admission("20 09:00", visit="2", event_id="back")


@pytest.mark.parametrize(
    ("detector", "then", "next_one"),
    [
        (GhostBedRound(), (LOOK,), check("06-15 09:00", "pass", check_type="surprise")),
        (ReadmissionSplit(), (STAY, discharge("08 09:00", visit="1"), BACK), admission("08-30 09:00", visit="3")),
    ],
    ids=lambda it: getattr(it, "id", ""),
)
def test_what_comes_when_the_past_is_forgotten_does_not_judge_the_past_again(
    detector: Detector, then: tuple[Event, ...], next_one: Event
) -> None:
    """Or an alert would be withdrawn because its events are no longer remembered."""
    file = File()
    for event in (*then, next_one):
        file.add(event)
    seen_then = {cell for event in then for cell in detector.cell.touched(event, file)}
    assert seen_then
    assert seen_then.isdisjoint(detector.cell.touched(next_one, file))
