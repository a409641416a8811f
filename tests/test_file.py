"""The file of a lead over HTTP: papers, notices from its record, and calls to patients."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from docx import Document

from alerts import callbacks, notices, papers
from alerts.accounts import Role, account
from alerts.alert import alert_id
from alerts.life import State
from alerts.papers import Cabinet, DamagedError, kind_of, shown_name
from alerts.retention import drop_alerts
from alerts.trail import GROUPS
from detectors.catalogue import DETECTORS
from stream_app import check
from stream_app.settings import PaperSettings, Settings, StoreSettings
from tests.browser import leads
from tests.browser.site import now, serving, store_in, tell
from tests.test_work import PEOPLE, Office, record

LEAD = leads.batch()
GROUPED = {kind for kinds in GROUPS.values() for kind in kinds}  # what an auditor can choose
ID = alert_id(LEAD)
PDF = b"%PDF-1.4\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"
PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00\x1f\x15\xc4\x89"
JPEG = b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xd9"


def archive(*names: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        for name in names:
            made.writestr(name, "<x/>")
    return out.getvalue()


DOCX = archive("[Content_Types].xml", "word/document.xml")
XLSX = archive("[Content_Types].xml", "xl/workbook.xml")


@pytest.fixture
def cabinet(tmp_path: Path) -> Cabinet:
    return Cabinet(folder=tmp_path / "papers", most_bytes=100_000, most_papers=3)


@pytest.fixture
def office(tmp_path: Path, template: Path, cabinet: Cabinet) -> Iterator[Office]:
    store = store_in(tmp_path, template)
    for name, role in PEOPLE.items():
        record(store, name, role)
    tell(store, LEAD)
    with serving(store, cabinet=cabinet) as address:
        made = Office(store, address)
        yield made
        for client in made.clients.values():
            client.close()
    store.close()


def hand_in(office: Office, name: str, file: str, body: bytes) -> httpx.Response:
    client = office.client(name, accept="text/html")
    return client.post(f"/alerts/{ID}/papers", files={"paper": (file, body, "text/html")})


def kinds(office: Office) -> list[str]:
    detail = office.store.detail(ID)
    assert detail is not None
    return [entry.kind for entry in detail.history]


# -- papers


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (PDF, "pdf"), (PNG, "png"), (JPEG, "jpeg"), (DOCX, "docx"), (XLSX, "xlsx"), ("到场12人".encode(), "text"),
        (archive("[Content_Types].xml", "word/document.xml", "word/vbaProject.bin"), None),
        (archive("evil.exe"), None), (b"PK\x03\x04broken", None), (b"MZ\x90\x00\x03\x00\x00\x00", None),
        (b"<html><script>alert(1)</script>", None), (b'<?xml version="1.0"?><svg/>', None), (b"a\x00b", None),
    ],
)  # fmt: skip
def test_a_paper_is_what_its_content_says(body: bytes, kind: str | None) -> None:
    assert kind_of(body) == kind


def test_a_name_leads_nowhere_and_breaks_no_header() -> None:
    assert shown_name("C:\\tmp\\..\\记录 1.pdf") == "记录 1.pdf"
    assert shown_name('../../etc/a"b\r\n;x.pdf') == "a_b_x.pdf"
    assert shown_name("\u202efdp.exe") == "fdp.exe"
    assert len(shown_name("长" * 400 + ".pdf")) == papers.LONGEST_NAME


def test_a_paper_is_filed_read_unchanged_and_withdrawn_with_a_reason_and_all_of_it_is_told(
    office: Office, cabinet: Cabinet
) -> None:
    assert hand_in(office, "gao", "现场 记录.pdf", PDF).headers["location"] == f"/alerts/{ID}#papers"
    [paper] = papers.papers_of(office.store, ID)
    assert (paper.name, paper.sha256, paper.size) == ("现场 记录.pdf", hashlib.sha256(PDF).hexdigest(), len(PDF))
    jia = office.client("jia", accept="text/html")
    assert "现场 记录.pdf" in jia.get(f"/alerts/{ID}").text
    got = jia.get(f"/alerts/{ID}/papers/1")
    assert (got.content, got.headers["content-type"]) == (PDF, "application/pdf")
    assert got.headers["content-disposition"].startswith("attachment; filename*=UTF-8''%E7%8E%B0")
    assert (got.headers["x-content-type-options"], "sandbox" in got.headers["content-security-policy"]) == (
        "nosniff",
        True,
    )
    gao = office.client("gao", accept="text/html")
    assert gao.post(f"/alerts/{ID}/papers/1/withdraw", data={"note": " "}).status_code == 422
    assert gao.post(f"/alerts/{ID}/papers/1/withdraw", data={"note": "传错了"}).status_code == 303
    assert jia.get(f"/alerts/{ID}/papers/1").status_code == 404
    assert "传错了" in jia.get(f"/alerts/{ID}").text
    assert {papers.FILED, papers.READ, papers.WITHDRAWN} <= set(kinds(office))
    assert [file.read_bytes() for file in cabinet.folder.rglob("*") if file.is_file()] == [PDF]
    assert set(kinds(office)) <= GROUPED


def test_what_is_too_large_disguised_or_one_too_many_is_refused_and_leaves_nothing(office: Office) -> None:
    for name, file, body, status in (
        ("gao", "a.pdf", b"%PDF-1.4\n" + bytes(200_000), 422),
        ("gao", "a.pdf", PNG, 422),
        ("gao", "a.html", b"<html>", 422),
        ("gao", "a.pdf", b"", 422),
        ("jia", "a.pdf", PDF, 403),
    ):
        assert hand_in(office, name, file, body).status_code == status, file
    record(office.store, "far", Role.INVESTIGATOR, ("440300",))
    assert hand_in(office, "far", "a.pdf", PDF).status_code == 404
    assert papers.papers_of(office.store, ID) == []
    for n in range(3):
        assert hand_in(office, "gao", f"{n}.txt", b"x%d" % n).status_code == 303
    assert hand_in(office, "gao", "4.txt", b"x").status_code == 409


def test_a_paper_whose_file_was_altered_is_not_shown(office: Office, cabinet: Cabinet) -> None:
    hand_in(office, "gao", "a.txt", b"as it was")
    [file] = [file for file in cabinet.folder.rglob("*") if file.is_file()]
    file.write_bytes(b"as it is not")
    gao = account(office.store, "gao")
    assert gao is not None
    with pytest.raises(DamagedError, match="altered"):
        papers.read_paper(office.store, cabinet, gao, ID, 1, now())
    assert office.client("gao", accept="text/html").get(f"/alerts/{ID}/papers/1").status_code == 500


# -- notices


def test_every_notice_belongs_to_some_state_and_names_only_what_can_be_filled_in() -> None:
    offered = {name for state in State for name in notices.offered(state)}
    assert offered == set(notices.templates()) == {"inspection", "inquiry", "assistance", "advance", "decision"}
    assert notices.offered(State.NEW) == []


def test_a_notice_is_filled_from_the_record_filed_and_only_offered_where_it_belongs(office: Office) -> None:
    gao = office.client("gao", accept="text/html")
    ask = {"kind": "inspection", "form": "docx"}
    assert gao.post(f"/alerts/{ID}/notices", data=ask).status_code == 409
    assert office.move("chen", 0, "screen").status_code == 200
    assert office.move("fang", 1, "dispatch", note="看监控", officers=["gao", "hou"]).status_code == 200
    assert "现场检查通知书" in gao.get(f"/alerts/{ID}").text
    assert "处理决定书</option>" not in gao.get(f"/alerts/{ID}").text
    assert gao.post(f"/alerts/{ID}/notices", data=ask).status_code == 303
    assert gao.post(f"/alerts/{ID}/notices", data=ask | {"form": "pdf"}).status_code == 303
    word, pdf = papers.papers_of(office.store, ID)
    assert (word.kind, pdf.kind, word.notice) == ("docx", "pdf", "inspection")
    said = "\n".join(one.text for one in Document(io.BytesIO(gao.get(f"/alerts/{ID}/papers/1").content)).paragraphs)
    assert said.startswith("现场检查通知书\n编号：XS")
    for part in (LEAD.orgs[0], "gao、hou", "【待填：单位名称】", "【待填：机关名称（盖章）】"):
        assert part in said
    assert not any(event.person in said for event in LEAD.evidence if event.person)
    assert gao.get(f"/alerts/{ID}/papers/2").content.startswith(b"%PDF-")
    chen = office.client("chen", accept="text/html")
    assert chen.post(f"/alerts/{ID}/notices", data=ask).status_code == 403


def test_files_that_no_lead_names_any_more_go_a_day_later_and_missing_ones_are_told(
    office: Office, cabinet: Cabinet
) -> None:
    for name, body in (("a.pdf", PDF), ("b.png", PNG)):
        assert hand_in(office, "gao", name, body).status_code == 303
    told = Settings(store=StoreSettings(url=str(office.store.engine.url)), papers=PaperSettings(dir=cabinet.folder))
    assert [one.state for one in check.of_papers(told)] == ["ok"]
    lost = cabinet.folder / hashlib.sha256(PDF).hexdigest()[:2] / hashlib.sha256(PDF).hexdigest()
    lost.unlink()
    [found] = check.of_papers(told)
    assert (found.state, "'a.pdf'" in found.found) == ("wrong", True)
    assert papers.sweep(office.store, cabinet, now() + timedelta(days=2)) == 0
    assert drop_alerts(office.store, now() + timedelta(minutes=1), "test", now()) == 1
    assert papers.sweep(office.store, cabinet, now()) == 0
    assert papers.sweep(office.store, cabinet, now() + timedelta(days=2)) == 1
    assert [file for file in cabinet.folder.rglob("*") if file.is_file()] == []
    assert list(check.of_papers(told)) == []


# -- calls


def test_a_call_is_set_shown_to_who_makes_it_overdue_when_late_and_reported_once(office: Office) -> None:
    chen, gao = (office.client(name, accept="text/html") for name in ("chen", "gao"))
    today = now().astimezone(leads.CHINA).date()
    ask = {"patient": "0", "assignee": "gao", "due": str(today), "ask": "当天是否本人？"}
    assert chen.post(f"/alerts/{ID}/calls", data=ask).status_code == 303
    for wrong in ({"assignee": "jia"}, {"due": str(today - timedelta(days=1))}, {"patient": "999"}, {"ask": " "}):
        assert chen.post(f"/alerts/{ID}/calls", data=ask | wrong).status_code == 422, wrong
    [call] = callbacks.calls_of(office.store, ID)
    assert call.person in {event.person for event in LEAD.evidence}
    assert (call.is_overdue(now()), call.is_overdue(now() + timedelta(days=1))) == (False, True)
    mine = gao.get("/calls").text
    assert ("当天是否本人？" in mine, call.person in mine) == (True, False)
    assert "当天是否本人？" not in chen.get("/calls").text
    report = {"result": "denied", "said": "卡一直在药店"}
    assert chen.post(f"/alerts/{ID}/calls/1", data=report).status_code == 403
    assert gao.post(f"/alerts/{ID}/calls/1", data=report).status_code == 303
    assert gao.post(f"/alerts/{ID}/calls/1", data=report).status_code == 409
    assert "卡一直在药店" in chen.get(f"/alerts/{ID}").text
    assert "当天是否本人？" not in gao.get("/calls").text
    assert {callbacks.SET, callbacks.DONE} <= set(kinds(office))
    assert set(kinds(office)) <= GROUPED


def test_questions_are_for_detectors_that_there_are() -> None:
    assert callbacks.ABOUT.keys() <= {detector.id.partition("/")[0] for detector in DETECTORS}
