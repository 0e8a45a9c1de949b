"""Series of κ1–κ3 and of the other statistics against numpy + scipy.ndimage, on one thread.

.venv/bin/python benchmarks/features.py [--size 512] [--dates 8] [--repeats 5]
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from cpazmal_scale.features import block_series

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


def scipy_others(power: np.ndarray, window: int) -> np.ndarray:
    """The same route to κ4, mean, std, cv, skewness and kurtosis."""
    half = window // 2
    inner = np.s_[half : power.shape[2] - half, half : power.shape[3] - half]
    rows: list[np.ndarray] = []
    with np.errstate(invalid="ignore", divide="ignore"):
        for t in range(power.shape[1]):
            valid = np.isfinite(power[:, t])
            a = np.sqrt(np.where(valid, np.maximum(power[:, t], FLOOR), 1.0).astype(np.float64))
            both = valid[0] & valid[1]
            for v, ok in ((a[0], valid[0]), (a[1], valid[1]), (a[1] / a[0], both)):
                count = ndimage.uniform_filter(ok.astype(np.float64), window)[inner]
                raw = [
                    [
                        ndimage.uniform_filter(np.where(ok, part, 0.0) ** n, window)[inner] / count
                        for n in range(1, 5)
                    ]
                    for part in (v, np.log(v))
                ]
                (m1, k2, _, k4), (_, y2, _, y4) = (_central(*moments) for moments in raw)
                third = raw[0][2] - m1 * (3 * raw[0][1] - 2 * m1**2)
                rows += [
                    np.where(count < 0.6 - 1e-9, np.nan, one)
                    for one in (
                        y4 - 3 * y2**2, m1, k2**0.5, k2**0.5 / m1, third / k2**1.5, k4 / k2**2 - 3,
                    )
                ]  # fmt: skip
    return np.stack(rows)[:, None].astype(np.float32)


def _central(m1: np.ndarray, m2: np.ndarray, m3: np.ndarray, m4: np.ndarray) -> tuple[
    np.ndarray, np.ndarray, np.ndarray, np.ndarray
]:  # fmt: skip
    fourth = m4 - m1 * (4 * m3 - m1 * (6 * m2 - 3 * m1**2))
    return m1, m2 - m1**2, m3, fourth


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
    others = ("k4", "mean", "std", "cv", "skewness", "kurtosis")
    print("\nκ4, mean, std, cv, skewness, kurtosis (18 series); entropy (3); ns per pixel and date")
    print("| window | scipy.ndimage | cpazmal-scale | ratio | differs by | entropy |")
    print("|---|---|---|---|---|---|")
    for window in (7, 15, 31):
        power = block(window, 0.0)
        few = power[:, :1]
        mine, entropy = (
            nanoseconds(
                lambda p=power, w=window, s=chosen: block_series(p, window=w, statistics=s),
                samples, options.repeats,
            )
            for chosen in (others, ("entropy",))
        )  # fmt: skip
        theirs = nanoseconds(lambda p=few, w=window: scipy_others(p, w), options.size**2, 3)
        ours = block_series(few, window=window, statistics=others)
        apart = np.nanmax(np.abs(scipy_others(few, window) - ours))
        print(f"| {window} | {theirs:.0f} | {mine:.1f} | {theirs / mine:.0f} × | {apart:.0e} "
              f"| {entropy:.0f} |")  # fmt: skip


if __name__ == "__main__":
    main()
