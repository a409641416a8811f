"""Keeps every event that can be read as Parquet by business day, for replay (its layout: replay/archive.py).

At least once: offsets are committed when the rows are on the disk, so a crash writes some twice; reading removes them.
What cannot be read is the worker's to quarantine; nothing unknown (names, identity numbers) gets in here.
"""

import os
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Signal
from typing import NamedTuple
from uuid import uuid4

import duckdb
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from detectors.event import day_of
from detectors.wire import Refused, canonical, read
from stream_app import metrics, status
from stream_app.settings import Settings
from stream_app.status import Status
from stream_app.topics import EVENTS

MOST_ROWS = 50_000
MOST_BYTES = 64 << 20
MOST_WAIT = timedelta(seconds=30)
POLLED = 500  # messages at a time
STALE = timedelta(days=1)  # a temporary file that old was left by a crash

log = structlog.get_logger()


class Row(NamedTuple):
    """One row of the archive, its fields being the columns."""

    event_id: str
    event_type: str
    biz_time: datetime
    recv_time: datetime | None
    psn_no: str | None
    fixmedins_code: str | None
    topic: str
    partition: int
    offset: int
    canonical: bytes


_TYPES = {
    "event_id": "varchar",
    "event_type": "varchar",
    "biz_time": "timestamptz",
    "recv_time": "timestamptz",
    "psn_no": "varchar",
    "fixmedins_code": "varchar",
    "topic": "varchar",
    "partition": "integer",
    "offset": "bigint",
    "canonical": "blob",
}
_TABLE = "select " + ", ".join(f'unnest(${name}::{kind}[]) as "{name}"' for name, kind in _TYPES.items())


def row_of(raw: bytes, topic: str, partition: int, offset: int) -> Row:
    """Raises Refused."""
    event = read(raw)
    return Row(
        event_id=event.event_id,
        event_type=str(type(event).__struct_config__.tag),
        biz_time=event.happened_at,
        recv_time=event.received_at,
        psn_no=getattr(event, "person", None) or None,
        fixmedins_code=getattr(event, "org", None) or None,
        topic=topic,
        partition=partition,
        offset=offset,
        canonical=canonical(event),
    )


def folder_of(row: Row) -> str:
    """``reference``, or ``day=2026-03-02``: the business day in +08:00."""
    return "reference" if row.event_type.startswith("ref.") else f"day={day_of(row.biz_time).isoformat()}"


def write(root: Path, rows: Iterable[Row]) -> list[Path]:
    """The new parts, one a folder: each appears whole or not at all, and is on the disk when this returns."""
    by_folder: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_folder[folder_of(row)].append(row)
    return [_write_part(root / folder, among) for folder, among in sorted(by_folder.items())]


