"""Every reader of a cube notices a lost, altered or exchanged chunk: an error, never no-data."""

from __future__ import annotations

import asyncio
import pickle
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from support.small_campaign import make_cube
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype

from cpazmal_scale import catalog, storage
from cpazmal_scale.cube import ChunkReader, open_cube, read_record, window_pixels
from cpazmal_scale.cube.format import layout
from cpazmal_scale.cube.read.checked import CheckedChunks
from cpazmal_scale.cube.read.zarr_store import CubeStore
from cpazmal_scale.errors import CubeDamaged


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_cube(f"{tmp_path_factory.mktemp('sound')}/cube.zarr")


@pytest.fixture
def url(sound: str, tmp_path: Path) -> str:
    """A copy to be damaged."""
    shutil.copytree(sound, tmp_path / "cube.zarr")
    return f"{tmp_path}/cube.zarr"


def through_xarray(url: str) -> xr.Dataset:
    return open_cube(url).compute()


def through_catalog(url: str) -> xr.Dataset:
    root, name = url.rsplit("/", 1)
    catalog.publish(root, catalog.Entry("cube", "cube", name))
    return catalog.read(root, "cube").compute()


def through_windows(url: str) -> list[object]:
    cube = open_cube(url)
    rows, columns = np.mgrid[0 : cube.sizes["y"] - 8 : 8, 0 : cube.sizes["x"] - 8 : 8]
    corners = rows.ravel().astype(np.int64), columns.ravel().astype(np.int64)
    return list(window_pixels(cube, *corners, 9, ("HH", "HV")))


def through_reader(url: str) -> None:
    times = open_cube(url)["time"].to_numpy().astype("datetime64[s]")
    reader = ChunkReader.open(url, ("HH", "HV"), tuple(str(time) for time in times))
    reader.read(*reader.buffers(*reader.shape), 0, 0)


READERS = (through_xarray, through_catalog, through_windows, through_reader)


def lose(chunk: Path) -> None:
    chunk.unlink()


def flip(chunk: Path) -> None:
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 4
    chunk.write_bytes(data)


def exchange(chunk: Path) -> None:
    """Another chunk's bytes: they decode, but are not what was written here."""
    shutil.copyfile(chunk.with_name("1"), chunk)


def empty(chunk: Path) -> None:
    chunk.write_bytes(b"")


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize(
    ("damage", "found"),
    [(lose, "is lost"), (flip, "is altered"), (exchange, "is altered"), (empty, "is altered")],
)
@pytest.mark.parametrize("layer", ["HV", "mask"])
def test_damaged_chunk_is_an_error_for_every_reader(
    read: Callable[[str], object], damage: Callable[[Path], None], found: str, layer: str, url: str
) -> None:
    damage(Path(url, layer, "c", "4", "1", "2"))
    with pytest.raises(CubeDamaged, match=f"chunk 1,2 of {layer} of .* {found}"):
        read(url)


RANGES = (
    (RangeByteRequest(3, 9), slice(3, 9)),
    (OffsetByteRequest(5), slice(5, None)),
    (SuffixByteRequest(4), slice(-4, None)),
    (None, slice(None)),
)


def test_a_part_of_a_chunk_is_compared_too(url: str) -> None:
    """Byte ranges, as sharded or lazily decoded arrays ask for; several at a time as well."""
    store, buffers = CubeStore(read_record(url)), default_buffer_prototype()
    key, ways = "HH/c/4/1/2", [wanted for wanted, _ in RANGES]

    async def parts() -> list[list[bytes]]:
        one_by_one = [await store.get(key, buffers, one) for one in ways]
        together = await store.get_partial_values(buffers, [(key, one) for one in ways])
        return [[part.to_bytes() for part in found] for found in (one_by_one, together)]

    whole = Path(url, key).read_bytes()
    assert asyncio.run(parts()) == [[whole[part] for _, part in RANGES]] * 2
    flip(Path(url, key))
    for one in ways:
        with pytest.raises(CubeDamaged, match=r"chunk 1,2 of HH of .* is altered"):
            asyncio.run(store.get(key, buffers, one))
        with pytest.raises(CubeDamaged, match=r"chunk 1,2 of HH of .* is altered"):
            asyncio.run(store.get_partial_values(buffers, [(key, one)]))


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("damage", [lose, flip])
def test_damaged_list_is_an_error_for_every_reader(
    read: Callable[[str], object], damage: Callable[[Path], None], url: str
) -> None:
    damage(Path(url, "stored", "HH", "c", "2", "0", "0"))
    with pytest.raises(CubeDamaged, match="the list of chunks of HH of"):
        read(url)


@pytest.mark.parametrize("name", ["x", "y", "time", "scene_id", "polarisations"])
@pytest.mark.parametrize("damage", [lose, flip])
def test_damaged_coordinate_is_an_error(
    name: str, damage: Callable[[Path], None], url: str
) -> None:
    damage(Path(url, name, "c", "0"))
    with pytest.raises(CubeDamaged, match=f"coordinate {name}|cannot be opened"):
        open_cube(url)


def test_coordinate_of_another_grid_is_an_error(url: str) -> None:
    edge = np.arange(open_cube(url).sizes["x"], dtype=np.float64)
    Path(url, "x", "c", "0").write_bytes(layout.encode(edge))
    with pytest.raises(CubeDamaged, match="the coordinate x is altered"):
        open_cube(url)


def test_sound_cube_reads_as_plain_xarray_does(url: str) -> None:
    seen = open_cube(url).compute()
    plain = xr.open_zarr(url, consolidated=True, decode_coords="all").sortby("time")
    for name in ("HH", "HV", "mask"):
        np.testing.assert_array_equal(seen[name], plain[name])


def test_open_cube_travels_to_other_processes(url: str) -> None:
    cube = open_cube(url)
    there = pickle.loads(pickle.dumps(cube))
    xr.testing.assert_identical(there.compute(), cube.compute())


def test_a_reader_that_is_open_sees_a_repair(url: str) -> None:
    """Other bytes and another list, as a repair from a changed source leaves them."""
    record = read_record(url)
    assert record is not None
    chunks = CheckedChunks(record)
    before = chunks.values("HH", 0, (1, 1))
    assert before is not None
    data = layout.encode(before * np.float32(2))
    sums = chunks.sums("HH", 0).copy()
    storage.write_bytes(f"{url}/HH/c/0/1/1", data)
    with pytest.raises(CubeDamaged, match="is altered"):
        chunks.values("HH", 0, (1, 1))
    sums[1, 1] = zlib.crc32(data)
    storage.write_bytes(f"{url}/stored/HH/c/0/0/0", layout.encode(sums))
    np.testing.assert_array_equal(chunks.values("HH", 0, (1, 1)), before * np.float32(2))
