"""How many looks the pixels of a map have, of a complex image whose processing is annotated.

Speckle of a homogeneous surface is a complex Gaussian process. Its samples have the correlation ρ
that the spectrum gives, whose amplitude is the annotated window over the annotated bandwidth. A
pixel is a mean of powers with weights w that sum to 1, so that 1/ENL = Σ (w⋆w)(k) |ρ(k)|² over
distances k between samples.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.scenes.level1b.geocode import Sampling
from cpazmal_scale.scenes.level1b.placing import ground_spacing

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.scenes.level1b.annotation import Annotation
    from cpazmal_scale.scenes.level1b.product import Product
    from cpazmal_scale.scenes.scene import Scene

    Array = NDArray[np.float64]

_PHASES = 64
"""Places of a pixel's centre between looks that are averaged over, along both axes."""
_PLAIN = ("NONE", "RECTANGULAR")
"""Names of windows that leave a spectrum as it is."""


def equivalent_looks(scene: Scene, grid: GeoBox) -> float | None:
    """Equivalent number of looks of the pixels that are made of a complex product on a grid.

    It is that of flat, homogeneous ground at scene centre; noise is left out. None: a raster, a
    detected or map image, whose looks are the provider's, or a window whose shape is not known.
    """
    product = scene.files[0].product
    return None if product is None else _looks(product, grid)


def _looks(product: Product, grid: GeoBox) -> float | None:
    """See `equivalent_looks`."""
    annotation = product.annotation
    raster, done = annotation.raster, annotation.processing
    if not annotation.is_complex:
        return None
    shared = [
        _correlation(window, band * step)
        for window, band, step in (
            (done.azimuth_window, done.azimuth_look_bandwidth, raster.line_spacing),
            (done.range_window, done.range_look_bandwidth, raster.sample_spacing),
        )
    ]
    spacing = ground_spacing(annotation)
    sampling = Sampling.between(spacing, grid, product.settings.resampling)
    within = _places(annotation, grid, spacing, sampling.places)
    # A pixel's place between looks along one axis does not depend on that along the other.
    pairs = np.ones((sampling.places**2,) * 2)
    for places, correlation, looks in zip(within, shared, sampling.looks, strict=True):
        if correlation is None:
            return None
        pairs *= _shared(places, correlation, looks)
    return round(float(1 / pairs.mean()), 3)


def _correlation(window: tuple[str, float], band: float) -> Callable[[Array], Array] | None:
    """|ρ(k)|² of samples k apart, whose spectrum fills `band` of what they sample; None: unknown.

    `window` is the name and coefficient α of the spectrum's amplitude, α + (1 − α) cos 2πf/B.
    """
    name, share = window
    share = 1.0 if name.upper() in _PLAIN else share
    if name.upper() not in ("HAMMING", *_PLAIN) or not (0 < band <= 1 and 0.5 <= share <= 1):
        return None
    # The square of the window has three terms, each of which transforms into shifted sincs.
    terms = share**2 + (1 - share) ** 2 / 2, share * (1 - share), (1 - share) ** 2 / 4

    def of(distance: Array) -> Array:
        at = band * distance
        rho = terms[0] * np.sinc(at)
        for order in (1, 2):
            rho = rho + terms[order] * (np.sinc(at - order) + np.sinc(at + order))
        return np.asarray((rho / terms[0]) ** 2, np.float64)

    return of


def _places(
    annotation: Annotation, grid: GeoBox, spacing: tuple[float, float], places: int
) -> tuple[Array, Array]:
    """Lines and samples (n²) of the places of a pixel, from its centre."""
    from pyproj import Geod, Transformer

    centre = annotation.centre
    across = 90 if annotation.look_side == "R" else -90
    lon, lat, _ = Geod(ellps="WGS84").fwd(
        [centre.lon] * 3,
        [centre.lat] * 3,
        [0, annotation.heading, annotation.heading + across],
        [0, *spacing],
    )
    x, y = Transformer.from_crs("EPSG:4326", str(grid.crs), always_xy=True).transform(lon, lat)
    column, row = ~grid.transform * (np.asarray(x), np.asarray(y))
    steps = np.array([column[1:] - column[0], row[1:] - row[0]])
    inside = (np.arange(places) + 0.5) / places - 0.5
    down, right = (axis.ravel() for axis in np.meshgrid(inside, inside, indexing="ij"))
    line, sample = np.linalg.solve(steps, np.stack([right, down]))
    return line, sample


def _shared(places: Array, correlation: Callable[[Array], Array], looks: int) -> Array:
    """Mean |ρ|² (n, n) along one axis between the samples of the looks that places (n) lie in."""
    phases = (np.arange(_PHASES) + 0.5) / _PHASES
    cells = np.floor(places / looks + phases[:, None])
    apart = cells[:, :, None] - cells[:, None, :]
    inside = np.arange(looks)
    offsets = inside[:, None] - inside
    samples = apart[..., None, None] * looks + offsets
    mean: Array = correlation(samples).mean(axis=(0, 3, 4))
    return mean
