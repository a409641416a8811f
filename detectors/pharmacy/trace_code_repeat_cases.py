"""When a box was sold twice, and when it only looks so."""

from datetime import datetime
from typing import Any

from detectors.case import LONG_AGO, Case, at, drug, fee, line, line_reversal, reversal, sale, settlement
from detectors.event import CHINA, Count, ExceptionRecord, Flag, Line, Sale, Settlement
from detectors.pharmacy.trace_code_repeat import TraceCodeRepeat

REPEAT = TraceCodeRepeat()
C = "80000000000000000042"


def box(code: str = C, **more: Any) -> Line:
    return line("X", traces=(code,), **more)


def sold(when: str, org: str = "A", code: str = C, **more: Any) -> Settlement:
    """A bill with this box on it, called "A08:00"."""
    name = f"{org}{when.partition(' ')[2]}"
    return settlement(when, org, lines=(box(code, sn=f"line of {name}"),), **more)


def tablets(when: str, count: int, org: str = "H") -> Settlement:
    name = f"{org}{when.partition(' ')[2]}"
    return settlement(when, org, lines=(box(sn=f"line of {name}", count=Count(count), by_unit=Flag(1)),))


def brought_back(when: str, of: Settlement | None = None, org: str = "A", **more: Any) -> Sale:
    named = {} if of is None else {"bill": of.bill, "person": of.person}
    return sale(when, traces=(C,), org=org if of is None else of.org, sale_type="return", **named, **more)


def on_counter(of: Settlement, **more: Any) -> Sale:
    """The same dispensing, told by the stock system."""
    when = of.happened_at.strftime("%d %H:%M")
    return sale(when, traces=(C,), org=of.org, bill=of.bill, person=of.person, **more)


def old_stock(item: str, org: str = "A", to: str = "30 00:00") -> ExceptionRecord:
    return ExceptionRecord(
        event_id=f"old stock {item} {org}",
        happened_at=LONG_AGO,
        valid_from=LONG_AGO,
        exception=f"old stock {item} {org}",
        kind="X14",
        since=datetime(2024, 1, 1, tzinfo=CHINA),
        to=at(to),
        confirmer="bureau",
        org=org,
        item=item,
    )


A, B, AGAIN = sold("04 08:00"), sold("11 09:00", "B"), sold("05 08:00", event_id="A again", bill="again", visit="again")
STAY = fee("05 20:00", box(sn="in ward", occurred_at=at("05 10:00")))
STAY_BILL = settlement("07 10:00", "H", visit="stay of P", event_id="bill H", bill="H")
PACK = drug("X", units_per_pack=Count(30))
THREE = (tablets("04 08:00", 10), tablets("05 08:30", 10), tablets("06 09:00", 10))


def again(last: str, when: str, org: str = "B", first: str = "02-26 08:00") -> tuple[Settlement, ...]:
    """A box sold in February at A, and again at this shop; its code ends so."""
    names = f"A{last}", f"{org}{last}"
    moments = zip((first, when), ("A", org), names, strict=True)
    boxes = [(moment, seller, name, box(f"{C}{last}", sn=name)) for moment, seller, name in moments]
    return tuple(settlement(m, o, f"P{last}", event_id=name, lines=(one,)) for m, o, name, one in boxes)


def case_against(*codes: str, org: str = "B", month: str = "2024-03", level: str = "red") -> tuple[str, ...]:
    return tuple(f"{level} org {org} {month}: {org}{last}" for last in codes)


def red(*codes: str, org: str = "B") -> tuple[str, ...]:
    return tuple(f"red trace_code {C}{last} : A{last} {org}{last}" for last in codes)


COPY = settlement("04 08:00", lines=(box("other", sn="line of A08:00"),), received_at=at("04 08:01"))

