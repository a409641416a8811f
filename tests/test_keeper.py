"""What the keeper promises: the alerts that stand depend on what was said, not on the order it was heard in."""

import shutil
import tempfile
from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from alerts.alert import Alert, alert_id
from alerts.keeper import Changed, Table, alert_lines, keep, keep_in_memory
from alerts.merge import merged
from alerts.store import Store
from detectors.finding import Lead, Level, Period, Quorum, UnitId, Verdict
from tests.leads import NOON, lead, verdict

LATER = NOON + timedelta(hours=6)


def kinds(changes: Iterable[Changed]) -> list[str]:
    return [changed.change.value for changed in changes]


def only(store: Store) -> Alert:
    (alert,) = store.alerts()
    return alert


# -- the life of an alert ----------------------------------------------------------------------------------------------


def test_a_lead_opens_an_alert(store: Store) -> None:
    assert kinds(keep(store, [verdict(lead("a"))], NOON)) == ["created"]
    alert = only(store)
    assert (alert.alert_id, alert.revision, alert.status) == (alert_id(lead("a")), 1, "open")
    assert (alert.raised_at, alert.withdrawn_because) == (NOON, None)


def test_hearing_the_same_again_changes_nothing(store: Store) -> None:
    keep(store, [verdict(lead("a"))], NOON)
    before = list(store.bodies()), store.last_seq(), store.page()
    assert keep(store, [verdict(lead("a"))], LATER) == []
    assert keep(store, [verdict(lead("a"), ticket=2)] * 3, LATER) == []
    assert (list(store.bodies()), store.last_seq(), store.page()) == before


@pytest.mark.parametrize(
    "other",
    [
        lead("a", level=Level.YELLOW),
        lead("a", amount=1),
        lead("a", events=("e1",)),
        lead("a", summary="另一句话"),
        lead("a", orgs=("H33010210008",)),
    ],
    ids=["level", "amount", "events", "wording", "institutions"],
)
def test_what_changed_makes_a_new_revision(store: Store, other: Lead) -> None:
    keep(store, [verdict(lead("a"))], NOON)
    assert kinds(keep(store, [verdict(other, ticket=2)], LATER)) == ["changed"]
    alert = only(store)
    assert (alert.revision, alert.raised_at, alert.level) == (2, NOON, other.level)
    assert store.page().items[0].changed_at == LATER


def test_an_alert_no_longer_said_is_withdrawn_and_says_why(store: Store) -> None:
    keep(store, [verdict(lead("a"))], NOON)
    assert kinds(keep(store, [verdict(ticket=2)], LATER)) == ["withdrawn"]
    alert = only(store)
    assert (alert.revision, alert.status, alert.events) == (2, "withdrawn", ("e1", "e2"))
    assert alert.withdrawn_because == "重新判断后本条不再成立：因冲正、更正或迟到数据，原 2 个事件不再构成疑点。"
    detail = store.detail(alert.alert_id)
    assert detail is not None
    assert detail.evidence == lead("a").evidence


def test_a_withdrawn_alert_says_when_its_events_went_to_others(store: Store) -> None:
    keep(store, [verdict(lead("a", events=("e1", "e2", "e3")))], NOON)
    keep(store, [verdict(lead("b", events=("e2", "e3")), ticket=2)], NOON)
    reasons = {alert.subject.id: alert.withdrawn_because for alert in store.alerts()}
    assert reasons == {"a": "重新判断后本条不再成立：原 3 个事件中有 2 个已归入其他疑点。", "b": None}


def test_a_withdrawn_alert_opens_again_when_said_again(store: Store) -> None:
    keep(store, [verdict(lead("a")), verdict(ticket=2)], NOON)
    assert kinds(keep(store, [verdict(lead("a"), ticket=3)], LATER)) == ["reopened"]
    alert = only(store)
    assert (alert.revision, alert.status, alert.withdrawn_because, alert.raised_at) == (3, "open", None, NOON)


def test_an_older_verdict_is_not_heard(store: Store) -> None:
    keep(store, [verdict(lead("a"), ticket=5)], NOON)
    assert keep(store, [verdict(lead("a", amount=1), ticket=4), verdict(ticket=3)], NOON) == []


def test_silence_outlives_what_was_said_before_it_and_comes_after(store: Store) -> None:
    assert keep(store, [verdict(ticket=5)], NOON) == []
    assert keep(store, [verdict(lead("a"), ticket=4)], NOON) == []
    assert list(store.alerts()) == []


