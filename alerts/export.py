"""Alerts for other programs and for the desk: NDJSON, CSV and XLSX."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import IO

import xlsxwriter  # type: ignore[import-untyped]  # comes without types

from alerts.alert import Alert
from alerts.kept import EVERYTHING, Filter
from alerts.store import Store

CHINA = timezone(timedelta(hours=8))
LEVELS = {"red": "红", "orange": "橙", "yellow": "黄", "blue": "蓝"}
CERTAINTIES = {"definite": "明确", "suspicious": "可疑"}
STATUSES = {"open": "待处理", "withdrawn": "已撤回"}
KINDS = {
    "person": "参保人",
    "org": "机构",
    "till": "收银终端",
    "doctor": "医师",
    "stay": "住院",
    "device": "设备",
    "trace_code": "追溯码",
    "drug": "药品",
    "group": "群体",
    "area": "区域",
}
FORMULAS = frozenset("=+-@＝＋－＠")  # what begins a formula; the wide forms count in Chinese settings
MOST_IN_A_CELL = 32_767  # characters; what a spreadsheet takes
MOST_ROWS = 1_048_575  # what a sheet takes below its header


class TooManyRowsError(Exception):
    """More alerts than a sheet can hold; the message says what to do."""


def _time(at: datetime | None) -> str:
    return at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S") if at else ""


COLUMNS: dict[str, tuple[int, Callable[[Alert], str | int | Decimal]]] = {  # header: width, value
    "级别": (6, lambda a: LEVELS[a.level]),
    "状态": (8, lambda a: STATUSES[a.status]),
    "疑点说明": (60, lambda a: a.summary_zh),
    "涉及基金（元）": (16, lambda a: Decimal(a.amount_at_risk)),
    "基金支付（元）": (16, lambda a: Decimal(a.fund_paid)),
    "对象类型": (10, lambda a: KINDS.get(a.subject.kind, a.subject.kind)),
    "对象": (28, lambda a: a.subject.id),
    "规则": (24, lambda a: a.detector),
    "性质": (8, lambda a: CERTAINTIES[a.certainty]),
    "期间起": (20, lambda a: _time(a.period.since)),
    "期间止": (20, lambda a: _time(a.period.to)),
    "首次出现": (20, lambda a: _time(a.first_seen)),
    "最近出现": (20, lambda a: _time(a.last_seen)),
    "次数": (8, lambda a: a.hits),
    "事件数": (8, lambda a: len(a.events)),
    "案由": (10, lambda a: a.law.cause_code),
    "条款": (10, lambda a: a.law.article),
    "规则库编码": (12, lambda a: a.law.rule_library_code),
    "核查要点": (60, lambda a: "；".join(check.what for check in a.checks)),
    "排除情形": (40, lambda a: "；".join(f"{x.code} {x.fact}" for x in a.exclusions if x.result == "applied")),
    "撤回原因": (40, lambda a: a.withdrawn_because or ""),
    "产生时间": (20, lambda a: _time(a.raised_at)),
    "规则版本": (12, lambda a: a.rule_version),
    "修订": (6, lambda a: a.revision),
    "疑点编号": (38, lambda a: a.alert_id),
    "事件编号": (40, lambda a: " ".join(a.events)),
}


def ndjson(store: Store, of: Filter = EVERYTHING) -> Iterator[bytes]:
    """The objects of SPEC 4, a line each at the highest revision, sorted by alert_id."""
    for body in store.bodies(of):
        yield body + b"\n"


def csv_lines(alerts: Iterable[Alert], watermark: str = "") -> Iterator[bytes]:
    """CSV as spreadsheets in China open it: a byte-order mark, CRLF, and nothing that they would take for a formula.

    watermark: who exported this and when; a last line of its own.
    """
    yield "\ufeff".encode()
    yield _csv_line(list(COLUMNS))
    for alert in alerts:
        yield _csv_line([value(alert) for _, value in COLUMNS.values()])
    if watermark:
        yield _csv_line([watermark])


def xlsx(alerts: Iterable[Alert], out: IO[bytes], watermark: str = "") -> int:
    """Write a workbook; how many alerts it holds. Raises TooManyRowsError.

    watermark: who exported this and when; stands below the table, in each footer, and in the properties.
    """
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"title": "疑点线索", "comments": watermark})
        sheet = book.add_worksheet("疑点线索")
        sheet.freeze_panes(1, 0)
        sheet.set_landscape()
        sheet.set_footer("&L" + watermark.replace("&", "&&")[:200] + "&R&P / &N")
        bold, money = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00"})
        for i, (header, (width, _)) in enumerate(COLUMNS.items()):
            sheet.set_column(i, i, width, money if header.endswith("（元）") else None)
            sheet.write_string(0, i, header, bold)
        row = 0
        for row, alert in enumerate(alerts, start=1):
            if row > MOST_ROWS:
                raise TooManyRowsError(f"a sheet holds {MOST_ROWS:,} alerts: narrow the filter, or export CSV")
            for i, (_, value) in enumerate(COLUMNS.values()):
                _write(sheet, row, i, value(alert))
        if watermark:
            sheet.write_string(row + 2, 0, watermark)
        sheet.autofilter(0, 0, row, len(COLUMNS) - 1)
    return row


def _write(sheet: xlsxwriter.worksheet.Worksheet, row: int, column: int, value: str | int | Decimal) -> None:
    if isinstance(value, str):
        sheet.write_string(row, column, value[:MOST_IN_A_CELL])
    else:
        sheet.write_number(row, column, float(value))


def _csv_line(values: list[str | int | Decimal]) -> bytes:
    out = io.StringIO(newline="")
    csv.writer(out).writerow([harmless(value) if isinstance(value, str) else value for value in values])
    return out.getvalue().encode()


def harmless(value: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    is_formula = value.lstrip()[:1] in FORMULAS or value[:1] in {"\t", "\r", "\n"}
    return "'" + value if value and is_formula else value
