"""When bills lack codes or come late, and when a scan was forgotten."""

from datetime import timedelta
from typing import Any

from detectors.case import LONG_AGO, Case, at, drug, line, reversal, settlement
from detectors.event import ExceptionRecord, Settlement
from detectors.fund.upload_gap_bills import UploadGapBills
from detectors.unit import HOUR, MINUTE

GAP = UploadGapBills()
NEXT = settlement("05 00:00", org="elsewhere", person="Z")  # the day is over


def sold(clock: str, item: str, coded: bool = False, list_type: str = "101") -> Settlement:
    """One drug, at this time of the 4th."""
    bought = line(item, traces=("code",) if coded else (), list_type=list_type)
    return settlement(f"04 {clock}", lines=(bought,), event_id=clock)


def forgotten(day: str, code: str = "") -> Settlement:
    """One drug without a code, or with this one."""
    return settlement(
        f"{day} 10:00", lines=(line("x", traces=(code,) if code else (), list_type="101"),), event_id=f"of {day}"
    )


def bought(day: str) -> Settlement:
    return settlement(f"{day} 12:00", lines=(line("x", traces=("code",), list_type="101"),), event_id=f"fine {day}")


def many(first: int, n: int, item: str = "x", coded: bool = False, list_type: str = "101") -> tuple[Settlement, ...]:
    """So many, from the minute ``first`` of ten o'clock on."""
    return tuple(sold(f"10:{first + k:02d}", item, coded, list_type) for k in range(n))


def late(*lags: timedelta) -> tuple[Settlement, ...]:
    """Bills of the 4th from 10:00 on, a minute apart, received so much later."""
    moments = [at("04 10:00") + k * MINUTE for k in range(len(lags))]
    return tuple(
        settlement(f"{moment:%d %H:%M}", received_at=moment + lag, event_id=f"{moment:%H:%M}")
        for moment, lag in zip(moments, lags, strict=True)
    )


def busy(n: int) -> tuple[Settlement, ...]:
    """Bills of a large institution on the same day, received at once."""
    moments = [at("04 14:00") + k * MINUTE for k in range(n)]
    return tuple(settlement(f"{moment:%d %H:%M}", received_at=moment, event_id=f"{moment:%H:%M}") for moment in moments)


def fires(level: str, names: list[str]) -> tuple[str, ...]:
    return (f"{level} org A 2024-03-04: {' '.join(names)}",)


def minutes(first: int, n: int) -> list[str]:
    return [f"10:{first + k:02d}" for k in range(n)]


def uncoded(to: str = "31 00:00", **named: str) -> ExceptionRecord:
    """Stock that the bureau lists as bought before codes."""
    facts: dict[str, Any] = {"kind": "X14", "confirmer": "K", "since": LONG_AGO, "to": at(to), **named}
    return ExceptionRecord(event_id="listed", happened_at=LONG_AGO, valid_from=LONG_AGO, exception="E", **facts)


BARE, CODED = many(0, 3), many(10, 26, coded=True)
THREE = fires("blue", minutes(0, 3))
MANY, REST = many(0, 10), many(20, 20, coded=True)
CUT = late(*[13 * HOUR] * 20)
SLOW = late(*[HOUR] * 2, *[25 * HOUR] * 3)

