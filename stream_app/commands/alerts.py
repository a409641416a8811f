"""``fundwatch alerts``, ``db`` and ``user``: what is in the alert store, its tables, its accounts."""

import getpass
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta, timezone
from pathlib import Path
from typing import IO, Generic, TypeVar

import click
import msgspec
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from alerts.engines import STORE_AWAY, StoreError
from alerts.kept import Filter, LeadRow, Note, Order, Status
from alerts.source import RULES
from alerts.store import Store
from detectors.finding import Level
from stream_app.settings import Settings

T = TypeVar("T")
Command = TypeVar("Command", bound=Callable[..., object])
CHINA = timezone(timedelta(hours=8))
AWAY = 4  # exit code: a server cannot be reached


class Failure(click.ClickException):
    """Ends a command with a sentence and an exit code."""

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class When(click.ParamType):
    """A day in China or an RFC 3339 time; a day given as an end includes that day."""

    name = "day or time"

    def __init__(self, *, end: bool = False) -> None:
        self.end = end

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Raises click.BadParameter."""
        text = str(value)
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"{text!r}: expected a day such as 2026-03-12, or a time such as 2026-03-12T08:00:00+08:00")
        at = at if at.tzinfo else at.replace(tzinfo=CHINA)
        return datetime.combine(at, time.max, at.tzinfo) if self.end and len(text) == len("2026-03-12") else at


def _with_options(*options: Callable[[Command], Command]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


data_option = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    help="Data directory of an embedded system; without it the settings say which store.",
)
filter_options = _with_options(
    click.option("--detector", "detectors", multiple=True, help="Only of this detector; may be repeated."),
    click.option(
        "--level", "levels", multiple=True, type=click.Choice([x.value for x in Level]), help="May be repeated."
    ),
    click.option("--status", "statuses", multiple=True, type=click.Choice(["open", "withdrawn"])),
    click.option("--org", default="", help="Only those that concern this institution."),
    click.option("--since", type=When(), help="Only periods that end at or after this day or time."),
    click.option("--until", type=When(end=True), help="Only periods that begin at or before this day or time."),
)


def _filter(
    detectors: tuple[str, ...],
    levels: tuple[str, ...],
    statuses: tuple[Status, ...],
    org: str,
    since: datetime | None,
    until: datetime | None,
) -> Filter:
    return Filter(
        detectors=frozenset(detectors),
        levels=frozenset(map(Level, levels)),
        statuses=frozenset(statuses),
        org=org,
        since=since,
        until=until,
    )


@contextmanager
def _store_url(data: Path | None) -> Iterator[str]:
    """Where the store is; what goes wrong with it inside becomes a message and an exit code."""
    url = Settings.load(data_dir=data).store.url
    try:
        yield url
    except STORE_AWAY as error:
        raise Failure(f"the alert store {_shown(url)} cannot be reached: {_reason(error)}", AWAY) from None
    except StoreError as error:
        raise Failure(str(error)) from None


@contextmanager
def opened(data: Path | None) -> Iterator[Store]:
    """The store, made ready; what goes wrong with it becomes a message and an exit code."""
    with _store_url(data) as url:
        store = Store.open(url)
        try:
            store.check_ready()
            yield store
        finally:
            store.close()


def _shown(url: str) -> str:
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(address not readable)"


def _reason(error: Exception) -> str:
    return str(getattr(error, "orig", None) or error).strip().splitlines()[0]


def _user() -> str:
    """Who runs the command, for the audit trail."""
    try:
        return f"cli:{getpass.getuser()}"[:64]
    except (OSError, KeyError):
        return "cli"


# -- alerts ------------------------------------------------------------------------------------------------------------


@click.group()
def alerts() -> None:
    """What stands in the alert store: list it, or export it."""


@alerts.command()
@click.option("--format", "form", type=click.Choice(["ndjson", "csv", "xlsx"]), default="ndjson", show_default=True)
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write; stdout by default.")
@filter_options
@data_option
def export(form: str, out: Path | None, data: Path | None, **choices: object) -> None:
    """Write alerts to a file or to stdout.

    NDJSON holds one alert a line at its highest revision, withdrawn ones too, sorted by alert_id.
    Leads that somebody entered (tip-offs, inspections) are no alerts: the feed exports them.

    \b
    Example:
      fundwatch alerts export --data ./data > alerts.ndjson
      fundwatch alerts export --format xlsx --level red --since 2026-03-01 --out red.xlsx
    """
    if form == "xlsx" and out is None:
        raise click.UsageError("a workbook needs --out FILE")
    of = replace(_filter(**choices), sources=frozenset({RULES}))  # type: ignore[arg-type]  # Click has checked
    with opened(data) as store, _target(out) as target:
        written = _export(store, of, form, target)
        chosen = {name: str(value) for name, value in choices.items() if value}
        note = msgspec.json.encode({"format": form, "alerts": written, "chosen": chosen})
        store.note(Note(kind="exported", actor=_user(), at=datetime.now(UTC), data=note))
    click.echo(f"{written:,} alerts", err=True)


def _export(store: Store, of: Filter, form: str, target: IO[bytes]) -> int:
    """How many alerts were written."""
    from alerts import export as forms  # xlsxwriter only where it is wanted

    total = store.facets(of).total
    mark = f"fundwatch {_user()} {datetime.now(CHINA):%Y-%m-%d %H:%M}"
    if form == "ndjson":
        lines = Counted(forms.ndjson(store, of), total)
        target.writelines(lines)
        return lines.done
    alerts = Counted(store.alerts(of), total)
    try:
        if form == "xlsx":
            forms.xlsx(alerts, target, mark)
        else:
            target.writelines(forms.csv_lines(alerts, mark))
    except forms.TooManyRowsError as error:
        raise Failure(str(error)) from None
    return alerts.done


@alerts.command()
@data_option
@click.option("--seq", type=click.IntRange(min=0), help="As many lines as there have to be at least, from a backup.")
def verify(data: Path | None, seq: int | None) -> None:
    """Verify the audit log: that no line of it was changed, removed or put in between. Leaves with 1 if one was.

    Lines cut off at the end leave no trace in the chain itself: give the number of a backup with --seq.

    \b
    Example:
      fundwatch alerts verify --data ./data
    """
    with opened(data) as store:
        broken, last = store.chain_broken_at(), store.last_seq()
    if broken is not None:
        raise Failure(f"the audit log is broken at line {broken}: it, or the line before, was changed or removed")
    if seq is not None and last < seq:
        raise Failure(f"the audit log ends at line {last}, but had {seq}: its end was cut off")
    click.echo(f"{last} lines, unbroken")


class Counted(Generic[T]):
    """The same items, counted, with a progress bar where somebody is watching."""

    def __init__(self, items: Iterable[T], total: int) -> None:
        self.items, self.total, self.done = items, total, 0

    def __iter__(self) -> Iterator[T]:
        from rich.console import Console
        from rich.progress import track

        console = Console(stderr=True)
        hidden = not console.is_terminal
        for item in track(self.items, "Exporting", self.total, console=console, disable=hidden, transient=True):
            self.done += 1
            yield item


@contextmanager
def _target(out: Path | None) -> Iterator[IO[bytes]]:
    """Where to write. A file appears whole or not at all."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    part = out.with_name(out.name + ".part")
    try:
        with part.open("wb") as target:
            yield target
        part.replace(out)
    except OSError as error:
        raise Failure(f"{out}: cannot be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)


@alerts.command("list")
@filter_options
@click.option("--text", default="", help="Words in the sentence, or part of the subject's id.")
@click.option("--snoozed", is_flag=True, help="Only those whose subject is snoozed now.")
@click.option("--inhibited/--not-inhibited", default=None, help="Only those that a stronger alert explains, or none.")
@click.option("--order", type=click.Choice([x.value for x in Order]), default="newest", show_default=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON array, amounts in fen.")
@data_option
def list_(
    text: str,
    snoozed: bool,
    inhibited: bool | None,
    order: str,
    limit: int,
    as_json: bool,
    data: Path | None,
    **choices: object,
) -> None:
    """Show alerts, last changed first.

    \b
    Example:
      fundwatch alerts list --data ./data --level red --level orange --order gravest
      fundwatch alerts list --data ./data --snoozed
    """
    of = replace(_filter(**choices), text=text, inhibited=inhibited)  # type: ignore[arg-type]  # Click has checked
    if snoozed:
        of = replace(of, statuses=frozenset({"snoozed"}), now=datetime.now(UTC))
    with opened(data) as store:
        rows = store.page(of, order=Order(order), limit=limit).items
    if as_json:
        click.echo(msgspec.json.encode(rows))
    else:
        _print_table(rows)


def _print_table(rows: tuple[LeadRow, ...]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("changed", "level", "status", "detector", "subject", "at risk ¥", "summary", box=None)
    for row in rows:
        table.add_row(
            f"{row.changed_at.astimezone(CHINA):%m-%d %H:%M:%S}",
            row.level.value,
            _state(row),
            row.detector,
            f"{row.subject_kind}:{row.subject_id}",
            f"{row.amount_at_risk_fen / 100:,.2f}",
            row.summary_zh,
        )
    console = Console(markup=False, highlight=False)
    console.width = console.width if console.is_terminal else 200
    console.print(table)


def _state(row: LeadRow) -> str:
    """With what is said beside the alert: that its subject rests, or that another one explains it."""
    words: list[str] = [row.state(datetime.now(UTC))]
    if words == ["snoozed"] and row.snoozed_until:
        words = [f"snoozed until {row.snoozed_until.astimezone(CHINA):%m-%d %H:%M}"]
    if row.inhibited_by is not None:
        words.append(f"inhibited by {row.inhibited_by.detector} {row.inhibited_by.alert_id}")
    return ", ".join(words)


# -- db ----------------------------------------------------------------------------------------------------------------


@click.group()
def db() -> None:
    """The tables of the alert store."""


@db.command()
@data_option
def upgrade(data: Path | None) -> None:
    """Make the tables, or bring older ones up to date. Safe to repeat.

    \b
    Example:
      FUNDWATCH_STORE__URL=postgresql+psycopg://fundwatch@db/fundwatch fundwatch db upgrade
    """
    from alerts import migrations

    with _store_url(data) as url:
        click.echo(migrations.upgrade(url))


@db.command()
@data_option
def current(data: Path | None) -> None:
    """Show the version of the tables; exit 1 if it is not the one this program needs.

    \b
    Example:
      fundwatch db current --data ./data
    """
    from alerts import migrations

    with _store_url(data) as url:
        found, needed = migrations.current(url), migrations.head()
    click.echo(found or "none")
    if found != needed:
        raise Failure(f"this program needs version {needed}: run `fundwatch db upgrade`")


@db.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@data_option
def backup(file: Path, data: Path | None) -> None:
    """Write the whole alert store, accounts and audit trail too, to one file; readers and writers go on meanwhile.

    It holds personal data and password hashes: keep it as you keep the database.

    \b
    Example:
      fundwatch db backup /backups/alerts-$(date +%F).ndjson.gz
    """
    from alerts.backup import backup as write

    with opened(data) as store:
        try:
            foot = write(store, file, datetime.now(UTC))
        except OSError as error:
            raise Failure(f"{file}: cannot be written ({error.strerror})") from None
    file.chmod(0o600)
    click.echo(f"{sum(foot.rows.values()):,} rows; sha256 of its lines {foot.sha256}", err=True)


@db.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@data_option
def restore(file: Path, data: Path | None) -> None:
    """Bring a backup back into a store without rows; tables that are missing are made.

    Stop the workers before, and afterwards set their group back on the topic verdicts to when the backup was written
    (docs/runbook/backup.md): what was said since comes again.

    \b
    Example:
      FUNDWATCH_STORE__URL=postgresql+psycopg://fundwatch@db/new fundwatch db restore alerts-2026-03-12.ndjson.gz
    """
    from alerts import migrations
    from alerts.backup import BackupError
    from alerts.backup import restore as bring_back

    with _store_url(data) as url:
        migrations.upgrade(url)
    with opened(data) as store:
        try:
            head = bring_back(store, file)
        except BackupError as error:
            raise Failure(str(error)) from None
    click.echo(head.at.isoformat())
    click.echo(f"restored as of {head.at:%Y-%m-%d %H:%M:%S} UTC, up to row {head.last_seq} of the trail", err=True)


# -- user --------------------------------------------------------------------------------------------------------------

ROLES = ("viewer", "screener", "reviewer", "investigator", "rules", "auditor", "admin")


@click.group()
def user() -> None:
    """Accounts of the alert feed."""


password_options = _with_options(
    click.option("--generate", is_flag=True, help="Make up a password and print it."),
    click.option(
        "--password-file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="File that holds the password; FUNDWATCH_PASSWORD_FILE does the same. Without either it is asked for.",
    ),
    click.option("--must-change", is_flag=True, help="Another one has to be chosen at the first log-in."),
)


@user.command()
@click.argument("name")
@click.option("--role", type=click.Choice(ROLES), required=True)
@click.option(
    "--area", "areas", multiple=True, help="Six digits; 330100 is all of 3301. May be repeated. None: every area."
)
@password_options
@data_option
def add(
    name: str,
    role: str,
    areas: tuple[str, ...],
    generate: bool,
    password_file: Path | None,
    must_change: bool,
    data: Path | None,
) -> None:
    """Make an account.

    \b
    Example:
      fundwatch user add wang --role screener --area 330102 --generate --must-change --data ./data
    """
    from alerts.accounts import Role, add_account

    with _accounts(data, generate, password_file) as (store, password):
        add_account(store, name, password, Role(role), areas, datetime.now(UTC), _user(), must_change=must_change)


@user.command()
@click.argument("name")
@password_options
@data_option
def reset(name: str, generate: bool, password_file: Path | None, must_change: bool, data: Path | None) -> None:
    """Give an account a new password; it is unlocked and enabled, its sessions end.

    \b
    Example:
      fundwatch user reset wang --generate --must-change --data ./data
    """
    from alerts.accounts import reset_password

    with _accounts(data, generate, password_file) as (store, password):
        reset_password(store, name, password, datetime.now(UTC), _user(), must_change=must_change)


@user.command()
@click.argument("name")
@data_option
def disable(name: str, data: Path | None) -> None:
    """Let nobody in under this name; its sessions end.

    \b
    Example:
      fundwatch user disable wang --data ./data
    """
    from alerts.accounts import AccountError, disable_account

    with opened(data) as store:
        try:
            disable_account(store, name, datetime.now(UTC), _user())
        except AccountError as error:
            raise Failure(str(error)) from None


@user.command("list")
@click.option("--json", "as_json", is_flag=True)
@data_option
def list_users(as_json: bool, data: Path | None) -> None:
    """Show the accounts.

    \b
    Example:
      fundwatch user list --json --data ./data
    """
    from alerts.accounts import accounts

    with opened(data) as store:
        known = accounts(store)
    if as_json:
        click.echo(msgspec.json.encode(known))
        return
    for one in known:
        state = "disabled" if one.disabled else "locked" if one.locked_until else "active"
        click.echo(f"{one.name:20} {one.role.value:14} {state:10} {' '.join(one.areas) or 'every area'}")


@contextmanager
def _accounts(data: Path | None, generate: bool, password_file: Path | None) -> Iterator[tuple[Store, str]]:
    """The store and a new password; a made-up one is printed once the account has it."""
    from alerts.accounts import AccountError, generated_password

    # Taken out of the environment: it is no setting, and no process we start has a use for it.
    named = os.environ.pop("FUNDWATCH_PASSWORD_FILE", None)
    with opened(data) as store:
        password = (
            generated_password() if generate else _read_password(password_file or (Path(named) if named else None))
        )
        try:
            yield store, password
        except AccountError as error:
            raise Failure(str(error)) from None
    if generate:
        click.echo(password)


def _read_password(path: Path | None) -> str:
    if path is None:
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    try:
        return path.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{path}: the password cannot be read ({error})", 2) from None
