"""The parts of the configuration that lead from polygons to a model."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from cpazmal_scale.config.section import (
    DAY_OF_EVERY_YEAR,
    ODD,
    ONCE,
    Address,
    Label,
    Section,
    never_both,
    together,
)
from cpazmal_scale.config.table import Table
from cpazmal_scale.vocabulary import MASK_BITS, Statistic


class Flags(Section):
    """Largest share of a window's pixels that may carry a mask flag; none: any share."""

    layover: float | None = Field(None, ge=0, le=1)
    """Layover."""
    shadow: float | None = Field(None, ge=0, le=1)
    """Shadow."""
    no_dem: float | None = Field(None, ge=0, le=1)
    """No elevation was known."""
    outside_swath: float | None = Field(None, ge=0, le=1)
    """Outside the swath."""
    noise_limited: float | None = Field(None, ge=0, le=1)
    """Backscatter near the noise floor."""


class Samples(Section):
    """Labelled polygons to windows."""

    polygons: Address | None = None
    """Vector file with columns `class` and `group`; none: the map is unsupervised."""
    classes: tuple[Label, ...] | None = Field(None, min_length=1, json_schema_extra=ONCE)
    """Classes to learn; none: all classes of the polygons. A map numbers them from 1 in
    alphabetical order."""
    stride: int | None = Field(None, ge=1)
    """Step between windows in pixels; none: the window's size, so that windows do not overlap."""
    offset: Literal["corner", "best"] = "corner"
    """Where the grid of a polygon's windows begins: at its top-left pixel, or where most usable
    windows fit."""
    max_masked: float = Field(0.10, ge=0, le=1)
    """Largest share of layover or shadow pixels in a window."""
    min_valid: float = Field(0.60, ge=0, le=1)
    """Smallest share of valid pixels in a window."""
    flags: Flags = Flags()
    across: Literal["typical", "every", "stack"] = "typical"
    """How shares are taken across dates: of the `typical` date (valid: median, flagged: mean); of
    the worst, so that `every` date is good enough; or of the `stack`, where a pixel is valid if it
    is on all dates and flagged if it is on any (the authors' rule)."""
    dem: Address | None = None
    """Elevation raster in metres, any CRS, that gives windows elevation, slope and aspect; none:
    the heights above the ellipsoid that a terrain-corrected cube holds itself, if it does."""
    where: str | None = None
    """SQL condition on the windows, such as `incidence_angle < 40 AND elevation > 2500`."""
    max_per_group: int | None = Field(60, ge=1)
    """Windows drawn at most from one polygon, so that large polygons do not rule their class."""
    balance: bool = False
    """Give every class as many windows, evenly from its groups, and leave small groups out."""
    min_per_group: int | None = Field(None, ge=1)
    """Windows a group needs to count when classes are balanced; none: what keeps most windows."""
    clusters: int = Field(4, ge=2, le=32)
    """Number of classes of an unsupervised map."""
    also: tuple[Address, ...] = Field((), json_schema_extra=ONCE)
    """Cubes to train on together with the run's own: beams of this workspace, or cubes of others
    (such as `../alps2/cubes/DSC37.zarr`), whose samples have been drawn. Their dates are matched
    with the run's own by the time of the season, which begins half a year later in the other
    hemisphere."""
    table: Table = Table()

    @together
    def _one_source(self) -> Self:
        if self.table.url is not None and self.polygons is not None:
            raise ValueError("give samples.polygons or samples.table.url, not both")
        if self.table.url is not None and self.also:
            raise ValueError("samples.also goes with a cube, not with samples.table.url")
        return self


