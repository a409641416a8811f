"""The dashboards: as their builder makes them, without overlap, of queries that parse and metrics that exist."""

import json
import re
import subprocess
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from deploy.grafana.build import COLUMNS, DASHBOARDS, Dashboard, document, path, text
from stream_app.metrics import CATALOGUE
from tests.test_alert_rules import promtool, rules  # noqa: F401 - a fixture

OF_PROMETHEUS = {"up", "ALERTS"}
OF_PROCESSES = {"process_cpu_seconds_total", "process_resident_memory_bytes"}
WORDS = re.compile(r'"[^"]*"|\b(?:by|on|without|group_left) \([^)]*\)|\[[^\]]*\]')
NAMES = re.compile(r"[a-zA-Z_:][\w:]*(?!\s*\()(?![\w:])")

every_dashboard = pytest.mark.parametrize("dashboard", DASHBOARDS, ids=lambda dashboard: dashboard.name)


def queries() -> list[str]:
    return [query.expr for dashboard in DASHBOARDS for panel in dashboard.panels for query in panel.queries]


def runnable(expr: str, window: str = "5m") -> str:
    """With what Grafana puts in."""
    return expr.replace("$__rate_interval", window)


@every_dashboard
def test_the_committed_file_is_what_the_builder_makes(dashboard: Dashboard) -> None:
    """Made by: python deploy/grafana/build.py"""
    assert path(dashboard).read_text() == text(dashboard)


def test_no_other_dashboard_is_committed() -> None:
    assert set(path(DASHBOARDS[0]).parent.glob("*.json")) == {path(dashboard) for dashboard in DASHBOARDS}


@every_dashboard
def test_panels_lie_within_the_grid_and_beside_each_other(dashboard: Dashboard) -> None:
    panels = document(dashboard)["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    assert all(place["x"] + place["w"] <= COLUMNS for place in places)
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert beside or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]


@every_dashboard
def test_every_panel_asks_the_source_that_the_reader_chooses_and_speaks_both_languages(dashboard: Dashboard) -> None:
    for panel in document(dashboard)["panels"]:
        assert re.search(r"[\u4e00-\u9fff].* · [A-Z]", panel["title"])
        assert {json.dumps(target["datasource"]) for target in panel["targets"]} == {json.dumps(panel["datasource"])}
        assert panel["datasource"]["uid"] == "${datasource}"


def test_every_query_parses(promtool: str, tmp_path: Path) -> None:  # noqa: F811 - the fixture
    recorded = [{"record": f"q:{number}", "expr": runnable(expr)} for number, expr in enumerate(queries())]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": recorded}]}))
    done = subprocess.run([promtool, "check", "rules", file], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_metric_and_every_label_of_the_queries_is_known() -> None:
    known = {name for metric in CATALOGUE.values() for name in metric.sampled}
    known |= {str(rule["record"]) for rule in rules() if "record" in rule} | OF_PROMETHEUS | OF_PROCESSES
    labels = {label for metric in CATALOGUE.values() for label in metric.labels} | {"le", "job", "instance", "slo"}
    labels |= {"alertname", "alertstate", "severity"}
    for expr in queries():
        named = set(re.findall(r"(\w+)\s*(?:=~|=|!=|!~)\s*\"", expr))
        named |= {label for group in re.findall(r"(?:by|on) \(([^)]*)\)", expr) for label in group.split(", ")}
        assert named <= labels, expr
        found = set(NAMES.findall(WORDS.sub("", expr))) - named - {"by", "on"}
        assert {name for name in found if not name.isdigit()} <= known, expr


def test_no_query_hides_a_gap_behind_a_zero() -> None:
    assert [expr for expr in queries() if "or vector" in expr] == []
