"""Kinds of failure that once ended in a traceback, in lost work, or in silence."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pytest
import shapely
from support import operations
from support.fingerprint import fingerprint
from support.small_campaign import UTM, make_cube, workspace

from cpazmal_scale import catalog, storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.cluster import Cluster
from cpazmal_scale.errors import ClusterError, ConfigError, SampleError, StoreError, StoreMissing
from cpazmal_scale.execute import Execution, SerialExecutor, open_executor
from cpazmal_scale.mapping import map_cube, open_map, open_source, plan_map, refine_map
from cpazmal_scale.mapping.classify import records
from cpazmal_scale.pictures import png
from cpazmal_scale.samples import write_index
from cpazmal_scale.stages.samples import training_data
from cpazmal_scale.storage import disk
from cpazmal_scale.tables import to_csv

BLOCKS = {"classify": {"block": 32}}


class CutAfter:
    """An executor whose machine loses its power after some blocks."""

    workers = 1

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks

    def run(self, function: Any, keys: Any) -> Iterator[tuple[Any, Any]]:
        for number, found in enumerate(SerialExecutor().run(function, keys)):
            yield found
            if number + 1 == self.blocks:
                raise KeyboardInterrupt


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The inodes of all files and folders that are brought to the disk, in their order."""
    order: list[int] = []
    fsync = os.fsync

    def note(handle: int) -> None:
        fsync(handle)
        order.append(os.fstat(handle).st_ino)

    monkeypatch.setattr(os, "fsync", note)
    return order


def unsafe(folder: Path, synced: list[int]) -> list[Path]:
    """Files whose content or name a power cut would take: not synced, or not in their folder."""
    found = []
    for path in folder.rglob("*"):
        if path.is_file():
            own = [at for at, node in enumerate(synced) if node == path.stat().st_ino]
            names = [at for at, node in enumerate(synced) if node == path.parent.stat().st_ino]
            if not own or not names or max(names) < max(own):
                found.append(path)
    return found


@pytest.mark.parametrize("blocks", [1, 4, 12])
@pytest.mark.parametrize("loss", ["gone", "empty"])
def test_a_map_after_a_power_cut(
    data, undisturbed, synced: list[int], tmp_path: Path, blocks: int, loss: str
) -> None:
    """Whatever was not on the disk when the power went is gone or empty; the map is completed."""
    config = workspace(tmp_path, **BLOCKS)
    with pytest.raises(KeyboardInterrupt):
        map_cube(config, *data, executor=CutAfter(blocks))
    for path in unsafe(tmp_path, synced):
        path.unlink() if loss == "gone" else path.write_bytes(b"")
    again = map_cube(config, *data)
    assert again.blocks_skipped == blocks
    assert fingerprint(again.url) == undisturbed
    assert unsafe(tmp_path / "maps", synced) == []


@pytest.mark.parametrize("loss", ["gone", "empty", "altered"])
def test_chunks_of_recorded_blocks_are_compared_before_a_map_goes_on(
    data, undisturbed, tmp_path: Path, loss: str
) -> None:
    """A disk that lies about what it has written costs the blocks whose chunks it lost."""
    config = workspace(tmp_path, **BLOCKS)
    with pytest.raises(KeyboardInterrupt):
        map_cube(config, *data, executor=CutAfter(6))
    url = Path(plan_map(config, *data).url)
    for name in ("class/c/0/0", "probability/c/0/1/1"):
        chunk = url / name
        if loss == "gone":
            chunk.unlink()
        else:
            chunk.write_bytes(b"" if loss == "empty" else chunk.read_bytes()[::-1])
    (url / "y" / "zarr.json").write_text("{}")
    again = map_cube(config, *data)
    assert (again.blocks_executed, again.blocks_skipped) == (12 - 4, 4)
    assert fingerprint(again.url) == undisturbed


