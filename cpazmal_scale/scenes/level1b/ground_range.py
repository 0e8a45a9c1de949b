"""Image axes of detected products in radar geometry (MGD).

Columns follow the annotated slant-to-ground-range polynomial; rows run from the first to the last
azimuth time or back, as the scene's corners tell. The geolocation grid's positions are those of the
complex image that the product was made of, and are not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import SceneUnreadable
from cpazmal_scale.scenes.level1b.annotation import Annotation, Polynomial
from cpazmal_scale.scenes.level1b.geolocation import Geolocation
from cpazmal_scale.terrain.sight import Axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_LOW, _HIGH = -0.6, 1.1
"""Pixels between a place and its annotated number, which is rounded or cut."""


def detected_axes(annotation: Annotation, geolocation: Geolocation) -> Axes:
    """Lines and samples of a detected image in radar geometry, from image times.

    Raises:
        SceneUnreadable: it has no slant-to-ground polynomial, nothing tells which row is the first
            in time, or the corners contradict the axes.
    """
    ground = annotation.ground_range
    if ground is None:
        raise _unreadable("it has no slant-to-ground-range polynomial", geolocation)
    turned, mirrored = _orientation(annotation, geolocation)
    raster = annotation.raster
    reference = geolocation.grid.reference_time
    start, stop = (
        (time - reference).total_seconds() for time in (annotation.start, annotation.stop)
    )
    line_time = (stop - start) / max(1, raster.lines - 1)
    near = _begin(annotation, ground)

    def axes(t: Array, tau: Array) -> tuple[Array, Array]:
        line = (stop - t if turned else t - start) / line_time
        sample = (_metres(ground, tau) - near) / raster.sample_spacing
        return line, raster.samples - 1 - sample if mirrored else sample

    _check(annotation, geolocation, axes)
    return axes


def _metres(ground: Polynomial, tau: Array) -> Array:
    """Ground range; beyond the range of validity it goes straight on."""
    inside = np.clip(tau, ground.low, ground.high) if ground.low < ground.high else tau
    terms = np.polynomial.polynomial
    at = inside - ground.reference
    value = terms.polyval(at, ground.coefficients)
    slope = terms.polyval(at, terms.polyder(ground.coefficients))
    found: Array = value + slope * (tau - inside)
    return found


def _begin(annotation: Annotation, ground: Polynomial) -> float:
    """Ground range of the first pixel: 0, if the polynomial counts from there."""
    first = float(_metres(ground, np.array([annotation.first_range_time]))[0])
    return 0.0 if abs(first) <= annotation.raster.sample_spacing / 2 else first


def _orientation(annotation: Annotation, geolocation: Geolocation) -> tuple[bool, bool]:
    """Whether row 1 is the last in time, and column 1 the farthest."""
    told = [one for one in annotation.corners if one.row > 0 and one.column > 0]
    reference = geolocation.grid.reference_time
    t = np.array([(one.azimuth_time - reference).total_seconds() for one in told])
    rows = np.array([one.row for one in told], np.float64)
    columns = np.array([one.column for one in told], np.float64)
    tau = np.array([one.range_time for one in told])
    if len(told) > 1 and np.ptp(rows) > 0 and np.ptp(columns) > 0:
        turned = bool(np.sum((rows - rows.mean()) * (t - t.mean())) < 0)
        return turned, bool(np.sum((columns - columns.mean()) * (tau - tau.mean())) < 0)
    if annotation.first_row is None:
        raise _unreadable("neither its corners nor its mapping grid tell its rows", geolocation)
    row, time = annotation.first_row
    middle = annotation.start + (annotation.stop - annotation.start) / 2
    return (time > middle) == (row <= annotation.raster.lines / 2), False


def _check(annotation: Annotation, geolocation: Geolocation, axes: Axes) -> None:
    """Compare the axes with all corners that have numbers."""
    reference = geolocation.grid.reference_time
    for corner in annotation.corners:
        t = np.array([(corner.azimuth_time - reference).total_seconds()])
        places = axes(t, np.array([corner.range_time]))
        for place, told, name in zip(
            places, (corner.row, corner.column), ("row", "column"), strict=True
        ):
            apart = float(place[0]) - (told - 1)
            if told > 0 and not _LOW <= apart <= _HIGH:
                raise _unreadable(
                    f"a corner's annotated {name} {told} is {abs(apart):.4g} pixels from its place",
                    geolocation,
                )


def _unreadable(what: str, geolocation: Geolocation) -> SceneUnreadable:
    return SceneUnreadable(
        what, where=geolocation.where, remedy="copy the product again from its source"
    )
