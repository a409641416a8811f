"""The way of an event, live. From Kafka to verdicts, and from verdicts to the alert store.

    fetched batch -> arrivals in order -> Judge over Redis -> verdicts on Kafka, acknowledged -> source acknowledged
    verdicts -> keeper, one transaction a batch -> acknowledged; the publisher tails the store onto the alerts topic

Whatever is away (Redis, Kafka, the store), the batch in hand is tried again with back-off and nothing is acknowledged.
"""

import asyncio
import contextlib
import os
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from random import uniform
from typing import Any, TypeVar, cast
from uuid import uuid4

import faust
import msgspec
import structlog
from confluent_kafka import KafkaException, Message, Producer
from redis.exceptions import RedisError

from alerts import keeper
from alerts.publish import Message as Outgoing
from alerts.publish import publish_forever
from alerts.store import STORE_AWAY, Store, StoreError
from detectors.event import EVER, Event, Record
from detectors.finding import UnitId, Verdict
from detectors.judge import Judge
from detectors.rules import Rulebook
from detectors.wire import Refused
from models.catalogue import model_of
from models.model import trained_until
from models.unusual import Scored
from stream_app import metrics, quarantine, shards, status, topics, transport, watchdog
from stream_app.arrivals import Arrival, Arrivals, Slice
from stream_app.lags import Lags
from stream_app.metrics import Part
from stream_app.quarantine import FloodError, Floodgate
from stream_app.recall import comes_late, recalled
from stream_app.rulebook import RulesFile, RulesFileError
from stream_app.settings import Settings
from stream_app.status import Status
from stream_app.transport import Batch
from stream_app.watchdog import Watchdog

log = structlog.get_logger()
T = TypeVar("T")

DELIVERY_S = 30.0  # how long Kafka may take for one batch before it is tried again
PUBLISH_S = 10.0  # the same for alerts; less than the lease of who publishes
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
PATIENCE_S = 0.25  # how long a partition that lags is waited for
IDLE_S = 1.0  # how often a worker that hears nothing looks whether something has become due
WATCH_S = 10.0
SAMPLE_S = 5.0  # lag and what Redis holds are looked at so often
TAKEN = "taken_ms"  # header of a verdict: when the broker took the oldest event that it was judged for
FORGET_S = 60.0  # a slice of the memory is looked through so often

_verdict = msgspec.json.Encoder().encode
_read_verdict = msgspec.json.Decoder(Verdict).decode


class NotDelivered(Exception):  # noqa: N818 - it says what happened to the messages
    """Kafka did not confirm all messages of a batch."""


class Line:
    """One worker's way from batches to verdicts. All of it runs in one thread: the memory is not shared."""

    def __init__(self, settings: Settings, health: Status | None = None) -> None:
        self._kafka, self._lateness = settings.kafka, settings.lateness
        self._health = health or Status("worker")
        self._longest = max(getattr(settings.lateness, topic) for topic in type(settings.lateness).model_fields)
        self._memory = shards.memory(settings.redis, socket_timeout=10, socket_connect_timeout=3)
        self._producer = _producer(settings)
        self._rules = RulesFile(settings.rules.file, settings.model.dir, self._hear_scored)
        self._scored: Scored | None = None  # the day that the model has just scored
        self._judge = self._judge_by(self._rules.book, EVER)
        self._floodgates: dict[str, Floodgate] = {}
        self._now = EVER  # W as this worker last saw it
        self._reached: defaultdict[tuple[str, int], datetime] = defaultdict(lambda: EVER)  # the same, by partition
        self._cursor = 0
        self._taken_ms = b""  # when the broker took the oldest of what is being judged
        self._seen: Counter[tuple[str, str]] = Counter()  # not yet in the metric: topic, event_type
        self._evaluated: Counter[tuple[str, str]] = Counter()  # the same: detector, outcome

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
        self._evaluated[detector, "hit" if found else "miss"] += 1
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
                self._seen[arrival.topic, str(type(row).__struct_config__.tag)] += 1
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
            metrics.LATE.labels(topic, "dropped").inc()
            return Refused("too_late", f"more than {lateness} behind {self._now.isoformat()}", "biz_time")
        if moment < reached - metrics.LATE_AFTER:
            metrics.LATE.labels(topic, "accepted").inc()
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
        for arrival in arrivals:
            metrics.END_TO_END.observe(arrival.topic, max(0.0, now_s - arrival.message.timestamp / 1000))
        if self._now > EVER:
            metrics.WATERMARK.set(self._now.timestamp())
        self._count()

    def _count(self) -> None:
        """What was counted aside goes into the metrics: once a slice, not once an event."""
        for (topic, kind), times in self._seen.items():
            metrics.EVENTS.labels(topic, kind).inc(times)
        for (detector, outcome), times in self._evaluated.items():
            metrics.EVALUATIONS.labels(detector, outcome).inc(times)
        self._seen.clear()
        self._evaluated.clear()


