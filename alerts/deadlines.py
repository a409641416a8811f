"""By when the next step is due, in working days of mainland China, and whether it is close or past."""

from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Literal

import holidays
from msgspec import Struct

from alerts.life import State
from detectors.finding import Level

CHINA = timezone(timedelta(hours=8))
FAR = 400  # calendar days looked through at most
Warning = Literal["", "soon", "overdue"]


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Days for each stage. Working days but for ``filed``.

    Those of verifying (15, and 15 more once) and filed (90 calendar days) are Order No. 4's; all others are
    assumptions of domain.md 6.1 that a bureau sets to its own rules.
    """

    new_red: int = 1
    new_orange: int = 3
    new_yellow: int = 10
    new_blue: int = 10
    screened: int = 2
    assigned: int = 2
    verifying: int = 15
    extension: int = 15
    feedback: int = 5
    appeal: int = 5
    review: int = 10
    pending_evidence: int = 10
    confirmed: int = 10
    filed: int = 90
    disposed: int = 30
    warn: int = 1  # working days before the last one


USUAL = Limits()
AWAITED = tuple(  # states in which somebody's next step is awaited by a day
    state
    for state in State
    if state not in {State.DISMISSED, State.UNFOUNDED, State.RECTIFIED, State.TRANSFERRED, State.ARCHIVED}
)


@lru_cache(4_096)  # a list asks for the same few days again and again
def add_working_days(start: date, days: int) -> date:
    """The last of so many working days after ``start``.

    State Council holidays and the weekends worked in exchange count as they were decreed; in a year that is not
    decreed yet (the decree comes each November) only the holidays fixed by law are known, and days at work are not.
    """
    china = _calendar()
    day, left = start, days
    for _ in range(FAR):
        if left <= 0:
            break
        day += timedelta(days=1)
        left -= china(day)
    return day


def due_on(state: State, level: Level, entered: datetime, extended: bool, limits: Limits = USUAL) -> date | None:
    """The last day for leaving a state entered at this moment; None where nothing is awaited."""
    start = entered.astimezone(CHINA).date()
    if state is State.FILED:
        return start + timedelta(days=limits.filed)
    days = _days(state, level, extended, limits)
    return None if days is None else add_working_days(start, days)


def warning(due: date | None, now: datetime, limits: Limits = USUAL) -> Warning:
    """Past, or within the warning days, or neither."""
    today = now.astimezone(CHINA).date()
    if due is None:
        return ""
    if today > due:
        return "overdue"
    return "soon" if add_working_days(today, limits.warn) >= due else ""


def _days(state: State, level: Level, extended: bool, limits: Limits) -> int | None:
    if state is State.NEW:
        by_level = {Level.RED: limits.new_red, Level.ORANGE: limits.new_orange, Level.YELLOW: limits.new_yellow}
        return by_level.get(level, limits.new_blue)
    if state is State.VERIFYING:
        return limits.verifying + (limits.extension if extended else 0)
    return {
        State.SCREENED: limits.screened,
        State.ASSIGNED: limits.assigned,
        State.FEEDBACK: limits.feedback,
        State.APPEAL: limits.appeal,
        State.REVIEW: limits.review,
        State.PENDING_EVIDENCE: limits.pending_evidence,
        State.CONFIRMED: limits.confirmed,
        State.PARTLY: limits.confirmed,
        State.DISPOSED: limits.disposed,
    }.get(state)


def _calendar() -> Callable[[date], bool]:
    """Is it a working day? The library fills in a year when first asked, so each caller has its own."""
    return holidays.country_holidays("CN").is_working_day
