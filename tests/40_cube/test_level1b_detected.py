"""Detected products (MGD, GEC, EEC): amplitude GeoTIFFs under a simulated annotation."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from pyproj import Transformer
from rasterio.errors import NotGeoreferencedWarning

from cpazmal_scale.config import MASK_BITS, Ingest, RunConfig
from cpazmal_scale.cube import cube_url, ingest_scenes, open_cube
from cpazmal_scale.errors import GridMismatch, SceneImplausible, SceneUnreadable
from cpazmal_scale.scenes import Scene, SceneReader, discover
from cpazmal_scale.scenes.level1b.annotation import Variant
from cpazmal_scale.scenes.level1b.geolocation import Geolocation
from cpazmal_scale.scenes.level1b.radiometry import noise_beta0
from cpazmal_scale.simulate.files.annotation_xml import annotation_document, georef_document
from cpazmal_scale.simulate.files.slant import CAL_FACTOR, HEIGHT, Look, look
from cpazmal_scale.simulate.given.tables import calendar
from cpazmal_scale.simulate.ground.grids import over_massif

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


def ground_range(seen: Look, shape: tuple[int, int]) -> tuple[Any, Any]:
    """Line and column of a multilooked image, late lines first and columns unevenly spaced."""
    grid = seen.grid
    length, near, far = grid.lines[-1], grid.samples[0], grid.samples[-1]

    def line(t: Any) -> Any:
        return (shape[0] - 1) * (1 - t / length)

    def column(tau: Any) -> Any:
        u = (tau - near) / (far - near)
        return (shape[1] - 1) * u * (1 + 0.08 * (1 - u))

    return line, column


def test_ground_range_images_are_geocoded_by_their_grid(seen: Look, tmp_path: Path) -> None:
    shape = 270, 520
    line, column = ground_range(seen, shape)
    lon, lat = Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True).transform(*PLACE)
    t, tau = Geolocation(seen.annotation, seen.grid, where="").radar(
        np.array([lon]), np.array([lat]), HEIGHT
    )
    values = np.full(shape, 100)
    y, x = round(line(t[0])), round(column(tau[0]))
    values[y - 1 : y + 2, x - 1 : x + 2] = 5000
    grid = seen.grid
    positions = {"row": np.floor(line(grid.t)) + 1, "col": np.floor(column(grid.tau)) + 1}
    written(tmp_path, seen, "MGD", values, positions)
    scene = only(tmp_path, radiometry="beta0", noise="keep")
    assert "not terrain-corrected, geocoded 2000 m" in scene.processing
    power, _ = whole(scene)
    assert np.nanmedian(power) == pytest.approx(CAL_FACTOR * 100**2, rel=1e-5)
    rows, columns = np.nonzero(power[0] > 0.5 * np.nanmax(power[0]))
    there = ~scene.geobox.transform * PLACE
    assert abs(rows.mean() + 0.5 - there[1]) < 1
    assert abs(columns.mean() + 0.5 - there[0]) < 1


def test_a_detected_product_says_whether_noise_is_off(seen: Look, tmp_path: Path) -> None:
    values = np.full((270, 520), 100)
    line, column = ground_range(seen, values.shape)
    positions = {
        "row": np.floor(line(seen.grid.t)) + 1,
        "col": np.floor(column(seen.grid.tau)) + 1,
    }
    written(tmp_path / "raw", seen, "MGD", values, positions)
    corrected = frozenset({"noiseCorrectedFlag"})
    written(tmp_path / "done", seen, "MGD", values, positions, flags=corrected)
    subtracted, kept = only(tmp_path / "raw"), only(tmp_path / "done")
    assert "noise subtracted" in subtracted.processing
    assert "noise kept" in kept.processing
    floor = 10**-2.1  # of γ0, by which the simulation sets its noise
    difference = np.nanmean(whole(kept)[0]) - np.nanmean(whole(subtracted)[0])
    assert difference == pytest.approx(floor, rel=0.01)


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
    t, tau = geolocation.radar(np.array([lon]), np.array([lat]), HEIGHT)
    noise = noise_beta0(seen.annotation.layers[0], seen.grid.reference_time, t, tau)
    theta = np.radians(geolocation.incidence(t, tau))
    by_hand = (CAL_FACTOR * 30**2 - noise) * np.tan(theta)
    assert power[0, 55, 75] == pytest.approx(float(by_hand[0]), rel=1e-5)
    assert flags[55, 75] == MASK_BITS["noise_limited"]


def test_map_images_of_another_grid_need_resampling(seen: Look, tmp_path: Path) -> None:
    map_image(seen, tmp_path / "in")
    values = {
        "workspace": str(tmp_path / "run"),
        "ingest": {"scenes": str(tmp_path / "in"), "grid": "utm32n-3m", "chunk": 64},
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


def test_positions_that_contradict_the_image_are_refused(seen: Look, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(1, 270, seen.grid.shape).astype(float)
    written(tmp_path, seen, "MGD", np.full((270, 520), 100), {"row": noise})
    with pytest.raises(SceneUnreadable, match="pixels apart"):
        only(tmp_path)
