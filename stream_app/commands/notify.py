"""``fundwatch notify``: telling leads to others."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from alerts.notify import queue
from alerts.notify.targets import Target
from stream_app.commands.alerts import Failure, data_option, opened
from stream_app.settings import Settings

STATES = (queue.WAITING, queue.SENT, queue.DEAD, queue.DROPPED)
AWAY = 4


@click.group()
def notify() -> None:
    """Tell leads to others by webhook, mail, WeCom or DingTalk, as the settings under ``notify`` say.

    \b
    Example:
      fundwatch notify send
      fundwatch notify test office
      fundwatch notify list --state dead
    """


@notify.command()
@data_option
def send(data: Path | None) -> None:
    """Send what leads give to tell, until it is stopped (SIGTERM, Ctrl-C). Of several one sends, the others wait.

    \b
    Example:
      FUNDWATCH_NOTIFY__TARGETS__OFFICE__URL_FILE=/run/secrets/robot fundwatch notify send
    """
    from stream_app import logs

    settings = Settings.load(data_dir=data)
    logs.configure("notify")
    if not settings.notify.targets:
        raise click.UsageError("no target is set: name one under [notify.targets.NAME] in fundwatch.toml")
    from stream_app.notifier import run_notifier

    run_notifier(settings)


@notify.command()
@click.argument("name", metavar="TARGET")
@data_option
def test(name: str, data: Path | None) -> None:
    """Send one message, which tells of no lead, to a target.

    \b
    Example:
      fundwatch notify test office
    """
    from alerts.notify.letters import trial
    from alerts.notify.senders import UndeliveredError
    from alerts.notify.senders import send as hand_over

    settings = Settings.load(data_dir=data)
    target = _named(name, settings)
    try:
        hand_over(target, trial(target, settings.notify.link, datetime.now(UTC)))
    except UndeliveredError as error:
        raise Failure(f"{name}: {error}", AWAY) from None
    click.echo(f"{name} has taken it", err=True)


@notify.command("list")
@click.option("--state", "states", multiple=True, type=click.Choice(STATES), help="May be repeated.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@data_option
def list_(states: tuple[str, ...], as_json: bool, data: Path | None) -> None:
    """The newest 200 messages that wait or were given up, or of the states named; 1 if any was given up.

    \b
    Example:
      fundwatch notify list --state dead --json
    """
    with opened(data) as store:
        found = queue.listed(store, states or (queue.WAITING, queue.DEAD))
    if as_json:
        click.echo(msgspec.json.encode(found))
    else:
        for one in found:
            click.echo(
                f"{one.state:8} {one.target:16} {one.told:10} {one.alert_id}  not before {one.next_at:%Y-%m-%d %H:%M}Z"
                f"  attempts {one.attempts}  {one.error}".rstrip()
            )
    sys.exit(1 if any(one.state == queue.DEAD for one in found) else 0)


@notify.command()
@click.argument("name", metavar="TARGET")
@data_option
def again(name: str, data: Path | None) -> None:
    """Let what was given up for a target wait once more, when it has been mended.

    \b
    Example:
      fundwatch notify again office
    """
    with opened(data) as store:
        count = queue.again(store, _named(name, Settings.load(data_dir=data)).name, datetime.now(UTC))
    click.echo(f"{count} wait again", err=True)


def _named(name: str, settings: Settings) -> Target:
    from stream_app.notifier import targets_of

    targets = {target.name: target for target in targets_of(settings.notify)}
    if name not in targets:
        raise click.UsageError(f"there is no target {name}; there are: {', '.join(targets) or 'none'}")
    return targets[name]
