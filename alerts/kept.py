"""What the alert store takes and gives: filters, rows, pages, details, notes. Values only, no statement."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal, NamedTuple

from msgspec import Struct, structs

from alerts.alert import Alert
from detectors.finding import Certainty, Evidence, Lead, Level, UnitId

Status = Literal["open", "withdrawn"]
State = Literal["open", "snoozed", "withdrawn"]  # as lists tell them apart: of the open ones some are snoozed
KEEPER = "keeper"  # actor of what nobody did by hand
CHANGES = ("created", "changed", "withdrawn", "reopened")  # kinds of alert_event that carry an alert
ENTERED = "entered"  # kind of alert_event: somebody entered a lead. No revision of an alert: no topic hears of it
CORRECTED = "corrected"  # the same, later
DROPPED = "dropped"  # alerts.retention has deleted some
BESIDE = ("inhibited", "released", "snoozed", "woken")  # kinds that change only what stands beside an alert


class Order(StrEnum):
    """NEWEST: last changed first. GRAVEST: by risk, that is level, amount, certainty, and how often named before."""

    NEWEST = "newest"
    GRAVEST = "gravest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which alerts; whatever is empty lets everything pass. ``areas`` are the account's limits: always pass them on.

    now: which snoozes are in force decides between "open" and "snoozed"; None: a snoozed alert is an open one.
    """

    levels: frozenset[Level] = frozenset()
    detectors: frozenset[str] = frozenset()
    statuses: frozenset[State] = frozenset()
    inhibited: bool | None = None
    org: str = ""
    subject_kind: str = ""
    subject_id: str = ""
    since: datetime | None = None  # the alert's period overlaps [since, until]
    until: datetime | None = None
    at_least_fen: int | None = None  # of amount_at_risk
    text: str = ""  # somewhere in the sentence (zh or en) or in the subject's id; case does not matter
    areas: tuple[str, ...] = ()
    now: datetime | None = None
    area: str = ""  # within the limits, only this one
    work: frozenset[str] = frozenset()  # states of alerts.life
    holder: str = ""  # who holds it by a claim, or was sent to check it
    overdue: "Overdue | None" = None
    sources: frozenset[str] = frozenset()  # of alerts.source


class Overdue(NamedTuple):
    """Leads whose day has passed: those worked on before ``today``, untouched ones by the level's moment."""

    today: date
    raised_before: tuple[tuple[Level, datetime], ...]


EVERYTHING = Filter()


class Inhibitor(Struct, frozen=True):
    """The stronger alert that holds the events of another; what a list says of it."""

    alert_id: str
    detector: str
    level: Level
    areas: tuple[str, ...]

    def unnamed(self) -> "Inhibitor":
        """As those see it who may not see that alert: that there is one."""
        return Inhibitor("", "", self.level, ())


class LeadRow(Struct, frozen=True, kw_only=True):
    """An alert as a list shows it. Amounts in fen, times in UTC.

    Its last fields are no part of the alert on the wire: see alerts.repeat, alerts.inhibition, alerts.snooze.
    """

    alert_id: str
    seq: int  # of its newest revision
    revision: int
    detector: str
    level: Level
    certainty: Certainty
    status: Status
    withdrawn_because: str | None
    subject_kind: str
    subject_id: str
    orgs: tuple[str, ...]  # the main one first
    areas: tuple[str, ...]
    period_name: str
    period_from: datetime
    period_to: datetime | None
    first_seen: datetime
    last_seen: datetime
    hits: int
    amount_at_risk_fen: int
    fund_paid_fen: int
    summary_zh: str
    summary_en: str
    raised_at: datetime
    changed_at: datetime
    named_before: int
    snoozed_until: datetime | None
    inhibited_by: Inhibitor | None

    def state(self, now: datetime) -> State:
        """Withdrawn, snoozed at this moment, or open."""
        return "snoozed" if self.status == "open" and self.snoozed_until and self.snoozed_until > now else self.status

    def seen_within(self, areas: Sequence[str]) -> "LeadRow":
        """As an account with these limits may see it: without an inhibitor that lies outside them."""
        by = self.inhibited_by
        return self if by is None or within(by.areas, areas) else structs.replace(self, inhibited_by=by.unnamed())


