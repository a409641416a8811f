"""Many patients admitted to one department at once, for the same illness and from one place (集中入院)."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, ClassVar, NamedTuple

from detectors.baseline import daily_counts, peers_counts, robust_z
from detectors.detector import Finding, Gate
from detectors.event import (
    Admission,
    CalendarRecord,
    Discharge,
    Kind,
    Open,
    OrgRecord,
    PersonRecord,
    Settlement,
    day_of,
)
from detectors.exclusions import (
    FROM_EMERGENCY,
    GATHERS,
    applied,
    data_missing,
    not_applicable,
    taken_back,
)
from detectors.file import File
from detectors.finding import Check, Exclusion, Figure, Law, Level, Subject
from detectors.ledger import DEPT, PEERS, PERSON, VISIT, Ledger
from detectors.settlement_kinds import OUT_PATIENT, MedTypes, is_one_of
from detectors.unit import DAY, HOUR, MINUTE, Cell, Day, Link, Touched, Unit, day_end, day_start, stay_key
from detectors.wording import how_long, how_long_en

# 28 days of history, and 9 more in which a department that is not busy shows that it was open by then
BEFORE = 37 * DAY
CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
# Nobody sees the out-patient clinic on the day of these: chemotherapy and radiotherapy, dialysis, birth; day surgery.
# Source: domain.md 2.3, X07 and X08.
PLANNED_ILLNESSES = ("Z51.0", "Z51.1", "Z51.2", "Z49", "O")
PLANNED_CARE: MedTypes = ("28", "52")


def windows_of(admission: Admission) -> Iterator[Touched]:
    """The two days of which a window of 24 hours may show it."""
    for moment in (admission.happened_at, admission.happened_at + DAY):
        yield Touched(f"{admission.org}/{admission.dept}", day_of(moment).isoformat())


def admitted_that_day(bill: Settlement, person: File, now: datetime) -> Iterator[Touched]:
    for admission in person.kinds.get(Admission, ()):
        if day_of(admission.happened_at) == day_of(bill.happened_at):
            yield from windows_of(admission)


def batch_of_stay(row: Discharge | Settlement, visit: File, now: datetime) -> Iterator[Touched]:
    for admission in visit.kinds.get(Admission, ()):
        yield from windows_of(admission)


def batches_of_peers(admission: Admission, dept: File, now: datetime) -> Iterator[Touched]:
    """An admission that comes a week late, or later, moves what is usual for all who have the department."""
    first = day_of(admission.happened_at)
    last = min(day_of(now), first + BEFORE)
    for late in range(7, (last - first).days + 1):
        for open_ in dept.kinds.get(Open, ()):
            yield Touched(f"{open_.event_id}/{admission.dept}", (first + late * DAY).isoformat())


def nobody(admission: Admission, dept: File, now: datetime) -> tuple[Touched, ...]:
    """Who is concerned, OPEN_ELSEWHERE tells."""
    return ()


VISITS_OF_PERSON = Link(ledger=PERSON, reads=frozenset({Settlement}), units=admitted_that_day)
OPEN_ELSEWHERE: Link[Any] = Link(ledger=PEERS, reads=frozenset({Open}), units=batches_of_peers)
ELSEWHERE = Link(ledger=DEPT, reads=frozenset({Admission}), units=nobody)
END_OF_STAY = Link(ledger=VISIT, reads=frozenset({Discharge, Settlement}), units=batch_of_stay)


class Window(NamedTuple):
    """The admissions of (t - over, t], where t is the last one's time."""

    over: timedelta
    rows: Sequence[Admission]


class Usual(NamedTuple):
    """What a batch of 24 hours was compared with. peers: their number; 0: with the department's own weeks."""

    z: float
    median: float
    peers: int


