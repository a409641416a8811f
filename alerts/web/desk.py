"""What is asked of the alert store on behalf of one account: the one layer under pages and API."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Literal, NamedTuple, get_args

import msgspec
from msgspec import Struct, structs
from sqlalchemy import select

from alerts import claims, quota
from alerts import snooze as snoozes
from alerts import tables as t
from alerts.accounts import Account, Role
from alerts.alert import yuan
from alerts.deadlines import CHINA
from alerts.five_links import bought
from alerts.involved import main_subjects
from alerts.kept import Detail, Facets, Filter, LeadRow, Note, Order, Overdue, Page, State, Status
from alerts.life import State as WorkState
from alerts.merge import merged
from alerts.overview import overdue_before
from alerts.price_limits import Limits, limits_of
from alerts.reveal import hidden
from alerts.snooze import Snooze
from alerts.source import RULES, SOURCES
from alerts.store import Store
from alerts.web.beside import VIEWED, Beside, beside_for
from alerts.web.bounds import SHIPPED, Bounds
from alerts.writing import unit_id
from detectors.finding import Certainty, Lead, Level, Subject

PAGE = 50  # alerts a page
MOST = 200  # alerts a page that an API client may ask for
LONGEST_TEXT = 100  # characters of a search


NEXT = {
    Role.SCREENER: frozenset({WorkState.NEW}),
    Role.REVIEWER: frozenset({WorkState.SCREENED, WorkState.REVIEW}),
}  # what waits for a role


class BadRequestError(ValueError):
    """A condition that is none of ours; the message says which."""


class ForbiddenError(Exception):
    """The account's role sees no business data."""


class Item(Struct, frozen=True, kw_only=True):
    """An alert in a list of the API. Amounts are yuan with two decimals; times RFC 3339.

    named_before: alerts about the subject that stand and were first seen earlier. snoozed_until: nobody is called
    before then. inhibited_by: the stronger alert on the same events; "" for one of another area. These three are no
    part of the alert on the topic.
    """

    alert_id: str
    seq: int
    revision: int
    detector: str
    level: Level
    certainty: Certainty
    status: Status
    withdrawn_because: str | None
    subject_kind: str
    subject_id: str
    orgs: tuple[str, ...]
    period_from: datetime
    period_to: datetime | None
    first_seen: datetime
    last_seen: datetime
    hits: int
    amount_at_risk: str
    fund_paid: str
    summary_zh: str
    summary_en: str
    raised_at: datetime
    changed_at: datetime
    named_before: int
    snoozed_until: datetime | None
    inhibited_by: str | None


class Items(Struct, frozen=True):
    """``next_cursor`` is null on the last page."""

    items: tuple[Item, ...]
    next_cursor: str | None


_SAME = tuple(name for name in Item.__struct_fields__ if name in LeadRow.__struct_fields__ and name != "inhibited_by")


