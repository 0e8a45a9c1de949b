"""Rasters of any name and format that a YAML file beside them describes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from support.scenes_factory import run_config, speckle, write_raster

from cpazmal_scale import storage
from cpazmal_scale.errors import SceneError, SceneImplausible, SceneUnknown, SceneUnreadable
from cpazmal_scale.scenes import Scene, SceneReader, discover
from cpazmal_scale.scenes.reading import read

COMPLETE = """
sensor: TSX1
start: 2011-05-05T17:25:01
stop: 20110505T172508
beam: ASC45
pass_direction: ascending
look_side: R
bands: [HH, HV, mask]
radiometry: sigma0
scale: dB
mask_codes: isce3
incidence_angle: 44.5
resolution: [2.5, 3.3]
nodata: -50
"""


def find(folder: Path | str, **options: bool) -> list[Scene]:
    return discover(run_config(folder, "unused").ingest, **{"check": True, **options})


def decibels(seed: int = 0) -> np.ndarray:
    return 10 * np.log10(speckle((40, 50), seed))


def described(folder: Path, text: str = COMPLETE, name: str = "march") -> Path:
    hh, hv, codes = decibels(1), decibels(2), np.zeros((40, 50), "f4")
    hh[:5] = hv[:5] = -50
    codes[10:20] = 1
    path = write_raster(folder / f"{name}.tif", [hh, hv, codes], nodata=None)
    (folder / f"{name}.tif.yaml").write_text(text)
    return path


def test_everything_comes_from_the_sidecar(tmp_path) -> None:
    described(tmp_path)
    (scene,) = find(tmp_path)
    assert (scene.id, scene.sensor, scene.beam) == ("march", "TSX1", "ASC45")
    assert str(scene.start) == "2011-05-05 17:25:01+00:00"
    assert str(scene.stop) == "2011-05-05 17:25:08+00:00"
    assert (scene.pass_direction, scene.look_side) == ("ASC", "R")
    assert scene.polarisations == ("HH", "HV")
    assert (scene.radiometry, scene.incidence_angle) == ("sigma0", 44.5)
    assert scene.resolution == (2.5, 3.3)
    power, mask = read(scene, scene.geobox, (0, 40))
    assert np.isnan(power[:, :5]).all()
    np.testing.assert_allclose(power[0, 5:], speckle((40, 50), 1)[5:], rtol=1e-5)
    np.testing.assert_allclose(power[1, 5:], speckle((40, 50), 2)[5:], rtol=1e-5)
    assert (mask[:5] == 32).all()
    assert (mask[10:20] == 2).all()
    assert (mask[20:] == 0).all()


def test_the_example_of_the_docs_is_one(tmp_path) -> None:
    example = Path(__file__).parents[2] / "docs" / "examples" / "scene.tif.yaml"
    described(tmp_path, example.read_text().replace("nodata: -9999", "nodata: -50"))
    write_raster(tmp_path / "incidence.tif", [np.full((40, 50), 44.5, "f4")])
    (scene,) = find(tmp_path)
    assert scene.polarisations == ("HH", "HV")


@pytest.mark.parametrize("given", ["march.tif", "*.tif", "march.tif.yaml", "."])
def test_a_file_its_sidecar_a_glob_and_a_folder(tmp_path, given: str) -> None:
    described(tmp_path)
    (tmp_path / "run.yaml").write_text("workspace: elsewhere\n")
    (scene,) = find(f"{tmp_path}/{given}")
    assert scene.id == "march"


@pytest.mark.parametrize(
    ("driver", "suffix", "explicit"),
    [("ENVI", ".img", False), ("ENVI", ".dat", True), ("SAGA", ".sdat", False)],
)
def test_other_formats(tmp_path, driver: str, suffix: str, explicit: bool) -> None:
    image = speckle((40, 50))
    options = {"tiled": None, "blockxsize": None, "blockysize": None, "compress": None}
    write_raster(tmp_path / f"x{suffix}", [image], driver=driver, **options)
    text = "sensor: S1A\nstart: 20240105T172501\nbeam: T88\nbands: [VV]\n"
    text += "radiometry: gamma0_T\nscale: linear\n"
    text += f"driver: {driver}\n" if explicit else ""
    (tmp_path / f"x{suffix}.yaml").write_text(text)
    (scene,) = find(tmp_path)
    assert scene.files[0].driver == driver
    np.testing.assert_array_equal(read(scene, scene.geobox, (0, 40))[0][0], image)
    assert np.isnan(scene.incidence_angle)


def test_channels_in_files_of_their_own_are_one_scene_with_angles(tmp_path) -> None:
    shape = (40, 50)
    text = "sensor: PAZ1\nstart: 20200108T054412\nbeam: DSC37\nradiometry: gamma0\nscale: linear\n"
    for name in ("HH", "HV"):
        write_raster(tmp_path / f"{name}.tif", [speckle(shape, ord(name[1]))])
        (tmp_path / f"{name}.yaml").write_text(f"{text}bands: [{name}]\nincidence: angle.tif\n")
    angle = np.linspace(30, 45, 50, dtype="f4") * np.ones((40, 1), "f4")
    write_raster(tmp_path / "angle.tif", [angle])
    (scene,) = find(tmp_path)
    assert scene.polarisations == ("HH", "HV")
    with SceneReader(scene, scene.geobox) as reader:
        np.testing.assert_array_equal(reader.incidence(3, 20), angle[3:20])
        assert not np.isnan(reader.read(0, 40)[0]).any()
    write_raster(tmp_path / "angle.tif", [np.deg2rad(angle)])
    with pytest.raises(SceneImplausible, match="between 2 and 90 degrees"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (("beam: ASC45", ""), "beam: Field required"),
        (("scale: dB", "scale: decibel"), "scale: Input should be"),
        (("bands: [HH, HV, mask]", "bands: [HH, HX, mask]"), "`HX` is no band"),
        (("bands: [HH, HV, mask]", "bands: [HH, HV]"), "3 bands are not HH, HV"),
        (("start: 2011-05-05T17:25:01", "start: yesterday"), "start: `yesterday` is not a time"),
        (("nodata: -50", "colour: red"), "colour: Extra inputs"),
        (("nodata: -50", "incidence: ../../etc/x.tif"), "incidence: name a file in the same"),
        (("nodata: -50", "driver: VRT"), "`VRT` is not one of GTiff"),
        (("nodata: -50", "nodata: [1"), "not valid YAML"),
        (("nodata: -50", "a: &a [x]\nb: *a"), "it uses YAML aliases"),
        (("nodata: -50", "!!python/object/apply:os.system [ls]: x"), "Extra inputs|not valid"),
        (("beam: ASC45", "beam: ../x"), "cannot name a cube"),
        (("nodata: -50", f"x: {'[' * 5000}"), "not valid YAML"),
        (("nodata: -50", f"# {'x' * 70_000}"), "more than 64 KiB"),
    ],
)
def test_wrong_sidecars_are_refused_in_one_sentence(
    tmp_path, change: tuple[str, str], match: str
) -> None:
    described(tmp_path, COMPLETE.replace(*change))
    with pytest.raises(SceneUnknown, match=match) as error:
        find(tmp_path)
    assert "\n" not in str(error.value)


def test_decibels_described_as_linear_are_refused(tmp_path) -> None:
    described(tmp_path, COMPLETE.replace("scale: dB", "scale: linear"))
    with pytest.raises(SceneImplausible, match="look like decibels"):
        find(tmp_path)


def test_plain_pixels_shorter_than_their_header_says(tmp_path) -> None:
    options = {"tiled": None, "blockxsize": None, "blockysize": None, "compress": None}
    path = write_raster(tmp_path / "x.img", [speckle((40, 50))], driver="ENVI", **options)
    text = COMPLETE.replace("[HH, HV, mask]", "[HH]").replace("dB", "linear")
    (tmp_path / "x.img.yaml").write_text(text)
    find(tmp_path)
    whole = path.read_bytes()
    for cut in np.linspace(0, len(whole) - 1, 50).astype(int):
        path.write_bytes(whole[:cut])
        with pytest.raises(SceneUnreadable) as error:
            find(tmp_path)
        assert "\n" not in str(error.value)
    header = tmp_path / "x.hdr"
    path.write_bytes(whole)
    honest = header.read_text()
    lies = [("lines   = 40", f"lines   = {lie}") for lie in ("40000000", "-4", "41")]
    for told, lie in (*lies, ("header offset = 0", "header offset = 4000")):
        header.write_text(honest.replace(told, lie))
        assert header.read_text() != honest
        with pytest.raises(SceneError):
            find(tmp_path)
    # Pixels follow each other row by row: of other counts each row would begin elsewhere.
    fewer = [("lines   = 40", "lines   = 39"), ("samples = 50", "samples = 49")]
    for told, lie in (*fewer, ("samples = 50\nlines   = 40", "samples = 40\nlines   = 49")):
        header.write_text(honest.replace(told, lie))
        assert header.read_text() != honest
        with pytest.raises(SceneUnreadable, match="8000 bytes, but its header describes 7"):
            find(tmp_path)


def test_bytes_that_an_esri_header_skips_are_not_pixels(tmp_path) -> None:
    options = {"tiled": None, "blockxsize": None, "blockysize": None, "compress": None}
    path = write_raster(tmp_path / "x.bil", [speckle((40, 50))], driver="EHdr", **options)
    text = COMPLETE.replace("[HH, HV, mask]", "[HH]").replace("dB", "linear")
    (tmp_path / "x.bil.yaml").write_text(text)
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text() + "SKIPBYTES 4000\n")
    with pytest.raises(SceneUnreadable, match="truncated"):
        find(tmp_path)
    path.write_bytes(bytes(4000) + path.read_bytes())
    find(tmp_path)


def test_sidecars_on_s3(tmp_path, s3_url: str) -> None:
    options = {"tiled": None, "blockxsize": None, "blockysize": None, "compress": None}
    write_raster(tmp_path / "x.img", [speckle((40, 50))], driver="ENVI", **options)
    text = COMPLETE.replace("[HH, HV, mask]", "[HH]").replace("dB", "linear")
    (tmp_path / "x.img.yaml").write_text(text)
    for path in tmp_path.iterdir():
        storage.write_bytes(f"{s3_url}/{path.name}", path.read_bytes())
    (there,), (here,) = find(s3_url), find(tmp_path)
    assert there.source_sha256 == here.source_sha256
    np.testing.assert_array_equal(
        read(there, there.geobox, (0, 40))[0], read(here, here.geobox, (0, 40))[0]
    )
