"""The life of a lead as a table: nothing leaves it, four eyes hold, and the days are working days."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from alerts.accounts import Account, Role
from alerts.deadlines import Limits, add_working_days, due_on, warning
from alerts.life import (
    EXCLUSIONS,
    LEDGERS,
    OVER,
    TABLE,
    Asked,
    Bar,
    Kind,
    Measure,
    MoveError,
    Name,
    Reason,
    State,
    Trail,
    allowed,
    check,
    rule_of,
)
from detectors.finding import Level


def person(name: str, role: Role) -> Account:
    return Account(name, role, (), False, None, datetime(2026, 3, 2, tzinfo=UTC))


PEOPLE = [person(f"{role.value}{number}", role) for role in Role for number in (1, 2)]
FULL = Asked(
    note="seen on camera",
    reason=Reason.EXCLUSION,
    exclusion="X05",
    officers=("investigator1", "investigator2"),
    amount_fen=120_000,
    document="2026-17",
    measures=(Measure(kind=Kind.RECOVER, amount_fen=120_000),),
)


def after(trail: Trail, move: Name, who: Account, asked: Asked) -> Trail:
    """The trail as casework keeps it."""
    rule = check(trail, move, who, asked)
    return Trail(
        rule.to,
        who.name if move is Name.SCREEN else trail.screened_by,
        asked.officers if move is Name.DISPATCH else trail.officers,
        trail.extended or move is Name.EXTEND,
    )


@given(st.lists(st.tuples(st.sampled_from(Name), st.sampled_from(PEOPLE)), max_size=40))
def test_no_sequence_of_moves_leaves_the_table_or_lets_two_eyes_do(steps: list[tuple[Name, Account]]) -> None:
    trail = Trail()
    for move, who in steps:
        before = trail
        rows = [rule for rule in TABLE if (rule.state, rule.move) == (before.state, move)]
        try:
            trail = after(before, move, who, FULL)
        except MoveError:
            assert not any(rule in allowed(before, who) for rule in rows)
            continue
        (rule,) = rows
        assert trail.state is rule.to
        assert who.role is rule.role
        if before.state is State.SCREENED:
            assert who.name != before.screened_by
        if before.state is State.REVIEW:
            assert who.name not in before.officers
        if rule.bar is Bar.OTHERS:
            assert who.name in before.officers


def test_every_state_can_be_reached_and_leads_to_the_archive() -> None:
    reached = {State.NEW}
    while more := {rule.to for rule in TABLE if rule.state in reached} - reached:
        reached |= more
    assert reached == set(State)
    ends = {State.ARCHIVED}
    while more := {rule.state for rule in TABLE if rule.to in ends} - ends:
        ends |= more
    assert ends == set(State)


def test_a_state_has_each_move_once() -> None:
    keys = [(rule.state, rule.move) for rule in TABLE]
    assert len(keys) == len(set(keys))


def test_viewers_rule_makers_auditors_and_administrators_move_nothing() -> None:
    assert {rule.role for rule in TABLE} == {Role.SCREENER, Role.REVIEWER, Role.INVESTIGATOR}


@pytest.mark.parametrize(
    ("state", "move", "role", "without", "code"),
    [
        (State.NEW, Name.DISMISS, Role.SCREENER, {"reason": None}, "reason_needed"),
        (State.NEW, Name.DISMISS, Role.SCREENER, {"exclusion": "X23"}, "exclusion_needed"),
        (State.NEW, Name.DISMISS, Role.SCREENER, {"reason": Reason.DATA, "note": " "}, "note_needed"),
        (State.SCREENED, Name.DISPATCH, Role.REVIEWER, {"officers": ("a",)}, "two_officers_needed"),
        (State.SCREENED, Name.DISPATCH, Role.REVIEWER, {"officers": ("a", "a")}, "two_officers_needed"),
        (State.REVIEW, Name.CONFIRM, Role.REVIEWER, {"amount_fen": None}, "amount_needed"),
        (State.REVIEW, Name.CONFIRM, Role.REVIEWER, {"amount_fen": -1}, "amount_needed"),
        (State.CONFIRMED, Name.FILE, Role.REVIEWER, {"document": ""}, "document_needed"),
        (State.CONFIRMED, Name.DISPOSE, Role.REVIEWER, {"measures": ()}, "measures_needed"),
        (State.NEW, Name.SCREEN, Role.SCREENER, {"note": "x" * 2_001}, "too_long"),
        (State.NEW, Name.SCREEN, Role.VIEWER, {}, "not_your_role"),
        (State.NEW, Name.ARCHIVE, Role.REVIEWER, {}, "no_such_move"),
    ],
)
def test_what_a_move_lacks_is_named(
    state: State, move: Name, role: Role, without: dict[str, object], code: str
) -> None:
    with pytest.raises(MoveError) as raised:
        check(Trail(state), move, person("x", role), structs.replace(FULL, **without))
    assert raised.value.code == code


@pytest.mark.parametrize(
    "measure",
    [
        Measure(kind=Kind.FINE),
        Measure(kind=Kind.TALK, amount_fen=1),
        Measure(kind=Kind.RECOVER, amount_fen=-5),
        Measure(kind=Kind.POINTS),
        Measure(kind=Kind.POINTS, points=3),
        Measure(kind=Kind.POINTS, points=13, subject_kind="org", subject_id="P33010000001"),
        Measure(kind=Kind.POINTS, points=3, subject_kind="person", subject_id="p1"),
    ],
)
def test_a_measure_says_its_money_or_its_points_and_against_whom(measure: Measure) -> None:
    with pytest.raises(MoveError):
        check(
            Trail(State.CONFIRMED),
            Name.DISPOSE,
            person("r", Role.REVIEWER),
            Asked(measures=(measure,)),
        )


def test_points_are_held_against_institutions_doctors_and_cashiers() -> None:
    for kind in LEDGERS:
        points = Measure(kind=Kind.POINTS, points=3, subject_kind=kind, subject_id="s1")
        rule = check(Trail(State.PARTLY), Name.DISPOSE, person("r", Role.REVIEWER), Asked(measures=(points,)))
        assert rule.to is State.DISPOSED


def test_a_check_is_extended_once() -> None:
    reviewer = person("r", Role.REVIEWER)
    trail = after(Trail(State.VERIFYING), Name.EXTEND, reviewer, FULL)
    with pytest.raises(MoveError, match="extended_already"):
        check(trail, Name.EXTEND, reviewer, FULL)


def test_the_exclusions_are_those_of_the_library() -> None:
    assert (EXCLUSIONS[0], EXCLUSIONS[-1], len(EXCLUSIONS)) == ("X01", "X22", 22)
    assert rule_of(State.NEW, Name.DISMISS).to is State.DISMISSED


# -- days


def test_the_national_day_week_of_2026_is_no_working_time_and_its_exchanged_saturday_is() -> None:
    assert add_working_days(date(2026, 9, 30), 1) == date(2026, 10, 8)
    assert add_working_days(date(2026, 10, 9), 1) == date(2026, 10, 10)  # a Saturday, worked


def test_fifteen_working_days_and_fifteen_more() -> None:
    entered = datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert due_on(State.VERIFYING, Level.RED, entered, False) == date(2026, 3, 23)
    extended = due_on(State.VERIFYING, Level.RED, entered, True)
    assert extended == add_working_days(date(2026, 3, 23), 15)


def test_a_day_begins_at_midnight_in_china() -> None:
    evening = datetime(2026, 3, 2, 17, tzinfo=UTC)  # the 3rd in China
    assert due_on(State.NEW, Level.RED, evening, False) == date(2026, 3, 4)


def test_days_are_settings_and_what_is_over_is_due_never() -> None:
    entered = datetime(2026, 3, 2, 1, tzinfo=UTC)
    assert due_on(State.NEW, Level.ORANGE, entered, False, Limits(new_orange=2)) == date(2026, 3, 4)
    assert due_on(State.FILED, Level.RED, entered, False) == date(2026, 3, 2) + timedelta(days=90)
    for state in State:
        assert (due_on(state, Level.BLUE, entered, False) is None) == (state in OVER)


def test_a_warning_comes_the_working_day_before_and_the_day_after() -> None:
    due = date(2026, 10, 8)

    def on(day: int, month: int) -> str:
        return warning(due, datetime(2026, month, day, 4, tzinfo=UTC))

    assert [on(29, 9), on(30, 9), on(8, 10), on(9, 10)] == ["", "soon", "soon", "overdue"]
    assert warning(None, datetime(2026, 1, 1, tzinfo=UTC)) == ""
