"""What Prometheus reads of the feed: routes by their template, streams without an end, the store by level and state."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Literal

import httpx
import pytest

from alerts import keeper
from alerts.accounts import Role, account, add_account
from alerts.snooze import snooze
from alerts.store import Store
from alerts.web.live import QUEUE, Hub, News, Subscriber
from alerts.web.meter import ELSEWHERE, Meter
from alerts.web.server import create_app
from detectors.finding import Level, Subject
from stream_app import metrics
from stream_app.feed_meter import FeedMeter, sample
from stream_app.status import Status
from tests.leads import NOON, lead, verdict

SECRET = "x" * 40


class Heard(Meter):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, str, int, bool]] = []
        self.reasons: list[str] = []
        self.beaten = asyncio.Event()

    def answered(self, method: str, route: str, status: int, took_s: float | None) -> None:
        self.answers.append((method, route, status, took_s is None))

    def resynced(self, reason: Literal["slow", "gap"]) -> None:
        self.reasons.append(reason)

    def beat(self) -> None:
        self.beaten.set()


@pytest.fixture
def store(tmp_path: Path, sqlite_template: Path) -> Iterator[Store]:
    (tmp_path / "a.db").write_bytes(sqlite_template.read_bytes())
    made = Store.open(f"sqlite:///{tmp_path}/a.db")
    yield made
    made.close()


def asked(store: Store, *paths: str) -> Heard:
    heard = Heard()

    async def ask() -> None:
        app = create_app(store, secret=SECRET, meter=heard)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://feed") as client:
                for path in paths:
                    await client.get(path)
                await asyncio.wait_for(heard.beaten.wait(), 10)

    asyncio.run(ask())
    return heard


def test_a_request_is_counted_under_the_template_of_its_path_and_never_under_an_id(store: Store) -> None:
    heard = asked(store, "/api/v1/alerts/3f0c9a7e", "/healthz", "/no/such/page", "/static/no.js")
    assert heard.answers == [
        ("GET", "/api/v1/alerts/{alert_id}", 401, False),
        ("GET", "/healthz", 200, False),
        ("GET", ELSEWHERE, 404, False),
        ("GET", "/static", 404, False),
    ]


def test_a_hub_that_looks_at_the_store_beats(store: Store) -> None:
    assert asked(store).beaten.is_set()


def test_who_reads_too_slowly_and_who_was_away_too_long_are_told_apart(store: Store) -> None:
    heard = Heard()
    hub = Hub(store, lambda: NOON, heard)
    subscriber = Subscriber()
    told = [subscriber.tell(News(0, seq, ())) for seq in range(QUEUE + 1)]
    assert told == [True] * QUEUE + [False]
    hub._began.set()
    asyncio.run(hub.missed(after=7))  # the store has nothing like it
    assert heard.reasons == ["gap"]


def test_what_stands_is_counted_by_level_and_state_each_alert_once(store: Store) -> None:
    keeper.keep(store, [verdict(lead(f"P1/T{n}", events=(f"e{n}",)), unit=f"u{n}") for n in range(3)], NOON)
    keeper.keep(store, [verdict(lead("P1/T9", level=Level.BLUE, events=("e9",)), unit="u9")], NOON)
    add_account(store, "wang", "correct horse battery staple", Role.SCREENER, (), NOON, by="test")
    screener = account(store, "wang")
    assert screener is not None
    snooze(store, Subject("till", "P1/T1"), screener, NOON + timedelta(days=2), "known", NOON)
    sample(store, NOON + timedelta(hours=1))
    shown = metrics.registry("feed")

    def standing(level: str, state: str) -> float | None:
        return shown.get_sample_value("fundwatch_alerts_standing", {"level": level, "state": state})

    assert [standing("red", state) for state in ("open", "snoozed", "inhibited")] == [2, 1, 0]
    assert standing("blue", "open") == 1
    assert shown.get_sample_value("fundwatch_alerts_unpublished") == store.last_seq()


def test_a_store_that_is_away_makes_the_feed_unready_and_not_dead() -> None:
    status = Status("feed")
    meter = FeedMeter(status)
    meter.away("OperationalError")
    assert (status.stalled(), status.missing()) == ({}, {"store": "OperationalError"})
    meter.beat()
    assert status.missing() == {}


def test_a_method_that_nobody_knows_makes_no_new_series() -> None:
    FeedMeter(Status("feed")).answered("BREW", "/healthz", 405, 0.1)
    labels = {"method": "OTHER", "route": "/healthz", "status": "4xx"}
    assert metrics.registry("feed").get_sample_value("fundwatch_http_requests_total", labels) == 1


def test_a_change_that_somebody_else_was_faster_with_is_counted() -> None:
    before = metrics.registry("feed").get_sample_value("fundwatch_alert_update_conflicts_total") or 0
    meter = FeedMeter(Status("feed"))
    for status in (200, 404, 409, 412):
        meter.answered("POST", "/api/v1/alerts/{alert_id}/moves", status, 0.1)
    assert metrics.registry("feed").get_sample_value("fundwatch_alert_update_conflicts_total") == before + 1
