"""When a ward is empty on paper only, and when its patients are accounted for."""

from typing import Any

from detectors.case import Case, admission, at, check, leave
from detectors.event import AdmissionReversal, Presence
from detectors.hospital.ghost_bed_round import GhostBedRound

ROUND = GhostBedRound()
TEN, NINE = "ABCDEFGHIJ", "ABCDEFGHI"


def surprise(
    results: str, persons: str = TEN, when: str = "05 09:", ward: str = "W", **more: Any
) -> tuple[Presence, ...]:
    """One look a minute from the full hour: "+" in bed, "-" not found, "l" on leave, "e" device error, "t" time-out,
    "f" another face, "r" refused. Of A at 09:00: "A/05/09:00"."""
    told = {"+": "pass", "-": "not_found", "l": "on_leave", "e": "device_error", "t": "timeout"}
    told |= {"f": "face_mismatch", "r": "refused"}
    more = {"check_type": "surprise", **more}
    digits = len("05 09:00") - len(when)
    return tuple(
        check(f"{when}{minute:0{digits}}", told[result], person, ward=ward, **more)
        for minute, (person, result) in enumerate(zip(persons, results, strict=True))
    )


def empty(*looks: str) -> str:
    return f"orange area H/W 2024-03-05: {' '.join(looks)}"


FOUR_EMPTY = surprise("----++++++")
FIRES = empty("A/05/09:00", "B/05/09:01", "C/05/09:02", "D/05/09:03")
D_STAYS = admission("04 08:00", "D")
NO_STAY = AdmissionReversal(event_id="never was", happened_at=at("06 09:00"), org="H", person="D", visit="stay of D")

CASES = (
    Case("four of ten beds empty", ROUND, FOUR_EMPTY, fires=(FIRES,), excluded=("X19 not_applicable",)),
    Case("three of ten beds empty: seven tenths are there", ROUND, surprise("---+++++++")),
    Case("nine expected are too few", ROUND, surprise("----+++++", NINE)),
    Case("announced", ROUND, surprise("----++++++", check_type="scheduled")),
    Case("who refuses is not seen in bed", ROUND, surprise("rrrr++++++"), fires=(FIRES,)),
    Case("another face is not the patient's", ROUND, surprise("ffff++++++"), fires=(FIRES,)),
    Case("on leave, says the nurse: eleven looks, nine expected (X19)", ROUND, surprise("----+++++ll", "ABCDEFGHIJK")),
    Case(
        "on leave, says the nurse: ten are expected all the same (X19)",
        ROUND,
        surprise("----++++++l", "ABCDEFGHIJK"),
        fires=(FIRES,),
        excluded=("X19 applied",),
    ),
    Case("on leave, says the record: nine expected (X19)", ROUND, (*FOUR_EMPTY, leave("05 08:00", "05 12:00", "D"))),
    Case(
        "the leave ended before the look (X19)",
        ROUND,
        (*FOUR_EMPTY, leave("05 08:00", "05 09:02", "D")),
        fires=(FIRES,),
    ),
    Case("a broken device is no empty bed (X19)", ROUND, surprise("----+++++e")),
    Case("no answer is no empty bed (X19)", ROUND, surprise("----+++++t")),
    Case(
        "intensive care (X19)",
        ROUND,
        surprise("----++++++", ward="ICU-1"),
    ),
    Case("nobody says which ward", ROUND, surprise("----++++++", ward="")),
    Case(
        "found on a second look",
        ROUND,
        (*FOUR_EMPTY, check("05 09:30", "pass", "D", check_type="surprise")),
    ),
    Case(
        "the device failed on a second look",
        ROUND,
        (*FOUR_EMPTY, check("05 09:30", "device_error", "D", check_type="surprise")),
        fires=(FIRES,),
    ),
    Case(
        "found on a second look more than an hour after the round began",
        ROUND,
        (*FOUR_EMPTY, check("05 10:01", "pass", "D", check_type="surprise")),
        fires=(FIRES,),
    ),
    Case(
        "the tenth is looked for exactly an hour after the first",
        ROUND,
        (*surprise("----+++++", NINE), check("05 10:00", "pass", "J", check_type="surprise")),
        fires=(FIRES,),
    ),
    Case(
        "the tenth is looked for on another round",
        ROUND,
        (*surprise("----+++++", NINE), check("05 10:01", "pass", "J", check_type="surprise")),
    ),
    Case(
        "two rounds of one day are one lead",
        ROUND,
        (*FOUR_EMPTY, *surprise("-----+++++", when="05 15:")),
        fires=(
            empty(
                *("A/05/09:00", "B/05/09:01", "C/05/09:02", "D/05/09:03"),
                *("A/05/15:00", "B/05/15:01", "C/05/15:02", "D/05/15:03", "E/05/15:04"),
            ),
        ),
    ),
    Case(
        "a round across midnight is of the evening, and one round",
        ROUND,
        (*surprise("--+++", "ABCDE", when="05 23:5"), *surprise("--+++", "FGHIJ", when="06 00:0")),
        fires=(empty("A/05/23:50", "B/05/23:51", "F/06/00:00", "G/06/00:01"),),
    ),
    Case(
        "half a round before midnight, half of one long after",
        ROUND,
        (*surprise("--+++", "ABCDE", when="05 23:0"), *surprise("--+++", "FGHIJ", when="06 00:1")),
    ),
    Case(
        "half of two wards",
        ROUND,
        (*surprise("--+++", "ABCDE"), *surprise("--+++", "FGHIJ", ward="V")),
    ),
    Case("one of the missing never was admitted", ROUND, (D_STAYS, *FOUR_EMPTY, NO_STAY)),
)
