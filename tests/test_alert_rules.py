"""The rules for Prometheus: each alert fires when it should, is quiet when it should, and has a page on what to do.

A case is series in promtool's notation (``0+10x60``: sixty minutes, ten more at each), a moment, and the labels of what
fires then. Minute 0 is midnight UTC: 08:00 in China.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.prometheus import slo
from stream_app.metrics import CATALOGUE
from tests.live.servers import absent

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "deploy" / "prometheus"
FILES = ("slo.yml", "causes.yml")
Rule = dict[str, Any]  # YAML


def rules() -> list[Rule]:
    groups = [group for name in FILES for group in yaml.safe_load((FOLDER / name).read_text())["groups"]]
    return [rule for group in groups for rule in group["rules"]]


ALERTS = [rule for rule in rules() if "alert" in rule]


@dataclass(frozen=True)
class Case:
    """fires: the labels beside the rule's own, of each alert that stands then. None: quiet."""

    alert: str
    series: Mapping[str, str]
    fires: Sequence[Mapping[str, str]] = ()
    at: str = "30m"
    window: str = ""  # of a rule that has several


def ingested(topic: str, values: str) -> dict[str, str]:
    return {f'fundwatch_events_ingested_total{{topic="{topic}",event_type="x"}}': values}


def slow(share_bad: float, each: int = 100) -> dict[str, str]:
    """Events a minute, a share of them later than promised."""
    fast = round(each * (1 - share_bad))
    name = "fundwatch_event_end_to_end_seconds"
    return {
        f'{name}_count{{topic="claims"}}': f"0+{each}x10000",
        f'{name}_bucket{{topic="claims",le="5.0"}}': f"0+{fast}x10000",
    }


def evaluated(hits: str, misses: str) -> dict[str, str]:
    name = "fundwatch_detector_evaluations_total"
    return {f'{name}{{detector="d",outcome="hit"}}': hits, f'{name}{{detector="d",outcome="miss"}}': misses}


BEAT = "fundwatch_component_heartbeat_timestamp_seconds"
BEATS = {f'{BEAT}{{component="{part}",instance="i"}}': "0+60x60" for part in ("worker", "feed", "archive")}
STOPPED = "0+50x60 3000x200"
LOST = 'fundwatch_offsets_missing_total{topic="claims"}'
AGE = 'fundwatch_consumer_lag_seconds{topic="claims"}'
CRASHES = 'fundwatch_detector_crashes_total{detector="d"}'
USED, LIMIT = "fundwatch_state_memory_bytes", "fundwatch_state_memory_limit_bytes"
CREATED = 'fundwatch_alerts_emitted_total{detector="d",level="red",change="created"}'
LAG = 'fundwatch_consumer_lag_messages{topic="claims",partition="0"}'
BURN = "FundwatchErrorBudgetBurn"
DETECTION = {"slo": "detection_latency"}
PSI = 'fundwatch_model_feature_psi{model="person",feature="person_amount_day"}'
COMPARED = 'fundwatch_model_drift_days{model="person"}'
TRAINED = 'fundwatch_model_trained_timestamp_seconds{model="pharmacy"}'
WATERMARK = "fundwatch_watermark_timestamp_seconds"
PERSON = {"model": "person"}
LATE = 'fundwatch_alerts_overdue{state="new",instance="i"}'
OPERATION = "fundwatch_state_operation_seconds_bucket"
WORKER = 'up{job="fundwatch-worker",instance="i"}'

