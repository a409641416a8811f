"""Events and records as short rows of text, the way Redis keeps them: a JSON array, values in the order of the fields.

Text, since Lua's msgpack reader knows no bytes. Names, which are most of an event on the wire, are left out, and so is
what follows the last value that says anything.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, astuple, fields

from detectors.event import Beat, Count, Event, Fen, Flag, Line, OnShelf, Open, Price, Reference, RxLine
from detectors.file import Fallen

SCHEMA = 1  # of the rows, and of the keys they stand under (stream_app/memory.py): another one cannot be read

_STRUCK = "-"  # begins the row of a Fallen; an event's begins with a bracket


def _kind(kind: Any, raw: Any) -> Any:
    return kind(raw)


_encode = msgspec.json.Encoder().encode


def pack(row: Any) -> str:
    """An Event, a Record or a Fallen as text. Equal content, equal text. Any: see detectors.file.Fallen."""
    if isinstance(row, Fallen):
        return f"{_STRUCK}{' '.join(sorted(row.lines))}\n{pack(row.event)}"
    return _encode([_TAGS[type(row)], *_plainly(row)]).decode()


def _plainly(row: Any) -> list[Any]:
    """The values of the fields, our kinds of numbers as JSON has them: done here, since a hook costs as much again."""
    values, defaults = list(astuple(row)), _DEFAULTS[type(row)]
    while values[-1] == defaults[len(values) - 1]:
        values.pop()
    for at, plain in _PLAIN[type(row)]:
        if at >= len(values):
            break
        if (value := values[at]) is not None:
            values[at] = plain(value)
    return values


def _lines(lines: tuple[Any, ...]) -> list[Any]:
    return [_plainly(line) for line in lines]


def unpack(text: bytes) -> Any:
    """What ``pack`` wrote, read again. Any: see detectors.file.Fallen."""
    if text.startswith(_STRUCK.encode()):
        lines, _, row = text[len(_STRUCK) :].partition(b"\n")
        return Fallen(unpack(row), frozenset(lines.decode().split()))
    told = _decode(text)
    kind = _KINDS[type(told)]
    values = {name: getattr(told, name) for name in told.__struct_fields__}
    if told_lines := values.get("lines"):
        of = _KINDS[type(told_lines[0])]
        values["lines"] = tuple(of(**dict(zip(of.__struct_fields__, astuple(ln), strict=True))) for ln in told_lines)
    return kind(**values)


def happened_at(text: bytes) -> datetime:
    """The business time of a row, without reading the rest of it into an event."""
    row = text.partition(b"\n")[2] if text.startswith(_STRUCK.encode()) else text
    return _decode_head(row).happened_at


class _Head(Struct, array_like=True):
    tag: str
    event_id: str
    happened_at: datetime


_decode_head = msgspec.json.Decoder(_Head).decode


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
    if get_origin(kind) is Annotated and kind.__origin__ is str:
        kind = str  # what was refused was refused when it was read
    return (field.name, kind) if field.required else (field.name, kind, field.default)


_LINES = {tuple[kind, ...]: tuple[_twin(kind, {}), ...] for kind in (Line, RxLine)}  # type: ignore[valid-type,misc]  # made at import
_EVENTS: tuple[type[Struct], ...] = (*get_args(Event), *get_args(Reference), Beat, OnShelf, Open)
_TWINS = {kind: _twin(kind, _LINES) for kind in _EVENTS}
_TAGS = {kind: kind.__struct_config__.tag for kind in _EVENTS}
_PLAINLY: dict[Any, Callable[[Any], Any]] = {Fen: int, Flag: int, Count: str, Price: str} | dict.fromkeys(
    _LINES, _lines
)
_ALL: tuple[type[Struct], ...] = (*_EVENTS, Line, RxLine)
_PLAIN = {
    kind: [
        (at, plain)
        for at, field in enumerate(fields(kind))
        for told, plain in _PLAINLY.items()
        if told == field.type or told in get_args(field.type)
    ]
    for kind in _ALL
}
_DEFAULTS = {kind: [field.default for field in fields(kind)] for kind in _ALL}
_KINDS: dict[Any, Any] = {twin: kind for kind, twin in _TWINS.items()} | {
    get_args(twins)[0]: get_args(lines)[0] for lines, twins in _LINES.items()
}
_decode = msgspec.json.Decoder(Union[*_TWINS.values()], dec_hook=_kind).decode