def test_every_revision_goes_to_the_event_log(store: Store) -> None:
    keep(store, [verdict(lead("a")), verdict(lead("a", amount=1), ticket=2), verdict(ticket=3)], NOON)
    logged = [(e.kind, e.revision, msgspec.json.decode(e.data, type=Alert).revision) for e in store.events_after(0)]
    assert logged == [("created", 1, 1), ("changed", 2, 2), ("withdrawn", 3, 3)]


def test_a_unit_whose_name_holds_anything_is_kept_apart(store: Store) -> None:
    odd = [f'a{mark}"b' for mark in ("\x1f", "|", "\\", "\n", '","', "\x00", "'")]
    assert kinds(keep(store, [verdict(lead(name), unit=name) for name in odd], NOON)) == ["created"] * len(odd)
    assert kinds(keep(store, [verdict(unit=name, ticket=2) for name in odd], NOON)) == ["withdrawn"] * len(odd)


def test_a_batch_that_fails_leaves_nothing(store: Store) -> None:
    bad = verdict(lead("b", at=NOON.replace(tzinfo=None)), unit="u2")
    with pytest.raises(Exception, match="without a zone"):
        keep(store, [verdict(lead("a")), bad], NOON)
    assert store.last_seq() == 0
    assert kinds(keep(store, [verdict(lead("a"))], NOON)) == ["created"]


# -- one alert, several units ------------------------------------------------------------------------------------------


def test_units_that_say_one_alert_say_it_together(store: Store) -> None:
    one = verdict(lead("shop", events=("e1", "e2"), amount=600), unit="code1")
    two = verdict(lead("shop", events=("e2", "e3"), amount=500, level=Level.ORANGE), unit="code2", ticket=7)
    assert kinds(keep(store, [two, one], NOON)) == ["created", "changed"]
    alert = only(store)
    assert (alert.level, alert.hits, set(alert.events)) == (Level.RED, 4, {"e1", "e2", "e3"})
    assert alert.amount_at_risk == "8.00"  # e2 costs 3.00 and is in both


def test_an_alert_stands_while_one_of_its_units_says_it(store: Store) -> None:
    keep(store, [verdict(lead("shop"), unit="code1"), verdict(lead("shop", amount=1), unit="code2")], NOON)
    assert kinds(keep(store, [verdict(unit="code1", ticket=2)], NOON)) == ["changed"]
    assert only(store).amount_at_risk == "0.01"
    assert kinds(keep(store, [verdict(unit="code2", ticket=2)], NOON)) == ["withdrawn"]


def part_of_case(unit: str, days: float, ticket: int = 1) -> Verdict:
    """What a code adds to a case that it takes three of, within thirty days."""
    own = lead("shop", at=NOON + timedelta(days=days), events=(f"sale of {unit}",))
    quorum = Quorum(3, timedelta(days=30), "repeated_codes", "codes")
    return verdict(replace(own, quorum=quorum, period=Period("2026-03", NOON, None)), unit=unit, ticket=ticket)


def test_a_case_takes_as_many_units_as_it_says(store: Store) -> None:
    assert kinds(keep(store, [part_of_case("code1", 1), part_of_case("code2", 2)], NOON)) == []
    assert kinds(keep(store, [part_of_case("code3", 3)], NOON)) == ["created"]
    alert = only(store)
    assert set(alert.events) == {"sale of code1", "sale of code2", "sale of code3"}
    assert (alert.figures[0].name, alert.figures[0].observed, alert.figures[0].threshold) == ("repeated_codes", 3, 3)
    assert kinds(keep(store, [verdict(unit="code2", ticket=2)], NOON)) == ["withdrawn"]


@pytest.mark.parametrize(
    ("days", "stands"),
    [
        ((1, 15, 31), False),  # the first is just out of the window of the last
        ((1.1, 15, 31), True),
        ((-10, -9, 1), True),
        ((-10, -9, -1), False),  # complete before the period began
    ],
)
def test_units_make_a_case_within_a_window_that_ends_in_its_period(days: tuple[float, ...], stands: bool) -> None:
    table = Table()
    keep_in_memory(table, [part_of_case(f"code{n}", day) for n, day in enumerate(days)], NOON)
    assert bool(table.alerts) is stands


SAYERS = {
    UnitId("d", "code1", "c"): lead("s", amount=1, events=("e1",)),
    UnitId("d", "code2", "c"): lead("s", amount=9, events=("e2", "e1")),
    UnitId("d", "code3", "c"): lead("s", amount=9, events=("e3",), summary="第三"),
}


@given(st.permutations(sorted(SAYERS)))
def test_together_they_say_the_same_whoever_spoke_first(units: list[UnitId]) -> None:
    assert merged({unit: SAYERS[unit] for unit in units}) == merged(SAYERS)


