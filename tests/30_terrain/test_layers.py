"""What a beam sees of the ground: against closed forms, ray by ray, and in other pieces."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from support.ground import write_dem

from cpazmal_scale.config import Cluster
from cpazmal_scale.execute import SerialExecutor, ThreadExecutor, open_executor
from cpazmal_scale.scenes.level1b.annotation_xml import parse_annotation
from cpazmal_scale.scenes.level1b.geolocation import Geolocation
from cpazmal_scale.scenes.level1b.georef import parse_georef
from cpazmal_scale.scenes.untrusted import xml
from cpazmal_scale.terrain.elevation import Dem
from cpazmal_scale.terrain.ellipsoid import ecef, incidence
from cpazmal_scale.terrain.files import read, strip_url
from cpazmal_scale.terrain.ground import BLOCK, CELLS, Ground, plan_ground
from cpazmal_scale.terrain.layers import LAYERS, compute, lacking, read_layer
from cpazmal_scale.terrain.strips import run_strip

X0, Y0 = 420_000.0, 3_990_000.0
CRS = "EPSG:32612"
TO_DEGREES = Transformer.from_crs(CRS, "EPSG:4326", always_xy=True)
Surface = Callable[[np.ndarray, np.ndarray], np.ndarray]
Bound = Callable[[str, float, float], None]


@pytest.fixture(scope="module")
def scene(shared_data: Path) -> Geolocation:
    home = shared_data / "tsx" / "tsx1_ssc_stripmap_2008"
    (main,) = home.glob("TSX1_SAR__*.xml")
    grid = parse_georef(xml.read(str(home / "ANNOTATION" / "GEOREF.xml")))
    return Geolocation(parse_annotation(xml.read(str(main))), grid, where="g")


def box(size: int = 128, pixel: float = 3.0) -> GeoBox:
    half = size // 2 * pixel
    return GeoBox((size, size), Affine(pixel, 0, X0 - half, 0, -pixel, Y0 + half), CRS)


def dem_of(path: Path, surface: Surface, *, step: float = 3.0, edge: float = 2000.0) -> Dem:
    count = int(2 * edge / step)
    x = -edge + (np.arange(count) + 0.5) * step
    heights = surface(x[None, :], -x[:, None]) + np.zeros((count, count))
    profile = {"crs": CRS, "dtype": "float64"}
    write_dem(path, heights, X0 - edge, Y0 + edge, step, **profile)
    return Dem(str(path), "ellipsoid")


def dem_of_bands(folder: Path, surface: Surface) -> Dem:
    """Two tiles whose pixels are 10 m high, and 15 m wide in the south."""
    edge, step, shift = 1605.0, 10.0, -5.0
    for name, wide, north, south in (("north", 1.0, edge, shift), ("south", 1.5, shift, -edge)):
        x = -edge + (np.arange(int(2 * edge / step / wide)) + 0.5) * step * wide
        y = north - (np.arange(int((north - south) / step)) + 0.5) * step
        profile = {"crs": CRS, "dtype": "float64", "wide": wide}
        place = X0 - edge, Y0 + north, step
        write_dem(folder / f"{name}.tif", surface(x[None, :], y[:, None]), *place, **profile)
    return Dem(str(folder), "ellipsoid")


def ground(
    scene: Geolocation,
    url: Path,
    dem: Dem,
    grid: GeoBox,
    lines: int = 512,
    known: tuple[float, float] | None = None,
) -> Ground:
    made = plan_ground(
        str(url),
        dem,
        grid,
        scene.orbit,
        first=scene.first,
        side=scene.side,
        reference=1850.0,
        known=known,
    )
    return replace(made, lines=lines)


def layers(made: Ground, grid: GeoBox | None = None) -> dict[str, np.ndarray]:
    compute(made, SerialExecutor())
    grid = grid or made.grid
    rows, columns = (slice(0, edge) for edge in grid.shape)
    return {name: read_layer(made.url, grid, rows, columns, name) for name in LAYERS}


def seen(
    scene: Geolocation, surface: Surface, grid: GeoBox
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of pixels: line of sight, flight × sight, the ground's normal, upwards, and incidence."""

    def places(dx: float, dy: float) -> np.ndarray:
        rows, columns = np.indices(grid.shape) + 0.5
        x, y = grid.transform * (columns.ravel() + dx / 3, rows.ravel() - dy / 3)
        lon, lat = TO_DEGREES.transform(x, y)
        return ecef(np.asarray(lon), np.asarray(lat), surface(x - X0, y - Y0))

    right, up = places(0.5, 0) - places(-0.5, 0), places(0, 0.5) - places(0, -0.5)
    normal = np.cross(right, up)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    rows, columns = np.indices(grid.shape) + 0.5
    x, y = grid.transform * (columns.ravel(), rows.ravel())
    lon, lat = (np.asarray(part) for part in TO_DEGREES.transform(x, y))
    t, _, look = scene.orbit.see(ecef(lon, lat, surface(x - X0, y - Y0)), first=scene.first)
    velocity = scene.orbit.velocity(t)
    velocity /= np.linalg.norm(velocity, axis=-1, keepdims=True)
    level = ecef(lon, lat, 1.0) - ecef(lon, lat, 0.0)
    return look, np.cross(velocity, look), normal, level, incidence(look, lon, lat)


