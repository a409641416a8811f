"""What a stack of credentials at a till looks like, and what a busy hour looks like."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from detectors.case import Case, at, fen, mass_day, org, person, reversal, settlement, swipe
from detectors.event import PersonRecord, Settlement, Swipe
from detectors.pharmacy.card_batch_swipe import CardBatchSwipe
from detectors.unit import DAY, SECOND

BATCH = CardBatchSwipe()


def queue(
    start: str, baskets: str = "XXXXXXXX", gap: float = 40, first: int = 1, **more: Any
) -> tuple[Settlement, ...]:
    """A person a letter at till A/1, ``gap`` seconds apart, each buying one item at a price of its own.

    P1's bill is called "1". Any: any other field of a Settlement.
    """
    bills = (
        settlement(
            start, event_id=f"{n}", person=f"P{n}", yuan=f"{10 + 7 * n}", basket=item.strip(), **{"device": "1", **more}
        )
        for n, item in enumerate(baskets, first)
    )
    return tuple(replace(bill, happened_at=bill.happened_at + n * gap * SECOND) for n, bill in enumerate(bills))


def later(bills: tuple[Settlement, ...], by: timedelta, name: str = "b") -> tuple[Settlement, ...]:
    """The same persons once more."""
    return tuple(
        replace(bill, happened_at=bill.happened_at + by, event_id=f"{name}{bill.event_id}", bill=f"{name}{bill.bill}")
        for bill in bills
    )


def priced(*yuan: str) -> tuple[Settlement, ...]:
    """A queue with these amounts; everybody buys something else."""
    unlike = queue("04 09:00", "ABCDEFGHIJ"[: len(yuan)])
    return tuple(replace(bill, total=fen(amount)) for bill, amount in zip(unlike, yuan, strict=True))


def baskets(*those: str) -> tuple[Settlement, ...]:
    """A queue with these baskets, a letter an item; everybody pays something else."""
    one_each = queue("04 09:00", "A" * len(those))
    return tuple(
        replace(bill, lines=settlement("04 09:00", basket=basket).lines)
        for bill, basket in zip(one_each, those, strict=True)
    )


def swiped(bills: tuple[Settlement, ...], before: float = 17) -> tuple[Swipe, ...]:
    """The credentials that were read before these bills."""
    return tuple(
        replace(
            swipe("04 09:00", org=bill.org, person=bill.person, device=bill.device, event_id=f"s{bill.event_id}"),
            happened_at=bill.happened_at - before * SECOND,
        )
        for bill in bills
    )


def people(first: int = 1, last: int = 8, **more: Any) -> tuple[PersonRecord, ...]:
    return tuple(person(f"P{n}", **more) for n in range(first, last + 1))


def numbered(first: int, last: int, prefix: str = "") -> str:
    return " ".join(f"{prefix}{n}" for n in range(first, last + 1))


EIGHT = queue("04 09:00")
EIGHTH = swiped(EIGHT)[7]
FIFTEEN = queue("04 09:00", "X" * 15, 42)
UNLIKE = queue("04 09:00", "ABCDEFGH")
ORANGE = (f"orange till A/1 2024-03-04: {numbered(1, 8)}",)
RED = (f"red till A/1 2024-03-04: {numbered(1, 8)}",)
LATE = at("05 08:00")

CASES = (
    # ── how many, how fast ──
    Case("eight credentials, forty seconds apart, for the same goods fire", BATCH, EIGHT, ORANGE),
    Case("seven pass", BATCH, EIGHT[:7]),
    Case("a minute apart they fire", BATCH, queue("04 09:00", gap=60), ORANGE),
    Case("a second slower they pass", BATCH, queue("04 09:00", gap=61)),
    Case("an honest queue passes: everybody buys and pays something else", BATCH, UNLIKE),
    Case("one person eight times passes", BATCH, tuple(replace(bill, person="P") for bill in EIGHT)),
    Case(
        "scenario 1: twelve persons, 45 seconds apart, the same two drugs",
        BATCH,
        tuple(
            replace(bill, lines=settlement("04 09:00", basket="XY").lines) for bill in queue("04 09:00", "X" * 12, 45)
        ),
        (f"orange till A/1 2024-03-04: {numbered(1, 12)}",),
    ),
    # ── what they have in common ──
    Case(
        "three of five goods in common are enough",
        BATCH,
        baskets(*("ABC", "ABCDE") * 4),
        ORANGE,
    ),
    Case("four of seven are not", BATCH, baskets(*("ABCD", "ABCDEFG") * 4)),
    Case(
        "five alike in a row are enough: the median of seven pairs is four",
        BATCH,
        queue("04 09:00", "XXXXXABC"),
        ORANGE,
    ),
    Case("four alike in a row are not", BATCH, queue("04 09:00", "XXXXABCD")),
    Case("amounts that vary by a tenth fire, whatever was bought", BATCH, priced(*("90", "110") * 4), ORANGE),
    Case("a little more, and they pass", BATCH, priced(*("89.99", "110.01") * 4)),
    Case("equal amounts fire", BATCH, priced(*("45",) * 8), ORANGE),
    Case(
        "six of ten insured in another city fire",
        BATCH,
        tuple(
            replace(bill, insured_area="420100" if n < 6 else "330106")
            for n, bill in enumerate(queue("04 09:00", "ABCDEFGHIJ"))
        ),
        (f"orange till A/1 2024-03-04: {numbered(1, 10)}",),
        known=(org("A", area="330102"),),
    ),
    Case(
        "five of ten do not; another district of the city is no other city",
        BATCH,
        tuple(
            replace(bill, insured_area="420100" if n < 5 else "330106")
            for n, bill in enumerate(queue("04 09:00", "ABCDEFGHIJ"))
        ),
        known=(org("A", area="330102"),),
    ),
    Case(
        "where nothing is known of the institution, its bills say where it is",
        BATCH,
        tuple(replace(bill, insured_area="420100", care_area="330102") for bill in UNLIKE),
        ORANGE,
        excluded=("X18 data_missing", "X02 data_missing"),
    ),
    Case(
        "where a bill does not say where its patient is insured, his record does",
        BATCH,
        UNLIKE,
        ORANGE,
        known=(org("A", area="330102"), *people(insured_area="420100")),
    ),
    Case("where neither says, nobody is a stranger", BATCH, UNLIKE, known=(org("A", area="330102"), *people())),
    Case(
        "six of ten from one village fire",
        BATCH,
        queue("04 09:00", "ABCDEFGHIJ"),
        (f"orange till A/1 2024-03-04: {numbered(1, 10)}",),
        known=people(last=6, village="V"),
    ),
    Case("five of ten pass", BATCH, queue("04 09:00", "ABCDEFGHIJ"), known=people(last=5, village="V")),
    Case("so do six of one employer", BATCH, UNLIKE, ORANGE, known=people(last=6, employer="E")),
    # ── sessions ──
    Case(
        "a pause of two minutes does not end a session",
        BATCH,
        (*EIGHT[:4], *later(EIGHT[4:], 80 * SECOND, "")),
        ORANGE,
    ),
    Case("a second more does", BATCH, (*EIGHT[:4], *later(EIGHT[4:], 81 * SECOND, ""))),
    Case("a session lasts a piece, to the second", CardBatchSwipe(piece=280 * SECOND), EIGHT, ORANGE),
    Case("what comes later is another piece", CardBatchSwipe(piece=279 * SECOND), EIGHT),
    Case("a session ends at midnight", BATCH, queue("04 23:57:30")),
    Case(
        "the middle bills, uploaded out of order, join two sessions to one",
        BATCH,
        (*EIGHT[:3], *EIGHT[5:], *EIGHT[3:5]),
        ORANGE,
    ),
    # ── swipes ──
    Case(
        "a swipe and its bill are one visit: together they do not halve the gap",
        BATCH,
        (*queue("04 09:00", gap=61), *swiped(queue("04 09:00", gap=61))),
    ),
    Case("bills are the evidence where there are bills", BATCH, (*EIGHT, *swiped(EIGHT)), ORANGE),
    Case(
        "swipes without bills are, where there are none: one village at one till",
        BATCH,
        swiped(EIGHT),
        (f"orange till A/1 2024-03-04: {numbered(1, 8, 's')}",),
        known=people(village="V"),
    ),
    Case("swipes alone have no goods in common", BATCH, swiped(EIGHT)),
    Case("seven like bills and a swipe pass: eight bills are needed to compare", BATCH, (*EIGHT[:7], EIGHTH)),
    Case(
        "a bill half an hour after its swipe is of the same visit",
        BATCH,
        (*EIGHT[:7], EIGHTH, replace(EIGHT[7], happened_at=EIGHTH.happened_at + timedelta(minutes=30))),
        ORANGE,
    ),
    Case(
        "a second later it is another visit's",
        BATCH,
        (*EIGHT[:7], EIGHTH, replace(EIGHT[7], happened_at=EIGHTH.happened_at + timedelta(minutes=30, seconds=1))),
    ),
    Case("events that name neither terminal nor operator are of no till", BATCH, queue("04 09:00", device="")),
    Case(
        "where the terminal is blank the operator is the till",
        BATCH,
        queue("04 09:00", device="", operator="O"),
        (f"orange till A/O 2024-03-04: {numbered(1, 8)}",),
    ),
    # ── red ──
    Case(
        "fourteen persons are orange",
        BATCH,
        queue("04 09:00", "X" * 14),
        (f"orange till A/1 2024-03-04: {numbered(1, 14)}",),
    ),
    Case("fifteen are red", BATCH, queue("04 09:00", "X" * 15), (f"red till A/1 2024-03-04: {numbered(1, 15)}",)),
    Case(
        "a second batch within 7 days is red, whoever is in it",
        BATCH,
        (*EIGHT, *later(queue("04 09:00:01", first=21), 7 * DAY - SECOND - SECOND, "")),
        (*ORANGE, f"red till A/1 2024-03-11: {numbered(21, 28)}"),
    ),
    Case(
        "seven days later to the second it is orange again",
        BATCH,
        (*EIGHT, *later(queue("04 09:00", first=21), 7 * DAY, "")),
        (*ORANGE, f"orange till A/1 2024-03-11: {numbered(21, 28)}"),
    ),
    Case(
        "two batches on one day are one red lead",
        BATCH,
        (*EIGHT, *queue("04 15:00", first=21)),
        (f"red till A/1 2024-03-04: {numbered(1, 8)} {numbered(21, 28)}",),
    ),
    Case(
        "half of the credentials come back: red, though four were no batch before",
        BATCH,
        (*later(EIGHT[:4], -2 * DAY), *EIGHT),
        RED,
    ),
    Case("three of eight are not half", BATCH, (*later(EIGHT[:3], -2 * DAY), *EIGHT), ORANGE),
    Case("the earlier session may be told last", BATCH, (*EIGHT, *later(EIGHT[:4], -2 * DAY)), RED),
    # ── exclusions ──
    Case("scenario 13: one bill taken back leaves seven (X01)", BATCH, (*EIGHT, reversal("06 10:00", EIGHT[4]))),
    Case("the reversal may come first", BATCH, (reversal("06 10:00", EIGHT[4]), *EIGHT)),
    Case("nothing taken back is said so", BATCH, EIGHT, ORANGE, excluded=("X01 not_applicable", "X22 not_applicable")),
    Case(
        "scenario 2: a mother who buys for three relatives with all papers passes (X02)",
        BATCH,
        queue("04 09:00", "XXXX", 120, agent="mother"),
        known=people(last=4, household="1"),
    ),
    Case("two of one household count once: seven are left (X02)", BATCH, EIGHT, known=people(last=2, household="1")),
    Case("two who live apart count twice", BATCH, EIGHT, ORANGE, known=people(last=2), excluded=("X02 data_missing",)),
    Case(
        "four of one household count once",
        BATCH,
        queue("04 09:00", "X" * 10, 20),
        known=people(last=4, household="1"),
    ),
    Case(
        "the fifth counts again",
        BATCH,
        queue("04 09:00", "X" * 11, 20),
        (f"orange till A/1 2024-03-04: {numbered(1, 11)}",),
        known=people(last=5, household="1"),
        excluded=("X02 applied",),
    ),
    Case(
        "ten minutes after the first of his household the fifteenth does not count",
        BATCH,
        (*FIFTEEN[:14], *later(FIFTEEN[14:], 12 * SECOND, "")),
        (f"orange till A/1 2024-03-04: {numbered(1, 15)}",),
        known=(person("P1", household="1"), person("P15", household="1")),
        excluded=("X02 applied",),
    ),
    Case(
        "a second later he does",
        BATCH,
        (*FIFTEEN[:14], *later(FIFTEEN[14:], 13 * SECOND, "")),
        (f"red till A/1 2024-03-04: {numbered(1, 15)}",),
        known=(person("P1", household="1"), person("P15", household="1"), *people(2, 14, household="")),
        excluded=("X02 not_applicable",),
    ),
    Case(
        "three households of four in a queue pass (X02)",
        BATCH,
        queue("04 09:00", "X" * 12, 30),
        known=tuple(person(f"P{n}", household=f"{(n - 1) // 4}") for n in range(1, 13)),
    ),
    Case("a screening registered for the institution passes (X10)", BATCH, EIGHT, known=(mass_day("04", org="A"),)),
    Case(
        "one registered for another day does not help",
        BATCH,
        EIGHT,
        ORANGE,
        known=(mass_day("05", org="A"),),
        excluded=("X10 not_applicable",),
    ),
    Case(
        "a holiday is no screening",
        BATCH,
        EIGHT,
        ORANGE,
        known=(mass_day("04", org="A", kind="holiday"),),
    ),
    Case(
        "villagers whose screening is registered pass (X10)",
        BATCH,
        EIGHT,
        known=(mass_day("04", village="V"), *people(village="V")),
    ),
    Case(
        "a batch of others on that day fires",
        BATCH,
        EIGHT,
        ORANGE,
        known=(mass_day("04", village="V"), *people(village="W")),
    ),
    Case(
        "a screened villager among them is left out, and said",
        BATCH,
        (*EIGHT, *queue("04 09:00", "X", first=9)),
        ORANGE,
        known=(mass_day("04", village="V"), person("P9", village="V")),
        excluded=("X10 applied",),
    ),
    Case(
        "a pharmacy that never closes is no excuse (X12)",
        BATCH,
        EIGHT,
        ORANGE,
        known=(org("A", tags=frozenset({"24h"})),),
        excluded=("X12 not_applicable",),
    ),
    Case(
        "colleagues at the works clinic pass (X18)",
        BATCH,
        UNLIKE,
        known=(org("A", tags=frozenset({"employer"})), *people(employer="E")),
    ),
    Case(
        "colleagues at any other till fire",
        BATCH,
        UNLIKE,
        ORANGE,
        known=(org("A"), *people(employer="E")),
        excluded=("X18 not_applicable",),
    ),
    Case(
        "the same goods at the works clinic fire all the same",
        BATCH,
        EIGHT,
        ORANGE,
        known=(org("A", tags=frozenset({"employer"})), *people(employer="E")),
        excluded=("X18 applied",),
    ),
    Case(
        "scenario 16: a batch that was typed in after a cut passes (X16)",
        BATCH,
        queue("04 18:30", "X" * 20, 30, received_at=LATE),
    ),
    Case(
        "of a batch that is no batch without them, late bills are left out",
        BATCH,
        (*EIGHT[:7], replace(EIGHT[7], received_at=LATE)),
    ),
    Case(
        "received ten minutes after it happened is not late",
        BATCH,
        tuple(replace(bill, received_at=bill.happened_at + timedelta(minutes=10)) for bill in EIGHT),
        ORANGE,
        excluded=("X16 not_applicable",),
    ),
    Case("without a time of reception nobody can say", BATCH, EIGHT, ORANGE, excluded=("X16 data_missing",)),
    # ── what is no evidence ──
    Case("a refund row is none", BATCH, (*EIGHT[:7], replace(EIGHT[7], total=fen("-45")))),
    Case(
        "of two copies that name different tills the one received first counts",
        BATCH,
        (replace(EIGHT[4], received_at=EIGHT[4].happened_at, device="2"), *EIGHT),
    ),
    Case(
        "a bill told twice, under two numbers of transmission, is one visit",
        BATCH,
        (*EIGHT[:7], replace(EIGHT[6], event_id="again", happened_at=EIGHT[7].happened_at)),
    ),
)
