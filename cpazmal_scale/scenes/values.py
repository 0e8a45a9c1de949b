"""Raw raster values to linear power and mask bits."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.config import MASK_BITS, NOT_VALID

AUTHORS_NODATA = -999.0
LOWEST_POWER = -1.0
"""Linear power from here down is no-data smeared by an interpolation: noise subtraction alone
cannot bring X-band or C-band backscatter below about −0.05."""
DECIBELS = (-80.0, 40.0)
"""Decibels outside are fill values, not backscatter: the faintest noise floor is −35 dB, and a
corner reflector that fills a pixel returns less than +40 dB."""
HIGHEST = {"dB": DECIBELS[1], "linear": 10.0 ** (DECIBELS[1] / 10)}
"""Highest value that is backscatter, by scale."""


class Coding(NamedTuple):
    """How the numbers of a band are stored: value = number × `factor` + `offset`.

    `nodata` is a number that means no data, and so are those up to `slack` from it; none: only
    those that always do. Numbers below `lowest` and above `highest` are no data either.
    """

    nodata: float | None = None
    factor: float = 1.0
    offset: float = 0.0
    slack: float = 0.0
    lowest: float = -np.inf
    highest: float = np.inf

    @property
    def is_scaled(self) -> bool:
        """Whether numbers are not the values themselves."""
        return (self.factor, self.offset) != (1.0, 0.0)

    def values(self, numbers: NDArray[Any]) -> NDArray[np.float32]:
        """The values of stored numbers, float32."""
        if not self.is_scaled:
            return np.array(numbers, dtype=np.float32)
        return (numbers * np.float64(self.factor) + self.offset).astype(np.float32)


def is_nodata(values: NDArray[Any], nodata: Coding | float | None) -> NDArray[np.bool_]:
    """Whether stored numbers are non-finite, 0, −999 or the raster's own no-data value.

    Of scaled integers −999 is one like any other, and so is 0 where an offset gives it a meaning.
    """
    coding = nodata if isinstance(nodata, Coding) else Coding(nodata)
    bad: NDArray[np.bool_] = ~np.isfinite(values)
    if coding.offset == 0 or values.dtype.kind == "u":
        bad |= values == 0
    if not coding.is_scaled or values.dtype.kind == "f":
        bad |= values == AUTHORS_NODATA
    bad |= (values < coding.lowest) | (values > coding.highest)
    own = coding.nodata
    if own is not None and np.isfinite(own):
        bad |= values == own
        if values.dtype.kind == "f":
            bad |= np.abs(values - np.float32(own)) <= coding.slack
    return bad


def is_implausible(values: NDArray[np.float32], scale: str) -> NDArray[np.bool_]:
    """Whether values cannot be backscatter, `linear` or `dB`: fill values that nobody declared.

    Linear power may be as small as it likes: what is left of noise may be next to nothing.
    """
    bad: NDArray[np.bool_]
    if scale == "dB":
        bad = (values < DECIBELS[0]) | (values > DECIBELS[1])
        return bad
    bad = (values <= LOWEST_POWER) | (values > HIGHEST["linear"])
    return bad


@np.errstate(invalid="ignore", over="ignore")
def to_power(
    values: NDArray[Any], nodata: Coding | float | None, scale: str
) -> NDArray[np.float32]:
    """Linear power of a band's stored numbers, float32, same shape; NaN for no-data.

    No-data are what `is_nodata` and `is_implausible` say. Decibels x become 10^(x/10).
    """
    coding = nodata if isinstance(nodata, Coding) else Coding(nodata)
    power = coding.values(values)
    bad = is_nodata(values, coding)
    bad |= is_implausible(power, scale)
    if scale == "dB":
        power = np.power(np.float32(10), power / np.float32(10))
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


def to_degrees(values: NDArray[Any], nodata: Coding | float | None) -> NDArray[np.float32]:
    """Incidence angles in degrees, float32, same shape; NaN outside 0 to 90 and for no-data."""
    coding = nodata if isinstance(nodata, Coding) else Coding(nodata)
    angles = coding.values(values)
    with np.errstate(invalid="ignore"):
        angles[is_nodata(values, coding) | ~((angles > 0) & (angles < 90))] = np.nan
    return angles
