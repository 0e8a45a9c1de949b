"""Detected products (MGD, GEC, EEC): amplitude GeoTIFFs under a simulated annotation."""

from __future__ import annotations

import math
import re
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import xmlschema
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.errors import NotGeoreferencedWarning
from support.small_products import TSX1, GroundAxes, ground_axes, ground_product

from cpazmal_scale.config import MASK_BITS, Ingest, RunConfig
from cpazmal_scale.cube import cube_url, ingest_scenes, open_cube
from cpazmal_scale.errors import GridMismatch, SceneImplausible, SceneUnknown, SceneUnreadable
from cpazmal_scale.scenes import Scene, SceneReader, discover
from cpazmal_scale.scenes.level1b.annotation import Annotation, Variant
from cpazmal_scale.scenes.level1b.annotation_xml import parse_annotation
from cpazmal_scale.scenes.level1b.geolocation import Geolocation
from cpazmal_scale.scenes.level1b.georef import parse_georef
from cpazmal_scale.scenes.level1b.ground_range import detected_axes
from cpazmal_scale.scenes.level1b.product import find_products
from cpazmal_scale.scenes.level1b.radiometry import noise_beta0
from cpazmal_scale.scenes.level1b.reader import open_product
from cpazmal_scale.scenes.untrusted import xml
from cpazmal_scale.simulate.files.annotation_xml import annotation_document, georef_document
from cpazmal_scale.simulate.files.slant import CAL_FACTOR, HEIGHT, Look, look
from cpazmal_scale.simulate.given.tables import calendar
from cpazmal_scale.simulate.ground.grids import over_massif
from cpazmal_scale.terrain.ellipsoid import ecef, incidence

TDX1 = "TDX1_SAR__SSC______ST_S_SRA_20231005T014450_20231005T014450"
ID = "PAZ1_SAR__{}_RE___SM_S_SRA_20210207T054428_20210207T054435"
PLACE = 341_403.0, 5_087_100.0
"""Easting and northing of a bright target, inside the area."""


@pytest.fixture(scope="module")
def seen() -> Look:
    one = next(one for one in calendar() if f"{one.start:%Y%m%d}" == "20210207")
    return look(over_massif("utm", (256, 256)), one, "PAZ1", ID)


def written(
    folder: Path,
    seen: Look,
    variant: Variant,
    values: np.ndarray,
    grid: dict[str, np.ndarray],
    *,
    flags: frozenset[str] = frozenset(),
    **profile: Any,
) -> Path:
    """A detected product with an image and changed positions in the geolocation grid."""
    name = ID.format(variant)
    told = seen.annotation
    layer = replace(told.layers[0], path="IMAGEDATA/IMAGE_HH_SRA_strip.tif", size=-1)
    raster = replace(
        told.raster,
        lines=values.shape[0],
        samples=values.shape[1],
        line_spacing=3.0,
        sample_spacing=2.0,
        units="m",
        data_type="DETECTED",
        data_format="GEOTIFF",
        depth=16,
    )
    told = replace(
        told,
        id=name,
        variant=variant,
        projection="MAP",
        raster=raster,
        layers=(layer,),
        processing=replace(told.processing, flags=flags),
    )
    for part in ("ANNOTATION", "IMAGEDATA"):
        (folder / name / part).mkdir(parents=True)
    (folder / name / f"{name}.xml").write_bytes(annotation_document(told))
    document = georef_document(replace(seen.grid, **grid))
    (folder / name / "ANNOTATION" / "GEOREF.xml").write_bytes(document)
    image = {"driver": "GTiff", "count": 1, "dtype": "uint16", **profile}
    image |= {"height": values.shape[0], "width": values.shape[1]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)  # as delivered
        with rasterio.open(folder / name / layer.path, "w", **image) as file:
            file.write(values.astype("uint16"), 1)
    return folder / name


def only(folder: Path, **level1b: Any) -> Scene:
    rules = {"scenes": str(folder), "level1b": {"height": HEIGHT, **level1b}}
    (scene,) = discover(Ingest.model_validate(rules), check=True)
    return scene


def whole(scene: Scene) -> tuple[np.ndarray, np.ndarray]:
    with SceneReader(scene, scene.geobox) as reader:
        return reader.read(0, scene.geobox.shape[0])


SHAPE = 1000, 600
"""Rows and columns of the real scene in ground range, some 60 m wide."""


