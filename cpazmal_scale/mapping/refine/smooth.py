"""Bayesian smoothing: a pixel's log-odds drawn towards those of its neighbours (sits' estimator).

Sums of whole numbers are exact in any order, so that running sums give every pixel the same bits
wherever its block begins, at a cost that does not grow with the window.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.execute import PLAIN, Execution
from cpazmal_scale.kernels.compiled import kept
from cpazmal_scale.kernels.posterior import ONE, decide_again
from cpazmal_scale.mapping.refine.derived import Derivation, DerivedMap, Made, derive
from cpazmal_scale.mapping.refine.source import Source
from cpazmal_scale.vocabulary import REJECTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.grid.blocks import Block

UNIT = 2.0**-16
"""Log-odds are summed as whole multiples of this; squares over 63 × 63 pixels fit 64 bits."""
FLAT = 1e-4
"""Below this variance of the neighbours a pixel takes their mean."""


def smooth(config: RunConfig, map_url: str, how: Execution = PLAIN) -> DerivedMap:
    """Smooth the probabilities of a map within a window, and decide its classes again.

    For each class, with x the log-odds ln p/(1 − p) of a pixel, m and s² their mean and variance
    (n − 1) over the pixels with a class in the window, itself included:
    `x' = w x + (1 − w) m`, `w = s²/(s² + σ²)`; probabilities are those of x', divided by their sum.
    Pixels without data or rejected have no say and stay as they are; so do distance and dates.

    Source: Camara et al., sits 1.5, `sits_smooth` with all neighbours.

    Args:
        config: `after.window` is the window's edge in pixels, `after.strength` σ².
        map_url: a finished map.
        how: executor, block size and progress.

    Raises:
        StoreError: the map is not finished, or the workspace cannot be written.
    """
    window, strength = config.after.window or 1, config.after.strength
    settings = {"window": window, "strength": strength}
    compute = functools.partial(smooth_block, window=window, strength=strength)
    made = Derivation.of_one("smoothed", map_url, settings, compute)
    return derive(config, made, how)


def smooth_block(sources: Sequence[Source], block: Block, *, window: int, strength: float) -> Made:
    """The smoothed products of one block."""
    halo = window // 2
    products = sources[0].products(block)
    around = sources[0].read("probability", block, halo)
    codes = sources[0].read("class", block, halo)
    products["probability"] = smoothed(around, codes, window=window, strength=strength)
    decide_again(products)
    return Made(products, {})


def smoothed(
    probability: NDArray[np.uint16], codes: NDArray[np.uint8], *, window: int, strength: float
) -> NDArray[np.uint16]:
    """Smoothed probabilities of the pixels that have a whole window around them.

    Args:
        probability: (C, h + window − 1, w + window − 1) in units of 1e-4.
        codes: (…) class values of the same pixels: 1…C take part.
        window: odd edge of the window.
        strength: σ².

    Returns:
        (C, h, w) uint16; pixels that take no part unchanged.
    """
    halo = window // 2
    rows, columns = (n - 2 * halo for n in codes.shape)
    out = probability[:, halo : halo + rows, halo : halo + columns].copy()
    _smooth(probability, codes, log_odds(), halo, strength, out)
    return out


@functools.cache
def log_odds() -> NDArray[np.int64]:
    """(10001) int64 log-odds of a stored probability in `UNIT`s, cut at 1e-4 and 1 − 1e-4."""
    share = [min(max(value, 1), ONE - 1) / ONE for value in range(ONE + 1)]
    return np.array([round(math.log(p / (1 - p)) / UNIT) for p in share], np.int64)


@kept
def _smooth(probability: Any, codes: Any, table: Any, halo: int, strength: float, out: Any) -> None:
    classes, height, width = out.shape
    wide, window = width + 2 * halo, 2 * halo + 1
    count = np.zeros(wide, np.int64)
    first = np.zeros((classes, wide), np.int64)
    second = np.zeros((classes, wide), np.int64)
    for y in range(window - 1):
        _add_row(probability, codes, table, y, 1, count, first, second)
    chance = np.empty((classes, width))
    for y in range(height):
        _add_row(probability, codes, table, y + window - 1, 1, count, first, second)
        for c in range(classes):
            centre = probability[c, y + halo, halo : halo + width]
            _draw_in(centre, table, count, first[c], second[c], window, strength, chance[c])
        for x in range(width):
            if 1 <= codes[y + halo, x + halo] < REJECTED:
                total = 0.0
                for c in range(classes):
                    total += chance[c, x]
                for c in range(classes):
                    out[c, y, x] = int(chance[c, x] / total * ONE + 0.5)
        _add_row(probability, codes, table, y, -1, count, first, second)


@kept
def _add_row(
    probability: Any, codes: Any, table: Any, y: int, sign: int, count: Any, first: Any, second: Any
) -> None:
    """Add a row to the sums of each column, or take it away."""
    for x in range(count.size):
        if 1 <= codes[y, x] < REJECTED:
            count[x] += sign
            for c in range(first.shape[0]):
                value = table[min(probability[c, y, x], ONE)]
                first[c, x] += sign * value
                second[c, x] += sign * value * value


@kept
def _draw_in(
    centre: Any,
    table: Any,
    count: Any,
    first: Any,
    second: Any,
    window: int,
    strength: float,
    chance: Any,
) -> None:
    """Probabilities (width) of one class and row from the sums of its columns."""
    n, total, squares = 0, 0, 0
    for x in range(window - 1):
        n, total, squares = n + count[x], total + first[x], squares + second[x]
    for x in range(chance.size):
        last = x + window - 1
        n, total, squares = n + count[last], total + first[last], squares + second[last]
        own = table[min(centre[x], ONE)] * UNIT
        if n > 1:
            mean = total / n * UNIT
            variance = (squares - total * (total / n)) / (n - 1) * (UNIT * UNIT)
            weight = variance / (variance + strength) if variance >= FLAT else 0.0
            own = weight * own + (1 - weight) * mean
        chance[x] = 1 / (1 + math.exp(-own))
        n, total, squares = n - count[x], total - first[x], squares - second[x]
