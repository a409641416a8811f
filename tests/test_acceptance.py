"""The sixteen scenarios by which the detectors are accepted (domain.md 3.I), each judged by all of them together.

What the columns "must alert" and "must not alert" say of detectors of later waves (A6, A10, B6, B8, B9) is left out:
they do not exist yet. A scenario holds exactly when nobody speaks but those who must.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace as changed

from alerts.keeper import Table
from detectors.case import admission, at, check, discharge, drug, fee, line, mass_day, org, person, reversal, sale
from detectors.case import settlement as bill_of
from detectors.catalogue import DETECTORS
from detectors.event import (
    CHINA,
    Count,
    DoctorRecord,
    Event,
    ExceptionRecord,
    Flag,
    ItemRecord,
    Order,
    OrgRecord,
    Prescription,
    Presence,
    Reference,
    RxLine,
    Settlement,
    Swipe,
)
from detectors.finding import Verdict
from detectors.judge import Judge
from detectors.lead import quorate
from replay.memory import Memory
from replay.run import replay
from tests.world import by_name, rising

DAY, HOUR, MINUTE, SECOND = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
DEGREE = 111.195  # km along a meridian
LONG_AGO = datetime(2023, 1, 1, tzinfo=CHINA)
YES = Flag(1)


def alerts(*story: Event, known: Iterable[Reference] = ()) -> set[str]:
    """All that stands at the end: "red trace_code_repeat trace_code CODE"."""
    standing = replay([[*known, *story]], DETECTORS, on_crash=rising)
    leads = (lead for same in by_name(standing).values() for lead in quorate(same))
    return {f"{lead.level} {lead.detector} {lead.subject.kind} {lead.subject.id}" for lead in leads}


# builders: a place, a bill, a stay


def place(name: str, km: float = 0.0, **more: Any) -> OrgRecord:
    """So many kilometres north of the middle of the town. Any: any other field of the record; likewise below."""
    kind = "pharmacy" if name.startswith("P") else "hospital"
    facts = {"kind": kind, "level": "0" if kind == "pharmacy" else "2", "area": "330102", **more}
    return org(name, lon=120.0, lat=30.0 + km / DEGREE, **facts)


PLACES = (place("PA"), place("PB", 4), place("PC", 8), place("PF", 30), place("H"), place("H2", 9))
DOCTOR = DoctorRecord(event_id="DR", happened_at=LONG_AGO, doctor="DR", sites=("H", "H2"), valid_from=LONG_AGO)


def when(moment: datetime) -> str:
    return f"{moment:%m-%d %H:%M:%S}"


def bill(moment: datetime, store: str = "PA", who: str = "P", basket: str = "X", **more: Any) -> Settlement:
    """At the store's only till, by card. A basket: a letter an item, 45 yuan each unless told otherwise."""
    name = more.pop("event_id", f"{store}/{who}/{moment:%Y-%m-%d %H:%M:%S}")
    facts = {"device": f"T-{store}", "cert_type": "03", "received_at": moment + 2 * SECOND, **more}
    made = bill_of(when(moment), store, who, event_id=name, basket="" if "lines" in facts else basket, **facts)
    return changed(made, happened_at=moment)


def card_read(of: Settlement) -> Swipe:
    """Twelve seconds before its bill."""
    moment = of.happened_at - 12 * SECOND
    return Swipe(
        event_id=f"swipe {of.event_id}",
        happened_at=moment,
        received_at=moment + 2 * SECOND,
        org=of.org,
        device=of.device,
        person=of.person,
        cert_type="03",
        agent=of.agent,
        verify_mode=of.verify_mode,
    )


def pack(item: str, rx: str = "", **more: Any) -> Any:
    return line(item, sn=f"line of {item}", rx=rx, needs_rx=YES if rx else Flag(0), **more)


