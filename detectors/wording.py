"""Numbers as the sentences of leads say them."""

from datetime import datetime, timedelta

from detectors.event import CHINA

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def yuan(fen: int) -> str:
    """281000 -> "2,810.00元"."""
    return f"{yuan_en(fen)}元"


def yuan_en(fen: int) -> str:
    return f"{fen // 100:,}.{fen % 100:02d}"


def how_long(span: timedelta) -> str:
    """Never less than a minute: "7分钟", "2小时5分钟"."""
    hours, minutes = _whole(span)
    return f"{hours}小时{minutes}分钟" if hours and minutes else f"{hours}小时" if hours else f"{minutes}分钟"


def how_long_en(span: timedelta) -> str:
    hours, minutes = _whole(span)
    return f"{hours} h {minutes} min" if hours and minutes else f"{hours} h" if hours else f"{minutes} min"


def _whole(span: timedelta) -> tuple[int, int]:
    minutes = max(1, round(span / MINUTE))
    return divmod(minutes, 60)


def clock(moment: datetime) -> str:
    """ "16:00", +08:00."""
    return f"{moment.astimezone(CHINA):%H:%M}"


def hours(span: timedelta) -> float:
    """For figures, to a tenth."""
    return round(span / HOUR, 1)


def day_zh(moment: datetime) -> str:
    """ "3月8日", +08:00."""
    local = moment.astimezone(CHINA)
    return f"{local.month}月{local.day}日"


def day_en(moment: datetime) -> str:
    """ "8 March", +08:00."""
    local = moment.astimezone(CHINA)
    return f"{local.day} {_MONTHS[local.month - 1]}"  # strftime would follow the locale
