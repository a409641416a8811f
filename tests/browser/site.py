"""A feed to test against: a store of its own, accounts, and a server on a port that the system chose."""

import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import uvicorn
from sqlalchemy import text

from alerts.accounts import Role, account, add_account
from alerts.keeper import keep
from alerts.migrations import upgrade
from alerts.papers import Cabinet
from alerts.store import Store
from alerts.web.bounds import SHIPPED, Bounds
from alerts.web.context import Remembered
from alerts.web.gate import Gate
from alerts.web.provider import Provider
from alerts.web.server import create_app
from detectors.finding import Lead, Verdict
from tests.browser.leads import verdicts

SECRET = "a secret of more than thirty-two characters"
NAME, PASSWORD = "zhoumin", "correct-horse-9-battery"
DEADLINE_S = 20.0

T = TypeVar("T")


def now() -> datetime:
    return datetime.now(UTC)


def made_template(directory: Path) -> Path:
    """A store with its tables and one account, to be copied: hashing a password takes its time."""
    path = directory / "template.db"
    upgrade(f"sqlite:///{path}")
    store = Store.open(f"sqlite:///{path}")
    add_account(store, NAME, PASSWORD, Role.SCREENER, (), now(), "test")
    with store.engine.begin() as db:
        db.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    store.close()
    return path


def store_in(directory: Path, template: Path) -> Store:
    """A copy of the template."""
    path = directory / "alerts.db"
    shutil.copy(template, path)
    return Store.open(f"sqlite:///{path}")


def session_of(store: Store, clock: Callable[[], datetime] = now) -> str:
    """The cookie that a log-in would give."""
    who = account(store, NAME)
    assert who is not None
    return Gate(store, SECRET, clock).session(who)


def tell(store: Store, *leads: Lead, ticket: int = 1) -> None:
    """The keeper hears of these."""
    keep(store, list(verdicts(list(leads), ticket)), now())


def take_back(store: Store, *said: Verdict) -> None:
    keep(store, said, now())


def until(met: Callable[[], T]) -> T:
    """The first true answer; fails if there is none in time."""
    ends = time.monotonic() + DEADLINE_S
    while not (found := met()):
        assert time.monotonic() < ends, "waited in vain"
        time.sleep(0.02)
    return found


@contextmanager
def serving(
    store: Store,
    clock: Callable[[], datetime] = now,
    port: int = 0,
    remembered: Remembered | None = None,
    provider: Provider | None = None,
    cabinet: Cabinet | None = None,
    bounds: Bounds = SHIPPED,
) -> Iterator[str]:
    """The feed over HTTP; its address."""
    listening = socket.create_server(("127.0.0.1", port))
    app = create_app(
        store,
        secret=SECRET,
        clock=clock,
        remembered=remembered,
        provider=provider,
        bounds=bounds,
        cabinet=cabinet,
    )
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        until(lambda: server.started)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(DEADLINE_S)
        listening.close()
