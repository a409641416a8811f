"""Whose credential may not be used, from when on, and who could not know."""

from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from detectors.case import Case, admission, at, fen, person, reversal, settlement, swipe
from detectors.event import Admission, PersonRecord, Settlement, Swipe
from detectors.person.ineligible_credential_use import IneligibleCredentialUse
from detectors.settlement_kinds import IN_PATIENT
from detectors.unit import MINUTE

USE = IneligibleCredentialUse()


def record(since: str, status: Any, known: str | None = None, **more: Any) -> PersonRecord:
    """P's status since then, told at once unless ``known`` says when. Any: a Status, or several; other fields."""
    return person("P", at(since), status=status, received_at=at(known or since), **more)


def dead(day: str = "11", since: str | None = None, known: str | None = None, **more: Any) -> PersonRecord:
    """Died on that day of March."""
    died_on = at(f"{day} 00:00").date()
    return record(since or f"{day} 12:16", **{"status": "dead", "known": known, "died_on": died_on, **more})


def bill(when: str, **more: Any) -> Settlement:
    """At a pharmacy. Any: fields of a Settlement."""
    return settlement(when, org="PA", **more)


def received(event: Settlement | Swipe, after: timedelta) -> Settlement | Swipe:
    return replace(event, received_at=event.happened_at + after)


def last_bill(when: str, **more: Any) -> Settlement:
    """P's stay in H is settled."""
    return settlement(when, org="H", **{"visit": "stay of P", "med_type": "21", **more})


def stay(since: str) -> Admission:
    return admission(since)


BOUGHT = bill("14 11:59")
RED = ("red person P 2024-03: PA11:59",)
ORANGE = ("orange person P 2024-03: PA11:59",)
NEXT_DAY = datetime.fromisoformat("2024-03-12T00:00:00+08:00")

