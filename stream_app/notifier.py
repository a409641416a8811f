"""Messages to others as a process of its own, with what it shows of itself."""

import os
import signal
import socket
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, time
from threading import Event

from alerts.notify import queue
from alerts.notify.delivery import deliver_forever
from alerts.notify.targets import Mail, Target, TargetKind
from alerts.store import Store
from detectors.finding import Level
from stream_app import metrics, status
from stream_app.settings import MailSettings, NotifySettings, Settings, TargetSettings


def targets_of(told: NotifySettings) -> list[Target]:
    """Those that are set, by name."""
    return [_target(name, told.targets[name]) for name in sorted(told.targets)]


def run_notifier(settings: Settings) -> None:
    """Queue and send until SIGTERM or SIGINT. Raises StoreError if the store is not made ready."""
    targets, stop = targets_of(settings.notify), Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    health = status.Status("notify")
    status.serve(health, settings.metrics.host, settings.metrics.notify_port)
    store = Store.open(settings.store.url)
    try:
        store.check_ready()
        queue.begin(store)
        deliver_forever(
            store,
            targets,
            settings.notify.link,
            holder=f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}",
            stop=stop,
            clock=lambda: datetime.now(UTC),
            heard=lambda kind, outcome, count: metrics.NOTIFICATIONS.labels(kind, outcome).inc(count),
            beat=lambda answers: _beat(health, store, targets, answers),
        )
    finally:
        store.close()


def _beat(health: status.Status, store: Store, targets: Sequence[Target], answers: bool) -> None:
    health.beat("notify")
    if not answers:
        health.lacks("store", "the alert store does not answer")
        return
    health.has("store")
    waiting = dict.fromkeys(TargetKind, 0)
    counts = queue.counts(store)
    for target in targets:
        waiting[target.kind] += counts.get((target.name, queue.WAITING), 0)
    for kind, number in waiting.items():
        metrics.NOTIFICATIONS_WAITING.labels(kind).set(number)


def _target(name: str, told: TargetSettings) -> Target:
    return Target(
        name=name,
        kind=TargetKind(told.kind),
        url=told.url.get_secret_value() if told.url else "",
        secret=told.secret.get_secret_value() if told.secret else "",
        mail=_mail(told.mail) if told.mail else None,
        levels=frozenset(map(Level, told.levels)),
        detectors=frozenset(told.detectors),
        areas=tuple(told.areas),
        quiet=told.quiet,
        digest_at=told.digest_at if isinstance(told.digest_at, time) else None,
        lang=told.lang,
    )


def _mail(told: MailSettings) -> Mail:
    return Mail(
        host=told.host,
        port=told.port,
        starttls=told.starttls,
        cafile=str(told.cafile) if told.cafile else None,
        login=told.login,
        password=told.password.get_secret_value() if told.password else "",
        sender=told.sender,
        to=tuple(told.to),
    )
