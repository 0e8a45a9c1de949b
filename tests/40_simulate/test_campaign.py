"""The simulated campaign keeps what it promises: calendar, levels, speckle, terrain, seams."""

import csv
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest
from support.course import levels

from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError, StoreError
from cpazmal_scale.simulate.campaign import campaign
from cpazmal_scale.simulate.given import kernels, seasons, tables, weather
from cpazmal_scale.simulate.ground import relief
from cpazmal_scale.simulate.ground.grids import over_massif
from cpazmal_scale.simulate.ground.world import ground_block, make_world
from cpazmal_scale.simulate.passes import imaging

ALPS = Path(__file__).parents[2] / ".." / "shared" / "data" / "alps"
CLASSES = ["ABL", "ACC", "HAG", "ICA", "FOR", "LAC", "PLA", "ROC"]
BEAMS = ("DSC37", "ASC45", "ASC54")


def read(path):
    import rasterio

    with rasterio.open(path) as raster:
        return raster.read()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return campaign(tmp_path_factory.mktemp("campaign"), size=256, seed=7)


@pytest.fixture(scope="module")
def world():
    return make_world(over_massif("utm", (512, 512)), 5, BEAMS)


@pytest.fixture(scope="module")
def ground(world):
    return ground_block(world, 0, 0, 512, 512)


@pytest.fixture(scope="module")
def plain_world():
    """Nothing varies inside units."""
    with pytest.MonkeyPatch.context() as patch:
        calm = tuple(replace(kind, inside_db=0.0) for kind in tables.surfaces())
        patch.setattr(tables, "surfaces", lambda: calm)
        return make_world(over_massif("utm", (512, 512)), 5, ("DSC37",))


def passes(beam):
    return [one for one in tables.calendar() if one.beam == beam]


# --- calendar and files


