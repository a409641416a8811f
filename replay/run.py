"""A recording judged in process: what the live system must end with. The way of an event is the same, in one loop."""

import gc
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import BinaryIO, NamedTuple

import msgspec
from msgspec import Struct

from alerts.alert import Alert
from alerts.keeper import Table, alert_lines
from detectors.catalogue import DETECTORS
from detectors.event import EVER, Event, Record, Reference
from detectors.finding import Lead, UnitId, Verdict
from detectors.judge import Judge, batched
from detectors.rules import Rules
from detectors.wire import Refused, quarantined, read
from replay.memory import Memory
from replay.recording import Line, lines

Standing = dict[UnitId, tuple[Lead, ...]]
AT_ONCE = 20_000  # events a unit is judged after: lazily, since judging is pure; more of them gain nothing
SELDOM = (200_000, 50, 1_000)  # new objects before garbage is looked for, and how often among older ones
WAKES = 1_000_000  # so that a unit that is due for several days is judged once
LATENESS = timedelta(days=7)  # readings 1; the worker's settings have it by topic


def replay(
    batches: Iterable[Sequence[Event | Reference]],
    detectors: Rules,
    *,
    on_crash: Callable[[UnitId, Exception], None],
) -> Standing:
    """The leads that stand at the end. Larger batches judge each unit less often, and end the same."""
    standing: Standing = {}

    def publish(verdicts: Sequence[Verdict]) -> None:
        standing.update((verdict.unit, verdict.leads) for verdict in verdicts)

    judge = Judge(memory=Memory(), detectors=detectors, publish=publish, on_crash=on_crash)
    for batch in batches:
        judge.learn([row for row in batch if isinstance(row, Record)])
        judge.hear([row for row in batch if not isinstance(row, Record)])
        while judge.tick(WAKES):
            pass
    return {unit: leads for unit, leads in standing.items() if leads}


class Summary(Struct, kw_only=True):
    """What a replay did. seconds: of wall clock, from the first line read; refused: by reason."""

    events: int = 0
    records: int = 0
    tests: int = 0
    refused: dict[str, int] = {}
    alerts: int = 0
    open: int = 0
    by_detector: dict[str, int] = {}
    crashes: dict[str, int] = {}
    seconds: float = 0.0
    events_per_s: int = 0

    def in_words(self) -> str:
        told = [
            f"{self.events:,} events and {self.records:,} reference records in {self.seconds:.1f} s: "
            f"{self.events_per_s:,} events/s",
            f"{self.open:,} alerts open, {self.alerts - self.open:,} withdrawn",
            *(f"  {detector:28} {n:6,}" for detector, n in sorted(self.by_detector.items())),
        ]
        if self.tests:
            told.append(f"{self.tests:,} test events dropped")
        told += [f"{n:,} refused: {reason}" for reason, n in sorted(self.refused.items())]
        told += [f"{name} raised {n:,} times: its leads are incomplete" for name, n in self.crashes.items()]
        return "\n".join(told)


class Progress(NamedTuple):
    """How far a replay is. events: judged, of total; since, reached: business time of the first and the last of them.

    seconds: of wall clock since the first line was read.
    """

    events: int
    total: int
    since: datetime
    reached: datetime
    seconds: float

    @property
    def share(self) -> float:
        return self.events / self.total if self.total else 1.0

    @property
    def speed(self) -> float:
        """Seconds of business time in one of wall clock."""
        return (self.reached - self.since).total_seconds() / self.seconds if self.seconds else 0.0


