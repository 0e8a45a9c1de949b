"""What the dataset is made of: labelled groups, and their series of image chips."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from cpazmal_scale.errors import SampleError

if TYPE_CHECKING:
    from affine import Affine
    from numpy.typing import NDArray

Orbit = Literal["ASC", "DSC"]
STUDY = "STUDY"
"""Class of the areas without labels: not learned from, but mapped."""


@dataclass(frozen=True)
class Group:
    """A polygon of one class. Degrees and metres; NaN where unknown."""

    name: str
    label: str
    number: str
    id: int
    latitude: float
    longitude: float
    elevation: float
    orientation: float
    slope: float


@dataclass(frozen=True, eq=False)
class Series:
    """One group seen from one orbit in one polarisation: T chips of H × W pixels.

    `dates` are days `YYYYMMDD`, ascending. Per date: the `beams` (one viewing geometry each),
    `passes`, `angles` of incidence in degrees and the resolutions in metres, NaN where unknown.
    `transform` and `crs` place the chip's pixels.
    """

    group: str
    orbit: Orbit
    polarisation: str
    shape: tuple[int, int]
    dates: tuple[str, ...]
    beams: tuple[str, ...]
    passes: tuple[str, ...]
    angles: NDArray[np.float32]
    resolution_range: NDArray[np.float32]
    resolution_azimuth: NDArray[np.float32]
    transform: Affine
    crs: str

    @property
    def path(self) -> str:
        """Its place in a file, below `/data`."""
        return f"{self.group}/{self.orbit}/{self.polarisation}"


class Chips(Protocol):
    """Groups and series that can be read date by date: a published file, or a cube's polygons."""

    @property
    def groups(self) -> Mapping[str, Group]:
        """Groups by name, sorted."""
        ...

    @property
    def series(self) -> Sequence[Series]:
        """Series ordered by path."""
        ...

    def read(self, series: Series, date: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Power (H, W), linear, NaN for no data; and mask (H, W) of `MASK_BITS`."""
        ...


def find(chips: Chips, group: str, orbit: str, polarisation: str) -> Series:
    """One series.

    Raises:
        SampleError: there is none, naming what there is.
    """
    for one in chips.series:
        if (one.group, one.orbit, one.polarisation) == (group, orbit, polarisation):
            return one
    known = sorted(f"{s.orbit}/{s.polarisation}" for s in chips.series if s.group == group)
    raise SampleError(
        f"{group} has no series {orbit}/{polarisation}",
        where=group,
        remedy=f"choose {', '.join(known)}" if known else "`cpazmal dataset show` lists the groups",
    )


def stacked(
    chips: Chips, series: Series, dates: Sequence[int]
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Power and mask (H, W, T) of some dates of a series."""
    shape = (*series.shape, len(dates))
    power, mask = np.empty(shape, np.float32), np.empty(shape, np.uint8)
    for place, date in enumerate(dates):
        power[:, :, place], mask[:, :, place] = chips.read(series, date)
    return power, mask


def days_between(series: Series, start: str | None, end: str | None) -> list[int]:
    """Positions of the dates from `start` to `end` (`YYYYMMDD`, inclusive)."""
    return [
        place
        for place, day in enumerate(series.dates)
        if (start is None or day >= start) and (end is None or day <= end)
    ]
