"""Somebody logs in at the bureau's identity provider, and has here the rights that it tells, no others."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey

from alerts.accounts import AccountError, Role, account, add_account, check_login, disable_account, reset_password
from alerts.store import Store
from alerts.web.gate import COOKIE
from alerts.web.provider import Provider
from stream_app.embedded import ports
from stream_app.settings import Settings, SettingsError
from tests.browser.site import now, serving, store_in
from tests.identity_provider import CLIENT, SECRET, IdentityProvider, provider_running

ROLES = {"fund-review": Role.REVIEWER, "fund-screen": Role.SCREENER}
CHEN = {"preferred_username": "chen", "fundwatch_role": ["fund-screen", "other"], "fundwatch_areas": "330100 330200"}


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[IdentityProvider]:
    with provider_running() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Iterator[Store]:
    store = store_in(tmp_path, template)
    yield store
    store.close()


@pytest.fixture
def site(store: Store, elsewhere: IdentityProvider) -> Iterator[str]:
    port = ports.choose(None)[0]
    elsewhere.key, elsewhere.claims = elsewhere.shown, dict(CHEN)
    provider = Provider(
        issuer=elsewhere.issuer,
        client_id=CLIENT,
        client_secret=SECRET,
        redirect_url=f"http://127.0.0.1:{port}/oidc/callback",
        roles=ROLES,
    )
    with serving(store, port=port, provider=provider) as address:
        yield address


@pytest.fixture
def browser(site: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=site, follow_redirects=True, headers={"accept": "text/html"}) as browser:
        yield browser


def log_in(browser: httpx.Client, there: str = "/") -> httpx.Response:
    return browser.get("/oidc/login", params={"next": there})


def test_somebody_comes_in_with_the_role_and_areas_that_are_told(browser: httpx.Client, store: Store) -> None:
    assert "/oidc/login?next=" in browser.get("/?level=red").text
    came = log_in(browser, "/?level=red")
    assert (came.status_code, came.url.query) == (200, b"level=red")
    assert ">chen</a> · 初审 · 330100 330200" in came.text
    who = account(store, "chen")
    assert who is not None
    assert (who.role, who.areas) == (Role.SCREENER, ("330100", "330200"))


def test_of_several_roles_the_one_named_first_in_the_settings_counts(
    browser: httpx.Client, store: Store, elsewhere: IdentityProvider
) -> None:
    elsewhere.claims |= {"fundwatch_role": "fund-screen fund-review", "fundwatch_areas": "*"}
    log_in(browser)
    who = account(store, "chen")
    assert who is not None
    assert (who.role, who.areas) == (Role.REVIEWER, ())


@pytest.mark.parametrize(
    "claims",
    [
        {"fundwatch_role": "other"},
        {"fundwatch_role": None},
        {"fundwatch_areas": None},
        {"fundwatch_areas": ["hangzhou"]},
        {"preferred_username": ""},
        {"iss": "http://another.example"},
        {"aud": "another client"},
        {"nonce": "an old one"},
        {"exp": 1},
    ],
    ids=lambda claims: "-".join(map(str, *claims.items())),
)
def test_whoever_is_given_no_place_here_or_not_for_us_stays_outside(
    browser: httpx.Client, store: Store, elsewhere: IdentityProvider, claims: dict[str, object]
) -> None:
    elsewhere.claims |= claims
    refused = log_in(browser)
    assert refused.status_code == 403
    assert "没有登录成功" in refused.text
    assert COOKIE not in browser.cookies
    assert account(store, "chen") is None


def test_a_token_that_another_key_signed_lets_nobody_in(browser: httpx.Client, elsewhere: IdentityProvider) -> None:
    elsewhere.key = RSAKey.generate_key(2048, {"kid": "1", "use": "sig"})
    assert log_in(browser).status_code == 403


def test_an_answer_that_this_browser_did_not_ask_for_lets_nobody_in(site: str, elsewhere: IdentityProvider) -> None:
    """Else somebody could be made to work under another's name."""
    with httpx.Client(base_url=site) as theirs:
        asked = theirs.get("/oidc/login").headers["location"]
        answer = urlsplit(httpx.get(asked).headers["location"])
    with httpx.Client(base_url=site) as ours:
        assert ours.get(f"{answer.path}?{answer.query}").status_code == 403
        assert COOKIE not in ours.cookies


def test_other_rights_end_the_former_sessions(browser: httpx.Client, site: str, elsewhere: IdentityProvider) -> None:
    log_in(browser)
    with httpx.Client(base_url=site, follow_redirects=True) as again:
        log_in(again)
        assert browser.get("/", follow_redirects=False).status_code == 200
        elsewhere.claims |= {"fundwatch_areas": "330100"}
        log_in(again)
    assert browser.get("/", follow_redirects=False).status_code == 303


def test_a_local_account_is_taken_over_by_nobody(browser: httpx.Client, store: Store) -> None:
    add_account(store, "chen", "correct-horse-7-battery", Role.VIEWER, (), now(), "test")
    assert log_in(browser).status_code == 403
    who = account(store, "chen")
    assert who is not None
    assert who.role is Role.VIEWER


def test_who_was_disabled_here_stays_outside(browser: httpx.Client, store: Store) -> None:
    log_in(browser)
    disable_account(store, "chen", now(), "test")
    assert log_in(browser).status_code == 403


def test_who_logs_in_elsewhere_has_no_password_here(browser: httpx.Client, store: Store) -> None:
    log_in(browser)
    assert check_login(store, "chen", f"elsewhere:{browser.base_url}", now()) is None
    with pytest.raises(AccountError, match="no password here"):
        reset_password(store, "chen", "correct-horse-8-battery", now(), "test")


def test_a_provider_that_is_away_is_told_and_local_accounts_go_on(store: Store) -> None:
    port = ports.choose(None)[0]
    away = Provider(
        issuer=f"http://127.0.0.1:{port}", client_id=CLIENT, client_secret=SECRET, redirect_url="http://x", roles=ROLES
    )
    with serving(store, provider=away) as site, httpx.Client(base_url=site, headers={"accept": "text/html"}) as browser:
        told = browser.get("/oidc/login")
        assert told.status_code == 503
        assert "统一身份认证暂时没有应答" in told.text
        assert browser.get("/login").status_code == 200


def test_without_a_provider_there_is_no_such_way_in(store: Store) -> None:
    with serving(store) as site:
        assert httpx.get(f"{site}/oidc/login").status_code == 404
        assert "/oidc/" not in httpx.get(f"{site}/login").text


def test_settings_that_lack_something_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNDWATCH_OIDC__ISSUER", "http://id.example")
    with pytest.raises(SettingsError, match="client_secret and redirect_url and roles must be"):
        Settings.load()
    monkeypatch.setenv("FUNDWATCH_OIDC__CLIENT_SECRET", "s")
    monkeypatch.setenv("FUNDWATCH_OIDC__REDIRECT_URL", "https://fundwatch.example/oidc/callback")
    monkeypatch.setenv("FUNDWATCH_OIDC__ROLES", '{"fund-screen": "screener"}')
    with pytest.raises(SettingsError, match="issuer must be an https address"):
        Settings.load()
    monkeypatch.setenv("FUNDWATCH_OIDC__ISSUER", "https://id.example")
    assert Settings.load().oidc.roles == {"fund-screen": "screener"}