@pytest.mark.parametrize("turned", [True, False])
@pytest.mark.parametrize("bare", [True, False])
def test_ground_range_images_are_placed_by_their_polynomial(
    shared_data: Path, tmp_path: Path, turned: bool, bare: bool
) -> None:
    """A bright pixel at a point of the provider's grid, found at that point's coordinates.

    The grid's rows and columns are those of the complex image, as its schema says, or, like its
    heights, not there.
    """
    grid = parse_georef(xml.read(str(shared_data / "tsx" / TSX1 / "ANNOTATION" / "GEOREF.xml")))
    point = 80, 20
    axes = ground_axes(shared_data, SHAPE, turned=turned)
    y, x = axes.line(grid.t[point]), axes.column(grid.tau[point])
    values = np.full(SHAPE, 100)
    values[round(y), round(x)] = 20_000

    def without(text: str) -> str:
        return re.sub(r"<(row|col|height)>[^<]+</\1>", "", text) if bare else text

    folder = ground_product(shared_data, tmp_path, values, turned=turned, georef=without)
    schema = xmlschema.XMLSchema(str(shared_data / "tsx" / TDX1 / "SUPPORT" / "geoReference.xsd"))
    assert schema.is_valid(str(folder / "ANNOTATION" / "GEOREF.xml")) or not bare
    rules = {"scenes": str(tmp_path), "level1b": {"height": float(grid.height[point])}}
    (product,) = find_products(
        [str(folder / f"{folder.name}.xml")], Ingest.model_validate(rules).level1b
    )
    to_map = Transformer.from_crs("EPSG:4326", "EPSG:32612", always_xy=True)
    east, north = to_map.transform(grid.lon[point], grid.lat[point])
    corner = round(east / 10) * 10 - 300, round(north / 10) * 10 + 300
    here = GeoBox((60, 60), Affine(10, 0, corner[0], 0, -10, corner[1]), "EPSG:32612")
    with open_product(product, here) as reader:
        power, _ = reader.read(slice(0, 60), slice(0, 60))
    rows, columns = np.nonzero(power[0] > 0.5 * np.nanmax(power[0]))
    column, row = ~here.transform * (east, north)
    # The bright pixel is 60 m long and its centre up to half of that from the point.
    bright = (round(y) - y) * 60.0, (round(x) - x) * axes.spacing
    far = math.hypot(rows.mean() + 0.5 - row, columns.mean() + 0.5 - column) * 10
    assert abs(far - math.hypot(*bright)) < 6


def polynomial(axes: GroundAxes, order: int, reference: float, low: float, high: float) -> str:
    """Ground range between two range times as an element of the schema."""
    tau = np.linspace(low, high, 400)
    ground = np.polynomial.polynomial.polyval(tau - axes.reference, axes.coefficients)
    fitted = np.polynomial.Polynomial.fit(tau, ground, order)
    (first, last), terms = fitted.domain, np.polynomial.polynomial
    line = [(2 * reference - first - last) / (last - first), 2 / (last - first)]
    powers = np.zeros(1)
    for one in fitted.coef[::-1]:
        powers = terms.polyadd(terms.polymul(powers, line), [one])
    told = "".join(
        f'<coefficient exponent="{power}">{value!r}</coefficient>'
        for power, value in enumerate(powers.tolist())
    )
    return (
        "<slantToGroundRangeProjection>"
        f"<validityRangeMin>{low!r}</validityRangeMin><validityRangeMax>{high!r}</validityRangeMax>"
        f"<referencePoint>{reference!r}</referencePoint>"
        f"<polynomialDegree>{order}</polynomialDegree>{told}</slantToGroundRangeProjection>"
    )


WAYS = ("far from 0", "beside the scene", "falling", "in two parts", "longer than the scene")


def reworded(axes: GroundAxes, order: int, way: str) -> str:
    """The same ground range, told in another way."""
    near, far = axes.ranges
    middle, quarter = (near + far) / 2, near + (far - near) / 4
    if way == "in two parts":
        parts = (middle, far), (near, middle)
        return "".join(polynomial(axes, order, middle, *ends) for ends in parts)
    if way == "longer than the scene":
        return polynomial(axes, order, quarter, near - 2e-5, far + 2e-5)
    reference = {"far from 0": 0.0, "beside the scene": far + 1e-4}.get(way, middle)
    told = polynomial(axes, order, reference, near, far)
    if way == "falling":
        return re.sub(r'(exponent="\d">)(-?)', lambda m: m[1] + ("" if m[2] else "-"), told)
    return told


