"""Who cannot be shopping, and who may have somebody shop for him."""

from typing import Any

from msgspec.structs import replace

from detectors.case import LONG_AGO, Case, admission, at, check, discharge, fee, fen, line, org, reversal, settlement
from detectors.event import AdmissionReversal, ExceptionRecord, Flag, OrgRecord, Settlement
from detectors.person.inpatient_concurrent_claim import InpatientConcurrentClaim
from detectors.settlement_kinds import OUT_PATIENT
from detectors.unit import MINUTE

CLAIM = InpatientConcurrentClaim()
DEGREE = 111.195  # km along a meridian


def places(**km: float) -> tuple[OrgRecord, ...]:
    """The hospital H, and others so many kilometres north of it."""
    return (org("H", lon=120.0, lat=30.0), *(org(name, lon=120.0, lat=30 + d / DEGREE) for name, d in km.items()))


def bill(when: str, org: str = "PA", **more: Any) -> Settlement:
    return settlement(when, org=org, **more)


def exception(since: str, to: str, **more: Any) -> ExceptionRecord:
    """Confirmed by name; ``person`` or ``org`` says for whom. Any: any other field."""
    facts = {"kind": "X20", "since": at(since), "to": at(to), "confirmer": "Z", **more}
    return ExceptionRecord(event_id="X", exception="X", happened_at=LONG_AGO, valid_from=at(since), **facts)


STAY = (admission("04 08:00"), discharge("14 10:00"))
NEAR = places(PA=5, PB=6, HB=7)
DRUGS = bill("06 15:00")
YELLOW = ("yellow person P stay of P: PA15:00",)
FLAG = Flag(1)

