"""What each band of a raster holds: as configured, by name, table or description, never guessed.

What the raster says about itself is obeyed, or the raster is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal

from cpazmal_scale.config import Naming
from cpazmal_scale.errors import SceneError, SceneUnknown
from cpazmal_scale.grid import projections
from cpazmal_scale.scenes.band_names import (
    Kind,
    Said,
    dates_in,
    is_unit,
    read_name,
    says_other_day,
    without_processing,
)
from cpazmal_scale.scenes.format import Candidate
from cpazmal_scale.scenes.formats import saga
from cpazmal_scale.scenes.formats.items import BandItems, refuse_other_view, refuse_stack
from cpazmal_scale.scenes.formats.naming import Named
from cpazmal_scale.scenes.formats.snap_header import SnapHeader
from cpazmal_scale.vocabulary import BANDS, POLARISATIONS

_SAY = "set ingest.naming.bands, the table's polarisations or `bands` of a sidecar"
_FLATTENED = re.compile(r"(?<![a-z])(tf|rtc)(?![a-z])|flat|gamma0_?t(?![a-z])", re.I)
_CORRECT = "correct that, or the band's description (`gdal_edit.py`, `rio edit-info`)"


@dataclass(frozen=True)
class Contents:
    """What the bands of a raster hold, one of `scene.BANDS` each, and what their values are."""

    bands: tuple[str, ...]
    radiometry: str
    scale: Literal["linear", "dB"]
    note: str = ""
    """What people should know of the radiometry."""
    warnings: tuple[str, ...] = ()
    """What people should know of this raster."""


def contents(raster: Any, member: Candidate) -> Contents:
    """What an open raster holds.

    Raises:
        SceneUnknown: nothing tells, what tells contradicts what the raster says about itself, or
            its values are complex or no calibrated power.
    """
    rules, url = member.rules, member.url
    refuse_other_view(raster, member)
    saga.refuse_unread(raster, url)
    if raster.subdatasets:
        raise SceneUnknown(
            f"it holds {len(raster.subdatasets)} images, of which one would be read",
            where=url,
            remedy="write each as a file of its own (gdal_translate GTIFF_DIR:2:…)",
        )
    header = SnapHeader.of(raster)
    said = [_said(raster, at) for at in range(raster.count)]
    alpha = _alpha(raster)
    bands = _bands(raster, member, said, alpha)
    wrong = [band for band in bands if band not in BANDS]
    used = [band for band in bands if band != "skip"]
    if wrong or len(bands) != raster.count or len(set(used)) != len(used):
        raise _unknown_bands(url, bands, raster.count)
    if member.format == "dimap" and {*raster.scales, *raster.offsets} != {1.0, 0.0}:
        raise SceneUnknown(
            "the header of its raster scales the values, and the document of the product does not",
            where=url,
            remedy="copy the product again from its source, or write it again from SNAP",
        )
    for at, (band, one) in enumerate(zip(bands, said, strict=True)):
        if band != "skip":
            _check_band(raster, at, band, one, member, alpha=at in alpha)
            header.refuse_altered(at + 1, url)
    powers = [one for band, one in zip(bands, said, strict=True) if band in POLARISATIONS]
    if powers:
        refuse_stack(raster, [at for at, band in enumerate(bands, 1) if band in POLARISATIONS], url)
        powers.append(_of_file(member.named.rest, bands, url))
    described = member.format != "named"
    radiometry = _radiometry(powers, rules, url, header.flattened, described=described)
    scale = _scale(powers, rules, url, described=described)
    if scale == "linear":
        _refuse_whole_numbers(raster, bands, url)
    known = described or header.flattened is not None
    note = _assumed(radiometry, member, described=known)
    warnings = (*_not_understood(raster, bands, said), *_of_other_days(member.named, url))
    return Contents(bands, radiometry, scale, note, warnings)


def _of_other_days(named: Named, url: str) -> tuple[str, ...]:
    """That the file's own name holds a day on which the scene was not acquired."""
    name = without_processing(url.rpartition("/")[2], named.start)
    if not says_other_day(name, named.start.date()):
        return ()
    return ("its file's name holds another day than that from which it is taken to be",)


