"""Level-1b products on an elevation raster: a real annotation and its own heights."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import Transformer
from support.ground import dem_of_grid, write_dem
from support.small_products import ID, amplitudes, cut_product

from cpazmal_scale.config import MASK_BITS, RunConfig
from cpazmal_scale.cube import (
    cube_url,
    fill_cube,
    ingest_scenes,
    open_cube,
    plan_ingest,
    prepare_ground,
)
from cpazmal_scale.errors import (
    BeamMismatch,
    CpazmalError,
    DemError,
    DemMismatch,
    SceneError,
    StoreMissing,
)
from cpazmal_scale.scenes import SceneReader, discover, overview, scene_card, with_ground
from cpazmal_scale.scenes.inspect.card import figure_of
from cpazmal_scale.scenes.level1b.georef import GeoGrid, parse_georef
from cpazmal_scale.scenes.untrusted import xml
from cpazmal_scale.stages import ingest as stages

BEAM = "DSC083_strip_011_R"
SHAPE = 420, 500


@pytest.fixture(scope="module")
def product(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return cut_product(shared_data, tmp_path_factory.mktemp("in"), amplitudes(SHAPE))


@pytest.fixture(scope="module")
def grid(product: Path) -> GeoGrid:
    return parse_georef(xml.read(str(product / "ANNOTATION" / "GEOREF.xml")))


@pytest.fixture(scope="module")
def dem(grid: GeoGrid, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return dem_of_grid(tmp_path_factory.mktemp("dem") / "dem.tif", grid)


def settings(
    scenes: Path, dem: Path | str, workspace: Path | str = "run", **more: Any
) -> RunConfig:
    terrain = {"dem": str(dem), "vertical": "ellipsoid"} | more.pop("terrain", {})
    rules = {
        "scenes": str(scenes),
        "chunk": 256,
        "precision": "full",
        "level1b": {"terrain": terrain, "radiometry": "gamma0", **more},
    }
    return RunConfig.parse({"workspace": str(workspace), "ingest": rules})


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_points_of_any_height_lie_where_the_annotation_says(
    shared_data: Path, grid: GeoGrid, dem: Path, tmp_path: Path
) -> None:
    """Bright samples at points of the provider's grid, some hundred metres of height apart."""
    values = np.full((1200, 1600), 10, "c8")
    points = [(2, 1), (3, 4), (4, 6)]
    for point in points:
        line = round(grid.t[point] / 2.60924658505246043e-04)
        sample = round((grid.tau[point] - grid.tau[0, 0]) / 9.10032937895266514e-09)
        values[line - 1 : line + 2, sample - 1 : sample + 2] = 30_000
    cut_product(shared_data, tmp_path, values)
    config = settings(tmp_path, dem, noise="keep", radiometry="beta0")
    (scene,) = discover(config.ingest, check=True)
    with SceneReader(scene, scene.geobox) as reader:
        power, _ = reader.read(0, scene.geobox.shape[0])
    to_map = Transformer.from_crs("EPSG:4326", "EPSG:32612", always_xy=True)
    bright = np.argwhere(power[0] > 0.2 * np.nanmax(power[0]))
    for point in points:
        x, y = to_map.transform(grid.lon[point], grid.lat[point])
        column, row = ~scene.geobox.transform * (x, y)
        apart = np.abs(bright + 0.5 - [row, column]).max(axis=1)
        near = bright[apart < 5]
        assert len(near)
        assert np.abs(near.mean(axis=0) + 0.5 - [row, column]).max() < 1.2, point


def test_a_cube_on_a_raster_says_how_it_was_made(product: Path, dem: Path, tmp_path: Path) -> None:
    config = settings(product.parent, dem, tmp_path, radiometry=None)
    ingest_scenes(config)
    cube = open_cube(cube_url(str(tmp_path), BEAM))
    assert cube.attrs["radiometry"] == "gamma0_T"
    said = cube.attrs["processing"]
    assert said.startswith("terrain-corrected by terrain-")
    assert "heights above ellipsoid" in said
    assert "2.3 m exp(-h/6000 m)" in said
    assert ingest_scenes(config).cubes[0].unchanged == (ID,)
    assert float(np.isfinite(cube["HH"].values).mean()) > 0.05


