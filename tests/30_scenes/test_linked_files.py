"""Files that point at other files and addresses: nothing is read but what lies beside them."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import socket
import sqlite3
import struct
import tarfile
import threading
import tracemalloc
import zipfile
from collections.abc import Iterator
from pathlib import Path

import geopandas
import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from shapely.geometry import box
from support.scenes_factory import STARTS, campaign, run_config, speckle, write_raster

from cpazmal_scale.errors import CpazmalError, DemError, SampleError, SceneError, SceneUnreadable
from cpazmal_scale.grid.edges import PixelEdges
from cpazmal_scale.grid.vectors import read_vectors
from cpazmal_scale.samples.draw.terrain import terrain
from cpazmal_scale.scenes import discover
from cpazmal_scale.scenes.untrusted import archive
from cpazmal_scale.terrain.elevation import Dem, digest, open_dem

SIDECAR = """sensor: TSX1
start: 2011-05-05T17:25:01
beam: ASC45
bands: [HH]
radiometry: gamma0
scale: linear
"""
VRT = """<VRTDataset rasterXSize="50" rasterYSize="40"><VRTRasterBand dataType="Byte" band="1">
<SimpleSource><SourceFilename relativeToVRT="0">{source}</SourceFilename></SimpleSource>
</VRTRasterBand></VRTDataset>"""


@pytest.fixture
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """An address on this machine, and what was asked of it."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                try:
                    client, _ = server.accept()
                except TimeoutError:
                    continue
                with client:
                    asked.append(client.recv(200))
                    client.sendall(b"HTTP/1.0 404 Not Found\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        stop.set()
        thread.join()


def find(folder: Path) -> None:
    discover(run_config(folder, "unused").ingest, check=True)


@pytest.mark.parametrize("driver", ["PCIDSK", "HFA", "VRT", "WMS", "HTTP"])
def test_formats_that_name_files_are_not_opened(tmp_path, driver: str) -> None:
    write_raster(tmp_path / "x.tif", [speckle((40, 50))])
    (tmp_path / "x.tif.yaml").write_text(f"{SIDECAR}driver: {driver}\n")
    with pytest.raises(SceneError, match=f"`{driver}` is not one of"):
        find(tmp_path)


def test_a_pixel_file_of_pcidsk_is_not_a_scene(tmp_path) -> None:
    write_raster(
        tmp_path / "x.pix", [speckle((40, 50))], driver="PCIDSK", tiled=None, compress=None
    )
    (tmp_path / "x.pix.yaml").write_text(SIDECAR)
    with pytest.raises(SceneError):
        find(tmp_path)


@pytest.mark.parametrize("name", ["{0}.msk", "{0}.ovr", "{1}.msk"])
def test_a_mask_or_overview_that_is_another_format(tmp_path, listener, name: str) -> None:
    folder = campaign(tmp_path, (64, 64), STARTS[:1])
    (scene,) = (folder / "dsc").glob("*.tif")
    address, asked = listener
    beside = name.format(scene, scene.with_suffix(""))
    Path(beside).write_text(VRT.format(source=f"/vsicurl/{address}/x.tif"))
    with pytest.raises(SceneUnreadable, match="is no TIFF"):
        find(folder)
    assert asked == []


def test_an_aux_file_that_names_overviews(tmp_path) -> None:
    folder = campaign(tmp_path, (64, 64), STARTS[:1])
    (scene,) = (folder / "dsc").glob("*.tif")
    Path(f"{scene}.aux.xml").write_text(
        '<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/etc/x.tif</MDI>'
        "</Metadata></PAMDataset>"
    )
    with pytest.raises(SceneUnreadable, match="names a file"):
        find(folder)


def test_headers_count_among_the_bytes_and_statistics_do_not(tmp_path) -> None:
    options = {"tiled": None, "blockxsize": None, "blockysize": None, "compress": None}
    write_raster(tmp_path / "x.img", [speckle((40, 50))], driver="ENVI", nodata=None, **options)
    (tmp_path / "x.img.yaml").write_text(SIDECAR)

    def digest() -> str:
        (scene,) = discover(run_config(tmp_path, "unused").ingest, check=True)
        return scene.source_sha256

    first = digest()
    (tmp_path / "x.img.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><Metadata><MDI key="STATISTICS_MAXIMUM">1</MDI>'
        "</Metadata></PAMRasterBand></PAMDataset>"
    )
    assert digest() == first
    header = tmp_path / "x.hdr"
    header.write_text(header.read_text().replace("339000", "339003"))
    assert digest() != first


def square() -> geopandas.GeoDataFrame:
    return geopandas.GeoDataFrame(
        {"class": ["ABL"], "group": ["g"]}, geometry=[box(6.9, 45.8, 7, 45.9)], crs="EPSG:4326"
    )


@pytest.mark.parametrize("name", ["p.gpkg", "p.geojson", "p.json", "p.shp", "p.zip"])
def test_polygons_of_every_documented_format(tmp_path, name: str) -> None:
    path = tmp_path / name
    if name == "p.json":
        square().to_file(path, driver="GeoJSON")
    elif name == "p.zip":
        square().to_file(tmp_path / "p.shp")
        with zipfile.ZipFile(path, "w") as packed:
            for part in tmp_path.glob("p.???"):
                if part.suffix != ".zip":
                    packed.write(part, part.name)
    else:
        square().to_file(path)
    assert read_vectors(str(path))["class"].tolist() == ["ABL"]


@pytest.mark.parametrize("name", ["p.geojson", "p.gpkg", "p.shp", "p.zip", "p.vrt", "p.json"])
@pytest.mark.parametrize("kind", ["vrt", "wfs"])
def test_polygons_do_not_point_elsewhere(tmp_path, listener, name: str, kind: str) -> None:
    square().to_file(tmp_path / "secret.gpkg")
    address, asked = listener
    text = {
        "vrt": '<OGRVRTDataSource><OGRVRTLayer name="secret"><SrcDataSource>'
        f"{tmp_path}/secret.gpkg</SrcDataSource></OGRVRTLayer></OGRVRTDataSource>",
        "wfs": f"<OGRWFSDataSource><URL>{address}</URL></OGRWFSDataSource>",
    }[kind]
    path = tmp_path / name
    if name == "p.zip":
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr("p.vrt", text)
    else:
        path.write_text(text)
    with pytest.raises(SampleError, match="not a vector file"):
        read_vectors(str(path))
    assert asked == []


@pytest.mark.parametrize(
    "crs",
    [
        {"crs": {"type": "link", "properties": {"href": "ADDRESS", "type": "proj4"}}},
        {"CRS": {"Type": "LINK", "Properties": {"HREF": "ADDRESS"}}},
        {"crs": {"type": "URL", "properties": {"url": "ADDRESS"}}},
        {"crs": {"type": "name", "properties": {"name": "ADDRESS"}}},
        {"crs": {"type": "name", "properties": {"name": "/etc/passwd"}}},
    ],
)
@pytest.mark.parametrize("depth", ["collection", "feature", "geometry"])
def test_a_reference_system_is_not_fetched(tmp_path, listener, crs, depth: str) -> None:
    address, asked = listener
    document = json.loads(square().to_crs("EPSG:4326").to_json())
    place = {
        "collection": document,
        "feature": document["features"][0],
        "geometry": document["features"][0]["geometry"],
    }[depth]
    place |= json.loads(json.dumps(crs).replace("ADDRESS", address))
    (tmp_path / "p.geojson").write_text(json.dumps(document))
    with pytest.raises(SampleError, match="its CRS is no name"):
        read_vectors(str(tmp_path / "p.geojson"))
    assert asked == []


@pytest.mark.parametrize(
    "name",
    [
        "urn:ogc:def:crs:EPSG::32632",
        "urn:ogc:def:crs:OGC:1.3:CRS84",
        "EPSG:32632",
        "http://www.opengis.net/def/crs/EPSG/0/32632",
    ],
)
def test_a_reference_system_by_its_name_is_known(tmp_path, name: str) -> None:
    document = json.loads(square().to_json())
    document["crs"] = {"type": "name", "properties": {"name": name}}
    (tmp_path / "p.geojson").write_text(json.dumps(document))
    found = read_vectors(str(tmp_path / "p.geojson")).crs
    assert found == ("EPSG:4326" if "CRS84" in name else "EPSG:32632")


def test_json_that_is_no_collection_of_features(tmp_path) -> None:
    for number, document in enumerate(({"type": "STAC"}, ["x"], {"type": "Topology"})):
        path = tmp_path / f"{number}.geojson"
        path.write_text(json.dumps(document))
        with pytest.raises(SampleError, match="not a vector file"):
            read_vectors(str(path))


@pytest.mark.parametrize("name", ["dem.tif", "dem.vrt", "dem.asc", "dem"])
def test_an_elevation_raster_is_what_its_name_says(tmp_path, listener, name: str) -> None:
    address, asked = listener
    (tmp_path / name).write_text(VRT.format(source=f"/vsicurl/{address}/x.tif"))
    axes = {"y": 5_087_000 - 3.0 * np.arange(40), "x": 339_000 + 3.0 * np.arange(50)}
    grid = PixelEdges(xr.Dataset(coords=axes).rio.write_crs("EPSG:32632"))
    zero = np.zeros(1, np.int64)
    with pytest.raises(SampleError):
        terrain(str(tmp_path / name), grid, zero, zero, 5)
    assert asked == []


def heights(path: Path, overviews: str = "") -> Path:
    """A GeoTIFF of heights or of a geoid; its own tag of metadata may name a file of overviews."""
    place = Affine(0.01, 0, 6.5, 0, -0.01, 46.5)
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "height": 50, "width": 60}
    with rasterio.open(path, "w", crs="EPSG:4326", transform=place, **profile) as raster:
        raster.write(np.full((1, 50, 60), 50, "f4"))
        if overviews:
            raster.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=overviews)
    return path


