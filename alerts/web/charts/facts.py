"""The facts of an event of evidence, in words."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from alerts.web.wording import Words, code_tail
from detectors.finding import Evidence

THERE = frozenset({"pass"})
FAILED = frozenset({"face_mismatch", "not_found", "refused", "timeout"})  # readings.md 6, C1
_GROUPS = {
    **{"result": "result", "check_type": "check", "cert": "cert", "verify": "verify", "direction": "direction"},
    **{"inv_type": "inv", "sale_type": "sale"},
}
_MOMENTS = frozenset({"since", "to", "received_at"})
_HIDDEN = frozenset({"received_at", "lines"})  # have their own sections
MOST_CODES = 3


def kind(event: Evidence, words: Words) -> str:
    """What sort of record it is."""
    return words.known("kind", event.event_type)


def told(event: Evidence, words: Words) -> Iterator[tuple[str, str]]:
    """Name and value of what else is known of an event."""
    for name, value in event.facts.items():
        if name not in _HIDDEN and value:
            yield words.known("fact", name), fact(name, value, words)


def fact(name: str, value: str, words: Words) -> str:
    """One fact as people read it."""
    if name in _GROUPS:
        return words.known(_GROUPS[name], value)
    if name in _MOMENTS:
        return words.moment(datetime.fromisoformat(value))
    if name in ("late", "agent"):
        return words("fact.yes")
    if name == "codes":
        codes = value.split()
        more = f" … {len(codes)}" if len(codes) > MOST_CODES else ""
        return ", ".join(map(code_tail, codes[:MOST_CODES])) + more
    return value


def moment(event: Evidence, name: str) -> datetime | None:
    """A time among the facts."""
    value = event.facts.get(name)
    return datetime.fromisoformat(value) if value else None


def delay(event: Evidence) -> timedelta | None:
    """How long after it happened it was received; None if that is not known."""
    received = moment(event, "received_at")
    return received - event.at if received else None


def visit(event: Evidence) -> str:
    """The stay or visit it belongs to."""
    return event.facts.get("mdtrt_id", "")
