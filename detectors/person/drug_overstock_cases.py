"""How much of a drug may be in hand, and what counts as bought."""

from typing import Any

from msgspec.structs import replace

from detectors.case import (
    LONG_AGO,
    Case,
    at,
    drug,
    fee,
    line,
    line_reversal,
    person,
    reversal,
    sale,
    settlement,
)
from detectors.event import Count, ExceptionRecord, Fee, Flag, Line, Prescription, Sale, Settlement
from detectors.person.drug_overstock import DrugOverstock
from detectors.settlement_kinds import IN_PATIENT
from detectors.unit import DAY

STOCK = DrugOverstock()


def tablets(days: float | None = None, item: str = "X", **more: Any) -> Line:
    """One pack of 28; ``days`` as the line says. Any: any other field of a Line."""
    return line(item, days=None if days is None else Count(days), **more)


def bill(when: str, *lines: Line, org: str = "PA", **more: Any) -> Settlement:
    """The one of 4 March is called "b04". Any: fields of a Settlement."""
    name = more.pop("event_id", f"b{when.partition(' ')[0]}")
    own = tuple(replace(one, sn=f"{name}/{n}") for n, one in enumerate(lines))
    return settlement(when, org, event_id=name, lines=own, **more)


def bought(when: str, days: float | None = None, org: str = "PA", **more: Any) -> Settlement:
    """A bill for one drug. Any: fields of its line."""
    return bill(when, tablets(days, **more), org=org)


def stay(when: str, *lines: Line, **more: Any) -> Settlement:
    """A stay in hospital is settled. Any: fields of a Settlement."""
    return bill(when, *lines, org="H", **{"visit": "stay of P", "med_type": "21", **more})


def over_the_counter(when: str, **more: Any) -> Sale:
    """P pays himself. Called "s04". Any: fields of a Sale."""
    return sale(when, org="PA", event_id=f"s{when.partition(' ')[0]}", person="P", **more)


def brought_back(when: str, packs: int, **more: Any) -> Sale:
    return sale(when, org="PA", sale_type="return", count=Count(packs), person="P", **more)


def rx(number: str = "R", when: str = "01 08:00", *, long: bool = True) -> Prescription:
    name = f"rx {number}"
    return Prescription(
        event_id=name, happened_at=at(when), org="H", person="P", rx=number, doctor="D", lines=(), long_term=Flag(long)
    )


def exception(kind: str, since: str = "01 00:00", to: str = "31 00:00", **more: Any) -> ExceptionRecord:
    """Confirmed by name; ``person``, ``org`` or ``item`` says for whom or what. Any: any other field."""
    facts = {"since": at(since), "to": at(to), "confirmer": "Z", **more}
    return ExceptionRecord(
        event_id=f"{kind} {more}", exception=kind, kind=kind, happened_at=LONG_AGO, valid_from=LONG_AGO, **facts
    )


def long_before(event: Settlement, days: int) -> Settlement:
    past = event.happened_at - days * DAY
    return replace(event, event_id=f"{days} days before", bill="past", visit="past", happened_at=past)


G = (drug("X", group="G", units_per_pack=Count(28), daily_dose=Count(1)),)
BRAND = drug("Y", group="G", units_per_pack=Count(14), daily_dose=Count(1))
OTHER = drug("Y", group="other", units_per_pack=Count(28), daily_dose=Count(1))
AGAIN = (bought("04 08:00"), bought("16 08:00"))  # 16 days in hand, 44 after
YELLOW = ("yellow drug P/G 2024-03: b04 b16",)
MONTHS = (bought("01-03 08:00", 84), bought("03-11 08:00", 84))  # on 11 March 16 days in hand, 100 after
MONTHS_FIRE = ("yellow drug P/G 2024-03: b01-03 b03-11",)
HUNDRED = bought("04 08:00", 100)
LONG = replace(MONTHS[1], lines=(replace(MONTHS[1].lines[0], rx="R"),))
FLAG = Flag(1)


def dosed(**more: Any) -> tuple[Settlement, Settlement]:
    """Twice the same, twelve days apart. Any: fields of the line."""
    return bought("04 08:00", **more), bought("16 08:00", **more)


def upload(when: str, *lines: Line, visit: str = "stay of P", **more: Any) -> Fee:
    return fee(when, *lines, visit=visit, **more)


