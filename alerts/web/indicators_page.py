"""Indicators of institutions, as a page and as a part of others."""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerts.deadlines import CHINA
from alerts.indicators import (
    AT_LEAST,
    FEWEST,
    IN_BED_LEAST,
    SHARES,
    TOO_MUCH,
    Indicator,
    IndicatorKind,
    Indicators,
    indicators,
)
from alerts.web.charts import beds
from alerts.web.charts.drawing import Chart
from alerts.web.context import AtDesk, Speaks
from alerts.web.pages import draw_page
from alerts.web.wording import Words

router = APIRouter(include_in_schema=False)

WORST = 8  # on the overview; the rest has a page of its own
MOST = 2_000  # lines on that page


class Line(NamedTuple):
    """One institution's indicator. ``state``: bad, few (cases) or ""; ``off``: in words; ``by``: what it sorts by."""

    path: str
    org: str
    kind: str
    value: str
    target: str
    off: str
    by: float
    cases: str
    period: str
    state: str


class Part(NamedTuple):
    """What a page shows. ``counted``: as of when, and over what; "" where nothing was ever counted."""

    counted: str
    beds: Chart | None
    lines: Sequence[Line]
    more: int  # lines that are only on the page with all of them
    note: str


@router.get("/indicators")
def page(request: Request, desk: AtDesk, words: Speaks) -> Response:
    """All within the reader's areas."""
    told = part(indicators(desk.store, areas=desk.account.areas), words, MOST)
    return draw_page(request, "indicators.html", words, told=told, account=desk.account, reads=True)


def part(told: Indicators, words: Words, most: int = WORST) -> Part:
    """In one language."""
    if told.computed_at is None or told.until is None:
        return Part("", None, (), 0, "")
    last = datetime.combine(told.until - timedelta(days=1), time(), CHINA)
    return Part(
        counted=words("indicators.counted", at=words.moment(told.computed_at), until=words.day(last)),
        beds=beds.in_bed(told.days, words),
        lines=[_line(one, words) for one in told.orgs[:most]],
        more=max(0, len(told.orgs) - most),
        note=words("indicators.note", few=FEWEST, much=f"{TOO_MUCH:.0%}", least=f"{IN_BED_LEAST:.0%}"),
    )


def _line(one: Indicator, words: Words) -> Line:
    few = one.cases < FEWEST
    beyond = None if one.off is None else -one.off if one.kind in AT_LEAST else one.off
    return Line(
        path=f"/subjects/org/{one.org}",
        org=words.org(one.org),
        kind=words(f"indicator.{one.kind}"),
        value=_told(one.kind, one.value, words),
        target=_told(one.kind, one.target, words) if one.target else "—",
        off=words("indicators.few") if few else "—" if beyond is None else f"{beyond:+.0%}",
        by=-9.0 if one.off is None else round(one.off, 4),
        cases=f"{one.cases:,}",
        period=_period(one, words),
        state="bad" if one.is_bad else "few" if few else "",
    )


def _told(kind: IndicatorKind, value: float, words: Words) -> str:
    return f"{value:.1%}" if kind in SHARES else words("indicators.yuan", n=words.yuan(round(value * 100)))


def _period(one: Indicator, words: Words) -> str:
    return words.days(*(datetime.combine(day, time(), CHINA) for day in (one.since, one.until)))