CASES = (
    Case(BURN, slow(0.3), [DETECTION], "90m", "1h"),
    Case(BURN, slow(0.005), [], "90m", "1h"),
    Case(BURN, slow(0.3, each=0), [], "90m", "1h"),  # nobody is woken by nothing
    Case(BURN, slow(0.1), [DETECTION], "400m", "6h"),
    Case(BURN, slow(0.04), [], "400m", "6h"),
    Case(BURN, slow(0.04), [DETECTION], "1500m", "1d"),
    Case(BURN, slow(0.02), [], "1500m", "1d"),
    Case(BURN, slow(0.02), [DETECTION], "4400m", "3d"),
    Case(BURN, slow(0.005), [], "4400m", "3d"),
    Case("FundwatchTargetDown", {WORKER: "1x5 0x60"}, [{"job": "fundwatch-worker", "instance": "i"}]),
    Case("FundwatchTargetDown", {WORKER: "1x60"}),
    Case(
        "FundwatchComponentStalled",
        {f'{BEAT}{{component="keeper",instance="i"}}': "0x60"},
        [{"component": "keeper", "instance": "i"}],
    ),
    Case("FundwatchComponentStalled", BEATS),
    Case("FundwatchMetricsAbsent", {k: v for k, v in BEATS.items() if "feed" not in k}, [{"component": "feed"}]),
    Case("FundwatchMetricsAbsent", BEATS),
    Case("FundwatchServerAway", {'fundwatch_state_errors_total{server="redis"}': "0x20 0+6x40"}, [{"server": "redis"}]),
    Case("FundwatchServerAway", {'fundwatch_state_errors_total{server="redis"}': "0x20 1x40"}),
    Case("FundwatchRebalancing", {"fundwatch_consumer_rebalances_total": "0+1x120"}, [{}], "60m"),
    Case("FundwatchRebalancing", {"fundwatch_consumer_rebalances_total": "0x30 2x90"}, [], "60m"),
    Case("FundwatchWatchdog", {}, [{}]),
    Case("FundwatchNoEvents", ingested("claims", "0+50x10 500x200"), [{}], "45m"),
    Case("FundwatchNoEvents", ingested("claims", "0+50x200"), [], "45m"),
    Case("FundwatchNoEvents", ingested("claims", "0x900"), [], "800m"),  # 21:20 in China
    Case("FundwatchNoEvents", ingested("reference", "0+50x200") | ingested("claims", "0x200"), [{}], "45m"),
    Case(
        "FundwatchTopicSilent",
        ingested("stock", STOPPED) | ingested("claims", "0+50x260"),
        [{"topic": "stock"}],
        "150m",
    ),
    Case("FundwatchTopicSilent", ingested("stock", "0+50x260") | ingested("claims", "0+50x260"), [], "150m"),
    Case(
        "FundwatchTopicSilent",
        ingested("stock", STOPPED) | ingested("claims", STOPPED),
        [],
        "150m",
    ),
    Case(
        "FundwatchQuarantine",
        {'fundwatch_quarantine_messages_total{topic="claims",reason="missing"}': "0+5x60"},
        [{"topic": "claims", "reason": "missing"}],
    ),
    Case("FundwatchQuarantine", {'fundwatch_quarantine_messages_total{topic="claims",reason="missing"}': "0+1x60"}),
    Case("FundwatchQuarantine", {'fundwatch_quarantine_messages_total{topic="claims",reason="too_late"}': "0+5x60"}),
    Case(
        "FundwatchLateEventsHigh",
        ingested("claims", "0+100x120") | {'fundwatch_events_late_total{topic="claims",action="dropped"}': "0+5x120"},
        [{}],
        "60m",
    ),
    Case(
        "FundwatchLateEventsHigh",
        ingested("claims", "0+1000x120") | {'fundwatch_events_late_total{topic="claims",action="dropped"}': "0+5x120"},
        [],
        "60m",
    ),
    Case("FundwatchEventsLost", {LOST: "0x25 7x60"}, [{"topic": "claims"}]),
    Case("FundwatchEventsLost", {LOST: "7x60"}),
    Case("FundwatchConsumerLagHigh", {AGE: "90x60"}, [{"topic": "claims"}]),
    Case("FundwatchConsumerLagHigh", {AGE: "30x60"}),
    Case("FundwatchConsumerLagGrowing", {LAG: "0+200x120"}, [{"topic": "claims"}], "60m"),
    Case("FundwatchConsumerLagGrowing", {LAG: "30000-200x120"}, [], "60m"),
    Case("FundwatchArchiveDiskFull", {"fundwatch_archive_free_ratio": "0.05x60"}, [{}]),
    Case("FundwatchArchiveDiskFull", {"fundwatch_archive_free_ratio": "0.5x60"}),
    Case("FundwatchDetectorSilent", evaluated("0+1x100 100x3000", "0+20x3100"), [{"detector": "d"}], "2000m"),
    Case("FundwatchDetectorSilent", evaluated("0+1x3100", "0+20x3100"), [], "2000m"),
    # no data either
    Case("FundwatchDetectorSilent", evaluated("0+1x100 100x3000", "0+20x100 2000x3000"), [], "2000m"),
    Case(
        "FundwatchDetectorCrashing",
        {CRASHES: "0x25 2x60"},
        [{"detector": "d"}],
    ),
    Case("FundwatchDetectorCrashing", {CRASHES: "2x60"}),
    Case("FundwatchAlertFlood", {CREATED: "0x20 0+20x60"}, [{"detector": "d"}], "40m"),
    Case("FundwatchAlertFlood", {CREATED: "0+20x200"}, [], "150m"),  # as many as always
    Case("FundwatchAlertFlood", {CREATED: "0+1x120 120+20x60"}, [{"detector": "d"}], "150m"),
    Case("FundwatchRulesRefused", {'fundwatch_rules_reloads_total{outcome="refused"}': "0x25 1x60"}, [{}]),
    Case("FundwatchRulesRefused", {'fundwatch_rules_reloads_total{outcome="loaded"}': "0+1x60"}),
    Case("FundwatchUnpublished", {"fundwatch_alerts_unpublished": "500x60"}, [{}]),
    Case("FundwatchUnpublished", {"fundwatch_alerts_unpublished": "3x60"}),
    Case(
        "FundwatchUndelivered",
        {'fundwatch_notifications_total{target_kind="wecom",outcome="dead"}': "0+1x60"},
        [{"target_kind": "wecom"}],
    ),
    Case("FundwatchUndelivered", {'fundwatch_notifications_total{target_kind="wecom",outcome="sent"}': "0+9x60"}),
    Case(
        "FundwatchStateSlow",
        {OPERATION + f'{{le="{le}"}}': f"0+{n}x60" for le, n in (("0.05", 90), ("0.1", 100), ("+Inf", 100))},
        [{}],
    ),
    Case("FundwatchStateSlow", {OPERATION + '{le="0.05"}': "0+100x60", OPERATION + '{le="+Inf"}': "0+100x60"}),
    Case(
        "FundwatchStateMemoryHigh",
        {USED: "95x60", LIMIT: "100x60"},
        [{}],
    ),
    Case(
        "FundwatchStateMemoryHigh",
        {USED: "95x60", LIMIT: "0x60"},
    ),
    Case("FundwatchModelDrift", {PSI: "0.3x120", COMPARED: "2500x120"}, [PERSON], "90m"),
    Case(
        "FundwatchModelDrift",
        {'fundwatch_model_score_psi{model="person"}': "0.3x120", COMPARED: "2500x120"},
        [PERSON],
        "90m",
    ),
    Case("FundwatchModelDrift", {PSI: "0.3x120", COMPARED: "300x120"}, [], "90m"),  # mostly noise
    Case("FundwatchModelDrift", {PSI: "0.1x120", COMPARED: "2500x120"}, [], "90m"),
    Case("FundwatchModelStale", {TRAINED: "0+0x120", WATERMARK: "5000000x120"}, [], "90m"),  # none is in force
    Case("FundwatchModelStale", {TRAINED: "1000000x120", WATERMARK: "5000000x120"}, [{"model": "pharmacy"}], "90m"),
    Case("FundwatchModelStale", {TRAINED: "1000000x120", WATERMARK: "4000000x120"}, [], "90m"),
    Case("FundwatchTriageOverdue", {LATE: "2x120"}, [{}], "60m"),
    Case("FundwatchTriageOverdue", {LATE: "0x120"}, [], "60m"),
)
ALWAYS = {"FundwatchWatchdog"}


