"""What counts as found, as a false alarm, and as a lead that nothing explains."""

import json
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from replay.compare import NotAlertsError
from replay.scoreboard import (
    Lead,
    NotLabelsError,
    Scoreboard,
    count_settlements,
    in_words,
    read_labels,
    read_leads,
    score,
)
from replay.simulate.label import Label
from stream_app.commands.history import score as score_command


def label(**about: object) -> Label:
    """A fraud of detector d: person P bought at store S; bills b1 to b4, each with a swipe."""
    told: dict[str, object] = {
        "case_id": "F0001-d",
        "kind": "fraud",
        "family": "d",
        "wave": 1,
        "exclusion": None,
        "expect": ["d"],
        "also": ["helper"],
        "forbid": [],
        "subject": {"kind": "person", "id": "P"},
        "ids": ["T1"],
        "persons": ["P"],
        "orgs": ["S"],
        "events": ["b1", "b2", "b3", "b4"],
        "aliases": {"s1": "b1", "s2": "b2", "s3": "b3", "s4": "b4"},
        "start": "2026-03-04T10:00:00+08:00",
        "end": "2026-03-05T10:00:00+08:00",
        "minimum_level": "orange",
        "maximum_level": None,
        "amount": "10.00",
    }
    return msgspec.convert(told | about, Label)


def decoy(**about: object) -> Label:
    honest: dict[str, object] = {
        "case_id": "D0002-x02",
        "kind": "decoy",
        "exclusion": "X02",
        "expect": [],
        "also": [],
        "forbid": ["d"],
        "minimum_level": None,
    }
    return label(**(honest | about))


def alert(**about: object) -> Lead:
    told: dict[str, object] = {
        "alert_id": "A1",
        "detector": "d",
        "level": "orange",
        "status": "open",
        "subject": {"kind": "person", "id": "P"},
        "period": {"from": "2026-03-04T00:00:00+08:00", "to": "2026-03-05T00:00:00+08:00"},
        "first_seen": "2026-03-04T12:00:00+08:00",
        "last_seen": "2026-03-04T15:30:00+08:00",
        "events": ["b1", "b2"],
    }
    return msgspec.convert(told | about, Lead)


def board(*alerts: Lead, labels: list[Label] | None = None, detectors: frozenset[str] | None = None) -> Scoreboard:
    known: Mapping[str, Lead] = {one.alert_id: one for one in alerts}
    return score(known, [label()] if labels is None else labels, detectors=detectors)


STRANGER = {"kind": "till", "id": "elsewhere"}


@pytest.mark.parametrize(
    ("about", "found"),
    [
        ({}, True),
        ({"subject": STRANGER}, True),  # half of the ground is enough, whoever it is about
        ({"subject": STRANGER, "events": ["b1"]}, False),
        ({"subject": STRANGER, "events": ["s1", "s2"]}, True),  # the swipes stand for the bills
        ({"subject": STRANGER, "events": ["b1", "s1"]}, False),  # of one bill only
        ({"events": ["b1"]}, True),  # a name, the time and one event
        ({"events": ["other"]}, False),
        ({"events": []}, True),  # an aggregate lists none
        ({"events": [], "subject": {"kind": "till", "id": "T1"}}, True),
        ({"events": [], "subject": {"kind": "org", "id": "S"}}, True),
        ({"events": [], "subject": STRANGER}, False),
        ({"events": [], "period": {"from": "2026-03-06T00:00:00+08:00"}}, False),
        ({"events": [], "period": {"from": "2026-03-05T10:00:00+08:00"}}, True),
        ({"events": [], "period": {"from": "2026-03-01T00:00:00+08:00", "to": "2026-03-04T10:00:00+08:00"}}, True),
        ({"events": [], "period": {"from": "2026-03-01T00:00:00+08:00", "to": "2026-03-04T09:59:59+08:00"}}, False),
        ({"detector": "other"}, False),
        ({"detector": "helper"}, False),
        ({"status": "withdrawn"}, False),
    ],
)
def test_an_alert_finds_a_case_when_it_shows_the_ground_or_names_it_in_its_time(
    about: dict[str, object], found: bool
) -> None:
    assert board(alert(**about)).cases[0].found is found


def test_for_an_absence_name_and_time_suffice() -> None:
    (case,) = board(alert(events=["other"]), labels=[label(absence=True)]).cases
    assert case.found


def test_a_case_found_too_quietly_is_found_but_not_at_its_level() -> None:
    result = board(alert(level="yellow"))
    assert [(one.found, one.at_level, one.recall) for one in result.families] == [(1, 0, 1.0)]


