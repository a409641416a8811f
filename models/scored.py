"""Why the model spoke of a day, or did not: its score against the threshold, and what weighed most in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal

from msgspec import Struct
from msgspec.structs import replace

from detectors.detector import NO_LIMIT, Finding
from detectors.event import Settlement, day_of
from detectors.finding import Level, Reason, UnitId
from detectors.judge import find
from detectors.memory import View
from detectors.rules import Edition
from detectors.unit import DAY, Unit
from models.anomaly_person import AnomalyPerson
from models.anomaly_pharmacy import AnomalyPharmacy
from models.catalogue import model_of
from models.model import STANDS_OUT, Model
from models.unusual import SHOWN, seen_by, strange, told
from models.watch import SETTLES, Watch, person, pharmacy

State = Literal["spoke", "below", "ordinary", "waits"]


class DayScored(Struct, frozen=True, kw_only=True):
    """One day. state: ordinary, if no feature is ``stands_out`` spreads out, and then it has no score; waits until
    ``judged_at``, business time. furthest: of any feature, in spreads. reasons: the weightiest features.
    """

    day: date
    state: State
    model_version: str
    threshold: float
    judged_at: datetime
    score: float = 0.0
    level: Level | None = None
    furthest: float = 0.0
    stands_out: float = STANDS_OUT
    reasons: tuple[Reason, ...] = ()


class ByModel(Struct, frozen=True, kw_only=True):
    """What a detector of the model says of a subject's days, the latest first. without_model: days before the first."""

    detector: str
    model_version: str
    days: tuple[DayScored, ...]
    without_model: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _PersonScored(AnomalyPerson):
    """Keeps what it would say, and says nothing."""

    scored: list[DayScored] = field(default_factory=list, metadata=NO_LIMIT)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        self.scored.extend(_scored(unit, self.model, person))
        return iter(())


@dataclass(frozen=True, slots=True, kw_only=True)
class _PharmacyScored(AnomalyPharmacy):
    """Keeps what it would say, and says nothing."""

    scored: list[DayScored] = field(default_factory=list, metadata=NO_LIMIT)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        self.scored.extend(_scored(unit, self.model, pharmacy))
        return iter(())


_SCORED: dict[str, type[_PersonScored] | type[_PharmacyScored]] = {
    AnomalyPerson.id: _PersonScored,
    AnomalyPharmacy.id: _PharmacyScored,
}


def by_model(editions: Sequence[Edition], keys: Sequence[str], view: View) -> ByModel:
    """editions: of one of the detectors of the model, by date. keys: the files of its ledger that are asked about."""
    detector = editions[-1].detector
    found: list[DayScored] = []
    lacking = 0
    for key in keys:
        bills = view.file((detector.of.name, key)).kinds.get(Settlement, ())
        latest = {day_of(bill.happened_at): bill.happened_at for bill in bills}  # oldest first: the last one stays
        for day, last in latest.items():
            edition = next((one for one in editions if one.holds(last)), None)
            if edition is None:
                lacking += 1
                continue
            asked = _SCORED[detector.id](model=_model_of(edition))
            find((edition._replace(detector=asked),), UnitId(detector.id, key, day.isoformat()), view)
            found += asked.scored
    found.sort(key=lambda one: one.day, reverse=True)
    return ByModel(
        detector=detector.id, model_version=_model_of(editions[-1]).version, days=tuple(found), without_model=lacking
    )


def _model_of(edition: Edition) -> Model:
    """Raises LookupError for a detector without one."""
    model = model_of(edition)
    if model is None:
        raise LookupError(f"{edition.detector.id} has no model")
    return model


def _scored(unit: Unit, model: Model | None, watch: Watch) -> Iterator[DayScored]:
    """Nothing where there is nothing to be scored: no out-patient bill, no pharmacy."""
    start = unit.span.start
    watched = watch(unit, start)
    if model is None or watched is None:
        return
    day = DayScored(
        day=day_of(start),
        state="waits",
        model_version=model.version,
        threshold=min(model.thresholds.values()),
        judged_at=start + DAY + SETTLES,
    )
    if unit.now < day.judged_at:
        yield day
        return
    furthest = round(float(seen_by(model, watched).values.max(initial=0.0)), 2)
    found = strange(unit, model, watch)
    if found is None:
        yield replace(day, state="ordinary", furthest=furthest)
        return
    level = model.level(found.total)
    yield replace(
        day,
        state="spoke" if level else "below",
        furthest=furthest,
        score=round(found.total, 3),
        level=level,
        reasons=tuple(map(told, model.reasons(found.columns, SHOWN))),
    )