@pytest.mark.parametrize("way", WAYS)
def test_any_polynomial_of_the_same_ground_range_gives_the_same_columns(
    shared_data: Path, tmp_path: Path, way: str
) -> None:
    axes = ground_axes(shared_data, SHAPE)
    tau = np.linspace(*axes.ranges, 50)
    right = np.array([axes.column(one) for one in tau])
    for order, most in ((2, 0.02), (3, 1e-4), (4, 1e-4), (5, 1e-4)):

        def edit(text: str, order: int = order) -> str:
            told = reworded(axes, order, way)
            return re.sub(r"<slantToGround.*</slantToGround[^>]*>", told, text, flags=re.S)

        folder = ground_product(shared_data, tmp_path / str(order), np.ones(SHAPE), edit=edit)
        told, geolocation = geolocated(folder)
        _, column = detected_axes(told, geolocation)(np.zeros(50), tau)
        np.testing.assert_allclose(column, right, atol=most)


def geolocated(folder: Path) -> tuple[Annotation, Geolocation]:
    told = parse_annotation(xml.read(str(folder / f"{folder.name}.xml")))
    grid = parse_georef(xml.read(str(folder / "ANNOTATION" / "GEOREF.xml")))
    return told, Geolocation(told, grid, where="")


def test_a_ground_range_image_says_how_it_is_made(shared_data: Path, tmp_path: Path) -> None:
    values = np.full(SHAPE, 100)
    ground_product(shared_data, tmp_path / "raw", values)
    scene = only(tmp_path / "raw", radiometry="beta0", noise="keep")
    assert "not terrain-corrected, geocoded 2000 m" in scene.processing

    for flag, said in (("true", "kept"), ("false", "subtracted")):

        def flagged(text: str, flag: str = flag) -> str:
            return re.sub(r"(<noiseCorrectedFlag>)\w+", rf"\g<1>{flag}", text)

        ground_product(shared_data, tmp_path / flag, values, edit=flagged)
        assert f"noise {said}" in only(tmp_path / flag).processing


def _from_mapping_grid(text: str) -> str:
    """Without numbers of corners; the mapping grid tells the first row and column."""
    start = (
        "<mappingGridInfo><gridReferenceTime><tReferenceTimeUTC>2008-03-10T13:32:28.9Z"
        "</tReferenceTimeUTC><tauReferenceTime>4.2272e-03</tauReferenceTime><refRow>1</refRow>"
        "<refCol>1</refCol></gridReferenceTime></mappingGridInfo></projectedImageInfo>"
    )
    bare = re.sub(r"<ref(Row|Column)>[^<]+</ref\1>", "", text)
    return bare.replace("</projectedImageInfo>", start)


def test_the_mapping_grid_tells_rows_and_columns(shared_data: Path, tmp_path: Path) -> None:
    axes = ground_axes(shared_data, SHAPE)
    t, tau = np.array([0.3, 4.0]), np.array([axes.ranges[0], np.mean(axes.ranges)])
    for far in (False, True):
        edit = _from_mapping_grid
        if far:

            def edit(text: str) -> str:
                return _from_mapping_grid(text).replace("4.2272e-03", "4.3666e-03")

        folder = ground_product(shared_data, tmp_path / str(far), np.ones(SHAPE), edit=edit)
        told, geolocation = geolocated(folder)
        since = (told.start - geolocation.grid.reference_time).total_seconds()
        line, sample = detected_axes(told, geolocation)(t + since, tau)
        right = [axes.column(one) for one in tau]
        if far:
            right = [SHAPE[1] - 1 - one for one in right]
        np.testing.assert_allclose(sample, right, atol=1e-3)
        np.testing.assert_allclose(line, [axes.line(one) for one in t], atol=0.01)


def test_ground_range_images_that_contradict_themselves(shared_data: Path, tmp_path: Path) -> None:
    values = np.full(SHAPE, 100)
    edits = {
        "polynomial": lambda text: re.sub(
            r"<projectedImageInfo>.*?</projectedImageInfo>", "", text
        ),
        "turns back": lambda text: re.sub(
            r'(<slantToGround.*?exponent="1">)[^<]+', r"\g<1>0.0", text, flags=re.S
        ),
        "times span": lambda text: _from_mapping_grid(text).replace(
            '<rowSpacing units="m">', '<rowSpacing units="m">2'
        ),
        "column": lambda text: text.replace(
            f"<refColumn>{SHAPE[1]}<", f"<refColumn>{SHAPE[1] - 9}<"
        ),
        "row": lambda text: text.replace("<refRow>1<", "<refRow>9<"),
        "tell its rows": lambda text: re.sub(r"<ref(Row|Column)>[^<]+</ref\1>", "", text),
        "RAW geometry": lambda text: text.replace("ZERODOPPLER", "RAW"),
        "columnSpacing is 0": lambda text: text.replace('"m">60.0<', '"m">0<'),
        "not radar brightness": lambda text: text.replace("RADAR BRIGHTNESS", "SIGMA NOUGHT"),
    }
    for said, edit in edits.items():
        folder = tmp_path / said.split()[0]
        ground_product(shared_data, folder, values, edit=edit)
        with pytest.raises((SceneUnreadable, SceneUnknown), match=said):
            only(folder)


