"""Leads that somebody enters: what is asked of them, who sees what, and what never hears of them."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from alerts.accounts import Account, Role, account
from alerts.backup import backup, restore
from alerts.casework import KeyReusedError, move, work_of
from alerts.entered import Told, enter, entered, paper_of
from alerts.export import ndjson
from alerts.keeper import keep
from alerts.kept import Filter
from alerts.life import NOTHING, MoveError, Name
from alerts.overview import overview
from alerts.publish import pending
from alerts.source import RULES, Source
from alerts.store import Store
from alerts.web.gate import COOKIE, Gate
from detectors.finding import Level
from tests.browser.site import SECRET, made_template, now, serving, store_in
from tests.leads import NOON, lead, verdict
from tests.test_work import record

ORG = "P33010210007"
TODAY = date(2026, 3, 12)
CHEN = Account("chen", Role.SCREENER, (), False, None, NOON)
TOLD = Told(
    source=Source.TIP_OFF, orgs=(ORG,), about="有人反映该店长期收集医保卡刷卡", told="来信一封，附照片两张。",
    received=TODAY, paper="举报〔2026〕第17号", confidential=True, amount_fen=123_400,
)  # fmt: skip
BODY = {
    "source": "tip_off", "orgs": [ORG], "about": "有人反映该店长期收集医保卡刷卡", "told": "来信一封，附照片两张。",
    "received": "2026-03-12", "paper": "举报〔2026〕第17号", "confidential": True, "amount": "1234.00",
}  # fmt: skip


def somebody(role: Role, *areas: str, name: str = "somebody") -> Account:
    return Account(name, role, areas, False, None, NOON)


# -- in the store ------------------------------------------------------------------------------------------------------


def test_an_entered_lead_stands_in_the_list_with_its_source(store: Store) -> None:
    name = enter(store, CHEN, TOLD, NOON)
    row = store.rows([name])[name]
    assert (row.detector, row.level, row.subject_kind, row.subject_id) == ("tip_off", Level.YELLOW, "org", ORG)
    assert (row.amount_at_risk_fen, row.areas, row.orgs) == (123_400, ("330102",), (ORG,))


def test_it_is_found_by_its_source_and_rules_leads_without_it(store: Store) -> None:
    keep(store, [verdict(lead())], NOON)
    name = enter(store, CHEN, TOLD, NOON)
    found = store.page(Filter(sources=frozenset({"tip_off", "media"}))).items
    assert [row.alert_id for row in found] == [name]
    assert [row.detector for row in store.page(Filter(sources=frozenset({RULES}))).items] == ["card_batch_swipe"]
    assert store.facets(Filter(sources=frozenset({RULES}))).sources == {RULES: 1, "tip_off": 1}
    assert store.facets(Filter(sources=frozenset({RULES}))).total == 1


def test_counts_know_of_it_at_once(store: Store) -> None:
    assert store.facets().total == 0
    enter(store, CHEN, TOLD, NOON)
    assert store.facets().total == 1


def test_topic_and_export_of_alerts_never_hear_of_it(store: Store) -> None:
    keep(store, [verdict(lead())], NOON)
    before = [m.value for m in pending(store, "alerts")], list(ndjson(store, Filter(sources=frozenset({RULES}))))
    enter(store, CHEN, TOLD, NOON)
    after = [m.value for m in pending(store, "alerts")], list(ndjson(store, Filter(sources=frozenset({RULES}))))
    assert before == after


def test_what_rules_say_afterwards_is_the_same_as_without_it(store: Store) -> None:
    enter(store, CHEN, TOLD, NOON)
    changes = keep(store, [verdict(lead())], NOON)
    assert [(changed.change, changed.alert.revision) for changed in changes] == [("created", 1)]


def test_a_key_sent_again_makes_no_second_lead(store: Store) -> None:
    first = enter(store, CHEN, TOLD, NOON, key="k1")
    assert enter(store, CHEN, TOLD, NOON + timedelta(minutes=5), key="k1") == first
    assert store.facets().total == 1
    with pytest.raises(KeyReusedError):
        enter(store, CHEN, msgspec.structs.replace(TOLD, about="别的事"), NOON, key="k1")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"orgs": ("12",)}, "org_needed"),
        ({"orgs": ()}, "org_needed"),
        ({"orgs": (), "subject_kind": "person", "subject_id": "p00017"}, "area_needed"),
        ({"area": "33"}, "area_needed"),
        ({"subject_kind": "person", "subject_id": ""}, "subject_needed"),
        ({"subject_kind": "person", "subject_id": "33010219700101123X"}, "subject_needed"),
        ({"subject_kind": "stay", "subject_id": "p00017"}, "subject_needed"),
        ({"about": "  "}, "note_needed"),
        ({"about": "字" * 201}, "too_long"),
        ({"told": "联系电话13800001234"}, "no_persons"),
        ({"about": "身份证33010219700101123X"}, "no_persons"),
        ({"paper": ""}, "paper_needed"),
        ({"paper": "张三的来信"}, "paper_needed"),
        ({"amount_fen": -1}, "amount_needed"),
        ({"received": TODAY + timedelta(days=1)}, "days_needed"),
        ({"since": TODAY, "until": TODAY - timedelta(days=1)}, "days_needed"),
    ],
)
def test_what_is_lacking_is_told(store: Store, change: dict[str, object], why: str) -> None:
    with pytest.raises(MoveError) as refused:
        enter(store, CHEN, msgspec.structs.replace(TOLD, **change), NOON)
    assert refused.value.code == why
    assert store.last_seq() == 0


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RULES, Role.AUDITOR, Role.ADMIN])
def test_only_those_who_work_leads_enter_them(store: Store, role: Role) -> None:
    with pytest.raises(MoveError, match="not_your_role"):
        enter(store, somebody(role), TOLD, NOON)


def test_nobody_enters_a_lead_about_another_area(store: Store) -> None:
    with pytest.raises(MoveError, match="not_your_area"):
        enter(store, somebody(Role.SCREENER, "330200"), TOLD, NOON)


def test_a_person_without_an_institution_is_seen_in_the_area_named(store: Store) -> None:
    person = msgspec.structs.replace(TOLD, orgs=(), area="330102", subject_kind="person", subject_id="p00017")
    name = enter(store, CHEN, person, NOON)
    assert store.page(Filter(areas=("330100",))).items[0].alert_id == name
    assert store.page(Filter(areas=("330200",))).items == ()


def test_a_confidential_number_is_for_reviewers_and_who_entered_it_and_that_is_written_down(store: Store) -> None:
    name = enter(store, CHEN, TOLD, NOON)
    found = entered(store, name)
    assert found is not None
    assert found.paper == ""
    for who in (somebody(Role.INVESTIGATOR), somebody(Role.AUDITOR), somebody(Role.SCREENER)):
        with pytest.raises(MoveError, match="not_your_role"):
            paper_of(store, who, name, NOON)
    assert paper_of(store, CHEN, name, NOON) == paper_of(store, somebody(Role.REVIEWER), name, NOON) == TOLD.paper
    asked = [(entry.kind, entry.actor) for entry in store.events_after(0, kinds=("paper_asked",))]
    assert asked == [("paper_asked", "chen"), ("paper_asked", "somebody")]


def test_the_trail_holds_neither_number_nor_words(store: Store) -> None:
    enter(store, CHEN, TOLD, NOON)
    (entry,) = store.events_after(0, kinds=())
    assert msgspec.json.decode(entry.data) == {"source": "tip_off", "level": "yellow", "confidential": True}


def test_a_tip_off_about_last_year_moves_no_days_of_the_overview(store: Store) -> None:
    keep(store, [verdict(lead())], NOON)
    enter(store, CHEN, TOLD, NOON)
    later = NOON + timedelta(days=90)
    enter(store, CHEN, msgspec.structs.replace(TOLD, received=later.date()), later)
    told = overview(store, later)
    assert told.until == TODAY
    assert {kind.detector: kind.total for kind in told.kinds} == {"card_batch_swipe": 1, "tip_off": 1}


def test_a_backup_holds_it(store: Store, tmp_path: Path, sqlite_template: Path) -> None:
    name = enter(store, CHEN, TOLD, NOON)
    work = move(store, CHEN, name, 0, Name.SCREEN, NOTHING, NOON)
    backup(store, tmp_path / "b", NOON)
    (tmp_path / "other.db").write_bytes(sqlite_template.read_bytes())
    second = Store.open(f"sqlite:///{tmp_path}/other.db")
    restore(second, tmp_path / "b")
    assert paper_of(second, CHEN, name, NOON) == TOLD.paper
    assert work_of(second, name) == work, "the day by which it is due, too"
    second.close()


# -- over HTTP ---------------------------------------------------------------------------------------------------------


class Office:
    """A feed, and a client for each person."""

    def __init__(self, store: Store, address: str) -> None:
        self.store, self.address, self.tls = store, address, httpx.create_ssl_context()
        self.clients: dict[str, httpx.Client] = {}

    def client(self, name: str) -> httpx.Client:
        if name not in self.clients:
            who = account(self.store, name)
            assert who is not None
            cookie = {COOKIE: Gate(self.store, SECRET, now).session(who)}
            self.clients[name] = httpx.Client(base_url=self.address, cookies=cookie, timeout=20, verify=self.tls)
        return self.clients[name]

    def entered(self, **change: object) -> str:
        answer = self.client("chen").post("/api/v1/leads", json=BODY | change)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["alert_id"])


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    directory = tmp_path_factory.mktemp("entered")
    store = store_in(directory, made_template(tmp_path_factory.mktemp("template")))
    for name, role in {
        "chen": Role.SCREENER, "fang": Role.REVIEWER, "gao": Role.INVESTIGATOR, "hou": Role.INVESTIGATOR,
        "jia": Role.VIEWER, "shen": Role.AUDITOR,
    }.items():  # fmt: skip
        record(store, name, role)
    record(store, "zhao", Role.REVIEWER, ("330200",))
    with serving(store) as address:
        made = Office(store, address)
        yield made
        for client in made.clients.values():
            client.close()
    store.close()


def test_a_tip_off_entered_by_a_program_is_worked_like_any_lead(office: Office) -> None:
    name = office.entered()
    moves = f"/api/v1/alerts/{name}/moves"

    def move(who: str, version: int, **given: object) -> str:
        answer = office.client(who).post(moves, json=given, headers={"if-match": f'"{version}"'})
        return str(answer.json().get("state", answer.text))

    assert move("chen", 0, move="screen") == "screened"
    assert move("fang", 1, move="dispatch", note="查监控", officers=["gao", "hou"]) == "assigned"
    assert move("gao", 2, move="verify") == "verifying"
    assert move("gao", 3, move="report", note="属实", amount="500.00") == "feedback"


def test_a_key_over_http_answers_the_same_lead_twice(office: Office) -> None:
    headers = {"idempotency-key": "k9"}
    answers = [office.client("chen").post("/api/v1/leads", json=BODY, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()


def test_who_may_not_enter_is_refused_in_words(office: Office) -> None:
    answer = office.client("jia").post("/api/v1/leads", json=BODY)
    assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
    answer = office.client("chen").post("/api/v1/leads", json=BODY | {"orgs": []})
    assert (answer.status_code, answer.json()["detail"]) == (422, "请填写机构代码：一个字母加十一位数字，最多十家。")


def test_a_confidential_number_is_on_no_page_no_answer_and_no_file(office: Office) -> None:
    name, number = office.entered(paper="登记第90817号"), "90817"
    for who in ("chen", "fang", "gao"):
        client = office.client(who)
        for path in (
            f"/alerts/{name}",
            f"/api/v1/alerts/{name}",
            f"/api/v1/leads/{name}/origin",
            "/",
            "/api/v1/alerts",
        ):
            assert number not in client.get(path).text, path
    chen = office.client("chen")
    for form in ("csv",):
        files = [
            chen.post(f"/alerts/{name}/export", data={"format": form}),
            chen.post("/export", data={"format": form}),
        ]
        assert [file.status_code for file in files] == [200, 200]
        assert all(number not in file.text and "有人反映" in file.text for file in files)
    assert number in office.client("fang").post(f"/alerts/{name}/paper-number").text
    assert office.client("fang").post(f"/api/v1/leads/{name}/paper").json() == {"paper": "登记第90817号"}
    assert office.client("gao").post(f"/api/v1/leads/{name}/paper").status_code == 403


def test_another_area_sees_nothing_of_it(office: Office) -> None:
    name, zhao = office.entered(), office.client("zhao")
    assert zhao.get(f"/alerts/{name}").status_code == 404
    assert zhao.get(f"/api/v1/leads/{name}/origin").status_code == 404
    assert zhao.post(f"/api/v1/leads/{name}/paper").status_code == 404


def test_the_feed_marks_and_filters_by_source(office: Office) -> None:
    name = office.entered()
    feed = office.client("chen").get("/?source=tip_off").text
    assert f"/alerts/{name}" in feed
    assert "来源：投诉举报" in feed
    assert f"/alerts/{name}" not in office.client("chen").get("/?source=rules").text
    assert office.client("chen").get("/api/v1/alerts?source=rules").json()["items"] == []
    assert office.client("chen").get("/api/v1/alerts?source=nowhere").status_code == 400


def test_what_was_typed_stays_when_the_form_is_refused(office: Office) -> None:
    typed = {**{key: str(value) for key, value in BODY.items() if key != "orgs"}, "level": "red", "amount": "一千"}
    answer = office.client("chen").post("/enter", data=typed | {"orgs": ORG, "subject_kind": "org"})
    assert answer.status_code == 422
    assert "来信一封，附照片两张。" in answer.text
    assert "一千" in answer.text


def test_an_auditor_reads_who_entered_a_lead_and_who_asked_for_its_number(office: Office) -> None:
    name = office.entered(paper="登记第4711号")
    office.client("chen").post(f"/alerts/{name}/paper-number")
    trail = office.client("shen").get(f"/audit?alert_id={name}&group=all").text
    assert "录入线索" in trail
    assert "查看登记号" in trail
    assert "4711" not in trail


def test_a_person_is_told_by_its_last_characters(office: Office) -> None:
    person = "p0123456789abcdef"
    name = office.entered(subject_kind="person", subject_id=person, about=f"{person}的卡", told=f"持卡人不是{person}。")
    for path in (f"/alerts/{name}", f"/api/v1/leads/{name}/origin", f"/api/v1/alerts/{name}", "/?source=tip_off"):
        page = office.client("gao").get(path).text
        assert person not in page, path
    assert "持卡人不是" in office.client("gao").get(f"/alerts/{name}").text


def test_a_page_without_evidence_says_where_the_lead_comes_from(office: Office) -> None:
    page = office.client("gao").get(f"/alerts/{office.entered(confidential=False)}").text
    assert "来信一封，附照片两张。" in page
    assert "举报〔2026〕第17号" in page
    assert "本线索由工作人员录入" in page


def test_a_day_before_there_was_a_fund_is_refused(office: Office) -> None:
    answer = office.client("chen").post("/api/v1/leads", json=BODY | {"since": "0001-01-01"})
    assert answer.status_code == 422
