"""What a raster says beside GDAL's own fields: metadata items, and the document of SNAP.

Programs that write a GeoTIFF from NetCDF or Zarr may leave scale, unit, fill value and name of a
variable in items alone, of a band or of the whole raster, which GDAL hands on and does not apply.
Providers name the coefficient and the orbit there.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cpazmal_scale.errors import SceneUnknown
from cpazmal_scale.scenes.band_names import read_name, says_other_day
from cpazmal_scale.scenes.format import Candidate
from cpazmal_scale.scenes.formats import saga
from cpazmal_scale.scenes.formats.snap_header import SnapHeader
from cpazmal_scale.scenes.spellings import direction_in, side_in

_FILLS = (
    *("_fillvalue", "missing_value", "nodata", "no_data", "nodata_value", "no_data_value"),
    *("null_value", "fill", "missing_data", "invalid_value", "background_value"),
)
_FACTORS = ("scale_factor", "scaling_factor", "scale", "gain", "multiplier", "slope")
_OFFSETS = ("add_offset", "offset", "bias", "intercept")
_RANGES = ("valid_range", "actual_valid_range")
_LOWEST, _HIGHEST = ("valid_min", "valid_minimum"), ("valid_max", "valid_maximum")
_SCALES = ("scale", "data_scale", "value_scale", "radiometric_scale", "values", "data_type")
"""Items that may say decibels, linear power or amplitude."""
_UNITS = ("units", "unit", "backscatter_units", "data_units", "data_unit")
_NAMES = ("netcdf_varname", "long_name", "standard_name", "band_name", "name", "description")
_CHANNELS = ("polarization", "polarisation", "pol")
_COEFFICIENTS = (
    "processing_information_output_backscatter_normalization_convention",
    "output_backscatter_normalization_convention",
    *("backscatter_coefficient", "backscatter", "radiometry", "radiometric_calibration"),
    *("calibration", "calibration_type"),
)
_EXPRESSIONS = (
    "processing_information_output_backscatter_expression_convention",
    "output_backscatter_expression_convention",
)
"""Items of OPERA's rasters, as the first two of the coefficients are."""
_DIRECTIONS = (
    *("orbit_pass_direction", "pass_direction", "orbit_direction", "orbitproperties_pass"),
    *("orbit_state", "sat_orbit_state", "flight_direction", "pass", "orbit"),
)
_ACQUIRED = (
    *("acquisition_date", "acquisition_time", "acquisition_datetime", "acquisition_start_time"),
    *("zero_doppler_start_time", "sensing_start", "sensing_start_time", "start_datetime"),
)
"""When a raster was acquired; a plain `date` of the whole may be that of its making, and times of
SNAP's document those of the first date of a stack."""
_OF_BAND = (*_ACQUIRED, "date", "time", "datetime", "netcdf_dim_time", "netcdf_dim_date")
_NO_BANDS = frozenset(
    [
        "nc_global",
        "x",
        "y",
        "lat",
        "lon",
        "latitude",
        "longitude",
        "time",
        "crs",
        "spatial_ref",
        "transverse_mercator",
        "band",
    ]
)
"""Variables of NetCDF that hold no values of pixels."""
_SIDES = ("look_direction", "look_side", "antenna_pointing")


@dataclass(frozen=True)
class BandItems:
    """Items of one band; empty texts and None where there are none."""

    name: str = ""
    unit: str = ""
    channel: str = ""
    coefficient: str = ""
    fill: float | None = None
    factor: float | None = None
    offset: float | None = None
    lowest: float = -math.inf
    highest: float = math.inf
    acquired: str = ""

    @classmethod
    def of(cls, raster: Any, band: int) -> BandItems:
        """Those of a band (from 1) of an open raster, or else of all of it.

        Raises:
            SceneUnreadable: a document of SNAP inside is damaged.
        """
        found, snap = _items(raster.tags(band)), SnapHeader.of(raster)
        called = raster.descriptions[band - 1] or found.get("netcdf_varname", "")
        whole = _of_variables(_items(raster.tags()), called.lower())
        divisor = _number(raster.tags(ns="ENVI").get("reflectance_scale_factor", ""))
        factor = _number_of(_FACTORS, found, whole)
        fill = _number_of(_FILLS, found, whole)
        lowest, highest = _range(found, whole)
        grid = saga.header(raster)
        unit = _first(found, _UNITS) or snap.unit(band) or grid.get("UNIT", "")
        if not unit:
            texts = (*_all(found, _SCALES), *_all(whole, (*_EXPRESSIONS, *_UNITS, *_SCALES)))
            said = ((text, read_name(text)) for text in texts)
            unit = next((text for text, name in said if name.scale or name.kind), "")
        coefficients = _all(whole, _COEFFICIENTS)
        alone = whole if raster.count == 1 else {}
        return cls(
            name=_first(found, _NAMES) or snap.name(band) or grid.get("NAME", ""),
            unit=unit,
            channel=_first(found, _CHANNELS) or _first(alone, _CHANNELS),
            coefficient=next((text for text in coefficients if read_name(text).kind), ""),
            fill=snap.nodata(band) if fill is None else fill,
            factor=1 / divisor if factor is None and divisor else factor,
            offset=_number_of(_OFFSETS, found, whole),
            lowest=lowest,
            highest=highest,
            acquired=_first(found, _OF_BAND),
        )

    def contradicts(self, factor: float, offset: float) -> bool:
        """Whether the items give values another scale or offset than the raster itself."""
        told = (1.0 if self.factor is None else self.factor, self.offset or 0.0)
        return told != (1.0, 0.0) and not all(
            math.isclose(one, other, rel_tol=1e-6, abs_tol=1e-12)
            for one, other in zip(told, (factor, offset), strict=True)
        )


