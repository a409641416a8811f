"""Logging in elsewhere: off to the identity provider, and back with what it says."""

import logging
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from anyio.to_thread import run_sync
from authlib.common.errors import AuthlibBaseError  # type: ignore[import-untyped]  # has no types
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from httpx2 import HTTPError
from joserfc.errors import JoseError

from alerts.accounts import AccountError, enter
from alerts.web.context import Asks, Context
from alerts.web.gate import agent_of, local_path, open_session
from alerts.web.provider import NotLetInError, Provider, ProviderAwayError

router = APIRouter(prefix="/oidc", include_in_schema=False)
T = TypeVar("T")

log = logging.getLogger(__name__)


@router.get("/login")
async def leave(request: Request, asks: Asks, next: str = "/") -> Response:
    """Off to the provider. ``next``: where to go afterwards."""
    provider = _provider(asks)
    asks.limiter.stranger(request)
    request.session["next"] = local_path(next)
    answer: Response = await _asked(provider.client.authorize_redirect(request, provider.redirect_url))
    return answer


@router.get("/callback")
async def come_back(request: Request, asks: Asks) -> Response:
    """Back from it: the account is made or brought up to date, and a session of ours begins."""
    provider = _provider(asks)
    there = local_path(request.session.get("next", "/"))
    try:
        person = provider.person(await _claims(provider, request))
        entered = (asks.store, person.name, person.role, person.areas, asks.clock(), provider.issuer)
        account = await run_sync(enter, *entered)
    except (NotLetInError, AccountError) as refused:
        log.warning("oidc_refused: why=%s", refused)
        raise NotLetInError(str(refused)) from None
    finally:
        request.session.clear()
    answer = RedirectResponse(there, 303)
    open_session(request, answer, await run_sync(asks.gate.session, account, agent_of(request)))
    return answer


def _provider(asks: Context) -> Provider:
    if asks.provider is None:
        raise HTTPException(404)
    return asks.provider


async def _claims(provider: Provider, request: Request) -> Mapping[str, Any]:
    """What the provider's signed token says. Any: JSON. Raises NotLetInError for one that cannot be believed."""
    try:
        token = await _asked(provider.client.authorize_access_token(request))
    except (AuthlibBaseError, JoseError) as error:
        raise NotLetInError(f"the provider's answer cannot be believed: {type(error).__name__}") from None
    claims: Mapping[str, Any] | None = token.get("userinfo")
    if claims is None or str(claims["iss"]).rstrip("/") != provider.issuer.rstrip("/"):
        raise NotLetInError("the provider sent no id_token, or another issuer's")
    return claims


async def _asked(question: Awaitable[T]) -> T:
    """Raises ProviderAwayError."""
    try:
        return await question
    except (HTTPError, RuntimeError, ValueError, KeyError) as error:  # what tells no addresses is no provider either
        raise ProviderAwayError(f"{type(error).__name__}: {error}"[:200]) from None
