"""When a stay is a bed and nothing else, and when the services were only not told yet."""

from typing import Any

from msgspec.structs import replace

from detectors.case import (
    LONG_AGO,
    Case,
    admission,
    at,
    check,
    discharge,
    fee,
    leave,
    line,
    line_reversal,
    settlement,
)
from detectors.event import AdmissionReversal, Count, Event, Fee, Fen, ItemRecord, Order
from detectors.hospital.ghost_bed_no_service import GhostBedNoService

IDLE = GhostBedNoService()
KINDS: dict[str, Any] = {"bed": "bed", "care": "nursing", "meal": "diet", "CT": "exam", "op": "operation"}
ITEMS = tuple(
    ItemRecord(event_id=name, happened_at=LONG_AGO, valid_from=LONG_AGO, item=name, kind=kind)
    for name, kind in KINDS.items()
)
FIRES = ("orange stay stay of P stay of P: adm P",)


def charged(item: str, moments: str, person: str = "P", told: str = "", **more: Any) -> tuple[Fee, ...]:
    """A line at each of these moments ("04 09:00, 05 09:00"), uploaded at 22:00 of its day unless told at another."""
    return tuple(
        fee(
            told or f"{when[:2]} 22:00",
            line(item, sn=f"{item} {when}", occurred_at=at(when), **more),
            person=person,
            event_id=f"{person}'s {item} {when}",
        )
        for when in moments.split(", ")
    )


def every_day(days: str, item: str = "bed", person: str = "P") -> tuple[Fee, ...]:
    """ "04 05": at 07:00 of each of these days."""
    return charged(item, ", ".join(f"{day} 07:00" for day in days.split()), person)


def order(when: str, person: str = "P", **more: Any) -> Order:
    name = f"{person}'s order {when}"
    return Order(
        event_id=name,
        happened_at=at(when),
        org="H",
        person=person,
        visit=f"stay of {person}",
        order=name,
        order_type="temporary",
        **more,
    )


def by(when: str) -> Event:
    """Time has come so far."""
    return settlement(when, org="elsewhere", person="Z")


P, ORDERED = admission("04 08:00"), order("04 09:00")
LYING: tuple[Event, ...] = (P, ORDERED, *every_day("04 05 06 07 08 09 10"))
# 48 h are over on the 6th at 08:00, charges may come until the 9th at 08:00, and the day is over at midnight
DUE = by("10 00:00")
START: tuple[Event, ...] = (P, ORDERED, *every_day("04 05 06"), *every_day("04 05 06", "care"))
CT = charged("CT", "04 10:00")
# the 5th, 6th and 7th without a service are known at the end of the 10th
RUN: tuple[Event, ...] = (*LYING, *CT, *charged("CT", "08 10:00, 09 10:00, 10 10:00"), by("11 00:00"))
# the ward tells of others, as it did before
OTHERS = every_day("01 02 03 04 05 06 07 08 09", "CT", "Q")
UNTOLD: tuple[Event, ...] = (P, ORDERED, *charged("CT", "08 10:00, 09 10:00"), by("11 00:00"))
# other patients' orders show that orders are told
ROUND: tuple[Event, ...] = (order("03 09:00", "Q"), order("06 09:00", "Q"))
TREATED: tuple[Event, ...] = (P, *charged("CT", "04 10:00, 05 10:00, 06 10:00, 07 10:00, 08 10:00"))
UNORDERED: tuple[Event, ...] = (*TREATED, *ROUND, by("09 00:00"))
SILENT = every_day("01 02 03 08 09", "CT", "Q")