@dataclass(frozen=True)
class View:
    """From where a raster says it was seen, and when; None and empty where it does not."""

    pass_direction: Literal["ASC", "DSC"] | None = None
    look_side: Literal["R", "L"] | None = None
    acquired: str = ""

    @classmethod
    def of(cls, raster: Any) -> View:
        """That of an open raster, by its items or by SNAP's document.

        Raises:
            SceneUnreadable: a document of SNAP inside is damaged.
        """
        own = _items(raster.tags())
        told = _items(SnapHeader.of(raster).facts) | own
        return cls(
            direction_in(_first(told, _DIRECTIONS)),
            side_in(_first(told, _SIDES)),
            _first(own, _ACQUIRED),
        )


def refuse_other_view(raster: Any, member: Candidate) -> None:
    """The raster was seen from where and when it is taken to be seen.

    Raises:
        SceneUnknown: its own items say otherwise.
    """
    view = View.of(raster)
    start = member.named.start
    if says_other_day(view.acquired, start.date()):
        raise SceneUnknown(
            f"it says that it was acquired {view.acquired[:30]}, not {start:%d %b %Y}",
            where=member.url,
            remedy="correct its name, the acquisition table or its sidecar",
        )
    for own, told, name in (
        (view.pass_direction, member.pass_direction, "pass_direction"),
        (view.look_side, member.look_side, "look_side"),
    ):
        if own is not None and told is not None and own != told:
            raise SceneUnknown(
                f"it says that its {name} is {own}, but it is taken for {told}",
                where=member.url,
                remedy=f"correct {name} in the acquisition table, its sidecar or ingest.naming",
            )


def refuse_stack(raster: Any, bands: list[int], url: str) -> None:
    """Some bands (from 1) of an open raster are of one date.

    Raises:
        SceneUnknown: their items name several.
    """
    when = sorted({BandItems.of(raster, band).acquired for band in bands} - {""})
    if len(when) > 1:
        raise SceneUnknown(
            f"its bands are of {when[0][:30]} and {when[1][:30]}",
            where=url,
            remedy="write every date of a stack as a scene of its own",
        )


def _items(told: Mapping[str, str]) -> dict[str, str]:
    return {str(key).lower(): str(text) for key, text in told.items()}


def _of_variables(told: Mapping[str, str], called: str) -> dict[str, str]:
    """Items of a whole raster, and those that GDAL keeps there for variables of NetCDF, such as
    `VV#scale_factor`: of the band's own, or what all of them share.
    """
    found: dict[str, dict[str, str]] = {}
    for key, text in told.items():
        variable, mark, item = key.rpartition("#")
        if mark and variable not in _NO_BANDS:
            found.setdefault(item, {})[variable] = text
    shared = {
        item: values.get(called, next(iter(values.values())))
        for item, values in found.items()
        if called in values or len(set(values.values())) == 1
    }
    return shared | dict(told)


def _first(found: Mapping[str, str], names: tuple[str, ...]) -> str:
    return next(iter(_all(found, names)), "")


def _all(found: Mapping[str, str], names: tuple[str, ...]) -> list[str]:
    """Texts under some names in their order, whatever their capitals and signs between words."""
    letters = {re.sub(r"[^a-z0-9]", "", key.lower()): text for key, text in found.items()}
    texts = (letters.get(name.replace("_", ""), "") for name in names)
    return [text for text in texts if text.strip()]


def _number_of(names: tuple[str, ...], *told: Mapping[str, str]) -> float | None:
    """The first number under some names, in the items of the band, else in those of the whole."""
    numbers = (_number(text) for items in told for text in _all(items, names))
    return next((number for number in numbers if number is not None), None)


def _range(*told: Mapping[str, str]) -> tuple[float, float]:
    """Stored numbers that are data, from and to: infinite where nothing says so."""
    for items in told:
        for text in _all(items, _RANGES):
            ends = [_number(part) for part in re.split(r"[,;\s]+", text.strip(" {}[]()"))]
            if len(ends) == 2 and None not in ends:
                return float(ends[0] or 0), float(ends[1] or 0)
    lowest, highest = _number_of(_LOWEST, *told), _number_of(_HIGHEST, *told)
    return (
        -math.inf if lowest is None else lowest,
        math.inf if highest is None else highest,
    )


def _number(text: str) -> float | None:
    """A number, also of lists of one such as `{0.5}`; NaN and what is none are None."""
    try:
        value = float(text.strip(" {}[]").removesuffix("f"))
    except ValueError:
        return None
    return None if math.isnan(value) else value