class Group(NamedTuple):
    """The largest part of a batch that shares something, and what that is; "": nobody shares anything."""

    name: str
    persons: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A full window, and what its patients have in common. ``usual``: None where only the two hours are judged."""

    window: Window
    usual: Usual | None
    illness: Group
    village: Group
    employer: Group
    unseen: int  # without an out-patient visit that day
    together: int  # discharged on one and the same day

    @property
    def rows(self) -> Sequence[Admission]:
        return self.window.rows

    @property
    def n(self) -> int:
        return len(self.rows)

    @property
    def origin(self) -> Group:
        return max(self.village, self.employer, key=lambda group: group.persons)

    @property
    def span(self) -> timedelta:
        return self.rows[-1].happened_at - self.rows[0].happened_at


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAdmission:
    """Fire on 5 admissions in 2 hours, or on 10 in 24 that are far more than usual: alike, and fetched together.

    Why:         patients are paid, fetched by car and admitted in a row without anybody having examined them.
    Blind spots: patients spread over departments, hours or diagnoses; admissions that name no diagnosis; 24 hours of a
                 department that admitted nobody 28 to 37 days before, where fewer than five peers have it.
    False alarm: an accident; a screening that nobody registered with the bureau (X10); patients examined days before.
                 Emergencies and planned care count as examined.
    Source:      docs/domain.md C4; SPEC 3.1 and readings 5 for what is usual.
    """

    id: ClassVar[str] = "batch_admission"
    of: ClassVar[Ledger] = DEPT
    reads: ClassVar[frozenset[Kind]] = frozenset({Admission})
    cell: ClassVar[Cell] = Day(before=BEFORE)
    links: ClassVar[tuple[Link[Any], ...]] = (VISITS_OF_PERSON, END_OF_STAY, OPEN_ELSEWHERE, ELSEWHERE)
    law: ClassVar[Law] = Law("20", "第四十条第一项")

    persons: int = 5  # in ``quick``; domain.md C4
    quick: timedelta = 2 * HOUR  # the same
    many: int = 10  # in 24 hours; the same
    unusual: float = 4.0  # robust z of these 24 hours, at least; the same
    same_illness: float = 0.6  # share of one main diagnosis; the same
    same_letters: int = 3  # of it in ICD-10; the same
    same_origin: float = 0.6  # share of one village or employer; the same
    unseen: float = 0.8  # share without an out-patient visit that day; the same
    together: float = 0.5  # share discharged on one day: red; the same
    out_patient: MedTypes = OUT_PATIENT
    planned_illnesses: tuple[str, ...] = PLANNED_ILLNESSES
    planned_care: MedTypes = PLANNED_CARE

    @property
    def gate(self) -> Gate:
        """So many at all: one more long ago changes what is usual."""
        return Gate(rows=min(self.persons, self.many), within=BEFORE)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        today = unit.own(Admission)
        if not today or not self.full(today, recent := near(unit)):
            return
        gathered = [row for row in recent if is_gathered(unit, row)]
        counted = [row for row in recent if row not in gathered]
        full = self.full([row for row in today if row not in gathered], counted)
        batches = [batch for window in full if (batch := self.batch(unit, window)) is not None]
        if batches:
            yield self.finding(unit, batches, len(gathered))

    def full(self, ends: Sequence[Admission], rows: Sequence[Admission]) -> list[Window]:
        """The windows that hold enough, each ending with one of ``ends``."""
        found = []
        for over, least in ((self.quick, self.persons), (DAY, self.many)):
            for end in ends:
                since, until = end.happened_at - over, end.happened_at
                window = Window(over, [row for row in rows if since < row.happened_at <= until])
                if len(window.rows) >= least:
                    found.append(window)
        return found

    def batch(self, unit: Unit, window: Window) -> Batch | None:
        """None: not alike, not fetched together, or no more than usual."""
        rows, n = window.rows, len(window.rows)
        illness = commonest(row.diagnosis[: self.same_letters].upper() for row in rows)
        if illness.persons < self.same_illness * n:
            return None
        usual = None
        if window.over > self.quick:
            usual = compared(unit, window)
            if usual is None or usual.z < self.unusual:
                return None
        records = [unit.fact(PersonRecord, row.person, row.happened_at) for row in rows]
        batch = Batch(
            window=window,
            usual=usual,
            illness=illness,
            village=commonest(record.village if record else "" for record in records),
            employer=commonest(record.employer if record else "" for record in records),
            unseen=sum(not self.was_seen(unit, row) for row in rows),
            together=commonest(left_on(unit, row) for row in rows).persons,
        )
        fetched = batch.origin.persons >= self.same_origin * n or batch.unseen >= self.unseen * n
        return batch if fetched else None

    def was_seen(self, unit: Unit, row: Admission) -> bool:
        """By an out-patient clinic that day, as an emergency, or long before, since the stay was planned."""
        if is_one_of(row.med_type, (*FROM_EMERGENCY, *self.planned_care)):
            return True
        if row.diagnosis.upper().startswith(self.planned_illnesses):
            return True
        since, until = day_start(row.happened_at), day_end(row.happened_at)
        bills = unit.look(VISITS_OF_PERSON, Settlement, row.person, since, until)
        return any(is_one_of(bill.med_type, self.out_patient) and not bill.org.startswith("P") for bill in bills)

    def level(self, batch: Batch) -> Level:
        return Level.RED if batch.together >= self.together * batch.n else Level.ORANGE

    def finding(self, unit: Unit, batches: Sequence[Batch], gathered: int) -> Finding:
        main = max(batches, key=lambda batch: (self.level(batch).rank, batch.n, batch.illness.persons))
        rows = list({row.event_id: row for batch in batches for row in batch.rows}.values())
        ends = [end for row in rows for end in unit.look(END_OF_STAY, Discharge, stay_key(row))]
        bills = [bill for row in rows for bill in unit.look(END_OF_STAY, Settlement, stay_key(row))]
        fund = sum(bill.fund for bill in bills)
        zh, en = sentences(main)
        return Finding(
            level=self.level(main),
            subject=Subject("org", unit.key.partition("/")[0]),
            zh=zh,
            en=en,
            shows=rows,
            also=[*ends, *bills],
            figures=self.figures(main),
            exclusions=(taken_back(), mass_days(gathered), *([seasonal(main.usual)] if main.usual else [])),
            checks=checks(main),
            at_risk=fund,
            fund=fund,
        )

    def figures(self, batch: Batch) -> tuple[Figure, ...]:
        quick, usual = batch.usual is None, batch.usual
        shares = (
            ("same_diagnosis_share", batch.illness.persons, self.same_illness),
            ("same_origin_share", batch.origin.persons, self.same_origin),
            ("without_visit_share", batch.unseen, self.unseen),
            ("left_together_share", batch.together, self.together),
        )
        return (
            Figure("admissions", batch.n, self.persons if quick else self.many, "persons"),
            Figure("within_hours", (self.quick if quick else DAY) // HOUR, None, "h"),
            *([Figure("robust_z", round(usual.z, 1), self.unusual, "")] if usual else []),
            *(Figure(name, round(persons / batch.n, 2), threshold, "ratio") for name, persons, threshold in shares),
        )


def near(unit: Unit) -> list[Admission]:
    """Those of the day, and of the day before: some of its windows begin there."""
    return [row for row in unit.rows(Admission) if row.happened_at > unit.span.start - DAY]


def is_gathered(unit: Unit, row: Admission) -> bool:
    """X10: the bureau expects many, at the institution or from the patient's village, on that day."""
    record = unit.fact(PersonRecord, row.person, row.happened_at)
    places = filter(None, (row.org, record.village if record else ""))
    day = day_of(row.happened_at)
    entries = [entry for place in places for entry in unit.records(CalendarRecord, f"{day}/{place}")]
    return any(entry.kind in GATHERS and entry.valid_from <= row.happened_at for entry in entries)


