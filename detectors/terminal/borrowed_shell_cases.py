"""When customers of a closed counter are settled next door, and when they just go elsewhere."""

from typing import Any

from msgspec.structs import replace

from detectors.case import Case, at, org, reversal, settlement, swipe
from detectors.event import Fen, OrgRecord, Settlement
from detectors.terminal.borrowed_shell import BorrowedShell
from detectors.unit import SECOND

SHELL = BorrowedShell()
SIXTEEN = "ABCDEFGHIJKLMNOP"
NEXT_DAY = swipe("25 00:00", org="Z", person="Z")  # judged when the day is over
LATE_IN_APRIL = swipe("04-28 00:00", org="Z", person="Z")


def shopping(persons: str, store: str, when: str, **more: Any) -> tuple[Settlement, ...]:
    """A bill of each person; A's at store PX is called "A/PX". Any: any other field of a Settlement."""
    return tuple(
        settlement(when, store, who, **{"event_id": f"{who}/{store}", "bill": f"{who} {when}", **more})
        for who in persons
    )


def chain(
    *, stopped: str = "10 00:00", lifted: str = "", owner: str = "G", state: Any = "suspended"
) -> tuple[OrgRecord, ...]:
    """Stores PS, which loses its contract, and PX of the same owner, PY of another. Any: a state of the contract."""
    return (
        org("PS", owner=owner),
        org("PS", at(stopped), owner=owner, contract=state),
        *([org("PS", at(lifted), owner=owner)] if lifted else []),
        org("PX", owner=owner),
        org("PY", owner="other"),
    )


def fires(*bills: str, month: str = "2024-03") -> tuple[str, ...]:
    return (f"red org PX {month}: {' '.join(bills)}",)


def moved(persons: str) -> tuple[str, ...]:
    return fires(*(f"{who}/PX" for who in persons))


REGULARS = shopping(SIXTEEN, "PS", "02-20 09:00")
EIGHT = shopping("ABCDEFGH", "PS", "02-20 09:00")
CAME = shopping("ABCDE", "PX", "12 09:00")
LATER = {"stopped": "04-05 00:00"}  # 90 days before that is 6 January, 00:00
CAME_LATER = shopping("ABCDE", "PX", "04-06 09:00")

