"""What local accounts promise."""

import threading
from datetime import timedelta

import msgspec
import pytest

from alerts import sessions
from alerts.accounts import (
    FAILURES,
    LOCKED_FOR,
    AccountError,
    Role,
    account,
    accounts,
    add_account,
    check_login,
    disable_account,
    generated_password,
    reset_password,
)
from alerts.store import Store
from tests.leads import NOON

GOOD, WRONG = "correct horse battery", "incorrect horse battery"
SECOND = timedelta(seconds=1)


@pytest.fixture
def engine() -> str:
    """One kind of server is enough here: hashing takes the time, and test_store has tried them both."""
    return "sqlite"


@pytest.fixture
def wang(store: Store) -> Store:
    """A store in which a screener called wang has an account."""
    add_account(store, "wang", GOOD, Role.SCREENER, ("330102", "330200"), NOON, "cli")
    return store


def kinds(store: Store) -> list[tuple[str, str]]:
    return [(entry.kind, entry.actor) for entry in store.events_after(0, kinds=())]


def test_the_right_password_lets_in(wang: Store) -> None:
    known = check_login(wang, "wang", GOOD, NOON)
    assert known is not None
    assert (known.name, known.role, known.areas) == ("wang", Role.SCREENER, ("330102", "330200"))


@pytest.mark.parametrize(
    ("name", "password"), [("wang", WRONG), ("wang", ""), ("zhao", GOOD), ("Wang", GOOD), ("", ""), ("\x00", "\ud800")]
)
def test_anything_else_does_not(wang: Store, name: str, password: str) -> None:
    assert check_login(wang, name, password, NOON) is None


def test_five_failures_lock_for_a_quarter_of_an_hour(wang: Store) -> None:
    for _ in range(FAILURES):
        assert check_login(wang, "wang", WRONG, NOON) is None
    assert check_login(wang, "wang", GOOD, NOON + LOCKED_FOR - SECOND) is None
    assert check_login(wang, "wang", GOOD, NOON + LOCKED_FOR) is not None


def test_a_success_forgives_earlier_failures(wang: Store) -> None:
    for _ in range(3):
        for _ in range(FAILURES - 1):
            assert check_login(wang, "wang", WRONG, NOON) is None
        assert check_login(wang, "wang", GOOD, NOON) is not None


def test_after_a_lock_the_count_begins_anew(wang: Store) -> None:
    for _ in range(FAILURES):
        check_login(wang, "wang", WRONG, NOON)
    later = NOON + LOCKED_FOR
    assert check_login(wang, "wang", WRONG, later) is None
    assert check_login(wang, "wang", GOOD, later) is not None


