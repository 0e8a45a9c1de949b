"""The series of a pixel: every channel in decibels, and the features beside the model's classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import CpazmalError
from cpazmal_scale.view.cube import ShownCube

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.mapping import PixelClassifier, Recipe
    from cpazmal_scale.model import Model


@dataclass(frozen=True, eq=False)
class PixelSeries:
    """Series of the pixels of a cube, and what a model makes of them.

    `model` and `ready` are none where a map's model is not there: then channels are all there is.
    """

    cube: ShownCube
    recipe: Recipe
    model: Model | None
    ready: PixelClassifier | None

    @classmethod
    def of(cls, cube: ShownCube, recipe: Recipe, model: Model | None) -> PixelSeries:
        """Series of a map's pixels; a model that does not fit its dates gives no features."""
        from cpazmal_scale.mapping import PixelClassifier

        ready = None
        if model is not None and set(recipe.polarisations) <= set(cube.channels):
            try:
                ready = PixelClassifier.of(model, recipe)
            except CpazmalError:
                ready = None
        return cls(cube, recipe, model if ready is not None else None, ready)

    def centres(self) -> NDArray[np.float64] | None:
        """Typical series (C, M, K, T') of the classes, in units of the features; none: no model."""
        return None if self.ready is None else self.ready.shown.centres()

    def at(self, row: int, column: int) -> dict[str, Any]:
        """Series of one pixel, as plain values; NaN no data.

        `channels`: for each of the cube's, the pixel's backscatter and the mean of its window, both
        in dB (T); `features` (K, T), `distances` (K, C) to the classes and `valid`, the number of
        dates with features, where there is a model.

        Raises:
            CubeDamaged: a chunk is lost or altered.
            StoreError: the store cannot be reached.
        """
        settings = self.recipe.features
        size = settings.window
        power, mask = self.cube.window(row, column, size)
        good = (mask & settings.excluded) == 0
        channels = [
            {
                "name": name,
                "pixel": _decibels(np.where(good, values, np.nan)[:, size // 2, size // 2]),
                "mean": _decibels(_means(np.where(good, values, np.nan))),
            }
            for name, values in zip(self.cube.channels, power, strict=True)
        ]
        return {"channels": channels, **self._features(power, mask)}

    def of_nothing(self) -> None:
        """What `at` computes, of a pixel without data: everything is loaded afterwards."""
        power, mask = self.cube.reader.buffers(*[self.recipe.features.window] * 2)
        self._features(np.full_like(power, np.nan), np.zeros_like(mask))

    def _features(self, power: NDArray[np.float32], mask: NDArray[np.uint8]) -> dict[str, Any]:
        from cpazmal_scale.features import window_series

        if self.ready is None:
            return {}
        settings = self.recipe.features
        order = [self.cube.channels.index(name) for name in self.recipe.polarisations]
        series = window_series(power[order][None], mask[None], settings.excluded, **settings.kernel)
        values = np.ascontiguousarray(np.moveaxis(series, 0, 2))
        distances = self.ready.distances(values)
        return {
            "features": series[0].tolist(),
            "distances": distances[..., 0].tolist(),
            "valid": int(np.isfinite(series[0, 0]).sum()),
        }


def _means(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """(T) means of the known values of windows (T, w, w); NaN where there is none."""
    known = np.isfinite(values)
    total = np.where(known, values, 0).sum(axis=(1, 2), dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(total / known.sum(axis=(1, 2)), np.float64)


def _decibels(power: NDArray[Any]) -> list[float]:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 10 * np.log10(power)
    return [round(float(one), 3) for one in np.where(np.isfinite(found), found, np.nan)]