def commonest(names: Iterable[str]) -> Group:
    counts = Counter(name for name in names if name)
    return Group(*max(counts.items(), key=lambda item: (item[1], item[0]), default=("", 0)))


def compared(unit: Unit, window: Window) -> Usual | None:
    """With the department's own weeks, else with its peers'; None where neither is known for long enough."""
    day, n = day_of(unit.span.start), len(window.rows)
    if own := daily_counts(unit.rows(Admission), day):
        return Usual(robust_z(n, own), median(own), 0)
    for peers in peers_of(unit, window.rows[-1].happened_at):
        if known := peers_counts(peers, day):
            counts = [count for of_one in known for count in of_one]
            return Usual(robust_z(n, counts), median(counts), len(known))
    return None


def peers_of(unit: Unit, at: datetime) -> Iterator[Iterable[list[Admission]]]:
    """The same department at institutions of one type, level and district; then of the type and level (readings 5)."""
    org, _, dept = unit.key.partition("/")
    record = unit.fact(OrgRecord, org, at)
    for group in record.groups if record else ():
        others = [peer.org for peer in unit.members(OrgRecord, group, at) if peer.org != org]
        yield [unit.look(ELSEWHERE, Admission, f"{other}/{dept}") for other in others]


def left_on(unit: Unit, row: Admission) -> str:
    """The day of discharge, "" while there is none. Of several the latest holds."""
    ends = unit.look(END_OF_STAY, Discharge, stay_key(row))
    return day_of(ends[-1].happened_at).isoformat() if ends else ""


