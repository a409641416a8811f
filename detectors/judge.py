"""Every detector gets its say, again whenever its unit turns out otherwise."""

import contextlib
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple, TypeVar, cast

from detectors.detector import Detector, Finding, Gate
from detectors.event import EVER, NEVER, Event, Kind, PersonRecord, Record
from detectors.file import Fallen, File, Home
from detectors.finding import Lead, Period, UnitId, Verdict
from detectors.lead import lead_of
from detectors.ledger import DESK, LEDGERS, PERSON, Filed, Ledger, Place, filed
from detectors.memory import Memory, Missing, Named, View
from detectors.rules import Edition, Rules, rulebook
from detectors.unit import HOUR, Span, Touched, Unit, day_end, day_start

T = TypeVar("T")
AT_ONCE = 2_000  # wakes judged in one go
FILES_AT_ONCE = 1_000  # of persons whose records have changed
ROWS_AT_ONCE = 1_000  # judged again at a time: each lies in a dozen files, which a memory must hold together
TICK = timedelta(microseconds=1)

Clock = Callable[[], float]  # seconds
OnJudged = Callable[[str, bool, float], None]  # detector, whether it found something, and how long it took


class Answer(NamedTuple):
    leads: tuple[Lead, ...]
    wake: datetime | None  # the earliest that was asked for: then it asks for the next
    ticket: int
    read: frozenset[Place]  # all files and facts that the leads rest on; none where there are no leads


class Found(NamedTuple):
    """What an edition of a detector found. period: the cell's, unless the finding has its own."""

    edition: Edition
    period: Period
    finding: Finding

    @property
    def lead(self) -> Lead:
        return lead_of(self.edition.detector, self.edition.version, self.period, self.finding)


def find(editions: Sequence[Edition], unit: UnitId, view: View) -> tuple[list[Found], datetime | None]:
    """What is to be found in a unit, and when it asks to be judged again. Raises Missing.

    Every edition that holds in some of the cell sees all of the unit; of what it finds, that counts which was complete
    while it held: the last event shown says when that was.
    """
    found: list[Found] = []
    wake: datetime | None = None
    alone = len(editions) == 1
    for edition in editions:
        detector = edition.detector
        file = view.file((detector.of.name, unit.key))
        span = detector.cell.span(unit.cell, file)
        if not (alone or edition.overlaps(span)):
            continue
        daily = detector.gate.at_day_end
        shown = Unit(
            key=unit.key,
            cell=unit.cell,
            span=span,
            now=view.now,
            file=file,
            reads=detector.reads,
            look=view.file,
            fact=view.fact,
            horizon=day_start(view.now) if daily else NEVER,
        )
        if findings := list(detector.judge(shown)):
            period = detector.cell.period(unit.cell, file)
            counted = findings if alone else [f for f in findings if edition.holds(_completed(f, period, span))]
            found += [Found(edition, period, finding) for finding in counted]
        if shown.wakes:
            first = min(shown.wakes)
            first = day_end(first) if daily and first != day_start(first) else first
            wake = first if wake is None else min(wake, first)
    return found, wake


def _completed(finding: Finding, cell: Period, span: Span) -> datetime:
    """Within the cell, whatever the finding shows: so one of the editions that see it always counts it."""
    since = (finding.period or cell).since
    last = max((event.happened_at for event in finding.shows), default=since)
    return max(span.start, last) if last < span.end else max(span.start, span.end - TICK)


class Watch(NamedTuple):
    """A detector that is judged where an event enters a file of its own. gate: None: whatever the event."""

    detector: str
    gate: Gate | None
    reads: frozenset[Kind]
    cells: Callable[[Any, File], Iterable[str]]


