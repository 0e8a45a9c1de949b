"""Layers of a map as Cloud-Optimised GeoTIFF: colour table, class names, overviews."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.errors import ConfigError, ModelMismatch
from cpazmal_scale.grid.cf import grid_of
from cpazmal_scale.legend import Legend
from cpazmal_scale.mapping.classify.acquired import used
from cpazmal_scale.mapping.classify.recipe import Recipe
from cpazmal_scale.mapping.classify.store import (
    CALIBRATION,
    classified_by,
    legend_of,
    made_of,
    open_map,
    withheld,
)
from cpazmal_scale.mapping.refine.periods import NAME as COMPARED
from cpazmal_scale.mapping.refine.periods import compared
from cpazmal_scale.mapping.show.styles import category_names, qgis_classes, qgis_grey
from cpazmal_scale.palette import NO_DATA as NO_DATA_COLOUR
from cpazmal_scale.palette import REJECTED as REJECTED_COLOUR
from cpazmal_scale.palette import rgb
from cpazmal_scale.vocabulary import NO_DATA, NOTHING, REJECTED

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import NDArray

CONFIDENCE = "confidence"
"""The layer that a map does not store: the winning class's probability, in per cent."""
_SHARES = ("probability", "entropy", "margin", CONFIDENCE)
_UNIT = np.float32(1e-4)
_CACHE = 64 << 20
_PERCENT = 100


def to_cog(map_url: str, tif_url: str, *, layer: str = "class") -> str:
    """Write one layer of a finished map as a Cloud-Optimised GeoTIFF.

    `class` (uint8, 255 no data) holds 1…C and 254 with a colour table, class names as band tags
    and, in a `.aux.xml` beside it, as GDAL category names and attribute table; overviews hold the
    most frequent class. `confidence` is the winning class's probability in per cent (uint8, 255 no
    data). Every other layer has the values of `xr.open_zarr(map_url)` (float32, NaN no data; dates
    uint8), `probability` one band for each class. Their overviews hold means. A `.qml` beside the
    file is its style in QGIS.

    The file is made row of chunks by row of chunks on local disk and put in place in one step.

    Args:
        map_url: a finished map.
        tif_url: file to write, any fsspec URL.
        layer: `confidence`, or a variable of the map.

    Returns:
        `tif_url`.

    Raises:
        ConfigError: the map has no such layer.
        ModelMismatch: a layer of probabilities, of a map that withholds them.
        StoreError: the map is not finished, or the address cannot be written.
    """
    data = open_map(map_url)
    recipe, named = Recipe.model_validate_json(data.attrs["recipe"]), legend_of(data)
    _require(data, layer, recipe, map_url)
    with storage.local_scratch() as folder:
        plain, cog = folder / "plain.tif", folder / "cog.tif"
        limits = _write_plain(data, plain, recipe, named, layer)
        _copy_to_cog(plain, cog, "mode" if layer == "class" else "average")
        if layer == "class":
            storage.write_bytes(f"{tif_url}.aux.xml", category_names(named))
        style = qgis_classes(named) if layer == "class" else qgis_grey(*limits)
        storage.write_bytes(f"{tif_url.removesuffix('.tif')}.qml", style)
        storage.upload(cog, tif_url)
    return tif_url


def layers_of(data: xr.Dataset) -> tuple[str, ...]:
    """What `to_cog` writes of a map."""
    own = tuple(str(name) for name in data.data_vars if data[name].dims[-2:] == ("y", "x"))
    return (*own, CONFIDENCE) if "probability" in own else own


def _require(data: xr.Dataset, layer: str, recipe: Recipe, map_url: str) -> None:
    if layer in layers_of(data):
        return
    if recipe.withheld and layer in _SHARES:
        raise ModelMismatch(
            f"it has no probabilities: {recipe.withheld}", where=map_url, remedy="export `class`"
        )
    raise ConfigError(
        f"the map has no layer {layer}",
        where=map_url,
        remedy=f"choose among {', '.join(layers_of(data))}",
    )


