"""Makes the dictionary that rows are pressed with: python -m tests.benchmarks.dictionary OUT.

See docs/decisions/s-bytes.md. Of rows that a made-up city leaves in the ledgers that are kept for long. What it makes
belongs to one schema: rows that were pressed with one dictionary cannot be read with another, so a new one means a new
schema. That of schema 2 (stream_app/rows.zdict) was made when all ledgers and reference records were pressed.
"""

import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random

import zstandard

from detectors.event import Event
from detectors.ledger import filed
from detectors.wire import seal_of
from stream_app.memory import LONG
from stream_app.rows import text_of, without_key
from tests.benchmarks.recordings import city

Buffer = bytes | bytearray | memoryview  # as zstandard has it
EVENTS = 30_000
SAMPLES = 1_500  # of each ledger, at most
SIZE = 8_192  # bytes; 32 KB gave 2 % more


def rows(events: Sequence[Event]) -> Iterator[tuple[str, bytes]]:
    """Ledger, and a row as it is before it is pressed."""
    for event in events:
        seal_of(event)
    for ledger, files in filed(events).items():
        if ledger.keep < LONG:
            continue
        for key, some in files.items():
            for event in some:
                for part in (event,) if ledger.rows is None else ledger.rows(event, key):
                    yield ledger.name, without_key(text_of(part), key)


def samples(told: Iterator[tuple[str, bytes]]) -> list[Buffer]:
    """Some of each ledger, always the same."""
    by_ledger: dict[str, list[bytes]] = {}
    for ledger, row in told:
        by_ledger.setdefault(ledger, []).append(row)
    chosen = Random(1)
    found: list[Buffer] = [row for some in by_ledger.values() for row in chosen.sample(some, min(SAMPLES, len(some)))]
    chosen.shuffle(found)
    return found


def main(out: Path) -> None:
    with tempfile.TemporaryDirectory() as cache:
        _, events = city(EVENTS, Path(cache)).first(EVENTS)
    out.write_bytes(zstandard.train_dictionary(SIZE, samples(rows(events))).as_bytes())


if __name__ == "__main__":
    main(Path(sys.argv[1]))
