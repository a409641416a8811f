"""Who holds points this year, as a page."""

from collections.abc import Sequence
from typing import NamedTuple

from fastapi import APIRouter, Request
from fastapi.responses import Response

from alerts.ledgers import FULL, NEARLY, Balance, balances
from alerts.web.context import AtDesk, Speaks
from alerts.web.pages import draw_page
from alerts.web.wording import Words

router = APIRouter(include_in_schema=False)

BAR = 120  # pixels of a full year


class Line(NamedTuple):
    """One subject. ``bar``: pixels; ``state``: full, nearly or ""."""

    kind: str
    name: str
    points: int
    times: int
    bar: int
    state: str
    last: str
    iso: str
    leads: Sequence[tuple[str, str]]  # id and the first of it


@router.get("/ledgers")
def page(request: Request, desk: AtDesk, words: Speaks) -> Response:
    """The same as a table that sorts."""
    found = balances(desk.store, desk.now, areas=desk.account.areas)
    lines = [_line(one, words) for one in found]
    return draw_page(
        request, "ledgers.html", words, lines=lines, full=FULL, width=BAR, account=desk.account, reads=True
    )


def _line(one: Balance, words: Words) -> Line:
    is_org = one.subject_kind == "org"
    return Line(
        kind=words(f"work.ledger.{one.subject_kind}"),
        name=words.org(one.subject_id) if is_org else one.subject_id,
        points=one.points,
        times=one.times,
        bar=round(BAR * min(1, one.points / FULL)),
        state="full" if one.points >= FULL else "nearly" if one.points >= NEARLY else "",
        last=words.day(one.last),
        iso=one.last.isoformat(),
        leads=[(lead, lead[:8].upper()) for lead in one.leads],
    )
