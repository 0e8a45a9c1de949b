"""Measure how far dates lie off the others of their cube, and correct it by their delays.

A shift is measured in many windows of the map, against the mean of the other dates, and given as
delays along azimuth and in range, which are the same in all windows whatever the ground's slope.
Only what is far above its own error is applied, and only as delays: the image is read anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.cube.write.shifts import image_of, images_of_cube, middle
from cpazmal_scale.grid.shift import measure_shift
from cpazmal_scale.scenes import Scene, image_times, movable, moved

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.cube.format.record import Record

    Array = NDArray[np.float64]
    Image = NDArray[np.float32]
    Area = tuple[slice, slice]

WINDOW, STEP = 2, 10
"""Windows that fit beside each other into the area, and steps from one to the next across it."""
_ROUND = 16
"""Edges of windows are multiples of it, which Fourier transforms like."""
CLEAR = 6.0
"""Height of a window's peak, in spreads of its correlation, from which it counts: windows that see
nothing disagree.
"""
LEAST, SURE, FARTHEST = 0.15, 0.1, 3.0
"""Pixels: shifts below the first stay, a median absolute deviation above the second says nothing,
a shift beyond the third is no shift.
"""
WINDOWS, DATES = 20, 2
"""Fewest windows and fewest other dates that are needed to be sure."""
_TURNS = 4
"""Readings by which a delay is found: windows on slopes are off by some of it at first."""


@dataclass(frozen=True)
class Alignment:
    """Where a date lies: seconds of delay, pixels along the track and in range, the median absolute
    deviation of the windows in pixels, their number, and that of the other dates.
    """

    delay: tuple[float, float]
    pixels: tuple[float, float]
    deviation: float
    windows: int
    dates: int
    moved: bool = False

    @property
    def length(self) -> float:
        """Pixels."""
        return float(np.hypot(*self.pixels))

    @property
    def place(self) -> str:
        """Where it lies beside the others, in words."""
        return f"{self.pixels[0]:+.2f} pixels along the track and {self.pixels[1]:+.2f} in range"

    @property
    def is_astray(self) -> bool:
        """Whether it surely lies too far off to be moved."""
        return self.is_sure and self.length > FARTHEST

    @property
    def is_sure(self) -> bool:
        """Whether windows agree, and are enough."""
        return self.deviation < SURE and self.windows >= WINDOWS and self.dates >= DATES

    def and_then(self, more: Alignment) -> Alignment:
        """This, and what is left after a move by it, with the windows of the latter."""
        delay = self.delay[0] + more.delay[0], self.delay[1] + more.delay[1]
        pixels = self.pixels[0] + more.pixels[0], self.pixels[1] + more.pixels[1]
        return replace(more, delay=delay, pixels=pixels)

    def __str__(self) -> str:
        state = "moved" if self.moved else ("not moved" if self.is_sure else "not sure, not moved")
        return f"lies {self.place} off (± {self.deviation:.2f}, {self.windows} windows): {state}"


def align(
    scenes: list[Scene], grid: GeoBox, record: Record | None
) -> tuple[list[Scene], dict[str, Alignment]]:
    """Scenes of a beam, moved where they surely lie beside the others and the cube's dates.

    Args:
        scenes: New ones of a cube.
        grid: Of the cube.
        record: The cube as it is; none: it is new.

    Returns:
        The scenes, and where those that may be moved lie, by id.
    """
    area = middle(scenes, grid) if any(movable(scene) for scene in scenes) else None
    if area is None:
        return scenes, {}
    stack = _Stack(scenes, grid, area, list(images_of_cube(record, area)))
    found = stack.settle()
    return [stack.scenes[scene.id] for scene in scenes], found


class _Stack:
    """Scenes and their images in an area of a grid, and images of the cube's dates."""

    def __init__(self, scenes: list[Scene], grid: GeoBox, area: Area, cube: list[Image]) -> None:
        self.scenes = {scene.id: scene for scene in scenes}
        self.grid, self.area, self.cube = grid, area, cube
        self.images = {scene.id: image_of(scene, grid, area) for scene in scenes}
        self.times: dict[str, tuple[Array, Array]] = {}

    def settle(self) -> dict[str, Alignment]:
        """Set the worst date aside until the others agree; then move what was set aside."""
        aside: list[str] = []
        while True:
            found = {name: self._measure(name, aside) for name in self._may_move()}
            left = {name: one for name, one in found.items() if one and name not in aside}
            worst = max(left, key=lambda name: left[name].length, default=None)
            others = len(self.images) + len(self.cube) - len(aside) - 1
            if worst is None or left[worst].length <= LEAST or others < DATES:
                break
            aside.append(worst)
        known = {name: one for name, one in found.items() if one is not None}
        return known | {
            name: self._move(name, aside, known[name]) for name in aside if name in known
        }

    def _times_of(self, name: str) -> tuple[Array, Array]:
        """Image times of the area's pixels; a delay changes all of them alike."""
        if name not in self.times:
            product = movable(self.scenes[name])
            assert product is not None
            self.times[name] = image_times(product, self.grid[self.area])
        return self.times[name]

    def _may_move(self) -> Iterator[str]:
        return (name for name, scene in self.scenes.items() if movable(scene))

    def _move(self, name: str, aside: list[str], first: Alignment) -> Alignment:
        """Change a date's delays until its image lies where the others do; back if it is not sure.

        Windows on slopes are off by some of it until they lie on each other: then they judge.
        """
        scene, image, found, total = self.scenes[name], self.images[name], first, first
        for _ in range(_TURNS):
            self.scenes[name] = moved(self.scenes[name], found.delay)
            self.images[name] = image_of(self.scenes[name], self.grid, self.area)
            more = self._measure(name, aside)
            if more is None:
                break
            found, total = more, total.and_then(more)
            if found.length < LEAST / 10:
                break
        still = found.length < LEAST / 2
        if total.is_sure and still and LEAST < total.length < FARTHEST:
            return replace(total, moved=True)
        self.scenes[name], self.images[name] = scene, image
        return total if still else first

    def _measure(self, name: str, aside: Iterable[str]) -> Alignment | None:
        """Where a date lies beside the mean of the others; none: nothing can be seen."""
        others = [one for key, one in self.images.items() if key not in (name, *aside)]
        others += self.cube
        if not others:
            return None
        stack = np.stack(others)
        known = np.isfinite(stack)
        count = known.sum(axis=0)
        mean = np.where(known, stack, 0).sum(axis=0) / np.where(count, count, np.nan)
        return alignment(
            self.images[name], mean.astype(np.float32), self._times_of(name), len(others)
        )


