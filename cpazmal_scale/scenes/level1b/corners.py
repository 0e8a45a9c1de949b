"""Image axes compared with what an annotation says of an image's ends and corners."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import COPY_AGAIN, SceneUnreadable

if TYPE_CHECKING:
    from cpazmal_scale.scenes.level1b.annotation import Annotation
    from cpazmal_scale.scenes.level1b.geolocation import Geolocation
    from cpazmal_scale.terrain.sight import Axes

_LOW, _HIGH = -0.6, 1.1
"""Pixels between a place and its annotated number, which is rounded or cut."""
_END, _SHARE = 2.0, 0.01
"""Pixels, and share of a detected image's edge, by which times may end elsewhere than the image."""


def check_corners(annotation: Annotation, geolocation: Geolocation, axes: Axes) -> None:
    """Compare axes with the image's size and with all corners that have numbers.

    Raises:
        SceneUnreadable: its times span other lines or samples, or a corner lies elsewhere.
    """
    reference = geolocation.grid.reference_time
    start, stop = (
        (time - reference).total_seconds() for time in (annotation.start, annotation.stop)
    )
    tau = np.array([annotation.first_range_time, annotation.last_range_time])
    raster = annotation.raster
    edges = (("lines", raster.lines), ("samples", raster.samples))
    for places, (name, size) in zip(axes(np.array([start, stop]), tau), edges, strict=True):
        least = 0.0 if annotation.is_complex else _SHARE * size
        apart = float(np.abs(np.sort(places) - (0, size - 1)).max())
        if not apart <= max(_END, least):
            raise _unreadable(
                f"its times span {np.ptp(places) + 1:.0f} {name}, its image has {size}", geolocation
            )
    for corner in annotation.corners:
        t = np.array([(corner.azimuth_time - reference).total_seconds()])
        found = axes(t, np.array([corner.range_time]))
        for place, told, name in zip(
            found, (corner.row, corner.column), ("row", "column"), strict=True
        ):
            off = float(place[0]) - (told - 1)
            if told > 0 and not _LOW <= off <= _HIGH:
                raise _unreadable(
                    f"a corner's annotated {name} {told} is {abs(off):.4g} pixels from its place",
                    geolocation,
                )


def _unreadable(what: str, geolocation: Geolocation) -> SceneUnreadable:
    return SceneUnreadable(what, where=geolocation.where, remedy=COPY_AGAIN)
