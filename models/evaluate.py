"""Figures of a ranking: average precision, recall at a budget, agreement of two rankings, intervals."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import date

import numpy as np
from numpy.typing import NDArray

from models.day import Array

COOL_DOWN_DAYS = 7  # in which an entity that was reported is not reported again


def average_precision(scores: Array, planted: NDArray[np.bool_]) -> float:
    """The mean precision at each planted day, the highest score first; equal scores count as one step. 0..1."""
    total = int(planted.sum())
    if not total:
        return 0.0
    order = np.argsort(-scores, kind="stable")
    ranked, hits = scores[order], np.cumsum(planted[order])
    last_of_step = np.append(ranked[1:] != ranked[:-1], True)
    found, seen = hits[last_of_step], np.flatnonzero(last_of_step) + 1
    gained = np.diff(found, prepend=0)
    return float((gained * found / seen).sum() / total)


def at_budget(keys: Sequence[tuple[str, date]], scores: Array, a_day: int) -> NDArray[np.bool_]:
    """Which rows would be delivered: the highest ``a_day`` of each day, of entities that were not in the week before.

    A score of 0 is never reported.
    """
    chosen = np.zeros(len(scores), dtype=bool)
    spoken: dict[str, date] = {}
    count: dict[date, int] = {}
    for n in sorted(range(len(keys)), key=lambda n: (keys[n][1], -scores[n], keys[n][0])):
        who, day = keys[n]
        fresh = who not in spoken or (day - spoken[who]).days > COOL_DOWN_DAYS
        if scores[n] > 0 and fresh and count.get(day, 0) < a_day:
            spoken[who], count[day] = day, count.get(day, 0) + 1
            chosen[n] = True
    return chosen


def spearman(one: Array, other: Array) -> float:
    """Of two scores of the same rows; equal scores share their rank."""
    if len(one) < 2:
        return 1.0
    a, b = _ranks(one), _ranks(other)
    a, b = a - a.mean(), b - b.mean()
    spread = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum() / spread) if spread else 1.0


def _ranks(scores: Array) -> Array:
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - (counts - 1) / 2.0
    ranks: Array = middle[place]
    return ranks


def jaccard(one: AbstractSet[object], other: AbstractSet[object]) -> float:
    """Of two sets of leads; 1 if both are empty."""
    either = one | other
    return len(one & other) / len(either) if either else 1.0


def interval(values: Sequence[float], seed: int = 0, draws: int = 2_000) -> tuple[float, float]:
    """The 95 % interval of the mean over worlds, by bootstrap."""
    drawn = np.random.default_rng(seed).choice(np.array(values), size=(draws, len(values)))
    low, high = np.quantile(drawn.mean(axis=1), [0.025, 0.975])
    return float(low), float(high)
