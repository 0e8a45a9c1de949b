"""The backscatter of the labelled windows by class and season, before any feature is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale import words as say
from cpazmal_scale.assess.validate.metrics import codes_of
from cpazmal_scale.cube import window_pixels
from cpazmal_scale.grid.projections import months_behind

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr
    from numpy.typing import NDArray

    from cpazmal_scale.config import Features
    from cpazmal_scale.progress import Progress


SEASONS = ("winter", "spring", "summer", "autumn")
"""December to February, March to May, June to August, September to November; half a year later
south of the equator."""
_EDGES: NDArray[np.float64] = np.arange(-40.0, 15.5, 0.5, np.float64)


class Floored(NamedTuple):
    """Which share of a class's pixels lies below the floor in a channel."""

    channel: str
    label: str
    share: float
    """Of all dates."""
    worst: float
    """Of the date that has most."""
    date: str
    """That date."""
    negative: float = 0.0
    """Share whose power is not positive, of all dates: noise that was subtracted."""


@dataclass(frozen=True, eq=False)
class Backscatter:
    """Backscatter of the labelled windows by polarisation (P), class (C), date (T) and season."""

    classes: tuple[str, ...]
    polarisations: tuple[str, ...]
    dates: NDArray[np.datetime64]
    mean: NDArray[np.float64]
    """`(P, C, T)` mean over windows of the mean linear power of their valid pixels, negative ones
    (subtracted noise) included; NaN without data, not positive where the class is below noise."""
    span: NDArray[np.float64]
    """`(2, P, C, T)` the ends of the middle two thirds of the windows, linear power."""
    counts: NDArray[np.int64]
    """`(P, C, 4, bins)` valid pixels of positive power by season and level."""
    dark: NDArray[np.int64]
    """`(P, C, 4)` valid pixels whose power is not positive, which have no level in dB."""
    below: NDArray[np.float64]
    """`(P, C, T)` share of the valid pixels whose power is below the floor; NaN without data."""
    pixels: NDArray[np.int64]
    """`(P, C, T)` valid pixels."""
    coefficient: str
    """What the power is a coefficient of, such as `γ0_T`."""
    edges: NDArray[np.float64]
    """`(bins + 1)` in dB; pixels beyond the ends are counted in the last bins."""

    def density(self) -> NDArray[np.float64]:
        """`(P, C, 4, bins)` share of all of a season's pixels per dB; NaN where there are none."""
        with np.errstate(invalid="ignore"):
            share = self.counts / self._pixels()[..., None]
        return np.asarray(share / np.diff(self.edges))

    def left_out(self) -> NDArray[np.float64]:
        """`(P, C, 4)` share of a season's pixels that no bin shows; NaN where there are none."""
        with np.errstate(invalid="ignore"):
            return np.asarray(self.dark / self._pixels())

    def floored(self) -> tuple[Floored, ...]:
        """Shares below the floor of every channel and class that has data."""
        found = []
        for p, c in np.ndindex(self.pixels.shape[:2]):
            if self.pixels[p, c].any():
                worst = int(np.nanargmax(self.below[p, c]))
                of_all = np.nansum(self.below[p, c] * self.pixels[p, c]) / self.pixels[p, c].sum()
                name = self.polarisations[p], self.classes[c]
                day = str(self.dates[worst])[:10]
                most = float(self.below[p, c, worst])
                negative = float(self.dark[p, c].sum() / self.pixels[p, c].sum())
                found.append(Floored(*name, float(of_all), most, day, negative))
        return tuple(found)

    def by_date(self) -> pd.DataFrame:
        """One row per polarisation, class and date: `mean`, and `low` to `high` of the middle two
        thirds of the windows, linear power, the same in dB (`_db`; NaN where not positive), the
        number of valid `pixels` and the `share_below_floor`.
        """
        import pandas as pd

        days = np.datetime_as_string(self.dates, "D")
        names = (self.polarisations, self.classes, days)
        index = pd.MultiIndex.from_product(names, names=("polarisation", "class", "date"))
        levels = {"mean": self.mean, "low": self.span[0], "high": self.span[1]}
        values = {name: power.ravel() for name, power in levels.items()}
        values |= {f"{name}_db": decibels(power).ravel() for name, power in levels.items()}
        counted = {"pixels": self.pixels.ravel(), "share_below_floor": self.below.ravel()}
        return pd.DataFrame(values | counted, index=index).reset_index()

    def _pixels(self) -> NDArray[np.int64]:
        return np.asarray(self.counts.sum(axis=-1) + self.dark)


def decibels(power: NDArray[np.floating]) -> NDArray[np.float64]:
    """10 log10 of linear power; NaN where it is not positive."""
    return np.asarray(10 * np.log10(np.where(power > 0, power, np.nan)), np.float64)


