"""Indicators of institutions for programs."""

from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from alerts.indicators import Indicators, indicators
from alerts.web.answers import answer, as_json
from alerts.web.context import AtDesk

router = APIRouter(prefix="/api/v1")

SHAPES = (Indicators,)


@router.get("/indicators", responses=answer(Indicators))
def told(desk: AtDesk, org: Annotated[str, Query(max_length=64)] = "") -> Response:
    """Costs, shares and in-bed rates of institutions, of one or of all in the areas, counted in the archive."""
    return as_json(indicators(desk.store, areas=desk.account.areas, org=org))
