"""The local server: nobody but its own page is answered, and nothing of it leaves the machine."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from support import browser as chromium

from cpazmal_scale import web
from cpazmal_scale.errors import ConfigError, StoreMissing

HOSTILE = "<script>window.hacked = 1</script>"
PLACE = {"shape": [900, 700], "metres": [3.0, 2.5], "transform": [5e5, 2.5, 0, 5.1e6, 0, -3]}


def name(_: Request) -> Response:
    return web.answer({"name": HOSTILE, "place": PLACE, "hole": float("nan")})


async def total(request: Request) -> Response:
    return web.answer({"sum": sum(await request.json())})


def fail(_: Request) -> Response:
    raise StoreMissing("nothing is here", where="s3://bucket/<b>", remedy="look elsewhere")


ROUTES = (
    Route("/name", name),
    Route("/sum", total, methods=["POST"]),
    Route("/fail", fail),
)


@pytest.fixture(scope="module")
def closed() -> list[str]:
    return []


@pytest.fixture(scope="module")
def server(closed: list[str]) -> Iterator[str]:
    page = web.Page("support", "local_page", ROUTES, lambda: closed.append("closed"))
    with web.running(page) as running:
        yield running.url
    assert closed == ["closed"]


def ask(
    url: str, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """What a program other than a browser gets; `Host` is as given, or the server's."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    line = http.client.HTTPConnection(parts.hostname, parts.port, timeout=300)
    line.putrequest(method, path, skip_host="host" in headers)
    for key, value in headers.items():
        line.putheader(key.replace("_", "-"), value)
    line.putheader("content-length", str(len(body or "")))
    line.endheaders(None if body is None else body.encode())
    with line.getresponse() as got:
        return got.status, {k.lower(): v for k, v in got.getheaders()}, got.read()


@pytest.fixture(scope="module")
def cookie(server: str) -> str:
    parts = urlsplit(server)
    status, headers, _ = ask(server, f"{parts.path}?{parts.query}")
    assert status == 200
    held = headers["set-cookie"]
    assert all(word in held for word in ("HttpOnly", "SameSite=strict", f"Path={parts.path}"))
    assert parts.query.partition("=")[2] not in held
    return held.partition(";")[0]


def test_the_page_is_answered(server: str, cookie: str) -> None:
    path, origin = urlsplit(server).path, "http://" + urlsplit(server).netloc
    status, headers, body = ask(server, path + "name", cookie=cookie)
    assert (status, json.loads(body)["name"]) == (200, HOSTILE)
    assert json.loads(body)["hole"] is None
    assert headers["content-security-policy"].startswith("default-src 'self'; object-src 'none'")
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    posted = ask(server, path + "sum", "POST", "[1, 2]", cookie=cookie, origin=origin)
    assert json.loads(posted[2]) == {"sum": 3}
    status, _, body = ask(server, path + "fail", cookie=cookie)
    assert status == 404
    assert json.loads(body)["error"] == "s3://bucket/<b>: nothing is here; look elsewhere"


