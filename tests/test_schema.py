"""The JSON Schemas say what is read and written: no more, no less."""

import gzip
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click.testing
import msgspec
import pytest

from detectors.wire import Refused, canonical, quarantined, read
from stream_app.commands.wire import schema as command
from stream_app.schema import DIALECT, SHAPES, schema
from tests.test_wire import LEAST, LINE, told

Json = Any  # a JSON document
RECORDINGS = Path(__file__).parents[2] / "shared" / "worlds"
_TYPES: dict[str, Any] = {  # Any: what isinstance takes
    "object": dict,
    "array": list,
    "string": str,
    "number": (int, float),
    "integer": int,
    "boolean": bool,
    "null": type(None),
}


def holds(rule: Json, value: Json, root: Json) -> bool:
    """Whether ``value`` keeps ``rule``, as far as JSON Schema 2020-12 is used here; an unknown keyword is an error."""
    return all(_KEYWORDS[keyword](wanted, value, root, rule) for keyword, wanted in rule.items())


def is_of(kind: str, value: Json) -> bool:
    return isinstance(value, _TYPES[kind]) and not (isinstance(value, bool) and kind in ("number", "integer"))


def same(left: Json, right: Json) -> bool:
    return left == right and isinstance(left, bool) == isinstance(right, bool)


def resolved(ref: str, root: Json) -> Json:
    return root["$defs"][ref.removeprefix("#/$defs/")]


def follows(wanted: Json, value: Json, root: Json, rule: Json) -> bool:
    branch = "then" if holds(wanted, value, root) else "else"
    return holds(rule.get(branch, {}), value, root)


_KEYWORDS: dict[str, Any] = {  # Any: each takes (wanted, value, root, rule)
    "$ref": lambda w, v, root, _: holds(resolved(w, root), v, root),
    "type": lambda w, v, *_: any(is_of(kind, v) for kind in ([w] if isinstance(w, str) else w)),
    "enum": lambda w, v, *_: any(same(one, v) for one in w),
    "const": lambda w, v, *_: same(w, v),
    "anyOf": lambda w, v, root, _: any(holds(one, v, root) for one in w),
    "oneOf": lambda w, v, root, _: sum(holds(one, v, root) for one in w) == 1,
    "if": follows,
    "required": lambda w, v, *_: not isinstance(v, dict) or all(name in v for name in w),
    "properties": lambda w, v, root, _: not isinstance(v, dict) or all(holds(w[n], v[n], root) for n in w if n in v),
    "additionalProperties": lambda w, v, root, _: all(holds(w, one, root) for one in v.values()),
    "items": lambda w, v, root, _: not isinstance(v, list) or all(holds(w, one, root) for one in v),
    "minItems": lambda w, v, *_: not isinstance(v, list) or len(v) >= w,
    "maxItems": lambda w, v, *_: not isinstance(v, list) or len(v) <= w,
    "prefixItems": lambda w, v, root, _: all(holds(r, one, root) for r, one in zip(w, v, strict=False)),
    "minLength": lambda w, v, *_: not isinstance(v, str) or len(v) >= w,
    "maxLength": lambda w, v, *_: not isinstance(v, str) or len(v) <= w,
    "pattern": lambda w, v, *_: not isinstance(v, str) or re.search(w, v) is not None,
    "minimum": lambda w, v, *_: not is_of("number", v) or v >= w,
    "maximum": lambda w, v, *_: not is_of("number", v) or v <= w,
    "format": lambda w, v, *_: not isinstance(v, str) or is_moment(w, v),
    **dict.fromkeys(("then", "else", "$defs", "$schema", "title", "description", "contentEncoding"), lambda *_: True),
}


def is_moment(form: str, text: str) -> bool:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return False
    return (moment.tzinfo is not None) == (form == "date-time")


EVENT = schema("event")


def is_event(value: Json) -> bool:
    return holds(EVENT, value, EVENT)


def is_read(value: Json) -> bool:
    try:
        read(json.dumps(value).encode())
    except Refused:
        return False
    return True


@pytest.mark.parametrize("name", SHAPES)
def test_the_command_prints_each_schema_of_the_dialect(name: str) -> None:
    ran = click.testing.CliRunner().invoke(command, [name])
    printed = json.loads(ran.output)
    assert printed["$schema"] == DIALECT
    assert printed == json.loads(json.dumps(schema(name)))


