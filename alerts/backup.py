"""The whole alert store in one file, from either engine and into either.

Gzipped NDJSON: a head (which tables, when), a row of a table a line, and a foot with the number of rows of each and the
digest of all lines before it. One snapshot: what is written meanwhile is not in it. Restored into an empty store only.
"""

import gzip
import hashlib
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Connection, Date, Table, func, insert, select

from alerts import tables as t
from alerts.store import Store
from alerts.writing import Writing

AT_ONCE = 1_000  # rows in one statement
TABLES = t.metadata.sorted_tables  # those that others refer to come first


class BackupError(Exception):
    """A file that cannot be restored, or a store that it cannot be restored into; says which and why."""


class Head(Struct, frozen=True, tag_field="line", tag="head"):
    """The first line. schema: version of the tables. last_seq: of alert_event."""

    schema: str
    at: datetime
    last_seq: int


class Row(Struct, frozen=True, tag_field="line", tag="row"):
    """A row of a table. Any: a value of a column."""

    table: str
    values: dict[str, Any]


class Foot(Struct, frozen=True, tag_field="line", tag="foot"):
    """The last line. sha256: of all lines before it."""

    rows: dict[str, int]
    sha256: str


_lines_of: msgspec.json.Decoder[Head | Row | Foot] = msgspec.json.Decoder(Head | Row | Foot)


def backup(store: Store, path: Path, now: datetime) -> Foot:
    """Write the store to a file, which appears whole or not at all. Raises STORE_AWAY, OSError."""
    draft = path.with_name(path.name + ".part")
    digest, rows = hashlib.sha256(), Counter[str]()
    try:
        with gzip.open(draft, "wb") as out, _snapshot(store) as db:
            for line in _lines(db, now):
                if isinstance(line, Row):
                    rows[line.table] += 1
                raw = msgspec.json.encode(line) + b"\n"
                digest.update(raw)
                out.write(raw)
            foot = Foot(dict(rows), digest.hexdigest())
            out.write(msgspec.json.encode(foot) + b"\n")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    return foot


@contextmanager
def _snapshot(store: Store) -> Iterator[Connection]:
    """A transaction that sees one moment: SQLite's own do, PostgreSQL has to be asked."""
    with store.engine.connect() as db:
        options = {"isolation_level": "REPEATABLE READ"} if db.dialect.name == "postgresql" else {}
        with db.execution_options(**options).begin():
            yield db


def _lines(db: Connection, now: datetime) -> Iterator[Head | Row]:
    yield Head(t.SCHEMA, now, db.execute(select(func.max(t.alert_event.c.seq))).scalar_one() or 0)
    for table in TABLES:
        query = select(table).order_by(*table.primary_key).execution_options(yield_per=AT_ONCE)
        names = [
            str(column.name) for column in table.columns
        ]  # plain text: the database library's own kind will not do
        with db.execute(query) as found:
            for row in found:
                yield Row(str(table.name), dict(zip(names, row, strict=True)))


def look_into(path: Path) -> Head:
    """Read the file to its end. Raises BackupError if it is no backup, cut short, altered, or of other tables."""
    digest, rows = hashlib.sha256(), Counter[str]()
    head: Head | None = None
    foot: Foot | None = None
    for raw in _raw_lines(path):
        line = _line(path, raw)
        if isinstance(line, Foot):
            foot = line
            continue
        if isinstance(line, Head):
            head = line
        else:
            rows[line.table] += 1
        digest.update(raw)
    if head is None or foot is None:
        raise BackupError(f"{path}: it is cut short; take an earlier one")
    if foot.rows != dict(rows) or foot.sha256 != digest.hexdigest():
        raise BackupError(f"{path}: it is not as it was written; take an earlier one")
    if head.schema != t.SCHEMA:
        raise BackupError(
            f"{path}: it holds tables of version {head.schema}, this program has {t.SCHEMA}: restore it with "
            "the version that wrote it, then run `fundwatch db upgrade` with this one"
        )
    return head


def restore(store: Store, path: Path) -> Head:
    """Bring back what the file holds, all or nothing. Raises BackupError, STORE_AWAY."""
    head = look_into(path)
    with store.writing() as writing:
        filled = [table.name for table in TABLES if _is_filled(writing, table)]
        if filled:
            raise BackupError(f"the store is not empty ({', '.join(filled)}): name a new one, or empty this one first")
        lines = (line for raw in _raw_lines(path) if isinstance(line := _line(path, raw), Row))
        for name, rows in groupby(lines, key=lambda row: row.table):
            _insert(writing, t.metadata.tables[name], rows)
    broken = store.chain_broken_at()
    if broken is not None:
        raise BackupError(f"restored, but the audit trail was broken at {broken} already when the backup was written")
    return head


def _is_filled(writing: Writing, table: Table) -> bool:
    return writing.db.execute(select(*table.primary_key).limit(1)).first() is not None


def _insert(writing: Writing, table: Table, rows: Iterator[Row]) -> None:
    moments = {column.name: datetime.fromisoformat for column in table.columns if isinstance(column.type, t.Instant)}
    days = {column.name: date.fromisoformat for column in table.columns if isinstance(column.type, Date)}
    batch: list[dict[str, Any]] = []  # Any: as Row
    for row in rows:
        times = (moments | days).items()
        told = {name: read(row.values[name]) for name, read in times if row.values[name] is not None}
        batch.append(row.values | told)
        if len(batch) == AT_ONCE:
            writing.db.execute(insert(table), batch)
            batch = []
    if batch:
        writing.db.execute(insert(table), batch)


def _raw_lines(path: Path) -> Iterator[bytes]:
    try:
        with gzip.open(path, "rb") as file:
            yield from file
    except (EOFError, zlib.error):
        raise BackupError(f"{path}: it is cut short; take an earlier one") from None
    except OSError as error:
        raise BackupError(f"{path}: it cannot be read ({error.strerror or error})") from None


def _line(path: Path, raw: bytes) -> Head | Row | Foot:
    try:
        return _lines_of.decode(raw)
    except msgspec.DecodeError:
        raise BackupError(f"{path}: this is no backup of an alert store") from None
