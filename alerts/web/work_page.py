"""The forms of the work panel: a move or a comment, then the page again."""

from collections.abc import Mapping
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import FormData

from alerts.life import Asked, Kind, Measure, Name, Reason
from alerts.web.context import AtDesk, Speaks
from alerts.web.desk import BadRequestError, Desk
from alerts.web.pages import lead_response
from alerts.web.wording import Words
from alerts.web.work_api import fen
from alerts.web.workdesk import RefusedError, WorkDesk, refused

router = APIRouter(include_in_schema=False)

MOST_FIELDS = 60  # of one form
LONGEST_FIELD = 10_000


async def _fields(request: Request) -> FormData:
    return await request.form(max_files=0, max_fields=MOST_FIELDS)


@router.post("/alerts/{alert_id}/move")
async def move(request: Request, desk: AtDesk, words: Speaks, alert_id: str) -> Response:
    """Carry out a move; what is refused is told beside what was typed."""
    form = await _fields(request)
    typed = {name: str(value)[:LONGEST_FIELD] for name, value in form.items()}
    return await _carried_out(request, desk, words, alert_id, typed, form)


async def _carried_out(
    request: Request, desk: Desk, words: Words, alert_id: str, typed: Mapping[str, str], form: FormData
) -> Response:
    try:
        name, version = Name(typed.get("move", "")), int(typed.get("version", ""))
    except ValueError:
        raise BadRequestError("move, version") from None
    try:
        asked = _asked(form, words)
        with refused(words):
            await run_sync(WorkDesk(desk).move, alert_id, version, name, asked, typed.get("key", ""))
    except RefusedError as error:
        if error.status == 404:
            raise
        return await run_sync(lead_response, request, desk, words, alert_id, error.status, error.detail, typed)
    return RedirectResponse(f"/alerts/{alert_id}#work", 303)


@router.post("/alerts/{alert_id}/comment")
def comment(
    request: Request,
    desk: AtDesk,
    words: Speaks,
    alert_id: str,
    note: Annotated[str, Form(max_length=LONGEST_FIELD)] = "",
    key: Annotated[str, Form(max_length=100)] = "",
) -> Response:
    """Say something about the lead."""
    try:
        with refused(words):
            WorkDesk(desk).comment(alert_id, note, key)
    except RefusedError as error:
        if error.status == 404:
            raise
        typed = {"comment": note}
        return lead_response(request, desk, words, alert_id, error.status, error.detail, typed)
    return RedirectResponse(f"/alerts/{alert_id}#history", 303)


def _asked(form: FormData, words: Words) -> Asked:
    """The fields of a move. Raises RefusedError for an amount that is none."""
    amount = str(form.get("amount", "")).strip()
    reason = str(form.get("reason", ""))
    return Asked(
        note=str(form.get("note", "")),
        reason=Reason(reason) if reason in set(Reason) else None,
        exclusion=str(form.get("exclusion", "")),
        officers=tuple(str(one) for one in form.getlist("officer") if one),
        amount_fen=_fen(amount, words) if amount else None,
        document=str(form.get("document", "")),
        measures=tuple(_measures(form, words)),
    )


def _measures(form: FormData, words: Words) -> list[Measure]:
    """The rows that name a measure."""
    columns = ("kind", "amount", "points", "ledger", "subject", "paper")
    rows = zip(*([str(value).strip() for value in form.getlist(f"measure_{name}")] for name in columns), strict=False)
    return [_one(row, words) for row in rows if row[0]]


def _one(row: tuple[str, ...], words: Words) -> Measure:
    kind, amount, points, ledger, subject, paper = row
    if kind not in set(Kind) or not (points or "0").isdecimal() or len(points) > 3:
        raise RefusedError(422, "lacking", words("work.why.measure_amount"))
    return Measure(
        kind=Kind(kind),
        amount_fen=_fen(amount, words) if amount else 0,
        points=int(points or 0),
        subject_kind=ledger if subject else "",
        subject_id=subject,
        document=paper,
    )


def _fen(amount: str, words: Words) -> int:
    """Yuan as people type them, with or without commas between thousands."""
    try:
        return fen(amount.replace(",", "").replace("，", ""))
    except ValueError:
        raise RefusedError(422, "lacking", words("work.why.amount_needed")) from None
