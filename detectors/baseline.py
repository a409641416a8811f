"""What is usual of an entity: robust z-scores against its own closed days (domain.md 3.0, SPEC 3.1, readings 5)."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from statistics import median
from typing import Any

from detectors.event import day_of
from detectors.unit import DAY, HOUR, day_end

HISTORY = 28 * DAY  # of the same weekday; less than so much is no history of one's own
WEEKS = HISTORY // (7 * DAY)
LEAST_PEERS = 5
CLOSES = 72 * HOUR  # after a day's end: what is received later does not move a baseline
MAD_TO_SIGMA = 1.4826  # of a normal distribution
LEAST_SPREAD = 0.05  # of the median, and at least 1, where nothing ever varied


def robust_z(value: float, usual: Sequence[float]) -> float:
    """How many spreads above the median. ``usual``: at least one value."""
    middle = median(usual)
    deviation = MAD_TO_SIGMA * median(abs(one - middle) for one in usual)
    return (value - middle) / (deviation or max(LEAST_SPREAD * middle, 1.0))


def daily_counts(rows: Iterable[Any], day: date) -> list[int] | None:
    """How many of these there were on the same weekday of each of the four weeks before ``day``, the latest first.

    None: known for less than 28 days: then only its peers can tell. Any: events of any kind, of one entity.
    """
    counts = known_counts(rows, day)
    return counts if len(counts) == WEEKS else None


def known_counts(rows: Iterable[Any], day: date) -> list[int]:
    """The same, of those weeks only in which the entity was known already. Any: see above."""
    days = [day_of(row.happened_at) for row in rows if in_time(row)]
    first = min(days, default=day)
    counts = Counter(days)
    weeks = (day - timedelta(weeks=week) for week in range(1, WEEKS + 1))
    return [counts[one] for one in weeks if first <= one]


def peers_counts(rows: Iterable[Iterable[Any]], day: date) -> list[list[int]]:
    """The same of each of several entities; nothing where fewer than five were known by then. Any: see above."""
    known = [counts for of_one in rows if (counts := known_counts(of_one, day))]
    return known if len(known) >= LEAST_PEERS else []


def in_time(row: Any) -> bool:
    """Received before its day was closed; what does not say when it was received counts. Any: see above."""
    return row.received_at is None or row.received_at < day_end(row.happened_at) + CLOSES
