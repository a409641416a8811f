"""Sending what waits: one process at a time holds the lease, and a thread for each target, so none delays another."""

import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Event

from alerts.engines import STORE_AWAY
from alerts.notify import queue
from alerts.notify.letters import letter
from alerts.notify.queue import WITHDRAWN, Waiting
from alerts.notify.senders import UndeliveredError, send
from alerts.notify.targets import MOST_A_MINUTE, Target, TargetKind
from alerts.store import Store

POLL_S = 1.0
LEASE = timedelta(seconds=30)
MINUTE = timedelta(minutes=1)
FOLD = 5  # more than so many at once come in one message
ROBOTS = frozenset({TargetKind.WECOM, TargetKind.DINGTALK})
FORGET_EVERY = timedelta(hours=6)

Clock = Callable[[], datetime]
Heard = Callable[[TargetKind, str, int], None]  # an outcome, and of how many messages

log = logging.getLogger(__name__)


class Courier:
    """Sends to one target. After a failure it rests, longer each time, so that one message finds out for all."""

    def __init__(self, store: Store, target: Target, link: str, clock: Clock, heard: Heard) -> None:
        self._store, self._target, self._link, self._clock, self._heard = store, target, link, clock, heard
        self._failures = 0
        self._rests_until: datetime | None = None

    def deliver(self) -> None:
        """All that may go now. Raises STORE_AWAY."""
        now = self._clock()
        if self._rests_until and now < self._rests_until:
            return
        waiting = self._worth_telling(queue.due(self._store, self._target.name, now))
        for parcel in parcels(self._target, waiting):
            if not (self._may_speak() and self._hand_over(parcel)):
                return

    def _may_speak(self) -> bool:
        if self._target.kind not in ROBOTS:
            return True
        return queue.tried_since(self._store, self._target.name, self._clock() - MINUTE) < MOST_A_MINUTE

    def _hand_over(self, parcel: Sequence[Waiting]) -> bool:
        now = self._clock()
        try:
            send(self._target, letter(self._store, self._target, parcel, self._link, now))
        except UndeliveredError as error:
            self._told("failed", len(parcel))
            given_up = queue.failed(self._store, parcel, str(error), now)
            self._told("dead", len(given_up))
            self._rests_until = now + queue.PAUSES[min(self._failures, 2)]
            self._failures += 1
            log.warning("notification_failed", extra={"target": self._target.name, "why": str(error)})
            return False
        queue.sent(self._store, parcel, now)
        self._told("sent", len(parcel))
        self._failures, self._rests_until = 0, None
        return True

    def _worth_telling(self, messages: Sequence[Waiting]) -> list[Waiting]:
        """Without leads whose ground is gone before they were told of."""
        rows = self._store.rows(one.alert_id for one in messages)
        gone = [one for one in messages if one.told != WITHDRAWN and rows[one.alert_id].status == WITHDRAWN]
        queue.dropped(self._store, gone)
        self._told("dropped", len(gone))
        return [one for one in messages if one not in gone]

    def _told(self, outcome: str, count: int) -> None:
        if count:
            self._heard(self._target.kind, outcome, count)


def parcels(target: Target, waiting: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """What goes in one message: a digest, or many at once; else, and to programs always, one lead."""
    at_once = [one for one in waiting if not one.in_digest]
    if target.kind is TargetKind.WEBHOOK or len(at_once) <= FOLD:
        yield from ([one] for one in at_once)
    elif at_once:
        yield at_once
    if digest := [one for one in waiting if one.in_digest]:
        yield digest


def deliver_forever(
    store: Store,
    targets: Sequence[Target],
    link: str,
    *,
    holder: str,
    stop: Event,
    clock: Clock,
    heard: Heard = lambda kind, outcome, count: None,
    beat: Callable[[bool], None] = lambda store_answers: None,
) -> None:
    """Queue and send until ``stop``. holder: a name that no other process has.

    beat: called at every turn, with whether the store answered.
    """
    couriers = [Courier(store, target, link, clock, heard) for target in targets]
    running: dict[int, Future[None]] = {}
    held_until = forgot = clock()
    with ThreadPoolExecutor(max_workers=max(1, len(couriers)), thread_name_prefix="courier") as pool:
        while not stop.wait(POLL_S):
            now = clock()
            try:
                if held_until - now < LEASE / 2 and store.take_lease(queue.READER, holder, now, now + LEASE):
                    held_until = now + LEASE
                if held_until > now:
                    _heard_of_each(targets, queue.fill(store, targets, now), heard)
                    _set_out(pool, couriers, running)
                    if now - forgot > FORGET_EVERY:
                        queue.forget(store, now)
                        forgot = now
                beat(True)
            except STORE_AWAY:
                beat(False)
    with suppress(*STORE_AWAY):
        store.drop_lease(queue.READER, holder)


def _set_out(pool: ThreadPoolExecutor, couriers: Sequence[Courier], running: dict[int, Future[None]]) -> None:
    """Each courier that is back goes again. Raises what ended its last round."""
    for number, courier in enumerate(couriers):
        if number in running and not running[number].done():
            continue
        if number in running:
            running.pop(number).result()
        running[number] = pool.submit(courier.deliver)


def _heard_of_each(targets: Sequence[Target], overflow: dict[str, int], heard: Heard) -> None:
    for target in targets:
        if count := overflow.get(target.name, 0):
            heard(target.kind, "dropped", count)
