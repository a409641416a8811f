"""The catalogue of metrics: named as Prometheus wants them, explained, closed, and telling nobody's name."""

import re
from itertools import product
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stream_app import metrics
from stream_app.commands.monitoring import document
from stream_app.metrics import ALSO_CALLED, CATALOGUE, OPEN, PARTS, Metric, Part

ROOT = Path(__file__).parents[1]
SOURCES = (ROOT / "detectors" / "wire.py", ROOT / "stream_app" / "line.py")
PERSONAL = {"person", "psn_no", "org", "fixmedins_code", "subject", "alert_id", "user", "doctor", "region", "area"}
BOUNDED = {"partition", "version", "python", "method", "route"}  # labels without a list of their values

every_metric = pytest.mark.parametrize("metric", CATALOGUE.values(), ids=CATALOGUE)


@every_metric
def test_every_metric_is_named_by_the_rules_and_explained(metric: Metric) -> None:
    assert re.fullmatch(r"fundwatch_[a-z_]+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert metric.kind != "histogram" or metric.unit in {"seconds", "score"}
    assert len(metric.help) > 10
    assert metric.parts


@every_metric
def test_labels_come_from_closed_sets_and_name_no_person_and_no_institution(metric: Metric) -> None:
    assert not metric.labels.keys() & PERSONAL
    assert {name for name, values in metric.labels.items() if values == OPEN} <= BOUNDED


@pytest.mark.parametrize("part", PARTS)
def test_a_part_shows_its_own_metrics_with_every_combination_and_no_others(part: Part) -> None:
    told = list(text_string_to_metric_families(generate_latest(metrics.registry(part)).decode()))
    families = {family.name: family for family in told if family.name.startswith("fundwatch_")}
    wanted = {metric.name.removesuffix("_total"): metric for metric in CATALOGUE.values() if part in metric.parts}
    assert families.keys() == wanted.keys()
    for name, metric in wanted.items():
        assert families[name].type == metric.kind
        if metric.instrument is metrics.HEARTBEAT or OPEN in metric.labels.values():
            continue
        rows = {tuple(s.labels[label] for label in metric.labels) for s in families[name].samples}
        assert rows == set(metric.rows or product(*metric.labels.values()))


def test_nothing_is_told_twice_by_a_series_of_creation_times() -> None:
    assert b"_created" not in generate_latest(metrics.registry(*PARTS))


def test_every_reason_of_a_refusal_has_its_series() -> None:
    told = re.findall(r'Refused\("(\w+)"', "".join(map(Path.read_text, SOURCES)))
    assert set(metrics.REASONS) == set(told)


def test_the_page_of_metrics_says_what_the_catalogue_says() -> None:
    """Made by: fundwatch metrics --markdown > docs/metrics.md"""
    assert (ROOT / "docs" / "metrics.md").read_text() == document()


def test_what_is_asked_for_by_another_name_is_answered_by_a_metric_that_there_is() -> None:
    assert set(ALSO_CALLED.values()) <= CATALOGUE.keys()
    assert not ALSO_CALLED.keys() & CATALOGUE.keys()
