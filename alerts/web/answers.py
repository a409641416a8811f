"""How a route of the API answers, and how it is described."""

from typing import Any

import msgspec
from fastapi.responses import Response

REF = "#/components/schemas/{name}"

_WHY = {
    400: "a condition is wrong",
    401: "log in",
    403: "not for this role",
    429: "too often: Retry-After says when again",
    503: "store away",
}


def problems(**more: str) -> dict[int | str, dict[str, Any]]:  # Any: JSON Schema
    """What may go wrong everywhere, and here: ``_412="changed meanwhile"``."""
    whys = _WHY | {int(status[1:]): why for status, why in more.items()}
    content = {"application/problem+json": {"schema": {"$ref": REF.format(name="Problem")}}}
    return {status: {"description": why, "content": content} for status, why in sorted(whys.items())}


PROBLEMS = problems()


def answer(shape: Any, **more: str) -> dict[int | str, dict[str, Any]]:  # Any: JSON Schema
    """The documentation of a JSON answer, and of what may go wrong."""
    (schema,), _ = msgspec.json.schema_components([shape], ref_template=REF)
    return {200: {"description": "", "content": {"application/json": {"schema": schema}}}, **problems(**more)}


def asked(shape: type[msgspec.Struct]) -> dict[str, Any]:  # Any: JSON Schema
    """The documentation of a JSON body."""
    schema = {"$ref": REF.format(name=shape.__name__)}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


def as_json(value: object, **headers: str) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json", headers=headers)
