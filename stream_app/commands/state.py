"""``fundwatch state``: what memory holds of a person, an institution, a till or a code, in words."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import cast

import click
import msgspec
from msgspec import Struct
from redis import Redis

from detectors.event import CHINA, Record
from detectors.file import Fallen
from detectors.ledger import LEDGERS, Place
from stream_app.keys import ANY, Keys
from stream_app.looking import ANSWER_WITHIN_S, AT_ONCE
from stream_app.memory import moment
from stream_app.rows import unpack
from stream_app.settings import Settings
from stream_app.shards import connect, one_kind_of_error

# where the subjects of leads lie: their id is the key, or the beginning of it
LEDGERS_OF = {
    "person": ("person",),
    "org": ("desk", "bills", "feed", "till", "stock", "dept", "ward", "visit"),
    "till": ("till",),
    "stay": ("visit",),
    "trace_code": ("code",),
    "drug": ("stock",),
    "area": ("ward",),
    "rx": ("rx",),
}
RECORDS_OF = {
    "person": "ref.person",
    "org": "ref.org",
    "device": "ref.device",
    "doctor": "ref.doctor",
    "drug": "ref.drug",
}
MANY = ("org",)  # a subject with files under many keys
KEEP = {ledger.name: ledger.keep for ledger in LEDGERS}


class Held(Struct, frozen=True, kw_only=True):
    """What one ledger holds of a subject. rows: by event type; files: under how many keys; bytes: in Redis.

    first, last: business time; None where there are no rows. days: how long rows are kept behind the watermark.
    """

    ledger: str
    files: int
    rows: dict[str, int]
    taken_back: int
    first: datetime | None
    last: datetime | None
    bytes: int
    days: int | None


class State(Struct, frozen=True, kw_only=True):
    """What memory holds of one subject. reached: the business time anybody has seen."""

    kind: str
    id: str
    reached: datetime
    held: tuple[Held, ...]

    @property
    def bytes(self) -> int:
        """In Redis."""
        return sum(one.bytes for one in self.held)


@click.command()
@click.argument("subject")
@click.option(
    "--data", type=click.Path(exists=True, file_okay=False, path_type=Path), help="The embedded system that runs there."
)
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def state(subject: str, data: Path | None, as_json: bool) -> None:
    """What memory holds of a SUBJECT, and how much room it takes. Nothing is changed.

    SUBJECT is kind:id, with the kinds of the leads (person, org, till, stay, trace_code, drug, area, rx, device,
    doctor), or the bare id where only one kind has it.

    \b
    Example:
      fundwatch state person:p10875efd5d63b892
      fundwatch state P33010210007 --data run
    """
    settings = Settings.load(data_dir=data)
    with one_kind_of_error(), connect(settings.redis, socket_timeout=ANSWER_WITHIN_S) as redis:
        found = list(states(redis, Keys.of(settings.redis), *_parsed(subject)))
    if not found:
        click.echo(f"nothing is held of {subject}", err=True)
        sys.exit(1)
    if len(found) > 1:
        kinds = " or ".join(f"{one.kind}:{one.id}" for one in found)
        raise click.UsageError(f"{subject} is not one thing only: {kinds}")
    click.echo(msgspec.json.encode(found[0]) if as_json else "\n".join(in_words(found[0])))


def _parsed(subject: str) -> tuple[str, Iterable[str]]:
    kinds = dict.fromkeys((*LEDGERS_OF, *RECORDS_OF))
    kind, colon, name = subject.partition(":")
    return (name, (kind,)) if colon and kind in kinds else (subject, kinds)


def states(redis: Redis, keys: Keys, name: str, kinds: Iterable[str]) -> Iterator[State]:
    """Of each kind that has it. Raises redis.RedisError."""
    reached = moment(int(cast(bytes | None, redis.get(f"{keys.prefix}:now")) or 0))
    for kind in kinds:
        held = [one for ledger in LEDGERS_OF.get(kind, ()) if (one := _held(redis, keys, ledger, name, kind in MANY))]
        if kind in RECORDS_OF and (records := _held(redis, keys, RECORDS_OF[kind], name, many=False)):
            held.append(records)
        if held:
            yield State(kind=kind, id=name, reached=reached, held=tuple(held))


def _held(redis: Redis, keys: Keys, ledger: str, name: str, many: bool) -> Held | None:
    files = list(_files(redis, keys, (ledger, name), many))
    if not files:
        return None
    counts: Counter[str] = Counter()
    taken_back, times, size = 0, [], 0
    for file in files:
        key = keys.of_file(file)
        size += redis.memory_usage(key) or 0
        for packed in cast(list[bytes], redis.zrange(key, 0, -1)):
            row = unpack(packed, file[1])
            if isinstance(row, Fallen):
                taken_back += 1
                continue
            counts[str(type(row).__struct_config__.tag)] += 1
            times.append(row.valid_from if isinstance(row, Record) else row.happened_at)
    return Held(
        ledger=ledger,
        files=len(files),
        rows=dict(sorted(counts.items())),
        taken_back=taken_back,
        first=min(times, default=None),
        last=max(times, default=None),
        bytes=size,
        days=KEEP[ledger].days if ledger in KEEP else None,
    )


def _files(redis: Redis, keys: Keys, place: Place, many: bool) -> Iterator[Place]:
    """The file of that very key, and where a subject has many, those whose key begins with it."""
    if redis.exists(keys.of_file(place)):
        yield place
    if many:
        begun = keys.matching((place[0], f"{place[1]}/{ANY}"))
        yield from map(keys.file_of, redis.scan_iter(begun, count=AT_ONCE))


def in_words(found: State) -> Iterator[str]:
    """As people read it."""
    yield f"{found.kind} {found.id}: {_size(found.bytes)} in Redis; business time has reached {_time(found.reached)}"
    for one in found.held:
        rows = ", ".join(f"{count:,} {kind}" for kind, count in one.rows.items()) or "no rows"
        files = f" in {one.files:,} files" if one.files > 1 else ""
        gone = f", {one.taken_back:,} told not to count" if one.taken_back else ""
        span = f" from {_time(one.first)} to {_time(one.last)}" if one.first and one.last else ""
        kept = f"kept {one.days:,} days" if one.days else "kept for good"
        yield f"  {one.ledger:10} {rows}{files}{gone}{span}; {kept}, {_size(one.bytes)}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M}"


def _size(count: int) -> str:
    return f"{count:,} bytes" if count < 10_000 else f"{count / 1024:,.1f} KB"
