"""When nobody may settle any more, and who still may."""

from typing import Any

from msgspec.structs import replace

from detectors.case import Case, admission, at, org, reversal, settlement
from detectors.event import Admission, AdmissionReversal, Fen, Flag, OrgRecord, Settlement
from detectors.terminal.suspended_org_settlement import SuspendedOrgSettlement
from detectors.unit import DAY, SECOND

SUSPENDED = SuspendedOrgSettlement()


def contract(state: Any, since: str, name: str = "P", **more: Any) -> OrgRecord:
    """Any: suspended, terminated or active."""
    return org(name, at(since), contract=state, event_id=f"{state} {since}", **more)


def bill(when: str, name: str = "P", **more: Any) -> Settlement:
    """Called "b10 12:00"."""
    return settlement(when, name, event_id=f"b{when}".replace(" ", "/"), **more)


def stay(since: str, settled: str, **more: Any) -> tuple[Admission, Settlement]:
    """Of P at hospital H."""
    whose = {"visit": "stay of P"}
    return admission(since), bill(settled, "H", **{"med_type": "21", **whose, **more})


def fires(*bills: str, of: str = "P", month: str = "2024-03") -> tuple[str, ...]:
    return (f"red org {of} {month}: {' '.join(bills)}",)


OPEN = org("P")
STOPPED = contract("suspended", "10 00:00")
STOPPED_HOSPITAL = contract("suspended", "10 00:00", "H")
TWO = (bill("10 12:00"), bill("12 12:00"))
OLD_STAY = stay("07 09:00", "13 10:00")
NEVER_ADMITTED = AdmissionReversal(event_id="never", happened_at=at("14 09:00"), org="H", person="P", visit="stay of P")

