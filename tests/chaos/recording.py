"""What is sent, and what must be there in the end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random

from detectors.wire import Refused, canonical, read
from replay.run import replay_files
from replay.simulate.city import Plan
from replay.simulate.simulation import Simulation
from tests.live.test_line import BROKEN, Open, is_reference, open_alerts, shuffled

DAYS = 6  # less than the lateness promised: the recording may be sent again and again


@dataclass(frozen=True)
class Wanted:
    """Of an undisturbed run: alerts as they are compared, canonical events, and why what is refused is refused."""

    alerts: Open
    archived: frozenset[bytes]
    quarantined: dict[bytes, tuple[str, str]]


@dataclass(frozen=True)
class Recording:
    """A city with lines in it that nobody can read."""

    reference: Sequence[bytes]
    events: Sequence[bytes]

    @classmethod
    def of_a_city(cls, persons: int, seed: int) -> "Recording":
        start = datetime.fromisoformat("2026-03-02T00:00:00+08:00")
        plan = Plan(persons=persons, days=DAYS, seed=seed, start=start, families=("all",), intensity=5.0)
        lines = list(Simulation(plan).lines())
        return cls(
            [line for line in lines if is_reference(line)],
            [line for line in lines if not is_reference(line)],
        )

    def reference_written(self, path: Path) -> Path:
        _write(path, self.reference)
        return path

    def written(self, path: Path, chance: Random) -> Path:
        """The events, in another order of arrival, some lines twice."""
        events = shuffled(list(self.events), chance)
        middle = len(events) // 2
        _write(path, [*events[:middle], *BROKEN, *events[middle:]])
        return path

    def wanted(self, folder: Path) -> Wanted:
        source, found = folder / "undisturbed.ndjson", folder / "wanted.ndjson"
        _write(source, [*self.reference, *self.events])
        replay_files([str(source)], alerts=found)
        readable = frozenset(filter(None, map(_canonical, [*self.reference, *self.events])))
        return Wanted(open_alerts(found.read_bytes()), readable, dict(BROKEN))


def _write(path: Path, lines: Iterable[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def _canonical(line: bytes) -> bytes | None:
    try:
        return canonical(read(line))
    except Refused:
        return None