def run_worker(settings: Settings) -> None:
    """Judge and keep until told to stop. Raises SystemExit with the exit code."""
    app = transport.make_app(settings)
    thread = ThreadPoolExecutor(1, "judge")
    health = Status("worker", "keeper")
    health.lacks("partitions", "none is assigned yet")
    line = _insist_now(lambda: Line(settings, health), health, "worker")  # a cluster is asked for its nodes at once
    line.check()
    store = Store.open(settings.store.url)
    status.serve(health, settings.metrics.host, settings.metrics.port)
    heard = {"at": time.monotonic()}
    keeping = asyncio.Lock()
    lags = Lags()
    dog = Watchdog()

    async def watch(stream: faust.Stream[Batch]) -> None:
        async for piece in _in_order(stream, lags):
            heard["at"] = float("inf")  # at work, however long a server is away
            await _insist(thread, health, partial(line.process, piece.arrivals))
            for acknowledge in piece.finished:
                acknowledge()
            lags.done(piece.arrivals)
            heard["at"] = time.monotonic()

    async def keep(stream: faust.Stream[Batch]) -> None:
        async for event in stream.noack().events():
            lags.fetched(event.value)
            async with keeping:
                await asyncio.get_running_loop().run_in_executor(None, _keep, store, health, event.value)
            event.ack()
            lags.kept(event.value)

    async def publish() -> None:
        holder = f"{os.getpid()}-{uuid4().hex[:8]}"
        while True:
            send = partial(_publish, _producer(settings))
            try:
                await publish_forever(store, send, holder=holder, on_away=_store_is_away)
            except (TimeoutError, NotDelivered, KafkaException) as error:
                log.warning("kafka.away", why=str(error)[:300], todo="alerts that wait go out when it is back")
                await asyncio.sleep(IDLE_S)

    async def idle() -> None:
        if not keeping.locked():
            health.beat("keeper")
        if time.monotonic() - heard["at"] > IDLE_S:
            await _insist(thread, health, line.idle)

    async def forget() -> None:
        await _insist(thread, health, line.forget)

    async def sample() -> None:
        assigned = app.consumer.assignment()
        if assigned:
            health.has("partitions")
        else:
            health.lacks(
                "partitions", "none is assigned: the group may be sharing them out, or has more workers than work"
            )
        lags.show(assigned)
        await asyncio.to_thread(line.sample)

    async def on_assigned(*_: object, **__: object) -> None:
        metrics.REBALANCES.inc()

    async def watch_over() -> None:
        if heard["at"] == float("inf"):
            return  # at work, perhaps on what waits for a server that is away
        consumer = cast(transport.Consumer, app.consumer)  # ours, whatever Faust declares
        assigned = [tp for tp in consumer.assignment() if tp.topic in topics.EVENTS]
        waiting = await asyncio.to_thread(
            watchdog.behind, settings.kafka, [(tp.topic, tp.partition) for tp in assigned]
        )
        for tp in assigned:
            if consumer.has_in_hand(tp):
                waiting.pop((tp.topic, tp.partition), None)
        if dog.is_stuck(waiting):
            partitions = sorted(f"{topic}/{number}" for topic, number in waiting)
            log.critical("worker.reads_nothing", partitions=partitions, todo="ends, to be started again")
            os._exit(1)  # an orderly stop would wait for what is stuck

    # Faust's own annotations name the stream's protocol, which lacks noack()
    app.agent(transport.batch_topic(app, *topics.EVENTS), name="watch")(watch)  # type: ignore[arg-type]
    app.agent(transport.batch_topic(app, topics.VERDICTS), name="keep")(keep)  # type: ignore[arg-type]
    app.task(publish)
    app.timer(IDLE_S)(idle)
    app.timer(FORGET_S)(forget)
    app.timer(SAMPLE_S)(sample)
    app.on_partitions_assigned.connect(on_assigned)
    app.timer(WATCH_S)(watch_over)
    log.info("worker.starting")
    try:
        transport.run(app)
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
        store.close()


async def _in_order(stream: faust.Stream[Batch], lags: Lags) -> AsyncIterator[Slice]:
    """The stream's batches, merged (arrivals.py). Who is silent for PATIENCE_S is not waited for."""
    arrivals = Arrivals()
    events = aiter(stream.noack().events())
    coming = asyncio.ensure_future(anext(events))
    try:
        while True:
            await asyncio.wait({coming}, timeout=PATIENCE_S if arrivals else None)
            if coming.done():
                try:
                    event = coming.result()
                except StopAsyncIteration:  # the app stops; what is in hand is not acknowledged, and comes again
                    return
                _look_for_gaps(event.value)
                lags.fetched(event.value)
                arrivals.add(event.value, event.ack)
                coming = asyncio.ensure_future(anext(events))
                await asyncio.sleep(0)  # what is fetched already comes at once
                if coming.done() or not arrivals.complete():
                    continue
            while arrivals and (piece := arrivals.take()).arrivals:
                yield piece
                if coming.done():
                    break
    finally:
        coming.cancel()