class Features(Section):
    """Windows to log-cumulant series (method §2)."""

    window: int = Field(7, ge=3, le=63, json_schema_extra=ODD)
    """Edge of the square window in pixels, odd."""
    xpol: Literal["logratio", "fraction", "code", "talk", "none"] = "logratio"
    """Third channel made of the cross-polarised and co-polarised ones."""
    statistics: tuple[Statistic, ...] = Field(
        ("k1", "k2", "k3"), min_length=1, json_schema_extra=ONCE
    )
    """Statistics of every channel: log-cumulants k1 to k4; mean, std, cv (std / mean), skewness and
    kurtosis of the amplitude; entropy and histogram of its levels of 3 dB (16 series)."""
    unbiased: bool = False
    """Use unbiased k-statistics instead of the authors' biased cumulants."""
    floor_db: float = Field(-31.0, ge=-80, le=0)
    """Backscatter below this is set to it before the logarithm: 10 dB under the noise floor, or at
    it where noise was subtracted, which leaves dark pixels at powers ≤ 0."""
    min_valid: float = Field(0.60, gt=0, le=1)
    """Smallest share of valid pixels in a window; fewer give NaN."""
    masked: tuple[Literal["layover", "shadow", "no_dem", "outside_swath", "noise_limited"], ...] = (
        Field(("layover", "shadow", "no_dem", "outside_swath"), json_schema_extra=ONCE)
    )
    """Mask flags whose pixels are left out."""

    @property
    def excluded(self) -> int:
        """Mask bits whose pixels are left out; no-data always is."""
        return sum(MASK_BITS[flag] for flag in {*self.masked, "not_valid"})

    @property
    def floor(self) -> float:
        """`floor_db` as linear power."""
        return float(10.0 ** (self.floor_db / 10.0))

    @property
    def kernel(self) -> dict[str, Any]:
        """Keywords of the kernels in `features.blocks` and `features.windows`, but the window."""
        names = ("xpol", "statistics", "unbiased", "min_valid")
        return {"floor": self.floor, **{name: getattr(self, name) for name in names}}

    @model_validator(mode="after")
    def _odd(self) -> Self:
        if self.window % 2 == 0:
            raise ValueError("features.window must be odd, so that a window has a centre pixel")
        return self


class Dtw(Section):
    """Distances between series (method §3)."""

    model_config = never_both("band_days", {"type": "number"}, "radius", "integer")

    band_days: float | None = Field(33.0, ge=0)
    """Sakoe-Chiba band in days, from the dates of both series; none: `radius` is used."""
    radius: int | None = Field(None, ge=0)
    """Sakoe-Chiba band in samples, instead of `band_days`; 0 is the Euclidean distance."""
    season_start: str | None = Field(None, json_schema_extra={"pattern": DAY_OF_EVERY_YEAR})
    """First day of the season, `MM-DD`, from which days are counted: series of two hemispheres are
    compared from the same time of their year (such as 10-01 and 04-01), and a map's lies half a
    year from the model's; none: the model's own, 1 January when training. A period may begin on any
    day without it."""
    open_ends: Literal["begin", "end", "both"] | None = None
    """Ends of a series that need not meet those of a class's typical series: for a part of a year
    that begins or ends earlier or later in the season than the training; none: both ends meet."""
    min_dates: int = Field(6, ge=2)
    """Pixels with fewer valid dates get no class."""

    @field_validator("season_start")
    @classmethod
    def _day_of_every_year(cls, start: str | None) -> str | None:
        if start is not None and not re.fullmatch(DAY_OF_EVERY_YEAR, start):
            raise ValueError(f"dtw.season_start is a day of every year, MM-DD, not {start}")
        return start

    @model_validator(mode="after")
    def _one_band(self) -> Self:
        if self.radius is not None and self.band_days is not None:
            if "band_days" in self.model_fields_set:
                raise ValueError("give dtw.band_days or dtw.radius, not both")
            object.__setattr__(self, "band_days", None)
        return self


class Train(Section):
    """Windows to a model: barycenters (method §4) and the other methods."""

    barycenters: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] | None = None
    """Barycenters per class and feature; `auto`: 1, 2, 4 or 8 by cross-validation of whole polygons
    within the training side, the fewest that are level; none: `auto` where `classify.method` is
    `best`, else 1."""
    iterations: int = Field(30, ge=1)
    """Largest number of DBA iterations."""
    restarts: int = Field(2, ge=1)
    """DBA starts per barycenter; the best is kept."""
