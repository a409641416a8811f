"""What the audit trail has of what people were refused, and the password that somebody else chose."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from msgspec import json
from msgspec.structs import replace

from alerts.accounts import AccountError, Role, account, change_password, reset_password
from alerts.store import Store
from alerts.trail import GROUPS, REFUSED
from alerts.web.gate import COOKIE, Gate
from alerts.web.refusals import Refusals
from tests.browser.site import NAME, PASSWORD, SECRET, now, serving, store_in, tell
from tests.leads import NOON
from tests.test_file import ID, LEAD
from tests.test_work import PEOPLE, Office, record

OWN = "a-bridge-over-9-rivers"


@pytest.fixture
def office(tmp_path: Path, template: Path) -> Iterator[Office]:
    store = store_in(tmp_path, template)
    for name, role in PEOPLE.items() | {("root", Role.ADMIN)}:
        record(store, name, role)
    tell(store, LEAD)
    with serving(store) as address:
        made = Office(store, address)
        yield made
        for client in made.clients.values():
            client.close()
    store.close()


def refusals(store: Store) -> list[tuple[str, str | None, dict[str, object]]]:
    return [(entry.actor, entry.alert_id, json.decode(entry.data)) for entry in store.events_after(0, kinds=(REFUSED,))]


def test_what_somebody_was_refused_is_in_the_trail_from_page_and_program(office: Office) -> None:
    assert office.client("jia").post(f"/api/v1/alerts/{ID}/comments", json={"note": "x"}).status_code == 403
    page = office.client("jia", accept="text/html").post(f"/alerts/{ID}/comment", data={"note": "x"})
    assert page.status_code == 403
    assert office.client("root").get("/api/v1/alerts").status_code == 403
    assert refusals(office.store) == [
        ("jia", ID, {"method": "POST", "place": "/api/v1/alerts/{alert_id}/comments"}),
        ("jia", ID, {"method": "POST", "place": "/alerts/{alert_id}/comment"}),
        ("root", None, {"method": "GET", "place": "/api/v1/alerts"}),
    ]
    assert REFUSED in GROUPS["refusals"]
    assert "被拒绝" in office.client("shen").get("/audit?what=refusals").text


def test_who_is_not_logged_in_leaves_no_row(office: Office) -> None:
    with httpx.Client(base_url=office.address, verify=office.tls) as stranger:
        assert stranger.get("/api/v1/alerts").status_code == 401
        elsewhere = {"sec-fetch-site": "cross-site"}
        assert stranger.post(f"/api/v1/alerts/{ID}/comments", headers=elsewhere).status_code == 403
    assert refusals(office.store) == []


def test_the_same_refusal_again_within_a_minute_is_counted_into_the_next_row(store: Store) -> None:
    at = [NOON]
    refused = Refusals(store, lambda: at[0])
    for _ in range(50):
        refused.note("jia", "POST", "/alerts/{alert_id}/comments", None)
    at[0] += timedelta(seconds=61)
    refused.note("jia", "POST", "/alerts/{alert_id}/comments", None)
    refused.note("hou", "POST", "/alerts/{alert_id}/comments", None)
    assert [(who, told.get("times")) for who, _, told in refusals(store)] == [("jia", None), ("jia", 49), ("hou", None)]
    assert store.chain_broken_at() is None


# -- a password that somebody else chose -------------------------------------------------------------------------------


def test_with_a_password_that_somebody_else_chose_nothing_can_be_done_but_choose_another(office: Office) -> None:
    store = office.store
    reset_password(store, NAME, OWN + "!", now(), "cli", must_change=True)
    who = account(store, NAME)
    assert who is not None
    cookie = {COOKIE: Gate(store, SECRET, now).session(who)}
    with httpx.Client(base_url=office.address, cookies=cookie, headers={"accept": "text/html"}) as reader:
        assert reader.get("/").headers["location"] == "/account"
        assert "这是管理员设定的密码" in reader.get("/account").text
        told = reader.get("/api/v1/alerts")
        assert (told.status_code, told.json()["code"]) == (403, "password_needed")
        same = {"old": OWN + "!", "new": OWN + "!", "again": OWN + "!"}
        assert reader.post("/account/password", data=same).status_code == 422
        chosen = reader.post("/account/password", data=same | {"new": OWN, "again": OWN})
        assert chosen.status_code == 303
        assert reader.get("/").status_code == 200


def test_an_administrator_changes_the_own_password_and_still_sees_no_business_data(office: Office) -> None:
    root = office.client("root", accept="text/html")
    assert root.get("/account").status_code == 200
    assert root.get("/").status_code == 403


def test_ones_own_choice_is_not_asked_for_again(tmp_path: Path, template: Path) -> None:
    store = store_in(tmp_path, template)
    with store.writing() as writing:
        known = writing.account(NAME)
        assert known is not None
        writing.put_account(replace(known, must_change=True))
    changed = change_password(store, NAME, PASSWORD, OWN, now())
    assert changed is not None
    assert not changed.must_change
    with pytest.raises(AccountError, match="differs"):
        change_password(store, NAME, OWN, OWN, now())
    store.close()
