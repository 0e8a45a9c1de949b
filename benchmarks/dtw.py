"""Speed of the DTW room beside the libraries people use, and beside C written by hand.

Run `python benchmarks/dtw.py [--write]`; `--write` keeps the tables in `docs/benchmarks.md`. It
takes a few minutes. One-core figures are the best processor time of several runs, those of all
cores the best wall time, always with the peers in the same run: other programs on the machine move
both alike.
"""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np

os.environ.setdefault("OMP_NUM_THREADS", "1")
warnings.filterwarnings("ignore")

from cpazmal_scale.dtw import (  # noqa: E402
    KNeighborsDTW,
    band_limits,
    barycenter,
    block_distances,
    decide,
    distances,
)
from cpazmal_scale.dtw.lanes import LANES  # noqa: E402

RNG = np.random.default_rng(0)
CORES = os.cpu_count() or 1
LINES: list[str] = []


def say(line: str = "") -> None:
    print(line, flush=True)
    LINES.append(line)


def seconds(call: Callable[[], object], repeats: int = 5, *, wall: bool = False) -> float:
    """Best of several runs: processor time of this thread, or wall time."""
    clock = time.perf_counter if wall else time.thread_time
    best = np.inf
    for _ in range(repeats):
        start = clock()
        call()
        best = min(best, clock() - start)
    return best


def cells(length: int, radius: int | None) -> int:
    limits = band_limits(length, length, radius=radius)
    return int((limits[:, 1] - limits[:, 0]).sum())


def peers(
    q: np.ndarray, s: np.ndarray, radius: int | None, cores: int = 1
) -> dict[str, Callable[[], object]]:
    """Each library's fastest batch call for these pairs."""
    from aeon.distances import dtw_pairwise_distance
    from dtaidistance import dtw
    from tslearn.metrics import cdist_dtw

    length = q.shape[1]
    q8, s8 = q.astype(float), s.astype(float)
    every = np.concatenate([q8, s8])
    block = ((0, len(q)), (len(q), len(every)))
    window = None if radius is None else (radius + 0.01) / length
    band = {} if radius is None else {"global_constraint": "sakoe_chiba"}
    return {
        "aeon": lambda: dtw_pairwise_distance(
            q8[:, None], s8[:, None], window=window, n_jobs=cores
        ),
        "tslearn": lambda: cdist_dtw(q8, s8, sakoe_chiba_radius=radius, n_jobs=cores, **band),
        "dtaidistance": lambda: dtw.distance_matrix_fast(
            every,
            block=block,
            compact=True,
            parallel=cores > 1,
            window=None if radius is None else radius + 1,
        ),
    }


def compare_distances() -> None:
    say("### (a) N × R distances, one core: ns per pair\n")
    say("| T | r | ours | aeon | tslearn | dtaidistance | ours vs fastest peer |")
    say("|---|---|---|---|---|---|---|")
    for length in (24, 30, 60):
        for radius in (3, 5, None):
            q = RNG.normal(size=(40_000, length)).astype(np.float32)
            s = RNG.normal(size=(36, length)).astype(np.float32)
            call = partial(distances, q, s, radius=radius)
            ours = seconds(call) / (len(q) * 36) * 1e9
            few = q[:300]
            others = {}
            for name, call in peers(few, s, radius).items():
                call()
                others[name] = seconds(call, 3) / (len(few) * 36) * 1e9
            row = " | ".join(f"{others[name]:.0f}" for name in ("aeon", "tslearn", "dtaidistance"))
            ratio = min(others.values()) / ours
            say(f"| {length} | {radius or 'none'} | {ours:.1f} | {row} | {ratio:.0f} × |")
    say()


def the_headline() -> None:
    q = RNG.normal(size=(1_000_000, 30)).astype(np.float32)
    s = RNG.normal(size=(36, 30)).astype(np.float32)
    work = cells(30, 3) * len(q) * 36 / 1e9
    one = seconds(lambda: distances(q, s, radius=3), 3)
    fastest = _fastest_peer(q, s, 1)
    say(
        f"N = 1e6, R = 36, T = 30, r = 3, one core: {one:.2f} s of processor time "
        f"({work / one:.1f} Gcell/s), {fastest / one:.0f} × the fastest peer "
        "(extrapolated from 300 series).\n"
    )
    if CORES > 1:
        every = seconds(lambda: distances(q, s, radius=3, threads=CORES), 5, wall=True)
        alone = seconds(lambda: distances(q, s, radius=3), 5, wall=True)
        spent = _processor_time(lambda: distances(q, s, radius=3, threads=CORES))
        say(
            f"The same on {CORES} cores: {every:.2f} s of wall time, {alone / every:.2f} × one "
            f"core, {_fastest_peer(q, s, CORES) / every:.0f} × the fastest peer on {CORES} cores. "
            f"The threads together used {spent / one:.2f} × the processor time of one.\n"
        )


