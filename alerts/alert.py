"""An alert as it is stored, exported and sent on: the wire object of SPEC 4."""

from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct

from detectors.finding import Applies, Certainty, Lead, Level

NAMESPACE = UUID("6ba7b812-9dad-11d1-80b4-00c04fd430c8")  # RFC 4122, appendix C: names that are object ids


class WireSubject(Struct, frozen=True):
    kind: str
    id: str


class WirePeriod(Struct, frozen=True):
    """``from`` is a word of Python's, hence ``since``."""

    since: datetime = msgspec.field(name="from")
    to: datetime | None = None


class WireFigure(Struct, frozen=True):
    name: str
    observed: int | float | str
    threshold: int | float | str | None
    unit: str


class WireExclusion(Struct, frozen=True):
    code: str
    result: Applies
    fact: str


class WireLaw(Struct, frozen=True):
    cause_code: str
    article: str
    rule_library_code: str


class WireCheck(Struct, frozen=True):
    """What to verify, in Chinese; from and to where a time matters."""

    what: str
    since: datetime | None = msgspec.field(name="from", default=None)
    to: datetime | None = None


class WireReason(Struct, frozen=True):
    """One feature by which a model spoke: its value, the medians of its peers and of its own days, its share."""

    name: str
    value: float
    peer_median: float
    own_median: float | None
    share: float
    unit: str


class Alert(Struct, frozen=True, kw_only=True):
    """One alert at one revision. Amounts are yuan with two decimals, as strings.

    Equal between runs: alert_id, level, status, events. Never compared: revision, raised_at, hits.
    """

    alert_id: str
    revision: int
    detector: str
    rule_version: str
    model_version: str
    level: Level
    certainty: Certainty
    status: Literal["open", "withdrawn"]
    withdrawn_because: str | None = None
    subject: WireSubject
    period: WirePeriod
    first_seen: datetime
    last_seen: datetime
    hits: int
    raised_at: datetime
    amount_at_risk: str
    fund_paid: str
    summary_zh: str
    summary_en: str
    figures: tuple[WireFigure, ...]
    events: tuple[str, ...]
    exclusions: tuple[WireExclusion, ...]
    law: WireLaw
    checks: tuple[WireCheck, ...]
    explanation: tuple[WireReason, ...] = ()


def alert_id(lead: Lead) -> str:
    """The same in live and replay: detector, subject and the period's name; nothing that a late event can move."""
    name = "\x1f".join((lead.detector, lead.subject.kind, lead.subject.id, lead.period.name))
    return str(uuid5(NAMESPACE, name))


def yuan(fen: int) -> str:
    """1234 -> "12.34"; -5 -> "-0.05"."""
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def open_alert(lead: Lead, revision: int, raised_at: datetime) -> Alert:
    """The alert that says what ``lead`` says."""
    return Alert(
        alert_id=alert_id(lead),
        revision=revision,
        detector=lead.detector,
        rule_version=lead.rule_version,
        model_version=lead.model_version,
        level=lead.level,
        certainty=lead.certainty,
        status="open",
        subject=WireSubject(*lead.subject),
        period=WirePeriod(lead.period.since, lead.period.to),
        first_seen=lead.first_seen,
        last_seen=lead.last_seen,
        hits=lead.hits,
        raised_at=raised_at,
        amount_at_risk=yuan(lead.amount_at_risk_fen),
        fund_paid=yuan(lead.fund_paid_fen),
        summary_zh=lead.summary_zh,
        summary_en=lead.summary_en,
        figures=tuple(WireFigure(f.name, f.observed, f.threshold, f.unit) for f in lead.figures),
        events=lead.events,
        exclusions=tuple(WireExclusion(x.code, x.result, x.fact_zh) for x in lead.exclusions),
        law=WireLaw(lead.law.cause_code, lead.law.article, lead.law.rule_library_code),
        checks=tuple(WireCheck(c.what_zh, c.since, c.to) for c in lead.checks),
        explanation=tuple(WireReason(*msgspec.structs.astuple(reason)) for reason in lead.explanation),
    )