def closed_form(
    scene: Geolocation, surface: Surface, grid: GeoBox
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """N = cos LIA / |a·n| · |a·up| / sin θ, with a = flight × sight, n the ground's normal; LIA and
    θ in degrees.
    """
    look, image, normal, level, theta = seen(scene, surface, grid)
    cosine = np.sum(look * normal, axis=-1)
    ratio = cosine / np.abs(np.sum(image * normal, axis=-1))
    ratio *= np.abs(np.sum(image * level, axis=-1)) / np.sin(np.radians(theta))
    whole = ratio, np.degrees(np.arccos(cosine)), theta
    one, angle, other = (part.reshape(grid.shape) for part in whole)
    return one, angle, other


PLANES = [(0, 0), (20, 100), (20, 280), (30, 10), (30, 55), (-25, 190)]
STEEP = [(slope, aspect) for slope in (-33, 35) for aspect in range(10, 360, 45)]


@pytest.mark.parametrize(("slope", "aspect"), PLANES + STEEP)
def test_planes_have_the_area_of_the_closed_form(
    scene: Geolocation, tmp_path: Path, slope: float, aspect: float, at_most: Bound
) -> None:
    rise = np.tan(np.radians(slope))
    across, along = np.sin(np.radians(aspect)), np.cos(np.radians(aspect))

    def plane(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 1850.0 + rise * (across * x + along * y)

    grid = box()
    found = layers(ground(scene, tmp_path / "g", dem_of(tmp_path / "d.tif", plane), grid))
    expected, angle, theta = closed_form(scene, plane, grid)
    assert not (found["terrain_mask"] & 3).any()
    apart = 10 * np.log10(found["area_ratio"] / expected)
    at_most("mean, dB", abs(apart.mean()), 0.005)
    at_most("max, dB", np.abs(apart).max(), 0.005)
    np.testing.assert_allclose(found["local_incidence"], angle, atol=0.005)
    if slope == 0:
        # Of γ0 = β0·tan θ.
        relative = found["area_ratio"] * np.tan(np.radians(theta)) - 1
        at_most("mean beside cot θ, relative", abs(relative.mean()), 1e-4)
        at_most("max beside cot θ, relative", np.abs(relative).max(), 1e-4)


def cap(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The top of a sphere."""
    return np.sqrt(3000.0**2 - np.minimum(x**2 + y**2, 2900.0**2)) - 1150.0


def tent(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Two planes of 20° about a ridge across the line of sight."""
    return 1950.0 - np.tan(np.radians(20)) * np.abs(x * np.sin(1.75) + y * np.cos(1.75))


def test_layers_made_again_at_an_address_are_read_again(scene: Geolocation, tmp_path: Path) -> None:
    """A process that lives longer than its workspace, such as a notebook or a worker."""
    url, grid, found = tmp_path / "g", box(64), []
    for surface in (cap, tent):
        shutil.rmtree(url, ignore_errors=True)
        dem = dem_of(tmp_path / f"{surface.__name__}.tif", surface)
        found.append(layers(ground(scene, url, dem, grid)))
    other = layers(ground(scene, tmp_path / "h", dem, grid))
    for name in LAYERS:
        np.testing.assert_array_equal(found[1][name], other[name])
    assert not np.array_equal(found[0]["elevation"], other["elevation"])


@pytest.mark.parametrize("surface", [cap, tent], ids=["cap", "tent"])
def test_curved_and_creased_ground_has_the_area_of_the_closed_form(
    scene: Geolocation, tmp_path: Path, surface: Surface, at_most: Bound
) -> None:
    """Two cells away from the crease, 15 m of ground that faces the radar."""
    grid = box()
    found = layers(ground(scene, tmp_path / "g", dem_of(tmp_path / "d.tif", surface), grid))
    expected, _, _ = closed_form(scene, surface, grid)
    rows, columns = np.indices(grid.shape) + 0.5
    x, y = grid.transform * (columns, rows)
    crease = np.abs((x - X0) * np.sin(1.75) + (y - Y0) * np.cos(1.75)) < 15
    clear = ~crease if surface is tent else np.ones_like(crease)
    assert not (found["terrain_mask"][clear] & 3).any()
    apart = 10 * np.log10(found["area_ratio"] / expected)[clear]
    at_most("mean, dB", abs(apart.mean()), 0.005)
    at_most("max, dB", np.abs(apart).max(), 0.03)


@pytest.mark.parametrize("step", [1.0, 10.0, 30.0])
@pytest.mark.parametrize("slope", [-35, 35])
def test_the_rasters_own_pixels_do_not_matter(
    scene: Geolocation, tmp_path: Path, step: float, slope: float, at_most: Bound
) -> None:
    """Ground that faces the radar, and ground that falls away from it."""

    def plane(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 1850.0 + np.tan(np.radians(slope)) * (0.94 * x + 0.34 * y)

    grid = box(64)
    three = ground(scene, tmp_path / "a", dem_of(tmp_path / "a.tif", plane, edge=900), grid)
    dem = dem_of(tmp_path / "b.tif", plane, step=step, edge=900)
    one, other = (
        layers(made)["area_ratio"] for made in (three, ground(scene, tmp_path / "b", dem, grid))
    )
    at_most("max, dB", np.abs(10 * np.log10(one / other)).max(), 0.1)


def mountain(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Slopes up to 55°."""
    return 1850.0 + 420 * np.exp(-((x - 20) ** 2 + (y + 10) ** 2) / (2 * 190.0**2))


def rays(
    scene: Geolocation, surface: Surface, grid: GeoBox, step: float
) -> tuple[np.ndarray, np.ndarray]:
    """Layover and shadow of every pixel, by going along its ray and along its circle of range."""
    rows, columns = np.indices(grid.shape) + 0.5
    x, y = grid.transform * (columns.ravel(), rows.ravel())
    lon, lat = (np.asarray(part) for part in TO_DEGREES.transform(x, y))
    points = ecef(lon, lat, surface(x - X0, y - Y0))
    t, distance, look = scene.orbit.see(points, first=scene.first)
    platform, velocity = scene.orbit.position(t), scene.orbit.velocity(t)
    velocity /= np.linalg.norm(velocity, axis=-1, keepdims=True)
    back = Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)

    def clearance(where: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Height above the ground, and above the ellipsoid."""
        east, north, height = back.transform(*where.T)
        mx, my = Transformer.from_crs("EPSG:4326", CRS, always_xy=True).transform(east, north)
        return height - surface(np.asarray(mx) - X0, np.asarray(my) - Y0), np.asarray(height)

    hidden, folded = np.zeros(len(x), bool), np.zeros(len(x), bool)
    for number in range(1, 400):
        above, height = clearance(points + number * step * look)
        hidden |= above < -0.001
        if height.min() > 2300:
            break
    sight = points - platform
    for turn in (1, -1):
        previous = np.zeros(len(x))
        for number in range(1, 400):
            angle = turn * number * step / distance
            around = np.cos(angle)[:, None] * sight
            around += np.sin(angle)[:, None] * np.cross(velocity, sight)
            above, height = clearance(platform + around)
            folded |= (number > 2) & (np.sign(above) * np.sign(previous) < 0)
            previous = above
            if height.min() > 2300 or height.max() < 1800:
                break
    return folded.reshape(grid.shape), hidden.reshape(grid.shape)


def near(values: np.ndarray) -> np.ndarray:
    """True within a pixel of any true one."""
    from scipy.ndimage import binary_dilation

    return np.asarray(binary_dilation(values, np.ones((3, 3))))


def test_layover_and_shadow_are_those_of_rays(
    scene: Geolocation, tmp_path: Path, at_most: Bound, at_least: Bound
) -> None:
    """None is missed beyond a pixel; beside folded ground more is masked, by half a radar cell."""
    grid = box(100, 8.0)
    dem = dem_of(tmp_path / "d.tif", mountain, step=4.0, edge=1600)
    found = layers(ground(scene, tmp_path / "g", dem, grid))["terrain_mask"]
    folded, hidden = rays(scene, mountain, grid, 2.0)
    ratio, _, theta = closed_form(scene, mountain, grid)
    # Ground at less than a twentieth of flat ground's area counts as shadow, too.
    hidden |= np.maximum(ratio, 0) < 0.05 / np.tan(np.radians(theta))
    for bit, truth in ((1, folded), (2, hidden)):
        mine, name = (found & bit) > 0, ("layover", "shadow")[bit - 1]
        assert truth.sum() > 200
        at_least(f"{name}, agreement", (mine == truth).mean(), 0.99)
        at_least(f"{name}, IoU", (mine & truth).sum() / (mine | truth).sum(), 0.95)
        assert not (truth & ~near(mine)).any()
        at_most(f"{name}, more beyond a pixel", (mine & ~near(truth)).mean(), 0.005)


@pytest.mark.parametrize("tiles", ["one raster", "two bands"])
def test_the_pieces_do_not_matter(scene: Geolocation, tmp_path: Path, tiles: str) -> None:
    grid = box(150, 6.0)
    if tiles == "two bands":
        dem = dem_of_bands(tmp_path / "dem", mountain)
    else:
        dem = dem_of(tmp_path / "d.tif", mountain, step=10.0, edge=1600)
    whole = layers(ground(scene, tmp_path / "whole", dem, grid))
    assert set(np.unique(whole["terrain_mask"])) >= {0, 1, 2}
    for lines in (1, 17, 100) if tiles == "one raster" else (17,):
        other = layers(ground(scene, tmp_path / str(lines), dem, grid, lines))
        assert all(whole[name].tobytes() == other[name].tobytes() for name in LAYERS)
    if tiles == "one raster":
        threads = ground(scene, tmp_path / "threads", dem, grid, 64)
        compute(threads, ThreadExecutor(2))
        other = layers(threads)
        assert all(whole[name].tobytes() == other[name].tobytes() for name in LAYERS)
    crop = grid[31:120, 40:149]
    part = layers(ground(scene, tmp_path / "crop", dem, crop))
    for name in LAYERS:
        assert whole[name][31:120, 40:149].tobytes() == part[name].tobytes(), name


def test_hidden_ground_beyond_a_crop_adds_nothing_to_it(scene: Geolocation, tmp_path: Path) -> None:
    """A summit beyond the far edge, much higher than the area's mean, in the shadow of a higher one
    on the map: it would lie over the map if it were lit.
    """

    def walls(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        summits = 1400.0 * ((x > -20) & (x < 10)) + 400.0 * ((x > -570) & (x < -540))
        return 1850.0 + summits + 0 * y

    grid, dem = box(480), dem_of(tmp_path / "d.tif", walls)
    part = slice(160, 320), slice(160, 320)
    whole = layers(ground(scene, tmp_path / "whole", dem, grid))
    crop = layers(ground(scene, tmp_path / "crop", dem, grid[part]))
    for name in LAYERS:
        np.testing.assert_array_equal(crop[name], whole[name][part], err_msg=name)


class Watched(SerialExecutor):
    """Remembers the tasks of every step in their order."""

    def __init__(self) -> None:
        self.steps: list[list[Any]] = []

    def run(self, function: Any, keys: Any, *more: Any, **options: Any) -> Any:
        self.steps.append(list(keys))
        return super().run(function, self.steps[-1], *more, **options)


def test_long_strips_come_first(scene: Geolocation, tmp_path: Path) -> None:
    grid, dem = box(150, 6.0), dem_of(tmp_path / "d.tif", mountain, step=10.0, edge=1600)
    made, watched = ground(scene, tmp_path / "g", dem, grid, 64), Watched()
    compute(made, watched)
    strips, shares = watched.steps
    assert sorted(strips) == list(made.strips)
    assert sorted(tile for share in shares for tile in share) == sorted(made.map_tiles)
    sizes = [made.own(strip)[1] - made.own(strip)[0] for strip in strips]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 64 == sizes[0]


@pytest.mark.parametrize("edge", [200, 1024, 3072, 6144, 10488])
def test_strips_are_even_in_number_and_fit_a_worker(
    scene: Geolocation, tmp_path: Path, edge: int
) -> None:
    """All of one height, whatever the map, so that the second of two workers is not left over."""
    dem = dem_of(tmp_path / "d.tif", mountain, step=10.0, edge=1600)
    where = {"first": scene.first, "side": scene.side, "reference": 1850.0}
    made = plan_ground(str(tmp_path / "g"), dem, box(edge, 3.0), scene.orbit, **where)
    owned = [made.own(strip) for strip in made.strips]
    assert (owned[0][0], owned[-1][1]) == (made.cells[0], made.cells[1] + 1)
    assert all(one[1] == other[0] for one, other in pairwise(owned))
    heights = [bottom - top for top, bottom in owned]
    assert max(heights) - min(heights) < len(heights)
    assert max(heights) * (made.cells[3] - made.cells[2] + 1) <= CELLS
    assert len(heights) == 1 if edge < 2000 else len(heights) % 2 == 0


def test_workers_elsewhere_find_the_same_bytes(scene: Geolocation, tmp_path: Path) -> None:
    """Strips and tiles by processes of a Dask cluster, in whatever order."""
    grid, dem = box(300, 6.0), dem_of(tmp_path / "d.tif", mountain, step=10.0, edge=1600)
    whole = layers(ground(scene, tmp_path / "whole", dem, grid))
    spread = ground(scene, tmp_path / "spread", dem, grid, 64)
    assert len(spread.strips) > 4
    with open_executor(Cluster(workers=2)) as executor:
        compute(spread, executor)
    other = layers(spread)
    for name in LAYERS:
        one, two = (hashlib.sha256(found[name].tobytes()) for found in (whole, other))
        assert one.hexdigest() == two.hexdigest(), name


def cells_of(made: Ground, number: int) -> np.ndarray:
    """γ-areas of a strip."""
    blocks = -(-(made.cells[3] - made.cells[2] + 1) // BLOCK)
    return np.hstack([read(strip_url(made, number, block))["sums"] for block in range(blocks)])


def test_folded_ground_keeps_its_energy(scene: Geolocation, tmp_path: Path, at_most: Bound) -> None:
    """Area in the radar cells over a whole fold is that of all its sheets, within a percent.

    The front of the ridge lies over, its back is lit; ground is summed point by point instead.
    """

    def ridge(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        front = 260 / (1 + np.exp(-(240 - x) / 30.0))
        return 1850.0 + front / (1 + np.exp(-(x + 400) / 160.0)) + 0 * y

    made = ground(scene, tmp_path / "g", dem_of(tmp_path / "d.tif", ridge), box(400, 4.0))
    for number in made.strips:
        run_strip(number, made)
    top, left = made.cells[0], made.cells[2]
    sums = np.vstack([cells_of(made, number) for number in made.strips])
    grid = box(1200, 2.0)
    look, _, normal, _, _ = seen(scene, ridge, grid)
    rows, columns = np.indices(grid.shape) + 0.5
    x, y = grid.transform * (columns.ravel(), rows.ravel())
    lon, lat = (np.asarray(part) for part in TO_DEGREES.transform(x, y))
    place = made.sight.see(lon, lat, ridge(x - X0, y - Y0))
    up = ecef(lon, lat, 1.0) - ecef(lon, lat, 0.0)
    # The zone's scale, 0.9996, is left aside.
    gamma = np.maximum(np.sum(look * normal, axis=-1), 0) * 4.0 / np.sum(up * normal, axis=-1)
    inside = (place.line > top + 149.5) & (place.line <= top + 349.5)
    middle = sums.shape[1] // 2
    low, high = left + middle - 140.5, left + middle + 140.5
    inside &= (place.sample > low) & (place.sample <= high)
    mine = float(sums[150:350, middle - 140 : middle + 141].sum(dtype=np.float64))
    at_most("relative", abs(mine / float(gamma[inside].sum()) - 1), 0.01)


def test_a_cliff_outside_the_map_darkens_it(scene: Geolocation, tmp_path: Path) -> None:
    """The radar looks westwards from the east; a wall east of the map hides its eastern part."""

    def wall(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 1850.0 + 300.0 * ((x > 260) & (x < 330)) + 0 * y

    grid = box(120)
    assert X0 + 180 < X0 + 260  # the wall is not on the map
    found = layers(ground(scene, tmp_path / "g", dem_of(tmp_path / "d.tif", wall), grid))
    shadow = (found["terrain_mask"] & 2) > 0
    assert shadow[:, -20:].mean() > 0.9
    assert not shadow[:, :20].any()
    assert np.isnan(found["area_ratio"][shadow]).mean() > 0.9


def test_a_cliff_beyond_the_raster_may_be_anywhere(scene: Geolocation, tmp_path: Path) -> None:
    """A wall towards the sensor casts its shadow on the map, one away from it lies over.

    Where the raster ends before them, what they change is flagged; where it ends too far off for
    any ground to reach the map, nothing is.
    """

    def walls(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 1850.0 + 180.0 * ((np.abs(x) > 260) & (np.abs(x) < 330)) + 0 * y

    grid = box(120)
    found, counts = {}, {}
    for edge in (2000, 240, 800):
        made = ground(
            scene, tmp_path / str(edge), dem_of(tmp_path / "d.tif", walls, edge=edge), grid
        )
        found[edge] = layers(made)
        counts[edge] = lacking(made.url)
    whole, cut = found[2000], found[240]
    flagged = (cut["terrain_mask"] & 4) > 0
    changed = (whole["terrain_mask"] ^ cut["terrain_mask"]) & 3 != 0
    changed |= ~np.isclose(whole["area_ratio"], cut["area_ratio"], rtol=1e-6, equal_nan=True)
    for side in (changed[:, :40], changed[:, -15:]):
        assert side.mean() > 0.9
    assert flagged[changed].all()
    assert counts == {2000: (0, 0), 240: (0, flagged.sum()), 800: (0, 0)}
    assert all(whole[name].tobytes() == found[800][name].tobytes() for name in LAYERS)


def test_a_summit_beyond_the_raster_is_known_by_another_source(
    scene: Geolocation, tmp_path: Path
) -> None:
    """Walls of 600 m that the raster does not reach, where the product's own heights tell them."""

    def walls(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 1850.0 + 600.0 * ((np.abs(x) > 500) & (np.abs(x) < 650)) + 0 * y

    grid = box(120)
    found = {}
    for name, edge, known in (
        ("whole", 2000, None),
        ("cut", 480, None),
        ("told", 480, (1850.0, 2450.0)),
    ):
        dem = dem_of(tmp_path / "d.tif", walls, edge=edge)
        found[name] = layers(ground(scene, tmp_path / name, dem, grid, known=known))
    whole, cut, told = (found[name]["terrain_mask"] for name in ("whole", "cut", "told"))
    changed = (whole ^ cut) & 3 != 0
    assert changed.sum() > 1000
    assert not (cut[changed] & 4).all()
    assert (told[changed] & 4).all()


def test_nothing_is_infinite_on_a_wall(scene: Geolocation, tmp_path: Path, at_most: Bound) -> None:
    """Of 88° to both sides, 300 m apart: layover, shadow and both, and no huge gain elsewhere."""

    def walls(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return 1850.0 + 500.0 / (1 + np.exp((np.abs(x) - 150) / 4.0)) + 0 * y

    grid = box(384)
    found = layers(ground(scene, tmp_path / "g", dem_of(tmp_path / "d.tif", walls), grid))
    ratio, mask = found["area_ratio"], found["terrain_mask"]
    known = np.isfinite(ratio)
    assert (ratio[known] > 0.05).all()
    assert not np.isinf(ratio).any()
    assert ((mask & 2) > 0)[~known].all()
    assert set(np.unique(mask)) == {0, 1, 2, 3}
    expected, _, _ = closed_form(scene, walls, grid)
    clear = ~near(near(mask > 0))
    apart = 10 * np.log10(expected[clear] / ratio[clear])
    at_most("gain two pixels off the mask, dB above the ground's own", float(apart.max()), 3.0)


def test_ground_that_is_not_known_is_told(scene: Geolocation, tmp_path: Path) -> None:
    def gap(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.where((np.abs(x) < 30) & (np.abs(y) < 30), np.nan, 1850.0 + 0.1 * x)

    found = layers(ground(scene, tmp_path / "g", dem_of(tmp_path / "d.tif", gap), box()))
    unknown = np.isnan(found["elevation"])
    assert 300 < unknown.sum() < 900
    assert ((found["terrain_mask"] & 4) > 0)[unknown].all()
    assert np.isnan(found["area_ratio"][unknown]).all()
