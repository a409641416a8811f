"""The feed without a browser: who may see what, what pages and API say, and what is told live."""

import asyncio
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace
from sqlalchemy import select

from alerts import tables as t
from alerts.accounts import FAILURES, Role, account, add_account, check_login, disable_account
from alerts.alert import alert_id
from alerts.kept import Note, Order
from alerts.snooze import snooze
from alerts.store import Store
from alerts.web.charts import chart
from alerts.web.charts.drawing import Chart
from alerts.web.gate import COOKIE, LASTS, POLICY
from alerts.web.live import AT_ONCE, QUEUE, Hub, Resync, Subscriber, as_items, stream
from alerts.web.pages import risk_key, script_words
from alerts.web.server import create_app
from alerts.web.wording import LANGS, Mask, Words, catalogue
from detectors.case import Case
from detectors.catalogue import DETECTORS
from detectors.finding import Certainty, Evidence, Lead, Level, Subject
from replay.run import replay
from tests.browser import leads, more_leads
from tests.browser.site import (
    NAME,
    PASSWORD,
    SECRET,
    now,
    serving,
    session_of,
    store_in,
    take_back,
    tell,
    until,
)
from tests.world import rising

WEB = Path(str(files("alerts.web")))
CHINESE = re.compile(r"[\u4e00-\u9fff]")
PAGES = ("/", "/rows", "/rail")


class Clock:
    """Goes only where it is put."""

    def __init__(self) -> None:
        self.time = now()

    def __call__(self) -> datetime:
        return self.time


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Iterator[Store]:
    store = store_in(tmp_path, template)
    yield store
    store.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stranger(store: Store, clock: Clock) -> Iterator[httpx.Client]:
    """Nobody is logged in."""
    with serving(store, clock) as address, browsing(address) as client:
        yield client


def browsing(address: str) -> httpx.Client:
    """Asks for pages, and follows where it is sent."""
    return httpx.Client(base_url=address, headers={"accept": "text/html"}, follow_redirects=True, timeout=20)


def log_in(client: httpx.Client, name: str = NAME, password: str = PASSWORD) -> httpx.Response:
    return client.post("/login", data={"name": name, "password": password}, follow_redirects=False)


@pytest.fixture
def reader(stranger: httpx.Client, store: Store, clock: Clock) -> httpx.Client:
    """Somebody who may see everything; there is one lead of each kind."""
    tell(store, *leads.every_kind())
    stranger.cookies.set(COOKIE, session_of(store, clock))
    return stranger


def page_of(lead: Lead) -> str:
    return f"/alerts/{alert_id(lead)}"


# -- who may come in


