"""The shares of a map in cells of 4 and 16 pixels, beside its chunks: it is seen without them.

The group `overview` of a map holds `fine` and `shares` (layer, y, x) uint8: means in 0 … 250, 255
no data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.vocabulary import NO_DATA, NOTHING, SCALE

if TYPE_CHECKING:
    import xarray as xr
    import zarr
    from numpy.typing import NDArray

    from cpazmal_scale.grid.blocks import Block

LEVELS = 250
"""Whole numbers that stand for shares from 0 to 1; 255 is no data."""
GROUP = "overview"
OVERVIEWS = (f"{GROUP}/fine", f"{GROUP}/shares")
"""Members of a map that hold means of its shares, finest first; a map may lack some."""
_FINE, _COARSE = 4, 16
"""Pixels along a side of a cell; fewer are not worth a layer of their own."""


def mean_shares(stored: NDArray[Any], step: int) -> NDArray[np.uint8]:
    """Means of shares (…, h, w) as a map stores them, in 0 … LEVELS; 255 no data."""
    return _means(stored, step, LEVELS * SCALE)


def mean_levels(cells: NDArray[Any], step: int) -> NDArray[np.uint8]:
    """The same of what `mean_shares` made."""
    wide = np.where(cells == NO_DATA, np.uint16(NOTHING), cells.astype(np.uint16))
    return _means(wide, step, 1.0)


def write(group: zarr.Group, block: Block, products: Mapping[str, NDArray[Any]]) -> None:
    """Write the cells of a block of whole chunks, if the map has an overview."""
    if GROUP not in group:
        return
    for member in OVERVIEWS:
        if member not in group:
            continue
        array: Any = group[member]
        step, parts = array.attrs["step"], array.attrs["layers"]
        ys, xs = (slice(a // step, -(-b // step)) for a, b in (block[:2], block[2:4]))
        cells = np.full((array.shape[0], ys.stop - ys.start, xs.stop - xs.start), NO_DATA, np.uint8)
        for name, (first, end) in parts.items():
            if name in products:
                made = mean_shares(products[name], step)
                cells[first:end] = made.reshape(-1, *made.shape[-2:])
        array[:, ys, xs] = cells


def template(data: xr.Dataset) -> xr.Dataset | None:
    """The empty overview of an empty map; none without shares, or where no cell fits its chunks."""
    import dask.array as da
    import xarray as xr
    from zarr.codecs import ZstdCodec

    layers, count = _layers(data)
    if not layers:
        return None
    first = data[next(iter(layers))]
    shape, chunks = first.shape[-2:], first.encoding["chunks"][-2:]
    variables = {}
    for name, step in _steps(shape, chunks).items():
        whole, parts = ([-(-n // step) for n in one] for one in (shape, chunks))
        variables[name] = xr.Variable(
            ("layer", f"y_{step}", f"x_{step}"),
            da.full((count, *whole), NO_DATA, dtype=np.uint8, chunks=-1),
            {"long_name": "mean shares, 250 for 1", "step": step, "layers": layers},
            {
                "chunks": (count, *parts),
                "compressors": (ZstdCodec(level=1, checksum=True),),
                "fill_value": NO_DATA,
            },
        )
    return xr.Dataset(variables) if variables else None


def _steps(shape: tuple[int, ...], chunks: tuple[int, ...]) -> dict[str, int]:
    """Pixels along a side of the cells by member, of which chunks have a whole number."""
    cut = [edge for edge, n in zip(chunks, shape, strict=True) if edge < n]
    coarsest = math.gcd(_COARSE, *cut)
    if coarsest <= _FINE:
        return {"shares": coarsest} if coarsest == _FINE else {}
    return {"fine": _FINE, "shares": coarsest}


def _layers(data: xr.Dataset) -> tuple[dict[str, list[int]], int]:
    """First and last + 1 layer of each variable that holds shares, and how many there are."""
    found, end = {}, 0
    for name, values in data.data_vars.items():
        if values.dtype == np.uint16:
            count = math.prod(values.shape[:-2])
            found[str(name)] = [end, end + count]
            end += count
    return found, end


def _means(stored: NDArray[Any], step: int, unit: float) -> NDArray[np.uint8]:
    from cpazmal_scale.kernels.cells import mean_cells

    height, width = stored.shape[-2:]
    flat = np.ascontiguousarray(stored, np.uint16).reshape(-1, height, width)
    means = np.empty((len(flat), -(-height // step), -(-width // step)), np.float32)
    for values, out in zip(flat, means, strict=True):
        mean_cells(values, NOTHING, step, out)
    missing = np.isnan(means)
    whole = np.rint(np.where(missing, 0, means) * np.float32(unit))
    cells = np.where(missing, NO_DATA, whole).astype(np.uint8)
    return cells.reshape(*stored.shape[:-2], *cells.shape[-2:])
