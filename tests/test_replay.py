"""A recording judged in process: whatever the order, nothing hidden, nothing lost, the same bytes each time."""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from prometheus_client.parser import text_string_to_metric_families

from detectors.case import at, reversal, settlement
from detectors.catalogue import DETECTORS
from detectors.detector import ALWAYS, Finding, Gate
from detectors.event import Kind, Settlement
from detectors.finding import Law
from detectors.ledger import PERSON, Ledger
from detectors.unit import Cell, Day, Link, Unit
from detectors.wire import canonical, read
from replay import run
from replay.compare import read_alerts
from replay.recording import lines
from replay.run import Run, replay_files
from replay.scoreboard import Scoreboard, read_labels, score
from replay.simulate.city import Plan
from replay.simulate.simulation import write
from stream_app.commands.history import replay as replay_command

WORLDS = Path(__file__).parents[2] / "shared" / "worlds"
SHOP = "P33020310315"
NAMES = frozenset(detector.id.partition("/")[0] for detector in DETECTORS)  # as alerts and labels write them
Told = dict[str, Any]  # an alert as JSON has it


@dataclass(frozen=True)
class City:
    """A recording with frauds in it, and what a replay says of it."""

    recording: Path
    labels: Path
    alerts: Path

    @cached_property
    def lines(self) -> list[bytes]:
        return self.recording.read_bytes().splitlines()


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> City:
    folder = tmp_path_factory.mktemp("city")
    city = City(folder / "city.ndjson", folder / "labels.ndjson", folder / "alerts.ndjson")
    start = datetime.fromisoformat("2026-03-02T00:00:00+08:00")
    plan = Plan(persons=3_000, days=21, seed=1, start=start, families=("all",), intensity=1.0)
    write(plan, city.recording, city.labels)
    replay_files([str(city.recording)], alerts=city.alerts)
    return city


def recording(path: Path, lines: Iterable[bytes]) -> str:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(path)


def alerts(path: Path) -> list[Told]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def standing(path: Path) -> dict[str, tuple[str, frozenset[str]]]:
    """What must be the same whatever the order of arrival: level and events of the open alerts."""
    return {a["alert_id"]: (a["level"], frozenset(a["events"])) for a in alerts(path) if a["status"] == "open"}


def names_of(path: Path) -> set[str]:
    return {alert["alert_id"] for alert in alerts(path)}


# what is found


def test_every_fraud_planted_in_a_city_is_found_and_no_honest_look_alike_accused(city: City) -> None:
    board = scored(city.alerts, city.labels)
    assert {family.family for family in board.families} >= NAMES
    assert [case.case_id for case in board.missed] == []
    assert board.decoy_alarms == ()
    assert board.unexplained == ()


def scored(alerts: Path, labels: Path) -> Scoreboard:
    return score(read_alerts(alerts), read_labels(labels), detectors=NAMES)


def test_the_summary_counts_what_was_read_and_what_was_found(city: City, tmp_path: Path) -> None:
    out = tmp_path / "alerts.ndjson"
    summary = replay_files([str(city.recording)], alerts=out)
    reference = sum(is_reference(line) for line in city.lines)
    assert summary.records == reference
    assert summary.events + summary.tests == len(city.lines) - reference
    assert summary.alerts == len(alerts(out))
    assert summary.open == sum(summary.by_detector.values()) == len(standing(out))


def is_reference(line: bytes) -> bool:
    return b'"ref.' in line


# the same, however it is told


def test_the_same_recording_gives_the_same_bytes(city: City, tmp_path: Path) -> None:
    replay_files([str(city.recording)], alerts=tmp_path / "again.ndjson")
    assert (tmp_path / "again.ndjson").read_bytes() == city.alerts.read_bytes()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_order_of_arrival_and_repeats_change_nothing(city: City, tmp_path: Path, seed: int) -> None:
    told = recording(tmp_path / "shuffled.ndjson", shuffled(city.lines, Random(seed)))
    replay_files([told], alerts=tmp_path / "alerts.ndjson")
    assert standing(tmp_path / "alerts.ndjson") == standing(city.alerts)


def shuffled(told: Sequence[bytes], chance: Random) -> list[bytes]:
    """Each event up to a day later than the centre had it, one in twenty twice; reference records anywhere."""
    moved: list[tuple[float, bytes]] = []
    now = 0.0
    for line in (line for line in told if not is_reference(line)):
        now = max(now, _received(line))
        moved += [(now + chance.random() * 86_400, line) for _ in range(1 + (chance.random() < 0.05))]
    moved += [(chance.choice(moved)[0], line) for line in told if is_reference(line)]
    return [line for _, line in sorted(moved)]


def _received(line: bytes) -> float:
    event = read(line)
    return (event.received_at or event.happened_at).timestamp()


