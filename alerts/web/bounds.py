"""How much, how often and how long: what a bureau may set of the feed."""

from dataclasses import dataclass
from datetime import timedelta

from alerts.quota import DAILY


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Of one account, unless it says otherwise."""

    daily: int = DAILY  # red and orange leads that an office looks at in a day
    session_lasts: timedelta = timedelta(hours=12)  # a shift; ASVS 3.3.2
    session_idle: timedelta = timedelta(minutes=30)  # without a request of the reader's own; ASVS 3.3.2
    reveal_for: timedelta = timedelta(minutes=15)  # persons of one lead are shown in full
    reveals_an_hour: int = 30
    requests_a_minute: int = 6_000  # a program that reads one answer after the other stays below
    tries_a_minute: int = 120  # log-ins, and requests without a session, of one address
    exports_an_hour: int = 30
    export_rows: int = 10_000  # leads in one file


SHIPPED = Bounds()
