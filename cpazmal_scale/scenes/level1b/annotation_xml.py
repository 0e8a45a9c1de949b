"""The annotation of a Level-1b product (`level1Product`) from its main XML file."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Literal

from cpazmal_scale.errors import COPY_AGAIN, SceneUnknown, SceneUnreadable
from cpazmal_scale.scenes.level1b.annotation import (
    MAX_EDGE,
    Annotation,
    Coordinate,
    Layer,
    Polynomial,
    Processing,
    Raster,
    Segment,
    StateVector,
    Timed,
)
from cpazmal_scale.scenes.level1b.kinds import require_kind, variant_of
from cpazmal_scale.scenes.spellings import X_BAND_SENSORS, parse_direction
from cpazmal_scale.scenes.untrusted.xml import Node
from cpazmal_scale.vocabulary import INCIDENCE, POLARISATIONS

_MAX_DEGREE = 20
_SLANT_SPACING = "projectedSpacingRange/slantRange"
_ANGLES = 5.0, 75.0
"""Degrees of incidence between which a radar images the ground."""
_CORRECTED = {
    "elevationPatternCorrectedFlag": "elevation pattern",
    "rangeSpreadingLossCorrectedFlag": "range spreading loss",
}
"""What the constant of calibration holds without."""
_GROUND_RANGE = "productSpecific/projectedImageInfo/slantToGroundRangeProjection"
_SIDES: dict[str, Literal["R", "L"]] = {"RIGHT": "R", "LEFT": "L"}


def parse_annotation(root: Node) -> Annotation:
    """The annotation in the root element of a product's main XML file.

    Raises:
        SceneUnreadable: no Level-1b annotation, or an element is missing, malformed or contradicts
            another.
        SceneUnknown: of another sensor or product variant, or complex bursts.
    """
    _require_product(root)
    header, info = root.one("generalHeader"), root.one("productInfo")
    images = root.all("productComponents/imageData")
    require_kind(info, tuple(image.text("polLayer") for image in images))
    mission, taken = info.one("missionInfo"), info.one("acquisitionInfo")
    kind, scene = info.one("productVariantInfo"), info.one("sceneInfo")
    specific = root.maybe("productSpecific/complexImageInfo")
    projected = root.maybe("productSpecific/projectedImageInfo")
    return Annotation(
        id=(header.attribute("fileName") or "").removesuffix(".xml"),
        sensor=_sensor(header),
        generation_time=header.time("generationTime"),
        generator=header.text("generationSystem", ""),
        item_name=header.text("itemName"),
        variant=variant_of(kind),
        projection=kind.text("projection"),
        resolution_variant=kind.text("resolutionVariant", "UNDEFINED"),
        orbit_direction=parse_direction(mission.text("orbitDirection"), where=root.where),
        absolute_orbit=mission.integer("absOrbit"),
        relative_orbit=mission.integer("relOrbit"),
        orbit_cycle=mission.integer("orbitCycle"),
        mode=taken.text("imagingMode"),
        look_side=_side(taken),
        elevation_beam=taken.text("elevationBeamConfiguration"),
        raster=_raster(info.one("imageDataInfo")),
        start=scene.time("start/timeUTC"),
        stop=scene.time("stop/timeUTC"),
        first_range_time=scene.number("rangeTime/firstPixel"),
        last_range_time=scene.number("rangeTime/lastPixel"),
        centre=_centre(scene.one("sceneCenterCoord")),
        corners=tuple(_coordinate(corner) for corner in scene.all("sceneCornerCoord")),
        average_height=scene.number("sceneAverageHeight", 0.0),
        heading=scene.number("headingAngle"),
        prf=specific.number("commonPRF") if specific else None,
        azimuth_spacing=specific.number("projectedSpacingAzimuth") if specific else None,
        slant_range_spacing=specific.number(_SLANT_SPACING) if specific else None,
        coordinate_type=specific.text("imageCoordinateType") if specific else None,
        orbit_accuracy=root.text("platform/orbit/orbitHeader/accuracy"),
        orbit=tuple(_state(vector) for vector in root.all("platform/orbit/stateVec")),
        centre_frequency=root.number("instrument/radarParameters/centerFrequency"),
        processing=_processing(root.one("processing")),
        layers=_layers(root),
        ground_range=tuple(_polynomial(one) for one in root.all(_GROUND_RANGE)),
        first_row=_first_row(projected) if projected else None,
        frame=_frame(root),
        rsf=specific.number("commonRSF") if specific and specific.maybe("commonRSF") else None,
        radiometric_correction=kind.text("radiometricCorrection").upper(),
    )


def _require_product(root: Node) -> None:
    if root.tag != "level1Product":
        raise SceneUnreadable(
            f"its root is <{root.tag}>, not <level1Product>",
            where=root.where,
            remedy="give the folder or main XML file of a Level-1b product",
        )


def _first_row(projected: Node) -> tuple[int, datetime, int, float] | None:
    """The row and azimuth time, column and range time from which the mapping grid counts."""
    start = projected.maybe("mappingGridInfo/gridReferenceTime")
    if start is None:
        return None
    time = start.time("tReferenceTimeUTC")
    return start.integer("refRow"), time, start.integer("refCol"), start.number("tauReferenceTime")


def _frame(root: Node) -> tuple[tuple[float, float], ...]:
    """Longitude and latitude of a map image's corners, clockwise from its upper left."""
    frame = root.maybe("productSpecific/geocodedImageInfo/geoParameter/frameCoordsGeographic")
    if frame is None:
        return ()
    corners = "upperLeft", "upperRight", "lowerRight", "lowerLeft"
    return tuple(
        (frame.number(f"{corner}Longitude"), frame.number(f"{corner}Latitude"))
        for corner in corners
    )


