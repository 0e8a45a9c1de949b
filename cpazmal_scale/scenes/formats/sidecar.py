"""A small YAML file beside a raster that describes it as a scene.

`scene.tif.yaml` or `scene.yaml` describes `scene.tif`. Everything a name or an acquisition table
would tell is in it, so that the raster may have any name and any of `geotiff.DRIVERS`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from cpazmal_scale import storage
from cpazmal_scale.config import Naming, Section
from cpazmal_scale.errors import SceneError, SceneUnknown
from cpazmal_scale.grid import raster_files
from cpazmal_scale.scenes.acquisitions import Row
from cpazmal_scale.scenes.format import Candidate, Listing, safe_beam
from cpazmal_scale.scenes.formats.geotiff import DRIVERS
from cpazmal_scale.scenes.formats.naming import Named
from cpazmal_scale.scenes.formats.rasters import Rasters
from cpazmal_scale.scenes.spellings import parse_direction, parse_time
from cpazmal_scale.vocabulary import BANDS, INCIDENCE

SUFFIXES = (".yaml", ".yml")
MAX_BYTES = 64 * 2**10
RASTERS = raster_files.DRIVERS
"""Driver by suffix; others need the sidecar's `driver`."""


def _time(value: object) -> datetime:
    try:
        return parse_time(str(value), where="start or stop")
    except SceneError as error:
        raise ValueError(f"{error.what}; {error.remedy}") from None


def _direction(value: object) -> str:
    try:
        return parse_direction(str(value), where="pass_direction")
    except SceneError as error:
        raise ValueError(f"{error.what}; {error.remedy}") from None


def _known_bands(bands: tuple[str, ...]) -> tuple[str, ...]:
    wrong = [band for band in bands if band not in BANDS]
    if wrong:
        raise ValueError(f"`{wrong[0]}` is no band: use {', '.join(BANDS)}")
    return bands


def _plain_name(name: str) -> str:
    if PurePosixPath(name).name != name:
        raise ValueError("name a file in the same folder")
    return name


Time = Annotated[datetime, BeforeValidator(_time)]
Direction = Annotated[Literal["ASC", "DSC"], BeforeValidator(_direction)]
FileName = Annotated[str, AfterValidator(_plain_name)]


_Metres = Annotated[float, Field(gt=0, lt=1e6)]


class Sidecar(Section):
    """What a sidecar says of its raster."""

    sensor: str = Field(min_length=1, max_length=32)
    """Sensor, such as TSX1; scenes of one sensor and beam within two minutes are one."""
    start: Time
    """Start of acquisition, UTC."""
    beam: str
    """Viewing geometry: names the cube."""
    bands: Annotated[tuple[str, ...], AfterValidator(_known_bands)]
    """What each band holds: HH, HV, VH, VV, `mask`, `incidence` (degrees) or `skip`."""
    radiometry: Literal["beta0", "sigma0", "gamma0", "gamma0_T"]
    """Backscatter coefficient; `gamma0_T` is terrain-flattened."""
    scale: Literal["linear", "dB"]
    """Whether the values are linear power or decibels."""
    stop: Time | None = None
    """End of acquisition, UTC."""
    pass_direction: Direction | None = None
    """Flight direction."""
    look_side: Literal["R", "L"] | None = None
    """Side the antenna looks to."""
    incidence_angle: float | None = Field(None, gt=INCIDENCE[0], lt=INCIDENCE[1])
    """At scene centre, degrees."""
    incidence: FileName | None = None
    """Raster in the same folder with the incidence angle of every pixel, degrees."""
    resolution: tuple[_Metres, _Metres] | None = None
    """Range and azimuth, metres."""
    mask_codes: Literal["snap", "isce3"] = "snap"
    """Meaning of the mask band: SNAP (1 layover, 2 shadow) or ISCE3 (1 shadow, 2 layover)."""
    nodata: float | None = None
    """No-data value, instead of the raster's own."""
    driver: str | None = None
    """GDAL driver; none: by the raster's suffix."""
    id: str | None = Field(None, min_length=1, max_length=200, pattern=r"^[\w.+:-]+$")
    """Identifier of the scene; none: the raster's name."""

    @model_validator(mode="after")
    def _known_driver(self) -> Sidecar:
        if self.driver is not None and self.driver not in DRIVERS:
            raise ValueError(f"driver: `{self.driver}` is not one of {', '.join(DRIVERS)}")
        return self

    def named(self, raster: str) -> Named:
        """What a name would tell."""
        name = PurePosixPath(raster).stem if self.id is None else self.id
        return Named(name, self.sensor, self.start, self.stop, self.beam, self.pass_direction)

    def row(self) -> Row:
        """What an acquisition table would tell."""
        return Row(
            self.sensor,
            self.start,
            self.beam,
            self.pass_direction,
            self.incidence_angle,
            self.resolution,
            None,
        )

    def driver_of(self, raster: str) -> str:
        """GDAL driver of the raster.

        Raises:
            SceneUnknown: its suffix tells none.
        """
        found = self.driver or RASTERS.get(PurePosixPath(raster).suffix.lower())
        if found is None:
            raise SceneUnknown(
                "its suffix does not tell the format",
                where=raster,
                remedy=f"set `driver` in its sidecar: {', '.join(DRIVERS)}",
            )
        return found


