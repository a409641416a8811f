"""How fast it is on this machine (make bench): a table of figures, or JSON.

Costs of an event are CPU time; rates of servers are wall clock, and want a machine with nothing else to do.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from tests.benchmarks import core, feed, latency, metering, model, servers
from tests.benchmarks.figures import Figure
from tests.benchmarks.recordings import Recording, city, world

SOME = 60_000  # events where the whole recording would tell no more
VERDICTS = 4_000
SECONDS = 30
CACHE = Path(tempfile.gettempdir()) / "fundwatch-benchmarks"


class How(NamedTuple):
    """What the command was told: where things are kept, and how long alerts are to come."""

    cache: Path
    seconds: int


Part = Callable[[Recording, How], Iterator[Figure]]


def replays(made: Recording, _: How) -> Iterator[Figure]:
    yield from core.replay(made)
    if (recorded := world()) is not None:
        yield from core.replay(recorded)


PARTS: Mapping[str, Part] = {
    "decode": lambda made, _: core.decode(made, SOME),
    "memory": lambda made, _: core.memory(made, SOME),
    "detectors": lambda made, _: core.detectors(made, SOME),
    "model": lambda made, _: model.model(made, SOME),
    "replay": replays,
    "redis": lambda made, _: servers.redis(made, SOME),
    "metrics": lambda made, _: metering.metrics(made, SOME),
    "keeper": lambda made, _: servers.keeping(VERDICTS),
    "line": lambda made, _: servers.line(made, SOME),
    "latency": lambda made, _: latency.latency(made),
    "feed": lambda _, how: feed.feed(how.cache, how.seconds),
}


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(list(PARTS)))
@click.option("--events", type=click.IntRange(min=1_000), default=200_000, show_default=True, help="Size of the city.")
@click.option("--world", "recorded", is_flag=True, help="Measure on the recorded world b instead of a made-up city.")
@click.option(
    "--cache",
    type=click.Path(file_okay=False, path_type=Path),
    default=CACHE,
    show_default=True,
    help="Where cities are kept.",
)
@click.option(
    "--seconds", type=click.IntRange(min=1), default=SECONDS, show_default=True, help="For which alerts come (feed)."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def main(parts: tuple[str, ...], events: int, recorded: bool, cache: Path, seconds: int, as_json: bool) -> None:
    """Measure PARTS, all of them unless told.

    \b
    Example:
      make bench ARGS="decode detectors"
      make bench ARGS="replay --events 1000000 --json"
    """
    found = world() if recorded else None
    if recorded and found is None:
        raise click.UsageError("there is no recorded world b beside this repository")
    click.echo("making up a city, or finding it …" if found is None else "reading world b …", err=True)
    recording = found or city(events, cache)
    if not as_json:
        click.echo(f"{recording.name}: {recording.mix}")
    figures: list[Figure] = []
    for name in parts or PARTS:
        click.echo(f"{name} …", err=True)
        for figure in PARTS[name](recording, How(cache, seconds)):
            figures.append(figure)
            if not as_json:
                click.echo(figure.line())
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(figures), indent=2))
    sys.exit(0)


if __name__ == "__main__":
    main()