def _of_file(rest: str, bands: tuple[str, ...], url: str) -> Said:
    """What the name of a file says of its values, beside what every product's name has.

    Raises:
        SceneUnknown: they are no backscatter, or of another polarisation.
    """
    said = read_name(rest)
    if said.kind == "other":
        raise SceneUnknown(
            "it is no backscatter coefficient by the name of the file",
            where=url,
            remedy="give calibrated power (beta0, sigma0 or gamma0), or correct the name",
        )
    channels = [band for band in bands if band in POLARISATIONS]
    if said.layer in POLARISATIONS and len(channels) == 1 and said.layer != channels[0]:
        raise SceneUnknown(
            f"it is {said.layer} by the name of the file, but its band is taken for {channels[0]}",
            where=url,
            remedy=_SAY,
        )
    return Said(None, None if said.kind == "intensity" else said.kind, said.scale)


def _refuse_whole_numbers(raster: Any, bands: tuple[str, ...], url: str) -> None:
    """Linear power has decimals, or a scale that gives them.

    Raises:
        SceneUnknown: a polarisation is stored in whole numbers as they are.
    """
    for at, band in enumerate(bands):
        whole = raster.dtypes[at].startswith(("int", "uint")) and raster.scales[at] == 1
        if band in POLARISATIONS and whole:
            raise SceneUnknown(
                f"{band} holds whole numbers ({raster.dtypes[at]}) without a scale: digital "
                "numbers, not linear power",
                where=url,
                remedy="calibrate the scene, tell the scale (gdal_edit.py -scale), or set "
                "ingest.naming.scale: dB (or `scale` in its sidecar)",
            )


def _unit(raster: Any, at: int) -> str:
    """The unit of a band.

    GDAL gives a band without one the unit of the heights of its coordinate system: that is none.
    """
    unit: str = raster.units[at] or BandItems.of(raster, at + 1).unit
    if unit and raster.crs is not None:
        heights = projections.unit_of_heights(projections.of_raster(raster.crs))
        return "" if unit == heights else unit
    return unit


def _name(raster: Any, at: int) -> str:
    """What a band is called; empty where it has no name."""
    return raster.descriptions[at] or BandItems.of(raster, at + 1).name


def _said(raster: Any, at: int) -> Said:
    """What description, unit and metadata items of a band say together, the description first."""
    items = BandItems.of(raster, at + 1)
    name = read_name(_name(raster, at))
    unit = read_name(_unit(raster, at))
    layer = name.layer or read_name(items.channel).layer
    kind: Kind | None = name.kind or read_name(items.coefficient).kind
    kind = "other" if items.no_power else kind
    if kind is None or unit.kind == "other":
        kind = unit.kind if unit.kind != "intensity" else kind
    return Said(layer, kind, name.scale or unit.scale, name.unknown)


def _alpha(raster: Any) -> frozenset[int]:
    """Bands that say how opaque the others are."""
    from rasterio.enums import ColorInterp

    return frozenset(
        at for at, one in enumerate(raster.colorinterp) if one == ColorInterp.alpha and at > 0
    )


def _bands(
    raster: Any, member: Candidate, said: list[Said], alpha: frozenset[int]
) -> tuple[str, ...]:
    """By configuration, else the file's polarisation, the table, or descriptions.

    The authors' files end with the mask; files of a user's pattern may lack it.
    """
    channel, rules, count = member.named.polarisation, member.rules, raster.count - len(alpha)
    there = [one for at, one in enumerate(said) if at not in alpha]
    if rules.bands is not None:
        bands = tuple(channel or "?" if band == "-" else band for band in rules.bands)
        if len(bands) == raster.count:
            return bands
    elif channel is not None:
        bands = (channel, "mask")[:count]
    elif member.row is not None and member.row.polarisations is not None:
        told = member.row.polarisations
        bands = (*told, "mask")
        if count == 1 < len(told):
            bands = (_one_of(told, there[0].layer, member.url),)
        elif count == 1 or alpha or rules.pattern is not None:
            bands = bands[:count]
    else:
        _require_names(raster, member.url, there)
        bands = tuple(one.layer or "?" for one in there)
    rest = iter(bands)
    with_alpha = ["skip" if at in alpha else next(rest, "?") for at in range(raster.count)]
    return (*with_alpha, *rest)