def item(row: LeadRow) -> Item:
    """A row of the store as the API gives it."""
    same = {name: getattr(row, name) for name in _SAME}
    persons = [one.id for one in main_subjects(subject_of(row)) if one.kind == "person"]
    same |= {name: hidden(same[name], persons) for name in ("subject_id", "summary_zh", "summary_en")}
    by = row.inhibited_by.alert_id if row.inhibited_by else None
    return Item(**same, amount_at_risk=yuan(row.amount_at_risk_fen), fund_paid=yuan(row.fund_paid_fen), inhibited_by=by)


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody chose to see; the query part of an address, and back."""

    levels: frozenset[Level] = frozenset()
    detectors: frozenset[str] = frozenset()
    statuses: frozenset[State] = frozenset({"open"})
    inhibited: bool | None = None
    text: str = ""
    order: Order = Order.GRAVEST
    area: str = ""
    org: str = ""
    holder: str = ""
    work: frozenset[WorkState] = frozenset()
    since: date | None = None
    until: date | None = None
    least: int = 0  # yuan
    overdue: bool = False
    overflow: bool = False  # beyond what the office can look at today
    sources: frozenset[str] = frozenset()  # of alerts.source

    def filter(self, areas: tuple[str, ...], now: datetime) -> Filter:
        """For the store, within these areas, with the snoozes in force now."""
        found = Filter(
            levels=self.levels,
            detectors=self.detectors,
            statuses=self.statuses,
            inhibited=self.inhibited,
            areas=areas,
            now=now,
            area=self.area,
            org=self.org,
            holder=self.holder,
            work=frozenset(self.work),
            since=_midnight(self.since) if self.since else None,
            until=_midnight(self.until + timedelta(days=1)) if self.until else None,
            at_least_fen=self.least * 100 or None,
            overdue=overdue_at(now) if self.overdue else None,
            sources=self.sources,
        )
        if self.overflow:
            levels = (self.levels & quota.COUNTED) or quota.COUNTED
            new = frozenset({WorkState.NEW.value})
            found = replace(found, levels=levels, work=new, statuses=frozenset({"open"}))
        if len(self.text) == 12 and self.text[1:].isdigit() and self.text[0].isalpha():
            return replace(found, org=self.text.upper())
        return replace(found, text=self.text)

    def params(self) -> list[tuple[str, str]]:
        """As parameters of an address; what is usual is left out."""
        pairs = [("level", level.value) for level in Level if level in self.levels]
        pairs += [("detector", name) for name in sorted(self.detectors)]
        pairs += [("source", name) for name in sorted(self.sources)]
        if self.statuses != {"open"}:
            pairs += [("status", status) for status in sorted(self.statuses)]
        if self.inhibited is not None:
            pairs.append(("inhibited", "yes" if self.inhibited else "no"))
        if self.text:
            pairs.append(("q", self.text))
        if self.order is not Order.GRAVEST:
            pairs.append(("order", self.order.value))
        pairs += [("work", state.value) for state in WorkState if state in self.work]
        named = {"area": self.area, "org": self.org, "holder": self.holder, "since": self.since, "until": self.until}
        pairs += [(name, str(value)) for name, value in named.items() if value]
        if self.least:
            pairs.append(("least", str(self.least)))
        pairs += [(name, "yes") for name, on in (("overdue", self.overdue), ("overflow", self.overflow)) if on]
        return pairs

    def with_level(self, level: Level) -> "Choice":
        return replace(self, levels=self.levels ^ {level})

    def with_detector(self, name: str) -> "Choice":
        return replace(self, detectors=self.detectors ^ {name})

    def with_source(self, name: str) -> "Choice":
        return replace(self, sources=self.sources ^ {name})

    def with_status(self, status: State) -> "Choice":
        return replace(self, statuses=(self.statuses ^ {status}) or frozenset({"open"}))

    def with_inhibited(self, inhibited: bool) -> "Choice":
        return replace(self, inhibited=None if self.inhibited is inhibited else inhibited)

    def with_order(self, order: Order) -> "Choice":
        return replace(self, order=order)

    def plain(self) -> "Choice":
        """With nothing but states and order."""
        return Choice(statuses=self.statuses, order=self.order)

    @property
    def is_plain(self) -> bool:
        return self == self.plain()

    @property
    def asks_server(self) -> bool:
        """Can only the server tell whether an alert fits?"""
        named = self.area or self.org or self.holder or self.work or self.since or self.until or self.least
        return bool(self.text or named or self.overdue or self.overflow or self.sources)

    @property
    def more(self) -> int:
        """How many of the conditions that are folded away are set."""
        return sum(map(bool, (self.area, self.org, self.holder, self.work, self.since, self.until, self.least)))


def choice(params: Iterable[tuple[str, str]], *, default_open: bool = True) -> Choice:
    """What an address asks for; parameters that are not ours are left alone. Raises BadRequestError."""
    given: dict[str, list[str]] = {}
    for name, value in params:
        given.setdefault(name, []).append(value)
    statuses = frozenset(_status(value) for value in given.get("status", ()))
    text = "".join(given.get("q", [""])[-1:]).strip()
    if len(text) > LONGEST_TEXT:
        raise BadRequestError(f"q: at most {LONGEST_TEXT} characters")
    return Choice(
        levels=frozenset(_level(value) for value in given.get("level", ())),
        detectors=frozenset(given.get("detector", ())),
        statuses=statuses or (frozenset({"open"}) if default_open else frozenset()),
        inhibited=_inhibited(given.get("inhibited", [""])[-1]),
        text=text,
        order=_order(given.get("order", [Order.GRAVEST.value])[-1]),
        area=_matching("area", _AREA, given),
        org=_matching("org", _ORG, given).upper(),
        holder=_last("holder", given)[:LONGEST_TEXT],
        work=frozenset(_work(value) for value in given.get("work", ()) if value),
        since=_day("since", given),
        until=_day("until", given),
        least=int(_matching("least", _YUAN, given) or 0),
        overdue=_last("overdue", given) == "yes",
        overflow=_last("overflow", given) == "yes",
        sources=frozenset(_source(value) for value in given.get("source", ()) if value),
    )


_AREA, _ORG, _YUAN = re.compile(r"\d{6}"), re.compile(r"[A-Za-z]\d{11}"), re.compile(r"\d{1,11}")


def _last(name: str, given: Mapping[str, Sequence[str]]) -> str:
    return given.get(name, [""])[-1].strip()


def _matching(name: str, shape: re.Pattern[str], given: Mapping[str, Sequence[str]]) -> str:
    value = _last(name, given)
    if value and not (value.isascii() and shape.fullmatch(value)):
        raise BadRequestError(f"{name}: {value!r}")
    return value


def _day(name: str, given: Mapping[str, Sequence[str]]) -> date | None:
    value = _last(name, given)
    try:
        return date.fromisoformat(value) if value else None
    except ValueError:
        raise BadRequestError(f"{name}: {value!r} is not a day such as 2026-11-18") from None


def _work(value: str) -> WorkState:
    try:
        return WorkState(value)
    except ValueError:
        raise BadRequestError(f"work: {value!r} is not one of {', '.join(WorkState)}") from None


def _source(value: str) -> str:
    if value != RULES and value not in SOURCES:
        raise BadRequestError(f"source: {value!r} is not one of {', '.join((RULES, *sorted(SOURCES)))}")
    return value


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), CHINA)


def overdue_at(now: datetime) -> Overdue:
    """Which leads are overdue at this moment."""
    before = tuple((level, overdue_before(level, now)) for level in Level)
    return Overdue(now.astimezone(CHINA).date(), before)


def _level(value: str) -> Level:
    try:
        return Level(value)
    except ValueError:
        raise BadRequestError(f"level: {value!r} is not one of {', '.join(Level)}") from None


def _order(value: str) -> Order:
    try:
        return Order(value)
    except ValueError:
        raise BadRequestError(f"order: {value!r} is not one of {', '.join(Order)}") from None


STATUSES: tuple[State, ...] = get_args(State)


def _status(value: str) -> State:
    known = {status: status for status in STATUSES}
    if value not in known:
        raise BadRequestError(f"status: {value!r} is not one of {', '.join(STATUSES)}")
    return known[value]


def _inhibited(value: str) -> bool | None:
    if value not in ("", "yes", "no"):
        raise BadRequestError(f"inhibited: {value!r} is not one of yes, no")
    return value == "yes" if value else None


class Views(NamedTuple):
    """Who looked at a lead, how often, and when last."""

    who: str
    times: int
    last: datetime


class Told(NamedTuple):
    """All about one lead. ``lead`` is None once it is withdrawn: then only the alert's own words are left."""

    detail: Detail
    lead: Lead | None
    related: tuple[LeadRow, ...]
    inhibits: tuple[LeadRow, ...]
    views: tuple[Views, ...]
    snoozes: tuple[Snooze, ...]  # in force, the longest first
    may_snooze: bool
    may_wake: bool
    limits: Limits  # of prices, of what the records say was bought