@pytest.mark.parametrize("path", [*PAGES, "/alerts/x", "/alerts/x/panel", "/live", "/changes?after=0"])
def test_a_page_sends_a_stranger_to_the_log_in(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(path, follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login?next=")


@pytest.mark.parametrize(
    "path", ["alerts", "alerts/facets", "alerts/stream", "alerts/x", "alerts/x/evidence", "openapi.json"]
)
def test_the_api_tells_a_stranger_to_log_in(stranger: httpx.Client, path: str) -> None:
    answer = stranger.get(f"/api/v1/{path}")
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "login_needed"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(stranger: httpx.Client) -> None:
    cookie = log_in(stranger).headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie


def test_a_wrong_password_says_so_and_opens_nothing(stranger: httpx.Client) -> None:
    answer = log_in(stranger, password="wrong")
    assert answer.status_code == 401
    assert catalogue("zh")["login.refused"] in answer.text
    assert stranger.get("/", follow_redirects=False).status_code == 303


def test_guessing_locks_the_account(stranger: httpx.Client) -> None:
    for _ in range(FAILURES):
        log_in(stranger, password="wrong")
    assert log_in(stranger).status_code == 401


def test_a_session_ends_after_a_shift(reader: httpx.Client, clock: Clock) -> None:
    clock.time += LASTS
    assert reader.get("/", follow_redirects=False).status_code == 303


def test_a_session_ends_when_the_account_is_disabled(reader: httpx.Client, store: Store) -> None:
    disable_account(store, NAME, now(), "test")
    assert reader.get("/", follow_redirects=False).status_code == 303


def test_a_forged_session_is_none(stranger: httpx.Client) -> None:
    stranger.cookies.set(COOKIE, "eyJuYW1lIjoiemhvdW1pbiJ9.forged")
    assert stranger.get("/", follow_redirects=False).status_code == 303


def test_logging_out_ends_it(stranger: httpx.Client) -> None:
    log_in(stranger)
    assert stranger.get("/", follow_redirects=False).status_code == 200
    copied = dict(stranger.cookies)
    stranger.post("/logout")
    assert stranger.get("/", follow_redirects=False).status_code == 303
    stranger.cookies.update(copied)
    assert stranger.get("/", follow_redirects=False).status_code == 303


def test_who_changes_the_password_stays_and_every_other_session_ends(stranger: httpx.Client, store: Store) -> None:
    log_in(stranger)
    with httpx.Client(base_url=stranger.base_url, headers=stranger.headers) as other:
        log_in(other)
        new = "another-Horse-7-battery"
        form = {"old": PASSWORD, "new": new, "again": new}
        for wrong, status in (
            ({"old": "no"}, 403), ({"again": "x"}, 422), ({"new": "short", "again": "short"}, 422),
            ({"new": NAME * 3, "again": NAME * 3}, 422),
        ):  # fmt: skip
            assert stranger.post("/account/password", data=form | wrong).status_code == status, wrong
        answer = stranger.post("/account/password", data=form, follow_redirects=False)
        assert answer.headers["location"] == "/account?changed=true"
        assert "密码已修改" in stranger.get("/account?changed=true").text
        assert other.get("/", follow_redirects=False).status_code == 303
    assert check_login(store, NAME, PASSWORD, now()) is None
    assert check_login(store, NAME, new, now()) is not None


def test_wrong_guesses_of_the_own_password_lock_the_account_as_at_the_door(stranger: httpx.Client) -> None:
    log_in(stranger)
    good = "another-Horse-7-battery"
    for _ in range(FAILURES):
        stranger.post("/account/password", data={"old": "guess", "new": good, "again": good})
    locked = stranger.post("/account/password", data={"old": PASSWORD, "new": good, "again": good})
    assert locked.status_code == 403


EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Edg/142.0"


@contextmanager
def elsewhere(stranger: httpx.Client, agent: str) -> Iterator[httpx.Client]:
    """The same account, logged in on another machine."""
    with httpx.Client(base_url=stranger.base_url, headers={**stranger.headers, "user-agent": agent}) as other:
        log_in(other)
        yield other


def test_where_an_account_is_logged_in_is_listed_and_each_place_can_be_ended(
    stranger: httpx.Client, store: Store
) -> None:
    log_in(stranger)
    with elsewhere(stranger, EDGE) as office, elsewhere(stranger, "nightly-export/2.1") as program:
        page = stranger.get("/account").text
        assert "密码或权限最近一次变更" in page
        assert "Edge · Windows" in page
        assert "nightly-export/2.1" in page
        (one,) = (name for name, agent in named_sessions(store) if agent == EDGE)
        ended = {"session": one, "old": PASSWORD}
        assert stranger.post("/account/sessions", data=ended | {"old": "guess"}).status_code == 403
        assert office.get("/", follow_redirects=False).status_code == 200
        assert "已退出1处登录" in stranger.post("/account/sessions", data=ended).text
        assert office.get("/", follow_redirects=False).status_code == 303
        assert program.get("/", follow_redirects=False).status_code == 200
        stranger.post("/account/sessions", data={"old": PASSWORD})
        assert program.get("/", follow_redirects=False).status_code == 303
        assert stranger.get("/", follow_redirects=False).status_code == 200
        assert "Edge" not in stranger.get("/account").text
    told = [entry.data for entry in store.events_after(0, kinds=("sessions_ended",))]
    assert len(told) == 2


def test_nobody_ends_the_sessions_of_another_account(stranger: httpx.Client, store: Store) -> None:
    log_in(stranger)
    add_account(store, "hou", PASSWORD + "!", Role.VIEWER, (), now(), "test")
    with httpx.Client(base_url=stranger.base_url, headers=stranger.headers) as hou:
        log_in(hou, "hou", PASSWORD + "!")
        for one, _ in named_sessions(store):
            hou.post("/account/sessions", data={"session": one, "old": PASSWORD + "!"})
    assert stranger.get("/", follow_redirects=False).status_code == 200


def named_sessions(store: Store) -> list[tuple[str, str]]:
    with store.engine.connect() as db:
        return [(name, agent) for name, agent in db.execute(select(t.session.c.id, t.session.c.agent))]


def test_over_https_the_cookie_is_this_hosts_alone(stranger: httpx.Client) -> None:
    behind = {"x-forwarded-proto": "https"}
    form = {"name": NAME, "password": PASSWORD}
    given = stranger.post("/login", data=form, headers=behind, follow_redirects=False).headers["set-cookie"]
    assert given.startswith(f"__Host-{COOKIE}=")
    assert "secure" in given.lower()
    assert "domain=" not in given.lower()
    shown = {**behind, "cookie": given.partition(";")[0]}
    assert stranger.get("/", headers=shown, follow_redirects=False).status_code == 200
    planted = {**behind, "cookie": given.partition(";")[0].removeprefix("__Host-")}
    assert stranger.get("/", headers=planted, follow_redirects=False).status_code == 303


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "cross-site"}, {"origin": "https://elsewhere.example"}, {"origin": "null"}]
)
@pytest.mark.parametrize("path", ["/login", "/logout", "/alerts/x/snooze", "/alerts/x/wake"])
def test_another_site_cannot_make_us_write(stranger: httpx.Client, path: str, headers: dict[str, str]) -> None:
    answer = stranger.post(path, data={"name": NAME, "password": PASSWORD}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("there", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"])
def test_the_log_in_sends_nobody_to_another_site(stranger: httpx.Client, there: str) -> None:
    form = {"name": NAME, "password": PASSWORD, "next": there}
    assert stranger.post("/login", data=form, follow_redirects=False).headers["location"] == "/"


@pytest.mark.parametrize("path", ["/login", "/", "/nowhere", "/static/feed.css", "/healthz", "/api/v1/alerts"])
def test_every_answer_keeps_the_page_shut(stranger: httpx.Client, path: str) -> None:
    headers = stranger.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] in ("no-store", "no-cache")


def test_a_short_secret_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="32 are needed"):
        create_app(store, secret="short")


def test_health_needs_no_log_in(stranger: httpx.Client) -> None:
    assert stranger.get("/healthz").status_code == 200
    assert stranger.get("/readyz").json() == {"status": "ok"}


