"""A lead as its page tells it: everything worked out, nothing left to the template but its place."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import msgspec
from markupsafe import Markup

from alerts import callbacks, papers
from alerts.alert import Alert, WireReason
from alerts.casework import COMMENTED, MOVED
from alerts.claims import CLAIMED, UNCLAIMED
from alerts.five_links import five_links
from alerts.kept import BESIDE, CHANGES, CORRECTED, ENTERED, KEEPER, Entry, LeadRow
from alerts.price_limits import Limits
from alerts.reveal import REVEALED, Grant
from alerts.snooze import SNOOZED, WOKEN, Snooze
from alerts.source import SOURCES
from alerts.web.charts import chart, facts
from alerts.web.charts.drawing import Chart
from alerts.web.desk import Told
from alerts.web.wording import Mask, Words
from alerts.web.work_panel import said
from detectors.finding import Applies, Evidence, Figure, Level

MOST_BAR = 1.6  # times the threshold that a bar shows
BAR = 250  # pixels
LESS_IS_WORSE = frozenset(
    {"median_gap", "minutes_between", "days_home", "amount_spread", "in_bed_ratio"}
)  # of all figures we know
CAMERA = ("监控", "camera")  # a check that asks for cameras says so


WORK = (MOVED, COMMENTED)
CLAIMS = (CLAIMED, UNCLAIMED)
FILE = (papers.FILED, papers.WITHDRAWN, callbacks.SET, callbacks.DONE)
SHOWN = (*CHANGES, *BESIDE, *WORK, *CLAIMS, *FILE, REVEALED, ENTERED, CORRECTED)  # kinds that a lead's history has


class FigureLine(NamedTuple):
    """One figure against its threshold. ``bar``, ``mark``: pixels, None where there is nothing to compare."""

    name: str
    observed: str
    limit: str
    bar: float | None
    mark: float | None
    less_is_worse: bool
    reached: bool | None


class ReasonLine(NamedTuple):
    """One feature by which a model spoke, against peers and its own past. ``bar``: pixels."""

    name: str
    value: str
    peers: str
    own: str
    share: str
    bar: float


class Tested(NamedTuple):
    """One honest explanation. ``foreign``: the fact is in Chinese, whatever the page speaks."""

    code: str
    situation: str
    result: str
    applies: Applies
    fact: str
    foreign: bool


class ToDo(NamedTuple):
    what: str
    when: str
    foreign: bool


class RecordLine(NamedTuple):
    """One raw record."""

    at: str
    kind: str
    org: str
    person: str
    till: str
    total: str
    fund: str
    facts: Sequence[tuple[str, str]]
    event_id: str
    shows: bool


class LinkLine(NamedTuple):
    """One of the five links. ``mark``: of alerts.five_links."""

    name: str
    mark: str
    word: str
    said: Sequence[str]


class Step(NamedTuple):
    """One line of the history. ``what`` is followed by a level mark where ``level`` is not empty."""

    at: str
    what: str
    note: str
    actor: str


class Rest(NamedTuple):
    """One snooze of the subject."""

    until: str
    reason: str
    by: str
    level: str


class Amounts(NamedTuple):
    risk: str
    paid: str
    total: str
    how: str


class Law(NamedTuple):
    cause: str
    meaning: str
    lines: Sequence[str]


class LeadPage(NamedTuple):
    """Everything on the page of one lead."""

    row: LeadRow
    sentence: Markup
    subject: str
    org: str
    orgs: Sequence[str]
    period: str
    figures: Sequence[FigureLine]
    links: Sequence[LinkLine]
    reasons: Sequence[ReasonLine]
    chart: Chart | None
    records: Sequence[RecordLine]
    record_count: int
    exclusions: Sequence[Tested]
    amounts: Amounts
    law: Law
    checks: Sequence[ToDo]
    quality: Sequence[str]
    history: Sequence[Step]
    views: Sequence[str]
    related: Sequence[LeadRow]
    inhibits: Sequence[LeadRow]
    rests: Sequence[Rest]
    may_snooze: bool
    may_wake: bool
    alert: Alert


def lead_page(told: Told, words: Words) -> LeadPage:
    """The page of one lead in one language."""
    detail = told.detail
    row, alert, evidence = detail.row, detail.alert, detail.evidence
    mask = Mask.of_lead(words, row, evidence)
    summary = row.summary_zh if words.lang == "zh" else row.summary_en
    figures = [Figure(f.name, f.observed, f.threshold, f.unit) for f in alert.figures]
    return LeadPage(
        row=row,
        sentence=words.sentence(mask(summary)),
        subject=words.subject(row.subject_kind, row.subject_id),
        org=words.org(row.orgs[0]) if row.orgs else "",
        orgs=[words.org(org) for org in row.orgs],
        period=words.days(row.period_from, row.period_to),
        figures=[figure_line(figure, words) for figure in figures],
        links=_links(figures, evidence, told.limits, words),
        reasons=[_reason(reason, words) for reason in alert.explanation],
        chart=chart(
            row.detector,
            evidence,
            frozenset(alert.events),
            figures,
            _camera(alert),
            words,
            (alert.period.since, alert.period.to),
            alert.explanation,
        ),
        records=[_record(event, event.event_id in alert.events, words) for event in evidence],
        record_count=len(alert.events),
        exclusions=list(_exclusions(told, mask, words)),
        amounts=_amounts(row, alert, evidence, words),
        law=_law(alert, words),
        checks=list(_checks(told, mask, words)),
        quality=list(_quality(alert, evidence, words)),
        history=_history(detail.history, mask, words),
        views=[
            words("lead.history.viewed", who=view.who, n=view.times, at=words.recent(view.last)) for view in told.views
        ],
        related=told.related,
        inhibits=told.inhibits,
        rests=[_rest(one, mask, words) for one in told.snoozes],
        may_snooze=told.may_snooze,
        may_wake=told.may_wake,
        alert=alert,
    )


def at_stake(row: LeadRow, words: Words) -> str:
    """The amount in yuan; of a lead that somebody entered it may not be known."""
    is_known = row.amount_at_risk_fen or row.detector not in SOURCES
    return words.yuan(row.amount_at_risk_fen) if is_known else words("origin.unknown")


def summary(row: LeadRow, words: Words, most: int | None = None) -> Markup:
    """The sentence of a row, its facts bold."""
    mask = Mask.of(words, [row.subject_id] if row.subject_kind == "person" else [])
    return words.sentence(mask(row.summary_zh if words.lang == "zh" else row.summary_en), most)


def _rest(one: Snooze, mask: Mask, words: Words) -> Rest:
    level = words("lead.snooze.level", level=words(f"level.{one.level.value}"))
    by = words("lead.snooze.by", who=one.set_by, at=words.moment(one.since))
    return Rest(words.moment(one.until), mask(one.reason), by, level)


def _camera(alert: Alert) -> tuple[datetime, datetime] | None:
    """The range that the first check asks cameras for."""
    for check in alert.checks:
        if check.since and check.to and any(word in check.what for word in CAMERA):
            return check.since, check.to
    return None


def figure_line(figure: Figure, words: Words) -> FigureLine:
    name = words.known("figure", figure.name)
    observed = words.quantity(figure.observed, figure.unit)
    if figure.threshold is None or isinstance(figure.observed, str) or isinstance(figure.threshold, str):
        return FigureLine(name, observed, "", None, None, less_is_worse=False, reached=None)
    less = figure.name in LESS_IS_WORSE
    reached = figure.observed <= figure.threshold if less else figure.observed >= figure.threshold
    limit = f"{'≤' if less else '≥'} {words.quantity(figure.threshold, figure.unit)}"
    full = max(figure.threshold * MOST_BAR, figure.observed * 1.04, 1e-9)
    bar, mark = round(BAR * figure.observed / full, 1), round(BAR * figure.threshold / full, 1)
    return FigureLine(name, observed, limit, max(bar, 1), mark, less, reached)


def _links(figures: Sequence[Figure], evidence: Sequence[Evidence], limits: Limits, words: Words) -> list[LinkLine]:
    """Without any records nothing is compared."""
    lines = {figure.name: figure_line(figure, words) for figure in figures}
    reached = {name: (line.name, line.observed, line.limit) for name, line in lines.items() if line.reached}
    return [
        LinkLine(
            words(f"five.{link.name}"),
            link.mark.value,
            words(f"five.mark.{link.mark}"),
            [words(one.key, **one.values) for one in link.said],
        )
        for link in (five_links(reached, evidence, limits) if evidence else ())
    ]


def _reason(reason: WireReason, words: Words) -> ReasonLine:
    return ReasonLine(
        name=words.known("figure", reason.name),
        value=words.quantity(reason.value, reason.unit),
        peers=words.quantity(reason.peer_median, reason.unit),
        own=words.quantity(reason.own_median, reason.unit) if reason.own_median is not None else "—",
        share=f"{reason.share:.0%}",
        bar=max(1.0, round(BAR * min(1.0, reason.share), 1)),
    )


def _exclusions(told: Told, mask: Mask, words: Words) -> Iterator[Tested]:
    english = [x.fact_en for x in told.lead.exclusions] if told.lead else []
    for i, tested in enumerate(told.detail.alert.exclusions):
        own = words.lang == "en" and i < len(english)
        yield Tested(
            code=tested.code,
            situation=words.known("exclusion", tested.code),
            result=words(f"applies.{tested.result.value}"),
            applies=tested.result,
            fact=mask(english[i] if own else tested.fact),
            foreign=words.lang == "en" and not own,
        )


def _checks(told: Told, mask: Mask, words: Words) -> Iterator[ToDo]:
    english = [check.what_en for check in told.lead.checks] if told.lead else []
    for i, check in enumerate(told.detail.alert.checks):
        own = words.lang == "en" and i < len(english)
        when = words.between(check.since, check.to, seconds=True) if check.since and check.to else ""
        if check.since and not check.to:
            when = words.moment(check.since, seconds=True)
        yield ToDo(mask(english[i] if own else check.what), when, words.lang == "en" and not own)


def _record(event: Evidence, shows: bool, words: Words) -> RecordLine:
    return RecordLine(
        at=words.moment(event.at, seconds=True),
        kind=facts.kind(event, words),
        org=words.org(event.org) if event.org else "",
        person=words.tail(event.person) if event.person else "",
        till=event.till,
        total=words.yuan(event.total_fen) if event.total_fen else "",
        fund=words.yuan(event.fund_fen) if event.fund_fen else "",
        facts=list(facts.told(event, words)),
        event_id=event.event_id,
        shows=shows,
    )


def _amounts(row: LeadRow, alert: Alert, evidence: Sequence[Evidence], words: Words) -> Amounts:
    settled = [event for event in evidence if event.event_type == "setl"]
    shown = [event for event in settled if event.event_id in alert.events]
    bills = next((some for some in (shown, settled) if some and _fund(some) == row.amount_at_risk_fen), None)
    if bills is not None:
        how = words("lead.amounts.sum", n=len(bills))
    elif row.amount_at_risk_fen or settled:
        how = words("lead.amounts.other", sum=words.yuan(_fund(shown)))
    else:
        how = words("lead.amounts.none")
    bills = bills if bills is not None else shown
    total = words.yuan(sum(bill.total_fen for bill in bills)) if bills else "—"
    return Amounts(at_stake(row, words), words.yuan(row.fund_paid_fen), total, how)


def _fund(bills: Sequence[Evidence]) -> int:
    return sum(bill.fund_fen for bill in bills)


def _law(alert: Alert, words: Words) -> Law:
    named = alert.law.article
    article = words("lead.law.regulation", article=words.article(named)) if not named.startswith("《") else named
    library = alert.law.rule_library_code
    return Law(
        cause=alert.law.cause_code,
        meaning=words.known("cause", alert.law.cause_code.lstrip("0") or "0") if alert.law.cause_code else "",
        lines=(
            article if named else "",
            words("lead.law.library", code=library) if library else words("lead.law.no_library"),
            words(f"lead.law.{alert.certainty.value}"),
        ),
    )


def _quality(alert: Alert, evidence: Sequence[Evidence], words: Words) -> Iterator[str]:
    if not evidence:
        yield words("lead.quality.none")
        return
    late = [event for event in evidence if event.facts.get("late")]
    delays = [delay for event in evidence if (delay := facts.delay(event)) is not None]
    slowest = words.long(max(max(delays), timedelta(0))) if delays else ""
    if late:
        yield words("lead.quality.late", n=len(late))
        if slowest:
            yield words("lead.quality.slowest", slowest=slowest)
    elif delays:
        yield words("lead.quality.on_time", n=len(delays), slowest=slowest)
    if unknown := len(evidence) - len(delays):
        yield words("lead.quality.unknown", n=unknown)
    if missing := sum(x.result is Applies.DATA_MISSING for x in alert.exclusions):
        yield words("lead.quality.missing", n=missing)


def _history(entries: Sequence[Entry], mask: Mask, words: Words) -> list[Step]:
    """Newest first, as the entries are."""
    steps: list[Step] = []
    before: Level | None = None
    for entry in reversed([entry for entry in entries if entry.kind in SHOWN]):
        if entry.kind in WORK:
            what, note = said(entry, mask, words)
            steps.append(Step(words.moment(entry.at), what, note, entry.actor))
            continue
        if entry.kind == ENTERED:
            steps.append(Step(words.moment(entry.at), words("lead.history.entered"), "", entry.actor))
            continue
        if entry.kind == CORRECTED:
            fields = msgspec.json.decode(entry.data, type=dict[str, Any])["fields"]  # Any: what else it tells
            note = " · ".join(words(f"enter.field.{field}") for field in fields)
            steps.append(Step(words.moment(entry.at), words("lead.history.corrected"), note, entry.actor))
            continue
        if entry.kind in FILE:
            steps.append(_step_of_file(entry, mask, words))
            continue
        if entry.kind in CLAIMS:
            holder = msgspec.json.decode(entry.data, type=dict[str, str])["holder"]
            told = words(f"lead.history.{entry.kind}", holder=holder)
            steps.append(Step(words.moment(entry.at), told, "", entry.actor))
            continue
        if entry.kind == REVEALED:
            grant = msgspec.json.decode(entry.data, type=Grant)
            told = words("lead.history.revealed", why=words(f"reveal.why.{grant.why}"), until=words.moment(grant.until))
            steps.append(Step(words.moment(entry.at), told, mask(grant.note), entry.actor))
            continue
        if entry.kind in BESIDE:
            steps.append(_step_beside(entry, mask, words))
            continue
        alert = msgspec.json.decode(entry.data, type=Alert)
        steps.append(_step(entry, alert, before, mask, words))
        before = alert.level
    return steps[::-1]


def _step_of_file(entry: Entry, mask: Mask, words: Words) -> Step:
    """A paper was filed or withdrawn, a call set or made."""
    told = msgspec.json.decode(entry.data, type=dict[str, str | int])
    about = told.get("name", "") or told.get("assignee", "")
    note = " · ".join(str(one) for one in (about, told.get("note", "")) if one)
    return Step(words.moment(entry.at), words(f"file.history.{entry.kind}"), mask(note), entry.actor)


def _step(entry: Entry, alert: Alert, before: Level | None, mask: Mask, words: Words) -> Step:
    kind = entry.kind
    if kind == "changed" and before is not None and before is not alert.level:
        kind = "raised" if alert.level.rank > before.rank else "lowered"
    said = alert.summary_zh if words.lang == "zh" else alert.summary_en
    return Step(
        at=words.moment(entry.at),
        what=words(f"lead.history.{kind}", level=words(f"level.{alert.level.value}")),
        note=mask(alert.withdrawn_because or "" if kind == "withdrawn" else said),
        actor=words("lead.history.system"),
    )


def _step_beside(entry: Entry, mask: Mask, words: Words) -> Step:
    """What changed beside the alert."""
    data = msgspec.json.decode(entry.data, type=dict[str, str])
    key, until = f"lead.history.{entry.kind}", ""
    if entry.kind == WOKEN:
        key = f"{key}.{data['because']}"
    if entry.kind == SNOOZED:
        until = words.moment(datetime.fromisoformat(data["until"]))
    actor = words("lead.history.system") if entry.actor == KEEPER else entry.actor
    return Step(words.moment(entry.at), words(key, until=until), mask(data.get("reason", "")), actor)
