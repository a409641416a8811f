"""Recordings of every make are read to their last sound line."""

import gzip
import io
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from detectors.wire import LONGEST, Refused, read
from replay.recording import Line, RecordingError, lines

MANY = b"".join(b'{"event_id":"e%d"}\n' % number for number in range(20_000))
Pack = Callable[[bytes], bytes]


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACKINGS = pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd], ids=["plain", "gzip", "zstd"])
COMPRESSED = pytest.mark.parametrize("pack", [gzip.compress, zstd], ids=["gzip", "zstd"])


def written(folder: Path, data: bytes) -> Path:
    path = folder / "recording"
    path.write_bytes(data)
    return path


def read_until_it_breaks(path: Path) -> tuple[list[Line], RecordingError]:
    got: list[Line] = []
    with pytest.raises(RecordingError) as caught:  # noqa: PT012  # what came before the error counts
        for line in lines(path):
            got.append(line)  # noqa: PERF402  # extend would lose it all
    return got, caught.value


@PACKINGS
def test_a_file_is_what_its_first_bytes_say_not_its_name(tmp_path: Path, pack: Pack) -> None:
    assert [line.raw for line in lines(written(tmp_path, pack(MANY)))] == MANY.splitlines()


@PACKINGS
def test_blank_lines_are_skipped_and_counted(tmp_path: Path, pack: Pack) -> None:
    path = written(tmp_path, pack(b"\n \t\r\na\r\n\r\n\nb"))
    assert list(lines(path)) == [Line(3, b"a"), Line(6, b"b")]


@PACKINGS
def test_a_byte_order_mark_is_skipped_at_the_start_only(tmp_path: Path, pack: Pack) -> None:
    path = written(tmp_path, pack(b"\xef\xbb\xbfa\n\xef\xbb\xbfb\n"))
    assert list(lines(path)) == [Line(1, b"a"), Line(2, b"\xef\xbb\xbfb")]


@PACKINGS
def test_an_empty_file_has_no_lines(tmp_path: Path, pack: Pack) -> None:
    assert list(lines(written(tmp_path, pack(b"")))) == []


@PACKINGS
def test_of_an_over_long_line_just_enough_is_kept_to_refuse_it(tmp_path: Path, pack: Pack) -> None:
    longest, longer, huge = b"x" * LONGEST, b"y" * (LONGEST + 1), b"z" * (5 * LONGEST)
    got = list(lines(written(tmp_path, pack(b"\n".join((longest, longer, huge, b"end"))))))
    assert [(line.number, len(line.raw)) for line in got] == [(1, LONGEST), (2, LONGEST + 1), (3, LONGEST + 1), (4, 3)]
    for line in got[1:3]:
        with pytest.raises(Refused, match="too_long"):
            read(line.raw)


def test_a_windows_line_end_does_not_make_the_longest_line_too_long(tmp_path: Path) -> None:
    [first, second] = lines(written(tmp_path, b"x" * LONGEST + b"\r\nend\r\n"))
    assert (len(first.raw), second) == (LONGEST, Line(2, b"end"))


@COMPRESSED
def test_several_compressed_pieces_are_one_recording(tmp_path: Path, pack: Pack) -> None:
    path = written(tmp_path, pack(b"a\nb") + pack(b"") + pack(b"c\nd\n"))
    assert [line.raw for line in lines(path)] == [b"a", b"bc", b"d"]


@COMPRESSED
def test_a_cut_off_file_gives_what_it_has_and_says_where_it_ends(tmp_path: Path, pack: Pack) -> None:
    data = pack(MANY)
    path = written(tmp_path, data[: len(data) // 2])
    got, error = read_until_it_breaks(path)
    assert len(got) > 1_000
    assert [line.raw for line in got] == MANY.splitlines()[: len(got)]
    assert str(path) in str(error)
    assert f"cut off after line {len(got)};" in str(error)


@COMPRESSED
def test_a_damaged_file_gives_what_came_before_and_says_where(tmp_path: Path, pack: Pack) -> None:
    data = bytearray(pack(MANY))
    middle = len(data) // 2
    data[middle : middle + 64] = bytes(byte ^ 0xA5 for byte in data[middle : middle + 64])
    path = written(tmp_path, bytes(data))
    got, error = read_until_it_breaks(path)
    assert got[0] == Line(1, b'{"event_id":"e0"}')
    assert str(path) in str(error)
    assert "damaged" in str(error)


def test_what_only_begins_like_parquet_is_refused_by_name(tmp_path: Path) -> None:
    _, error = read_until_it_breaks(written(tmp_path, b"PAR1 and nothing more"))
    assert "recording" in str(error)


def test_a_dash_is_the_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with written(tmp_path, gzip.compress(b"a\nb\n")).open() as piped:
        monkeypatch.setattr(sys, "stdin", piped)
        assert [line.raw for line in lines("-")] == [b"a", b"b"]


@given(text=st.lists(st.binary(max_size=40).filter(lambda piece: b"\n" not in piece)))
def test_lines_are_the_same_however_they_are_packed(
    tmp_path_factory: pytest.TempPathFactory, text: list[bytes]
) -> None:
    folder = tmp_path_factory.mktemp("packed")
    data = b"a\n" + b"\n".join(text)  # "a": or the first bytes might look like a packing
    plain, zipped, packed = (list(lines(written(folder, pack(data)))) for pack in (bytes, gzip.compress, zstd))
    assert plain == zipped == packed
    expected = [Line(n, raw.rstrip(b"\r\n")) for n, raw in enumerate(io.BytesIO(data), 1) if raw.strip()]
    assert [line for line in plain if line.raw] == expected
