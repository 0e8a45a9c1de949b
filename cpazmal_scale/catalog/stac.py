"""STAC Items of cubes and maps: plain JSON that any STAC tool finds, shows and opens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import storage
from cpazmal_scale.catalog.stac_fields import footprint, projection, radar
from cpazmal_scale.errors import ModelMismatch, StoreDamaged, StoreMissing
from cpazmal_scale.legend import Legend
from cpazmal_scale.mapping import (
    Recipe,
    acquired,
    acquired_by,
    classified_by,
    compared_periods,
    legend_of,
    open_map,
    used,
)
from cpazmal_scale.vocabulary import REJECTED
from cpazmal_scale.words import channels, coefficient

if TYPE_CHECKING:
    import xarray as xr

_EXTENSIONS = {
    "proj": "https://stac-extensions.github.io/projection/v2.0.0/schema.json",
    "sar": "https://stac-extensions.github.io/sar/v1.3.2/schema.json",
    "sat": "https://stac-extensions.github.io/sat/v1.1.0/schema.json",
    "view": "https://stac-extensions.github.io/view/v1.0.0/schema.json",
    "processing": "https://stac-extensions.github.io/processing/v1.2.0/schema.json",
    "classification": "https://stac-extensions.github.io/classification/v2.0.0/schema.json",
    "zarr": "https://stac-extensions.github.io/zarr/v1.0.0/schema.json",
}

_ZARR = "application/vnd.zarr"
_BESIDE = {
    ".tif": (
        "cog",
        "image/tiff; application=geotiff; profile=cloud-optimized",
        "Classes",
        "visual",
    ),
    ".png": ("thumbnail", "image/png", "Picture with legend and scale bar", "thumbnail"),
    ".html": ("viewer", "text/html", "Viewer for any browser", "overview"),
    ".json": ("summary", "application/json", "Blocks, pixels, areas and times", "metadata"),
}
"""Files beside a map that become assets if they are there: key, type, title, role."""


def stac_item(url: str, *, cube_url: str | None = None, base: str | None = None) -> dict[str, Any]:
    """The STAC 1.1 Item of a finished map or of a cube.

    Args:
        url: the map or the cube.
        cube_url: a map's cube, which tells what radar and geometry it was made from.
        base: folder of the item, to which its links are relative; none: the product's folder.

    Returns:
        Plain JSON values: footprint and bbox in WGS 84, first and last acquisition, `proj:` grid,
        `sar:`, `sat:` and `view:` fields as far as they are known, assets that exist.

    Raises:
        StoreMissing: neither a map nor a cube is there.
        StoreError: the map is not finished.
        ModelMismatch: the cube lacks one of the map's dates.
    """
    from cpazmal_scale.cube import open_cube

    folder = base if base is not None else _parent(url)
    if not _is_map(url):
        return _cube_item(open_cube(url), url, folder)
    data = open_map(url)
    recipe = Recipe.model_validate_json(data.attrs["recipe"])
    cube = None
    if cube_url is not None:
        cube = open_cube(cube_url)
        chosen = np.isin(cube["time"].values, np.array(recipe.dates, "datetime64[ns]"))
        if chosen.sum() != len(recipe.dates):
            raise ModelMismatch(
                "this cube lacks dates of the map", where=cube_url, remedy="give the map's own cube"
            )
        cube = cube.isel(time=chosen)
    return _map_item(data, recipe, cube, url, folder)


def _is_map(url: str) -> bool:
    """Whether a product is a map, by the one attribute that cubes do not have."""
    try:
        root = storage.read_json(storage.join(url, "zarr.json"))
    except StoreMissing:
        raise StoreMissing(
            "no map and no cube is here", where=url, remedy="check the address"
        ) from None
    except StoreDamaged:
        return False  # the reader of cubes says what is wrong with it
    return isinstance(root, dict) and "recipe" in root.get("attributes", {})


def write_stac(url: str, item_url: str, *, cube_url: str | None = None) -> str:
    """Write the item of a map or a cube, with links relative to where it is.

    Returns:
        `item_url`.

    Raises:
        StoreMissing: neither a map nor a cube is there.
        StoreError: the map is not finished, or the address cannot be written.
    """
    storage.write_json(item_url, stac_item(url, cube_url=cube_url, base=_parent(item_url)))
    return item_url


def _cube_item(cube: xr.Dataset, url: str, folder: str) -> dict[str, Any]:
    times = cube["time"].dt.strftime("%Y-%m-%dT%H:%M:%SZ").values
    held = acquired(cube, cube.attrs["polarisations"])
    properties = {
        "title": cube.attrs.get("title", "Backscatter time series"),
        "description": f"Backscatter ({coefficient(cube.attrs['radiometry'])}; "
        f"{channels(held, len(times))}) of {len(times)} acquisitions of one viewing geometry, "
        f"{cube.attrs['beam']}, with layover and shadow masks.",
        **radar(cube, [name for name, dates in held.items() if dates]),
        **_software(cube.attrs),
    }
    assets = {"zarr": _zarr_asset(url, folder, "Backscatter and mask (time, y, x)", "data")}
    # A cube grows; its content names the item, so that an item is never wrong about its dates.
    name = f"cube-{cube.attrs['beam']}-{cube.attrs['state']}"
    return _item(name, cube, (str(times.min()), str(times.max())), properties, assets)


def _map_item(
    data: xr.Dataset, recipe: Recipe, cube: xr.Dataset | None, url: str, folder: str
) -> dict[str, Any]:
    period = recipe.dates[0] + "Z", recipe.dates[-1] + "Z"
    legend = legend_of(data)
    named = ", ".join(legend.name(code) for code in legend.order)
    polarisations = [name for name, dates in acquired_by(data, recipe).items() if dates]
    chances = "" if recipe.withheld else " with probabilities"
    known = f" Probabilities were {said}." if (said := data.attrs.get("calibration")) else ""
    without = f" Probabilities are withheld: {recipe.withheld}." if recipe.withheld else known
    periods = compared_periods(data.attrs)
    without += f" It compares {periods}." if periods else ""
    told = {"sar:polarizations": polarisations}
    if cube is not None:
        told = radar(cube, polarisations)
    properties = {
        "title": data.attrs["title"],
        "description": f"One class per pixel ({named}){chances}, from "
        f"{len(recipe.dates)} radar acquisitions ({used(data, recipe)}), by "
        f"{classified_by(data.attrs, recipe)}.{without}",
        **told,
        **_software(data.attrs),
        "classification:classes": _classes(legend),
    }
    title = f"Class,{' probabilities, entropy, margin,' if chances else ''} distance, valid dates"
    assets = {"zarr": _zarr_asset(url, folder, title, "data")}
    stem = url.removesuffix(".zarr")
    for suffix, (key, media, name, role) in _BESIDE.items():
        if storage.exists(stem + suffix):
            href = _relative(stem + suffix, folder)
            assets[key] = {"href": href, "type": media, "title": name, "roles": [role]}
    if "cog" in assets:
        assets["cog"] |= {"roles": ["data", "visual"], "data_type": "uint8", "nodata": 255}
    return _item(f"map-{data.attrs['id']}", data, period, properties, assets)


def _item(
    name: str,
    data: xr.Dataset,
    period: tuple[str, str],
    properties: dict[str, Any],
    assets: dict[str, Any],
) -> dict[str, Any]:
    ring, box = footprint(data)
    whole = {
        "datetime": None,
        "start_datetime": period[0],
        "end_datetime": period[1],
        **properties,
        **projection(data),
    }
    used = {key.split(":")[0] for part in (whole, *assets.values()) for key in part if ":" in key}
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [uri for prefix, uri in _EXTENSIONS.items() if prefix in used],
        "id": name,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": box,
        "properties": whole,
        "links": [],
        "assets": assets,
    }


def _classes(legend: Legend) -> list[dict[str, Any]]:
    named = [
        {
            "value": value,
            "name": code,
            "description": legend.name(code),
            "color_hint": legend.colours[code].lstrip("#").upper(),
        }
        for value, code in enumerate(legend.classes, 1)
    ]
    return [*named, {"value": REJECTED, "name": "rejected", "description": "far from every class"}]


def _software(attributes: dict[str, Any]) -> dict[str, Any]:
    name, _, version = str(attributes.get("software", "")).partition(" ")
    told: dict[str, Any] = {"processing:software": {name: version}} if version else {}
    if attributes.get("processing"):
        told["processing:lineage"] = attributes["processing"]
    return told


def _zarr_asset(url: str, folder: str, title: str, role: str) -> dict[str, Any]:
    return {
        "href": _relative(url, folder),
        "type": _ZARR,
        "title": title,
        "roles": [role],
        "zarr:node_type": "group",
        "zarr:zarr_format": 3,
        "zarr:consolidated": True,
    }


def _parent(url: str) -> str:
    return url.rstrip("/").rpartition("/")[0]


def _relative(url: str, folder: str) -> str:
    """The address seen from a folder; whole where they share none."""
    target, start = (
        storage.absolute(part).removeprefix("file://").split("/") for part in (url, folder)
    )
    shared = 0
    while shared < min(len(target) - 1, len(start)) and target[shared] == start[shared]:
        shared += 1
    if storage.is_remote(url) and shared < 3:
        return url
    up = [".."] * (len(start) - shared)
    return "/".join([*(up or ["."]), *target[shared:]])
