"""What Prometheus reads of a worker: named as it wants them, explained, and telling nobody's name."""

import re

from prometheus_client import generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from stream_app import metrics

OURS = {name: one for name, one in vars(metrics).items() if isinstance(one, MetricWrapperBase)}
CLOSED = {"topic", "partition", "event_type", "reason", "action", "detector", "level", "change"} | {
    "outcome",
    "server",
    "component",
}


def test_every_metric_has_our_prefix_its_unit_and_a_sentence() -> None:
    assert OURS
    for metric in OURS.values():
        (described,) = metric.describe()
        assert re.fullmatch(r"fundwatch_[a-z_]+", described.name)
        assert len(described.documentation) > 10
        if described.type == "histogram":
            assert described.name.endswith("_seconds")


def test_labels_come_from_closed_sets_and_name_no_person_and_no_institution() -> None:
    for metric in OURS.values():
        assert set(metric._labelnames) <= CLOSED


def test_nothing_is_told_twice_by_a_series_of_creation_times() -> None:
    metrics.EVENTS.labels("swipes", "swipe").inc(0)
    told = list(text_string_to_metric_families(generate_latest().decode()))
    names = {sample.name for family in told for sample in family.samples if family.name.startswith("fundwatch_")}
    assert "fundwatch_events_ingested_total" in names
    assert not [name for name in names if name.endswith("_created")]
