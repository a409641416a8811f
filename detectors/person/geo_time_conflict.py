"""One person at two places sooner than anybody can travel between them (时空冲突)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from math import inf, pi
from typing import Any, ClassVar, NamedTuple

from detectors.detector import Finding, Gate
from detectors.event import Fen, Kind, OrgRecord, Settlement, Swipe
from detectors.exclusions import (
    applied,
    by_agent,
    data_missing,
    is_internet,
    late_upload,
    no_visit_needed,
    not_applicable,
    taken_back,
)
from detectors.file import order
from detectors.finding import Check, Exclusion, Figure, Law, Level, Subject
from detectors.geography import EARTH, SPEEDS, Position, Speeds, fastest, kilometres, position, position_of
from detectors.ledger import PERSON, Ledger
from detectors.month import month_of
from detectors.settlement_kinds import IN_PATIENT, MedTypes, is_one_of
from detectors.unit import DAY, HOUR, MINUTE, Cell, Day, Link, Unit
from detectors.wording import how_long, how_long_en

MEMORY = 72 * HOUR  # of the event before: at 900 km/h the far side of the earth is 22 h away
WEEK = 7 * DAY
A_THOUSAND_YUAN = Fen(100_000)
Event = Any  # a Swipe or a Settlement


class Seen(NamedTuple):
    """The person's credential was at a place."""

    event: Event
    where: Position


class Conflict(NamedTuple):
    """The last that was seen at one institution, and the first at the next."""

    left: Event
    came: Event
    km: float
    hours: float  # at least a minute
    bills: tuple[Settlement, ...]  # of these two visits

    @property
    def speed(self) -> float:
        return self.km / self.hours

    @property
    def events(self) -> tuple[Event, ...]:
        return (self.left, self.came, *self.bills)


class LeftOut(NamedTuple):
    """Events of the day that say nothing about where the person was, by the reason."""

    agent: list[Event]
    late: list[Event]
    internet: list[Event]
    unknown: list[str]  # institutions of no record


