"""One run: a recording is sent again and again while faults are drawn; then everything is counted."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from confluent_kafka import Consumer, TopicPartition

from replay.archive import read_archive
from stream_app import quarantine, topics
from tests.chaos.faults import drawn, left_out
from tests.chaos.recording import DAYS, Recording, Wanted
from tests.chaos.system import NeverError, StoreKind, System, asked, running, until
from tests.live.test_line import open_alerts

SETTLED_WITHIN_S = 240.0
MOST_AT_ONCE = 4  # faults


@dataclass(frozen=True)
class Struck:
    """One fault. at, seconds: since the run began; until what was sent a second later was judged. None: never."""

    seed: int
    fault: str
    at: float
    seconds: float | None


@dataclass
class Outcome:
    """One run. What differs is named; nothing differs in a good one."""

    seed: int
    store: StoreKind
    events: int
    alerts: int = 0
    sent: int = 0
    seconds: float = 0.0
    struck: list[Struck] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)
    stalls: int = 0  # workers that the watchdog ended

    @property
    def is_good(self) -> bool:
        return not self.wrong and all(one.seconds is not None for one in self.struck)


@dataclass(frozen=True)
class Plan:
    """persons: of the city. faults: how many. pass_s: how long one sending of the recording takes, about."""

    seed: int
    faults: int
    persons: int = 1_000
    store: StoreKind = "sqlite"
    pass_s: float = 20.0  # so short that the city's nights, when nothing is sent, are too


async def disturbed(plan: Plan, folder: Path, say: Callable[[str], None]) -> Outcome:
    """Run it. The outcome says what was wrong; raises only if the system could not even be started."""
    chance = Random(plan.seed)
    recording = await asyncio.to_thread(Recording.of_a_city, plan.persons, plan.seed)
    wanted = await asyncio.to_thread(recording.wanted, folder)
    outcome = Outcome(plan.seed, plan.store, len(recording.events), alerts=len(wanted.alerts))
    began = time.monotonic()
    async with running(folder, plan.store, say) as system:
        outcome.left_out = left_out(system)
        await _send_reference(system, recording)
        sending = asyncio.create_task(_send_on(system, recording, plan, chance.randrange(1 << 32)))
        try:
            await _strike(system, plan, chance, outcome, say)
        except NeverError as never:
            outcome.wrong.append(str(never))
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError):
                await sending
        await _settle(system, recording, plan, outcome)
        await _compare(system, wanted, outcome)
        outcome.stalls = _said_in_logs(system, "worker.reads_nothing")
        if missing := _said_in_logs(system, "batch.offsets_missing"):
            outcome.wrong.append(f"{missing} gaps in offsets")
            for line in _lines_in_logs(system, "batch.offsets_missing"):
                say(line)
    outcome.seconds = time.monotonic() - began
    return outcome


async def _send_reference(system: System, recording: Recording) -> None:
    """All of it is read before the first event: a record that comes later changes nothing by itself (readings 2)."""
    path = await asyncio.to_thread(recording.reference_written, system.folder / "reference.ndjson")
    process = await system.send(path, "--wait")
    if await process.wait():
        raise NeverError(f"the reference records were not read: see {system.logs}/send.log")


async def _send_on(system: System, recording: Recording, plan: Plan, seed: int) -> None:
    """The events at a steady pace, each time in another order, until cancelled."""
    chance = Random(seed)
    speed = DAYS * 86_400 / plan.pass_s
    while True:
        path = await asyncio.to_thread(recording.written, system.folder / "sent.ndjson", chance)
        process = await system.send(path, "--speed", f"{speed:g}")
        try:
            await process.wait()
        except asyncio.CancelledError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
            raise


async def _strike(system: System, plan: Plan, chance: Random, outcome: Outcome, say: Callable[[str], None]) -> None:
    began = time.monotonic()
    while len(outcome.struck) < plan.faults:
        await asyncio.sleep(chance.uniform(0.2, 1.5))
        most = min(MOST_AT_ONCE, plan.faults - len(outcome.struck))
        faults = [drawn(system, chance) for _ in range(chance.randint(1, most))]
        at = time.monotonic()
        await asyncio.gather(*(fault.act(system, Random(chance.randrange(1 << 32))) for fault in faults))
        try:
            await system.recovered()
        except NeverError as never:
            outcome.wrong.append(str(never))
            outcome.struck += [Struck(plan.seed, fault.name, at - began, None) for fault in faults]
            raise
        seconds = time.monotonic() - at
        outcome.struck += [Struck(plan.seed, fault.name, at - began, seconds) for fault in faults]
        say(f"{at - began:6.1f} s  {' + '.join(fault.name for fault in faults)}: well again after {seconds:.1f} s")


async def _settle(system: System, recording: Recording, plan: Plan, outcome: Outcome) -> None:
    """Once more, as fast as it goes, and wait until everything is judged and stored."""
    path = await asyncio.to_thread(recording.written, system.folder / "sent.ndjson", Random(plan.seed))
    process = await system.send(path, "--wait")
    try:
        if await asyncio.wait_for(process.wait(), SETTLED_WITHIN_S):
            outcome.wrong.append(f"send --wait ended with {process.returncode}: see {system.logs}/send.log")
    except TimeoutError:
        process.kill()
        await process.wait()
        outcome.wrong.append(f"not judged and stored within {SETTLED_WITHIN_S:g} s")


async def _compare(system: System, wanted: Wanted, outcome: Outcome) -> None:
    exported = await system.exported()
    outcome.wrong += _differences(exported, wanted)
    records = [kept.record for kept in await asyncio.to_thread(lambda: [*quarantine.kept(_client(system))])]
    quarantined = {record.raw: (record.reason, record.field) for record in records}
    if quarantined != wanted.quarantined:
        outcome.wrong.append(f"quarantine: {len(quarantined)} of {len(wanted.quarantined)} lines, or other reasons")
    outcome.sent = sum((await asked(lambda: system.group.ends(("swipes", "claims", "stock", "reference")))).values())
    await _archive_is_complete(system, wanted, outcome)
    await _topic_tells_all(system, exported, outcome)


def _differences(exported: bytes, wanted: Wanted) -> list[str]:
    lines = exported.splitlines()
    times = Counter(json.loads(line)["alert_id"] for line in lines)
    found = open_alerts(exported)
    doubled = [name for name, n in times.items() if n > 1]
    told = {
        "missing": wanted.alerts.keys() - found.keys(),
        "extra": found.keys() - wanted.alerts.keys(),
        "doubled": doubled,
        "different": {n for n in found.keys() & wanted.alerts.keys() if found[n] != wanted.alerts[n]},
    }
    return [f"{len(names)} alerts {how}: {sorted(names)[:3]}" for how, names in told.items() if names]


async def _archive_is_complete(system: System, wanted: Wanted, outcome: Outcome) -> None:
    folder = system.settings.archive.dir
    try:
        await until(lambda: frozenset(read_archive(folder)) == wanted.archived, "the archive is complete")
    except NeverError:
        found = frozenset(await asyncio.to_thread(lambda: [*read_archive(folder)]))
        lost, more = len(wanted.archived - found), len(found - wanted.archived)
        outcome.wrong.append(f"archive: {lost} events missing, {more} more than sent")


async def _topic_tells_all(system: System, exported: bytes, outcome: Outcome) -> None:
    """The newest revision of each alert is on the topic ``alerts``, once its publisher has caught up."""
    stored = {alert["alert_id"]: alert["revision"] for alert in map(json.loads, exported.splitlines())}
    try:
        await until(lambda: _told(system) == stored, "the newest revision of each alert is on its topic")
    except NeverError as never:
        outcome.wrong.append(str(never))


def _told(system: System) -> dict[str, int]:
    consumer = Consumer(_client(system) | {"group.id": "chaos-looks-on", "enable.auto.commit": False})
    newest: dict[str, int] = {}
    try:
        ends = {at: end for at, end in system.group.ends([topics.ALERTS]).items() if end}
        consumer.assign([TopicPartition(topic, number, 0) for topic, number in ends])
        left = sum(ends.values())
        while left > 0 and (messages := consumer.consume(500, 5.0)):
            for message in messages:
                if not message.error():
                    left -= 1
                    alert = json.loads(message.value() or b"{}")
                    newest[alert["alert_id"]] = max(newest.get(alert["alert_id"], 0), alert["revision"])
    finally:
        consumer.close()
    return newest


def _client(system: System) -> dict[str, str | int | float | bool]:
    return topics.quiet(system.settings.kafka)


def _said_in_logs(system: System, words: str) -> int:
    return len(_lines_in_logs(system, words))


def _lines_in_logs(system: System, words: str) -> list[str]:
    logs = (path.read_text(errors="replace").splitlines() for path in system.logs.glob("worker-*.log*"))
    return [line for lines in logs for line in lines if words in line]
