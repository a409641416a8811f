"""What becomes of a verdict: alerts are opened, changed, withdrawn and reopened.

Per unit a verdict replaces all that the unit said before, unless a higher ticket was heard. So the alerts that stand
are a function of the *set* of verdicts: verdicts may come in any order, in any batches and any number of times.

An alert gets a new revision when anything that its lead says changed, be it a figure, an amount or the wording.
Never compared are what the keeper adds: revision, status, raised_at (which stays that of the first revision). Hearing
again what was already said changes nothing; a higher ticket alone moves only the unit's ticket.

What the store says beside an alert (inhibited, named before, snoozed) follows in the same transaction, and is no
revision of it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import Struct
from msgspec.structs import astuple

from alerts import inhibition, repeat, snooze
from alerts.alert import Alert, open_alert
from alerts.kept import KEEPER, Note, Revision, Said
from alerts.merge import by_alert, merged
from alerts.store import Store
from alerts.writing import Writing
from detectors.finding import Lead, Subject, UnitId, Verdict


class Change(StrEnum):
    """What happened to an alert; the kind of its row in alert_event."""

    CREATED = "created"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"
    REOPENED = "reopened"


class Changed(Struct, frozen=True):
    """An alert at a new revision. ``lead``: what it tells of; of a withdrawn one, what it told of last."""

    change: Change
    alert: Alert
    lead: Lead


@dataclass(slots=True)
class Table:
    """All alerts, or those that a batch concerns, in memory. ``alerts`` holds each at its newest revision."""

    tickets: dict[UnitId, int] = field(default_factory=dict)
    said: dict[UnitId, dict[str, Lead]] = field(default_factory=dict)  # what each unit says now, by alert
    sayers: dict[str, dict[UnitId, Lead]] = field(default_factory=dict)  # the same, from the alert's side
    standing: dict[str, Lead | None] = field(default_factory=dict)  # what they say together, worked out when asked
    alerts: dict[str, Alert] = field(default_factory=dict)

    def keep(self, verdict: Verdict, raised_at: datetime) -> list[Changed]:
        """Take in one verdict."""
        unit = verdict.unit
        if verdict.ticket < self.tickets.get(unit, verdict.ticket):
            return []
        self.tickets[unit] = verdict.ticket
        before, now = self.said.get(unit, {}), by_alert(verdict.leads)
        differing = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
        changes = (self._hear(unit, name, now, raised_at) for name in differing)
        return [change for change in changes if change is not None]

    def say(self, unit: UnitId, name: str, lead: Lead | None) -> None:
        """From now on the unit says this of the alert, or nothing of it any more."""
        said, sayers = self.said.setdefault(unit, {}), self.sayers.setdefault(name, {})
        if lead is None:
            del said[name], sayers[unit]
        else:
            said[name] = sayers[unit] = lead
        self.standing.pop(name, None)

    def _together(self, name: str) -> Lead | None:
        if name not in self.standing:
            self.standing[name] = merged(self.sayers.get(name, {}))
        return self.standing[name]

    def _hear(self, unit: UnitId, name: str, now: dict[str, Lead], raised_at: datetime) -> Changed | None:
        former = self._together(name)
        self.say(unit, name, now.get(name))
        changed = follow(self.alerts.get(name), former, self._together(name), now, raised_at)
        if changed is not None:
            self.alerts[name] = changed.alert
        return changed


def follow(
    alert: Alert | None, former: Lead | None, lead: Lead | None, now: dict[str, Lead], raised_at: datetime
) -> Changed | None:
    """What becomes of an alert that told of ``former`` and is to tell of ``lead``; None: nothing.

    now: all that the unit says that has just spoken, by alert: what a withdrawn alert may have passed into.
    """
    if former == lead:
        return None
    if alert is None:
        return Changed(Change.CREATED, open_alert(lead, 1, raised_at), lead) if lead else None
    if lead is None:
        return Changed(Change.WITHDRAWN, _withdrawn(alert, _why(former, now)), former) if former else None
    change = Change.REOPENED if former is None else Change.CHANGED
    return Changed(change, open_alert(lead, alert.revision + 1, alert.raised_at), lead)


def _withdrawn(alert: Alert, because: str) -> Alert:
    return msgspec.structs.replace(alert, revision=alert.revision + 1, status="withdrawn", withdrawn_because=because)


def _why(former: Lead, now: dict[str, Lead]) -> str:
    """Why an alert no longer stands, as far as verdicts tell."""
    events = set(former.events)
    passed_on = events.intersection(event for lead in now.values() for event in lead.events)
    if passed_on:
        return f"重新判断后本条不再成立：原 {len(events)} 个事件中有 {len(passed_on)} 个已归入其他疑点。"
    if events:
        return f"重新判断后本条不再成立：因冲正、更正或迟到数据，原 {len(events)} 个事件不再构成疑点。"
    return "重新判断后本条不再成立：因冲正、更正或迟到数据，原有依据已不存在。"


def keep_in_memory(table: Table, verdicts: Iterable[Verdict], raised_at: datetime) -> list[Changed]:
    """Take in verdicts without a store, as a replay does; the same outcome as ``keep``."""
    return [changed for verdict in verdicts for changed in table.keep(verdict, raised_at)]


def keep(store: Store, verdicts: Sequence[Verdict], raised_at: datetime) -> list[Changed]:
    """Take in a batch of verdicts in one transaction; what changed, in order. Raises STORE_AWAY, then nothing is kept.

    Blocks: from an event loop call it in a thread.
    """
    if not verdicts:
        return []
    with store.writing() as writing:
        table = _load(writing, verdicts)
        tickets, said = dict(table.tickets), _flat(table)
        changes = keep_in_memory(table, verdicts, raised_at)
        writing.put_tickets({unit: heard for unit, heard in table.tickets.items() if tickets.get(unit) != heard})
        _save_said(writing, said, _flat(table))
        _save_alerts(writing, changes, raised_at)
        _settle(writing, changes, raised_at)
    return changes


def _load(writing: Writing, verdicts: Sequence[Verdict]) -> Table:
    """All that bears on these verdicts: their units, and the alerts these speak or spoke of."""
    units = {verdict.unit for verdict in verdicts}
    names = {name for verdict in verdicts for name in by_alert(verdict.leads)}
    table = Table(tickets=writing.tickets(units))
    for said in writing.said(units, names):
        table.say(said.unit, said.alert_id, msgspec.json.decode(said.lead, type=Lead))
        names.add(said.alert_id)
    for body in writing.bodies(names):
        alert = msgspec.json.decode(body, type=Alert)
        table.alerts[alert.alert_id] = alert
    return table


def _flat(table: Table) -> dict[tuple[UnitId, str], Lead]:
    return {(unit, name): lead for unit, leads in table.said.items() for name, lead in leads.items()}


def _save_said(writing: Writing, before: dict[tuple[UnitId, str], Lead], now: dict[tuple[UnitId, str], Lead]) -> None:
    writing.unsay(before.keys() - now.keys())
    new = ((key, lead) for key, lead in now.items() if before.get(key) is not lead)
    writing.put_said(Said(unit, name, msgspec.json.encode(lead)) for (unit, name), lead in new)


def _save_alerts(writing: Writing, changes: Sequence[Changed], at: datetime) -> None:
    """Every revision goes to alert_event, the newest of each alert to its tables."""
    bodies = [msgspec.json.encode(changed.alert) for changed in changes]
    notes = [_note(changed, body, at) for changed, body in zip(changes, bodies, strict=True)]
    newest: dict[str, Revision] = {}
    for seq, changed, body in zip(writing.append(notes), changes, bodies, strict=True):
        newest[changed.alert.alert_id] = Revision(changed.alert, changed.lead, body, seq, at)
    writing.put_alerts(list(newest.values()))


def _note(changed: Changed, body: bytes, at: datetime) -> Note:
    return Note(
        kind=changed.change.value,
        actor=KEEPER,
        at=at,
        alert_id=changed.alert.alert_id,
        revision=changed.alert.revision,
        data=body,
    )


def _settle(writing: Writing, changes: Sequence[Changed], at: datetime) -> None:
    """What these changes mean for what stands beside alerts, theirs and others'."""
    standing = {changed.alert.alert_id: changed.lead if changed.alert.status == "open" else None for changed in changes}
    subjects = {changed.alert.alert_id: Subject(*astuple(changed.alert.subject)) for changed in changes}
    repeat.count(writing, set(subjects.values()))
    inhibition.settle(writing, standing, at)
    levels = [(changed.alert.alert_id, changed.alert.level) for changed in changes if changed.alert.status == "open"]
    snooze.heed(writing, [(name, subjects[name], level) for name, level in levels], at)


def alert_lines(alerts: Iterable[Alert]) -> Iterator[bytes]:
    """An alert file: one JSON line per alert at its highest revision, withdrawn ones too, sorted by alert_id."""
    newest: dict[str, Alert] = {}
    for alert in alerts:
        known = newest.get(alert.alert_id)
        if known is None or known.revision < alert.revision:
            newest[alert.alert_id] = alert
    for name in sorted(newest):
        yield msgspec.json.encode(newest[name]) + b"\n"
