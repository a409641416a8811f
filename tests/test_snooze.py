"""What a snooze promises: a subject is left in peace until its end unless it grows graver, and all is written down."""

from datetime import datetime, timedelta

import msgspec
import pytest

from alerts.accounts import Account, Role
from alerts.alert import alert_id
from alerts.keeper import keep
from alerts.kept import Filter, LeadRow, Order, State
from alerts.publish import pending
from alerts.snooze import (
    LONGEST,
    NotAllowedError,
    Snooze,
    SnoozeError,
    end_due,
    may_wake,
    snooze,
    snoozes_of,
    wake,
)
from alerts.store import Store
from detectors.finding import Lead, Level, Subject
from tests.leads import NOON, ORG, lead, verdict

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
PERSON = Subject("person", "p1")
MAY = lead("p1", kind="person", level=Level.ORANGE, day="2026-05")
JUNE = lead("p1", kind="person", level=Level.YELLOW, day="2026-06", at=NOON + 30 * DAY)
WHY = "家属已说明，等药店回函"


def who(*areas: str, role: Role = Role.SCREENER, name: str = "zhoumin") -> Account:
    return Account(name, role, areas, disabled=False, locked_until=None, changed_at=NOON)


def tell(store: Store, *leads: Lead, ticket: int = 1, at: datetime = NOON) -> None:
    keep(store, [verdict(one, unit=f"{one.subject.id}|{one.period.name}", ticket=ticket) for one in leads], at)


def at_level(one: Lead, level: Level) -> Lead:
    return msgspec.structs.replace(one, level=level)


def row(store: Store, one: Lead) -> LeadRow:
    return store.rows([alert_id(one)])[alert_id(one)]


def state(store: Store, one: Lead, now: datetime) -> State:
    return row(store, one).state(now)


def rest(store: Store, by: Account, until: datetime = NOON + DAY, now: datetime = NOON) -> Snooze:
    return snooze(store, PERSON, by, until, WHY, now)


def trail(store: Store) -> list[tuple[str, str | None, str, dict[str, str]]]:
    entries = store.events_after(0, kinds=("snoozed", "woken"))
    return [(e.kind, e.alert_id, e.actor, msgspec.json.decode(e.data)) for e in entries]


# -- while it lasts ----------------------------------------------------------------------------------------------------


def test_a_snoozed_subject_stands_under_its_own_filter(store: Store) -> None:
    tell(store, MAY, JUNE, lead("p2", kind="person"))
    rest(store, who())

    def found(*states: State, now: datetime = NOON) -> set[str]:
        return {r.period_name + r.subject_id for r in store.page(Filter(statuses=frozenset(states), now=now)).items}

    assert found("open") == {"2026-03-12p2"}
    assert found("snoozed") == {"2026-05p1", "2026-06p1"}
    assert found("open", "snoozed") == found() == {"2026-05p1", "2026-06p1", "2026-03-12p2"}
    assert found("withdrawn") == set()
    assert found("withdrawn", "snoozed") == {"2026-05p1", "2026-06p1"}
    assert store.facets(Filter(now=NOON)).statuses == {"open": 1, "snoozed": 2}


def test_what_was_counted_before_is_counted_anew_once_something_changed(store: Store) -> None:
    def counted(now: datetime) -> dict[str, int]:
        return store.facets(Filter(now=now)).statuses

    tell(store, MAY)
    assert counted(NOON) == {"open": 1}
    tell(store, JUNE)
    assert counted(NOON) == {"open": 2}
    until = rest(store, who()).until
    assert counted(NOON) == {"snoozed": 2}
    assert counted(until) == {"open": 2}, "nothing was written meanwhile: the clock decides"
    assert counted(NOON) == {"snoozed": 2}


def test_for_other_programs_a_snoozed_alert_is_open(store: Store) -> None:
    tell(store, MAY)
    before = list(store.bodies()), [m.value for m in pending(store, "alerts")]
    rest(store, who())
    assert (list(store.bodies()), [m.value for m in pending(store, "alerts")]) == before
    assert store.facets().statuses == {"open": 1}
    assert [r.status for r in store.page(Filter(statuses=frozenset({"open"}))).items] == ["open"]
    assert store.counts().open["orange"] == 1


def test_alerts_that_come_later_are_snoozed_too(store: Store) -> None:
    tell(store, MAY)
    rest(store, who())
    tell(store, JUNE, at=NOON + HOUR)
    assert state(store, JUNE, NOON + HOUR) == "snoozed"


def test_an_alert_withdrawn_and_opened_again_is_still_snoozed(store: Store) -> None:
    tell(store, MAY)
    rest(store, who())
    keep(store, [verdict(unit="p1|2026-05", ticket=2)], NOON + HOUR)
    assert state(store, MAY, NOON + HOUR) == "withdrawn"
    tell(store, MAY, ticket=3, at=NOON + 2 * HOUR)
    assert state(store, MAY, NOON + 2 * HOUR) == "snoozed"


