"""All about one institution, person, till or doctor: leads, outcomes, points, and what is remembered."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, NamedTuple

import msgspec
from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, HTTPException, Request
from fastapi.responses import Response

from alerts.casework import Taken, recovered_fen
from alerts.deadlines import CHINA
from alerts.indicators import Indicators, indicators
from alerts.kept import Note
from alerts.life import LEDGERS as HOLD_POINTS
from alerts.outcomes import CONFIRMED
from alerts.subjects import Case, Dossier, dossier, points_since
from alerts.web.beside import VIEWED
from alerts.web.charts import dossier as pictures
from alerts.web.charts.drawing import Chart
from alerts.web.context import AtDesk, Remembered, Speaks, context
from alerts.web.desk import Desk
from alerts.web.handles import subject_at
from alerts.web.indicators_page import Part, part
from alerts.web.lead_page import at_stake
from alerts.web.nearly import asking, remembered
from alerts.web.pages import draw_page
from alerts.web.unmasked import masked_again, unmasking
from alerts.web.wording import Words
from detectors.finding import Subject
from detectors.ledger import LEDGERS
from detectors.nearness import Known, places_of

router = APIRouter(include_in_schema=False)

MOST_FILES = 200  # of memory that are read for one subject
SETTLED = "setl"  # tag of the rows that the pictures count
KEEP = {ledger.name: ledger.keep.days for ledger in LEDGERS}


class CaseLine(NamedTuple):
    """One lead as the table shows it."""

    case: Case
    day: str
    amount: str
    state: str
    done: str


class SubjectPage(NamedTuple):
    """Everything on the page that the store tells."""

    subject: Subject
    name: str
    kind: str
    sentence: str
    facts: Sequence[tuple[str, str]]
    past: Chart | None
    points: Chart | None
    holds_points: bool
    cases: Sequence[CaseLine]
    indicators: Part | None  # None: not an institution, or never counted
    memory: str  # where the rest is to be asked for; "" without a memory


class Held(NamedTuple):
    """What one ledger remembers, in words."""

    ledger: str
    rows: str
    kept: str


class MemoryPart(NamedTuple):
    """What memory holds of a subject. now: its business time."""

    now: str
    held: Sequence[Held]
    usual: Chart | None
    daily: Chart | None


def _asked(request: Request, desk: AtDesk, kind: str, name: str) -> Subject:
    return subject_at(kind, name, desk, context(request).gate.secret)


Asked = Annotated[Subject, Depends(_asked)]


def known(desk: Desk, subject: Subject) -> Dossier:
    """Raises HTTPException (404) where the account's areas hold nothing of it."""
    found = dossier(desk.store, subject, desk.account.areas)
    if found is None:
        raise HTTPException(404)
    return found


@router.get("/subjects/{kind}/{name:path}")
async def page(request: Request, desk: AtDesk, words: Speaks, subject: Asked) -> Response:
    """That it was looked at is written down, as for a lead."""
    told = await run_sync(known, desk, subject)
    counted = await run_sync(_counted, desk, subject)
    await run_sync(_viewed, desk, subject)
    memory = request.url.path.replace("/subjects/", "/memory/", 1) if context(request).remembered else ""
    via = request.path_params["name"].partition("/")[0]
    words, unmask = await run_sync(unmasking, desk, via, words)
    answer = draw_page(
        request,
        "subject.html",
        words,
        told=subject_page(told, counted, words, memory),
        unmask=unmask if subject.kind == "person" else None,
        account=desk.account,
        reads=True,
    )
    return await run_sync(masked_again, answer, desk, via, request.url.path)


def _counted(desk: Desk, subject: Subject) -> Indicators | None:
    """None: only institutions are measured."""
    return indicators(desk.store, areas=desk.account.areas, org=subject.id) if subject.kind == "org" else None


def _viewed(desk: Desk, subject: Subject) -> None:
    data = msgspec.json.encode({"how": "page", "subject": f"{subject.kind}:{subject.id}"})
    desk.store.note(Note(kind=VIEWED, actor=desk.account.name, at=desk.now, data=data))


Memory = Annotated[Remembered, Depends(remembered)]


@router.get("/memory/{kind}/{name:path}")
def memory(request: Request, desk: AtDesk, words: Speaks, ask: Memory, subject: Asked) -> Response:
    """What memory holds; a page of its own for who has no scripts. Raises MemoryAwayError."""
    told = known(desk, subject)
    with asking(ask) as (live, _):
        part = memory_part(told, live, words)
    name = words.subject(subject.kind, subject.id)
    back = request.url.path.replace("/memory/", "/subjects/", 1)
    return draw_page(request, "memory.html", words, told=part, back=back, name=name, account=desk.account, reads=True)


