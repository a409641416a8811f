"""The way of an event, live. From Kafka to verdicts, and from verdicts to the alert store.

    fetched batch -> arrivals in order -> Judge over Redis -> verdicts on Kafka, acknowledged -> source acknowledged
    verdicts -> keeper, one transaction a batch -> acknowledged; the publisher tails the store onto the alerts topic

Whatever is away (Redis, Kafka, the store), the batch in hand is tried again with back-off and nothing is acknowledged.
"""

import asyncio
import gc
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from typing import cast
from uuid import uuid4

import faust
import msgspec
import structlog
from confluent_kafka import KafkaException, Producer

from alerts import keeper
from alerts.publish import Message as Outgoing
from alerts.publish import publish_forever
from alerts.store import Store
from detectors.finding import Verdict
from stream_app import metrics, status, topics, transport, watchdog
from stream_app.coming import Ours, in_order, together
from stream_app.delivery import NotDelivered, deliver, producer_of
from stream_app.insistence import insist, insist_now
from stream_app.lags import Lags
from stream_app.line import TAKEN, Line
from stream_app.settings import Settings
from stream_app.status import Status
from stream_app.transport import Batch, Record
from stream_app.watchdog import Watchdog

log = structlog.get_logger()

PUBLISH_S = 10.0  # how long Kafka may take for alerts; less than the lease of who publishes
IDLE_S = 1.0  # how often a worker that hears nothing looks whether something has become due
WATCH_S = 10.0
SAMPLE_S = 5.0  # lag and what Redis holds are looked at so often
FORGET_S = 60.0  # a slice of the memory is looked through so often
YOUNG_OBJECTS = 50_000  # made before garbage is looked for; Python's 700 are a handful of events

_read_verdict = msgspec.json.Decoder(Verdict).decode


def run_worker(settings: Settings) -> None:
    """Judge and keep until told to stop. Raises SystemExit with the exit code."""
    worker = Worker(settings)
    status.serve(worker.health, settings.metrics.host, settings.metrics.port)
    _set_aside()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    log.info("worker.starting")
    try:
        transport.run(worker.app)
    finally:
        worker.close()


