"""Every metric of every part, in one catalogue: what is shown, docs/metrics.md and the checks of dashboards read it.

Labels come from closed sets, never a person, an institution or an alert. All pairs of a closed set stand at 0 from the
start, so that ``rate()`` sees the first error. A process shows the metrics of its own parts only (``serve``).
"""

import platform
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate, product
from typing import Any, Literal, TypeVar, cast

import prometheus_client as client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from alerts.deadlines import AWAITED
from alerts.notify.targets import OUTCOMES, TargetKind
from detectors.catalogue import DETECTORS
from detectors.event import Event, Record
from detectors.finding import Level
from detectors.nearness import name_of
from models.catalogue import ENTITIES, LEARNED
from models.watch import FEATURES
from stream_app import topics

disable_created_metrics()  # type: ignore[no-untyped-call]  # they would double the counters

# a job and a replay write files that node_exporter shows
Part = Literal["worker", "keeper", "feed", "archive", "notify", "job", "replay"]
PARTS: tuple[Part, ...] = ("worker", "keeper", "feed", "archive", "notify")
Kind = Literal["counter", "gauge", "histogram"]
M = TypeVar("M", bound=Collector)
Values = tuple[str, ...]

OPEN: Values = ()  # a label whose values are numbers or versions: few, and not known beforehand
TOPIC_OF = {"swipe": topics.SWIPES, "inv": topics.STOCK, "sale": topics.STOCK}


def _kinds() -> tuple[tuple[str, str], ...]:
    """(topic, event_type) as they belong together."""
    tags = [str(kind.__struct_config__.tag) for kind in cast(Any, Event).__args__]  # Any: a union of structs
    records = [str(kind.__struct_config__.tag) for kind in Record.__subclasses__()]
    return (
        *((TOPIC_OF.get(tag, topics.CLAIMS), tag) for tag in sorted(tags)),
        *((topics.REFERENCE, tag) for tag in sorted(records)),
    )


KINDS = _kinds()
ALERTED = tuple(sorted({name_of(detector) for detector in (*DETECTORS, *LEARNED)}))
JUDGED = tuple(sorted(detector.id for detector in (*DETECTORS, *LEARNED)))
LEVELS = tuple(level.value for level in Level)
REASONS = (
    "clock",
    "malformed",
    "missing",
    "not_an_object",
    "not_json",
    "not_utf8",
    "too_late",
    "too_long",
    "unknown_type",
)
SERVERS = ("redis", "kafka", "store")
DISPOSITIONS = ("confirmed", "partly", "unfounded", "dismissed")
VARIANTS = ("baseline", "candidate")  # candidate: by other thresholds or another model than are in force
SCORES = (0, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30)
MODELS = tuple(ENTITIES.values())
FEATURE_ROWS = tuple((entity, feature.name) for entity in MODELS for feature in FEATURES[entity])
STATES = tuple(state.value for state in AWAITED)
LATE_AFTER = timedelta(minutes=10)  # the same that makes an upload an offline or late one (X15, X16)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. labels: each with all its values, or OPEN. rows: the combinations there are, if not all."""

    name: str
    kind: Kind
    help: str
    parts: tuple[Part, ...]
    labels: Mapping[str, Values]
    rows: tuple[Values, ...] | None
    instrument: Collector

    @property
    def unit(self) -> str:
        """The base unit in its name; "" for a plain number."""
        stem = self.name.removesuffix("_total").rpartition("_")[2]
        return stem if stem in {"seconds", "bytes", "ratio", "messages", "score"} else ""

    @property
    def sampled(self) -> tuple[str, ...]:
        """The names under which Prometheus keeps it."""
        return (
            tuple(f"{self.name}_{end}" for end in ("bucket", "count", "sum"))
            if self.kind == "histogram"
            else (self.name,)
        )

    def fill(self) -> None:
        """Every combination of its labels is there, at 0."""
        if isinstance(self.instrument, MetricWrapperBase) and self.labels and OPEN not in self.labels.values():
            for values in self.rows or product(*self.labels.values()):
                self.instrument.labels(*values)