@pytest.mark.parametrize(
    "headers",
    [
        {"cookie": ""},
        {"cookie": "cpazmal=guess"},
        {"host": "evil.example:{port}"},
        {"host": "localhost.evil.example"},
        {"host": "127.0.0.1"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
    ],
    ids=lambda h: "-".join(f"{k}={v}" for k, v in h.items()),
)
def test_nobody_else_is_answered(server: str, cookie: str, headers: dict[str, str]) -> None:
    port = str(urlsplit(server).port)
    sent = {"cookie": cookie} | {k: v.format(port=port) for k, v in headers.items()}
    status, found, body = ask(server, urlsplit(server).path + "name", **sent)
    assert status in (403, 421)
    assert HOSTILE.encode() not in body
    assert "set-cookie" not in found


def test_nothing_is_changed_without_an_origin(server: str, cookie: str) -> None:
    path = urlsplit(server).path + "sum"
    assert ask(server, path, "POST", "[1]", cookie=cookie)[0] == 403


@pytest.mark.parametrize("key", ["", "guess", "é"])
def test_a_wrong_key_opens_nothing(server: str, key: str) -> None:
    from urllib.parse import quote

    status, headers, _ = ask(server, f"{urlsplit(server).path}?key={quote(key)}")
    assert status == 403
    assert "set-cookie" not in headers


@pytest.mark.parametrize("path", ["../guard.py", "lib/../guard.py", "%2e%2e/guard.py", "lib/x.js"])
def test_files_outside_the_page_are_not_served(server: str, cookie: str, path: str) -> None:
    assert ask(server, urlsplit(server).path + path, cookie=cookie)[0] == 404


def test_other_places_of_the_server_hold_nothing(server: str, cookie: str) -> None:
    for path in ("/", "/name", "/favicon.ico", "/0123456789abcdef/"):
        assert ask(server, path)[0] == 403
        assert ask(server, path, cookie=cookie)[0] == 404


def test_a_browser_is_started_with_an_address_that_works_once() -> None:
    page = web.Page("support", "local_page", ROUTES)
    with web.running(page) as running:
        parts = urlsplit(running.once)
        answers = [ask(running.once, f"{parts.path}?{parts.query}")[0] for _ in range(2)]
        assert answers == [200, 403]
        parts = urlsplit(running.url)
        answers = [ask(running.url, f"{parts.path}?{parts.query}")[0] for _ in range(2)]
        assert answers == [200, 200]


def test_only_this_machine_is_listened_to(server: str) -> None:
    import psutil

    port = urlsplit(server).port
    found = [c for c in psutil.Process().net_connections("inet") if c.status == "LISTEN"]
    assert {c.laddr.ip for c in found if c.laddr.port == port} == {"127.0.0.1"}


def test_a_taken_port_is_one_sentence() -> None:
    page = web.Page("support", "local_page", ROUTES)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with (
            pytest.raises(ConfigError, match=f"port {taken} cannot be used"),
            web.running(page, taken),
        ):
            pass
    with pytest.raises(ConfigError, match="no such port"), web.running(page, 70000):
        pass


def test_ctrl_c_ends_it(tmp_path: Path) -> None:
    code = (
        "from cpazmal_scale import web\n"
        "page = web.Page('support', 'local_page', (), lambda: print('closed', flush=True))\n"
        "web.serve(page, browser=False, say=lambda *told: print(*told, flush=True))\n"
        "print('after', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[1],
        env={"PYTHONPATH": f"{Path(__file__).parents[2]}:{Path(__file__).parents[1]}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    url, port = process.stdout.readline().split()
    assert f"//127.0.0.1:{port}/" in url
    assert ask(url, "/")[0] == 403
    process.send_signal(signal.SIGINT)
    rest, wrong = process.communicate(timeout=300)
    assert rest.split() == ["closed", "after"]
    assert (process.returncode, wrong) == (0, "")


@pytest.mark.skipif(chromium.missing() is not None, reason=str(chromium.missing()))
def test_a_real_browser(server: str, tmp_path: Path) -> None:
    with chromium.browser(tmp_path) as window:
        window.open(server)
        window.wait("return document.documentElement?.dataset.ready === 'yes'")
        address = window.run("return location.href")
        assert address == server.partition("?")[0]
        assert window.run("return document.cookie") == ""
        assert window.run("return document.getElementById('name').textContent") == HOSTILE
        assert window.run("return [window.hacked, window.inline]") == [None, None]
        found = window.run("return window.result")
        assert found["sum"] == 5
        assert found["away"] == pytest.approx([500123, 5100456])
        assert (found["pixel"], found["beyond"], found["levels"]) == ([7, 11], None, 3)
        said = window.run("return document.getElementById('said').textContent")
        assert said == "s3://bucket/<b>: nothing is here; look elsewhere"
        hosts = {urlsplit(url).netloc for url in window.requests() if url.startswith("http")}
        assert hosts == {urlsplit(server).netloc}
        refused = [entry for entry in window.log("browser") if "inline" in entry["message"]]
        assert refused
        window.open(f"http://127.0.0.1:{urlsplit(server).port}/")
        assert "key" in window.run("return document.body.textContent")


def test_the_map_library_names_no_address() -> None:
    """Names of reference systems look like addresses; nobody asks them."""
    import re
    from importlib import resources

    names = re.compile(r"https?://www\.(opengis\.net/(def|gml)|w3\.org)/")
    for one in (resources.files("cpazmal_scale.web") / "files").iterdir():
        if one.name.endswith((".js", ".css", ".svg", ".html")):
            rest = names.sub("", one.read_text())
            assert not re.search(r"https?://\w|//[a-z]+\.[a-z]", rest), one.name
