"""How much of each class became which other one, estimated from two maps' probabilities."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.vocabulary import REJECTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cpazmal_scale.mapping.refine.source import Source

STABLE = 0.9
"""Share of the ground that is taken as unchanged, beside chance, before the maps say otherwise."""
NEAR = 0.05
"""How far `Rates.differ` and `Rates.alone` may be apart, relative, before it is told."""
_PIXELS = 1 << 16
_ROUNDS = 1000
_SETTLED = 1e-6
_NONE = 1e-12
"""Share of a class that is on no pixel."""
_LEAST = 1e-6
"""Share of all ground that no pair of classes is below, divided among all pairs."""


class Rates(NamedTuple):
    """How often each class became each other one, and whether the two maps bear it out."""

    weights: NDArray[np.float64]
    """`(C, C)` above 0: a pixel is of (a, b) with probability ∝ weights(a, b) p(a) q(b)."""
    differ: float
    """Share of the pixels on which the maps differ."""
    alone: float
    """Share on which they would differ by these rates and errors of each map alone."""

    @property
    def doubt(self) -> str | None:
        """One sentence where the maps contradict what the rates suppose of them."""
        if abs(self.differ - self.alone) <= NEAR * max(self.differ, self.alone):
            return None
        why = (
            "they share errors, or are righter than their probabilities say"
            if self.differ < self.alone
            else "they are less right than their probabilities say"
        )
        return (
            f"the maps differ on {self.differ:.1%} of the pixels, and would on {self.alone:.1%} if "
            f"each erred by itself as its probabilities say: {why}; rely on no probability of "
            "change, estimate its area by a reference sample (cpazmal areas design)"
        )


def transition_rates(earlier: Source, later: Source) -> Rates:
    """The rates of two maps: see `estimated`.

    They come from some ten thousand pixels on a lattice over both maps, and are the same for any
    blocks.
    """
    p, q = lattice((earlier, later))
    return estimated(p, q, earlier.shares, later.shares)


def lattice(sources: Sequence[Source]) -> list[NDArray[np.float64]]:
    """(C, n) probabilities of each map at the pixels of a lattice that have a class in all."""
    height, width = sources[0].shape
    step = max(1, math.ceil(math.sqrt(height * width / _PIXELS)))
    parts: list[list[NDArray[np.float64]]] = []
    for y in range(0, height, sources[0].chunk):
        block = Block(y, min(y + sources[0].chunk, height), 0, width)
        at = slice(-block.y0 % step, None, step), slice(None, None, step)
        codes = [source.read("class", block)[at] for source in sources]
        known = np.logical_and.reduce([code < REJECTED for code in codes])
        found = (source.read("probability", block)[:, *at][:, known] for source in sources)
        parts.append([part.astype(np.float64) for part in found])
    return [np.concatenate(held, axis=1) for held in zip(*parts, strict=True)]


def estimated(
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    p_shares: NDArray[np.float64] | None = None,
    q_shares: NDArray[np.float64] | None = None,
) -> Rates:
    """Rates of largest likelihood where the two maps err independently.

    A probability over the share that it supposes of its class is a likelihood. The share π(a, b)
    of the ground that goes from a to b is that of largest likelihood (Dempster, Laird, Rubin
    1977), found from ground of which `STABLE` is unchanged: where both maps know nothing it stays
    there. Where the maps contradict what this supposes, likelihood no longer tells the classes'
    shares: then each map keeps its mean probabilities (Deming, Stephan 1940), which also are the
    shares that it is taken to suppose.

    Args:
        p: (C, n) probabilities of n pixels in the earlier map, in any unit.
        q: likewise in the later one.
        p_shares: (C,) shares of the classes that p supposes; none: the means of p.
        q_shares: likewise of q.

    Returns:
        Weights of ones without a pixel.
    """
    if p.shape[1] == 0:
        return Rates(np.ones((len(p), len(p))), 0.0, 0.0)
    p, q = (part / np.maximum(part.sum(axis=0), 1e-300) for part in (p, q))
    means = [np.maximum(part.mean(axis=1), _NONE) for part in (p, q)]
    supposed = [
        mean if given is None else np.maximum(given, _NONE)
        for mean, given in zip(means, (p_shares, q_shares), strict=True)
    ]
    ground = [ground_shares(p, supposed[0]), ground_shares(q, supposed[1])]
    share = _likeliest(p, q, supposed, ground, kept=None)
    differ = float((p.argmax(axis=0) != q.argmax(axis=0)).mean())
    told = [
        _confused(part, share.sum(axis=side) / known)
        for part, known, side in zip((p, q), supposed, (1, 0), strict=True)
    ]
    alone = 1.0 - float(np.trace(told[0].T @ share @ told[1]))
    rates = Rates(share / np.outer(*supposed), differ, alone)
    if rates.doubt:
        share = _likeliest(p, q, means, means, kept=means)
        rates = rates._replace(weights=share / np.outer(*means))
    return rates


def _likeliest(
    p: NDArray[np.float64],
    q: NDArray[np.float64],
    supposed: Sequence[NDArray[np.float64]],
    ground: Sequence[NDArray[np.float64]],
    kept: Sequence[NDArray[np.float64]] | None,
) -> NDArray[np.float64]:
    """(C, C) shares of the pairs of classes; `ground` (C,) of each map are those to begin with.

    With `kept`, the pairs sum up to these shares of the classes in each map.
    """
    chance = np.outer(*supposed)
    share = STABLE * np.diag(np.mean(ground, axis=0)) + (1 - STABLE) * np.outer(*ground)
    for _ in range(_ROUNDS):
        before, weights = share, share / chance
        whole = np.maximum(np.einsum("an,an->n", p, weights @ q), 1e-300)
        share = weights * ((p / whole) @ q.T) / p.shape[1]
        share = (1 - _LEAST) * share + _LEAST / len(p) ** 2
        if kept is not None:
            share *= (kept[0] / share.sum(axis=1))[:, None]
            share *= kept[1] / share.sum(axis=0)
        if np.abs(share - before).max() < _SETTLED:
            break
    return np.asarray(share)


def ground_shares(p: NDArray[np.float64], supposed: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C,) shares of the classes on the ground, of largest likelihood.

    Source: Saerens, Latinne and Decaestecker 2002.

    Args:
        p: (C, n) probabilities of n pixels, which sum up to 1 over the classes.
        supposed: (C,) shares of the classes that p supposes, above 0.
    """
    likelihood, share = p / supposed[:, None], supposed
    for _ in range(_ROUNDS):
        whole = np.maximum(share @ likelihood, 1e-300)
        found = share * (likelihood / whole).mean(axis=1)
        found = (1 - _LEAST) * found + _LEAST / len(p)
        step, share = np.abs(found - share).max(), found
        if step < _SETTLED:
            break
    return np.asarray(share / share.sum())


def _confused(p: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, C) probability that a pixel of each class (row) is mapped as each class (column).

    `weights` (C,) are the classes' shares on the ground over those that p (C, n) supposes.
    """
    truth = p * weights[:, None]
    truth /= np.maximum(truth.sum(axis=0), 1e-300)
    found = truth @ np.eye(len(p))[p.argmax(axis=0)]
    return np.asarray(found / np.maximum(found.sum(axis=1, keepdims=True), 1e-300))
