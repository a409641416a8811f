"""The picture of in-bed rates: a bar for each day, and the line below which a ward would be named."""

from collections.abc import Sequence
from datetime import datetime, time

from alerts.deadlines import CHINA
from alerts.indicators import IN_BED_LEAST, BedDay
from alerts.web.charts.drawing import Chart, Drawing
from alerts.web.wording import Words

WIDTH, TALL, LEFT = 760, 120, 44  # pixels
FOOT = TALL + 14


def in_bed(days: Sequence[BedDay], words: Words) -> Chart | None:
    """None where nobody was looked for."""
    shown = [one for one in days if one.expected]
    if not shown:
        return None
    found, expected = (sum(getattr(one, name) for one in shown) for name in ("found", "expected"))
    label = words("indicators.beds.label", share=f"{found / expected:.1%}", n=f"{expected:,}")
    drawing = Drawing(FOOT + 20, label, WIDTH)
    for share in (0.0, 0.5, 1.0):
        y = _y(share)
        drawing.line(LEFT, y, WIDTH, y, "ln")
        drawing.text(LEFT - 8, y + 4, f"{share:.0%}", "t3 t11 e")
    step = (WIDTH - LEFT) / len(shown)
    rows = []
    for i, one in enumerate(shown):
        share = one.found / one.expected
        x, at = LEFT + step * i, datetime.combine(one.day, time(), CHINA)
        drawing.box(x + step * 0.2, _y(share), step * 0.6, FOOT - _y(share), "fred" if share < IN_BED_LEAST else "f3")
        if i % 7 == 0 or len(shown) <= 7:
            drawing.text(x + step / 2, FOOT + 16, f"{one.day.month}/{one.day.day}", "t3 t11 c")
        rows.append((words.day(at), f"{share:.1%}", f"{one.found:,}", f"{one.expected:,}", f"{one.apart:,}"))
    drawing.line(LEFT, _y(IN_BED_LEAST), WIDTH, _y(IN_BED_LEAST), "lred dash")
    drawing.text(LEFT - 8, _y(IN_BED_LEAST) + 4, f"{IN_BED_LEAST:.0%}", "tred t11 e")
    head = tuple(words(f"indicators.beds.{name}") for name in ("day", "share", "found", "expected", "apart"))
    return Chart(words("indicators.beds"), label, drawing.svg(), (), head, tuple(rows))


def _y(share: float) -> float:
    return FOOT - TALL * share
