"""What the mapped default is worth beside every compared method, on labelled series.

    python -m benchmarks.accuracy [--write] [points parcels campaigns UCR, or single sets]
    python -m benchmarks.accuracy [--write] together

Sets: windows of three simulated campaigns (groups: polygons), 397 points with a year of Sentinel-1
(groups: cells of 1°), parcels of two Sentinel-1 sites, and sets of the UCR archive with their own
training and test sides, all of the one trained on and all of the other tested. The default is
`best`: its nested figure, whose choice sees no tested polygon; on the UCR sets the choice is made
on the training side. It holds if it is not below the best of all methods by more than half the
width of that one's 95 % interval. Probabilities hold if
their calibration error is below 0.05, or if they are withheld; beside it stands the root mean
squared error less what chance adds. `together` compares the methods of all features together, which
are compared only where they are named, with the sum of distances on the same folds of real sets;
laws need a window's spread, which points and the archive do not have.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks import simulation
from benchmarks.clock import Report
from cpazmal_scale.assess import cross_validate
from cpazmal_scale.assess.validate.choose import choose
from cpazmal_scale.assess.validate.cross_validate import Labelled
from cpazmal_scale.assess.validate.validation import CrossValidation
from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.methods import COMPARED, method
from cpazmal_scale.samples import WindowSeries
from cpazmal_scale.vocabulary import CALIBRATED_GROUPS

DATA = Path(__file__).parents[2] / "shared" / "data"
COVER = {
    11: "crops",
    12: "perennial",
    13: "grass",
    30: "forest",
    40: "shrub",
    60: "bare",
    70: "water",
}
SETTINGS = {
    "dtw": {"min_dates": 2},
    "train": {"barycenters": "auto"},
    "assess": {"folds": 3, "repeats": 2},
}


CAMPAIGNS = (42, 43, 44)
"""Seeds."""
ARCHIVE = ("GunPoint", "ECG200", "SyntheticControl", "Trace", "ItalyPowerDemand", "ArrowHead")
"""Sets of the UCR archive."""
_FIGURES = ["macro_f1_pooled", "macro_f1_low", "macro_f1_high"]


class Set(NamedTuple):
    """Labelled series, and the test side where it is given."""

    name: str
    labelled: Labelled
    tested: Labelled | None = None


def points() -> Set:
    """κ1 of VV and VH, twelve months, at points of seven land covers."""
    import pandas as pd

    table = pd.read_parquet(DATA / "labelled-points" / "worldcereal_testdf.parquet")
    table = table[table["LANDCOVER_LABEL"].isin(list(COVER))]
    numbers = np.stack(
        [table[[f"SAR-{p}-ts{t}-20m" for t in range(12)]] for p in ("VV", "VH")], axis=1
    ).astype(np.float64)
    numbers[(numbers >= 65535) | (numbers <= 0)] = np.nan
    values = np.log(numbers) - 83 * np.log(10) / 20
    cells = [f"{lat:.0f} {lon:.0f}" for lat, lon in zip(table["lat"], table["lon"], strict=True)]
    dates = np.arange("2020-01", "2021-01", dtype="datetime64[M]").astype("datetime64[s]")
    series = WindowSeries(values.astype(np.float32), ("VV.k1", "VH.k1"), dates)
    return Set("points", Labelled(series, table["LANDCOVER_LABEL"].map(COVER).to_numpy(), cells))


def parcels() -> Iterator[Set]:
    """Pixels of crop parcels of each site, dates of its richer track, k1 and k2 of 3 x 3."""
    import h5py
    from scipy.ndimage import label, uniform_filter

    crops = {1110: "cereal", 1200: "maize", 1500: "cereal", 1510: "cereal", 9120: "grass"}
    for path in sorted((DATA / "s1-labelled").glob("S1_GRD-*.nc")):
        (truth,) = path.parent.glob(f"OUTPUT_*_{path.name.split('_')[3]}_*.nc")
        with h5py.File(path) as file, h5py.File(truth) as labels:
            seconds = file["timestamp"][()].astype(np.int64)
            begin = file["timestamp"].attrs["units"].removeprefix("seconds since ")[:19]
            decibels = np.stack([file[name][()] for name in ("VV", "VH")]) * 1e-4
            crop = labels["CT"][()][::2, ::2]
        hours = seconds % 86400 // 600
        track = hours == np.bincount(hours).argmax()
        logs = np.where(decibels == 0, np.nan, decibels)[:, track] * np.log(10) / 20
        mean = uniform_filter(logs, (0, 0, 3, 3))
        spread = uniform_filter(logs * logs, (0, 0, 3, 3)) - mean * mean
        values, y, groups = [], [], []
        for code, name in crops.items():
            fields, count = label(crop == code)
            for field in range(1, count + 1):
                rows, columns = np.nonzero(fields == field)
                if rows.size < 6:
                    continue
                values.append(np.stack([mean, spread], axis=1)[..., rows, columns])
                y += [name] * rows.size
                groups += [f"{code}-{field}"] * rows.size
        every = np.concatenate(values, axis=-1)
        block = np.moveaxis(every.reshape(4, -1, every.shape[-1]), -1, 0).astype(np.float32)
        kept = [
            name
            for name in set(y)
            if len({g for c, g in zip(y, groups, strict=True) if c == name}) > 1
        ]
        some = np.isin(y, kept)
        dates = np.datetime64(begin, "s") + seconds[track]
        series = WindowSeries(block[some], ("VV.k1", "VV.k2", "VH.k1", "VH.k2"), dates)
        yield Set(
            path.name.split("_")[3][-6:],
            Labelled(series, np.array(y)[some], np.array(groups)[some]),
        )


def campaign(seed: int) -> Set:
    """k1 and k2 of HH in 2020, 15 windows of each polygon of 1024 x 1024 simulated pixels."""
    own = simulation.side(seed, 1024, simulation.OWN, each=15)
    dates = own.days.astype("datetime64[s]")
    series = WindowSeries(own.series.astype(np.float32), ("HH.k1", "HH.k2"), dates)
    return Set(f"campaign {seed}", Labelled(series, own.labels, own.groups))


def ucr(name: str) -> Set:
    """A set of the archive, every series a group of its own."""
    sides = []
    folder = DATA / "ucr"
    for side in ("TRAIN", "TEST"):
        x, y = _ucr_side(folder, name, side)
        dates = np.datetime64("2020-01-01", "s") + np.arange(x.shape[1]) * 86400 * 2
        series = WindowSeries(x[:, None].astype(np.float32), ("x",), dates)
        sides.append(Labelled(series, y, [f"{side} {n}" for n in range(len(y))]))
    return Set(name, *sides)


def _ucr_side(folder: Path, name: str, side: str) -> tuple[np.ndarray, np.ndarray]:
    if (folder / f"{name}.npz").exists():
        with np.load(folder / f"{name}.npz") as held:
            part = side.lower()
            return held[f"X_{part}"].reshape(len(held[f"X_{part}"]), -1), held[f"y_{part}"].astype(
                str
            )
    path = next(
        p for p in (folder / f"{name}_{side}.ts", *(folder / name).glob(f"*{side}*")) if p.exists()
    )
    if path.suffix == ".ts":
        lines = [line for line in path.read_text().splitlines() if line and line[0] not in "#@"]
        rows = [line.split(":") for line in lines]
        return np.array([row[0].split(",") for row in rows], float), np.array([r[1] for r in rows])
    table = np.loadtxt(path, delimiter="," if "," in path.read_text()[:200] else None)
    return table[:, 1:], table[:, 0].astype(int).astype(str)


def compared(
    one: Set, config: RunConfig, names: list[str], *, calibrate: bool = True
) -> CrossValidation:
    """The methods on folds of the configuration, or on the sides that a set has."""
    if one.tested is None:
        return cross_validate(one.labelled, config, methods=names, calibrate=calibrate)
    trained = np.arange(len(np.asarray(one.labelled.y)))
    tested = trained.size + np.arange(len(np.asarray(one.tested.y)))
    # each group has to be tested in some fold; the second has no tested windows and trains nothing
    sides = ((trained, tested), (tested, trained))
    return cross_validate(
        one.labelled,
        config.with_values({"assess": {"repeats": 1}}),
        methods=names,
        tested=one.tested,
        split=lambda *_: sides,
        calibrate=calibrate,
    )


def judge(report: Report, one: Set) -> None:
    """One row of the table."""
    config = RunConfig.parse(SETTINGS)
    names = [method(setting).name for setting in COMPARED]
    every = compared(one, config, names)
    table = every.summary()
    chosen = choose(one.labelled.series, one.labelled.y, one.labelled.groups, config)
    best = str(table["macro_f1_pooled"].idxmax())
    half = float(table.loc[best, "macro_f1_high"] - table.loc[best, "macro_f1_low"]) / 2
    own = table.loc[method(chosen.method).name]
    mapped = own["macro_f1_pooled"]
    if one.tested is None and chosen.nested_macro_f1 is not None:
        mapped = chosen.nested_macro_f1
    top = table.loc[best, "macro_f1_pooled"]
    published = every.fewest_groups >= CALIBRATED_GROUPS and not method(chosen.method).votes
    report.row(
        one.name,
        len(np.asarray(one.labelled.y)),
        chosen.method,
        f"{mapped:.3f}",
        f"{best} {top:.3f}",
        f"{half:.3f}",
        "yes" if mapped >= top - half else "**no**",
        f"{own['ece_pooled']:.3f}" if published else "withheld",
        f"{own['calibration_rms']:.3f}" if published else "withheld",
    )
    for name, row in table.sort_values("macro_f1_pooled", ascending=False).iterrows():
        print(
            f"    {name:34s} {row['macro_f1_pooled']:.3f} "
            f"({row['macro_f1_low']:.3f}–{row['macro_f1_high']:.3f}) "
            f"ECE {row['ece_pooled']:.3f}, perfect {row['ece_perfect']:.3f} up to "
            f"{row['ece_perfect_high']:.3f}, without chance {row['calibration_rms']:.3f} "
            f"({row['calibration_low']:.3f}–{row['calibration_high']:.3f})",
            flush=True,
        )


def together() -> Report:
    """Macro-F1 of soft-DTW, Wasserstein DTW and WaSPS-DTW beside the sum's, with intervals."""
    report = Report("together")
    settings = ("euclid-sum", "sum", "soft-dtw", "wasserstein", "wasps")
    report.table("set", *(method(setting).name for setting in settings))
    config = RunConfig.parse({**SETTINGS, "features": {"statistics": ["k1", "k2"]}})
    for one in (points(), *parcels(), *(ucr(name) for name in ARCHIVE)):
        spread = any(name.endswith(".k2") for name in one.labelled.series.names)
        names = [method(setting).name for setting in (settings if spread else settings[:3])]
        table = compared(one, config, names, calibrate=False).summary()
        report.row(
            one.name,
            *("{:.3f} ({:.3f}–{:.3f})".format(*table.loc[name, _FIGURES]) for name in names),
            *["no window"] * (len(settings) - len(names)),
        )
    return report


def main() -> None:
    """Print the table; `--write` keeps it in the documentation."""
    wanted = [name for name in sys.argv[1:] if not name.startswith("-")]
    if wanted == ["together"]:
        compared = together()
        if "--write" in sys.argv:
            compared.keep()
        return
    report = Report("accuracy")
    report.table(
        "set", "series", "default", "macro-F1", "best of all", "half width", "holds", "ECE", "RMS"
    )
    if not wanted or "points" in wanted:
        judge(report, points())
    for one in parcels():
        if not wanted or one.name in wanted or "parcels" in wanted:
            judge(report, one)
    for seed in CAMPAIGNS:
        if not wanted or str(seed) in wanted or "campaigns" in wanted:
            judge(report, campaign(seed))
    for name in ARCHIVE:
        if not wanted or name in wanted or "UCR" in wanted:
            judge(report, ucr(name))
    if "--write" in sys.argv:
        report.keep()


if __name__ == "__main__":
    main()
