"""An institution is at work, and one of its feeds is silent (数据上传中断)."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

from detectors.detector import FileGate, Finding, Gate
from detectors.event import CHINA, NEVER, Admission, Beat, Discharge, Event, Kind, Settlement, day_of
from detectors.exclusions import not_applicable
from detectors.feeds import BEAT, HISTORY, LEAST, NAMES, patience
from detectors.file import File
from detectors.finding import Check, Exclusion, Figure, Law, Level, Period, Subject
from detectors.ledger import BILLS, FEED, INTERFACES, VISIT, Ledger, is_goods
from detectors.settlement_kinds import DAY_SURGERY, MedTypes, is_one_of
from detectors.unit import DAY, HOUR, Cell, Link, Span, Touched, Unit, stay_key
from detectors.wording import clock, day_en, day_zh, hours

UPLOAD = Law("5", "第三十九条第三项", "GZ10000201007000")  # 就诊数据非实时上传监管
WEEK = 7 * DAY
OF_GOODS = ("sale", "inv")  # missed while bills with goods are settled
OF_PATIENTS = ("fee", "order", "presence")  # missed while patients lie in the wards
LATE_CHECK = DAY  # a check at the bed may be uploaded so much later; readings 1
LATE_UPLOAD = 72 * HOUR  # anything else; the same
SETTLED = DAY  # work done so long ago is counted: what is told of it later leads back here; ours
WATCHED = 3 * DAY  # of a silence: the work that goes on meanwhile. Who pauses longer by habit is not judged; ours
FOLLOWED = 2 * WEEK  # whether the feed speaks again; ours
IN_WARD = 30 * DAY  # who was admitted earlier is not looked for; ours

_time = attrgetter("happened_at")


@dataclass(frozen=True, slots=True)
class Led(FileGate):
    """Judged only when a link leads here."""

    def admits(self, file: File, kinds: Iterable[Kind]) -> bool:
        return False


LED = Led(rows=0, within=timedelta(0))


@dataclass(frozen=True, slots=True)
class Week:
    """The silences that began in a week, named by its Monday in +08:00."""

    def touched(self, arrival: Any, file: File) -> Iterator[str]:
        """Any: an event of any kind."""
        day = day_of(arrival.happened_at)
        yield from _weeks(day, day)

    def span(self, cell: str, file: File) -> Span:
        start = datetime.combine(date.fromisoformat(cell), time(), CHINA)
        return Span(start, start, start + WEEK)

    def period(self, cell: str, file: File) -> Period:
        span = self.span(cell, file)
        return Period(cell, span.start, span.end)


def weeks(org: str, interfaces: Sequence[str], since: datetime, until: datetime) -> Iterator[Touched]:
    for week in _weeks(day_of(since), day_of(until)):
        for interface in interfaces:
            yield Touched(f"{org}/{interface}", week)


@lru_cache(maxsize=4096)
def _weeks(since: date, until: date) -> tuple[str, ...]:
    first = since - since.weekday() * DAY
    return tuple((first + n * WEEK).isoformat() for n in range((until - first).days // 7 + 1))


def spoke(arrival: Any, feed: File, now: datetime) -> Iterator[Touched]:
    """When silences may begin or end otherwise since the feed spoke. Most uploads are soon after another.

    Any: an event of any kind that a feed knows.
    """
    interface, beats = INTERFACES.get(type(arrival)), feed.kinds.get(BEAT)
    if interface is None or not beats:
        return
    moment: datetime = arrival.happened_at
    at = len(beats) - 1
    if beats[at].happened_at > moment:
        at = bisect_right(beats, moment, key=_time) - 1
    own: datetime = beats[at].happened_at
    if at < 0 or own <= moment - HOUR:
        return  # a sale, in the file of goods
    since = own
    if at and own - (before := beats[at - 1].happened_at) <= FOLLOWED + HOUR:
        same_week = own - before < WEEK and before.weekday() <= own.weekday()
        if same_week and now - before < LEAST + DAY:
            return  # no silence was judged meanwhile, and the week is under watch
        since = before
    yield from weeks(arrival.org, (interface,), since, min(beats[-1].happened_at, own + (HISTORY + 2) * DAY))  # a habit


def settled_meanwhile(bill: Settlement, bills: File, now: datetime) -> Iterator[Touched]:
    """When a feed may have been silent while this was settled."""
    if now - bill.happened_at >= SETTLED and any(map(is_goods, bill.lines)):
        yield from weeks(bill.org, OF_GOODS, bill.happened_at - WATCHED - HOUR, bill.happened_at)


def lay_there(row: Admission | Discharge, visit: File, now: datetime) -> Iterator[Touched]:
    """When a feed may have been silent while the patient lay there."""
    if now - row.happened_at >= SETTLED:
        for stay in visit.kinds.get(Admission, (row,)):
            until = min(now, stay.happened_at + IN_WARD + DAY)
            yield from weeks(row.org, OF_PATIENTS, row.happened_at - WATCHED - HOUR, until)


FEEDS: Link[Any] = Link(ledger=FEED, reads=frozenset({Beat, Admission}), units=spoke)
BILLS_OF_ORG = Link(ledger=BILLS, reads=frozenset({Settlement}), units=settled_meanwhile)
STAYS: Link[Any] = Link(ledger=VISIT, reads=frozenset({Admission, Discharge}), units=lay_there)


class Pause(NamedTuple):
    """The feed spoke no more from ``since`` on; ``to``: until it spoke again, None where it did not (FOLLOWED)."""

    since: datetime
    to: datetime | None

    def lasts(self, over: timedelta) -> bool:
        """At least so long, or still."""
        return self.to is None or self.to - self.since >= over


class Work(NamedTuple):
    """What went on, and should have been told. done: when each piece was, oldest first; shows: events, if any."""

    zh: str
    en: str
    figure: str
    unit: str
    least: int
    done: Sequence[datetime]
    shows: Sequence[Event] = ()
    also: Sequence[Event] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadGap:
    """Fire when a feed is silent three times its own median gap, at least a day, while the institution is at work.

    Why:         what is not uploaded cannot be watched; and the rules that miss something hold their tongue meanwhile.
    Blind spots: an institution that tells nothing at all looks like one that is closed: settlement is the yardstick of
                 goods, patients admitted within 30 days that of wards. A feed that pauses for a day or more by habit.
    False alarm: a ward that moved out; goods that the till does not tell as sales.
    Source:      docs/domain.md F1; readings.md 1 and 6. Nights, weekends and holidays have no work to show.
    """

    id: ClassVar[str] = "upload_gap"
    of: ClassVar[Ledger] = FEED
    reads: ClassVar[frozenset[Kind]] = frozenset({Beat})
    cell: ClassVar[Cell] = Week()
    links: ClassVar[tuple[Link[Any], ...]] = (FEEDS, BILLS_OF_ORG, STAYS)
    law: ClassVar[Law] = UPLOAD
    gate: ClassVar[Gate] = LED

    bills: int = 3  # with goods, settled meanwhile; ours
    patients: int = 2  # in bed for a day of it; ours
    gone_by_evening: MedTypes = DAY_SURGERY
    irregular: tuple[str, ...] = ("inv", "order")  # told when there is something to tell; ours
    irregular_least: timedelta = WEEK  # for these, after 28 days of habit; ours
    irregular_times: int = 3  # the longest pause of their 28 days; ours

    def judge(self, unit: Unit) -> Iterator[Finding]:
        if unit.key.partition("/")[2] in (*OF_GOODS, *OF_PATIENTS):
            for pause in pauses(unit):
                yield from self.judged(unit, pause)

    def judged(self, unit: Unit, pause: Pause) -> Iterator[Finding]:
        org, _, interface = unit.key.partition("/")
        since, grace = pause.since, grace_of(interface)
        if not due(unit, since + LEAST + grace):
            return
        watched = min(pause.to or NEVER, since + WATCHED)
        known = min(watched, unit.now - SETTLED)
        if known < watched:
            unit.wake(min(unit.now + DAY, watched + SETTLED))
        of_goods = interface in OF_GOODS
        if of_goods and len((sold := self.settled(unit, org, since, known)).done) < self.bills:
            return
        wait = self.wait(unit, pause)
        if wait is None or not pause.lasts(wait) or not due(unit, since + wait + grace):
            return
        work = sold if of_goods else self.lying(unit, org, since, known)
        if len(work.done) >= work.least:
            over = pause.to - since if pause.to else max(known - since, wait)
            silent = Figure("hours_silent", hours(over), hours(wait), "h")
            yield self.finding(unit, pause, silent, max(since + wait, work.done[work.least - 1]), work)

    def wait(self, unit: Unit, pause: Pause) -> timedelta | None:
        """Longer than this is a silence; None where nothing is expected, or the feed pauses for days by habit."""
        habit = unit.look(FEEDS, BEAT, unit.key, pause.since - (HISTORY + 1) * DAY, pause.since)
        wait = patience(habit)
        if wait is None or wait > WATCHED:
            return None
        if unit.key.partition("/")[2] not in self.irregular:
            return wait
        moments: list[datetime] = [beat.happened_at for beat in habit]
        if day_of(moments[0]) > day_of(moments[-1]) - (HISTORY - 1) * DAY:
            return None
        longest = max(after - before for before, after in pairwise(moments))
        wait = max(self.irregular_least, self.irregular_times * longest)
        return wait if wait <= FOLLOWED else None

    def settled(self, unit: Unit, org: str, since: datetime, to: datetime) -> Work:
        bills = [bill for bill in unit.look(BILLS_OF_ORG, Settlement, org, since, to) if bill.lines]
        n = len(bills)
        return Work(
            f"结算药品、耗材{n}笔",
            f"{n} bills with goods were settled",
            "bills_meanwhile",
            "bills",
            self.bills,
            [bill.happened_at for bill in bills],
            bills,
        )

    def lying(self, unit: Unit, org: str, since: datetime, to: datetime) -> Work:
        """A patient counts who lay there for a day of the silence."""
        done: list[datetime] = []
        stays: list[Admission] = []
        for stay in unit.look(FEEDS, Admission, f"{org}/fee", since - IN_WARD, to):
            day_over = max(since, stay.happened_at) + DAY
            if day_over <= to and not is_one_of(stay.med_type, self.gone_by_evening) and lies(unit, stay, day_over):
                done.append(day_over)
                stays.append(stay)
        n = len(done)
        return Work(
            f"有{n}名患者在院",
            f"{n} patients were in bed",
            "patients_meanwhile",
            "persons",
            self.patients,
            sorted(done),
            also=stays,
        )

    def finding(self, unit: Unit, pause: Pause, silent: Figure, noticed: datetime, work: Work) -> Finding:
        org, _, interface = unit.key.partition("/")
        since, to = pause
        zh, en = NAMES[interface]
        more, more_en = ("超过", "more than ") if to is None else ("", "")
        day, day_of_en, at = day_zh(since), day_en(since), clock(since)
        return Finding(
            level=Level.BLUE if interface in self.irregular else Level.YELLOW,
            subject=Subject("org", org),
            period=Period(day_of(noticed).isoformat(), since, to),
            zh=f"{more}{silent.observed:g}小时没有{zh}数据上传（{day}{at}起），其间{work.zh}。",
            en=f"{more_en}{silent.observed:g} h without the {en} feed from {day_of_en} {at}; meanwhile {work.en}.",
            shows=work.shows,
            also=work.also,
            figures=(silent, Figure(work.figure, len(work.done), work.least, work.unit)),
            exclusions=(waited_for(interface),),
            checks=checks_on_site(zh, en, pause),
            orgs=(org,),
        )


def grace_of(interface: str) -> timedelta:
    return LATE_CHECK if interface == "presence" else LATE_UPLOAD


def waited_for(interface: str) -> Exclusion:
    """X15: judged by business time, once a late upload was due."""
    waited = hours(grace_of(interface))
    return not_applicable(
        "X15",
        f"按业务时间判断，已等待补传{waited:g}小时",
        f"business time counts, and late uploads were waited for {waited:g} h",
    )


def due(unit: Unit, at: datetime) -> bool:
    """Has business time come so far? If not, the unit is judged again when it has."""
    unit.wake(at)
    return unit.now >= at


def pauses(unit: Unit) -> Iterator[Pause]:
    """Of a day or more, or lasting: after an upload of the unit's week."""
    span = unit.span
    moments = [beat.happened_at for beat in unit.look(FEEDS, BEAT, unit.key, span.start, span.end)]
    if not moments:
        return
    after = unit.look(FEEDS, BEAT, unit.key, span.end, moments[-1] + FOLLOWED)
    if after:
        moments.append(after[0].happened_at)
    for before, following in pairwise(moments):
        if following - before >= HOUR + LEAST:
            yield Pause(before + HOUR, following)
    if not after:
        yield Pause(moments[-1] + HOUR, None)


def lies(unit: Unit, stay: Admission, until: datetime) -> bool:
    """Was the admission not taken back, and is the patient not discharged by then?"""
    ends = unit.look(STAYS, Discharge, stay_key(stay))
    return bool(unit.look(STAYS, Admission, stay_key(stay))) and (not ends or until <= ends[-1].happened_at)


def checks_on_site(zh: str, en: str, pause: Pause) -> tuple[Check, ...]:
    return (
        Check(
            f"查{zh}接口日志，核对中断原因和补传情况",
            f"read the log of the {en} interface: why was it silent, and what was sent later",
            *pause,
        ),
        Check(
            "抽查其间的处方、收费和出入库原始记录",
            "look at prescriptions, charges and stock records of the time",
            *pause,
        ),
    )
