"""Checksums of groups, documents and files: whatever is altered, lost or added is an error."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreDamaged, StoreMissing
from cpazmal_scale.storage import groups, seal
from cpazmal_scale.storage.stores import Recording, open_checked

REMEDY = "make it again"
VALUES = np.arange(24, dtype=np.float32).reshape(4, 6)


def documents() -> dict[str, bytes]:
    """Objects of a Zarr group, as Zarr itself writes them."""
    memory: dict[str, object] = {}
    group = zarr.open_group(MemoryStore(memory), mode="w", attributes=groups.marked({"a": 1}))
    group.create_array("values", data=VALUES, chunks=(2, 6))
    return {key: value.to_bytes() for key, value in memory.items()}  # type: ignore[attr-defined]


def read(url: str) -> tuple[np.ndarray, object]:
    group = zarr.open_group(open_checked(url, REMEDY), mode="r")
    return np.asarray(group["values"][:]), group.attrs["a"]


@pytest.fixture
def group(tmp_path: Path) -> Path:
    groups.write_group(str(tmp_path / "g"), documents())
    return tmp_path / "g"


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1 << at % 8
    path.write_bytes(data)


def test_a_group_is_read_as_it_was_written(group: Path) -> None:
    values, attribute = read(str(group))
    np.testing.assert_array_equal(values, VALUES)
    assert attribute == 1
    plain = zarr.open_group(group, mode="r")  # any Zarr reader opens it
    np.testing.assert_array_equal(plain["values"][:], VALUES)


@pytest.mark.parametrize("name", [*sorted(documents()), groups.SUMS])
def test_no_object_of_a_group_is_altered_or_lost_in_silence(group: Path, name: str) -> None:
    path = group / name
    whole = path.read_bytes()
    for at in range(0, len(whole), max(1, len(whole) // 40)):
        flip(path, at)
        try:
            values, attribute = read(str(group))
        except (StoreDamaged, StoreMissing):
            pass
        else:
            np.testing.assert_array_equal(values, VALUES)
            assert attribute == 1
        path.write_bytes(whole)
    path.unlink()
    with pytest.raises(StoreMissing if name == groups.ROOT else StoreDamaged):
        read(str(group))


def test_a_chunk_that_was_never_written_is_surplus(group: Path) -> None:
    known = groups.read_sums(str(group), REMEDY)
    left = {key: crc for key, crc in known.documents.items() if key != "values/c/1/0"}
    root = (group / groups.ROOT).read_bytes()
    (group / groups.SUMS).write_bytes(groups.sums_document(groups.Sums(left, {}), root))
    with pytest.raises(StoreDamaged, match="surplus"):
        read(str(group))


def test_chunks_that_come_later_are_listed_with_the_root(tmp_path: Path) -> None:
    """As a map is made: a template, its chunks by workers, and the end."""
    url, chunk = str(tmp_path / "g"), "values/c/1/0"
    objects = documents()
    late = {chunk: objects.pop(chunk)}
    groups.write_group(url, objects)
    store = Recording(url)
    buffer = default_buffer_prototype().buffer.from_bytes(late[chunk])
    asyncio.run(store.set(chunk, buffer))
    assert store.sums == {chunk: zlib.crc32(late[chunk])}
    with pytest.raises(StoreDamaged, match="surplus"):
        read(url)
    groups.finish_group(url, objects[groups.ROOT], store.sums, REMEDY)
    np.testing.assert_array_equal(read(url)[0], VALUES)
    assert groups.is_sound(url, store.sums)
    group = json.loads(objects[groups.ROOT])
    group["attributes"]["a"] = 2
    groups.replace_documents(url, {groups.ROOT: json.dumps(group).encode()}, REMEDY)
    values, attribute = read(url)
    np.testing.assert_array_equal(values, VALUES)
    assert attribute == 2
    flip(tmp_path / "g" / chunk, 5)
    assert not groups.is_sound(url, store.sums)
    asyncio.run(store.delete(chunk))
    assert not store.sums
    assert not groups.is_sound(url, {chunk: 1})


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        (None, slice(None)),
        (RangeByteRequest(2, 7), slice(2, 7)),
        (OffsetByteRequest(5), slice(5, None)),
        (SuffixByteRequest(4), slice(-4, None)),
        (SuffixByteRequest(len(documents()["values/c/0/0"]) + 3), slice(None)),
    ],
)
def test_parts_of_an_object_are_those_of_the_whole(group: Path, asked, meant: slice) -> None:  # type: ignore[no-untyped-def]
    store, key = open_checked(str(group), REMEDY), "values/c/0/0"
    whole = (group / key).read_bytes()

    async def parts() -> list[bytes]:
        kind = default_buffer_prototype()
        one = await store.get(key, kind, asked)
        many = await store.get_partial_values(kind, [(key, asked)])
        return [found.to_bytes() for found in (one, *many) if found is not None]

    assert asyncio.run(parts()) == [whole[meant]] * 2
    flip(group / key, len(whole) - 1)
    with pytest.raises(StoreDamaged, match="altered"):
        asyncio.run(parts())


def test_a_group_without_checksums_is_read_as_it_is(tmp_path: Path) -> None:
    made = zarr.open_group(tmp_path / "old", mode="w", attributes={"a": 1})
    made.create_array("values", data=VALUES)
    np.testing.assert_array_equal(read(str(tmp_path / "old"))[0], VALUES)


@pytest.mark.parametrize(
    "alter",
    [
        lambda d: d.update(a=2),
        lambda d: d.update(more=1),
        lambda d: d.pop("a"),
        lambda d: d.update(seal="sha256:0"),
        lambda d: d.update(sael=d.pop("seal")),
    ],
)
def test_a_sealed_document_is_what_was_written(
    tmp_path: Path, alter: Callable[[dict[str, object]], object]
) -> None:
    url = str(tmp_path / "d.json")
    seal.write_document(url, {"a": 1, "b": [1.5, "é"]})
    assert seal.read_document(url) == {"a": 1, "b": [1.5, "é"]}
    stored = storage.read_json(url)
    alter(stored)
    storage.write_json(url, stored)
    with pytest.raises(StoreDamaged, match="altered"):
        seal.read_document(url)


def test_documents_without_a_seal_and_without_fields(tmp_path: Path) -> None:
    url = str(tmp_path / "d.json")
    storage.write_json(url, {"a": 1})
    assert seal.read_document(url) == {"a": 1}
    storage.write_json(url, [1])
    with pytest.raises(StoreDamaged, match="not a document of fields"):
        seal.read_document(url)
    (tmp_path / "d.json").write_text("{")
    with pytest.raises(StoreDamaged, match="not a JSON document"):
        seal.read_document(url)


def test_a_trailer_sees_every_bit(tmp_path: Path) -> None:
    data = bytes(range(200))
    whole = seal.with_trailer(data, 150)
    seal.check_trailer(whole, "x", REMEDY)
    for bit in range(8 * len(whole)):
        altered = bytearray(whole)
        altered[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StoreDamaged, match="altered"):
            seal.check_trailer(bytes(altered), "x", REMEDY, required=True)
    seal.check_trailer(data, "x", REMEDY)
    with pytest.raises(StoreDamaged):
        seal.check_trailer(data, "x", REMEDY, required=True)


def test_shared_arrays_are_named_by_their_content(tmp_path: Path) -> None:
    arrays = {"values": VALUES, "labels": np.array(["a", "é"])}
    url = storage.write_arrays(str(tmp_path), arrays)
    assert storage.write_arrays(str(tmp_path), arrays) == url
    found = storage.read_arrays(url)
    assert set(found) == set(arrays)
    for name, values in arrays.items():
        np.testing.assert_array_equal(found[name], values)
    flip(Path(url), 300)
    with pytest.raises(StoreDamaged, match="altered"):
        storage.read_arrays(url)
    with pytest.raises(ValueError, match="allow_pickle"):
        storage.write_arrays(str(tmp_path), {"values": np.array([object()])})
