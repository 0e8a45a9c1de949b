"""What every part of the configuration is: frozen, strict, and silent about its values."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from cpazmal_scale.addresses import address

Address = Annotated[str, AfterValidator(address)]
"""A path or URL as a user writes it; `~` is the home folder, and secrets are refused."""


ODD: dict[str, Any] = {"not": {"type": "integer", "multipleOf": 2}}
"""An odd number in a JSON schema, which is checked where a run is asked for."""


def never_both(one: str, condition: Any, other: str, type_: str) -> ConfigDict:
    """A JSON schema that refuses one setting that meets a condition beside another of a type."""
    free: Any = [
        {"properties": {one: {"not": condition}}},
        {"properties": {other: {"not": {"type": type_}}}},
    ]
    return ConfigDict(json_schema_extra={"dependentSchemas": {other: {"anyOf": free}}})


class Section(BaseModel):
    """A frozen part of the run's configuration; unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )
