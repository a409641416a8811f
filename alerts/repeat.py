"""How often a subject was named before: the standing alerts about it that were first seen earlier than this one.

Part of the risk order. Stands beside the alert, as a function of the alerts that stand.
"""

from collections.abc import Iterable

from sqlalchemy import bindparam, select, tuple_, update

from alerts import tables as t
from alerts.writing import Writing, portions
from detectors.finding import Subject


def count(writing: Writing, subjects: Iterable[Subject]) -> None:
    """Count anew for all alerts about these subjects."""
    a = t.alert.c
    query = select(a.alert_id, a.subject_kind, a.subject_id, a.status, a.named_before)
    # among equals in time the id decides: each alert was named after the others, or before
    query = query.order_by(a.subject_kind, a.subject_id, a.first_seen, a.alert_id)
    changed: list[dict[str, object]] = []
    for some in portions(subjects):
        seen: dict[Subject, int] = {}
        for name, kind, subject_id, status, known in writing.db.execute(
            query.where(tuple_(a.subject_kind, a.subject_id).in_(some))
        ):
            subject = Subject(kind, subject_id)
            before = seen.get(subject, 0)
            seen[subject] = before + (status == "open")
            if before != known:
                changed.append({"name": name, "before": before})
    if changed:
        one = update(t.alert).where(a.alert_id == bindparam("name")).values(named_before=bindparam("before"))
        writing.db.execute(one, changed)
