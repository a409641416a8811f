"""A small OpenID Connect provider on loopback: it vouches for whomever a test names, with the claims it gives."""

import base64
import hashlib
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Form, HTTPException, Request
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.live.servers import eventually

CLIENT, SECRET = "fundwatch", "what only the two of them know"


@dataclass
class IdentityProvider:
    """claims: of whoever logs in next. key: signs; the one that it publishes is ``shown``."""

    issuer: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1", "use": "sig"}))
    claims: dict[str, Any] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.shown = self.key

    def app(self) -> FastAPI:
        app = FastAPI()

        @app.get("/.well-known/openid-configuration")
        def metadata() -> dict[str, Any]:
            return {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
                "id_token_signing_alg_values_supported": ["RS256"],
            }

        @app.get("/authorize")
        def authorize(request: Request) -> RedirectResponse:
            told = dict(request.query_params)
            assert (told["response_type"], told["client_id"]) == ("code", CLIENT)
            self.asked.append(told["scope"])
            code = secrets.token_urlsafe()
            self.codes[code] = told
            return RedirectResponse(f"{told['redirect_uri']}?{urlencode({'code': code, 'state': told['state']})}", 302)

        @app.post("/token")
        def token(request: Request, code: str = Form(), code_verifier: str = Form()) -> dict[str, Any]:
            basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
            told = self.codes.pop(code, None)
            digest = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest()).rstrip(b"=").decode()
            if request.headers["authorization"] != f"Basic {basic}" or told is None or told["code_challenge"] != digest:
                raise HTTPException(400, {"error": "invalid_grant"})
            now = int(time.time())
            said = {"iss": self.issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 60, "nonce": told["nonce"]}
            signed = jwt.encode({"alg": "RS256", "kid": "1"}, {**said, **self.claims}, self.key)
            return {"access_token": "unused", "token_type": "Bearer", "id_token": signed}

        @app.get("/keys")
        def keys() -> dict[str, Any]:
            return {"keys": [self.shown.as_dict(private=False)]}

        return app


@contextmanager
def provider_running() -> Iterator[IdentityProvider]:
    listening = socket.create_server(("127.0.0.1", 0))
    provider = IdentityProvider(f"http://127.0.0.1:{listening.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(provider.app(), log_config=None))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        eventually(lambda: server.started, "the identity provider runs")
        yield provider
    finally:
        server.should_exit = True
        thread.join(20)
        listening.close()
