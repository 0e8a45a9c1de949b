"""The command line end to end: a new user's first hour, and what bad input answers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import rasterio
from support.command import ended
from support.small_run import settings, simulated, written

from cpazmal_scale.config import RunConfig

CPAZMAL = str(Path(sys.executable).with_name("cpazmal"))
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def cpazmal(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run([CPAZMAL, *map(str, words)], capture_output=True, text=True, timeout=500)
    assert ran.returncode == code, f"{ran.stdout}\n{ran.stderr}"
    return ran


def complaint(*words: object, code: int) -> str:
    """The one sentence a refused command answers."""
    (said,) = ended(*words, code=code).complaints
    return said


@pytest.fixture(scope="module")
def run_yaml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulated(tmp_path_factory.mktemp("campaign"))


def test_help_is_quick_and_complete() -> None:
    text = cpazmal("--help").stdout
    verbs = "simulate inspect ingest samples train assess classify map catalog run verify config"
    assert all(f" {verb} " in text for verb in verbs.split())
    help_of_run = cpazmal("run", "--help").stdout
    for section, model in (("", RunConfig), ("dtw.", RunConfig.model_fields["dtw"].annotation)):
        for name, field in model.model_fields.items():
            if not hasattr(field.annotation, "model_fields"):
                assert f"--{section}{name.replace('_', '-')}" in help_of_run


def test_help_shows_the_settings_that_count() -> None:
    text = cpazmal("map", "--help").stdout
    shown = [flag in text for flag in ("--classify.block", "--samples.classes", "--dtw.min-dates")]
    assert shown == [True, False, True]
    assert "Usage: cpazmal map" in text
    assert "Example: cpazmal map" in text


def test_the_whole_main_job(run_yaml: Path, tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    config = written(settings(run_yaml, str(workspace)), tmp_path / "run.yaml")
    dry = cpazmal("run", "-c", config, "--dry-run").stdout
    assert "nothing written" in dry
    assert not workspace.exists()
    ran = cpazmal("run", "-c", config)
    left = {path.name for path in workspace.iterdir()}
    assert {
        "catalog.yaml",
        "map.tif",
        "map.png",
        "map.html",
        "barycenters.png",
        "report.md",
    } <= left
    with rasterio.open(workspace / "map.tif") as cog:
        assert cog.crs.to_epsg() == 32632
        assert cog.nodata == 255
        assert set(range(1, 5)) <= set(cog.colormap(1))
    report = (workspace / "report.md").read_text()
    for part in (
        "linear discriminant",
        "±",
        "Data and processing",
        "Map against the reference",
        "pixels per second",
        "memory",
    ):
        assert part in report
    listed = pd.read_csv(workspace / "report" / "acquisitions.csv")
    assert {"date", "time", "pass", "beam", "polarisations", "product"} <= set(listed)
    assert listed["product"].is_unique
    assert listed["date"].is_monotonic_increasing
    lines = [line.strip() for line in ran.stdout.split("open the map:\n")[1].splitlines()]
    opened = subprocess.run(
        [sys.executable, "-c", "\n".join([*lines, "print(dict(glacier_map.sizes))"])],
        capture_output=True,
        text=True,
    )
    assert "'y': 256, 'x': 256" in opened.stdout, opened.stderr
    again = ended("run", "-c", config)
    assert "0 appended" in again.out
    assert "0 blocks computed" in again.out
    assert "everything is intact" in ended("verify", "-c", config).out
    listed = ended("catalog", "ls", "-c", config).out
    assert {"cube_DSC37", "samples_DSC37", "model_DSC37", "map_DSC37"} <= set(listed.split())
    assert "pooled" in ended("refine", "-c", config, "--after.pool", 5).out
    changed = ended("change", "map_DSC37", "map_DSC37_refined", "-c", config).out
    assert "from (row) to (column), km²" in changed
    outlines = ("--after.outlines", run_yaml.parent / "polygons.gpkg", "--after.zone", "group")
    zones = ended("zonal", "map_DSC37", "-c", config, *outlines).out.splitlines()
    assert zones[0].startswith("zone,pixels,km2")
    assert len(zones) == 1 + 68
    fused = ended("fuse", "map_DSC37", "map_DSC37_refined", "-c", config).out
    assert 'catalog["map_fused"]' in fused
    maps = ended("catalog", "ls", "-c", config, "--kind", "map", "--bbox", 6, 45, 8, 47).out
    assert [line.split()[1] for line in maps.splitlines()] == [
        *("map_DSC37", "map_DSC37_refined", "map_change", "map_fused")
    ]
    for days, found in (("2010-01-01/", 4), ("/2010-01-01", 0), ("2010-01-01", 0)):
        lines = ended("catalog", "ls", "-c", config, "--kind", "map", "--time", days).out
        assert lines.count("map_") == found
    version = "map_DSC37@" + maps.splitlines()[0].split()[-1]
    opened_map = ended("catalog", "open", version, "-c", config).out
    assert "<xarray.Dataset>" in opened_map
    assert all(Path(url).is_file() for url in opened_map.splitlines()[-3:])
    counted = ended(
        "samples", "query", "SELECT class, count(*) AS n FROM samples GROUP BY 1", "-c", config
    ).out
    assert {"ABL", "ACC", "HAG", "ICA"} <= set(counted.split())


def test_real_sentinel1_scenes_take_the_same_way(shared_data: Path, tmp_path: Path) -> None:
    """Scenes to an unsupervised map of VV and VH, by configuration alone."""
    common = ("-c", EXAMPLES / "sentinel1-rtc.yaml", "--workspace", tmp_path)
    common += ("--cluster.kind", "threads", "--assess.repeats", "1")
    common += ("--classify.method", "sum", "--assess.methods", "sum", "discriminant")
    ended("ingest", *common, "--ingest.scenes", shared_data / "s1-rtc")
    assert "set `beam` to one of T137" in complaint("samples", *common, code=2)
    common += ("--beam", "T137-292319-IW1")
    for verb in ("samples", "train", "map", "assess"):
        ended(verb, *common)
    with rasterio.open(tmp_path / "map.tif") as cog:
        assert cog.crs.to_epsg() == 32611
        classes = cog.read(1)
    assert {1, 2, 3, 4} <= set(classes.flat)
    report = (tmp_path / "report.md").read_text()
    assert "clusters of the series" in report
    assert "agree at an adjusted Rand index of" in report
    assert "Probabilities are withheld." in report
    assert re.search(r"Windows' pixels under −31 dB\*\* \| VV [\d.]+ %, VH [\d.]+ %", report)
    (store,) = (tmp_path / "maps").glob("*.zarr")
    attributes = json.loads((store / "zarr.json").read_text())["attributes"]
    assert attributes["probabilities"].startswith("withheld: classes are clusters of the series")
    assert not (store / "probability").exists()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (("train", "--workspace", "{tmp}"), 5, "run `cpazmal ingest`"),
        (("ingest", "--workspace", "{tmp}"), 2, "no scenes to ingest"),
        (("ingest", "--ingest.scenes", "{tmp}/absent"), 5, "absent"),
        (("run", "-c", "{tmp}/absent.yaml"), 2, "cannot be read"),
        (("train", "--features.window", "8"), 2, "must be odd"),
        (("train", "--featurs.window", "9"), 2, "Did you mean"),
        (("catalog", "ls", "a", "b"), 2, "cpazmal catalog ls takes no further argument"),
        (("catalog", "show", "map_x", "--workspace", "{tmp}"), 5, "no catalog entry"),
        (("catalog", "open", "map_x@1a", "--workspace", "{tmp}"), 5, "no version 1a of 'map_x'"),
        (("catalog", "ls", "--time", "2020-13-01"), 2, "'2020-13-01' is not a day or period"),
        (("samples", "--workspace", "s3://no-such-bucket"), 5, "s3://no-such-bucket"),
    ],
)
def test_bad_input_is_one_sentence_and_nothing_is_written(
    words: tuple[str, ...], code: int, message: str, tmp_path: Path, s3_url: str
) -> None:
    said = complaint(*(word.replace("{tmp}", str(tmp_path)) for word in words), code=code)
    assert message in said
    assert list(tmp_path.iterdir()) == []


def test_bad_scenes_and_polygons_are_refused(run_yaml: Path, tmp_path: Path) -> None:
    scenes = tmp_path / "scenes" / "dsc"
    scenes.mkdir(parents=True)
    source = sorted((run_yaml.parent / "scenes" / "dsc").glob("*.tif"))[0]
    content = source.read_bytes()
    (scenes / source.name).write_bytes(content[: len(content) // 2])
    table = run_yaml.parent / "scenes" / "acquisitions.csv"
    (tmp_path / "scenes" / "acquisitions.csv").write_bytes(table.read_bytes())
    workspace = tmp_path / "workspace"
    config = settings(run_yaml, str(workspace), ingest={"scenes": str(tmp_path / "scenes")})
    said = complaint("ingest", "-c", written(config, tmp_path / "run.yaml"), code=3)
    assert source.name in said
    assert not workspace.exists()
    (scenes / source.name).write_bytes(content)
    ended("ingest", "-c", tmp_path / "run.yaml")
    polygons = ("--samples.polygons", tmp_path / "absent.gpkg")
    assert "absent.gpkg" in complaint("samples", "-c", tmp_path / "run.yaml", *polygons, code=5)
    classes = ("--samples.classes", "ABL", "--samples.classes", "XXX")
    assert "XXX" in complaint("samples", "-c", tmp_path / "run.yaml", *classes, code=6)
