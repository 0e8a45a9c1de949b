"""SNAP's BEAM-DIMAP products: a `.dim` document that names the ENVI rasters in the `.data` folder.

Bands are recognised by SNAP's names: `Gamma0_HH`, `Sigma0_HV_db`, `layover_shadow_mask`,
`incidenceAngleFromEllipsoid`; all others are left alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import unquote

from cpazmal_scale.errors import SceneUnknown, SceneUnreadable
from cpazmal_scale.scenes.band_names import ANGLES, read_name, snap_band
from cpazmal_scale.scenes.format import Candidate, Listing
from cpazmal_scale.scenes.formats import snap_bands
from cpazmal_scale.scenes.formats.naming import Named, parse_name
from cpazmal_scale.scenes.formats.rasters import Rasters
from cpazmal_scale.scenes.spellings import parse_direction
from cpazmal_scale.scenes.untrusted.xml import Node, read
from cpazmal_scale.vocabulary import INCIDENCE

SUFFIX = ".dim"
DRIVER = "ENVI"
Radiometry = Literal["beta0", "sigma0", "gamma0", "gamma0_T"]

_OF_STACK = re.compile(r"_(?:mst|slv|ref|sec)\d*(?:_|$)", re.I)
_KINDS: dict[str, Radiometry] = {"gamma0": "gamma0", "sigma0": "sigma0", "beta0": "beta0"}
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
    """What a `.dim` document tells of its product; `shape` is rows and columns, `others` are names
    of bands that are of no use.
    """

    url: str
    named: Named
    shape: tuple[int, int]
    look_side: Literal["R", "L"] | None
    incidence_angle: float | None
    bands: tuple[Band, ...]
    others: tuple[str, ...] = ()

    def chosen(self, radiometry: Radiometry | None) -> tuple[Radiometry, tuple[Band, ...]]:
        """The radiometry asked for, or the best there is, and the bands that make the scene.

        Raises:
            SceneUnknown: there is no such backscatter.
        """
        there = {band.kind for band in self.bands if band.kind}
        order: tuple[Radiometry, ...] = ("gamma0_T", "gamma0", "sigma0", "beta0")
        kind = radiometry or next((one for one in order if one in there), None)
        if kind not in there:
            names = [band.name for band in self.bands] or list(self.others)
            raise SceneUnknown(
                f"no band is {radiometry or 'calibrated backscatter'}: it holds "
                f"{', '.join(names[:6]) or 'none that is known'}",
                where=self.url,
                remedy="calibrate it in SNAP, or set ingest.naming.radiometry",
            )
        layers: dict[str, Band] = {}
        for band in self.bands:
            if band.kind not in (None, kind):
                continue
            other = layers.get(band.layer)
            if other is not None and other.scale == band.scale:
                raise SceneUnknown(
                    f"{other.name} and {band.name} are both {band.layer}",
                    where=self.url,
                    remedy="write one of them from SNAP (Band Select, or merge the swaths)",
                )
            if other is None or band.scale == "linear":
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
    facts = snap_bands.abstracted(root)
    names = [info.text("BAND_NAME") for info in snap_bands.described_bands(root)]
    _refuse_stack(names, url)
    size = root.one("Raster_Dimensions")
    near, far = (_number(facts.get(f"incidence_{end}")) for end in ("near", "far"))
    return Dimap(
        url=url,
        named=_named(url, facts),
        shape=(size.integer("NROWS", least=1), size.integer("NCOLS", least=1)),
        look_side=_side(facts.get("antenna_pointing", "")),
        incidence_angle=None if near is None or far is None else (near + far) / 2,
        bands=_bands(root, url),
        others=tuple(names),
    )


def _refuse_stack(names: list[str], url: str) -> None:
    """The product is of one date.

    Raises:
        SceneUnknown: it is a coregistered stack: SNAP adds role and date to the names of bands.
    """
    dates = [name for name in names if _OF_STACK.search(name)]
    if dates:
        raise SceneUnknown(
            f"it is a stack of several dates ({', '.join(dates[:3])})",
            where=url,
            remedy="write every date from SNAP as a product of its own (Stack Split)",
        )


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
    return value if INCIDENCE[0] < value < INCIDENCE[1] else None


def _bands(root: Node, url: str) -> tuple[Band, ...]:
    files = {
        one.text("BAND_INDEX"): one.one("DATA_FILE_PATH").attribute("href") or ""
        for one in root.all("Data_Access/Data_File")
    }
    found = [
        band
        for info in snap_bands.described_bands(root)
        if (band := _band(info, files.get(info.text("BAND_INDEX", "")), url)) is not None
    ]
    if snap_bands.FLATTENING in snap_bands.operators(root):
        found = [replace(b, kind="gamma0_T") if b.kind == "gamma0" else b for b in found]
    angles = [band for band in found if band.layer == "incidence"]
    best = min(angles, key=lambda band: ANGLES.index(band.name.lower()), default=None)
    return tuple(band for band in found if band.layer != "incidence" or band is best)


def _band(info: Node, path: str | None, url: str) -> Band | None:
    """One band that is of use; None for any other, such as an elevation or a virtual band."""
    name = info.text("BAND_NAME")
    said, unit = snap_band(name), info.text("PHYSICAL_UNIT", "")
    kind: Radiometry | None = None
    if said is not None and read_name(unit).kind != "other":
        layer, kind = str(said.layer), _KINDS[str(said.kind)]
    elif name.lower() in ("layover_shadow_mask", *ANGLES):
        layer = "mask" if name.lower() == "layover_shadow_mask" else "incidence"
    else:
        return None
    if path is None:
        return None
    snap_bands.refuse_scaled(info, name, url)
    snap_bands.refuse_hidden(info, name, url)
    decibel = said is not None and "dB" in (said.scale, read_name(unit).scale)
    return Band(
        name=name,
        url=_raster_url(url, path),
        layer=layer,
        kind=kind,
        scale="dB" if decibel else "linear",
        nodata=snap_bands.nodata(info),
    )


def _raster_url(url: str, path: str) -> str:
    """The raster of a header named in the document, which must lie in the product's own folder."""
    if "%" in path and not path.startswith(f"{url.rsplit('/', 1)[-1][: -len(SUFFIX)]}.data/"):
        path = unquote(path)
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


class DimapProducts(Rasters):
    """The rasters of SNAP's products; a name that tells id, beam or sensor goes before."""

    name = "dimap"

    def recognise(self, listing: Listing) -> list[Candidate]:
        """The products of all documents."""
        found = []
        for url in listing.files:
            if url.lower().endswith(SUFFIX):
                found += self._candidates(read_dimap(url), listing)
        return found

    def _candidates(self, product: Dimap, listing: Listing) -> list[Candidate]:
        rules = listing.ingest.naming
        told, named = product.named, parse_name(product.url, rules)
        if named is not None:
            direction = named.pass_direction or told.pass_direction
            told = replace(named, stop=named.stop or told.stop, pass_direction=direction)
        asked = rules.radiometry if "radiometry" in rules.model_fields_set else None
        radiometry, bands = product.chosen(asked)
        angle = product.incidence_angle if rules.incidence_angle is None else rules.incidence_angle
        rules = rules.model_copy(update={"radiometry": radiometry, "incidence_angle": angle})
        one = listing.candidate(product.url, told, rules, format=self.name)
        return [
            replace(
                one,
                url=band.url,
                rules=rules.model_copy(update={"bands": (band.layer,), "scale": band.scale}),
                look_side=product.look_side or one.look_side,
                driver=DRIVER,
                nodata=band.nodata,
                shape=product.shape,
            )
            for band in bands
        ]
