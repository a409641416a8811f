"""A few faults on the whole line, drawn by a seed; ``make chaos`` makes as many as one likes."""

import asyncio
from pathlib import Path

import pytest

from stream_app.embedded import kafka_server, redis_server
from stream_app.embedded.jars import JarsError, kafka_jars
from tests.chaos.run import Plan, disturbed
from tests.live.servers import absent

PLAN = Plan(seed=3, faults=5, persons=300, pass_s=10.0)


@pytest.fixture(autouse=True)
def _servers_can_be_had() -> None:
    try:
        kafka_server.find_java()
        kafka_jars()
        redis_server.find_server()
    except (JarsError, redis_server.RedisMissingError) as error:
        absent(str(error))


def test_five_faults_at_random_leave_alerts_quarantine_and_archive_complete(tmp_path: Path) -> None:
    told: list[str] = []
    outcome = asyncio.run(disturbed(PLAN, tmp_path, told.append))
    assert outcome.wrong == [], told
    assert len(outcome.struck) == PLAN.faults
    assert outcome.alerts >= 10
