"""What a product is, as its annotation says more than once: what contradicts itself is refused."""

from __future__ import annotations

from cpazmal_scale.errors import COPY_AGAIN, SceneUnknown, SceneUnreadable
from cpazmal_scale.scenes.level1b.annotation import VARIANTS, Annotation, Variant
from cpazmal_scale.scenes.spellings import is_later_component
from cpazmal_scale.scenes.untrusted.xml import Node

WITHOUT_BURSTS = ("SM", "SL", "HS", "ST")
"""Imaging modes whose complex image is one piece."""
COMPLEX_BITS = 32
_SAYS: dict[Variant, dict[str, str]] = {
    "SSC": {"imageDataType": "COMPLEX", "imageDataFormat": "COSAR", "projection": "SLANTRANGE"},
    "MGD": {"imageDataType": "DETECTED", "imageDataFormat": "GEOTIFF", "projection": "GROUNDRANGE"},
    "GEC": {"imageDataType": "DETECTED", "imageDataFormat": "GEOTIFF", "projection": "MAP"},
    "EEC": {"imageDataType": "DETECTED", "imageDataFormat": "GEOTIFF", "projection": "MAP"},
}
"""Values of the format's schema that belong to each variant."""
_UNTOLD = ("", "UNDEFINED")
_LAYERS = "imageDataInfo/numberOfLayers"


def variant_of(kind: Node) -> Variant:
    """The product variant of `productVariantInfo`.

    Raises:
        SceneUnknown: of another kind.
    """
    text = kind.text("productVariant").upper()
    for known in VARIANTS:
        if text == known:
            return known
    raise SceneUnknown(
        f"unknown product variant `{text[:20]}`",
        where=kind.where,
        remedy=f"known: {', '.join(VARIANTS)}",
    )


def require_kind(info: Node, images: tuple[str, ...]) -> None:
    """Compare variant, data type, format, projection and polarisations of `productInfo`.

    Args:
        info: The element.
        images: Polarisations of the image files, in their order.

    Raises:
        SceneUnreadable: they contradict each other.
        SceneUnknown: complex bursts, or two images of one polarisation.
    """
    variant = variant_of(info.one("productVariantInfo"))
    mode = info.text("acquisitionInfo/imagingMode")
    if variant == "SSC" and mode[:2] not in WITHOUT_BURSTS:
        raise SceneUnknown(
            f"the bursts of complex ScanSAR are not geocoded (mode {mode[:20]})",
            where=info.where,
            remedy="order the detected product (MGD or EEC)",
        )
    data = info.one("imageDataInfo")
    told = {name: data.text(name).upper() for name in ("imageDataType", "imageDataFormat")}
    told["projection"] = info.text("productVariantInfo/projection").upper()
    for name, right in _SAYS[variant].items():
        if told[name] not in (right, *_UNTOLD):
            raise _contradiction(f"{variant} products have the {name} {right}", told[name], info)
    depth = data.integer("imageDataDepth")
    if variant == "SSC" and depth != COMPLEX_BITS:
        raise _contradiction(f"SSC products have {COMPLEX_BITS} bits per pixel", str(depth), info)
    _require_images(info, images)


def _require_images(info: Node, images: tuple[str, ...]) -> None:
    if len(set(images)) != len(images):
        raise SceneUnknown(
            f"it has {len(images)} images of {len(set(images))} polarisations",
            where=info.where,
            remedy="order it without dual-receive antenna and without single beams",
        )
    listed = [one.text() for one in info.all("acquisitionInfo/polarisationList/polLayer")]
    layers = info.integer(_LAYERS) if info.maybe(_LAYERS) else len(images)
    if (listed and set(listed) != set(images)) or layers != len(images):
        polarised = f"{layers} layers of {'/'.join(listed) or 'untold polarisation'}"
        raise _contradiction(
            f"it names image files of {'/'.join(images) or 'none'}", polarised, info
        )


def _contradiction(right: str, told: str, info: Node) -> SceneUnreadable:
    return SceneUnreadable(
        f"its annotation contradicts itself: {right}, it says {told[:60]}",
        where=info.where,
        remedy=COPY_AGAIN,
    )


def later_of_a_pair(annotation: Annotation, name: str) -> bool:
    """Whether a product is a component of a TanDEM-X pair whose geometry is not its own.

    By its file's or its annotated name: components that only receive see from between the two
    satellites, and all but the first are resampled onto the first.
    """
    return any(map(is_later_component, (name, annotation.id)))
