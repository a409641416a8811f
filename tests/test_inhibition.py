"""What inhibition promises: a weaker alert on the events of a stronger one is shown as such, whichever came first.

And the count beside it: how often a subject was named before.
"""

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from datetime import timedelta
from fractions import Fraction
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.alert import alert_id
from alerts.inhibition import rests_on
from alerts.keeper import keep
from alerts.kept import CHANGES, Filter, LeadRow, Order
from alerts.publish import pending
from alerts.store import Store
from detectors.finding import Certainty, Evidence, Lead, Level, Verdict
from tests.leads import NOON, ORG, lead, verdict

LATER = NOON + timedelta(hours=6)
TILL = lead(f"{ORG}/T1", events=("e1", "e2", "e3", "e4", "e5"))
PERSON = lead("p1", kind="person", detector="multi_org_burst", level=Level.ORANGE, events=("e1", "e2"))
BESIDE = ("inhibited", "released")


def tell(store: Store, *leads: Lead, ticket: int = 1) -> None:
    keep(store, [_said(one, ticket) for one in leads], NOON)


def take_back(store: Store, one: Lead, ticket: int = 2) -> None:
    keep(store, [verdict(unit=f"{one.detector}|{one.subject.id}", ticket=ticket)], LATER)


def _said(one: Lead, ticket: int) -> Verdict:
    return verdict(one, unit=f"{one.detector}|{one.subject.id}", ticket=ticket)


def row(store: Store, one: Lead) -> LeadRow:
    return store.rows([alert_id(one)])[alert_id(one)]


def inhibitor(store: Store, one: Lead) -> str | None:
    by = row(store, one).inhibited_by
    return by.alert_id if by else None


def certain(one: Lead) -> Lead:
    return msgspec.structs.replace(one, certainty=Certainty.DEFINITE)


def showing(one: Lead, *events: str) -> Lead:
    """The same alert on other events."""
    return msgspec.structs.replace(one, events=events)


def at_level(one: Lead, level: Level) -> Lead:
    return msgspec.structs.replace(one, level=level)


# -- who inhibits whom -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("leads", [(TILL, PERSON), (PERSON, TILL)], ids=["stronger first", "weaker first"])
def test_a_weaker_alert_on_the_same_events_is_inhibited_by_the_stronger(store: Store, leads: Sequence[Lead]) -> None:
    for one in leads:
        tell(store, one)
    by = row(store, PERSON).inhibited_by
    assert by is not None
    assert (by.alert_id, by.detector, by.level, by.areas) == (
        *(alert_id(TILL), "card_batch_swipe", Level.RED, ("330102",)),
    )
    assert inhibitor(store, TILL) is None


def test_it_is_no_part_of_the_alert_and_makes_no_revision(store: Store) -> None:
    tell(store, PERSON)
    before = list(store.bodies()), row(store, PERSON)
    tell(store, TILL)
    after = row(store, PERSON)
    assert [body for body in store.bodies() if body in before[0]] == before[0]
    assert msgspec.structs.replace(after, inhibited_by=None) == before[1]
    assert [m.alert_id for m in pending(store, "alerts")] == [alert_id(PERSON), alert_id(TILL)]


@pytest.mark.parametrize(("shared", "inhibited"), [(3, False), (4, True), (5, True)])
def test_four_fifths_of_the_events_are_enough(store: Store, shared: int, inhibited: bool) -> None:
    weaker = showing(PERSON, *(f"e{n + 1}" if n < shared else f"x{n}" for n in range(5)))
    tell(store, TILL, weaker)
    assert (inhibitor(store, weaker) is not None) == inhibited


@pytest.mark.parametrize(
    ("one", "other", "inhibited"),
    [
        (at_level(TILL, Level.ORANGE), PERSON, False),
        (certain(at_level(TILL, Level.ORANGE)), PERSON, True),
        (TILL, certain(PERSON), True),
        (at_level(TILL, Level.YELLOW), PERSON, False),
        (certain(at_level(TILL, Level.YELLOW)), PERSON, False),
    ],
    ids=["equals", "same level, definite", "graver, though the other is definite", "milder", "milder, though definite"],
)
def test_the_level_decides_then_certainty_and_equals_leave_each_other(
    store: Store, one: Lead, other: Lead, inhibited: bool
) -> None:
    tell(store, one, other)
    assert (inhibitor(store, other) == alert_id(one)) == inhibited


def test_of_several_the_strongest_is_named_then_the_one_that_holds_more(store: Store) -> None:
    weak = at_level(showing(PERSON, "e1", "e2", "e3", "e4", "e5"), Level.BLUE)
    middle = lead(
        "p2", kind="person", detector="geo_time_conflict", level=Level.ORANGE, events=("e1", "e2", "e3", "e4")
    )
    wide = lead("p3", kind="person", detector="geo_time_conflict", level=Level.ORANGE, events=weak.events)
    tell(store, weak, middle)
    assert inhibitor(store, weak) == alert_id(middle)
    tell(store, wide)
    assert inhibitor(store, weak) == alert_id(wide)
    tell(store, TILL)
    assert inhibitor(store, weak) == alert_id(TILL)


