"""Log-cumulant series against numpy + scipy.ndimage, in one run, on one thread.

.venv/bin/python benchmarks/features.py [--size 512] [--dates 8] [--repeats 5]
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from cpazmal_scale.features.blocks import block_series

FLOOR = 10**-3.1


def scipy_series(power: np.ndarray, window: int) -> np.ndarray:
    """The usual route: box means of the powers of y, gaps through a box mean of validity."""
    half = window // 2
    inner = np.s_[half : power.shape[2] - half, half : power.shape[3] - half]
    out = np.empty(
        (9, power.shape[1], power.shape[2] - 2 * half, power.shape[3] - 2 * half), np.float32
    )
    for t in range(power.shape[1]):
        valid = np.isfinite(power[:, t])
        y = 0.5 * np.log(np.where(valid, np.maximum(power[:, t], FLOOR), 1.0).astype(np.float64))
        channels = [
            (y[0], valid[0]), (y[1], valid[1]), (y[1] - y[0], valid[0] & valid[1]),
        ]  # fmt: skip
        for c, (values, ok) in enumerate(channels):
            values = np.where(ok, values, 0.0)
            box = [
                ndimage.uniform_filter(part, window)[inner]
                for part in (ok.astype(np.float64), values, values**2, values**3)
            ]
            with np.errstate(invalid="ignore", divide="ignore"):
                m1, m2, m3 = (part / box[0] for part in box[1:])
            few = box[0] < 0.6 - 1e-9
            third = m3 - 3 * m1 * m2 + 2 * m1**3
            for k, part in enumerate((m1, m2 - m1**2, third)):
                out[3 * c + k, t] = np.where(few, np.nan, part)
    return out


def nanoseconds(work: Callable[[], object], samples: int, repeats: int) -> float:
    """Best processor time of this thread per pixel and date."""
    work()
    best = np.inf
    for _ in range(repeats):
        start = time.thread_time()
        work()
        best = min(best, time.thread_time() - start)
    return best / samples * 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--dates", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rng = np.random.default_rng(0)

    def block(window: int, gaps: float) -> np.ndarray:
        edge = options.size + window - 1
        power = rng.gamma(1, 0.1, (2, options.dates, edge, edge)).astype(np.float32)
        power[rng.random(power.shape) < gaps] = np.nan
        return power

    samples = options.dates * options.size**2
    print(f"{platform.machine()}, numpy {np.__version__}; {options.dates} dates × "
          f"{options.size}² pixels, HH + HV + ratio, κ1–κ3, ns per pixel and date")  # fmt: skip
    print("| window | gaps | scipy.ndimage | cpazmal-scale | ratio | κ3 differs by |")
    print("|---|---|---|---|---|---|")
    for window, gaps in ((7, 0.0), (7, 0.02), (3, 0.0), (5, 0.0), (15, 0.0), (31, 0.0)):
        power = block(window, gaps)
        out = block_series(power, window=window)
        mine = nanoseconds(
            lambda p=power, w=window, o=out: block_series(p, window=w, out=o),
            samples, options.repeats,
        )  # fmt: skip
        few = power[:, :1]
        theirs = nanoseconds(lambda p=few, w=window: scipy_series(p, w), options.size**2, 3)
        apart = np.nanmax(np.abs(scipy_series(few, window)[2::3] - out[2::3, :1]))
        print(f"| {window} | {gaps:.0%} | {theirs:.0f} | {mine:.1f} | {theirs / mine:.0f} × "
              f"| {apart:.0e} |")  # fmt: skip


if __name__ == "__main__":
    main()
