"""When bills go back and forth, and when a terminal only failed."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from detectors.case import Case, line, reversal, settlement
from detectors.event import Count, Event, Fee, Fen, Settlement, SettlementReversal
from detectors.pharmacy.empty_swipe_reverse import EmptySwipeReverse
from detectors.unit import HOUR, MINUTE, SECOND

LOOP = EmptySwipeReverse()

Cycle = tuple[Settlement, SettlementReversal, Settlement]


def after(event: Any, over: timedelta) -> Any:
    """The same, so much later. Any: an Event."""
    return replace(event, happened_at=event.happened_at + over)


def cycle(when: str, age: timedelta = 10 * MINUTE, pause: timedelta = 20 * MINUTE, **more: Any) -> Cycle:
    """A bill "04 09:00" for one box of X, its reversal, and the next bill "04 09:00+".

    Any: any other field of the bills.
    """
    bill = settlement(when, **{"basket": "X", "event_id": when, **more})
    back = after(reversal(when, bill), age)
    next_bill = settlement(when, **{"basket": "X", **more, "event_id": f"{when}+"})
    return bill, back, after(next_bill, age + pause)


def story(*cycles: Cycle) -> tuple[Event, ...]:
    return tuple(event for cycle in cycles for event in cycle)


def fires(*whens: str, month: str = "2024-03", subject: str = "A/P") -> tuple[str, ...]:
    """All of these cycles, which do not overlap."""
    shown = " ".join(f"{when} reversal of {when} {when}+" for when in whens)
    return (f"orange person {subject} {month}: {shown}",)


def one_evening(count: int, over: timedelta = 15 * MINUTE, yuan: str = "45") -> tuple[Event, ...]:
    """So many bills "b0", "b1", …, one each ``over``; all but the last taken back two thirds of the way."""
    first = settlement("04 19:00", basket="X", yuan=yuan)
    bills = [
        after(replace(first, event_id=f"b{n}", bill=f"bill {n}", visit=f"visit {n}"), n * over) for n in range(count)
    ]
    backs = [after(reversal("04 19:00", bill), n * over + over * 2 / 3) for n, bill in enumerate(bills[:-1])]
    return (*(event for pair in zip(bills, backs, strict=False) for event in pair), bills[-1])


def evening_fires(count: int) -> tuple[str, ...]:
    shown = " ".join(f"b{n} reversal of b{n}" for n in range(count - 1))
    return (f"orange person A/P 2024-03: {shown} b{count - 1}",)


FIRST, SECOND_ONE, THIRD = cycle("04 09:00"), cycle("06 09:00"), cycle("08 09:00")
TWO = story(FIRST, SECOND_ONE)
THREE = story(FIRST, SECOND_ONE, THIRD)
THREE_FIRES = fires("04 09:00", "06 09:00", "08 09:00")
RETRIES = one_evening(5, over=38 * SECOND)  # four reversals in two and a half minutes


def told_apart(of: Cycle) -> tuple[Event, ...]:
    """The same, with the lines uploaded before their bills."""
    bills = [event for event in of if isinstance(event, Settlement)]
    rest = [event for event in of if not isinstance(event, Settlement)]
    fees = [
        Fee(
            event_id=f"fee of {bill.event_id}",
            happened_at=bill.happened_at - SECOND,
            org=bill.org,
            person=bill.person,
            visit=bill.visit,
            lines=bill.lines,
        )
        for bill in bills
    ]
    return (*fees, *(replace(bill, lines=()) for bill in bills), *rest)


CASES = (
    Case(
        "three cycles whose lines are uploaded apart from the bills",
        LOOP,
        tuple(event for one in (FIRST, SECOND_ONE, THIRD) for event in told_apart(one)),
        fires=fires("04 09:00", "06 09:00", "08 09:00"),
    ),
    Case(
        "three bills taken back and made again, on three days",
        LOOP,
        THREE,
        fires=THREE_FIRES,
        excluded=("X01 not_applicable", "X12 not_applicable"),
    ),
    Case("two", LOOP, TWO),
    Case("each bill of an evening is taken back and the next is made", LOOP, one_evening(4), fires=evening_fires(4)),
    Case("the third is never taken back", LOOP, one_evening(3)),
    Case("three taken back, and no other follows the third", LOOP, one_evening(4)[:-1]),
    Case(
        "taken back after thirty minutes",
        LOOP,
        (*TWO, *cycle("08 09:00", age=30 * MINUTE)),
        fires=THREE_FIRES,
    ),
    Case("taken back a second later than that", LOOP, (*TWO, *cycle("08 09:00", age=30 * MINUTE + SECOND))),
    Case(
        "taken back in the second in which it was made",
        LOOP,
        (*TWO, *cycle("08 09:00", age=timedelta(0))),
        fires=THREE_FIRES,
    ),
    Case("taken back before it was made, by a wrong clock", LOOP, (*TWO, *cycle("08 09:00", age=-SECOND))),
    Case("made again 24 hours later", LOOP, (*TWO, *cycle("08 09:00", pause=24 * HOUR)), fires=THREE_FIRES),
    Case("made again a second later than that", LOOP, (*TWO, *cycle("08 09:00", pause=24 * HOUR + SECOND))),
    Case("made again in the second in which it was taken back", LOOP, (*TWO, *cycle("08 09:00", pause=timedelta(0)))),
    Case("another drug the second time", LOOP, (*TWO, *THIRD[:2], replace(THIRD[2], lines=(line("Y"),)))),
    Case(
        "among other goods",
        LOOP,
        (*TWO, *THIRD[:2], replace(THIRD[2], lines=(line("Y", sn="y"), line("X", sn="x")))),
        fires=THREE_FIRES,
    ),
    Case("another drug each time", LOOP, story(FIRST, SECOND_ONE, cycle("08 09:00", basket="Y"))),
    Case(
        "another drug beside it, back and forth as often",
        LOOP,
        story(*(cycle(f"0{day} 09:00", basket="XY") for day in (4, 6, 8))),
        fires=THREE_FIRES,
    ),
    Case("at another store each time", LOOP, story(FIRST, SECOND_ONE, cycle("08 09:00", org="B"))),
    Case(
        "made again at another store",
        LOOP,
        (*TWO, *THIRD[:2], replace(THIRD[2], org="B")),
    ),
    Case("by another person each time", LOOP, story(FIRST, SECOND_ONE, cycle("08 09:00", person="Q"))),
    Case(
        "three persons' cycles at one store are not one person's",
        LOOP,
        story(*(cycle(f"04 09:0{n}", person=f"P{n}") for n in range(3))),
    ),
    Case(
        "services, not goods",
        LOOP,
        story(*(cycle(f"0{day} 09:00", lines=(line("X", list_type="201"),)) for day in (4, 6, 8))),
    ),
    Case("bills without lines", LOOP, story(*(cycle(f"0{day} 09:00", basket="") for day in (4, 6, 8)))),
    Case(
        "refund rows follow, not bills",
        LOOP,
        (
            *TWO,
            *THIRD[:2],
            replace(THIRD[2], total=Fen(-4500), lines=(line("X", "-45", count=Count(-1)),)),
        ),
    ),
    Case("a terminal failed four times within three minutes: one cycle", LOOP, RETRIES),
    Case(
        "and as slowly as no retry comes: four",
        LOOP,
        one_evening(5, over=3 * MINUTE + SECOND),
        fires=evening_fires(5),
    ),
    Case("exactly three minutes apart: one", LOOP, one_evening(5, over=3 * MINUTE)),
    Case(
        "quick, but of another amount each time",
        LOOP,
        tuple(
            replace(event, total=Fen(event.total + 100 * n)) if isinstance(event, Settlement) else event
            for n, event in enumerate(RETRIES)
        ),
        fires=evening_fires(5),
    ),
    Case(
        "a failed terminal, and two cycles: three",
        LOOP,
        (*RETRIES, *SECOND_ONE, *THIRD),
        fires=(f"{evening_fires(5)[0]} {fires('06 09:00', '08 09:00')[0].partition(': ')[2]}",),
    ),
    Case("a failed terminal, and one cycle: two", LOOP, (*RETRIES, *THIRD)),
    Case(
        "the first is taken back just under sixty days before the last",
        LOOP,
        (*cycle("02-01 09:00", age=10 * MINUTE + SECOND), *cycle("03-20 09:00"), *cycle("04-01 09:00")),
        fires=fires("02-01 09:00", "03-20 09:00", "04-01 09:00", month="2024-04"),
    ),
    Case(
        "sixty days before the last",
        LOOP,
        story(cycle("02-01 09:00"), cycle("03-20 09:00"), cycle("04-01 09:00")),
    ),
    Case(
        "across midnight of a month: the one in which the third is made again",
        LOOP,
        (*TWO, *cycle("31 23:50")),
        fires=fires("04 09:00", "06 09:00", "31 23:50", month="2024-04"),
    ),
    Case(
        "each month that completes three has its own lead",
        LOOP,
        (*THREE, *cycle("04-02 09:00")),
        fires=(
            *THREE_FIRES,
            *fires("04 09:00", "06 09:00", "08 09:00", "04-02 09:00", month="2024-04"),
        ),
    ),
    Case(
        "the first bill lies 61 days before the month in which the last is made again",
        LOOP,
        (
            *cycle("01-30 23:50:01", age=25 * MINUTE),
            *cycle("03-20 09:00"),
            *cycle("03-31 00:05", pause=24 * HOUR),
        ),
        fires=fires("01-30 23:50:01", "03-20 09:00", "03-31 00:05", month="2024-04"),
    ),
    Case("a bill that is told twice is one", LOOP, (*TWO, *TWO)),
    Case(
        "told twice in other words",
        LOOP,
        (*TWO, *(replace(event, event_id=f"{event.event_id} again") for event in TWO)),
    ),
    Case("the bills are never told", LOOP, tuple(event for event in THREE if isinstance(event, SettlementReversal))),
    Case("the reversals come first", LOOP, (FIRST[1], SECOND_ONE[1], THIRD[1], *THREE), fires=THREE_FIRES),
    Case(
        "at two stores, three times each",
        LOOP,
        (*THREE, *story(*(cycle(f"1{day} 09:00", org="B") for day in (4, 6, 8)))),
        fires=(*THREE_FIRES, *fires("14 09:00", "16 09:00", "18 09:00", subject="B/P")),
    ),
)
