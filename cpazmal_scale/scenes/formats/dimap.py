"""SNAP's BEAM-DIMAP products: a `.dim` document that names the ENVI rasters in the `.data` folder.

Bands are recognised by SNAP's names: `Gamma0_HH`, `Sigma0_HV_db`, `layover_shadow_mask`,
`incidenceAngleFromEllipsoid`; all others are left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from cpazmal_scale.errors import SceneUnknown, SceneUnreadable
from cpazmal_scale.scenes.formats.naming import Named
from cpazmal_scale.scenes.spellings import parse_direction
from cpazmal_scale.scenes.untrusted.xml import Node, read

SUFFIX = ".dim"
DRIVER = "ENVI"
MAX_BANDS = 1000
Radiometry = Literal["beta0", "sigma0", "gamma0", "gamma0_T"]

_BACKSCATTER = re.compile(
    r"(?P<kind>beta0|sigma0|gamma0)_(?:\w+_)?(?P<channel>HH|HV|VH|VV)(?:_|$)", re.I
)
_KINDS: dict[str, Radiometry] = {"gamma0": "gamma0", "sigma0": "sigma0", "beta0": "beta0"}
_ANGLES = ("incidenceanglefromellipsoid", "localincidenceangle")
_SENSORS = {"PAZ": "PAZ1", "TSX": "TSX1", "TDX": "TDX1"}
_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_STAMP = re.compile(r"(\d{1,2})-([A-Z]{3})-(\d{4}) (\d\d):(\d\d):(\d\d)(?:\.\d*)?", re.I)


@dataclass(frozen=True)
class Band:
    """One raster of a product: `layer` is one of `scene.BANDS`, `kind` SNAP's radiometry."""

    name: str
    url: str
    layer: str
    kind: Radiometry | None
    scale: Literal["linear", "dB"]
    nodata: float | None


@dataclass(frozen=True)
class Dimap:
    """What a `.dim` document tells of its product; `shape` is rows and columns."""

    url: str
    named: Named
    shape: tuple[int, int]
    look_side: Literal["R", "L"] | None
    incidence_angle: float | None
    bands: tuple[Band, ...]

    def chosen(self, radiometry: Radiometry | None) -> tuple[Radiometry, tuple[Band, ...]]:
        """The radiometry asked for, or the best there is, and the bands that make the scene.

        Raises:
            SceneUnknown: there is no such backscatter.
        """
        there = {band.kind for band in self.bands if band.kind}
        order: tuple[Radiometry, ...] = ("gamma0_T", "gamma0", "sigma0", "beta0")
        kind = radiometry or next((one for one in order if one in there), None)
        if kind not in there:
            raise SceneUnknown(
                f"no band is {radiometry or 'calibrated backscatter'}: it holds "
                f"{', '.join(band.name for band in self.bands) or 'none that is known'}",
                where=self.url,
                remedy="calibrate it in SNAP, or set ingest.naming.radiometry",
            )
        layers: dict[str, Band] = {}
        for band in self.bands:
            linear_first = band.layer not in layers or band.scale == "linear"
            if band.kind in (None, kind) and linear_first:
                layers[band.layer] = band
        return kind, tuple(layers.values())


def read_dimap(url: str) -> Dimap:
    """The description of a BEAM-DIMAP product.

    Raises:
        SceneUnreadable: not such a document, hostile, or naming files outside its own folder.
        SceneUnknown: time or sensor is missing, or values are scaled.
    """
    root = read(url)
    if root.tag != "Dimap_Document":
        raise SceneUnreadable(
            f"its root is <{root.tag}>, not <Dimap_Document>",
            where=url,
            remedy="write the product from SNAP as BEAM-DIMAP",
        )
    facts = _abstracted(root)
    size = root.one("Raster_Dimensions")
    near, far = (_number(facts.get(f"incidence_{end}")) for end in ("near", "far"))
    return Dimap(
        url=url,
        named=_named(url, facts),
        shape=(size.integer("NROWS", least=1), size.integer("NCOLS", least=1)),
        look_side=_side(facts.get("antenna_pointing", "")),
        incidence_angle=None if near is None or far is None else (near + far) / 2,
        bands=_bands(root, url),
    )


def _abstracted(root: Node) -> dict[str, str]:
    """SNAP's common metadata of every product, by attribute name."""
    element = root.maybe(".//MDElem[@name='Abstracted_Metadata']")
    if element is None:
        return {}
    return {one.attribute("name") or "": one.text() for one in element.all("MDATTR")}