def _sensor(header: Node) -> str:
    mission = header.text("mission").upper().replace("-", "")
    mission = mission if mission[-1:].isdigit() else f"{mission}1"
    if mission not in X_BAND_SENSORS:
        raise SceneUnknown(
            f"unknown mission `{mission[:20]}`",
            where=header.where,
            remedy=f"known: {', '.join(X_BAND_SENSORS)}",
        )
    return mission


def _side(taken: Node) -> Literal["R", "L"]:
    text = taken.text("lookDirection").upper()
    if text not in _SIDES:
        raise SceneUnknown(
            f"unknown look direction `{text[:20]}`", where=taken.where, remedy="RIGHT or LEFT"
        )
    return _SIDES[text]


def _raster(info: Node) -> Raster:
    image, held = info.one("imageRaster"), info.text("pixelValueID", "")
    if re.search("sigma|gamma", held, re.IGNORECASE):
        raise SceneUnknown(
            f"its pixels are {held[:40]}, not radar brightness: its constant gives no β0",
            where=info.where,
            remedy="order the product without that calibration",
        )
    units = image.one("columnSpacing").attribute("units")
    return Raster(
        lines=image.integer("numberOfRows", least=1, most=MAX_EDGE),
        samples=image.integer("numberOfColumns", least=1, most=MAX_EDGE),
        # The format's rows are range lines: the spacing "of rows" is that along range.
        line_spacing=_spacing(image, "columnSpacing"),
        sample_spacing=_spacing(image, "rowSpacing"),
        units="s" if units == "s" else "m",
        range_resolution=image.number("groundRangeResolution", 0.0),
        azimuth_resolution=image.number("azimuthResolution", 0.0),
        azimuth_looks=image.number("azimuthLooks", 1.0),
        range_looks=image.number("rangeLooks", 1.0),
        data_type=info.text("imageDataType"),
        data_format=info.text("imageDataFormat"),
        depth=info.integer("imageDataDepth"),
    )


def _spacing(image: Node, name: str) -> float:
    spacing = image.number(name)
    if spacing <= 0:
        raise SceneUnreadable(
            f"{name} is {spacing:g}", where=image.where, remedy="copy the product again"
        )
    return spacing


def _centre(node: Node) -> Coordinate:
    found = _coordinate(node)
    if not _ANGLES[0] < found.incidence_angle < _ANGLES[1]:
        raise SceneUnreadable(
            f"the incidence angle of its centre is {found.incidence_angle:g}°",
            where=node.where,
            remedy=COPY_AGAIN,
        )
    return found


def _coordinate(node: Node) -> Coordinate:
    return Coordinate(
        row=node.integer("refRow") if node.maybe("refRow") else 0,
        column=node.integer("refColumn") if node.maybe("refColumn") else 0,
        lat=node.number("lat"),
        lon=node.number("lon"),
        azimuth_time=node.time("azimuthTimeUTC"),
        range_time=node.number("rangeTime"),
        incidence_angle=_angle(node),
    )


def _angle(node: Node) -> float:
    """An incidence angle that a radar can have, degrees.

    Raises:
        SceneUnreadable: another number.
    """
    angle = node.number("incidenceAngle")
    if not INCIDENCE[0] < angle < INCIDENCE[1]:
        raise SceneUnreadable(
            f"incidenceAngle is {angle:g} degrees, not from {INCIDENCE[0]:g} to {INCIDENCE[1]:g}",
            where=node.where,
            remedy=COPY_AGAIN,
        )
    return angle


def _state(node: Node) -> StateVector:
    x, y, z = (node.number(f"pos{axis}") for axis in "XYZ")
    u, v, w = (node.number(f"vel{axis}") for axis in "XYZ")
    return StateVector(node.time("timeUTC"), (x, y, z), (u, v, w))


def _processing(node: Node) -> Processing:
    used = node.one("processingParameter")
    for name, words in _CORRECTED.items():
        flag = node.maybe(f"processingFlags/{name}")
        if flag is not None and not flag.flag():
            raise SceneUnknown(
                f"its processor did not correct the {words}: its constant does not hold",
                where=node.where,
                remedy="order the product again",
            )
    along = used.number("totalProcessedAzimuthBandwidth")
    across = used.number("totalProcessedRangeBandwidth")
    return Processing(
        flags=frozenset(flag.tag for flag in node.all("processingFlags/*") if flag.flag()),
        azimuth_bandwidth=along,
        range_bandwidth=across,
        azimuth_look_bandwidth=used.number("azimuthLookBandwidth", along),
        range_look_bandwidth=used.number("rangeLookBandwidth", across),
        azimuth_window=(used.text("azimuthWindowID"), used.number("azimuthWindowCoefficient")),
        range_window=(used.text("rangeWindowID"), used.number("rangeWindowCoefficient")),
        doppler_rate=_timed(node, "geometry/dopplerRate", "dopplerRatePolynomial"),
    )


