"""Why a detector did not speak: what was missing, told against the limits in force, and what explained it away."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result
from redis import Redis

from detectors.case import Case, at, reversal, sale
from detectors.catalogue import DETECTORS
from detectors.detector import Detector
from detectors.easing import Ease, in_force, least, plain, remembering, single
from detectors.event import Fen, Record
from detectors.finding import Subject
from detectors.hospital.batch_admission_cases import CASES as BATCHES
from detectors.hospital.ghost_bed_absence import GhostBedAbsence
from detectors.hospital.ghost_bed_absence_cases import CASES as BEDS
from detectors.judge import Judge
from detectors.ledger import LEDGERS
from detectors.nearness import Explained, NearMiss, files_of, name_of, near_misses
from detectors.person.drug_overstock_cases import CASES as SUPPLIES
from detectors.person.geo_time_conflict import GeoTimeConflict
from detectors.person.geo_time_conflict_cases import CASES as JOURNEYS
from detectors.person.inpatient_concurrent_claim_cases import CASES as STAYS
from detectors.person.readmission_split import ReadmissionSplit
from detectors.person.readmission_split_cases import CASES as READMISSIONS
from detectors.pharmacy.card_batch_swipe import CardBatchSwipe
from detectors.pharmacy.card_batch_swipe_cases import CASES as TILLS
from detectors.pharmacy.card_batch_swipe_cases import queue
from detectors.pharmacy.trace_code_repeat_cases import CASES as CODES
from detectors.rules import Rules, Source, rulebook
from detectors.unit import DAY, HOUR, SECOND
from detectors.wire import canonical
from replay.recorded import Recorded
from replay.run import replay
from stream_app.commands.explain import explain
from stream_app.memory import Memory
from tests.live.servers import fresh_prefix
from tests.world import leads, rising

TILL = Subject("till", "A/1")
P = Subject("person", "P")


def told(*rows: Any) -> Recorded:
    """A memory in which this has happened, and was not judged."""
    memory = Recorded()
    judge = Judge(memory=memory, detectors=(), publish=lambda verdicts: None, on_crash=rising)
    judge.learn([row for row in rows if isinstance(row, Record)])
    judge.hear([row for row in rows if not isinstance(row, Record)])
    return memory


def explained(memory: Recorded, subject: Subject, rules: Rules, **options: Any) -> list[Explained]:
    places = [place for pattern in files_of(subject) for place in memory.files(pattern)]
    return near_misses(subject, places, memory.view, rulebook(rules), fallen=memory.fallen, **options)


def of_case(cases: Sequence[Case], name: str) -> Explained:
    """What is told of whom a case is about."""
    case = next(case for case in cases if case.name == name)
    memory = told(*case.known, *case.story)
    subjects = {
        "card_batch_swipe": TILL,
        "ghost_bed_absence": Subject("stay", "stay of P"),
        "batch_admission": Subject("org", "H"),
    }
    [one] = explained(memory, subjects.get(case.detector.id, P), [case.detector])
    return one


def only(misses: Sequence[NearMiss]) -> NearMiss:
    [miss] = misses
    return miss


def figure(miss: NearMiss, name: str) -> tuple[object, object]:
    return next((one.observed, one.threshold) for one in miss.figures if one.name == name)


# what was missing


@pytest.mark.parametrize(
    ("cases", "name", "threshold", "in_force", "would_do"),
    [
        (TILLS, "seven pass", "persons", 8, 7),
        (TILLS, "a second slower they pass", "median_gap", "1m", "61s"),
        (TILLS, "four of seven are not", "similarity", 0.6, 0.571),
        (TILLS, "five of ten pass", "origin", 0.6, 0.5),
        (READMISSIONS, "twenty-nine days at home", "within", 28, 29),
        (STAYS, "four hours after admission it passes", "margin", "4h", "14399s"),
        (BEDS, "missing once", "rounds", 2, 1),
        (BEDS, "a minute less than two hours", "night_absence", "2h", "119m"),
        (BEDS, "only one other patient was checked (X19)", "others", 2, 1),
    ],
)
def test_the_limit_that_was_missed_is_told_and_how_little_would_have_done(
    cases: Sequence[Case], name: str, threshold: str, in_force: object, would_do: object
) -> None:
    nearest = only(of_case(cases, name).near_misses).ways[0]
    assert [(one.threshold, one.in_force, one.would_do) for one in nearest.thresholds] == [
        (threshold, in_force, would_do)
    ]


def test_figures_are_told_against_the_limits_in_force_not_the_easier_ones() -> None:
    seven = only(of_case(TILLS, "seven pass").near_misses)
    assert (figure(seven, "persons"), figure(seven, "median_gap")) == ((7, 8), (40.0, 60.0))
    slow = only(of_case(TILLS, "a second slower they pass").near_misses)
    assert figure(slow, "median_gap") == (61.0, 60.0)
    journey = only(of_case(JOURNEYS, "forty kilometres in half an hour pass").near_misses)
    assert (figure(journey, "speed"), figure(journey, "minutes_between")) == ((80, 100.0), (30.0, 24.0))
    assert msgspec.json.decode(msgspec.json.encode(journey), type=NearMiss) == journey


def test_the_limits_in_force_are_those_of_the_rules() -> None:
    stricter = rulebook([CardBatchSwipe()], Source("", "[card_batch_swipe]\npersons = 10"))
    [one] = explained(told(*queue("04 09:00", "XXXXXXXX")), TILL, stricter)
    assert figure(only(one.near_misses), "persons") == (8, 10)
    assert one.rule_version == stricter.of("card_batch_swipe")[0].version


def test_where_one_limit_is_not_enough_two_are_tried() -> None:
    slow_six = queue("04 09:00", "XXXXXX", gap=70)
    [one] = explained(told(*slow_six), TILL, [CardBatchSwipe()])
    ways = [{change.threshold for change in way.thresholds} for way in only(one.near_misses).ways]
    assert {"persons", "median_gap"} in ways
    [quick] = explained(told(*slow_six), TILL, [CardBatchSwipe()], thorough=False)
    assert quick.near_misses == ()


def test_what_is_far_from_every_limit_is_not_near() -> None:
    [one] = explained(told(*queue("04 09:00", "AB", gap=300)), TILL, [CardBatchSwipe()])
    assert (one.leads, one.near_misses) == ((), ())
    assert (one.rows, one.since, one.to) == ({"setl": 2}, at("04 09:00"), at("04 09:05"))


def test_what_was_said_is_told_with_its_figures_and_is_no_near_miss() -> None:
    [one] = explained(told(*queue("04 09:00", "XXXXXXXX")), TILL, [CardBatchSwipe()])
    [lead] = one.leads
    assert (lead.level, lead.period.name, lead.events) == ("orange", "2024-03-04", tuple("12345678"))
    assert one.near_misses == ()


def test_when_it_will_look_again_is_told() -> None:
    one = of_case(BEDS, "a minute before it is due")
    assert one.looks_again is not None
    assert one.looks_again > at("05 09:00")


# what explained it away


@pytest.mark.parametrize(
    ("cases", "name", "code", "rests_on"),
    [
        (TILLS, "scenario 13: one bill taken back leaves seven (X01)", "X01", "setl"),
        (JOURNEYS, "scenario 13: a bill taken back withdraws it (X01)", "X01", "setl_rev"),
        (STAYS, "a stay that never was withdraws it", "X01", "adm_rev"),
        (JOURNEYS, "a daughter who shows her papers passes (X02)", "X02", "setl B08:10"),
        (READMISSIONS, "transferred, and sent back (X08)", "X08", "dscg out"),
        (JOURNEYS, "scenario 16: a bill typed in after a cut passes (X16)", "X16", "setl B08:10"),
        (BEDS, "on leave by the record, looked for all the same (X19)", "X19", "leave"),
        (BEDS, "no answer twice, and nobody else was asked (X19)", "X19", "presence timeout"),
        (JOURNEYS, "goods by mail pass (X21)", "X21", "ref.org B"),
        (SUPPLIES, "99 days for a registered disease pass (X06)", "X06", "setl"),
        (BATCHES, "an outbreak that the hospital reported (X10)", "X10", "ref.calendar"),
    ],
)
def test_an_honest_explanation_that_silenced_it_is_named_with_what_it_rests_on(
    cases: Sequence[Case], name: str, code: str, rests_on: str
) -> None:
    excused = only(of_case(cases, name).near_misses).ways[0].excused
    assert excused is not None
    assert excused.code == code
    assert any(fact.startswith(rests_on) for fact in excused.facts)


def test_every_kind_of_explanation_that_a_case_names_is_found_somewhere() -> None:
    """Not for each case: some need two explanations, some rest on a limit."""
    named = ("X01", "X02", "X09", "X10", "X13", "X14", "X16", "X19", "X20", "X21")
    found = {
        way.excused.code
        for cases in (TILLS, JOURNEYS, STAYS, BEDS, CODES)
        for case in cases
        if not case.fires
        for one in everything(case)
        for miss in one.near_misses
        for way in miss.ways
        if way.excused
    }
    assert [code for code in named if code not in found] == []


def test_a_list_of_exemptions_that_silenced_it_is_named() -> None:
    nearest = only(of_case(READMISSIONS, "scenario 15: chemotherapy every fourteen days (X08)").near_misses).ways[0]
    assert [(one.threshold, one.would_do) for one in nearest.thresholds] == [("planned_diagnoses", [])]
    ward = only(of_case(BEDS, "intensive care (X19)").near_misses).ways[0]
    assert [one.threshold for one in ward.thresholds] == ["exempt_wards"]


# every detector


WHOSE = {"person": "person", "till": "till", "visit": "stay", "code": "trace_code", "ward": "area", "stock": "drug"}


def everything(case: Case, **options: Any) -> Iterator[Explained]:
    """What is told of all that a case has a file of in the detector's ledger."""
    memory = told(*case.known, *case.story)
    kind = WHOSE.get(case.detector.of.name, "org")
    for key in list(memory._files[case.detector.of.name]):
        place = (case.detector.of.name, key)
        yield from near_misses(
            Subject(kind, key), [place], memory.view, rulebook([case.detector]), fallen=memory.fallen, **options
        )