def backscatter(
    cube: xr.Dataset,
    windows: pd.DataFrame,
    classes: Sequence[str],
    polarisations: Sequence[str],
    features: Features,
    progress: Progress | None = None,
) -> Backscatter:
    """Read the windows once, chunk by chunk.

    Args:
        cube: where the windows lie.
        windows: index with `class, y0, x0, size`.
        classes: C names, in the order of the figures.
        polarisations: P channels.
        features: which mask bits are left out, and the floor.
        progress: called as (chunks done, chunks).

    Raises:
        SampleError: a window lies outside the cube, or a polarisation is missing.
    """
    codes = codes_of(windows["class"].to_numpy(), classes)
    dates = cube["time"].to_numpy().astype("datetime64[s]")
    season = (dates.astype("datetime64[M]").astype(int) % 12 + 1 + months_behind(cube)) // 3 % 4
    levels = np.full((len(windows), len(polarisations), len(dates)), np.nan)
    shape = (len(polarisations), len(classes), len(SEASONS), len(_EDGES) - 1)
    counts, dark = np.zeros(shape, np.int64), np.zeros(shape[:3], np.int64)
    sizes = (len(classes), len(polarisations), len(dates))
    below, valid = np.zeros(sizes, np.int64), np.zeros(sizes, np.int64)
    y0, x0 = (windows[name].to_numpy(np.int64) for name in ("y0", "x0"))
    size = int(windows["size"].iloc[0])
    for pixels in window_pixels(cube, y0, x0, size, polarisations, progress):
        usable = (pixels.mask & features.excluded == 0)[:, None]
        power = np.where(usable, pixels.power, np.nan)
        levels[pixels.rows] = _level(power)
        for sums, seen in ((below, power < features.floor), (valid, np.isfinite(power))):
            np.add.at(sums, codes[pixels.rows], seen.sum(axis=(3, 4)))
        _count(power, codes[pixels.rows], season, counts, dark)
    mean, span = _by_class([levels[codes == c] for c in range(len(classes))])
    with np.errstate(invalid="ignore"):
        share = np.swapaxes(below / valid, 0, 1)
    named, every = (tuple(classes), tuple(polarisations)), np.swapaxes(valid, 0, 1)
    coefficient = say.coefficient(cube.attrs.get("radiometry"))
    return Backscatter(
        *named, dates, mean, span, counts, dark, share, every, coefficient, _EDGES.copy()
    )


def _by_class(
    levels: Sequence[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean `(P, C, T)` and middle two thirds `(2, P, C, T)` of the windows of each class."""
    mean = np.stack([_over_windows(np.nanmean, one) for one in levels], axis=1)
    ends = [[_over_windows(_part(share), one) for one in levels] for share in (1 / 6, 5 / 6)]
    return mean, np.stack([np.stack(end, axis=1) for end in ends])


def _part(share: float) -> Callable[..., NDArray[np.float64]]:
    def ends(levels: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return np.asarray(np.nanquantile(levels, share, axis=axis), np.float64)

    return ends


def _level(power: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean power `(n, P, T)` of the valid pixels `(n, P, T, w, w)`."""
    count = np.isfinite(power).sum(axis=(3, 4))
    total = np.nansum(power, axis=(3, 4), dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return np.asarray(total / count)


def _count(
    power: NDArray[np.float32],
    codes: NDArray[np.intp],
    season: NDArray[np.int64],
    counts: NDArray[np.int64],
    dark: NDArray[np.int64],
) -> None:
    """Add the valid pixels to their class and season, and to their bin or to the dark ones."""
    place = np.floor((decibels(power) - _EDGES[0]) / (_EDGES[1] - _EDGES[0]))
    known = np.isfinite(place)
    bins = np.clip(np.where(known, place, 0), 0, counts.shape[3] - 1).astype(np.intp)
    where = np.broadcast_arrays(
        np.arange(counts.shape[0])[:, None, None, None],
        codes[:, None, None, None, None],
        season[:, None, None],
        bins,
    )
    np.add.at(counts, tuple(index[known] for index in where), 1)
    np.add.at(dark, tuple(index[power <= 0] for index in where[:3]), 1)


def _over_windows(
    function: Callable[..., NDArray[np.float64]], levels: NDArray[np.float64]
) -> NDArray[np.float64]:
    """A figure over the windows `(n, P, T)` that have data; NaN where none has."""
    result = np.full(levels.shape[1:], np.nan)
    known = np.isfinite(levels).any(axis=0)
    result[known] = function(levels[:, known], axis=0)
    return result
