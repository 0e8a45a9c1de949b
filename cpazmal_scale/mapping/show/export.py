"""A map as Cloud-Optimised GeoTIFF: colour table, class names, overviews."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.config.methods import method
from cpazmal_scale.errors import ModelMismatch
from cpazmal_scale.grid.cf import grid_of
from cpazmal_scale.legend import Legend
from cpazmal_scale.mapping.classify.acquired import used
from cpazmal_scale.mapping.classify.recipe import Recipe
from cpazmal_scale.mapping.classify.store import (
    CALIBRATION,
    legend_of,
    made_of,
    open_map,
    withheld,
)
from cpazmal_scale.mapping.show.styles import category_names, qgis_classes, qgis_percent
from cpazmal_scale.palette import NO_DATA as NO_DATA_COLOUR
from cpazmal_scale.palette import REJECTED as REJECTED_COLOUR
from cpazmal_scale.palette import rgb
from cpazmal_scale.vocabulary import NO_DATA, REJECTED

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

Layer = Literal["class", "confidence"]

_CACHE = 64 << 20
_PERCENT = 100


def to_cog(map_url: str, tif_url: str, *, layer: Layer = "class") -> str:
    """Write one layer of a finished map as a Cloud-Optimised GeoTIFF (uint8, 255 no data).

    `class` holds 1…C and 254 with a colour table, class names as band tags and, in a `.aux.xml`
    beside it, as GDAL category names and attribute table; overviews hold the most frequent class.
    `confidence` is the winning class's probability in per cent, its overviews the mean. A `.qml`
    beside either is its style in QGIS.

    The file is made row of chunks by row of chunks on local disk and put in place in one step.

    Returns:
        `tif_url`.

    Raises:
        ModelMismatch: the confidence of a map whose probabilities are withheld.
        StoreError: the map is not finished, or the address cannot be written.
    """
    data = open_map(map_url)
    recipe, named = Recipe.model_validate_json(data.attrs["recipe"]), legend_of(data)
    if layer == "confidence" and recipe.withheld:
        raise ModelMismatch(
            f"it has no probabilities: {recipe.withheld}", where=map_url, remedy="export `class`"
        )
    with tempfile.TemporaryDirectory(prefix="cpazmal-") as folder:
        plain, cog = Path(folder) / "plain.tif", Path(folder) / "cog.tif"
        _write_plain(data, plain, recipe, named, layer)
        _copy_to_cog(plain, cog, "mode" if layer == "class" else "average")
        if layer == "class":
            storage.write_bytes(f"{tif_url}.aux.xml", category_names(named))
        style = qgis_classes(named) if layer == "class" else qgis_percent()
        storage.write_bytes(f"{tif_url.removesuffix('.tif')}.qml", style)
        storage.upload(cog, tif_url)
    return tif_url


def _write_plain(data: xr.Dataset, path: Path, recipe: Recipe, named: Legend, layer: Layer) -> None:
    import rasterio

    grid = grid_of(data)
    height, width = grid.shape
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": "uint8",
        "count": 1,
        "height": height,
        "width": width,
        "crs": rasterio.CRS.from_user_input(str(grid.crs)),
        "transform": grid.transform,
        "nodata": NO_DATA,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "bigtiff": "if_safer",
    }
    values = _classes if layer == "class" else _confidence
    with _quiet(), rasterio.open(path, "w", **profile) as file:
        for rows, part in values(data):
            window = rasterio.windows.Window(0, rows.start, width, rows.stop - rows.start)
            file.write(part, 1, window=window)
        file.update_tags(
            title=data.attrs["title"],
            id=data.attrs["id"],
            software=data.attrs["software"],
            channels=used(data, recipe),
            dates=f"{recipe.dates[0][:10]}/{recipe.dates[-1][:10]}",
            classes=json.dumps(dict(enumerate(recipe.classes, 1))),
            method=method(recipe.method).name,
            model=recipe.model,
            cube=f"{recipe.cube} {recipe.cube_state}",
            **made_of(data.attrs),
            **withheld(recipe),
            **({CALIBRATION: text} if (text := data.attrs.get(CALIBRATION)) else {}),
        )
        file.set_band_description(1, layer)
        if layer == "class":
            file.write_colormap(1, _colour_table(named))
            file.update_tags(1, **_tags(named))
        else:
            file.update_tags(1, units="percent")


def _copy_to_cog(plain: Path, cog: Path, resampling: str) -> None:
    import rasterio.shutil

    with _quiet():
        rasterio.shutil.copy(
            plain,
            cog,
            driver="COG",
            compress="deflate",
            level=6,
            blocksize=512,
            overview_resampling=resampling,
            bigtiff="if_safer",
        )


def _quiet() -> Any:
    import rasterio

    # GDAL's default cache is a share of the machine's memory, whatever a worker may use.
    return rasterio.Env(GDAL_CACHEMAX=_CACHE, GDAL_NUM_THREADS="1")


def rows_of(array: xr.DataArray) -> Iterator[slice]:
    """Row ranges of the chunks of a stored array."""
    edge = array.encoding["chunks"][-2]
    height = array.shape[-2]
    for start in range(0, height, edge):
        yield slice(start, min(start + edge, height))


def _classes(data: xr.Dataset) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
    for rows in rows_of(data["class"]):
        yield rows, data["class"][rows].values


def _confidence(data: xr.Dataset) -> Iterator[tuple[slice, NDArray[np.uint8]]]:
    for rows in rows_of(data["probability"]):
        best = data["probability"][:, rows].values.max(axis=0)
        percent = (best.astype(np.uint32) * _PERCENT + 5000) // 10000
        yield rows, np.where(best == 65535, NO_DATA, percent).astype(np.uint8)


def _colour_table(legend: Legend) -> dict[int, tuple[int, int, int, int]]:
    table = {
        value: (*rgb(legend.colours[code]), 255) for value, code in enumerate(legend.classes, 1)
    }
    return {**table, REJECTED: (*rgb(REJECTED_COLOUR), 255), NO_DATA: (*rgb(NO_DATA_COLOUR), 0)}


def _tags(legend: Legend) -> dict[str, str]:
    named = {f"CLASS_{v}": f"{c} {legend.name(c)}" for v, c in enumerate(legend.classes, 1)}
    return {**named, f"CLASS_{REJECTED}": "rejected", f"CLASS_{NO_DATA}": "no data"}
