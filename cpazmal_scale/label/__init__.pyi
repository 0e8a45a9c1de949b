"""Labelled polygons drawn, cut and named on a local page, and points interpreted."""

from .desk import Desk
from .geopackage import UNITS
from .proposals import Decisive, decisive
from .server import page
from .session import Session
from .tiles import Overviews

__all__ = ["Decisive", "Desk", "Overviews", "Session", "UNITS", "decisive", "page"]
