"""How things stand as a whole: days, deadlines and money, on both engines."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.alert import alert_id
from alerts.claims import claim
from alerts.deadlines import add_working_days
from alerts.keeper import keep
from alerts.life import Asked, Kind, Measure, Name, Reason, State
from alerts.overview import DAYS, overdue_before, overview
from alerts.store import Store
from detectors.finding import Lead, Level
from tests.browser.leads import verdicts
from tests.leads import NOON, lead
from tests.test_casework import PEOPLE, record, who
from tests.test_outcomes import check, step

DAY = timedelta(days=1)


def told(store: Store, *leads: Lead, at: datetime = NOON) -> None:
    keep(store, list(verdicts(list(leads))), at)


def test_leads_are_counted_on_the_day_in_china_that_shows_them_last(store: Store) -> None:
    late = datetime(2026, 3, 12, 15, 58, tzinfo=UTC)  # 23:58 in China
    told(store, lead("a", at=late, events=("e1",)), lead("b", at=late, events=("e2", "e3", "e4")))
    (kind,) = overview(store, NOON).kinds
    assert kind.days == (*[0] * (DAYS - 2), 1, 1)
    assert (kind.total, kind.week) == (2, 2)


def test_the_days_end_with_the_newest_lead_whenever_it_is_told(store: Store) -> None:
    told(store, lead("a"), lead("b", at=NOON - 60 * DAY))
    seen = overview(store, NOON + 200 * DAY)
    assert str(seen.until) == "2026-03-12"
    assert seen.leads == 1


def test_nobody_counts_what_lies_outside_his_areas(store: Store) -> None:
    told(store, lead("a"), lead("b", orgs=("P44010210007",)))
    assert overview(store, NOON, areas=("440000",)).leads == 1


@pytest.mark.parametrize("level", Level)
def test_a_new_lead_is_overdue_once_its_last_working_day_is_over(level: Level) -> None:
    days = {Level.RED: 1, Level.ORANGE: 3}.get(level, 10)
    for late in range(20):
        now = NOON + late * DAY
        due = add_working_days(NOON.date(), days)
        assert (overdue_before(level, now) > NOON) == (now.date() > due)


def test_what_waits_is_told_by_state_with_what_is_overdue(store: Store) -> None:
    for name, role in PEOPLE.items():
        record(store, name, role)
    fresh, screened, blue = lead("a"), lead("b"), lead("c", level=Level.BLUE)
    told(store, fresh, screened, blue)
    step(store, screened, 0, "chen", Name.SCREEN, Asked())
    waiting = {one.state: (one.leads, one.overdue) for one in overview(store, NOON + 6 * DAY).waiting if one.leads}
    assert waiting == {State.NEW: (2, 1), State.SCREENED: (1, 1)}


def test_it_is_told_in_whose_hands_leads_are_and_whose_are_late(store: Store) -> None:
    for name, role in PEOPLE.items():
        record(store, name, role)
    mine, sent, done = lead("a"), lead("b"), lead("c")
    told(store, mine, sent, done)
    chen = who(store, "chen")
    claim(store, chen, [alert_id(mine), alert_id(done)], "chen", NOON)
    step(store, done, 0, "chen", Name.DISMISS, Asked(reason=Reason.DATA, note="x"))
    step(store, sent, 0, "chen", Name.SCREEN, Asked())
    step(store, sent, 1, "fang", Name.DISPATCH, Asked(note="x", officers=("gao", "hou")))
    hands = overview(store, NOON + DAY).hands
    assert [(one.name, one.claimed, one.checking, one.overdue) for one in hands] == [
        ("chen", 1, 0, 0),
        ("gao", 0, 1, 0),
        ("hou", 0, 1, 0),
    ]
    assert [one.overdue for one in overview(store, NOON + 30 * DAY).hands] == [1, 1, 1]
    assert overview(store, NOON, areas=("440000",)).hands == ()


def test_each_step_holds_those_after_it_and_the_money_that_came_back(store: Store) -> None:
    for name, role in PEOPLE.items():
        record(store, name, role)
    lying, excluded, found = lead("a", amount=100), lead("b", amount=200), lead("c", amount=400)
    told(store, lying, excluded, found)
    step(store, excluded, 0, "chen", Name.DISMISS, Asked(reason=Reason.EXCLUSION, exclusion="X10", note="x"))
    check(store, found)
    step(store, found, 5, "fang", Name.CONFIRM, Asked(note="x", amount_fen=300))
    taken = (Measure(kind=Kind.RECOVER, amount_fen=250), Measure(kind=Kind.FINE, amount_fen=900))
    step(store, found, 6, "fang", Name.DISPOSE, Asked(measures=taken, document="1"))
    seen = overview(store, NOON)
    assert [(one.leads, one.fen) for one in seen.steps] == [(3, 700), *[(1, 400)] * 5, (1, 250)]
    assert [month.fen for month in seen.months] == [*[0] * 11, 250]
    assert seen.at_stake_fen == 700


def test_an_empty_store_has_an_overview(store: Store) -> None:
    seen = overview(store, NOON)
    assert (seen.until, seen.kinds, seen.at_stake_fen, seen.steps[0].leads) == (None, (), 0, 0)
