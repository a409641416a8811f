"""What the feed shows goes into files: of the filter, masked, marked with who and when, on record, and not too much."""

import base64
import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from alerts.accounts import Role
from alerts.alert import alert_id
from alerts.export import COLUMNS
from alerts.reveal import persons_of
from alerts.store import Store
from alerts.trail import EXPORTED, Of, read
from alerts.web.bounds import Bounds
from tests.browser import leads, more_leads
from tests.browser.site import serving, store_in, tell
from tests.test_reveal import ASK, Clock, at, put

LEAD = leads.readmitted()
HERE = f"/alerts/{alert_id(LEAD)}"
BOUNDS = Bounds(exports_an_hour=4, export_rows=6)


@pytest.fixture
def store(tmp_path: Path, template: Path) -> Iterator[Store]:
    store = store_in(tmp_path, template)
    tell(store, *leads.every_kind())
    for role in Role:
        put(store, role.value, role)
    put(store, "faraway", Role.SCREENER, "330300")
    yield store
    store.close()


@pytest.fixture
def site(store: Store) -> Iterator[str]:
    with serving(store, bounds=BOUNDS) as address:
        yield address


def exported(client: httpx.Client, path: str, form: str) -> bytes:
    answer = client.post(path, data={"format": form})
    assert answer.status_code == 200, answer.text
    assert f".{form}" in answer.headers["content-disposition"]
    return answer.content


def table(body: bytes) -> list[list[str]]:
    assert body.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(body.decode("utf-8-sig"))))


def pages_of(pdf: bytes) -> list[str]:
    """The text of each page, without line ends."""
    streams = re.findall(rb"stream\r?\n(.*?)endstream", pdf, re.DOTALL)
    drawn = [zlib.decompress(base64.a85decode(one.strip().removesuffix(b"~>"))) for one in streams]
    return ["".join(map(_text, re.findall(rb"\((.*?)(?<!\\)\) Tj", page, re.DOTALL))) for page in drawn]


def _text(said: bytes) -> str:
    """A string of a PDF in UCS-2, as its viewers read it."""
    plain = re.sub(rb"\\([0-7]{3})|\\(.)", lambda m: bytes([int(m[1], 8)]) if m[1] else m[2], said, flags=re.DOTALL)
    return plain.decode("utf-16-be", errors="replace")


def test_a_filter_goes_into_each_kind_of_file_masked_marked_and_on_record(site: str, store: Store) -> None:
    everyone = {person for lead in leads.every_kind() for person in persons_of(store, alert_id(lead))}
    assert everyone
    with at(site, store, Clock(), "reviewer") as fang:
        shown = fang.get("/api/v1/alerts?level=red&status=open").json()["items"]
        rows = table(exported(fang, "/export?level=red", "csv"))
        book = zipfile.ZipFile(io.BytesIO(exported(fang, "/export?level=red", "xlsx")))
        told = pages_of(exported(fang, "/export?level=red", "pdf"))
    ids = [row[list(COLUMNS).index("疑点编号")] for row in rows[1:-1]]
    assert sorted(ids) == sorted(one["alert_id"] for one in shown)
    sheet = book.read("xl/worksheets/sheet1.xml").decode()
    assert not any(person in text for person in everyone for text in (str(rows), sheet, "".join(told)))
    assert all("reviewer 20" in text for text in (rows[-1][0], *told))
    assert sheet.count("reviewer 20") == 2  # below the table and in the footer of what is printed
    assert len(told) >= 1
    assert all(one["alert_id"] in "".join(told) for one in shown)
    records = [row.entry for row in read(store, Of(group="exports")).rows]
    assert [msgspec.json.decode(record.data)["format"] for record in records] == ["pdf", "xlsx", "csv"]
    assert {msgspec.json.decode(record.data)["alerts"] for record in records} == {len(shown)}


def test_one_lead_is_told_in_full_once_its_persons_are_revealed(site: str, store: Store) -> None:
    (person,) = (one for one in persons_of(store, alert_id(LEAD)) if one in LEAD.subject.id)
    with at(site, store, Clock(), "investigator") as gao:
        assert person not in exported(gao, f"{HERE}/export", "csv").decode()
        gao.post(f"{HERE}/reveal", data=ASK)
        assert person in exported(gao, f"{HERE}/export", "csv").decode()
        text = "".join(pages_of(exported(gao, f"{HERE}/export", "pdf")))
        assert alert_id(LEAD) in text
    told = [msgspec.json.decode(row.entry.data)["masked"] for row in read(store, Of(group="exports")).rows]
    assert told == [False, False, True]


def test_too_many_rows_are_refused_and_told(site: str, store: Store) -> None:
    with at(site, store, Clock(), "screener") as chen:
        assert chen.post("/export", data={"format": "csv"}).status_code == 200
        tell(store, *more_leads.ten_kinds())
        refused = chen.post("/export", data={"format": "csv"})
        assert (refused.status_code, "最多6条" in refused.text) == (422, True)


def test_too_many_files_in_an_hour_are_refused(site: str, store: Store) -> None:
    with at(site, store, Clock(), "screener") as chen:
        answers = [chen.post(f"{HERE}/export", data={"format": "csv"}) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200] * 4 + [429]


@pytest.mark.parametrize(("name", "status"), [("viewer", 403), ("rules", 403), ("admin", 403), ("auditor", 200)])
def test_the_role_decides_who_takes_files_away(site: str, store: Store, name: str, status: int) -> None:
    with at(site, store, Clock(), name) as client:
        assert client.post(f"{HERE}/export", data={"format": "csv"}).status_code == status
        assert (f"{HERE}/export" in client.get(HERE).text) is (status == 200)


def test_another_area_and_another_site_export_nothing(site: str, store: Store) -> None:
    with at(site, store, Clock(), "faraway") as far:
        assert far.post(f"{HERE}/export", data={"format": "csv"}).status_code == 404
        assert [row[0] for row in table(exported(far, "/export", "csv"))[1:-1]] == []
    with at(site, store, Clock(), "screener") as chen:
        assert chen.post("/export", data={"format": "csv"}, headers={"sec-fetch-site": "cross-site"}).status_code == 403
    assert len(store.events_after(0, kinds=[EXPORTED])) == 1
