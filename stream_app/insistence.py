"""A server that is away is waited for: the same work again and again, with back-off, until it succeeds."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import uniform
from typing import TypeVar

import structlog
from confluent_kafka import KafkaException
from redis.exceptions import RedisError

from alerts.engines import STORE_AWAY, StoreError
from stream_app import metrics
from stream_app.delivery import NotDelivered
from stream_app.metrics import Part
from stream_app.status import Status

log = structlog.get_logger()
T = TypeVar("T")

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 10.0
AWAY: dict[type[Exception], str] = {
    RedisError: "redis",
    KafkaException: "kafka",
    NotDelivered: "kafka",
    StoreError: "store",
    **dict.fromkeys(STORE_AWAY, "store"),
}


async def insist(thread: ThreadPoolExecutor, health: Status, work: Callable[[], T]) -> T:
    """Do it in the judging thread, again and again while a server is away."""
    return await asyncio.get_running_loop().run_in_executor(thread, insist_now, work, health, "worker")


def insist_now(work: Callable[[], T], health: Status, part: Part) -> T:
    """Blocks. What is no server's absence is raised. Who tries again is alive, and not ready."""
    pause, since = FIRST_PAUSE_S, time.monotonic()
    while True:
        try:
            return work()
        except tuple(AWAY) as error:
            server = next(name for kind, name in AWAY.items() if isinstance(error, kind))
            metrics.STATE_ERRORS.labels(server).inc()
            health.beat(part)
            health.lacks(server, f"away: {str(error)[:200]}")
            log.warning(
                "server.away",
                server=server,
                why=str(error)[:300],
                since_s=round(time.monotonic() - since, 1),
                todo=f"see that {server} runs and can be reached (fundwatch check); nothing is acknowledged meanwhile",
            )
            time.sleep(pause * uniform(0.8, 1.2))
            pause = min(LONGEST_PAUSE_S, pause * 2) if server != "redis" else min(2.0, pause * 2)
