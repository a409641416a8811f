"""Working a lead for programs: how far it is, moves with If-Match, comments, and ledgers of points."""

from datetime import date, datetime, timedelta
from typing import Annotated, TypeVar

import msgspec
from anyio.to_thread import run_sync
from fastapi import APIRouter, Header, HTTPException, Query, Request
from fastapi.responses import Response
from msgspec import Struct

from alerts.alert import yuan
from alerts.casework import Taken, Work
from alerts.deadlines import Warning
from alerts.ledgers import FULL, Balance, balances
from alerts.life import LEDGERS, Asked, Kind, Measure, Name, Need, Reason, State
from alerts.outcomes import Outcomes, outcomes
from alerts.web.answers import answer, as_json, asked, problems
from alerts.web.context import AtDesk, any_words
from alerts.web.desk import BadRequestError, Desk
from alerts.web.wording import Words
from alerts.web.workdesk import RefusedError, WorkDesk, refused

T = TypeVar("T", bound=Struct)

router = APIRouter(prefix="/api/v1")

Yuan = Annotated[str, msgspec.Meta(pattern=r"^\d{1,11}(\.\d{1,2})?$")]
LONGEST_BODY = 64 * 1024  # bytes

IfMatch = Annotated[str | None, Header(description='the ETag of the work as it was read, such as "3"')]
Key = Annotated[str, Header(alias="idempotency-key", max_length=100, description="kept for 24 hours")]

Days = Annotated[int, Query(ge=0, le=3_660, description="only leads touched in the last so many days; 0: ever")]


class MeasureAsked(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A measure; amounts in yuan. Points are held against an org, a doctor or a cashier."""

    kind: Kind
    amount: Yuan = "0"
    points: int = 0
    subject_kind: str = ""
    subject_id: str = ""
    document: str = ""


class MoveAsked(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A move with what it needs; see ``allowed`` of the work."""

    move: Name
    note: str = ""
    reason: Reason | None = None
    exclusion: str = ""
    officers: tuple[str, ...] = ()
    amount: Yuan | None = None
    document: str = ""
    measures: tuple[MeasureAsked, ...] = ()


class CommentAsked(Struct, frozen=True, forbid_unknown_fields=True):
    """What somebody says about a lead."""

    note: str


class Way(Struct, frozen=True):
    """A move that this account may make now, and what must be given."""

    move: Name
    to: State
    needs: tuple[Need, ...]


class MeasureShown(Struct, frozen=True, kw_only=True):
    """A measure that was taken; the amount in yuan."""

    alert_id: str
    number: int
    kind: Kind
    amount: str
    points: int
    subject_kind: str
    subject_id: str
    document: str
    taken_by: str
    taken_at: datetime


class WorkShown(Struct, frozen=True, kw_only=True):
    """How far people have come with a lead. ``due``: the last day, in China; ``found`` in yuan."""

    alert_id: str
    version: int
    state: State
    entered_at: datetime
    due: date | None
    warning: Warning
    screened_by: str
    officers: tuple[str, ...]
    extended: bool
    reason: str
    exclusion: str
    outcome: str
    found: str | None
    changed_by: str
    changed_at: datetime
    allowed: tuple[Way, ...]
    measures: tuple[MeasureShown, ...]


class Ledger(Struct, frozen=True):
    """The points of a subject within the account's areas, newest first; ``balance`` is their sum."""

    subject_kind: str
    subject_id: str
    balance: int
    entries: tuple[MeasureShown, ...]


class Ledgers(Struct, frozen=True):
    """The balances of this year within the account's areas, those with most points first. full: points of a year."""

    full: int
    balances: tuple[Balance, ...]


SHAPES = (WorkShown, MoveAsked, CommentAsked, Ledger, Ledgers, Outcomes)


def fen(amount: str) -> int:
    """ "12.5" -> 1250. Raises ValueError for what is no amount of yuan with at most two decimals."""
    whole, _, part = amount.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 11 and len(part) <= 2):
        raise ValueError(amount)
    return int(whole) * 100 + int(part.ljust(2, "0")) if part else int(whole) * 100


def shown(desk: WorkDesk, work: Work) -> WorkShown:
    """The work as this account sees it."""
    values = {name: getattr(work, name) for name in WorkShown.__struct_fields__ if hasattr(work, name)}
    return WorkShown(
        **values,
        warning=desk.warning(work),
        found=None if work.found_fen is None else yuan(work.found_fen),
        allowed=tuple(Way(rule.move, rule.to, rule.needs) for rule in desk.moves(work)),
        measures=tuple(map(_measure, desk.measures(work.alert_id))),
    )


def _measure(one: Taken) -> MeasureShown:
    values = {name: getattr(one, name) for name in MeasureShown.__struct_fields__ if name != "amount"}
    return MeasureShown(**values, amount=yuan(one.amount_fen))


