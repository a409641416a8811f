"""The live memory, looked at and left as it is: no ticket is taken, nothing is written."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from redis import Redis

from detectors.event import Record
from detectors.file import Fallen, File, Home
from detectors.ledger import Place
from detectors.memory import View, with_record
from stream_app.memory import HOMES, escaped, moment
from stream_app.rows import unpack

ANY = "*"  # in a key
AT_ONCE = 10_000  # keys of one SCAN


class Looking:
    """What Redis holds, as it was when each file was first asked for. Raises redis.RedisError."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self._redis, self._prefix = redis, prefix
        self._rows: dict[Place, list[Any]] = {}  # Any: Events, Records or Fallen
        self._files: dict[Place, File] = {}
        self._now = moment(int(cast(bytes | None, redis.get(f"{prefix}:now")) or 0))

    @property
    def view(self) -> View:
        return View(0, self._now, self._now, {}, self._file, self._records)

    def fallen(self, place: Place) -> list[Any]:
        """What lies there and does not count. Any: Events."""
        return [row.event for row in self._read(place) if isinstance(row, Fallen)]

    def files(self, place: Place) -> Iterator[Place]:
        """Those that there are; a "*" at either end of the key stands for anything."""
        key = self._key(place)
        if ANY not in place[1]:
            yield from [place] if self._redis.exists(key) else []
            return
        pattern = ANY.join(map(escaped, key.split(ANY)))
        before = len(f"{self._prefix}:f:{place[0]}:")
        for found in cast(Iterator[bytes], self._redis.scan_iter(pattern, count=AT_ONCE)):
            yield place[0], found.decode()[before:]

    def _key(self, place: Place) -> str:
        return f"{self._prefix}:f:{place[0]}:{place[1]}"

    def _read(self, place: Place) -> list[Any]:
        """Any: see above."""
        if place not in self._rows:
            rows = cast(list[bytes], self._redis.zrange(self._key(place), 0, -1))
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
