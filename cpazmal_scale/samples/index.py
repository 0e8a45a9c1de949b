"""The index of labelled windows: one row per window, kept as Parquet."""

from __future__ import annotations

import io
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.config import MASK_BITS
from cpazmal_scale.errors import SampleError
from cpazmal_scale.samples.edges import PixelEdges
from cpazmal_scale.samples.pixels import Progress, require_data, window_pixels
from cpazmal_scale.samples.polygons import require_groups

if TYPE_CHECKING:
    import geopandas
    import pandas as pd
    import xarray as xr

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

    The windows of a polygon stand on a grid anchored at the top-left pixel of its bounding box.
    At most `samples.max_per_group` are drawn from each class and group, at random by `seed`;
    polygons elsewhere do not change the draw.

    Returns:
        One row per window, ordered by class (as in `samples.classes`), group and position:
        `class, group, beam, time_start, time_end` (UTC), `y0, x0` top-left pixel, `size` in pixels,
        `y, x` centre in the cube's CRS, `valid_fraction` of the co-polarised pixels on the median
        date, `layover_fraction`, `shadow_fraction`, `masked_fraction` (either) over all dates,
        `incidence_angle` in degrees (median over dates, NaN unknown), `polarisations`.

    Raises:
        SampleError: no polygon covers the cube, a polarisation is missing, or a class has fewer
            than two groups left.
    """
    import pandas as pd

    require_data(cube, polarisations)
    where = cube.attrs.get("beam", "the cube")
    grid = PixelEdges(cube)
    chosen = polygons[polygons["class"].isin(list(samples.classes))].to_crs(grid.crs)
    if not any(grid.bounds.intersects(shape) for shape in chosen.geometry):
        raise SampleError(
            "all polygons lie outside the cube",
            where=where,
            remedy="check the polygons' CRS, or ingest scenes that cover them",
        )
    require_groups(chosen, where=where, classes=samples.classes)
    stride = samples.stride or features.window
    tables = []
    for label, group, shape in zip(chosen["class"], chosen["group"], chosen.geometry, strict=True):
        y0, x0 = grid.windows_inside(shape, features.window, stride)
        tables.append(pd.DataFrame({"class": label, "group": group, "y0": y0, "x0": x0}))
    windows = pd.concat(tables, ignore_index=True)
    index = describe(cube, windows, features, polarisations, progress)
    usable = index["valid_fraction"] >= samples.min_valid
    index = index[usable & (index["masked_fraction"] <= samples.max_masked)]
    index = _drawn(index, samples.max_per_group, seed)
    require_groups(index, where=where, classes=samples.classes)
    order = index["class"].map({name: i for i, name in enumerate(samples.classes)})
    return (
        index.assign(_order=order)
        .sort_values(["_order", "group", "y0", "x0"], ignore_index=True)
        .drop(columns="_order")
    )


def describe(
    cube: xr.Dataset,
    windows: pd.DataFrame,
    features: Features,
    polarisations: Sequence[str],
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Complete a table of `class, group, y0, x0` with what the cube says of each window."""
    size = features.window
    y0, x0 = (windows[name].to_numpy(np.int64) for name in ("y0", "x0"))
    shares = np.zeros((4, len(windows)))
    bits = [MASK_BITS["layover"], MASK_BITS["shadow"], MASK_BITS["layover"] | MASK_BITS["shadow"]]
    for pixels in window_pixels(cube, y0, x0, size, polarisations[:1], progress):
        valid = np.isfinite(pixels.power[:, 0]) & (pixels.mask & features.excluded == 0)
        shares[0, pixels.rows] = np.median(valid.mean((2, 3)), axis=1)
        for share, flags in zip(shares[1:], bits, strict=True):
            share[pixels.rows] = (pixels.mask & flags != 0).mean((1, 2, 3))
    grid = PixelEdges(cube)
    times = cube["time"].to_numpy()
    centre = (size - 1) / 2
    return windows.assign(
        beam=str(cube.attrs.get("beam", "")),
        time_start=times.min(),
        time_end=times.max(),
        size=size,
        y=grid.top + (y0 + centre + 0.5) * grid.dy,
        x=grid.left + (x0 + centre + 0.5) * grid.dx,
        valid_fraction=shares[0],
        layover_fraction=shares[1],
        shadow_fraction=shares[2],
        masked_fraction=shares[3],
        incidence_angle=_incidence_angle(cube),
        polarisations=",".join(polarisations),
    )


def write_index(index: pd.DataFrame, url: str) -> None:
    """Write an index as Parquet, replacing what is there in one step.

    Raises:
        StoreError: the store cannot be written.
    """
    buffer = io.BytesIO()
    index.to_parquet(buffer, index=False, compression="zstd")
    storage.write_bytes(url, buffer.getvalue())


def read_index(url: str) -> pd.DataFrame:
    """Read an index.

    Raises:
        StoreMissing: nothing is there.
        SampleError: it is not Parquet.
    """
    import pandas as pd
    import pyarrow

    try:
        return pd.read_parquet(io.BytesIO(storage.read_bytes(url)))
    except pyarrow.ArrowInvalid:
        raise SampleError(
            "not a Parquet file", where=url, remedy="make the samples again"
        ) from None


def _drawn(index: pd.DataFrame, most: int | None, seed: int) -> pd.DataFrame:
    if most is None:
        return index
    kept: list[int] = []
    polygon = index["class"] + "/" + index["group"]
    for name, rows in polygon.groupby(polygon).groups.items():
        key = zlib.crc32(str(name).encode())
        generator = np.random.default_rng(np.random.SeedSequence([seed, key]))
        kept.extend(generator.permutation(rows.to_numpy())[:most])
    return index.loc[sorted(kept)]


def _incidence_angle(cube: xr.Dataset) -> float:
    if "incidence_angle" not in cube.coords:
        return float("nan")
    angles = cube["incidence_angle"].to_numpy()
    known = angles[np.isfinite(angles)]
    return float(np.median(known)) if len(known) else float("nan")