def prescription(moment: datetime, rx: str, item: str, count: int, days: int, *, long: bool = False) -> Prescription:
    lines = (RxLine(item=item, count=Count(count), days=Count(days)),)
    return Prescription(
        event_id=f"rx {rx}",
        happened_at=moment,
        received_at=moment + SECOND,
        org="H",
        person="P",
        rx=rx,
        doctor="DR",
        lines=lines,
        long_term=Flag(long),
    )


def stay(first: datetime, last: datetime, who: str = "P", house: str = "H", **more: Any) -> Iterator[Event]:
    """From admission to discharge: an order and an examination every day, and no checks at the bed."""
    end = {"way": more.pop("way", "1"), "diagnosis": more.get("diagnosis", "I10.x00")}
    visit = f"stay of {who} at {house} {first:%m-%d}"
    yield admission(when(first), who, house, event_id=f"adm {visit}", visit=visit, **more)
    moment = first + 30 * MINUTE
    while moment < last:
        yield Order(
            event_id=f"order {visit} {when(moment)}",
            happened_at=moment,
            org=house,
            person=who,
            visit=visit,
            order=f"order {visit} {when(moment)}",
            order_type="temporary",
        )
        done = line("EXAM", sn=f"{visit} {when(moment)}", occurred_at=moment)
        yield fee(when(moment + HOUR), done, person=who, org=house, visit=visit, event_id=f"fee {visit} {when(moment)}")
        moment += DAY
    yield discharge(when(last), who, house, event_id=f"dscg {visit}", visit=visit, **end)


def look(moment: datetime, result: str, who: str, admitted: datetime, ward: str = "W") -> Presence:
    """A planned check at the bed of somebody who was admitted to H at ``admitted``."""
    name = f"check {who} {when(moment)}"
    visit = f"stay of {who} at H {admitted:%m-%d}"
    return check(when(moment), result, who, "H", ward, event_id=name, visit=visit, planned_at=moment)


def passer_by(moment: datetime) -> Swipe:
    """Whoever comes so late that all silences before are judged."""
    return Swipe(event_id="the clock goes on", happened_at=moment, org="PZ", person="Z", cert_type="01")


# the scenarios


def test_1_a_dozen_persons_at_one_till_45_seconds_apart_buying_the_same_two_drugs() -> None:
    first = at("04 15:00")
    bills = [bill(first + n * 45 * SECOND, who=f"P{n}", basket="XY") for n in range(12)]
    story = [event for one in bills for event in (card_read(one), one)]
    assert alerts(*story, known=PLACES) == {"orange card_batch_swipe till PA/T-PA"}


def test_2_a_mother_who_buys_for_herself_and_three_of_the_family_with_both_papers() -> None:
    first, family = at("04 15:00"), ("mother", "father", "son", "daughter")
    bills = [
        bill(first + n * 2 * MINUTE, who=who, basket="XY", agent="" if who == "mother" else "hash of the mother")
        for n, who in enumerate(family)
    ]
    story = [event for one in bills for event in (card_read(one), one)]
    assert alerts(*story, known=(*PLACES, *(person(who, household="F") for who in family))) == set()


def test_3_a_code_sold_in_december_and_again_at_another_store_in_january() -> None:
    box = (line("X", traces=("CODE",)),)
    sold = bill(datetime(2024, 12, 28, 10, tzinfo=CHINA), "PA", "P", lines=box)
    again = bill(datetime(2025, 1, 2, 16, tzinfo=CHINA), "PB", "Q", lines=box)
    assert alerts(sold, again, known=PLACES) == {"red trace_code_repeat trace_code CODE"}


def test_4_a_code_that_was_returned_and_sold_again() -> None:
    sold = bill(at("04 10:00"), lines=(line("X", traces=("CODE",)),))
    back = sale("04 15:00", "X", ("CODE",), "PA", sale_type="return", bill=sold.bill, person="P")
    again = bill(at("05 09:00"), who="Q", lines=(line("X", traces=("CODE",)),))
    assert alerts(sold, back, again, known=PLACES) == set()


