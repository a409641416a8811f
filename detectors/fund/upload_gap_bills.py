"""An institution's bills lack the drugs' trace codes, or come in late (缺码、迟传)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any, ClassVar, NamedTuple

from detectors.detector import DAILY, Finding, Gate
from detectors.event import DrugRecord, Event, Kind, Line, Settlement
from detectors.exclusions import applied, is_uncoded, uncoded_stock
from detectors.finding import Check, Exclusion, Figure, Law, Level, Subject
from detectors.fund.upload_gap import UPLOAD
from detectors.ledger import BILLS, Ledger
from detectors.unit import DAY, Cell, Day, Link, Unit
from detectors.wording import hours

CODED_DRUG = "101"  # list_type of western and Chinese patent drugs; herbal slices (102) carry no code (X14)


class Codes(NamedTuple):
    """Lines of coded drugs, and how many of them lack the code; those apart that the bureau lists as uncoded (X14)."""

    lines: int
    missing: int
    listed: int
    shows: Sequence[Settlement]

    @property
    def share(self) -> float:
        return self.missing / self.lines if self.lines else 0.0


class Sign(NamedTuple):
    """One reason to look: a clause of the sentence, its figures, the bills that show it, and what was tested."""

    level: Level
    zh: str
    en: str
    figures: Sequence[Figure]
    shows: Sequence[Event]
    exclusions: Sequence[Exclusion]
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadGapBills:
    """Fire on a day, or where little is sold a week, whose drugs lack trace codes in more than a tenth of the lines, or
    whose bills came in late.

    Why:         a drug without its code can be sold twice; a bill that comes a day later is watched a day too late.
    Blind spots: codes that are typed in; goods that are not told as drugs (list_type); charges of a visit that are
                 uploaded apart from its bill (upload_gap/charges).
    False alarm: drugs made before codes were printed, where the bureau has not listed them (X14).
    Source:      docs/domain.md F1. Bills typed in after a cut of the line are told in blue (X16).
    """

    id: ClassVar[str] = "upload_gap/bills"
    of: ClassVar[Ledger] = BILLS
    reads: ClassVar[frozenset[Kind]] = frozenset({Settlement})
    cell: ClassVar[Cell] = Day(before=6 * DAY)  # a store that sells little is judged by its week; ours
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = UPLOAD
    gate: ClassVar[Gate] = DAILY

    uncoded: float = 0.1  # of the drug lines; more than this fires; domain.md F1
    uncoded_lines: int = 3  # at least; ours: a forgotten scan is no gap
    uncoded_many: int = 10  # lines: yellow; ours
    lag: timedelta = DAY  # median of a day's bills; more than this fires; domain.md F1
    lag_bills: int = 5  # at least, for a median; ours
    typed_in: int = 20  # bills received more than ten minutes late; ours: scenario 16 has 200
    typed_in_share: float = 0.1  # of the day's bills, at least; ours

    def judge(self, unit: Unit) -> Iterator[Finding]:
        day, week = unit.own(Settlement), unit.rows(Settlement)
        signs = [*self.missing_codes(unit, day, week), *self.late_bills(day, week)]
        if signs:
            yield Finding(
                level=max((sign.level for sign in signs), key=lambda level: level.rank),
                subject=Subject("org", unit.key),
                zh="；".join(sign.zh for sign in signs) + "。",
                en="; ".join(sign.en for sign in signs) + ".",
                shows=[bill for sign in signs for bill in sign.shows],
                figures=[figure for sign in signs for figure in sign.figures],
                exclusions=[exclusion for sign in signs for exclusion in sign.exclusions],
                checks=[sign.check for sign in signs],
                orgs=(unit.key,),
                hits=len(signs),
            )

    def missing_codes(self, unit: Unit, day: Sequence[Settlement], week: Sequence[Settlement]) -> Iterator[Sign]:
        """Of the day; or, of a store that sells little, of the week that ends with it."""
        if all(line.traces for bill in day for line in bill.lines):
            return
        today = codes_of(unit, day)
        if not today.missing:
            return
        if self.are_many(today):
            yield self.without_codes(today, Level.YELLOW if today.missing >= self.uncoded_many else Level.BLUE, "", "")
        elif self.are_many(recent := codes_of(unit, week)):
            yield self.without_codes(recent, Level.BLUE, "7天内", " within 7 days")

    def are_many(self, codes: Codes) -> bool:
        return codes.missing >= self.uncoded_lines and codes.missing > self.uncoded * codes.lines

    def without_codes(self, codes: Codes, level: Level, over: str, over_en: str) -> Sign:
        lines, missing, share = codes.lines, codes.missing, codes.share
        return Sign(
            level,
            f"{over}{lines}条药品明细中{missing}条没有追溯码，占{share:.1%}",
            f"{missing} of {lines} drug lines{over_en} carry no trace code, {share:.1%}",
            (
                Figure("uncoded_share", round(share, 3), self.uncoded, "ratio"),
                Figure("uncoded_lines", missing, self.uncoded_lines, "lines"),
            ),
            codes.shows,
            (uncoded_stock(codes.listed),),
            Check(
                "现场核对无码药品的实物、进货票据和扫码记录",
                "look at the goods without a code, their purchase papers and the scans",
                codes.shows[0].happened_at,
                codes.shows[-1].happened_at,
            ),
        )

    def late_bills(self, day: Sequence[Settlement], week: Sequence[Settlement]) -> Iterator[Sign]:
        """By how late most of them came, of the day or of its week; or how many were typed in after a cut."""
        if not any(bill.late for bill in day):
            return
        bills = day if len(lags_of(day)) >= self.lag_bills else week
        lags, late = lags_of(bills), [bill for bill in bills if bill.late]
        middle = median_of(lags)
        if len(lags) >= self.lag_bills and middle > self.lag:
            level, figure = Level.YELLOW, Figure("upload_lag", hours(middle), hours(self.lag), "h")
            zh = f"{len(lags)}笔结算的上传延迟中位数{hours(middle):g}小时"
            en = f"the median of {len(lags)} bills came in {hours(middle):g} h late"
        elif bills is day and len(late) >= self.typed_in and len(late) >= self.typed_in_share * len(bills):
            level, figure = Level.BLUE, Figure("late_bills", len(late), self.typed_in, "bills")
            longest = max((bill.received_at or bill.happened_at) - bill.happened_at for bill in late)
            zh = f"{len(late)}笔结算迟于10分钟补传，最长{hours(longest):g}小时"
            en = f"{len(late)} bills came in more than 10 minutes late, {hours(longest):g} h at most"
        else:
            return
        yield Sign(
            level,
            zh,
            en,
            (figure,),
            late,
            (told_here_only(len(late)),),
            Check(
                "核对断网或系统故障记录，抽查补传结算的原始票据",
                "look at the record of the cut, and at the paper of bills that were typed in",
                late[0].happened_at,
                late[-1].happened_at,
            ),
        )


def codes_of(unit: Unit, bills: Sequence[Settlement]) -> Codes:
    lines = missing = listed = 0
    shows: list[Settlement] = []
    for bill in bills:
        drugs = [line for line in bill.lines if is_drug(unit, line, bill.happened_at)]
        bare = [line for line in drugs if not line.traces]
        excused = sum(is_uncoded(unit, unit.key, line.item, bill.happened_at) for line in bare)
        lines, missing, listed = lines + len(drugs) - excused, missing + len(bare) - excused, listed + excused
        if len(bare) > excused:
            shows.append(bill)
    return Codes(lines, missing, listed, shows)


def lags_of(bills: Sequence[Settlement]) -> list[timedelta]:
    return [bill.received_at - bill.happened_at for bill in bills if bill.received_at is not None]


def is_drug(unit: Unit, line: Line, at: datetime) -> bool:
    """A line that does not say what it is counts where there is a record of the drug."""
    return line.list_type == CODED_DRUG or (not line.list_type and unit.fact(DrugRecord, line.item, at) is not None)


def median_of(lags: Sequence[timedelta]) -> timedelta:
    return timedelta(seconds=median(lag.total_seconds() for lag in lags)) if lags else timedelta(0)


def told_here_only(late: int) -> Exclusion:
    """X16. ``late``: bills that came in more than ten minutes after they were made."""
    return applied(
        "X16",
        f"{late}笔补传结算不用于时空冲突、集中刷卡等规则，只在此提示",
        f"{late} late bills are kept out of rules on place and haste, and told of here only",
    )
