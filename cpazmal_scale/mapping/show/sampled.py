"""Series of pixels on a regular grid over a map, and the mean image, in one pass over the cube."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.cube import ChunkReader, Fetch
from cpazmal_scale.mapping.classify.pixels import PixelClassifier
from cpazmal_scale.mapping.show.overview import Averages, Layer
from cpazmal_scale.vocabulary import NO_DATA

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

    from cpazmal_scale.mapping.classify.recipe import Recipe
    from cpazmal_scale.model import Model

MEMORY = 384 << 20
"""Bytes of the largest region, two of which are held; smaller than a chunk if it must be."""


@dataclass(frozen=True)
class Sampled:
    """N pixels of a map with a class.

    `at` (N, 2) int32 rows and columns; `series` (N, K, T) float32, NaN missing; `distances`
    (N, K, C) float32 to the nearest centroid of each class in units of the feature's within-class
    distance, NaN where too few dates are valid; `classes` (N) uint8 and `probability` (N, C)
    uint16 as the map stores them, the latter (N, 0) where it is withheld.
    """

    at: NDArray[np.int32]
    series: NDArray[np.float32]
    distances: NDArray[np.float32]
    classes: NDArray[np.uint8]
    probability: NDArray[np.uint16]


def grid_points(layer: Layer, shape: tuple[int, int], per_side: int) -> NDArray[np.int32]:
    """Pixels (N, 2) of a regular grid, each moved to the nearest place of its cell with a class.

    Args:
        layer: the reduced class layer.
        shape: rows and columns of the map.
        per_side: cells of the grid along the longer side; they are as square as they can be.
    """
    classes, step = layer.values, layer.step
    every = max(max(classes.shape) / per_side, 1.0)
    found = []
    for y in _cells(classes.shape[0], every):
        for x in _cells(classes.shape[1], every):
            rows, columns = np.nonzero(classes[y, x] != NO_DATA)
            if rows.size == 0:
                continue
            middle = ((y.stop - y.start - 1) / 2, (x.stop - x.start - 1) / 2)
            best = np.argmin((rows - middle[0]) ** 2 + (columns - middle[1]) ** 2)
            found.append((y.start + rows[best], x.start + columns[best]))
    points = np.array(found, np.int64).reshape(-1, 2) * step + step // 2
    return np.asarray(np.minimum(points, np.array(shape) - 1), np.int32)


def sample(
    data: xr.Dataset,
    points: NDArray[np.int32],
    cube_url: str,
    model: Model,
    recipe: Recipe,
    mean: Averages,
) -> Sampled:
    """Series and distances at those of the points (N, 2) that have a class in the map.

    The whole cube is read once, chunk by chunk, so points move by at most half a window to where
    their windows lie in one chunk; `mean` gets the co-polarised power of all dates. The series are
    those that the map was made from, bit for bit.

    Raises:
        StoreMissing: there is no cube.
        ModelMismatch: the cube lacks one of the map's dates.
        CubeDamaged: a chunk is lost or cannot be decoded.
    """
    reader = ChunkReader.open(cube_url, recipe.polarisations, recipe.dates)
    points = _within_chunks(points, reader.shape, _edge(reader), model.features.window)
    classes, probability = _stored(data, points)
    chosen = classes != NO_DATA
    at, classes, probability = points[chosen], classes[chosen], probability[chosen]
    series = _series(reader, at, model, mean)
    distances = _distances(series, model, recipe)
    return Sampled(at, series, distances, classes, probability)


def _series(
    reader: ChunkReader, at: NDArray[np.int32], model: Model, mean: Averages
) -> NDArray[np.float32]:
    from cpazmal_scale.cube import gather
    from cpazmal_scale.features import window_series

    settings, size = model.features, model.features.window
    half = size // 2
    series = np.full((len(at), len(model.names), len(reader.positions)), np.nan, np.float32)
    for low, around, power, mask in _read_ahead(reader, at, half):
        height, width = (n - 2 * around for n in mask.shape[1:])
        inner = (slice(around, around + height), slice(around, around + width))
        mean.add_power(power[0][:, *inner], *low.tolist())
        here = np.flatnonzero(((at >= low) & (at < np.add(low, (height, width)))).all(axis=1))
        windows = at[here] - half
        series[here] = window_series(
            *gather(power, mask, windows - low + around, size),
            settings.excluded,
            **settings.kernel,
        )
    return series


class _Region(NamedTuple):
    """The first pixel of a region, and its values with `around` pixels more on every side."""

    low: NDArray[np.int64]
    around: int
    power: NDArray[np.float32]
    mask: NDArray[np.uint8]


def _read_ahead(reader: ChunkReader, at: NDArray[np.int32], half: int) -> Iterator[_Region]:
    """Regions that cover the grid, with what windows of their points need, the next read ahead."""
    coming: deque[tuple[_Region, Fetch]] = deque()
    done: _Region | None = None
    for low, high in _regions(reader.shape, _edge(reader)):
        here = at[((at >= low) & (at < high)).all(axis=1)]
        around = half if ((here - half < low) | (here + half >= high)).any() else 0
        height, width = (high - low + 2 * around).tolist()
        if done is not None and done.mask.shape[1:] == (height, width):
            region = done._replace(low=low, around=around)
        else:
            region = _Region(low, around, *reader.buffers(height, width))
        fetch = reader.fetch(region.power, region.mask, *(low - around).tolist())
        coming.append((region, fetch))
        if len(coming) > 1:
            first, fetch = coming.popleft()
            fetch.wait()
            yield first
            done = first
    for region, fetch in coming:
        fetch.wait()
        yield region


def _distances(series: NDArray[np.float32], model: Model, recipe: Recipe) -> NDArray[np.float32]:
    ready = PixelClassifier.of(model, recipe)
    values = np.ascontiguousarray(np.moveaxis(series, 0, 2))
    scaled = ready.distances(values)
    return np.ascontiguousarray(np.moveaxis(scaled, 2, 0), np.float32)


def _stored(
    data: xr.Dataset, points: NDArray[np.int32]
) -> tuple[NDArray[np.uint8], NDArray[np.uint16]]:
    """Class (N) and probabilities (N, C) of the map at some pixels, row of chunks by row."""
    import xarray as xr

    classes = np.full(len(points), NO_DATA, np.uint8)
    held = [name for name in ("class", "probability") if name in data]
    count = data.sizes["class_name"] if "probability" in held else 0
    probability = np.zeros((len(points), count), np.uint16)
    edge = data["class"].encoding["chunks"][0]
    for band in np.unique(points[:, 0] // edge):
        here = np.flatnonzero(points[:, 0] // edge == band)
        rows, columns = (xr.DataArray(part, dims="point") for part in points[here].T)
        picked = data[held].isel(y=rows, x=columns).compute()
        classes[here] = picked["class"].values
        if "probability" in held:
            probability[here] = picked["probability"].transpose("point", "class_name").values
    return classes, probability


def _edge(reader: ChunkReader) -> int:
    """Edge of the regions that are read: a chunk, or less where it would be too much."""
    bytes_per_pixel = len(reader.positions) * (4 * (len(reader.layers) - 1) + 1)
    return min(reader.chunk, int((MEMORY / bytes_per_pixel) ** 0.5))


def _regions(shape: tuple[int, int], edge: int) -> Iterator[tuple[NDArray[Any], NDArray[Any]]]:
    """First and last + 1 row and column of regions that cover a grid."""
    for y in range(0, shape[0], edge):
        for x in range(0, shape[1], edge):
            yield np.array([y, x]), np.minimum([y + edge, x + edge], shape)


def _within_chunks(
    points: NDArray[np.int32], shape: tuple[int, int], edge: int, window: int
) -> NDArray[np.int32]:
    """The points, moved to where windows around them lie in one region, if they fit one."""
    half = window // 2
    low = points // edge * edge + half
    high = np.minimum(points // edge * edge + edge, shape) - half - 1
    moved = np.where(low <= high, np.clip(points, low, np.maximum(low, high)), points)
    return np.asarray(moved, np.int32)


def _cells(length: int, every: float) -> list[slice]:
    edges = np.linspace(0, length, max(1, round(length / every)) + 1).round().astype(int).tolist()
    return [slice(a, b) for a, b in itertools.pairwise(edges)]