def doses(count: int) -> list[Settlement]:
    """Ten tablets each from one box, day by day, to different patients of a hospital."""
    dose = (line("X", count=Count(10), by_unit=YES, traces=("CODE",)),)
    return [
        bill(at(f"0{4 + n} 10:00"), "H", f"P{n}", med_type="11", lines=dose, event_id=f"dose {n}") for n in range(count)
    ]


def test_5_three_times_ten_tablets_from_a_box_of_thirty_and_then_a_fourth_time() -> None:
    known = (*PLACES, drug("X", group="x tablet", units_per_pack=Count(30), daily_dose=Count(5)))
    assert alerts(*doses(3), known=known) == set()
    assert alerts(*doses(4), known=known) == {"red trace_code_repeat trace_code CODE"}


AMLODIPINE = drug("D", group="amlodipine tablet", units_per_pack=Count(28), daily_dose=Count(1), needs_rx=YES)


def test_6_a_long_prescription_for_84_days_refilled_on_day_80() -> None:
    story: list[Event] = []
    for n, moment in enumerate((at("01-04 09:00"), at("01-04 09:00") + 80 * DAY)):
        bought = (pack("D", f"R{n}", count=Count(3), days=Count(84)),)
        story.append(prescription(moment, f"R{n}", "D", 3, 84, long=True))
        story.append(bill(moment + HOUR, lines=bought, med_type="9929"))
    assert alerts(*story, known=(*PLACES, DOCTOR, AMLODIPINE)) == set()


def test_7_fifteen_years_of_a_kidney_drug_bought_within_three_months() -> None:
    """Every fortnight 33 packs of four weeks each, at three stores in turn: 5,544 days. A6 is of a later wave."""
    known = (*PLACES, DOCTOR, drug("K", group="keto acid tablet", units_per_pack=Count(28), daily_dose=Count(1)))
    story: list[Event] = []
    for n in range(6):
        moment = at("01-04 10:00") + n * 15 * DAY
        bought = (pack("K", f"R{n}", count=Count(33), days=Count(924)),)
        story.append(prescription(moment - HOUR, f"R{n}", "K", 33, 924))
        story.append(bill(moment, ("PA", "PB", "PC")[n % 3], lines=bought))
    assert alerts(*story, known=known) == {"red drug_overstock drug P/keto acid tablet"}


def test_8_dialysis_three_times_a_week_and_a_change_of_site_with_a_transfer_on_record() -> None:
    """After a stay and a transfer at the sister hospital. A6 and A10 are of later waves."""
    sisters = (place("H", owner="G"), place("H2", 9, owner="G"))
    session = ItemRecord(
        event_id="i", happened_at=LONG_AGO, item="HD", kind="treatment", series="dialysis", valid_from=LONG_AGO
    )
    moved = ExceptionRecord(
        event_id="x",
        happened_at=LONG_AGO,
        valid_from=LONG_AGO,
        exception="transfer",
        kind="X20",
        since=at("02-01 00:00"),
        to=at("04-01 00:00"),
        confirmer="Z",
        person="P",
    )
    story: list[Event] = []
    for week in range(8):
        for day in (0, 2, 4):
            moment, house = at("01-08 08:00") + (7 * week + day) * DAY, "H" if week < 4 else "H2"
            done = (line("HD", "420", sn=f"session {week}/{day}"),)
            story.append(bill(moment, house, med_type="140201", lines=done, disease="N18"))
    story += stay(at("02-03 09:00"), at("02-04 09:00"), diagnosis="N18.000", way="2")
    story += stay(at("02-04 12:00"), at("02-04 21:00"), house="H2", diagnosis="N18.000")
    assert alerts(*story, known=(*sisters, session, moved, person("P", diseases=("N18",)))) == set()


