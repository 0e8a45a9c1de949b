"""Untrusted files to calibrated, described scenes."""

from .candidates import find_candidates, group_scenes
from .discovery import discover, placed_on
from .format import Candidate
from .inspect.card import scene_card, scene_picture
from .inspect.overview import overview
from .level1b.ground import before_ground, compute_ground, needs_ground, with_ground
from .reading import SceneReader
from .registry import platforms
from .scene import SAME_ACQUISITION, Scene, SceneFile
from .values import is_nodata, to_bits

__all__ = [
    "Candidate",
    "SAME_ACQUISITION",
    "Scene",
    "SceneFile",
    "SceneReader",
    "before_ground",
    "compute_ground",
    "discover",
    "find_candidates",
    "group_scenes",
    "is_nodata",
    "needs_ground",
    "overview",
    "placed_on",
    "platforms",
    "scene_card",
    "scene_picture",
    "to_bits",
    "with_ground",
]
