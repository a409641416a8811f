"""When two files of alerts say the same, and what is told where they do not."""

import json
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from replay.compare import Comparison, NotAlertsError, Told, in_words, read_alerts
from replay.compare import compare as put_side_by_side
from stream_app.commands.history import compare, replay


def alert(alert_id: str = "A", **about: object) -> Told:
    told: dict[str, object] = {
        "alert_id": alert_id,
        "detector": "d",
        "level": "orange",
        "status": "open",
        "subject": {"kind": "person", "id": "P"},
        "period": {"from": "2026-03-04T00:00:00+08:00", "to": None},
        "first_seen": "2026-03-04T12:00:00+08:00",
        "events": ["e1", "e2"],
        "revision": 1,
        "amount_at_risk": "10.05",
    }
    return msgspec.convert(told | about, Told)


def side_by_side(before: list[Told], after: list[Told]) -> Comparison:
    return put_side_by_side({one.alert_id: one for one in before}, {one.alert_id: one for one in after})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([alert()], [alert()]),
        ([alert()], [alert(revision=9, amount_at_risk="99.00", events=["e2", "e1"])]),
        ([alert()], [alert(), alert("B", status="withdrawn")]),
        ([alert(status="withdrawn")], []),
        ([alert(status="withdrawn", level="red")], [alert(status="withdrawn", events=[])]),
    ],
)
def test_the_same_open_leads_at_the_same_level_with_the_same_events_are_equal(
    before: list[Told], after: list[Told]
) -> None:
    assert side_by_side(before, after).equal


@pytest.mark.parametrize(
    "other", [alert(level="red"), alert(events=["e1"]), alert(status="withdrawn"), alert("B")], ids=str
)
def test_another_level_another_event_or_another_status_is_a_difference(other: Told) -> None:
    assert not side_by_side([alert()], [other]).equal


def test_leads_are_gained_lost_and_changed() -> None:
    result = side_by_side(
        [alert("kept"), alert("lost"), alert("withdrawn"), alert("changed")],
        [
            alert("kept"),
            alert("gained"),
            alert("withdrawn", status="withdrawn"),
            alert("changed", level="red", events=["e2", "e3"]),
        ],
    )
    assert [one.alert_id for one in result.gained] == ["gained"]
    assert [one.alert_id for one in result.lost] == ["lost", "withdrawn"]
    (change,) = result.changed
    assert (change.level_before, change.level_after) == ("orange", "red")
    assert (change.events_gained, change.events_lost) == (("e3",), ("e1",))


def test_money_is_summed_to_the_fen_over_open_leads() -> None:
    result = side_by_side(
        [alert(amount_at_risk="0.10"), alert("lost", amount_at_risk="0.20")],
        [alert(amount_at_risk="0.10"), alert("gained", amount_at_risk="-3.07"), alert("w", status="withdrawn")],
    )
    assert (result.money.before, result.money.after) == ("0.30", "-2.97")
    assert (result.money.gained, result.money.lost) == ("-3.07", "0.20")


def test_words_end_with_the_verdict() -> None:
    assert in_words(side_by_side([alert()], [alert()])).endswith("equal")
    assert in_words(side_by_side([alert()], [])).endswith("different")


def written(path: Path, *alerts: Told) -> str:
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in alerts))
    return str(path)


def test_of_several_revisions_the_highest_stands(tmp_path: Path) -> None:
    path = written(tmp_path / "a", alert(revision=3, level="red"), alert(revision=2))
    assert read_alerts(path)["A"].level == "red"


@pytest.mark.parametrize("line", ["{}", "nonsense", '{"alert_id": "A"}'])
def test_a_line_that_is_no_alert_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a"
    path.write_bytes(msgspec.json.encode(alert()) + b"\n" + line.encode() + b"\n")
    with pytest.raises(NotAlertsError, match="line 2 is not an alert"):
        read_alerts(path)


def test_the_command_leaves_with_3_when_they_differ_and_0_when_not(tmp_path: Path) -> None:
    one, other = written(tmp_path / "a", alert()), written(tmp_path / "b", alert(level="red"))
    assert CliRunner().invoke(compare, [one, one]).exit_code == 0
    different = CliRunner().invoke(compare, [one, other])
    assert different.exit_code == 3
    assert "orange -> red" in different.stdout
    told = CliRunner().invoke(compare, [one, other, "--json"])
    assert told.exit_code == 3
    assert json.loads(told.stdout)["equal"] is False


def test_the_command_fails_on_a_file_that_is_no_alerts(tmp_path: Path) -> None:
    good, bad = written(tmp_path / "a", alert()), tmp_path / "b"
    bad.write_bytes(b"[]\n")
    result = CliRunner().invoke(compare, [good, str(bad)])
    assert result.exit_code == 1
    assert "line 1 is not an alert" in result.output


@pytest.mark.parametrize("both", [True, False])
def test_a_replay_is_of_files_or_of_an_archive(tmp_path: Path, both: bool) -> None:
    recording = written(tmp_path / "a", alert())
    result = CliRunner().invoke(replay, [recording, "--archive", str(tmp_path)] if both else [])
    assert result.exit_code == 2
    assert "not both" in result.output


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_a_time_that_is_none_is_refused_by_name(tmp_path: Path, option: str) -> None:
    result = CliRunner().invoke(replay, [written(tmp_path / "a", alert()), option, "yesterday"])
    assert result.exit_code == 2
    assert "'yesterday': expected a day such as" in result.output
