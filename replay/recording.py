"""Recordings: NDJSON files, plain, gzip or zstd, and archive Parquet, read line by line whatever their size."""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import zstandard

from detectors.wire import LONGEST

BOM = b"\xef\xbb\xbf"
GZIP, ZSTD, PARQUET = b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PAR1"
AT_ONCE = 1 << 17  # bytes unfolded at once; no line within is over-long
CHUNK = 1 << 12  # compressed bytes read at once: a zstd chunk may unfold to 128 KiB for every 4 bytes
STDIN = "-"


class Line(NamedTuple):
    """One line of a recording. number: from 1, blank lines counted; in Parquet the row.

    raw: without its line end. Of a line longer than LONGEST only the first LONGEST + 1 bytes are kept, enough for
    ``detectors.wire.read`` to refuse it as too_long.
    """

    number: int
    raw: bytes


class RecordingError(OSError):
    """A recording ends, or breaks, where it should not. What was read before is sound and was handed out."""


def lines(path: str | Path) -> Iterator[Line]:
    """The lines of one recording in their order, without blank ones. "-" is the standard input.

    What the file is, its first bytes tell, not its name. Raises RecordingError, OSError.
    """
    name = str(path)
    with closing(_opened(name)) as file:
        magic = file.peek(4)[:4]
        if magic == PARQUET:
            from replay.archive import rows  # duckdb takes 100 ms to load: only when it is needed

            yield from (Line(number, raw) for number, raw in enumerate(rows(name), 1))
        else:
            yield from _numbered(name, _unfolded(file, magic))


def _opened(name: str) -> io.BufferedReader:
    if name == STDIN:
        return io.BufferedReader(io.FileIO(sys.stdin.fileno(), closefd=False))
    return io.BufferedReader(io.FileIO(name))


def _unfolded(file: io.BufferedReader, magic: bytes) -> io.BufferedIOBase:
    if magic.startswith(GZIP):
        return gzip.open(file)
    return io.BufferedReader(_Zstd(file)) if magic == ZSTD else file


def _numbered(name: str, file: io.BufferedIOBase) -> Iterator[Line]:
    number = 0
    try:
        for number, raw in enumerate(_cut(file), 1):
            text = raw.removeprefix(BOM) if number == 1 else raw
            if text and not text.isspace():
                yield Line(number, text.rstrip(b"\r"))
    except EOFError:
        raise RecordingError(_broken(name, number, "cut off")) from None
    except (zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise RecordingError(_broken(name, number, f"damaged ({error})")) from None


def _broken(name: str, after: int, how: str) -> str:
    return f"{name}: the compressed data is {how} after line {after}; what came before was read. Copy the file again."


def _cut(file: io.BufferedIOBase) -> Iterator[bytes]:
    """Lines without their ends; of an over-long one the head, the rest being read and let go."""
    left, skipping = b"", False  # what no line end has come to yet; whether its head was handed out
    while chunk := file.read1(AT_ONCE):
        first, *others = chunk.split(b"\n")
        left = b"" if skipping else left + first
        if others:
            if not skipping:
                yield left[: LONGEST + 1]
            *whole, left = others
            yield from whole
            skipping = False
        if len(left) > LONGEST:
            yield left[: LONGEST + 1]
            left, skipping = b"", True
    if left:
        yield left


class _Zstd(io.RawIOBase):
    """A zstd stream of one or more frames. Raises EOFError if the last frame is cut off, which the library's own
    reader takes for the end."""

    def __init__(self, file: io.BufferedReader) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False  # something of the current frame was read
        self._left = b""

    def readable(self) -> bool:
        return True

    def readinto(self, into: bytearray | memoryview) -> int:  # type: ignore[override]  # RawIOBase: WriteableBuffer, which is private
        while not self._left:
            if not self._more():
                return 0
        taken = self._left[: len(into)]
        into[: len(taken)] = taken
        self._left = self._left[len(taken) :]
        return len(taken)

    def _more(self) -> bool:
        chunk = self._file.read1(CHUNK)
        if not chunk:
            if self._begun:
                raise EOFError
            return False
        while chunk:
            self._left += self._frame.decompress(chunk)
            self._begun, chunk = not self._frame.eof, self._frame.unused_data
            if self._frame.eof:
                self._frame = zstandard.ZstdDecompressor().decompressobj()
        return True
