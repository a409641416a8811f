"""The reader's own account: who one is here, where one is logged in, and another password."""

from collections.abc import Iterator
from typing import Annotated, NamedTuple

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, Request
from fastapi.responses import RedirectResponse, Response

from alerts import sessions
from alerts.accounts import LONGEST, SHORTEST, Account, AccountError, change_password, check_login, is_local
from alerts.web.context import Asks, Context, Reader, Speaks, context
from alerts.web.gate import agent_of, cookie_of, open_session
from alerts.web.pages import draw_page, hashing
from alerts.web.wording import Words

router = APIRouter(include_in_schema=False)

Typed = Annotated[str, Form(max_length=2_000)]
# as they call themselves, what claims to be all the others first
BROWSERS = {"Edg/": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
SYSTEMS = ("Windows", "Android", "iPhone", "iPad", "Mac OS X", "Linux")


class OpenSession(NamedTuple):
    """Where one is logged in, as a row of the page."""

    id: str
    agent: str
    since: str
    until: str
    own: bool  # the one that asks


@router.get("/account")
def page(request: Request, who: Reader, words: Speaks, changed: bool = False, ended: int = -1) -> Response:
    """What somebody else chose must be changed before any other page."""
    if ended >= 0:
        return _drawn(request, who, words, words("account.ended", n=ended))
    said = "account.changed" if changed else "account.first" if who.must_change else ""
    return _drawn(request, who, words, words(said) if said else "")


@router.post("/account/password")
async def password(
    request: Request, asks: Asks, account: Reader, words: Speaks, old: Typed = "", new: Typed = "", again: Typed = ""
) -> Response:
    """All sessions of the account end, and this one begins anew. Wrong guesses lock the account as at the door."""
    asks.limiter.stranger(request)
    if new != again:
        return await run_sync(_refused, request, account, words, "account.differ", 422)
    try:
        who = await run_sync(change_password, asks.store, account.name, old, new, asks.clock(), limiter=hashing)
    except AccountError:
        return await run_sync(_refused, request, account, words, "account.weak", 422)
    if who is None:
        return await run_sync(_refused, request, account, words, "account.refused", 403)
    answer = RedirectResponse("/account?changed=true", 303)
    open_session(request, answer, await run_sync(asks.gate.session, who, agent_of(request)))
    request.state.session = None  # of the former one, which has just ended
    return answer


@router.post("/account/sessions")
async def end_sessions(
    request: Request, asks: Asks, account: Reader, words: Speaks, session: Typed = "", old: Typed = ""
) -> Response:
    """End one session of the account, or (none named) all but this one. Whoever has a password here gives it again."""
    asks.limiter.stranger(request)
    if await run_sync(is_local, asks.store, account.name):
        tried = (asks.store, account.name, old, asks.clock())
        if await run_sync(check_login, *tried, limiter=hashing) is None:
            return await run_sync(_refused, request, account, words, "account.refused", 403)
    ended = await run_sync(_end, asks, request, account, session)
    return RedirectResponse(f"/account?ended={ended}", 303)


def _end(asks: Context, request: Request, account: Account, session: str) -> int:
    own = asks.gate.session_id(cookie_of(request))
    return sessions.end_of(asks.store, account, lambda one: one == session if session else one != own, asks.clock())


def _refused(request: Request, account: Account, words: Words, why: str, status: int) -> Response:
    return _drawn(request, account, words, words(why, least=SHORTEST, most=LONGEST), status)


def _drawn(request: Request, account: Account, words: Words, told: str, status: int = 200) -> Response:
    return draw_page(
        request,
        "account.html",
        words,
        status,
        told=told,
        refused=status != 200,
        has_password=is_local(context(request).store, account.name),
        altered=words("account.altered", at=words.moment(account.changed_at)),
        sessions=list(_sessions(request, account, words)),
        account=account,
    )


def _sessions(request: Request, account: Account, words: Words) -> Iterator[OpenSession]:
    asks = context(request)
    own = asks.gate.session_id(cookie_of(request))
    for one in sessions.of(asks.store, account, asks.clock()):
        since, until = words.moment(one.since), words.moment(one.until)
        yield OpenSession(one.id, agent_in_words(one.agent), since, until, one.id == own)


def agent_in_words(agent: str) -> str:
    """A browser and its system where they are known, else what it calls itself."""
    browser = next((name for mark, name in BROWSERS.items() if mark in agent), "")
    system = next((name for name in SYSTEMS if name in agent), "")
    return " · ".join(filter(None, (browser, system))) if browser else agent
