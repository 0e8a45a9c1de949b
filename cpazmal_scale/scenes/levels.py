"""Dates of one beam whose backscatter is of another scale than the others'."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median, median_low

from cpazmal_scale.scenes.scene import Scene

UNLIKE = 15.0
"""Decibels between a scene and the others from which no weather is the cause: wet snow takes 10."""


def unlike(scenes: Sequence[Scene]) -> tuple[str, ...]:
    """What to say of scenes of one beam that are far brighter or darker than the others.

    Scenes whose values were not looked at are left out.
    """
    found: dict[str, list[tuple[float, Scene]]] = {}
    for scene in scenes:
        told = [pair for file in scene.files for pair in file.levels]
        for name in sorted({name for name, _ in told}):
            level = median(value for other, value in told if other == name)
            found.setdefault(name, []).append((level, scene))
    said = []
    for name, levels in found.items():
        middle = median_low(level for level, _ in levels)
        usual = next(scene for level, scene in levels if abs(level - middle) <= UNLIKE)
        for level, scene in levels:
            apart = level - middle
            if abs(apart) > UNLIKE:
                said.append(
                    f"{scene.id}: its {name} is {abs(apart):.0f} dB "
                    f"{'brighter' if apart > 0 else 'darker'} than the other dates of its beam: "
                    f"compare its calibration{_constants(scene, usual)} before it is used"
                )
    return tuple(said)


def _constants(scene: Scene, other: Scene) -> str:
    """The calibration constants of two products, if they are some."""
    factors = [
        file.product.annotation.layers[0].cal_factor
        for one in (scene, other)
        for file in one.files[:1]
        if file.product is not None
    ]
    return f" (calFactor {factors[0]:.3g}, theirs {factors[1]:.3g})" if len(factors) == 2 else ""
