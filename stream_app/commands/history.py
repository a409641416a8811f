"""``fundwatch simulate``, ``replay``, ``compare`` and ``score``: recordings, made up, judged again, and judged upon."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from detectors.event import CHINA

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from replay.compare import Told
    from replay.run import Progress, Summary
    from replay.simulate.simulation import Simulation

DIFFERENT = 3  # exit code
LATEST_START = timedelta(hours=8)  # of the first day: stays begin at nine


class Day(click.ParamType):
    """A day in China, or a time of it up to eight in the morning."""

    name = "day or time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Raises click.BadParameter."""
        if isinstance(value, datetime):
            return value
        try:
            start = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r}: expected a day such as 2026-03-02, or 2026-03-02T08:00", param, ctx)
        start = start.astimezone(CHINA) if start.tzinfo else start.replace(tzinfo=CHINA)
        if start - start.replace(hour=0, minute=0, second=0, microsecond=0) > LATEST_START:
            self.fail(f"{value!r}: a city's first day begins at 08:00 at the latest", param, ctx)
        return start


class Moment(click.ParamType):
    """A day in China, or a time; as an end a day means its whole."""

    name = "day or time"

    def __init__(self, *, end: bool = False) -> None:
        self.end = end

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Raises click.BadParameter."""
        if isinstance(value, datetime):
            return value
        text = str(value)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r}: expected a day such as 2026-03-12, or 2026-03-12T08:00:00+08:00", param, ctx)
        at = at if at.tzinfo else at.replace(tzinfo=CHINA)
        return at + timedelta(days=1) if self.end and len(text) == len("2026-03-12") else at


class Families(click.ParamType):
    """Names of stories, separated by commas."""

    name = "names"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Raises click.BadParameter."""
        if isinstance(value, tuple):
            return value
        from replay.simulate.stories.catalogue import FAMILIES, chosen

        names = tuple(name.strip() for name in str(value).split(",") if name.strip())
        try:
            chosen(names)
        except KeyError as error:
            known = ", ".join(("all", "frauds", "decoys", "none", *FAMILIES))
            self.fail(f"{error.args[0]!r} is no story of this city. There are: {known}", param, ctx)
        return names


class Names(click.ParamType):
    """Words separated by commas, as a set."""

    name = "names"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> frozenset[str]:
        if isinstance(value, frozenset):
            return value
        return frozenset(name.strip() for name in str(value).split(",") if name.strip())


