"""What no traveller can do, and what is only a long way."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from detectors.case import Case, at, fen, org, reversal, settlement, swipe
from detectors.event import OrgRecord, Settlement, Swipe
from detectors.person.geo_time_conflict import GeoTimeConflict
from detectors.settlement_kinds import IN_PATIENT
from detectors.unit import HOUR, MINUTE

GEO = GeoTimeConflict()
DEGREE = 111.195  # km along a meridian


def places(**km: float) -> tuple[OrgRecord, ...]:
    """A, and others so many kilometres north of it."""
    return (org("A", lon=120.0, lat=30.0), *(org(name, lon=120.0, lat=30 + d / DEGREE) for name, d in km.items()))


def bills(*lines: str, **more: Any) -> tuple[Settlement, ...]:
    """P's bills: "04 08:15 A" is 4 March, 08:15, at A. Any: any other field of a Settlement."""
    return tuple(settlement(line.rpartition(" ")[0], org=line.rpartition(" ")[2], **more) for line in lines)


def swipes(*lines: str, **more: Any) -> tuple[Swipe, ...]:
    return tuple(swipe(line.rpartition(" ")[0], org=line.rpartition(" ")[2], **more) for line in lines)


FORTY = places(B=40)
TEN_MINUTES = bills("04 08:00 A", "04 08:10 B")
FIRES = ("orange person P 2024-03: A08:00 B08:10",)
LATE = at("05 08:00")

