"""Compare the stored terrain of a beam with the terrain layers of its cube."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.cube.read.dataset import open_cube
from cpazmal_scale.scenes import Scene, kept_ground
from cpazmal_scale.terrain.layers import read_layer

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.cube.format.record import Record

EDGE = 512
"""Edge in pixels of the part in the middle that is compared."""
_LEAST = 1e-6
"""Relative difference of area ratios that is none."""


def unlike_cube(record: Record | None, scene: Scene, grid: GeoBox) -> str:
    """How the kept ground of a new date differs from that of a cube's dates, in words; empty: not.

    It does where it was computed anew: by another version, or from another date's orbit.
    """
    url = kept_ground(scene)
    if record is None or not url or "area_ratio" not in record.static:
        return ""
    rows, columns = (
        slice(max(0, (size - EDGE) // 2), min(size, (size + EDGE) // 2)) for size in grid.shape
    )
    cube = open_cube(record.url).isel(y=rows, x=columns)
    mine, theirs = (
        np.log10(values, where=values > 0, out=np.full(values.shape, np.nan))
        for values in (
            read_layer(url, grid, rows, columns, "area_ratio").astype(np.float64),
            cube["area_ratio"].to_numpy().astype(np.float64),
        )
    )
    masks = read_layer(url, grid, rows, columns, "terrain_mask") != cube["terrain_mask"].to_numpy()
    masks &= np.isfinite(cube["elevation"].to_numpy())
    apart = 10 * np.abs(mine - theirs)
    apart = apart[np.isfinite(apart)]
    most = float(apart.max(initial=0.0))
    if most < 10 * _LEAST and not masks.any():
        return ""
    half = float(np.median(apart)) if apart.size else 0.0
    return (
        "what its beam sees of the ground was computed anew: area ratios differ from the cube's by "
        f"{half:.2g} dB as a median and {most:.2g} dB at most, masks in {masks.mean():.2%} of its "
        "middle; earlier dates keep theirs: ingest all into a new cube for equal ones"
    )