def test_many_attempts_at_once_gain_nothing(wang: Store) -> None:
    start = threading.Barrier(FAILURES + 3)

    def attempt() -> None:
        start.wait()
        check_login(wang, "wang", WRONG, NOON)

    threads = [threading.Thread(target=attempt) for _ in range(FAILURES + 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert check_login(wang, "wang", GOOD, NOON) is None
    record = wang.account("wang")
    assert record is not None
    assert record.failures == FAILURES


def test_a_disabled_account_lets_nobody_in_until_it_is_reset(wang: Store) -> None:
    disable_account(wang, "wang", NOON + SECOND, "cli")
    assert check_login(wang, "wang", GOOD, NOON + SECOND) is None
    assert account(wang, "wang") is None
    reset_password(wang, "wang", "another good one", NOON + 2 * SECOND, "cli")
    assert check_login(wang, "wang", GOOD, NOON + 2 * SECOND) is None
    assert check_login(wang, "wang", "another good one", NOON + 2 * SECOND) is not None


def test_all_other_sessions_are_ended_though_more_are_open_than_a_page_lists(wang: Store) -> None:
    """A program may log in every few seconds."""
    who = account(wang, "wang")
    assert who is not None
    names = [f"session-{n}" for n in range(sessions.MOST_LISTED + 5)]
    for name in names:
        sessions.begin(wang, sessions.Opened(name, "wang", "nightly/1", NOON, NOON + LOCKED_FOR))
    sessions.begin(wang, sessions.Opened("theirs", "zhao", "nightly/1", NOON, NOON + LOCKED_FOR))
    assert sessions.end_of(wang, who, lambda one: one != names[0], NOON) == len(names) - 1
    assert [name for name in (*names, "theirs") if sessions.is_open(wang, name)] == [names[0], "theirs"]
    assert sessions.end_of(wang, who, lambda one: one in ("theirs", "\x00"), NOON) == 0


def test_a_new_password_ends_older_sessions(wang: Store) -> None:
    before = check_login(wang, "wang", GOOD, NOON)
    assert before is not None
    assert before == account(wang, "wang")
    reset_password(wang, "wang", "another good one", NOON + SECOND, "cli")
    after = account(wang, "wang")
    assert after is not None
    assert after.stamp != before.stamp


@pytest.mark.parametrize(
    "password",
    ["eleven char", "aaaaaaaaaaaaaaa", "my name is WANG!", "x" * 2_000, "P@ssw0rd2026", "qwertyuiop[]", "1234567890ab"],
    ids=["short", "same", "name", "long", "common", "keyboard", "digits"],
)
def test_a_weak_password_is_refused(store: Store, password: str) -> None:
    with pytest.raises(AccountError, match="password"):
        add_account(store, "wang", password, Role.VIEWER, (), NOON, "cli")
    assert accounts(store) == []


@pytest.mark.parametrize("area", ["3301", "33010a", "", "３３０１０２"])
def test_an_area_has_six_digits(store: Store, area: str) -> None:
    with pytest.raises(AccountError, match="330100"):
        add_account(store, "wang", GOOD, Role.VIEWER, (area,), NOON, "cli")


@pytest.mark.parametrize("name", ["", " wang", "a\nb", "?", "x" * 65])
def test_a_name_can_be_shown_and_typed(store: Store, name: str) -> None:
    with pytest.raises(AccountError, match="name"):
        add_account(store, name, GOOD, Role.VIEWER, (), NOON, "cli")


def test_a_name_is_given_once(wang: Store) -> None:
    with pytest.raises(AccountError, match="already"):
        add_account(wang, "wang", GOOD, Role.ADMIN, (), NOON, "cli")


def test_an_account_that_is_not_there_cannot_be_changed(store: Store) -> None:
    with pytest.raises(AccountError, match="no account"):
        reset_password(store, "zhao", GOOD, NOON, "cli")
    with pytest.raises(AccountError, match="no account"):
        disable_account(store, "zhao", NOON, "cli")


def test_every_attempt_is_in_the_audit_trail_but_never_what_was_typed(wang: Store) -> None:
    check_login(wang, "wang", WRONG, NOON)
    check_login(wang, GOOD, "typed into the wrong box", NOON)
    check_login(wang, "wang", GOOD, NOON)
    disable_account(wang, "wang", NOON, "cli")
    assert kinds(wang) == [
        ("account_added", "cli"),
        ("login_tried", "wang"),
        ("login_tried", "?"),
        ("login_tried", "wang"),
        ("login", "wang"),
        ("account_disabled", "cli"),
    ]
    trail = b"".join(msgspec.json.encode(entry) for entry in wang.events_after(0, kinds=()))
    assert not any(word.encode() in trail for word in (GOOD, WRONG, "typed"))


def test_passwords_are_stored_as_argon2_hashes(wang: Store) -> None:
    record = wang.account("wang")
    assert record is not None
    assert record.password_hash.startswith("$argon2id$")
    assert GOOD not in record.password_hash


def test_generated_passwords_are_good_and_differ(store: Store) -> None:
    made = {generated_password() for _ in range(20)}
    assert len(made) == 20
    add_account(store, "wang", made.pop(), Role.VIEWER, (), NOON, "cli")
