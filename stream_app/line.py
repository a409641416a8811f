"""One worker's way from messages to verdicts; stream_app/app.py brings the messages."""

import contextlib
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import structlog
from redis.exceptions import RedisError

from detectors.event import EVER, Event, Record
from detectors.finding import UnitId, Verdict
from detectors.judge import Judge
from detectors.rules import Rulebook
from detectors.wire import Refused
from models.catalogue import model_of
from models.model import trained_until
from models.unusual import Scored
from stream_app import metrics, quarantine, shards, topics
from stream_app.arrivals import Arrival
from stream_app.delivery import deliver, producer_of
from stream_app.quarantine import FloodError, Floodgate
from stream_app.recall import comes_late, recalled
from stream_app.repeats import Repeats
from stream_app.rulebook import RulesFile, RulesFileError
from stream_app.settings import Settings
from stream_app.status import Status

log = structlog.get_logger()

TAKEN = "taken_ms"  # header of a verdict: when the broker took the oldest event that it was judged for

_verdict = msgspec.json.Encoder().encode


class Line:
    """One worker's way from batches to verdicts. All of it runs in one thread: the memory is not shared."""

    def __init__(self, settings: Settings, health: Status | None = None) -> None:
        self._kafka, self._lateness = settings.kafka, settings.lateness
        self._health = health or Status("worker")
        self._longest = max(getattr(settings.lateness, topic) for topic in type(settings.lateness).model_fields)
        self._memory = shards.memory(settings.redis, socket_timeout=10, socket_connect_timeout=3)
        self._producer = producer_of(settings)
        self._rules = RulesFile(settings.rules.file, settings.model.dir, self._hear_scored)
        self._scored: Scored | None = None  # the day that the model has just scored
        self._judge = self._judge_by(self._rules.book, EVER)
        self._floodgates: dict[str, Floodgate] = {}
        self._now = EVER  # W as this worker last saw it
        self._reached: defaultdict[tuple[str, int], datetime] = defaultdict(lambda: EVER)  # the same, by partition
        self._cursor = 0
        self._taken_ms = b""  # when the broker took the oldest of what is being judged
        self._repeats = Repeats()
        self._seen: Counter[tuple[str, str]] = Counter()  # not yet in the metric: topic, event_type
        self._hits: Counter[str] = Counter()  # the same: by detector, units in which it found something
        self._misses: Counter[str] = Counter()  # and nothing
        self._late: Counter[tuple[str, str]] = Counter()  # the same: topic, action

    def process(self, arrivals: Sequence[Arrival]) -> None:
        """Judge these messages; when this returns, all that follows from them is on Kafka. Raises FloodError."""
        self._look_at_rules()
        began = time.monotonic()
        self._taken_ms = b"%d" % min(arrival.message.timestamp for arrival in arrivals) if arrivals else b""
        if self._now == EVER:  # what others have seen, or this worker before it was started again
            self._now = self._memory.remember(()).now
        refused: list[tuple[Refused, Arrival]] = []
        records: list[Record] = []
        events: list[Event] = []
        for row in self._rows(arrivals, refused):
            if isinstance(row, Record):
                records.append(row)
            else:
                events.append(row)
        self._quarantine(arrivals, refused)
        if records:
            self._judge.learn(records)
        if events:
            self._judge.hear(events)
        self._recall(records)
        self._tick()
        self._measure(arrivals, began)
        self._beat()

    def _tick(self) -> None:
        """Judge what has become due."""
        while self._judge.tick():
            pass

    def _beat(self) -> None:
        self._health.beat("worker")
        self._health.has("redis", "kafka")

    def idle(self) -> None:
        """Nothing came: somebody else may have moved the time on."""
        self._look_at_rules()
        self._taken_ms = b""
        self._judge.now = self._memory.remember(()).now
        self._tick()
        self._count()
        self._beat()

    def forget(self) -> None:
        """Look through a slice of the memory for what nobody can need any more."""
        self._cursor = self._memory.forget(self._cursor)

    def check(self) -> None:
        """Raises WrongMemoryError; a Redis that is away is waited for later."""
        with contextlib.suppress(RedisError):
            self._memory.check_schema()

    def sample(self) -> None:
        """See how full Redis is. Its absence is told by whoever works with it."""
        with contextlib.suppress(RedisError):
            held = self._memory.held()
            metrics.STATE_BYTES.set(held.used)
            metrics.STATE_LIMIT.set(held.limit)
            metrics.STATE_KEYS.set(held.keys)
        self._tell_models()

    def _tell_models(self) -> None:
        """Until when the models in force were trained."""
        until = dict.fromkeys(metrics.MODELS, 0.0)
        for edition in self._rules.book.in_force(self._judge.now):
            if model := model_of(edition):
                until[model.entity] = trained_until(model.version).timestamp()
        for entity, moment in until.items():
            metrics.MODEL_TRAINED.labels(entity).set(moment)

    def _look_at_rules(self) -> None:
        """Judge by other rules from now on, if the file has others and they leave alone what has been judged."""
        try:
            book = self._rules.changed(self._judge.now)
        except RulesFileError as error:
            metrics.RULES.labels("refused").inc()
            log.warning("rules.refused", why=str(error), todo="the former rules stay in force; correct the file")
        else:
            if book is not None:
                self._judge = self._judge_by(book, self._judge.now)

    def _judge_by(self, book: Rulebook, now: datetime) -> Judge:
        metrics.RULES.labels("loaded").inc()
        metrics.RULES_LOADED.set_to_current_time()
        log.info("rules.loaded", versions={e.detector.id: [one.version for one in (e, *more)] for e, *more in book})
        judge = Judge(
            memory=self._memory,
            detectors=book,
            publish=self._publish,
            on_crash=_report_crash,
            clock=time.perf_counter,
            on_judged=self._judged,
        )
        judge.now = now
        return judge

    def _judged(self, detector: str, found: bool, took_s: float) -> None:
        (self._hits if found else self._misses)[detector] += 1
        metrics.JUDGING.observe(detector, took_s)
        if self._scored is not None:
            self._tell_scored(self._scored, took_s)
            self._scored = None

    def _hear_scored(self, day: Scored) -> None:
        """A model has scored a day; what speaks is judged twice, so it is told once it was judged."""
        self._scored = day

    def _tell_scored(self, day: Scored, took_s: float) -> None:
        metrics.MODEL_INFERENCE.observe(day.entity, took_s)
        metrics.MODEL_SCORE.observe(day.entity, day.total)
        if not day.own:
            metrics.MODEL_MISSING.labels(day.entity, "own_days").inc()
        if not day.peers:
            metrics.MODEL_MISSING.labels(day.entity, "peers").inc()
        if candidate := self._rules.candidate.get(day.entity):
            total = day.by(candidate)
            spoke = total and candidate.level(total)
            both = ("both" if spoke else "in_force") if day.level else ("candidate" if spoke else "neither")
            metrics.MODEL_BESIDE.labels(day.entity, both).inc()
            metrics.MODEL_BESIDE_SCORE.observe(day.entity, total)

    def _recall(self, records: Sequence[Record]) -> None:
        """Judge again what late records concern."""
        late = [record for record in records if comes_late(record, self._now, self._longest)]
        for events in recalled(self._kafka, late) if late else ():
            self._judge.touch(events)

    def _rows(self, arrivals: Sequence[Arrival], refused: list[tuple[Refused, Arrival]]) -> Iterator[Any]:
        """Events and records that count, in their order. Any: Event or Record."""
        for arrival in arrivals:
            row = arrival.row
            if isinstance(row, Refused):
                refused.append((row, arrival))
            elif row is None:
                continue  # a subject deleted from the compacted topic
            elif row.is_test:
                metrics.TESTS.labels(arrival.topic).inc()
            elif not isinstance(row, Record) and (late := self._too_late(row, arrival.topic, arrival.partition)):
                refused.append((late, arrival))
            else:
                tag = str(type(row).__struct_config__.tag)
                self._seen[arrival.topic, tag] += 1
                if not isinstance(row, Record) and self._repeats.again(row.event_id):
                    metrics.REPEATED.labels(tag).inc()
                yield row

    def _too_late(self, event: Event, topic: str, partition: int) -> Refused | None:
        """What comes later than the lateness promised takes no part (readings 1).

        Measured in its own partition, where order is order of arrival; other partitions may be ahead only because
        this one lags, so against them what the centre received in time is never late.
        """
        lateness: timedelta | None = getattr(self._lateness, topic, None)
        moment, received = event.happened_at, event.received_at
        reached = self._reached[topic, partition]
        received_late = lateness is not None and (received is None or received - moment > lateness)
        self._now = max(self._now, moment)
        self._reached[topic, partition] = max(reached, moment)
        if lateness is None:
            return None
        if received is not None:
            metrics.LATENESS.observe(topic, (received - moment).total_seconds())
        if moment < (self._now if received_late else reached) - lateness:
            self._late[topic, "dropped"] += 1
            return Refused("too_late", f"more than {lateness} behind {self._now.isoformat()}", "biz_time")
        if moment < reached - metrics.LATE_AFTER:
            self._late[topic, "accepted"] += 1
        return None

    def _quarantine(self, arrivals: Sequence[Arrival], refused: Sequence[tuple[Refused, Arrival]]) -> None:
        for topic, messages in Counter(arrival.topic for arrival in arrivals).items():
            unreadable = [(why, from_) for why, from_ in refused if from_.topic == topic and why.reason != "too_late"]
            self._let_through(topic, messages, unreadable)
        for why, arrival in refused:
            metrics.REFUSED.labels(arrival.topic, why.reason).inc()
        self._deliver(
            [
                (topics.QUARANTINE, None, quarantine.record(why, m.value or b"", topic, partition, m.offset), None)
                for why, (_, topic, partition, m, _) in refused
            ]
        )

    def _let_through(self, topic: str, messages: int, unreadable: Sequence[tuple[Refused, Arrival]]) -> None:
        try:
            self._floodgates.setdefault(topic, Floodgate()).count(messages, [why for why, _ in unreadable])
        except FloodError as flood:
            (_, first), (_, last) = unreadable[0], unreadable[-1]
            log.critical(
                "feed.flood",
                topic=topic,
                why=str(flood),
                first=f"{topic}/{first.partition}:{first.message.offset}",
                last=f"{topic}/{last.partition}:{last.message.offset}",
                todo=f"mend what writes {topic}, then start again: nothing of this batch is acknowledged; "
                "fundwatch quarantine list shows what came before it",
            )
            raise

    def _publish(self, verdicts: Sequence[Verdict]) -> None:
        headers = [(TAKEN, self._taken_ms)] if self._taken_ms else None
        self._deliver([(topics.VERDICTS, _key(verdict.unit), _verdict(verdict), headers) for verdict in verdicts])
        for verdict in verdicts:
            metrics.VERDICTS.labels("said" if verdict.leads else "withdrawn").inc()

    def _deliver(self, messages: Sequence[tuple[str, bytes | None, bytes, Any]]) -> None:
        deliver(self._producer, messages)

    def _measure(self, arrivals: Sequence[Arrival], began: float) -> None:
        metrics.BATCH.observe(time.monotonic() - began)
        now_s = time.time()
        taken = Counter([(arrival.topic, arrival.message.timestamp) for arrival in arrivals])  # many in one millisecond
        for (topic, taken_ms), times in taken.items():
            metrics.END_TO_END.observe(topic, max(0.0, now_s - taken_ms / 1000), times)
        if self._now > EVER:
            metrics.WATERMARK.set(self._now.timestamp())
        self._count()

    def _count(self) -> None:
        """What was counted aside goes into the metrics: once a slice, not once an event."""
        for (topic, kind), times in self._seen.items():
            metrics.EVENTS.labels(topic, kind).inc(times)
        for outcome, counted in (("hit", self._hits), ("miss", self._misses)):
            for detector, times in counted.items():
                metrics.EVALUATIONS.labels(detector, outcome).inc(times)
            counted.clear()
        for (topic, action), times in self._late.items():
            metrics.LATE.labels(topic, action).inc(times)
        self._seen.clear()
        self._late.clear()


def _key(unit: UnitId) -> bytes:
    return "\x1f".join(unit).encode()


def _report_crash(unit: UnitId, error: Exception) -> None:
    metrics.CRASHES.labels(unit.detector).inc()
    log.error("detector.raised", detector=unit.detector, cell=unit.cell, error=repr(error)[:300], exc_info=error)
