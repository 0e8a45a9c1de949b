"""Products as a provider delivers them: SSC as flown, MGD detected on ground range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cpazmal_scale.simulate.radar import earth
from cpazmal_scale.simulate.radar.cosar import cosar_bytes, write_cosar
from cpazmal_scale.simulate.radar.earth import LIGHT
from cpazmal_scale.simulate.radar.georef import grid_of, located
from cpazmal_scale.simulate.radar.georef_xml import georef_document
from cpazmal_scale.simulate.radar.images import Backscatter, Noise, Reflector, strips
from cpazmal_scale.simulate.radar.passes import View
from cpazmal_scale.simulate.radar.product import Product, Raster
from cpazmal_scale.simulate.radar.product_xml import product_document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

MGD_SPACING = 4.0
"""Metres on the ground between pixels of a detected product."""
_SECONDS = 7
_DEGREE, _POINTS = 3, 65
_LARGEST = 65_535


@dataclass(frozen=True)
class Delivery:
    """What is written of a pass.

    `positions` and `heights` say whether the geolocation grid has rows and columns, and heights:
    the provider's schema allows to leave them out.
    """

    variant: Literal["SSC", "MGD"] = "SSC"
    sensor: str = "PAZ1"
    orbit: int = 1
    positions: bool = True
    heights: bool = True
    scatterers: float = 6.0


def product_name(view: View, delivery: Delivery) -> str:
    """Name of a product: satellite, kind, mode and times."""
    flown = view.flown
    mode = "S" if len(flown.polarisations) == 1 else "D"
    kind = "SSC______" if delivery.variant == "SSC" else "MGD_RE___"
    stop = flown.start + timedelta(seconds=_SECONDS)
    return (
        f"{delivery.sensor}_SAR__{kind}SM_{mode}_SRA_"
        f"{flown.start:%Y%m%dT%H%M%S}_{stop:%Y%m%dT%H%M%S}"
    )


def deliver(
    folder: Path,
    view: View,
    ground: Backscatter,
    noise: tuple[Noise, ...],
    delivery: Delivery,
    *,
    seed: int,
    reflectors: tuple[Reflector, ...] = (),
) -> Path:
    """Write one product into a folder and return its main XML file, which is written last."""
    name = product_name(view, delivery)
    home = folder / name
    for part in ("ANNOTATION", "IMAGEDATA"):
        (home / part).mkdir(parents=True, exist_ok=True)
    image = np.concatenate(
        list(
            strips(
                view,
                ground,
                noise,
                seed=seed,
                reflectors=reflectors,
                scatterers=delivery.scatterers,
            )
        ),
        axis=1,
    )
    detected = delivery.variant == "MGD"
    if detected:
        raster, images = _write_mgd(home / "IMAGEDATA", view, image, noise)
    else:
        raster, images = _write_ssc(home / "IMAGEDATA", view, image)
    product = Product(name, delivery.sensor, delivery.orbit, raster, images, noise, detected)
    georef = georef_document(
        view, grid_of(view), positions=delivery.positions, heights=delivery.heights
    )
    (home / "ANNOTATION" / "GEOREF.xml").write_bytes(georef)
    main = home / f"{name}.xml"
    main.write_bytes(product_document(view, product))
    return main


Written = tuple[Raster, tuple[tuple[str, int], ...]]


def _write_ssc(folder: Path, view: View, image: NDArray[np.complex64]) -> Written:
    sensor, files = view.sensor, []
    for band, name in zip(image, view.flown.polarisations, strict=True):
        path = folder / f"IMAGE_{name}_SRA_{view.flown.beam}.cos"
        with path.open("wb") as file:
            write_cosar(file, [band], view.lines, view.samples)
        files.append((path.name, cosar_bytes(view.lines, view.samples)))
    raster = Raster("SSC", view.lines, view.samples, sensor.line_step, sensor.sample_step)
    return raster, tuple(files)


def _write_mgd(
    folder: Path, view: View, image: NDArray[np.complex64], noise: tuple[Noise, ...]
) -> Written:
    """Mean power of the complex samples under each pixel, noise removed, as amplitudes."""
    import rasterio

    reference, coefficients, tau, metres = _ground_range(view)
    width = int(metres[-1] / MGD_SPACING) + 1
    edges = np.clip((np.arange(width + 1) - 0.5) * MGD_SPACING, 0, metres[-1])
    places = (np.interp(edges, metres, tau) - view.sensor.near) / view.sensor.sample_step
    height, spacing = _azimuth(view)
    rows = np.arange(height + 1) - 0.5
    rows = np.clip(rows, 0, height - 1) * (view.lines - 1) / (height - 1)
    down, along = _boxes(rows, view.lines), _boxes(places, view.samples)
    flipped = view.flown.direction == "ASC"
    files = []
    range_time = view.sensor.near + np.arange(view.samples) * view.sensor.sample_step
    for number, (band, name) in enumerate(zip(image, view.flown.polarisations, strict=True)):
        power = np.abs(band).astype(np.float64) ** 2
        if noise:
            one = noise[number]
            power -= np.polynomial.polynomial.polyval(range_time - one.reference, one.coefficients)
        mean = np.maximum(down @ power @ along.T, 0)
        values = np.clip(np.rint(np.sqrt(mean)), 0, _LARGEST).astype(np.uint16)
        path = folder / f"IMAGE_{name}_SRA_{view.flown.beam}.tif"
        profile: dict[str, Any] = {"driver": "GTiff", "dtype": "uint16", "count": 1}
        profile |= {"crs": "EPSG:4326", "gcps": _corners(view, height, width, flipped)}
        with rasterio.open(path, "w", height=height, width=width, **profile) as out:
            out.write(values[::-1] if flipped else values, 1)
        files.append((path.name, path.stat().st_size))
    looks = view.lines / height, view.samples / width
    ground = (reference, coefficients)
    raster = Raster("MGD", height, width, spacing, MGD_SPACING, looks, ground, flipped)
    return raster, tuple(files)


def _ground_range(view: View) -> tuple[float, tuple[float, ...], Array, Array]:
    """Cubic of the ground range at mid-scene on the mean height, and range times with theirs."""
    sensor = view.sensor
    tau = sensor.near + np.linspace(0, view.samples - 1, _POINTS) * sensor.sample_step
    u = np.full_like(tau, sensor.first + view.lines / 2 * sensor.line_step)
    r = (tau - view.range_delay) * LIGHT / 2
    places = view.ground(u, r, np.full_like(u, view.height))
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    metres = np.concatenate([[0.0], np.cumsum(steps)])
    scale = float(np.ptp(tau))
    fitted = np.polynomial.polynomial.polyfit((tau - sensor.near) / scale, metres, _DEGREE)
    coefficients = tuple(float(c) / scale**n for n, c in enumerate(fitted))
    at: Any = np.polynomial.polynomial.polyval(tau - sensor.near, coefficients)
    return sensor.near, coefficients, tau, at


def _azimuth(view: View) -> tuple[int, float]:
    """Lines of a detected image, and metres between them: the first and last are the scene's."""
    sensor = view.sensor
    lon, lat, _ = earth.geodetic(
        view.ground(
            np.array([sensor.first, sensor.first + (view.lines - 1) * sensor.line_step]),
            np.full(2, (sensor.near - view.range_delay) * LIGHT / 2),
            np.full(2, view.height),
        )
    )
    ends = earth.earth_fixed(lon, lat, np.full(2, view.height))
    length = float(np.linalg.norm(ends[1] - ends[0]))
    height = math.floor(length / MGD_SPACING) + 1
    return height, length / (height - 1)


