"""Numbers that an annotation tells twice, in other words: what contradicts itself is refused.

Where a product's own numbers do not agree, nothing tells which of them is damaged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import COPY_AGAIN, SceneUnreadable
from cpazmal_scale.terrain.ellipsoid import ecef, incidence
from cpazmal_scale.terrain.orbit import LIGHT, Orbit
from cpazmal_scale.words import latitude, longitude

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.scenes.level1b.annotation import Annotation
    from cpazmal_scale.scenes.level1b.geolocation import Geolocation

_EQUAL = 1e-3
"""Share by which a rate and the step between its samples may differ."""
_SPACING = 0.05
"""The same of spacings in metres on the ground, which hold at scene centre."""
_ANGLE = 2.0
"""Degrees by which incidence angles may differ: those of an ellipsoid at one height or another."""
_DELAY = 30.0
"""Metres between annotated delays and those of the geolocation grid."""
_BEYOND = 1000.0
"""Metres by which a scene's mean height may lie beyond the heights of its grid."""
_OFF_PLACE = 1000.0
"""Metres along the track and of slant range by which centre and corners may lie off their times."""
_AWAY = 60.0
"""Seconds by which noise may be annotated beside the scene."""
_STEP, _OFF = 30.0, (5.0, 0.5)
"""Longest seconds between state vectors that foretell the one between them, and by how many metres
and metres per second they may fail: 0.4 and 0.04 at that step."""


def require_agreement(annotation: Annotation, geolocation: Geolocation) -> None:
    """Compare rates, spacings, angles, delays, heights, places, noise times and state vectors.

    Raises:
        SceneUnreadable: two of them contradict each other.
    """
    for what in (
        *_rates(annotation),
        *_spacings(annotation, geolocation),
        *_angles(annotation, geolocation),
        *_delays(geolocation),
        *_heights(annotation, geolocation),
        *_places(annotation, geolocation),
        *_noise(annotation),
        *_vectors(geolocation.orbit),
    ):
        raise SceneUnreadable(
            f"its annotation contradicts itself: {what}",
            where=geolocation.where,
            remedy=COPY_AGAIN,
        )


def _rates(annotation: Annotation) -> Iterator[str]:
    raster = annotation.raster
    if not annotation.is_complex:
        return
    for name, rate, step in (
        ("commonPRF", annotation.prf, raster.line_spacing),
        ("commonRSF", annotation.rsf, raster.sample_spacing),
    ):
        if rate is not None and not abs(rate * step - 1) < _EQUAL:
            yield f"its {name} is {rate:g} Hz, its samples are {step:g} s apart"


def _spacings(annotation: Annotation, geolocation: Geolocation) -> Iterator[str]:
    raster, orbit = annotation.raster, geolocation.orbit
    if not annotation.is_complex:
        return
    platform, ground = orbit.position(geolocation.first), _middle(geolocation)
    speed = float(np.linalg.norm(orbit.velocity(geolocation.first)))
    speed *= float(np.linalg.norm(ground) / np.linalg.norm(platform))
    for name, told, metres in (
        ("along the track", annotation.azimuth_spacing, speed * raster.line_spacing),
        (
            "of slant range",
            annotation.slant_range_spacing,
            raster.sample_spacing * LIGHT / 2,
        ),
    ):
        if told is not None and not abs(told / metres - 1) < _SPACING:
            yield f"its samples {name} are {told:g} m apart, their times {metres:.3g} m"


