"""Thresholds have dates, layers and versions; a wrong one is named, and no event is judged by rules of another time."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import pytest
from click.testing import CliRunner, Result
from confluent_kafka import KafkaException
from hypothesis import given
from hypothesis import strategies as st

from detectors.case import at
from detectors.catalogue import DETECTORS
from detectors.detector import ALWAYS as EVERY_TIME
from detectors.detector import Detector, Finding, Gate
from detectors.event import CHINA, NEVER, Count, Event, Fen, Kind, Settlement
from detectors.finding import Law, Level, Period, Subject
from detectors.lead import version_of
from detectors.ledger import PERSON, TILL, Ledger
from detectors.month import month_of
from detectors.pharmacy.card_batch_swipe import CardBatchSwipe
from detectors.pharmacy.card_batch_swipe_cases import later, queue
from detectors.rules import ALWAYS, Edition, Rulebook, RulesError, Source, as_toml, rulebook, typed, written
from detectors.unit import DAY, Cell, Day, Link, Unit, Whole
from detectors.wire import canonical
from replay.run import replay
from stream_app import metrics, topics
from stream_app.arrivals import Arrival
from stream_app.check import run as check
from stream_app.commands.history import compare
from stream_app.commands.history import replay as replay_command
from stream_app.line import Line
from stream_app.rulebook import RulesFile, RulesFileError, read_rules
from stream_app.settings import KafkaSettings, RedisSettings, RulesSettings, Settings, SettingsError
from tests.live.servers import eventually, fresh_prefix
from tests.live.test_recall import Message, Tail
from tests.world import DETECTORS as MIRRORS
from tests.world import batches, leads, rising, said, worlds

rngs = st.randoms(use_true_random=False)
SEVEN, AGAIN = queue("04 09:00", "XXXXXXX"), later(queue("04 09:00", "XXXXXXX"), 8 * DAY)
FIRST, SECOND_TIME = "orange till A/1 2024-03-04: 1 2 3 4 5 6 7", "orange till A/1 2024-03-12: b1 b2 b3 b4 b5 b6 b7"


def book(*texts: str, detectors: Sequence[Detector] = DETECTORS) -> Rulebook:
    return rulebook(detectors, *(Source(f"{n}.toml", text) for n, text in enumerate(texts, 1)))


def complaint(*texts: str) -> str:
    with pytest.raises(RulesError) as caught:
        book(*texts)
    return str(caught.value)


def persons(*texts: str) -> list[tuple[str, int]]:
    """Since when so many persons are a batch."""
    editions = book(*texts).of("card_batch_swipe")
    return [
        ("always" if one.since == ALWAYS else f"{one.since.astimezone(CHINA):%m-%d %H:%M}", one.detector.persons)  # type: ignore[attr-defined]  # it is CardBatchSwipe
        for one in editions
    ]


def dated(since: str, persons: int) -> str:
    return f'[[rules]]\nvalid_from = "{since}"\n[rules.card_batch_swipe]\npersons = {persons}\n'


def found(events: Sequence[Event], *texts: str, size: int = 99) -> set[str]:
    return leads(replay(batches(events, size), book(*texts, detectors=[CardBatchSwipe()]), on_crash=rising))


# what a file may say


def test_without_a_file_every_detector_is_as_the_code_has_it() -> None:
    assert list(book()) == [(Edition(detector, version_of(detector), ALWAYS, NEVER),) for detector in DETECTORS]
    assert read_rules(None).differs_from(book()) is None


def test_what_the_command_prints_is_read_back_as_it_was() -> None:
    text = "\n".join(as_toml(book(dated("2026-04-01", 9), '[geo_time_conflict]\nlarge = "500.00"')))
    assert "large = " in text
    assert book(text).differs_from(book(dated("2026-04-01", 9), '[geo_time_conflict]\nlarge = "500.00"')) is None


@pytest.mark.parametrize("detector", DETECTORS, ids=lambda detector: detector.id)
def test_every_threshold_can_be_written_in_a_file_of_rules(detector: Detector) -> None:
    [editions] = book("\n".join(as_toml(book(detectors=[detector]))), detectors=[detector])
    assert [edition.detector for edition in editions] == [detector]
    assert editions[0].version == version_of(detector)


class Band(NamedTuple):
    below: float
    limit: Fen


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (timedelta, timedelta(seconds=90), "90s"),
        (timedelta, timedelta(days=7), "7d"),
        (timedelta, timedelta(milliseconds=1500), "1.500000s"),
        (Fen, Fen(100_050), "1000.50"),
        (float, float("inf"), "inf"),
        (Decimal, Decimal("0.1"), "0.1"),
        (Count, Count("2.5"), "2.5"),
        (Level, Level.RED, "red"),
        (Literal["a", "b"], "b", "b"),
        (frozenset[str], frozenset({"b", "a"}), ["a", "b"]),
        (dict[str, Fen], {"310": Fen(5)}, {"310": "0.05"}),
        (int | None, 3, 3),
        (tuple[Band, ...], (Band(200.0, Fen(1)),), [[200.0, "0.01"]]),
    ],
    ids=str,
)
def test_values_of_every_kind_are_written_and_read(kind: Any, value: object, text: object) -> None:
    assert written(value) == text
    again = typed(kind, text)
    assert again == value
    assert type(again) is type(value)


def test_what_holds_from_a_day_on_is_laid_over_what_held_before() -> None:
    text = dated("2026-04-01", 10) + "[rules.readmission_split]\nwithin = 30\n" + dated("2026-03-01T08:00:00+08:00", 9)
    assert persons(text) == [("always", 8), ("03-01 08:00", 9), ("04-01 00:00", 10)]
    assert len(book(text).of("readmission_split")) == 2
    assert len(book(text).of("geo_time_conflict")) == 1


def test_a_day_of_toml_and_a_time_without_an_offset_are_chinas() -> None:
    assert persons(dated("2026-04-01", 9).replace('"', "")) == persons(dated("2026-04-01T00:00:00", 9))
    assert persons(dated("2026-04-01T00:00:00", 9)) == persons(dated("2026-03-31T16:00:00Z", 9).replace("Z", "+00:00"))


def test_your_own_file_outweighs_the_shipped_one_from_the_day_it_names() -> None:
    shipped = "[card_batch_swipe]\npersons = 9\n" + dated("2026-03-01", 10)
    assert persons(shipped, "[card_batch_swipe]\npersons = 7") == [("always", 7)]
    assert persons(shipped, dated("2026-05-01", 7)) == [("always", 9), ("03-01 00:00", 10), ("05-01 00:00", 7)]


def test_what_changes_nothing_begins_no_edition() -> None:
    assert persons(dated("2026-03-01", 8)) == [("always", 8)]
    [edition] = book("[geo_time_conflict]\nfar = 20.0").of("geo_time_conflict")
    assert edition.version == book().of("geo_time_conflict")[0].version


def test_the_first_moment_that_is_judged_otherwise_is_known() -> None:
    one = book(dated("2026-03-01", 9))
    assert one.differs_from(book(dated("2026-03-01", 9) + dated("2026-04-01", 9))) is None
    assert one.differs_from(book(dated("2026-03-01", 9) + dated("2026-04-01", 7))) == datetime.fromisoformat(
        "2026-04-01T00:00:00+08:00"
    )
    assert one.differs_from(book("[card_batch_swipe]\npersons = 7")) == ALWAYS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[card_batch_swip]\npersons = 9", "[card_batch_swip]: there is no such detector; did you mean card_batch"),
        ("[card_batch_swipe]\nperson = 9", "person = 9: there is no such threshold; did you mean persons?"),
        ('[card_batch_swipe]\npersons = "9"', 'persons = "9": expected a whole number, such as 8'),
        ("[card_batch_swipe]\npersons = true", "persons = true: expected a whole number"),
        ("[card_batch_swipe]\npersons = -1", "persons = -1: expected a number that is not negative"),
        ("[card_batch_swipe]\nspread = nan", "expected a number"),
        ("[card_batch_swipe]\nmedian_gap = 60", 'median_gap = 60: expected a duration such as "90s"'),
        ('[card_batch_swipe]\npause = "9999999999d"', "expected a duration that a calendar can hold"),
        ("[geo_time_conflict]\nlarge = 1000", 'large = 1000: expected yuan as text, such as "1000.00"'),
        ("[geo_time_conflict]\nspeeds = [[200]]", "expected a list of 2"),
        ("[geo_time_conflict]\nspeeds = [[200, 100]]", "always: speeds: the last row is for any distance"),
        ('[geo_time_conflict]\nspeeds = [["inf", 500]]', "speeds: no way on earth may take longer than a day"),
        ('[geo_time_conflict]\nrepeats_within = "8d"', "repeats_within: at most 7d, since no more is shown"),
        ("[geo_time_conflict]\nin_patient = [21]", "in_patient = [21]: expected `str`, got `int`"),
        ('[ghost_bed_absence]\nnight = ["22:00", "25:00"]', 'expected a time of day such as "22:00"'),
        ("persons = 9", "[persons]: there is no such detector"),
        ("card_batch_swipe = 9", "card_batch_swipe = 9: expected a table, [card_batch_swipe]"),
        ("[rules]\npersons = 9", "[rules]: expected [[rules]], once for each valid_from"),
        ("[[rules]]\n[rules.card_batch_swipe]", "[[rules]] number 1: valid_from is missing"),
        ('[[rules]]\nvalid_from = "soon"', 'valid_from = "soon": expected a day such as 2026-04-01'),
        (dated("2026-04-01", 9) + "person = 9", "1.toml: from 2026-04-01: [card_batch_swipe] person = 9"),
        ("[card_batch_swipe", "1.toml: Expected ']'"),
    ],
)
def test_what_is_wrong_is_named(text: str, said: str) -> None:
    assert said in complaint(text)


def test_all_that_is_wrong_is_named_at_once() -> None:
    faults = complaint("[card_batch_swipe]\npersons = 0.5\nmany = 1.5", '[geo_time_conflict]\nfar = "x"').splitlines()
    assert [fault.partition(":")[0] for fault in faults] == ["1.toml", "1.toml", "2.toml"]


# by which rules an event is judged


def test_an_event_is_judged_by_the_rules_that_are_valid_at_its_time() -> None:
    both = (*SEVEN, *AGAIN)
    assert found(both) == set()
    assert found(both, "[card_batch_swipe]\npersons = 7") == {FIRST, SECOND_TIME}
    assert found(both, dated("2024-03-12", 7)) == {SECOND_TIME}
    assert found(both, "[card_batch_swipe]\npersons = 7\n" + dated("2024-03-12", 8)) == {FIRST}


@pytest.mark.parametrize(("since", "fires"), [("09:04:00", True), ("09:04:01", False), ("09:00:01", True)])
def test_within_a_day_the_moment_that_completed_it_decides(since: str, fires: bool) -> None:
    """The seven settle from 09:00:00 to 09:04:00."""
    assert found(SEVEN, dated(f"2024-03-04T{since}+08:00", 7)) == ({FIRST} if fires else set())


def test_a_lead_names_the_version_that_found_it() -> None:
    rules = book("[card_batch_swipe]\npersons = 7\n" + dated("2024-03-12", 6), detectors=[CardBatchSwipe()])
    standing = replay([[*SEVEN, *AGAIN]], rules, on_crash=rising)
    versions = {lead.period.name: lead.rule_version for said in standing.values() for lead in said}
    assert versions == {
        "2024-03-04": version_of(CardBatchSwipe(persons=7)),
        "2024-03-12": version_of(CardBatchSwipe(persons=6)),
    }


def test_rules_that_are_easier_later_open_gates_that_were_closed_before() -> None:
    two = later(queue("04 09:00", "XX"), 8 * DAY)
    assert found(two, dated("2024-03-12", 2), size=1) == {"orange till A/1 2024-03-12: b1 b2"}


def in_two(detector: Any, since: datetime) -> tuple[Edition, ...]:
    """Two editions that differ in nothing but when they hold. Any: a Mirror."""
    return (Edition(detector, "", ALWAYS, since), Edition(detector, "", since, NEVER))


MOMENTS = st.sampled_from([at("04 23:58"), at("05 00:00"), at("05 00:01"), at("06 12:00"), at("08 00:00")])


@given(worlds, rngs, st.integers(1, 15), MOMENTS)
def test_every_finding_is_counted_by_one_edition_only(events, rng, size, since) -> None:
    """So a book that is cut in two alike says to the letter what the whole one says, in any order of arrival."""
    cut = Rulebook({mirror.id: in_two(mirror, since) for mirror in MIRRORS})
    whole = Rulebook({mirror.id: (Edition(mirror, "", ALWAYS, NEVER),) for mirror in MIRRORS})
    told = said(replay([events], whole, on_crash=rising))
    rng.shuffle(events)
    assert said(replay(batches(events, size), cut, on_crash=rising)) == told


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Tells of a month in which little was settled, and shows nothing."""

    id: ClassVar[str] = "quiet"
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement})
    cell: ClassVar[Cell] = Whole()
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("", "")
    gate: ClassVar[Gate] = EVERY_TIME

    least: int = 2

    def judge(self, unit: Unit) -> Iterator[Finding]:
        months: dict[Period, int] = {}
        for bill in unit.rows(Settlement):
            months[month_of(bill.happened_at)] = months.get(month_of(bill.happened_at), 0) + 1
        for month, n in months.items():
            if n < self.least:
                who = Subject("person", unit.key)
                yield Finding(level=Level.BLUE, subject=who, zh="", en="", shows=(), figures=(), period=month)