class Page(Struct, frozen=True):
    """``next_cursor`` is None on the last page."""

    items: tuple[LeadRow, ...]
    next_cursor: str | None


class Facets(Struct, frozen=True):
    """How many alerts each choice would show, given the choices made in the *other* groups."""

    levels: dict[str, int]
    detectors: dict[str, int]
    statuses: dict[str, int]  # by State
    total: int  # that pass the whole filter
    inhibited: dict[str, int]  # "yes" and "no", whatever the filter asks of it
    sources: dict[str, int]  # of alerts.source


class Entry(Struct, frozen=True, kw_only=True):
    """One row of alert_event. ``data`` is JSON; of CHANGES it is the alert of SPEC 4 at that revision."""

    seq: int
    alert_id: str | None
    revision: int | None
    kind: str
    actor: str
    at: datetime
    data: bytes


class Detail(Struct, frozen=True):
    """All about one alert. ``history``: the newest entries, newest first."""

    row: LeadRow
    alert: Alert
    evidence: tuple[Evidence, ...]
    history: tuple[Entry, ...]


class Counts(Struct, frozen=True):
    """The store in a few numbers. ``open``: by level, every level named."""

    open: dict[str, int]
    withdrawn: int
    last_seq: int  # 0: nothing was ever written
    last_change: datetime | None


class AccountRecord(Struct, frozen=True, kw_only=True):
    """One account as it is stored."""

    name: str
    password_hash: str
    role: str
    areas: tuple[str, ...]
    disabled: bool
    failures: int
    locked_until: datetime | None
    created_at: datetime
    changed_at: datetime
    must_change: bool = False  # its password: somebody else chose it


class Note(Struct, frozen=True, kw_only=True):
    """What is to be appended to alert_event. ``data`` is JSON."""

    kind: str
    actor: str
    at: datetime
    alert_id: str | None = None
    revision: int | None = None
    data: bytes = b"{}"


class Cut(Struct, frozen=True):
    """Data of a row of kind "cut": the rows up to ``seq`` are gone, the last of them had this hash."""

    seq: int
    hash: str


class Revision(NamedTuple):
    """An alert at a new revision, and the lead it tells of (of a withdrawn one: the last it told of)."""

    alert: Alert
    lead: Lead
    body: bytes  # the alert as JSON
    seq: int
    changed_at: datetime


class Said(NamedTuple):
    """What one unit says of one alert; ``lead`` is JSON."""

    unit: UnitId
    alert_id: str
    lead: bytes


def areas_of(lead: Lead) -> tuple[str, ...]:
    """The areas a lead concerns, 6 digits each: those in its institutions' codes, or the area it is about."""
    named = [area_of(org) for org in lead.orgs]
    if lead.subject.kind == "area":
        named.append(lead.subject.id[:6])
    return tuple(dict.fromkeys(area for area in named if len(area) == 6 and area.isdigit()))


def area_of(org: str) -> str:
    """The area in an institution's code: a letter, six digits of area, five of its own."""
    return org[1:7]


def within(areas: Iterable[str], limits: Sequence[str]) -> bool:
    """May an account with these limits see what concerns these areas? The filter's own test, outside the database."""
    return not limits or any(area.startswith(tuple(map(area_prefix, limits))) for area in areas)


def area_prefix(limit: str) -> str:
    """330100 is the whole of 3301, 330000 the whole of 33."""
    while len(limit) > 2 and limit.endswith("00"):
        limit = limit[:-2]
    return limit


def certainty_rank(certainty: Certainty) -> int:
    """An exact contradiction before a pattern."""
    return int(certainty is Certainty.DEFINITE)
