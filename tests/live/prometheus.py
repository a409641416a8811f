"""A real Prometheus over parts that really run, for tests and for the rehearsal of incidents."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from urllib.request import urlopen

import yaml

from stream_app.embedded import ports
from tests.live.servers import ROOT, absent, eventually, spawn

RULES = ROOT / "deploy" / "prometheus"
STOP_WITHIN_S = 20.0


class Prometheus:
    """Asked over its API."""

    def __init__(self, address: str) -> None:
        self.address = address

    def query(self, expr: str) -> list[dict[str, Any]]:  # Any: JSON
        """The series of an instant query; raises HTTPError if it does not parse."""
        return list(self._get(f"/api/v1/query?query={quote(expr)}")["data"]["result"])

    def firing(self) -> set[str]:
        """Names of the alerts that fire."""
        found = self._get("/api/v1/alerts")["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in found if alert["state"] == "firing"}

    def is_ready(self) -> bool:
        try:
            with urlopen(f"{self.address}/-/ready", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def _get(self, path: str) -> Any:
        """Any: JSON."""
        with urlopen(self.address + path, timeout=10) as answer:
            return json.loads(answer.read())


@contextmanager
def prometheus_running(
    folder: Path, targets: Mapping[str, Sequence[str]], rules: Sequence[Path] = (), every: str = "1s"
) -> Iterator[Prometheus]:
    """targets: addresses of /metrics by job. rules: files; by default those of deploy."""
    program = shutil.which("prometheus") or absent(
        "Prometheus is not installed: apt-get install --no-install-recommends prometheus"
    )
    [port] = ports.choose(None)
    config = {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "rule_files": [str(file) for file in rules or (RULES / "slo.yml", RULES / "causes.yml")],
        "scrape_configs": [
            {"job_name": job, "static_configs": [{"targets": [urlsplit(address).netloc for address in addresses]}]}
            for job, addresses in targets.items()
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    command = [
        program,
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = spawn(command, folder / "prometheus.log")
    prometheus = Prometheus(f"http://127.0.0.1:{port}")
    try:
        eventually(prometheus.is_ready, f"Prometheus answers (its log: {folder}/prometheus.log)")
        yield prometheus
    finally:
        process.terminate()
        process.wait(STOP_WITHIN_S)
