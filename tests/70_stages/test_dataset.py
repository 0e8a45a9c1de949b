"""The published dataset into a workspace and out of it again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import geopandas
import h5py
import numpy as np
import pandas as pd
import pytest
from support import small_published as small
from support.command import ended

from cpazmal_scale import catalog
from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import open_cube, verify_cube, window_pixels
from cpazmal_scale.errors import (
    DatasetUnreadable,
    GridMismatch,
    SceneChanged,
    SceneUnknown,
    StoreDamaged,
)
from cpazmal_scale.published.chips import find
from cpazmal_scale.published.file import PublishedFile, opened
from cpazmal_scale.samples import read_index
from cpazmal_scale.stages.dataset import export_dataset, import_dataset
from cpazmal_scale.stages.ingest import ingest


def settings(workspace: Path | str) -> RunConfig:
    return RunConfig.parse(
        {
            "workspace": str(workspace),
            "ingest": {"chunk": 32},
            "features": {"window": 5},
            "cluster": {"kind": "serial"},
        }
    )


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.write(tmp_path_factory.mktemp("published") / "CPAZMaL.hdf5")


@pytest.fixture(scope="module")
def published(file: Path) -> Iterator[PublishedFile]:
    with opened(str(file)) as chips:
        yield chips


@pytest.fixture(scope="module")
def imported(file: Path, tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    config = settings(tmp_path_factory.mktemp("workspace") / "w")
    report = import_dataset(config, str(file))
    assert {cube.beam: cube.dates for cube in report.cubes} == {"ASC45": 3, "ASC54": 1, "DSC38": 4}
    return config


def cube_of(config: RunConfig, beam: str):
    return open_cube(f"{config.workspace}/cubes/{beam}.zarr")


def test_cubes_hold_every_chip_as_it_is_in_the_file(
    imported: RunConfig, published: PublishedFile
) -> None:
    """On the authors' grid; where the study area overlaps a labelled chip, the chip counts."""
    for beam, orbit in (("ASC45", "ASC"), ("ASC54", "ASC"), ("DSC38", "DSC")):
        cube = cube_of(imported, beam).compute()
        assert cube.rio.crs.to_epsg() == 4326
        transform = cube.rio.transform()
        assert transform.a == pytest.approx(small.PIXEL, rel=1e-12)
        days = cube["time"].dt.strftime("%Y%m%d").to_numpy().tolist()
        for name, (label, shape, (row, column)) in small.GROUPS.items():
            top = round((transform.f / small.PIXEL) - (small.TOP - row))
            left = round(small.LEFT + column - transform.c / small.PIXEL)
            box = {"y": slice(top, top + shape[0]), "x": slice(left, left + shape[1])}
            for channel in cube.attrs["polarisations"]:
                series = find(published, name, orbit, channel)
                for place, day in enumerate(series.dates):
                    if day not in days:
                        continue
                    power, mask = published.read(series, place)
                    here = cube.isel(time=days.index(day), **box)
                    own = np.isfinite(power)
                    if label == "STUDY":
                        inside = own & (here[channel].to_numpy() == power)
                        assert inside.sum() > own.sum() / 3
                        continue
                    np.testing.assert_array_equal(here[channel].to_numpy()[own], power[own])
                    np.testing.assert_array_equal(here["mask"].to_numpy()[own], mask[own])
        assert verify_cube(f"{imported.workspace}/cubes/{beam}.zarr") == []
        nothing = np.isnan(np.stack([cube[p] for p in cube.attrs["polarisations"]])).all(axis=0)
        np.testing.assert_array_equal(cube["mask"].to_numpy() == 32, nothing)


def test_dates_know_their_geometry(imported: RunConfig) -> None:
    cube = cube_of(imported, "ASC45")
    assert cube["polarisations"].to_numpy().tolist() == ["HH+HV", "HH+HV", "HH"]
    np.testing.assert_allclose(cube["incidence_angle"], [44.8, 44.9, 44.6], rtol=1e-6)
    assert set(cube["pass_direction"].to_numpy().tolist()) == {"ASC"}
    assert np.isnan(cube["HV"][2]).all()
    beams = {entry.metadata["beam"] for entry in catalog.entries(imported.workspace, kind="cube")}
    assert beams == {"ASC45", "ASC54", "DSC38"}


