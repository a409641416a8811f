"""Point ledgers: who holds how many points this year, and who may see it."""

from datetime import timedelta

import httpx
import pytest

from alerts.alert import alert_id
from alerts.keeper import keep
from alerts.ledgers import balances
from alerts.life import Asked, Kind, Measure, Name
from alerts.store import Store
from alerts.subjects import dossier
from detectors.finding import Lead, Subject
from tests.browser.leads import verdicts
from tests.leads import NOON, lead
from tests.test_casework import PEOPLE, record
from tests.test_outcomes import check, step
from tests.test_work import Office, office  # noqa: F401

ONE, OTHER = lead("P33010210007/T1"), lead("P33010210007/T2")


@pytest.fixture
def settled(store: Store) -> Store:
    """Two leads with points against a shop, a cashier and a doctor."""
    keep(store, list(verdicts([ONE, OTHER])), NOON)
    for name, role in PEOPLE.items():
        record(store, name, role)
    give(store, ONE, ("org", "P33010210007", 3), ("cashier", "c-0017", 10))
    give(store, OTHER, ("org", "P33010210007", 9), ("doctor", "D330102000214", 2))
    return store


def give(store: Store, of: Lead, *points: tuple[str, str, int]) -> None:
    check(store, of)
    step(store, of, 5, "fang", Name.CONFIRM, Asked(note="x", amount_fen=900))
    measures = (Measure(kind=Kind.POINTS, points=n, subject_kind=kind, subject_id=name) for kind, name, n in points)
    step(store, of, 6, "fang", Name.DISPOSE, Asked(measures=tuple(measures)))


def test_points_of_a_year_are_summed_by_subject_the_fullest_first(settled: Store) -> None:
    told = [(one.subject_kind, one.subject_id, one.points, one.times) for one in balances(settled, NOON)]
    assert told == [
        ("org", "P33010210007", 12, 2),
        ("cashier", "c-0017", 10, 1),
        ("doctor", "D330102000214", 2, 1),
    ]
    assert set(balances(settled, NOON)[0].leads) == {alert_id(ONE), alert_id(OTHER)}


def test_on_the_first_of_january_they_are_gone(settled: Store) -> None:
    assert balances(settled, NOON + timedelta(days=300)) == []


def test_points_of_another_area_are_not_told(settled: Store) -> None:
    assert balances(settled, NOON, areas=("440300",)) == []
    assert len(balances(settled, NOON, areas=("330100",))) == 3


def test_a_year_without_points_says_so_and_a_stranger_learns_nothing(office: Office) -> None:  # noqa: F811
    page = office.client("fang").get("/ledgers")
    assert (page.status_code, "今年还没有记分" in page.text) == (200, True)
    assert office.client("fang").get("/api/v1/ledgers").json() == {"full": 12, "balances": []}
    assert httpx.get(f"{office.address}/api/v1/ledgers").status_code == 401


def test_a_till_holds_no_points_whatever_cashier_has_a_name_like_its(store: Store) -> None:
    keep(store, list(verdicts([ONE])), NOON)
    for name, role in PEOPLE.items():
        record(store, name, role)
    give(store, ONE, ("cashier", "T1", 10))
    found = dossier(store, Subject("till", "P33010210007/T1"))
    assert found is not None
    assert found.points == ()
