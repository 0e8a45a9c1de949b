"""Check every value of a scene's file before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import SceneImplausible
from cpazmal_scale.scenes.formats.geotiff import check_blocks, read_bands
from cpazmal_scale.scenes.scene import SceneFile
from cpazmal_scale.scenes.values import is_nodata

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 512
SAMPLES_PER_STRIP = 20_000
ZERO_ROWS = 16
"""Rows of exact zeros from which a file whose no-data value is not 0 counts as zero-filled."""
LEAST_VALID = 0.001
"""Share of valid pixels below which a file is taken for damaged or cut at the wrong place."""
MASK_CODES = (0, 1, 2, 3, -127, 255, -999)
HIGHEST_MEDIAN = 1000.0
"""Median linear power (+30 dB) above which values are digital numbers, not backscatter."""


@dataclass(frozen=True)
class BandSummary:
    """What one polarisation of a file holds: share of valid pixels, and median raw value."""

    polarisation: str
    valid: float
    median: float


def check_file(raster: Any, file: SceneFile) -> tuple[BandSummary, ...]:
    """Decode the whole file and look at its values.

    Raises:
        SceneUnreadable: sparse, truncated, or a block cannot be decoded.
        SceneImplausible: zero-filled, without a valid pixel, decibels given as linear or the
            reverse, not calibrated, or a mask band with values that are no mask codes.
    """
    check_blocks(raster, file.url)
    used = [at for at, name in enumerate(file.bands) if name != "skip"]
    tallies = [_Tally(file.bands[at], _nodata(raster, file, at)) for at in used]
    numbers = [at + 1 for at in used]
    block = raster.block_shapes[0][0]
    step = ROWS if block > ROWS else ROWS // block * block
    for y in range(0, raster.height, step):
        rows = slice(y, min(raster.height, y + step))
        for tally, values in zip(
            tallies,
            read_bands(raster, file.url, rows, slice(0, raster.width), numbers),
            strict=True,
        ):
            tally.add(values)
    summaries = []
    for tally in tallies:
        if tally.name == "mask":
            tally.check_mask(file)
        elif tally.name == "incidence":
            tally.check_angles(file)
        else:
            summaries.append(tally.verdict(file))
    return tuple(summaries)


def _nodata(raster: Any, file: SceneFile, band: int) -> float | None:
    found: float | None = raster.nodatavals[band]
    return found if file.nodata is None else file.nodata


class _Tally:
    """Counts and a regular sample of one band."""

    def __init__(self, name: str, nodata: float | None) -> None:
        self.name, self.nodata = name, nodata
        self.pixels = self.valid = self.zero_rows = 0
        self.samples: list[NDArray[Any]] = []

    @np.errstate(invalid="ignore")  # damaged files hold signalling NaN
    def add(self, values: NDArray[Any]) -> None:
        self.pixels += values.size
        if self.name != "mask":
            self.zero_rows += int((~(values != 0).any(axis=1)).sum())
            good = ~is_nodata(values, self.nodata)
            self.valid += int(good.sum())
            values = values[good]
        step = max(1, values.size // SAMPLES_PER_STRIP)
        self.samples.append(values.reshape(-1)[::step].copy())

    def verdict(self, file: SceneFile) -> BandSummary:
        """The band's summary.

        Raises:
            SceneImplausible: it cannot be backscatter.
        """
        if self.valid == 0:
            raise SceneImplausible(
                f"{self.name} has no valid pixel: all are zero, NaN or no-data",
                where=file.url,
                remedy="copy or process the scene again",
            )
        if self.valid < LEAST_VALID * self.pixels:
            raise SceneImplausible(
                f"only {self.valid} of {self.pixels} pixels of {self.name} are valid",
                where=file.url,
                remedy="copy the scene again, or cut it to where it has data",
            )
        if self.nodata not in (None, 0) and self.zero_rows >= ZERO_ROWS:
            raise SceneImplausible(
                f"{self.name} has {self.zero_rows} rows of zeros though no-data is "
                f"{self.nodata:g}: part of the file was never written",
                where=file.url,
                remedy="copy the file again from its source",
            )
        median = float(np.median(np.concatenate(self.samples)))
        _check_median(self.name, median, file)
        return BandSummary(self.name, self.valid / self.pixels, median)

    def check_angles(self, file: SceneFile) -> None:
        """The band may hold incidence angles.

        Raises:
            SceneImplausible: its median is no angle in degrees.
        """
        sample = np.concatenate(self.samples)
        median = float(np.median(sample)) if sample.size else float("nan")
        if not 2 < median < 90:
            raise SceneImplausible(
                f"the median incidence angle is {median:.3g}, not between 2 and 90 degrees",
                where=file.url,
                remedy="give the angle from the vertical in degrees",
            )

    def check_mask(self, file: SceneFile) -> None:
        """The band may hold mask codes.

        Raises:
            SceneImplausible: more than one value in a hundred is no mask code.
        """
        sample = np.concatenate(self.samples)
        sample = sample[np.isfinite(sample)]
        strange = ~np.isin(sample, [*MASK_CODES, *([] if self.nodata is None else [self.nodata])])
        if sample.size and strange.mean() > 0.01:
            raise SceneImplausible(
                f"the mask band holds {sample[strange][0]:g}, which is no mask code (0 to 3)",
                where=file.url,
                remedy="tell the order of bands with ingest.naming.bands or in the sidecar",
            )


def _check_median(name: str, median: float, file: SceneFile) -> None:
    problem = None
    if file.scale == "linear" and median <= 0:
        problem, remedy = "linear power is positive: these look like decibels", "dB"
    elif file.scale == "dB" and median > 0:
        problem, remedy = "decibels of backscatter are negative: these look linear", "linear"
    if problem is not None:
        raise SceneImplausible(
            f"the median of {name} is {median:.3g}, but {problem}",
            where=file.url,
            remedy=f"set ingest.naming.scale: {remedy} (or `scale` in its sidecar), "
            "or calibrate the scene",
        )
    if median > HIGHEST_MEDIAN:
        raise SceneImplausible(
            f"the median of {name} is {median:.3g}: digital numbers, not calibrated backscatter",
            where=file.url,
            remedy="calibrate the scene first",
        )
