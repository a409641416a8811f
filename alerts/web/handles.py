"""Names for subjects that a page shows only in part, so that no link tells more than the page.

A handle is a keyed digest, good only together with a lead that names the subject: who may see that lead may see it.
"""

import hmac
from urllib.parse import quote

from fastapi import HTTPException
from sqlalchemy import select

from alerts import tables as t
from alerts.involved import main_subjects
from alerts.web.desk import Desk
from detectors.finding import Subject

NAMED = frozenset({"org", "till", "area", "device"})  # kinds that may be asked for by their id too
KINDS = NAMED | {"person", "doctor", "stay", "trace_code", "drug", "group"}
ALERT_ID = 36  # characters
LONGEST = 200  # characters of an id


def path_of(subject: Subject, via: str, secret: str) -> str:
    """The page of whoever a subject is mainly about. via: a lead that names it."""
    main = next(main_subjects(subject))
    return f"/subjects/{main.kind}/{quote(via)}/{handle_of(main, secret)}"


def subject_at(kind: str, name: str, desk: Desk, secret: str) -> Subject:
    """Whom an address means. Raises HTTPException (404)."""
    if kind not in KINDS or not 0 < len(name) <= LONGEST:
        raise HTTPException(404)
    via, _, handle = name.partition("/")
    if kind in NAMED and len(via) != ALERT_ID:
        return Subject(kind, name)
    for subject in _named_by(via, desk):
        if subject.kind == kind and hmac.compare_digest(handle_of(subject, secret).encode(), handle.encode()):
            return subject
    raise HTTPException(404)


def handle_of(subject: Subject, secret: str) -> str:
    """The handle alone."""
    return hmac.new(secret.encode(), f"{subject.kind}:{subject.id}".encode(), "sha256").hexdigest()[:24]


def _named_by(alert_id: str, desk: Desk) -> list[Subject]:
    row = desk.row(alert_id)
    if row is None:
        return []
    i = t.involved.c
    with desk.store.engine.connect() as db:
        named = [Subject(kind, name) for kind, name in db.execute(select(i.kind, i.id).where(i.alert_id == alert_id))]
    orgs = [Subject("org", org) for org in row.orgs]
    return [*named, *orgs, *main_subjects(Subject(row.subject_kind, row.subject_id))]
