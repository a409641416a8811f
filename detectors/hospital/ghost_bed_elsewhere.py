"""Who lies in the bed is seen, by face, at a till far away (挂床住院：院外刷脸)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar

from detectors.detector import FileGate, Finding, Gate
from detectors.event import Admission, Discharge, Fee, Kind, Leave, OrgRecord, Settlement
from detectors.exclusions import approved_leave, late_upload, no_visit_needed, taken_back
from detectors.file import File
from detectors.finding import Check, Figure, Law, Level, Subject
from detectors.geography import kilometres, position_of
from detectors.ledger import PERSON, Ledger
from detectors.person.inpatient_concurrent_claim import Claims, InpatientConcurrentClaim
from detectors.settlement_kinds import is_one_of
from detectors.unit import HOUR, MINUTE, Cell, Link, Stay, Unit, stay_key
from detectors.wording import clock, day_en, day_zh

CAMERA = 10 * MINUTE  # recordings to ask for, before and after (domain.md 6.3)
SHOWN = 3  # bills whose recordings are asked for


@dataclass(frozen=True, slots=True)
class SeenByFace(FileGate):
    """Judge only who was ever admitted, and ever seen by face at a till."""

    def admits(self, file: File, kinds: Iterable[Kind]) -> bool:
        if not file.kinds.get(Admission):
            return False
        return any(bill.verify_mode == "face" for bill in file.kinds.get(Settlement, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class GhostBedElsewhere:
    """Fire when a patient's own face settles a bill at another institution, far from the bed, in the middle of a stay.

    Why:         a face cannot be lent: the patient was not in bed, whatever the checks say.
    Blind spots: bills verified otherwise; the first and last hours of a stay; places of no known position, or nearby.
    False alarm: an absence that was approved and not recorded (X19); an examination elsewhere that the bill does not
                 show as one (X09).
    Source:      docs/domain.md A1, which feeds C1, and scenario 12 of 3.I; far as in A1.
    """

    id: ClassVar[str] = "ghost_bed_absence/elsewhere"  # speaks as ghost_bed_absence, by a bill instead of a check
    of: ClassVar[Ledger] = PERSON
    reads: ClassVar[frozenset[Kind]] = frozenset({Admission, Discharge, Settlement, Fee, Leave})
    cell: ClassVar[Cell] = Stay()
    links: ClassVar[tuple[Link[Any], ...]] = ()
    law: ClassVar[Law] = Law("11", "第三十八条第一项")
    gate: ClassVar[Gate] = SeenByFace(rows=1, within=timedelta.max)

    far: float = 20  # km to another institution, at least; domain.md A1
    margin: timedelta = 4 * HOUR  # from admission and discharge, more; the same

    def judge(self, unit: Unit) -> Iterator[Finding]:
        rule = InpatientConcurrentClaim(margin=self.margin)
        bills = [bill for bill in unit.own(Settlement) if bill.verify_mode == "face" and rule.is_claim(unit, bill)]
        if not bills:
            return
        stay = next((stay for stay in unit.rows(Admission) if stay_key(stay) == unit.cell), None)
        if stay is None or is_one_of(stay.med_type, rule.day_surgery):
            return
        claims = rule.claims(unit, stay, bills)
        leaves = [leave for leave in unit.rows(Leave) if stay_key(leave) == unit.cell]
        seen = [(km, bill) for bill in claims.own if (km := self.distance(unit, stay, bill)) is not None]
        away = [(km, bill) for km, bill in seen if not any(one.since <= bill.happened_at <= one.to for one in leaves)]
        if away:
            yield self.finding(stay, away, claims, len(seen) - len(away))

    def distance(self, unit: Unit, stay: Admission, bill: Settlement) -> float | None:
        """Kilometres from the bed, if that is far enough to count."""
        orgs = (unit.fact(OrgRecord, name, bill.happened_at) for name in (stay.org, bill.org))
        bed, till = map(position_of, orgs)
        km = kilometres(bed, till) if bill.org != stay.org and bed and till else 0.0
        return km if km >= self.far else None

    def finding(
        self, stay: Admission, away: Sequence[tuple[float, Settlement]], claims: Claims, on_leave: int
    ) -> Finding:
        km, first = away[0]
        bills = [bill for _, bill in away]
        day, day_of_en, at = day_zh(first.happened_at), day_en(first.happened_at), clock(first.happened_at)
        return Finding(
            level=Level.ORANGE,
            subject=Subject("stay", stay.visit),
            zh=f"住院期间本人{len(bills)}次在院外刷脸结算：{day}{at}在{km:.0f}公里外。",
            en=f"{len(bills)} bill{'s' * (len(bills) > 1)} verified by the patient's own face outside during the stay: "
            f"{km:.0f} km away on {day_of_en} {at}.",
            shows=bills,
            also=[stay],
            figures=(
                Figure("face_verified", len(bills), 1, "bills"),
                Figure("distance", round(max(far for far, _ in away), 1), self.far, "km"),
            ),
            exclusions=(
                taken_back(),
                late_upload(bills, claims.late),
                approved_leave(on_leave),
                no_visit_needed(claims.internet, claims.unknown),
            ),
            checks=checks(stay, bills),
            orgs=(stay.org,),
            hits=len(bills),
        )


def checks(stay: Admission, bills: Sequence[Settlement]) -> tuple[Check, ...]:
    return (
        *(
            Check(
                f"调取{bill.org}收银处监控和刷脸留痕，核对是否患者本人",
                f"camera and face record at the till of {bill.org}: was it the patient",
                bill.happened_at - CAMERA,
                bill.happened_at + CAMERA,
            )
            for bill in bills[:SHOWN]
        ),
        Check(
            f"查{stay.org}当时的护理、输液和查房记录，核对患者是否在院",
            f"nursing, infusion and round records of {stay.org}: was the patient there",
            bills[0].happened_at - 4 * HOUR,
            bills[-1].happened_at + 4 * HOUR,
        ),
    )
