"""The feed for programs: /api/v1, JSON, the session of a log-in. The same desk as the pages."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.openapi.utils import get_openapi
from fastapi.responses import Response, StreamingResponse
from msgspec import Struct

from alerts.alert import Alert
from alerts.kept import Facets
from alerts.snooze import Snooze
from alerts.web import audit_api, desk_api, entered_api, file_api, indicators_api, unmasked, work_api
from alerts.web.answers import PROBLEMS as _PROBLEMS
from alerts.web.answers import REF as _REF
from alerts.web.answers import answer as _answer
from alerts.web.answers import as_json as _json
from alerts.web.answers import problems
from alerts.web.context import AtDesk, Reader, context
from alerts.web.desk import MOST, PAGE, Choice, Desk, Items, choice, item
from alerts.web.gate import LoginNeededError, cookie_of
from alerts.web.live import Batch, Beat, Encode, Resync, as_items, stream
from alerts.web.unmasked import masked
from detectors.finding import Evidence

router = APIRouter(prefix="/api/v1")


class Rest(Struct, frozen=True, forbid_unknown_fields=True):
    """Until when, and why, the subject of an alert is to be left in peace."""

    until: Annotated[datetime, msgspec.Meta(tz=True)]
    reason: str


OTHERS = (work_api, desk_api, unmasked, audit_api, entered_api, file_api, indicators_api)  # parts of the same API
_SHAPES = (
    Items,
    Alert,
    tuple[Evidence, ...],
    Facets,
    Batch,
    Beat,
    Resync,
    Rest,
    Snooze,
    *(shape for other in OTHERS for shape in other.SHAPES),
)
STREAM_HEADERS = {"x-accel-buffering": "no", "cache-control": "no-store"}

Levels = Annotated[list[str] | None, Query(alias="level", description="red, orange, yellow, blue; of several any")]
Detectors = Annotated[list[str] | None, Query(alias="detector", description="bare names, several: any of them")]
Statuses = Annotated[
    list[str] | None,
    Query(alias="status", description="open (and not snoozed), snoozed, withdrawn; several: any; without: all"),
]
Inhibited = Annotated[str, Query(description="no: without those that a stronger alert inhibits; yes: only those")]
Sources = Annotated[list[str] | None, Query(alias="source", description="rules, or where an entered lead comes from")]
Text = Annotated[str, Query(alias="q", description="in the sentence or the subject's id; or an institution's code")]
Orders = Annotated[str, Query(alias="order", description="newest (last changed first) or gravest (risk order)")]


def _chosen(
    levels: list[str] | None,
    detectors: list[str] | None,
    statuses: list[str] | None,
    inhibited: str,
    text: str,
    sources: list[str] | None,
    order: str = "newest",
) -> Choice:
    pairs = [("level", value) for value in levels or ()]
    pairs += [("detector", value) for value in detectors or ()]
    pairs += [("status", value) for value in statuses or ()]
    pairs += [("source", value) for value in sources or ()]
    return choice([*pairs, ("inhibited", inhibited), ("q", text), ("order", order)], default_open=False)


@router.get("/alerts", responses=_answer(Items))
def alerts(
    desk: AtDesk,
    levels: Levels = None,
    detectors: Detectors = None,
    statuses: Statuses = None,
    inhibited: Inhibited = "",
    text: Text = "",
    sources: Sources = None,
    order: Orders = "newest",
    cursor: Annotated[str | None, Query(description="next_cursor of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = PAGE,
) -> Response:
    """Alerts, a page at a time."""
    page = desk.page(_chosen(levels, detectors, statuses, inhibited, text, sources, order), cursor, limit)
    return _json(Items(tuple(map(item, page.items)), page.next_cursor))


@router.get("/alerts/facets", responses=_answer(Facets))
def facets(
    desk: AtDesk,
    levels: Levels = None,
    detectors: Detectors = None,
    statuses: Statuses = None,
    inhibited: Inhibited = "",
    text: Text = "",
    sources: Sources = None,
) -> Response:
    """How many alerts each level, detector and status has, given the choices in the other groups."""
    return _json(desk.facets(_chosen(levels, detectors, statuses, inhibited, text, sources)))


@router.get("/alerts/stream", responses={200: {"description": "", "content": {"text/event-stream": {}}}, **_PROBLEMS})
async def live(
    request: Request,
    account: Reader,
    after: Annotated[int | None, Query(ge=0, description="the last seq seen; without: from now on")] = None,
    last_event_id: Annotated[int | None, Header(ge=0)] = None,
) -> StreamingResponse:
    """Server-sent events: alerts (a Batch, its id is the seq to go on from), beat, resync (read again), bye."""
    asks = context(request)
    desk = Desk(asks.store, account, asks.clock(), asks.bounds)
    seen = last_event_id if last_event_id is not None else after
    return sse(request, desk, seen, "items", as_items)


def sse(request: Request, desk: Desk, after: int | None, form: str, encode: Encode) -> StreamingResponse:
    """The stream of one client; it ends when the session does."""
    asks = context(request)
    cookie = cookie_of(request)

    def still_in() -> bool:
        try:
            return asks.gate.account(cookie).areas == desk.account.areas
        except LoginNeededError:
            return False

    body = stream(asks.hub, desk.account.areas, after, form, encode, still_in)
    return StreamingResponse(body, media_type="text/event-stream", headers=STREAM_HEADERS)


@router.get("/alerts/{alert_id}", responses=_answer(Alert, _404="no such lead"))
def alert(request: Request, desk: AtDesk, alert_id: str) -> Response:
    """One alert at its newest revision, the object of the alerts topic, persons masked until they are revealed.

    That it was looked at is written down.
    """
    found = desk.detail(alert_id)
    if found is None:
        raise HTTPException(404)
    desk.viewed(alert_id, context(request).clock(), "api")
    body = masked(msgspec.json.encode(found.alert), desk, found)
    return Response(body, media_type="application/json", headers={"etag": f'"{found.row.revision}"'})


@router.get("/alerts/{alert_id}/evidence", responses=_answer(tuple[Evidence, ...], _404="no such lead"))
def evidence(request: Request, desk: AtDesk, alert_id: str) -> Response:
    """The events of an alert, oldest first, as its page draws them. Amounts in fen."""
    found = desk.detail(alert_id)
    if found is None:
        raise HTTPException(404)
    desk.viewed(alert_id, context(request).clock(), "api")
    return Response(masked(msgspec.json.encode(found.evidence), desk, found), media_type="application/json")


@router.put(
    "/alerts/{alert_id}/snooze",
    responses=_answer(Snooze, _404="no such lead"),
    openapi_extra={"requestBody": {"content": {"application/json": {"schema": {"$ref": _REF.format(name="Rest")}}}}},
)
async def snooze(request: Request, desk: AtDesk, alert_id: str) -> Response:
    """Leave the subject of this alert in peace; replaces a former snooze. Only for screeners."""
    rest = await work_api.body_of(request, Rest)
    made = await run_sync(desk.snooze, alert_id, rest.until, rest.reason)
    if made is None:
        raise HTTPException(404)
    return _json(made)


@router.delete("/alerts/{alert_id}/snooze", status_code=204, responses=problems(_404="no such lead"))
def wake(desk: AtDesk, alert_id: str) -> Response:
    """Leave it in peace no longer; that it was not is no error. Only for screeners."""
    if desk.wake(alert_id) is None:
        raise HTTPException(404)
    return Response(status_code=204)


@router.get("/openapi.json", include_in_schema=False)
def openapi(_: Reader) -> Response:
    """This API in OpenAPI."""
    return _json(describe())


def describe() -> dict[str, Any]:  # Any: an OpenAPI document
    """The document, with the shapes of msgspec among its components."""
    document = get_openapi(
        title="fundwatch",
        version="1",
        routes=[route for one in (router, *(other.router for other in OTHERS)) for route in one.routes],
    )
    for operation in (one for path in document["paths"].values() for one in path.values()):
        if "requestBody" in operation:
            operation["responses"]["415"] = problems(_415="the body is of another type")[415]
    _, components = msgspec.json.schema_components(_SHAPES, ref_template=_REF)
    text = {"type": "string"}
    problem = {
        "type": "object",
        "properties": {
            **dict.fromkeys(("type", "title", "detail", "code", "trace_id"), text),
            "status": {"type": "integer"},
        },
    }
    document.setdefault("components", {}).setdefault("schemas", {}).update({**components, "Problem": problem})
    return document
