"""The reader's own account: who one is here, and another password."""

from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from alerts.accounts import LONGEST, SHORTEST, Account, AccountError, change_password, is_local
from alerts.store import Store
from alerts.web.context import Asks, Reader, Speaks
from alerts.web.gate import open_session
from alerts.web.pages import draw_page, hashing
from alerts.web.wording import Words

router = APIRouter(include_in_schema=False)

Typed = Annotated[str, Form(max_length=2_000)]


@router.get("/account")
def page(request: Request, asks: Asks, who: Reader, words: Speaks, changed: bool = False) -> Response:
    """What somebody else chose must be changed before any other page."""
    said = "account.changed" if changed else "account.first" if who.must_change else ""
    return _drawn(request, asks.store, who, words, said)


@router.post("/account/password")
async def password(
    request: Request, asks: Asks, account: Reader, words: Speaks, old: Typed = "", new: Typed = "", again: Typed = ""
) -> Response:
    """All sessions of the account end, and this one begins anew. Wrong guesses lock the account as at the door."""
    asks.limiter.stranger(request)
    if new != again:
        return await run_sync(_drawn, request, asks.store, account, words, "account.differ", 422)
    try:
        who = await run_sync(change_password, asks.store, account.name, old, new, asks.clock(), limiter=hashing)
    except AccountError:
        return await run_sync(_drawn, request, asks.store, account, words, "account.weak", 422)
    if who is None:
        return await run_sync(_drawn, request, asks.store, account, words, "account.refused", 403)
    answer = RedirectResponse("/account?changed=true", 303)
    open_session(request, answer, asks.gate.session(who))
    request.state.session = None  # of the former one, which has just ended
    return answer


def _drawn(request: Request, store: Store, account: Account, words: Words, said: str, status: int = 200) -> Response:
    told = words(said, least=SHORTEST, most=LONGEST) if said else ""
    return draw_page(
        request,
        "account.html",
        words,
        status,
        told=told,
        refused=status != 200,
        may_change=is_local(store, account.name),
        account=account,
    )
