"""Why the other rules said nothing of a lead's subject: asked of the live memory when somebody wants to know."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import BoundedSemaphore
from typing import Annotated, NamedTuple

from fastapi import Depends, HTTPException, Request

from alerts.kept import LeadRow
from alerts.web.context import AtDesk, Remembered, Speaks, context
from alerts.web.lead_page import FigureLine, figure_line
from alerts.web.problems import MemoryAwayError
from alerts.web.wording import Mask, Words
from detectors.easing import NEVER_MATCHES
from detectors.finding import Level, Subject
from detectors.nearness import Changed, Explained, Known, Said, Way, near_misses, places_of
from detectors.rules import Limit, Rulebook, limit_in_words

ASKED_AT_ONCE = 2  # each takes a processor for some seconds
WAITS_S = 15.0


class Nearly(NamedTuple):
    """What a rule says, or nearly says. ways: what would make a lead of it, in words; none: there is one."""

    level: Level
    about: str
    figures: Sequence[FigureLine]
    ways: Sequence[str]


class Asked(NamedTuple):
    """One rule, and what it saw. seen: of which records; since when, until when."""

    rule: str
    detector: str
    seen: str
    said: Sequence[Nearly]

    @property
    def state(self) -> str:
        """ "spoke", "near" or "silent"."""
        if not self.said:
            return "silent"
        return "near" if all(one.ways for one in self.said) else "spoke"


class NearlyPage(NamedTuple):
    row: LeadRow
    subject: str
    now: str  # business time of the memory
    rules: Sequence[Asked]  # those that spoke first, then those that nearly did, then the others

    @property
    def silent(self) -> Sequence[Asked]:
        return [rule for rule in self.rules if not rule.said]


_asking = BoundedSemaphore(ASKED_AT_ONCE)
_SPAN = re.compile(r"(\d+)([dhms])")
_UNITS = {"d": "days", "h": "h", "m": "min", "s": "s"}
_ORDER = ("spoke", "near", "silent")


def remembered(request: Request) -> Remembered:
    """Raises HTTPException (404) where the feed was started without a memory to ask."""
    found = context(request).remembered
    if found is None:
        raise HTTPException(404)
    return found


@contextmanager
def asking(ask: Remembered) -> Iterator[tuple[Known, Rulebook]]:
    """The memory, for few at a time. Raises MemoryAwayError."""
    if not _asking.acquire(timeout=WAITS_S):
        raise MemoryAwayError
    try:
        with ask() as found:
            yield found
    except OSError as error:
        raise MemoryAwayError from error
    finally:
        _asking.release()


def nearly_page(row: LeadRow, ask: Remembered, words: Words) -> NearlyPage:
    """Raises MemoryAwayError."""
    subject = Subject(row.subject_kind, row.subject_id)
    with asking(ask) as (known, rules):
        told = near_misses(subject, places_of(subject, known), known.view, rules, fallen=known.fallen, thorough=False)
        now = words.moment(known.view.now)
    mask = Mask.of(words, subject.id.split("/"))
    asked = sorted((_asked(one, mask, words) for one in told), key=lambda one: _ORDER.index(one.state))
    return NearlyPage(row, words.subject(subject.kind, subject.id), now, asked)


def _asked(one: Explained, mask: Mask, words: Words) -> Asked:
    spoken = [_nearly(lead, (), words) for lead in one.leads]
    missed = [_nearly(miss, [_way(way, mask, words) for way in miss.ways], words) for miss in one.near_misses]
    seen = "nearly.seen.none" if one.since is None or one.to is None else "nearly.seen"
    count = sum(one.rows.values())
    span = words.days(one.since, one.to) if one.since and one.to else ""
    return Asked(words.known("detector", one.name), one.detector, words(seen, n=count, span=span), [*spoken, *missed])


def _nearly(said: Said, ways: Sequence[str], words: Words) -> Nearly:
    period = words.days(said.period.since, said.period.to) if said.period.name else ""
    figures = [figure_line(figure, words) for figure in said.figures]
    about = "　".join(filter(None, (words.subject(said.subject.kind, said.subject.id), period)))
    return Nearly(said.level, about, figures, ways)


def _way(way: Way, mask: Mask, words: Words) -> str:
    if way.excused:
        facts = "；" if words.lang == "zh" else "; "
        situation = words.known("exclusion", way.excused.code)
        return words("nearly.way.excused", situation=situation, facts=mask(facts.join(way.excused.facts)))
    return words("nearly.way.limits", limits=words("nearly.and").join(_limits(way.thresholds, words)))


def _limits(changed: Sequence[Changed], words: Words) -> Iterator[str]:
    for one in changed:
        if one.would_do in ([], NEVER_MATCHES):
            yield words("nearly.way.unnamed", name=_name(one.threshold, words))
            continue
        yield words(
            "nearly.way.limit",
            name=_name(one.threshold, words),
            then=_limit(one.would_do, words),
            now=_limit(one.in_force, words),
        )


def _name(threshold: str, words: Words) -> str:
    """In words, with the name that the file of rules has for it; the bare name where we have no words."""
    told = words.known("limit", threshold)
    return told if told == threshold else words("nearly.limit.name", told=told, name=threshold)


def _limit(limit: Limit, words: Words) -> str:
    """Spans such as "2d" in words."""
    told = limit_in_words(limit)
    span = _SPAN.fullmatch(told)
    return words(f"unit.{_UNITS[span[2]]}", n=span[1]) if span else told


Memory = Annotated[Remembered, Depends(remembered)]


def told_nearly(desk: AtDesk, words: Speaks, ask: Memory, alert_id: str) -> NearlyPage:
    """Of the lead of this id. Raises HTTPException (404), MemoryAwayError."""
    told = desk.told(alert_id)
    if told is None:
        raise HTTPException(404)
    return nearly_page(told.detail.row, ask, words)
