"""The feed as one program: pages, API, live push, and how it is served."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from importlib.resources import files
from pathlib import Path

import msgspec
import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.middleware.sessions import SessionMiddleware

from alerts.engines import STORE_AWAY, StoreError
from alerts.papers import Cabinet
from alerts.store import Store
from alerts.web import (
    account_page,
    api,
    audit_api,
    audit_page,
    desk_api,
    entered_api,
    entered_page,
    exports,
    file_api,
    file_page,
    indicators_api,
    indicators_page,
    ledgers_page,
    outcomes_page,
    overview_page,
    pages,
    problems,
    subject_page,
    unmasked,
    work_api,
    work_page,
)
from alerts.web.bounds import SHIPPED, Bounds
from alerts.web.context import Asks, Context, Remembered, any_words
from alerts.web.gate import Clock, Gate, SafeHeaders, wall_clock
from alerts.web.limiting import Limiter
from alerts.web.live import Hub
from alerts.web.meter import Measured, Meter
from alerts.web.provider import Provider
from alerts.web.refusals import Recorded, Refusals

AWAY_S = 600  # how long logging in at the identity provider may take
STOP_S = 3  # open streams are cut after this
LOOPBACK = "127.0.0.1"

log = logging.getLogger(__name__)


def create_app(
    store: Store,
    *,
    secret: str,
    clock: Clock = wall_clock,
    meter: Meter | None = None,
    remembered: Remembered | None = None,
    provider: Provider | None = None,
    bounds: Bounds = SHIPPED,
    cabinet: Cabinet | None = None,
) -> FastAPI:
    """The feed over a store. ``secret``: at least 32 characters; it signs the sessions. meter: hears what it does.

    remembered: the live memory, of which a page asks why rules said nothing; None: that page is not there.
    provider:   where people may log in instead of here.
    bounds:     how much, how often, how long.
    cabinet:    where papers of leads lie; None: none are kept.
    """
    gate = Gate(store, secret, clock, bounds)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        hub = Hub(store, clock, meter)
        app.state.context = Context(
            store,
            gate,
            hub,
            clock,
            remembered,
            provider,
            bounds,
            meter or Meter(),
            Limiter(bounds),
            cabinet,
            refusals=Refusals(store, clock),
        )
        async with hub.running():
            yield

    app = FastAPI(title="fundwatch", docs_url=None, redoc_url=None, openapi_url=None, lifespan=lifespan)
    app.add_middleware(SafeHeaders, kept=["/static/"])
    app.add_middleware(Recorded)
    app.include_router(desk_api.router)
    app.include_router(api.router)
    app.include_router(work_api.router)
    app.include_router(pages.router)
    app.include_router(work_page.router)
    app.include_router(file_api.router)
    app.include_router(file_page.router)
    app.include_router(account_page.router)
    app.include_router(outcomes_page.router)
    app.include_router(overview_page.router)
    app.include_router(subject_page.router)
    app.include_router(ledgers_page.router)
    app.include_router(indicators_page.router)
    app.include_router(indicators_api.router)
    app.include_router(entered_api.router)
    app.include_router(entered_page.router)
    app.include_router(audit_page.pages)
    app.include_router(audit_api.router)
    app.include_router(unmasked.pages)
    app.include_router(exports.router)
    app.include_router(unmasked.router)
    if provider is not None:
        _log_in_elsewhere(app, provider, secret)
    _health(app, store)
    static = Path(str(files("alerts.web") / "static"))
    app.mount("/static", StaticFiles(directory=static), name="static")
    pages.templates.globals["version"] = version(static)
    if meter is not None:
        app.add_middleware(Measured, meter=meter)
    problems.tell(app, pages.problem_page, any_words)
    return app


def _log_in_elsewhere(app: FastAPI, provider: Provider, secret: str) -> None:
    """Its pages, and a cookie that lasts from leaving for the provider until coming back."""
    from alerts.web import oidc_page  # what it needs takes its time to load

    app.include_router(oidc_page.router)
    app.add_middleware(
        SessionMiddleware,
        secret_key=sha256(b"oidc " + secret.encode()).hexdigest(),
        session_cookie="fundwatch_oidc",
        path="/oidc",
        max_age=AWAY_S,
        same_site="lax",
        https_only=provider.redirect_url.startswith("https:"),
    )


def version(static: Path) -> str:
    """Changes when any static file does, so that no browser keeps an old one."""
    digest = sha256()
    for path in sorted(static.rglob("*")):
        if path.is_file():
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _health(app: FastAPI, store: Store) -> None:
    @app.get("/healthz", include_in_schema=False)
    async def alive() -> Response:
        """The process answers."""
        return _status(200, "ok")

    @app.get("/readyz", include_in_schema=False)
    def ready(asks: Asks) -> Response:
        """It can do its work: the store answers, has the right tables, and is followed."""
        try:
            store.check_ready()
        except StoreError as error:
            return _status(503, str(error))
        except STORE_AWAY:
            return _status(503, "the alert store does not answer")
        if not asks.hub.is_following:
            return _status(503, "the alert store is not followed: nothing new is shown")
        return _status(200, "ok")


def _status(code: int, said: str) -> Response:
    return Response(msgspec.json.encode({"status": said}), code, media_type="application/json")


def serve(
    store_url: str,
    host: str = LOOPBACK,
    port: int = 8000,
    secret: str = "",
    meter: Meter | None = None,
    remembered: Remembered | None = None,
    tls: tuple[Path, Path] | None = None,
    provider: Provider | None = None,
    bounds: Bounds = SHIPPED,
    cabinet: Cabinet | None = None,
) -> None:
    """Serve the feed until SIGTERM or Ctrl-C. Raises StoreError if the store is not made ready.

    tls: certificate and key, to serve https.
    """
    store = Store.open(store_url)
    try:
        config = uvicorn.Config(
            create_app(
                store,
                secret=secret,
                meter=meter,
                remembered=remembered,
                provider=provider,
                bounds=bounds,
                cabinet=cabinet,
            ),
            host=host,
            port=port,
            timeout_graceful_shutdown=STOP_S,
            log_config=None,
            access_log=False,
            server_header=False,
            ssl_certfile=tls and str(tls[0]),
            ssl_keyfile=tls and str(tls[1]),
        )
        uvicorn.Server(config).run()
    finally:
        store.close()
