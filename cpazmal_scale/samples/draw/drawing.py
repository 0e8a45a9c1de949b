"""Windows from polygons and a cube, or from a table drawn before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cpazmal_scale.errors import SampleError
from cpazmal_scale.progress import Progress
from cpazmal_scale.samples.windows import Windows

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd
    import xarray as xr

    from cpazmal_scale.config import Features, Samples


def open_windows(
    index: str | pd.DataFrame,
    cube: str | xr.Dataset,
    *,
    polarisations: Sequence[str] | None = None,
    features: Features | None = None,
) -> Windows:
    """Windows of an index that was drawn before, on all dates of a cube.

    Args:
        index: table, or URL of a Parquet index.
        cube: dataset, or URL of a cube; the one the index was drawn from.
        polarisations: channels, co-polarised first; none: those of the index.
        features: whose mask flags are left out; none: the defaults.

    Raises:
        StoreMissing: index or cube are not there.
        SampleError: they do not fit each other: the index has no window of this beam, or was drawn
            on another grid.
    """
    from cpazmal_scale import config
    from cpazmal_scale.cube import open_cube, require_data
    from cpazmal_scale.samples.table import read_index, require_grid

    table = read_index(index) if isinstance(index, str) else index
    data = open_cube(cube) if isinstance(cube, str) else cube
    beam = data.attrs.get("beam", "")
    table = table[table["beam"] == beam].reset_index(drop=True)
    if not len(table):
        raise SampleError(f"the index has no window of beam {beam}", remedy="open its own cube")
    require_grid(table, data)
    chosen = tuple(polarisations or table["polarisations"].iloc[0].split(","))
    require_data(data, chosen)
    return Windows(table, data, chosen, excluded=(features or config.Features()).excluded)


def draw_windows(
    cube: str | xr.Dataset,
    polygons: str | gpd.GeoDataFrame,
    samples: Samples | None = None,
    features: Features | None = None,
    *,
    polarisations: Sequence[str] | None = None,
    seed: int = 42,
    progress: Progress | None = None,
) -> Windows:
    """Labelled windows of a cube inside polygons.

    Args:
        cube: dataset, or URL of a cube.
        polygons: URL of a GeoPackage, GeoJSON or (zipped) shapefile with columns `class` and
            `group`, or such a GeoDataFrame.
        samples: which windows are taken; none: the defaults, and all classes of the polygons.
        features: size of the windows, and mask flags whose pixels are left out.
        polarisations: channels, co-polarised first; none: all of the cube.
        seed: of the draw.
        progress: called with chunks done and chunks in all.

    Raises:
        StoreMissing: cube or polygons are not there.
        SampleError: polygons, classes or groups do not allow it.
    """
    from cpazmal_scale import config
    from cpazmal_scale.cube import open_cube
    from cpazmal_scale.samples.draw.index import window_index
    from cpazmal_scale.samples.draw.polygons import checked_polygons, read_polygons

    data = open_cube(cube) if isinstance(cube, str) else cube
    classes = samples.classes if samples else None
    read = read_polygons if isinstance(polygons, str) else checked_polygons
    labelled = read(polygons, classes)
    rules = samples or config.Samples(classes=tuple(sorted(set(labelled["class"]))))
    sizes = features or config.Features()
    known = [str(p) for p in data.data_vars if p != "mask" and "time" in data[p].dims]
    chosen = tuple(polarisations or known)
    index = window_index(
        data, labelled, rules, sizes, seed=seed, polarisations=chosen, progress=progress
    )
    return Windows(index, data, chosen, excluded=sizes.excluded)
