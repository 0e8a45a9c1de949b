"""The geolocation grid of a Level-1b product (`ANNOTATION/GEOREF.xml`)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import COPY_AGAIN, SceneUnreadable
from cpazmal_scale.scenes.level1b.annotation import MAX_EDGE
from cpazmal_scale.scenes.untrusted import xml
from cpazmal_scale.scenes.untrusted.xml import Node

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIELDS = ("t", "tau", "inc", "lat", "lon")
_OPTIONAL = ("height", "row", "col")


@dataclass(frozen=True, eq=False)
class GeoGrid:
    """Points on a grid regular in azimuth time and range time, arrays (azimuth, range) float64.

    `t` are seconds after `reference_time`; `tau` two-way range seconds, reference included; `inc`
    the incidence angle in degrees; `lat`, `lon` degrees WGS84; `height` metres above the ellipsoid;
    `row` and `col` positions in the SSC image as annotated, counted from 1 and cut to whole
    numbers; these three are optional in the format: none. `range_delay` (s) and `azimuth_shift` (s)
    are the sums of the annotated corrections; a `range_delay` of none is not annotated.
    """

    reference_time: datetime
    t: NDArray[np.float64]
    tau: NDArray[np.float64]
    inc: NDArray[np.float64]
    lat: NDArray[np.float64]
    lon: NDArray[np.float64]
    height: NDArray[np.float64] | None
    row: NDArray[np.float64] | None
    col: NDArray[np.float64] | None
    range_delay: float | None
    azimuth_shift: float
    last_leap_second: datetime | None

    @property
    def shape(self) -> tuple[int, int]:
        """Points along azimuth and range."""
        height, width = self.t.shape
        return height, width

    @property
    def lines(self) -> NDArray[np.float64]:
        """Azimuth times of the grid's lines, seconds after `reference_time`."""
        times: NDArray[np.float64] = self.t[:, 0]
        return times

    @property
    def samples(self) -> NDArray[np.float64]:
        """Range times of the grid's columns, two-way seconds."""
        times: NDArray[np.float64] = self.tau[0]
        return times


def read_georef(data: bytes, *, where: object) -> GeoGrid:
    """The geolocation grid in the bytes of a GEOREF.xml.

    An ingest opens a product several times; the same bytes are parsed once. Nobody writes to the
    arrays.

    Raises:
        SceneUnreadable: see `parse` of XML and `parse_georef`.
    """
    try:
        return _kept(data)
    except SceneUnreadable:
        return parse_georef(xml.parse(data, where=where))


@functools.lru_cache(maxsize=8)
def _kept(data: bytes) -> GeoGrid:
    return parse_georef(xml.parse(data, where=""))


def parse_georef(root: Node) -> GeoGrid:
    """The geolocation grid in the root element of a GEOREF.xml.

    Raises:
        SceneUnreadable: no geolocation grid, points are missing, malformed or off the earth, or the
            grid is not regular.
    """
    if root.tag != "geoReference":
        raise _unreadable(f"its root is <{root.tag}>, not <geoReference>", root)
    grid = root.one("geolocationGrid")
    shape = tuple(
        grid.integer(f"numberOfGridPoints/{axis}", least=2, most=MAX_EDGE)
        for axis in ("azimuth", "range")
    )
    values: dict[str, Any] = _points(grid, (shape[0], shape[1]))
    tau = values.pop("tau") + grid.number("gridReferenceTime/tauReferenceTime")
    values |= {name: _optional(grid, name, (shape[0], shape[1])) for name in _OPTIONAL}
    leap = root.maybe("referenceFrames/time/lastLeapSecondUTC")
    found = GeoGrid(
        reference_time=grid.time("gridReferenceTime/tReferenceTimeUTC"),
        range_delay=_sum(root, "rangeDelay"),
        azimuth_shift=_sum(root, "azimuthShift") or 0.0,
        last_leap_second=None if leap is None else leap.time(),
        tau=tau,
        **values,
    )
    _check(found, root)
    return found


def _points(grid: Node, shape: tuple[int, int]) -> dict[str, NDArray[np.float64]]:
    table = _table(grid, shape, _FIELDS)
    return {name: table[..., number].copy() for number, name in enumerate(_FIELDS)}


def _optional(grid: Node, name: str, shape: tuple[int, int]) -> NDArray[np.float64] | None:
    """A field of all points that the format leaves out at will; None where a point lacks it."""
    if any(point.find(name) is None for point in grid.element.iterfind("gridPoint")):
        return None
    return _table(grid, shape, (name,))[..., 0].copy()


def _table(grid: Node, shape: tuple[int, int], fields: tuple[str, ...]) -> NDArray[np.float64]:
    elements = grid.element.findall("gridPoint")
    if len(elements) != shape[0] * shape[1]:
        raise _unreadable(f"{len(elements)} grid points, not {shape[0]} x {shape[1]}", grid)
    table = np.full((*shape, len(fields)), np.nan)
    try:
        for element in elements:
            place = int(element.attrib["iaz"]) - 1, int(element.attrib["irg"]) - 1
            if min(place) < 0:
                raise IndexError
            table[place] = [float(element.findtext(name, "")) for name in fields]
    except (KeyError, ValueError, IndexError):
        raise _unreadable("a grid point lacks its place or a number", grid) from None
    if not np.isfinite(table).all():
        raise _unreadable("a grid point is missing, or given twice or as NaN", grid)
    return table


def _sum(root: Node, name: str) -> float | None:
    """Sum of the constant terms of all corrections of a kind; None where there is none."""
    terms = list(root.all(f"signalPropagationEffects/{name}"))
    if not terms:
        return None
    total = [term for term in terms if term.attribute("source") == "TOTAL"] or terms
    return sum(term.number("coefficient[@exponent='0']", 0.0) for term in total)


def _check(grid: GeoGrid, root: Node) -> None:
    steps = np.diff(grid.t, axis=0), np.diff(grid.tau, axis=1)
    skew = np.ptp(grid.t, axis=1).max(), np.ptp(grid.tau, axis=0).max()
    if any(step.min() <= 0 for step in steps) or any(
        s > 0.01 * step.min() for s, step in zip(skew, steps, strict=True)
    ):
        raise _unreadable("the grid is not regular in azimuth and range time", root)
    bounds = {"inc": (5, 75), "lat": (-90, 90), "lon": (-180, 360), "height": (-1000, 10_000)}
    for name, (low, high) in bounds.items():
        values = getattr(grid, name)
        if values is None:
            continue
        if values.min() < low or values.max() > high:
            raise _unreadable(
                f"{name} runs from {values.min():g} to {values.max():g}, beyond {low} to {high}",
                root,
            )


def _unreadable(what: str, node: Node) -> SceneUnreadable:
    return SceneUnreadable(what, where=node.where, remedy=COPY_AGAIN)
