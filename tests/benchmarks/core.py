"""What an event costs without any server: reading it, keeping it, judging it, and a whole replay."""

import gc
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any, cast

from detectors.catalogue import DETECTORS
from detectors.detector import Detector
from detectors.event import Event, Record
from detectors.finding import Verdict
from detectors.judge import Judge
from detectors.wire import read
from replay.memory import Memory
from replay.recording import lines
from replay.run import AT_ONCE, Run
from tests.benchmarks.figures import Clock, Figure, Timed, TimedDetector
from tests.benchmarks.recordings import Recording

OF_EACH = 5_000  # lines of one type are read so often at most
LIVE_BATCH = 500  # events


def decode(recording: Recording, events: int) -> Iterator[Figure]:
    """Reading lines, by event type and over the mix."""
    mixed = list(islice((raw for raw in recording.raw() if b'"ref.' not in raw), events))
    kinds: defaultdict[str, list[bytes]] = defaultdict(list)
    for raw in mixed:
        kinds[str(type(read(raw)).__struct_config__.tag)].append(raw)
    for kind, raws in sorted(kinds.items()):
        some = raws[:OF_EACH]
        clock = Clock()
        clock.run(partial(_read_all, some))
        size = sum(map(len, some)) / len(some)
        yield Figure("decode", kind, clock.us_each(len(some)), "µs/event", f"{len(some):,} of {size:,.0f} bytes")
    clock = Clock()
    clock.run(partial(_read_all, mixed))
    yield Figure("decode", "the mix", clock.us_each(len(mixed)), "µs/event", f"{len(mixed):,}")


def _read_all(raws: Sequence[bytes]) -> None:
    for raw in raws:
        read(raw)


def memory(recording: Recording, events: int) -> Iterator[Figure]:
    """The ledgers alone: no detector asks them anything."""
    _, told = recording.first(events)
    kept, clock = Memory(), Clock()
    for batch in batches(told, LIVE_BATCH):
        clock.run(partial(kept.remember, batch))
    yield Figure("memory", "ledgers only", clock.us_each(len(told)), "µs/event", f"{len(told):,} in dicts")


def detectors(recording: Recording, events: int) -> Iterator[Figure]:
    """Where judging spends its time: once as in a replay, once in the small batches of a worker."""
    records, told = recording.first(events)
    for name, size in (("replay", AT_ONCE), ("live", LIVE_BATCH)):
        yield from _judged(f"judge/{name}", records, told, size)


def _judged(part: str, records: Sequence[Record], told: Sequence[Event], size: int) -> Iterator[Figure]:
    kept, timed = Timed(Memory()), [TimedDetector(detector) for detector in DETECTORS]
    together = heard(Memory(), DETECTORS, records, told, size)
    heard(kept, cast(Any, timed), records, told, size)  # they stand for a Memory and for Detectors
    n, judging = len(told), sum(one.clock.seconds for one in timed)
    for one in sorted(timed, key=lambda one: -one.clock.seconds):
        yield Figure(part, one.id, one.clock.us_each(n), "µs/event", f"{one.clock.calls:,} units judged")
    yield Figure(part, "all detectors", judging / n * 1e6, "µs/event", f"{n:,} events, {size:,} at once")
    yield Figure(part, "memory", kept.seconds / n * 1e6, "µs/event")
    rest = together.seconds - judging - kept.seconds
    yield Figure(part, "gates, routing, verdicts", rest / n * 1e6, "µs/event", "what is left")
    yield Figure(part, "together", together.us_each(n), "µs/event", "without decoding, and without the parts' clocks")


def heard(
    memory: Any, detectors: Sequence[Detector], records: Sequence[Record], told: Sequence[Event], size: int
) -> Clock:
    """memory: a Memory, or what stands for one."""
    judge, whole = Judge(memory=memory, detectors=detectors, publish=_nowhere, on_crash=_rising), Clock()
    judge.learn(records)
    if isinstance(memory, Timed):
        memory.clocks.clear()
    gc.collect()
    gc.freeze()
    for batch in batches(told, size):
        whole.run(partial(_hear, judge, batch))
    gc.unfreeze()
    return whole


def replay(recording: Recording) -> Iterator[Figure]:
    """The whole replay of recordings on one core: reading the files, judging, alerts; imports apart."""
    run, clock = Run(on_refused=lambda *_: None, on_events=lambda _: None), Clock()
    clock.run(lambda: run.over([(str(file), lines(file)) for file in recording.files]))
    summary = run.summary
    note = f"{recording.name}: {summary.events:,} events, {summary.open:,} alerts; wall {summary.events_per_s:,}/s"
    yield Figure("replay", recording.name, summary.events / clock.seconds, "events/s", note + "; a core's CPU time")


def batches(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Any: of whatever is cut."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _hear(judge: Judge, batch: Sequence[Event]) -> None:
    judge.hear(batch)
    while judge.tick():
        pass


def _nowhere(verdicts: Sequence[Verdict]) -> None:
    """They are not what is measured."""


def _rising(unit: object, crash: Exception) -> None:
    raise crash
