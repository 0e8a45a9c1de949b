"""A layer of labelled polygons as a value: what edits take and give."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cpazmal_scale.errors import SampleError

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, eq=False)
class Polygon:
    """One row of the file.

    `shape` is a polygon or multipolygon of shapely in the file's CRS, of its first two dimensions;
    `stored` the bytes it has in the file, None once it was drawn or reshaped here; `others` its
    further columns, which nothing here changes and parts of a cut polygon inherit.
    """

    id: int
    label: str
    group: str
    shape: Any = field(repr=False)
    stored: bytes | None = field(default=None, repr=False)
    others: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, eq=False)
class Layer:
    """Polygons by id, in the order of the file; `next_id` is above every id there ever was."""

    polygons: Mapping[int, Polygon]
    next_id: int

    def __iter__(self) -> Iterator[Polygon]:
        return iter(self.polygons.values())

    def __len__(self) -> int:
        return len(self.polygons)

    def __getitem__(self, number: int) -> Polygon:
        """A polygon by its id.

        Raises:
            SampleError: there is none.
        """
        try:
            return self.polygons[number]
        except KeyError:
            raise SampleError(
                f"there is no polygon {number}", remedy="load the page again"
            ) from None

    def replaced(self, *polygons: Polygon) -> Layer:
        """The layer with these polygons in place of those of the same ids, others at its end."""
        top = max((one.id + 1 for one in polygons), default=0)
        kept = {**self.polygons, **{one.id: one for one in polygons}}
        return Layer(kept, max(self.next_id, top))

    def without(self, numbers: Iterable[int]) -> Layer:
        """The layer without some polygons."""
        gone = set(numbers)
        kept = {number: one for number, one in self.polygons.items() if number not in gone}
        return Layer(kept, self.next_id)

    def groups(self, label: str) -> set[str]:
        """Groups of a class."""
        return {one.group for one in self if one.label == label and one.group}

    def new_group(self, label: str, *, numbers: bool = False) -> str:
        """A group that no polygon has, named as those of the class are: `ABL007` after `ABL006`.

        With `numbers` it is a whole number, for files whose column holds such.
        """
        taken = {one.group for one in self}
        if numbers:
            known = [int(name) for name in taken if name.lstrip("-").isdigit()]
            return str(max(known, default=0) + 1)
        parted = [m for name in self.groups(label) if (m := re.fullmatch(r"(.*?)(\d+)", name))]
        stem, digits = max(
            ((m[1], m[2]) for m in parted), key=lambda part: int(part[1]), default=(label, "000")
        )
        number = int(digits) + 1
        while (name := f"{stem}{number:0{len(digits)}d}") in taken:
            number += 1
        return name
