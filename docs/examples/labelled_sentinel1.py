"""Sentinel-1 series with per-pixel labels, as in WorldCereal's tests, to scenes and polygons.

    python docs/examples/labelled_sentinel1.py /path/to/netcdf build/labelled-s1

writes a GeoTIFF per date, parcels with land cover and with crops as classes, `run-BEAM.yaml` for
every site and track, `run.yaml` for the site with most classes, and `run-parcels.yaml` for the mean
series of all parcels of all sites. All that follows is the usual
verbs. Everything that differs between sites is read from their files.
"""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import geopandas
import h5py
import numpy as np
import pandas
import rasterio
import yaml
from rasterio.features import geometry_mask, shapes
from shapely.geometry import shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

COVER = {
    11: "CROP",
    12: "PERENNIAL",
    13: "GRASS",
    30: "FOREST",
    40: "SHRUB",
    60: "BARE",
    70: "WATER",
}
CROPS = {1110: "CEREAL", 1200: "MAIZE", 1500: "CEREAL", 1510: "CEREAL", 9120: "GRASS"}
"""WorldCereal's codes of land cover and crop; other crops are called by their code, and other
covers, such as built-up, are left out."""
NEW_TRACK = timedelta(minutes=3)
"""Passes of one track are less than this apart in time of day."""
UNITS = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}
WINDOW_M = 60.0
"""Edge of a window: 3 x 3 pixels of 20 m, because parcels are 100 to 400 m wide."""


class Site(NamedTuple):
    """What is made of one site."""

    beams: list[str]
    passes: str
    parcels: geopandas.GeoDataFrame
    series: pandas.DataFrame


def main(source: Path, folder: Path) -> None:
    """Write scenes, polygons and settings of all sites in `source`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = sorted(source.glob("S1_GRD-*.nc"))
    names = [path.name.split("_")[3] for path in paths]
    short = 6 if len({name[-6:] for name in names}) == len(set(names)) else 16
    sites = []
    for path, name in zip(paths, names, strict=True):
        (labels,) = source.glob(f"OUTPUT_*_{name}_*.nc")
        passes = "DSC" if "DESCENDING" in path.name else "ASC"
        beams = scenes(path, name[-short:], folder / "scenes")
        parcels = polygons(labels, name[-short:])
        sites.append(Site(beams, passes, parcels, parcel_series(path, parcels)))
    zones = {site.parcels.crs for site in sites}
    # Sites of several zones share a file in geographic coordinates.
    shared = zones.pop() if len(zones) == 1 else "EPSG:4326"
    table = pandas.concat([site.parcels.to_crs(shared) for site in sites])
    for name, classes in (("cover", COVER), ("crops", CROPS)):
        called = table[name].map(lambda code, known=classes: known.get(code, f"CT{code}"))
        labelled = table.assign(**{"class": called})[table[name] > 0]
        labelled[["class", "group", "geometry"]].to_file(folder / f"{name}.gpkg", driver="GPKG")
    pandas.concat([site.series for site in sites]).to_csv(folder / "parcels.csv", index=False)
    (folder / "run-parcels.yaml").write_text(yaml.safe_dump(table_settings()))
    best = max(sites, key=lambda site: len(large_classes(site)))
    for site in sites:
        for beam in site.beams:
            text = yaml.safe_dump(settings(site, beam))
            (folder / f"run-{beam}.yaml").write_text(text)
    (folder / "run.yaml").write_text(yaml.safe_dump(settings(best, best.beams[0])))
    beams = [beam for site in sites for beam in site.beams]
    sys.stdout.write(f"{len(table)} parcels; beams {', '.join(beams)}\n{folder / 'run.yaml'}\n")


def scenes(path: Path, site: str, folder: Path) -> list[str]:
    """One GeoTIFF per date, bands VV and VH in decibels; returns the site's beams.

    A site may lie in several tracks, which look from other angles: each is a beam of its own, told
    by its time of day. Scale, no data, dates and CRS are those that the file declares.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(path) as file:
        unit, _, origin = text(file["timestamp"].attrs["units"]).partition(" since ")
        begun = datetime.fromisoformat(origin).replace(tzinfo=UTC)
        times = [begun + timedelta(seconds=int(s) * UNITS[unit]) for s in file["timestamp"][()]]
        decibels = np.stack([backscatter(file[name]) for name in ("VV", "VH")], axis=1)
        grid, upward, crs = transform(file)
    tracks = track_of(times)
    for when, image in zip(times, decibels, strict=True):
        name = f"S1_{site}-{tracks[when]}_{when:%Y%m%dT%H%M%S}.tif"
        profile = {"driver": "GTiff", "count": 2, "dtype": "float32", "crs": crs}
        height, width = image.shape[1:]
        with rasterio.open(
            folder / name, "w", height=height, width=width, transform=grid, nodata=0, **profile
        ) as raster:
            raster.write(image[:, ::-1] if upward else image)
            raster.descriptions = ("VV", "VH")
    return [f"{site}-{track}" for track in sorted(set(tracks.values()))]


def backscatter(stored: h5py.Dataset) -> NDArray[np.float32]:
    """Decibels, 0 where the file has its fill value."""
    values, fill = stored[()], stored.attrs.get("_FillValue", 0)
    factor = float(np.ravel(stored.attrs.get("scale_factor", 1e-4))[0])
    offset = float(np.ravel(stored.attrs.get("add_offset", 0.0))[0])
    gone = (values == np.ravel(fill)[0]) | ~np.isfinite(values)
    return np.where(gone, 0, values * factor + offset).astype(np.float32)


