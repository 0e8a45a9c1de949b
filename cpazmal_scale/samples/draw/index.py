"""The index of labelled windows: one row per window, kept as Parquet."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.cube import require_data, window_pixels
from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid.edges import PixelEdges
from cpazmal_scale.grid.vectors import placed
from cpazmal_scale.progress import Progress
from cpazmal_scale.samples.draw.overlap import apart
from cpazmal_scale.samples.draw.polygons import require_groups
from cpazmal_scale.samples.draw.shares import MASKED, SHARES, VALID, across_dates, seen, usable
from cpazmal_scale.samples.table import BY_DATE, centres

if TYPE_CHECKING:
    import geopandas
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    from cpazmal_scale.config import Features, Samples


def window_index(
    cube: xr.Dataset,
    polygons: geopandas.GeoDataFrame,
    samples: Samples,
    features: Features,
    *,
    seed: int,
    polarisations: Sequence[str],
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Windows that lie inside the labelled polygons and can be trusted.

    The windows of a polygon stand on a grid anchored at the top-left pixel of its bounding box, or
    where most of them are usable (`samples.offset`). At most `samples.max_per_group` are drawn from
    each class and group, at random by `seed`; polygons elsewhere do not change the draw. Ground
    that polygons of two classes share is in no window, ground of two groups in windows of one.

    Returns:
        One row per window, ordered by class (as `samples.classes` has them), group and position:
        `class, group, beam, time_start, time_end` (UTC), `y0, x0` top-left pixel, `size` in pixels,
        `y, x` centre in the cube's CRS, `valid_fraction` of the co-polarised pixels,
        `layover_fraction`, `shadow_fraction`, `no_dem_fraction`, `outside_swath_fraction`,
        `noise_limited_fraction` and `masked_fraction` (layover or shadow) across dates as
        `samples.across` says, `incidence_angle` in degrees (median over dates, NaN unknown),
        `elevation` in m above `elevation_datum` (the ellipsoid for a cube's own heights, what the
        raster's reference system says, or `not stated`; empty where there are no heights), `slope`
        and `aspect` in degrees (NaN without heights),
        `polarisations`; and lists with a value per date, `BY_DATE`.

    Raises:
        SampleError: no polygon covers the cube, most of one lies in one of another class, a
            polarisation is missing, no window is usable, or a class has fewer than two groups left.
    """
    import pandas as pd

    from cpazmal_scale.samples.draw.balance import balanced
    from cpazmal_scale.samples.sql import chosen as chosen_by

    require_data(cube, polarisations)
    require_window(cube, features.window)
    where = cube.attrs.get("beam", "the cube")
    grid = PixelEdges(cube)
    classes = samples.classes or tuple(sorted(set(polygons["class"])))
    chosen = placed(polygons[polygons["class"].isin(list(classes))], grid.crs)
    if not any(grid.bounds.intersects(shape) for shape in chosen.geometry):
        raise SampleError(
            "all polygons lie outside the cube",
            where=where,
            remedy="their coordinates look swapped: save them with their axes in order"
            if _turned(polygons, grid)
            else "check the polygons' CRS, or ingest scenes that cover them",
        )
    require_groups(chosen, where=where, classes=classes)
    chosen = apart(chosen, grid, where)
    tables = []
    for label, group, shape in zip(chosen["class"], chosen["group"], chosen.geometry, strict=True):
        y0, x0 = _corners(cube, shape, samples, features, polarisations[0])
        tables.append(pd.DataFrame({"class": label, "group": group, "y0": y0, "x0": x0}))
    windows = pd.concat(tables, ignore_index=True)
    if not len(windows):
        raise SampleError(
            f"no polygon holds a window of {features.window} x {features.window} of its pixels",
            where=where,
            remedy="draw larger polygons, or lower features.window",
        )
    if samples.where is not None:  # refused before the cube is read
        chosen_by(describe(cube, windows.iloc[:0], features, polarisations), samples.where)
    index = admitted(describe(cube, windows, features, polarisations, progress, samples), samples)
    index = _drawn(index, samples.max_per_group, seed)
    require_groups(index, where=where, classes=classes)
    if samples.balance:
        rows = balanced(index["class"], index["group"], samples.min_per_group, seed)
        index = index.iloc[rows]
    order = index["class"].map({name: i for i, name in enumerate(classes)})
    drawn = (
        index.assign(_order=order)
        .sort_values(["_order", "group", "y0", "x0"], ignore_index=True)
        .drop(columns="_order")
    )
    drawn.attrs |= {key: polygons.attrs[key] for key in ("legend",) if key in polygons.attrs}
    return drawn


def _turned(polygons: geopandas.GeoDataFrame, grid: PixelEdges) -> bool:
    """Whether polygons would lie in the cube if their first coordinate were the second."""
    import shapely

    turned = polygons.set_geometry(
        shapely.transform(polygons.geometry.to_numpy(), lambda at: at[:, ::-1]), crs=polygons.crs
    )
    return bool(placed(turned, grid.crs).intersects(grid.bounds).any())


