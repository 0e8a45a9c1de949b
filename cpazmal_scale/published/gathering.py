"""Windows of groups gathered into arrays, with the groups' classes and why some have none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.config import NOT_VALID
from cpazmal_scale.errors import SampleError
from cpazmal_scale.published.chips import STUDY, Chips, Series, days_between, find, stacked
from cpazmal_scale.samples import Scale, WindowRule, to_scale

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from cpazmal_scale.progress import Progress


@dataclass(frozen=True, eq=False)
class LabelledWindows:
    """N windows of w × w pixels on T dates in P polarisations.

    `X` (N, w, w, T, P) float32 in the scale asked for, NaN for no data and for dates a group
    lacks; `masks` (N, w, w, T) of `MASK_BITS`, united over polarisations; `y` and `groups` (N) are
    numbers that index `class_names` and `group_names`; `positions` (N, 2) the top left pixel in the
    group's chip; `dates` (T) days `YYYYMMDD`; `left_out` says why a group has no window.
    """

    X: NDArray[np.float32]
    masks: NDArray[np.uint8]
    y: NDArray[np.intp]
    groups: NDArray[np.intp]
    positions: NDArray[np.int64]
    dates: tuple[str, ...]
    polarisations: tuple[str, ...]
    class_names: tuple[str, ...]
    group_names: tuple[str, ...]
    left_out: Mapping[str, str]

    def counts(self) -> dict[str, int]:
        """Windows of each class."""
        return {name: int((self.y == code).sum()) for code, name in enumerate(self.class_names)}


@dataclass(frozen=True)
class Look:
    """What is taken of a group: orbit, polarisations and period."""

    orbit: str
    polarisations: tuple[str, ...]
    start: str | None
    end: str | None


@dataclass(frozen=True, eq=False)
class Stack:
    """One group's stack: `pixels` are power (H, W, T, P) and mask (H, W, T)."""

    pixels: tuple[NDArray[np.float32], NDArray[np.uint8]]
    days: tuple[str, ...]


class Gathering:
    """Windows of one look, group by group."""

    def __init__(self, chips: Chips, look: Look) -> None:
        self.chips, self.look = chips, look
        learned = {name: group.label for name, group in chips.groups.items()}
        self.labels = {name: label for name, label in learned.items() if label != STUDY}
        self.group_names = tuple(sorted(self.labels))
        self.class_names = tuple(sorted(set(self.labels.values())))
        self.left_out: dict[str, str] = {}
        self._parts: list[tuple[str, tuple[str, ...], Any, Any, NDArray[np.int64]]] = []

    def names(self, progress: Progress | None) -> Iterator[str]:
        """Names of the groups, one after the other."""
        for done, name in enumerate(self.group_names, 1):
            yield name
            if progress is not None:
                progress(done, len(self.group_names))

    def take(self, name: str, rule: WindowRule) -> None:
        """Add the windows of a group that satisfy the rule."""
        chip = self.chip(name)
        if chip is not None:
            self.add(name, chip, rule, rule.corners(*chip.pixels))

    def chip(self, name: str) -> Stack | None:
        """A group's pixels on the days all polarisations share; None, with the reason noted."""
        try:
            series = [
                find(self.chips, name, self.look.orbit, channel)
                for channel in self.look.polarisations
            ]
        except SampleError as error:
            self.left_out[name] = error.what
            return None
        dates = _common_days(series, self.look)
        if not dates:
            self.left_out[name] = f"no date of {'+'.join(self.look.polarisations)} in the period"
            return None
        height, width = (min(one.shape[axis] for one in series) for axis in (0, 1))
        powers, masks = [], []
        for one in series:
            places = [one.dates.index(day) for day in dates]
            power, mask = stacked(self.chips, one, places)
            powers.append(power[:height, :width])
            masks.append(mask[:height, :width])
        united = np.bitwise_or.reduce(np.stack(masks))
        return Stack((np.stack(powers, axis=-1), united), tuple(dates))

    def add(self, name: str, chip: Stack, rule: WindowRule, corners: NDArray[np.int64]) -> None:
        """Keep the windows at these corners."""
        if not len(corners):
            self.left_out[name] = "no window satisfies the rule"
            return
        power, mask = (rule.cut(values, corners) for values in chip.pixels)
        self._parts.append((name, chip.days, power, mask, corners))

    def windows(self, scale: Scale) -> LabelledWindows:
        """All windows together, on the union of the groups' days."""
        if not self._parts:
            reasons = sorted(set(self.left_out.values()))
            raise SampleError(
                f"no window in {self.look.orbit} {'+'.join(self.look.polarisations)} from "
                f"{self.look.start} to {self.look.end}: {'; '.join(reasons[:3])}",
                remedy="choose another period, a smaller window or a milder rule",
            )
        days = sorted({day for _, own, *_ in self._parts for day in own})
        total = sum(len(corners) for *_, corners in self._parts)
        shape = self._parts[0][2].shape
        values = np.full((total, *shape[1:3], len(days), shape[4]), np.nan, np.float32)
        masks = np.full((total, *shape[1:3], len(days)), NOT_VALID, np.uint8)
        groups = np.empty(total, np.intp)
        first = 0
        for name, own, power, mask, corners in self._parts:
            rows = slice(first, first + len(corners))
            places = [days.index(day) for day in own]
            values[rows, :, :, places] = to_scale(power, scale)
            masks[rows, :, :, places] = mask
            groups[rows] = self.group_names.index(name)
            first = rows.stop
        labels = [self.class_names.index(self.labels[name]) for name in self.group_names]
        return LabelledWindows(
            X=values,
            masks=masks,
            y=np.array(labels, np.intp)[groups],
            groups=groups,
            positions=np.concatenate([corners for *_, corners in self._parts]),
            dates=tuple(days),
            polarisations=self.look.polarisations,
            class_names=self.class_names,
            group_names=self.group_names,
            left_out=dict(self.left_out),
        )


def _common_days(series: Sequence[Series], look: Look) -> list[str]:
    days = [
        {one.dates[place] for place in days_between(one, look.start, look.end)} for one in series
    ]
    return sorted(set.intersection(*days))
