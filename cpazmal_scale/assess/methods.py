"""The compared methods, by the names that reports print."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.assess.metrics import NO_CLASS
from cpazmal_scale.errors import ConfigError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig

SOFT = "DTW barycenter (soft)"
VOTE = "DTW barycenter (vote)"
SUM = "DTW barycenter (sum)"
EUCLID = "Euclidean barycenter"
FOREST = "random forest"
NEIGHBORS = "k-NN DTW"
EUCLID_NEIGHBORS = "k-NN Euclidean"

BY_DECISION = {"soft": SOFT, "vote": VOTE, "sum": SUM}
"""The method that maps with each setting of `classify.decision`."""

DEFAULT = (SUM, VOTE, EUCLID, FOREST)
"""What a report compares unless told otherwise."""

_NEIGHBORS = 25
_TREES = 100


class Fitted(NamedTuple):
    """A method after training."""

    name: str
    model: Any
    seconds: float
    """Of the fit; a method that shares another's fit reports the other's."""


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
    The vote shares the barycenters of another decision that comes before it.

    Args:
        names: of the methods.
        values: series `(N, K, T)`, NaN missing.
        codes: class codes `(N,)`.
        groups: polygon numbers `(N,)`.
        days: day of each date `(T,)`.
        config: band, barycenters and seed of the run.
    """
    shared: Fitted | None = None
    for name in names:
        if name == VOTE and shared is not None:
            model = copy.copy(shared.model).set_params(decision="vote")
            yield Fitted(name, model, shared.seconds)
            continue
        started = time.perf_counter()
        model = make(name, days, config)
        model.fit(values, codes, **({} if name == FOREST else {"groups": groups}))
        fitted = Fitted(name, model, time.perf_counter() - started)
        shared = fitted if name in (SOFT, SUM) else shared
        yield fitted


def make(name: str, days: NDArray[np.floating], config: RunConfig) -> Any:
    """An untrained estimator for series `(N, K, T)`.

    Raises:
        ConfigError: unknown name.
    """
    if name not in _MAKERS:
        raise ConfigError(
            f"no method is called {name!r}", remedy=f"choose among {', '.join(sorted(_MAKERS))}"
        )
    return _MAKERS[name](days, config)


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
        n_neighbors=_NEIGHBORS,
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


_Maker = Callable[[Any, Any], Any]
_MAKERS: dict[str, _Maker] = {
    SOFT: lambda days, config: _barycenter("soft", days, config),
    VOTE: lambda days, config: _barycenter("vote", days, config),
    SUM: lambda days, config: _barycenter("sum", days, config),
    EUCLID: lambda days, config: _barycenter(config.classify.decision, days, _euclid(config)),
    FOREST: lambda _days, config: _forest(config),
    NEIGHBORS: lambda days, config: _neighbors(days, config),
    EUCLID_NEIGHBORS: lambda days, config: _neighbors(days, _euclid(config)),
}
NAMES = tuple(_MAKERS)
"""Every method there is."""
