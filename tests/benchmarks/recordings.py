"""What the benchmarks run on: a made-up city, made once, and the recorded world b where there is one."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path

from detectors.event import Event, Record
from detectors.wire import read
from replay.recording import lines
from replay.simulate.city import Plan
from replay.simulate.simulation import write

WORLD = Path(__file__).parents[3] / "shared" / "worlds" / "b"
DAYS = 30
A_DAY_EACH = 0.16  # events that an insured person of a made-up city makes, at least
START = datetime.fromisoformat("2026-03-02T00:00:00+08:00")


@dataclass(frozen=True)
class Recording:
    """Files, reference records first."""

    name: str
    files: Sequence[Path]

    def raw(self) -> Iterator[bytes]:
        return (line.raw for file in self.files for line in lines(file))

    def first(self, events: int) -> tuple[list[Record], list[Event]]:
        """All records, and so many events, tests left out."""
        records: list[Record] = []
        told: list[Event] = []
        for row in map(read, self.raw()):
            if isinstance(row, Record):
                records.append(row)
            elif not row.is_test:
                told.append(row)
                if len(told) == events:
                    break
        return records, told

    @cached_property
    def mix(self) -> str:
        """Its events by type, the most frequent first, and how long a line is."""
        kinds: Counter[str] = Counter()
        size = 0
        for raw in self.raw():
            if b'"ref.' not in raw:
                kinds[str(type(read(raw)).__struct_config__.tag)] += 1
                size += len(raw)
        total = kinds.total()
        shares = ", ".join(f"{kind} {n / total:.0%}" for kind, n in kinds.most_common(8))
        return f"{total:,} events of {size / total:,.0f} bytes: {shares}"


def city(events: int, cache: Path) -> Recording:
    """A city of at least so many events, all frauds and decoys in it. The next call finds it."""
    persons = max(1_000, round(events / DAYS / A_DAY_EACH))
    cache.mkdir(parents=True, exist_ok=True)
    path = cache / f"city-{persons}-{DAYS}.ndjson"
    if not path.exists():
        draft = path.with_suffix(".part")
        write(Plan(persons=persons, days=DAYS, seed=1, start=START, families=("all",), intensity=1.0), draft, None)
        os.replace(draft, path)
    return Recording(f"city of {persons:,}", [path])


def world() -> Recording | None:
    files = [WORLD / "reference.ndjson.gz", WORLD / "events.ndjson.gz"]
    return Recording("world b", files) if all(file.exists() for file in files) else None
