"""Storage: the same operations on a local folder and on a real S3 server."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from ftplib import error_temp
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
import zarr
from aiohttp import ServerDisconnectedError
from botocore.exceptions import EndpointConnectionError
from fsspec import AbstractFileSystem
from fsspec.exceptions import FSTimeoutError
from fsspec.implementations.memory import MemoryFileSystem
from s3fs import S3FileSystem
from support.limited_store import Rights, limited
from support.relay import relay
from support.servers import S3_QUIRKS, S3Server

from cpazmal_scale import storage
from cpazmal_scale.config import RunConfig
from cpazmal_scale.errors import ConfigError, StoreDamaged, StoreError, StoreMissing
from cpazmal_scale.storage import atomic, plain_get, seal, stores


@pytest.fixture(params=["", "FILE://", "s3://"])
def url(request: pytest.FixtureRequest, tmp_path) -> str:
    if request.param.lower().startswith("s3"):
        return str(request.getfixturevalue("s3_url")).replace("s3://", request.param)
    return f"{request.param}{tmp_path}/store"


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


@pytest.mark.parametrize("scheme", ["s3", "s3a", "S3"])
def test_what_another_process_wrote_is_listed(scheme: str, s3_url: str) -> None:
    """As a product that a later run publishes is, by a process that has looked before."""
    url = s3_url.replace("s3", scheme, 1)
    folder, group = storage.join(url, "listed"), storage.join(url, "group.zarr")
    storage.write_bytes(storage.join(folder, "a"), b"1")
    zarr.create_group(storage.zarr_store(group)).create_group("a")
    assert storage.list_names(folder) == ["a"]
    assert list(zarr.open_group(storage.zarr_store(group), mode="r").group_keys()) == ["a"]
    other = S3FileSystem(skip_instance_cache=True)
    for name in ("listed/b", "group.zarr/b/zarr.json"):
        document = storage.read_bytes(storage.join(group, "a", "zarr.json"))
        other.pipe_file(f"{s3_url}/{name}", document)
    assert storage.list_names(folder) == ["a", "b"]
    assert len(storage.find(folder)) == len(storage.sizes(folder)) == 2
    assert storage.tags(folder)
    found = zarr.open_group(storage.zarr_store(group), mode="r").group_keys()
    assert sorted(found) == ["a", "b"]


class Remembering(AbstractFileSystem):
    """A file system that keeps listings as those of object stores and FTP do."""

    there: ClassVar[list[str]] = []

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        if path not in self.dircache:
            found = [{"name": f"{path}/{one}", "size": 1, "type": "file"} for one in self.there]
            self.dircache[path] = found
        else:
            found = self.dircache[path]
        return found if detail else [one["name"] for one in found]


@pytest.mark.parametrize("scheme", ["gs", "gcs", "az", "abfs", "ABFSS", "oss", "ftp"])
@pytest.mark.parametrize("outer", ["", "simplecache::"])
def test_no_store_lists_what_was_there_before(
    scheme: str, outer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = type("Kept", (Remembering,), {"protocol": scheme.lower(), "there": ["a"]})
    monkeypatch.setitem(sys.modules["fsspec.registry"]._registry, scheme.lower(), kind)
    url = f"{outer}{scheme}://bucket/folder"
    assert storage.list_names(url) == ["a"]
    kind.there = ["a", "b"]
    assert storage.list_names(url) == ["a", "b"]


@pytest.mark.slow
def test_what_killed_processes_left_in_a_bucket_goes_a_day_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = S3Server(tmp_path)
    shared = tmp_path / "cpazmal" / "shared"
    days = {"dead/values": 2, "living/values": 2, "living/alive": 0.5, "recent/values": 0.5}
    for name, age in days.items():
        file = shared / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"1")
        os.utime(file, 2 * (time.time() - age * 86400,))
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    server.start()
    try:
        with storage.scratch("s3://cpazmal/shared") as folder:
            storage.write_bytes(f"{folder}/values", b"1")
            left = storage.list_names("s3://cpazmal/shared")
            assert left == sorted(["living", "recent", folder.rpartition("/")[2]])
        assert storage.list_names("s3://cpazmal/shared") == ["living", "recent"]
        monkeypatch.setattr(S3FileSystem, "retries", 1)
        with pytest.raises(StoreError, match="cannot read"), storage.scratch(f"{folder}"):  # noqa: PT012
            server.stop()
            storage.read_bytes(f"{folder}/values")
    finally:
        server.stop()
        S3FileSystem.clear_instance_cache()


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_temporary_files_without_a_place_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(path: object, *_: object) -> None:
        raise OSError(code, os.strerror(code), str(path))

    monkeypatch.setattr(os, "mkdir", full)
    with pytest.raises(StoreError, match="temporary files"), storage.local_scratch():
        pass


def test_a_process_says_that_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpazmal_scale.storage.temporary.RENEWED", 0.01)
    with storage.scratch("memory://alive/shared") as folder:
        alive = storage.join(folder, "alive")
        first, deadline = storage.modified(alive), time.monotonic() + 300
        while storage.modified(alive) == first:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert storage.list_names("memory://alive/shared") == []


def test_what_never_ends_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zero").symlink_to("/dev/zero")
    for name in ("pipe", "zero"):
        with pytest.raises(StoreError, match="pipe or device"):
            storage.read_bytes(str(tmp_path / name))
        with pytest.raises(StoreError, match="pipe or device"):
            storage.read_json(str(tmp_path / name))
        group = zarr.open_group(storage.zarr_store(str(tmp_path / "group")), mode="a")
        group.create_array(name, shape=4, chunks=2, dtype="u1")[:] = 1
        chunk = tmp_path / "group" / name / "c" / "1"
        chunk.unlink()
        chunk.symlink_to(tmp_path / name)
        with pytest.raises(StoreError, match="pipe or device"):
            group[name][:]  # type: ignore[index]
        assert group[name][:2].tolist() == [1, 1]  # type: ignore[index,union-attr]


def test_an_object_costs_one_request(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every byte between client and server is seen: one GET, and nothing asked before it."""
    import s3fs

    where = storage.join(s3_url, "object")
    storage.write_bytes(where, b"content")
    port = int(os.environ["AWS_ENDPOINT_URL"].rpartition(":")[2])
    with relay(port) as between:
        address = between.address.replace("tcp://", "http://")
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        s3fs.S3FileSystem.clear_instance_cache()
        assert storage.read_bytes(where) == b"content"
        with pytest.raises(StoreMissing):
            storage.read_bytes(f"{where}-that-is-not-there")
        looked = atomic.look(where)
        assert looked.data == b"content"
        assert looked.tag
        seen = bytes(between.seen)
    s3fs.S3FileSystem.clear_instance_cache()
    assert seen.count(b"GET /") == 3
    assert b"HEAD /" not in seen


