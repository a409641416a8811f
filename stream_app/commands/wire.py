"""``fundwatch send``, ``archive``, ``schema`` and ``quarantine``: what goes over the wire, and what could not."""

import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import click
import msgspec

from detectors.event import CHINA
from stream_app.schema import SHAPES
from stream_app.schema import schema as schema_of
from stream_app.settings import Duration, Settings, duration

if TYPE_CHECKING:
    from replay.send import Sender, Tally
    from stream_app.quarantine import Kept

AWAY, INTERRUPTED = 4, 130  # exit codes
SAID_EVERY = 10.0  # seconds, where stderr is no terminal


class Failure(click.ClickException):
    """Ends a command with a sentence and an exit code."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Speed(click.ParamType):
    """How many times faster than it was recorded; None for as fast as it goes."""

    name = "number|max"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float | None:
        """Raises click.BadParameter."""
        if value is None or value == "max":
            return None
        try:
            speed = float(str(value))
        except ValueError:
            speed = 0.0
        if not 0 < speed < float("inf"):
            self.fail(f"{value!r}: expected a number above 0, such as 60, or max", param, ctx)
        return speed


class Span(click.ParamType):
    """A duration as the settings write it."""

    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> Duration:
        """Raises click.BadParameter."""
        try:
            span = duration(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)
        assert isinstance(span, timedelta)
        return span


data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data directory of an embedded system; without it the settings say which Kafka and Redis.",
)
files_argument = click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
json_option = click.option("--json", "as_json", is_flag=True, help="For programs.")


@click.command()
@files_argument
@click.option("--speed", type=Speed(), default="max", help="60: an hour of the recording in a minute.  [default: max]")
@click.option("--wait", is_flag=True, help="Return when all of it has been judged and its alerts are stored.")
@click.option("--timeout", type=Span(), default="30m", show_default=True, help="For --wait.")
@click.option("--most-behind", type=click.IntRange(1), default=50_000, show_default=True, help="Hold back beyond it.")
@click.option("--unread", is_flag=True, help="Send though no worker reads: hold nothing back, wait for nobody.")
@data_option
@json_option
def send(
    files: tuple[str, ...],
    speed: float | None,
    wait: bool,
    timeout: timedelta,
    most_behind: int,
    unread: bool,
    data: Path | None,
    as_json: bool,
) -> None:
    """Publish recordings to Kafka, one after the other, in their order.

    A FILE is NDJSON, plain, .gz or .zst, or archive Parquet; - is the standard input. Nothing is dropped: it holds
    back while the workers lag, and tries on while Kafka is away. Sending a file again is safe: repeats change nothing.

    \b
    fundwatch send reference.ndjson.gz events.ndjson.gz --wait
    fundwatch send day.ndjson --speed 60 --data run
    """
    from replay.send import Sender, Sent

    if wait and unread:
        raise click.UsageError("--wait needs workers that read; leave out --unread")
    settings = Settings.load(data_dir=data)
    with _said() as show, _sending():
        began = monotonic()
        sender = Sender(
            settings.kafka.client(),
            settings.kafka.group,
            speed=speed,
            most_behind=None if unread else most_behind,
            show=show,
        )
        with _interruptible(sender):
            sender.connect()
            tally = sender.send(files)
            seconds = monotonic() - began
            if wait:
                sender.settle(nothing_due(settings), timeout)
    rate = round(tally.sent / seconds, 1)
    sent = Sent(tally.sent, tally.unreadable, dict(tally.by_topic), round(seconds, 3), rate, wait)
    if as_json:
        click.echo(msgspec.json.encode(sent))
        return
    topics = ", ".join(f"{topic} {count:,}" for topic, count in sorted(sent.by_topic.items()))
    click.echo(f"sent {sent.sent:,} lines in {sent.seconds:.1f} s ({sent.per_second:,.0f} a second): {topics}")
    if sent.unreadable:
        click.echo(f"{sent.unreadable:,} lines are longer than 1 MiB: quarantined", err=True)
    if wait:
        click.echo("all of it is judged, and its alerts are stored")


@contextmanager
def _sending() -> Iterator[None]:
    """What goes wrong on the way becomes a message and an exit code."""
    from replay.lag import UnreachableError
    from replay.recording import RecordingError
    from replay.send import SendError

    try:
        yield
    except UnreachableError as error:
        raise Failure(str(error), AWAY) from None
    except (RecordingError, SendError, TimeoutError) as error:
        raise Failure(str(error)) from None


@contextmanager
def _interruptible(sender: "Sender") -> Iterator[None]:
    """Ctrl-C says how far it got; a second one does not wait."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, before)
        sender.interrupt()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    except KeyboardInterrupt:
        unconfirmed = sender.give_up()
        tally = sender.tally
        raise Failure(
            f"interrupted at line {tally.line:,} of {tally.file}: {tally.sent:,} lines sent, {unconfirmed:,} of them "
            "not confirmed by Kafka. Send the file again to complete it; what came twice counts once",
            INTERRUPTED,
        ) from None
    finally:
        signal.signal(signal.SIGINT, before)