def cases_of(detector: Detector) -> list[Case]:
    cases = import_module(f"{type(detector).__module__}_cases").CASES
    return [case for case in cases if case.detector.id == detector.id]


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.id)
def test_every_detector_can_be_asked_and_says_what_it_says_in_a_replay(detector: Detector) -> None:
    for case in cases_of(detector):
        said = leads(replay([[*case.known, *case.story]], [case.detector], on_crash=rising))
        again = {
            f"{lead.level} {lead.subject.kind} {lead.subject.id} {lead.period.name}: {' '.join(lead.events)}"
            for one in everything(case, thorough=False)
            for lead in one.leads
        }
        assert again <= said
        about = {lead.split(" ")[1] for lead in said}
        # what others are about, no file is theirs alone; nor is a stay's the person's
        if about <= {"person", "till", "stay", "trace_code"} & {WHOSE.get(detector.of.name)}:
            assert again == said


def test_only_known_files_are_looked_into() -> None:
    ledgers = {ledger.name for ledger in LEDGERS}
    for kind in ("person", "till", "stay", "trace_code", "drug", "area", "org", "rx"):
        places = [*files_of(Subject(kind, "A")), *files_of(Subject(kind, "A/B"))]
        assert places
        assert {ledger for ledger, _ in places} <= ledgers
    assert files_of(Subject("group", "g")) == []
    assert files_of(Subject("till", "of one part")) == []


