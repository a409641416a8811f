"""When a hospital tells its charges late, and when it is one patient's."""

from datetime import timedelta
from typing import Any

from detectors.case import Case, admission, at, fee, line, line_reversal, settlement
from detectors.event import AdmissionReversal, Event, Fee
from detectors.fund.upload_gap_charges import UploadGapCharges
from detectors.unit import HOUR, MINUTE

LATE = UploadGapCharges()


def uploaded(persons: str, lag: timedelta, lines: int = 2, clock: str = "22:00", **more: Any) -> tuple[Fee, ...]:
    """Charges of each of these patients on the 4th, at eight in the morning, received so long after."""
    return tuple(
        fee(
            f"04 {clock}",
            *(line("bed", sn=f"{who}{clock}{n}", occurred_at=at("04 08:00")) for n in range(lines)),
            person=who,
            event_id=f"{who}{clock}",
            received_at=at("04 08:00") + lag,
            **more,
        )
        for who in persons
    )


def by(when: str) -> Event:
    """Time has come so far."""
    return settlement(when, org="elsewhere", person="Z")


WARD = tuple(admission("02 09:00", who) for who in "PQRST")
DAY_LATE = uploaded("PQR", 24 * HOUR + MINUTE)
DUE = by("07 00:00")  # two days after the 4th is over
FIRES = ("yellow org H 2024-03-04: P22:00 Q22:00 R22:00",)

CASES = (
    Case("three patients' charges a day late", LATE, (*WARD, *DAY_LATE, DUE), FIRES, excluded=("X15 applied",)),
    Case("just a day", LATE, (*WARD, *uploaded("PQR", 24 * HOUR), DUE)),
    Case("two patients' (X15)", LATE, (*WARD, *DAY_LATE[:2], DUE)),
    Case("most charges of the day were in time", LATE, (*WARD, *DAY_LATE, *uploaded("ST", 14 * HOUR, lines=4), DUE)),
    Case("not most", LATE, (*WARD, *DAY_LATE, *uploaded("ST", 14 * HOUR), DUE), FIRES),
    Case("every night's upload", LATE, (*WARD, *uploaded("PQRST", 15 * HOUR), DUE)),
    Case("other uploads of the day may still come", LATE, (*WARD, *DAY_LATE, by("06 23:59"))),
    Case("told last", LATE, (*WARD, *DAY_LATE[:2], DUE, DAY_LATE[2]), FIRES),
    Case("what was in time, told last", LATE, (*WARD, *DAY_LATE, DUE, *uploaded("ST", 14 * HOUR, lines=4))),
    Case("an admission told last", LATE, (*WARD[1:], *DAY_LATE, DUE, WARD[0]), FIRES),
    Case("told twice", LATE, (*WARD, *DAY_LATE, *DAY_LATE, DUE), FIRES),
    Case(
        "a stay that never was",
        LATE,
        (
            *(*WARD, *DAY_LATE, DUE),
            AdmissionReversal(event_id="never was", happened_at=at("06 12:00"), org="H", person="P", visit="stay of P"),
        ),
    ),
    Case(
        "one patient's charges were taken back",
        LATE,
        (*WARD, *DAY_LATE, *(line_reversal("05 09:00", DAY_LATE[0], f"P22:00{n}") for n in range(2)), DUE),
    ),
    Case("out-patients are not looked for", LATE, (*WARD[:2], *DAY_LATE, DUE)),
    Case(
        "two uploads of one patient are one patient",
        LATE,
        (
            *WARD,
            *DAY_LATE[:2],
            *uploaded("P", 25 * HOUR, clock="21:00"),
            DUE,
        ),
    ),
    Case(
        "nobody said when they came in",
        LATE,
        (*WARD, *(fee(f"04 22:0{n}", line("bed"), person=who) for n, who in enumerate("PQR")), DUE),
    ),
)