def read_sidecar(url: str) -> Sidecar:
    """A checked sidecar.

    Raises:
        SceneUnknown: not YAML, with anchors, too large, or a field is missing, unknown or wrong.
        StoreMissing: there is no such file.
    """
    with storage.open_binary(url) as file:
        data = file.read(MAX_BYTES + 1)
    values = _plain_yaml(data, url)
    try:
        return Sidecar.model_validate(
            {k: v for k, v in values.items() if v not in ("", "null", "~")}
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        text = first["msg"].removeprefix("Value error, ")
        raise _unknown(f"{field}: {text}" if field else text, url) from None


def _plain_yaml(data: bytes, url: str) -> dict[str, Any]:
    """A mapping of texts, lists and mappings: no tags, no anchors, nothing converted."""
    import yaml

    if len(data) > MAX_BYTES:
        raise _unknown(f"more than {MAX_BYTES // 2**10} KiB", url)
    try:
        text = data.decode("utf-8")
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise _unknown("it uses YAML aliases", url)
        values = yaml.load(text, yaml.BaseLoader)  # noqa: S506 - BaseLoader makes only text
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _unknown(f"not valid YAML ({str(error).splitlines()[0]})", url) from None
    if not isinstance(values, dict):
        raise _unknown("not a mapping of fields", url)
    return values


def _unknown(what: str, url: str) -> SceneUnknown:
    return SceneUnknown(what, where=url, remedy="docs/own-scenes.md shows a complete example")


def raster_of(sidecar: str, listed: frozenset[str]) -> str | None:
    """The raster a YAML file describes, if one is there: same name without or with its suffix."""
    stem = sidecar.rsplit(".", 1)[0]
    if stem in listed:
        return stem
    beside = [f"{stem}{suffix}" for suffix in ("", *RASTERS)]
    named = [one for one in beside if PurePosixPath(one).suffix.lower() in RASTERS]
    return next((one for one in named if one in listed or storage.exists(one)), None)


class DescribedRasters(Rasters):
    """Rasters of any name that a sidecar describes, and their rasters of incidence angles."""

    name = "described"

    def recognise(self, listing: Listing) -> list[Candidate]:
        """The rasters of all sidecars."""
        listed, found = frozenset(listing.files), []
        for url in listing.files:
            raster = raster_of(url, listed) if url.lower().endswith(SUFFIXES) else None
            if raster is not None:
                found += self._candidates(raster, read_sidecar(url))
        return found

    def _candidates(self, raster: str, told: Sidecar) -> list[Candidate]:
        rules = Naming(
            bands=told.bands,
            mask_codes=told.mask_codes,
            radiometry=told.radiometry,
            scale=told.scale,
        )
        one = Candidate(
            url=raster,
            named=told.named(raster),
            row=told.row(),
            beam=safe_beam(told.beam, raster),
            pass_direction=told.pass_direction,
            rules=rules,
            format=self.name,
            look_side=told.look_side,
            driver=told.driver_of(raster),
            nodata=told.nodata,
        )
        if told.incidence is None:
            return [one]
        beside = storage.join(raster.rsplit("/", 1)[0], told.incidence)
        angles = rules.model_copy(update={"bands": ("incidence",)})
        driver = told.model_copy(update={"driver": None}).driver_of(beside)
        return [one, replace(one, url=beside, rules=angles, driver=driver, nodata=None)]
