"""When a store takes back most of what it settles, and when a terminal only failed."""

from datetime import timedelta

from msgspec.structs import replace

from detectors.case import Case, reversal, settlement, swipe
from detectors.event import Event, Settlement, SettlementReversal
from detectors.pharmacy.empty_swipe_store import EmptySwipeStore
from detectors.unit import DAY, MINUTE, SECOND

STORE = EmptySwipeStore(reversals=4, share=0.4)
END_OF_DAY = swipe("28 00:00", org="Z", person="Z")


def bill(day: int, who: str, store: str = "PA") -> Settlement:
    """The bill of B on the 5th is called "B5"."""
    return settlement(f"{day:02} 09:00", store, who, event_id=f"{who}{day}", bill=f"{who}{day}", basket="X")


def undone(
    day: int, who: str, age: timedelta = 10 * MINUTE, store: str = "PA"
) -> tuple[Settlement, SettlementReversal]:
    made = bill(day, who, store)
    return made, replace(reversal(f"{day:02} 09:00", made), happened_at=made.happened_at + age)


def week(persons: str = "ABCD", age: timedelta = 10 * MINUTE, store: str = "PA") -> tuple[Event, ...]:
    """One after the other from 4 March on, a day each."""
    return tuple(event for n, who in enumerate(persons) for event in undone(4 + n, who, age, store))


def fires(*names: str, month: str = "2024-03") -> tuple[str, ...]:
    return (f"orange org PA {month}: {' '.join(f'{name} reversal of {name}' for name in names)}",)


FOUR = week()
FOUR_FIRE = fires("A4", "B5", "C6", "D7")
FIRST, *OTHERS = FOUR
SIX_STAND = tuple(bill(5, who) for who in "EFGHIJ")

CASES = (
    Case(
        "four persons' bills of a week are taken back within ten minutes",
        STORE,
        (*FOUR, END_OF_DAY),
        fires=FOUR_FIRE,
        excluded=("X01 not_applicable", "X12 not_applicable"),
    ),
    Case("three", STORE, (*week("ABC"), END_OF_DAY)),
    Case("four of ten bills of the week", STORE, (*FOUR, *SIX_STAND, END_OF_DAY), fires=FOUR_FIRE),
    Case("four of eleven", STORE, (*FOUR, *SIX_STAND, bill(6, "K"), END_OF_DAY)),
    Case("the day is not over", STORE, FOUR),
    Case("taken back after thirty minutes", STORE, (*week(age=30 * MINUTE), END_OF_DAY), fires=FOUR_FIRE),
    Case("taken back after more than that", STORE, (*week(age=30 * MINUTE + SECOND), END_OF_DAY)),
    Case("the fourth just within the week", STORE, (*week("ABC"), *undone(10, "D"), END_OF_DAY),
         fires=fires("A4", "B5", "C6", "D10")),
    Case("the fourth is a week after the first", STORE, (*week("ABC"), *undone(11, "D"), END_OF_DAY)),
    Case("a hospital, where appointments are given back", STORE, (*week(store="HA"), END_OF_DAY)),
    Case(
        "a terminal failed: one of them was served within three minutes, for the same amount",
        STORE,
        (*FOUR, replace(bill(4, "A"), event_id="again", bill="again", happened_at=FIRST.happened_at + 3 * MINUTE),
         END_OF_DAY),
    ),
    Case(
        "served again later than that",
        STORE,
        (*FOUR, replace(bill(4, "A"), event_id="again", bill="again",
                        happened_at=FIRST.happened_at + 3 * MINUTE + SECOND), END_OF_DAY),
        fires=FOUR_FIRE,
    ),
    Case("the first bill comes last", STORE, (*OTHERS, END_OF_DAY, FIRST), fires=FOUR_FIRE),
    Case("each comes twice", STORE, (*FOUR, *FOUR, END_OF_DAY), fires=FOUR_FIRE),
    Case("one bill never came", STORE, (*OTHERS, END_OF_DAY)),
    Case(
        "over the end of a month: the month in which the week ends",
        STORE,
        (
            *(replace(event, happened_at=event.happened_at + 25 * DAY) for event in FOUR),
            swipe("04-20 00:00", org="Z", person="Z"),
        ),
        fires=fires("A4", "B5", "C6", "D7", month="2024-04"),
    ),
)  # fmt: skip
