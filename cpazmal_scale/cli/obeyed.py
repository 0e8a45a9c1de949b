"""Which settings change what a verb does: flags of all others are refused, or told."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.idle import idle
from cpazmal_scale.errors import ConfigError

_LOG = logging.getLogger(__name__)

_EVERYWHERE = ("workspace", "cluster")
"""Where a run is, and where it is computed: every verb takes these, and they change no result."""
_PRODUCT = ("beam", "samples.table.url", "samples.table.name")
_PERIOD = ("start", "end", "months", "dates")
_SERIES = (*_PRODUCT, *_PERIOD, "polarisations", "features", "samples", "legend", "seed")
_LEARNT = (*_SERIES, "dtw", "train", "few_dates")
_CHOSEN = ("classify.method", "classify.candidates", "classify.network", "classify.reject")
_MAPPED = tuple(f"classify.{name}" for name in ("method", "reject", "outlines", "exclude", "block"))
_COMPARED = (
    *("polarisations", "features"),
    *("dtw.min_dates", "dtw.radius", "dtw.band_days", "dtw.open_ends"),
)
"""What a map has from its model, and refuses if a run asks for another."""
_CLASSIFIED = (*_COMPARED, *_PRODUCT, *_PERIOD, *_MAPPED, "dtw.season_start", "legend", "cluster")
_PLACES = ("after.outlines", "after.zone")
_WHOLE = (*_LEARNT, "ingest", "classify", "assess", "cluster")

OBEYED: dict[str, tuple[str, ...]] = {
    "areas design": ("seed",),
    "areas estimate": (*_PLACES, "seed"),
    "assess": (*_LEARNT, *_MAPPED, "assess", "cluster"),
    "change": ("legend", "cluster"),
    "classify": _CLASSIFIED,
    "dataset export": (*_PRODUCT, *_PERIOD, "samples.polygons", "samples.classes"),
    "export": _PRODUCT,
    "fuse": ("legend", "cluster"),
    "ingest": ("ingest", "cluster"),
    "inspect": ("ingest",),
    "label": (*_SERIES, "classify.method", "assess.split", "assess.report"),
    "map": (*_CLASSIFIED, "few_dates"),
    "refine": (*_PRODUCT, "after", "legend", "cluster"),
    "run": _WHOLE,
    "samples": _SERIES,
    "samples import": ("beam", "samples.table", "samples.classes", "legend"),
    "samples query": _PRODUCT,
    "talk": _WHOLE,
    "train": (*_LEARNT, *_CHOSEN, "cluster"),
    "verify": ("ingest",),
    "view": _PRODUCT,
    "zonal": (*_PLACES, "cluster"),
}
"""Settings, or whole sections, by verb; the verbs that are not here keep or show all."""

STEPS = ("ingest", "samples", "samples import", "train", "classify", "map", "assess")
"""Steps of the main job, which people give the same flags one after the other."""


def obeys(verb: str, name: str) -> bool:
    """Whether a setting, such as `dtw.radius`, may change what a verb does."""
    return verb not in OBEYED or _within(name, (*_EVERYWHERE, *OBEYED[verb]))


def shows(verb: str, name: str) -> bool:
    """Whether the help of a verb shows a setting: if it may change what the verb does, or where."""
    return verb not in OBEYED or _within(name, ("workspace", *OBEYED[verb]))


def require_effect(verb: str, given: Mapping[str, Any], config: RunConfig) -> None:
    """Refuse the first flag that changes nothing of what a verb does.

    A step of the main job names a flag that belongs to another step, and goes on. It names settings
    of the file that change nothing, because of another one, as well.

    Args:
        verb: as it is written, such as `areas design`.
        given: the settings of its flags, nested as in the configuration.
        config: all settings of the verb, those of its flags too.

    Raises:
        ConfigError: it names the flag, and where it belongs.
    """
    flags = set(_leaves(given))
    for name in sorted(flags):
        if obeys(verb, name):
            continue
        users = ", ".join(other for other in OBEYED if obeys(other, name))
        told = f"{_flag(name)} changes nothing of `cpazmal {verb}`"
        if verb not in STEPS or not any(obeys(step, name) for step in STEPS):
            raise ConfigError(told, remedy=f"leave it out; it belongs to {users}")
        _LOG.warning("%s; it belongs to %s", told, users)
    for name, other in idle(config):
        if name in flags:
            raise ConfigError(
                f"{_flag(name)} changes nothing without {other}", remedy="leave it out, or set that"
            )
        if obeys(verb, name):
            _LOG.warning("%s changes nothing without %s", name, other)


def setting_of(flag: str) -> str:
    """The setting that a flag such as `--dtw.band-days` or `--dtw.band-days=22` gives."""
    return flag.removeprefix("--").partition("=")[0].replace("-", "_")


def _within(name: str, places: Sequence[str]) -> bool:
    return any(name == one or name.startswith(f"{one}.") for one in places)


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def kept(verb: str, flags: Sequence[str]) -> list[str]:
    """The flags, with their values, that another verb takes too."""
    words, wanted = [], True
    for word in flags:
        if word.startswith("--"):
            name = setting_of(word)
            wanted = name == "config" or obeys(verb, name)
        words += [word] if wanted else []
    return words


def _leaves(values: Mapping[str, Any], before: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield before + name