def test_records_that_are_damaged_are_made_again(data, undisturbed, tmp_path: Path) -> None:
    config = workspace(tmp_path, **BLOCKS)
    with pytest.raises(KeyboardInterrupt):
        map_cube(config, *data, executor=CutAfter(6))
    url = plan_map(config, *data).url
    folder = Path(url.replace(".zarr", ".progress"))
    one, two, three, *_ = sorted(folder.glob("block-*.json"))
    one.write_bytes(one.read_bytes()[:40])
    two.write_text(two.read_text().replace('"ABL": ', '"ABL": 1'))
    three.write_text("[]")
    (folder / "plan.json").write_text('{"block": "x"}')
    again = map_cube(config, *data)
    assert again.blocks_skipped == 3
    assert fingerprint(url) == undisturbed


def test_parts_of_dead_writers_go_with_the_next_run(data, tmp_path: Path) -> None:
    config = workspace(tmp_path, **BLOCKS)
    with pytest.raises(KeyboardInterrupt):
        map_cube(config, *data, executor=CutAfter(3))
    url = Path(plan_map(config, *data).url)
    progress = url.with_suffix(".progress")
    left = [
        url / "class" / "c" / "0" / ".1.0123456789abcdef.part",
        url / "class" / "c" / "0" / "1.0123456789abcdef.partial",
        url / ".zarr.json.fedcba9876543210.part",
        progress / ".block-y0-x0.json.fedcba9876543210.part",
    ]
    for path in left:
        path.write_bytes(b"half")
    map_cube(config, *data)
    assert not [path for path in left if path.exists()]
    assert not [path for path in url.rglob("*") if path.name.endswith((".part", ".partial"))]
    home = Path(config.workspace)
    for folder in (home, home / "catalog.d", home / "maps"):
        folder.mkdir(exist_ok=True)
        (folder / ".catalog.yaml.00.part").write_bytes(b"half")
    catalog.publish(config.workspace, catalog.Entry("map_m", "map", f"maps/{url.name}"))
    assert not list(home.glob(".*.part")) + list(home.glob("*/.*.part"))


def test_a_living_writers_part_stays(tmp_path: Path) -> None:
    import fcntl

    part = tmp_path / ".chunk.0123.part"
    with part.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        disk.sweep(tmp_path)
        assert part.exists()
    disk.sweep(tmp_path)
    assert not part.exists()


@pytest.mark.parametrize("step", range(5))
def test_a_withdrawal_that_was_killed_is_finished_by_the_same_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    home = str(tmp_path)
    for name in ("map_a", "map_b"):
        catalog.publish(home, catalog.Entry(name, "map", f"maps/{name}.zarr"))
    steps = iter(range(100))

    def dying(real: Any) -> Any:
        def act(*given: Any, **named: Any) -> Any:
            if next(steps) == step:
                raise KeyboardInterrupt
            return real(*given, **named)

        return act

    with monkeypatch.context() as patched:
        for name in ("remove", "write_bytes", "list_names"):
            operations.replace(patched, name, dying(getattr(storage, name)))
        try:
            catalog.withdraw(home, "map_b")
        except KeyboardInterrupt:
            if "map_b" in list(catalog.open_catalog(home)):
                assert catalog.withdraw(home, "map_b").path == "maps/map_b.zarr"
    assert [one.name for one in catalog.entries(home)] == ["map_a"]
    assert list(catalog.open_catalog(home)) == ["map_a"]
    with pytest.raises(StoreMissing, match="no catalog entry 'map_b'"):
        catalog.withdraw(home, "map_b")


@pytest.mark.parametrize("name", ["._map_m.json", "map_m (1).json", ".map_m.json", "map-m.json"])
def test_what_a_copy_left_among_the_records_is_no_product(tmp_path: Path, name: str) -> None:
    """Notes of macOS beside every file, and second copies, stopped every verb of the catalog."""
    home = str(tmp_path)
    catalog.publish(home, catalog.Entry("map_m", "map", "maps/m.zarr"))
    (tmp_path / "catalog.d" / name).write_bytes(b"\0\5\x16\7")
    assert [one.name for one in catalog.search(home)] == ["map_m"]
    catalog.publish(home, catalog.Entry("map_n", "map", "maps/n.zarr"))
    assert list(catalog.open_catalog(home)) == ["map_m", "map_n"]


