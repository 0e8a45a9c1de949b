"""What a map's page shows beside its pictures, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale.config.methods import method
from cpazmal_scale.features import in_words, meaning, unit
from cpazmal_scale.grid.cf import grid_of, metres
from cpazmal_scale.mapping.classify.acquired import used
from cpazmal_scale.mapping.classify.store import CALIBRATION, classified_by, legend_of
from cpazmal_scale.mapping.refine import periods
from cpazmal_scale.mapping.show.figures import left_out, pixel_size
from cpazmal_scale.palette import REJECTED as REJECTED_COLOUR
from cpazmal_scale.vocabulary import REJECTED
from cpazmal_scale.words import number, per_cent

if TYPE_CHECKING:
    import xarray as xr

    from cpazmal_scale.mapping.classify.recipe import Recipe
    from cpazmal_scale.model import Model

_LATTICE = 33
"""Nodes per side on which longitude and latitude are given: 0.1 m between them over 30 km."""


def about(
    data: xr.Dataset,
    recipe: Recipe,
    model: Model | None,
    square_metres: Mapping[int, float],
    floored: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Titles, classes with colours and areas, features, and where it all came from.

    `square_metres` holds the area of each class value, `floored` the share of pixels below the
    floor by channel; without the model there are no features.
    """
    named = legend_of(data)
    classes: list[dict[str, Any]] = [
        {
            "value": recipe.classes.index(code) + 1,
            "code": code,
            "name": named.names.get(code, ""),
            "colour": named.colours[code],
        }
        for code in named.order
    ]
    if square_metres.get(REJECTED):
        rejected = {"code": "–", "name": "rejected", "colour": REJECTED_COLOUR}
        classes.append({"value": REJECTED, **rejected})
    kinds = {code: kind for kind, codes in named.groups().items() for code in codes}
    for entry in classes:
        entry["group"] = kinds.get(entry["code"], "")
        entry["m2"] = round(square_metres[entry["value"]], 1)
    return {
        "title": named.subject,
        "beam": recipe.beam,
        "pixel": pixel_size(data, recipe.features.window) + left_out(recipe),
        "polarisations": list(recipe.polarisations),
        "used": used(data, recipe),
        "map": data.attrs["id"],
        "model": recipe.model,
        "software": data.attrs["software"],
        "method": classified_by(data.attrs, recipe),
        "typical": method(recipe.method).typical,
        "compared": periods.compared_periods(data.attrs),
        "aligned": method(recipe.method).aligned,
        "measure": method(recipe.method).measure,
        "withheld": recipe.withheld,
        "calibration": data.attrs.get(CALIBRATION),
        "floored": _below(floored or {}, recipe.features.floor_db),
        "classes": classes,
        "features": [
            {"name": name, "label": in_words(name), "meaning": _meaning(name)}
            for name in (model.names if model else ())
        ],
        "window": recipe.features.window,
    }


def _below(floored: Mapping[str, float], floor_db: float) -> str:
    """Shares of pixels below the floor; empty where they are not known."""
    shares = ", ".join(f"{name} {per_cent(share)}" for name, share in floored.items())
    return f"Pixels under {number(floor_db, 0)} dB: {shares}." if shares else ""


def _meaning(name: str) -> str:
    """What a series is, with its unit."""
    return ", ".join(filter(None, (meaning(name), unit(name))))


def times(recipe: Recipe, model: Model) -> dict[str, Any]:
    """Dates of the map, and days since 1 January of the first year of both kinds of series."""
    from cpazmal_scale.dtw import season_days

    dates = recipe.days
    ready, days = model.on_dates(dates, recipe.season_start), season_days(dates)
    return {
        "dates": list(recipe.dates),
        "days": days.round(3).tolist(),
        "barycenter_days": (ready.barycenter_days + days[0] - ready.days[0]).round(3).tolist(),
        "year": datetime.fromisoformat(recipe.dates[0]).year,
    }


def place(data: xr.Dataset) -> dict[str, Any]:
    """Size on the ground, and longitude and latitude on a lattice fine enough to interpolate."""
    import pyproj

    grid = grid_of(data)
    shape = (int(data.sizes["y"]), int(data.sizes["x"]))
    crs = pyproj.CRS.from_user_input(str(grid.crs))
    transform = list(grid.transform.to_gdal())
    rows, columns = (np.linspace(0, n, _LATTICE) for n in shape)
    x = transform[0] + columns[None, :] * transform[1] + rows[:, None] * transform[2]
    y = transform[3] + columns[None, :] * transform[4] + rows[:, None] * transform[5]
    to_degrees = pyproj.Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    longitude, latitude = to_degrees.transform(x, y)
    code = crs.to_epsg()
    return {
        "shape": list(shape),
        "metres": list(metres(grid)),
        "transform": transform,
        "crs": f"EPSG:{code}" if code else crs.name,
        "geographic": crs.is_geographic,
        "longitude": np.round(longitude, 7).tolist(),
        "latitude": np.round(latitude, 7).tolist(),
    }