def test_windows_read_from_a_cube_are_the_file_s(
    imported: RunConfig, published: PublishedFile
) -> None:
    samples = catalog.entry(imported.workspace, "samples_DSC38")
    index = read_index(f"{imported.workspace}/{samples.path}")
    assert dict(index.groupby("class")["group"].nunique()) == {"ABL": 2, "ICA": 2}
    cube = cube_of(imported, "DSC38")
    transform = cube.rio.transform()
    y0, x0 = index["y0"].to_numpy(), index["x0"].to_numpy()
    seen = 0
    for pixels in window_pixels(cube, y0, x0, 5, ("HH", "HV")):
        for row, power in zip(pixels.rows, pixels.power, strict=True):
            name = index["group"][row]
            _, _, (down, right) = small.GROUPS[name]
            y = y0[row] - round(transform.f / small.PIXEL - small.TOP + down)
            x = x0[row] - round(small.LEFT + right - transform.c / small.PIXEL)
            for number, channel in enumerate(("HH", "HV")):
                series = find(published, name, "DSC", channel)
                for place in range(4):
                    chip = published.read(series, place)[0][y : y + 5, x : x + 5]
                    np.testing.assert_array_equal(power[number, place], chip)
                    seen += 1
    assert seen == 8 * len(index) > 200


def test_polygons_settings_and_account_are_left(imported: RunConfig) -> None:
    polygons = geopandas.read_file(f"{imported.workspace}/dataset/polygons.gpkg")
    assert set(polygons["group"]) == set(small.GROUPS)
    chosen = polygons[polygons["group"] == "ABL001"].iloc[0]
    valid = (small.chip("ABL001", "DSC", "HH", 0, (30, 36)) > 0).sum()
    assert chosen.geometry.area / small.PIXEL**2 == pytest.approx(valid, rel=1e-6)
    assert (chosen["elevation"], chosen["orientation"]) == (2301, 301)
    run = RunConfig.load(f"{imported.workspace}/dataset/run.yaml")
    assert run.samples.classes == ("ABL", "ICA")
    assert run.beam == "DSC38"
    healed = pd.read_csv(f"{imported.workspace}/dataset/healed.csv")
    assert {"mixed_beams", "counted_paths", "overlap"} == set(healed["defect"])


def test_a_second_import_changes_nothing_and_another_file_is_refused(
    imported: RunConfig, file: Path, tmp_path: Path
) -> None:
    before = {beam: cube_of(imported, beam).attrs["state"] for beam in ("ASC45", "DSC38")}
    report = import_dataset(imported, str(file))
    assert all(not cube.appended for cube in report.cubes)
    changed = tmp_path / "changed.hdf5"
    changed.write_bytes(file.read_bytes())
    with h5py.File(changed, "r+") as other:
        other["metadata"].attrs["creation_date"] = "2026-01-01T00:00:00"
    with pytest.raises(SceneChanged, match="the cube holds this acquisition"):
        import_dataset(imported, str(changed))
    larger = {**small.GROUPS, "ICA002": ("ICA", (33, 25), (150, 150))}
    small.write(changed, groups=larger, calendar={("ASC", "HH"): {"20220101": 44.8}})
    with pytest.raises(GridMismatch, match="import into a workspace of its own"):
        import_dataset(imported, str(changed))
    assert before == {beam: cube_of(imported, beam).attrs["state"] for beam in before}


def test_a_damaged_file_writes_nothing(file: Path, tmp_path: Path) -> None:
    hurt = tmp_path / "hurt.hdf5"
    hurt.write_bytes(file.read_bytes()[:-5000])
    with pytest.raises(DatasetUnreadable):
        import_dataset(settings(tmp_path / "w"), str(hurt))
    hurt.write_bytes(file.read_bytes())
    with h5py.File(hurt, "r+") as other:
        owner = other["data/ICA002/DSC/HV"]
        del owner["masks"]
        owner.create_dataset("masks", (33, 25, 4), np.int8, chunks=(33, 25, 1))
    with pytest.raises(DatasetUnreadable, match="was never written"):
        import_dataset(settings(tmp_path / "w"), str(hurt))
    assert not (tmp_path / "w").exists()


