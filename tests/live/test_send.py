"""Sending to a real Kafka: everything arrives, as it is, and no event before the reference data it was sent after."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from time import monotonic

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, KafkaException, Message, Producer, TopicPartition
from redis import Redis

from detectors.event import CHINA
from detectors.wire import LONGEST, canonical, read
from replay import send as sending
from replay.archive import read_archive
from replay.lag import Group, Patience, UnreachableError
from replay.send import CLAIMS, INPUT, QUARANTINE, REFERENCE, STOCK, SWIPES, VERDICTS, Sender, SendError, Tally
from stream_app import topics
from stream_app.archiver import Archiver, consumer
from stream_app.commands import wire
from stream_app.quarantine import record
from stream_app.settings import KafkaSettings, RedisSettings, Settings
from tests.live.servers import ROOT, Running, eventually, fresh_prefix, kafka_running, redis_server
from tests.test_wire import LEAST, told

__all__ = ["redis_server"]

Connection = dict[str, str | int | float | bool]
MIDNIGHT = datetime(2026, 3, 2, tzinfo=CHINA)
WORKER_PAUSE = 0.05  # seconds


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A Kafka of this module's own, that may be killed, with our topics in it."""
    with kafka_running(tmp_path_factory.mktemp("kafka-send")) as running:
        topics.create(KafkaSettings(bootstrap=running.address, partitions=4))
        eventually(lambda: _is_ready(running.address), "every partition has its leader")
        yield running


def _is_ready(address: str) -> bool:
    try:
        return bool(Group({"bootstrap.servers": address, "log_level": 0}, "nobody").ends(topics.ALL))
    except KafkaException:
        return False


@pytest.fixture
def kafka(broker: Running) -> Connection:
    """How to connect."""
    return {"bootstrap.servers": broker.address, "log_level": 0}


@pytest.fixture
def group() -> str:
    return fresh_prefix()


def swipe(number: int, person: str = "p1") -> bytes:
    at = MIDNIGHT + timedelta(seconds=number)
    return json.dumps(told("swipe", event_id=f"e{number}", psn_no=person, biz_time=at.isoformat())).encode()


def recording(folder: Path, *raws: bytes, name: str = "recording.ndjson") -> str:
    path = folder / name
    path.write_bytes(b"".join(raw + b"\n" for raw in raws))
    return str(path)


class Arrivals:
    """What comes to a topic from now on."""

    def __init__(self, kafka: Connection, *names: str) -> None:
        self._consumer = Consumer(kafka | {"group.id": fresh_prefix(), "enable.auto.commit": False})
        self._group = Group(kafka, fresh_prefix())
        self._names = names
        self._begin = self._group.ends(names)

    def read(self) -> list[Message]:
        """All of them, partition by partition."""
        ends = self._group.ends(self._names)
        left = sum(end - self._begin[partition] for partition, end in ends.items())
        self._consumer.assign([TopicPartition(*at, offset) for at, offset in self._begin.items()])
        found: list[Message] = []

        def more() -> bool:
            found.extend(self._consumer.consume(500, 0.1))
            return len(found) >= left

        eventually(more, f"{left} messages")
        self._consumer.close()
        return found


@contextmanager
def worker(kafka: Connection, group: str) -> Iterator[list[Message]]:
    """Reads everything, tells a verdict for each event and then acknowledges it, as a worker does."""
    seen: list[Message] = []
    stopping = Signal()
    thread = Thread(target=_work, args=(kafka, group, seen, stopping))
    thread.start()
    try:
        yield seen
    finally:
        stopping.set()
        thread.join()


def _work(kafka: Connection, group: str, seen: list[Message], stopping: Signal) -> None:
    reader = Consumer(kafka | {"group.id": group, "enable.auto.commit": False, "auto.offset.reset": "earliest"})
    verdicts = Producer(kafka)
    reader.subscribe([*INPUT, VERDICTS])
    while not stopping.is_set():
        if batch := [message for message in reader.consume(200, WORKER_PAUSE) if not message.error()]:
            for message in batch:
                if message.topic() != VERDICTS:
                    verdicts.produce(VERDICTS, message.value())
            verdicts.flush()
            seen.extend(batch)
            reader.commit(asynchronous=False)
    reader.close()


def values(messages: list[Message]) -> list[bytes]:
    return [message.value() or b"" for message in messages]


# what arrives


