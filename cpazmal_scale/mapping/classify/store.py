"""The map on disk: its template, whether it is finished, and how it is opened."""

from __future__ import annotations

import json
import math
import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import __version__, storage
from cpazmal_scale.config.methods import method
from cpazmal_scale.errors import StoreDamaged, StoreError, StoreMissing
from cpazmal_scale.legend import Legend, legend, parsed
from cpazmal_scale.mapping.classify import coarse
from cpazmal_scale.mapping.classify.acquired import NAME as CHANNELS
from cpazmal_scale.mapping.classify.pixels import Products, blank_of
from cpazmal_scale.mapping.classify.recipe import Recipe
from cpazmal_scale.palette import REJECTED as REJECTED_COLOUR
from cpazmal_scale.storage import groups, seal
from cpazmal_scale.vocabulary import NO_DATA, REJECTED
from cpazmal_scale.words import channels

if TYPE_CHECKING:
    import xarray as xr

    from cpazmal_scale.grid.blocks import Block
    from cpazmal_scale.mapping.classify.plan import MapPlan

REMEDY = "remove it and map again"
CALIBRATION = "calibration"
"""Attribute of a map that says how well its probabilities are known."""
METHOD = "method"
"""Attribute of a map made of maps by several classifiers: their names."""
SHARES = "class_shares"
"""Attribute of a map: the shares of the ground that its probabilities suppose, by class."""
_MOST_CELLS = 2**28
"""Values of a chunk; 512 × 512 pixels of 254 classes are a quarter."""

_ATTRIBUTES: dict[str, dict[str, Any]] = {
    "class": {"long_name": "class of the surface"},
    "probability": {"long_name": "probability of each class", "units": "1"},
    "entropy": {
        "long_name": "entropy of the class probabilities: 0 certain, 1 uniform",
        "units": "1",
    },
    "margin": {
        "long_name": "largest minus second largest class probability",
        "units": "1",
    },
    "change": {
        "long_name": "probability that the class changed, by both maps and the rates of change",
        "units": "1",
    },
    "distance": {
        "long_name": "distance to the nearest class, in units of the within-class distance",
        "units": "1",
    },
    "n_valid_dates": {
        "long_name": "dates with enough valid pixels in the window (254: or more)",
        "units": "1",
    },
}


def open_map(url: str, *, allow_incomplete: bool = False) -> xr.Dataset:
    """A map, lazily, as it is stored: integers, with CRS.

    `class` (y, x) uint8: 1…C, 254 rejected, 255 no data; `probability` (class_name, y, x),
    `entropy` and `margin` uint16 in units of 1e-4, 65535 no data; `distance` float32, NaN no data;
    `n_valid_dates` uint8. Where probabilities cannot be calibrated there are no `probability`,
    `entropy` and `margin`, and the attribute `probabilities` says why. `xr.open_zarr(url)` opens
    the same decoded to floating-point numbers.

    Raises:
        StoreMissing: there is none.
        StoreDamaged: it is not what was written; chunks are compared when they are read.
        StoreError: it is not finished, unless `allow_incomplete`; see `attrs["complete"]`.
    """
    import rioxarray  # noqa: F401  # registers `.rio`
    import xarray as xr

    from cpazmal_scale.storage import stores

    root = read_root(url)
    if root is None:
        raise StoreMissing("no map here", where=url, remedy="run `cpazmal map`")
    _require_map(root, url)
    if not is_complete(root) and not allow_incomplete:
        raise StoreError(
            "the map is not finished",
            where=url,
            remedy="run the same map again: it continues where it stopped",
        )
    store = stores.open_checked(url, REMEDY) if is_complete(root) else storage.zarr_store(url)
    with seal.parsing("the map is damaged", url, REMEDY):
        found: xr.Dataset = xr.open_zarr(
            store, chunks={}, consolidated=True, decode_coords="all", mask_and_scale=False
        )
        read_recipe(url)
        for name, values in found.variables.items():
            if math.prod(values.encoding.get("chunks") or ()) > _MOST_CELLS:
                raise ValueError(f"{name} has chunks that no memory holds")
        missing = {"class", "y", "x", "spatial_ref"} - set(found.variables)
        if missing:
            raise KeyError(min(missing))
        found.rio.transform()
    return found


def read_root(url: str) -> dict[str, Any] | None:
    """The root metadata document of a map; none where there is none.

    Raises:
        StoreDamaged: it is not the root document of a map.
    """
    try:
        root = storage.read_json(storage.join(url, groups.ROOT), REMEDY)
    except StoreMissing:
        return None
    with seal.parsing("not the root document of a map", url, REMEDY):
        attributes = root["attributes"]
        # Without a recipe it is the root of a cube, which is complete after each commit.
        if "recipe" in attributes and attributes["complete"] not in (0, 1):
            raise TypeError("`complete` is neither 0 nor 1")
        return dict(root)


