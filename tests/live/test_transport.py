"""Reading in batches, against a real Kafka: nothing is lost, whatever dies."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.live.servers import eventually, fresh_prefix, kafka, kafka_running, spawn

__all__ = ["kafka"]

PARTITIONS = 4
MESSAGES = 60_000


@pytest.fixture
def topic(kafka: str) -> str:
    """A topic of its own for each test."""
    return new_topic(kafka)


def new_topic(kafka: str) -> str:
    name = fresh_prefix()
    client = AdminClient({"bootstrap.servers": kafka})
    client.create_topics([NewTopic(name, num_partitions=PARTITIONS, replication_factor=1)])[name].result(10)
    return name


def send(kafka: str, topic: str, numbers: range) -> None:
    producer = Producer({"bootstrap.servers": kafka, "linger.ms": 5})
    for number in numbers:
        producer.produce(topic, key=str(number % 997), value=str(number))
        if number % 1000 == 0:
            producer.poll(0)
    assert producer.flush(30) == 0


class Readers:
    """Consumer processes of one group."""

    def __init__(self, kafka: str, topic: str, folder: Path) -> None:
        self.kafka, self.topic, self.folder, self.group = kafka, topic, folder, fresh_prefix()
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *flags: str) -> "Reader":
        out = self.folder / f"seen-{len(self.processes)}"
        out.touch()
        command = [sys.executable, "-m", "tests.live.consumer", self.kafka, self.group, self.topic, str(out), *flags]
        process = spawn(command, self.folder / f"log-{len(self.processes)}")
        self.processes.append(process)
        return Reader(process, out)

    def seen(self) -> Counter[int]:
        """How often each number was read, by all of them."""
        return Counter(int(line.split()[2]) for out in self.folder.glob("seen-*") for line in whole_lines(out))

    def committed(self) -> dict[int, int]:
        """Partition to committed offset."""
        client = AdminClient({"bootstrap.servers": self.kafka})
        request = ConsumerGroupTopicPartitions(self.group)
        found = client.list_consumer_group_offsets([request])[self.group].result(10)
        return {tp.partition: tp.offset for tp in found.topic_partitions or []}

    def ends(self) -> dict[int, int]:
        """Partition to the offset that its next message will get."""
        client = Consumer({"bootstrap.servers": self.kafka, "group.id": fresh_prefix()})
        try:
            every = [TopicPartition(self.topic, partition) for partition in range(PARTITIONS)]
            return {tp.partition: client.get_watermark_offsets(tp, timeout=10)[1] for tp in every}
        finally:
            client.close()

    def read_all(self, numbers: range) -> bool:
        return not set(numbers) - self.seen().keys()


class Reader:
    def __init__(self, process: subprocess.Popen[bytes], out: Path) -> None:
        self.process, self.out = process, out

    def count(self) -> int:
        return len(whole_lines(self.out))

    def partitions(self) -> set[int]:
        return {int(line.split()[0]) for line in whole_lines(self.out)}

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0


def whole_lines(out: Path) -> list[bytes]:
    return [line for line in out.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


@contextmanager
def readers(kafka: str, topic: str, folder: Path) -> Iterator[Readers]:
    group = Readers(kafka, topic, folder)
    try:
        yield group
    finally:
        for process in group.processes:
            if process.poll() is None:
                process.kill()
                process.wait(10)


def test_nothing_is_lost_when_the_reader_is_killed_twice(kafka: str, topic: str, tmp_path: Path) -> None:
    with readers(kafka, topic, tmp_path) as group:
        for part in range(2):
            half = MESSAGES // 2
            send(kafka, topic, range(part * half, part * half + half // 2))
            reader = group.start()
            eventually(lambda reader=reader: reader.count() > 2_000, "the reader has begun")  # type: ignore[misc]
            send(kafka, topic, range(part * half + half // 2, part * half + half))
            reader.kill()
        group.start()
        eventually(lambda: group.read_all(range(MESSAGES)), "every message was read", 60)
        assert group.seen().keys() == set(range(MESSAGES))


def test_who_starts_knows_which_partitions_are_behind_until_each_has_brought_something(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    """Otherwise a backlog would be judged from whichever partition is fetched first, days ahead of the others."""
    producer = Producer({"bootstrap.servers": kafka})
    for number in range(3_000):
        producer.produce(topic, value=str(number), partition=number % (PARTITIONS - 1))
    assert producer.flush(30) == 0
    with readers(kafka, topic, tmp_path) as group:
        group.start("--tells-awaited")
        eventually(lambda: group.read_all(range(3_000)), "every message was read", 60)
        told = [line for line in (tmp_path / "log-0").read_text().splitlines() if line.startswith("awaited")]
        assert told == ["awaited: [0, 1, 2]", "awaited: []"]


def test_nothing_is_lost_when_a_second_reader_joins_and_leaves(kafka: str, topic: str, tmp_path: Path) -> None:
    with readers(kafka, topic, tmp_path) as group:
        first = group.start()
        send(kafka, topic, range(20_000))
        eventually(lambda: first.count() > 0, "the first reader has begun")
        second = group.start()
        sent = 20_000
        while second.count() < 1_000:  # it gets its share only of what comes after it joined
            send(kafka, topic, range(sent, sent + 2_000))
            sent += 2_000
            assert sent < 2_000_000, "the second reader never got a share"
        second.stop()
        send(kafka, topic, range(sent, sent + 10_000))
        eventually(lambda: group.read_all(range(sent + 10_000)), "every message was read", 60)
        assert first.partitions() == set(range(PARTITIONS))


def test_a_batch_that_was_not_acknowledged_is_read_again(kafka: str, topic: str, tmp_path: Path) -> None:
    with readers(kafka, topic, tmp_path) as group:
        send(kafka, topic, range(1_000))
        careless = group.start("--never-ack")
        eventually(lambda: group.read_all(range(1_000)), "every message was read")
        careless.stop()
        careful = group.start()
        eventually(lambda: careful.count() == 1_000, "every message was read again")
        assert set(group.seen().values()) == {2}


def test_what_rebalances_drop_is_asked_for_until_it_comes(kafka: str, topic: str, tmp_path: Path) -> None:
    """It was not missed until something came after it; asked for, and dropped again, it was taken for a hole."""
    with readers(kafka, topic, tmp_path) as group:
        send(kafka, topic, range(20_000))
        group.start("--drops")
        eventually(lambda: group.read_all(range(20_000)), "every message was read, though nothing came after them")
        assert set(group.seen().values()) == {1}


def test_the_committed_offset_is_the_one_after_the_last_acknowledged(kafka: str, topic: str, tmp_path: Path) -> None:
    with readers(kafka, topic, tmp_path) as group:
        reader = group.start()
        send(kafka, topic, range(5_000))
        eventually(lambda: group.read_all(range(5_000)), "every message was read")
        reader.stop()
        assert group.committed() == group.ends()
        assert set(group.seen().values()) == {1}


def test_a_commit_that_came_to_nothing_is_tried_again(kafka: str, topic: str, tmp_path: Path) -> None:
    """What was read stayed uncommitted where nothing came after it, and a healthy worker was taken for stuck."""
    with readers(kafka, topic, tmp_path) as group:
        send(kafka, topic, range(1_000))
        group.start("--commits-in-vain")
        eventually(lambda: group.read_all(range(1_000)), "every message was read")
        eventually(lambda: group.committed() == group.ends(), "and committed")


def test_a_reader_that_lost_its_group_for_good_ends(kafka: str, topic: str, tmp_path: Path) -> None:
    """It went on without ever reading again; ended, it is started anew."""
    with readers(kafka, topic, tmp_path) as group:
        send(kafka, topic, range(1_000))
        lost = group.start("--loses-group")
        eventually(lambda: lost.process.poll() is not None, "it has ended")
        assert lost.process.returncode == 1
        group.start()
        eventually(lambda: group.read_all(range(1_000)), "another one read everything")


def test_a_reader_that_starts_again_begins_with_the_next_message(kafka: str, topic: str, tmp_path: Path) -> None:
    with readers(kafka, topic, tmp_path) as group:
        for part in range(3):
            send(kafka, topic, range(part * 100, part * 100 + 100))
            reader = group.start()
            eventually(lambda end=part * 100 + 100: group.read_all(range(end)), "all was read")  # type: ignore[misc]
            reader.stop()
        assert group.seen() == Counter(range(300))


def test_an_agent_that_raises_ends_the_process_and_its_batch_is_read_again(
    kafka: str, topic: str, tmp_path: Path
) -> None:
    with readers(kafka, topic, tmp_path) as group:
        send(kafka, topic, range(1_000))
        failing = group.start("--raise-at", "500")
        assert failing.process.wait(60) != 0
        group.start()
        eventually(lambda: group.read_all(range(1_000)), "every message was read")


def test_a_hole_in_the_offsets_is_passed(kafka: str, topic: str, tmp_path: Path) -> None:
    # a transaction ends with a mark that takes an offset, and that no reader is given
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": fresh_prefix()})
    producer.init_transactions(30)
    for part in range(3):
        producer.begin_transaction()
        for number in range(part * 100, part * 100 + 100):
            producer.produce(topic, value=str(number), partition=0)
        producer.commit_transaction(30)
    with readers(kafka, topic, tmp_path) as group:
        reader = group.start()
        eventually(lambda: group.read_all(range(300)), "every message was read")
        reader.stop()
        assert set(group.seen().values()) == {1}
        assert group.committed()[0] == 302  # behind the last message, before the last mark


def test_reading_goes_on_when_the_broker_was_killed(tmp_path: Path) -> None:
    with kafka_running(tmp_path / "kafka") as broker:
        topic = new_topic(broker.address)
        with readers(broker.address, topic, tmp_path) as group:
            send(broker.address, topic, range(5_000))
            group.start()
            eventually(lambda: group.read_all(range(5_000)), "what was sent before was read")
            broker.kill()
            broker.start()
            send(broker.address, topic, range(5_000, 10_000))
            eventually(lambda: alive(group).read_all(range(10_000)), "what was sent after was read", 90)


def alive(group: Readers) -> Readers:
    """With a new reader if the last one has ended, as ``up`` sees to it."""
    if group.processes[-1].poll() is not None:
        group.start()
    return group