class Route(NamedTuple):
    """Whom an event of some kind concerns that lies in a file of some ledger."""

    watches: Sequence[Watch]
    links: Sequence[tuple[str, Callable[[Any, File, datetime], Iterable[Touched]]]]

    def note(
        self, units: set[Named], events: Sequence[Any], gated: bool, key: str, file: File, before: datetime
    ) -> None:
        """Add to ``units`` those that can see any of the events. Any: an Event of that kind.

        gated: not what is gone: it leaves too few rows behind for a gate to count.
        """
        for detector, gate, reads, cells in self.watches:
            shuts = gate if gated else None
            if shuts is not None and not shuts.admits(file, reads):
                continue
            for event in events:
                opened = shuts is None
                for cell in cells(event, file):
                    unit = (detector, key, cell)
                    if unit in units:
                        continue
                    if not opened and shuts and not shuts.opens(event, file, reads):
                        break
                    opened = True
                    units.add(unit)
        for detector, led in self.links:
            for event in events:
                for touched, cell in led(event, file, before):
                    units.add((detector, touched, cell))


NOTHING: frozenset[Place] = frozenset()
Waiting = defaultdict[datetime, set[Named]]  # units by when they are to be judged again
Routes = tuple[Route | None, Route | None]  # to be judged at once, and when the event's day is over
NOBODY: Routes = (None, None)
HOMES = (PERSON, DESK)


def batched(items: Iterable[T], size: int) -> Iterator[tuple[T, ...]]:
    """What itertools has from Python 3.12 on."""
    rest = iter(items)
    while some := tuple(islice(rest, size)):
        yield some


def alike(rows: Sequence[Any]) -> Iterable[tuple[tuple[Kind, bool], Sequence[Any]]]:
    """The events of one kind together, apart from those that are gone. Any: Events, or Fallen."""
    kind = type(rows[0])
    if len(rows) == 1 and kind is not Fallen:
        return (((kind, True), rows),)
    groups: dict[tuple[Kind, bool], list[Any]] = {}
    for row in rows:
        fallen = isinstance(row, Fallen)
        event = row.event if fallen else row
        groups.setdefault((type(event), not fallen), []).append(event)
    return groups.items()


def by_day_end(events: Sequence[Any]) -> Iterable[tuple[datetime, Sequence[Any]]]:
    """The events of one day together, by when it ends, +08:00. Any: Events."""
    if len(events) == 1:
        return ((day_end(events[0].happened_at), events),)
    groups: dict[datetime, list[Any]] = {}
    for event in events:
        groups.setdefault(day_end(event.happened_at), []).append(event)
    return groups.items()


