"""The ledgers in a Redis Cluster: files spread over shards, each of which lies on one node as a whole.

Keys, beside those of memory.py. In braces what decides about the node: a script finds all it touches there.

    {fw}           home: ticket, now, news, due, spoke, ticking, as memory.py has them, and no file
    {fw.N}:f:…     the files of shard N, as in memory.py; score = the shard's position when the row came
    {fw.N}:at      integer: the position, which grows with whatever is added to this shard; from the node's clock

A shard knows nothing of tickets, a ticket nothing of shards. The order makes it right, as on a single server: rows are
added on all shards, then the ticket is taken at home, then all shards are read. A row that was not there to be read
came after the ticket, so whoever added it judges with a higher one. Before anything is published a unit is marked as
having spoken, and only then its files are looked at once more: of a worker that speaks and one that takes the ground
away and falls silent, at least one sees the other.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any, cast

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import ConnectionError, RedisClusterException
from redis.retry import Retry

from detectors.file import File
from detectors.finding import UnitId
from detectors.ledger import LEDGERS, Place
from detectors.memory import View, Wakes
from stream_app.keys import ANY, Keys
from stream_app.memory import (
    MOST_FILES,
    NEWS_KEPT,
    WHOLE,
    Held,
    Memory,
    _blob,
    _is_fact,
    _keep_rows,
    _name,
    _Reader,
    _text,
    _told,
    micros,
    moment,
    strings,
)
from stream_app.settings import RedisSettings

READS_KEPT = 8  # of one file; who asks for an older one is told that the file has grown, and judges again

# ARGV: prefix, blob {file, [rows]}...
ADD = """
local p = ARGV[1]
local clock = redis.call('TIME')
local last = tonumber(redis.call('GET', p .. ':at') or 0)
local at = string.format('%.0f', math.max(last + 1, clock[1] * 1000000 + clock[2]))
redis.call('SET', p .. ':at', at)
for _, file in ipairs(cmsgpack.unpack(ARGV[2])) do
    for _, row in ipairs(file[2]) do redis.call('ZADD', p .. ':f:' .. file[1], 'NX', at, row) end
end
return at
"""

# ARGV: prefix, blob {file, position up to which it is known}...; returns the position now, and what is new
READ = """
local p = ARGV[1]
local news = {}
for i, file in ipairs(cmsgpack.unpack(ARGV[2])) do
    local more = redis.call('ZRANGEBYSCORE', p .. ':f:' .. file[1], '(' .. file[2], '+inf')
    if #more > 0 then news[#news + 1] = {i, more} end
