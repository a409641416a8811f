"""What was archived comes back: each event once, in the order of arrival, by day, person and institution."""

import gzip
import json
import os
import random
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from detectors.event import CHINA
from detectors.wire import Refused, canonical, read
from replay.archive import read_archive, rows
from replay.recording import RecordingError, lines
from stream_app.archiver import Row, row_of, sweep, write

MIDNIGHT = datetime(2026, 3, 3, tzinfo=CHINA)
ORG, OTHER = "P33020310315", "H33010310441"


def swipe(number: int, at: datetime, *, person: str = "p1", org: str = ORG, late: timedelta = timedelta()) -> bytes:
    return json.dumps(
        {
            "event_type": "swipe",
            "event_id": f"e{number:04}",
            "biz_time": at.isoformat(),
            "recv_time": (at + late).isoformat(),
            "fixmedins_code": org,
            "psn_no": person,
            "mdtrt_cert_type": "01",
            "psn_name": "某人",  # nobody's business
        }
    ).encode()


def household(person: str) -> bytes:
    record = {"event_type": "ref.person", "event_id": f"r-{person}", "psn_no": person}
    moments = dict.fromkeys(("biz_time", "valid_from", "recv_time"), MIDNIGHT.isoformat())
    return json.dumps(record | moments).encode()


def as_rows(raws: list[bytes]) -> list[Row]:
    return [row_of(raw, "swipes", 0, offset) for offset, raw in enumerate(raws)]


def ids(found: object) -> list[str]:
    assert hasattr(found, "__iter__")
    return [json.loads(raw)["event_id"] for raw in found]


def test_events_lie_by_business_day_in_china(tmp_path: Path) -> None:
    write(tmp_path, as_rows([swipe(1, MIDNIGHT - timedelta(seconds=1)), swipe(2, MIDNIGHT), household("p1")]))
    assert {part.parent.name for part in tmp_path.rglob("*.parquet")} == {
        "day=2026-03-02",
        "day=2026-03-03",
        "reference",
    }


def test_they_come_back_in_the_order_of_arrival_reference_first(tmp_path: Path) -> None:
    late = swipe(1, MIDNIGHT - timedelta(hours=1), late=timedelta(hours=9))
    write(tmp_path, as_rows([swipe(3, MIDNIGHT + timedelta(hours=2)), late, swipe(2, MIDNIGHT), household("p1")]))
    assert ids(read_archive(tmp_path)) == ["r-p1", "e0002", "e0003", "e0001"]


def test_nothing_unknown_is_kept(tmp_path: Path) -> None:
    [part] = write(tmp_path, as_rows([swipe(1, MIDNIGHT)]))
    assert list(read_archive(tmp_path)) == [canonical(read(swipe(1, MIDNIGHT)))]
    everything = duckdb.connect().execute("select * from read_parquet(?)", [str(part)]).fetchall()
    assert "某人" not in str(everything)


def test_what_was_archived_twice_is_read_once_and_differing_copies_are_both_kept(tmp_path: Path) -> None:
    event, copy = swipe(1, MIDNIGHT), swipe(1, MIDNIGHT, org=OTHER)
    write(tmp_path, as_rows([event, event, copy]))
    write(tmp_path, as_rows([event]))
    assert sorted(read_archive(tmp_path)) == sorted({canonical(read(event)), canonical(read(copy))})


def test_without_a_time_of_receipt_the_business_time_ranks(tmp_path: Path) -> None:
    unstamped = json.loads(swipe(2, MIDNIGHT + timedelta(minutes=1))) | {"recv_time": None}
    write(
        tmp_path,
        as_rows([swipe(3, MIDNIGHT + timedelta(minutes=2)), json.dumps(unstamped).encode(), swipe(1, MIDNIGHT)]),
    )
    assert ids(read_archive(tmp_path)) == ["e0001", "e0002", "e0003"]


def test_since_is_the_first_moment_read_and_until_the_first_one_not_read(tmp_path: Path) -> None:
    write(tmp_path, as_rows([swipe(hour, MIDNIGHT + timedelta(hours=hour)) for hour in range(72)]))
    since, until = MIDNIGHT + timedelta(hours=20), MIDNIGHT + timedelta(hours=30)
    assert ids(read_archive(tmp_path, since=since, until=until)) == [f"e{hour:04}" for hour in range(20, 30)]
    assert ids(read_archive(tmp_path, until=since)) == [f"e{hour:04}" for hour in range(20)]
    assert len(ids(read_archive(tmp_path, since=until))) == 42