def test_not_ready_says_what_to_do(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/none.db")
    with serving(store) as address:
        answer = httpx.get(f"{address}/readyz")
    store.close()
    assert answer.status_code == 503
    assert "fundwatch db upgrade" in answer.text


def test_a_store_that_is_away_is_told_with_a_number(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/no/such/folder/alerts.db")
    with serving(store) as address, browsing(address) as client:
        answer = log_in(client)
    store.close()
    assert answer.status_code == 503
    assert catalogue("zh")["problem.store_away"] in answer.text


# -- areas and roles


def limited(client: httpx.Client, store: Store, areas: tuple[str, ...], role: Role = Role.SCREENER) -> None:
    add_account(store, "limited", PASSWORD, role, areas, now(), "test")
    assert log_in(client, "limited").status_code == 303


def test_another_area_cannot_be_listed_opened_counted_or_guessed(stranger: httpx.Client, store: Store) -> None:
    tell(store, *leads.every_kind())
    limited(stranger, store, ("330300",))
    hidden = leads.batch()
    assert stranger.get("/api/v1/alerts").json()["items"] == []
    assert stranger.get("/api/v1/alerts/facets").json()["total"] == 0
    assert 'class="row' not in stranger.get("/").text
    name = alert_id(hidden)
    for path in (
        f"/alerts/{name}",
        f"/alerts/{name}/panel",
        f"/api/v1/alerts/{name}",
        f"/api/v1/alerts/{name}/evidence",
    ):
        assert stranger.get(path).status_code == 404
    assert stranger.get("/changes?after=0").json()["changes"] == []


def test_an_area_sees_its_own(stranger: httpx.Client, store: Store) -> None:
    tell(store, leads.batch(), leads.far_apart())
    limited(stranger, store, ("330104",))
    found = stranger.get("/api/v1/alerts").json()["items"]
    assert [one["detector"] for one in found] == ["geo_time_conflict"]


def test_an_administrator_sees_no_business_data(stranger: httpx.Client, store: Store) -> None:
    limited(stranger, store, (), Role.ADMIN)
    assert stranger.get("/").status_code == 403
    assert stranger.get("/api/v1/alerts").json()["code"] == "forbidden"


def test_opening_a_lead_is_written_down(reader: httpx.Client, store: Store) -> None:
    reader.get(page_of(leads.batch()))
    (view,) = store.events_after(0, kinds=("viewed",))
    assert (view.actor, view.alert_id) == (NAME, alert_id(leads.batch()))


# -- the list


def rows_of(client: httpx.Client, query: str) -> int:
    return client.get(f"/{query}").text.count('<li class="item')


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", 6),
        ("?level=red", 2),
        ("?level=red&level=orange", 4),
        ("?detector=geo_time_conflict", 1),
        ("?level=red&detector=geo_time_conflict", 0),
        ("?status=withdrawn", 0),
        ("?q=追溯码", 1),
        ("?q=P33020310315", 2),
        ("?order=gravest", 6),
        ("?order=newest", 6),
        ("?status=snoozed", 0),
        ("?inhibited=no", 6),
        ("?inhibited=yes", 0),
    ],
)
def test_filters_stand_in_the_address(reader: httpx.Client, query: str, expected: int) -> None:
    assert rows_of(reader, query) == expected


@pytest.mark.parametrize(
    "query", ["?level=purple", "?status=closed", "?inhibited=maybe", "?order=best", "?q=" + "x" * 101]
)
def test_a_condition_that_is_none_is_named(reader: httpx.Client, query: str) -> None:
    assert reader.get(f"/{query}").status_code == 400
    answer = reader.get(f"/api/v1/alerts{query}")
    assert answer.status_code == 400
    assert query[1:].split("=")[0] in answer.json()["detail"]


def test_the_gravest_come_first_if_asked(reader: httpx.Client) -> None:
    found = reader.get("/api/v1/alerts?order=gravest").json()["items"]
    assert [one["level"] for one in found] == ["red", "red", "orange", "orange", "yellow", "blue"]


def test_the_list_stands_in_the_order_of_risk_beside_the_newest_first(reader: httpx.Client) -> None:
    by_risk = re.findall('data-level="([a-z]+)"', reader.get("/").text)
    assert by_risk == ["red", "red", "orange", "orange", "yellow", "blue"]
    newest = re.findall('data-id="([^"]+)"', reader.get("/?order=newest").text)
    assert newest == [alert_id(lead) for lead in reversed(leads.every_kind())]


def test_a_text_compares_as_the_risk_order_does(store: Store) -> None:
    batch = leads.batch()
    tell(
        store,
        *leads.every_kind(),
        replace(leads.named(batch, "a"), amount_at_risk_fen=-5),
        replace(leads.named(batch, "b"), amount_at_risk_fen=-50),
        replace(leads.named(batch, "c"), certainty=Certainty.DEFINITE),
        replace(leads.named(batch, "d"), last_seen=batch.last_seen + timedelta(hours=1)),
    )
    rows = store.page(order=Order.GRAVEST).items
    assert sorted(map(risk_key, rows), reverse=True) == list(map(risk_key, rows))


