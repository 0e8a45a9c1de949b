"""What the metadata items of a band say, under the names of CF, of GDAL and of other programs.

Programs that write a GeoTIFF from NetCDF or Zarr may leave scale, unit, fill value and name of a
variable in items alone, which GDAL hands on and does not apply.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_FILLS = ("_fillvalue", "missing_value", "nodata", "no_data", "nodata_value", "no_data_value")
_UNITS = ("units", "unit")
_NAMES = ("netcdf_varname", "long_name", "standard_name", "band_name", "name", "description")
_CHANNELS = ("polarization", "polarisation", "pol")


@dataclass(frozen=True)
class BandItems:
    """Items of one band; empty texts and None where there are none."""

    name: str = ""
    unit: str = ""
    channel: str = ""
    fill: float | None = None
    factor: float | None = None
    offset: float | None = None

    @classmethod
    def of(cls, raster: Any, band: int) -> BandItems:
        """Those of a band (from 1) of an open raster."""
        found = {str(key).lower(): str(text) for key, text in raster.tags(band).items()}
        divisor = _number(raster.tags(ns="ENVI").get("reflectance_scale_factor", ""))
        factor = _number(found.get("scale_factor", ""))
        return cls(
            name=_first(found, _NAMES),
            unit=_first(found, _UNITS),
            channel=_first(found, _CHANNELS),
            fill=_number(_first(found, _FILLS)),
            factor=1 / divisor if factor is None and divisor else factor,
            offset=_number(found.get("add_offset", "")),
        )

    def contradicts(self, factor: float, offset: float) -> bool:
        """Whether the items give values another scale or offset than the raster itself."""
        told = (1.0 if self.factor is None else self.factor, self.offset or 0.0)
        return told != (1.0, 0.0) and not all(
            math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)
            for one, other in zip(told, (factor, offset), strict=True)
        )


def _first(found: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next((found[name] for name in names if found.get(name, "").strip()), "")


def _number(text: str) -> float | None:
    """A number, also of lists of one such as `{0.5}`; NaN and what is none are None."""
    try:
        value = float(text.strip(" {}[]").removesuffix("f"))
    except ValueError:
        return None
    return None if math.isnan(value) else value
