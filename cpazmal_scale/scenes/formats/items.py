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
from cpazmal_scale.scenes.band_names import read_name
from cpazmal_scale.scenes.format import Candidate
from cpazmal_scale.scenes.formats import item_names, saga
from cpazmal_scale.scenes.formats.snap_header import SnapHeader
from cpazmal_scale.vocabulary import BANDS

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
    no_power: str = ""

    @classmethod
    def of(cls, raster: Any, band: int) -> BandItems:
        """Those of a band (from 1) of an open raster, or else of all of it.

        Raises:
            SceneUnreadable: a document of SNAP inside is damaged.
        """
        found, snap = _items(raster.tags(band)), SnapHeader.of(raster)
        called = raster.descriptions[band - 1] or found.get("netcdf_varname", "")
        whole = _of_variables(_items(raster.tags()), called.lower())
        if raster.count > 1:  # what is said of one channel by name is not said of the others
            whole = {key: text for key, text in whole.items() if key[-2:].upper() not in BANDS}
        divisor = item_names.number(raster.tags(ns="ENVI").get("reflectance_scale_factor", ""))
        factor = item_names.first_but(1.0, item_names.numbers(item_names.FACTOR, found, whole))
        fill = next(iter(item_names.numbers(item_names.FILL, found, whole)), None)
        lowest, highest = item_names.valid_range(found, whole)
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
            channel=_first(found, _CHANNELS)
            or _first(alone, _CHANNELS)
            or item_names.polarisation(found)
            or item_names.polarisation(alone),
            coefficient=next((text for text in coefficients if read_name(text).kind), ""),
            fill=snap.nodata(band) if fill is None else fill,
            factor=1 / divisor if factor is None and divisor else factor,
            offset=item_names.first_but(0.0, item_names.numbers(item_names.OFFSET, found, whole)),
            lowest=lowest,
            highest=highest,
            acquired=_first(found, _OF_BAND),
            no_power=item_names.no_power(found) or item_names.no_power(alone),
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
    """From where a raster says it was seen; None where it does not."""

    pass_direction: Literal["ASC", "DSC"] | None = None
    look_side: Literal["R", "L"] | None = None

    @classmethod
    def of(cls, raster: Any) -> View:
        """That of an open raster, by its items or by SNAP's document.

        Raises:
            SceneUnreadable: a document of SNAP inside is damaged.
        """
        own = _items(raster.tags())
        told = _items(SnapHeader.of(raster).facts) | own
        return cls(item_names.pass_direction(told), item_names.look_side(told))


def refuse_other_view(raster: Any, member: Candidate) -> None:
    """The raster was seen from where and when it is taken to be seen.

    Raises:
        SceneUnknown: its own items say otherwise.
    """
    view, own, start = View.of(raster), _items(raster.tags()), member.named.start
    acquired = item_names.other_day(own, start.date())
    sensor = item_names.other_sensor(own, member.named.sensor)
    if acquired or sensor:
        raise SceneUnknown(
            f"it says that it was acquired {acquired[:30]}, not {start:%d %b %Y}"
            if acquired
            else f"it says that it is of {sensor[:30]}, not of {member.named.sensor}",
            where=member.url,
            remedy="correct its name, the acquisition table or its sidecar",
        )
    for said, told, name in (
        (view.pass_direction, member.pass_direction, "pass_direction"),
        (view.look_side, member.look_side, "look_side"),
    ):
        if said is not None and told is not None and said != told:
            raise SceneUnknown(
                f"it says that its {name} is {said}, but it is taken for {told}",
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
