"""How fair the simulation is: what another beam costs, and how long a pixel takes.

    python -m benchmarks.simulation [--size 1024] [--seeds 3]

Trains on windows of one set of polygons in the descending or in the ascending beam, and classifies
windows of other polygons in the descending one. Prints Markdown.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.dtw import NearestBarycenter
from cpazmal_scale.published.scenarios import temporal_stack
from cpazmal_scale.published.simulated import SimulatedChips
from cpazmal_scale.samples import WindowRule
from cpazmal_scale.simulate.given import tables
from cpazmal_scale.simulate.ground.grids import over_massif
from cpazmal_scale.simulate.ground.world import ground_block, make_world
from cpazmal_scale.simulate.passes import imaging

if TYPE_CHECKING:
    from numpy.typing import NDArray

OWN, OTHER = "DSC37", "ASC45"
FOLDS, EACH, BAND_DAYS = 3, 40, 33.0
BLOCK = 512
LAST = "20201011"
"""Last day of the ascending beam in 2020."""


class Side(NamedTuple):
    """Series (N, 2, T) of one beam, with classes, polygons and dates."""

    series: NDArray[np.float64]
    labels: NDArray[np.str_]
    groups: NDArray[np.str_]
    days: NDArray[np.datetime64]


def side(seed: int, size: int, beam: str, each: int = EACH) -> Side:
    """First two log-cumulants of windows of 7 x 7 amplitudes in HH in 2020, `each` per polygon."""
    chips = SimulatedChips(seed, size, beam, among=(OWN, OTHER))
    rule = WindowRule(size=7, masked=("layover", "shadow"), max_masked=0.0, min_valid=1.0)
    found = temporal_stack(
        chips, rule, orbit=beam[:3], polarisations=("HH",), end=LAST, scale="amplitude"
    )
    random = np.random.default_rng(seed)
    kept = np.concatenate(
        [random.permutation(np.flatnonzero(found.groups == g))[:each] for g in set(found.groups)]
    )
    kept = kept[np.isfinite(found.X[kept]).all(axis=(1, 2, 3, 4))]
    logs = np.log(np.maximum(found.X[kept, ..., 0].astype(np.float64), 1e-4))
    series = np.stack([logs.mean(axis=(1, 2)), logs.var(axis=(1, 2))], axis=1)
    days = np.array([f"{day[:4]}-{day[4:6]}-{day[6:]}" for day in found.dates], "datetime64[D]")
    names, groups = np.array(found.class_names), np.array(found.group_names)
    return Side(series, names[found.y[kept]], groups[found.groups[kept]], days)


def on_dates(one: Side, days: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Series as vectors on other dates of the year, linear between their own."""
    here, there = one.days.astype(np.float64), days.astype(np.float64)
    flat = one.series.reshape(-1, here.size)
    return np.array([np.interp(there, here, row) for row in flat]).reshape(len(one.labels), -1)


def barycenters(train: Side, rows: NDArray[np.bool_], test: Side) -> NDArray[np.str_]:
    """Nearest DTW barycenter, sum of the features' distances."""
    model = NearestBarycenter("sum", days=train.days, band_days=BAND_DAYS, iterations=10)
    model.fit(train.series[rows], train.labels[rows], groups=train.groups[rows])
    told: NDArray[np.str_] = model.classes_[model.decide(test.series, days=test.days).index]
    return told


def discriminant(train: Side, rows: NDArray[np.bool_], test: Side) -> NDArray[np.str_]:
    """Linear discriminant with shrunk covariance."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    model.fit(on_dates(train, test.days)[rows], train.labels[rows])
    told: NDArray[np.str_] = model.predict(on_dates(test, test.days))
    return told


def forest(train: Side, rows: NDArray[np.bool_], test: Side) -> NDArray[np.str_]:
    """Random forest."""
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(100, random_state=0)
    model.fit(on_dates(train, test.days)[rows], train.labels[rows])
    told: NDArray[np.str_] = model.predict(on_dates(test, test.days))
    return told


METHODS = {"DTW sum": barycenters, "discriminant": discriminant, "forest": forest}


def crossing(seed: int, size: int) -> dict[str, tuple[float, float]]:
    """Macro-F1 of each method in the descending beam, trained on it, and on the ascending one."""
    from sklearn.metrics import f1_score
    from sklearn.model_selection import StratifiedGroupKFold

    own, other = side(seed, size, OWN), side(seed, size, OTHER)
    told = {name: np.empty((2, len(own.labels)), own.labels.dtype) for name in METHODS}
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    for _, rows in folds.split(own.series, own.labels, own.groups):
        away = set(own.groups[rows])
        test = Side(own.series[rows], own.labels[rows], own.groups[rows], own.days)
        for name, method in METHODS.items():
            for k, train in enumerate((own, other)):
                kept = np.array([group not in away for group in train.groups])
                told[name][k, rows] = method(train, kept, test)
    return {
        name: tuple(float(f1_score(own.labels, one, average="macro")) for one in both)
        for name, both in told.items()
    }


def seconds_per_megapixel() -> float:
    """Processor time of one pass of a block in HH, its ground included, best of three."""
    world = make_world(over_massif("utm", (BLOCK, BLOCK)), 42, (OWN,))
    passes = [one for one in tables.calendar() if one.beam == OWN][:9]
    imaging.image(world, ground_block(world, 0, 0, BLOCK, BLOCK), passes[0], "HH")
    times = []
    for three in (passes[:3], passes[3:6], passes[6:]):
        begin = time.process_time()
        block = ground_block(world, 0, 0, BLOCK, BLOCK)
        for one in three:
            imaging.image(world, block, one, "HH")
        times.append((time.process_time() - begin) / len(three))
    return min(times) * 1e6 / BLOCK**2


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=1024)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    spent = seconds_per_megapixel()
    print(f"{1000 * spent:.0f} ns a pixel, date and channel on one core; ", end="")
    print(f"1e8 pixels x 30 dates of HH: {spent * 100 * 30 / 60:.0f} min of one core\n")
    print("| seed | method | trained on DSC | trained on ASC | cost |\n|---|---|---|---|---|")
    for seed in range(42, 42 + given.seeds):
        for name, (within, across) in crossing(seed, given.size).items():
            print(f"| {seed} | {name} | {within:.3f} | {across:.3f} | {within - across:.3f} |")


if __name__ == "__main__":
    main()
