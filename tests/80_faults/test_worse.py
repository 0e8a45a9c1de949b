"""Whatever happens to one object of a cube: it is named, and a repair makes nothing worse."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from support.cube_damage import WAYS, Way, classes, cut, flipped, of_an_earlier_version
from support.scenes_factory import STARTS, campaign, run_config
from support.writers import every

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import open_cube, verify_cube
from cpazmal_scale.cube.format import manifest
from cpazmal_scale.errors import CpazmalError, CubeDamaged, StoreMissing
from cpazmal_scale.stages import ingest as stages


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Objects are damaged here, the power stays."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, xr.Dataset]:
    """A workspace with a cube of three dates, HV missing on the last, and its content."""
    folder = tmp_path_factory.mktemp("worse")
    scenes = campaign(folder / "scenes", shape=(50, 60), starts=STARTS[:3])
    url = stages.ingest(run_config(scenes, folder / "ws")).cubes[0].url
    return folder, open_cube(url).compute()


def copy(base: Path, target: Path) -> tuple[RunConfig, Path]:
    shutil.copytree(base / "ws", target / "ws")
    return run_config(base / "scenes", target / "ws"), target / "ws" / "cubes" / "DSC37.zarr"


def seen(cube: Path) -> xr.Dataset | None:
    """What the cube gives; none where that is a typed error."""
    try:
        return open_cube(str(cube)).compute()
    except (CubeDamaged, StoreMissing):
        return None


def exchanged(path: Path, random: np.random.Generator) -> None:
    """It is another object of its class."""
    cube = next(one for one in path.parents if one.suffix in (".zarr", ".manifest"))
    group = next(paths for paths in classes(cube).values() if path in paths)
    others = [one for one in group if one != path and one.read_bytes() != path.read_bytes()]
    if others:
        path.write_bytes(others[random.integers(len(others))].read_bytes())
    else:
        cut(path, random)


@pytest.mark.parametrize("way", [*WAYS, exchanged], ids=lambda way: way.__name__)
@pytest.mark.parametrize(
    "kind", ["root", "manifest", "member", "coordinate", "axis", "list", "chunk"]
)
def test_one_object_is_damaged(tmp_path, base, kind: str, way: Way) -> None:
    """Without a source, all but a chunk comes back; with its source, that too."""
    folder, content = base
    random = np.random.default_rng(len(kind) * 100 + len(way.__name__))
    config, cube = copy(folder, tmp_path)
    path = classes(cube)[kind][random.integers(len(classes(cube)[kind]))]
    way(path, random)
    now = seen(cube)
    assert now is None or now.drop_attrs().identical(content.drop_attrs())
    assert verify_cube(str(cube))
    away = config.with_values({"ingest": {"scenes": str(tmp_path)}})
    done = stages.repair(away)
    left = open_cube(str(cube)).compute()
    if kind == "chunk":
        assert not any(one.restored for one in done)
        alike = (left.HH == content.HH) | left.HH.isnull()
        assert bool(alike.all())
        assert all(one.restored for one in stages.repair(config))
        left = open_cube(str(cube)).compute()
    else:
        assert all(one.restored for one in done)
        assert left.attrs == content.attrs
    assert left.drop_attrs().identical(content.drop_attrs())
    assert left.attrs["state"] == content.attrs["state"]
    assert verify_cube(str(cube)) == []


@pytest.mark.timeout(1800)
def test_a_flipped_bit_is_never_read_in_silence(tmp_path, base) -> None:
    """In any class of objects: a typed error, or the values as they were."""
    folder, content = base
    _, cube = copy(folder, tmp_path)
    random = np.random.default_rng(2000)
    plain, told = content.drop_attrs(), 0
    found = classes(cube)
    for number in range(0, 2100, every(50)):
        kind = sorted(found)[number // every(50) % len(found)]
        paths = found[kind]
        path = paths[random.integers(len(paths))]
        before = path.read_bytes()
        flipped(path, random)
        now = seen(cube)
        told += now is None
        assert now is None or now.drop_attrs().identical(plain), path
        assert now is None or now.attrs == content.attrs
        # A bit of a coordinate's frame may say the same in another way.
        assert verify_cube(str(cube)) or (kind in ("axis", "coordinate") and now), path
        path.write_bytes(before)
    assert told


def test_any_bit_of_a_manifest_counts() -> None:
    """Also one that says the same in another way: a digit of an escape, the e of a number."""
    plan = manifest.Plan("base", "000003-x", {"HH/c/0/0/0": 7})
    whole = manifest.Manifest(3, '{"units": "°, γ⁰"}'.encode(), [{"angle": 1e-7}], plan)
    data = whole.encode()
    assert manifest.decode(data, 3) == whole
    for bit in range(8 * len(data)):
        other = bytearray(data)
        other[bit // 8] ^= 1 << bit % 8
        assert manifest.decode(bytes(other), 3) is None, other[max(bit // 8 - 9, 0) :][:20]


def test_flips_in_the_documents_of_a_sound_cube(tmp_path, base) -> None:
    """The root document, its copies and the members: none is believed against all others."""
    folder, content = base
    random = np.random.default_rng(28)
    for number in range(0, 24, every(2)):
        config, cube = copy(folder, tmp_path / str(number))
        kind = ("manifest", "root", "member")[number // every(2) % 3]
        paths = classes(cube)[kind]
        flipped(paths[random.integers(len(paths))], random)
        assert all(one.restored for one in stages.repair(config))
        xr.testing.assert_identical(open_cube(str(cube)).compute(), content)
        assert verify_cube(str(cube)) == []


def test_a_flip_in_the_name_of_the_checksums_is_no_earlier_version(tmp_path, base) -> None:
    _, cube = copy(base[0], tmp_path)
    root = cube / "zarr.json"
    root.write_bytes(root.read_bytes().replace(b'"integrity"', b'"integrite"'))
    with pytest.raises(CubeDamaged, match="altered"):
        open_cube(str(cube))


def test_flips_in_the_manifest_of_a_cube_of_an_earlier_version(tmp_path, base) -> None:
    """It has no digests; then a root document that agrees with its members stays as it is."""
    folder, content = base
    random = np.random.default_rng(29)
    for number in range(0, 24, every(2)):
        config, cube = copy(folder, tmp_path / str(number))
        of_an_earlier_version(cube)
        root = (cube / "zarr.json").read_bytes()
        assert open_cube(str(cube)).compute().drop_attrs().identical(content.drop_attrs())
        flipped(classes(cube)["manifest"][0], random)
        stages.repair(config)
        assert (cube / "zarr.json").read_bytes() == root
        assert open_cube(str(cube)).compute().drop_attrs().identical(content.drop_attrs())


@pytest.mark.parametrize("sources", [True, False])
def test_a_list_that_nothing_vouches_for_costs_no_chunk(tmp_path, base, sources: bool) -> None:
    """In a cube of an earlier version a list is exchanged for another."""
    folder, content = base
    config, cube = copy(folder, tmp_path)
    of_an_earlier_version(cube)
    lists = cube / "stored" / "HH" / "c"
    shutil.copy(lists / "1/0/0", lists / "0/0/0")
    if not sources:
        config = config.with_values({"ingest": {"scenes": str(tmp_path)}})
    assert stages.repair(config)
    assert verify_cube(str(cube)) == []
    assert open_cube(str(cube)).compute().drop_attrs().identical(content.drop_attrs())


def test_an_older_root_document_is_not_taken_for_the_last(tmp_path, base) -> None:
    folder, _ = base
    scenes = campaign(tmp_path / "more", shape=(50, 60))
    config = run_config(scenes, tmp_path / "ws")
    url = stages.ingest(config).cubes[0].url
    content = open_cube(url).compute()
    old = folder / "ws" / "cubes" / "DSC37.zarr" / "zarr.json"
    shutil.copy(old, Path(url, "zarr.json"))
    assert verify_cube(url)
    assert all(one.restored for one in stages.repair(config))
    xr.testing.assert_identical(open_cube(url).compute(), content)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_stac_item_of_a_cube_is_looked_at(tmp_path, base, way: Way) -> None:
    config, cube = copy(base[0], tmp_path)
    item = cube.with_name("DSC37.stac.json")
    before = item.read_bytes()
    way(item, np.random.default_rng(5))
    (finding,) = stages.verify(config)
    assert "STAC item" in finding.what
    (done,) = stages.repair(config)
    assert done.restored
    assert item.read_bytes() == before
    assert stages.verify(config) == []


def test_a_store_that_fails_for_a_moment_is_not_damage(tmp_path, base, monkeypatch) -> None:
    """A request that fails is a store error, wherever it comes: nothing is repaired for it."""
    folder, content = base
    config, cube = copy(folder, tmp_path)
    read = Path.read_bytes
    failing = np.random.default_rng(3)

    def sometimes(path: Path) -> bytes:
        if cube in path.parents and failing.random() < 0.1:
            raise OSError(121, "injected")
        return read(path)

    kinds = set()
    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", sometimes)
        for act in (lambda: open_cube(str(cube)).compute(), lambda: stages.repair(config)):
            for _ in range(10):
                try:
                    act()
                except CpazmalError as error:
                    kinds.add(error.kind)
    assert kinds == {"store"}
    assert verify_cube(str(cube)) == []
    xr.testing.assert_identical(open_cube(str(cube)).compute(), content)
