"""Catalog: what is published opens in one line in another process, from disk and from S3."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from support import operations

from cpazmal_scale import catalog, storage
from cpazmal_scale.errors import ConfigError, StoreError, StoreMissing


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


PUBLISHER = """
import sys
from cpazmal_scale import catalog
workspace, i = sys.argv[1], int(sys.argv[2])
for turn in range(4):
    own = catalog.Entry(f"map_{i}_{turn}", "map", f"maps/{i}.zarr")
    catalog.publish(workspace, own, catalog.Entry("map_latest", "map", f"maps/{i}{turn}.zarr"))
"""


def test_concurrent_publishers_lose_nothing(workspace: str) -> None:
    publishers = [
        subprocess.Popen([sys.executable, "-W", "ignore", "-c", PUBLISHER, workspace, str(i)])
        for i in range(3)
    ]
    assert [publisher.wait(300) for publisher in publishers] == [0, 0, 0]
    found = catalog.open_catalog(workspace)
    assert sorted(found) == [*(f"map_{i}_{j}" for i in range(3) for j in range(4)), "map_latest"]
    latest = catalog.entry(workspace, "map_latest").path
    assert found["map_latest"].kwargs["args"][0].url.endswith(latest)


def test_an_index_never_keeps_an_older_record(
    workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another publisher renews a record after this one has read it, before it writes the index."""
    old, new = (catalog.Entry("map_m", "map", f"maps/{i}.zarr") for i in "ab")
    catalog.publish(workspace, old)
    write, pending = storage.write_bytes, [new]

    def held_up(url: str, data: bytes) -> None:
        if url.endswith("catalog.yaml") and pending:
            catalog.publish(workspace, pending.pop())
        write(url, data)

    operations.replace(monkeypatch, "write_bytes", held_up)
    url = catalog.publish(workspace, catalog.Entry("cube_a", "cube", "cubes/a.zarr"))
    text = storage.read_bytes(url).decode()
    assert "maps/b.zarr" in text
    assert "maps/a.zarr" not in text
    assert "cubes/a.zarr" in text


def test_a_record_that_vanishes_is_left_out(
    workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog.publish(workspace, *fill(workspace))
    listed = storage.list_names(f"{workspace}/catalog.d")
    operations.replace(monkeypatch, "list_names", lambda _: [*listed, "map_gone.json"])
    assert [e.name for e in catalog.entries(workspace)] == ["cube_a", "map_m", "samples_s"]


def test_a_damaged_record_is_named(workspace: str) -> None:
    storage.write_json(f"{workspace}/catalog.d/map_x.json", {"colour": "blue"})
    with pytest.raises(StoreError, match=r"map_x\.json: not a record of the catalog"):
        catalog.entries(workspace)


def test_a_damaged_record_keeps_no_other_out(workspace: str, caplog) -> None:
    storage.write_json(f"{workspace}/catalog.d/map_x.json", {"colour": "blue"})
    outside = {"name": "map_y", "kind": "map", "path": "../y.zarr", "metadata": {}}
    storage.write_json(f"{workspace}/catalog.d/map_y.json", outside)
    catalog.publish(workspace, *fill(workspace))
    assert list(catalog.open_catalog(workspace)) == ["cube_a", "map_m", "samples_s"]
    told = [one.getMessage() for one in caplog.records if "left out" in one.getMessage()]
    assert len(told) == 2
    assert "map_x.json: not a record of the catalog" in told[0]
    assert "map_y.json: not a record of the catalog" in told[1]
    assert "not below the workspace" in told[1]


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


def versions(workspace: str) -> None:
    facts = {"beam": "DSC37", "bbox": [6.8, 45.8, 7.0, 45.9], "start": "2020-01-08"}
    for identity, end in (("aaaa" * 4, "2020-06-30"), ("abba" * 4, "2021-01-31")):
        latest = catalog.Entry(
            "map_DSC37", "map", f"maps/{identity}.zarr", {"id": identity, "end": end, **facts}
        )
        catalog.publish(workspace, latest, latest.version())
    cube = {"id": "cccc" * 4, **facts, "beam": "ASC45", "end": "2020-03-01"}
    catalog.publish(workspace, catalog.Entry("cube_ASC45", "cube", "cubes/ASC45.zarr", cube))


def test_versions_are_found_by_their_identity(workspace: str) -> None:
    versions(workspace)
    assert catalog.entry(workspace, "map_DSC37").id == "abba" * 4
    for name in ("map_DSC37@aa", "map_DSC37@" + "aaaa" * 4, "map_DSC37_aaaaaaaa"):
        assert catalog.entry(workspace, name).path == f"maps/{'aaaa' * 4}.zarr"
    assert catalog.entry(workspace, "cube_ASC45@c").id == "cccc" * 4
    with pytest.raises(ConfigError, match=r"several versions.*aaaaaaaaaaaaaaaa, abba"):
        catalog.entry(workspace, "map_DSC37@a")
    with pytest.raises(StoreMissing, match="no version b"):
        catalog.entry(workspace, "map_DSC37@b")
    catalog.withdraw(workspace, "map_DSC37_aaaaaaaa")
    with pytest.raises(StoreMissing, match="no version aa"):
        catalog.entry(workspace, "map_DSC37@aa")


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ({}, ["cube_ASC45", "map_DSC37"]),
        ({"kind": "map"}, ["map_DSC37"]),
        ({"kind": "map", "versions": True}, ["map_DSC37", "map_DSC37_aaaaaaaa"]),
        ({"beam": "ASC45"}, ["cube_ASC45"]),
        ({"time": (date(2020, 12, 1), None)}, ["map_DSC37"]),
        ({"time": (None, date(2020, 1, 8))}, ["cube_ASC45", "map_DSC37"]),
        ({"time": (None, date(2020, 1, 7))}, []),
        ({"bbox": (6.9, 45.85, 8.0, 46.0)}, ["cube_ASC45", "map_DSC37"]),
        ({"bbox": (7.1, 45.85, 8.0, 46.0)}, []),
        ({"bbox": (6.9, 45.95, 8.0, 46.0)}, []),
        ({"bbox": (179.0, 45.85, 6.95, 46.0)}, ["cube_ASC45", "map_DSC37"]),
        ({"bbox": (6.9, 45.85, -179.0, 46.0)}, ["cube_ASC45", "map_DSC37"]),
        ({"bbox": (8.0, 45.85, 6.0, 46.0)}, []),
    ],
)
def test_search(tmp_path, conditions: dict[str, object], found: list[str]) -> None:
    versions(str(tmp_path))
    catalog.withdraw(str(tmp_path), "map_DSC37_abbaabba")
    assert [e.name for e in catalog.search(str(tmp_path), **conditions)] == found  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("box", "is_found"),
    [
        ((178.0, -19.0, -178.0, -16.0), True),
        ((179.9, -19.0, 180.0, -16.0), True),
        ((-180.0, -19.0, -179.5, -16.0), True),
        ((170.0, -19.0, 178.0, -16.0), False),
        ((-178.0, -19.0, 178.0, -16.0), False),
    ],
)
def test_a_product_across_180_degrees(tmp_path, box: tuple[float, ...], is_found: bool) -> None:
    """Fiji, as GeoJSON writes its box: the west is beyond the east."""
    facts = {"bbox": [179.0, -18.0, -179.0, -17.0]}
    catalog.publish(str(tmp_path), catalog.Entry("map_m", "map", "maps/m.zarr", facts))
    assert bool(catalog.search(str(tmp_path), bbox=box)) == is_found


