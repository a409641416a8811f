"""What a burst over many institutions is, and what it is not."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from detectors.case import LONG_AGO, Case, at, fee, fen, line, org, reversal, settlement
from detectors.event import ItemRecord, Settlement
from detectors.person.multi_org_burst import SERIES_DISEASES, MultiOrgBurst
from detectors.unit import HOUR, MINUTE

BURST = MultiOrgBurst()


def bills(*lines: str, **more: Any) -> tuple[Settlement, ...]:
    """P's bills: "04 08:15 A" is 4 March, 08:15, at A. Any: any other field of a Settlement."""
    return tuple(settlement(line.rpartition(" ")[0], org=line.rpartition(" ")[2], **more) for line in lines)


def item(code: str, series: str = "") -> ItemRecord:
    name = f"record of {code}"
    return ItemRecord(
        event_id=name, happened_at=LONG_AGO, valid_from=LONG_AGO, item=code, kind="treatment", series=series
    )


def shops(*yuan: str) -> tuple[Settlement, ...]:
    """Three pharmacies over a day, so much paid at each."""
    whens = ("04 08:00", "04 13:00", "05 07:59")
    return tuple(
        settlement(when, f"P{letter}", yuan=paid) for when, letter, paid in zip(whens, "ABC", yuan, strict=True)
    )


THREE = bills("04 08:00 A", "04 08:20 B", "04 08:59 C")
FIRES = ("orange person P 2024-03-04: A08:00 B08:20 C08:59",)
FOUR = bills("04 08:00 A", "04 10:00 B", "04 12:00 C", "04 15:00 D")
FIVE = (*FOUR, *bills("05 07:59 E"))
FIVE_FIRE = ("orange person P 2024-03-05: A08:00 B10:00 C12:00 D15:00 E07:59",)
DEAR = shops("200", "200", "100")
DEAR_FIRE = ("orange person P 2024-03-05: PA08:00 PB13:00 PC07:59",)
KNOWN = (org("A"), org("B"), org("C"))
DIALYSIS = line("D", list_type="201")

