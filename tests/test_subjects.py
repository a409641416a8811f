"""The page of an institution, person, till or doctor, and what leads share."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from msgspec.structs import replace
from sqlalchemy import select

from alerts import migrations
from alerts import tables as t
from alerts.alert import alert_id
from alerts.involved import main_subjects
from alerts.keeper import keep
from alerts.store import Store
from alerts.subjects import dossier, related
from detectors.case import settlement
from detectors.finding import Lead, Reason, Subject
from tests.browser.leads import verdicts
from tests.browser.site import made_template, store_in
from tests.leads import NOON, ORG, lead
from tests.test_nearly import asking, knowing

PERSON = "p10875efd5d63b892"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Store]:
    """A store with an account to log in with."""
    store = store_in(tmp_path, made_template(tmp_path))
    yield store
    store.close()


def told(store: Store, *leads: Lead) -> None:
    keep(store, list(verdicts(list(leads))), NOON)


def of_person(one: Lead, person: str) -> Lead:
    """The same lead, its records all one person's."""
    return replace(one, evidence=tuple(replace(event, person=person) for event in one.evidence))


@pytest.mark.parametrize(
    ("subject", "about"),
    [
        (Subject("person", f"{ORG}/{PERSON}"), Subject("person", PERSON)),
        (Subject("drug", f"{PERSON}/氯吡格雷"), Subject("person", PERSON)),
        (Subject("drug", f"{ORG}/XA1"), Subject("org", ORG)),
        (Subject("till", f"{ORG}/T1"), Subject("till", f"{ORG}/T1")),
        (Subject("doctor", "D33010001"), Subject("doctor", "D33010001")),
    ],
)
def test_an_id_of_parts_is_mainly_about_one_of_them(subject: Subject, about: Subject) -> None:
    assert list(main_subjects(subject)) == [about]


def test_a_person_has_the_leads_that_name_it_in_any_part(store: Store) -> None:
    mine = [
        lead(PERSON, kind="person", events=("a",)),
        lead(f"{ORG}/{PERSON}", kind="person", events=("b",)),
        lead(f"{PERSON}/氯吡格雷", kind="drug", detector="drug_overstock", events=("c",)),
    ]
    told(store, *mine, of_person(lead(f"{PERSON}0", kind="person", events=("d",)), "p2"))
    found = dossier(store, Subject("person", PERSON))
    assert found is not None
    assert {case.row.alert_id for case in found.cases} == {alert_id(one) for one in mine}


def test_a_person_has_the_leads_whose_records_name_it(store: Store) -> None:
    one = of_person(lead("x/T1"), PERSON)
    told(store, one)
    found = dossier(store, Subject("person", PERSON))
    assert found is not None
    assert [case.row.alert_id for case in found.cases] == [alert_id(one)]


def test_another_area_learns_nothing_of_it(store: Store) -> None:
    told(store, lead(PERSON, kind="person"))
    assert dossier(store, Subject("person", PERSON), ("440000",)) is None
    assert dossier(store, Subject("org", ORG), ("440000",)) is None
    assert dossier(store, Subject("org", ORG), ("330100",)) is not None


def test_leads_are_related_by_records_and_persons_before_all_else(store: Store) -> None:
    this = of_person(lead("x/T1", events=("e1", "e2")), PERSON)
    same_records = of_person(lead("x/T2", events=("e1",), orgs=("P33010299999",)), "p9")
    same_person = of_person(lead(PERSON, kind="person", events=("e7",), orgs=("P33010288888",)), PERSON)
    stranger = lead("x/T3", events=("e8",), orgs=("P33010277777",))
    stranger = replace(stranger, evidence=())
    told(store, this, same_records, same_person, stranger)
    row = store.rows([alert_id(this)])[alert_id(this)]
    ties = {tie.row.alert_id: tie for tie in related(store, row)}
    assert Subject("person", PERSON) in ties[alert_id(same_person)].shared
    assert ties[alert_id(same_records)].records == 1
    assert alert_id(stranger) not in ties


def test_the_page_tells_what_memory_holds_and_that_somebody_looked(made: Store) -> None:
    one = lead(f"{ORG}/T1")
    bills = [settlement(f"1{n} 08:00", ORG, f"p{n}", event_id=f"b{n}", device="T1") for n in range(5)]
    with asking(made, one, knowing(*bills)) as client:
        page = client.get(f"/subjects/till/{ORG}/T1").text
        memory = client.get(f"/memory/till/{ORG}/T1").text
    assert f'href="/memory/till/{ORG}/T1"' in page
    assert f"/alerts/{alert_id(one)}" in page
    assert "结算5条" in memory
    assert "记16天" in memory
    seen = made.events_after(0, kinds=("viewed",))
    assert [entry.data for entry in seen] == [b'{"how":"page","subject":"till:%b/T1"}' % ORG.encode()]


def test_no_address_tells_more_of_a_person_than_the_page(made: Store) -> None:
    one = of_person(lead(f"{ORG}/T1"), PERSON)
    with asking(made, one, knowing(settlement("11 08:00", ORG, PERSON))) as client:
        page = client.get(f"/alerts/{alert_id(one)}").text
        told(made, of_person(lead("P33010210007/T2", events=("z1", "z2")), PERSON))
        page = client.get(f"/alerts/{alert_id(one)}").text
        (path,) = set(re.findall(r'href="(/subjects/person/[^"]+)"', page))
        about = client.get(path).text
        memory = client.get(path.replace("/subjects/", "/memory/")).text
        assert client.get(f"/subjects/person/{PERSON}").status_code == 404
        assert client.get(f"{path[:-1]}x").status_code == 404
    assert PERSON not in page + path + about + memory
    assert alert_id(one) in about
    assert "结算1条" in memory


def test_whom_nothing_names_has_no_page(made: Store) -> None:
    with asking(made, lead("a"), knowing()) as client:
        assert client.get("/subjects/person/nobody").status_code == 404
        assert client.get("/memory/person/nobody").status_code == 404
        assert client.get(f"/subjects/street/{ORG}").status_code == 404


def test_an_older_store_learns_whom_its_leads_name(store: Store) -> None:
    one = of_person(lead(f"{ORG}/氯吡格雷", kind="drug"), PERSON)
    told(store, one, lead("D33010001", kind="doctor", events=("z",)))
    before = _named(store)
    with store.engine.connect().execution_options(writer=True) as db, db.begin():
        command.downgrade(migrations._config(db), "0003")
    migrations.upgrade(store.engine.url.render_as_string(hide_password=False))
    assert _named(store) == before
    assert len(before) > 2


def _named(store: Store) -> list[tuple[str, str, str]]:
    with store.engine.connect() as db:
        return sorted((row.alert_id, row.kind, row.id) for row in db.execute(select(t.involved)))


def test_a_model_says_by_which_features_it_spoke(made: Store) -> None:
    why = Reason("night_share", 0.62, 0.05, None, 0.41, "ratio")
    one = replace(lead(ORG, kind="org"), explanation=(why,))
    with asking(made, one, knowing()) as client:
        page = client.get(f"/alerts/{alert_id(one)}").text
    assert "模型提示，不作为认定依据" in page
    assert "<b>0.62</b>" in page
    assert "41%" in page
