"""The city's time: whole seconds since midnight of its first day, written as the wire writes times."""

from datetime import date as calendar_day
from datetime import datetime, timedelta, timezone

BEIJING = timezone(timedelta(hours=8))
MINUTE = 60
HOUR = 3_600
DAY = 86_400


class Clock:
    """Turns seconds into RFC 3339 with +08:00. ``start``: aware; the first day may begin in its middle."""

    def __init__(self, start: datetime) -> None:
        local = start.astimezone(BEIJING)
        self._midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
        self.opens = int((local - self._midnight).total_seconds())
        self._days: dict[int, str] = {}
        self._times: dict[int, str] = {}  # of the day: at most 86,400

    def text(self, at: int) -> str:
        """2026-03-02T08:15:00+08:00; a negative ``at`` is before the first day."""
        day, second = divmod(at, DAY)
        time = self._times.get(second)
        if time is None:
            hour, rest = divmod(second, HOUR)
            time = self._times[second] = f"T{hour:02d}:{rest // 60:02d}:{rest % 60:02d}+08:00"
        return (self._days.get(day) or self.date(day)) + time

    def date(self, day: int) -> str:
        """2026-03-02 for day 0."""
        known = self._days.get(day)
        if known is None:
            known = self._days[day] = self.of(day).isoformat()
        return known

    def of(self, day: int) -> calendar_day:
        """The calendar's name of a day."""
        return (self._midnight + timedelta(days=day)).date()

    def weekday(self, day: int) -> int:
        """0 for Monday."""
        return self.of(day).weekday()

    def year(self) -> int:
        return self._midnight.year
