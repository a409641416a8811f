"""What goes wrong with the servers is said with what to do; a memory of another version is left alone."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from pydantic import SecretStr
from redis import Redis

from detectors.case import settlement
from detectors.event import EVER, NEVER, Settlement
from stream_app import check, rows, topics
from stream_app.check import Finding
from stream_app.line import Line
from stream_app.memory import Memory, WrongMemoryError
from stream_app.settings import (
    ArchiveSettings,
    KafkaSettings,
    OidcSettings,
    RedisSettings,
    Settings,
    SettingsError,
    StoreSettings,
)
from stream_app.status import STALLED_S, Status, serve
from tests.identity_provider import provider_running
from tests.live.servers import eventually, fresh_prefix, redis_running

PREFIX = "{fw}"


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One that a test may set as it likes."""
    with redis_running(tmp_path_factory.mktemp("redis")) as running:
        yield f"redis://{running.address}/0"


@pytest.fixture
def redis(own_redis: str) -> Iterator[Redis]:
    with Redis.from_url(own_redis) as client:
        client.flushall()
        before = client.config_get("*")
        yield client
        for name in ("maxmemory-policy", "appendonly", "zset-max-listpack-value", "maxmemory"):
            client.config_set(name, before[name])


def check_redis(url: str) -> Finding:
    return check.of_redis(Settings(redis=RedisSettings(url=url)), "start it")


def check_topics(bootstrap: str) -> Finding:
    return check.of_topics(Settings(kafka=KafkaSettings(bootstrap=bootstrap)), len(topics.ALL))


@pytest.mark.parametrize(
    ("name", "value", "said", "to_do"),
    [
        ("maxmemory-policy", "allkeys-lru", "throws rows away", "noeviction"),
        ("appendonly", "no", "forgets on a crash", "appendonly yes"),
        ("zset-max-listpack-value", "64", "several times the memory", "1024"),
        ("maxmemory", "1mb", "of maxmemory is used", "raise maxmemory"),
    ],
)
def test_a_redis_that_would_judge_wrongly_one_day_is_found_today(
    redis: Redis, own_redis: str, name: str, value: str, said: str, to_do: str
) -> None:
    assert check_redis(own_redis).state == "ok"
    redis.config_set(name, value)
    finding = check_redis(own_redis)
    assert (finding.state, said in finding.found, to_do in finding.to_do) == ("wrong", True, True)


def test_a_topic_that_was_made_otherwise_is_found(kafka: str) -> None:
    settings = KafkaSettings(bootstrap=kafka)
    topics.create(settings)
    eventually(lambda: check_topics(kafka).found.endswith("set as they must be"), "all is well")
    topics.keep_for(settings, topics.CLAIMS, timedelta(hours=1))
    eventually(lambda: "claims: retention.ms" in check_topics(kafka).found, "the fault is found")
    assert check_topics(kafka).state == "wrong"
    topics.keep_for(settings, topics.CLAIMS, timedelta(days=30))
    eventually(lambda: check_topics(kafka).state == "ok", "all is well again")


def test_what_cannot_be_read_is_kept_as_long_as_was_asked(kafka: str) -> None:
    settings = KafkaSettings(bootstrap=kafka)
    topics.create(settings)
    topics.keep_for(settings, topics.QUARANTINE, timedelta(days=90))
    resource = topics.ConfigResource(topics.ConfigResource.Type.TOPIC, topics.QUARANTINE)
    client = AdminClient(topics.quiet(settings))  # to be held until the answer is there

    def kept_ms() -> str | None:
        return client.describe_configs([resource])[resource].result(10)["retention.ms"].value

    eventually(lambda: kept_ms() == str(90 * 86_400_000), "ninety days")


def test_free_disk_is_told(tmp_path: Path) -> None:
    archive, store = ArchiveSettings(dir=tmp_path / "not" / "yet"), StoreSettings(url=f"sqlite:///{tmp_path}/a.db")
    told = {finding.name: finding for finding in check.of_disks(Settings(archive=archive, store=store))}
    assert {"disk/archive", "disk/papers", "disk/store"} <= told.keys()
    assert "% free" in told["disk/archive"].found


def test_a_disk_that_is_nearly_full_is_found_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "LEAST_FREE", 1.01)  # as if this disk had too little room
    settings = Settings(archive=ArchiveSettings(dir=tmp_path), store=StoreSettings(url=f"sqlite:///{tmp_path}/a.db"))
    for finding in check.of_disks(settings):
        assert (finding.state, "fundwatch retain archive" in finding.to_do) == ("wrong", True)


