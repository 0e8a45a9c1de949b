"""What new scenes are compared with: the majority of their batch, and the dates of the cube."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from cpazmal_scale.cube.format.manifest import levels_held
from cpazmal_scale.grid import lattice
from cpazmal_scale.scenes import Scene, unlike

if TYPE_CHECKING:
    from odc.geo.geobox import GeoBox

    from cpazmal_scale.cube.format.record import Record


def usual_view(scenes: Sequence[Scene]) -> Scene:
    """A scene of the flight direction, look side, radiometry and processing that most have, with
    the incidence angle nearest to their median; the first one where there are several.
    """
    alike: dict[tuple[str | None, ...], list[Scene]] = {}
    for scene in scenes:
        view = scene.pass_direction, scene.look_side, scene.radiometry, scene.processing
        alike.setdefault(view, []).append(scene)
    most = max(alike.values(), key=len)
    known = [scene for scene in most if np.isfinite(scene.incidence_angle)]
    if not known:
        return most[0]
    middle = np.median([scene.incidence_angle for scene in known])
    return min(known, key=lambda scene: abs(scene.incidence_angle - middle))


def usual_lattice(scenes: Sequence[Scene]) -> GeoBox:
    """Pixels of the first scene of those that share a lattice, where most do."""
    alike: list[list[Scene]] = []
    for scene in scenes:
        for known in alike:
            if lattice.difference(scene.geobox, known[0].geobox) is None:
                known.append(scene)
                break
        else:
            alike.append([scene])
    return max(alike, key=len)[0].geobox


def of_another_scale(record: Record | None, new: Sequence[Scene]) -> tuple[str, ...]:
    """What to say of dates far brighter or darker than the others, of new scenes and of a cube."""
    return unlike(new, {} if record is None or not new else levels_held(record))
