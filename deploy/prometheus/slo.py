"""Writes slo.yml beside it: how much of what is promised is not kept, and at what rate the budget burns.

    python deploy/prometheus/slo.py

Six promises, each over 28 days; the windows and factors are those of Google's SRE workbook, chapter 5.
"""

from pathlib import Path
from typing import NamedTuple

import yaml

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
LEAST_EVENTS = 20  # in the last hour: nights are quiet, and one slow event must not wake anybody
HEAD = "# Made by slo.py beside it. Change that, not this.\n"


class Promise(NamedTuple):
    """bad, all: PromQL with WINDOW for the window; both counted by the same events."""

    slo: str
    budget: float  # the share that may be bad
    bad: str
    all: str


def slower_than(metric: str, le: str, labels: str = "") -> tuple[str, str]:
    """What a histogram has above a bound, and all of it."""
    inside = f"{labels}," if labels else ""
    every = f"sum(rate({metric}_count{{{labels}}}[WINDOW]))"
    return f'({every} - sum(rate({metric}_bucket{{{inside}le="{le}"}}[WINDOW])))', every


LOST = (
    "(sum(rate(fundwatch_quarantine_messages_total[WINDOW]))"
    " + sum(rate(fundwatch_detector_crashes_total[WINDOW]))"
    " + sum(rate(fundwatch_offsets_missing_total[WINDOW])))"
)
TAKEN = "(sum(rate(fundwatch_events_ingested_total[WINDOW])) + sum(rate(fundwatch_quarantine_messages_total[WINDOW])))"
API = 'sum(rate(fundwatch_http_requests_total{status="5xx"}[WINDOW]))'

PROMISES = (
    Promise("detection_latency", 0.01, *slower_than("fundwatch_event_end_to_end_seconds", "5.0")),
    Promise("alert_latency", 0.01, *slower_than("fundwatch_alert_latency_seconds", "10.0", 'level=~"red|orange"')),
    Promise("processing", 0.0005, LOST, TAKEN),
    Promise("api_availability", 0.001, API, "sum(rate(fundwatch_http_requests_total[WINDOW]))"),
    Promise("api_latency", 0.05, *slower_than("fundwatch_http_request_duration_seconds", "0.3")),
    Promise("feed_push", 0.01, *slower_than("fundwatch_feed_push_seconds", "2.0")),
)


class Burn(NamedTuple):
    factor: float
    long: str
    short: str
    severity: str


BURNS = (
    Burn(14.4, "1h", "5m", "page"),
    Burn(6, "6h", "30m", "page"),
    Burn(3, "1d", "2h", "ticket"),
    Burn(1, "3d", "6h", "ticket"),
)


def rules() -> dict[str, object]:
    """The content of slo.yml."""
    recorded = [_ratio(promise, window) for promise in PROMISES for window in WINDOWS]
    about = [rule for promise in PROMISES for rule in _about(promise)]
    return {
        "groups": [
            {"name": "fundwatch-slo-ratios", "rules": [*about, *recorded]},
            {"name": "fundwatch-slo-burn", "rules": [_alert(burn) for burn in BURNS]},
        ]
    }


def _ratio(promise: Promise, window: str) -> dict[str, object]:
    share = f"{promise.bad} / ({promise.all} > 0)".replace("WINDOW", window)
    return {"record": f"slo:sli_error:ratio_rate{window}", "expr": share, "labels": {"slo": promise.slo}}


def _about(promise: Promise) -> list[dict[str, object]]:
    labels = {"slo": promise.slo}
    events = f"3600 * {promise.all}".replace("WINDOW", "1h")
    return [
        {"record": "slo:error_budget:ratio", "expr": f"vector({promise.budget})", "labels": labels},
        {"record": "slo:events:increase1h", "expr": events, "labels": labels},
    ]


def _alert(burn: Burn) -> dict[str, object]:
    above = f"> on (slo) {burn.factor} * slo:error_budget:ratio"
    expr = (
        f"(slo:sli_error:ratio_rate{burn.long} {above})"
        f" and on (slo) (slo:sli_error:ratio_rate{burn.short} {above})"
        f" and on (slo) (slo:events:increase1h >= {LEAST_EVENTS})"
    )
    return {
        "alert": "FundwatchErrorBudgetBurn",
        "expr": expr,
        "labels": {"severity": burn.severity, "window": burn.long},
        "annotations": {
            "summary": f"The promise {{{{ $labels.slo }}}} is broken {burn.factor:g} times as often as it may be",
            "summary_zh": f"服务目标 {{{{ $labels.slo }}}} 的错误预算正以 {burn.factor:g} 倍速度消耗",
            "runbook": "docs/runbook/FundwatchErrorBudgetBurn.md",
        },
    }


def text() -> str:
    """slo.yml."""
    return HEAD + yaml.safe_dump(rules(), sort_keys=False, width=200, allow_unicode=True)


if __name__ == "__main__":
    Path(__file__).with_suffix(".yml").write_text(text())
