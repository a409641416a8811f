"""Notices of a lead, written from its record: Word to be worked on, PDF to be printed.

    notice = written("inspection", facts, now)
    body = as_docx(notice)            # or as_pdf(notice)

The texts stand in notices.toml. What the record does not hold yet stands as 【待填：…】: a notice is a draft until an
official has filled and signed it. Notices are in Chinese, as the law has them, whatever language the page speaks.
"""

import io
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files

from msgspec import Struct, convert

from alerts.casework import Taken, Work
from alerts.deadlines import CHINA
from alerts.export_pdf import FACE
from alerts.kept import Detail
from alerts.life import State
from alerts.web.wording import Mask, Words

REGULATION = "《医疗保障基金使用监督管理条例》（国务院令第735号）"
WORD_FONT = "仿宋"
MISSING = {
    "addressee": "单位名称",
    "officers": "两名检查人员姓名及执法证号",
    "visit_day": "日期、时间",
    "place": "地点",
    "materials": "材料清单",
    "organ": "受函单位",
    "reply_day": "日期",
    "found": "认定金额",
    "law": "条款",
    "measures": "处理内容",
    "days": "期限",
    "documents": "文号",
    "orgs": "机构代码",
    "office": "机关名称（盖章）",
}


class Template(Struct, frozen=True):
    """One kind of notice. ``signed``: it ends with the office and the day."""

    title: str
    states: tuple[State, ...]
    signed: bool
    text: tuple[str, ...]


class Written(Struct, frozen=True):
    """A notice that is ready to be put on paper."""

    title: str
    number: str
    paragraphs: tuple[str, ...]
    ending: tuple[str, ...]


@cache
def templates() -> Mapping[str, Template]:
    """All kinds of notices by their names."""
    told = tomllib.loads(files("alerts").joinpath("notices.toml").read_text(encoding="utf-8"))
    return convert(told, dict[str, Template])


def offered(state: State) -> list[str]:
    """Which notices belong to this state of a lead."""
    return [name for name, template in templates().items() if state in template.states]


def written(kind: str, detail: Detail, work: Work, taken: Sequence[Taken], now: datetime) -> Written:
    """The notice of a lead as its record stands."""
    template, words = templates()[kind], Words("zh", now)
    known = {name: value for name, value in _known(detail, work, taken, words) if value}
    values = {name: known.get(name, f"【待填：{said}】") for name, said in MISSING.items()} | known
    ending = (values["office"], _day(now)) if template.signed else ()
    return Written(template.title, values["number"], tuple(one.format(**values) for one in template.text), ending)


def _known(detail: Detail, work: Work, taken: Sequence[Taken], words: Words) -> Iterator[tuple[str, str]]:
    row, alert = detail.row, detail.alert
    org = row.orgs[0] if row.orgs else ""
    yield "number", f"XS{row.raised_at.astimezone(CHINA):%Y%m%d}-{row.alert_id[:8].upper()}"
    yield "addressee", f"【待填：{MISSING['addressee']}】（机构代码 {org}）" if org else ""
    yield "orgs", "、".join(row.orgs[:10])
    yield "sentence", _unmasked_orgs(Mask.of_lead(words, row, detail.evidence), row.summary_zh, row.orgs)
    yield "period", words.days(row.period_from, row.period_to)
    yield "officers", "、".join(work.officers)
    yield "found", "" if work.found_fen is None else words.yuan(work.found_fen)
    yield (
        "law",
        f"{'' if alert.law.article.startswith('《') else REGULATION}{alert.law.article}" if alert.law.article else "",
    )
    yield "materials", "；".join(check.what for check in alert.checks)
    yield "measures", "；".join(_measure(one, words) for one in taken)
    yield "documents", "、".join(dict.fromkeys(one.document for one in taken if one.document))


def _unmasked_orgs(mask: Mask, sentence: str, orgs: Sequence[str]) -> str:
    """Persons stay in part; the institutions that the notice is about are named in full."""
    said = mask(sentence)
    for org in orgs:
        said = said.replace(mask.words.org(org), org)
    return said


def _measure(one: Taken, words: Words) -> str:
    said = words(f"work.measure.{one.kind}")
    if one.amount_fen:
        return f"{said} {words.yuan(one.amount_fen)} 元"
    return f"{said} {one.points} 分" if one.points else said


def _day(now: datetime) -> str:
    local = now.astimezone(CHINA)
    return f"{local.year}年{local.month}月{local.day}日"


def as_docx(notice: Written) -> bytes:
    """For Word."""
    from docx import Document
    from docx.enum.text import WD_ALIGN_PARAGRAPH
    from docx.oxml.ns import qn
    from docx.shared import Cm, Pt

    document = Document()
    normal = document.styles["Normal"]
    normal.font.size = Pt(16)  # the third size of Chinese official papers (GB/T 9704)
    normal.font.name = WORD_FONT
    normal.element.rPr.rFonts.set(qn("w:eastAsia"), WORD_FONT)
    title = document.add_paragraph()
    title.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = title.add_run(notice.title)
    run.bold, run.font.size = True, Pt(22)
    document.add_paragraph(f"编号：{notice.number}").alignment = WD_ALIGN_PARAGRAPH.CENTER
    for number, text in enumerate(notice.paragraphs):
        paragraph = document.add_paragraph(text)
        paragraph.paragraph_format.first_line_indent = Cm(1.1) if number else None
    for text in notice.ending:
        document.add_paragraph(text).alignment = WD_ALIGN_PARAGRAPH.RIGHT
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def as_pdf(notice: Written) -> bytes:
    """For the printer."""
    from xml.sax.saxutils import escape

    from reportlab.lib.enums import TA_CENTER, TA_RIGHT
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.lib.units import cm
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.cidfonts import UnicodeCIDFont
    from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer

    pdfmetrics.registerFont(UnicodeCIDFont(FACE))
    body = ParagraphStyle("body", fontName=FACE, fontSize=14, leading=26, wordWrap="CJK")
    indented = ParagraphStyle("indented", body, firstLineIndent=28)
    title = ParagraphStyle("title", body, fontSize=20, leading=34, alignment=TA_CENTER)
    number = ParagraphStyle("number", body, fontSize=12, alignment=TA_CENTER)
    right = ParagraphStyle("right", body, alignment=TA_RIGHT)
    first, *rest = notice.paragraphs
    story = [
        Paragraph(escape(notice.title), title),
        Paragraph(escape(f"编号：{notice.number}"), number),
        Spacer(1, 12),
        Paragraph(escape(first), body),
        *(Paragraph(escape(text), indented) for text in rest),
        Spacer(1, 24),
        *(Paragraph(escape(text), right) for text in notice.ending),
    ]
    out = io.BytesIO()
    margin = 2.8 * cm
    SimpleDocTemplate(
        out, pagesize=A4, leftMargin=margin, rightMargin=margin, topMargin=margin, bottomMargin=margin,
        title=notice.title, author="",
    ).build(story)  # fmt: skip
    return out.getvalue()
