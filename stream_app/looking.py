"""The live memory, looked at and left as it is: no ticket is taken, nothing is written."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from redis import Redis

from detectors.event import Record
from detectors.file import Fallen, File, Home
from detectors.ledger import Place
from detectors.memory import View, with_record
from stream_app.keys import ANY, Keys
from stream_app.memory import HOMES, moment
from stream_app.rows import unpack
from stream_app.settings import RedisSettings
from stream_app.shards import connect, one_kind_of_error

AT_ONCE = 10_000  # keys of one SCAN
ANSWER_WITHIN_S = 10


class Looking:
    """What Redis holds, as it was when each file was first asked for. Raises redis.RedisError."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys
        self._rows: dict[Place, list[Any]] = {}  # Any: Events, Records or Fallen
        self._files: dict[Place, File] = {}
        self._now = moment(int(cast(bytes | None, redis.get(f"{keys.prefix}:now")) or 0))

    @property
    def view(self) -> View:
        return View(0, self._now, self._now, {}, self._file, self._records)

    def fallen(self, place: Place) -> list[Any]:
        """What lies there and does not count. Any: Events."""
        return [row.event for row in self._read(place) if isinstance(row, Fallen)]

    def files(self, place: Place) -> Iterator[Place]:
        """Those that there are; a "*" at either end of the key stands for anything."""
        if ANY not in place[1]:
            yield from [place] if self._redis.exists(self._keys.of_file(place)) else []
            return
        found = cast(Iterator[bytes], self._redis.scan_iter(self._keys.matching(place), count=AT_ONCE))
        yield from map(self._keys.file_of, found)

    def _read(self, place: Place) -> list[Any]:
        """Any: see above."""
        if place not in self._rows:
            rows = cast(list[bytes], self._redis.zrange(self._keys.of_file(place), 0, -1))
            self._rows[place] = [unpack(row, place[1]) for row in rows]
        return self._rows[place]

    def _file(self, place: Place) -> File:
        if place not in self._files:
            file = self._files[place] = Home() if place[0] in HOMES else File()
            for row in self._read(place):
                if isinstance(row, Fallen):
                    file.strike(row)
                else:
                    file.add(row)
        return self._files[place]

    def _records(self, place: Place) -> Sequence[Record]:
        records: list[Record] = []
        for record in self._read(place):
            records = with_record(records, record)
        return records


@contextmanager
def looking(settings: RedisSettings) -> Iterator[Looking]:
    """At the memory that the settings name. Raises redis.RedisError."""
    with one_kind_of_error(), connect(settings, socket_timeout=ANSWER_WITHIN_S) as redis:
        yield Looking(redis, Keys.of(settings))
