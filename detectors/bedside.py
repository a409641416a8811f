"""Checks at the bed and at the ward's gate (在床核验, 病区门禁), as one stay's log shows them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from heapq import merge
from typing import NamedTuple

from detectors.event import NEVER, ItemRecord, Leave, Order, Presence, day_of
from detectors.stays import StayInHospital
from detectors.unit import HOUR, Unit

ALIVE = frozenset({"pass", "face_mismatch", "not_found", "refused"})  # the device was there, and worked
CHECKED = ALIVE | {"on_leave"}
CLEARS = frozenset({"pass", "on_leave"})
THERE = frozenset({"pass", "on_leave", "refused"})  # who refuses a check is in bed
# Wards that X19 exempts: intensive care, neonatal, isolation. Source: domain.md 2.3 (Shenzhen); names in use.
EXEMPT_WARDS = r"(?i)\b[NPCE]?ICU\b|CCU|重症|监护|新生儿|NEONAT|隔离|ISOLAT"
OUT_OF_WARD = frozenset({"exam", "operation"})  # kinds of item for which a patient is fetched (X19)
DIALYSIS = "dialysis"
ORDER_LASTS = 2 * HOUR  # where an order does not say when it ends; ours


class Span(NamedTuple):
    """``until``: NEVER while it lasts."""

    since: datetime
    until: datetime

    @property
    def over(self) -> timedelta:
        return self.until - self.since


class Outing(NamedTuple):
    """Out by the ward's gate, and what showed the patient back."""

    span: Span
    out: Presence
    back: Presence | None


@dataclass(frozen=True, slots=True)
class BedsideLog:
    """checks: at the bed, none in exempt wards; missed: of these, all but who was in bed or on leave. Oldest first.

    records: when a device told anything of the patient, wherever. leaves, orders: explained absences.
    """

    stay: StayInHospital
    checks: Sequence[Presence]
    missed: Sequence[Presence]
    gates: Sequence[Presence]
    records: Sequence[datetime]
    leaves: Sequence[Span]
    orders: Sequence[Span]
    exempt: int  # checks left out because of the ward

    def excused(self, moment: datetime) -> bool:
        return any(span.since <= moment <= span.until for span in (*self.leaves, *self.orders))

    def unexplained(self, span: Span) -> list[Span]:
        """What of it lies outside leaves and orders."""
        parts = [span]
        for away in (*self.leaves, *self.orders):
            parts = [rest for part in parts for rest in _without(part, away)]
        return parts

    def outings(self) -> Iterator[Outing]:
        """Who goes out on the day of discharge goes home."""
        if not self.gates:
            return
        out: Presence | None = None
        for row in merge(self.gates, self.checks, key=lambda check: check.happened_at):
            if row.check_type == "gate" and row.direction == "out":
                out = out or row
            elif out is not None and (row.result == "pass" or row.direction == "in"):
                yield Outing(Span(out.happened_at, row.happened_at), out, row)
                out = None
        if out is not None and (self.stay.end == NEVER or day_of(out.happened_at) < day_of(self.stay.end)):
            yield Outing(Span(out.happened_at, self.stay.end), out, None)

    def silences(self, over: timedelta) -> Iterator[Span]:
        """Longer than this without any record but of a broken device, and not explained."""
        since = self.stay.begin
        for until in (*self.records, self.stay.end):
            if until - since > over:
                yield from (part for part in self.unexplained(Span(since, until)) if part.over > over)
            since = until


def log_of(unit: Unit, stay: StayInHospital, exempt_wards: str) -> BedsideLog:
    """Reads Presence, Leave, Order."""
    rows = [row for row in unit.rows(Presence) if stay.begin <= row.happened_at <= stay.end]
    at_bed = [row for row in rows if row.check_type != "gate"]
    checks = outside_exempt_wards(stay, at_bed, exempt_wards)
    return BedsideLog(
        stay=stay,
        checks=checks,
        missed=[check for check in checks if check.result not in CLEARS],
        gates=[row for row in rows if row.check_type == "gate" and row.result != "device_error"],
        records=[row.happened_at for row in rows if row.result != "device_error"],
        leaves=[Span(leave.since, leave.to) for leave in unit.rows(Leave)],
        orders=[_span_of(order) for order in unit.rows(Order) if order.item and _takes_out(unit, order)],
        exempt=len(at_bed) - len(checks),
    )


def outside_exempt_wards(stay: StayInHospital, checks: Sequence[Presence], pattern: str) -> Sequence[Presence]:
    """Those where neither the check nor the stay's own records name an exempt ward or department."""
    names = {*(check.ward for check in checks), *(name for lying in stay.lyings for name in (lying.ward, lying.dept))}
    exempt = {name for name in names if is_exempt(pattern, name)}
    if not exempt:
        return checks
    return [check for check in checks if exempt.isdisjoint((check.ward, *stay.lying_at(check.happened_at)[2:]))]


@lru_cache(maxsize=4096)
def is_exempt(pattern: str, ward: str) -> bool:
    return re.search(pattern, ward) is not None


def _takes_out(unit: Unit, order: Order) -> bool:
    record = unit.fact(ItemRecord, order.item, order.happened_at)
    return record is not None and (record.kind in OUT_OF_WARD or record.series == DIALYSIS)


def _span_of(order: Order) -> Span:
    since = order.since or order.happened_at
    return Span(since, order.to or since + ORDER_LASTS)


def _without(span: Span, away: Span) -> Iterator[Span]:
    if away.until <= span.since or away.since >= span.until:
        yield span
        return
    if span.since < away.since:
        yield Span(span.since, away.since)
    if away.until < span.until:
        yield Span(away.until, span.until)
