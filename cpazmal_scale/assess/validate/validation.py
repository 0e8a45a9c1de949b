"""What a cross-validation found, and the tables made of it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.assess.validate.metrics import (
    BINS,
    Scores,
    calibration_interval,
    chance_calibration_error,
    debiased_calibration_error,
    expected_calibration_error,
    scores,
)
from cpazmal_scale.assess.validate.significance import mcnemar, polygon_permutation

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

NEVER = -2
"""Code of a window that no fold tests."""
MIN_GROUPS = 5
"""Polygons that each class needs before a difference between methods is called one."""
SIGNIFICANT = 0.05
_DRAWS = 2000
_POOLED = {
    "macro_f1": "macro_f1",
    "oa": "overall_accuracy",
    "weighted_f1": "weighted_f1",
    "kappa": "kappa",
}
"""Figures of counts, and what `Scores` calls them."""
_FOLD_FIGURES = (*_POOLED, "auc", "log_loss", "brier", "ece")


class Difference(NamedTuple):
    """Macro-F1 of one method minus another's, with its interval over polygons."""

    first: str
    second: str
    value: float
    low: float
    high: float
    p: float
    """Of the permutation of polygons."""
    groups: int
    """Polygons of the class that has fewest."""

    @property
    def decided(self) -> bool:
        """Whether interval and permutation agree on a difference, on enough polygons.

        The bootstrap alone is too sure of itself where a class has few polygons.
        """
        excludes = self.low > 0 or self.high < 0
        return excludes and self.p < SIGNIFICANT and self.groups >= MIN_GROUPS