@dataclass(frozen=True, slots=True, kw_only=True)
class GeoTimeConflict:
    """Fire on two institutions ``far`` apart, one after the other, sooner than the way between them takes.

    Why:         a lent or collected credential is used at one place while its owner is at another.
    Blind spots: institutions nearer to each other than ``far``; places of no known position, which are passed over.
    False alarm: a till with a wrong clock; an agent whose papers nobody entered; a branch filed at its main shop.
    Source:      domain.md A3, readings 6. The limits are proposals, to be calibrated by replay.
    """

    id: ClassVar[str] = "geo_time_conflict"
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Swipe, Settlement})
    cell: ClassVar[Cell] = Day(before=WEEK + MEMORY)
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("31", "第十七条")

    far: float = 20  # km
    speeds: Speeds = SPEEDS
    shortest: timedelta = MINUTE  # two clocks never agree better
    repeats: int = 2  # conflicts within ``repeats_within``: red
    repeats_within: timedelta = WEEK
    large: Fen = A_THOUSAND_YUAN  # paid by the fund for either visit: red
    visit: timedelta = 30 * MINUTE  # a swipe's bill follows within
    in_patient: MedTypes = IN_PATIENT  # relatives settle these in the end

    def __post_init__(self) -> None:
        """Raises ValueError for limits that its cell or its gate would not see."""
        if self.repeats_within > WEEK:
            raise ValueError("repeats_within: at most 7d, since no more is shown")
        if not self.speeds or self.speeds[-1][0] != inf:
            raise ValueError('speeds: the last row is for any distance: ["inf", km/h]')
        if any(longest(below, limit) > DAY for below, limit in self.speeds):
            raise ValueError("speeds: no way on earth may take longer than a day")

    @property
    def relaxed(self) -> Mapping[str, Speeds]:
        """What is nearly too fast: near misses need an easier table to be named."""
        slower = ((below, limit / 2 if longest(below, limit / 2) <= DAY else limit) for below, limit in self.speeds)
        return {"speeds": tuple(slower)}

    @property
    def gate(self) -> Gate:
        """No way on earth takes a day: both institutions, and their bills, lie within one."""
        return Gate(rows=2, within=DAY, by=_org)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        rows = sorted((*unit.rows(Swipe), *unit.rows(Settlement)), key=order)
        if len(set(map(_org, rows))) < 2:
            return
        left_out = LeftOut([], [], [], [])
        agents = [row for row in rows if by_agent(row)]
        seen = [place for row in rows if (place := self.place(unit, row, agents, left_out))]
        conflicts = list(self.conflicts(seen))
        today = [c for c in conflicts if c.came.happened_at >= unit.span.start]
        if today:
            yield self.finding(unit, today, conflicts, left_out)

    def place(self, unit: Unit, row: Event, agents: Sequence[Event], left_out: LeftOut) -> Seen | None:
        """Where the person was; None if the event does not tell, noted if it is one of the day's."""
        org = unit.fact(OrgRecord, row.org, row.happened_at)
        where = position(getattr(row, "lon", None), getattr(row, "lat", None)) or position_of(org)
        reasons: tuple[tuple[bool, list[Any], Any], ...] = (
            (self.came_with(agents, row), left_out.agent, row),
            (row.late, left_out.late, row),
            (is_internet(org), left_out.internet, row),
            (self.settled_by_relatives(row) or _refund(row), [], row),
            (where is None, left_out.unknown, row.org),
        )
        for holds, those, what in reasons:
            if holds:
                if row.happened_at >= unit.span.start and what not in those:
                    those.append(what)
                return None
        if org is None and row.org not in left_out.unknown:
            left_out.unknown.append(row.org)
        return Seen(row, where) if where else None

    def came_with(self, agents: Sequence[Event], row: Event) -> bool:
        """X02: an agent's own event, or a swipe of the same visit, which seldom names the agent."""
        if row in agents:
            return True
        visits = (agent for agent in agents if isinstance(row, Swipe) and agent.org == row.org)
        return any(abs(agent.happened_at - row.happened_at) <= self.visit for agent in visits)

    def settled_by_relatives(self, row: Event) -> bool:
        return isinstance(row, Settlement) and is_one_of(row.med_type, self.in_patient) and not row.interim

    def conflicts(self, seen: Sequence[Seen]) -> Iterator[Conflict]:
        stops = list(_stops(seen))
        for here, there in pairwise(stops):
            left, came = here[-1], there[0]
            km = kilometres(left.where, came.where)
            hours = max(came.event.happened_at - left.event.happened_at, self.shortest) / HOUR
            if km >= self.far and km / hours > fastest(km, self.speeds):
                bills = (*self.bills(here, left)[-1:], *self.bills(there, came)[:1])
                yield Conflict(left.event, came.event, km, hours, bills)

    def bills(self, stop: Sequence[Seen], seen: Seen) -> list[Settlement]:
        """What was settled at a stop about when this was seen."""
        near = (other.event for other in stop if abs(other.event.happened_at - seen.event.happened_at) <= self.visit)
        return [event for event in near if isinstance(event, Settlement)]

    def finding(
        self, unit: Unit, today: Sequence[Conflict], conflicts: Sequence[Conflict], left_out: LeftOut
    ) -> Finding:
        worst = max(today, key=lambda c: (c.speed / fastest(c.km, self.speeds), -c.came.happened_at.timestamp()))
        recent = max((self.recent(conflicts, c) for c in today), key=len)
        paid = max((bill.fund for c in today for bill in c.bills), default=0)
        limit = fastest(worst.km, self.speeds)
        took = worst.came.happened_at - worst.left.happened_at
        events = [event for c in today for event in c.events]
        more_zh = f"；7天内{len(recent)}次" if len(recent) > 1 else ""
        more_en = f"; {len(recent)} times within 7 days" if len(recent) > 1 else ""
        return Finding(
            level=Level.RED if len(recent) >= self.repeats or paid >= self.large else Level.ORANGE,
            subject=Subject("person", unit.key),
            zh=f"{how_long(took)}内在相距{worst.km:.0f}公里的两地刷卡，需时速{worst.speed:,.0f}公里，"
            f"这段路上限{limit:.0f}公里{more_zh}。",
            en=f"Within {how_long_en(took)} the credential was used {worst.km:.0f} km apart: "
            f"{worst.speed:,.0f} km/h would be needed, {limit:.0f} are the most on such a way{more_en}.",
            shows=events,
            figures=(
                Figure("distance", round(worst.km, 1), self.far, "km"),
                Figure("speed", round(worst.speed), limit, "km/h"),
                Figure("minutes_between", round(worst.hours * 60, 1), round(worst.km / limit * 60, 1), "min"),
                Figure("conflicts_7d", len(recent), self.repeats, "times"),
                Figure("largest_fund_paid", paid / 100, self.large / 100, "yuan"),
            ),
            exclusions=_tested(events, left_out),
            checks=_checks(today),
            period=month_of(unit.span.start),
            hits=len(today),
            also=[event for c in recent for event in c.events],
        )

    def recent(self, conflicts: Sequence[Conflict], last: Conflict) -> list[Conflict]:
        """Those of the 7 days up to and with ``last``."""
        until = last.came.happened_at
        return [c for c in conflicts if until - self.repeats_within < c.came.happened_at <= until]


