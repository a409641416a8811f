"""Events and records as short rows of bytes, the way Redis keeps them.

A row is a JSON array, values in the order of the fields. Names, which are most of an event on the wire, are left out,
so is what follows the last value that says anything, and moments of events are seconds since 1970 where that says all.
Of a row that is kept for long what its file's key says is left out too, and the rest is pressed with a dictionary that
knows how rows look (docs/decisions/s-bytes.md). Rows of schema 1, the text alone, with moments as text, are still read.
"""

import threading
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
import zstandard
from msgspec import Struct
from msgspec.structs import FieldInfo, astuple, fields

from detectors.event import (
    CHINA,
    EVER,
    Beat,
    Count,
    Event,
    Fen,
    Flag,
    Line,
    Moment,
    OnShelf,
    Open,
    Price,
    Record,
    Reference,
    RxLine,
)
from detectors.file import Fallen

SCHEMA = 2  # of the rows, and of the keys they stand under (stream_app/memory.py)
READABLE = (1, 2)  # any other cannot be read

_PRESSED = b"\x02"  # begins a row, but for short ones and those of schema 1: they are text, as it was before
_TOO_SHORT = 56  # bytes of text, such as a Beat's, from which little is left to press
_FIRST, _SECOND = b"\x01", b"\x02"  # the parts of a file's key
_STRUCK = b"-"
_LONGEST = 64 << 20  # bytes of a row before it was pressed: far more than an event on the wire may have
DICTIONARY = Path(__file__).with_name("rows.zdict")  # never another one for the same schema


class _Press(threading.local):
    """Of each thread its own: neither direction may be used by two at once. Frames say no more than their length."""

    press: Callable[..., zstandard.BufferWithSegmentsCollection]
    expand: Callable[..., bytes]

    def __getattr__(self, name: str) -> Callable[..., Any]:
        """Made when first needed."""
        kind = zstandard.FORMAT_ZSTD1_MAGICLESS
        how = zstandard.ZstdCompressionParameters.from_level(
            1, format=kind, write_content_size=1, write_checksum=0, write_dict_id=0
        )
        known = zstandard.ZstdCompressionDict(DICTIONARY.read_bytes())
        known.precompute_compress(compression_params=how)
        self.press = zstandard.ZstdCompressor(dict_data=known, compression_params=how).multi_compress_to_buffer
        self.expand = zstandard.ZstdDecompressor(dict_data=known, format=kind).decompress
        made: Callable[..., Any] = self.__dict__[name]
        return made


_press = _Press()


def text_of(row: Any) -> bytes:
    """An Event, a Record or a Fallen, whatever file it stands in. Equal content, equal bytes.

    Any: see detectors.file.Fallen.
    """
    if isinstance(row, Fallen):
        return b"%b%b\n%b" % (_STRUCK, _encode(sorted(row.lines)), text_of(row.event))
    values, kind = _in_short(row), type(row)
    if kind in _TOLD and len(values) > 2 and isinstance(values[2], int) and isinstance(values[1], int):
        values[2] -= values[1]
    return _encode([_TAGS[kind], *values])


def pressed(told: Iterable[tuple[bytes, str]]) -> list[bytes]:
    """What ``text_of`` wrote, as it is kept for long in the file with the key beside it. Equal content, equal bytes.

    All at once, since pressing lets other threads run, and then waits its turn.
    """
    rows = [without_key(text, key) for text, key in told]
    if long := [n for n, row in enumerate(rows) if len(row) >= _TOO_SHORT]:
        frames = _press.press([rows[n] for n in long])
        for at, n in enumerate(long):
            rows[n] = _PRESSED + frames[at].tobytes()
    return rows


def without_key(text: bytes, key: str) -> bytes:
    """What ``text_of`` wrote, without the parts of a key: for each stands a byte that no JSON holds."""
    first, _, second = key.partition("/")
    text = text.replace(_encode(first), _FIRST)
    return text.replace(_encode(second), _SECOND) if second else text


def _expanded(row: bytes, key: str) -> bytes:
    text = _press.expand(row[1:], max_output_size=_LONGEST) if row.startswith(_PRESSED) else row
    first, _, second = key.partition("/")
    if second:
        text = text.replace(_SECOND, _encode(second))
    return text.replace(_FIRST, _encode(first))


def _kind(kind: Any, raw: Any) -> Any:
    return kind(raw)


_encode = msgspec.json.Encoder().encode


def _in_short(row: Any) -> list[Any]:
    """The values of the fields, our kinds of numbers as JSON has them: done here, since a hook costs as much again."""
    values, defaults = list(astuple(row)), _DEFAULTS[type(row)]
    last = len(values) - 1
    while values[last] == defaults[last]:
        last -= 1
    del values[last + 1 :]
    for at, short in _SHORT[type(row)]:
        if at > last:
            break
        if (value := values[at]) is not None:
            values[at] = short(value)
    return values


