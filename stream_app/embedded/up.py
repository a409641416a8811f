"""The embedded system: Kafka, Redis, alert store, workers, feed and archive on this machine, kept running.

up ─┬─ kafka ── topics ─┬─ worker-1 … worker-N
    ├─ redis ───────────┤
    ├─ alert store ─────┼─ feed
    │                   ├─ archive
    │                   └─ notify, where targets are set
    └─ demo: simulate, once ──── send
"""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any  # futures of different results

from confluent_kafka import KafkaException

from alerts import accounts, migrations
from alerts.engines import STORE_AWAY
from alerts.kept import Entry
from alerts.store import Store
from stream_app import topics
from stream_app.embedded import kafka_server, ports, redis_server
from stream_app.embedded.demo import City, Demo
from stream_app.embedded.directory import Directory, Run, addresses
from stream_app.embedded.process import Program
from stream_app.embedded.supervisor import Say, Supervisor, last_words
from stream_app.settings import KafkaSettings, Settings

START_WITHIN_S = 120.0
STOP_WITHIN_S = 30.0
POLL_S = 0.1
DEMO_USER = "demo"
REMEMBER_EVERY_S = 5.0
FEED_WITHIN_S = 15.0
INDICATORS_EVERY_S = 60.0
THIS_PROGRAM = (sys.executable, "-m", "stream_app")
NOTHING: Mapping[str, str] = {}
DEMO_MODEL = Path(str(files("models"))) / "demo"  # trained on honest days of the city of the demo
OWN_MODEL = "FUNDWATCH_MODEL__DIR"
SERVERS = ("kafka", "redis")  # stopped last


class StartError(Exception):
    """The system could not be started; says what, why, and where its log is."""


@dataclass(frozen=True, slots=True)
class Options:
    data: Path
    workers: int
    demo: Demo | None
    kafka_jars: Path | None = None


async def up(options: Options, tell: Say, show: Say) -> signal.Signals:
    """Run until told to stop (SIGINT, SIGTERM, SIGHUP). Returns the signal that said so.

    tell:  what goes on, for people. show: addresses and the first alert.
    Raises AlreadyRunningError, StartError, JarsError, RedisMissingError.
    """
    directory = Directory(options.data)
    with directory.held():
        if left := directory.kill_leftovers():
            tell(f"ended {left} processes of an earlier run that was killed")
        system = System(directory, options, tell, show)
        stop = _on_signals()
        running = asyncio.create_task(system.run())
        try:
            await _first_of(running, stop)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            tell("stopping …")
            await system.stop()
            tell("stopped")
        if not running.cancelled():
            _raise_first(running.exception())
        return stop.result()


async def _first_of(*these: "asyncio.Future[Any]") -> None:
    await asyncio.wait(these, return_when=asyncio.FIRST_COMPLETED)


