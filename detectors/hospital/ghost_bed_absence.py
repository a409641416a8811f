"""A patient is in hospital on paper only: the checks at the bed fail, or stop (挂床住院)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from heapq import merge
from typing import Any, ClassVar, NamedTuple

from detectors.bedside import ALIVE, CHECKED, CLEARS, EXEMPT_WARDS, THERE, BedsideLog, Span, is_exempt, log_of
from detectors.detector import Finding, Gate
from detectors.event import (
    CHINA,
    NEVER,
    Admission,
    AdmissionChange,
    Discharge,
    Event,
    Fee,
    Kind,
    Leave,
    Order,
    Presence,
    Settlement,
)
from detectors.exclusions import approved_leave, device_alive, exempt_ward, taken_out_on_order
from detectors.file import File
from detectors.finding import Check, Exclusion, Figure, Law, Level, Subject
from detectors.ledger import VISIT, WARD, Ledger
from detectors.settlement_kinds import DAY_SURGERY, MedTypes, is_one_of
from detectors.stays import Admissions, StayInHospital, charged, in_scope, stay_of
from detectors.unit import DAY, HOUR, MINUTE, Cell, Link, Touched, Unit, Whole
from detectors.wording import clock, day_en, day_zh, hours, how_long, how_long_en, yuan, yuan_en

TICK = timedelta(microseconds=1)
CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
GRACE = DAY  # a check may be uploaded so much later (readings 1)
SAME_ROUND = HOUR  # checks of a ward so near each other were made on one round (readings 6)
LONGEST_SILENCE = 7 * DAY  # beyond, nobody's rounds are compared any more: the feed is to explain it (F1)


def others_concerned(check: Presence, ward: File, now: datetime) -> Iterator[Touched]:
    """A check shows that the ward's device lived when it failed at another bed, or that another patient was left out.

    What a silence will show that is not yet judged, its own waking shows.
    """
    moment = check.happened_at
    if check.result in ALIVE:
        for near in ward.rows(Presence, moment - SAME_ROUND, moment + SAME_ROUND + TICK):
            if near.result == "timeout":
                yield Touched(f"{near.org}/{near.visit}")
    if moment <= now - GRACE:
        for kind in (Admission, AdmissionChange):
            for row in ward.kinds.get(kind, ()):
                if row.happened_at < moment:
                    yield Touched(f"{row.org}/{row.visit}")


CHECKS_OF_WARD = Link(ledger=WARD, reads=frozenset({Presence}), units=others_concerned)


class Sign(NamedTuple):
    """One reason to look: a clause of the sentence, its figure, and the events that show it."""

    zh: str
    en: str
    figure: Figure
    shows: Sequence[Event]


class Silence(NamedTuple):
    """No record at the bed, while the ward's rounds went on."""

    span: Span
    noticed: datetime
    others: int  # patients of the ward who were checked within the last day before it was noticed