def _corners(view: View, height: int, width: int, flipped: bool) -> list[Any]:
    """Ground control points of a detected image's corners."""
    from rasterio.control import GroundControlPoint

    sensor = view.sensor
    late, far = (view.lines - 1) * sensor.line_step, (view.samples - 1) * sensor.sample_step
    t, tau = np.array([0.0, 0.0, late, late]), sensor.near + np.array([0.0, far, 0.0, far])
    lon, lat, level, _ = located(view, t, tau)
    rows = np.where((t > 0) == flipped, 0.5, height - 0.5)
    cols = np.where(tau > sensor.near, width - 0.5, 0.5)
    values = zip(rows, cols, lon, lat, level, strict=True)
    return [GroundControlPoint(*(float(one) for one in place)) for place in values]


def _boxes(edges: Array, count: int) -> Any:
    """Sparse matrix of means over edges[i]..edges[i + 1], sample k spanning k − ½ to k + ½."""
    from scipy.sparse import csr_matrix

    rows, cols, shares = [], [], []
    for number, (low, high) in enumerate(pairwise(edges)):
        inside = np.arange(
            max(math.floor(low + 0.5), 0), min(math.floor(high + 0.5), count - 1) + 1
        )
        part = np.minimum(high, inside + 0.5) - np.maximum(low, inside - 0.5)
        rows += [number] * len(inside)
        cols += inside.tolist()
        shares += (part / part.sum()).tolist()
    return csr_matrix((shares, (rows, cols)), shape=(len(edges) - 1, count))
