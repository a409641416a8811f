"""What an event costs with servers: the worker's scripts in Redis, the keeper's store, and the whole line."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import psutil  # type: ignore[import-untyped]  # its types are a package of their own
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families
from redis import Redis

from alerts import keeper, migrations
from alerts.store import Store
from detectors.catalogue import DETECTORS
from detectors.finding import Subject, UnitId, Verdict
from detectors.judge import Judge
from detectors.wire import read
from stream_app.embedded.directory import Directory
from stream_app.memory import Memory
from tests.benchmarks.core import LIVE_BATCH, batches
from tests.benchmarks.figures import Clock, Figure, Timed
from tests.benchmarks.recordings import Recording
from tests.leads import NOON, lead
from tests.live.servers import ROOT, eventually, redis_running, system_running

GLANCE_S = 0.2
STILL = 50  # glances without anything new, after which nothing more is waited for
WAITING = 44_000  # events of an outage: fewer than a sender lets workers fall behind (50,000)
AWAY_S = 10.0  # longer than the group waits for a member that is silent
VERDICTS_AT_ONCE = 200


def redis(recording: Recording, events: int) -> Iterator[Figure]:
    """The worker's memory over a real Redis, in batches as a worker has them."""
    records, told = recording.first(events)
    with tempfile.TemporaryDirectory() as folder, redis_running(Path(folder)) as server:
        host, _, port = server.address.partition(":")
        with Redis(host, int(port)) as client:
            yield from _over_redis(client, records, told)


def _over_redis(client: "Redis", records: Sequence[Any], told: Sequence[Any]) -> Iterator[Figure]:
    """Any: records and events, see Recording."""
    kept = Timed(Memory(client))
    judge = Judge(memory=kept, detectors=DETECTORS, publish=lambda verdicts: None, on_crash=_rising)
    judge.learn(records)
    kept.clocks.clear()
    client.config_resetstat()
    before = _cpu(client)
    whole = Clock()
    for batch in batches(told, LIVE_BATCH):
        whole.run(partial(judge.hear, batch))
        while judge.tick():
            pass
    n = len(told)
    for name, clock in sorted(kept.clocks.items(), key=lambda entry: -entry[1].seconds):
        yield Figure("redis", f"client: {name}", clock.us_each(n), "µs/event", f"{clock.calls:,} calls")
    yield Figure("redis", "client and judging together", whole.us_each(n), "µs/event", f"{n:,}, {LIVE_BATCH} at once")
    used = _cpu(client) - before
    for name, stats in client.info("commandstats").items():
        if stats["usec"] / n >= 0.01:
            note = f"{stats['calls']:,} calls"
            yield Figure("redis", f"server: {name.removeprefix('cmdstat_')}", stats["usec"] / n, "µs/event", note)
    yield Figure("redis", "server: CPU", used / n * 1e6, "µs/event", "appends to its file included")
    persons = len({event.person for event in told if getattr(event, "person", "")})
    size = client.info("memory")["used_memory"]
    yield Figure("redis", "server: memory", size / max(persons, 1), "bytes", f"for each of {persons:,} persons, all in")
    for name, (keys, rows, held) in sorted(_by_ledger(client).items(), key=lambda entry: -entry[1][2]):
        note = f"{rows / n:.3f} rows an event, {rows:,} rows in {keys:,} keys, {held / keys:,.0f} bytes a key"
        yield Figure("redis", f"server: {name}", held / rows, "bytes/row", note)


def _by_ledger(client: "Redis") -> dict[str, tuple[int, int, int]]:
    """Keys, rows and bytes of each ledger, and of each kind of reference records."""
    found: dict[str, tuple[int, int, int]] = {}
    for key in client.scan_iter("{fw}:f:*", count=10_000):
        name = key.split(b":")[2].decode()
        keys, rows, held = found.get(name, (0, 0, 0))
        found[name] = keys + 1, rows + client.zcard(key), held + (client.memory_usage(key, samples=0) or 0)
    return found


def _cpu(client: "Redis") -> float:
    used = client.info("cpu")
    return float(used["used_cpu_user"]) + float(used["used_cpu_sys"])


def _rising(unit: object, crash: Exception) -> None:
    raise crash


