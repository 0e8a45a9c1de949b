"""Passes over mountains in every geometry that a processor has to be right in, with their truth."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

import numpy as np

from cpazmal_scale.simulate.given.streams import generator
from cpazmal_scale.simulate.given.tables import NOISE_FLOOR_DB
from cpazmal_scale.simulate.radar import earth
from cpazmal_scale.simulate.radar.deliver import Delivery, deliver
from cpazmal_scale.simulate.radar.earth import LIGHT
from cpazmal_scale.simulate.radar.elevation import write_elevation
from cpazmal_scale.simulate.radar.images import Reflector, noise_of
from cpazmal_scale.simulate.radar.mountain import Site, backscatter_at, mountain_at
from cpazmal_scale.simulate.radar.passes import Pass, View, aim, positions
from cpazmal_scale.simulate.radar.pixels import heights
from cpazmal_scale.simulate.radar.truth import Frame, truth_of, write_layer, write_truth

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TUBE = 250.0
"""Metres within which the orbit repeats."""
JITTER = 1e-6
"""Seconds by which the annotated azimuth shift differs between dates."""
REPEAT = timedelta(days=11)
SECTION = 2_700.0
"""Radar cross-section (m²) of a reflector: 40 dB above ground of −9 dB in one sample."""
_MARGIN = 1_500.0
_FIRST = datetime(2021, 2, 7, 5, 44, 28, 250_000, tzinfo=UTC)
_INSIDE = 0.1


@dataclass(frozen=True)
class Case:
    """One geometry with `reflectors` bright points; `beam` names the seasons of the tables, angles
    are degrees.
    """

    crs: str
    lon: float
    lat: float
    direction: Literal["ASC", "DSC"] = "DSC"
    side: Literal["R", "L"] = "R"
    incidence: float = 37.4
    beam: str = "DSC37"
    delivery: Delivery = field(default_factory=Delivery)
    reflectors: int = 5


_ALPS = Case("EPSG:32632", 6.954, 45.92)
CASES: dict[str, Case] = {
    "DSC-R": _ALPS,
    "ASC-R": replace(_ALPS, direction="ASC", incidence=44.6, beam="ASC45"),
    "DSC-L": replace(_ALPS, side="L"),
    "south": replace(_ALPS, crs="EPSG:32759", lon=170.15, lat=-43.6),
    "60N": replace(_ALPS, lon=7.3, lat=60.1, delivery=Delivery(sensor="TSX1")),
    "zone-edge": replace(_ALPS, lon=6.001, lat=45.3, delivery=Delivery(sensor="TDX1")),
    "MGD-flipped": replace(
        _ALPS,
        direction="ASC",
        incidence=44.6,
        beam="ASC45",
        delivery=Delivery("MGD", positions=False, heights=False),
    ),
}
"""Right- and left-looking, both directions, both hemispheres, a zone's edge, a turned-over MGD."""


@dataclass(frozen=True)
class Simulated:
    """What was written: main XML files by date, and the views and site they come from."""

    folder: Path
    site: Site
    views: tuple[View, ...]
    products: tuple[Path, ...]
    reflectors: tuple[Reflector, ...]


def simulate_case(
    folder: Path,
    case: Case,
    *,
    size: float = 2_000.0,
    dates: int = 1,
    seed: int = 42,
    polarisations: tuple[str, ...] = ("HH",),
    clocks: Mapping[int, tuple[float, float]] = MappingProxyType({}),
    truth: bool = True,
) -> Simulated:
    """Write products, DEMs and truth of one geometry.

    `scenes/` holds the products; `dem_ellipsoid.tif` heights above the ellipsoid, `dem.tif` those
    above `geoid.tif`; `truth/` the reflectors, γ0 of every date, and, for the first one, line,
    sample, local incidence, area ratio and mask of every pixel.

    Args:
        folder: Where to write.
        case: The geometry.
        size: Metres of the image along azimuth and on the ground along range.
        dates: Number of passes, 11 days apart, within the orbit's tube.
        seed: Of everything random.
        polarisations: Of every pass.
        clocks: Of dates (numbers from 0) whose clock is wrong, see `Pass.clock`.
        truth: Whether to write the layers of the first date, which take as long as a product.
    """
    site = mountain_at(case.crs, case.lon, case.lat, size + 2 * _MARGIN, seed=seed)
    passes = passes_of(case, dates, seed, polarisations, clocks)
    views = tuple(aim(case.crs, site.surface, site.patch, one, (size, size)) for one in passes)
    bright = standing(site, views[0], case.reflectors)
    products = []
    for view in views:
        ground = backscatter_at(site, view.flown.start, case.beam, polarisations)
        noise = tuple(noise_of(view, 10 ** (NOISE_FLOOR_DB / 10)) for _ in polarisations)
        products.append(
            deliver(
                folder / "scenes", view, ground, noise, case.delivery, seed=seed, reflectors=bright
            )
        )
        for name, values in zip(polarisations, ground.gamma, strict=True):
            stamp = f"{view.flown.start:%Y%m%dT%H%M%S}"
            write_layer(folder / "truth" / f"gamma0_{name}_{stamp}.tif", site.frame, values)
    write_elevation(folder, site.frame, site.surface)
    _write_reflectors(folder / "truth" / "reflectors.csv", bright, views)
    if truth:
        write_truth(folder / "truth", truth_of(views[0], frame_of(site, views[0]), seed=seed))
    return Simulated(folder, site, views, tuple(products), bright)


