"""The form of a lead that no rule raised, and the number of the paper it came in."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from secrets import token_urlsafe

from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response

from alerts.alert import yuan
from alerts.casework import WRITERS
from alerts.corrected import correct, may_correct, wording
from alerts.deadlines import CHINA
from alerts.entered import KINDS, LONGEST_ABOUT, LONGEST_TOLD, Told, enter, paper_of
from alerts.life import LONGEST_NUMBER, MoveError
from alerts.source import Source
from alerts.web.context import AtDesk, Speaks
from alerts.web.desk import Desk
from alerts.web.pages import draw_page
from alerts.web.wording import Words
from alerts.web.work_api import fen
from alerts.web.workdesk import RefusedError, refused
from detectors.finding import Level

router = APIRouter(include_in_schema=False)

MOST_FIELDS = 30  # of the form
LONGEST_FIELD = 10_000  # characters


@router.get("/enter")
def form(request: Request, desk: AtDesk, words: Speaks) -> Response:
    """An empty form."""
    return _form(request, desk, words, {"received": f"{desk.now.astimezone(CHINA):%Y-%m-%d}"})


@router.post("/enter")
async def send(request: Request, desk: AtDesk, words: Speaks) -> Response:
    """Make a lead of what was typed; what is refused is told above it, and all that was typed stays."""
    fields = await request.form(max_files=0, max_fields=MOST_FIELDS)
    typed = {name: str(value)[:LONGEST_FIELD] for name, value in fields.items()}
    try:
        with refused(words):
            told = _told(typed)
            name = await run_sync(lambda: enter(desk.store, desk.account, told, desk.now, key=typed.get("key", "")))
    except RefusedError as error:
        return _form(request, desk, words, typed, error.status, error.detail)
    return RedirectResponse(f"/alerts/{name}", 303)


@router.post("/alerts/{alert_id}/paper-number")
def number(request: Request, desk: AtDesk, words: Speaks, alert_id: str) -> Response:
    """A page of its own, so that no print of the lead has it."""
    with refused(words):
        paper = paper_of(desk.store, desk.account, alert_id, desk.now)
    answer = draw_page(request, "number.html", words, paper=paper, alert_id=alert_id, account=desk.account, reads=True)
    answer.headers["cache-control"] = "no-store"
    return answer


@router.get("/alerts/{alert_id}/correct")
def correction(request: Request, desk: AtDesk, words: Speaks, alert_id: str) -> Response:
    """The form, with what the lead says now; a confidential number is not in it, and stays if none is typed."""
    found = wording(desk.store, alert_id) if desk.row(alert_id) else None
    if found is None:
        raise HTTPException(404)
    if not may_correct(desk.store, desk.account, alert_id):
        raise RefusedError(403, "not_allowed", words("enter.correct.not"))
    version, told = found
    typed = {name: str(getattr(told, name) or "") for name in Told.__struct_fields__ if name != "amount_fen"}
    typed |= {"orgs": " ".join(told.orgs), "version": str(version)}
    typed |= {"amount": yuan(told.amount_fen)} if told.amount_fen else {}
    return _form(request, desk, words, typed, alert_id=alert_id)


@router.post("/alerts/{alert_id}/correct")
async def send_correction(request: Request, desk: AtDesk, words: Speaks, alert_id: str) -> Response:
    """Let the lead say what was typed; what is refused is told above it, and all that was typed stays."""
    fields = await request.form(max_files=0, max_fields=MOST_FIELDS)
    typed = {name: str(value)[:LONGEST_FIELD] for name, value in fields.items()}
    version, key = typed.get("version", ""), typed.get("key", "")
    number = int(version) if version.isascii() and version.isdecimal() and len(version) < 10 else -1
    try:
        with refused(words):
            told = _told(typed)
            await run_sync(lambda: correct(desk.store, desk.account, alert_id, number, told, desk.now, key=key))
    except RefusedError as error:
        if error.status == 404:
            raise
        return _form(request, desk, words, typed, error.status, error.detail, alert_id=alert_id)
    return RedirectResponse(f"/alerts/{alert_id}#origin", 303)


def _told(typed: Mapping[str, str]) -> Told:
    """Raises MoveError for what is none of the choices, no amount or no day."""
    try:
        source, level = Source(typed.get("source", "")), Level(typed.get("level", ""))
    except ValueError:
        raise MoveError("source_needed") from None
    return Told(
        source=source,
        level=level,
        subject_kind=typed.get("subject_kind", ""),
        subject_id=typed.get("subject_id", ""),
        orgs=tuple(typed.get("orgs", "").replace("，", " ").replace(",", " ").replace("、", " ").split()),
        area=typed.get("area", ""),
        about=typed.get("about", ""),
        told=typed.get("told", ""),
        amount_fen=_fen(typed.get("amount", "")),
        since=_day(typed.get("since", "")),
        until=_day(typed.get("until", "")),
        received=_day(typed.get("received", "")) or date.max,
        paper=typed.get("paper", ""),
        confidential="confidential" in typed,
    )


def _fen(amount: str) -> int:
    amount = amount.replace(",", "").replace("，", "").strip()
    try:
        return fen(amount) if amount else 0
    except ValueError:
        raise MoveError("amount_needed") from None


def _day(value: str) -> date | None:
    try:
        return date.fromisoformat(value.strip()) if value.strip() else None
    except ValueError:
        raise MoveError("days_needed") from None


def _form(
    request: Request,
    desk: Desk,
    words: Words,
    typed: Mapping[str, str],
    status: int = 200,
    notice: str = "",
    alert_id: str = "",
) -> Response:
    """alert_id: of the lead to correct; "" for a new one."""
    return draw_page(
        request,
        "enter.html",
        words,
        status,
        sources=[(one.value, words(f"detector.{one}")) for one in Source],
        levels=[(one.value, words(f"level.{one}")) for one in reversed(Level)],
        kinds=[(one, words(f"enter.kind.{one}")) for one in KINDS],
        longest=(LONGEST_ABOUT, LONGEST_TOLD, LONGEST_NUMBER),
        today=f"{desk.now.astimezone(CHINA):%Y-%m-%d}",
        text="enter.correct" if alert_id else "enter",
        action=f"/alerts/{alert_id}/correct" if alert_id else "/enter",
        may_enter=desk.account.role in WRITERS,
        notice=notice,
        typed=defaultdict(str, typed),
        key=typed.get("key") or token_urlsafe(16),
        account=desk.account,
        reads=True,
    )
