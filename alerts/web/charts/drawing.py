"""Drawing by hand: an SVG of classes, never of styles, and the same data as a table."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from markupsafe import Markup

WIDTH = 854  # of the column that charts stand in
LEAST = 60  # seconds a time axis covers at least


class Chart(NamedTuple):
    """A picture with its title, and the same data as a table. ``legend``: mark and words."""

    title: str
    note: str
    svg: Markup
    legend: tuple[tuple[str, str], ...]
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def wide(text: str, size: float = 12) -> float:
    """About how many pixels a text takes, rather too many than too few."""
    return sum(size if ord(letter) > 0x2E7F or letter in "—·" else size * 0.6 for letter in text)


@dataclass(slots=True)
class Drawing:
    """Shapes in the order they were drawn; coordinates in pixels from the top left."""

    height: float
    label: str
    width: float = WIDTH
    parts: list[Markup] = field(default_factory=list)

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        self._add('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}"/>', _n(x1), _n(y1), _n(x2), _n(y2), css)

    def box(self, x: float, y: float, width: float, height: float, css: str) -> None:
        size = _n(max(width, 0.5)), _n(height)
        self._add('<rect x="{}" y="{}" width="{}" height="{}" class="{}"/>', _n(x), _n(y), *size, css)

    def disc(self, x: float, y: float, radius: float, css: str, title: str = "") -> None:
        self._shape(Markup('<circle cx="{}" cy="{}" r="{}" class="{}"').format(_n(x), _n(y), _n(radius), css), title)

    def path(self, way: str, css: str, title: str = "") -> None:
        self._shape(Markup('<path d="{}" class="{}"').format(way, css), title)

    def text(self, x: float, y: float, words: str, css: str = "") -> None:
        """``css`` may hold e (ends at x) or c (is centred on it). Kept within the picture."""
        room = wide(words, 11 if "t11" in css else 12)
        end = "e" in css.split()
        centre = "c" in css.split()
        left = x - (room if end else room / 2 if centre else 0)
        x += max(0, -left) - max(0, left + room - self.width)
        self._add('<text x="{}" y="{}" class="{}">{}</text>', _n(x), _n(y), css, words)

    def cross(self, x: float, y: float, css: str, title: str = "", r: float = 4.5) -> None:
        a, b, c, d = _n(x - r), _n(x + r), _n(y - r), _n(y + r)
        self.path(f"M{a} {c}L{b} {d}M{b} {c}L{a} {d}", css, title)

    def tick(self, x: float, y: float, title: str = "") -> None:
        """Passed: a tick in a disc."""
        self.disc(x, y, 5.5, "fok", title)
        self.path(f"M{_n(x - 2.6)} {_n(y)}l2 2.2 3.4-4.2", "ktick")

    def diamond(self, x: float, y: float, css: str, title: str = "", r: float = 6.5) -> None:
        self.path(f"M{_n(x)} {_n(y - r)}l{r} {r} -{r} {r} -{r} -{r}z", css, title)

    def svg(self) -> Markup:
        body = Markup("").join(self.parts)
        size = Markup('width="{0}" height="{1}" viewBox="0 0 {0} {1}"').format(_n(self.width), _n(self.height))
        return Markup('<svg class="chart" {} role="img" aria-label="{}">{}</svg>').format(size, self.label, body)

    def _shape(self, opened: Markup, title: str) -> None:
        inside = Markup("<title>{}</title>").format(title) if title else Markup("")
        name = "circle" if opened.startswith("<circle") else "path"
        self.parts.append(opened + Markup(">") + inside + Markup("</{}>").format(name))

    def _add(self, form: str, *values: object) -> None:
        self.parts.append(Markup(form).format(*values))


@dataclass(frozen=True, slots=True)
class Axis:
    """From time to pixels."""

    since: datetime
    until: datetime
    left: float
    right: float

    @classmethod
    def of(cls, moments: Sequence[datetime], left: float, right: float, margin: float = 0.04) -> "Axis":
        """Covers all of them, with a margin on each side. Raises ValueError if there are none."""
        first, last = min(moments), max(moments)
        room = max((last - first) * margin, timedelta(seconds=LEAST / 2))
        return cls(first - room, last + room, left, right)

    def x(self, at: datetime) -> float:
        share = (at - self.since) / (self.until - self.since)
        return self.left + min(1, max(0, share)) * (self.right - self.left)

    def ticks(self, most: int = 7) -> list[datetime]:
        """Round moments of +08:00, at most so many."""
        span = (self.until - self.since).total_seconds()
        step = next((s for s in _STEPS if span / s <= most), _STEPS[-1] * max(1, round(span / _STEPS[-1] / most)))
        zone = 8 * 3_600
        first = -(-(self.since.timestamp() + zone) // step) * step - zone
        count = int((self.until.timestamp() - first) // step) + 1
        return [datetime.fromtimestamp(first + i * step, self.since.tzinfo) for i in range(max(0, count))]


_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_STEPS = (
    *(10, 20, 30, _MINUTE, 2 * _MINUTE, 5 * _MINUTE, 10 * _MINUTE, 15 * _MINUTE, 30 * _MINUTE),
    *(_HOUR, 2 * _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR),
    *(_DAY, 2 * _DAY, 5 * _DAY, 7 * _DAY, 14 * _DAY, 30 * _DAY, 60 * _DAY),
)


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
