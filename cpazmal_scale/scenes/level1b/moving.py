"""Scenes moved onto the others of their cube: their delays changed, and the change named."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from cpazmal_scale.scenes.level1b.reader import open_product
from cpazmal_scale.scenes.scene import Scene

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.scenes.level1b.product import Product

    Array = NDArray[np.float64]

_TOLD = re.compile(r"moved by (\S+) s along azimuth and (\S+) s in range")


def movable(scene: Scene) -> Product | None:
    """The product by which a scene may be moved, if it may."""
    products = [file.product for file in scene.files]
    return next((one for one in products if one is not None and one.may_move), None)


def moved(scene: Scene, delay: tuple[float, float]) -> Scene:
    """The scene with so many seconds more delay, along azimuth and in two-way range."""
    files = []
    for file in scene.files:
        product = file.product
        if product is not None and product.may_move:
            late, far = product.delay[0] + delay[0], product.delay[1] + delay[1]
            file = replace(file, product=replace(product, delay=(late, far)))
        files.append(file)
    return replace(scene, files=tuple(files))


def told(scene: Scene) -> str:
    """By how much a scene was moved, in words that `as_told` reads; empty: it was not."""
    product = movable(scene)
    if product is None or product.delay == (0.0, 0.0):
        return ""
    late, far = product.delay
    return f"moved by {late!r} s along azimuth and {far!r} s in range"


def as_told(scene: Scene, words: str) -> Scene:
    """The scene moved by what a cube says of its date."""
    found = _TOLD.search(words)
    return moved(scene, (float(found[1]), float(found[2]))) if found else scene


def image_times(product: Product, grid: GeoBox) -> tuple[Array, Array]:
    """Azimuth and two-way range times (h, w) at which a product shows the pixels of a grid."""
    rows, columns = (slice(0, edge) for edge in grid.shape)
    with open_product(product, grid) as reader:
        return reader.nodes.window(rows, columns).times(reader.ground.heights(grid, rows, columns))
