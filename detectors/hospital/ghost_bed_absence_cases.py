"""When a bed is billed without a patient, and when the patient was only elsewhere."""

from typing import Any

from detectors.case import LONG_AGO, Case, admission, at, check, discharge, fee, leave, line
from detectors.event import AdmissionChange, AdmissionReversal, Event, ItemRecord, Order, Presence
from detectors.hospital.ghost_bed_absence import GhostBedAbsence

GHOST = GhostBedAbsence()
P, OUT = admission("04 08:00"), discharge("12 10:00")
NEW = AdmissionReversal(event_id="never was", happened_at=at("05 16:00"), org="H", person="P", visit="stay of P")
MISSED = "orange stay stay of P stay of P: "


def looks(results: str, **more: Any) -> tuple[Presence, ...]:
    """ "05 08:30 not_found, 05 15:30 pass": scheduled checks of P."""
    return tuple(check(look[:8], look[9:], **more) for look in results.split(", "))


def at_gate(when: str, direction: Any) -> Presence:
    """Called "out 05 10:00"."""
    return check(when, "pass", check_type="gate", direction=direction, event_id=f"{direction} {when}")


def at_night(results: str) -> tuple[Presence, ...]:
    return looks(results, check_type="night")


def rounds(moments: str, persons: str, ward: str = "W", result: str = "pass") -> tuple[Presence, ...]:
    """Each of these patients was checked on each of these rounds: "04 15:30, 05 09:00"."""
    return tuple(check(when, result, person, ward=ward) for when in moments.split(", ") for person in persons)


def order(when: str, item: str = "", to: str = "") -> Order:
    return Order(
        event_id=f"order {when}",
        happened_at=at(when),
        org="H",
        person="P",
        visit="stay of P",
        order=f"order {when}",
        order_type="temporary",
        item=item,
        to=at(to) if to else None,
    )


def item(name: str, kind: Any, **more: Any) -> ItemRecord:
    return ItemRecord(event_id=name, happened_at=LONG_AGO, valid_from=LONG_AGO, item=name, kind=kind, **more)


def moved(when: str, ward: str, **more: Any) -> AdmissionChange:
    return AdmissionChange(
        event_id="moved", happened_at=at(when), org="H", person="P", visit="stay of P", ward=ward, **more
    )


TWO = looks("05 08:30 not_found, 05 15:30 not_found")
BOTH = MISSED + "P/05/08:30 P/05/15:30"
TIMED_OUT = looks("05 08:30 timeout, 05 15:30 timeout")
WITNESSES = (check("05 09:30", "pass", "Q"), check("05 14:30", "not_found", "R"))
LONG_NIGHT = at_night("04 22:20 not_found, 05 00:20 not_found")
GONE = (at_gate("05 10:00", "out"), at_gate("05 14:01", "in"))
# P is seen on the 4th at 09:00, and then no more; the others are, twice a day
SEEN = check("04 09:00", "pass")
DAILY = "04 15:30, 05 09:00, 05 15:30, 06 09:00"
OTHERS = rounds(DAILY, "QR")
JUST_DUE = check("06 15:00", "pass", "S", ward="V")  # by then a day without checks has been over for a day
SILENT: tuple[Event, ...] = (P, SEEN, *OTHERS, JUST_DUE)
SILENCE = MISSED + "adm P"
SCAN = (item("CT", "exam"), item("bath", "nursing"), item("dialysis", "treatment", series="dialysis"))
HOME = leave("05 08:00", "05 16:00")

