"""What a cross-validation found, and the tables made of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.assess.metrics import BINS, Scores, scores

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

_DRAWS = 2000
_FOLD_FIGURES = ("macro_f1", "oa", "kappa", "auc", "log_loss", "brier", "ece")


class Difference(NamedTuple):
    """Macro-F1 of one method minus another's, with its interval over polygons."""

    first: str
    second: str
    value: float
    low: float
    high: float

    @property
    def decided(self) -> bool:
        """Whether the 95 % interval excludes zero."""
        return self.low > 0 or self.high < 0


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
    """One row per method, repeat and fold: macro_f1, oa, kappa, weighted_f1, f1_{class} (NaN where
    the fold's test side lacks the class), auc, log_loss, brier, ece, seconds_fit and
    seconds_predict."""
    lacking: pd.DataFrame
    """One row (repeat, fold, side, class) for every class that a side of a fold lacks."""
    counts: NDArray[np.int64]
    """`(M, G, C, C + 1)` confusion by group; rows are the reference, the last column no class."""
    reliability: NDArray[np.float64]
    """`(M, 10, 3)` sums per bin of confidence: predictions, confidence, right ones."""
    seed: int

    def confusion(self, method: str) -> NDArray[np.int64]:
        """Counts `(C, C + 1)` over all folds."""
        return np.asarray(self.counts[self._place(method)].sum(axis=0))

    def pooled(self, method: str) -> Scores:
        """Figures of the counts over all folds."""
        return scores(self.confusion(method))

    def summary(self) -> pd.DataFrame:
        """One row per method: `{figure}_mean` and `_std` over folds (ddof 1), the macro-F1 of all
        folds' counts together (`macro_f1_pooled`) with its 95 % interval over polygons (`_low`,
        `_high`), and mean seconds per fold.
        """
        import pandas as pd

        rows = {}
        for method in self.methods:
            own = self.folds[self.folds["method"] == method]
            draws = self._drawn[self._place(method)]
            low, high = np.quantile(draws, [0.025, 0.975])
            row = {
                "macro_f1_pooled": float(self.pooled(method).macro_f1),
                "macro_f1_low": float(low),
                "macro_f1_high": float(high),
            }
            for name in _FOLD_FIGURES:
                row[f"{name}_mean"] = float(own[name].mean())
                row[f"{name}_std"] = float(own[name].std())
            for name in ("seconds_fit", "seconds_predict"):
                row[name] = float(own[name].mean())
            rows[method] = row
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")

    def per_class(self) -> pd.DataFrame:
        """One row per method and class: windows, groups, producers, users and f1 of all folds'
        counts, and mean ± std of F1 over the folds that test the class.
        """
        import pandas as pd

        rows = []
        for method in self.methods:
            pooled = self.pooled(method)
            own = self.folds[self.folds["method"] == method]
            for c, name in enumerate(self.classes):
                rows.append(
                    {
                        "method": method,
                        "class": name,
                        "windows": int(self.windows[:, c].sum()),
                        "groups": int((self.windows[:, c] > 0).sum()),
                        "producers": float(pooled.producers[c]),
                        "users": float(pooled.users[c]),
                        "f1": float(pooled.f1[c]),
                        "f1_mean": float(own[f"f1_{name}"].mean()),
                        "f1_std": float(own[f"f1_{name}"].std()),
                    }
                )
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

    def reliability_bins(self) -> pd.DataFrame:
        """One row per method and bin: low, high, predictions, mean confidence, share right."""
        import pandas as pd

        edges = np.linspace(0, 1, BINS + 1)
        rows = []
        for place, method in enumerate(self.methods):
            for b, (count, confidence, right) in enumerate(self.reliability[place]):
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
        low, high = np.quantile(self._drawn[a] - self._drawn[b], [0.025, 0.975])
        value = self.pooled(first).macro_f1 - self.pooled(second).macro_f1
        return Difference(first, second, float(value), float(low), float(high))

    def lacking_folds(self, side: str) -> int:
        """Folds whose `train` or `test` side lacks a class."""
        own = self.lacking[self.lacking["side"] == side]
        return len(own[["repeat", "fold"]].drop_duplicates())

    @property
    def fold_count(self) -> int:
        """Folds over all repeats."""
        return len(self.folds) // len(self.methods)

    @cached_property
    def _drawn(self) -> NDArray[np.float64]:
        """Macro-F1 `(M, draws)` of bootstrap draws of polygons."""
        rng = np.random.default_rng(np.random.SeedSequence([self.seed, _DRAWS]))
        main = self.windows.argmax(axis=1)
        weights = np.zeros((_DRAWS, len(self.groups)))
        for c in np.unique(main):
            members = np.flatnonzero(main == c)
            share = np.full(members.size, 1 / members.size)
            weights[:, members] = rng.multinomial(members.size, share, size=_DRAWS)
        drawn = np.einsum("dg,mgij->mdij", weights, self.counts.astype(np.float64))
        return scores(drawn).macro_f1

    def _place(self, method: str) -> int:
        if method not in self.methods:
            raise ValueError(f"{method!r} was not compared; there are {', '.join(self.methods)}")
        return self.methods.index(method)