def map_image(seen: Look, folder: Path, variant: Variant = "GEC", pixel: float = 2.0) -> Path:
    values = np.full((200, 180), 100)
    values[:, :20] = 0
    values[50:60, 70:90] = 30
    transform = Affine(pixel, 0, 341_250.0, 0, -pixel, 5_087_250.0)
    return written(folder, seen, variant, values, {}, crs="EPSG:32632", transform=transform)


@pytest.mark.parametrize("variant", ["GEC", "EEC"])
def test_map_images_keep_their_pixels(seen: Look, tmp_path: Path, variant: Variant) -> None:
    map_image(seen, tmp_path, variant)
    scene = only(tmp_path)
    assert scene.geobox.shape == (200, 180)
    assert scene.geobox.transform.a == 2.0
    start = "terrain-corrected" if variant == "EEC" else "not terrain-corrected"
    assert scene.processing.startswith(start)
    power, flags = whole(scene)
    assert np.isnan(power[0, :, :20]).all()
    assert not np.isnan(power[0, :, 20:]).any()
    assert (flags[:, :20] == MASK_BITS["not_valid"]).all()
    # By hand, at one pixel: (ks·DN² − NEBN)·tan θ.
    lon, lat = Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True).transform(
        341_250.0 + 2 * 75.5, 5_087_250.0 - 2 * 55.5
    )
    geolocation = Geolocation(seen.annotation, seen.grid, where="")
    place = np.array([lon]), np.array([lat])
    t, tau = geolocation.orbit.radar(*place, HEIGHT, first=geolocation.first)
    noise = noise_beta0(seen.annotation.layers[0], seen.grid.reference_time, t, tau)
    ground = ecef(*place, HEIGHT)
    theta = np.radians(incidence(geolocation.orbit.position(t) - ground, *place))
    by_hand = (CAL_FACTOR * 30**2 - noise) * np.tan(theta)
    assert power[0, 55, 75] == pytest.approx(float(by_hand[0]), rel=1e-5)
    assert flags[55, 75] == MASK_BITS["noise_limited"]


@pytest.mark.parametrize("variant", ["GEC", "EEC"])
def test_map_images_are_not_flattened(seen: Look, tmp_path: Path, variant: Variant) -> None:
    map_image(seen, tmp_path / "in", variant)
    dem, place = tmp_path / "dem.tif", Affine(0.01, 0, 6.5, 0, -0.01, 46.5)
    with rasterio.open(
        dem,
        "w",
        driver="GTiff",
        width=99,
        height=99,
        count=1,
        dtype="float32",
        crs=4326,
        transform=place,
    ) as file:
        file.write(np.full((1, 99, 99), HEIGHT, "f4"))
    ground = {"terrain": {"dem": str(dem), "vertical": "ellipsoid"}}

    def found(**level1b: Any) -> Scene:
        rules = {"scenes": str(tmp_path / "in"), "level1b": {**ground, **level1b}}
        (scene,) = discover(Ingest.model_validate(rules))
        return scene

    assert found().radiometry == "gamma0"
    with pytest.raises(SceneUnknown, match=f"provider's .{variant}.*SSC or MGD"):
        found(radiometry="gamma0_T")


def test_map_images_lie_where_their_grid_does(seen: Look, tmp_path: Path) -> None:
    product = map_image(seen, tmp_path)
    (image,) = (product / "IMAGEDATA").iterdir()
    for change in ({"crs": "EPSG:32633"}, {"crs": "EPSG:32732"}, {"east": 5_000.0}):
        with rasterio.open(image, "r+") as file:
            before = file.crs, file.transform
            file.crs = change.get("crs", file.crs)
            file.transform = Affine.translation(change.get("east", 0.0), 0) * file.transform
        with pytest.raises(SceneUnreadable, match="share 0% of their area"):
            only(tmp_path)
        with rasterio.open(image, "r+") as file:
            file.crs, file.transform = before
    assert only(tmp_path).geobox.shape == (200, 180)


