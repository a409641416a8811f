"""The store comes back from a backup as it was; what is too old goes, and the trail stays provable."""

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from alerts import keeper, migrations, retention
from alerts import tables as t
from alerts.backup import BackupError, backup, look_into, restore
from alerts.kept import Note
from alerts.store import Store
from detectors.finding import Verdict
from stream_app.commands.alerts import db
from stream_app.commands.retention import days_before, retain
from tests.leads import NOON, lead, verdict

LATER = NOON + timedelta(days=500)


def keep(store: Store, verdicts: Iterable[Verdict], at: datetime = NOON) -> None:
    for one in verdicts:
        keeper.keep(store, [one], at)


def told(numbers: Iterable[int], ticket: int = 1) -> list[Verdict]:
    leads = {n: lead(f"P1/T{n}", amount=100 * n * ticket, events=(f"e{n}",)) for n in numbers}
    return [verdict(one, unit=f"u{n}", ticket=ticket) for n, one in leads.items()]


def content(store: Store) -> dict[str, list[tuple[object, ...]]]:
    with store.engine.connect() as db:
        return {
            table.name: [tuple(row) for row in db.execute(select(table).order_by(*table.primary_key))]
            for table in t.metadata.sorted_tables
        }


@pytest.fixture
def second(empty_url: str) -> Iterable[Store]:
    """A store without rows."""
    migrations.upgrade(empty_url)
    made = Store.open(empty_url)
    yield made
    made.close()


def test_what_is_restored_is_what_was_backed_up(store: Store, second: Store, tmp_path: Path) -> None:
    keep(store, [*told(range(1, 40)), verdict(unit="u3", ticket=2)])
    store.note(Note(kind="viewed", actor="wang", at=NOON, data='{"why":"看一看"}'.encode()))
    foot = backup(store, tmp_path / "b.gz", NOON)
    head = restore(second, tmp_path / "b.gz")
    assert foot.rows["alert"] == 39
    assert head.last_seq == store.last_seq()
    assert content(second) == content(store)
    assert second.chain_broken_at() is None


def test_from_one_engine_to_the_other(sqlite_template: Path, postgresql_store: str, tmp_path: Path) -> None:
    small, large = Store.open(f"sqlite:///{sqlite_template}"), Store.open(postgresql_store)
    keep(small, told(range(5)))
    try:
        with large.engine.begin() as db_:
            for table in reversed(t.metadata.sorted_tables):
                db_.execute(table.delete())
        backup(small, tmp_path / "b.gz", NOON)
        restore(large, tmp_path / "b.gz")
        assert content(large) == content(small)
    finally:
        with small.engine.begin() as db_:
            for table in reversed(t.metadata.sorted_tables):
                db_.execute(table.delete())
        small.close()
        large.close()


def test_verdicts_said_since_the_backup_bring_a_restored_store_up_to_date(
    store: Store,
    second: Store,
    tmp_path: Path,
) -> None:
    early, late = told(range(10)), [*told(range(5, 15), ticket=2), verdict(unit="u1", ticket=2)]
    keep(store, early)
    backup(store, tmp_path / "b.gz", NOON)
    keep(store, late)
    restore(second, tmp_path / "b.gz")
    keep(second, [*early[5:], *late])  # the group was set back a little too far
    assert list(second.bodies()) == list(store.bodies())


def test_a_store_with_rows_is_left_alone(store: Store, tmp_path: Path) -> None:
    keep(store, told([1]))
    backup(store, tmp_path / "b.gz", NOON)
    before = content(store)
    with pytest.raises(BackupError, match="not empty"):
        restore(store, tmp_path / "b.gz")
    assert content(store) == before


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda lines: lines[:-1], "cut short"),
        (lambda lines: [*lines[:3], *lines[4:]], "not as it was written"),
        (lambda lines: [line.replace(b"P1/T1", b"P1/T9") for line in lines], "not as it was written"),
        (lambda lines: [b'{"event_id":"e1"}\n'], "no backup"),
        (lambda lines: [lines[0].replace(t.SCHEMA.encode(), b"0000"), *lines[1:]], "not as it was written"),
    ],
)
def test_a_spoilt_file_is_refused_before_anything_is_written(store: Store, tmp_path: Path, spoil, complaint) -> None:
    keep(store, told([1]))
    file = tmp_path / "b.gz"
    backup(store, file, NOON)
    lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
    file.write_bytes(gzip.compress(b"".join(spoil(lines))))
    with pytest.raises(BackupError, match=complaint):
        look_into(file)