def rule_of(case: Case) -> Rule:
    [rule] = [
        rule for rule in ALERTS if rule["alert"] == case.alert and case.window in ("", rule["labels"].get("window"))
    ]
    return rule


def as_promtool_has_it(case: Case) -> Rule:
    """What is expected is told in full: labels, and annotations with the labels put in."""
    rule = rule_of(case)
    expected = [
        {
            "exp_labels": rule["labels"] | labels,
            "exp_annotations": {name: _filled(text, labels) for name, text in rule["annotations"].items()},
        }
        for labels in case.fires
    ]
    return {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in case.series.items()],
        "alert_rule_test": [{"eval_time": case.at, "alertname": case.alert, "exp_alerts": expected}],
    }


def _filled(text: str, labels: Mapping[str, str]) -> str:
    return re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda found: labels[found[1]], text)


def alone(case: Case) -> Rule:
    """The case's rule and what it is worked out from: all rules every minute for three days would take minutes."""
    rule = rule_of(case)
    recorded = [
        one for one in rules() if one.get("record") and one["record"] in rule["expr"] and one["labels"] == DETECTION
    ]
    return {"groups": [{"name": "alone", "rules": [*recorded, rule]}]}


def minutes(case: Case) -> int:
    return int(case.at.removesuffix("m"))


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    return found or absent("promtool is not installed: apt-get install --no-install-recommends prometheus")


