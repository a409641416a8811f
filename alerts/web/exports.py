"""Files of what the feed shows: CSV, XLSX and PDF, marked with who and when, persons masked, each on record."""

import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response
from sqlalchemy import func, select

from alerts import export, export_pdf
from alerts import tables as t
from alerts.alert import Alert
from alerts.deadlines import CHINA
from alerts.kept import Note
from alerts.reveal import MAY_EXPORT, granted, masked
from alerts.trail import EXPORTED
from alerts.web.context import AtDesk, Speaks
from alerts.web.desk import Desk, choice
from alerts.web.wording import Words
from alerts.web.workdesk import RefusedError
from alerts.writing import Writing

router = APIRouter(include_in_schema=False)

Kind = Literal["csv", "xlsx", "pdf"]
HOUR = timedelta(hours=1)
TYPES: dict[Kind, str] = {
    "csv": "text/csv; charset=utf-8",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pdf": "application/pdf",
}

AskedKind = Annotated[Kind, Form(alias="format")]


@router.post("/export")
def of_choice(request: Request, desk: AtDesk, words: Speaks, kind: AskedKind) -> Response:
    """The leads of the feed's filter, which stands in the address. Persons are masked."""
    chosen = choice(request.query_params.multi_items())
    of = chosen.filter(desk.account.areas, desk.now)
    _check(desk, kind, desk.store.facets(of).total, words)
    alerts = list(masked(desk.store, desk.store.alerts(of)))
    return _file(desk, kind, alerts, words, {"chosen": urlencode(chosen.params())})


@router.post("/alerts/{alert_id}/export")
def of_lead(desk: AtDesk, words: Speaks, alert_id: str, kind: AskedKind) -> Response:
    """One lead; its persons in full while they are revealed to this account."""
    detail = desk.detail(alert_id)
    if detail is None:
        raise HTTPException(404)
    _check(desk, kind, 1, words)
    whole = granted(desk.store, desk.account, alert_id, desk.now) is not None
    alerts = [detail.alert] if whole else list(masked(desk.store, [detail.alert]))
    return _file(desk, kind, alerts, words, {"masked": not whole}, alert_id)


def most(desk: Desk, kind: Kind) -> int:
    """Leads in one file."""
    return min(desk.bounds.export_rows, export_pdf.MOST_ROWS) if kind == "pdf" else desk.bounds.export_rows


def _check(desk: Desk, kind: Kind, total: int, words: Words) -> None:
    """Raises RefusedError."""
    if desk.account.role not in MAY_EXPORT:
        raise RefusedError(403, "not_allowed", words("export.refused.role"))
    if total > (limit := most(desk, kind)):
        raise RefusedError(422, "lacking", words("export.refused.rows", total=f"{total:,}", limit=f"{limit:,}"))


def _file(
    desk: Desk, kind: Kind, alerts: Sequence[Alert], words: Words, told: dict[str, object], alert_id: str | None = None
) -> Response:
    """The record comes first: a file that is on no record is never made. Raises RefusedError if there were many."""
    data = msgspec.json.encode({"format": kind, "alerts": len(alerts), **told})
    with desk.store.writing() as writing:
        if _lately(writing, desk) >= desk.bounds.exports_an_hour:
            limit = desk.bounds.exports_an_hour
            raise RefusedError(429, "too_often", words("export.refused.often", n=limit))
        note = Note(kind=EXPORTED, actor=desk.account.name, at=desk.now, alert_id=alert_id, data=data)
        (seq,) = writing.append([note])
    mark = f"{desk.account.name} {desk.now.astimezone(CHINA):%Y-%m-%d %H:%M} 导出 第{seq}号记录"
    name = f"leads-{desk.now.astimezone(CHINA):%Y%m%d-%H%M}-{seq}.{kind}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(_written(kind, alerts, mark), media_type=TYPES[kind], headers=headers)


def _lately(writing: Writing, desk: Desk) -> int:
    e = t.alert_event.c
    mine = select(func.count()).where(e.actor == desk.account.name, e.kind == EXPORTED, e.at > desk.now - HOUR)
    return int(writing.db.execute(mine).scalar_one())


def _written(kind: Kind, alerts: Sequence[Alert], mark: str) -> bytes:
    out = io.BytesIO()
    match kind:
        case "csv":
            return b"".join(export.csv_lines(alerts, mark))
        case "xlsx":
            export.xlsx(alerts, out, mark)
        case "pdf":
            export_pdf.pdf(alerts, out, mark)
    return out.getvalue()
