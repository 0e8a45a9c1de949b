"""The compared methods, by the names that reports print."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.assess.validate.metrics import NO_CLASS
from cpazmal_scale.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig

SUM = "DTW barycenter (sum)"
SOFT = "DTW barycenter (soft)"
VOTE = "DTW barycenter (vote)"
NEIGHBORS = "k-NN DTW"
EUCLID_SUM = "Euclidean barycenter (sum)"
EUCLID_SOFT = "Euclidean barycenter (soft)"
EUCLID_VOTE = "Euclidean barycenter (vote)"
EUCLID_NEIGHBORS = "k-NN Euclidean"
FOREST = "random forest"

BY_SETTING = {
    "sum": SUM,
    "soft": SOFT,
    "vote": VOTE,
    "neighbors": NEIGHBORS,
    "euclid-sum": EUCLID_SUM,
    "euclid-soft": EUCLID_SOFT,
    "euclid-vote": EUCLID_VOTE,
    "euclid-neighbors": EUCLID_NEIGHBORS,
    "forest": FOREST,
}
"""Names by what `assess.methods` and `classify.decision` call them."""
NAMES = tuple(BY_SETTING.values())
"""Every method there is."""
TWINS = {
    SUM: EUCLID_SUM,
    SOFT: EUCLID_SOFT,
    VOTE: EUCLID_VOTE,
    NEIGHBORS: EUCLID_NEIGHBORS,
}
"""Each method that warps, and the same without warping."""

_DECISIONS = {
    name: (setting.removeprefix("euclid-"), name in TWINS)
    for setting, name in BY_SETTING.items()
    if setting.removeprefix("euclid-") in ("sum", "soft", "vote")
}
"""Decision of each barycenter method, and whether it warps."""
_TREES = 100


class Fitted(NamedTuple):
    """A method after training."""

    name: str
    model: Any
    seconds: float
    """Of the fit; a method that shares another's fit reports the other's."""


def chosen(config: RunConfig) -> tuple[str, ...]:
    """The methods a configuration compares, that of its map first."""
    own = BY_SETTING[config.classify.decision]
    return tuple(dict.fromkeys((own, *(BY_SETTING[name] for name in config.assess.methods))))


def fit_methods(
    names: Sequence[str],
    values: NDArray[np.floating],
    codes: NDArray[np.integer],
    groups: NDArray[np.integer],
    days: NDArray[np.floating],
    config: RunConfig,
) -> Iterator[Fitted]:
    """Train each method on the same series, one after the other.

    Everything learnt (z-scores, imputation, barycenters, temperature) comes from these series.
    Decisions on the same barycenters share them; the temperature is each one's own.

    Args:
        names: of the methods.
        values: series `(N, K, T)`, NaN missing.
        codes: class codes `(N,)`.
        groups: polygon numbers `(N,)`.
        days: day of each date `(T,)`.
        config: band, barycenters and seed of the run.
    """
    shared: dict[bool, Fitted] = {}
    for name in names:
        decision, warps = _DECISIONS.get(name, ("", False))
        if decision and warps in shared:
            model, seconds = shared[warps].model.with_decision(decision), shared[warps].seconds
            yield Fitted(name, model, seconds)
            continue
        started = time.perf_counter()
        model = make(name, days, config)
        model.fit(values, codes, **({} if name == FOREST else {"groups": groups}))
        fitted = Fitted(name, model, time.perf_counter() - started)
        if decision:
            shared[warps] = fitted
        yield fitted


def make(name: str, days: NDArray[np.floating], config: RunConfig) -> Any:
    """An untrained estimator for series `(N, K, T)`.

    Raises:
        ConfigError: unknown name.
    """
    if name not in NAMES:
        raise ConfigError(
            f"no method is called {name!r}", remedy=f"choose among {', '.join(NAMES)}"
        )
    if name == FOREST:
        return _forest(config)
    settings = config if name in TWINS else _euclid(config)
    if name in (NEIGHBORS, EUCLID_NEIGHBORS):
        return _neighbors(days, settings)
    return _barycenter(_DECISIONS[name][0], days, settings)


class Answer(NamedTuple):
    """What a method says of N series."""

    codes: NDArray[np.intp]
    """`(N,)` class codes, -1 without class."""
    probability: NDArray[np.float64]
    """`(N, C)`; NaN rows without class, 0 for a class that the training lacked."""
    seconds: float

    @property
    def confidence(self) -> NDArray[np.float64]:
        """`(N,)` probability of the predicted class, NaN without class."""
        own = np.take_along_axis(self.probability, np.maximum(self.codes, 0)[:, None], axis=1)
        return np.where(self.codes >= 0, own[:, 0], np.nan)


def timed_answer(method: Fitted, values: NDArray[np.floating], count: int) -> Answer:
    """Classes and probabilities of series `(N, K, T)` among `count` classes."""
    started = time.perf_counter()
    best, chances = _decided(method.model, values)
    seconds = time.perf_counter() - started
    classes = np.asarray(method.model.classes_)
    probability = np.zeros((len(values), count))
    probability[:, classes] = chances
    probability[np.isnan(chances).any(axis=1)] = np.nan
    known = best >= 0
    codes = np.full(len(values), NO_CLASS, np.intp)
    codes[known] = classes[best[known]]
    return Answer(codes, probability, seconds)


def _decided(
    model: Any, values: NDArray[np.floating]
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Position among the model's classes, -1 without, and its probabilities."""
    if hasattr(model, "decide"):
        decision = model.decide(values)
        chances = decision.probability.T.astype(np.float64)
        best = decision.index.astype(np.intp)
        known = best < len(model.classes_)
        chances /= chances.sum(axis=1, keepdims=True)
    else:
        chances = np.asarray(model.predict_proba(values), np.float64)
        known = np.isfinite(chances).all(axis=1)
        best = np.where(known[:, None], chances, 0.0).argmax(axis=1)
    return np.where(known, best, NO_CLASS), chances


def _barycenter(decision: str, days: NDArray[np.floating], config: RunConfig) -> Any:
    """The classifier that maps are made with, never rejecting."""
    from cpazmal_scale.model import new_classifier

    classify = config.classify.model_copy(update={"decision": decision, "reject": None})
    own = config.model_copy(update={"classify": classify})
    return new_classifier(own, np.asarray(days, np.float64))


def _neighbors(days: NDArray[np.floating], config: RunConfig) -> Any:
    from cpazmal_scale.dtw import KNeighborsDTW

    return KNeighborsDTW(
        n_neighbors=config.assess.neighbors,
        radius=config.dtw.radius,
        days=days,
        band_days=config.dtw.band_days,
        min_dates=config.dtw.min_dates,
    )


def _euclid(config: RunConfig) -> RunConfig:
    """The same settings without warping."""
    dtw = config.dtw.model_copy(update={"radius": 0, "band_days": None})
    return config.model_copy(update={"dtw": dtw})


def _forest(config: RunConfig) -> Any:
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer

    return make_pipeline(
        FunctionTransformer(_flat),
        SimpleImputer(strategy="median", keep_empty_features=True),
        RandomForestClassifier(_TREES, random_state=config.seed, n_jobs=1),
    )


def _flat(values: NDArray[np.floating]) -> NDArray[np.floating]:
    return values.reshape(len(values), -1)