@pytest.mark.parametrize(
    "box", [(6.0, 46.0, 7.0, 45.0), (6.0, -91.0, 7.0, 46.0), (181.0, 0, 182, 1), (0, 0, np.nan, 1)]
)
def test_a_box_that_is_none_is_refused(tmp_path, box: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="no place on Earth"):
        catalog.search(str(tmp_path), bbox=box)


def test_a_period_that_ends_before_it_begins_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="from 2020-06-01 to 2020-03-01; exchange"):
        catalog.search(str(tmp_path), time=(date(2020, 6, 1), date(2020, 3, 1)))


def test_products_without_place_or_period_meet_no_condition_on_it(tmp_path) -> None:
    catalog.publish(str(tmp_path), catalog.Entry("map_m", "map", "maps/m.zarr"))
    assert catalog.search(str(tmp_path), bbox=(-180, -90, 180, 90)) == []
    assert catalog.search(str(tmp_path), time=(None, None)) == []


def test_catalogs_nest(workspace: str) -> None:
    below = f"{workspace}/alps/mont-blanc"
    catalog.publish(below, *fill(below))
    nested = catalog.add_workspace(workspace, "alps/mont-blanc")
    assert (nested.name, nested.kind) == ("alps_mont_blanc", "catalog")
    assert [e.name for e in catalog.search(workspace, kind="map")] == ["alps_mont_blanc/map_m"]
    entry = catalog.entry(workspace, "alps_mont_blanc/map_m")
    assert entry.path == "alps/mont-blanc/maps/m.zarr"
    assert catalog.read(workspace, entry.name)["class"].values.tolist() == [[1, 2], [255, 254]]
    opened = catalog.open_catalog(workspace)
    assert opened["alps_mont_blanc"].read()["cube_a"].read().sizes["time"] == 2
    with pytest.raises(ConfigError, match="withdraw it there"):
        catalog.withdraw(workspace, "alps_mont_blanc/map_m")
    with pytest.raises(ConfigError, match="publish it there"):
        catalog.publish(workspace, entry)
    with pytest.raises(StoreMissing, match="no catalog here"):
        catalog.add_workspace(workspace, "andes")


