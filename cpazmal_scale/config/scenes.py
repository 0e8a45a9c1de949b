"""The parts of the configuration that say what scenes are and how they are read."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator

from cpazmal_scale.config.section import Address, NameOrAddress, Section, together
from cpazmal_scale.vocabulary import INCIDENCE


class Naming(Section):
    """How scene files are recognised and described when their names do not tell all."""

    pattern: str | None = None
    """Regular expression on the file's path with named groups among sensor, start, stop, beam,
    pass_direction, polarisation, id; none: the CPAZMAL authors' names."""
    sensor: str | None = None
    """Sensor when the pattern has no such group."""
    beam: str | None = None
    """Viewing geometry when the pattern has no such group."""
    pass_direction: Literal["ASC", "DSC"] | None = None
    """Flight direction when the pattern has no such group."""
    look_side: Literal["R", "L"] | None = None
    """Side of the flight path that the antenna looks to where no table has it; none: right for PAZ,
    TerraSAR-X, TanDEM-X and Sentinel-1, unknown for others."""
    incidence_angle: float | None = Field(None, gt=INCIDENCE[0], lt=INCIDENCE[1])
    """Incidence angle at scene centre in degrees where no acquisition table has it."""
    bands: tuple[str, ...] | None = None
    """What each raster band holds: a polarisation such as HH, `mask`, or `-` for the polarisation
    in the file's name; none: the authors' order (polarisations of the product, mask last)."""
    mask_codes: Literal["snap", "isce3"] = "snap"
    """Meaning of the mask band: SNAP (1 layover, 2 shadow) or ISCE3 (1 shadow, 2 layover)."""
    radiometry: Literal["beta0", "sigma0", "gamma0", "gamma0_T"] = "gamma0_T"
    """Backscatter coefficient of the values; `gamma0_T` is terrain-flattened."""
    scale: Literal["linear", "dB"] = "linear"
    """Whether the values are linear power or decibels."""


class Terrain(Section):
    """The ground under SSC and MGD products."""

    dem: Address | None = None
    """Elevation raster: a GeoTIFF, or a folder or glob of its tiles (any fsspec URL); none:
    products are geocoded at one height."""
    vertical: NameOrAddress | None = None
    """What its heights are above: `ellipsoid`, `EGM2008`, `EGM96`, `LN02`, `IGN69`, an EPSG code,
    or the address of a geoid raster; none: its CRS has to tell."""
    sea: bool = False
    """Whether missing and zero heights are the sea's surface."""
    align: bool = False
    """Whether dates whose images lie significantly off the others of their cube are moved onto them
    by a correction of their delays; a date that lies more than 3 pixels off is refused."""


class Level1b(Section):
    """Level-1b products (SSC, MGD, GEC, EEC): how they are calibrated and geocoded."""

    radiometry: Literal["beta0", "sigma0", "gamma0", "gamma0_T"] | None = None
    """Backscatter coefficient, with the ellipsoid's incidence angle; `gamma0_T` is flattened by the
    ground's own area and needs `terrain.dem`. None: `gamma0_T` for SSC and MGD where there is an
    elevation raster, otherwise `gamma0`."""
    noise: Literal["auto", "subtract", "keep"] = "auto"
    """Whether the annotated noise power is subtracted; `auto`: unless the processor did."""
    height: float = Field(0.0, ge=-500, le=9000)
    """Height above the WGS84 ellipsoid in metres on which SSC and MGD are geocoded where there is
    no elevation raster: the mean of the area, the same for all dates."""
    terrain: Terrain = Terrain()
    resampling: Literal["average", "nearest"] = "average"
    """Image samples of a pixel: the mean of their power, or the one at its centre, which keeps
    single-look statistics."""

    @together
    def _ground_to_flatten_by(self) -> Self:
        if self.radiometry == "gamma0_T" and self.terrain.dem is None:
            raise ValueError("radiometry gamma0_T needs an elevation raster: set terrain.dem")
        return self


class Ingest(Section):
    """Scenes to cubes."""

    scenes: Address | None = None
    """Folder, file or glob (any fsspec URL) with the scenes."""
    naming: Naming = Naming()
    level1b: Level1b = Level1b()
    table: Address | None = None
    """CSV of acquisitions (sensor, start, beam, pass_direction, incidence_angle, …);
    none: `acquisitions.csv` beside the scenes, if there."""
    resample: bool | Literal["nearest", "average"] = False
    """Bring scenes of another CRS, pixel size or lattice onto the cube's grid instead of refusing
    them: `nearest` (or true) takes the nearest pixel, which keeps the statistics of speckle;
    `average` the mean power over area, which smooths, each date differently."""
    max_shift: float | None = Field(None, gt=0, le=3)
    """Largest offset in pixels between a scene and the others of its cube, measured from the
    images; a scene that lies farther off is refused. None: offsets of resampled scenes are only
    reported."""
    skip_refused: bool = False
    """Whether scenes that cannot be used, such as damaged ones, are reported and left out;
    otherwise one such scene keeps all others out, too. A store that fails always ends the
    ingest."""
    grid: Literal["utm32n-3m", "cpazmal"] | None = None
    """Grid of a new cube: UTM zone 32 at 3 m, or the WGS84 pixels of the published dataset; none:
    that of its first scene."""
    area: tuple[float, ...] | None = None
    """West, south, east and north of what a new cube covers, in degrees; none: all of its scenes.
    What lies outside is not written, and its terrain is not computed."""
    chunk: int = Field(512, ge=16, le=8192)
    """Edge of a square chunk in pixels; one chunk holds one date."""
    precision: Literal["full"] | int = 10
    """Bits of mantissa (4 to 22) that the backscatter of a new cube keeps. 10 bits are wrong by at
    most 2⁻¹¹ or 0.002 dB, far below speckle and calibration, and take half the room of `full`,
    which keeps all."""

    @field_validator("area")
    @classmethod
    def _a_box(cls, area: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if area is None:
            return area
        if len(area) != 4:
            raise ValueError(f"is west, south, east and north, not {len(area)} numbers")
        west, south, east, north = area
        if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
            raise ValueError("is west, south, east and north in degrees, the smaller ones first")
        return area

    @field_validator("precision")
    @classmethod
    def _in_range(cls, value: str | int) -> str | int:
        if isinstance(value, int) and not 4 <= value <= 22:
            raise ValueError("is from 4 to 22 bits, or full")
        return value

    @property
    def bits(self) -> int | None:
        """Bits of mantissa kept; none: all."""
        return self.precision if isinstance(self.precision, int) else None
