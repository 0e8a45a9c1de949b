"""Labelled polygons drawn, cut and named on a local page, and points interpreted."""

from .desk import Desk
from .geopackage import UNITS
from .layers import Layers
from .proposals import Decisive, decisive
from .server import page
from .session import Session

__all__ = ["Decisive", "Desk", "Layers", "Session", "UNITS", "decisive", "page"]