class Tally(Collector):
    """A histogram over one closed label, for what is counted several times an event. For one thread.

    It costs a fifth of the library's own, which takes a lock for each bucket.
    """

    def __init__(self, name: str, said: str, label: str, values: Values, buckets: Iterable[float]) -> None:
        self._name, self._said, self._label = name, said, label
        self._bounds = tuple(buckets)
        self._counts = {value: [0] * (len(self._bounds) + 1) for value in values}
        self._sums = dict.fromkeys(values, 0.0)

    def observe(self, value: str, amount: float, times: int = 1) -> None:
        """value: of the label."""
        self._counts[value][bisect_left(self._bounds, amount)] += times
        self._sums[value] += amount * times

    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._said, labels=[self._label])
        for value, counts in self._counts.items():
            bounds = [*map(floatToGoString, self._bounds), "+Inf"]
            family.add_metric([value], list(zip(bounds, accumulate(counts), strict=True)), self._sums[value])
        yield family


CATALOGUE: dict[str, Metric] = {}


def _entered(
    kind: Kind,
    name: str,
    said: str,
    parts: tuple[Part, ...],
    instrument: M,
    labels: Mapping[str, Values],
    rows: tuple[Values, ...] | None = None,
) -> M:
    CATALOGUE[name] = Metric(name, kind, said, parts, labels, rows, instrument)
    return instrument


def _counter(name: str, said: str, *parts: Part, rows: tuple[Values, ...] | None = None, **labels: Values) -> Counter:
    instrument = Counter(name, said, list(labels), registry=None)
    return _entered("counter", name, said, parts, instrument, labels, rows)


def _gauge(name: str, said: str, *parts: Part, rows: tuple[Values, ...] | None = None, **labels: Values) -> Gauge:
    return _entered("gauge", name, said, parts, Gauge(name, said, list(labels), registry=None), labels, rows)


def _histogram(name: str, said: str, *parts: Part, buckets: Iterable[float], **labels: Values) -> Histogram:
    instrument = Histogram(name, said, list(labels), registry=None, buckets=tuple(buckets))
    return _entered("histogram", name, said, parts, instrument, labels)


def _tally(name: str, said: str, *parts: Part, buckets: Iterable[float], **labels: Values) -> Tally:
    [(label, values)] = labels.items()
    return _entered("histogram", name, said, parts, Tally(name, said, label, values, buckets), labels)


# -- what comes in --------------------------------------------------------------------------------------------------

EVENTS = _counter(
    "fundwatch_events_ingested_total",
    "Events and reference records read and accepted",
    "worker",
    rows=KINDS,
    topic=topics.EVENTS,
    event_type=tuple(tag for _, tag in KINDS),
)
TESTS = _counter("fundwatch_events_test_total", "Events marked as a test, dropped", "worker", topic=topics.EVENTS)
REFUSED = _counter(
    "fundwatch_quarantine_messages_total",
    "Messages that took no part and were put on the quarantine topic",
    "worker",
    topic=topics.EVENTS,
    reason=REASONS,
)
# Does the national feed send twice? Each repeat is judged like the first time, and changes nothing.
REPEATED = _counter(
    "fundwatch_events_duplicate_total",
    "Events whose id is among the last 50,000 or more that this worker read: sent twice, or not acknowledged",
    "worker",
    event_type=tuple(tag for topic, tag in KINDS if topic != topics.REFERENCE),
)
LATE = _counter(
    "fundwatch_events_late_total",
    "Events more than 10 minutes behind the business time of their partition: accepted, or dropped as too late",
    "worker",
    topic=topics.EVENTS[:3],
    action=("accepted", "dropped"),
)
LATENESS = _tally(
    "fundwatch_event_lateness_seconds",
    "From when an event happened to when the centre received it",
    "worker",
    buckets=(1, 10, 60, 600, 3600, 21_600, 86_400, 259_200, 604_800),
    topic=topics.EVENTS[:3],
)
GAPS = _counter(
    "fundwatch_offsets_missing_total",
    "Offsets that Kafka no longer had when asked for: events that were never judged",
    "worker",
    topic=(*topics.EVENTS[:3], topics.VERDICTS),
)
LAG = _gauge(
    "fundwatch_consumer_lag_messages",
    "Messages of a partition that are not yet done with, as its worker knows",
    "worker",
    topic=(*topics.EVENTS, topics.VERDICTS),
    partition=OPEN,
)
LAG_SECONDS = _gauge(
    "fundwatch_consumer_lag_seconds",
    "Age of the message done with last, while others wait behind it; 0 when none does",
    "worker",
    topic=(*topics.EVENTS, topics.VERDICTS),
)
REBALANCES = _counter("fundwatch_consumer_rebalances_total", "Times partitions were shared out anew", "worker")
WATERMARK = _gauge("fundwatch_watermark_timestamp_seconds", "Latest business time seen, as a unix timestamp", "worker")

