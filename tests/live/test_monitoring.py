"""What worker, keeper, feed and archive really show, read by a real Prometheus with the rules loaded."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from http.cookiejar import CookieJar
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener, urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from alerts.store import Store
from models.versions import Registry, load
from replay.simulate.city import Plan
from replay.simulate.simulation import Simulation
from stream_app.embedded import kafka_server, redis_server
from stream_app.embedded.directory import Directory, Run
from stream_app.embedded.jars import JarsError, kafka_jars
from stream_app.embedded.up import DEMO_MODEL
from stream_app.metrics import CATALOGUE, Part
from stream_app.settings import Settings
from tests.live.prometheus import Prometheus, prometheus_running
from tests.live.servers import ROOT, absent, eventually, system_running
from tests.test_dashboards import queries, runnable

PLAN = Plan(
    persons=500,
    days=10,
    seed=4,
    start=datetime.fromisoformat("2026-03-02T00:00:00+08:00"),
    families=("all",),
    intensity=5.0,
)
UP_WITHIN_S, SEEN_WITHIN_S = 120.0, 60.0
PASSWORD = "correct horse battery staple"


@pytest.fixture(scope="module", autouse=True)
def _servers_can_be_had() -> None:
    try:
        kafka_server.find_java()
        kafka_jars()
        redis_server.find_server()
    except (JarsError, redis_server.RedisMissingError) as error:
        absent(str(error))


class System:
    """A running ``up``, and somebody who reads its feed."""

    def __init__(self, data: Path) -> None:
        self.data = data

    def run(self) -> Run:
        return Directory(self.data).read()

    def targets(self) -> dict[str, list[str]]:
        run = self.run()
        return {
            "fundwatch-worker": run["metrics"],
            "fundwatch-feed": [run["feed_metrics"]],
            "fundwatch-archive": [run["archive_metrics"]],
        }

    def fundwatch(self, *arguments: str, **environment: str) -> None:
        command = [sys.executable, "-m", "stream_app", *arguments, "--data", str(self.data)]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, timeout=150, check=False, env=os.environ | environment
        )
        assert done.returncode == 0, done.stderr

    def reader(self) -> OpenerDirector:
        """Somebody who is logged in."""
        file = self.data / "password"
        file.write_text(PASSWORD)
        self.fundwatch("user", "add", "wang", "--role", "reviewer", "--password-file", str(file))
        reader = build_opener(HTTPCookieProcessor(CookieJar()))
        form = urlencode({"name": "wang", "password": PASSWORD}).encode()
        reader.open(self.run()["feed_url"] + "login", form, timeout=10).close()
        return reader


def part_answers(address: str) -> bool:
    try:
        with urlopen(address, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    data = tmp_path_factory.mktemp("watched")
    with system_running(data, "--no-demo"):
        system = System(data)
        eventually(lambda: "feed_metrics" in system.run(), f"addresses ({data}/up.log)", UP_WITHIN_S)
        for addresses in system.targets().values():
            for address in addresses:
                ready = address.replace("/metrics", "/readyz")
                eventually(lambda at=ready: part_answers(at), f"{ready} ({data}/logs)", UP_WITHIN_S)  # type: ignore[misc]
        yield system


@contextmanager
def nightly_job(folder: Path, city: Path) -> Iterator[str]:
    """The drift of that city's days from those of the demo's model, shown as node_exporter shows the file."""
    registry, version = folder / "models", load(DEMO_MODEL).manifest.version
    shutil.copytree(DEMO_MODEL, registry / version)
    Registry(registry).promote(version, PLAN.start, PLAN.start)
    command = [sys.executable, "-m", "stream_app", "model", "show", "promoted", str(city), "--registry", str(registry)]
    subprocess.run([*command, "--metrics", str(folder / "metrics")], cwd=ROOT, timeout=150, check=True)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(TextFile, directory=str(folder))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()


class TextFile(SimpleHTTPRequestHandler):
    """A folder of files, as Prometheus wants them."""

    def guess_type(self, path: Any) -> str:
        """Any: a path of some kind."""
        return "text/plain; version=0.0.4"

    def log_message(self, *_: Any) -> None:
        """Any: what would be logged."""


@pytest.fixture(scope="module")
def prometheus(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """It sees a city come, and somebody who reads what comes of it."""
    city = tmp_path_factory.mktemp("city") / "city.ndjson"
    city.write_bytes(b"".join(line + b"\n" for line in Simulation(PLAN).lines()))
    reader = system.reader()
    with (
        nightly_job(tmp_path_factory.mktemp("textfiles"), city) as job,
        prometheus_running(tmp_path_factory.mktemp("prometheus"), {**system.targets(), "nightly": [job]}) as prometheus,
    ):
        eventually(lambda: len(prometheus.query("up == 1")) == 4, "all parts are scraped")
        with reader.open(system.run()["feed_url"] + "api/v1/alerts/stream", timeout=60):
            system.fundwatch("send", str(city), "--wait")
            for _ in range(3):
                reader.open(system.run()["feed_url"] + "api/v1/alerts", timeout=10).close()
        yield prometheus


@pytest.mark.parametrize(
    ("job", "parts"),
    [
        ("fundwatch-worker", ("worker", "keeper")),
        ("fundwatch-feed", ("feed",)),
        ("fundwatch-archive", ("archive",)),
    ],
)
def test_a_running_part_shows_the_metrics_of_the_catalogue(
    system: System, prometheus: Prometheus, job: str, parts: tuple[Part, ...]
) -> None:
    [address] = system.targets()[job]
    with urlopen(address, timeout=10) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    shown = {(f.name, f.type) for f in families if f.name.startswith("fundwatch_")}
    wanted = [metric for metric in CATALOGUE.values() if not set(parts).isdisjoint(metric.parts)]
    assert shown == {(metric.name.removesuffix("_total"), metric.kind) for metric in wanted}
    for family in families:
        for sample in family.samples:
            metric = CATALOGUE.get(family.name) or CATALOGUE.get(f"{family.name}_total")
            for label, value in sample.labels.items():
                known = metric.labels[label] if metric and label != "le" else ()
                assert not known or value in known, sample


def test_every_query_of_every_dashboard_finds_something(prometheus: Prometheus) -> None:
    left = set(queries())

    def all_found() -> bool:
        left.difference_update({expr for expr in left if prometheus.query(runnable(expr, "30s"))})
        return not left

    try:
        eventually(all_found, "a series for each query", SEEN_WITHIN_S)
    except AssertionError:
        assert left == set()


def test_the_figures_are_those_of_the_city(prometheus: Prometheus, system: System) -> None:
    rows = [json.loads(line) for line in Simulation(PLAN).lines()]
    lines, ids = len(rows), [row["event_id"] for row in rows if not row["event_type"].startswith("ref.")]
    repeats = len(ids) - len(set(ids))
    store = Store.open(Settings.load(data_dir=system.data).store.url)
    try:
        opened = sum(1 for _ in store.alerts())
    finally:
        store.close()
    wanted = {
        "sum(fundwatch_events_ingested_total) + sum(fundwatch_events_test_total)": lines,
        "sum(fundwatch_event_end_to_end_seconds_count)": lines,
        'sum(fundwatch_alerts_emitted_total{change="created"})': opened,
        "sum(fundwatch_events_duplicate_total)": repeats,
        "sum(fundwatch_consumer_lag_messages)": 0,
        "max(fundwatch_alerts_unpublished)": 0,
    }
    at_least_one = (
        "fundwatch_detector_evaluations_total",
        "fundwatch_alert_latency_seconds_count",
        "fundwatch_feed_push_seconds_count",
        "fundwatch_state_operation_seconds_count",
        "fundwatch_consumer_rebalances_total",
        "fundwatch_http_requests_total",
    )
    found: dict[str, float | None] = {}

    def as_wanted() -> bool:
        found.update({expr: value(prometheus, expr) for expr in wanted})
        return found == wanted

    with suppress(AssertionError):
        eventually(as_wanted, "the figures")
    assert found == wanted
    assert [name for name in at_least_one if not value(prometheus, f"sum({name})")] == []


def value(prometheus: Prometheus, expr: str) -> float | None:
    found = prometheus.query(expr)
    return float(found[0]["value"][1]) if found else None


def test_nobody_is_called_while_all_is_well(prometheus: Prometheus) -> None:
    eventually(lambda: "FundwatchWatchdog" in prometheus.firing(), "the watchdog fires")
    pages = prometheus.query('ALERTS{alertstate="firing", severity="page", alertname!="FundwatchErrorBudgetBurn"}')
    assert pages == []


def test_a_part_that_is_not_ready_says_what_it_waits_for(system: System) -> None:
    [address] = system.targets()["fundwatch-feed"]
    assert answer_of(address.replace("/metrics", "/readyz")) == (200, {"status": "ok"})
    assert answer_of(address.replace("/metrics", "/healthz")) == (200, {"status": "ok"})
    assert answer_of(address.replace("/metrics", "/elsewhere"))[0] == 404


def answer_of(address: str) -> tuple[int, Any]:
    """Any: JSON, or None."""
    try:
        with urlopen(address, timeout=5) as answer:
            return answer.status, json.loads(answer.read())
    except HTTPError as error:
        return error.code, None