def test_9_fourteen_quick_cycles_of_one_drug_at_a_store_by_night() -> None:
    """B9 is of a later wave."""
    story: list[Event] = []
    for n in range(14):
        made = bill(at("04 22:00") + n * 17 * MINUTE)
        story += [made, reversal(when(made.happened_at + 8 * MINUTE), made)]
    story.append(bill(at("04 22:00") + 14 * 17 * MINUTE))
    assert alerts(*story, known=PLACES) == {"orange empty_swipe_reverse person PA/P"}


def test_10_forty_credentials_from_other_provinces_at_one_store_within_a_month_and_some_tourists() -> None:
    """Pills at 590 yuan, one buyer at a time. B6 and B8, which must see it, are of later waves; nobody else may speak,
    and nobody at all of the tourists' small purchases."""
    story: list[Event] = []
    for n in range(40):
        area = f"{11 + n % 21 * 2:02d}0100"
        pills = (line("PILL", "590", sn=f"pill {n}"),)
        moment = at("03-01 09:00") + n * 17 * HOUR
        story.append(bill(moment, "PA", f"A{n}", cert_type="01", insured_area=area, lines=pills, yuan="590"))
    for n in range(6):
        moment = at("03-02 11:00") + n * 3 * DAY
        story.append(bill(moment, "PB", f"T{n}", cert_type="01", insured_area="310104", basket="X", yuan="18"))
    assert alerts(*story, known=PLACES) == set()


def villagers() -> Iterator[Event]:
    """Eight admitted in 84 minutes with one illness, and discharged on one day."""
    for n in range(8):
        first = at("04 09:00") + n * 12 * MINUTE
        yield from stay(first, at("09 10:00") + n * 5 * MINUTE, f"P{n}", diagnosis="H81.100")


VILLAGE: tuple[Reference, ...] = (*PLACES, *(person(f"P{n}", village="V") for n in range(8)))


def test_11_eight_villagers_admitted_in_90_minutes_with_one_illness_and_one_day_of_discharge() -> None:
    assert alerts(*villagers(), known=VILLAGE) == {"red batch_admission org H"}


def test_11_but_not_on_the_day_registered_for_their_screening() -> None:
    assert alerts(*villagers(), known=(*VILLAGE, mass_day("04", village="V"))) == set()


def test_12_a_patient_whose_bed_is_empty_and_whose_face_is_seen_30_km_away() -> None:
    begin = at("04 09:00")
    checks = [look(at(day), "pass", "P", begin) for day in ("04 15:00", "05 08:10", "07 08:10", "07 15:10")]
    checks += [look(at(day), "not_found", "P", begin) for day in ("05 15:10", "06 08:10")]
    bought = bill(at("05 17:00"), "PF", verify_mode="face")
    assert alerts(*stay(begin, at("08 10:00")), *checks, bought, known=PLACES) == {
        "red inpatient_concurrent_claim person P",
        "orange ghost_bed_absence stay stay of P at H 03-04",
    }


def test_12_and_even_where_every_check_at_the_bed_says_that_the_patient_is_there() -> None:
    begin = at("04 09:00")
    days = ("04 15:00", "05 08:10", "05 15:10", "06 08:10", "06 15:10", "07 08:10", "07 15:10")
    checks = [look(at(day), "pass", "P", begin) for day in days]
    bought = bill(at("05 17:00"), "PF", verify_mode="face")
    assert alerts(*stay(begin, at("08 10:00")), *checks, bought, known=PLACES) == {
        "red inpatient_concurrent_claim person P",
        "orange ghost_bed_absence stay stay of P at H 03-04",
    }


def test_12_but_when_the_daughter_buys_his_tablets_with_both_papers_that_is_only_noted() -> None:
    begin = at("04 09:00")
    days = ("04 15:00", "05 08:10", "05 15:10", "06 08:10", "06 15:10", "07 08:10", "07 15:10")
    checks = [look(at(day), "pass", "P", begin) for day in days]
    bought = bill(at("05 17:00"), "PB", verify_mode="agent", agent="hash of the daughter")
    said = alerts(*stay(begin, at("08 10:00")), *checks, bought, known=PLACES)
    assert said == {"yellow inpatient_concurrent_claim person P"}


