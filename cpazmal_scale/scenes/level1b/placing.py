"""Where points of the ground lie in the image of a Level-1b product, by the kind of product."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import COPY_AGAIN, SceneUnknown, SceneUnreadable
from cpazmal_scale.scenes.level1b.annotation import Annotation
from cpazmal_scale.scenes.level1b.corners import check_corners
from cpazmal_scale.scenes.level1b.geolocation import Geolocation
from cpazmal_scale.scenes.level1b.ground_range import detected_axes
from cpazmal_scale.terrain.orbit import LIGHT
from cpazmal_scale.terrain.sight import Axes, Seen, Sight

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    Array = NDArray[np.float64]

BORDER_POINTS = 65
"""Points per side of the image whose places bound its footprint."""
_MISFIT = 2.0
"""Largest distance in pixels between the grid's image positions and the annotated axes."""
_SHARED = 0.5
"""Of the smaller area, which a map image and its grid have in common."""
ZERO_DOPPLER = "ZERODOPPLER"


def radar_sight(annotation: Annotation, geolocation: Geolocation, *, by_height: bool) -> Sight:
    """How an image in radar geometry sees the ground; its delay changes with height if asked.

    Raises:
        SceneUnreadable: annotated positions contradict each other.
        SceneUnknown: the image is not in zero-Doppler geometry.
    """
    if annotation.coordinate_type not in (None, ZERO_DOPPLER):
        raise SceneUnknown(
            f"its image is in {annotation.coordinate_type} geometry",
            where=geolocation.where,
            remedy="order it in zero-Doppler geometry",
        )
    if annotation.is_complex:
        axes = _slant(annotation, geolocation)
        _check(axes, geolocation)
        check_corners(annotation, geolocation, axes)
    else:
        axes = detected_axes(annotation, geolocation)
    return geolocation.sight(axes, by_height=by_height)


def _check(axes: Axes, geolocation: Geolocation) -> None:
    """Compare axes with the grid's positions, if it has any: they are cut to numbers from 1."""
    grid = geolocation.grid
    line, sample = axes(grid.t, grid.tau)
    misfit = (
        max(
            float(np.abs(place - (told - 0.5)).max())
            for place, told in ((line, grid.row), (sample, grid.col))
            if told is not None
        )
        if grid.row is not None or grid.col is not None
        else 0.0
    )
    if not misfit <= _MISFIT:
        raise SceneUnreadable(
            f"its geolocation grid and its annotation are {misfit:.0f} pixels apart",
            where=geolocation.where,
            remedy=COPY_AGAIN,
        )


def _slant(annotation: Annotation, geolocation: Geolocation) -> Axes:
    """Image axes of a complex product: both are times."""
    raster = annotation.raster
    start = (annotation.start - geolocation.grid.reference_time).total_seconds()

    def axes(t: Array, tau: Array) -> tuple[Array, Array]:
        return (
            (t - start) / raster.line_spacing,
            (tau - annotation.first_range_time) / raster.sample_spacing,
        )

    return axes


@dataclass(frozen=True, eq=False)
class MapSight:
    """An image that is a map already, on the grid of its raster."""

    geobox: GeoBox
    radar: Sight

    def see(self, lon: Array, lat: Array, height: Array) -> Seen:
        """Rows and columns for lines and samples; see `Sight.see`."""
        from pyproj import Transformer

        from_degrees: Any = Transformer.from_crs("EPSG:4326", str(self.geobox.crs), always_xy=True)
        inverse = ~self.geobox.transform
        x, y = from_degrees.transform(lon, lat)
        column, row = inverse * (np.asarray(x), np.asarray(y))
        seen = self.radar.see(lon, lat, height)
        return Seen(row - 0.5, column - 0.5, seen.t, seen.tau, seen.look)


def map_sight(geobox: GeoBox, geolocation: Geolocation) -> Sight:
    """How a map image, whose lines and samples are rows and columns, sees the ground."""
    return MapSight(geobox, geolocation.sight(lambda t, tau: (t, tau), by_height=False))


def require_place(geobox: GeoBox, geolocation: Geolocation) -> None:
    """Compare where a map image lies with the product's geolocation grid.

    Raises:
        SceneUnreadable: less than half of it, or of the grid, lies where the other does.
    """
    from pyproj import Transformer

    to_map = Transformer.from_crs("EPSG:4326", str(geobox.crs), always_xy=True)
    grid, box = geolocation.grid, geobox.boundingbox
    x, y = to_map.transform(grid.lon, grid.lat)
    sides = ((box.left, box.right, x), (box.bottom, box.top, y))
    shared = 1.0
    for low, high, places in sides:
        first, last = float(np.min(places)), float(np.max(places))
        both = min(high, last) - max(low, first)
        shared *= max(0.0, both) / min(high - low, last - first)
    if not shared >= _SHARED:
        raise SceneUnreadable(
            f"its image and its geolocation grid share {shared:.0%} of their area",
            where=geolocation.where,
            remedy=COPY_AGAIN,
        )


def footprint(
    annotation: Annotation, geolocation: Geolocation, heights: tuple[float, ...], crs: str
) -> tuple[float, float, float, float]:
    """Left, bottom, right and top in a CRS of an image in radar geometry, over some heights."""
    from pyproj import Transformer

    grid = geolocation.grid
    start, stop = (
        (time - grid.reference_time).total_seconds() for time in (annotation.start, annotation.stop)
    )
    near, far = annotation.first_range_time, annotation.last_range_time
    along, across = np.linspace(start, stop, BORDER_POINTS), np.linspace(near, far, BORDER_POINTS)
    t = np.concatenate([along, along, np.full_like(across, start), np.full_like(across, stop)])
    tau = np.concatenate([np.full_like(along, near), np.full_like(along, far), across, across])
    to_map = Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    places = [to_map.transform(*geolocation.ground(t, tau, height)) for height in heights]
    x, y = (np.concatenate([place[axis] for place in places]) for axis in (0, 1))
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def utm(lon: float, lat: float) -> str:
    """The UTM zone of a point in degrees."""
    zone = math.floor((lon + 180) % 360 / 6) + 1
    return f"EPSG:{(32600 if lat >= 0 else 32700) + zone}"


def ground_spacing(annotation: Annotation) -> tuple[float, float]:
    """Metres on the ground between lines and between samples, at scene centre."""
    raster = annotation.raster
    if not annotation.is_complex:
        return raster.line_spacing, raster.sample_spacing
    slant = annotation.slant_range_spacing or raster.sample_spacing * LIGHT / 2
    azimuth = annotation.azimuth_spacing or raster.azimuth_resolution
    return azimuth, slant / math.sin(math.radians(annotation.centre.incidence_angle))


def outside(lon: float, crs: str) -> float:
    """Degrees of longitude by which a place lies beyond the area that a CRS is made for."""
    from pyproj import CRS

    area = CRS(crs).area_of_use
    if area is None:
        return 0.0
    width = (area.east - area.west) % 360 or 360.0
    return max(0.0, abs((lon - area.west - width / 2 + 180) % 360 - 180) - width / 2)
