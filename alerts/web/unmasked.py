"""Naming the persons of a lead in full: asked for on its page and on a person's, and by programs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated, NamedTuple

from anyio.to_thread import run_sync
from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import RedirectResponse, Response
from msgspec import Struct

from alerts.kept import Detail
from alerts.reveal import (
    LONGEST_NOTE,
    MAY_REVEAL,
    SHORTEST_NOTE,
    Grant,
    RevealError,
    Why,
    granted,
    hidden,
    persons_of,
    reveal,
)
from alerts.web.answers import answer, as_json, asked
from alerts.web.context import AtDesk, Speaks, any_words, context
from alerts.web.desk import Desk
from alerts.web.gate import local_path
from alerts.web.wording import Words
from alerts.web.work_api import body_of
from alerts.web.workdesk import RefusedError

pages = APIRouter(include_in_schema=False)
router = APIRouter(prefix="/api/v1")

ALERT_ID = 36  # characters


class Unmasking(NamedTuple):
    """What a page offers: to unmask, or until when it shows whom in full. via: the lead that names them."""

    via: str
    until: str
    why: str
    whys: Sequence[tuple[str, str]]
    longest: int = LONGEST_NOTE
    shortest: int = SHORTEST_NOTE


class RevealAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """What the persons of a lead are needed for."""

    why: Why
    note: str


class Revealed(Struct, frozen=True):
    """The persons in full, and until when pages and answers name them so."""

    persons: tuple[str, ...]
    until: datetime


SHAPES = (RevealAsked, Revealed)


def unmasking(desk: Desk, via: str, words: Words) -> tuple[Words, Unmasking | None]:
    """The words for a page that this lead led to, and what the page offers; None for who may not ask.

    The words name only this lead's persons in full; those of related leads stay masked.
    """
    if len(via) != ALERT_ID or desk.account.role not in MAY_REVEAL or desk.row(via) is None:
        return words, None
    grant = granted(desk.store, desk.account, via, desk.now)
    offered = Unmasking(
        via=via,
        until=words.clock(grant.until) if grant else "",
        why=words(f"reveal.why.{grant.why}") if grant else "",
        whys=[(one.value, words(f"reveal.why.{one}")) for one in Why],
    )
    return (replace(words, revealed=frozenset(grant.persons)) if grant else words), offered


def masked_again(answer: Response, desk: Desk, via: str, path: str) -> Response:
    """Lets the browser ask for the page again when the time is over, so that nothing stays on the screen."""
    grant = granted(desk.store, desk.account, via, desk.now)
    if grant is not None:
        left = (grant.until - desk.now).total_seconds()
        answer.headers["refresh"] = f"{int(left) + 1};url={path}"
    return answer


def masked(body: bytes, desk: Desk, of: Detail) -> bytes:
    """JSON about one lead as this account may see it now."""
    name = of.row.alert_id
    if granted(desk.store, desk.account, name, desk.now):
        return body
    persons = {*persons_of(desk.store, name), *(event.person for event in of.evidence)}
    return hidden(body.decode(), persons).encode()


def _carry_out(desk: Desk, alert_id: str, why: Why, note: str, words: Words) -> Grant:
    row = desk.row(alert_id)
    if row is None:
        raise HTTPException(404)
    bounds = desk.bounds
    try:
        return reveal(
            desk.store,
            desk.account,
            row,
            why,
            note,
            now=desk.now,
            lasts=bounds.reveal_for,
            most=bounds.reveals_an_hour,
        )
    except RevealError as error:
        status = {"not_your_role": 403, "lacking": 422, "too_often": 429}[error.code]
        code = {"not_your_role": "not_allowed", "lacking": "lacking", "too_often": "too_often"}[error.code]
        raise RefusedError(status, code, words(f"reveal.refused.{error.code}", n=bounds.reveals_an_hour)) from None


@pages.post("/alerts/{alert_id}/reveal")
def from_page(
    request: Request,
    desk: AtDesk,
    words: Speaks,
    alert_id: str,
    why: Annotated[Why, Form()],
    note: Annotated[str, Form(max_length=2_000)] = "",
    next: Annotated[str, Form(max_length=1_000)] = "",
) -> Response:
    """Then the page is shown again, with the persons in full."""
    _carry_out(desk, alert_id, why, note, words)
    context(request).meter.revealed(why)
    return RedirectResponse(local_path(next or f"/alerts/{alert_id}"), 303)


@router.post(
    "/alerts/{alert_id}/reveal",
    responses=answer(
        Revealed, _404="no such lead", _422="no reason is given, or a short one", _429="too often in an hour"
    ),
    openapi_extra=asked(RevealAsked),
)
async def by_program(request: Request, desk: AtDesk, alert_id: str) -> Response:
    """Name the persons of a lead in full for a while; who, whose, why and until when is written down."""
    body = await body_of(request, RevealAsked)
    grant = await run_sync(_carry_out, desk, alert_id, body.why, body.note, any_words(request))
    context(request).meter.revealed(body.why)
    return as_json(Revealed(grant.persons, grant.until))
