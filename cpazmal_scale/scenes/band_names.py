"""What the name of a band says: SNAP's whole names, and the plain words of other programs."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
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
    **dict.fromkeys(("σ0", "σ", "s0"), "sigma0"),
    **dict.fromkeys(("γ0", "γ", "g0"), "gamma0"),
}
_NO_UNITS = frozenset({"1", "unitless", "dimensionless", "none", "na", "n", "a", "intensity"})
_DECIBELS = frozenset({"db", "decibel", "decibels"})
_LINEAR = frozenset({"linear", "lin"})
_INTENSITY = frozenset({"intensity", "intensities"})
_OTHER_WORDS = """
amplitude amplitudes amp ampl magnitude sqrt root voltage dn digital phase i q real imag imaginary
re im complex slc coherence coh std stdev sd stddev deviation variance var cv enl entropy contrast
homogeneity energy dissimilarity correlation asm max min median count ratio difference texture
mean average avg log log10 ln neper noise nesz angle incidence lia degrees deg radians radian rad
elevation height dem dsm slope aspect simulated simulatedimage simulation projected
ifg interferogram interferometric pha phs unwrapped unw wrapped displacement disp los velocity
percentile sum span anomaly zscore trend index rvi rfdi dprvi dop weight weights flag flags counts
snr classes labels
"""
_PLAIN_WORDS = """
0 t e nought naught zero backscatter backscattering coefficient power rtc nrb grd terrain flattened
flattening corrected calibrated radiometric radiometrically normalised normalized normalisation
normalization pol polarisation polarization polarised polarized band channel layer tf tc cal in of
the for sar x c with unit units float32 float64 float paz paz1 tsx tsx1 tdx tdx1 ellipsoid m2 m
value values band1 band2 band3 b1 b2 b3
"""
_SHORT = frozenset({"beta", "sigma", "gamma", "s0", "g0", "σ", "γ", "β"})
_DEFINITE = frozenset({"amplitude", "amplitudes", "phase", "coherence", "complex", "interferogram"})
"""Words of `_OTHER_WORDS` that no file of backscatter has in its name."""
_OF_UNITS = frozenset({*_NO_UNITS, *_DECIBELS, *_LINEAR, *_INTENSITY, *_COEFFICIENTS}) | {
    *("power", "backscatter", "backscattering", "coefficient"),
}
_AREA_PER_AREA = ["m2", "m2"]
_OF_MASKS = frozenset({"mask", "layover", "shadow", "layovershadow", "and", "codes", "band"})
_OTHER, _PLAIN = frozenset(_OTHER_WORDS.split()), frozenset(_PLAIN_WORDS.split())
_SWATH = re.compile(r"iw\d?|ew\d?|s[1-6]|sm|strip|stripfar|stripnear")
_SNAP = re.compile(
    r"(?P<kind>beta|sigma|gamma)0_(?:(?:IW|EW)\d_|S\d_)?(?P<channel>HH|HV|VH|VV)(?P<db>_db)?", re.I
)


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
        kind=_kind(words),
        scale="dB" if decibels else ("linear" if linear else None),
        unknown=tuple(unknown) if len(channels) < 2 else tuple(words),
    )


def plain_words(text: str) -> str:
    """The words of any text, such as a file's name, that can mean nothing but what values are."""
    words = [part for word in _words(text) for part in _parts(word)]
    known = _COEFFICIENTS.keys() - _SHORT | _DECIBELS | _DEFINITE
    return " ".join(w for w in words if w in known or w.upper() in POLARISATIONS)


def is_unit(text: str) -> bool:
    """Whether a unit may be that of backscatter; an empty one may.

    Words that names of bands are full of, such as `m` and `in`, are units of other things.
    """
    said, words = read_name(text), _words(text)
    return not text.strip() or (
        not set(said.unknown) - _NO_UNITS
        and "%" not in text
        and (_has(words, _OF_UNITS) or words == _AREA_PER_AREA)
    )


def _words(text: str) -> list[str]:
    """Of a name or unit: `layoverShadowMask` has three, `dB` is one, and `σ⁰` is σ0."""
    text = unicodedata.normalize("NFKC", text)
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.replace("dB", "db")).lower()
    return [word for word in re.split(r"[^\w]+|_", text) if word]


def _parts(word: str) -> list[str]:
    """A word, or the coefficient and the polarisation written as one."""
    for channel in POLARISATIONS:
        name = word.removesuffix(channel.lower())
        if name != word and name in _COEFFICIENTS:
            return [name, channel.lower()]
    return [word]


def _has(words: Iterable[str], some: frozenset[str]) -> bool:
    return not some.isdisjoint(words)


def _kind(words: list[str]) -> Kind | None:
    if _has(words, _OTHER) or any(word.startswith("glcm") for word in words):
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
