"""What ``fundwatch state`` tells of memory: real Redis."""

import json

import pytest
from click.testing import CliRunner, Result
from redis import Redis

from detectors.case import admission, org, person, reversal, sale, settlement, swipe
from detectors.judge import Judge
from stream_app.commands.state import state
from stream_app.memory import Memory
from tests.live.servers import fresh_prefix
from tests.world import rising

BILL = settlement("04 08:00", "P33010100001", device="1", basket="X")


@pytest.fixture
def prefix(redis_server: str) -> str:
    """A memory in which a little has happened."""
    prefix = fresh_prefix()
    memory = Memory(Redis.from_url(redis_server), prefix=f"{{{prefix}}}")
    judge = Judge(memory=memory, detectors=(), publish=lambda verdicts: None, on_crash=rising)
    judge.learn([person("P"), org("P33010100001")])
    judge.hear([swipe("04 07:59", "P33010100001", device="1"), BILL, settlement("05 08:30", "P33010100001")])
    judge.hear([reversal("04 09:00", BILL), admission("06 09:00", person="Q"), sale("06 10:00", traces=("P",))])
    return prefix


def ask(redis_server: str, prefix: str, *arguments: str) -> Result:
    environment = {"FUNDWATCH_REDIS__URL": redis_server, "FUNDWATCH_REDIS__PREFIX": prefix}
    return CliRunner().invoke(state, arguments, env=environment)


def test_a_persons_rows_are_counted_with_what_is_known_of_them(redis_server: str, prefix: str) -> None:
    told = json.loads(ask(redis_server, prefix, "person:P", "--json").stdout)
    held = {one["ledger"]: one for one in told["held"]}
    assert held["person"]["rows"] == {"setl": 2, "setl_rev": 1, "swipe": 1}
    assert held["ref.person"]["rows"] == {"ref.person": 1}
    assert held["person"]["bytes"] > 0


def test_an_institution_has_its_bills_tills_and_goods(redis_server: str, prefix: str) -> None:
    told = json.loads(ask(redis_server, prefix, "org:P33010100001", "--json").stdout)
    held = {one["ledger"]: one for one in told["held"]}
    assert held["bills"]["taken_back"] == 1  # the bill that was reversed
    assert held["till"]["files"] == 1
    assert held["stock"]["rows"] == {"setl": 1}


def test_words_say_what_programs_read(redis_server: str, prefix: str) -> None:
    said = ask(redis_server, prefix, "person:Q").stdout
    assert "1 adm" in said
    assert "kept 440 days" in said


def test_a_bare_id_that_two_kinds_have_must_be_named(redis_server: str, prefix: str) -> None:
    asked = ask(redis_server, prefix, "P")  # a person, and a code on a box
    assert asked.exit_code == 2
    assert "person:P or trace_code:P" in asked.stderr
    assert ask(redis_server, prefix, "Q").exit_code == 0


def test_nothing_held_is_said(redis_server: str, prefix: str) -> None:
    asked = ask(redis_server, prefix, "person:nobody")
    assert (asked.exit_code, "nothing is held of person:nobody" in asked.stderr) == (1, True)
