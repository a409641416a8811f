"""The month in which something happened, as the period of a lead."""

from datetime import date, datetime, time
from functools import lru_cache

from detectors.event import CHINA
from detectors.finding import Period


def month_of(moment: datetime) -> Period:
    """In +08:00; its name is "2024-03"."""
    local = moment if moment.tzinfo is CHINA else moment.astimezone(CHINA)
    return _month(local.year, local.month)


@lru_cache(maxsize=1024)
def _month(year: int, month: int) -> Period:
    since, to = date(year, month, 1), date(year + month // 12, month % 12 + 1, 1)
    return Period(f"{since:%Y-%m}", *(datetime.combine(first, time(), CHINA) for first in (since, to)))