def nothing_due(settings: Settings) -> Callable[[], bool]:
    """Asks Redis whether a unit is still to be judged again, at the business time reached (stream_app/memory.py)."""
    from redis.exceptions import RedisError

    from stream_app.keys import Keys
    from stream_app.shards import connect

    prefix = Keys.of(settings.redis).prefix

    def ask() -> bool:
        try:
            with connect(settings.redis) as redis:
                return not redis.zcount(f"{prefix}:due", "-inf", int(redis.get(f"{prefix}:now") or 0))
        except RedisError:
            return False  # away: nobody knows, so go on waiting

    return ask


@contextmanager
def _said() -> Iterator[Callable[["Tally"], None]]:
    """How far it is, on stderr: one moving line in a terminal, else a line now and then."""
    if not sys.stderr.isatty():
        yield _now_and_then()
        return
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("sending")
        yield lambda tally: progress.update(task, description=_line(tally))


def _now_and_then() -> Callable[["Tally"], None]:
    said = monotonic()

    def show(tally: "Tally") -> None:
        nonlocal said
        if monotonic() - said > SAID_EVERY:
            said = monotonic()
            click.echo(_line(tally), err=True)

    return show


def _line(tally: "Tally") -> str:
    return f"{Path(tally.file).name} line {tally.line:,}, {tally.sent:,} sent: {tally.doing}"


@click.command()
@click.option("--every", type=Span(), default="30s", show_default=True, help="Write what has come at least so often.")
@data_option
def archive(every: timedelta, data: Path | None) -> None:
    """Keep every event as Parquet by business day, until it is stopped (SIGTERM, Ctrl-C).

    The embedded system runs one. In production run one or several; they share the work.

    \b
    fundwatch archive
    fundwatch replay --archive archive --from 2026-03-01 --to 2026-04-01
    """
    import duckdb
    from confluent_kafka import KafkaException

    from stream_app.archiver import run_archiver

    settings = Settings.load(data_dir=data)
    try:
        run_archiver(settings, every)
    except (OSError, duckdb.Error) as error:
        raise Failure(
            f"the archive {settings.archive.dir} cannot be written: {error}; nothing is acknowledged"
        ) from None
    except KafkaException as error:
        raise Failure(f"Kafka at {settings.kafka.bootstrap}: {error.args[0].str()}", AWAY) from None


@click.command()
@click.argument("shape", type=click.Choice(list(SHAPES)), default="event")
def schema(shape: str) -> None:
    """The JSON Schema (2020-12) of a wire format, or of what a command prints with --json.

    \b
    fundwatch schema event > event.schema.json
    fundwatch schema alert
    """
    click.echo(msgspec.json.format(msgspec.json.encode(schema_of(shape)), indent=2))