@dataclass(frozen=True, eq=False)
class CrossValidation:
    """Predictions of M methods on the same folds, counted.

    Counts are summed over all repeats: every window is counted once per repeat. The 95 % intervals
    come from a cluster bootstrap: polygons are drawn with replacement within their class, the same
    draws for every method. The effective sample is the polygons, not the windows.
    """

    classes: tuple[str, ...]
    methods: tuple[str, ...]
    groups: tuple[str, ...]
    windows: NDArray[np.int64]
    """`(G, C)` windows of each group and class."""
    folds: pd.DataFrame
    """One row per method, repeat and fold: macro_f1, oa, kappa, weighted_f1, producers_{class},
    users_{class} and f1_{class} (NaN where the fold's test side lacks the class), auc, log_loss,
    brier, ece, seconds_fit and seconds_predict."""
    sides: pd.DataFrame
    """One row (repeat, fold, side, class, windows) for every class on both sides of every fold."""
    counts: NDArray[np.int64]
    """`(M, G, C, C + 1)` confusion by group; rows are the reference, the last column no class."""
    reliability: NDArray[np.float64]
    """`(M, G, 10, 3)` sums by group and bin of confidence: predictions, confidence, right ones."""
    codes: NDArray[np.intp]
    """`(N,)` class positions of the windows."""
    predicted: NDArray[np.int16]
    """`(M, N)` what each method says of a window when it is first tested; -1 no class, -2 never."""
    tested: NDArray[np.bool_]
    """`(F, G)` groups on the test side of each fold."""
    split: str
    """How polygons were divided, as `assess.split`."""
    seed: int

    def confusion(self, method: str) -> NDArray[np.int64]:
        """Counts `(C, C + 1)` over all folds."""
        return np.asarray(self.counts[self._place(method)].sum(axis=0))

    def pooled(self, method: str) -> Scores:
        """Figures of the counts over all folds."""
        return scores(self.confusion(method))

    def summary(self) -> pd.DataFrame:
        """One row per method: `{figure}_mean` and `_std` over folds (ddof 1); macro-F1, overall
        accuracy, weighted F1 and kappa of all folds' counts together (`_pooled`) with their 95 %
        intervals over polygons (`_low`, `_high`); the calibration error of all folds' predictions
        together (`ece_pooled`: that of one fold is mostly chance), what perfect probabilities would
        show (`ece_perfect`, in 95 % of cases up to `ece_perfect_high`), and the root mean squared
        one less what chance adds (`calibration_rms`, `_low` and `_high`); mean seconds per fold.
        """
        import pandas as pd

        rows = {}
        for method in self.methods:
            own = self.folds[self.folds["method"] == method]
            pooled, row = self.pooled(method), {}
            for name, attribute in _POOLED.items():
                draws = getattr(self._drawn, attribute)[self._place(method)]
                row[f"{name}_pooled"] = float(getattr(pooled, attribute))
                row[f"{name}_low"], row[f"{name}_high"] = _interval(draws)
            for name in _FOLD_FIGURES:
                row[f"{name}_mean"] = float(own[name].mean())
                row[f"{name}_std"] = float(own[name].std())
            reliability = self.reliability[self._place(method)]
            row["ece_pooled"] = expected_calibration_error(reliability.sum(axis=0))
            row["calibration_rms"] = debiased_calibration_error(reliability)
            spread = calibration_interval(reliability, self.seed)
            row["calibration_low"], row["calibration_high"] = spread
            chance = chance_calibration_error(reliability, self.seed)
            row["ece_perfect"], row["ece_perfect_high"] = chance
            for name in ("seconds_fit", "seconds_predict"):
                row[name] = float(own[name].mean())
            rows[method] = row
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")

    def figures(self, name: str) -> dict[str, float | None]:
        """A method's row of the summary but for its seconds; None where a fold lacks classes."""
        row: dict[Any, Any] = self.summary().to_dict("index")[name]
        return {
            str(key): float(value) if np.isfinite(value) else None
            for key, value in row.items()
            if "seconds" not in str(key)
        }

    def per_class(self) -> pd.DataFrame:
        """One row per method and class: windows, groups, and for producers, users and f1 the value
        of all folds' counts, its 95 % interval over polygons (`_low`, `_high`), and mean and
        deviation over the folds that have it.
        """
        import pandas as pd

        rows = []
        for place, method in enumerate(self.methods):
            pooled = self.pooled(method)
            own = self.folds[self.folds["method"] == method]
            for c, label in enumerate(self.classes):
                row: dict[str, Any] = {
                    "method": method,
                    "class": label,
                    "windows": int(self.windows[:, c].sum()),
                    "groups": int((self.windows[:, c] > 0).sum()),
                }
                for name in ("producers", "users", "f1"):
                    row[name] = float(getattr(pooled, name)[c])
                    low, high = _interval(getattr(self._drawn, name)[place, :, c])
                    row |= {f"{name}_low": low, f"{name}_high": high}
                    row[f"{name}_mean"] = float(own[f"{name}_{label}"].mean())
                    row[f"{name}_std"] = float(own[f"{name}_{label}"].std())
                rows.append(row)
        return pd.DataFrame(rows)

    def errors(self) -> pd.DataFrame:
        """One row per method, group and class: how many of its predictions are right, what it is
        mistaken for, and its share of all errors of the method; worst first within a method.
        """
        import pandas as pd

        rows = []
        for place, method in enumerate(self.methods):
            wrong_in_all = self.counts[place].sum() - np.trace(
                self.counts[place].sum(axis=0)[:, : len(self.classes)]
            )
            for g, c in zip(*np.nonzero(self.windows), strict=True):
                row = self.counts[place, g, c].copy()
                total, right = int(row.sum()), int(row[c])
                row[c] = 0
                worst = int(row.argmax())
                rows.append(
                    {
                        "method": method,
                        "group": self.groups[g],
                        "class": self.classes[c],
                        "windows": int(self.windows[g, c]),
                        "right": right / total,
                        "mistaken_for": (*self.classes, "no class")[worst] if row.any() else "",
                        "mistaken": int(row[worst]) / total,
                        "share_of_errors": (total - right) / max(int(wrong_in_all), 1),
                    }
                )
        table = pd.DataFrame(rows)
        order = {name: place for place, name in enumerate(self.methods)}
        return table.sort_values(
            ["method", "share_of_errors", "group"],
            key=lambda column: column.map(order) if column.name == "method" else column,
            ascending=[True, False, True],
            kind="stable",
            ignore_index=True,
        )

    def false_alarms(self) -> pd.DataFrame:
        """One row per method, predicted class and group of another class that is taken for it:
        predictions, and their share of all false predictions of that class; worst first.
        """
        import pandas as pd

        rows = []
        for place, method in enumerate(self.methods):
            for c, label in enumerate(self.classes):
                wrong = self.counts[place, :, :, c].copy()
                wrong[:, c] = 0
                total = int(wrong.sum())
                by_group = wrong.sum(axis=1)
                rows += [
                    {
                        "method": method,
                        "predicted": label,
                        "group": self.groups[g],
                        "predictions": int(by_group[g]),
                        "share": int(by_group[g]) / total,
                    }
                    for g in np.argsort(-by_group, kind="stable")
                    if by_group[g]
                ]
        return pd.DataFrame(rows, columns=["method", "predicted", "group", "predictions", "share"])

    def confusions(self) -> pd.DataFrame:
        """One row per method and cell: reference, predicted (or `no class`), predictions over all
        folds, and their share of the reference class.
        """
        import pandas as pd

        columns = (*self.classes, "no class")
        rows = []
        for method in self.methods:
            counts = self.confusion(method)
            for i, j in np.ndindex(counts.shape):
                count, total = int(counts[i, j]), int(counts[i].sum())
                share = count / total if total else np.nan
                cell = {"reference": self.classes[i], "predicted": columns[j]}
                rows.append({"method": method, **cell, "predictions": count, "share": share})
        return pd.DataFrame(rows)

    def reliability_bins(self) -> pd.DataFrame:
        """One row per method and bin: low, high, predictions, mean confidence, share right."""
        import pandas as pd

        edges = np.linspace(0, 1, BINS + 1)
        rows = []
        for place, method in enumerate(self.methods):
            for b, (count, confidence, right) in enumerate(self.reliability[place].sum(axis=0)):
                known = count > 0
                rows.append(
                    {
                        "method": method,
                        "low": edges[b],
                        "high": edges[b + 1],
                        "predictions": int(count),
                        "confidence": confidence / count if known else np.nan,
                        "accuracy": right / count if known else np.nan,
                    }
                )
        return pd.DataFrame(rows)

    def difference(self, first: str, second: str) -> Difference:
        """Macro-F1 of `first` minus `second` over all folds, with a paired 95 % interval."""
        a, b = self._place(first), self._place(second)
        low, high = _interval(self._drawn.macro_f1[a] - self._drawn.macro_f1[b])
        value = self.pooled(first).macro_f1 - self.pooled(second).macro_f1
        p = polygon_permutation(self.counts[a], self.counts[b], self.seed)
        return Difference(first, second, float(value), low, high, p, self.fewest_groups)

    def differences(self) -> pd.DataFrame:
        """One row per pair of methods: difference in macro-F1 with its 95 % interval, p of the
        permutation of polygons, and McNemar's test with the windows only one of them gets right.
        """
        import pandas as pd

        rows = []
        for a, b in itertools.combinations(range(len(self.methods)), 2):
            gap = self.difference(self.methods[a], self.methods[b])
            known = self.predicted[a] != NEVER
            right = [self.predicted[m][known] == self.codes[known] for m in (a, b)]
            paired = mcnemar(*right)._asdict()
            paired["mcnemar_p"] = paired.pop("p")
            named = {"first": gap.first, "second": gap.second, "difference": gap.value}
            rows.append(
                {**named, "low": gap.low, "high": gap.high, "permutation_p": gap.p, **paired}
            )
        columns = ["first", "second", "difference", "low", "high", "permutation_p"]
        return pd.DataFrame(rows, columns=[*columns, "first_only", "second_only", "mcnemar_p"])

    @property
    def fewest_groups(self) -> int:
        """Tested polygons of the class that has fewest."""
        return int((self.windows > 0).sum(axis=0).min())

    @property
    def trained_groups(self) -> NDArray[np.int64]:
        """`(F, C)` polygons of each class on the training side of each fold."""
        return np.asarray((~self.tested).astype(np.int64) @ (self.windows > 0).astype(np.int64))

    @property
    def lacking(self) -> pd.DataFrame:
        """One row (repeat, fold, side, class) for every class that a side of a fold lacks."""
        missing = self.sides[self.sides["windows"] == 0]
        return missing.drop(columns="windows").reset_index(drop=True)

    def samples(self) -> pd.DataFrame:
        """One row per side (train, test): `{class}_mean` and `_std` of its windows over folds."""
        import pandas as pd

        counts = self.sides.groupby(["side", "class"])["windows"].agg(["mean", "std"])
        rows = {
            side: {
                f"{label}_{name}": float(counts[name][side, label])
                for label in self.classes
                for name in ("mean", "std")
            }
            for side in ("train", "test")
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("side")

    def lacking_folds(self, side: str) -> int:
        """Folds whose `train` or `test` side lacks a class."""
        own = self.lacking[self.lacking["side"] == side]
        return len(own[["repeat", "fold"]].drop_duplicates())

    @property
    def fold_count(self) -> int:
        """Folds over all repeats."""
        return len(self.folds) // len(self.methods)

    @cached_property
    def _drawn(self) -> Scores:
        """Figures `(M, draws)` of bootstrap draws of polygons."""
        weights = _weights(self.windows, self.seed)
        return scores(np.einsum("dg,mgij->mdij", weights, self.counts.astype(np.float64)))

    def _place(self, method: str) -> int:
        if method not in self.methods:
            raise ValueError(f"{method!r} was not compared; there are {', '.join(self.methods)}")
        return self.methods.index(method)


def resampled_macro_f1(
    counts: NDArray[np.int64], windows: NDArray[np.int64], seed: int
) -> NDArray[np.float64]:
    """Macro-F1 `(draws,)` of bootstrap draws of polygons, for counts `(G, C, C + 1)` by polygon."""
    drawn = np.einsum("dg,gij->dij", _weights(windows, seed), counts.astype(np.float64))
    found = scores(drawn).macro_f1
    return np.asarray(found[np.isfinite(found)])


def _weights(windows: NDArray[np.int64], seed: int) -> NDArray[np.float64]:
    """How often each polygon is drawn, `(draws, G)`: with replacement within its class."""
    rng = np.random.default_rng(np.random.SeedSequence([seed, _DRAWS]))
    tested = windows.any(axis=1)
    main = np.where(tested, windows.argmax(axis=1), -1)
    weights = np.zeros((_DRAWS, len(windows)))
    for c in np.unique(main[tested]):
        members = np.flatnonzero(main == c)
        share = np.full(members.size, 1 / members.size)
        weights[:, members] = rng.multinomial(members.size, share, size=_DRAWS)
    return weights


def _interval(draws: NDArray[np.float64]) -> tuple[float, float]:
    """The middle 95 % of the draws that are defined."""
    known = draws[np.isfinite(draws)]
    low, high = np.quantile(known, [0.025, 0.975]) if known.size else (np.nan, np.nan)
    return float(low), float(high)
