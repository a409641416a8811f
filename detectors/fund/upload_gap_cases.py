"""When a feed is silent although there is work to tell of, and when there is nothing to tell."""

from typing import Any

from msgspec.structs import replace

from detectors.case import Case, admission, at, check, discharge, fee, line, reversal, sale, settlement
from detectors.event import AdmissionReversal, Count, Event, Inventory, Order, Presence, Sale, Settlement
from detectors.fund.upload_gap import UploadGap
from detectors.unit import DAY

GAP = UploadGap()
TILL = "09:00 12:00 15:00 18:00"


def bills(days: str, clocks: str = TILL, basket: str = "x", org: str = "A", **more: Any) -> tuple[Settlement, ...]:
    """ "04 05": one at each of these times of each of these days, called "04 09:00"."""
    moments = [f"{day} {clock}" for day in days.split() for clock in clocks.split()]
    return tuple(settlement(when, org, basket=basket, event_id=when, **more) for when in moments)


def sales(days: str, clocks: str = TILL) -> tuple[Sale, ...]:
    moments = [f"{day} {clock}" for day in days.split() for clock in clocks.split()]
    return tuple(sale(when, "x", event_id=f"sale {when}") for when in moments)


def rounds(days: str, persons: str = "PQ", clocks: str = "08:30 15:30") -> tuple[Presence, ...]:
    return tuple(check(f"{day} {c}", "pass", who) for day in days.split() for c in clocks.split() for who in persons)


def stock(since: str, days: int, **more: Any) -> tuple[Inventory, ...]:
    """A purchase at 20:00 of so many days."""
    facts = {"inv_type": "purchase", "item": "x", "count": Count(9), **more}
    moments = [at(since) + n * DAY for n in range(days)]
    return tuple(Inventory(event_id=f"inv {m:%m-%d}", happened_at=m, org="A", **facts) for m in moments)


def orders(since: str, days: int) -> tuple[Order, ...]:
    moments = [at(since) + n * DAY for n in range(days)]
    return tuple(
        Order(event_id=f"o {m:%m-%d}", happened_at=m, org="H", person="Q", visit="v", order=f"{m}", order_type="long")
        for m in moments
    )


def by(when: str) -> Event:
    """Time has come so far."""
    return settlement(when, org="elsewhere", person="Z")


# the last sale is on the 6th at 18:00: silent from 19:00, known a day and 72 hours later
HABIT: tuple[Event, ...] = (*bills("04 05 06"), *sales("04 05 06"))
OPEN: tuple[Event, ...] = (*HABIT, *bills("07 08"))
DUE = by("10 19:00")
SHOWN = " ".join(f"{day} {clock}" for day in ("07", "08") for clock in TILL.split())
SILENT = (f"yellow org A 2024-03-07: {SHOWN}",)
# one sale a day at 18:00: three median gaps are three days
DAILY: tuple[Event, ...] = (*bills("01 02 03 04 05 06"), *sales("01 02 03 04 05 06", "18:00"))
# the last look at the beds is on the 6th at 15:30: silent from 16:00, known two days later
SEEN = rounds("04 05 06")
P, Q = admission("03 08:00"), admission("03 08:00", "Q")
UNSEEN = ("yellow org H 2024-03-07: ",)
LATER = by("08 16:00")
# charges at 10:00 and 22:00
CHARGED = tuple(fee(f"{day} {clock}", line("bed")) for day in ("04", "05", "06") for clock in ("10:00", "22:00"))
# 28 days with a purchase, the last on 29 February at 20:00; silent from 21:00
STOCKED: tuple[Event, ...] = (*stock("02-02 20:00", 28), *bills("01 02", "09:00 12:00"))
# one of them waited for three days
RARE: tuple[Event, ...] = (*stock("01-31 20:00", 10), *stock("02-12 20:00", 18), *bills("01 02", "09:00 12:00"))
ORDERED = orders("02-02 09:00", 28)
UNSTOCKED = "blue org A 2024-03-{}: 01 09:00 01 12:00 02 09:00 02 12:00"


