"""Catalog: what is published opens in one line in another process, from disk and from S3."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from cpazmal_scale import catalog, storage
from cpazmal_scale.errors import ConfigError, StoreMissing


@pytest.fixture(params=["local", "s3"])
def workspace(request: pytest.FixtureRequest, tmp_path) -> str:
    if request.param == "s3":
        return request.getfixturevalue("s3_url")
    return str(tmp_path / "workspace")


def fill(workspace: str) -> list[catalog.Entry]:
    times = np.array(["2020-02-01", "2020-01-01"], "datetime64[ns]")
    cube = xr.Dataset(
        {"HH": (("time", "y", "x"), np.arange(32, dtype="f4").reshape(2, 4, 4))}, {"time": times}
    )
    cube.to_zarr(storage.zarr_store(f"{workspace}/cubes/a.zarr"), zarr_format=3, consolidated=True)
    classes = np.array([[1, 2], [255, 254]], "u1")
    xr.Dataset({"class": (("y", "x"), classes, {"_FillValue": 255})}).to_zarr(
        storage.zarr_store(f"{workspace}/maps/m.zarr"), zarr_format=3, consolidated=False
    )
    table = pd.DataFrame({"class": ["ABL", "ICA"], "y0": [1, 2]})
    storage.write_bytes(f"{workspace}/samples/s.parquet", table.to_parquet())
    return [
        catalog.Entry("cube_a", "cube", "cubes/a.zarr", {"beam": "DSC37"}),
        catalog.Entry("map_m", "map", "maps/m.zarr", {"classes": ["ABL", "ICA"]}),
        catalog.Entry("samples_s", "samples", "samples/s.parquet"),
    ]


READER = """
import intake, sys
catalog = intake.open_catalog(sys.argv[1])
cube, table = catalog["cube_a"].read(), catalog["samples_s"].read()
assert type(cube).__module__.startswith("xarray") and cube.HH.chunks is not None
assert cube.HH.mean().compute() == 15.5 and (cube.time.diff("time").values > 0).all()
assert list(table.columns) == ["class", "y0"] and catalog["cube_a"].metadata["beam"] == "DSC37"
classes = catalog["map_m"].read()["class"]
assert classes.dtype == "uint8" and classes.values.tolist() == [[1, 2], [255, 254]]
print(*catalog)
"""


def test_opens_in_another_process(workspace: str) -> None:
    url = catalog.publish(workspace, *fill(workspace))
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READER, url],
        capture_output=True,
        text=True,
        env=dict(os.environ),
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["cube_a", "map_m", "samples_s"]


def test_publishing_again_changes_nothing_and_holds_no_secret(workspace: str) -> None:
    entries = fill(workspace)
    url = catalog.publish(workspace, *entries)
    before = storage.read_bytes(url)
    assert catalog.publish(workspace, *reversed(entries)) == url
    assert storage.read_bytes(url) == before
    assert b"SECRET" not in before
    assert workspace.encode() not in before
    assert catalog.entries(workspace) == sorted(entries, key=lambda entry: entry.name)
    assert [e.name for e in catalog.entries(workspace, kind="map")] == ["map_m"]


def test_concurrent_publishers_lose_nothing(workspace: str) -> None:
    publishers = [
        threading.Thread(
            target=catalog.publish,
            args=(workspace, catalog.Entry(f"map_{i}", "map", f"maps/{i}.zarr")),
        )
        for i in range(6)
    ]
    for publisher in publishers:
        publisher.start()
    for publisher in publishers:
        publisher.join()
    assert sorted(catalog.open_catalog(workspace)) == [f"map_{i}" for i in range(6)]


def test_a_lost_index_is_no_loss(workspace: str) -> None:
    url = catalog.publish(workspace, *fill(workspace))
    before = storage.read_bytes(url)
    storage.remove(url)
    assert catalog.publish(workspace) == url
    assert storage.read_bytes(url) == before


def test_withdraw(workspace: str) -> None:
    catalog.publish(workspace, *fill(workspace))
    catalog.withdraw(workspace, "map_m")
    assert list(catalog.open_catalog(workspace)) == ["cube_a", "samples_s"]
    assert storage.exists(f"{workspace}/maps/m.zarr/zarr.json")
    with pytest.raises(StoreMissing, match="no catalog entry 'map_m'"):
        catalog.withdraw(workspace, "map_m")


def test_no_catalog_is_one_sentence(workspace: str) -> None:
    with pytest.raises(StoreMissing, match="no catalog here"):
        catalog.open_catalog(workspace)


@pytest.mark.parametrize("path", ["/etc/x", "s3://other/x", "../x", "maps/../../x"])
def test_products_outside_are_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="not below the workspace"):
        catalog.Entry("x", "map", path)


def test_names_are_identifiers() -> None:
    assert catalog.entry_name("cube", "T137-292319-IW1") == "cube_T137_292319_IW1"
    with pytest.raises(ConfigError, match="cannot be a catalog name"):
        catalog.Entry("a-b", "map", "maps/x")


def test_the_entry_catalog_leads_to_a_workspace(
    workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import intake

    catalog.publish(workspace, *fill(workspace))
    monkeypatch.setenv("CPAZMAL_WORKSPACE", workspace)
    entry = intake.open_catalog(str(Path(__file__).parents[1] / "catalogs" / "cpazmal.yaml"))
    assert list(entry) == ["demo", "workspace"]
    assert entry["workspace"].read()["cube_a"].read().sizes["time"] == 2