def longest(below: float, limit: float) -> timedelta:
    """How long the longest way takes that is shorter than so many km, at so many km/h."""
    return min(below, pi * EARTH) / limit * HOUR if limit else timedelta.max


def _org(row: Event) -> str:
    return str(row.org)


def _refund(row: Event) -> bool:
    """Negative amounts are evidence of nothing (SPEC 3.1)."""
    return isinstance(row, Settlement) and row.total < 0


def _stops(seen: Sequence[Seen]) -> Iterator[list[Seen]]:
    """One institution in a row is one stop."""
    #  A ──●──●──────●          A's last, B's first and B's last, C's first
    #  B ────────●──●           are what must be reached in time
    stop: list[Seen] = []
    for place in seen:
        if stop and place.event.org != stop[-1].event.org:
            yield stop
            stop = []
        stop.append(place)
    if stop:
        yield stop


def _tested(shown: Sequence[Event], left_out: LeftOut) -> tuple[Exclusion, ...]:
    return (
        taken_back(),
        _agents(left_out.agent),
        _family_account([event for event in shown if isinstance(event, Settlement)]),
        late_upload(shown, left_out.late),
        no_visit_needed(left_out.internet, left_out.unknown),
    )


def _agents(left_out: Sequence[Event]) -> Exclusion:
    if left_out:
        n = len(left_out)
        return applied("X02", f"{n}条由代办人出示证件的记录没有计入", f"{n} records of an agent were left out")
    return not_applicable("X02", "所列记录都没有代办人", "no agent is named on any record shown")


def _family_account(bills: Sequence[Settlement]) -> Exclusion:
    if shared := [bill for bill in bills if bill.mutual_aid > 0 or bill.payer not in ("", bill.person)]:
        n = len(shared)
        return applied(
            "X03",
            f"{n}笔由家庭共济账户支付，只按就诊人本人判断",
            f"{n} bills were paid from a relative's account; only the patient's own records are compared",
        )
    if not bills:
        return data_missing("X03", "所列记录没有结算，不知由谁的账户支付", "no bill is shown: the payer is not known")
    return not_applicable("X03", "所列结算都没有使用家庭共济", "no bill shown was paid from a relative's account")


def _checks(conflicts: Sequence[Conflict]) -> tuple[Check, ...]:
    ends = [(c.left, c.came) for c in conflicts[:3]]
    return (
        *(
            Check(
                f"调取{event.org}收银处监控，核对持凭证人",
                f"Camera at the till of {event.org}: who held the credential?",
                event.happened_at - 10 * MINUTE,
                event.happened_at + 10 * MINUTE,
            )
            for pair in ends
            for event in pair
        ),
        Check("电话或入户询问参保人凭证由谁保管和使用", "Ask the insured person who keeps and uses the credential"),
    )