def test_a_date_on_another_raster_is_not_stacked(
    product: Path, grid: GeoGrid, dem: Path, tmp_path: Path
) -> None:
    ingest_scenes(settings(product.parent, dem, tmp_path))
    before = contents(tmp_path / "cubes")
    other = dem_of_grid(tmp_path / "other.tif", grid, add=1.0)
    for change in (
        settings(product.parent, other, tmp_path),
        settings(product.parent, dem, tmp_path, terrain={"sea": True}),
    ):
        with pytest.raises(BeamMismatch, match="the cube is terrain-corrected"):
            ingest_scenes(change)
    assert contents(tmp_path / "cubes") == before


def test_where_no_height_is_known_there_is_no_power(
    product: Path, grid: GeoGrid, tmp_path: Path
) -> None:
    path = dem_of_grid(tmp_path / "dem.tif", grid, step=0.0005)
    with rasterio.open(path, "r+") as file:
        values = file.read(1)
        x, y = ~file.transform * (grid.lon[1, 1], grid.lat[1, 1])
        values[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = -32768
        file.write(values, 1)
    (scene,) = discover(settings(product.parent, path).ingest, check=True)
    with SceneReader(scene, scene.geobox) as reader:
        power, flags = reader.read(0, scene.geobox.shape[0])
    gap = (flags & MASK_BITS["no_dem"]) > 0
    assert 500 < gap.sum() < 20_000
    assert np.isnan(power[0][gap]).all()
    assert (flags[gap] & MASK_BITS["not_valid"]).all()
    to_map = Transformer.from_crs("EPSG:4326", "EPSG:32612", always_xy=True)
    column, row = ~scene.geobox.transform * to_map.transform(grid.lon[1, 1], grid.lat[1, 1])
    assert gap[int(row), int(column)]


def test_strips_are_parts_of_the_whole(product: Path, dem: Path) -> None:
    (scene,) = discover(settings(product.parent, dem).ingest)
    with SceneReader(scene, scene.geobox) as reader:
        power, flags = reader.read(0, scene.geobox.shape[0])
        for y0, y1 in ((0, 1), (100, 357), (300, 305)):
            part, bits = reader.read(y0, y1)
            assert part.tobytes() == power[:, y0:y1].tobytes()
            assert bits.tobytes() == flags[y0:y1].tobytes()


def test_the_card_tells_how_the_raster_agrees(product: Path, dem: Path) -> None:
    (scene,) = discover(settings(product.parent, dem).ingest)
    said = str(scene_card(scene, overview(scene)))
    assert re.search(r"µs in azimuth, 2\.\d+ m in range: 1\.\d m and 3\.\d m on the ground", said)
    assert re.search(r"m from the product's own heights .*; as much shifts it by 0\.\d m", said)


def test_the_picture_shows_a_scene_before_and_after_flattening(product: Path, dem: Path) -> None:
    (scene,) = discover(settings(product.parent, dem, radiometry="gamma0_T").ingest)
    seen = overview(scene, edge=300)
    assert seen.flattened is not None
    assert seen.flattened.shape == seen.power.shape
    both = np.isfinite(seen.power) & np.isfinite(seen.flattened) & (seen.power > 0)
    assert both.sum() > 0.8 * np.isfinite(seen.power).sum()
    apart = 10 * np.log10(seen.flattened[both] / seen.power[both])
    assert abs(np.median(apart)) < 0.5
    assert apart.std() > 0.1
    titles = [axes.get_title() for axes in figure_of(scene, seen).axes]
    assert [one for one in titles if one] == ["HH, by the ellipsoid", "HH, flattened"]
    (plain,) = discover(settings(product.parent, dem).ingest)
    assert overview(plain, edge=300).flattened is None


Spoil = Callable[[GeoGrid, Path], dict[str, Any]]
BAD: dict[str, tuple[Spoil, type[CpazmalError], str]] = {
    "above a geoid": (
        lambda grid, path: {"dem": str(dem_of_grid(path, grid, add=28.0))},
        DemMismatch,
        "28 m above the product's own heights",
    ),
    "in feet": (
        lambda grid, path: {"dem": str(dem_of_grid(path, _scaled(grid, 3.2808)))},
        DemMismatch,
        "in feet",
    ),
    "datum unknown": (
        lambda grid, path: {"dem": str(dem_of_grid(path, grid)), "vertical": None},
        DemError,
        "set ingest.level1b.terrain.vertical",
    ),
    "grid lacking": (
        lambda grid, path: {"dem": str(dem_of_grid(path, grid)), "vertical": "EGM2008"},
        DemError,
        "PROJ lacks the grid",
    ),
    "without CRS": (
        lambda grid, path: {"dem": str(dem_of_grid(path, grid, crs=None))},
        DemError,
        "no CRS",
    ),
    "cut short": (
        lambda grid, path: {"dem": str(_changed(path, grid, lambda data: data[:700]))},
        DemError,
        "copy it again",
    ),
    "no raster": (
        lambda grid, path: {"dem": str(_changed(path, grid, lambda _: b"no raster"))},
        DemError,
        "not a readable GeoTIFF",
    ),
    "swapped": (
        lambda grid, path: {"dem": str(dem_of_grid(path, _swapped(grid)))},
        DemError,
        "look swapped",
    ),
    "elsewhere": (
        lambda grid, path: {"dem": str(dem_of_grid(path, _moved(grid, 3.0)))},
        DemError,
        "0% of the area",
    ),
    "sea untold": (
        lambda grid, path: {"dem": str(dem_of_grid(path, _scaled(grid, 0.0)))},
        DemError,
        "0% of the area",
    ),
    "missing untagged": (
        lambda grid, path: {"dem": str(dem_of_grid(path, _scaled(grid, 0.0), add=-32768))},
        DemError,
        "0% of the area",
    ),
    "no such datum": (
        lambda grid, path: {"dem": str(dem_of_grid(path, grid)), "vertical": "4326"},
        DemError,
        "no vertical system",
    ),
}


def _changed(path: Path, grid: GeoGrid, change: Callable[[bytes], bytes]) -> Path:
    dem_of_grid(path, grid)
    path.write_bytes(change(path.read_bytes()))
    return path


def _swapped(grid: GeoGrid) -> GeoGrid:
    return replace(grid, lon=grid.lat, lat=grid.lon)


def _moved(grid: GeoGrid, degrees: float) -> GeoGrid:
    return replace(grid, lon=grid.lon + degrees)


def _scaled(grid: GeoGrid, factor: float) -> GeoGrid:
    assert grid.height is not None
    return replace(grid, height=grid.height * factor)


@pytest.mark.parametrize("case", BAD)
def test_nothing_is_written_on_a_bad_raster(
    product: Path, grid: GeoGrid, tmp_path: Path, case: str
) -> None:
    spoil, kind, said = BAD[case]
    terrain = spoil(grid, tmp_path / "dem.tif")
    config = settings(product.parent, terrain["dem"], tmp_path / "run", terrain=terrain)
    with pytest.raises(kind, match=said) as caught:
        ingest_scenes(config)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
    assert any(said in str(one) for one in ingest_scenes(config, dry_run=True).refused)


@pytest.mark.parametrize("hole", ["mask", "beyond the raster"])
def test_nothing_is_written_where_heights_lack(
    product: Path, dem: Path, tmp_path: Path, hole: str
) -> None:
    (scene,) = discover(settings(product.parent, dem).ingest)
    west, south, east, north = scene.geobox.boundingbox
    step, path = 9.0, tmp_path / "dem.tif"
    y, x = np.mgrid[north + 500 : south - 500 : -step, west - 500 : east + 500 : step]
    stop = x.shape[1] if hole == "mask" else x.shape[1] // 3
    corner = x[0, 0] - step / 2, y[0, 0] + step / 2
    heights = np.full((x.shape[0], stop), 1750.0)
    write_dem(path, heights, *corner, step, crs=str(scene.geobox.crs))
    if hole == "mask":
        # Four columns of seven lack.
        with rasterio.open(path, "r+") as file:
            file.write_mask(np.broadcast_to(np.arange(stop) % 7 >= 4, heights.shape))
    config = settings(product.parent, path, tmp_path / "run")
    with pytest.raises(DemError, match=r"it has heights for \d+\.\d% of the area") as caught:
        ingest_scenes(config)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
    if hole == "mask":
        (scene,) = discover(config.ingest)
        card = str(scene_card(scene, overview(scene)))
        assert re.search(r"no height for 57\.\d% of the scene", card)
        (said,) = ingest_scenes(config, dry_run=True).refused
        assert str(said) == str(caught.value)


def _without(georef: str, *names: str) -> str:
    for name in names:
        georef = re.sub(rf"<{name}[ >].*?</{name}>", "", georef, flags=re.S)
    return georef


def _gap(text: str) -> str:
    """The annotation without the state vectors around the scene's start, 13:32:20."""

    def kept(vector: re.Match[str]) -> str:
        minute, second = re.search(r"T13:(\d\d):(\d\d)", vector[0]).groups()
        return "" if abs(int(minute) * 60 + int(second) - 32 * 60 - 20) < 25 else vector[0]

    return re.sub(r"<stateVec .*?</stateVec>", kept, text, flags=re.S)


Edit = Callable[[str], str]


def _set(name: str, value: str, *, after: str = "", times: int = 1) -> Edit:
    """An element's value, the first ones behind a text."""

    def edit(text: str) -> str:
        head, found, tail = text.partition(after) if after else ("", "", text)
        return (
            head
            + found
            + re.sub(rf"<{name}( [^>]*)?>[^<]*<", rf"<{name}\1>{value}<", tail, count=times)
        )

    return edit


def _each(name: str, change: Callable[[float], float]) -> Edit:
    """All values of an element changed."""

    def value(match: re.Match[str]) -> str:
        return f"<{name}>{change(float(match[1]))!r}<"

    return lambda text: re.sub(rf"<{name}>([^<]+)<", value, text)


def _exchange(text: str, one: str, other: str) -> str:
    return other.join(part.replace(other, one) for part in text.split(one))


def _swap(after: str) -> Edit:
    """Latitude and longitude exchanged."""

    def edit(text: str) -> str:
        head, found, tail = text.partition(after)
        lat, lon = (re.search(rf"<{name}>([^<]+)<", tail)[1] for name in ("lat", "lon"))
        return head + found + _set("lon", lat)(_set("lat", lon)(tail))

    return edit


_CENTRE, _NOISE = "<sceneCenterCoord>", "<noise layerIndex"
_CONTRADICTIONS: dict[str, Edit] = {
    "incidenceAngle is 0.68 degrees": _set("incidenceAngle", "0.68", after=_CENTRE),
    "incidenceAngle is 140 degrees": _set("incidenceAngle", "140", after=_CENTRE),
    "the incidence angle of its centre is 51°, those of": _set(
        "incidenceAngle", "51", after=_CENTRE
    ),
    "its commonPRF is 7665 Hz, its samples are 0.000260925 s apart": _set("commonPRF", "7665"),
    "its commonPRF is 0 Hz": _set("commonPRF", "0"),
    "its commonRSF is 5.49e[+]07 Hz": _set("commonRSF", "5.49e7"),
    "samples along the track are -1.84 m apart, their times 1.86 m": _set(
        "projectedSpacingAzimuth", "-1.84", after="<complexImageInfo"
    ),
    "samples of slant range are 13.6 m apart, their times 1.36 m": _set(
        "slantRange", "13.6", after="<complexImageInfo"
    ),
    "its mean height is 100000 m": _set("sceneAverageHeight", "100000"),
    "6th state vector is .* 1 m/s from": lambda text: re.sub(
        r'(num="6".*?<velX>)([^<]+)',
        lambda found: found[1] + repr(float(found[2]) + 1),
        text,
        count=1,
        flags=re.S,
    ),
    r"centre at 111.90° S, 36.03° E lies 1.22e\+04 km from where its times": _swap(_CENTRE),
    r"centre at 36.03° N, 111.90° E lies 1.12e\+04 km from where its times": _set(
        "lon", "111.9", after=_CENTRE
    ),
    "its corner at 36.32° N, 112.04° W lies 20.9 km from where": lambda text: _exchange(
        text, "-1.11664738184032274E+02", "-1.12040403944853892E+02"
    ).replace("3.62692959995967357E+01", "3.63215524107729735E+01", 1),
    "its noise is annotated for 17\\d+ s beside the scene": lambda text: re.sub(
        r"(<imageNoise>\s*<timeUTC>)2008-03-10", r"\g<1>2008-03-12", text
    ),
    "noiseEstimate has no coefficient of exponent 4, its degree is 5": _set(
        "polynomialDegree", "5", after=_NOISE
    ),
    "noiseEstimate has no coefficient of exponent 1": lambda text: (
        text.partition(_NOISE)[0]
        + "".join(text.partition(_NOISE)[1:]).replace('exponent="1"', 'exponent="0"')
    ),
    "its noise is told as SIGMA NOUGHT": _set("noiseLevelRef", "SIGMA NOUGHT"),
    "did not correct the elevation pattern": _set("elevationPatternCorrectedFlag", "false"),
}
_GRID_CONTRADICTIONS: dict[str, Edit] = {
    "azimuth shift is 7.\\d+e[+]03 m from that of its geolocation grid": lambda text: text.replace(
        ">-1.80000000000000011E-04<", ">1.0<"
    ),
    "range delay is 1.5e[+]05 m from": lambda text: text.replace(
        ">1.45474766252304439E-08<", ">1e-3<"
    ),
    "angles of its geolocation grid are 3.0° from its orbit's": _each("inc", lambda one: one + 3),
    "centre is 39.1547°, those of its geolocation grid are 49": _each("inc", lambda one: 90 - one),
}


SPOILT: dict[str, tuple[str, Edit, str]] = {
    "not zero Doppler": (
        "annotation",
        lambda text: text.replace("ZERODOPPLER", "BEAMCENTER"),
        "BEAMCENTER geometry; order it in zero-Doppler geometry",
    ),
    "orbit gap": ("annotation", _gap, "its orbit has no state vector for"),
    "neither delays nor heights": (
        "georef",
        lambda text: _without(text, "signalPropagationEffects", "height"),
        "neither heights of its geolocation grid nor its range delay are annotated",
    ),
    **{said: ("annotation", change, said) for said, change in _CONTRADICTIONS.items()},
    **{said: ("georef", change, said) for said, change in _GRID_CONTRADICTIONS.items()},
    "second of a pair": ("name", lambda name: name.replace("_SSC______", "_SSC_BRX2_"), "keep the"),
}


@pytest.mark.parametrize("case", SPOILT)
def test_nothing_is_written_of_a_bad_product(
    shared_data: Path, dem: Path, tmp_path: Path, case: str
) -> None:
    part, change, said = SPOILT[case]
    folder = cut_product(shared_data, tmp_path / "in", amplitudes((60, 80)))
    path = folder / ("ANNOTATION/GEOREF.xml" if part == "georef" else f"{ID}.xml")
    if part == "name":
        path.rename(folder / change(path.name))
    else:
        text = path.read_text()
        assert change(text) != text
        path.write_text(change(text))
    config = settings(tmp_path / "in", dem, tmp_path / "run", radiometry="gamma0_T")
    with pytest.raises(SceneError, match=said) as caught:
        ingest_scenes(config)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_delay_that_is_not_annotated_is_told(
    shared_data: Path, dem: Path, tmp_path: Path
) -> None:
    folder = cut_product(shared_data, tmp_path / "in", amplitudes((60, 80)))
    config = settings(tmp_path / "in", dem, tmp_path / "run")
    assert "annotates no delay" not in str(ingest_scenes(config, dry_run=True))
    path = folder / "ANNOTATION" / "GEOREF.xml"
    path.write_text(_without(path.read_text(), "signalPropagationEffects"))
    assert f"{ID} annotates no delay" in str(ingest_scenes(config, dry_run=True))


@pytest.mark.parametrize("vertical", ["ellipsoid", "geoid.gtx"])
def test_nothing_is_written_without_a_raster(
    product: Path, dem: Path, tmp_path: Path, vertical: str
) -> None:
    missing = tmp_path / "dem.tif" if vertical == "ellipsoid" else dem
    terrain = {"vertical": vertical}
    config = settings(product.parent, missing, tmp_path / "run", terrain=terrain)
    with pytest.raises(StoreMissing) as caught:
        ingest_scenes(config)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_layers_of_the_ground_reach_as_far_as_the_cube(
    product: Path, dem: Path, tmp_path: Path
) -> None:
    """Beyond the first scene, too: others may lie there."""
    config = settings(product.parent, dem, tmp_path, radiometry="gamma0_T")
    (plan,) = plan_ingest(config)
    grid = plan.grid.pad(300)
    scene = with_ground(plan.new[0], str(tmp_path / "terrain"), grid)
    wide = replace(plan, grid=grid, new=(scene,))
    prepare_ground(config, wide)
    fill_cube(wide, config.ingest, None, 0, 1)
    cube = open_cube(plan.url).load()
    for name in ("elevation", "area_ratio", "local_incidence"):
        assert np.isfinite(cube[name].values).all(), name
    assert np.isnan(cube["HH"].values[0][:200]).all()


def test_a_flattened_cube_holds_what_its_beam_sees(
    product: Path, dem: Path, tmp_path: Path
) -> None:
    config = settings(product.parent, dem, tmp_path, radiometry="gamma0_T", noise="keep")
    ingest_scenes(config)
    cube = open_cube(cube_url(str(tmp_path), BEAM))
    assert cube.attrs["radiometry"] == "gamma0_T"
    power, ratio = cube["HH"].values[0], cube["area_ratio"].values
    known = np.isfinite(power)
    assert known.mean() > 0.03
    assert np.isfinite(ratio[known]).all()
    for layer in ("elevation", "local_incidence"):
        assert np.isfinite(cube[layer].values[known]).all()
    assert cube["terrain_mask"].dtype == np.uint8
    assert (cube["terrain_mask"].values[known] & ~np.uint8(3) == 0).all()
    beta = settings(product.parent, dem, tmp_path / "b", radiometry="beta0", noise="keep")
    ingest_scenes(beta)
    plain = open_cube(cube_url(str(tmp_path / "b"), BEAM))
    np.testing.assert_allclose(power[known] * ratio[known], plain["HH"].values[0][known], rtol=1e-6)
    # Ground that faces the radar is brighter in β0 than after flattening.
    assert (
        np.corrcoef(ratio[known], np.cos(np.radians(cube["local_incidence"].values[known])))[0, 1]
        > 0.9
    )
    assert ingest_scenes(config).cubes[0].unchanged == (ID,)


def test_the_ingest_counts_what_the_raster_lacks(
    shared_data: Path, grid: GeoGrid, tmp_path: Path
) -> None:
    """A raster that ends within the cube, which it covers by more than a half."""
    cut_product(shared_data, tmp_path / "in", amplitudes((150, 200)))
    path = dem_of_grid(tmp_path / "dem.tif", grid, step=0.0005)
    (scene,) = discover(settings(tmp_path / "in", path).ingest)
    box = scene.geobox.boundingbox
    to_degrees = Transformer.from_crs("EPSG:32612", "EPSG:4326", always_xy=True)
    place = to_degrees.transform(box.left + 0.7 * (box.right - box.left), box.bottom)
    with rasterio.open(path, "r+") as file:
        values = file.read(1)
        values[:, int((~file.transform * place)[0]) :] = np.nan
        file.write(values, 1)
    report = str(ingest_scenes(settings(tmp_path / "in", path, tmp_path / "run")))
    cube = open_cube(cube_url(str(tmp_path / "run"), BEAM))
    unknown = np.isnan(cube["elevation"].values)
    flagged = (cube["terrain_mask"].values & MASK_BITS["no_dem"]) > 0
    assert 0.1 < unknown.mean() < 0.5
    assert flagged[unknown].all()
    beyond = int(flagged.sum() - unknown.sum())
    assert beyond > 100
    assert f"{unknown.sum()} pixels ({unknown.mean():.1%}) have no height and {beyond}" in report


def test_flattening_needs_a_raster() -> None:
    with pytest.raises(CpazmalError, match=r"set terrain\.dem"):
        RunConfig.parse({"ingest": {"level1b": {"radiometry": "gamma0_T"}}})


def test_a_lost_chunk_of_a_flattened_cube_is_restored(
    product: Path, dem: Path, tmp_path: Path
) -> None:
    config = settings(product.parent, dem, tmp_path, radiometry="gamma0_T")
    stages.ingest(config)
    home = Path(cube_url(str(tmp_path), BEAM))
    before = {
        path: path.read_bytes()
        for layer in ("HH", "area_ratio", "terrain_mask")
        for path in sorted((home / layer / "c").rglob("*"))
        if path.is_file()
    }
    for path in before:
        path.unlink()
    assert all(one.restored for one in stages.repair(config))
    assert {path: path.read_bytes() for path in before} == before
