"""Storage: the same operations on a local folder and on a real S3 server."""

from __future__ import annotations

import errno
import os

import pytest

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreError, StoreMissing


@pytest.fixture(params=["local", "file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path) -> str:
    if request.param == "s3":
        return request.getfixturevalue("s3_url")
    return f"file://{tmp_path}/store" if request.param == "file" else f"{tmp_path}/store"


def test_write_read_replace_list_remove(url: str) -> None:
    target = storage.join(url, "a", "b.bin")
    assert not storage.exists(target)
    storage.write_bytes(target, b"one")
    storage.write_bytes(target, b"two")
    assert storage.read_bytes(target) == b"two"
    assert storage.exists(target)
    storage.write_json(storage.join(url, "a", "c.json"), {"x": [1, 2.5, None]})
    assert storage.read_json(storage.join(url, "a", "c.json")) == {"x": [1, 2.5, None]}
    assert storage.list_names(storage.join(url, "a")) == ["b.bin", "c.json"]
    assert storage.list_names(storage.join(url, "nowhere")) == []
    storage.remove(target)
    storage.remove(target)
    assert storage.list_names(storage.join(url, "a")) == ["c.json"]
    storage.remove(storage.join(url, "a"), recursive=True)
    assert storage.list_names(storage.join(url, "a")) == []


def test_create_does_not_replace(url: str) -> None:
    target = storage.join(url, "lease")
    assert storage.create_bytes(target, b"first")
    assert not storage.create_bytes(target, b"second")
    assert storage.read_bytes(target) == b"first"


def test_missing_is_one_sentence(url: str) -> None:
    with pytest.raises(StoreMissing, match="nothing is stored here; check") as caught:
        storage.read_bytes(storage.join(url, "absent"))
    assert "absent" in str(caught.value)


def test_not_json_is_one_sentence(url: str) -> None:
    storage.write_bytes(storage.join(url, "x.json"), b"{")
    with pytest.raises(StoreError, match="not a JSON document"):
        storage.read_json(storage.join(url, "x.json"))


def test_open_local_and_upload(url: str, tmp_path) -> None:
    source = tmp_path / "source.bin"
    source.write_bytes(b"content")
    storage.upload(source, storage.join(url, "copy.bin"))
    with storage.open_local(storage.join(url, "copy.bin")) as path:
        assert path.read_bytes() == b"content"
        assert path.name == "copy.bin"


def test_bucket_missing(s3_url: str) -> None:
    with pytest.raises(StoreError):
        storage.write_bytes("s3://no-such-bucket-here/x", b"1")


def test_failed_local_write_leaves_nothing(tmp_path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StoreError):
        storage.write_bytes(str(tmp_path / "folder"), b"data")
    assert [p.name for p in tmp_path.iterdir()] == ["folder"]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "the disk is full; free space and run again"),
        (errno.EROFS, "the file system is read-only; choose another workspace"),
        (errno.EIO, "cannot write"),
    ],
)
def test_what_the_disk_says_is_one_sentence(
    number: int, message: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(StoreError, match=message):
        storage.write_bytes(f"{tmp_path}/x", b"1")
    assert list(tmp_path.iterdir()) == []
