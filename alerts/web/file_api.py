"""The file of a lead for programs: papers, notices from its record, and calls to patients."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote

import msgspec
from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from msgspec import Struct
from starlette.datastructures import UploadFile

from alerts import callbacks, notices
from alerts.callbacks import Call, Result
from alerts.papers import MEDIA, Cabinet, Paper
from alerts.reveal import granted, hidden, persons_of
from alerts.web.answers import answer, as_json, asked, problems
from alerts.web.context import AtDesk, any_words, context
from alerts.web.desk import BadRequestError, Desk
from alerts.web.filedesk import FileDesk
from alerts.web.work_api import Key, body_of, check_type
from alerts.web.workdesk import refused

T = TypeVar("T", Paper, Call)

router = APIRouter(prefix="/api/v1")

BESIDE_IT = 64 * 1024  # bytes of a form beside its file
PAGE, MOST = 50, 100
MOST_CURSOR = 200  # characters
MOST_NUMBER = 1_000_000

Number = Annotated[int, Path(ge=1, le=MOST_NUMBER)]
Cursor = Annotated[str, Query(max_length=MOST_CURSOR, description="next_cursor of the page before")]
Limit = Annotated[int, Query(ge=1, le=MOST)]


class PaperShown(Struct, frozen=True, kw_only=True):
    """One paper. size: bytes; notice: the kind that was written here, "" if it was handed in."""

    alert_id: str
    number: int
    name: str
    kind: str
    size: int
    sha256: str
    notice: str
    filed_by: str
    filed_at: datetime
    withdrawn_by: str
    withdrawn_because: str
    withdrawn_at: datetime | None


class Papers(Struct, frozen=True):
    """In the order of filing; ``next_cursor`` is null on the last page."""

    items: tuple[PaperShown, ...]
    next_cursor: str | None


class WithdrawalAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """Why nobody shall read a paper any more."""

    note: str


class NoticeKind(Struct, frozen=True):
    """A notice that this account may write now; the title as the law has it, in Chinese."""

    kind: str
    title: str


class NoticeKinds(Struct, frozen=True):
    """Empty where none belongs to the lead's state, or this role writes none."""

    items: tuple[NoticeKind, ...]


class NoticeAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """Which notice, and for Word or the printer."""

    kind: str
    form: Literal["docx", "pdf"] = "docx"


class Patient(Struct, frozen=True):
    """Somebody whom the lead's records name: a handle to ask with, and the end of the pseudonym."""

    patient: str
    person: str


class Patients(Struct, frozen=True):
    """Whom a call may be about, and who may be asked to make it; both empty for who may set none."""

    items: tuple[Patient, ...]
    callers: tuple[str, ...]


class CallAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to call (a handle of ``patients``), what to ask, who calls, and by which day in China."""

    patient: str
    ask: str
    assignee: str
    due: date


class ResultAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """What a call has brought, and what was said."""

    result: Result
    said: str


class CallShown(Struct, frozen=True, kw_only=True):
    """One call; the person in full only while revealed. ``result`` is "" while it is open; ``due``: a day in China."""

    alert_id: str
    number: int
    person: str
    ask: str
    assignee: str
    due: date
    is_overdue: bool
    set_by: str
    set_at: datetime
    result: str
    said: str
    done_by: str
    done_at: datetime | None


class Calls(Struct, frozen=True):
    """``next_cursor`` is null on the last page."""

    items: tuple[CallShown, ...]
    next_cursor: str | None


SHAPES = (
    *(PaperShown, Papers, WithdrawalAsked, NoticeKinds, NoticeAsked),
    *(Patients, CallAsked, ResultAsked, CallShown, Calls),
)

_UPLOAD = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {"paper": {"type": "string", "format": "binary"}},
                    "required": ["paper"],
                }
            }
        },
    }
}
_FILE: dict[int | str, dict[str, Any]] = {  # Any: JSON Schema
    200: {
        "description": "the bytes as they were filed",
        "content": {one.partition(";")[0]: {} for one in MEDIA.values()},
    }
}


def _made(shape: type[Struct], **more: str) -> dict[int | str, dict[str, Any]]:  # Any: JSON Schema
    return {201: answer(shape)[200], **problems(_404="no such lead, or no papers are kept", **more)}


@router.get("/alerts/{alert_id}/papers", responses=answer(Papers, _404="no such lead"))
def list_papers(
    request: Request,
    desk: AtDesk,
    alert_id: str,
    withdrawn: Annotated[Literal["yes", "no"] | None, Query(description="only those, or none of them")] = None,
    notice: Annotated[str, Query(max_length=40, description="only notices of this kind")] = "",
    cursor: Cursor = "",
    limit: Limit = PAGE,
) -> Response:
    """What was handed in to a lead or written from it."""
    with refused(any_words(request)):
        found = FileDesk(desk).papers(alert_id)
    if withdrawn is not None:
        found = [one for one in found if (one.withdrawn_at is not None) == (withdrawn == "yes")]
    items, beyond = _page([one for one in found if not notice or one.notice == notice], cursor, limit)
    return _masked(Papers(tuple(map(_paper, items)), beyond), desk, [alert_id])


@router.post(
    "/alerts/{alert_id}/papers",
    status_code=201,
    responses=_made(PaperShown, _409="too many, or the key was used", _422="empty, too large, or of no kind we take"),
    openapi_extra=_UPLOAD,
)
async def hand_in(request: Request, desk: AtDesk, alert_id: str, idempotency_key: Key = "") -> Response:
    """Put a file to the lead, as the field ``paper`` of a form. What it is its content says and not its name."""
    at = _at(request, desk)
    with refused(any_words(request)):
        check_type(request, "multipart/form-data")
        name, body = await handed(request, at.cabinet)
        paper = await run_sync(at.hand_in, alert_id, name, body, idempotency_key)
    return await run_sync(_filed, paper, desk)


@router.get("/alerts/{alert_id}/papers/{number}", responses=answer(PaperShown, _404="no such lead or paper"))
def paper(request: Request, desk: AtDesk, alert_id: str, number: Number) -> Response:
    """What is known of a paper, a withdrawn one too."""
    with refused(any_words(request)):
        found = FileDesk(desk).paper(alert_id, number)
    return _masked(_paper(found), desk, [alert_id])


@router.get(
    "/alerts/{alert_id}/papers/{number}/file",
    responses=_FILE | problems(_404="no such lead or paper, or it is withdrawn", _500="its file is damaged"),
)
def read(request: Request, desk: AtDesk, alert_id: str, number: Number) -> Response:
    """The file as it was filed; that it was read is written down."""
    with refused(any_words(request)):
        found, body = _at(request, desk).read(alert_id, number)
    return file_response(found, body)


@router.post(
    "/alerts/{alert_id}/papers/{number}/withdrawal",
    responses=answer(
        PaperShown,
        _404="no such lead or paper, or it is withdrawn already",
        _409="the key was used",
        _422="no reason is given",
    ),
    openapi_extra=asked(WithdrawalAsked),
)
async def withdraw(
    request: Request, desk: AtDesk, alert_id: str, number: Number, idempotency_key: Key = ""
) -> Response:
    """Take a paper out of use, with a reason; that it was there stays."""
    body, at = await body_of(request, WithdrawalAsked), FileDesk(desk)
    with refused(any_words(request)):
        await run_sync(at.withdraw, alert_id, number, body.note, idempotency_key)
        found = await run_sync(at.paper, alert_id, number)
    return _masked(_paper(found), desk, [alert_id])


@router.get("/alerts/{alert_id}/notices", responses=answer(NoticeKinds, _404="no such lead"))
def kinds(request: Request, desk: AtDesk, alert_id: str) -> Response:
    """The notices that belong to the lead's state, as far as this account may write them."""
    with refused(any_words(request)):
        names = _at(request, desk).offered(alert_id)
    return as_json(NoticeKinds(tuple(NoticeKind(name, notices.templates()[name].title) for name in names)))


