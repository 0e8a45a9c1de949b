"""Windows that label themselves, for maps without polygons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.cube import require_data
from cpazmal_scale.errors import SampleError
from cpazmal_scale.progress import Progress
from cpazmal_scale.samples.draw.index import admitted, describe
from cpazmal_scale.samples.series import window_series

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    from cpazmal_scale.config import Features, Samples

MOST_WINDOWS = 4096
MOST_CHUNKS = 64
TILES = 5
"""Windows and chunks read at most, and spatial tiles along an axis at least."""


def self_labelled(
    cube: xr.Dataset,
    samples: Samples,
    features: Features,
    seed: int,
    polarisations: Sequence[str],
    progress: Progress | None = None,
) -> pd.DataFrame:
    """Windows on a regular coarse grid, with clusters of their series as classes.

    K-means on the κ1 series of the polarisations, the levels through the year: over one small
    window κ2 and κ3 are mostly speckle, and as many clusters would go to their noise. Missing
    dates are filled with the date's mean plus the window's own offset from it. Windows across an
    edge, known by a κ2 far above the others', are left out. Classes C1 … Cn are ordered from dark
    to bright by mean κ1 of the first polarisation; groups are spatial tiles, so
    that group-wise splits separate places. Large cubes are read in part: evenly spread chunks.
    The table's attribute `stability` says whether other dates would give the same clusters.

    Returns:
        An index as `window_index` gives it.

    Raises:
        SampleError: too few usable windows for `samples.clusters` clusters.
    """
    require_data(cube, polarisations)
    windows = _regular(cube, features.window, polarisations[0])
    index = describe(cube, windows, features, polarisations, progress, samples)
    index = admitted(index, samples).reset_index(drop=True)
    cumulants = features.model_copy(update={"statistics": ("k1", "k2", "k3")})
    series = window_series(cube, index, cumulants, polarisations, progress)
    pure = _pure(series.values)
    index = index[pure].reset_index(drop=True)
    levels = series.values[pure][:, : 3 * len(polarisations) : 3]
    if len(index) < 2 * samples.clusters:
        raise SampleError(
            f"{len(index)} usable windows cannot make {samples.clusters} clusters",
            where=cube.attrs.get("beam"),
            remedy="lower samples.clusters or samples.min_valid, or raise samples.max_masked",
        )
    rank = _ranked_clusters(levels, samples.clusters, seed)
    index["class"] = [f"C{cluster + 1}" for cluster in rank]
    order = np.lexsort((index["x0"], index["y0"], index["group"], rank))
    ordered: pd.DataFrame = index.iloc[order].reset_index(drop=True)
    ordered.attrs["stability"] = stability(levels, samples.clusters, seed)
    return ordered


def stability(levels: NDArray[np.float32], clusters: int, seed: int) -> float:
    """Adjusted Rand index of the clusters by even dates alone and by odd dates alone.

    1: the same windows together, whatever the dates; 0: as chance would have it; NaN with fewer
    than four dates. Levels are κ1 `(N, P, T)`.
    """
    from sklearn.metrics import adjusted_rand_score

    if levels.shape[2] < 4:
        return float("nan")
    halves = [levels[..., start::2] for start in (0, 1)]
    seen = np.all([np.isfinite(half).any(axis=(1, 2)) for half in halves], axis=0)
    try:
        one, two = (_ranked_clusters(half[seen], clusters, seed) for half in halves)
    except (SampleError, ValueError):  # half the dates tell fewer clusters apart, or no window
        return 0.0
    return float(adjusted_rand_score(one, two))


def _ranked_clusters(levels: NDArray[np.float32], clusters: int, seed: int) -> NDArray[np.int64]:
    """Cluster of every window out of κ1 (N, P, T), 0 the darkest."""
    import warnings

    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    flat = _filled(levels).reshape(len(levels), -1)
    # One thread: several would add up the centres in any order, and the bits would differ.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = KMeans(clusters, n_init=10, random_state=seed).fit_predict(flat)
    present = np.unique(found)
    if len(present) < clusters:
        raise SampleError(
            f"the windows differ too little for {clusters} clusters",
            remedy=f"lower samples.clusters to {len(present)}",
        )
    level = np.nanmean(levels[:, 0], axis=1)
    brightness = [level[found == cluster].mean() for cluster in range(clusters)]
    rank = np.empty(clusters, np.int64)
    rank[np.argsort(brightness, kind="stable")] = np.arange(clusters)
    ranked: NDArray[np.int64] = rank[found]
    return ranked


def _pure(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Windows with a date at all, and no more texture than the others: κ2 within 5 deviations."""
    known = np.isfinite(values[:, 1])
    texture = np.where(known, values[:, 1], 0).sum(1) / np.maximum(known.sum(1), 1)
    seen = known.any(1)
    if not seen.any():
        return np.asarray(seen)
    middle = np.median(texture[seen])
    spread = 1.4826 * np.median(np.abs(texture[seen] - middle))
    return np.asarray(seen & (texture <= middle + 5 * spread))


def _filled(levels: NDArray[np.float32]) -> NDArray[np.float64]:
    """Offsets from each date's mean; on missing dates, the mean of the window's other offsets."""
    known = np.isfinite(levels)
    values = np.where(known, levels, 0).astype(np.float64)
    offset = np.where(known, values - values.sum(0) / np.maximum(known.sum(0), 1), 0)
    own = offset.sum(2, keepdims=True) / np.maximum(known.sum(2, keepdims=True), 1)
    return np.where(known, offset, own)


def _regular(cube: xr.Dataset, size: int, polarisation: str) -> pd.DataFrame:
    """Window corners evenly spread over evenly spread chunks, with the tile each lies in."""
    import pandas as pd

    y0, x0 = _spread(cube, "y", size, polarisation), _spread(cube, "x", size, polarisation)
    ys, xs = (a.ravel() for a in np.meshgrid(y0, x0, indexing="ij"))
    down, right = ((starts * TILES) // cube.sizes[axis] for starts, axis in ((ys, "y"), (xs, "x")))
    tiles = [f"tile_{i}_{j}" for i, j in zip(down, right, strict=True)]
    return pd.DataFrame({"class": "", "group": tiles, "y0": ys, "x0": xs})


def _spread(cube: xr.Dataset, axis: str, size: int, polarisation: str) -> NDArray[np.int64]:
    length = cube.sizes[axis]
    if length < size:
        raise SampleError(
            f"a window of {size} pixels does not fit {length} pixels along {axis}",
            where=cube.attrs.get("beam"),
            remedy="lower features.window",
        )
    chunk = (
        cube[polarisation].chunksizes.get(axis, (length,))[0] if polarisation in cube else length
    )
    starts = np.arange(0, length, chunk)
    most = int(MOST_CHUNKS**0.5)
    if len(starts) > most:
        starts = starts[np.linspace(0, len(starts) - 1, most).round().astype(int)]
    per_chunk = max(1, int(MOST_WINDOWS**0.5) // len(starts))
    found: list[NDArray[np.int64]] = []
    for start in starts.tolist():
        end = min(start + chunk, length) - size
        if end >= start:
            step = max(size, -(-(end - start + 1) // per_chunk))
            offset = (end - start) % step // 2
            found.append(np.arange(start + offset, end + 1, step))
    return np.concatenate(found).astype(np.int64)