@dataclass(frozen=True, slots=True, kw_only=True)
class GhostBedAbsence:
    """Fire on two missed rounds in a row, a long absence, another face in the bed, or no check at all for a day.

    Why:         the bed is billed while the patient sleeps at home, or somebody else lies in it.
    Blind spots: who comes back for the rounds; a ward that checks nobody; a ward that its checks and its admissions
                 call by different names; a leave written down afterwards.
    False alarm: an examination or operation, where the orders do not name the item. A ward whose device is silent
                 accuses nobody (X19): then the feed is to explain (F1).
    Source:      docs/domain.md C1; readings.md 1 and 6.
    """

    id: ClassVar[str] = "ghost_bed_absence"
    of: ClassVar[Ledger] = VISIT
    reads: ClassVar[frozenset[Kind]] = frozenset(
        {Admission, AdmissionChange, Discharge, Presence, Leave, Order, Fee, Settlement}
    )
    cell: ClassVar[Cell] = Whole()
    links: ClassVar[tuple[Link[Any], ...]] = (CHECKS_OF_WARD,)
    law: ClassVar[Law] = Law("11", "第三十八条第一项")
    gate: ClassVar[Gate] = Admissions(rows=1, within=timedelta.max)

    rounds: int = 2  # scheduled rounds missed in a row; domain.md C1(a), two a day in Laoshan
    off_ward: timedelta = 4 * HOUR  # more than this by the gate; domain.md C1(b)
    night_absence: timedelta = 2 * HOUR  # at least, within one night; domain.md C1(b)
    night: tuple[time, time] = (time(22), time(6))  # domain.md C1(b)
    unchecked: timedelta = DAY  # domain.md C1(d)
    others: int = 2  # other patients of the ward who were checked meanwhile; readings 6
    between_rounds: timedelta = 4 * HOUR  # planned rounds of one ward are at least so far apart; ours
    look_again: timedelta = 6 * HOUR  # how often a silence is compared with the ward; ours
    not_daily: MedTypes = DAY_SURGERY  # gone within the day: (d) does not concern them; readings 6
    exempt_wards: str = EXEMPT_WARDS

    def judge(self, unit: Unit) -> Iterator[Finding]:
        stay = stay_of(unit)
        if stay is None or self.all_in_order(unit, stay):
            return
        log = log_of(unit, stay, self.exempt_wards)
        faces = [check for check in log.missed if check.result == "face_mismatch"]
        signs = [
            *mismatches(faces),
            *self.missed_rounds(unit, log),
            *self.outings(unit, log),
            *self.empty_nights(log),
            *self.silences(unit, log),
        ]
        if signs:
            yield self.finding(unit, log, signs, Level.RED if faces else Level.ORANGE)

    def all_in_order(self, unit: Unit, stay: StayInHospital) -> bool:
        """Seen in bed at every check, and often enough: most stays, and quickly told."""
        since = stay.begin
        for row in unit.rows(Presence):
            if row.result != "pass" or row.check_type == "gate" or row.happened_at - since > self.unchecked:
                return False
            since = row.happened_at
        if stay.end - since <= self.unchecked:
            return True
        due = since + self.unchecked + GRACE
        unit.wake(due)
        return unit.now < due

    def missed_rounds(self, unit: Unit, log: BedsideLog) -> Iterator[Sign]:
        """(a): scheduled checks that failed one after the other. A record of presence or leave ends the run."""
        if len(log.missed) < self.rounds:
            return
        runs: list[list[Presence]] = [[]]
        for check in log.checks:
            if check.result in CLEARS or log.excused(check.happened_at):
                runs.append([])
            elif check.check_type == "scheduled" and failed(unit, check):
                runs[-1].append(check)
        long = [run for run in runs if rounds_of(run) >= self.rounds]
        if long:
            n = max(map(rounds_of, long))
            yield Sign(
                f"连续{n}次在床核验未见本人，没有请假",
                f"the patient was missing at {n} rounds in a row, without leave",
                Figure("rounds_missed", n, self.rounds, "rounds"),
                [check for run in long for check in run],
            )

    def outings(self, unit: Unit, log: BedsideLog) -> Iterator[Sign]:
        """(b): out by the gate for more than four hours, or for two within a night."""
        longest: tuple[timedelta, Sign] | None = None
        for outing in log.outings():
            for part in log.unexplained(outing.span):
                over = self.absent(unit, part)
                if over is not None and (longest is None or over > longest[0]):
                    rows = [row for row in (outing.out, outing.back) if row is not None]
                    longest = over, self.outing(part, over, rows)
        if longest:
            yield longest[1]

    def absent(self, unit: Unit, part: Span) -> timedelta | None:
        """For how long, if that is too long; of who has not come back yet, what is known for certain."""
        if part.until == NEVER:
            deadline = part.since + self.off_ward
            unit.wake(deadline + GRACE)
            return self.off_ward if unit.now >= deadline + GRACE else None
        if part.over > self.off_ward or self.of_night(part) >= self.night_absence:
            return part.over
        return None

    def of_night(self, part: Span) -> timedelta:
        """The longest piece of it that lies within one night."""
        start, end = self.night
        day = part.since.astimezone(CHINA).date() - DAY
        longest = timedelta(0)
        while (dusk := datetime.combine(day, start, CHINA)) < part.until:
            dawn = datetime.combine(day + DAY, end, CHINA)
            longest = max(longest, min(dawn, part.until) - max(dusk, part.since))
            day += DAY
        return longest

    def outing(self, part: Span, over: timedelta, rows: Sequence[Presence]) -> Sign:
        since, more, more_en = part.since, *(("超过", "more than ") if part.until == NEVER else ("", ""))
        return Sign(
            f"离开病区{more}{how_long(over)}，{day_zh(since)}{clock(since)}出门，没有请假",
            f"{more_en}{how_long_en(over)} out of the ward from {day_en(since)} {clock(since)}, without leave",
            Figure("hours_off_ward", hours(over), hours(self.off_ward), "h"),
            rows,
        )

    def empty_nights(self, log: BedsideLog) -> Iterator[Sign]:
        """(b): not in bed at two looks of one night that lie two hours apart, and not seen between them."""
        if len(log.missed) < 2:
            return
        runs: list[list[Presence]] = [[]]
        for row in merge(log.checks, log.gates, key=lambda check: check.happened_at):
            if row.result in THERE or row.direction == "in" or log.excused(row.happened_at):
                runs.append([])
            elif row.result == "not_found" and (night := self.night_of(row.happened_at)) is not None:
                if runs[-1] and self.night_of(runs[-1][-1].happened_at) != night:
                    runs.append([])
                runs[-1].append(row)
        empty = [run for run in runs if run and self.over(run) >= self.night_absence]
        if empty:
            run = max(empty, key=self.over)
            since, until = clock(run[0].happened_at), clock(run[-1].happened_at)
            yield Sign(
                f"夜间{since}—{until}在床核验{len(run)}次都未见本人",
                f"not in bed at {len(run)} checks in one night, {since} to {until}",
                Figure("hours_absent_at_night", hours(self.over(run)), hours(self.night_absence), "h"),
                [check for run in empty for check in run],
            )

    def night_of(self, moment: datetime) -> date | None:
        """The evening that a night belongs to; None by day."""
        local = moment.astimezone(CHINA)
        start, end = self.night
        if local.time() >= start:
            return local.date()
        return local.date() - DAY if local.time() <= end else None

    @staticmethod
    def over(run: Sequence[Presence]) -> timedelta:
        return run[-1].happened_at - run[0].happened_at

    def silences(self, unit: Unit, log: BedsideLog) -> Iterator[Sign]:
        """(d): no record for a day, while others of the ward were checked and its second round had passed."""
        if is_one_of(log.stay.admission.med_type, self.not_daily):
            return
        left_out = [
            silence for span in log.silences(self.unchecked) if (silence := self.left_out(unit, log, span)) is not None
        ]
        if left_out:
            span, noticed, others = max(left_out, key=lambda silence: silence.span.over)
            over = (noticed if span.until == NEVER else span.until) - span.since
            more, more_en = ("超过", "more than ") if span.until == NEVER else ("", "")
            yield Sign(
                f"{more}{how_long(over)}没有在床核验记录，同病区另有{others}名患者照常核验",
                f"no check at the bed for {more_en}{how_long_en(over)}, while {others} others of the ward were checked",
                Figure("hours_unchecked", hours(over), hours(self.unchecked), "h"),
                [log.stay.admission],
            )

    def left_out(self, unit: Unit, log: BedsideLog, span: Span) -> Silence | None:
        deadline = span.since + self.unchecked
        while deadline < span.until and deadline - span.since <= LONGEST_SILENCE:
            if unit.now < deadline + GRACE:
                unit.wake(deadline + GRACE)
                return None
            others = self.others_checked(unit, log, Span(span.since, deadline))
            if others >= self.others:
                return Silence(span, deadline, others)
            deadline += self.look_again
        return None

    def others_checked(self, unit: Unit, log: BedsideLog, span: Span) -> int:
        """Patients of the same ward checked within the last day of the span; 0 before its second round was over."""
        stay = log.stay
        checks: list[Presence] = []
        for lying in stay.lyings_in(*span):
            if any(is_exempt(self.exempt_wards, name) for name in (lying.ward, lying.dept)):
                return 0
            key = f"{stay.admission.org}/{lying.ward}"
            checks += unit.look(CHECKS_OF_WARD, Presence, key, lying.since + TICK, lying.until + TICK)
        checks = [check for check in checks if check.result in CHECKED]
        planned = sorted({c.planned_at or c.happened_at for c in checks if c.check_type == "scheduled"})
        rounds, last = 0, span.since - DAY
        for moment in planned:
            if moment > span.since and moment - last >= self.between_rounds and moment + SAME_ROUND <= span.until:
                rounds, last = rounds + 1, moment
        if rounds < self.rounds:
            return 0
        return len({c.visit for c in checks if c.happened_at > span.until - self.unchecked})

    def finding(self, unit: Unit, log: BedsideLog, signs: Sequence[Sign], level: Level) -> Finding:
        lines = charged(unit)
        bills = {bill.bill: bill.fund for bill in unit.rows(Settlement)}
        cost = sum(line.amount for line in lines)
        stay = log.stay
        leaves = unit.rows(Leave)
        return Finding(
            level=level,
            subject=Subject("stay", stay.admission.visit),
            period=stay.period,
            zh="；".join([*(sign.zh for sign in signs), *([f"住院费用照计{yuan(cost)}"] if cost else [])]) + "。",
            en=capital("; ".join([*(sign.en for sign in signs), *([f"{yuan_en(cost)} yuan charged"] if cost else [])])),
            shows=[row for sign in signs for row in sign.shows],
            also=[stay.admission, *unit.rows(Discharge), *log.checks, *log.gates, *leaves],
            figures=[sign.figure for sign in signs],
            exclusions=self.exclusions(unit, log),
            checks=checks_on_site(log, signs),
            orgs=(stay.admission.org,),
            at_risk=in_scope(lines),
            fund=sum(bills.values()),
            hits=len(signs),
        )

    def exclusions(self, unit: Unit, log: BedsideLog) -> tuple[Exclusion, ...]:
        """X19, one by one."""
        missed = log.missed
        silent = [c for c in missed if c.result in ("device_error", "timeout") and not failed(unit, c)]
        wards = list(dict.fromkeys(lying.ward for lying in log.stay.lyings))
        return (
            approved_leave(sum(any(s.since <= c.happened_at <= s.until for s in log.leaves) for c in missed)),
            taken_out_on_order(
                sum(any(s.since <= c.happened_at <= s.until for s in log.orders) for c in missed),
                named=any(order.item for order in unit.rows(Order)),
            ),
            exempt_ward(log.exempt, wards),
            device_alive(len(silent)),
        )


