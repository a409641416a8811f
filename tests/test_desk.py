"""Many leads at once, the next lead, saved views and the further conditions of the feed, over HTTP."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from alerts.accounts import Role
from alerts.alert import alert_id
from alerts.claims import LOCKED, claims_of
from alerts.keeper import keep
from alerts.life import Asked, Name
from alerts.quota import DAILY
from alerts.store import Store
from alerts.web.desk import Choice, choice
from detectors.finding import Lead, Level
from tests.browser.leads import verdicts
from tests.browser.site import now, serving, store_in
from tests.leads import lead
from tests.test_outcomes import step
from tests.test_work import Office, record

PEOPLE = {"chen": Role.SCREENER, "wang": Role.SCREENER, "fang": Role.REVIEWER, "jia": Role.VIEWER}
FIRST, SECOND, THIRD = (lead(f"P33010210007/T{n}", amount=900 - n, events=(f"e{n}",)) for n in range(3))
ELSEWHERE = lead("P44010210007/T1", orgs=("P44010210007",), events=("e9",))


@pytest.fixture
def office(tmp_path: Path, template: Path) -> Iterator[Office]:
    store = store_in(tmp_path, template)
    for name, role in PEOPLE.items():
        record(store, name, role)
    record(store, "lin", Role.SCREENER, ("440000",))
    told(store, FIRST, SECOND, THIRD, ELSEWHERE)
    with serving(store) as address:
        made = Office(store, address)
        yield made
        for client in made.clients.values():
            client.close()
    store.close()


def told(store: Store, *leads: Lead) -> None:
    keep(store, list(verdicts(list(leads))), now())


def bulk(client: httpx.Client, action: str, *leads: Lead, **more: object) -> dict[str, object]:
    alerts = [{"alert_id": alert_id(one), "version": 0} for one in leads]
    answer = client.post("/api/v1/alerts/bulk", json={"action": action, "alerts": alerts, **more})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def why(done: dict[str, object]) -> list[str]:
    return [str(item["why"]) for item in done["items"] if not item["done"]]  # type: ignore[attr-defined]  # JSON


def holders(store: Store) -> dict[str, str]:
    return {
        name: one.holder
        for name, one in claims_of(store, [alert_id(one) for one in (FIRST, SECOND, THIRD)], now()).items()
    }


def test_what_can_be_done_is_done_and_the_rest_says_why(office: Office) -> None:
    step(office.store, SECOND, 0, "chen", Name.SCREEN, Asked())
    given = {"reason": "exclusion", "exclusion": "X10", "note": "义诊"}
    done = bulk(office.client("wang"), "dismiss", FIRST, SECOND, THIRD, **given)
    assert done["done"] == 2
    assert len(why(done)) == 1
    assert "chen" in why(done)[0]


def test_a_dismissal_of_many_needs_its_reason(office: Office) -> None:
    done = bulk(office.client("wang"), "dismiss", FIRST, SECOND)
    assert (done["done"], set(why(done))) == (0, {"请选择原因。"})


def test_leads_are_claimed_assigned_and_given_back(office: Office) -> None:
    chen = office.client("chen")
    bulk(chen, "claim", FIRST)
    bulk(chen, "assign", SECOND, holder="wang")
    assert holders(office.store) == {alert_id(FIRST): "chen", alert_id(SECOND): "wang"}
    assert why(bulk(office.client("fang"), "unclaim", FIRST)) == ["不在您手上，也不是您分派的。"]
    bulk(chen, "unclaim", FIRST, SECOND)
    assert holders(office.store) == {}
    kinds = [entry.kind for entry in office.store.events_after(0, kinds=("claimed", "unclaimed"))]
    assert kinds == ["claimed", "claimed", "unclaimed", "unclaimed"]


def test_nobody_is_given_what_he_may_not_see_or_work_on(office: Office) -> None:
    assert bulk(office.client("chen"), "assign", FIRST, holder="lin")["done"] == 0
    assert bulk(office.client("chen"), "assign", FIRST, holder="jia")["done"] == 0
    assert bulk(office.client("jia"), "claim", FIRST)["done"] == 0
    assert bulk(office.client("lin"), "claim", FIRST, ELSEWHERE)["done"] == 1


def test_the_next_lead_is_the_gravest_that_nobody_holds_and_is_kept_for_a_while(office: Office) -> None:
    def take(name: str) -> str | None:
        answer = office.client(name).post("/api/v1/alerts/next?area=330102")
        return answer.json()["alert_id"]  # type: ignore[no-any-return]  # JSON

    assert [take("chen"), take("wang"), take("chen"), take("wang")] == [
        *(alert_id(one) for one in (FIRST, SECOND, THIRD)),
        None,
    ]
    assert claims_of(office.store, [alert_id(FIRST)], now() + LOCKED) == {}
    assert office.client("jia").post("/api/v1/alerts/next").status_code == 403


def test_views_are_ones_own_until_they_are_shared(office: Office) -> None:
    chen, wang = office.client("chen"), office.client("wang")

    def names(client: httpx.Client) -> list[str]:
        return [view["name"] for view in client.get("/api/v1/views").json()["views"]]

    assert chen.post("/api/v1/views", json={"name": "我的红", "query": "level=red&x=1"}).status_code == 204
    assert chen.post("/api/v1/views", json={"name": "共用", "query": "level=red", "shared": True}).status_code == 204
    assert (names(chen), names(wang)) == (["共用", "我的红"], ["共用"])
    assert chen.get("/api/v1/views").json()["views"][1]["query"] == "level=red"
    assert 'href="/?level=red"' in wang.get("/").text
    assert wang.delete("/api/v1/views?name=共用").status_code == 204
    assert names(wang) == ["共用"]
    assert chen.delete("/api/v1/views?name=共用").status_code == 204
    assert names(wang) == []
    assert chen.post("/api/v1/views", json={"name": " ", "query": ""}).status_code == 422
    assert chen.post("/api/v1/views", json={"name": "x", "query": "level=green"}).status_code == 400


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("area=330102", [FIRST, SECOND, THIRD]),
        ("org=P44010210007", [ELSEWHERE]),
        ("holder=wang", [SECOND]),
        ("work=screened", [THIRD]),
        ("work=new&work=screened&least=9", [FIRST, ELSEWHERE]),
        ("since=2026-03-13", []),
        ("since=2026-03-12&until=2026-03-12", [FIRST, SECOND, THIRD, ELSEWHERE]),
        ("overdue=yes", [THIRD]),
    ],
)
def test_the_feed_is_narrowed_by_further_conditions(office: Office, query: str, found: list[Lead]) -> None:
    step(office.store, THIRD, 0, "chen", Name.SCREEN, Asked())
    bulk(office.client("chen"), "assign", SECOND, holder="wang")
    page = office.client("chen", accept="text/html").get(f"/?{query}").text
    leads = (FIRST, SECOND, THIRD, ELSEWHERE)
    assert {alert_id(one) for one in leads if f'data-id="{alert_id(one)}"' in page} == {alert_id(one) for one in found}


def test_a_condition_that_is_none_is_refused(office: Office) -> None:
    for query in ("area=33", "org=shop", "since=yesterday", "least=-1", "work=lost"):
        assert office.client("chen", accept="text/html").get(f"/?{query}").status_code == 400


def test_a_choice_survives_its_address() -> None:
    query = [("level", "red"), ("work", "new"), ("area", "330102"), ("holder", "wang"), ("since", "2026-03-01"),
             ("until", "2026-03-12"), ("least", "9"), ("overdue", "yes")]  # fmt: skip
    assert choice(choice(query).params()) == choice(query)
    assert choice(query).asks_server
    assert not Choice().asks_server


def test_what_is_beyond_the_daily_quota_is_a_list_of_its_own(office: Office) -> None:
    many = [lead(f"P33010210008/T{n}", amount=90_000 - n, events=(f"m{n}",)) for n in range(DAILY + 3)]
    told(office.store, *many, lead("P33010210008/TX", level=Level.BLUE, amount=10**6, events=("x",)))
    page = office.client("chen", accept="text/html").get("/?overflow=yes").text
    assert alert_id(many[DAILY - 1]) not in page
    assert all(alert_id(one) in page for one in (*many[DAILY:], FIRST, ELSEWHERE))
    step(office.store, many[0], 0, "chen", Name.SCREEN, Asked())
    assert page.count('<li class="item') == 7


def test_a_lead_late_by_its_level_is_overdue(office: Office) -> None:
    late = lead("P33010210009/T1", events=("late",))
    keep(office.store, list(verdicts([late])), now() - timedelta(days=20))
    page = office.client("chen", accept="text/html").get("/?overdue=yes").text
    assert alert_id(late) in page
    assert alert_id(FIRST) not in page