@router.post(
    "/alerts/{alert_id}/notices",
    status_code=201,
    responses=_made(PaperShown, _409="not in this state, too many papers, or the key was used", _422="lacking"),
    openapi_extra=asked(NoticeAsked),
)
async def write(request: Request, desk: AtDesk, alert_id: str, idempotency_key: Key = "") -> Response:
    """Write a notice from the lead's record and file it; its bytes are those of the paper that is answered."""
    body, at = await body_of(request, NoticeAsked), _at(request, desk)
    with refused(any_words(request)):
        made = await run_sync(at.write, alert_id, body.kind, body.form, idempotency_key)
    return await run_sync(_filed, made, desk)


@router.get("/alerts/{alert_id}/patients", responses=answer(Patients, _404="no such lead"))
def patients(request: Request, desk: AtDesk, alert_id: str) -> Response:
    """Whom a call may be about, by handles, and who may be asked to make it."""
    with refused(any_words(request)):
        named = FileDesk(desk).handles(alert_id, context(request).gate.secret)
    row = desk.row(alert_id)
    callers = callbacks.callers(desk.store, row.areas) if row and named else ()
    found = Patients(tuple(Patient(handle, one) for handle, one in named.items()), tuple(callers))
    return _masked(found, desk, [alert_id])


@router.get("/alerts/{alert_id}/calls", responses=answer(Calls, _404="no such lead"))
def list_calls(
    request: Request,
    desk: AtDesk,
    alert_id: str,
    state: Annotated[Literal["open", "done"] | None, Query()] = None,
    cursor: Cursor = "",
    limit: Limit = PAGE,
) -> Response:
    """The calls about a lead, in the order in which they were set."""
    with refused(any_words(request)):
        found = FileDesk(desk).calls(alert_id)
    if state is not None:
        found = [one for one in found if bool(one.result) == (state == "done")]
    items, beyond = _page(found, cursor, limit)
    return _calls(items, beyond, desk)


@router.post(
    "/alerts/{alert_id}/calls",
    status_code=201,
    responses=_made(CallShown, _409="too many, or the key was used", _422="something is lacking"),
    openapi_extra=asked(CallAsked),
)
async def set_call(request: Request, desk: AtDesk, alert_id: str, idempotency_key: Key = "") -> Response:
    """Ask somebody to call a patient."""
    body, at, secret = await body_of(request, CallAsked), FileDesk(desk), context(request).gate.secret

    def act() -> Call:
        person = at.handles(alert_id, secret).get(body.patient, "")
        return at.set_call(alert_id, person, body.ask, body.assignee, body.due, idempotency_key)

    with refused(any_words(request)):
        made = await run_sync(act)
    place = f"/api/v1/alerts/{alert_id}/calls/{made.number}"
    return await run_sync(lambda: _masked(_call(made, desk), desk, [alert_id], 201, place))


@router.get("/alerts/{alert_id}/calls/{number}", responses=answer(CallShown, _404="no such lead or call"))
def call(request: Request, desk: AtDesk, alert_id: str, number: Number) -> Response:
    """One call, as it stands."""
    with refused(any_words(request)):
        found = FileDesk(desk).call(alert_id, number)
    return _masked(_call(found, desk), desk, [alert_id])


@router.post(
    "/alerts/{alert_id}/calls/{number}/result",
    responses=answer(
        CallShown,
        _404="no such lead or call",
        _409="it was answered before, or the key was used",
        _422="nothing is said, or too much",
    ),
    openapi_extra=asked(ResultAsked),
)
async def report(request: Request, desk: AtDesk, alert_id: str, number: Number, idempotency_key: Key = "") -> Response:
    """What a call has brought; only by who was asked to make it, once."""
    body, at = await body_of(request, ResultAsked), FileDesk(desk)

    def act() -> Response:
        at.report(alert_id, number, body.result, body.said, idempotency_key)
        return _masked(_call(at.call(alert_id, number), desk), desk, [alert_id])

    with refused(any_words(request)):
        return await run_sync(act)