def _asked(body: MoveAsked) -> Asked:
    return Asked(
        note=body.note,
        reason=body.reason,
        exclusion=body.exclusion,
        officers=body.officers,
        amount_fen=None if body.amount is None else fen(body.amount),
        document=body.document,
        measures=tuple(
            Measure(
                kind=one.kind,
                amount_fen=fen(one.amount),
                points=one.points,
                subject_kind=one.subject_kind,
                subject_id=one.subject_id,
                document=one.document,
            )
            for one in body.measures
        ),
    )


def version_of(if_match: str | None, words: Words) -> int:
    """The version that a write is about. Raises RefusedError (428) without one."""
    if if_match is None:
        raise RefusedError(428, "if_match", words("problem.if_match.what"))
    number = if_match.strip().strip('"')
    if not number.isdecimal() or len(number) > 9:
        return -1  # an ETag that was never ours matches nothing
    return int(number)


@router.get("/alerts/{alert_id}/work", responses=answer(WorkShown, _404="no such lead"))
def work(desk: AtDesk, alert_id: str) -> Response:
    """How far people have come with a lead, and what this account may do now."""
    at = WorkDesk(desk)
    found = at.work(alert_id)
    if found is None:
        raise HTTPException(404)
    return as_json(shown(at, found), etag=f'"{found.version}"')


@router.post(
    "/alerts/{alert_id}/moves",
    responses=answer(
        WorkShown,
        _404="no such lead",
        _409="no such move now, or the key was used",
        _412="changed meanwhile",
        _422="something is lacking",
        _428="If-Match is needed",
    ),
    openapi_extra=asked(MoveAsked),
)
async def move(
    request: Request, desk: AtDesk, alert_id: str, if_match: IfMatch = None, idempotency_key: Key = ""
) -> Response:
    """Move a lead on; the answer is the work as it stands then."""
    words, at = any_words(request), WorkDesk(desk)
    version = version_of(if_match, words)
    body = await body_of(request, MoveAsked)
    with refused(words):
        moved = await run_sync(at.move, alert_id, version, body.move, _asked(body), idempotency_key)
    return as_json(await run_sync(shown, at, moved), etag=f'"{moved.version}"')


@router.post(
    "/alerts/{alert_id}/comments",
    status_code=204,
    responses=problems(_404="no such lead", _409="the key was used", _422="nothing is said, or too much"),
    openapi_extra=asked(CommentAsked),
)
async def comment(request: Request, desk: AtDesk, alert_id: str, idempotency_key: Key = "") -> Response:
    """Say something about a lead; it stays in its history."""
    body = await body_of(request, CommentAsked)
    with refused(any_words(request)):
        await run_sync(WorkDesk(desk).comment, alert_id, body.note, idempotency_key)
    return Response(status_code=204)


@router.get("/ledgers", responses=answer(Ledgers))
def ledgers(desk: AtDesk) -> Response:
    """Points of institutions, doctors and cashiers since the first of January."""
    return as_json(Ledgers(FULL, tuple(balances(desk.store, desk.now, areas=desk.account.areas))))


@router.get("/ledgers/{kind}/{name}", responses=answer(Ledger, _404="no such kind of ledger"))
def ledger(desk: AtDesk, kind: str, name: str) -> Response:
    """The points held against an institution (org), a doctor or a cashier; its newest 200 entries."""
    if kind not in LEDGERS:
        raise HTTPException(404)
    entries = WorkDesk(desk).ledger(kind, name)
    return as_json(Ledger(kind, name, sum(one.points for one in entries), tuple(map(_measure, entries))))


@router.get("/outcomes", responses=answer(Outcomes))
def told(desk: AtDesk, days: Days = 0, detector: Annotated[str, Query(max_length=100)] = "") -> Response:
    """By detector: confirmed and unfounded shares with 95 % intervals, reasons of dismissals, money in fen."""
    return as_json(outcomes_of(desk, days, detector))


def outcomes_of(desk: Desk, days: int, detector: str = "") -> Outcomes:
    """Of the leads within the account's areas, touched in the last so many days; 0: ever."""
    since = desk.now - timedelta(days=days) if days else None
    return outcomes(desk.store, areas=desk.account.areas, detector=detector, since=since)


def check_type(request: Request, wanted: str) -> None:
    """Raises RefusedError (415) for a body that says it is something else."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != wanted:
        words = any_words(request)
        raise RefusedError(415, "content_type", words("problem.content_type.what", wanted=wanted))


async def body_of(request: Request, shape: type[T]) -> T:
    """The body as this shape. Raises BadRequestError, RefusedError (415)."""
    check_type(request, "application/json")
    parts = bytearray()
    async for part in request.stream():
        parts += part
        if len(parts) > LONGEST_BODY:
            raise BadRequestError(f"at most {LONGEST_BODY} bytes")
    try:
        return msgspec.json.decode(bytes(parts), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(str(error)) from None
