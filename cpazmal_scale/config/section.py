"""The base of every section: frozen, strict, and without given values in its error messages."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from pathlib import PurePosixPath
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    ValidationInfo,
    field_validator,
    model_validator,
)

from cpazmal_scale.addresses import FORBIDDEN_TEXT, address, holds_secret, is_remote

_ENDLESS = 2**53
FOLDER = "folder"
"""Key of a validation's context: the folder that relative paths start from; none: here."""


def _placed(text: str, info: ValidationInfo) -> str:
    """The address a user means, seen from the folder of the file it stands in."""
    folder = (info.context or {}).get(FOLDER, "")
    meant = address(text)
    if not meant:
        raise ValueError("an empty address; leave the setting out for none")
    if folder in ("", ".") or is_remote(meant) or meant.startswith(("/", "file://")):
        return meant
    return os.path.normpath(f"{folder}/{meant}")


def _placed_file(text: str, info: ValidationInfo) -> str:
    """A name, or the address of a file, which has a suffix."""
    return _placed(text, info) if PurePosixPath(text).suffix else address(text)


def _plain(text: str) -> str:
    if holds_secret(text):
        raise ValueError("a name holds a password, token or signature; leave it out")
    return text


Address = Annotated[str, AfterValidator(_placed)]
"""A path or URL as a user writes it; `~` is the home folder, and secrets are refused."""
NameOrAddress = Annotated[str, AfterValidator(_placed_file)]
"""A known name, or a path or URL."""
Elsewhere = Annotated[str, AfterValidator(address)]
"""A path or URL that is not of this machine's files."""


def text(value: str) -> str:
    """A text that files and pictures can hold.

    Raises:
        ValueError: it has signs that are none: half of a pair, or a byte that is no UTF-8.
    """
    if any("\ud800" <= sign <= "\udfff" for sign in value):
        raise ValueError("it holds bytes that are no text; write it in UTF-8")
    return value


Label = Annotated[str, AfterValidator(text)]
"""A name that is written on maps and pages."""
_LONG_MONTHS = (
    r"(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
)
_DAY = rf"^[0-9]{{4}}-(?:{_LONG_MONTHS}|02-(?:0[1-9]|[12][0-9]))$"
"""A day that some year has, in a JSON schema."""
DAY_OF_EVERY_YEAR = rf"^(?:{_LONG_MONTHS}|02-(?:0[1-9]|1[0-9]|2[0-8]))$"
"""Month and day that every year has, in a JSON schema."""


class _Forbidden:
    """Adds to a text's schema that it holds no plain secret."""

    def __get_pydantic_json_schema__(
        self, core: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        schema = handler(core)
        _checked(schema)
        return schema


Name = Annotated[str, AfterValidator(_plain), _Forbidden()]
"""The name of something in the catalog."""
ODD: dict[str, Any] = {"not": {"type": "integer", "multipleOf": 2}}
"""An odd number in a JSON schema, which is checked where a run is asked for."""
ONCE: dict[str, Any] = {"uniqueItems": True}
"""A list that names each thing once, where a run is asked for, too."""


def never_both(one: str, condition: Any, other: str, type_: str) -> ConfigDict:
    """A JSON schema that refuses one setting that meets a condition beside another of a type."""
    free: Any = [
        {"properties": {one: {"not": condition}}},
        {"properties": {other: {"not": {"type": type_}}}},
    ]
    return ConfigDict(json_schema_extra={"dependentSchemas": {other: {"anyOf": free}}})


_APART: ContextVar[bool] = ContextVar("apart", default=False)


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """Settings that are made in this block are a part of a configuration, such as flags.

    Rules across settings wait until they stand with those of the file.
    """
    token = _APART.set(True)
    try:
        yield
    finally:
        _APART.reset(token)


def together(rule: Callable[[Any], Any]) -> Any:
    """A rule across settings, which waits while they are `apart`."""
    return model_validator(mode="after")(lambda self: self if _APART.get() else rule(self))


def _checked(schema: Any) -> None:
    """Refuse plain secrets, and days that no year has, where a schema asks for text.

    Prefect stores what it accepts, and does not look at formats.
    """
    for part in (schema.get("items"), schema.get("additionalProperties")):
        if isinstance(part, dict):
            _checked(part)
    for part in (*schema.get("anyOf", ()), *schema.get("prefixItems", ())):
        _checked(part)
    if schema.get("type") != "string" or "enum" in schema or "const" in schema:
        return
    if schema.get("format") == "date":
        schema["pattern"] = _DAY
    else:
        schema["not"] = {"pattern": FORBIDDEN_TEXT}


def _takes(annotation: Any) -> bool:
    """Whether a setting may be true or false."""
    return annotation is bool or any(map(_takes, get_args(annotation)))


class Section(BaseModel):
    """A frozen part of the run's configuration; unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """Its JSON schema, in which no text may be a plain secret and days are days."""
        schema = handler(core_schema)
        for field in handler.resolve_ref_schema(schema).get("properties", {}).values():
            _checked(field)
        return schema

    @field_validator("*", mode="before")
    @classmethod
    def _null_of_a_flag(cls, value: Any, info: ValidationInfo) -> Any:
        """`null` takes a value away in a flag, too, whose words are all text."""
        kinds = get_args(cls.model_fields[str(info.field_name)].annotation)
        given = _APART.get() and value in ("null", ["null"], ("null",))
        return None if given and type(None) in kinds else value

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """`yes` and `true` are no numbers, though Python counts them as 1."""
        name = str(info.field_name)
        if isinstance(value, bool) and not _takes(cls.model_fields[name].annotation):
            raise ValueError("true and false, yes and no have no meaning here: write a value")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _no_endless_numbers(cls, value: Any) -> Any:
        if isinstance(value, int) and abs(value) >= _ENDLESS:
            raise ValueError("the number is too large")
        if isinstance(value, float) and not math.isfinite(value):
            raise ValueError("the number is not finite; leave the setting out for no limit")
        return value

    @field_validator("*", mode="after")
    @classmethod
    def _each_once(cls, value: Any, info: ValidationInfo) -> Any:
        if value and cls.model_fields[str(info.field_name)].json_schema_extra == ONCE:
            twice = next((one for at, one in enumerate(value) if one in value[:at]), None)
            if twice is not None:
                raise ValueError(f"{twice} is there twice")
        return value

    @model_validator(mode="before")
    @classmethod
    def _empty_sections(cls, values: Any) -> Any:
        """A section below which nothing is written, or only comments, is as it is by default."""
        if not isinstance(values, dict):
            return values
        sections = {
            name
            for name, field in cls.model_fields.items()
            if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        }
        return {
            name: one for name, one in values.items() if one is not None or name not in sections
        }
