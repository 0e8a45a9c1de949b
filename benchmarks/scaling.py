"""What a map costs beyond this machine, from measured figures and stated prices.

    python -m benchmarks.scaling --pixels-per-second 430000 --bytes-per-pixel 104 [--write]

Prints the tables of `docs/scaling.md`, and keeps them there if so wished. Tasks per second of a
Dask scheduler are measured here.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

from benchmarks.clock import DOCUMENT, Report
from cpazmal_scale.config import Cluster
from cpazmal_scale.execute import open_executor

PIXEL = 9.0
"""m², at 3 m."""
DATES, LAYERS, CHUNK, WIDE = 30, 3, 512, 10
"""Dates, layers, edge of a chunk, and chunks across a column of blocks."""
READ = (WIDE + 2) / WIDE
"""Chunks that are read, over those of the cube: the sides of columns are read twice."""
BLOCK = WIDE * CHUNK**2
"""Pixels of a block, one row of chunks."""
BYTES_OUT = 8.0
"""Of the map per pixel, compressed."""

PREFIX, LINK, CLIENT = 5500, 1.25e9, (0.2e-3, 1.4e-3)
"""GET/s of a bucket's prefix, bytes/s of a machine's network, and seconds of processor time that
a request takes from a store, beside the same bytes from a disk (`benchmarks.reading`: 5000² and
3072² pixels)."""
CORE_HOUR, GIB_MONTH, GETS, PUTS = 0.04, 0.023, 0.4e-6, 5e-6
"""US dollars: a core with 4 GiB on demand, object storage, one GET, one PUT."""


@dataclass(frozen=True)
class Region:
    """What is to be mapped. `filled` is the share of mapped pixels in the chunks that hold them."""

    name: str
    km2: float
    filled: float

    @property
    def pixels(self) -> float:
        """Pixels of all chunks that are touched."""
        return self.km2 * 1e6 / PIXEL / self.filled


REGIONS = (
    Region("one scene of Mont Blanc", 990, 1.0),
    Region("glaciers of the Alps", 1_800, 0.3),
    Region("the whole Alps", 200_000, 1.0),
    Region("all glaciers of the world", 700_000, 0.5),
)


def tasks_per_second(keys: int) -> float:
    """Blocks without work that a scheduler and two workers go through."""
    with open_executor(Cluster(kind="local", workers=2)) as executor:
        list(executor.run(abs, range(100)))
        began = time.perf_counter()
        done = sum(1 for _ in executor.run(abs, range(keys)))
        return done / (time.perf_counter() - began)


def dollars(value: float) -> str:
    """With cents, or more digits where there would be none."""
    return f"$ {value:,.{2 if value >= 0.01 else 3}f}"


def sizes(report: Report, speed: float, stored: float) -> None:
    """How large the regions are, and how long they take."""
    report.table("", "Mpx", "cube", "chunk objects", "blocks", "core hours", "cores for 1 h")
    for region in REGIONS:
        pixels = region.pixels
        hours = pixels / speed / 3600
        report.row(
            region.name,
            f"{pixels / 1e6:,.0f}",
            f"{pixels * stored / 1e12:,.2f} TB",
            f"{pixels / CHUNK**2 * DATES * LAYERS:,.0f}",
            f"{pixels / BLOCK:,.0f}",
            f"{hours:,.1f}",
            f"{max(1, hours):,.0f}",
        )


def prices(report: Report, speed: float, stored: float) -> None:
    """What the regions cost."""
    kinds = ("computing", "reading (GET)", "writing the map", "cube kept for a month")
    report.table("", *kinds, "written once")
    for region in REGIONS:
        pixels = region.pixels
        chunks = pixels / CHUNK**2
        costs = (
            pixels / speed / 3600 * CORE_HOUR,
            chunks * DATES * LAYERS * READ * GETS,
            # Six arrays in chunks of the cube's edge, and a record per block.
            (chunks * 6 + pixels / BLOCK) * PUTS,
            pixels * stored / 2**30 * GIB_MONTH,
            chunks * DATES * LAYERS * PUTS,
        )
        report.row(region.name, *map(dollars, costs))


def rates(report: Report, speed: float, stored: float) -> None:
    """What one core at full speed asks of store, network and scheduler."""
    gets = READ * DATES * LAYERS / CHUNK**2 * speed
    moved = READ * stored * speed
    client = " to ".join(f"{gets * seconds:.0%}" for seconds in CLIENT)
    blocks = tasks_per_second(5000)
    report.table("of one core at full speed", "", "cores that one feeds", "")
    one = "objects asked for, per second", "MB moved, per second", "blocks, per second"
    own = f"{gets:.0f}", f"{moved / 1e6:.0f}", f"{speed / BLOCK:.2f}"
    feeder = (
        f"a prefix of {PREFIX:,} GET/s",
        "a machine of 10 Gbit/s",
        f"a scheduler of {blocks:,.0f} blocks/s",
    )
    fed = PREFIX / gets, LINK / moved, blocks * BLOCK / speed
    for name, number, who, cores in zip(one, own, feeder, fed, strict=True):
        report.row(name, number, who, f"{cores:,.0f}")
    report.row("S3 client, of a second core", client, "", "")


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels-per-second", type=float, required=True, help="of one core")
    parser.add_argument("--bytes-per-pixel", type=float, required=True, help="of the stored cube")
    parser.add_argument("--write", action="store_true", help="keep the tables in docs/scaling.md")
    given = parser.parse_args()
    report = Report("scaling")
    report.say(
        f"For {given.pixels_per_second:,.0f} pixels per second and core, and "
        f"{given.bytes_per_pixel:.0f} bytes per pixel of the stored cube:\n"
    )
    for part in (sizes, prices, rates):
        part(report, given.pixels_per_second, given.bytes_per_pixel)
        report.say()
    if given.write:
        report.keep(DOCUMENT.with_name("scaling.md"))


if __name__ == "__main__":
    main()