def test_the_gravest_of_the_snoozed_stand_first(store: Store) -> None:
    tell(store, JUNE, MAY)
    rest(store, who())
    page = store.page(Filter(statuses=frozenset({"snoozed"}), now=NOON), order=Order.GRAVEST)
    assert [r.level for r in page.items] == [Level.ORANGE, Level.YELLOW]


def test_a_second_snooze_replaces_the_first(store: Store) -> None:
    tell(store, MAY)
    rest(store, who())
    later = rest(store, who(name="other"), NOON + 3 * DAY, NOON + HOUR)
    assert snoozes_of(store, PERSON, ("330102",), NOON + HOUR) == [later]
    assert row(store, MAY).snoozed_until == NOON + 3 * DAY


# -- its end -----------------------------------------------------------------------------------------------------------


def test_it_ends_by_itself_on_the_minute(store: Store) -> None:
    tell(store, MAY)
    rest(store, who(), NOON + DAY)
    assert state(store, MAY, NOON + DAY - timedelta(seconds=1)) == "snoozed"
    assert state(store, MAY, NOON + DAY) == "open"
    assert store.facets(Filter(now=NOON + DAY)).statuses == {"open": 1}
    assert store.page(Filter(statuses=frozenset({"snoozed"}), now=NOON + DAY)).items == ()
    assert snoozes_of(store, PERSON, ("330102",), NOON + DAY) == []


def test_that_it_ended_is_written_down_once(store: Store) -> None:
    tell(store, MAY)
    rest(store, who(), NOON + DAY)
    assert end_due(store, NOON + DAY - timedelta(seconds=1)) == 0
    assert end_due(store, NOON + DAY) == 1
    assert end_due(store, NOON + DAY) == 0
    assert trail(store)[1:] == [("woken", alert_id(MAY), "keeper", {"because": "time"})]
    assert row(store, MAY).snoozed_until is None


def test_a_graver_alert_wakes_the_subject_for_good(store: Store) -> None:
    tell(store, MAY, JUNE)
    rest(store, who())
    tell(store, at_level(JUNE, Level.RED), ticket=2, at=NOON + HOUR)
    assert {state(store, one, NOON + HOUR) for one in (MAY, JUNE)} == {"open"}
    tell(store, JUNE, ticket=3, at=NOON + 2 * HOUR)
    assert state(store, JUNE, NOON + 2 * HOUR) == "open"
    woken = [("woken", name, "keeper", {"because": "level"}) for name in sorted(map(alert_id, (MAY, JUNE)))]
    assert trail(store)[2:] == woken


def test_a_new_alert_that_is_graver_wakes_it(store: Store) -> None:
    tell(store, JUNE)
    rest(store, who())
    tell(store, MAY, at=NOON + HOUR)
    assert {state(store, one, NOON + HOUR) for one in (MAY, JUNE)} == {"open"}


def test_a_rise_up_to_the_level_at_snoozing_wakes_nobody(store: Store) -> None:
    tell(store, MAY, JUNE)
    rest(store, who())
    tell(store, at_level(JUNE, Level.ORANGE), ticket=2, at=NOON + HOUR)
    assert {state(store, one, NOON + HOUR) for one in (MAY, JUNE)} == {"snoozed"}


def test_a_rise_that_passes_within_one_batch_wakes_it(store: Store) -> None:
    tell(store, MAY)
    rest(store, who())
    red, again = (verdict(at_level(MAY, level), unit="p1|2026-05", ticket=n) for n, level in RISES)
    keep(store, [red, again], NOON + HOUR)
    assert state(store, MAY, NOON + HOUR) == "open"


RISES = ((2, Level.RED), (3, Level.ORANGE))


def test_a_rise_after_its_end_is_not_the_reason_it_ended(store: Store) -> None:
    tell(store, MAY)
    rest(store, who(), NOON + DAY)
    tell(store, at_level(MAY, Level.RED), ticket=2, at=NOON + 2 * DAY)
    end_due(store, NOON + 2 * DAY)
    assert [data for kind, *_, data in trail(store) if kind == "woken"] == [{"because": "time"}]


def test_it_can_be_ended_by_hand(store: Store) -> None:
    tell(store, MAY)
    rest(store, who())
    assert wake(store, PERSON, who(name="wang"), NOON + HOUR)
    assert not wake(store, PERSON, who(name="wang"), NOON + HOUR)
    assert state(store, MAY, NOON + HOUR) == "open"
    assert trail(store)[1:] == [("woken", alert_id(MAY), "wang", {"because": "hand"})]


