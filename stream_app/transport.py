"""Faust's transport, reading whole batches: one Faust message is what one fetch brought of one partition.

Faust hands over one message at a time, which costs a task and some 150 microseconds for each. Here a message
carries the records of one partition that a fetch returned, and is acknowledged as a whole:

    app = make_app(settings)
    events = batch_topic(app, "swipes", "claims")

    @app.agent(events)
    async def watch(stream):
        async for event in stream.noack().events():
            await judge(event.value)   # a Batch
            event.ack()                # only now may its offsets be committed

    run(app)

Promises: offsets are committed up to the first batch that is not acknowledged, in the order of delivery, never
beyond; what was delivered and not acknowledged is read again after a restart or a rebalance.
"""

import asyncio
import os
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, cast

import aiokafka  # type: ignore[import-untyped]  # has no types
import faust
from aiokafka.coordinator.assignors.range import RangePartitionAssignor  # type: ignore[import-untyped]  # as above
from aiokafka.errors import ConsumerStoppedError, KafkaError  # type: ignore[import-untyped]  # as above
from faust.auth import SASLCredentials, SSLCredentials
from faust.exceptions import ConsumerNotStarted
from faust.serializers.codecs import Codec
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, ConsumerMessage, Message
from faust.types.transports import TransportT
from mode import Service, ServiceT, get_logger
from mode.loop import use as use_loop
from mode.supervisors import CrashingSupervisor

from stream_app.settings import KafkaSettings, Settings

log = get_logger(__name__)

FETCH_MAX_WAIT_MS = 50  # the broker's answer to "nothing yet"; Faust asks it to wait 1.5 s
PAUSED_POLL_S = 0.01  # how soon a full buffer is looked at again; Faust sleeps a whole second
IDLE_POLL_S = 1.0
BATCH_RECORDS = 2_000  # at most, over all partitions of one fetch
BATCH_BYTES = 1 << 20  # at most, of one partition in one fetch
BUFFERED_BATCHES = 16  # that wait for an agent before fetching is paused
SESSION_TIMEOUT_S = 6.0  # a killed worker holds its partitions for so long
HEARTBEAT_S = 1.0
MEMBERSHIP_S = 5.0  # how often we look whether we still belong to the group
AWAITED_S = 10.0  # how long the first message of a partition that is behind is waited for
COMMIT_INTERVAL_S = 1.0
COMMIT_WITHIN_S = 3.0  # when partitions are taken away; the others of the group wait for us


class Record(Protocol):
    """One Kafka record as aiokafka reads it. timestamp: the broker's, in milliseconds since 1970."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What one fetch brought of one partition.

    records: oldest first, never empty; a value is None where a compacted topic says "deleted".
    missing: offsets between the batch before and this one that hold no record, though they were asked for twice:
             compaction and retention leave such holes, on any other topic it is a loss to be shown.
    end:     the offset that the partition's next record will get; ``end - last - 1`` records wait.
    """

    topic: str
    partition: int
    records: Sequence[Record]
    missing: int
    end: int

    @property
    def first(self) -> int:
        return self.records[0].offset

    @property
    def last(self) -> int:
        return self.records[-1].offset

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)


class PassThrough(Codec):
    """The value is a Batch already; each record is decoded by the agent."""

    def _loads(self, s: bytes) -> Any:  # Faust's signature: whatever the message carries
        return s

    def _dumps(self, s: Any) -> bytes:  # as above
        return cast(bytes, s)


