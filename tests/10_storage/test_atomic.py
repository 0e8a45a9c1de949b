"""Compare and swap, on a disk and on a real S3 server that decides conditional writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cpazmal_scale import storage
from cpazmal_scale.errors import StoreMissing, WriterConflict
from cpazmal_scale.storage import atomic

HOLDING = """
import sys, time
from cpazmal_scale.storage import atomic
with atomic.locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(params=["local", "deciding"])
def url(request: pytest.FixtureRequest, tmp_path) -> str:
    if request.param == "deciding":
        return request.getfixturevalue("deciding_url")
    return f"{tmp_path}/store"


@pytest.fixture
def lock(tmp_path) -> str:
    return f"{tmp_path}/lock"


def test_only_what_was_seen_is_replaced(url: str, lock: str) -> None:
    where = storage.join(url, "root.json")
    assert atomic.decides(url)
    nothing = atomic.look(where)
    assert nothing.data is None
    assert atomic.swap(where, nothing, b"one", lock=lock)
    assert not atomic.swap(where, nothing, b"other", lock=lock)
    one = atomic.look(where)
    assert atomic.swap(where, one, b"two", lock=lock)
    assert not atomic.swap(where, one, b"three", lock=lock)
    assert atomic.look(where).data == b"two"
    assert atomic.swap(where, one, b"two", lock=lock)


def test_every_scheme_of_s3_decides(deciding_url: str) -> None:
    for scheme in ("s3a", "S3"):
        where = f"{scheme}{deciding_url.removeprefix('s3')}/{scheme}.json"
        assert atomic.decides(where.rpartition("/")[0])
        assert atomic.swap(where, atomic.look(where), b"one", lock="never")
        one = atomic.look(where)
        assert one.tag
        assert atomic.swap(where, one, b"two", lock="never")
        assert not atomic.swap(where, one, b"three", lock="never")


def test_one_of_many_creates(url: str) -> None:
    where = storage.join(url, "manifest.json")
    with ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda n: atomic.create(where, b"%d" % n), range(8)))
    assert sum(created) == 1
    assert storage.read_bytes(where) == b"%d" % created.index(True)
    assert atomic.create(where, storage.read_bytes(where))


def test_one_of_many_swaps(url: str, lock: str) -> None:
    where = storage.join(url, "root.json")
    storage.write_bytes(where, b"before")
    seen = atomic.look(where)
    with ThreadPoolExecutor(8) as pool:
        swapped = list(pool.map(lambda n: atomic.swap(where, seen, b"%d" % n, lock=lock), range(8)))
    assert sum(swapped) == 1
    assert storage.read_bytes(where) == b"%d" % swapped.index(True)


def test_a_staged_object_gets_a_second_address(url: str) -> None:
    source, target = storage.join(url, "staged", "a"), storage.join(url, "x", "y", "a")
    storage.write_bytes(source, b"chunk")
    storage.write_bytes(target, b"left over")
    for _ in range(2):
        atomic.place(source, target)
        assert storage.read_bytes(target) == storage.read_bytes(source) == b"chunk"
    storage.remove(storage.join(url, "staged"), recursive=True)
    assert storage.read_bytes(target) == b"chunk"
    with pytest.raises(StoreMissing):
        atomic.place(source, target)


def test_a_server_that_does_not_decide_is_found_out(s3_url: str) -> None:
    assert not atomic.decides(s3_url)
    assert not [name for name in storage.list_names("s3://cpazmal") if "probe" in name]


def test_a_lock_is_held_by_who_stands_still_and_freed_by_who_dies(
    lock: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "PATIENCE", 0.1)
    command = [sys.executable, "-c", HOLDING, lock]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        os.kill(holder.pid, signal.SIGSTOP)
        with pytest.raises(WriterConflict, match="stands still"), atomic.locked(lock):
            pass
        os.kill(holder.pid, signal.SIGKILL)
    with atomic.locked(lock):
        assert Path(lock).exists()
