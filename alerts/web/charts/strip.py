"""A batch of cards at a till, second by second: a staircase, and what each step bought."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise

from alerts.web.charts import facts
from alerts.web.charts.drawing import WIDTH, Axis, Chart, Drawing
from alerts.web.wording import Words
from detectors.finding import Evidence

MOST_ROWS = 30
MOST_GOODS = 5
ROW = 21
LEFT, RIGHT = 118, 468  # of the staircase
GOODS, STEP = 496, 26  # where the first column of goods stands, and how far the next
AMOUNT, CERT, VERIFY, BEFORE = 692, 704, 774, 838
BATCH_GAP = timedelta(minutes=2)  # a longer pause ends a till session: SPEC 3.1


def strip(
    shown: Sequence[Evidence], also: Sequence[Evidence], camera: tuple[datetime, datetime] | None, words: Words
) -> Chart | None:
    """One row a card. None if there are fewer than two. ``also``: other records, such as the batch before."""
    cards = _cards(shown)
    if len(cards) < 2:
        return None
    # a card's own swipe comes seconds before its bill: only what lies further back is another batch
    before = {event.person for event in also if event.person and event.at < cards[0].at - BATCH_GAP}
    rows = cards[:MOST_ROWS]
    goods = _goods(rows)
    top = 112 if camera else 64
    foot = 22 if len(cards) > len(rows) else 6
    drawing = Drawing(top + ROW * len(rows) + foot, words("chart.strip.label", n=len(cards)))
    axis = Axis.of([card.at for card in rows], LEFT + 22, RIGHT - 8)
    if camera:
        _overview(drawing, cards, camera, axis, words)
    _heads(drawing, top, axis, len(rows), goods, bool(before & {card.person for card in rows}), words)
    y = top + ROW / 2
    last: Evidence | None = None
    for card in rows:
        _row(drawing, y, axis, card, last, goods, card.person in before, words)
        last, y = card, y + ROW
    if len(cards) > len(rows):
        drawing.text(0, y + 6, words("chart.strip.more", n=len(cards) - len(rows)), "t3")
    legend = tuple(("", words("chart.strip.goods", letter=letter, code=code)) for code, letter in goods.items())
    return Chart(
        words("chart.strip.title"),
        words("chart.strip.note"),
        drawing.svg(),
        legend,
        _table_head(words),
        _table(cards, before, words),
    )


def _cards(shown: Sequence[Evidence]) -> list[Evidence]:
    """Settlements, and the swipes of those who did not settle."""
    bills = [event for event in shown if event.event_type == "setl"]
    settled = {bill.person for bill in bills}
    swipes = [event for event in shown if event.event_type == "swipe" and event.person not in settled]
    return sorted([*bills, *swipes], key=lambda event: event.at)


def _goods(cards: Sequence[Evidence]) -> dict[str, str]:
    """The goods that most cards bought, each with a letter."""
    counted = Counter(item for card in cards for item in card.facts.get("items", "").split())
    return {code: "ABCDEFGH"[i] for i, (code, _) in enumerate(counted.most_common(MOST_GOODS))}


def _overview(
    drawing: Drawing, cards: Sequence[Evidence], camera: tuple[datetime, datetime], zoom: Axis, words: Words
) -> None:
    """The whole range the cameras are asked for, and where in it the cards lie."""
    axis = Axis(*camera, LEFT, RIGHT)
    drawing.text(0, 19, words("chart.strip.half_hour"), "t3")
    drawing.line(LEFT, 24, RIGHT, 24, "ln2")
    for card in cards:
        drawing.box(axis.x(card.at) - 1, 11, 2, 13, "fi")
    drawing.text(0, 50, words("chart.strip.camera"), "t1")
    drawing.line(LEFT, 46, RIGHT, 46, "lni w2")
    for x in (LEFT, RIGHT):
        drawing.line(x, 41, x, 51, "lni w2")
    said = words.between(*camera, seconds=True)
    middle = (LEFT + RIGHT) / 2
    drawing.box(middle - 104, 38, 208, 16, "fp")
    drawing.text(middle, 50, said, "tb c")
    ends = f"L{RIGHT} 78 {LEFT} 78z"
    drawing.path(f"M{axis.x(zoom.since):.1f} 62L{axis.x(zoom.until):.1f} 62{ends}", "fs")


def _heads(
    drawing: Drawing, top: float, axis: Axis, rows: int, goods: dict[str, str], before: bool, words: Words
) -> None:
    bottom = top + ROW * rows
    drawing.box(LEFT, top - 34, RIGHT - LEFT, bottom - top + 34, "fs")
    for tick in axis.ticks(8):
        x = axis.x(tick)
        drawing.line(x, top - 14, x, bottom, "ln")
        drawing.text(x, top - 18, words.clock(tick, seconds=tick.second > 0), "t3 t11 c")
    for i, letter in enumerate(goods.values()):
        drawing.text(GOODS + i * STEP, top - 6, letter, "t1 c")
    drawing.text(AMOUNT, top - 6, words("chart.strip.amount"), "t3 e")
    drawing.text(CERT, top - 6, words("chart.strip.cert"), "t3")
    drawing.text(VERIFY, top - 6, words("chart.strip.verify"), "t3")
    if before:
        drawing.text(WIDTH, top - 6 - (14 if words.lang == "en" else 0), words("chart.strip.before"), "t3 e")


def _row(
    drawing: Drawing,
    y: float,
    axis: Axis,
    card: Evidence,
    last: Evidence | None,
    goods: dict[str, str],
    before: bool,
    words: Words,
) -> None:
    mark = "fred" if before else "fi"
    x = axis.x(card.at)
    drawing.text(0, y + 4, words.tail(card.person), "t1")
    if last is not None:
        drawing.path(f"M{axis.x(last.at):.1f} {y - ROW + 5:.1f}V{y:.1f}H{x - 5:.1f}", "ln2 dash")
        drawing.text(axis.x(last.at) - 5, y + 4, words.long(card.at - last.at), "t3 t11 e")
    drawing.disc(x, y, 4.6, mark, words.clock(card.at, seconds=True))
    bought = card.facts.get("items", "").split()
    for i, code in enumerate(goods):
        drawing.disc(GOODS + i * STEP, y, 4.3 if code in bought else 1.2, mark if code in bought else "fl2")
    drawing.text(AMOUNT, y + 4, words.yuan(card.total_fen) if card.total_fen else "—", "t1 e")
    drawing.text(CERT, y + 4, words.known("cert", card.facts.get("cert", "")), "t1")
    drawing.text(VERIFY, y + 4, words.known("verify", card.facts.get("verify", "none")), "")
    if before:
        drawing.disc(BEFORE, y, 4.3, "fred")
    drawing.line(0, y + ROW / 2, WIDTH, y + ROW / 2, "ln")


def _table_head(words: Words) -> tuple[str, ...]:
    return (
        words("lead.rows.time"),
        words("lead.rows.person"),
        words("chart.strip.gap"),
        words("fact.items"),
        words("chart.strip.amount"),
        words("chart.strip.cert"),
        words("chart.strip.verify"),
        words("chart.strip.before"),
    )


def _table(cards: Sequence[Evidence], before: set[str], words: Words) -> tuple[tuple[str, ...], ...]:
    gaps = ["", *(words.long(card.at - last.at) for last, card in pairwise(cards))]
    return tuple(
        (
            words.moment(card.at, seconds=True),
            words.tail(card.person),
            gap,
            card.facts.get("items", ""),
            words.yuan(card.total_fen),
            facts.fact("cert", card.facts.get("cert", ""), words),
            facts.fact("verify", card.facts.get("verify", "none"), words),
            words("fact.yes") if card.person in before else "",
        )
        for card, gap in zip(cards, gaps, strict=True)
    )
