"""The authors' four learning scenarios, on a published file or on cubes and polygons.

1. classification of dual-polarised stacks of windows of one orbit and period;
2. prediction of the later dates of a window from the earlier ones;
3. adaptation from one polarisation to another, same windows, same day;
4. adaptation from one viewing geometry to another.

Windows are taken by a `WindowRule`, from groups in alphabetical order; `STUDY` areas are left out.
A group that has not what a scenario needs contributes no window and is named in `left_out`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.errors import SampleError
from cpazmal_scale.progress import Progress
from cpazmal_scale.published.chips import Chips
from cpazmal_scale.published.gathering import Gathering, LabelledWindows, Look
from cpazmal_scale.samples import Scale, WindowRule

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Pair:
    """Two sides of a scenario. Where windows correspond, row i of both is the same place."""

    source: LabelledWindows
    target: LabelledWindows


def temporal_stack(
    chips: Chips,
    rule: WindowRule | None = None,
    *,
    orbit: str = "ASC",
    polarisations: Sequence[str] = ("HH", "HV"),
    start: str | None = "20200101",
    end: str | None = "20201231",
    scale: Scale = "intensity",
    progress: Progress | None = None,
) -> LabelledWindows:
    """Scenario 1: stacks of windows to be classified, on the dates all polarisations share.

    Args:
        chips: a published file, or cubes and polygons.
        rule: which windows; none: 32 × 32, at most 10 % shadow.
        orbit: ASC or DSC; dates of several beams are taken together if the period holds them.
        polarisations: channels wanted.
        start: first day, `YYYYMMDD`.
        end: last day.
        scale: of the values.
        progress: called with groups done and groups in all.

    Raises:
        SampleError: no group gives a window.
    """
    rule = rule or WindowRule()
    look = Look(orbit, tuple(polarisations), start, end)
    gathered = Gathering(chips, look)
    for name in gathered.names(progress):
        gathered.take(name, rule)
    return gathered.windows(scale)


def temporal_prediction(
    chips: Chips,
    rule: WindowRule | None = None,
    *,
    orbit: str = "DSC",
    polarisation: str = "HH",
    train: tuple[str, str] = ("20200101", "20201031"),
    predict: tuple[str, str] = ("20201101", "20201231"),
    scale: Scale = "intensity",
    progress: Progress | None = None,
) -> Pair:
    """Scenario 2: windows on the days to learn from, and the same windows on the days to predict.

    Windows must satisfy `rule` in both periods.

    Raises:
        SampleError: the periods overlap, or no group gives a window.
    """
    if train[1] >= predict[0]:
        raise SampleError(
            f"the days to predict begin {predict[0]}, before those to learn from end, {train[1]}",
            remedy="let the periods follow each other",
        )
    first, second = (Look(orbit, (polarisation,), *period) for period in (train, predict))
    return _paired(chips, rule or WindowRule(), first, second, scale, progress)


def polarisation_adaptation(
    chips: Chips,
    rule: WindowRule | None = None,
    *,
    orbit: str = "DSC",
    day: str = "20200804",
    source: str = "HH",
    target: str = "HV",
    scale: Scale = "intensity",
    progress: Progress | None = None,
) -> Pair:
    """Scenario 3: the same windows of one day in two polarisations.

    Raises:
        SampleError: no group gives a window.
    """
    first, second = (Look(orbit, (channel,), day, day) for channel in (source, target))
    return _paired(chips, rule or WindowRule(), first, second, scale, progress)


def geometry_adaptation(
    chips: Chips,
    rule: WindowRule | None = None,
    *,
    orbits: tuple[str, str] = ("DSC", "ASC"),
    days: tuple[str, str] = ("20210127", "20210214"),
    polarisations: tuple[Sequence[str], Sequence[str]] = (("HH",), ("HH",)),
    scale: Scale = "intensity",
    progress: Progress | None = None,
) -> Pair:
    """Scenario 4: windows of one day and orbit, and others of another day and orbit.

    The two sides are cut independently; they share classes and groups, not rows.

    Raises:
        SampleError: a side has no window.
    """
    rule = rule or WindowRule()
    sides = []
    for orbit, day, channels in zip(orbits, days, polarisations, strict=True):
        gathered = Gathering(chips, Look(orbit, tuple(channels), day, day))
        for name in gathered.names(progress):
            gathered.take(name, rule)
        sides.append(gathered.windows(scale))
    return Pair(*sides)


def _paired(
    chips: Chips,
    rule: WindowRule,
    first: Look,
    second: Look,
    scale: Scale,
    progress: Progress | None,
) -> Pair:
    """Windows at the same places in two looks, good in both."""
    source, target = Gathering(chips, first), Gathering(chips, second)
    for name in source.names(progress):
        here, there = source.chip(name), target.chip(name)
        if here is None or there is None:
            continue
        corners = rule.corners(*here.pixels)
        good = _satisfied(rule, corners, *there.pixels)
        source.add(name, here, rule, corners[good])
        target.add(name, there, rule, corners[good])
    return Pair(source.windows(scale), target.windows(scale))


def _satisfied(
    rule: WindowRule,
    corners: NDArray[np.int64],
    power: NDArray[np.float32],
    mask: NDArray[np.uint8],
) -> NDArray[np.bool_]:
    """Which corners hold a window that satisfies the rule in another stack as well."""
    good = np.zeros(len(corners), np.bool_)
    for place, (y, x) in enumerate(corners.tolist()):
        box = slice(y, y + rule.size), slice(x, x + rule.size)
        good[place] = len(rule.corners(power[box], mask[box])) == 1
    return good
