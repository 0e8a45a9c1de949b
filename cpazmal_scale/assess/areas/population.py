"""The population of an area estimate: the part of a map that its units stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cpazmal_scale.words import many, per_cent

_NEARLY = 0.9995
"""Share of the map that would be printed as 100.0 % although some of it is missing."""


@dataclass(frozen=True)
class Population:
    """Planimetric areas in km², and units that nobody could tell.

    `mapped` has a class in the map; units are drawn, and areas estimated, in the `covered` part of
    it, where the reference exists (all of it for interpreted points). `rejected` and `no_data`
    (layover, shadow, too few dates, what was left out) are outside. `units` were drawn; `unknown`
    counts by map class those whose answer is unknown, `removed` those that the file lacks, and
    `beside` by answer those whose answer is no class of the map.
    """

    mapped: float
    covered: float
    rejected: float
    no_data: float
    units: int
    unknown: Mapping[str, int]
    removed: int = 0
    beside: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        whole = f"the {self.mapped:.4f} km² that have a class in the map"
        if self.covered < self.mapped:
            part = self.covered / self.mapped
            share = "nearly all" if part >= _NEARLY else per_cent(part)
            whole = f"{self.covered:.4f} km² with a reference, {share} of {whole}"
        lines = [
            f"planimetric areas in km², of {whole}",
            f"not mapped: no data {self.no_data:.4f} km², rejected {self.rejected:.4f} km²",
        ]
        lost = sum(self.unknown.values()) + self.removed
        if lost:
            parts = [f"{count} unknown on {code}" for code, count in self.unknown.items() if count]
            parts += [f"{self.removed} removed from the file"] if self.removed else []
            lines.append(
                f"{lost} of {self.units} units ({per_cent(lost / self.units)}) without a class: "
                f"{', '.join(parts)}; the others of their map class stand for them"
            )
        if self.beside:
            parts = [f"{name} ({many(count, 'unit')})" for name, count in self.beside.items()]
            lines.append(
                f"no class of the map: {', '.join(parts)}; surfaces that the map lacks, or answers "
                "to correct"
            )
        return "\n".join(lines)
