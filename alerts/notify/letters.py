"""What a message says: a few leads in one language, pseudonyms in part as pages show them, and where to look."""

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from alerts.entered import entered
from alerts.kept import Detail, LeadRow
from alerts.notify.queue import WITHDRAWN, Waiting
from alerts.notify.targets import Target
from alerts.source import SOURCES
from alerts.store import Store
from alerts.web.lead_page import at_stake
from alerts.web.wording import Lang, Mask, Words

MOST_SHOWN = 20  # leads written out in one message


class Said(Struct, frozen=True, kw_only=True):
    """One lead as a message tells it. ``amount`` in yuan."""

    alert_id: str
    told: str
    detector: str
    heading: str
    sentence: str
    amount: str
    areas: tuple[str, ...]
    link: str


class Letter(Struct, frozen=True, kw_only=True):
    """One message. ``id`` is the same at each attempt; ``beyond``: leads of it that are not written out."""

    id: str
    title: str
    leads: tuple[Said, ...]
    beyond: str
    link: str
    at: datetime


def letter(store: Store, target: Target, messages: Sequence[Waiting], link: str, now: datetime) -> Letter:
    """What these messages say. link: the address of the feed as its readers reach it, or ""."""
    words = Words("en" if target.lang == "en" else "zh", now)
    said = tuple(_all_said(store, messages[:MOST_SHOWN], link, words))
    beyond = len(messages) - len(messages[:MOST_SHOWN])
    return Letter(
        id=_id(one.key for one in messages),
        title=_title(said, len(messages), messages[0].in_digest, words),
        leads=said,
        beyond=words("notify.beyond", n=beyond) if beyond else "",
        link=link,
        at=now,
    )


def trial(target: Target, link: str, now: datetime) -> Letter:
    """A message by which a target can be tried."""
    lang: Lang = "en" if target.lang == "en" else "zh"
    title = Words(lang, now)("notify.trial", name=target.name)
    return Letter(id=_id([(target.name, now.isoformat(), "")]), title=title, leads=(), beyond="", link=link, at=now)


def _all_said(store: Store, messages: Iterable[Waiting], link: str, words: Words) -> Iterable[Said]:
    for one in messages:
        if detail := store.detail(one.alert_id, history=0):
            yield _said(store, detail, one.told, link, words)


def _said(store: Store, detail: Detail, told: str, link: str, words: Words) -> Said:
    row, is_secret = detail.row, is_confidential(store, detail.row)
    said = Mask.of_lead(words, row, detail.evidence)(row.summary_zh if words.lang == "zh" else row.summary_en)
    mark = words("notify.withdrawn") if told == WITHDRAWN else words(f"level.{row.level}")
    subject = words.subject(row.subject_kind, row.subject_id)
    return Said(
        alert_id=row.alert_id,
        told=told,
        detector=row.detector,
        heading=words("notify.heading", mark=mark, detector=words.known("detector", row.detector), subject=subject),
        sentence=words("notify.withheld") if is_secret else said,
        amount=at_stake(row, words),
        areas=row.areas,
        link=f"{link}/alerts/{row.alert_id}" if link else "",
    )


def is_confidential(store: Store, row: LeadRow) -> bool:
    """Does its paper lead to an informant? Then even its sentence, which somebody wrote freely, stays on its page."""
    found = entered(store, row.alert_id) if row.detector in SOURCES else None
    return found is not None and found.confidential


def _title(said: Sequence[Said], count: int, in_digest: bool, words: Words) -> str:
    if in_digest:
        return words("notify.digest", n=count, day=words.day(words.now))
    return said[0].heading if len(said) == 1 else words("notify.several", n=count)


def _id(keys: Iterable[tuple[str, str, str]]) -> str:
    """Receivers that heard of it already can tell by this."""
    return "msg_" + hashlib.sha256("\n".join(map("/".join, keys)).encode()).hexdigest()[:32]