def kernel_on_all_cores() -> None:
    limits, s = band_limits(30, 30, radius=3), RNG.normal(size=(1, 36, 30)).astype(np.float32)
    blocks = [RNG.normal(size=(1, 30, 1984)).astype(np.float32) for _ in range(CORES)]
    outs = [np.empty((1, 36, 1984), np.float32) for _ in blocks]

    def work(turn: int) -> None:
        for _ in range(100):
            block_distances(blocks[turn], s, limits, out=outs[turn])

    with ThreadPoolExecutor(CORES) as pool:
        alone, together = np.inf, np.inf
        for _ in range(8):
            alone = min(alone, seconds(lambda: work(0), 1, wall=True))
            together = min(
                together, seconds(lambda: list(pool.map(work, range(CORES))), 1, wall=True)
            )
    say(
        f"The block kernel on {CORES} threads, a block each: {CORES * alone / together:.2f} × the "
        f"pixels of one ({cells(30, 3) * 1984 * 3600 / alone / 1e9:.1f} Gcell/s) in wall time.\n"
    )


def _processor_time(call: Callable[[], object]) -> float:
    """Smallest processor time of all threads."""
    best = np.inf
    for _ in range(5):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best


def _fastest_peer(q: np.ndarray, s: np.ndarray, cores: int) -> float:
    """Seconds for all series, from the first 300."""
    few, fastest = q[:300], np.inf
    for call in peers(few, s, 3, cores).values():
        call()
        fastest = min(fastest, seconds(call, 3, wall=cores > 1))
    return fastest / len(few) * len(q)


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
        say("| T | r | ours, Gcell/s | C, Gcell/s | ours / C | 10 % missing, Gcell/s |")
        say("|---|---|---|---|---|---|")
        for length, radius in [(24, 3), (30, 3), (60, 3), (30, 5), (60, None)]:
            say(_row_against_c(function, length, radius))
    say()


