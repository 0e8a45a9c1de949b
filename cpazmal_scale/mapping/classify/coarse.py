"""A map in cells of 4 and 16 pixels, beside its chunks: it is seen without them.

The group `overview` of a map holds `fine`, `shares` and `whole` (layer, y, x) uint8: means of its
shares in 0 … 250 and its commonest classes, 255 no data. Blocks write the first two, whose chunks
belong to the map's chunks; a finished map has the cells of `shares` in few large chunks of `whole`.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.storage import groups
from cpazmal_scale.vocabulary import NO_DATA, NOTHING, SCALE

if TYPE_CHECKING:
    import xarray as xr
    import zarr
    from numpy.typing import NDArray

    from cpazmal_scale.grid.blocks import Block

LEVELS = 250
"""Whole numbers that stand for shares from 0 to 1; 255 is no data."""
GROUP = "overview"
_BLOCKS, _WHOLE = (f"{GROUP}/fine", f"{GROUP}/shares"), f"{GROUP}/whole"
OVERVIEWS = (*_BLOCKS, _WHOLE)
"""Members of a map that hold its cells, finest first; a map may lack some."""
_FINE, _COARSE = 4, 16
"""Pixels along a side of a cell; fewer are not worth a layer of their own."""
_EDGE = 256
"""Cells along a side of a chunk of all blocks' cells: those of a tile on the screen."""


def mean_shares(stored: NDArray[Any], step: int) -> NDArray[np.uint8]:
    """Means of shares (…, h, w) as a map stores them, in 0 … LEVELS; 255 no data."""
    return _means(stored, step, LEVELS * SCALE)


def mean_levels(cells: NDArray[Any], step: int) -> NDArray[np.uint8]:
    """The same of what `mean_shares` made."""
    wide = np.where(cells == NO_DATA, np.uint16(NOTHING), cells.astype(np.uint16))
    return _means(wide, step, 1.0)


