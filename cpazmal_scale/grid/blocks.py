"""A grid cut into blocks of whole chunks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


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


class Step(Block):
    """A block; `left` are those below it that come next to the same worker, without a division."""

    left: int = 0

    @classmethod
    def before(cls, block: Block, left: int) -> Step:
        """A block that at least one other follows."""
        step = cls(*block)
        step.left = left
        return step


def cut(shape: tuple[int, int], height: int, width: int | None = None) -> list[Block]:
    """Blocks of a grid, row by row; square ones without a `width`."""
    width = width or height
    return [
        Block(y, min(y + height, shape[0]), x, min(x + width, shape[1]))
        for y in range(0, shape[0], height)
        for x in range(0, shape[1], width)
    ]


def columns_of(blocks: Iterable[Block]) -> list[list[Block]]:
    """Blocks that lie below each other without a gap, from top to bottom."""
    lanes: list[list[Block]] = []
    for block in sorted(blocks, key=lambda block: (block.x0, block.y0)):
        last = lanes[-1][-1] if lanes else None
        if last is not None and (last.x0, last.x1, last.y1) == (block.x0, block.x1, block.y0):
            lanes[-1].append(block)
        else:
            lanes.append([block])
    return lanes