def alignment(
    image: Image, reference: Image, times: tuple[Array, Array], dates: int
) -> Alignment | None:
    """Where an image lies beside the mean of some dates; none: nothing can be seen.

    Args:
        image: (h, w) logarithms of power on a map, NaN for no data.
        reference: Likewise.
        times: Azimuth and two-way range times (h, w), seconds, at which the image shows the map.
        dates: Number of dates in `reference`.
    """
    shifts = list(_windows(image, reference, times))
    if not shifts:
        return None
    delays, steps = (np.array(part) for part in zip(*shifts, strict=True))
    step = np.median(steps, axis=0)
    delay = np.median(delays, axis=0)
    apart = np.median(np.abs(delays - delay), axis=0) / step
    seconds = float(delay[0]), float(delay[1])
    pixels = float(delay[0] / step[0]), float(delay[1] / step[1])
    return Alignment(seconds, pixels, float(apart.max()), len(shifts), dates)


def _windows(
    image: Image, reference: Image, times: tuple[Array, Array]
) -> Iterator[tuple[Array, Array]]:
    """Delays (t, τ) by which windows of an image lie off, and those of a pixel's width there."""
    edge = [size // WINDOW // _ROUND * _ROUND for size in image.shape]
    step = [size // STEP for size in image.shape]
    for row in range(0, image.shape[0] - edge[0] + 1, max(1, step[0])):
        for column in range(0, image.shape[1] - edge[1] + 1, max(1, step[1])):
            part = slice(row, row + edge[0]), slice(column, column + edge[1])
            shift = measure_shift(image[part], reference[part], clear=CLEAR, likeliest=True)
            if shift is None:
                continue
            gradient = np.array([_gradient(one[part]) for one in times])
            if np.isfinite(gradient).all():
                yield gradient @ np.array(shift), np.hypot(*gradient.T)


def _gradient(times: Array) -> tuple[float, float]:
    """Mean change of a time from row to row and from column to column."""
    down, along = times[-1] - times[0], times[:, -1] - times[:, 0]
    return float(np.mean(down)) / (len(times) - 1), float(np.mean(along)) / (times.shape[1] - 1)