def test_an_absence_rests_on_no_event_of_its_own(store: Store) -> None:
    admission = Evidence("adm1", "adm", NOON, ORG, "p1")
    absence = lead("stay1", kind="stay", detector="ghost_bed_no_service", level=Level.ORANGE, events=("adm1",))
    absence = msgspec.structs.replace(absence, evidence=(admission,))
    together = lead(ORG, kind="org", detector="batch_admission", events=("adm1", "adm2", "adm3"))
    tell(store, absence, together)
    assert rests_on(absence) == frozenset()
    assert inhibitor(store, absence) is None


def test_what_lists_no_event_is_left_alone(store: Store) -> None:
    tell(store, TILL, showing(PERSON))
    assert inhibitor(store, PERSON) is None


# -- it follows both sides ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fallen",
    [at_level(TILL, Level.ORANGE), showing(TILL, "e1", "e3"), None],
    ids=["milder", "fewer events", "withdrawn"],
)
def test_it_ends_when_the_stronger_one_no_longer_explains_it(store: Store, fallen: Lead | None) -> None:
    tell(store, TILL, PERSON)
    if fallen:
        tell(store, fallen, ticket=2)
    else:
        take_back(store, TILL)
    assert inhibitor(store, PERSON) is None
    tell(store, TILL, ticket=3)
    assert inhibitor(store, PERSON) == alert_id(TILL)


def test_it_ends_when_the_weaker_one_finds_more_of_its_own(store: Store) -> None:
    tell(store, TILL, PERSON)
    tell(store, showing(PERSON, "e1", "e2", "f1"), ticket=2)
    assert inhibitor(store, PERSON) is None


def test_when_one_falls_away_the_next_strongest_is_named(store: Store) -> None:
    other = lead("p2", kind="person", detector="geo_time_conflict", level=Level.RED, events=("e1", "e2"), amount=1)
    tell(store, TILL, other, PERSON)
    assert inhibitor(store, PERSON) == alert_id(TILL)
    take_back(store, TILL)
    assert inhibitor(store, PERSON) == alert_id(other)


def test_a_withdrawn_alert_is_inhibited_by_nobody(store: Store) -> None:
    tell(store, TILL, PERSON)
    take_back(store, PERSON)
    assert inhibitor(store, PERSON) is None
    tell(store, PERSON, ticket=3)
    assert inhibitor(store, PERSON) == alert_id(TILL)


def test_the_trail_tells_when_it_began_and_ended(store: Store) -> None:
    tell(store, TILL, PERSON)
    tell(store, TILL, ticket=2)  # nothing new
    take_back(store, TILL, ticket=3)
    told = [(e.kind, e.alert_id, e.actor, e.revision, e.data) for e in store.events_after(0, kinds=BESIDE)]
    by = msgspec.json.encode({"by": alert_id(TILL)})
    assert told == [
        ("inhibited", alert_id(PERSON), "keeper", None, by),
        ("released", alert_id(PERSON), "keeper", None, b"{}"),
    ]
    assert store.chain_broken_at() is None


# -- any order ---------------------------------------------------------------------------------------------------------

SUBJECTS = ("p1", "p2", "p3", "p4")
LEADS = st.builds(
    lambda subject, level, certainty, events, amount, hour: msgspec.structs.replace(
        lead(subject, kind="person", level=level, events=events, amount=amount, at=NOON + timedelta(hours=hour)),
        certainty=certainty,
    ),
    st.sampled_from(SUBJECTS),
    st.sampled_from([Level.RED, Level.ORANGE, Level.YELLOW]),
    st.sampled_from(list(Certainty)),
    st.lists(st.sampled_from(["e1", "e2", "e3", "e4", "e5", "e6"]), max_size=6, unique=True).map(tuple),
    st.integers(0, 2),
    st.integers(0, 1),
)
SAID = st.dictionaries(
    st.tuples(st.sampled_from(["u1", "u2", "u3", "u4", "u5"]), st.integers(1, 3)),
    st.lists(LEADS, max_size=2),
    min_size=1,
    max_size=10,
).map(lambda said: [verdict(*leads, unit=unit, ticket=ticket) for (unit, ticket), leads in said.items()])


@st.composite
def hearings(draw: st.DrawFn) -> list[list[Verdict]]:
    """Verdicts in some order, some of them twice, in some batches."""
    said = draw(SAID)
    heard = draw(st.permutations(said + draw(st.lists(st.sampled_from(said), max_size=4))))
    ends = sorted(draw(st.lists(st.integers(0, len(heard)), max_size=4)))
    return [heard[start:end] for start, end in zip([0, *ends], [*ends, len(heard)], strict=True)]


