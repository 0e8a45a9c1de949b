"""Real Sentinel-1 series with labels nobody here made: a script of the docs, then the verbs."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import geopandas
import h5py
import numpy as np
import pytest
import rasterio

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import open_cube

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "labelled_sentinel1.py"
CPAZMAL = str(Path(sys.executable).with_name("cpazmal"))
SITE = "BAC91C"


def run(*words: object) -> str:
    ran = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=500)
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    return ran.stdout


@pytest.fixture(scope="module")
def folder(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Scenes, parcels and settings, and the cube of the site that has parcels enough."""
    folder = tmp_path_factory.mktemp("labelled")
    run(sys.executable, SCRIPT, shared_data / "s1-labelled", folder)
    config = folder / "run.yaml"
    scenes = folder / "scenes" / f"*{SITE}*.tif"
    run(CPAZMAL, "ingest", "-c", config, "--ingest.scenes", scenes)
    return folder


def test_the_cube_holds_the_file_s_backscatter(folder: Path, shared_data: Path) -> None:
    cube = open_cube(f"{folder}/workspace/cubes/{SITE}-1731.zarr").compute()
    (path,) = (shared_data / "s1-labelled").glob(f"S1_*{SITE}*.nc")
    with h5py.File(path) as file:
        for name in ("VV", "VH"):
            expected = 10 ** (file[name][()] * 1e-5)
            # Ten bits of mantissa are kept.
            np.testing.assert_allclose(cube[name], expected, rtol=1e-5 + 2**-11)
        np.testing.assert_allclose(cube["x"], file["x"][()])
        np.testing.assert_allclose(cube["y"], file["y"][()])
        seconds = file["timestamp"][()]
    ours = cube["time"].to_numpy().astype("datetime64[s]").astype(int)
    np.testing.assert_array_equal(ours - ours[0], seconds - seconds[0])


def test_settings_name_files_beside_themselves(folder: Path) -> None:
    for made in folder.glob("run*.yaml"):
        told = made.read_text()
        assert "workspace: " in told
        assert str(folder) not in told
    assert (folder / "parcels.csv").is_file()
    assert "url: parcels.csv\n" in (folder / "run-parcels.yaml").read_text()


def test_tracks_are_beams_of_their_own(folder: Path) -> None:
    names = {path.name.split("_")[1] for path in (folder / "scenes").iterdir()}
    assert names == {"9B424A-1732", "9B424A-1740", "BAC91C-1731"}


def test_parcels_hold_the_labelled_pixels(folder: Path, shared_data: Path) -> None:
    cover = geopandas.read_file(folder / "cover.gpkg")
    area = cover.assign(area=cover.area / 100).groupby("class")["area"].sum()
    codes = []
    for path in (shared_data / "s1-labelled").glob("OUTPUT_*.nc"):
        with h5py.File(path) as file:
            codes.append(file["LC"][()])
    named = {"CROP": 11, "GRASS": 13, "BARE": 60}
    counted = {name: (np.stack(codes) == code).sum() for name, code in named.items()}
    assert area.to_dict() == pytest.approx(counted)
    assert not cover["group"].duplicated().any()


def test_every_site_is_placed_by_its_own_file(shared_data: Path, tmp_path: Path) -> None:
    """The same site said to lie in another zone, its rows upwards, in minutes, descending."""
    source, other = shared_data / "s1-labelled", tmp_path / "other"
    other.mkdir()
    for path in source.glob(f"*{SITE}*.nc"):
        name = path.name.replace(SITE, "FFFFFF").replace("ASCENDING", "DESCENDING")
        shutil.copy(path, other / name)
        (other / name).chmod(0o644)
        with h5py.File(other / name, "r+") as file:
            wkt = rasterio.CRS.from_epsg(32733).to_wkt()
            file["spatial_ref"].attrs["crs_wkt"] = file["spatial_ref"].attrs["spatial_ref"] = wkt
            file["y"][:] = file["y"][()][::-1]
            for one in {"VV", "VH", "LC", "CT"} & set(file):
                file[one][:] = file[one][()][..., ::-1, :]
            if "timestamp" in file:
                units = file["timestamp"].attrs["units"].replace("seconds", "minutes")
                file["timestamp"].attrs["units"] = units
                file["timestamp"][:] = file["timestamp"][()] // 60
    for path in source.glob("*9B424A*.nc"):
        shutil.copy(path, other / path.name)
    run(sys.executable, SCRIPT, other, tmp_path / "made")
    scenes = sorted((tmp_path / "made" / "scenes").glob("*FFFFFF*.tif"))
    assert len(scenes) == 80
    with rasterio.open(scenes[3]) as raster, h5py.File(next(source.glob(f"S1*{SITE}*"))) as file:
        assert raster.crs.to_epsg() == 32733
        np.testing.assert_allclose(raster.read(1), file["VV"][3] * 1e-4, rtol=1e-6)
        assert raster.transform * (0.5, 0.5) == (file["x"][0], file["y"][0])
    parcels = geopandas.read_file(tmp_path / "made" / "cover.gpkg")
    assert parcels.crs.to_epsg() == 4326
    places = parcels.set_index("group").geometry.representative_point()
    south = places[places.index.str.startswith("FFFFFF")]
    assert ((south.x > 12) & (south.x < 18)).all()
    (beam,) = (tmp_path / "made").glob("run-FFFFFF-*.yaml")
    assert RunConfig.load(beam).ingest.naming.pass_direction == "DSC"


def test_train_and_assess_beat_chance(folder: Path) -> None:
    """Every interval is over parcels, and the random forest stands beside."""
    config = folder / "run.yaml"
    quick = ("-c", config, "--cluster.kind", "serial", "--classify.method", "sum")
    drawn = run(CPAZMAL, "samples", *quick)
    assert "groups: CEREAL 6, GRASS 5, MAIZE 2" in drawn
    assert "model model_BAC91C_1731" in run(CPAZMAL, "train", *quick)
    once = ("--assess.repeats", 1, "--assess.methods", "sum", "forest")
    table = run(CPAZMAL, "assess", *quick, *once)
    rows = {
        line[:30].strip(): float(line.split(" to ")[0].split()[-1])
        for line in table.splitlines()
        if " to " in line and "±" in line
    }
    chance = 1 / len(RunConfig.load(config).samples.classes)
    assert rows["DTW barycenter (sum)"] > chance + 0.1
    assert rows["random forest"] > chance
    report = (folder / "workspace" / "report.md").read_text()
    assert "Guessing would give a macro-F1 near 0.33" in report
    assert re.search(r"\| random forest \| 0\.\d{3}", report)
