"""Everything that decides a map's values, as plain JSON: its identity and its provenance."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from cpazmal_scale.config import Features

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Recipe(BaseModel):
    """What a map is made from; two maps with equal recipes are equal.

    Blocks, workers and addresses are not part of it: they change nothing in the map.
    """

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    model: str
    """Identity of the model."""
    cube: str
    """File name of the cube."""
    cube_state: str
    """Identity of the cube's content."""
    beam: str
    """Viewing geometry."""
    dates: tuple[str, ...]
    """Dates that are used (T), UTC, in order of time."""
    polarisations: tuple[str, ...]
    """Channels that are used, co-polarised first."""
    classes: tuple[str, ...]
    """Class codes; the map holds their position, counted from 1."""
    method: str = Field(validation_alias=AliasChoices("method", "decision"))
    """Classifier, as `classify.method` calls it."""
    reject: float | None
    """Largest distance to a class, in units of the within-class distance."""
    outlines: str | None = None
    """Identity of the outlines that the map keeps to."""
    exclude: str | None = None
    """Identity of the mask of what the map leaves out."""
    season_start: str = "01-01"
    """First day of the season of the dates, `MM-DD`."""
    withheld: str | None = None
    """Why the map has no probabilities, entropy and margin; none: it has them."""
    features: Features
    """How windows become series; the model's own."""

    @property
    def days(self) -> NDArray[np.datetime64]:
        """`dates` (T,) as datetime64[s]."""
        import numpy as np

        return np.array(self.dates, "datetime64[s]")
