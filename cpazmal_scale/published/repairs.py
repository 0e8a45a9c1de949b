"""The known defects of the published files, how each is repaired, and the account of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.config import NOT_VALID
from cpazmal_scale.scenes import is_nodata, to_bits

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

DEFECTS = {
    "resampling_rim": (
        "values below zero that are not no-data: no-data smeared by resampling",
        "no data",
    ),
    "rim_neighbour": (
        "positive values that touch such a rim: a few may hold a trace of no-data",
        "kept",
    ),
    "mask_nodata": (
        "backscatter under a mask code that is none (-127), which passes `mask > max`",
        "flagged not valid",
    ),
    "mask_unknown": ("mask codes other than 0 to 3 and -127", "flagged not valid"),
    "mixed_beams": ("dates of several viewing geometries in one orbit's stack", "split by beam"),
    "angle_unknown": ("dates whose incidence angle is 0, which means unknown", "unknown"),
    "statistics": ("stored statistics that count the rims as backscatter", "not used"),
    "counted_paths": ("a number of groups that counts series", "groups counted"),
    "index": ("entries of the index that the data contradict", "the data count"),
    "mean_transform": (
        "chips placed by the mean of their dates' transforms, off the pixel lattice",
        "moved to the nearest pixel",
    ),
    "chip_shape": ("HV chips of another shape than HH's", "aligned at the top left pixel"),
    "overlap": ("valid pixels that two groups' chips both hold", "kept for the first group"),
    "double_date": ("dates that a series holds twice", "the first kept"),
    "unsorted": ("series that are not in order of time", "sorted"),
}
"""Kinds of defects: what is wrong, and what is done about it."""


@dataclass(frozen=True)
class Finding:
    """One defect at one place: how many of how many, and a note."""

    defect: str
    where: str
    count: int
    total: int
    note: str = ""


@dataclass
class Account:
    """What was repaired, gathered while a file is read; reading a place again counts it once."""

    found: dict[tuple[str, str], Finding] = field(default_factory=dict)

    def add(self, defect: str, where: str, count: int, total: int, note: str = "") -> None:
        """Note `count` of `total`; nothing when none."""
        if count:
            self.found[defect, where] = Finding(defect, where, count, total, note)

    def findings(self) -> list[Finding]:
        """All of them, by kind and place."""
        order = list(DEFECTS)
        return sorted(self.found.values(), key=lambda f: (order.index(f.defect), f.where))

    def table(self) -> pd.DataFrame:
        """One row per defect and place: `defect, where, count, total, action, note`."""
        import pandas as pd

        columns = ["defect", "where", "count", "total", "action", "note"]
        rows = [
            (f.defect, f.where, f.count, f.total, DEFECTS[f.defect][1], f.note)
            for f in self.findings()
        ]
        return pd.DataFrame(rows, columns=columns)

    def __str__(self) -> str:
        lines = []
        for defect, (what, action) in DEFECTS.items():
            found = [f for f in self.findings() if f.defect == defect]
            if found:
                places = f"{len(found)} place{'s' if len(found) > 1 else ''}"
                notes = sorted({f.note for f in found if f.note})
                lines.append(f"{sum(f.count for f in found):>12,} in {places:<11} {what}: {action}")
                lines += [f"{'':>28}{note}" for note in notes[:6]]
        return "\n".join(lines) or "no defect found"


def repaired_image(
    raw: NDArray[np.float32], nodata: float, account: Account, where: str
) -> NDArray[np.float32]:
    """Linear power (H, W), NaN for no data, of a stored image.

    The files' makers set everything at or below zero to no-data *before* they resampled the dates
    of a group to one shape. What is below zero afterwards, without being no-data, is thus a mixture
    of both and no backscatter; zeros come from beyond the image.
    """
    power, rim = repaired_values(raw, nodata)
    if rim.any():
        account.add("resampling_rim", where, int(rim.sum()), raw.size)
        beside = _grown(rim) & np.isfinite(power)
        account.add("rim_neighbour", where, int(beside.sum()), raw.size)
    return power


def repaired_values(
    raw: NDArray[np.float32], nodata: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Linear power of stored values, NaN for no data, and which were smeared; any shape."""
    empty = is_nodata(raw, nodata)
    rim = ~empty & (raw < 0)
    power = raw.astype(np.float32, copy=True)
    power[empty | rim] = np.nan
    return power, rim


def repaired_mask(
    codes: NDArray[np.int8], power: NDArray[np.float32], account: Account, where: str
) -> NDArray[np.uint8]:
    """Our mask bits (H, W) of stored codes; no-data codes are flagged, not compared."""
    bits = to_bits(codes, "snap")
    known = (bits & NOT_VALID == 0) | (codes == NODATA_CODE)
    account.add("mask_unknown", where, int((~known).sum()), codes.size)
    bare = (codes == NODATA_CODE) & np.isfinite(power)
    account.add("mask_nodata", where, int(bare.sum()), codes.size)
    return bits


NODATA_CODE = -127


def _grown(shape: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A region and its eight neighbours."""
    from scipy.ndimage import binary_dilation

    grown: NDArray[np.bool_] = binary_dilation(shape, np.ones((3, 3), np.bool_))
    return grown