def _layers(root: Node) -> tuple[Layer, ...]:
    layers: list[Layer] = []
    for image in root.all("productComponents/imageData"):
        number, place = image.attribute("layerIndex") or "1", image.one("file/location")
        channel = image.text("polLayer")
        if channel not in POLARISATIONS:
            raise SceneUnknown(
                f"layer {number} has the unknown polarisation `{channel[:20]}`",
                where=root.where,
                remedy=f"known: {', '.join(POLARISATIONS)}",
            )
        calibration = _of_layer(root, "calibration/calibrationConstant", number, channel)
        noise = _of_layer(root, "noise", number, channel)
        _require_beta0(noise)
        doppler = _find_layer(root, "processing/doppler/dopplerCentroid", number, channel)
        settings = _of_layer(root, "instrument/settings", number, channel)
        layers.append(
            Layer(
                index=len(layers) + 1,
                polarisation=channel,
                path="/".join(filter(None, (place.text("path", ""), place.text("filename")))),
                size=int(image.number("file/size", -1)),
                beam=calibration.text("beamID"),
                cal_factor=calibration.number("calFactor"),
                noise=_timed(noise, "imageNoise", "noiseEstimate"),
                doppler=(_timed(doppler, "dopplerEstimate", "combinedDoppler") if doppler else ()),
                range_sampling=settings.number("RSF"),
                range_bandwidth=settings.number("rxBandwidth"),
                segments=tuple(
                    Segment(
                        start=record.time("dataSegment/startTimeUTC"),
                        stop=record.time("dataSegment/stopTimeUTC"),
                        prf=record.number("PRF"),
                        echo_window_length=record.number("echowindowLength"),
                    )
                    for record in settings.all("settingRecord")
                ),
            )
        )
    if not layers or len({layer.path for layer in layers}) != len(layers):
        raise SceneUnreadable(
            "it names no image file, or one for two polarisations",
            where=root.where,
            remedy=COPY_AGAIN,
        )
    return tuple(layers)


def _require_beta0(noise: Node) -> None:
    told = noise.text("noiseLevelRef", "BETA NOUGHT")
    if "BETA" not in told.upper():
        raise SceneUnknown(
            f"its noise is told as {told[:30]}, not as the format's BETA NOUGHT",
            where=noise.where,
            remedy="order the product again",
        )


def _of_layer(root: Node, path: str, number: str, channel: str) -> Node:
    """The element of one layer among several, by its polarisation or index.

    Raises:
        SceneUnreadable: there is none.
    """
    found = _find_layer(root, path, number, channel)
    return root.one(f"{path}[@layerIndex='{number}']") if found is None else found


def _find_layer(root: Node, path: str, number: str, channel: str) -> Node | None:
    found = list(root.all(path))
    for node in found:
        if node.text("polLayer", "") == channel:
            return node
    return next((node for node in found if node.attribute("layerIndex") == number), None)


def _timed(node: Node, records: str, polynomial: str) -> tuple[Timed, ...]:
    found = []
    for record in node.all(records):
        confidence = record.maybe("noiseEstimateConfidence")
        parts = [_polynomial(one) for one in record.all(polynomial)]
        found.append(
            Timed(
                time=record.time("timeUTC"),
                polynomial=parts[0] if parts else _polynomial(record.one(polynomial)),
                confidence=None if confidence is None else confidence.number(),
                beside=tuple(parts[1:]),
            )
        )
    return tuple(sorted(found, key=lambda one: one.time))


def _polynomial(node: Node) -> Polynomial:
    degree = node.integer("polynomialDegree", most=_MAX_DEGREE)
    coefficients, untold = [0.0] * (degree + 1), set(range(degree + 1))
    for number, found in enumerate(node.all("coefficient")):
        told = (found.attribute("exponent") or str(number)).strip()
        exponent = int(told) if told.isascii() and told.isdecimal() else -1
        if not 0 <= exponent <= degree:
            raise SceneUnreadable(
                f"{node.tag} has a coefficient of exponent {told[:20]}, its degree is {degree}",
                where=node.where,
                remedy=COPY_AGAIN,
            )
        coefficients[exponent] = found.number()
        untold.discard(exponent)
    if untold:
        raise SceneUnreadable(
            f"{node.tag} has no coefficient of exponent {min(untold)}, its degree is {degree}",
            where=node.where,
            remedy=COPY_AGAIN,
        )
    return Polynomial(
        low=node.number("validityRangeMin"),
        high=node.number("validityRangeMax"),
        reference=node.number("referencePoint"),
        coefficients=tuple(coefficients),
    )
