"""A bed and its board are charged, and nothing is done for the patient (住院无实质诊疗)."""

from typing import Unpack

from replay.simulate.clock import DAY, HOUR
from replay.simulate.label import Named
from replay.simulate.stories.story import About, Family, Stage, Variant

TOLD_BY = 4  # days until the hospital's lines must have come in, and a midnight has passed


def idle(stage: Stage, days: int, **about: Unpack[About]) -> None:
    """A stay of so many days from this morning; its silence is the ground."""
    begin = stage.at(8.2, 2)
    person = stage.person(last=stage.day + days)
    stay = stage.stay(person, stage.hospital(), begin, (begin // DAY + days) * DAY + 10 * HOUR, **about)
    stage.show_stay(stay)
    stage.subject = Named("stay", stay.mdtrt_id)
    stage.absence = True


def bed_and_board(stage: Stage) -> None:
    idle(stage, 7, bare_days=tuple(range(8)))
    stage.level, stage.notes = "orange", "bed and nursing only, all the stay"


def three_days(stage: Stage) -> None:
    idle(stage, 7, bare_days=(2, 3, 4))
    stage.level, stage.notes = "orange", "three days in a row without service"


def no_order(stage: Stage) -> None:
    idle(stage, 5, ordered=False)
    stage.level, stage.notes = "orange", "no order at all"


def empty_bed_too(stage: Stage) -> None:
    """Nor is anybody in the bed at three rounds in a row."""
    results = {2: "not_found", 3: "not_found", 4: "not_found"}
    idle(stage, 6, bare_days=tuple(range(7)), finds=lambda number, planned: results.get(number, "pass"))
    stage.level, stage.notes = "red", "no service, and nobody in the bed"


FAMILY = Family(
    name="ghost_bed_no_service",
    kind="fraud",
    wave=1,
    expect=("ghost_bed_no_service",),
    also=("low_threshold_admission", "ghost_bed_absence"),
    variants=(
        Variant(name="bed and board", tell=bed_and_board, days=3 + TOLD_BY),
        Variant(name="three days", tell=three_days, days=6 + TOLD_BY),
        Variant(name="no order", tell=no_order, days=2 + TOLD_BY),
        Variant(name="empty bed too", tell=empty_bed_too, days=3 + TOLD_BY),
    ),
)