end
return {redis.call('GET', p .. ':at') or '0', news}
"""

# ARGV: as of READ; returns which of them have more rows
GROWN = """
local p = ARGV[1]
local grown = {}
for i, file in ipairs(cmsgpack.unpack(ARGV[2])) do
    if redis.call('ZCOUNT', p .. ':f:' .. file[1], '(' .. file[2], '+inf') > 0 then grown[#grown + 1] = i end
end
return grown
"""


def connect(settings: RedisSettings, **options: Any) -> Redis:  # Any: as redis-py takes them
    """A client of the server, or of the cluster, that the settings name. It tries once: who calls insists.

    A cluster's client differs from a server's only where keys of several nodes are asked for at once.
    """
    retry = Retry(NoBackoff(), 0)
    if not settings.shards:
        return Redis.from_url(settings.url, retry=retry, **options)
    with one_kind_of_error():
        return cast(Redis, RedisCluster.from_url(settings.url, retry=retry, **options))


def memory(settings: RedisSettings, **options: Any) -> Memory:  # Any: as above
    """The memory that the settings name. Raises redis.RedisError if a cluster cannot be reached."""
    redis, keys = connect(settings, **options), Keys.of(settings)
    return Sharded(redis, keys.shards, keys.prefix) if keys.shards else Memory(redis, keys.prefix)


class Sharded(Memory):
    """As Memory, over several nodes. The number of shards must stay what it is for as long as the data live."""

    def __init__(self, redis: Redis, shards: int, prefix: str = "{fw}", most_files: int = MOST_FILES) -> None:
        super().__init__(redis, prefix, most_files)
        self._keys = Keys(prefix, shards)
        self._add, self._read, self._grown = map(redis.register_script, (ADD, READ, GROWN))
        self._sweep: Iterator[bytes] = iter(())

    def _forget_replica(self) -> None:
        super()._forget_replica()
        # of each file when it was read, oldest first: (ticket, position of its shard)
        self._reads: defaultdict[Place, list[tuple[int, int]]] = defaultdict(list)

    def _trip(
        self, touched: Mapping[Place, tuple[File | None, Sequence[bytes]]], now: int, subjects: Sequence[str] = ()
    ) -> View:
        self._make_room()
        added = {_name(place): rows for place, (_, rows) in touched.items() if rows}
        for shard, names in self._by_shard(added).items():
            self._run("remember", self._add, shard, _blob([(name, strings(added[name])) for name in names]))
        news_seen = self._news_seen if self._facts else 1 << 53
        home = self._run(
            "remember", self._hear, self._prefix, _blob((now, str(news_seen), [], subjects)), NEWS_KEPT, self._writer
        )
        ticket, self._now = int(home[0]), int(home[1])
        self._hear_news(home[3], int(home[4]))
        self._read_all(touched, ticket)
        self._news_seen = ticket
        self._due_at = int(float(home[5])) if home[5] else 1 << 62
        return View(
            ticket,
            moment(self._now),
            moment(int(home[6])),
            {},
            _Reader(self._young, self._file, ticket),
            self._records,
        )

    def _make_room(self) -> None:
        if len(self._reads) > 3 * self._most:
            self._reads.clear()  # so every file is read from its start again, and
            self._facts.clear()  # none is left of which nobody knows when it was read

    def _read_all(self, touched: Mapping[Place, tuple[File | None, Sequence[bytes]]], ticket: int) -> None:
        places = {_name(place): place for place in touched}
        for shard, names in self._by_shard(places).items():
            wanted = [(name, str(self._known(places[name]))) for name in names]
            at, news = self._run("remember", self._read, shard, _blob(wanted))
            rows = {names[index - 1]: more for index, more in news}
            for name in names:
                self._take(places[name], touched[places[name]][0], rows.get(name, ()), ticket, int(at))

    def _known(self, place: Place) -> int:
        """Records are read whole; of events only what is new."""
        reads = self._reads.get(place)
        return reads[-1][1] if reads and not _is_fact(place) else 0

    def _take(self, place: Place, file: File | None, rows: Sequence[bytes], ticket: int, at: int) -> None:
        if file is None:
            self._keep_facts(place, rows)
        else:
            _keep_rows(file, rows, place[1])
            file.seen = ticket
        reads = self._reads[place]
        reads.append((ticket, at))
        del reads[:-READS_KEPT]

    def _file(self, place: Place) -> File:
        """A file that is made anew is read from its start."""
        if place not in self._young and place not in self._old:
            self._reads.pop(place, None)
        return super()._file(place)

    def conclude(
        self, said: Mapping[UnitId, tuple[int, Collection[Place]]], silent: Iterable[UnitId], wakes: Wakes
    ) -> tuple[set[UnitId], set[UnitId]]:
        quiet = list(silent)
        if not (said or quiet or wakes):
            return set(), set()
        blob = _blob(
            (
                [(_text(unit), str(ticket), []) for unit, (ticket, _) in said.items()],
                [*map(_text, quiet)],
                list(_told(wakes)),
            )
        )
        _, spoken = self._run("conclude", self._conclude, self._prefix, blob)
        self._due_at = min([self._due_at, *map(micros, wakes)])
        return self._whose_files_have_grown(said), {quiet[i - 1] for i in spoken}

    def _whose_files_have_grown(self, said: Mapping[UnitId, tuple[int, Collection[Place]]]) -> set[UnitId]:
        looked_at: defaultdict[tuple[str, int], set[UnitId]] = defaultdict(set)  # a file, as of a position
        for unit, (ticket, places) in said.items():
            for place in places:
                looked_at[_name(place), self._position(place, ticket)].add(unit)
        by_shard: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for name, at in looked_at:
            by_shard[self._keys.shard_of(name)].append((name, at))
        grown: set[UnitId] = set()
        for shard, files in by_shard.items():
            for index in self._run("conclude", self._grown, shard, _blob([(name, str(at)) for name, at in files])):
                grown |= looked_at[files[index - 1]]
        return grown

    def _position(self, place: Place, ticket: int) -> int:
        """Up to where a view of this ticket surely saw the file; 0: nobody knows any more."""
        reads = self._reads.get((place[0], place[1]), [])
        if len(reads) == READS_KEPT and reads[0][0] > ticket:
            return 0
        return next((at for read, at in reads if read >= ticket), reads[-1][1] if reads else 0)

    def forget(self, cursor: int = 0, count: int = 500) -> int:
        """Any slice of the keys; the cursor only says whether there are more."""
        if not cursor:
            self._sweep = iter(self._redis.scan_iter(match=self._keys.matching((ANY, ANY)), count=count))
        horizons = {ledger.name: moment(self._now) - ledger.keep for ledger in LEDGERS}
        with one_kind_of_error():
            keys = list(islice(self._sweep, count))
            for key in keys:
                ledger, name = self._keys.file_of(key)
                if ledger in horizons:
                    self._forget_file(key, name, horizons[ledger], whole=ledger in WHOLE)
        return 1 if len(keys) == count else 0

    def _by_shard(self, names: Iterable[str]) -> dict[str, list[str]]:
        found: defaultdict[str, list[str]] = defaultdict(list)
        for name in names:
            found[self._keys.shard_of(name)].append(name)
        return found

    def check_schema(self) -> None:
        with one_kind_of_error():
            super().check_schema()

    def held(self) -> Held:
        if not isinstance(self._redis, RedisCluster):
            return super().held()
        with one_kind_of_error():
            found = cast(dict[str, Any], self._redis.info("memory", target_nodes=RedisCluster.PRIMARIES))
            keys = cast(int, self._redis.dbsize())
        nodes = [found] if "used_memory" in found else found.values()
        limits = [node.get("maxmemory", 0) for node in nodes]
        return Held(sum(node["used_memory"] for node in nodes), sum(limits) if all(limits) else 0, keys)

    def _call(self, script: Any, args: Sequence[Any]) -> Any:
        """Any: as in Memory. The key says on which node the script is to run."""
        with one_kind_of_error():
            return script(keys=[f"{args[0]}:at"], args=args)

    def _server_id(self) -> str:
        """Of all nodes together."""
        if not isinstance(self._redis, RedisCluster):
            return super()._server_id()
        with one_kind_of_error():
            found = cast(dict[str, Any], self._redis.info("server", target_nodes=RedisCluster.PRIMARIES))
        nodes = [found] if "run_id" in found else found.values()
        return " ".join(sorted(str(node["run_id"]) for node in nodes))


@contextmanager
def one_kind_of_error() -> Iterator[None]:
    """redis-py has errors of a cluster that are no RedisError: a slot that no node has, no node that answers."""
    try:
        yield
    except RedisClusterException as error:
        raise ConnectionError(str(error)) from error
