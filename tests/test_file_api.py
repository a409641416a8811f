"""The file of a lead for programs: the same papers, notices and calls as on its page."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from alerts import callbacks, papers
from alerts.accounts import Role
from alerts.deadlines import CHINA
from alerts.papers import Cabinet
from tests.browser.site import now, serving, store_in, tell
from tests.test_file import ID, LEAD, PDF, PNG, kinds
from tests.test_work import PEOPLE, Office, record

LIST, CALLS = f"/api/v1/alerts/{ID}/papers", f"/api/v1/alerts/{ID}/calls"
TODAY = now().astimezone(CHINA).date()


@pytest.fixture
def office(tmp_path: Path, template: Path) -> Iterator[Office]:
    store = store_in(tmp_path, template)
    for name, role in PEOPLE.items():
        record(store, name, role)
    tell(store, LEAD)
    with serving(store, cabinet=Cabinet(folder=tmp_path / "papers", most_bytes=100_000, most_papers=5)) as address:
        made = Office(store, address)
        yield made
        for client in made.clients.values():
            client.close()
    store.close()


def send(office: Office, name: str, file: str, body: bytes, key: str = "") -> httpx.Response:
    headers = {"idempotency-key": key} if key else {}
    return office.client(name).post(LIST, files={"paper": (file, body)}, headers=headers)


def patient(office: Office) -> str:
    found = office.client("chen").get(f"/api/v1/alerts/{ID}/patients").json()
    return str(found["items"][0]["patient"])


def ask(office: Office, key: str = "", **more: str) -> httpx.Response:
    body = {"patient": patient(office), "ask": "当天是否本人？", "assignee": "gao", "due": str(TODAY)} | more
    return office.client("chen").post(CALLS, json=body, headers={"idempotency-key": key} if key else {})


def test_a_program_files_lists_reads_and_withdraws_a_paper_and_all_of_it_is_in_the_history(office: Office) -> None:
    made = send(office, "gao", "记录.pdf", PDF)
    assert (made.status_code, made.headers["location"]) == (201, f"{LIST}/1")
    jia = office.client("jia")
    assert jia.get(LIST).json()["items"] == [made.json()]
    got = jia.get(f"{LIST}/1/file")
    assert (got.content, got.headers["content-type"]) == (PDF, "application/pdf")
    gone = office.client("gao").post(f"{LIST}/1/withdrawal", json={"note": "传错了"})
    assert (gone.status_code, gone.json()["withdrawn_because"]) == (200, "传错了")
    assert jia.get(f"{LIST}/1/file").status_code == 404
    assert jia.get(f"{LIST}/1").json()["withdrawn_by"] == "gao"
    assert [kind for kind in kinds(office) if kind.startswith("paper")][::-1] == [
        papers.FILED, papers.READ, papers.WITHDRAWN,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "file", "body", "status", "code"),
    [
        ("gao", "a.pdf", b"%PDF-1.4\n" + bytes(200_000), 422, "lacking"),
        ("gao", "a.pdf", PNG, 422, "lacking"),
        ("gao", "a.html", b"<html>", 422, "lacking"),
        ("gao", "a.pdf", b"", 422, "lacking"),
        ("jia", "a.pdf", PDF, 403, "not_allowed"),
        ("shen", "a.pdf", PDF, 403, "not_allowed"),
    ],
)
def test_the_api_refuses_the_papers_that_the_page_refuses(
    office: Office, name: str, file: str, body: bytes, status: int, code: str
) -> None:
    answer = send(office, name, file, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert papers.papers_of(office.store, ID) == []


def test_a_list_of_papers_goes_page_by_page_and_by_what_they_are(office: Office) -> None:
    for n in range(3):
        assert send(office, "gao", f"{n}.txt", b"x%d" % n).status_code == 201
    office.client("gao").post(f"{LIST}/2/withdrawal", json={"note": "重复"})
    first = office.client("gao").get(LIST, params={"limit": 2}).json()
    rest = office.client("gao").get(LIST, params={"limit": 2, "cursor": first["next_cursor"]}).json()
    assert [one["number"] for one in first["items"] + rest["items"]] == [1, 2, 3]
    assert rest["next_cursor"] is None
    assert [one["number"] for one in office.client("gao").get(f"{LIST}?withdrawn=no").json()["items"]] == [1, 3]
    assert office.client("gao").get(f"{LIST}?cursor=x").status_code == 400


def test_a_paper_sent_again_under_its_key_is_filed_once_and_another_under_it_is_refused(office: Office) -> None:
    first, again = send(office, "gao", "a.pdf", PDF, "k1"), send(office, "gao", "a.pdf", PDF, "k1")
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    assert send(office, "gao", "b.png", PNG, "k1").status_code == 409
    gone = {"json": {"note": "传错了"}, "headers": {"idempotency-key": "k2"}}
    assert [office.client("gao").post(f"{LIST}/1/withdrawal", **gone).status_code for _ in "12"] == [200, 200]
    assert len(papers.papers_of(office.store, ID)) == 1
    assert kinds(office).count(papers.WITHDRAWN) == 1


def test_a_program_writes_the_notices_that_the_leads_state_offers(office: Office) -> None:
    gao, kinds_of = office.client("gao"), f"/api/v1/alerts/{ID}/notices"
    assert gao.get(kinds_of).json() == {"items": []}
    assert gao.post(kinds_of, json={"kind": "inspection"}).status_code == 409
    office.move("chen", 0, "screen")
    office.move("fang", 1, "dispatch", note="看监控", officers=["gao", "hou"])
    assert {"kind": "inspection", "title": "现场检查通知书"} in gao.get(kinds_of).json()["items"]
    assert office.client("chen").get(kinds_of).json() == {"items": []}
    assert office.client("chen").post(kinds_of, json={"kind": "inspection"}).status_code == 403
    headers = {"idempotency-key": "n1"}
    made = [gao.post(kinds_of, json={"kind": "inspection", "form": "pdf"}, headers=headers) for _ in "12"]
    assert [one.status_code for one in made] == [201, 201]
    assert [one.json()["number"] for one in made] == [1, 1]
    assert gao.get(f"{LIST}/1/file").content.startswith(b"%PDF-")
    assert [one["notice"] for one in gao.get(f"{LIST}?notice=inspection").json()["items"]] == ["inspection"]


def test_a_call_is_set_by_a_handle_answered_once_and_names_nobody_in_full(office: Office) -> None:
    made = ask(office)
    assert made.status_code == 201
    [kept] = callbacks.calls_of(office.store, ID)
    assert (made.json()["person"], made.json()["is_overdue"]) == (f"****{kept.person[-4:]}", False)
    gao, result = office.client("gao"), {"result": "denied", "said": f"{kept.person}说卡一直在药店"}
    assert [one["number"] for one in gao.get("/api/v1/calls").json()["items"]] == [1]
    assert office.client("chen").post(f"{CALLS}/1/result", json=result).status_code == 403
    answer = gao.post(f"{CALLS}/1/result", json=result)
    assert (answer.status_code, answer.json()["result"]) == (200, "denied")
    assert gao.post(f"{CALLS}/1/result", json=result).status_code == 409
    assert gao.get("/api/v1/calls").json()["items"] == []
    for path in (CALLS, f"{CALLS}?state=done", f"{CALLS}/1"):
        assert "说卡一直在药店" in gao.get(path).text
        assert kept.person not in gao.get(path).text
    assert gao.get(f"{CALLS}?state=open").json()["items"] == []


def test_what_a_call_lacks_is_told(office: Office) -> None:
    for wrong in ({"assignee": "jia"}, {"due": str(TODAY - timedelta(days=1))}, {"patient": "nobody"}, {"ask": " "}):
        assert ask(office, **wrong).status_code == 422, wrong
    assert callbacks.calls_of(office.store, ID) == []


def test_a_call_sent_again_under_its_key_is_set_once(office: Office) -> None:
    first, again = ask(office, "c1"), ask(office, "c1")
    assert (again.status_code, again.json()) == (201, first.json())
    assert ask(office, "c1", ask="别的").status_code == 409
    assert len(callbacks.calls_of(office.store, ID)) == 1


def test_ones_own_calls_go_page_by_page_the_most_urgent_first(office: Office) -> None:
    for days in (3, 1, 2):
        assert ask(office, due=str(TODAY + timedelta(days=days))).status_code == 201
    gao, seen, cursor = office.client("gao"), list[int](), ""
    for _ in range(3):
        page = gao.get("/api/v1/calls", params={"limit": 1, "cursor": cursor}).json()
        seen += [one["number"] for one in page["items"]]
        cursor = page["next_cursor"]
    assert (seen, cursor) == ([2, 3, 1], None)


def test_another_area_has_no_file(office: Office) -> None:
    record(office.store, "far", Role.INVESTIGATOR, ("440300",))
    far = office.client("far")
    for path in (LIST, f"{LIST}/1", f"{LIST}/1/file", CALLS, f"/api/v1/alerts/{ID}/notices"):
        assert far.get(path).status_code == 404, path
    assert far.get(f"/api/v1/alerts/{ID}/patients").status_code == 404
    assert send(office, "far", "a.pdf", PDF).status_code == 404


def test_a_body_of_another_type_is_refused_and_told_which_is_wanted(office: Office) -> None:
    chen = office.client("chen")
    for path, body, wanted in (
        (CALLS, b'{"patient":"x"}', "application/json"),
        (LIST, b"paper", "multipart/form-data"),
        (f"/api/v1/alerts/{ID}/comments", b'{"note":"x"}', "application/json"),
    ):
        answer = chen.post(path, content=body, headers={"content-type": "text/plain"})
        assert (answer.status_code, answer.headers["content-type"]) == (415, "application/problem+json")
        assert wanted in answer.json()["detail"]
    rest = chen.put(f"/api/v1/alerts/{ID}/snooze", content=b"{}", headers={"content-type": "text/html"})
    assert rest.status_code == 415