def _named(url: str, facts: dict[str, str]) -> Named:
    mission = facts.get("MISSION", "").upper()
    match = _STAMP.fullmatch(facts.get("first_line_time", "").strip())
    if not mission or match is None:
        raise SceneUnknown(
            "its metadata tell no mission or no first_line_time",
            where=url,
            remedy="keep Abstracted_Metadata when writing from SNAP",
        )
    stop = _STAMP.fullmatch(facts.get("last_line_time", "").strip())
    direction = facts.get("PASS", "")
    known = direction[:1].upper() in ("A", "D")
    return Named(
        id=re.sub(r"[^\w.+:-]", "_", facts.get("PRODUCT") or url.rsplit("/", 1)[-1][:-4]),
        sensor=_SENSORS.get(mission, mission),
        start=_time(match, url),
        stop=None if stop is None else _time(stop, url),
        pass_direction=parse_direction(direction, where=url) if known else None,
    )


def _time(match: re.Match[str], url: str) -> datetime:
    """A UTC time to the second; a leap second becomes the next second."""
    day, month, year, hour, minute, second = match.groups()
    leap = second == "60"
    try:
        number = _MONTHS.index(month.upper()) + 1
        whole = (int(year), number, int(day), int(hour), int(minute), 59 if leap else int(second))
        return datetime(*whole, tzinfo=UTC) + timedelta(seconds=int(leap))
    except ValueError:
        raise SceneUnknown(
            f"`{match[0]}` is not a time", where=url, remedy="correct its metadata in SNAP"
        ) from None


def _side(text: str) -> Literal["R", "L"] | None:
    return {"r": "R", "l": "L"}.get(text[:1].lower())  # type: ignore[return-value]


def _number(text: str | None) -> float | None:
    """An angle SNAP knows; it writes 99999 for what it does not."""
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return value if 0 < value < 90 else None


def _bands(root: Node, url: str) -> tuple[Band, ...]:
    files = {
        one.text("BAND_INDEX"): one.one("DATA_FILE_PATH").attribute("href") or ""
        for one in root.all("Data_Access/Data_File")
    }
    described = list(root.all("Image_Interpretation/Spectral_Band_Info"))[:MAX_BANDS]
    found = [
        band
        for info in described
        if (band := _band(info, files.get(info.text("BAND_INDEX", "")), url)) is not None
    ]
    operators = {one.text() for one in root.all(".//MDATTR[@name='operator']")}
    if "Terrain-Flattening" in operators:
        found = [replace(b, kind="gamma0_T") if b.kind == "gamma0" else b for b in found]
    angles = [band for band in found if band.layer == "incidence"]
    best = min(angles, key=lambda band: _ANGLES.index(band.name.lower()), default=None)
    return tuple(band for band in found if band.layer != "incidence" or band is best)


def _band(info: Node, path: str | None, url: str) -> Band | None:
    """One band that is of use; None for any other, such as an elevation or a virtual band."""
    name = info.text("BAND_NAME")
    match = _BACKSCATTER.match(name)
    if match is not None:
        layer, kind = match["channel"].upper(), _KINDS[match["kind"].lower()]
    elif name.lower() in ("layover_shadow_mask", *_ANGLES):
        layer, kind = ("mask" if name.lower() == "layover_shadow_mask" else "incidence"), None
    else:
        return None
    if path is None:
        return None
    _refuse_scaled(info, name, url)
    unit = info.text("PHYSICAL_UNIT", "").lower()
    decibel = kind is not None and (unit.endswith("db") or name.lower().endswith("_db"))
    used = info.flag("NO_DATA_VALUE_USED", False)
    return Band(
        name=name,
        url=_raster_url(url, path),
        layer=layer,
        kind=kind,
        scale="dB" if decibel else "linear",
        nodata=info.number("NO_DATA_VALUE") if used else None,
    )


def _refuse_scaled(info: Node, name: str, url: str) -> None:
    factor, offset = info.number("SCALING_FACTOR", 1.0), info.number("SCALING_OFFSET", 0.0)
    if (factor, offset) != (1, 0) or info.flag("LOG10_SCALED", False):
        raise SceneUnknown(
            f"the values of {name} are scaled",
            where=url,
            remedy="write it from SNAP as 32-bit floating point",
        )


def _raster_url(url: str, path: str) -> str:
    """The raster of a header named in the document, which must lie in the product's own folder."""
    parts = path.split("/")
    folder = url.rsplit("/", 1)[-1][: -len(SUFFIX)] + ".data"
    plain = len(parts) == 2 and parts[1] == parts[1].strip(". ") and "\\" not in path
    if not plain or parts[0] != folder or not parts[1].endswith(".hdr"):
        raise SceneUnreadable(
            f"it names the file `{path[:80]}`, which is not in {folder}",
            where=url,
            remedy="keep the .dim file and its .data folder together under SNAP's names",
        )
    return f"{url.rsplit('/', 1)[0]}/{folder}/{parts[1][:-4]}.img"
