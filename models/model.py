"""What one trained model says of days: how strange, from which level on a lead, and by which features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np

from detectors.event import CHINA
from detectors.finding import Level
from models.channels import Distance, Surprise, top_sum
from models.day import Array, Columns, Peers
from models.feature import Feature
from models.forest import Forest

STANDS_OUT = 2.0  # spreads: a day of which no feature says so much is ordinary; a lead must have a reason to name
MEMORY_DAYS = 7  # that add to today's evidence
KEPT, ADDED = 0.7, 0.3  # of the evidence, a day
COUNTS_FROM = float(np.log(20.0))  # -log p: one day in twenty is no evidence
DIGITS = 6  # of a score: no rounding error of a sum decides whether there is a lead


class Reason(NamedTuple):
    """One feature of a strange day. own: None where one's own past is too short. share: of the score, 0 to 1."""

    feature: Feature
    value: float
    peers: float
    own: float | None
    share: float


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Model:
    """One kind of entity: ``person`` or ``pharmacy``.

    channels: of forest, tails and distance, in this order. thresholds: of ``total``, by level.
    """

    entity: str
    version: str
    features: tuple[Feature, ...]
    peers: Mapping[str, Peers]
    forest: Forest
    tails: Surprise
    distance: Distance
    channels: Surprise
    thresholds: Mapping[Level, float]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and (self.entity, self.version) == (other.entity, other.version)

    def __hash__(self) -> int:
        return hash((self.entity, self.version))

    def __repr__(self) -> str:
        return f"Model({self.entity} {self.version})"

    def surprises(self, values: Array) -> Array:
        """-log p of each row by each channel; shape (rows, 3)."""
        raw = np.stack([self.forest.score(values), top_sum(self.tails(values)), self.distance(values)], axis=1)
        return self.channels(raw)

    def stands_out(self, values: Array) -> Any:
        """Whether some feature is far enough out to be named. values: shape (..., columns). Any: bool, or an array."""
        return values.max(axis=-1, initial=0.0) >= STANDS_OUT

    def strangeness(self, values: Array) -> Array:
        """-log p, the mean of the channels; 0 where nothing stands out. values: shape (rows, columns)."""
        strange = np.zeros(len(values))
        out = self.stands_out(values)
        if out.any():
            strange[out] = self.surprises(values[out]).mean(axis=1)
        return strange

    def level(self, total: float) -> Level | None:
        reached = [level for level, threshold in self.thresholds.items() if round(total, DIGITS) >= threshold]
        return max(reached, key=lambda level: level.rank, default=None)

    def reasons(self, columns: Columns, most: int) -> list[Reason]:
        """The features that make the day strange, the weightiest first.

        Half of a share is what is lost of the score if the feature were ordinary, half how far out it is: either alone
        names the planted feature less often (docs/model.md).
        """
        count = len(self.features)
        out = columns.values
        ordinary = np.repeat(columns.values[None, :], count + 1, axis=0)
        for n in range(count):
            ordinary[n, n] = 0.0
        score = self.surprises(ordinary).mean(axis=1)
        lost = np.maximum(score[-1] - score[:-1], 0.0) * (out > 0)
        share = (_parts(lost) + _parts(out)) / 2
        strangest = [int(n) for n in np.argsort(-share, kind="stable")[:most] if out[n] > 0]
        return [self._reason(columns, n, float(share[n])) for n in strangest]

    def _reason(self, columns: Columns, n: int, share: float) -> Reason:
        feature = self.features[n]
        own = float(columns.own[n]) if columns.own is not None and feature.own else None
        return Reason(feature, columns.day.told[n], float(columns.peers.told[n]), own, share)


def trained_until(version: str) -> datetime:
    """The end of the days that a version was trained on: its name begins with it."""
    return datetime.fromisoformat(version[:10]).replace(tzinfo=CHINA)


def _parts(weights: Array) -> Array:
    total = weights.sum()
    return weights / total if total > 0 else weights


def evidence(earlier: Sequence[float]) -> float:
    """What the days before add to a day's strangeness. earlier: of the MEMORY_DAYS before, the oldest first."""
    kept = 0.0
    for strange in earlier:
        kept = KEPT * kept + ADDED * max(strange - COUNTS_FROM, 0.0)
    return kept
