"""Labelled windows of one cube: chosen by table, dates and SQL, read lazily or as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cpazmal_scale.cube import window_pixels
from cpazmal_scale.errors import SampleError
from cpazmal_scale.progress import Progress
from cpazmal_scale.samples.scale import Scale, to_scale

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray
    from torch import Tensor
    from torch.utils.data import Dataset


SEASONS = {
    "winter": (12, 1, 2),
    "spring": (3, 4, 5),
    "summer": (6, 7, 8),
    "autumn": (9, 10, 11),
}
"""Months of the meteorological seasons north of the equator; south of it half a year later."""
TOGETHER = 256
"""Windows of one lazy chunk."""
Season = Literal["winter", "spring", "summer", "autumn"]


@dataclass(frozen=True)
class Normalisation:
    """Mean and standard deviation of every polarisation, in the scale they were taken in."""

    polarisations: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    scale: Scale


@dataclass(frozen=True, eq=False)
class Windows:
    """N labelled windows of w × w pixels on T dates in P polarisations; nothing is read yet.

    `index` is a table as `window_index` gives it; pixels with an `excluded` mask bit, or without
    data, are NaN. Every choice gives new windows and leaves these as they are.
    """

    index: pd.DataFrame
    cube: xr.Dataset
    polarisations: tuple[str, ...]
    scale: Scale = "intensity"
    excluded: int = 0
    normalisation: Normalisation | None = None

    def __len__(self) -> int:
        return len(self.index)

    def __repr__(self) -> str:
        size = self.index["size"].iloc[0] if len(self) else "no"
        return (
            f"{len(self)} windows of {size} pixels, {self.cube.sizes['time']} dates, "
            f"{'+'.join(self.polarisations)} {self.scale}, beam {self.cube.attrs.get('beam', '')}"
        )

    @property
    def classes(self) -> NDArray[np.str_]:
        """Class of every window (N)."""
        return self.index["class"].to_numpy(np.str_)

    @property
    def groups(self) -> NDArray[np.str_]:
        """Group of every window (N); never split it between training and test."""
        return self.index["group"].to_numpy(np.str_)

    @property
    def dates(self) -> NDArray[np.datetime64]:
        """Dates (T), UTC."""
        return self.cube["time"].to_numpy().astype("datetime64[s]")

    def summary(self) -> pd.DataFrame:
        """Windows and groups of every class."""
        counts = self.index.groupby("class")["group"].agg(["size", "nunique"])
        return counts.rename(columns={"size": "windows", "nunique": "groups"})

    def about(self, group: str) -> dict[str, Any]:
        """What is known of a group: class, windows, mean position and terrain.

        The mean aspect is the direction of the mean of unit vectors, NaN if no window has one.

        Raises:
            SampleError: no window is of this group.
        """
        own = self.index[self.index["group"] == group]
        if not len(own):
            known = ", ".join(np.unique(self.groups).tolist())
            raise SampleError(f"no window of group {group}", remedy=f"there are {known}")
        means = own[["y", "x", "elevation", "slope", "aspect", "valid_fraction"]].mean()
        ways = np.radians(own["aspect"])
        means["aspect"] = np.degrees(np.arctan2(np.sin(ways).mean(), np.cos(ways).mean())) % 360
        facts = {"class": str(own["class"].iloc[0]), "windows": len(own)}
        return {"group": group, **facts, **{str(k): float(v) for k, v in means.items()}}

    def query(self, sql: str) -> pd.DataFrame:
        """Answer a SELECT on `windows` and `samples`, as `samples.query`; `id` is the row here."""
        from cpazmal_scale.samples.sql import query

        return query(sql, self.index)

    def take(self, rows: Sequence[int] | NDArray[Any]) -> Windows:
        """These rows, by number or by a mask (N)."""
        return replace(self, index=self.index.iloc[np.asarray(rows)].reset_index(drop=True))

    def where(self, condition: str) -> Windows:
        """Windows that satisfy a SQL condition on the table `samples`.

        Raises:
            SampleError: the condition is wrong, or no window satisfies it.
        """
        from cpazmal_scale.samples.sql import chosen, nothing

        kept = chosen(self.index, condition)
        if not len(kept):
            raise SampleError(
                f"no window satisfies {condition}", remedy=nothing(self.index).split(": ", 1)[1]
            )
        return replace(self, index=kept.reset_index(drop=True))

    def during(
        self,
        start: date | str | None = None,
        end: date | str | None = None,
        *,
        months: Sequence[int] | None = None,
        seasons: Sequence[Season] | None = None,
        dates: Sequence[date | str] | None = None,
    ) -> Windows:
        """The same windows on some of the dates: whole days, `end` included; seasons are those of
        the cube's hemisphere.

        Raises:
            SampleError: a season is unknown, or no date is left.
        """
        from cpazmal_scale.cube import within
        from cpazmal_scale.grid.projections import months_behind

        unknown = [name for name in seasons or () if name not in SEASONS]
        if unknown:
            raise SampleError(f"no season {unknown[0]}", remedy=f"give {', '.join(SEASONS)}")
        times = self.cube["time"].to_numpy()
        chosen = within(times, start, end, months, dates)
        if seasons is not None:
            behind = months_behind(self.cube)
            months = [(m - 1 + behind) % 12 + 1 for name in seasons for m in SEASONS[name]]
            chosen &= within(times, months=months)
        if not chosen.any():
            known = f"{str(times.min())[:10]} to {str(times.max())[:10]}"
            raise SampleError("no date is left", remedy=f"the windows have dates from {known}")
        kept = np.flatnonzero(chosen)
        return replace(
            self, cube=self.cube.isel(time=kept), index=_on_dates(self.index, times, kept)
        )

    def channels(self, *polarisations: str) -> Windows:
        """The same windows in these polarisations, in this order.

        Raises:
            SampleError: the cube lacks one.
        """
        from cpazmal_scale.cube import require_data

        require_data(self.cube, polarisations)
        return replace(self, polarisations=polarisations, normalisation=None)

    def scaled(self, scale: Scale) -> Windows:
        """The same windows as linear `intensity`, `amplitude` (its root) or `dB`."""
        return replace(self, scale=scale, normalisation=None)

    def balanced(self, threshold: int | None = None, seed: int = 42) -> Windows:
        """As many windows of every class, evenly from its groups; see `samples.balanced`."""
        from cpazmal_scale.samples.draw.balance import balanced

        return self.take(balanced(self.classes, self.groups, threshold, seed))

    def statistics(self, progress: Progress | None = None) -> Normalisation:
        """Mean and standard deviation of every polarisation over all valid pixels and dates.

        Take those of the training windows, and normalise all others with them.

        Raises:
            SampleError: a polarisation has no valid pixel.
        """
        sums = np.zeros((3, len(self.polarisations)))
        for _, values in replace(self, normalisation=None).batches(progress):
            wide = values.astype(np.float64)
            for row, part in zip(sums, (np.isfinite(wide), wide, wide**2), strict=True):
                row += np.nansum(part, axis=(0, 2, 3, 4))
        count, total, squares = sums
        if not count.all():
            name = self.polarisations[int(np.argmin(count))]
            raise SampleError(f"no valid pixel of {name}", remedy="choose other dates or channels")
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        return Normalisation(
            self.polarisations, tuple(mean.tolist()), tuple(std.tolist()), self.scale
        )

    def normalised(self, by: Normalisation) -> Windows:
        """The same windows as z-scores, channel by channel.

        Raises:
            SampleError: the statistics are of another scale, or lack a channel.
        """
        if by.scale != self.scale or not set(self.polarisations) <= set(by.polarisations):
            raise SampleError(
                f"statistics of {'+'.join(by.polarisations)} in {by.scale} do not fit {self!r}",
                remedy="take them from training windows with the same channels and scale",
            )
        places = [by.polarisations.index(name) for name in self.polarisations]
        mean, std = (tuple(values[at] for at in places) for values in (by.mean, by.std))
        own = Normalisation(self.polarisations, mean, std, by.scale)
        return replace(self, normalisation=own)

    def batches(
        self, progress: Progress | None = None
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Row numbers (n) and pixels (n, P, T, w, w), each chunk of the cube read once."""
        if not len(self):
            return
        y0, x0 = (self.index[name].to_numpy(np.int64) for name in ("y0", "x0"))
        size = int(self.index["size"].iloc[0])
        for some in window_pixels(self.cube, y0, x0, size, self.polarisations, progress):
            yield some.rows, self._finished(some.power, some.mask)

    def to_numpy(self, progress: Progress | None = None) -> NDArray[np.float32]:
        """All pixels, (N, P, T, w, w) float32, NaN where there are none."""
        values = np.empty(self._shape, np.float32)
        for rows, some in self.batches(progress):
            values[rows] = some
        return values

    def to_xarray(self) -> xr.Dataset:
        """All pixels, lazily: a variable (window, time, row, column) per polarisation.

        Coordinates are `time` and the columns of the index, but its lists. Windows are read some
        hundreds at a time, so that neighbours share the chunks of the cube.
        """
        import dask.array as da
        import xarray as xr
        from dask.delayed import delayed

        from cpazmal_scale.samples.table import BY_DATE

        shape = self._shape
        parts = [
            da.from_delayed(
                delayed(self._some)(first, first + TOGETHER),
                (min(TOGETHER, len(self) - first), *shape[1:]),
                np.float32,
            )
            for first in range(0, len(self), TOGETHER)
        ]
        pixels = da.concatenate(parts) if parts else da.zeros(shape, np.float32)
        dims = ("window", "time", "row", "column")
        facts = self.index.drop(columns=[*BY_DATE, "polarisations"], errors="ignore")
        units = {"units": "dB" if self.scale == "dB" else "1", "scale": self.scale}
        return xr.Dataset(
            {name: (dims, pixels[:, at], units) for at, name in enumerate(self.polarisations)},
            {
                "time": self.cube["time"].to_numpy(),
                **{str(name): ("window", facts[name].to_numpy()) for name in facts},
            },
        )

    def to_torch(self) -> Dataset[tuple[Tensor, int]]:
        """A map-style torch `Dataset` of (pixels (P, T, w, w) float32, class number).

        Missing pixels are 0, after normalisation the mean. Classes are numbered in the order of
        their names, `dataset.classes`.

        Raises:
            SampleError: torch is not installed.
        """
        from cpazmal_scale.samples.tensors import torch_dataset

        return torch_dataset(self)

    @property
    def _shape(self) -> tuple[int, int, int, int, int]:
        size = int(self.index["size"].iloc[0]) if len(self) else 0
        return len(self), len(self.polarisations), self.cube.sizes["time"], size, size

    def _some(self, first: int, last: int) -> NDArray[np.float32]:
        """Pixels of some rows, read in the thread that asks: the caller is a task already."""
        import dask

        with dask.config.set(scheduler="synchronous"):
            return self.take(np.arange(first, min(last, len(self)))).to_numpy()

    def _finished(self, power: NDArray[np.float32], mask: NDArray[np.uint8]) -> NDArray[np.float32]:
        values = np.empty_like(power)
        for at in range(power.shape[1]):
            values[:, at] = self._one_channel(power[:, at], mask, at)
        return values

    def _one_channel(
        self, power: NDArray[np.float32], mask: NDArray[np.uint8], at: int
    ) -> NDArray[np.float32]:
        valid = np.where(mask & self.excluded == 0, power, np.float32(np.nan))
        values = to_scale(valid, self.scale)
        if self.normalisation is not None:
            std = self.normalisation.std[at]
            values = (values - np.float32(self.normalisation.mean[at])) / np.float32(std or 1.0)
        return np.asarray(values, np.float32)


def _on_dates(
    index: pd.DataFrame, times: NDArray[np.datetime64], kept: NDArray[np.intp]
) -> pd.DataFrame:
    """An index whose lists hold the kept dates only."""
    from cpazmal_scale.samples.table import BY_DATE

    shorter: dict[str, Any] = {
        name: [np.asarray(values)[kept] for values in index[name]]
        for name in BY_DATE
        if name in index and len(index) and len(index[name].iloc[0]) == len(times)
    }
    return index.assign(time_start=times[kept].min(), time_end=times[kept].max(), **shorter)
