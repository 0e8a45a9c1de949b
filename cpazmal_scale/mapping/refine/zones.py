"""What a map shows in each of many polygons, such as glaciers: areas and mean probabilities."""

from __future__ import annotations

import contextlib
import functools
import itertools
import operator
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import BlocksFailed, ConfigError
from cpazmal_scale.execute import PLAIN, Execution, open_executor
from cpazmal_scale.grid.blocks import Block, cut
from cpazmal_scale.grid.outlines import read_outlines
from cpazmal_scale.mapping.refine.source import Source, open_outlines, open_source
from cpazmal_scale.vocabulary import NO_DATA, NOTHING, REJECTED

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig

Sums = dict[tuple[int, int, int], "NDArray[np.int64]"]
"""By zone, and by band and row of the areas of pixels: (2 C + 2) pixels of each class, rejected and
of no data, then the sums of the stored probabilities of each class over the pixels of a class."""

_EDGE = 1024


def by_zone(
    config: RunConfig,
    map_url: str,
    how: Execution = PLAIN,
) -> pd.DataFrame:
    """Statistics of a map in every outline.

    A pixel belongs to a zone if its centre is inside; zones may overlap. All sums are of whole
    numbers, so that blocks and workers change nothing.

    Args:
        config: `after.outlines` and `after.zone` name the polygons and the column of their names;
            polygons of one name are one zone.
        map_url: a finished map of classes or of change, whose classes are transitions.
        how: executor, block size and progress.

    Returns:
        One row per zone that covers a pixel: `zone`, `pixels` and `km2` that have a class,
        `rejected_km2`, `no_data_km2`, and for every class c `c_km2`, `c_share` of the classified
        area, `c_probability` (mean over the pixels that have a class; NaN if none) and
        `c_expected_km2`, the sum of its probabilities times the pixels' areas (which suppose ground
        with the shares of classes that the map's `class_shares` hold); both are NaN where
        the map's probabilities are withheld. A map of change has `c_km2` and
        `c_share` of the transitions that are in a zone.

    Raises:
        ConfigError: no outlines are given.
        SampleError: the outlines cannot be used, or none is on the map.
        BlocksFailed: naming a block that could not be read.
    """
    if config.after.outlines is None:
        raise ConfigError(
            "no outlines are given", where="after.outlines", remedy="name a vector file"
        )
    source = open_source(map_url, of_change=True)
    outlines = read_outlines(config.after.outlines, source.grid, config.after.zone)
    edge = -(-(how.block or _EDGE) // source.chunk) * source.chunk
    blocks = list(cut(source.shape, edge))
    job = functools.partial(
        zone_sums,
        map_url=map_url,
        outlines=config.after.outlines,
        zone=config.after.zone,
        digest=outlines.digest,
    )
    total: Sums = {}
    done = 0
    with contextlib.ExitStack() as stack:
        executor = how.executor or stack.enter_context(open_executor(config.cluster))
        for part, found in executor.run(job, blocks):
            if isinstance(found, Exception):
                raise BlocksFailed(
                    f"block {part.name}: {found}", where=map_url, remedy="try again"
                ) from found
            for key, values in found.items():
                total[key] = total[key] + values if key in total else values
            done += part.pixels
            if how.progress is not None:
                how.progress(done, source.shape[0] * source.shape[1])
    return _table(total, outlines.table["zone"].tolist(), source)


def zone_sums(block: Block, *, map_url: str, outlines: str, zone: str | None, digest: str) -> Sums:
    """Sums of one block of whole chunks."""
    source = open_source(map_url, of_change=True)
    opened = open_outlines(outlines, map_url, zone, digest)
    found: Sums = {}
    for number, chunk, drawn in opened.zones(block):
        codes = source.read("class", chunk)
        if source.recipe.withheld or source.of_change:
            chances = np.zeros((len(source.recipe.classes), *codes.shape), np.uint16)
        else:
            chances = source.read("probability", chunk)
        for band, columns in source.areas.bands(chunk):
            shapes = drawn[:, columns]
            for y in np.flatnonzero(shapes.any(axis=1)).tolist():
                inside = shapes[y]
                row = _row(codes[y, columns][inside], chances[:, y, columns][:, inside])
                key = (number, band, chunk.y0 + y)
                found[key] = found[key] + row if key in found else row
    return found


def _row(codes: NDArray[np.uint8], chances: NDArray[np.uint16]) -> NDArray[np.int64]:
    classes = chances.shape[0]
    counts = np.bincount(codes, minlength=NO_DATA + 1)
    known = (codes < REJECTED) & (chances[0] != NOTHING)
    sums = chances[:, known].sum(axis=1, dtype=np.int64)
    return np.concatenate(
        [counts[1 : classes + 1], counts[[REJECTED, NO_DATA]], sums], dtype=np.int64
    )


def _table(total: Sums, names: list[str], source: Source) -> pd.DataFrame:
    import pandas as pd

    rows = []
    classes = source.recipe.classes
    known = float("nan") if source.recipe.withheld else 1.0
    shown = [
        (i, code)
        for i, code in enumerate(classes)
        if not source.of_change or any(sums[i] for sums in total.values())
    ]
    numbers: dict[int, list[tuple[int, int]]] = {}
    for number, band, y in sorted(total):
        numbers.setdefault(number, []).append((band, y))
    for number, keys in sorted(numbers.items()):
        sums = np.stack([total[number, *key] for key in keys])
        areas = np.concatenate(
            [
                source.areas.in_rows(np.array([y for _, y in rows]), band)
                for band, rows in itertools.groupby(keys, key=operator.itemgetter(0))
            ]
        )
        areas /= 1e6
        km2, expected = areas @ sums[:, : len(classes) + 2], areas @ sums[:, len(classes) + 2 :]
        pixels = int(sums[:, : len(classes)].sum())
        whole = float(km2[: len(classes)].sum())
        row = {
            "zone": names[number],
            "pixels": pixels,
            "km2": whole,
            "rejected_km2": float(km2[-2]),
            "no_data_km2": float(km2[-1]),
        }
        mean = known * sums[:, len(classes) + 2 :].sum(axis=0) * 1e-4
        for i, code in shown:
            row[f"{code}_km2"] = float(km2[i])
            row[f"{code}_share"] = float(km2[i]) / whole if pixels else float("nan")
            if source.of_change:
                continue
            row[f"{code}_probability"] = float(mean[i]) / pixels if pixels else float("nan")
            row[f"{code}_expected_km2"] = known * float(expected[i]) * 1e-4
        rows.append(row)
    return pd.DataFrame(rows)
