"""Units of the model in Redis, as in dicts: however bills come, by however many workers, the same leads."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace as changed
from redis import Redis

from detectors.case import at, org, person, reversal, settlement
from detectors.event import Event, Reference, Settlement
from detectors.finding import Lead, Level, UnitId, Verdict
from detectors.judge import Judge
from detectors.rules import ALWAYS, Rulebook, rulebook
from detectors.unit import DAY, HOUR, MINUTE
from models.catalogue import LEARNED, InForce, with_models
from models.versions import load
from replay.memory import Memory as Dicts
from replay.run import replay
from stream_app.embedded.up import DEMO_MODEL
from stream_app.memory import Memory
from tests.test_workers import Paused, hear, in_turns, keep
from tests.test_workers import redis as redis  # a fixture
from tests.world import batches, rising, said

STORES = ("P33010100001", "P33010100002")
SUNDAY = at("03 00:00")
KNOWN = [org(store, kind="pharmacy", level="1", area="330101") for store in STORES]
World = list[Event | Reference]
Table = dict[UnitId, tuple[Lead, ...]]


@pytest.fixture(scope="module")
def rules() -> Rulebook:
    """Two models, one after the other, that speak of each day of which anything stands out."""
    models = {
        name: replace(model, thresholds={Level.BLUE: 0.0, Level.YELLOW: 8.0})
        for name, model in load(DEMO_MODEL).models.items()
    }
    later = {name: replace(model, version="2026-01-01-00000000") for name, model in models.items()}
    return with_models(rulebook(LEARNED), [InForce(ALWAYS, models), InForce(SUNDAY + 2 * DAY, later)])


def happening(rng: Random) -> Event | Reference:
    """Few persons and stores, and numbers so few that facts are told twice, and differently."""
    who, store, n = rng.choice("PQ"), rng.choice(STORES), rng.randrange(8)
    kind = rng.random()
    if kind < 0.1:
        return person(who, SUNDAY + rng.randrange(2) * DAY, diseases=rng.choice(((), ("M03900",))))
    bill = _bill(rng, who, store, n)
    if kind < 0.2:
        return changed(reversal("04 09:00", bill), happened_at=moment(rng))
    return bill


def _bill(rng: Random, who: str, store: str, n: int) -> Settlement:
    bill = settlement(
        "04 09:00",
        store,
        who,
        yuan=rng.choice(("20", "99", "900", "3000")),
        basket=rng.choice(("", "X", "XYZ")),
        event_id=f"{who}{n}",
        received_at=rng.choice((None, moment(rng))),
    )
    return changed(bill, happened_at=moment(rng))


def moment(rng: Random) -> datetime:
    """Several on one day, some at night; and days enough for some to be judged."""
    return SUNDAY + rng.randrange(5) * DAY + rng.choice((9, 10, 23)) * HOUR + rng.randrange(3) * MINUTE


def world(seed: int, size: int) -> World:
    rng = Random(seed)
    return [happening(rng) for _ in range(size)]


worlds = st.builds(world, st.integers(0, 10**9), st.integers(0, 30))
rngs = st.randoms(use_true_random=False)


def judge(rules: Rulebook, memory: Any, publish: Callable[[Sequence[Verdict]], None]) -> Judge:
    """Any: a Memory, or one that pauses."""
    one = Judge(memory=memory, detectors=rules, publish=publish, on_crash=rising)
    one.learn(KNOWN)
    return one


def quiet_pass(rules: Rulebook, events: World) -> set[str]:
    return said(replay([[*KNOWN, *events]], rules, on_crash=rising))


def test_such_worlds_have_leads_of_both_kinds_by_both_models(rules: Rulebook) -> None:
    told = [lead for seed in range(20) for lead in quiet_pass(rules, world(seed, 30))]
    for word in ("anomaly_person", "anomaly_pharmacy", "2026-01-01-00000000", load(DEMO_MODEL).manifest.version):
        assert sum(word in lead for lead in told) > 5, word


@settings(max_examples=30)
@given(events=worlds, rng=rngs, size=st.integers(1, 15))
def test_redis_says_what_dicts_say(redis: Redis, rules: Rulebook, events: World, rng: Random, size: int) -> None:
    redis.flushall()
    rng.shuffle(events)
    tables: tuple[Table, Table] = {}, {}
    pair = [
        judge(rules, memory, partial(keep, table, {}))
        for memory, table in zip((Dicts(), Memory(redis)), tables, strict=True)
    ]
    for batch in batches(events, size):
        for one in pair:
            hear(one, batch)
        assert said(tables[0]) == said(tables[1])


@settings(max_examples=25)
@given(events=worlds, rng=rngs, size=st.integers(1, 6))
def test_two_workers_interleaved_end_like_one_quiet_pass(
    redis: Redis, rules: Rulebook, events: World, rng: Random, size: int
) -> None:
    redis.flushall()
    verdicts: list[Verdict] = []
    arrivals = [*events, *events[:3]]
    rng.shuffle(arrivals)
    middle = rng.randint(0, len(arrivals))

    def work(memory: Memory, arrived: World, pause: Callable[[], None]) -> None:
        one = judge(rules, Paused(memory, pause), verdicts.extend)
        for batch in batches(arrived, size):
            hear(one, batch)

    mine, other = Memory(redis), Memory(redis)
    in_turns(rng, partial(work, mine, arrivals[:middle]), partial(work, other, arrivals[middle:]))
    hear(judge(rules, mine, verdicts.extend), [])
    rng.shuffle(verdicts)
    table: Table = {}
    keep(table, {}, verdicts)
    assert said(table) == quiet_pass(rules, events)


@settings(max_examples=10)
@given(events=worlds, rng=rngs)
def test_a_replica_that_forgets_at_once_reads_again(redis: Redis, rules: Rulebook, events: World, rng: Random) -> None:
    redis.flushall()
    rng.shuffle(events)
    table: Table = {}
    one = judge(rules, Memory(redis, most_files=40), partial(keep, table, {}))
    for batch in batches(events, 1):
        hear(one, batch)
    assert said(table) == quiet_pass(rules, events)
