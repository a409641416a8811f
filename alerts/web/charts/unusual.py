"""A day that a model found strange: each feature against its peers and against the entity's own days."""

from collections.abc import Iterator, Sequence

from alerts.alert import WireReason
from alerts.web.charts.drawing import Chart, Drawing
from alerts.web.wording import Words

TOP = 30
ROW = 38
NAME, LEFT, RIGHT, SHARE = 0, 250, 640, 760
THICK = 12
ROOM = 1.06  # of the largest value, that a row covers


def unusual(reasons: Sequence[WireReason], words: Words) -> Chart | None:
    """None without reasons."""
    if not reasons:
        return None
    drawing = Drawing(TOP + ROW * len(reasons) + 4, words("chart.unusual.label", n=len(reasons)))
    drawing.text(SHARE, 14, words("chart.unusual.share"), "t3 t11 e")
    most = max(reason.share for reason in reasons)
    for n, reason in enumerate(reasons):
        _row(drawing, TOP + ROW * (n + 0.5), reason, most, words)
    legend = (
        ("bill", words("chart.unusual.day")),
        ("ring", words("chart.unusual.peers")),
        ("diamond", words("chart.unusual.own")),
    )
    told = sum(reason.share for reason in reasons)
    return Chart(
        words("chart.unusual.title"),
        words("chart.unusual.note", share=f"{told:.0%}"),
        drawing.svg(),
        legend,
        tuple(words(f"chart.unusual.{name}") for name in ("feature", "day", "peers", "own", "share")),
        tuple(_table(reasons, words)),
    )


def _row(drawing: Drawing, y: float, reason: WireReason, most: float, words: Words) -> None:
    """Each row has a scale of its own, from 0 to the largest of its values."""
    others = [value for value in (reason.peer_median, reason.own_median) if value is not None]
    full = max(reason.value, *others, 1e-9) * ROOM

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * max(0.0, value) / full

    drawing.line(NAME, y + ROW / 2, SHARE, y + ROW / 2, "ln")
    drawing.text(NAME, y + 4, words.known("figure", reason.name), "t1")
    drawing.line(LEFT, y, RIGHT, y, "ln2")
    drawing.line(x(reason.peer_median), y, x(reason.value), y, "kred w2")
    drawing.disc(x(reason.peer_median), y, 5.5, "fp k3", _said("peers", reason.peer_median, reason, words))
    if reason.own_median is not None:
        drawing.diamond(x(reason.own_median), y, "forg", _said("own", reason.own_median, reason, words), r=5)
    drawing.disc(x(reason.value), y, 5, "fi", _said("day", reason.value, reason, words))
    drawing.text(RIGHT + 10, y + 4, _told(reason.value, reason.unit, words), "t1")
    width = (SHARE - RIGHT) / 3 * reason.share / most if most else 0.0
    drawing.box(SHARE - width, y + 8, width, THICK / 3, "fl2")
    drawing.text(SHARE, y + 4, f"{reason.share:.0%}", "t1 e")


def _said(which: str, value: float, reason: WireReason, words: Words) -> str:
    return f"{words(f'chart.unusual.{which}')} {_told(value, reason.unit, words)}"


def _told(value: float, unit: str, words: Words) -> str:
    return f"{value:.0%}" if unit == "share" else words.quantity(value, unit)


def _table(reasons: Sequence[WireReason], words: Words) -> Iterator[tuple[str, ...]]:
    for one in reasons:
        yield (
            words.known("figure", one.name),
            _told(one.value, one.unit, words),
            _told(one.peer_median, one.unit, words),
            "—" if one.own_median is None else _told(one.own_median, one.unit, words),
            f"{one.share:.0%}",
        )
