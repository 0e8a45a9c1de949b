"""Maps and cubes of any size on the screen: tiles, and the series of any pixel."""

from .cache import Held
from .cube import ShownCube
from .maps import Made, ShownMap
from .pages import map_page
from .paint import in_decibels, picture, ramp_table
from .pixel import PixelSeries
from .pyramid import EDGE, Pyramid

__all__ = [
    "EDGE",
    "Held",
    "Made",
    "PixelSeries",
    "Pyramid",
    "ShownCube",
    "ShownMap",
    "in_decibels",
    "map_page",
    "picture",
    "ramp_table",
]
