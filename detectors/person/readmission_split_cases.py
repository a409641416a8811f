"""When one stay was made two, and when coming back was meant."""

from typing import Any

from detectors.case import Case, admission, at, discharge, org, reversal, settlement
from detectors.event import Admission, AdmissionChange, AdmissionReversal, Discharge
from detectors.person.readmission_split import ReadmissionSplit

SPLIT = ReadmissionSplit()


def first(since: str = "04 09:00", **more: Any) -> Admission:
    return admission(since, event_id="in", visit="1", **more)


def out(when: str, **more: Any) -> Discharge:
    return discharge(when, event_id="out", visit="1", **more)


def back(when: str, **more: Any) -> Admission:
    return admission(when, event_id="back", visit="2", **more)


def home(again: str, left: str = "08 10:00", **more: Any) -> tuple[Admission, Discharge, Admission]:
    """In on the 4th, out on the 8th, and back. Any: fields of the second admission."""
    return first(), out(left), back(again, **more)


FIVE = home("13 11:00")
SPLIT_IN_MARCH = "orange person P 2024-03: in out back"
TAKEN_BACK = AdmissionReversal(event_id="never was", happened_at=at("14 09:00"), org="H", person="P", visit="2")
MOVED = AdmissionChange(event_id="moved", happened_at=at("06 09:00"), org="H", person="P", visit="1", dept="E")
BILL = settlement("08 11:00", "H", visit="1", event_id="bill 1", bill="1")
CHAIN = (org("H", owner="G"), org("K", owner="G"))


def of_illness(diagnosis: str) -> tuple[Admission, Discharge, Admission]:
    return first(diagnosis=diagnosis), out("08 10:00"), back("13 11:00", diagnosis=diagnosis)