def passes_of(
    case: Case,
    dates: int,
    seed: int,
    polarisations: tuple[str, ...] = ("HH",),
    clocks: Mapping[int, tuple[float, float]] = MappingProxyType({}),
) -> tuple[Pass, ...]:
    """Passes of one geometry, each on its own way through the tube."""
    random = generator(seed, "tube", case.direction, case.side, case.lat)
    made = []
    for number in range(dates):
        tube = tuple(float(one) for one in random.uniform(-TUBE, TUBE, 2) / math.sqrt(2))
        jitter = float(random.uniform(-JITTER, JITTER))
        made.append(
            Pass(
                start=_FIRST
                + number * REPEAT
                + timedelta(microseconds=int(random.integers(10**5))),
                beam="strip_008",
                direction=case.direction,
                side=case.side,
                incidence=case.incidence,
                polarisations=polarisations,
                resolution_range=2.9,
                resolution_azimuth=3.3,
                tube=(tube[0], tube[1]) if number else (0.0, 0.0),
                shift=-180e-6 + jitter,
                clock=clocks.get(number, (0.0, 0.0)),
            )
        )
    return tuple(made)


def frame_of(site: Site, view: View) -> Frame:
    """The map grid around an image: the part of a site's grid that it can reach."""
    outer = site.frame
    line, sample = _laid(site, view)
    inside = (line >= 0) & (line < view.lines) & (sample >= 0) & (sample < view.samples)
    rows, cols = np.nonzero(inside)
    edge = math.ceil(_MARGIN / 3 / outer.pixel)
    first = max(int(rows.min()) * _THIN, edge), max(int(cols.min()) * _THIN, edge)
    last = (
        min((int(rows.max()) + 1) * _THIN, outer.rows - edge),
        min((int(cols.max()) + 1) * _THIN, outer.cols - edge),
    )
    left, top = outer.left + first[1] * outer.pixel, outer.top - first[0] * outer.pixel
    shape = last[0] - first[0], last[1] - first[1]
    return Frame(outer.crs, left, top, outer.pixel, *shape)


_THIN = 16
"""Pixels of a site's grid between places that are looked at to find what an image reaches."""


def _laid(site: Site, view: View) -> tuple[Array, Array]:
    x, y = np.meshgrid(site.frame.x[::_THIN], site.frame.y[::_THIN])
    lon, lat = earth.to_degrees(view.crs, x, y)
    return positions(view, lon, lat, heights(view.surface, x, y))


def standing(site: Site, view: View, count: int = 5) -> tuple[Reflector, ...]:
    """Reflectors on the ground from the lowest to the highest that an image shows well inside."""
    line, sample = _laid(site, view)
    share = np.minimum(line / view.lines, sample / view.samples)
    far = np.maximum(line / view.lines, sample / view.samples)
    inside = (share > _INSIDE) & (far < 1 - _INSIDE)
    x, y = (part[inside] for part in np.meshgrid(site.frame.x[::_THIN], site.frame.y[::_THIN]))
    z = heights(view.surface, x, y)
    order = np.argsort(z)
    chosen = order[np.linspace(0, len(order) - 1, count).astype(int)]
    lon, lat = earth.to_degrees(view.crs, x[chosen], y[chosen])
    found = zip(lon, lat, z[chosen], strict=True)
    return tuple(
        Reflector(f"CR{number}", float(a), float(b), float(c), SECTION)
        for number, (a, b, c) in enumerate(found, start=1)
    )


def aloft(view: View, levels: tuple[float, ...]) -> tuple[Reflector, ...]:
    """Reflectors at heights of one's own choice (m), on a diagonal of the image."""
    sensor = view.sensor
    share = np.linspace(0.2, 0.8, len(levels))
    t = share * view.lines * sensor.line_step
    tau = sensor.near + share * view.samples * sensor.sample_step
    r = (tau - view.range_delay) * LIGHT / 2
    lon, lat, height = earth.geodetic(view.ground(view.annotated(t), r, np.array(levels)))
    return tuple(
        Reflector(f"CR{number}", float(a), float(b), float(c), SECTION)
        for number, (a, b, c) in enumerate(zip(lon, lat, height, strict=True), start=1)
    )


def _write_reflectors(path: Path, bright: tuple[Reflector, ...], views: tuple[View, ...]) -> None:
    """Where reflectors stand, and line and sample (from 0) of each in every complex image."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lon, lat, height = (
        np.array([getattr(one, name) for one in bright]) for name in ("lon", "lat", "height")
    )
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(("name", "start", "lon", "lat", "height", "section", "line", "sample"))
        for view in views:
            placed = zip(bright, *positions(view, lon, lat, height), strict=True)
            for one, line, sample in placed:
                place = f"{one.lon:.10f}", f"{one.lat:.10f}", f"{one.height:.4f}", one.section
                start = f"{view.flown.start:%Y-%m-%dT%H:%M:%S.%f}"
                writer.writerow((one.name, start, *place, f"{line:.4f}", f"{sample:.4f}"))
