"""Hurt the system at random and see that it ends with the undisturbed alerts (make chaos).

python -m tests.chaos --faults 50 --runs 4 --seed 1 --table docs/chaos.md
"""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from tests.chaos.run import Outcome, Plan, disturbed
from tests.chaos.table import markdown

SMALL_DISK = "1g"
STORES = ("sqlite", "postgresql")


@click.command()
@click.option("--seed", type=int, default=1, show_default=True, help="Of the first run; each run has the next one.")
@click.option("--runs", type=click.IntRange(min=1), default=1, show_default=True)
@click.option("--faults", type=click.IntRange(min=1), default=20, show_default=True, help="In each run.")
@click.option("--persons", type=click.IntRange(min=200), default=1_000, show_default=True, help="Of the city.")
@click.option("--store", type=click.Choice(["both", *STORES]), default="both", show_default=True)
@click.option("--table", type=click.Path(dir_okay=False, path_type=Path), help="Write the table to this file.")
@click.option("--keep", is_flag=True, help="Keep the logs in a folder that is named.")
def main(seed: int, runs: int, faults: int, persons: int, store: str, table: Path | None, keep: bool) -> None:
    """Runs with random faults. Exit code 1 if an alert, an event or a quarantined line is missing, extra or doubled."""
    outcomes = []
    for number in range(runs):
        kind = STORES[number % 2] if store == "both" else store
        plan = Plan(seed + number, faults, persons, "postgresql" if kind == "postgresql" else "sqlite")
        with _folder() as folder:
            click.echo(f"seed {plan.seed}, {plan.faults} faults, {plan.store}, {folder}", err=True)
            outcome = asyncio.run(disturbed(plan, folder, lambda words: click.echo(f"  {words}", err=True)))
            if keep:
                kept = Path(tempfile.mkdtemp(prefix="fundwatch-chaos-logs-")) / "logs"
                shutil.copytree(folder / "logs", kept)
                click.echo(f"  logs: {kept}", err=True)
        _tell(outcome)
        outcomes.append(outcome)
        if table is not None:
            table.write_text(markdown(outcomes, f'make chaos ARGS="{" ".join(_said(sys.argv[1:]))}"'))
    if not all(outcome.is_good for outcome in outcomes):
        raise click.exceptions.Exit(1)


def _said(arguments: list[str]) -> Iterator[str]:
    """Without what says only where the table goes."""
    rest = iter(arguments)
    for word in rest:
        if word == "--table":
            next(rest, None)
        elif word != "--keep":
            yield word


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder on a small disk of its own where we may make one."""
    folder = Path(tempfile.mkdtemp(prefix="fundwatch-chaos-"))
    folder.chmod(0o755)  # PostgreSQL has a user of its own
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK},mode=755", "tmpfs", str(folder)]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "-l", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _tell(outcome: Outcome) -> None:
    verdict = "equal" if outcome.is_good else "NOT EQUAL"
    click.echo(
        f"seed {outcome.seed}: {verdict}; {len(outcome.struck)} faults, {outcome.alerts} alerts, "
        f"{outcome.events:,} events, {outcome.sent:,} messages, {outcome.stalls} stalls, {outcome.seconds:.0f} s"
    )
    for wrong in outcome.wrong:
        click.echo(f"  {wrong}")


if __name__ == "__main__":
    main()
