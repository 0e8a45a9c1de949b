"""The annotation and geolocation grid of a simulated Level-1b product, written as XML.

The elements are those of the product format that `scenes` reads, and no others.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, indent, tostring

import numpy as np

from cpazmal_scale.scenes.level1b.annotation import (
    Annotation,
    Coordinate,
    Layer,
    Polynomial,
    StateVector,
    Timed,
)
from cpazmal_scale.scenes.level1b.georef import GeoGrid

if TYPE_CHECKING:
    Value = str | float | int | bool | datetime | np.floating

_LONG = {"ASC": "ASCENDING", "DSC": "DESCENDING", "R": "RIGHT", "L": "LEFT"}


def _text(value: Value) -> str:
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}"
    if isinstance(value, bool):
        return str(value).lower()
    return (
        value if isinstance(value, str) else repr(value if isinstance(value, int) else float(value))
    )


def _put(parent: Element, path: str, value: Value | None = None, **attributes: str) -> Element:
    """The element at a path below the parent; parts on the way are shared, the last one is new."""
    *way, last = path.split("/")
    for name in way:
        found = parent.find(name)
        parent = SubElement(parent, name) if found is None else found
    element = SubElement(parent, last, attributes)
    if value is not None:
        element.text = _text(value)
    return element


def _document(root: Element) -> bytes:
    indent(root)
    return bytes(tostring(root, encoding="UTF-8", xml_declaration=True))


def annotation_document(told: Annotation) -> bytes:
    """The main XML file of a product."""
    root = Element("level1Product")
    header = _put(root, "generalHeader", fileName=f"{told.id}.xml")
    mission = f"{told.sensor[:-1]}-{told.sensor[-1]}"
    for path, value in (
        ("itemName", told.item_name),
        ("mission", mission),
        ("generationSystem", told.generator),
        ("generationTime", told.generation_time),
    ):
        _put(header, path, value)
    for layer in told.layers:
        _layer_files(root, layer)
    _product_info(_put(root, "productInfo"), told)
    if told.is_complex:
        _specific(root, told)
    _put(root, "platform/orbit/orbitHeader/accuracy", told.orbit_accuracy)
    for vector in told.orbit:
        _state(_put(root, "platform/orbit/stateVec"), vector)
    _put(root, "instrument/radarParameters/centerFrequency", told.centre_frequency)
    _processing(_put(root, "processing"), told)
    for layer in told.layers:
        _calibration(root, layer)
    return _document(root)


def _layer_files(root: Element, layer: Layer) -> None:
    image = _put(root, "productComponents/imageData", layerIndex=str(layer.index))
    place = PurePosixPath(layer.path)
    _put(image, "polLayer", layer.polarisation)
    _put(image, "file/location/path", str(place.parent))
    _put(image, "file/location/filename", place.name)
    _put(image, "file/size", layer.size)


def _product_info(info: Element, told: Annotation) -> None:
    raster = told.raster
    values: list[tuple[str, Value]] = [
        ("missionInfo/orbitCycle", told.orbit_cycle),
        ("missionInfo/absOrbit", told.absolute_orbit),
        ("missionInfo/relOrbit", told.relative_orbit),
        ("missionInfo/orbitDirection", _LONG[told.orbit_direction]),
        ("acquisitionInfo/imagingMode", told.mode),
        ("acquisitionInfo/lookDirection", _LONG[told.look_side]),
        *(("acquisitionInfo/polarisationList/polLayer", pol) for pol in told.polarisations),
        ("acquisitionInfo/elevationBeamConfiguration", told.elevation_beam),
        ("productVariantInfo/productVariant", told.variant),
        ("productVariantInfo/projection", told.projection),
        ("productVariantInfo/resolutionVariant", told.resolution_variant),
        ("productVariantInfo/radiometricCorrection", told.radiometric_correction),
        ("imageDataInfo/imageDataType", raster.data_type),
        ("imageDataInfo/imageDataFormat", raster.data_format),
        ("imageDataInfo/imageDataDepth", raster.depth),
        ("imageDataInfo/imageRaster/numberOfRows", raster.lines),
        ("imageDataInfo/imageRaster/numberOfColumns", raster.samples),
        ("sceneInfo/start/timeUTC", told.start),
        ("sceneInfo/stop/timeUTC", told.stop),
        ("sceneInfo/rangeTime/firstPixel", told.first_range_time),
        ("sceneInfo/rangeTime/lastPixel", told.last_range_time),
        ("sceneInfo/sceneAverageHeight", told.average_height),
        ("sceneInfo/headingAngle", told.heading),
    ]
    for path, value in values:
        _put(info, path, value)
    image = "imageDataInfo/imageRaster"
    _put(info, f"{image}/rowSpacing", raster.sample_spacing, units=raster.units)
    _put(info, f"{image}/columnSpacing", raster.line_spacing, units=raster.units)
    _put(info, f"{image}/groundRangeResolution", raster.range_resolution)
    _put(info, f"{image}/azimuthResolution", raster.azimuth_resolution)
    _put(info, f"{image}/azimuthLooks", raster.azimuth_looks)
    _put(info, f"{image}/rangeLooks", raster.range_looks)
    _coordinate(_put(info, "sceneInfo/sceneCenterCoord"), told.centre)
    for corner in told.corners:
        _coordinate(_put(info, "sceneInfo/sceneCornerCoord"), corner)


def _coordinate(node: Element, place: Coordinate) -> None:
    for name, value in (
        ("refRow", place.row),
        ("refColumn", place.column),
        ("lat", place.lat),
        ("lon", place.lon),
        ("azimuthTimeUTC", place.azimuth_time),
        ("rangeTime", place.range_time),
        ("incidenceAngle", place.incidence_angle),
    ):
        _put(node, name, value)


def _specific(root: Element, told: Annotation) -> None:
    info = _put(root, "productSpecific/complexImageInfo")
    _put(info, "commonPRF", told.prf)
    _put(info, "projectedSpacingAzimuth", told.azimuth_spacing)
    _put(info, "projectedSpacingRange/slantRange", told.slant_range_spacing)
    _put(info, "imageCoordinateType", told.coordinate_type)


def _state(node: Element, vector: StateVector) -> None:
    _put(node, "timeUTC", vector.time)
    for prefix, values in (("pos", vector.position), ("vel", vector.velocity)):
        for axis, value in zip("XYZ", values, strict=True):
            _put(node, f"{prefix}{axis}", value)


def _processing(node: Element, told: Annotation) -> None:
    done = told.processing
    for name, value in (
        ("totalProcessedAzimuthBandwidth", done.azimuth_bandwidth),
        ("totalProcessedRangeBandwidth", done.range_bandwidth),
        ("azimuthLookBandwidth", done.azimuth_look_bandwidth),
        ("rangeLookBandwidth", done.range_look_bandwidth),
        ("azimuthWindowID", done.azimuth_window[0]),
        ("azimuthWindowCoefficient", done.azimuth_window[1]),
        ("rangeWindowID", done.range_window[0]),
        ("rangeWindowCoefficient", done.range_window[1]),
    ):
        _put(node, f"processingParameter/{name}", value)
    for flag in ("noiseCorrectedFlag", *sorted(done.flags - {"noiseCorrectedFlag"})):
        _put(node, f"processingFlags/{flag}", flag in done.flags)
    for rate in done.doppler_rate:
        _timed(_put(node, "geometry/dopplerRate"), rate, "dopplerRatePolynomial")
    for layer in told.layers:
        doppler = _put(node, "doppler/dopplerCentroid", layerIndex=str(layer.index))
        _put(doppler, "polLayer", layer.polarisation)
        for estimate in layer.doppler:
            _timed(_put(doppler, "dopplerEstimate"), estimate, "combinedDoppler")


def _calibration(root: Element, layer: Layer) -> None:
    number = str(layer.index)
    settings = _put(root, "instrument/settings")
    _put(settings, "polLayer", layer.polarisation)
    _put(settings, "RSF", layer.range_sampling)
    _put(settings, "rxBandwidth", layer.range_bandwidth)
    for segment in layer.segments:
        record = _put(settings, "settingRecord")
        _put(record, "dataSegment/startTimeUTC", segment.start)
        _put(record, "dataSegment/stopTimeUTC", segment.stop)
        _put(record, "PRF", segment.prf)
        _put(record, "echowindowLength", segment.echo_window_length)
    constant = _put(root, "calibration/calibrationConstant", layerIndex=number)
    _put(constant, "polLayer", layer.polarisation)
    _put(constant, "beamID", layer.beam)
    _put(constant, "calFactor", layer.cal_factor)
    noise = _put(root, "noise", layerIndex=number)
    _put(noise, "polLayer", layer.polarisation)
    _put(noise, "numberOfNoiseRecords", len(layer.noise))
    for estimate in layer.noise:
        _timed(_put(noise, "imageNoise"), estimate, "noiseEstimate")


def _timed(node: Element, one: Timed, name: str) -> None:
    _put(node, "timeUTC", one.time)
    _polynomial(_put(node, name), one.polynomial)
    if one.confidence is not None:
        _put(node, "noiseEstimateConfidence", one.confidence)


def _polynomial(node: Element, polynomial: Polynomial) -> None:
    _put(node, "validityRangeMin", polynomial.low)
    _put(node, "validityRangeMax", polynomial.high)
    _put(node, "referencePoint", polynomial.reference)
    _put(node, "polynomialDegree", len(polynomial.coefficients) - 1)
    for exponent, value in enumerate(polynomial.coefficients):
        _put(node, "coefficient", value, exponent=str(exponent))


def georef_document(grid: GeoGrid) -> bytes:
    """The GEOREF.xml of a product."""
    root = Element("geoReference")
    for name, value in (("rangeDelay", grid.range_delay), ("azimuthShift", grid.azimuth_shift)):
        _put(root, f"signalPropagationEffects/{name}/coefficient", value, exponent="0")
    if grid.last_leap_second is not None:
        _put(root, "referenceFrames/time/lastLeapSecondUTC", grid.last_leap_second)
    table = _put(root, "geolocationGrid")
    _put(table, "numberOfGridPoints/total", grid.t.size)
    _put(table, "numberOfGridPoints/azimuth", grid.shape[0])
    _put(table, "numberOfGridPoints/range", grid.shape[1])
    _put(table, "gridReferenceTime/tReferenceTimeUTC", grid.reference_time)
    _put(table, "gridReferenceTime/tauReferenceTime", grid.samples[0])
    names = ("t", "tau", "lat", "lon", "row", "col", "inc", "height")
    values = {name: getattr(grid, name) for name in names}
    values["tau"] = grid.tau - grid.samples[0]
    for place in np.ndindex(grid.shape):
        point = _put(table, "gridPoint", iaz=str(place[0] + 1), irg=str(place[1] + 1))
        for name in names:
            _put(point, name, values[name][place])
    return _document(root)
