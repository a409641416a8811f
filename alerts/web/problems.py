"""What went wrong, told to people as a page and to programs as problem+json (RFC 9457)."""

import logging
import secrets
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException

from alerts.choosing import CursorError
from alerts.engines import STORE_AWAY
from alerts.papers import DamagedError
from alerts.snooze import NotAllowedError, SnoozeError
from alerts.web.desk import BadRequestError, ForbiddenError
from alerts.web.gate import CrossSiteError, LoginNeededError, PasswordNeededError, wants_json
from alerts.web.limiting import TooOftenError
from alerts.web.provider import NotLetInError, ProviderAwayError
from alerts.web.wording import Words
from alerts.web.workdesk import RefusedError

log = logging.getLogger(__name__)

JSON = "application/problem+json"
HOUR_S = 3_600  # what is bounded by the hour is free again then at the latest


class MemoryAwayError(Exception):
    """The live memory cannot be asked, or too many ask at once."""


class Problem(NamedTuple):
    """``code`` names its texts and is what a program tells it by."""

    status: int
    code: str
    detail: str = ""
    wait_s: int = 0  # before it may be tried again


Draw = Callable[[Request, Problem, str], Response]
Speak = Callable[[Request], Words]


def tell(app: FastAPI, draw: Draw, speak: Speak) -> None:
    """Every error of ours becomes an answer. ``draw``: the page of a problem, given its number."""

    def answer(request: Request, problem: Problem) -> Response:
        number = secrets.token_hex(4)
        if problem.status >= 500:
            log.warning("request_failed: number=%s code=%s path=%s", number, problem.code, request.url.path)
        told = wants_json(request.url.path, request.headers)
        found = as_json(problem, number, speak(request)) if told else draw(request, problem, number)
        if problem.wait_s:
            found.headers["retry-after"] = str(problem.wait_s)
        return found

    def on(error: type[Exception] | int, what: Callable[[Exception], Problem]) -> None:
        async def handle(request: Request, raised: Exception) -> Response:
            return answer(request, what(raised))

        app.add_exception_handler(error, handle)

    async def log_in(request: Request, _: Exception) -> Response:
        if wants_json(request.url.path, request.headers):
            return answer(request, Problem(401, "login_needed"))
        there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(there if request.method == 'GET' else '/')}", 303)

    async def choose_password(request: Request, _: Exception) -> Response:
        if wants_json(request.url.path, request.headers):
            return answer(request, Problem(403, "password_needed"))
        return RedirectResponse("/account", 303)

    app.add_exception_handler(LoginNeededError, log_in)
    app.add_exception_handler(PasswordNeededError, choose_password)
    on(ForbiddenError, lambda _: Problem(403, "forbidden"))
    on(NotAllowedError, lambda _: Problem(403, "not_allowed"))
    on(RefusedError, _of_refused)
    on(TooOftenError, lambda error: Problem(429, "too_often", wait_s=_wait(error)))
    on(DamagedError, lambda _: Problem(500, "damaged"))
    on(CrossSiteError, lambda _: Problem(403, "cross_site"))
    on(BadRequestError, lambda error: Problem(400, "bad_request", str(error)))
    on(SnoozeError, lambda error: Problem(400, "bad_request", str(error)))
    on(CursorError, lambda error: Problem(400, "bad_request", str(error)))
    on(RequestValidationError, lambda error: Problem(400, "bad_request", _which(error)))
    on(HTTPException, _of_http)
    on(Exception, lambda _: Problem(500, "failed"))
    on(NotLetInError, lambda _: Problem(403, "not_let_in"))
    on(ProviderAwayError, lambda _: Problem(503, "provider_away"))
    on(MemoryAwayError, lambda _: Problem(503, "memory_away"))
    for away in STORE_AWAY:
        on(away, lambda _: Problem(503, "store_away"))


def as_json(problem: Problem, number: str, words: Words) -> Response:
    """RFC 9457; the words are in the language of the request."""
    body = {
        "type": f"/problems/{problem.code}",
        "title": words(f"problem.{problem.code}"),
        "status": problem.status,
        "detail": problem.detail or words(f"problem.{problem.code}.what"),
        "code": problem.code,
        "trace_id": number,
    }
    return Response(msgspec.json.encode(body), problem.status, media_type=JSON)


def _of_refused(error: Exception) -> Problem:
    assert isinstance(error, RefusedError)
    return Problem(error.status, error.code, error.detail, HOUR_S if error.status == 429 else 0)


def _wait(error: Exception) -> int:
    return error.wait_s if isinstance(error, TooOftenError) else 0


def _of_http(error: Exception) -> Problem:
    status = error.status_code if isinstance(error, HTTPException) else 500
    codes = {400: "bad_request", 401: "login_needed", 403: "forbidden", 404: "not_found", 405: "method"}
    return Problem(status, codes.get(status, "failed" if status >= 500 else "bad_request"))


def _which(error: Exception) -> str:
    """The parameters that are wrong, and why."""
    if not isinstance(error, RequestValidationError):
        return ""
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
