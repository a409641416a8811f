"""What Prometheus reads of people's work: what waits, how long, past which day, and what came of it."""

from datetime import datetime, timedelta

import pytest

from alerts import keeper
from alerts.accounts import Account, Role, account, add_account
from alerts.casework import move, work_of
from alerts.life import NOTHING, Asked, Name, Reason
from alerts.store import Store
from detectors.finding import Level
from stream_app import metrics, triage
from stream_app.triage import FirstMoves
from tests.leads import NOON, lead, verdict

DAY = timedelta(days=1)


@pytest.fixture
def screener(store: Store) -> Account:
    add_account(store, "wang", "correct horse battery staple", Role.SCREENER, (), NOON, by="test")
    found = account(store, "wang")
    assert found is not None
    return found


def raised(store: Store, n: int, level: Level, at: datetime) -> str:
    [change] = keeper.keep(store, [verdict(lead(f"P1/T{n}", level=level, events=(f"e{n}",)), unit=f"u{n}")], at)
    return change.alert.alert_id


def shown(name: str, **labels: str) -> float | None:
    return metrics.registry("feed").get_sample_value(name, labels)


def open_(level: str, state: str) -> float | None:
    return shown("fundwatch_alerts_open", level=level, state=state)


def test_what_waits_is_counted_with_its_age_until_somebody_moves_it(store: Store, screener: Account) -> None:
    old = raised(store, 1, Level.RED, NOON)
    raised(store, 2, Level.RED, NOON + DAY)
    triage.sample(store, NOON + 2 * DAY)
    assert (open_("red", "new"), open_("red", "screened"), open_("blue", "new")) == (2, 0, 0)
    assert shown("fundwatch_alerts_oldest_open_seconds", level="red") == 2 * 86_400
    assert shown("fundwatch_alerts_oldest_open_seconds", level="blue") == 0
    move(store, screener, old, 0, Name.SCREEN, NOTHING, NOON + 2 * DAY)
    triage.sample(store, NOON + 2 * DAY)
    assert (open_("red", "new"), open_("red", "screened")) == (1, 1)
    assert shown("fundwatch_alerts_oldest_open_seconds", level="red") == 86_400


def test_the_first_move_of_a_lead_tells_how_long_it_waited_and_later_ones_do_not(
    store: Store, screener: Account
) -> None:
    one = raised(store, 1, Level.YELLOW, NOON)
    before = shown("fundwatch_alert_time_to_triage_seconds_count", level="yellow") or 0
    waited = shown("fundwatch_alert_time_to_triage_seconds_sum", level="yellow") or 0
    moves = FirstMoves(store)
    moves.look()
    move(store, screener, one, 0, Name.SCREEN, NOTHING, NOON + timedelta(hours=3))
    moves.look()
    add_account(store, "liu", "correct horse battery staple", Role.REVIEWER, (), NOON, by="test")
    reviewer, work = account(store, "liu"), work_of(store, one)
    assert reviewer is not None
    assert work is not None
    move(store, reviewer, one, work.version, Name.RETURN, Asked(note="look again"), NOON + DAY)
    moves.look()
    assert shown("fundwatch_alert_time_to_triage_seconds_count", level="yellow") == before + 1
    assert shown("fundwatch_alert_time_to_triage_seconds_sum", level="yellow") == waited + 3 * 3_600


def test_leads_with_an_outcome_are_counted_by_detector(store: Store, screener: Account) -> None:
    one = raised(store, 1, Level.YELLOW, NOON)
    move(store, screener, one, 0, Name.DISMISS, Asked(reason=Reason.DATA, note="sent twice"), NOON + DAY)
    triage.sample(store, NOON + DAY)
    detector = lead("P1/T1").detector
    assert shown("fundwatch_alerts_disposed", detector=detector, disposition="dismissed") == 1


@pytest.mark.parametrize(("level", "days", "late"), [
    (Level.RED, 1, 0), (Level.RED, 4, 1), (Level.YELLOW, 4, 0), (Level.YELLOW, 30, 1),
])  # fmt: skip
def test_what_nobody_has_looked_at_by_its_last_working_day_is_overdue(
    store: Store, level: Level, days: int, late: int
) -> None:
    raised(store, 1, level, NOON)
    triage.sample(store, NOON + days * DAY)
    assert shown("fundwatch_alerts_overdue", state="new") == late


def test_a_step_that_is_late_is_told_under_its_state(store: Store, screener: Account) -> None:
    one = raised(store, 1, Level.RED, NOON)
    move(store, screener, one, 0, Name.SCREEN, NOTHING, NOON)
    triage.sample(store, NOON + 20 * DAY)
    assert shown("fundwatch_alerts_overdue", state="screened") == 1
    assert shown("fundwatch_alerts_overdue", state="new") == 0
