"""Areas with intervals: units drawn from a map, and what their interpretation says of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale import catalog
from cpazmal_scale.errors import SampleError
from cpazmal_scale.execute import Execution
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages import workspace

if TYPE_CHECKING:
    import geopandas
    import pandas as pd
    from numpy.typing import NDArray

    from cpazmal_scale.assess import AreaEstimate
    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.mapping import Source

SQUARE_METRES_PER_KM2 = 1e6


def design(
    config: RunConfig,
    name: str,
    *,
    units: int | None = None,
    standard_error: float = 0.01,
    users: float = 0.8,
) -> geopandas.GeoDataFrame:
    """Draw units from a map, at random within each of its classes, to be interpreted.

    Args:
        config: the run; its seed rules the draw.
        name: of a map of classes in the catalog.
        units: how many; none: as many as `standard_error` needs.
        standard_error: of the overall accuracy.
        users: user's accuracy expected of every class.

    Returns:
        One point per unit, see `assess.units.points`.

    Raises:
        StoreMissing: the catalog has no map of this name.
        SampleError: too few units for the map's classes.
    """
    from cpazmal_scale.assess import FLOOR, allocate, draw_units, place_units, sample_size

    source = _source(config, name)
    pixels, mapped = _mapped(source)
    present = int((mapped > 0).sum())
    wanted = units or max(sample_size(mapped, np.full_like(mapped, users), standard_error), 1)
    floor = min(FLOOR, wanted // max(present, 1))
    drawn = draw_units(_strips(source), pixels, allocate(mapped, wanted, floor=floor), config.seed)
    grid = source.grid.geobox
    return place_units(drawn, grid.transform, str(grid.crs), source.id, config.seed)


def estimate(
    config: RunConfig,
    name: str,
    reference: str,
    *,
    progress: Progress | None = None,
) -> tuple[AreaEstimate, pd.DataFrame | None]:
    """Unbiased areas (km²) and accuracies of a map's classes with 95 % intervals.

    Args:
        config: the run; with `after.outlines`, glaciers are estimated one by one too.
        name: of a map of classes in the catalog.
        reference: interpreted units of `design`; or a reference raster (uint8, tag `classes`), at
            which units are drawn and read.
        progress: called with pixels done and pixels in all.

    Returns:
        The whole map's estimate, and a table by `zone` and `class` with `units`, `mapped_km2`,
        `km2` and its 95 % interval, `km2_low` to `km2_high`; NaN where a mapped class has fewer
        than two units in the zone. None without outlines.

    Raises:
        StoreMissing: the catalog has no map of this name.
        SampleError: the units are not this map's, are incomplete, or too few.
    """
    from cpazmal_scale.assess import count_units, estimate_areas, label_units, read_units

    source = _source(config, name)
    if reference.lower().endswith((".tif", ".tiff")):
        table = label_units(design(config, name), reference)
    else:
        table = read_units(reference, source.id)
    table = table.assign(mapped=_classes_at(source, table))
    classes, counts = count_units(table["mapped"], table["reference"], source.recipe.classes)
    mapped = np.zeros(len(classes))
    mapped[: len(source.recipe.classes)] = _mapped(source, progress)[1] / SQUARE_METRES_PER_KM2
    whole = estimate_areas(counts, mapped, classes)
    if config.after.outlines is None:
        return whole, None
    return whole, _by_zone(config, source, table, progress)


def _source(config: RunConfig, name: str) -> Source:
    from cpazmal_scale.mapping import open_source

    return open_source(workspace.url_of(config, catalog.entry(config.workspace, name)))


def _strips(source: Source) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    from cpazmal_scale.grid.blocks import Block

    height, width = source.shape
    for y in range(0, height, source.chunk):
        yield y, source.read("class", Block(y, min(y + source.chunk, height), 0, width))


def _mapped(
    source: Source, progress: Progress | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Pixels and m² of each class."""
    classes = range(1, len(source.recipe.classes) + 1)
    pixels = np.zeros(len(classes), np.int64)
    square_metres = np.zeros(len(classes))
    for top, codes in _strips(source):
        rows = np.stack([(codes == value).sum(axis=1) for value in classes])
        pixels += rows.sum(axis=1)
        square_metres += rows @ source.row_areas[top : top + len(codes)]
        if progress is not None:
            progress((top + len(codes)) * source.shape[1], source.shape[0] * source.shape[1])
    return pixels, square_metres


def _classes_at(source: Source, table: geopandas.GeoDataFrame) -> list[str]:
    rows, columns = (table[axis].to_numpy(np.int64) for axis in ("row", "column"))
    height, width = source.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    values = source.at("class", rows, columns) if inside.all() else np.zeros(1)
    classes = source.recipe.classes
    if ((values < 1) | (values > len(classes))).any():
        raise SampleError(
            "a unit lies where the map has no class",
            where=source.url,
            remedy="use units that were drawn from this map",
        )
    return [classes[int(value) - 1] for value in values]


def _by_zone(
    config: RunConfig, source: Source, table: geopandas.GeoDataFrame, progress: Progress | None
) -> pd.DataFrame:
    import pandas as pd

    from cpazmal_scale.grid.outlines import read_outlines
    from cpazmal_scale.mapping import by_zone

    outlines = read_outlines(str(config.after.outlines), source.grid, config.after.zone)
    inside = table.sjoin(outlines.table, predicate="within")
    rows = []
    for zone in by_zone(config, source.url, Execution(progress=progress)).to_dict("records"):
        units = inside[inside["zone"] == zone["zone"]]
        mapped = [float(zone[f"{code}_km2"]) for code in source.recipe.classes]
        rows += _zone_rows(str(zone["zone"]), source.recipe.classes, mapped, units)
    return pd.DataFrame(rows)


def _zone_rows(
    zone: str, known: tuple[str, ...], mapped: list[float], units: geopandas.GeoDataFrame
) -> list[dict[str, object]]:
    from cpazmal_scale.assess import count_units, estimate_areas

    classes, counts = count_units(units["mapped"], units["reference"], known)
    sizes = np.array([*mapped, *[0.0] * (len(classes) - len(known))])
    nothing = np.full(len(classes), np.nan)
    km2, ends = nothing, np.stack([nothing, nothing], axis=1)
    if ((counts.sum(axis=1) >= 2) | (sizes == 0)).all() and sizes.any():
        found = estimate_areas(counts, sizes, classes)
        km2, ends = found.areas, found.areas_95
    return [
        {
            "zone": zone,
            "class": code,
            "units": int(counts[i].sum()),
            "mapped_km2": float(sizes[i]),
            "km2": float(km2[i]),
            "km2_low": float(ends[i, 0]),
            "km2_high": float(ends[i, 1]),
        }
        for i, code in enumerate(classes)
    ]