def _raise_first(error: BaseException | None) -> None:
    """A task group wraps what goes wrong in it; one of it is enough for people."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if error is not None:
        raise error


def _on_signals() -> "asyncio.Future[signal.Signals]":
    """Done at the first signal to stop; what comes after it changes nothing."""
    loop = asyncio.get_running_loop()
    stop: asyncio.Future[signal.Signals] = loop.create_future()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _settle, stop, number)
    return stop


def _settle(stop: "asyncio.Future[signal.Signals]", number: signal.Signals) -> None:
    if not stop.done():
        stop.set_result(number)


class System:
    """All parts of one embedded system."""

    def __init__(self, directory: Directory, options: Options, tell: Say, show: Say) -> None:
        self.directory, self.options, self.tell, self.show = directory, options, tell, show
        self.city = City(directory.demo, options.demo) if options.demo else None
        self.began = time.monotonic()
        self.stopped = False
        self.ports = directory.choose_ports(options.workers)
        self.supervisor = Supervisor(tell, self._write)
        self.kafka = KafkaSettings(bootstrap=f"{ports.LOOPBACK}:{self.ports.kafka}")
        directory.secret("feed.secret")
        self._write()  # the children look up the addresses in it

    async def run(self) -> None:
        """Start everything in the order in which it needs one another; then keep it running."""
        async with asyncio.TaskGroup() as group:
            demo = group.create_task(self._simulate())
            kafka = group.create_task(self._start_kafka())
            redis = group.create_task(self._start_redis())
            await self._start_feed()
            await kafka
            self._keep("archive", "archive", {"FUNDWATCH_METRICS__ARCHIVE_PORT": str(self.ports.archive_metrics)})
            if Settings.load().notify.targets:
                self._keep("notify", "notify send", {"FUNDWATCH_METRICS__NOTIFY_PORT": "0"})
            await redis
            for number, port in enumerate(self.ports.metrics, 1):
                name = f"worker-{number}"
                own = {"FUNDWATCH_METRICS__PORT": str(port), "FUNDWATCH_KAFKA__INSTANCE": name}
                self._keep(name, "worker", own)
            await _until(partial(ports.is_open, self.ports.feed), FEED_WITHIN_S)
            self._show_addresses()
            group.create_task(self._show_first_alert())
            group.create_task(self._count_indicators())
            await demo
            await self._stream()
            await asyncio.Event().wait()

    async def stop(self) -> None:
        """Stop everything, the servers last, and wait until their ports are free."""
        await self.supervisor.stop(*SERVERS)
        for port in (self.ports.kafka, self.ports.redis, self.ports.feed):
            await _until(partial(ports.is_closed, port), STOP_WITHIN_S)
        self.stopped = True
        self._write()

    # -- the parts

    async def _start_kafka(self) -> None:
        command = await asyncio.to_thread(
            kafka_server.command,
            self.directory.kafka,
            self.ports.kafka,
            self.ports.controller,
            self.options.kafka_jars,
        )
        self.supervisor.keep(self._program("kafka", command, orphaned=signal.SIGTERM))
        await self._answers("kafka", self.ports.kafka)
        if not await _until(self._has_topics, START_WITHIN_S):
            raise StartError(f"Kafka runs, but its topics cannot be created; its log: {self.directory.logs}/kafka.log")

    def _has_topics(self) -> bool:
        """A broker that has just begun to listen may know no broker yet, not even itself."""
        try:
            topics.create(self.kafka)
        except (topics.KafkaAwayError, KafkaException):
            return False
        return True

    async def _start_redis(self) -> None:
        command = redis_server.command(self.directory.redis, self.ports.redis)
        self.supervisor.keep(self._program("redis", command, orphaned=signal.SIGTERM))
        await self._answers("redis", self.ports.redis)

    async def _start_feed(self) -> None:
        await asyncio.to_thread(migrations.upgrade, self.directory.store_url)
        self._keep("feed", "feed", {"FUNDWATCH_METRICS__FEED_PORT": str(self.ports.feed_metrics)})

    def _keep(self, name: str, command: str, environment: Mapping[str, str] = NOTHING) -> None:
        self.supervisor.keep(self._program(name, self._ours(*command.split()), environment=environment))

    def _ours(self, *command: str) -> list[str]:
        return [*THIS_PROGRAM, *command, "--data", str(self.directory.path)]

    def _program(
        self,
        name: str,
        command: list[str],
        orphaned: signal.Signals = signal.SIGKILL,
        environment: Mapping[str, str] = NOTHING,
    ) -> Program:
        log = self.directory.logs / f"{name}.log"
        return Program(name=name, command=tuple(command), log=log, environment=environment, on_orphaned=orphaned)

    async def _answers(self, name: str, port: int) -> None:
        if not await _until(partial(ports.is_open, port), START_WITHIN_S):
            log = self.directory.logs / f"{name}.log"
            raise StartError(f"{name} did not start within {START_WITHIN_S:g} s; the end of {log}:\n{last_words(log)}")

    # -- the demo

    async def _simulate(self) -> None:
        """Make the city up, once: the next start finds it."""
        if self.city is None or self.city.recording.exists():
            return
        self.directory.demo.mkdir(exist_ok=True)
        self.tell(f"making up a city of {self.city.demo.persons:,} persons …")
        if await self._run_once("simulate", [*THIS_PROGRAM, *self.city.simulate()]) == 0:
            self.city.draft.replace(self.city.recording)

    async def _stream(self) -> None:
        """Stream the city, from where an earlier start has left it."""
        if self.city is None or not self.city.recording.exists():
            return
        await asyncio.to_thread(self.city.split)
        speed = f"{self.city.demo.speed:g}"
        self.tell("sending the days before at once")
        if await self._run_once("send", self._ours("send", str(self.city.past), "--speed", "max")) != 0:
            return
        self.tell(f"streaming a day of the city at {speed} times its speed")
        remembering = asyncio.create_task(self._remember(self.city))
        try:
            if await self._run_once("send", self._ours("send", str(self.city.rest), "--speed", speed)) == 0:
                self.tell("the day of the city is over; the system goes on. Ctrl-C stops it")
        finally:
            remembering.cancel()
            self.city.remember()

    async def _remember(self, city: City) -> None:
        while True:
            await asyncio.sleep(REMEMBER_EVERY_S)
            city.remember()

    async def _count_indicators(self) -> None:
        """What is a nightly job elsewhere."""
        while True:
            await asyncio.sleep(INDICATORS_EVERY_S)
            if any(self.directory.archive.glob("day=*")):
                await self._run_once("indicators", self._ours("indicators"))

    async def _run_once(self, name: str, command: list[str]) -> int:
        code = await self.supervisor.run_once(self._program(name, command))
        if code != 0:
            log = self.directory.logs / f"{name}.log"
            self.tell(f"{name} failed (exit code {code}); the end of {log}:\n{last_words(log)}")
        return code

    # -- what people see

    def _show_addresses(self) -> None:
        run = self._run()
        self.show(f"alert feed   {run['feed_url']}{self._login()}")
        self.show(f"Kafka        {run['kafka_address']}")
        self.show(f"Redis        {run['redis_url']}")
        self.show(f"alert store  {run['store_url']}")
        self.show(f"metrics      {'  '.join([*run['metrics'], run['feed_metrics'], run['archive_metrics']])}")
        self.show(f"logs         {self.directory.logs}")
        self.tell(f"up after {self._seconds():.1f} s; Ctrl-C stops everything")

    def _login(self) -> str:
        if self.options.demo is None:
            return f"   (make an account: fundwatch user add NAME --data {self.directory.path})"
        password = self.directory.secret("demo.password", accounts.generated_password)
        store = Store.open(self.directory.store_url)
        try:
            if store.account(DEMO_USER) is None:
                now = datetime.now(UTC)
                accounts.add_account(store, DEMO_USER, password, accounts.Role.REVIEWER, (), now, by="fundwatch up")
        finally:
            store.close()
        return f"   (user {DEMO_USER}, password {password})"

    async def _show_first_alert(self) -> None:
        store = Store.open(self.directory.store_url)
        try:
            seen = store.last_seq()
            while (entry := await asyncio.to_thread(_first_after, store, seen)) is None:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(POLL_S)
        finally:
            store.close()
        alert = json.loads(entry.data)
        self.show(f"first alert after {self._seconds():.1f} s: [{alert['level']}] {alert['summary_zh']}")

    def _seconds(self) -> float:
        return time.monotonic() - self.began

    # -- run.json

    def _write(self) -> None:
        self.directory.write(self._run())

    def _run(self) -> Run:
        children = self.supervisor.children()
        pids = {child.program.name: child.pid for child in children}
        return {
            "up": None if self.stopped else os.getpid(),
            "worker": [pid for name, pid in pids.items() if name.startswith("worker-")],
            **{name: pids.get(name) for name in ("kafka", "redis", "feed", "archive", "notify", "simulate", "send")},
            **addresses(self.directory, self.ports),
            "model_dir": str(DEMO_MODEL) if self.city and OWN_MODEL not in os.environ else None,
            "started": {str(child.pid): child.started for child in children},
        }


def _first_after(store: Store, seq: int) -> Entry | None:
    try:
        return next(iter(store.events_after(seq, limit=1)), None)
    except STORE_AWAY:  # busy; asked again soon
        return None


async def _until(true: Callable[[], bool], within_s: float) -> bool:
    """Ask in a thread until it is true; False if it has not come true in time."""
    deadline = time.monotonic() + within_s
    while not await asyncio.to_thread(true):
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True
