"""The front door: every command by name, loaded only when it is called."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import NoReturn

import click

WRONG, AWAY, INTERRUPTED = 2, 4, 130

COMMANDS = {
    "up": ("system", "Run the whole system on this machine."),
    "worker": ("system", "Run one worker: events in, verdicts out."),
    "feed": ("system", "Run the alert feed: web page and API."),
    "topics": ("system", "Create the Kafka topics that are missing."),
    "metrics": ("monitoring", "The catalogue of metrics."),
    "check": ("system", "Test settings and connections, and say what to do."),
    "send": ("wire", "Publish recordings to Kafka in their order."),
    "archive": ("wire", "Write what is on Kafka to Parquet, by business day."),
    "schema": ("wire", "Print the JSON Schema of what goes over the wire."),
    "retain": ("retention", "Take away what is too old, from one store."),
    "quarantine": ("wire", "See, mend and resend what could not be read."),
    "simulate": ("history", "Make up a city with known frauds."),
    "replay": ("history", "Judge recordings again, in this process."),
    "compare": ("history", "Compare two files of alerts, or two files of rules."),
    "train": ("model", "Learn what is usual, for the anomaly model."),
    "model": ("model", "Versions of the anomaly model: list, show, shadow, watch, promote, rollback."),
    "score": ("history", "Score alerts against the known frauds."),
    "alerts": ("alerts", "List and export what is in the alert store."),
    "indicators": ("indicators", "Count what visits, stays and beds come to, for the overview."),
    "notify": ("notify", "Tell leads to others: send, try a target, list what waits or failed."),
    "user": ("alerts", "Accounts of the alert feed."),
    "db": ("alerts", "Create or migrate the tables of the alert store."),
    "detectors": ("detectors", "The catalogue: what each detector sees."),
    "explain": ("explain", "Why a detector spoke of a subject, or did not."),
    "state": ("state", "What memory holds of a person, institution, till or code."),
}
HIDDEN = frozenset({"archive"})


class Front(click.Group):
    """Shows all commands without importing any; imports the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if name not in HIDDEN]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = f"stream_app.commands.{COMMANDS[cmd_name][0]}"
        if find_spec(module) is None:
            return _unavailable(cmd_name)
        command = getattr(import_module(module), cmd_name, None)
        return command if isinstance(command, click.Command) else _unavailable(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])


def _unavailable(name: str) -> click.Command:
    @click.command(
        name, context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, add_help_option=False
    )
    def command() -> None:
        raise click.ClickException(f"the command {name} is not available in this version")

    return command


def _version() -> str:
    try:
        return version("fundwatch")
    except PackageNotFoundError:
        return "not installed"


@click.group(cls=Front, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(_version(), prog_name="fundwatch")
def front() -> None:
    """Watch a medical-insurance fund as it is used, and give supervision staff leads they can act on.

    \b
    Example:
      fundwatch up            the whole system with a made-up city, on this machine
      fundwatch COMMAND -h    what a command does, with an example
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command and leave with its exit code.

    0 ok, 1 failed, 2 wrong arguments or settings, 3 differences found, 4 a server cannot be reached, 130 interrupted.
    """
    try:
        code = front.main(arguments, "fundwatch", standalone_mode=False)
        _leave(code if isinstance(code, int) else 0)
    except click.exceptions.Exit as error:
        _leave(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        _leave(INTERRUPTED)
    except click.ClickException as error:
        error.show()
        _leave(error.exit_code)
    except BrokenPipeError:  # whoever read our output has enough
        _leave_quietly()
    except Exception as error:
        explained = _explain(error)
        if explained is None:
            raise
        click.echo(f"Error: {explained[1]}", err=True)
        _leave(explained[0])


def _explain(error: Exception) -> tuple[int, str] | None:
    """The exit code and a sentence for an error that people can mend, None for a bug of ours."""
    from stream_app.settings import NotRunningError, SettingsError

    if isinstance(error, SettingsError):
        return WRONG, str(error)
    if isinstance(error, NotRunningError):
        return AWAY, str(error)
    if _is_connection(error):
        return AWAY, f"{error}\nA server cannot be reached; `fundwatch check` tells which, and what to do."
    return None


def _is_connection(error: Exception) -> bool:
    """Errors of connection, told by name: none of the libraries is imported for this."""
    names = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(error).__mro__}
    return isinstance(error, ConnectionError) or not names.isdisjoint(
        {
            "redis.ConnectionError",
            "redis.TimeoutError",
            "sqlalchemy.OperationalError",
            "sqlalchemy.InterfaceError",
            "aiokafka.KafkaConnectionError",
        }
    )


def _leave(code: int) -> NoReturn:
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _leave_quietly()
    sys.exit(code)


def _leave_quietly() -> NoReturn:
    sys.stdout = None  # so that Python does not try to flush it once more
    sys.exit(0)
