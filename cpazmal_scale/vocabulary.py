"""Names that files, maps and settings share: classes, mask flags, statistics."""

from __future__ import annotations

from typing import Literal

GLACIER_CLASSES = ("ABL", "ACC", "HAG", "ICA")
"""Ablation, accumulation, hanging glacier, ice apron: the four surfaces of the talk."""


CLASS_NAMES = {
    "ABL": "ablation area",
    "ACC": "accumulation area",
    "HAG": "hanging glacier",
    "ICA": "ice apron",
    "FOR": "forest",
    "CIT": "city",
    "LAC": "lake",
    "ROC": "rock",
    "PLA": "plain",
}
"""Class codes of the CPAZMAL dataset, in the sense of the talk (`CIT` or, later, `LAC`)."""


MASK_BITS = {
    "layover": 1,
    "shadow": 2,
    "no_dem": 4,
    "outside_swath": 8,
    "noise_limited": 16,
    "not_valid": 32,
}
"""Flags of a cube's `mask`, by name, whatever the codes of its sources."""


NOT_VALID = MASK_BITS["not_valid"]
"""Flag of pixels without data."""


Statistic = Literal[
    "k1", "k2", "k3", "k4", "mean", "std", "cv", "skewness", "kurtosis", "entropy", "histogram"
]  # fmt: skip
"""Statistics of a window."""