@dataclass(slots=True)
class Run:
    """One replay. ``on_refused`` gets each line that is not taken, with where it stood and why."""

    on_refused: Callable[[str, Line, Refused], None]
    on_events: Callable[[int], None]
    detectors: Rules = DETECTORS
    table: Table = field(default_factory=Table)
    summary: Summary = field(default_factory=Summary)
    memory: Memory = field(default_factory=Memory)
    on_progress: Callable[[Progress], None] = lambda progress: None
    now: datetime = EVER  # W as of the line being read: what comes later than LATENESS behind it takes no part

    def over(self, sources: Sequence[tuple[str, Iterable[Line]]]) -> None:
        """Judge recordings. Reference records hold from the start, wherever they stand."""
        began = perf_counter()
        records, events = self._told(sources)
        judge = Judge(memory=self.memory, detectors=self.detectors, publish=self._keep, on_crash=self._crashed)
        judge.learn(records)
        self.on_events(0)
        done, since, reached = 0, min((event.happened_at for event in events), default=EVER), EVER
        with looking_for_garbage_seldom():
            for batch in batched(events, AT_ONCE):
                judge.hear(batch)
                while judge.tick(WAKES):
                    pass
                done, reached = done + len(batch), max(reached, *(event.happened_at for event in batch))
                self.on_events(len(batch))
                self.on_progress(Progress(done, len(events), since, reached, perf_counter() - began))
        self._sum_up(perf_counter() - began)

    def _told(self, sources: Sequence[tuple[str, Iterable[Line]]]) -> tuple[list[Record], list[Event]]:
        """All of it, since memory will keep it all anyway."""
        records: list[Record] = []
        events: list[Event] = []
        for name, told in sources:
            for line in told:
                row = self._read(name, line)
                if isinstance(row, Record):
                    records.append(row)
                elif row is not None and self._in_time(name, line, row):
                    events.append(row)
        self.summary.records, self.summary.events = len(records), len(events)
        return records, events

    def _in_time(self, name: str, line: Line, event: Event) -> bool:
        if event.happened_at > self.now:
            self.now = event.happened_at
        elif event.happened_at < self.now - LATENESS:
            self._refuse(name, line, Refused("too_late", f"more than {LATENESS.days} days behind {self.now}"))
            return False
        return True

    def _read(self, name: str, line: Line) -> Event | Reference | None:
        """None: refused, or a test."""
        try:
            event = read(line.raw)
        except Refused as refused:
            self._refuse(name, line, refused)
            return None
        if event.is_test:
            self.summary.tests += 1
            return None
        return event

    def _refuse(self, name: str, line: Line, refused: Refused) -> None:
        self.summary.refused[refused.reason] = self.summary.refused.get(refused.reason, 0) + 1
        self.on_refused(name, line, refused)

    def _keep(self, verdicts: Sequence[Verdict]) -> None:
        for verdict in verdicts:
            self.table.keep(verdict, self.now)

    def _crashed(self, unit: UnitId, crash: Exception) -> None:
        self.summary.crashes[unit.detector] = self.summary.crashes.get(unit.detector, 0) + 1

    def _sum_up(self, seconds: float) -> None:
        summary, alerts = self.summary, self.table.alerts.values()
        summary.seconds = round(seconds, 3)
        summary.events_per_s = round(summary.events / seconds) if seconds else 0
        summary.alerts = len(alerts)
        summary.open = sum(alert.status == "open" for alert in alerts)
        for alert in alerts:
            if alert.status == "open":
                summary.by_detector[alert.detector] = summary.by_detector.get(alert.detector, 0) + 1


@contextmanager
def looking_for_garbage_seldom() -> Iterator[None]:
    """What a replay makes is kept to its end, and none of it in a circle: looking for such was 30 % of its time."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def replay_files(
    files: Sequence[str],
    *,
    archive: Path | None = None,
    alerts: Path | None = None,
    quarantine: Path | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    persons: frozenset[str] = frozenset(),
    orgs: frozenset[str] = frozenset(),
    rules: Rules = DETECTORS,
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> Summary:
    """Replay recordings, or the archive in a folder, and write the alerts chosen and what was refused.

    The choice (since, until, persons, orgs) is of alerts: events needed as their past are read all the same.
    Raises OSError, RecordingError.
    """
    with ExitStack() as stack:
        refused = stack.enter_context(quarantine.open("wb")) if quarantine else None
        run = Run(
            on_refused=lambda name, line, why: _write_refused(refused, name, line, why),
            on_events=lambda n: None,
            detectors=rules,
            on_progress=on_progress,
        )
        run.over([archived(archive)] if archive else [recording(name) for name in files])
        if alerts:
            chosen = [a for a in run.table.alerts.values() if _chosen(a, run.table, since, until, persons, orgs)]
            _write_whole(alerts, alert_lines(chosen))
    return run.summary


def alerts_by(rules: Rules, files: Sequence[str], on_events: Callable[[int], None] = lambda n: None) -> list[Alert]:
    """What these recordings come to by these rules. Raises OSError, RecordingError."""
    run = Run(on_refused=lambda name, line, why: None, on_events=on_events, detectors=rules)
    run.over([recording(name) for name in files])
    return list(run.table.alerts.values())


def recording(name: str) -> tuple[str, Iterable[Line]]:
    return name, lines(name)


def archived(folder: Path) -> tuple[str, Iterable[Line]]:
    from replay.archive import read_archive  # duckdb takes 100 ms to load: only when it is needed

    return str(folder), (Line(n, raw) for n, raw in enumerate(read_archive(folder), 1))


def _chosen(
    alert: Alert,
    table: Table,
    since: datetime | None,
    until: datetime | None,
    persons: frozenset[str],
    orgs: frozenset[str],
) -> bool:
    """An alert concerns a person or an institution if it is about them, or one of its events is theirs."""
    if since and (alert.period.to or alert.last_seen) < since:
        return False
    if until and alert.period.since >= until:
        return False
    if not persons and not orgs:
        return True
    lead = table.standing.get(alert.alert_id)
    evidence = lead.evidence if lead else ()
    named = set(alert.subject.id.split("/"))
    return bool(
        (persons & (named | {row.person for row in evidence}))
        or (orgs & (named | {row.org for row in evidence} | set(lead.orgs if lead else ())))
    )


def _write_refused(file: BinaryIO | None, name: str, line: Line, refused: Refused) -> None:
    if file:
        at = datetime.now(UTC)
        file.write(msgspec.json.encode(quarantined(refused, line.raw, name, line.number, at)) + b"\n")


def _write_whole(path: Path, rows: Iterable[bytes]) -> None:
    """All of it or nothing: a reader never sees half a file."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.writelines(rows)
    os.replace(part, path)
