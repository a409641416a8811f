"""Writes the dashboards beside it, for Grafana 11 (schema 39).

    python deploy/grafana/build.py

A panel is a title in both languages, a unit and its queries; the grid is filled from left to right.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

COLUMNS, WIDTH, HEIGHT = 24, 8, 8
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
RATE = "[$__rate_interval]"


class Query(NamedTuple):
    expr: str
    legend: str = ""


class Panel(NamedTuple):
    """unit: as Grafana names it (s, ops, bytes, percentunit, short)."""

    title: str
    title_zh: str
    unit: str
    queries: Sequence[Query]


class Dashboard(NamedTuple):
    name: str
    title: str
    panels: Sequence[Panel]


def rate(metric: str, by: str, which: str = "") -> Query:
    """How many a second, by a label."""
    return Query(f"sum by ({by}) (rate({metric}{which}{RATE}))", f"{{{{{by}}}}}")


def quantile(q: float, metric: str, by: str = "", which: str = "") -> Query:
    """Of a histogram, over all processes."""
    labels, legend = ("le", f"p{q * 100:g}") if not by else (f"le, {by}", f"p{q * 100:g} {{{{{by}}}}}")
    return Query(f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket{which}{RATE})))", legend)


EVENTS, ALERTS = "fundwatch_events_ingested_total", "fundwatch_alerts_emitted_total"
END_TO_END, STATE = "fundwatch_event_end_to_end_seconds", "fundwatch_state_operation_seconds"
JUDGED, JUDGING = "fundwatch_detector_evaluations_total", "fundwatch_detector_duration_seconds"
HTTP, HTTP_SECONDS = "fundwatch_http_requests_total", "fundwatch_http_request_duration_seconds"
SCORE, INFERENCE = "fundwatch_model_score", "fundwatch_model_inference_seconds"
CANDIDATE, TRIAGE = "fundwatch_model_candidate_days_total", "fundwatch_alert_time_to_triage_seconds"
STANDING = Query("max by (level, state) (fundwatch_alerts_standing)", "{{level}} {{state}}")
LAG_SECONDS = Query("max by (topic) (fundwatch_consumer_lag_seconds)", "{{topic}}")
BURN = "slo:sli_error:ratio_rate1h / on (slo) slo:error_budget:ratio"

DASHBOARDS = (
    Dashboard(
        "overview",
        "fundwatch · overview 总览",
        (
            Panel(
                "Alerts of on-call that fire",
                "当前告警",
                "short",
                [
                    Query('ALERTS{alertname=~"Fundwatch.*", alertstate="firing"}', "{{alertname}} {{severity}}"),
                ],
            ),
            Panel("Budget burn, 1 h (1: as fast as allowed)", "错误预算消耗倍率", "short", [Query(BURN, "{{slo}}")]),
            Panel(
                "Processes that answer",
                "在线进程",
                "short",
                [
                    Query('sum by (job) (up{job=~"fundwatch.*"})', "{{job}}"),
                ],
            ),
            Panel("Events a second", "每秒事件", "ops", [rate(EVENTS, "topic")]),
            Panel("Event to verdict", "事件到判断", "s", [quantile(0.5, END_TO_END), quantile(0.99, END_TO_END)]),
            Panel(
                "Event to stored alert",
                "事件到预警入库",
                "s",
                [
                    quantile(0.99, "fundwatch_alert_latency_seconds", "level"),
                ],
            ),
            Panel(
                "Alerts opened in an hour",
                "每小时新增预警",
                "short",
                [
                    Query(f'sum by (level) (increase({ALERTS}{{change="created"}}[1h]))', "{{level}}"),
                ],
            ),
            Panel("Alerts that stand", "未撤销预警", "short", [STANDING]),
            Panel("Behind by", "处理滞后", "s", [LAG_SECONDS]),
            Panel(
                "Since the last loop",
                "距上次主循环",
                "s",
                [
                    Query("time() - fundwatch_component_heartbeat_timestamp_seconds", "{{component}} {{instance}}"),
                ],
            ),
            Panel(
                "Versions",
                "版本",
                "short",
                [
                    Query("sum by (version, python) (fundwatch_build_info)", "{{version}}, Python {{python}}"),
                ],
            ),
        ),
    ),
    Dashboard(
        "pipeline",
        "fundwatch · pipeline 处理链路",
        (
            Panel("Events a second by type", "各类事件", "ops", [rate(EVENTS, "event_type")]),
            Panel(
                "Messages that wait",
                "积压消息",
                "short",
                [
                    Query("sum by (topic) (fundwatch_consumer_lag_messages)", "{{topic}}"),
                ],
            ),
            Panel("Behind by", "处理滞后", "s", [LAG_SECONDS]),
            Panel("Event to verdict by topic", "事件到判断", "s", [quantile(0.99, END_TO_END, "topic")]),
            Panel(
                "One slice",
                "单批处理时间",
                "s",
                [
                    quantile(0.5, "fundwatch_batch_seconds"),
                    quantile(0.99, "fundwatch_batch_seconds"),
                ],
            ),
            Panel(
                "Business time behind the clock",
                "业务时间水位滞后",
                "s",
                [
                    Query("time() - max(fundwatch_watermark_timestamp_seconds)", "watermark"),
                ],
            ),
            Panel(
                "Quarantined a second",
                "进入隔离区",
                "ops",
                [
                    rate("fundwatch_quarantine_messages_total", "reason"),
                    rate("fundwatch_events_test_total", "topic"),
                ],
            ),
            Panel("Late a second", "迟到事件", "ops", [rate("fundwatch_events_late_total", "action")]),
            Panel("Read twice, a second", "重复事件", "ops", [rate("fundwatch_events_duplicate_total", "event_type")]),
            Panel(
                "Received so long after it happened",
                "上传延迟",
                "s",
                [
                    quantile(0.95, "fundwatch_event_lateness_seconds", "topic"),
                ],
            ),
            Panel(
                "Lost offsets, rebalances",
                "丢失位点与重平衡",
                "short",
                [
                    Query("sum by (topic) (increase(fundwatch_offsets_missing_total[1h]))", "lost {{topic}}"),
                    Query("sum(increase(fundwatch_consumer_rebalances_total[1h]))", "rebalances"),
                ],
            ),
            Panel("Verdicts a second", "每秒判断", "ops", [rate("fundwatch_verdicts_total", "outcome")]),
            Panel("Redis: one round trip", "Redis 往返", "s", [quantile(0.99, STATE, "operation")]),
            Panel(
                "Redis: memory",
                "Redis 内存",
                "bytes",
                [
                    Query("max(fundwatch_state_memory_bytes)", "used"),
                    Query("max(fundwatch_state_memory_limit_bytes)", "limit"),
                ],
            ),
            Panel("Redis: keys", "Redis 键数", "short", [Query("max(fundwatch_state_keys)", "keys")]),
            Panel("Servers that were away", "依赖服务失败", "ops", [rate("fundwatch_state_errors_total", "server")]),
            Panel("Archive", "归档", "ops", [rate("fundwatch_archive_rows_total", "outcome")]),
            Panel(
                "Archive: free disk",
                "归档磁盘剩余",
                "percentunit",
                [
                    Query("min(fundwatch_archive_free_ratio)", "free"),
                ],
            ),
            Panel("CPU", "处理器", "percentunit", [rate("process_cpu_seconds_total", "job")]),
        ),
    ),
    Dashboard(
        "detectors",
        "fundwatch · detectors 规则",
        (
            Panel("Units judged a second", "每秒判断单元", "ops", [rate(JUDGED, "detector")]),
            Panel("Hits a second", "每秒命中", "ops", [rate(JUDGED, "detector", '{outcome="hit"}')]),
            Panel("CPU time", "规则耗时占比", "percentunit", [rate(f"{JUDGING}_sum", "detector")]),
            Panel("One unit", "单元耗时 P99", "s", [quantile(0.99, JUDGING, "detector")]),
            Panel("Crashes a second", "规则异常", "ops", [rate("fundwatch_detector_crashes_total", "detector")]),
            Panel(
                "Alerts opened in an hour",
                "每小时新增预警",
                "short",
                [
                    Query(f'sum by (detector) (increase({ALERTS}{{change="created"}}[1h]))', "{{detector}}"),
                ],
            ),
            Panel("Changes of alerts a second", "预警变更", "ops", [rate(ALERTS, "change")]),
            Panel(
                "Rules taken over, refused",
                "规则加载",
                "short",
                [
                    Query("sum by (outcome) (fundwatch_rules_reloads_total)", "{{outcome}}"),
                ],
            ),
            Panel(
                "Since rules were taken over",
                "距上次规则加载",
                "s",
                [
                    Query("time() - min(fundwatch_rules_last_reload_success_timestamp_seconds)", "oldest worker"),
                ],
            ),
            Panel("Days scored by the model a second", "模型评分日数", "ops", [rate(f"{SCORE}_count", "model")]),
            Panel("Score of a day", "模型异常分", "short", [quantile(q, SCORE, "model") for q in (0.5, 0.99)]),
            Panel("One day scored", "模型单日耗时 P99", "s", [quantile(0.99, INFERENCE, "model")]),
            Panel("Candidate beside it, a second", "候选模型对照", "ops", [rate(CANDIDATE, "spoke")]),
            Panel(
                "Drift of scores (PSI): look above 0.05, train above 0.2",
                "模型评分漂移",
                "short",
                [
                    Query("max by (model) (fundwatch_model_score_psi)", "{{model}}"),
                ],
            ),
            Panel(
                "Drift of features (PSI), the furthest ten",
                "特征漂移前十",
                "short",
                [
                    Query("topk(10, max by (model, feature) (fundwatch_model_feature_psi))", "{{model}} {{feature}}"),
                ],
            ),
            Panel(
                "Leads a day among the days compared",
                "日均模型提示数",
                "short",
                [
                    Query("max by (model) (fundwatch_model_leads_per_day)", "{{model}}"),
                ],
            ),
            Panel(
                "Days compared for drift",
                "漂移对照日数",
                "short",
                [
                    Query("max by (model) (fundwatch_model_drift_days)", "{{model}}"),
                ],
            ),
            Panel(
                "Since drift was looked at",
                "距上次漂移检查",
                "s",
                [
                    Query("time() - max(fundwatch_model_drift_checked_timestamp_seconds)", "job"),
                ],
            ),
            Panel(
                "Days without own past or peers, a second",
                "缺少对照的评分",
                "ops",
                [
                    rate("fundwatch_model_missing_features_total", "feature"),
                ],
            ),
            Panel(
                "Training days end",
                "模型训练期截止",
                "dateTimeAsIso",
                [
                    Query("1000 * max by (model) (fundwatch_model_trained_timestamp_seconds)", "{{model}}"),
                ],
            ),
        ),
    ),
    Dashboard(
        "feed",
        "fundwatch · feed 预警页面",
        (
            Panel("Requests a second", "每秒请求", "ops", [rate(HTTP, "route")]),
            Panel("Answers by class", "响应类别", "ops", [rate(HTTP, "status")]),
            Panel("Answer within", "响应时间", "s", [quantile(0.5, HTTP_SECONDS), quantile(0.95, HTTP_SECONDS)]),
            Panel("Slowest routes", "最慢路径", "s", [quantile(0.95, HTTP_SECONDS, "route")]),
            Panel("Open streams", "实时连接", "short", [Query("sum(fundwatch_feed_clients)", "clients")]),
            Panel(
                "Stored to told",
                "入库到推送",
                "s",
                [
                    quantile(0.5, "fundwatch_feed_push_seconds"),
                    quantile(0.99, "fundwatch_feed_push_seconds"),
                ],
            ),
            Panel(
                "Changes refused: somebody was faster",
                "并发修改被拒",
                "short",
                [
                    Query("sum(increase(fundwatch_alert_update_conflicts_total[1h]))", "412"),
                ],
            ),
            Panel("Told to read again", "要求重读", "ops", [rate("fundwatch_feed_resyncs_total", "reason")]),
            Panel("Alerts that stand", "未撤销预警", "short", [STANDING]),
            Panel(
                "Leads that wait, by step",
                "各环节待办线索",
                "short",
                [
                    Query("sum by (state) (max by (level, state) (fundwatch_alerts_open))", "{{state}}"),
                ],
            ),
            Panel(
                "Oldest lead nobody has looked at",
                "最久未研判",
                "s",
                [
                    Query("max by (level) (fundwatch_alerts_oldest_open_seconds)", "{{level}}"),
                ],
            ),
            Panel(
                "Past their last day",
                "超期线索",
                "short",
                [
                    Query("max by (state) (fundwatch_alerts_overdue)", "{{state}}"),
                ],
            ),
            Panel("Raised to first move", "研判用时", "s", [quantile(0.5, TRIAGE, "level")]),
            Panel(
                "Not yet on the topic alerts",
                "待发布",
                "short",
                [
                    Query("max(fundwatch_alerts_unpublished)", "rows"),
                ],
            ),
            Panel(
                "Memory",
                "内存",
                "bytes",
                [
                    Query('sum by (instance) (process_resident_memory_bytes{job="fundwatch-feed"})', "{{instance}}"),
                ],
            ),
        ),
    ),
)  # fmt: skip - a panel a line or two


def document(dashboard: Dashboard) -> dict[str, Any]:  # Any: JSON
    """As Grafana imports it."""
    return {
        "uid": f"fundwatch-{dashboard.name}",
        "title": dashboard.title,
        "tags": ["fundwatch"],
        "schemaVersion": 39,
        "editable": False,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "timezone": "Asia/Shanghai",
        "templating": {
            "list": [{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "数据源"}]
        },
        "links": [{"type": "dashboards", "tags": ["fundwatch"], "title": "fundwatch", "asDropdown": True}],
        "panels": list(_panels(dashboard.panels)),
    }


def _panels(panels: Sequence[Panel]) -> Iterator[dict[str, Any]]:
    """Any: JSON."""
    for number, panel in enumerate(panels):
        row, column = divmod(number * WIDTH, COLUMNS)
        yield {
            "id": number + 1,
            "type": "timeseries",
            "title": f"{panel.title_zh} · {panel.title}",
            "datasource": SOURCE,
            "gridPos": {"x": column, "y": row * HEIGHT, "w": WIDTH, "h": HEIGHT},
            "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
            "options": {"legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]}},
            "targets": [
                {"refId": chr(65 + n), "datasource": SOURCE, "expr": query.expr, "legendFormat": query.legend}
                for n, query in enumerate(panel.queries)
            ],
        }


def text(dashboard: Dashboard) -> str:
    """The committed file."""
    return json.dumps(document(dashboard), ensure_ascii=False, indent=2) + "\n"


def path(dashboard: Dashboard) -> Path:
    """Where it is committed."""
    return Path(__file__).with_name(f"{dashboard.name}.json")


if __name__ == "__main__":
    for one in DASHBOARDS:
        path(one).write_text(text(one))
