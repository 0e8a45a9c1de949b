"""From the series of a tile to its class, probability and uncertainty."""

from __future__ import annotations

import copy
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.model import in_order
from cpazmal_scale.vocabulary import MOST_DATES, NO_DATA, NOTHING, REJECTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.config import Features
    from cpazmal_scale.mapping.classify.recipe import Recipe
    from cpazmal_scale.model import Model, PixelModel

Products = dict[str, "NDArray[Any]"]
Seconds = defaultdict[str, float]
"""Time spent in each stage of a block."""


def blank_of(recipe: Recipe, height: int, width: int) -> Products:
    """A map of no data, of what a recipe says that it holds."""
    return empty_products(len(recipe.classes), height, width, probabilities=not recipe.withheld)


def empty_products(
    classes: int, height: int, width: int, *, probabilities: bool = True
) -> Products:
    """A map of no data: the arrays that a block fills, as they are stored.

    Without probabilities their entropy and margin are not among them either.
    """
    flat = (height, width)
    chances = {
        "probability": np.full((classes, *flat), NOTHING, np.uint16),
        "entropy": np.full(flat, NOTHING, np.uint16),
        "margin": np.full(flat, NOTHING, np.uint16),
    }
    return {
        "class": np.full(flat, NO_DATA, np.uint8),
        **(chances if probabilities else {}),
        "distance": np.full(flat, np.nan, np.float32),
        "n_valid_dates": np.zeros(flat, np.uint8),
    }


@dataclass(frozen=True)
class PixelClassifier:
    """A model made ready for the pixels of a map.

    `limits` are its classifier's for the dates in `order`; the typical series of `shown` follow the
    dates as they are.
    """

    features: Features
    classifier: PixelModel
    limits: NDArray[np.int32]
    order: NDArray[np.intp]
    shown: PixelModel

    @classmethod
    def of(cls, model: Model, recipe: Recipe) -> PixelClassifier:
        """For the dates of a recipe, and what it rejects."""
        dates = recipe.days
        ready = model.on_dates(dates, recipe.season_start)
        classifier = copy.copy(ready.classifier)
        classifier.reject = recipe.reject
        return cls(model.features, classifier, ready.limits, ready.order, ready.shown)

    def distances(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Distances (K, C, P) of series (K, T, P) to each class, as `distances_block` gives."""
        return self.classifier.distances_block(in_order(values, self.order), self.limits)

    def classify(
        self,
        power: NDArray[np.float32],
        mask: NDArray[np.uint8],
        out: Products,
        seconds: Seconds,
    ) -> None:
        """Fill the products of one tile.

        Args:
            power: (P, T, h + window − 1, w + window − 1) linear power, NaN no data.
            mask: (T, …) flags of the same pixels.
            out: views of shape (…, h, w) into a block's products.
            seconds: grows by the time of each stage.
        """
        from cpazmal_scale.features import block_series
        from cpazmal_scale.kernels.posterior import as_stored

        clock = _Clock(seconds)
        settings = self.features
        series = block_series(
            power,
            mask,
            settings.excluded,
            window=settings.window,
            **settings.kernel,
        )
        features, dates, height, width = series.shape
        valid = np.isfinite(series[0]).view(np.uint8).sum(axis=0, dtype=np.uint16)
        values = series.reshape(features, dates, height * width)
        clock.lap("features")
        decided = self.classifier.classify_block(in_order(values, self.order), self.limits)
        index = decided.index.reshape(height, width)
        out["class"][...] = np.where(index < REJECTED, index + 1, index)
        if "probability" in out:
            out["probability"][...] = as_stored(decided.probability).reshape(-1, height, width)
            out["entropy"][...] = as_stored(decided.entropy).reshape(height, width)
            out["margin"][...] = as_stored(decided.margin).reshape(height, width)
        short = np.minimum(decided.distance, 65504).astype(np.float16)  # zeros at the end pack well
        out["distance"][...] = short.reshape(height, width)
        out["n_valid_dates"][...] = np.minimum(valid, MOST_DATES)
        clock.lap("classes")


class _Clock:
    """Adds the time since the last lap to a stage."""

    def __init__(self, seconds: Seconds) -> None:
        self._seconds = seconds
        self._last = time.perf_counter()

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self._seconds[stage] += now - self._last
        self._last = now
