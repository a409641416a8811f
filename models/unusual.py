"""A strange day as a lead: the learned model as one more detector (模型提示)."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cache
from typing import NamedTuple

import numpy as np

from detectors.detector import Finding
from detectors.exclusions import no_tests, taken_back
from detectors.finding import Check, Figure, Level, Reason, Subject
from detectors.unit import DAY, Unit
from detectors.wording import day_en, day_zh
from models import model as scored_by
from models.day import Columns, columns
from models.model import MEMORY_DAYS, Model, evidence
from models.watch import SETTLES, Watch, Watched

SHOWN = 5  # features that a lead names
IN_SENTENCE = 3
HINT_ZH = "模型提示，不作为认定依据"
HINT_EN = "a model's hint, no ground for a finding"


class Scored(NamedTuple):
    """One day that was scored. total: 0 if ordinary. own: against its own days too; peers: of its own kind, not all.

    by: what another model, a candidate, makes of the same day. A day that makes a lead is scored, and told, twice: what
    it read is noted the second time.
    """

    entity: str
    total: float
    level: Level | None
    own: bool
    peers: bool
    by: Callable[[Model], float]


OnScored = Callable[[Scored], None]


def unheard(scored: Scored) -> None:
    """Nobody wants to know."""


class Strange(NamedTuple):
    """total: of the day and of the evidence of the days before."""

    watched: Watched
    columns: Columns
    total: float


def strange(unit: Unit, model: Model, watch: Watch, on_scored: OnScored = unheard) -> Strange | None:
    """The unit's day, once it is 24 h old and if something of it stands out. Asks to be woken before that."""
    start = unit.span.start
    ready = start + DAY + SETTLES
    if unit.now < ready:
        unit.wake(ready)
        return None
    watched = watch(unit, start)
    if watched is None:
        return None
    before = cache(lambda: [watch(unit, start - n * DAY) for n in range(MEMORY_DAYS, 0, -1)])
    seen, total = _totalled(model, watched, before)
    level = model.level(total) if total else None
    by = lambda other: _totalled(other, watched, before)[1]  # noqa: E731 - of this day
    on_scored(Scored(model.entity, total, level, seen.own is not None, seen.group != "", by))
    return Strange(watched, seen, total) if total else None


def _totalled(model: Model, watched: Watched, before: Callable[[], Sequence[Watched | None]]) -> tuple[Columns, float]:
    """A day and its total: its own strangeness, 0 if nothing stands out, and the evidence of the days before."""
    seen = seen_by(model, watched)
    if not model.stands_out(seen.values):
        return seen, 0.0
    days = before()
    known = [seen_by(model, one).values for one in days if one]
    today, *past = map(float, model.strangeness(np.stack([seen.values, *known])))  # together: it costs as much as one
    earlier = iter(past)
    return seen, today + evidence([next(earlier) if one else 0.0 for one in days])


def seen_by(model: Model, watched: Watched) -> Columns:
    return columns(model.features, watched.measures, watched.earlier, watched.groups, model.peers)


def finding(
    found: Strange, model: Model, subject: Subject, who_zh: str, who_en: str, checks: Sequence[Check]
) -> Iterator[Finding]:
    """None if the day is not strange enough for a lead."""
    level = model.level(found.total)
    if level is None:
        return
    reasons = model.reasons(found.columns, SHOWN)
    score, least = round(found.total, 2), round(min(model.thresholds.values()), 2)
    start = found.watched.start
    yield Finding(
        level=level,
        subject=subject,
        zh=f"{HINT_ZH}：{day_zh(start)}{who_zh}{'、'.join(map(_zh, reasons[:IN_SENTENCE]))}；"
        f"异常分{score:g}（阈值{least:g}）。",
        en=f"{HINT_EN[0].upper()}{HINT_EN[1:]}: {who_en} on {day_en(start)}: "
        f"{'; '.join(map(_en, reasons[:IN_SENTENCE]))}; anomaly score {score:g} (threshold {least:g}).",
        shows=found.watched.bills,
        figures=(
            Figure("anomaly_score", score, least, ""),
            *map(_figure, reasons),
        ),
        exclusions=(taken_back(), no_tests()),
        checks=checks,
        model_version=model.version,
        explanation=tuple(map(told, reasons)),
    )


def _figure(reason: scored_by.Reason) -> Figure:
    if reason.feature.unit == "share":
        return Figure(reason.feature.name, round(100 * reason.value, 1), None, "%")
    return Figure(reason.feature.name, round(reason.value, 2), None, reason.feature.unit)


def _zh(reason: scored_by.Reason) -> str:
    f = reason.feature
    own = f"，自身平日{f.told(reason.own, 'zh')}" if reason.own is not None else ""
    return f"{f.zh}{f.told(reason.value, 'zh')}（同类中位数{f.told(reason.peers, 'zh')}{own}，占{reason.share:.0%}）"


def _en(reason: scored_by.Reason) -> str:
    f = reason.feature
    own = f", its own usual {f.told(reason.own, 'en')}" if reason.own is not None else ""
    return (
        f"{f.en} {f.told(reason.value, 'en')} (median of peers {f.told(reason.peers, 'en')}{own}, {reason.share:.0%})"
    )


def told(reason: scored_by.Reason) -> Reason:
    return Reason(
        name=reason.feature.name,
        value=round(reason.value, 4),
        peers=round(reason.peers, 4),
        own=None if reason.own is None else round(reason.own, 4),
        share=round(reason.share, 4),
        unit=reason.feature.unit,
    )


def whole_day(start: datetime, zh: str, en: str) -> Check:
    return Check(zh, en, start, start + DAY)
