"""The view of a large map: seconds to the first tile, down to pixels, and to series of pixels.

`python -m benchmarks.view FOLDER MAP CUBE MODEL`: the last three below a folder, from local disk
and from an S3 server over the folder (its subfolders are the buckets) behind 30 ms. Asked over
HTTP, as the page does; the server is a process of its own, whose processor time and memory count.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import resource
import sys
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import CookieJar
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

from benchmarks.delayed import DelayedStore
from cpazmal_scale import web
from cpazmal_scale.view import Made, map_page

DELAY = 0.03
SCREEN = 6
"""Tiles that a browser asks for at the same time."""


def main() -> None:
    """Print one table for local disk and one for S3."""
    folder, *names = sys.argv[1:]
    print("from local disk")
    measure([f"{folder}/{name}" for name in names])
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    from support.servers import S3Server

    server = S3Server(Path(folder))
    server.start()
    try:
        slow = DelayedStore(server.port, DELAY)
        os.environ |= server.environment | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{slow.port}"}
        print(f"from S3, {1000 * DELAY:.0f} ms a request")
        measure([f"s3://{name}" for name in names])
    finally:
        server.stop()


def serve(urls: list[str], line: Connection) -> None:
    """Serve a page; tell its address, then processor time and peak memory when asked."""
    map_url, cube, model = urls
    began = time.perf_counter()
    page = map_page(map_url, made=Made(cube, model, map_url.replace(".zarr", ".tif")))
    with web.running(page) as server:
        line.send((server.url, time.perf_counter() - began))
        with contextlib.suppress(EOFError):
            while line.recv():
                used = resource.getrusage(resource.RUSAGE_SELF)
                line.send((used.ru_utime + used.ru_stime, used.ru_maxrss / 2**20))


@contextlib.contextmanager
def served(urls: list[str]) -> Iterator[tuple[str, Connection]]:
    """A server in a process of its own."""
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(urls, theirs))
    process.start()
    try:
        url, took = mine.recv()
        row("page opened, kernels loaded", took)
        yield url, mine
    finally:
        mine.send(False)
        process.join()


def measure(urls: list[str]) -> None:
    """Open a page and ask it what a person's browser would."""
    with served(urls) as (url, line):
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        opener.open(url).read()
        place = url.partition("?")[0]

        def ask(address: str) -> float:
            start = time.perf_counter()
            opener.open(place + address).read()
            return time.perf_counter() - start

        def used() -> tuple[float, float]:
            line.send(True)
            return line.recv()  # type: ignore[no-any-return]

        facts = json.loads(opener.open(place + "facts").read())[0]
        height, width = facts["place"]["shape"]
        dates, channels = len(facts["dates"]), len(facts["channels"])
        print(f"  {height} × {width} pixels, {dates} dates, {channels} channels")
        print(f"  memory at the beginning {used()[1]:.2f} GiB")
        for layer in ("map/0/class/0", "map/0/probability/0", "map/0/entropy/0", "cube/0/5"):
            walk(layer, ask, used, height, width)
        rng = np.random.default_rng(1)
        pixels = [(int(rng.integers(height)), int(rng.integers(width))) for _ in range(12)]
        taken = [ask(f"pixel/0/{y}/{x}") for y, x in pixels]
        row("series of a pixel, median of 12", float(np.median(taken)), max(taken))
        row("series of its neighbour", ask(f"pixel/0/{pixels[-1][0]}/{pixels[-1][1] ^ 1}"))
        print(f"  peak memory of the server {used()[1]:.2f} GiB")


def walk(layer: str, ask, used, height: int, width: int) -> None:  # type: ignore[no-untyped-def]
    """The whole map, then closer and closer around its middle, six tiles at a time."""
    coarsest = max((max(height, width) - 1).bit_length() - 10, 0)
    with ThreadPoolExecutor(SCREEN) as pool:
        for level in range(coarsest, -1, -1):
            edge = 256 << level
            rows, columns = -(-height // edge), -(-width // edge)
            near = [
                (y, x)
                for y in range(rows // 2 - 1, rows // 2 + 2)
                for x in range(columns // 2 - 1, columns // 2 + 2)
            ]
            places = [(y, x) for y, x in near if 0 <= y < rows and 0 <= x < columns]
            addresses = [f"{layer}/{level}/{y}/{x}.png" for y, x in places]
            before, began = used()[0], time.perf_counter()
            taken = list(pool.map(ask, addresses))
            screen, spent = time.perf_counter() - began, used()[0] - before
            row(
                f"{layer}: {1 << level} px a cell, {len(taken)} tiles: first, slowest, processor",
                min(taken),
                screen,
                spent,
            )


def row(what: str, *seconds: float) -> None:
    """One line."""
    print(f"  {what:<66}" + "  ".join(f"{one:7.3f} s" for one in seconds), flush=True)


if __name__ == "__main__":
    main()
