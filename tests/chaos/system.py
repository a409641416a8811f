"""The real parts as production has them, each kept running, each of them to be hurt.

Kafka ── proxy ─┐
Redis ── proxy ─┼─ worker-1, worker-2, feed, archive        send
store ── proxy ─┘
"""

import asyncio
import os
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar
from urllib.request import urlopen

from confluent_kafka import KafkaException
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from alerts.migrations import upgrade
from replay.lag import Group
from replay.send import INPUT
from stream_app import topics
from stream_app.embedded import kafka_server, ports, redis_server
from stream_app.embedded.process import Child, Program
from stream_app.embedded.supervisor import Supervisor
from stream_app.settings import KafkaSettings, Settings
from tests.chaos import postgres
from tests.chaos.proxy import Proxy

T = TypeVar("T")
StoreKind = Literal["sqlite", "postgresql"]
WORKERS = ("worker-1", "worker-2")
UP_WITHIN_S = 120.0
RECOVER_WITHIN_S = 120.0
AFTERMATH_S = 1.5
LIBFAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
CLOCKED = ("redis",)  # whose wall clock can be moved: under libfaketime 0.9.10 no time.sleep of Python works


class NeverError(AssertionError):
    """What was waited for did not come in time."""


@dataclass(frozen=True)
class Addresses:
    """Ports on loopback; those of the proxies are what the clients know."""

    kafka: int
    controller: int
    redis: int
    store: int
    kafka_proxy: int
    redis_proxy: int
    store_proxy: int
    feed: int


