"""Chips on one pixel lattice: where each lies, what the dates of a beam are, and their pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.config import NOT_VALID
from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid.lattice import AUTHORS_PIXEL, TOLERANCE
from cpazmal_scale.published.chips import STUDY, Chips, Series
from cpazmal_scale.published.repairs import Account
from cpazmal_scale.scenes import Scene, SceneFile
from cpazmal_scale.vocabulary import ordered

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

READER_VERSION = "cpazmal-hdf5-1"
LARGEST_GRID = 2**30
"""Pixels of the common grid at most."""


@dataclass(frozen=True, eq=False)
class Canvas:
    """The common grid of all chips, and (row, column) in it of each group's, by orbit.

    A chip is never resampled: its values are the file's. Where it was placed by the mean of its
    dates' transforms it moves by half a pixel at most.
    """

    grid: GeoBox
    corners: dict[tuple[str, str], tuple[int, int]]

    def place(self, series: Series) -> tuple[slice, slice]:
        """Rows and columns of a series' chips."""
        row, column = self.corners[series.group, series.orbit]
        return slice(row, row + series.shape[0]), slice(column, column + series.shape[1])


def canvas_of(chips: Chips, account: Account) -> Canvas:
    """Place every chip at the nearest pixel of one lattice.

    The lattice is the authors' where the pixels are theirs, else the first chip's. HV lies on HH's
    top left pixel, as the authors' loader has it.

    Raises:
        SampleError: no chips, several CRS or pixel sizes, or chips too far apart for one grid.
    """
    from affine import Affine
    from odc.geo.geobox import GeoBox

    pixel, origin, crs = _lattice(chips)
    corners: dict[tuple[str, str], tuple[int, int]] = {}
    ends: list[tuple[int, int]] = []
    for series in chips.series:
        key = series.group, series.orbit
        if key not in corners:
            down = (origin[1] - series.transform.f) / pixel[1]
            right = (series.transform.c - origin[0]) / pixel[0]
            corners[key] = round(down), round(right)
            shift = max(abs(down - round(down)), abs(right - round(right)))
            moved = shift > TOLERANCE
            account.add("mean_transform", "/".join(key), int(moved), 1, f"{shift:.2f} pixels")
        row, column = corners[key]
        ends.append((row + series.shape[0], column + series.shape[1]))
    top, left = (min(corner[axis] for corner in corners.values()) for axis in (0, 1))
    bottom, right_end = (max(end[axis] for end in ends) for axis in (0, 1))
    if (bottom - top) * (right_end - left) > LARGEST_GRID:
        raise SampleError(
            f"the chips span {bottom - top} x {right_end - left} pixels",
            remedy="keep one region per file",
        )
    start = origin[0] + left * pixel[0], origin[1] - top * pixel[1]
    transform = Affine(pixel[0], 0, start[0], 0, -pixel[1], start[1])
    grid = GeoBox((bottom - top, right_end - left), transform, crs)
    moved_to = {key: (row - top, column - left) for key, (row, column) in corners.items()}
    return Canvas(grid, moved_to)


def _lattice(chips: Chips) -> tuple[tuple[float, float], tuple[float, float], str]:
    """Pixel, a pixel corner and CRS that all chips share."""
    import pyproj

    if not chips.series:
        raise SampleError("the dataset has no chips")
    first = chips.series[0]
    sizes = np.array([(s.transform.a, -s.transform.e) for s in chips.series])
    middle = np.median(sizes, axis=0)
    crs = {s.crs for s in chips.series}
    if len(crs) > 1 or (abs(sizes / middle - 1) > 0.01).any():
        raise SampleError(
            f"its chips are in {', '.join(sorted(crs))} with pixels of "
            f"{sizes.min():.6g} to {sizes.max():.6g}",
            remedy="convert them to one CRS and pixel first",
        )
    try:
        geographic = pyproj.CRS.from_user_input(first.crs).is_geographic
    except pyproj.exceptions.CRSError:
        raise SampleError(f"`{first.crs[:40]}` is no CRS", where=first.path) from None
    if geographic and (abs(middle / AUTHORS_PIXEL - 1) < 0.002).all():
        return (AUTHORS_PIXEL, AUTHORS_PIXEL), (0.0, 0.0), first.crs
    return (
        (float(middle[0]), float(middle[1])),
        (first.transform.c, first.transform.f),
        first.crs,
    )


def scenes_of(
    chips: Chips, canvas: Canvas, *, url: str, sha256: str, radiometry: str
) -> dict[str, list[Scene]]:
    """One scene per day of every beam, described from the chips that hold it.

    The files know the day, not the time: scenes start at midnight UTC.
    """
    days: dict[tuple[str, str], list[tuple[Series, int]]] = {}
    for series in chips.series:
        for place, (day, beam) in enumerate(zip(series.dates, series.beams, strict=True)):
            days.setdefault((beam, day), []).append((series, place))
    found: dict[str, list[Scene]] = {}
    for (beam, day), members in sorted(days.items()):
        channels = ordered({series.polarisation for series, _ in members})
        scene = Scene(
            id=f"CPAZMaL_{beam}_{day}",
            sensor="PAZ1",
            start=datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC),
            stop=None,
            beam=beam,
            pass_direction=members[0][0].orbit,
            look_side="R",
            polarisations=channels,
            incidence_angle=_median([float(s.angles[place]) for s, place in members]),
            radiometry=radiometry,
            resolution=(
                _median([float(s.resolution_range[place]) for s, place in members]),
                _median([float(s.resolution_azimuth[place]) for s, place in members]),
            ),
            geobox=canvas.grid,
            files=(SceneFile(url, sha256, (*channels, "mask"), canvas.grid),),
            reader_version=READER_VERSION,
        )
        found.setdefault(beam, []).append(scene)
    return found