def trusting(issuer: str) -> OidcSettings:
    return OidcSettings(
        issuer=issuer, client_secret=SecretStr("x"), redirect_url="https://feed/oidc/callback", roles={"a": "viewer"}
    )


def test_an_identity_provider_that_is_away_or_another_is_found_with_what_to_do() -> None:
    [nobody] = check.of_provider(trusting("http://127.0.0.1:9"))
    assert (nobody.state, "oidc.issuer" in nobody.to_do) == ("away", True)
    with provider_running() as provider:
        [found] = check.of_provider(trusting(provider.issuer))
        assert found.state == "ok"
        [other] = check.of_provider(trusting(provider.issuer + "/"))
        assert (other.state, provider.issuer in other.found) == ("wrong", True)
    assert not list(check.of_provider(OidcSettings()))


def test_a_clock_that_is_off_is_found_with_what_to_do(
    redis: Redis, own_redis: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, "MOST_SKEW_S", -1.0)  # as if no difference were small enough
    finding = check_redis(own_redis)
    assert (finding.state, "clock" in finding.found, "chrony" in finding.to_do) == ("wrong", True, True)


# the memory of another version


def test_a_new_memory_is_marked_as_ours(redis: Redis) -> None:
    Memory(redis, PREFIX).remember(())
    assert redis.get(f"{PREFIX}:schema") == b"%d" % rows.SCHEMA


@pytest.mark.parametrize("before", [None, 1], ids=["not marked", "marked"])
def test_a_memory_of_the_first_schema_is_read_and_from_then_on_ours(redis: Redis, before: int | None) -> None:
    """Its rows stay as they were, beside ours; a program that knows the first schema only will leave it alone."""
    Memory(redis, PREFIX).remember(())
    redis.zadd(f"{PREFIX}:f:person:P", {AS_IT_WAS: 1})
    redis.delete(f"{PREFIX}:schema")
    if before:
        redis.set(f"{PREFIX}:schema", before)
    view = Memory(redis, PREFIX).remember([settlement("04 08:01", org="B")])
    assert [row.org for row in view.file(("person", "P")).rows(Settlement, EVER, NEVER)] == ["A", "B"]
    assert redis.get(f"{PREFIX}:schema") == b"%d" % rows.SCHEMA


AS_IT_WAS = b'["setl","A","2024-03-04T08:00:00+08:00",null,"A","","","","",0,7,"P","bill","visit","41",4500,2250]'


@pytest.mark.parametrize(("theirs", "age"), [(rows.SCHEMA + 1, "a newer"), (min(rows.READABLE) - 1, "an older")])
def test_a_memory_of_another_version_is_left_as_it_is(redis: Redis, own_redis: str, theirs: int, age: str) -> None:
    Memory(redis, PREFIX).remember(())
    redis.set(f"{PREFIX}:schema", theirs)
    before = {key: redis.dump(key) for key in redis.scan_iter()}
    with pytest.raises(WrongMemoryError, match=age):
        Memory(redis, PREFIX).remember(())
    with pytest.raises(WrongMemoryError, match=r"docs/runbook/upgrade\.md"):
        Line(Settings(redis=RedisSettings(url=own_redis))).check()
    assert {key: redis.dump(key) for key in redis.scan_iter()} == before


def test_check_finds_a_memory_of_another_version(redis: Redis, own_redis: str) -> None:
    redis.set(f"{PREFIX}:schema", rows.SCHEMA + 1)
    assert "schema" in check_redis(own_redis).found


def test_another_prefix_is_another_memory(redis: Redis) -> None:
    redis.set(f"{PREFIX}:schema", rows.SCHEMA + 1)
    Memory(redis, "{" + fresh_prefix() + "}").remember(())


# alive, and ready


def test_a_part_is_stuck_when_its_loop_has_not_turned_for_a_minute() -> None:
    now = [0.0]
    status = Status("worker", "keeper", clock=lambda: now[0])
    now[0] = STALLED_S
    status.beat("worker")
    now[0] += 1
    assert set(status.stalled()) == {"keeper"}
    status.beat("keeper")
    assert status.stalled() == {}


def test_who_waits_for_a_server_is_alive_and_not_ready() -> None:
    status = Status("worker")
    status.lacks("redis", "away")
    assert (status.stalled(), status.missing()) == ({}, {"redis": "away"})
    status.has("redis")
    assert status.missing() == {}


def test_a_port_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port}"):
            serve(Status("worker"), "127.0.0.1", port)
