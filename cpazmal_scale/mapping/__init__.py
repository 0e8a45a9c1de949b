"""Cube and model to class, probability and uncertainty map.

Everything public is loaded on first use, so that importing the room costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PLACES = {
    "Block": "mapping.classify.plan",
    "MapPlan": "mapping.classify.plan",
    "MapResult": "mapping.classify.run",
    "classify": "mapping.classify.run",
    "open_map": "mapping.classify.store",
    "DerivedMap": "mapping.refine.derived",
    "class_areas": "grid.areas",
    "colours": "palette",
    "quicklook": "mapping.show.figures",
    "to_cog": "mapping.show.export",
    "fuse": "mapping.refine.fusion",
    "refine": "mapping.refine.after",
    "restrict": "mapping.refine.restrict",
    "zonal": "mapping.refine.zones",
    "write_viewer": "mapping.show.viewer",
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"cpazmal_scale.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
