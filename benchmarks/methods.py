"""What each method costs: seconds to fit, nanoseconds per mapped pixel; 8 classes, K = 9, T = 30.

Processor time of one core, in one process, beside the features of the same pixels and beside the
libraries that grew the trees or fitted the weights.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.methods import METHODS
from cpazmal_scale.features import block_series
from cpazmal_scale.mapping.classify.sizes import TILE
from cpazmal_scale.model import methods

CLASSES, FEATURES, DATES, WINDOWS = 8, 9, 30, 2000
PIXELS = math.prod(TILE)
DAYS = np.arange(DATES) * 11.0 + 7
SLOW = {"neighbors", "euclid-neighbors"}


def seasons(count: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Series `(count, K, T)` of classes that differ in phase and level, and their classes."""
    rng = np.random.default_rng(seed)
    codes = np.arange(count) % CLASSES
    phase = rng.normal(0.4 * codes, 0.2)[:, None, None]
    level = rng.normal(0.2 * codes, 0.3)[:, None, None]
    season = np.sin(DAYS / 60 + phase) + level + rng.normal(0, 0.7, (count, FEATURES, DATES))
    season[:, 1::3] = np.exp(0.3 * season[:, 1::3])  # κ2 is a variance
    return season.astype(np.float32), codes


def timed(work: Callable[[], Any], repeats: int = 3) -> float:
    """Least processor time."""
    spent = []
    for _ in range(repeats):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return min(spent)


def features() -> float:
    """Nanoseconds per pixel that the features of as many dates take."""
    rng = np.random.default_rng(0)
    power = rng.gamma(2, 0.05, (2, DATES, TILE[0] + 6, TILE[1] + 6)).astype(np.float32)
    mask = np.zeros(power.shape[1:], np.uint8)
    settings = RunConfig().features

    def work() -> None:
        block_series(power, mask, settings.excluded, window=7, **settings.kernel)

    work()
    return 1e9 * timed(work, 9) / PIXELS


def main() -> None:
    """Print the table."""
    values, codes = seasons(WINDOWS, 1)
    groups = np.arange(WINDOWS) // CLASSES % 12
    block = np.ascontiguousarray(np.moveaxis(seasons(PIXELS, 2)[0], 0, 2))
    print(f"features of {DATES} dates, HH + HV: {features():.0f} ns per pixel\n")
    print("| method | barycenters | fit, s | ns per pixel | pixels/s |\n|---|---|---|---|---|")
    for row in METHODS:
        if row.needs is not None:
            continue
        counts = (1, 4) if "decision" in row.options else (0,)
        for count in counts:
            config = RunConfig.parse({"train": {"barycenters": count or 1}})
            made: Any = methods.make(row.setting, config, DAYS)
            made.temperature = 1.0
            began = time.process_time()
            made.fit(values, codes, groups=groups)
            fit = time.process_time() - began
            # So that confidence is a step of the decision, as in a calibrated map.
            if not row.votes:
                made.confidence_ = np.full(CLASSES + 1, 0.9)
            few = block[..., :256] if row.setting in SLOW else block
            part, limits = np.ascontiguousarray(few), made.limits(DAYS)
            made.classify_block(part, limits)
            spent = timed(lambda: made.classify_block(part, limits)) / part.shape[2]  # noqa: B023
            cells = (
                row.name,
                count or "–",
                f"{fit:.1f}",
                f"{1e9 * spent:,.0f}",
                f"{1 / spent:,.0f}",
            )
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)


if __name__ == "__main__":
    main()
