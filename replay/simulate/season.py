"""How busy a day is: Monday's queues, holidays, the cough of winter."""

from datetime import date, timedelta
from math import cos, tau

WEEK = (1.16, 1.04, 1.0, 1.0, 1.02, 0.92, 0.82)  # Monday to Sunday
WINTER = 0.12  # more than the year's mean in mid-January, and as much less in mid-July
ON_HOLIDAY = 0.6
AFTERWARDS = 1.25  # the first working day
MID_JANUARY = 15

# First day of the lunar year. Source: the calendar of the Purple Mountain Observatory.
_SPRING_FESTIVALS = ("2024-02-10", "2025-01-29", "2026-02-17", "2027-02-06", "2028-01-26", "2029-02-13", "2030-02-03")
_OF_THE_YEAR = ((1, 1, 1), (4, 4, 3), (5, 1, 5), (10, 1, 7))  # month, day, days: New Year, Qingming, Labour, National


def is_holiday(day: date) -> bool:
    """A public holiday. Those of the moon other than the Spring Festival are left out, and moved working days too."""
    for month, first, days in _OF_THE_YEAR:
        if 0 <= (day - date(day.year, month, first)).days < days:
            return True
    return any(0 <= (day - date.fromisoformat(first)).days < 7 for first in _SPRING_FESTIVALS)


def busyness(day: date) -> float:
    """How many come, where 1 is an ordinary Wednesday of spring."""
    season = 1 + WINTER * cos(tau * ((day - date(day.year, 1, MID_JANUARY)).days / 365.25))
    if is_holiday(day):
        return season * ON_HOLIDAY
    return season * WEEK[day.weekday()] * (AFTERWARDS if is_holiday(day - timedelta(days=1)) else 1)
