"""Who is told, of what, and when: routes by level, detector and area, quiet hours, and the daily digest."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum

from alerts.deadlines import CHINA
from alerts.kept import LeadRow, within
from detectors.finding import Level

MOST_A_MINUTE = 20  # messages to one robot: what WeCom and DingTalk take before they refuse
OUTCOMES = ("sent", "failed", "dead", "dropped")  # of a message, as metrics count it
DIGESTED = frozenset({Level.YELLOW, Level.BLUE})
DAY = timedelta(days=1)


class TargetKind(StrEnum):
    """How a target is spoken to."""

    WEBHOOK = "webhook"
    MAIL = "mail"
    WECOM = "wecom"  # 企业微信 group robot
    DINGTALK = "dingtalk"  # 钉钉 group robot


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """How mail goes out. starttls: never the password, nor a lead, over a line that others can read."""

    host: str
    port: int = 587
    starttls: bool = True
    cafile: str | None = None
    login: str = ""
    password: str = ""
    sender: str = ""
    to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One receiver. Whatever is empty lets everything pass.

    secret:    of a webhook (base64, after whsec_ or bare), or of a DingTalk robot (SEC…).
    quiet:     from, to, by China's clocks: nothing but red then. May cross midnight.
    digest_at: yellow and blue wait for this time of the day, and come in one message; None: they come at once.
    """

    name: str
    kind: TargetKind
    url: str = ""
    secret: str = ""
    mail: Mail | None = None
    levels: frozenset[Level] = frozenset()
    detectors: frozenset[str] = frozenset()
    areas: tuple[str, ...] = ()
    quiet: tuple[time, time] | None = None
    digest_at: time | None = None
    lang: str = "zh"

    def wants(self, row: LeadRow) -> bool:
        """Is this lead for them?"""
        fits = not self.levels or row.level in self.levels
        return fits and (not self.detectors or row.detector in self.detectors) and within(row.areas, self.areas)

    def is_digested(self, level: Level) -> bool:
        return self.digest_at is not None and level in DIGESTED

    def not_before(self, level: Level, now: datetime) -> datetime:
        """When a lead of this level that is known now may be told of."""
        if self.is_digested(level) and self.digest_at is not None:
            return _next(self.digest_at, now)
        if level is Level.RED or self.quiet is None or not _is_between(now, *self.quiet):
            return now
        return _next(self.quiet[1], now)


def _next(at: time, now: datetime) -> datetime:
    """The next moment after now at which China's clocks show this."""
    local = now.astimezone(CHINA)
    today = datetime.combine(local.date(), at, CHINA)
    return today if today > local else today + DAY


def _is_between(now: datetime, since: time, to: time) -> bool:
    clock = now.astimezone(CHINA).time()
    return since <= clock < to if since <= to else clock >= since or clock < to
