"""The reader's own account: who one is here, and another password."""

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from alerts.accounts import LONGEST, SHORTEST, AccountError, change_password, is_local
from alerts.web.context import Asks, AtDesk, Speaks
from alerts.web.desk import Desk
from alerts.web.gate import open_session
from alerts.web.pages import draw_page, hashing
from alerts.web.wording import Words

router = APIRouter(include_in_schema=False)

Typed = Annotated[str, Form(max_length=2_000)]


@router.get("/account")
def page(request: Request, desk: AtDesk, words: Speaks, changed: bool = False) -> Response:
    return _drawn(request, desk, words, "account.changed" if changed else "")


@router.post("/account/password")
async def password(
    request: Request, asks: Asks, desk: AtDesk, words: Speaks, old: Typed = "", new: Typed = "", again: Typed = ""
) -> Response:
    """All sessions of the account end, and this one begins anew. Wrong guesses lock the account as at the door."""
    asks.limiter.stranger(request)
    if new != again:
        return await run_sync(_drawn, request, desk, words, "account.differ", 422)
    try:
        who = await run_sync(change_password, asks.store, desk.account.name, old, new, asks.clock(), limiter=hashing)
    except AccountError:
        return await run_sync(_drawn, request, desk, words, "account.weak", 422)
    if who is None:
        return await run_sync(_drawn, request, desk, words, "account.refused", 403)
    answer = RedirectResponse("/account?changed=true", 303)
    open_session(request, answer, asks.gate.session(who))
    request.state.session = None  # of the former one, which has just ended
    return answer


def _drawn(request: Request, desk: Desk, words: Words, said: str, status: int = 200) -> Response:
    told = words(said, least=SHORTEST, most=LONGEST) if said else ""
    return draw_page(
        request,
        "account.html",
        words,
        status,
        told=told,
        refused=status != 200,
        may_change=is_local(desk.store, desk.account.name),
        account=desk.account,
    )
