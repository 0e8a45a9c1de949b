"""Whether files of one acquisition are slices of it, or two versions of the same pixels."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import SceneConflict
from cpazmal_scale.scenes.reading import SceneReader
from cpazmal_scale.scenes.scene import Scene, SceneFile

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEAM = 0.5
"""Share of the smaller file's valid pixels up to which slices may overlap."""
LEVEL_DB = 1.0
"""Decibels by which the means of slices may differ where they overlap: both are of one pulse."""
SAME = 0.99
"""Share of pixels that have to be equal in copies of one file."""
_STRIPS, _ROWS = 64, 4
_ENOUGH = 200
"""Pixels from which a difference of means says something."""


@dataclass
class _Meeting:
    """Counts and sums of two files of one polarisation."""

    first: int = 0
    second: int = 0
    both: int = 0
    equal: int = 0
    power: tuple[float, float] = (0.0, 0.0)

    def add(self, one: NDArray[np.float32], other: NDArray[np.float32]) -> None:
        """A strip of both, NaN for no data."""
        here = ~np.isnan(one) & ~np.isnan(other)
        a, b = one[here].astype(np.float64), other[here].astype(np.float64)
        self.first += int((~np.isnan(one)).sum())
        self.second += int((~np.isnan(other)).sum())
        self.both += a.size
        self.equal += int(np.isclose(a, b, rtol=1e-3, atol=0).sum())
        self.power = self.power[0] + float(a.sum()), self.power[1] + float(b.sum())

    @property
    def share(self) -> float:
        """Part of the smaller file that the other covers too."""
        return self.both / max(1, min(self.first, self.second))

    @property
    def level(self) -> float:
        """Decibels between the means where both have data."""
        if self.both < _ENOUGH or min(self.power) <= 0:
            return 0.0
        return float(10 * np.log10(self.power[0] / self.power[1]))

    @property
    def conflict(self) -> bool:
        """Whether they cannot be slices of one acquisition, nor copies."""
        if self.equal >= SAME * self.both:
            return False
        return self.share > SEAM or abs(self.level) > LEVEL_DB


def check_overlaps(scene: Scene) -> None:
    """Files of one polarisation overlap at a seam, or are the same; looked at in rows throughout.

    Raises:
        SceneConflict: two of them are versions of the same pixels, with other values.
        SceneUnreadable: a part of a file cannot be decoded.
    """
    for name in scene.polarisations:
        files = [file for file in scene.files if name in file.polarisations]
        for one, other in combinations(files, 2):
            meeting = _meet(scene, one, other, name)
            if meeting.conflict:
                raise SceneConflict(
                    f"{_called(other)} is of the same acquisition: {meeting.share:.0%} of their "
                    f"{name} pixels overlap and differ by {abs(meeting.level):.1f} dB in the mean",
                    where=_called(one),
                    remedy="keep one version of the scene",
                )


def _meet(scene: Scene, one: SceneFile, other: SceneFile, name: str) -> _Meeting:
    meeting = _Meeting()
    height = scene.geobox.shape[0]
    starts = np.unique(np.linspace(0, max(0, height - _ROWS), _STRIPS).astype(int))
    with contextlib.ExitStack() as stack:
        readers = [stack.enter_context(_alone(scene, file, name)) for file in (one, other)]
        for start in map(int, starts):
            rows = start, min(height, start + _ROWS)
            first, second = (reader.read(*rows)[0][0] for reader in readers)
            meeting.add(first, second)
    return meeting


def _alone(scene: Scene, file: SceneFile, name: str) -> SceneReader:
    """One file on the scene's grid, with one polarisation first."""
    order = (name, *(one for one in file.polarisations if one != name))
    part = replace(scene, files=(file,), polarisations=order)
    return SceneReader(part, scene.geobox, resample=True)


def _called(file: SceneFile) -> str:
    """A file's address, and when a product was made."""
    if file.product is None:
        return file.url
    return f"{file.url} (made {file.product.annotation.generation_time:%Y-%m-%d %H:%M:%S})"
