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
from cpazmal_scale.config import Cluster, Features
from cpazmal_scale.execute import open_executor
from cpazmal_scale.execute.lanes import divided
from cpazmal_scale.grid.blocks import columns_of, cut
from cpazmal_scale.mapping.classify.recipe import Recipe
from cpazmal_scale.mapping.classify.sizes import Sizes

PIXEL = 9.0
"""m², at 3 m."""
DATES, LAYERS, CHUNK = 30, 3, 512
"""Dates, layers, and the edge of a chunk."""
SCENE, MEMORY = 10_488, 2 << 30
"""Pixels along an edge of a scene of Mont Blanc, and bytes of a worker."""
BYTES_OUT = 8.0
"""Of the map per pixel, compressed."""

PREFIX, LINK, CLIENT = 5500, 1.25e9, (0.2e-3, 1.4e-3)
"""GET/s of a bucket's prefix, bytes/s of a machine's network, and seconds of processor time that
a request takes from a store, beside the same bytes from a disk (`benchmarks.reading`: 5000² and
3072² pixels)."""
WORKERS = 1, 2, 4, 8, 16, 32
"""That map one scene."""
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


@dataclass(frozen=True)
class Division:
    """How so many workers divide a scene: pixels of a block, and what they read of its cube."""

    block: int
    read: float


def division(workers: int) -> Division:
    """What `cpazmal map` plans for a scene of Mont Blanc."""
    recipe = Recipe(
        **dict.fromkeys(("model", "cube", "cube_state", "beam", "method"), "any"),
        dates=("",) * DATES,
        polarisations=("HH", "HV"),
        classes=("",) * 8,
        reject=None,
        features=Features(),
    )
    sizes = Sizes((SCENE, SCENE), recipe, CHUNK, CHUNK, halo=3)
    chosen = sizes.choose(MEMORY, workers)
    blocks = cut(sizes.shape, chosen.height, chosen.width)
    read = sizes.read(divided(columns_of(blocks), workers))
    return Division(chosen.height * chosen.width, read / (SCENE**2 * sizes.bytes_in))


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
    block = division(2).block
    report.table("", "Mpx", "cube", "chunk objects", "blocks", "core hours", "cores for 1 h")
    for region in REGIONS:
        pixels = region.pixels
        hours = pixels / speed / 3600
        report.row(
            region.name,
            f"{pixels / 1e6:,.0f}",
            f"{pixels * stored / 1e12:,.2f} TB",
            f"{pixels / CHUNK**2 * DATES * LAYERS:,.0f}",
            f"{pixels / block:,.0f}",
            f"{hours:,.1f}",
            f"{max(1, hours):,.0f}",
        )


def prices(report: Report, speed: float, stored: float) -> None:
    """What the regions cost."""
    scene = division(2)
    kinds = ("computing", "reading (GET)", "writing the map", "cube kept for a month")
    report.table("", *kinds, "written once")
    for region in REGIONS:
        pixels = region.pixels
        chunks = pixels / CHUNK**2
        costs = (
            pixels / speed / 3600 * CORE_HOUR,
            chunks * DATES * LAYERS * scene.read * GETS,
            # Six arrays in chunks of the cube's edge, and a record per block.
            (chunks * 6 + pixels / scene.block) * PUTS,
            pixels * stored / 2**30 * GIB_MONTH,
            chunks * DATES * LAYERS * PUTS,
        )
        report.row(region.name, *map(dollars, costs))


def rates(report: Report, speed: float, stored: float) -> None:
    """What one core at full speed asks of store, network and scheduler."""
    scene = division(2)
    gets = scene.read * DATES * LAYERS / CHUNK**2 * speed
    moved = scene.read * stored * speed
    client = " to ".join(f"{gets * seconds:.0%}" for seconds in CLIENT)
    blocks = tasks_per_second(5000)
    report.table("of one core at full speed", "", "cores that one feeds", "")
    one = "objects asked for, per second", "MB moved, per second", "blocks, per second"
    own = f"{gets:.0f}", f"{moved / 1e6:.0f}", f"{speed / scene.block:.2f}"
    feeder = (
        f"a prefix of {PREFIX:,} GET/s",
        "a machine of 10 Gbit/s",
        f"a scheduler of {blocks:,.0f} blocks/s",
    )
    fed = PREFIX / gets, LINK / moved, blocks * scene.block / speed
    for name, number, who, cores in zip(one, own, feeder, fed, strict=True):
        report.row(name, number, who, f"{cores:,.0f}")
    report.row("S3 client, of a second core", client, "", "")


def divisions(report: Report, *_: float) -> None:
    """What more workers read again."""
    report.table("workers of one scene", *map(str, WORKERS))
    read = (f"{division(workers).read:.2f}" for workers in WORKERS)
    report.row("chunks read, over those of its cube", *read)


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
    for part in (sizes, prices, divisions, rates):
        part(report, given.pixels_per_second, given.bytes_per_pixel)
        report.say()
    if given.write:
        report.keep(DOCUMENT.with_name("scaling.md"))


if __name__ == "__main__":
    main()
