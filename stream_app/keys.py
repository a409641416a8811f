"""How the keys of files are spelled in Redis: all at home on one server, or spread over the shards of a cluster."""

from typing import NamedTuple
from zlib import crc32

from detectors.ledger import Place
from stream_app.settings import RedisSettings

ANY = "*"  # in the key of a file: anything


class Keys(NamedTuple):
    """prefix: in braces, what every key at home begins with. shards: 0: all is at home."""

    prefix: str
    shards: int = 0

    @classmethod
    def of(cls, settings: RedisSettings) -> "Keys":
        return cls(f"{{{settings.prefix}}}", settings.shards)

    def shard_of(self, file: str) -> str:
        """What the keys of a file, as ledger:key, begin with."""
        return f"{self.prefix[:-1]}.{crc32(file.encode()) % self.shards}}}" if self.shards else self.prefix

    def of_file(self, place: Place) -> str:
        name = f"{place[0]}:{place[1]}"
        return f"{self.shard_of(name)}:f:{name}"

    def matching(self, place: Place) -> str:
        """A pattern for SCAN: the files with keys like this one, in which ANY stands for anything."""
        begin = f"{escaped(self.prefix[:-1])}.*}}" if self.shards else escaped(self.prefix)
        return f"{begin}:f:" + ANY.join(map(escaped, f"{place[0]}:{place[1]}".split(ANY)))

    def file_of(self, key: bytes) -> Place:
        """What ``of_file`` made a key of."""
        ledger, _, name = key.partition(b"}:f:")[2].decode().partition(":")
        return ledger, name


def escaped(text: str) -> str:
    """For the patterns of SCAN: matches itself only."""
    return "".join(f"[{c}]" if c in "*?" else f"\\{c}" if c in "[]\\" else c for c in text)
