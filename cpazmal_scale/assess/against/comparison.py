"""What a map and a reference raster agree on, and the tables made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.assess.validate.metrics import Scores, scores

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from cpazmal_scale.assess.against.calibration import MapCalibration


@dataclass(frozen=True, eq=False)
class MapComparison:
    """Pixels of a map by reference class and mapped class, matched by name.

    Counts are `(R, C + 2)`: the map's C classes first, then the reference classes that the map does
    not know; columns are the map's classes, rejected, no data.
    """

    classes: tuple[str, ...]
    """Of the map, in its order."""
    unknown: tuple[str, ...]
    """Reference classes that the map does not know."""
    every: NDArray[np.int64]
    """All labelled pixels."""
    outside: NDArray[np.int64] | None
    """Without the training polygons and what shares windows with them; none without polygons."""
    calibration: MapCalibration | None = None
    """None: the map holds no probabilities."""

    def confusion(self, *, outside: bool = False) -> NDArray[np.int64]:
        """Counts `(C, C + 1)` of the map's classes; rejected pixels are the last column, pixels
        where the map has no data are left out.
        """
        counts = self._counts(outside)[: len(self.classes), : len(self.classes) + 1]
        return np.asarray(counts)

    def figures(self, *, outside: bool = False) -> Scores:
        """Figures of `confusion`."""
        return scores(self.confusion(outside=outside))

    def table(self) -> pd.DataFrame:
        """One row for all labelled pixels of the map's classes, one without training polygons:
        pixels, no_data and rejected shares, oa, macro_f1, weighted_f1, kappa, f1_{class}.
        """
        import pandas as pd

        names = {"all labelled pixels": False}
        if self.outside is not None:
            names["without training polygons"] = True
        rows = {}
        for name, outside in names.items():
            known = self._counts(outside)[: len(self.classes)]
            figures = self.figures(outside=outside)
            total = max(int(known.sum()), 1)
            rows[name] = {
                "pixels": int(known.sum()),
                "no_data": int(known[:, -1].sum()) / total,
                "rejected": int(known[:, -2].sum()) / total,
                "oa": float(figures.overall_accuracy),
                "macro_f1": float(figures.macro_f1),
                "weighted_f1": float(figures.weighted_f1),
                "kappa": float(figures.kappa),
                **{f"f1_{c}": float(figures.f1[i]) for i, c in enumerate(self.classes)},
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("reference")

    def foreign(self) -> pd.DataFrame:
        """One row per reference class that the map does not know: its pixels with data, and the
        share of them that went to each of the map's classes, or was rejected.
        """
        import pandas as pd

        columns = [*self.classes, "rejected"]
        rows = {}
        for place, name in enumerate(self.unknown, start=len(self.classes)):
            row = self.every[place, :-1]
            total = int(row.sum())
            shares = row / total if total else np.full(len(columns), np.nan)
            rows[name] = {"pixels": total, **dict(zip(columns, shares, strict=True))}
        table = pd.DataFrame.from_dict(rows, orient="index", columns=["pixels", *columns])
        return table.rename_axis("class")

    @property
    def forced(self) -> float:
        """Share of the classified, labelled pixels whose true class the map does not know."""
        mapped = self.every[:, : len(self.classes)]
        total = int(mapped.sum())
        return int(mapped[len(self.classes) :].sum()) / total if total else float("nan")

    def _counts(self, outside: bool) -> NDArray[np.int64]:
        if not outside:
            return self.every
        if self.outside is None:
            raise ValueError("the comparison was made without training polygons")
        return self.outside
