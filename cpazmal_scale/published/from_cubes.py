"""Polygons on cubes as the chips of a dataset."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.config import NOT_VALID
from cpazmal_scale.errors import SampleError
from cpazmal_scale.grid.edges import PixelEdges
from cpazmal_scale.grid.lattice import TOLERANCE
from cpazmal_scale.published.chips import Group, Orbit, Series
from cpazmal_scale.vocabulary import ordered, polarisations_in

if TYPE_CHECKING:
    import geopandas
    import xarray as xr
    from numpy.typing import NDArray

_FACTS = ("latitude", "longitude", "elevation", "orientation", "slope")


@dataclass(frozen=True, eq=False)
class _Cube:
    """A cube of one orbit, and where its first pixel lies in the orbit's first cube."""

    data: xr.Dataset
    row: int
    column: int


@dataclass(frozen=True, eq=False)
class _Dates:
    """The dates of one orbit and polarisation: what a series says of them, and where they are."""

    where: tuple[tuple[_Cube, int], ...]
    days: tuple[str, ...]
    beams: tuple[str, ...]
    numbers: dict[str, NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class _Source:
    """Where a series' dates are read: (cube, position) each, and the polygon's own pixels."""

    dates: tuple[tuple[_Cube, int], ...]
    corner: tuple[int, int]
    inside: NDArray[np.bool_]


class CubeChips:
    """`Chips` cut out of cubes along polygons, as the authors cut theirs.

    A chip is the bounding box of a polygon; pixels whose centres lie outside it are no data. Cubes
    of one flight direction become one orbit's series, in order of time.
    """

    def __init__(
        self,
        cubes: Sequence[xr.Dataset],
        polygons: geopandas.GeoDataFrame,
        facts: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> None:
        """Plan the chips; no pixel is read.

        Args:
            cubes: as `open_cube` gives them.
            polygons: as `read_polygons` gives them.
            facts: of each group, where known: `number, id, latitude, longitude, elevation,
                orientation, slope`.

        Raises:
            SampleError: cubes of one orbit on several lattices, or two acquisitions of a day.
        """
        self.groups: dict[str, Group] = {}
        self._sources: dict[str, _Source] = {}
        self._outlines: dict[str, Any] = {}
        located = polygons.to_crs("EPSG:4326").geometry.representative_point()
        rows = zip(polygons["class"], polygons["group"], located, polygons.geometry, strict=True)
        for number, (label, name, point, shape) in enumerate(rows, 1):
            group = _group(str(label), str(name), number, point, (facts or {}).get(str(name), {}))
            if group.name in self.groups:
                raise SampleError(f"two groups are called {group.name}", remedy="rename one")
            self.groups[group.name] = group
            self._outlines[group.name] = shape
        self.groups = dict(sorted(self.groups.items()))
        orbits: dict[Orbit, list[xr.Dataset]] = {}
        for cube in cubes:
            orbits.setdefault(_orbit(cube), []).append(cube)
        found = [
            one
            for orbit, members in sorted(orbits.items())
            for one in self._orbit_series(orbit, members, polygons)
        ]
        self.series: tuple[Series, ...] = tuple(sorted(found, key=lambda one: one.path))

    def read(self, series: Series, date: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
        """Power (H, W), linear, NaN for no data; and mask (H, W) of `MASK_BITS`, one date."""
        source = self._sources[series.path]
        cube, place = source.dates[date]
        height, width = series.shape
        top, left = source.corner[0] - cube.row, source.corner[1] - cube.column
        y0, y1 = max(0, top), min(cube.data.sizes["y"], top + height)
        x0, x1 = max(0, left), min(cube.data.sizes["x"], left + width)
        power = np.full(series.shape, np.nan, np.float32)
        mask = np.full(series.shape, NOT_VALID, np.uint8)
        if y0 < y1 and x0 < x1:
            box = cube.data[[series.polarisation, "mask"]].isel(
                time=place, y=slice(y0, y1), x=slice(x0, x1)
            )
            box = box.compute()
            part = slice(y0 - top, y1 - top), slice(x0 - left, x1 - left)
            power[part], mask[part] = box[series.polarisation].to_numpy(), box["mask"].to_numpy()
        power[~source.inside] = np.nan
        mask[~source.inside] = NOT_VALID
        return power, mask

    def _orbit_series(
        self, orbit: Orbit, members: list[xr.Dataset], polygons: geopandas.GeoDataFrame
    ) -> list[Series]:
        first = PixelEdges(members[0])
        cubes = [_aligned(cube, first, orbit) for cube in members]
        area = first.bounds
        for cube in members[1:]:
            area = area.union(PixelEdges(cube).bounds)
        shapes = polygons.to_crs(first.crs).geometry
        channels = ordered({str(p) for cube in members for p in cube.data_vars})
        by_channel = {channel: _dates(cubes, channel, orbit) for channel in channels}
        found = []
        for name, shape in zip(self._outlines, shapes, strict=True):
            if area.intersects(shape):
                corner, inside = _cutline(shape, first)
                for channel, dates in by_channel.items():
                    series = _series(name, orbit, channel, dates, corner, inside, first)
                    self._sources[series.path] = _Source(dates.where, corner, inside)
                    found.append(series)
        return found


def _dates(cubes: Sequence[_Cube], channel: str, orbit: str) -> _Dates:
    """The dates of all cubes on which a polarisation was sent, in order of time."""
    found: list[tuple[str, _Cube, int]] = []
    for cube in cubes:
        days = cube.data["time"].dt.strftime("%Y%m%d").to_numpy().tolist()
        sent = [polarisations_in(one) for one in cube.data["polarisations"].to_numpy()]
        found += [(days[i], cube, i) for i in range(len(days)) if channel in sent[i]]
    found.sort(key=lambda one: one[0])
    days = tuple(day for day, _, _ in found)
    twice = [day for place, day in enumerate(days) if place and days[place - 1] == day]
    if twice:
        raise SampleError(
            f"orbit {orbit} has two acquisitions on {twice[0]}, the layout knows days only",
            remedy="set `beam`, `start` or `end` to leave one out",
        )
    names = ("incidence_angle", "resolution_range", "resolution_azimuth")
    return _Dates(
        where=tuple((cube, place) for _, cube, place in found),
        days=days,
        beams=tuple(str(cube.data.attrs["beam"]) for _, cube, _ in found),
        numbers={
            name: np.array([cube.data[name].to_numpy()[i] for _, cube, i in found], np.float32)
            for name in names
        },
    )


def _series(
    name: str,
    orbit: Orbit,
    channel: str,
    dates: _Dates,
    corner: tuple[int, int],
    inside: NDArray[np.bool_],
    grid: PixelEdges,
) -> Series:
    from affine import Affine

    return Series(
        group=name,
        orbit=orbit,
        polarisation=channel,
        shape=(inside.shape[0], inside.shape[1]),
        dates=dates.days,
        beams=dates.beams,
        passes=("ascending" if orbit == "ASC" else "descending",) * len(dates.days),
        angles=dates.numbers["incidence_angle"],
        resolution_range=dates.numbers["resolution_range"],
        resolution_azimuth=dates.numbers["resolution_azimuth"],
        transform=Affine(
            *(grid.dx, 0.0, grid.left + corner[1] * grid.dx),
            *(0.0, grid.dy, grid.top + corner[0] * grid.dy),
        ),
        crs=grid.crs.to_string(),
    )


def _group(label: str, name: str, position: int, point: Any, facts: Mapping[str, Any]) -> Group:
    """A group under the layout's kind of name: the class, then the number."""
    plain = re.sub(r"[^\w.-]", "_", name)
    plain = plain if plain.startswith(label) else f"{label}{plain}"
    known = {"latitude": point.y, "longitude": point.x, **facts}
    numbers = {key: _number(known.get(key)) for key in _FACTS}
    own = str(facts.get("number") or re.sub(rf"^{re.escape(label)}[_-]?", "", plain))
    identity = _number(facts.get("id"))
    return Group(
        name=plain,
        label=label,
        number=own,
        id=position if math.isnan(identity) else int(identity),
        **numbers,
    )


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _orbit(cube: xr.Dataset) -> Orbit:
    directions = {str(text) for text in cube["pass_direction"].to_numpy().tolist() if text}
    if directions == {"ASC"}:
        return "ASC"
    if directions == {"DSC"}:
        return "DSC"
    raise SampleError(
        "the flight direction is unknown, which the layout needs",
        where=cube.attrs.get("beam"),
        remedy="ingest with ingest.naming.pass_direction or an acquisition table",
    )


def _aligned(cube: xr.Dataset, first: PixelEdges, orbit: str) -> _Cube:
    edges = PixelEdges(cube)
    row, column = (edges.top - first.top) / first.dy, (edges.left - first.left) / first.dx
    off = max(abs(row - round(row)), abs(column - round(column)))
    same = abs(edges.dx / first.dx - 1) < 1e-4 and abs(edges.dy / first.dy - 1) < 1e-4
    if edges.crs != first.crs or not same or off > TOLERANCE:
        raise SampleError(
            f"the cubes of orbit {orbit} lie on several pixel lattices",
            where=cube.attrs.get("beam"),
            remedy="set `beam` to export one of them",
        )
    return _Cube(cube, round(row), round(column))


def _cutline(shape: Any, grid: PixelEdges) -> tuple[tuple[int, int], NDArray[np.bool_]]:
    """Top left pixel of a polygon's box in a grid, and (H, W) the pixels centred inside."""
    from affine import Affine
    from rasterio.features import geometry_mask

    west, south, east, north = shape.bounds
    almost = 1e-6
    rows = (north - grid.top) / grid.dy, (south - grid.top) / grid.dy
    columns = (west - grid.left) / grid.dx, (east - grid.left) / grid.dx
    row, column = math.floor(rows[0] + almost), math.floor(columns[0] + almost)
    size = math.ceil(rows[1] - almost) - row, math.ceil(columns[1] - almost) - column
    start = Affine(grid.dx, 0, grid.left + column * grid.dx, 0, grid.dy, grid.top + row * grid.dy)
    inside = geometry_mask([shape], size, start, invert=True)
    return (row, column), np.asarray(inside, np.bool_)
