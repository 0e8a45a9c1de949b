"""Dates of one beam whose backscatter is of another scale than the others'."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median, median_low

from cpazmal_scale.scenes.scene import Scene

UNLIKE = 15.0
"""Decibels between a scene and the others from which no weather is the cause: wet snow takes 10."""


Levels = Mapping[str, float]
"""Decibels by polarisation."""


def levels_of(scene: Scene) -> dict[str, float]:
    """Decibels by polarisation of a scene; none where its values were not looked at."""
    told = [pair for file in scene.files for pair in file.levels if math.isfinite(pair[1])]
    return {
        name: round(median(level for other, level in told if other == name), 2)
        for name in sorted({name for name, _ in told})
    }


def unlike(scenes: Sequence[Scene], held: Mapping[str, Levels]) -> tuple[str, ...]:
    """What to say of dates of one beam that are far brighter or darker than the others.

    `held` are the levels of dates that are in its cube already, by their scenes' ids.
    """
    new = {scene.id: scene for scene in scenes}
    found: dict[str, dict[str, float]] = {}
    for told in (held, {name: levels_of(scene) for name, scene in new.items()}):
        for date, levels in told.items():
            for name, level in levels.items():
                found.setdefault(name, {})[date] = level
    said = []
    for name, by_date in found.items():
        middle = median_low(by_date.values())
        usual = [date for date, level in by_date.items() if abs(level - middle) <= UNLIKE]
        for date in by_date.keys() - usual:
            apart, there = by_date[date] - middle, "" if date in new else ", in the cube already,"
            constants = _constants(new.get(date), next(filter(None, map(new.get, usual)), None))
            said.append(
                f"{date}: its {name}{there} is {abs(apart):.0f} dB "
                f"{'brighter' if apart > 0 else 'darker'} than the other dates of its beam: "
                f"compare its calibration{constants} before it is used"
            )
    return tuple(sorted(said))


def _constants(scene: Scene | None, other: Scene | None) -> str:
    """The calibration constants of two products, if they are some."""
    factors = [
        file.product.annotation.layers[0].cal_factor
        for one in filter(None, (scene, other))
        for file in one.files[:1]
        if file.product is not None
    ]
    return f" (calFactor {factors[0]:.3g}, theirs {factors[1]:.3g})" if len(factors) == 2 else ""
