"""Measure the offset of a plan's scenes from the others of their cube, from the images."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.cube.format.placement import place
from cpazmal_scale.cube.format.record import Record
from cpazmal_scale.cube.read.dataset import open_cube
from cpazmal_scale.grid.shift import Shift, measure_shift
from cpazmal_scale.scenes import Scene, SceneReader, before_ground
from cpazmal_scale.vocabulary import CO_POLARISED

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

EDGE = 512
"""Edge in pixels of the part in the middle that is looked at."""
MOST_OTHERS = 12
"""Dates whose mean stands for the stack."""


def measure_shifts(
    scenes: list[Scene], among: list[Scene], grid: GeoBox, record: Record | None
) -> dict[str, Shift | None]:
    """Shift of each scene against the mean of the others and of the cube's dates, by id.

    Args:
        scenes: to be measured, one polarisation of each.
        among: all new scenes of the cube, these included.
        grid: of the cube.
        record: the cube as it is; none: it is new.

    Returns:
        None for a scene that cannot be measured: no others, little in common, or no structure.
    """
    area = middle(among, grid)
    if area is None:
        return {scene.id: None for scene in scenes}
    # Evenly over the period, for what changes with the season must not stand for the place.
    step = max(1, len(among) // MOST_OTHERS)
    others = {scene.id: image_of(scene, grid, area) for scene in among[::step]}
    total = np.zeros((area[0].stop - area[0].start, area[1].stop - area[1].start))
    count = np.zeros(total.shape, np.int64)
    for image in (*others.values(), *images_of_cube(record, area)):
        here = np.isfinite(image)
        total[here] += image[here]
        count += here
    found: dict[str, Shift | None] = {}
    for scene in scenes:
        own = others.get(scene.id)
        image = image_of(scene, grid, area) if own is None else own
        here = np.isfinite(image) if own is not None else np.zeros(image.shape, bool)
        rest = count - here
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (total - np.where(here, image, 0)) / rest
        found[scene.id] = measure_shift(image, mean.astype(np.float32)) if rest.any() else None
    return found


def middle(scenes: list[Scene], grid: GeoBox) -> tuple[slice, slice] | None:
    """The middle of what all scenes cover; none where that is next to nothing."""
    places = [place(scene, grid, resample=True) for scene in scenes]
    area = []
    for low, high in (
        (max(one.rows[0] for one in places), min(one.rows[1] for one in places)),
        (max(one.columns[0] for one in places), min(one.columns[1] for one in places)),
    ):
        if high - low < EDGE // 8:
            return None
        start = low + max(0, high - low - EDGE) // 2
        area.append(slice(start, min(high, start + EDGE)))
    return area[0], area[1]


def image_of(scene: Scene, grid: GeoBox, area: tuple[slice, slice]) -> NDArray[np.float32]:
    """Logarithms of a scene's power in an area of the grid, NaN for no data."""
    part = grid[area]
    with SceneReader(before_ground(scene), part, resample=True) as reader:
        power, _ = reader.read(0, part.shape[0])
    return _logarithm(power[0])


def images_of_cube(
    record: Record | None, area: tuple[slice, slice]
) -> Iterator[NDArray[np.float32]]:
    """The same of dates of a cube, evenly over its period."""
    if record is None or not record.length:
        return
    cube = open_cube(record.url)
    name = next(one for one in (*CO_POLARISED, *cube.data_vars) if one in cube)
    step = max(1, record.length // MOST_OTHERS)
    for index in range(0, record.length, step):
        values = cube[name].isel(time=index, y=area[0], x=area[1]).to_numpy()
        yield _logarithm(values)


def _logarithm(power: NDArray[np.float32]) -> NDArray[np.float32]:
    values = np.full(power.shape, np.nan, np.float32)
    np.log(power, out=values, where=power > 0)
    return values
