"""The made-up city of the embedded system: one file, streamed at a multiple of its time, if need be in several goes.

Its first days are sent at once, so that there is something to compare with and the model has days to judge (24 hours
after their end); the last one is streamed. What an earlier start has streamed is sent again at once, which changes
nothing.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

BEFORE = timedelta(
    days=3
)  # sent at once; of these the first two have been judged by the model when the last day begins
DAYS = BEFORE.days + 1
INTENSITY = 2  # frauds are spread over the days: so that the last one has its share


@dataclass(frozen=True, slots=True)
class Demo:
    """speed: the city's time over real time."""

    speed: float
    persons: int
    seed: int
    before: timedelta = BEFORE


class City:
    """The files of one city in ``folder``. clock: in seconds."""

    def __init__(self, folder: Path, demo: Demo, clock: Callable[[], float] = time.monotonic) -> None:
        name = f"city-{demo.persons}-{demo.seed}-{DAYS}"
        self.demo, self._clock = demo, clock
        self.recording = folder / f"{name}.ndjson"
        self.draft = folder / f"{name}.ndjson.new"
        self.labels = folder / f"{name}.labels.ndjson"
        self.past = folder / "past.ndjson"
        self.rest = folder / "rest.ndjson"
        self._progress = folder / f"{name}.progress"
        self._from: datetime | None = None
        self._began = 0.0

    def simulate(self) -> list[str]:
        """The arguments that make the city up, into ``draft``."""
        size = ["--persons", str(self.demo.persons), "--seed", str(self.demo.seed), "--days", str(DAYS)]
        out = ["--out", str(self.draft), "--labels", str(self.labels)]
        return ["simulate", *out, *size, "--intensity", str(INTENSITY)]

    def split(self) -> None:
        """Into ``past``, which is sent at once, and ``rest``; then the clock runs."""
        streamed = self._streamed_until()
        begins: datetime | None = None
        with self.past.open("w") as past, self.rest.open("w") as rest:
            for at, line in _arrivals(self.recording):
                begins = begins or (at and at + self.demo.before)
                if at is None or (begins and at < begins) or (streamed and at <= streamed):
                    past.write(line)
                else:
                    self._from = min(self._from or at, at)
                    rest.write(line)
        self._began = self._clock()

    def remember(self) -> None:
        """Write down how far the clock has come. It may be ahead of what was sent, never behind."""
        if self._from is not None:
            passed = timedelta(seconds=(self._clock() - self._began) * self.demo.speed)
            self._progress.write_text((self._from + passed).isoformat())

    def _streamed_until(self) -> datetime | None:
        with suppress(FileNotFoundError, ValueError):
            return datetime.fromisoformat(self._progress.read_text())
        return None


def _arrivals(recording: Path) -> Iterator[tuple[datetime | None, str]]:
    """Each line with the time at which it arrived, None for reference data."""
    with recording.open() as lines:
        for line in lines:
            event = json.loads(line)
            arrived = None if event["event_type"].startswith("ref.") else event.get("recv_time") or event["biz_time"]
            yield arrived and datetime.fromisoformat(arrived), line