def _one_of(told: tuple[str, ...], layer: str | None, url: str) -> str:
    """Which of an acquisition's polarisations a single band holds, by its own name.

    Raises:
        SceneUnknown: it does not say.
    """
    if layer in POLARISATIONS:
        return str(layer)
    raise SceneUnknown(
        f"nothing tells which of {' and '.join(told)} its only band is: neither its name nor its "
        "description",
        where=url,
        remedy="add it to the file's name (…_HV.tif) or to the band's description",
    )


def _require_names(raster: Any, url: str, said: list[Said]) -> None:
    """Every band has a name that is understood whole.

    Raises:
        SceneUnknown: one has none, or one that says more.
    """
    names = [_name(raster, at) for at in range(raster.count)]
    if not any(names):
        raise SceneUnknown(
            "nothing gives the polarisations of its bands: no table, no description, no name",
            where=url,
            remedy=_SAY,
        )
    for text, one in zip(names, said, strict=False):
        if one.layer is None or one.unknown:
            raise SceneUnknown(
                f"its band `{text[:60]}` is not known to be backscatter or a mask",
                where=url,
                remedy=_SAY,
            )


def _check_band(
    raster: Any, at: int, band: str, said: Said, member: Candidate, *, alpha: bool
) -> None:
    """A band may be what it is taken for.

    Raises:
        SceneUnknown: the raster says otherwise.
    """
    name, start, called = f"band {at + 1}", member.named.start, _name(raster, at)
    if called:
        name += f" (`{called[:60]}`)"
    problem, remedy = None, _CORRECT
    acquired = BandItems.of(raster, at + 1).acquired
    if raster.dtypes[at].startswith("complex"):
        problem = f"{name} holds complex numbers"
        remedy = "give calibrated power of terrain-corrected scenes, or the Level-1b product itself"
    elif says_other_day(f"{called} {acquired}", start.date()):
        problem = f"{name} is of another date than the scene, {start:%d %b %Y}"
        remedy = "write every date of a stack as a scene of its own"
    elif raster.colorinterp[at].name == "palette":
        problem = f"{name} holds numbers of colours in a table"
        remedy = "give the values that the picture was made from"
    elif alpha:
        problem = f"{name} is an alpha band, not {band}"
        remedy = "call it `skip`: what is transparent is no data"
    elif said.layer is not None and said.layer != band:
        problem = f"{name} says it is {said.layer}, but it is taken for {band}"
    elif band == said.layer == "mask" and said.unknown:
        problem = f"{name} is another mask than that of layover and shadow"
        remedy = "call it `skip`, and make no data of what it hides"
    elif band in POLARISATIONS and not is_unit(_unit(raster, at)):
        problem = f"{name} has the unit `{_unit(raster, at)[:30]}`, which is none of backscatter"
        remedy = "correct it (GDAL's SetUnitType) to dB or none, or give calibrated power"
    elif band in POLARISATIONS and said.kind == "other":
        problem = f"{name} is no backscatter coefficient by its name or unit"
        remedy = "give calibrated power (beta0, sigma0 or gamma0), or correct the name"
    if problem is not None:
        raise SceneUnknown(problem, where=member.url, remedy=remedy)


