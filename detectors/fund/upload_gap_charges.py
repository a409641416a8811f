"""An institution uploads its charges a day and more after they arose (费用明细迟传)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from detectors.detector import Finding, Gate
from detectors.event import Admission, Fee, Kind, day_of
from detectors.exclusions import applied
from detectors.file import File
from detectors.finding import Check, Figure, Law, Level, Subject
from detectors.fund.upload_gap import IN_WARD, LED, UPLOAD, due
from detectors.fund.upload_gap_bills import median_of
from detectors.ledger import FEED, VISIT, Ledger
from detectors.unit import DAY, Cell, Day, Link, Touched, Unit, day_end, day_start, stay_key
from detectors.wording import hours

NO_LAG = timedelta(0)
SETTLED = 2 * DAY  # after a day's end it is judged; what is told of it later leads back; ours


def day_of_upload(upload: Fee, visit: File, now: datetime) -> Iterator[Touched]:
    """Punctual uploads are no reason to look. Most are: their median is not even asked for."""
    if now - upload.happened_at >= SETTLED or max(lags_of(upload), default=NO_LAG) > DAY < lag_of(upload):
        yield Touched(f"{upload.org}/fee", day_of(upload.happened_at).isoformat())


def days_in_ward(arrival: Any, feed: File, now: datetime) -> Iterator[Touched]:
    """Any: an event of any kind that a feed knows."""
    if isinstance(arrival, Admission) and now - arrival.happened_at >= SETTLED:
        day = day_start(arrival.happened_at)
        while day <= min(now, arrival.happened_at + IN_WARD):
            yield Touched(f"{arrival.org}/fee", day_of(day).isoformat())
            day = day_end(day)


CHARGES: Link[Any] = Link(ledger=VISIT, reads=frozenset({Fee}), units=day_of_upload)
STAYS_OF_ORG: Link[Any] = Link(ledger=FEED, reads=frozenset({Admission}), units=days_in_ward)


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadGapCharges:
    """Fire on a day whose charges of in-patients came in, by their median, more than a day after they arose.

    Why:         a charge that is told days later cannot be watched while the patient is there to be asked.
    Blind spots: out-patients, and patients admitted more than 30 days before; uploads that do not say when they were
                 received; fewer than three patients late, who may be three odd cases (X15).
    False alarm: a laboratory elsewhere that reports late for a whole ward.
    Source:      docs/domain.md F1; readings.md 1.
    """

    id: ClassVar[str] = "upload_gap/charges"
    of: ClassVar[Ledger] = FEED
    reads: ClassVar[frozenset[Kind]] = frozenset({Admission})
    cell: ClassVar[Cell] = Day()
    links: ClassVar[tuple[Link[Any], ...]] = (CHARGES, STAYS_OF_ORG)
    law: ClassVar[Law] = UPLOAD
    gate: ClassVar[Gate] = LED  # by late uploads

    lag: timedelta = DAY  # median of the day's lines; more than this fires, and no less can be set; domain.md F1
    visits: int = 3  # with a late upload; ours: one patient's late charges are no gap of the institution (X15)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        since, to = unit.span.start, unit.span.end
        if not unit.key.endswith("/fee") or not due(unit, to + SETTLED):
            return
        stays = unit.look(STAYS_OF_ORG, Admission, unit.key, since - IN_WARD, to)
        uploads = {stay.visit: unit.look(CHARGES, Fee, stay_key(stay), since, to) for stay in stays}
        lags = [lag for told in uploads.values() for upload in told for lag in lags_of(upload)]
        late = {visit: found for visit, told in uploads.items() if (found := [u for u in told if lag_of(u) > self.lag])}
        if len(late) >= self.visits and median_of(lags) > self.lag:
            yield self.finding(unit.key.partition("/")[0], lags, late)

    def finding(self, org: str, lags: Sequence[timedelta], late: Mapping[str, Sequence[Fee]]) -> Finding:
        shows = [upload for uploads in late.values() for upload in uploads]
        lag, lines = median_of(lags), sum(len(upload.lines) for upload in shows)
        since = min(upload.happened_at for upload in shows)
        return Finding(
            level=Level.YELLOW,
            subject=Subject("org", org),
            zh=f"{len(late)}名住院患者的费用迟传，全院当日{len(lags)}条费用延迟中位数{hours(lag):g}小时。",
            en=f"{len(lags)} charges came in {hours(lag):g} h late by their median, {len(late)} patients late.",
            shows=shows,
            figures=(
                Figure("upload_lag", hours(lag), hours(self.lag), "h"),
                Figure("late_visits", len(late), self.visits, "persons"),
            ),
            exclusions=(
                applied(
                    "X15",
                    f"{lines}条迟传费用在其他规则中按发生时间计",
                    f"other rules count the {lines} late charges when they arose",
                ),
            ),
            checks=(
                Check(
                    "核对费用明细上传日志，查明迟传原因",
                    "read the log of the charge interface: why was it late",
                    since,
                    max(upload.received_at or upload.happened_at for upload in shows),
                ),
            ),
            orgs=(org,),
            at_risk=sum(ln.amount if ln.in_scope is None else ln.in_scope for upload in shows for ln in upload.lines),
            fund=0,
        )


def lags_of(upload: Fee) -> list[timedelta]:
    """Of its lines; none where it does not say when it was received."""
    received = upload.received_at
    return [] if received is None else [received - (ln.occurred_at or upload.happened_at) for ln in upload.lines]


def lag_of(upload: Fee) -> timedelta:
    """Their median; zero where none is known."""
    return median_of(lags_of(upload))