def test_the_highest_of_several_leads_gives_the_level_and_the_earliest_the_time() -> None:
    later = {"first_seen": "2026-03-05T00:00:00+08:00", "last_seen": "2026-03-05T00:00:00+08:00"}
    (case,) = board(alert(level="yellow"), alert(alert_id="A2", **later)).cases
    assert (case.level, case.hours, case.hours_whole, case.at_level) == ("orange", 2.0, 5.5, True)


def test_a_lead_that_shows_what_came_just_before_took_no_time() -> None:
    (case,) = board(alert(first_seen="2026-03-04T09:59:40+08:00")).cases
    assert case.hours == 0.0


def test_the_time_to_detect_of_a_family_is_the_median_of_what_was_found() -> None:
    others = [label(case_id=f"F000{n}-d", events=[f"c{n}"], aliases={}, ids=[], persons=[], orgs=[],
                    subject={"kind": "person", "id": f"Q{n}"}) for n in (2, 3)]  # fmt: skip
    found = alert(alert_id="A2", subject={"kind": "person", "id": "Q2"}, events=["c2"],
                  last_seen="2026-03-04T20:00:00+08:00")  # fmt: skip
    (family,) = board(alert(), found, labels=[label(), *others]).families
    assert (family.planted, family.found, family.median_hours, family.median_hours_whole) == (3, 2, 2.0, 7.75)


def test_a_file_that_does_not_say_when_a_lead_was_seen_last_gives_one_bound() -> None:
    (case,) = board(alert(last_seen=None)).cases
    assert (case.hours, case.hours_whole) == (2.0, None)


def test_all_detectors_must_speak_where_the_label_says_so() -> None:
    both = [label(expect=["d", "e"], must_all=True)]
    assert not board(alert(), labels=both).cases[0].found
    assert board(alert(), alert(alert_id="A2", detector="e"), labels=both).cases[0].found


def test_a_withdrawn_alert_counts_nowhere() -> None:
    result = board(alert(status="withdrawn", level="red", events=["other"]))
    assert (result.unexplained, result.detectors, result.recall) == ((), (), 0.0)


def test_only_families_whose_detectors_ran_are_judged() -> None:
    labels = [label(), label(case_id="F0002-e", family="e", expect=["e"])]
    assert [one.family for one in board(alert(), labels=labels, detectors=frozenset({"d"})).families] == ["d"]
    assert [one.family for one in board(alert(), labels=labels).families] == ["d", "e"]


def test_recall_is_told_for_each_family_with_its_counts() -> None:
    labels = [label(), label(case_id="F0002-d", events=["c1"], aliases={}, subject={"kind": "person", "id": "Q"},
                             persons=["Q"], orgs=[], ids=[])]  # fmt: skip
    result = board(alert(), labels=labels)
    assert [(one.planted, one.found, one.recall) for one in result.families] == [(2, 1, 0.5)]
    assert [case.case_id for case in result.missed] == ["F0002-d"]


def test_a_case_that_rests_on_a_hypothesis_is_told_of_and_counts_in_no_recall() -> None:
    guess = label(case_id="F0002-d", events=["c1"], aliases={}, ids=[], persons=["Q"], orgs=[],
                  subject={"kind": "person", "id": "Q"}, hypothesis="nobody says so")  # fmt: skip
    result = board(alert(), labels=[label(), guess])
    assert (result.recall, result.missed) == (1.0, ())
    assert [(one.planted, one.found) for one in result.families] == [(1, 1)]
    assert [(case.case_id, case.found) for case in result.cases] == [("F0001-d", True), ("F0002-d", False)]
    assert "not found, and not counted: F0002-d  nobody says so" in in_words(result)


def test_a_decoy_stays_quiet_until_a_forbidden_detector_speaks() -> None:
    quiet = board(alert(detector="allowed"), labels=[decoy()])
    assert [(one.exclusion, one.planted, one.quiet, one.false_alarms) for one in quiet.decoys] == [("X02", 1, 1, 0)]
    fallen = board(alert(), labels=[decoy()])
    assert [(one.planted, one.quiet, one.false_alarms) for one in fallen.decoys] == [(1, 0, 1)]
    assert [one.decoy for one in fallen.decoy_alarms] == ["D0002-x02"]


def test_false_alarms_are_told_for_each_exclusion_code_and_detector() -> None:
    labels = [
        decoy(forbid=["d", "e"]),
        decoy(case_id="D0003-x04", exclusion="X04", events=["c1"], aliases={}, ids=[], persons=["Q"], orgs=[],
              subject={"kind": "person", "id": "Q"}),
        decoy(case_id="D0004-x02", events=["c2"], aliases={}, ids=[], persons=["R"], orgs=[],
              subject={"kind": "person", "id": "R"}),
    ]  # fmt: skip
    loud = [alert(), alert(alert_id="A2", detector="e"), alert(alert_id="A3", detector="other")]
    told = {one.exclusion: one for one in board(*loud, labels=labels).decoys}
    assert (told["X02"].planted, told["X02"].quiet, told["X02"].false_alarms) == (2, 1, 2)
    assert told["X02"].by_detector == {"d": 1, "e": 1}
    assert (told["X04"].planted, told["X04"].quiet, told["X04"].by_detector) == (1, 1, {})