def _row_against_c(function: Callable[..., object], length: int, radius: int | None) -> str:
    pixels, count = 4096, 36
    q = RNG.normal(size=(1, length, pixels)).astype(np.float32)
    s = RNG.normal(size=(1, count, length)).astype(np.float32)
    limits = band_limits(length, length, radius=radius)
    out, theirs = np.empty((1, count, pixels), np.float32), np.empty((count, pixels), np.float32)
    raw = np.empty(32 * length + 16, np.float32)
    row = raw[(-raw.ctypes.data // 4) % 16 :]
    sizes = [ctypes.c_long(number) for number in (length, pixels, count)]
    places = [ctypes.c_void_p(array.ctypes.data) for array in (q, s, limits, row, theirs)]
    gaps = np.where(RNG.random(q.shape) < 0.1, np.float32(np.nan), q)
    work = cells(length, radius) * pixels * count / 1e9
    best = [np.inf] * 3
    for _ in range(30):
        calls = (
            lambda: block_distances(q, s, limits, out=out),
            lambda: function(*places[:3], *sizes, *places[3:]),
            lambda: block_distances(gaps, s, limits, out=out),
        )
        best = [min(b, seconds(call, 1)) for b, call in zip(best, calls, strict=True)]
    np.testing.assert_allclose(block_distances(q, s, limits)[0], theirs, rtol=1e-5)
    ours, c, missing = (work / b for b in best)
    return (
        f"| {length} | {radius or 'none'} | {ours:.1f} | {c:.1f} | {ours / c:.2f} | {missing:.1f} |"
    )


def compare_barycenters() -> None:
    from aeon.clustering.averaging import elastic_barycenter_average
    from dtaidistance.dtw_barycenter import dba_loop
    from tslearn.barycenters import dtw_barycenter_averaging

    say("### (c) One barycenter of N = 200 series, T = 30, r = 3, one core\n")
    say("Cost = sum of squared banded distances to the barycenter, always recomputed by us.\n")
    say("| library | seconds | final cost |")
    say("|---|---|---|")
    center = RNG.normal(15, 3, (200, 1))
    series = np.exp(-(((np.arange(30) - center) / 3) ** 2)) + RNG.normal(0, 0.2, (200, 30))
    band = {"global_constraint": "sakoe_chiba", "sakoe_chiba_radius": 3}
    start = series.mean(axis=0)
    calls: dict[str, Callable[[], np.ndarray]] = {
        "ours": lambda: barycenter(series, radius=3, start=start).values,
        "ours, 4 starts": lambda: barycenter(series, radius=3, start=start, restarts=4).values,
        "tslearn (EM)": lambda: dtw_barycenter_averaging(
            series, init_barycenter=start[:, None], metric_params=band, max_iter=30
        ),
        "aeon (Petitjean)": lambda: elastic_barycenter_average(
            series[:, None], distance="dtw", window=3.01 / 30, method="petitjean"
        ),
        "aeon (subgradient)": lambda: elastic_barycenter_average(
            series[:, None], distance="dtw", window=3.01 / 30, method="subgradient", random_state=0
        ),
        "dtaidistance (C)": lambda: dba_loop(
            series, start.copy(), max_it=30, thr=1e-5, use_c=True, window=4
        ),
    }
    for name, call in calls.items():
        values = np.asarray(call()).reshape(1, -1)
        spent = seconds(call, 3)
        cost = float((distances(series, values, radius=3).astype(float) ** 2).sum())
        say(f"| {name} | {spent:.4f} | {cost:.4f} |")
    say()


def compare_neighbours() -> None:
    from sklearn.neighbors import KNeighborsClassifier
    from tslearn.metrics import cdist_dtw

    say("### (d) k-NN, k = 25, r = 3, 1000 training windows × 9 features × T = 30, one core\n")
    X, y = RNG.normal(size=(1000, 9, 30)), np.arange(1000) % 4
    queries = RNG.normal(size=(40, 9, 30))
    model = KNeighborsDTW(n_neighbors=25, radius=3, standardise=False).fit(X, y)
    ours = seconds(lambda: model.predict(queries), 3)

    def authors() -> np.ndarray:
        turned = (queries.transpose(0, 2, 1), X.transpose(0, 2, 1))
        away = cdist_dtw(*turned, global_constraint="sakoe_chiba", sakoe_chiba_radius=3)
        fitted = KNeighborsClassifier(25, metric="precomputed").fit(np.zeros((1000, 1000)), y)
        return np.asarray(fitted.predict(away))

    authors()
    theirs = seconds(authors, 2)
    same = np.mean(model.predict(queries) == authors())
    say("| | ms per query | same classes |")
    say("|---|---|---|")
    say(f"| ours | {ours / 40 * 1e3:.3f} | |")
    say(f"| scikit-learn + tslearn | {theirs / 40 * 1e3:.2f} | {same:.0%} |\n")
    say(f"{theirs / ours:.0f} × faster.\n")


def scaling() -> None:
    say("### (e) Scaling\n")
    say("| N | R | T | threads | seconds (wall) | Gcell/s |")
    say("|---|---|---|---|---|---|")
    base = (200_000, 36, 30, 1)
    variants = [base, (50_000, 36, 30, 1), (800_000, 36, 30, 1), (200_000, 4, 30, 1)]
    variants += [(200_000, 144, 30, 1), (200_000, 36, 60, 1), (200_000, 36, 120, 1)]
    variants += [(800_000, 36, 30, n) for n in sorted({2, CORES}) if n > 1]
    for many, count, length, threads in variants:
        q = RNG.normal(size=(many, length)).astype(np.float32)
        s = RNG.normal(size=(count, length)).astype(np.float32)
        spent = seconds(partial(distances, q, s, radius=3, threads=threads), 4, wall=True)
        speed = cells(length, 3) * many * count / spent / 1e9
        say(f"| {many} | {count} | {length} | {threads} | {spent:.3f} | {speed:.1f} |")
    say()
    away = RNG.random((9, 4, 100_000)).astype(np.float32)
    spent = seconds(lambda: decide(away, np.ones(9))) / 1e5 * 1e9
    say(f"Soft decision of 9 features × 4 classes: {spent:.0f} ns per pixel, one core.\n")


def machine() -> str:
    name = platform.processor() or platform.machine()
    for line in (
        Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ()
    ):
        if line.startswith("model name"):
            name = line.split(":")[1].strip()
    import numba

    return (
        f"{name}, {CORES} cores, {LANES} pixels at once, numba {numba.__version__}, "
        f"numpy {np.__version__}, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )


def keep(path: Path) -> None:
    """Replace what stands between the two marks of our section."""
    first, last = "<!-- dtw tables -->\n", "<!-- end of dtw tables -->\n"
    before, rest = path.read_text().split(first)
    path.write_text(before + first + "\n" + "\n".join(LINES) + "\n" + last + rest.split(last)[1])


def main() -> None:
    say(f"Machine: {machine()}. Load while measuring: {os.getloadavg()[0]:.1f}.\n")
    block_distances(
        np.zeros((1, 2, 1), np.float32), np.zeros((1, 1, 2), np.float32), band_limits(2, 2)
    )
    compare_distances()
    the_headline()
    kernel_on_all_cores()
    against_c()
    compare_barycenters()
    compare_neighbours()
    scaling()
    if "--write" in sys.argv:
        keep(Path(__file__).parents[1] / "docs" / "benchmarks.md")


if __name__ == "__main__":
    main()
