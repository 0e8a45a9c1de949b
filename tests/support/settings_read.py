"""Which settings of a run's configuration a piece of code reads."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator

from cpazmal_scale.config import RunConfig
from cpazmal_scale.config.section import Section


def names(section: type[Section] = RunConfig, before: str = "") -> Iterator[str]:
    """Every setting, such as `dtw.radius`."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            yield from names(kind, f"{before}{name}.")
        else:
            yield before + name


@contextlib.contextmanager
def noted() -> Iterator[set[str]]:
    """The settings that are read in this block, of sections that belong to a `RunConfig`.

    Sections that a model or map brings do not count, nor what the configuration checks of itself.
    """
    read: set[str] = set()
    places: dict[int, tuple[Section, str]] = {}

    def note(section: Section, name: str) -> object:
        value = object.__getattribute__(section, name)
        if name not in type(section).model_fields:
            return value
        before = "" if isinstance(section, RunConfig) else places.get(id(section), (None, None))[1]
        code = sys._getframe(1).f_code
        checks = "/config/" in code.co_filename and code.co_name.startswith(("_", "<"))
        if before is None or checks or "cpazmal_scale" not in code.co_filename:
            return value
        if isinstance(value, Section):
            places[id(value)] = value, f"{before}{name}."
        else:
            read.add(before + name)
        return value

    Section.__getattribute__ = note  # type: ignore[method-assign, assignment]
    try:
        yield read
    finally:
        del Section.__getattribute__