def most_frequent(
    block: NDArray[np.uint8], step: int, values: list[int]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The commonest of `values` in cells of step × step pixels; 255 where most is none of them.

    Cells at the lower and right edge may be smaller; ties go to the first value. The second array
    (h, V) counts the pixels of each of the values in every row.
    """
    from cpazmal_scale.kernels.cells import count_values

    height, width = block.shape
    others = len(values)
    slots = np.full(256, others, np.int64)
    slots[values] = range(others)
    counts = np.zeros((-(-height // step), -(-width // step), others + 1), np.int32)
    by_row = np.zeros((height, others + 1), np.int64)
    count_values(block, slots, step, counts, by_row)
    chosen = counts[..., :others]
    best = np.array(values, np.uint8)[chosen.argmax(axis=2)]
    most = 2 * chosen.sum(axis=2) >= counts.sum(axis=2)
    reduced = block if step == 1 else np.where(most, best, np.uint8(NO_DATA))
    return reduced, by_row[:, :others]


def finest(url: str) -> Any:
    """The array of a finished map's smallest cells, `fine` or `shares`; none if it has none.

    Raises:
        StoreMissing: there is no map.
        StoreDamaged: its checksums were altered or lost; reading the array raises it, too.
    """
    import zarr

    from cpazmal_scale.storage import stores

    store = stores.open_checked(url, "remove it and map again")
    group = zarr.open_group(store, mode="r", use_consolidated=True)
    return next((group[member] for member in _BLOCKS if member in group), None)


def write(group: zarr.Group, block: Block, products: Mapping[str, NDArray[Any]]) -> None:
    """Write the cells of a block of whole chunks, if the map has an overview."""
    if GROUP not in group:
        return
    for member in _BLOCKS:
        if member not in group:
            continue
        array: Any = group[member]
        step, layers, classes = (array.attrs[name] for name in ("step", "layers", "classes"))
        ys, xs = (slice(a // step, -(-b // step)) for a, b in (block[:2], block[2:4]))
        cells = np.full((array.shape[0], ys.stop - ys.start, xs.stop - xs.start), NO_DATA, np.uint8)
        for name, (first, end) in layers.items():
            if name == "class":
                cells[first] = most_frequent(np.ascontiguousarray(products[name]), step, classes)[0]
            elif name in products:
                made = mean_shares(products[name], step)
                cells[first:end] = made.reshape(-1, *made.shape[-2:])
        array[:, ys, xs] = cells


def gather(url: str, sums: Mapping[str, int], remedy: str) -> dict[str, int]:
    """Write the cells of all blocks of a map again, in large chunks, if it has a place for them.

    Args:
        url: of a map whose blocks are written.
        sums: checksums of its objects; its root document, which is yet to be finished, needs none.
        remedy: what the errors say can be done.

    Returns:
        The checksums of what was written.

    Raises:
        StoreDamaged: cells are not what the blocks wrote.
        StoreError: the store cannot be read or written.
    """
    import zarr

    from cpazmal_scale.storage import stores

    written = stores.Recording(url)
    to = zarr.open_group(written, mode="r+", use_consolidated=True)
    if _WHOLE not in to:
        return {}
    root = zlib.crc32(storage.read_bytes(storage.join(url, groups.ROOT)))
    known = {**sums, groups.ROOT: root}
    checked = stores.Checked(storage.zarr_store(url, read_only=True), url, known, remedy)
    cells: Any = zarr.open_group(checked, mode="r", use_consolidated=True)[_BLOCKS[-1]]
    whole: Any = to[_WHOLE]
    down, across = whole.chunks[-2:]
    for y in range(0, whole.shape[-2], down):
        for x in range(0, whole.shape[-1], across):
            part = (..., slice(y, y + down), slice(x, x + across))
            whole[part] = cells[part]
    return written.sums


def template(data: xr.Dataset) -> xr.Dataset | None:
    """The empty overview of an empty map; none where no cell fits its chunks."""
    import xarray as xr

    layers, count = _layers(data)
    classes = data["class"]
    shape, chunks = classes.shape, classes.encoding["chunks"]
    said = {"layers": layers, "classes": classes.attrs["flag_values"]}
    variables = {}
    for name, step in _steps(shape, chunks).items():
        cells, parts = ([-(-n // step) for n in one] for one in (shape, chunks))
        variables[name] = _empty(step, (count, *cells), parts, said)
        if name == "shares" and parts != cells:
            wide = [min(n * max(1, _EDGE // n), end) for n, end in zip(parts, cells, strict=True)]
            variables["whole"] = _empty(step, (count, *cells), wide, said)
    return xr.Dataset(variables) if variables else None


def _empty(
    step: int, shape: tuple[int, ...], chunks: Sequence[int], said: Mapping[str, Any]
) -> xr.Variable:
    import dask.array as da
    import xarray as xr
    from zarr.codecs import ZstdCodec

    return xr.Variable(
        ("layer", f"y_{step}", f"x_{step}"),
        da.full(shape, NO_DATA, dtype=np.uint8, chunks=-1),
        {"long_name": "mean shares, 250 for 1, and commonest class", "step": step, **said},
        {
            "chunks": (shape[0], *chunks),
            "compressors": (ZstdCodec(level=1, checksum=True),),
            "fill_value": NO_DATA,
        },
    )


def _steps(shape: tuple[int, ...], chunks: tuple[int, ...]) -> dict[str, int]:
    """Pixels along a side of the cells by member, of which chunks have a whole number."""
    cut = [edge for edge, n in zip(chunks, shape, strict=True) if edge < n]
    coarsest = math.gcd(_COARSE, *cut)
    if coarsest <= _FINE:
        return {"shares": coarsest} if coarsest == _FINE else {}
    return {"fine": _FINE, "shares": coarsest}


def _layers(data: xr.Dataset) -> tuple[dict[str, list[int]], int]:
    """First and last + 1 layer of shares and class, and how many there are."""
    found, end = {}, 0
    for name, values in data.data_vars.items():
        if values.dtype == np.uint16 or name == "class":
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