def _look_for_gaps(batch: Batch) -> None:
    if batch.missing and batch.topic != topics.REFERENCE:
        metrics.GAPS.labels(batch.topic).inc(batch.missing)
        log.error("batch.offsets_missing", topic=batch.topic, partition=batch.partition, missing=batch.missing)


async def _publish(producer: Producer, messages: Sequence[Outgoing]) -> None:
    rows = [(topics.ALERTS, message.key, message.value, list(message.headers)) for message in messages]
    await asyncio.to_thread(deliver, producer, rows, PUBLISH_S)


def _store_is_away(why: Exception) -> None:
    log.warning("store.away", why=str(why)[:300], todo="alerts that wait go out when it is back")


def _keep(store: Store, health: Status, batch: Batch) -> None:
    """One transaction for all verdicts of a batch. Runs in a thread; tries again while the store is away."""
    verdicts = [_read_verdict(message.value) for message in batch if message.value is not None]
    changes = _insist_now(lambda: keeper.keep(store, verdicts, datetime.now(UTC)), health, "keeper")
    for change in changes:
        metrics.ALERTS.labels(change.alert.detector, change.alert.level, change.change).inc()
    _measure_latency(batch, changes)
    health.beat("keeper")
    health.has("store")


def _measure_latency(batch: Batch, changes: Sequence[keeper.Changed]) -> None:
    """Of alerts that an event raised; what became due by itself has no event to be measured from."""
    taken = [int(value) for record in batch for name, value in record.headers if name == TAKEN]
    if taken:
        took_s = max(0.0, time.time() - min(taken) / 1000)
        for level in {change.alert.level for change in changes}:
            metrics.ALERT_LATENCY.labels(level.value).observe(took_s)


AWAY: dict[type[Exception], str] = {
    RedisError: "redis",
    KafkaException: "kafka",
    NotDelivered: "kafka",
    StoreError: "store",
    **dict.fromkeys(STORE_AWAY, "store"),
}


async def _insist(thread: ThreadPoolExecutor, health: Status, work: Callable[[], T]) -> T:
    """Do it in the judging thread, again and again while a server is away."""
    return await asyncio.get_running_loop().run_in_executor(thread, _insist_now, work, health, "worker")


def _insist_now(work: Callable[[], T], health: Status, part: Part) -> T:
    """Blocks. What is no server's absence is raised. Who tries again is alive, and not ready."""
    pause, since = FIRST_PAUSE_S, time.monotonic()
    while True:
        try:
            return work()
        except tuple(AWAY) as error:
            server = next(name for kind, name in AWAY.items() if isinstance(error, kind))
            metrics.STATE_ERRORS.labels(server).inc()
            health.beat(part)
            health.lacks(server, f"away: {str(error)[:200]}")
            log.warning(
                "server.away",
                server=server,
                why=str(error)[:300],
                since_s=round(time.monotonic() - since, 1),
                todo=f"see that {server} runs and can be reached (fundwatch check); nothing is acknowledged meanwhile",
            )
            time.sleep(pause * uniform(0.8, 1.2))
            pause = min(LONGEST_PAUSE_S, pause * 2) if server != "redis" else min(2.0, pause * 2)


def _producer(settings: Settings) -> Producer:
    return Producer(
        {
            **topics.quiet(settings.kafka),
            "acks": "all",
            "enable.idempotence": True,
            "linger.ms": 1,
            "queue.buffering.max.messages": 100_000,
            "message.max.bytes": topics.LARGEST_MESSAGE,
            "delivery.timeout.ms": int(DELIVERY_S * 1000),
        }
    )


def deliver(
    producer: Producer, messages: Sequence[tuple[str, bytes | None, bytes, Any]], within_s: float = DELIVERY_S + 5
) -> None:
    """Send (topic, key, value, headers) and return when Kafka has all. Raises NotDelivered, KafkaException.

    Any: confluent-kafka's kind of headers, or None.
    """
    if not messages:
        return
    faults: list[str] = []

    def confirmed(error: Any, message: Message) -> None:
        if error is not None:
            faults.append(str(error))

    for topic, key, value, headers in messages:
        while True:
            try:
                producer.produce(topic, value, key, headers=headers or [], on_delivery=confirmed)
                break
            except BufferError:
                producer.poll(0.1)
    left = producer.flush(within_s)
    if left or faults:
        failed, why = left + len(faults), faults[0] if faults else "no answer"
        with contextlib.suppress(KafkaException):
            producer.purge()  # what is purged is reported as a fault too
            producer.flush(1)
        raise NotDelivered(f"{failed} of {len(messages)} messages: {why}")


def _key(unit: UnitId) -> bytes:
    return "\x1f".join(unit).encode()


def _report_crash(unit: UnitId, error: Exception) -> None:
    metrics.CRASHES.labels(unit.detector).inc()
    log.error("detector.raised", detector=unit.detector, cell=unit.cell, error=repr(error)[:300], exc_info=error)
