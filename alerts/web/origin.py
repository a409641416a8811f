"""Where an entered lead comes from, as its page tells it."""

from datetime import datetime, time
from typing import NamedTuple

from alerts.deadlines import CHINA
from alerts.entered import entered, may_ask_paper
from alerts.web.desk import Desk
from alerts.web.wording import Mask, Words


class Origin(NamedTuple):
    """Where an entered lead comes from, as its page tells it. ``paper``: "" where it is confidential."""

    source: str
    told: str
    paper: str
    received: str
    confidential: bool
    by: str
    at: str
    may_ask: bool


def origin(desk: Desk, alert_id: str, words: Words) -> Origin | None:
    """None for a lead that a rule raised."""
    found = entered(desk.store, alert_id)
    row = desk.row(alert_id)
    if found is None or row is None:
        return None
    mask = Mask.of_lead(words, row, ())
    return Origin(
        source=words(f"detector.{found.source}"),
        told=mask(found.told),
        paper=found.paper,
        received=words.day(datetime.combine(found.received, time(12), CHINA)),
        confidential=found.confidential,
        by=found.entered_by,
        at=words.moment(found.entered_at),
        may_ask=found.confidential and may_ask_paper(desk.account, found),
    )
