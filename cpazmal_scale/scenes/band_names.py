"""What the name of a band says: SNAP's whole names, and the plain words of other programs."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from cpazmal_scale.vocabulary import POLARISATIONS

Kind = Literal["beta0", "sigma0", "gamma0", "intensity", "other"]
"""A backscatter coefficient, power that is not said to be calibrated, or anything else, such as an
amplitude, a phase, a part of a complex number, a texture or a statistic."""

ANGLES = ("incidenceanglefromellipsoid", "localincidenceangle")
"""SNAP's bands of incidence angles, the one to be preferred first."""

_COEFFICIENTS: dict[str, Kind] = {
    **dict.fromkeys(("beta", "beta0", "betanought", "betanaught"), "beta0"),
    **dict.fromkeys(("sigma", "sigma0", "sigmanought", "sigmanaught"), "sigma0"),
    **dict.fromkeys(("gamma", "gamma0", "gammanought", "gammanaught"), "gamma0"),
    **dict.fromkeys(("β0", "β"), "beta0"),
    **dict.fromkeys(("σ0", "σ", "s0", "nrcs"), "sigma0"),
    **dict.fromkeys(("γ0", "γ", "g0"), "gamma0"),
}
_NO_UNITS = frozenset({"1", "unitless", "dimensionless", "none", "na", "n", "a", "intensity"}) | {
    *("unspecified", "unknown", "undefined"),
}
_DECIBELS = frozenset({"db", "decibel", "decibels", "dezibel", "décibel", "décibels", "decibelios"})
_LINEAR = frozenset({"linear", "lin"})
_INTENSITY = frozenset(
    {"intensity", "intensities", "intensität", "intensité", "intensidad", "intensità"}
)
_OTHER_WORDS = """
amplitude amplitudes amp ampl magnitude sqrt root voltage dn digital phase i q real imag imaginary
re im complex slc coherence coh std stdev sd stddev deviation variance var cv enl entropy contrast
homogeneity energy dissimilarity correlation asm max min median count ratio difference texture
mean average avg log log10 ln neper noise nesz angle incidence lia degrees deg radians radian rad
elevation height dem dsm slope aspect simulated simulatedimage simulation projected
ifg interferogram interferometric pha phs unwrapped unw wrapped displacement disp los velocity
percentile sum span anomaly zscore trend index rvi rfdi dprvi dop weight weights flag flags counts
snr classes labels rcs uncertainty error errors quality anisotropy alpha pauli eigenvalue stokes
covariance coherency kennaugh c11 c22 c33 t11 t22 t33 divergence diff delta change abs residual
quantile coefvar probability confidence fase
ampiezza ampiezze kohärenz coerenza winkel einfallswinkel ángulo angulo angolo mittel mittelwert
moyenne media promedio médiane mediana varianz varianza écart ecart abweichung standardabweichung
verhältnis rapport rapporto cociente textur kontrast rauschen bruit rumore ruido genlik 振幅 位相
амплитуда фаза
"""
_PLAIN_WORDS = """
0 t e nought naught zero backscatter backscattering coefficient power rtc nrb grd terrain flattened
flattening corrected calibrated radiometric radiometrically normalised normalized normalisation
normalization pol polarisation polarization polarised polarized band channel layer tf tc cal in of
the for sar x c with unit units float32 float64 float paz paz1 tsx tsx1 tdx tdx1 ellipsoid m2 m
value values band1 band2 band3 b1 b2 b3
"""
_SHORT = frozenset({"beta", "sigma", "gamma", "s0", "g0", "σ", "γ", "β"})
_DEFINITE = frozenset(
    {"amplitude", "amplitudes", "phase", "coherence", "complex", "interferogram"}
) | {
    *("magnitude", "sqrt"),
}
_SHORT_TEXT = 60
"""Words of `_OTHER_WORDS` that no file of backscatter has in its name."""
_OTHER_BEGINNINGS = ("glcm", "amplitud", "coheren", "interfero", "uncalib", "uncert", "magnitud")
_OTHER_FORMS = re.compile(r"[pq]\d\d|sigma\d\d|(?!(hh|hv|vh|vv)\1)(?:[hv]{2}){2}")
"""Percentiles, coefficients brought to an angle, and products of two polarisations."""
_OWN_PRODUCT = re.compile(r"(hh|hv|vh|vv)\1")
"""Power as NISAR's products call it."""
_FORMULA = re.compile(
    r"[|√∠]|[*×]\s*\d|\d\s*[*×]|(?<![a-z0-9])x\s?\d+(?![a-z0-9])|/\s*10+\b|"
    r"(?<![a-z0-9.])1e-?\d|centi",
    re.I,
)
"""Signs of values that were made of backscatter, or multiplied."""
_OF_UNITS = frozenset({*_NO_UNITS, *_DECIBELS, *_LINEAR, *_INTENSITY, *_COEFFICIENTS}) | {
    *("power", "backscatter", "backscattering", "coefficient"),
}
_NO_SIZE = frozenset({"m2/m2", "m2m2", "m2m-2", "-", ""})
"""Units of area per area and of numbers, without signs that programs write between."""
_OF_MASKS = frozenset({"mask", "layover", "shadow", "layovershadow", "and", "codes", "band"})
_OTHER, _PLAIN = frozenset(_OTHER_WORDS.split()), frozenset(_PLAIN_WORDS.split())
_SWATH = re.compile(r"iw\d?|ew\d?|s[1-6]|sm|strip|stripfar|stripnear")
_SNAP = re.compile(
    r"(?P<kind>beta|sigma|gamma)0_(?:(?:IW|EW)\d_|S\d_)?(?P<channel>HH|HV|VH|VV)(?P<db>_db)?", re.I
)
_DATED = re.compile(
    r"(?<!\d)(?P<d>\d\d)[-. /_]?(?P<name>[a-z]{3,9})[-. ,/_]*(?:20)?(?P<y>\d\d)(?!\d)|"
    r"(?<![a-z])(?P<name2>[a-z]{3,9})[. ]+(?P<d2>\d\d?)(?:st|nd|rd|th)?,? +20(?P<y2>\d\d)(?!\d)|"
    r"(?<!\d)20(?P<y3>\d\d)(?P<sign>[-/_.]?)(?P<m3>\d\d)(?P=sign)(?P<d3>\d\d)(?!\d)|"
    r"(?<![\d.])(?P<d4>\d\d?)(?P<sign2>[./-])(?P<m4>\d\d?)(?P=sign2)20(?P<y4>\d\d)(?!\d)|"
    r"(?<!\d)20(?P<y5>\d\d)[-_.](?P<of_year>[0-3]\d\d)(?!\d)",
    re.I,
)
"""A date as SNAP and other programs write it in names: by month, by number, or by day of year."""
_TIMED = re.compile(r"(?<!\d)(20\d{6})[T_-]?(\d{6})(?!\d)", re.I)
_MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september"),
    *("october", "november", "december"),
)
_ASF = re.compile(
    r"_RTC?\d+_(?:\d{8}T\d{6}_)?[A-Z]_(?P<kind>[gs])(?P<scale>[pad])(?:[uw][nf][ec][dm]|[nf])_?",
    re.I,
)
"""The part of a name in which ASF's RTC products tell coefficient, scale and processing."""
_BESIDE = re.compile(
    r"[_-](?:dem|area|rgb|ls|lsm|inc|lia|nesz|angle|incidence|pix_\w+|amp|ampl|ampiezza|coh|cor|cc|pha|"
    r"unw|ifg|slc|std)(?:_map)?(?:[_-]geo)?\.tiff?$",
    re.I,
)
"""How names of layers end that SNAP, GAMMA, ISCE, ASF and pyroSAR write beside backscatter."""
_NRB = re.compile(r"-(?:hh|hv|vh|vv)-(?P<kind>[gs])-(?P<scale>lin|log)\.tiff?$", re.I)
"""The end of a name of Copernicus's normalised backscatter."""
_SCALES = {"p": "linear", "a": "amplitude", "d": "db", "lin": "linear", "log": "db"}


