"""Training, promoting and looking after a model, as it is done at the command line."""

import json
from datetime import UTC, datetime
from pathlib import Path
from shutil import copytree, rmtree
from typing import Any

import pytest
from click.testing import CliRunner, Result

from detectors.event import CHINA
from detectors.rules import business_day
from detectors.unit import day_end
from replay.simulate.city import Plan
from replay.simulate.simulation import write
from stream_app import check
from stream_app.commands.detectors import detectors
from stream_app.commands.explain import explain
from stream_app.commands.history import replay
from stream_app.commands.model import model, train
from stream_app.metrics import shown as shown_by
from stream_app.rulebook import RulesFile, RulesFileError
from tests.test_model import START


def asked(command: object, *arguments: object, **environment: str) -> Result:
    return CliRunner().invoke(command, [str(word) for word in arguments], env=environment)  # type: ignore[arg-type]


def told(command: object, *arguments: object, **environment: str) -> str:
    done = asked(command, *arguments, **environment)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("city") / "city.ndjson"
    write(Plan(persons=500, days=33, seed=6, start=START, families=("frauds",)), out, None)
    return out


@pytest.fixture(scope="module")
def root(city: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions, of which none is promoted."""
    root = tmp_path_factory.mktemp("models") / "kept"
    for seed in (1, 2):
        options = ("--trees", 20, "--samples", 64, "--seed", seed, "--per-day", 2)
        told(train, city, "--registry", root, *options)
    return root


@pytest.fixture(scope="module")
def versions(root: Path) -> list[str]:
    return [one["version"] for one in json.loads(told(model, "list", "--registry", root, "--json"))]


def test_a_version_is_a_candidate_until_it_is_promoted_and_can_be_rolled_back(
    root: Path, versions: list[str], tmp_path: Path
) -> None:
    mine = tmp_path / "kept"
    copytree(root, mine)
    assert len(versions) == 2
    assert "none was promoted yet" in asked(model, "rollback", "--registry", mine).output
    states = lambda: [one["state"] for one in json.loads(told(model, "list", "--registry", mine, "--json"))]  # noqa: E731
    assert states() == ["candidate", "candidate"]
    assert "no version was promoted yet" in asked(model, "show", "promoted", "--registry", mine).output
    told(model, "promote", versions[0], "--registry", mine)
    assert states() == ["promoted", "candidate"]
    assert versions[0] in told(model, "show", "promoted", "--registry", mine)
    assert asked(model, "rollback", "--registry", mine).exit_code == 1
    told(model, "watch", versions[1], "--registry", mine)
    assert states() == ["promoted", "watched"]
    told(model, "promote", versions[1], "--from", "2199-01-01", "--registry", mine)
    assert versions[0] in told(model, "rollback", "--from", "2199-02-01", "--registry", mine)
    assert "2199-02-01" in told(model, "list", "--registry", mine)
    (mine / versions[0] / "model.npz").write_bytes(b"cut off")
    rmtree(mine / versions[1])
    broken, gone = told(model, "list", "--registry", mine).splitlines()
    assert "unusable" in broken
    assert "digest differs" in broken
    assert "unusable" in gone
    assert "2199-01-01" in gone


def test_a_promotion_leaves_days_that_may_have_been_judged_alone_unless_all_are_asked_for(
    root: Path, versions: list[str], tmp_path: Path
) -> None:
    from shutil import copytree

    copytree(root, tmp_path / "kept")
    first = asked(model, "promote", versions[0], "--registry", tmp_path / "kept")
    tomorrow = business_day(day_end(datetime.now(UTC)))
    assert f"judges from {tomorrow} on" in first.stdout
    assert "before their next batch" in first.stderr
    copytree(root, tmp_path / "other")
    whole = asked(model, "promote", versions[0], "--all-days", "--registry", tmp_path / "other")
    assert "judges all days" in whole.stdout
    assert "start them again" in whole.stderr
    assert asked(model, "promote", versions[0], "--all-days", "--from", "2026-01-01").exit_code == 2


def test_a_worker_takes_over_the_first_promotion_and_refuses_one_for_a_day_that_it_has_judged(
    root: Path, versions: list[str], tmp_path: Path
) -> None:
    from shutil import copytree

    mine = tmp_path / "kept"
    copytree(root, mine)
    rules = RulesFile(None, mine)
    reached = datetime(2026, 5, 4, 12, tzinfo=CHINA)
    assert "anomaly_person" not in {editions[0].detector.id for editions in rules.book}
    told(model, "promote", versions[0], "--from", "2026-05-05", "--registry", mine)
    taken = rules.changed(reached)
    assert taken is not None
    assert "anomaly_person" in {editions[0].detector.id for editions in taken}
    assert rules.changed(reached) is None
    told(model, "promote", versions[1], "--from", "2026-05-04", "--registry", mine)
    with pytest.raises(RulesFileError, match=r"2026-05-04T12:00.* promote a model from a later day"):
        rules.changed(reached)
    assert rules.book is taken


def test_a_candidate_is_taken_over_by_running_workers_and_given_up_again(
    root: Path, versions: list[str], tmp_path: Path
) -> None:
    from shutil import copytree

    mine = tmp_path / "kept"
    copytree(root, mine)
    rules, reached = RulesFile(None, mine), datetime(2026, 5, 4, tzinfo=CHINA)
    told(model, "watch", versions[1], "--registry", mine)
    assert rules.changed(reached) is None, "it judges nothing"
    assert {one.version for one in rules.candidate.values()} == {versions[1]}
    told(model, "watch", "--stop", "--registry", mine)
    assert rules.changed(reached) is None
    assert rules.candidate == {}
    assert asked(model, "watch", "2020-01-01-00000000", "--registry", mine).exit_code == 1
    assert asked(model, "watch", "--registry", mine).exit_code == 2


def test_replay_with_a_model_adds_its_leads_and_each_explains_itself(
    city: Path, root: Path, versions: list[str], tmp_path: Path
) -> None:
    told(replay, city, "--model", root / versions[0], "--alerts", tmp_path / "alerts.ndjson")
    alerts = [json.loads(line) for line in (tmp_path / "alerts.ndjson").read_text().splitlines()]
    hints = [alert for alert in alerts if alert["detector"].startswith("anomaly_")]
    assert {alert["detector"] for alert in hints} == {"anomaly_person", "anomaly_pharmacy"}
    for alert in hints:
        assert alert["model_version"] == versions[0]
        assert alert["summary_zh"].startswith("模型提示，不作为认定依据")
        assert {"name", "value", "peer_median", "own_median", "share"} <= set(alert["explanation"][0])
    assert all(not alert["model_version"] for alert in alerts if alert not in hints)


def test_a_model_that_was_tampered_with_is_refused_before_anything_is_judged(
    city: Path, root: Path, versions: list[str], tmp_path: Path
) -> None:
    from shutil import copytree

    copytree(root / versions[0], tmp_path / versions[0])
    manifest = tmp_path / versions[0] / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"trees": 20', '"trees": 21'))
    done = asked(replay, city, "--model", tmp_path / versions[0])
    assert done.exit_code != 0
    assert "altered" in str(done.exception) + done.output


def test_a_candidate_is_scored_beside_the_other_and_drift_is_told_and_written_as_metrics(
    city: Path, root: Path, versions: list[str], tmp_path: Path
) -> None:
    sides = json.loads(told(model, "shadow", versions[1], city, "--against", versions[0], "--registry", root, "--json"))
    assert {side["entity"] for side in sides} == {"person", "pharmacy"}
    assert all(side["rank_correlation"] > 0.5 for side in sides)
    itself = told(model, "shadow", versions[0], city, "--against", versions[0], "--registry", root)
    assert itself.count("much the same as the model in force") == 2
    metrics = tmp_path / "model.prom"
    shown = json.loads(told(model, "show", versions[0], city, "--registry", root, "--metrics", metrics, "--json"))
    assert max(max(psi.values()) for psi in shown["psi"].values()) < 0.02, "the days it was trained on"
    written = metrics.read_text()
    assert 'fundwatch_model_score_psi{model="person"}' in written
    assert 'fundwatch_model_feature_psi{feature="pharmacy_night",model="pharmacy"}' in written
    wanted = {metric.name for metric in shown_by("job")}
    assert {line.split("{")[0].split()[0] for line in written.splitlines() if not line.startswith("#")} == wanted
    assert "模型提示" in told(model, "show", versions[0], "--registry", root)


def test_what_there_is_too_little_to_learn_from_is_said(tmp_path: Path) -> None:
    write(Plan(persons=200, days=3, seed=6, start=START, families=("none",)), tmp_path / "small.ndjson", None)
    done = asked(train, tmp_path / "small.ndjson", "--registry", tmp_path / "kept")
    assert done.exit_code == 1
    assert "at least 200" in done.stderr


def test_a_deployment_without_a_model_says_so_and_one_with_a_bad_one_too(tmp_path: Path) -> None:
    entries = {one["id"]: one for one in json.loads(told(detectors, "--json"))}
    assert entries["anomaly_person"]["model"] == entries["anomaly_pharmacy"]["model"] == ""
    assert entries["card_batch_swipe"]["model"] is None
    assert "none, so it is silent" in told(detectors, "anomaly_person")
    found = check._model(None)
    assert found.state == "ok"
    assert "silent" in found.found
    assert check._model(tmp_path).state == "wrong"
    assert check._model(tmp_path / "nowhere").state == "wrong"


def test_with_a_model_the_catalogue_names_its_version(root: Path, versions: list[str]) -> None:
    setting = {"FUNDWATCH_MODEL__DIR": str(root / versions[0])}
    entries = {one["id"]: one for one in json.loads(told(detectors, "--json", **setting))}
    assert entries["anomaly_pharmacy"]["model"] == versions[0]


# explained


def day_of(entries: list[dict[str, Any]], state: str) -> dict[str, Any]:
    return next(day for entry in entries for day in entry["days"] if day["state"] == state)


def test_explain_tells_the_score_of_each_day_against_the_threshold_and_what_weighed(
    city: Path, root: Path, versions: list[str], tmp_path: Path
) -> None:
    told(replay, city, "--model", root / versions[0], "--alerts", tmp_path / "alerts.ndjson")
    alerts = [json.loads(line) for line in (tmp_path / "alerts.ndjson").read_text().splitlines()]
    hints = [one for one in alerts if one["detector"] == "anomaly_pharmacy" and one["status"] == "open"]
    bills = [row for row in map(json.loads, city.read_text().splitlines()) if row["event_type"] == "setl"]
    last = max(row["biz_time"] for row in bills)[:10]
    waiting = {row["fixmedins_code"] for row in bills if row["biz_time"].startswith(last)}
    alert = next(one for one in hints if one["subject"]["id"] in waiting)
    about = ("--detector", "anomaly_pharmacy", "--replay", city, "--model", root / versions[0])
    entries = json.loads(told(explain, f"org:{alert['subject']['id']}", *about, "--json"))
    spoke = next(day for day in entries[0]["days"] if day["day"] == alert["period"]["from"][:10])
    assert (spoke["state"], spoke["level"], spoke["model_version"]) == ("spoke", alert["level"], versions[0])
    assert [one["name"] for one in spoke["reasons"]] == [one["name"] for one in alert["explanation"]]
    assert alert["figures"][0]["observed"] == pytest.approx(spoke["score"], abs=0.01)
    ordinary, waits = day_of(entries, "ordinary"), day_of(entries, "waits")
    assert ordinary["furthest"] < ordinary["stands_out"]
    assert waits["judged_at"][:10] > waits["day"]
    words = told(explain, f"org:{alert['subject']['id']}", *about)
    assert f"SPOKE      {spoke['day']}: score {spoke['score']:g} reaches {alert['level']}" in words
    below = [day for day in entries[0]["days"] if day["state"] == "below"]
    assert all(0 < day["score"] < day["threshold"] and day["reasons"] for day in below)


def test_explain_says_that_there_is_no_model(city: Path) -> None:
    person = next(json.loads(line)["psn_no"] for line in city.read_text().splitlines() if '"setl"' in line)
    done = asked(explain, f"person:{person}", "--detector", "anomaly_person", "--replay", city)
    assert done.exit_code == 0, done.output
    assert "anomaly_person: no model is in force" in done.stderr