@dataclass(frozen=True, slots=True)
class Desk:
    """The store as one account may see it now. Its calls block."""

    store: Store
    account: Account
    now: datetime
    bounds: Bounds = SHIPPED

    def __post_init__(self) -> None:
        if self.account.role is Role.ADMIN:
            raise ForbiddenError

    def page(self, chosen: Choice, after: str | None = None, limit: int = PAGE) -> Page:
        """A page of alerts. Raises alerts.store.CursorError."""
        of = chosen.filter(self.account.areas, self.now)
        if chosen.overflow and after is None and (left := self.left_today()):
            after = self.store.page(of, order=Order.GRAVEST, limit=left).next_cursor
            if after is None:
                return Page((), None)
        order = Order.GRAVEST if chosen.overflow else chosen.order
        return self.store.page(of, order=order, after=after, limit=limit)

    def beside(self, rows: Sequence[LeadRow]) -> Mapping[str, Beside]:
        """What stands beside these rows."""
        return beside_for(self.account.name, self.store, rows, self.now)

    def left_today(self) -> int:
        """How many red and orange leads the office may still look at today."""
        return max(0, self.bounds.daily - quota.done_today(self.store, self.account.areas, self.now))

    def next_lead(self, chosen: Choice) -> LeadRow | None:
        """The gravest lead of a choice that nobody holds, kept for this account for a while."""
        waiting = replace(chosen, work=chosen.work or NEXT.get(self.account.role, frozenset()))
        of = waiting.filter(self.account.areas, self.now)
        return claims.take_next(self.store, self.account, of, self.now)

    def facets(self, chosen: Choice) -> Facets:
        found = self.store.facets(chosen.filter(self.account.areas, self.now))
        if not chosen.overflow:
            return found
        return structs.replace(found, total=max(0, found.total - self.left_today()))

    def row(self, alert_id: str) -> LeadRow | None:
        return self.store.rows([alert_id], areas=self.account.areas).get(alert_id)

    def detail(self, alert_id: str) -> Detail | None:
        return self.store.detail(alert_id, areas=self.account.areas)

    def viewed(self, alert_id: str, at: datetime, how: Literal["page", "api"]) -> None:
        """Write down that this account looked at it."""
        data = msgspec.json.encode({"how": how})
        self.store.note(Note(kind=VIEWED, actor=self.account.name, at=at, alert_id=alert_id, data=data))

    def told(self, alert_id: str) -> Told | None:
        """Everything that a lead's page shows; None if there is no such alert within the account's areas."""
        detail = self.detail(alert_id)
        if detail is None:
            return None
        row = detail.row
        resting = snoozes.snoozes_of(self.store, subject_of(row), row.areas, self.now)
        return Told(
            detail=detail,
            lead=standing_lead(self.store, alert_id),
            related=self._related(row),
            inhibits=self.store.inhibited_by(alert_id, areas=self.account.areas),
            views=_views(detail),
            snoozes=tuple(resting),
            may_snooze=snoozes.may_snooze(self.account) and row.status == "open",
            may_wake=any(snoozes.may_wake(self.account, one) for one in resting),
            limits=limits_of(self.store, [line.item for line in bought(detail.evidence)]),
        )

    def snooze(self, alert_id: str, until: datetime, reason: str) -> Snooze | None:
        """Let the subject of this alert rest; None if there is no such alert. Raises NotAllowedError, SnoozeError."""
        row = self.row(alert_id)
        if row is None:
            return None
        return snoozes.snooze(self.store, subject_of(row), self.account, until, reason, self.now)

    def wake(self, alert_id: str) -> bool | None:
        """End the snoozes of the subject of this alert; whether there was one. Raises NotAllowedError."""
        row = self.row(alert_id)
        return None if row is None else snoozes.wake(self.store, subject_of(row), self.account, self.now)

    def _related(self, row: LeadRow, most: int = 5) -> tuple[LeadRow, ...]:
        if not row.orgs:
            return ()
        same = Filter(org=row.orgs[0], statuses=frozenset({"open"}), areas=self.account.areas)
        found = self.store.page(same, limit=most + 1).items
        return tuple(other for other in found if other.alert_id != row.alert_id)[:most]


