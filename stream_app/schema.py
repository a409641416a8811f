"""JSON Schema (2020-12) of what fundwatch reads and writes, made from the types that do the reading and writing."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from msgspec import inspect

from detectors.event import Count, Event, Fen, Flag, Price, Reference

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]  # Any: a JSON document

# every shape that a program may meet: where its type is, and what it is
SHAPES = {
    "event": ("", "One line of a recording: an event, or a reference record. The same object is the Kafka value"),
    "alert": (
        "alerts.alert:Alert",
        "One alert at one revision: a line of an alert file, the value on the topic alerts",
    ),
    "quarantined": ("detectors.wire:Quarantined", "What could not be read: the value on the topic quarantine"),
    "quarantine": ("stream_app.quarantine:Kept", "A line of: fundwatch quarantine list --json"),
    "send": ("replay.send:Sent", "What fundwatch send --json prints, and quarantine resend --json"),
    "replay": ("replay.run:Summary", "What fundwatch replay --json prints"),
    "score": ("replay.scoreboard:Scoreboard", "What fundwatch score --json prints"),
    "compare": ("replay.compare:Comparison", "What fundwatch compare --json prints"),
    "label": ("replay.simulate.label:Label", "A line of the labels that fundwatch simulate writes and score reads"),
    "lead": ("alerts.store:LeadRow", "One alert of fundwatch alerts list --json, which prints an array of them"),
    "detector": (
        "stream_app.commands.detectors:Entry",
        "One detector of fundwatch detectors --json, which prints an array of them",
    ),
    "explain": (
        "detectors.nearness:Explained",
        "What one detector says of a subject: fundwatch explain --json prints an array of them",
    ),
    "scored": (
        "models.scored:ByModel",
        "What a detector of the model says of a subject's days: the last entries of fundwatch explain --json",
    ),
    "state": ("stream_app.commands.state:State", "What fundwatch state --json prints"),
    "account": ("alerts.accounts:Account", "One account of fundwatch user list --json, which prints an array of them"),
}


def schema(name: str) -> Schema:
    """The schema of one of SHAPES."""
    where, title = SHAPES[name]
    writer = _Writer(reading=name == "event")
    body = writer.one_of(Event | Reference) if name == "event" else writer.of(inspect.type_info(_found(where)))
    return {"$schema": DIALECT, "title": title, **body, "$defs": writer.definitions}


def _found(where: str) -> object:
    module, _, name = where.partition(":")
    return getattr(import_module(module), name)


def _decimal(what: str, decimals: int) -> Schema:
    return {
        "description": f"{what}, at most {decimals} decimals, at most 10^12 either way; a number, or it as a string",
        "type": ["number", "string"],
        "minimum": -(10**12),
        "maximum": 10**12,
        "pattern": rf"^-?\d{{1,18}}(\.(?=\d{{1,12}}$)\d{{0,{decimals}}}0*)?$",
    }


_OURS: dict[Any, Schema] = {
    Fen: _decimal("yuan", 2),
    Count: _decimal("a quantity", 4),
    Price: _decimal("yuan a pack or unit", 6),
    Flag: {"enum": ["0", "1", 0, 1, True, False]},
}

# what detectors/wire.py asks beyond the types, by event_type
_TOLD = {"type": "string", "minLength": 1}
_CONDITIONS: dict[str, Schema] = {
    "sale": {
        "if": {"properties": {"setl_id": _TOLD}, "required": ["setl_id"]},
        "then": {"properties": {"psn_no": _TOLD}, "required": ["psn_no"]},
    },
    "presence": {
        "if": {"properties": {"subject": {"const": "doctor"}}, "required": ["subject"]},
        "then": {"properties": {"dr_code": _TOLD}, "required": ["dr_code"]},
        "else": {"properties": {"psn_no": _TOLD, "mdtrt_id": _TOLD}, "required": ["psn_no", "mdtrt_id"]},
    },
}


class _Writer:
    """Turns types into schemas. reading: of a field that may be absent, null says the same."""

    def __init__(self, *, reading: bool) -> None:
        self._reading = reading
        self.definitions: dict[str, Schema] = {}

    def one_of(self, union: object) -> Schema:
        told = inspect.type_info(union)
        assert isinstance(told, inspect.UnionType)
        return {"type": "object", "required": ["event_type"], "oneOf": [self.of(kind) for kind in told.types]}

    def of(self, kind: inspect.Type) -> Schema:
        return _WRITERS[type(kind)](self, kind)

    def struct(self, kind: inspect.StructType) -> Schema:
        name = str(kind.tag) if kind.tag_field else kind.cls.__name__
        if name not in self.definitions:
            self.definitions[name] = {}  # known before it is written: a type may name itself
            self.definitions[name] = self._object(kind)
        return {"$ref": f"#/$defs/{name}"}

    def _object(self, kind: inspect.StructType) -> Schema:
        fields = [field for field in kind.fields if not field.encode_name.startswith("_")]
        tag = {kind.tag_field: {"const": kind.tag}} if kind.tag_field else {}
        required = [*tag, *(field.encode_name for field in fields if field.required)]
        told: Schema = {
            "type": "object",
            "properties": tag | {field.encode_name: self._field(field) for field in fields},
            "required": required,
        }
        if text := (kind.cls.__doc__ or "").strip().split("\n")[0]:
            told["description"] = text
        return told | _CONDITIONS.get(str(kind.tag), {})

    def _field(self, field: inspect.Field) -> Schema:
        told = self.of(field.type)
        may_be_null = self._reading and not field.required and {"type": "null"} not in told.get("anyOf", ())
        return {"anyOf": [*told.get("anyOf", [told]), {"type": "null"}]} if may_be_null else told

    def union(self, kind: inspect.UnionType) -> Schema:
        return {"anyOf": [self.of(one) for one in kind.types]}

    def array(self, kind: inspect.VarTupleType | inspect.FrozenSetType | inspect.ListType) -> Schema:
        return {"type": "array", "items": self.of(kind.item_type)}

    def record(self, kind: inspect.TupleType) -> Schema:
        items = [self.of(one) for one in kind.item_types]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}

    def mapping(self, kind: inspect.DictType) -> Schema:
        return {"type": "object", "additionalProperties": self.of(kind.value_type)}

    def text(self, kind: inspect.StrType) -> Schema:
        limits = {"minLength": kind.min_length, "maxLength": kind.max_length, "pattern": kind.pattern}
        return {"type": "string"} | {name: limit for name, limit in limits.items() if limit is not None}


# Any: each entry is called with the kind of type under which it stands
_WRITERS: dict[type[inspect.Type], Callable[[_Writer, Any], Schema]] = {
    inspect.StructType: _Writer.struct,
    inspect.UnionType: _Writer.union,
    inspect.VarTupleType: _Writer.array,
    inspect.FrozenSetType: _Writer.array,
    inspect.ListType: _Writer.array,
    inspect.TupleType: _Writer.record,
    inspect.DictType: _Writer.mapping,
    inspect.StrType: _Writer.text,
    inspect.CustomType: lambda _, kind: _OURS[kind.cls],
    inspect.LiteralType: lambda _, kind: {"enum": list(kind.values)},
    inspect.EnumType: lambda _, kind: {"enum": [one.value for one in kind.cls]},
    inspect.DateTimeType: lambda _, kind: {"type": "string", "format": "date-time"},
    inspect.DateType: lambda _, kind: {"type": "string", "format": "date"},
    inspect.BytesType: lambda _, kind: {"type": "string", "contentEncoding": "base64"},
    inspect.IntType: lambda _, kind: {"type": "integer"},
    inspect.FloatType: lambda _, kind: {"type": "number"},
    inspect.BoolType: lambda _, kind: {"type": "boolean"},
    inspect.NoneType: lambda _, kind: {"type": "null"},
}
