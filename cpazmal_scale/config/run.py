"""One frozen model of a run: YAML file, CLI flags, Prefect parameters and the run's identity."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator

from cpazmal_scale.addresses import holds_secret
from cpazmal_scale.config.cluster import Cluster
from cpazmal_scale.config.learning import Dtw, Features, Samples, Train
from cpazmal_scale.config.legend import ClassStyle, shared_colour
from cpazmal_scale.config.maps import After, Assess, Classify
from cpazmal_scale.config.scenes import Ingest
from cpazmal_scale.config.section import FOLDER, ONCE, Address, Section, text, together
from cpazmal_scale.config.written import plain_words, read_yaml, yaml_value
from cpazmal_scale.errors import ConfigError
from cpazmal_scale.vocabulary import CO_POLARISED

_NULL = "# `none:` in a comment says what holds when the setting is null."


class RunConfig(Section):
    """A whole run, from scenes to map."""

    workspace: Address = "build/run"
    """Folder or bucket URL that holds cubes, samples, models, maps and the catalog."""
    beam: str | None = None
    """Viewing geometry to train on and map; none: the only one there is."""
    start: date | None = None
    """First date used for training and mapping."""
    end: date | None = None
    """Last date used for training and mapping."""
    months: tuple[Annotated[int, Field(ge=1, le=12)], ...] | None = Field(
        None, json_schema_extra=ONCE
    )
    """Months used for training and mapping, such as 12, 1, 2; none: all."""
    dates: tuple[date, ...] | None = Field(None, json_schema_extra=ONCE)
    """Days used for training and mapping; none: all from `start` to `end`."""
    polarisations: tuple[str, ...] | None = Field(
        None, min_length=1, max_length=2, json_schema_extra=ONCE
    )
    """Co-polarised, then cross-polarised channel, such as HH, HV; none: those of the cube."""
    few_dates: int = Field(10, ge=0)
    """Channels with fewer dates than this in the period are named in a warning."""
    seed: int = Field(42, ge=0, lt=2**32)
    """Seed of every random choice."""
    legend: dict[str, ClassStyle] = Field({})
    """Name, colour, order and glacier by class code, such as `{ROC: {name: rock, colour: grey}}`;
    they change no value of a map, and come on top of what the polygons' columns say."""
    ingest: Ingest = Ingest()
    samples: Samples = Samples()
    features: Features = Features()
    dtw: Dtw = Dtw()
    train: Train = Train()
    classify: Classify = Classify()
    after: After = After()
    assess: Assess = Assess()
    cluster: Cluster = Cluster()

    @together
    def _period(self) -> Self:
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"start {self.start} is after end {self.end}")
        return self

    @field_validator("polarisations")
    @classmethod
    def _co_polarised_first(cls, channels: tuple[str, ...] | None) -> tuple[str, ...] | None:
        if channels and channels[0] not in CO_POLARISED and channels[-1] in CO_POLARISED:
            raise ValueError("write the co-polarised channel first")
        return channels

    @field_validator("legend")
    @classmethod
    def _colours_apart(cls, legend: dict[str, ClassStyle]) -> dict[str, ClassStyle]:
        for code in legend:
            text(code)
        shared = shared_colour(legend)
        if shared is not None:
            raise ValueError(shared)
        return legend

    @model_validator(mode="after")
    def _no_password(self) -> Self:
        for value in _texts(self.model_dump()):
            if holds_secret(value):
                raise ValueError("a setting holds a password, token or signature; leave it out")
        return self

    @property
    def period(self) -> dict[str, Any]:
        """Keywords that open a cube on the dates of this run."""
        return {name: getattr(self, name) for name in ("start", "end", "months", "dates")}

    def commented_yaml(self) -> str:
        """This configuration as YAML, every setting under a comment that says what it does."""
        return "\n".join([_NULL, *_commented(self, 0)]) + "\n"

    @classmethod
    def load(cls, path: str | Path, **overrides: Any) -> RunConfig:
        """Read a YAML run configuration; its relative paths start from the folder it lies in.

        Args:
            path: of the file.
            overrides: settings that replace those of the file; their paths start from here.

        Raises:
            ConfigError: the file is missing, is not YAML, or a setting is unknown or invalid.
        """
        file = Path(path)
        if file.exists() and not (file.is_file() or file.is_dir()):
            raise ConfigError(
                "a pipe or device, not a file", where=path, remedy="save the settings in a file"
            )
        try:
            text = file.read_text(encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                "the run configuration cannot be read",
                where=path,
                remedy=f"check the path ({error.strerror})",
            ) from None
        except ValueError:
            raise ConfigError(
                "not text in UTF-8",
                where=path,
                remedy="give the text file of settings, saved as UTF-8 in your editor",
            ) from None
        try:
            values = read_yaml(text) or {}
        except ValueError as error:
            raise ConfigError(
                str(error), where=path, remedy="`cpazmal config` prints a commented example"
            ) from None
        if not isinstance(values, dict):
            raise ConfigError(
                "not a mapping of settings",
                where=path,
                remedy="write `setting: value` lines; `cpazmal config` prints an example",
            )
        made = cls.parse(values, where=str(path), folder=str(Path(path).parent))
        return made.with_values(overrides) if overrides else made

    def placed(self, folder: str | Path) -> RunConfig:
        """This configuration with its relative paths, the workspace's too, seen from a folder."""
        values = {"workspace": self.workspace, **self.model_dump(exclude_unset=True)}
        return self.parse(values, folder=str(folder))

    def with_values(self, values: Mapping[str, Any]) -> RunConfig:
        """This configuration with some settings replaced; nested mappings replace one by one.

        Raises:
            ConfigError: the result contradicts itself.
        """
        return self.parse(_merged(self.model_dump(exclude_unset=True), values))

    @classmethod
    def parse(
        cls, values: dict[str, Any], *, where: str = "configuration", folder: str = ""
    ) -> RunConfig:
        """Validate plain values.

        Args:
            values: settings by name.
            where: what an error names.
            folder: where relative paths start; none: here.

        Raises:
            ConfigError: naming the first offending setting and what it may be.
        """
        try:
            return cls.model_validate(values, context={FOLDER: folder})
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            raise _refused(first, where) from None


