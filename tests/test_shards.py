"""Files spread over shards: several workers, crashes and a lost node end with the leads of one quiet pass."""

import json
import time
from collections.abc import Iterator
from functools import partial

import pytest
from click import Command
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from redis import Redis

from detectors.case import org, person, settlement
from stream_app import check
from stream_app.commands.explain import explain
from stream_app.commands.state import state
from stream_app.settings import RedisSettings, Settings
from stream_app.shards import Sharded, memory
from tests.chaos.recording import Recording
from tests.live.cluster import NODES, Cluster, cluster_running
from tests.live.servers import eventually, fresh_prefix
from tests.order.arrivals import Arrived, Way, judged, undisturbed
from tests.test_workers import hear, in_turns, judge, keep, quiet_pass, redis  # noqa: F401 - a fixture
from tests.world import batches, said, worlds

rngs = st.randoms(use_true_random=False)
SHARDS = 16


class Stepped(Sharded):
    """Lets others go first before each call of a script."""

    def __init__(self, client: Redis, pause=lambda: None) -> None:
        super().__init__(client, 3)
        self._pause = pause

    def _call(self, script, args):
        self._pause()
        return super()._call(script, args)


def work(client, arrivals, size, publish, pause) -> None:
    one = judge(Stepped(client, pause), publish)
    for batch in batches(arrivals, size):
        hear(one, batch)


@settings(max_examples=15)
@given(events=worlds, rng=rngs, size=st.integers(1, 4))
def test_two_workers_interleaved_at_every_call_end_like_one_quiet_pass(redis, events, rng, size) -> None:  # noqa: F811
    redis.flushall()
    verdicts: list = []
    arrivals = [*events, *events[:3]]
    rng.shuffle(arrivals)
    middle = rng.randint(0, len(arrivals))
    in_turns(
        rng,
        partial(work, redis, arrivals[:middle], size, verdicts.extend),
        partial(work, redis, arrivals[middle:], size, verdicts.extend),
    )
    hear(judge(Stepped(redis), verdicts.extend), [])
    rng.shuffle(verdicts)
    table: dict = {}
    keep(table, {}, verdicts)
    assert said({unit: leads for unit, leads in table.items() if leads}) == quiet_pass(events)


# a real cluster


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster_running(tmp_path_factory.mktemp("cluster")) as running:
        yield running


def test_three_nodes_of_which_one_is_lost_and_returns_end_with_the_alerts_of_a_replay(cluster: Cluster) -> None:
    city = Recording.of_a_city(300, seed=9)
    arrived = Arrived.of([*city.reference, *city.events])
    way = Way(workers=2, most=200, hours=24, repeated=0.1, restarts=0.05, seed=3)
    started: list[float] = []

    def lose_one(batch: int) -> None:
        if batch == 10:
            cluster.nodes[1].kill()
            started.append(time.monotonic())
            cluster.nodes[1].start()
            eventually(cluster.is_whole, "the cluster is whole again")

    settings = RedisSettings(url=cluster.url, shards=SHARDS)
    found = judged(arrived, way, lambda: memory(settings), lose_one)
    assert started
    assert found == undisturbed(arrived)
    assert all(_files(cluster.client(number)) > 100 for number in range(NODES))


def _files(client: Redis) -> int:
    with client:
        return sum(1 for _ in client.scan_iter("{fw.*}:f:*", count=1_000))


def test_what_a_cluster_holds_is_told_explained_and_checked_like_what_one_server_holds(
    cluster: Cluster, redis_server: str
) -> None:
    one = RedisSettings(url=redis_server, prefix=fresh_prefix())
    many = RedisSettings(url=cluster.url, prefix=fresh_prefix(), shards=SHARDS)
    shop = "P33010100001"
    for where in (one, many):
        told = judge(memory(where), lambda verdicts: None)
        told.learn([org(shop), person("P0")])
        told.hear([settlement(f"04 08:{n:02}", shop, person=f"P{n}", device="1") for n in range(20)])
    for subject in (f"org:{shop}", "person:P0", f"till:{shop}/1"):
        assert _told(many, state, subject, "--json") == _told(one, state, subject, "--json")
        assert _told(many, explain, subject) == _told(one, explain, subject)
    found = check.of_redis(Settings(redis=many), "start it")
    assert found.state == "ok", found
    with cluster.client(2) as node:
        node.config_set("maxmemory-policy", "allkeys-lru")
        found = check.of_redis(Settings(redis=many), "start it")
        node.config_set("maxmemory-policy", "noeviction")
    assert found.state == "wrong"
    assert cluster.nodes[2].address in found.found


def _told(where: RedisSettings, command: Command, *arguments: str) -> object:
    """What a command says, but for the bytes: each server keeps its own books."""
    names = {"URL": where.url, "PREFIX": where.prefix, "SHARDS": str(where.shards)}
    asked = CliRunner().invoke(command, arguments, env={f"FUNDWATCH_REDIS__{n}": v for n, v in names.items()})
    assert asked.exit_code == 0, asked.output
    if "--json" not in arguments:
        return asked.stdout
    told = json.loads(asked.stdout)
    for held in told["held"]:
        del held["bytes"]
    return told