def _write_plain(
    data: xr.Dataset, path: Path, recipe: Recipe, named: Legend, layer: str
) -> tuple[float, float]:
    """Write a layer without overviews; the least and the largest value that are drawn."""
    import rasterio

    grid = grid_of(data)
    height, width = grid.shape
    stored = data["class" if layer == CONFIDENCE else layer]
    whole, bands = stored.dtype == np.uint8, _bands(data, layer)
    profile: dict[str, Any] = {
        "driver": "GTiff",
        "dtype": "uint8" if whole else "float32",
        "count": len(bands),
        "height": height,
        "width": width,
        "crs": rasterio.CRS.from_user_input(str(grid.crs)),
        "transform": grid.transform,
        "nodata": stored.attrs.get("_FillValue") if whole else math.nan,
        "tiled": True,
        "blockxsize": 512,
        "blockysize": 512,
        "interleave": "band",
        "bigtiff": "if_safer",
    }
    top = 1.0
    with _quiet(), rasterio.open(path, "w", **profile) as file:
        for rows, part in _parts(data, layer):
            window = rasterio.windows.Window(0, rows.start, width, rows.stop - rows.start)
            for band, values in enumerate(part, 1):
                file.write(values, band, window=window)
                top = max(top, float(np.nanmax(values, initial=top)))
        file.update_tags(
            title=data.attrs["title"],
            id=data.attrs["id"],
            software=data.attrs["software"],
            channels=used(data, recipe),
            dates=f"{recipe.dates[0][:10]}/{recipe.dates[-1][:10]}",
            classes=json.dumps(dict(enumerate(recipe.classes, 1))),
            method=classified_by(data.attrs, recipe),
            model=recipe.model,
            cube=f"{recipe.cube} {recipe.cube_state}",
            **made_of(data.attrs),
            **withheld(recipe),
            **_periods(data),
            **({CALIBRATION: text} if (text := data.attrs.get(CALIBRATION)) else {}),
        )
        for band, name in enumerate(bands, 1):
            file.set_band_description(band, name)
            file.update_tags(band, **_said(data, layer))
        if layer == "class":
            file.write_colormap(1, _colour_table(named))
            file.update_tags(1, **_tags(named))
    return 0.0, float(_PERCENT) if layer == CONFIDENCE else top


def _periods(data: xr.Dataset) -> dict[str, str]:
    """The tag of a map of change: first and last day and number of dates, before and after."""
    both = [f"{one.first}/{one.last} ({one.dates} dates)" for one in compared(data.attrs)]
    return {COMPARED: " -> ".join(both)} if both else {}


def _bands(data: xr.Dataset, layer: str) -> list[str]:
    if layer == CONFIDENCE or data[layer].ndim == 2:
        return [layer]
    return [f"{layer} of {code}" for code in data["class_name"].values]


def _said(data: xr.Dataset, layer: str) -> dict[str, str]:
    """Tags of a band: what its values are."""
    if layer == CONFIDENCE:
        return {"units": "percent"}
    attributes = data[layer].attrs
    return {name: attributes[name] for name in ("long_name", "units") if name in attributes}


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


def _parts(data: xr.Dataset, layer: str) -> Iterator[tuple[slice, NDArray[Any]]]:
    """Values (bands, rows, width) of a layer, row of chunks by row of chunks."""
    for rows in rows_of(data["class"]):
        if layer == CONFIDENCE:
            yield rows, _confidence(data["probability"][:, rows].values)[None]
            continue
        values = data[layer][..., rows, :].values
        part = values[None] if values.ndim == 2 else values
        yield rows, _fractions(part) if part.dtype == np.uint16 else part


def _fractions(values: NDArray[np.uint16]) -> NDArray[np.float32]:
    """Stored shares as fractions, NaN no data."""
    return np.where(values == NOTHING, np.float32(np.nan), values * _UNIT)


def _confidence(probability: NDArray[np.uint16]) -> NDArray[np.uint8]:
    best = probability.max(axis=0)
    percent = (best.astype(np.uint32) * _PERCENT + 5000) // 10000
    return np.where(best == NOTHING, NO_DATA, percent).astype(np.uint8)


def _colour_table(legend: Legend) -> dict[int, tuple[int, int, int, int]]:
    table = {
        value: (*rgb(legend.colours[code]), 255) for value, code in enumerate(legend.classes, 1)
    }
    return {**table, REJECTED: (*rgb(REJECTED_COLOUR), 255), NO_DATA: (*rgb(NO_DATA_COLOUR), 0)}


def _tags(legend: Legend) -> dict[str, str]:
    named = {f"CLASS_{value}": legend.label(c) for value, c in enumerate(legend.classes, 1)}
    return {**named, f"CLASS_{REJECTED}": "rejected", f"CLASS_{NO_DATA}": "no data"}
