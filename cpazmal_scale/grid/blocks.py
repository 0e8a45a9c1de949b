"""A grid cut into blocks of whole chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    pass


class Block(NamedTuple):
    """Whole map chunks computed together: rows y0 ≤ y < y1, columns x0 ≤ x < x1 of the grid."""

    y0: int
    y1: int
    x0: int
    x1: int

    @property
    def name(self) -> str:
        """Name of the block's record and in messages."""
        return f"y{self.y0}-x{self.x0}"

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return (self.y1 - self.y0) * (self.x1 - self.x0)


def cut(shape: tuple[int, int], edge: int) -> list[Block]:
    """Blocks of a grid, row by row."""
    return [
        Block(y, min(y + edge, shape[0]), x, min(x + edge, shape[1]))
        for y in range(0, shape[0], edge)
        for x in range(0, shape[1], edge)
    ]
