"""Balanced samples: equally many windows of every class, drawn evenly from its groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import SampleError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def balanced(
    classes: ArrayLike,
    groups: ArrayLike,
    threshold: int | None = None,
    seed: int = 42,
) -> NDArray[np.intp]:
    """Rows to keep so that all classes are of one size, and the groups of a class nearly so.

    The authors' way: groups with fewer windows than a threshold are dropped, the others of a class
    reduced to the same number, then the classes to the smallest one, evenly from their groups.

    Args:
        classes: (N) class of every window.
        groups: (N) group of every window; it counts with its class.
        threshold: windows a group needs; none: the number that keeps most windows.
        seed: of the draw.

    Returns:
        Row numbers, ascending.

    Raises:
        SampleError: a class keeps fewer than two groups.
    """
    classes, groups = np.asarray(classes), np.asarray(groups)
    (_, of_class), (names, of_group) = (
        np.unique(one, return_inverse=True) for one in (classes, groups)
    )
    _, first, which, sizes = np.unique(
        of_class * len(names) + of_group,
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    label = classes[first]
    if threshold is None:
        threshold = max(np.unique(sizes).tolist(), key=lambda t: (_kept(label, sizes, t), -t))
    quota = _quota(label, sizes, threshold)
    generator = np.random.default_rng(np.random.SeedSequence(seed))
    kept: list[int] = []
    for group, most in enumerate(quota):
        rows = np.flatnonzero(which == group)
        kept.extend(generator.permutation(rows)[:most].tolist())
    return np.array(sorted(kept), np.intp)


def _kept(label: NDArray[Any], sizes: NDArray[np.int64], threshold: int) -> int:
    """Windows a threshold keeps; none if it leaves a class fewer than two groups."""
    counts = [int((sizes[label == name] >= threshold).sum()) for name in np.unique(label)]
    return min(counts) * threshold * len(counts) if min(counts) >= 2 else 0


def _quota(label: NDArray[Any], sizes: NDArray[np.int64], threshold: int) -> NDArray[np.int64]:
    """Windows to draw from each group."""
    large = sizes >= threshold
    counts = {name: int((large & (label == name)).sum()) for name in np.unique(label).tolist()}
    for name, count in counts.items():
        if count < 2:
            raise SampleError(
                f"class {name} has {count} groups of at least {threshold} windows, not two",
                remedy="lower samples.min_per_group, draw more windows, or leave the class out",
            )
    each = min(counts.values()) * threshold
    quota = np.zeros(len(sizes), np.int64)
    for name, count in counts.items():
        share = np.full(count, each // count)
        share[: each % count] += 1
        quota[large & (label == name)] = share
    return quota
