"""Speed of the DTW room beside the libraries people use, and beside C written by hand.

Run `python benchmarks/dtw.py [--write]`; `--write` keeps the tables in `docs/benchmarks.md`. It
takes about five minutes. One-core figures are the best processor time of several rounds, those of
all cores the best wall time; ours and the peers' calls take turns, so that other programs on the
machine move both alike.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402

from benchmarks import dtw_peers  # noqa: E402
from benchmarks.clock import CORES, Report, machine, race  # noqa: E402
from cpazmal_scale.dtw import (  # noqa: E402
    KNeighborsDTW,
    band_limits,
    barycenter,
    block_distances,
    decide,
    distances,
)
from cpazmal_scale.kernels.lanes_f32 import LANES  # noqa: E402

RNG = np.random.default_rng(0)
REPORT = Report("dtw")
say, table, row = REPORT.say, REPORT.table, REPORT.row
REACHED: dict[str, str] = {}
FEW = 300
"""Series the peers get; ours are 40 000 and more, the peers' time is linear in them."""


def normal(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def cells(length: int, radius: int | None) -> int:
    limits = band_limits(length, length, radius=radius)
    return int((limits[:, 1] - limits[:, 0]).sum())


def pair_times(q: np.ndarray, s: np.ndarray, radius: int, cores: int) -> dict[str, float]:
    """Nanoseconds per pair, ours first."""
    calls: dict[str, Callable[[], object]] = {
        "ours": partial(distances, q, s, radius=radius, threads=cores)
    }
    calls |= dtw_peers.batches(q[:FEW], s, radius, cores)
    times = race(calls, 4, wall=cores > 1)
    return {
        name: spent / ((len(q) if name == "ours" else FEW) * len(s)) * 1e9
        for name, spent in times.items()
    }


def compare_distances() -> None:
    for cores in sorted({1, CORES}):
        much = "one core" if cores == 1 else f"{cores} cores"
        say(f"### (a) N × R distances, {much}: ns per pair\n")
        table("T", "r", "ours", *dtw_peers.NAMES, "ours vs fastest peer")
        for length in (24, 30, 60):
            for radius in (3, 5, None):
                q, s = normal(40_000 * cores, length), normal(36, length)
                found = pair_times(q, s, radius, cores)
                ours, others = found.pop("ours"), [f"{found[n]:.0f}" for n in dtw_peers.NAMES]
                ratio = f"{min(found.values()) / ours:.0f} ×"
                row(length, radius or "none", f"{ours:.1f}", *others, ratio)
        say()


def the_headline() -> None:
    q, s = normal(1_000_000, 30), normal(36, 30)
    work = cells(30, 3) * len(q) * 36 / 1e9
    calls: dict[str, Callable[[], object]] = {
        str(n): partial(distances, q, s, radius=3, threads=n) for n in sorted({1, CORES})
    }
    peers = dtw_peers.batches(q[:FEW], s, 3, 1)
    spent = race({**calls, **peers}, 6)
    fastest = min(spent[name] for name in peers) * len(q) / FEW
    REACHED["≥ 30 × the fastest peer per core, N = 1e6, R = 36"] = f"{fastest / spent['1']:.0f} ×"
    say(
        f"N = 1e6, R = 36, T = 30, r = 3, one core: {spent['1']:.2f} s of processor time "
        f"({work / spent['1']:.1f} Gcell/s), {fastest / spent['1']:.0f} × the fastest peer "
        f"(extrapolated from {FEW} series).\n"
    )
    if CORES > 1:
        walls = race(calls, 12, wall=True)
        peers = dtw_peers.batches(q[:FEW], s, 3, CORES)
        fastest = min(race(peers, 5, wall=True).values()) * len(q) / FEW
        one, every = walls["1"], walls[str(CORES)]
        more = spent[str(CORES)] / spent["1"]
        REACHED[f"≥ {0.9 * CORES:.1f} × on {CORES} threads"] = (
            f"{one / every:.2f} × in wall time, at {more:.2f} × the processor time"
        )
        say(
            f"The same on {CORES} cores: {every:.2f} s of wall time, {one / every:.2f} × one "
            f"core, {fastest / every:.0f} × the fastest peer on {CORES} cores. "
            f"The threads together used {more:.2f} × the processor time of one.\n"
        )


def kernel_on_all_cores() -> None:
    limits, s = band_limits(30, 30, radius=3), normal(1, 36, 30)
    blocks = [normal(1, 30, 1984) for _ in range(CORES)]
    outs = [np.empty((1, 36, 1984), np.float32) for _ in blocks]

    def work(turn: int) -> None:
        for _ in range(100):
            block_distances(blocks[turn], s, limits, out=outs[turn])

    with ThreadPoolExecutor(CORES) as pool:
        calls = {"one": partial(work, 0), "all": lambda: list(pool.map(work, range(CORES)))}
        found = race(calls, 12, wall=True)
    speed = cells(30, 3) * 1984 * 3600 / found["one"] / 1e9
    say(
        f"The block kernel on {CORES} threads, a block each: "
        f"{CORES * found['one'] / found['all']:.2f} × the pixels of one ({speed:.1f} Gcell/s) in "
        "wall time.\n"
    )


def against_c() -> None:
    say("### (b) The block kernel against C intrinsics (gcc -O3, AVX2), one core\n")
    source = Path(__file__).with_name("dtw_avx2.c")
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "dtw.so"
        command = ["gcc", "-O3", "-mavx2", "-mfma", "-shared", "-fPIC", str(source), "-o"]
        try:
            subprocess.run([*command, str(library)], check=True, capture_output=True)
            function = ctypes.CDLL(str(library)).dtw_avx2
        except (OSError, subprocess.CalledProcessError):
            say("No C compiler for AVX2 here.\n")
            return
        table("T", "r", "ours, Gcell/s", "C, Gcell/s", "ours / C", "10 % missing, Gcell/s")
        ratios = []
        for length, radius in [(24, 3), (30, 3), (60, 3), (30, 5), (60, None)]:
            ours, c, missing = _speeds_beside_c(function, length, radius)
            ratios.append(ours / c)
            shown = (f"{ours:.1f}", f"{c:.1f}", f"{ours / c:.2f}", f"{missing:.1f}")
            row(length, radius or "none", *shown)
    REACHED["≥ 50 % of the C loop"] = f"{min(ratios):.0%} to {max(ratios):.0%}"
    say()


def _speeds_beside_c(
    function: Callable[..., object], length: int, radius: int | None
) -> tuple[float, ...]:
    pixels, count = 4096, 36
    q, s = normal(1, length, pixels), normal(1, count, length)
    limits = band_limits(length, length, radius=radius)
    out, theirs = np.empty((1, count, pixels), np.float32), np.empty((count, pixels), np.float32)
    raw = np.empty(32 * length + 16, np.float32)
    line = raw[(-raw.ctypes.data // 4) % 16 :]
    sizes = [ctypes.c_long(number) for number in (length, pixels, count)]
    places = [ctypes.c_void_p(array.ctypes.data) for array in (q, s, limits, line, theirs)]
    gaps = np.where(RNG.random(q.shape) < 0.1, np.float32(np.nan), q)
    calls = {
        "ours": lambda: block_distances(q, s, limits, out=out),
        "C": lambda: function(*places[:3], *sizes, *places[3:]),
        "missing": lambda: block_distances(gaps, s, limits, out=out),
    }
    best = race(calls, 30)
    np.testing.assert_allclose(block_distances(q, s, limits)[0], theirs, rtol=1e-5)
    work = cells(length, radius) * pixels * count / 1e9
    return tuple(work / spent for spent in best.values())


def on_one_core(section: str) -> None:
    """Run a section in a process of one thread: aeon's barycenters take all threads they find."""
    command = [sys.executable, __file__, section]
    one = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    ran = subprocess.run(command, env={**os.environ, **one}, stdout=subprocess.PIPE, text=True)
    ran.check_returncode()
    for line in ran.stdout.splitlines():
        say(line)


def compare_barycenters() -> None:
    say("### (c) One barycenter of N = 200 series, T = 30, r = 3, one core\n")
    say(
        "Cost = sum of squared banded distances to the barycenter, always recomputed by us. All "
        "start from the mean, 30 iterations at most; the peers stop at a change of 1e-5, as we do "
        "in the first row.\n"
    )
    center = RNG.normal(15, 3, (200, 1))
    series = np.exp(-(((np.arange(30) - center) / 3) ** 2)) + RNG.normal(0, 0.2, (200, 30))
    start = series.mean(axis=0)
    same = {"radius": 3, "start": start, "tolerance": 5e-8}
    calls: dict[str, Callable[[], np.ndarray]] = {
        "ours": lambda: barycenter(series, **same).values,
        "ours, default tolerance": lambda: barycenter(series, radius=3, start=start).values,
        "ours, 4 starts": lambda: barycenter(series, restarts=4, **same).values,
        **dtw_peers.averages(series, start, 3),
    }
    times = race(calls, 4)
    table("library", "seconds", "final cost")
    for name, call in calls.items():
        values = np.asarray(call()).reshape(1, -1)
        cost = float((distances(series, values, radius=3).astype(float) ** 2).sum())
        row(name, f"{times[name]:.4f}", f"{cost:.4f}")
    say()


def compare_neighbours() -> None:
    say("### (d) k-NN, k = 25, r = 3, 1000 training windows × 9 features × T = 30, one core\n")
    X, y = RNG.normal(size=(1000, 9, 30)), np.arange(1000) % 4
    X += 0.5 * y[:, None, None]
    queries = RNG.normal(size=(40, 9, 30)) + 0.5 * (np.arange(40) % 4)[:, None, None]
    many = np.tile(queries, (16, 1, 1))
    model = KNeighborsDTW(n_neighbors=25, radius=3, standardise=False).fit(X, y)
    calls: dict[str, Callable[[], np.ndarray]] = {
        "ours": lambda: model.predict(many),
        **dtw_peers.neighbours(X, y, queries, 25, 3),
    }
    times, own = race(calls, 3), model.predict(queries)
    times["ours"] /= 16
    table("", "ms per query", "ours is faster by", "same classes")
    for name, call in calls.items():
        ratio = f"{times[name] / times['ours']:.0f} ×"
        row(name, f"{times[name] / 40 * 1e3:.3f}", ratio, f"{np.mean(call()[:40] == own):.0%}")
    say()


def scaling() -> None:
    say("### (e) Scaling\n")
    base = (200_000, 36, 30, 1)
    variants = [base, (50_000, 36, 30, 1), (800_000, 36, 30, 1), (200_000, 4, 30, 1)]
    variants += [(200_000, 144, 30, 1), (200_000, 36, 60, 1), (200_000, 36, 120, 1)]
    variants += [(800_000, 36, 30, n) for n in sorted({2, CORES}) if n > 1]
    calls = {}
    for variant in variants:
        many, count, length, threads = variant
        q, s = normal(many, length), normal(count, length)
        calls[str(variant)] = partial(distances, q, s, radius=3, threads=threads)
    walls = race(calls, 6, wall=True)
    table("N", "R", "T", "threads", "seconds (wall)", "Gcell/s")
    for variant in variants:
        many, count, length, _ = variant
        spent = walls[str(variant)]
        speed = cells(length, 3) * many * count / spent / 1e9
        row(*variant, f"{spent:.3f}", f"{speed:.1f}")
    say()
    away = RNG.random((9, 4, 100_000)).astype(np.float32)
    spent = race({"decide": lambda: decide(away, np.ones(9))})["decide"] / 1e5 * 1e9
    say(f"Soft decision of 9 features × 4 classes: {spent:.0f} ns per pixel, one core.\n")


def main() -> None:
    started, load = time.monotonic(), os.getloadavg()[0]
    say(f"Machine: {machine()}; {LANES} pixels at once.")
    compare_distances()
    the_headline()
    kernel_on_all_cores()
    against_c()
    on_one_core("barycenters")
    on_one_core("neighbours")
    scaling()
    say("### Asked and reached\n")
    table("asked", "reached")
    for asked, reached in REACHED.items():
        row(asked, reached)
    minutes = (time.monotonic() - started) / 60
    REPORT.lines[0] += (
        f" Load of the machine {load:.1f} before and {os.getloadavg()[0]:.1f} after, our own "
        f"included; {minutes:.0f} minutes.\n"
    )
    if "--write" in sys.argv:
        REPORT.keep()


SECTIONS = {"barycenters": compare_barycenters, "neighbours": compare_neighbours}

if __name__ == "__main__":
    SECTIONS.get(sys.argv[-1], main)()
