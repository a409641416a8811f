"""Persons are masked; who works leads sees those of one lead in full for a while, says why, and leaves a trace."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from alerts.accounts import Role, account
from alerts.alert import alert_id
from alerts.kept import AccountRecord
from alerts.reveal import REVEALED, Grant, persons_of
from alerts.store import Store
from alerts.web.bounds import Bounds
from alerts.web.gate import COOKIE, Gate
from alerts.web.meter import Meter
from stream_app import metrics
from stream_app.feed_meter import FeedMeter
from stream_app.status import Status
from tests.browser import leads
from tests.browser.site import SECRET, now, serving, store_in, tell

LEAD = leads.batch()
ID = alert_id(LEAD)
HERE, API = f"/alerts/{ID}", f"/api/v1/alerts/{ID}"
ASK = {"why": "on_site", "note": "到药店核对参保人"}
BOUNDS = Bounds(reveal_for=timedelta(minutes=10), reveals_an_hour=2)


class Clock:
    """Goes only where it is put."""

    def __init__(self) -> None:
        self.time = now()

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Iterator[Store]:
    store = store_in(tmp_path, template)
    for role in Role:
        put(store, role.value, role)
    put(store, "faraway", Role.SCREENER, "330300")
    tell(store, LEAD)
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(store: Store, clock: Clock) -> Iterator[str]:
    with serving(store, clock, bounds=BOUNDS) as address:
        yield address


def put(store: Store, name: str, role: Role, *areas: str) -> None:
    moment = now()
    with store.writing() as writing:
        writing.put_account(AccountRecord(
            name=name, password_hash="", role=role.value, areas=areas, disabled=False, failures=0,
            locked_until=None, created_at=moment, changed_at=moment,
        ))  # fmt: skip


def at(site: str, store: Store, clock: Clock, name: str) -> httpx.Client:
    who = account(store, name)
    assert who is not None
    cookies = {COOKIE: Gate(store, SECRET, clock).session(who)}
    return httpx.Client(base_url=site, cookies=cookies, follow_redirects=True, headers={"accept": "text/html"})


def persons(store: Store) -> tuple[str, ...]:
    found = persons_of(store, ID)
    assert found
    return found


def shown(client: httpx.Client, store: Store, path: str) -> int:
    """How many of the lead's persons stand in full in an answer."""
    answer = client.get(path)
    assert answer.status_code == 200
    return sum(person in answer.text for person in persons(store))


def test_who_says_why_sees_the_persons_of_the_lead_until_the_time_is_over(
    site: str, store: Store, clock: Clock
) -> None:
    with at(site, store, clock, "screener") as chen, at(site, store, clock, "reviewer") as fang:
        assert [shown(chen, store, path) for path in (HERE, API, f"{API}/evidence", "/api/v1/alerts")] == [0, 0, 0, 0]
        assert chen.post(f"{HERE}/reveal", data=ASK | {"next": HERE}).url.path == HERE
        everyone = len(persons(store))
        assert [shown(chen, store, path) for path in (HERE, f"{API}/evidence")] == [everyone, everyone]
        assert chen.get(HERE).headers["refresh"] == f"601;url={HERE}"
        assert [shown(fang, store, path) for path in (HERE, f"{API}/evidence")] == [0, 0]
        clock.time += timedelta(minutes=10)
        assert [shown(chen, store, path) for path in (HERE, f"{API}/evidence")] == [0, 0]
        assert "refresh" not in chen.get(HERE).headers


def test_a_persons_own_page_names_the_person_in_full_while_the_lead_does(site: str, store: Store, clock: Clock) -> None:
    lead = leads.readmitted()
    tell(store, lead)
    with at(site, store, clock, "reviewer") as fang:
        page = fang.get(f"/alerts/{alert_id(lead)}").text
        there = next(part.partition('"')[0] for part in page.split('href="') if part.startswith("/subjects/person/"))
        (person,) = {person for person in persons_of(store, alert_id(lead)) if person in lead.subject.id}
        assert person not in fang.get(there).text
        answer = fang.post(f"/alerts/{alert_id(lead)}/reveal", data=ASK | {"next": there})
        assert (answer.url.path, person in answer.text) == (there, True)


def test_what_was_shown_stands_in_the_trail_and_in_the_leads_history(site: str, store: Store, clock: Clock) -> None:
    with at(site, store, clock, "investigator") as gao:
        answer = gao.post(f"{API}/reveal", json=ASK)
        assert (answer.status_code, answer.json()["persons"]) == (200, list(persons(store)))
        (entry,) = store.events_after(0, kinds=[REVEALED])
        grant = msgspec.json.decode(entry.data, type=Grant)
        assert (entry.actor, entry.alert_id, grant.why.value, grant.note) == ("investigator", ID, *ASK.values())
        assert grant.persons == persons(store)
        assert grant.until == clock.time + BOUNDS.reveal_for
        assert store.chain_broken_at() is None
        assert ASK["note"] in gao.get(HERE).text


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RULES, Role.AUDITOR, Role.ADMIN])
def test_other_roles_are_offered_nothing_and_refused(site: str, store: Store, clock: Clock, role: Role) -> None:
    with at(site, store, clock, role.value) as client:
        assert f"{HERE}/reveal" not in client.get(HERE).text
        assert client.post(f"{HERE}/reveal", data=ASK).status_code == 403
    assert store.events_after(0, kinds=[REVEALED]) == []


def test_a_reason_a_limit_an_hour_and_the_areas_hold(site: str, store: Store, clock: Clock) -> None:
    with at(site, store, clock, "screener") as chen, at(site, store, clock, "faraway") as far:
        assert far.post(f"{API}/reveal", json=ASK).status_code == 404
        assert chen.post(f"{API}/reveal", json=ASK | {"note": " x "}).status_code == 422
        assert chen.post(f"{API}/reveal", json=ASK | {"why": "curious"}).status_code == 400
        assert [chen.post(f"{API}/reveal", json=ASK).status_code for _ in range(3)] == [200, 200, 429]
        clock.time += timedelta(hours=1, seconds=1)
        with at(site, store, clock, "screener") as again:
            assert again.post(f"{API}/reveal", json=ASK).status_code == 200


def test_another_sites_page_cannot_ask(site: str, store: Store, clock: Clock) -> None:
    with at(site, store, clock, "screener") as chen:
        assert chen.post(f"{HERE}/reveal", data=ASK, headers={"sec-fetch-site": "cross-site"}).status_code == 403


def test_each_time_is_counted() -> None:
    meter: Meter = FeedMeter(Status("feed"))
    before = metrics.REVEALS.labels("appeal")._value.get()
    meter.revealed("appeal")
    assert metrics.REVEALS.labels("appeal")._value.get() == before + 1
