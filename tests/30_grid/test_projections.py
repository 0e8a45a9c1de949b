"""What a raster's own words say of where it lies."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine

from cpazmal_scale.grid import projections
from cpazmal_scale.grid.raster_files import misplaced

DAMAGED = [
    ('False_Easting",500000.0', 'False_Easting",5000000.0'),
    ('False_Easting",500000.0', 'False_Easting",500001.0'),
    ('False_Northing",0.0', 'False_Northing",10000000.0'),
    ('Central_Meridian",9.0', 'Central_Meridian",8.0'),
    ('Latitude_Of_Origin",0.0', 'Latitude_Of_Origin",1.0'),
    ("0.9996", "0.9986"),
    ("6378137", "6378187"),
    ("298.257", "299.257"),
    ('Greenwich",0.0', 'Greenwich",2.0'),
    ('Meter",1.0', 'Meter",1.1'),
    ("0.0174532925199433", "0.0194532925199433"),
    ("Zone_32N", "Zone_33N"),
    (", 32, North", ", 33, North"),
    (", 32, North", ", 32, South"),
]


def envi(folder: Path, crs: str) -> Path:
    path = folder / "x.img"
    profile = {"driver": "ENVI", "height": 4, "width": 5, "count": 1, "dtype": "float32"}
    where = Affine(3, 0, 339_000, 0, -3, 5_087_000)
    with rasterio.open(path, "w", crs=crs, transform=where, **profile) as raster:
        raster.write(np.ones((4, 5), np.float32), 1)
    return path


def wrong(path: Path) -> str | None:
    with rasterio.open(path, driver="ENVI") as raster:
        return misplaced(raster)


@pytest.mark.parametrize(("was", "damaged"), DAMAGED)
def test_a_header_that_says_two_things_of_its_place(tmp_path: Path, was: str, damaged: str) -> None:
    path = envi(tmp_path, "EPSG:32632")
    header = path.with_suffix(".hdr")
    text = header.read_text()
    assert was in text
    assert wrong(path) is None
    header.write_text(text.replace(was, damaged))
    assert " m beside it" in str(wrong(path)) or "tells UTM zone" in str(wrong(path))


@pytest.mark.parametrize(
    "crs",
    [
        *(
            "EPSG:2154",
            "EPSG:2056",
            "EPSG:3035",
            "EPSG:23032",
            "EPSG:25832",
            "EPSG:3857",
        ),
        "+proj=utm +zone=32 +ellps=intl +towgs84=-87,-98,-121",
        "+proj=laea +lat_0=46 +lon_0=7",
    ],
)
def test_reference_systems_of_every_kind_are_where_they_say(tmp_path: Path, crs: str) -> None:
    assert wrong(envi(tmp_path, crs)) is None


@pytest.mark.parametrize(
    ("crs", "body"),
    [
        ("+proj=utm +zone=32 +ellps=bessel", "Bessel 1841"),
        ("+proj=utm +zone=32 +a=6378137 +b=6370000", "unknown"),
        ("+proj=eqc +R=6378137", "unknown"),
        ("+proj=utm +zone=32 +ellps=GRS80", None),
        ("+proj=utm +zone=32 +ellps=bessel +towgs84=598,73,418,0.2,0,-2.4,6.7", None),
        *((f"EPSG:{code}", None) for code in (32632, 4326, 2056, 2154, 23032, 31467, 3857, 4979)),
    ],
)
def test_an_ellipsoid_without_a_place_is_named(crs: str, body: str | None) -> None:
    """PROJ takes latitudes of one for those of another without a word, hundreds of metres off."""
    assert projections.of_unknown_place(pyproj.CRS(crs)) == body


def test_heights_have_a_unit_and_are_left_out() -> None:
    for code, unit in ((5773, "metre"), (6360, "US survey foot"), (8228, "foot")):
        crs = pyproj.CRS(f"EPSG:32632+{code}")
        assert projections.unit_of_heights(crs) == unit
        assert projections.horizontal(crs).to_epsg() == 32632
    assert projections.unit_of_heights(pyproj.CRS("EPSG:4979")) == "metre"
    for code in (32632, 4326, 4978):
        assert projections.unit_of_heights(pyproj.CRS(code)) is None