class Judge:
    """Turns arrivals into verdicts, over a memory that other judges may share.

    A detector that raises is reported as ``on_crash(unit, error)`` and silences nobody else.
    clock, on_judged: to measure what each detector costs, where anybody wants to know.
    now: the latest business time anybody had seen when something was last heard.
    """

    def __init__(
        self,
        *,
        memory: Memory,
        detectors: Rules,
        publish: Callable[[Sequence[Verdict]], None],
        on_crash: Callable[[UnitId, Exception], None],
        clock: Clock = lambda: 0.0,
        on_judged: OnJudged | None = None,
    ) -> None:
        self.memory, self.publish, self.on_crash = memory, publish, on_crash
        self._clock, self._on_judged = clock, on_judged
        self.now = EVER
        self._rules = rulebook(detectors)
        self._routes = {ledger: dict(self._routes_in(ledger)) for ledger in LEDGERS}

    def _routes_in(self, ledger: Ledger) -> Iterator[tuple[Kind, Routes]]:
        for kind in ledger.keys:
            at_once, daily = (self._route(ledger, kind, at_day_end) for at_day_end in (False, True))
            if at_once or daily:
                yield kind, (at_once, daily)

    def _route(self, ledger: Ledger, kind: Kind, at_day_end: bool) -> Route | None:
        shown = ledger.kinds_of(kind)
        watches = [
            Watch(one.id, gate if gate.shuts else None, one.reads, one.cell.touched)
            for one, gate in self._gates()
            if one.of is ledger and gate.at_day_end == at_day_end and not shown.isdisjoint(one.reads)
        ]
        links = [
            (one.id, link.units)
            for (one, *_), *_ in self._rules
            for link in one.links
            if link.ledger is ledger and kind in (link.led_by or (kind,)) and not shown.isdisjoint(link.reads)
            if one.gate.at_day_end == at_day_end
        ]
        return Route(watches, links) if watches or links else None

    def _gates(self) -> Iterator[tuple[Detector, Gate]]:
        """One for each edition that has another than those before it: a unit is judged if any of them opens."""
        for editions in self._rules:
            known: list[Gate] = []
            for edition in editions:
                gate = edition.detector.gate
                if gate not in known:
                    known.append(gate)
                    yield edition.detector, gate

    def hear(self, arrivals: Sequence[Event]) -> None:
        """Publish all that may now have to be said otherwise; the arrivals are then done with.

        A repeat is judged like the first time: it may be all that is left of a crash.
        """
        view = self.memory.remember(arrivals)
        self.now = view.now
        units, wakes = self._touched(view.entered, view)
        # what has fallen is known in one person's file; tills and wards must be told
        if news := list(dict.fromkeys(self._news(view))):
            later = self.memory.remember(news)
            told, more = self._touched(later.entered, later)
            for at, waiting in more.items():
                wakes[at] |= waiting
            self._judge([(told, later), (units - told, view)], wakes)
        else:
            self._judge([(units, view)], wakes)

    def _news(self, view: View) -> Iterator[Fallen]:
        for ledger in HOMES:
            for key, rows in view.entered[ledger].items():
                home = cast(Home, view.file((ledger.name, key)))
                if not home.peaceful:
                    for row in rows:
                        yield from home.news(row)

    def learn(self, records: Sequence[Record]) -> None:
        """Keep reference records; what a person's own record changes is judged again.

        A record of another kind that comes late concerns events that only the archive can name: hear those again.
        """
        self.memory.learn(records)
        people: dict[Place, datetime] = {}
        for record in records:
            if isinstance(record, PersonRecord):
                place = (PERSON.name, record.person)
                people[place] = min(record.tells_of, people.get(place, record.tells_of))
        for some in batched(people.items(), FILES_AT_ONCE):
            view = self.memory.remember(())
            self.memory.fetch(view, [place for place, _ in some])
            files = [(cast(Home, view.file(place)), since) for place, since in some]
            self.touch([copy for file, since in files for copy in file.copies() if copy.happened_at >= since])

    def touch(self, rows: Sequence[Event]) -> None:
        """Judge again as if these had just arrived. They are remembered already."""
        for some in batched(rows, ROWS_AT_ONCE):
            view = self.memory.remember(())
            entered = filed(some)
            self.memory.fetch(view, [(ledger.name, key) for ledger, files in entered.items() for key in files])
            units, wakes = self._touched(entered, view)
            self._judge([(units, view)], wakes)

    def tick(self, at_once: int = AT_ONCE) -> bool:
        """Publish what has become due. Several workers may tick at once. False: nothing more is due."""
        due = self.memory.due(at_once)
        if due:
            crashed = self._judge([({wake.unit for wake in due}, self.memory.remember(()))])
            self.memory.woken(due)
            if crashed:  # its wake is kept, but must not hold up the others
                now = self.memory.remember(()).now
                self.memory.conclude({}, (), {now + HOUR: crashed})
        return len(due) == at_once

    def _touched(self, entered: Filed, view: View) -> tuple[set[UnitId], Waiting]:
        """The units that can see these rows: late or not, told for the first time or again.

        Those to be judged now, and those that wait for the end of the row's day.
        """
        before = view.before
        units: set[Named] = set()
        late: set[Named] = set()
        by_day: Waiting = defaultdict(set)
        for ledger, files in entered.items():
            routes, name = self._routes[ledger], ledger.name
            for key, rows in files.items() if routes else ():
                file = view.file((name, key))
                for (kind, gated), events in alike(rows):
                    at_once, daily = routes.get(kind, NOBODY)
                    if at_once:
                        at_once.note(units, events, gated, key, file, before)
                    if daily:
                        for end, of_day in by_day_end(events):
                            daily.note(by_day[end], of_day, gated, key, file, before)
                            if end <= before:
                                daily.note(late, of_day, gated, key, file, before)
        # a late one may lead a unit to rows elsewhere whose day is not over, and which could not know of the unit
        if late:
            by_day[day_end(before)] |= late
        return set(map(UnitId._make, units)), by_day

    def _judge(self, asked: Sequence[tuple[Iterable[UnitId], View]], wakes: Waiting | None = None) -> set[UnitId]:
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
            said = {unit: (a.ticket, a.read) for unit, a in answers.items() if a.leads}
            waking: Waiting = wakes or defaultdict(set)
            for unit, a in answers.items():
                if a.wake:
                    waking[a.wake].add(unit)
            silent = [unit for unit, a in answers.items() if not a.leads]
            grown, spoken = self.memory.conclude(said, silent, waking)
            found += [Verdict(unit, answers[unit].ticket, answers[unit].leads) for unit in said if unit not in grown]
            found += [Verdict(unit, answers[unit].ticket, ()) for unit in silent if unit in spoken]
            # somebody added to what a finding rests on: by a later ticket it is said as it now stands
            asked, wakes = [(grown, self.memory.remember(()))] if grown else [], None
        if found:
            self.publish(found)
        return crashed

    def _ask(self, units: Iterable[UnitId], view: View) -> Iterator[tuple[UnitId, Answer | None]]:
        waiting = sorted(units)
        nothing = Answer((), None, view.ticket, NOTHING)  # nearly all of them say it
        while waiting:
            lacking: dict[UnitId, Collection[Place]] = {}
            for unit in waiting:
                try:
                    answer = self._measured(unit, view) if self._on_judged else self._answer(unit, view)
                    yield unit, answer or nothing
                except Missing:
                    lacking[unit] = self._lacked_by(unit, view)
                except Exception as crash:  # noqa: BLE001 - the one place: a detector that raises silences nobody else
                    self.on_crash(unit, crash)
                    yield unit, None
            if lacking:
                self.memory.fetch(view, {place for places in lacking.values() for place in places})
            waiting = list(lacking)  # judging is pure: what lacked a file is simply judged again

    def _measured(self, unit: UnitId, view: View) -> Answer | None:
        began = self._clock()
        answer = self._answer(unit, view)
        if self._on_judged:
            self._on_judged(unit.detector, bool(answer and answer.leads), self._clock() - began)
        return answer

    def _answer(self, unit: UnitId, view: View) -> Answer | None:
        """None: neither a lead nor a wish to be judged again."""
        found, wake = find(self._rules.of(unit.detector), unit, view)
        if not found:
            return Answer((), wake, view.ticket, NOTHING) if wake else None
        return Answer(tuple(one.lead for one in found), wake, view.ticket, self._read_by(unit, view))

    def _lacked_by(self, unit: UnitId, view: View) -> set[Place]:
        """What is to be fetched for a unit: judged as if all of that were empty, since what it would say is not heard.

        So that all is fetched together that it does not find by what it lacks.
        """
        lacked: set[Place] = set()

        def file(place: Place) -> File:
            try:
                return view.file(place)
            except Missing as missing:
                lacked.update(missing.places)
                return Home()

        def fact(place: Place) -> Sequence[Any]:
            try:
                return view.fact(place)
            except Missing as missing:
                lacked.update(missing.places)
                return ()

        with contextlib.suppress(Exception):
            find(self._rules.of(unit.detector), unit, replace(view, file=file, fact=fact))
        return lacked

    def _read_by(self, unit: UnitId, view: View) -> frozenset[Place]:
        """All files and facts that a unit looks at: judged once more, since judging is pure and findings are rare.

        At once: a record that somebody else corrects may be gone from the replica with the next that is fetched.
        """
        read: set[Place] = set()

        def file(place: Place) -> File:
            read.add(place)
            return view.file(place)

        def fact(place: Place) -> Sequence[Any]:
            read.add(place)
            return view.fact(place)

        find(self._rules.of(unit.detector), unit, replace(view, file=file, fact=fact))
        return frozenset(read)
