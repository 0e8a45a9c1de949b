"""Stored precision: the promised error, codecs that others read, repair of the same bytes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from support.scenes_factory import campaign, run_config

from cpazmal_scale.config import RunConfig
from cpazmal_scale.cube import (
    append,
    ingest_scenes,
    open_cube,
    read_record,
    repair_cube,
    verify_cube,
)
from cpazmal_scale.cube.format import coding
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.scenes import Scene, discover


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return campaign(tmp_path_factory.mktemp("scenes"))


def scenes_of(folder: Path) -> list[Scene]:
    return discover(run_config(folder, folder).ingest)


def ingested(folder: Path, workspace: Path, **settings: object) -> str:
    config = RunConfig.parse(
        {"workspace": str(workspace), "ingest": {"scenes": str(folder), "chunk": 32, **settings}}
    )
    return ingest_scenes(config).cubes[0].url


@given(
    st.lists(st.floats(width=32, allow_subnormal=False), min_size=1, max_size=50),
    st.integers(4, 22),
)
def test_rounding_keeps_what_it_promises(values: list[float], bits: int) -> None:
    """Relative error, sign, NaN and infinities, for any float32; rounding again changes nothing."""
    given_values = np.array(values, np.float32)
    kept = coding.rounded(given_values, bits)
    np.testing.assert_array_equal(np.isnan(kept), np.isnan(given_values))
    finite = np.isfinite(given_values)
    np.testing.assert_array_equal(kept[~finite], given_values[~finite])
    error = np.abs(kept[finite].astype(float) - given_values[finite])
    assert (error <= np.abs(given_values[finite].astype(float)) * 2.0 ** -(bits + 1)).all()
    np.testing.assert_array_equal(np.signbit(kept[finite]), np.signbit(given_values[finite]))
    np.testing.assert_array_equal(coding.rounded(kept, bits), kept)


def test_ties_go_to_even() -> None:
    step = np.float32(2.0**-10)
    values = np.array([1 + step / 2, 1 + 3 * step / 2], np.float32)
    np.testing.assert_array_equal(coding.rounded(values, 10), [1, 1 + 2 * step])


def test_ten_bits_are_the_default_and_say_so(folder: Path, tmp_path: Path) -> None:
    url = ingested(folder, tmp_path / "rounded")
    whole = open_cube(ingested(folder, tmp_path / "full", precision="full")).compute()
    plain = xr.open_zarr(url, consolidated=True).sortby("time").compute()
    told = plain.HH.attrs
    assert told["quantization_nsb"] == 10
    assert told["quantization_maximum_relative_error"] == 2.0**-11
    known = np.isfinite(whole.HH.values)
    error = np.abs(plain.HH.values - whole.HH.values)[known] / np.abs(whole.HH.values[known])
    assert 0 < error.max() <= told["quantization_maximum_relative_error"]
    np.testing.assert_array_equal(plain.mask, whole.mask)
    np.testing.assert_array_equal(open_cube(url).HH, plain.HH)
    assert open_cube(url).attrs["state"] != whole.attrs["state"]
    assert not {"quantization_nsb", "precision"} & {*whole.HH.attrs, *whole.attrs}


def test_codecs_are_those_of_the_zarr_specification(folder: Path, tmp_path: Path) -> None:
    """As the specification of the `blosc` codec writes them."""
    url = ingested(folder, tmp_path)
    document = json.loads(Path(url, "HH", "zarr.json").read_text())
    serialised, compressed = document["codecs"]
    assert serialised == {"name": "bytes", "configuration": {"endian": "little"}}
    assert compressed["name"] == "blosc"
    settings = {"typesize", "cname", "clevel", "shuffle", "blocksize"}
    assert set(compressed["configuration"]) == settings
    assert compressed["configuration"]["shuffle"] == "bitshuffle"
    assert document["data_type"] == "float32"


def test_repair_gives_the_very_bytes_back(folder: Path, tmp_path: Path) -> None:
    url = ingested(folder, tmp_path)
    assert verify_cube(url) == []
    chunks = sorted(Path(url, "HH", "c", "1").rglob("[0-9]"))
    victim = next(path for path in chunks if path.is_file())
    before = victim.read_bytes()
    victim.write_bytes(before[:-1])
    scenes = scenes_of(folder)
    repair_cube(url, lambda *_: scenes)
    assert victim.read_bytes() == before
    assert verify_cube(url) == []


def test_a_cube_keeps_the_precision_it_began_with(folder: Path, tmp_path: Path) -> None:
    """A cube of all bits, as earlier versions wrote them, is opened and goes on as it is."""
    scenes = scenes_of(folder)
    url = f"{tmp_path}/cube.zarr"
    append(url, scenes[0], chunk=32)
    before = open_cube(url).compute()
    append(url, scenes[1], chunk=32, precision=10)
    record = read_record(url)
    assert record is not None
    assert record.precision is None
    assert record.arrays["HH"]["codecs"][-1]["name"] == "zstd"
    np.testing.assert_array_equal(open_cube(url).HH[0], before.HH[0])


def test_a_cut_chunk_is_not_decoded() -> None:
    values = np.arange(64, dtype=np.float32).reshape(8, 8)
    document = {
        "data_type": "float32",
        "codecs": coding.codecs("HH", 10),
        "chunk_grid": {"configuration": {"chunk_shape": [1, 8, 8]}},
    }
    data = coding.encode(values, "HH", 10)
    np.testing.assert_array_equal(coding.decode(data, document), values.ravel())
    for broken in (data[:-1], data[:10], b"", data + b"\0", bytes(len(data))):
        with pytest.raises(ValueError, match=r"chunk|blosc"):
            coding.decode(broken, document)


@pytest.mark.parametrize("precision", [3, 23, "all", -1])
def test_other_precisions_are_refused(precision: object) -> None:
    with pytest.raises(ConfigError, match="precision"):
        RunConfig.parse({"ingest": {"precision": precision}})