class Worker:
    """What one process does side by side: watch events, keep verdicts, publish alerts, and look after itself."""

    def __init__(self, settings: Settings) -> None:
        self.app = transport.make_app(settings)
        self.health = Status("worker", "keeper")
        self.health.lacks("partitions", "none is assigned yet")
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, "judge")
        # a cluster is asked for its nodes at once
        self._line = insist_now(lambda: Line(settings, self.health), self.health, "worker")
        self._line.check()
        self._store = Store.open(settings.store.url)
        self._heard_at = time.monotonic()  # in the future while at work, however long a server is away
        self._keeping = asyncio.Lock()
        self._lags = Lags()
        self._dog = Watchdog()
        self._enlist()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._store.close()

    def _enlist(self) -> None:
        app = self.app
        # Faust's own annotations name the stream's protocol, which lacks noack()
        app.agent(transport.batch_topic(app, *topics.EVENTS), name="watch")(self.watch)  # type: ignore[arg-type]
        app.agent(transport.batch_topic(app, topics.VERDICTS), name="keep")(self.keep)  # type: ignore[arg-type]
        app.task(self.publish)
        app.timer(IDLE_S)(self.idle)
        app.timer(FORGET_S)(self.forget)
        app.timer(SAMPLE_S)(self.sample)
        app.timer(WATCH_S)(self.watch_over)
        app.on_partitions_assigned.connect(self.count_rebalance)

    async def watch(self, stream: faust.Stream[Batch]) -> None:
        """Judge what comes, and only then acknowledge it."""
        async for piece in in_order(stream, self._lags, self._ours):
            self._heard_at = float("inf")
            await insist(self._thread, self.health, partial(self._line.process, piece.arrivals))
            for acknowledge in piece.finished:
                acknowledge()
            self._lags.done(piece.arrivals)
            self._heard_at = time.monotonic()

    def _ours(self) -> Ours:
        consumer = cast(transport.Consumer, self.app.consumer)  # ours, whatever Faust declares
        assigned, awaited = (
            {tp for tp in some if tp.topic in topics.EVENTS} for some in (consumer.assignment(), consumer.awaited)
        )
        return Ours(assigned, awaited)

    async def keep(self, stream: faust.Stream[Batch]) -> None:
        """Store what was said, by this worker or another."""
        async for some in together(stream, self._lags):
            async with self._keeping:
                await asyncio.to_thread(_keep, self._store, self.health, [fetched.batch for fetched in some])
            for batch, acknowledge in some:
                acknowledge()
                self._lags.kept(batch)

    async def publish(self) -> None:
        """Tell other systems of alerts, as long as no other worker does."""
        holder = f"{os.getpid()}-{uuid4().hex[:8]}"
        while True:
            send = partial(_publish, producer_of(self._settings))
            try:
                await publish_forever(self._store, send, holder=holder, on_away=_store_is_away)
            except (TimeoutError, NotDelivered, KafkaException) as error:
                log.warning("kafka.away", why=str(error)[:300], todo="alerts that wait go out when it is back")
                await asyncio.sleep(IDLE_S)

    async def idle(self) -> None:
        """Somebody else may have moved the time on."""
        if not self._keeping.locked():
            self.health.beat("keeper")
        if time.monotonic() - self._heard_at > IDLE_S:
            await insist(self._thread, self.health, self._line.idle)

    async def forget(self) -> None:
        await insist(self._thread, self.health, self._line.forget)
        _set_aside()

    async def sample(self) -> None:
        """Look at what metrics and health tell."""
        assigned = self.app.consumer.assignment()
        if assigned:
            self.health.has("partitions")
        else:
            why = "none is assigned: the group may be sharing them out, or has more workers than work"
            self.health.lacks("partitions", why)
        self._lags.show(assigned)
        await asyncio.to_thread(self._line.sample)

    async def count_rebalance(self, *_: object, **__: object) -> None:
        metrics.REBALANCES.inc()

    async def watch_over(self) -> None:
        """End the process if it reads nothing of what waits for it."""
        consumer = cast(transport.Consumer, self.app.consumer)  # ours, whatever Faust declares
        if self._heard_at == float("inf"):
            return  # at work, perhaps on what waits for a server that is away
        assigned = [tp for tp in consumer.assignment() if tp.topic in topics.EVENTS]
        places = [(tp.topic, tp.partition) for tp in assigned]
        waiting = await asyncio.to_thread(watchdog.behind, self._settings.kafka, places)
        for tp in assigned:
            if consumer.has_in_hand(tp):
                waiting.pop((tp.topic, tp.partition), None)
        if self._dog.is_stuck(waiting):
            log.critical(
                "worker.reads_nothing",
                partitions=sorted(f"{topic}/{number}" for topic, number in waiting),
                reading=consumer.reading(tp for tp in assigned if (tp.topic, tp.partition) in waiting),
                tasks=watchdog.where_tasks_stand(),
                todo="ends, to be started again",
            )
            os._exit(1)  # an orderly stop would wait for what is stuck


def _set_aside() -> None:
    """What lives until now will live on, being mostly what is remembered: no looking for garbage among it again."""
    gc.collect()
    gc.freeze()


async def _publish(producer: Producer, messages: Sequence[Outgoing]) -> None:
    rows = [(topics.ALERTS, message.key, message.value, list(message.headers)) for message in messages]
    await asyncio.to_thread(deliver, producer, rows, PUBLISH_S)


def _store_is_away(why: Exception) -> None:
    log.warning("store.away", why=str(why)[:300], todo="alerts that wait go out when it is back")


def _keep(store: Store, health: Status, batches: Sequence[Batch]) -> None:
    """One transaction for all verdicts of these batches. Runs in a thread; tries again while the store is away."""
    messages = [message for batch in batches for message in batch]
    verdicts = [_read_verdict(message.value) for message in messages if message.value is not None]
    changes = insist_now(lambda: keeper.keep(store, verdicts, datetime.now(UTC)), health, "keeper")
    for change in changes:
        metrics.ALERTS.labels(change.alert.detector, change.alert.level, change.change).inc()
    _measure_latency(messages, changes)
    health.beat("keeper")
    health.has("store")


def _measure_latency(messages: Sequence[Record], changes: Sequence[keeper.Changed]) -> None:
    """Of alerts that an event raised; what became due by itself has no event to be measured from."""
    taken = [int(value) for message in messages for name, value in message.headers if name == TAKEN]
    if taken:
        took_s = max(0.0, time.time() - min(taken) / 1000)
        for level in {change.alert.level for change in changes}:
            metrics.ALERT_LATENCY.labels(level.value).observe(took_s)
