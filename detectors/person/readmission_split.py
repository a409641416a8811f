"""One stay was billed as two: home for a few days, and back with the same illness (分解住院)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, NamedTuple

from detectors.detector import Finding, Gate
from detectors.event import CHINA, NEVER, Admission, AdmissionChange, Discharge, Kind, OrgRecord, Settlement, day_of
from detectors.exclusions import PLANNED_DIAGNOSES, PLANNED_MED_TYPES, planned_readmission
from detectors.file import File
from detectors.finding import Applies, Check, Exclusion, Figure, Law, Level, Period, Subject
from detectors.ledger import PERSON, Ledger
from detectors.month import month_of
from detectors.settlement_kinds import MedTypes
from detectors.stays import Admissions
from detectors.unit import DAY, Cell, Link, Span, Unit, stay_key
from detectors.wording import yuan, yuan_en

LONGEST_PAUSE = 61 * DAY  # at home, between two stays; ours
BEFORE = 366 * DAY  # of which the stay before is looked for, with its beginning; ours


@dataclass(frozen=True, slots=True)
class MonthOfReturn:
    """A month in +08:00, of the stays that begin in it; shown with the year before them, and all that comes after.

    A stay's discharge and bill come later, also in another month. What is cut by the month can be judged for as long as
    it is remembered; all of a person's stays could not.
    """

    def touched(self, arrival: Any, file: File) -> Iterable[str]:
        """Those of the stay itself, and of the stays that may follow it. Any: an Event of any kind."""
        moment, visit = arrival.happened_at, getattr(arrival, "visit", "")
        begun = [moment] if isinstance(arrival, Admission) else []
        begun += [stay.happened_at for stay in file.kinds.get(Admission, ()) if stay.visit == visit]
        if not begun:
            return ()
        ends = (end.happened_at for end in file.kinds.get(Discharge, ()) if end.visit == visit)
        until = max(moment, *begun, *ends) + LONGEST_PAUSE
        later = [s.happened_at for s in file.kinds.get(Admission, ()) if min(begun) <= s.happened_at <= until]
        return list(dict.fromkeys(month_of(one).name for one in (*begun, *later)))

    def span(self, cell: str, file: File) -> Span:
        month = self.period(cell, file)
        return Span(month.since - BEFORE, month.since, NEVER)

    def period(self, cell: str, file: File) -> Period:
        return month_of(datetime.combine(date.fromisoformat(f"{cell}-01"), time(), CHINA))


class Pair(NamedTuple):
    """A stay that ended, and the next one."""

    first: Admission
    discharge: Discharge
    first_dept: str  # where the patient lay when the first stay ended
    second: Admission
    diagnosis: str  # of the second

    @property
    def days_home(self) -> int:
        """Calendar days in +08:00 from discharge to admission."""
        return (day_of(self.second.happened_at) - day_of(self.discharge.happened_at)).days

    @property
    def days_of_first_stay(self) -> int:
        return (day_of(self.discharge.happened_at) - day_of(self.first.happened_at)).days

    @property
    def changed_dept(self) -> bool:
        """Out of one department and into another on one day: a transfer within the house."""
        return self.days_home == 0 and self.first_dept != self.second.dept


class Split(NamedTuple):
    pair: Pair
    level: Level
    x08: Exclusion


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadmissionSplit:
    """Fire when a patient comes back to the same house within 28 days with the same illness.

    Why:         each stay is paid as a case of its own, and each has its own deductible and ceiling.
    Blind spots: another diagnosis for the second stay; another house that shares no registered owner; a stay without a
                 diagnosis; a first stay that began more than a year before.
    False alarm: what is planned in courses: X08. A relapse cannot be told from a split stay.
    Source:      docs/domain.md C3; readings.md 6: the second stay's diagnosis is the admission's, else the discharge's.
    """

    id: ClassVar[str] = "readmission_split"
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Admission, AdmissionChange, Discharge, Settlement})
    cell: ClassVar[Cell] = MonthOfReturn()
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("11", "第三十八条第一项", "GZ10000204001000")
    gate: ClassVar[Gate] = Admissions(rows=2, within=timedelta.max)

    soon: int = 15  # days at home, calendar; domain.md C3
    within: int = 28  # the same; domain.md C3
    same_letters: int = 3  # of the main diagnosis in ICD-10; domain.md C3
    planned_diagnoses: tuple[str, ...] = PLANNED_DIAGNOSES
    planned_med_types: MedTypes = PLANNED_MED_TYPES

    def __post_init__(self) -> None:
        """Raises ValueError for a pause beyond what its cell looks for."""
        if self.within * DAY >= LONGEST_PAUSE:
            raise ValueError(f"within: less than {LONGEST_PAUSE // DAY} days, since no later stay is judged again")

    def judge(self, unit: Unit) -> Iterator[Finding]:
        month = month_of(unit.span.start)
        second = [stay for stay in unit.own(Admission) if stay.happened_at < (month.to or NEVER)]
        splits = [split for stay in second if (split := self.split(unit, stay)) is not None]
        if splits:
            yield self.finding(unit, splits)

    def split(self, unit: Unit, second: Admission) -> Split | None:
        """With the latest stay that it goes on from, unless it was planned to."""
        for pair in self.pairs(unit, second):
            x08 = planned_readmission(
                way=pair.discharge.way,
                first=pair.first.med_type,
                second=second.med_type,
                diagnosis=pair.diagnosis,
                diagnoses=self.planned_diagnoses,
                med_types=self.planned_med_types,
            )
            if x08.result is not Applies.APPLIED:
                return Split(pair, self.level(pair), x08)
        return None

    def pairs(self, unit: Unit, second: Admission) -> Iterator[Pair]:
        """With every earlier stay in the same house that ended shortly before and was for the same illness."""
        diagnosis = second.diagnosis or final_diagnosis(unit, second)
        for first in reversed(unit.rows(Admission)):
            discharge = discharge_of(unit, first)
            if discharge is None or first.happened_at >= second.happened_at or not same_house(unit, first, second):
                continue
            pair = Pair(first, discharge, last_dept(unit, first), second, diagnosis)
            ill_again = self.same_illness(discharge.diagnosis or first.diagnosis, diagnosis)
            if ill_again and 0 <= pair.days_home <= self.within:
                yield pair

    def same_illness(self, one: str, other: str) -> bool:
        return bool(one and other) and one[: self.same_letters].upper() == other[: self.same_letters].upper()

    def finding(self, unit: Unit, splits: Sequence[Split]) -> Finding:
        worst = max(splits, key=lambda split: (split.level.rank, -split.pair.days_home))
        pair = worst.pair
        stays = {stay_key(stay) for split in splits for stay in (split.pair.first, split.pair.second)}
        bills = [bill for bill in unit.rows(Settlement) if stay_key(bill) in stays]
        fund = sum(bill.fund for bill in bills)
        both = sum_of(bills, pair, discharge_of(unit, pair.second))
        return Finding(
            level=worst.level,
            subject=Subject("person", unit.key),
            zh=in_chinese(pair, both),
            en=in_english(pair, both),
            shows=[row for split in splits for row in (split.pair.first, split.pair.discharge, split.pair.second)],
            also=[*bills, *(end for end in unit.rows(Discharge) if stay_key(end) in stays)],
            figures=(
                Figure("days_home", pair.days_home, self.soon if pair.days_home <= self.soon else self.within, "days"),
                Figure("diagnosis", pair.diagnosis[: self.same_letters], None, "ICD-10"),
                Figure("days_of_first_stay", pair.days_of_first_stay, None, "days"),
                Figure("readmissions", len(splits), None, "stays"),
            ),
            exclusions=(worst.x08,),
            checks=checks(pair),
            orgs=tuple(dict.fromkeys((pair.second.org, pair.first.org))),
            at_risk=fund,
            fund=fund,
            hits=len(splits),
        )

    def level(self, pair: Pair) -> Level:
        if pair.changed_dept:
            return Level.RED
        return Level.ORANGE if pair.days_home <= self.soon else Level.YELLOW


def discharge_of(unit: Unit, admission: Admission) -> Discharge | None:
    ends = [d for d in unit.rows(Discharge) if stay_key(d) == stay_key(admission)]
    return ends[-1] if ends else None


def final_diagnosis(unit: Unit, admission: Admission) -> str:
    discharge = discharge_of(unit, admission)
    return "" if discharge is None else discharge.diagnosis


def last_dept(unit: Unit, admission: Admission) -> str:
    changes: Iterable[AdmissionChange] = unit.rows(AdmissionChange)
    named = [change.dept for change in changes if change.dept and stay_key(change) == stay_key(admission)]
    return named[-1] if named else admission.dept


def same_house(unit: Unit, first: Admission, second: Admission) -> bool:
    """One institution, or two of one registered owner."""
    if first.org == second.org:
        return first.visit != second.visit
    one, other = (unit.fact(OrgRecord, stay.org, second.happened_at) for stay in (first, second))
    return one is not None and other is not None and "" != one.owner == other.owner


class Sum(NamedTuple):
    """Of both stays, once both have ended and are settled."""

    days: int
    fen: int


def sum_of(bills: Iterable[Settlement], pair: Pair, last: Discharge | None) -> Sum | None:
    both = {stay_key(pair.first), stay_key(pair.second)}
    of_pair = [bill for bill in bills if stay_key(bill) in both]
    if last is None or {stay_key(bill) for bill in of_pair} != both:
        return None
    second = (day_of(last.happened_at) - day_of(pair.second.happened_at)).days
    return Sum(pair.days_of_first_stay + second, sum(bill.total for bill in of_pair))


def in_chinese(pair: Pair, both: Sum | None) -> str:
    when = f"出院{pair.days_home}天后" if pair.days_home else "出院当天"
    house = "同一医院" if pair.first.org == pair.second.org else "同一主体的另一家医院"
    dept = "换科室" if pair.changed_dept else ""
    billed = f"；两次合计{both.days}天，费用{yuan(both.fen)}" if both else ""
    return f"{when}以同一诊断{dept}再入{house}{billed}。"


def in_english(pair: Pair, both: Sum | None) -> str:
    when = f"{pair.days_home} days after discharge" if pair.days_home else "On the day of discharge"
    house = "the same hospital" if pair.first.org == pair.second.org else "another hospital of the same owner"
    dept = " in another department" if pair.changed_dept else ""
    billed = f"; {both.days} days in both stays, {yuan_en(both.fen)} yuan" if both else ""
    return f"{when} readmitted to {house}{dept} with the same diagnosis{billed}."


def checks(pair: Pair) -> Sequence[Check]:
    out, back = pair.discharge.happened_at, pair.second.happened_at
    return (
        Check(
            "调取两次住院的病历首页、出院小结和入院记录，核对出院时是否治愈或好转",
            "compare both case files: was the patient well enough to leave, and what brought them back",
            pair.first.happened_at,
            back,
        ),
        Check(
            "核对两次住院之间患者是否离院：床位、护理记录和在床核验",
            "did the patient leave at all between the stays: bed, nursing notes, bedside checks",
            out,
            max(out, back),
        ),
        Check("电话回访患者：是谁提出办理出院再入院", "ask the patient who suggested leaving and coming back"),
    )