@pytest.mark.parametrize("folder", ["sub", "./sub", "sub/", " sub "])
def test_a_folder_has_one_name_however_it_is_written(tmp_path, folder: str) -> None:
    catalog.publish(str(tmp_path / "sub"), catalog.Entry("map_m", "map", "maps/m.zarr"))
    for one in ("sub", folder):
        assert catalog.add_workspace(str(tmp_path), one).path == "sub/catalog.yaml"


@pytest.mark.parametrize("target", [".", "..", "again"])
def test_a_catalog_does_not_hold_itself(tmp_path, target: str) -> None:
    root = tmp_path / "above" / "root"
    for folder in (root, root.parent):
        catalog.publish(str(folder), catalog.Entry("map_m", "map", "maps/m.zarr"))
    (root / "again").symlink_to(root)
    (root / "link").symlink_to(root / target)
    with pytest.raises(ConfigError, match="a catalog cannot hold itself"):
        catalog.add_workspace(str(root), "link")


def test_each_product_of_catalogs_in_a_circle_is_found_once(tmp_path) -> None:
    for folder in ("a", "b"):
        catalog.publish(str(tmp_path / folder), catalog.Entry("map_m", "map", "maps/m.zarr"))
    for folder, other in (("a", "b"), ("b", "a")):
        (tmp_path / folder / other).symlink_to(tmp_path / other)
        catalog.add_workspace(str(tmp_path / folder), other)
    found = [one.name for one in catalog.search(str(tmp_path / "a"), kind="map")]
    assert sorted(found) == ["b/map_m", "map_m"]


@pytest.mark.parametrize("path", ["/etc/x", "s3://other/x", "../x", "maps/../../x"])
def test_products_outside_are_refused(path: str) -> None:
    with pytest.raises(ConfigError, match="not below the workspace"):
        catalog.Entry("x", "map", path)


def test_names_are_identifiers() -> None:
    assert catalog.entry_name("cube", "T137-292319-IW1") == "cube_T137_292319_IW1"
    with pytest.raises(ConfigError, match="cannot be a catalog name"):
        catalog.Entry("a-b", "map", "maps/x")


@pytest.mark.parametrize(
    ("held", "new"),
    [
        (("cube_A_1", "cube", "cubes/A-1.zarr", {}), ("cube_A_1", "cube", "cubes/A_1.zarr", {})),
        (
            ("map_A_1", "map", "maps/a.zarr", {"beam": "A-1"}),
            ("map_A_1", "map", "maps/b.zarr", {"beam": "A_1"}),
        ),
        (
            ("map_fused", "map", "maps/a.zarr", {"beam": "ASC45, DSC37"}),
            ("map_fused", "map", "maps/b.zarr", {"beam": "fused"}),
        ),
        (("w_m", "catalog", "w-m/catalog.yaml", {}), ("w_m", "catalog", "w_m/catalog.yaml", {})),
        (("map_m", "map", "maps/m.zarr", {}), ("map_m", "catalog", "map/m/catalog.yaml", {})),
    ],
)
def test_a_name_stays_that_of_its_own_product(tmp_path, held: tuple, new: tuple) -> None:
    first = catalog.Entry(*held)
    catalog.publish(str(tmp_path), first)
    with pytest.raises(ConfigError, match=f"the name {held[0]} belongs to the .* in {held[2]}"):
        catalog.publish(str(tmp_path), catalog.Entry("model_x", "model", "x"), catalog.Entry(*new))
    assert catalog.entries(str(tmp_path)) == [first]


def test_a_fused_map_of_other_beams_replaces_the_latest(tmp_path) -> None:
    for beam in ("ASC45, DSC37", "ASC46, DSC38"):
        new = catalog.Entry("map_fused", "map", f"maps/{beam[3:5]}.zarr", {"beam": beam})
        catalog.publish(str(tmp_path), new)
    assert catalog.entry(str(tmp_path), "map_fused").path == "maps/46.zarr"


def test_nested_catalogs_of_one_name_are_refused(tmp_path) -> None:
    for folder in ("w/m-b", "w/m_b"):
        catalog.publish(str(tmp_path / folder), catalog.Entry("map_m", "map", "maps/m.zarr"))
    assert catalog.add_workspace(str(tmp_path), "w/m-b").name == "w_m_b"
    assert catalog.add_workspace(str(tmp_path), "w/m-b").name == "w_m_b"
    with pytest.raises(ConfigError, match="the name w_m_b belongs to the catalog in w/m-b"):
        catalog.add_workspace(str(tmp_path), "w/m_b")


def test_the_entry_catalog_leads_to_a_workspace(
    workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import intake

    catalog.publish(workspace, *fill(workspace))
    monkeypatch.setenv("CPAZMAL_WORKSPACE", workspace)
    entry = intake.open_catalog(str(Path(__file__).parents[2] / "catalogs" / "cpazmal.yaml"))
    assert list(entry) == ["demo", "workspace"]
    assert entry["workspace"].read()["cube_a"].read().sizes["time"] == 2
