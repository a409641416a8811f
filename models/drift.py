"""Whether days still look like those that a model was trained on: the population stability index (PSI)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from models.day import Array

BINS = 10
WARN, ACT = 0.05, 0.2  # docs/model.md: the customary 0.1 and 0.25 overlook amounts that rose by a quarter
LEAST_DAYS = 2_000  # of fewer, PSI is noise: about (bins - 1) / days
SCORE = "score"


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """How training days were spread. edges: shape (columns, BINS - 1); shares: shape (columns, BINS).

    columns: the scaled features, and last the score.
    """

    edges: Array
    shares: Array

    @classmethod
    def of(cls, values: Array) -> "Reference":
        """values: shape (days, columns)."""
        edges = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1], axis=0).T
        return cls(np.ascontiguousarray(edges), shares(values, edges))


class Drift(NamedTuple):
    """psi: of a feature, or of the score."""

    name: str
    psi: float

    @property
    def state(self) -> str:
        return "act" if self.psi > ACT else "warn" if self.psi > WARN else "ok"


def shares(values: Array, edges: Array) -> Array:
    """Which part of the days falls into each bin, by columns; none is quite empty."""
    counts = np.stack(
        [np.bincount(np.searchsorted(e, v, side="left"), minlength=BINS) for e, v in zip(edges, values.T, strict=True)]
    )
    parts: Array = (counts.astype(np.float64) + 0.5) / (len(values) + 0.5 * BINS)
    return parts


def drifts(reference: Reference, values: Array, names: Sequence[str]) -> list[Drift]:
    """names: of the columns. The furthest first."""
    now = shares(values, reference.edges)
    psi = ((now - reference.shares) * np.log(now / reference.shares)).sum(axis=1)
    return sorted((Drift(name, float(value)) for name, value in zip(names, psi, strict=True)), key=lambda d: -d.psi)
