"""Scenes found, described, checked and read."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.rpc import RPC
from support.scenes_factory import (
    STARTS,
    campaign,
    file_name,
    product,
    row,
    run_config,
    speckle,
    write_raster,
    write_table,
)

from cpazmal_scale.errors import (
    ConfigError,
    GridMismatch,
    SceneError,
    SceneImplausible,
    SceneUnknown,
    SceneUnreadable,
    StoreMissing,
)
from cpazmal_scale.scenes import Scene, discover, to_bits
from cpazmal_scale.scenes.reading import read
from cpazmal_scale.scenes.values import to_power


def find(folder: Path | str, *, check: bool = True, **naming) -> list[Scene]:
    return discover(run_config(folder, "unused", **naming).ingest, check=check)


def one_scene(
    folder: Path, bands: list[np.ndarray], polarisations: str = "HH/HV", **options
) -> Path:
    write_table(folder, [row(STARTS[0], polarisations=polarisations)])
    return write_raster(folder / file_name(STARTS[0]), bands, **options)


def test_a_campaign_is_described(tmp_path) -> None:
    scenes = find(campaign(tmp_path))
    assert [scene.start.strftime("%Y%m%dT%H%M%S") for scene in scenes] == list(STARTS)
    first, last = scenes[0], scenes[-1]
    assert first.id == product(STARTS[0])
    assert (first.sensor, first.beam, first.pass_direction, first.look_side) == (
        *("PAZ1", "DSC37", "DSC", "R"),
    )
    assert first.polarisations == ("HH", "HV")
    assert last.polarisations == ("HH",)
    assert first.incidence_angle == 37.4
    assert first.resolution == (2.9, 6.6)
    assert first.files[0].bands == ("HH", "HV", "mask")
    assert first.geobox.shape == (100, 130)
    assert str(first.geobox.crs) == "EPSG:32632"
    assert len({scene.source_sha256 for scene in scenes}) == 4


def test_reading_gives_linear_power_and_our_mask_bits(tmp_path) -> None:
    scene = find(campaign(tmp_path))[0]
    power, mask = read(scene, scene.geobox, (0, 100))
    with rasterio.open(scene.files[0].url) as raster:
        raw = raster.read()
    expected = np.where(raw[:2] == -999, np.nan, raw[:2])
    np.testing.assert_array_equal(power, expected)
    np.testing.assert_array_equal(mask, np.where(raw[0] == -999, 32, raw[2]).astype("u1"))
    assert set(np.unique(mask)) == {0, 1, 2, 3, 32}
    for y0 in range(0, 100, 37):
        y1 = min(100, y0 + 37)
        part, bits = read(scene, scene.geobox, (y0, y1))
        np.testing.assert_array_equal(part, power[:, y0:y1])
        np.testing.assert_array_equal(bits, mask[y0:y1])


@given(
    arrays("f4", (4, 5), elements=st.sampled_from([0, -999, np.nan, np.inf, -0.01, 0.3, -500, 7])),
    st.sampled_from([None, -999.0, 0.0, 7.0, float("nan")]),
)
@settings(max_examples=60, deadline=None)
def test_linear_values_have_a_plain_twin(raw: np.ndarray, nodata: float | None) -> None:
    def plain(value: float) -> float:
        bad = not np.isfinite(value) or value in (0, -999) or value == nodata or value < -1
        return float("nan") if bad else value

    expected = np.array([[plain(float(v)) for v in line] for line in raw], "f4")
    np.testing.assert_array_equal(to_power(raw, nodata, "linear"), expected)


def test_decibels_become_power() -> None:
    raw = np.array([[-10.0, -999, np.nan, -20]], "f4")
    np.testing.assert_allclose(to_power(raw, -999, "dB"), [[0.1, np.nan, np.nan, 0.01]], rtol=1e-6)


def test_mask_codes_of_both_processors() -> None:
    codes = np.array([0, 1, 2, 3, -127, 255, -999, np.nan, 0.4, 4], "f4")
    with np.errstate(invalid="ignore"):
        assert to_bits(codes, "snap").tolist() == [0, 1, 2, 3, *[32] * 6]
        assert to_bits(codes, "isce3").tolist() == [0, 2, 1, 3, *[32] * 6]


def test_slices_merge_as_the_mean_where_both_are_valid(tmp_path) -> None:
    a, b = speckle((40, 50), 1), speckle((40, 50), 2)
    a[35:, :10] = -999
    clear, marked = np.zeros((40, 50)), np.ones((40, 50))
    write_raster(tmp_path / file_name("20211122T172529"), [a, clear])
    write_raster(tmp_path / file_name("20211122T172536", subset=1), [b, marked], at=(30, 5))
    write_table(tmp_path, [row("20211122T172529", "ASC45", "ASC", 44.6, "HH")])
    (scene,) = find(tmp_path)
    assert scene.id == product("20211122T172529")
    assert scene.geobox.shape == (70, 55)
    power, mask = read(scene, scene.geobox, (0, 70))
    twin, bits = np.full((70, 55), np.nan), np.full((70, 55), 32)
    for y in range(70):
        for x in range(55):
            values = []
            if y < 40 and x < 50 and a[y, x] != -999:
                values.append((a[y, x], 0))
            if y >= 30 and x >= 5:
                values.append((b[y - 30, x - 5], 1))
            if values:
                twin[y, x] = np.mean([v for v, _ in values])
                bits[y, x] = max(bit for _, bit in values)
    np.testing.assert_allclose(power[0], twin, rtol=1e-6)
    np.testing.assert_array_equal(mask, bits)


def test_same_day_of_two_sensors_and_two_beams_stays_apart(tmp_path) -> None:
    rows = []
    for sensor, start, beam in (
        ("TSX1", "20110505T172501", "ASC45"),
        ("TDX1", "20110505T172502", "ASC45"),
        ("TSX1", "20110505T173401", "ASC54"),
    ):
        image = [speckle((20, 20)), np.zeros((20, 20))]
        write_raster(tmp_path / file_name(start, sensor=sensor), image)
        rows.append(row(start, beam, "ASC", 44.5, "HH", sensor=sensor))
    write_table(tmp_path, rows)
    assert len(find(tmp_path)) == 3


def test_a_copy_of_a_file_counts_once(tmp_path) -> None:
    path = one_scene(tmp_path, [speckle((30, 30)), speckle((30, 30), 1), np.zeros((30, 30))])
    (tmp_path / "again").mkdir()
    (tmp_path / "again" / path.name).write_bytes(path.read_bytes())
    (scene,) = find(tmp_path)
    assert len(scene.files) == 1


def test_a_file_a_glob_and_a_folder(tmp_path) -> None:
    campaign(tmp_path)
    assert len(find(tmp_path / "dsc" / "*2020011*", beam="DSC37", check=False)) == 1
    only = tmp_path / "dsc" / file_name(STARTS[0])
    assert len(find(only, beam="DSC37")) == 1
    with pytest.raises(StoreMissing, match="no scenes are here"):
        find(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    write_raster(tmp_path / "empty" / "dem.tif", [speckle((8, 8))])
    with pytest.raises(SceneUnknown, match="none of 1"):
        find(tmp_path / "empty")
    with pytest.raises(ConfigError, match="no scenes"):
        discover(run_config(tmp_path, "w").ingest.model_copy(update={"scenes": None}))


def test_what_cannot_be_described_is_refused(tmp_path) -> None:
    image = [speckle((30, 30)), np.zeros((30, 30))]
    write_raster(tmp_path / file_name(STARTS[0]), image)
    with pytest.raises(SceneUnknown, match="viewing geometry is unknown"):
        find(tmp_path)
    with pytest.raises(SceneUnknown, match="cannot name a cube"):
        find(tmp_path, beam="../up")
    write_table(tmp_path, [row(STARTS[0])])
    with pytest.raises(SceneUnknown, match="2 bands are not"):
        find(tmp_path)
    with pytest.raises(SceneUnknown, match="HV of the acquisition table is missing"):
        find(tmp_path, bands=("HH", "mask"))
    name = f"{product(STARTS[0])[:-15]}20200119T054428.tif"
    write_raster(tmp_path / "other" / name, image)
    with pytest.raises(SceneUnknown, match=r"stops 2020-01-19 .* no acquisition"):
        find(tmp_path / "other")


def test_bands_by_configuration_and_by_description(tmp_path) -> None:
    path = tmp_path / file_name(STARTS[0])
    write_raster(path, [np.zeros((30, 30)), speckle((30, 30))])
    (scene,) = find(tmp_path, beam="B", bands=("mask", "VV"))
    assert scene.polarisations == ("VV",)
    with rasterio.open(path, "r+") as raster:
        raster.descriptions = ("layover_shadow_mask", "Gamma0_VV")
    (scene,) = find(tmp_path, beam="B")
    assert scene.files[0].bands == ("mask", "VV")


def good() -> list[np.ndarray]:
    return [speckle((200, 150), 1), speckle((200, 150), 2), np.zeros((200, 150), "f4")]


def test_truncated_files_are_refused_wherever_they_end(tmp_path) -> None:
    path = one_scene(tmp_path, good())
    whole = path.read_bytes()
    find(tmp_path)
    for cut in np.linspace(0, len(whole) - 1, 50).astype(int):
        path.write_bytes(whole[:cut])
        with pytest.raises(SceneUnreadable) as error:
            find(tmp_path)
        assert "\n" not in str(error.value)


def test_zeroed_tails_and_flipped_bits_never_crash(tmp_path) -> None:
    path = one_scene(tmp_path, good(), compress="none")
    whole = bytearray(path.read_bytes())
    path.write_bytes(whole[: len(whole) // 4] + bytes(len(whole) - len(whole) // 4))
    with pytest.raises(SceneImplausible, match="zero"):
        find(tmp_path)
    path = one_scene(tmp_path, good(), compress="deflate")
    whole = bytearray(path.read_bytes())
    path.write_bytes(whole[: len(whole) // 2] + bytes(len(whole) - len(whole) // 2))
    with pytest.raises(SceneError):
        find(tmp_path)
    refused = 0
    for at in np.linspace(8, len(whole) - 1, 60).astype(int):
        damaged = whole.copy()
        damaged[at] ^= 0x10
        path.write_bytes(damaged)
        try:
            find(tmp_path)
        except (SceneError, GridMismatch):
            refused += 1
    assert refused > 30


def test_sparse_files_are_refused(tmp_path) -> None:
    path = one_scene(tmp_path, good())
    with rasterio.open(path) as raster:
        profile = raster.profile
    with rasterio.open(path, "w", **profile, sparse_ok=True) as raster:
        raster.write(good()[0][:64, :64], 1, window=((0, 64), (0, 64)))
    with pytest.raises(SceneUnreadable, match="never written"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda band: band * 0, "no valid pixel"),
        (lambda band: band * np.nan, "no valid pixel"),
        (lambda band: band * 0 - 999, "no valid pixel"),
        (
            lambda band: np.where(np.arange(band.size).reshape(band.shape) < 9, band, -999),
            "only 9 of",
        ),
        (lambda band: 10 * np.log10(band), "look like decibels"),
        (lambda band: band * 1e7, "digital numbers"),
        (lambda band: np.where(np.arange(200)[:, None] < 100, band, 0), "100 rows of zeros"),
    ],
)
def test_values_that_cannot_be_backscatter_are_refused(tmp_path, change, match: str) -> None:
    bands = good()
    bands[1] = change(bands[1]).astype("f4")
    one_scene(tmp_path, bands)
    with pytest.raises(SceneImplausible, match=match):
        find(tmp_path)


def test_linear_given_as_decibels_is_refused(tmp_path) -> None:
    one_scene(tmp_path, good())
    with pytest.raises(SceneImplausible, match="look linear"):
        find(tmp_path, scale="dB")


def test_a_mask_that_is_none_is_refused(tmp_path) -> None:
    one_scene(tmp_path, [*good()[:2], speckle((200, 150), 3)])
    with pytest.raises(SceneImplausible, match="no mask code"):
        find(tmp_path)


def test_zeros_are_no_data_when_the_file_says_so(tmp_path) -> None:
    bands = good()
    bands[0][:100] = bands[1][:100] = 0
    one_scene(tmp_path, bands, nodata=0.0)
    (scene,) = find(tmp_path)
    assert np.isnan(read(scene, scene.geobox, (0, 100))[0]).all()


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_is_placed_by_polynomials_is_in_radar_geometry(tmp_path) -> None:
    ones = [1.0, *[0.0] * 19]
    with rasterio.open(one_scene(tmp_path, good(), crs=None), "r+") as raster:
        raster.rpcs = RPC(1000, 500, 46, 1, ones, ones, 32, 32, 7, 1, ones, ones, 32, 32)
    with pytest.raises(SceneUnreadable, match=r"polynomials .* in radar geometry"):
        find(tmp_path)


def test_no_crs_is_refused(tmp_path) -> None:
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        one_scene(tmp_path, good(), crs=None)
    with pytest.raises(SceneUnreadable, match="no coordinate reference system"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("crs", "place"),
    [
        ("EPSG:4978", (3, 339_000, 5_087_001)),  # geocentric
        ("EPSG:4326", (3, 339_000, 5_087_001)),
        ("EPSG:4326", (1e-4, 7, 95)),
        ("EPSG:4326", (1e-4, 600, 45)),
        ('LOCAL_CS["a wall",UNIT["metre",1]]', (3, 339_000, 5_087_001)),
        ("EPSG:32632", (1e-12, 339_000, 5_087_001)),
        ("EPSG:32632", (3, 1e12, 5_087_001)),
        ("EPSG:2056", (3, float("nan"), 1_000_000)),
    ],
)
def test_what_lies_nowhere_on_earth_is_refused(tmp_path, crs: str, place) -> None:
    path = one_scene(tmp_path, good(), crs=crs)
    pixel, left, top = place
    with rasterio.open(path, "r+") as raster:
        raster.transform = Affine(pixel, 0, left, 0, -pixel, top)
    with pytest.raises(SceneUnreadable, match="no place on Earth"):
        find(tmp_path)


@pytest.mark.parametrize(("crs", "left"), [("EPSG:4326", 359.99), ("EPSG:4979", 7.0)])
def test_longitudes_of_both_counts_are_places(tmp_path, crs: str, left: float) -> None:
    path = one_scene(tmp_path, good(), crs=crs)
    with rasterio.open(path, "r+") as raster:
        raster.transform = Affine(1e-4, 0, left, 0, -1e-4, 45)
    assert find(tmp_path)[0].geobox.transform.c == left


@pytest.mark.parametrize(
    ("crs", "flat"),
    [("EPSG:32632+5773", 32632), ("EPSG:32632+8228", 32632), ("EPSG:2056+5728", 2056)],
)
def test_heights_of_a_reference_system_are_no_unit_of_the_bands(
    tmp_path, crs: str, flat: int
) -> None:
    left, top = (2_600_000, 1_090_000) if flat == 2056 else (339_000, 5_087_001)
    path = one_scene(tmp_path, good(), crs=crs)
    with rasterio.open(path, "r+") as raster:
        raster.transform = Affine(3, 0, left, 0, -3, top)
        assert raster.units[0] in ("metre", "foot")
    (scene,) = find(tmp_path)
    assert scene.geobox.crs.to_epsg() == flat
    with rasterio.open(path, "r+") as raster:
        raster.units = ["m"] * raster.count
    with pytest.raises(SceneUnknown, match="unit `m`"):
        find(tmp_path)


def test_a_reference_system_beside_its_name_is_refused(tmp_path) -> None:
    """A transverse Mercator called UTM zone 32, with a false easting of 50 km."""
    text = pyproj.CRS("EPSG:32632").to_wkt("WKT1_GDAL").replace("500000", "50000")
    one_scene(tmp_path, good(), crs=re.sub(r',AUTHORITY\["EPSG","\d+"\]', "", text))
    with pytest.raises(SceneUnreadable, match=r"called WGS 84 / UTM zone 32N, and lies "):
        find(tmp_path)


def test_other_formats_under_the_name_are_refused(tmp_path) -> None:
    path = one_scene(tmp_path, good())
    for content in (b"", b"hello", b"\x89PNG\r\n\x1a\n" + bytes(100), b"II*\0" + bytes(200)):
        path.write_bytes(content)
        with pytest.raises(SceneUnreadable, match="not a readable GeoTIFF"):
            find(tmp_path)
    path.write_text('<VRTDataset rasterXSize="1" rasterYSize="1"></VRTDataset>')
    with pytest.raises(SceneUnreadable, match="not a readable GeoTIFF"):
        find(tmp_path)


def test_slices_off_the_lattice_are_refused(tmp_path) -> None:
    image = [speckle((40, 50)), np.zeros((40, 50))]
    write_raster(tmp_path / file_name("20211122T172529"), image)
    write_raster(tmp_path / file_name("20211122T172536"), image, at=(30, 0), shift=0.4)
    write_table(tmp_path, [row("20211122T172529", polarisations="HH")])
    with pytest.raises(GridMismatch, match=r"\+0.40 columns"):
        find(tmp_path)


def test_scenes_on_s3(tmp_path, s3_url: str) -> None:
    from cpazmal_scale import storage

    campaign(tmp_path, shape=(40, 50))
    for path in [*tmp_path.glob("*/*.tif"), tmp_path / "acquisitions.csv"]:
        storage.write_bytes(f"{s3_url}/{path.relative_to(tmp_path)}", path.read_bytes())
    there, here = find(s3_url), find(tmp_path)
    assert [s.source_sha256 for s in there] == [s.source_sha256 for s in here]
    power, mask = read(there[1], there[1].geobox, (0, 40))
    again, bits = read(here[1], here[1].geobox, (0, 40))
    np.testing.assert_array_equal(power, again)
    np.testing.assert_array_equal(mask, bits)