@pytest.mark.parametrize("name", SHAPES)
def test_every_reference_leads_somewhere(name: str) -> None:
    told = schema(name)
    for ref in re.findall(r'"\$ref": "([^"]+)"', json.dumps(told)):
        assert resolved(ref, told)


@pytest.mark.parametrize("kind", LEAST)
def test_the_least_of_every_type_is_an_event(kind: str) -> None:
    assert is_event(told(kind))


@pytest.mark.parametrize("kind", LEAST)
def test_what_is_written_is_an_event(kind: str) -> None:
    assert is_event(json.loads(canonical(read(json.dumps(told(kind)).encode()))))


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, least in LEAST.items() for name in least])
def test_without_what_is_required_it_is_none(kind: str, name: str) -> None:
    assert not is_event({key: value for key, value in told(kind).items() if key != name})
    assert not is_event(told(kind) | {name: None})


@pytest.mark.parametrize(
    "more",
    [
        *({"cnt": 1}, {"cnt": "1.2345"}, {"cnt": "1.23450"}, {"cnt": "1.23456"}, {"cnt": True}, {"cnt": "1e3"}),
        *({"cnt": ""}, {"cnt": " 1"}, {"cnt": 10**12 + 1}, {"cnt": "1."}, {"cnt": [1]}, {"cnt": "-5"}),
        *({"is_test": "1"}, {"is_test": False}, {"is_test": 2}, {"is_test": "yes"}, {"is_test": None}),
        *({"expy_end": "2026-12-01"}, {"expy_end": "2026-13-01"}, {"expy_end": None}, {"expy_end": 20261201}),
        *({"inv_type": "lost"}, {"fixmedins_code": "P1"}, {"mdtrtarea_admvs": ""}, {"mdtrtarea_admvs": "33010"}),
        *({"drug_trac_codg": []}, {"drug_trac_codg": [""]}, {"drug_trac_codg": ["8"]}, {"drug_trac_codg": None}),
        *({"biz_time": "2026-03-02T08:00:00"}, {"event_type": "stock"}, {"event_id": ""}, {"unknown": {"x": []}}),
    ],
    ids=str,
)
def test_the_schema_says_of_stock_what_reading_says(more: dict[str, object]) -> None:
    line = told("inv", **more)
    assert is_event(line) == is_read(line)


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        *(("sale", {"setl_id": "s1"}), ("sale", {"setl_id": "s1", "psn_no": "p"}), ("sale", {"setl_id": None})),
        *(("sale", {"setl_id": ""}), ("presence", {"subject": "doctor"}), ("presence", {"psn_no": None})),
        *(("presence", {"subject": "doctor", "dr_code": "D"}), ("presence", {"subject": "patient", "mdtrt_id": ""})),
        *(("fee", {"lines": [LINE | {"cnt": None}]}), ("fee", {"lines": []}), ("fee", {"lines": [LINE, {}]})),
        *(("rx", {"lines": [{"med_list_codg": "X", "cnt": 1, "pric": None}]}), ("setl", {"lines": None})),
        *(("setl", {"mdtrt_cert_type": ""}), ("setl", {"mdtrt_cert_type": "04"}), ("ref.person", {"status": ["dead"]})),
        *(("ref.agreement", {"target": 5}), ("ref.agreement", {"target": ""}), ("ref.org", {"beds": 1.5})),
    ],
    ids=str,
)
def test_the_schema_says_of_these_what_reading_says(kind: str, more: dict[str, object]) -> None:
    line = told(kind, **more)
    assert is_event(line) == is_read(line)


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason=f"no recorded worlds in {RECORDINGS.parent.name}/{RECORDINGS.name}")
@pytest.mark.parametrize("name", ["reference", "events"])
def test_recorded_lines_keep_the_schema(name: str) -> None:
    with gzip.open(RECORDINGS / "a" / f"{name}.ndjson.gz") as file:
        lines = [json.loads(line) for number, line in enumerate(file) if number % 97 == 0]
    assert len(lines) > 50
    assert [line for line in lines if not is_event(line)] == []


def test_a_quarantine_record_keeps_its_schema() -> None:
    record = quarantined(Refused("malformed", "no number", "cnt"), b"{}", "stock/0", 3, datetime.now(UTC))
    assert holds(schema("quarantined"), json.loads(msgspec.json.encode(record)), schema("quarantined"))
