"""The compared methods, by the names that reports print."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from cpazmal_scale.assess.validate.metrics import NO_CLASS
from cpazmal_scale.config.methods import BEST, METHODS, method
from cpazmal_scale.model import in_order, on_dates

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import RunConfig

NAMES = tuple(row.name for row in METHODS if row.learns and row.usual)
"""The methods that are compared unless others are named, as reports print them."""
SUM, NEIGHBORS = (method(setting).name for setting in ("sum", "neighbors"))
TWINS = {row.name: method(row.twin).name for row in METHODS if row.twin is not None}
"""Each method that warps, and the same without warping."""


class Fitted(NamedTuple):
    """A method after training."""

    name: str
    model: Any
    seconds: float
    """Of the fit; a method that shares another's fit reports the other's."""


def chosen(config: RunConfig) -> tuple[str, ...]:
    """The methods a configuration compares, that of its map first."""
    every = (config.classify.method, *config.assess.methods)
    rows = (method(name) for name in every if name != BEST)
    return tuple(dict.fromkeys(row.name for row in rows if row.learns))


def fit_methods(
    names: Sequence[str],
    values: NDArray[np.floating],
    codes: NDArray[np.integer],
    groups: NDArray[np.integer],
    days: NDArray[np.floating],
    config: RunConfig,
    *,
    calibrate: bool = True,
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
        calibrate: fit temperatures; the classes do not depend on it.
    """
    shared: dict[bool, Fitted] = {}
    for name in names:
        options = method(name).options
        decision, warps = options.get("decision", ""), options.get("warps", False)
        decision = "" if decision == "learned" else decision
        if decision and warps in shared:
            model, seconds = shared[warps].model.with_decision(decision), shared[warps].seconds
            yield Fitted(name, model, seconds)
            continue
        started = time.perf_counter()
        model = make(name, days, config)
        if not calibrate:
            model.temperature = 1.0
        if warps in shared and hasattr(model, "barycenters"):
            model.barycenters = shared[warps].model.count_
        model.fit(values, codes, groups=groups)
        fitted = Fitted(name, model, time.perf_counter() - started)
        if decision:
            shared[warps] = fitted
        yield fitted


def make(name: str, days: NDArray[np.floating], config: RunConfig) -> Any:
    """An untrained classifier that maps are made with, never rejecting.

    Raises:
        ConfigError: unknown name.
    """
    from cpazmal_scale.model import methods

    own = config.with_values({"classify": {"reject": None}})
    return methods.make(name, own, np.asarray(days, np.float64))


class Dates(NamedTuple):
    """Dates of training and of other series, for a map of another year or beam."""

    trained: NDArray[np.datetime64]
    tested: NDArray[np.datetime64]
    starts: tuple[str, str]
    """First day of the season of either, `MM-DD`."""


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


def timed_answer(
    fitted: Fitted,
    values: NDArray[np.floating],
    count: int,
    dates: Dates | None = None,
) -> Answer:
    """Classes and probabilities of series `(N, K, T)` among `count` classes, as a map gives them.

    `dates` are those of training and series where they differ.
    """
    started = time.perf_counter()
    if dates is None:
        decision = fitted.model.decide(values)
    else:
        ready = on_dates(fitted.model, *dates)
        block = np.ascontiguousarray(np.moveaxis(values, 0, 2))
        decision = ready.classifier.classify_block(in_order(block, ready.order), ready.limits)
    seconds = time.perf_counter() - started
    classes = np.asarray(fitted.model.classes_)
    chances = decision.probability.T.astype(np.float64)
    chances /= chances.sum(axis=1, keepdims=True)
    probability = np.zeros((len(values), count))
    probability[:, classes] = chances
    probability[np.isnan(chances).any(axis=1)] = np.nan
    known = decision.index < len(classes)
    codes = np.full(len(values), NO_CLASS, np.intp)
    codes[known] = classes[decision.index[known]]
    return Answer(codes, probability, seconds)
