"""Sentinel-1 series with per-pixel labels, as in WorldCereal's tests, to scenes and polygons.

    python docs/examples/labelled_sentinel1.py /path/to/netcdf build/labelled-s1

writes a GeoTIFF per date, parcels with land cover and with crops as classes, and `run.yaml`. All
that follows is the usual verbs.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import geopandas
import h5py
import numpy as np
import rasterio
import yaml
from rasterio.features import shapes
from shapely.geometry import shape

COVER = {11: "CROP", 13: "GRASS"}
CROPS = {1110: "CEREAL", 1200: "MAIZE", 1500: "CEREAL", 1510: "CEREAL", 9120: "GRASS"}
"""WorldCereal's codes of land cover and crop; what is in neither, such as built-up, is left out."""
NEW_TRACK = timedelta(minutes=3)
"""Passes of one track are less than this apart in time of day."""


def main(source: Path, folder: Path) -> None:
    """Write scenes, polygons and settings of all sites in `source`."""
    parcels, beams = [], []
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(source.glob("S1_GRD-*.nc")):
        site = path.name.split("_")[3]
        (labels,) = source.glob(f"OUTPUT_*_{site}_*.nc")
        site = site[-6:]
        beams += scenes(path, site, folder / "scenes")
        parcels += polygons(labels, site)
    table = geopandas.GeoDataFrame(parcels, geometry="geometry", crs="EPSG:32631")
    for name, classes in (("cover", COVER), ("crops", CROPS)):
        labelled = table[table[name].isin(list(classes))]
        labelled = labelled.assign(**{"class": labelled[name].map(classes)})
        labelled[["class", "group", "geometry"]].to_file(folder / f"{name}.gpkg", driver="GPKG")
    (folder / "run.yaml").write_text(yaml.safe_dump(settings(beams[-1])))
    sys.stdout.write(f"{len(table)} parcels; beams {', '.join(beams)}\n{folder / 'run.yaml'}\n")


def scenes(path: Path, site: str, folder: Path) -> list[str]:
    """One GeoTIFF per date, bands VV and VH in decibels; returns the site's beams.

    A site may lie in two tracks, which look from other angles: each is a beam of its own, told by
    its time of day.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(path) as file:
        origin = file["timestamp"].attrs["units"].removeprefix("seconds since ")
        begun = datetime.fromisoformat(origin).replace(tzinfo=UTC)
        times = [begun + timedelta(seconds=int(s)) for s in file["timestamp"][()]]
        decibels = np.stack([file[name][()] for name in ("VV", "VH")], axis=1) * 1e-4
        grid = transform(file)
    tracks = track_of(times)
    for when, image in zip(times, decibels, strict=True):
        name = f"S1_{site}-{tracks[when]}_{when:%Y%m%dT%H%M%S}.tif"
        profile = {"driver": "GTiff", "count": 2, "dtype": "float32", "crs": "EPSG:32631"}
        height, width = image.shape[1:]
        with rasterio.open(
            folder / name, "w", height=height, width=width, transform=grid, nodata=0, **profile
        ) as raster:
            raster.write(image.astype(np.float32))
            raster.descriptions = ("VV", "VH")
    return [f"{site}-{track}" for track in sorted(set(tracks.values()))]


def track_of(times: list[datetime]) -> dict[datetime, str]:
    """Track of every pass, named by the earliest time of day that belongs to it."""
    ordered = sorted(times, key=lambda when: when.time())
    names: dict[datetime, str] = {}
    for before, when in zip([None, *ordered], ordered, strict=False):
        same = before is not None and seconds(when) - seconds(before) < NEW_TRACK.total_seconds()
        names[when] = names[before] if same else f"{when:%H%M}"
    return names


def seconds(when: datetime) -> int:
    """Seconds since midnight."""
    return when.hour * 3600 + when.minute * 60 + when.second


def transform(file: h5py.File) -> rasterio.Affine:
    """The north-up grid that the centre coordinates x and y describe."""
    x, y = file["x"][()], file["y"][()]
    step = float(x[1] - x[0])
    return rasterio.Affine(step, 0, float(x[0]) - step / 2, 0, -step, float(y[0]) + step / 2)


def polygons(path: Path, site: str) -> list[dict[str, object]]:
    """Parcels: connected pixels of one land cover and one crop; each is a group of its own."""
    with h5py.File(path) as file:
        cover, crop, grid = file["LC"][()], file["CT"][()], transform(file)
    both = cover.astype(np.int32) * 10_000 + crop
    parcels = list(shapes(both, np.isin(cover, list(COVER)), 4, grid))
    return [
        {
            "group": f"{site}-{number:02d}",
            "cover": int(value) // 10_000,
            "crops": int(value) % 10_000,
            "geometry": shape(outline),
        }
        for number, (outline, value) in enumerate(parcels)
    ]


def settings(beam: str) -> dict[str, object]:
    """The run: windows of 3 x 3 pixels of 20 m, because parcels are 100 to 400 m wide; two folds,
    because maize grows on two parcels that are large enough.
    """
    return {
        "workspace": "workspace",
        "beam": beam,
        "polarisations": ["VV", "VH"],
        "ingest": {
            "scenes": "scenes",
            "chunk": 32,
            "naming": {
                "pattern": r"S1_(?P<beam>\w{6}-\d{4})_(?P<start>\d{8}T\d{6})\.tif$",
                "sensor": "S1",
                "pass_direction": "ASC",
                "radiometry": "sigma0",
                "scale": "dB",
                "bands": ["VV", "VH"],
            },
        },
        "samples": {
            "polygons": "crops.gpkg",
            "classes": sorted(set(CROPS.values())),
            "stride": 1,
        },
        "features": {"window": 3},
        "assess": {"folds": 2},
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