json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")
existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command()
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="NDJSON, .gz or .zst.")
@click.option("--labels", type=click.Path(dir_okay=False, path_type=Path), help="Where to write what was planted.")
@click.option("--persons", type=click.IntRange(100, 5_000_000), default=8_000, show_default=True)
@click.option("--days", type=click.IntRange(1, 1_000), default=21, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed makes the same bytes.")
@click.option("--start", type=Day(), default="2026-03-02T08:00", show_default=True, help="The first day, or its hour.")
@click.option(
    "--families",
    type=Families(),
    default="all",
    show_default=True,
    help="Stories to tell, by name; or all, frauds, decoys, none.",
)
@click.option(
    "--intensity",
    type=click.FloatRange(0, 100),
    default=1.0,
    show_default=True,
    help="1 plants four cases of a fraud and two of a decoy among 8,000 persons.",
)
def simulate(
    out: Path,
    labels: Path | None,
    persons: int,
    days: int,
    seed: int,
    start: datetime,
    families: tuple[str, ...],
    intensity: float,
) -> None:
    """Make up a city that uses its fund, mostly honestly: reference records first, then events in order of arrival.

    --labels tells what was planted: frauds of sixteen kinds, and honest situations that look like them (decoys).

    \b
    Example:
      fundwatch simulate --out city.ndjson.gz --labels city.labels.ndjson --persons 20000 --days 30 --seed 7
      fundwatch simulate --out honest.ndjson.zst --families none
    """
    from replay.simulate.city import Plan
    from replay.simulate.simulation import write

    plan = Plan(
        persons=persons, days=days, seed=seed, start=start, families=families, intensity=intensity
    )  # fmt: skip
    try:
        with _progress("days", days) as on_day:
            simulation = write(plan, out, labels, on_day)
    except OSError as error:
        raise click.ClickException(f"{error.filename or out} cannot be written: {error.strerror or error}") from None
    _tell_of(simulation, out)


def _tell_of(simulation: "Simulation", out: Path) -> None:
    planted = len(simulation.labels)
    frauds = sum(label.kind == "fraud" for label in simulation.labels)
    click.echo(f"{out}: {simulation.written:,} lines; {frauds} frauds and {planted - frauds} decoys planted", err=True)
    if simulation.untold:
        click.echo(f"no people or places for: {', '.join(simulation.untold)}", err=True)


@click.command()
@click.argument("files", nargs=-1, type=click.Path(exists=True, dir_okay=False, allow_dash=True))
@click.option("--archive", type=click.Path(exists=True, file_okay=False, path_type=Path), help="Instead of files.")
@click.option("--alerts", type=click.Path(dir_okay=False, path_type=Path), help="Where the alerts go, one a line.")
@click.option("--quarantine", type=click.Path(dir_okay=False, path_type=Path), help="Where what cannot be read goes.")
@click.option("--from", "since", type=Moment(), help="Only alerts whose period ends at or after this day or time.")
@click.option("--to", "until", type=Moment(end=True), help="Only alerts whose period begins before the end of this.")
@click.option("--person", "persons", multiple=True, help="Only alerts that concern this person; may be repeated.")
@click.option("--org", "orgs", multiple=True, help="Only alerts that concern this institution; may be repeated.")
@click.option("--rules", type=existing_file, help="Judge by these thresholds, not those of the settings: rules.toml.")
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A model, or a registry of models: instead of the settings'.",
)
@click.option(
    "--metrics",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write how far it is, and what it finds, for Prometheus' textfile collector.",
)
@json_option
def replay(
    files: tuple[str, ...],
    archive: Path | None,
    alerts: Path | None,
    quarantine: Path | None,
    since: datetime | None,
    until: datetime | None,
    persons: tuple[str, ...],
    orgs: tuple[str, ...],
    rules: Path | None,
    model: Path | None,
    metrics: Path | None,
    as_json: bool,
) -> None:
    """Judge recordings again in this process: no Kafka, and no live state is touched.

    FILES are NDJSON (plain, .gz, .zst) or Parquet of the archive, in any order; "-" is the standard input.

    \b
    Example:
      fundwatch replay city.ndjson.gz --alerts alerts.ndjson
      fundwatch replay --archive run/archive --person p10875efd5d63b892 --from 2026-03-01 --alerts one.ndjson
      fundwatch replay city.ndjson.gz --rules stricter.toml --alerts stricter.ndjson
    """
    if bool(files) == (archive is not None):
        raise click.UsageError("give FILES, or --archive DIR, and not both")
    from replay.run import replay_files
    from stream_app.rulebook import read_rules
    from stream_app.settings import Settings

    settings = Settings.load()
    book = read_rules(rules or settings.rules.file, model or settings.model.dir)

    try:
        with _replaying(metrics, candidate=rules is not None or model is not None) as (on_progress, on_end):
            summary = replay_files(
                files,
                archive=archive,
                alerts=alerts,
                quarantine=quarantine,
                since=since,
                until=until,
                persons=frozenset(persons),
                orgs=frozenset(orgs),
                rules=book,
                on_progress=on_progress,
            )
            on_end(summary)
    except OSError as error:
        raise click.ClickException(str(error)) from None
    _print(summary, summary.in_words(), as_json)


