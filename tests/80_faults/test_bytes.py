"""Every stored byte is checked when it is read: a flipped bit is an error of ours or costs nothing.

A usual run tries a share of the flips; `CPAZMAL_FAULTS=all` tries two thousand.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from support.damage import ALL, Stored, small_workspace, whole

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import CpazmalError, StoreDamaged
from cpazmal_scale.mapping import open_map
from cpazmal_scale.model import open_model
from cpazmal_scale.stages.products import damaged_products

FLIPS = 2000 if ALL else 390


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Stored]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        classes = small_workspace(tmp_path_factory.mktemp("bytes") / "run")[1]
    return {one.name: one for one in classes}


CLASSES = (
    "model",
    "model through the catalog",
    "map",
    "map through the catalog",
    "map as a source",
    "map summary",
    "map records",
    "unfinished map",
    "map on the screen",
    "maps of maps",
    "labels",
    "samples",
    "card",
    "picture",
    "errors of a report",
    "shared arrays",
    "ground",
    "catalog records",
    "catalog index",
)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.timeout(1200)
@pytest.mark.filterwarnings("ignore")
def test_a_flipped_bit_is_an_error_or_the_right_value(stored: dict[str, Stored], name: str) -> None:
    assert set(CLASSES) == set(stored)
    own = stored[name]
    right = own.read()
    chance = random.Random(f"flips of {name}")
    noticed = 0
    for _ in range(FLIPS // len(CLASSES)):
        path = chance.choice(own.files)
        data = path.read_bytes()
        place = chance.randrange(8 * len(data))
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            read = own.read()
        except CpazmalError as error:
            noticed += len(str(error).splitlines()) == 1
        else:
            if name == "map records":  # a record that is not what was written is computed again
                assert read.items() <= right.items()  # type: ignore[attr-defined]
                noticed += read != right
            elif name == "unfinished map":  # its documents are written again
                noticed += read is False
            else:
                assert read == right, f"bit {place} of {path} changed a value in silence"
        finally:
            path.write_bytes(data)
    assert own.read() == right
    assert noticed, "no flip was noticed: nothing is compared"


@pytest.mark.parametrize("name", ["model", "map", "map as a source"])
@pytest.mark.filterwarnings("ignore")
def test_objects_that_are_lost_added_or_swapped_are_errors(
    stored: dict[str, Stored], name: str
) -> None:
    own = stored[name]
    right = own.read()
    folder = next(path.parent for path in own.files if path.parent.name.endswith(".zarr"))
    chunks = [path for path in own.files if "c" in path.relative_to(folder).parts]
    one, two = chunks[0], next(p for p in chunks if p.read_bytes() != chunks[0].read_bytes())
    data = one.read_bytes()
    for change in ("lost", "swapped"):
        if change == "lost":
            one.unlink()
        else:
            one.write_bytes(two.read_bytes())
        with pytest.raises(StoreDamaged):
            own.read()
        one.write_bytes(data)
    if name == "map as a source":  # it holds the checksums that it was opened with
        return
    sums = folder / "sums" / "zarr.json"
    text = sums.read_bytes()
    sums.unlink()
    with pytest.raises(StoreDamaged, match="checksums are lost"):
        own.read()
    sums.write_bytes(text)
    assert own.read() == right


@pytest.mark.parametrize(
    "name", ["model", "map", "samples", "card", "map summary", "catalog index"]
)
def test_verify_names_what_is_damaged_beside_the_cubes(
    stored: dict[str, Stored], name: str
) -> None:
    own, (index,) = stored[name], stored["catalog index"].files
    config = RunConfig(workspace=str(index.parent))
    assert damaged_products(config) == []
    for path in (own.files[0], own.files[-1]):
        data = path.read_bytes()
        path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
        altered = damaged_products(config)
        path.unlink()
        lost = damaged_products(config)
        path.write_bytes(data)
        for found in (altered, lost) if name != "card" else (altered,):
            assert len(found) == 1
            assert str(found[0].where) in f"{path}"
            assert found[0].remedy
    if name in ("model", "map"):
        surplus = own.files[0].with_name("surplus")
        surplus.write_bytes(b"1")
        (found,) = damaged_products(config)
        surplus.unlink()
        assert found.where == str(surplus)
        assert found.what == "an object is surplus"
    assert damaged_products(config) == []


def test_several_damaged_objects_are_one_sentence(stored: dict[str, Stored]) -> None:
    """All are asked for at once: what the others say is no news for people."""
    documents = [path for path in stored["model"].files if path.name == "zarr.json"]
    kept = {path: path.read_bytes() for path in documents if path.parent.name != "sums"}
    kept = {path: data for path, data in kept.items() if path.parent.suffix != ".zarr"}
    home = next(iter(kept)).parents[2].parent
    for path in kept:
        path.write_bytes(b"{}")
    words = ["catalog", "open", "model_DSC37", "--workspace", str(home)]
    script = "from cpazmal_scale.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=False
    )
    for path, data in kept.items():
        path.write_bytes(data)
    assert len(kept) > 3
    assert ran.returncode == StoreDamaged.exit_code
    assert len(ran.stderr.splitlines()) == 1, ran.stderr


def test_what_was_written_without_checksums_opens(
    stored: dict[str, Stored], tmp_path: Path
) -> None:
    for name, read in (("model", open_model), ("map", open_map)):
        own = stored[name]
        folder = next(path.parent for path in own.files if path.parent.name.endswith(".zarr"))
        old = shutil.copytree(folder, tmp_path / f"{name}.zarr")
        shutil.rmtree(old / "sums")
        root = json.loads((old / "zarr.json").read_text())
        del root["attributes"]["checksums"]
        (old / "zarr.json").write_text(json.dumps(root))
        found = read(str(old))
        if name == "map":
            now = open_map(str(folder))
            assert whole(found.drop_attrs()) == whole(now.drop_attrs())
        else:
            assert found.id == open_model(str(folder)).id


def test_chunks_that_no_memory_holds_are_refused(stored: dict[str, Stored], tmp_path: Path) -> None:
    """In a map without checksums nothing else says that its document was altered."""
    folder = next(one.parent for one in stored["map"].files if one.parent.name.endswith(".zarr"))
    old = shutil.copytree(folder, tmp_path / "map.zarr")
    shutil.rmtree(old / "sums")
    root = json.loads((old / "zarr.json").read_text())
    del root["attributes"]["checksums"]
    for edge in (2**63, 2**30):
        grid = root["consolidated_metadata"]["metadata"]["class"]["chunk_grid"]
        grid["configuration"]["chunk_shape"][1] = edge
        (old / "zarr.json").write_text(json.dumps(root))
        with pytest.raises(StoreDamaged, match=r"map\.zarr: the map is damaged"):
            open_map(str(old))


def test_parquet_with_a_digest_opens_everywhere(stored: dict[str, Stored]) -> None:
    path = stored["samples"].files[0]
    assert len(pd.read_parquet(path)) == 40
    assert pq.ParquetFile(path).metadata.num_rows == 40
    assert duckdb.sql(f"SELECT count(*) FROM '{path}'").fetchall() == [(40,)]


def test_shared_arrays_are_what_their_name_says(tmp_path: Path) -> None:
    one = storage.write_arrays(str(tmp_path), {"a": np.arange(3)})
    two = storage.write_arrays(str(tmp_path), {"a": np.arange(4)})
    Path(one).write_bytes(Path(two).read_bytes())
    with pytest.raises(StoreDamaged, match="shared arrays were altered"):
        storage.read_arrays(one)
