"""What the products of a beam see of their ground: where it is kept, and its computation."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.config import identity
from cpazmal_scale.scenes.level1b.product import METHOD, Product
from cpazmal_scale.scenes.level1b.reader import open_product
from cpazmal_scale.scenes.scene import Scene
from cpazmal_scale.terrain import layers
from cpazmal_scale.terrain.coordinates import continuous
from cpazmal_scale.terrain.elevation import Dem, open_dem
from cpazmal_scale.terrain.ground import around, plan_ground
from cpazmal_scale.terrain.places import covered

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.execute import Executor
    from cpazmal_scale.progress import Progress
    from cpazmal_scale.scenes.level1b.geolocation import Geolocation


def with_ground(scene: Scene, folder: str, grid: GeoBox) -> Scene:
    """A scene whose products on an elevation raster know where their beam's ground is kept.

    Args:
        scene: Any scene.
        folder: Of all grounds of its beam.
        grid: Of the beam's cube.
    """
    files = []
    for file in scene.files:
        product = file.product
        if product is not None and product.dem is not None and product.in_radar_geometry:
            url = storage.join(folder, _name(product, product.dem, grid))
            file = replace(file, product=replace(product, ground=url))
        files.append(file)
    return replace(scene, files=tuple(files))


def _name(product: Product, dem: Dem, grid: GeoBox) -> str:
    crs = grid.crs.to_epsg() if grid.crs is not None else None
    place = [crs or str(grid.crs), list(grid.shape), list(grid.transform)[:6]]
    return identity(METHOD, layers.LAYOUT, product.dem_sha256, dem.vertical, dem.sea, place)


def needs_ground(scene: Scene) -> Product | None:
    """A product of a scene whose beam's ground is still to be computed, if any."""
    for file in scene.files:
        product = file.product
        if product is not None and product.ground and not layers.is_finished(product.ground):
            return product
    return None


def check_ground(scenes: Iterable[Scene], grid: GeoBox) -> None:
    """Look whether heights are known under a cube, where its beam's ground is not computed yet.

    Raises:
        DemError: they are for less than half of it, or some mark missing heights untold.
    """
    product = next(filter(None, map(needs_ground, scenes)), None)
    if product is not None and product.dem is not None:
        with open_product(product, grid) as reader:
            known = _known(reader.geolocation, grid)
        with open_dem(product.dem) as elevation:
            covered(elevation, grid, known)


def kept_ground(scene: Scene) -> str:
    """Where what a scene's beam sees of its ground is kept; empty: nowhere, or not computed."""
    urls = [one.product.ground for one in scene.files if one.product and one.product.ground]
    return next(filter(layers.is_finished, urls), "")


def note_of_ground(scene: Scene, grid: GeoBox) -> str:
    """What the elevation raster lacks under a cube, in words; empty: nothing, or not computed."""
    url = kept_ground(scene)
    unknown, beyond = layers.lacking(url) if url else (0, 0)
    pixels = int(grid.shape[0]) * int(grid.shape[1])
    parts = [f"{unknown} pixels ({unknown / pixels:.1%}) have no height"] if unknown else []
    if beyond:
        parts.append(
            f"{beyond} pixels ({beyond / pixels:.1%}) may share a radar cell with ground beyond "
            "the elevation raster or lie in its shadow"
        )
    return f"{' and '.join(parts)}: flagged no_dem" if parts else ""


def before_ground(scene: Scene) -> Scene:
    """The scene with γ0 for γ0_T, and without masks, where its beam's ground is not computed yet.

    It shows the same structures at the same places.
    """
    files = []
    for file in scene.files:
        product = file.product
        if product is not None and product.ground and not layers.is_finished(product.ground):
            file = replace(file, product=product.before_ground())
        files.append(file)
    return replace(scene, files=tuple(files))


def compute_ground(
    product: Product, grid: GeoBox, executor: Executor, progress: Progress | None = None
) -> None:
    """Compute what a beam sees of the ground under a cube, from the orbit of one of its products.

    Raises:
        DemError: the elevation raster cannot be used.
    """
    assert product.dem is not None
    with open_product(product, grid) as reader:
        geolocation = reader.geolocation
    made = plan_ground(
        product.ground,
        product.dem,
        grid,
        geolocation.orbit,
        first=geolocation.first,
        side=geolocation.side,
        reference=geolocation.mean_height,
        known=_known(geolocation, grid),
    )
    layers.compute(made, executor, progress)


def _known(geolocation: Geolocation, grid: GeoBox) -> tuple[float, float] | None:
    """Lowest and highest of a product's own heights on and around a map; None where it has none."""
    lon, lat = around(grid)
    lon = continuous(lon)
    own = geolocation.grid
    near = np.abs((own.lon - lon.mean() + 180) % 360 - 180) <= np.ptp(lon) / 2
    near &= np.abs(own.lat - lat.mean()) <= np.ptp(lat) / 2
    heights = geolocation.heights[near]
    return (float(heights.min()), float(heights.max())) if heights.size else None