CASES = (
    Case(
        "the notice does not repeat whose store it is",
        SHELL,
        (*REGULARS, *CAME, NEXT_DAY),
        fires=moved("ABCDE"),
        known=tuple(replace(one, owner="") if one.contract == "suspended" else one for one in chain()),
    ),
    Case(
        "five of sixteen regulars come to the sister store",
        SHELL,
        (*REGULARS, *CAME, NEXT_DAY),
        fires=moved("ABCDE"),
        known=chain(),
        excluded=("X01 not_applicable",),
    ),
    Case(
        "five of seventeen: less than three tenths",
        SHELL,
        (*REGULARS, *shopping("Q", "PS", "02-21 09:00"), *CAME, NEXT_DAY),
        known=chain(),
    ),
    Case(
        "six of twenty: three tenths",
        SHELL,
        (*shopping(SIXTEEN + "QRST", "PS", "02-20 09:00"), *shopping("ABCDEF", "PX", "12 09:00"), NEXT_DAY),
        fires=moved("ABCDEF"),
        known=chain(),
    ),
    Case("four of eight: a share of few is chance", SHELL, (*EIGHT, *CAME[:4], NEXT_DAY), known=chain()),
    Case("five of eight", SHELL, (*EIGHT, *CAME, NEXT_DAY), fires=moved("ABCDE"), known=chain()),
    Case("the contract was terminated", SHELL, (*EIGHT, *CAME, NEXT_DAY), moved("ABCDE"), chain(state="terminated")),
    Case("the contract is active", SHELL, (*EIGHT, *CAME, NEXT_DAY), known=chain(state="active")),
    Case("the suspension was lifted", SHELL, (*EIGHT, *CAME, NEXT_DAY), moved("ABCDE"), chain(lifted="11 00:00")),
    Case("nothing is known of the stores", SHELL, (*EIGHT, *CAME, NEXT_DAY)),
    Case("nothing is known of the sister store", SHELL, (*EIGHT, *CAME, NEXT_DAY), known=chain()[:2]),
    Case("a store of another owner", SHELL, (*EIGHT, *shopping("ABCDE", "PY", "12 09:00"), NEXT_DAY), known=chain()),
    Case("two stores whose owners nobody knows", SHELL, (*EIGHT, *CAME, NEXT_DAY), known=chain(owner="")),
    Case(
        "a hospital of the same owner is no store",
        SHELL,
        (*EIGHT, *shopping("ABCDE", "H", "12 09:00"), NEXT_DAY),
        known=(*chain(), org("H", owner="G")),
    ),
    Case(
        "they come 14 days after, to the second",
        SHELL,
        (*EIGHT, *shopping("ABCDE", "PX", "24 00:00"), NEXT_DAY),
        fires=moved("ABCDE"),
        known=chain(),
    ),
    Case(
        "one of them comes a second later",
        SHELL,
        (*EIGHT, *CAME[:4], replace(CAME[4], happened_at=at("24 00:00") + SECOND), NEXT_DAY),
        known=chain(),
    ),
    Case("they came before", SHELL, (*EIGHT, *shopping("ABCDE", "PX", "09 23:59"), NEXT_DAY), known=chain()),
    Case(
        "one of them was a customer of both stores before",
        SHELL,
        (*EIGHT, *CAME, *shopping("E", "PX", "02-01 09:00", event_id="before"), NEXT_DAY),
        known=chain(),
    ),
    Case(
        "one of them was in both stores 90 days before, to the minute",
        SHELL,
        (*EIGHT, *CAME_LATER, *shopping("E", "PX", "01-06 00:01", event_id="before"), LATE_IN_APRIL),
        known=chain(**LATER),
    ),
    Case(
        "one of them was in both stores longer ago",
        SHELL,
        (*EIGHT, *CAME_LATER, *shopping("E", "PX", "01-06 00:00", event_id="before"), LATE_IN_APRIL),
        fires=fires(*(f"{who}/PX" for who in "ABCDE"), month="2024-04"),
        known=chain(**LATER),
    ),
    Case(
        "customers of 90 days before, to the minute, are regulars",
        SHELL,
        (*shopping("ABCDE", "PS", "01-06 00:01"), *CAME_LATER, LATE_IN_APRIL),
        fires=fires(*(f"{who}/PX" for who in "ABCDE"), month="2024-04"),
        known=chain(**LATER),
    ),
    Case(
        "customers of longer ago are none",
        SHELL,
        (*shopping("ABCDE", "PS", "01-06 00:00"), *CAME_LATER, LATE_IN_APRIL),
        known=chain(**LATER),
    ),
    Case(
        "who comes twice is shown once",
        SHELL,
        (*EIGHT, *CAME, *shopping("A", "PX", "13 09:00", event_id="again"), NEXT_DAY),
        fires=moved("ABCDE"),
        known=chain(),
    ),
    Case(
        "over the end of the month: each month shows its own, and the second counts all",
        SHELL,
        (
            *EIGHT,
            *shopping("ABCDE", "PX", "31 09:00"),
            *shopping("F", "PX", "04-01 09:00"),
            LATE_IN_APRIL,
        ),
        fires=(*moved("ABCDE"), *fires("F/PX", month="2024-04")),
        known=chain(stopped="28 00:00"),
    ),
    Case(
        "enough only after the end of the month",
        SHELL,
        (*EIGHT, *shopping("ABCD", "PX", "31 09:00"), *shopping("F", "PX", "04-01 09:00"), LATE_IN_APRIL),
        fires=fires("F/PX", month="2024-04"),
        known=chain(stopped="28 00:00"),
    ),
    Case(
        "one of the bills was taken back",
        SHELL,
        (*EIGHT, *CAME, reversal("13 09:00", CAME[0]), NEXT_DAY),
        known=chain(),
    ),
    Case(
        "a bill at the closed store was taken back: five of sixteen",
        SHELL,
        (*REGULARS, *CAME, *(gone := shopping("Q", "PS", "02-21 09:00")), reversal("13 09:00", gone[0]), NEXT_DAY),
        fires=moved("ABCDE"),
        known=chain(),
    ),
    Case(
        "a refund is no visit",
        SHELL,
        (*EIGHT, *CAME[:4], replace(CAME[4], total=Fen(-4500), fund=Fen(-2250)), NEXT_DAY),
        known=chain(),
    ),
    Case("the day is not over", SHELL, (*EIGHT, *CAME), known=chain()),
)