def subject_page(told: Dossier, counted: Indicators | None, words: Words, memory: str) -> SubjectPage:
    """In one language."""
    subject = told.subject
    return SubjectPage(
        subject=subject,
        name=words.subject(subject.kind, subject.id),
        kind=words(f"dossier.kind.{subject.kind}"),
        sentence=_sentence(told, words),
        facts=list(_facts(told, words)),
        past=pictures.past(told.cases, words),
        points=pictures.points(told.points, words),
        holds_points=subject.kind in HOLD_POINTS,
        cases=[_line(case, words) for case in told.cases],
        indicators=part(counted, words) if counted and counted.orgs else None,
        memory=memory,
    )


def _sentence(told: Dossier, words: Words) -> str:
    """The commonest kinds among the leads that stand."""
    standing = Counter(case.row.detector for case in told.cases if case.row.status == "open")
    if not standing:
        return words("dossier.sentence.none")
    named = (words("dossier.sentence.kind", kind=words.known("detector", d), n=n) for d, n in standing.most_common(3))
    return words("dossier.sentence", n=sum(standing.values()), kinds=words("list.joint").join(named))


def _facts(told: Dossier, words: Words) -> Iterator[tuple[str, str]]:
    decided = [case for case in told.cases if case.work.outcome]
    confirmed = sum(case.work.outcome in CONFIRMED for case in decided)
    taken = [one for case in told.cases for one in case.measures]
    open_now = sum(not case.work.outcome and case.row.status == "open" for case in told.cases)
    yield words("overview.leads", n=open_now), words("dossier.fact.open")
    if told.subject.kind in ("org", "doctor", "till"):
        year = words.now.astimezone(CHINA).replace(month=1, day=1, hour=0, minute=0, second=0, microsecond=0)
        yield words("work.points", n=points_since(told.points, year)), words("dossier.fact.points")
    yield f"{confirmed}/{len(decided)}", words("dossier.fact.confirmed")
    yield words.yuan(recovered_fen(taken)), words("dossier.fact.recovered")


def _line(case: Case, words: Words) -> CaseLine:
    row = case.row
    withdrawn = row.status == "withdrawn" and not case.work.outcome
    state = words("status.withdrawn") if withdrawn else words(f"work.state.{case.work.state}")
    done = words("list.joint").join(_measure(one, words) for one in case.measures)
    return CaseLine(case, words.day(row.last_seen), at_stake(row, words), state, done or "—")


def _measure(one: Taken, words: Words) -> str:
    amount = words.yuan(one.amount_fen) if one.amount_fen else words("work.points", n=one.points) if one.points else ""
    return f"{words(f'work.measure.{one.kind}')} {amount}".strip()


# -- memory ----------------------------------------------------------------------------------------------------------


def memory_part(told: Dossier, live: Known, words: Words) -> MemoryPart:
    """Of its own files; those that only a search of every key would find are left out."""
    counts: dict[str, Counter[str]] = {}
    spans: dict[str, list[datetime]] = {}
    settled: dict[str, list[datetime]] = {}
    view = live.view
    for place in places_of(told.subject, live, whole=False)[:MOST_FILES]:
        ledger, _ = place
        for kind, rows in view.file(place).kinds.items():
            tag = str(kind.__struct_config__.tag)
            counts.setdefault(ledger, Counter())[tag] += len(rows)
            spans.setdefault(ledger, []).extend(row.happened_at for row in (rows[:1] + rows[-1:]))
            if tag == SETTLED:
                settled.setdefault(ledger, []).extend(row.happened_at for row in rows)
    moments = max(settled.values(), key=len, default=[])
    named = Counter(case.row.last_seen.astimezone(CHINA).date() for case in told.cases)
    return MemoryPart(
        now=words.moment(view.now),
        held=[_held(ledger, counted, spans[ledger], words) for ledger, counted in counts.items()],
        usual=pictures.usual(moments, view.now, words),
        daily=pictures.daily(moments, named, view.now, words),
    )


def _held(ledger: str, counted: Counter[str], span: Sequence[datetime], words: Words) -> Held:
    rows = words("list.joint").join(
        words("dossier.rows", kind=words.known("kind", tag), n=f"{number:,}") for tag, number in counted.most_common()
    )
    days = words.days(min(span), max(span)) if span else ""
    kept = words("dossier.kept", n=f"{KEEP[ledger]:,}") if ledger in KEEP else ""
    return Held(words(f"dossier.ledger.{ledger}"), f"{rows}　{days}".strip(), kept)
