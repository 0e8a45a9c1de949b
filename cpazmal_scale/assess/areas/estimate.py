"""Area-adjusted accuracy and class areas with 95 % intervals, from a stratified random sample.

Source: Olofsson, Foody, Herold, Stehman, Woodcock and Wulder, Good practices for estimating area
and assessing accuracy of land change, Remote Sensing of Environment 148, 2014, equations 1–13; for
strata of several classes, of which the former are a case, Stehman, Estimating area and map accuracy
for stratified random sampling when the strata are different from the map classes, International
Journal of Remote Sensing 35, 2014; the intervals of shares in `intervals`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

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
    that the sample never met has NaN. `strata` (C) numbers the stratum of each map class.
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
    strata: NDArray[np.int64]

    def groups(self, members: Mapping[str, Collection[str]]) -> pd.DataFrame:
        """One row per group of classes: sample units, mapped and estimated area, 95 % ends."""
        import pandas as pd

        sample, whole = _Sample.of(self.counts, self.mapped, self.strata), self.mapped.sum()
        rows = []
        for codes in members.values():
            inside = np.isin(self.classes, list(codes))
            units = self.counts[:, inside].sum(axis=1, keepdims=True)
            (found,), (error,) = sample.estimated(sample.shares(units))
            half = Z95 * max(error, sample.unit)
            rows.append(
                {
                    "units": int(self.counts[inside].sum()),
                    "mapped": self.mapped[inside].sum(),
                    "area": found * whole,
                    "area_low": max(found - half, 0) * whole,
                    "area_high": min(found + half, 1) * whole,
                }
            )
        return pd.DataFrame(rows, index=pd.Index(list(members), name="group"))

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
        told = self.table()
        rows = [
            f"{name:<16}{int(row['units']):>6}{row['mapped']:>10.4f}"
            + "".join(
                f"{_with_ends(row[key], row[f'{key}_low'], row[f'{key}_high'], digits=digits):>{w}}"
                for key, digits, w in (("area", 4, 24), ("users", 3, 22), ("producers", 3, 22))
            )
            for name, row in told[(told["units"] > 0) | (told["area"] > 0)].iterrows()
        ]
        return "\n".join([head, title, *rows])


def grouped_text(table: pd.DataFrame) -> str:
    """Lines of what `AreaEstimate.groups` gives, to stand under those of the classes."""
    return "\n".join(
        f"{name:<16}{int(row['units']):>6}{row['mapped']:>10.4f}"
        f"{_with_ends(row['area'], row['area_low'], row['area_high'], digits=4):>24}"
        for name, row in table.iterrows()
    )


def _with_ends(value: float, low: float, high: float, *, digits: int) -> str:
    if np.isnan(value):
        return NONE
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def estimate_areas(
    counts: ArrayLike,
    mapped: ArrayLike,
    classes: Sequence[str],
    strata: ArrayLike | None = None,
) -> AreaEstimate:
    """Unbiased accuracies and areas from a sample that is random within each stratum of a map.

    With W_h the mapped share of stratum h and n_hij its n_h sample units of map class i and
    reference class j, `p_ij = Σ_h W_h n_hij / n_h`; an estimate `Σ_h W_h q_h` of shares q_h of the
    strata's units has the variance `Σ_h W_h² q_h (1 − q_h) / (n_h − 1)`, and producer's accuracies
    that of a ratio (Stehman 2014, equations 14–28). Where every class is a stratum these are
    Olofsson's equations 4–7 and 10. A sample without an error does not say that there is none:
    standard errors of areas and of the overall accuracy are not below what one unit stands for, the
    largest `W_h / n_h`. Intervals of accuracies are Wilson's, see `intervals`; those of areas are
    1.96 standard errors to either side, within 0 and the whole.

    Args:
        counts: (C, C) sample units, rows the map's classes, columns the reference's.
        mapped: (C) area of each class in the map, in any unit.
        classes: their codes.
        strata: (C) number of the stratum, from 0, that holds each class; none: each its own.

    Raises:
        SampleError: shapes do not fit, a class is named twice, a count is no whole number, a count
            or area is negative, masked or not finite, or a stratum that the map has got fewer than
            two sample units, so that nothing is known of its errors.
    """
    given, areas = _numbers(counts), _numbers(mapped)
    _check_numbers(given, areas)
    n = given.astype(np.int64)
    held = np.arange(len(classes)) if strata is None else np.asarray(strata, np.int64)
    _check(n, areas, classes, held)
    sample = _Sample.of(n, areas, held)
    units, right = n.sum(axis=1), np.diagonal(n)
    p = sample.of_classes(n)
    found, se_found = sample.estimated(sample.shares(n))
    with np.errstate(invalid="ignore", divide="ignore"):
        users = right / units
        var_users = users * (1 - users) / np.where(units > 1, units - 1, np.nan)
        producers = np.diagonal(p) / found
        per_class = np.where(found > 0, sample.unit / found, np.nan)
    se_producers = np.sqrt(sample.ratio_variance(np.diag(right), n, producers, found))
    overall, se_overall = sample.estimated(sample.shares(right[:, None]))
    se_areas, whole = np.maximum(se_found, sample.unit), areas.sum()
    area_ends = np.stack([found - Z95 * se_areas, found + Z95 * se_areas], axis=-1)
    total, se_total = float(overall[0]), max(float(se_overall[0]), sample.unit)
    return AreaEstimate(
        classes=tuple(classes),
        mapped=areas,
        counts=n,
        proportions=p,
        users=users,
        se_users=np.sqrt(var_users),
        producers=producers,
        se_producers=se_producers,
        overall=total,
        se_overall=se_total,
        areas=found * whole,
        se_areas=se_areas * whole,
        users_95=wilson(users, units),
        producers_95=of_estimates(producers, se_producers, per_class),
        overall_95=of_estimates(total, se_total, sample.unit),
        areas_95=np.clip(area_ends, 0, 1) * whole,
        strata=held,
    )


class _Sample(NamedTuple):
    """Units and shares of the map's area by stratum, and the stratum of every map class."""

    held: NDArray[np.int64]
    """`(C)` number of the stratum."""
    units: NDArray[np.int64]
    """`(H)` sample units."""
    weight: NDArray[np.float64]
    """`(H)` shares of the area."""

    @classmethod
    def of(
        cls, n: NDArray[np.int64], areas: NDArray[np.float64], held: NDArray[np.int64]
    ) -> _Sample:
        """The sample of (C, C) counts and (C) areas."""
        size = int(held.max(initial=0)) + 1
        units, weight = np.zeros(size, np.int64), np.zeros(size)
        np.add.at(units, held, n.sum(axis=1))
        np.add.at(weight, held, areas / areas.sum())
        return cls(held, units, weight)

    @property
    def unit(self) -> float:
        """The largest share of the area that one unit stands for."""
        return float(np.max(np.where(self.units > 0, self.weight / self._divisor(), 0.0)))

    def of_classes(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """(C, J) shares of the area that (C, J) counts stand for."""
        return np.asarray((self.weight / self._divisor())[self.held, None] * counts)

    def shares(self, counts: NDArray[np.int64]) -> NDArray[np.float64]:
        """(H, J) shares of the strata's units, of (C, J) counts by map class."""
        total = np.zeros((self.units.size, counts.shape[1]))
        np.add.at(total, self.held, counts)
        return np.asarray(total / self._divisor()[:, None])

    def estimated(
        self, shares: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(J) estimates of shares of the area and their standard errors, of (H, J) of the units."""
        spread = self._variances()[:, None] * shares * (1 - shares)
        return np.asarray(self.weight @ shares), np.sqrt(spread.sum(axis=0))

    def ratio_variance(
        self,
        part: NDArray[np.int64],
        whole: NDArray[np.int64],
        ratio: NDArray[np.float64],
        found: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """(J) variances of ratios of the area of some units, (C, J), to that of all of theirs.

        `found` (J) is the share of the area that `whole` stands for.
        """
        y, x = self.shares(part), self.shares(whole)
        spread = y * (1 - y) + ratio**2 * x * (1 - x) - 2 * ratio * y * (1 - x)
        with np.errstate(invalid="ignore", divide="ignore"):
            total = (self._variances()[:, None] * spread).sum(axis=0) / found**2
        return np.asarray(np.maximum(total, 0))

    def _variances(self) -> NDArray[np.float64]:
        return np.asarray(self.weight**2 / np.maximum(self.units - 1, 1))

    def _divisor(self) -> NDArray[np.int64]:
        return np.asarray(np.maximum(self.units, 1))


def _numbers(values: ArrayLike) -> NDArray[np.float64]:
    """Plain numbers, NaN where they are masked, or one NaN for what holds others."""
    try:
        given = np.ma.array(values)  # type: ignore[no-untyped-call]
    except (TypeError, ValueError):
        return np.full((), np.nan)
    if given.dtype.kind not in "biuf":
        return np.full(given.shape, np.nan)
    numbers: NDArray[np.float64] = given.astype(np.float64).filled(np.nan)
    return numbers


def _check_numbers(counts: NDArray[np.float64], areas: NDArray[np.float64]) -> None:
    known = bool(np.isfinite(counts).all() and np.isfinite(areas).all())
    known = known and counts.min(initial=0) >= 0 and areas.min(initial=0) >= 0
    with np.errstate(over="ignore"):
        known = known and 0 < areas.sum() < np.inf
    if not known:
        raise SampleError(
            "a count or an area is negative or not finite, or all areas are zero",
            where="area estimate",
            remedy="give the sample's counts and the map's areas",
        )
    if not np.array_equal(counts, np.rint(counts)) or counts.sum() > 2**53:
        raise SampleError(
            "a count of sample units is no whole number",
            where="area estimate",
            remedy="give how many units of the sample are of each pair of classes",
        )


def _check(
    n: NDArray[np.int64],
    areas: NDArray[np.float64],
    classes: Sequence[str],
    held: NDArray[np.int64],
) -> None:
    size = len(classes)
    if n.shape != (size, size) or areas.shape != (size,) or held.shape != (size,):
        raise SampleError(
            f"counts of shape {n.shape} and {areas.size} areas do not fit {size} classes",
            where="area estimate",
            remedy="give one row, one column and one area per class",
        )
    if len(set(classes)) < size:
        raise SampleError(
            f"a class is named twice among {', '.join(classes)}",
            where="area estimate",
            remedy="give each class one row, one column and one area",
        )
    sample = _Sample.of(n, areas, held)
    for stratum, (units, share) in enumerate(zip(sample.units, sample.weight, strict=True)):
        if share > 0 and units < 2:
            named = [name for name, number in zip(classes, held, strict=True) if number == stratum]
            raise SampleError(
                f"the map has class {' or '.join(named)}, the sample {units} units of it, not two",
                where="area estimate",
                remedy="draw units in every class of the map",
            )