@pytest.mark.parametrize(("level", "alarms"), [("blue", 0), ("yellow", 0), ("orange", 1), ("red", 1)])
def test_a_decoy_may_allow_a_quiet_voice(level: str, alarms: int) -> None:
    result = board(alert(level=level), labels=[decoy(maximum_level="yellow")])
    assert result.decoys[0].false_alarms == alarms


def test_what_a_fraud_explains_is_not_held_against_a_decoy() -> None:
    assert board(alert(), labels=[label(), decoy()]).decoys[0].false_alarms == 0


def test_only_loud_leads_that_nothing_explains_are_listed() -> None:
    result = board(
        alert(),
        alert(alert_id="A2", detector="helper"),
        alert(alert_id="A3", detector="stranger"),
        alert(alert_id="A4", subject=STRANGER, events=["other"], level="red"),
        alert(alert_id="A5", subject=STRANGER, events=["other"], level="yellow"),
    )
    assert [one.alert_id for one in result.unexplained] == ["A3", "A4"]


def test_the_rate_is_for_ten_thousand_settlements() -> None:
    loud = {"A4": alert(alert_id="A4", subject=STRANGER, events=["other"])}
    assert score(loud, [label()], settlements=5_000).per_10000 == 2.0
    assert score(loud, [label()]).per_10000 is None


def test_precision_is_told_for_each_detector() -> None:
    result = board(alert(), alert(alert_id="A2", subject=STRANGER, events=["other"], level="yellow"))
    (one,) = result.detectors
    assert (one.alerts, one.explained, one.precision, one.loud_unexplained) == (2, 1, 0.5, 0)


def test_words_name_what_was_missed_and_what_nothing_explains() -> None:
    words = in_words(board(alert(alert_id="A4", subject=STRANGER, events=["other"])))
    assert "missed    F0001-d" in words
    assert "till:elsewhere" in words


def test_settlements_are_counted_once_and_tests_not_at_all(tmp_path: Path) -> None:
    events = [
        {"event_type": "setl", "event_id": "e1"},
        {"event_type": "setl", "event_id": "e1"},
        {"event_type": "setl", "event_id": "e2", "is_test": True},
        {"event_type": "setl", "event_id": "e3", "is_test": "1"},
        {"event_type": "setl", "event_id": "e4", "is_test": "0"},
        {"event_type": "swipe", "event_id": "e5"},
        {"event_type": "setl_rev", "event_id": "e6"},
    ]
    file = tmp_path / "events.ndjson"
    file.write_text("".join(json.dumps(event) + "\n" for event in events) + '{"event_type": "setl"\n', encoding="utf-8")
    assert count_settlements([file]) == 2


def test_a_line_that_is_no_label_is_named(tmp_path: Path) -> None:
    file = tmp_path / "labels.ndjson"
    file.write_bytes(msgspec.json.encode(label()) + b'\n{"case_id": 1}\n')
    with pytest.raises(NotLabelsError, match="line 2 is not a label"):
        read_labels(file)


def test_an_alert_told_twice_counts_at_its_highest_revision(tmp_path: Path) -> None:
    file = tmp_path / "alerts.ndjson"
    told = [alert(revision=2, level="red"), alert(revision=1), alert(alert_id="A2")]
    file.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in told))
    assert {name: lead.level for name, lead in read_leads(file).items()} == {"A1": "red", "A2": "orange"}


def test_a_line_that_is_no_alert_is_named(tmp_path: Path) -> None:
    file = tmp_path / "alerts.ndjson"
    file.write_bytes(b'{"alert_id": 1}\n')
    with pytest.raises(NotAlertsError, match="line 1 is not an alert"):
        read_leads(file)


def test_the_command_prints_for_people_and_for_programs(tmp_path: Path) -> None:
    alerts, labels = tmp_path / "alerts.ndjson", tmp_path / "labels.ndjson"
    alerts.write_bytes(msgspec.json.encode(alert()) + b"\n")
    labels.write_bytes(msgspec.json.encode(label()) + b"\n")
    said = CliRunner().invoke(score_command, [str(alerts), str(labels), "--detectors", "d", "--settlements", "100"])
    assert said.exit_code == 0
    assert said.stdout.splitlines()[1].split() == ["d", "1", "1", "1.00", "1", "2.0", "-", "5.5", "h"]
    told = CliRunner().invoke(score_command, [str(alerts), str(labels), "--json"])
    assert json.loads(told.stdout)["recall"] == 1.0
