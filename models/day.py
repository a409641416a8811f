"""A day against peers and against one's own past: the columns that every channel of the model reads.

One column a feature: the mean of how far it is out among peers and against the entity's own earlier days, both in
spreads, and only in the direction that is strange. 0 is ordinary. Where nothing is known of one's own days, peers stand
for them: a column of its own would be 0 for nearly everybody, and the least that the few with a past are above it rare.
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
    """One day, as the model sees it. values: shape (features,). own: what was usual of it, or None."""

    values: Array
    day: Measures
    peers: Peers
    group: str
    own: Array | None


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
    against_peers = _one_sided((scaled - usual.center) / usual.spread, direction) * _stranger(
        day.told, usual.told, direction
    )
    if len(earlier) < LEAST_DAYS:
        return Columns(against_peers, day, usual, group, None)
    past = np.array([one.scaled for one in earlier])
    center, spread = center_and_spread(past)
    n = len(earlier)
    spread = np.sqrt((n * spread**2 + SHRUNK_BY * usual.spread**2) / (n + SHRUNK_BY))
    own = np.median(np.array([one.told for one in earlier]), axis=0)
    against_own = _one_sided((scaled - center) / spread, direction) * _stranger(day.told, own, direction)
    compared = np.array([f.own for f in features])
    values = np.where(compared, (against_peers + against_own) / 2, against_peers)
    return Columns(values, day, usual, group, own)


def _stranger(told: Sequence[float], usual: Array, direction: Array) -> NDArray[np.bool_]:
    """What people would call stranger: a share of few bills is scaled as less sure, which is not strange in itself."""
    beyond: NDArray[np.bool_] = (np.array(told) - usual) * direction > 0
    return beyond


def _one_sided(z: Array, direction: Array) -> Array:
    return np.clip(z * direction, 0.0, FURTHEST)