@dataclass(frozen=True)
class Said:
    """What a band's name or unit says; None where it does not.

    `layer` is one of `scene.BANDS`; `unknown` are words that mean nothing here.
    """

    layer: str | None = None
    kind: Kind | None = None
    scale: Literal["linear", "dB"] | None = None
    unknown: tuple[str, ...] = ()


def snap_band(name: str) -> Said | None:
    """A name that SNAP gives a band of calibrated backscatter, whole; None for any other."""
    match = _SNAP.fullmatch(name)
    if match is None:
        return None
    kind = _COEFFICIENTS[match["kind"].lower()]
    return Said(match["channel"].upper(), kind, "dB" if match["db"] else "linear")


def read_name(text: str) -> Said:
    """What the description or unit of a band says, word by word."""
    words = _words(text)
    joined = "".join(words)
    if joined in ANGLES:
        return Said("incidence")
    if "mask" in words or {"layover", "shadow"} <= set(words) or joined == "layovershadowmask":
        return Said("mask", unknown=tuple(word for word in words if word not in _OF_MASKS))
    words = [part for word in words for part in _parts(word)]
    channels = {word.upper() for word in words if word.upper() in POLARISATIONS}
    decibels, linear = _has(words, _DECIBELS), _has(words, _LINEAR)
    unknown = [word for word in words if not _is_known(word)]
    return Said(
        layer=channels.pop() if len(channels) == 1 else None,
        kind="other" if _FORMULA.search(text) and not _has_no_size(text) else _kind(words),
        scale="dB" if decibels else ("linear" if linear else None),
        unknown=tuple(unknown) if len(channels) < 2 else tuple(words),
    )