CASES = (
    Case(
        "three boxes sold again by one shop within 30 days: a case against the shop",
        REPEAT,
        (*again("1", "04 08:00"), *again("2", "14 09:00"), *again("3", "24 10:00")),
        fires=(*red("1", "2", "3"), *case_against("1", "2", "3")),
    ),
    Case(
        "two boxes sold again by one shop, a third by another",
        REPEAT,
        (*again("1", "04 08:00"), *again("2", "14 09:00"), *again("3", "24 10:00", "D")),
        fires=(*red("1", "2"), *red("3", org="D")),
    ),
    Case(
        "the first of three 30 days before the last",
        REPEAT,
        (*again("1", "01 10:00"), *again("2", "14 09:00"), *again("3", "31 10:00")),
        fires=red("1", "2", "3"),
    ),
    Case(
        "the first of three a minute less than 30 days before the last",
        REPEAT,
        (*again("1", "01 10:01"), *again("2", "14 09:00"), *again("3", "31 10:00")),
        fires=(*red("1", "2", "3"), *case_against("1", "2", "3")),
    ),
    Case(
        "three from one month into the next: of the month of the last",
        REPEAT,
        (*again("1", "20 10:00"), *again("2", "21 10:00"), *again("3", "04-03 10:00")),
        fires=(*red("1", "2", "3"), *case_against("1", "2", "3", month="2024-04")),
    ),
    Case(
        "the third sale was taken back",
        REPEAT,
        (
            *again("1", "04 08:00"),
            *again("2", "14 09:00"),
            *again("3", "24 10:00"),
            reversal("25 10:00", again("3", "24 10:00")[1]),
        ),
        fires=red("1", "2"),
    ),
    Case(
        "three boxes scanned twice at one counter: no more than orange",
        REPEAT,
        tuple(row for last in "123" for row in again(last, "26 08:00", "A", first="26 07:00")[1:])
        + tuple(settlement("26 07:00", "A", "P", event_id=f"first {n}", lines=(box(f"{C}{n}", sn=n),)) for n in "123"),
        fires=(
            *(f"orange trace_code {C}{n} : first {n} A{n}" for n in "123"),
            *case_against("1", "2", "3", org="A", level="orange"),
        ),
    ),
    Case("a pack that is said to hold nothing", REPEAT, THREE, known=(drug("X", units_per_pack=Count(0)),)),
    Case(
        "a code typed with blanks and in small letters is the same code",
        REPEAT,
        (sold("04 08:00", code="8A00 0000 0000 0000 0042"), sold("11 09:00", "B", code="8a000000000000000042 ")),
        fires=("red trace_code 8A000000000000000042 : A08:00 B09:00",),
    ),
    Case("blanks for a code", REPEAT, (sold("04 08:00", code="  "), sold("11 09:00", "B", code="  "))),
    Case(
        "scenario 3: sold at the end of February at A, again in March at B",
        REPEAT,
        (sold("02-28 08:00"), sold("02 09:00", "B")),
        fires=(f"red trace_code {C} : A08:00 B09:00",),
        excluded=("X01 not_applicable", "X13 not_applicable", "X14 not_applicable"),
    ),
    Case("one bill told as bill and as sale is one sale", REPEAT, (A, on_counter(A))),
    Case("two boxes with two codes", REPEAT, (A, sold("11 09:00", "B", code="80000000000000000043"))),
    Case(
        "three shops, told twice each",
        REPEAT,
        (A, B, sold("12 10:00", "D"), on_counter(A), on_counter(B)),
        fires=(f"red trace_code {C} : A08:00 B09:00 D10:00",),
    ),
    Case("scenario 4: brought back, then sold to the next (X01)", REPEAT, (A, brought_back("10 10:00", A), B)),
    Case(
        "sold twice before it is brought back",
        REPEAT,
        (A, B, brought_back("12 10:00", A)),
        fires=(f"red trace_code {C} : A08:00 B09:00",),
        excluded=("X01 applied",),
    ),
    Case(
        "the return of the second sale does not excuse the third",
        REPEAT,
        (A, B, brought_back("12 10:00", B), sold("13 11:00", "D")),
        fires=(f"red trace_code {C} : A08:00 B09:00 D11:00",),
    ),
    Case("a return that names no bill is of the same shop's sale", REPEAT, (A, brought_back("10 10:00"), B)),
    Case(
        "a return at another shop brings back nothing",
        REPEAT,
        (A, brought_back("10 10:00", org="D"), B),
        fires=(f"red trace_code {C} : A08:00 B09:00",),
    ),
    Case(
        "a refund row brings it back",
        REPEAT,
        (A, settlement("10 10:00", lines=(box(sn="refund", count=Count(-1)),)), B),
    ),
    Case(
        "at one counter, exactly a day apart: scanned twice, orange",
        REPEAT,
        (A, AGAIN),
        fires=(f"orange trace_code {C} : A08:00 A again",),
    ),
    Case(
        "at one counter, a second more than a day apart: red",
        REPEAT,
        (A, sold("05 08:00:01")),
        fires=(f"red trace_code {C} : A08:00 A08:00:01",),
    ),
    Case(
        "at two shops of one hour: red",
        REPEAT,
        (A, sold("04 08:30", "B")),
        fires=(f"red trace_code {C} : A08:00 B08:30",),
    ),
    Case("scenario 5: three times ten tablets of a box of thirty (X13)", REPEAT, THREE, known=(PACK,)),
    Case(
        "tablets are told twice, by bill and by sale",
        REPEAT,
        (*THREE, *(on_counter(one, count=Count(10), by_unit=Flag(1)) for one in THREE)),
        known=(PACK,),
    ),
    Case(
        "scenario 5: the fourth ten tablets are too many",
        REPEAT,
        (*THREE, tablets("07 09:30", 10)),
        fires=(f"red trace_code {C} : H08:00 H08:30 H09:00 H09:30",),
        known=(PACK,),
        excluded=("X13 not_applicable",),
    ),
    Case(
        "one tablet too many",
        REPEAT,
        (*THREE, tablets("07 09:30", 1)),
        fires=(f"red trace_code {C} : H08:00 H08:30 H09:00 H09:30",),
        known=(PACK,),
    ),
    Case(
        "ten tablets brought back make room for ten",
        REPEAT,
        (*THREE, brought_back("06 12:00", THREE[2], count=Count(10), by_unit=Flag(1)), tablets("07 09:30", 10)),
        known=(PACK,),
    ),
    Case("nobody knows how many tablets are in the box", REPEAT, (*THREE, tablets("07 09:30", 10))),
    Case(
        "a whole box, and tablets of it: no need to know how many",
        REPEAT,
        (A, tablets("07 09:30", 10)),
        fires=(f"red trace_code {C} : A08:00 H09:30",),
        excluded=("X13 data_missing",),
    ),
    Case("scenario 13: the first bill was taken back", REPEAT, (A, B, reversal("12 10:00", A))),
    Case("its sale goes along with a bill taken back", REPEAT, (A, on_counter(A), B, reversal("12 10:00", A))),
    Case(
        "so does its return: the box is not brought back twice",
        REPEAT,
        (A, brought_back("10 10:00", A), reversal("10 10:01", A), B, sold("12 10:00", "D")),
        fires=(f"red trace_code {C} : B09:00 D10:00",),
    ),
    Case(
        "for cash first, then on the fund",
        REPEAT,
        (sale("04 08:00", traces=(C,)), B),
        fires=(f"red trace_code {C} : sale A08:00 B09:00",),
    ),
    Case(
        "a barcode is no trace code",
        REPEAT,
        (sold("04 08:00", code="6901234567892"), sold("11 09:00", "B", code="6901234567892")),
    ),
    Case(
        "one digit more than a barcode is a code",
        REPEAT,
        (sold("04 08:00", code="69012345678921"), sold("11 09:00", "B", code="69012345678921")),
        fires=("red trace_code 69012345678921 : A08:00 B09:00",),
    ),
    Case("a line of a stay, its bill, and its sale are one sale", REPEAT, (STAY, STAY_BILL, on_counter(STAY_BILL))),
    Case(
        "a line of a stay is sold by the stay's bill",
        REPEAT,
        (STAY, STAY_BILL, A),
        fires=(f"red trace_code {C} : A08:00 bill H",),
    ),
    Case("a line that no bill has settled is no sale", REPEAT, (STAY, A)),
    Case("a line taken back is no sale", REPEAT, (STAY, STAY_BILL, A, line_reversal("06 10:00", STAY, "in ward"))),
    Case("the stay's bill is taken back", REPEAT, (STAY, STAY_BILL, A, reversal("08 10:00", STAY_BILL))),
    Case(
        "a line listed by the interim and by the final bill is one line",
        REPEAT,
        (
            STAY,
            settlement("06 10:00", "H", visit="stay of P", event_id="interim", bill="I", lines=STAY.lines),
            settlement("07 10:00", "H", visit="stay of P", event_id="final", bill="F", lines=STAY.lines),
        ),
    ),
    Case(
        "a line belongs to the first bill after it",
        REPEAT,
        (
            STAY,
            settlement("05 11:00", "H", visit="stay of P", event_id="interim", bill="I"),
            STAY_BILL,
            A,
        ),
        fires=(f"red trace_code {C} : A08:00 interim",),
    ),
    Case(
        "a bill before the line did not settle it",
        REPEAT,
        (STAY, settlement("04 11:00", "H", visit="stay of P", event_id="interim", bill="I"), STAY_BILL, A),
        fires=(f"red trace_code {C} : A08:00 bill H",),
    ),
    Case("stock bought before codes (X14)", REPEAT, (A, sold("11 09:00")), known=(old_stock("X"),)),
    Case(
        "of stock bought before codes at B, a sale at A and at D still counts (X14)",
        REPEAT,
        (A, B, sold("12 10:00", "D")),
        fires=(f"red trace_code {C} : A08:00 D10:00",),
        known=(old_stock("X", "B"),),
        excluded=("X14 applied",),
    ),
    Case(
        "the list names another drug (X14)",
        REPEAT,
        (A, sold("11 09:00")),
        fires=(f"red trace_code {C} : A08:00 A09:00",),
        known=(old_stock("Y"),),
    ),
    Case(
        "the list has expired (X14)",
        REPEAT,
        (A, sold("11 09:00"), sold("12 10:00")),
        fires=(f"red trace_code {C} : A09:00 A10:00",),
        known=(old_stock("X", to="11 08:59"),),
    ),
    Case(
        "of two copies of a bill the one received first counts, and names another box",
        REPEAT,
        (sold("04 08:00", received_at=at("04 08:02")), COPY, B),
    ),
    Case(
        "of two copies of a bill the one received first counts, and names this box",
        REPEAT,
        (sold("04 08:00", received_at=at("04 08:00")), COPY, B),
        fires=(f"red trace_code {C} : A08:00 B09:00",),
    ),
    Case(
        "told late, from before the other",
        REPEAT,
        (B, A),
        fires=(f"red trace_code {C} : A08:00 B09:00",),
    ),
)