CASES = (
    Case(
        "two bills while the contract is suspended",
        SUSPENDED,
        TWO,
        fires=fires("b10/12:00", "b12/12:00"),
        known=(OPEN, STOPPED),
        excluded=("X01 not_applicable", "X15 not_applicable"),
    ),
    Case(
        "a bill after the contract was terminated",
        SUSPENDED,
        (bill("10 12:00"),),
        fires=fires("b10/12:00"),
        known=(OPEN, contract("terminated", "10 00:00", contract_doc="2024-7")),
    ),
    Case("the contract is active", SUSPENDED, TWO, known=(OPEN,)),
    Case("nothing is known of the institution", SUSPENDED, TWO),
    Case("another institution is suspended", SUSPENDED, TWO, known=(OPEN, contract("suspended", "10 00:00", "P2"))),
    Case(
        "a second before the suspension",
        SUSPENDED,
        (replace(bill("10 00:00"), happened_at=at("10 00:00") - SECOND),),
        known=(OPEN, STOPPED),
    ),
    Case(
        "at the very moment of the suspension",
        SUSPENDED,
        (bill("10 00:00"),),
        fires=fires("b10/00:00"),
        known=(OPEN, STOPPED),
    ),
    Case(
        "a minute before it was lifted, and at that moment",
        SUSPENDED,
        (bill("17 08:59"), bill("17 09:00")),
        fires=fires("b17/08:59"),
        known=(OPEN, STOPPED, contract("active", "17 09:00")),
    ),
    Case(
        "settled before, uploaded during the suspension (X15)",
        SUSPENDED,
        (replace(bill("09 12:00"), received_at=at("11 03:00")),),
        known=(OPEN, STOPPED),
    ),
    Case(
        "settled during the suspension, uploaded when it was over (X15)",
        SUSPENDED,
        (replace(bill("10 12:00"), received_at=at("11 03:00")),),
        fires=fires("b10/12:00"),
        known=(OPEN, STOPPED, contract("active", "11 00:00")),
    ),
    Case(
        "only suspended records are known of it",
        SUSPENDED,
        (bill("10 12:00"),),
        fires=fires("b10/12:00"),
        known=(STOPPED,),
    ),
    Case(
        "each month is a lead of its own",
        SUSPENDED,
        (bill("31 12:00"), bill("04-01 12:00")),
        fires=(*fires("b31/12:00"), *fires("b04-01/12:00", month="2024-04")),
        known=(OPEN, STOPPED),
    ),
    Case("the bill was taken back", SUSPENDED, (TWO[0], reversal("10 13:00", TWO[0])), known=(OPEN, STOPPED)),
    Case(
        "a refund is evidence of nothing",
        SUSPENDED,
        (replace(TWO[0], total=Fen(-4500), fund=Fen(-2250)),),
        known=(OPEN, STOPPED),
    ),
    Case(
        "a bill that the fund did not pay is settled all the same",
        SUSPENDED,
        (replace(TWO[0], fund=Fen(0)),),
        fires=fires("b10/12:00"),
        known=(OPEN, STOPPED),
    ),
    Case(
        "of two copies the one received first counts: before the suspension",
        SUSPENDED,
        (
            replace(TWO[0], received_at=at("10 12:01")),
            replace(TWO[0], event_id="copy", happened_at=at("09 12:00"), received_at=at("09 12:01")),
        ),
        known=(OPEN, STOPPED),
    ),
    Case(
        "a stay that began before the suspension is settled to its end", SUSPENDED, OLD_STAY, known=(STOPPED_HOSPITAL,)
    ),
    Case(
        "a stay that began before the termination",
        SUSPENDED,
        OLD_STAY,
        known=(contract("terminated", "10 00:00", "H"),),
    ),
    Case(
        "a stay that began a second before the suspension",
        SUSPENDED,
        (replace(OLD_STAY[0], happened_at=at("10 00:00") - SECOND), OLD_STAY[1]),
        known=(STOPPED_HOSPITAL,),
    ),
    Case(
        "a stay that began with the suspension",
        SUSPENDED,
        stay("10 00:00", "13 10:00"),
        fires=fires("b13/10:00", of="H"),
        known=(STOPPED_HOSPITAL,),
    ),
    Case(
        "a stay that began between two suspensions is settled to its end",
        SUSPENDED,
        OLD_STAY,
        known=(contract("suspended", "02 00:00", "H"), contract("active", "05 00:00", "H"), STOPPED_HOSPITAL),
    ),
    Case(
        "a stay that began after the first of two suspensions that follow each other",
        SUSPENDED,
        OLD_STAY,
        fires=fires("b13/10:00", of="H"),
        known=(contract("suspended", "02 00:00", "H"), contract("terminated", "09 00:00", "H")),
    ),
    Case(
        "an interim bill of an earlier stay",
        SUSPENDED,
        (OLD_STAY[0], replace(OLD_STAY[1], interim=Flag(1))),
        known=(STOPPED_HOSPITAL,),
    ),
    Case(
        "an out-patient bill of a suspended hospital",
        SUSPENDED,
        (bill("13 10:00", "H", med_type="11"),),
        fires=fires("b13/10:00", of="H"),
        known=(STOPPED_HOSPITAL,),
    ),
    Case("an in-patient bill whose admission nobody knows", SUSPENDED, OLD_STAY[1:], known=(STOPPED_HOSPITAL,)),
    Case(
        "an in-patient bill whose admission nobody knows, beside one that counts",
        SUSPENDED,
        (*OLD_STAY[1:], bill("13 11:00", "H", med_type="11")),
        fires=fires("b13/11:00", of="H"),
        known=(STOPPED_HOSPITAL,),
        excluded=("X15 data_missing",),
    ),
    Case(
        "the admission was taken back: the bill is of no stay that began before, but nobody knows of which",
        SUSPENDED,
        (*OLD_STAY, NEVER_ADMITTED),
        known=(STOPPED_HOSPITAL,),
    ),
    Case(
        "of two copies of the admission the one received first counts",
        SUSPENDED,
        (
            replace(OLD_STAY[0], received_at=at("07 09:01") + 4 * DAY),
            replace(OLD_STAY[0], event_id="copy", happened_at=at("10 09:00"), received_at=at("10 09:01")),
            OLD_STAY[1],
        ),
        fires=fires("b13/10:00", of="H"),
        known=(STOPPED_HOSPITAL,),
    ),
)