def test_an_import_that_stops_half_way_goes_on(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = settings(tmp_path / "w")

    class Stopped(Exception):
        pass

    read, reads = PublishedFile.read, []

    def failing(self, series, day):
        reads.append(series)
        if len(reads) > 25:
            raise Stopped
        return read(self, series, day)

    monkeypatch.setattr(PublishedFile, "read", failing)
    with pytest.raises(Stopped):
        import_dataset(config, str(file))
    monkeypatch.undo()
    done = cube_of(config, "ASC45").sizes["time"]
    report = import_dataset(config, str(file))
    import_dataset(config, str(file))
    healed = pd.read_csv(f"{config.workspace}/dataset/healed.csv")
    assert healed["where"].str.startswith("ASC54 ").sum() == 1
    assert 0 < done < 8
    assert sum(len(cube.appended) for cube in report.cubes) == 8 - done
    whole = settings(tmp_path / "whole")
    import_dataset(whole, str(file))
    for beam in ("ASC45", "ASC54", "DSC38"):
        assert cube_of(config, beam).compute().identical(cube_of(whole, beam).compute())


@pytest.mark.parametrize("dates", [1, 4, 7])
def test_an_import_that_stops_after_a_date_forgets_nothing_it_healed(
    file: Path, imported: RunConfig, tmp_path: Path, dates: int
) -> None:
    config, steps = settings(tmp_path / "w"), []

    class Stopped(Exception):
        pass

    def stopping(*step: int) -> None:
        steps.append(step)
        if len(steps) == dates:
            raise Stopped

    with pytest.raises(Stopped):
        import_dataset(config, str(file), progress=stopping)
    Path(config.workspace, "dataset/.healed.csv.0123.part").write_bytes(b"half a tab")
    import_dataset(config, str(file))
    assert not list(Path(config.workspace).rglob("*.part"))
    healed = [Path(one.workspace, "dataset/healed.csv").read_bytes() for one in (config, imported)]
    assert healed[0] == healed[1]


def test_an_account_that_was_altered_is_not_carried_on(file: Path, tmp_path: Path) -> None:
    config = settings(tmp_path / "w")
    import_dataset(config, str(file))
    for name in ("healed.csv", "healed.json"):
        notes = Path(config.workspace, "dataset", name)
        whole = notes.read_bytes()
        notes.write_bytes(whole.replace(b"1", b"2", 1))
        if name == "healed.csv":
            import_dataset(config, str(file))
            assert notes.read_bytes() == whole
            continue
        with pytest.raises(StoreDamaged, match="import into a new workspace"):
            import_dataset(config, str(file))


def test_what_was_imported_is_exported_identical(
    imported: RunConfig, published: PublishedFile, tmp_path: Path
) -> None:
    run = RunConfig.load(f"{imported.workspace}/dataset/run.yaml")
    again = tmp_path / "again.hdf5"
    assert export_dataset(run.with_values({"beam": None}), str(again)) == 16
    with opened(str(again)) as chips:
        assert chips.classes == ("ABL", "ICA")
        for one in chips.series:
            first = find(published, one.group, one.orbit, one.polarisation)
            assert (one.dates, one.beams) == (first.dates, first.beams)
            np.testing.assert_allclose(one.angles, first.angles, rtol=1e-6)
            assert chips.groups[one.group].elevation == published.groups[one.group].elevation
            assert chips.groups[one.group].id == published.groups[one.group].id
            down = round((first.transform.f - one.transform.f) / small.PIXEL)
            right = round((one.transform.c - first.transform.c) / small.PIXEL)
            for place in range(len(one.dates)):
                power, mask = chips.read(one, place)
                theirs, codes = published.read(first, place)
                box = slice(down, down + one.shape[0]), slice(right, right + one.shape[1])
                np.testing.assert_array_equal(power, theirs[box])
                np.testing.assert_array_equal(mask, codes[box])
                assert np.isfinite(theirs).sum() == np.isfinite(power).sum()


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    from cpazmal_scale.simulate.campaign import campaign

    folder = tmp_path_factory.mktemp("campaign")
    campaign(
        folder,
        size=256,
        start=date(2020, 1, 1),
        end=date(2020, 2, 20),
        beams=("DSC37", "ASC45"),
        grid="authors",
    )
    config = RunConfig.load(folder / "run.yaml").with_values(
        {"workspace": str(folder / "w"), "beam": None, "ingest": {"chunk": 64}}
    )
    ingest(config)
    return config


def test_samples_are_written_so_that_the_authors_loader_opens_them(
    campaign: RunConfig, tmp_path: Path
) -> None:
    """Read as their `MLDatasetLoader` reads: metadata, index, then series by path."""
    path = tmp_path / "ours.hdf5"
    count = export_dataset(campaign, str(path))
    with h5py.File(path) as file:
        metadata = file["metadata"]
        classes = json.loads(metadata.attrs["classes"])
        nodata = metadata.attrs["nodata_value"]
        entries = {
            name: json.loads(file[f"index/by_class/{name}"].attrs["entries_json"])
            for name in file["index/by_class"]
        }
        ranges = json.loads(file["index/temporal_ranges"].attrs["ranges_json"])
        assert set(classes) == set(entries)
        assert len(ranges) == sum(map(len, entries.values())) == count
        entry = entries["ABL"][0]
        group = file["data"][entry["group"]]
        assert group.attrs["class"] == "ABL"
        assert group.attrs["latitude"] == pytest.approx(45.9, abs=0.1)
        orbits = [name for name in group if group[name].attrs["orbit"]]
        assert set(orbits) <= {"ASC", "DSC"}
        pair = [group[f"{entry['orbit']}/{channel}"] for channel in ("HH", "HV")]
        days = [one["timestamps"][:] for one in pair]
        common = np.intersect1d(*days)
        common = common[common >= b"20200115"]
        chosen = [int(np.where(days[0] == day)[0][0]) for day in common]
        images = pair[0]["images"][:, :, chosen]
        assert images.dtype == np.float32
        valid = images != nodata
        assert (images[valid] > -0.05).all()
        assert 0.2 < valid.mean() < 1
        assert pair[0]["masks"].dtype == np.int8
        assert set(np.unique(pair[0]["masks"])) <= {0, 1, 2, 3, -127}
        assert pair[0].attrs["n_timestamps"] == len(days[0]) == entry["n_samples"]
        assert [day.decode() for day in days[0]] == sorted(day.decode() for day in days[0])
    with opened(str(path)) as chips:
        assert chips.account.findings() == []


def test_cubes_come_back_through_the_layout(campaign: RunConfig, tmp_path: Path) -> None:
    """Simulated scenes to cubes, to a file, to cubes: inside the polygons nothing changes."""
    from cpazmal_scale.published.from_cubes import CubeChips
    from cpazmal_scale.published.scenarios import temporal_stack
    from cpazmal_scale.samples import WindowRule

    path = tmp_path / "ours.hdf5"
    run = campaign.with_values({"samples": {"classes": ["ABL", "ACC"]}})
    export_dataset(run, str(path))
    again = run.with_values({"workspace": str(tmp_path / "w")})
    import_dataset(again, str(path))
    for orbit, beam in (("DSC", "DSC37"), ("ASC", "ASC45")):
        (new,) = (
            entry.metadata["beam"]
            for entry in catalog.entries(again.workspace, kind="cube")
            if str(entry.metadata["beam"]).startswith(orbit)
        )
        first = open_cube(
            f"{run.workspace}/cubes/{beam}.zarr", start=run.start, end=run.end
        ).compute()
        second = cube_of(again, str(new)).compute()
        down = round((first["y"].values[0] - second["y"].values[0]) / small.PIXEL)
        right = round((second["x"].values[0] - first["x"].values[0]) / small.PIXEL)
        height, width = second.sizes["y"], second.sizes["x"]
        for channel in ("HH", "HV"):
            box = first[channel].to_numpy()[:, down : down + height, right : right + width]
            values = second[channel].to_numpy()
            inside = np.isfinite(values)
            assert 0.05 < inside.mean() < 0.9
            np.testing.assert_array_equal(values[inside], box[inside])
    polygons = geopandas.read_file(run.samples.polygons)
    polygons = polygons[polygons["class"].isin(["ABL", "ACC"])]
    cube = open_cube(f"{run.workspace}/cubes/DSC37.zarr", start=run.start, end=run.end)
    made = temporal_stack(CubeChips([cube], polygons), WindowRule(6), orbit="DSC")
    with opened(str(path)) as chips:
        theirs = temporal_stack(chips, WindowRule(6), orbit="DSC")
    np.testing.assert_array_equal(made.X, theirs.X)
    np.testing.assert_array_equal(made.masks, theirs.masks)
    assert made.counts() == theirs.counts()


def test_show_and_import(file: Path, tmp_path: Path) -> None:
    shown = ended("dataset", "show", file, "--pixels").out
    assert "series: 20 (differs: expected 276)" in shown
    assert "ASC45 3 dates, ASC54 1 dates" in shown
    workspace = tmp_path / "w"
    planned = ended("dataset", "import", file, "--workspace", workspace, "--dry-run").out
    assert "ASC54: 1 appended" in planned
    assert "nothing written; would write" in planned
    assert not workspace.exists()
    brought = ended("dataset", "import", file, "--workspace", workspace).out
    assert f"next: cpazmal run --config {workspace}/dataset/run.yaml" in brought


def test_export(imported: RunConfig, tmp_path: Path) -> None:
    out = tmp_path / "out.hdf5"
    run = Path(imported.workspace) / "dataset" / "run.yaml"
    assert "8 series" in ended("dataset", "export", out, "-c", run).out
    assert "16 series" in ended("dataset", "export", out, "-c", run, "--every-beam").out


def test_what_is_no_dataset_is_refused_and_no_scene_either(file: Path, tmp_path: Path) -> None:
    refused = ended("dataset", "show", __file__, code=6).err
    assert refused.count("\n") == 1
    assert "not an HDF5 file that can be read" in refused
    with pytest.raises(SceneUnknown, match="bring it in with `cpazmal dataset import`"):
        ingest(settings(tmp_path).with_values({"ingest": {"scenes": str(file)}}))
