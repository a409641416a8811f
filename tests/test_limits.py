"""Who asks too often waits, and is told how long; who does nothing for long, or works too long, logs in again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from alerts.accounts import Role, account
from alerts.store import Store
from alerts.web.bounds import Bounds
from alerts.web.gate import COOKIE, Gate
from alerts.web.limiting import network
from stream_app.settings import FeedSettings
from tests.browser.site import NAME, SECRET, serving, store_in
from tests.test_reveal import Clock, at, put

BOUNDS = Bounds(
    requests_a_minute=12, tries_a_minute=6, session_idle=timedelta(minutes=30), session_lasts=timedelta(hours=2)
)
CALM = Bounds(session_idle=BOUNDS.session_idle, session_lasts=BOUNDS.session_lasts)


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Iterator[Store]:
    store = store_in(tmp_path, template)
    put(store, "chen", Role.SCREENER)
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_an_account_that_asks_too_often_waits_and_the_others_do_not(store: Store, clock: Clock) -> None:
    with (
        serving(store, clock, bounds=BOUNDS) as site,
        at(site, store, clock, NAME) as busy,
        at(site, store, clock, "chen") as calm,
    ):
        answers = [busy.get("/api/v1/alerts") for _ in range(BOUNDS.requests_a_minute + 1)]
        assert [answer.status_code for answer in answers] == [200] * BOUNDS.requests_a_minute + [429]
        last = answers[-1]
        assert last.headers["content-type"] == "application/problem+json"
        assert last.json()["code"] == "too_often"
        assert 1 <= int(last.headers["retry-after"]) <= 60
        assert busy.get("/").status_code == 429
        assert calm.get("/api/v1/alerts").status_code == 200


def test_an_address_that_tries_to_log_in_too_often_waits_whatever_the_name(store: Store, clock: Clock) -> None:
    with serving(store, clock, bounds=BOUNDS) as site, httpx.Client(base_url=site) as stranger:
        tries = [stranger.get("/api/v1/alerts").status_code for _ in range(4)]
        tries += [stranger.post("/login", data={"name": f"n{i}", "password": "x"}).status_code for i in range(3)]
        assert tries == [401] * 6 + [429]
        assert stranger.get("/healthz").status_code == 200
        with at(site, store, clock, "chen") as calm:
            assert calm.get("/api/v1/alerts").status_code == 200


def test_one_subscribers_addresses_count_as_one() -> None:
    assert network("2001:db8:1:2:aaaa::1") == network("2001:db8:1:2:bbbb::9") != network("2001:db8:1:3::1")
    assert network("10.1.2.3") == "10.1.2.3"


def test_a_session_lasts_while_it_is_used_and_ends_after_half_an_hour_without(store: Store, clock: Clock) -> None:
    with serving(store, clock, bounds=CALM) as site, client_of(site, store, clock) as client:
        for _ in range(3):
            clock.time += timedelta(minutes=25)
            assert client.get("/api/v1/alerts").status_code == 200
        clock.time += timedelta(minutes=30)
        assert client.get("/api/v1/alerts").status_code == 401


def test_what_an_open_page_asks_for_by_itself_keeps_no_session(store: Store, clock: Clock) -> None:
    with serving(store, clock, bounds=CALM) as site, client_of(site, store, clock) as client:
        clock.time += timedelta(minutes=25)
        for path in ("/changes?after=0", "/rail"):
            assert "set-cookie" not in client.get(path).headers
        clock.time += timedelta(minutes=5)
        assert client.get("/changes?after=0").status_code == 401


def test_no_session_outlasts_its_end_however_much_it_is_used(store: Store, clock: Clock) -> None:
    with serving(store, clock, bounds=CALM) as site, client_of(site, store, clock) as client:
        for _ in range(5):
            clock.time += timedelta(minutes=20)
            assert client.get("/api/v1/alerts").status_code == 200
        clock.time += timedelta(minutes=20)
        assert client.get("/api/v1/alerts").status_code == 401


def test_the_settings_are_the_bounds_as_shipped() -> None:
    told = FeedSettings().model_dump(include=set(Bounds.__dataclass_fields__))
    assert Bounds(**told) == Bounds()


def client_of(site: str, store: Store, clock: Clock) -> httpx.Client:
    """Keeps the cookies that it is given."""
    client = httpx.Client(base_url=site)
    who = account(store, NAME)
    assert who is not None
    client.cookies.set(COOKIE, Gate(store, SECRET, clock, CALM).session(who), domain="127.0.0.1")
    return client
