"""What a benchmark found, and the clock for what an event costs."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Figure(Struct, frozen=True):
    """One measured number. note: of how many, and how."""

    part: str
    what: str
    value: float
    unit: str
    note: str = ""

    def line(self) -> str:
        shown = f"{self.value:,.0f}" if self.value >= 1_000 else f"{self.value:,.2f}"
        return f"{self.part:10} {self.what:44} {shown:>12} {self.unit:10} {self.note}"


@dataclass(slots=True)
class Clock:
    """CPU time of this process spent in what it ran, in seconds; other programs on the machine do not count."""

    seconds: float = 0.0
    calls: int = 0

    def run(self, work: Callable[[], T]) -> T:
        began = time.process_time()
        try:
            return work()
        finally:
            self.seconds += time.process_time() - began
            self.calls += 1

    def us_each(self, n: int) -> float:
        """Microseconds for each of n."""
        return self.seconds / max(n, 1) * 1e6


@dataclass(slots=True)
class Timed:
    """Stands for another object, and times each of its methods."""

    inner: Any  # whatever it stands for
    clocks: dict[str, Clock] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not callable(found):
            return found
        clock = self.clocks.setdefault(name, Clock())
        return lambda *args, **named: clock.run(lambda: found(*args, **named))

    @property
    def seconds(self) -> float:
        return sum(clock.seconds for clock in self.clocks.values())


class TimedDetector:
    """A detector whose judging is timed. What it finds is the same."""

    def __init__(self, detector: Any) -> None:  # a Detector; kept as Any, since all but judge is passed through
        self._detector, self.clock = detector, Clock()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)

    def judge(self, unit: Any) -> list[Any]:
        return self.clock.run(lambda: list(self._detector.judge(unit)))