def test_what_shows_no_event_is_judged_by_the_rules_of_the_beginning_of_its_period() -> None:
    bill = queue("04 09:00", "X")
    for since, fires in (("2024-03-01", False), ("2024-03-02", True)):
        rules = book(f"[[rules]]\nvalid_from = {since}\n[rules.quiet]\nleast = 1", detectors=[Quiet()])
        assert bool(replay([bill], rules, on_crash=rising)) is fires


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietDay(Quiet):
    """The same from one day alone: the month's lead is told by several units."""

    id: ClassVar[str] = "quiet_day"
    cell: ClassVar[Cell] = Day(before=DAY)


@pytest.mark.parametrize("since", ["2024-03-03", "2024-03-04", "2024-03-05"])
def test_a_finding_about_more_than_its_cell_is_counted_all_the_same(since: str) -> None:
    rules = book(f"[[rules]]\nvalid_from = {since}\n[rules.quiet_day]\nleast = 3", detectors=[QuietDay()])
    assert len(replay([queue("04 09:00", "X")], rules, on_crash=rising)) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Careful(Quiet):
    """Knows more of its limits than their types."""

    def __post_init__(self) -> None:
        if self.least > 5:
            raise ValueError("least: at most 5, since it sees no more")


def test_a_detector_may_refuse_limits_that_it_cannot_see() -> None:
    with pytest.raises(RulesError, match=r"quiet.*2024-03-01.*at most 5"):
        book("[[rules]]\nvalid_from = 2024-03-01\n[rules.quiet]\nleast = 6", detectors=[Careful()])