@click.command()
@click.argument("alerts", type=existing_file, required=False)
@click.argument("labels", type=existing_file, required=False)
@click.option(
    "--detectors", type=Names(), help="Those that ran, separated by commas: only what they should find counts."
)
@click.option("--settlements", type=click.IntRange(min=1), help="How many there were, for the rate per 10,000.")
@click.option("--events", multiple=True, type=existing_file, help="Recordings, to count their settlements.")
@click.option("--outcomes", is_flag=True, help="Instead of files: what people found, by detector, in the alert store.")
@click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="With --outcomes: data directory of an embedded system; without it the settings say which store.",
)
@json_option
def score(
    alerts: Path | None,
    labels: Path | None,
    detectors: frozenset[str] | None,
    settlements: int | None,
    events: tuple[Path, ...],
    outcomes: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    """Score a file of alerts against what was planted: recall of each fraud, false alarms on each honest situation
    (X01 to X22, and near misses), red and orange leads that nothing explains, time to detect.

    The time to detect is told by two bounds, since alerts do not say in business time when they were raised: from the
    first event of a fraud to the first, and to the last, event that its earliest lead shows.

    \b
    Example:
      fundwatch score alerts.ndjson city.labels.ndjson --events city.ndjson.gz
      fundwatch score --outcomes --data ./data
    """
    if outcomes:
        if alerts is not None:
            raise click.UsageError("--outcomes asks the alert store; it takes no files")
        _print_outcomes(data, as_json)
        return
    if alerts is None or labels is None:
        raise click.UsageError("give ALERTS and LABELS, or --outcomes")
    from replay.compare import NotAlertsError
    from replay.scoreboard import NotLabelsError, count_settlements, in_words, read_labels, read_leads
    from replay.scoreboard import score as judge

    try:
        board = judge(
            read_leads(alerts),
            read_labels(labels),
            detectors=detectors,
            settlements=count_settlements(events) if events else settlements,
        )
    except (NotAlertsError, NotLabelsError, OSError) as error:
        raise click.ClickException(str(error)) from None
    _print(board, in_words(board), as_json)


def _print_outcomes(data: Path | None, as_json: bool) -> None:
    from alerts import outcomes as told
    from stream_app.commands.alerts import opened

    with opened(data) as store:
        found = told.outcomes(store)
    _print(found, told.in_words(found), as_json)


@click.command()
@click.argument("files", nargs=-1, required=True, type=existing_file)
@click.option("--rules", nargs=2, type=existing_file, help="Two files of rules: judge FILES by the one and the other.")
@json_option
@click.pass_context
def compare(ctx: click.Context, files: tuple[Path, ...], rules: tuple[Path, Path] | None, as_json: bool) -> None:
    """Compare two files of alerts: leads gained, lost and changed, and the money. Leaves with 3 when they differ.

    With --rules FILES are recordings, which are judged by the one file of rules and by the other: what would other
    thresholds have found?

    \b
    Example:
      fundwatch compare alerts.live.ndjson alerts.replayed.ndjson
      fundwatch compare --rules rules.toml stricter.toml city.ndjson.gz
    """
    from replay.compare import NotAlertsError, in_words, read_alerts
    from replay.compare import compare as put_side_by_side

    if rules is None and len(files) != 2:
        raise click.UsageError(f"give two files of alerts (these are {len(files)}), or recordings and --rules OLD NEW")
    try:
        before, after = map(read_alerts, files) if rules is None else _judged_twice(files, rules)
        comparison = put_side_by_side(before, after)
    except (NotAlertsError, OSError) as error:
        raise click.ClickException(str(error)) from None
    _print(comparison, in_words(comparison), as_json)
    ctx.exit(0 if comparison.equal else DIFFERENT)


def _judged_twice(recordings: Sequence[Path], rules: Sequence[Path]) -> "Iterator[Mapping[str, Told]]":
    """What the recordings come to by each of the files of rules. Raises OSError."""
    from replay.compare import as_read
    from replay.run import alerts_by
    from stream_app.rulebook import read_rules

    books = [read_rules(file) for file in rules]  # all of them first: a bad one should not be found after minutes
    for book in books:
        with _progress("events", None) as on_events:
            alerts = alerts_by(book, [str(path) for path in recordings], on_events)
        yield as_read(alerts)


def _print(result: msgspec.Struct, words: str, as_json: bool) -> None:
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(result), indent=2))
    else:
        click.echo(words)


@contextmanager
def _replaying(
    metrics: Path | None, *, candidate: bool
) -> "Iterator[tuple[Callable[[Progress], None], Callable[[Summary], None]]]":
    """Told of each step, and of the end: a bar on stderr where that is a terminal, and a file where one is wanted."""
    from stream_app.commands.replaying import Shown

    shown = Shown(metrics, candidate=candidate) if metrics else None
    with _bar() as (bar, task):

        def on_progress(progress: "Progress") -> None:
            bar.update(task, completed=progress.events, total=progress.total)
            if shown:
                shown.show(progress)

        yield on_progress, shown.end if shown else lambda summary: None


@contextmanager
def _bar() -> "Iterator[tuple[Bar, TaskID]]":
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        yield bar, bar.add_task("events", total=None)


@contextmanager
def _progress(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """A bar on stderr, where that is a terminal. total: None if nobody knows."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)