CASES = (
    Case("forty kilometres in ten minutes fire", GEO, TEN_MINUTES, FIRES, known=FORTY),
    Case("forty kilometres in half an hour pass", GEO, bills("04 08:00 A", "04 08:30 B"), known=FORTY),
    Case("two visits to one institution pass", GEO, bills("04 08:00 A", "04 08:01 A"), known=FORTY),
    Case("two persons at two places pass", GEO, (TEN_MINUTES[0], replace(TEN_MINUTES[1], person="Q")), known=FORTY),
    # ── distance and speed ──
    Case("twenty kilometres fire", GEO, TEN_MINUTES, FIRES, known=places(B=20.001)),
    Case("a little less passes, however fast", GEO, TEN_MINUTES, known=places(B=19.999)),
    Case(
        "a hundred kilometres in a second under the hour fire",
        GEO,
        bills("04 08:00 A", "04 08:59:59 B"),
        ("orange person P 2024-03: A08:00 B08:59:59",),
        known=places(B=100),
    ),
    Case("in a second more than the hour they pass", GEO, bills("04 08:00 A", "04 09:00:01 B"), known=places(B=100)),
    Case(
        "199 kilometres in an hour fire: by road",
        GEO,
        bills("04 08:00 A", "04 09:00 B"),
        ("orange person P 2024-03: A08:00 B09:00",),
        known=places(B=199),
    ),
    Case("201 pass: by rail", GEO, bills("04 08:00 A", "04 09:00 B"), known=places(B=201)),
    Case(
        "1,499 kilometres in three hours fire: by rail",
        GEO,
        bills("04 08:00 A", "04 11:00 B"),
        ("orange person P 2024-03: A08:00 B11:00",),
        known=places(B=1499),
    ),
    Case("1,501 pass: by air", GEO, bills("04 08:00 A", "04 11:00 B"), known=places(B=1501)),
    Case(
        "at the same second a minute is granted, and is not enough",
        GEO,
        bills("04 08:00 A", "04 08:00 B"),
        ("orange person P 2024-03: A08:00 B08:00",),
        known=FORTY,
    ),
    Case("were an hour granted, it would do", GeoTimeConflict(shortest=HOUR), TEN_MINUTES, known=FORTY),
    Case(
        "across midnight it is the month's of the second",
        GEO,
        bills("02-29 23:58 A", "01 00:05 B"),
        ("orange person P 2024-03: A23:58 B00:05",),
        known=FORTY,
    ),
    # ── which events tell where somebody is ──
    Case(
        "the last event here and the first one there are compared, with their bills",
        GEO,
        (
            *swipes("04 08:00 A", "04 08:30 B"),
            *bills("04 08:20 A", "04 08:31 B"),
        ),
        ("orange person P 2024-03: A08:20 sB08:30 B08:31",),
        known=FORTY,
    ),
    Case(
        "a stop in between that anybody can make passes",
        GEO,
        bills("04 08:00 A", "04 08:12 M", "04 08:24 B"),
        known=places(M=19, B=38),
    ),
    Case(
        "the stop may be told last",
        GEO,
        (*bills("04 08:00 A", "04 08:20 B"), *bills("04 08:10 M")),
        known=places(M=19, B=38),
    ),
    Case(
        "a swipe's own position goes before the institution's",
        GEO,
        (*bills("04 08:00 A"), *swipes("04 08:10 B", lon=120.0, lat=30.1)),
        known=FORTY,
    ),
    Case(
        "even where nothing is known of the institution",
        GEO,
        (*bills("04 08:00 A"), *swipes("04 08:10 X", lon=120.0, lat=30.4)),
        ("orange person P 2024-03: A08:00 sX08:10",),
        known=FORTY,
        excluded=("X21 data_missing",),
    ),
    Case("a place of no known position is passed over", GEO, TEN_MINUTES, known=places()),
    Case(
        "and hides nothing that lies around it",
        GEO,
        (*TEN_MINUTES, *bills("04 08:05 X")),
        FIRES,
        known=FORTY,
        excluded=("X21 data_missing",),
    ),
    Case(
        "relatives settle a stay in the end",
        GEO,
        (TEN_MINUTES[0], replace(TEN_MINUTES[1], med_type="2101")),
        known=FORTY,
    ),
    *(
        Case(
            f"whatever kind of stay it was: {kind}",
            GEO,
            (TEN_MINUTES[0], replace(TEN_MINUTES[1], med_type=kind)),
            known=FORTY,
        )
        for kind in IN_PATIENT
    ),
    Case(
        "an interim bill is settled in bed",
        GEO,
        (TEN_MINUTES[0], replace(TEN_MINUTES[1], med_type="2101", interim=1)),
        FIRES,
        known=FORTY,
    ),
    Case(
        "a refund row is evidence of nothing",
        GEO,
        (TEN_MINUTES[0], replace(TEN_MINUTES[1], total=fen("-45"))),
        known=FORTY,
    ),
    # ── red ──
    Case(
        "a second conflict within 7 days is red",
        GEO,
        (*TEN_MINUTES, *bills("11 08:02 A", "11 08:09:59 B")),
        (*FIRES, "red person P 2024-03: A08:02 B08:09:59"),
        known=FORTY,
    ),
    Case(
        "seven days later to the second it is orange",
        GEO,
        (*TEN_MINUTES, *bills("11 08:02 A"), settlement("11 08:10", org="B", event_id="B again")),
        (*FIRES, "orange person P 2024-03: A08:02 B again"),
        known=FORTY,
    ),
    Case(
        "there and back is two",
        GEO,
        (*TEN_MINUTES, *bills("04 08:20 A")),
        ("red person P 2024-03: A08:00 B08:10 A08:20",),
        known=FORTY,
    ),
    Case(
        "a thousand yuan of the fund is red",
        GEO,
        (TEN_MINUTES[0], *bills("04 08:10 B", yuan="2000")),
        ("red person P 2024-03: A08:00 B08:10",),
        known=FORTY,
    ),
    Case("two fen less is orange", GEO, (TEN_MINUTES[0], *bills("04 08:10 B", yuan="1999.98")), FIRES, known=FORTY),
    Case(
        "so is the bill that follows a swipe within half an hour",
        GEO,
        (TEN_MINUTES[0], *swipes("04 08:10 B"), *bills("04 08:40 B", yuan="2000")),
        ("red person P 2024-03: A08:00 sB08:10 B08:40",),
        known=FORTY,
    ),
    Case(
        "a later one is another visit's",
        GEO,
        (TEN_MINUTES[0], *swipes("04 08:10 B"), *bills("04 08:40:01 B", yuan="2000")),
        ("orange person P 2024-03: A08:00 sB08:10",),
        known=FORTY,
    ),
    # ── exclusions ──
    Case(
        "scenario 13: a bill taken back withdraws it (X01)",
        GEO,
        (*TEN_MINUTES, reversal("05 10:00", TEN_MINUTES[1])),
        known=FORTY,
    ),
    Case("the reversal may come first", GEO, (reversal("05 10:00", TEN_MINUTES[1]), *TEN_MINUTES), known=FORTY),
    Case(
        "a daughter who shows her papers passes (X02)",
        GEO,
        (TEN_MINUTES[0], replace(TEN_MINUTES[1], agent="D")),
        known=FORTY,
    ),
    Case(
        "or says that she comes for her mother",
        GEO,
        (TEN_MINUTES[0], replace(TEN_MINUTES[1], verify_mode="agent")),
        known=FORTY,
    ),
    Case(
        "the swipe before her bill is hers too",
        GEO,
        (TEN_MINUTES[0], *swipes("04 08:09 B"), replace(TEN_MINUTES[1], agent="D")),
        known=FORTY,
    ),
    Case(
        "a swipe more than half an hour before it is not",
        GEO,
        (TEN_MINUTES[0], *swipes("04 08:09 B"), replace(TEN_MINUTES[1], happened_at=at("04 08:39:01"), agent="D")),
        ("orange person P 2024-03: A08:00 sB08:09",),
        known=FORTY,
    ),
    Case(
        "without papers it fires",
        GEO,
        TEN_MINUTES,
        FIRES,
        known=FORTY,
        excluded=("X01 not_applicable", "X02 not_applicable", "X03 not_applicable"),
    ),
    Case(
        "what an agent fetched meanwhile is left out, and said",
        GEO,
        (*TEN_MINUTES, *bills("04 08:05 A", agent="D")),
        FIRES,
        known=FORTY,
        excluded=("X02 applied",),
    ),
    Case(
        "who pays for a child elsewhere was not there (X03)",
        GEO,
        (TEN_MINUTES[0], replace(TEN_MINUTES[1], person="C", payer="P", mutual_aid=fen("20"))),
        known=FORTY,
    ),
    Case(
        "whose own bill it is was there, whoever paid",
        GEO,
        (TEN_MINUTES[0], replace(TEN_MINUTES[1], payer="M", mutual_aid=fen("20"))),
        FIRES,
        known=FORTY,
        excluded=("X03 applied",),
    ),
    Case(
        "swipes alone do not say who would have paid",
        GEO,
        swipes("04 08:00 A", "04 08:10 B"),
        ("orange person P 2024-03: sA08:00 sB08:10",),
        known=FORTY,
        excluded=("X03 data_missing",),
    ),
    Case(
        "scenario 16: a bill typed in after a cut passes (X16)",
        GEO,
        (TEN_MINUTES[0], replace(TEN_MINUTES[1], received_at=LATE)),
        known=FORTY,
    ),
    Case(
        "received ten minutes after it happened is not late",
        GEO,
        tuple(replace(bill, received_at=bill.happened_at + 10 * MINUTE) for bill in TEN_MINUTES),
        FIRES,
        known=FORTY,
        excluded=("X16 not_applicable",),
    ),
    Case(
        "without a time of reception nobody can say",
        GEO,
        TEN_MINUTES,
        FIRES,
        known=FORTY,
        excluded=("X16 data_missing",),
    ),
    Case(
        "goods by mail pass (X21)",
        GEO,
        TEN_MINUTES,
        known=(*places(), org("B", lon=120.0, lat=30.4, tags=frozenset({"internet"}))),
    ),
    Case(
        "a shop that is no mail-order shop fires",
        GEO,
        TEN_MINUTES,
        FIRES,
        known=(*places(), org("B", lon=120.0, lat=30.4, tags=frozenset({"24h"}))),
        excluded=("X21 not_applicable",),
    ),
    # ── copies ──
    Case(
        "a bill told twice, with other times, counts as it was first received",
        GEO,
        (
            *TEN_MINUTES,
            replace(
                TEN_MINUTES[1],
                event_id="later",
                happened_at=at("04 09:10"),
                received_at=at("04 09:10") + timedelta(seconds=3),
            ),
        ),
        known=FORTY,
    ),
)
