"""A trained classifier with all that is needed to apply it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cpazmal_scale.config import Features
from cpazmal_scale.config.methods import method
from cpazmal_scale.legend import Styles
from cpazmal_scale.vocabulary import CALIBRATED_GROUPS, CLUSTERS, STABLE

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from cpazmal_scale.model.methods import PixelModel
    from cpazmal_scale.model.season import OnDates

FLAT = "the polygons do not bear out that surer pixels of a class are righter"
"""What is said of probabilities that are one number for each class."""
_FLAT = 0.05
"""Slope of the confidence below which probabilities of a class hardly differ."""
CALIBRATED = "calibrated on windows inside polygons held out of the training"
"""What probabilities are that were fitted on groups of polygons."""


@dataclass(frozen=True)
class Model:
    """A classifier and what it was made from.

    `method` is what `classify.method` calls it; `id` names the settings and samples it was trained
    with; `dates` (T,) datetime64[s] are those of the training series; `provenance` holds plain
    JSON values; `season_start` is the first day of the training series' season, `MM-DD`;
    `legend` is what the user said of classes, which changes nothing in `id`. `means` (C, K, T) are
    those of the classes' windows on each date, NaN where none has data; none where the typical
    series are date by date themselves.
    """

    id: str
    method: str
    classifier: PixelModel
    features: Features
    polarisations: tuple[str, ...]
    dates: NDArray[np.datetime64]
    provenance: Mapping[str, Any]
    season_start: str = "01-01"
    legend: Styles = field(default_factory=dict)
    means: NDArray[np.float32] | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class codes; a map holds their position, counted from 1."""
        return tuple(str(label) for label in self.classifier.classes_)

    @property
    def withheld(self) -> str | None:
        """Why its maps hold no probabilities; none: they were calibrated on held-out groups."""
        if self.provenance.get("labels") == CLUSTERS:
            return _clustered(self.provenance.get("stability"))
        if method(self.method).votes:
            return "shares of votes are no chances"
        if self.classifier.calibrated_:
            return None
        if not method(self.method).learns:
            return "the network does not say that it is calibrated"
        return f"a class has fewer than {CALIBRATED_GROUPS} polygons to calibrate them on"

    @property
    def calibration(self) -> str | None:
        """How well the probabilities of its maps are known; none: withheld, or not said."""
        known = self.classifier.known_within_
        if self.withheld or known is None:
            return None
        confidence = getattr(self.classifier, "confidence_", None)
        flat = confidence is not None and confidence[0] < _FLAT
        return "; ".join(
            [
                f"{CALIBRATED}, which know the share of right decisions to ± {known:.2f} there",
                *([FLAT] if flat else []),
                "windows across a boundary of classes are surer than they are right",
                "they suppose ground with the classes' shares of the training windows",
            ]
        )

    @property
    def shares(self) -> tuple[float, ...] | None:
        """Shares of the classes' windows, which the probabilities of its maps suppose of the
        ground; none: withheld, or not said.
        """
        windows = self.provenance.get("windows")
        if self.withheld or not isinstance(windows, Mapping):
            return None
        counts = [windows.get(code, 0) for code in self.classes]
        total = sum(counts)
        return tuple(count / total for count in counts) if all(counts) else None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the K feature series."""
        from cpazmal_scale import features

        return features.names(self.polarisations, self.features.xpol, self.features.statistics)

    def on_dates(self, dates: NDArray[np.datetime64], season_start: str | None = None) -> OnDates:
        """The classifier for a cube's dates (T,), season to season.

        Args:
            dates: datetime64 of the cube, increasing.
            season_start: first day of the cube's season, `MM-DD`; none: the model's own.

        Raises:
            ModelMismatch: no dates, or too many of them at a time of the year that the training
                lacks, or the other way round.
        """
        from cpazmal_scale.model.season import on_dates

        starts = (season_start or self.season_start, self.season_start)
        return on_dates(self.classifier, self.dates, dates, starts)

    def means_on(
        self, dates: NDArray[np.datetime64], season_start: str | None = None
    ) -> NDArray[np.float32] | None:
        """`means` (C, K, T') on the dates of the typical series that `on_dates` shows."""
        if self.means is None:
            return None
        return self.means[..., self.on_dates(dates, season_start).columns]


def _clustered(stability: float | None) -> str:
    """Why clusters have no probabilities: agreement of those of the even and of the odd dates."""
    text = "classes are clusters of the series themselves"
    if stability is None:
        return text
    found = (
        f"{text}; maps of the even and of the odd dates agree at an adjusted Rand index of "
        f"{stability:.2f}"
    )
    return found if stability >= STABLE else f"{found}: no stable classes"
