"""Every detector keeps the promises written beside it, in whatever order events arrive."""

from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.case import Case
from replay.run import replay
from tests.world import batches, leads, rising

ROOT = Path(__file__).parent.parent
CASES = [
    case
    for path in sorted(ROOT.glob("detectors/*/*_cases.py"))
    for case in import_module(f"detectors.{path.parent.name}.{path.stem}").CASES
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.detector.id}: {c.name}")


def told(case: Case, arrivals, size: int) -> set[str]:
    return leads(replay([list(case.known), *batches(arrivals, size)], [case.detector], on_crash=rising))


@every_case
def test_case(case: Case) -> None:
    assert told(case, case.story, 1) == set(case.fires)


@every_case
def test_exclusions_that_decided_are_shown(case: Case) -> None:
    found = replay([[*case.known, *case.story]], [case.detector], on_crash=rising)
    shown = {f"{x.code} {x.result}" for leads in found.values() for lead in leads for x in lead.exclusions}
    assert set(case.excluded) <= shown


@every_case
def test_order_repetition_and_batches_do_not_matter(case: Case) -> None:
    @given(st.permutations([*case.story, *case.story[:2]]), st.integers(1, len(case.story) or 1))
    def check(arrivals, size) -> None:
        assert told(case, arrivals, size) == set(case.fires)

    check()


@every_case
def test_reference_records_may_come_last(case: Case) -> None:
    """A person's own record judges his units again; other kinds are told first, as `send` sees to."""
    own = [record for record in case.known if type(record).__name__ == "PersonRecord"]
    others = [record for record in case.known if record not in own]
    found = leads(replay([others, list(case.story), own], [case.detector], on_crash=rising))
    assert found == set(case.fires)