def test_pages_follow_one_another_without_a_gap(reader: httpx.Client) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        page = reader.get("/api/v1/alerts", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        seen += [one["alert_id"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == sorted(map(alert_id, leads.every_kind()))


def test_a_cursor_of_somebody_else_is_refused(reader: httpx.Client) -> None:
    assert reader.get("/api/v1/alerts?cursor=nonsense").json()["code"] == "bad_request"


def test_more_is_a_piece_of_a_page(reader: httpx.Client) -> None:
    assert "<html" not in reader.get("/rows").text
    assert reader.get("/rows").text.count('<li class="item') == 6


def test_an_empty_list_says_that_silence_is_not_innocence(stranger: httpx.Client) -> None:
    log_in(stranger)
    assert catalogue("zh")["feed.empty.never"] in stranger.get("/").text


def test_an_empty_filter_says_what_dropping_it_gives(reader: httpx.Client) -> None:
    text = reader.get("/?level=blue&detector=card_batch_swipe").text
    assert "不限等级和事由时有6条" in text


# -- a lead's page


def test_a_lead_shows_figures_exclusions_law_checks_and_rows(reader: httpx.Client) -> None:
    lead = leads.batch()
    text = reader.get(page_of(lead)).text
    for said in (
        "间隔中位数",
        "≤ 60秒",
        "X02",
        "2人与同户亲属合并为一次",
        "第十五条",
        "案由",
        "3月17日 20:54:09—21:21:19",
    ):
        assert said in text
    assert all(event.event_id in text for event in lead.evidence)


@pytest.mark.parametrize("path", ["/", "page"])
def test_pages_show_only_the_tail_of_a_person(reader: httpx.Client, path: str) -> None:
    for lead in leads.every_kind():
        text = reader.get(page_of(lead) if path == "page" else path).text
        for event in lead.evidence:
            assert not event.person or event.person not in text
            assert event.org not in text


def test_a_withdrawn_lead_stays_with_its_reason(reader: httpx.Client, store: Store) -> None:
    take_back(store, leads.taken_back(leads.batch()))
    text = reader.get(page_of(leads.batch())).text
    assert "重新判断后本条不再成立" in text
    assert catalogue("zh")["lead.history.withdrawn"] in text
    assert rows_of(reader, "?status=withdrawn") == 1


def test_the_history_tells_when_a_level_rose(reader: httpx.Client, store: Store) -> None:
    tell(store, leads.graver(leads.far_apart(), Level.RED), ticket=2)
    assert "升为红" in reader.get(page_of(leads.far_apart())).text


def test_a_lead_that_is_not_there_is_told_kindly(reader: httpx.Client) -> None:
    answer = reader.get("/alerts/nothing")
    assert answer.status_code == 404
    assert catalogue("zh")["problem.not_found"] in answer.text


# -- what stands beside a lead: stronger ones, snoozes


def beside(client: httpx.Client) -> dict[str, tuple[str | None, str | None]]:
    items = client.get("/api/v1/alerts").json()["items"]
    return {one["alert_id"]: (one["inhibited_by"], one["snoozed_until"]) for one in items}


def test_a_lead_on_the_events_of_a_graver_one_says_so_and_stays_in_the_list(reader: httpx.Client, store: Store) -> None:
    tell(store, leads.milder())
    said, page = catalogue("zh")["feed.quiet.inhibited"], alert_id(leads.milder())
    assert beside(reader)[page] == (alert_id(leads.batch()), None)
    assert reader.get("/").text.count(said) == 1
    assert (rows_of(reader, "?inhibited=no"), rows_of(reader, "?inhibited=yes")) == (6, 1)
    for path in (f"/alerts/{page}", f"/alerts/{page}/panel"):
        text = reader.get(path).text
        assert said in text
        assert f'href="{page_of(leads.batch())}"' in text
    assert f'href="/alerts/{page}"' in reader.get(page_of(leads.batch())).text
    assert catalogue("zh")["lead.history.inhibited"] in reader.get(f"/alerts/{page}").text


def test_a_graver_lead_of_another_area_is_told_without_its_name(stranger: httpx.Client, store: Store) -> None:
    elsewhere = replace(leads.batch(), orgs=("P44010210119",))
    tell(store, leads.milder(), elsewhere)
    limited(stranger, store, ("330100",))
    for path in (
        "/",
        f"/alerts/{alert_id(leads.milder())}",
        f"/alerts/{alert_id(leads.milder())}/panel",
        "/changes?after=0",
    ):
        text = stranger.get(path).text
        assert catalogue("zh")["feed.quiet.elsewhere"] in text
        assert alert_id(elsewhere) not in text
    assert beside(stranger) == {alert_id(leads.milder()): ("", None)}


def test_a_subject_named_before_says_how_often_on_row_and_page(reader: httpx.Client, store: Store) -> None:
    tell(store, leads.named_again())
    assert reader.get("/").text.count("此前被点名1次") == 1
    assert catalogue("zh")["lead.fact.named"] in reader.get(page_of(leads.named_again())).text
    assert catalogue("zh")["lead.fact.named"] not in reader.get(page_of(leads.far_apart())).text


def rest(client: httpx.Client, lead: Lead, days: object = 7, reason: str = "等药店回函") -> httpx.Response:
    return client.post(f"{page_of(lead)}/snooze", data={"days": str(days), "reason": reason}, follow_redirects=False)


def test_a_screener_lets_a_subject_rest_and_it_stands_under_its_filter(reader: httpx.Client, store: Store) -> None:
    lead = leads.far_apart()
    assert rest(reader, lead).headers["location"] == page_of(lead)
    assert (rows_of(reader, ""), rows_of(reader, "?status=snoozed"), rows_of(reader, "?status=withdrawn")) == (5, 1, 0)
    assert rows_of(reader, "?status=open&status=snoozed") == 6
    page = reader.get(page_of(lead)).text
    for said in ("等药店回函", "橙级及以下", "暂缓对象至", catalogue("zh")["lead.snooze.end"]):
        assert said in page
    (entry,) = store.events_after(0, kinds=("snoozed",))
    assert (entry.actor, entry.alert_id) == (NAME, alert_id(lead))
    assert reader.get("/api/v1/alerts/facets").json()["statuses"] == {"open": 5, "snoozed": 1}


def test_a_screener_ends_it(reader: httpx.Client, store: Store) -> None:
    rest(reader, leads.far_apart())
    reader.post(f"{page_of(leads.far_apart())}/wake")
    assert rows_of(reader, "") == 6
    assert [entry.actor for entry in store.events_after(0, kinds=("woken",))] == [NAME]


def test_it_ends_by_itself_on_every_page(reader: httpx.Client, clock: Clock) -> None:
    rest(reader, leads.far_apart(), days=1)
    clock.time += timedelta(hours=11)
    log_in(reader)
    assert rows_of(reader, "") == 5
    clock.time += timedelta(hours=13)
    log_in(reader)
    assert rows_of(reader, "") == 6
    until(lambda: catalogue("zh")["lead.history.woken.time"] in reader.get(page_of(leads.far_apart())).text)


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.SCREENER, Role.ADMIN)])
def test_who_is_no_screener_sees_no_button_and_is_refused(stranger: httpx.Client, store: Store, role: Role) -> None:
    tell(store, leads.far_apart())
    limited(stranger, store, (), role)
    assert "/snooze" not in stranger.get(page_of(leads.far_apart())).text
    assert rest(stranger, leads.far_apart()).status_code == 403
    assert stranger.post(f"{page_of(leads.far_apart())}/wake").status_code == 403
    answer = stranger.put(f"/api/v1{page_of(leads.far_apart())}/snooze", json={"until": LATER, "reason": "x"})
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    assert store.events_after(0, kinds=("snoozed", "woken")) == []