def test_images_of_one_product_lie_on_one_grid(seen: Look, tmp_path: Path) -> None:
    """The second polarisation's file is one pixel aside, which the annotation does not tell."""
    product = map_image(seen, tmp_path)
    (image,) = (product / "IMAGEDATA").iterdir()
    second = image.with_name(image.name.replace("HH", "HV"))
    shutil.copy(image, second)
    main = product / f"{product.name}.xml"
    told = parse_annotation(xml.read(str(main)))
    (one,) = told.layers
    two = replace(one, index=2, polarisation="HV", path=one.path.replace("HH", "HV"))
    main.write_bytes(annotation_document(replace(told, layers=(one, two))))
    with rasterio.open(second, "r+") as file:
        file.transform = Affine.translation(2.0, 0) * file.transform
    with pytest.raises(SceneUnreadable, match=r"does not lie where IMAGE_HH_SRA_strip\.tif lies"):
        only(tmp_path)


def test_map_images_of_another_grid_need_resampling(seen: Look, tmp_path: Path) -> None:
    map_image(seen, tmp_path / "in")
    values = {
        "workspace": str(tmp_path / "run"),
        "ingest": {
            "scenes": str(tmp_path / "in"),
            "grid": "utm32n-3m",
            "chunk": 64,
            "precision": "full",
        },
    }
    with pytest.raises(GridMismatch):
        ingest_scenes(RunConfig.parse(values))
    values["ingest"] |= {"resample": True}  # type: ignore[operator]
    (report,) = ingest_scenes(RunConfig.parse(values)).cubes
    cube = open_cube(cube_url(str(tmp_path / "run"), report.beam))
    power, _ = whole(only(tmp_path / "in"))
    assert float(np.nanmean(cube["HH"])) == pytest.approx(float(np.nanmean(power)), rel=0.02)


def test_an_image_that_is_not_what_its_annotation_says(seen: Look, tmp_path: Path) -> None:
    product = map_image(seen, tmp_path)
    (image,) = (product / "IMAGEDATA").iterdir()
    content = image.read_bytes()
    for length in np.linspace(0, len(content) - 2, 20).astype(int):
        image.write_bytes(content[:length])
        with pytest.raises((SceneUnreadable, SceneImplausible)):
            only(tmp_path)
    image.write_bytes(content)
    main = product / f"{product.name}.xml"
    text = main.read_text()
    main.write_text(text.replace("<numberOfRows>200<", "<numberOfRows>201<"))
    with pytest.raises(SceneUnreadable, match="200 x 180"):
        only(tmp_path)


@pytest.mark.parametrize(
    ("inwards", "east", "said"),
    [
        (0.0, 0.0, ""),
        (1.0, 0.0, ""),
        (0.0, 30.0, "corners of its image lie 30 m from where its annotation puts them: compare"),
        (0.0, 120.0, "corners of its image lie 120 m from where its annotation puts them; copy"),
    ],
)
def test_the_corners_of_a_map_image_are_annotated(
    seen: Look, tmp_path: Path, inwards: float, east: float, said: str
) -> None:
    """As longitudes and latitudes of edges or of pixels' centres; far off it is another image."""
    product = map_image(seen, tmp_path, "EEC")
    (main,) = product.glob("*.xml")
    left, right = 341_250.0 + east + inwards, 341_610.0 + east - inwards
    top, bottom = 5_087_250.0 - inwards, 5_086_850.0 + inwards
    to_degrees = Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True)
    corners = {
        "upperLeft": (left, top),
        "upperRight": (right, top),
        "lowerRight": (right, bottom),
        "lowerLeft": (left, bottom),
    }
    told = "</frameCoordsGeographic></geoParameter></geocodedImageInfo>"
    for name, place in corners.items():
        lon, lat = to_degrees.transform(*place)
        told = f"<{name}Latitude>{lat!r}</{name}Latitude>{told}"
        told = f"<{name}Longitude>{lon!r}</{name}Longitude>{told}"
    told = f"<geocodedImageInfo><geoParameter><frameCoordsGeographic>{told}"
    told = f"<productSpecific>{told}</productSpecific></level1Product>"
    main.write_text(main.read_text().replace("</level1Product>", told))
    if "; copy" in said:
        with pytest.raises(SceneUnreadable, match=said):
            only(tmp_path)
    else:
        assert [said in one for one in only(tmp_path).warnings] == [True] * bool(said)
