"""Two files of alerts side by side: leads gained, lost and changed, and the money in them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from alerts.alert import Alert
from detectors.finding import Level
from replay.recording import lines

Status = Literal["open", "withdrawn"]


class About(Struct, frozen=True):
    """Whom it is about."""

    kind: str
    id: str


class Time(Struct, frozen=True):
    """Business time covered; ``to`` is None while it lasts."""

    since: datetime = msgspec.field(name="from")
    to: datetime | None = None


class Told(Struct, frozen=True, kw_only=True):
    """An alert as far as two runs are compared by it; a file may say more."""

    alert_id: str
    detector: str
    level: Level
    status: Status
    subject: About
    period: Time
    first_seen: datetime
    events: tuple[str, ...]
    revision: int = 0
    amount_at_risk: str = "0.00"
    summary_zh: str = ""

    @property
    def is_open(self) -> bool:
        return self.status == "open"

    @property
    def fen(self) -> int:
        return int(Decimal(self.amount_at_risk) * 100)


class NotAlertsError(ValueError):
    """A line is no alert. The message says which line of which file, and what is wrong with it."""


def read_alerts(path: str | Path) -> dict[str, Told]:
    """The alerts of a file (plain, .gz or .zst) by their id, each at its highest revision.

    Raises NotAlertsError, OSError.
    """
    decoder = msgspec.json.Decoder(Told)
    told: dict[str, Told] = {}
    for line in lines(path):
        try:
            alert = decoder.decode(line.raw)
            Decimal(alert.amount_at_risk)
        except (msgspec.DecodeError, UnicodeDecodeError, InvalidOperation) as error:
            raise NotAlertsError(f"{path}, line {line.number} is not an alert: {error}") from None
        known = told.get(alert.alert_id)
        if known is None or alert.revision >= known.revision:
            told[alert.alert_id] = alert
    return told


def as_read(alerts: Iterable[Alert]) -> dict[str, Told]:
    """The alerts of a run, as they would be read from a file of them."""
    decode = msgspec.json.Decoder(Told).decode
    return {alert.alert_id: decode(msgspec.json.encode(alert)) for alert in alerts}


class Lead(Struct, frozen=True):
    """A lead that only one of the two has."""

    alert_id: str
    detector: str
    level: Level
    subject: About
    amount: str
    summary_zh: str


class Change(Struct, frozen=True, kw_only=True):
    """A lead that both have, and that says something else in the second."""

    alert_id: str
    detector: str
    subject: About
    level_before: Level
    level_after: Level
    events_gained: tuple[str, ...]
    events_lost: tuple[str, ...]
    amount_before: str
    amount_after: str


class Money(Struct, frozen=True):
    """Yuan at risk in open leads. Leads may share bills: the sums count each lead on its own."""

    before: str
    after: str
    gained: str
    lost: str


class Comparison(Struct, frozen=True):
    """What became of the leads of the first file in the second."""

    equal: bool
    open_before: int
    open_after: int
    gained: tuple[Lead, ...]
    lost: tuple[Lead, ...]
    changed: tuple[Change, ...]
    money: Money


def compare(before: Mapping[str, Told], after: Mapping[str, Told]) -> Comparison:
    """Equal means: the same open leads, each at the same level and with the same events.

    A withdrawn alert is no lead: whether the other file has it, and at which level, makes no difference.
    """
    old = {key: alert for key, alert in before.items() if alert.is_open}
    new = {key: alert for key, alert in after.items() if alert.is_open}
    gained = [new[key] for key in sorted(new.keys() - old.keys())]
    lost = [old[key] for key in sorted(old.keys() - new.keys())]
    changed = [_change(old[key], new[key]) for key in sorted(old.keys() & new.keys()) if _differ(old[key], new[key])]
    return Comparison(
        equal=not (gained or lost or changed),
        open_before=len(old),
        open_after=len(new),
        gained=tuple(map(_lead, gained)),
        lost=tuple(map(_lead, lost)),
        changed=tuple(changed),
        money=Money(_yuan(old.values()), _yuan(new.values()), _yuan(gained), _yuan(lost)),
    )


def _differ(one: Told, other: Told) -> bool:
    return one.level != other.level or set(one.events) != set(other.events)


def _lead(alert: Told) -> Lead:
    return Lead(
        alert.alert_id, alert.detector, alert.level, alert.subject, alert.amount_at_risk, alert.summary_zh
    )  # fmt: skip


def _change(one: Told, other: Told) -> Change:
    return Change(
        alert_id=one.alert_id,
        detector=one.detector,
        subject=one.subject,
        level_before=one.level,
        level_after=other.level,
        events_gained=tuple(sorted(set(other.events) - set(one.events))),
        events_lost=tuple(sorted(set(one.events) - set(other.events))),
        amount_before=one.amount_at_risk,
        amount_after=other.amount_at_risk,
    )


def _yuan(alerts: Iterable[Told]) -> str:
    fen = sum(alert.fen for alert in alerts)
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def in_words(comparison: Comparison) -> str:
    """For people to read, one line a lead."""
    said = [
        f"{comparison.open_before} open leads before, {comparison.open_after} after; "
        f"{len(comparison.gained)} gained, {len(comparison.lost)} lost, {len(comparison.changed)} changed",
        f"at risk: {comparison.money.before} yuan before, {comparison.money.after} after; "
        f"{comparison.money.gained} gained, {comparison.money.lost} lost",
    ]
    for sign, leads in (("+", comparison.gained), ("-", comparison.lost)):
        said += [f"{sign} {_named(lead.detector, lead.level, lead.subject)}  {lead.amount} yuan" for lead in leads]
    for change in comparison.changed:
        level = f"{change.level_before} -> {change.level_after}" if change.level_before != change.level_after else ""
        events = f"events +{len(change.events_gained)} -{len(change.events_lost)}"
        said.append(f"~ {_named(change.detector, change.level_before, change.subject)}  {level or events}")
    said.append("equal" if comparison.equal else "different")
    return "\n".join(said)


def _named(detector: str, level: Level, subject: About) -> str:
    return f"{level:<6} {detector:<28} {subject.kind}:{subject.id}"
