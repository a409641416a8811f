"""Working a lead over HTTP: what API and page accept, refuse, and say about it."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from alerts.accounts import Role, account
from alerts.alert import alert_id
from alerts.kept import AccountRecord
from alerts.life import Bar, Kind, Name, Reason, State
from alerts.store import Store
from alerts.web.gate import COOKIE, Gate
from alerts.web.wording import LANGS, catalogue
from alerts.web.work_panel import _STAGE_OF, STAGES
from alerts.web.workdesk import NOT_NOW, NOT_YOURS
from tests.browser import leads
from tests.browser.site import SECRET, now, serving, store_in, take_back, tell

PEOPLE = {
    "chen": Role.SCREENER,
    "chen2": Role.SCREENER,
    "fang": Role.REVIEWER,
    "gao": Role.INVESTIGATOR,
    "hou": Role.INVESTIGATOR,
    "jia": Role.VIEWER,
    "shen": Role.AUDITOR,
}
LEAD = leads.batch()
ID = alert_id(LEAD)
WORK, MOVES, COMMENTS = (f"/api/v1/alerts/{ID}/{what}" for what in ("work", "moves", "comments"))


class Office:
    """A feed with one lead, and a client for each person."""

    def __init__(self, store: Store, address: str) -> None:
        self.store, self.address = store, address
        self.clients: dict[str, httpx.Client] = {}
        self.tls = httpx.create_ssl_context()  # made once: it takes longer than a request

    def client(self, name: str, **headers: str) -> httpx.Client:
        key = f"{name} {headers}"
        if key not in self.clients:
            who = account(self.store, name)
            assert who is not None
            cookie = {COOKIE: Gate(self.store, SECRET, now).session(who)}
            self.clients[key] = httpx.Client(
                base_url=self.address, cookies=cookie, headers=headers, timeout=20, verify=self.tls
            )
        return self.clients[key]

    def move(self, name: str, version: int | None, move: str, **given: object) -> httpx.Response:
        headers = {} if version is None else {"if-match": f'"{version}"'}
        return self.client(name).post(MOVES, json={"move": move, **given}, headers=headers)


def record(store: Store, name: str, role: Role, areas: tuple[str, ...] = ()) -> None:
    """An account that nobody logs in to by password: hashing one takes its time."""
    moment = now()
    with store.writing() as writing:
        writing.put_account(AccountRecord(
            name=name, password_hash="", role=role.value, areas=areas, disabled=False, failures=0,
            locked_until=None, created_at=moment, changed_at=moment,
        ))  # fmt: skip


@pytest.fixture
def office(tmp_path: Path, template: Path) -> Iterator[Office]:
    store = store_in(tmp_path, template)
    for name, role in PEOPLE.items():
        record(store, name, role)
    tell(store, LEAD)
    with serving(store) as address:
        made = Office(store, address)
        yield made
        for client in made.clients.values():
            client.close()
    store.close()


JOURNEY: tuple[tuple[str, str, dict[str, object], str], ...] = (
    ("chen", "screen", {}, "screened"),
    ("fang", "dispatch", {"note": "看监控", "officers": ["gao", "hou"]}, "assigned"),
    ("gao", "verify", {}, "verifying"),
    ("hou", "report", {"note": "无一到场", "amount": "450.5"}, "feedback"),
    ("gao", "submit", {}, "review"),
    ("fang", "confirm", {"note": "属实", "amount": "450.50"}, "confirmed"),
    (
        "fang",
        "dispose",
        {
            "measures": [
                {"kind": "recover", "amount": "450.50"},
                {"kind": "points", "points": 4, "subject_kind": "cashier", "subject_id": "c7"},
            ]
        },
        "disposed",
    ),
    ("gao", "rectify", {"note": "已整改"}, "rectified"),
    ("fang", "archive", {}, "archived"),
)


def test_a_lead_goes_through_the_api_from_the_first_look_to_the_archive(office: Office) -> None:
    for version, (name, move, given, to) in enumerate(JOURNEY):
        answer = office.move(name, version, move, **given)
        assert (answer.status_code, answer.headers.get("etag")) == (200, f'"{version + 1}"'), answer.text
        assert answer.json()["state"] == to
    work = office.client("shen").get(WORK).json()
    assert (work["outcome"], work["found"], work["due"], work["allowed"]) == ("confirmed", "450.50", None, [])
    assert [one["amount"] for one in work["measures"]] == ["450.50", "0.00"]
    ledger = office.client("shen").get("/api/v1/ledgers/cashier/c7").json()
    assert (ledger["balance"], [one["alert_id"] for one in ledger["entries"]]) == (4, [ID])
    assert office.store.chain_broken_at() is None


def test_a_change_names_the_version_it_is_about(office: Office) -> None:
    assert office.move("chen", None, "screen").status_code == 428
    assert office.move("chen", 0, "screen").status_code == 200
    for version in (0, 2):
        stale = office.move("chen2", version, "dismiss", reason="exclusion", exclusion="X05")
        assert stale.status_code == 412
        assert "chen" in stale.json()["detail"]
        assert catalogue("zh")["work.state.screened"] in stale.json()["detail"]


def test_a_lead_that_nobody_touched_is_new_with_a_day(office: Office) -> None:
    answer = office.client("chen").get(WORK)
    assert (answer.json()["state"], answer.headers["etag"]) == ("new", '"0"')
    assert answer.json()["due"]
    assert [way["move"] for way in answer.json()["allowed"]] == ["screen", "dismiss"]
    assert office.client("jia").get(WORK).json()["allowed"] == []


@pytest.mark.parametrize(
    ("name", "move", "given", "status"),
    [
        ("jia", "screen", {}, 403),
        ("fang", "screen", {}, 403),
        ("chen", "archive", {}, 409),
        ("chen", "dismiss", {}, 422),
        ("chen", "fly", {}, 400),
        ("chen", "screen", {"colour": "red"}, 400),
        ("chen", "screen", {"amount": "1.234"}, 400),
        ("chen", "screen", {"amount": "-1"}, 400),
        ("chen", "screen", {"note": "x" * 70_000}, 400),
    ],
)
def test_what_cannot_be_is_refused_and_changes_nothing(
    office: Office, name: str, move: str, given: dict[str, object], status: int
) -> None:
    answer = office.move(name, 0, move, **given)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert office.client("chen").get(WORK).json()["version"] == 0


def test_a_lead_of_another_area_cannot_be_read_moved_or_commented(office: Office) -> None:
    record(office.store, "far", Role.SCREENER, ("440300",))
    far = office.client("far")
    assert far.get(WORK).status_code == 404
    assert office.move("far", 0, "screen").status_code == 404
    assert far.post(COMMENTS, json={"note": "x"}).status_code == 404


def test_a_key_sent_again_is_answered_again_and_carried_out_once(office: Office) -> None:
    chen = office.client("chen")
    headers = {"if-match": '"0"', "idempotency-key": "k1"}
    for _ in range(2):
        assert chen.post(MOVES, json={"move": "screen"}, headers=headers).json()["version"] == 1
    assert chen.post(MOVES, json={"move": "screen", "note": "y"}, headers=headers).status_code == 409
    for _ in range(2):
        assert chen.post(COMMENTS, json={"note": "看过"}, headers={"idempotency-key": "k2"}).status_code == 204
    page = chen.get(f"/alerts/{ID}", headers={"accept": "text/html"}).text
    assert page.count("看过") == 1


def test_another_sites_page_cannot_move_a_lead(office: Office) -> None:
    chen = office.client("chen", **{"sec-fetch-site": "cross-site"})
    assert chen.post(MOVES, json={"move": "screen"}, headers={"if-match": '"0"'}).status_code == 403
    assert chen.post(f"/alerts/{ID}/move", data={"move": "screen", "version": "0"}).status_code == 403


# -- the panel


def page(office: Office, name: str, lang: str = "zh") -> str:
    client = office.client(name, accept="text/html")
    client.cookies.set("fundwatch_lang", lang)
    answer = client.get(f"/alerts/{ID}")
    assert answer.status_code == 200
    return answer.text


def offered(text: str) -> list[str]:
    return re.findall(r'name="move" value="(\w+)"', text)


def test_the_page_offers_each_reader_what_the_table_allows(office: Office) -> None:
    assert offered(page(office, "chen")) == ["screen", "dismiss"]
    assert offered(page(office, "fang")) == []
    office.move("chen", 0, "screen")
    assert offered(page(office, "fang")) == ["dismiss", "return", "dispatch"]
    assert offered(page(office, "chen")) == []


def test_a_form_moves_the_lead_and_shows_it_again(office: Office) -> None:
    chen = office.client("chen", accept="text/html")
    form = {"move": "dismiss", "version": "0", "key": "k", "reason": "data", "note": "同一张单据传了两次"}
    answer = chen.post(f"/alerts/{ID}/move", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/alerts/{ID}#work")
    shown = page(office, "chen")
    assert "同一张单据传了两次" in shown
    assert catalogue("zh")["work.state.dismissed"] in shown


def test_who_comes_second_keeps_what_was_typed_and_reads_who_was_first(office: Office) -> None:
    office.move("chen", 0, "screen")
    office.move("fang", 1, "return", note="缺监控时段")
    form = {"move": "dismiss", "version": "0", "reason": "data", "note": "我写了很久"}
    answer = office.client("chen2", accept="text/html").post(f"/alerts/{ID}/move", data=form)
    assert answer.status_code == 412
    assert "fang" in answer.text
    assert "我写了很久" in answer.text


def test_what_a_form_lacks_is_said_beside_it(office: Office) -> None:
    office.move("chen", 0, "screen")
    form = {"move": "dispatch", "version": "1", "note": "x", "officer": ["gao", "gao"]}
    answer = office.client("fang", accept="text/html").post(f"/alerts/{ID}/move", data=form)
    assert answer.status_code == 422
    assert catalogue("zh")["work.why.two_officers_needed"] in answer.text


def test_measures_are_typed_in_yuan_and_stand_on_the_page(office: Office) -> None:
    for version, (name, move, given, _) in enumerate(JOURNEY[:6]):
        assert office.move(name, version, move, **given).status_code == 200
    form = {
        "move": "dispose",
        "version": "6",
        "measure_kind": ["fine", "points", ""],
        "measure_amount": ["12,000.50", "", ""],
        "measure_points": ["", "3", ""],
        "measure_ledger": ["org", "org", "org"],
        "measure_subject": ["", "P33010600123", ""],
        "measure_paper": ["罚3", "", ""],
    }
    answer = office.client("fang", accept="text/html").post(f"/alerts/{ID}/move", data=form)
    assert answer.status_code == 303, answer.text
    assert "12,000.50" in page(office, "jia")


def test_a_withdrawn_lead_that_nobody_began_offers_nothing(office: Office) -> None:
    take_back(office.store, leads.taken_back(LEAD))
    assert offered(page(office, "chen")) == []
    assert office.move("chen", 0, "screen").status_code == 409


def test_viewers_and_auditors_write_nothing(office: Office) -> None:
    for name in ("jia", "shen"):
        assert "/comment" not in page(office, name)
        assert office.client(name).post(COMMENTS, json={"note": "x"}).status_code == 403


def test_the_outcomes_stand_on_their_page_and_beside_the_lead(office: Office) -> None:
    for version, (name, move, given, _) in enumerate(JOURNEY[:7]):
        assert office.move(name, version, move, **given).status_code == 200
    told = office.client("shen").get("/api/v1/outcomes").json()["detectors"]
    assert [(one["detector"], one["confirmed"], one["recovered_fen"]) for one in told] == [(LEAD.detector, 1, 45_050)]
    for path in ("/outcomes", "/outcomes?days=30"):
        shown = office.client("shen", accept="text/html").get(path)
        assert shown.status_code == 200
        assert "450.50" in shown.text
    assert "1/1，21%–100%" in page(office, "shen")
    record(office.store, "far", Role.AUDITOR, ("440300",))
    assert office.client("far").get("/api/v1/outcomes").json() == {"detectors": []}


def test_every_state_move_reason_and_refusal_has_words() -> None:
    wanted = {f"work.state.{one}" for one in State} | {f"work.move.{one}" for one in Name}
    wanted |= {f"work.move.{one}.what" for one in Name} | {f"work.reason.{one}" for one in Reason}
    wanted |= {f"work.measure.{one}" for one in Kind} | {f"work.why.{one.value}" for one in Bar}
    wanted |= {f"work.why.{code}" for code in NOT_YOURS | NOT_NOW}
    wanted |= {f"work.stage.{stage}" for stage in STAGES}
    source = (Path(__file__).parents[1] / "alerts" / "life.py").read_text()
    wanted |= {f"work.why.{code}" for code in re.findall(r'MoveError\("(\w+)"', source)}
    for lang in LANGS:
        assert wanted <= catalogue(lang).keys()
    assert set(_STAGE_OF) == set(State)
    assert set(STAGES) <= set(State)