# -- any order, any batches, any number of times -----------------------------------------------------------------------

UNITS = ("u1", "u2", "u3")
LEADS = st.builds(
    lead,
    st.sampled_from(["a", "b", "shop"]),
    level=st.sampled_from([Level.RED, Level.BLUE]),
    events=st.sampled_from([("e1",), ("e1", "e2"), ("e3",)]),
    amount=st.sampled_from([100, 200]),
)
# What a unit says at a ticket is one thing: the ticket was taken once.
WORLDS = st.dictionaries(
    st.tuples(st.sampled_from(UNITS), st.integers(1, 4)), st.lists(LEADS, max_size=2), min_size=1, max_size=8
).map(lambda said: [verdict(*leads, unit=unit, ticket=ticket) for (unit, ticket), leads in said.items()])


@st.composite
def hearings(draw: st.DrawFn) -> tuple[list[Verdict], list[Verdict], list[int]]:
    """Some verdicts, one order of hearing each at least once, and where the batches end."""
    said = draw(WORLDS)
    heard = draw(st.permutations(said + draw(st.lists(st.sampled_from(said), max_size=6))))
    return said, heard, sorted(draw(st.lists(st.integers(0, len(heard)), max_size=4)))


def batches(heard: list[Verdict], ends: list[int]) -> Iterator[list[Verdict]]:
    for start, end in zip([0, *ends], [*ends, len(heard)], strict=True):
        yield heard[start:end]


def standing(alerts: Iterable[Alert]) -> dict[str, Alert]:
    """The open ones, without what the keeper adds."""
    plain = (msgspec.structs.replace(alert, revision=0, raised_at=NOON) for alert in alerts if alert.status == "open")
    return {alert.alert_id: alert for alert in plain}


def from_the_newest(said: Iterable[Verdict]) -> dict[str, Alert]:
    """What must stand: told only by each unit's highest ticket."""
    newest: dict[UnitId, Verdict] = {}
    for one in said:
        if one.unit not in newest or newest[one.unit].ticket < one.ticket:
            newest[one.unit] = one
    table = Table()
    keep_in_memory(table, newest.values(), NOON)
    return standing(table.alerts.values())


@given(hearings())
def test_what_stands_depends_only_on_what_was_said(hearing: tuple[list[Verdict], list[Verdict], list[int]]) -> None:
    said, heard, _ = hearing
    table = Table()
    keep_in_memory(table, heard, NOON)
    assert standing(table.alerts.values()) == from_the_newest(said)


@settings(max_examples=60, deadline=None)  # each example is a database file
@given(hearings())
def test_the_store_and_memory_agree(
    sqlite_template: Path, hearing: tuple[list[Verdict], list[Verdict], list[int]]
) -> None:
    _, heard, ends = hearing
    table = Table()
    remembered = keep_in_memory(table, heard, NOON)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(sqlite_template, f"{folder}/alerts.db")
        store = Store.open(f"sqlite:///{folder}/alerts.db")
        kept = [changed for batch in batches(heard, ends) for changed in keep(store, batch, NOON)]
        lines = [body + b"\n" for body in store.bodies()]
        logged = [entry.data for entry in store.events_after(0)]
        rows = {row.alert_id: row for row in store.page(limit=100).items}
        store.close()
    assert kept == remembered
    assert lines == list(alert_lines(table.alerts.values()))
    assert logged == [msgspec.json.encode(changed.alert) for changed in remembered]
    assert {name: (row.revision, row.status) for name, row in rows.items()} == {
        alert.alert_id: (alert.revision, alert.status) for alert in table.alerts.values()
    }


# -- alert files -------------------------------------------------------------------------------------------------------


def test_an_alert_file_has_a_line_per_alert_at_its_highest_revision_sorted() -> None:
    table = Table()
    changes = keep_in_memory(table, [verdict(lead("a"), lead("b")), verdict(lead("a"), ticket=2)], NOON)
    lines = [msgspec.json.decode(line, type=Alert) for line in alert_lines(changed.alert for changed in changes)]
    assert lines == sorted(table.alerts.values(), key=lambda alert: alert.alert_id)
    assert {alert.status for alert in lines} == {"open", "withdrawn"}


def test_an_alert_file_is_the_same_whatever_order_alerts_come_in() -> None:
    alerts = [c.alert for c in keep_in_memory(Table(), [verdict(lead("a"), lead("b")), verdict(ticket=2)], NOON)]
    assert list(alert_lines(alerts)) == list(alert_lines(reversed(alerts)))