def _not_understood(raster: Any, bands: tuple[str, ...], said: list[Said]) -> tuple[str, ...]:
    """Words of bands' names that nobody knows here; numbers and dates aside."""
    found = []
    for at, (band, one) in enumerate(zip(bands, said, strict=True)):
        words = [w for w in one.unknown if not (w.isdigit() or any(dates_in(w)) or w == "mst")]
        if band in POLARISATIONS and words:
            found.append(
                f"the name of band {at + 1} (`{_name(raster, at)[:60]}`) holds "
                f"`{' '.join(words)[:60]}`, which is not understood: it is taken for {band}"
            )
    return tuple(found)


def _given(rules: Naming, name: str, *, described: bool) -> bool:
    """Whether a rule was told: of this very raster, or by another value than the default.

    A configuration that went through a server has all its defaults told.
    """
    return described or getattr(rules, name) != Naming.model_fields[name].default


def _radiometry(
    said: list[Said], rules: Naming, url: str, flattened: bool | None, *, described: bool
) -> str:
    """The coefficient that was configured, or the one that the bands name.

    `flattened` tells whether γ0 is terrain-flattened, where the raster's history does.
    """
    kinds = {one.kind for one in said if one.kind is not None}
    given = _given(rules, "radiometry", described=described)
    if len(kinds) > 1 or (kinds == {"intensity"} and not given):
        raise SceneUnknown(
            f"its bands are {' and '.join(sorted(map(str, kinds)))} by their names or units",
            where=url,
            remedy="give one calibrated coefficient (beta0, sigma0 or gamma0)",
        )
    kind: str | None = kinds.pop() if kinds else None
    if kind in (None, "intensity"):
        return rules.radiometry
    if kind == "gamma0" and flattened is not None:
        kind = "gamma0_T" if flattened else kind
    elif rules.radiometry.removesuffix("_T") == kind:
        return rules.radiometry
    if kind == rules.radiometry:
        return rules.radiometry
    if not given and kind is not None:
        return kind
    raise SceneUnknown(
        f"its bands are {kind} by their names{'' if flattened is None else ' and history'}, not "
        f"{rules.radiometry}",
        where=url,
        remedy=f"set ingest.naming.radiometry (or `radiometry` of its sidecar) to {kind}",
    )


def _assumed(radiometry: str, member: Candidate, *, described: bool) -> str:
    """That only a default calls the values terrain-flattened; empty where something says so.

    SNAP's bands are `Gamma0_HH` before and after flattening: their name is no proof.
    """
    name = member.url.rpartition("/")[2]
    if described or radiometry != "gamma0_T" or _FLATTENED.search(name):
        return ""
    return (
        "its values are taken for gamma0_T (terrain-flattened), which its name does not say: if "
        "they are not, set ingest.naming.radiometry (or `radiometry` of a sidecar) to gamma0, "
        "sigma0 or beta0"
    )


def _scale(
    said: list[Said], rules: Naming, url: str, *, described: bool
) -> Literal["linear", "dB"]:
    """Decibels or linear power, as configured or as the bands say."""
    scales = {one.scale for one in said if one.scale is not None}
    given = _given(rules, "scale", described=described)
    if len(scales) > 1 or (given and scales and rules.scale not in scales):
        raise SceneUnknown(
            f"its bands are {' and '.join(sorted(scales))} by their names or units, "
            f"not {rules.scale}",
            where=url,
            remedy="set ingest.naming.scale (or `scale` of its sidecar)",
        )
    return scales.pop() if scales else rules.scale


def _unknown_bands(url: str, bands: tuple[str, ...], count: int) -> SceneError:
    strange = [f"`{band}`" for band in bands if band not in (*BANDS, "?")]
    if strange:
        return SceneUnknown(
            f"{', '.join(strange)} is the name of no band",
            where=url,
            remedy=f"set ingest.naming.bands among {', '.join(BANDS)}",
        )
    return SceneUnknown(
        f"its {count} bands are not {', '.join(bands) or 'known'}",
        where=url,
        remedy="set ingest.naming.bands or the table's polarisations",
    )