def subject_of(row: LeadRow) -> Subject:
    return Subject(row.subject_kind, row.subject_id)


def _views(detail: Detail) -> tuple[Views, ...]:
    views = [entry for entry in detail.history if entry.kind == VIEWED]
    times = Counter(entry.actor for entry in views)
    last: Mapping[str, datetime] = {entry.actor: entry.at for entry in reversed(views)}
    return tuple(Views(who, number, last[who]) for who, number in times.most_common(5))


def standing_lead(store: Store, alert_id: str) -> Lead | None:
    """What the units say of an alert now, in both languages; None if it is withdrawn."""
    query = select(t.said.c.unit, t.said.c.lead).where(t.said.c.alert_id == alert_id)
    with store.engine.connect() as db:
        return merged({unit_id(unit): msgspec.json.decode(lead, type=Lead) for unit, lead in db.execute(query)})


def changes_since(store: Store, since: datetime, most: int = 20_000) -> Sequence[datetime]:
    """When alerts changed, newest first, back to ``since``; at most so many."""
    found: list[datetime] = []
    at = t.alert_event.c
    query = select(at.at).where(at.revision.is_not(None)).order_by(at.seq.desc()).limit(most)
    with store.engine.connect() as db:
        for (moment,) in db.execution_options(yield_per=500).execute(query):
            if moment < since - timedelta(minutes=1):
                break
            found.append(moment)
    return found


def last_change(store: Store) -> datetime | None:
    """When an alert changed last; log-ins and views are no changes."""
    at = t.alert_event.c
    query = select(at.at).where(at.revision.is_not(None)).order_by(at.seq.desc()).limit(1)
    with store.engine.connect() as db:
        return db.execute(query).scalar_one_or_none()
