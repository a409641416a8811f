"""The loop back: what came of each detector's leads, in shares with intervals and in money."""

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner

from alerts.alert import alert_id
from alerts.casework import move
from alerts.keeper import keep
from alerts.life import Asked, Kind, Measure, Name, Reason
from alerts.outcomes import Outcome, in_words, outcomes, wilson
from alerts.store import Store
from detectors.finding import Lead
from stream_app.cli import front
from tests.browser.leads import verdicts
from tests.leads import NOON, lead
from tests.test_casework import PEOPLE, record, who

CONFIRMED, UNFOUNDED, POLICY, TWICE, RUNNING, UNTOUCHED = (lead(f"P33010210007/T{n}", amount=1_000) for n in range(6))


@pytest.fixture
def worked(store: Store) -> Store:
    """Six leads of one detector, in every stage that counts, and one of another detector."""
    other = lead("P33010210007/T1", detector="stolen_card_cashout")
    keep(store, list(verdicts([CONFIRMED, UNFOUNDED, POLICY, TWICE, RUNNING, UNTOUCHED, other])), NOON)
    for name, role in PEOPLE.items():
        record(store, name, role)
    check(store, CONFIRMED)
    step(store, CONFIRMED, 5, "fang", Name.CONFIRM, Asked(note="x", amount_fen=900))
    measures = (Measure(kind=Kind.REFUSE, amount_fen=700), Measure(kind=Kind.FINE, amount_fen=1_800))
    step(store, CONFIRMED, 6, "fang", Name.DISPOSE, Asked(measures=measures))
    check(store, UNFOUNDED)
    step(store, UNFOUNDED, 5, "fang", Name.UNFOUND, Asked(note="x"))
    step(store, POLICY, 0, "chen", Name.DISMISS, Asked(reason=Reason.EXCLUSION, exclusion="X10"))
    step(store, TWICE, 0, "chen", Name.DISMISS, Asked(reason=Reason.DUPLICATE, note="见另一条"))
    step(store, RUNNING, 0, "chen", Name.SCREEN, Asked())
    return store


def step(store: Store, of: Lead, version: int, name: str, what: Name, asked: Asked) -> None:
    move(store, who(store, name), alert_id(of), version, what, asked, NOON)


def check(store: Store, of: Lead) -> None:
    step(store, of, 0, "chen", Name.SCREEN, Asked())
    step(store, of, 1, "fang", Name.DISPATCH, Asked(note="x", officers=("gao", "hou")))
    step(store, of, 2, "gao", Name.VERIFY, Asked())
    step(store, of, 3, "gao", Name.REPORT, Asked(note="x", amount_fen=950))
    step(store, of, 4, "gao", Name.SUBMIT, Asked())


def test_each_detector_has_its_shares_reasons_and_money(worked: Store) -> None:
    (one,) = outcomes(worked).detectors
    assert (one.detector, one.confirmed, one.unfounded, one.dismissed, one.open) == ("card_batch_swipe", 1, 1, 2, 1)
    assert (one.confirmed_share, one.unfounded_share) == (wilson(1, 3), wilson(2, 3))
    assert one.reasons == {"X10": 1, "duplicate": 1}
    assert (one.at_stake_fen, one.found_fen, one.recovered_fen, one.penalty_fen) == (1_000, 900, 700, 1_800)


def test_outcomes_of_another_area_detector_or_time_are_not_counted(worked: Store) -> None:
    assert outcomes(worked, areas=("440300",)).detectors == ()
    assert outcomes(worked, areas=("330100",)) == outcomes(worked) == outcomes(worked, detector="card_batch_swipe")
    assert outcomes(worked, detector="stolen_card_cashout").detectors == ()
    assert outcomes(worked, since=NOON + timedelta(days=1)).detectors == ()


def test_the_interval_is_wilsons() -> None:
    half = wilson(5, 10)
    assert (half.share, half.low, half.high) == (0.5, pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))
    assert wilson(0, 4).low == 0
    assert wilson(4, 4).high == pytest.approx(1)
    assert wilson(0, 0).share is None


def test_score_tells_the_outcomes_of_a_store(worked: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNDWATCH_STORE__URL", url)
    told = CliRunner().invoke(front, ["score", "--outcomes", "--json"])
    assert told.exit_code == 0, told.output
    (one,) = msgspec.json.decode(told.stdout, type=dict[str, list[Outcome]])["detectors"]
    assert one.recovered_fen == 700
    said = CliRunner().invoke(front, ["score", "--outcomes"]).stdout
    assert said.strip() == in_words(outcomes(worked))
    assert "7.00" in said


def test_score_takes_files_or_outcomes(tmp_path: Path) -> None:
    assert CliRunner().invoke(front, ["score"]).exit_code == 2
    there = tmp_path / "a.ndjson"
    there.touch()
    assert CliRunner().invoke(front, ["score", "--outcomes", str(there), str(there)]).exit_code == 2
