"""The pages of the feed, and the pieces of them that a page fetches later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, timedelta
from functools import partial
from typing import Annotated
from urllib.parse import urlencode

import anyio
import msgspec
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from msgspec import Struct

from alerts.accounts import check_login
from alerts.casework import WRITERS
from alerts.choosing import risk
from alerts.kept import Facets, LeadRow, Order, Page
from alerts.life import CLOSED, EXCLUSIONS, Reason
from alerts.life import State as WorkState
from alerts.reveal import MAY_EXPORT
from alerts.snooze import LONGEST_REASON, may_snooze
from alerts.source import RULES, Source
from alerts.subjects import related
from alerts.views import View, views_for
from alerts.web.api import sse
from alerts.web.beside import Beside
from alerts.web.charts.ties import tied
from alerts.web.context import (
    LANG_COOKIE,
    ROWS,
    ROWS_COOKIE,
    THEME_COOKIE,
    YEAR_S,
    Asks,
    AtDesk,
    Speaks,
    context,
    page_words,
    row_height,
    theme,
)
from alerts.web.desk import STATUSES, Choice, Desk, choice, subject_of
from alerts.web.file_panel import file_panel
from alerts.web.gate import (
    Clock,
    LoginNeededError,
    agent_of,
    check_origin,
    cookie_name,
    cookie_of,
    is_secure,
    local_path,
    open_session,
)
from alerts.web.handles import path_of
from alerts.web.lead_page import at_stake, lead_page, summary
from alerts.web.live import Resync, Shown
from alerts.web.nearly import NearlyPage, told_nearly
from alerts.web.origin import origin
from alerts.web.problems import Problem
from alerts.web.unmasked import masked_again, unmasking
from alerts.web.wording import LANGS, Lang, Words, catalogue
from alerts.web.work_panel import NOTHING_TYPED, work_panel
from alerts.web.workdesk import WorkDesk
from detectors.finding import Level, Subject

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

BOLD_ON_A_ROW = 3
HASHERS = 2  # log-ins checked at a time: each takes 64 MB for its password

SNOOZE_DAYS = (1, 3, 7, 14, 30)  # offered on the page; the last is the longest there is

SCRIPT_WORDS = ("beat.", "pill.", "announce.", "js.", "level.", "lead.copied", "bulk.")  # keys that scripts speak

_MOST_FEN = 10**16  # above any amount: what is added to it keeps its width, and negative ones their order


def risk_key(row: LeadRow) -> str:
    """The risk order as text, for scripts: of two keys the greater one stands first."""
    level, fen, certain, before, last, name = risk(row)
    return f"{level}|{_MOST_FEN + fen:017d}|{certain}|{before:06d}|{last.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}|{name}"


templates = Environment(
    loader=PackageLoader("alerts.web"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
templates.globals.update(
    levels=tuple(Level)[::-1],
    orders=(Order.GRAVEST, Order.NEWEST),
    statuses=STATUSES,
    work_states=tuple(WorkState),
    sources=(RULES, *Source),
    entered=frozenset(Source),
    unfinished=urlencode(Choice(work=frozenset(WorkState) - CLOSED).params()),
    snooze_days=SNOOZE_DAYS,
    longest_reason=LONGEST_REASON,
    may_export=MAY_EXPORT,
    version="",
)
templates.filters["query"] = lambda chosen: urlencode(chosen.params())


templates.filters["risk"] = risk_key


def _render(template: str, words: Words, /, **values: object) -> str:
    return templates.get_template(template).render(
        t=words,
        lang=words.lang,
        say=partial(summary, words=words, most=BOLD_ON_A_ROW),
        stake=partial(at_stake, words=words),
        **values,
    )


def _page(request: Request, template: str, words: Words, status: int = 200, /, **values: object) -> HTMLResponse:
    """A whole page: what a reader chose comes from cookies."""
    there = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    body = _render(
        template,
        words,
        theme=theme(request),
        here=there if request.method == "GET" else "/",
        script_words=script_words(words.lang),
        **values,
    )
    return HTMLResponse(body, status)


draw_page = _page  # for the pages of other modules


def script_words(lang: Lang) -> dict[str, str]:
    """The texts that scripts speak."""
    return {key: text for key, text in catalogue(lang).items() if key.startswith(SCRIPT_WORDS)}


def problem_page(request: Request, problem: Problem, number: str) -> Response:
    """The page of something that went wrong."""
    words = page_words(request)
    at = words.clock(context(request).clock(), seconds=True)
    return _page(request, "problem.html", words, problem.status, problem=problem, number=number, at=at, account=None)


# -- logging in -------------------------------------------------------------------------------------------------------

hashing = anyio.CapacityLimiter(HASHERS)


@router.get("/login")
def login_page(request: Request, words: Speaks, next: str = "/") -> Response:
    """The form; whoever is logged in already goes on."""
    try:
        context(request).gate.account(cookie_of(request))
    except LoginNeededError:
        ended = cookie_of(request) is not None
        return _login_form(request, words, next, ended=ended)
    return RedirectResponse(local_path(next), 303)


def _login_form(
    request: Request, words: Words, next: str, *, refused: bool = False, ended: bool = False, name: str = ""
) -> Response:
    return _page(
        request,
        "login.html",
        words,
        401 if refused else 200,
        next=local_path(next),
        refused=refused,
        ended=ended,
        name=name,
        elsewhere=context(request).provider is not None,
        account=None,
    )


@router.post("/login")
async def login(
    request: Request,
    asks: Asks,
    words: Speaks,
    name: Annotated[str, Form(max_length=200)] = "",
    password: Annotated[str, Form(max_length=2_000)] = "",
    next: Annotated[str, Form()] = "/",
) -> Response:
    """Check name and password; the account locks itself after too many failures."""
    check_origin(request)
    asks.limiter.stranger(request)
    account = await run_sync(check_login, asks.store, name, password, asks.clock(), limiter=hashing)
    if account is None:
        return _login_form(request, words, next, refused=True, name=name)
    answer = RedirectResponse(local_path(next), 303)
    open_session(request, answer, await run_sync(asks.gate.session, account, agent_of(request)))
    return answer


@router.post("/logout")
def logout(request: Request) -> Response:
    """End the session, wherever else its cookie may be."""
    check_origin(request)
    context(request).gate.end(cookie_of(request))
    answer = RedirectResponse("/login", 303)
    answer.delete_cookie(cookie_name(request), httponly=True, samesite="lax", secure=is_secure(request))
    return answer


@router.get("/prefer")
def prefer(request: Request, lang: str = "", theme: str = "", rows: str = "", next: str = "/") -> Response:
    """Another language or theme, kept for a year."""
    answer = RedirectResponse(local_path(next), 303)
    chosen = ((LANG_COOKIE, lang, LANGS), (THEME_COOKIE, theme, ("dark", "light")), (ROWS_COOKIE, rows, ROWS))
    for cookie, value, known in chosen:
        if value in known:
            answer.set_cookie(cookie, value, max_age=YEAR_S, samesite="lax", secure=is_secure(request), httponly=True)
    return answer


# -- the feed ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FeedPage:
    """What the feed shows of a choice."""

    chosen: Choice
    page: Page
    facets: Facets
    beside: Mapping[str, Beside]
    views: Sequence[View]
    officers: Sequence[str]  # whom leads can be given to
    left: int  # red and orange leads that the office may still look at today
    without: int  # alerts if level, reason and search were dropped; only asked for when nothing is left

    @property
    def first(self) -> LeadRow | None:
        return self.page.items[0] if self.page.items else None


def _feed(desk: Desk, chosen: Choice) -> FeedPage:
    page = desk.page(chosen)
    without = desk.facets(chosen.plain()).total if not page.items and not chosen.is_plain else 0
    return FeedPage(
        chosen=chosen,
        page=page,
        facets=desk.facets(chosen),
        beside=desk.beside(page.items),
        views=views_for(desk.store, desk.account.name),
        officers=officers(desk),
        left=desk.left_today(),
        without=without,
    )


def officers(desk: Desk) -> list[str]:
    """Whom leads can be given to, by name."""
    working = set(WRITERS)
    return [one.name for one in desk.store.accounts() if one.role in working and not one.disabled]


@router.get("/")
async def feed(request: Request, desk: AtDesk, asks: Asks, words: Speaks) -> Response:
    """The list of leads."""
    chosen = choice(request.query_params.multi_items())
    seq = await run_sync(asks.store.last_seq)  # before the list is read: what changes meanwhile the stream tells
    shown = await run_sync(_feed, desk, chosen)
    first = shown.first
    told = await run_sync(desk.told, first.alert_id) if first else None
    return _page(
        request,
        "feed.html",
        words,
        feed=shown,
        seq=seq,
        beat=asks.hub.beat(),
        snoozes=may_snooze(desk.account),
        works=desk.account.role in WRITERS,
        daily=desk.bounds.daily,
        rows=row_height(request),
        reasons=[(one.value, words(f"work.reason.{one}")) for one in Reason],
        exclusions=[(code, words.known("exclusion", code)) for code in EXCLUSIONS],
        panel=lead_page(told, words) if told else None,
        account=desk.account,
        reads=True,
    )


@router.get("/rows")
def rows(request: Request, desk: AtDesk, words: Speaks, after: str | None = None) -> Response:
    """The next page of the list, for "more"."""
    page = desk.page(choice(request.query_params.multi_items()), after)
    return HTMLResponse(_render("rows.html", words, page=page, beside=desk.beside(page.items)))


@router.get("/rail")
def rail(request: Request, desk: AtDesk, words: Speaks) -> Response:
    """The filters with their counts."""
    chosen = choice(request.query_params.multi_items())
    body = _render(
        "rail.html",
        words,
        chosen=chosen,
        facets=desk.facets(chosen),
        views=views_for(desk.store, desk.account.name),
        officers=officers(desk),
        account=desk.account,
    )
    return HTMLResponse(body)


@router.get("/alerts/{alert_id}/panel")
def panel(desk: AtDesk, words: Speaks, alert_id: str) -> Response:
    """The summary beside the list."""
    told = desk.told(alert_id)
    if told is None:
        raise HTTPException(404)
    return HTMLResponse(_render("panel.html", words, panel=lead_page(told, words)))


@router.get("/alerts/{alert_id}")
def lead(request: Request, desk: AtDesk, asks: Asks, words: Speaks, alert_id: str) -> Response:
    """The page of one lead; that it was opened is written down."""
    answer = lead_response(request, desk, words, alert_id)
    desk.viewed(alert_id, asks.clock(), "page")
    return answer


def lead_response(
    request: Request,
    desk: Desk,
    words: Words,
    alert_id: str,
    status: int = 200,
    notice: str = "",
    typed: Mapping[str, str] = NOTHING_TYPED,
) -> Response:
    """The page of a lead; ``notice``: why what was typed was not carried out."""
    seq = desk.store.last_seq()
    told = desk.told(alert_id)
    if told is None:
        raise HTTPException(404)
    path = partial(path_of, via=alert_id, secret=context(request).gate.secret)
    words, unmask = unmasking(desk, alert_id, words)
    page = _page(
        request,
        "lead.html",
        words,
        status,
        lead=lead_page(told, words),
        work=work_panel(WorkDesk(desk), alert_id, words, notice, typed),
        file=file_panel(desk, told.detail.row, WorkDesk(desk).work(alert_id), context(request).cabinet, words),
        tied=tied(related(desk.store, told.detail.row, desk.account.areas), words),
        origin=origin(desk, alert_id, words),
        subject=subject_of(told.detail.row),
        path=path,
        path_of_org=lambda org: path(Subject("org", org)),
        seq=seq,
        asks_memory=context(request).remembered is not None,
        unmask=unmask,
        account=desk.account,
        reads=True,
    )
    return masked_again(page, desk, alert_id, f"/alerts/{alert_id}")


@router.get("/alerts/{alert_id}/nearly")
def nearly(
    request: Request, desk: AtDesk, asked: Annotated[NearlyPage, Depends(told_nearly)], words: Speaks
) -> Response:
    """Why the other rules said nothing."""
    return _page(request, "nearly.html", words, asked=asked, account=desk.account, reads=True)


@router.post("/alerts/{alert_id}/snooze")
def snooze(
    desk: AtDesk, alert_id: str, days: Annotated[int, Form(ge=1)], reason: Annotated[str, Form(max_length=2_000)]
) -> Response:
    """Let the subject rest for some days."""
    if desk.snooze(alert_id, desk.now + timedelta(days=days), reason) is None:
        raise HTTPException(404)
    return RedirectResponse(f"/alerts/{alert_id}", 303)


@router.post("/alerts/{alert_id}/wake")
def wake(desk: AtDesk, alert_id: str) -> Response:
    """Let it rest no longer."""
    if desk.wake(alert_id) is None:
        raise HTTPException(404)
    return RedirectResponse(f"/alerts/{alert_id}", 303)


# -- live -------------------------------------------------------------------------------------------------------------


class RowChange(Struct, frozen=True):
    """An alert that changed, as the list shows it."""

    kind: str
    id: str
    seq: int
    revision: int
    level: str
    state: str
    detector: str
    inhibited: bool
    quiet: bool  # nobody is called for it
    risk: str  # the greater of two stands first in the risk order
    html: str


class RowBatch(Struct, frozen=True):
    """As live.Batch, with rows drawn."""

    after: int
    seq: int
    changes: tuple[RowChange, ...]


def as_rows(after: int, seq: int, changes: list[Shown], *, lang: Lang, clock: Clock) -> bytes:
    """A batch as the page shows it."""
    words = Words(lang, clock())
    drawn = (_row_change(shown, words) for shown in changes)
    return msgspec.json.encode(RowBatch(after, seq, tuple(drawn)))


def _row_change(shown: Shown, words: Words) -> RowChange:
    kind, row, seq, aside = shown
    state = row.state(words.now)
    inhibited = row.inhibited_by is not None
    return RowChange(
        kind=kind,
        id=row.alert_id,
        seq=seq,
        revision=row.revision,
        level=row.level,
        state=state,
        detector=row.detector,
        inhibited=inhibited,
        quiet=inhibited or state == "snoozed",
        risk=risk_key(row),
        html=_render("row.html", words, row=row, beside={row.alert_id: aside}),
    )


@router.get("/live")
async def live(
    request: Request, desk: AtDesk, asks: Asks, words: Speaks, after: Annotated[int | None, Query(ge=0)] = None
) -> StreamingResponse:
    """The stream that pages follow: rows as they change, drawn once for all readers of a language."""
    last = request.headers.get("last-event-id", "")
    seen = int(last) if last.isdecimal() else after
    return sse(request, desk, seen, f"rows {words.lang}", partial(as_rows, lang=words.lang, clock=asks.clock))


@router.get("/changes")
async def changes(desk: AtDesk, asks: Asks, words: Speaks, after: Annotated[int, Query(ge=0)]) -> Response:
    """What a tab missed that follows another tab's stream."""
    missed = await asks.hub.missed(after)
    if missed is None:
        return Response(msgspec.json.encode(RowBatch(after, after, ())), media_type="application/json")
    if isinstance(missed, Resync):
        return Response(msgspec.json.encode({"resync": missed.seq}), media_type="application/json")
    draw = partial(as_rows, lang=words.lang, clock=asks.clock)
    body = missed.as_(f"rows {words.lang}", desk.account.areas, draw)
    return Response(body, media_type="application/json")
