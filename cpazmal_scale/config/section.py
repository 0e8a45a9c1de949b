"""What every part of the configuration is: frozen, strict, and silent about its values."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from cpazmal_scale.addresses import address

Address = Annotated[str, AfterValidator(address)]
"""A path or URL as a user writes it; `~` is the home folder, and secrets are refused."""


class Section(BaseModel):
    """A frozen part of the run's configuration; unknown keys are refused."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, hide_input_in_errors=True
    )
