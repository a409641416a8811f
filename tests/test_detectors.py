"""The catalogue on the command line tells what is in force."""

import json
from dataclasses import fields

import pytest
from click.testing import CliRunner, Result

from detectors.catalogue import DETECTORS
from detectors.lead import version_of
from stream_app.commands.detectors import detectors as command


def asked(*arguments: str) -> Result:
    return CliRunner().invoke(command, list(arguments))


def test_every_detector_is_told_with_its_thresholds_and_its_law() -> None:
    told = {entry["id"]: entry for entry in json.loads(asked("--json").stdout)}
    assert list(told) == [detector.id for detector in DETECTORS]
    for detector in DETECTORS:
        entry = told[detector.id]
        assert entry["rule_version"] == version_of(detector)
        assert set(entry["thresholds"]) == {field.name for field in fields(detector)}  # type: ignore[arg-type]  # a dataclass
        assert entry["law"]["article"] == detector.law.article
        assert all(entry[key] for key in ("fires", "why", "blind_spots", "false_alarm", "source", "reads"))


def test_durations_are_written_as_settings_write_them() -> None:
    [entry] = json.loads(asked("geo_time_conflict", "--json").stdout)
    assert entry["thresholds"]["shortest"] == "1m"
    assert entry["thresholds"]["repeats_within"] == "7d"
    assert entry["thresholds"]["speeds"][-1] == ["inf", 900]


def test_the_name_that_alerts_carry_gives_all_its_parts() -> None:
    ids = [entry["id"] for entry in json.loads(asked("ghost_bed_absence", "--json").stdout)]
    assert ids == ["ghost_bed_absence", "ghost_bed_absence/round"]


@pytest.mark.parametrize("arguments", [(), ("card_batch_swipe",)], ids=["all", "one"])
def test_it_can_be_read_without_a_program(arguments: tuple[str, ...]) -> None:
    done = asked(*arguments)
    assert done.exit_code == 0
    assert "card_batch_swipe" in done.stdout


def test_a_misspelt_detector_is_a_wrong_argument_and_the_right_one_is_named() -> None:
    done = asked("geo_time_conflct")
    assert done.exit_code == 2
    assert "geo_time_conflict" in done.stderr
