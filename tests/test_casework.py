"""Working a lead in the store: one transaction a move, on SQLite and PostgreSQL."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from alembic import command
from click.testing import CliRunner
from sqlalchemy import text

from alerts import migrations
from alerts.accounts import Account, Role, account
from alerts.alert import alert_id
from alerts.casework import (
    COMMENTED,
    KEYS_KEPT,
    MOVED,
    KeyReusedError,
    NoLeadError,
    StaleError,
    Work,
    comment,
    ledger,
    measures_of,
    move,
    moves_for,
    recovered_fen,
    work_of,
)
from alerts.keeper import keep
from alerts.kept import AccountRecord
from alerts.life import NOTHING, Asked, Kind, Measure, MoveError, Name, Reason, State
from alerts.store import Store
from stream_app.cli import front
from tests.browser.leads import taken_back, verdicts
from tests.leads import NOON, ORG, lead

PEOPLE = {
    "chen": Role.SCREENER,
    "fang": Role.REVIEWER,
    "gao": Role.INVESTIGATOR,
    "hou": Role.INVESTIGATOR,
    "jia": Role.VIEWER,
}
FAR = "far away"  # an investigator of another area
TOLD = lead()
ID = alert_id(TOLD)


@pytest.fixture
def desk(store: Store) -> Store:
    """One lead, and those who work on it."""
    keep(store, list(verdicts([TOLD])), NOON)
    for name, role in PEOPLE.items():
        record(store, name, role)
    record(store, FAR, Role.INVESTIGATOR, ("440300",))
    return store


def record(store: Store, name: str, role: Role, areas: tuple[str, ...] = ()) -> None:
    """An account that nobody logs in to: hashing a password takes its time."""
    with store.writing() as writing:
        writing.put_account(
            AccountRecord(
                name=name,
                password_hash="",
                role=role.value,
                areas=areas,
                disabled=False,
                failures=0,
                locked_until=None,
                created_at=NOON,
                changed_at=NOON,
            )
        )


def who(store: Store, name: str) -> Account:
    found = account(store, name)
    assert found is not None
    return found


FINE = Measure(kind=Kind.FINE, amount_fen=90_000, document="罚 2026-3")
BACK = Measure(kind=Kind.RECOVER, amount_fen=45_000)
POINTS = Measure(kind=Kind.POINTS, points=4, subject_kind="org", subject_id=ORG)
JOURNEY = (
    ("chen", Name.SCREEN, NOTHING, State.SCREENED),
    ("fang", Name.DISPATCH, Asked(note="看监控", officers=("gao", "hou")), State.ASSIGNED),
    ("gao", Name.VERIFY, NOTHING, State.VERIFYING),
    ("fang", Name.EXTEND, Asked(note="单据未到"), State.VERIFYING),
    ("hou", Name.REPORT, Asked(note="11人无一到场", amount_fen=50_000), State.FEEDBACK),
    ("gao", Name.SUBMIT, NOTHING, State.REVIEW),
    ("fang", Name.CONFIRM_PARTLY, Asked(note="两笔有据", amount_fen=45_000), State.PARTLY),
    ("fang", Name.DISPOSE, Asked(measures=(BACK, FINE, POINTS)), State.DISPOSED),
    ("gao", Name.RECTIFY, Asked(note="已整改"), State.RECTIFIED),
    ("fang", Name.ARCHIVE, NOTHING, State.ARCHIVED),
)


def go(store: Store, steps: int = len(JOURNEY)) -> Work:
    """The first steps of the journey, an hour each."""
    work = work_of(store, ID)
    assert work is not None
    for number, (name, what, asked, to) in enumerate(JOURNEY[:steps]):
        work = move(store, who(store, name), ID, work.version, what, asked, NOON + timedelta(hours=number))
        assert work.state is to
        assert work == work_of(store, ID)
    return work


def kinds(store: Store) -> list[str]:
    return [entry.kind for entry in store.events_after(0, kinds=())]


def test_a_lead_goes_from_the_first_look_to_the_archive(desk: Store) -> None:
    work = go(desk)
    assert (work.outcome, work.found_fen, work.officers, work.due) == ("partly", 45_000, ("gao", "hou"), None)
    taken = measures_of(desk, ID)
    assert [one.kind for one in taken] == [Kind.RECOVER, Kind.FINE, Kind.POINTS]
    assert recovered_fen(taken) == 45_000
    assert kinds(desk).count(MOVED) == len(JOURNEY)
    assert desk.chain_broken_at() is None


def test_a_lead_nobody_touched_is_new_and_due_by_its_level(desk: Store) -> None:
    work = work_of(desk, ID)
    assert work is not None
    assert (work.state, work.version) == (State.NEW, 0)
    assert work.due is not None
    assert work_of(desk, "nothing") is None


def test_an_extension_moves_the_day_and_not_the_beginning(desk: Store) -> None:
    before, after = go(desk, 3), None
    after = move(desk, who(desk, "fang"), ID, 3, Name.EXTEND, Asked(note="x"), NOON + timedelta(days=5))
    assert after.entered_at == before.entered_at
    assert after.due is not None
    assert before.due is not None
    assert after.due > before.due


def test_who_comes_second_is_told_how_it_stands_and_changes_nothing(desk: Store) -> None:
    chen = who(desk, "chen")
    move(desk, chen, ID, 0, Name.SCREEN, NOTHING, NOON)
    with pytest.raises(StaleError) as raised:
        move(desk, chen, ID, 0, Name.DISMISS, Asked(reason=Reason.EXCLUSION, exclusion="X05"), NOON)
    assert (raised.value.work.changed_by, raised.value.work.state) == ("chen", State.SCREENED)
    assert kinds(desk).count(MOVED) == 1


def test_of_many_at_once_one_moves_the_lead(desk: Store) -> None:
    chen = who(desk, "chen")

    def try_it(_: int) -> bool:
        try:
            move(desk, chen, ID, 0, Name.SCREEN, NOTHING, NOON)
        except StaleError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(try_it, range(8))) == [False] * 7 + [True]
    assert kinds(desk).count(MOVED) == 1


def test_a_key_sent_again_changes_nothing_and_with_another_write_is_refused(desk: Store) -> None:
    chen = who(desk, "chen")
    first = move(desk, chen, ID, 0, Name.SCREEN, NOTHING, NOON, key="k1")
    assert move(desk, chen, ID, 0, Name.SCREEN, NOTHING, NOON, key="k1") == first
    with pytest.raises(KeyReusedError):
        move(desk, chen, ID, 1, Name.SCREEN, NOTHING, NOON, key="k1")
    for _ in range(2):
        comment(desk, chen, ID, "看过票据", NOON, key="k2")
    assert (kinds(desk).count(MOVED), kinds(desk).count(COMMENTED)) == (1, 1)
    comment(desk, chen, ID, "看过票据", NOON + KEYS_KEPT, key="k2")
    assert kinds(desk).count(COMMENTED) == 2


def test_a_refused_write_leaves_its_key_free(desk: Store) -> None:
    chen = who(desk, "chen")
    with pytest.raises(MoveError):
        move(desk, chen, ID, 0, Name.DISMISS, NOTHING, NOON, key="k")
    assert move(desk, chen, ID, 0, Name.SCREEN, NOTHING, NOON, key="k").version == 1


def test_a_lead_of_another_area_is_no_lead(desk: Store) -> None:
    record(desk, "chen", Role.SCREENER, ("440300",))
    chen = who(desk, "chen")
    with pytest.raises(NoLeadError):
        move(desk, chen, ID, 0, Name.SCREEN, NOTHING, NOON)
    with pytest.raises(NoLeadError):
        comment(desk, chen, ID, "x", NOON)


@pytest.mark.parametrize("other", [FAR, "fang", "nobody"])
def test_officers_are_investigators_who_may_see_the_lead(desk: Store, other: str) -> None:
    go(desk, 1)
    with pytest.raises(MoveError) as raised:
        move(desk, who(desk, "fang"), ID, 1, Name.DISPATCH, Asked(note="x", officers=("gao", other)), NOON)
    assert raised.value.code == "no_such_officer"


def test_viewers_read_and_do_not_comment(desk: Store) -> None:
    with pytest.raises(MoveError):
        comment(desk, who(desk, "jia"), ID, "x", NOON)
    assert COMMENTED not in kinds(desk)


def test_nothing_begins_on_a_lead_whose_ground_is_gone_but_what_began_goes_on(desk: Store) -> None:
    keep(desk, [taken_back(TOLD)], NOON)
    chen, work = who(desk, "chen"), work_of(desk, ID)
    assert work is not None
    assert moves_for(work, chen, is_withdrawn=True) == []
    with pytest.raises(MoveError, match="withdrawn"):
        move(desk, chen, ID, 0, Name.SCREEN, NOTHING, NOON)
    keep(desk, list(verdicts([TOLD], 3)), NOON)
    go(desk, 2)
    keep(desk, [taken_back(TOLD, 4)], NOON)
    assert move(desk, who(desk, "gao"), ID, 2, Name.VERIFY, NOTHING, NOON).state is State.VERIFYING


def test_a_dismissed_lead_opened_again_begins_anew_and_keeps_its_history(desk: Store) -> None:
    dismissed = move(desk, who(desk, "chen"), ID, 0, Name.DISMISS, Asked(reason=Reason.DATA, note="重复上传"), NOON)
    assert (dismissed.outcome, dismissed.reason) == ("dismissed", "data")
    work = move(desk, who(desk, "fang"), ID, 1, Name.REOPEN, Asked(note="另有举报"), NOON)
    assert (work.state, work.outcome, work.reason, work.screened_by) == (State.NEW, "", "", "")
    assert kinds(desk).count(MOVED) == 2


def test_a_ledger_holds_the_points_of_a_subject_within_the_areas(desk: Store) -> None:
    go(desk)
    assert [(one.points, one.alert_id) for one in ledger(desk, "org", ORG)] == [(4, ID)]
    assert ledger(desk, "org", ORG, areas=("440300",)) == []
    assert ledger(desk, "org", ORG, since=NOON + timedelta(days=30)) == []
    assert ledger(desk, "doctor", ORG) == []


def test_an_older_store_gets_the_new_tables_and_its_leads_are_new(desk: Store) -> None:
    with desk.engine.connect().execution_options(writer=True) as db, db.begin():
        command.downgrade(migrations._config(db), "0002")
    migrations.upgrade(desk.engine.url.render_as_string(hide_password=False))
    assert go(desk, 1).version == 1


def test_the_audit_log_is_verified_from_the_command_line(
    desk: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUNDWATCH_STORE__URL", url)
    go(desk, 2)
    last = desk.last_seq()
    whole = CliRunner().invoke(front, ["alerts", "verify", "--seq", str(last)])
    assert (whole.exit_code, whole.stdout) == (0, f"{last} lines, unbroken\n")
    assert CliRunner().invoke(front, ["alerts", "verify", "--seq", str(last + 1)]).exit_code == 1
    with desk.engine.begin() as db:
        db.execute(text("UPDATE alert_event SET actor = 'gao' WHERE seq = :seq"), {"seq": last})
    altered = CliRunner().invoke(front, ["alerts", "verify"])
    assert altered.exit_code == 1
    assert str(last) in altered.stderr
