"""Who may come in: signed sessions, requests from our own pages only, and headers that keep a page shut."""

import secrets
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec
from fastapi import Request
from itsdangerous import BadSignature, URLSafeSerializer
from msgspec import Struct
from msgspec.structs import replace
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from alerts import sessions
from alerts.accounts import Account, account
from alerts.sessions import Opened
from alerts.store import Store
from alerts.web.bounds import SHIPPED, Bounds

COOKIE = "fundwatch_session"
LASTS = SHIPPED.session_lasts
STALE = 0.9  # of the idle time left: below it a new cookie is given
SHORTEST_SECRET = 32  # characters
SESSION_BYTES = 16
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_SITES = frozenset({"same-origin", "none"})  # Sec-Fetch-Site of a request from our pages, or typed by hand

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}

HSTS = "max-age=31536000"  # a year

Clock = Callable[[], datetime]


def wall_clock() -> datetime:
    return datetime.now(UTC)


class LoginNeededError(Exception):
    """Nobody is logged in, or the session has ended."""


class PasswordNeededError(Exception):
    """Somebody else chose this account's password: its owner must choose another one first."""


class CrossSiteError(Exception):
    """A write that did not come from our own pages."""


class Session(Struct, frozen=True):
    """What the cookie says. ``stamp``: of the account; another one ends the session."""

    id: str
    name: str
    stamp: str
    until: float  # seconds since 1970
    idle_until: float  # a request of the reader's own before then moves it on


@dataclass(frozen=True, slots=True)
class Gate:
    """Opens for whoever shows a session of ours. ``secret`` signs; changing it logs everybody out."""

    store: Store
    secret: str
    clock: Clock
    bounds: Bounds = SHIPPED

    def __post_init__(self) -> None:
        if len(self.secret) < SHORTEST_SECRET:
            raise ValueError(f"the secret has {len(self.secret)} characters, {SHORTEST_SECRET} are needed")

    def session(self, who: Account, agent: str = "") -> str:
        """The cookie of somebody who has just logged in. Writes to the store, so blocks."""
        now = self.clock()
        until, idle = now + self.bounds.session_lasts, now + self.bounds.session_idle
        name = secrets.token_urlsafe(SESSION_BYTES)
        sessions.begin(self.store, Opened(name, who.name, agent, now, until))
        return self._signed(Session(name, who.name, who.stamp, until.timestamp(), idle.timestamp()))

    def end(self, cookie: str | None) -> None:
        """This session, and every copy of its cookie, opens nothing any more. Writes to the store, so blocks."""
        with suppress(LoginNeededError):
            sessions.end(self.store, self.session_id(cookie))

    def session_id(self, cookie: str | None) -> str:
        """Raises LoginNeededError."""
        return self._read(cookie).id

    def renewed(self, cookie: str | None) -> str | None:
        """The cookie of a session that is in use; None while the old one does. Raises LoginNeededError."""
        session, idle = self._read(cookie), self.bounds.session_idle.total_seconds()
        now = self.clock().timestamp()
        if session.idle_until - now > idle * STALE:
            return None
        return self._signed(replace(session, idle_until=now + idle))

    def account(self, cookie: str | None) -> Account:
        """Whose session this is. Raises LoginNeededError. Asks the store, so blocks."""
        session = self._read(cookie)
        who = account(self.store, session.name)
        if who is None or not secrets.compare_digest(who.stamp.encode(), session.stamp.encode()):
            raise LoginNeededError
        if not sessions.is_open(self.store, session.id):
            raise LoginNeededError
        return who

    def _read(self, cookie: str | None) -> Session:
        try:
            session = msgspec.convert(self._signer().loads(cookie or ""), Session)
        except (BadSignature, msgspec.ValidationError):
            raise LoginNeededError from None
        if self.clock().timestamp() >= min(session.until, session.idle_until):
            raise LoginNeededError
        return session

    def _signed(self, session: Session) -> str:
        return str(self._signer().dumps(msgspec.to_builtins(session)))

    def _signer(self) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret, salt="fundwatch session")


def cookie_name(request: Request) -> str:
    """Over https one that no other host of the domain can set, and no page without TLS (RFC 6265bis, 4.1.3.2)."""
    return f"__Host-{COOKIE}" if is_secure(request) else COOKIE


def cookie_of(request: Request) -> str | None:
    """The session that a request shows."""
    return request.cookies.get(cookie_name(request))


def open_session(request: Request, answer: Response, cookie: str) -> None:
    """Give the browser the cookie that ``Gate.session`` made."""
    answer.set_cookie(
        cookie_name(request),
        cookie,
        max_age=int(LASTS.total_seconds()),
        httponly=True,
        samesite="lax",
        secure=is_secure(request),
    )


def agent_of(request: Request) -> str:
    """What the browser, or the program, calls itself; anybody may claim anything."""
    return request.headers.get("user-agent", "")


def check_origin(request: Request) -> None:
    """Raises CrossSiteError for a write that another site's page made the browser send."""
    if request.method in SAFE:
        return
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    elsewhere = origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    if (site is not None and site not in OWN_SITES) or elsewhere:
        raise CrossSiteError


def local_path(path: str) -> str:
    """Where to go after logging in: a path of this site, else the feed."""
    parts = urlsplit(path)
    fine = path.startswith("/") and not path.startswith(("//", "/\\")) and not parts.netloc and path.isprintable()
    return path if fine else "/"


class SafeHeaders:
    """Adds HEADERS and a renewed session to every response, and forbids keeping what is not a static file."""

    def __init__(self, app: ASGIApp, kept: Iterable[str]) -> None:
        self.app = app
        self.kept = tuple(kept)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        keep = str(scope["path"]).startswith(self.kept)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message["headers"])
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if scope["scheme"] == "https":
                    headers.setdefault("strict-transport-security", HSTS)
                if session := scope.get("state", {}).get("session"):
                    carrier = Response()
                    open_session(Request(scope), carrier, session)
                    headers.append("set-cookie", carrier.headers["set-cookie"])
                headers.setdefault("cache-control", "no-cache" if keep else "no-store")
                message["headers"] = headers.raw
            await send(message)

        await self.app(scope, receive, sending)


def is_secure(request: Request) -> bool:
    """May the cookie be for https only?"""
    return request.url.scheme == "https"


def wants_json(path: str, headers: Headers) -> bool:
    """Is it a program that asks?"""
    return path.startswith("/api/") or "text/html" not in headers.get("accept", "")
