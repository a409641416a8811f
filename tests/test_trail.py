"""An auditor reads who did what, finds it by name, kind, day and lead, and sees whether the trail is whole."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from alerts.accounts import Role, account, check_login
from alerts.alert import alert_id
from alerts.kept import Note
from alerts.reveal import Why, persons_of, reveal
from alerts.store import Store
from alerts.trail import GROUPS, Of, read
from alerts.web.bounds import SHIPPED
from alerts.web.wording import catalogue
from tests.browser import leads
from tests.browser.site import NAME, PASSWORD, now, serving, store_in, tell
from tests.test_reveal import Clock, at, put

LEAD = leads.batch()
ID = alert_id(LEAD)


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Iterator[Store]:
    """Somebody tried twice to log in, looked at a lead, saw its persons and exported it."""
    store = store_in(tmp_path, template)
    tell(store, LEAD)
    check_login(store, NAME, "wrong", now())
    check_login(store, NAME, PASSWORD, now())
    who, row = account(store, NAME), store.rows([ID])[ID]
    assert who is not None
    store.note(Note(kind="viewed", actor=NAME, at=now(), alert_id=ID, data=b'{"how":"page"}'))
    reveal(store, who, row, Why.RECORDS, "调取票据", now=now(), lasts=SHIPPED.reveal_for, most=SHIPPED.reveals_an_hour)
    store.note(Note(kind="exported", actor=NAME, at=now(), data=b'{"format":"csv","alerts":1,"chosen":{}}'))
    put(store, "shen", Role.AUDITOR)
    put(store, "local", Role.AUDITOR, "330100")
    yield store
    store.close()


@pytest.fixture
def auditor(store: Store) -> Iterator[httpx.Client]:
    with serving(store) as site, at(site, store, Clock(), "shen") as client:
        yield client


def kinds(client: httpx.Client, query: str) -> list[str]:
    return [one["kind"] for one in client.get(f"/api/v1/audit?{query}").json()["items"]]


def test_an_auditor_finds_rows_by_who_what_when_and_lead(auditor: httpx.Client) -> None:
    assert kinds(auditor, "what=logins") == ["login", "login_tried", "login_tried"]
    assert kinds(auditor, "what=reveals") == ["revealed"]
    assert kinds(auditor, "what=exports&who=nobody") == []
    assert kinds(auditor, f"lead={ID}&who={NAME}") == ["revealed", "viewed"]
    assert kinds(auditor, f"lead={ID}&what=all") == ["revealed", "viewed", "created"]
    assert kinds(auditor, "until=2020-01-01") == []
    assert "created" not in kinds(auditor, "")
    assert auditor.get("/api/v1/audit?what=gossip").status_code == 400
    assert auditor.get("/api/v1/audit?since=yesterday").status_code == 400


def test_pages_of_the_trail_follow_one_another_without_a_gap(store: Store) -> None:
    seen: list[int] = []
    page = read(store, Of(group="all"), limit=2)
    seen += [row.entry.seq for row in page.rows]
    while page.before is not None:
        page = read(store, Of(group="all"), page.before, limit=2)
        seen += [row.entry.seq for row in page.rows]
    assert seen == list(range(store.last_seq(), 0, -1))


def test_the_page_tells_in_words_masks_persons_and_records_that_it_was_read(
    auditor: httpx.Client, store: Store
) -> None:
    page = auditor.get("/audit").text
    assert all(said in page for said in ("显示完整编号", "调取病历、票据", "调取票据", "尝试登录", "导出", NAME))
    assert not any(person in page for person in persons_of(store, ID))
    newest = read(store, Of(group="views")).rows[0].entry
    assert (newest.actor, newest.data) == ("shen", b'{"how":"audit"}')


def test_the_page_verifies_the_chain_and_says_where_it_breaks(auditor: httpx.Client, store: Store) -> None:
    assert "校验通过" in auditor.get("/audit?verify=true").text
    with store.engine.begin() as db:
        db.execute(text("UPDATE alert_event SET actor = 'nobody' WHERE kind = 'exported'"))
    broken = store.chain_broken_at()
    assert f"第{broken}条" in auditor.get("/audit?verify=true").text


@pytest.mark.parametrize("name", [NAME, "local"])
def test_only_an_auditor_of_every_area_is_shown_the_way_and_let_in(store: Store, name: str) -> None:
    with serving(store) as site, at(site, store, Clock(), name) as client:
        assert 'href="/audit"' not in client.get("/").text
        assert [client.get(path).status_code for path in ("/audit", "/api/v1/audit")] == [403, 403]
    with serving(store) as site, at(site, store, Clock(), "shen") as client:
        assert 'href="/audit"' in client.get("/").text


def test_every_kind_and_group_has_words() -> None:
    named = {f"audit.kind.{kind}" for kinds in GROUPS.values() for kind in kinds}
    assert named | {f"audit.what.{group}" for group in GROUPS} <= catalogue("en").keys()
