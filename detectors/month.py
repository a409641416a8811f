"""The month in which something happened, as the period of a lead."""

from datetime import date, datetime, time

from detectors.event import CHINA, day_of
from detectors.finding import Period


def month_of(moment: datetime) -> Period:
    """In +08:00; its name is "2024-03"."""
    day = day_of(moment)
    since = date(day.year, day.month, 1)
    to = date(day.year + day.month // 12, day.month % 12 + 1, 1)
    return Period(f"{since:%Y-%m}", *(datetime.combine(first, time(), CHINA) for first in (since, to)))
