"""The leads that stand are a function of the set of events, and of nothing else."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.case import at, reversal, settlement
from detectors.event import Record, Settlement
from detectors.file import Home
from detectors.ledger import PERSON
from detectors.unit import Day
from replay.run import replay
from tests.world import DETECTORS, Mirror, batches, rising, said, without_gate, world, worlds

rngs = st.randoms(use_true_random=False)


def judged(arrivals, size, detectors=DETECTORS) -> set[str]:
    return said(replay(batches(arrivals, size), detectors, on_crash=rising))


def test_the_worlds_are_worth_judging() -> None:
    found = [lead for seed in range(100) for lead in judged(world(seed, 24), 24)]
    for detector in DETECTORS:
        assert sum(f"detector='{detector.id}'" in lead for lead in found) > 20, detector.id


@given(worlds, rngs, st.integers(1, 15))
def test_order_repetition_and_batches_do_not_matter(events, rng, size) -> None:
    arrivals = [*events, *events[:3]]
    rng.shuffle(arrivals)
    assert judged(arrivals, size) == judged(events, 99)


@given(worlds, rngs, st.integers(1, 15))
def test_gates_save_work_and_nothing_else(events, rng, size) -> None:
    rng.shuffle(events)
    always = [without_gate(detector) for detector in DETECTORS]
    assert versionless(judged(events, size)) == versionless(judged(events, size, always))


def versionless(found: set[str]) -> set[str]:
    """A gate is part of a detector's version; here only what is said matters."""
    return {re.sub(r"rule_version='[^']*'", "", lead) for lead in found}


@given(worlds)
def test_what_has_fallen_never_rises(events) -> None:
    home, known = Home(), []
    fallen: set[str] = set()
    for event in (e for e in events if not isinstance(e, Record) and getattr(e, "person", "") == "P"):
        home.add(event)
        known.append(event)
        assert not fallen & {repr(row) for rows in home.kinds.values() for row in rows}
        fallen |= {repr(news.event) for copy in known for news in home.news(copy) if not news.lines}


def test_a_kind_that_was_not_declared_is_not_shown() -> None:
    class Curious(Mirror):
        def judge(self, unit):
            return unit.rows(Settlement)

    curious = Curious(id="curious", of=PERSON, reads=frozenset(), cell=Day())
    object.__setattr__(curious, "reads", frozenset({type(reversal("04 09:00", settlement("04 08:00")))}))
    with pytest.raises(LookupError):
        judged([reversal("04 09:00", settlement("04 08:00"))], 1, [curious])


def test_a_detector_that_raises_is_named_and_silences_nobody_else() -> None:
    class Broken(Mirror):
        def judge(self, unit):
            raise ZeroDivisionError

    crashes = set()
    broken = Broken(id="broken", of=PERSON, reads=frozenset({Settlement}), cell=Day())
    standing = replay(
        [[settlement("04 08:00")]], [broken, DETECTORS[0]], on_crash=lambda unit, _: crashes.add(unit.detector)
    )
    assert crashes == {"broken"}
    assert len(standing) == 1


def test_of_two_copies_the_one_received_first_counts_whatever_came_first() -> None:
    early = settlement("04 08:00", received_at=at("04 08:01"), device="1")
    late = settlement("04 08:00", received_at=at("04 08:02"), device="2")
    tills = Mirror(id="till", of=DETECTORS[2].of, reads=frozenset({Settlement}), cell=Day())
    for story in ([early, late], [late, early]):
        found = replay(batches(story, 1), [tills], on_crash=rising)
        assert [unit.key for unit in found] == ["A/1"]
