"""Judge whole worlds in other orders, batches and numbers of workers, and compare the alerts (make order).

python -m tests.order --table docs/order.md a c quiet b
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from redis import Redis

from replay.recording import lines
from stream_app.memory import Memory
from tests.live.servers import redis_running
from tests.order.arrivals import Arrived, Standing, Way, judged, undisturbed

WORLDS = Path(__file__).parents[3] / "shared" / "worlds"
WAYS = (
    Way(workers=1, most=2_000, hours=0, repeated=0, restarts=0, seed=1),
    Way(workers=2, most=2_000, hours=6, repeated=0.02, restarts=0.02, seed=2),
    Way(workers=4, most=2_000, hours=24, repeated=0.05, restarts=0.05, seed=3),
)


@dataclass(frozen=True)
class Compared:
    """One world, come one way."""

    world: str
    way: Way
    events: int
    alerts: int
    missing: int
    extra: int
    different: int
    seconds: float

    @property
    def is_equal(self) -> bool:
        return not (self.missing or self.extra or self.different)


@click.command()
@click.argument("worlds", nargs=-1)
@click.option("--table", type=click.Path(dir_okay=False, path_type=Path), help="Write the table to this file.")
def main(worlds: tuple[str, ...], table: Path | None) -> None:
    """WORLDS: folders with reference.ndjson.gz and events.ndjson.gz, or names of shared ones. Exit code 1: differs."""
    compared: list[Compared] = []
    with tempfile.TemporaryDirectory() as folder, redis_running(Path(folder)) as running:
        redis = Redis.from_url(f"redis://{running.address}/0")
        redis.config_set("appendfsync", "no")
        for name in worlds or ("a", "c", "quiet", "b"):
            for one in _compare(name, redis):
                click.echo(_row(one))
                compared.append(one)
                if table is not None:
                    table.write_text("\n".join(_page(compared, worlds)) + "\n")
    if not all(one.is_equal for one in compared):
        raise click.exceptions.Exit(1)


def _compare(name: str, redis: Redis) -> Iterator[Compared]:
    folder = Path(name) if Path(name).is_dir() else WORLDS / name
    arrived = Arrived.of(
        line.raw for part in ("reference", "events") for line in lines(str(folder / f"{part}.ndjson.gz"))
    )
    wanted = undisturbed(arrived)
    for way in WAYS:
        began = time.monotonic()
        redis.flushall()
        found = judged(arrived, way, lambda: Memory(redis))
        yield _compared(folder.name, way, len(arrived.events), wanted, found, time.monotonic() - began)


def _compared(world: str, way: Way, events: int, wanted: Standing, found: Standing, seconds: float) -> Compared:
    different = sum(wanted[name] != found[name] for name in wanted.keys() & found.keys())
    missing, extra = len(wanted.keys() - found.keys()), len(found.keys() - wanted.keys())
    return Compared(world, way, events, len(wanted), missing, extra, different, seconds)


def _page(compared: Sequence[Compared], worlds: Sequence[str]) -> Iterator[str]:
    yield "# Order of arrival, batches, workers, repetition, restarts"
    yield ""
    yield "Each world is judged by several workers over one Redis; which of them goes next, how large its batch is, "
    yield "what comes late or twice and who is lost before it could acknowledge is drawn by a seed. The alerts that "
    yield "stand are compared with those of one quiet pass: identity, level and set of events."
    yield ""
    yield f'Made by `make order ARGS="{" ".join(worlds)}"`. Written by the command; not to be edited.'
    yield ""
    yield "| world | events | workers | batches of | moved by up to | come twice | batches lost | alerts | result | s |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    yield from map(_row, compared)


def _row(one: Compared) -> str:
    way = one.way
    result = "equal" if one.is_equal else f"{one.missing} missing, {one.extra} extra, {one.different} different"
    return (
        f"| {one.world} | {one.events:,} | {way.workers} | 1 to {way.most:,} | {way.hours:g} h | {way.repeated:.0%} "
        f"| {way.restarts:.0%} | {one.alerts} | {result} | {one.seconds:.0f} |"
    )


if __name__ == "__main__":
    sys.exit(main())
