"""The main XML file of a simulated product, valid by the provider's schema.

Files that only show a product, such as quicklooks, are named there and not written.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element

import numpy as np

from cpazmal_scale.simulate.radar.earth import LIGHT
from cpazmal_scale.simulate.radar.filling import (
    Value,
    blank,
    document,
    gps,
    node,
    polynomial,
    put,
    repeat,
)
from cpazmal_scale.simulate.radar.georef import located
from cpazmal_scale.simulate.radar.instrument_xml import instrument, processing, state_vectors
from cpazmal_scale.simulate.radar.passes import AZIMUTH_BAND, View
from cpazmal_scale.simulate.radar.product import Product, Raster

if TYPE_CHECKING:
    pass

_GENERATED = datetime(2024, 1, 1, tzinfo=UTC)


def product_document(view: View, product: Product) -> bytes:
    """The main XML file."""
    root = blank("product.xml")
    node(root, "generalHeader").set("fileName", f"{product.name}.xml")
    mission = f"{product.sensor[:-1]}-{product.sensor[-1]}"
    put(
        root,
        {
            "generalHeader/mission": mission,
            "generalHeader/generationTime": _GENERATED,
            "productInfo/missionInfo/mission": mission,
            "productComponents/annotation/file/location/filename": f"{product.name}.xml",
        },
    )
    _components(root, view, product)
    _acquisition(root, view, product)
    _raster(root, view, product.raster)
    _scene(root, view, product.raster)
    _specific(root, view, product.raster)
    processing(root, view, product)
    instrument(root, view, product)
    state_vectors(root, view)
    return document(root)


def _components(root: Element, view: View, product: Product) -> None:
    names = view.flown.polarisations
    for path in ("productComponents/imageData", "productComponents/quicklooks"):
        for number, one in enumerate(repeat(root, path, len(names)), start=1):
            one.set("layerIndex", str(number))
            put(one, {"polLayer": names[number - 1]})
    listed = root.findall("productComponents/imageData")
    for one, (filename, size) in zip(listed, product.images, strict=True):
        values: dict[str, Value] = {
            "file/location/path": "IMAGEDATA",
            "file/location/filename": filename,
            "file/size": size,
        }
        put(one, values)
    main, georef = repeat(root, "productComponents/annotation", 2)
    put(main, {"type": "MAIN"})
    put(georef, {"type": "GEOREF", "file/location/path": "ANNOTATION"})
    put(georef, {"file/location/filename": "GEOREF.xml"})


def _acquisition(root: Element, view: View, product: Product) -> None:
    flown, variant = view.flown, product.raster.variant
    side = {"R": "RIGHT", "L": "LEFT"}[flown.side]
    direction = {"ASC": "ASCENDING", "DSC": "DESCENDING"}[flown.direction]
    mode = "SINGLE" if len(flown.polarisations) == 1 else "DUAL"
    shape = "SLANTRANGE" if variant == "SSC" else "GROUNDRANGE"
    resolution = "UNDEFINED" if variant == "SSC" else "RE"
    names: dict[str, Value] = {
        "lookDirection": side,
        "polarisationMode": mode,
        "elevationBeamConfiguration": flown.beam,
    }
    kinds: dict[str, Value] = {
        "productVariant": variant,
        "projection": shape,
        "resolutionVariant": resolution,
    }
    info, order = node(root, "productInfo"), node(root, "setup/orderInfo")
    put(info, {f"acquisitionInfo/{name}": value for name, value in names.items()})
    put(info, {f"productVariantInfo/{name}": value for name, value in kinds.items()})
    put(order, {**names, **kinds})
    code = product.name[10:24]
    put(
        info,
        {
            "missionInfo/relOrbit": product.orbit,
            "missionInfo/orbitDirection": direction,
            "acquisitionInfo/imagingModeSpecificInfo/stripMap/azimuthBeamID": "strip",
            "productVariantInfo/productType": code,
        },
    )
    for path in ("productInfo/acquisitionInfo/polarisationList", "setup/orderInfo/polList"):
        for one, name in zip(
            repeat(root, f"{path}/polLayer", len(flown.polarisations)),
            flown.polarisations,
            strict=True,
        ):
            one.text = name


def _raster(root: Element, view: View, raster: Raster) -> None:
    complex_ = raster.variant == "SSC"
    info = node(root, "productInfo/imageDataInfo")
    put(
        info,
        {
            "imageDataType": "COMPLEX" if complex_ else "DETECTED",
            "imageDataFormat": "COSAR" if complex_ else "GEOTIFF",
            "imageDataDepth": 32 if complex_ else 16,
            "numberOfLayers": len(view.flown.polarisations),
            "imageRaster/numberOfRows": raster.lines,
            "imageRaster/numberOfColumns": raster.samples,
            "imageRaster/rowSpacing": raster.sample_spacing,
            "imageRaster/columnSpacing": raster.line_spacing,
            "imageRaster/groundRangeResolution": view.flown.resolution_range,
            "imageRaster/azimuthResolution": view.flown.resolution_azimuth,
            "imageRaster/azimuthLooks": raster.looks[0],
            "imageRaster/rangeLooks": raster.looks[1],
        },
    )
    for name in ("rowSpacing", "columnSpacing"):
        node(info, f"imageRaster/{name}").set("units", "s" if complex_ else "m")


def _scene(root: Element, view: View, raster: Raster) -> None:
    info, sensor = node(root, "productInfo/sceneInfo"), view.sensor
    for name, when in (("start", view.flown.start), ("stop", view.stop)):
        whole, part = gps(when)
        put(info, {f"{name}/timeUTC": when, f"{name}/timeGPS": whole})
        put(info, {f"{name}/timeGPSFraction": part})
    far = _last_range(view, raster)
    lon, lat, _, _ = located(view, np.array([0.0, 0.1]), np.full(2, (sensor.near + far) / 2))
    from pyproj import Geod

    heading, _, length = Geod(ellps="WGS84").inv(lon[0], lat[0], lon[1], lat[1])
    put(
        info,
        {
            "sceneID": f"{view.flown.beam}_{view.flown.start:%Y-%m-%dT%H:%M:%S.%fZ}",
            "rangeTime/firstPixel": sensor.near,
            "rangeTime/lastPixel": far,
            "sceneAzimuthExtent": length / 0.1 * (view.lines - 1) * sensor.line_step,
            "sceneAverageHeight": view.height,
            "headingAngle": heading % 360,
        },
    )
    middle = (view.lines // 2, sensor.near + view.samples // 2 * sensor.sample_step)
    centre = node(info, "sceneCenterCoord")
    ends = [(i, j) for i in (0, view.lines - 1) for j in (sensor.near, far)]
    corners = repeat(info, "sceneCornerCoord", 4)
    for one, place in zip((centre, *corners), (middle, *ends), strict=True):
        _coordinate(one, view, raster, place)


def _last_range(view: View, raster: Raster) -> float:
    """Range time of the last column."""
    sensor = view.sensor
    tau = sensor.near + np.arange(view.samples) * sensor.sample_step
    if raster.ground is None:
        return float(tau[-1])
    reference, coefficients = raster.ground
    metres = np.polynomial.polynomial.polyval(tau - reference, coefficients)
    return float(np.interp((raster.samples - 1) * raster.sample_spacing, metres, tau))


def _coordinate(point: Element, view: View, raster: Raster, place: tuple[int, float]) -> None:
    """A line of the complex image and range time, with row and column in the one delivered."""
    sensor = view.sensor
    t, tau = place[0] * sensor.line_step, place[1]
    lon, lat, _, inc = located(view, np.array([t]), np.array([tau]))
    share = place[0] / (view.lines - 1)
    row = (1 - share if raster.flipped else share) * (raster.lines - 1)
    column = (tau - sensor.near) / sensor.sample_step
    if raster.ground is not None:
        reference, coefficients = raster.ground
        metres = np.polynomial.polynomial.polyval(tau - reference, coefficients)
        column = float(metres) / raster.sample_spacing
    put(
        point,
        {
            "refRow": round(row) + 1,
            "refColumn": min(round(column), raster.samples - 1) + 1,
            "lat": float(lat[0]),
            "lon": float(lon[0]),
            "azimuthTimeUTC": view.flown.start + timedelta(seconds=t),
            "rangeTime": tau,
            "incidenceAngle": float(inc[0]),
        },
    )


def _specific(root: Element, view: View, raster: Raster) -> None:
    info = node(root, "productSpecific")
    sensor = view.sensor
    slant = sensor.sample_step * LIGHT / 2
    angle = np.radians(view.flown.incidence)
    spacing = view.flown.resolution_azimuth * AZIMUTH_BAND / 1.045
    values: dict[str, Value] = {
        "commonPRF": 1 / sensor.line_step,
        "commonRSF": 1 / sensor.sample_step,
        "slantRangeResolution": view.flown.resolution_range * float(np.sin(angle)),
        "projectedSpacingAzimuth": spacing,
        "projectedSpacingRange/groundNear": slant / float(np.sin(angle)),
        "projectedSpacingRange/groundFar": slant / float(np.sin(angle)),
        "projectedSpacingRange/slantRange": slant,
    }
    put(info, {f"complexImageInfo/{name}": value for name, value in values.items()})
    projected = node(info, "projectedImageInfo")
    if raster.ground is None:
        info.remove(projected)
        return
    polynomial(node(projected, "slantToGroundRangeProjection"), view, *raster.ground)
    first = view.stop if raster.flipped else view.flown.start
    put(
        projected,
        {
            "mappingGridInfo/gridReferenceTime/tReferenceTimeUTC": first,
            "mappingGridInfo/gridReferenceTime/tauReferenceTime": sensor.near,
            "mappingGridInfo/gridReferenceTime/refRow": 1,
            "mappingGridInfo/gridReferenceTime/refCol": 1,
        },
    )
