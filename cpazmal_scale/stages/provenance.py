"""What a methods section needs: how the data were made and what classified them."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from cpazmal_scale import __version__, storage
from cpazmal_scale import words as say
from cpazmal_scale.config.methods import method
from cpazmal_scale.errors import DemError, StoreError, StoreMissing
from cpazmal_scale.stages import workspace
from cpazmal_scale.storage import seal

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from cpazmal_scale.catalog import Kind
    from cpazmal_scale.config import RunConfig


def processing(config: RunConfig) -> dict[str, str]:
    """Data, features, classifier and identities of a run, as far as cube, model and map know them.

    Args:
        config: the run, its method settled.
    """
    told: dict[str, str] = {}
    if not workspace.has_table(config):
        told |= data_facts(config, workspace.open_period(config))
    own = config.features
    told["Features"] = (
        f"{', '.join(own.statistics)} of {own.window} × {own.window} pixels, at least "
        f"{say.per_cent(own.min_valid, 0)} valid, power under {say.number(own.floor_db, 0)} dB "
        "counts as that"
    )
    told["Method"] = method(config.classify.method).name
    told |= model_facts(config)
    told["Seed"] = str(config.seed)
    told["Software"] = f"cpazmal-scale {__version__}, Python {platform.python_version()}"
    told |= _identity(config, "map")
    return told


def data_facts(config: RunConfig, cube: xr.Dataset) -> dict[str, str]:
    """The cube's own words, without those that it does not know."""
    held = workspace.held(cube, workspace.channels(config, cube))["channels"]
    ways = (cube.attrs.get("sat:orbit_state"), cube.attrs.get("sar:observation_direction"))
    facing = zip(ways, ("{} pass", "looking {}"), strict=True)
    told = {
        "Radiometry": f"{say.coefficient(cube.attrs['radiometry'])}, linear power",
        "Processing": cube.attrs.get("processing", ""),
        "Elevation model": elevation_in_words(config, str(cube.attrs.get("processing", ""))),
        "Sensors": ", ".join(np.unique(cube["sensor"].values.astype(str))),
        "Geometry": ", ".join(
            [f"beam {cube.attrs['beam']}", *(said.format(way) for way, said in facing if way)]
        ),
        "Incidence at the scene centre": _range(cube["incidence_angle"].values, "°"),
        "Resolution in ground range": _range(cube["resolution_range"].values, " m"),
        "Resolution in azimuth": _range(cube["resolution_azimuth"].values, " m"),
        "Equivalent number of looks": say.number(cube.attrs["enl"], 2)
        if "enl" in cube.attrs
        else "",
        "Resampling": "; ".join(filter(None, np.unique(cube["resampling"].values.astype(str)))),
        "Dates by channel": f"{held}; {cube.sizes['time']} dates in all",
        "Cube": f"state {cube.attrs['state']}, written by {cube.attrs.get('software', 'others')}",
    }
    return {name: text for name, text in told.items() if text}


def elevation_in_words(config: RunConfig, processing: str) -> str:
    """Name, spacing and vertical datum of the run's elevation model, if it is the cube's."""
    from cpazmal_scale.terrain.elevation import Dem, digest, open_dem

    own = config.ingest.level1b.terrain
    if own.dem is None or "elevation raster" not in processing:
        return ""
    dem = Dem(storage.absolute(own.dem), own.vertical, own.sea)
    try:
        if digest(dem)[:12] not in processing:
            return ""
        with open_dem(dem) as elevation:
            across, down = elevation.spacing
            unit = elevation.crs.axis_info[0].unit_name
            system, above = elevation.crs.name, elevation.datum.name
    except (DemError, StoreError):
        return ""
    name = dem.url.rstrip("/").rsplit("/", 1)[-1]
    above = "the ellipsoid" if above == "ellipsoid" else above.rsplit("/", 1)[-1]
    return f"{name}, {across:.6g} × {down:.6g} {unit} ({system}), heights above {above}"


def acquisitions(config: RunConfig) -> pd.DataFrame | None:
    """One row per date of the run: when, by what and from where it was acquired; none of a table.

    Columns: date, time (UTC, start of acquisition), sensor, beam, pass (`ASC` or `DSC`),
    polarisations, product, incidence_angle (degrees, scene centre), resolution_range and
    resolution_azimuth (m), source_sha256.
    """
    import pandas as pd

    if workspace.has_table(config):
        return None
    cube = workspace.open_period(config)
    when = pd.DatetimeIndex(cube["time"].values)
    columns = {"date": when.strftime("%Y-%m-%d"), "time": when.strftime("%H:%M:%S")}
    held = {
        **{name: name for name in ("sensor", "beam")},
        "pass": "pass_direction",
        "polarisations": "polarisations",
        "product": "scene_id",
        **{name: name for name in ("incidence_angle", "resolution_range", "resolution_azimuth")},
        "source_sha256": "source_sha256",
    }
    return pd.DataFrame({**columns, **{name: cube[of].values for name, of in held.items()}})


def _range(values: Any, unit: str) -> str:
    """The mean, with least and most where they differ; empty where nothing is known."""
    known = np.asarray(values, float)
    known = known[np.isfinite(known)]
    if not known.size:
        return ""
    low, high = (say.number(end, 2) for end in (known.min(), known.max()))
    mean = f"{say.number(known.mean(), 2)}{unit}"
    return mean if low == high else f"{mean} ({low} to {high})"


def model_facts(config: RunConfig) -> dict[str, str]:
    """What the card of the latest model says; nothing where there is none."""
    try:
        entry = workspace.find(config, "model")
    except StoreMissing:
        return {}
    if "card" not in entry.metadata:
        return {}
    where = storage.join(config.workspace, entry.metadata["card"])
    card = seal.read_document(where, "train again")
    decision, missing = card.get("decision", {}), card.get("missing_dates", {})
    return {
        "Parameters": _pairs(_named(card.get("settings", {}))) or "none",
        **({"Band": _pairs(card["band"])} if "band" in card else {}),
        "Missing dates": str(missing.get("rule", "")).replace(
            "min_dates", str(missing.get("min_dates", "min_dates"))
        ),
        "Decision": decision_in_words(decision),
        "Model": str(card.get("id", "")),
        **_identity(config, "samples"),
    }


def _identity(config: RunConfig, kind: Kind) -> dict[str, str]:
    try:
        return {kind.capitalize(): str(workspace.find(config, kind).fact("id"))}
    except StoreMissing:
        return {}


def _named(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings under names that are read without the code."""
    names = {"nearest_days": "days to the nearest training date at most"}
    return {names.get(name, name): value for name, value in settings.items()}


def decision_in_words(decision: Mapping[str, Any]) -> str:
    """Temperature, whether held-out polygons calibrated it, and the distance of rejection; where
    probabilities are withheld, why.
    """
    if decision.get("withheld"):
        reject = _pairs({"reject": decision.get("reject")})
        return ", ".join(filter(None, (reject, f"no probabilities: {decision['withheld']}")))
    told = _pairs({name: decision.get(name) for name in ("temperature", "reject")})
    known = "calibrated on held-out polygons" if decision.get("calibrated") else "not calibrated"
    return ", ".join(filter(None, (told, known)))


def _pairs(settings: Mapping[str, Any]) -> str:
    plain = {name: value for name, value in settings.items() if value is not None}
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in plain.items()
    )
