"""What can be done to a layer of polygons: each edit is a value that makes one layer of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Protocol

import shapely

from cpazmal_scale.errors import SampleError
from cpazmal_scale.label.layer import Layer, Polygon

Ring = Sequence[Sequence[float]]
Shape = Sequence[Sequence[Ring]]
"""Polygons, each an outer ring and its holes, each ring its corners (x, y) in the file's CRS."""

MOST_CORNERS = 100_000
MOST_LETTERS = 200
"""Longest name of a class or group."""


class Edit(Protocol):
    """One step that can be undone."""

    @property
    def kind(self) -> str:
        """What the journal calls it."""
        ...

    def apply(self, layer: Layer) -> Layer:
        """The layer after it.

        Raises:
            SampleError: it cannot be done.
        """
        ...


@dataclass(frozen=True)
class Draw:
    """A new polygon."""

    kind: ClassVar[str] = "draw"
    shape: Shape
    label: str
    group: str

    def apply(self, layer: Layer) -> Layer:
        """See `Edit.apply`."""
        label, group = _name(self.label, "class"), _name(self.group, "group")
        return layer.replaced(Polygon(layer.next_id, label, group, built(self.shape)))


@dataclass(frozen=True)
class Reshape:
    """Other corners for a polygon, which also moves it."""

    kind: ClassVar[str] = "reshape"
    id: int
    shape: Shape

    def apply(self, layer: Layer) -> Layer:
        """See `Edit.apply`."""
        return layer.replaced(replace(layer[self.id], shape=built(self.shape), stored=None))


@dataclass(frozen=True)
class Split:
    """A polygon cut along a line; its largest part keeps the id.

    All parts keep class and group, because they touch each other: what is near is alike, and
    groups that touch would make a cross-validation look better than it is.
    """

    kind: ClassVar[str] = "split"
    id: int
    line: Ring

    def apply(self, layer: Layer) -> Layer:
        """See `Edit.apply`."""
        from shapely.ops import split

        whole = layer[self.id]
        line = _line(self.line)
        parts = [
            part
            for piece in shapely.get_parts(whole.shape)
            for part in split(piece, line).geoms
            if part.area > 0
        ]
        if len(parts) <= len(shapely.get_parts(whole.shape)):
            raise SampleError(
                "the line does not cross the polygon", remedy="draw it from outside to outside"
            )
        return _parted(layer, whole, parts)


@dataclass(frozen=True)
class CutOut:
    """A polygon without what another shape covers, such as a lake in a plain."""

    kind: ClassVar[str] = "cut_out"
    id: int
    shape: Shape

    def apply(self, layer: Layer) -> Layer:
        """See `Edit.apply`."""
        whole = layer[self.id]
        left = shapely.difference(whole.shape, built(self.shape))
        parts = [part for part in shapely.get_parts(left) if part.area > 0]
        if not parts:
            raise SampleError("nothing would be left", remedy="delete the polygon instead")
        if left.equals(whole.shape):
            raise SampleError("the shape does not touch the polygon", remedy="draw over it")
        return _parted(layer, whole, parts)


@dataclass(frozen=True)
class Delete:
    """Polygons taken out."""

    kind: ClassVar[str] = "delete"
    ids: Sequence[int]

    def apply(self, layer: Layer) -> Layer:
        """See `Edit.apply`."""
        return layer.without([layer[number].id for number in self.ids])


@dataclass(frozen=True)
class Relabel:
    """Another class, or another group, or both; several polygons of one group are joined so."""

    kind: ClassVar[str] = "relabel"
    ids: Sequence[int]
    label: str | None = None
    group: str | None = None

    def apply(self, layer: Layer) -> Layer:
        """See `Edit.apply`."""
        label = None if self.label is None else _name(self.label, "class")
        group = None if self.group is None else _name(self.group, "group")
        return layer.replaced(
            *(
                replace(one, label=label or one.label, group=group or one.group)
                for one in (layer[number] for number in self.ids)
            )
        )


KINDS: Mapping[str, type[Any]] = {
    one.kind: one for one in (Draw, Reshape, Split, CutOut, Delete, Relabel)
}


def to_plain(edit: Edit) -> dict[str, Any]:
    """An edit as JSON values."""
    return {"kind": edit.kind, **asdict(edit)}  # type: ignore[call-overload]


def from_plain(values: Mapping[str, Any]) -> Edit:
    """The edit of JSON values.

    Raises:
        SampleError: they are none.
    """
    fields = dict(values)
    kind = KINDS.get(str(fields.pop("kind", "")))
    try:
        if kind is None:
            raise TypeError("of no known kind")
        edit: Edit = kind(**fields)
        _check(edit)
    except (TypeError, ValueError) as error:
        raise SampleError(f"not an edit ({error})", remedy="load the page again") from None
    return edit


def built(shape: Shape) -> Any:
    """A valid polygon or multipolygon of corners.

    Raises:
        SampleError: too few or too many corners, no area, edges that cross.
    """
    if sum(len(ring) for rings in shape for ring in rings) > MOST_CORNERS:
        raise SampleError(f"more than {MOST_CORNERS} corners", remedy="draw several polygons")
    try:
        parts = [shapely.Polygon(rings[0], rings[1:]) for rings in shape]
    except (ValueError, TypeError, IndexError, shapely.errors.GEOSException) as error:
        raise SampleError(
            f"not a polygon ({error})", remedy="give it three corners or more"
        ) from None
    whole = parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)
    if not shapely.is_valid(whole) or not whole.area > 0:
        reason = shapely.is_valid_reason(whole).partition("[")[0].lower()
        raise SampleError(
            f"its outline is not that of an area ({reason})", remedy="let no edges cross"
        )
    return whole


def _parted(layer: Layer, whole: Polygon, parts: list[Any]) -> Layer:
    """The layer with the parts of a polygon, the largest of which stays the polygon."""
    largest, *others = sorted(parts, key=lambda part: (-part.area, part.bounds))
    new = [
        replace(whole, id=layer.next_id + i, shape=part, stored=None)
        for i, part in enumerate(others)
    ]
    return layer.replaced(replace(whole, shape=largest, stored=None), *new)


def _line(corners: Ring) -> Any:
    try:
        line = shapely.LineString(corners)
    except (ValueError, TypeError, shapely.errors.GEOSException) as error:
        raise SampleError(f"not a line ({error})", remedy="draw two points or more") from None
    return line


def _name(text: str, what: str) -> str:
    name = text.strip()
    if not name or len(name) > MOST_LETTERS or not name.isprintable():
        raise SampleError(
            f"`{name[:20]}` is no name of a {what}",
            remedy=f"write 1 to {MOST_LETTERS} letters on one line",
        )
    return name


def _check(edit: Edit) -> None:
    """The fields are of their kinds, as JSON does not say.

    Raises:
        TypeError: one is not.
    """
    for name, value in asdict(edit).items():  # type: ignore[call-overload]
        if name == "id" and type(value) is not int:
            raise TypeError("an id is a whole number")
        if name == "ids" and any(type(one) is not int for one in value):
            raise TypeError("ids are whole numbers")
        if name in ("label", "group") and not isinstance(value, str | None):
            raise TypeError(f"{name} is a text")
        if name == "line":
            _check_corners([[value]])
        if name == "shape":
            _check_corners(value)


def _check_corners(shape: Any) -> None:
    for rings in shape:
        for ring in rings:
            for x, y in ring:
                if not isinstance(x, int | float) or not isinstance(y, int | float):
                    raise TypeError("a corner is two numbers")
                if not (-1e12 < x < 1e12 and -1e12 < y < 1e12):
                    raise ValueError("a corner lies nowhere")
