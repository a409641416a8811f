"""The forms of a lead's file: hand in, read and withdraw papers, write notices, set and report calls."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from alerts import callbacks
from alerts.callbacks import Result
from alerts.web.context import AtDesk, Speaks, context
from alerts.web.desk import Desk
from alerts.web.file_api import file_response, handed
from alerts.web.file_panel import call_line, results
from alerts.web.filedesk import FileDesk
from alerts.web.pages import draw_page, lead_response
from alerts.web.wording import Words
from alerts.web.workdesk import RefusedError, refused

router = APIRouter(include_in_schema=False)

LONGEST = 10_000  # characters of a field

Text = Annotated[str, Form(max_length=LONGEST)]


@router.post("/alerts/{alert_id}/papers")
async def hand_in(request: Request, desk: AtDesk, words: Speaks, alert_id: str) -> Response:
    """Put a file to the lead."""
    at = _at(request, desk)
    name, body = await handed(request, at.cabinet)
    return await run_sync(
        _carried_out, request, desk, words, alert_id, "papers", lambda: at.hand_in(alert_id, name, body)
    )


@router.get("/alerts/{alert_id}/papers/{number}")
def read(request: Request, desk: AtDesk, words: Speaks, alert_id: str, number: int) -> Response:
    """The file as it was filed."""
    with refused(words):
        paper, body = _at(request, desk).read(alert_id, number)
    return file_response(paper, body)


@router.post("/alerts/{alert_id}/papers/{number}/withdraw")
def withdraw(request: Request, desk: AtDesk, words: Speaks, alert_id: str, number: int, note: Text = "") -> Response:
    """Take a paper out of use, with a reason."""
    act = partial(FileDesk(desk).withdraw, alert_id, number, note)
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
    act = partial(_at(request, desk).write, alert_id, kind, form)
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

    at = FileDesk(desk)

    def act() -> None:
        person = dict(enumerate(at.patients(alert_id))).get(patient, "")
        at.set_call(alert_id, person, ask, assignee, due)

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

    act = partial(FileDesk(desk).report, alert_id, number, result, said)
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


def _at(request: Request, desk: Desk) -> FileDesk:
    return FileDesk(desk, context(request).cabinet)


def _carried_out(
    request: Request, desk: Desk, words: Words, alert_id: str, place: str, act: Callable[[], object]
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