def test_reference_records_may_stand_anywhere(city: City, tmp_path: Path) -> None:
    reference = [line for line in city.lines if is_reference(line)]
    events = [line for line in city.lines if not is_reference(line)]
    middle = len(events) // 2
    folder = tmp_path
    tellings = {
        "behind": [recording(folder / "behind.ndjson", [*events, *reference])],
        "between": [recording(folder / "between.ndjson", [*events[:middle], *reversed(reference), *events[middle:]])],
        "apart": [recording(folder / "e.ndjson", events), recording(folder / "r.ndjson", reference)],
    }
    for name, files in tellings.items():
        replay_files(files, alerts=folder / f"{name}.alerts")
        assert (folder / f"{name}.alerts").read_bytes() == city.alerts.read_bytes(), name


def test_larger_and_smaller_batches_end_the_same(city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "AT_ONCE", 100)
    replay_files([str(city.recording)], alerts=tmp_path / "alerts.ndjson")
    assert standing(tmp_path / "alerts.ndjson") == standing(city.alerts)


def test_an_alert_whose_ground_is_taken_back_is_told_as_withdrawn(
    city: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "AT_ONCE", 500)  # in one batch it would never have been opened
    bills = {e.event_id: e for e in map(read, city.lines) if isinstance(e, Settlement)}
    alert = next(a for a in alerts(city.alerts) if a["detector"] == "inpatient_concurrent_claim")
    last = max(event.happened_at for event in map(read, city.lines))
    back = [replace(reversal("04 00:00", bills[name]), happened_at=last) for name in alert["events"] if name in bills]
    told = recording(tmp_path / "told.ndjson", [*city.lines, *map(canonical, back)])
    replay_files([told], alerts=tmp_path / "alerts.ndjson")
    (found,) = (a for a in alerts(tmp_path / "alerts.ndjson") if a["alert_id"] == alert["alert_id"])
    assert found["status"] == "withdrawn"
    assert found["withdrawn_because"]


# what takes no part


def bill(when: str, **more: Any) -> bytes:  # Any: fields of a settlement
    name = more.pop("event_id", f"e {when}")
    return canonical(settlement(when, org=SHOP, event_id=name, **more))


def test_what_cannot_be_read_is_kept_with_its_reason_its_field_and_its_place(tmp_path: Path) -> None:
    broken = json.dumps(json.loads(bill("04 08:00", event_id="x1")) | {"medfee_sumamt": "12.345"}).encode()
    clock = bill("04 08:00", event_id="x2", received_at=at("04 07:00"))
    file = recording(tmp_path / "told.ndjson", [bill("04 08:00"), broken, b"", b"not JSON", clock, bill("04 09:00")])
    bad = tmp_path / "bad.ndjson"
    summary = replay_files([file], quarantine=bad)
    kept = [json.loads(line) for line in bad.read_bytes().splitlines()]
    assert [(k["reason"], k.get("field", ""), k["line"], k.get("event_id", "")) for k in kept] == [
        ("malformed", "medfee_sumamt", 2, "x1"),
        ("not_json", "", 4, ""),
        ("clock", "biz_time", 5, "x2"),
    ]
    assert {k["source"] for k in kept} == {file}
    assert summary.refused == {"malformed": 1, "not_json": 1, "clock": 1}
    assert summary.events == 2


def test_what_comes_more_than_a_week_late_takes_no_part(city: City, tmp_path: Path) -> None:
    """All of the first day told again at the end, by other names: nothing is said of it."""
    first = at_day(city.lines, 0)
    late = [line.replace(b'"event_id":"', b'"event_id":"late-') for line in first]
    bad = tmp_path / "bad.ndjson"
    told = recording(tmp_path / "told.ndjson", [*city.lines, *late])
    summary = replay_files([told], alerts=tmp_path / "alerts.ndjson", quarantine=bad)
    assert summary.refused == {"too_late": len(late)}
    kept = [json.loads(line) for line in bad.read_bytes().splitlines()]
    assert [k["line"] for k in kept] == [len(city.lines) + n for n in range(1, len(late) + 1)]
    assert {k["reason"] for k in kept} == {"too_late"}
    assert (tmp_path / "alerts.ndjson").read_bytes() == city.alerts.read_bytes()


def at_day(told: Sequence[bytes], day: int) -> list[bytes]:
    """Events of one day of the city, tests left out."""
    events = [(line, read(line)) for line in told if not is_reference(line)]
    begin = min(event.happened_at for _, event in events) + timedelta(days=day)
    return [line for line, e in events if begin <= e.happened_at < begin + timedelta(days=1) and not e.is_test]


def test_what_comes_just_within_a_week_takes_part(tmp_path: Path) -> None:
    file = recording(tmp_path / "told.ndjson", [bill("11 08:00"), bill("04 08:00"), bill("04 07:59")])
    summary = replay_files([file])
    assert (summary.events, summary.refused) == (2, {"too_late": 1})


def test_test_events_are_dropped_and_counted_and_move_no_clock(tmp_path: Path) -> None:
    tried = [bill("04 08:00", is_test=1), bill("25 08:00", is_test=1)]
    summary = replay_files([recording(tmp_path / "told.ndjson", [*tried, bill("05 08:00")])])
    assert (summary.events, summary.tests, summary.refused) == (1, 2, {})


# which alerts are written


