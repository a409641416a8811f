"""When a prescription drug is settled without its prescription, and when the prescription is told elsewhere."""

from typing import Any

from msgspec.structs import replace

from detectors.case import LONG_AGO, Case, at, drug, fee, line, reversal, sale, settlement
from detectors.event import OFF, Count, ExceptionRecord, Flag, Line, Settlement
from detectors.pharmacy.rx_missing_or_forged import RxMissingOrForged

MISSING = RxMissingOrForged()
NEEDS = Flag(1)


def drug_line(item: str = "X", rx: str = "", needs: Flag = NEEDS, **more: Any) -> Line:
    """Any: any other field of a Line."""
    return line(item, rx=rx, needs_rx=needs, list_type="101", **more)


def bill(*lines: Line, when: str = "04 08:00", org: str = "P", **more: Any) -> Settlement:
    """Called "P08:00". Any: any other field of a Settlement."""
    return settlement(when, org, lines=lines, **more)


BOUGHT = bill(drug_line())
FIRES = ("orange org P 2024-03: P08:00",)
TELLS = sale("04 08:01", "X", org="P", bill=BOUGHT.bill, person="P", rx="7")


def emergency(to: str = "05 00:00", **more: Any) -> ExceptionRecord:
    """The bureau lets a drug be handed out without a prescription: to a ``person``, by an ``org``, or this ``item``."""
    facts = {"exception": "E", "kind": "X20", "since": LONG_AGO, "to": at(to), "confirmer": "Z", **more}
    return ExceptionRecord(event_id=f"E {more}", happened_at=LONG_AGO, valid_from=LONG_AGO, **facts)


CASES = (
    Case("an emergency that the bureau confirmed (X20)", MISSING, (BOUGHT,), known=(emergency(item="X"),)),
    Case("confirmed for another person", MISSING, (BOUGHT,), FIRES, (emergency(person="Q", item="X"),)),
    Case("confirmed until that morning", MISSING, (BOUGHT,), FIRES, (emergency(to="04 07:59", item="X"),)),
    Case(
        "confirmed for one of two drugs",
        MISSING,
        (bill(drug_line(), drug_line("Y")),),
        FIRES,
        (emergency(item="X"),),
        excluded=("X20 applied",),
    ),
    Case(
        "a prescription drug without a prescription", MISSING, (BOUGHT,), fires=FIRES, excluded=("X01 not_applicable",)
    ),
    Case("with one", MISSING, (bill(drug_line(rx="7")),)),
    Case("a drug that needs none", MISSING, (bill(drug_line(needs=OFF)),)),
    Case(
        "the line leaves the flag out, the drug's record has it",
        MISSING,
        (bill(drug_line(needs=OFF)),),
        FIRES,
        (drug("X", needs_rx=NEEDS),),
    ),
    Case("the drug's record says that it needs none", MISSING, (bill(drug_line(needs=OFF)),), known=(drug("X"),)),
    Case(
        "the drug needs one only since a later day",
        MISSING,
        (bill(drug_line(needs=OFF)),),
        known=(drug("X"), drug("X", at("05 00:00"), needs_rx=NEEDS)),
    ),
    Case("one of two drugs", MISSING, (bill(drug_line(rx="7"), drug_line("Y")),), fires=FIRES),
    Case("at a hospital", MISSING, (bill(drug_line(), org="H"),)),
    Case(
        "a service needs no prescription, whatever the line says",
        MISSING,
        (bill(replace(drug_line(), list_type="201")),),
    ),
    Case("the record of the sale names it", MISSING, (BOUGHT, TELLS)),
    Case("the record of the sale names none either", MISSING, (BOUGHT, replace(TELLS, rx="")), fires=FIRES),
    Case("the record of another drug of the bill names one", MISSING, (BOUGHT, replace(TELLS, item="Y")), fires=FIRES),
    Case("the record of another bill's sale names one", MISSING, (BOUGHT, replace(TELLS, bill="other")), fires=FIRES),
    Case(
        "its lines are uploaded apart from the bill",
        MISSING,
        (fee("04 07:59", drug_line(), org="P", visit=BOUGHT.visit), replace(BOUGHT, lines=())),
        fires=FIRES,
    ),
    Case(
        "the day before, late in the evening",
        MISSING,
        (fee("03 23:59", drug_line(), org="P", visit=BOUGHT.visit), replace(BOUGHT, lines=())),
        fires=FIRES,
    ),
    Case(
        "the upload names the prescription, the bill repeats the line without",
        MISSING,
        (fee("04 07:59", drug_line(rx="7"), org="P", visit=BOUGHT.visit), BOUGHT),
    ),
    Case("uploaded, and never settled", MISSING, (fee("04 07:59", drug_line(), org="P", visit="another"), bill())),
    Case("paid in cash", MISSING, (sale("04 08:00", "X", org="P", person="P"),), known=(drug("X", needs_rx=NEEDS),)),
    Case("the bill was taken back", MISSING, (BOUGHT, reversal("04 09:00", BOUGHT))),
    Case("a refund is evidence of nothing", MISSING, (bill(drug_line(count=Count(-1)), yuan="-45"),)),
    Case("a refund row beside another drug", MISSING, (bill(drug_line(count=Count(-1)), drug_line("Y", rx="7")),)),
    Case(
        "uploaded a day late",
        MISSING,
        (replace(BOUGHT, received_at=at("05 08:00")),),
        fires=FIRES,
        excluded=("X15 not_applicable",),
    ),
    Case(
        "of two copies the one received first counts, and names it",
        MISSING,
        (
            replace(BOUGHT, received_at=at("05 08:00")),
            replace(bill(drug_line(rx="7")), event_id="copy", received_at=at("04 08:01")),
        ),
    ),
    Case(
        "two stores in one day are two leads",
        MISSING,
        (BOUGHT, bill(drug_line("Y"), when="04 10:00", org="P2")),
        fires=(*FIRES, "orange org P2 2024-03: P210:00"),
    ),
    Case(
        "twice in a day at one store is one",
        MISSING,
        (BOUGHT, bill(drug_line("Y"), when="04 10:00")),
        fires=("orange org P 2024-03: P08:00 P10:00",),
    ),
    Case(
        "the next month is another lead",
        MISSING,
        (BOUGHT, bill(drug_line(), when="04-01 10:00")),
        fires=(*FIRES, "orange org P 2024-04: P10:00"),
    ),
    Case("two are asked for, there is one", RxMissingOrForged(lines=2), (BOUGHT,)),
    Case(
        "two are asked for, there are two",
        RxMissingOrForged(lines=2),
        (bill(drug_line(), drug_line("Y")),),
        fires=FIRES,
    ),
)