CASES = (
    Case("no sale is told for a day, and bills go on", GAP, (*OPEN, DUE), SILENT, excluded=("X15 not_applicable",)),
    Case("sales may still come", GAP, (*OPEN, by("10 18:59"))),
    Case("they came late", GAP, (*OPEN, *sales("07", "12:00 18:00"), *sales("08"), DUE)),
    Case("one of them came late, and shows no silence before", GAP, (*OPEN, DUE, *sales("07", "12:00"))),
    Case("a sale is told within the day", GAP, (*OPEN, *sales("07", "18:59"), *sales("08"), DUE)),
    Case(
        "a sale is told when the day is over",
        GAP,
        (*OPEN, *sales("07", "19:00"), *sales("08"), DUE),
        ("yellow org A 2024-03-07: 07 09:00 07 12:00 07 15:00 07 18:00",),
    ),
    Case("told twice", GAP, (*OPEN, *OPEN, DUE), SILENT),
    Case("closed: a night, a weekend, a holiday", GAP, (*HABIT, *sales("12"), by("16 00:00"))),
    Case(
        "closed for a day; open the next, and the line is down",
        GAP,
        (*HABIT, *bills("08"), by("11 00:00")),
        ("yellow org A 2024-03-08: 08 09:00 08 12:00 08 15:00 08 18:00",),
    ),
    Case(
        "three bills",
        GAP,
        (*HABIT, *bills("07", "09:00 12:00 15:00"), DUE),
        ("yellow org A 2024-03-07: 07 09:00 07 12:00 07 15:00",),
    ),
    Case("two bills", GAP, (*HABIT, *bills("07", "09:00 12:00"), DUE)),
    Case("bills for services only", GAP, (*HABIT, *bills("07 08", basket=""), DUE)),
    Case("bills of another institution", GAP, (*HABIT, *bills("07 08", org="B"), DUE)),
    Case("bills that were taken back", GAP, (*OPEN, *(reversal("09 09:00", bill) for bill in bills("07 08")), DUE)),
    Case("bills of the fourth day only", GAP, (*HABIT, *bills("10", "09:00 10:00 11:00"), by("13 00:00"))),
    # what is expected
    Case("used on two days only", GAP, (*sales("05 06"), *bills("05 06 07 08"), DUE)),
    Case("used on three of six days", GAP, (*sales("01 05 06"), *bills("07 08"), DUE), SILENT),
    Case("used on three of seven days", GAP, (*sales("02-29 05 06"), *bills("07 08"), DUE)),
    Case(
        "used on ten of 28 days",
        GAP,
        (*sales("02-08 02-09 02-10 02-11 02-12 02-13 02-14 04 05 06"), *bills("07 08"), DUE),
        SILENT,
    ),
    Case(
        "used on nine of 28 days",
        GAP,
        (*sales("02-08 02-09 02-10 02-11 02-12 02-13 04 05 06"), *bills("07 08"), DUE),
    ),
    Case(
        "one sale a day: two days are not long", GAP, (*DAILY, *bills("07 08"), *sales("09", "18:59"), by("14 00:00"))
    ),
    Case(
        "one sale a day: three days are",
        GAP,
        (*DAILY, *bills("07 08"), *sales("09", "19:00"), by("14 00:00")),
        (f"yellow org A 2024-03-09: {SHOWN}",),
    ),
    Case(
        "a sale every other day is no feed to miss",
        GAP,
        (*sales("01 03 05 07", "12:00"), *bills("08 09 10"), by("20 00:00")),
    ),
    # patients
    Case("scenario 14: the ward's device tells of nobody", GAP, (P, Q, *SEEN, LATER), UNSEEN),
    Case("checks may still come", GAP, (P, Q, *SEEN, by("08 15:59"))),
    Case("the device is back within the day", GAP, (P, Q, *SEEN, *rounds("07", clocks="15:30"), LATER)),
    Case("one of the beds was looked at", GAP, (P, Q, *SEEN, check("07 10:00", "device_error", "R"), LATER)),
    Case("one patient is left", GAP, (P, *SEEN, LATER)),
    Case("two more came in time", GAP, (*SEEN, replace(P, happened_at=at("06 16:00")), Q, LATER), UNSEEN),
    Case("one came too late", GAP, (*SEEN, replace(P, happened_at=at("06 16:01")), Q, LATER)),
    Case("discharged within the day", GAP, (P, Q, *SEEN, discharge("07 15:59", "Q"), LATER)),
    Case("discharged when it was over", GAP, (P, Q, *SEEN, discharge("07 16:00", "Q"), LATER), UNSEEN),
    Case("a discharge told last", GAP, (P, Q, *SEEN, LATER, discharge("06 20:00", "Q"))),
    Case("day surgery", GAP, (P, replace(Q, med_type="28"), *SEEN, LATER)),
    Case(
        "an admission that was taken back",
        GAP,
        (
            *(P, Q, *SEEN, LATER),
            AdmissionReversal(event_id="never was", happened_at=at("08 12:00"), org="H", person="Q", visit=Q.visit),
        ),
    ),
    Case(
        "no charge is told for a day and a half",
        GAP,
        (P, Q, *CHARGED, by("11 11:00")),
        ("yellow org H 2024-03-08: ",),
    ),
    Case("charges may still come", GAP, (P, Q, *CHARGED, by("11 10:59"))),
    # what is told when there is something to tell
    Case("nothing moved in the store for a week", GAP, (*STOCKED, by("10 21:00")), (UNSTOCKED.format("07"),)),
    Case("not yet for a week", GAP, (*STOCKED, *stock("07 20:59", 1), by("20 00:00"))),
    Case("nothing moved, and little was sold", GAP, (*STOCKED[:28], *bills("01", "09:00 12:00"), by("10 21:00"))),
    Case(
        "a week is not long for who waited for three days before", GAP, (*RARE, *stock("09 20:59", 1), by("20 00:00"))
    ),
    Case("nine days are", GAP, (*RARE, by("12 21:00")), (UNSTOCKED.format("09"),)),
    Case("known for 27 days only", GAP, (*stock("02-03 20:00", 27), *STOCKED[28:], by("20 00:00"))),
    Case(
        "nothing was ordered for a week",
        GAP,
        (
            replace(P, happened_at=at("02-28 08:00")),
            replace(Q, happened_at=at("02-28 08:00")),
            *ORDERED,
            by("10 10:00"),
        ),
        ("blue org H 2024-03-07: ",),
    ),
)
