"""One block of the map: read, classify, write, and say what was done."""

from __future__ import annotations

import hashlib
import resource
import sys
import time
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import __version__, storage
from cpazmal_scale.cube import ChunkReader
from cpazmal_scale.errors import ModelMismatch
from cpazmal_scale.grid.areas import row_areas
from cpazmal_scale.grid.blocks import Block
from cpazmal_scale.mapping.classify import records
from cpazmal_scale.mapping.classify.pixels import PixelClassifier, Products, empty_products
from cpazmal_scale.mapping.classify.plan import TILE
from cpazmal_scale.mapping.classify.store import read_recipe, write_block
from cpazmal_scale.mapping.classify.strips import Strip, strips
from cpazmal_scale.vocabulary import NO_DATA, REJECTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.grid.outlines import Outlines


def classify_block(
    block: Block, *, cube_url: str, model_url: str, map_url: str, outlines_url: str | None = None
) -> dict[str, Any]:
    """Compute one block of a map, write it, and then its record.

    Everything is opened by its address, once per process and again when it is replaced. The
    block's arrays are whole chunks of the map, so that blocks never touch each other's objects;
    writing one again changes nothing.

    Returns:
        The block's record, plain JSON values: `block`, `pixels` and `square_metres` by class code
        (and `rejected`), `seconds` by stage (`read` in the
        background, `wait` for it), `sha256` of what was written, `objects` with
        the CRC-32 of each chunk that was stored, `peak_memory` of the process in bytes.

    Raises:
        CubeDamaged: a chunk of the cube cannot be decoded.
        ModelMismatch: the model at this address is another than the map's.
        SampleError: the outlines are others than the map's.
    """
    began = time.perf_counter()
    known = records.find(map_url, block)
    if known is not None:  # by a worker that died before it could tell
        return known
    urls = (cube_url, model_url, map_url, outlines_url)
    job = _open(*urls, _stamps(*urls))
    seconds: Counter[str] = Counter()
    seconds["open"] = time.perf_counter() - began  # type: ignore[assignment]
    products = empty_products(len(job.classes), block.y1 - block.y0, block.x1 - block.x0)
    inside = None if job.outlines is None else job.outlines.inside(block)
    for strip in strips(job.reader, block, job.halo):
        seconds["read"] += strip.seconds  # type: ignore[assignment]
        seconds["wait"] += strip.waited  # type: ignore[assignment]
        _classify_strip(job, strip, strip.y - block.y0, products, inside, seconds)
    writing = time.perf_counter()
    sums = write_block(map_url, block, products)
    seconds["write"] = time.perf_counter() - writing  # type: ignore[assignment]
    seconds["all"] = time.perf_counter() - began  # type: ignore[assignment]
    pixels, areas = tally(products["class"], job.row_areas[block.y0 : block.y1], job.classes)
    digest = {
        "block": list(block),
        "pixels": pixels,
        "square_metres": areas,
        "seconds": {stage: round(value, 6) for stage, value in seconds.items()},
        "sha256": digest_of(products),
        "objects": sums,
        "peak_memory": peak_memory(),
        "software": __version__,
    }
    records.record(map_url, digest)
    return digest


@dataclass(frozen=True)
class _Job:
    """What the blocks of one map share, opened once per process."""

    reader: ChunkReader
    classifier: PixelClassifier
    classes: tuple[str, ...]
    row_areas: NDArray[np.float64]
    halo: int
    outlines: Outlines | None


def _stamps(
    cube_url: str, model_url: str, map_url: str, outlines_url: str | None
) -> tuple[str, ...]:
    """What changes when one of these is replaced."""
    roots = [storage.join(url, "zarr.json") for url in (cube_url, model_url, map_url)]
    return tuple(storage.stamp(url) for url in (*roots, outlines_url) if url is not None)


@lru_cache(maxsize=2)
def _open(
    cube_url: str,
    model_url: str,
    map_url: str,
    outlines_url: str | None,
    stamps: tuple[str, ...],  # noqa: ARG001 - part of the key
) -> _Job:
    import zarr

    from cpazmal_scale.grid.cf import from_attributes
    from cpazmal_scale.grid.outlines import MapGrid, known_outlines
    from cpazmal_scale.model import open_model

    recipe, model = read_recipe(map_url), open_model(model_url)
    if model.id != recipe.model:
        raise ModelMismatch(
            f"this model is {model.id}, the map was begun with {recipe.model}",
            where=model_url,
            remedy="plan the map again",
        )
    group = zarr.open_group(storage.zarr_store(map_url), mode="r", use_consolidated=True)
    classes: Any = group["class"]
    geobox = from_attributes(group["spatial_ref"].attrs.asdict(), classes.shape)
    grid = MapGrid(geobox, max(classes.chunks))
    outlines = outlines_url and known_outlines(outlines_url, grid, None, recipe.outlines)
    return _Job(
        ChunkReader.open(cube_url, recipe.polarisations, recipe.dates),
        PixelClassifier.of(model, recipe),
        recipe.classes,
        row_areas(grid.geobox),
        model.features.window // 2,
        outlines or None,
    )


def _classify_strip(
    job: _Job,
    strip: Strip,
    top: int,
    products: Products,
    inside: NDArray[np.bool_] | None,
    seconds: Counter[str],
) -> None:
    """Fill the products from row `top` on, tile by tile, where they are `inside` the outlines."""
    blank = empty_products(len(job.classes), 1, 1)
    around = 2 * job.halo
    height, width = strip.mask.shape[1] - around, strip.mask.shape[2] - around
    for y in range(0, height, TILE[0]):
        for x in range(0, width, TILE[1]):
            h, w = min(TILE[0], height - y), min(TILE[1], width - x)
            there = (..., slice(top + y, top + y + h), slice(x, x + w))
            here = (..., slice(y, y + h + around), slice(x, x + w + around))
            if inside is not None and not inside[there].any():
                continue
            tile = {name: values[there] for name, values in products.items()}
            job.classifier.classify(strip.power[here], strip.mask[here], tile, seconds)
            if inside is not None:
                for name, values in tile.items():
                    np.copyto(values, blank[name], where=~inside[there])


def tally(
    values: NDArray[np.uint8], areas: NDArray[np.float64], classes: tuple[str, ...]
) -> tuple[dict[str, int], dict[str, float]]:
    """Pixels and m² by class code, and of `rejected` and `no_data`.

    Args:
        values: (h, w) class values as a map stores them.
        areas: (h) m² of a pixel in each row.
        classes: class codes in the map's order.
    """
    pixels, square_metres = {}, {}
    for value, code in [*enumerate(classes, 1), (REJECTED, "rejected"), (NO_DATA, "no_data")]:
        rows = (values == value).sum(axis=1)
        pixels[code] = int(rows.sum())
        square_metres[code] = float(rows @ areas)
    return pixels, square_metres


def digest_of(products: Products) -> str:
    """SHA-256 of the values of all products, in the order of their names."""
    total = hashlib.sha256()
    for name in sorted(products):
        total.update(products[name].tobytes())
    return total.hexdigest()


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