def expected(rows: Iterable[LeadRow], store: Store) -> dict[str, tuple[str | None, int]]:
    """By the definition, each against each: the inhibitor, and how often the subject was named before."""
    details = [detail for row in rows if (detail := store.detail(row.alert_id)) is not None]
    standing = [one for one in details if one.row.status == "open"]

    def strength(row: LeadRow) -> tuple[int, bool]:
        return row.level.rank, row.certainty is Certainty.DEFINITE

    found = {}
    for weak in details:
        mine = set(weak.alert.events) if weak.row.status == "open" else set()
        by = [
            (*strength(strong.row), len(mine & set(strong.alert.events)), strong.row.amount_at_risk_fen, name)
            for strong in standing
            if mine
            and strength(strong.row) > strength(weak.row)
            and Fraction(len(mine & set(strong.alert.events)), len(mine)) >= Fraction(4, 5)
            and (name := strong.row.alert_id)
        ]
        before = sum(
            one.row.subject_id == weak.row.subject_id
            and (one.row.first_seen, one.row.alert_id) < (weak.row.first_seen, weak.row.alert_id)
            for one in standing
        )
        found[weak.row.alert_id] = (max(by)[-1] if by else None, before)
    return found


@settings(max_examples=60, deadline=None)  # each example is a database file
@given(hearings())
def test_what_stands_beside_alerts_does_not_depend_on_the_order_they_came_in(
    sqlite_template: Path, heard: list[list[Verdict]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(sqlite_template, f"{folder}/alerts.db")
        store = Store.open(f"sqlite:///{folder}/alerts.db")
        for batch in heard:
            keep(store, batch, NOON)
        rows = store.page(limit=100).items
        found = {r.alert_id: (r.inhibited_by.alert_id if r.inhibited_by else None, r.named_before) for r in rows}
        wanted = expected(rows, store)
        store.close()
    assert found == wanted


# -- lists -------------------------------------------------------------------------------------------------------------


def test_a_list_can_leave_the_inhibited_out_and_counts_them(store: Store) -> None:
    tell(store, TILL, PERSON)
    assert [r.subject_id for r in store.page(Filter(inhibited=False)).items] == [TILL.subject.id]
    assert [r.subject_id for r in store.page(Filter(inhibited=True), order=Order.GRAVEST).items] == ["p1"]
    assert store.facets().inhibited == store.facets(Filter(inhibited=False)).inhibited == {"yes": 1, "no": 1}
    assert store.facets(Filter(inhibited=False)).total == 1
    assert store.facets(Filter(inhibited=False)).levels == {"red": 1}


def test_an_alert_tells_whom_it_inhibits_within_the_areas(store: Store) -> None:
    tell(store, TILL, PERSON)
    assert [r.alert_id for r in store.inhibited_by(alert_id(TILL))] == [alert_id(PERSON)]
    assert store.inhibited_by(alert_id(TILL), areas=("440000",)) == ()
    assert store.inhibited_by(alert_id(PERSON)) == ()


def test_an_inhibitor_of_another_area_stays_unnamed(store: Store) -> None:
    elsewhere = lead(f"{ORG}/T1", events=("e1", "e2"), orgs=("H44010210008",))
    tell(store, elsewhere, PERSON)
    (seen,) = store.page(Filter(areas=("330000",))).items
    detail = store.detail(alert_id(PERSON), areas=("330000",))
    assert detail is not None
    for shown in (seen, detail.row, store.rows([alert_id(PERSON)], areas=("330000",))[alert_id(PERSON)]):
        assert shown.inhibited_by is not None
        assert (shown.inhibited_by.alert_id, shown.inhibited_by.detector, shown.inhibited_by.areas) == ("", "", ())
    assert inhibitor(store, PERSON) == alert_id(elsewhere)


# -- how often a subject was named before ------------------------------------------------------------------------------


def test_a_subject_named_before_says_how_often(store: Store) -> None:
    months = [lead("p1", kind="person", day=f"2026-0{n}", at=NOON + timedelta(days=30 * n)) for n in (1, 2, 3)]
    for one in reversed(months):
        keep(store, [verdict(one, unit=one.period.name)], NOON)
    assert [row(store, one).named_before for one in months] == [0, 1, 2]
    keep(store, [verdict(unit="2026-01", ticket=2)], LATER)
    assert [row(store, one).named_before for one in months[1:]] == [0, 1]


def test_it_is_counted_by_subject_not_by_name_alone(store: Store) -> None:
    tell(store, lead("x", kind="person"), lead("x", kind="org", detector="upload_gap", at=LATER))
    assert [r.named_before for r in store.page().items] == [0, 0]


def test_a_change_beside_an_alert_is_no_change_of_it(store: Store) -> None:
    tell(store, TILL, PERSON)
    assert [entry.kind for entry in store.events_after(0, kinds=CHANGES)] == ["created", "created"]
    assert store.counts().open["orange"] == 1
