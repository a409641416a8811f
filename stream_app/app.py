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
from stream_app.coming import in_order, together
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
    app = transport.make_app(settings)
    thread = ThreadPoolExecutor(1, "judge")
    health = Status("worker", "keeper")
    health.lacks("partitions", "none is assigned yet")
    line = insist_now(lambda: Line(settings, health), health, "worker")  # a cluster is asked for its nodes at once
    line.check()
    store = Store.open(settings.store.url)
    status.serve(health, settings.metrics.host, settings.metrics.port)
    heard = {"at": time.monotonic()}
    keeping = asyncio.Lock()
    lags = Lags()
    dog = Watchdog()

    async def watch(stream: faust.Stream[Batch]) -> None:
        async for piece in in_order(stream, lags):
            heard["at"] = float("inf")  # at work, however long a server is away
            await insist(thread, health, partial(line.process, piece.arrivals))
            for acknowledge in piece.finished:
                acknowledge()
            lags.done(piece.arrivals)
            heard["at"] = time.monotonic()

    async def keep(stream: faust.Stream[Batch]) -> None:
        async for some in together(stream, lags):
            async with keeping:
                await asyncio.to_thread(_keep, store, health, [fetched.batch for fetched in some])
            for batch, acknowledge in some:
                acknowledge()
                lags.kept(batch)

    async def publish() -> None:
        holder = f"{os.getpid()}-{uuid4().hex[:8]}"
        while True:
            send = partial(_publish, producer_of(settings))
            try:
                await publish_forever(store, send, holder=holder, on_away=_store_is_away)
            except (TimeoutError, NotDelivered, KafkaException) as error:
                log.warning("kafka.away", why=str(error)[:300], todo="alerts that wait go out when it is back")
                await asyncio.sleep(IDLE_S)

    async def idle() -> None:
        if not keeping.locked():
            health.beat("keeper")
        if time.monotonic() - heard["at"] > IDLE_S:
            await insist(thread, health, line.idle)

    async def forget() -> None:
        await insist(thread, health, line.forget)
        _set_aside()

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
        consumer = cast(transport.Consumer, app.consumer)  # ours, whatever Faust declares
        if heard["at"] == float("inf"):
            return  # at work, perhaps on what waits for a server that is away
        assigned = [tp for tp in consumer.assignment() if tp.topic in topics.EVENTS]
        waiting = await asyncio.to_thread(
            watchdog.behind, settings.kafka, [(tp.topic, tp.partition) for tp in assigned]
        )
        for tp in assigned:
            if consumer.has_in_hand(tp):
                waiting.pop((tp.topic, tp.partition), None)
        if dog.is_stuck(waiting):
            partitions = sorted(f"{topic}/{number}" for topic, number in waiting)
            log.critical(
                "worker.reads_nothing",
                partitions=partitions,
                reading=consumer.reading(tp for tp in assigned if (tp.topic, tp.partition) in waiting),
                tasks=watchdog.where_tasks_stand(),
                todo="ends, to be started again",
            )
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
    _set_aside()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
    log.info("worker.starting")
    try:
        transport.run(app)
    finally:
        thread.shutdown(wait=False, cancel_futures=True)
        store.close()


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
