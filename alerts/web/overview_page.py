"""How things stand as a whole, as a page."""

from collections.abc import Sequence
from typing import NamedTuple

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerts.indicators import Indicators, indicators
from alerts.outcomes import Share, wilson
from alerts.overview import DAYS, Hand, Overview, overview
from alerts.web.charts import overall
from alerts.web.charts.drawing import Chart
from alerts.web.context import AtDesk, Speaks
from alerts.web.indicators_page import Part, part
from alerts.web.outcomes_page import percent
from alerts.web.pages import draw_page
from alerts.web.wording import Words

router = APIRouter(include_in_schema=False)


class Headline(NamedTuple):
    """A figure, what it counts, and what of that is past its day."""

    figure: str
    what: str
    late: str = ""


class OverviewPage(NamedTuple):
    """Everything on the page; a picture is None where there is nothing to draw."""

    heads: Sequence[Headline]
    kinds: Chart | None
    waiting: Chart
    hands: Sequence[Hand]
    steps: Chart
    shares: Chart | None
    months: Chart
    indicators: Part


@router.get("/overview")
async def page(request: Request, desk: AtDesk, words: Speaks) -> Response:
    """Of the leads within the reader's areas."""
    told = await run_sync(lambda: overview(desk.store, desk.now, areas=desk.account.areas))
    counted = await run_sync(lambda: indicators(desk.store, areas=desk.account.areas))
    shown = overview_page(told, counted, words)
    return draw_page(request, "overview.html", words, told=shown, account=desk.account, reads=True)


def overview_page(told: Overview, counted: Indicators, words: Words) -> OverviewPage:
    """In one language."""
    return OverviewPage(
        heads=_heads(told, words),
        kinds=overall.kinds(told, words),
        waiting=overall.waiting(told.waiting, words),
        hands=told.hands,
        steps=overall.steps(told.steps, words),
        shares=overall.shares(told.outcomes.detectors, words),
        months=overall.months(told.months, words),
        indicators=part(counted, words),
    )


def _heads(told: Overview, words: Words) -> list[Headline]:
    open_now = sum(one.leads for one in told.waiting)
    late = sum(one.overdue for one in told.waiting)
    found = sum(one.found_fen for one in told.outcomes.detectors)
    recovered = told.steps[-1].fen
    share = confirmed(told)
    back = words("overview.head.of_found", share=percent(recovered / found)) if found else ""
    interval = words("overview.head.interval", low=percent(share.low), high=percent(share.high)) if share.of else ""
    return [
        Headline(
            words("overview.leads", n=f"{open_now:,}"),
            words("overview.head.open"),
            words("overview.late", n=f"{late:,}") if late else "",
        ),
        Headline(
            words("overview.leads", n=f"{told.leads:,}"),
            words("overview.head.raised", n=DAYS, mean=f"{told.leads / DAYS:,.1f}"),
        ),
        Headline(words("overview.large_yuan", n=overall.large(told.at_stake_fen, words)), words("overview.head.stake")),
        Headline(
            words("overview.large_yuan", n=overall.large(recovered, words)), words("overview.head.recovered") + back
        ),
        Headline(percent(share.share) or "—", words("overview.head.confirmed") + interval),
    ]


def confirmed(told: Overview) -> Share:
    """Of all kinds together."""
    of = sum(one.confirmed_share.of for one in told.outcomes.detectors)
    return wilson(sum(one.confirmed for one in told.outcomes.detectors), of)
