"""When a store lives on old prescriptions."""

from msgspec.structs import replace

from detectors.case import Case, at, reversal, swipe
from detectors.event import Flag, Settlement
from detectors.pharmacy.rx_misused_cases import fires, handed, prescription
from detectors.pharmacy.rx_reused import RxReused

REUSED = RxReused()
NEXT_DAY = swipe("28 00:00", org="Z", person="Z")  # judged when the day is over


def twice(*numbers: str, first: str = "04 09:00", again: str = "05 09:00") -> tuple[Settlement, ...]:
    """The bills of each number, by P and by Q: "7/P" and "7/Q"."""
    return tuple(
        handed(when, who, rx=rx, event_id=f"{rx}/{who}") for who, when in (("P", first), ("Q", again)) for rx in numbers
    )


def red(*numbers: str, month: str = "2024-03") -> tuple[str, ...]:
    return fires(*(f"{rx}/{who}" for who in "PQ" for rx in numbers), level="red", month=month)


THREE = twice("7", "8", "9")

CASES = (
    Case(
        "three numbers, each used by two persons",
        REUSED,
        (*THREE, NEXT_DAY),
        fires=red("7", "8", "9"),
        excluded=("X01 not_applicable",),
    ),
    Case("two numbers", REUSED, (*twice("7", "8"), NEXT_DAY)),
    Case("three numbers, one of them used once", REUSED, (*THREE[:5], NEXT_DAY)),
    Case("the day is not over", REUSED, THREE),
    Case(
        "three numbers, each used twice by one person",
        REUSED,
        (*(replace(bill, person="P") for bill in THREE), NEXT_DAY),
        fires=red("7", "8", "9"),
    ),
    Case(
        "long prescriptions, handed out in parts (X05)",
        REUSED,
        (
            *(prescription(rx=rx, long_term=Flag(1)) for rx in "789"),
            *(replace(bill, person="P") for bill in THREE),
            NEXT_DAY,
        ),
    ),
    Case(
        "one number of three was prescribed to each of both, by hospitals that number alike",
        REUSED,
        (prescription(rx="9"), prescription(rx="9", person="Q", org="K"), *THREE, NEXT_DAY),
    ),
    Case(
        "the same, where both were keyed in days later",
        REUSED,
        (
            prescription("10 12:00", rx="9"),
            prescription("10 12:00", rx="9", person="Q", org="K"),
            *THREE,
            NEXT_DAY,
        ),
    ),
    Case(
        "of different drugs",
        REUSED,
        (*twice("7", "8"), *(handed("06 09:00", who, rx="9", item="Y", event_id=f"9/{who}") for who in "PQ"), NEXT_DAY),
        fires=fires("7/P", "8/P", "7/Q", "8/Q", "9/P", "9/Q", level="red"),
    ),
    Case(
        "at different stores: each is told for itself",
        REUSED,
        (*twice("7", "8"), *(handed("06 09:00", who, rx="9", org="P2", event_id=f"9/{who}") for who in "PQ"), NEXT_DAY),
    ),
    Case(
        "first used up to 30 days before the month",
        REUSED,
        (*twice("7", "8", "9", first="01-31 00:00"), NEXT_DAY),
        fires=red("7", "8", "9"),
    ),
    Case(
        "first used longer before the month",
        REUSED,
        (*twice("7", "8", "9", first="01-30 23:59"), NEXT_DAY),
    ),
    Case(
        "used again in two months: each counts its own",
        REUSED,
        (*twice("7", "8"), *twice("9", again="04-01 09:00"), swipe("04-28 00:00", org="Z", person="Z")),
    ),
    Case("a bill was taken back", REUSED, (*THREE, reversal("06 09:00", THREE[5]), NEXT_DAY)),
    Case(
        "a bill was uploaded days later",
        REUSED,
        (*THREE[:5], replace(THREE[5], received_at=at("09 09:00")), NEXT_DAY),
        fires=red("7", "8", "9"),
    ),
)