# -- who, how long, why ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.SCREENER])
def test_only_a_screener_may(store: Store, role: Role) -> None:
    tell(store, MAY)
    rest(store, who())
    with pytest.raises(NotAllowedError):
        rest(store, who(role=role))
    with pytest.raises(NotAllowedError):
        wake(store, PERSON, who(role=role), NOON)
    assert state(store, MAY, NOON) == "snoozed"


@pytest.mark.parametrize("until", [NOON - HOUR, NOON, NOON + LONGEST + timedelta(seconds=1)])
def test_its_end_lies_ahead_but_not_too_far(store: Store, until: datetime) -> None:
    tell(store, MAY)
    with pytest.raises(SnoozeError, match="until"):
        rest(store, who(), until)
    rest(store, who(), NOON + LONGEST)


@pytest.mark.parametrize("reason", ["", "  ", "x" * 201])
def test_it_needs_a_reason(store: Store, reason: str) -> None:
    tell(store, MAY)
    with pytest.raises(SnoozeError, match="reason"):
        snooze(store, PERSON, who(), NOON + DAY, reason, NOON)


def test_who_set_it_until_when_and_why_is_in_the_trail(store: Store) -> None:
    tell(store, MAY, JUNE)
    rest(store, who())
    data = {"until": "2026-03-13T12:00:00Z", "reason": WHY, "level": "orange"}
    assert trail(store) == [("snoozed", name, "zhoumin", data) for name in sorted(map(alert_id, (MAY, JUNE)))]
    assert store.chain_broken_at() is None


def test_a_subject_of_which_nothing_stands_cannot_be_snoozed(store: Store) -> None:
    tell(store, MAY)
    keep(store, [verdict(unit="p1|2026-05", ticket=2)], NOON)
    with pytest.raises(SnoozeError, match="stands"):
        rest(store, who())


# -- areas -------------------------------------------------------------------------------------------------------------

HANGZHOU, WENZHOU = "H33010210008", "H33030210009"
HERE = lead("p1", kind="person", orgs=(HANGZHOU,), day="2026-05", level=Level.ORANGE)
THERE = lead("p1", kind="person", orgs=(WENZHOU,), day="2026-06", level=Level.RED, at=NOON + 30 * DAY)


def test_it_covers_the_areas_of_whoever_set_it(store: Store) -> None:
    tell(store, HERE, THERE)
    made = rest(store, who("330100"))
    assert made.level is Level.ORANGE  # what is red elsewhere is not known here
    assert (state(store, HERE, NOON), state(store, THERE, NOON)) == ("snoozed", "open")


def test_a_graver_alert_elsewhere_wakes_nobody_here(store: Store) -> None:
    tell(store, HERE)
    rest(store, who("330100"))
    tell(store, THERE)
    assert (state(store, HERE, NOON), state(store, THERE, NOON)) == ("snoozed", "open")


def test_snoozes_of_two_areas_do_not_touch_each_other(store: Store) -> None:
    both = lead("p1", kind="person", orgs=(HANGZHOU, WENZHOU), day="2026-07", at=NOON + 60 * DAY, level=Level.ORANGE)
    tell(store, HERE, THERE, both)
    rest(store, who("330100"), NOON + DAY)
    rest(store, who("330300"), NOON + 2 * DAY)
    assert row(store, both).snoozed_until == NOON + 2 * DAY
    end_due(store, NOON + DAY)
    assert (state(store, HERE, NOON + DAY), state(store, both, NOON + DAY)) == ("open", "snoozed")
    assert [kind for kind, name, *_ in trail(store) if kind == "woken" and name == alert_id(both)] == []


def test_another_area_cannot_snooze_or_wake_it(store: Store) -> None:
    tell(store, HERE)
    with pytest.raises(SnoozeError, match="stands"):
        rest(store, who("330300"))
    rest(store, who("330100"))
    assert not wake(store, PERSON, who("330300"), NOON)
    assert wake(store, PERSON, who("330000"), NOON)


@pytest.mark.parametrize(
    ("mine", "its", "may"),
    [
        ((), (), True),
        ((), ("330100",), True),
        (("330100",), (), False),
        (("330100",), ("330100",), True),
        (("330000",), ("330100", "330300"), True),
        (("330100",), ("330100", "330300"), False),
    ],
)
def test_who_may_end_it_answers_for_all_its_areas(mine: tuple[str, ...], its: tuple[str, ...], may: bool) -> None:
    one = Snooze(
        subject_kind="person",
        subject_id="p1",
        areas=its,
        level=Level.RED,
        reason=WHY,
        set_by="x",
        since=NOON,
        until=NOON + DAY,
    )
    assert may_wake(who(*mine), one) is may


def test_a_subject_is_kind_and_id(store: Store) -> None:
    shop = lead(ORG, kind="org", detector="upload_gap", at=NOON)
    tell(store, MAY, shop)
    rest(store, who())
    assert state(store, shop, NOON) == "open"