LATER = (now() + timedelta(days=2)).isoformat()


@pytest.mark.parametrize(("days", "reason"), [(0, "x"), (31, "x"), ("many", "x"), (1, " "), (1, "x" * 201)])
def test_a_snooze_without_reason_or_end_is_refused(reader: httpx.Client, days: object, reason: str) -> None:
    assert rest(reader, leads.far_apart(), days, reason).status_code == 400
    assert rows_of(reader, "") == 6


def test_a_lead_of_another_area_cannot_be_snoozed(stranger: httpx.Client, store: Store) -> None:
    tell(store, leads.far_apart())
    limited(stranger, store, ("440000",))
    assert rest(stranger, leads.far_apart()).status_code == 404
    assert stranger.post(f"{page_of(leads.far_apart())}/wake").status_code == 404


def test_the_api_snoozes_and_wakes(reader: httpx.Client) -> None:
    address = f"/api/v1{page_of(leads.far_apart())}/snooze"
    answer = reader.put(address, json={"until": LATER, "reason": "等药店回函"}).json()
    assert (answer["subject_kind"], answer["level"], answer["set_by"]) == ("person", "orange", NAME)
    assert reader.get("/api/v1/alerts?status=snoozed").json()["items"][0]["snoozed_until"] is not None
    assert (reader.delete(address).status_code, reader.delete(address).status_code) == (204, 204)
    assert reader.get("/api/v1/alerts?status=snoozed").json()["items"] == []


