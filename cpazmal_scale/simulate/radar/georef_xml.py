"""The GEOREF.xml of a simulated product, valid by the provider's schema."""

from __future__ import annotations

from xml.etree.ElementTree import SubElement

import numpy as np

from cpazmal_scale.simulate.radar.filling import (
    blank,
    document,
    node,
    polynomial,
    put,
    repeat,
    text,
)
from cpazmal_scale.simulate.radar.georef import Grid
from cpazmal_scale.simulate.radar.passes import View


def georef_document(
    view: View, grid: Grid, *, positions: bool = True, heights: bool = True
) -> bytes:
    """The geolocation grid; rows and columns, and heights, may be left out as the schema allows."""
    root = blank("georef.xml")
    middle = view.sensor.near + view.samples / 2 * view.sensor.sample_step
    delays = repeat(root, "signalPropagationEffects/rangeDelay", 2)
    told = (("IONO", "averageTECU_5"), ("ATMOS", "hydrostatic"))
    for one, (source, model), value in zip(
        delays, told, (view.ionosphere, view.atmosphere), strict=True
    ):
        one.set("source", source)
        one.set("modelName", model)
        polynomial(one, view, middle, (value,))
    shift = node(root, "signalPropagationEffects/azimuthShift")
    polynomial(shift, view, middle, (view.flown.shift,))
    shift.set("source", "TIMING")
    table = node(root, "geolocationGrid")
    put(
        table,
        {
            "numberOfGridPoints/total": grid.t.size,
            "numberOfGridPoints/azimuth": grid.t.shape[0],
            "numberOfGridPoints/range": grid.t.shape[1],
            "spacingOfGridPoints/azimuth": float(grid.t[1, 0] - grid.t[0, 0]),
            "spacingOfGridPoints/range": float(grid.tau[0, 1] - grid.tau[0, 0]),
            "gridReferenceTime/tReferenceTimeUTC": view.flown.start,
            "gridReferenceTime/tauReferenceTime": view.sensor.near,
        },
    )
    table.remove(node(table, "gridPoint"))
    names = ("t", "tau", "lat", "lon", *(("row", "col") if positions else ()), "inc")
    names += ("height",) if heights else ()
    values = {name: getattr(grid, name) for name in names}
    values["tau"] = grid.tau - view.sensor.near
    for place in np.ndindex(grid.t.shape):
        point = SubElement(table, "gridPoint", iaz=str(place[0] + 1), irg=str(place[1] + 1))
        for name in names:
            SubElement(point, name).text = text(values[name][place].item())
    return document(root)
