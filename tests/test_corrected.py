"""Correcting entered leads: who may, until when, and what stays of what was said; and what messages tell of them."""

from collections.abc import Iterator
from datetime import time, timedelta
from pathlib import Path

import pytest
from msgspec import json
from msgspec.structs import replace

from alerts.accounts import Role
from alerts.casework import move
from alerts.corrected import OvertakenError, correct, earlier, wording
from alerts.entered import Told, enter, entered, paper_of
from alerts.kept import CORRECTED
from alerts.life import NOTHING, MoveError, Name
from alerts.notify import queue
from alerts.notify.letters import letter
from alerts.notify.targets import Target, TargetKind
from alerts.retention import drop_alerts
from alerts.store import Store
from alerts.trail import GROUPS
from detectors.finding import Level
from tests.browser.site import serving, store_in
from tests.leads import NOON
from tests.test_entered import BODY, CHEN, ORG, TOLD, somebody
from tests.test_work import PEOPLE, Office, record

OTHER = "P33010210008"
FIXED = replace(TOLD, orgs=(OTHER,), subject_id=OTHER, about="有人反映该店代刷医保卡", level=Level.RED)
FANG = somebody(Role.REVIEWER, name="fang")
BOSS = Target(name="boss", kind=TargetKind.WEBHOOK, detectors=frozenset({"tip_off"}), quiet=(time(22), time(7)))


def made(store: Store, **change: object) -> str:
    return enter(store, CHEN, replace(TOLD, **change), NOON)


def test_who_entered_a_lead_corrects_it_and_what_it_said_before_stays(store: Store) -> None:
    name = made(store)
    assert correct(store, CHEN, name, 1, FIXED, NOON + timedelta(hours=1)) == 2
    row = store.rows([name])[name]
    assert (row.subject_id, row.orgs, row.level, row.summary_zh) == (OTHER, (OTHER,), Level.RED, FIXED.about)
    [before] = earlier(store, name)
    assert (before.told.subject_id, before.told.about, before.corrected_by) == (ORG, TOLD.about, "chen")
    assert wording(store, name) == (2, replace(FIXED, since=TOLD.received, until=TOLD.received, paper=""))


def test_counts_and_filters_know_of_a_correction_at_once(store: Store) -> None:
    name = made(store)
    assert store.facets().levels == {"yellow": 1}
    correct(store, CHEN, name, 1, FIXED, NOON)
    assert store.facets().levels == {"red": 1}


def test_the_trail_says_who_corrected_which_fields_and_no_word_of_them(store: Store) -> None:
    correct(store, CHEN, made(store), 1, FIXED, NOON)
    [entry] = store.events_after(0, kinds=(CORRECTED,))
    told = json.decode(entry.data)
    assert (entry.actor, told["version"]) == ("chen", 2)
    assert set(told["fields"]) == {"subject_id", "orgs", "about", "level"}
    assert FIXED.about not in entry.data.decode()
    assert store.chain_broken_at() is None
    assert CORRECTED in GROUPS["work"]


def test_of_two_who_correct_the_second_is_told_who_was_first(store: Store) -> None:
    name = made(store)
    correct(store, FANG, name, 1, FIXED, NOON)
    with pytest.raises(OvertakenError, match="fang"):
        correct(store, CHEN, name, 1, replace(FIXED, about="别的"), NOON)
    assert len(earlier(store, name)) == 1


def test_once_somebody_has_decided_nothing_is_corrected(store: Store) -> None:
    name = made(store)
    move(store, somebody(Role.SCREENER), name, 0, Name.SCREEN, NOTHING, NOON)
    with pytest.raises(MoveError, match="decided_already"):
        correct(store, CHEN, name, 1, FIXED, NOON)


@pytest.mark.parametrize(
    ("role", "areas", "why"),
    [(Role.SCREENER, (), "not_your_entry"), (Role.AUDITOR, (), "not_your_entry"), (Role.VIEWER, (), "not_your_entry")],
)
def test_only_who_entered_it_and_reviewers_correct_it(
    store: Store, role: Role, areas: tuple[str, ...], why: str
) -> None:
    with pytest.raises(MoveError, match=why):
        correct(store, somebody(role, *areas), made(store), 1, FIXED, NOON)


def test_nobody_corrects_a_lead_into_another_area(store: Store) -> None:
    name = made(store)
    near = somebody(Role.REVIEWER, "330100")
    with pytest.raises(MoveError, match="not_your_area"):
        correct(store, near, name, 1, replace(FIXED, orgs=("P33020010008",), subject_id=""), NOON)


def test_a_number_that_is_not_given_stays_and_one_that_becomes_confidential_was_never_open(store: Store) -> None:
    name = made(store, confidential=False)
    assert wording(store, name) is not None
    correct(store, CHEN, name, 1, replace(TOLD, paper="", confidential=True), NOON)
    assert [one.told.paper for one in earlier(store, name)] == [""]
    found = entered(store, name)
    assert (found and found.paper, paper_of(store, CHEN, name, NOON)) == ("", TOLD.paper)


def test_a_person_shown_by_its_end_is_still_the_same_after_a_correction(store: Store) -> None:
    person = "p0123456789abcdef"
    name = made(store, subject_kind="person", subject_id=person, told=f"持卡人不是{person}。")
    found = wording(store, name)
    assert found is not None
    version, told = found
    assert (told.subject_id, told.told) == ("****cdef", "持卡人不是****cdef。")
    correct(store, CHEN, name, version, replace(told, about="换一句"), NOON)
    assert store.rows([name])[name].subject_id == person
    kept = entered(store, name)
    assert kept is not None
    assert kept.told == f"持卡人不是{person}。"
    assert person not in str(earlier(store, name))


