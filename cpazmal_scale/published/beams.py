"""Viewing geometries mixed in one orbit's stack, separated by their incidence angles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

GAP = 3.0
"""Degrees between incidence angles of two beams at least: strips of one orbit differ by more."""
UNKNOWN = "unknown"


def beams_by_day(angles: Mapping[str, float], orbit: str) -> dict[str, str]:
    """Beam of every day: the orbit and the median angle of the days that look alike.

    Args:
        angles: incidence angle in degrees by day, NaN where unknown.
        orbit: ASC or DSC.

    Returns:
        Names such as `ASC45` by day; days of unknown angle belong to the only beam there is, or
        else to `ASC_unknown`.
    """
    known = sorted((angle, day) for day, angle in angles.items() if np.isfinite(angle))
    found: list[list[tuple[float, str]]] = []
    for angle, day in known:
        if found and angle - found[-1][-1][0] <= GAP:
            found[-1].append((angle, day))
        else:
            found.append([(angle, day)])
    names = {
        day: f"{orbit}{float(np.median([angle for angle, _ in members])):.0f}"
        for members in found
        for _, day in members
    }
    only = set(names.values())
    rest = only.pop() if len(only) == 1 else f"{orbit}_{UNKNOWN}"
    return {day: names.get(day, rest) for day in sorted(angles)}