# -- judging --------------------------------------------------------------------------------------------------------

# How long from the broker taking an event to its verdict being on Kafka?
END_TO_END = _tally(
    "fundwatch_event_end_to_end_seconds",
    "Broker taking an event to its verdict being on Kafka, for every event",
    "worker",
    buckets=(0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
    topic=topics.EVENTS,
)
BATCH = _histogram(
    "fundwatch_batch_seconds",
    "Remembering and judging one slice of arrivals",
    "worker",
    buckets=(0.005, 0.02, 0.05, 0.1, 0.5, 1, 5),
)
EVALUATIONS = _counter(
    "fundwatch_detector_evaluations_total",
    "Units judged, by whether the detector found something in them",
    "worker",
    detector=JUDGED,
    outcome=("hit", "miss"),
)
JUDGING = _tally(
    "fundwatch_detector_duration_seconds",
    "One detector judging one unit",
    "worker",
    buckets=(0.00001, 0.0001, 0.001, 0.01, 0.1, 1),
    detector=JUDGED,
)
CRASHES = _counter("fundwatch_detector_crashes_total", "Detectors that raised", "worker", detector=JUDGED)
VERDICTS = _counter(
    "fundwatch_verdicts_total",
    "Verdicts published; withdrawals are those without a lead",
    "worker",
    outcome=("said", "withdrawn"),
)
# Do the workers judge by the rules that the file has?
RULES = _counter(
    "fundwatch_rules_reloads_total",
    "Changes of the file of rules, taken over or refused",
    "worker",
    outcome=("loaded", "refused"),
)
RULES_LOADED = _gauge(
    "fundwatch_rules_last_reload_success_timestamp_seconds", "Unix time at which rules were last taken over", "worker"
)

# -- the model ------------------------------------------------------------------------------------------------------

# How strange are days? A crowd that moves to the right is drift, or an outbreak; compare with the thresholds.
MODEL_SCORE = _tally(
    "fundwatch_model_score",
    "Days that the model scored, again when judged again: -log p and the evidence of days before; 0: ordinary",
    "worker",
    buckets=SCORES,
    model=MODELS,
)
MODEL_INFERENCE = _tally(
    "fundwatch_model_inference_seconds",
    "Measuring, scoring and explaining one day",
    "worker",
    buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1),
    model=MODELS,
)
MODEL_MISSING = _counter(
    "fundwatch_model_missing_features_total",
    "Days scored without what a part of the columns compares with: days of one's own, or peers of one's own kind",
    "worker",
    model=MODELS,
    feature=("own_days", "peers"),
)
# Would the candidate say the same? (fundwatch model watch)
MODEL_BESIDE = _counter(
    "fundwatch_model_candidate_days_total",
    "Days that a candidate was asked about, too, by which of the two would make a lead of them",
    "worker",
    model=MODELS,
    spoke=("both", "in_force", "candidate", "neither"),
)
MODEL_BESIDE_SCORE = _tally(
    "fundwatch_model_candidate_score",
    "What the candidate made of these days; see fundwatch_model_score",
    "worker",
    buckets=SCORES,
    model=MODELS,
)
MODEL_TRAINED = _gauge(
    "fundwatch_model_trained_timestamp_seconds",
    "Business time at which the training days of the model in force end; 0: none is in force",
    "worker",
    model=MODELS,
)
MODEL_SCORE_PSI = _gauge(
    "fundwatch_model_score_psi",
    "Population stability index of scores, against the days of training (fundwatch model show --metrics)",
    "job",
    model=MODELS,
)
MODEL_FEATURE_PSI = _gauge(
    "fundwatch_model_feature_psi", "The same of each feature", "job", rows=FEATURE_ROWS,
    model=MODELS, feature=tuple(name for _, name in FEATURE_ROWS),
)  # fmt: skip
MODEL_DAYS = _gauge(
    "fundwatch_model_drift_days", "Days that were compared; of fewer than 2,000 the index is mostly noise", "job",
    model=MODELS,
)  # fmt: skip
MODEL_LEADS = _gauge(
    "fundwatch_model_leads_per_day", "Days above the threshold, a day, among those compared", "job", model=MODELS
)
MODEL_CHECKED = _gauge("fundwatch_model_drift_checked_timestamp_seconds", "Unix time of the comparison", "job")