def mismatches(faces: Sequence[Presence]) -> Iterator[Sign]:
    """(c): one is enough."""
    if faces:
        n = len(faces)
        yield Sign(
            f"{n}次在床核验人脸与参保人不符",
            f"the face at the bed was not the patient's at {n} check{'s' * (n > 1)}",
            Figure("face_mismatches", n, 1, "checks"),
            faces,
        )


def failed(unit: Unit, check: Presence) -> bool:
    """A time-out is the patient's only where the ward's device answered on the same round."""
    if check.result != "timeout":
        return check.result in ("not_found", "refused")
    since, until = check.happened_at - SAME_ROUND, check.happened_at + SAME_ROUND + TICK
    of_round = unit.look(CHECKS_OF_WARD, Presence, f"{check.org}/{check.ward}", since, until)
    return any(other.result in ALIVE for other in of_round)


def rounds_of(run: Sequence[Presence]) -> int:
    """A bed may be checked twice on one planned round."""
    return len({check.planned_at or check.happened_at for check in run})


def capital(clauses: str) -> str:
    return f"{clauses[:1].upper()}{clauses[1:]}."


def checks_on_site(log: BedsideLog, signs: Sequence[Sign]) -> tuple[Check, ...]:
    looks = [row for sign in signs for row in sign.shows if isinstance(row, Presence)][:3]
    stay = log.stay
    end = None if stay.end == NEVER else stay.end
    return (
        *(
            Check(
                f"调取{look.ward or '病区'}走廊录像，核对患者是否在病区",
                "watch the recording of the ward's corridor: was the patient there",
                look.happened_at - CAMERA,
                look.happened_at + CAMERA,
            )
            for look in looks
        ),
        Check(
            "比对医嘱、执行和收费记录，核对当日有无实际诊疗",
            "compare orders, execution and charges of these days",
            stay.begin,
            end,
        ),
        Check("夜间到病房核查是否在床；已出院的电话回访", "look at the bed at night; call who has been discharged"),
    )
