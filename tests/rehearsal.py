"""Three incidents, rehearsed over the running system with the real rules: which alert comes, and after how long.

    python -m tests.rehearsal --out docs/runbook/rehearsal.md        about half an hour, in working hours of China
    python -m tests.rehearsal --any-hour                             the same, as if working hours lasted all day
    python -m tests.rehearsal --pace 10                              every duration in the rules a tenth

A worker is stopped by a signal; a detector is made to open 150 alerts at once; then nothing comes any more.
"""

import json
import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import yaml

from stream_app.embedded.directory import Directory
from tests.live.prometheus import RULES, Prometheus, prometheus_running
from tests.live.servers import ROOT, eventually, spawn, system_running

PATIENCE_S = 30 * 60
ALERTS = 150
QUIET_S = 60  # before the first incident: a rate needs a before
OWN = {"FundwatchWatchdog", "FundwatchErrorBudgetBurn"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
BUSINESS_DAY = datetime(2026, 3, 12, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Outcome:
    """What one incident brought. others: alerts that fired beside the one that was to."""

    incident: str
    done: str
    alert: str
    after_s: float
    others: tuple[str, ...]


def faster(text: str, pace: float) -> str:
    """Every duration of the rules divided; the share of a minute that a heartbeat may be old as well."""
    if pace == 1:
        return text
    shorter = lambda m: f"{max(1, round(int(m[2]) * SECONDS[m[3]] / pace))}s"  # noqa: E731
    text = re.sub(r"(\[|offset |for: )(\d+)([smhd])", lambda m: m[1] + shorter(m), text)
    return text.replace("timestamp_seconds > 60", f"timestamp_seconds > {60 / pace:g}")


def at_any_hour(text: str) -> str:
    """The rules without the working hours of China."""
    return re.sub(r"hour\(\) >= \d+ and hour\(\) <= \d+", "hour() >= 0", text)


def sale(code: int, store: int, minute: int) -> bytes:
    """One box of a drug; the same code at a second store is what trace_code_repeat tells of."""
    at = BUSINESS_DAY + timedelta(minutes=minute)
    told = {
        "event_id": f"rehearsal-{code}-{store}",
        "event_type": "sale",
        "biz_time": at.isoformat(),
        "recv_time": at.isoformat(),
        "fixmedins_code": f"P3301021{store:04}",
        "sale_type": "sale",
        "med_list_codg": "XA01",
        "cnt": "1",
        "drug_trac_codg": [f"81234560000000{code:06}"],
    }
    return json.dumps(told).encode() + b"\n"


class Rehearsal:
    """One run over one system."""

    def __init__(self, data: Path, prometheus: Prometheus, pace: float) -> None:
        self.data, self.prometheus, self.pace = data, prometheus, pace

    def send(self, name: str, lines: Iterator[bytes]) -> None:
        file = self.data / f"{name}.ndjson"
        file.write_bytes(b"".join(lines))
        command = [sys.executable, "-m", "stream_app", "send", str(file), "--wait", "--data", str(self.data)]
        assert spawn(command, self.data / "send.log").wait(120) == 0, (self.data / "send.log").read_text()

    def until(self, alert: str, since: float) -> tuple[float, tuple[str, ...]]:
        """How long since then until it fires, and what else fires."""
        within = PATIENCE_S / self.pace + 120
        eventually(lambda: alert in self.prometheus.firing(), f"{alert} fires", within)
        return time.monotonic() - since, tuple(sorted(self.prometheus.firing() - OWN - {alert}))

    def stuck(self) -> Outcome:
        pid = int(Directory(self.data).read()["worker"][-1])
        since = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        try:
            after, others = self.until("FundwatchTargetDown", since)
        finally:
            os.kill(pid, signal.SIGCONT)
        eventually(lambda: "FundwatchTargetDown" not in self.prometheus.firing(), "the alert ends after SIGCONT", 180)
        return Outcome("worker stuck", "SIGSTOP to one of two workers", "FundwatchTargetDown", after, others)

    def flood(self) -> Outcome:
        since = time.monotonic()
        self.send("flood", (sale(code, store, code) for code in range(1, ALERTS + 1) for store in (1, 2)))
        after, others = self.until("FundwatchAlertFlood", since)
        done = f"{ALERTS} trace codes sold at two stores each, sent at once"
        return Outcome("detector flood", done, "FundwatchAlertFlood", after, others)

    def silence(self, since: float) -> Outcome:
        after, others = self.until("FundwatchNoEvents", since)
        return Outcome("feed silent", "nothing is sent any more", "FundwatchNoEvents", after, others)


@contextmanager
def running(folder: Path, pace: float, any_hour: bool) -> Iterator[Rehearsal]:
    data = folder / "data"
    with system_running(data, "--no-demo", "--workers", "2"):
        directory = Directory(data)
        eventually(lambda: len(directory.read().get("worker", [])) == 2, f"two workers ({data}/up.log)", 120)
        run = directory.read()
        targets = {
            "fundwatch-worker": run["metrics"],
            "fundwatch-feed": [run["feed_metrics"]],
            "fundwatch-archive": [run["archive_metrics"]],
        }
        rules = []
        for name in ("slo.yml", "causes.yml"):
            rules.append(folder / name)
            text = (RULES / name).read_text()
            rules[-1].write_text(faster(at_any_hour(text) if any_hour else text, pace))
        with prometheus_running(folder, targets, rules, every="5s" if pace == 1 else "1s") as prometheus:
            eventually(lambda: len(prometheus.query("up == 1")) == 4, "all parts are scraped", 60)
            yield Rehearsal(data, prometheus, pace)


def rehearse(pace: float, any_hour: bool) -> Iterator[Outcome]:
    with tempfile.TemporaryDirectory() as folder, running(Path(folder), pace, any_hour) as rehearsal:
        rehearsal.send("before", (sale(code, 3, code) for code in range(1_001, 1_101)))
        time.sleep(QUIET_S / pace)
        yield rehearsal.stuck()
        flood = rehearsal.flood()
        since = time.monotonic() - flood.after_s
        yield flood
        yield rehearsal.silence(since)


def page(outcomes: list[Outcome], pace: float, any_hour: bool) -> str:
    """docs/runbook/rehearsal.md."""
    rules = [rule for group in yaml.safe_load((RULES / "causes.yml").read_text())["groups"] for rule in group["rules"]]
    severity = {rule["alert"]: rule["labels"]["severity"] for rule in rules}
    asked = "the rules as they are" if pace == 1 else f"every duration of the rules divided by {pace:g}"
    asked += ", but for working hours, which lasted all day" if any_hour else ""
    head = f"""# Rehearsal of three incidents

Made by `python -m tests.rehearsal` on {datetime.now(UTC):%Y-%m-%d} with {asked}:
`fundwatch up` with two workers, and a real Prometheus with [the rules](../../deploy/prometheus) loaded, which
scrapes and evaluates every {"5 s" if pace == 1 else "second"}.

| incident | what was done | alert | severity | fired after | others that fired |
|---|---|---|---|---|---|
"""
    rows = (
        f"| {o.incident} | {o.done} | [{o.alert}]({o.alert}.md) | {severity[o.alert]} | {_span(o.after_s)} "
        f"| {', '.join(o.others) or 'none'} |\n"
        for o in outcomes
    )
    said = (f"\n## {o.incident}: what its page says\n\n{_page_of(o.alert)}\n" for o in outcomes)
    return head + "".join(rows) + "".join(said)


def _span(seconds: float) -> str:
    return f"{seconds // 60:.0f} min {seconds % 60:.0f} s"


def _page_of(alert: str) -> str:
    text = (ROOT / "docs" / "runbook" / f"{alert}.md").read_text()
    means, do = (re.split(rf"## {title}\n", text)[1].split("\n## ")[0].strip() for title in ("It means", "Do"))
    return f"> {means}\n\n{do}"


@click.command()
@click.option("--pace", type=click.FloatRange(1, 60), default=1, show_default=True, help="Divides every duration.")
@click.option("--any-hour", is_flag=True, help="As if working hours lasted all day.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Page to write; stdout by default.")
def main(pace: float, any_hour: bool, out: Path | None) -> None:
    """Rehearse a stuck worker, a detector's flood and a silent feed.

    \b
    Example:
      python -m tests.rehearsal --pace 10
    """
    if not any_hour and not 0 <= datetime.now(UTC).hour <= 9:
        raise click.UsageError(
            "a silent feed calls nobody outside China's working hours (00:00 to 10:59 UTC); --any-hour rehearses it"
        )
    outcomes: list[Outcome] = []
    for outcome in rehearse(pace, any_hour):
        outcomes.append(outcome)
        click.echo(f"{outcome.incident}: {outcome.alert} after {_span(outcome.after_s)}; {outcome.others}", err=True)
    text = page(outcomes, pace, any_hour)
    if out:
        out.write_text(text)
    else:
        click.echo(text)


if __name__ == "__main__":
    main()
