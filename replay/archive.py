"""The archive of events: Parquet by business day, read back in the order of arrival.

ARCHIVE/day=2026-03-02/part-*.parquet   events of that day in +08:00
ARCHIVE/reference/part-*.parquet        reference records of any day

Columns: event_id, event_type, biz_time, recv_time, psn_no, fixmedins_code, topic, partition, offset, and canonical:
the known fields as JSON with sorted keys, which is all that is read back. stream_app/archiver.py writes it,
at least once: the same row may stand in two parts and is handed out once.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import duckdb

from detectors.event import Record, day_of
from replay.recording import RecordingError

Values = Mapping[str, str | datetime | list[str] | None]
FETCHED = 1_000  # rows at a time
MEMORY = "1GB"  # then sorting goes on in a temporary directory


def read_archive(
    root: str | Path,
    since: datetime | None = None,
    until: datetime | None = None,
    person: str = "",
    org: str = "",
) -> Iterator[bytes]:
    """Reference records, all of them, then the events with biz_time in [since, until), each in the order of arrival.

    Canonical bytes, each row once. person, org: only events that name them (psn_no, fixmedins_code); "" for all.
    Raises RecordingError.
    """
    folder = Path(root)
    days = _days(folder, since, until)
    reference = sorted(folder.glob("reference/part-*.parquet"))
    if not days and not reference and not any(folder.glob("day=*")):
        raise RecordingError(f"{folder}: no archive here; it has folders named day=YYYY-MM-DD")
    yield from _arrivals(reference, "true", {})
    wanted = {"since": since, "until": until, "person": person or None, "org": org or None}
    where = " and ".join(_CONDITION[name] for name, value in wanted.items() if value is not None)
    yield from _arrivals(days, where or "true", {name: value for name, value in wanted.items() if value is not None})


def read_reference(root: str | Path, kind: type[Record]) -> Iterator[bytes]:
    """Reference records of one kind, in the order of arrival. Raises RecordingError."""
    parts = sorted(Path(root).glob("reference/part-*.parquet"))
    yield from _arrivals(parts, "event_type = $kind", {"kind": str(kind.__struct_config__.tag)})


def read_persons(root: str | Path, since: datetime, kinds: Sequence[str]) -> Iterator[list[bytes]]:
    """Each person's events of these event_types since then, canonical bytes, each row once. Raises RecordingError."""
    parts = _days(Path(root), since, None)
    if not parts:
        return
    query = (
        "select psn_no, canonical from read_parquet($files, hive_partitioning = false)"
        " where psn_no is not null and list_contains($kinds, event_type) order by psn_no, canonical"
    )
    found = _rows(query, {"files": [str(part) for part in parts], "kinds": list(kinds)})
    for _, some in groupby(found, key=itemgetter(0)):
        yield list(dict.fromkeys(raw for _, raw in some))


def newest_day(root: str | Path) -> date:
    """The last business day of which anything is archived. Raises RecordingError."""
    days = [date.fromisoformat(folder.name.removeprefix("day=")) for folder in Path(root).glob("day=????-??-??")]
    if not days:
        raise RecordingError(f"{root}: no archive here; it has folders named day=YYYY-MM-DD")
    return max(days)


def rows(part: str | Path) -> Iterator[bytes]:
    """The canonical bytes of one archive file, as they lie there. Raises RecordingError."""
    yield from _select("select canonical from read_parquet($files)", {"files": [str(part)]})


_CONDITION = {
    "since": "biz_time >= $since",
    "until": "biz_time < $until",
    "person": "psn_no = $person",
    "org": "fixmedins_code = $org",
}


def _days(folder: Path, since: datetime | None, until: datetime | None) -> list[Path]:
    """The parts of the days that touch [since, until): the others are not even opened."""
    first = day_of(since) if since else date.min
    last = day_of(until) if until else date.max
    return [
        part
        for day in sorted(folder.glob("day=????-??-??"))
        if first <= date.fromisoformat(day.name.removeprefix("day=")) <= last
        for part in sorted(day.glob("part-*.parquet"))
    ]


def _arrivals(parts: list[Path], where: str, values: dict[str, str | datetime | None]) -> Iterator[bytes]:
    if not parts:
        return
    query = (
        f"select canonical from read_parquet($files, hive_partitioning = false) where {where}"
        " order by coalesce(recv_time, biz_time), event_id, canonical"
    )
    # what was archived twice has come to lie side by side
    for raw, _ in groupby(_select(query, values | {"files": [str(part) for part in parts]})):
        yield raw


def _select(query: str, values: Values) -> Iterator[bytes]:
    yield from (raw for (raw,) in _rows(query, values))


def _rows(query: str, values: Values) -> Iterator[tuple[Any, ...]]:
    """Any: of the types of the columns."""
    with _engine() as engine:
        try:
            found = engine.execute(query, values)
            while batch := found.fetchmany(FETCHED):
                yield from batch
        except duckdb.Error as error:
            raise RecordingError(f"not readable as an archive of events: {error}") from error


@contextmanager
def _engine() -> Iterator[duckdb.DuckDBPyConnection]:
    with tempfile.TemporaryDirectory(prefix="fundwatch-") as spill:
        engine = duckdb.connect(config={"memory_limit": MEMORY, "temp_directory": spill})
        try:
            yield engine
        finally:
            engine.close()