def mass_days(left_out: int) -> Exclusion:
    if left_out:
        return applied(
            "X10",
            f"{left_out}人当天有登记的筛查、接种活动或疫情通报，没有计入",
            f"{left_out} patients of a registered screening, vaccination or outbreak were left out",
        )
    return not_applicable(
        "X10",
        "当天没有登记筛查、接种活动或疫情通报",
        "no screening, vaccination or outbreak is registered for that day",
    )


def seasonal(usual: Usual) -> Exclusion:
    """X11: what is usual on that weekday."""
    if not usual.peers:
        return data_missing(
            "X11",
            f"只与本科室同星期的历史（中位数{usual.median:g}人）比较，未与同类机构比较",
            f"compared with its own same weekdays only (median {usual.median:g}), not with its peers",
        )
    return not_applicable(
        "X11",
        f"本科室历史不足28天，与{usual.peers}家同类机构同科室同星期（中位数{usual.median:g}人）比较",
        f"known for less than 28 days: compared with the same weekdays of {usual.peers} peers "
        f"(median {usual.median:g})",
    )


def sentences(batch: Batch) -> tuple[str, str]:
    n, span, (illness, alike) = batch.n, batch.span, batch.illness
    place, place_en = ("村", "one village") if batch.origin == batch.village else ("单位", "one employer")
    parts = [
        (f"{alike}人主要诊断同为{illness}", f"{alike} with {illness}"),
        *([(f"{k}人同{place}", f"{k} of {place_en}")] if (k := batch.origin.persons) > 1 else []),
        (f"{batch.unseen}人当天没有门诊记录", f"{batch.unseen} without an out-patient visit that day"),
        *([(f"{k}人同一天出院", f"{k} discharged on one day")] if (k := batch.together) > 1 else []),
    ]
    return (
        f"{how_long(span)}内同一科室入院{n}人，{'，'.join(zh for zh, _ in parts)}。",
        f"{n} admissions to one department within {how_long_en(span)}: {', '.join(en for _, en in parts)}.",
    )


def checks(batch: Batch) -> tuple[Check, ...]:
    first, last = batch.rows[0].happened_at, batch.rows[-1].happened_at
    return (
        Check(
            "调取医院门口和入院登记处录像，核对患者是否结伴、乘同一车辆到院",
            "watch the recordings of the entrance and the admission desk: did they come together, or in one car",
            first - CAMERA,
            last + CAMERA,
        ),
        Check(
            "核对各人入院记录、首次病程和医嘱，看有无入院指征、内容是否雷同",
            "compare admission notes and orders: was there a reason to admit, are they copies of each other",
            day_start(first),
            day_end(last) + DAY,
        ),
        Check(
            "电话回访患者：由谁介绍，有无免费接送、返现或免费体检",
            "ask the patients who sent them, and whether a ride, money or a free check-up was offered",
        ),
    )