CASES = (
    Case(
        "five days at home, and back with the same illness",
        SPLIT,
        FIVE,
        fires=(SPLIT_IN_MARCH,),
        excluded=("X08 not_applicable",),
    ),
    Case("fifteen days at home", SPLIT, home("23 23:59"), fires=(SPLIT_IN_MARCH,)),
    Case("sixteen days at home", SPLIT, home("24 00:00"), fires=("yellow person P 2024-03: in out back",)),
    Case(
        "twenty-eight days at home: of the month of coming back",
        SPLIT,
        home("04-05 23:59"),
        fires=("yellow person P 2024-04: in out back",),
    ),
    Case(
        "the diagnosis of the second stay is told at its end, in the next month",
        SPLIT,
        (*home("28 09:00", left="20 10:00", diagnosis=""), discharge("04-03 10:00", visit="2", diagnosis="I10.x02")),
        fires=(SPLIT_IN_MARCH,),
    ),
    Case("twenty-nine days at home", SPLIT, home("04-06 00:00")),
    Case("out and in again on one day", SPLIT, home("08 15:00"), fires=(SPLIT_IN_MARCH,)),
    Case(
        "out of one department and into another on one day",
        SPLIT,
        home("08 15:00", dept="E"),
        fires=("red person P 2024-03: in out back",),
    ),
    Case("into another department the day after", SPLIT, home("09 00:00", dept="E"), fires=(SPLIT_IN_MARCH,)),
    Case(
        "into the department where the first stay had ended",
        SPLIT,
        (*home("08 15:00", dept="E"), MOVED),
        fires=(SPLIT_IN_MARCH,),
    ),
    Case(
        "in again an hour before the papers say out",
        SPLIT,
        home("08 09:00"),
        fires=("orange person P 2024-03: in back out",),
    ),
    Case("another illness", SPLIT, home("13 11:00", diagnosis="K80.200")),
    Case(
        "what follows the dot of the diagnosis differs",
        SPLIT,
        home("13 11:00", diagnosis="I10.x02"),
        fires=(SPLIT_IN_MARCH,),
    ),
    Case(
        "what directly follows the dot differs too",
        SPLIT,
        home("13 11:00", diagnosis="I10.901"),
        fires=(SPLIT_IN_MARCH,),
    ),
    Case("the third letter of the diagnosis differs", SPLIT, home("13 11:00", diagnosis="I11.x00")),
    Case(
        "what the first discharge says of the illness comes before what the admission said",
        SPLIT,
        (first(), out("08 10:00", diagnosis="K80.200"), back("13 11:00", diagnosis="K80.200")),
        fires=(SPLIT_IN_MARCH,),
    ),
    Case(
        "the second admission says no diagnosis, its discharge does",
        SPLIT,
        (*home("13 11:00", diagnosis=""), discharge("16 10:00", visit="2", event_id="out 2", diagnosis="I10.x00")),
        fires=(SPLIT_IN_MARCH,),
    ),
    Case("nobody says what the second stay is for", SPLIT, home("13 11:00", diagnosis="")),
    Case("another hospital", SPLIT, home("13 11:00", org="K"), known=(org("H", owner="G"), org("K", owner="L"))),
    Case("another hospital of the same owner", SPLIT, home("13 11:00", org="K"), fires=(SPLIT_IN_MARCH,), known=CHAIN),
    Case("two hospitals whose owners nobody knows", SPLIT, home("13 11:00", org="K"), known=(org("H"), org("K"))),
    Case("no record of the other hospital", SPLIT, home("13 11:00", org="K"), known=(org("H", owner="G"),)),
    Case("the first stay has not ended", SPLIT, (first(), back("13 11:00"))),
    Case("the second admission was taken back", SPLIT, (*FIVE, TAKEN_BACK)),
    Case(
        "a bill taken back changes no lead",
        SPLIT,
        (*FIVE, BILL, reversal("09 10:00", BILL)),
        fires=(SPLIT_IN_MARCH,),
    ),
    Case(
        "of two discharges the later one counts",
        SPLIT,
        (*FIVE, discharge("13 09:00", visit="1", event_id="out again")),
        fires=("orange person P 2024-03: in out again back",),
    ),
    Case(
        "twice in one month",
        SPLIT,
        (
            *home("10 11:00"),
            discharge("12 10:00", visit="2", event_id="o"),
            admission("15 11:00", visit="3", event_id="b"),
        ),
        fires=("orange person P 2024-03: in out back o b",),
    ),
    Case(
        "told backwards",
        SPLIT,
        tuple(reversed(FIVE)),
        fires=(SPLIT_IN_MARCH,),
    ),
    Case(
        "of two copies of the second admission the one received first counts",
        SPLIT,
        (
            *home("13 11:00", received_at=at("13 11:02")),
            admission("13 11:00", visit="2", event_id="copy", diagnosis="K80.200", received_at=at("13 11:01")),
        ),
    ),
    Case("scenario 15: chemotherapy every fourteen days (X08)", SPLIT, of_illness("Z51.100")),
    Case("scenario 8: dialysis, three times a week (X08)", SPLIT, of_illness("Z49.100")),
    Case("radiotherapy (X08)", SPLIT, of_illness("Z51.000")),
    Case("palliative care is in no course", SPLIT, of_illness("Z51.500"), fires=(SPLIT_IN_MARCH,)),
    Case("the second step of an operation (X08)", SPLIT, of_illness("Z47.001")),
    Case("a psychiatric illness (X08)", SPLIT, of_illness("F20.900")),
    Case("tuberculosis (X08)", SPLIT, of_illness("A15.000")),
    Case("an infection that is not tuberculosis", SPLIT, of_illness("A09.900"), fires=(SPLIT_IN_MARCH,)),
    Case("before and for a birth (X08)", SPLIT, of_illness("O47.000")),
    Case(
        "transferred, and sent back (X08)",
        SPLIT,
        (first(), out("08 10:00", way="2"), back("13 11:00")),
    ),
    Case(
        "against advice is no transfer",
        SPLIT,
        (first(), out("08 10:00", way="4"), back("13 11:00")),
        fires=(SPLIT_IN_MARCH,),
    ),
    Case(
        "nobody says how the first stay ended",
        SPLIT,
        (first(), out("08 10:00", way=""), back("13 11:00")),
        fires=(SPLIT_IN_MARCH,),
        excluded=("X08 data_missing",),
    ),
    Case("back as an emergency (X08)", SPLIT, home("13 11:00", med_type="24")),
    Case("the first stay was the emergency", SPLIT, (first(med_type="24"), *FIVE[1:]), fires=(SPLIT_IN_MARCH,)),
    Case("paid by the day (X08)", SPLIT, home("13 11:00", med_type="2105")),
    Case(
        "day surgery, the other eye (X08)",
        SPLIT,
        (first(med_type="28"), out("05 10:00"), back("13 11:00", med_type="28")),
    ),
    Case("a birth (X08)", SPLIT, home("13 11:00", med_type="52")),
)
