"""How much of each class became which other one, estimated from two maps' probabilities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.vocabulary import REJECTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cpazmal_scale.mapping.refine.source import Source

STABLE = 0.9
"""Share of the ground that is taken as unchanged, beside chance, before the maps say otherwise."""
_PIXELS = 1 << 16
_ROUNDS = 300
_SETTLED = 1e-6
_LEAST = 1e-6
"""Share of all ground that no pair of classes is below, divided among all pairs."""


def transition_weights(earlier: Source, later: Source) -> NDArray[np.float64]:
    """(C, C) weights of the pairs of classes: see `estimated`.

    They come from some ten thousand pixels on a lattice over both maps, and are the same for any
    blocks.
    """
    height, width = earlier.shape
    step = max(1, math.ceil(math.sqrt(height * width / _PIXELS)))
    parts: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for y in range(0, height, earlier.chunk):
        block = Block(y, min(y + earlier.chunk, height), 0, width)
        parts.append(_lattice((earlier, later), block, step))
    return estimated(*(np.concatenate(held, axis=1) for held in zip(*parts, strict=True)))


def _lattice(
    sources: Sequence[Source], block: Block, step: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Probabilities (C, n) of two maps at the pixels of a lattice that have a class in both."""
    at = slice(-block.y0 % step, None, step), slice(None, None, step)
    known = np.logical_and(*(source.read("class", block)[at] < REJECTED for source in sources))
    one, two = (
        source.read("probability", block)[:, *at][:, known].astype(np.float64) for source in sources
    )
    return one, two


def estimated(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights w of the pairs of classes: a pixel is of (a, b) with probability ∝ w(a, b) p(a) q(b).

    w is the share π(a, b) of the ground over the product of the classes' mean probabilities in
    their maps, and π that of largest likelihood where the two maps err independently (Dempster,
    Laird, Rubin 1977), among those that leave each map its mean probabilities (Deming, Stephan
    1940). It is found from ground of which `STABLE` is unchanged: where both maps know nothing it
    stays there.

    Args:
        p: (C, n) probabilities of n pixels in the earlier map, in any unit.
        q: likewise in the later one.

    Returns:
        (C, C) float64, all above 0; ones without a pixel.
    """
    count = len(p)
    p, q = (part / np.maximum(part.sum(axis=0), 1e-300) for part in (p, q))
    if p.shape[1] == 0:
        return np.ones((count, count))
    means = [np.maximum(part.mean(axis=1), 1e-12) for part in (p, q)]
    chance = np.outer(*means)
    share = STABLE * np.diag(np.mean(means, axis=0)) + (1 - STABLE) * chance
    for _ in range(_ROUNDS):
        before, weights = share, share / chance
        whole = np.maximum(np.einsum("an,an->n", p, weights @ q), 1e-300)
        share = weights * ((p / whole) @ q.T) / p.shape[1]
        share = (1 - _LEAST) * share + _LEAST / count**2
        share *= (means[0] / share.sum(axis=1))[:, None]
        share *= means[1] / share.sum(axis=0)
        if np.abs(share - before).max() < _SETTLED:
            break
    return np.asarray(share / chance)
