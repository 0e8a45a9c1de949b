"""A picture of a flattened cube: before, after, and how its beam sees the ground.

    python docs/examples/flattening.py build/demo/cubes/DSC37.zarr flattening.png

It shows the middle of what the beam covers. Powers of the first polarisation are means over all
dates; before flattening they are γ0 by the ellipsoid's incidence angle θ: γ0_T times area ratio and
tan θ.
"""

from __future__ import annotations

import sys

import numpy as np
from matplotlib.figure import Figure

from cpazmal_scale.cube import open_cube

LAYOVER, SHADOW = 1, 2
DECIBELS = -16, 0
EDGE = 440
"""Pixels along a side of the picture."""


def main(cube: str, picture: str) -> None:
    """Draw the picture of a cube."""
    ground = open_cube(cube)
    if ground.attrs["radiometry"] != "gamma0_T" or "area_ratio" not in ground:
        raise SystemExit(f"{cube} is not flattened: set ingest.level1b.radiometry: gamma0_T")
    covered = np.isfinite(ground.incidence.values).nonzero()
    row, column = (max(0, int(np.median(places)) - EDGE // 2) for places in covered)
    ground = ground.isel(y=slice(row, row + EDGE), x=slice(column, column + EDGE))
    band = ground.attrs["polarisations"][0]
    after = ground[band].mean("time", skipna=True).values
    tangent = np.tan(np.radians(ground.incidence.values))
    before = after * ground.area_ratio.values * tangent
    edges = ground.x.values - float(ground.x[0]), ground.y.values - float(ground.y[-1])
    extent = 0.0, float(edges[0][-1]), 0.0, float(edges[1][0])
    figure = Figure(figsize=(12, 3.9), layout="constrained")
    panels = figure.subplots(1, 3)
    titles = "γ0, ellipsoid: the slopes", "γ0_T, flattened: the ground"
    for axes, power, title in zip(panels, (before, after), titles, strict=False):
        axes.set_facecolor("tab:orange")
        level = 10 * np.log10(np.where(power > 0, power, np.nan))
        low, high = DECIBELS
        image = axes.imshow(level, cmap="gray", vmin=low, vmax=high, extent=extent)
        axes.set(title=title, xlabel="m")
    figure.colorbar(image, ax=list(panels[:2]), label=f"{band}, dB")
    angle, mask = ground.local_incidence.values, ground.terrain_mask.values
    image = panels[2].imshow(angle, cmap="viridis", vmin=0, vmax=90, extent=extent)
    folds = np.zeros((*mask.shape, 4))
    folds[mask & LAYOVER > 0] = 0.8, 0.2, 0.2, 1
    folds[mask & SHADOW > 0] = 0.1, 0.1, 0.1, 1
    panels[2].imshow(folds, extent=extent)
    panels[2].set(title="local incidence, layover, shadow", xlabel="m")
    figure.colorbar(image, ax=panels[2], label="degrees")
    figure.savefig(picture, dpi=96)


if __name__ == "__main__":
    main(*sys.argv[1:])