def test_a_product_that_moved_away_is_named(tmp_path: Path) -> None:
    catalog.publish(str(tmp_path), catalog.Entry("map_m", "map", "maps/m.zarr"))
    with pytest.raises(StoreMissing, match=r"maps/m\.zarr: map_m is no longer there; put it back"):
        catalog.read(str(tmp_path), "map_m")


def test_a_damaged_index_is_written_again(tmp_path: Path) -> None:
    home = str(tmp_path)
    catalog.publish(home, catalog.Entry("map_m", "map", "maps/m.zarr"))
    path = tmp_path / "catalog.yaml"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"maps/m", b"maps/n"))
    with pytest.raises(StoreError, match="was altered; run `cpazmal catalog rebuild`"):
        catalog.open_catalog(home)
    catalog.rebuild(home)
    assert path.read_bytes() == whole


def test_too_few_dates_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    cube = make_cube(f"{tmp_path}/cubes/c.zarr", dates=5)
    for chunk in Path(cube).glob("HH/c/*/*/*"):
        chunk.unlink()
    table = pd.DataFrame({"class": ["A"], "group": ["a"], "y0": [0], "x0": [0], "size": [5]})
    write_index(table, f"{tmp_path}/samples/s.parquet")
    facts = {"id": "a" * 16, "beam": "DSC_1"}
    catalog.publish(
        str(tmp_path),
        catalog.Entry("cube_DSC_1", "cube", "cubes/c.zarr", facts),
        catalog.Entry("samples_DSC_1", "samples", "samples/s.parquet", facts),
    )
    with pytest.raises(SampleError, match=r"5 dates in this period, dtw\.min_dates asks for 6; wi"):
        training_data(workspace(tmp_path))


@pytest.mark.e2e
@pytest.mark.parametrize("cause", ["killed", "no folder"])
def test_a_local_cluster_that_does_not_start_is_one_sentence(tmp_path: Path, cause: str) -> None:
    import dask

    deadly = tmp_path / "deadly.py"
    deadly.write_text("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    settings = {
        "killed": {"distributed.worker.preload": [str(deadly)]},
        "no folder": {"temporary-directory": "/proc/no/such/folder"},
    }[cause]
    with (
        dask.config.set(settings),
        pytest.raises(
            ClusterError, match=r"the Dask cluster did not start.*kind: threads"
        ) as found,
        open_executor(Cluster(kind="local", workers=1)),
    ):
        pass
    assert found.value.exit_code == 10
    assert len(str(found.value).splitlines()) == 1


def test_names_in_pictures_are_no_formulas() -> None:
    from matplotlib.figure import Figure

    name = r"A$\frac$B"
    figure = Figure(layout="constrained")
    axis = figure.subplots()
    axis.plot([1, 2], label=name)
    axis.set(title=name, xlabel=name)
    axis.set_xticks([0, 1], [name, "$x^2$"])
    axis.annotate(name, (0, 1))
    axis.legend()
    figure.legend([name])
    figure.suptitle(name)
    assert png(figure).startswith(b"\x89PNG")