def test_days_outside_are_not_even_opened(tmp_path: Path) -> None:
    write(tmp_path, as_rows([swipe(1, MIDNIGHT)]))
    broken = tmp_path / "day=2026-01-01" / "part-broken.parquet"
    broken.parent.mkdir()
    broken.write_bytes(b"PAR1, no more")
    assert ids(read_archive(tmp_path, since=MIDNIGHT)) == ["e0001"]
    with pytest.raises(RecordingError, match="part-broken"):
        list(read_archive(tmp_path))


def test_a_person_and_an_institution_can_be_asked_for_and_all_reference_data_comes_along(tmp_path: Path) -> None:
    write(
        tmp_path,
        as_rows(
            [
                swipe(1, MIDNIGHT),
                swipe(2, MIDNIGHT, person="p2"),
                swipe(3, MIDNIGHT, org=OTHER),
                household("p1"),
                household("p2"),
            ]
        ),
    )
    assert ids(read_archive(tmp_path, person="p1")) == ["r-p1", "r-p2", "e0001", "e0003"]
    assert ids(read_archive(tmp_path, org=ORG)) == ["r-p1", "r-p2", "e0001", "e0002"]
    assert ids(read_archive(tmp_path, person="p1", org=OTHER)) == ["r-p1", "r-p2", "e0003"]


def test_quotes_in_names_are_names(tmp_path: Path) -> None:
    root = tmp_path / "it's an archive"
    write(root, as_rows([swipe(1, MIDNIGHT, person="o'p")]))
    assert ids(read_archive(root, person="o'p")) == ["e0001"]


def test_a_folder_without_an_archive_is_said_to_have_none(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no archive here"):
        list(read_archive(tmp_path))


def test_one_part_is_a_recording(tmp_path: Path) -> None:
    raws = [swipe(number, MIDNIGHT) for number in range(5)]
    [part] = write(tmp_path, as_rows(raws))
    assert [line.raw for line in lines(part)] == list(rows(part)) == [canonical(read(raw)) for raw in raws]
    assert [line.number for line in lines(part)] == [1, 2, 3, 4, 5]


def test_what_cannot_be_read_is_not_archived() -> None:
    with pytest.raises(Refused):
        row_of(b"{}", "claims", 0, 0)


def test_unfinished_parts_are_not_read_and_swept_when_they_are_old(tmp_path: Path) -> None:
    [part] = write(tmp_path, as_rows([swipe(1, MIDNIGHT)]))
    unfinished = part.with_name(f".{part.name}.tmp")
    unfinished.write_bytes(b"PAR1")
    assert ids(read_archive(tmp_path)) == ["e0001"]
    sweep(tmp_path)
    assert unfinished.exists()  # somebody may be writing it
    os.utime(unfinished, (0, 0))
    sweep(tmp_path)
    assert not unfinished.exists()
    assert part.exists()


def test_a_shuffled_archive_with_repeats_reads_like_the_sorted_recording(tmp_path: Path) -> None:
    rng = random.Random(7)
    events = [swipe(number, MIDNIGHT + timedelta(minutes=number)) for number in range(500)]
    arrived = [*events, *rng.sample(events, 100)]
    rng.shuffle(arrived)
    for begin in range(0, len(arrived), 90):
        write(tmp_path, as_rows(arrived[begin : begin + 90]))
    assert list(read_archive(tmp_path)) == [canonical(read(raw)) for raw in events]


def test_a_compressed_recording_and_the_archive_of_it_tell_the_same(tmp_path: Path) -> None:
    recording = tmp_path / "day.ndjson.gz"
    recording.write_bytes(gzip.compress(b"\n".join(swipe(number, MIDNIGHT) for number in range(50))))
    told = [canonical(read(line.raw)) for line in lines(recording)]
    write(tmp_path, as_rows([line.raw for line in lines(recording)]))
    assert list(read_archive(tmp_path)) == told
