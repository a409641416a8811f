"""The data directory of an embedded system: where everything lies, and ``run.json``, which tells others.

DIR/run.json      addresses and process ids, as others read them; also after the end, for the addresses
DIR/kafka  DIR/redis  DIR/alerts.db  DIR/archive  DIR/demo
DIR/logs          one file a process, and the one before it once it is too long
DIR/feed.secret  DIR/demo.password      made once, for the owner's eyes only
"""

import fcntl
import json
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_app.embedded import ports
from stream_app.embedded.process import kill_leftover

Run = dict[str, Any]  # Any: JSON


class AlreadyRunningError(Exception):
    """Another ``up`` runs in this directory."""


@dataclass(frozen=True, slots=True)
class Ports:
    """All on loopback. metrics: one for each worker."""

    kafka: int
    controller: int
    redis: int
    feed: int
    feed_metrics: int
    archive_metrics: int
    metrics: tuple[int, ...]


class Directory:
    """One data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.kafka = self.path / "kafka"
        self.redis = self.path / "redis"
        self.archive = self.path / "archive"
        self.demo = self.path / "demo"
        self.logs = self.path / "logs"
        self.store_url = f"sqlite:///{self.path / 'alerts.db'}"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Be the only ``up`` in this directory. Raises AlreadyRunningError. A kill -9 gives it free."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.path / "up.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                run = self.read()
                raise AlreadyRunningError(
                    f"fundwatch up runs in {self.path} already (process {run.get('up')}, feed {run.get('feed_url')}); "
                    "stop it with Ctrl-C, or name another directory with --data"
                ) from None
            yield

    def read(self) -> Run:
        """What run.json says, {} if there is none."""
        try:
            found: Run = json.loads((self.path / "run.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def write(self, run: Run) -> None:
        """Replace run.json in one step: nobody sees half of it."""
        draft = self.path / "run.json.new"
        draft.write_text(json.dumps(run, indent=2) + "\n")
        draft.replace(self.path / "run.json")

    def kill_leftovers(self) -> int:
        """End the processes that an ``up`` left behind which was killed itself. Returns how many there were."""
        started = self.read().get("started", {})
        return sum(kill_leftover(int(pid), since) for pid, since in started.items())

    def choose_ports(self, workers: int) -> Ports:
        """Those of the last time, where they are still free."""
        was = self.read().get("ports", {})
        metrics = [*was.get("metrics", []), *[None] * workers][:workers]
        others = [was.get(name) for name in ("kafka", "controller", "redis", "feed", "feed_metrics", "archive_metrics")]
        kafka, controller, redis, feed, of_feed, of_archive, *rest = ports.choose(*others, *metrics)
        return Ports(kafka, controller, redis, feed, of_feed, of_archive, metrics=tuple(rest))

    def secret(self, name: str, make: Callable[[], str] = lambda: secrets.token_urlsafe(48)) -> str:
        """What the file of this name holds; made the first time, readable by its owner only."""
        path = self.path / name
        if not path.exists():
            draft = os.open(path.with_suffix(".new"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(draft, "w") as out:
                out.write(make() + "\n")
            path.with_suffix(".new").replace(path)
        return path.read_text().strip()


def addresses(directory: Directory, chosen: Ports) -> Run:
    """The part of run.json that others need to find the system."""
    loopback = ports.LOOPBACK
    return {
        "kafka_address": f"{loopback}:{chosen.kafka}",
        "redis_url": f"redis://{loopback}:{chosen.redis}/0",
        "feed_url": f"http://{loopback}:{chosen.feed}/",
        "store_url": directory.store_url,
        "archive_dir": str(directory.archive),
        "metrics": [f"http://{loopback}:{port}/metrics" for port in chosen.metrics],
        "feed_metrics": f"http://{loopback}:{chosen.feed_metrics}/metrics",
        "archive_metrics": f"http://{loopback}:{chosen.archive_metrics}/metrics",
        "ports": {
            "kafka": chosen.kafka,
            "controller": chosen.controller,
            "redis": chosen.redis,
            "feed": chosen.feed,
            "feed_metrics": chosen.feed_metrics,
            "archive_metrics": chosen.archive_metrics,
            "metrics": list(chosen.metrics),
        },
    }