# the file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "rules.toml"
    path.write_text("[card_batch_swipe]\npersons = 9\n")
    return path


def replace(file: Path, text: str) -> None:
    """As one should: a reader sees the old one or the new one."""
    new = file.with_suffix(".new")
    new.write_text(text)
    os.replace(new, file)


REACHED = datetime.fromisoformat("2026-03-10T12:00:00+08:00")


def test_a_file_that_has_not_changed_is_not_read_again(file: Path) -> None:
    rules = RulesFile(file)
    assert rules.changed(REACHED) is None
    replace(file, "# the same limits in other words\ncard_batch_swipe.persons = 9\n")
    assert rules.changed(REACHED) is None


def test_rules_that_are_still_to_come_are_taken_over(file: Path) -> None:
    rules = RulesFile(file)
    replace(file, file.read_text() + dated(REACHED.isoformat(), 7))
    changed = rules.changed(REACHED)
    assert changed is not None
    assert len(changed.of("card_batch_swipe")) == 2
    assert rules.book is changed
    assert rules.changed(REACHED) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[card_batch_swipe]\npersons = 7", "from always, but 2026-03-10T12:00:00\\+08:00 has been judged already"),
        ("[card_batch_swipe]\npersons = 9\n" + dated("2026-03-10", 7), "valid_from that is still to come"),
        ("[card_batch_swipe]\nperson = 7", "did you mean persons"),
        ("[card_batch", "rules.toml: Expected"),
    ],
)
def test_bad_rules_change_nothing_and_are_told_once(file: Path, text: str, said: str) -> None:
    rules = RulesFile(file)
    former = rules.book
    replace(file, text)
    with pytest.raises(RulesFileError, match=said):
        rules.changed(REACHED)
    assert rules.changed(REACHED) is None
    assert rules.book is former