CASES = (
    Case(
        "another month's supply with more than half of the last in hand fires",
        STOCK,
        AGAIN,
        YELLOW,
        known=(*G, person("P")),
        excluded=("X01 not_applicable", "X05 not_applicable", "X06 not_applicable", "X20 not_applicable"),
    ),
    Case("what is bought once is no stock", STOCK, (bought("04 08:00", 300),), known=G),
    Case("two persons have a stock each", STOCK, (AGAIN[0], replace(AGAIN[1], person="Q")), known=G),
    # ── 15 days in hand, 30 afterwards ──
    Case(
        "exactly 15 days in hand fire",
        STOCK,
        (AGAIN[0], bought("17 08:00")),
        ("yellow drug P/G 2024-03: b04 b17",),
        known=G,
    ),
    Case("a second less passes", STOCK, (AGAIN[0], bought("17 08:00:01")), known=G),
    Case("30 days afterwards pass", STOCK, (AGAIN[0], bought("17 08:00", 15)), known=G),
    Case(
        "31 fire",
        STOCK,
        (AGAIN[0], bought("17 08:00", 16)),
        ("yellow drug P/G 2024-03: b04 b17",),
        known=G,
    ),
    Case("who has run out may buy for long", STOCK, (AGAIN[0], bought("04-01 08:00", 90)), known=G),
    # ── levels ──
    Case(
        "180 days are yellow",
        STOCK,
        (HUNDRED, bought("05 08:00", 81)),
        ("yellow drug P/G 2024-03: b04 b05",),
        known=G,
    ),
    Case(
        "181 are orange",
        STOCK,
        (HUNDRED, bought("05 08:00", 82)),
        ("orange drug P/G 2024-03: b04 b05",),
        known=G,
    ),
    Case(
        "365 days are orange",
        STOCK,
        (HUNDRED, bought("05 08:00", 266)),
        ("orange drug P/G 2024-03: b04 b05",),
        known=G,
    ),
    Case(
        "366 are red",
        STOCK,
        (HUNDRED, bought("05 08:00", 267)),
        ("red drug P/G 2024-03: b04 b05",),
        known=G,
    ),
    Case(
        "two years of dose within 90 days are red, whatever is in hand",
        DrugOverstock(most=3650 * DAY),
        (HUNDRED, bought("05 08:00", 630)),
        ("red drug P/G 2024-03: b04 b05",),
        known=G,
    ),
    Case(
        "a day less is orange",
        DrugOverstock(most=3650 * DAY),
        (HUNDRED, bought("05 08:00", 629)),
        ("orange drug P/G 2024-03: b04 b05",),
        known=G,
    ),
    Case(
        "what was bought 90 days before is not of the 90 days",
        DrugOverstock(most=3650 * DAY),
        (bought("01-01 08:00", 110), bought("03-31 08:00", 620)),
        ("orange drug P/G 2024-03: b01-01 b03-31",),
        known=G,
    ),
    Case(
        "a second later it is",
        DrugOverstock(most=3650 * DAY),
        (bought("01-01 08:00:01", 110), bought("03-31 08:00", 620)),
        ("red drug P/G 2024-03: b01-01 b03-31",),
        known=G,
    ),
    Case(
        "scenario 7: a kidney patient buys fifteen years of a drug in three months",
        STOCK,
        tuple(
            bought(when, 1095) for when in ("01-05 08:00", "01-20 08:00", "02-08 08:00", "02-22 08:00", "03-04 08:00")
        ),
        (
            "red drug P/G 2024-01: b01-05 b01-20",
            "red drug P/G 2024-02: b01-05 b01-20 b02-08 b02-22",
            "red drug P/G 2024-03: b01-05 b01-20 b02-08 b02-22 b03-04",
        ),
        known=G,
    ),
    Case(
        "the highest purchase of a month gives the level",
        STOCK,
        (HUNDRED, bought("05 08:00", 82), bought("06 08:00", 200)),
        ("red drug P/G 2024-03: b04 b05 b06",),
        known=G,
    ),
    # ── of which month, and how far back ──
    Case(
        "a purchase of the next month is that month's lead, and shows what it adds to",
        STOCK,
        (bought("02-25 08:00"), bought("03-02 08:00")),
        ("yellow drug P/G 2024-03: b02-25 b03-02",),
        known=G,
    ),
    Case(
        "what was used up meanwhile is not shown",
        STOCK,
        (bought("01-10 08:00"), *AGAIN),
        YELLOW,
        known=G,
    ),
    Case(
        "what was bought 400 days ago is forgotten",
        STOCK,
        (long_before(bought("04 08:00", 500), 400), bought("04 08:00")),
        known=G,
    ),
    Case(
        "399 days ago it is not",
        STOCK,
        (long_before(bought("04 08:00", 500), 399), bought("04 08:00")),
        ("yellow drug P/G 2024-03: 399 days before b04",),
        known=G,
    ),
    # ── days of a line ──
    Case("the days that a line says come first", STOCK, dosed(days=10, count=Count(9)), known=G),
    Case("then its dose and how often it is taken", STOCK, dosed(dose=Count(2), frequency="qd"), known=G),
    *(
        Case(f"two packs of 28 for two weeks each: {often}", STOCK, dosed(dose=Count(1), frequency=often), known=G)
        for often in ("bid", "BID", "tid", "qid", "2", "3", "2.5")
    ),
    *(
        Case(
            f"a pack of 28 lasts long enough: {often}",
            STOCK,
            dosed(dose=Count(1), frequency=often),
            YELLOW,
            known=G,
        )
        for often in ("qd", "qod", "1", "")
    ),
    Case(
        "once a week, 28 tablets last more than half a year",
        STOCK,
        dosed(dose=Count(1), frequency="qw"),
        ("red drug P/G 2024-03: b04 b16",),
        known=G,
    ),
    Case("a dose without a frequency leaves the usual one", STOCK, dosed(dose=Count(9)), YELLOW, known=G),
    Case(
        "a frequency that nobody understands too",
        STOCK,
        dosed(dose=Count(9), frequency="as needed"),
        YELLOW,
        known=G,
    ),
    Case("half a pack by the tablet lasts two weeks", STOCK, dosed(count=Count(14), by_unit=FLAG), known=G),
    Case(
        "a whole one, tablet by tablet, four",
        STOCK,
        dosed(count=Count(28), by_unit=FLAG),
        YELLOW,
        known=G,
    ),
    Case("several packs add up", STOCK, dosed(count=Count(2)), ("yellow drug P/G 2024-03: b04 b16",), known=G),
    Case(
        "nobody says how long a pack lasts",
        STOCK,
        AGAIN,
        known=(drug("X", group="G", units_per_pack=Count(28)),),
    ),
    Case("nor how many make a pack", STOCK, AGAIN, known=(drug("X", group="G", daily_dose=Count(1)),)),
    Case(
        "where the line says it, neither is needed",
        STOCK,
        dosed(days=28),
        YELLOW,
        known=(drug("X", group="G"),),
    ),
    Case("no record of the drug", STOCK, dosed(days=28)),
    Case("a record without a group", STOCK, dosed(days=28), known=(drug("X"),)),
    Case(
        "a dose that no calendar holds",
        STOCK,
        dosed(days=10**12),
        ("red drug P/G 2024-03: b04 b16",),
        known=G,
    ),
    # ── groups ──
    Case(
        "another maker's pack is of the same stock",
        STOCK,
        (AGAIN[0], bought("16 08:00", 28, item="Y")),
        YELLOW,
        known=(*G, BRAND),
    ),
    Case("another drug is not", STOCK, (AGAIN[0], bought("16 08:00", item="Y")), known=(*G, OTHER)),
    Case(
        "two drugs are two leads",
        STOCK,
        (bill("04 08:00", tablets(), tablets(item="Y")), bill("16 08:00", tablets(), tablets(item="Y"))),
        (*YELLOW, "yellow drug P/other 2024-03: b04 b16"),
        known=(*G, OTHER),
    ),
    Case(
        "two lines of one bill come one after the other",
        STOCK,
        (bill("04 08:00", tablets(), tablets()),),
        ("yellow drug P/G 2024-03: b04",),
        known=G,
    ),
    Case(
        "a service is no drug, whatever its code",
        STOCK,
        dosed(list_type="201"),
        known=G,
    ),
    # ── what counts as bought ──
    Case("told in any order", STOCK, tuple(reversed(AGAIN)), YELLOW, known=G),
    Case(
        "self-paid packs count",
        STOCK,
        (over_the_counter("04 08:00"), AGAIN[1]),
        ("yellow drug P/G 2024-03: s04 b16",),
        known=G,
    ),
    Case(
        "and fire themselves",
        STOCK,
        (AGAIN[0], over_the_counter("16 08:00")),
        ("yellow drug P/G 2024-03: b04 s16",),
        known=G,
    ),
    Case(
        "self-paid, half a pack lasts two weeks",
        STOCK,
        (over_the_counter("04 08:00", count=Count(14), by_unit=FLAG), AGAIN[1]),
        known=G,
    ),
    Case("nobody's are nobody's", STOCK, (sale("04 08:00", org="PA"), AGAIN[1]), known=G),
    Case(
        "the record of a bill's goods tells them again",
        STOCK,
        (AGAIN[0], over_the_counter("04 08:00:10", bill=AGAIN[0].bill)),
        known=G,
    ),
    Case("a bill taken back withdraws it (X01)", STOCK, (*AGAIN, reversal("17 10:00", AGAIN[0])), known=G),
    Case("the reversal may come first", STOCK, (reversal("17 10:00", AGAIN[1]), *AGAIN), known=G),
    Case(
        "a bill told twice is bought once",
        STOCK,
        (
            replace(AGAIN[0], received_at=at("04 08:01")),
            replace(AGAIN[0], event_id="again", happened_at=at("16 08:00"), received_at=at("16 08:01")),
        ),
        known=G,
    ),
    Case(
        "packs that were brought back are not in hand",
        STOCK,
        (bought("04 08:00", count=Count(2)), brought_back("05 08:00", 1, bill="bill of b04"), bought("18 08:00")),
        known=G,
    ),
    Case(
        "the rest of them is",
        STOCK,
        (bought("04 08:00", count=Count(2)), brought_back("05 08:00", 1, bill="bill of b04"), AGAIN[1]),
        YELLOW,
        known=G,
        excluded=("X01 applied",),
    ),
    Case(
        "never more than was bought is brought back",
        STOCK,
        (bought("04 08:00"), brought_back("05 08:00", 9, bill="bill of b04"), bought("05 09:00"), AGAIN[1]),
        ("yellow drug P/G 2024-03: b05 b16",),
        known=G,
    ),
    Case(
        "of packs without a bill the latest are brought back",
        STOCK,
        (over_the_counter("01 08:00"), over_the_counter("04 08:00"), brought_back("05 08:00", 1), bought("15 08:00")),
        known=G,
    ),
    Case(
        "packs of a bill are not brought back without naming it",
        STOCK,
        (AGAIN[0], brought_back("05 08:00", 1), AGAIN[1]),
        YELLOW,
        known=G,
        excluded=("X01 not_applicable",),
    ),
    Case(
        "nor those of another drug",
        STOCK,
        (AGAIN[0], brought_back("05 08:00", 1, bill="bill of b04", item="Y"), AGAIN[1]),
        YELLOW,
        known=(*G, BRAND),
    ),
    Case(
        "a refund row lowers what is in hand",
        STOCK,
        (AGAIN[0], bill("05 08:00", tablets(14, count=Count(-1))), bought("08 08:00", 20)),
        known=G,
    ),
    Case(
        "a line taken back is not bought",
        STOCK,
        (
            replace(AGAIN[0], lines=()),
            upload("04 08:00", tablets(), org="PA", visit="visit of b04"),
            AGAIN[1],
            line_reversal("05 08:00", upload("04 08:00", org="PA", visit="visit of b04"), "line of X"),
        ),
        known=G,
    ),
    # ── lines that are uploaded apart from the bill ──
    Case(
        "lines uploaded before the bill count from when they were handed out",
        STOCK,
        (
            upload("20 20:00", tablets(occurred_at=at("16 08:00")), org="HB", visit="V"),
            AGAIN[0],
            bill("20 21:00", org="HB", visit="V"),
        ),
        ("yellow drug P/G 2024-03: b04 b20",),
        known=G,
    ),
    Case(
        "without a bill they are not bought",
        STOCK,
        (AGAIN[0], upload("16 20:00", tablets(), org="HB", visit="V")),
        known=G,
    ),
    Case(
        "nor with another visit's",
        STOCK,
        (AGAIN[0], upload("16 20:00", tablets(), org="HB", visit="V"), bill("16 21:00", org="HB", visit="W")),
        known=G,
    ),
    Case(
        "a line that is uploaded and billed is bought once",
        STOCK,
        (
            bill("04 08:00", tablets(), org="HB", visit="V"),
            upload("04 07:50", tablets(sn="b04/0"), org="HB", visit="V"),
        ),
        known=G,
    ),
    Case(
        "uploaded after the bill, in the next month, it is that month's lead",
        STOCK,
        (
            bought("03-20 08:00"),
            bill("03-31 21:00", org="HB", visit="V"),
            upload("04-02 08:00", tablets(occurred_at=at("03-31 08:00")), org="HB", visit="V"),
        ),
        ("yellow drug P/G 2024-04: b03-20 b03-31",),
        known=G,
    ),
    Case(
        "of two bills of a visit the first after the line settles it",
        STOCK,
        (
            AGAIN[0],
            bill("10 08:00", org="HB", visit="V"),
            upload("16 09:00", tablets(occurred_at=at("16 08:00")), org="HB", visit="V"),
            bill("18 08:00", org="HB", visit="V"),
        ),
        ("yellow drug P/G 2024-03: b04 b18",),
        known=G,
    ),
    # ── in hospital ──
    *(
        Case(
            f"what is given in the ward is no stock: {kind}",
            STOCK,
            (AGAIN[0], upload("16 20:00", tablets(28), org="H"), stay("17 10:00", med_type=kind)),
            known=G,
        )
        for kind in IN_PATIENT
    ),
    Case(
        "what is taken home is",
        STOCK,
        (AGAIN[0], upload("16 20:00", tablets(28, take_home=FLAG), org="H"), stay("17 10:00")),
        ("yellow drug P/G 2024-03: b04 b17",),
        known=G,
    ),
    Case(
        "and so it is if the bill tells it",
        STOCK,
        (AGAIN[0], stay("16 08:00", tablets(28, take_home=FLAG), tablets(99))),
        ("yellow drug P/G 2024-03: b04 b16",),
        known=G,
    ),
    # ── long prescriptions ──
    Case(
        "scenario 6: 84 days on a long prescription, fetched again on day 80 (X05)",
        STOCK,
        (rx(), bought("01-01 08:00", 84, rx="R"), bought("03-21 08:00", 84, rx="R")),
        known=G,
    ),
    Case("100 days in hand are too many without one", STOCK, MONTHS, MONTHS_FIRE, known=G),
    Case(
        "and with one",
        STOCK,
        (rx(), MONTHS[0], LONG),
        MONTHS_FIRE,
        known=G,
        excluded=("X05 applied",),
    ),
    Case(
        "99 pass with one (X05)",
        STOCK,
        (rx(), MONTHS[0], replace(LONG, happened_at=LONG.happened_at + DAY)),
        known=G,
    ),
    Case(
        "the prescription may be told last",
        STOCK,
        (MONTHS[0], replace(LONG, happened_at=LONG.happened_at + DAY), rx()),
        known=G,
    ),
    Case(
        "not with one that is not marked as long",
        STOCK,
        (rx(long=False), MONTHS[0], replace(LONG, happened_at=LONG.happened_at + DAY)),
        MONTHS_FIRE,
        known=G,
        excluded=("X05 not_applicable",),
    ),
    Case(
        "nor with one that the line does not name",
        STOCK,
        (rx("another"), MONTHS[0], replace(LONG, happened_at=LONG.happened_at + DAY)),
        MONTHS_FIRE,
        known=G,
        excluded=("X05 data_missing",),
    ),
    Case(
        "self-paid on a long prescription",
        STOCK,
        (rx(), MONTHS[0], over_the_counter("12 08:00", count=Count(3), rx="R")),
        known=G,
    ),
    # ── registered diseases ──
    Case(
        "99 days for a registered disease pass (X06)",
        STOCK,
        (MONTHS[0], replace(MONTHS[1], happened_at=MONTHS[1].happened_at + DAY, med_type="140104")),
        known=G,
    ),
    Case(
        "100 do not",
        STOCK,
        (MONTHS[0], replace(MONTHS[1], med_type="140104")),
        MONTHS_FIRE,
        known=G,
        excluded=("X06 applied",),
    ),
    *(
        Case(
            f"at a pharmacy, by the disease that the bill names: {registered} and {named}",
            STOCK,
            (AGAIN[0], replace(AGAIN[1], disease=named)),
            known=(*G, person("P", diseases=("I10", registered))),
        )
        for registered, named in (("E11", "E11"), ("E11", "E11.900"), ("E11.900", "E11"))
    ),
    Case(
        "a disease that is not registered",
        STOCK,
        (AGAIN[0], replace(AGAIN[1], disease="E11")),
        YELLOW,
        known=(*G, person("P", diseases=("I10",))),
        excluded=("X06 not_applicable",),
    ),
    Case(
        "a bill that names no disease, of somebody who is registered for one",
        STOCK,
        AGAIN,
        YELLOW,
        known=(*G, person("P", diseases=("E11",))),
        excluded=("X06 not_applicable",),
    ),
    Case(
        "registered only later",
        STOCK,
        (AGAIN[0], replace(AGAIN[1], disease="E11")),
        YELLOW,
        known=(*G, person("P"), person("P", at("17 00:00"), diseases=("E11",))),
    ),
    Case(
        "nothing is known of the person",
        STOCK,
        (AGAIN[0], replace(AGAIN[1], disease="E11")),
        YELLOW,
        known=G,
        excluded=("X06 data_missing",),
    ),
    Case(
        "a disease with a cap of its own",
        DrugOverstock(disease_caps=(("C", 180 * DAY), ("E11", 40 * DAY))),
        (AGAIN[0], replace(AGAIN[1], med_type="140104", disease="E11.9")),
        YELLOW,
        known=G,
        excluded=("X06 applied",),
    ),
    Case(
        "and with a higher one",
        DrugOverstock(disease_caps=(("C", 180 * DAY), ("E11", 40 * DAY))),
        (MONTHS[0], replace(MONTHS[1], med_type="140104", disease="C50")),
        known=G,
    ),
    Case(
        "a cap that the bureau confirmed for the person",
        STOCK,
        MONTHS,
        known=(*G, exception("X06", person="P", value=100)),
    ),
    Case(
        "a day less than was bought",
        STOCK,
        MONTHS,
        MONTHS_FIRE,
        known=(*G, exception("X06", person="P", value="99")),
        excluded=("X06 applied",),
    ),
    Case(
        "confirmed for another drug",
        STOCK,
        MONTHS,
        MONTHS_FIRE,
        known=(*G, exception("X06", person="P", item="Y", value=100)),
    ),
    Case(
        "confirmed until the day before",
        STOCK,
        MONTHS,
        MONTHS_FIRE,
        known=(*G, exception("X06", to="10 08:00", person="P", value=100)),
    ),
    Case(
        "confirmed without a number",
        STOCK,
        MONTHS,
        MONTHS_FIRE,
        known=(*G, exception("X06", person="P", value="plenty")),
    ),
    Case(
        "a drug's cap holds for a registered disease",
        STOCK,
        (MONTHS[0], replace(MONTHS[1], med_type="140104")),
        known=(*G, exception("X06", item="X", value=100)),
    ),
    Case(
        "for others it does not",
        STOCK,
        MONTHS,
        MONTHS_FIRE,
        known=(*G, exception("X06", item="X", value=100)),
    ),
    # ── shortages ──
    Case("a confirmed shortage (X20)", STOCK, AGAIN, known=(*G, exception("X20", item="X"))),
    *(
        Case(f"for {kind} alone", STOCK, AGAIN, known=(*G, exception("X20", **{kind: name})))
        for kind, name in (("person", "P"), ("org", "PA"))
    ),
    Case("before it began", STOCK, AGAIN, YELLOW, known=(*G, exception("X20", since="17 00:00", item="X"))),
    Case(
        "one purchase inside it, one outside",
        STOCK,
        (*AGAIN, bought("20 08:00")),
        ("yellow drug P/G 2024-03: b04 b16 b20",),
        known=(*G, exception("X20", to="18 00:00", item="X")),
        excluded=("X20 applied",),
    ),
)
