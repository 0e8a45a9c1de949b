"""Feature series of every pixel of a block."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, Unpack

import numpy as np

from cpazmal_scale.features.masked import filled
from cpazmal_scale.features.series_names import LOG_CUMULANTS, XPOL, require_statistics
from cpazmal_scale.vocabulary import BINS

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALLEST = float(np.finfo(np.float32).tiny)
_DECIBEL = math.log(10) / 20
"""One decibel, in nepers of amplitude."""


class How(TypedDict, total=False):
    """How windows become statistics."""

    xpol: str
    """Third channel: `logratio` ln √(p₂/p₁), `fraction` ln p₂/(p₁+p₂), and with ordinary cumulants
    `code` (a₁−a₂)/√(a₁²+a₂²) and `talk` (a₁−a₂)/(a₁a₂), a = √p; or `none`."""
    statistics: Sequence[str]
    """Of every channel, among `features.STATISTICS`; those of the third channel are taken of e^y,
    or of the ratio itself for `code` and `talk`. κ1 to κ3 if nothing is said."""
    unbiased: bool
    """k-statistics instead of cumulants (×n/(n−1), ×n²/((n−1)(n−2)), …), std with n − 1, and
    skewness and kurtosis as scipy's with `bias=False`."""
    floor: float
    """Smallest power, linear, before the logarithm; −31 dB if nothing is said."""
    min_valid: float
    """Smallest share of valid pixels in a window, 0.6; fewer give NaN."""


class _How(NamedTuple):
    xpol: str = "logratio"
    statistics: Sequence[str] = LOG_CUMULANTS
    unbiased: bool = False
    floor: float = 10**-3.1
    min_valid: float = 0.6


def block_series(
    power: NDArray[np.float32],
    mask: NDArray[np.uint8] | None = None,
    excluded: int = 0,
    *,
    window: int = 7,
    out: NDArray[np.float32] | None = None,
    **how: Unpack[How],
) -> NDArray[np.float32]:
    """Statistics of the amplitude in the window around every pixel, date by date.

    With y = ln √power over the valid pixels of a window: κ1 = mean y, κ2 = mean (y − κ1)²,
    κ3 = mean (y − κ1)³, κ4 = mean (y − κ1)⁴ − 3 κ2² (Nicolas 2002; method §2). `mean`, `std`, `cv`
    (std / mean), `skewness` and `kurtosis` (of a Gaussian: 0) are those of the amplitude itself.
    `histogram` holds the shares of the pixels in 16 levels of 3 dB above `floor`, `entropy` is that
    of these shares in nats. A pixel is valid if its power is finite and none
    of its excluded mask bits is set; power below `floor`, negative too, counts as `floor`. The
    third channel uses pixels valid in both. Windows without a shape (std under 0.001 of the root
    mean square) have NaN skewness and kurtosis. A window's value depends on its own pixels only,
    bit for bit, wherever it lies in the block. Releases the GIL and uses one thread.

    Args:
        power: (P, T, H, W) linear power, NaN no data; P is 1, or 2 with the co-polarised first.
        mask: (T, H, W) bit flags, or none.
        excluded: flags whose pixels are left out.
        window: edge of the window in pixels.
        out: (K, T, H−window+1, W−window+1) C-contiguous float32 to write into.
        how: `xpol`, `statistics`, `unbiased`, `floor` and `min_valid` of `How`.

    Returns:
        (K, T, H−window+1, W−window+1) float32, in the order of `features.names`; element
        [:, :, i, j] belongs to the window whose top-left pixel is (i, j).

    Raises:
        ValueError: shapes or settings do not fit each other.
    """
    xpol, statistics, unbiased, floor, min_valid = _How(**how)
    power = np.asarray(filled(power), np.float32)
    shape = _shape(power, mask, window, xpol, statistics)
    if not floor > 0 or not 0 < min_valid <= 1:
        raise ValueError(f"floor {floor} is not positive, or min_valid {min_valid} not in (0, 1]")
    if out is None:
        out = np.empty(shape, np.float32)
    elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f"out is not a C-contiguous float32 array of shape {shape}")
    flags: NDArray[Any] = np.zeros((0, 0, 0), np.uint8)
    if mask is not None:
        flags = np.asarray(mask, np.uint8)
    need = math.ceil(min_valid * window * window - 1e-9)
    way, lowest = _way(xpol), np.float32(max(floor, _SMALLEST))
    block = (power, flags, mask is not None, np.uint8(excluded), window)
    if tuple(statistics) == LOG_CUMULANTS:
        _cumulants(block, need, way, unbiased, lowest, out)
        return out
    channels = _channels(len(power), xpol)
    every = out.reshape(channels, -1, *out.shape[1:])
    if set(statistics) & set(LOG_CUMULANTS):
        three = np.empty((3 * channels, *out.shape[1:]), np.float32)
        _cumulants(block, need, way, unbiased, lowest, three)
        for at, name in _places(statistics):
            if name in LOG_CUMULANTS:
                every[:, at] = three[LOG_CUMULANTS.index(name) :: 3]
    if set(statistics) - set(LOG_CUMULANTS):
        _others(block, need, (way, xpol), unbiased, lowest, statistics, out)
    return out


