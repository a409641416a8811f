"""Models that are promoted and rolled back while workers run: live ends with the leads of a replay."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from urllib.request import urlopen

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from detectors.finding import Level
from models.versions import ARRAYS, Registry, named, read_manifest
from replay.run import replay_files
from replay.simulate.city import Plan
from replay.simulate.simulation import write
from stream_app.commands.model import model
from stream_app.embedded.up import DEMO_MODEL
from stream_app.rulebook import read_rules
from tests.live.test_line import (
    Recording,
    System,
    _servers_can_be_had,  # noqa: F401 - for every test here
    done,
    is_reference,
    two_workers,
)

DAYS = 14
PLAN = Plan(
    persons=600, days=DAYS, seed=9, start=datetime.fromisoformat("2026-03-02T00:00:00+08:00"), families=("frauds",)
)
FIRST, SECOND, BACK = "2026-03-05", "2026-03-08", "2026-03-11"  # business days from which another version judges
HINTS = 20

Hints = dict[str, tuple[str, str, frozenset[str], str]]


def hints(lines: bytes) -> Hints:
    """Leads of the model that stand: level, version, events and explanation, by id."""
    alerts = [json.loads(line) for line in lines.splitlines()]
    return {
        a["alert_id"]: (a["level"], a["model_version"], frozenset(a["events"]), json.dumps(a["explanation"]))
        for a in alerts
        if a["status"] == "open" and a["detector"].startswith("anomaly_")
    }


def asked(command: object, *arguments: object) -> str:
    answer = CliRunner().invoke(command, [str(word) for word in arguments])  # type: ignore[arg-type]
    assert answer.exit_code == 0, answer.output
    return answer.stdout


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("city") / "city.ndjson"
    write(PLAN, out, None)
    return out


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two versions, of which none is promoted: those of the demo, with thresholds for many leads."""
    root = tmp_path_factory.mktemp("models") / "kept"
    made = read_manifest(DEMO_MODEL)
    for blue in (1.5, 2.5):
        limits = {Level.BLUE: blue, Level.YELLOW: 5.0}
        parts = {entity: replace(part, thresholds=limits) for entity, part in made.parts.items()}
        Registry(root).add(named(replace(made, parts=parts)), (DEMO_MODEL / ARRAYS).read_bytes(), "")
    return root


def parts(city: Path, folder: Path) -> Iterator[Recording]:
    """The city as it was received, cut at the days before the versions change; reference records first."""
    lines = city.read_bytes().splitlines()
    reference = [line for line in lines if is_reference(line)]
    events = [line for line in lines if not is_reference(line)]
    cuts = ["", *(f"{day}T00" for day in (FIRST, SECOND, BACK)), "~"]
    for number, (since, until) in enumerate(pairwise(cuts)):
        within = [line for line in events if since <= json.loads(line)["biz_time"] < until]
        yield Recording.of(folder / f"part-{number}.ndjson", [*([] if number else reference), *within])


def test_versions_that_change_while_workers_run_give_the_leads_of_a_replay(
    city: Path, registry: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = (entry["version"] for entry in json.loads(asked(model, "list", "--registry", registry, "--json")))
    monkeypatch.setenv("FUNDWATCH_MODEL__DIR", str(registry))
    before, first, second, back = parts(city, tmp_path)
    with two_workers(tmp_path / "live") as system:
        done(system.send(before))
        asked(model, "promote", one, "--from", FIRST, "--registry", registry)
        asked(model, "watch", two, "--registry", registry)
        done(system.send(first))
        asked(model, "promote", two, "--from", SECOND, "--registry", registry)
        done(system.send(second))
        asked(model, "rollback", "--from", BACK, "--registry", registry)
        done(system.send(back))
        live = hints(system.exported())
        scored = [total(system, "fundwatch_model_score_count", entity) for entity in ("person", "pharmacy")]
        beside = total(system, "fundwatch_model_candidate_days_total", "person")
        trained = total(system, "fundwatch_model_trained_timestamp_seconds", "person")
    out = tmp_path / "replayed.ndjson"
    summary = replay_files([str(city)], alerts=out, rules=read_rules(None, registry))
    wanted = hints(out.read_bytes())
    assert not summary.crashes
    assert len(wanted) > HINTS
    assert {version for _, version, _, _ in wanted.values()} == {one, two}
    assert live == wanted
    assert min(scored) > len(wanted) / 2
    assert beside > 0
    assert trained > 0


def total(system: System, name: str, entity: str) -> float:
    """Of all workers."""
    pages = [urlopen(address, timeout=10).read().decode() for address in system.run()["metrics"]]
    families = [family for page in pages for family in text_string_to_metric_families(page)]
    return sum(one.value for family in families for one in family.samples
               if one.name == name and one.labels.get("model") == entity)  # fmt: skip
