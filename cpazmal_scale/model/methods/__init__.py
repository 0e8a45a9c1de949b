"""The classifiers, one module each, and what all of them can do."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

from cpazmal_scale.config.methods import method
from cpazmal_scale.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from cpazmal_scale.config import RunConfig
    from cpazmal_scale.dtw import Decision, MatchedDates
    from cpazmal_scale.samples import WindowSeries


class PixelModel(Protocol):
    """A classifier of feature series, from training through cross-validation to mapped pixels.

    What `classify_block` says of a pixel depends on this pixel alone, so that maps, samples and
    tests get the same bits.
    """

    classes_: NDArray[Any]
    """`(C,)` labels, sorted."""
    mean_: NDArray[np.float64]
    """`(K,)` of the training features."""
    scale_: NDArray[np.float64]
    """`(K,)`, their standard deviation."""
    reject: float | None
    """Series farther from every class than this multiple of `tau_` are rejected."""
    min_dates: int
    """Series with fewer valid dates in every feature get no class."""
    temperature_: float
    """Of the probabilities, fitted on held-out groups; 1 where nothing could be held out."""
    calibrated_: bool
    """Whether the probabilities were fitted on held-out groups."""
    known_within_: float | None
    """How well these know the share of right decisions: half width of its 95 % interval."""

    @property
    def tau_(self) -> NDArray[np.float64] | float:
        """Typical distance within a class, of each feature `(K,)` or of all."""

    def fit(self, X: ArrayLike, y: ArrayLike, groups: ArrayLike | None = None) -> object:
        """Learn from series `(N, K, T)`, NaN missing, their labels and groups (polygons)."""

    @property
    def near_days(self) -> float:
        """Days within which a date may be compared with another of the season."""

    def on(self, matched: MatchedDates) -> Self:
        """The same classifier for series on dates that its own dates were matched to."""

    def limits(self, days: ArrayLike | None = None, rows: int | None = None) -> NDArray[np.int32]:
        """What `classify_block` needs to know of days `(T,)`; none: those trained on."""

    def classify_block(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None = None
    ) -> Decision:
        """The decision for raw feature series `(K, T, P)`, pixels innermost, NaN missing."""

    def distances_block(
        self, block: NDArray[np.floating], limits: NDArray[np.int32] | None = None
    ) -> NDArray[np.float32]:
        """How far `(K, C, P)` series are from the typical ones, in units of the class's spread."""

    def centres(self) -> NDArray[np.float64]:
        """Typical series `(C, M, K, T')` of every class, in the features' units."""

    def seconds_per_pixel(self, limits: NDArray[np.int32]) -> float:
        """Seconds per pixel on the core that the forecasts were measured on."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Settings, as scikit-learn's estimators give them."""

    def decide(self, X: ArrayLike, days: ArrayLike | None = None) -> Decision:
        """The decision for series `(N, K, T)`, on other `days` `(T,)` if given."""

    def state(self) -> tuple[dict[str, NDArray[Any]], str]:
        """Arrays and a JSON text from which `opened` of its module makes the same classifier."""


if TYPE_CHECKING:
    import numpy as np


def make(setting: str, config: RunConfig, days: NDArray[np.float64] | None) -> PixelModel:
    """An unfitted classifier, for series on `days` `(T,)` of the season.

    Raises:
        ConfigError: there is no such method, or the extra it needs is not installed.
    """
    try:
        row = method(setting)
    except KeyError:
        raise ConfigError(
            f"no method is called {setting!r}", remedy="`cpazmal config` prints all there are"
        ) from None
    return _module(row.module, row.needs).make(config, days, **row.options)  # type: ignore[no-any-return]


def expect(classifier: PixelModel, series: WindowSeries) -> None:
    """Compare what a classifier that was brought wants with the series that it will be given.

    Raises:
        ModelMismatch: other features or dates.
    """
    if isinstance(classifier, _Brought):
        classifier.expect(series.names, series.dates)


@runtime_checkable
class _Brought(Protocol):
    def expect(self, features: Sequence[str], dates: NDArray[np.datetime64]) -> None:
        """Refuse what the classifier was not made for."""


def opened(setting: str, arrays: dict[str, NDArray[Any]], text: str) -> PixelModel:
    """The fitted classifier whose `state` this is.

    Raises:
        ValueError: arrays or text are not those of this method.
    """
    row = method(setting)
    return _module(row.module, row.needs).opened(arrays, text)  # type: ignore[no-any-return]


def _module(name: str, needs: str | None) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if needs is None or str(error.name).startswith(__package__.partition(".")[0]):
            raise
        raise ConfigError(
            f"{name.rsplit('.', 1)[-1]} needs the package {error.name}",
            remedy=f"pip install 'cpazmal-scale[{needs}]'",
        ) from None