CASES = (
    # ── three within an hour ──
    Case(
        "the third institution within an hour fires",
        BURST,
        THREE,
        FIRES,
        known=KNOWN,
        excluded=tuple(f"{code} not_applicable" for code in ("X01", "X02", "X07", "X18", "X21")),
    ),
    Case(
        "in exactly an hour it passes: the first visit has just left",
        BURST,
        bills("04 08:00 A", "04 08:20 B", "04 09:00 C"),
    ),
    Case("two institutions within an hour pass", BURST, bills("04 08:00 A", "04 08:20 B", "04 08:59 A")),
    Case(
        "three persons at three places pass",
        BURST,
        tuple(replace(bill, person=name) for bill, name in zip(THREE, "PQR", strict=True)),
    ),
    Case(
        "across midnight it is the day's that completes it",
        BURST,
        bills("04 23:30 A", "04 23:50 B", "05 00:10 C"),
        ("orange person P 2024-03-05: A23:30 B23:50 C00:10",),
    ),
    Case(
        "all bills of the hour are shown, each once, and bursts of one day are one lead",
        BURST,
        bills("04 08:00 A", "04 08:10 A", "04 08:20 B", "04 08:59 C", "04 09:15 D", "04 18:00 E"),
        ("orange person P 2024-03-04: A08:00 A08:10 B08:20 C08:59 D09:15 E18:00",),
    ),
    Case("a limit of four lets three pass", MultiOrgBurst(per_hour=4), THREE),
    # ── five within a day ──
    Case("the fifth institution within 24 hours fires on the day that completes it", BURST, FIVE, FIVE_FIRE),
    Case("in exactly 24 hours it passes", BURST, (*FOUR, *bills("05 08:00 E"))),
    Case("four institutions pass", BURST, (*FOUR, *bills("05 07:59 D"))),
    # ── three pharmacies and 500 yuan ──
    Case("three pharmacies within 24 hours, 500 yuan in all, fire", BURST, DEAR, DEAR_FIRE),
    Case("a fen less passes", BURST, shops("200", "200", "99.99")),
    Case("two pharmacies pass, however dear", BURST, (DEAR[0], DEAR[1], replace(DEAR[2], org="PB"))),
    Case("a hospital is no pharmacy", BURST, (DEAR[0], DEAR[1], replace(DEAR[2], org="HC"))),
    Case(
        "what was paid at a hospital does not count",
        BURST,
        (*shops("200", "200", "99"), settlement("04 18:00", "HD", yuan="900")),
    ),
    Case(
        "in exactly 24 hours it passes: pharmacies",
        BURST,
        (*DEAR[:2], settlement("05 08:00", "PC", yuan="100")),
    ),
    Case(
        "money given back lowers the sum",
        BURST,
        (*DEAR, settlement("04 20:00", "PA", yuan="-1")),
    ),
    Case(
        "not what a hospital gives back",
        BURST,
        (*DEAR, settlement("04 20:00", "HA", yuan="-1")),
        DEAR_FIRE,
    ),
    # ── late, reversed, told twice ──
    Case("told in any order", BURST, (THREE[2], THREE[0], THREE[1]), FIRES),
    Case("a bill taken back the next day withdraws the lead (X01)", BURST, (*THREE, reversal("05 10:00", THREE[0]))),
    Case("the reversal may come first", BURST, (reversal("05 10:00", THREE[2]), *THREE)),
    Case(
        "a bill told twice is one place",
        BURST,
        (*THREE[:2], replace(THREE[1], event_id="again", happened_at=at("04 08:59"), received_at=at("04 09:00"))),
    ),
    Case("a refund row is no visit", BURST, (*THREE[:2], replace(THREE[2], total=fen("-45")))),
    # ── exclusions ──
    Case(
        "scenario 2: a mother buys for herself and three more of her family at one place (X02)",
        BURST,
        (
            *bills("04 08:00 PA", yuan="300"),
            *(settlement(f"04 08:0{n}", "PA", person=child, agent="M", yuan="300") for n, child in enumerate("QRS", 1)),
        ),
    ),
    Case("a daughter who shows her papers is somebody else (X02)", BURST, (*THREE[:2], replace(THREE[2], agent="D"))),
    Case(
        "or says that she comes for her mother",
        BURST,
        (*THREE[:2], replace(THREE[2], verify_mode="agent")),
    ),
    Case(
        "what an agent fetched meanwhile is left out, and said",
        BURST,
        (*THREE, *bills("04 08:30 D", agent="D")),
        FIRES,
        excluded=("X02 applied",),
    ),
    Case(
        "dialysis on the way passes (X07)",
        BURST,
        (*THREE[:2], replace(THREE[2], lines=(DIALYSIS,))),
        known=(item("D", "dialysis"),),
    ),
    Case(
        "a treatment that is in no course fires",
        BURST,
        (*THREE[:2], replace(THREE[2], lines=(DIALYSIS,))),
        FIRES,
        known=(item("D"),),
        excluded=("X07 not_applicable",),
    ),
    Case("nobody says what the treatment is", BURST, (*THREE[:2], replace(THREE[2], lines=(DIALYSIS,))), FIRES),
    Case(
        "the lines may be uploaded apart from the bill, and days later",
        BURST,
        (*THREE, fee("06 23:00", DIALYSIS, org="C", visit="visit of C08:59")),
        known=(item("D", "dialysis"),),
    ),
    Case(
        "lines of another visit say nothing of it",
        BURST,
        (*THREE, fee("06 23:00", DIALYSIS, org="C", visit="another")),
        FIRES,
        known=(item("D", "dialysis"),),
    ),
    Case(
        "the lines of yesterday's bill may come last",
        BURST,
        (*FIVE, fee("06 23:00", DIALYSIS, org="B", visit="visit of B10:00")),
        known=(item("D", "dialysis"),),
    ),
    *(
        Case(
            f"a disease treated in courses passes: {code}", BURST, (*THREE[:2], replace(THREE[2], disease=f"{code}01"))
        )
        for code in SERIES_DISEASES
    ),
    Case("another disease fires", BURST, (*THREE[:2], replace(THREE[2], disease="I10")), FIRES),
    Case(
        "a treatment that is left out is said where the rest fires",
        BURST,
        (*THREE, *bills("04 08:30 D", disease="Z49.1")),
        FIRES,
        excluded=("X07 applied",),
    ),
    Case("typed in after a cut it passes (X16)", BURST, (*THREE[:2], replace(THREE[2], received_at=at("05 08:00")))),
    Case(
        "received ten minutes after it happened it counts",
        BURST,
        tuple(replace(bill, received_at=bill.happened_at + 10 * MINUTE) for bill in THREE),
        FIRES,
        excluded=("X16 not_applicable",),
    ),
    Case(
        "a second later it does not",
        BURST,
        tuple(replace(bill, received_at=bill.happened_at + 10 * MINUTE + timedelta(seconds=1)) for bill in THREE),
    ),
    Case("without a time of reception nobody can say", BURST, THREE, FIRES, excluded=("X16 data_missing",)),
    Case(
        "a hospital and its own pharmacy are one place (X18)",
        BURST,
        THREE,
        known=(org("A"), org("B", campus="K"), org("C", campus="K")),
    ),
    Case(
        "those of two campuses are two",
        BURST,
        THREE,
        FIRES,
        known=(org("A"), org("B", campus="K"), org("C", campus="L")),
        excluded=("X18 not_applicable",),
    ),
    Case(
        "a campus that is counted once is said where the rest fires",
        BURST,
        (*THREE, *bills("04 08:30 D")),
        ("orange person P 2024-03-04: A08:00 B08:20 D08:30 C08:59",),
        known=(org("A"), org("B"), org("C", campus="K"), org("D", campus="K")),
        excluded=("X18 applied",),
    ),
    Case(
        "institutions of no record count each for itself",
        BURST,
        THREE,
        FIRES,
        excluded=("X18 data_missing", "X21 data_missing"),
    ),
    Case(
        "goods by mail are no place to go to (X21)",
        BURST,
        THREE,
        known=(org("A"), org("B"), org("C", tags=frozenset({"internet"}))),
    ),
    Case(
        "a shop that is open all night is one",
        BURST,
        THREE,
        FIRES,
        known=(org("A"), org("B"), org("C", tags=frozenset({"24h"}))),
        excluded=("X21 not_applicable",),
    ),
    Case(
        "what was ordered meanwhile is left out, and said",
        BURST,
        (*THREE, *bills("04 08:30 D")),
        FIRES,
        known=(*KNOWN, org("D", tags=frozenset({"internet"}))),
        excluded=("X21 applied",),
    ),
    Case(
        "what was left out hours before is not said",
        BURST,
        (replace(THREE[0], event_id="before", bill="b", happened_at=at("04 08:00") - 6 * HOUR, agent="D"), *THREE),
        FIRES,
        known=KNOWN,
        excluded=("X02 not_applicable",),
    ),
)
