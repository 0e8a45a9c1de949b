"""Names that files, maps and settings share: classes, mask flags, statistics."""

from __future__ import annotations

import re
from typing import Literal

GLACIER_CLASSES = ("ABL", "ACC", "HAG", "ICA")
"""Ablation, accumulation, hanging glacier, ice apron: the four surfaces of the talk."""


GLACIER, OTHER = "glacier", "not glacier"
"""The two groups of classes."""


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

BINS = 16
"""Levels over which the entropy and the histogram of a window are taken."""

NO_DATA, REJECTED = 255, 254
"""Values of a map's `class` where no date is valid, and where every class is too far."""

SCALE = 1e-4
"""Probability, entropy and margin are stored as multiples of this."""

NOTHING = 65535
"""Stored probability, entropy or margin of a pixel that has none."""

MOST_DATES = 254
"""Largest number of valid dates that a map stores; more are stored as this."""


CO_POLARISED = ("HH", "VV")


POLARISATIONS = (*CO_POLARISED, "HV", "VH")
"""Linear polarisations, co-polarised ones first: the order of channels everywhere."""


INCIDENCE = (2.0, 90.0)
"""Degrees from the vertical between which the incidence angles of scenes lie."""


BANDS = (*POLARISATIONS, "mask", "incidence", "skip")
"""What a raster band may hold; `incidence` is an angle in degrees, `skip` is of no interest."""


def ordered(polarisations: set[str]) -> tuple[str, ...]:
    """Polarisations with the co-polarised first, HH before VV and HV before VH."""
    return tuple(p for p in POLARISATIONS if p in polarisations)


def polarisations_in(text: str) -> tuple[str, ...]:
    """Polarisations of a date as cubes write them, such as `HH+HV`, one by one."""
    return tuple(text.split("+"))


def identifier(label: str) -> str:
    """A label as part of a catalog's name: all but letters and digits become `_`."""
    return re.sub(r"[^0-9A-Za-z]+", "_", label).strip("_")


CALIBRATED_GROUPS = 4
"""Polygons of every class without which probabilities cannot be calibrated."""

CLUSTERS = "clusters"
"""What labels are called that were found in the series themselves."""

STABLE = 0.5
"""Adjusted Rand index of clusters from disjoint dates under which classes are not called stable."""
