"""When a patient's face is seen far from the bed, and when that is no wonder."""

from typing import Any

from detectors.case import Case, admission, at, discharge, leave, line, org, reversal, settlement
from detectors.event import Flag, Settlement
from detectors.hospital.ghost_bed_elsewhere import GhostBedElsewhere

ELSEWHERE = GhostBedElsewhere()
STAY = (admission("04 09:00"), discharge("10 15:00"))
KM = 1 / 111.195  # degrees of latitude
FAR = (org("H", lon=120.0, lat=30.0), org("A", lon=120.0, lat=30.0 + 30 * KM))


def face(when: str = "06 10:00", where: str = "A", **more: Any) -> Settlement:
    return settlement(when, where, **{"verify_mode": "face", **more})


FIRES = ("orange stay stay of P stay of P: A10:00",)

CASES = (
    Case("thirty kilometres from the bed", ELSEWHERE, (*STAY, face()), FIRES, FAR, ("X19 not_applicable",)),
    Case("the stay is not over", ELSEWHERE, (STAY[0], face()), FIRES, FAR),
    Case("verified by a number", ELSEWHERE, (*STAY, face(verify_mode="pin")), known=FAR),
    Case("an agent's face", ELSEWHERE, (*STAY, face(agent="hash of the daughter")), known=FAR),
    Case(
        "twenty kilometres",
        ELSEWHERE,
        (*STAY, face()),
        FIRES,
        (FAR[0], org("A", lon=120.0, lat=30.0 + 20.001 * KM)),
    ),
    Case(
        "just under twenty",
        ELSEWHERE,
        (*STAY, face()),
        known=(FAR[0], org("A", lon=120.0, lat=30.0 + 19.9 * KM)),
    ),
    Case("nobody knows where that is", ELSEWHERE, (*STAY, face()), known=FAR[:1]),
    Case("at the hospital itself", ELSEWHERE, (*STAY, face(where="H")), known=FAR),
    Case("four hours after the admission", ELSEWHERE, (*STAY, face("04 13:00")), known=FAR),
    Case(
        "a minute later",
        ELSEWHERE,
        (*STAY, face("04 13:01")),
        ("orange stay stay of P stay of P: A13:01",),
        FAR,
    ),
    Case(
        "on an approved leave (X19)",
        ELSEWHERE,
        (*STAY, leave("06 08:00", "06 12:00"), face()),
        known=FAR,
    ),
    Case(
        "on leave once, and once not",
        ELSEWHERE,
        (*STAY, leave("06 08:00", "06 12:00"), face(), face("07 11:00")),
        ("orange stay stay of P stay of P: A11:00",),
        FAR,
        ("X19 applied",),
    ),
    Case(
        "an examination elsewhere (X09)",
        ELSEWHERE,
        (*STAY, face(lines=(line("MR", examined_outside=Flag(1)),))),
        known=FAR,
    ),
    Case("uploaded late (X16)", ELSEWHERE, (*STAY, face(received_at=at("06 12:00"))), known=FAR),
    Case("taken back (X01)", ELSEWHERE, (*STAY, face(), reversal("06 11:00", face())), known=FAR),
    Case("after the discharge", ELSEWHERE, (*STAY, face("12 10:00")), known=FAR),
)
