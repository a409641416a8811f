"""A feed that nobody can read stops the worker; it is not swallowed: real Kafka, real Redis, a real worker."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka import Producer

from alerts.migrations import upgrade
from replay.lag import Group
from stream_app import quarantine, topics
from stream_app.settings import KafkaSettings
from tests.live.servers import ROOT, fresh_prefix, kafka_running

ENDS_WITHIN_S = 60.0
FLOOD = 3_000
NO_EVENT = json.dumps({"event_type": "swipe", "psn_no": "p1"}).encode()


@pytest.fixture
def flooded(tmp_path: Path, redis_server: str):
    """A system of its own, whose ``claims`` hold a flood. Gives Kafka's settings and the worker's environment."""
    with kafka_running(tmp_path / "kafka") as running:
        kafka = KafkaSettings(bootstrap=running.address, partitions=2)
        topics.create(kafka)
        producer = Producer(topics.quiet(kafka))
        for _ in range(FLOOD):
            producer.produce(topics.CLAIMS, NO_EVENT, b"p1")
        producer.flush()
        store = f"sqlite:///{tmp_path}/alerts.db"
        upgrade(store)
        environment = {
            "FUNDWATCH_KAFKA__BOOTSTRAP": running.address,
            "FUNDWATCH_REDIS__URL": redis_server,
            "FUNDWATCH_REDIS__PREFIX": fresh_prefix(),
            "FUNDWATCH_STORE__URL": store,
            "FUNDWATCH_METRICS__PORT": "0",
        }
        yield kafka, environment


def test_a_flood_stops_the_worker_with_a_clear_message_each_time_and_is_not_acknowledged(flooded) -> None:
    kafka, environment = flooded
    group = Group(topics.quiet(kafka), kafka.group)
    for _ in range(2):  # who starts it again without mending the feed gets no further
        worker = subprocess.run(
            [sys.executable, "-m", "stream_app", "worker"],
            cwd=ROOT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=ENDS_WITHIN_S,
            check=False,
        )
        assert worker.returncode == 1
        told = [json.loads(line) for line in worker.stderr.splitlines() if line.startswith("{")]
        [why] = [line for line in told if line["event"] == "feed.flood"]
        assert why["level"] == "critical"
        assert "cannot be read: missing event_id" in why["why"]
        assert "fundwatch quarantine list" in why["todo"]
        assert group.behind(group.ends([topics.CLAIMS])) == FLOOD
    assert [*quarantine.kept(topics.quiet(kafka))] == []
