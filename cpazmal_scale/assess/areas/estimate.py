"""Area-adjusted accuracy and class areas with 95 % intervals, from a stratified random sample.

Source: Olofsson, Foody, Herold, Stehman, Woodcock and Wulder, Good practices for estimating area
and assessing accuracy of land change, Remote Sensing of Environment 148, 2014, equations 1–13; the
intervals of shares in `intervals`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.assess.areas.intervals import Z95, of_estimates, wilson
from cpazmal_scale.errors import SampleError
from cpazmal_scale.words import NONE

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class AreaEstimate:
    """What a stratified sample says of a map's classes; fractions of 1, areas in the map's unit.

    `proportions` (C, C) is the estimated share of area by map class (row) and reference class
    (column); `users`, `producers`, `overall` accuracies and `areas` (reference classes) come with
    standard errors `se_…` and 95 % intervals `…_95`, (C, 2) or (2) lower and upper ends. A class
    that the sample never met has NaN.
    """

    classes: tuple[str, ...]
    mapped: NDArray[np.float64]
    counts: NDArray[np.int64]
    proportions: NDArray[np.float64]
    users: NDArray[np.float64]
    se_users: NDArray[np.float64]
    producers: NDArray[np.float64]
    se_producers: NDArray[np.float64]
    overall: float
    se_overall: float
    areas: NDArray[np.float64]
    se_areas: NDArray[np.float64]
    users_95: NDArray[np.float64]
    producers_95: NDArray[np.float64]
    overall_95: NDArray[np.float64]
    areas_95: NDArray[np.float64]

    def table(self) -> pd.DataFrame:
        """One row per class: sample units, mapped and estimated area, accuracies, 95 % ends."""
        import pandas as pd

        ends = {"area": self.areas_95, "users": self.users_95, "producers": self.producers_95}
        values = {"area": self.areas, "users": self.users, "producers": self.producers}
        columns = {"units": self.counts.sum(axis=1), "mapped": self.mapped}
        for name, column in values.items():
            low, high = ends[name].T
            columns |= {name: column, f"{name}_low": low, f"{name}_high": high}
        return pd.DataFrame(columns, index=pd.Index(self.classes, name="class"))

    def __str__(self) -> str:
        head = f"overall accuracy {_with_ends(self.overall, *self.overall_95, digits=3)}"
        title = f"{'':<16}{'units':>6}{'mapped':>10}{'area':>24}{'user':>22}{'producer':>22}"
        rows = [
            f"{name:<16}{int(row['units']):>6}{row['mapped']:>10.4f}"
            + "".join(
                f"{_with_ends(row[key], row[f'{key}_low'], row[f'{key}_high'], digits=digits):>{w}}"
                for key, digits, w in (("area", 4, 24), ("users", 3, 22), ("producers", 3, 22))
            )
            for name, row in self.table().iterrows()
        ]
        return "\n".join([head, title, *rows])


def _with_ends(value: float, low: float, high: float, *, digits: int) -> str:
    if np.isnan(value):
        return NONE
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def estimate_areas(counts: ArrayLike, mapped: ArrayLike, classes: Sequence[str]) -> AreaEstimate:
    """Unbiased accuracies and areas from a sample that is random within each map class.

    With W_i the mapped share of class i, n_ij the sample units of map class i and reference class
    j, `p_ij = W_i n_ij / n_i` (eq. 4); variances by equations 5–7 and 10. A sample without an error
    does not say that there is none: standard errors of areas and of the overall accuracy are not
    below what one unit stands for, the largest `W_i / n_i`. Intervals of accuracies are Wilson's,
    see `intervals`; those of areas are 1.96 standard errors to either side, within 0 and the whole.

    Args:
        counts: (C, C) sample units, rows the map's classes, columns the reference's.
        mapped: (C) area of each class in the map, in any unit.
        classes: their codes.

    Raises:
        SampleError: shapes do not fit, a count or area is negative, or a class that the map has
            got fewer than two sample units, so that nothing is known of its errors.
    """
    n, areas = np.asarray(counts), np.asarray(mapped, np.float64)
    _check(n, areas, classes)
    units = n.sum(axis=1)
    weight = areas / areas.sum()
    with np.errstate(invalid="ignore", divide="ignore"):
        within = np.where(units[:, None] > 0, n / units[:, None], 0.0)
        p = weight[:, None] * within
        users = np.where(units > 0, np.diagonal(within), np.nan)
        loss = np.where(units > 1, 1 / (units - 1), 0.0)
        var_users = users * (1 - users) / np.where(units > 1, units - 1, np.nan)
        found = p.sum(axis=0)
        producers = np.diagonal(p) / found
        var_areas = ((weight[:, None] * p - p**2) * loss[:, None]).sum(axis=0)
        se_producers = np.sqrt(_producers_variance(within, areas, loss, producers))
        unit = float(np.max(np.where(units > 0, weight / units, 0.0)))
        per_class = np.where(found > 0, unit / found, np.nan)
    agreed = np.diagonal(within)
    overall = float(np.trace(p))
    se_overall = max(float(np.sqrt((weight**2 * agreed * (1 - agreed) * loss).sum())), unit)
    se_areas = np.maximum(np.sqrt(var_areas), unit)
    area_ends = np.stack([found - Z95 * se_areas, found + Z95 * se_areas], axis=-1)
    return AreaEstimate(
        classes=tuple(classes),
        mapped=areas,
        counts=n,
        proportions=p,
        users=users,
        se_users=np.sqrt(var_users),
        producers=producers,
        se_producers=se_producers,
        overall=overall,
        se_overall=se_overall,
        areas=found * areas.sum(),
        se_areas=se_areas * areas.sum(),
        users_95=wilson(users, units),
        producers_95=of_estimates(producers, se_producers, per_class),
        overall_95=of_estimates(overall, se_overall, unit),
        areas_95=np.clip(area_ends, 0, 1) * areas.sum(),
    )


def _producers_variance(
    within: NDArray[np.float64],
    areas: NDArray[np.float64],
    loss: NDArray[np.float64],
    producers: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(C) variance of the producer's accuracies, equation 7."""
    spread = (areas**2 * loss)[:, None] * within * (1 - within)
    own = np.diagonal(spread)
    others = spread.sum(axis=0) - own
    total = (areas[:, None] * within).sum(axis=0)
    return np.asarray(((1 - producers) ** 2 * own + producers**2 * others) / total**2)


def _check(n: NDArray[np.int64], areas: NDArray[np.float64], classes: Sequence[str]) -> None:
    size = len(classes)
    if n.shape != (size, size) or areas.shape != (size,):
        raise SampleError(
            f"counts of shape {n.shape} and {areas.size} areas do not fit {size} classes",
            where="area estimate",
            remedy="give one row, one column and one area per class",
        )
    finite = bool(np.isfinite(n).all() and np.isfinite(areas).all())
    if not finite or n.min(initial=0) < 0 or not (areas >= 0).all() or not areas.sum() > 0:
        raise SampleError(
            "a count or an area is negative or not finite, or all areas are zero",
            where="area estimate",
            remedy="give the sample's counts and the map's areas",
        )
    for name, units, area in zip(classes, n.sum(axis=1).tolist(), areas.tolist(), strict=True):
        if area > 0 and units < 2:
            raise SampleError(
                f"the map has class {name}, the sample {units} units of it, not two",
                where="area estimate",
                remedy="draw units in every class of the map",
            )
