"""Many leads at once, the next one, and saved views, for programs and for the feed's own scripts."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlencode

import msgspec
from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from msgspec import Struct

from alerts import claims
from alerts.casework import WRITERS
from alerts.claims import LOCKED, Done
from alerts.life import Asked, Name, Reason
from alerts.views import View, ViewError, forget, save, views_for
from alerts.web.answers import answer, as_json, asked, problems
from alerts.web.context import AtDesk, any_words
from alerts.web.desk import MOST, BadRequestError, Desk, choice
from alerts.web.wording import Words
from alerts.web.work_api import body_of
from alerts.web.workdesk import RefusedError, WorkDesk, refused

router = APIRouter(prefix="/api/v1")


class Picked(Struct, frozen=True, forbid_unknown_fields=True):
    """An alert, and the version of its work that was read."""

    alert_id: str
    version: int = 0


class BulkAsked(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is to be done to each. holder: of assign; reason, exclusion and note: of dismiss."""

    action: Literal["claim", "assign", "unclaim", "dismiss"]
    alerts: Annotated[tuple[Picked, ...], msgspec.Meta(min_length=1, max_length=MOST)]
    holder: str = ""
    reason: Reason | None = None
    exclusion: str = ""
    note: str = ""


class ItemDone(Struct, frozen=True):
    """What became of one alert; why is empty if it was carried out."""

    alert_id: str
    done: bool
    why: str


class BulkDone(Struct, frozen=True):
    """By item: what can be done is done, whatever hinders the others."""

    done: int
    items: tuple[ItemDone, ...]


class NextLead(Struct, frozen=True):
    """The gravest lead that nobody holds, and until when it is kept; both null where there is none."""

    alert_id: str | None
    until: datetime | None


class ViewAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """A choice of the feed to keep. query: of the feed's address, without "?"."""

    name: str
    query: str
    shared: bool = False


class Views(Struct, frozen=True):
    """One's own first, then those that others share."""

    views: tuple[View, ...]


SHAPES = (BulkAsked, BulkDone, NextLead, ViewAsked, Views)


@router.post("/alerts/bulk", responses=answer(BulkDone, _422="something is lacking"), openapi_extra=asked(BulkAsked))
async def bulk(request: Request, desk: AtDesk) -> Response:
    """Claim, assign, give back or dismiss many at once; each is answered by itself."""
    body, words = await body_of(request, BulkAsked), any_words(request)
    done = await run_sync(_carry_out, desk, body, words)
    return as_json(BulkDone(sum(one.done for one in done), tuple(done)))


def _carry_out(desk: Desk, body: BulkAsked, words: Words) -> list[ItemDone]:
    names = [one.alert_id for one in body.alerts]
    match body.action:
        case "claim":
            found = claims.claim(desk.store, desk.account, names, desk.account.name, desk.now)
        case "assign":
            found = claims.claim(desk.store, desk.account, names, body.holder, desk.now)
        case "unclaim":
            found = claims.unclaim(desk.store, desk.account, names, desk.now)
        case "dismiss":
            return list(_dismissed(desk, body, words))
    return [_told(one, words) for one in found]


def _told(one: Done, words: Words) -> ItemDone:
    return ItemDone(one.alert_id, not one.why, words(f"work.why.{one.why}") if one.why else "")


def _dismissed(desk: Desk, body: BulkAsked, words: Words) -> Iterator[ItemDone]:
    """Each is a move of its own, as if made on the lead's page."""
    at = WorkDesk(desk)
    given = Asked(reason=body.reason, exclusion=body.exclusion, note=body.note)
    for one in dict.fromkeys(body.alerts):
        try:
            with refused(words):
                at.move(one.alert_id, one.version, Name.DISMISS, given, "")
        except RefusedError as error:
            yield ItemDone(one.alert_id, False, error.detail or words("work.why.not_found"))
        else:
            yield ItemDone(one.alert_id, True, "")


@router.post("/alerts/next", responses=answer(NextLead, _403="not this role"))
async def take_next(request: Request, desk: AtDesk) -> Response:
    """Take the next lead of a choice, in the parameters of the feed, and keep it for a quarter of an hour."""
    words = any_words(request)
    if desk.account.role not in WRITERS:
        raise RefusedError(403, "not_allowed", words("work.why.not_your_role"))
    row = await run_sync(desk.next_lead, choice(request.query_params.multi_items()))
    return as_json(NextLead(row.alert_id if row else None, desk.now + LOCKED if row else None))


@router.get("/views", responses=answer(Views))
def views(desk: AtDesk) -> Response:
    """Saved choices of the feed."""
    return as_json(Views(tuple(views_for(desk.store, desk.account.name))))


@router.post(
    "/views", status_code=204, responses=problems(_422="no such choice, or too many"), openapi_extra=asked(ViewAsked)
)
async def keep_view(request: Request, desk: AtDesk) -> Response:
    """Keep a choice under a name, in place of one's own of that name."""
    body, words = await body_of(request, ViewAsked), any_words(request)
    query = _canonical(body.query)
    try:
        await run_sync(save, desk.store, View(desk.account.name, body.name, query, body.shared), desk.now)
    except ViewError as error:
        raise RefusedError(422, "lacking", words(f"work.why.{error.code}")) from None
    return Response(status_code=204)


def _canonical(query: str) -> str:
    """As the feed writes it. Raises BadRequestError."""
    return urlencode(choice(parse_qsl(query)).params())


@router.delete("/views", status_code=204, responses=problems(_400="no name"))
def forget_view(desk: AtDesk, name: Annotated[str, Query(max_length=100)]) -> Response:
    """One's own view of this name is no more."""
    if not name:
        raise BadRequestError("name")
    forget(desk.store, desk.account.name, name)
    return Response(status_code=204)