# the arithmetic


def test_eased_numbers_compare_as_eased_and_remember_what_is_in_force() -> None:
    gap = remembering(120 * SECOND, 60 * SECOND)
    assert gap == 120 * SECOND
    assert in_force(gap / SECOND) == 60.0
    assert in_force(round(gap / HOUR, 1)) == 0.0
    assert in_force(1 - remembering(0.3, 0.6)) == pytest.approx(0.4)
    assert in_force(2 * remembering(4, 8) // 3) == 5
    assert at("04 09:00") + gap == at("04 09:02")
    money = remembering(Fen(50_000), Fen(100_000)) / 100
    assert (plain(money), in_force(money)) == (500.0, 1000.0)
    assert in_force(remembering(((200, 50.0),), ((200, 100.0),))[0][1]) == 100.0
    assert (in_force(7), plain(7)) == (7, 7)


def test_every_number_is_tried_both_ways_and_every_list_empty() -> None:
    tried = [next(iter(ease.values.items())) for ease in single(ReadmissionSplit())]
    assert [value for name, value in tried if name == "within"] == [14, 56]
    assert [value for name, value in tried if name == "planned_med_types"] == [()]
    beds = [next(iter(ease.values.items())) for ease in single(GhostBedAbsence())]
    assert [value for name, value in beds if name == "rounds"] == [1, 4]
    assert [value for name, value in beds if name == "unchecked"] == [12 * HOUR, 2 * DAY]
    tables = [value for ease in single(GeoTimeConflict()) for name, value in ease.values.items() if name == "speeds"]
    assert [table[0] for table in tables] == [(200, 50.0)]


@pytest.mark.parametrize(("edge", "found"), [(61.0, 61.0), (61.5, 62.0), (119.99, 120.0)])
def test_the_least_that_does_is_found_to_the_second(edge: float, found: float) -> None:
    detector = CardBatchSwipe()
    ease = least(
        Ease({"median_gap": 120 * SECOND}), detector, lambda ease: ease.values["median_gap"] >= timedelta(seconds=edge)
    )
    assert ease.values["median_gap"] == timedelta(seconds=found)
    assert ease.by == pytest.approx(found / 60 - 1)


# the command

SHOP = "P33010100001"


def story() -> list[Any]:
    """Eight like bills, of which one was taken back."""
    eight = [msgspec.structs.replace(bill, org=SHOP) for bill in queue("04 09:00", "XXXXXXXX")]
    return [*eight, reversal("04 10:00", eight[0])]


def ask(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(explain, list(arguments), env=environment)


@pytest.fixture
def recording(tmp_path: Path) -> str:
    path = tmp_path / "events.ndjson"
    path.write_bytes(b"".join(canonical(event) + b"\n" for event in story()))
    return str(path)


@pytest.fixture
def live(redis_server: str) -> Iterator[dict[str, str]]:
    """The environment of a live memory in which the same has happened."""
    prefix = fresh_prefix()
    with closing(Redis.from_url(redis_server)) as redis:
        memory = Memory(redis, prefix=f"{{{prefix}}}")
        Judge(memory=memory, detectors=(), publish=lambda verdicts: None, on_crash=rising).hear(story())
        yield {"FUNDWATCH_REDIS__URL": redis_server, "FUNDWATCH_REDIS__PREFIX": prefix}


def test_the_live_memory_explains_what_a_recording_explains_and_is_left_as_it_is(
    live: dict[str, str], recording: str
) -> None:
    with closing(Redis.from_url(live["FUNDWATCH_REDIS__URL"])) as redis:
        before = redis.get(f"{{{live['FUNDWATCH_REDIS__PREFIX']}}}:ticket")
        asked = ask(f"till:{SHOP}/1", "--json", **live)
        assert redis.get(f"{{{live['FUNDWATCH_REDIS__PREFIX']}}}:ticket") == before
    assert asked.exit_code == 0, asked.output
    assert json.loads(asked.stdout) == json.loads(ask(f"till:{SHOP}/1", "--json", "--replay", recording).stdout)
    [one] = json.loads(asked.stdout)
    [miss] = one["near_misses"]
    assert miss["ways"][0]["excused"]["code"] == "X01"


def test_words_name_the_figures_the_limits_and_the_reason(recording: str) -> None:
    words = ask(f"till:{SHOP}/1", "--replay", recording).stdout
    assert "persons 8 persons (limit 8)" in words
    assert "but for X01 (refund or reversal): setl 1, 2024-03-04 09:00" in words
    assert "with persons 7 instead of 8" in words


def test_a_bare_id_is_enough_where_one_kind_has_it(recording: str) -> None:
    assert "person:P2" in ask("P2", "--replay", recording).stdout
    assert f"till:{SHOP}/1" in ask(f"{SHOP}/1", "--replay", recording).stdout
    assert ask("nobody", "--replay", recording).exit_code == 1


def test_a_subject_of_two_kinds_must_be_named(tmp_path: Path) -> None:
    path = tmp_path / "events.ndjson"
    sold = sale("04 12:00", traces=("P2",), org=SHOP)
    path.write_bytes(b"".join(canonical(event) + b"\n" for event in (*story(), sold)))
    asked = ask("P2", "--replay", str(path))
    assert (asked.exit_code, "person:P2 or trace_code:P2" in asked.stderr) == (2, True)


def test_a_detector_that_looks_elsewhere_says_so_and_a_misspelt_one_is_named(recording: str) -> None:
    elsewhere = ask("person:P2", "--detector", "card_batch_swipe", "--replay", recording)
    assert "card_batch_swipe looks into no file" in elsewhere.stderr
    assert "did you mean card_batch_swipe?" in ask("P2", "--detector", "card_batch_swpe", "--replay", recording).stderr


def test_recordings_need_the_word_replay(recording: str) -> None:
    assert ask("P2", recording).exit_code == 2


def test_a_detector_is_asked_by_its_id_or_by_the_name_of_its_alerts() -> None:
    memory = told(*queue("04 09:00", "XXXXXXX"))
    assert [one.name for one in explained(memory, TILL, DETECTORS, detectors=["card_batch_swipe"])] == [
        "card_batch_swipe"
    ]
    assert explained(memory, TILL, DETECTORS, detectors=["geo_time_conflict"]) == []
    assert {name_of(detector) for detector in DETECTORS} >= {"ghost_bed_absence"}


def test_a_detector_that_cannot_cope_with_easier_limits_is_not_asked_with_them() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Brittle(CardBatchSwipe):
        def __post_init__(self) -> None:
            if self.persons < 8:
                raise ValueError("at least 8")

    [one] = explained(told(*queue("04 09:00", "XXXXXXX")), TILL, [Brittle()])
    assert one.near_misses == ()