def test_half_a_file_is_refused(store: Store, tmp_path: Path) -> None:
    keep(store, told(range(50)))
    file = tmp_path / "b.gz"
    backup(store, file, NOON)
    file.write_bytes(file.read_bytes()[:-200])
    with pytest.raises(BackupError, match="cut short"):
        look_into(file)


def test_the_commands_back_up_and_restore(
    sqlite_template: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file, made = tmp_path / "b.gz", tmp_path / "new.db"
    monkeypatch.setenv("FUNDWATCH_STORE__URL", f"sqlite:///{sqlite_template}")
    assert CliRunner().invoke(db, ["backup", str(file)]).exit_code == 0
    assert file.stat().st_mode & 0o077 == 0
    monkeypatch.setenv("FUNDWATCH_STORE__URL", f"sqlite:///{made}")
    assert CliRunner().invoke(db, ["restore", str(file)]).exit_code == 0
    file.write_bytes(b"no")
    spoilt = CliRunner().invoke(db, ["restore", str(file)])
    assert spoilt.exit_code == 1
    assert str(file) in spoilt.output


# retention


def test_alerts_go_that_have_not_changed_for_long_and_no_others(store: Store) -> None:
    keep(store, told(range(5)), NOON)
    keep(store, told([1, 7], ticket=2), LATER)
    before = NOON + timedelta(days=1)
    assert len(retention.old_alerts(store, before)) == 4
    assert retention.drop_alerts(store, before, "test", LATER) == 4
    assert {row.subject_id for row in store.page().items} == {"P1/T1", "P1/T7"}
    assert retention.drop_alerts(store, before, "test", LATER) == 0
    assert store.chain_broken_at() is None


def test_a_cut_trail_can_still_be_proved_and_goes_on(store: Store) -> None:
    keep(store, told(range(5)), NOON)
    keep(store, told(range(5, 8)), LATER)
    last = store.last_seq()
    assert retention.old_entries(store, NOON + timedelta(days=1)) == 5
    assert retention.cut_trail(store, NOON + timedelta(days=1), "test", LATER) == 5
    keep(store, told([9]), LATER)
    assert store.chain_broken_at() is None
    assert [entry.seq for entry in store.events_after(0, kinds=())] == [6, 7, 8, 9, 10]
    assert store.last_seq() == last + 2


def test_a_trail_whose_beginning_was_stolen_cannot_be_proved(store: Store) -> None:
    keep(store, told(range(5)), NOON)
    retention.cut_trail(store, NOON + timedelta(days=1), "test", LATER)
    with store.engine.begin() as db_:
        db_.execute(t.alert_event.delete().where(t.alert_event.c.seq == 5))
    assert store.chain_broken_at() == 5


def test_nothing_is_cut_off_that_a_reader_has_still_to_read(store: Store) -> None:
    keep(store, told(range(5)), NOON)
    store.set_position("alerts", 2)
    assert retention.cut_trail(store, NOON + timedelta(days=1), "test", LATER) == 2


def test_only_days_that_are_too_old_leave_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    today = datetime.now(UTC).date()
    for name in ("reference", "day=2020-01-01", f"day={today}", "day=whatever"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("FUNDWATCH_ARCHIVE__DIR", str(tmp_path))
    said = CliRunner().invoke(retain, ["archive", "--older-than", "400d", "--dry-run"])
    assert (said.exit_code, said.output) == (0, "day=2020-01-01\n")
    assert len(days_before(tmp_path, today)) == 1
    CliRunner().invoke(retain, ["archive", "--older-than", "400d"])
    assert {path.name for path in tmp_path.iterdir()} == {"reference", f"day={today}", "day=whatever"}


def test_what_detectors_still_need_cannot_be_taken_away() -> None:
    for which in ("archive", "alerts", "audit"):
        said = CliRunner().invoke(retain, [which, "--older-than", "30d"])
        assert said.exit_code == 2
        assert "younger than 400 days" in said.output
