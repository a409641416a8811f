"""The whole line, live: what is sent to Kafka ends as the alerts that a replay finds, whatever dies on the way."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any
from urllib.request import urlopen

import pytest
from confluent_kafka import Consumer, ConsumerGroupState, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from prometheus_client.parser import text_string_to_metric_families

from detectors.wire import Refused, canonical, read
from replay.archive import read_archive
from replay.lag import Group
from replay.run import Summary, replay_files
from replay.send import INPUT
from replay.simulate.city import Plan
from replay.simulate.simulation import Simulation
from stream_app import quarantine, topics
from stream_app.embedded import kafka_server, redis_server
from stream_app.embedded.directory import Directory, Run
from stream_app.embedded.jars import JarsError, kafka_jars
from stream_app.settings import Settings
from tests.live.servers import ROOT, absent, eventually, fresh_prefix, system_running

PLAN = Plan(
    persons=1_500,
    days=10,
    seed=4,
    start=datetime.fromisoformat("2026-03-02T00:00:00+08:00"),
    families=("all",),
    intensity=5.0,
)
WORKERS = 2
FAIR_SHARE = 0.2  # of all events, for each of two workers: twelve partitions of persons are never quite even
UNDER_WAY_S = 6.0  # how long a part is on its way, so that something can die in the middle of it
UP_WITHIN_S, DONE_WITHIN_S = 120.0, 150.0

SWIPE: dict[str, object] = {
    "event_type": "swipe",
    "biz_time": "2026-03-03T09:00:00+08:00",
    "fixmedins_code": "P33020310315",
    "psn_no": "p1",
    "mdtrt_cert_type": "03",
}
BROKEN: dict[bytes, tuple[str, str]] = {  # why it is refused, and for which field
    b"not JSON": ("not_json", ""),
    json.dumps(SWIPE).encode(): ("missing", "event_id"),
    json.dumps(SWIPE | {"event_id": "x1", "mdtrt_cert_type": "99"}).encode(): ("malformed", "mdtrt_cert_type"),
    json.dumps(SWIPE | {"event_id": "x2", "event_type": "refund"}).encode(): ("unknown_type", "event_type"),
    json.dumps(SWIPE | {"event_id": "x3", "recv_time": "2026-03-03T08:00:00+08:00"}).encode(): ("clock", "biz_time"),
}

Open = dict[str, tuple[str, frozenset[str]]]  # level and events, by alert_id


@pytest.fixture(scope="module", autouse=True)
def _servers_can_be_had() -> None:
    try:
        kafka_server.find_java()
        kafka_jars()
        redis_server.find_server()
    except (JarsError, redis_server.RedisMissingError) as error:
        absent(str(error))


@dataclass(frozen=True)
class Recording:
    """Lines on their way, and where they lie as a file."""

    path: Path
    lines: Sequence[bytes]

    @classmethod
    def of(cls, path: Path, lines: Iterable[bytes]) -> "Recording":
        kept = list(lines)
        path.write_bytes(b"".join(line + b"\n" for line in kept))
        return cls(path, kept)


@pytest.fixture(scope="module")
def city() -> list[bytes]:
    return list(Simulation(PLAN).lines())


def is_reference(line: bytes) -> bool:
    return b'"ref.' in line


def open_alerts(lines: bytes) -> Open:
    """What must be equal between runs. A withdrawn alert that another run never opened is no difference."""
    alerts = [json.loads(line) for line in lines.splitlines()]
    return {a["alert_id"]: (a["level"], frozenset(a["events"])) for a in alerts if a["status"] == "open"}


def replayed(folder: Path, *recordings: Recording, archive: Path | None = None) -> tuple[Open, Summary]:
    out = folder / "replayed.ndjson"
    summary = replay_files([str(recording.path) for recording in recordings], archive=archive, alerts=out)
    return open_alerts(out.read_bytes()), summary


class System:
    """A running ``up`` with two workers."""

    def __init__(self, data: Path, process: subprocess.Popen[bytes]) -> None:
        self.data, self._process = data, process

    def run(self) -> Run:
        return Directory(self.data).read()

    @cached_property
    def settings(self) -> Settings:
        return Settings.load(data_dir=self.data)

    @cached_property
    def kafka(self) -> dict[str, Any]:  # Any: librdkafka's settings
        return topics.quiet(self.settings.kafka)

    def is_ready(self) -> bool:
        """Do both workers read?"""
        assert self._process.poll() is None, (self.data / "up.log").read_text()
        if self.run().get("up") != self._process.pid:
            return False
        try:
            if set(topics.partitions(self.settings.kafka)) != set(topics.ALL):
                return False
            client = AdminClient(self.kafka)  # to be held until the answer is there
            asked = client.describe_consumer_groups([self.settings.kafka.group], request_timeout=5)
            (group,) = (answer.result(10) for answer in asked.values())
        except (KafkaException, topics.KafkaAwayError):
            return False
        reading = [member for member in group.members if member.assignment.topic_partitions]
        return group.state is ConsumerGroupState.STABLE and len(reading) == WORKERS

    def fundwatch(self, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "stream_app", *arguments, "--data", str(self.data)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def send(self, recording: Recording, *options: str) -> subprocess.Popen[bytes]:
        return self.fundwatch("send", str(recording.path), "--wait", *options)

    def exported(self) -> bytes:
        return done(self.fundwatch("alerts", "export"))

    def written(self) -> int:
        """Messages on the topics of events."""
        return sum(Group(self.kafka, fresh_prefix()).ends(INPUT).values())

    def kill(self, part: str) -> None:
        """kill -9; returns when there is another in its place."""
        before = self.pid(part)
        os.kill(before, signal.SIGKILL)
        eventually(lambda: self.pid(part) not in {0, before}, f"another {part}")

    def pid(self, part: str) -> int:
        found = self.run()[part]
        return int((found[0] if found else 0) if isinstance(found, list) else found or 0)


def done(command: subprocess.Popen[bytes]) -> bytes:
    """What it printed."""
    try:
        out, err = command.communicate(timeout=DONE_WITHIN_S)
    except subprocess.TimeoutExpired:
        command.kill()
        out, err = command.communicate()
        raise AssertionError(f"not done within {DONE_WITHIN_S:g} s: {err.decode()[-2000:]}") from None
    assert command.returncode == 0, err.decode()
    return out


@contextmanager
def two_workers(data: Path) -> Iterator[System]:
    with system_running(data, "--no-demo", "--workers", str(WORKERS)) as process:
        system = System(data, process)
        eventually(system.is_ready, f"both workers read ({data}/up.log, {data}/logs)", UP_WITHIN_S)
        yield system


# nothing dies


@pytest.fixture(scope="module")
def sent(city: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """A city with lines in it that nobody can read."""
    middle = len(city) // 2
    return Recording.of(tmp_path_factory.mktemp("sent") / "city.ndjson", [*city[:middle], *BROKEN, *city[middle:]])


@pytest.fixture(scope="module")
def system(sent: Recording, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """All of the recording is judged, and its alerts are stored."""
    with two_workers(tmp_path_factory.mktemp("undisturbed")) as system:
        done(system.send(sent))
        yield system


def test_live_ends_with_the_alerts_of_a_replay(system: System, sent: Recording, tmp_path: Path) -> None:
    wanted, summary = replayed(tmp_path, sent)
    assert summary.crashes == {}
    assert len(wanted) >= 20
    assert open_alerts(system.exported()) == wanted


def test_each_worker_judges_its_share(system: System) -> None:
    shares = [_judged(address) for address in system.run()["metrics"]]
    assert len(shares) == WORKERS
    assert min(shares) >= FAIR_SHARE * sum(shares), shares


def _judged(address: str) -> float:
    with urlopen(address, timeout=10) as answer:
        families = {family.name: family for family in text_string_to_metric_families(answer.read().decode())}
    return sum(sample.value for sample in families["fundwatch_events_ingested"].samples)


def test_every_alert_is_on_its_topic_at_its_highest_revision(system: System) -> None:
    stored = {alert["alert_id"]: alert for alert in map(json.loads, system.exported().splitlines())}
    assert stored
    told: dict[str, dict[str, object]] = {}

    def all_told() -> bool:
        told.clear()
        told.update(_newest(values(system, topics.ALERTS)))
        return told.keys() == stored.keys() and all(
            told[name]["revision"] == alert["revision"] for name, alert in stored.items()
        )

    eventually(all_told, "the newest revision of each alert on the topic")
    assert told == stored


def _newest(values: Iterable[bytes]) -> dict[str, dict[str, object]]:
    alerts = sorted(map(json.loads, values), key=lambda alert: alert["revision"])
    return {alert["alert_id"]: alert for alert in alerts}


def values(system: System, topic: str) -> list[bytes]:
    """All that is on a topic now."""
    found: list[bytes] = []
    ends = Group(system.kafka, fresh_prefix()).ends([topic])
    consumer = Consumer(system.kafka | {"group.id": fresh_prefix(), "enable.auto.commit": False})
    consumer.assign([TopicPartition(name, number, 0) for name, number in ends])

    def all_read() -> bool:
        found.extend(message.value() or b"" for message in consumer.consume(500, 0.1) if not message.error())
        return len(found) >= sum(ends.values())

    try:
        eventually(all_read, f"{sum(ends.values())} messages of {topic}")
    finally:
        consumer.close()
    return found


def test_what_cannot_be_read_is_kept_with_its_reason_its_field_and_its_place(system: System) -> None:
    records = [kept.record for kept in quarantine.kept(system.kafka)]
    assert {record.raw: (record.reason, record.field) for record in records} == BROKEN
    for record in records:
        assert _at(system, record.source, record.line) == record.raw


def _at(system: System, source: str, offset: int) -> bytes | None:
    topic, _, partition = source.rpartition("/")
    consumer = Consumer(system.kafka | {"group.id": fresh_prefix(), "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, int(partition), offset)])
    try:
        message = consumer.poll(10)
        assert message is not None
        assert message.offset() == offset
        return message.value()
    finally:
        consumer.close()


def test_the_archive_replayed_gives_the_same_alerts(system: System, sent: Recording, tmp_path: Path) -> None:
    folder = system.settings.archive.dir
    wanted = set(_readable(sent.lines))
    eventually(
        lambda: any(folder.glob("day=*/part-*.parquet")) and set(read_archive(folder)) == wanted,
        "all that can be read is in the archive",
        90,
    )
    found, summary = replayed(tmp_path, archive=folder)
    assert summary.refused == {}
    assert found == replayed(tmp_path, sent)[0]


def _readable(lines: Iterable[bytes]) -> Iterator[bytes]:
    for line in lines:
        try:
            yield canonical(read(line))
        except Refused:
            continue


# something dies


def test_whatever_is_killed_in_mid_stream_the_alerts_are_the_same(city: list[bytes], tmp_path: Path) -> None:
    parts = in_parts(tmp_path, city)
    with two_workers(tmp_path / "disturbed") as system:
        for number, (victim, part) in enumerate(zip(("worker", "redis", "kafka"), parts, strict=True), 1):
            send_while_killing(system, victim, part)
            wanted, _ = replayed(tmp_path, *parts[:number])
            assert open_alerts(system.exported()) == wanted, f"after the {victim} was killed"
    assert len(wanted) >= 20


def in_parts(folder: Path, city: list[bytes]) -> list[Recording]:
    """The city in three, in another order of arrival than its own; reference records first."""
    reference = [line for line in city if is_reference(line)]
    events = shuffled([line for line in city if not is_reference(line)], Random(1))
    third = len(events) // 3 + 1
    thirds = [events[start : start + third] for start in range(0, len(events), third)]
    thirds[0] = [*reference, *thirds[0]]
    return [Recording.of(folder / f"part-{number}.ndjson", lines) for number, lines in enumerate(thirds, 1)]


def shuffled(events: list[bytes], chance: Random) -> list[bytes]:
    """Each up to a day later than it came, one in twenty twice."""
    late = [(_received(line) + chance.random() * 86_400, line) for line in events]
    again = [(_received(line) + chance.random() * 86_400, line) for line in events if chance.random() < 0.05]
    return [line for _, line in sorted(late + again)]


def _received(line: bytes) -> float:
    return datetime.fromisoformat(json.loads(line)["recv_time"]).timestamp()


def send_while_killing(system: System, victim: str, part: Recording) -> None:
    """Kill it when half of the part is on its way."""
    times = [_received(line) for line in part.lines if not is_reference(line)]
    half = system.written() + len(part.lines) - len(times) // 2
    sending = system.send(part, "--speed", str((max(times) - times[0]) / UNDER_WAY_S))
    try:
        eventually(lambda: system.written() >= half, f"half of {part.path.name} is sent", DONE_WITHIN_S)
        assert sending.poll() is None, "still sending"
        system.kill(victim)
        done(sending)
    finally:
        sending.kill()