def _cumulants(
    block: tuple[Any, ...], need: int, way: int, unbiased: bool, floor: np.float32, out: Any
) -> None:
    from cpazmal_scale.kernels.cumulants import cumulants
    from cpazmal_scale.kernels.cumulants_7x7 import WINDOW, sevens

    power, mask, *settings, window = block
    least = max(3 if unbiased else 1, need)
    kernel: Callable[..., None] = cumulants
    if window == WINDOW:
        kernel = sevens
    else:
        settings.append(window)
    kernel(*_memory(power), *_memory(mask), *settings, least, way, unbiased, floor, out)


def _memory(values: NDArray[Any]) -> tuple[NDArray[Any], tuple[int, ...]]:
    """One row of all that lies from the first number of an array to its last, and the steps in it.

    A step leads to the next index of an axis but the last. Parts of larger arrays are not copied
    as long as their rows are contiguous.
    """
    size = values.itemsize
    whole = all(stride >= 0 and stride % size == 0 for stride in values.strides)
    if not whole or values.strides[-1] != size or not values.size:
        values = np.ascontiguousarray(values)
    steps = tuple(stride // size for stride in values.strides)
    length = sum((n - 1) * step for n, step in zip(values.shape, steps, strict=True)) + 1
    row = np.lib.stride_tricks.as_strided(values, (length if values.size else 0,), (size,))
    return row, steps[:-1]


def _others(
    block: tuple[Any, ...],
    need: int,
    way: tuple[int, str],
    unbiased: bool,
    floor: np.float32,
    statistics: Sequence[str],
    out: Any,
) -> None:
    from cpazmal_scale.kernels import moments

    codes = np.full(_series(statistics), moments.SKIP, np.int64)
    for at, name in _places(statistics):
        codes[at] = getattr(moments, name.upper(), moments.SKIP)
    levels = [_levels(channel, way[1], float(floor)) for channel in range(len(out) // len(codes))]
    low, step = np.array(levels, np.float32).T
    counts = np.arange(block[4] ** 2 + 1, dtype=np.float64)
    logs = np.log(np.maximum(counts, 1))
    least = max(4 if unbiased else 1, need)
    kernel: Callable[..., None] = moments.statistics
    power, mask, *settings = block
    kernel(
        np.ascontiguousarray(power), np.ascontiguousarray(mask), *settings, least, way[0], unbiased,
        floor, codes, np.ascontiguousarray(low), np.ascontiguousarray(step), logs, out,
    )  # fmt: skip


def _levels(channel: int, xpol: str, floor: float) -> tuple[float, float]:
    """Lowest level and width of a level, in units of what is logged.

    3 dB, but for `code` and `talk`, which have no decibels; equal channels fall into the middle of
    a level of `logratio`.
    """
    step = 3 * _DECIBEL
    if channel < 2:
        return 0.5 * math.log(floor), step
    return {
        "logratio": (-11.5 * step, step),
        "fraction": (-2 * BINS * step, 2 * step),
        "code": (-1.0, 2 / BINS),
        "talk": (-8.0, 2.0),
    }[xpol]


def _way(xpol: str) -> int:
    return ("none", *XPOL[:-1]).index(xpol)


def _channels(polarisations: int, xpol: str) -> int:
    return 3 if polarisations == 2 and xpol != "none" else polarisations


def _series(statistics: Sequence[str]) -> int:
    """Series of a channel."""
    return len(statistics) + (BINS - 1) * ("histogram" in statistics)


def _places(statistics: Sequence[str]) -> list[tuple[int, str]]:
    """The first series of each statistic of a channel."""
    places = []
    at = 0
    for name in statistics:
        places.append((at, name))
        at += BINS if name == "histogram" else 1
    return places


def _shape(
    power: NDArray[np.float32],
    mask: NDArray[np.uint8] | None,
    window: int,
    xpol: str,
    statistics: Sequence[str],
) -> tuple[int, int, int, int]:
    if power.ndim != 4 or power.shape[0] not in (1, 2):
        raise ValueError(f"power is (P, T, H, W) with P 1 or 2, not {power.shape}")
    if mask is not None and mask.shape != power.shape[1:]:
        raise ValueError(f"mask is {mask.shape}, power {power.shape}")
    if xpol not in XPOL:
        raise ValueError(f"xpol is one of {', '.join(XPOL)}, not {xpol!r}")
    require_statistics(statistics)
    polarisations, dates, height, width = power.shape
    if not 2 <= window <= min(height, width):
        raise ValueError(f"a window of {window} pixels does not fit a block {height} × {width}")
    series = _series(statistics) * _channels(polarisations, xpol)
    return series, dates, height - window + 1, width - window + 1
