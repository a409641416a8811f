"""A day against peers and against one's own past: the columns that every channel of the model reads.

Two columns a feature: how far above its peers, and how far above the entity's own earlier days, both in spreads, and
only in the direction that is strange. 0 is ordinary, and what nothing is known of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.feature import Feature, Measures

Array = NDArray[np.float64]
FURTHEST = 15.0  # spreads: beyond it all is equally strange
SHRUNK_BY = 10  # days' worth of the peers' spread in one's own
LEAST_DAYS = 5  # of one's own, to be compared with
LEAST_SPREAD = 0.15  # of scaled values: a sixth of a count or an amount
MAD_TO_SIGMA = 1.4826  # of a normal distribution


@dataclass(frozen=True, slots=True, eq=False)
class Peers:
    """What is usual in one group. shape (features,) each: of scaled values, and the median as people are told it."""

    center: Array
    spread: Array
    told: Array


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """One day, as the model sees it. values: shape (2 x features,), peers' first. own: what was usual, or None."""

    values: Array
    day: Measures
    peers: Peers
    group: str
    own: Array | None

    @property
    def of_features(self) -> Array:
        """Of each feature the stranger of its two columns; shape (features,)."""
        highest: Array = self.values.reshape(2, -1).max(axis=0)
        return highest


def center_and_spread(scaled: Array) -> tuple[Array, Array]:
    """Robust, by column. scaled: shape (days, features)."""
    center = np.median(scaled, axis=0)
    mad = MAD_TO_SIGMA * np.median(np.abs(scaled - center), axis=0)
    return center, np.maximum(np.maximum(mad, scaled.std(axis=0) / 4), LEAST_SPREAD)


def columns(
    features: Sequence[Feature],
    day: Measures,
    earlier: Sequence[Measures],
    groups: Sequence[str],
    peers: Mapping[str, Peers],
) -> Columns:
    """earlier: one's own closed days, none if too little is known. groups: the first that the model knows counts."""
    group = next(name for name in groups if name in peers)
    usual = peers[group]
    scaled, direction = np.array(day.scaled), np.array([f.direction for f in features], dtype=np.float64)
    stranger = _stranger(day.told, usual.told, direction)
    against_peers = _one_sided((scaled - usual.center) / usual.spread, direction) * stranger
    against_own, own = np.zeros(len(features)), None
    if len(earlier) >= LEAST_DAYS:
        past = np.array([one.scaled for one in earlier])
        center, spread = center_and_spread(past)
        n = len(earlier)
        spread = np.sqrt((n * spread**2 + SHRUNK_BY * usual.spread**2) / (n + SHRUNK_BY))
        compared = np.array([f.own for f in features], dtype=np.float64)
        own = np.median(np.array([one.told for one in earlier]), axis=0)
        stranger = _stranger(day.told, own, direction)
        against_own = _one_sided((scaled - center) / spread, direction * compared) * stranger
    return Columns(np.concatenate([against_peers, against_own]), day, usual, group, own)


def _stranger(told: Sequence[float], usual: Array, direction: Array) -> NDArray[np.bool_]:
    """What people would call stranger: a share of few bills is scaled as less sure, which is not strange in itself."""
    beyond: NDArray[np.bool_] = (np.array(told) - usual) * direction > 0
    return beyond


def _one_sided(z: Array, direction: Array) -> Array:
    return np.clip(z * direction, 0.0, FURTHEST)
