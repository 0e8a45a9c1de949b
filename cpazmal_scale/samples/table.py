"""The table of labelled windows: one row per window, kept as Parquet."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid.edges import PixelEdges
from cpazmal_scale.storage import seal

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

BY_DATE = ("dates", "valid_by_date", "masked_by_date", "incidence_by_date")
"""Columns that hold a list, one value per date of the cube."""


_PLACE = ("y0", "x0", "size")
_CENTRE = ("y", "x")
_REMEDY = "make the samples again"
_NEAR = 0.01
"""Share of a pixel by which a centre may lie elsewhere: rounding of coordinates."""


def centres(
    cube: xr.Dataset, y0: NDArray[np.int64], x0: NDArray[np.int64], size: int | NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres (N) of windows by their top-left pixels, `y` and `x` in the cube's CRS."""
    grid, half = PixelEdges(cube), np.asarray(size) / 2
    return grid.top + (y0 + half) * grid.dy, grid.left + (x0 + half) * grid.dx


def require_grid(index: pd.DataFrame, cube: xr.Dataset) -> None:
    """Check that windows lie in a cube where they were drawn: at their centres `y` and `x`.

    A table without these columns says nothing but pixels, of this cube; a stored index has them.

    Raises:
        SampleError: the cube has another grid than the one they were drawn on.
    """
    if not set(_CENTRE) <= set(index):
        return
    y0, x0, size = (index[name].to_numpy(np.int64) for name in _PLACE)
    grid, here = PixelEdges(cube), centres(cube, y0, x0, size)
    off = [
        np.abs(index[name].to_numpy(np.float64) - at) / abs(step)
        for name, at, step in zip(_CENTRE, here, (grid.dy, grid.dx), strict=True)
    ]
    moved = ~(np.maximum(*off) <= _NEAR)
    if moved.any():
        raise SampleError(
            f"{int(moved.sum())} of {len(index)} windows were drawn on another grid than this "
            "cube's: their pixels are other places now",
            where=cube.attrs.get("beam"),
            remedy=_REMEDY,
        )


def write_index(index: pd.DataFrame, url: str) -> None:
    """Write an index as Parquet with its digest, replacing what is there in one step.

    Any reader of Parquet opens it: the digest lies between data and footer, where none looks.

    Raises:
        StoreError: the store cannot be written.
    """
    buffer = io.BytesIO()
    index.to_parquet(buffer, index=False, compression="zstd")
    data = buffer.getvalue()
    footer = int.from_bytes(data[-8:-4], "little") + 8
    storage.write_bytes(url, seal.with_trailer(data, len(data) - footer))


def read_index(url: str) -> pd.DataFrame:
    """Read an index; one that was written without a digest is taken as it is.

    Raises:
        StoreMissing: nothing is there.
        StoreDamaged: a byte of it was altered.
        SampleError: it is not Parquet, or no index of windows.
    """
    import pandas as pd

    data = storage.read_bytes(url)
    seal.check_trailer(data, url, _REMEDY)
    with seal.parsing("not a Parquet file of samples", url, _REMEDY, SampleError):
        table = pd.read_parquet(io.BytesIO(data))
        for name in _PLACE:
            table[name].astype("int64")
        for name in _CENTRE:
            table[name].astype("float64")
        for name in ("class", "group"):
            table[name].astype(str)
        return table
