"""Feature series of every pixel of a block."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.features import XPOL

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SMALLEST = float(np.finfo(np.float32).tiny)


def block_series(
    power: NDArray[np.float32],
    mask: NDArray[np.uint8] | None = None,
    excluded: int = 0,
    *,
    window: int = 7,
    xpol: str = "logratio",
    unbiased: bool = False,
    floor: float = 10**-3.1,
    min_valid: float = 0.6,
    out: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    """Cumulants of the log amplitude in the window around every pixel, date by date.

    With y = ln √power over the valid pixels of a window: κ1 = mean y, κ2 = mean (y − κ1)²,
    κ3 = mean (y − κ1)³ (Nicolas 2002; method §2). A pixel is valid if its power is finite and none
    of its excluded mask bits is set; power below `floor`, negative too, counts as `floor`. The
    third channel uses pixels valid in both. A window's value depends on its own pixels only, bit
    for bit, wherever it lies in the block. Releases the GIL and uses one thread.

    Args:
        power: (P, T, H, W) linear power, NaN no data; P is 1, or 2 with the co-polarised first.
        mask: (T, H, W) bit flags, or none.
        excluded: flags whose pixels are left out.
        window: edge of the window in pixels.
        xpol: third channel: `logratio` ln √(p₂/p₁), `fraction` ln p₂/(p₁+p₂), and with ordinary
            cumulants `code` (a₁−a₂)/√(a₁²+a₂²) and `talk` (a₁−a₂)/(a₁a₂), a = √p; or `none`.
        unbiased: ×n/(n−1) and ×n²/((n−1)(n−2)), the k-statistics.
        floor: smallest power, linear, before the logarithm.
        min_valid: smallest share of valid pixels in a window; fewer give NaN.
        out: (K, T, H−window+1, W−window+1) C-contiguous float32 to write into.

    Returns:
        (K, T, H−window+1, W−window+1) float32, in the order of `features.names`; element
        [:, :, i, j] belongs to the window whose top-left pixel is (i, j).

    Raises:
        ValueError: shapes or settings do not fit each other.
    """
    from cpazmal_scale.features import kernels

    power = np.ascontiguousarray(power, np.float32)
    shape = _shape(power, mask, window, xpol)
    if not floor > 0 or not 0 < min_valid <= 1:
        raise ValueError(f"floor {floor} is not positive, or min_valid {min_valid} not in (0, 1]")
    if out is None:
        out = np.empty(shape, np.float32)
    elif out.shape != shape or out.dtype != np.float32 or not out.flags.c_contiguous:
        raise ValueError(f"out is not a C-contiguous float32 array of shape {shape}")
    flags: NDArray[Any] = np.zeros((0, 0, 0), np.uint8)
    if mask is not None:
        flags = np.ascontiguousarray(mask, np.uint8)
    kernels.cumulants(
        power,
        flags,
        mask is not None,
        np.uint8(excluded),
        window,
        max(3 if unbiased else 1, math.ceil(min_valid * window * window - 1e-9)),
        ("none", *XPOL[:-1]).index(xpol),
        unbiased,
        np.float32(max(floor, _SMALLEST)),
        out,
    )
    return out


def _shape(
    power: NDArray[np.float32], mask: NDArray[np.uint8] | None, window: int, xpol: str
) -> tuple[int, int, int, int]:
    if power.ndim != 4 or power.shape[0] not in (1, 2):
        raise ValueError(f"power is (P, T, H, W) with P 1 or 2, not {power.shape}")
    if mask is not None and mask.shape != power.shape[1:]:
        raise ValueError(f"mask is {mask.shape}, power {power.shape}")
    if xpol not in XPOL:
        raise ValueError(f"xpol is one of {', '.join(XPOL)}, not {xpol!r}")
    polarisations, dates, height, width = power.shape
    if not 2 <= window <= min(height, width):
        raise ValueError(f"a window of {window} pixels does not fit a block {height} × {width}")
    channels = 3 if polarisations == 2 and xpol != "none" else polarisations
    return 3 * channels, dates, height - window + 1, width - window + 1
