"""Where a map image lies, as its file and its annotation say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import COPY_AGAIN, SceneUnreadable
from cpazmal_scale.grid.areas import pixel_edge
from cpazmal_scale.scenes.level1b.annotation import Annotation

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

_BESIDE = 3.0
"""Pixels between a corner's centre, its edge and its rounded place."""
_ELSEWHERE = 0.25
"""Of an image's shorter side, from which it is another image."""


def beside_frame(geobox: GeoBox, annotation: Annotation, where: object) -> tuple[str, ...]:
    """What to say of a map image whose corners are not where they are annotated.

    Raises:
        SceneUnreadable: they are far from there.
    """
    from pyproj import Transformer

    if not annotation.frame:
        return ()
    to_map = Transformer.from_crs("EPSG:4326", str(geobox.crs), always_xy=True)
    x, y = to_map.transform(*np.transpose(annotation.frame))
    box = geobox.boundingbox
    east = x - np.array([box.left, box.right, box.right, box.left])
    north = y - np.array([box.top, box.top, box.bottom, box.bottom])
    pixels = float(np.hypot(east, north).max()) / abs(geobox.transform.a)
    if pixels <= _BESIDE:
        return ()
    apart = f"{pixels * pixel_edge(geobox):.0f} m from where its annotation puts them"
    if not pixels <= _ELSEWHERE * min(geobox.shape):
        raise SceneUnreadable(
            f"the corners of its image lie {apart}",
            where=where,
            remedy=COPY_AGAIN,
        )
    return (f"the corners of its image lie {apart}: compare its place with the other dates",)