@router.get("/calls", responses=answer(Calls))
def mine(desk: AtDesk, cursor: Cursor = "", limit: Limit = PAGE) -> Response:
    """The open calls that this account is to make, the most urgent first."""
    found = callbacks.calls_for(desk.store, desk.account, limit + 1, after=_after(cursor) if cursor else None)
    beyond = callbacks.key_of(found[limit - 1]) if len(found) > limit else None
    return _calls(found[:limit], beyond and "~".join(map(str, beyond)), desk)


async def handed(request: Request, cabinet: Cabinet | None) -> tuple[str, bytes | None]:
    """The name and body of the file that a form brings; None for one that is told to be too large, before it is read.

    What is larger than told is cut off by the server itself.
    """
    most = cabinet.most_bytes if cabinet else 0
    told = request.headers.get("content-length", "")
    if not told.isdecimal() or int(told) > most + BESIDE_IT:
        return "", None
    async with request.form(max_files=1, max_fields=4) as form:
        sent = form.get("paper")
        if not isinstance(sent, UploadFile):
            raise BadRequestError("paper")
        return sent.filename or "", await sent.read(most + 1)


def file_response(paper: Paper, body: bytes) -> Response:
    """The file, to be kept and never shown inside a page of ours."""
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(paper.name, safe='')}",
        "content-security-policy": "sandbox; default-src 'none'",
        "x-content-type-options": "nosniff",
    }
    return Response(body, media_type=MEDIA[paper.kind], headers=headers)


def _at(request: Request, desk: Desk) -> FileDesk:
    return FileDesk(desk, context(request).cabinet)


def _page(found: Sequence[T], cursor: str, limit: int) -> tuple[Sequence[T], str | None]:
    """Those after the number that the cursor is. Raises BadRequestError."""
    if cursor and not (cursor.isascii() and cursor.isdecimal()):
        raise BadRequestError(f"cursor: {cursor!r}")
    left = [one for one in found if one.number > int(cursor or 0)]
    return left[:limit], str(left[limit - 1].number) if len(left) > limit else None


def _after(cursor: str) -> tuple[date, str, int]:
    """Raises BadRequestError."""
    try:
        due, name, number = cursor.split("~")
        return date.fromisoformat(due), name, min(int(number), MOST_NUMBER)
    except ValueError:
        raise BadRequestError(f"cursor: {cursor!r}") from None


def _paper(one: Paper) -> PaperShown:
    return PaperShown(**{name: getattr(one, name) for name in PaperShown.__struct_fields__})


def _call(one: Call, desk: Desk) -> CallShown:
    same = {name: getattr(one, name) for name in CallShown.__struct_fields__ if name != "is_overdue"}
    return CallShown(**same, is_overdue=one.is_overdue(desk.now))


def _calls(found: Sequence[Call], beyond: str | None, desk: Desk) -> Response:
    named = list(dict.fromkeys(one.alert_id for one in found))
    return _masked(Calls(tuple(_call(one, desk) for one in found), beyond), desk, named)


def _masked(value: object, desk: Desk, alert_ids: Sequence[str], status: int = 200, location: str = "") -> Response:
    """JSON about these leads; their persons in full only where this account has had them revealed."""
    body = msgspec.json.encode(value).decode()
    for name in alert_ids:
        if granted(desk.store, desk.account, name, desk.now) is None:
            body = hidden(body, persons_of(desk.store, name))
    headers = {"location": location} if location else {}
    return Response(body, status, headers, media_type="application/json")


def _filed(one: Paper, desk: Desk) -> Response:
    place = f"/api/v1/alerts/{one.alert_id}/papers/{one.number}"
    return _masked(_paper(one), desk, [one.alert_id], 201, place)
