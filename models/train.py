"""What is usual, learned from days: peers, forest, tails, distance, and the thresholds for so many leads a day.

The only module that needs scikit-learn, and only when it is called.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np

from detectors.detector import NO_LIMIT, Finding
from detectors.event import day_of
from detectors.finding import Level
from detectors.unit import DAY, Unit
from models.anomaly_person import AnomalyPerson
from models.anomaly_pharmacy import AnomalyPharmacy
from models.channels import TAIL, Distance, Surprise, tail_slope, top_sum
from models.day import Array, Columns, Peers, center_and_spread, columns
from models.forest import Forest, flattened
from models.model import DIGITS, MEMORY_DAYS, Model, evidence
from models.watch import FEATURES, SETTLES, Watch, Watched, person, pharmacy

LEAST_MEMBERS = 5  # of a group of peers (readings 5)
LEAST_DAYS_OF_PEERS = 30
LEAST_ROWS = 200  # days: of fewer nothing is learned
YELLOW = 1 / 3  # of the leads; the others are blue


class TooLittleError(ValueError):
    """There is too little to learn from; says how much there is."""


Found = dict[tuple[str, date], Watched]  # by entity and day


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonDays(AnomalyPerson):
    """Collects what the detector would see when it judges, and reports nothing."""

    found: Found = field(default_factory=dict, metadata=NO_LIMIT)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        yield from _collected(unit, person, self.found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PharmacyDays(AnomalyPharmacy):
    """Collects what the detector would see when it judges, and reports nothing."""

    found: Found = field(default_factory=dict, metadata=NO_LIMIT)

    def judge(self, unit: Unit) -> Iterator[Finding]:
        yield from _collected(unit, pharmacy, self.found)


def _collected(unit: Unit, watch: Watch, found: Found) -> Iterator[Finding]:
    start = unit.span.start
    ready = start + DAY + SETTLES
    if unit.now < ready:
        unit.wake(ready)
    elif watched := watch(unit, start):
        found[unit.key, day_of(start)] = watched._replace(bills=())
    else:
        found.pop((unit.key, day_of(start)), None)
    return iter(())


class Plan(NamedTuple):
    """per_day: leads a day that the thresholds are made for, of each kind of entity."""

    per_day: float = 3.0
    trees: int = 200
    samples: int = 1024
    seed: int = 20260101


class Learned(NamedTuple):
    """A model, and what it was learned from. values, scaled: of every day; totals: by which thresholds are set."""

    model: Model
    values: Array
    scaled: Array
    totals: Array
    days: int
    entities: int
    since: datetime
    until: datetime


def learn(
    entity: str, days: Mapping[tuple[str, date], Watched], plan: Plan, version: str, *, whole: float | None = None
) -> Learned:
    """whole: days that the recording covers; None: from the first to the last. Raises TooLittleError, ImportError."""
    features = FEATURES[entity]
    if len(days) < LEAST_ROWS:
        raise TooLittleError(f"{len(days)} days of {entity} entities: at least {LEAST_ROWS} are needed")
    keys = sorted(days)
    watched = [days[key] for key in keys]
    peers = dict(_peers(keys, watched))
    seen = [columns(features, day.measures, day.earlier, day.groups, peers) for day in watched]
    values = np.stack([one.values for one in seen])
    forest, tails, distance = fitted(values, plan), Surprise.of(values), Distance.of(values)
    raw = np.stack([forest.score(values), top_sum(tails(values)), distance(values)], axis=1)
    starts = sorted(day.start for day in watched)
    covered = whole or (starts[-1] - starts[0]) / DAY + 1
    parts: dict[str, Any] = {  # Any: fields of a Model
        **{"entity": entity, "version": version, "features": features, "peers": peers},
        **{"forest": forest, "tails": tails, "distance": distance, "channels": Surprise.of(raw)},
    }
    draft = Model(**parts, thresholds={})
    strange = draft.strangeness(values)
    totals = with_evidence(keys, strange)
    model = Model(**parts, thresholds=thresholds(totals, plan.per_day * covered))
    return Learned(
        model,
        values,
        np.array([day.measures.scaled for day in watched]),
        totals,
        len(keys),
        len({who for who, _ in keys}),
        starts[0],
        starts[-1] + DAY,
    )


def libraries() -> dict[str, str]:
    """What a model is trained with, and their versions. Raises ImportError."""
    import platform

    import sklearn  # type: ignore[import-untyped]  # it has no types

    return {"scikit-learn": sklearn.__version__, "numpy": np.__version__, "python": platform.python_version()}


def fitted(values: Array, plan: Plan) -> Forest:
    from sklearn.ensemble import IsolationForest  # type: ignore[import-untyped]  # it has no types

    samples = min(plan.samples, len(values))
    forest = IsolationForest(n_estimators=plan.trees, max_samples=samples, random_state=plan.seed, n_jobs=1)
    return flattened(forest.fit(values))


def _peers(keys: Sequence[tuple[str, date]], watched: Sequence[Watched]) -> Iterator[tuple[str, Peers]]:
    members: dict[str, list[int]] = defaultdict(list)
    for n, day in enumerate(watched):
        for group in day.groups:
            members[group].append(n)
    for group, days in sorted(members.items()):
        known = {keys[n][0] for n in days}
        if group and (len(known) < LEAST_MEMBERS or len(days) < LEAST_DAYS_OF_PEERS):
            continue
        center, spread = center_and_spread(np.array([watched[n].measures.scaled for n in days]))
        told = np.median(np.array([watched[n].measures.told for n in days]), axis=0)
        yield group, Peers(center, spread, told)


def with_evidence(keys: Sequence[tuple[str, date]], strange: Array) -> Array:
    """Of each day its strangeness and the evidence of the days before, as ``models.unusual`` adds them."""
    known = {key: float(value) for key, value in zip(keys, strange, strict=True)}
    totals = np.zeros(len(keys))
    for n, (who, day) in enumerate(keys):
        if today := known[who, day]:
            before = (day - timedelta(days=back) for back in range(MEMORY_DAYS, 0, -1))
            totals[n] = today + evidence([known.get((who, one), 0.0) for one in before])
    return totals


def thresholds(totals: Array, leads: float) -> dict[Level, float]:
    """Which total so many days reach: all leads are blue at least, a part of them yellow."""
    return {
        Level.BLUE: round(reached_by(totals, leads), DIGITS),
        Level.YELLOW: round(reached_by(totals, leads * YELLOW), DIGITS),
    }


def reached_by(totals: Array, days: float) -> float:
    """The total that so many of these days reach; far out by an exponential tail, where single days decide nothing."""
    ordered = np.sort(totals)
    share = max(days, 1e-9) / len(ordered)
    if share >= 1:
        return float(ordered[0]) or 1e-6
    if share >= TAIL:
        return float(ordered[int(np.ceil((1 - share) * len(ordered))) - 1])
    base = float(ordered[int((1 - TAIL) * len(ordered))])
    return base + float(np.log(TAIL / share) / tail_slope(ordered[:, None])[0])


def rank_of(model: Model, days: Found) -> tuple[list[tuple[str, date]], Array, list[Columns]]:
    """Every day by this model: its keys, its totals, and its columns."""
    keys = sorted(days)
    seen = [columns(model.features, days[k].measures, days[k].earlier, days[k].groups, model.peers) for k in keys]
    if not seen:
        return [], np.zeros(0), []
    return keys, with_evidence(keys, model.strangeness(np.stack([one.values for one in seen]))), seen
