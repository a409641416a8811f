"""Alerts as a PDF for the file: a table of several, or one lead point by point; who and when on every page.

The face is STSong-Light, one of the Chinese faces that PDF readers bring along: nothing to ship, and text stays text.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import partial
from typing import IO
from xml.sax.saxutils import escape

from reportlab.lib import colors
from reportlab.lib.pagesizes import A4, landscape
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import BaseDocTemplate, Paragraph, SimpleDocTemplate, Table

from alerts.alert import Alert
from alerts.export import COLUMNS

FACE = "STSong-Light"
MOST_ROWS = 1_000  # leads in one document: some 150 pages
TITLE = "疑点线索"
LONGEST_CELL = 4_000  # characters; a cell must fit a page
LISTED = {  # column: width, in parts of a page
    "级别": 1,
    "疑点说明": 9,
    "涉及基金（元）": 2.4,
    "对象": 3.4,
    "性质": 1.4,
    "最近出现": 2.6,
    "疑点编号": 3.4,
}


def pdf(alerts: Sequence[Alert], out: IO[bytes], watermark: str) -> int:
    """Write a document; how many alerts it holds. One alert is told in full, several as a table."""
    pdfmetrics.registerFont(UnicodeCIDFont(FACE))
    page = A4 if len(alerts) == 1 else landscape(A4)
    margins = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), 15 * mm)
    document = SimpleDocTemplate(out, pagesize=page, title=TITLE, author=watermark, **margins)
    width = page[0] - 30 * mm
    heading = Paragraph(
        f"{TITLE}（{len(alerts)}条）", ParagraphStyle("heading", fontName=FACE, fontSize=15, leading=24)
    )
    body = _told(alerts[0], width) if len(alerts) == 1 else _listed(alerts, width)
    mark = partial(_mark, watermark)
    document.build([heading, body], onFirstPage=mark, onLaterPages=mark)
    return len(alerts)


def _listed(alerts: Sequence[Alert], width: float) -> Table:
    rows = [[_cell(name) for name in LISTED]]
    rows += [[_cell(COLUMNS[name][1](alert)) for name in LISTED] for alert in alerts]
    part = width / sum(LISTED.values())
    return _table(rows, [parts * part for parts in LISTED.values()], repeat=1)


def _told(alert: Alert, width: float) -> Table:
    rows = [[_cell(name), _cell(value(alert))] for name, (_, value) in COLUMNS.items()]
    return _table(rows, [width * 0.2, width * 0.8], repeat=0)


def _table(rows: Sequence[Sequence[Paragraph]], widths: Sequence[float], repeat: int) -> Table:
    style = [
        ("LINEBELOW", (0, 0), (-1, -1), 0.4, colors.HexColor("#999999")),
        ("VALIGN", (0, 0), (-1, -1), "TOP"),
    ]
    return Table(rows, colWidths=widths, repeatRows=repeat, style=style, splitInRow=1)


_STYLE = ParagraphStyle("cell", fontName=FACE, fontSize=8, leading=11, wordWrap="CJK")


def _cell(value: str | int | Decimal) -> Paragraph:
    return Paragraph(escape(str(value)[:LONGEST_CELL]), _STYLE)


def _mark(watermark: str, canvas: Canvas, document: BaseDocTemplate) -> None:
    """Across the page in grey, and below it in black with the page's number."""
    width, height = document.pagesize
    canvas.saveState()
    canvas.setFont(FACE, 8)
    canvas.drawString(15 * mm, 8 * mm, watermark)
    canvas.drawRightString(width - 15 * mm, 8 * mm, str(canvas.getPageNumber()))
    canvas.setFont(FACE, 22)
    canvas.setFillColor(colors.HexColor("#000000"), alpha=0.08)
    canvas.translate(width / 2, height / 2)
    canvas.rotate(30)
    for line in (-90, 0, 90):
        canvas.drawCentredString(0, line * mm, watermark)
    canvas.restoreState()
