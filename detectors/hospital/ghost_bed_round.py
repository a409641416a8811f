"""On an unannounced round of a ward too many beds are empty (突击核验在院率)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, ClassVar, NamedTuple

from detectors.bedside import EXEMPT_WARDS, is_exempt
from detectors.detector import Finding, Gate
from detectors.event import CHINA, Kind, Leave, Presence, day_of
from detectors.exclusions import approved_leave, device_alive, exempt_ward
from detectors.file import File
from detectors.finding import Check, Figure, Law, Level, Period, Subject
from detectors.ledger import VISIT, WARD, Ledger
from detectors.unit import DAY, HOUR, MINUTE, Cell, Link, Span, Touched, Unit

CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
EXPECTED = frozenset({"pass", "face_mismatch", "not_found", "refused"})  # on leave: not expected; the rest: unknown
LONGEST_ROUND = 3 * HOUR
SILENT = frozenset({"device_error", "timeout"})


def days_seeing(moment: datetime) -> list[str]:
    """Of these days the units show it: its own, the next one, and the one before if a round of that may reach it."""
    days = (day_of(moment - LONGEST_ROUND), day_of(moment), day_of(moment) + DAY)
    return [day.isoformat() for day in dict.fromkeys(days)]


@dataclass(frozen=True, slots=True)
class RoundsOfDay:
    """One day in +08:00, in which rounds begin; shown with the day before it, and as much after it as a round lasts.

    What is cut by the day can be judged for as long as it is remembered; a whole ward's file could not.
    """

    def touched(self, arrival: Any, file: File) -> Iterable[str]:
        """Any: an Event of any kind."""
        return days_seeing(arrival.happened_at)

    def span(self, cell: str, file: File) -> Span:
        start = datetime.combine(date.fromisoformat(cell), time(), CHINA)
        return Span(start - DAY, start, start + DAY + LONGEST_ROUND)

    def period(self, cell: str, file: File) -> Period:
        start = self.span(cell, file).start
        return Period(cell, start, start + DAY)


def wards_of(leave: Leave, visit: File, now: datetime) -> Iterator[Touched]:
    """A leave explains empty beds wherever the patient was looked for."""
    for check in visit.kinds.get(Presence, ()):
        if check.check_type == "surprise":
            for day in days_seeing(check.happened_at):
                yield Touched(f"{check.org}/{check.ward}", day)


LEAVES_OF_VISIT = Link(ledger=VISIT, reads=frozenset({Leave}), units=wards_of)


@dataclass(frozen=True, slots=True)
class Surprise(Gate):
    """Judge a ward only for its surprise checks, and only where there are enough for a round."""

    def admits(self, file: File, kinds: Iterable[Kind]) -> bool:
        return len(file.kinds.get(Presence, ())) >= self.rows

    def opens(self, arrival: Any, file: File, kinds: Iterable[Kind]) -> bool:
        """Any: a Presence."""
        return bool(arrival.check_type == "surprise")


class Round(NamedTuple):
    """The surprise checks of one ward within an hour, the last look at each bed."""

    looks: Sequence[Presence]
    on_leave: int
    silent: int  # a device that did not answer says nothing of the bed

    @property
    def there(self) -> int:
        return sum(look.result == "pass" for look in self.looks)

    @property
    def ratio(self) -> float:
        return self.there / len(self.looks)


@dataclass(frozen=True, slots=True, kw_only=True)
class GhostBedRound:
    """Fire on an unannounced round at which less than 70 % of at least 10 expected patients are in bed.

    Why:         one empty bed may have a reason, a ward of empty beds is a way of billing.
    Blind spots: small wards, and checks that name no ward; a round of more than an hour; word that goes before it.
    False alarm: leaves not recorded; beds emptied for an examination hour.
    Source:      docs/domain.md C1(e); readings.md 6: the surprise checks of one ward within 60 min.
    """

    id: ClassVar[str] = "ghost_bed_absence/round"  # speaks as ghost_bed_absence, of a ward instead of a stay
    of: ClassVar[Ledger] = WARD
    reads: ClassVar[frozenset[Kind]] = frozenset({Presence})
    cell: ClassVar[Cell] = RoundsOfDay()
    links: ClassVar[tuple[Link[Any], ...]] = (LEAVES_OF_VISIT,)
    law: ClassVar[Law] = Law("11", "第三十八条第一项")

    expected: int = 10  # patients; domain.md C1(e)
    in_bed: float = 0.7  # of these; less than this fires; domain.md C1(e)
    round_lasts: timedelta = HOUR  # from its first check; readings 6
    exempt_wards: str = EXEMPT_WARDS

    def __post_init__(self) -> None:
        """Raises ValueError for a round beyond what its cell shows."""
        if self.round_lasts > LONGEST_ROUND:
            raise ValueError(f"round_lasts: at most {LONGEST_ROUND // HOUR}h, since no more of the next day is shown")

    @property
    def gate(self) -> Gate:
        return Surprise(rows=self.expected, within=timedelta.max)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        ward = unit.key.partition("/")[2]
        if not ward or is_exempt(self.exempt_wards, ward):
            return
        day = day_of(unit.span.start)
        begun = (checks for checks in self.rounds(unit.rows(Presence)) if day_of(checks[0].happened_at) == day)
        rounds = [look_again(unit, checks) for checks in begun]
        if empty := [one for one in rounds if len(one.looks) >= self.expected and one.ratio < self.in_bed]:
            yield self.finding(unit, ward, empty)

    def rounds(self, checks: Sequence[Presence]) -> Iterator[list[Presence]]:
        """Each begins with the first surprise check after the hour of the one before."""
        piece: list[Presence] = []
        for check in checks:
            if check.check_type != "surprise":
                continue
            if piece and check.happened_at - piece[0].happened_at > self.round_lasts:
                yield piece
                piece = []
            piece.append(check)
        if piece:
            yield piece

    def finding(self, unit: Unit, ward: str, rounds: Sequence[Round]) -> Finding:
        worst = min(rounds, key=lambda round_: round_.ratio)
        n, there, since = len(worst.looks), worst.there, worst.looks[0].happened_at
        start = unit.span.start
        return Finding(
            level=Level.ORANGE,
            subject=Subject("area", unit.key),
            zh=f"突击核验应在床{n}人，实际在床{there}人，在床率{worst.ratio:.1%}，不到{self.in_bed:.0%}。",
            en=(
                f"{there} of {n} expected patients were in bed on an unannounced round: "
                f"{worst.ratio:.1%}, under {self.in_bed:.0%}."
            ),
            shows=[look for round_ in rounds for look in round_.looks if look.result != "pass"],
            also=[look for round_ in rounds for look in round_.looks],
            figures=(
                Figure("in_bed_ratio", round(worst.ratio, 3), self.in_bed, "ratio"),
                Figure("expected_in_bed", n, self.expected, "persons"),
                Figure("seen_in_bed", there, None, "persons"),
            ),
            exclusions=(
                approved_leave(sum(round_.on_leave for round_ in rounds)),
                exempt_ward(0, [ward]),
                device_alive(sum(round_.silent for round_ in rounds)),
            ),
            checks=(
                Check(
                    "调取病区走廊和出入口录像，核对未见患者的去向",
                    "watch the recordings of the ward's corridor and doors: where were the missing patients",
                    since - CAMERA,
                    worst.looks[-1].happened_at + CAMERA,
                ),
                Check(
                    "比对未见患者当天的医嘱、执行和收费记录",
                    "compare orders, execution and charges of the missing patients that day",
                    start,
                    start + DAY,
                ),
            ),
            orgs=(unit.key.partition("/")[0],),
            hits=len(rounds),
        )


def look_again(unit: Unit, checks: Sequence[Presence]) -> Round:
    """Of each patient the last answer counts. Who is on leave, or whom no device saw, is not expected."""
    last: dict[str, Presence] = {}
    for check in checks:
        if check.result not in SILENT or check.visit not in last:
            last[check.visit] = check
    away = {visit for visit, check in last.items() if check.result == "on_leave" or on_leave(unit, check)}
    looks = [check for visit, check in last.items() if check.result in EXPECTED and visit not in away]
    return Round(looks, len(away), sum(check.result in SILENT for check in last.values()))


def on_leave(unit: Unit, check: Presence) -> bool:
    if check.result == "pass":
        return False
    leaves = unit.look(LEAVES_OF_VISIT, Leave, f"{check.org}/{check.visit}")
    return any(leave.since <= check.happened_at <= leave.to for leave in leaves)
