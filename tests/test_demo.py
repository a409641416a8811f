"""The city is streamed in several goes without leaving anything out."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from models.catalogue import ENTITIES
from replay.run import replay_files
from stream_app.commands.history import simulate
from stream_app.embedded.demo import City, Demo
from stream_app.embedded.up import DEMO_MODEL
from stream_app.rulebook import read_rules

LINES = [
    {"event_id": "r", "event_type": "ref.person", "valid_from": "2026-01-01"},
    {"event_id": "a", "event_type": "swipe", "biz_time": "2026-03-02T08:00:00+08:00"},
    {"event_id": "b", "event_type": "setl", "biz_time": "2026-03-02T07:00:00+08:00", "recv_time": "2026-03-02T08:30:00+08:00"},  # noqa: E501
    {"event_id": "c", "event_type": "swipe", "biz_time": "2026-03-02T09:00:00+08:00"},
]  # fmt: skip


@pytest.fixture
def city(tmp_path: Path) -> City:
    city = City(tmp_path, Demo(speed=60, persons=100, seed=1, before=timedelta(0)))
    city.recording.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    return city


def ids(recording: Path) -> str:
    return "".join(json.loads(line)["event_id"] for line in recording.read_text().splitlines())


def test_the_first_time_all_events_are_still_to_come(city: City) -> None:
    city.split()
    assert (ids(city.past), ids(city.rest)) == ("r", "abc")


def test_the_next_time_it_goes_on_where_the_clock_was(city: City) -> None:
    folder, demo = city.recording.parent, city.demo
    first = City(folder, demo, clock=iter([1000, 1031]).__next__)  # seconds; at 60 times: from 08:00 to 08:31
    first.split()
    first.remember()
    second = City(folder, demo, clock=iter([1, 2]).__next__)  # from 09:00 to 09:01
    second.split()
    assert (ids(second.past), ids(second.rest)) == ("rab", "c")
    second.remember()
    third = City(folder, demo)
    third.split()
    assert (ids(third.past), ids(third.rest)) == ("rabc", "")


def test_another_city_begins_at_its_beginning(city: City) -> None:
    city.split()
    city.remember()
    other = City(city.recording.parent, Demo(speed=60, persons=100, seed=2, before=timedelta(0)))
    other.recording.write_bytes(city.recording.read_bytes())
    other.split()
    assert ids(other.rest) == "abc"


def test_the_days_before_the_last_one_are_sent_at_once(city: City) -> None:
    early = City(city.recording.parent, Demo(speed=60, persons=100, seed=1, before=timedelta(minutes=45)))
    early.split()
    assert (ids(early.past), ids(early.rest)) == ("rab", "c")


def test_the_city_of_the_demo_has_leads_of_the_model_on_both_kinds_before_its_last_day(tmp_path: Path) -> None:
    """What a first look at the feed shows: hints that say of themselves that they are."""
    city = City(tmp_path, Demo(speed=60, persons=3_000, seed=1))
    done = CliRunner().invoke(simulate, city.simulate()[1:])
    assert done.exit_code == 0, done.output
    city.draft.replace(city.recording)
    city.split()
    out = tmp_path / "alerts.ndjson"
    replay_files([str(city.past)], alerts=out, rules=read_rules(None, DEMO_MODEL))
    hints = [alert for alert in map(json.loads, out.read_text().splitlines()) if alert["detector"] in ENTITIES]
    assert {alert["detector"] for alert in hints} == set(ENTITIES)
    assert all(alert["explanation"] and "模型提示" in alert["summary_zh"] for alert in hints)
    assert len(ids(city.rest)) > 1_000
