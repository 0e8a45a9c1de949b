"""A scene's mean power in few pixels, for cards and quick-looks."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.config import MASK_BITS
from cpazmal_scale.execute import SerialExecutor
from cpazmal_scale.scenes.level1b.geocode import cell_mean
from cpazmal_scale.scenes.level1b.ground import compute_ground
from cpazmal_scale.scenes.level1b.product import Product
from cpazmal_scale.scenes.level1b.reader import open_product
from cpazmal_scale.scenes.reading import SceneReader
from cpazmal_scale.scenes.scene import Scene

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

ROWS = 512


@dataclass(frozen=True, eq=False)
class Overview:
    """Mean power (P, h, w) float32 of `step`² pixels, NaN for no-data; and their grid.

    Products are not flattened: γ0 is that of the ellipsoid. `flattened` is γ0_T of one that is to
    be, with the ground's area in pixels of this size. `limited` is the share of valid pixels that
    are noise-limited.
    """

    power: NDArray[np.float32]
    geobox: GeoBox
    step: int
    limited: float
    flattened: NDArray[np.float32] | None = None


def overview(scene: Scene, edge: int = 900) -> Overview:
    """A scene with its longer side in at most `edge` pixels.

    Raises:
        SceneUnreadable: a part cannot be decoded.
    """
    step = max(1, math.ceil(max(scene.geobox.shape) / edge))
    if len(scene.files) == 1 and scene.files[0].product is not None:
        return _of_product(scene, step)
    return _of_rasters(scene, step)


def _coarse(scene: Scene, step: int) -> GeoBox:
    from affine import Affine
    from odc.geo.geobox import GeoBox

    height, width = (-(-side // step) for side in scene.geobox.shape)
    return GeoBox((height, width), scene.geobox.transform * Affine.scale(step), scene.geobox.crs)


def _of_product(scene: Scene, step: int) -> Overview:
    """Geocoded straight onto the coarse grid, where the image is averaged as it is read."""
    product = scene.files[0].product
    assert product is not None
    geobox = _coarse(scene, step)
    if not product.in_radar_geometry:
        return _of_rasters(scene, step)
    flattened = None
    if product.radiometry == "gamma0_T":
        flattened = _flattened(product, geobox)
    power, flags = _read(product.before_ground(), geobox)
    return Overview(power, geobox, step, _limited(power, flags), flattened)


def _flattened(product: Product, geobox: GeoBox) -> NDArray[np.float32]:
    """γ0_T by what the product sees of the ground in the pixels of a coarse grid."""
    with storage.local_scratch() as folder:
        product = replace(product, ground=str(folder))
        compute_ground(product, geobox, SerialExecutor())
        return _read(product, geobox)[0]


def _read(product: Product, geobox: GeoBox) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    rows, columns = (slice(0, edge) for edge in geobox.shape)
    with open_product(product, geobox) as reader:
        return reader.read(rows, columns)


def _of_rasters(scene: Scene, step: int) -> Overview:
    geobox = _coarse(scene, step)
    rows = max(1, ROWS // step) * step
    strips, limited = [], []
    with SceneReader(scene, scene.geobox, resample=True) as reader:
        for y in range(0, scene.geobox.shape[0], rows):
            power, flags = reader.read(y, min(scene.geobox.shape[0], y + rows))
            limited.append(_limited(power, flags))
            beyond = [(0, -side % step) for side in power.shape[1:]]
            padded = np.pad(power, [(0, 0), *beyond], constant_values=np.nan)
            strips.append(np.stack([cell_mean(one, (step, step)) for one in padded]))
    return Overview(np.concatenate(strips, axis=1), geobox, step, float(np.mean(limited)))


def _limited(power: NDArray[np.float32], flags: NDArray[np.uint8]) -> float:
    valid = ~np.isnan(power).all(axis=0)
    dark = (flags & MASK_BITS["noise_limited"]) > 0
    return float((dark & valid).sum() / max(1, int(valid.sum())))
