"""Feature series of labelled windows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.cube import window_pixels
from cpazmal_scale.errors import SampleError
from cpazmal_scale.progress import Progress
from cpazmal_scale.samples.table import require_grid

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    from cpazmal_scale.config import Features


@dataclass(frozen=True)
class WindowSeries:
    """Feature series of N windows.

    `values` (N, K, T) float32, NaN where a date has too few valid pixels or lacks the
    polarisation; `names` (K); `dates` (T) datetime64[s], UTC, ascending; `floored` by channel is
    the share of the windows' valid pixels whose power is below the floor, none where it is unknown.
    """

    values: NDArray[np.float32]
    names: tuple[str, ...]
    dates: NDArray[np.datetime64]
    floored: Mapping[str, float] = field(default_factory=dict)


def window_series(
    cube: xr.Dataset,
    index: pd.DataFrame,
    features: Features,
    polarisations: Sequence[str],
    progress: Progress | None = None,
) -> WindowSeries:
    """Series of every window of an index on all dates of the cube, in the index's order.

    Each chunk of the cube is read once. The values are those of the full-area map at the windows'
    centres, bit for bit.

    Raises:
        SampleError: a polarisation is missing, the index was drawn on another grid, or a window
            lies outside the cube or has another size than `features.window`.
    """
    from cpazmal_scale.features import names
    from cpazmal_scale.features import windows as kernel

    require_grid(index, cube)
    if (index["size"] != features.window).any():
        raise SampleError(
            f"the windows are {index['size'].iloc[0]} pixels wide, features.window is "
            f"{features.window}",
            remedy="make the samples again with this window",
        )
    labels = names(polarisations, features.xpol, features.statistics)
    dates = cube["time"].to_numpy().astype("datetime64[s]")
    values = np.empty((len(index), len(labels), len(dates)), np.float32)
    y0, x0 = (index[name].to_numpy(np.int64) for name in ("y0", "x0"))
    below, valid = (np.zeros(len(polarisations), np.int64) for _ in range(2))
    for pixels in window_pixels(cube, y0, x0, features.window, polarisations, progress):
        used = np.isfinite(pixels.power) & (pixels.mask & features.excluded == 0)[:, None]
        valid += used.sum(axis=(0, 2, 3, 4))
        below += (used & (pixels.power < features.floor)).sum(axis=(0, 2, 3, 4))
        values[pixels.rows] = kernel.window_series(
            pixels.power,
            pixels.mask,
            features.excluded,
            **features.kernel,
        )
    shares = (below / np.maximum(valid, 1)).tolist()
    return WindowSeries(values, labels, dates, dict(zip(polarisations, shares, strict=True)))
