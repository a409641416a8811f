"""Every metric of the worker, in one place. Labels come from closed sets, never a person or an institution."""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics, start_http_server

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the counters

EVENTS = Counter("fundwatch_events_ingested_total", "Events decoded and accepted from Kafka", ["topic", "event_type"])
TESTS = Counter("fundwatch_events_test_total", "Test events dropped", ["topic"])
REFUSED = Counter("fundwatch_quarantine_messages_total", "Messages put on the quarantine topic", ["topic", "reason"])
LATE = Counter("fundwatch_events_late_total", "Events behind the lateness allowed", ["topic", "action"])
GAPS = Counter("fundwatch_offsets_missing_total", "Offsets that Kafka no longer had when asked for", ["topic"])
# How long from the broker taking an event to its verdict being on Kafka?
END_TO_END = Histogram(
    "fundwatch_event_end_to_end_seconds",
    "Broker append time to end of detection",
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
)
BATCH = Histogram(
    "fundwatch_batch_seconds", "Remembering and judging one slice", buckets=(0.005, 0.02, 0.05, 0.1, 0.5, 1, 5)
)
LAG = Gauge("fundwatch_consumer_lag_messages", "Log end offset minus next offset to process", ["topic", "partition"])
WATERMARK = Gauge("fundwatch_watermark_timestamp_seconds", "Latest business time seen, as a unix timestamp")
VERDICTS = Counter("fundwatch_verdicts_total", "Verdicts published; withdrawals are those without a lead", ["outcome"])
CRASHES = Counter("fundwatch_detector_crashes_total", "Detectors that raised", ["detector"])
# Do the workers judge by the rules that the file has?
RULES = Counter("fundwatch_rules_reloads_total", "Changes of the file of rules, taken over or refused", ["outcome"])
RULES_LOADED = Gauge(
    "fundwatch_rules_last_reload_success_timestamp_seconds", "Unix time at which rules were last taken over"
)
STATE_ERRORS = Counter("fundwatch_state_errors_total", "Failed operations, by server", ["server"])
ALERTS = Counter("fundwatch_alerts_emitted_total", "Changes of alerts stored", ["detector", "level", "change"])
ALERT_LATENCY = Histogram(
    "fundwatch_alert_latency_seconds",
    "Verdict on Kafka to alert stored",
    buckets=(0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10),
)
HEARTBEAT = Gauge(
    "fundwatch_component_heartbeat_timestamp_seconds", "Unix time of the component's last loop", ["component"]
)


def serve(host: str, port: int) -> None:
    """Show them at /metrics, in a thread of their own. 0: not at all."""
    if port:
        start_http_server(port, host)
