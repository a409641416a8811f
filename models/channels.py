"""How unlikely: three readings of the same columns, and the tables that make one scale of them."""

from dataclasses import dataclass, field

import numpy as np

from models.day import Array

MOST = 40.0  # -log p: beyond e**-40 nothing is told apart
KNOTS = 48
TOP = 3  # features that a concentrated anomaly lives in
TAIL = 0.02  # of the training days: from there on the tail is taken for exponential
LEAST_EXCESS = 0.05
RIDGE = 0.05  # of the mean variance, mixed into the covariance


@dataclass(frozen=True, slots=True, eq=False)
class Surprise:
    """-log of the share of training days with at least such a value, by columns.

    at, worth: shape (columns, KNOTS), both rising, straight in between. slope: shape (columns,), beyond the last knot:
    that of an exponential tail, which errs on the quiet side where training days are few.
    """

    at: Array
    worth: Array
    slope: Array
    rise: Array = field(init=False, repr=False)  # from each knot on

    def __post_init__(self) -> None:
        run, rise = np.diff(self.at, axis=1), np.diff(self.worth, axis=1)
        inner = np.divide(rise, run, out=np.zeros_like(rise), where=run > 0)
        object.__setattr__(self, "rise", np.concatenate([inner, self.slope[:, None]], axis=1))

    def __call__(self, values: Array) -> Array:
        """values: shape (rows, columns). Returns the same shape, within 0 and MOST."""
        reached = (self.at <= values[:, :, None]).sum(axis=2)
        knot = np.maximum(reached - 1, 0) + np.arange(0, self.at.size, self.at.shape[1])  # in the flat tables
        rise = self.rise.take(knot) * (values - self.at.take(knot))
        surprise: Array = np.minimum(np.maximum(self.worth.take(knot) + rise, 0.0), MOST)
        return surprise

    @classmethod
    def of(cls, values: Array) -> "Surprise":
        """values: shape (days, columns), of the days to train on."""
        days = len(values)
        ordered = np.sort(values, axis=0)
        share = np.geomspace(1.0, 1.0 / days, KNOTS)
        rank = np.round((1.0 - share) * (days - 1)).astype(np.int64)
        at = ordered[rank].T
        below = np.stack([np.searchsorted(ordered[:, c], at[c], side="left") for c in range(values.shape[1])])
        return cls(np.ascontiguousarray(at), -np.log((days - below) / days), tail_slope(ordered))


def tail_slope(ordered: Array) -> Array:
    """How fast -log p rises far out, by columns: one over the mean excess above all but the highest 2 %."""
    first = int((1.0 - TAIL) * len(ordered))
    tail = ordered[first:]
    excess = np.maximum((tail - tail[:1]).mean(axis=0), LEAST_EXCESS)
    slope: Array = 1.0 / excess
    return slope


@dataclass(frozen=True, slots=True, eq=False)
class Distance:
    """How far from the middle of all days, in the units of how they vary together (Mahalanobis)."""

    mean: Array
    precision: Array  # shape (columns, columns)

    def __call__(self, values: Array) -> Array:
        away = values - self.mean
        far: Array = np.sqrt(np.maximum(((away @ self.precision) * away).sum(axis=1), 0.0))
        return far

    @classmethod
    def of(cls, values: Array) -> "Distance":
        covariance: Array = np.cov(values, rowvar=False).astype(np.float64)
        ridge = RIDGE * max(float(np.trace(covariance)) / len(covariance), 1e-6)
        precision: Array = np.linalg.inv(covariance + ridge * np.eye(len(covariance))).astype(np.float64)
        return cls(values.mean(axis=0), precision)


def top_sum(surprises: Array) -> Array:
    """The sum of the TOP highest of each row."""
    total: Array = np.partition(surprises, -TOP, axis=1)[:, -TOP:].sum(axis=1)
    return total
