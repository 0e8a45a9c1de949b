"""Pooling: a pixel's probabilities as the mean over the windows that hold it."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.execute import PLAIN, Execution
from cpazmal_scale.kernels.compiled import kept
from cpazmal_scale.kernels.posterior import decide_again
from cpazmal_scale.mapping.refine.derived import Derivation, DerivedMap, Made, derive
from cpazmal_scale.mapping.refine.source import Source, check_probabilities, open_source
from cpazmal_scale.vocabulary import REJECTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.grid.blocks import Block


def pool(config: RunConfig, map_url: str, how: Execution = PLAIN) -> DerivedMap:
    """Give every pixel the mean probabilities of its window, and decide its classes again.

    The features of a pixel are those of a window around it, so that w × w windows hold the pixel:
    their centres are the w × w pixels around it. Each of them says how probable its class is, and
    the mean of what they say is the pixel's (the linear opinion pool). Near the edge of a surface
    they disagree, and the mean says so; the pixel's own window does not. Pixels without data or
    rejected have no say and stay as they are; so do distance and dates.

    Source: Stone 1961, The opinion pool.

    Args:
        config: `after.pool` is the window's edge in pixels.
        map_url: a finished map.
        how: executor, block size and progress.

    Raises:
        ModelMismatch: the map's probabilities are withheld.
        StoreError: the map is not finished, or the workspace cannot be written.
    """
    check_probabilities([open_source(map_url)])
    window = config.after.pool or 1
    compute = functools.partial(pool_block, window=window)
    made = Derivation.of_one("pooled", map_url, {"window": window}, compute)
    return derive(config, made, how)


def pool_block(sources: Sequence[Source], block: Block, *, window: int) -> Made:
    """The pooled products of one block."""
    halo = window // 2
    products = sources[0].products(block)
    around = sources[0].read("probability", block, halo)
    products["probability"] = pooled(around, sources[0].read("class", block, halo), window)
    decide_again(products)
    return Made(products, {})


def pooled(
    probability: NDArray[np.uint16], codes: NDArray[np.uint8], window: int
) -> NDArray[np.uint16]:
    """Mean probabilities of the pixels that have a whole window around them.

    Args:
        probability: (C, h + window − 1, w + window − 1) in units of 1e-4.
        codes: (…) class values of the same pixels: 1…C take part.
        window: odd edge of the window.

    Returns:
        (C, h, w) uint16; pixels that take no part unchanged.
    """
    halo = window // 2
    rows, columns = (n - 2 * halo for n in codes.shape)
    out = probability[:, halo : halo + rows, halo : halo + columns].copy()
    _pool(probability, codes, halo, out)
    return out


@kept
def _pool(probability: Any, codes: Any, halo: int, out: Any) -> None:
    classes, height, width = out.shape
    window, wide = 2 * halo + 1, width + 2 * halo
    columns = np.zeros((classes + 1, wide), np.int64)  # sums of each column; the last row counts
    row = np.zeros(classes + 1, np.int64)
    for y in range(height + 2 * halo):
        _add(probability, codes, y, 1, columns)
        if y < window - 1:
            continue
        top = y - window + 1
        row[:] = columns[:, : window - 1].sum(axis=1)
        for x in range(width):
            row += columns[:, x + window - 1]
            if 1 <= codes[top + halo, x + halo] < REJECTED:
                count = row[classes]
                for c in range(classes):
                    out[c, top, x] = (2 * row[c] + count) // (2 * count)
            row -= columns[:, x]
        _add(probability, codes, top, -1, columns)


@kept
def _add(probability: Any, codes: Any, y: int, sign: int, columns: Any) -> None:
    """Add a row to the sums of each column, or take it away."""
    classes = columns.shape[0] - 1
    for x in range(columns.shape[1]):
        if 1 <= codes[y, x] < REJECTED:
            columns[classes, x] += sign
            for c in range(classes):
                columns[c, x] += sign * int(probability[c, y, x])
