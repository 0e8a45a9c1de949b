"""Untrusted files to calibrated, described scenes."""

from .candidates import Candidate, find_candidates, group_scenes
from .discovery import discover, placed_on
from .inspect.card import scene_card, scene_picture
from .inspect.overview import overview
from .reading import SceneReader
from .scene import SAME_ACQUISITION, Scene, SceneFile
from .values import is_nodata, to_bits

__all__ = [
    "Candidate",
    "SAME_ACQUISITION",
    "Scene",
    "SceneFile",
    "SceneReader",
    "discover",
    "find_candidates",
    "group_scenes",
    "is_nodata",
    "overview",
    "placed_on",
    "scene_card",
    "scene_picture",
    "to_bits",
]
