"""Where an entered lead comes from, as its page tells it."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import NamedTuple

from alerts.corrected import Earlier, earlier, may_correct
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
    may_correct: bool
    earlier: Sequence["Before"]


class Before(NamedTuple):
    """What it said until somebody corrected it."""

    said: str
    about: str
    told: str
    facts: str


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
        may_correct=may_correct(desk.store, desk.account, alert_id),
        earlier=[_before(one, words) for one in earlier(desk.store, alert_id)],
    )


def _before(one: Earlier, words: Words) -> Before:
    told = one.told
    facts = (
        words(f"detector.{told.source}"),
        words.subject(told.subject_kind, told.subject_id),
        " ".join(map(words.org, told.orgs)) or told.area,
        words(f"level.{told.level}"),
        words.yuan(told.amount_fen) if told.amount_fen else "",
        str(told.received),
        told.paper,
    )
    return Before(
        said=words("origin.until", at=words.moment(one.corrected_at), who=one.corrected_by),
        about=told.about,
        told=told.told,
        facts=" · ".join(one for one in facts if one),
    )