def _require_map(root: dict[str, Any], url: str) -> None:
    """The root document of a cube or of another Zarr group is none of a map.

    Raises:
        StoreMissing: it is a cube's.
        StoreDamaged: it has no recipe.
    """
    if "cpazmal_cube" in root["attributes"]:
        remedy = "give a map: `cpazmal catalog ls` shows which there are"
        raise StoreMissing("a cube, no map", where=url, remedy=remedy)
    if "recipe" not in root["attributes"]:
        remedy = "give the Zarr group that `cpazmal map` wrote"
        raise StoreDamaged("not a map: it has no recipe", where=url, remedy=remedy)


def is_complete(root: dict[str, Any]) -> bool:
    """Whether a map is finished, by its root document."""
    return bool(root["attributes"]["complete"])


def read_recipe(url: str) -> Recipe:
    """What a map is made from.

    Raises:
        StoreMissing: there is no map.
        StoreDamaged: its recipe cannot be read.
    """
    root = read_root(url)
    if root is None:
        raise StoreMissing("no map here", where=url, remedy="run `cpazmal map`")
    _require_map(root, url)
    with seal.parsing("the recipe of the map is damaged", url, REMEDY):
        recipe = Recipe.model_validate_json(root["attributes"]["recipe"])
        if not recipe.days.size or not recipe.classes:
            raise ValueError("no dates or no classes")
        return recipe


def legend_of(data: xr.Dataset) -> Legend:
    """The legend of an open map.

    Raises:
        StoreDamaged: what it says is no legend.
    """
    with seal.parsing("the legend of the map is damaged", str(data.attrs.get("id")), REMEDY):
        recipe = Recipe.model_validate_json(data.attrs["recipe"])
        return legend(recipe.classes, parsed(data.attrs.get("legend")))


def relabel(url: str, wanted: Legend) -> None:
    """Give a finished map another legend; its values, chunks and identity stay.

    Raises:
        StoreError: the store cannot be written.
    """
    root = storage.read_json(storage.join(url, groups.ROOT), REMEDY)
    with seal.parsing("not the root document of a map", url, REMEDY):
        if legend(wanted.classes, parsed(root["attributes"].get("legend"))) == wanted:
            return
        root["attributes"]["legend"] = wanted.text()
        array = f"class/{groups.ROOT}"
        document = storage.read_json(storage.join(url, array), REMEDY)
        for one in (document, root["consolidated_metadata"]["metadata"]["class"]):
            one["attributes"] |= _flags(wanted)
    texts = {array: document, groups.ROOT: root}
    groups.replace_documents(
        url, {key: json.dumps(one, indent=2).encode() for key, one in texts.items()}, REMEDY
    )


def write_block(url: str, block: Block, products: Products) -> dict[str, int]:
    """Write the products of a block of whole chunks, and bring them to the disk.

    Returns:
        The checksum of every object that was written; chunks of no data have none.

    Raises:
        StoreError: the store cannot be written.
    """
    import zarr

    from cpazmal_scale.storage import stores

    store = stores.Recording(url)
    group = zarr.open_group(store, mode="r+", use_consolidated=True)
    ys, xs = slice(block.y0, block.y1), slice(block.x0, block.x1)
    for name, values in products.items():
        array: Any = group[name]
        array[..., ys, xs] = values
    coarse.write(group, block, products)
    return store.sums


def is_template(url: str) -> bool:
    """Whether the documents of an unfinished map are there as they were written."""
    try:
        return groups.is_sound(url, groups.read_sums(url, REMEDY).documents)
    except (StoreMissing, StoreDamaged):
        return False


def publish(url: str, chunks: Mapping[str, int]) -> None:
    """Declare a map finished, in one step.

    Args:
        url: of the map.
        chunks: checksums of all chunks of its products.
    """
    storage.sweep(url)
    sums = {
        **chunks,
        **coarse.gather(url, {**groups.read_sums(url, REMEDY).documents, **chunks}, REMEDY),
    }
    root = storage.read_json(storage.join(url, groups.ROOT), REMEDY)
    root["attributes"]["complete"] = 1  # NetCDF has no true
    groups.finish_group(url, json.dumps(root, indent=2).encode(), sums, REMEDY)


def write_template(plan: MapPlan) -> None:
    """Write the metadata of an unfinished map; see `write_metadata`."""
    write_metadata(_template(plan), plan.url)


def write_metadata(data: xr.Dataset, url: str) -> None:
    """Write the metadata of a map, its coordinates and its overview's, the root document last.

    Only whole documents are put in place and nothing is deleted, so that two runs at once, or a
    killed one, leave either no map or a valid template.
    """
    import zarr
    from zarr.storage import MemoryStore

    stored: dict[str, Any] = {}
    overview = coarse.template(data)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part")
        data = data.assign_attrs(groups.marked(data.attrs))
        data.to_zarr(MemoryStore(stored), zarr_format=3, consolidated=True, compute=False)
        if overview is not None:
            store, group = MemoryStore(stored), coarse.GROUP
            overview.to_zarr(store, group=group, zarr_format=3, consolidated=False, compute=False)
            zarr.consolidate_metadata(store)
    groups.write_group(url, {key: value.to_bytes() for key, value in stored.items()})