@pytest.mark.parametrize(
    "body", ["", "{}", '{"until": "2026-03-12T00:00:00", "reason": "x"}', '{"until": "soon", "reason": "x"}', "[1]"]
)
def test_the_api_says_what_is_wrong_with_a_snooze(reader: httpx.Client, body: str) -> None:
    answer = reader.put(
        f"/api/v1{page_of(leads.far_apart())}/snooze", content=body, headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_a_reason_is_escaped(reader: httpx.Client) -> None:
    rest(reader, leads.far_apart(), reason="<script>alert(1)</script>")
    assert "<script>alert" not in reader.get(page_of(leads.far_apart())).text


# -- charts


EVERY_KIND = [*leads.every_kind(), *more_leads.ten_kinds()]


def drawn_as(lead: Lead, lang: str = "zh", events: Sequence[Evidence] | None = None) -> Chart | None:
    words = Words("en" if lang == "en" else "zh", now())
    shown = lead.evidence if events is None else events
    period = lead.period.since, lead.period.to
    return chart(lead.detector, shown, frozenset(lead.events), lead.figures, None, words, period)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("lead", [*EVERY_KIND, *more_leads.much_and_little()], ids=lambda lead: lead.detector)
def test_every_picture_is_a_table_too(lead: Lead, lang: str) -> None:
    drawn = drawn_as(lead, lang)
    assert drawn is not None
    assert drawn.rows
    assert all(len(row) == len(drawn.head) for row in drawn.rows)
    assert "style=" not in drawn.svg
    assert lang == "zh" or not CHINESE.search(drawn.svg)


@pytest.mark.parametrize("lead", EVERY_KIND, ids=lambda lead: lead.detector)
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_picture_copes_with_little(lead: Lead, count: int) -> None:
    drawn = drawn_as(lead, events=lead.evidence[:count])
    assert (drawn is None) == (count == 0 and lead.detector != "upload_gap")  # a silence is drawn without records


OWN_PICTURE = {
    "batch_admission": "admitted",
    "drug_overstock": "stock",
    "empty_swipe_reverse": "pairs",
    "ghost_bed_no_service": "services",
    "ineligible_credential_use": "status",
    "inventory_imbalance": "balance",
    "multi_org_burst": "burst",
    "rx_missing_or_forged": "scripts",
    "suspended_org_settlement": "status",
    "upload_gap": "silence",
}


@pytest.mark.parametrize("lead", more_leads.ten_kinds(), ids=lambda lead: lead.detector)
def test_each_of_the_ten_has_a_picture_of_its_own(lead: Lead) -> None:
    drawn = drawn_as(lead)
    assert drawn is not None
    assert drawn.title == catalogue("zh")[f"chart.{OWN_PICTURE[lead.detector]}.title"]


@pytest.mark.parametrize("lead", more_leads.ten_kinds(), ids=lambda lead: lead.detector)
def test_a_picture_without_its_figures_is_a_time_line(lead: Lead) -> None:
    drawn = drawn_as(replace(lead, figures=()))
    assert drawn is not None
    assert drawn.rows


def cases_of(detector: str) -> list[Case]:
    """What the detector's own file says fires."""
    paths = Path(str(files("detectors"))).glob("*/*_cases.py")
    modules = [import_module(f"detectors.{path.parent.name}.{path.stem}") for path in sorted(paths)]
    named = (case for module in modules for case in module.CASES if case.detector.id == detector)  # parts: a time line
    return [case for case in named if case.fires]


@pytest.mark.parametrize("detector", sorted(OWN_PICTURE))
def test_what_a_detector_says_of_its_own_cases_can_be_drawn(detector: str) -> None:
    title = catalogue("zh")[f"chart.{OWN_PICTURE[detector]}.title"]
    for case in cases_of(detector)[:25]:
        for said in replay([[*case.known, *case.story]], [case.detector], on_crash=rising).values():
            titles = [drawn.title for lead in said if (drawn := drawn_as(lead)) is not None]
            assert titles == [title] * len(said), case.name


@pytest.mark.parametrize(
    ("lead", "said"),
    [
        (more_leads.fetched(40), "另有10人没有画出"),
        (more_leads.taken_back_again(34), "另有4对没有画出"),
        (more_leads.suspended(), "最多一天5笔"),
        (more_leads.long_lost_card(), "2024年2月1日起（图左之外）"),
        (more_leads.overstock(), "可用到6月4日"),
        (more_leads.empty_shelf(), "短缺120盒"),
        (more_leads.silent_stock(), "容许 30小时"),
    ],
    ids=lambda it: getattr(it, "detector", it),
)
def test_what_a_picture_leaves_out_or_sums_up_it_says(lead: Lead, said: str) -> None:
    drawn = drawn_as(lead)
    assert drawn is not None
    assert said in drawn.svg


def test_a_curve_is_drawn_only_where_it_is_known() -> None:
    single, many = drawn_as(more_leads.overstock()), drawn_as(more_leads.overstock(single=False))
    assert single is not None
    assert many is not None
    assert "可用到" in single.svg
    assert "可用到" not in many.svg


def test_a_long_batch_is_cut_and_says_so() -> None:
    lead = leads.batch(cards=40)
    drawn = chart(lead.detector, lead.evidence, frozenset(lead.events), (), None, Words("zh", now()))
    assert drawn is not None
    assert "另有10张没有画出" in drawn.svg
    assert len(drawn.rows) == 40


def test_a_kind_without_a_picture_has_a_time_line() -> None:
    lead = leads.batch()
    drawn = chart("some_new_detector", lead.evidence, frozenset(lead.events), (), None, Words("zh", now()))
    assert drawn is not None
    assert drawn.title == catalogue("zh")["chart.line.title"]


# -- words


def test_both_languages_have_every_text() -> None:
    assert catalogue("zh").keys() == catalogue("en").keys()
    assert not [key for key, text in catalogue("en").items() if CHINESE.search(text) and key != "lang.other"]
    assert not [key for key, text in catalogue("zh").items() if "|" in text]


def test_both_languages_fill_in_the_same_values() -> None:
    slots = re.compile(r"\{(\w+)\}")
    for key, zh in catalogue("zh").items():
        en = catalogue("en")[key].rpartition("|")[2]
        assert set(slots.findall(en)) == set(slots.findall(zh)), key


def _keys_asked() -> set[str]:
    """Every key that templates, programs and scripts name in full."""
    found: set[str] = set()
    for path in [*WEB.rglob("*.html"), *WEB.rglob("*.py"), *WEB.rglob("*.js")]:
        text = path.read_text()
        found.update(re.findall(r"""(?:\bt|words|say|map\(words, )\(\s*["']([a-z_]+\.[a-z_.]+)["']\s*[,)]""", text))
    return found


def test_every_key_that_is_asked_for_has_a_text() -> None:
    asked = _keys_asked()
    assert len(asked) > 100
    assert asked <= catalogue("zh").keys()


def test_every_figure_and_exclusion_of_a_detector_has_a_word() -> None:
    source = "".join(path.read_text() for path in Path(str(files("detectors"))).rglob("*.py"))
    figures = set(re.findall(r"""(?:Figure|_measured)\(\s*"([a-z_0-9]+)\"""", source))
    codes = set(re.findall(r"""\(\s*"(X\d\d)",""", source))
    assert figures
    assert codes
    known = catalogue("zh").keys()
    assert [name for name in sorted(figures) if f"figure.{name}" not in known] == []
    assert [code for code in sorted(codes) if f"exclusion.{code}" not in known] == []
    assert [d.id for d in DETECTORS if f"detector.{d.id.partition('/')[0]}" not in known] == []


def test_scripts_are_given_the_texts_they_speak() -> None:
    spoken = re.findall(r"""say\("([a-z_.]+)\"""", "".join(path.read_text() for path in WEB.rglob("*.js")))
    assert set(spoken) <= script_words("zh").keys()


class _Foreign(HTMLParser):
    """Chinese text outside elements that say they are Chinese."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[bool] = []
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "link", "input", "br", "rect", "line", "path", "circle"):
            self.open.append((self.open or [False])[-1] or dict(attrs).get("lang", "").startswith("zh"))

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("rect", "line", "path", "circle") and self.open:
            self.open.pop()

    def handle_data(self, data: str) -> None:
        if CHINESE.search(data) and not (self.open or [False])[-1]:
            self.found.append(data.strip())


def test_the_english_pages_are_english(reader: httpx.Client, store: Store) -> None:
    take_back(store, leads.taken_back(leads.readmitted()))
    reader.get("/prefer?lang=en")
    tell(store, leads.milder())
    rest(reader, leads.far_apart(), reason="asked the pharmacy")
    paths = ("/", "/?status=withdrawn", "/?status=snoozed", "/nowhere", page_of(leads.milder()))
    for path in (*paths, *map(page_of, leads.every_kind())):
        parser = _Foreign()
        parser.feed(reader.get(path).text)
        assert parser.found == [], path


def test_numbers_are_bold_with_their_unit_and_dates_are_not() -> None:
    said = Words("zh", now()).sentence("3月8日2小时5分钟内<b>连刷13人")
    assert said == "3月8日<b class=nb>2小时5分钟</b>内&lt;b&gt;连刷<b class=nb>13人</b>"


def test_a_row_has_three_bold_facts_at_most() -> None:
    said = Words("zh", now()).sentence("1次、2次、3次、4次", 3)
    assert said.count("<b ") == 3
    assert "<span class=nb>4次</span>" in said


def test_ids_inside_sentences_are_masked() -> None:
    words = Words("zh", now())
    mask = Mask.of(words, ["p0b70f99342ef7ec9"])
    assert mask("查P33010210007的p0b70f99342ef7ec9") == "查P33****10007的尾号 7EC9"


def test_the_year_is_named_across_years() -> None:
    words = Words("zh", datetime(2027, 1, 2, tzinfo=UTC))
    assert words.day(datetime(2026, 12, 31, 20, tzinfo=UTC)) == "1月1日"
    assert words.day(datetime(2026, 12, 30, 20, tzinfo=UTC)) == "2026年12月31日"


def test_articles_are_counted_in_english() -> None:
    assert Words("en", now()).article("第三十八条第一项") == "Article 38(1)"
    assert Words("en", now()).article("第十七条") == "Article 17"


# -- what may not be in a template or script


def test_templates_hold_no_script_no_style_and_no_unescaped_value() -> None:
    for path in WEB.rglob("*.html"):
        text = path.read_text()
        assert not re.search(r"\sstyle=|\son[a-z]+=|<style|\|\s*safe|javascript:|https?://", text), path
        assert not re.search(r"<script(?![^>]*(?:src=|application/json))", text), path


def test_scripts_never_write_html_and_ask_nobody_else() -> None:
    for path in WEB.rglob("*.js"):
        text = path.read_text()
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text), path
        assert "https://" not in text


def test_values_are_escaped(stranger: httpx.Client, store: Store) -> None:
    tell(store, leads.saying(leads.far_apart(), "<img src=x onerror=alert(1)>"))
    log_in(stranger)
    for path in ("/", page_of(leads.far_apart()), "/changes?after=0"):
        assert "<img src=x" not in stranger.get(path).text.replace("\\u003c", "<")


# -- API


def test_the_api_gives_the_alert_of_the_topic(reader: httpx.Client) -> None:
    lead = leads.batch()
    answer = reader.get(f"/api/v1{page_of(lead)}")
    assert answer.headers["etag"] == '"1"'
    assert answer.json()["amount_at_risk"] == "2948.14"
    assert answer.json()["period"].keys() == {"from", "to"}


def test_the_api_gives_the_evidence_oldest_first(reader: httpx.Client) -> None:
    events = reader.get(f"/api/v1{page_of(leads.batch())}/evidence").json()
    assert [event["event_id"] for event in events] == [event.event_id for event in leads.batch().evidence]


def test_facets_count_what_each_choice_would_show(reader: httpx.Client) -> None:
    facets = reader.get("/api/v1/alerts/facets?level=red").json()
    assert facets["levels"] == {"red": 2, "orange": 2, "yellow": 1, "blue": 1}
    assert facets["detectors"] == {"card_batch_swipe": 1, "trace_code_repeat": 1}
    assert facets["total"] == 2


def test_the_api_speaks_the_language_asked_for(stranger: httpx.Client) -> None:
    answer = stranger.get("/api/v1/alerts", headers={"accept-language": "en-GB"})
    assert answer.json()["title"] == catalogue("en")["problem.login_needed"]


def test_the_description_names_every_path_and_shape(reader: httpx.Client) -> None:
    document = reader.get("/api/v1/openapi.json").json()
    assert set(document["paths"]) == {
        "/api/v1/alerts",
        "/api/v1/alerts/facets",
        "/api/v1/alerts/stream",
        "/api/v1/alerts/bulk",
        "/api/v1/alerts/next",
        "/api/v1/views",
        "/api/v1/alerts/{alert_id}",
        "/api/v1/alerts/{alert_id}/evidence",
        "/api/v1/alerts/{alert_id}/reveal",
        "/api/v1/alerts/{alert_id}/snooze",
        "/api/v1/alerts/{alert_id}/work",
        "/api/v1/alerts/{alert_id}/moves",
        "/api/v1/alerts/{alert_id}/comments",
        "/api/v1/ledgers",
        "/api/v1/ledgers/{kind}/{name}",
        "/api/v1/audit",
        "/api/v1/leads",
        "/api/v1/leads/{alert_id}",
        "/api/v1/leads/{alert_id}/origin",
        "/api/v1/leads/{alert_id}/paper",
        "/api/v1/outcomes",
        "/api/v1/indicators",
        "/api/v1/alerts/{alert_id}/papers",
        "/api/v1/alerts/{alert_id}/papers/{number}",
        "/api/v1/alerts/{alert_id}/papers/{number}/file",
        "/api/v1/alerts/{alert_id}/papers/{number}/withdrawal",
        "/api/v1/alerts/{alert_id}/notices",
        "/api/v1/alerts/{alert_id}/patients",
        "/api/v1/alerts/{alert_id}/calls",
        "/api/v1/alerts/{alert_id}/calls/{number}",
        "/api/v1/alerts/{alert_id}/calls/{number}/result",
        "/api/v1/calls",
    }
    wanted = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(document)))
    assert wanted <= set(document["components"]["schemas"])


# -- live


async def heard(events: AsyncIterator[bytes], kind: str) -> dict[str, object]:
    """The data of the next event of a kind."""
    async with asyncio.timeout(20):
        async for event in events:
            lines = dict(line.split(": ", 1) for line in event.decode().strip().split("\n"))
            if lines.get("event") == kind:
                data: dict[str, object] = json.loads(lines["data"])
                return data
    raise AssertionError(f"the stream ended without {kind}")


def changes_of(batch: dict[str, object]) -> list[dict[str, dict[str, str]]]:
    changes = batch["changes"]
    assert isinstance(changes, list)
    return changes


def names(batch: dict[str, object]) -> list[str]:
    return [change["alert"]["detector"] for change in changes_of(batch)]


def follow(store: Store, after: int | None, areas: tuple[str, ...] = ()) -> tuple[Hub, AsyncGenerator[bytes]]:
    hub = Hub(store, now)
    return hub, stream(hub, areas, after, "items", as_items, lambda: True)


def test_what_happens_is_told(store: Store) -> None:
    async def run() -> list[str]:
        hub, events = follow(store, None)
        async with hub.running(), aclosing(events):
            await heard(events, "beat")
            reading = asyncio.create_task(heard(events, "alerts"))
            await asyncio.to_thread(tell, store, leads.batch())
            return names(await reading)

    assert asyncio.run(run()) == ["card_batch_swipe"]


def test_what_was_missed_is_told_first(store: Store) -> None:
    tell(store, leads.far_apart())
    seen = store.last_seq()
    tell(store, leads.resold())
    store.note(Note(kind="viewed", actor="x", at=now()))

    async def run() -> list[str]:
        hub, events = follow(store, seen)
        async with hub.running(), aclosing(events):
            return names(await heard(events, "alerts"))

    assert asyncio.run(run()) == ["trace_code_repeat"]


def test_what_changes_beside_a_lead_is_told_too(store: Store, clock: Clock) -> None:
    tell(store, leads.milder())
    screener = account(store, NAME)
    assert screener is not None

    async def kinds(events: AsyncIterator[bytes], write: Callable[[], object]) -> list[object]:
        reading = asyncio.create_task(heard(events, "alerts"))
        await asyncio.to_thread(write)
        return [change["kind"] for change in changes_of(await reading)]

    def in_peace() -> None:
        snooze(store, leads.milder().subject, screener, clock() + timedelta(days=1), "x", clock())

    def a_day_later() -> None:
        clock.time += timedelta(days=1)

    async def run() -> list[list[object]]:
        hub = Hub(store, clock)
        events = stream(hub, (), store.last_seq(), "items", as_items, lambda: True)
        async with hub.running(), aclosing(events):
            await heard(events, "beat")
            inhibited = await kinds(events, lambda: tell(store, leads.batch()))
            snoozed = await kinds(events, in_peace)
            woken = await kinds(events, a_day_later)
            assert sum(hub.beat().minutes) <= 2  # only leads that changed count, no snooze
            return [sorted(map(str, inhibited)), snoozed, woken]

    assert asyncio.run(run()) == [["created", "inhibited"], ["snoozed"], ["woken"]]


def test_the_stream_keeps_to_the_areas(store: Store) -> None:
    tell(store, leads.batch(), leads.far_apart())

    async def run() -> list[str]:
        hub, events = follow(store, 0, ("330104",))
        async with hub.running(), aclosing(events):
            return names(await heard(events, "alerts"))

    assert asyncio.run(run()) == ["geo_time_conflict"]


def test_who_missed_too_much_reads_again(store: Store) -> None:
    tell(store, leads.batch())
    for n in range(AT_ONCE + 1):
        store.note(Note(kind="changed", actor="keeper", at=now(), alert_id=f"a{n}", revision=2))

    async def run() -> dict[str, object]:
        hub, events = follow(store, 0)
        async with hub.running(), aclosing(events):
            return await heard(events, "resync")

    assert asyncio.run(run())["seq"] == store.last_seq()


def test_a_slow_reader_reads_again_instead_of_holding_memory(store: Store) -> None:
    async def run() -> object:
        hub = Hub(store, now)
        slow = Subscriber()
        async with hub.running():
            await asyncio.to_thread(tell, store, leads.batch())
            news = await hub.missed(0)
            assert news is not None
            assert not isinstance(news, Resync)
            for _ in range(QUEUE + 1):
                slow.tell(news)
            return await slow.next(1)

    assert isinstance(asyncio.run(run()), Resync)


def test_a_batch_is_written_once_for_all_who_see_the_same(store: Store) -> None:
    tell(store, leads.batch())
    written = []

    async def run() -> None:
        hub = Hub(store, now)
        async with hub.running():
            news = await hub.missed(0)
            assert news is not None
            assert not isinstance(news, Resync)
            for areas in ((), (), ("330100",), ()):
                news.as_("items", areas, lambda *batch: written.append(batch) or b"")

    asyncio.run(run())
    assert len(written) == 2


def test_a_stream_ends_with_the_session(store: Store) -> None:
    async def run() -> dict[str, object]:
        hub = Hub(store, now)
        async with hub.running():
            return await heard(stream(hub, (), None, "items", as_items, lambda: False, beat_s=0.01), "bye")

    assert "seq" in asyncio.run(run())


def test_a_stream_ends_when_the_store_is_no_longer_followed(store: Store) -> None:
    async def run() -> list[bytes]:
        hub = Hub(store, now)
        events = stream(hub, (), None, "items", as_items, lambda: True, beat_s=0.01)
        async with hub.running():
            told = [await anext(events) for _ in range(2)]
            await hub.missed(0)
        return told + [event async for event in events]

    assert len(asyncio.run(run())) == 2  # no sign of life after the last true one


def test_the_beat_counts_the_last_hour_and_no_more(store: Store, clock: Clock) -> None:
    tell(store, leads.batch(), leads.resold())

    async def run() -> tuple[int, int]:
        hub = Hub(store, clock)
        async with hub.running():
            await hub.missed(0)
            before = sum(hub.beat().minutes)
            clock.time += timedelta(minutes=61)
            return before, sum(hub.beat().minutes)

    assert asyncio.run(run()) == (2, 0)


def test_a_stop_ends_open_streams(store: Store) -> None:
    program = f"from alerts.web.server import serve; serve({str(store.engine.url)!r}, port=PORT, secret={SECRET!r})"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = subprocess.Popen([sys.executable, "-c", program.replace("PORT", str(port))])
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(f"{address}/healthz"))
        with httpx.Client(base_url=address) as client:
            client.post("/login", data={"name": NAME, "password": PASSWORD})
            with client.stream("GET", "/api/v1/alerts/stream") as stream_:
                next(stream_.iter_raw())
                server.send_signal(signal.SIGTERM)
                assert server.wait(timeout=20) is not None
    finally:
        server.kill()
        server.wait()


def _answers(address: str) -> bool:
    try:
        return httpx.get(address).status_code == 200
    except httpx.TransportError:
        time.sleep(0.05)
        return False


def test_a_subject_is_named_in_words() -> None:
    words = Words("zh", now())
    assert words.subject(*Subject("till", "P33010210119/T1")) == "P33****10119 收银台 T1"
    assert words.subject(*Subject("person", "pa8d6f3f94e827f3a")) == "参保人 尾号 7F3A"
    assert words.subject(*Subject("area", "H33010210434/SURGERY-02")) == "H33****10434 病区 SURGERY-02"
    assert words.subject(*Subject("area", "330102")) == "区划 330102"
    assert words.subject(*Subject("trace_code", "80041838780354223955")) == "追溯码 尾号 5422 3955"
    assert words.subject(*Subject("stay", "H33010210434/md66b4ff5830b2798")) == "住院 尾号 2798"