def test_each_line_goes_to_its_topic_under_its_key_byte_for_byte(kafka: Connection, group: str, tmp_path: Path) -> None:
    spaced = json.dumps(told("swipe", unknown="kept")).replace(":", " :  ").encode()
    stock = json.dumps(told("inv")).encode()
    nobody, nothing, other = b'{"event_type": "refund", "fixmedins_code": "P33020310315"}', b"not JSON", b'{"a": 1}'
    home = json.dumps(told("ref.person", valid_from="2026-03-01T16:00:00Z")).encode()
    broken_home = json.dumps(told("ref.person", status="gone")).encode()
    arrivals = Arrivals(kafka, *INPUT)
    Sender(kafka, group, most_behind=None).send(
        [recording(tmp_path, spaced, stock, nobody, nothing, other, home, broken_home)]
    )
    assert {(message.topic(), message.key(), message.value()) for message in arrivals.read()} == {
        (SWIPES, b"p1", spaced),
        (STOCK, b"P33020310315", stock),
        (CLAIMS, b"P33020310315", nobody),
        (CLAIMS, b"unreadable", nothing),
        (CLAIMS, b"unreadable", other),
        (REFERENCE, b"person/p1/2026-03-02T00:00:00+08:00", home),
        (CLAIMS, b"p1", broken_home),
    }


@pytest.mark.parametrize("kind", LEAST)
def test_every_type_has_its_topic(kind: str) -> None:
    expected = {"swipe": SWIPES, "inv": STOCK, "sale": STOCK}
    to = sending.envelope(json.dumps(told(kind)).encode())
    assert to.topic == (REFERENCE if kind.startswith("ref.") else expected.get(kind, CLAIMS))


def test_one_persons_events_keep_their_order(kafka: Connection, group: str, tmp_path: Path) -> None:
    sent = [swipe(number, f"p{number % 7}") for number in range(3_000)]
    arrivals = Arrivals(kafka, SWIPES)
    Sender(kafka, group, most_behind=None).send([recording(tmp_path, *sent)])
    got = arrivals.read()
    for person in range(7):
        mine = [message for message in got if message.key() == f"p{person}".encode()]
        assert len({message.partition() for message in mine}) == 1
        assert values(mine) == sent[person::7]


def test_messages_bear_the_time_of_sending_never_the_business_time(
    kafka: Connection, group: str, tmp_path: Path
) -> None:
    before = datetime.now(CHINA).timestamp() * 1000
    arrivals = Arrivals(kafka, SWIPES)
    Sender(kafka, group, most_behind=None).send([recording(tmp_path, swipe(1))])
    [message] = arrivals.read()
    kind, milliseconds = message.timestamp()
    assert kind == TIMESTAMP_LOG_APPEND_TIME
    assert milliseconds >= before - 1_000


def test_an_over_long_line_is_quarantined_with_its_place_in_the_file(
    kafka: Connection, group: str, tmp_path: Path
) -> None:
    path = recording(tmp_path, swipe(1), swipe(2) + b" " * LONGEST, swipe(3))
    arrivals, quarantine = Arrivals(kafka, *INPUT), Arrivals(kafka, QUARANTINE)
    tally = Sender(kafka, group, most_behind=None).send([path])
    assert (tally.sent, tally.unreadable) == (2, 1)
    assert len(arrivals.read()) == 2
    [record] = [json.loads(raw) for raw in values(quarantine.read())]
    assert (record["reason"], record["source"], record["line"], record["event_id"]) == ("too_long", path, 2, "e2")


def test_recordings_go_one_after_the_other(kafka: Connection, group: str, tmp_path: Path) -> None:
    first = recording(tmp_path, *(swipe(number) for number in range(5, 10)), name="later.ndjson")
    second = recording(tmp_path, *(swipe(number) for number in range(5)), name="earlier.ndjson")
    arrivals = Arrivals(kafka, SWIPES)
    Sender(kafka, group, most_behind=None).send([first, second])
    assert values(arrivals.read()) == [swipe(number) for number in (5, 6, 7, 8, 9, 0, 1, 2, 3, 4)]


def test_the_pace_is_that_of_the_recording(kafka: Connection, group: str, tmp_path: Path) -> None:
    began = monotonic()
    Sender(kafka, group, speed=20.0, most_behind=None).send([recording(tmp_path, swipe(0), swipe(10), swipe(20))])
    assert monotonic() - began >= 1.0  # 20 s of the recording at 20 times the speed: never sooner


# waiting for the workers


