"""What an event costs with servers: the worker's scripts in Redis, the keeper's store, and the whole line."""

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
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
from stream_app.embedded.directory import Directory
from stream_app.memory import Memory
from tests.benchmarks.core import LIVE_BATCH, batches
from tests.benchmarks.figures import Clock, Figure, Timed
from tests.benchmarks.recordings import Recording
from tests.leads import NOON, lead
from tests.live.servers import ROOT, eventually, redis_running, system_running

GLANCE_S = 0.2
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
    """One worker, one Redis, Kafka to stored alert, all on this machine and with the sender beside them."""
    with tempfile.TemporaryDirectory() as folder:
        reference, stream = split(recording, Path(folder), events)
        data = Path(folder) / "data"
        with system_running(data, "--no-demo"):
            run = Directory(data)
            eventually(lambda: bool(run.read().get("worker")), f"the system is up ({data}/up.log)", 120)
            send(data, reference)
            yield from _streamed(run, stream)


def split(recording: Recording, folder: Path, events: int) -> tuple[Path, Path]:
    """Reference records and events apart: only these are timed."""
    reference, stream = folder / "reference.ndjson", folder / "events.ndjson"
    with reference.open("wb") as records, stream.open("wb") as told:
        written = 0
        for raw in recording.raw():
            if b'"ref.' in raw:
                records.write(raw + b"\n")
            elif written < events:
                told.write(raw + b"\n")
                written += 1
    return reference, stream


def send(data: Path, file: Path) -> None:
    command = [sys.executable, "-m", "stream_app", "send", str(file), "--speed", "max", "--wait", "--data", str(data)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def _streamed(directory: Directory, stream: Path) -> Iterator[Figure]:
    run = directory.read()
    processes = {"worker": run["worker"][0], "redis": run["redis"], "kafka": run["kafka"], "archive": run["archive"]}
    before = {name: _cpu_of(pid) for name, pid in processes.items()}
    began, already = time.monotonic(), _judged(run["metrics"][0])
    sending = Thread(target=send, args=(directory.path, stream))
    sending.start()
    seen = [(time.monotonic(), _judged(run["metrics"][0]))]
    while sending.is_alive():
        sending.join(GLANCE_S)
        seen.append((time.monotonic(), _judged(run["metrics"][0])))
    settled = time.monotonic() - began
    judged = seen[-1][1] - already
    first = max(at for at, n in seen if n == already)
    last = min(at for at, n in seen if n == seen[-1][1])
    note = f"{judged:,.0f} events from first to last judged, ± {GLANCE_S} s"
    yield Figure("line", "one worker, one Redis", judged / (last - first), "events/s", note)
    yield Figure("line", "send --wait, alerts stored", settled, "s", str(timedelta(seconds=round(settled))))
    for name, pid in processes.items():
        yield Figure("line", f"CPU: {name}", (_cpu_of(pid) - before[name]) / judged * 1e6, "µs/event")


def _cpu_of(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _judged(address: str) -> float:
    """Events the worker has taken in so far; reference records count, too."""
    try:
        with urlopen(address, timeout=10) as answer:
            families = {one.name: one for one in text_string_to_metric_families(answer.read().decode())}
    except (URLError, TimeoutError):
        return 0.0
    return sum(sample.value for sample in families["fundwatch_events_ingested"].samples)
