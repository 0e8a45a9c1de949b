"""Nearest barycenter of all features together: soft-DTW, and laws at Wasserstein distances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from cpazmal_scale.dtw import (
    Band,
    NearestBarycenter,
    band_limits,
    barycenter,
    block_distances,
    checked_series,
    soft_barycenter,
    soft_distances,
    soft_self_distances,
    wasserstein_series,
)
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.model.methods.barycenters import band

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.dtw import AverageKey, MatchedDates, RunAverages, TrainingSet

Cost = Literal["squared", "wasserstein", "weibull"]
SOFTNESS = 0.1
"""Gamma, in units of the usual local cost of a series and the mean of its class."""
_STEPS = 20
_SECONDS_PER_CELL = {"squared": 2.5e-9, "wasserstein": 1.5e-10, "weibull": 3.5e-9}


class JointBarycenter(NearestBarycenter):
    """One barycenter per class, at a distance that sums the costs of all features on one path.

    With the cost `squared` features are z-scored and the distance is the root of the soft-DTW
    divergence to a soft barycenter; `weibull` is the same with the Wasserstein distance of
    amplitudes of Weibull laws as the local cost (WaSPS-DTW); `wasserstein` is plain dependent DTW
    on `k1, sqrt(k2)` of every channel, unscaled, whose barycenter is DBA's. Soft costs interpolate
    missing dates.

    Args:
        cost: of two dates.
        first: position of k1 among a channel's statistics.
        second: position of k2.
        statistics: how many a channel has.

    Attributes:
        gamma_: float64, softness in the units of the cost; 0 with `wasserstein`.
        centres_: float32 `(C, K, T)` mean series of each class, shown where there is no barycenter.
    """

    arrays: ClassVar[tuple[str, ...]] = (*NearestBarycenter.arrays, "gamma_", "centres_")
    joint: ClassVar[dict[str, str]] = {"barycenters_": "joint_", "tau_": "joint_tau_"}
    """What `state` calls arrays that have no number for each of the K features."""

    def __init__(
        self,
        cost: Cost = "squared",
        first: int = 0,
        second: int = 1,
        statistics: int = 2,
        radius: int | None = None,
        days: ArrayLike | None = None,
        band_days: float | None = None,
        open_ends: None = None,
        iterations: int = 30,
        restarts: int = 2,
        reject: float | None = None,
        min_dates: int = 1,
        temperature: float | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            "sum", 1, radius, days, band_days, iterations, restarts, reject, min_dates, temperature,
            seed, open_ends,
        )  # fmt: skip
        self.cost = cost
        self.first = first
        self.second = second
        self.statistics = statistics

    @property
    def missing_rule(self) -> str | None:
        """What becomes of missing dates, where it is not the rule of other DTW methods."""
        if self.cost == "wasserstein":
            return None
        return "a missing date is interpolated between its neighbours"

    def training_set(
        self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None
    ) -> TrainingSet:
        """What `fit` learns: series as the cost wants them, and who is held out.

        Raises:
            ValueError: as for `NearestBarycenter`; features that are not so many statistics of
                channels, or a negative k2.
        """
        made = super().training_set(X, y, groups)
        series = checked_series(self, X, reset=False)
        block = np.ascontiguousarray(series.transpose(1, 2, 0), np.float32)
        values = np.ascontiguousarray(self._ready(block).transpose(2, 0, 1))
        every = range(len(self.classes_))
        self.centres_ = np.stack([_mean(series[made.codes == c]) for c in every]).astype(np.float32)
        training = made._replace(values=values)
        self.gamma_ = np.array(0.0 if self.cost == "wasserstein" else self._softness(training))
        return training

    def average(self, training: TrainingSet, key: AverageKey) -> NDArray[np.float64]:
        """The barycenter `(1, K, T)` of one class, all features together."""
        part, code, _ = key
        rows = training.parts[part][0]
        members = _dated(training.values[rows[training.codes[rows] == code]])
        if not len(members):
            return np.full((1, *training.values.shape[1:]), np.nan)
        table = Band.table(self.limits())
        if self.cost == "wasserstein":
            found = barycenter(
                members, table, iterations=self.iterations, restarts=self.restarts, seed=self.seed
            )
        else:
            found = soft_barycenter(members, table, iterations=_STEPS, **self._soft)
        return found.values[None]

    def state(self) -> tuple[dict[str, NDArray[Any]], str]:
        """Arrays and a JSON text from which `from_state` makes the same classifier."""
        arrays, text = super().state()
        return {self.joint.get(name, name): values for name, values in arrays.items()}, text

    @classmethod
    def from_state(cls, arrays: dict[str, NDArray[Any]], text: str) -> Self:
        """The classifier whose `state` this is."""
        own = {joint: name for name, joint in cls.joint.items()}
        return super().from_state({own.get(name, name): a for name, a in arrays.items()}, text)

    def on(self, matched: MatchedDates) -> Self:
        """The same classifier on the dates of series that its own dates were matched to."""
        other = super().on(matched)
        other.centres_ = np.ascontiguousarray(self.centres_[..., matched.columns])
        return other

    def centres(self) -> NDArray[np.float64]:
        """Barycenters `(C, 1, K, T)` in the features' units; class means of what has none."""
        shown = self.centres_.astype(np.float64)
        own = self.barycenters_[:, 0].astype(np.float64)
        if self.cost == "squared":
            return np.asarray((own * self.scale_[:, None] + self.mean_[:, None])[:, None])
        shown[:, self._places[0::2]] = own[:, 0::2]
        shown[:, self._places[1::2]] = own[:, 1::2] ** (2 if self.cost == "wasserstein" else 1)
        return shown[:, None]

    def distances_block(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        """Distances `(K, C, P)` in units of tau: that of all features together, for each."""
        found = super().distances_block(block, limits)
        return np.repeat(found, self.n_features_in_, axis=0)

    def seconds_per_pixel(self, limits: NDArray[np.int32]) -> float:
        """Seconds per pixel on the core that the forecasts were measured on."""
        classes, _, features, _ = self.barycenters_.shape
        cells = int((limits[:, 1] - limits[:, 0]).sum())
        return float(classes * cells * (1 + features / 4) * _SECONDS_PER_CELL[self.cost])

    @property
    def _places(self) -> NDArray[np.intp]:
        """Positions of `k1, k2` of every channel among the features."""
        if self.n_features_in_ % self.statistics:
            raise ValueError(f"{self.n_features_in_} features of {self.statistics} statistics each")
        channels = np.arange(0, self.n_features_in_, self.statistics)
        return np.asarray((channels[:, None] + [self.first, self.second]).ravel())

    @property
    def _soft(self) -> dict[str, Any]:
        return {"gamma": float(self.gamma_), "cost": self.cost, "divergence": True}

    def _ready(self, block: NDArray[np.floating]) -> NDArray[np.float32]:
        """Raw features `(K, T, P)` as the cost wants them."""
        if self.cost == "squared":
            return super()._ready(block)
        laws = np.ascontiguousarray(block[self._places], np.float32)
        if self.cost != "wasserstein":
            return laws
        moved = wasserstein_series(laws.transpose(2, 0, 1)).transpose(1, 2, 0)
        return np.ascontiguousarray(moved, np.float32)

    def _softness(self, training: TrainingSet) -> float:
        """`SOFTNESS` times the usual local cost of a series and the mean of its class."""
        costs: list[float] = []
        for code in range(len(self.classes_)):
            members = _dated(training.values[training.codes == code])
            if len(members):
                mean = _mean(members)[None]
                sums = soft_distances(members, mean, radius=0, gamma=0.0, cost=self.cost)
                costs += (sums[:, 0] / members.shape[2]).tolist()
        return SOFTNESS * (float(np.median(costs)) if costs else 1.0) or SOFTNESS

    def _averaged(self, training: TrainingSet, run: RunAverages | None) -> NDArray[np.float32]:  # noqa: ARG002
        """Barycenters `(parts, C, 1, K, T)`, one after the other: there is one for each class."""
        parts, classes = range(len(training.parts)), range(len(self.classes_))
        every = [[self.average(training, (p, c, 0)) for c in classes] for p in parts]
        return np.asarray(every, np.float32)

    def _nearest(
        self,
        block: NDArray[np.float32],
        centroids: NDArray[np.float32],
        limits: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """Distance `(1, C, P)` of each pixel to the barycenter of each class."""
        references = np.nan_to_num(centroids[:, 0])
        if self.cost == "wasserstein":
            beside = np.ascontiguousarray(references.transpose(1, 0, 2))
            found = block_distances(block, beside, limits, dependent=True, min_dates=self.min_dates)
        else:
            found = self._divergences(block, references, limits)
        found[:, np.isnan(centroids).any(axis=(1, 2, 3))] = np.nan
        return found

    def _divergences(
        self,
        block: NDArray[np.float32],
        references: NDArray[np.float32],
        limits: NDArray[np.int32],
    ) -> NDArray[np.float32]:
        """Roots `(1, C, P)` of the divergences of pixels `(K, T, P)` to references `(C, K, T')`."""
        series = np.ascontiguousarray(block.transpose(2, 0, 1), np.float64)
        words = self._soft | {"divergence": False}
        sums = soft_distances(series, references, Band.table(limits), **words)
        sums -= 0.5 * soft_self_distances(series, _own(limits, block.shape[1]), **words)[:, None]
        columns = _own(limits, references.shape[2])
        sums -= 0.5 * soft_self_distances(references, columns, **words)
        few = np.isfinite(block).all(axis=0).sum(axis=0) < max(self.min_dates, 1)
        sums[few] = np.nan
        return np.asarray(np.sqrt(np.maximum(sums.T, 0.0))[None], np.float32)


def _own(limits: NDArray[np.int32], length: int) -> Band:
    """The band of series of a length with themselves: that of a table, or as wide."""
    if length == len(limits) and (limits[-1, 1] == length):
        return Band.table(limits)
    radius = int((limits[:, 1] - limits[:, 0]).max()) // 2
    return Band.table(band_limits(length, length, radius=radius))


def _dated(series: NDArray[np.float32]) -> NDArray[np.float32]:
    """Those of series `(N, K, T)` that have a date with all features."""
    return series[np.any(np.isfinite(series).all(axis=1), axis=1)]


def _mean(series: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean `(K, T)` of series `(N, K, T)`, date by date; the feature's mean where none is valid."""
    known = np.isfinite(series)
    total = np.where(known, series, 0.0).sum(axis=0, dtype=np.float64)
    mean = total / np.maximum(known.sum(axis=0), 1)
    whole = total.sum(axis=1) / np.maximum(known.sum(axis=(0, 2)), 1)
    return np.asarray(np.where(known.any(axis=0), mean, whole[:, None]))


def make(config: RunConfig, days: NDArray[np.float64] | None, *, cost: Cost) -> JointBarycenter:
    """Unfitted, for a run.

    Raises:
        ConfigError: the run's features lack k1 or k2, or the ends of an alignment are open.
    """
    statistics = config.features.statistics
    if cost != "squared" and not {"k1", "k2"} <= set(statistics):
        raise ConfigError(
            f"a {cost} distance compares laws by k1 and k2, the features are "
            f"{', '.join(statistics)}",
            where="features.statistics",
            remedy="add k1 and k2, or take another method",
        )
    if config.dtw.open_ends is not None:
        raise ConfigError(
            "open ends are not made for distances of all features together",
            where="dtw.open_ends",
            remedy="take another method",
        )
    laws = cost != "squared"
    return JointBarycenter(
        cost,
        statistics.index("k1") if laws else 0,
        statistics.index("k2") if laws else 0,
        len(statistics) if laws else 1,
        **band(config, days, True),
        iterations=config.train.iterations,
        restarts=config.train.restarts,
        reject=config.classify.reject,
        min_dates=config.dtw.min_dates,
        seed=config.seed,
    )


def opened(arrays: dict[str, NDArray[Any]], text: str) -> JointBarycenter:
    """The classifier whose `state` this is.

    Raises:
        ValueError: the arrays do not fit together.
    """
    made = JointBarycenter.from_state(arrays, text)
    classes, count, features, dates = made.barycenters_.shape
    wanted = len(made.mean_) if made.cost == "squared" else len(made._places)
    if (count, features) != (1, wanted) or made.centres_.shape != (
        classes,
        len(made.mean_),
        dates,
    ):
        raise ValueError(f"barycenters of shape {made.barycenters_.shape}")
    if made.gamma_.shape != () or not np.isfinite(made.gamma_) or made.gamma_ < 0:
        raise ValueError(f"gamma {made.gamma_}")
    return made