class Consumer(driver.Consumer):
    """Delivers batches, and commits up to the first one that is not acknowledged.

    ``_read_offset`` is the next offset to read, always (in Faust it is that after a seek, else the last one read).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # Faust's own, passed on
        super().__init__(*args, **kwargs)
        self._delivered: dict[TP, deque[Message]] = {}
        self._done_to: dict[TP, int] = {}  # the offset behind what is acknowledged without a gap
        self._dropped: set[TP] = set()
        self._reread: dict[TP, int] = {}  # the offsets just asked for once more
        self._behind: set[TP] = set()
        self._behind_until = 0.0  # by the loop's clock

    def _new_consumer_thread(self) -> "ConsumerThread":
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    # -- reading

    async def _drain_messages(self, fetcher: ServiceT) -> None:
        try:
            while not (self.should_stop or fetcher.should_stop):
                await self.sleep(0)
                async for message in self._messages():
                    await self._deliver(message)
        except (ConsumerStoppedError, asyncio.CancelledError):
            if not self.transport.app.should_stop:
                raise

    async def _messages(self) -> AsyncIterator[ConsumerMessage]:
        """One message for each partition that the next fetch brings something of."""
        if not self.flow_active:
            await self.wait(self.can_resume_flow.wait())
        # taken before the fetch: records fetched under an earlier assignment must not count as this one's
        generation = self.app.consumer_generation_id
        await self._ask_for_what_was_dropped()
        fetched = {TP(*tp): records for tp, records in (await self._fetch()).items()}
        while fetched:
            if not self.flow_active or self.app.consumer_generation_id != generation:
                self._dropped.update(fetched)
                self._reread.clear()  # what was to come a second time may be among it
                return
            if (message := await self._message(*fetched.popitem())) is not None:
                yield message

    async def _ask_for_what_was_dropped(self) -> None:
        """A rebalance seeks back to what is committed; what it made us drop may have been fetched after that."""
        dropped = self._dropped & self._get_active_partitions()  # one that is paused is asked for when it is resumed
        self._dropped -= dropped
        places = {tp: offset for tp in dropped if (offset := self._read_offset[tp]) is not None}
        if places:
            await self.seek_wait(places)
            self._read_offset.update(places)

    async def _fetch(self) -> Mapping[TP, Sequence[Record]]:
        active = self._get_active_partitions()
        if not active:
            await self.sleep(PAUSED_POLL_S)
            return {}
        # a partition that is resumed joins only the next fetch, so while one is paused none may wait for long
        timeout = PAUSED_POLL_S if self._buffered_partitions else IDLE_POLL_S
        return await self._getmany(active_partitions=active, timeout=timeout)

    @Service.task
    async def _watch_membership(self) -> None:
        """End the process if we are no member of the group, and never will be.

        aiokafka gives up on answers that it cannot make sense of, such as a broker's that is still starting, and tells
        those who ask it for messages; Faust asks its inner parts, and would wait for ever, from its start on.
        """
        while not self.should_stop:
            await self.sleep(MEMBERSHIP_S)
            try:
                with suppress(ConsumerNotStarted):
                    cast(ConsumerThread, self._thread)._ensure_consumer()._coordinator.check_errors()
            except KafkaError as error:
                log.critical("the consumer group is lost for good, ends to be started again: %s", error)
                os._exit(1)  # an orderly stop would wait for what never comes

    async def _message(self, tp: TP, records: Sequence[Record]) -> ConsumerMessage | None:
        expected = self._read_offset[tp]
        if expected is not None and records[0].offset < expected:
            records = [record for record in records if record.offset >= expected]
        if not records:
            return None
        missing = records[0].offset - expected if expected is not None else 0
        if missing and self._reread.get(tp) != expected:
            # what was fetched and dropped around a rebalance leaves a hole, too: ask once more before believing it
            self._reread[tp] = cast(int, expected)
            await self.seek_wait({tp: cast(int, expected)})
            self._read_offset[tp] = expected
            return None
        end = max(self.highwater(tp) or 0, records[-1].offset + 1)
        batch = Batch(topic=tp.topic, partition=tp.partition, records=records, missing=missing, end=end)
        return self._to_message(tp, batch)

    def _to_message(self, tp: TP, record: Batch) -> ConsumerMessage:
        return ConsumerMessage(
            record.topic,
            record.partition,
            record.last,
            record.records[-1].timestamp / 1000,
            1,  # stamped by the broker
            [],
            None,
            cast(bytes, record),  # Faust calls every value bytes until a codec has seen it
            None,
            serialized_key_size=0,
            serialized_value_size=0,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _deliver(self, message: ConsumerMessage) -> None:
        self.app.monitor.track_tp_end_offset(message.tp, cast(Any, message.value).end)  # a Batch, see _to_message
        self._read_offset[message.tp] = message.offset + 1
        self._behind.discard(message.tp)
        self._delivered.setdefault(message.tp, deque()).append(message)
        await self.wait_first(self.callback(message), self.suspend_flow.wait())

    @property
    def awaited(self) -> Set[TP]:
        """Partitions that held something when they were assigned, and of which nothing has come since.

        For AWAITED_S at most: of what compaction or a transaction has left, there may never come anything.
        """
        if self._behind and self.loop.time() > self._behind_until:
            self._behind = set()
        return self._behind

    def has_in_hand(self, tp: TP) -> bool:
        """Has something of it been delivered that is not acknowledged yet?"""
        return bool(self._delivered.get(tp))

    def reading(self, stuck: Iterable[TP]) -> dict[str, object]:
        """How reading stands, for whoever asks why nothing comes of some partitions."""
        fetcher = cast(faust.App, self.app)._fetcher
        return {
            "stuck": {f"{tp.topic}/{tp.partition}": self._standing(tp) for tp in stuck},
            "flow_active": self.flow_active,
            "may_resume": self.can_resume_flow.is_set(),
            "suspended": self.suspend_flow.is_set(),
            "active": len(self._get_active_partitions()),
            "paused": len(self._paused_partitions),
            "buffered": len(self._buffered_partitions),
            "in_hand": sum(map(bool, self._delivered.values())),
            "generation": self.app.consumer_generation_id,
            "rebalancing": self.app.rebalancing,
            "fetcher": f"{fetcher.state}{'' if fetcher.crash_reason is None else f': {fetcher.crash_reason!r}'}",
        }

    def _standing(self, tp: TP) -> dict[str, object]:
        """What aiokafka holds of it: position, whether it is paused, whether something fetched waits to be taken."""
        client = cast(ConsumerThread, self._thread)._ensure_consumer()
        state = client._subscription.subscription.assignment.state_value(tp)
        if state is None:
            return {"assigned": False}
        return {
            "position": state._position,
            "paused": state.paused,
            "fetched": type(client._fetcher._records.get(tp)).__name__,
            "read_to": self._read_offset.get(tp),
            "in_flight": len(client._fetcher._in_flight),
        }

    # -- acknowledging

    def ack(self, message: Message) -> bool:
        """Nothing while the flow is stopped: then Faust's pure Python streams acknowledge what they skip."""
        return self.flow_active and super().ack(message)

    def _new_offset(self, tp: TP) -> int | None:
        """The offset to commit: behind the last of the batches acknowledged without a gap."""
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        delivered = self._delivered.get(tp, deque())
        while delivered and delivered[0].acked:
            self._done_to[tp] = delivered.popleft().offset + 1
        return self._done_to.get(tp)

    async def _commit_offsets(self, offsets: Mapping[TP, int], start_new_transaction: bool = True) -> bool:
        """Faust believes in a commit that came to nothing, too: so that it is tried again, it is told otherwise."""
        before = {tp: self._committed_offset[tp] for tp in offsets}
        if await super()._commit_offsets(offsets, start_new_transaction):
            return True
        self._committed_offset.update(before)
        return False

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Forget what was delivered: a late acknowledgement must not commit under the next assignment."""
        with suppress(TimeoutError):  # what is not committed now is read twice
            await asyncio.wait_for(self.commit(), COMMIT_WITHIN_S)
        for tp in revoked:
            self._delivered.pop(tp, None)
            self._done_to.pop(tp, None)
        self._dropped -= revoked
        self._behind -= revoked
        await super().on_partitions_revoked(revoked)

    async def perform_seek(self) -> None:
        """Go back to what is committed."""
        self._delivered.clear()
        self._done_to.clear()
        self._reread.clear()
        await super().perform_seek()
        await self._see_who_is_behind()

    async def _see_who_is_behind(self) -> None:
        """A backlog is read in the order of receipt from its first message on only by who knows where there is one.

        A broker that does not tell is no reason not to read: order makes for fewer corrections, the end is the same.
        """
        places = {tp: offset for tp in self.assignment() if (offset := self._read_offset[tp]) is not None}
        ends: Mapping[TP, int] = {}
        if places:
            with suppress(KafkaError):
                ends = await self.highwaters(*places)
        self._behind = {tp for tp, offset in places.items() if ends.get(tp, 0) > offset}
        self._behind_until = self.loop.time() + AWAITED_S

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """Seek all partitions to their committed offset, or to their start where there is none.

        aiokafka leaves those without one where they stand, that is behind all that was fetched and dropped.
        """
        offsets = dict(await super().seek_to_committed())
        fresh = [tp for tp, offset in offsets.items() if not offset]
        if fresh:
            starts = await self.earliest_offsets(*fresh)
            await self.seek_wait(starts)
            offsets.update(starts)
        return offsets

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Nothing: Faust takes a partition that is silent for five minutes for a fault of its own."""


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Creates the consumer with limits that suit batches, and keeps equal partitions of all topics together."""

    def _create_worker_consumer(self, transport: driver.Transport) -> aiokafka.AIOKafkaConsumer:
        conf = self.app.conf
        # a person's swipes and claims lie in partitions of one number, and belong in the memory of one worker
        self._assignor = RangePartitionAssignor
        return aiokafka.AIOKafkaConsumer(
            client_id=conf.broker_client_id,
            group_id=conf.id,
            group_instance_id=conf.consumer_group_instance_id,
            bootstrap_servers=driver.server_list(transport.url, transport.default_port),
            partition_assignment_strategy=[self._assignor],
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=conf.broker_max_poll_records,
            max_poll_interval_ms=_ms(conf.broker_max_poll_interval),
            max_partition_fetch_bytes=conf.consumer_max_fetch_size,
            fetch_max_wait_ms=FETCH_MAX_WAIT_MS,
            request_timeout_ms=_ms(conf.broker_request_timeout),
            check_crcs=conf.broker_check_crcs,
            session_timeout_ms=_ms(conf.broker_session_timeout),
            rebalance_timeout_ms=_ms(conf.broker_rebalance_timeout),
            heartbeat_interval_ms=_ms(conf.broker_heartbeat_interval),
            metadata_max_age_ms=conf.consumer_metadata_max_age_ms,
            connections_max_idle_ms=conf.consumer_connections_max_idle_ms,
            **driver.credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context),
        )


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


class Transport(driver.Transport):
    """aiokafka, read in batches."""

    Consumer = Consumer


class App(faust.App):
    """A Faust app that reads batches, and keeps nothing on disk."""

    def _create_directories(self) -> None:
        """None: they are for tables, which we have none of."""

    def _new_transport(self) -> TransportT:
        return Transport(self.conf.broker_consumer, self)


def make_app(settings: Settings, *, group: str | None = None) -> App:
    """A Faust app without agents yet: group and brokers from the settings, no web server, no topic of its own.

    group: another consumer group than the settings name.
    """
    kafka = settings.kafka
    return App(
        group or kafka.group,
        broker=[f"kafka://{address}" for address in kafka.addresses],
        broker_credentials=_credentials(kafka),
        broker_client_id="fundwatch",
        broker_session_timeout=SESSION_TIMEOUT_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_commit_interval=COMMIT_INTERVAL_S,
        broker_max_poll_records=BATCH_RECORDS,
        consumer_max_fetch_size=BATCH_BYTES,
        consumer_group_instance_id=kafka.instance,
        consumer_auto_offset_reset="earliest",
        stream_buffer_maxsize=BUFFERED_BATCHES,
        stream_wait_empty=False,
        agent_supervisor=CrashingSupervisor,  # an agent that raises ends the process, with its batch unacknowledged
        producer_acks=-1,
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=kafka.partitions,
        web_enabled=False,
        store="memory://",
        worker_redirect_stdouts=False,
    )


def _credentials(kafka: KafkaSettings) -> SASLCredentials | SSLCredentials | None:
    context = ssl.create_default_context(cafile=kafka.ssl_cafile) if kafka.ssl else None
    if context is not None and kafka.ssl_certfile is not None:
        context.load_cert_chain(kafka.ssl_certfile, kafka.ssl_keyfile)
    if kafka.sasl_mechanism is not None:
        password = kafka.sasl_password.get_secret_value() if kafka.sasl_password else None
        return SASLCredentials(
            username=kafka.sasl_username, password=password, mechanism=kafka.sasl_mechanism, ssl_context=context
        )
    return SSLCredentials(context) if context is not None else None


def batch_topic(app: faust.App, *names: str) -> faust.TopicT:
    """A topic, or several read as one, whose events' values are Batches."""
    return app.topic(*names, value_serializer=PassThrough(), key_serializer=PassThrough())


def run(app: faust.App) -> None:
    """Run the app on uvloop until it is told to stop (SIGINT, SIGTERM). Raises SystemExit with its exit code."""
    use_loop("uvloop")
    worker = faust.Worker(
        app, loop=asyncio.new_event_loop(), override_logging=False, redirect_stdouts=False, quiet=True
    )
    worker.spinner = None  # stdout is for data
    worker.execute_from_commandline()
