"""The ledgers in Redis. Each worker keeps a replica of what it reads; Redis says what is new.

Keys, all of them. ``{fw}`` is the prefix of the settings; in braces, so that a cluster keeps one prefix on one node.

    {fw}:f:<ledger>:<key>  sorted set  a file; member = a row (stream_app/rows.py), score = the ticket it came with.
                                       Lives as long as its ledger keeps it behind the watermark (``forget``)
    {fw}:f:ref.<kind>:<id> sorted set  the reference records of a subject; score likewise. Kept for good
    {fw}:f:ref.<kind>.group:<name>     the same of all subjects of a group, by which peers are found
    {fw}:news              sorted set  subject whose records changed -> ticket; the newest NEWS_KEPT of them
    {fw}:news:floor        integer     ticket up to which ``news`` has been cut
    {fw}:ticket            integer     the last one taken; from the clock, so that it grows whatever is lost
    {fw}:writer            string      who took it, and the last ticket that anybody else had taken before
    {fw}:now               integer     the latest business time seen, microseconds since 1970: the watermark W
    {fw}:due               sorted set  member = a wake as JSON, score = its moment in microseconds
    {fw}:spoke             sorted set  units that have ever said something -> ticket
    {fw}:schema            integer     how all this is written (rows.SCHEMA); none: as in schema 1
    {fw}:ticking           string      set while a worker judges what is due; gone after TICK_LEASE_MS at the latest
    {fw}:ticker            string      who took what is due last: nobody else may remove it
    {fw}:again             set         due wakes that were asked for since it was taken: they stay

Rows are only ever added, until they are forgotten. One script call for a batch adds, takes the ticket and reads;
a second, before anything is published, compares and marks (the silence handshake).
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple, cast
from uuid import uuid4

import msgspec
from redis import Redis
from redis.exceptions import RedisError

from detectors.event import CHINA, EVER, Record
from detectors.file import Fallen, File, Home
from detectors.finding import UnitId
from detectors.ledger import CODE, DESK, LEDGERS, PERSON, VISIT, Ledger, Place, filed
from detectors.memory import Missing, Named, View, Wake, Wakes, with_record
from detectors.unit import places_of
from detectors.wire import seal_of
from stream_app import metrics
from stream_app.keys import ANY, Keys
from stream_app.rows import READABLE, SCHEMA, happened_at, pressed, text_of, unpack
from stream_app.settings import SettingsError

NEWS_KEPT = 100_000  # changes of reference records a worker may miss before it forgets all it knows of them
TICK_LEASE_MS = 10_000
MOST_DUE, FEWEST_DUE = 100_000, 50  # wakes taken at a time
MOST_WAKES = 200_000  # that a worker knows to be kept already
MOST_FILES = 200_000  # in each of two generations of a worker's replica
NO_UNITS: frozenset[Named] = frozenset()
HOMES = (PERSON.name, DESK.name)
LONG = timedelta(days=100)  # rows that are kept so long are pressed: 98 % of a memory that is full
WHOLE = (VISIT.name, CODE.name)  # forgotten as a whole: judged as a whole, however long they last

# ARGV: prefix, blob {now, news seen, [file, seen, [rows]]..., [subjects whose records are among the rows]}, the most
# news to keep, who asks. Nothing comes between, so the order in here is free, and the ticket serves as position too.
# A call from Lua is dear: a file that was seen since anybody else wrote anything is not read again.
HEAR = """
local p = ARGV[1]
local now, news_seen, files, subjects = unpack(cmsgpack.unpack(ARGV[2]))
local clock = redis.call('TIME')
local state = redis.call('MGET', p .. ':ticket', p .. ':now', p .. ':writer')
local last = tonumber(state[1] or 0)
local ticket = string.format('%.0f', math.max(last + 1, clock[1] * 1000000 + clock[2]))
local top = math.max(tonumber(state[2] or 0), now)
local writer, foreign = string.match(state[3] or '', '^(%S+) (%d+)$')
if writer ~= ARGV[4] then foreign = string.format('%.0f', last) end
redis.call('MSET', p .. ':ticket', ticket, p .. ':now', string.format('%.0f', top),
    p .. ':writer', ARGV[4] .. ' ' .. foreign)
foreign = tonumber(foreign)
local others = {}
for i, file in ipairs(files) do
    local key, seen, rows = p .. ':f:' .. file[1], file[2], file[3]
    for _, row in ipairs(rows) do redis.call('ZADD', key, 'NX', ticket, row) end
    if tonumber(seen) <= foreign then
        local more = redis.call('ZRANGEBYSCORE', key, '(' .. seen, '(' .. ticket)
        if #more > 0 then others[#others + 1] = {i, more} end
    end