def test_cells_of_tables_are_no_formulas() -> None:
    words = ['=HYPERLINK("http://x")', "+1", "-1+2", "@SUM(A1)", "\t=1", " =1", "\uff1d1"]
    words += ["\ufeff=1", "\u200b=1", "\u2060+1", "\xa0@x", "ICA-1"]
    table = pd.DataFrame({"group": words, "=x": -1.5, "n": range(-4, 8)})
    lines = to_csv(table).splitlines()
    assert lines[0] == "group,'=x,n"
    read = pd.read_csv(pd.io.common.StringIO(to_csv(table)))
    assert read["group"].tolist() == [*(f"'{word}" for word in words[:-1]), "ICA-1"]
    assert read["'=x"].tolist() == [-1.5] * 12
    assert read["n"].tolist() == list(range(-4, 8))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("workspace: build/été".encode("latin-1"), "not text in UTF-8"),
        (f"seed: {'9' * 5000}".encode(), "not valid YAML"),
        (b"start: 2020-13-45", "not valid YAML|start"),
        (b"a: " + b"[" * 3000, "not valid YAML"),
        (b"? [a]\n: b", "not valid YAML"),
        (b"&a [*a]", "not a mapping"),
        (b"seed: true", "seed: true and false"),
        (b"dtw: {radius: yes}", "dtw.radius: true and false"),
        (b"seed: 1:20:30", "seed: Input should be a valid integer"),
        (b"seed: -1", "seed: Input should be greater"),
        (b"samples: {stride: 99999999999999999999}", "samples.stride: the number is too large"),
        (b"polarisations: [HH, HH]", "HH is there twice"),
        (b"polarisations: [HV, HH]", "co-polarised channel first"),
    ],
)
def test_settings_that_are_none_are_one_sentence(tmp_path: Path, text: bytes, why: str) -> None:
    path = tmp_path / "run.yaml"
    path.write_bytes(text)
    with pytest.raises(ConfigError, match=why) as found:
        RunConfig.load(path)
    assert len(str(found.value).splitlines()) == 1


@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "device"])
def test_settings_that_never_end_are_one_sentence(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "run.yaml"
    if kind == "device":
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / "pipe" if "link" in kind else path)
    if "link" in kind:
        path.symlink_to("pipe")
    with pytest.raises(ConfigError, match="a pipe or device, not a file"):
        RunConfig.load(path)


def outlines(path: Path, columns: tuple[int, int]) -> None:
    """A file of one outline over some columns of the small cube."""
    left, top = UTM.transform * (columns[0], 0)
    right, bottom = UTM.transform * (columns[1], UTM.shape[0])
    shape = [shapely.box(left, bottom, right, top)]
    geopandas.GeoDataFrame({"name": ["g"]}, geometry=shape, crs="EPSG:32632").to_file(path)


def test_outlines_that_are_replaced_are_noticed(data, tmp_path: Path) -> None:
    """Map, replace the outlines at the same address, map again in the same process."""
    path = tmp_path / "glaciers.gpkg"
    config = workspace(tmp_path, classify={"block": 32, "outlines": str(path)})
    mapped = []
    for columns in ((10, 40), (40, 90)):
        path.unlink(missing_ok=True)
        outlines(path, columns)
        made = open_map(map_cube(config, *data).url)
        known = (made["class"].values != 255).any(axis=0)
        mapped.append((int(np.flatnonzero(known).min()), int(np.flatnonzero(known).max())))
    assert mapped == [(10, 39), (40, 89)]


def test_a_map_that_is_replaced_is_noticed(data, tmp_path: Path) -> None:
    one = map_cube(workspace(tmp_path / "one"), *data).url
    two = map_cube(workspace(tmp_path / "two", end="2020-04-01"), *data).url
    place = f"{tmp_path}/map.zarr"
    shutil.copytree(one, place)
    assert open_source(place).id == open_map(one).attrs["id"]
    shutil.rmtree(place)
    shutil.copytree(two, place)
    assert open_source(place).id == open_map(two).attrs["id"] != open_map(one).attrs["id"]


def test_a_finished_map_keeps_no_records(data, tmp_path: Path) -> None:
    made = map_cube(workspace(tmp_path, **BLOCKS), *data)
    assert not Path(made.url.replace(".zarr", ".progress")).exists()
    told = records.summary(made.url)
    assert len(told["blocks"]) == 12
    assert all("objects" not in block for block in told["blocks"])


def test_records_of_a_run_that_died_as_it_finished_go_with_the_next_one(data, tmp_path) -> None:
    config = workspace(tmp_path, **BLOCKS)
    refined = config.with_values({"after": {"modal": 3}})

    def both() -> list[str]:
        made = map_cube(config, *data).url
        return [made, *(one.url for one in refine_map(refined, made, Execution()))]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(records, "clear", lambda _: None)
        folders = [Path(url.replace(".zarr", ".progress")) for url in both()]
    assert len(folders) == 2
    assert all(folder.exists() for folder in folders)
    both()
    assert not any(folder.exists() for folder in folders)
