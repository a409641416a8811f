"""The page that tells why the other rules said nothing of a lead's subject."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import httpx
import pytest
from msgspec.structs import replace

from alerts.alert import alert_id
from alerts.keeper import keep
from alerts.store import Store
from alerts.web.context import LANG_COOKIE, Remembered
from alerts.web.gate import COOKIE
from detectors.catalogue import DETECTORS
from detectors.finding import Lead, Subject
from detectors.nearness import Known
from detectors.pharmacy.empty_swipe_reverse_cases import THREE, TWO
from detectors.rules import Rulebook, rulebook
from replay.recorded import Recorded
from tests.browser.site import made_template, serving, session_of, store_in
from tests.leads import NOON, lead, verdict


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = store_in(tmp_path, made_template(tmp_path))
    yield store
    store.close()


@contextmanager
def asking(store: Store, said: Lead, remembered: Remembered | None) -> Iterator[httpx.Client]:
    """A reader of a feed that may ask this memory, or none."""
    keep(store, [verdict(said)], NOON)
    with (
        serving(store, remembered=remembered) as address,
        httpx.Client(base_url=address, headers={"accept": "text/html"}, follow_redirects=True, timeout=20) as client,
    ):
        client.cookies.set(COOKIE, session_of(store))
        yield client


def knowing(*events: object) -> Remembered:
    memory = Recorded()
    memory.remember(events)
    return lambda: nullcontext((memory, rulebook(DETECTORS)))


def about(person: str) -> Lead:
    return replace(lead("a"), subject=Subject("person", person))


def page_of(said: Lead) -> str:
    return f"/alerts/{alert_id(said)}/nearly"


def test_a_rule_that_nearly_spoke_says_what_would_have_made_a_lead(store: Store) -> None:
    said = about("P")
    with asking(store, said, knowing(*TWO)) as client:
        page = client.get(page_of(said)).text
        client.cookies.set(LANG_COOKIE, "en")
        english = client.get(page_of(said)).text
    assert "刷退循环" in page
    assert "若门槛“退费次数”（reversals）不是 3 而是 2，即会报出" in page
    assert "With bills taken back (reversals) at 2 instead of 3 there would be a lead" in english


def test_a_rule_that_spoke_comes_first_and_silent_ones_are_named_too(store: Store) -> None:
    said = about("P")
    with asking(store, said, knowing(*THREE)) as client:
        page = client.get(page_of(said)).text
    assert page.index("<b>已报出</b>") < page.index("没有接近门槛的情况")


def test_what_is_no_longer_remembered_is_said_to_be_forgotten(store: Store) -> None:
    said = about("Q")
    with asking(store, said, knowing(*TWO)) as client:
        assert "在线数据中已没有此对象的记录。" in client.get(page_of(said)).text


def test_the_lead_leads_there_only_where_there_is_a_memory_to_ask(store: Store) -> None:
    said = about("P")
    with asking(store, said, knowing(*TWO)) as client:
        assert page_of(said) in client.get(f"/alerts/{alert_id(said)}").text
    with asking(store, said, None) as client:
        assert page_of(said) not in client.get(f"/alerts/{alert_id(said)}").text
        assert client.get(page_of(said)).status_code == 404


def test_a_memory_that_is_away_is_a_problem_with_a_number(store: Store) -> None:
    @contextmanager
    def away() -> Iterator[tuple[Known, Rulebook]]:
        raise ConnectionError("no route")
        yield

    said = about("P")
    with asking(store, said, away) as client:
        answer = client.get(page_of(said))
    assert answer.status_code == 503
    assert "在线数据暂时读不到。" in answer.text


def test_a_stranger_is_sent_to_the_log_in(store: Store) -> None:
    said = about("P")
    with asking(store, said, knowing(*TWO)) as client:
        client.cookies.clear()
        answer = client.get(page_of(said), follow_redirects=False)
    assert answer.headers["location"].startswith("/login?next=")
