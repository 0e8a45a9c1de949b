"""The doors where stored bytes and files of others come in, each with a valid file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import rasterio
import rioxarray  # noqa: F401
import shapely
import xarray as xr

from cpazmal_scale import catalog
from cpazmal_scale.assess.against.truth import open_raster
from cpazmal_scale.cli import products as products
from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import ChunkReader, append, open_cube, verify_cube
from cpazmal_scale.cube.format import integrity
from cpazmal_scale.cube.write import lease
from cpazmal_scale.grid.edges import PixelEdges
from cpazmal_scale.grid.outlines import read_outlines
from cpazmal_scale.mapping import open_map, open_source
from cpazmal_scale.model import open_model
from cpazmal_scale.samples import (
    import_table,
    imported_series,
    query,
    read_polygons,
    read_series,
    write_series,
)
from cpazmal_scale.samples.draw.terrain import terrain
from cpazmal_scale.scenes import discover
from cpazmal_scale.simulate.campaign import campaign as simulated
from support import mutations as m
from support.damage import Stored, below, small_workspace
from support.scenes_factory import (
    ORIGIN,
    STARTS,
    campaign,
    file_name,
    run_config,
    speckle,
    write_raster,
)
from support.small_campaign import UTM
from support.snap_factory import write_dimap, write_snap_geotiff

TEXT = (m.of_bytes, m.of_words, m.of_lines)
BYTES = (m.of_bytes,)
SIDECAR = """
sensor: TSX1
start: 2011-05-05T17:25:01
stop: 20110505T172508
beam: ASC45
pass_direction: ascending
look_side: R
bands: [HH]
radiometry: sigma0
scale: linear
incidence_angle: 44.5
resolution: [2.5, 3.3]
nodata: -999
"""
CLASSES = ("ABL", "ICA")


@dataclass(frozen=True)
class Door:
    """A file, how it is damaged, and what reads it."""

    name: str
    path: Path
    enter: Callable[[], object]
    ways: tuple[m.Mutation, ...]


def doors(folder: Path) -> list[Door]:
    """All of them, on files below a folder."""
    return [
        *_stored(folder / "stored"),
        *_cube(folder / "cube"),
        *_vectors(folder / "vectors"),
        *_scenes(folder / "scenes"),
        *_products(folder / "products"),
        _elevation(folder / "dem"),
        _truth(folder / "truth"),
        _exclusion(folder / "exclusion"),
        *_tables(folder / "tables"),
        _settings(folder / "run"),
    ]


def _stored(folder: Path) -> list[Door]:
    config, classes = small_workspace(folder / "run")
    home = Path(config.workspace)
    own: dict[str, Stored] = {one.name: one for one in classes}
    model, finished = (
        _unsealed(home / kind / path.name)
        for kind in ("models", "maps")
        for path in [next(p.parent for p in own[kind[:-1]].files if p.parent.suffix == ".zarr")]
    )
    for path in home.glob("catalog.d/*.json"):
        _rewrite(path, lambda found: found.pop("seal"))
    index = home / "catalog.yaml"
    index.write_bytes(index.read_bytes().split(b"\n# cpazmal")[0] + b"\n")
    samples = own["samples"].files[0]
    samples.write_bytes(_without_digest(samples.read_bytes()))
    record = home / "catalog.d" / "map_DSC37.json"
    enter_map = lambda: (open_map(str(finished)).load(), _whole(finished))  # noqa: E731
    parts = (m.of_json, *TEXT)
    return [
        Door("model document", model / "zarr.json", lambda: open_model(str(model)), parts),
        Door("model member", model / "tau" / "zarr.json", lambda: open_model(str(model)), parts),
        Door("model chunk", model / "tau" / "c" / "0", lambda: open_model(str(model)), BYTES),
        Door("map document", finished / "zarr.json", enter_map, parts),
        Door("map coordinate", finished / "y" / "c" / "0", enter_map, BYTES),
        Door("samples", samples, lambda: _ask(str(samples)), BYTES),
        Door("catalog record", record, lambda: _catalog(str(home)), parts),
        Door("catalog index", index, lambda: _catalog(str(home)), (m.of_yaml, *TEXT)),
        *(
            Door(name, own[name].files[0], own[name].read, parts)
            for name in ("map summary", "map records", "card")
        ),
    ]


def _unsealed(folder: Path) -> Path:
    """A group as it was written before groups had checksums: nothing stops what is damaged."""
    shutil.rmtree(folder / "sums")
    _rewrite(folder / "zarr.json", lambda root: root["attributes"].pop("checksums"))
    return folder


def _rewrite(path: Path, change: Callable[[Any], object]) -> None:
    found = json.loads(path.read_text())
    change(found)
    path.write_text(json.dumps(found))


def _without_digest(data: bytes) -> bytes:
    at = data.rfind(b"\n# cpazmal-scale sha256: ")
    return data[:at] + data[at + 24 + 64 :]


def _whole(url: Path) -> object:
    return open_source(str(url)).grid


def _ask(url: str) -> object:
    return query("SELECT class, count(*) FROM windows GROUP BY class", url)


def _catalog(home: str) -> object:
    config = RunConfig.parse({"workspace": home})
    lines = [products.line(found) for found in catalog.search(home, bbox=(-180, -90, 180, 90))]
    lines += [products.line(found) for found in catalog.search(home, time=(None, None))]
    lines += [catalog.entry(home, "map_DSC37").fact("id"), *map(str, catalog.entries(home))]
    index = catalog.open_catalog(home).to_dict()
    return lines, config, index, catalog.read(home, "map_DSC37")


def _cube(folder: Path) -> list[Door]:
    url = folder / "cube.zarr"
    scenes = campaign(folder / "scenes", (40, 50))
    for scene in discover(run_config(scenes, "unused").ingest, check=True):
        append(str(url), scene, chunk=32)
    held = Path(lease.folder(str(url)))
    with lease.hold(str(url)):
        written = sorted(held.rglob("*.json"))[-1]
        ticket = written.read_bytes()
    written.write_bytes(ticket)
    old = Path(shutil.copytree(url, folder / "old.zarr"))
    _rewrite(old / "zarr.json", lambda root: root["attributes"].pop(integrity.NAME))

    def reading(cube: Path) -> Callable[[], object]:
        return lambda: (_pixels(str(cube)), verify_cube(str(cube)))

    read = reading(url)

    def write() -> None:
        for other in set(below(str(held))) - {written}:
            other.unlink()
        with lease.hold(str(url)):
            pass

    parts = (m.of_json, *TEXT)
    return [
        Door("cube root", url / "zarr.json", read, parts),
        Door("root without checksum", old / "zarr.json", reading(old), parts),
        Door("cube member", url / "HH" / "zarr.json", read, parts),
        Door("cube coordinate", url / "beam" / "c" / "0", read, BYTES),
        Door("cube list", next((url / "stored" / "HH").rglob("c/0/0/0")), read, BYTES),
        Door("cube chunk", url / "HH" / "c" / "0" / "0" / "0", read, BYTES),
        Door("lease", written, write, parts),
    ]


def _pixels(url: str) -> object:
    found = open_cube(url, start="2020-01-01")
    return found["HH"].isel(y=slice(0, 4), x=slice(0, 4)).values, ChunkReader.open(url, ("HH",), ())


def _vectors(folder: Path) -> list[Door]:
    folder.mkdir(parents=True)
    left, top = UTM.transform.c, UTM.transform.f
    shapes = [shapely.box(left + i * 40, top - 120, left + i * 40 + 30, top - 20) for i in range(4)]
    facts = {"class": [*CLASSES, *CLASSES], "group": ["a", "b", "c", "d"], "name": list("wxyz")}
    table = geopandas.GeoDataFrame(facts, geometry=shapes, crs="EPSG:32632").to_crs("EPSG:4326")
    found = []
    for suffix, ways in ((".geojson", (m.of_json, *TEXT)), (".gpkg", BYTES)):
        path = folder / f"shapes{suffix}"
        table.to_file(path)
        found += [
            Door(f"polygons {suffix}", path, _polygons(path), ways),
            Door(f"outlines {suffix}", path, _outlines(path), ways),
        ]
    return found


def _polygons(path: Path) -> Callable[[], object]:
    return lambda: read_polygons(str(path), CLASSES).to_crs("EPSG:32632")


def _outlines(path: Path) -> Callable[[], object]:
    from cpazmal_scale.grid.outlines import MapGrid

    return lambda: read_outlines(str(path), MapGrid(UTM, 32))


def _scenes(folder: Path) -> list[Door]:
    one, two, three = folder / "sidecar", folder / "envi", folder / "table"
    write_raster(one / "x.tif", [speckle((40, 50))])
    (one / "x.tif.yaml").write_text(SIDECAR)
    plain: dict[str, Any] = {
        "tiled": None,
        "compress": None,
        "blockxsize": None,
        "blockysize": None,
    }
    write_raster(two / "x.img", [speckle((40, 50))], driver="ENVI", nodata=None, **plain)
    (two / "x.img.yaml").write_text(
        SIDECAR.replace("nodata: -999\n", "").lstrip() + "driver: ENVI\n"
    )
    campaign(three, (40, 50))
    (raster,) = sorted(three.rglob("*.tif"))[:1]
    return [
        Door("sidecar", one / "x.tif.yaml", _found(one), (m.of_yaml, *TEXT)),
        Door("ENVI header", two / "x.hdr", _found(two), TEXT),
        Door("acquisitions", three / "acquisitions.csv", _found(three), TEXT),
        Door("GeoTIFF", raster, _found(three), BYTES),
    ]


def _products(folder: Path) -> list[Door]:
    snap = folder / "snap"
    document = write_dimap(snap, {"Gamma0_HH": speckle((40, 50))})
    simulated(
        folder / "ssc",
        size=256,
        beams=("DSC37",),
        level1b="flat",
        start=date(2021, 2, 1),
        end=date(2021, 2, 8),
    )
    (product,) = (one for one in (folder / "ssc" / "scenes").iterdir() if one.is_dir())
    rules = {"scenes": str(product.parent), "grid": "utm32n-3m", "level1b": {"height": 2000.0}}
    ssc = RunConfig.parse({"workspace": "unused", "ingest": rules}).ingest
    enter = lambda: discover(ssc, check=True)  # noqa: E731
    header = next(document.with_suffix(".data").glob("*.hdr"))
    inside = write_snap_geotiff(
        folder / "inside" / file_name(STARTS[0]), {"Gamma0_HH": speckle((40, 50))}
    )
    return [
        Door("SNAP GeoTIFF", inside, _found(inside.parent, beam="DSC37"), TEXT),
        Door("SNAP document", document, _found(snap, beam="DSC37"), TEXT),
        Door("SNAP header", header, _found(snap, beam="DSC37"), TEXT),
        Door("annotation", product / f"{product.name}.xml", enter, TEXT),
        Door("geolocation", product / "ANNOTATION" / "GEOREF.xml", enter, TEXT),
    ]


def _truth(folder: Path) -> Door:
    path = write_raster(folder / "truth.tif", [np.ones((40, 50))], dtype="uint8", nodata=0)
    with rasterio.open(path, "r+") as raster:
        raster.update_tags(classes=",".join(CLASSES))

    def read() -> object:
        with open_raster(str(path)) as (raster, names):
            return raster.read(1), names

    return Door("truth", path, read, BYTES)


def _exclusion(folder: Path) -> Door:
    """A mask of what is not mapped, on the grid of the small campaign."""
    from cpazmal_scale.grid.extent import read_extent
    from cpazmal_scale.grid.outlines import MapGrid

    folder.mkdir(parents=True)
    path = folder / "towns.tif"
    marked = np.zeros((40, 50), "uint8")
    marked[5:20, 5:30] = 1
    profile = {"driver": "GTiff", "height": 40, "width": 50, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", crs=UTM.crs, transform=UTM.transform, **profile) as raster:
        raster.write(marked, 1)
    return Door("exclusion", path, lambda: read_extent(None, str(path), MapGrid(UTM, 32)), BYTES)


def _tables(folder: Path) -> list[Door]:
    """Labelled series, as others have them and as they are kept."""
    folder.mkdir(parents=True)
    days = [f"2020{month:02d}15" for month in range(1, 9)]
    frame = pd.DataFrame({"class": ["a", "b"] * 4, "plot": [f"p{n}" for n in range(8)]})
    for number, day in enumerate(days):
        frame[f"HH_{day}"] = -10.0 - number - np.arange(8) / 8
    frame.to_csv(folder / "wide.csv", index=False)
    frame.to_parquet(folder / "wide.parquet")
    rows = [
        {"id": n, "class": "ab"[n % 2], "plot": f"p{n}", "date": day, "HH": -9.0 - n}
        for n in range(8)
        for day in days
    ]
    pd.DataFrame(rows).to_csv(folder / "long.csv", index=False)
    kept = folder / "kept.parquet"
    values = r"(?P<channel>HH)_(?P<date>\d{8})"
    wide = _table(folder / "wide.csv", values)
    write_series(import_table(wide.samples), str(kept))
    kept.write_bytes(_without_digest(kept.read_bytes()))

    def entering(config: RunConfig) -> Callable[[], object]:
        return lambda: _series(import_table(config.samples), config)

    return [
        Door("wide table", folder / "wide.csv", entering(wide), TEXT),
        Door(
            "Parquet table",
            folder / "wide.parquet",
            entering(_table(folder / "wide.parquet", values)),
            BYTES,
        ),
        Door("long table", folder / "long.csv", entering(_table(folder / "long.csv", None)), TEXT),
        Door("kept series", kept, lambda: _series(read_series(str(kept)), wide), BYTES),
    ]


def _table(path: Path, values: str | None) -> RunConfig:
    told = {"url": str(path), "group": "plot", "values": values}
    return RunConfig.parse({"features": {"statistics": ["k1"]}, "samples": {"table": told}})


def _series(made: pd.DataFrame, config: RunConfig) -> object:
    return imported_series(made, config.features, ("HH",), config.dtw)


def _found(folder: Path, **naming: str) -> Callable[[], object]:
    return lambda: discover(run_config(folder, "unused", **naming).ingest, check=True)


def _elevation(folder: Path) -> Door:
    heights = np.add.outer(np.arange(120.0), np.arange(140.0)).astype("f4")
    path = write_raster(folder / "dem.tif", [heights])
    x, y = ORIGIN[0] + 1.5 + 3.0 * np.arange(140), ORIGIN[1] - 1.5 - 3.0 * np.arange(120)
    grid = PixelEdges(xr.Dataset(coords={"y": y, "x": x}).rio.write_crs("EPSG:32632"))
    corners = np.array([3, 20]), np.array([4, 30])
    return Door("elevations", path, lambda: terrain(str(path), grid, *corners, 5), BYTES)


def _settings(folder: Path) -> Door:
    folder.mkdir(parents=True)
    path = folder / "run.yaml"
    path.write_text(RunConfig().commented_yaml())
    return Door("run.yaml", path, lambda: RunConfig.load(path), (m.of_yaml, *TEXT))