end
local news = redis.call('ZRANGEBYSCORE', p .. ':news', '(' .. news_seen, '+inf')
local floor = redis.call('GET', p .. ':news:floor') or '0'
for _, subject in ipairs(subjects) do redis.call('ZADD', p .. ':news', ticket, subject) end
if #subjects > 0 then
    local over = redis.call('ZCARD', p .. ':news') - tonumber(ARGV[3])
    if over > 0 then
        local cut = redis.call('ZRANGE', p .. ':news', over - 1, over - 1, 'WITHSCORES')
        redis.call('SET', p .. ':news:floor', string.format('%.0f', tonumber(cut[2])))
        redis.call('ZREMRANGEBYRANK', p .. ':news', 0, over - 1)
    end
end
local due = redis.call('ZRANGE', p .. ':due', 0, 0, 'WITHSCORES')[2] or ''
return {ticket, string.format('%.0f', top), others, news, floor, due, state[2] or '0', string.format('%.0f', foreign)}
"""

# ARGV: prefix, blob {said [unit, ticket, [files]], silent [unit], wakes [member, score]}
CONCLUDE = """
local p = ARGV[1]
local said, silent, wakes = unpack(cmsgpack.unpack(ARGV[2]))
local grown, spoken = {}, {}
for i, one in ipairs(said) do
    local whole = true
    for _, file in ipairs(one[3]) do
        if redis.call('ZCOUNT', p .. ':f:' .. file, '(' .. one[2], '+inf') > 0 then whole = false break end
    end
    if whole then redis.call('ZADD', p .. ':spoke', one[2], one[1]) else grown[#grown + 1] = i end
end
for i, unit in ipairs(silent) do
    if redis.call('ZSCORE', p .. ':spoke', unit) then spoken[#spoken + 1] = i end
end
local now = tonumber(redis.call('GET', p .. ':now') or 0)
for _, wake in ipairs(wakes) do
    redis.call('ZADD', p .. ':due', wake[2], wake[1])
    if tonumber(wake[2]) <= now then redis.call('SADD', p .. ':again', wake[1]) end
end
return {grown, spoken}
"""

# ARGV: prefix, limit, lease in ms, who asks. A lease that is longer than leases are was given before the clock went
# back: void.
DUE = """
local p = ARGV[1]
if redis.call('PTTL', p .. ':ticking') > tonumber(ARGV[3]) then redis.call('DEL', p .. ':ticking') end
if not redis.call('SET', p .. ':ticking', '1', 'NX', 'PX', ARGV[3]) then return {} end
local found = redis.call('ZRANGEBYSCORE', p .. ':due', '-inf', redis.call('GET', p .. ':now') or 0, 'LIMIT', 0, ARGV[2])
if #found == 0 then redis.call('DEL', p .. ':ticking') end
redis.call('SET', p .. ':ticker', ARGV[4])
redis.call('DEL', p .. ':again')
return found
"""

# ARGV: prefix, who asks, blob [member]. What was asked for again since it was taken may rest on rows that were not seen
# then: it stays. Whose lease ran out, and who was overtaken, removes nothing: another one judges it now.
WOKEN = """
local p = ARGV[1]
if redis.call('GET', p .. ':ticker') ~= ARGV[2] then return 0 end
for _, wake in ipairs(cmsgpack.unpack(ARGV[3])) do
    if redis.call('SISMEMBER', p .. ':again', wake) == 0 then redis.call('ZREM', p .. ':due', wake) end
end
redis.call('DEL', p .. ':ticking', p .. ':again')
return 1
"""

_blob = msgspec.msgpack.Encoder().encode
_unit = msgspec.json.Encoder().encode
_wake = msgspec.json.Decoder(tuple[int, UnitId]).decode


class Memory:
    """Raises redis.RedisError; then nothing was promised, and the arrivals come again.

    Not for several threads at once. A replica is bounded: what was not used for long is read again.
    """

    def __init__(self, redis: Redis, prefix: str = "{fw}", most_files: int = MOST_FILES) -> None:
        self._redis, self._prefix, self._keys, self._most = redis, prefix, Keys(prefix), most_files
        self._hear = redis.register_script(HEAR)
        self._conclude = redis.register_script(CONCLUDE)
        self._due = redis.register_script(DUE)
        self._woken = redis.register_script(WOKEN)
        self._at_once = MOST_DUE
        self._writer = uuid4().hex  # never that of a replica which was lost
        self._server = ""  # run_id: another one may have lost what we have seen
        self._forget_replica()

    def _forget_replica(self) -> None:
        self._young: dict[Place, File] = {}
        self._old: dict[Place, File] = {}
        self._facts: dict[Place, list[Record]] = {}
        self._news_seen = 0
        self._due_at = 0
        self._waking: dict[datetime, set[Named]] = {}  # kept in Redis, and not due when that was last seen

    def remember(self, rows: Sequence[Any]) -> View:
        seen_now = EVER
        for row in rows:
            if not isinstance(row, Fallen):
                seal_of(row)  # before parts of it are kept: they are the same copy
                if row.happened_at > seen_now:
                    seen_now = row.happened_at
        entered = filed(rows)
        touched: dict[Place, tuple[File | None, Sequence[bytes]]] = {}
        written: dict[int, bytes] = {}  # what several files keep whole
        for ledger, files in entered.items():
            known = {key: self._file((ledger.name, key)) for key in files}
            texts = [
                (text, key)
                for key, some in files.items()
                for row in some
                for text in self._kept(known[key], ledger, key, row, written)
            ]
            # what goes in a month or two is not worth the time that pressing takes
            kept = pressed(texts) if ledger.keep >= LONG else [text for text, _ in texts]
            added: dict[str, list[bytes]] = {key: [] for key in files}
            for (_, key), text in zip(texts, kept, strict=True):
                added[key].append(text)
            touched |= {(ledger.name, key): (file, added[key]) for key, file in known.items()}
        return replace(self._trip(touched, micros(seen_now)), entered=entered)

    def _kept(self, file: File, ledger: Ledger, key: str, row: Any, written: dict[int, bytes]) -> Iterator[bytes]:
        """What is new in Redis. Any: an Event of that ledger, or Fallen."""
        fallen = isinstance(row, Fallen)
        if fallen and (ledger.sign or ledger.name in HOMES):  # a home decides: it is only read, as of this ticket
            return
        if ledger.rows is None:
            _keep(file, row)
            yield written.get(id(row)) or written.setdefault(id(row), text_of(row))
            return
        for part in ledger.rows(row.event if fallen else row, key):
            if not (ledger.sign and file.knows(part)):
                kept = Fallen(part, row.lines) if fallen else part
                _keep(file, kept)
                yield text_of(kept)

    def learn(self, records: Sequence[Record]) -> None:
        touched: dict[Place, tuple[File | None, list[bytes]]] = {}
        for record in records:
            for place in places_of(record):
                touched.setdefault(place, (None, []))[1].append(text_of(record))
        for some in _chunks(list(touched.items()), NEWS_KEPT // 2):
            self._trip(dict(some), 0, [_name(place) for place, _ in some])

    def fetch(self, view: View, places: Iterable[Place]) -> None:
        lacking = [place for place in places if _lacks(view, place)]
        if lacking:
            self._trip({place: (None if _is_fact(place) else self._file(place), []) for place in lacking}, 0)

    def conclude(
        self, said: Mapping[UnitId, tuple[int, Collection[Place]]], silent: Iterable[UnitId], wakes: Wakes
    ) -> tuple[set[UnitId], set[UnitId]]:
        speaking, quiet = list(said), list(silent)
        wakes = self._unknown(wakes)
        if not (speaking or quiet or wakes):
            return set(), set()
        blob = _blob(
            (
                [(_text(unit), str(said[unit][0]), [*map(_name, said[unit][1])]) for unit in speaking],
                [*map(_text, quiet)],
                list(_told(wakes)),
            )
        )
        grown, spoken = self._run("conclude", self._conclude, self._prefix, blob)
        self._due_at = min([self._due_at, *map(micros, wakes)])
        self._know(wakes)
        return {speaking[i - 1] for i in grown}, {quiet[i - 1] for i in spoken}

    def _unknown(self, wakes: Wakes) -> Wakes:
        """Those to be kept in Redis.

        A wake is taken only once it is due: whoever takes it later than that sees what we have remembered by now.
        """
        for at in [at for at in self._waking if micros(at) <= self._now]:
            del self._waking[at]
        return {at: new for at, units in wakes.items() if (new := units - self._waking.get(at, NO_UNITS))}

    def _know(self, wakes: Wakes) -> None:
        if sum(map(len, (*self._waking.values(), *wakes.values()))) > MOST_WAKES:
            self._waking.clear()
        for at, units in wakes.items():
            self._waking.setdefault(at, set()).update(units)

    def due(self, limit: int) -> list[Wake]:
        if self._due_at > self._now:
            return []
        most = min(limit, self._at_once)
        found = self._run("due", self._due, self._prefix, most, TICK_LEASE_MS, self._writer)
        return [Wake(moment(at), unit) for at, unit in map(_wake, found)]

    def woken(self, wakes: Collection[Wake]) -> None:
        blob = _blob([_unit((micros(wake.at), wake.unit)).decode() for wake in wakes])
        counts = self._run("due", self._woken, self._prefix, self._writer, blob)
        # overtaken: these took longer than the lease, and would again
        self._at_once = MOST_DUE if counts else max(FEWEST_DUE, min(self._at_once, len(wakes)) // 2)
        self._due_at = 0

    def _trip(
        self, touched: Mapping[Place, tuple[File | None, Sequence[bytes]]], now: int, subjects: Sequence[str] = ()
    ) -> View:
        """Add these rows and read what is new under these places; no file: it holds reference records."""
        files = [
            (f"{ledger}:{key}", "0" if file is None else str(file.seen), strings(rows))
            for (ledger, key), (file, rows) in touched.items()
        ]
        # who knows no records yet need not hear that they changed
        news_seen = self._news_seen if self._facts else 1 << 53
        blob = _blob((now, str(news_seen), files, subjects))
        answer = self._run("remember", self._hear, self._prefix, blob, NEWS_KEPT, self._writer)
        ticket, self._now = int(answer[0]), int(answer[1])
        self._hear_news(answer[3], int(answer[4]))
        others = {index - 1: rows for index, rows in answer[2]}
        for index, (place, (file, added)) in enumerate(touched.items()):
            if file is None:
                self._keep_facts(place, [*others.get(index, ()), *added])
                continue
            if index in others:
                _keep_rows(file, others[index], place[1])
            file.seen = ticket
        self._news_seen = ticket
        self._due_at = int(float(answer[5])) if answer[5] else 1 << 62
        return View(
            ticket,
            moment(self._now),
            moment(int(answer[6])),
            {},
            _Reader(self._young, self._file, min(ticket, int(answer[7]) + 1)),
            self._records,
        )

    def _run(self, operation: str, script: Any, *args: Any) -> Any:
        """Any: what the script returns. After a fault, first see whether this is still the server that we knew."""
        try:
            if not self._server:
                server = self._server_id()
                known, self._server = self._known_server, server
                if known and known != server:
                    self._forget_replica()
                    raise ServerChanged(f"Redis was started again ({known[:8]} -> {server[:8]})")
                self.check_schema()
            with metrics.STATE.labels(operation).time():
                return self._call(script, args)
        except RedisError:
            self._forget_replica()  # it may hold rows that never arrived
            if self._server:
                self._known_server, self._server = self._server, ""
            raise

    _known_server = ""

    def check_schema(self) -> None:
        """Is this memory one that we can read? From now on it is one that we have written. Raises WrongMemoryError."""
        key = f"{self._prefix}:schema"
        found = cast(bytes | None, self._redis.get(key))
        if found is not None and int(found) not in READABLE:
            age = "a newer" if int(found) > SCHEMA else "an older"
            raise WrongMemoryError(
                f"the memory in Redis under {self._prefix} was written by {age} version (schema {found.decode()}, "
                f"this program has {SCHEMA}): nothing was changed. Run that version, or give this one a prefix of its "
                'own and fill it anew: docs/runbook/upgrade.md, "Another schema"'
            )
        if found != b"%d" % SCHEMA:
            self._redis.set(key, SCHEMA)

    def held(self) -> "Held":
        """What the server holds. Raises redis.RedisError."""
        told = self._redis.info("memory")
        return Held(told["used_memory"], told.get("maxmemory", 0), self._redis.dbsize())

    def _call(self, script: Any, args: Sequence[Any]) -> Any:
        """Any: see _run."""
        return script(args=args)

    def _server_id(self) -> str:
        """Another one after each start of the server."""
        return str(self._redis.info("server")["run_id"])

    def _hear_news(self, subjects: Iterable[bytes], floor: int) -> None:
        if floor > self._news_seen:
            self._facts.clear()
        for name in subjects:
            ledger, _, key = name.decode().partition(":")
            self._facts.pop((ledger, key), None)

    def _keep_facts(self, place: Place, rows: Iterable[bytes]) -> None:
        records: list[Record] = []
        for row in rows:
            records = with_record(records, unpack(row, place[1]))
        if len(self._facts) > 4 * self._most:
            self._facts.clear()
        self._facts[place] = records

    def _file(self, place: Place) -> File:
        """The replica's own, which may be behind."""
        file = self._young.get(place)
        if file is None:
            if len(self._young) >= self._most:
                self._old, self._young = self._young, {}
            file = self._old.pop(place, None) or (Home() if place[0] in HOMES else File())
            self._young[place] = file
        return file

    def _records(self, place: Place) -> Sequence[Record]:
        try:
            return self._facts[place]
        except KeyError:
            raise Missing(place) from None

    def forget(self, cursor: int = 0, count: int = 500) -> int:
        """Drop what no unit can need any more, in a slice of the keys. Returns the next cursor; 0: all was seen."""
        cursor, keys = cast(
            tuple[int, list[bytes]], self._redis.scan(cursor, match=self._keys.matching((ANY, ANY)), count=count)
        )
        horizons = {ledger.name: moment(self._now) - ledger.keep for ledger in LEDGERS}
        for key in keys:
            ledger, name = self._keys.file_of(key)
            if ledger in horizons:
                self._forget_file(key, name, horizons[ledger], whole=ledger in WHOLE)
        return int(cursor)

    def _forget_file(self, key: bytes, name: str, horizon: datetime, whole: bool) -> None:
        rows = cast(list[bytes], self._redis.zrange(key, 0, -1))
        gone = [row for row in rows if happened_at(row, name) < horizon]
        if gone and (not whole or len(gone) == len(rows)):
            self._redis.zrem(key, *gone)


class WrongMemoryError(SettingsError):
    """A memory that another version wrote; says which, and what to do. Trying again would not help."""


class Held(NamedTuple):
    """Of a server, or of all nodes of a cluster: bytes used, bytes allowed (0: all there are), keys."""

    used: int
    limit: int
    keys: int


class ServerChanged(RedisError):  # noqa: N818 - it says what happened
    """Another Redis, or the same one started again: what was read of it before is not to be relied on."""


class _Reader:
    """Reads files as they were when a ticket was taken, several times an event. A class: one is made for every batch.

    young: where most of them are found. since: nobody else has written from this ticket on, and what was written here
    is in the replica: a file that was seen then, or later, is whole. Raises Missing.
    """

    __slots__ = ("_read", "_since", "_young")

    def __init__(self, young: Mapping[Place, File], read: Callable[[Place], File], since: int) -> None:
        self._young, self._read, self._since = young, read, since

    def __call__(self, place: Place) -> File:
        file = self._young.get(place)
        if file is None:
            file = self._read(place)
        if file.seen < self._since:
            raise Missing(place)
        return file


def _lacks(view: View, place: Place) -> bool:
    try:
        view.fact(place) if _is_fact(place) else view.file(place)
    except Missing:
        return True
    return False


def _keep(file: File, row: Any) -> None:
    """Any: an Event, or Fallen."""
    if isinstance(row, Fallen):
        file.strike(row)
    else:
        file.add(row)


def _keep_rows(file: File, rows: Iterable[bytes], key: str) -> None:
    for row in rows:
        _keep(file, unpack(row, key))


def strings(rows: Iterable[bytes]) -> list[msgspec.Raw]:
    """For a blob: bytes as MessagePack's strings; Lua's reader knows no others, and does not ask what is in them."""
    return [
        msgspec.Raw(_SHORT_STRINGS[len(row)] + row if len(row) < 256 else _string_of(len(row)) + row) for row in rows
    ]


def _string_of(length: int) -> bytes:
    """How MessagePack begins a string (str 8, 16, 32)."""
    for mark, size in ((b"\xd9", 1), (b"\xda", 2)):
        if length < 1 << 8 * size:
            return mark + length.to_bytes(size, "big")
    return b"\xdb" + length.to_bytes(4, "big")


_SHORT_STRINGS = [_string_of(length) for length in range(256)]


def _is_fact(place: Place) -> bool:
    return place[0].startswith("ref.")


def _name(place: Place) -> str:
    return f"{place[0]}:{place[1]}"


def _told(wakes: Wakes) -> Iterator[tuple[str, str]]:
    """As members of a sorted set, with their scores."""
    for at, units in wakes.items():
        us = micros(at)
        score = str(us)
        for unit in units:
            yield _unit((us, unit)).decode(), score


def _text(unit: UnitId) -> str:
    return _unit(unit).decode()


def _chunks(items: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Any: of whatever the sequence holds."""
    return (items[i : i + size] for i in range(0, len(items), size))


def micros(moment: datetime) -> int:
    return (moment - EVER) // timedelta(microseconds=1)


@lru_cache(maxsize=1024)
def moment(us: int) -> datetime:
    return datetime.fromtimestamp(us // 1_000_000, CHINA) + timedelta(microseconds=us % 1_000_000)