CASES = (
    Case("a purchase three days after a death fires", USE, (BOUGHT,), RED, known=(person("P"), dead())),
    Case("so does a swipe alone", USE, (swipe("14 11:59"),), ("red person P 2024-03: sA11:59",), known=(dead(),)),
    Case(
        "swipe and bill of one visit are shown together",
        USE,
        (swipe("14 11:58", org="PA"), BOUGHT),
        ("red person P 2024-03: sPA11:58 PA11:59",),
        known=(dead(),),
    ),
    Case(
        "a death that is entered as of a later day than it was: nobody could know it at the counter",
        USE,
        (BOUGHT,),
        ORANGE,
        known=(person("P"), dead(since="20 09:00")),
    ),
    Case("used on the day of death, which is entered later", USE, (bill("11 18:00"),), known=(dead(since="20 09:00"),)),
    Case(
        "a death entered later, and struck",
        USE,
        (BOUGHT,),
        known=(dead(since="20 09:00"), record("21 00:00", "active")),
    ),
    Case("the living pass", USE, (BOUGHT,), known=(person("P"),)),
    Case("nothing is known of the person", USE, (BOUGHT,)),
    Case("another person's death is another's", USE, (BOUGHT,), known=(replace(dead(), person="Q"),)),
    Case(
        "each month has a lead of its own",
        USE,
        (BOUGHT, bill("04-01 09:00")),
        (*RED, "red person P 2024-04: PA09:00"),
        known=(dead(),),
    ),
    # ── death: 24 hours from 00:00 of the day ──
    Case("the day of death itself passes", USE, (bill("11 23:59:59"),), known=(dead(),)),
    Case("so does midnight after it", USE, (replace(BOUGHT, happened_at=NEXT_DAY),), known=(dead(),)),
    Case(
        "a second later it fires",
        USE,
        (bill("12 00:00:01"),),
        ("red person P 2024-03: PA00:00:01",),
        known=(dead(),),
    ),
    Case("a longer grace is a setting", IneligibleCredentialUse(grace=timedelta(days=4)), (BOUGHT,), known=(dead(),)),
    Case(
        "a death without a day counts from the day of its record",
        USE,
        (bill("11 18:00"), bill("12 09:00")),
        ("red person P 2024-03: PA09:00",),
        known=(dead(died_on=None),),
    ),
    Case(
        "a day of death is enough, whatever the status says",
        USE,
        (BOUGHT,),
        RED,
        known=(dead(status="active"),),
    ),
    Case(
        "the insurance ends with the death: the day of death still passes",
        USE,
        (bill("11 18:00"),),
        known=(dead(status=("dead", "suspended")),),
    ),
    Case(
        "had it been suspended before, that day fires",
        USE,
        (bill("11 18:00"),),
        ("red person P 2024-03: PA18:00",),
        known=(record("05 00:00", "suspended"), dead(status=("suspended", "dead"))),
    ),
    Case(
        "a death that was entered for the wrong person, and struck, ends with the correction",
        USE,
        (bill("21 09:00"),),
        known=(dead(), record("20 00:00", "active")),
    ),
    Case(
        "the last bill of a stay that began before the death passes",
        USE,
        (stay("05 09:00"), swipe("14 11:57", org="H"), last_bill("14 12:00")),
        known=(dead(),),
    ),
    Case(
        "and of one that began on the day of death",
        USE,
        (stay("11 09:00"), last_bill("14 12:00")),
        known=(dead(),),
    ),
    Case(
        "of one that began later it fires",
        USE,
        (stay("13 09:00"), last_bill("14 12:00")),
        ("red person P 2024-03: H12:00",),
        known=(dead(),),
    ),
    Case(
        "the admission may be told last",
        USE,
        (last_bill("14 12:00"), stay("05 09:00")),
        known=(dead(),),
    ),
    Case(
        "an interim bill is no last one",
        USE,
        (stay("05 09:00"), last_bill("14 12:00", interim=1)),
        ("red person P 2024-03: H12:00",),
        known=(dead(),),
    ),
    Case(
        "a swipe that no last bill follows within half an hour fires",
        USE,
        (stay("05 09:00"), swipe("14 11:29:59", org="H"), last_bill("14 12:00")),
        ("red person P 2024-03: sH11:29:59",),
        known=(dead(),),
    ),
    Case(
        "half an hour before it the swipe is its own",
        USE,
        (stay("05 09:00"), swipe("14 11:30", org="H"), last_bill("14 12:00")),
        known=(dead(),),
    ),
    Case(
        "a purchase elsewhere is not covered by the stay",
        USE,
        (stay("05 09:00"), last_bill("14 12:00"), BOUGHT),
        RED,
        known=(dead(),),
    ),
    *(
        Case(
            f"an in-patient bill of a stay that nobody told is left out: {kind}",
            USE,
            (last_bill("14 12:00", med_type=kind),),
            known=(dead(),),
        )
        for kind in IN_PATIENT
    ),
    Case(
        "an out-patient bill of the hospital fires",
        USE,
        (last_bill("14 12:00", med_type="11"),),
        ("red person P 2024-03: H12:00",),
        known=(dead(),),
    ),
    # ── the other statuses hold from their first moment ──
    *(
        Case(
            f"at the very moment it holds: {status}",
            USE,
            (bill("13 23:59:59"), bill("14 00:00")),
            ("red person P 2024-03: PA00:00",),
            known=(person("P"), record("14 00:00", status)),
        )
        for status in ("suspended", "settlement_suspended")
    ),
    Case(
        "when it is lifted it passes",
        USE,
        (bill("20 00:00"),),
        known=(record("11 00:00", "suspended"), record("20 00:00", "active")),
    ),
    Case(
        "a stay does not excuse what is no death",
        USE,
        (stay("05 09:00"), last_bill("14 12:00")),
        ("red person P 2024-03: H12:00",),
        known=(record("11 00:00", "settlement_suspended"),),
    ),
    # ── a lost card stops the card only ──
    Case(
        "a card reported lost fires",
        USE,
        (replace(BOUGHT, cert_type="03"), swipe("14 12:30")),
        ("red person P 2024-03: PA11:59 sA12:30",),
        known=(record("11 00:00", "lost_card"),),
    ),
    Case(
        "before the report it passes",
        USE,
        (replace(BOUGHT, cert_type="03"),),
        known=(record("14 12:00", "lost_card"),),
    ),
    *(
        Case(
            f"another credential passes: {cert or 'not said'}",
            USE,
            (replace(BOUGHT, cert_type=cert),),
            known=(record("11 00:00", "lost_card"),),
        )
        for cert in ("01", "02", "")
    ),
    Case(
        "a lost card may hide behind a suspension",
        USE,
        (replace(BOUGHT, cert_type="01"),),
        RED,
        known=(record("11 00:00", ("lost_card", "suspended")),),
    ),
    Case(
        "and a suspension that is over leaves the card lost",
        USE,
        (replace(BOUGHT, cert_type="03"), bill("15 09:00", cert_type="01")),
        RED,
        known=(record("11 00:00", ("lost_card", "suspended")), record("13 00:00", ("lost_card",))),
    ),
    # ── who could not know ──
    Case(
        "the status became known after the use: orange, and it says so",
        USE,
        (BOUGHT,),
        ORANGE,
        known=(dead(known="15 22:00"),),
    ),
    Case("known a second before the use it is red", USE, (BOUGHT,), RED, known=(dead(known="14 11:58:59"),)),
    Case("known at the same second it is red", USE, (BOUGHT,), RED, known=(dead(known="14 11:59"),)),
    Case(
        "one use after it became known is enough for red",
        USE,
        (BOUGHT, bill("16 09:00")),
        ("red person P 2024-03: PA11:59 PA09:00",),
        known=(dead(known="15 22:00"),),
    ),
    Case(
        "a record that only repeats the status does not make it known later",
        USE,
        (bill("18 09:00"),),
        ("red person P 2024-03: PA09:00",),
        known=(
            record("11 00:00", "suspended"),
            record("17 00:00", "suspended", known="20 09:00", household="F"),
        ),
    ),
    Case(
        "a suspension after a pause is another one",
        USE,
        (bill("18 09:00"),),
        ("orange person P 2024-03: PA09:00",),
        known=(
            record("11 00:00", "suspended"),
            record("14 00:00", "active"),
            record("17 00:00", "suspended", known="20 09:00"),
        ),
    ),
    Case(
        "a record that does not say when it came is taken as known",
        USE,
        (BOUGHT,),
        RED,
        known=(replace(dead(), received_at=None),),
    ),
    # ── exclusions ──
    Case("a bill taken back withdraws it (X01)", USE, (BOUGHT, reversal("15 10:00", BOUGHT)), known=(dead(),)),
    Case("the reversal may come first", USE, (reversal("15 10:00", BOUGHT), BOUGHT), known=(dead(),)),
    Case(
        "a refund row is evidence of nothing",
        USE,
        (replace(BOUGHT, total=fen("-45")),),
        known=(dead(),),
    ),
    Case("typed in after a cut it passes (X16)", USE, (received(BOUGHT, 10 * MINUTE + MINUTE / 60),), known=(dead(),)),
    Case(
        "received ten minutes after it happened is not late",
        USE,
        (received(BOUGHT, 10 * MINUTE),),
        RED,
        known=(dead(),),
        excluded=("X01 not_applicable", "X16 not_applicable"),
    ),
    Case(
        "what was typed in later is left out, and said",
        USE,
        (BOUGHT, received(bill("14 12:30"), timedelta(hours=3))),
        RED,
        known=(dead(),),
        excluded=("X16 applied",),
    ),
    Case(
        "without a time of reception nobody can say",
        USE,
        (BOUGHT,),
        RED,
        known=(dead(),),
        excluded=("X16 data_missing",),
    ),
    # ── copies ──
    Case(
        "a bill told twice counts as it was first received",
        USE,
        (
            replace(BOUGHT, happened_at=at("10 11:59"), received_at=at("10 12:00")),
            replace(BOUGHT, event_id="later", received_at=at("14 12:00")),
        ),
        known=(dead(),),
    ),
)