def text(value: object) -> str:
    """An attribute as text, whichever library wrote it."""
    return value.decode() if isinstance(value, bytes) else str(value)


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


def transform(file: h5py.File) -> tuple[rasterio.Affine, bool, rasterio.CRS]:
    """The north-up grid of the centre coordinates x and y, whether rows go up, and their CRS."""
    x, y = file["x"][()], file["y"][()]
    across, down = float(x[1] - x[0]), float(y[1] - y[0])
    corner = float(x[0]) - across / 2, float(max(y[0], y[-1])) + abs(down) / 2
    reference = file["spatial_ref"].attrs
    crs = rasterio.CRS.from_wkt(text(reference.get("crs_wkt", reference["spatial_ref"])))
    return rasterio.Affine(across, 0, corner[0], 0, -abs(down), corner[1]), down > 0, crs


def polygons(path: Path, site: str) -> geopandas.GeoDataFrame:
    """Parcels: connected pixels of one land cover and one crop; each is a group of its own."""
    with h5py.File(path) as file:
        cover, crop = file["LC"][()], file["CT"][()]
        grid, upward, crs = transform(file)
    both = cover.astype(np.int32) * 10_000 + crop
    both = both[::-1] if upward else both
    found = list(shapes(both, np.isin(both // 10_000, list(COVER)), 4, grid))
    parcels = geopandas.GeoDataFrame(
        {
            "group": [f"{site}-{number:02d}" for number in range(len(found))],
            "cover": [int(value) // 10_000 for _, value in found],
            "crops": [int(value) % 10_000 for _, value in found],
        },
        geometry=[shape(outline) for outline, _ in found],
        crs=crs,
    )
    parcels["large"] = ~parcels.geometry.buffer(-WINDOW_M * 0.7).is_empty
    return parcels


def parcel_series(path: Path, parcels: geopandas.GeoDataFrame) -> pandas.DataFrame:
    """Mean decibels of every parcel over the pixels that lie in it whole, on the dates of the track
    with most passes.
    """
    with h5py.File(path) as file:
        unit, _, origin = text(file["timestamp"].attrs["units"]).partition(" since ")
        begun = datetime.fromisoformat(origin)
        times = [begun + timedelta(seconds=int(s) * UNITS[unit]) for s in file["timestamp"][()]]
        grid, upward, _ = transform(file)
        tracks = [*track_of(times).items()]
        most = Counter(track for _, track in tracks).most_common(1)[0][0]
        seen = np.array([dict(tracks)[when] == most for when in times])
        images = {name: backscatter(file[name])[seen] for name in ("VV", "VH")}
    times = [when for when, own in zip(times, seen, strict=True) if own]
    rows = []
    for parcel in parcels.itertuples():
        crop = CROPS.get(parcel.crops, f"CT{parcel.crops}")
        inner = parcel.geometry.buffer(-abs(grid.a) / 2)
        if parcel.crops == 0 or inner.is_empty:
            continue
        shape_of = images["VV"].shape[1:]
        mask = geometry_mask([inner], shape_of, grid, invert=True)
        mask = mask[::-1] if upward else mask
        if not mask.any():
            continue
        means = {}
        for name, values in images.items():
            known = np.where(values[:, mask] == 0, np.nan, values[:, mask])
            means[name] = np.nanmean(known, axis=1)
        told = {"id": parcel.group, "class": crop, "site": parcel.group[:-3]}
        rows.append(pandas.DataFrame({**told, "date": times, **means}))
    return pandas.concat(rows)


def table_settings() -> dict[str, object]:
    """The run on the parcels' means: a table of labelled series, sites of any place and year."""
    return {
        "workspace": "parcels",
        "features": {"statistics": ["k1"]},
        "samples": {
            "table": {"url": "parcels.csv", "name": "parcels", "group": "id"},
            "classes": ["CEREAL", "GRASS", "MAIZE"],
        },
    }


def large_classes(site: Site) -> list[str]:
    """Crops of a site that grow on two parcels which are large enough for a window."""
    parcels = site.parcels[site.parcels["large"] & (site.parcels["crops"] > 0)]
    called = parcels["crops"].map(lambda code: CROPS.get(code, f"CT{code}"))
    counts = called.value_counts()
    return sorted(counts[counts >= 2].index)


def settings(site: Site, beam: str) -> dict[str, object]:
    """The run of a beam: two folds, because some crops grow on two parcels only."""
    return {
        "workspace": "workspace",
        "beam": beam,
        "polarisations": ["VV", "VH"],
        "ingest": {
            "scenes": f"scenes/S1_{beam}_*.tif",
            "chunk": 32,
            "naming": {
                "pattern": r"S1_(?P<beam>\w+-\d{4})_(?P<start>\d{8}T\d{6})\.tif$",
                "sensor": "S1",
                "pass_direction": site.passes,
                "radiometry": "sigma0",
                "scale": "dB",
                "bands": ["VV", "VH"],
            },
        },
        "samples": {
            "polygons": "crops.gpkg",
            "classes": large_classes(site) or None,
            "stride": 1,
        },
        "features": {"window": 3},
        "assess": {"folds": 2},
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