def test_an_object_of_any_name_is_read_by_a_plain_request(s3_url: str) -> None:
    for name in ("a b+c", "ü/%20?&=#", "~(1)*'"):
        where = storage.join(s3_url, name)
        storage.write_bytes(where, name.encode())
        assert plain_get.get(where) == name.encode()


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({"AWS_SESSION_TOKEN": "of\nours"}, id="a token of two lines"),
        pytest.param(
            {"AWS_ENDPOINT_URL": "https://127.0.0.1:9", "AWS_CA_BUNDLE": "/not/there.pem"},
            id="certificates that are not there",
        ),
        pytest.param(
            {"AWS_ENDPOINT_URL": "https://127.0.0.1:9", "REQUESTS_CA_BUNDLE": "/not/there.pem"},
            id="certificates of every program",
        ),
        pytest.param({"HTTP_PROXY": "http://127.0.0.1:9"}, id="a proxy"),
        pytest.param({"AWS_ENDPOINT_URL": "localhost:9000"}, id="an endpoint without http"),
    ],
)
def test_settings_that_forbid_a_plain_request_are_left_to_s3fs(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]
) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    assert plain_get.get(storage.join(s3_url, "object")) is None


def test_a_host_beside_the_proxy_is_asked_at_its_port(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = storage.join(s3_url, "object")
    storage.write_bytes(where, b"content")
    S3FileSystem.clear_instance_cache()
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", os.environ["AWS_ENDPOINT_URL"].partition("://")[2])
    assert plain_get.get(where) == b"content"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"AWS_ENDPOINT_URL": "localhost:9000"}, "endpoint", id="no http"),
        pytest.param(
            {
                "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/cube",
                "AWS_WEB_IDENTITY_TOKEN_FILE": "/not/there",
            },
            "/not/there is not there",
            id="no token of a role",
        ),
    ],
)
def test_settings_of_a_store_that_are_wrong_are_no_missing_object(
    s3_url: str, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], message: str
) -> None:
    if "AWS_ROLE_ARN" in settings:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    for ask in (storage.read_bytes, storage.list_names):
        with pytest.raises(StoreError, match=message) as told:
            ask(storage.join(s3_url, "object"))
        assert not isinstance(told.value, StoreMissing)