def test_no_event_goes_out_before_the_reference_data_sent_before_it_is_read(
    kafka: Connection, group: str, tmp_path: Path
) -> None:
    homes = [json.dumps(told("ref.person", psn_no=f"p{number}")).encode() for number in range(50)]
    path = recording(tmp_path, *homes, swipe(1), swipe(2))
    waiting = Signal()

    def show(tally: Tally) -> None:
        if "reference data" in tally.doing:
            waiting.set()

    sender = Sender(kafka, group, show=show)
    thread = Thread(target=sender.send, args=([path],))
    thread.start()
    assert waiting.wait(30)
    assert sender.tally.by_topic == {REFERENCE: 50}
    with worker(kafka, group) as seen:
        thread.join(60)
    assert not thread.is_alive()
    assert sender.tally.by_topic == {REFERENCE: 50, SWIPES: 2}
    assert set(homes) <= set(values(seen))


def test_it_holds_back_while_the_workers_lag_and_loses_nothing(kafka: Connection, group: str, tmp_path: Path) -> None:
    with worker(kafka, group):
        Sender(kafka, group).settle(lambda: True, timedelta(seconds=60))
    sent = [swipe(number, f"p{number}") for number in range(400)]
    holding = Signal()

    def show(tally: Tally) -> None:
        if "holding back" in tally.doing:
            holding.set()

    sender = Sender(kafka, group, most_behind=100, show=show)
    thread = Thread(target=sender.send, args=([recording(tmp_path, *sent)],))
    thread.start()
    assert holding.wait(30)
    assert sender.tally.sent == 100
    with worker(kafka, group) as seen:
        thread.join(60)
        assert not thread.is_alive()
        eventually(lambda: set(sent) <= set(values(seen)), "all were read")


def test_wait_returns_when_everything_is_judged_and_stored(kafka: Connection, group: str, tmp_path: Path) -> None:
    sent = [swipe(number, f"p{number}") for number in range(2_000)]
    asked: list[bool] = []

    def nothing_due() -> bool:
        asked.append(len(asked) >= 2)
        return asked[-1]

    with worker(kafka, group) as seen:
        sender = Sender(kafka, group)
        sender.send([recording(tmp_path, *sent)])
        sender.settle(nothing_due, timedelta(seconds=60))
        read_by_then = set(values(seen))
    assert set(sent) <= read_by_then
    assert asked == [False, False, True]
    stored = [message for message in seen if message.topic() == VERDICTS]
    assert set(sent) <= set(values(stored))


def test_wait_that_takes_too_long_says_what_is_left(kafka: Connection, group: str, tmp_path: Path) -> None:
    with worker(kafka, group):
        sender = Sender(kafka, group)
        sender.send([recording(tmp_path, swipe(1))])
        with pytest.raises(TimeoutError, match="due to be judged again"):
            sender.settle(lambda: False, timedelta(seconds=2))


def test_without_any_worker_its_patience_ends_with_what_to_do(kafka: Connection) -> None:
    now = iter([0.0, 1.0, 60.0, 122.0])
    patience = Patience(Group(kafka, fresh_prefix()), timedelta(minutes=2), timedelta(hours=1), lambda: next(now))
    patience.test(10)
    patience.test(10)
    with pytest.raises(UnreachableError, match="fundwatch worker"):
        patience.test(10)


def test_with_workers_that_move_its_patience_does_not_end(kafka: Connection, group: str) -> None:
    now = iter(range(0, 10_000, 100))
    patience = Patience(Group(kafka, group), timedelta(minutes=2), timedelta(minutes=10), lambda: float(next(now)))
    for left in range(50, 0, -1):
        patience.test(left)


def test_workers_that_get_nowhere_are_given_up(kafka: Connection, group: str) -> None:
    now = iter(range(0, 10_000, 100))
    with worker(kafka, group):
        watched = Group(kafka, group)
        eventually(lambda: watched.members() == 1, "the worker has joined")
        patience = Patience(watched, timedelta(minutes=2), timedelta(minutes=10), lambda: float(next(now)))
        for _ in range(7):
            patience.test(5)
        with pytest.raises(TimeoutError, match="5 still to do"):
            patience.test(5)


# Kafka away


def test_a_killed_broker_holds_it_up_and_nothing_is_lost(
    broker: Running, kafka: Connection, group: str, tmp_path: Path
) -> None:
    sent = [swipe(number, f"p{number % 50}") for number in range(5_000)]
    arrivals = Arrivals(kafka, SWIPES)
    away = Signal()

    def show(tally: Tally) -> None:
        if "cannot be reached since" in tally.doing:
            away.set()

    sender = Sender(kafka, group, speed=1_000.0, most_behind=None, show=show)  # five seconds of sending
    thread = Thread(target=sender.send, args=([recording(tmp_path, *sent)],))
    thread.start()
    eventually(lambda: sender.tally.delivered > 500, "it has begun")
    broker.kill()
    assert away.wait(30)
    assert sender.tally.delivered < len(sent)
    broker.start()
    thread.join(120)
    assert not thread.is_alive()
    assert set(values(arrivals.read())) == set(sent)