@click.group()
def quarantine() -> None:
    """What could not be read: see it, mend it, send it again."""


@quarantine.command("list")
@data_option
@json_option
def list_(data: Path | None, as_json: bool) -> None:
    """Every record, oldest first: its place there, when, why, where it came from.

    \b
    fundwatch quarantine list
    fundwatch quarantine list --json | jq -r .record.reason | sort | uniq -c
    """
    number = 0
    for number, kept in enumerate(_quarantined(data), 1):  # noqa: B007  # counted after the loop
        click.echo(msgspec.json.encode(kept) if as_json else _summary(kept))
    if not as_json:
        click.echo(f"{number:,} in quarantine" if number else "nothing is in quarantine", err=True)


@quarantine.command()
@click.argument("name")
@data_option
@json_option
def show(name: str, data: Path | None, as_json: bool) -> None:
    """The records of one event, with their original bytes. NAME is an event_id, or the place that list shows.

    \b
    fundwatch quarantine show e77fac89e0491ddac
    fundwatch quarantine show 0/15 > line.ndjson
    """
    found = [kept for kept in _quarantined(data) if name in (kept.record.event_id, kept.at)]
    if not found:
        raise Failure(f"{name}: not in quarantine; fundwatch quarantine list shows what is")
    for kept in found:
        if as_json:
            click.echo(msgspec.json.encode(kept))
        else:
            click.echo(_summary(kept), err=True)
            click.echo(kept.record.raw)


@quarantine.command()
@files_argument
@data_option
@json_option
def resend(files: tuple[str, ...], data: Path | None, as_json: bool) -> None:
    """Send mended lines. Each is read first as a worker would: what still cannot be read is shown, the rest is sent.

    Exit code 1 if something still cannot be read.

    \b
    fundwatch quarantine show 0/15 > line.ndjson   # then mend it
    fundwatch quarantine resend line.ndjson
    """
    from detectors.wire import Refused, read
    from replay.recording import lines
    from replay.send import Sender, Sent

    settings = Settings.load(data_dir=data)
    still_bad, began = 0, monotonic()
    with _said() as show, _sending():
        sender = Sender(settings.kafka.client(), settings.kafka.group, most_behind=None, show=show)
        with _interruptible(sender):
            sender.connect()
            for name in files:
                sender.tally.file = name
                for line in lines(name):
                    try:
                        read(line.raw)
                    except Refused as refused:
                        still_bad += 1
                        click.echo(f"{name} line {line.number}: {refused}", err=True)
                    else:
                        sender.put(line)
            sender.flush()
    tally, seconds = sender.tally, monotonic() - began
    if as_json:
        rate = round(tally.sent / seconds, 1)
        sent = Sent(tally.sent, still_bad, dict(tally.by_topic), round(seconds, 3), rate, settled=False)
        click.echo(msgspec.json.encode(sent))
    else:
        click.echo(f"sent {tally.sent:,} lines; {still_bad:,} still cannot be read")
    if still_bad:
        raise click.exceptions.Exit(1)


def _quarantined(data: Path | None) -> Iterator["Kept"]:
    from confluent_kafka import KafkaException

    from stream_app.quarantine import kept

    settings = Settings.load(data_dir=data)
    try:
        yield from kept(settings.kafka.client())
    except KafkaException as error:
        raise Failure(f"Kafka cannot be asked at {settings.kafka.bootstrap}: {error.args[0].str()}", AWAY) from None


def _summary(kept: "Kept") -> str:
    record = kept.record
    when = record.at.astimezone(CHINA)
    what = re.sub(r"\s+", " ", record.detail)
    parts = (kept.at, f"{when:%Y-%m-%d %H:%M:%S}", record.reason, record.field, f"{record.source}:{record.line}")
    return "  ".join(part for part in (*parts, record.event_id, what) if part)
