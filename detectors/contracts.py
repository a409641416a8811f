"""An institution's contract with the fund, as its records tell it (协议状态)."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from detectors.event import NEVER, OrgRecord


class Suspension(NamedTuple):
    """No contract while since <= business time < until; ``notice``: the record that began it.

    until: NEVER while it lasts.
    """

    since: datetime
    until: datetime
    notice: OrgRecord

    @property
    def terminated(self) -> bool:
        return self.notice.contract == "terminated"


def suspensions(records: Sequence[OrgRecord]) -> list[Suspension]:
    """Oldest first. ``records``: of one institution, oldest first; one that only repeats the state changes nothing."""
    found: list[Suspension] = []
    notice: OrgRecord | None = None
    for record in records:
        if record.contract == "active" and notice is not None:
            found.append(Suspension(notice.valid_from, record.valid_from, notice))
            notice = None
        elif record.contract != "active" and notice is None:
            notice = record
    if notice is not None:
        found.append(Suspension(notice.valid_from, NEVER, notice))
    return found
