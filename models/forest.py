"""An isolation forest as arrays: scored as scikit-learn scores it, without scikit-learn.

Every tree is laid out as a perfect binary tree, level by level: the children of slot j are 2j and 2j + 1 in the next
level, and what ends early is repeated downwards. There are no pointers: no file can make it loop or read elsewhere.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.day import Array

BLOCK = 25_600  # values of one level that are looked at together: they stay in the cache


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """feature, threshold: shape (trees, 2**depth - 1), level by level. path: shape (trees, 2**depth), of each leaf.

    scale: the path that is as short as usual: scores are 2 ** -(mean path / scale).
    """

    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    path: Array
    scale: float

    @property
    def depth(self) -> int:
        return int(self.path.shape[1]).bit_length() - 1

    def score(self, values: Array) -> Array:
        """How easily each row is told from all others: about 0.5 is ordinary, near 1 strange; -score_samples.

        values: shape (rows, columns), no nan. Returns shape (rows,).
        """
        rows = max(1, BLOCK // len(self.path))
        blocks = [self._score(values[first : first + rows]) for first in range(0, len(values), rows)]
        return np.concatenate(blocks) if blocks else np.zeros(0)

    def _score(self, values: Array) -> Array:
        near = values.astype(np.float32)  # as scikit-learn compares
        flat, columns = near.ravel(), near.shape[1]
        feature, threshold, path = self.feature.ravel(), self.threshold.ravel(), self.path.ravel()
        trees, rows = np.arange(len(self.path))[:, None], np.arange(len(near)) * columns
        first = trees * self.feature.shape[1]  # node of each tree; below a node n of it lie 2n + 1 and 2n + 2
        node = np.repeat(first, len(near), axis=1)
        above = first - 1
        for _ in range(self.depth):
            right = flat.take(feature.take(node) + rows) > threshold.take(node)
            node += node - above
            node += right
        leaf = node - first - self.feature.shape[1]
        lengths = path.take(leaf + trees * self.path.shape[1])
        total = np.add.accumulate(lengths, axis=0)[-1]  # one after the other, as scikit-learn adds them
        strange: Array = 2.0 ** -(total / (len(self.path) * self.scale))
        return strange


def average_path(n: NDArray[np.int64]) -> Array:
    """Of an unsuccessful search among ``n`` in a binary search tree (Liu et al. 2008, equation 1)."""
    many = np.maximum(n, 3).astype(np.float64)
    length = 2.0 * (np.log(many - 1.0) + np.euler_gamma) - 2.0 * (many - 1.0) / many
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, length))


def flattened(fitted: Any) -> Forest:
    """Of a scikit-learn IsolationForest. Any: that has no types. Raises ValueError where it splits by category.

    scikit-learn compares 32-bit values with 64-bit thresholds: rounded down to 32 bits they decide alike.
    """
    trees = [
        (tree.tree_, columns) for tree, columns in zip(fitted.estimators_, fitted.estimators_features_, strict=True)
    ]
    depth = max(tree.max_depth for tree, _ in trees)
    feature = np.zeros((len(trees), (1 << depth) - 1), dtype=np.int16)
    threshold = np.full(feature.shape, np.inf, dtype=np.float32)
    path = np.zeros((len(trees), 1 << depth))
    for number, (tree, columns) in enumerate(trees):
        if not np.issubdtype(tree.threshold.dtype, np.floating):
            raise ValueError("the forest splits by something else than numbers")
        leaf = average_path(tree.n_node_samples.astype(np.int64))
        _lay_out(tree, columns, leaf, feature[number], threshold[number], path[number])
    scale = float(average_path(np.array([fitted.max_samples_]))[0])
    return Forest(feature, threshold, path, scale)


def _lay_out(tree: Any, columns: Any, leaf: Array, feature: Any, threshold: Any, path: Array) -> None:
    """Any: arrays of scikit-learn, and one row each of those to be filled."""
    depth = len(path).bit_length() - 1
    level = [(0, 0.0, False)]  # node, its depth, whether it is a leaf seen before
    for here in range(depth):
        below: list[tuple[int, float, bool]] = []
        for slot, (node, deep, ended) in enumerate(level):
            if ended or tree.children_left[node] < 0:
                below += [(node, deep, True)] * 2
                continue
            at = (1 << here) - 1 + slot
            feature[at], threshold[at] = columns[tree.feature[node]], _rounded_down(tree.threshold[node])
            below += [(tree.children_left[node], deep + 1, False), (tree.children_right[node], deep + 1, False)]
        level = below
    for slot, (node, deep, _) in enumerate(level):
        path[slot] = (deep + 1.0) + leaf[node] - 1.0  # in scikit-learn's order, to the last bit


def _rounded_down(threshold: float) -> np.float32:
    near = np.float32(threshold)
    return np.nextafter(near, np.float32(-np.inf)) if float(near) > float(threshold) else near