def told(*command: str | Path) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_rules_are_sound(promtool: str) -> None:
    told(promtool, "check", "rules", "--lint=all", "--lint-fatal", *(FOLDER / name for name in FILES))
    told(promtool, "check", "config", FOLDER / "prometheus.yml")


def test_the_example_for_alertmanager_is_sound() -> None:
    amtool = shutil.which("amtool") or absent("amtool is not installed: apt-get install prometheus-alertmanager")
    told(amtool, "check-config", FOLDER / "alertmanager.yml")


def test_the_alerts_fire_and_are_quiet_as_the_cases_say(promtool: str, tmp_path: Path) -> None:
    for number, case in enumerate(CASES):
        rule_file, test_file = tmp_path / f"rule{number}.yml", tmp_path / f"test{number}.yml"
        rule_file.write_text(json.dumps(alone(case)))
        every = "1m" if minutes(case) < 600 else "10m"
        one = {"rule_files": [str(rule_file)], "evaluation_interval": every, "tests": [as_promtool_has_it(case)]}
        test_file.write_text(json.dumps(one))
    told(promtool, "test", "rules", *sorted(tmp_path.glob("test*.yml")))


def test_every_alert_has_a_case_that_fires_and_a_case_that_is_quiet() -> None:
    wanted = {(rule["alert"], rule["labels"].get("window", ""), fires) for rule in ALERTS for fires in (True, False)}
    wanted -= {(name, "", False) for name in ALWAYS}
    assert {(case.alert, case.window, bool(case.fires)) for case in CASES} == wanted


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_every_alert_speaks_both_languages_and_names_a_page_that_says_what_to_do(rule: Rule) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket", "none"}
    assert re.search(r"[\u4e00-\u9fff]", rule["annotations"]["summary_zh"])
    page = ROOT / rule["annotations"]["runbook"]
    assert page.stem == rule["alert"]
    assert {"## It means", "## Look", "## Do"} <= set(page.read_text().splitlines())


def test_every_page_of_an_alert_belongs_to_one() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "runbook").glob("Fundwatch*.md")}
    assert pages == {rule["alert"] for rule in ALERTS}


def test_every_metric_in_the_rules_is_in_the_catalogue() -> None:
    known = {name for metric in CATALOGUE.values() for name in metric.sampled}
    used = {name for rule in rules() for name in re.findall(r"fundwatch_\w+", rule["expr"])}
    assert used
    assert used <= known


def test_the_file_of_promises_is_what_its_builder_makes() -> None:
    """Made by: python deploy/prometheus/slo.py"""
    assert (FOLDER / "slo.yml").read_text() == slo.text()
