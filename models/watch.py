"""What the model is shown of a unit: the day that is judged, and the entity's own closed days before it."""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from detectors.baseline import CLOSES, HISTORY
from detectors.event import OrgRecord, PersonRecord, Settlement, SettlementReversal
from detectors.unit import DAY, Unit, day_start
from models import person_day, pharmacy_day
from models.feature import Feature, Measures
from models.model import MEMORY_DAYS

FEATURES: dict[str, tuple[Feature, ...]] = {"person": person_day.FEATURES, "pharmacy": pharmacy_day.FEATURES}
SETTLES = DAY  # after a day's end it is judged (readings 5)
PERSON_PAST = 90 * DAY
PHARMACY_PAST = HISTORY
KNOWN_FOR = 7 * DAY  # some bill as long before the history: then it is a whole one
PERSON_REACH = PERSON_PAST + MEMORY_DAYS * DAY
PHARMACY_REACH = PHARMACY_PAST + KNOWN_FOR + MEMORY_DAYS * DAY
MOST_KEPT = 20_000  # closed days whose measures are kept: about 20 MB


class Watched(NamedTuple):
    """One day of one entity. earlier: its own closed days, none if it is known for less than 28 days.

    groups: whom to compare it with, the nearest first.
    """

    start: datetime
    bills: Sequence[Settlement]
    measures: Measures
    earlier: Sequence[Measures]
    groups: tuple[str, ...]


Watch = Callable[[Unit, datetime], Watched | None]
Content = tuple[tuple[int, ...], int]  # the seals of bills, and how many lines of them count


def person(unit: Unit, start: datetime) -> Watched | None:
    """None: no out-patient bill that day."""
    bills = [bill for bill in unit.rows(Settlement) if person_day.is_out_patient(bill)]
    today = _between(bills, start, start + DAY)
    if not today:
        return None
    month = _between(bills, start + DAY - person_day.MONTH, start + DAY)
    record = unit.fact(PersonRecord, unit.key, today[-1].happened_at)
    return Watched(
        start,
        today,
        person_day.measured(start, month, unit.rows(SettlementReversal), closed=False),
        _earlier(unit.key, bills, start, PERSON_PAST, _closed_person_day),
        person_day.groups(record, start),
    )


def pharmacy(unit: Unit, start: datetime) -> Watched | None:
    """None: no bill that day, or no pharmacy."""
    if not unit.key.startswith("P"):
        return None
    bills = unit.rows(Settlement)
    today = _between(bills, start, start + DAY)
    if not today:
        return None
    month = _between(bills, start - pharmacy_day.KNOWN, start + DAY)
    record = unit.fact(OrgRecord, unit.key, today[-1].happened_at)
    is_known = bills[0].happened_at < start - pharmacy_day.KNOWN
    judged = partial(pharmacy_day.measured, start, month, closed=False, is_known=is_known)
    return Watched(
        start,
        today,
        _kept((unit.key, start, "known" if is_known else "new"), month, judged),
        _earlier(unit.key, bills, start, PHARMACY_PAST, _closed_pharmacy_day),
        pharmacy_day.groups(record),
    )


def _between(bills: Sequence[Settlement], since: datetime, until: datetime) -> Sequence[Settlement]:
    return bills[bisect_left(bills, since, key=_time) : bisect_left(bills, until, key=_time)]


def _time(bill: Settlement) -> datetime:
    return bill.happened_at


def _closed_person_day(start: datetime, bills: Sequence[Settlement]) -> Measures:
    return person_day.measured(start, bills, (), closed=True)


def _closed_pharmacy_day(start: datetime, bills: Sequence[Settlement]) -> Measures:
    return pharmacy_day.measured(start, bills, closed=True)


def _earlier(
    key: str,
    bills: Sequence[Settlement],
    start: datetime,
    past: timedelta,
    measured: Callable[[datetime, Sequence[Settlement]], Measures],
) -> Sequence[Measures]:
    """The days before with bills, oldest first; of each what came before it was closed (readings 5)."""
    if not bills or bills[0].happened_at >= start - HISTORY:
        return ()
    found: list[Measures] = []
    left = _between(bills, start - past, start)
    while left:
        day = day_start(left[0].happened_at)
        today = left[: bisect_left(left, day + DAY, key=_time)]
        left = left[len(today) :]
        closes = day + DAY + CLOSES
        if in_time := [b for b in today if b.received_at is None or b.received_at < closes]:
            found.append(_kept((key, day, "closed"), in_time, partial(measured, day, in_time)))
    return found


# Measuring is pure, and a closed day is asked for again on each of the next 28: what is kept only saves time.
_measures: OrderedDict[tuple[str, datetime, str], tuple[Content, Measures]] = OrderedDict()


def _kept(name: tuple[str, datetime, str], bills: Sequence[Settlement], measured: Callable[[], Measures]) -> Measures:
    content = (tuple([bill.seal for bill in bills]), sum([len(bill.lines) for bill in bills]))
    known = _measures.get(name)
    if known is not None and known[0] == content:
        return known[1]
    fresh = measured()
    _measures[name] = content, fresh
    if len(_measures) > MOST_KEPT:
        _measures.popitem(last=False)
    return fresh