def test_a_file_that_vanishes_changes_nothing(file: Path) -> None:
    rules = RulesFile(file)
    file.unlink()
    with pytest.raises(RulesFileError, match="cannot be read"):
        rules.changed(REACHED)
    assert rules.book.of("card_batch_swipe")[0].detector == CardBatchSwipe(persons=9)


def test_a_worker_does_not_start_with_rules_that_cannot_be_used(tmp_path: Path) -> None:
    (tmp_path / "rules.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not UTF-8"):
        RulesFile(tmp_path / "rules.toml")
    with pytest.raises(SettingsError, match="cannot be read"):
        RulesFile(tmp_path / "absent.toml")


def test_check_names_a_bad_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUNDWATCH_RULES__FILE", str(file))
    monkeypatch.setenv("FUNDWATCH_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setenv("FUNDWATCH_REDIS__URL", "redis://127.0.0.1:1")
    replace(file, file.read_text() + dated("2026-04-01", 7))
    good = next(finding for finding in check(None) if finding.name == "rules")
    assert (good.state, str(file) in good.found, "from 2026-04-01" in good.found) == ("ok", True, True)
    replace(file, "[card_batch_swipe]\nperson = 9")
    bad = next(finding for finding in check(None) if finding.name == "rules")
    assert (bad.state, str(file) in bad.found, "did you mean persons?" in bad.found) == ("wrong", True, True)


# the live line: real Kafka, real Redis


def test_a_worker_takes_over_changed_rules_before_the_next_batch(kafka, redis_server, file: Path) -> None:
    file.write_text("")
    settings = Settings(
        kafka=KafkaSettings(bootstrap=kafka, partitions=1, group=fresh_prefix()),
        redis=RedisSettings(url=redis_server, prefix=fresh_prefix()),
        rules=RulesSettings(file=file),
    )
    topics.create(settings.kafka)
    line, verdicts, refused = Line(settings), tail(settings), reloads("refused")
    with closing(line._memory._redis):
        line.process(arrivals(SEVEN))
        replace(file, "[card_batch_swipe]\npersons = 7\n")  # would judge these seven anew
        line.process(arrivals(queue("05 09:00", "XXXXXXX", device="2", first=11)))
        assert verdicts.leads() == []
        assert reloads("refused") == refused + 1
        loaded = reloads("loaded")
        replace(file, dated("2024-03-12", 7))
        line.idle()
        assert reloads("loaded") == loaded + 1
        line.process(arrivals(AGAIN))
        [lead] = verdicts.leads()
    assert (lead.period.name, lead.rule_version) == ("2024-03-12", version_of(CardBatchSwipe(persons=7)))


def tail(settings: Settings) -> Tail:
    """Once the new topic has a leader."""
    found: list[Tail] = []

    def is_there() -> bool:
        try:
            found.append(Tail(settings))
        except KafkaException:
            return False
        return True

    eventually(is_there, "the new topics have leaders")
    return found[0]


def reloads(outcome: str) -> float:
    shown = metrics.registry("worker")
    return shown.get_sample_value("fundwatch_rules_reloads_total", {"outcome": outcome}) or 0.0


def arrivals(bills: Sequence[Settlement]) -> list[Arrival]:
    return [Arrival(bill.happened_at, topics.CLAIMS, 0, Message(canonical(bill)), bill) for bill in bills]  # type: ignore[arg-type]  # as much of a record as is looked at


# commands


@pytest.fixture
def recording(tmp_path: Path) -> str:
    """Fourteen bills, of institutions with proper codes."""
    path = tmp_path / "events.ndjson"
    told = [json.loads(canonical(bill)) | {"fixmedins_code": "P33010100001"} for bill in (*SEVEN, *AGAIN)]
    path.write_text("".join(json.dumps(event) + "\n" for event in told))
    return str(path)


def ask(command: Any, *arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(command, list(arguments), env=environment)


def open_alerts(result: Result) -> int:
    assert result.exit_code == 0, result.output
    return int(json.loads(result.stdout)["open"])


def test_a_replay_judges_by_the_rules_of_the_settings_or_by_others(recording: str, file: Path, tmp_path: Path) -> None:
    seven = tmp_path / "seven.toml"
    seven.write_text(dated("2024-03-12", 7))
    assert open_alerts(ask(replay_command, recording, "--json")) == 0
    assert open_alerts(ask(replay_command, recording, "--json", FUNDWATCH_RULES__FILE=str(seven))) == 1
    both = ("--rules", str(file))
    assert open_alerts(ask(replay_command, recording, "--json", *both, FUNDWATCH_RULES__FILE=str(seven))) == 0


def test_two_sets_of_rules_are_compared_on_one_recording(recording: str, file: Path, tmp_path: Path) -> None:
    seven = tmp_path / "seven.toml"
    seven.write_text(dated("2024-03-12", 7))
    same = ask(compare, "--rules", str(file), str(file), recording)
    assert (same.exit_code, "equal" in same.stdout) == (0, True)
    told = ask(compare, "--rules", str(file), str(seven), recording, "--json")
    assert told.exit_code == 3
    result = json.loads(told.stdout)
    assert [(lead["detector"], lead["subject"]["id"]) for lead in result["gained"]] == [
        ("card_batch_swipe", "P33010100001/1")
    ]
    assert float(result["money"]["gained"]) > 0
    lost = json.loads(ask(compare, "--rules", str(seven), str(file), recording, "--json").stdout)
    assert [len(lost[key]) for key in ("gained", "lost", "changed")] == [0, 1, 0]


def test_without_rules_two_files_of_alerts_are_compared(recording: str) -> None:
    done = ask(compare, recording)
    assert (done.exit_code, "two files of alerts" in done.stderr) == (2, True)


def test_the_cells_of_a_till_are_days() -> None:
    """What the cases above rest on: else a boundary would cut otherwise."""
    assert (CardBatchSwipe.of, type(CardBatchSwipe.cell)) == (TILL, Day)
