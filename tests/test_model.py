"""The model: scored as scikit-learn scores, the same whatever the order of arrival, refused if it is not ours."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace as changed
from datetime import UTC, date, datetime
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.case import at
from detectors.catalogue import DETECTORS
from detectors.detector import Detector
from detectors.event import CHINA, Event, Record, Reference
from detectors.finding import Lead, Level
from detectors.rules import ALWAYS, Rulebook, Rules, rulebook
from detectors.unit import DAY
from detectors.wire import read
from models.catalogue import LEARNED, InForce, with_models
from models.channels import Distance, Surprise
from models.day import Peers, columns
from models.drift import Reference as Usual
from models.drift import drifts
from models.feature import Counted, Feature, Measures, measures
from models.forest import flattened
from models.made import made
from models.model import Model, evidence
from models.person_day import FEATURES as PERSON
from models.train import Learned, PersonDays, PharmacyDays, Plan, learn, rank_of, reached_by
from models.versions import CARD, MANIFEST, ModelError, Registry, in_force, load
from models.watch import Watched
from replay.run import Standing, replay
from replay.simulate.city import Plan as City
from replay.simulate.simulation import Simulation
from stream_app.embedded.up import DEMO_MODEL
from tests.world import batches, rising, said

PLAN = Plan(per_day=1.0, trees=25, samples=128)
NOW = datetime(2026, 5, 1, tzinfo=UTC)
START = at("01 00:00")


def city(seed: int, persons: int, days: int, families: tuple[str, ...]) -> list[Event | Reference]:
    told = Simulation(City(persons=persons, days=days, seed=seed, start=START, families=families)).lines()
    return [event for line in told if not (event := read(line)).is_test]


@pytest.fixture(scope="module")
def learned() -> dict[str, Learned]:
    """From the days of a small honest city."""
    persons, pharmacies = PersonDays(), PharmacyDays()
    story = city(3, 1_200, 36, ("none",))
    replay([story], [persons, pharmacies], on_crash=rising)
    found = {"person": persons.found, "pharmacy": pharmacies.found}
    return {entity: learn(entity, days, PLAN, "") for entity, days in found.items()}


@pytest.fixture(scope="module")
def root(learned: dict[str, Learned], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry with one version."""
    new = made(learned, PLAN, created_at=NOW, source=["honest.ndjson"], libraries={"numpy": np.__version__})
    folder = tmp_path_factory.mktemp("registry")
    Registry(folder).add(new.manifest, new.arrays, new.card)
    return folder


@pytest.fixture(scope="module")
def models(root: Path) -> dict[str, Model]:
    [version] = Registry(root).versions()
    return load(root / version).models


@pytest.fixture(scope="module")
def story() -> list[Event | Reference]:
    """Another city, with frauds in it, known long enough for days of one's own."""
    return city(4, 450, 37, ("all",))


# scored as scikit-learn scores


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(5, 16, 3), (20, 64, 7), (10, 300, 2)]),
    st.sampled_from([np.float64, np.float32]),
)
def test_the_flat_forest_says_what_scikit_learn_says(seed: int, shape: tuple[int, int, int], kind: type) -> None:
    from sklearn.ensemble import IsolationForest

    trees, samples, columns = shape
    dice = np.random.default_rng(seed)
    values = np.round(dice.gamma(1.0, 2.0, size=(400, columns)), 1).astype(kind)
    forest = IsolationForest(n_estimators=trees, max_samples=samples, random_state=seed % 1000).fit(values)
    on_thresholds = np.array([[t.tree_.threshold[0]] * columns for t in forest.estimators_], dtype=kind)
    far = np.full((1, columns), 1e30, dtype=kind)
    asked = np.concatenate([values[:100], on_thresholds, far, -far])
    flat = flattened(forest)
    assert np.array_equal(flat.score(asked), -forest.score_samples(asked))
    assert np.allclose([flat.score(row[None, :])[0] for row in asked[:5]], flat.score(asked[:5]), rtol=0, atol=0)


def test_surprise_is_minus_log_of_the_share_that_reaches_a_value() -> None:
    values = np.arange(1_000, dtype=np.float64)[:, None]
    surprise = Surprise.of(values)
    assert surprise(np.array([[0.0]]))[0, 0] == 0
    assert surprise(np.array([[500.0]]))[0, 0] == pytest.approx(np.log(2), abs=0.02)
    assert surprise(np.array([[990.0]]))[0, 0] == pytest.approx(np.log(100), abs=0.2)
    beyond = surprise(np.array([[1_000.0], [1_010.0], [1e9]]))[:, 0]
    assert list(beyond) == sorted(beyond)
    assert beyond[-1] == 40


