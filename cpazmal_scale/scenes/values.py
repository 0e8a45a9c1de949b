"""Raw raster values to linear power and mask bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.config import MASK_BITS, NOT_VALID

AUTHORS_NODATA = -999.0
LOWEST_POWER = -1.0
"""Linear power below this is no-data smeared by an interpolation: noise subtraction alone cannot
bring X-band or C-band backscatter below about −0.05."""


def is_nodata(values: NDArray[Any], nodata: float | None) -> NDArray[np.bool_]:
    """Whether raw values are non-finite, 0, −999 or the raster's own no-data value."""
    bad: NDArray[np.bool_] = ~np.isfinite(values)
    bad |= values == 0
    bad |= values == np.float32(AUTHORS_NODATA)
    if nodata is not None and np.isfinite(nodata) and nodata not in (0, AUTHORS_NODATA):
        bad |= values == np.float32(nodata)
    return bad


@np.errstate(invalid="ignore", over="ignore")
def to_power(values: NDArray[Any], nodata: float | None, scale: str) -> NDArray[np.float32]:
    """Linear power of raw band values, float32, same shape; NaN for no-data.

    No-data are what `is_nodata` says and linear values below `LOWEST_POWER`. Decibels x become
    10^(x/10).
    """
    power = np.array(values, dtype=np.float32)
    bad = is_nodata(power, nodata)
    if scale == "dB":
        power = np.power(np.float32(10), power / np.float32(10))
    else:
        bad |= power < LOWEST_POWER
    power[bad] = np.nan
    return power


def to_bits(codes: NDArray[Any], mask_codes: str) -> NDArray[np.uint8]:
    """Our mask bits, uint8, from source codes 0 to 3; every other code is "not valid"."""
    first, second = MASK_BITS["layover"], MASK_BITS["shadow"]
    if mask_codes == "isce3":
        first, second = second, first
    bits = np.array([0, first, second, first | second, NOT_VALID], np.uint8)
    known = (codes == 0) | (codes == 1) | (codes == 2) | (codes == 3)
    return bits[np.where(known, codes, 4).astype(np.uint8)]


def to_degrees(values: NDArray[Any], nodata: float | None) -> NDArray[np.float32]:
    """Incidence angles in degrees, float32, same shape; NaN outside 0 to 90 and for no-data."""
    angles = np.array(values, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        angles[is_nodata(angles, nodata) | ~((angles > 0) & (angles < 90))] = np.nan
    return angles