def _template(plan: MapPlan) -> xr.Dataset:
    from cpazmal_scale.cube import open_cube

    products = blank_of(plan.recipe, 1, 1)
    grid = open_cube(plan.cube_url)
    attributes = {**_attributes(plan), **made_of(grid.attrs)}
    made = template(products, plan.legend, grid, plan.shape, plan.chunk, attributes)
    made["distance"].attrs = {
        **made["distance"].attrs,
        "long_name": method(plan.recipe.method).distance,
    }
    return made


def template(
    products: Products,
    legend: Legend,
    grid: xr.Dataset,
    shape: tuple[int, int],
    chunk: int,
    attributes: dict[str, Any],
) -> xr.Dataset:
    """An empty map.

    Args:
        products: one pixel (…, 1, 1) of every variable; its value stands for no data.
        legend: what the values of `class` from 1 on mean.
        grid: has the coordinates `y`, `x` and `spatial_ref`.
        shape: rows and columns.
        chunk: edge of a chunk in pixels.
        attributes: of the map.
    """
    import dask.array as da
    import xarray as xr
    from zarr.codecs import ZstdCodec

    coordinates = {name: grid[name].variable for name in ("y", "x", "spatial_ref")}
    coordinates["class_name"] = xr.Variable("class_name", np.array(legend.classes, object))
    variables = {}
    for name, sample in products.items():
        whole = (*sample.shape[:-2], *shape)
        fill = sample.flat[0]
        variables[name] = xr.Variable(
            ("class_name", "y", "x")[-len(whole) :],
            da.full(whole, fill, dtype=sample.dtype, chunks=-1),
            attrs=_ATTRIBUTES[name],
            encoding={
                "chunks": (*sample.shape[:-2], *[min(chunk, n) for n in shape]),
                "compressors": (ZstdCodec(level=1, checksum=True),),
                "fill_value": fill.item(),
                "grid_mapping": "spatial_ref",
                **({} if name == "n_valid_dates" else {"_FillValue": fill}),
            },
        )
        if sample.dtype == np.uint16:
            variables[name].attrs = {**_ATTRIBUTES[name], "scale_factor": 1e-4}
    variables["class"].attrs = _flags(legend)
    said = {"legend": legend.text()} if legend.given else {}
    return xr.Dataset(variables, coordinates, {**attributes, **said})


def _flags(legend: Legend) -> dict[str, Any]:
    classes = legend.classes
    return {
        **_ATTRIBUTES["class"],
        "flag_values": [*range(1, len(classes) + 1), REJECTED],
        "flag_meanings": " ".join([*map(_meaning, classes), "rejected"]),
        "flag_colors": " ".join([*(legend.colours[code] for code in classes), REJECTED_COLOUR]),
        "class_names": [legend.name(code) for code in classes],
        "no_data": NO_DATA,
    }


def _meaning(code: str) -> str:
    """A class as one word of `flag_meanings`, which blanks separate in CF."""
    return re.sub(r"[^\w.+@-]", "_", code)


def withheld(recipe: Recipe) -> dict[str, str]:
    """The attribute of a map that has no probabilities; nothing for others."""
    return {"probabilities": f"withheld: {recipe.withheld}"} if recipe.withheld else {}


def classified_by(attributes: Mapping[str, Any], recipe: Recipe) -> str:
    """The name of the classifier that decided a map's classes, or of all those that did."""
    return str(attributes.get(METHOD) or method(recipe.method).name)


def made_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """How the backscatter was made, out of the attributes of a cube or a map that say it."""
    return {name: attributes[name] for name in ("radiometry", "processing") if name in attributes}


def _attributes(plan: MapPlan) -> dict[str, Any]:
    recipe = plan.recipe
    return {
        "Conventions": "CF-1.11",
        "title": f"Surface classes, beam {recipe.beam}" if recipe.beam else "Surface classes",
        "source": f"SAR backscatter time series {recipe.cube}, {len(recipe.dates)} dates, "
        f"{channels(plan.acquired, len(recipe.dates))}",
        "software": f"cpazmal-scale {__version__}",
        "id": plan.id,
        "model": recipe.model,
        "cube_state": recipe.cube_state,
        "time_coverage_start": recipe.dates[0] + "Z",
        "time_coverage_end": recipe.dates[-1] + "Z",
        CHANNELS: json.dumps(plan.acquired),
        **withheld(recipe),
        **({CALIBRATION: plan.calibration} if plan.calibration else {}),
        **({SHARES: list(plan.shares)} if plan.shares else {}),
        "recipe": recipe.model_dump_json(),
        "complete": 0,
    }
