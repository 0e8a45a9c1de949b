"""Modal filter: the most frequent class of a window."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.execute import PLAIN, Execution
from cpazmal_scale.kernels.compiled import kept
from cpazmal_scale.mapping.refine.derived import Derivation, DerivedMap, Made, derive
from cpazmal_scale.mapping.refine.source import Source
from cpazmal_scale.vocabulary import NO_DATA

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.grid.blocks import Block

_CODES = 256


def modal(config: RunConfig, map_url: str, how: Execution = PLAIN) -> DerivedMap:
    """Give every pixel the most frequent class of its window.

    Only `class` changes: probabilities stay those of the pixel. See `modal_classes`.

    Args:
        config: `after.modal` is the window's edge in pixels.
        map_url: a finished map.
        how: executor, block size and progress.

    Raises:
        StoreError: the map is not finished, or the workspace cannot be written.
    """
    window = config.after.modal or 1
    compute = functools.partial(modal_block, window=window)
    made = Derivation.of_one("modal-filtered", map_url, {"window": window}, compute)
    return derive(config, made, how)


def modal_block(sources: Sequence[Source], block: Block, *, window: int) -> Made:
    """The filtered products of one block."""
    products = sources[0].products(block)
    products["class"] = modal_classes(sources[0].read("class", block, window // 2), window)
    return Made(products, {})


def modal_classes(codes: NDArray[np.uint8], window: int) -> NDArray[np.uint8]:
    """The most frequent value of each window; among equals the pixel's own, then the lowest.

    Rejected pixels count as a class of their own; pixels without data do not count and stay so.

    Args:
        codes: (h + window − 1, w + window − 1) class values.
        window: odd edge of the window.

    Returns:
        (h, w) uint8.
    """
    halo = window // 2
    out = np.empty((codes.shape[0] - 2 * halo, codes.shape[1] - 2 * halo), np.uint8)
    _modes(codes, halo, out)
    return out


@kept
def _modes(codes: Any, halo: int, out: Any) -> None:
    window = 2 * halo + 1
    counts = np.zeros(_CODES, np.int64)
    for y in range(out.shape[0]):
        counts[:] = 0
        for x in range(codes.shape[1]):
            for i in range(y, y + window):
                counts[codes[i, x]] += 1
            if x >= window:
                for i in range(y, y + window):
                    counts[codes[i, x - window]] -= 1
            if x < window - 1:
                continue
            own = codes[y + halo, x - halo]
            best = own
            if own != NO_DATA:
                for value in range(NO_DATA):
                    if counts[value] > counts[best]:
                        best = value
            out[y, x - window + 1] = best
