"""Cube and model to a map and its files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.progress import Progress
from cpazmal_scale.stages import workspace

if TYPE_CHECKING:
    from cpazmal_scale.catalog import Entry
    from cpazmal_scale.mapping import MapPlan, MapResult


def plan_map(config: RunConfig) -> MapPlan:
    """What mapping the cube with its latest model would take; nothing is written.

    Raises:
        StoreMissing: no cube or model was published.
        PlanRefused: a block does not fit the memory of a worker.
    """
    from cpazmal_scale.mapping import plan_map

    return plan_map(config, *_model_and_cube(config))


def classify(config: RunConfig, *, progress: Progress | None = None) -> tuple[MapResult, Entry]:
    """Cube and model to a published map; a map that exists is not computed again.

    Raises:
        StoreMissing: no cube or model was published.
        ModelMismatch: the model does not fit the cube.
        PlanRefused: a block does not fit the memory of a worker.
        BlocksFailed: some blocks could not be computed; the map is not published.
    """
    from cpazmal_scale.legend import plain
    from cpazmal_scale.mapping import map_cube, read_recipe, withheld

    cube = workspace.open_period(config)
    result = map_cube(config, *_model_and_cube(config), progress=progress)
    recipe = read_recipe(result.url)
    extent = workspace.extent(cube, recipe.polarisations)
    areas = result.areas
    facts = {
        **extent,
        "shape": list(result.shape),
        "classes": list(result.classes),
        **({"legend": plain(result.legend.given)} if result.legend.given else {}),
        **withheld(recipe),
        "model": workspace.find(config, "model").fact("id"),
        "km2": {str(code): km2 for code, km2 in areas["km2"].round(4).items()},
    }
    entry = workspace.publish(config, "map", result.id, f"maps/{result.id}.zarr", facts)
    return result, entry


def export_map(config: RunConfig) -> list[str]:
    """The latest map as GeoTIFF, picture and page, with its STAC item.

    They lie beside the map, under its identity; the first three also as `map.tif`, `map.png` and
    `map.html` of the workspace.

    Raises:
        StoreMissing: no map was published, or its model is gone.
    """
    from cpazmal_scale.catalog.stac import write_stac
    from cpazmal_scale.mapping import quicklook, to_cog, write_viewer

    entry = workspace.find(config, "map")
    url, root = workspace.url_of(config, entry), storage.absolute(config.workspace)
    cube = workspace.url_of(config, workspace.find(config, "cube"))
    model = storage.join(root, "models", f"{entry.fact('model')}.zarr")
    stem = url.removesuffix(".zarr")
    with ThreadPoolExecutor(2) as pool:
        page = pool.submit(write_viewer, url, f"{stem}.html", cube_url=cube, model_url=model)
        raster = pool.submit(to_cog, url, f"{stem}.tif")
        picture = quicklook(url, f"{stem}.png")
        made = {"map.tif": raster.result(), "map.png": picture, "map.html": page.result()}
    write_stac(url, f"{stem}.stac.json", cube_url=cube)
    beside = {"map.tif.aux.xml": f"{stem}.tif.aux.xml", "map.qml": f"{stem}.qml"}
    for name, source in (made | beside).items():
        with storage.open_local(source) as path:
            storage.upload(path, storage.join(config.workspace, name))
    return [storage.join(config.workspace, name) for name in made]


def export_polygons(config: RunConfig, url: str, name: str | None = None) -> int:
    """The patches of a map as polygons in a GeoPackage or GeoParquet file; how many they are.

    Args:
        config: the run.
        url: file to write.
        name: of a map in the catalog, or its address; none: the run's latest.

    Raises:
        ConfigError: the suffix is of neither format.
        StoreMissing: there is no such map.
    """
    from cpazmal_scale.mapping import to_polygons
    from cpazmal_scale.stages.view import shown

    (map_url,) = shown(config, *([name] if name else []))
    return to_polygons(map_url, url)


def export_layer(config: RunConfig, url: str, layer: str, name: str | None = None) -> str:
    """One layer of a map as a Cloud-Optimised GeoTIFF; its address.

    Args:
        config: the run.
        url: file to write, `.tif`.
        layer: of the map, such as `entropy`.
        name: of a map in the catalog, or its address; none: the run's latest.

    Raises:
        ConfigError: the suffix is another one, or the map has no such layer.
        ModelMismatch: a layer of probabilities, of a map that withholds them.
        StoreMissing: there is no such map.
    """
    from cpazmal_scale.mapping import to_cog
    from cpazmal_scale.stages.view import shown

    if not url.endswith(".tif"):
        raise ConfigError("a GeoTIFF's name ends in .tif", where=url, remedy="write something.tif")
    (map_url,) = shown(config, *([name] if name else []))
    return to_cog(map_url, url, layer=layer)


def _model_and_cube(config: RunConfig) -> tuple[str, str]:
    model, cube = (workspace.find(config, kind) for kind in ("model", "cube"))
    return workspace.url_of(config, model), workspace.url_of(config, cube)
