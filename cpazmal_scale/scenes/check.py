"""Check every value of a scene's file before anything is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.errors import SceneImplausible
from cpazmal_scale.scenes.fill_values import Repeated
from cpazmal_scale.scenes.formats.geotiff import check_blocks, coding, read_bands, read_valid
from cpazmal_scale.scenes.scene import SceneFile
from cpazmal_scale.scenes.values import (
    DECIBELS,
    HIGHEST,
    LOWEST_POWER,
    Coding,
    is_implausible,
    is_nodata,
)
from cpazmal_scale.vocabulary import INCIDENCE, POLARISATIONS

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS = 512
SAMPLES_PER_STRIP = 20_000
ZERO_ROWS = 16
"""Rows of exact zeros from which a file whose no-data value is not 0 counts as zero-filled."""
LEAST_VALID = 0.001
"""Share of valid pixels below which a file is taken for damaged or cut at the wrong place."""
LEAST_KNOWN = 0.5
"""Share of pixels with power that have a mask code, below which the mask is none of layover."""
MASK_CODES = (0, 1, 2, 3, -127, 255, -999)
HIGHEST_MEDIAN = 10.0
"""Median linear power (+10 dB) above which values are no backscatter: digital numbers, or
amplitudes. Towns and slopes that face the radar stay below."""
FILL_PIXELS = 16
"""Times that the lowest or highest value of a band may occur where it is no usual backscatter."""
USUAL = (-50.0, 20.0)
"""Decibels between which a value that a few pixels share is backscatter, not a fill value."""
OFTEN = 0.01
"""Share of the valid pixels from which the bounds are tighter."""
USUAL_OFTEN = (-40.0, 13.0)
"""Those bounds: clipped noise stays above, and saturated towns below."""
MOST_BEYOND = 0.01
"""Share of pixels above the highest backscatter that is left out without a word."""
BRIGHT = {"HH": -3.0, "VV": -3.0, "HV": -7.0, "VH": -7.0}
"""Median decibels above which linear values may be amplitudes: few whole scenes are as bright."""
SWAPPED = 3.0
"""Decibels by which a cross-polarised median is above the co-polarised one only if bands are
swapped: on the ground it is five to fifteen below."""
LOWEST_NOISE = -0.05
"""Linear power from which down the same holds: noise subtraction does not go as far."""


@dataclass(frozen=True)
class BandSummary:
    """What one polarisation of a file holds: share of valid pixels, median raw value and in dB, and
    what people should know of it; empty: nothing.
    """

    polarisation: str
    valid: float
    median: float
    level: float
    warning: str = ""


def check_file(raster: Any, file: SceneFile) -> tuple[BandSummary, ...]:
    """Decode the whole file and look at its values.

    Raises:
        SceneUnreadable: sparse, truncated, or a block cannot be decoded.
        SceneImplausible: zero-filled, without a valid pixel, decibels given as linear or the
            reverse, not calibrated, or a mask band with values that are no mask codes.
    """
    check_blocks(raster, file.url)
    used = [at for at, name in enumerate(file.bands) if name != "skip"]
    tallies = [
        _Tally(file.bands[at], coding(raster, at + 1, file.nodata), file.scale) for at in used
    ]
    numbers = [at + 1 for at in used]
    known = _Known()
    block = raster.block_shapes[0][0]
    step = ROWS if block > ROWS else ROWS // block * block
    for y in range(0, raster.height, step):
        rows, columns = slice(y, min(raster.height, y + step)), slice(0, raster.width)
        strip = read_bands(raster, file.url, rows, columns, numbers)
        seen = read_valid(raster, file.url, rows, columns, numbers)
        shown = [None] * len(used) if seen is None else np.broadcast_to(seen, strip.shape)
        good = {
            tally.name: tally.add(values, one)
            for tally, values, one in zip(tallies, strip, shown, strict=True)
        }
        powers = [one for name, one in good.items() if name in POLARISATIONS]
        if powers and "mask" in good:
            known.add(np.logical_or.reduce(powers), good["mask"])
    summaries = []
    for tally in tallies:
        if tally.name == "mask":
            tally.check_mask(file)
            known.check(file)
        elif tally.name == "incidence":
            tally.check_angles(file)
        else:
            summaries.append(tally.verdict(file))
    return tuple(summaries)


def check_order(files: Sequence[SceneFile]) -> None:
    """Cross-polarised backscatter is not brighter than co-polarised, in one raster or another.

    Raises:
        SceneImplausible: it is by far.
    """
    found: dict[str, list[tuple[float, SceneFile]]] = {}
    for file in files:
        for name, level in file.levels if file.product is None else ():
            found.setdefault(name, []).append((level, file))
    for cross in {"HV", "VH"} & set(found):
        co = cross[0] * 2
        more = [level - other for level, _ in found[cross] for other, _ in found.get(co, ())]
        if not more or np.median(more) <= SWAPPED:
            continue
        raise SceneImplausible(
            f"{cross} is {np.median(more):.1f} dB brighter than {co}, as no ground is: the bands "
            "are swapped",
            where=found[cross][0][1].url,
            remedy="tell the order of bands with ingest.naming.bands or in the sidecar"
            if found[cross][0][1] is found[co][0][1]
            else "exchange the names of this file and " + found[co][0][1].url.rpartition("/")[2],
        )


class _Extreme:
    """The lowest or highest value of a band so far, and how many pixels have it."""

    def __init__(self, sign: int) -> None:
        self.sign, self.value, self.count = sign, -np.inf, 0

    def add(self, values: NDArray[np.float32]) -> None:
        best = float(values.max() if self.sign > 0 else values.min())
        if best * self.sign > self.value * self.sign or not self.count:
            self.value, self.count = best, 0
        if best == self.value:
            self.count += int((values == np.float32(best)).sum())


class _Known:
    """How many pixels with power have a mask code too."""

    def __init__(self) -> None:
        self.power = self.both = 0

    def add(self, power: NDArray[np.bool_], mask: NDArray[np.bool_]) -> None:
        """Where a strip has power, and where its mask has a code from 0 to 3."""
        self.power += int(power.sum())
        self.both += int((power & mask).sum())

    def check(self, file: SceneFile) -> None:
        """The mask leaves most of what there is.

        Raises:
            SceneImplausible: it says of most pixels with power that they are not valid.
        """
        if self.both < LEAST_KNOWN * self.power:
            raise SceneImplausible(
                f"the mask band has no code from 0 to 3 at {self.power - self.both} of the "
                f"{self.power} pixels with power: it may be an alpha band",
                where=file.url,
                remedy="call it `skip` in ingest.naming.bands or in the sidecar",
            )


class _Tally:
    """Counts, extremes and a regular sample of one band's values."""

    def __init__(self, name: str, coding: Coding, scale: str) -> None:
        self.name, self.coding, self.scale = name, coding, scale
        self.pixels = self.valid = self.zero_rows = self.beyond = self.negative = self.full = 0
        self.extremes = (_Extreme(-1), _Extreme(1))
        self.repeated = Repeated()
        self.samples: list[NDArray[Any]] = []

    @np.errstate(invalid="ignore", over="ignore")  # damaged files hold signalling NaN
    def add(self, numbers: NDArray[Any], seen: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """A strip of stored numbers, and where a mask lets them be seen; where they are valid."""
        self.pixels += numbers.size
        values = self.coding.values(numbers)
        if self.name == "mask":
            good = np.isin(values, (0, 1, 2, 3))
            self.valid += int(good.sum())
        else:
            self.zero_rows += int((~(numbers != 0).any(axis=1)).sum())
            good = ~is_nodata(numbers, self.coding)
            if seen is not None:
                good &= seen
            if self.name != "incidence":
                above = good & (values > HIGHEST[self.scale])
                self.beyond += int(above.sum())
                if self.scale == "linear":
                    below = good & (values > DECIBELS[0]) & (values <= LOWEST_POWER)
                    self.negative += int(below.sum())
                good &= ~is_implausible(values, self.scale)
            self.valid += int(good.sum())
            if self.name in POLARISATIONS:
                self.repeated.add(numbers, good)
            if numbers.dtype.kind in "iu":
                self.full += int((numbers[good] == np.iinfo(numbers.dtype).max).sum())
            values = values[good]
            if values.size:
                for extreme in self.extremes:
                    extreme.add(values)
        step = max(1, values.size // SAMPLES_PER_STRIP)
        self.samples.append(values.reshape(-1)[::step].copy())
        return good

    def verdict(self, file: SceneFile) -> BandSummary:
        """The band's summary.

        Raises:
            SceneImplausible: it cannot be backscatter.
        """
        if self.beyond > MOST_BEYOND * (self.valid + self.beyond):
            raise SceneImplausible(
                f"{self.beyond} pixels of {self.name} are above +40 dB: digital numbers, or a fill "
                "value that is not declared as no-data",
                where=file.url,
                remedy="calibrate the scene first, or declare the fill value (`nodata`)",
            )
        if self.negative > self.valid:
            raise SceneImplausible(
                f"{self.negative} pixels of {self.name} are between {DECIBELS[0]:g} and "
                f"{LOWEST_POWER:g}, but linear power is positive: these look like decibels",
                where=file.url,
                remedy="set ingest.naming.scale: dB (or `scale` in its sidecar), "
                "or calibrate the scene",
            )
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
        nodata = self.coding.nodata
        if nodata is not None and nodata != 0 and self.zero_rows >= ZERO_ROWS:
            raise SceneImplausible(
                f"{self.name} has {self.zero_rows} rows of zeros though no-data is "
                f"{nodata:g}: part of the file was never written",
                where=file.url,
                remedy="copy the file again from its source",
            )
        if self.full > OFTEN * self.valid:
            raise SceneImplausible(
                f"{self.full} pixels of {self.name} have the highest number of their type: "
                "saturated, or a fill value that is not declared as no-data",
                where=file.url,
                remedy="declare it (gdal_edit.py -a_nodata), or store the scene as float32",
            )
        median = float(np.median(np.concatenate(self.samples)))
        _check_median(self.name, median, file)
        for extreme in self.extremes:
            _check_fill(self.name, extreme, self.valid, file)
        level = median if self.scale == "dB" else 10 * math.log10(median)
        share = self.valid / self.pixels
        told = (self._repeated(file), self._bright(file, level))
        return BandSummary(self.name, share, median, level, "; ".join(filter(None, told)))

    def _bright(self, file: SceneFile, level: float) -> str:
        """Words about a band that is brighter than whole scenes are."""
        if file.scale == "dB" or level <= BRIGHT[self.name]:
            return ""
        return (
            f"the median of {self.name} is {level:+.1f} dB, brighter than most ground: if its "
            "values are amplitudes, square them"
        )

    def _repeated(self, file: SceneFile) -> str:
        """Words about one value that covers a connected part of the band."""
        found = self.repeated.most()
        if found is None:
            return ""
        value = float(self.coding.values(np.array(found[0])))
        unit = " dB" if file.scale == "dB" else ""
        return (
            f"{found[1]} connected pixels of {self.name} ({found[1] / self.pixels:.1%}) are "
            f"exactly {value:g}{unit}, and count as backscatter: if it is a fill value, declare it "
            "(gdal_edit.py -a_nodata, or `nodata` in a sidecar)"
        )

    def check_angles(self, file: SceneFile) -> None:
        """The band may hold incidence angles.

        Raises:
            SceneImplausible: its median is no angle in degrees.
        """
        sample = np.concatenate(self.samples)
        median = float(np.median(sample)) if sample.size else float("nan")
        if not INCIDENCE[0] < median < INCIDENCE[1]:
            raise SceneImplausible(
                f"the median incidence angle is {median:.3g}, not between {INCIDENCE[0]:g} and "
                f"{INCIDENCE[1]:g} degrees",
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
        own = self.coding.nodata
        strange = ~np.isin(sample, [*MASK_CODES, *([] if own is None else [own])])
        if sample.size and strange.mean() > 0.01:
            raise SceneImplausible(
                f"the mask band holds {sample[strange][0]:g}, which is no mask code (0 to 3)",
                where=file.url,
                remedy="tell the order of bands with ingest.naming.bands or in the sidecar",
            )
        if self.valid < LEAST_VALID * self.pixels:
            raise SceneImplausible(
                f"the mask band has {self.valid} of {self.pixels} pixels with a code from 0 to 3: "
                "every pixel would be flagged",
                where=file.url,
                remedy="call it `skip` in ingest.naming.bands or in the sidecar",
            )


def _check_fill(name: str, extreme: _Extreme, valid: int, file: SceneFile) -> None:
    """An extreme value that many pixels share is backscatter.

    Raises:
        SceneImplausible: it is a fill value that nobody declared.
    """
    value = extreme.value
    if extreme.count < FILL_PIXELS or (file.scale == "linear" and 0 >= value > LOWEST_NOISE):
        return
    decibels = value if file.scale == "dB" else 10 * np.log10(max(value, 1e-30))
    usual = USUAL_OFTEN if extreme.count >= OFTEN * valid else USUAL
    if not usual[0] < decibels < usual[1]:
        raise SceneImplausible(
            f"{extreme.count} pixels of {name} are exactly {value:g}, a fill value that is not "
            "declared as no-data",
            where=file.url,
            remedy="declare it (gdal_edit.py -a_nodata, or `nodata` in a sidecar)",
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