def test_distance_is_in_units_of_how_values_vary_together() -> None:
    dice = np.random.default_rng(1)
    values = dice.normal(size=(5_000, 2)) * [1.0, 10.0]
    distance = Distance.of(values)
    near, far = distance(np.array([[0.0, 20.0], [4.0, 0.0]]))
    assert near < far


TWO = (Feature("share", "", "", "share", "share"), Feature("gap", "", "", "min", direction=-1))
USUAL = {"": Peers(*(np.array(one) for one in ([-4.0, 3.0], [0.15, 0.15], [0.0, 60.0])))}


def test_what_is_told_as_no_stranger_than_usual_is_not_strange() -> None:
    """0 % of three bills is scaled higher than 0 % of a hundred: nobody would call it more."""
    few = measures(TWO, [Counted(0, 3), 60.0])
    assert few.scaled[0] > USUAL[""].center[0] + 3 * USUAL[""].spread[0]
    assert not columns(TWO, few, (), ("",), USUAL).values.any()
    some = columns(TWO, measures(TWO, [Counted(2, 3), 5.0]), [few] * 28, ("",), USUAL).values
    assert (some > 3).all()


def test_ones_own_days_count_as_much_as_peers_and_who_has_none_is_compared_with_peers_twice() -> None:
    day = measures(TWO, [Counted(9, 10), 5.0])
    alone = columns(TWO, day, (), ("",), USUAL)
    assert (alone.values > 3).all()
    assert alone.own is None
    always_so = columns(TWO, day, [day] * 28, ("",), USUAL)
    assert always_so.values == pytest.approx(alone.values / 2)
    like_peers = measures(TWO, [Counted(0, 1000), 60.0])
    for_once = columns(TWO, day, [like_peers] * 28, ("",), USUAL)
    assert (for_once.values > always_so.values).all()


def test_being_known_for_long_makes_a_day_no_stranger() -> None:
    """Few persons have days of their own: a column for them alone made whatever was a little above it rare."""
    dice = np.random.default_rng(5)

    def day() -> Measures:
        return measures(PERSON, np.exp(dice.normal(size=len(PERSON))).tolist())

    monday = date(2026, 3, 2)
    start = datetime.combine(monday, datetime.min.time(), CHINA)
    days = {
        (f"p{n:03}", monday): Watched(start, (), day(), [day() for _ in range(30)] if n < 60 else (), ("",))
        for n in range(600)
    }
    model = learn("person", days, PLAN, "").model
    _, _, seen = rank_of(model, days)
    strange = model.surprises(np.stack([one.values for one in seen])).mean(axis=1)
    assert np.median(strange[:60]) < np.median(strange[60:]) + 0.25


def test_evidence_fades_and_an_ordinary_day_is_none() -> None:
    assert evidence([2.9] * 7) == 0
    assert evidence([6.0, 0.0, 0.0]) < evidence([0.0, 0.0, 6.0]) < evidence([6.0] * 7)


def test_thresholds_far_out_are_quieter_than_the_highest_days_alone() -> None:
    totals = np.random.default_rng(2).exponential(size=2_000)
    assert reached_by(totals, 100) == pytest.approx(np.quantile(totals, 0.95), abs=0.05)
    assert reached_by(totals, 0.1) > reached_by(totals, 2) > reached_by(totals, 100)


# judged like all else


def leads_by(book: Rules, arrivals: Sequence[Event | Reference], size: int) -> set[str]:
    return said(replay(batches(arrivals, size), book, on_crash=rising))


def learned_rules(models: dict[str, Model], detectors: Sequence[Detector] = ()) -> Rulebook:
    return with_models(rulebook((*detectors, *LEARNED)), [InForce(ALWAYS, models)])


@pytest.fixture(scope="module")
def quiet(models: dict[str, Model]) -> dict[str, Model]:
    """The same with lower thresholds: so that there is much to compare."""
    return {name: changed(m, thresholds={Level.BLUE: 2.0, Level.YELLOW: 4.0}) for name, m in models.items()}


@pytest.fixture(scope="module")
def standing(quiet: dict[str, Model], story: list[Event | Reference]) -> Standing:
    return replay(batches(story, 20_000), learned_rules(quiet), on_crash=rising)


