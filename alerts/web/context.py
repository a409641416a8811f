"""What every request needs: the store, the gate, the hub, and the words of the reader's language."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from alerts.accounts import Account
from alerts.papers import Cabinet
from alerts.store import Store
from alerts.web.bounds import SHIPPED, Bounds
from alerts.web.desk import Desk
from alerts.web.gate import Clock, Gate, LoginNeededError, PasswordNeededError, check_origin, cookie_of
from alerts.web.limiting import Limiter
from alerts.web.live import Hub
from alerts.web.meter import Meter
from alerts.web.provider import Provider
from alerts.web.refusals import Refusals
from alerts.web.wording import Lang, Words
from detectors.nearness import Known
from detectors.rules import Rulebook

# the live memory and the rules in force; OSError: it cannot be read
Remembered = Callable[[], AbstractContextManager[tuple[Known, Rulebook]]]

LANG_COOKIE, THEME_COOKIE = "fundwatch_lang", "fundwatch_theme"
ROWS_COOKIE, ROWS = "fundwatch_rows", ("roomy", "compact")
YEAR_S = 365 * 86_400
BY_ITSELF = frozenset({"/live", "/changes", "/rail", "/api/v1/alerts/stream"})  # what an open page asks for alone


# what can be asked for with a password that somebody else chose
WITHOUT_CHANGE = frozenset({"/account", "/account/password"})


@dataclass(frozen=True, slots=True)
class Context:
    """One for the whole process."""

    store: Store
    gate: Gate
    hub: Hub
    clock: Clock
    remembered: Remembered | None = None  # the live memory, where the feed was told of one
    provider: Provider | None = None  # where people may log in instead, if anywhere
    bounds: Bounds = SHIPPED
    meter: Meter = field(default_factory=Meter)
    limiter: Limiter = field(default_factory=lambda: Limiter(SHIPPED))
    cabinet: Cabinet | None = None  # where papers lie, if any are kept
    refusals: Refusals = field(kw_only=True)


def context(request: Request) -> Context:
    found = request.app.state.context
    assert isinstance(found, Context)
    return found


def page_words(request: Request) -> Words:
    """The language chosen on the page; Chinese until one is."""
    lang: Lang = "en" if request.cookies.get(LANG_COOKIE) == "en" else "zh"
    return Words(lang, context(request).clock())


def api_words(request: Request) -> Words:
    """The language that a program asks for."""
    lang: Lang = "en" if request.headers.get("accept-language", "").lower().startswith("en") else "zh"
    return Words(lang, context(request).clock())


def any_words(request: Request) -> Words:
    return api_words(request) if request.url.path.startswith("/api/") else page_words(request)


def theme(request: Request) -> str:
    """dark, light, or "" for what the system says."""
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in ("dark", "light") else ""


def row_height(request: Request) -> str:
    """compact, or roomy until somebody chooses."""
    chosen = request.cookies.get(ROWS_COOKIE, "")
    return chosen if chosen in ROWS else ROWS[0]


def who(request: Request) -> Account:
    """Who is logged in; a request of the reader's own keeps the session.

    Raises LoginNeededError, CrossSiteError, TooOftenError, PasswordNeededError.
    """
    check_origin(request)
    asks, cookie = context(request), cookie_of(request)
    try:
        account = asks.gate.account(cookie)
    except LoginNeededError:
        asks.limiter.stranger(request)
        raise
    request.state.account = account.name
    asks.limiter.account(account.name)
    if account.must_change and request.url.path not in WITHOUT_CHANGE:
        raise PasswordNeededError
    if request.url.path not in BY_ITSELF:
        request.state.session = asks.gate.renewed(cookie)
    return account


def desk(request: Request, account: Annotated[Account, Depends(who)]) -> Desk:
    """The store as this account may see it. Raises ForbiddenError."""
    asks = context(request)
    return Desk(asks.store, account, asks.clock(), asks.bounds)


Asks = Annotated[Context, Depends(context)]
Reader = Annotated[Account, Depends(who)]
AtDesk = Annotated[Desk, Depends(desk)]
Speaks = Annotated[Words, Depends(page_words)]
