"""Cube and model to class, probability and uncertainty map.

Everything public is loaded on first use, so that importing the room costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PLACES = {
    "Block": "plan",
    "MapPlan": "plan",
    "MapResult": "run",
    "classify": "run",
    "open_map": "store",
    "DerivedMap": "derived",
    "class_areas": "areas",
    "colours": "palette",
    "quicklook": "figures",
    "to_cog": "export",
    "fuse": "fusion",
    "refine": "after",
    "restrict": "mask",
    "zonal": "zones",
    "write_viewer": "viewer",
    "stac_item": "stac",
    "write_stac": "stac",
}

__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
