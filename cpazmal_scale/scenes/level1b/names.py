"""What the file name of a product says of it, beside its annotation."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from cpazmal_scale.scenes.level1b.annotation import Annotation

_NAME = re.compile(
    r"(?P<sensor>[A-Z]{3}1)_SAR__(?P<variant>[A-Z]{3})_\w{4}_(?P<mode>[A-Z]{2})_(?P<images>[SDTQ])_\w+?_"
    r"(?P<start>\d{8}T\d{6})_\d{8}T\d{6}"
)
_ROUNDED = 1.0
"""Seconds by which the start in a name, which is cut to seconds, may lie beside the annotated."""
_IMAGES = {"S": 1, "D": 2, "T": 2, "Q": 4}
_DETECTED = "SC"
"""Mode in the name of every ScanSAR product."""


def contradiction(annotation: Annotation, name: str) -> str:
    """Why a name is that of another product: mission, variant or time; empty if it is not."""
    told = _NAME.fullmatch(name)
    if told is None:
        return ""
    pairs = [(told["sensor"], annotation.sensor), (told["variant"], annotation.variant)]
    try:
        start = datetime.strptime(told["start"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
        apart = (annotation.start - start).total_seconds() - _ROUNDED / 2
    except ValueError:
        apart = _ROUNDED * 2
    if abs(apart) > _ROUNDED:
        pairs.append((told["start"], f"{annotation.start:%Y%m%dT%H%M%S}"))
    for mine, own in pairs:
        if mine != own:
            return f"its file name says {mine}, its annotation {own}"
    return ""


def doubt(annotation: Annotation, name: str) -> str:
    """What a name says otherwise of mode or polarisations, which may be right; empty: nothing."""
    told = _NAME.fullmatch(name)
    if told is None:
        return ""
    images, mode = _IMAGES[told["images"]], annotation.mode[:2]
    if told["mode"] not in (mode, _DETECTED):
        return f"{name} has the mode {told['mode']} in its name and {mode} in its annotation"
    if images != len(annotation.layers):
        return (
            f"{name} has {images} polarisation{'s' * (images > 1)} by its name and "
            f"{len(annotation.layers)} in its annotation"
        )
    return ""
