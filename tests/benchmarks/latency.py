"""How long from an event's moment to the alert it raises, stored: at planned rates, however far behind the line is.

Open loop: messages leave at planned times, and each wait counts from there: a line that cannot follow shows it. Every
PROBE_EVERY events of the recording somebody is seen at two far places within ten minutes; that alert is waited for.
"""

import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from itertools import count, islice
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import msgspec
from confluent_kafka import Producer

from alerts.kept import Filter
from alerts.store import Store
from detectors.wire import read
from replay.send import envelope
from stream_app import topics
from stream_app.embedded.directory import Directory
from stream_app.settings import KafkaSettings
from tests.benchmarks.figures import Figure
from tests.benchmarks.recordings import Recording
from tests.benchmarks.servers import send, split
from tests.live.servers import eventually, system_running

RATES = ((250, 20.0), (500, 20.0), (1_000, 15.0), (2_000, 10.0), (5_000, 4.0), (10_000, 2.0))  # events/s, seconds
PROBE_EVERY = 50
APART = timedelta(minutes=10)
FAR = {"H99990000001": (120.0, 30.0), "H99990000002": (121.0, 31.0)}  # institution: longitude, latitude; 146 km
SETTLED_WITHIN_S = 300.0
GLANCE_S = 2.0
TURN_S = 0.002


class Planned(NamedTuple):
    """A message, and its moment in seconds after the first."""

    raw: bytes
    at_s: float
    probe: str = ""  # the event that completes an alert


def latency(recording: Recording) -> Iterator[Figure]:
    """Of each rate: half, 99 % and 99.9 % of the probes' alerts were stored within so long."""
    with tempfile.TemporaryDirectory() as folder:
        total = sum(round(rate * seconds) for rate, seconds in RATES)
        reference, stream, _ = split(recording, Path(folder), total)
        with reference.open("ab") as file:
            file.writelines(_institution(code) + b"\n" for code in FAR)
        data = Path(folder) / "data"
        with system_running(data, "--no-demo"), stream.open("rb") as told:
            run = Directory(data)
            eventually(lambda: bool(run.read().get("worker")), f"the system is up ({data}/up.log)", 120)
            send(data, reference, "--wait")
            numbers = count()
            for rate, seconds in RATES:
                lines = list(islice((line.rstrip(b"\n") for line in told), round(rate * seconds)))
                yield from _at(rate, list(_planned(lines, rate, numbers)), run)


def _at(rate: int, plan: Sequence[Planned], run: Directory) -> Iterator[Figure]:
    began_s, latest_s = _sent(plan, run)
    due = {message.probe: began_s + message.at_s for message in plan if message.probe}
    with closing(Store.open(run.store_url)) as store:
        stored = _stored(store)
        deadline = time.monotonic() + SETTLED_WITHIN_S
        while due.keys() - stored.keys():
            assert time.monotonic() < deadline, f"not stored: {len(due.keys() - stored.keys())} of {len(due)}"
            time.sleep(GLANCE_S)  # looking costs the line something, too
            stored = _stored(store)
    waits = sorted(stored[probe] - at for probe, at in due.items())
    cuts = quantiles(waits, n=1000)
    note = f"{len(waits)} alerts among {len(plan):,} events; the sender was at most {latest_s * 1000:.0f} ms late"
    for name, value in (("p50", cuts[499]), ("p99", cuts[989]), ("p99.9", cuts[998])):
        yield Figure("latency", f"{rate:,} events/s, to stored alert, {name}", value * 1000, "ms", note)
        note = ""


def _planned(lines: Sequence[bytes], rate: int, numbers: Iterator[int]) -> Iterator[Planned]:
    for place, raw in enumerate(lines):
        yield Planned(raw, place / rate)
        if place % PROBE_EVERY == PROBE_EVERY - 1:
            number, at = next(numbers), read(raw).happened_at
            (here, there), probe = FAR, f"probe-{number}-2"
            yield Planned(_seen(number, f"probe-{number}-1", here, at - APART), place / rate)
            yield Planned(_seen(number, probe, there, at), place / rate, probe)


def _seen(number: int, event_id: str, org: str, at: datetime) -> bytes:
    told = {"event_id": event_id, "event_type": "swipe", "biz_time": at.isoformat(), "recv_time": at.isoformat()}
    return msgspec.json.encode({**told, "psn_no": f"PROBE{number}", "fixmedins_code": org, "mdtrt_cert_type": "03"})


def _institution(code: str) -> bytes:
    since = "2025-01-01T00:00:00+08:00"
    told = {"event_id": f"ref-{code}", "event_type": "ref.org", "biz_time": since, "valid_from": since}
    (lon, lat) = FAR[code]
    return msgspec.json.encode({**told, "fixmedins_code": code, "kind": "hospital", "lon": lon, "lat": lat})


def _sent(plan: Sequence[Planned], run: Directory) -> tuple[float, float]:
    """When the first left, in seconds since 1970, and how far behind its plan the sender ever was."""
    producer = Producer({**topics.quiet(KafkaSettings(bootstrap=run.read()["kafka_address"])), "linger.ms": 2})
    began_s, latest_s = time.time(), 0.0
    for message in plan:
        while (early_s := began_s + message.at_s - time.time()) > 0:
            producer.poll(min(TURN_S, early_s))
        latest_s = max(latest_s, -early_s)
        goes = envelope(message.raw)
        producer.produce(goes.topic, message.raw, goes.key)
    producer.flush(SETTLED_WITHIN_S)
    return began_s, latest_s


def _stored(store: Store) -> dict[str, float]:
    """When the alert of each probe was stored, in seconds since 1970."""
    return {
        event: alert.raised_at.timestamp()
        for alert in store.alerts(Filter(detectors=frozenset({"geo_time_conflict"})))
        for event in alert.events
        if event.startswith("probe-") and event.endswith("-2")
    }