def _median(values: Sequence[float]) -> float:
    known = [value for value in values if math.isfinite(value) and value > 0]
    return float(np.median(known)) if known else math.nan


class ChipReader:
    """All chips of one scene, read by strips of rows of the canvas.

    Where chips overlap a pixel belongs to the first labelled group, by name, that holds it valid;
    `STUDY` areas come last.
    """

    def __init__(self, chips: Chips, canvas: Canvas, scene: Scene, account: Account) -> None:
        self.chips, self.canvas, self.scene, self.account = chips, canvas, scene, account
        day = f"{scene.start:%Y%m%d}"
        self._members: dict[str, list[tuple[Series, int]]] = {}
        for series in chips.series:
            for place, (date, beam) in enumerate(zip(series.dates, series.beams, strict=True)):
                if (date, beam) == (day, scene.beam):
                    self._members.setdefault(series.group, []).append((series, place))
        labels = {name: chips.groups[name].label for name in self._members}
        self._order = sorted(self._members, key=lambda name: (labels[name] == STUDY, name))
        self._loaded: dict[str, list[tuple[NDArray[np.float32], NDArray[np.uint8]]]] = {}
        self._shared = 0

    def __enter__(self) -> ChipReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._loaded.clear()
        where = f"{self.scene.beam} {self.scene.start:%Y%m%d}"
        self.account.add("overlap", where, self._shared, self._shared)

    def read(self, y0: int, y1: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Rows `y0` to `y1`: power (P, y1 - y0, W), NaN for no data, and mask (y1 - y0, W)."""
        shape = y1 - y0, self.canvas.grid.shape[1]
        power = np.full((len(self.scene.polarisations), *shape), np.nan, np.float32)
        flags = np.zeros(shape, np.uint8)
        for name in self._order:
            self._add(name, y0, y1, power, flags)
        flags[np.isnan(power).all(axis=0)] = NOT_VALID
        return power, flags

    def _add(
        self, name: str, y0: int, y1: int, power: NDArray[np.float32], flags: NDArray[np.uint8]
    ) -> None:
        """Put one group's chips into the strip, where no other group's lie."""
        taken = np.asarray(~np.isnan(power).all(axis=0))
        for number, (series, _) in enumerate(self._members[name]):
            rows, columns = self.canvas.place(series)
            low, high = max(rows.start, y0), min(rows.stop, y1)
            if low >= high:
                self._loaded.pop(name, None)
                continue
            values, bits = self._chips(name)[number]
            inside = slice(low - rows.start, high - rows.start)
            strip: Any = slice(low - y0, high - y0), columns
            valid = np.isfinite(values[inside])
            self._shared += int((valid & taken[strip]).sum())
            free = valid & ~taken[strip]
            channel = self.scene.polarisations.index(series.polarisation)
            np.copyto(power[channel][strip], values[inside], where=free)
            np.bitwise_or(flags[strip], bits[inside], out=flags[strip], where=free)

    def _chips(self, name: str) -> list[tuple[NDArray[np.float32], NDArray[np.uint8]]]:
        if name not in self._loaded:
            members = self._members[name]
            self._loaded[name] = [self.chips.read(series, place) for series, place in members]
        return self._loaded[name]


def outlines(chips: Chips, canvas: Canvas, *, most_dates: int = 9) -> Any:
    """Polygons around the pixels of each group and orbit that are valid on most dates.

    Returns:
        A GeoDataFrame in the canvas' CRS: `class, group, orbit`, the group's `number, id,
        latitude, longitude, elevation, orientation, slope`, and `geometry` along pixel edges.
    """
    import geopandas
    import shapely
    from affine import Affine
    from rasterio.features import shapes

    records = []
    for key, (row, column) in canvas.corners.items():
        members = [s for s in chips.series if (s.group, s.orbit) == key]
        series = next((one for one in members if one.polarisation == "HH"), members[0])
        some = np.unique(np.linspace(0, len(series.dates) - 1, most_dates).round().astype(int))
        valid = np.zeros(series.shape, np.int64)
        for date in some.tolist():
            valid += np.isfinite(chips.read(series, date)[0])
        kept = (2 * valid >= len(some)).astype(np.uint8)
        start = canvas.grid.transform * Affine.translation(column, row)
        found = [shapely.geometry.shape(shape) for shape, _ in shapes(kept, kept == 1, 4, start)]
        if found:
            facts = vars(chips.groups[series.group])
            named = {name: value for name, value in facts.items() if name not in ("name", "label")}
            records.append(
                {
                    "class": chips.groups[series.group].label,
                    "group": series.group,
                    "orbit": series.orbit,
                    **named,
                    "geometry": shapely.MultiPolygon(found),
                }
            )
    if not records:
        raise SampleError("no chip holds a valid pixel", remedy="fetch the file again")
    return geopandas.GeoDataFrame(records, geometry="geometry", crs=str(canvas.grid.crs))
