"""``fundwatch retain``: take away what is too old, one store at a time."""

import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import click

from alerts.papers import sweep
from alerts.retention import SHORTEST, cut_trail, drop_alerts, old_alerts, old_entries
from detectors.event import CHINA
from stream_app.commands.alerts import Failure, _user, data_option, opened
from stream_app.settings import Duration, Settings, duration


class Age(click.ParamType):
    """A duration as the settings write it, such as 400d."""

    name = "duration"

    def __init__(self, least: timedelta = timedelta(0)) -> None:
        self.least = least

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Duration:
        """Raises click.BadParameter."""
        try:
            age = duration(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
        assert isinstance(age, timedelta)
        if age < self.least:
            self.fail(f"{value}: what is younger than {self.least.days} days is still needed", param, ctx)
        return age


def older_than(least: timedelta = timedelta(0)) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option("--older-than", "age", type=Age(least), required=True, help="Such as 400d.")


dry_run_option = click.option("--dry-run", is_flag=True, help="Only say what would go.")


@click.group()
def retain() -> None:
    """Take away what is too old. Each store has an age of its own; nothing goes by itself.

    \b
    Example:
      fundwatch retain archive --older-than 800d --dry-run
    """


@retain.command()
@older_than(SHORTEST)
@dry_run_option
@data_option
def archive(age: timedelta, dry_run: bool, data: Path | None) -> None:
    """Remove business days from the archive; reference records stay.

    \b
    Example:
      fundwatch retain archive --older-than 800d
    """
    root = Settings.load(data_dir=data).archive.dir
    before = (datetime.now(CHINA) - age).date()
    for folder in days_before(root, before):
        if not dry_run:
            shutil.rmtree(folder)
        click.echo(folder.name)


def days_before(root: Path, before: date) -> list[Path]:
    """The folders of earlier days, the oldest first. Others are left alone."""
    found: list[tuple[date, Path]] = []
    for folder in root.glob("day=*"):
        try:
            day = date.fromisoformat(folder.name.removeprefix("day="))
        except ValueError:
            continue
        if day < before:
            found.append((day, folder))
    return [folder for _, folder in sorted(found)]


@retain.command()
@older_than(timedelta(days=1))
@data_option
def quarantine(age: timedelta, data: Path | None) -> None:
    """Let Kafka keep what could not be read for so long, and no longer.

    \b
    Example:
      fundwatch retain quarantine --older-than 90d
    """
    from stream_app import topics

    topics.keep_for(Settings.load(data_dir=data).kafka, topics.QUARANTINE, age)
    click.echo(f"{topics.QUARANTINE}: {age.total_seconds() / 86_400:g} days")


@retain.command()
@older_than(SHORTEST)
@dry_run_option
@data_option
def alerts(age: timedelta, dry_run: bool, data: Path | None) -> None:
    """Delete alerts that have not changed for so long, and their papers. Their history stays in the audit trail.

    \b
    Example:
      fundwatch retain alerts --older-than 1800d --dry-run
    """
    now = datetime.now(UTC)
    with opened(data) as store:
        gone = len(old_alerts(store, now - age)) if dry_run else drop_alerts(store, now - age, _user(), now)
        if not dry_run:
            files = sweep(store, Settings.load(data_dir=data).papers.cabinet(), now)
            click.echo(f"{files} files of papers deleted", err=True)
    click.echo(gone)


@retain.command()
@older_than(SHORTEST)
@dry_run_option
@data_option
def audit(age: timedelta, dry_run: bool, data: Path | None) -> None:
    """Cut the beginning of the audit trail off; what is left can still be proved. Make a backup first.

    \b
    Example:
      fundwatch db backup trail.ndjson.gz && fundwatch retain audit --older-than 1800d
    """
    now = datetime.now(UTC)
    with opened(data) as store:
        if not dry_run and (broken := store.chain_broken_at()) is not None:
            raise Failure(f"the trail is broken at {broken}: nothing is cut off until that is understood")
        gone = old_entries(store, now - age) if dry_run else cut_trail(store, now - age, _user(), now)
    click.echo(gone)
