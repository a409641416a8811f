"""Real servers for tests: one Apache Kafka and one Redis a session, from the same code as the embedded default.

In a test module: ``from tests.live.servers import kafka, redis_server  # noqa: F401``, or once in a conftest.
A server that cannot be had skips the test on a laptop, and fails it where CI=true.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest
import redis

from stream_app import topics
from stream_app.embedded import kafka_server, ports, process
from stream_app.embedded import redis_server as redis_process
from stream_app.embedded.jars import JarsError
from stream_app.settings import KafkaSettings

START_WITHIN_S = 60.0
STOP_WITHIN_S = 20.0
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """host:port of an Apache Kafka without topics."""
    with kafka_running(tmp_path_factory.mktemp("kafka")) as running:
        yield running.address


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a Redis. Use ``fresh_prefix()``, or flush it, to be alone in it."""
    with redis_running(tmp_path_factory.mktemp("redis")) as running:
        yield f"redis://{running.address}/0"


@dataclass
class Running:
    """A server process that a test may kill and start again at the same address."""

    command: list[str]
    address: str
    log: Path
    answers: Callable[[], bool]
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(STOP_WITHIN_S)

    def start(self) -> None:
        self.process = spawn(self.command, self.log)
        eventually(self.answers, f"{self.command[0]} answers (its log: {self.log})", START_WITHIN_S)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.kill()


@contextmanager
def kafka_running(folder: Path) -> Iterator[Running]:
    """An Apache Kafka that keeps its data in ``folder``."""
    port, controller = ports.choose(None, None)
    try:
        command = kafka_server.command(folder, port, controller)
    except JarsError as error:
        absent(str(error))
    settings = KafkaSettings(bootstrap=f"{ports.LOOPBACK}:{port}")
    with _running(command, settings.bootstrap, folder / "test.log", lambda: _kafka_answers(settings)) as running:
        yield running


@contextmanager
def redis_running(folder: Path) -> Iterator[Running]:
    """A Redis that keeps its data in ``folder``."""
    [port] = ports.choose(None)
    try:
        command = redis_process.command(folder, port)
    except redis_process.RedisMissingError as error:
        absent(str(error))
    with _running(command, f"{ports.LOOPBACK}:{port}", folder / "test.log", lambda: _redis_answers(port)) as running:
        yield running


@contextmanager
def _running(command: list[str], address: str, log: Path, answers: Callable[[], bool]) -> Iterator[Running]:
    running = Running(command, address, log, answers, spawn(command, log))
    try:
        eventually(answers, f"{command[0]} answers (its log: {log})", START_WITHIN_S)
        yield running
    finally:
        running.stop()


def _kafka_answers(settings: KafkaSettings) -> bool:
    if not ports.is_open(int(settings.bootstrap.rpartition(":")[2])):
        return False
    try:
        topics.partitions(settings)
    except topics.KafkaAwayError:
        return False
    return True


def _redis_answers(port: int) -> bool:
    with redis.Redis(ports.LOOPBACK, port) as client:
        try:
            return bool(client.ping())
        except redis.ConnectionError:
            return False


@contextmanager
def system_running(data: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """``fundwatch up --data data`` with options; its stderr goes to ``data/up.log``. Stopped as by Ctrl-C."""
    data.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "stream_app", "up", "--data", str(data), *options]
    up = spawn(command, data / "up.log")
    try:
        yield up
    finally:
        if up.poll() is None:
            up.send_signal(signal.SIGINT)
        try:
            up.wait(STOP_WITHIN_S * 2)
        except subprocess.TimeoutExpired:
            up.kill()
            up.wait(STOP_WITHIN_S)


def spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """A process that dies with the tests, and whose output is appended to ``log``."""
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            cwd=ROOT,
            preexec_fn=process.die_with_us(signal.SIGKILL),
        )


def eventually(true: Callable[[], bool], what: str, within_s: float = 30.0) -> None:
    """Wait until it is true. Raises AssertionError, saying what never was."""
    deadline = time.monotonic() + within_s
    while not true():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {what}")
        time.sleep(0.05)


def absent(reason: str) -> NoReturn:
    """Skip the test on a laptop, fail it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def fresh_prefix() -> str:
    """A name that no other test uses: of keys, topics, consumer groups."""
    return f"test-{uuid4().hex[:12]}"