CASES = (
    # (a) two rounds in a row
    Case(
        "missing at two rounds in a row, billed all the same",
        GHOST,
        (P, *TWO, fee("05 20:00", line("bed")), OUT),
        fires=(BOTH,),
        excluded=("X19 not_applicable", "X19 data_missing"),
    ),
    Case("missing once", GHOST, (P, TWO[0])),
    Case("missing twice, seen between", GHOST, (P, *looks("05 08:30 not_found, 05 15:30 pass, 06 08:30 not_found"))),
    Case(
        "missing twice, seen between by a surprise check that comes late",
        GHOST,
        (P, *TWO, check("05 12:00", "pass", check_type="surprise")),
    ),
    Case(
        "a broken device between two misses clears nobody",
        GHOST,
        (P, *looks("05 08:30 not_found, 05 15:30 device_error, 06 08:30 not_found")),
        fires=(MISSED + "P/05/08:30 P/06/08:30",),
        excluded=("X19 applied",),
    ),
    Case("the nurse says on leave between two misses", GHOST, (P, *TWO, check("05 12:00", "on_leave"))),
    Case("refusing is missing", GHOST, (P, *looks("05 08:30 refused, 05 15:30 not_found")), fires=(BOTH,)),
    Case(
        "looked for twice on one round",
        GHOST,
        (P, *looks("05 08:30 not_found, 05 08:40 not_found", planned_at=at("05 08:00"))),
    ),
    Case(
        "a surprise check is no round",
        GHOST,
        (P, TWO[0], check("05 15:30", "not_found", check_type="surprise")),
    ),
    Case("not checked is not missing", GHOST, (P, TWO[0], *looks("06 08:30 pass"))),
    Case(
        "missing before the admission, and after the discharge",
        GHOST,
        (admission("05 09:00"), discharge("05 15:00"), *TWO),
    ),
    Case(
        "of two discharges the later one counts",
        GHOST,
        (P, discharge("05 10:00", event_id="o"), *TWO, OUT),
        fires=(BOTH,),
    ),
    Case("the admission was taken back", GHOST, (P, *TWO, NEW)),
    Case("checks of nobody's stay", GHOST, TWO),
    Case("an admission told last", GHOST, (*TWO, P), fires=(BOTH,)),
    Case(
        "of two copies of a check the one received first counts",
        GHOST,
        (
            P,
            *looks("05 08:30 not_found", received_at=at("05 08:32")),
            check("05 08:30", "pass", event_id="copy", check="P/05/08:30", received_at=at("05 08:31")),
            TWO[1],
        ),
    ),
    # time-outs need a witness
    Case("no answer twice, while others of the ward answered", GHOST, (P, *TIMED_OUT, *WITNESSES), fires=(BOTH,)),
    Case(
        "scenario 14: the ward's device is off for a day, nobody answers",
        GHOST,
        (P, *TIMED_OUT, *rounds("05 08:30, 05 15:30", "QR", result="timeout"), *rounds("04 15:30, 06 08:30", "PQR")),
    ),
    Case("no answer twice, and nobody else was asked (X19)", GHOST, (P, *TIMED_OUT)),
    Case(
        "the others answered more than an hour off",
        GHOST,
        (P, *TIMED_OUT, check("05 09:31", "pass", "Q"), WITNESSES[1]),
    ),
    Case(
        "the others answered in another ward",
        GHOST,
        (P, *TIMED_OUT, *(check(w.happened_at.strftime("%d %H:%M"), "pass", "Q", ward="V") for w in WITNESSES)),
    ),
    Case(
        "his own bed answered to a surprise check of the same round",
        GHOST,
        (P, *TIMED_OUT, *looks("05 09:00 not_found, 05 15:40 not_found", check_type="surprise")),
        fires=(BOTH,),
    ),
    Case(
        "another's broken device is no witness",
        GHOST,
        (P, *TIMED_OUT, *rounds("05 08:30, 05 15:30", "Q", result="device_error")),
    ),
    # (b) a night, and the gate
    Case(
        "not in bed at two looks two hours apart in one night",
        GHOST,
        (P, *LONG_NIGHT),
        fires=(MISSED + "P/04/22:20 P/05/00:20",),
    ),
    Case("a minute less than two hours", GHOST, (P, *at_night("04 22:20 not_found, 05 00:19 not_found"))),
    Case("in bed between", GHOST, (P, *LONG_NIGHT, *at_night("04 23:00 pass"))),
    Case("refused between: there", GHOST, (P, *LONG_NIGHT, *at_night("04 23:00 refused"))),
    Case("the first look is before ten", GHOST, (P, *at_night("04 21:59 not_found, 04 23:59 not_found"))),
    Case(
        "from ten on, and until six",
        GHOST,
        (P, *at_night("04 22:00 not_found, 05 06:00 not_found")),
        fires=(MISSED + "P/04/22:00 P/05/06:00",),
    ),
    Case("the second look is after six", GHOST, (P, *at_night("05 04:00 not_found, 05 06:01 not_found"))),
    Case("one look in each of two nights", GHOST, (P, *at_night("04 23:00 not_found, 05 23:00 not_found"))),
    Case("out for four hours", GHOST, (P, GONE[0], at_gate("05 14:00", "in"))),
    Case(
        "out for more than four hours",
        GHOST,
        (P, *GONE),
        fires=(MISSED + "out 05 10:00 in 05 14:01",),
    ),
    Case(
        "scenario 12: by the gate, out of ward B while somebody shopped 30 km away",
        GHOST,
        (P, at_gate("05 13:00", "out"), at_gate("05 18:00", "in"), *looks("05 08:30 pass, 05 19:00 pass")),
        fires=(MISSED + "out 05 13:00 in 05 18:00",),
    ),
    Case(
        "scenario 12: in bed all day while the daughter shopped",
        GHOST,
        (P, *looks("05 08:30 pass, 05 15:30 pass")),
    ),
    Case("back at the bed by another way", GHOST, (P, *GONE, check("05 13:00", "pass"))),
    Case(
        "two hours of the night out by the gate",
        GHOST,
        (P, at_gate("05 21:30", "out"), at_gate("06 00:00", "in")),
        fires=(MISSED + "out 05 21:30 in 06 00:00",),
    ),
    Case("a minute less of the night", GHOST, (P, at_gate("05 21:30", "out"), at_gate("05 23:59", "in"))),
    Case(
        "out, and nobody came back: a day after the four hours",
        GHOST,
        (P, at_gate("05 10:10", "out"), check("06 14:10", "pass", "Q")),
        fires=(MISSED + "out 05 10:10",),
    ),
    Case(
        "out, and the four hours are not yet over for a day",
        GHOST,
        (P, at_gate("05 10:10", "out"), check("06 14:09", "pass", "Q")),
    ),
    Case("out on the day of discharge", GHOST, (P, at_gate("05 08:00", "out"), discharge("05 16:00"))),
    Case(
        "out on the day before the discharge",
        GHOST,
        (P, at_gate("05 18:00", "out"), discharge("06 10:00")),
        fires=(MISSED + "out 05 18:00",),
    ),
    # (c) another face
    Case(
        "another face in the bed: once is enough",
        GHOST,
        (P, *looks("05 08:30 face_mismatch, 05 15:30 pass")),
        fires=("red stay stay of P stay of P: P/05/08:30",),
    ),
    # (d) nobody comes any more
    Case("no check for a day while others of the ward are checked", GHOST, SILENT, fires=(SILENCE,)),
    Case("a minute before it is due", GHOST, (*SILENT[:-1], check("06 14:59", "pass", "S", ward="V"))),
    Case(
        "checked again exactly a day later",
        GHOST,
        (*SILENT, check("05 09:00", "pass"), check("05 15:30", "pass"), check("06 09:00", "pass")),
    ),
    Case("checked late on the second round", GHOST, (*SILENT, check("05 10:00", "pass"), check("06 08:30", "pass"))),
    Case(
        "a check that is uploaded days later",
        GHOST,
        (
            *SILENT,
            check("07 09:00", "pass"),
            check("05 08:00", "pass"),
            check("06 08:00", "pass"),
            check("06 20:00", "pass"),
        ),
    ),
    Case(
        "checked again when it would be noticed", GHOST, (*SILENT, check("05 15:00", "pass"), check("06 10:00", "pass"))
    ),
    Case(
        "checked again a minute later",
        GHOST,
        (*SILENT, check("05 15:01", "pass"), check("06 10:00", "pass")),
        fires=(SILENCE,),
    ),
    Case(
        "of the two others one was checked more than a day before",
        GHOST,
        (P, SEEN, *rounds("04 15:30", "Q"), *rounds("05 20:00", "R"), check("06 21:00", "pass", "S", ward="V")),
    ),
    Case(
        "seen in intensive care, where nobody wrote that he was moved to (X19)",
        GHOST,
        (*SILENT, *rounds("04 20:00, 05 09:00, 05 20:00, 06 09:00", "P", ward="ICU")),
    ),
    Case("moved to intensive care before it would be noticed (X19)", GHOST, (*SILENT, moved("05 10:00", "ICU"))),
    Case("only one other patient was checked (X19)", GHOST, (P, SEEN, *rounds(DAILY, "Q"), JUST_DUE)),
    Case(
        "the others' devices failed as well (X19)",
        GHOST,
        (P, SEEN, *rounds(DAILY, "QR", result="device_error"), JUST_DUE),
    ),
    Case("others of another ward were checked", GHOST, (P, SEEN, *rounds(DAILY, "QR", ward="V"), JUST_DUE)),
    Case("the ward's second round has not come", GHOST, (P, SEEN, *rounds("04 15:30", "QR"), JUST_DUE)),
    Case(
        "one round that takes less than four hours",
        GHOST,
        (P, SEEN, *rounds("04 12:00, 04 15:59", "QR"), JUST_DUE),
    ),
    Case(
        "two rounds four hours apart",
        GHOST,
        (P, SEEN, *rounds("04 12:00, 04 16:00", "QR"), JUST_DUE),
        fires=(SILENCE,),
    ),
    Case(
        "a device that fails at his bed clears nobody",
        GHOST,
        (*SILENT, check("05 09:00", "device_error"), check("05 15:30", "device_error")),
        fires=(SILENCE,),
    ),
    Case("nobody came since the admission", GHOST, (P, *OTHERS, JUST_DUE), fires=(SILENCE,)),
    Case("discharged before the day was over", GHOST, (*SILENT, discharge("05 09:00"))),
    Case("discharged after it", GHOST, (*SILENT, discharge("06 10:00")), fires=(SILENCE,)),
    Case("day surgery", GHOST, (admission("04 08:00", med_type="28"), *SILENT[1:])),
    Case(
        "moved to a ward where the others are checked",
        GHOST,
        (P, SEEN, moved("04 12:00", "V"), *rounds(DAILY, "QR", ward="V"), JUST_DUE),
        fires=(SILENCE,),
    ),
    Case(
        "what the ward he was moved to did meanwhile is told last",
        GHOST,
        (P, SEEN, moved("04 12:00", "V"), JUST_DUE, *rounds(DAILY, "QR", ward="V")),
        fires=(SILENCE,),
    ),
    Case("moved to a ward where nobody is checked", GHOST, (P, SEEN, moved("04 12:00", "U"), *OTHERS, JUST_DUE)),
    Case(
        "a ward that begins its rounds days later",
        GHOST,
        (P, SEEN, *rounds("07 09:00, 07 15:30, 08 09:00", "QR"), check("09 09:00", "pass", "S", ward="V")),
        fires=(SILENCE,),
    ),
    # X19
    Case("on leave by the record, looked for all the same (X19)", GHOST, (P, *TWO, HOME)),
    Case(
        "the leave ended a minute before the first look (X19)",
        GHOST,
        (P, *TWO, leave("04 08:00", "05 08:29")),
        fires=(BOTH,),
    ),
    Case("one look lies in the leave: not in a row", GHOST, (P, *TWO, leave("05 15:00", "05 16:00"))),
    Case(
        "a leave of other rounds excuses none of these",
        GHOST,
        (P, *TWO, leave("06 08:00", "06 18:00"), check("06 08:30", "not_found"), check("06 15:30", "not_found")),
        fires=(BOTH,),
        excluded=("X19 applied",),
    ),
    Case("out by the gate on leave", GHOST, (P, *GONE, leave("05 09:00", "05 15:00"))),
    Case("on leave for all but four hours of it", GHOST, (P, *GONE, leave("05 09:00", "05 10:01"))),
    Case(
        "on leave for all but more than four hours of it",
        GHOST,
        (P, at_gate("05 08:00", "out"), at_gate("05 14:01", "in"), leave("05 08:00", "05 10:00")),
        fires=(MISSED + "out 05 08:00 in 05 14:01",),
    ),
    Case("on leave while nobody came", GHOST, (*SILENT, leave("04 10:00", "06 20:00"))),
    Case("intensive care (X19)", GHOST, (admission("04 08:00", ward="ICU-05"), *looks("05 08:30 face_mismatch"), *TWO)),
    Case("newborn (X19)", GHOST, (admission("04 08:00", dept="新生儿科"), *TWO)),
    Case(
        "a ward whose name only contains the letters",
        GHOST,
        (admission("04 08:00", ward="PRICUT"), *TWO),
        fires=(BOTH,),
    ),
    Case("moved to isolation before the rounds (X19)", GHOST, (P, moved("04 20:00", "隔离1"), *TWO)),
    Case("moved to isolation after them (X19)", GHOST, (P, *TWO, moved("05 20:00", "隔离1")), fires=(BOTH,)),
    Case("nobody comes to intensive care (X19)", GHOST, (admission("04 08:00", dept="ICU"), *SILENT[1:])),
    Case("fetched for a scan on the first round (X19)", GHOST, (P, *TWO, order("05 08:00", "CT")), known=SCAN),
    Case(
        "a scan that was over on the first round (X19)",
        GHOST,
        (P, *TWO, order("05 08:00", "CT", to="05 08:29")),
        fires=(BOTH,),
        known=SCAN,
        excluded=("X19 not_applicable",),
    ),
    Case(
        "dialysis on the second round (X19)", GHOST, (P, *TWO, order("05 13:30", "dialysis", to="05 17:30")), known=SCAN
    ),
    Case("an order for the bedside", GHOST, (P, *TWO, order("05 08:00", "bath")), fires=(BOTH,), known=SCAN),
    Case(
        "an order that does not say for what",
        GHOST,
        (P, *TWO, order("05 08:00")),
        fires=(BOTH,),
        known=SCAN,
        excluded=("X19 data_missing",),
    ),
    Case("an order for what nobody knows", GHOST, (P, *TWO, order("05 08:00", "CT")), fires=(BOTH,)),
)
