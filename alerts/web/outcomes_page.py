"""What came of the leads, as a page."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerts.outcomes import Share
from alerts.web.context import AtDesk, Speaks
from alerts.web.pages import draw_page
from alerts.web.wording import Words
from alerts.web.work_api import Days, outcomes_of

router = APIRouter(include_in_schema=False)

PERIODS = (30, 90, 365)  # days on offer; 0: ever


@router.get("/outcomes")
def page(request: Request, desk: AtDesk, words: Speaks, days: Days = 0) -> Response:
    """The same as a table, by detector."""
    return draw_page(
        request,
        "outcomes.html",
        words,
        outcomes=outcomes_of(desk, days).detectors,
        days=days,
        periods=(0, *PERIODS),
        bar=bar,
        percent=percent,
        why=lambda reason: reason_in_words(reason, words),
        account=desk.account,
        reads=True,
    )


def percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def bar(one: Share, width: int) -> tuple[int, int, int]:
    """Where the interval begins and ends and where the share is, on a line of this width."""
    return round((one.low or 0) * width), round((one.high or 0) * width), round((one.share or 0) * width)


def reason_in_words(reason: str, words: Words) -> str:
    """An exclusion with its code, or one of the other reasons."""
    if reason.startswith("X"):
        return f"{reason} {words.known('exclusion', reason)}"
    return words.known("work.reason", reason)