def test_calendar_is_the_published_one():
    if not ALPS.exists():
        pytest.skip("no ../shared/data/alps with the published calendar")
    with (ALPS / "acquisitions.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["satellite"] == "PAZ"]
    published = {
        (f"{row['date']} {row['time_utc']}", row["orbit"], row["pols"], float(row["incidence_deg"]))
        for row in rows
    }
    ours = {
        (
            f"{one.start:%Y-%m-%d %H:%M:%S}",
            tables.beams()[one.beam].pass_direction,
            "/".join(one.polarisations),
            one.incidence_angle,
        )
        for one in tables.calendar()
    }
    assert ours == published


def test_every_pass_is_written_once_or_in_two_slices(small):
    stamps = [path.name.split("_SRA_")[1][:8] for path in small.files]
    assert small.acquisitions == 118
    assert len(small.files) == 120
    assert sorted(name for name in set(stamps) if stamps.count(name) == 2) == [
        "20200815",
        "20211122",
    ]
    assert {name.split("_SAR_")[0][-4:] for name in (p.name for p in small.files)} == {"PAZ1"}
    assert len(list((small.folder / "scenes" / "dsc").glob("*.tif"))) == 67
    assert not list(small.folder.rglob("*.part"))


def test_hv_ends_in_january_2021(small):
    import rasterio

    for path in small.files:
        with rasterio.open(path) as raster:
            bands = raster.descriptions
            assert set(raster.dtypes) == {"float32"}
            assert raster.nodata == -999
        dual = path.name.split("_SRA_")[1] < "20210131"
        assert bands == (
            ("Gamma0_HH", "Gamma0_HV", "layoverShadowMask")
            if dual
            else ("Gamma0_HH", "layoverShadowMask")
        )
        assert f"_SM_{'D' if dual else 'S'}_SRA_" in path.name


def test_table_of_acquisitions_names_every_pass(small):
    with (small.folder / "scenes" / "acquisitions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 118
    assert {row["beam"] for row in rows} == set(BEAMS)
    first = rows[0]
    assert first == {
        "sensor": "PAZ1",
        "start": "20200108T054421",
        "beam": "DSC37",
        "pass_direction": "DSC",
        "incidence_angle": "37.8",
        "resolution_range": "2.9",
        "resolution_azimuth": "6.6",
        "polarisations": "HH/HV",
    }


def test_run_settings_are_ready(small):
    config = RunConfig.load(small.run)
    assert (config.beam, config.polarisations) == ("DSC37", ("HH", "HV"))
    assert (config.start, config.end) == (date(2020, 1, 8), date(2021, 1, 27))
    for path in (config.ingest.scenes, config.samples.polygons, config.assess.truth):
        assert Path(path).exists()


# --- no-data, masks, slices


def test_no_data_and_mask_codes(small):
    corners = 0
    for path in small.files[::7]:
        bands = read(path)
        outside = bands[0] == -999
        assert (bands[:, outside] == -999).all()
        assert (bands[:-1, ~outside] > 0).all()
        assert set(np.unique(bands[-1][~outside])) <= {0.0, 1.0, 2.0, 3.0}
        assert 0.001 < outside.mean() < 0.6
        corners += int(outside[0, 0] or outside[0, -1] or outside[-1, 0] or outside[-1, -1])
    assert corners == len(small.files[::7])


@pytest.mark.parametrize("day", ["20200815", "20211122"])
def test_slices_overlap_and_agree(small, day):
    import rasterio

    canvas, seen = np.zeros((256, 256)), np.zeros((256, 256), int)
    with rasterio.open(small.folder / "truth.tif") as truth:
        top = truth.transform.f
    for path in (path for path in small.files if f"SRA_{day}T" in path.name):
        with rasterio.open(path) as raster:
            row = round((top - raster.transform.f) / 3)
            values = raster.read(1)
        valid = values != -999
        rows = slice(row, row + values.shape[0])
        both = valid & (seen[rows] > 0)
        assert (canvas[rows][both] == values[both]).all()
        canvas[rows][valid] = values[valid]
        seen[rows] += valid
    assert set(np.unique(seen)) == {0, 1, 2}
    assert 0.02 < (seen == 2).mean() < 0.15
    assert (seen > 0).mean() > 0.9


# --- truth and polygons


def test_polygons_lie_inside_their_class(small):
    import geopandas
    import rasterio
    from rasterio.features import rasterize

    polygons = geopandas.read_file(small.folder / "polygons.gpkg")
    with rasterio.open(small.folder / "truth.tif") as raster:
        truth, place = raster.read(1), raster.transform
        assert raster.tags()["classes"].split(",") == CLASSES
        assert polygons.crs == raster.crs
    assert set(np.unique(truth)) == set(range(1, 9))
    assert polygons.is_valid.all()
    assert polygons["group"].is_unique
    assert polygons["unit"].is_unique
    counts = polygons["class"].value_counts().to_dict()
    assert counts == dict(zip(CLASSES, (7, 9, 7, 9, 9, 9, 9, 9), strict=True)) == small.polygons
    for row in polygons.itertuples():
        assert row.group.startswith(row[polygons.columns.get_loc("class") + 1])
        inside = rasterize([(row.geometry, 1)], truth.shape, transform=place) > 0
        assert inside.sum() >= 30
        code = CLASSES.index(row.group[:3]) + 1
        assert (truth[inside] == code).all(), row.group
    touching = polygons.sjoin(polygons, predicate="intersects")
    assert len(touching) == len(polygons)
    assert {name: int((truth == k).sum()) for k, name in enumerate(CLASSES, 1)} == small.truth


@pytest.mark.parametrize(("size", "grid", "seed"), [((256, 300), "authors", 1), (400, "utm", 2)])
def test_other_scenes_have_all_groups_too(tmp_path, size, grid, seed):
    import rasterio

    made = campaign(
        tmp_path, size=size, seed=seed, grid=grid, beams=("ASC54",), end=date(2021, 2, 20)
    )
    assert list(made.polygons.values()) == [7, 9, 7, 9, 9, 9, 9, 9]
    with rasterio.open(made.files[0]) as raster:
        pixel = raster.transform.a
        assert raster.crs.to_epsg() == (4326 if grid == "authors" else 32632)
        assert pixel == (2.69494585e-5 if grid == "authors" else 3.0)
        assert raster.transform.c / pixel == pytest.approx(round(raster.transform.c / pixel))
    assert RunConfig.load(made.run).polarisations == ("HH",)


def test_glacier_surfaces_lie_as_in_the_massif(world, ground):
    heights = world.ground.height
    mean = {name: heights[ground.surface == code].mean() for code, name in enumerate(CLASSES)}
    assert mean["PLA"] < mean["FOR"] < mean["ROC"] < mean["ACC"]
    assert mean["ABL"] < mean["ACC"] - 300
    slope, _ = relief.slope_aspect(world.ground.terrain, world.ground.lattice)
    steep = {name: slope[ground.surface == code].mean() for code, name in enumerate(CLASSES)}
    assert steep["LAC"] < 8 < steep["ABL"] < 30
    assert min(steep["HAG"], steep["ICA"]) > 29


# --- levels


@pytest.fixture(scope="module")
def course():
    return levels(range(4), ("DSC37", "ASC45", "ASC54"))


def published(name):
    import pandas

    if not ALPS.exists():
        pytest.skip("no ../shared/data/alps with the published levels")
    return pandas.read_csv(ALPS / name)


@pytest.mark.parametrize("polarisation", ["HH", "HV"])
def test_class_means_follow_the_measured_year(course, polarisation):
    own = course[(course["beam"] == "DSC37") & (course["pol"] == polarisation)]
    means = own.groupby(["cls", "month"])["db"].mean().unstack().loc[CLASSES].to_numpy()
    error = means - tables.monthly_backscatter(polarisation)
    assert np.sqrt((error**2).mean()) < 0.6
    assert np.abs(error.mean(axis=1)).max() < 0.6


def test_dates_of_a_season_differ_as_measured(course):
    """Within a quarter of the tables, or a fifth of a decibel where dates hardly differ."""
    table = published("backscatter_class_season.csv")
    table = table[table["pol"] == "HH"].set_index(["cls", "season"])["std"].unstack()
    own = course[(course["beam"] == "DSC37") & (course["pol"] == "HH")]
    units = own.groupby(["seed", "cls", "unit", "season"])["db"].std()
    found = units.groupby(["cls", "season"]).median().unstack().loc[table.index, table.columns]
    apart = (found - table).abs()
    near = (apart < 0.25 * table) | (apart < 0.2)
    assert near.all(axis=None), found[~near].round(2)
    assert found.loc["ICA", "JJA"] > 2.2


def test_melt_comes_ten_days_early_or_late(course):
    late = np.array(
        [
            weather.lateness(seed, datetime(year, 5, 15, tzinfo=UTC))
            for seed in range(30)
            for year in (2020, 2021, 2022)
        ]
    )
    assert 6 < late.std() < 10
    assert 0.4 < np.corrcoef(late[:, 0], late[:, 1])[0, 1] < 0.8
    before, after = (
        weather.lateness(3, datetime(*day, tzinfo=UTC)) for day in ((2020, 12, 31), (2021, 1, 1))
    )
    assert np.abs(before - after).max() < 0.5


def test_afternoons_are_seen_by_the_ascending_beams(course):
    import pandas

    own = course[(course["cls"] == "ICA") & (course["pol"] == "HH")]
    spreads = []
    for _, unit in own.groupby(["seed", "unit"]):
        sides = [
            unit[unit["beam"].str.startswith(name)].sort_values("date")[["date", "db"]]
            for name in ("ASC", "DSC")
        ]
        near = pandas.merge_asof(
            *sides, on="date", direction="nearest", tolerance=pandas.Timedelta(days=6)
        ).dropna()
        spreads.append((near["db_x"] - near["db_y"]).std())
    assert 2 < np.median(spreads) < 3


def test_weather_does_not_depend_on_what_is_asked():
    when = datetime(2020, 7, 2, 5, 44, tzinfo=UTC)
    first = weather.thaw(3, when)
    for day in range(1, 20):
        weather.thaw(3, datetime(2020, 7, day, tzinfo=UTC))
    assert (weather.thaw(3, when) == first).all()
    assert (weather.thaw(4, when) != first).all()
    series = np.array(
        [weather.thaw(3, datetime.fromtimestamp(1.58e9 + 86400 * k, UTC)) for k in range(700)]
    )
    assert np.allclose(series.std(axis=0), 1, atol=0.15)
    assert np.corrcoef(series[:-1, 1], series[1:, 1])[0, 1] > 0.4
    assert abs(np.corrcoef(series[:-11, 1], series[11:, 1])[0, 1]) < 0.15


def test_measured_tables_are_the_published_ones():
    if not ALPS.exists():
        pytest.skip("no ../shared/data/alps with the published means")
    with (ALPS / "backscatter_class_month.csv").open() as stream:
        for row in csv.DictReader(stream):
            ours = tables.monthly_backscatter(row["pol"])[CLASSES.index(row["cls"])]
            assert ours.tolist() == [float(row[str(month)]) for month in range(1, 13)]


def test_units_depart_as_the_tables_say(plain_world):
    units, first = np.unique(plain_world.ground.unit, return_index=True)
    assert len(units) > 68
    for field, wide in (
        (plain_world.lasting["HH"], tables.UNIT_DB),
        (plain_world.lasting["HV"], tables.UNIT_DB),
        (plain_world.seasonal[0], tables.UNIT_SEASON_DB),
    ):
        assert 0.7 * wide < field.ravel()[first].std() < 1.25 * wide
    pair = [plain_world.lasting[name].ravel()[first] for name in ("HH", "HV")]
    assert np.corrcoef(*pair)[0, 1] == pytest.approx(tables.UNIT_CORRELATION, abs=0.2)


def test_half_thawed_polygons_hold_both_states(world, ground, monkeypatch):
    """Patches of melt: the log-variance of a class is largest when about half of it is wet."""
    monkeypatch.setattr(seasons, "thaw", lambda *_: np.zeros(8))
    seasons.class_powers.cache_clear()
    here = (ground.surface == CLASSES.index("ABL")) & (ground.masks["DSC37"] == 0)
    days = [one for one in passes("DSC37") if one.start.year == 2020]
    images = [imaging.backscattered(world, ground, one, "HH")[here] for one in days]
    seasons.class_powers.cache_clear()
    spread = {
        f"{one.start:%m}": np.log(image).var() for one, image in zip(days, images, strict=True)
    }
    assert max(spread["03"], spread["04"]) > 1.15 * spread["08"]


def test_northern_slopes_count_as_higher(world):
    slope, aspect = relief.slope_aspect(world.ground.terrain, world.ground.lattice)
    steep = (slope > 25) & (world.ground.surface == CLASSES.index("ROC"))
    height = world.ground.height
    band = steep & (np.abs(height - 2333) < 150)
    north = np.cos(np.radians(aspect)) > 0.7
    south = np.cos(np.radians(aspect)) < -0.7
    assert world.above[band & north].mean() > world.above[band & south].mean() + 2


def test_borders_are_mixed():
    surface = np.zeros((9, 12), np.uint8)
    surface[:, 6:] = 3
    beside, mixed = np.empty((5, 8), np.uint8), np.empty((5, 8), np.float32)
    kernels.neighbours(surface, 2, beside, mixed)
    assert (mixed == np.array([0, 0, 0.125, 0.125, 0.125, 0.125, 0, 0])).all()
    assert (beside[0] == [0, 0, 3, 3, 0, 0, 3, 3]).all()


def test_dates_have_their_own_patches_and_share_a_world(world):
    first, second = (imaging.mixtures(5, one, "HH") for one in passes("DSC37")[:2])
    for name, width in (
        ("moment", 1),
        ("weather", 1),
        ("texture", 1),
        ("rough", imaging.ROUGHNESS),
    ):
        assert np.linalg.norm(first[name]) == pytest.approx(width, rel=1e-5)
        assert (first[name] != second[name]).all()
    other = imaging.mixtures(5, passes("DSC37")[0], "HV")
    assert (other["texture"] != first["texture"]).any()


def test_noise_floor_of_shadow(world, ground):
    middle = passes("DSC37")[5]
    values = imaging.image(world, ground, middle, "HV")
    shadow = (ground.masks["DSC37"] & 2 > 0) & (values > 0)
    assert shadow.sum() > 2000
    floor = 10 * np.log10(values[shadow].mean())
    assert floor == pytest.approx(tables.NOISE_FLOOR_DB + 10 * np.log10(2 / np.e), abs=0.3)
    layover = (ground.masks["DSC37"] == 1) & (values > 0)
    assert values[layover].mean() > 1.5 * values[(ground.masks["DSC37"] == 0)].mean()


def test_mean_of_noise_subtracted_product():
    draws = np.random.default_rng(0).exponential(size=400_000)
    noise = 10 ** (tables.NOISE_FLOOR_DB / 10)
    for power in (-35.0, -21.0, -12.0, 0.0):
        signal = 10 ** (power / 10)
        mean = np.abs((signal + noise) * draws - noise).mean()
        assert seasons.detected_db(np.array(power)) == pytest.approx(10 * np.log10(mean), abs=0.03)
        assert seasons.true_db(seasons.detected_db(np.array(power))) == pytest.approx(
            power, abs=0.02
        )


def test_orbits_differ_where_measured():
    dry, wet = tables.orbit_offset("ASC45", "HH")
    assert dry[CLASSES.index("ICA")] == 2.2
    assert wet[CLASSES.index("ICA")] > dry[CLASSES.index("ICA")]
    assert dry[CLASSES.index("ABL")] == wet[CLASSES.index("ABL")] == 0
    assert not tables.orbit_offset("DSC37", "HV").any()


# --- speckle and texture


@pytest.fixture(scope="module")
def speckle(world, ground):
    def draw(acquisition, polarisation):
        beam = tables.beams()[acquisition.beam]
        line, sample = imaging.speckle_axes(world, acquisition, beam)
        top, lines = imaging.reach(line, ground)
        left, samples = imaging.reach(sample, ground)
        re, im = imaging.speckle(5, acquisition, polarisation, top, left, lines, samples)
        out = np.empty(ground.shape, np.float32)
        ones = np.ones_like(out)
        kernels.detect(ones, 0, 0, line, sample, re, im, top, left, 0.0, out)
        return out

    return draw


@pytest.mark.parametrize("index", [0, 40])
@pytest.mark.parametrize("beam", BEAMS)
def test_speckle_has_the_measured_looks(speckle, beam, index):
    own = passes(beam)
    values = speckle(own[min(index, len(own) - 1)], "HH").astype(float)
    assert values.mean() == pytest.approx(1, abs=0.03)
    assert 1.35 < 1 / values.var() < 1.9
    assert 0.13 < np.log(np.sqrt(values)).var() < 0.17


def test_speckle_is_independent_between_channels_and_dates(speckle):
    first, second = passes("DSC37")[:2]
    one = speckle(first, "HH").ravel()
    assert abs(np.corrcoef(one, speckle(first, "HV").ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(one, speckle(second, "HH").ravel())[0, 1]) < 0.02


def test_speckle_is_correlated_along_azimuth(speckle):
    values = speckle(passes("DSC37")[0], "HH") - 1
    along = (values[:, 1:] * values[:, :-1]).mean() / values.var()
    down = (values[1:] * values[:-1]).mean() / values.var()
    assert along < 0.3 < 0.45 < down < 0.75


@pytest.mark.parametrize("order", [4.0, 15.0, 30.0])
def test_texture_is_gamma(order):
    shape = (400, 400)
    gaussian = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    zeros = np.zeros(shape, np.float32)
    codes = np.zeros(shape, np.uint8)
    states = np.ones((3, 8, 365), np.float32)
    out = np.empty(shape, np.float32)
    kernels.backscatter(
        codes,
        codes,
        zeros,
        zeros,
        zeros,
        zeros,
        gaussian,
        zeros,
        codes,
        states,
        order,
        100.0,
        0.0,
        0.15,
        4.0,
        out,
    )
    assert out.mean() == pytest.approx(1, abs=0.02)
    assert 1 / out.var() == pytest.approx(order, rel=0.06)


def test_white_noise_depends_on_place_only():
    whole = np.empty((2, 60, 70), np.float32)
    part = np.empty((2, 13, 17), np.float32)
    kernels.white(np.uint64(9), -20, -30, *whole)
    kernels.white(np.uint64(9), -9, 5, *part)
    assert (part == whole[:, 11:24, 35:52]).all()
    large = np.empty((2, 700, 700), np.float32)
    kernels.white(np.uint64(9), 0, 0, *large)
    power = (large**2).sum(axis=0)
    assert power.mean() == pytest.approx(1, abs=0.01)
    assert power.var() == pytest.approx(1, abs=0.03)
    for first, second in (
        (large[0], large[1]),
        (large[0, 1:], large[0, :-1]),
        (large[0, :, 1:], large[0, :, :-1]),
    ):
        assert abs((first * second).mean()) < 0.005


# --- terrain


def naive_codes(z, spacing, incidence):
    """Layover and shadow of profiles seen from the left, straight from the geometry."""
    theta = np.radians(incidence)
    ground = np.arange(z.shape[1]) * spacing
    codes = np.zeros(z.shape, np.uint8)
    for i, profile in enumerate(z.astype(float)):
        slant = ground * np.sin(theta) - profile * np.cos(theta)
        grazing = ground * np.cos(theta) + profile * np.sin(theta)
        for j in range(profile.size):
            folded = (slant[:j] >= slant[j]).any() or (slant[j + 1 :] <= slant[j]).any()
            hidden = (grazing[:j] > grazing[j]).any()
            codes[i, j] = folded + 2 * hidden
    return codes


@pytest.mark.parametrize("incidence", [25.0, 37.4, 53.9])
def test_layover_and_shadow_equal_the_geometry(incidence):
    walk = np.random.default_rng(4).normal(0, 4, (20, 90)).cumsum(axis=1)
    z = walk.astype(np.float32)
    codes = kernels.layover_shadow(z, 0.0, 1.0, 3.0, incidence)
    assert (codes == naive_codes(z, 3.0, incidence)).all()
    assert {0, 1} <= set(np.unique(codes))
    mirrored = kernels.layover_shadow(z[:, ::-1].copy(), 0.0, -1.0, 3.0, incidence)
    assert (mirrored[:, ::-1] == codes).all()
    assert not kernels.layover_shadow(np.zeros((9, 9), np.float32), 0.3, 0.9, 3.0, 40.0).any()


def test_beams_look_to_the_right(world):
    codes = {name: view.mask for name, view in world.views.items()}
    for name, towards_east in (("DSC37", True), ("ASC45", False)):
        east = np.gradient(world.ground.terrain, axis=1)
        rising_east = east[(codes[name] & 1) > 0].mean() > 0
        assert rising_east != towards_east
    assert ((codes["ASC54"] & 1) > 0).mean() < ((codes["ASC45"] & 1) > 0).mean()


# --- same bits


@pytest.mark.parametrize("nodes", [2048, 128])
def test_blocks_join_without_a_seam(monkeypatch, nodes):
    monkeypatch.setattr(relief, "MAX_NODES", nodes)
    world = make_world(over_massif("utm", (300, 280)), 11, ("ASC45",))
    assert world.ground.lattice.step == (1 if nodes == 2048 else 3)
    one = passes("ASC45")[3]
    whole = ground_block(world, 0, 0, 300, 280)
    images = {pol: imaging.image(world, whole, one, pol) for pol in ("HH", "HV")}
    for row, col, height, width in ((0, 0, 1, 1), (37, 101, 90, 77), (299, 0, 1, 280)):
        part = ground_block(world, row, col, height, width)
        place = (slice(row, row + height), slice(col, col + width))
        assert (part.surface == whole.surface[place]).all()
        assert (part.terrain == whole.terrain[place]).all()
        for polarisation, expected in images.items():
            assert (imaging.image(world, part, one, polarisation) == expected[place]).all()


def test_block_period_and_beams_change_no_pixel(tmp_path, small):
    day = date(2020, 8, 15)
    options = {"size": (530, 300), "seed": 2, "start": day, "end": date(2020, 8, 28)}
    one = campaign(tmp_path / "a", block=256, **options)
    other = campaign(tmp_path / "b", block=1024, **options)
    assert len(one.files) == 4
    for name in ("truth.tif", "dem.tif", *(p.relative_to(tmp_path / "a") for p in one.files)):
        assert (read(tmp_path / "a" / name) == read(tmp_path / "b" / name)).all()
    assert one.truth == other.truth
    alone = campaign(tmp_path / "c", size=256, seed=7, beams=("ASC54",), start=date(2021, 9, 1))
    for path in alone.files:
        assert (read(path) == read(small.folder / path.relative_to(alone.folder))).all()


def test_another_seed_is_another_campaign(tmp_path, small):
    other = campaign(tmp_path, size=256, seed=8, beams=("ASC54",), end=date(2021, 2, 15))
    same_day = small.folder / other.files[0].relative_to(tmp_path)
    assert (read(other.files[0])[0] != read(same_day)[0]).mean() > 0.9
    assert (read(tmp_path / "truth.tif") != read(small.folder / "truth.tif")).mean() > 0.2


def test_progress_reaches_the_end(tmp_path):
    seen = []
    campaign(
        tmp_path,
        size=(256, 300),
        block=256,
        beams=("ASC54",),
        end=date(2021, 3, 1),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(k, 4) for k in range(1, 5)]


# --- refusals


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"size": 100}, "size"),
        ({"size": (256, 30_000)}, "size"),
        ({"beams": ("DSC38",)}, "beams"),
        ({"beams": ()}, "beams"),
        ({"beams": ("ASC45", "ASC45")}, "beams"),
        ({"grid": "mercator"}, "grid"),
        ({"block": 100}, "block"),
        ({"start": date(2023, 1, 1)}, "start, end"),
    ],
)
def test_bad_arguments_are_refused(tmp_path, options, setting):
    with pytest.raises(ConfigError) as caught:
        campaign(tmp_path / "new", **options)
    assert caught.value.where == setting
    assert not (tmp_path / "new").exists()


def test_another_campaigns_scenes_are_not_mixed_in(tmp_path):
    (tmp_path / "scenes").mkdir()
    (tmp_path / "scenes" / "mine.tif").write_bytes(b"precious")
    with pytest.raises(ConfigError, match=r"mine\.tif"):
        campaign(tmp_path, size=256)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["mine.tif"]


def test_folders_that_cannot_be_are_refused(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(StoreError):
        campaign(tmp_path / "file", size=256, beams=("ASC54",))
    with pytest.raises(ConfigError, match="local folder"):
        campaign("s3://bucket/campaign")


def test_day_of_year():
    assert seasons.day_of_year(datetime(2020, 1, 1, 12, tzinfo=UTC)) == 0.5
