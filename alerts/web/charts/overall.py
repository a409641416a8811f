"""The pictures of the overview: leads by kind and day, what waits, how far they came, shares, and months."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from math import sqrt
from typing import NamedTuple

from alerts.deadlines import CHINA
from alerts.outcomes import Outcome
from alerts.overview import DAYS, WEEK, Month, Overview, Step, Waiting
from alerts.web.charts.drawing import Chart, Drawing, wide
from alerts.web.wording import Words

BROAD, SLIM = 760, 500  # pixels: the two columns
ROW = 22
MOST_KINDS = 20  # drawn; the table has all of them
LARGEST = 9.0  # radius of the day with most leads
SMALLEST = 2.4
FEW = 4  # leads a day that are not many, however few there are elsewhere
LARGE = {"zh": 10_000 * 100, "en": 1_000 * 100}  # fen in what large amounts are told in


class Across(NamedTuple):
    """Where the names of rows end and where what is drawn of them ends."""

    left: float
    right: float

    def x(self, share: float) -> float:
        return self.left + (self.right - self.left) * share


def kinds(told: Overview, words: Words) -> Chart | None:
    """A disc for each kind and day, its area the number of leads. None while there are no leads."""
    if told.until is None or not told.kinds:
        return None
    shown = told.kinds[:MOST_KINDS]
    names = [words.known("detector", kind.detector) for kind in shown]
    at = Across(_room(names), BROAD - 84)
    step = (at.right - at.left) / DAYS
    drawing = Drawing(24 + ROW * len(shown) + 4, words("overview.kinds.label", n=told.leads), BROAD)
    first = datetime.combine(told.until - timedelta(days=DAYS - 1), time(), CHINA)
    days = [first + timedelta(days=i) for i in range(DAYS)]
    for i in range(0, DAYS, WEEK):
        drawing.text(at.left + step * (i + 0.5), 12, f"{days[i].month}/{days[i].day}", "t3 t11 c")
    drawing.text(at.right + 40, 12, words("overview.days", n=DAYS), "t3 t11 e")
    drawing.text(BROAD, 12, words("overview.days", n=WEEK), "t3 t11 e")
    most = max(FEW, *(number for kind in shown for number in kind.days))
    for row, (kind, name) in enumerate(zip(shown, names, strict=True)):
        y = 24 + ROW * (row + 0.5)
        drawing.line(0, y - ROW / 2, BROAD, y - ROW / 2, "ln")
        drawing.text(0, y + 4, _cut(name, at.left - 8), "t1")
        for i, number in enumerate(kind.days):
            radius = max(SMALLEST, LARGEST * sqrt(number / most)) if number else 0.7
            css = "fi" if number and i == DAYS - 1 else "f3" if number else "fl2"
            title = f"{name} {words.day(days[i])}: {words('overview.leads', n=number)}" if number else ""
            drawing.disc(at.left + step * (i + 0.5), y, radius, css, title)
        drawing.text(at.right + 40, y + 4, f"{kind.total:,}", "tb e")
        drawing.text(BROAD, y + 4, f"{kind.week:,}", "t3 e")
    head = (words("overview.kind"), *(f"{day.month}/{day.day}" for day in days), words("overview.days", n=DAYS))
    rows = tuple((words.known("detector", k.detector), *map(str, k.days), str(k.total)) for k in told.kinds)
    hidden = len(told.kinds) - len(shown)
    note = words("overview.kinds.more", n=hidden) if hidden else ""
    return Chart(words("overview.kinds"), note, drawing.svg(), (), head, rows)


def waiting(all_of: Sequence[Waiting], words: Words) -> Chart:
    """A bar for each state, its overdue part red."""
    shown = [one for one in all_of if one.leads] or list(all_of[:1])
    names = [words(f"work.state.{one.state}") for one in shown]
    at = Across(_room(names), SLIM - 150)
    most = max(1, *(one.leads for one in shown))
    total = sum(one.leads for one in shown)
    late = sum(one.overdue for one in shown)
    drawing = Drawing(26 * len(shown), words("overview.waiting.label", n=total, late=late), SLIM)
    for row, (one, name) in enumerate(zip(shown, names, strict=True)):
        y = 26 * row + 13
        drawing.text(0, y + 4, name, "t1")
        end = at.x(one.leads / most)
        drawing.box(at.left, y - 7, end - at.left, 14, "f3")
        if one.overdue:
            wide_enough = max(2.0, (end - at.left) * one.overdue / one.leads)
            drawing.box(end - wide_enough, y - 7, wide_enough, 14, "fred")
        said = words("overview.leads", n=f"{one.leads:,}")
        drawing.text(end + 8, y + 4, said, "tb")
        if one.overdue:
            drawing.text(end + 20 + wide(said), y + 4, words("overview.late", n=f"{one.overdue:,}"), "tred")
    head = (words("overview.state"), words("overview.number"), words("overview.overdue"))
    rows = tuple((name, str(one.leads), str(one.overdue)) for one, name in zip(shown, names, strict=True))
    return Chart(words("overview.waiting"), "", drawing.svg(), (), head, rows)


def steps(taken: Sequence[Step], words: Words) -> Chart:
    """How far the leads of this year came, and the money in them."""
    names = [words(f"overview.step.{step.name}") for step in taken]
    at = Across(_room(names), BROAD - 330)
    most = max(1, *(step.leads for step in taken))
    drawing = Drawing(22 + 28 * len(taken), words("overview.steps.label", n=taken[0].leads), BROAD)
    drawing.text(BROAD - 110, 14, words("overview.stake"), "t3 e")
    drawing.text(BROAD, 14, words("overview.of_before"), "t3 e")
    rows = []
    for row, (step, name) in enumerate(zip(taken, names, strict=True)):
        y = 22 + 28 * row + 14
        drawing.text(0, y + 4, name, "t1")
        end = at.x(step.leads / most)
        drawing.box(at.left, y - 8, end - at.left, 16, "fi" if step.name in ("confirmed", "recovered") else "f3")
        drawing.text(end + 8, y + 4, words("overview.leads", n=f"{step.leads:,}"), "tb")
        drawing.text(BROAD - 110, y + 4, large(step.fen, words), "t1 e")
        before = taken[row - 1].leads if row else 0
        share = f"{step.leads / before:.0%}" if before else ""
        drawing.text(BROAD, y + 4, share, "t3 e")
        rows.append((name, str(step.leads), large(step.fen, words), share))
    head = (words("overview.step"), words("overview.number"), words("overview.stake"), words("overview.of_before"))
    return Chart(words("overview.steps"), "", drawing.svg(), (), head, tuple(rows))


def shares(decided: Sequence[Outcome], words: Words) -> Chart | None:
    """How much of each kind was confirmed: a disc in its 95 % interval. None while nothing is decided."""
    shown = [one for one in decided if one.confirmed_share.of][:MOST_KINDS]
    if not shown:
        return None
    names = [words.known("detector", one.detector) for one in shown]
    at = Across(_room(names) + 8, SLIM - 70)
    drawing = Drawing(24 + ROW * len(shown) + 4, words("overview.shares.label", n=len(shown)), SLIM)
    for quarter in range(5):
        x = at.x(quarter / 4)
        drawing.text(x, 12, f"{quarter * 25}%", "t3 t11 c")
        drawing.line(x, 18, x, 24 + ROW * len(shown), "ln")
    rows = []
    for row, (one, name) in enumerate(zip(shown, names, strict=True)):
        y = 24 + ROW * (row + 0.5)
        share = one.confirmed_share
        drawing.text(0, y + 4, _cut(name, at.left - 14), "t1")
        drawing.line(at.x(share.low or 0), y, at.x(share.high or 0), y, "lnk w2")
        drawing.disc(at.x(share.share or 0), y, 4.5, "fi")
        drawing.text(SLIM, y + 4, f"{one.confirmed}/{share.of}", "t3 e")
        rows.append((name, str(one.confirmed), str(share.of), *(f"{part or 0:.0%}" for part in share_parts(one))))
    head = tuple(words(f"overview.shares.{name}") for name in ("kind", "confirmed", "decided", "share", "low", "high"))
    return Chart(words("overview.shares"), "", drawing.svg(), (), head, tuple(rows))


def share_parts(one: Outcome) -> tuple[float | None, float | None, float | None]:
    """The share and its interval."""
    return one.confirmed_share.share, one.confirmed_share.low, one.confirmed_share.high


def months(told: Sequence[Month], words: Words) -> Chart:
    """What was recovered in each month; the running one is black."""
    whole = large(sum(month.fen for month in told), words)
    drawing = Drawing(150, words("overview.months.label", sum=whole), SLIM)
    most = max(1, *(month.fen for month in told))
    step = SLIM / len(told)
    for i, month in enumerate(told):
        x, tall = step * i, 96 * month.fen / most
        name = words("overview.month", n=month.first.month)
        if month.fen:
            drawing.box(x + step * 0.2, 122 - tall, step * 0.6, tall, "fi" if i == len(told) - 1 else "f3")
            drawing.text(x + step / 2, 116 - tall, large(month.fen, words), "t1 t11 c")
        drawing.text(x + step / 2, 142, name, "t3 t11 c")
    drawing.line(0, 122, SLIM, 122, "ln2")
    head = (words("overview.month.head"), words("overview.large"))
    rows = tuple((f"{month.first:%Y-%m}", large(month.fen, words)) for month in told)
    return Chart(words("overview.months"), "", drawing.svg(), (), head, rows)


def large(fen: int, words: Words) -> str:
    """In 万元, or thousands of yuan, with one decimal."""
    return f"{fen / LARGE[words.lang]:,.1f}"


def _room(names: Sequence[str]) -> float:
    """Enough for the longest name, and for no more than a quarter of the broad picture."""
    return min(BROAD / 4, max(wide(name) for name in names)) + 14


def _cut(name: str, room: float) -> str:
    if wide(name) <= room:
        return name
    while name and wide(name + "…") > room:
        name = name[:-1]
    return f"{name}…"