def test_13_a_bill_taken_back_the_next_day_withdraws_the_alert() -> None:
    box = (line("X", traces=("CODE",)),)
    sold, again = bill(at("04 10:00"), lines=box), bill(at("05 10:00"), "PB", "Q", lines=box)
    assert status_after([[*PLACES, sold, again]]) == ["open"]
    assert status_after([[*PLACES, sold, again], [reversal("06 09:00", again)]]) == ["withdrawn"]
    assert alerts(sold, again, reversal("06 09:00", again), known=PLACES) == set()


def status_after(batches: Sequence[Sequence[Event | Reference]]) -> list[str]:
    """Of every alert that was ever opened, as the officers' list has it."""
    table = Table()

    def publish(verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            table.keep(verdict, at("31 00:00"))

    judge = Judge(memory=Memory(), detectors=DETECTORS, publish=publish, on_crash=rising)
    for batch in batches:
        judge.learn([row for row in batch if isinstance(row, Reference)])
        judge.hear([row for row in batch if not isinstance(row, Reference)])
        while judge.tick():
            pass
    return [alert.status for alert in table.alerts.values()]


OFFLINE = (at("14 12:00"), at("16 00:00"))


def ward(while_offline: str) -> Iterator[Event]:
    """Six patients, seen twice a day for two weeks but for 36 hours; the hospital goes on telling all else.

    while_offline: what the checks say meanwhile; "": there are none.
    """
    begin = at("04 07:00")
    rounds = [begin + n * DAY + clock for n in range(15) for clock in (70 * MINUTE, 490 * MINUTE)]
    for n in range(6):
        yield from stay(begin + n * HOUR, at("20 10:00") + n * HOUR, f"P{n}", diagnosis=f"I1{n}.x00", ward="W")
        for moment in rounds:
            result = while_offline if OFFLINE[0] < moment < OFFLINE[1] else "pass"
            if result and moment > begin + n * HOUR:
                yield look(moment, result, f"P{n}", begin)


def test_14_a_ward_whose_device_is_offline_for_a_day_and_finds_nobody() -> None:
    said = alerts(*ward(""), passer_by(at("19 12:00")), known=PLACES)
    assert {one.split(" ", 1)[1] for one in said} == {"upload_gap org H"}
    assert not any(one.startswith(("orange", "red")) for one in said)


def test_14_nor_does_a_device_that_times_out_at_every_bed_accuse_a_patient() -> None:
    """The checks are told of, each without an answer: no interface is silent."""
    assert alerts(*ward("timeout"), passer_by(at("19 12:00")), known=PLACES) == set()


def test_15_chemotherapy_every_fortnight_at_one_hospital() -> None:
    story = [
        event
        for n in range(5)
        for event in stay(
            at("01-08 09:00") + n * 14 * DAY, at("01-10 15:00") + n * 14 * DAY, diagnosis="Z51.100", dept="oncology"
        )
    ]
    assert alerts(*story, known=PLACES) == set()


def test_16_two_hundred_bills_typed_in_at_eight_in_the_morning_after_a_cut() -> None:
    """One of the buyers was 30 km away, or so it seems, five minutes before."""
    first, received = at("04 18:00"), at("05 08:00")
    bills = [
        bill(first + n * 30 * SECOND, "PA", f"P{n}", basket="XY", received_at=received + n * SECOND) for n in range(200)
    ]
    elsewhere = bill(first + 95 * MINUTE, "PF", "P199")
    assert alerts(*bills, elsewhere, passer_by(at("06 01:00")), known=PLACES) == {"blue upload_gap org PA"}