def _middle(geolocation: Geolocation) -> NDArray[np.float64]:
    """The middle of the grid (3), earth-fixed metres."""
    grid = geolocation.grid
    at = np.s_[grid.shape[0] // 2, grid.shape[1] // 2, None]
    place: NDArray[np.float64] = ecef(grid.lon[at], grid.lat[at], geolocation.heights[at])[0]
    return place


def _angles(annotation: Annotation, geolocation: Geolocation) -> Iterator[str]:
    grid = geolocation.grid
    told = annotation.centre.incidence_angle
    if not grid.inc.min() - _ANGLE < told < grid.inc.max() + _ANGLE:
        yield (
            f"the incidence angle of its centre is {told:g}°, those of its geolocation grid are "
            f"{grid.inc.min():.1f}° to {grid.inc.max():.1f}°"
        )
    some = np.s_[:: max(1, grid.shape[0] // 8), :: max(1, grid.shape[1] // 8)]
    lon, lat = grid.lon[some], grid.lat[some]
    points = ecef(lon, lat, geolocation.heights[some])
    *_, look = geolocation.orbit.see(points, first=geolocation.first)
    apart = float(np.abs(incidence(look, lon, lat) - grid.inc[some]).max())
    if not apart < _ANGLE:
        yield f"the incidence angles of its geolocation grid are {apart:.1f}° from its orbit's"


def _delays(geolocation: Geolocation) -> Iterator[str]:
    grid, measured = geolocation.grid, geolocation.measured
    speed = float(np.linalg.norm(geolocation.orbit.velocity(geolocation.first)))
    late = (grid.azimuth_shift - measured[0]) * speed
    far = ((grid.range_delay or measured[1]) - measured[1]) * LIGHT / 2
    for name, metres in (("azimuth shift", late), ("range delay", far)):
        if not abs(metres) < _DELAY:
            yield f"its {name} is {abs(metres):.3g} m from that of its geolocation grid"


def _heights(annotation: Annotation, geolocation: Geolocation) -> Iterator[str]:
    low, high = float(geolocation.heights.min()), float(geolocation.heights.max())
    mean = annotation.average_height
    if mean != 0 and not low - _BEYOND < mean < high + _BEYOND:
        yield f"its mean height is {mean:g} m, those of its grid are {low:.0f} to {high:.0f} m"


def _places(annotation: Annotation, geolocation: Geolocation) -> Iterator[str]:
    """Centre and corners lie where their times say, at a height of the grid."""
    orbit, (late, far) = geolocation.orbit, geolocation.delay
    speed = float(np.linalg.norm(orbit.velocity(geolocation.first)))
    ends = np.array([geolocation.heights.max(), geolocation.heights.min()])
    for name, told in (
        ("centre", annotation.centre),
        *(("corner", corner) for corner in annotation.corners),
    ):
        lon, lat = np.full(2, told.lon), np.full(2, told.lat)
        t, tau = orbit.radar(lon, lat, ends, first=geolocation.first)
        time = (told.azimuth_time - geolocation.grid.reference_time).total_seconds()
        along = float(np.abs(t + late - time).min()) * speed
        low, high = (tau + far) * LIGHT / 2
        place = told.range_time * LIGHT / 2
        across = max(low - place, place - high, 0.0)
        if not max(along, across) < _OFF_PLACE:
            yield (
                f"its {name} at {latitude(told.lat)}, {longitude(told.lon)} lies "
                f"{max(along, across) / 1000:.3g} km from where its times say"
            )
            return


def _noise(annotation: Annotation) -> Iterator[str]:
    for layer in annotation.layers:
        for one in layer.noise:
            before = (annotation.start - one.time).total_seconds()
            after = (one.time - annotation.stop).total_seconds()
            if max(before, after) > _AWAY:
                yield f"its noise is annotated for {max(before, after):.0f} s beside the scene"
                return


def _vectors(orbit: Orbit) -> Iterator[str]:
    """Every vector is where those before and after it say."""
    seconds, (place, speed) = orbit.seconds, orbit.vectors
    for at in range(1, len(seconds) - 1):
        if seconds[at + 1] - seconds[at - 1] > 2 * _STEP:
            continue
        around = [at - 1, at + 1]
        told = Orbit(seconds[around], place[around], speed[around])
        far = float(np.linalg.norm(told.position(seconds[at]) - place[at]))
        fast = float(np.linalg.norm(told.velocity(seconds[at]) - speed[at]))
        if not (far < _OFF[0] and fast < _OFF[1]):
            yield (
                f"its {at + 1}th state vector is {far:.3g} m and {fast:.3g} m/s from what the "
                "others say"
            )
            return
