"""Untrusted files to calibrated, described scenes."""

from .brightness import levels_of, unlike
from .candidates import find_candidates, group_scenes
from .check import SWAPPED
from .discovery import discover, placed_on
from .format import Candidate
from .inspect.card import scene_card, scene_picture
from .inspect.overview import overview
from .level1b.ground import (
    before_ground,
    check_ground,
    compute_ground,
    kept_ground,
    needs_ground,
    note_of_ground,
    with_ground,
)
from .level1b.moving import as_told, image_times, movable, moved, told
from .level1b.speckle import equivalent_looks
from .reading import SceneReader
from .registry import platforms
from .scene import SAME_ACQUISITION, Scene, SceneFile, warnings_of
from .values import is_nodata, to_bits

__all__ = [
    "Candidate",
    "SAME_ACQUISITION",
    "SWAPPED",
    "Scene",
    "SceneFile",
    "SceneReader",
    "as_told",
    "before_ground",
    "check_ground",
    "compute_ground",
    "discover",
    "equivalent_looks",
    "find_candidates",
    "group_scenes",
    "image_times",
    "is_nodata",
    "kept_ground",
    "levels_of",
    "movable",
    "moved",
    "needs_ground",
    "note_of_ground",
    "overview",
    "placed_on",
    "platforms",
    "scene_card",
    "scene_picture",
    "to_bits",
    "told",
    "unlike",
    "warnings_of",
    "with_ground",
]