CASES = (
    Case("three of 29 drugs carry no code", GAP, (*BARE, *CODED, NEXT), THREE, excluded=("X14 not_applicable",)),
    Case("three of 30: a tenth is not more than a tenth", GAP, (*BARE, *CODED, *many(40, 1, coded=True), NEXT)),
    Case("two scans forgotten in a small store", GAP, (*BARE[:2], *many(10, 2, coded=True), NEXT)),
    Case("ten lines: yellow", GAP, (*MANY, *REST, NEXT), fires("yellow", minutes(0, 10))),
    Case("nine: blue", GAP, (*MANY[:9], *REST, NEXT), fires("blue", minutes(0, 9))),
    Case("the day is not over", GAP, (*BARE, *CODED)),
    Case("herbal slices carry no code (X14)", GAP, (*many(0, 3, list_type="102"), *CODED[:3], NEXT)),
    Case(
        "consumables and services carry none", GAP, (*many(0, 3, list_type="301"), *many(3, 3, list_type="201"), NEXT)
    ),
    Case("a line that does not say what it is", GAP, (*many(0, 3, list_type=""), *CODED[:3], NEXT)),
    Case("it is a drug by its record", GAP, (*many(0, 3, list_type=""), *CODED[:3], NEXT), THREE, (drug("x"),)),
    Case("stock that the bureau lists as uncoded (X14)", GAP, (*BARE, *CODED, NEXT), known=(uncoded(item="x"),)),
    Case("listed at this institution", GAP, (*BARE, *CODED, NEXT), known=(uncoded(org="A", item="x"),)),
    Case("listed at another", GAP, (*BARE, *CODED, NEXT), THREE, (uncoded(org="B", item="x"),)),
    Case("listed until the day before", GAP, (*BARE, *CODED, NEXT), THREE, (uncoded(to="03 00:00", item="x"),)),
    Case(
        "some of it is listed",
        GAP,
        (*BARE, *many(3, 2, "old"), *CODED, NEXT),
        THREE,
        (uncoded(item="old"),),
        excluded=("X14 applied",),
    ),
    Case("one of them was taken back", GAP, (*BARE, *CODED, reversal("04 12:00", BARE[0]), NEXT)),
    Case("told twice", GAP, (*BARE, *CODED, *BARE[:1], NEXT), THREE),
    Case("one told a day later", GAP, (*BARE[:2], *CODED, NEXT, BARE[2]), THREE),
    Case(
        "one a day in a small store: the third within seven days",
        GAP,
        (*(forgotten(f"{day:02}") for day in (4, 6, 10)), bought("07"), settlement("11 00:00", org="B", person="Z")),
        ("blue org A 2024-03-10: of 04 of 06 of 10",),
    ),
    Case(
        "the first of three is a week old",
        GAP,
        (*(forgotten(f"{day:02}") for day in (3, 6, 10)), bought("07"), settlement("11 00:00", org="B", person="Z")),
    ),
    Case(
        "a commodity barcode is no trace code",
        GAP,
        (*(forgotten(f"{day:02}", "6901234567892") for day in (4, 6, 10)), settlement("11 00:00", org="B", person="Z")),
        ("blue org A 2024-03-10: of 04 of 06 of 10",),
    ),
    # late bills
    Case(
        "a small store: five bills of the week, most of them a day late",
        GAP,
        (
            *(
                settlement(f"{d:02} 10:00", received_at=at(f"{d + 2:02} 10:00"), event_id=f"of {d}")
                for d in range(4, 9)
            ),
            settlement("09 00:00", org="B", person="Z"),
        ),
        ("yellow org A 2024-03-08: of 4 of 5 of 6 of 7 of 8",),
    ),
    Case(
        "scenario 16: twenty bills typed in after a cut, told in blue (X16)",
        GAP,
        (*CUT, NEXT),
        fires("blue", minutes(0, 20)),
        excluded=("X16 applied",),
    ),
    Case("nineteen", GAP, (*CUT[1:], NEXT)),
    Case("ten minutes are not late", GAP, (*late(*[10 * MINUTE] * 20), NEXT)),
    Case("twenty among two hundred", GAP, (*CUT, *busy(180), NEXT), fires("blue", minutes(0, 20))),
    Case("twenty among more", GAP, (*CUT, *busy(181), NEXT)),
    Case("most bills come in a day late", GAP, (*SLOW, NEXT), fires("yellow", minutes(0, 5))),
    Case("half a day is not a day", GAP, (*late(*[HOUR] * 2, *[24 * HOUR] * 3), NEXT)),
    Case("four bills make no median", GAP, (*late(*[25 * HOUR] * 4), NEXT)),
    Case("nobody said when they came in", GAP, (*many(0, 25, coded=True), NEXT)),
    Case("late, and without codes", GAP, (*CUT, *many(30, 5), NEXT), fires("blue", [*minutes(0, 20), *minutes(30, 5)])),
)
