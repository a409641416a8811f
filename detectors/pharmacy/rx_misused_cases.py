"""When a prescription's number is not what it should be, and when there is an honest reason."""

from typing import Any

from msgspec.structs import replace

from detectors.case import LONG_AGO, Case, at, drug, fee, line, line_reversal, reversal, sale, settlement, swipe
from detectors.event import Count, DoctorRecord, ExceptionRecord, Fen, Flag, Prescription, RxLine, Sale, Settlement
from detectors.pharmacy.rx_misused import RxMisused
from detectors.unit import HOUR, SECOND

MISUSED = RxMisused()


def prescription(
    when: str = "04 08:00", person: str = "P", packs: str = "1", rx: str = "7", **more: Any
) -> Prescription:
    """Of drug X, by doctor D at hospital H; received at once. Any: any other field of a Prescription."""
    lines = (RxLine(item="X", count=Count(packs)),) if packs else ()
    facts = {"event_id": f"rx{rx} {person}", "org": "H", "doctor": "D", "lines": lines, "received_at": at(when), **more}
    return Prescription(happened_at=at(when), person=person, rx=rx, **facts)


def handed(
    when: str, person: str = "P", org: str = "P", rx: str = "7", packs: str = "1", item: str = "X", **more: Any
) -> Settlement:
    """A bill for drug X on the prescription; P's at store P on the 4th at 09:00 is "P/P/04/09:00". Any: see above."""
    name = more.pop("event_id", f"{person}/{org}/{when.replace(' ', '/')}")
    facts = {"bill": name, "lines": (line(item, rx=rx, count=Count(packs), sn=f"{name}/{item}"),), **more}
    return settlement(when, org, person, event_id=name, **facts)


def cash(when: str, person: str = "P", sale_type: Any = "sale", **more: Any) -> Sale:
    """One pack of X on the prescription, paid in cash."""
    return sale(when, "X", org="P", person=person, sale_type=sale_type, rx="7", **more)


def doctor(status: Any, since: str = "", **more: Any) -> DoctorRecord:
    valid_from = at(since) if since else LONG_AGO
    facts = {"event_id": f"D {status}", "happened_at": valid_from, "doctor": "D", **more}
    return DoctorRecord(valid_from=valid_from, status=status, **facts)


def fires(*bills: str, level: str = "orange", org: str = "P", month: str = "2024-03") -> tuple[str, ...]:
    return (f"{level} org {org} {month}: {' '.join(bills)}",)


RX = prescription()
LONG = prescription(packs="3", long_term=Flag(1))
FIRST, SECOND_USE = handed("04 09:00"), handed("05 09:00")
OTHERS = handed("05 09:00", "Q")
ONE, TWO, OF_Q = "P/P/04/09:00", "P/P/05/09:00", "Q/P/05/09:00"
THREE_DAYS_ON = swipe("07 09:00", org="Z", person="Z")
JUST_BEFORE = replace(THREE_DAYS_ON, happened_at=at("07 09:00") - SECOND)
TABLETS = drug("X", units_per_pack=Count(30), group="G")


def shortage(to: str = "31 00:00", **more: Any) -> ExceptionRecord:
    """The bureau lets another drug be handed out; ``org`` or ``item`` says where, or which."""
    facts = {"exception": "E", "kind": "X20", "since": LONG_AGO, "to": at(to), "confirmer": "Z", **more}
    return ExceptionRecord(event_id=f"E {more}", happened_at=LONG_AGO, valid_from=LONG_AGO, **facts)


INSTEAD = handed("04 09:00", item="Y")

