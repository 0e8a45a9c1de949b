"""Where the scene lies on the map: the two grid presets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

GridName = Literal["utm", "authors"]

_LONGITUDE, _LATITUDE = 6.954, 45.92
_EASTING, _NORTHING = 341_400.0, 5_087_100.0
_UTM_PIXEL = 3.0
_AUTHORS_PIXEL = 2.69494585e-5
_DEGREE = 111_132.95, 111_412.84


@dataclass(frozen=True)
class Grid:
    """A north-up raster grid; `pixel` is its ground size in metres (down, along)."""

    crs: str
    left: float
    top: float
    resolution: float
    pixel: tuple[float, float]
    size: tuple[int, int]


def over_massif(name: GridName, size: tuple[int, int]) -> Grid:
    """A grid of `size` (rows, cols) pixels centred between Chamonix and the Aiguille Verte.

    `utm` is EPSG:32632 at 3 m, snapped to multiples of 3 m; `authors` EPSG:4326 at
    2.69494585e-5 degrees, 3.0 m by 2.1 m on the ground.
    """
    rows, cols = size
    if name == "utm":
        left = _EASTING - _UTM_PIXEL * (cols // 2)
        top = _NORTHING + _UTM_PIXEL * (rows // 2)
        return Grid("EPSG:32632", left, top, _UTM_PIXEL, (_UTM_PIXEL, _UTM_PIXEL), size)
    left = (round(_LONGITUDE / _AUTHORS_PIXEL) - cols // 2) * _AUTHORS_PIXEL
    top = (round(_LATITUDE / _AUTHORS_PIXEL) + rows // 2) * _AUTHORS_PIXEL
    north, east = _DEGREE
    pixel = (
        _AUTHORS_PIXEL * north,
        _AUTHORS_PIXEL * east * math.cos(math.radians(_LATITUDE)),
    )
    return Grid("EPSG:4326", left, top, _AUTHORS_PIXEL, pixel, size)
