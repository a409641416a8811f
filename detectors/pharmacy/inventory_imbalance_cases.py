"""When a shelf hands out what it never held, and when only a paper is late."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from detectors.case import Case, at, drug, fee, line, line_reversal, reversal, sale, settlement, swipe
from detectors.event import Count, Event, Fee, Flag, Inventory, Sale, Settlement
from detectors.pharmacy.inventory_imbalance import InventoryImbalance
from detectors.unit import DAY, HOUR

IMBALANCE = InventoryImbalance()


def inventory(when: str, inv_type: Any, packs: str, item: str = "X", org: str = "A", **more: Any) -> Inventory:
    """Called "count 04 09:00", and so on. Any: one of its types; any other field."""
    name = more.pop("event_id", f"{inv_type} {when}")
    facts = {"inv_type": inv_type, "item": item, "count": Count(packs), **more}
    return Inventory(event_id=name, happened_at=at(when), org=org, **facts)


def count(when: str, packs: str, **more: Any) -> Inventory:
    return inventory(when, "count", packs, **more)


def purchase(when: str, packs: str, **more: Any) -> Inventory:
    return inventory(when, "purchase", packs, **more)


def bill(when: str, packs: str, org: str = "A", by_unit: bool = False, item: str = "X", **more: Any) -> Settlement:
    """So many packs of X, called by its time. Any: any other field of a Settlement."""
    name = more.pop("event_id", when)
    lines = (line(item, sn=f"line of {name}", count=Count(packs), by_unit=Flag(by_unit)),)
    return settlement(when, org, **{"event_id": name, "lines": lines, **more})


def over_the_counter(when: str, packs: str, **more: Any) -> Sale:
    """Paid by the customer; called by its time."""
    return sale(when, **{"event_id": when, "count": Count(packs), **more})


def back(when: str, packs: str, of: str = "", **more: Any) -> Sale:
    """Brought back, from a bill or from none."""
    facts = {"sale_type": "return", "count": Count(packs), "bill": of and f"bill of {of}", **more}
    return sale(when, **{"event_id": f"back {when}", "person": "P" if of else "", **facts})


def nothing_else(when: str) -> Event:
    """Somebody swipes a card elsewhere then: what is due by then is judged."""
    return swipe(when, org="Z", person="Z", event_id=f"then {when}")


def moved(event: Any, to: datetime) -> Any:
    """Any: an event."""
    return replace(event, happened_at=to)


def fires(*names: str, level: str = "orange", month: str = "2024-03", subject: str = "A/X") -> tuple[str, ...]:
    return (f"{level} drug {subject} {month}: {' '.join(names)}",)


LATER = nothing_else("28 00:00")
THREE = count("04 08:00", "3")
NONE_AT_ALL = count("04 08:00", "0")
# 3 counted; 2, 6 and 6 handed out: from the second on some are missing, from the third on more than ten
SOLD = (bill("05 09:00", "2"), bill("05 10:00", "6"), bill("05 11:00", "6"))
FIRES = fires("05 10:00", "05 11:00")


def habit(first: str, days: int) -> tuple[Inventory, ...]:
    """Something else is bought on so many days."""
    daily = (purchase(first, "1", item="Y", event_id=f"habit {first} {n}") for n in range(days))
    return tuple(moved(one, at(first) + n * DAY) for n, one in enumerate(daily))


BOUGHT_DAILY = habit("02-20 09:00", 14)  # the last on 4 March: from 10:00 on the feed is silent
ON_THE_LAST_DAY = (bill("31 09:00", "2"), bill("31 10:00", "6"), bill("31 11:00", "6"))
IN_APRIL = nothing_else("04-20 00:00")


def in_stay(when: str, packs: str, uploaded: str = "", **more: Any) -> Fee:
    """Handed out on the ward at H; the line is called by its time. Any: any other field of a Line."""
    told = line("X", sn=f"line of {when}", count=Count(packs), occurred_at=at(when), **more)
    return fee(uploaded or when, told, event_id=f"fee {when}")


def settled(when: str = "07 10:00", **more: Any) -> Settlement:
    return settlement(when, "H", event_id="bill H", **{"visit": "stay of P", "med_type": "21", "basket": "", **more})


ON_THE_WARD = (in_stay("05 09:00", "2"), in_stay("05 10:00", "6"), in_stay("05 11:00", "6"))
WARD_FIRES = fires("fee 05 10:00", "fee 05 11:00", subject="H/X")
COUNTED_AT_H = count("04 08:00", "3", org="H")


def many(number: int, packs: str, first: str, apart: timedelta = HOUR) -> tuple[Settlement, ...]:
    """Bills "m0", "m1", …"""
    bills = (bill(first, packs, event_id=f"m{n}") for n in range(number))
    return tuple(moved(one, at(first) + n * apart) for n, one in enumerate(bills))


def names(events: Iterable[Event]) -> tuple[str, ...]:
    return tuple(event.event_id for event in events)


HUNDREDS = many(10, "40", "04 09:00")  # 400 packs in ten hours: 20 may be missing


CASES = (
    Case(
        "eleven packs more than were there, for days",
        IMBALANCE,
        (THREE, *SOLD, LATER),
        fires=FIRES,
        excluded=("X01 not_applicable", "X13 not_applicable", "X15 not_applicable", "F1 not_applicable"),
    ),
    Case("ten packs", IMBALANCE, (replace(THREE, count=Count(4)), *SOLD, LATER)),
    Case("a bit more than ten", IMBALANCE, (replace(THREE, count=Count("3.9999")), *SOLD, LATER), fires=FIRES),
    Case("nobody ever counted", IMBALANCE, (*SOLD, LATER)),
    Case("counted only afterwards", IMBALANCE, (count("06 08:00", "3"), *SOLD, LATER)),
    Case(
        "what was handed out before the count does not matter",
        IMBALANCE,
        (bill("03 09:00", "50"), THREE, *SOLD, LATER),
        fires=FIRES,
    ),
    Case("of another store, of another drug", IMBALANCE, (count("04 08:00", "3", item="Y"), *SOLD, LATER)),
    Case("at the hospital next door", IMBALANCE, (count("04 08:00", "3", org="B"), *SOLD, LATER)),
    # how long, and how soon it is told
    Case(
        "the purchase comes 24 hours later",
        IMBALANCE,
        (THREE, *SOLD, purchase("06 11:00", "50"), LATER),
        fires=FIRES,
    ),
    Case("it comes a minute sooner", IMBALANCE, (THREE, *SOLD, purchase("06 10:59", "50"), LATER)),
    Case(
        "it came that morning, and is told when it is long known (X15)",
        IMBALANCE,
        (THREE, *SOLD, LATER, purchase("05 08:00", "50")),
    ),
    Case("of another drug", IMBALANCE, (THREE, *SOLD, purchase("05 08:00", "50", item="Y"), LATER), fires=FIRES),
    Case(
        "24 and 72 hours are over at the end of a day",
        IMBALANCE,
        (THREE, *SOLD[:2], moved(SOLD[2], at("06 00:00")), nothing_else("10 00:00")),
        fires=FIRES,
    ),
    Case(
        "they are not: the purchase may yet be told",
        IMBALANCE,
        (THREE, *SOLD[:2], moved(SOLD[2], at("06 00:00")), nothing_else("09 23:59")),
    ),
    # a shortage of ten packs matters little where four hundred are handed out
    Case(
        "twenty of four hundred are missing",
        IMBALANCE,
        (count("04 08:00", "380"), *HUNDREDS, LATER),
    ),
    Case(
        "twenty-one are",
        IMBALANCE,
        (count("04 08:00", "379"), *HUNDREDS, LATER),
        fires=fires("m9"),
    ),
    Case(
        "most of them were handed out just over thirty days before",
        IMBALANCE,
        (
            count("02-28 08:00", "380"),
            *many(9, "40", "02-28 09:00"),
            bill("30 18:00", "31"),
            nothing_else("04-05 00:00"),
        ),
        fires=fires("30 18:00"),
    ),
    Case(
        "within thirty days",
        IMBALANCE,
        (
            count("02-28 08:00", "380"),
            *many(9, "40", "02-28 09:00"),
            bill("29 08:59", "31"),
            nothing_else("04-05 00:00"),
        ),
    ),
    # how grave
    Case(
        "none was counted, none bought since: red",
        IMBALANCE,
        (NONE_AT_ALL, *SOLD, LATER),
        fires=fires(*names(SOLD), level="red"),
    ),
    Case(
        "none was counted, and one bought since",
        IMBALANCE,
        (NONE_AT_ALL, purchase("04 09:00", "1"), *SOLD, LATER),
        fires=fires(*names(SOLD)),
    ),
    Case(
        "none was counted, and customers paid for it all",
        IMBALANCE,
        (NONE_AT_ALL, over_the_counter("05 09:00", "14"), LATER),
        fires=fires("05 09:00"),
    ),
    Case(
        "none bought for ninety days that are known: red",
        IMBALANCE,
        (count("22 09:00", "3"), bill("06-20 09:00", "14"), nothing_else("06-28 00:00")),
        fires=fires("06-20 09:00", level="red", month="2024-06"),
    ),
    Case(
        "none bought for a minute less than is known",
        IMBALANCE,
        (count("22 09:01", "3"), bill("06-20 09:00", "14"), nothing_else("06-28 00:00")),
        fires=fires("06-20 09:00", month="2024-06"),
    ),
    Case(
        "some bought ninety days before: red",
        IMBALANCE,
        (count("20 09:00", "2"), purchase("22 09:00", "1"), bill("06-20 09:00", "14"), nothing_else("06-28 00:00")),
        fires=fires("06-20 09:00", level="red", month="2024-06"),
    ),
    Case(
        "some bought a minute later",
        IMBALANCE,
        (count("20 09:00", "2"), purchase("22 09:01", "1"), bill("06-20 09:00", "14"), nothing_else("06-28 00:00")),
        fires=fires("06-20 09:00", month="2024-06"),
    ),
    # what moves a stock
    Case("bought before", IMBALANCE, (THREE, purchase("04 09:00", "1"), *SOLD, LATER)),
    Case(
        "bought, and given back to the supplier",
        IMBALANCE,
        (THREE, purchase("04 09:00", "1"), inventory("04 10:00", "purchase_return", "1"), *SOLD, LATER),
        fires=FIRES,
    ),
    Case("a transfer brought one", IMBALANCE, (THREE, inventory("04 09:00", "change", "1"), *SOLD, LATER)),
    Case(
        "breakage took one",
        IMBALANCE,
        (replace(THREE, count=Count(4)), inventory("04 09:00", "change", "-1"), *SOLD, LATER),
        fires=FIRES,
    ),
    Case(
        "one paid by a customer",
        IMBALANCE,
        (replace(THREE, count=Count(4)), over_the_counter("04 09:00", "1"), *SOLD, LATER),
        fires=FIRES,
    ),
    Case(
        "the bills' own goods, told again as sales",
        IMBALANCE,
        (
            replace(THREE, count=Count(4)),
            *SOLD,
            *(
                over_the_counter(one.event_id, "6", event_id=f"sale {one.event_id}", bill=one.bill, person="P")
                for one in SOLD
            ),
            LATER,
        ),
    ),
    Case(
        "one brought back by a customer",
        IMBALANCE,
        (THREE, over_the_counter("04 08:30", "1"), back("04 09:00", "1"), *SOLD, LATER),
        fires=FIRES,
    ),
    Case(
        "more brought back than customers had bought",
        IMBALANCE,
        (THREE, over_the_counter("04 08:30", "1"), back("04 09:00", "9"), *SOLD, LATER),
        fires=FIRES,
    ),
    Case("brought back what the bill says", IMBALANCE, (THREE, *SOLD, back("05 12:00", "1", of="05 11:00"), LATER)),
    Case(
        "brought back from a bill that nobody knows",
        IMBALANCE,
        (THREE, *SOLD, back("05 12:00", "1", of="05 23:00"), LATER),
        fires=FIRES,
    ),
    Case(
        "brought back more than was on the bill",
        IMBALANCE,
        (THREE, bill("05 08:00", "1"), *SOLD, back("05 08:30", "9", of="05 08:00"), LATER),
        fires=FIRES,
    ),
    Case(
        "the last bill was taken back, and its goods with it (X01)",
        IMBALANCE,
        (THREE, *SOLD, back("05 12:00", "6", of="05 11:00"), reversal("05 12:00", SOLD[2]), LATER),
    ),
    Case(
        "a refund is a negative line",
        IMBALANCE,
        (THREE, *SOLD, bill("05 12:00", "-1", event_id="refund"), LATER),
    ),
    Case("each bill is told twice", IMBALANCE, (replace(THREE, count=Count(4)), *SOLD, *SOLD, LATER)),
    Case(
        "told twice in other words",
        IMBALANCE,
        (
            replace(THREE, count=Count(4)),
            *SOLD,
            *(replace(one, event_id=f"{one.event_id} again") for one in SOLD),
            LATER,
        ),
    ),
    Case(
        "services are not goods",
        IMBALANCE,
        (THREE, *(replace(one, lines=(replace(one.lines[0], list_type="201"),)) for one in SOLD), LATER),
    ),
    # counted again
    Case(
        "the next count finds it all in order, within a day",
        IMBALANCE,
        (THREE, *SOLD, count("06 10:00", "5"), LATER),
    ),
    Case("it does after a day", IMBALANCE, (THREE, *SOLD, count("06 11:00", "5"), LATER), fires=FIRES),
    Case(
        "a count finds less than there should be, and that is handed out",
        IMBALANCE,
        (count("04 07:00", "50"), THREE, *SOLD, LATER),
        fires=FIRES,
    ),
    Case(
        "counted batch by batch",
        IMBALANCE,
        (
            replace(THREE, batch="1", event_id="first batch"),
            replace(THREE, batch="2", event_id="second batch", count=Count(1)),
            *SOLD,
            LATER,
        ),
    ),
    Case(
        "one batch counted twice",
        IMBALANCE,
        (replace(THREE, batch="1"), replace(THREE, batch="1", event_id="again"), *SOLD, LATER),
        fires=FIRES,
    ),
    # by the tablet
    Case(
        "forty tablets, twenty in a pack",
        IMBALANCE,
        (replace(THREE, count=Count(6)), *SOLD, bill("05 12:00", "40", by_unit=True), LATER),
        known=(drug("X", units_per_pack=Count(20)),),
    ),
    Case(
        "forty-one",
        IMBALANCE,
        (replace(THREE, count=Count(6)), *SOLD, bill("05 12:00", "41", by_unit=True), LATER),
        known=(drug("X", units_per_pack=Count(20)),),
        fires=fires("05 10:00", "05 11:00", "05 12:00"),
    ),
    Case(
        "nobody says how many are in a pack",
        IMBALANCE,
        (replace(THREE, count=Count(6)), *SOLD, bill("05 12:00", "41", by_unit=True), LATER),
    ),
    Case(
        "nor does it matter",
        IMBALANCE,
        (THREE, *SOLD, bill("05 12:00", "41", by_unit=True), LATER),
        fires=FIRES,
        excluded=("X13 data_missing",),
    ),
    # in hospital
    Case(
        "charged on the ward, and settled", IMBALANCE, (COUNTED_AT_H, *ON_THE_WARD, settled(), LATER), fires=WARD_FIRES
    ),
    Case("not settled yet", IMBALANCE, (COUNTED_AT_H, *ON_THE_WARD, LATER)),
    Case(
        "the settlement was taken back",
        IMBALANCE,
        (COUNTED_AT_H, *ON_THE_WARD, settled(), reversal("08 10:00", settled()), LATER),
    ),
    Case(
        "one line was taken back",
        IMBALANCE,
        (COUNTED_AT_H, *ON_THE_WARD, line_reversal("06 10:00", ON_THE_WARD[0], "line of 05 09:00"), settled(), LATER),
    ),
    Case(
        "the bill tells the lines again",
        IMBALANCE,
        (
            replace(COUNTED_AT_H, count=Count(4)),
            *ON_THE_WARD,
            settled(lines=tuple(told for one in ON_THE_WARD for told in one.lines)),
            LATER,
        ),
    ),
    Case(
        "charged on the ward before the count, uploaded after it",
        IMBALANCE,
        (
            count("04 08:00", "20", org="H"),
            *ON_THE_WARD[:2],
            in_stay("05 11:00", "6", uploaded="05 23:00"),
            count("05 20:00", "0", org="H"),
            settled(),
            LATER,
        ),
    ),
    # while the stock feed is silent (F1)
    Case(
        "something is bought every day",
        IMBALANCE,
        (*habit("02-20 09:00", 37), THREE, *SOLD, LATER),
        fires=FIRES,
        excluded=("F1 not_applicable",),
    ),
    Case(
        "nothing has been bought since that day: for three days that may be",
        IMBALANCE,
        (*BOUGHT_DAILY, THREE, *SOLD, nothing_else("10 23:59")),
        fires=FIRES,
    ),
    Case(
        "after three days it is not told any more", IMBALANCE, (*BOUGHT_DAILY, THREE, *SOLD, nothing_else("11 00:00"))
    ),
    Case("nor later, while it is silent", IMBALANCE, (*BOUGHT_DAILY, THREE, *SOLD, LATER)),
    Case(
        "it speaks again, and four days later still says nothing of the drug",
        IMBALANCE,
        (*BOUGHT_DAILY, THREE, *SOLD, *habit("09 09:00", 5), nothing_else("14 00:00")),
        fires=FIRES,
        excluded=("F1 applied",),
    ),
    Case(
        "these four days are not over",
        IMBALANCE,
        (*BOUGHT_DAILY, THREE, *SOLD, *habit("09 09:00", 5), nothing_else("13 23:59")),
    ),
    Case(
        "it speaks again, and the drug was bought a day later",
        IMBALANCE,
        (*BOUGHT_DAILY, THREE, *SOLD, *habit("09 09:00", 5), purchase("10 08:59", "11"), LATER),
    ),
    Case(
        "what was bought meanwhile is told much later",
        IMBALANCE,
        (*BOUGHT_DAILY, THREE, *SOLD, LATER, *habit("05 09:00", 20)),
        fires=FIRES,
        excluded=("F1 not_applicable",),
    ),
    Case(
        "the same of a drug that was last counted the month before",
        IMBALANCE,
        (*BOUGHT_DAILY, count("02-26 08:00", "3"), *SOLD, LATER, *habit("05 09:00", 20)),
        fires=FIRES,
        excluded=("F1 not_applicable",),
    ),
    # across the end of a month
    Case(
        "it begins on the last day, and nothing comes after",
        IMBALANCE,
        (THREE, *ON_THE_LAST_DAY, IN_APRIL),
        fires=fires("31 10:00", "31 11:00"),
    ),
    Case(
        "a purchase comes on the first, 24 hours later",
        IMBALANCE,
        (THREE, *ON_THE_LAST_DAY, purchase("04-01 11:00", "50"), IN_APRIL),
        fires=fires("31 10:00", "31 11:00"),
    ),
    Case(
        "it comes a minute sooner",
        IMBALANCE,
        (THREE, *ON_THE_LAST_DAY, purchase("04-01 10:59", "50"), IN_APRIL),
    ),
    Case(
        "it goes on, and eleven packs more are missing: the next month tells it, too",
        IMBALANCE,
        (THREE, *ON_THE_LAST_DAY, bill("04-03 09:00", "11"), IN_APRIL),
        fires=(*fires("31 10:00", "31 11:00"), *fires("31 10:00", "31 11:00", "04-03 09:00", month="2024-04")),
    ),
    Case(
        "ten more: one lead is enough",
        IMBALANCE,
        (THREE, *ON_THE_LAST_DAY, bill("04-03 09:00", "10"), IN_APRIL),
        fires=fires("31 10:00", "31 11:00"),
    ),
    Case(
        "most is missing in March, too much only in April",
        IMBALANCE,
        (THREE, *ON_THE_LAST_DAY[:2], bill("04-03 09:00", "6"), IN_APRIL),
        fires=fires("31 10:00", "04-03 09:00", month="2024-04"),
    ),
)
