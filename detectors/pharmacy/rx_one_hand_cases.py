"""When one doctor prescribes what a store sells of watched drugs."""

from msgspec.structs import replace

from detectors.case import Case, drug, reversal, swipe
from detectors.event import Event, Flag, Prescription, Settlement
from detectors.pharmacy.rx_misused_cases import fires, handed, prescription
from detectors.pharmacy.rx_one_hand import RxOneHand
from detectors.unit import DAY

HAND = RxOneHand(scripts=5, share=0.8)
WATCHED = (drug("X", watched=Flag(1)),)
NEXT_DAY = swipe("28 00:00", org="Z", person="Z")  # judged when the day is over


def bill(day: int, who: str) -> Settlement:
    """A's is called "A"."""
    return handed(f"{day:02} 09:00", who, rx=who, event_id=who)


def script(who: str, doctor: str = "D") -> Prescription:
    return prescription("01 08:00", who, rx=who, doctor=doctor)


def sold(persons: str, others: str = "") -> tuple[Event, ...]:
    """One a day from 4 March on; to ``others`` on prescriptions of another doctor."""
    return (
        *(script(who) for who in persons),
        *(script(who, "E") for who in others),
        *(bill(4 + n, who) for n, who in enumerate(persons + others)),
    )


FIVE = sold("ABCDE")

CASES = (
    Case(
        "five prescriptions, all by one doctor",
        HAND,
        (*FIVE, NEXT_DAY),
        fires=fires(*"ABCDE"),
        known=WATCHED,
        excluded=("X01 not_applicable",),
    ),
    Case("four", HAND, (*sold("ABCD"), NEXT_DAY), known=WATCHED),
    Case("four of five", HAND, (*sold("ABCD", "E"), NEXT_DAY), fires=fires(*"ABCD"), known=WATCHED),
    Case("four of six, the last two of another doctor", HAND, (*sold("ABC", "EF"), NEXT_DAY), known=WATCHED),
    Case("a drug that is not on the watch list", HAND, (*FIVE, NEXT_DAY), known=(drug("X"),)),
    Case("a drug of which nothing is known", HAND, (*FIVE, NEXT_DAY)),
    Case("the day is not over", HAND, FIVE[:-1], known=WATCHED),
    Case("a bill was taken back", HAND, (*FIVE, reversal("20 09:00", bill(8, "E")), NEXT_DAY), known=WATCHED),
    Case("nobody knows one of the prescriptions", HAND, (*FIVE[1:], NEXT_DAY), fires=fires(*"BCDE"), known=WATCHED),
    Case("nobody knows two of them", HAND, (*FIVE[2:], NEXT_DAY), known=WATCHED),
    Case("the prescriptions come last", HAND, (*FIVE[5:], NEXT_DAY, *FIVE[:5]), fires=fires(*"ABCDE"), known=WATCHED),
    Case(
        "one number used five times counts once",
        HAND,
        (script("A"), *(replace(bill(4 + n, "A"), event_id=f"A{n}", bill=f"A{n}") for n in range(5)), NEXT_DAY),
        known=WATCHED,
    ),
    Case(
        "the fifth 30 days after the first",
        HAND,
        (*sold("ABCD"), script("E"), replace(bill(4, "E"), happened_at=bill(4, "A").happened_at + 30 * DAY),
         swipe("04-28 00:00", org="Z", person="Z")),
        known=WATCHED,
    ),
    Case(
        "the fifth 29 days after the first: a lead of the month in which it is complete",
        HAND,
        (*sold("ABCD"), script("E"), replace(bill(4, "E"), happened_at=bill(4, "A").happened_at + 29 * DAY),
         swipe("04-28 00:00", org="Z", person="Z")),
        fires=fires(*"ABCDE", month="2024-04"),
        known=WATCHED,
    ),
)  # fmt: skip