CASES = (
    Case("a purchase on the third day of a stay fires", CLAIM, (*STAY, DRUGS), YELLOW, known=NEAR),
    Case(
        "so does an out-patient bill elsewhere",
        CLAIM,
        (*STAY, bill("06 15:00", "HB", med_type="11")),
        ("yellow person P stay of P: HB15:00",),
        known=NEAR,
    ),
    Case(
        "and one for chronic disease, by its leading digits",
        CLAIM,
        (*STAY, replace(DRUGS, med_type="140104")),
        YELLOW,
        known=NEAR,
    ),
    *(
        Case(f"whatever kind of bill it is: {kind}", CLAIM, (*STAY, replace(DRUGS, med_type=kind)), YELLOW, known=NEAR)
        for kind in OUT_PATIENT
    ),
    Case("another person's purchase passes", CLAIM, (*STAY, replace(DRUGS, person="Q")), known=NEAR),
    Case("who is in no hospital may shop", CLAIM, (DRUGS,), known=NEAR),
    Case(
        "the stay's own bill passes",
        CLAIM,
        (*STAY, bill("06 15:00", "H", visit="stay of P", med_type="11")),
        known=NEAR,
    ),
    Case("another stay's bill is another rule's", CLAIM, (*STAY, bill("06 15:00", "HB", med_type="21")), known=NEAR),
    Case("relatives may register a coming visit", CLAIM, (*STAY, bill("06 15:00", "HB", med_type="12")), known=NEAR),
    Case("a refund row is evidence of nothing", CLAIM, (*STAY, replace(DRUGS, total=fen("-45"))), known=NEAR),
    # ── the ends of the stay ──
    Case("four hours after admission it passes", CLAIM, (*STAY, bill("04 12:00")), known=NEAR),
    Case(
        "a second later it fires",
        CLAIM,
        (*STAY, bill("04 12:00:01")),
        ("yellow person P stay of P: PA12:00:01",),
        known=NEAR,
    ),
    Case("four hours before discharge it passes", CLAIM, (*STAY, bill("14 06:00")), known=NEAR),
    Case(
        "a second earlier it fires",
        CLAIM,
        (*STAY, bill("14 05:59:59")),
        ("yellow person P stay of P: PA05:59:59",),
        known=NEAR,
    ),
    Case(
        "an open stay has no end",
        CLAIM,
        (STAY[0], bill("26 15:00")),
        ("yellow person P stay of P: PA15:00",),
        known=NEAR,
        excluded=("X15 data_missing",),
    ),
    Case(
        "a discharge told late withdraws what came after it (X15)",
        CLAIM,
        (STAY[0], bill("16 15:00"), STAY[1]),
        known=NEAR,
    ),
    Case(
        "told in time, the ends are what they are",
        CLAIM,
        (*STAY, DRUGS),
        YELLOW,
        known=NEAR,
        excluded=("X15 not_applicable",),
    ),
    Case(
        "of two discharges the later one holds",
        CLAIM,
        (*STAY, bill("16 15:00"), discharge("18 10:00", event_id="again")),
        ("yellow person P stay of P: PA15:00",),
        known=NEAR,
    ),
    Case("a purchase told late fires", CLAIM, (DRUGS, *STAY), YELLOW, known=NEAR),
    Case(
        "a stay that never was withdraws it",
        CLAIM,
        (
            *STAY,
            DRUGS,
            AdmissionReversal(event_id="adm_rev", happened_at=at("05 09:00"), org="H", person="P", visit="stay of P"),
        ),
        known=NEAR,
    ),
    Case(
        "each stay speaks for itself",
        CLAIM,
        (
            *STAY,
            DRUGS,
            admission("20 08:00", event_id="adm 2", visit="second"),
            discharge("25 10:00", event_id="dscg 2", visit="second"),
            bill("22 15:01"),
        ),
        (*YELLOW, "yellow person P second: PA15:01"),
        known=NEAR,
    ),
    # ── the level ──
    Case(
        "two bills in a stay are orange",
        CLAIM,
        (*STAY, DRUGS, bill("07 15:01", "PB")),
        ("orange person P stay of P: PA15:00 PB15:01",),
        known=NEAR,
    ),
    Case(
        "twenty kilometres away is orange",
        CLAIM,
        (*STAY, DRUGS),
        ("orange person P stay of P: PA15:00",),
        known=places(PA=20.001),
    ),
    Case("a little nearer is yellow", CLAIM, (*STAY, DRUGS), YELLOW, known=places(PA=19.999)),
    Case(
        "where nothing is known of the places it is yellow",
        CLAIM,
        (*STAY, DRUGS),
        YELLOW,
        excluded=("X21 data_missing",),
    ),
    Case(
        "scenario 12: verified by face elsewhere is red",
        CLAIM,
        (*STAY, replace(DRUGS, verify_mode="face")),
        ("red person P stay of P: PA15:00",),
        known=places(PA=30),
    ),
    Case(
        "verified by face in the same hospital is yellow",
        CLAIM,
        (*STAY, bill("06 15:00", "H", med_type="11", verify_mode="face")),
        ("yellow person P stay of P: H15:00",),
        known=NEAR,
    ),
    Case(
        "that he was seen in bed that day is no part of the ground",
        CLAIM,
        (*STAY, DRUGS, check("06 16:00", "pass")),
        YELLOW,
        known=NEAR,
    ),
    # ── exclusions ──
    Case(
        "scenario 13: a bill taken back withdraws it (X01)",
        CLAIM,
        (*STAY, DRUGS, reversal("07 10:00", DRUGS)),
        known=NEAR,
    ),
    Case("the reversal may come first", CLAIM, (reversal("07 10:00", DRUGS), *STAY, DRUGS), known=NEAR),
    Case(
        "scenario 12: his daughter buys his usual drugs with her papers: yellow at most (X02)",
        CLAIM,
        (*STAY, *(bill(when, agent="D") for when in ("06 15:00", "07 15:01", "08 15:02"))),
        ("yellow person P stay of P: PA15:00 PA15:01 PA15:02",),
        known=places(PA=30),
        excluded=("X02 applied",),
    ),
    Case(
        "hers is the face that was verified (X02)",
        CLAIM,
        (*STAY, replace(DRUGS, verify_mode="face", agent="D")),
        YELLOW,
        known=places(PA=30),
        excluded=("X02 applied",),
    ),
    Case(
        "without papers three times are orange",
        CLAIM,
        (*STAY, *(bill(when) for when in ("06 15:00", "07 15:01", "08 15:02"))),
        ("orange person P stay of P: PA15:00 PA15:01 PA15:02",),
        known=NEAR,
        excluded=("X01 not_applicable", "X02 not_applicable"),
    ),
    Case(
        "once by her and once without is yellow",
        CLAIM,
        (*STAY, DRUGS, bill("07 15:01", agent="D")),
        ("yellow person P stay of P: PA15:00 PA15:01",),
        known=NEAR,
    ),
    Case(
        "an examination elsewhere passes, with the fee for registering (X09)",
        CLAIM,
        (*STAY, bill("06 15:00", "HB", med_type="11", lines=(line("R"), line("MRI", examined_outside=FLAG)))),
        known=NEAR,
    ),
    Case(
        "so does an emergency",
        CLAIM,
        (*STAY, bill("06 15:00", "HB", med_type="13", lines=(line("CT", emergency=FLAG),))),
        known=NEAR,
    ),
    Case(
        "whether the bill says so or the upload of its lines",
        CLAIM,
        (
            *STAY,
            bill("06 15:00", "HB", med_type="11", visit="V"),
            fee("06 22:00", line("MRI", examined_outside=FLAG), org="HB", visit="V"),
        ),
        known=NEAR,
    ),
    Case(
        "without a flag it fires",
        CLAIM,
        (*STAY, bill("06 15:00", "HB", med_type="11", lines=(line("R"), line("MRI")))),
        ("yellow person P stay of P: HB15:00",),
        known=NEAR,
        excluded=("X09 not_applicable",),
    ),
    Case(
        "care up to four hours after admission that is billed days later passes (X09)",
        CLAIM,
        (*STAY, bill("06 15:00", "HB", med_type="11", lines=(line("R", occurred_at=at("04 12:00")),))),
        known=NEAR,
    ),
    Case(
        "a second later it fires, by the time of the line",
        CLAIM,
        (*STAY, bill("06 15:00", "HB", med_type="11", lines=(line("R", occurred_at=at("04 12:00:01")),))),
        ("yellow person P stay of P: HB15:00",),
        known=NEAR,
    ),
    Case(
        "what passes and what does not may stand side by side",
        CLAIM,
        (*STAY, DRUGS, bill("07 15:01", "HB", med_type="13", lines=(line("CT", emergency=FLAG),))),
        YELLOW,
        known=NEAR,
        excluded=("X09 applied",),
    ),
    Case("day surgery passes (X09)", CLAIM, (admission("04 08:00", med_type="28"), STAY[1], DRUGS), known=NEAR),
    Case(
        "a bill typed in after a cut passes (X16)",
        CLAIM,
        (*STAY, replace(DRUGS, received_at=at("07 08:00"))),
        known=NEAR,
    ),
    Case(
        "received ten minutes after it happened is not late",
        CLAIM,
        (*STAY, replace(DRUGS, received_at=DRUGS.happened_at + 10 * MINUTE)),
        YELLOW,
        known=NEAR,
        excluded=("X16 not_applicable",),
    ),
    Case(
        "without a time of reception nobody can say",
        CLAIM,
        (*STAY, DRUGS),
        YELLOW,
        known=NEAR,
        excluded=("X16 data_missing",),
    ),
    Case(
        "a confirmed exception for the person passes (X20)",
        CLAIM,
        (*STAY, DRUGS),
        known=(*NEAR, exception("06 00:00", "06 15:00", person="P")),
    ),
    Case(
        "one for the pharmacy passes too",
        CLAIM,
        (*STAY, DRUGS),
        known=(*NEAR, exception("06 00:00", "06 15:00", org="PA")),
    ),
    Case(
        "a second after its end it fires",
        CLAIM,
        (*STAY, DRUGS),
        YELLOW,
        known=(*NEAR, exception("06 00:00", "06 14:59:59", person="P")),
        excluded=("X20 not_applicable",),
    ),
    Case(
        "before its beginning it fires",
        CLAIM,
        (*STAY, DRUGS),
        YELLOW,
        known=(*NEAR, exception("06 15:00:01", "07 00:00", person="P")),
    ),
    Case(
        "one for the person at another shop does not help",
        CLAIM,
        (*STAY, DRUGS),
        YELLOW,
        known=(*NEAR, exception("06 00:00", "07 00:00", person="P", org="PB")),
    ),
    Case(
        "one of another kind does not help",
        CLAIM,
        (*STAY, DRUGS),
        YELLOW,
        known=(*NEAR, exception("06 00:00", "07 00:00", person="P", kind="X06")),
    ),
    Case("goods by mail pass (X21)", CLAIM, (*STAY, DRUGS), known=(org("PA", tags=frozenset({"internet"})),)),
    Case(
        "a shop that is no mail-order shop fires",
        CLAIM,
        (*STAY, DRUGS),
        YELLOW,
        known=(org("PA", tags=frozenset({"24h"})),),
        excluded=("X21 not_applicable",),
    ),
    # ── copies ──
    Case(
        "a bill told twice is one purchase",
        CLAIM,
        (*STAY, DRUGS, replace(DRUGS, event_id="again", happened_at=at("07 15:00"))),
        YELLOW,
        known=NEAR,
    ),
)
