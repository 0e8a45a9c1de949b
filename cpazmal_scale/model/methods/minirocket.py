"""MiniRocket (Dempster et al. 2021): shares of dates above biases, weighed by ridge regression."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from cpazmal_scale.dtw import group_folds
from cpazmal_scale.kernels.minirocket import TAPS, convolutions, shares_above
from cpazmal_scale.kernels.scores import linear_scores
from cpazmal_scale.model.methods.flat import NEAREST_DAYS, FlatClassifier, imputed
from cpazmal_scale.model.methods.linear import z_scores

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

KERNELS = np.array(list(combinations(range(TAPS), 3)), np.int32)
PER_KERNEL = 12
"""Biases of each of the 84 kernels: a tenth of the authors' 9996 features, enough for 30 dates."""
MOST_DILATIONS = 32
PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4)
"""Ridge penalties that are tried on held-out groups."""
WITHOUT_GROUPS = 100.0
_LANES = 64


class MiniRocket(FlatClassifier):
    """Ridge regression on the shares of dates at which fixed convolutions exceed a bias.

    Features are z-scored and missing numbers count as their mean; each kernel sums a random choice
    of the features. Series of fewer than nine dates are filled up with means.

    Attributes:
        dilations_: int32 `(D,)`.
        per_dilation_: int32 `(D,)` biases of each kernel.
        bounds_: int32 `(84 D + 1,)`, and
        channels_: int32, which features each kernel sums.
        biases_: float32 `(F,)`.
        fill_: float32 `(K·T,)` means, which stand for missing numbers.
        weights_: float64 `(C, F)` of the shares.
        middle_: float64 `(F,)` mean shares.
        intercepts_: float64 `(C,)`.
    """

    held_out_folds: ClassVar[int] = 6
    fitted: ClassVar[tuple[str, ...]] = (
        *("dilations_", "per_dilation_", "bounds_", "channels_", "biases_", "fill_"),
        *("weights_", "middle_", "intercepts_"),
    )

    def __init__(
        self,
        days: ArrayLike | None = None,
        nearest_days: float = NEAREST_DAYS,
        min_dates: int = 1,
        reject: float | None = None,
        temperature: float | None = None,
        seed: int = 0,
        penalty: float | None = None,
    ) -> None:
        super().__init__(days, nearest_days, min_dates, reject, temperature, seed)
        self.penalty = penalty

    def chosen(self) -> dict[str, Any]:
        """The penalty, which held-out fits take over."""
        return {"penalty": self.penalty_}

    def learn(
        self,
        values: NDArray[np.float64],
        codes: NDArray[np.intp],
        groups: NDArray[np.intp] | None,
    ) -> None:
        """Learn from vectors `(N, K·T)`, NaN missing, class positions and group numbers."""
        _, mean = imputed(values)
        self.fill_ = mean.astype(np.float32)
        block = self.complete(np.ascontiguousarray(values.T, np.float32))
        self._draw(block)
        shares = self.shares(block).T.astype(np.float64)
        scaled, self.middle_, scale = z_scores(shares)
        targets = np.where(codes[:, None] == np.arange(len(self.classes_)), 1.0, -1.0)
        self.penalty_ = self.penalty or _best_penalty(scaled, targets, codes, groups, self.seed)
        weights, self.intercepts_ = _ridge(scaled, targets, (self.penalty_,))[0]
        self.weights_ = np.ascontiguousarray((weights / scale[:, None]).T)

    def scores(self, block: NDArray[np.float32]) -> NDArray[np.float64]:
        """Regressed memberships `(C, P)` of raw vectors `(K·T, P)`."""
        found = np.empty((len(self.classes_), block.shape[1]))
        shares = self.shares(self.complete(block))
        linear_scores(shares, self.middle_, self.weights_, self.intercepts_, found)
        return found

    def shares(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Features `(F, P)` of complete, z-scored series `(K, T, P)`."""
        out = np.empty((len(self.biases_), block.shape[2]), np.float32)
        where = (self.dilations_, self.per_dilation_, self.bounds_, self.channels_, self.biases_)
        shares_above(block, KERNELS, *where, out)
        return out

    def seconds_per_pixel(self, limits: NDArray[np.int32]) -> float:
        """Seconds per pixel on the core that the forecasts were measured on."""
        return float(4.5e-12 * len(self.biases_) * max(len(limits), TAPS) * 40)

    def check(self) -> None:
        """Refuse tables that lead outside the series, or weights of another shape."""
        super().check()
        kernels, features = len(KERNELS) * len(self.dilations_), len(self.biases_)
        dates = max(self.dates_in_, TAPS)
        good = all(
            (
                self.bounds_.shape == (kernels + 1,),
                self.bounds_[0] == 0,
                (np.diff(self.bounds_) > 0).all(),
                self.bounds_[-1] == len(self.channels_),
                ((self.channels_ >= 0) & (self.channels_ < self.n_features_in_)).all(),
                self.per_dilation_.shape == self.dilations_.shape,
                ((self.dilations_ > 0) & (self.dilations_ * (TAPS - 1) < dates)).all(),
                (self.per_dilation_ > 0).all(),
                len(KERNELS) * int(self.per_dilation_.sum()) == features,
                self.fill_.shape == (self.n_features_in_ * self.dates_in_,),
                self.weights_.shape == (len(self.classes_), features),
                self.middle_.shape == (features,),
                self.intercepts_.shape == (len(self.classes_),),
                np.isfinite(self.weights_).all(),
            )
        )
        if not good:
            raise ValueError("the tables of convolutions are damaged, or of another shape")

    def complete(self, block: NDArray[np.float32]) -> NDArray[np.float32]:
        """Raw vectors `(K·T, P)` as z-scores `(K, T, P)` without gaps, nine dates at least."""
        whole = np.where(np.isnan(block), self.fill_[:, None], block)
        shaped = whole.reshape(self.n_features_in_, self.dates_in_, -1)
        ready = self._z_scores(np.ascontiguousarray(shaped, np.float32))
        short = TAPS - self.dates_in_
        if short <= 0:
            return ready
        return np.ascontiguousarray(np.pad(ready, ((0, 0), (0, short), (0, 0))))

    def _draw(self, block: NDArray[np.float32]) -> None:
        """Dilations, the features that each kernel sums, and biases from training series."""
        features, dates, count = block.shape
        rng = np.random.default_rng(np.random.SeedSequence(self.seed))
        self.dilations_, self.per_dilation_ = dilations_of(dates)
        kernels = len(KERNELS) * len(self.dilations_)
        sizes = (2 ** rng.uniform(0, np.log2(min(features, TAPS) + 1), kernels)).astype(int)
        chosen = [rng.choice(features, size, replace=False) for size in sizes]
        self.bounds_ = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
        self.channels_ = np.concatenate(chosen).astype(np.int32)
        levels = (np.arange(1, len(KERNELS) * PER_KERNEL + 1) * (np.sqrt(5) + 1) / 2) % 1
        biases: list[float] = []
        made = np.empty((dates, _LANES), np.float32)
        some = np.zeros((features, dates, _LANES), np.float32)
        for d, step in enumerate(self.dilations_):
            for number, taps in enumerate(KERNELS):
                some[..., 0] = block[..., rng.integers(count)]
                own = chosen[d * len(KERNELS) + number].astype(np.int32)
                convolutions(some, taps, step, own, made)
                first, last = len(biases), len(biases) + self.per_dilation_[d]
                biases += np.quantile(made[:, 0], levels[first:last]).tolist()
        self.biases_ = np.array(biases, np.float32)


def dilations_of(dates: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Dilations `(D,)` for series of so many dates, and biases of each kernel at each of them."""
    most = min(PER_KERNEL, MOST_DILATIONS)
    exponents = np.linspace(0, np.log2((dates - 1) / (TAPS - 1)), most)
    found, counts = np.unique((2**exponents).astype(np.int32), return_counts=True)
    return found, (counts * (PER_KERNEL / most)).astype(np.int32)


def _ridge(
    values: NDArray[np.float64], targets: NDArray[np.float64], penalties: tuple[float, ...]
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Weights `(F, C)` and intercepts `(C,)` for each penalty, of centred values `(N, F)`."""
    from scipy.linalg import eigh

    middle = targets.mean(axis=0)
    if len(values) < values.shape[1]:
        variances, axes = eigh(values @ values.T)
        along, back = axes.T @ (targets - middle), values.T @ axes
        variances = np.maximum(variances, 0.0)[:, None]
        return [(back @ (along / (variances + penalty)), middle) for penalty in penalties]
    variances, axes = eigh(values.T @ values)
    along = axes.T @ (values.T @ (targets - middle))
    variances = np.maximum(variances, 0.0)[:, None]
    return [(axes @ (along / (variances + penalty)), middle) for penalty in penalties]


def _best_penalty(
    values: NDArray[np.float64],
    targets: NDArray[np.float64],
    codes: NDArray[np.intp],
    groups: NDArray[np.intp] | None,
    seed: int,
) -> float:
    """The penalty of most right classes on held-out groups, the largest of several."""
    folds = [] if groups is None else list(group_folds(codes, groups, seed))
    if not folds:
        return WITHOUT_GROUPS
    right = np.zeros(len(PENALTIES))
    for train, held in folds:
        shift = values[train].mean(axis=0)
        made = _ridge(values[train] - shift, targets[train], PENALTIES)
        for place, (weights, intercepts) in enumerate(made):
            own = (values[held] - shift) @ weights + intercepts
            right[place] += (own.argmax(axis=1) == codes[held]).sum()
    return PENALTIES[len(PENALTIES) - 1 - int(np.argmax(right[::-1]))]


make, opened = MiniRocket.of_run, MiniRocket.from_state