def test_a_correction_that_changes_nothing_leaves_no_trace(store: Store) -> None:
    name = made(store)
    found = wording(store, name)
    assert found is not None
    assert correct(store, CHEN, name, 1, found[1], NOON) == 1
    assert store.events_after(0, kinds=(CORRECTED,)) == []


def test_what_a_lead_said_before_goes_with_it(store: Store) -> None:
    name = made(store)
    correct(store, CHEN, name, 1, FIXED, NOON)
    assert drop_alerts(store, NOON + timedelta(days=1), "test", NOON) == 1
    assert earlier(store, name) == []


# -- messages ----------------------------------------------------------------------------------------------------------


def told_by_message(store: Store, told: Told) -> str:
    queue.begin(store)
    enter(store, CHEN, told, NOON)
    queue.fill(store, [BOSS], NOON)
    waiting = queue.due(store, "boss", NOON)
    return json.encode(letter(store, BOSS, waiting, "https://feed", NOON)).decode() if waiting else ""


def test_an_entered_lead_is_told_by_its_source_to_who_wants_it(store: Store) -> None:
    said = told_by_message(store, replace(TOLD, confidential=False))
    assert TOLD.about in said
    assert TOLD.told not in said
    assert TOLD.paper not in said
    assert queue.counts(store) == {("boss", "waiting"): 1}


def test_a_confidential_lead_is_told_without_a_word_of_what_was_written(store: Store) -> None:
    said = told_by_message(store, TOLD)
    assert "保密线索" in said
    assert not any(word in said for word in (TOLD.about, TOLD.told, TOLD.paper))


def test_an_entered_lead_keeps_to_quiet_hours_and_routes_as_others_do(store: Store) -> None:
    night = NOON + timedelta(hours=3)  # 23:00 in China
    other = Target(name="other", kind=TargetKind.WEBHOOK, detectors=frozenset({"media"}))
    queue.begin(store)
    enter(store, CHEN, TOLD, night)
    queue.fill(store, [BOSS, other], night)
    assert queue.counts(store) == {("boss", "waiting"): 1}
    assert queue.due(store, "boss", night) == []
    assert len(queue.due(store, "boss", night + timedelta(hours=10))) == 1


def test_a_lead_that_is_corrected_to_a_graver_level_is_told_of_again(store: Store) -> None:
    queue.begin(store)
    name = made(store)
    queue.fill(store, [BOSS], NOON)
    correct(store, CHEN, name, 1, FIXED, NOON)
    queue.fill(store, [BOSS], NOON)
    assert sorted(one.told for one in queue.due(store, "boss", NOON)) == ["red", "yellow"]


# -- over HTTP ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def office(tmp_path: Path, template: Path) -> Iterator[Office]:
    store = store_in(tmp_path, template)
    for name, role in PEOPLE.items():
        record(store, name, role)
    with serving(store) as address:
        made = Office(store, address)
        yield made
        for client in made.clients.values():
            client.close()
    store.close()


def test_a_program_corrects_the_version_it_has_read(office: Office) -> None:
    chen = office.client("chen")
    place = "/api/v1/leads/" + chen.post("/api/v1/leads", json=BODY).json()["alert_id"]
    read = chen.get(place)
    assert (read.headers["etag"], read.json()["now"]["paper"]) == ('"1"', "")
    body = read.json()["now"] | {"about": "该店代刷医保卡"}
    assert chen.put(place, json=body).status_code == 428
    done = chen.put(place, json=body, headers={"if-match": '"1"'})
    assert (done.status_code, done.headers["etag"], done.json()["now"]["about"]) == (200, '"2"', "该店代刷医保卡")
    assert done.json()["earlier"][0]["lead"]["about"] == BODY["about"]
    late = office.client("fang").put(place, json=body | {"about": "晚了"}, headers={"if-match": '"1"'})
    assert (late.status_code, late.json()["detail"]) == (412, "chen 已先更正，请看过现在的内容再改。")
    other = office.client("gao").put(place, json=body, headers={"if-match": '"2"'})
    assert (other.status_code, other.json()["code"]) == (403, "not_allowed")
    assert office.client("gao").get(place).json()["version"] == 2


def test_the_page_offers_a_correction_to_who_may_make_it_and_shows_what_was_said_before(office: Office) -> None:
    chen = office.client("chen", accept="text/html")
    name = office.client("chen").post("/api/v1/leads", json=BODY).json()["alert_id"]
    place = f"/alerts/{name}/correct"
    assert place in chen.get(f"/alerts/{name}").text
    assert place not in office.client("gao", accept="text/html").get(f"/alerts/{name}").text
    assert office.client("gao", accept="text/html").get(place).status_code == 403
    form = chen.get(place).text
    assert str(BODY["about"]) in form
    assert "17号" not in form
    typed = {
        "version": "1", "source": "tip_off", "level": "orange", "subject_kind": "org", "subject_id": OTHER,
        "orgs": OTHER, "about": "该店代刷医保卡", "told": "", "received": "2026-03-12",
        "paper": "", "confidential": "yes",
    }  # fmt: skip
    assert chen.post(place, data=typed).headers["location"] == f"/alerts/{name}#origin"
    page = chen.get(f"/alerts/{name}").text
    for said in ("该店代刷医保卡", str(BODY["about"]), "更正录入内容", "对象编码 · 机构 · 事由"):
        assert said in page
    assert chen.post(place, data=typed | {"about": "再改"}).status_code == 412
