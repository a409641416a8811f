"""A stay by days: what was charged and ordered on each of them, and what was not."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple

from alerts.web.charts.drawing import WIDTH, Chart, Drawing
from alerts.web.wording import CHINA, Words
from detectors.finding import Evidence, Figure

MOST_DAYS = 21
MOST_ITEMS = 12
TOP = 40
ROW = 24
LEFT, RIGHT = 190, 846
WIDEST = 48
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
IDLE = ("hours_without_service", "hours_without_order")  # figures that count from the admission


class Grid(NamedTuple):
    """Of each day what was told. ``items``: the commonest first."""

    days: Sequence[date]
    items: Sequence[str]
    charged: Counter[tuple[str, date]]
    ordered: Counter[date]


def services(events: Sequence[Evidence], figures: Sequence[Figure], words: Words) -> Chart | None:
    """None without an admission."""
    admission = next((event for event in events if event.event_type == "adm"), None)
    if admission is None:
        return None
    end = max((e.at for e in events if e.event_type == "dscg"), default=None)
    grid, folded = _grid(admission.at, end, events)
    rows = len(grid.items) + 1
    foot = 30 if any(figure.name in IDLE for figure in figures) else 4
    drawing = Drawing(TOP + ROW * rows + foot, words("chart.services.label", n=len(grid.days)))
    width = min(WIDEST, (RIGHT - LEFT) / len(grid.days))
    _days(drawing, grid.days, width, rows, words)
    for n, item in enumerate(grid.items):
        _row(drawing, TOP + ROW * (n + 0.5), item, [grid.charged[item, day] for day in grid.days], width)
    orders = [grid.ordered[day] for day in grid.days]
    _row(drawing, TOP + ROW * (rows - 0.5), words("kind.order"), orders, width)
    _idle(drawing, admission.at, grid.days, width, TOP + ROW * rows + 12, figures, words)
    note = words("chart.services.folded", n=folded) if folded else words("chart.services.note")
    return Chart(words("chart.services.title"), note, drawing.svg(), (), _head(grid, words), tuple(_table(grid, words)))


def _grid(begin: datetime, end: datetime | None, events: Sequence[Evidence]) -> tuple[Grid, int]:
    last = _day(end or max(event.at for event in events))
    every = [_day(begin) + DAY * n for n in range(max(0, (last - _day(begin)).days) + 1)]
    days = every[:MOST_DAYS]
    charged: Counter[tuple[str, date]] = Counter()
    for event in events:
        if event.event_type in ("fee", "setl"):
            charged.update((item, _day(event.at)) for item in event.facts.get("items", "").split())
    often = Counter(item for item, day in charged if day in days)
    items = [item for item, _ in sorted(often.items(), key=lambda pair: (-pair[1], pair[0]))][:MOST_ITEMS]
    ordered = Counter(_day(event.at) for event in events if event.event_type == "order")
    return Grid(days, items, charged, ordered), len(every) - len(days)


def _day(at: datetime) -> date:
    return at.astimezone(CHINA).date()


def _x(n: float, width: float) -> float:
    return LEFT + width * n


def _days(drawing: Drawing, days: Sequence[date], width: float, rows: int, words: Words) -> None:
    bottom = TOP + ROW * rows
    for n, day in enumerate(days):
        drawing.line(_x(n, width), TOP - 6, _x(n, width), bottom, "ln")
        if n == 0 or day.day == 1:
            noon = datetime(day.year, day.month, day.day, 12, tzinfo=CHINA)
            drawing.text(_x(n, width), TOP - 26, words.day(noon), "t3 t11")
        drawing.text(_x(n + 0.5, width), TOP - 11, str(day.day), "t1 t11 c")
    drawing.line(_x(len(days), width), TOP - 6, _x(len(days), width), bottom, "ln")
    for n in range(rows + 1):
        drawing.line(0, TOP + ROW * n, _x(len(days), width), TOP + ROW * n, "ln2" if n == rows - 1 else "ln")


def _row(drawing: Drawing, y: float, name: str, counts: Sequence[int], width: float) -> None:
    drawing.text(0, y + 4, name, "t1")
    for n, count in enumerate(counts):
        x = _x(n + 0.5, width)
        if count:
            drawing.box(x - min(7, width / 3), y - 7, min(14, width * 2 / 3), 14, "fi")
        else:
            drawing.disc(x, y, 1.4, "fl2")


def _idle(
    drawing: Drawing,
    begin: datetime,
    days: Sequence[date],
    width: float,
    y: float,
    figures: Sequence[Figure],
    words: Words,
) -> None:
    """From the admission on, for as long as the figure says."""
    midnight = datetime(days[0].year, days[0].month, days[0].day, tzinfo=CHINA)
    for figure in figures:
        if figure.name in IDLE and not isinstance(figure.observed, str):
            since, to = (begin - midnight) / DAY, (begin + HOUR * figure.observed - midnight) / DAY
            x1, x2 = _x(since, width), min(_x(to, width), _x(len(days), width))
            drawing.path(f"M{x1:.1f} {y - 5:.1f}V{y:.1f}H{x2:.1f}V{y - 5:.1f}", "kred w2")
            said = f"{words.known('figure', figure.name)} {words.quantity(figure.observed, figure.unit)}"
            drawing.text(min((x1 + x2) / 2, WIDTH), y + 14, said, "tred t11 c")
            return


def _head(grid: Grid, words: Words) -> tuple[str, ...]:
    return (words("lead.rows.time"), words("chart.services.items"), words("kind.order"))


def _table(grid: Grid, words: Words) -> Iterator[tuple[str, ...]]:
    for day in grid.days:
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=CHINA)
        charged = [item for item in grid.items if grid.charged[item, day]]
        yield words.day(noon), ", ".join(charged) or "—", str(grid.ordered[day] or "—")
