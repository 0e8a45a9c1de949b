"""Where points of the map lie in the image of a Level-1b product, by the kind of product."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import SceneUnreadable
from cpazmal_scale.scenes.level1b.annotation import Annotation
from cpazmal_scale.scenes.level1b.geocode import Locate
from cpazmal_scale.scenes.level1b.geolocation import Geolocation

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    Array = NDArray[np.float64]

BORDER_POINTS = 65
"""Points per side of the image whose places bound its footprint."""
_MISFIT = 2.0
"""Largest distance in pixels between the grid's image positions and the geometry fitted to them."""


def locator(annotation: Annotation, geolocation: Geolocation, height: float) -> Locate:
    """Longitude and latitude to (line, sample, t, tau) of an image in radar geometry.

    Lines and samples count from 0 at the centre of the first.

    Raises:
        SceneUnreadable: the geolocation grid's image positions contradict the annotated size.
    """
    image = _slant(annotation, geolocation) if annotation.is_complex else _detected(geolocation)
    grid = geolocation.grid
    line, sample = image(grid.t, grid.tau)
    # Positions in the grid are cut to whole numbers from 1.
    misfit = max(
        float(np.abs(line - (grid.row - 0.5)).max()), float(np.abs(sample - (grid.col - 0.5)).max())
    )
    if not misfit <= _MISFIT:
        raise SceneUnreadable(
            f"its geolocation grid and its annotation are {misfit:.0f} pixels apart",
            where=geolocation.where,
            remedy="copy the product again from its source",
        )

    def locate(lon: Array, lat: Array) -> tuple[Array, ...]:
        t, tau = geolocation.radar(lon, lat, height)
        return (*image(t, tau), t, tau)

    return locate


ImageAxes = Callable[["Array", "Array"], "tuple[Array, Array]"]


def _slant(annotation: Annotation, geolocation: Geolocation) -> ImageAxes:
    """Image axes of a complex product: both are times."""
    raster = annotation.raster
    start = (annotation.start - geolocation.grid.reference_time).total_seconds()

    def axes(t: Array, tau: Array) -> tuple[Array, Array]:
        return (
            (t - start) / raster.line_spacing,
            (tau - annotation.first_range_time) / raster.sample_spacing,
        )

    return axes


def _detected(geolocation: Geolocation) -> ImageAxes:
    """Image axes of a detected product: smooth functions fitted to the grid's positions."""
    grid = geolocation.grid
    centre, half = (
        (np.mean([axis[0], axis[-1]]), (axis[-1] - axis[0]) / 2)
        for axis in (grid.lines, grid.samples)
    )

    def terms(t: Array, tau: Array) -> Array:
        u, v = (t - centre[0]) / centre[1], (tau - half[0]) / half[1]
        return np.stack([np.ones_like(u), u, v, u * v, v**2, u * v**2, v**3, v**4], axis=-1)

    table = terms(grid.t, grid.tau).reshape(-1, 8)
    fitted: Any = [
        np.linalg.lstsq(table, axis.reshape(-1) - 0.5, rcond=None)[0]
        for axis in (grid.row, grid.col)
    ]

    def axes(t: Array, tau: Array) -> tuple[Array, Array]:
        values = terms(t, tau)
        return values @ fitted[0], values @ fitted[1]

    return axes


def map_locator(geobox: GeoBox, geolocation: Geolocation, height: float) -> Locate:
    """Longitude and latitude to (row, column, t, tau) of an image that is a map already."""
    from pyproj import Transformer

    from_degrees = Transformer.from_crs("EPSG:4326", str(geobox.crs), always_xy=True)
    inverse = ~geobox.transform

    def locate(lon: Array, lat: Array) -> tuple[Array, ...]:
        column, row = inverse * from_degrees.transform(lon, lat)
        return (row - 0.5, column - 0.5, *geolocation.radar(lon, lat, height))

    return locate


def footprint(
    annotation: Annotation, geolocation: Geolocation, height: float, crs: str
) -> tuple[float, float, float, float]:
    """Left, bottom, right and top in a CRS of an image in radar geometry, seen at a height."""
    from pyproj import Transformer

    grid = geolocation.grid
    start, stop = (
        (time - grid.reference_time).total_seconds() for time in (annotation.start, annotation.stop)
    )
    near, far = annotation.first_range_time, annotation.last_range_time
    along, across = np.linspace(start, stop, BORDER_POINTS), np.linspace(near, far, BORDER_POINTS)
    t = np.concatenate([along, along, np.full_like(across, start), np.full_like(across, stop)])
    tau = np.concatenate([np.full_like(along, near), np.full_like(along, far), across, across])
    lon, lat = geolocation.ground(t, tau, height)
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
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
    slant = annotation.slant_range_spacing or raster.sample_spacing * 149_896_229.0
    azimuth = annotation.azimuth_spacing or raster.azimuth_resolution
    return azimuth, slant / math.sin(math.radians(annotation.centre.incidence_angle))