CASES = (
    # 48 hours from admission
    Case(
        "bed and nursing for 48 hours, and nothing else",
        IDLE,
        (*START, DUE),
        FIRES,
        ITEMS,
        excluded=("X15 applied", "F1 not_applicable"),
    ),
    Case("charges may still come", IDLE, (*START, by("09 23:59")), known=ITEMS),
    Case("examined in the last minute", IDLE, (*START, *charged("CT", "06 08:00"), DUE), known=ITEMS),
    Case("examined a minute too late", IDLE, (*START, *charged("CT", "06 08:01"), DUE), FIRES, ITEMS),
    Case("a drug", IDLE, (*START, *charged("X", "05 08:00", list_type="101"), DUE), known=ITEMS),
    Case("an item of which there is no record counts as a service", IDLE, (*START, *charged("?", "05 08:00"), DUE)),
    Case("meals are none", IDLE, (*START, *charged("meal", "05 08:00"), DUE), FIRES, ITEMS),
    Case(
        "examined in time, told a week later (X15)",
        IDLE,
        (*START, DUE, *charged("CT", "05 10:00", told="12 22:00"), by("13 00:00")),
        known=ITEMS,
    ),
    Case(
        "told in the bill only",
        IDLE,
        (
            *START,
            DUE,
            settlement(
                "09 10:00",
                "H",
                visit="stay of P",
                lines=(line("CT", occurred_at=at("05 10:00")),),
                event_id="bill",
            ),
        ),
        known=ITEMS,
    ),
    Case(
        "the examination was taken back",
        IDLE,
        (*START, *CT, line_reversal("09 10:00", CT[0], "CT 04 10:00"), DUE),
        FIRES,
        ITEMS,
    ),
    Case(
        "a refund is no service",
        IDLE,
        (*START, *charged("CT", "05 10:00", amount=Fen(-100), count=Count(-1)), DUE),
        FIRES,
        ITEMS,
    ),
    Case("told twice", IDLE, (*START, *START, DUE), FIRES, ITEMS),
    Case("examined the day before the admission", IDLE, (*START, *charged("CT", "03 10:00"), DUE), known=ITEMS),
    Case("examined long before", IDLE, (*START, *charged("CT", "02 10:00"), DUE), FIRES, ITEMS),
    Case("discharged before", IDLE, (*START, discharge("06 07:59"), DUE), known=ITEMS),
    Case("discharged after just 48 hours", IDLE, (*START, discharge("06 08:00"), DUE), FIRES, ITEMS),
    Case("admitted for day rates", IDLE, (replace(P, med_type="2105"), *START[1:], DUE), known=ITEMS),
    Case("admitted for palliative care", IDLE, (replace(P, med_type="2114"), *START[1:], DUE), known=ITEMS),
    Case("admitted for day surgery", IDLE, (replace(P, med_type="28"), *START[1:], DUE), known=ITEMS),
    Case("by disease is no exception", IDLE, (replace(P, med_type="26"), *START[1:], DUE), FIRES, ITEMS),
    Case(
        "observed before an operation within three days",
        IDLE,
        (*START, *charged("op", "09 08:00"), DUE),
        known=ITEMS,
    ),
    Case("operated later than that", IDLE, (*START, *charged("op", "09 08:01"), DUE), FIRES, ITEMS),
    Case(
        "the admission was taken back",
        IDLE,
        (
            *START,
            DUE,
            AdmissionReversal(
                event_id="never was",
                happened_at=at("10 08:00"),
                org="H",
                person="P",
                visit="stay of P",
            ),
        ),
        known=ITEMS,
    ),
    Case("an admission told last", IDLE, (*START[1:], DUE, P), FIRES, ITEMS),
    Case("no stay at all", IDLE, (*START[1:], DUE), known=ITEMS),
    # three days running
    Case("three whole days of bed only", IDLE, RUN, FIRES, ITEMS, excluded=("F1 not_applicable",)),
    Case("before the third day's charges are due", IDLE, (*RUN[:-1], by("10 23:59")), known=ITEMS),
    Case("two days", IDLE, (*RUN, *charged("CT", "07 23:59")), known=ITEMS),
    Case("the day of admission is not whole", IDLE, (*RUN, *charged("CT", "05 00:00")), known=ITEMS),
    Case("the day of discharge is not whole", IDLE, (*RUN[:-1], discharge("07 23:59"), RUN[-1]), known=ITEMS),
    Case("discharged at midnight it is whole", IDLE, (*RUN[:-1], discharge("08 00:00"), RUN[-1]), FIRES, ITEMS),
    Case("a day on leave is none of them", IDLE, (*RUN, leave("06 08:00", "06 20:00")), known=ITEMS),
    Case("three days before an operation", IDLE, (*RUN, *charged("op", "10 09:00")), known=ITEMS),
    # no order within a day
    Case("nothing was ordered for a day", IDLE, UNORDERED, FIRES, ITEMS, excluded=("F1 not_applicable",)),
    Case("orders may still come", IDLE, (*UNORDERED[:-1], by("08 23:59")), known=ITEMS),
    Case("ordered at the end of the day", IDLE, (*UNORDERED, order("05 08:00")), known=ITEMS),
    Case("ordered a minute later", IDLE, (*UNORDERED, order("05 08:01")), FIRES, ITEMS),
    Case(
        "ordered in time, written down later", IDLE, (*UNORDERED, order("07 10:00", since=at("04 20:00"))), known=ITEMS
    ),
    Case("discharged within the day", IDLE, (*UNORDERED, discharge("05 07:59")), known=ITEMS),
    Case("the hospital tells no orders at all", IDLE, (*TREATED, by("09 00:00")), known=ITEMS),
    Case("it tells none since", IDLE, (*TREATED, ROUND[0], by("20 00:00")), known=ITEMS),
    Case("it told none before", IDLE, (*TREATED, ROUND[1], by("20 00:00")), known=ITEMS),
    Case("it tells them again later", IDLE, (*TREATED, ROUND[0], order("20 09:00", "Q"), by("23 00:00")), FIRES, ITEMS),
    # what is not uploaded (F1)
    Case("nothing is told of the stay, but of others", IDLE, (*OTHERS, *UNTOLD), FIRES, ITEMS),
    Case("nothing was told of anybody from the 3rd to the 8th (F1)", IDLE, (*SILENT, *UNTOLD), known=ITEMS),
    Case(
        "silence explains the missing charges, not the missing orders",
        IDLE,
        (*SILENT, UNTOLD[0], *UNTOLD[2:], *ROUND),
        FIRES,
        ITEMS,
        excluded=("F1 applied", "F1 not_applicable"),
    ),
    Case(
        "the silence of others does not explain a stay of which beds were told",
        IDLE,
        (*SILENT, *START, *charged("CT", "07 10:00, 08 10:00"), DUE),
        FIRES,
        ITEMS,
    ),
    Case(
        "what comes late shows that there was no silence",
        IDLE,
        (*SILENT, *UNTOLD, *every_day("05 06", "CT", "Q")),
        FIRES,
        ITEMS,
    ),
    Case("the feed has not spoken again", IDLE, (*every_day("01 02 03 04", "CT", "Q"), P, ORDERED, DUE), known=ITEMS),
    # with an empty bed
    Case(
        "and the patient was missing at two rounds",
        IDLE,
        (*START, check("05 08:30", "not_found"), check("05 15:30", "not_found"), DUE),
        ("red stay stay of P stay of P: adm P",),
        ITEMS,
    ),
    Case("missing once", IDLE, (*START, check("05 08:30", "not_found"), DUE), FIRES, ITEMS),
)
