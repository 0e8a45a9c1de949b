"""The formats that scenes come in, in the order in which they are asked for their files."""

from __future__ import annotations

from collections.abc import Mapping

from cpazmal_scale.errors import SceneUnknown
from cpazmal_scale.scenes.format import Platform, SceneFormat
from cpazmal_scale.scenes.formats.dimap import DimapProducts
from cpazmal_scale.scenes.formats.rasters import NamedRasters
from cpazmal_scale.scenes.formats.sidecar import DescribedRasters
from cpazmal_scale.scenes.level1b.format import Level1bProducts

FORMATS: tuple[SceneFormat, ...] = (
    Level1bProducts(),
    DescribedRasters(),
    DimapProducts(),
    NamedRasters(),
)


def format_of(name: str) -> SceneFormat:
    """The format of a name.

    Raises:
        SceneUnknown: none has it: the scene was described by another version.
    """
    found = next((one for one in FORMATS if one.name == name), None)
    if found is None:
        raise SceneUnknown(
            f"no scene format is called `{name}`",
            where="scenes/registry.py",
            remedy=f"known: {', '.join(one.name for one in FORMATS)}",
        )
    return found


def platforms() -> Mapping[str, Platform]:
    """All satellites that formats are made for, by the code of their sensor."""
    return {code: one for known in FORMATS for code, one in known.platforms.items()}