def test_a_person_or_an_institution_chooses_the_alerts_that_concern_it(city: City, tmp_path: Path) -> None:
    events = {event.event_id: event for event in map(read, city.lines)}
    out = tmp_path / "alerts.ndjson"
    for alert in alerts(city.alerts)[:2]:
        shown = next(events[name] for name in alert["events"])
        replay_files([str(city.recording)], alerts=out, persons=frozenset({getattr(shown, "person", "")}))
        assert alert["alert_id"] in names_of(out)
        assert names_of(out) < names_of(city.alerts)
        replay_files([str(city.recording)], alerts=out, orgs=frozenset({getattr(shown, "org", "")}))
        assert alert["alert_id"] in names_of(out)
    replay_files([str(city.recording)], alerts=out, persons=frozenset({"nobody"}))
    assert names_of(out) == set()


def test_from_and_to_choose_alerts_by_their_period_and_leave_their_past_alone(city: City, tmp_path: Path) -> None:
    since, until = (datetime.fromisoformat(f"2026-03-{day}T00:00:00+08:00") for day in ("08", "15"))
    replay_files([str(city.recording)], alerts=tmp_path / "alerts.ndjson", since=since, until=until)
    found = alerts(tmp_path / "alerts.ndjson")
    assert found == [alert for alert in alerts(city.alerts) if _touches(alert, since, until)]
    assert 0 < len(found) < len(alerts(city.alerts))


def _touches(alert: Told, since: datetime, until: datetime) -> bool:
    begin, end = alert["period"]["from"], alert["period"]["to"] or alert["last_seen"]
    return datetime.fromisoformat(begin) < until and datetime.fromisoformat(end) >= since


# a detector that fails


@dataclass(frozen=True)
class Raising:
    """It cannot judge anything."""

    id: ClassVar[str] = "raising"
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement})
    cell: ClassVar[Cell] = Day()
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("", "")
    gate: Gate = ALWAYS

    def judge(self, unit: Unit) -> Iterator[Finding]:
        raise ZeroDivisionError(unit.key)


def test_a_detector_that_raises_is_named_and_silences_nobody_else(city: City) -> None:
    told = list(lines(city.recording))
    judged = Run(lambda *_: None, lambda _: None, detectors=(Raising(), *DETECTORS))
    judged.over([("city", told)])
    assert judged.summary.crashes.keys() == {"raising"}
    assert "raising raised" in judged.summary.in_words()
    assert judged.table.alerts.keys() == names_of(city.alerts)


# recorded worlds, which another program made


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> City:
    """World a."""
    if not WORLDS.exists():
        pytest.skip(f"there are no recorded worlds at {WORLDS}")
    folder = tmp_path_factory.mktemp("world")
    told = [
        raw
        for name in ("reference", "events")
        for raw in gzip.decompress((WORLDS / "a" / f"{name}.ndjson.gz").read_bytes()).splitlines()
    ]
    world = City(folder / "world.ndjson", WORLDS / "a" / "labels.ndjson", folder / "alerts.ndjson")
    recording(world.recording, told)
    replay_files([str(world.recording)], alerts=world.alerts)
    return world


def test_a_recorded_world_says_the_same_in_another_order(world: City, tmp_path: Path) -> None:
    told = recording(tmp_path / "shuffled.ndjson", shuffled(world.lines, Random(3)))
    replay_files([told], alerts=tmp_path / "alerts.ndjson")
    assert standing(tmp_path / "alerts.ndjson") == standing(world.alerts)


def test_the_frauds_of_a_recorded_world_are_found_and_no_decoy_is_broken(world: City) -> None:
    """One ghost bed stands in a ward with a single other patient: too few for anybody to have been left out."""
    board = scored(world.alerts, world.labels)
    assert [case.case_id for case in board.missed] == ["F0036-ghost_bed_absence"]
    assert [alarm.decoy for alarm in board.decoy_alarms] == []


def test_a_replay_shows_what_it_did_to_prometheus(city: City, tmp_path: Path) -> None:
    shown = tmp_path / "replay.prom"
    asked = CliRunner().invoke(replay_command, [str(city.recording), "--metrics", str(shown), "--json"])
    assert asked.exit_code == 0, asked.output
    summary = json.loads(asked.stdout)
    told = {
        (
            one.name,
            one.labels.get("variant") or one.labels["slot"],
            *filter(None, [one.labels.get("detector")]),
        ): one.value
        for family in text_string_to_metric_families(shown.read_text())
        for one in family.samples
    }
    assert told["fundwatch_replay_events_total", "baseline"] == summary["events"]
    assert ("fundwatch_replay_events_total", "candidate") not in told  # its own replay tells it, in a file beside
    assert told["fundwatch_replay_progress_ratio", "baseline"] == 1
    assert told["fundwatch_replay_speed_ratio", "baseline"] > 1
    alerts = {name[1:]: value for name, value in told.items() if name[0] == "fundwatch_replay_alerts_total" and value}
    assert alerts == {("baseline", detector): count for detector, count in summary["by_detector"].items()}
