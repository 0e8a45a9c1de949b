"""Random streams named by what they are for, so that no stream depends on another's use."""

from __future__ import annotations

import zlib

import numpy as np


def _sequence(seed: int, names: tuple[object, ...]) -> np.random.SeedSequence:
    text = "/".join(str(name) for name in names)
    return np.random.SeedSequence([seed, zlib.crc32(text.encode())])


def generator(seed: int, *names: object) -> np.random.Generator:
    """The generator of one purpose."""
    return np.random.default_rng(_sequence(seed, names))


def key(seed: int, *names: object) -> np.uint64:
    """A 64-bit key for the counter-based white noise of `kernels`."""
    return np.uint64(_sequence(seed, names).generate_state(1, np.uint64)[0])
