"""What the alert store promises, on SQLite and on PostgreSQL."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import msgspec
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import select, text

from alerts import migrations
from alerts.alert import Alert
from alerts.choosing import CursorError
from alerts.engines import STORE_AWAY, StoreError, engine_for
from alerts.keeper import keep
from alerts.kept import Filter, LeadRow, Note, Order, Page, within
from alerts.store import Store
from alerts.tables import SCHEMA, metadata, rests_on
from detectors.finding import Certainty, Lead, Level
from tests.leads import NOON, ORG, lead, verdict

DAY = timedelta(days=1)
SPAWN = multiprocessing.get_context("spawn")


def hold(store: Store, *leads: Lead, ticket: int = 1) -> None:
    keep(store, [verdict(one, unit=f"{one.subject.id}|{one.period.name}", ticket=ticket) for one in leads], NOON)


def subjects(page: Page) -> list[str]:
    return [row.subject_id for row in page.items]


def all_pages(store: Store, order: Order, of: Filter = Filter()) -> Iterator[Page]:  # noqa: B008
    page = store.page(of, order=order, limit=3)
    yield page
    while page.next_cursor is not None:
        page = store.page(of, order=order, limit=3, after=page.next_cursor)
        yield page


# -- tables --------------------------------------------------------------------------------------------------------


def test_models_and_migrations_agree(empty_url: str) -> None:
    migrations.upgrade(empty_url)
    engine = engine_for(empty_url)
    with engine.connect() as db:
        assert compare_metadata(MigrationContext.configure(db, opts={"compare_type": True}), metadata) == []
    engine.dispose()


def test_an_upgrade_can_be_repeated(url: str) -> None:
    assert migrations.upgrade(url) == migrations.current(url) == migrations.head() == SCHEMA


def test_a_store_of_the_first_version_learns_what_stands_beside_its_alerts(url: str, store: Store) -> None:
    month = timedelta(days=30)
    hold(
        store,
        lead("a", events=("e1", "e2", "e3")),
        lead("b", level=Level.ORANGE, events=("e1", "e2")),
        lead("b", level=Level.BLUE, events=("e9",), day="2026-05", at=NOON + month),
        msgspec.structs.replace(lead("c", events=("e1", "e2")), certainty=Certainty.DEFINITE),
        lead("gone", events=("e1", "e2")),
    )
    keep(store, [verdict(unit="gone|2026-03-12", ticket=2)], NOON)
    before = beside(store)
    assert sum(row.inhibited_by is not None for row in before[0]) == 1
    migrate(store, "0001")
    assert migrations.current(url) == "0001"
    migrations.upgrade(url)
    assert beside(store) == before


def migrate(store: Store, back_to: str) -> None:
    with store.engine.connect().execution_options(writer=True) as db, db.begin():
        command.downgrade(migrations._config(db), back_to)


def beside(store: Store) -> tuple[tuple[LeadRow, ...], list[tuple[str, str]]]:
    """All that the second version added."""
    with store.engine.connect() as db:
        events = [(name, event) for name, event in db.execute(select(rests_on).order_by(*rests_on.c))]
    return store.page(order=Order.GRAVEST).items, events


def test_two_processes_may_upgrade_at_once(empty_url: str) -> None:
    both = [SPAWN.Process(target=migrations.upgrade, args=(empty_url,)) for _ in range(2)]
    finish(both)
    assert migrations.current(empty_url) == SCHEMA


def test_a_store_without_tables_says_what_to_do(empty_url: str) -> None:
    store = Store.open(empty_url)
    with pytest.raises(StoreError, match="fundwatch db upgrade"):
        store.check_ready()
    store.close()


def test_a_store_of_another_version_says_which(empty_url: str) -> None:
    migrations.upgrade(empty_url)
    store = Store.open(empty_url)
    with store.engine.begin() as db:
        db.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="9999"):
        store.check_ready()
    store.close()


def test_a_server_that_does_not_answer_is_away(tmp_path: Path) -> None:
    for url in (f"postgresql://nobody@/none?host={tmp_path}", f"sqlite:///{tmp_path}/no/such/folder/alerts.db"):
        store = Store.open(url)
        with pytest.raises(STORE_AWAY):
            store.check_ready()
        store.close()


# -- lists ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", list(Order))
def test_pages_show_every_alert_once(store: Store, order: Order) -> None:
    hold(store, *(lead(f"{ORG}/T{i}", amount=100 * (i // 2), level=list(Level)[i % 4]) for i in range(10)))
    seen = [name for page in all_pages(store, order) for name in subjects(page)]
    assert sorted(seen) == sorted(f"{ORG}/T{i}" for i in range(10))


def test_the_gravest_stand_first(store: Store) -> None:
    hold(
        store,
        lead("blue, dear", level=Level.BLUE, amount=9_000),
        lead("red, cheap", amount=1),
        lead("red, dear", amount=2),
        lead("red, dear, later", amount=2, at=NOON + DAY),
    )
    assert subjects(store.page(order=Order.GRAVEST)) == ["red, dear, later", "red, dear", "red, cheap", "blue, dear"]


def test_among_equal_amounts_certainty_decides_then_how_often_the_subject_was_named(store: Store) -> None:
    definite = msgspec.structs.replace(lead("definite", events=("d",)), certainty=Certainty.DEFINITE)
    once, twice = (lead("named", day=f"2026-0{n}", events=(f"n{n}",), at=NOON + n * DAY) for n in (1, 2))
    hold(store, lead("later", events=("l",), at=NOON + 9 * DAY), once, twice, definite, lead("dear", amount=99_900))
    found = [(row.subject_id, row.named_before) for row in store.page(order=Order.GRAVEST).items]
    assert found == [("dear", 0), ("definite", 0), ("named", 1), ("later", 0), ("named", 0)]
    seen = [row for page in all_pages(store, Order.GRAVEST) for row in page.items]
    assert [(row.subject_id, row.named_before) for row in seen] == found


def test_what_changed_last_stands_first(store: Store) -> None:
    hold(store, lead("a"))
    hold(store, lead("b"))
    hold(store, lead("a", amount=7), ticket=2)
    assert subjects(store.page()) == ["a", "b"]


def test_a_page_goes_on_where_the_last_one_ended_though_more_came(store: Store) -> None:
    hold(store, lead("a"), lead("b"))
    first = store.page(limit=1)
    hold(store, lead("c"))
    assert subjects(first) + subjects(store.page(limit=1, after=first.next_cursor)) == ["b", "a"]


@pytest.mark.parametrize("cursor", ["", "x", "%%%", "bnVsbA", "WyJuZXdlc3QiLCJhIl0", "é"])
def test_a_wrong_cursor_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(CursorError):
        store.page(after=cursor)


def test_a_cursor_of_another_order_is_refused(store: Store) -> None:
    hold(store, lead("a"), lead("b"))
    with pytest.raises(CursorError):
        store.page(order=Order.GRAVEST, after=store.page(limit=1).next_cursor)


HANGZHOU, WENZHOU = "H33010210008", "H33030210009"


@pytest.mark.parametrize(
    ("of", "found"),
    [
        (Filter(), {"a", "b", "c"}),
        (Filter(levels=frozenset({Level.RED, Level.BLUE})), {"a", "c"}),
        (Filter(detectors=frozenset({"ghost_bed_absence"})), {"b"}),
        (Filter(statuses=frozenset({"withdrawn"})), {"c"}),
        (Filter(org=WENZHOU), {"b", "c"}),
        (Filter(org="H3303"), set()),
        (Filter(subject_kind="stay"), {"b"}),
        (Filter(subject_kind="stay", subject_id="a"), set()),
        (Filter(subject_id="a"), {"a"}),
        (Filter(since=NOON + DAY), {"b", "c"}),
        (Filter(until=NOON), {"a"}),
        (Filter(since=NOON + timedelta(hours=1), until=NOON + timedelta(hours=2)), {"a"}),
        (Filter(at_least_fen=300), {"b", "c"}),
        (Filter(text="空床"), {"b"}),
        (Filter(text="TILL WITHIN"), {"a", "b", "c"}),
        (Filter(text="50%"), {"c"}),
        (Filter(text="%"), {"c"}),
        (Filter(areas=("330300",)), {"b", "c"}),
        (Filter(areas=("330102", "330302")), {"a", "b", "c"}),
        (Filter(areas=("330102",)), {"a", "b"}),
        (Filter(areas=("330000",)), {"a", "b", "c"}),
        (Filter(areas=("440000",)), set()),
        (Filter(areas=("%",)), set()),
        (Filter(text="\x00"), set()),
        (Filter(org="\x00", subject_id="\ud800"), set()),
    ],
)
def test_a_filter_finds_what_it_says(store: Store, of: Filter, found: set[str]) -> None:
    hold(
        store,
        lead("a", amount=100, orgs=(HANGZHOU,)),
        lead("b", amount=300, orgs=(WENZHOU, HANGZHOU), level=Level.ORANGE, at=NOON + DAY, kind="stay",
             detector="ghost_bed_absence", summary="病区空床"),
        lead("c", amount=500, orgs=(WENZHOU,), level=Level.BLUE, at=NOON + 2 * DAY, summary="占 50%"),
    )  # fmt: skip
    keep(store, [verdict(unit="c|2026-03-12", ticket=2)], NOON)
    assert set(subjects(store.page(of))) == found
    assert {body["subject"]["id"] for body in map(msgspec.json.decode, store.bodies(of))} == found
    assert store.facets(of).total == len(found)


def test_facets_count_each_choice_under_the_other_choices(store: Store) -> None:
    hold(store, lead("a"), lead("b", level=Level.BLUE), lead("c", level=Level.BLUE, detector="ghost_bed_absence"))
    facets = store.facets(Filter(levels=frozenset({Level.BLUE})))
    assert facets.levels == {"red": 1, "blue": 2}
    assert facets.detectors == {"card_batch_swipe": 1, "ghost_bed_absence": 1}
    assert facets.statuses == {"open": 2}
    assert facets.total == 2


def test_areas_outside_the_database_mean_the_same() -> None:
    assert within(("330102",), ())
    assert within(("330102",), ("330100",))
    assert within(("440101", "330102"), ("330102",))
    assert not within(("330302",), ("330100", "440000"))
    assert not within((), ("330100",))


# -- one alert ---------------------------------------------------------------------------------------------------------


def test_an_alert_is_shown_with_its_evidence_and_history(store: Store) -> None:
    hold(store, lead("a"))
    hold(store, lead("a", amount=7, events=("e1", "e2", "e3")), ticket=2)
    name = store.page().items[0].alert_id
    store.note(Note(kind="viewed", actor="wang", at=NOON, alert_id=name))
    detail = store.detail(name)
    assert detail is not None
    assert detail.evidence == lead("a", events=("e1", "e2", "e3")).evidence
    assert [(entry.kind, entry.revision) for entry in detail.history] == [
        ("viewed", None),
        ("changed", 2),
        ("created", 1),
    ]
    assert detail.alert.amount_at_risk == "0.07"
    assert detail.row.areas == ("330102",)
    assert msgspec.json.decode(detail.history[2].data, type=Alert).amount_at_risk == "123.00"


def test_an_alert_of_another_area_is_not_there(store: Store) -> None:
    hold(store, lead("a"))
    name = store.page().items[0].alert_id
    assert store.detail(name, areas=("330300",)) is None
    assert store.rows([name], areas=("330300",)) == {}
    assert store.rows([name, "no such"], areas=("330100",)).keys() == {name}
    assert store.detail("no such") is None


def test_a_time_without_a_zone_is_refused(store: Store) -> None:
    with pytest.raises(Exception, match="without a zone"):
        store.note(Note(kind="viewed", actor="wang", at=NOON.replace(tzinfo=None)))


# -- alert_event -------------------------------------------------------------------------------------------------------


def test_events_come_in_order_and_by_kind(store: Store) -> None:
    hold(store, lead("a"), lead("b"))
    store.note(Note(kind="viewed", actor="wang", at=NOON))
    assert [entry.seq for entry in store.events_after(1, kinds=())] == [2, 3]
    assert [entry.kind for entry in store.events_after(0)] == ["created", "created"]
    assert [entry.seq for entry in store.events_after(0, limit=1)] == [1]
    assert store.last_seq() == store.counts().last_seq == 3


def test_counts_name_every_level(store: Store) -> None:
    assert store.counts().open == {"blue": 0, "yellow": 0, "orange": 0, "red": 0}
    hold(store, lead("a"), lead("b", level=Level.BLUE), lead("c"))
    keep(store, [verdict(unit="c|2026-03-12", ticket=2)], NOON)
    counts = store.counts()
    assert (counts.open, counts.withdrawn) == ({"blue": 1, "yellow": 0, "orange": 0, "red": 1}, 1)
    assert counts.last_change == NOON


@pytest.mark.parametrize(
    ("tamper", "found"),
    [
        ("UPDATE alert_event SET data = '{}' WHERE seq = 2", 2),
        ("UPDATE alert_event SET actor = 'nobody' WHERE seq = 3", 3),
        ("DELETE FROM alert_event WHERE seq = 1", 1),
        ("DELETE FROM alert_event WHERE seq = 2", 2),
    ],
)
def test_an_altered_audit_trail_is_noticed(store: Store, tamper: str, found: int) -> None:
    hold(store, lead("a"), lead("b"))
    store.note(Note(kind="viewed", actor="wang", at=NOON))
    assert store.chain_broken_at() is None
    with store.engine.begin() as db:
        db.execute(text(tamper))
    assert store.chain_broken_at() == found


def _write(url: str, writer: int, rounds: int) -> None:
    store = Store.open(url)
    for i in range(rounds):
        hold(store, lead(f"{writer}/{i}/a"), lead(f"{writer}/{i}/b"))
        store.note(Note(kind="viewed", actor=str(writer), at=NOON))
    store.close()


def finish(processes: Sequence[BaseProcess]) -> None:
    for process in processes:
        process.start()
    for process in processes:
        process.join(180)
    assert [process.exitcode for process in processes] == [0] * len(processes)


def test_who_tails_the_events_of_several_writers_misses_none(url: str) -> None:
    writers = [SPAWN.Process(target=_write, args=(url, i, 30)) for i in range(3)]
    done, seen, store = threading.Event(), [0], Store.open(url)

    def tail() -> None:
        while True:
            last_round = done.is_set()
            seen.extend(entry.seq for entry in store.events_after(seen[-1], kinds=()))
            if last_round:
                return

    reader = threading.Thread(target=tail)
    reader.start()
    try:
        finish(writers)
    finally:
        done.set()
        reader.join(60)
    assert seen == list(range(3 * 30 * 3 + 1))
    assert store.chain_broken_at() is None
    store.close()


def _die_while_writing(url: str) -> None:
    store = Store.open(url)
    with store.writing() as writing:
        writing.append([Note(kind="viewed", actor="dying", at=NOON)])
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_writer_killed_in_the_middle_leaves_nothing_and_blocks_nobody(url: str, store: Store) -> None:
    process = SPAWN.Process(target=_die_while_writing, args=(url,))
    process.start()
    process.join(60)
    assert process.exitcode == -9
    assert store.note(Note(kind="viewed", actor="wang", at=NOON)) == 1


# -- readers -----------------------------------------------------------------------------------------------------------


def test_a_position_never_goes_back(store: Store) -> None:
    assert store.position("alerts") == 0
    store.set_position("alerts", 5)
    store.set_position("alerts", 3)
    assert store.position("alerts") == 5


def test_one_at_a_time_holds_a_lease(store: Store) -> None:
    minute = timedelta(minutes=1)
    assert store.take_lease("alerts", "a", NOON, NOON + minute)
    assert store.take_lease("alerts", "a", NOON, NOON + minute)
    assert not store.take_lease("alerts", "b", NOON, NOON + minute)
    assert store.take_lease("alerts", "b", NOON + minute, NOON + 2 * minute)
    store.drop_lease("alerts", "a")
    assert not store.take_lease("alerts", "a", NOON + minute, NOON + 2 * minute)
    store.drop_lease("alerts", "b")
    assert store.take_lease("alerts", "a", NOON + minute, NOON + 2 * minute)
    assert store.position("alerts") == 0
