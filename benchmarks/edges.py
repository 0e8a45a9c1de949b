"""Where surfaces meet: what a map's probabilities are worth there, before and after refining.

    python -m benchmarks.edges [--size 384] [--seeds 42 43 44] [--methods discriminant sum]

Simulated campaigns are mapped whole and compared with their truth, pixel by pixel, apart for
windows of one class and for windows that several classes share. ECE is the mean gap between the
probability of the class that is told and the share of pixels that are right, over ten bins. Areas
are off by half the sum of the absolute differences between the classes' shares and the true ones:
as mapped, then as the sums of the probabilities say.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from scipy import ndimage

from cpazmal_scale.assess.validate.metrics import expected_calibration_error, reliability_counts
from cpazmal_scale.config import RunConfig
from cpazmal_scale.mapping import open_map, refine_map
from cpazmal_scale.mapping.refine.rates import ground_shares, lattice
from cpazmal_scale.mapping.refine.source import Source, open_source
from cpazmal_scale.simulate.campaign import campaign
from cpazmal_scale.stages.pipeline import run
from cpazmal_scale.vocabulary import REJECTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

WINDOW = 7
REFINED: dict[str, dict[str, int]] = {
    "as mapped": {},
    "smooth 15": {"window": 15},
    "pool 3": {"pool": 3},
    "pool 5": {"pool": 5},
    "pool 7": {"pool": 7},
    "pool 9": {"pool": 9},
}


def maps(folder: Path, method: str) -> Iterator[tuple[str, Any]]:
    """Name and dataset of a campaign's map and of those made of it."""
    config = RunConfig.load(str(folder / "run.yaml")).with_values(
        {
            "workspace": str(folder / method),
            "classify": {"method": method},
            "cluster": {"kind": "threads", "workers": 2},
        }
    )
    made: Any = run(config, only=("ingest", "samples", "train", "map"))["map"]
    for name, after in REFINED.items():
        url = made[0].url
        if after:
            url = refine_map(config.with_values({"after": after}), url)[-1].url
        yield name, open_map(url).load()
    yield "reweighed", reweighed(open_source(made[0].url))


def reweighed(source: Source) -> Any:
    """The map with probabilities of the ground's shares as the map itself tells them."""
    told = open_map(source.url).load()
    supposed, (some,) = source.shares, lattice([source])
    assert supposed is not None
    ratio = ground_shares(some / some.sum(axis=0), supposed) / supposed
    probability = told["probability"].to_numpy() * ratio[:, None, None]
    probability /= np.maximum(probability.sum(axis=0), 1e-300)
    known = told["class"].to_numpy() < REJECTED
    told["class"].to_numpy()[known] = probability.argmax(axis=0)[known] + 1
    told["probability"] = told["probability"].dims, 1e4 * probability
    return told


def figures(truth: NDArray[np.intp], told: Any) -> NDArray[np.float64]:
    """Share of shared windows; right decisions and ECE over all, those of one class, shared;
    areas off as mapped and as expected.
    """
    code = told["class"].to_numpy().astype(np.intp)
    probability = told["probability"].to_numpy().max(axis=0) / 1e4
    mixed = ndimage.maximum_filter(truth, WINDOW) != ndimage.minimum_filter(truth, WINDOW)
    known = (code >= 1) & (code < 254) & (truth >= 1)
    cells = [(known & mixed).sum() / known.sum()]
    for where in (known, known & ~mixed, known & mixed):
        right = (code == truth)[where].mean()
        gap = expected_calibration_error(
            reliability_counts(truth[where], code[where], probability[where])
        )
        cells += [right, gap]
    count = told.sizes["class_name"]
    true, mapped = (np.bincount(part[known], minlength=count + 1)[1:] for part in (truth, code))
    expected = told["probability"].to_numpy()[:, known].sum(axis=1) / 1e4
    off = [np.abs(part - true).sum() / 2 / known.sum() for part in (mapped, expected)]
    return np.array([*cells, *off])


def main() -> None:
    """Print a table for each method, its figures the means over the seeds."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--size", type=int, default=384)
    words.add_argument("--seeds", type=int, nargs="+", default=[42, 43, 44])
    words.add_argument("--methods", nargs="+", default=["discriminant", "sum"])
    asked = words.parse_args()
    found: dict[tuple[str, str], list[NDArray[np.float64]]] = {}
    for seed in asked.seeds:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            campaign(folder, size=asked.size, seed=seed, beams=("DSC37",))
            with rasterio.open(folder / "truth.tif") as file:
                codes, names = file.read(1), file.tags()["classes"].split(",")
            for method in asked.methods:
                for refined, told in maps(folder, method):
                    classes = [str(name) for name in told["class_name"].to_numpy()]
                    place = np.array([0, *(classes.index(name) + 1 for name in names)])
                    found.setdefault((method, refined), []).append(figures(place[codes], told))
    print("| method | map | shared windows | all: right, ECE | of one class | shared | areas off |")
    print("|---|---|---|---|---|---|---|")
    for (method, refined), rows in found.items():
        share, *pairs = np.mean(rows, axis=0)
        cells = [f"{right:.3f}, {gap:.3f}" for right, gap in np.reshape(pairs, (4, 2))]
        print(f"| {method} | {refined} | {share:.0%} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