# -- replays, run by hand ---------------------------------------------------------------------------------------------

REPLAY_EVENTS = _counter(
    "fundwatch_replay_events_total", "Events judged (fundwatch replay --metrics)", "replay", variant=VARIANTS
)
REPLAY_ALERTS = _counter(
    "fundwatch_replay_alerts_total", "Alerts open at the end", "replay", variant=VARIANTS, detector=ALERTED
)
REPLAY_PROGRESS = _gauge("fundwatch_replay_progress_ratio", "Share of the events judged", "replay", slot=VARIANTS)
REPLAY_SPEED = _gauge(
    "fundwatch_replay_speed_ratio", "Seconds of business time judged in one of wall clock", "replay", slot=VARIANTS
)

# -- servers --------------------------------------------------------------------------------------------------------

STATE_ERRORS = _counter(
    "fundwatch_state_errors_total",
    "Failed operations, by the server that was away; each is tried again",
    "worker",
    "keeper",
    server=SERVERS,
)
STATE = _histogram(
    "fundwatch_state_operation_seconds",
    "One round trip to Redis",
    "worker",
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1),
    operation=("remember", "conclude", "due"),
)
STATE_BYTES = _gauge("fundwatch_state_memory_bytes", "What Redis holds in memory", "worker")
STATE_LIMIT = _gauge("fundwatch_state_memory_limit_bytes", "What Redis may hold; 0: as much as there is", "worker")
STATE_KEYS = _gauge("fundwatch_state_keys", "Keys in the database that Redis keeps for us", "worker")

# -- alerts ---------------------------------------------------------------------------------------------------------

ALERTS = _counter(
    "fundwatch_alerts_emitted_total",
    "Changes of alerts stored",
    "keeper",
    detector=ALERTED,
    level=LEVELS,
    change=("created", "changed", "withdrawn", "reopened"),
)
# The promise: an officer can read of an event so soon after the broker has taken it.
ALERT_LATENCY = _histogram(
    "fundwatch_alert_latency_seconds",
    "Broker taking the events of a slice to the alerts they raised being stored",
    "keeper",
    buckets=(0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60),
    level=LEVELS,
)
ALERTS_STANDING = _gauge(
    "fundwatch_alerts_standing",
    "Alerts in the store by level and state; the same from every feed",
    "feed",
    level=LEVELS,
    state=("open", "snoozed", "inhibited"),
)
ALERTS_OPEN = _gauge(
    "fundwatch_alerts_open",
    "Leads that wait for somebody's next step, by level and by where they stand; the same from every feed",
    "feed",
    level=LEVELS,
    state=STATES,
)
OLDEST_NEW = _gauge(
    "fundwatch_alerts_oldest_open_seconds",
    "Age of the oldest lead that nobody has looked at; 0: there is none; the same from every feed",
    "feed",
    level=LEVELS,
)
# How many of each detector's leads turned out to be something?
DISPOSED = _gauge(
    "fundwatch_alerts_disposed",
    "Leads in the store that have an outcome; the same from every feed",
    "feed",
    detector=ALERTED,
    disposition=DISPOSITIONS,
)
TRIAGE = _tally(
    "fundwatch_alert_time_to_triage_seconds",
    "From a lead being raised to the first move of a person, since the feed was started; the same from every feed",
    "feed",
    buckets=(300, 900, 3_600, 14_400, 28_800, 86_400, 172_800, 345_600, 864_000),
    level=LEVELS,
)
OVERDUE = _gauge(
    "fundwatch_alerts_overdue",
    "Leads past the last day for their next step, in working days of China; the same from every feed",
    "feed",
    state=STATES,
)
UNPUBLISHED = _gauge(
    "fundwatch_alerts_unpublished",
    "Rows of alert_event that the publisher has still to look at; the same from every feed",
    "feed",
)

# -- the feed -------------------------------------------------------------------------------------------------------