ASKING = """
import sys
from confluent_kafka import KafkaException
from replay import lag
lag.ANSWER_WITHIN = 2.0
group = lag.Group({"bootstrap.servers": sys.argv[1]}, "nobody")
print(group.members(), flush=True)
try:
    while True:
        group.members()
except KafkaException:
    print("away", flush=True)
"""


def test_whoever_asks_for_workers_outlives_the_broker(broker: Running) -> None:
    with subprocess.Popen([sys.executable, "-c", ASKING, broker.address], stdout=subprocess.PIPE, cwd=ROOT) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == b"0\n"
        broker.kill()
        assert asking.stdout.readline() == b"away\n"
        assert asking.wait(30) == 0
    broker.start()


def test_a_broker_that_was_never_there_is_named(group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST_CONTACT", timedelta(0))
    monkeypatch.setattr("replay.lag.ANSWER_WITHIN", 1.0)
    with pytest.raises(UnreachableError, match=r"127\.0\.0\.1:1;"):
        Sender({"bootstrap.servers": "127.0.0.1:1"}, group).connect()


def test_missing_topics_are_named_before_anything_is_sent(
    kafka: Connection, group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "INPUT", ("swipes", "swipps"))
    with pytest.raises(SendError, match="swipps; create them with: fundwatch topics"):
        Sender(kafka, group).connect()


# the commands


def test_nothing_is_due_when_no_wake_has_come_at_the_business_time_reached(redis_server: str) -> None:
    prefix = fresh_prefix()
    settings = Settings(redis=RedisSettings(url=redis_server, prefix=prefix))
    nothing_due = wire.nothing_due(settings)
    assert nothing_due()
    with Redis.from_url(redis_server) as redis:
        redis.set(f"{{{prefix}}}:now", 1_000)
        redis.zadd(f"{{{prefix}}}:due", {"later": 1_001})
        assert nothing_due()
        redis.zadd(f"{{{prefix}}}:due", {"now": 1_000})
        assert not nothing_due()


def test_while_redis_is_away_nobody_knows_what_is_due() -> None:
    assert not wire.nothing_due(Settings(redis=RedisSettings(url="redis://127.0.0.1:1/0")))()


def run(address: str, command: str, *arguments: str) -> Result:
    environment = {"FUNDWATCH_KAFKA__BOOTSTRAP": address}
    return CliRunner().invoke(getattr(wire, command), arguments, env=environment)


def test_ctrl_c_says_how_far_it_got(broker: Running, kafka: Connection, tmp_path: Path) -> None:
    path = recording(tmp_path, swipe(0), swipe(1), swipe(100_000))
    arrivals = Arrivals(kafka, SWIPES)
    group = Group(kafka, fresh_prefix())
    began = sum(group.ends([SWIPES]).values())
    command = [sys.executable, "-m", "stream_app", "send", path, "--speed", "10", "--unread"]
    environment = os.environ | {"FUNDWATCH_KAFKA__BOOTSTRAP": broker.address}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        eventually(lambda: sum(group.ends([SWIPES]).values()) == began + 2, "two lines have gone")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 130, said
    assert f"interrupted at line 3 of {path}: 2 lines sent, 0 of them not confirmed" in said
    assert len(arrivals.read()) == 2


def test_send_tells_programs_what_it_did(broker: Running, tmp_path: Path) -> None:
    done = run(broker.address, "send", recording(tmp_path, swipe(1), b"?"), "--unread", "--json")
    assert done.exit_code == 0
    sent = json.loads(done.stdout)
    assert (sent["sent"], sent["by_topic"], sent["settled"]) == (2, {SWIPES: 1, CLAIMS: 1}, False)


def test_what_is_in_quarantine_is_listed_shown_mended_and_sent_again(
    broker: Running, kafka: Connection, tmp_path: Path
) -> None:
    bad = json.dumps(told("inv", event_id=(name := fresh_prefix()), cnt="many")).encode()
    with pytest.raises(ValueError, match="malformed") as refused:
        read(bad)
    producer = Producer(kafka)
    producer.produce(QUARANTINE, record(refused.value, bad, STOCK, 2, 41))  # type: ignore[arg-type]  # it is Refused
    assert producer.flush(10) == 0

    listed = run(broker.address, "quarantine", "list")
    [line] = [line for line in listed.stdout.splitlines() if name in line]
    assert "malformed  cnt  stock/2:41" in line
    place = line.split()[0]
    for asked in (name, place):
        assert run(broker.address, "quarantine", "show", asked).stdout_bytes == bad + b"\n"
    [told_json] = [
        found
        for text in run(broker.address, "quarantine", "list", "--json").stdout.splitlines()
        if (found := json.loads(text))["record"].get("event_id") == name
    ]
    assert (told_json["at"], told_json["record"]["field"]) == (place, "cnt")

    mended = bad.replace(b'"many"', b'"5"')
    arrivals = Arrivals(kafka, STOCK)
    again = run(broker.address, "quarantine", "resend", recording(tmp_path, mended, bad))
    assert again.exit_code == 1
    assert "line 2: malformed" in again.stderr
    assert "sent 1 lines; 1 still cannot be read" in again.stdout
    assert values(arrivals.read()) == [mended]


def test_what_is_not_in_quarantine_is_said_not_to_be(broker: Running) -> None:
    asked = run(broker.address, "quarantine", "show", "nobody")
    assert (asked.exit_code, "not in quarantine" in asked.stderr) == (1, True)


# the archive


@contextmanager
def archiving(kafka: Connection, group: str, root: Path, most_rows: int) -> Iterator[Archiver]:
    archiver = Archiver(consumer(kafka, group), root, most_rows=most_rows)
    stopping = Signal()
    thread = Thread(target=archiver.run, args=(INPUT, stopping))
    thread.start()
    try:
        yield archiver
    finally:
        stopping.set()
        thread.join()


def archived(root: Path, wanted: Callable[[bytes], bool]) -> list[bytes]:
    return [raw for raw in read_archive(root) if wanted(raw)]


def test_the_archive_holds_every_readable_event_and_commits_only_what_it_holds(
    kafka: Connection, group: str, tmp_path: Path
) -> None:
    person = fresh_prefix()
    sent = [swipe(number, person) for number in range(1_000)]
    home = json.dumps(told("ref.person", psn_no=person)).encode()
    Sender(kafka, group, most_behind=None).send([recording(tmp_path, home, *sent, b"unreadable")])
    root = tmp_path / "archive"
    watched = Group(kafka, group)
    ends = watched.ends(INPUT)
    with archiving(kafka, group, root, most_rows=100):
        eventually(lambda: watched.behind(ends) == 0, "all of it is archived", 60)
        # committed, so on the disk: before it is stopped, which would write the rest
        mine = archived(root, lambda raw: person.encode() in raw)
    assert mine == [canonical(read(raw)) for raw in (home, *sent)]


def test_a_stopped_archiver_writes_what_it_has_in_hand(kafka: Connection, group: str, tmp_path: Path) -> None:
    person = fresh_prefix()
    Sender(kafka, group, most_behind=None).send([recording(tmp_path, swipe(1, person))])
    root = tmp_path / "archive"
    with archiving(kafka, group, root, most_rows=1_000_000) as archiver:
        eventually(lambda: person.encode() in b"".join(row.canonical for row in archiver.in_hand), "it is in hand")
        assert not list(root.rglob("*.parquet"))
    assert archived(root, lambda raw: person.encode() in raw) == [canonical(read(swipe(1, person)))]


def test_a_killed_archiver_archives_the_rest_when_it_is_started_again(
    broker: Running, kafka: Connection, tmp_path: Path
) -> None:
    person = fresh_prefix()
    sent = [swipe(number, person) for number in range(2_000)]
    Sender(kafka, fresh_prefix(), most_behind=None).send([recording(tmp_path, *sent)])
    root, group = tmp_path / "archive", fresh_prefix()
    environment = os.environ | {
        "FUNDWATCH_KAFKA__BOOTSTRAP": broker.address,
        "FUNDWATCH_KAFKA__GROUP": group,
        "FUNDWATCH_ARCHIVE__DIR": str(root),
    }
    command = [sys.executable, "-m", "stream_app", "archive", "--every", "1s"]
    first = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    watched = Group(kafka, f"{group}-archive")
    eventually(lambda: watched.members() == 1, "it reads", 90)
    first.kill()
    first.wait()
    second = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: _has_all(root, person, len(sent)), "all is archived", 120)
        second.terminate()
        assert second.wait(30) == 0
    finally:
        second.kill()
        second.wait()
    assert archived(root, lambda raw: person.encode() in raw) == [canonical(read(raw)) for raw in sent]


def _has_all(root: Path, person: str, wanted: int) -> bool:
    return any(root.rglob("*.parquet")) and len(archived(root, lambda raw: person.encode() in raw)) == wanted


def test_asking_a_broker_that_is_away_is_an_error_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("replay.lag.ANSWER_WITHIN", 0.5)
    with pytest.raises(KafkaException):
        Group({"bootstrap.servers": "127.0.0.1:1"}, "nobody").ends(INPUT)
