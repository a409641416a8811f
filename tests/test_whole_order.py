"""However a city's events come, by however many workers, the alerts are those of a quiet replay: real Redis."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from redis import Redis

from stream_app.memory import Memory
from tests.chaos.recording import Recording
from tests.live.servers import fresh_prefix
from tests.order.arrivals import Arrived, Standing, Way, judged, undisturbed

QUIET = Way(workers=1, most=2_000, hours=0, repeated=0, restarts=0, seed=5)
WAYS = {
    "one worker": QUIET,
    "two workers": replace(QUIET, workers=2),
    "four workers": replace(QUIET, workers=4),
    "small batches": replace(QUIET, most=30),
    "another order": replace(QUIET, hours=24),
    "repetition": replace(QUIET, repeated=0.3),
    "restarts": replace(QUIET, restarts=0.3),
    "all of it at once": Way(workers=4, most=300, hours=24, repeated=0.2, restarts=0.2, seed=6),
}


@pytest.fixture(scope="module")
def redis(redis_server: str) -> Iterator[Redis]:
    with Redis.from_url(redis_server) as client:
        client.config_set("appendfsync", "no")  # nothing here must outlive a crash
        yield client
        client.config_set("appendfsync", "always")


@pytest.fixture(scope="module")
def arrived() -> Arrived:
    city = Recording.of_a_city(500, seed=7)
    return Arrived.of([*city.reference, *city.events])


@pytest.fixture(scope="module")
def wanted(arrived: Arrived) -> Standing:
    found = undisturbed(arrived)
    assert len(found) >= 15
    return found


def fresh(redis: Redis) -> Callable[[], Memory]:
    """Memories of several workers that share one prefix."""
    prefix = f"{{{fresh_prefix()}}}"
    return lambda: Memory(redis, prefix)


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
def test_the_alerts_do_not_depend_on(way: Way, arrived: Arrived, wanted: Standing, redis: Redis) -> None:
    assert judged(arrived, way, fresh(redis)) == wanted


def test_batches_of_one_do_not_matter(redis: Redis) -> None:
    city = Recording.of_a_city(200, seed=8)
    arrived = Arrived.of([*city.reference, *city.events])
    assert judged(arrived, replace(QUIET, most=1), fresh(redis)) == undisturbed(arrived)
