"""The STAC fields that say where and how something was acquired."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.grid.cf import grid_of
from cpazmal_scale.scenes import platforms

if TYPE_CHECKING:
    import xarray as xr

_MODE = re.compile(r"_(SM|SC|SL|HS|ST|WS|IW|EW)_")


def footprint(data: xr.Dataset) -> tuple[list[list[float]], list[float]]:
    """The grid's outline, counter-clockwise, and its box, in degrees east and north."""
    import pyproj

    grid = grid_of(data)
    height, width = grid.shape
    crs, transform = str(grid.crs), grid.transform.to_gdal()
    steps = np.linspace(0, 1, 9)[:-1]
    still = np.zeros_like(steps)
    columns = np.concatenate([still, steps, still + 1, 1 - steps]) * width
    rows = np.concatenate([steps, still + 1, 1 - steps, still]) * height
    x = transform[0] + columns * transform[1] + rows * transform[2]
    y = transform[3] + columns * transform[4] + rows * transform[5]
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = (np.round(part, 7) for part in to_degrees.transform(x, y))
    ring = np.stack([longitude, latitude], axis=1).tolist()
    box = [longitude.min(), latitude.min(), longitude.max(), latitude.max()]
    return [*ring, ring[0]], [float(edge) for edge in box]


def projection(data: xr.Dataset) -> dict[str, Any]:
    """CRS, shape, transform and box of the grid."""
    import pyproj

    grid = grid_of(data)
    crs, shape = pyproj.CRS.from_user_input(str(grid.crs)), grid.shape
    left, dx, rx, top, ry, dy = grid.transform.to_gdal()
    code = crs.to_authority()
    far = left + dx * shape[1], top + dy * shape[0]
    return {
        "proj:code": ":".join(code) if code else None,
        **({} if code else {"proj:wkt2": crs.to_wkt()}),
        "proj:shape": list(shape),
        "proj:transform": [dx, rx, left, ry, dy, top],
        "proj:bbox": [min(left, far[0]), min(top, far[1]), max(left, far[0]), max(top, far[1])],
    }


def radar(cube: xr.Dataset, polarisations: list[str]) -> dict[str, Any]:
    """What the cube knows of its acquisitions; nothing is guessed."""
    known = [platforms().get(str(sensor)) for sensor in np.unique(cube["sensor"].values)]
    modes = {m[1] for m in map(_MODE.search, cube["scene_id"].values.tolist()) if m}
    found: dict[str, Any] = {"sar:polarizations": polarisations}
    if len(known) == 1 and known[0] is not None:
        found["platform"] = known[0].name
    if len(modes) == 1:
        found["sar:instrument_mode"] = modes.pop()
    if known and known[0] is not None and len({each and each[1:] for each in known}) == 1:
        found["sar:frequency_band"] = known[0].band
        found["sar:center_frequency"] = known[0].gigahertz
    found["sar:product_type"] = "RTC" if cube.attrs["radiometry"] == "gamma0_T" else "GTC"
    for key in ("sar:observation_direction", "sat:orbit_state", "sat:relative_orbit"):
        if key in cube.attrs:
            found[key] = cube.attrs[key]
    if "enl" in cube.attrs:
        found["sar:looks_equivalent_number"] = cube.attrs["enl"]
    means = {
        "view:incidence_angle": "incidence_angle",
        "sar:resolution_range": "resolution_range",
        "sar:resolution_azimuth": "resolution_azimuth",
    }
    for key, name in means.items():
        values = cube[name].values
        if np.isfinite(values).any():
            found[key] = round(float(np.nanmean(values)), 3)
    resolution = [
        found[key] for key in ("sar:resolution_range", "sar:resolution_azimuth") if key in found
    ]
    if resolution:
        found["gsd"] = max(resolution)
    return found