def require_window(cube: xr.Dataset, size: int) -> None:
    """Check that a cube is at least as large as a window.

    Raises:
        SampleError: it is smaller.
    """
    height, width = cube.sizes["y"], cube.sizes["x"]
    if min(height, width) < size:
        raise SampleError(
            f"the cube has {height} x {width} pixels, a window {size} x {size}",
            where=cube.attrs.get("beam", "the cube"),
            remedy="ingest scenes that cover more, or lower features.window",
        )


def admitted(index: pd.DataFrame, samples: Samples) -> pd.DataFrame:
    """The windows that all rules allow; an error names the rule that leaves none."""
    from cpazmal_scale.samples.sql import chosen

    kept = index
    for rule, fits in usable(index, samples).items():
        kept = kept[fits.reindex(kept.index)]
        _require_windows(kept, len(index), rule)
    if samples.where is not None:
        kept = chosen(kept, samples.where)
        _require_windows(kept, len(index), f"samples.where, {samples.where}")
    return kept


def _require_windows(index: pd.DataFrame, before: int, rule: str) -> None:
    if before and not len(index):
        raise SampleError(
            f"none of {before} windows satisfies {rule}",
            remedy="loosen it, or look at `SELECT * FROM samples` of samples drawn without it",
        )


def _corners(
    cube: xr.Dataset, shape: Any, samples: Samples, features: Features, polarisation: str
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns (n) of the top-left pixels of the windows of a polygon."""
    from cpazmal_scale.samples.draw.anchor import best_corners

    grid, size = PixelEdges(cube), features.window
    if samples.offset == "corner":
        return grid.windows_inside(shape, size, samples.stride or size)
    covered = grid.pixels_inside(shape)
    return best_corners(cube, polarisation, covered, samples, features)


def describe(
    cube: xr.Dataset,
    windows: pd.DataFrame,
    features: Features,
    polarisations: Sequence[str],
    progress: Progress | None = None,
    samples: Samples | None = None,
) -> pd.DataFrame:
    """Complete a table of `class, group, y0, x0` with what the cube says of each window."""
    from cpazmal_scale.samples.draw.terrain import (
        ELLIPSOID,
        datum_of_raster,
        terrain,
        terrain_of_layer,
    )

    size = features.window
    y0, x0 = (windows[name].to_numpy(np.int64) for name in ("y0", "x0"))
    across = samples.across if samples else "typical"
    times = cube["time"].to_numpy()
    shares = {name: np.zeros(len(windows)) for name in SHARES}
    by_date = np.zeros((2, len(windows), len(times)), np.float32)
    for pixels in window_pixels(cube, y0, x0, size, polarisations[:1], progress):
        found = seen(pixels.power[:, 0], pixels.mask, features.excluded)
        by_date[0, pixels.rows] = found[VALID].mean((2, 3))
        by_date[1, pixels.rows] = found[MASKED].mean((2, 3))
        for name, share in across_dates(found, across, 1, _mean).items():
            shares[name][pixels.rows] = share
    grid = PixelEdges(cube)
    y, x = centres(cube, y0, x0, size)
    angles = _incidence_angles(cube)
    known = angles[np.isfinite(angles)]
    dem = samples.dem if samples else None
    if dem is None and "elevation" in cube:
        ground, datum = terrain_of_layer(cube["elevation"], grid, y0, x0, size), ELLIPSOID
    else:
        ground, datum = terrain(dem, grid, y0, x0, size), datum_of_raster(dem) if dem else ""
    lists = (times.astype("datetime64[ms]"), by_date[0], by_date[1], angles)
    return windows.assign(
        beam=str(cube.attrs.get("beam", "")),
        time_start=times.min(),
        time_end=times.max(),
        size=size,
        y=y,
        x=x,
        **shares,
        incidence_angle=float(np.median(known)) if len(known) else float("nan"),
        **ground,
        elevation_datum=datum,
        polarisations=",".join(polarisations),
        **{
            name: list(values) if values.ndim == 2 else [values] * len(windows)
            for name, values in zip(BY_DATE, lists, strict=True)
        },
    )


def _mean(pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
    return np.asarray(pixels.mean((-2, -1)))


def _drawn(index: pd.DataFrame, most: int | None, seed: int) -> pd.DataFrame:
    if most is None:
        return index
    kept: list[int] = []
    for (label, group), own in index.groupby(["class", "group"]):
        key = zlib.crc32(f"{label}/{group}".encode())
        generator = np.random.default_rng(np.random.SeedSequence([seed, key]))
        kept.extend(generator.permutation(own.index.to_numpy())[:most])
    return index.loc[sorted(kept)]


def _incidence_angles(cube: xr.Dataset) -> NDArray[np.float32]:
    """Incidence angle of every date in degrees, NaN unknown."""
    if "incidence_angle" not in cube.coords:
        return np.full(cube.sizes["time"], np.nan, np.float32)
    return np.broadcast_to(cube["incidence_angle"].to_numpy(), cube.sizes["time"]).astype("f4")
