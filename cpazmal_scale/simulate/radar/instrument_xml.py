"""What the main XML file tells of processing, instrument, noise and orbit."""

from __future__ import annotations

from datetime import timedelta
from xml.etree.ElementTree import Element

import numpy as np

from cpazmal_scale.simulate.radar.earth import LIGHT
from cpazmal_scale.simulate.radar.filling import Value, gps, node, polynomial, put, repeat
from cpazmal_scale.simulate.radar.images import CAL_FACTOR
from cpazmal_scale.simulate.radar.passes import AZIMUTH_BAND, FREQUENCY, RANGE_BAND, View
from cpazmal_scale.simulate.radar.product import Product

VECTOR_STEP, VECTORS = 10, 12
"""Seconds between state vectors, and their number."""


def processing(root: Element, view: View, product: Product) -> None:
    """Looks, bandwidths, Doppler and the flags of what was done."""
    info, sensor = node(root, "processing"), view.sensor
    middle = sensor.near + view.samples / 2 * sensor.sample_step
    polynomial(
        node(info, "geometry/velocityParameter/velocityParameterPolynomial"), view, middle, (0.0,)
    )
    speed = np.linalg.norm(view.motion(np.zeros(1))[1])
    rate = -4 * FREQUENCY / LIGHT * float(speed) ** 2 * 0.93 / (middle * LIGHT)
    polynomial(node(info, "geometry/dopplerRate/dopplerRatePolynomial"), view, middle, (rate,))
    for path in ("velocityParameter", "dopplerRate"):
        put(info, {f"geometry/{path}/timeUTC": view.flown.start})
    names = view.flown.polarisations
    for number, one in enumerate(repeat(info, "doppler/dopplerCentroid", len(names)), start=1):
        one.set("layerIndex", str(number))
        put(one, {"polLayer": names[number - 1], "dopplerEstimate/timeUTC": view.flown.start})
        for kind in ("basebandDoppler", "combinedDoppler"):
            polynomial(node(one, f"dopplerEstimate/{kind}"), view, middle, (0.0,))
    detected = product.raster.variant == "MGD"
    put(
        info,
        {
            "processingParameter/rangeLooks": product.raster.looks[1],
            "processingParameter/azimuthLooks": product.raster.looks[0],
            "processingParameter/totalProcessedRangeBandwidth": RANGE_BAND / sensor.sample_step,
            "processingParameter/totalProcessedAzimuthBandwidth": AZIMUTH_BAND / sensor.line_step,
            "processingParameter/rangeLookBandwidth": RANGE_BAND / sensor.sample_step,
            "processingParameter/azimuthLookBandwidth": AZIMUTH_BAND / sensor.line_step,
            "processingFlags/noiseCorrectedFlag": product.noise_removed,
            "processingFlags/detectedFlag": detected,
            "processingFlags/multiLookedFlag": detected,
        },
    )


def instrument(root: Element, view: View, product: Product) -> None:
    """Settings, calibration constants and noise of every polarisation."""
    flown, sensor = view.flown, view.sensor
    names = flown.polarisations
    settings: dict[str, Value] = {
        "beamID": flown.beam,
        "rxBandwidth": RANGE_BAND / sensor.sample_step,
        "RSF": 1 / sensor.sample_step,
        "numberOfSettingRecords": 1,
        "settingRecord/dataSegment/startTimeUTC": flown.start,
        "settingRecord/dataSegment/stopTimeUTC": view.stop,
        "settingRecord/dataSegment/numberOfRows": view.lines,
        "settingRecord/PRF": 1 / sensor.line_step,
        "settingRecord/echowindowLength": float(view.samples),
    }
    for one, name in zip(repeat(root, "instrument/settings", len(names)), names, strict=True):
        put(one, {"polLayer": name, **settings})
    constants = repeat(root, "calibration/calibrationConstant", len(names))
    noises = repeat(root, "noise", len(names))
    for number, name in enumerate(names):
        constants[number].set("layerIndex", str(number + 1))
        put(constants[number], {"polLayer": name, "beamID": flown.beam, "calFactor": CAL_FACTOR})
        noises[number].set("layerIndex", str(number + 1))
        put(noises[number], {"polLayer": name, "numberOfNoiseRecords": 2})
        records = repeat(noises[number], "imageNoise", 2)
        for record, when in zip(records, (flown.start, view.stop), strict=True):
            put(record, {"timeUTC": when})
            level = product.noise[number]
            polynomial(node(record, "noiseEstimate"), view, level.reference, level.coefficients)


def state_vectors(root: Element, view: View) -> None:
    """Vectors at whole tens of seconds, rounded to millimetres and tenths of millimetres a second.

    The instrument's clock is wrong by what nobody annotates: the orbit's is right.
    """
    flown, sensor = view.flown, view.sensor
    first = flown.start.replace(microsecond=0) - timedelta(seconds=VECTOR_STEP * (VECTORS // 2))
    nodes = repeat(root, "platform/orbit/stateVec", VECTORS)
    times = [first + timedelta(seconds=VECTOR_STEP * number) for number in range(VECTORS)]
    for number, (one, when) in enumerate(zip(nodes, times, strict=True), start=1):
        late = (when - flown.start).total_seconds() + flown.shift + flown.clock[0]
        place, velocity = view.orbit.at(sensor.first + late)
        whole, part = gps(when)
        one.set("num", str(number))
        put(one, {"timeUTC": when, "timeGPS": whole, "timeGPSFraction": part})
        for axis, at, along in zip("XYZ", place, velocity, strict=True):
            put(one, {f"pos{axis}": round(float(at), 3), f"vel{axis}": round(float(along), 4)})
    header = node(root, "platform/orbit/orbitHeader")
    put(header, {"numStateVectors": VECTORS})
    for name, when in (("first", times[0]), ("last", times[-1])):
        whole, part = gps(when)
        path = f"{name}StateTime/{name}StateTime"
        put(header, {f"{path}UTC": when, f"{path}GPS": whole, f"{path}GPSFraction": part})
