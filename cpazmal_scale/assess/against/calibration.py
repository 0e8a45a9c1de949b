"""A map's probabilities beside a reference, in windows of one class and of several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cpazmal_scale.assess.validate.metrics import (
    BINS,
    expected_calibration_error,
    reliability_counts,
)

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

SHAPE = (2, 2, 2, BINS, 3)
_ALL = slice(None)
_KINDS = {
    "all": (_ALL, _ALL),
    "windows of one true class": (0, _ALL),
    "windows of several true classes": (1, _ALL),
    "windows of one mapped class": (_ALL, 0),
    "windows of several mapped classes": (_ALL, 1),
}
_SURE = round(0.9 * BINS)


class Seen(NamedTuple):
    """The pixels of a block (h, w)."""

    truth: NDArray[np.integer]
    """Reference classes by their position among the map's; others are left out."""
    mapped: NDArray[np.integer]
    """Mapped classes by position; others are left out."""
    confidence: NDArray[np.floating]
    """Largest probability; NaN is left out."""
    several_true: NDArray[np.bool_]
    """Whether the window around the pixel has several reference classes."""
    several_mapped: NDArray[np.bool_]
    """Whether it has several mapped classes."""


def several(codes: NDArray[np.uint8], margin: int) -> NDArray[np.bool_]:
    """Whether the window of `margin` pixels around each of (h, w) codes has several; 0 is none."""
    from scipy.ndimage import maximum_filter, minimum_filter

    size = 2 * margin + 1
    least = minimum_filter(codes - np.uint8(1), size, mode="nearest")
    return np.asarray(maximum_filter(codes, size, mode="nearest") > least.astype(np.int16) + 1)


def tally(seen: Seen, trained: NDArray[np.bool_] | None, classes: int) -> NDArray[np.float64]:
    """Sums of `SHAPE` over a block, see `MapCalibration.sums`; `trained` (h, w) none: no pixel."""
    used = np.zeros(seen.truth.shape, bool) if trained is None else trained
    known = (seen.truth >= 0) & (seen.truth < classes)
    known &= (seen.mapped >= 0) & (seen.mapped < classes)
    sums = np.zeros(SHAPE)
    for place in np.ndindex(SHAPE[:3]):
        here = known & (used == place[0])
        here &= (seen.several_true == place[1]) & (seen.several_mapped == place[2])
        sums[place] = reliability_counts(seen.truth[here], seen.mapped[here], seen.confidence[here])
    return sums


@dataclass(frozen=True, eq=False)
class MapCalibration:
    """How often a map's decisions are right beside how sure it is of them."""

    sums: NDArray[np.float64]
    """`(2, 2, 2, 10, 3)`: outside and inside training polygons, windows of one and of several
    reference classes, of one and of several mapped classes, `reliability_counts`."""
    polygons: bool
    """Whether training polygons are known."""

    def table(self) -> pd.DataFrame:
        """Rows by `reference` and `windows`: share of the pixels, mean confidence, share right,
        ece, and of the pixels with p > 0.9 share, confidence and right; NaN without pixels.
        """
        import pandas as pd

        sides = {"all labelled pixels": self.sums.sum(axis=0)}
        if self.polygons:
            sides["without training polygons"] = self.sums[0]
        rows = []
        for reference, side in sides.items():
            total = side[..., 0].sum()
            for windows, (true, mapped) in _KINDS.items():
                bins = side[true, mapped].reshape(-1, BINS, 3).sum(axis=0)
                sure = bins[_SURE:].sum(axis=0)
                (count, *claims), (many, *claimed) = bins.sum(axis=0), sure
                with np.errstate(invalid="ignore", divide="ignore"):
                    figures = (
                        *(count / total, *(claims / count), expected_calibration_error(bins)),
                        *(many / count, *(claimed / many)),
                    )
                rows.append((reference, windows, *(float(figure) for figure in figures)))
        names = ["reference", "windows", "pixels", "confidence", "right", "ece"]
        names += ["sure_pixels", "sure_confidence", "sure_right"]
        return pd.DataFrame(rows, columns=names)
