"""A reference record that comes late concerns just the events that it says something about."""

from datetime import timedelta

import pytest

from detectors.case import LONG_AGO, at, drug, line, mass_day, org, person, settlement
from detectors.event import EVER, DeviceRecord, DoctorRecord, ExceptionRecord, MappingRecord
from stream_app.recall import comes_late, concern, concerns

WEEK = timedelta(days=7)
NOW = at("20 12:00")
BILL = settlement("18 08:00", org="A", person="P", device="T", lines=(line("X", doctor="D"),))


@pytest.mark.parametrize(
    ("record", "late"),
    [
        (org("A", at("18 00:00")), True),
        (org("A", NOW - WEEK), True),
        (org("A", NOW - WEEK - timedelta(seconds=1)), False),
        (org("A", LONG_AGO), False),
        (org("A", NOW + timedelta(days=1)), False),
        (person("P", at("18 00:00")), False),
    ],
)
def test_what_holds_from_within_the_lateness_comes_late(record, late) -> None:
    assert comes_late(record, NOW, WEEK) is late


def test_before_any_event_nothing_comes_late() -> None:
    assert not comes_late(org("A", at("18 00:00")), EVER, WEEK)


def exception(**more):
    facts = {"since": at("17 00:00"), "to": at("19 00:00"), "confirmer": "bureau", "kind": "X20", **more}
    return ExceptionRecord(event_id="x", happened_at=LONG_AGO, valid_from=LONG_AGO, exception="x", **facts)


@pytest.mark.parametrize(
    ("record", "concerned"),
    [
        (org("A", at("18 00:00")), True),
        (org("B", at("18 00:00")), False),
        (org("A", at("18 09:00")), False),
        (drug("X", at("18 00:00")), True),
        (drug("Y", at("18 00:00")), False),
        (mass_day("18", org="A"), True),
        (mass_day("18", village="V"), True),
        (mass_day("18", org="B"), False),
        (mass_day("19", org="A"), False),
        (DeviceRecord(device="T", event_id="d", happened_at=LONG_AGO, valid_from=LONG_AGO), True),
        (DeviceRecord(device="U", event_id="d", happened_at=LONG_AGO, valid_from=LONG_AGO), False),
        (DoctorRecord(doctor="D", event_id="d", happened_at=LONG_AGO, valid_from=LONG_AGO), True),
        (
            MappingRecord(org="A", local_item="x", item="X", event_id="m", happened_at=LONG_AGO, valid_from=LONG_AGO),
            True,
        ),
        (
            MappingRecord(org="B", local_item="x", item="X", event_id="m", happened_at=LONG_AGO, valid_from=LONG_AGO),
            False,
        ),
        (exception(), True),
        (exception(item="X", person="Q"), False),
        (exception(person="P", org="A"), True),
        (exception(org="A"), True),
        (exception(person="Q"), False),
        (exception(item="X"), True),
        (exception(org="A", to=at("18 07:59")), False),
    ],
)
def test_which_events_a_record_concerns(record, concerned) -> None:
    assert concerns(record)(BILL) is concerned
    assert concern([org("Z"), drug("Z"), record])(BILL) is concerned, "among many"
