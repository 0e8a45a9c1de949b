"""Image axes of detected products in radar geometry (MGD).

Columns follow the annotated slant-to-ground-range polynomials, each where it is valid; rows run
from the first to the last azimuth time or back, as the scene's corners tell. The geolocation grid's
positions are those of the complex image that the product was made of, and are not used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import COPY_AGAIN, SceneUnreadable
from cpazmal_scale.scenes.level1b.annotation import Annotation, Polynomial
from cpazmal_scale.scenes.level1b.corners import check_corners
from cpazmal_scale.scenes.level1b.geolocation import Geolocation
from cpazmal_scale.terrain.sight import Axes

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_POINTS = 501
"""Places along range between which a polynomial is seen to go one way."""


def detected_axes(annotation: Annotation, geolocation: Geolocation) -> Axes:
    """Lines and samples of a detected image in radar geometry, from image times.

    Raises:
        SceneUnreadable: it has no slant-to-ground polynomial or one that turns back, nothing tells
            which row is the first in time, or ends or corners contradict the axes.
    """
    ground = annotation.ground_range
    if not ground:
        raise _unreadable("it has no slant-to-ground-range polynomial", geolocation)
    turned, mirrored = _orientation(annotation, geolocation)
    raster = annotation.raster
    reference = geolocation.grid.reference_time
    start, stop = (
        (time - reference).total_seconds() for time in (annotation.start, annotation.stop)
    )
    line_time = (stop - start) / max(1, raster.lines - 1)
    near, way = _begin(annotation, geolocation)

    def axes(t: Array, tau: Array) -> tuple[Array, Array]:
        line = (stop - t if turned else t - start) / line_time
        sample = (_metres(ground, tau) - near) * way / raster.sample_spacing
        return line, raster.samples - 1 - sample if mirrored else sample

    check_corners(annotation, geolocation, axes)
    return axes


def _metres(ground: tuple[Polynomial, ...], tau: Array) -> Array:
    """Ground range by the first polynomial that holds; beyond all, the nearest goes straight on."""
    terms = np.polynomial.polynomial
    found, nearest = np.zeros(tau.shape), np.full(tau.shape, np.inf)
    for one in ground:
        low, high = sorted((one.low, one.high))
        inside = np.clip(tau, low, high) if low < high else tau
        at = inside - one.reference
        value = terms.polyval(at, one.coefficients)
        slope = terms.polyval(at, terms.polyder(one.coefficients))
        beyond = tau - inside
        here = np.abs(beyond) < nearest
        found = np.where(here, value + slope * beyond, found)
        nearest = np.where(here, np.abs(beyond), nearest)
    return found


def _begin(annotation: Annotation, geolocation: Geolocation) -> tuple[float, float]:
    """Ground range of the first range time, 0 if the polynomial counts from there; and its way:
    1 where it grows along range, -1 where it falls.
    """
    tau = np.linspace(annotation.first_range_time, annotation.last_range_time, _POINTS)
    metres = _metres(annotation.ground_range, tau)
    way = float(np.sign(metres[-1] - metres[0]))
    if not (np.diff(metres) * way > 0).all():
        raise _unreadable("its slant-to-ground-range polynomial turns back", geolocation)
    first = float(metres[0])
    return 0.0 if abs(first) <= annotation.raster.sample_spacing / 2 else first, way


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
    row, time, column, far = annotation.first_row
    middle = annotation.start + (annotation.stop - annotation.start) / 2
    half = (annotation.first_range_time + annotation.last_range_time) / 2
    turned = (time > middle) == (row <= annotation.raster.lines / 2)
    return turned, (far > half) == (column <= annotation.raster.samples / 2)


def _unreadable(what: str, geolocation: Geolocation) -> SceneUnreadable:
    return SceneUnreadable(what, where=geolocation.where, remedy=COPY_AGAIN)
