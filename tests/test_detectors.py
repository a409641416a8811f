"""The catalogue as a whole: told completely, in force as it is told, in both languages, with cases for every limit."""

import json
import re
from datetime import datetime
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alerts.web.wording import LANGS, catalogue
from detectors.case import Case
from detectors.catalogue import DETECTORS
from detectors.detector import Detector
from detectors.easing import Ease, single
from detectors.finding import Lead
from detectors.lead import version_of
from detectors.nearness import name_of
from detectors.rules import thresholds
from models.catalogue import LEARNED
from replay.run import replay
from stream_app.commands.detectors import MARKDOWN, page
from stream_app.commands.detectors import detectors as command
from stream_app.rulebook import read_rules
from tests.world import leads, rising

ROOT = Path(__file__).parents[1]
every_detector = pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.id)


def asked(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(command, list(arguments), env=environment)


def cases_of(detector: Detector) -> list[Case]:
    cases = import_module(f"{type(detector).__module__}_cases").CASES
    return [case for case in cases if case.detector.id == detector.id]


@cache
def leads_of(detector: Detector) -> list[Lead]:
    """All that its cases come to."""
    standing = [replay([[*c.known, *c.story]], [c.detector], on_crash=rising) for c in cases_of(detector) if c.fires]
    return [lead for units in standing for said in units.values() for lead in said]


# the set


def test_no_two_detectors_share_an_id_and_parts_of_a_rule_share_its_name() -> None:
    ids = [detector.id for detector in DETECTORS]
    assert len(set(ids)) == len(ids)
    assert {name_of(detector) for detector in DETECTORS} <= set(ids)
    assert all(re.fullmatch(r"[a-z0-9_]+(/[a-z]+)?", name) for name in ids)


@every_detector
def test_every_detector_is_named_in_both_languages_with_its_law(detector: Detector) -> None:
    assert [lang for lang in LANGS if f"detector.{name_of(detector)}" not in catalogue(lang)] == []
    assert detector.law.cause_code
    assert detector.law.article


@every_detector
def test_every_figure_has_a_name_in_both_languages(detector: Detector) -> None:
    names = {figure.name for lead in leads_of(detector) for figure in lead.figures}
    assert names
    assert [(lang, name) for lang in LANGS for name in sorted(names) if f"figure.{name}" not in catalogue(lang)] == []


@every_detector
def test_every_exclusion_that_is_shown_has_a_name_in_both_languages(detector: Detector) -> None:
    codes = {tried.code for lead in leads_of(detector) for tried in lead.exclusions}
    assert [
        (lang, code) for lang in LANGS for code in sorted(codes) if f"exclusion.{code}" not in catalogue(lang)
    ] == []


# diagnoses are compared by three characters of ICD-10, which no case tells from two
UNMINDED = {("batch_admission", "same_letters")}


@every_detector
def test_a_threshold_that_is_halved_or_doubled_breaks_a_case(detector: Detector) -> None:
    """Cases on both sides of every limit: whoever moves one is told so."""
    cases = cases_of(detector)
    unminded = {name for ease in single(detector) for name in ease.values if all(holds(case, ease) for case in cases)}
    assert {(detector.id, name) for name in unminded} <= UNMINDED


def holds(case: Case, ease: Ease) -> bool:
    try:
        changed = ease.of(case.detector)
    except ValueError:  # the detector does not allow it
        return False
    return leads(replay([[*case.known, *case.story]], [changed], on_crash=rising)) == set(case.fires)


# as it is told


def test_every_detector_is_told_with_its_thresholds_and_its_law() -> None:
    told = {entry["id"]: entry for entry in json.loads(asked("--json").stdout)}
    assert list(told) == [detector.id for detector in (*DETECTORS, *LEARNED)]
    for detector in (*DETECTORS, *LEARNED):
        entry = told[detector.id]
        assert entry["rule_version"] == version_of(detector)
        assert entry["thresholds"] == thresholds(detector)
        assert entry["law"]["article"] == detector.law.article
        assert entry["valid_from"] is None
        assert all(entry[key] for key in ("fires", "why", "blind_spots", "false_alarm", "source", "reads"))


def test_durations_and_money_are_written_as_settings_write_them() -> None:
    [entry] = json.loads(asked("geo_time_conflict", "--json").stdout)
    assert entry["thresholds"]["shortest"] == "1m"
    assert entry["thresholds"]["repeats_within"] == "7d"
    assert entry["thresholds"]["large"] == "1000.00"
    assert entry["thresholds"]["speeds"][-1] == ["inf", 900]
    assert entry["meanings"]["large"] == "paid by the fund for either visit: red"


def test_the_name_that_alerts_carry_gives_all_its_parts() -> None:
    ids = [entry["id"] for entry in json.loads(asked("ghost_bed_absence", "--json").stdout)]
    assert ids == ["ghost_bed_absence", "ghost_bed_absence/round", "ghost_bed_absence/elsewhere"]


@pytest.mark.parametrize("arguments", [(), ("card_batch_swipe",)], ids=["all", "one"])
def test_it_can_be_read_without_a_program(arguments: tuple[str, ...]) -> None:
    done = asked(*arguments)
    assert done.exit_code == 0
    assert "card_batch_swipe" in done.stdout


def test_a_misspelt_detector_is_a_wrong_argument_and_the_right_one_is_named() -> None:
    done = asked("geo_time_conflct")
    assert done.exit_code == 2
    assert "geo_time_conflict" in done.stderr


RULES = """
[readmission_split]
within = 30
[[rules]]
valid_from = 2020-01-01
[rules.readmission_split]
within = 31
[[rules]]
valid_from = 2199-01-01
[rules.readmission_split]
within = 32
"""


def test_the_limits_in_force_today_are_told_with_their_date_and_those_to_come(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    setting = {"FUNDWATCH_RULES__FILE": str(tmp_path / "rules.toml")}
    [entry] = json.loads(asked("readmission_split", "--json", **setting).stdout)
    assert entry["thresholds"]["within"] == 31
    assert datetime.fromisoformat(entry["valid_from"]).isoformat() == "2020-01-01T00:00:00+08:00"
    assert [edition["thresholds"]["within"] for edition in entry["editions"]] == [30, 31, 32]
    assert entry["rule_version"] == entry["editions"][1]["rule_version"]
    words = asked("readmission_split", **setting).stdout
    assert "Thresholds in force from 2020-01-01:" in words
    assert re.search(r"Changed from 2199-01-01 \(rule version \S+\):\n  within  31 -> 32", words)


def test_what_is_in_force_can_be_written_as_a_file_of_rules(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "again.toml").write_text(asked("--toml", "--rules", str(tmp_path / "rules.toml")).stdout)
    assert read_rules(tmp_path / "again.toml").differs_from(read_rules(tmp_path / "rules.toml")) is None
    assert asked("--toml", "--json").exit_code == 2


def test_the_page_of_the_catalogue_is_up_to_date() -> None:
    written = (ROOT / "docs" / "detectors.md").read_text("utf-8")
    assert written == "\n".join(page(read_rules(None))) + "\n", f"do: {MARKDOWN}"


def test_the_page_tells_what_every_detector_fires_on_and_lets_pass() -> None:
    text = (ROOT / "docs" / "detectors.md").read_text("utf-8")
    for detector in DETECTORS:
        section = text.partition(f"\n## {detector.id}\n")[2].partition("\n## ")[0]
        assert all(f"\n* {case.name}\n" in f"{section}\n" for case in cases_of(detector))
        assert detector.law.article in section
