"""Entering leads for programs: tip-offs, inspections and transfers, and where an entered lead comes from."""

from datetime import date, datetime
from typing import Annotated

import msgspec
from anyio.to_thread import run_sync
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response
from msgspec import Struct, structs

from alerts.alert import yuan
from alerts.corrected import correct, earlier, wording
from alerts.entered import Entered, Told, enter, entered, paper_of
from alerts.reveal import hidden, persons_of
from alerts.source import Source
from alerts.web.answers import answer, as_json, asked, problems
from alerts.web.context import AtDesk, any_words
from alerts.web.desk import Desk
from alerts.web.work_api import IfMatch, Key, Yuan, body_of, fen, version_of
from alerts.web.workdesk import refused
from detectors.finding import Level

router = APIRouter(prefix="/api/v1")


class LeadAsked(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A lead to enter. The amount in yuan, "0" if it is not known; days are those of China, both ends included.

    about: one sentence, shown in lists and files; told: more, only on the lead's page. Neither may name an informant
    or hold an identity or telephone number. confidential: the paper's number leads to an informant.
    """

    source: Source
    subject_kind: str = "org"
    subject_id: str = ""
    orgs: Annotated[tuple[str, ...], msgspec.Meta(max_length=50)] = ()
    area: str = ""
    about: str
    told: str = ""
    level: Level = Level.YELLOW
    amount: Yuan = "0"
    since: date | None = None
    until: date | None = None
    received: date
    paper: str
    confidential: bool = False


class LeadEntered(Struct, frozen=True):
    """The lead that was made; it is worked like any other."""

    alert_id: str


class PaperNumber(Struct, frozen=True):
    """The number of the paper that a lead came in."""

    paper: str


class Wording(Struct, frozen=True):
    """What an entered lead said, up to which correction; ``lead`` without a confidential number."""

    lead: LeadAsked
    corrected_by: str
    corrected_at: datetime


class Wordings(Struct, frozen=True):
    """What an entered lead says now, in the shape in which it is corrected, and what it said before, latest first."""

    version: int
    now: LeadAsked
    earlier: tuple[Wording, ...]


SHAPES = (LeadAsked, LeadEntered, Entered, PaperNumber, Wordings)


@router.post(
    "/leads",
    status_code=201,
    responses={
        201: answer(LeadEntered)[200],
        **problems(_409="the key was used, or it is entered already", _422="something is lacking"),
    },
    openapi_extra=asked(LeadAsked),
)
async def make(request: Request, desk: AtDesk, idempotency_key: Key = "") -> Response:
    """Enter a lead that no rule raised; for those who work leads."""
    body = await body_of(request, LeadAsked)
    with refused(any_words(request)):
        name = await run_sync(lambda: enter(desk.store, desk.account, told_of(body), desk.now, key=idempotency_key))
    answered = as_json(LeadEntered(name), location=f"/api/v1/alerts/{name}")
    answered.status_code = 201
    return answered


def told_of(body: LeadAsked) -> Told:
    """The same with the amount in fen."""
    values = {name: getattr(body, name) for name in LeadAsked.__struct_fields__ if name != "amount"}
    return Told(**values, amount_fen=fen(body.amount))


@router.get("/leads/{alert_id}", responses=answer(Wordings, _404="no such lead, or a rule raised it"))
def wordings(desk: AtDesk, alert_id: str) -> Response:
    """What an entered lead says, and said before it was corrected; its ETag is for a correction."""
    found = wording(desk.store, alert_id) if desk.row(alert_id) else None
    if found is None:
        raise HTTPException(404)
    return _wordings(desk, alert_id, *found)


@router.put(
    "/leads/{alert_id}",
    responses=answer(
        Wordings,
        _404="no such lead, or a rule raised it",
        _409="somebody has decided on it, or the key was used",
        _412="corrected meanwhile",
        _422="something is lacking",
        _428="If-Match is needed",
    ),
    openapi_extra=asked(LeadAsked),
)
async def rectify(
    request: Request, desk: AtDesk, alert_id: str, if_match: IfMatch = None, idempotency_key: Key = ""
) -> Response:
    """Correct a lead that nobody has decided on: whoever entered it, and reviewers. An empty paper stays as it is."""
    words = any_words(request)
    version = version_of(if_match, words)
    told = told_of(await body_of(request, LeadAsked))

    def act() -> Response:
        correct(desk.store, desk.account, alert_id, version, told, desk.now, key=idempotency_key)
        return wordings(desk, alert_id)

    with refused(words):
        return await run_sync(act)


def _wordings(desk: Desk, alert_id: str, version: int, told: Told) -> Response:
    before = [Wording(_asked(one.told), one.corrected_by, one.corrected_at) for one in earlier(desk.store, alert_id)]
    return as_json(Wordings(version, _asked(told), tuple(before)), etag=f'"{version}"')


def _asked(told: Told) -> LeadAsked:
    values = {name: getattr(told, name) for name in LeadAsked.__struct_fields__ if name != "amount"}
    return LeadAsked(**values, amount=yuan(told.amount_fen))


@router.get("/leads/{alert_id}/origin", responses=answer(Entered, _404="no such lead, or a rule raised it"))
def origin(desk: AtDesk, alert_id: str) -> Response:
    """Where an entered lead comes from, without a confidential number."""
    found = entered(desk.store, alert_id) if desk.row(alert_id) else None
    if found is None:
        raise HTTPException(404)
    told = hidden(found.told, persons_of(desk.store, alert_id))
    return as_json(structs.replace(found, told=told))


@router.post("/leads/{alert_id}/paper", responses=answer(PaperNumber, _404="no such lead, or a rule raised it"))
def paper(request: Request, desk: AtDesk, alert_id: str) -> Response:
    """The number of the paper, a confidential one too, for reviewers and whoever entered it; that is written down."""
    with refused(any_words(request)):
        return as_json(PaperNumber(paper_of(desk.store, desk.account, alert_id, desk.now)))