HTTP = _counter(
    "fundwatch_http_requests_total",
    "Requests by the template of their path and the class of the answer",
    "feed",
    method=OPEN,
    route=OPEN,
    status=("2xx", "3xx", "4xx", "5xx"),
)
HTTP_SECONDS = _histogram(
    "fundwatch_http_request_duration_seconds",
    "Request to the last byte of the answer; streams are left out",
    "feed",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1, 3),
    method=OPEN,
    route=OPEN,
)
CLIENTS = _gauge("fundwatch_feed_clients", "Open live streams", "feed")
PUSH = _histogram(
    "fundwatch_feed_push_seconds",
    "Alert stored to being told to the open streams",
    "feed",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5),
)
RESYNCS = _counter(
    "fundwatch_feed_resyncs_total",
    "Clients told to read the list again: too slow, or away for too long",
    "feed",
    reason=("slow", "gap"),
)
CONFLICTS = _counter(
    "fundwatch_alert_update_conflicts_total",
    "Changes of a lead that were refused since somebody else had changed it meanwhile (412)",
    "feed",
)
REVEALS = _counter(
    "fundwatch_pii_reveals_total",
    "Times that somebody had the persons of a lead named in full, by what for",
    "feed",
    why=("on_site", "records", "interview", "appeal", "transfer", "other"),
)

# -- messages to others ---------------------------------------------------------------------------------------------

NOTIFICATIONS = _counter(
    "fundwatch_notifications_total",
    "Leads told to targets: taken, failed and tried again, given up, or dropped since nobody need hear of them",
    "notify",
    target_kind=tuple(TargetKind),
    outcome=OUTCOMES,
)
NOTIFICATIONS_WAITING = _gauge(
    "fundwatch_notifications_waiting",
    "Leads that wait to be told to a target, those of the next digest and of quiet hours among them",
    "notify",
    target_kind=tuple(TargetKind),
)

# -- the archive ----------------------------------------------------------------------------------------------------

ARCHIVED = _counter(
    "fundwatch_archive_rows_total",
    "Messages written to the archive, or passed over since they cannot be read",
    "archive",
    outcome=("written", "refused"),
)
ARCHIVE_FREE = _gauge("fundwatch_archive_free_ratio", "Free share of the disk that the archive is on", "archive")

# -- every process --------------------------------------------------------------------------------------------------

HEARTBEAT = _gauge(
    "fundwatch_component_heartbeat_timestamp_seconds",
    "Unix time of the component's last loop",
    *PARTS,
    component=PARTS,
)
BUILD = _gauge("fundwatch_build_info", "Always 1; what runs", *PARTS, version=OPEN, python=OPEN)


# Metrics that others ask for by another name, and by which of ours the question is answered.
ALSO_CALLED: Mapping[str, str] = {
    "fundwatch_events_rejected_total": "fundwatch_quarantine_messages_total",
    "fundwatch_dlq_messages_total": "fundwatch_quarantine_messages_total",
    "fundwatch_event_processing_seconds": "fundwatch_batch_seconds",
    "fundwatch_alerts_deduplicated_total": "fundwatch_alerts_emitted_total",
    "fundwatch_alerts_suppressed_total": "fundwatch_alerts_standing",
    "fundwatch_alerts_disposed_total": "fundwatch_alerts_disposed",
    "fundwatch_alert_sla_breaches_total": "fundwatch_alerts_overdue",
    "fundwatch_notification_queue_length": "fundwatch_notifications_waiting",
}


def shown(*parts: Part) -> list[Metric]:
    """What a process of these parts shows."""
    return [metric for metric in CATALOGUE.values() if not set(parts).isdisjoint(metric.parts)]


def registry(*parts: Part) -> CollectorRegistry:
    """All that these parts show, and what Python tells of its process."""
    made = CollectorRegistry()
    for metric in shown(*parts):
        if metric.instrument is not HEARTBEAT:
            metric.fill()
        made.register(metric.instrument)
    client.ProcessCollector(registry=made)
    client.PlatformCollector(registry=made)
    client.GCCollector(registry=made)
    for part in parts:
        HEARTBEAT.labels(part).set_to_current_time()
    return made


def tell_build(version: str) -> None:
    """Which version runs, on which Python."""
    BUILD.labels(version, platform.python_version()).set(1)