def _lines(lines: tuple[Any, ...]) -> list[Any]:
    return [_in_short(line) for line in lines]


def _seconds(moment: datetime) -> int | datetime:
    """Since 1970; itself where that would not say all."""
    if moment.tzinfo is not CHINA or moment.microsecond:
        return moment
    since = moment - EVER
    return since.days * 86_400 + since.seconds


def unpack(row: bytes, key: str) -> Any:
    """What ``text_of`` wrote, pressed or not, read again. Any: see detectors.file.Fallen."""
    text = _expanded(row, key)
    if not text.startswith(_STRUCK):
        return _read(text)
    told, _, event = text[len(_STRUCK) :].partition(b"\n")
    return Fallen(_read(event), frozenset(_names(told)))


def _names(told: bytes) -> list[str]:
    """Of lines. In schema 1 with blanks between."""
    try:
        return _decode_names(told)
    except msgspec.DecodeError:
        return told.decode().split()


def _read(text: bytes) -> Any:
    """Any: see ``unpack``."""
    told = _decode(text)
    kind = _KINDS[type(told)]
    values = dict(zip(told.__struct_fields__, astuple(told), strict=True))
    if told_lines := values.get("lines"):
        of = _KINDS[type(told_lines[0])]
        values["lines"] = tuple(
            of(**_timed(of, dict(zip(of.__struct_fields__, astuple(ln), strict=True)))) for ln in told_lines
        )
    happened, received = values["happened_at"], values.get("received_at")
    if isinstance(received, int):
        values["received_at"] = received + happened if isinstance(happened, int) else received
    return kind(**_timed(kind, values))


def _timed(kind: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Moments from what ``_seconds`` made of them."""
    for name in _MOMENTS[kind]:
        if isinstance(told := values[name], int):
            values[name] = EVER + timedelta(seconds=told)
    return values


def happened_at(row: bytes, key: str) -> datetime:
    """The business time of a row, without reading the rest of it into an event."""
    text = _expanded(row, key)
    told = _decode_head(text.partition(b"\n")[2] if text.startswith(_STRUCK) else text).happened_at
    return EVER + timedelta(seconds=told) if isinstance(told, int) else told


class _Head(Struct, array_like=True):
    tag: str
    event_id: str
    happened_at: int | datetime


_decode_head = msgspec.json.Decoder(_Head).decode
_decode_names = msgspec.json.Decoder(list[str]).decode


def _twin(kind: type[Struct], nested: dict[Any, Any]) -> type[Struct]:
    """The same fields as an array, in order."""
    tag = kind.__struct_config__.tag
    return msgspec.defstruct(
        f"{kind.__name__}Row",
        [_field(field, nested) for field in fields(kind)],
        array_like=True,
        tag=tag,
        frozen=True,
        kw_only=True,
    )


def _field(field: FieldInfo, nested: dict[Any, Any]) -> Any:
    kind = nested.get(field.type, field.type)
    if _is_moment(field):
        kind = int | kind
    if get_origin(kind) is Annotated and kind.__origin__ is str:
        kind = str  # what was refused was refused when it was read
    return (field.name, kind) if field.required else (field.name, kind, field.default)


def _is_moment(field: FieldInfo) -> bool:
    return field.type == Moment or Moment in get_args(field.type)


_LINES = {tuple[kind, ...]: tuple[_twin(kind, {}), ...] for kind in (Line, RxLine)}  # type: ignore[valid-type,misc]  # made at import
_EVENTS: tuple[type[Struct], ...] = (*get_args(Event), *get_args(Reference), Beat, OnShelf, Open)
_TWINS = {kind: _twin(kind, _LINES) for kind in _EVENTS}
_TAGS = {kind: kind.__struct_config__.tag for kind in _EVENTS}
_SHORTLY: dict[Any, Callable[[Any], Any]] = {Fen: int, Flag: int, Count: str, Price: str, Moment: _seconds}
_SHORTLY |= dict.fromkeys(_LINES, _lines)
_ALL: tuple[type[Struct], ...] = (*_EVENTS, Line, RxLine)
_SHORT = {
    kind: [
        (at, short)
        for at, field in enumerate(fields(kind))
        for told, short in _SHORTLY.items()
        if told == field.type or told in get_args(field.type)
        if short is not _seconds or not issubclass(kind, Record)  # read often, and never many
    ]
    for kind in _ALL
}
_MOMENTS = {kind: [field.name for field in fields(kind) if _is_moment(field)] for kind in _ALL}
_TOLD = frozenset(kind for kind in _EVENTS if fields(kind)[2].name == "received_at")
_DEFAULTS = {kind: [field.default for field in fields(kind)] for kind in _ALL}
_KINDS: dict[Any, Any] = {twin: kind for kind, twin in _TWINS.items()} | {
    get_args(twins)[0]: get_args(lines)[0] for lines, twins in _LINES.items()
}
_decode = msgspec.json.Decoder(Union[*_TWINS.values()], dec_hook=_kind).decode