def file_words(name: str) -> str:
    """What the end of a file's name, or one of ASF's radiometrically terrain-corrected products or
    of Copernicus's, says of its values; empty where neither does.
    """
    if _BESIDE.search(name):
        return "angle"
    found = _ASF.search(name) or _NRB.search(name)
    if found is None:
        return ""
    kind = {"g": "gamma0", "s": "sigma0"}[found["kind"].lower()]
    return f"{kind} {_SCALES[found['scale'].lower()]}"


def plain_words(text: str) -> str:
    """The words of any text, such as a file's name, that can mean nothing but what values are."""
    words = [part for word in _words(text) for part in _parts(word)]
    known = _COEFFICIENTS.keys() - _SHORT | _DECIBELS | _DEFINITE
    return " ".join(w for w in words if w in known or w.upper() in POLARISATIONS)


def is_definitely_other(text: str) -> bool:
    """Whether a short text says, in words that are all known, what no backscatter is called."""
    if len(text) > _SHORT_TEXT or _DEFINITE.isdisjoint(_words(text)):
        return False
    return read_name(text).kind == "other" and not read_name(text).unknown


def dates_in(text: str) -> Iterator[frozenset[date]]:
    """Dates in a name, each with all its readings: 01/02/2020 is one of February or January."""
    for found in _DATED.finditer(text):
        part = {key.rstrip("2345"): value for key, value in found.groupdict().items() if value}
        name = part.get("name", "").lower()
        months = [at for at, full in enumerate(_MONTHS, 1) if name and full.startswith(name)]
        year, readings = 2000 + int(part["y"]), set[date]()
        if "of_year" in part:
            readings = {date(year, 1, 1) + timedelta(days=int(part["of_year"]) - 1)}
        else:
            day, month = int(part["d"]), int(part.get("m", months[0] if months else 0))
            swapped = [(day, month)] if found["d4"] else []
            for one, other in ((month, day), *swapped):
                with contextlib.suppress(ValueError):
                    readings.add(date(year, one, other))
        if readings:
            yield frozenset(readings)


def says_other_day(text: str, day: date) -> bool:
    """Whether a name holds a date, by any reading, that is not this day nor beside it: one pass may
    cross midnight.
    """
    return any(all(abs((one - day).days) > 1 for one in found) for found in dates_in(text))


def without_processing(name: str, start: datetime) -> str:
    """A file's name without times at which it may have been made: later than its start, and not at
    the hour at which the satellite passes.
    """

    def kept(found: re.Match[str]) -> str:
        try:
            made = datetime.strptime(found[1] + found[2], "%Y%m%d%H%M%S").replace(
                tzinfo=start.tzinfo
            )
        except ValueError:
            return found[0]
        beside = abs((made - start) % timedelta(days=1) - timedelta(hours=12))
        return "" if made > start and beside < timedelta(hours=11, minutes=50) else found[0]

    return _TIMED.sub(kept, name)


def is_unit(text: str) -> bool:
    """Whether a unit may be that of backscatter; an empty one may.

    Words that names of bands are full of, such as `m` and `in`, are units of other things.
    """
    return _has_no_size(text) or (
        not set(read_name(text).unknown) - _NO_UNITS
        and "%" not in text
        and _has(_words(text), _OF_UNITS)
    )


def _has_no_size(text: str) -> bool:
    """Whether a unit is that of area per area or of plain numbers, however it is written."""
    bare = re.sub(r"[\s^.·()\[\]]|\*\*", "", unicodedata.normalize("NFKC", text)).lower()
    return bare in _NO_SIZE


def _words(text: str) -> list[str]:
    """Of a name or unit: `layoverShadowMask` has three, `dB` is one, and `σ⁰` is σ0."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("dB", "db")).lower()
    return [word for word in re.split(r"[^\w]+|_", text) if word]


def _parts(word: str) -> list[str]:
    """A word, or the coefficient and the polarisation written as one; `hhhh` is the power of HH."""
    own = _OWN_PRODUCT.fullmatch(word)
    if own is not None:
        return [own[1]]
    for channel in POLARISATIONS:
        name = word.removesuffix(channel.lower())
        if name != word and name in _COEFFICIENTS:
            return [name, channel.lower()]
    return [word]


def _has(words: Iterable[str], some: frozenset[str]) -> bool:
    return not some.isdisjoint(words)


def _is_other(word: str) -> bool:
    return word.startswith(_OTHER_BEGINNINGS) or _OTHER_FORMS.fullmatch(word) is not None


def _kind(words: list[str]) -> Kind | None:
    if _has(words, _OTHER) or any(map(_is_other, words)):
        return "other"
    kinds = {_COEFFICIENTS[word] for word in words if word in _COEFFICIENTS}
    if len(kinds) > 1:
        return "other"
    if kinds:
        return kinds.pop()
    return "intensity" if _has(words, _INTENSITY) else None


def _is_known(word: str) -> bool:
    known = word in _PLAIN or word in _COEFFICIENTS or word.upper() in POLARISATIONS
    known |= word in _DECIBELS or word in _LINEAR or word in _INTENSITY or word in _OTHER
    return known or _SWATH.fullmatch(word) is not None
