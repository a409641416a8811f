"""The forms of a lead's file: hand in, read and withdraw papers, write notices, set and report calls."""

from collections.abc import Callable
from datetime import date
from typing import Annotated
from urllib.parse import quote

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from starlette.datastructures import UploadFile

from alerts import callbacks, notices, papers
from alerts.callbacks import Result
from alerts.life import MoveError
from alerts.papers import MEDIA, Cabinet
from alerts.reveal import persons_of
from alerts.web.context import AtDesk, Speaks, context
from alerts.web.desk import BadRequestError, Desk
from alerts.web.file_panel import FORMS, NOTICE_WRITERS, call_line, results
from alerts.web.pages import draw_page, lead_response
from alerts.web.wording import Words
from alerts.web.workdesk import RefusedError, WorkDesk, refused

router = APIRouter(include_in_schema=False)

BESIDE_IT = 64 * 1024  # bytes of a form beside its file
LONGEST = 10_000  # characters of a field

Text = Annotated[str, Form(max_length=LONGEST)]


@router.post("/alerts/{alert_id}/papers")
async def hand_in(request: Request, desk: AtDesk, words: Speaks, alert_id: str) -> Response:
    """Put a file to the lead."""
    cabinet = _cabinet(request)
    name, body = await _handed(request, cabinet)

    def act() -> None:
        if body is None:
            raise MoveError("paper_too_large")
        papers.file_paper(desk.store, cabinet, desk.account, alert_id, name, body, desk.now)

    return await run_sync(_carried_out, request, desk, words, alert_id, "papers", act)


@router.get("/alerts/{alert_id}/papers/{number}")
def read(request: Request, desk: AtDesk, words: Speaks, alert_id: str, number: int) -> Response:
    """The file as it was filed, to be kept and never shown inside a page of ours."""
    with refused(words):
        paper, body = papers.read_paper(desk.store, _cabinet(request), desk.account, alert_id, number, desk.now)
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(paper.name, safe='')}",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
    }
    return Response(body, media_type=MEDIA[paper.kind], headers=headers)


@router.post("/alerts/{alert_id}/papers/{number}/withdraw")
def withdraw(request: Request, desk: AtDesk, words: Speaks, alert_id: str, number: int, note: Text = "") -> Response:
    """Take a paper out of use, with a reason."""

    def act() -> None:
        papers.withdraw_paper(desk.store, desk.account, alert_id, number, note, desk.now)

    return _carried_out(request, desk, words, alert_id, "papers", act)


@router.post("/alerts/{alert_id}/notices")
def write(
    request: Request,
    desk: AtDesk,
    words: Speaks,
    alert_id: str,
    kind: Annotated[str, Form(max_length=40)],
    form: Annotated[str, Form(max_length=10)] = "docx",
) -> Response:
    """Write a notice from the lead's record, and file it."""
    cabinet, at = _cabinet(request), WorkDesk(desk)
    detail, work = desk.detail(alert_id), at.work(alert_id)
    if detail is None or work is None or form not in FORMS:
        raise HTTPException(404)

    def act() -> None:
        if desk.account.role not in NOTICE_WRITERS:
            raise MoveError("not_your_role")
        if kind not in notices.offered(work.state):
            raise MoveError("no_such_move")
        notice = notices.written(kind, detail, work, at.measures(alert_id), desk.now)
        body = notices.as_docx(notice) if form == "docx" else notices.as_pdf(notice)
        name = f"{notice.title}-{notice.number}.{form}"
        papers.file_paper(desk.store, cabinet, desk.account, alert_id, name, body, desk.now, notice=kind)

    return _carried_out(request, desk, words, alert_id, "papers", act)


@router.post("/alerts/{alert_id}/calls")
def set_call(
    request: Request,
    desk: AtDesk,
    words: Speaks,
    alert_id: str,
    patient: Annotated[int, Form(ge=0)],
    assignee: Annotated[str, Form(max_length=100)],
    due: Annotated[date, Form()],
    ask: Text = "",
) -> Response:
    """Ask somebody to call a patient. ``patient``: which of those that the page names, without saying it in full."""

    def act() -> None:
        person = dict(enumerate(persons_of(desk.store, alert_id))).get(patient, "")
        callbacks.set_call(desk.store, desk.account, alert_id, person, ask, assignee, due, desk.now)

    return _carried_out(request, desk, words, alert_id, "calls", act)


@router.post("/alerts/{alert_id}/calls/{number}")
def report(
    request: Request,
    desk: AtDesk,
    words: Speaks,
    alert_id: str,
    number: int,
    result: Annotated[Result, Form()],
    said: Text = "",
) -> Response:
    """What a call has brought."""

    def act() -> None:
        callbacks.done(desk.store, desk.account, alert_id, number, result, said, desk.now)

    return _carried_out(request, desk, words, alert_id, "calls", act)


@router.get("/calls")
def mine(request: Request, desk: AtDesk, words: Speaks) -> Response:
    """The calls that the reader is to make, the most urgent first."""
    calls = callbacks.calls_for(desk.store, desk.account)
    rows = desk.store.rows((one.alert_id for one in calls), areas=desk.account.areas)
    return draw_page(
        request,
        "calls.html",
        words,
        calls=[(call_line(one, desk, words), rows[one.alert_id]) for one in calls if one.alert_id in rows],
        results=results(words),
        account=desk.account,
        reads=True,
    )


def _cabinet(request: Request) -> Cabinet:
    found = context(request).cabinet
    if found is None:
        raise HTTPException(404)
    return found


async def _handed(request: Request, cabinet: Cabinet) -> tuple[str, bytes | None]:
    """The name and body of the file that a form brings; None for one that is told to be too large, before it is read.

    What is larger than told is cut off by the server itself.
    """
    told = request.headers.get("content-length", "")
    if not told.isdecimal() or int(told) > cabinet.most_bytes + BESIDE_IT:
        return "", None
    async with request.form(max_files=1, max_fields=4) as form:
        handed = form.get("paper")
        if not isinstance(handed, UploadFile):
            raise BadRequestError("paper")
        return handed.filename or "", await handed.read(cabinet.most_bytes + 1)


def _carried_out(
    request: Request, desk: Desk, words: Words, alert_id: str, place: str, act: Callable[[], None]
) -> Response:
    """Do it and show that place of the page again; what is refused is told on the page."""
    try:
        with refused(words):
            act()
    except RefusedError as error:
        if error.status == 404:
            raise
        return lead_response(request, desk, words, alert_id, error.status, error.detail)
    return RedirectResponse(f"/alerts/{alert_id}#{place}", 303)
