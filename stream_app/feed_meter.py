"""What Prometheus reads of the feed: what it tells of itself, and what its store holds."""

from contextlib import suppress
from datetime import UTC, datetime
from itertools import count, product
from threading import Thread
from time import sleep
from typing import Literal

from sqlalchemy import case, func, select, text

from alerts import tables as t
from alerts.engines import STORE_AWAY, StoreError
from alerts.store import Store
from alerts.web.meter import Meter
from detectors.finding import Level
from stream_app import metrics, triage
from stream_app.status import Status
from stream_app.triage import FirstMoves

SAMPLE_S = 10.0  # how often the store is counted
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
CHANGED_MEANWHILE = 412  # of a write with If-Match
STATES = ("open", "snoozed", "inhibited")


class FeedMeter(Meter):
    """Turns what the feed tells into metrics and into its status."""

    def __init__(self, health: Status) -> None:
        self._health = health

    def answered(self, method: str, route: str, status: int, took_s: float | None) -> None:
        known = method if method in METHODS else "OTHER"
        metrics.HTTP.labels(known, route, f"{status // 100}xx").inc()
        if status == CHANGED_MEANWHILE:
            metrics.CONFLICTS.inc()
        if took_s is not None:
            metrics.HTTP_SECONDS.labels(known, route).observe(took_s)

    def clients(self, number: int) -> None:
        metrics.CLIENTS.set(number)

    def pushed(self, after_s: float) -> None:
        metrics.PUSH.observe(max(0.0, after_s))

    def resynced(self, reason: Literal["slow", "gap"]) -> None:
        metrics.RESYNCS.labels(reason).inc()

    def revealed(self, why: str) -> None:
        metrics.REVEALS.labels(why).inc()

    def beat(self) -> None:
        self._health.beat("feed")
        self._health.has("store")

    def away(self, why: str) -> None:
        self._health.beat("feed")
        self._health.lacks("store", why)


def sample(store: Store, now: datetime) -> None:
    """Count what stands in the store, once. Raises STORE_AWAY."""
    a = t.alert.c
    state = case((a.snoozed_until > now, "snoozed"), (a.inhibited_by.is_not(None), "inhibited"), else_="open")
    query = select(a.level_rank, state, func.count()).where(a.status == "open").group_by(a.level_rank, text("2"))
    with store.engine.connect() as db:
        counted = {(rank, name): number for rank, name, number in db.execute(query)}
    for level, name in product(Level, STATES):
        metrics.ALERTS_STANDING.labels(level.value, name).set(counted.get((level.rank, name), 0))
    metrics.UNPUBLISHED.set(max(0, store.last_seq() - store.position("alerts")))


def sample_forever(store_url: str) -> None:
    """Count every SAMPLE_S in a thread of its own; while the store is away the last count stands."""

    def work() -> None:
        store = Store.open(store_url)
        moves = FirstMoves(store)
        for turn in count():
            with suppress(*STORE_AWAY, StoreError):
                now = datetime.now(UTC)
                sample(store, now)
                moves.look()
                if turn % round(triage.EVERY_S / SAMPLE_S) == 0:
                    triage.sample(store, now)
            sleep(SAMPLE_S)

    Thread(target=work, name="store sampler", daemon=True).start()
