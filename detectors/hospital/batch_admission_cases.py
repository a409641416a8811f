"""When patients come by the busload, and when a department is busy for honest reasons."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from detectors.case import Case, admission, at, discharge, mass_day, org, person, reversal, settlement
from detectors.event import Admission, AdmissionReversal, CalendarRecord, Discharge, OrgRecord, PersonRecord, Settlement
from detectors.hospital.batch_admission import BatchAdmission
from detectors.unit import DAY, MINUTE

BATCH = BatchAdmission()
FIVE, TEN = "ABCDE", "ABCDEFGHIJ"


def bus(
    start: str = "29 09:00", persons: str = FIVE, illnesses: str = "", minutes: float = 10, **more: Any
) -> tuple[Admission, ...]:
    """A patient a letter, so many minutes apart; an illness a letter of I10 "i", J18 "j", K80 "k". Any: see case."""
    told = {"i": "I10.x00", "j": "J18.900", "k": "K80.200", "I": "I10.x02", " ": ""}
    rows = zip(persons, illnesses or "i" * len(persons), strict=True)
    first = [(admission(start, who, **{"diagnosis": told[illness], **more})) for who, illness in rows]
    return tuple(replace(row, happened_at=row.happened_at + n * minutes * MINUTE) for n, row in enumerate(first))


def people(persons: str, **more: Any) -> tuple[PersonRecord, ...]:
    return tuple(person(who, **more) for who in persons)


def seen(persons: str, when: str = "29 08:00", org: str = "H", med_type: str = "11") -> tuple[Settlement, ...]:
    """Out-patient bills."""
    return tuple(settlement(when, org, who, event_id=f"opd {who}", med_type=med_type) for who in persons)


def left(persons: str, when: str = "04-02 10:00") -> tuple[Discharge, ...]:
    return tuple(discharge(when, who) for who in persons)


def usual(*counts: int, since: str = "03-01 09:00", name: str = "old", **more: Any) -> tuple[Admission, ...]:
    """So many each week from that Friday (or other day) on, with nothing in common."""
    return tuple(
        replace(
            admission(since, f"{name} {week}.{n}", diagnosis=f"X{n}{week}", **more),
            happened_at=at(since) + week * timedelta(weeks=1) + n * MINUTE,
        )
        for week, count in enumerate(counts)
        for n in range(count)
    )


def fires(persons: Iterable[str] = FIVE, level: str = "orange", day: str = "2024-03-29") -> tuple[str, ...]:
    return (f"{level} org H {day}: {' '.join(f'adm {who}' for who in persons)}",)


def outbreak(**more: Any) -> CalendarRecord:
    return mass_day("29", kind="outbreak", **more)


def hospitals(names: str, area: str = "330101", level: str = "3") -> tuple[OrgRecord, ...]:
    return tuple(org(name, kind="hospital", level=level, area=area) for name in names)


def elsewhere(*counts: int, weeks: int = 1, dept: str = "D") -> tuple[Admission, ...]:
    """So many at each of P, Q, R, S, T, on the last of the Fridays before 29 March."""
    since = f"{29 - 7 * weeks:02} 09:00"
    return tuple(
        row
        for name, count in zip("PQRST", counts, strict=False)
        for row in usual(*(count,) * weeks, since=since, name=f"{name}{weeks}", org=name, dept=dept)
    )


VILLAGERS = people(FIVE, village="V")
EIGHT = "ABCDEFGH"
# ten in 24 hours, never five in two; Friday 29 March
SPREAD = bus("28 22:30", TEN, minutes=60)
SPREAD_FIRES = fires(TEN)
QUIET_FRIDAYS = usual(1, 1, 1, 1)
NEIGHBOURS = hospitals("HPQRST")

CASES = (
    Case(
        "five in forty minutes, alike, examined by nobody",
        BATCH,
        bus(),
        fires=fires(),
        excluded=("X10 not_applicable",),
    ),
    Case("four", BATCH, bus(persons="ABCD")),
    Case("the fifth comes just under two hours after the first", BATCH, bus(minutes=29.99), fires=fires()),
    Case("the fifth comes two hours after the first", BATCH, bus(minutes=30)),
    Case("three of five have the same illness", BATCH, bus(illnesses="iiijk"), fires=fires()),
    Case(
        "four of seven have the same illness",
        BATCH,
        bus(persons="ABCDEFG", illnesses="jkjiiii", minutes=15),
    ),
    Case("what follows the dot of the diagnosis differs", BATCH, bus(illnesses="iIiIi"), fires=fires()),
    Case("nobody says what they have", BATCH, bus(illnesses="     ")),
    Case("two of five do not say what they have", BATCH, bus(illnesses="iii  "), fires=fires()),
    Case("two departments", BATCH, (*bus(persons="ABC"), *bus(persons="DE", dept="E"))),
    Case("two hospitals", BATCH, (*bus(persons="ABC"), *bus(persons="DE", org="K"))),
    Case(
        "two departments, each with its batch: one lead of the hospital",
        BATCH,
        (*bus(), *bus("29 14:00", "FGHIJ", dept="E")),
        fires=(*fires(), *fires("FGHIJ")),
    ),
    Case("one of five was seen in the clinic that day", BATCH, (*bus(), *seen("A")), fires=fires()),
    Case("two of five were seen in the clinic that day", BATCH, (*bus(), *seen("AB"))),
    Case(
        "all were seen, three of five are from one village",
        BATCH,
        (*bus(), *seen(FIVE)),
        fires=fires(),
        known=people("ABC", village="V"),
    ),
    Case(
        "all were seen, two of five are from one village", BATCH, (*bus(), *seen(FIVE)), known=people("AB", village="V")
    ),
    Case(
        "all were seen, three of five work for one employer",
        BATCH,
        (*bus(), *seen(FIVE)),
        fires=fires(),
        known=people("ABC", employer="E"),
    ),
    Case(
        "two from one village and two others of one employer",
        BATCH,
        (*bus(), *seen(FIVE)),
        known=(*people("AB", village="V"), *people("CD", employer="E")),
    ),
    Case("nothing is known of the persons, and all were seen", BATCH, (*bus(), *seen(FIVE))),
    Case("seen after the admission, the same day", BATCH, (*bus(), *seen("AB", "29 23:00"))),
    Case("seen the day before", BATCH, (*bus(), *seen(FIVE, "28 23:00")), fires=fires()),
    Case("a purchase is no examination", BATCH, (*bus(), *seen(FIVE, org="P", med_type="41")), fires=fires()),
    Case("seen in another house", BATCH, (*bus(), *seen("AB", org="K"))),
    Case(
        "the visit of one was taken back",
        BATCH,
        (*bus(), *seen("AB"), reversal("29 20:00", seen("B")[0])),
        fires=fires(),
    ),
    Case("two came as emergencies", BATCH, (*bus(persons="ABC"), *bus("29 09:30", "DE", med_type="24"))),
    Case("a morning of day surgery: examined days before", BATCH, bus(med_type="28")),
    Case("a morning of day surgery for one village", BATCH, bus(med_type="28"), fires=fires(), known=VILLAGERS),
    Case("a morning of chemotherapy", BATCH, bus(diagnosis="Z51.100")),
    Case("palliative care is not planned", BATCH, bus(diagnosis="Z51.500"), fires=fires()),
    Case("half of them leave on one day", BATCH, (*bus(persons="ABCDEF"), *left("ABC")), fires=fires("ABCDEF", "red")),
    Case("two of five leave on one day", BATCH, (*bus(), *left("AB"), *left("C", "04-03 10:00")), fires=fires()),
    Case(
        "of two discharges the later counts",
        BATCH,
        (*bus(), *left("ABC"), discharge("04-03 10:00", "C", event_id="again")),
        fires=fires(),
    ),
    Case(
        "scenario 11: eight villagers in ninety minutes, the same illness, the same day of discharge",
        BATCH,
        (*bus(persons=EIGHT, minutes=12), *left(EIGHT)),
        fires=fires(EIGHT, "red"),
        known=people(EIGHT, village="V"),
    ),
    Case(
        "scenario 11, on a registered day of screening follow-up (X10)",
        BATCH,
        (*bus(persons=EIGHT, minutes=12), *left(EIGHT)),
        known=(*people(EIGHT, village="V"), mass_day("29", village="V")),
    ),
    Case("a screening at the hospital (X10)", BATCH, bus(), known=(mass_day("29", org="H"),)),
    Case("a screening at another hospital", BATCH, bus(), fires=fires(), known=(mass_day("29", org="K"),)),
    Case("a screening the day before", BATCH, bus(), fires=fires(), known=(mass_day("28", org="H"),)),
    Case("a holiday gathers nobody", BATCH, bus(), fires=fires(), known=(mass_day("29", org="H", kind="holiday"),)),
    Case("an outbreak in their village (X10)", BATCH, bus(), known=(*VILLAGERS, outbreak(village="V"))),
    Case("an outbreak that the hospital reported (X10)", BATCH, bus(), known=(outbreak(org="H"),)),
    Case(
        "one of six is from the village that is screened: five are left (X10)",
        BATCH,
        bus(persons="FABCDE"),
        fires=fires(),
        known=(person("F", village="V"), mass_day("29", village="V")),
        excluded=("X10 applied",),
    ),
    Case(
        "two of six are from the village that is screened: four are left (X10)",
        BATCH,
        bus(persons="FABCDE"),
        known=(*people("AF", village="V"), mass_day("29", village="V")),
    ),
    Case(
        "the fifth comes after midnight: of the day that completes it",
        BATCH,
        bus("28 23:30"),
        fires=fires(day="2024-03-29"),
    ),
    Case(
        "five before midnight and one after: each day sees its own",
        BATCH,
        bus("28 23:10", "ABCDEF"),
        fires=(*fires(day="2024-03-28"), *fires("ABCDEF")),
    ),
    Case(
        "one admission was taken back",
        BATCH,
        (
            *bus(),
            AdmissionReversal(event_id="never", happened_at=at("29 20:00"), org="H", person="E", visit="stay of E"),
        ),
    ),
    Case(
        "of two copies the one received first counts, and is of another illness",
        BATCH,
        (
            *(replace(row, received_at=row.happened_at + DAY) for row in bus(illnesses="iiijk")),
            replace(bus(illnesses="iijjk")[2], event_id="copy", received_at=at("29 09:21")),
        ),
    ),
    Case(
        "ten in a day, where one is usual",
        BATCH,
        (*QUIET_FRIDAYS, *SPREAD),
        fires=SPREAD_FIRES,
        excluded=("X11 data_missing",),
    ),
    Case("nine in a day", BATCH, (*QUIET_FRIDAYS, *SPREAD[1:])),
    Case(
        "ten, the first of them 24 hours before the last", BATCH, (*QUIET_FRIDAYS, *bus("28 09:00", TEN, minutes=160))
    ),
    # six, seven, eight, nine are usual: median 7.5, spread 1.4826; ten is 1.7 above
    Case("ten in a day, where that is nearly usual", BATCH, (*usual(6, 7, 8, 9), *SPREAD)),
    # median 6, spread 0, taken as 1: ten is 4.0 above
    Case("ten in a day, where it is always six", BATCH, (*usual(6, 6, 6, 6), *SPREAD), fires=SPREAD_FIRES),
    # median 6.5, spread 0.7413: ten is 4.7 above; of 6, 7, 7, 7: median 7, spread 1: 3.0
    Case("ten in a day, where it is mostly seven", BATCH, (*usual(6, 7, 7, 7), *SPREAD)),
    Case(
        "other weekdays do not matter",
        BATCH,
        (*QUIET_FRIDAYS, *usual(9, 9, 9, since="03-07 09:00", name="Thursday"), *SPREAD),
        fires=SPREAD_FIRES,
    ),
    Case("a department that is known for 27 days", BATCH, (*usual(1, since="03-02 09:00"), *SPREAD)),
    Case(
        "a department that was known longer, and closed 28 days ago",
        BATCH,
        (*usual(1, since="02-21 09:00"), *SPREAD),
        fires=SPREAD_FIRES,
    ),
    Case(
        "what was uploaded three days after its day does not move what is usual",
        BATCH,
        (*QUIET_FRIDAYS, *usual(0, 0, 9, 9, name="late", received_at=at("26 00:00")), *SPREAD),
        fires=SPREAD_FIRES,
    ),
    Case(
        "what was uploaded less than three days after its day does",
        BATCH,
        (*QUIET_FRIDAYS, *usual(0, 0, 9, 9, name="late", received_at=at("18 23:59")), *SPREAD),
    ),
    Case(
        "ten in a day of a new department, where one is usual at five peers",
        BATCH,
        (*elsewhere(1, 1, 1, 1, 1), *SPREAD),
        fires=SPREAD_FIRES,
        known=NEIGHBOURS,
        excluded=("X11 not_applicable",),
    ),
    Case("four peers are too few", BATCH, (*elsewhere(1, 1, 1, 1), *SPREAD), known=NEIGHBOURS),
    # median 6, spread 0, taken as 1: ten is 4.0 above; of 6, 6, 7, 7, 7: median 7, 3.0 above
    Case("six are usual at the peers", BATCH, (*elsewhere(6, 6, 6, 6, 6), *SPREAD), SPREAD_FIRES, NEIGHBOURS),
    Case("mostly seven are usual at the peers", BATCH, (*elsewhere(6, 6, 7, 7, 7), *SPREAD), known=NEIGHBOURS),
    Case(
        "all weeks of the peers count that are known",
        BATCH,
        (*elsewhere(1, 1, 1, 1, 1), *elsewhere(9, 9, 9, 9, weeks=2), *SPREAD),
        known=NEIGHBOURS,
    ),
    Case(
        "peers of the district are too few: those of all districts count",
        BATCH,
        (*elsewhere(1, 1, 1, 1, 1), *SPREAD),
        fires=SPREAD_FIRES,
        known=(*hospitals("HPQRS"), *hospitals("T", area="330102")),
    ),
    Case(
        "a hospital of another level is no peer",
        BATCH,
        (*elsewhere(1, 1, 1, 1, 1), *SPREAD),
        known=(*hospitals("HPQRS"), *hospitals("T", level="1")),
    ),
    Case("another department is none", BATCH, (*elsewhere(1, 1, 1, 1, 1, dept="E"), *SPREAD), known=NEIGHBOURS),
    Case("nothing is known of the hospital", BATCH, (*elsewhere(1, 1, 1, 1, 1), *SPREAD), known=hospitals("PQRST")),
    Case(
        "with four weeks of its own it is compared with itself",
        BATCH,
        (*usual(7, 7, 7, 7), *elsewhere(1, 1, 1, 1, 1), *SPREAD),
        known=NEIGHBOURS,
    ),
    Case(
        "the batch's own hours are judged whatever is usual",
        BATCH,
        (*usual(9, 9, 9, 9), *bus()),
        fires=fires(),
    ),
)
