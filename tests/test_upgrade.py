"""A memory of another schema: left alone, and filled anew beside the old one, with the same leads in the end."""

from pathlib import Path
from random import Random

import pytest
from redis import Redis

from detectors.event import Record
from detectors.wire import canonical, read
from replay.archive import read_archive
from stream_app import archiver, rows, topics
from stream_app.line import Line
from stream_app.memory import Memory, WrongMemoryError
from stream_app.settings import RedisSettings, Settings
from tests.chaos.recording import Recording
from tests.live.servers import fresh_prefix
from tests.order.arrivals import Arrived, Standing, Way, judged

QUIET = Way(workers=1, most=2_000, hours=0, repeated=0, restarts=0, seed=5)


@pytest.fixture(scope="module")
def city() -> Recording:
    return Recording.of_a_city(200, seed=8)


@pytest.fixture(scope="module")
def archived(city: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All that was judged, as the archive has it."""
    folder = tmp_path_factory.mktemp("archive")
    lines = [*city.reference, *city.events]
    Random(1).shuffle(lines)
    archiver.write(folder, [archiver.row_of(line, topics.CLAIMS, 0, n) for n, line in enumerate(lines)])
    return folder


def keys_of(redis: Redis, prefix: str) -> dict[bytes, bytes]:
    return {key: redis.dump(key) for key in redis.scan_iter(f"{{{prefix}}}:*", count=10_000)}  # type: ignore[misc]


def filled(redis: Redis, prefix: str, lines: list[bytes]) -> Standing:
    return judged(Arrived.of(lines), QUIET, lambda: Memory(redis, f"{{{prefix}}}"))


def test_beside_a_memory_of_another_schema_a_new_one_is_filled_from_the_archive_with_the_same_leads(
    redis_server: str, city: Recording, archived: Path
) -> None:
    """docs/runbook/upgrade.md, "Another schema"."""
    before, after = fresh_prefix(), fresh_prefix()
    with Redis.from_url(redis_server) as redis:
        stood = filled(redis, before, [*city.reference, *city.events])
        assert len(stood) > 5
        redis.set(f"{{{before}}}:schema", rows.SCHEMA + 1)
        kept = keys_of(redis, before)
        with pytest.raises(WrongMemoryError, match="Another schema"):
            Line(Settings(redis=RedisSettings(url=redis_server, prefix=before))).check()
        assert filled(redis, after, list(read_archive(archived))) == stood
        assert keys_of(redis, before) == kept, "the old version may go on working on it"
        redis.unlink(*kept)
        assert redis.get(f"{{{after}}}:schema") == b"%d" % rows.SCHEMA
        assert keys_of(redis, after)


def test_the_archive_tells_reference_data_before_the_events_that_follow_it(archived: Path) -> None:
    told = [isinstance(read(line), Record) for line in read_archive(archived)]
    assert told == sorted(told, reverse=True)
    assert canonical(read(next(iter(read_archive(archived)))))