def _write_part(folder: Path, rows: Sequence[Row]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"part-{datetime.now(UTC):%Y%m%dT%H%M%S}-{uuid4().hex[:12]}.parquet"
    unfinished = folder / f".{part.name}.tmp"
    columns = {name: list(column) for name, column in zip(Row._fields, zip(*rows, strict=True), strict=True)}
    with duckdb.connect() as engine:
        engine.execute(f"create table part as {_TABLE}", columns)
        engine.table("part").write_parquet(str(unfinished), compression="zstd")
    _to_disk(unfinished)
    unfinished.rename(part)
    _to_disk(folder)
    return part


def _to_disk(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(root: Path) -> None:
    """Take away what a crash left half written."""
    limit = time.time() - STALE.total_seconds()
    for unfinished in root.glob("*/.part-*.tmp"):
        if unfinished.stat().st_mtime < limit:
            unfinished.unlink(missing_ok=True)


class Archiver:
    """One member of the archive's own consumer group. The buffer is finite in rows, bytes and time."""

    def __init__(
        self,
        consumer: Consumer,
        root: Path,
        most_rows: int = MOST_ROWS,
        most_wait: timedelta = MOST_WAIT,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        """beat: called at every turn of the loop."""
        self._consumer, self._root, self._beat = consumer, root, beat
        self._most_rows, self._most_wait = most_rows, most_wait
        self._rows: list[Row] = []
        self._bytes = 0
        self._next: dict[tuple[str, int], int] = {}  # the first offset not in hand
        self._since = time.monotonic()
        self.archived = self.refused = 0

    def run(self, topics: Sequence[str], stopping: Signal) -> None:
        """Read until told to stop; then write what is in hand. Raises OSError, duckdb.Error: nothing committed."""
        self._root.mkdir(parents=True, exist_ok=True)
        sweep(self._root)
        self._consumer.subscribe(list(topics), on_revoke=self._hand_over, on_lost=self._forget)
        try:
            while not stopping.is_set():
                self.take(self._consumer.consume(POLLED, timeout=0.5))
                if self._is_full():
                    self.flush()
                self._beat()
            self.flush()
        finally:
            self._consumer.close()

    @property
    def in_hand(self) -> Sequence[Row]:
        """Read, and not yet on the disk."""
        return tuple(self._rows)

    def take(self, messages: Iterable[Message]) -> None:
        """Keep them in hand. What cannot be read is passed over: it is the worker's to quarantine."""
        for message in messages:
            if error := message.error():
                self._complain(error)
                continue
            topic, partition, offset = message.topic() or "", message.partition() or 0, message.offset() or 0
            self._next[topic, partition] = offset + 1
            try:
                row = row_of(message.value() or b"", topic, partition, offset)
            except Refused:
                self.refused += 1
                metrics.ARCHIVED.labels("refused").inc()
                continue
            self._rows.append(row)
            self._bytes += len(row.canonical)

    def flush(self) -> None:
        """Write, then commit: in this order nothing can be missing from the archive."""
        if self._rows:
            parts = write(self._root, self._rows)
            log.info("archived", rows=len(self._rows), parts=len(parts))
            self.archived += len(self._rows)
            metrics.ARCHIVED.labels("written").inc(len(self._rows))
            free = shutil.disk_usage(self._root)
            metrics.ARCHIVE_FREE.set(free.free / free.total)
        read_to = [TopicPartition(topic, partition, offset) for (topic, partition), offset in self._next.items()]
        self._clear()
        if read_to:
            self._commit(read_to)

    def _commit(self, offsets: list[TopicPartition]) -> None:
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            # the next member reads these again, and the repeats are removed on reading
            log.warning("archive_commit_failed", error=str(error))

    def _is_full(self) -> bool:
        waited = time.monotonic() - self._since >= self._most_wait.total_seconds()
        return waited or len(self._rows) >= self._most_rows or self._bytes >= MOST_BYTES

    def _clear(self) -> None:
        self._rows, self._bytes, self._next, self._since = [], 0, {}, time.monotonic()

    def _hand_over(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self.flush()

    def _forget(self, _consumer: Consumer, _partitions: list[TopicPartition]) -> None:
        self._clear()

    def _complain(self, error: KafkaError) -> None:
        """The client mends by itself what can be mended; the rest must end the process."""
        if error.fatal():
            raise KafkaException(error)
        log.warning("archive_cannot_read", error=str(error))


def consumer(kafka: Mapping[str, str | int | float | bool], group: str) -> Consumer:
    """kafka: the client's settings, as far as they say where and as whom to connect."""
    return Consumer(
        dict(kafka)
        | {
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "queued.max.messages.kbytes": 32_768,
            "max.partition.fetch.bytes": 4 << 20,
            "session.timeout.ms": 10_000,  # so long the partitions of a killed one lie idle
        }
    )


def run_archiver(settings: Settings, most_wait: timedelta = MOST_WAIT) -> None:
    """Archive until SIGTERM or SIGINT; then write what is in hand. Raises OSError, duckdb.Error, KafkaException."""
    stopping = Signal()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    reader = consumer(settings.kafka.client(), f"{settings.kafka.group}-archive")
    health = Status("archive")
    status.serve(health, settings.metrics.host, settings.metrics.archive_port)
    archiver = Archiver(reader, settings.archive.dir, most_wait=most_wait, beat=lambda: health.beat("archive"))
    archiver.run(EVENTS, stopping)
    log.info("archiver_stopped", rows=archiver.archived, refused=archiver.refused)