class System:
    """Everything in one folder. Use ``running``."""

    def __init__(self, folder: Path, store: StoreKind, say: Callable[[str], None]) -> None:
        self.folder, self.store_kind, self.say = folder, store, say
        self.logs = folder / "logs"
        self.logs.mkdir(parents=True, exist_ok=True)
        self.at = Addresses(*ports.choose(*[None] * 8))
        self.proxies = {
            "kafka": Proxy(self.at.kafka_proxy, self.at.kafka),
            "redis": Proxy(self.at.redis_proxy, self.at.redis),
        }
        if store == "postgresql":
            self.proxies["postgresql"] = Proxy(self.at.store_proxy, self.at.store)
        self._secret = secrets.token_urlsafe(48)
        self._guests: list[asyncio.Task[int]] = []

    # -- where everything is

    @cached_property
    def store_url(self) -> str:
        if self.store_kind == "postgresql":
            return postgres.url(self.at.store_proxy)
        return f"sqlite:///{self.folder / 'alerts.db'}"

    @cached_property
    def environment(self) -> Mapping[str, str]:
        return {
            "FUNDWATCH_KAFKA__BOOTSTRAP": f"{ports.LOOPBACK}:{self.at.kafka_proxy}",
            "FUNDWATCH_REDIS__URL": f"redis://{ports.LOOPBACK}:{self.at.redis_proxy}/0",
            "FUNDWATCH_STORE__URL": self.store_url,
            "FUNDWATCH_FEED__PORT": str(self.at.feed),
            "FUNDWATCH_FEED__SECRET": self._secret,
            "FUNDWATCH_ARCHIVE__DIR": str(self.folder / "archive"),
            "FUNDWATCH_METRICS__PORT": "0",
        }

    @cached_property
    def settings(self) -> Settings:
        """Past the proxies: who looks on is not to be cut off."""
        plain = Settings()
        return plain.model_copy(
            update={
                "kafka": KafkaSettings(bootstrap=f"{ports.LOOPBACK}:{self.at.kafka_proxy}"),
                "redis": plain.redis.model_copy(update={"url": f"redis://{ports.LOOPBACK}:{self.at.redis}/0"}),
                "archive": plain.archive.model_copy(update={"dir": self.folder / "archive"}),
            }
        )

    @cached_property
    def group(self) -> Group:
        return Group(topics.quiet(self.settings.kafka), self.settings.kafka.group)

    def clock_of(self, name: str) -> Path:
        """The file by which libfaketime moves a program's clock."""
        return self.folder / f"{name}.clock"

    # -- starting

    async def start(self) -> None:
        self.supervisor = Supervisor(self.say, lambda: None)
        for proxy in self.proxies.values():
            await proxy.start()
        await self._start_kafka()
        self.supervisor.keep(self._program("redis", redis_server.command(self.folder / "redis", self.at.redis)))
        if self.store_kind == "postgresql":
            command = await asyncio.to_thread(postgres.command, self.folder / "postgresql", self.at.store)
            self.supervisor.keep(self._program("postgresql", command))
            await until(self._has_database, "PostgreSQL has a database")
        await asyncio.to_thread(upgrade, self.store_url)
        await until(self._has_topics, "Kafka has its topics")
        await until(self._redis_answers, "Redis answers")
        self.supervisor.keep(self._ours("feed", "feed"))
        self.supervisor.keep(self._ours("archive", "archive", "--every", "5s"))
        for name in WORKERS:
            self.supervisor.keep(self._ours(name, "worker", FUNDWATCH_KAFKA__INSTANCE=name))
        await until(lambda: self.group.members() >= len(WORKERS), "both workers read", UP_WITHIN_S)

    async def _start_kafka(self) -> None:
        folder = self.folder / "kafka"
        command = await asyncio.to_thread(kafka_server.command, folder, self.at.kafka, self.at.controller)
        with (folder / "server.properties").open("a") as more:  # the later line counts
            more.write(f"advertised.listeners=PLAINTEXT://{ports.LOOPBACK}:{self.at.kafka_proxy}\n")
        self.supervisor.keep(self._program("kafka", command))

    def _ours(self, name: str, *command: str, **more: str) -> Program:
        program = [sys.executable, "-m", "stream_app", *command]
        return self._program(name, program, {**self.environment, **more})

    def _program(self, name: str, command: Sequence[str], environment: Mapping[str, str] | None = None) -> Program:
        clock = {} if clock_stands(self) or name not in CLOCKED else _moved_by(self.clock_of(name))
        return Program(
            name=name,
            command=tuple(command),
            log=self.logs / f"{name}.log",
            environment={**(environment or {}), **clock},
        )

    async def stop(self) -> None:
        for child in self.supervisor.children():
            with suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGCONT)
        await self.supervisor.stop("kafka", "redis", "postgresql")
        for guest in self._guests:
            guest.cancel()
        for proxy in self.proxies.values():
            await proxy.stop()

    # -- what a fault may do

    def child(self, name: str) -> Child | None:
        """The living process of this name; None while it is being started again."""
        return next((child for child in self.supervisor.children() if child.program.name == name), None)

    async def hurt(self, name: str, number: signal.Signals) -> None:
        """Send the signal to this part, as soon as it lives."""
        await until(lambda: self.child(name) is not None, f"{name} lives")
        child = self.child(name)
        if child is not None:
            with suppress(ProcessLookupError):
                os.kill(child.pid, number)

    def invite(self, name: str) -> None:
        """One more worker joins."""
        self._guests.append(asyncio.create_task(self.supervisor.run_once(self._ours(name, "worker"))))

    def redis(self) -> Redis:
        return Redis(ports.LOOPBACK, self.at.redis, socket_timeout=3)

    # -- sending

    async def send(self, recording: Path, *options: str) -> asyncio.subprocess.Process:
        log = self.logs / "send.log"
        with log.open("ab") as out:
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "stream_app", "send", str(recording), *options),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env={**os.environ, **self.environment},
            )

    async def exported(self) -> bytes:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "stream_app", "alerts", "export"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, **self.environment},
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out

    # -- how it is

    async def recovered(self) -> None:
        """Wait until all that was sent shortly after the fault is judged, and every part answers. Raises NeverError."""
        await asyncio.sleep(AFTERMATH_S)  # what is sent now is sent to who may be dead
        ends = await asked(lambda: self.group.ends(INPUT))
        await until(lambda: all(map(self.child, self._parts())), "every part lives", RECOVER_WITHIN_S)
        await until(lambda: self.group.behind(ends) == 0, "what was sent is judged", RECOVER_WITHIN_S)
        await until(self._feed_is_ready, "the feed is ready", RECOVER_WITHIN_S)
        await until(self._redis_answers, "Redis answers", RECOVER_WITHIN_S)

    def _parts(self) -> list[str]:
        return ["kafka", "redis", "feed", "archive", *WORKERS, *(self.proxies.keys() - {"kafka", "redis"})]

    def _has_topics(self) -> bool:
        topics.create(self.settings.kafka)
        return True

    def _redis_answers(self) -> bool:
        with self.redis() as client:
            return bool(client.ping())

    def _feed_is_ready(self) -> bool:
        with urlopen(f"http://{ports.LOOPBACK}:{self.at.feed}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)

    def _has_database(self) -> bool:
        engine = create_engine(postgres.url(self.at.store, "postgres"), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as db:
                db.execute(text(f"CREATE DATABASE {postgres.NAME}"))
        finally:
            engine.dispose()
        return True


def clock_stands(system: System) -> str:
    """Why no clock can be moved here; "" if it can."""
    if not LIBFAKETIME.exists():
        return "libfaketime is not installed: apt-get install faketime"
    if redis_server.find_server().name == "redis-server":
        return "libfaketime and the jemalloc of redis-server wait for each other; it works with Valkey's wheel"
    return ""


def _moved_by(clock: Path) -> dict[str, str]:
    clock.write_text("+0")
    return {
        "LD_PRELOAD": str(LIBFAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


AWAY = (KafkaException, topics.KafkaAwayError, RedisError, SQLAlchemyError, OSError)


async def until(true: Callable[[], bool], what: str, within_s: float = 60.0) -> None:
    """Ask in a thread until it is true; a server that is away says no. Raises NeverError."""
    deadline = time.monotonic() + within_s
    while not await _asked_once(true):
        if time.monotonic() > deadline:
            raise NeverError(f"not within {within_s:g} s: {what}")
        await asyncio.sleep(0.1)


async def _asked_once(true: Callable[[], bool]) -> bool:
    with suppress(*AWAY):
        return await asyncio.to_thread(true)
    return False


async def asked(question: Callable[[], T], within_s: float = 60.0) -> T:
    """The answer, however often a server is away before."""
    answers: list[T] = []

    def ask() -> bool:
        answers.append(question())
        return True

    await until(ask, "an answer", within_s)
    return answers[-1]


@asynccontextmanager
async def running(folder: Path, store: StoreKind, say: Callable[[str], None]) -> AsyncIterator[System]:
    system = System(folder, store, say)
    try:
        await system.start()
        yield system
    finally:
        await system.stop()
