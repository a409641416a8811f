"""What a detector says when it speaks, and what of it is passed on."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct


class Level(StrEnum):
    """How soon to look, in the bureau's own colours (蓝黄橙红)."""

    BLUE = "blue"
    YELLOW = "yellow"
    ORANGE = "orange"
    RED = "red"

    @property
    def rank(self) -> int:
        """0 for blue to 3 for red."""
        return tuple(Level).index(self)


class Certainty(StrEnum):
    """An exact contradiction (明确), or a pattern that may have an honest reason (可疑)."""

    DEFINITE = "definite"
    SUSPICIOUS = "suspicious"


class Applies(StrEnum):
    """What came of testing an honest explanation."""

    APPLIED = "applied"
    NOT_APPLICABLE = "not_applicable"
    DATA_MISSING = "data_missing"


class Subject(NamedTuple):
    """Whom it is about. kind: person, org, till, doctor, stay, device, trace_code, drug, group, area."""

    kind: str
    id: str


class Period(Struct, frozen=True):
    """The business time covered; ``to`` is None while it lasts. ``name`` (2026-03-12, 2026-03, a mdtrt_id, or
    "" for the life of a code) goes into the alert's id: unlike the ends, no late event can move it."""

    name: str
    since: datetime
    to: datetime | None = None


class Figure(Struct, frozen=True):
    """One number against its threshold. ``name`` is a key of the wording tables; unit e.g. "persons", "s", "km"."""

    name: str
    observed: int | float | str
    threshold: int | float | str | None
    unit: str


class Exclusion(Struct, frozen=True):
    """An honest situation that was tested (X01 to X22), and the fact that decided it, in Chinese and English."""

    code: str
    result: Applies
    fact_zh: str
    fact_en: str


class Reason(Struct, frozen=True):
    """One feature by which a model spoke. peers, own: medians; own: None where too little is known of the entity.

    name: a key of the wording tables, as a figure's. share: of the score, 0 to 1.
    """

    name: str
    value: float
    peers: float
    own: float | None
    share: float
    unit: str


class Law(Struct, frozen=True):
    """cause_code: 案由 of domain.md 2.1; article: of 国务院令第735号 unless named; rule_library_code: GZ… or ""."""

    cause_code: str
    article: str
    rule_library_code: str = ""


class Check(Struct, frozen=True):
    """What to verify on site; ``since`` and ``to`` bound it where a time matters (cameras, rounds)."""

    what_zh: str
    what_en: str
    since: datetime | None = None
    to: datetime | None = None


class Evidence(Struct, frozen=True, omit_defaults=True):
    """One event as the lead's page draws it. Amounts in fen. ``facts``: what else matters, such as result or codes."""

    event_id: str
    event_type: str
    at: datetime
    org: str = ""
    person: str = ""
    till: str = ""
    total_fen: int = 0
    fund_fen: int = 0
    facts: dict[str, str] = {}


class UnitId(NamedTuple):
    """What is judged: one file of a detector's ledger, in one cell of time."""

    detector: str
    key: str
    cell: str


class Quorum(Struct, frozen=True):
    """It takes ``units`` that speak of a subject, each last seen ``within`` so much before the last of them, to make a
    lead of it. ``figure``, ``unit``: what tells how many they are."""

    units: int
    within: timedelta
    figure: str
    unit: str


class Lead(Struct, frozen=True, kw_only=True):
    """A lead (线索), never a verdict: all that an alert says, but for what the keeper adds (revision, status)."""

    detector: str
    rule_version: str
    model_version: str = ""
    level: Level
    certainty: Certainty
    subject: Subject
    period: Period
    first_seen: datetime
    last_seen: datetime
    hits: int
    amount_at_risk_fen: int
    fund_paid_fen: int
    summary_zh: str
    summary_en: str
    figures: tuple[Figure, ...]
    events: tuple[str, ...]  # ids, oldest first, at most 1,000
    exclusions: tuple[Exclusion, ...]
    law: Law
    checks: tuple[Check, ...]
    orgs: tuple[str, ...]  # institutions concerned, the main one first: filters and area limits need them
    evidence: tuple[Evidence, ...]  # the events themselves, as far as a page draws them; not on the alerts topic
    explanation: tuple[Reason, ...] = ()  # of a model's lead: the weightiest feature first
    quorum: Quorum | None = None  # None: it stands alone


class Verdict(Struct, frozen=True):
    """All that is to be said of a unit; it replaces whatever was said before. No leads: withdrawn.

    ticket: of two verdicts on a unit the one with the higher ticket has seen all that the other has.
    """

    unit: UnitId
    ticket: int
    leads: tuple[Lead, ...]
