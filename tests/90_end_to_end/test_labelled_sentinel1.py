"""Real Sentinel-1 series with labels nobody here made: a script of the docs, then the verbs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import geopandas
import h5py
import numpy as np
import pytest

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import open_cube

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "labelled_sentinel1.py"
CPAZMAL = str(Path(sys.executable).with_name("cpazmal"))
SITE = "BAC91C"


def run(*words: object) -> str:
    ran = subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=280)
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
    counted = {"CROP": (np.stack(codes) == 11).sum(), "GRASS": (np.stack(codes) == 13).sum()}
    assert area.to_dict() == pytest.approx(counted)
    assert not cover["group"].duplicated().any()


def test_train_and_assess_beat_chance(folder: Path) -> None:
    """Every interval is over parcels, and the random forest stands beside."""
    config = folder / "run.yaml"
    quick = ("-c", config, "--cluster.kind", "serial")
    drawn = run(CPAZMAL, "samples", *quick)
    assert "groups: CEREAL 6, GRASS 5, MAIZE 2" in drawn
    assert "model model_BAC91C_1731" in run(CPAZMAL, "train", *quick)
    table = run(CPAZMAL, "assess", *quick, "--assess.repeats", 1)
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
