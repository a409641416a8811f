"""``fundwatch indicators``: what institutions' bills and bedside checks come to, counted in the archive."""

from datetime import UTC, date, datetime
from pathlib import Path

import click

from alerts import price_limits
from alerts.indicators import replace
from stream_app.commands.alerts import data_option, opened
from stream_app.settings import Settings


class Month(click.ParamType):
    """Its first day."""

    name = "month"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Raises click.BadParameter."""
        if isinstance(value, date):
            return value
        try:
            return datetime.strptime(str(value), "%Y-%m").date()  # noqa: DTZ007 - a month has no zone
        except ValueError:
            self.fail(f"{value!r}: expected a month such as 2026-03", param, ctx)


@click.command()
@click.option("--archive", "folder", type=click.Path(file_okay=False, path_type=Path), help="Other than the settings'.")
@click.option("--since", type=Month(), help="The first month that is counted anew.  [default: the newest three]")
@data_option
def indicators(folder: Path | None, since: date | None, data: Path | None) -> None:
    """Count what a visit, a stay and a day in bed cost, the share of drugs, and who was found in bed.

    For the overview and the pages of institutions; every night is enough. What was counted before from that month on is
    replaced, so that what came late, or was taken back, changes it. Limits of prices are read as well, for the pages of
    leads.

    \b
    Example:
      fundwatch indicators
      fundwatch indicators --since 2026-01 --archive /backups/archive
    """
    from replay.indicators import measure
    from replay.indicators import price_limits as limits_in
    from replay.recording import RecordingError

    folder = folder or Settings.load(data_dir=data).archive.dir
    try:
        first, measured = measure(folder, since)
        limited = limits_in(folder)
    except RecordingError as error:
        raise click.ClickException(str(error)) from None
    with opened(data) as store:
        kept = replace(store, measured, since=first, now=datetime.now(UTC))
        limits = price_limits.replace(store, limited)
    institutions = len({one.org for one in measured})
    click.echo(f"{kept:,} sums of {institutions:,} institutions from {first:%Y-%m} on, {limits:,} limits of prices")
