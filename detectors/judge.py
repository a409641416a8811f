"""Every detector gets its say, again whenever its unit turns out otherwise."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from detectors.detector import Detector, Finding, Gate
from detectors.event import NEVER, Event, Kind, PersonRecord, Record
from detectors.file import Fallen, File, Home
from detectors.finding import Lead, UnitId, Verdict
from detectors.lead import lead_of, version_of
from detectors.ledger import LEDGERS, PERSON, Ledger, Place, home_of, places
from detectors.memory import Memory, Missing, View, Wake
from detectors.unit import HOUR, Unit, day_end, day_start

AT_ONCE = 2_000  # wakes judged in one go


@dataclass(frozen=True, slots=True)
class Answer:
    leads: tuple[Lead, ...]
    wake: datetime | None  # the earliest that was asked for: then it asks for the next
    ticket: int


class Judge:
    """Turns arrivals into verdicts, over a memory that other judges may share.

    A detector that raises is reported as ``on_crash(unit, error)`` and silences nobody else.
    """

    def __init__(
        self,
        *,
        memory: Memory,
        detectors: Sequence[Detector],
        publish: Callable[[Sequence[Verdict]], None],
        on_crash: Callable[[UnitId, Exception], None],
    ) -> None:
        self.memory, self.publish, self.on_crash = memory, publish, on_crash
        self._detectors = {detector.id: detector for detector in detectors}
        self._versions = {detector.id: version_of(detector) for detector in detectors}
        self._readers: dict[Kind, list[tuple[Ledger, list[tuple[Detector, Gate]]]]] = defaultdict(list)
        self._linked: dict[Kind, list[tuple[Detector, Any]]] = defaultdict(list)  # Any: a Link of that kind
        for ledger in LEDGERS:
            for kind in ledger.keys:
                shown = ledger.kinds_of(kind)
                if readers := [(d, d.gate) for d in detectors if d.of is ledger and not shown.isdisjoint(d.reads)]:
                    self._readers[kind].append((ledger, readers))
        for detector in detectors:
            for link in detector.links:
                for kind in link.ledger.keys:
                    if not link.ledger.kinds_of(kind).isdisjoint(link.reads):
                        self._linked[kind].append((detector, link))

    def hear(self, arrivals: Sequence[Event]) -> None:
        """Publish all that may now have to be said otherwise; the arrivals are then done with.

        A repeat is judged like the first time: it may be all that is left of a crash.
        """
        view = self.memory.remember(arrivals)
        units, wakes = self._touched(arrivals, view)
        # what has fallen is known in one person's file; tills and wards must be told
        news = dict.fromkeys(fallen for a in arrivals for fallen in cast(Home, view.file(home_of(a))).news(a))
        if news:
            later = self.memory.remember(list(news))
            told, more = self._touched(news, later)
            self._judge([(told, later), (units - told, view)], wakes | more)
        else:
            self._judge([(units, view)], wakes)

    def learn(self, records: Sequence[Record]) -> None:
        """Keep reference records; what a person's own record changes is judged again.

        A record of another kind that comes late concerns events that only the archive can name: hear those again.
        """
        self.memory.learn(records)
        people: dict[Place, datetime] = {}
        for record in records:
            if isinstance(record, PersonRecord):
                place = Place(PERSON.name, record.person)
                people[place] = min(record.valid_from, people.get(place, record.valid_from))
        if people:
            view = self.memory.remember(())
            self.memory.fetch(view, people)
            files = [(cast(Home, view.file(place)), since) for place, since in people.items()]
            self.touch([copy for file, since in files for copy in file.copies() if copy.happened_at >= since])

    def touch(self, rows: Sequence[Event]) -> None:
        """Judge again as if these had just arrived. They are remembered already."""
        if rows:
            view = self.memory.remember(())
            self.memory.fetch(view, {Place(ledger.name, key) for row in rows for ledger, key in places(row)})
            units, wakes = self._touched(rows, view)
            self._judge([(units, view)], wakes)

    def tick(self) -> bool:
        """Publish what has become due. Several workers may tick at once. False: nothing more is due."""
        due = self.memory.due(AT_ONCE)
        if due:
            crashed = self._judge([({wake.unit for wake in due}, self.memory.remember(()))])
            self.memory.woken(due)
            if crashed:  # its wake is kept, but must not hold up the others
                now = self.memory.remember(()).now
                self.memory.conclude({}, (), [Wake(now + HOUR, unit) for unit in crashed])
        return len(due) == AT_ONCE

    def _touched(self, rows: Iterable[Any], view: View) -> tuple[set[UnitId], set[Wake]]:
        """The units that can see these rows: late or not, told for the first time or again. Any: Event or Fallen.

        Those to be judged now, and those that wait for the end of the row's day.
        """
        units: set[UnitId] = set()
        wakes: set[Wake] = set()
        for row in rows:
            fallen = isinstance(row, Fallen)
            event = row.event if fallen else row
            kind = type(event)
            for ledger, readers in self._readers.get(kind, ()):
                for key in ledger.keys[kind](event):
                    file = view.file(Place(ledger.name, key))
                    for detector, gate in readers:
                        # what is gone leaves too few rows behind for a gate to count
                        if fallen or gate.opens(event, file, detector.reads):
                            found = [UnitId(detector.id, key, cell) for cell in detector.cell.touched(event, file)]
                            if gate.at_day_end:
                                wakes.update(Wake(day_end(event.happened_at), unit) for unit in found)
                            else:
                                units.update(found)
            for detector, link in self._linked.get(kind, ()):
                for key in link.ledger.keys[kind](event):
                    for touched in link.units(event, view.file(Place(link.ledger.name, key)), view.now):
                        unit = UnitId(detector.id, *touched)
                        if detector.gate.at_day_end:
                            wakes.add(Wake(day_end(event.happened_at), unit))
                        else:
                            units.add(unit)
        return units, wakes

    def _judge(self, asked: Sequence[tuple[Iterable[UnitId], View]], later: Iterable[Wake] = ()) -> set[UnitId]:
        """Publish what is to be said of these units, each by its own view. Returns those whose detector raised."""
        crashed: set[UnitId] = set()
        found: list[Verdict] = []
        while asked:
            answers: dict[UnitId, Answer] = {}
            for units, view in asked:
                for unit, answer in self._ask(units, view):
                    if answer is None:
                        crashed.add(unit)
                    else:
                        answers[unit] = answer
            said = {unit: (a.ticket, self._read_by(unit, asked)) for unit, a in answers.items() if a.leads}
            wakes = [*(Wake(a.wake, unit) for unit, a in answers.items() if a.wake), *later]
            silent = [unit for unit, a in answers.items() if not a.leads]
            grown, spoken = self.memory.conclude(said, silent, wakes)
            found += [Verdict(unit, answers[unit].ticket, answers[unit].leads) for unit in said if unit not in grown]
            found += [Verdict(unit, answers[unit].ticket, ()) for unit in silent if unit in spoken]
            # somebody added to what a finding rests on: by a later ticket it is said as it now stands
            asked, later = [(grown, self.memory.remember(()))] if grown else [], ()
        if found:
            self.publish(found)
        return crashed

    def _ask(self, units: Iterable[UnitId], view: View) -> Iterator[tuple[UnitId, Answer | None]]:
        waiting = sorted(units)
        while waiting:
            lacking: dict[UnitId, Place] = {}
            for unit in waiting:
                try:
                    yield unit, self._answer(unit, view)
                except Missing as missing:
                    lacking[unit] = missing.place
                except Exception as crash:  # noqa: BLE001 - the one place: a detector that raises silences nobody else
                    self.on_crash(unit, crash)
                    yield unit, None
            if lacking:
                self.memory.fetch(view, set(lacking.values()))
            waiting = list(lacking)  # judging is pure: what lacked a file is simply judged again

    def _answer(self, unit: UnitId, view: View) -> Answer:
        detector = self._detectors[unit.detector]
        file = view.file(Place(detector.of.name, unit.key))
        daily = detector.gate.at_day_end
        shown = Unit(
            key=unit.key,
            cell=unit.cell,
            span=detector.cell.span(unit.cell, file),
            now=view.now,
            file=file,
            reads=detector.reads,
            look=view.file,
            fact=view.fact,
            horizon=day_start(view.now) if daily else NEVER,
        )
        findings: list[Finding] = list(detector.judge(shown))
        wake = min(shown.wakes, default=None)
        if daily and wake is not None and wake != day_start(wake):
            wake = day_end(wake)
        if not findings:
            return Answer((), wake, view.ticket)
        period = detector.cell.period(unit.cell, file)
        version = self._versions[detector.id]
        return Answer(tuple(lead_of(detector, version, period, f) for f in findings), wake, view.ticket)

    def _read_by(self, unit: UnitId, asked: Sequence[tuple[Iterable[UnitId], View]]) -> set[Place]:
        """All files and facts that a unit looks at: judged once more, since judging is pure and findings are rare."""
        view = next(view for units, view in asked if unit in units)
        read: set[Place] = set()

        def file(place: Place) -> File:
            read.add(place)
            return view.file(place)

        def fact(place: Place) -> Sequence[Any]:
            read.add(place)
            return view.fact(place)

        self._answer(unit, View(view.ticket, view.now, file, fact))
        return read