@pytest.mark.parametrize("what", ["dem", "geoid"])
@pytest.mark.parametrize("how", ["mask", "overviews", "notes", "pipe"])
def test_heights_and_geoids_name_no_other_file(tmp_path, listener, what: str, how: str) -> None:
    address, asked = listener
    linked = f"/vsicurl/{address}/x.tif"
    told = {name: heights(tmp_path / f"{name}.tif") for name in ("dem", "geoid")}
    if how == "overviews":
        heights(told[what], linked)
    elif how == "pipe":
        os.mkfifo(f"{told[what]}.aux.xml")
    elif how == "mask":
        Path(f"{told[what]}.msk").write_text(VRT.format(source=linked))
    else:
        notes = f'<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">{linked}</MDI></Metadata>'
        Path(f"{told[what]}.aux.xml").write_text(f"<PAMDataset>{notes}</PAMDataset>")
    with pytest.raises(DemError), open_dem(Dem(str(told["dem"]), str(told["geoid"]))) as opened:
        opened.heights(
            GeoBox((9, 9), Affine(0.01, 0, 6.6, 0, -0.01, 46.4), "EPSG:4326"),
            slice(0, 9),
            slice(0, 9),
        )
    assert asked == []


@pytest.mark.parametrize("end", [".msk", ".aux.xml"])
def test_what_changes_heights_counts_among_their_bytes(tmp_path, end: str) -> None:
    path = heights(tmp_path / "dem.tif")
    before = digest(Dem(str(path), "ellipsoid"))
    notes = '<PAMDataset><PAMRasterBand band="1">{}</PAMRasterBand></PAMDataset>'
    Path(f"{path}.aux.xml").write_text(notes.format("<Histograms/>"))
    assert digest(Dem(str(path), "ellipsoid")) == before
    if end == ".msk":
        heights(Path(f"{path}.msk"))
    else:
        Path(f"{path}.aux.xml").write_text(notes.format("<Scale>2</Scale>"))
    assert digest(Dem(str(path), "ellipsoid")) != before