CASES = (
    Case("another drug than prescribed", MISUSED, (RX, INSTEAD), fires=fires(ONE), excluded=("X20 not_applicable",)),
    Case("a substitute while there is a shortage (X20)", MISUSED, (RX, INSTEAD), known=(shortage(item="Y"),)),
    Case("the shortage is over", MISUSED, (RX, INSTEAD), fires(ONE), (shortage(to="04 08:59", item="Y"),)),
    Case(
        "a number that nobody knows, in an emergency (X20)", MISUSED, (FIRST, THREE_DAYS_ON), known=(shortage(org="P"),)
    ),
    Case(
        "a substitute, and the prescription used by another person too",
        MISUSED,
        (RX, INSTEAD, OTHERS),
        fires(ONE, OF_Q),
        (shortage(item="Y"),),
        ("X20 applied",),
    ),
    Case("prescribed and handed out", MISUSED, (RX, FIRST, THREE_DAYS_ON)),
    Case(
        "twice for one drug",
        MISUSED,
        (RX, FIRST, SECOND_USE),
        fires=fires(ONE, TWO),
        excluded=("X01 not_applicable", "X05 not_applicable"),
    ),
    Case(
        "twice for one drug, together as prescribed",
        MISUSED,
        (prescription(packs="2"), FIRST, SECOND_USE),
        fires=fires(ONE, TWO),
    ),
    Case(
        "three times",
        MISUSED,
        (RX, FIRST, SECOND_USE, handed("06 09:00")),
        fires=fires(ONE, TWO, "P/P/06/09:00", level="red"),
    ),
    Case(
        "two drugs, one here and one there",
        MISUSED,
        (
            prescription(lines=(RxLine(item="X", count=Count(1)), RxLine(item="Y", count=Count(1)))),
            FIRST,
            handed("05 09:00", item="Y", org="P2"),
        ),
    ),
    Case(
        "one drug here and there: told of the second store",
        MISUSED,
        (RX, FIRST, handed("05 09:00", org="P2")),
        fires=fires(ONE, "P/P2/05/09:00", org="P2"),
    ),
    Case("in parts, as a long prescription allows (X05)", MISUSED, (LONG, FIRST, SECOND_USE, handed("06 09:00"))),
    Case(
        "a long prescription, one part too many",
        MISUSED,
        (replace(LONG, lines=RX.lines), FIRST, SECOND_USE),
        fires=fires(TWO),
        excluded=("X05 applied",),
    ),
    Case("used by another person too", MISUSED, (RX, FIRST, OTHERS), fires=fires(ONE, OF_Q)),
    Case("used by another person only", MISUSED, (RX, OTHERS), fires=fires(OF_Q)),
    Case(
        "by three persons",
        MISUSED,
        (RX, FIRST, OTHERS, handed("06 09:00", "R")),
        fires=fires(ONE, OF_Q, "R/P/06/09:00", level="red"),
    ),
    Case("a long prescription is nobody else's either", MISUSED, (LONG, FIRST, OTHERS), fires=fires(ONE, OF_Q)),
    Case("two hospitals number alike", MISUSED, (RX, prescription(person="Q", org="K"), FIRST, OTHERS)),
    Case(
        "the other came first, and it was prescribed to the second",
        MISUSED,
        (prescription(person="Q"), FIRST, OTHERS),
        fires=fires(ONE, OF_Q),
    ),
    Case("the first bill was taken back", MISUSED, (RX, FIRST, reversal("04 10:00", FIRST), SECOND_USE)),
    Case("the second bill was taken back", MISUSED, (RX, FIRST, SECOND_USE, reversal("05 10:00", SECOND_USE))),
    Case("the other person's bill was taken back", MISUSED, (RX, FIRST, OTHERS, reversal("05 10:00", OTHERS))),
    Case(
        "refunded by a bill of its own, and handed out again",
        MISUSED,
        (RX, FIRST, handed("04 12:00", packs="-1", yuan="-45", fund=Fen(0)), SECOND_USE),
    ),
    Case(
        "the line of the second bill was taken back",
        MISUSED,
        (
            RX,
            FIRST,
            SECOND_USE,
            line_reversal("05 10:00", replace(fee("05 09:00"), org="P", visit=SECOND_USE.visit), f"{TWO}/X"),
        ),
    ),
    Case(
        "two months: each use is told of its own",
        MISUSED,
        (RX, FIRST, handed("04-01 09:00")),
        fires=fires(ONE, "P/P/04-01/09:00", month="2024-04"),
    ),
    Case(
        "of two copies of a bill the one received first counts, and names another number",
        MISUSED,
        (
            RX,
            FIRST,
            replace(SECOND_USE, received_at=at("06 09:00")),
            replace(handed("05 09:00", rx="8"), event_id="copy", received_at=at("05 09:01")),
            prescription(rx="8"),
        ),
    ),
    Case("more than prescribed", MISUSED, (RX, handed("04 09:00", packs="2")), fires=fires(ONE)),
    Case("as much as prescribed", MISUSED, (prescription(packs="2"), handed("04 09:00", packs="2"))),
    Case("a drug that was not prescribed", MISUSED, (RX, handed("04 09:00", item="Y")), fires=fires(ONE)),
    Case(
        "another brand of the same drug",
        MISUSED,
        (RX, handed("04 09:00", item="Y")),
        known=(drug("X", group="G"), drug("Y", group="G")),
    ),
    Case(
        "a pack in tablets",
        MISUSED,
        (RX, handed("04 09:00", lines=(line("X", rx="7", count=Count(30), by_unit=Flag(1)),))),
        known=(TABLETS,),
    ),
    Case(
        "a pack and a tablet",
        MISUSED,
        (RX, handed("04 09:00", lines=(line("X", rx="7", count=Count(31), by_unit=Flag(1)),))),
        fires=fires(ONE),
        known=(TABLETS,),
    ),
    Case(
        "tablets, where nobody knows how many make a pack",
        MISUSED,
        (RX, handed("04 09:00", lines=(line("X", rx="7", count=Count(31), by_unit=Flag(1)),))),
    ),
    Case("nobody knows what was prescribed", MISUSED, (prescription(packs=""), handed("04 09:00", packs="9"))),
    Case(
        "bought in cash before: together more than prescribed", MISUSED, (RX, cash("04 08:30"), FIRST), fires=fires(ONE)
    ),
    Case(
        "bought in cash before, and brought back",
        MISUSED,
        (RX, cash("04 08:30"), cash("04 08:40", sale_type="return"), FIRST),
    ),
    Case("bought in cash after: the fund paid what was prescribed", MISUSED, (RX, FIRST, cash("04 10:00"))),
    Case("somebody else bought in cash on it", MISUSED, (RX, cash("04 08:30", "Q"), FIRST)),
    Case("a sale in cash that names nobody", MISUSED, (RX, cash("04 08:30", ""), FIRST), fires=fires(ONE)),
    Case(
        "unknown after 72 hours",
        MISUSED,
        (FIRST, THREE_DAYS_ON),
        fires=fires(ONE),
        excluded=("X15 not_applicable", "X05 data_missing"),
    ),
    Case("unknown a second before", MISUSED, (FIRST, JUST_BEFORE)),
    Case("unknown at a hospital", MISUSED, (handed("04 09:00", org="H"), THREE_DAYS_ON)),
    Case(
        "on paper, keyed in 72 hours later (X15)",
        MISUSED,
        (replace(RX, received_at=at("07 09:00")), FIRST, THREE_DAYS_ON),
    ),
    Case(
        "on paper, keyed in a second later than that",
        MISUSED,
        (replace(RX, received_at=at("07 09:00") + SECOND), FIRST, THREE_DAYS_ON),
        fires=fires(ONE),
    ),
    Case(
        "a prescription that does not say when it was received",
        MISUSED,
        (replace(RX, received_at=None), FIRST, THREE_DAYS_ON),
    ),
    Case(
        "keyed in twice: the first copy counts",
        MISUSED,
        (RX, replace(RX, event_id="copy", received_at=at("07 09:00") + HOUR), FIRST, THREE_DAYS_ON),
    ),
    Case("an unknown number, used twice within 72 hours", MISUSED, (FIRST, SECOND_USE), fires=fires(ONE, TWO)),
    Case("its bill was taken back", MISUSED, (FIRST, reversal("04 10:00", FIRST), THREE_DAYS_ON)),
    *(
        Case(
            f"by a doctor who was {status}",
            MISUSED,
            (RX, FIRST),
            fires=fires(ONE),
            known=(doctor("active"), doctor(status, "04 08:00")),
        )
        for status in ("leave", "suspended", "retired")
    ),
    Case(
        "by a doctor who went on leave after writing it",
        MISUSED,
        (RX, FIRST),
        known=(doctor("active"), doctor("leave", "04 08:01")),
    ),
    Case("by a doctor who is at work", MISUSED, (RX, FIRST), known=(doctor("active"),)),
    Case(
        "by a doctor who was registered the day after",
        MISUSED,
        (RX, FIRST),
        fires=fires(ONE),
        known=(doctor("active", "05 00:00"),),
    ),
    Case("nothing is known of the doctor", MISUSED, (RX, FIRST), known=(doctor("retired", doctor="E"),)),
    Case(
        "by a doctor on leave, at the hospital's own pharmacy",
        MISUSED,
        (RX, handed("04 09:00", org="H")),
        fires=fires("P/H/04/09:00", org="H"),
        known=(doctor("leave"),),
    ),
    Case("written, and never used", MISUSED, (RX, THREE_DAYS_ON), known=(doctor("leave"),)),
)
