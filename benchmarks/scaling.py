"""What a map costs beyond this machine, from measured figures and stated prices.

    python -m benchmarks.scaling --pixels-per-second 250000 --bytes-per-pixel 190

Prints the tables of `docs/scaling.md`. Tasks per second of a Dask scheduler are measured here.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

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
"""Of the map per pixel, compressed; 17 before."""

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


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pixels-per-second", type=float, required=True, help="of one core")
    parser.add_argument("--bytes-per-pixel", type=float, required=True, help="of the stored cube")
    given = parser.parse_args()
    speed, stored = given.pixels_per_second, given.bytes_per_pixel
    print("| | Mpx | cube | chunk objects | blocks | core hours | cores for 1 h |")
    print("|---|---|---|---|---|---|---|")
    for region in REGIONS:
        pixels = region.pixels
        hours = pixels / speed / 3600
        objects = pixels / CHUNK**2 * DATES * LAYERS
        blocks = pixels / BLOCK
        print(
            f"| {region.name} | {pixels / 1e6:,.0f} | {pixels * stored / 1e12:,.2f} TB | "
            f"{objects:,.0f} | {blocks:,.0f} | {hours:,.1f} | {max(1, hours):,.0f} |"
        )
    print(
        "\n| | computing | reading (GET) | writing the map | cube kept for a month | written once |"
    )
    print("|---|---|---|---|---|---|")
    for region in REGIONS:
        pixels = region.pixels
        chunks = pixels / CHUNK**2
        computing = pixels / speed / 3600 * CORE_HOUR
        reading = chunks * DATES * LAYERS * READ * GETS
        # Six arrays in chunks of the cube's edge, and a record per block.
        writing = (chunks * 6 + pixels / BLOCK) * PUTS
        keeping = pixels * stored / 2**30 * GIB_MONTH
        ingesting = chunks * DATES * LAYERS * PUTS
        row = (computing, reading, writing, keeping, ingesting)
        print(f"| {region.name} | " + " | ".join(map(dollars, row)) + " |")
    gets = READ * DATES * LAYERS / CHUNK**2 * speed
    print(
        f"\nOne core asks for {gets:.0f} objects and {READ * stored * speed / 1e6:.0f} MB a second."
    )
    print(f"A prefix that answers 5500 GET/s feeds {5500 / gets:.0f} cores.")
    rate = tasks_per_second(5000)
    per_block = BLOCK / speed
    print(f"The scheduler hands out {rate:,.0f} blocks a second: {rate * per_block:,.0f} cores.")


if __name__ == "__main__":
    main()