@pytest.fixture(scope="module")
def in_order(standing: Standing) -> set[str]:
    return said(standing)


def test_there_are_leads_of_both_kinds(in_order: set[str]) -> None:
    assert sum("anomaly_person" in lead for lead in in_order) > 20
    assert sum("anomaly_pharmacy" in lead for lead in in_order) > 20


def test_order_repetition_and_lateness_do_not_matter(
    quiet: dict[str, Model], story: list[Event | Reference], in_order: set[str]
) -> None:
    """Everything comes up to six days late, in any order, some of it twice, in batches of 700."""
    rng = Random(7)
    records = [row for row in story if isinstance(row, Record)]
    events = [row for row in story if not isinstance(row, Record)]
    late = {id(row): row.happened_at + rng.random() ** 3 * 6 * DAY for row in events}
    arrivals = sorted([*events, *rng.sample(events, len(events) // 20)], key=lambda row: late[id(row)])
    rng.shuffle(records)
    half = len(records) // 2
    mixed = [*records[:half], *arrivals[: len(arrivals) // 2], *records[half:], *arrivals[len(arrivals) // 2 :]]
    people = [row for row in mixed if not isinstance(row, Record) or hasattr(row, "person")]
    others = [row for row in records if not hasattr(row, "person")]  # those that come late ask the archive
    assert leads_by(learned_rules(quiet), [*others, *people], 700) == in_order


def test_a_day_is_judged_24_hours_after_its_end(standing: Standing, story: list[Event | Reference]) -> None:
    events = [row for row in story if not isinstance(row, Record)]
    last = max(row.happened_at for row in events)
    days = {date.fromisoformat(unit.cell) for unit in standing}
    assert max(days) < (last - DAY).date()
    assert max(days) >= (last - 4 * DAY).date()


def test_without_a_model_nothing_is_added_and_with_one_no_other_lead_changes(
    quiet: dict[str, Model], story: list[Event | Reference]
) -> None:
    some = [d for d in DETECTORS if d.id in {"multi_org_burst", "card_batch_swipe", "drug_overstock"}]
    alone = leads_by(some, story, 20_000)
    assert alone
    assert leads_by(with_models(rulebook((*some, *LEARNED)), []), story, 20_000) == alone
    beside = leads_by(learned_rules(quiet, some), story, 20_000)
    assert {lead for lead in beside if "detector='anomaly_" not in lead} == alone


def test_a_lead_explains_itself(quiet: dict[str, Model], standing: Standing) -> None:
    leads: list[Lead] = [lead for found in standing.values() for lead in found]
    for lead in leads:
        assert lead.summary_zh.startswith("模型提示，不作为认定依据")
        assert lead.model_version == next(iter(quiet.values())).version
        assert lead.level in (Level.BLUE, Level.YELLOW)
        assert 1 <= len(lead.explanation) <= 5
        shares = [reason.share for reason in lead.explanation]
        assert shares == sorted(shares, reverse=True)
        assert 0 < sum(shares) <= 1.001
        assert lead.checks
        assert lead.law.article
    assert any(reason.own is not None for lead in leads for reason in lead.explanation)


def test_each_day_is_judged_by_the_model_in_force_then(quiet: dict[str, Model], story: list[Event | Reference]) -> None:
    events = [row for row in story if not isinstance(row, Record)]
    middle = datetime.combine(
        events[len(events) // 2].happened_at.date(), datetime.min.time(), events[0].happened_at.tzinfo
    )
    other = {name: changed(model, version="2026-01-01-00000000") for name, model in quiet.items()}
    book = with_models(rulebook(LEARNED), [InForce(ALWAYS, quiet), InForce(middle, other)])
    standing = replay([story], book, on_crash=rising)
    spoke = {(lead.period.since >= middle, lead.model_version) for leads in standing.values() for lead in leads}
    assert spoke == {(False, quiet["person"].version), (True, "2026-01-01-00000000")}


def test_a_candidate_makes_of_a_day_what_it_would_make_of_it_alone(
    quiet: dict[str, Model], story: list[Event | Reference]
) -> None:
    other = load(DEMO_MODEL).models
    beside: set[tuple[str, float]] = set()
    alone: set[tuple[str, float]] = set()
    hearing = with_models(
        rulebook(LEARNED), [InForce(ALWAYS, quiet)], lambda day: beside.add((day.entity, day.by(other[day.entity])))
    )
    replay([story], hearing, on_crash=rising)
    by_itself = with_models(rulebook(LEARNED), [InForce(ALWAYS, other)], lambda day: alone.add((day.entity, day.total)))
    replay([story], by_itself, on_crash=rising)
    assert sum(total > 0 for _, total in alone) > 100
    assert beside == alone


# the registry


@pytest.fixture
def shelf(root: Path, tmp_path: Path) -> Registry:
    shutil.copytree(root, tmp_path / "registry")
    return Registry(tmp_path / "registry")


def test_the_same_days_make_the_same_model(learned: dict[str, Learned], root: Path) -> None:
    new = made(learned, PLAN, created_at=NOW, source=["honest.ndjson"], libraries={"numpy": np.__version__})
    assert Registry(root).versions() == [new.manifest.version]


def test_a_version_has_a_card_for_people(shelf: Registry) -> None:
    [version] = shelf.versions()
    card = (shelf.root / version / CARD).read_text()
    assert version in card
    assert "模型提示，不作为认定依据" in card
    assert "近30天结算次数" in card


def altered(folder: Path, change) -> None:
    manifest = json.loads((folder / MANIFEST).read_text())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest))


FAULTS = {
    "a lower threshold": (lambda m: m["parts"]["person"]["thresholds"].update(blue=0.1), "altered"),
    "another program's": (lambda m: m.update(kind="something-else"), "fundwatch-model 1 is expected"),
    "other features": (lambda m: m["parts"]["person"].update(features="0" * 16), "altered"),
    "no digest": (lambda m: m.pop("sha256"), "not the manifest"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=str)
def test_a_manifest_that_is_not_what_was_trained_is_refused_with_the_reason(shelf: Registry, fault: str) -> None:
    change, why = FAULTS[fault]
    [version] = shelf.versions()
    altered(shelf.root / version, change)
    with pytest.raises(ModelError, match=why):
        shelf.promote(version, ALWAYS, NOW)
    assert shelf.promotions() == []


def test_arrays_that_were_altered_or_hold_objects_are_refused(shelf: Registry) -> None:
    [version] = shelf.versions()
    file = shelf.root / version / "model.npz"
    raw = bytearray(file.read_bytes())
    raw[len(raw) // 2] ^= 1
    file.write_bytes(raw)
    with pytest.raises(ModelError, match="digest"):
        load(shelf.root / version)


def test_a_model_for_features_that_are_measured_otherwise_now_is_refused(
    shelf: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    [version] = shelf.versions()
    monkeypatch.setattr("models.feature.MEASURED", 0)
    with pytest.raises(ModelError, match="other features"):
        load(shelf.root / version)


def test_promotion_holds_from_a_business_day_on_and_rollback_never_changes_the_past(
    shelf: Registry, learned: dict[str, Learned]
) -> None:
    new = made(learned, PLAN, created_at=NOW + DAY, source=["other"], libraries={})
    shelf.add(new.manifest, new.arrays, new.card)
    [first] = [version for version in shelf.versions() if version != new.manifest.version]
    shelf.promote(first, ALWAYS, NOW)
    shelf.promote(new.manifest.version, NOW, NOW)
    shelf.rollback(NOW + 3 * DAY, NOW)
    assert [(p.version, p.since) for p in shelf.promotions()] == [
        (first, ALWAYS),
        (new.manifest.version, NOW),
        (first, NOW + 3 * DAY),
    ]
    assert [one.models["person"].version for one in in_force(shelf.root)] == [first, new.manifest.version, first]
    with pytest.raises(ModelError, match="already"):
        shelf.promote(first, NOW + 4 * DAY, NOW)


def test_one_promoted_version_cannot_be_rolled_back(shelf: Registry) -> None:
    [version] = shelf.versions()
    shelf.promote(version, ALWAYS, NOW)
    with pytest.raises(ModelError, match="only one"):
        shelf.rollback(NOW, NOW)


# drift


def test_days_like_those_of_training_have_not_drifted_and_others_have() -> None:
    dice = np.random.default_rng(5)
    usual = Usual.of(dice.gamma(2.0, size=(5_000, 2)))
    later = dice.gamma(2.0, size=(5_000, 2)) * [1.0, 1.5]
    found = {one.name: one for one in drifts(usual, later, ["same", "more"])}
    assert found["same"].state == "ok"
    assert found["more"].state == "act"