def keeping(verdicts: int) -> Iterator[Figure]:
    """Verdicts into the store, each with an alert of its own, then all once more with other figures."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/alerts.db"
        migrations.upgrade(url)
        store = Store.open(url)
        try:
            for ticket, what in ((1, "new alerts"), (2, "changed alerts"), (2, "what was said already")):
                told = [_verdict(n, ticket) for n in range(verdicts)]
                began, clock = time.perf_counter(), Clock()
                for batch in batches(told, VERDICTS_AT_ONCE):
                    clock.run(partial(keeper.keep, store, batch, NOON))
                rate = verdicts / (time.perf_counter() - began)
                note = (
                    f"{verdicts:,}, {VERDICTS_AT_ONCE} at once, SQLite; {clock.us_each(verdicts):,.0f} µs of CPU each"
                )
                yield Figure("keeper", what, rate, "verdicts/s", note)
        finally:
            store.close()


def _verdict(number: int, ticket: int) -> Verdict:
    told = lead(events=("e1", "e2", "e3", "e4"), amount=1_000 * ticket)
    return Verdict(
        UnitId("card_batch_swipe", f"till-{number}", "2026-03-12"),
        ticket,
        (replace(told, subject=Subject("till", f"till-{number}")),),
    )


def line(recording: Recording, events: int) -> Iterator[Figure]:
    """Kafka to stored alert on this machine: one worker with the sender beside it; one, and two, after an outage."""
    with tempfile.TemporaryDirectory() as folder:
        reference, stream, backlog = split(recording, Path(folder), events, WAITING)
        with _system(Path(folder) / "one", reference, workers=1) as run:
            yield from _streamed(run, stream)
            yield from _caught_up(run, backlog)
        with _system(Path(folder) / "two", reference, workers=2) as run:
            send(run.path, stream, "--wait")
            yield from _caught_up(run, backlog)


@contextmanager
def _system(data: Path, reference: Path, workers: int) -> Iterator[Directory]:
    """Running, and it knows the reference records."""
    with system_running(data, "--no-demo", "--workers", str(workers)):
        run = Directory(data)
        eventually(lambda: len(run.read().get("worker") or ()) == workers, f"the system is up ({data}/up.log)", 120)
        send(data, reference, "--wait")
        yield run


def split(recording: Recording, folder: Path, events: int, waiting: int = 0) -> tuple[Path, Path, Path]:
    """Reference records, so many events, and so many of those after them: only events are timed."""
    reference, stream, backlog = (folder / f"{name}.ndjson" for name in ("reference", "events", "backlog"))
    with reference.open("wb") as records, stream.open("wb") as told, backlog.open("wb") as left:
        written = 0
        for raw in recording.raw():
            if b'"ref.' in raw:
                records.write(raw + b"\n")
            elif written < events + waiting:
                (told if written < events else left).write(raw + b"\n")
                written += 1
    return reference, stream, backlog


def send(data: Path, file: Path, *options: str) -> None:
    command = [sys.executable, "-m", "stream_app", "send", str(file), "--speed", "max", *options, "--data", str(data)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _streamed(directory: Directory, stream: Path) -> Iterator[Figure]:
    began = time.monotonic()
    sending = Thread(target=send, args=(directory.path, stream, "--wait"))
    sending.start()
    yield from _watched(directory, "one worker, one Redis", lambda seen: sending.is_alive())
    sending.join()
    settled = time.monotonic() - began
    yield Figure("line", "send --wait, alerts stored", settled, "s", str(timedelta(seconds=round(settled))))


def _caught_up(directory: Directory, backlog: Path) -> Iterator[Figure]:
    """What waits in Kafka after an outage; workers are held until their partitions were given away, and come back."""
    workers = directory.read()["worker"]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    send(directory.path, backlog)
    time.sleep(AWAY_S)
    for pid in workers:
        os.kill(pid, signal.SIGCONT)
    with backlog.open("rb") as told:
        waiting = sum(not read(raw).is_test for raw in told)
    name = f"catching up, {len(workers)} at work"
    yield from _watched(directory, name, lambda seen: seen[-1][1] - seen[0][1] < waiting)


def _watched(directory: Directory, name: str, goes_on: Callable[[list[tuple[float, float]]], bool]) -> Iterator[Figure]:
    """How fast workers are from the first event that they judge to the last, and what it costs each process."""
    run = directory.read()
    processes = {"worker": run["worker"], **{name: [run[name]] for name in ("redis", "kafka", "archive")}}
    before = {process: _cpu_of(pids) for process, pids in processes.items()}
    seen = [(time.monotonic(), _judged(run["metrics"]))]
    while goes_on(seen) and (len(seen) < STILL or seen[-1][1] > seen[-STILL][1] or seen[-1][1] == seen[0][1]):
        time.sleep(GLANCE_S)
        seen.append((time.monotonic(), _judged(run["metrics"])))
    judged = seen[-1][1] - seen[0][1]
    first = max(at for at, n in seen if n == seen[0][1])
    last = min(at for at, n in seen if n == seen[-1][1])
    note = f"{judged:,.0f} events from first to last judged, ± {GLANCE_S} s"
    yield Figure("line", name, judged / (last - first), "events/s", note)
    for process, pids in processes.items():
        yield Figure("line", f"CPU: {process}", (_cpu_of(pids) - before[process]) / judged * 1e6, "µs/event")


def _cpu_of(pids: Sequence[int]) -> float:
    times = [psutil.Process(pid).cpu_times() for pid in pids]
    return sum(float(one.user + one.system) for one in times)


def _judged(addresses: Sequence[str]) -> float:
    """Events that workers have taken in so far; reference records count, too."""
    return sum(map(_judged_by, addresses))


def _judged_by(address: str) -> float:
    try:
        with urlopen(address, timeout=10) as answer:
            families = {one.name: one for one in text_string_to_metric_families(answer.read().decode())}
    except (URLError, TimeoutError):
        return 0.0
    return sum(sample.value for sample in families["fundwatch_events_ingested"].samples)