def test_a_server_that_hangs_is_waited_for_once(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many connections lie idle: s3fs asks then."""
    where, together = storage.join(s3_url, "object"), threading.Barrier(3)
    storage.write_bytes(where, b"content")
    answered, waited = HTTPConnection.getresponse, []

    def at_once(connection: HTTPConnection) -> HTTPResponse:
        together.wait(300)
        return answered(connection)

    def hangs(connection: HTTPConnection) -> HTTPResponse:
        waited.append(connection)
        raise TimeoutError

    monkeypatch.setattr(HTTPConnection, "getresponse", at_once)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(plain_get.get, 3 * [where])) == 3 * [b"content"]
    monkeypatch.setattr(HTTPConnection, "getresponse", hangs)
    assert plain_get.get(where) is None
    assert len(waited) == 1


class Scripted(BaseHTTPRequestHandler):
    """Answers as told: status by status, the bytes `content`; asked are the fields of requests."""

    protocol_version = "HTTP/1.1"
    script: ClassVar[list[int]] = []
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(str(self.headers["User-Agent"]))
        status = self.script.pop(0)
        self.send_response(status or 200)
        self.send_header("Content-Length", "7")
        self.end_headers()
        self.wfile.write(b"content" if status else b"cut")
        self.close_connection = status in (0, 200)  # without a word of it

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.mark.parametrize(
    ("script", "plain"),
    [
        pytest.param([200, 200, 200], 3, id="connections that the server has closed"),
        pytest.param([503, 200, 200, 200], 3, id="busy"),
        pytest.param([0, 200, 200, 200], 3, id="cut"),
        pytest.param([403, 200, 200, 200], 1, id="refused from the first request on"),
        pytest.param([200, 403, 200, 200], 3, id="refused later"),
    ],
)
def test_s3fs_asks_again_for_what_a_plain_request_does_not_get(
    s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch, script: list[int], plain: int
) -> None:
    monkeypatch.setattr(Scripted, "script", list(script))
    monkeypatch.setattr(Scripted, "asked", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    endpoint = {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}"}
    for name, value in (s3_server | endpoint).items():
        monkeypatch.setenv(name, value)
    S3FileSystem.clear_instance_cache()
    try:
        assert [storage.read_bytes("s3://scripted/object") for _ in range(3)] == 3 * [b"content"]
    finally:
        S3FileSystem.clear_instance_cache()
        server.shutdown()
        server.server_close()
        thread.join()
    assert Scripted.asked.count("None") == plain
    assert len(Scripted.asked) == len(script)


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
    with pytest.raises(StoreMissing, match="there is no such bucket"):
        storage.read_bytes("s3://no-such-bucket-here/x")
    with pytest.raises(StoreMissing, match="there is no such bucket"):
        storage.list_names("s3://missing-bucket/workspace/catalog.d")
    assert storage.list_names(f"{s3_url}/absent/catalog.d") == []


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


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError(),
        FSTimeoutError(),
        ConnectionResetError(),
        OSError(errno.EREMOTEIO, "no answer"),
        IncompleteRead(b"half", 4),
        error_temp("421 too many users"),
        ServerDisconnectedError(),
        EndpointConnectionError(endpoint_url="http://away"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_connection_that_breaks_is_no_damage(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object, **__: object) -> bytes:
        raise error

    monkeypatch.setattr(MemoryFileSystem, "cat_file", breaks)
    url = "memory://away/model"
    with pytest.raises(StoreError, match="cannot read") as told:
        storage.read_bytes(url)
    with (
        pytest.raises(StoreError, match="cannot read") as decoding,
        seal.parsing("not a model", url, "train again"),
    ):
        breaks()
    for one in (told, decoding):
        assert not isinstance(one.value, StoreDamaged | StoreMissing)
        assert "\n" not in str(one.value)


def test_an_end_of_file_is_of_the_connection_where_the_client_meets_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As paramiko tells of a connection that is closed; decoders tell of files that are cut so."""
    there: dict[str, Any] = {"__name__": "paramiko.sftp"}
    exec("def breaks(*_, **__):\n    raise EOFError", there)
    url = "memory://away/model"
    monkeypatch.setattr(MemoryFileSystem, "cat_file", there["breaks"])
    with pytest.raises(StoreError, match=r"cannot read \(EOFError\)") as told:
        storage.read_bytes(url)
    with (
        pytest.raises(StoreError, match="cannot read") as decoding,
        seal.parsing("not a model", url, "train again"),
    ):
        there["breaks"]()
    assert not any(isinstance(one.value, StoreDamaged) for one in (told, decoding))
    with pytest.raises(StoreDamaged), seal.parsing("not a model", url, "train again"):
        raise EOFError


def test_a_folder_that_may_not_be_removed_is_told(
    s3_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b/c", "[d]/e"):
        storage.write_bytes(f"{s3_url}/kept/{name}", b"x")
    with (
        limited(os.environ["AWS_ENDPOINT_URL"], Rights("", remove=False)) as endpoint,
        monkeypatch.context() as patched,
    ):
        patched.setenv("AWS_ENDPOINT_URL", endpoint)
        S3FileSystem.clear_instance_cache()
        for folder in ("kept", "kept/[d]"):
            with pytest.raises(StoreError, match="no permission to remove"):
                storage.remove(f"{s3_url}/{folder}", recursive=True)
        storage.remove(f"{s3_url}/nothing", recursive=True)
        assert len(storage.find(f"{s3_url}/kept")) == 3
    S3FileSystem.clear_instance_cache()
    storage.remove(f"{s3_url}/kept", recursive=True)
    assert storage.find(f"{s3_url}/kept") == []


def test_a_listing_that_breaks_is_no_damage(monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: object, **__: object) -> list[str]:
        raise OSError("slow down")

    url = "memory://away/listed.zarr"
    zarr.create_group(storage.zarr_store(url))
    monkeypatch.setattr(MemoryFileSystem, "ls", breaks)
    group = zarr.open_group(stores.open_checked(url, "make it again"), mode="r")
    with (
        pytest.raises(StoreError, match=r"cannot list \(slow down\)"),
        seal.parsing("not a map", url, "make it again"),
    ):
        list(group.members())


READS = """
import sys, zarr
from cpazmal_scale import storage
assert storage.read_bytes("s3://cpazmal/note") == b"read"
root = zarr.open_group(storage.zarr_store("s3://cpazmal/group.zarr", read_only=True), mode="r")
assert root.attrs["name"] == "opened"
"""


@pytest.mark.slow
def test_credentials_come_from_the_environment_or_fsspec(tmp_path: Path) -> None:
    """Keys, profile, endpoint, region and anonymous access, each in a process of its own."""
    import zarr

    closed, opened = S3Server(tmp_path / "closed"), S3Server(tmp_path / "open", secret=None)
    for server in (closed, opened):
        bucket = server.folder / "cpazmal"
        bucket.mkdir(parents=True)
        (bucket / "note").write_bytes(b"read")
        zarr.create_group(str(bucket / "group.zarr"), attributes={"name": "opened"})
        server.start()
    url = closed.environment["AWS_ENDPOINT_URL"]
    keys = {"key": "KEY", "secret": "SECRET", "endpoint_url": url}
    region = {"client_kwargs": {"region_name": "eu-central-1"}}
    (tmp_path / "credentials").write_text(
        "[glaciers]\naws_access_key_id = KEY\naws_secret_access_key = SECRET\n"
    )
    (tmp_path / "config").write_text(
        f"[profile glaciers]\nregion = eu-central-1\nendpoint_url = {url}\n"
    )
    (tmp_path / "fsspec").mkdir()
    (tmp_path / "fsspec" / "s3.json").write_text(json.dumps({"s3": {**keys, **region}}))
    anonymous = {"anon": True, "endpoint_url": opened.environment["AWS_ENDPOINT_URL"]}
    ways = {
        "environment": closed.environment,
        "profile": {
            "AWS_PROFILE": "glaciers",
            "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
            "AWS_CONFIG_FILE": str(tmp_path / "config"),
        },
        "fsspec variable": {"FSSPEC_S3": json.dumps({**keys, **region})},
        "fsspec file": {"FSSPEC_CONFIG_DIR": str(tmp_path / "fsspec")},
        "anonymous": {"FSSPEC_S3": json.dumps(anonymous)},
    }
    base = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "FSSPEC_"))}
    base |= {**S3_QUIRKS, "HOME": str(tmp_path)}
    try:
        running = {
            way: subprocess.Popen(
                [sys.executable, "-c", READS], env={**base, **given}, stderr=subprocess.PIPE
            )
            for way, given in ways.items()
        }
        said = {way: process.communicate(timeout=500)[1] for way, process in running.items()}
        assert {w: said[w].decode()[-500:] for w, p in running.items() if p.returncode} == {}
        refused = subprocess.run(
            [sys.executable, "-c", READS],
            env={**base, "FSSPEC_S3": json.dumps({**anonymous, "endpoint_url": url})},
            capture_output=True,
            text=True,
        )
        assert "StoreError" in refused.stderr
    finally:
        closed.stop()
        opened.stop()


@pytest.mark.parametrize("key", ["workspace", "ingest.scenes"])
def test_an_address_with_a_password_is_refused_and_not_repeated(key: str) -> None:
    address = "s3://KEY:hunter2@glaciers/paz"
    settings = {key: address} if "." not in key else {"ingest": {"scenes": address}}
    with pytest.raises(ConfigError, match="holds a password") as caught:
        RunConfig.parse(settings)
    assert "hunter2" not in str(caught.value)