def _refused(found: Any, where: str) -> ConfigError:
    """What pydantic found wrong with a setting, as this program's error."""
    loc: tuple[int | str, ...] = found["loc"]
    setting = ".".join(str(part) for part in loc)
    remedy = "`cpazmal config` prints every setting with its meaning and default"
    if found["type"] != "extra_forbidden":
        what = ": ".join(part for part in (setting, plain_words(found)) if part)
        return ConfigError(what, where=where, remedy=remedy)
    above = ".".join(map(str, loc[:-1]))
    near = difflib.get_close_matches(str(loc[-1]), sorted(_names(RunConfig, loc[:-1])), n=1)
    meant = [f"{above}.{name}" if above else name for name in near]
    meant += [name for name in _anywhere(RunConfig, str(loc[-1])) if name not in meant]
    if meant:
        remedy = f"did you mean `{meant[0]}`? {remedy}"
    return ConfigError(f"there is no setting `{setting}`", where=where, remedy=remedy)


def _names(section: Any, path: tuple[int | str, ...]) -> set[str]:
    """Settings of the section at a path."""
    for part in path:
        field = getattr(section, "model_fields", {}).get(part)
        section = None if field is None else field.annotation
    return set(getattr(section, "model_fields", {}))


def _anywhere(section: Any, name: str, prefix: str = "") -> Iterator[str]:
    """Places where there is a setting of this name."""
    for own, field in section.model_fields.items():
        if own == name:
            yield prefix + own
        if hasattr(field.annotation, "model_fields"):
            yield from _anywhere(field.annotation, name, f"{prefix}{own}.")


def _texts(value: object) -> Iterator[str]:
    """Every text in plain values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.values()))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _texts(one)


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    nested = {
        name: _merged(old[name], value)
        for name, value in new.items()
        if isinstance(value, Mapping) and isinstance(old.get(name), Mapping)
    }
    return {**old, **new, **nested}


def _commented(section: BaseModel, depth: int) -> Iterator[str]:
    margin = "  " * depth
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            summary = (type(value).__doc__ or "").splitlines()[0]
            yield from ("", f"{margin}# {summary}", f"{margin}{name}:")
            yield from _commented(value, depth + 1)
        else:
            plain = section.model_dump(mode="json", include={name})[name]
            yield f"{margin}# {' '.join((field.description or '').split())}"
            yield f"{margin}{name}: {yaml_value(plain)}"


def identity(*parts: object) -> str:
    """Sixteen hexadecimal digits naming the given settings and inputs; equal parts, equal name."""
    plain = [
        part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts
    ]
    text = json.dumps(plain, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
