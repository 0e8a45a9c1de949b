"""How many reference units an area estimate needs, and in which classes of the map.

Source: Olofsson et al., Remote Sensing of Environment 148, 2014, section 5.1 (equation 13, Cochran)
and its advice on rare classes: a floor for each, the others in proportion to their area.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import SampleError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

FLOOR = 50
"""Units that even the rarest class gets."""
SLIVERS = 0.05
"""Share of a glacier that classes with fewer than two units may have for an estimate of it."""
MOST_UNITS = 1_000_000
"""More points than anybody interprets."""
_WIDEST = 1e9
"""Largest quotient of the spread of a map and its wanted error that is told from larger ones."""
RARE = 0.01
"""Share of a map of change below which a class has no stratum of its own."""


def strata(pixels: ArrayLike, moved: ArrayLike | None = None) -> NDArray[np.int64]:
    """The stratum of each class of a map, by nothing but the map itself.

    Every class is one. On a map of change, those of less than 1 % of the pixels share two: one of
    what stayed, one of what changed. What has a single pixel joins the largest, because one unit
    says nothing of errors.

    Args:
        pixels: (C) number of pixels of each class in the map.
        moved: (C) whether each class of a map of change is a transition; none: of other maps.

    Returns:
        (C) numbers from 0.
    """
    sizes = np.asarray(pixels, np.int64)
    names = np.arange(sizes.size)
    if moved is not None:
        rare = sizes < RARE * sizes.sum()
        names = np.where(rare, sizes.size + np.asarray(moved, np.int64), names)
    found = np.unique(names, return_inverse=True)[1]
    total = np.bincount(found, sizes)
    found = np.where(total[found] == 1, total.argmax(), found)
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def without_slivers(held: ArrayLike, units: ArrayLike, areas: ArrayLike) -> NDArray[np.int64]:
    """Strata of a part of a map: slivers with fewer than two units join the largest.

    They stay as they are where they hold more than `SLIVERS` of it together, of which the units
    then tell too little.

    Source: collapsed strata, Cochran 1977, Sampling techniques, section 5A.12.

    Args:
        held: (C) number of the stratum, from 0, that holds each class.
        units: (C) sample units of each class of the map.
        areas: (C) its area in the part.

    Returns:
        (C) numbers from 0.
    """
    names = np.asarray(held, np.int64)
    told, whole = np.bincount(names, units), np.bincount(names, areas)
    few = (told < 2) & (whole > 0)
    known = np.where(few, 0.0, whole)
    if not known.any() or whole[few].sum() > SLIVERS * whole.sum():
        return names
    return np.where(few[names], known.argmax(), names)


def sample_size(mapped: ArrayLike, users: ArrayLike, standard_error: float) -> int:
    """Units needed for a standard error of the overall accuracy: `(Σ W_i S_i / S(O))²`.

    Args:
        mapped: (C) area of each class in the map.
        users: (C) user's accuracies that are expected, `S_i = √(U_i (1 − U_i))`.
        standard_error: S(O), such as 0.01.

    Raises:
        SampleError: an accuracy or the standard error is not between 0 and 1, or no area.
    """
    areas, accuracy = np.asarray(mapped, np.float64), np.asarray(users, np.float64)
    if not ((accuracy >= 0) & (accuracy <= 1)).all() or not 0 < standard_error < 1:
        raise SampleError(
            "accuracies and the standard error must lie between 0 and 1",
            where="sampling design",
            remedy="give fractions, such as 0.9 and 0.01",
        )
    weight = _shares(areas)
    spread = float((weight * np.sqrt(accuracy * (1 - accuracy))).sum())
    # The quotient is a whole number but for rounding where the design says so.
    return max(1, math.ceil(min(spread / standard_error, _WIDEST) ** 2 - 1e-9))


def allocate(mapped: ArrayLike, units: int, *, floor: int = FLOOR) -> NDArray[np.int64]:
    """Units of each class: at least `floor`, the rest in proportion to the classes' areas.

    Classes whose proportional share is below the floor get the floor; the others share what is
    left, by largest remainders. A class without area gets none.

    Returns:
        (C) int64 that add up to `units`.

    Raises:
        SampleError: the floors alone need more than `units`, no area, or no number of units that
            people can interpret.
    """
    if not 1 <= units <= MOST_UNITS:
        raise SampleError(
            f"{units:.10g} units are no sample to be interpreted",
            where="sampling design",
            remedy=f"take 1 to {MOST_UNITS} units, or a larger standard error",
        )
    weight = _shares(np.asarray(mapped, np.float64))
    present = weight > 0
    if floor * int(present.sum()) > units:
        raise SampleError(
            f"{units} units are too few for {int(present.sum())} classes of at least {floor}",
            where="sampling design",
            remedy="take more units, or a lower floor",
        )
    rare = np.zeros(weight.size, np.bool_)
    while True:
        common = present & ~rare
        left = units - floor * int(rare.sum())
        share = np.where(common, weight, 0.0)
        wanted = left * share / max(float(share.sum()), 1e-300)
        low = common & (wanted < floor)
        if not low.any():
            break
        rare |= low
    whole = np.floor(wanted).astype(np.int64)
    order = np.argsort(-(wanted - whole), kind="stable")
    order = order[common[order]]
    whole[order[: left - int(whole.sum())]] += 1
    return np.where(rare, floor, whole)


def draw_units(
    strips: Iterable[tuple[int, NDArray[np.uint8]]], pixels: ArrayLike, units: ArrayLike, seed: int
) -> NDArray[np.int64]:
    """Pixels drawn at random, without replacement, within each class of a map.

    Args:
        strips: first row and (h, w) class values from 1, of whole rows from top to bottom; the
            draw does not depend on how the map is cut into strips.
        pixels: (C) number of pixels of each class in the map.
        units: (C) pixels wanted of each class.
        seed: of the draw.

    Returns:
        (n, 3) int64 row, column and class value, in the order of the grid; all pixels of a class
        that has fewer than wanted.
    """
    sizes, wanted = np.asarray(pixels, np.int64).tolist(), np.asarray(units, np.int64).tolist()
    streams = np.random.SeedSequence(seed).spawn(len(sizes))
    ranks = [
        np.sort(np.random.default_rng(s).choice(size, min(n, size), replace=False, shuffle=False))
        for size, n, s in zip(sizes, wanted, streams, strict=True)
    ]
    seen = np.zeros(len(sizes), np.int64)
    drawn = [np.zeros((0, 3), np.int64)]
    for top, codes in strips:
        here = []
        for c, chosen in enumerate(ranks):
            places = np.flatnonzero(codes == c + 1)
            first, last = np.searchsorted(chosen, [seen[c], seen[c] + places.size])
            rows, columns = np.divmod(places[chosen[first:last] - seen[c]], codes.shape[1])
            here.append(np.stack([rows + top, columns, np.full(rows.size, c + 1)], axis=1))
            seen[c] += places.size
        found = np.concatenate(here).astype(np.int64)
        drawn.append(found[np.lexsort((found[:, 1], found[:, 0]))])
    return np.concatenate(drawn)


def _shares(areas: NDArray[np.float64]) -> NDArray[np.float64]:
    if not (areas >= 0).all() or not areas.sum() > 0:
        raise SampleError(
            "an area is negative, or all are zero",
            where="sampling design",
            remedy="give the area of each class in the map",
        )
    return np.asarray(areas / areas.sum())