def _bomb(kind: str) -> bytes:
    """A packed tar whose headers alone unpack to 200 MiB."""
    stream, size = io.BytesIO(), 200 * 2**20
    with gzip.GzipFile(fileobj=stream, mode="wb", compresslevel=1) as packed:
        if kind == "sparse":
            head = bytearray(tarfile.TarInfo("x").tobuf(tarfile.GNU_FORMAT))
            head[156:157] = b"S"
            head[482] = 1
            head[148:156] = b" " * 8
            head[148:156] = b"%06o\0 " % sum(head)
            packed.write(bytes(head))
            block = (b"00000000001\0" * 42).ljust(504, b"0") + b"\1" + b"\0" * 7
            for _ in range(size // 512):
                packed.write(block)
        else:
            info = tarfile.TarInfo("././@LongLink" if kind == "L" else "pax")
            info.type, info.size = kind.encode(), size
            packed.write(info.tobuf(tarfile.GNU_FORMAT))
            for _ in range(size // 2**20):
                packed.write(b"a" * 2**20)
    return stream.getvalue()


@pytest.mark.parametrize("kind", ["L", "K", "x", "g", "sparse"])
def test_headers_of_a_tar_file_cannot_fill_memory(tmp_path, kind: str) -> None:
    path = tmp_path / "x.tar.gz"
    path.write_bytes(_bomb(kind))
    tracemalloc.start()
    with pytest.raises(CpazmalError) as error, archive.open_container(str(path)):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "\n" not in str(error.value)
    assert peak < 180 * 2**20


def refuse_directory(path: Path) -> None:
    """The size of a zip's directory is refused in little memory."""
    tracemalloc.start()
    with (
        pytest.raises(SceneUnreadable, match="its directory has"),
        archive.open_container(str(path)),
    ):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("zip64", [False, True])
def test_the_directory_of_a_zip_cannot_fill_memory(tmp_path, zip64: bool) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(400):
            info = zipfile.ZipInfo(f"{number}")
            info.comment = b"c" * 60_000
            packed.writestr(info, b"")
        if zip64:
            packed._didModify = True
            packed.filelist = packed.filelist * 200  # more than 65 535 members
            for info in packed.filelist:
                info.comment = b"c" * 300
    refuse_directory(path)


def test_a_zip_with_two_ends_cannot_fill_memory(tmp_path) -> None:
    """What marks the end stands in the end itself, too: the size that counts is the reader's."""
    path, size = tmp_path / "x.zip", 200 * 2**20
    mark = b"PK\5\6"
    with path.open("wb") as file:
        file.seek(size)
        file.write(struct.pack("<4sHHHHL4sH", mark, 0, 0, 1, 1, size - 1, mark, 0))
    refuse_directory(path)


@pytest.mark.parametrize("part", ["p.dbf", "p.prj", "p.cpg", "p.qix"])
def test_a_part_of_a_shapefile_that_never_ends(tmp_path, part: str) -> None:
    square().to_file(tmp_path / "p.shp")
    (tmp_path / part).unlink(missing_ok=True)
    os.mkfifo(tmp_path / part)
    with pytest.raises(SampleError, match="pipe or device"):
        read_vectors(str(tmp_path / "p.shp"))


def test_a_zipped_shapefile_in_a_folder(tmp_path) -> None:
    square().to_file(tmp_path / "p.shp")
    for above, match in (("alps", None), ("..", "names files outside")):
        with zipfile.ZipFile(tmp_path / "p.zip", "w") as packed:
            for part in ("shp", "shx", "dbf", "prj"):
                packed.write(tmp_path / f"p.{part}", f"{above}/p.{part}")
        if match is None:
            assert read_vectors(str(tmp_path / "p.zip"))["class"].tolist() == ["ABL"]
            continue
        with pytest.raises(SampleError, match=match):
            read_vectors(str(tmp_path / "p.zip"))


def test_of_two_reference_systems_neither_is_fetched(tmp_path, listener) -> None:
    address, asked = listener
    link = f'"crs": {{"type": "link", "properties": {{"href": "{address}"}}}}'
    named = '"crs": {"type": "name", "properties": {"name": "EPSG:32632"}}'
    document = square().to_json()[1:-1]
    for text in (f"{link}, {named}, {document}", f"{document}, {named}, {link}"):
        (tmp_path / "p.geojson").write_text(f"{{{text}}}")
        with pytest.raises(SampleError, match="its CRS is no name"):
            read_vectors(str(tmp_path / "p.geojson"))
    assert asked == []


def view(path: Path, column: str, virtual: str = "") -> None:
    """The layer of a GeoPackage becomes a view, its classes what an expression gives."""
    square().to_file(path, layer="p q")
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA writable_schema = ON")
        if virtual:
            row = ("table", "q", "q", 0, f"CREATE VIRTUAL TABLE q USING {virtual}")
            database.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)
        database.execute("UPDATE gpkg_contents SET table_name = 'v'")
        database.execute("UPDATE gpkg_geometry_columns SET table_name = 'v'")
        database.execute(
            f"CREATE VIEW v AS SELECT fid, geom, CAST(({column}) AS TEXT) AS class, "
            'class AS "group" FROM "p q"'
        )
        database.commit()


@pytest.mark.parametrize("module", ["VirtualShape", "VirtualDbf", "VirtualText", "VirtualOGR"])
def test_a_virtual_table_of_a_geopackage_reads_no_other_file(tmp_path, module: str) -> None:
    (tmp_path / "home").mkdir()
    secret = tmp_path / "home" / "s"
    square().assign(**{"class": "SECRET"}).to_file(secret.with_suffix(".shp"))
    suffix = {"VirtualDbf": ".dbf", "VirtualOGR": ".shp"}.get(module, "")
    more = {"VirtualShape": ", 'UTF-8', 4326", "VirtualOGR": ", 0"}.get(module, ", 'UTF-8'")
    view(tmp_path / "p.gpkg", "SELECT class FROM q", f"{module}('{secret}{suffix}'{more})")
    with pytest.raises(SampleError, match=r"is virtual and may read other files|is a view"):
        read_vectors(str(tmp_path / "p.gpkg"))


def test_a_view_that_never_ends_is_not_computed(tmp_path) -> None:
    endless = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c"
    view(tmp_path / "p.gpkg", endless)
    with pytest.raises(SampleError, match="is a view: save it as a table"):
        read_vectors(str(tmp_path / "p.gpkg"))


def test_a_geopackage_with_an_index_is_read(tmp_path) -> None:
    square().to_file(tmp_path / "p.gpkg", layer="my using rtree( polygons")
    assert read_vectors(str(tmp_path / "p.gpkg"))["class"].tolist() == ["ABL"]
    with contextlib.closing(sqlite3.connect(tmp_path / "p.gpkg")) as database:
        database.execute("PRAGMA writable_schema = ON")
        trick = "CREATE VIRTUAL TABLE \"x using rtree(\" USING VirtualShape('/etc/x')"
        row = ("table", "x using rtree(", "x using rtree(", 0, trick)
        database.execute("INSERT INTO sqlite_master VALUES (?, ?, ?, ?, ?)", row)
        database.commit()
    with pytest.raises(SampleError, match="may read other files"):
        read_vectors(str(tmp_path / "p.gpkg"))


@pytest.mark.parametrize("system", ["../home", "mine", "C:\\home"])
def test_an_idrisi_raster_takes_its_reference_system_from_no_file(tmp_path, system: str) -> None:
    folder = tmp_path / "in"
    plain = dict.fromkeys(("tiled", "compress", "blockxsize", "blockysize"))
    write_raster(folder / "x.rst", [speckle((40, 50))], driver="RST", nodata=None, **plain)
    (folder / "x.rst.yaml").write_text(SIDECAR)
    find(folder)
    text = (folder / "x.rdc").read_text()
    assert "utm-32n" in text
    (folder / "x.rdc").write_text(text.replace("utm-32n", system))
    known = (
        "projection : Transverse Mercator\ndatum : WGS84\nellipsoid : WGS 84\norigin long : 15\n"
    )
    for name in (tmp_path / "home.ref", folder / "mine.ref"):
        name.write_text(f"ref. system : x\n{known}")
    with pytest.raises(SceneUnreadable, match="is another file"):
        find(folder)
