"""What a table of labelled series is, where samples come from one instead of polygons."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import Field, field_validator

from cpazmal_scale.config.section import Address, Section, together


class Table(Section):
    """A table of labelled series of points or polygons, instead of polygons on a cube."""

    url: Address | None = None
    """CSV or Parquet file, one row per series (wide) or per series and date (long); none: samples
    come from polygons and a cube."""
    name: str = Field("table", pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")
    """Name that stands for the beam in catalog and reports."""
    label: str = "class"
    """Column of the class."""
    group: str | None = None
    """Column of the group, such as a polygon or region, that a split never divides; none: squares
    of `cell_km` around `latitude` and `longitude`."""
    latitude: str = "lat"
    """Column of the latitude in degrees."""
    longitude: str = "lon"
    """Column of the longitude in degrees."""
    cell_km: float = Field(100.0, gt=0)
    """Edge of the squares that are groups."""
    values: str | None = None
    """Wide tables: regular expression on the names of columns, with the groups `channel` and either
    `date` (YYYYMMDD or YYYY-MM-DD) or `step` (a number from 0), such as
    `(?P<channel>VV|VH)_(?P<date>\\d{8})`; none: the table is long."""
    start: str | None = None
    """Wide tables of steps: column of the date of step 0."""
    every: Literal["month"] | float = "month"
    """Wide tables of steps: a calendar month, or days, between them."""
    series: str = "id"
    """Long tables: column that names the series a row belongs to."""
    date: str = "date"
    """Long tables: column of the date."""
    channel: str | None = None
    """Long tables: column of the polarisation, with values in `value`; none: a column for each of
    HH, VV, HV and VH that is there."""
    value: str = "value"
    """Long tables: column of the value, where `channel` is one."""
    scale: Literal["dB", "linear", "amplitude"] = "dB"
    """Whether values are decibels, power, or amplitudes (such as digital numbers)."""
    offset: float = 0.0
    """Decibels added, such as a calibration of −83 for digital numbers."""
    nodata: tuple[float, ...] = ()
    """Values that are no data, besides empty ones."""

    @field_validator("every")
    @classmethod
    def _positive(cls, value: str | float) -> str | float:
        if isinstance(value, float) and not 0 < value < 3660:
            raise ValueError("is a month, or days above 0")
        return value

    @together
    def _columns(self) -> Self:
        if self.values is None:
            return self
        try:
            groups = set(re.compile(self.values).groupindex)
        except re.error as error:
            raise ValueError(f"samples.table.values is no regular expression ({error})") from None
        if "channel" not in groups or len({"date", "step"} & groups) != 1:
            raise ValueError("samples.table.values needs the groups channel, and date or step")
        if "step" in groups and self.start is None:
            raise ValueError("samples.table.start names the column of the date of step 0")
        return self
