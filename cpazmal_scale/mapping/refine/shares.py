"""Shares: probabilities that suppose the classes' shares of the ground, not of the training."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import ModelMismatch
from cpazmal_scale.execute import PLAIN, Execution
from cpazmal_scale.kernels.posterior import ONE, decide_again
from cpazmal_scale.mapping.refine.derived import Derivation, DerivedMap, Made, derive
from cpazmal_scale.mapping.refine.rates import ground_shares, lattice
from cpazmal_scale.mapping.refine.source import Source, check_probabilities, open_source
from cpazmal_scale.vocabulary import NOTHING

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.grid.blocks import Block

_DIGITS = 6


def reweigh(config: RunConfig, map_url: str, how: Execution = PLAIN) -> DerivedMap:
    """Give every pixel the probabilities of ground with the classes' shares of this map.

    A map's probabilities suppose that classes are as frequent as in the windows of the training,
    so that rare ground is found too often. The shares of the ground are those of largest
    likelihood over some ten thousand pixels of the map; probabilities are multiplied by the ratio
    of both and sum up to 1, and the classes are decided again. It supposes that a class looks on
    the whole map as in its polygons: ground of no class is given to one of them all the same.
    Rejected pixels stay rejected; distance and dates stay.

    Source: Saerens, Latinne and Decaestecker 2002.

    Args:
        config: section `workspace` and `cluster`.
        map_url: a finished map.
        how: executor, block size and progress.

    Raises:
        ModelMismatch: the map's probabilities are withheld, or it does not say what they suppose.
        StoreError: the map is not finished, or the workspace cannot be written.
    """
    source = open_source(map_url)
    check_probabilities([source])
    supposed = source.shares
    if supposed is None:
        raise ModelMismatch(
            "it does not say which shares of the classes its probabilities suppose",
            where=map_url,
            remedy="map again; maps of older versions, of networks and of several maps do not",
        )
    (found,) = lattice([source])
    found = found[:, found.sum(axis=0) > 0]
    shares = ground_shares(found / found.sum(axis=0), supposed) if found.size else supposed
    settings = {"shares": [round(float(share), _DIGITS) for share in shares]}
    ratio = np.asarray(settings["shares"]) / supposed
    compute = functools.partial(reweigh_block, ratio=ratio)
    return derive(config, Derivation.of_one("reweighed", map_url, settings, compute), how)


def reweigh_block(sources: Sequence[Source], block: Block, *, ratio: NDArray[np.float64]) -> Made:
    """The reweighed products of one block; `ratio` (C,) multiplies the classes' probabilities."""
    products = sources[0].products(block)
    products["probability"] = reweighed(products["probability"], ratio)
    decide_again(products)
    return Made(products, {})


def reweighed(probability: NDArray[np.uint16], ratio: NDArray[np.float64]) -> NDArray[np.uint16]:
    """Probabilities (C, h, w) in units of 1e-4 times `ratio` (C,), which sum up to 1 again.

    Pixels without probability stay without.
    """
    known = probability[0] != NOTHING
    weighed = np.where(known, probability, 0) * ratio[:, None, None]
    whole = np.zeros(known.shape)
    for part in weighed:
        whole += part
    scaled = np.rint(ONE * weighed / np.maximum(whole, 1e-300))
    return np.where(known, scaled, NOTHING).astype(np.uint16)
